defmodule Wasgo.Godot.Color do
  @moduledoc """
  A color, 0 to 1 each (brighter is allowed): the engine's `Color`. The default is opaque black.
  """
  import Wasgo.Godot.Component
  alias Wasgo.Godot.Component

  defstruct r: 0.0, g: 0.0, b: 0.0, a: 1.0
  @type t :: %__MODULE__{r: Component.t(), g: Component.t(), b: Component.t(), a: Component.t()}

  @doc """
  A color of its red, green, blue and, opaque unless told otherwise, alpha.

      iex> inspect(Wasgo.Godot.Color.new(1, 0.5, 0))
      "#Color(1.0, 0.5, 0.0, 1.0)"
  """
  @spec new(Component.input(), Component.input(), Component.input(), Component.input()) :: t()
  def new(r, g, b, a \\ 1.0)
      when is_component(r) and is_component(g) and is_component(b) and is_component(a) do
    %__MODULE__{r: float(r), g: float(g), b: float(b), a: float(a)}
  end
end
