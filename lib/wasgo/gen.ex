defmodule Wasgo.Gen do
  @moduledoc """
  Procedural generation: a plan and a coordinate in, a chunk of the world out, the same bytes for the same seed on every
  machine.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, chunk} = Wasgo.Gen.chunk(plan, {0, 0})
      iex> {chunk.samples, chunk.size}
      {65, 64.0}
      iex> {:ok, again} = Wasgo.Gen.chunk(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> again.heights == chunk.heights
      true

  Generating runs on threads of its own; the calling process waits for a message. For worlds that are larger than one chunk there are
  `Wasgo.Stages.Generate`, `Wasgo.Gen.Viewers` and `Wasgo.Gen.Cache`.

  `plan/1` lists what a world may have, `Wasgo.Gen.Field` what land is made of, `Wasgo.Gen.Prop`, `Wasgo.Gen.Building` and `Wasgo.Gen.Dungeon` what stands on it and
  below it; `preview/2` draws it before anything is generated. The guide `guides/generation.md` goes through all of it.
  """

  alias Wasgo.Gen.{Building, Chunk, Dungeon, Picture, Plan, Prop, Scripts, Settlements, Volume}
  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.{PlanError, Scene, Telemetry, Wire}

  @plan_options [
    seed: [type: :any, required: true],
    chunk_size: [type: :any, default: nil],
    samples: [type: :any, default: nil],
    levels: [type: :any, default: nil],
    height: [type: :any, default: nil],
    water: [type: :any, default: :default],
    rivers: [type: :any, default: nil],
    density: [type: :any, default: nil],
    cells: [type: :any, default: nil],
    cell_size: [type: :any, default: nil],
    moisture: [type: :any, default: nil],
    ground: [type: {:or, [{:in, [:default]}, {:list_of, :keyword}]}, default: :default],
    shade: [type: :any, default: :default],
    scatter: [type: {:or, [{:in, [:default]}, {:list_of, :keyword}]}, default: :default],
    scripts: [type: {:or, [:keyword, :map]}, default: []],
    generators: [type: {:list_of, :keyword}, default: []],
    settlements: [type: {:or, [:boolean, {:in, [nil]}, :keyword]}, default: nil],
    objects: [type: {:list_of, {:or, [:keyword, :map]}}, default: []]
  ]

  @doc type: :plan
  @doc """
  Makes a plan: what the world is like. Without `:height` it is a green world of hills, lakes and some mountains, and the other
  options change that; with it the world is only what they say.

    * `:seed` - an integer of 64 bits, 0 or more; required
    * `:chunk_size` - side of a chunk in metres, 1 to 4096; 64 unless given
    * `:samples` - samples along a side, 2 to 257; 65 unless given, which is one each metre
    * `:levels` - the coarsest level of detail, 0 to 12; 6 unless given. Chunks of level n are 2^n times as wide, with as many samples
    * `:height` - a `Wasgo.Gen.Field`: the height of the ground in metres
    * `:water` - height of the water in metres, or `nil` for none
    * `:rivers` - a field: height of the rivers' water in metres, `Wasgo.Gen.Field.river_water/2`
    * `:density` - a field in space: above 0 is solid. With it the plan has a volume, with caves and overhangs: `volume/3`. Of a plan without
      `:height` it is all there is
    * `:cells` - along a side of a cube of the volume, 8 to 64; 32 unless given
    * `:cell_size` - side of a cell of level 0 in metres, 0.01 to 64; 1 unless given
    * `:moisture` - a field from 0 (dry) to 1 (wet), told to scripts; 0.5 unless given
    * `:ground` - layers, each a keyword list, the first everywhere and each covering those before:
      `:color` as linear `{red, green, blue}`, `:by` (a field from 0 to 1: where it lies), `:name`
    * `:shade` - a field: how much lighter or darker the ground is, such as -0.1 to 0.1
    * `:scatter` - rules for what stands on the ground, each a keyword list:
      `:kind` (low-poly `:tree`, `:conifer`, `:rock` or `:bush`, or any prop with its parameters, such as `{:tree, species: :oak}`: see
      `Wasgo.Gen.Prop`), `:variation` (by how much the variants differ besides: `[hue: 0.3]`, see there too), `:name`, `:variants` (1 to 16 different meshes, 4 unless given), `:spacing` (m, the least
      distance between two), `:density` (0 to 1), `:by` (a field with which the density is multiplied), `:slope`, `:height`, `:scale`
      (each `{least, greatest}`), `:level` (the coarsest level that has them, 0 unless given), `:avoid` (distances in metres to keep from things of
      rules before, by name: `[{"rocks", 3.0}]`)
    * `:scripts` - the scripts that fields (`Wasgo.Gen.Field.script/2`) and generators call, by name: WebAssembly bytes or WAT text, `{store, name}` or
      `{store, name, version}` of `Wasgo.Script.Registry`. The plan's text has their digests
    * `:generators` - scripts that make meshes, chunk by chunk (`Wasgo.Gen.Chunk`'s `generated`), each a keyword list: `:script` (its name), `:name`,
      `:parameters` (up to 64 numbers and texts), `:level` (the coarsest level that has them, 0 unless given), `:fuel` (work that it may do for a chunk, about
      a nanosecond a unit: 50,000,000 unless given, 1,000,000,000 at most)
    * `:settlements` - `true`, or a keyword list of what villages are like: they have streets, buildings and what belongs to them, are joined by
      roads and bridges, and shape the ground. `:cell` (m, side of the grid's cells with at most one each, 256 to 8192; 640),
      `:spacing` (m, the least distance between two; 460), `:density` (the share of cells that may have one; 0.85), `:reach` (m, the longest road as
      the crow flies; 1300), `:heights` and `:slope` (of ground that suits, `{1, 400}` m and a rise of 0.15 a metre at most), `:sizes` (weights of
      hamlets, villages and towns; `{4, 4, 1}`), `:level` (the coarsest level with settlements; 3), `:water_level` (m, that of `:water` unless given),
      `:roads` (`:width` 4.6, `:lane` 3.2, `:margin` 6, `:clearance` of bridges 1.6, `:step` 20, each in m; `:max_grade` 0.14; `:color`, linear)
    * `:objects` - things at places of their own, at most 1,024, each a keyword list: `:what` (`{:building, preset_or_options}` as in `building/2`,
      `{:dungeon, options}` as in `dungeon/1`, or a prop such as `{:tree, species: :oak, height: 9}`), `:x` and `:z` (m), `:y` (m; on the ground
      unless given), `:yaw` (radians; its front is towards -Z), `:scale`, `:seed`, `:level` (the coarsest that has it; 2), `:name`, and
      `:pad` to level the ground beneath: `[]`, or `:half` (`{width, depth}` / 2 in m) and `:margin` (m; 4)

  Scripts are given nothing but their own memory (64 MiB), are deterministic, and run on the threads that generate. One that loops, traps or answers rubbish
  makes chunks that need it a `Wasgo.PlanError` with the reason `:script`, which names the place in the plan, and nothing else.

  Numbers out of their range, and names that are none, are a `Wasgo.PlanError` that names the field.

      iex> {:error, error} = Wasgo.Gen.plan(seed: 1, samples: 1)
      iex> Exception.message(error)
      "chunk.samples is 1, allowed: 2 to 257"

      iex> import Wasgo.Gen.Field
      iex> dunes = billow(frequency: 1 / 90) |> scale(12.0)
      iex> sand = [color: {0.6, 0.45, 0.25}]
      iex> rock = [color: {0.3, 0.25, 0.2}, by: smooth(slope(), 0.2, 0.4)]
      iex> plan = Wasgo.Gen.plan!(seed: 3, height: dunes, ground: [sand, rock], scatter: [[kind: :rock, spacing: 20.0]])
      iex> plan.rules
      [rock: 4]

      iex> oaks = [kind: {:tree, species: :oak, height: 9.0}, spacing: 8.0, level: 3]
      iex> plan = Wasgo.Gen.plan!(seed: 3, height: 2.0, scatter: [oaks, [kind: {:fern, []}, variation: [hue: 0.3]]])
      iex> plan.rules
      [tree_oak: 4, fern: 4]
      iex> {:error, error} = Wasgo.Gen.plan(seed: 3, height: 2.0, scatter: [[kind: {:tree, height: 900}]])
      iex> Exception.message(error)
      "scatter[0].kind.tree.height is 900, allowed: 0.1 to 100"

      iex> {:error, error} = Wasgo.Gen.plan(seed: 1, settlements: [roads: [width: 0.5]])
      iex> Exception.message(error)
      "settlements.roads.width is 0.5, allowed: 1.5 to 20"

      iex> tower = [what: {:building, :tower}, x: 12, z: 40, pad: []]
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 3, objects: [tower]), {0, 0})
      iex> for object <- chunk.objects, do: object.kind
      [:tower]
  """
  @spec plan(keyword()) :: {:ok, Plan.t()} | {:error, PlanError.t()}
  def plan(options) do
    options = Wasgo.Options.validate!(options, @plan_options, "Wasgo.Gen.plan/1")

    with :ok <- check_seed(options.seed),
         {:ok, scripts} <- Scripts.fetch(options.scripts),
         {:ok, map} <- Plan.Text.build(%{options | scripts: scripts}) do
      from_map(map, scripts)
    end
  end

  @seeds 0..0xFFFF_FFFF_FFFF_FFFF

  @doc false
  def check_seed(seed) when is_integer(seed) and seed in @seeds, do: :ok

  def check_seed(seed) do
    message = "seed is #{inspect(seed)}, allowed: an integer from 0 to #{@seeds.last}"
    {:error, %PlanError{reason: :out_of_range, field: "seed", message: message}}
  end

  defp from_map(map, scripts) do
    case Wire.encode(map, :json) do
      {:ok, text} ->
        compile(text, scripts)

      {:error, error} ->
        message = "the plan can't be stored: " <> Exception.message(error)
        {:error, %PlanError{reason: :invalid, message: message}}
    end
  end

  @doc type: :plan
  @doc """
  A plan from the text in which plans are stored (`Wasgo.Gen.Plan.to_json/1`): from a file, a database or a user. Everything in it is checked.

    * `:scripts` - as for `plan/1`: those that the plan names must be there, with the digests that it has; others are left alone

  ## Examples

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, again} = Wasgo.Gen.from_json(Wasgo.Gen.Plan.to_json(plan))
      iex> again.digest == plan.digest
      true
      iex> {:error, error} = Wasgo.Gen.from_json(~s|{"version": 1, "seed": 7, "nodes": {"hills": {"op": "wobble"}}}|)
      iex> error.field
      "nodes.hills.op"
  """
  @spec from_json(binary(), keyword()) :: {:ok, Plan.t()} | {:error, PlanError.t()}
  def from_json(text, options \\ []) when is_binary(text) do
    schema = [scripts: [type: {:or, [:keyword, :map]}, default: []]]
    options = Wasgo.Options.validate!(options, schema, "Wasgo.Gen.from_json/2")
    with {:ok, scripts} <- Scripts.fetch(options.scripts), do: compile(text, scripts)
  end

  defp compile(text, scripts) do
    with {:ok, compiled} <- Scripts.compile(scripts, text),
         {:ok, native} <- Result.await(Native.gen_plan(text, compiled)) do
      {:ok, Plan.new(native)}
    end
  end

  @doc type: :plan
  @doc """
  As `plan/1`, but raises.

      iex> Wasgo.Gen.plan!(seed: 7, chunk_size: 32.0, samples: 33, scatter: [])
      #Wasgo.Gen.Plan<seed 7, chunks of 32.0 m with 33 x 33 samples>
  """
  @spec plan!(keyword()) :: Plan.t()
  def plan!(options), do: Result.bang!(plan(options))

  @directions [:north, :north_east, :east, :south_east, :south, :south_west, :west, :north_west]

  @typedoc """
  Which chunk: `{x, z}` of level 0, or `{x, z, level}`; coordinates count in chunks of that level.
  """
  @type address :: {integer(), integer()} | {integer(), integer(), non_neg_integer()}

  @doc type: :make
  @doc """
  Generates the chunk at `{x, z}`, or at `{x, z, level}` for one of a coarser level: coordinates count in chunks of that level.

    * `:neighbours` - how many levels coarser the chunks around it are, 0 unless given, such as `[east: 1, south_east: 1]`: its border is then made to meet
      theirs without cracks (#{Enum.map_join(@directions, ", ", &"`#{inspect(&1)}`")}; north is towards -z)

  A coordinate outside of the world (about 1,000 km from the origin) is a `Wasgo.PlanError`.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> far = Wasgo.Gen.chunk!(plan, {0, 0, 3}, neighbours: [west: 1])
      iex> {far.size, far.samples, far.level}
      {512.0, 65, 3}
  """
  @spec chunk(Plan.t(), address(), keyword()) :: {:ok, Chunk.t()} | {:error, PlanError.t()}
  def chunk(%Plan{} = plan, address, options \\ []) do
    address = address(address)

    with {:ok, neighbours} <- neighbours(options),
         {:ok, native} <-
           told(:chunk, address, fn -> Result.await(start(plan, address, neighbours)) end) do
      {:ok, Chunk.new(plan, address, neighbours, native)}
    end
  end

  @doc false
  # Something that is generated as a span of telemetry's.
  @spec told(:chunk | :volume, tuple(), fun()) :: term()
  def told(kind, address, generate),
    do: Telemetry.span(:generate, %{}, %{kind: kind, address: address}, generate)

  @doc type: :make
  @doc """
  As `chunk/3`, but raises.

      iex> Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      #Wasgo.Gen.Chunk<{0, 0}, 64.0 m, 65 x 65, heights -1.2 to 18.3 m, 3% water, 8192 triangles, 52 tree, 53 conifer, 23 rock, 48 bush>
  """
  @spec chunk!(Plan.t(), address(), keyword()) :: Chunk.t()
  def chunk!(plan, address, options \\ []), do: Result.bang!(chunk(plan, address, options))

  @doc type: :make
  @doc """
  The name of a chunk's content, 32 bytes: where it is the same, so is every byte of the chunk, on every machine. Takes what `chunk/3` takes.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, key} = Wasgo.Gen.key(plan, {0, 0})
      iex> byte_size(key)
      32
  """
  @spec key(Plan.t(), address(), keyword()) :: {:ok, binary()} | {:error, PlanError.t()}
  def key(%Plan{} = plan, address, options \\ []) do
    with {:ok, neighbours} <- neighbours(options),
         address = address(address),
         :ok <- in_any_world(address) do
      Result.await(Native.gen_key(plan.resource, address, neighbours))
    end
  end

  @doc type: :make
  @doc """
  How much of each layer of the ground there is at the samples of a chunk: splat maps, by which a shader mixes textures. Takes what `chunk/3` takes.

    * `layers` - how many there are: those of the plan's `:ground`, in order, and one more for roads where it has settlements
    * `pictures` - of four layers each: samples x samples x 4 bytes, row by row, x first, as RGBA textures are. The weights of a sample are 255 together

  Unlike `chunk.ground`'s colours they know no `:shade`.

      iex> {:ok, splat} = Wasgo.Gen.splat(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> {splat.samples, splat.layers, Enum.map(splat.pictures, &byte_size/1)}
      {65, 5, [16900, 16900]}
  """
  @spec splat(Plan.t(), address(), keyword()) ::
          {:ok, %{samples: pos_integer(), layers: pos_integer(), pictures: [binary()]}}
          | {:error, PlanError.t()}
  def splat(%Plan{} = plan, address, options \\ []) do
    address = address(address)

    with {:ok, neighbours} <- neighbours(options),
         :ok <- in_any_world(address),
         {:ok, {samples, layers, pictures}} <-
           Result.await(Native.gen_splat(plan.resource, address, neighbours)) do
      {:ok, %{samples: samples, layers: layers, pictures: pictures}}
    end
  end

  @doc type: :make
  @doc """
  Generates a cube of the plan's volume, `{x, y, z}` or `{x, y, z, level}`; coordinates count in cubes of that level.

    * `:neighbours` - how many levels coarser the cubes around it are, 0 unless given, by direction: `[{{1, 0, 0}, 1}]` for the one in the east. Below 0 is finer:
      of two cubes the finer closes the gap between them

  ## Examples

      iex> import Wasgo.Gen.Field
      iex> plan = Wasgo.Gen.plan!(seed: 1, density: sphere({16, 16, 16}, 10))
      iex> volume = Wasgo.Gen.volume!(plan, {0, 0, 0})
      iex> {volume.origin, volume.size, Wasgo.Gen.Volume.triangles(volume) > 1000}
      {{0.0, 0.0, 0.0}, 32.0, true}
      iex> Wasgo.Gen.Volume.triangles(Wasgo.Gen.volume!(plan, {1, 0, 0}))
      0
  """
  @spec volume(Plan.t(), Volume.address(), keyword()) ::
          {:ok, Volume.t()} | {:error, PlanError.t()}
  def volume(%Plan{} = plan, address, options \\ []) do
    {x, y, z, level} = cube(address)

    with {:ok, neighbours} <- Volume.neighbours(Keyword.get(options, :neighbours, [])),
         {:ok, native} <-
           told(:volume, address, fn -> Result.await(start_volume(plan, address, neighbours)) end) do
      {:ok, Volume.new(plan, {x, y, z}, level, native)}
    end
  end

  @doc type: :make
  @doc """
  As `volume/3`, but raises.

      iex> hill = Wasgo.Gen.Field.sphere({16, 16, 16}, 10)
      iex> Wasgo.Gen.volume!(Wasgo.Gen.plan!(seed: 1, density: hill), {0, 0, 0})
      #Wasgo.Gen.Volume<{0, 0, 0}, 32.0 m, 12% solid, 3660 triangles>
  """
  @spec volume!(Plan.t(), Volume.address(), keyword()) :: Volume.t()
  def volume!(plan, address, options \\ []), do: Result.bang!(volume(plan, address, options))

  @doc type: :make
  @doc """
  The densities of a cube at the corners of its cells: (cells + 1)^3 32-bit floats, x fastest, then y, then z.

      iex> plan = Wasgo.Gen.plan!(seed: 1, density: Wasgo.Gen.Field.sphere({16, 16, 16}, 10))
      iex> {:ok, densities} = Wasgo.Gen.densities(plan, {0, 0, 0})
      iex> cells = 32
      iex> byte_size(densities) == 4 * (cells + 1) ** 3
      true
  """
  @spec densities(Plan.t(), Volume.address()) :: {:ok, binary()} | {:error, PlanError.t()}
  def densities(%Plan{} = plan, address) do
    {x, y, z, level} = cube(address)

    with :ok <- in_any_world({x, z, level}), :ok <- in_any_world({y, z, level}) do
      Result.await(Native.gen_densities(plan.resource, {x, y, z}, level))
    end
  end

  defp cube({x, y, z}), do: cube({x, y, z, 0})

  defp cube({x, y, z, level} = cube)
       when is_integer(x) and is_integer(y) and is_integer(z) and is_integer(level),
       do: cube

  defp address({x, z}) when is_integer(x) and is_integer(z), do: {x, z, 0}

  defp address({x, z, level}) when is_integer(x) and is_integer(z) and is_integer(level),
    do: {x, z, level}

  @doc false
  # A byte for each direction.
  def neighbours(options) do
    given = Keyword.get(options, :neighbours, [])

    case Enum.find(given, fn {name, steps} -> name not in @directions or steps not in 0..255 end) do
      nil ->
        {:ok, for(name <- @directions, into: "", do: <<Keyword.get(given, name, 0)>>)}

      {name, steps} ->
        message =
          "neighbours: #{inspect([{name, steps}])} is no direction with a number of levels; directions are #{inspect(@directions)}"

        {:error, %PlanError{reason: :invalid, field: "neighbours", message: message}}
    end
  end

  # Coordinates that a chunk's native form has no room for.
  @axis 0x7FFF_FFFF

  @doc false
  # Begins a chunk without waiting for it.
  def start(%Plan{} = plan, address, neighbours \\ <<0::64>>) do
    address = address(address)

    with :ok <- in_any_world(address),
         do: Native.gen_chunk(plan.resource, address, neighbours)
  end

  @doc false
  # Begins a cube of the volume without waiting for it.
  def start_volume(%Plan{} = plan, address, neighbours) do
    {x, y, z, level} = cube(address)

    with :ok <- in_any_world({x, z, level}),
         :ok <- in_any_world({y, z, level}),
         do: Native.gen_volume(plan.resource, {x, y, z}, level, neighbours)
  end

  @doc false
  def in_any_world({x, z, level}) when abs(x) <= @axis and abs(z) <= @axis and level in 0..255,
    do: :ok

  def in_any_world({x, z, level}) do
    {field, value} =
      cond do
        abs(x) > @axis -> {"x", x}
        abs(z) > @axis -> {"z", z}
        true -> {"level", level}
      end

    message = "chunk #{field} is #{value}, which is outside of any world"
    {:error, %PlanError{reason: :out_of_range, field: field, message: message}}
  end

  @doc type: :thing
  @doc """
  Makes a building by itself: `Wasgo.Gen.Building`. `spec` is the name of a preset (`:cottage`, `:church`, ...), or options:

    * `:preset` - the name of one, or `:grammar` - rules of one's own (see `Wasgo.Gen.Building`)
    * `:footprint` - `{:rectangle, width: w, depth: d}`; `{:l, ...}`, `{:t, ...}` and `{:u, ...}` with `wing` and `reach` too;
      `{:round, width: w, sides: n}`; `{:polygon, corners: [{x, z}, ...]}`: metres. One that suits the preset unless given
    * `:foundation` - how far it reaches below the ground, 0 to 10 m; 1.2 unless given

  The option `:seed` makes different ones of a kind; 0 unless given.

      iex> {:ok, cottage} = Wasgo.Gen.building(:cottage, seed: 42)
      iex> {length(cottage.lods), length(cottage.entrances) > 0}
      {3, true}
      iex> {:error, error} = Wasgo.Gen.building(preset: :barn, footprint: {:rectangle, width: 0.5, depth: 9})
      iex> Exception.message(error)
      "footprint.width is 0.5, allowed: 1 to 120"
  """
  @spec building(Building.spec(), seed: non_neg_integer()) ::
          {:ok, Building.t()} | {:error, PlanError.t()}
  def building(spec, options \\ []) do
    with {:ok, seed} <- seed(options, [], "Wasgo.Gen.building/2"), do: Building.make(spec, seed)
  end

  @doc type: :thing
  @doc """
  As `building/2`, but raises.

      iex> Wasgo.Gen.building!(:cottage, seed: 42).name
      "cottage"
  """
  @spec building!(Building.spec(), seed: non_neg_integer()) :: Building.t()
  def building!(spec, options \\ []), do: Result.bang!(building(spec, options))

  @doc type: :thing
  @doc """
  Fills a grid with rooms and corridors: `Wasgo.Gen.Dungeon`, which knows what is where and where one can walk.

    * `:size` - `{width, depth}` or `{width, height, depth}` in cells; required
    * `:seed` - 0 unless given
    * `:tiles` - `:dungeon` unless given, `:interior`, or tiles of one's own (see `Wasgo.Gen.Dungeon`)
    * `:fixed` - cells whose tiles are known: `[cell: {x, y, z}, tiles: ["stairs_up"], turn: 0]` each
    * `:connected` - whether all that is walkable can be reached from everywhere on its level; `true` unless given
    * `:filled` - the least share of the cells that can be walked on, 0 to 1; 0.35 unless given
    * `:attempts` - how often to try, 1 to 256; 32 unless given
    * `:look` - `:cell` (`{3.0, 3.0}` m), `:height` of a level (3 m), `:wall` (half its thickness, 0.3 m), `:door` (`{1.3, 2.2}` m), `:arches`, `:ceiling`
      (booleans), `:walls` and `:floors` (`{material, {r, g, b}}`)

  ```
  iex> {:ok, dungeon} = Wasgo.Gen.dungeon(seed: 7, size: {16, 12})
  iex> [room | _] = dungeon.rooms
  iex> Enum.all?(room, &Wasgo.Gen.Dungeon.walkable?(dungeon, &1))
  true
  ```
  """
  @spec dungeon(keyword()) :: {:ok, Dungeon.t()} | {:error, PlanError.t()}
  def dungeon(options) do
    {seed, options} = Keyword.pop(options, :seed, 0)
    with :ok <- check_seed(seed), do: Dungeon.make(options, seed)
  end

  @doc type: :thing
  @doc """
  As `dungeon/1`, but raises.

      iex> Wasgo.Gen.dungeon!(seed: 7, size: {16, 12}).size
      {16, 1, 12}
  """
  @spec dungeon!(keyword()) :: Dungeon.t()
  def dungeon!(options), do: Result.bang!(dungeon(options))

  @doc type: :thing
  @doc """
  Fills a building with rooms that can all be reached from its doors, one storey of them: `Wasgo.Gen.Dungeon`.

    * `:seed` - 0 unless given
    * `:cell` - side of a cell in metres, about; 1.4 unless given

  ```
  iex> {:ok, rooms} = Wasgo.Gen.interior(Wasgo.Gen.building!(:farmhouse, seed: 4), seed: 2)
  iex> length(rooms.rooms) > 1
  true
  ```
  """
  @spec interior(Building.t(), keyword()) :: {:ok, Dungeon.t()} | {:error, PlanError.t()}
  def interior(%Building{} = building, options \\ []) do
    schema = [cell: [type: :number, default: 1.4]]
    cell = Keyword.get(options, :cell, 1.4)

    with {:ok, seed} <- seed(options, schema, "Wasgo.Gen.interior/2"),
         do: Dungeon.inside(building, cell / 1, seed)
  end

  @doc type: :thing
  @doc """
  As `interior/2`, but raises.

      iex> farmhouse = Wasgo.Gen.building!(:farmhouse, seed: 4)
      iex> Wasgo.Gen.interior!(farmhouse, seed: 2).name
      "interior"
  """
  @spec interior!(Building.t(), keyword()) :: Dungeon.t()
  def interior!(building, options \\ []), do: Result.bang!(interior(building, options))

  defp seed(options, schema, owner) do
    schema = [seed: [type: :any, default: 0]] ++ schema
    %{seed: seed} = Wasgo.Options.validate!(options, schema, owner)
    with :ok <- check_seed(seed), do: {:ok, seed}
  end

  @doc type: :make
  @doc """
  The settlements and roads that touch an area of at most 8,192 m a side, `{{x, z}, {x, z}}` from its least to its greatest corner in metres.

      iex> plan = Wasgo.Gen.plan!(seed: 42, settlements: [slope: 0.3])
      iex> {:ok, found} = Wasgo.Gen.settlements(plan, {{0, 0}, {2000, 2000}})
      iex> [%{size: size} | _] = found.sites
      iex> size in [:hamlet, :village, :town]
      true
      iex> {:ok, none} = Wasgo.Gen.settlements(Wasgo.Gen.plan!(seed: 42), {{0, 0}, {2000, 2000}})
      iex> none
      #Wasgo.Gen.Settlements<0 sites, 0 buildings, 0 roads>
  """
  @spec settlements(Plan.t(), {{number(), number()}, {number(), number()}}) ::
          {:ok, Settlements.t()} | {:error, PlanError.t()}
  def settlements(%Plan{} = plan, {{x0, z0}, {x1, z1}}) do
    native = Native.gen_settlements(plan.resource, {x0 / 1, z0 / 1}, {x1 / 1, z1 / 1})
    with {:ok, found} <- Result.await(native), do: {:ok, Settlements.new(found)}
  end

  @doc type: :make
  @doc """
  As `settlements/2`, but raises.

      iex> plan = Wasgo.Gen.plan!(seed: 42, settlements: [slope: 0.3])
      iex> [village | _] = Wasgo.Gen.settlements!(plan, {{0, 0}, {2000, 2000}}).sites
      iex> {village.size, length(village.buildings)}
      {:village, 14}
  """
  @spec settlements!(Plan.t(), {{number(), number()}, {number(), number()}}) :: Settlements.t()
  def settlements!(plan, area), do: Result.bang!(settlements(plan, area))

  @preview_options [
    size: [type: {:range, 16..4096}, default: 1024, doc: "pixels along a side"],
    metres: [type: :any, default: 1024.0, doc: "side of the square that is seen"],
    center: [type: :any, default: {0, 0}, doc: "its middle, `{x, z}` in metres"],
    scatter: [type: :boolean, default: true, doc: "whether what stands on the ground is drawn"],
    view: [type: :any, default: :above, doc: "from where it is seen"],
    below: [type: :any, default: nil, doc: "the height above which everything is cut away"]
  ]

  @doc type: :look
  @doc """
  Draws a plan, from above or at an angle: hills with their shades, the ground's colours, water, caves and floating rocks with their
  shadows, and dots where things stand.

    * `:size` - pixels along a side, 16 to 4096; 1024 unless given
    * `:metres` - side of the square that is seen; 1024 unless given
    * `:center` - its middle, `{x, z}` in metres; the world's origin unless given
    * `:scatter` - `false` to leave out what stands on the ground, `true` unless given. Of wide views it is left out anyway
    * `:view` - `:above`, or `:angle` from 35 degrees above the horizon, looking north; or degrees, 15 to 90. `:above` unless given
    * `:below` - a height in metres: everything above it is cut away, to look into caves, where what is solid is dark; nothing is cut unless given

  ## Examples

      iex> {:ok, picture} = Wasgo.Gen.preview(Wasgo.Gen.plan!(seed: 7), size: 64)
      iex> picture
      #Wasgo.Gen.Picture<64 x 64 pixels of 1024.0 m>
      iex> <<0x89, "PNG", _::binary>> = picture.png
      iex> import Wasgo.Gen.Field
      iex> rock = sphere({0, 20, 0}, 15) |> add(fbm(frequency: 0.1, octaves: 3, dimensions: 3) |> scale(4.0))
      iex> Wasgo.Gen.preview!(Wasgo.Gen.plan!(seed: 7, density: rock), size: 64, metres: 60, view: :angle)
      #Wasgo.Gen.Picture<64 x 64 pixels of 60.0 m>

  Plans with a volume take seconds for 1024 pixels, and some 100 MB meanwhile; others less than a second or two. The picture is drawn in
  short slices, so that chunks that others ask for come between.

  `mix wasgo.preview` does it from the command line.
  """
  @spec preview(Plan.t(), keyword()) :: {:ok, Picture.t()} | {:error, PlanError.t()}
  def preview(%Plan{} = plan, options \\ []) do
    options = Wasgo.Options.validate!(options, @preview_options, "Wasgo.Gen.preview/2")
    {x, z} = options.center
    {size, metres} = {options.size, options.metres / 1}
    look = {angle(options.view), options.below && options.below / 1}

    native =
      Native.gen_preview(plan.resource, {x / 1, z / 1}, metres, size, options.scatter, look)

    with {:ok, png} <- Result.await(native),
         do: {:ok, %Picture{png: png, size: size, metres: metres}}
  end

  defp angle(:above), do: 90.0
  defp angle(:angle), do: 35.0
  defp angle(degrees) when is_number(degrees), do: degrees / 1

  defp angle(other) do
    raise ArgumentError,
          "option :view of Wasgo.Gen.preview/2 must be :above, :angle or degrees, and is: #{inspect(other)}"
  end

  @doc type: :look
  @doc """
  As `preview/2`, but raises.

      iex> Wasgo.Gen.preview!(Wasgo.Gen.plan!(seed: 7), size: 64, metres: 256)
      #Wasgo.Gen.Picture<64 x 64 pixels of 256.0 m>
  """
  @spec preview!(Plan.t(), keyword()) :: Picture.t()
  def preview!(plan, options \\ []), do: Result.bang!(preview(plan, options))

  @doc type: :thing
  @doc """
  A mesh of a small creature, some 0.8 m high, its feet at the origin, looking along -Z; each seed has its own colours.

      iex> Wasgo.Gen.creature(7).name
      "creature_7"
  """
  @spec creature(non_neg_integer()) :: Scene.Mesh.t()
  def creature(seed) when seed in 0..0xFFFF_FFFF_FFFF_FFFF do
    %Scene.Mesh{
      name: "creature_#{seed}",
      surfaces: surfaces(Native.gen_creature(seed), Plan.painted())
    }
  end

  @doc type: :thing
  @doc """
  Makes a prop of a kind and its parameters, which `Wasgo.Gen.Prop` lists.

    * `:seed` - two of the same parameters and seed are the same; 0 unless given
    * `:textures` - pixels along a side of textures of bark, leaves and the cards that stand for a tree from afar: 8 to 1024; none unless
      given. The colours are in the vertices, so that textures are an extra

  ## Examples

      iex> oak = Wasgo.Gen.prop!({:tree, species: :oak, height: 9.0}, seed: 7)
      iex> length(oak.lods)
      4
      iex> [{:capsule, _from, _to, _radius}] = oak.colliders
      iex> {:error, error} = Wasgo.Gen.prop({:tree, height: 900})
      iex> Exception.message(error)
      "tree.height is 900, allowed: 0.1 to 100"
  """
  @spec prop(Prop.spec(), keyword()) :: {:ok, Prop.t()} | {:error, PlanError.t()}
  def prop(spec, options \\ []), do: Prop.make(spec, options)

  @doc type: :thing
  @doc """
  As `prop/2`, but raises.

      iex> Wasgo.Gen.prop!({:tree, species: :oak, height: 9.0}, seed: 7)
      #Wasgo.Gen.Prop<tree_oak, 5000 / 1665 / 356 / 56 triangles, 1 collider>
  """
  @spec prop!(Prop.spec(), keyword()) :: Prop.t()
  def prop!(spec, options \\ []), do: Result.bang!(prop(spec, options))

  @doc type: :thing
  @doc """
  Makes a fence or wall along points on the ground, `{x, y, z}` in metres: 2 to 1,024 of them, within 1,000 km of the origin, with at most 2,048
  posts. `:seed` and the parameters of fences, which `Wasgo.Gen.Prop` lists.

      iex> fence = Wasgo.Gen.fence!([{0, 0, 0}, {4, 0.5, 0}, {4, 0.2, 6}], kind: :pickets, seed: 1)
      iex> {fence.name, length(fence.colliders)}
      {"fence_pickets", 5}
  """
  @spec fence([Scene.point()], keyword()) :: {:ok, Prop.t()} | {:error, PlanError.t()}
  def fence(points, options \\ []) when is_list(points), do: Prop.fence(points, options)

  @doc type: :thing
  @doc """
  As `fence/2`, but raises.

      iex> Wasgo.Gen.fence!([{0, 0, 0}, {8, 0, 0}], kind: :pickets).name
      "fence_pickets"
  """
  @spec fence!([Scene.point()], keyword()) :: Prop.t()
  def fence!(points, options \\ []), do: Result.bang!(fence(points, options))

  @doc type: :thing
  @doc """
  Another mesh of the same kind: size, shape and colours differ by the `:seed` within amounts, which `Wasgo.Gen.Prop` lists. Any mesh will do, one
  from a file too: its blend shapes become those of the varied mesh, and its skin, materials and textures stay. A rig is not moved: keep
  `:size`, `:bend` and the like small where there is one.

      iex> oak = Wasgo.Gen.Prop.mesh(Wasgo.Gen.prop!({:tree, species: :oak}), 0)
      iex> other = Wasgo.Gen.vary!(oak, seed: 2, hue: 0.5)
      iex> other == Wasgo.Gen.vary!(oak, seed: 2, hue: 0.5) and other != oak
      true
      iex> {:error, error} = Wasgo.Gen.vary(oak, size: 2)
      iex> Exception.message(error)
      "variation.size is 2, allowed: 0 to 0.9"
  """
  @spec vary(Scene.Mesh.t(), keyword()) ::
          {:ok, Scene.Mesh.t()} | {:error, PlanError.t() | Wasgo.SceneError.t()}
  def vary(mesh, options \\ []), do: Prop.vary(mesh, options)

  @doc type: :thing
  @doc """
  As `vary/2`, but raises.

      iex> oak = Wasgo.Gen.prop!({:tree, species: :oak}) |> Wasgo.Gen.Prop.mesh(0)
      iex> grove = for seed <- 1..3, do: Wasgo.Gen.vary!(oak, seed: seed, size: 0.2, bend: 0.1)
      iex> length(Enum.uniq(grove))
      3
  """
  @spec vary!(Scene.Mesh.t(), keyword()) :: Scene.Mesh.t()
  def vary!(mesh, options \\ []), do: Result.bang!(vary(mesh, options))

  @doc type: :thing
  @doc """
  Draws a prop, or any mesh, from two sides next to each other, seen from +Z and from +X, in the colours of its vertices, without light: a PNG file
  with a transparent background, for cards that stand for it from afar. `size` is 8 to 512 pixels for each side.

      iex> oak = Wasgo.Gen.prop!({:tree, species: :oak})
      iex> {:ok, <<0x89, "PNG", _::binary>>} = Wasgo.Gen.impostor(oak, 64)
      iex> :ok
      :ok
  """
  @spec impostor(Prop.t() | Scene.Mesh.t(), pos_integer()) ::
          {:ok, binary()} | {:error, PlanError.t() | Wasgo.SceneError.t()}
  def impostor(prop, size), do: Prop.impostor(prop, size)

  @doc type: :thing
  @doc """
  As `impostor/2`, but raises.

      iex> oak = Wasgo.Gen.prop!({:tree, species: :oak})
      iex> <<0x89, "PNG", _::binary>> = Wasgo.Gen.impostor!(oak, 64)
      iex> :ok
      :ok
  """
  @spec impostor!(Prop.t() | Scene.Mesh.t(), pos_integer()) :: binary()
  def impostor!(prop, size), do: Result.bang!(impostor(prop, size))

  @doc false
  def surfaces(natives, material) do
    for {positions, normals, colors, indices} <- natives do
      %Scene.Surface{
        positions: positions,
        normals: normals,
        colors: colors,
        indices: indices,
        material: material
      }
    end
  end
end
