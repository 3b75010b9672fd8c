defmodule Wasgo.CompileError do
  @moduledoc """
  Bytes or text that are no valid WebAssembly module.

  `reason` is `:compile`; `message` says what the compiler found, and where.
  """

  defexception [:reason, :message]

  @type t :: %__MODULE__{reason: :compile, message: String.t()}
end
