defmodule Wasgo.LimitError do
  @moduledoc """
  A guest ran into one of its limits, or what it was given was over one.

  `reason` says which: `:memory`, `:table`, `:stack`, `:time`, `:module_size`, `:input_size`, `:result_size`, `:calls`,
  `:fuel`, `:depth` (calls within imports within calls), `:buffers` (emitted in one call), `:state` (a script's keys and values),
  `:compiles`, `:instances` (of one script, or of the engine), `:jobs` (waiting for the native pool), `:tables` (of one instance),
  `:complexity` (so many loops and variables that compiling would take too long; about so many milliseconds). `value` is the limit
  (bytes, elements, milliseconds or a count) and `asked`, where it is known, what would have been needed.
  """

  defexception [:reason, :message, :value, :asked]

  @type t :: %__MODULE__{
          reason: atom(),
          message: String.t(),
          value: non_neg_integer(),
          asked: non_neg_integer() | nil
        }
end
