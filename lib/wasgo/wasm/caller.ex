defmodule Wasgo.Wasm.Caller do
  @moduledoc """
  The guest that called a function written in Elixir, while that function runs.

  `Wasgo.Wasm.Instance.call/4`, `call_many/4`, `call_packed/4`, `read_memory/3`, `write_memory/3` and the rest take it in place of an instance.
  So they do with the guest's own instance, where a function has that: what is done with it in the midst of its call is done through here.

      iex> module = Wasgo.Wasm.Module.compile!(\"""
      ...> (module
      ...>   (import "env" "greet" (func $greet (param i32 i32)))
      ...>   (memory (export "memory") 1)
      ...>   (data (i32.const 0) "world")
      ...>   (func (export "run") (call $greet (i32.const 0) (i32.const 5))))
      ...> \""")
      iex> greet = fn caller, pointer, length ->
      ...>   {:ok, name} = Wasgo.Wasm.Instance.read_memory(caller, pointer, length)
      ...>   :ok = Wasgo.Wasm.Instance.write_memory(caller, 100, "hello " <> name)
      ...> end
      iex> instance = Wasgo.Wasm.Instance.new!(module, imports: %{"env" => %{"greet" => {[:i32, :i32], [], greet}}})
      iex> Wasgo.Wasm.Instance.call(instance, "run")
      {:ok, []}
      iex> Wasgo.Wasm.Instance.read_memory(instance, 100, 11)
      {:ok, "hello world"}

  It means nothing after the function has returned: every use then answers `:closed`.
  """

  @enforce_keys [:serving, :reference, :imports]
  defstruct [:serving, :reference, :imports]

  @opaque t :: %__MODULE__{
            serving: reference(),
            reference: reference(),
            imports: Wasgo.Wasm.Imports.t()
          }

  defimpl Inspect do
    def inspect(_caller, _opts), do: "#Wasgo.Wasm.Caller<>"
  end
end
