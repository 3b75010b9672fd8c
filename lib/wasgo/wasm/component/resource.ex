defmodule Wasgo.Wasm.Component.Resource do
  @moduledoc """
  A resource that a component handed out: something that lives in one of its instances, and that only means something there.

  It can be given to functions of the same instance, among them its methods. One that takes it as its own (`own` in WIT, written as
  the resource's plain name) has it from then on, and this handle ends; one that borrows it does not. `Wasgo.Wasm.Component.drop/3`
  drops it.

      {:ok, basket} = Wasgo.Wasm.Component.call(instance, "shop:stock/baskets.[constructor]basket", [12])
      {:ok, nil} = Wasgo.Wasm.Component.call(instance, "shop:stock/baskets.[method]basket.put", [basket, "apple"])
  """

  @enforce_keys [:resource, :type]
  defstruct [:resource, :type]

  @opaque resource :: reference()

  @type t :: %__MODULE__{resource: resource(), type: String.t()}

  @doc """
  Whether it can still be used: it was neither dropped nor given away, and its instance is there.

      basket = Wasgo.Wasm.Component.call!(instance, "shop:stock/baskets.[constructor]basket", [12])
      Wasgo.Wasm.Component.Resource.live?(basket)
      # true
      :ok = Wasgo.Wasm.Component.drop(instance, basket)
      Wasgo.Wasm.Component.Resource.live?(basket)
      # false
  """
  @spec live?(t()) :: boolean()
  def live?(%__MODULE__{resource: resource}), do: Wasgo.Native.component_handle_live(resource)

  defimpl Inspect do
    def inspect(resource, _opts) do
      live = if Wasgo.Wasm.Component.Resource.live?(resource), do: "live", else: "gone"
      "#Wasgo.Wasm.Component.Resource<#{resource.type}, #{live}>"
    end
  end
end
