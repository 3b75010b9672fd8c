defmodule Wasgo.PlanError do
  @moduledoc """
  A plan, or a coordinate asked of one, that can't be generated.

  `field` names the option at fault and `reason` is `:out_of_range`, `:unknown`, or what the generator says.
  """

  defexception [:reason, :message, :field]

  @type t :: %__MODULE__{reason: atom(), message: String.t(), field: String.t() | nil}
end
