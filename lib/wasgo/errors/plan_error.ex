defmodule Wasgo.PlanError do
  @moduledoc """
  A plan, or a coordinate asked of one, that can't be generated.

  `field` names the option at fault and `reason` is `:out_of_range`; `:unknown` for a name that is none or a value of another
  type; `:invalid` for what is no coordinate; or `:script` for a script that was not given, can't be used, failed, or answered what it may not. `field` is
  then where the plan uses it, and `cause` is the exception of the script itself, such as a `Wasgo.LimitError` for one that has used up its fuel, or `nil`
  where it was the answer that was wrong.

      iex> {:error, error} = Wasgo.Gen.plan(seed: 1, samples: 1)
      iex> {error.reason, error.field, Exception.message(error)}
      {:out_of_range, "chunk.samples", "chunk.samples is 1, allowed: 2 to 257"}
  """

  defexception [:reason, :message, :field, :cause]

  @type t :: %__MODULE__{
          reason: atom(),
          message: String.t(),
          field: String.t() | nil,
          cause: Exception.t() | nil
        }
end
