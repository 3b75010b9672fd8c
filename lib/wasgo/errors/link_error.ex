defmodule Wasgo.LinkError do
  @moduledoc """
  A module and its host do not fit together.

  `reason` is one of:

    * `:missing_import` - the module wants `module`, `name`, and is not given it
    * `:missing_export` - the module does not export `name`, which was called or is part of a contract
    * `:wrong_type` - it exports `name` with another type than is needed

  ## Examples

      iex> {:error, error} = Wasgo.Script.new(~s|(module (import "env" "fly" (func)))|)
      iex> {error.reason, error.module, error.name}
      {:missing_import, "env", "fly"}
  """

  defexception [:reason, :message, :module, :name]

  @type t :: %__MODULE__{
          reason: :missing_import | :missing_export | :wrong_type,
          message: String.t(),
          module: String.t() | nil,
          name: String.t()
        }
end
