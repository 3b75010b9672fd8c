defmodule Wasgo.LimitError do
  @moduledoc """
  A guest ran into one of its limits, or what it was given was over one.

  `reason` says which: `:memory`, `:table`, `:stack`, `:time`, `:module_size`, `:input_size`, `:result_size`, `:calls`,
  `:fuel`, `:depth` (calls within imports within calls), `:buffers` (emitted in one call), `:state` (a script's keys and values),
  `:arguments`, `:argument_bytes` and `:descriptors` (of a WASI program), `:values` (in a call of a component), `:tables` (of one instance),
  `:compiles`, `:instances` (of one script, or of the engine), `:jobs` (waiting for the native pool), `:viewers` (of a world); and of a module to be compiled
  `:module_types`, `:module_imports`, `:module_functions`, `:module_exports`, `:module_data_segments`, `:module_elements`,
  `:function_size`, `:function_loops`, `:loop_depth`, `:loop_work`, and `:parts` of a component. `value` is the limit (bytes, elements,
  milliseconds or a count) and `asked`, where it is known, what would have been needed.

      iex> spin = Wasgo.Wasm.Module.compile!(~s|(module (func (export "spin") (loop (br 0))))|)
      iex> {:error, error} = Wasgo.Wasm.Instance.call(Wasgo.Wasm.Instance.new!(spin), "spin", [], timeout: 20)
      iex> {error.reason, error.value}
      {:time, 20}
  """

  defexception [:reason, :message, :value, :asked]

  @type t :: %__MODULE__{
          reason: atom(),
          message: String.t(),
          value: non_neg_integer(),
          asked: non_neg_integer() | nil
        }
end
