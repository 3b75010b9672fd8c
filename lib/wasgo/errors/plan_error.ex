defmodule Wasgo.PlanError do
  @moduledoc """
  A plan, or a coordinate asked of one, that can't be generated.

  `field` names the option at fault and `reason` is `:out_of_range`; `:unknown` for a name that is none or a value of another
  type; or `:invalid` for what is no coordinate.
  """

  defexception [:reason, :message, :field]

  @type t :: %__MODULE__{reason: atom(), message: String.t(), field: String.t() | nil}
end
