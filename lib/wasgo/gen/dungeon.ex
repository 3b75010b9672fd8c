defmodule Wasgo.Gen.Dungeon do
  @moduledoc """
  A grid of tiles: rooms and corridors, made by `Wasgo.Gen.dungeon/1`, or the rooms of a building, made by `Wasgo.Gen.interior/2`.

    * `size` - cells to the east, up and to the south
    * `cell` - side of a cell to the east and to the south, in metres; `storey` - height of a level
    * `origin` - `{x, z}` in metres of the corner in the north and west, from the origin of the building; `{0.0, 0.0}` for a dungeon
    * `mesh` - a `Wasgo.Scene.Mesh`; its origin is that corner, on the lowest floor
    * `boxes` - what one can't walk through: `{middle, half_sides}` in metres
    * `lights` - torches and hearths: `position`, linear `color`, `range` in metres
    * `rooms` - lists of cells with nothing between them. A corridor is a room too
    * `attempts` - how many it took to fill the grid

  `at/2` says what is in a cell, `walkable?/2` whether one can stand there, `exits/2` where one can go from it, `position/2` where it is.

  ## Tiles of one's own

  A set of tiles is a map of

    * `name` - for messages
    * `sockets` - by name, the kinds of sides: `%{joins: ["hall"], border: :door}`, which sides may face it and what is there: `:open`, `:door` or
      `:wall`
    * `tiles` - `%{name: "bend", sides: ["hall", "hall", "rock", "rock"], weight: 0.5}`, sides from the north clockwise; also `turns` (1, 2 or 4),
      `walkable`, `least` and `most` (how many in a grid), `above` and `below` (sockets), `fittings` (`:torch`, `:column`, `:stairs_up`,
      `:stairs_down`, `:chest`, `:table`, `:bed`, `:barrels`, `:hearth`)
    * `outside` - the socket around the grid, if it matters

  ## Examples

      iex> tiles = %{
      ...>   name: "checks",
      ...>   sockets: %{"a" => %{joins: ["b"]}, "b" => %{}},
      ...>   tiles: [
      ...>     %{name: "white", sides: ["a", "a", "a", "a"], turns: 1},
      ...>     %{name: "black", sides: ["b", "b", "b", "b"], turns: 1, walkable: false}
      ...>   ]
      ...> }
      iex> {:ok, board} = Wasgo.Gen.dungeon(seed: 1, size: {4, 4}, tiles: tiles, connected: false)
      iex> for x <- 0..3, do: Wasgo.Gen.Dungeon.walkable?(board, {x, 0}) != Wasgo.Gen.Dungeon.walkable?(board, {x, 1})
      [true, true, true, true]
  """

  alias Wasgo.Gen.{Building, Object, Plan, Spec}
  alias Wasgo.{Native, PlanError, Scene}
  alias Wasgo.Native.Result

  @keys [:name, :seed, :size, :cell, :storey, :origin, :mesh, :boxes, :lights] ++
          [:names, :cells, :rooms, :attempts]
  @enforce_keys @keys
  defstruct @keys

  @typedoc "A cell: to the east, up, to the south; or of the lowest level to the east and to the south."
  @type cell :: {integer(), integer(), integer()} | {integer(), integer()}

  @type t :: %__MODULE__{
          name: String.t(),
          seed: non_neg_integer(),
          size: {pos_integer(), pos_integer(), pos_integer()},
          cell: {float(), float()},
          storey: float(),
          origin: {float(), float()},
          mesh: Scene.Mesh.t(),
          boxes: [{Scene.point(), Scene.point()}],
          lights: [%{position: Scene.point(), color: {float(), float(), float()}, range: float()}],
          names: tuple(),
          cells: binary(),
          rooms: [[{non_neg_integer(), non_neg_integer(), non_neg_integer()}]],
          attempts: pos_integer()
        }

  @doc false
  @spec make(keyword(), non_neg_integer()) :: {:ok, t()} | {:error, PlanError.t()}
  def make(options, seed) do
    with {:ok, text} <- Spec.text(Spec.dungeon(options)),
         {:ok, native} <- Result.await(Native.gen_dungeon(text, seed)),
         do: {:ok, new("dungeon", seed, native)}
  end

  @doc false
  @spec inside(Building.t(), float(), non_neg_integer()) :: {:ok, t()} | {:error, PlanError.t()}
  def inside(%Building{} = building, cell, seed) do
    native = Native.gen_interior(building.spec, building.seed, cell, seed)
    with {:ok, native} <- Result.await(native), do: {:ok, new("interior", seed, native)}
  end

  defp new(name, seed, {surfaces, boxes, lights, {size, cell, storey, origin}, grid}) do
    {names, cells, rooms, attempts} = grid
    {width, _height, depth} = size

    place = fn number ->
      {rem(number, width), div(number, width * depth), rem(div(number, width), depth)}
    end

    %__MODULE__{
      name: name,
      seed: seed,
      size: size,
      cell: cell,
      storey: storey,
      origin: origin,
      mesh: Object.mesh(name, surfaces),
      boxes: Object.unpack(boxes),
      lights:
        for {position, color, range} <- lights do
          %{position: position, color: color, range: range}
        end,
      names: List.to_tuple(names),
      cells: cells,
      rooms: for(room <- rooms, do: Enum.map(room, place)),
      attempts: attempts
    }
  end

  @doc """
  What is in a cell: the `tile`'s name, how it is turned (in quarters, clockwise from above), whether it is `walkable`, and its `borders` to the north,
  east, south and west (`:open`, `:door` or `:wall`). `nil` outside of the grid.

      iex> {:ok, dungeon} = Wasgo.Gen.dungeon(seed: 7, size: {12, 12})
      iex> {Wasgo.Gen.Dungeon.at(dungeon, {99, 0}), is_binary(Wasgo.Gen.Dungeon.at(dungeon, {3, 4}).tile)}
      {nil, true}
  """
  @spec at(t(), cell()) :: map() | nil
  def at(dungeon, {x, z}), do: at(dungeon, {x, 0, z})

  def at(%__MODULE__{size: {width, height, depth}} = dungeon, {x, y, z})
      when x in 0..(width - 1)//1 and y in 0..(height - 1)//1 and z in 0..(depth - 1)//1 do
    <<tile, turn, walkable, west::2, south::2, east::2, north::2>> =
      binary_part(dungeon.cells, 4 * ((y * depth + z) * width + x), 4)

    borders = for side <- [north, east, south, west], do: elem({:open, :door, :wall}, side)

    %{
      tile: elem(dungeon.names, tile),
      turn: turn,
      walkable: walkable == 1,
      borders: List.to_tuple(borders)
    }
  end

  def at(%__MODULE__{}, {_x, _y, _z}), do: nil

  @doc """
  Whether one can stand in a cell.

      iex> dungeon = Wasgo.Gen.dungeon!(seed: 7, size: {12, 12})
      iex> [[cell | _] | _] = dungeon.rooms
      iex> {Wasgo.Gen.Dungeon.walkable?(dungeon, cell), Wasgo.Gen.Dungeon.walkable?(dungeon, {-1, 0})}
      {true, false}
  """
  @spec walkable?(t(), cell()) :: boolean()
  def walkable?(dungeon, cell) do
    case at(dungeon, cell) do
      nil -> false
      %{walkable: walkable} -> walkable
    end
  end

  @sides [{0, -1}, {1, 0}, {0, 1}, {-1, 0}]

  @doc """
  The cells beside a cell that one can walk to from it, through doors or where nothing is between.

      iex> {:ok, dungeon} = Wasgo.Gen.dungeon(seed: 7, size: {12, 12})
      iex> [door | _others] = for x <- 0..11, z <- 0..11, {_x, 0, _z} = beside <- Wasgo.Gen.Dungeon.exits(dungeon, {x, z}), do: beside
      iex> Wasgo.Gen.Dungeon.walkable?(dungeon, door)
      true
  """
  @spec exits(t(), cell()) :: [{integer(), integer(), integer()}]
  def exits(dungeon, {x, z}), do: exits(dungeon, {x, 0, z})

  def exits(dungeon, {x, y, z} = cell) do
    case at(dungeon, cell) do
      %{walkable: true, borders: borders} ->
        for {{dx, dz}, side} <- Enum.with_index(@sides),
            elem(borders, side) != :wall,
            next = {x + dx, y, z + dz},
            walkable?(dungeon, next),
            do: next

      _ ->
        []
    end
  end

  @doc """
  The middle of a cell on its floor, in metres, as vertices of the mesh are.

      iex> {:ok, dungeon} = Wasgo.Gen.dungeon(seed: 7, size: {12, 12})
      iex> Wasgo.Gen.Dungeon.position(dungeon, {0, 0})
      {1.5, 0.0, 1.5}
  """
  @spec position(t(), cell()) :: Scene.point()
  def position(dungeon, {x, z}), do: position(dungeon, {x, 0, z})

  def position(%__MODULE__{cell: {wide, deep}, storey: storey}, {x, y, z}),
    do: {(x + 0.5) * wide, y * storey / 1, (z + 0.5) * deep}

  @doc """
  The share of the cells that can be walked on, 0 to 1.

      iex> {:ok, dungeon} = Wasgo.Gen.dungeon(seed: 7, size: {12, 12})
      iex> Wasgo.Gen.Dungeon.filled(dungeon) > 0.2
      true
  """
  @spec filled(t()) :: float()
  def filled(%__MODULE__{cells: cells}) do
    walkable = for <<_tile, _turn, walkable, _borders <- cells>>, do: walkable
    Enum.sum(walkable) / length(walkable)
  end

  @doc """
  The dungeon as a scene: a node with the mesh at the `origin`, and below it a light for each torch and hearth, unless `lights: false`.

      iex> {:ok, dungeon} = Wasgo.Gen.dungeon(seed: 7, size: {12, 12})
      iex> {:ok, scene} = Wasgo.Gen.Dungeon.to_scene(dungeon)
      iex> {:ok, glb} = Wasgo.Scene.to_glb(scene)
      iex> binary_part(glb, 0, 4)
      "glTF"
  """
  @spec to_scene(t(), lights: boolean()) :: {:ok, Scene.t()}
  def to_scene(%__MODULE__{} = dungeon, options \\ []) do
    schema = [lights: [type: :boolean, default: true]]
    options = Wasgo.Options.validate!(options, schema, "Dungeon.to_scene/2")
    shown = if options.lights, do: dungeon.lights, else: []
    {x, z} = dungeon.origin
    count = length(shown)

    root = %Scene.Node{
      name: dungeon.name,
      translation: {x, 0.0, z},
      mesh: if(dungeon.mesh.surfaces != [], do: 0),
      children: if(count > 0, do: Enum.to_list(1..count), else: [])
    }

    nodes =
      for {light, number} <- Enum.with_index(shown) do
        %Scene.Node{name: "light_#{number}", translation: light.position, light: number}
      end

    lights =
      for {light, number} <- Enum.with_index(shown) do
        %Scene.Light{
          kind: :point,
          name: "light_#{number}",
          color: light.color,
          intensity: 12.0,
          range: light.range
        }
      end

    {:ok,
     %Scene{
       name: dungeon.name,
       nodes: [root | nodes],
       meshes: if(dungeon.mesh.surfaces != [], do: [dungeon.mesh], else: []),
       materials: Plan.materials(),
       lights: lights,
       roots: [0]
     }}
  end

  defimpl Inspect do
    def inspect(dungeon, _opts) do
      {width, height, depth} = dungeon.size
      filled = round(Wasgo.Gen.Dungeon.filled(dungeon) * 100)

      "#Wasgo.Gen.Dungeon<#{dungeon.name}, #{width} x #{height} x #{depth} cells, #{length(dungeon.rooms)} rooms, " <>
        "#{filled}% walkable>"
    end
  end
end
