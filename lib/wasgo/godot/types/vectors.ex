defmodule Wasgo.Godot.Vector2 do
  @moduledoc """
  Two 32-bit floats: the engine's `Vector2`.
  """
  import Wasgo.Godot.Component
  alias Wasgo.Godot.Component

  defstruct x: 0.0, y: 0.0
  @type t :: %__MODULE__{x: Component.t(), y: Component.t()}

  @doc """
  A vector of its components; integers become floats.

      iex> inspect(Wasgo.Godot.Vector2.new(1, 2.5))
      "#Vector2(1.0, 2.5)"
  """
  @spec new(Component.input(), Component.input()) :: t()
  def new(x, y) when is_component(x) and is_component(y) do
    %__MODULE__{x: float(x), y: float(y)}
  end
end

defmodule Wasgo.Godot.Vector2i do
  @moduledoc """
  Two 32-bit integers: the engine's `Vector2i`.
  """
  defstruct x: 0, y: 0
  @type t :: %__MODULE__{x: integer(), y: integer()}

  @doc """
  A vector of its components.

      iex> inspect(Wasgo.Godot.Vector2i.new(1, -2))
      "#Vector2i(1, -2)"
  """
  @spec new(integer(), integer()) :: t()
  def new(x, y) when is_integer(x) and is_integer(y), do: %__MODULE__{x: x, y: y}
end

defmodule Wasgo.Godot.Vector3 do
  @moduledoc """
  Three 32-bit floats: the engine's `Vector3`. As a place it is in metres, +Y up.
  """
  import Wasgo.Godot.Component
  alias Wasgo.Godot.Component

  defstruct x: 0.0, y: 0.0, z: 0.0
  @type t :: %__MODULE__{x: Component.t(), y: Component.t(), z: Component.t()}

  @doc """
  A vector of its components; integers become floats.

      iex> inspect(Wasgo.Godot.Vector3.new(1, 2.5, :infinity))
      "#Vector3(1.0, 2.5, :infinity)"
  """
  @spec new(Component.input(), Component.input(), Component.input()) :: t()
  def new(x, y, z) when is_component(x) and is_component(y) and is_component(z) do
    %__MODULE__{x: float(x), y: float(y), z: float(z)}
  end
end

defmodule Wasgo.Godot.Vector3i do
  @moduledoc """
  Three 32-bit integers: the engine's `Vector3i`.
  """
  defstruct x: 0, y: 0, z: 0
  @type t :: %__MODULE__{x: integer(), y: integer(), z: integer()}

  @doc """
  A vector of its components.

      iex> inspect(Wasgo.Godot.Vector3i.new(1, -2, 3))
      "#Vector3i(1, -2, 3)"
  """
  @spec new(integer(), integer(), integer()) :: t()
  def new(x, y, z) when is_integer(x) and is_integer(y) and is_integer(z) do
    %__MODULE__{x: x, y: y, z: z}
  end
end

defmodule Wasgo.Godot.Vector4 do
  @moduledoc """
  Four 32-bit floats: the engine's `Vector4`.
  """
  import Wasgo.Godot.Component
  alias Wasgo.Godot.Component

  defstruct x: 0.0, y: 0.0, z: 0.0, w: 0.0
  @type t :: %__MODULE__{x: Component.t(), y: Component.t(), z: Component.t(), w: Component.t()}

  @doc """
  A vector of its components; integers become floats.

      iex> inspect(Wasgo.Godot.Vector4.new(1, 2, 3, 4))
      "#Vector4(1.0, 2.0, 3.0, 4.0)"
  """
  @spec new(Component.input(), Component.input(), Component.input(), Component.input()) :: t()
  def new(x, y, z, w)
      when is_component(x) and is_component(y) and is_component(z) and is_component(w) do
    %__MODULE__{x: float(x), y: float(y), z: float(z), w: float(w)}
  end
end

defmodule Wasgo.Godot.Vector4i do
  @moduledoc """
  Four 32-bit integers: the engine's `Vector4i`.
  """
  defstruct x: 0, y: 0, z: 0, w: 0
  @type t :: %__MODULE__{x: integer(), y: integer(), z: integer(), w: integer()}

  @doc """
  A vector of its components.

      iex> inspect(Wasgo.Godot.Vector4i.new(1, -2, 3, -4))
      "#Vector4i(1, -2, 3, -4)"
  """
  @spec new(integer(), integer(), integer(), integer()) :: t()
  def new(x, y, z, w) when is_integer(x) and is_integer(y) and is_integer(z) and is_integer(w) do
    %__MODULE__{x: x, y: y, z: z, w: w}
  end
end
