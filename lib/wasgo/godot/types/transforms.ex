defmodule Wasgo.Godot.Transform2D do
  @moduledoc """
  A 2D transform by its columns: the engine's `Transform2D`. The default is the identity.
  """
  alias Wasgo.Godot.Vector2

  defstruct x: %Vector2{x: 1.0}, y: %Vector2{y: 1.0}, origin: %Vector2{}
  @type t :: %__MODULE__{x: Vector2.t(), y: Vector2.t(), origin: Vector2.t()}

  @doc """
  A transform of its x and y axes and its origin.

      iex> alias Wasgo.Godot.{Transform2D, Vector2}
      iex> moved = Transform2D.new(Vector2.new(1, 0), Vector2.new(0, 1), Vector2.new(5, 6))
      iex> moved == %Transform2D{origin: Vector2.new(5, 6)}
      true
  """
  @spec new(Vector2.t(), Vector2.t(), Vector2.t()) :: t()
  def new(%Vector2{} = x, %Vector2{} = y, %Vector2{} = origin) do
    %__MODULE__{x: x, y: y, origin: origin}
  end
end

defmodule Wasgo.Godot.Quaternion do
  @moduledoc """
  A rotation: the engine's `Quaternion`. The default is none.
  """
  import Wasgo.Godot.Component
  alias Wasgo.Godot.Component

  defstruct x: 0.0, y: 0.0, z: 0.0, w: 1.0
  @type t :: %__MODULE__{x: Component.t(), y: Component.t(), z: Component.t(), w: Component.t()}

  @doc """
  A quaternion of its components; it is not normalized.

      iex> inspect(Wasgo.Godot.Quaternion.new(0, 0, 0, 1))
      "#Quaternion(0.0, 0.0, 0.0, 1.0)"
  """
  @spec new(Component.input(), Component.input(), Component.input(), Component.input()) :: t()
  def new(x, y, z, w)
      when is_component(x) and is_component(y) and is_component(z) and is_component(w) do
    %__MODULE__{x: float(x), y: float(y), z: float(z), w: float(w)}
  end
end

defmodule Wasgo.Godot.Basis do
  @moduledoc """
  A 3D rotation and scale by its columns: the engine's `Basis`. The default is the identity.
  """
  alias Wasgo.Godot.Vector3

  defstruct x: %Vector3{x: 1.0}, y: %Vector3{y: 1.0}, z: %Vector3{z: 1.0}
  @type t :: %__MODULE__{x: Vector3.t(), y: Vector3.t(), z: Vector3.t()}

  @doc """
  A basis of its x, y and z axes, which are its columns.

      iex> alias Wasgo.Godot.{Basis, Vector3}
      iex> basis = Basis.new(Vector3.new(2, 0, 0), Vector3.new(0, 1, 0), Vector3.new(0, 0, 1))
      iex> basis == %Basis{x: Vector3.new(2, 0, 0)}
      true
  """
  @spec new(Vector3.t(), Vector3.t(), Vector3.t()) :: t()
  def new(%Vector3{} = x, %Vector3{} = y, %Vector3{} = z) do
    %__MODULE__{x: x, y: y, z: z}
  end
end

defmodule Wasgo.Godot.Transform3D do
  @moduledoc """
  A 3D transform: the engine's `Transform3D`. The default is the identity.
  """
  alias Wasgo.Godot.{Basis, Vector3}

  defstruct basis: %Basis{}, origin: %Vector3{}
  @type t :: %__MODULE__{basis: Basis.t(), origin: Vector3.t()}

  @doc """
  A transform of its basis and its origin in metres.

      iex> alias Wasgo.Godot.{Basis, Transform3D, Vector3}
      iex> Transform3D.new(%Basis{}, Vector3.new(1, 2, 3)).origin.y
      2.0
  """
  @spec new(Basis.t(), Vector3.t()) :: t()
  def new(%Basis{} = basis, %Vector3{} = origin), do: %__MODULE__{basis: basis, origin: origin}
end

defmodule Wasgo.Godot.Projection do
  @moduledoc """
  A 4x4 matrix by its columns: the engine's `Projection`. The default is the identity.
  """
  alias Wasgo.Godot.Vector4

  defstruct x: %Vector4{x: 1.0}, y: %Vector4{y: 1.0}, z: %Vector4{z: 1.0}, w: %Vector4{w: 1.0}
  @type t :: %__MODULE__{x: Vector4.t(), y: Vector4.t(), z: Vector4.t(), w: Vector4.t()}

  @doc """
  A projection of its columns.

      iex> alias Wasgo.Godot.{Projection, Vector4}
      iex> column = Vector4.new(1, 2, 3, 4)
      iex> Projection.new(column, column, column, column).w.z
      3.0
  """
  @spec new(Vector4.t(), Vector4.t(), Vector4.t(), Vector4.t()) :: t()
  def new(%Vector4{} = x, %Vector4{} = y, %Vector4{} = z, %Vector4{} = w) do
    %__MODULE__{x: x, y: y, z: z, w: w}
  end
end
