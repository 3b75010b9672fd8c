defmodule Wasgo.Gen.Volume do
  @moduledoc """
  A cube of a world with caves, overhangs or floating rocks: the surface of what is solid in it. Made by `Wasgo.Gen.volume/3`.

    * `coordinate` - `{x, y, z}`, counted in cubes of its `level`
    * `origin` - of the corner with the least coordinates, in metres; positions are relative to it
    * `size` - side in metres
    * `surface` - a `Wasgo.Scene.Surface`, empty where all is solid or nothing is
    * `solid` - the share of it that is solid, 0 to 1
    * `seam_triangles` - how many of the last triangles join it to cubes of other levels

  ## Examples

      iex> Wasgo.Gen.volume!(Wasgo.Gen.plan!(seed: 1, density: Wasgo.Gen.Field.sphere({16, 16, 16}, 10)), {0, 0, 0})
      #Wasgo.Gen.Volume<{0, 0, 0}, 32.0 m, 12% solid, 3660 triangles>
  """

  alias Wasgo.Gen.{Collider, Plan}
  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.{PlanError, Scene}

  @keys [:plan, :coordinate, :level, :origin, :size, :surface, :solid, :seam_triangles]
  @enforce_keys @keys
  defstruct @keys

  @type coordinate :: {x :: integer(), y :: integer(), z :: integer()}
  @type address :: coordinate() | {integer(), integer(), integer(), non_neg_integer()}

  @type t :: %__MODULE__{
          plan: Plan.t(),
          coordinate: coordinate(),
          level: non_neg_integer(),
          origin: {float(), float(), float()},
          size: float(),
          surface: Scene.Surface.t(),
          solid: float(),
          seam_triangles: non_neg_integer()
        }

  # In the order of the native half: across faces, then across edges.
  @directions [
    {-1, 0, 0},
    {1, 0, 0},
    {0, -1, 0},
    {0, 1, 0},
    {0, 0, -1},
    {0, 0, 1},
    {0, -1, -1},
    {0, 1, -1},
    {0, -1, 1},
    {0, 1, 1},
    {-1, 0, -1},
    {-1, 0, 1},
    {1, 0, -1},
    {1, 0, 1},
    {-1, -1, 0},
    {1, -1, 0},
    {-1, 1, 0},
    {1, 1, 0}
  ]

  @doc """
  The directions of neighbours that matter: across the six faces and the twelve edges.

      iex> length(Wasgo.Gen.Volume.directions())
      18
  """
  @spec directions() :: [{-1..1, -1..1, -1..1}]
  def directions, do: @directions

  @doc false
  def neighbours(given) do
    case Enum.find(given, fn {direction, steps} ->
           direction not in @directions or steps not in -128..127
         end) do
      nil ->
        given = Map.new(given)

        {:ok,
         for(direction <- @directions, into: "", do: <<Map.get(given, direction, 0)::signed>>)}

      wrong ->
        message =
          "neighbours: #{inspect(wrong)} is no direction with a number of levels; see Wasgo.Gen.Volume.directions/0"

        {:error, %PlanError{reason: :invalid, field: "neighbours", message: message}}
    end
  end

  @doc false
  def new(plan, coordinate, level, {origin, size, surface, {solid, seam_triangles}}) do
    [surface] = Wasgo.Gen.surfaces([surface], Plan.ground())

    %__MODULE__{
      plan: plan,
      coordinate: coordinate,
      level: level,
      origin: origin,
      size: size,
      surface: surface,
      solid: solid,
      seam_triangles: seam_triangles
    }
  end

  @doc """
  How many triangles there are.

      iex> plan = Wasgo.Gen.plan!(seed: 1, density: Wasgo.Gen.Field.sphere({16, 16, 16}, 10))
      iex> Wasgo.Gen.Volume.triangles(Wasgo.Gen.volume!(plan, {0, 0, 0})) > 100
      true
  """
  @spec triangles(t()) :: non_neg_integer()
  def triangles(%__MODULE__{surface: surface}), do: div(byte_size(surface.indices), 12)

  @surface_options [
    cells: [type: {:range, 0..0xFFFF}, default: 32],
    cell_size: [type: :number, default: 1.0]
  ]

  @doc """
  The surface of densities that you have computed, such as with Nx, or changed: where they go from above 0 (solid) to 0 or less.

    * `:cells` - along a side of the cube, 8 to 64; 32 unless given
    * `:cell_size` - side of a cell in metres; 1 unless given

  Densities are (cells + 4)^3 little-endian 32-bit floats, x fastest, then y, then z: those of the corners of the cells, from two before the cube to one
  beyond it. From there come the normals at its border, and what joins it to its neighbours: cubes side by side whose
  densities agree have no gap between them.

      iex> ball = for z <- -2..17, y <- -2..17, x <- -2..17, into: "" do
      ...>   <<6.0 - :math.sqrt((x - 8) ** 2 + (y - 8) ** 2 + (z - 8) ** 2)::float-32-little>>
      ...> end
      iex> {:ok, surface} = Wasgo.Gen.Volume.surface(ball, cells: 16)
      iex> {div(byte_size(surface.positions), 12), div(byte_size(surface.indices), 12)}
      {656, 1308}
      iex> {:error, error} = Wasgo.Gen.Volume.surface(ball, cells: 15)
      iex> Exception.message(error)
      "there are 8000 samples, expected: 6859"
  """
  @spec surface(binary(), keyword()) :: {:ok, Scene.Surface.t()} | {:error, PlanError.t()}
  def surface(densities, options \\ []) when is_binary(densities) do
    options = Wasgo.Options.validate!(options, @surface_options, "Wasgo.Gen.Volume.surface/2")
    native = Native.gen_surface(densities, options.cells, options.cell_size / 1)

    with {:ok, made} <- Result.await(native) do
      [surface] = Wasgo.Gen.surfaces([made], Plan.ground())
      {:ok, surface}
    end
  end

  @doc """
  A collider for the cube: its surface with as few triangles as stay within `error` metres of it. The border of the cube is left as it is, so
  that colliders of neighbours meet.

      iex> import Wasgo.Gen.Field
      iex> plan = Wasgo.Gen.plan!(seed: 1, density: sphere({16, 16, 16}, 10))
      iex> volume = Wasgo.Gen.volume!(plan, {0, 0, 0})
      iex> {:ok, collider} = Wasgo.Gen.Volume.collider(volume, 0.2)
      iex> collider.error <= 0.2 and Wasgo.Gen.Collider.triangles(collider) * 3 < Wasgo.Gen.Volume.triangles(volume)
      true
  """
  @spec collider(t(), number()) :: {:ok, Collider.t()} | {:error, PlanError.t()}
  def collider(%__MODULE__{surface: surface}, error) when is_number(error) do
    native = Native.gen_collider(surface.positions, surface.indices, error / 1)
    with {:ok, made} <- Result.await(native), do: {:ok, Collider.new(made)}
  end

  @doc """
  The cube as a scene: a node at its origin with the surface.

      iex> plan = Wasgo.Gen.plan!(seed: 1, density: Wasgo.Gen.Field.sphere({16, 16, 16}, 10))
      iex> {:ok, scene} = Wasgo.Gen.volume!(plan, {0, 0, 0}) |> Wasgo.Gen.Volume.to_scene()
      iex> {:ok, {{_x, lowest, _z}, _greatest}} = Wasgo.Scene.bounds(scene)
      iex> Float.round(lowest, 1)
      6.1
  """
  @spec to_scene(t()) :: {:ok, Scene.t()}
  def to_scene(%__MODULE__{coordinate: {x, y, z}} = volume) do
    name = "volume_#{x}_#{y}_#{z}"
    surfaces = if volume.surface.indices == "", do: [], else: [volume.surface]

    {:ok,
     %Scene{
       name: name,
       nodes: [
         %Scene.Node{name: name, translation: volume.origin, mesh: if(surfaces != [], do: 0)}
       ],
       meshes: if(surfaces != [], do: [%Scene.Mesh{name: name, surfaces: surfaces}], else: []),
       materials: Plan.materials(),
       roots: [0]
     }}
  end

  defimpl Inspect do
    def inspect(volume, _opts) do
      level = if volume.level > 0, do: ", level #{volume.level}", else: ""
      triangles = Wasgo.Gen.Volume.triangles(volume)

      "#Wasgo.Gen.Volume<#{Kernel.inspect(volume.coordinate)}#{level}, #{volume.size} m, " <>
        "#{round(volume.solid * 100)}% solid, #{triangles} triangles>"
    end
  end
end
