defmodule Wasgo.SceneError do
  @moduledoc """
  A scene that does not hold together: attributes of different lengths, indices past the end, numbers that are none.

  The message names the mesh or node at fault.

      iex> {:error, error} = Wasgo.Scene.validate(%Wasgo.Scene{nodes: [%Wasgo.Scene.Node{name: "oak", mesh: 3}], roots: [0]})
      iex> Exception.message(error)
      ~s|node 0 "oak": there is no mesh 3, the scene has 0|
  """

  defexception [:reason, :message]

  @type t :: %__MODULE__{reason: atom(), message: String.t()}
end
