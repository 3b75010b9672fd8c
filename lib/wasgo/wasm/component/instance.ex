defmodule Wasgo.Wasm.Component.Instance do
  @moduledoc """
  A running instance of a `Wasgo.Wasm.Component`, made by `Wasgo.Wasm.Component.new/2`.
  """

  @enforce_keys [:resource, :ref, :component]
  defstruct [:resource, :ref, :component, :imports]

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          component: Wasgo.Wasm.Component.t(),
          imports: Wasgo.Wasm.Imports.t() | nil
        }

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(instance, opts) do
      status = instance |> Wasgo.Wasm.Component.status() |> Atom.to_string()
      component = to_doc(instance.component, opts)
      concat(["#Wasgo.Wasm.Component.Instance<", status, ", ", component, ">"])
    end
  end
end
