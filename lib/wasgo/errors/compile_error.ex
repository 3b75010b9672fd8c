defmodule Wasgo.CompileError do
  @moduledoc """
  Bytes or text that are no valid WebAssembly module.

  `reason` is `:compile`; `message` says what the compiler found, and where.

      iex> {:error, error} = Wasgo.Wasm.Module.compile("(module (func")
      iex> error.reason
      :compile
  """

  defexception [:reason, :message]

  @type t :: %__MODULE__{reason: :compile, message: String.t()}
end
