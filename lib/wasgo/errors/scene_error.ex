defmodule Wasgo.SceneError do
  @moduledoc """
  A scene that does not hold together: attributes of different lengths, indices past the end, numbers that are none.

  The message names the mesh or node at fault.
  """

  defexception [:reason, :message]

  @type t :: %__MODULE__{reason: atom(), message: String.t()}
end
