defmodule Wasgo.Godot.Rect2 do
  @moduledoc """
  A rectangle: the engine's `Rect2`.
  """
  alias Wasgo.Godot.Vector2

  defstruct position: %Vector2{}, size: %Vector2{}
  @type t :: %__MODULE__{position: Vector2.t(), size: Vector2.t()}

  @doc """
  A rectangle of its position and size.

      iex> alias Wasgo.Godot.{Rect2, Vector2}
      iex> inspect(Rect2.new(Vector2.new(1, 2), Vector2.new(3, 4)))
      "#Rect2(#Vector2(1.0, 2.0), #Vector2(3.0, 4.0))"
  """
  @spec new(Vector2.t(), Vector2.t()) :: t()
  def new(%Vector2{} = position, %Vector2{} = size) do
    %__MODULE__{position: position, size: size}
  end
end

defmodule Wasgo.Godot.Rect2i do
  @moduledoc """
  A rectangle of integers: the engine's `Rect2i`.
  """
  alias Wasgo.Godot.Vector2i

  defstruct position: %Vector2i{}, size: %Vector2i{}
  @type t :: %__MODULE__{position: Vector2i.t(), size: Vector2i.t()}

  @doc """
  A rectangle of its position and size.

      iex> alias Wasgo.Godot.{Rect2i, Vector2i}
      iex> inspect(Rect2i.new(Vector2i.new(1, 2), Vector2i.new(3, 4)))
      "#Rect2i(#Vector2i(1, 2), #Vector2i(3, 4))"
  """
  @spec new(Vector2i.t(), Vector2i.t()) :: t()
  def new(%Vector2i{} = position, %Vector2i{} = size) do
    %__MODULE__{position: position, size: size}
  end
end

defmodule Wasgo.Godot.AABB do
  @moduledoc """
  A box along the axes: the engine's `AABB`.
  """
  alias Wasgo.Godot.Vector3

  defstruct position: %Vector3{}, size: %Vector3{}
  @type t :: %__MODULE__{position: Vector3.t(), size: Vector3.t()}

  @doc """
  A box of its position and size.

      iex> alias Wasgo.Godot.{AABB, Vector3}
      iex> inspect(AABB.new(Vector3.new(0, 0, 0), Vector3.new(1, 2, 3)))
      "#AABB(#Vector3(0.0, 0.0, 0.0), #Vector3(1.0, 2.0, 3.0))"
  """
  @spec new(Vector3.t(), Vector3.t()) :: t()
  def new(%Vector3{} = position, %Vector3{} = size) do
    %__MODULE__{position: position, size: size}
  end
end

defmodule Wasgo.Godot.Plane do
  @moduledoc """
  A plane by its normal and its distance from the origin: the engine's `Plane`.
  """
  import Wasgo.Godot.Component
  alias Wasgo.Godot.{Component, Vector3}

  defstruct normal: %Vector3{}, d: 0.0
  @type t :: %__MODULE__{normal: Vector3.t(), d: Component.t()}

  @doc """
  A plane of its normal and distance.

      iex> alias Wasgo.Godot.{Plane, Vector3}
      iex> inspect(Plane.new(Vector3.new(0, 1, 0), -3.5))
      "#Plane(#Vector3(0.0, 1.0, 0.0), -3.5)"
  """
  @spec new(Vector3.t(), Component.input()) :: t()
  def new(%Vector3{} = normal, d) when is_component(d) do
    %__MODULE__{normal: normal, d: float(d)}
  end
end
