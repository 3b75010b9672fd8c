defmodule Wasgo.CacheError do
  @moduledoc """
  The folder of `Wasgo.Wasm.Cache` can't be used.

  `reason` is `:untrusted` when other users could write in it (or know its key), and `:unusable` when it can't be made, read or
  written. `message` names the folder and says why.
  """

  defexception [:reason, :message]

  @type t :: %__MODULE__{reason: :untrusted | :unusable, message: String.t()}
end
