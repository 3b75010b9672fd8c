defmodule Wasgo.Gen.Chunk do
  @moduledoc """
  One square of the world: its ground as a mesh, and what stands on it.

    * `coordinate` - `{x, z}`, counted in chunks of its level
    * `level` - how coarse it is: chunks of level n are 2^n times as wide as those of level 0, with as many samples
    * `neighbours` - how many levels coarser the chunks around it are, a byte each, from north clockwise
    * `origin` - `{x, y, z}` in metres of the corner with the least x and z; positions are relative to it
    * `size` - side in metres, `samples` along it
    * `heights` - a 32-bit float for every sample, in metres, row by row, x first
    * `ground` - a `Wasgo.Scene.Surface`
    * `scatter` - the instance table: what stands on the ground, 32 bytes a thing (see `scatter/1`)
    * `objects` - buildings and other things that were built or placed here: a list of `Wasgo.Gen.Object`, each a model with its places. A thing
      belongs to the chunk that its origin is in
    * `stats` - least, greatest and mean height in metres, mean slope (0 flat to 1 vertical), the share that is under water
    * `generated` - what scripts made here: `Wasgo.Gen.Generated`s, in the order of the plan's generators
    * `name` - what the region is called, if somebody has named it

  ## Examples

      iex> Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      #Wasgo.Gen.Chunk<{0, 0}, 64.0 m, 65 x 65, heights -1.2 to 18.3 m, 3% water, 8192 triangles, 52 tree, 53 conifer, 23 rock, 48 bush>
  """

  alias Wasgo.Gen.{Collider, Generated, Object, Plan, Prop}
  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.Scene

  @enforce_keys [
    :plan,
    :coordinate,
    :origin,
    :size,
    :samples,
    :heights,
    :ground,
    :scatter,
    :stats
  ]
  defstruct [
    :plan,
    :coordinate,
    :origin,
    :size,
    :samples,
    :heights,
    :ground,
    :scatter,
    :stats,
    level: 0,
    neighbours: <<0::64>>,
    objects: [],
    generated: [],
    name: nil
  ]

  @type coordinate :: {x :: integer(), z :: integer()}

  @type stats :: %{
          min_height: float(),
          max_height: float(),
          mean_height: float(),
          mean_slope: float(),
          water_share: float()
        }

  @type t :: %__MODULE__{
          plan: Plan.t(),
          coordinate: coordinate(),
          origin: {float(), float(), float()},
          size: float(),
          samples: pos_integer(),
          heights: binary(),
          ground: Scene.Surface.t(),
          scatter: binary(),
          stats: stats(),
          level: non_neg_integer(),
          neighbours: <<_::64>>,
          objects: [Object.t()],
          generated: [Generated.t()],
          name: String.t() | nil
        }

  @typedoc """
  One thing of the instance table: which of the plan's `props`, where (metres: x and z from the chunk's origin, y absolute), how it is
  turned (radians) and scaled, how steep (0 to 1) and how moist (0 to 1) the ground is there.
  """
  @type thing :: %{
          kind: non_neg_integer(),
          x: float(),
          y: float(),
          z: float(),
          yaw: float(),
          scale: float(),
          slope: float(),
          moisture: float()
        }

  @doc false
  def new(%Plan{} = plan, {at_x, at_z, level}, neighbours, native) do
    {{x, z, size, samples}, data, table, figures, objects, generated} = native
    {heights, positions, normals, colors, indices} = data
    {min_height, max_height, mean_height, mean_slope, water_share, _counts} = figures

    %__MODULE__{
      plan: plan,
      coordinate: {at_x, at_z},
      level: level,
      neighbours: neighbours,
      origin: {x, 0.0, z},
      size: size,
      samples: samples,
      heights: heights,
      ground: %Scene.Surface{
        positions: positions,
        normals: normals,
        colors: colors,
        indices: indices,
        material: Plan.ground()
      },
      scatter: table,
      objects: Enum.map(objects, &Object.new/1),
      generated: Enum.map(generated, &Generated.new/1),
      stats: %{
        min_height: min_height,
        max_height: max_height,
        mean_height: mean_height,
        mean_slope: mean_slope,
        water_share: water_share
      }
    }
  end

  @doc """
  How many things stand on the chunk.

      iex> Wasgo.Gen.Chunk.count(Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0}))
      176
  """
  @spec count(t()) :: non_neg_integer()
  def count(%__MODULE__{scatter: table}), do: div(byte_size(table), 32)

  @doc """
  The things that stand on the chunk, as maps.

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> length(Wasgo.Gen.Chunk.scatter(chunk)) == Wasgo.Gen.Chunk.count(chunk)
      true
  """
  @spec scatter(t()) :: [thing()]
  def scatter(%__MODULE__{scatter: table}) do
    for <<kind::32-little, x::float-32-little, y::float-32-little, z::float-32-little,
          yaw::float-32-little, scale::float-32-little, slope::float-32-little,
          moisture::float-32-little <- table>> do
      %{kind: kind, x: x, y: y, z: z, yaw: yaw, scale: scale, slope: slope, moisture: moisture}
    end
  end

  @doc """
  The chunk with another instance table, such as a script returned. One that makes no sense (a kind that the plan has not, numbers that
  are none, things outside of the chunk) is refused as a `Wasgo.DecodeError` and says why.

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> {:ok, bare} = Wasgo.Gen.Chunk.put_scatter(chunk, "")
      iex> Wasgo.Gen.Chunk.count(bare)
      0
      iex> {:error, error} = Wasgo.Gen.Chunk.put_scatter(chunk, "rubbish")
      iex> Exception.message(error) =~ "the instance table is refused"
      true
  """
  @spec put_scatter(t(), binary()) :: {:ok, t()} | {:error, Wasgo.DecodeError.t()}
  def put_scatter(%__MODULE__{} = chunk, table) when is_binary(table) do
    with {:ok, _sets} <-
           Result.await(Native.gen_instances(chunk.plan.resource, table, chunk.size)) do
      {:ok, %{chunk | scatter: table}}
    end
  end

  @doc """
  What stands on the chunk by mesh: `{mesh, transforms}`, 12 32-bit floats a thing, relative to the chunk's origin. Meshes are in the level of
  detail that fits the chunk's (see `Wasgo.Gen.Plan`).

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> {:ok, instances} = Wasgo.Gen.Chunk.instances(chunk)
      iex> (for {_mesh, transforms} <- instances, do: div(byte_size(transforms), 48)) |> Enum.sum()
      176
  """
  @spec instances(t()) :: {:ok, [{Scene.Mesh.t(), binary()}]} | {:error, Wasgo.DecodeError.t()}
  def instances(%__MODULE__{plan: plan, scatter: table} = chunk) do
    with {:ok, sets} <- Result.await(Native.gen_instances(plan.resource, table, chunk.size)) do
      models = List.to_tuple(plan.models)

      {:ok,
       for {kind, transforms} <- sets do
         {Prop.placed(elem(models, kind), chunk.level), transforms}
       end}
    end
  end

  @doc """
  What one can't walk through of all objects, as boxes relative to the chunk's origin. Chunks of coarser levels have none.

      iex> hut = [what: {:building, :cottage}, x: 20, z: 30, pad: []]
      iex> plan = Wasgo.Gen.plan!(seed: 7, objects: [hut])
      iex> [box | _] = Wasgo.Gen.Chunk.boxes(Wasgo.Gen.chunk!(plan, {0, 0}))
      iex> box |> Map.keys() |> Enum.sort()
      [:center, :half, :yaw]
  """
  @spec boxes(t()) :: [Object.box()]
  def boxes(%__MODULE__{objects: objects}), do: Enum.flat_map(objects, &Object.boxes/1)

  @doc """
  A collider of triangles for the ground: as few as stay within `error` metres of every sample. Colliders of neighbours of one level meet. Where
  an engine takes a height map, `heights` is one already, and faster.

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> {:ok, collider} = Wasgo.Gen.Chunk.collider(chunk, 0.25)
      iex> collider.error <= 0.25 and Wasgo.Gen.Collider.triangles(collider) < 4000
      true
  """
  @spec collider(t(), number()) :: {:ok, Collider.t()} | {:error, Wasgo.PlanError.t()}
  def collider(%__MODULE__{} = chunk, error) when is_number(error) do
    spacing = chunk.size / (chunk.samples - 1)
    native = Native.gen_height_collider(chunk.heights, chunk.samples, spacing, error / 1)
    with {:ok, made} <- Result.await(native), do: {:ok, Collider.new(made)}
  end

  @doc """
  A sheet of water over the chunk, or `nil` where nothing of it is under water.

      iex> sea = Wasgo.Gen.plan!(seed: 1, height: -3.0, water: 0.0)
      iex> Wasgo.Gen.Chunk.water(Wasgo.Gen.chunk!(sea, {0, 0}))
      #Wasgo.Scene.Surface<4 vertices, 2 triangles>
      iex> meadow = Wasgo.Gen.plan!(seed: 1, height: 3.0, water: 0.0)
      iex> Wasgo.Gen.Chunk.water(Wasgo.Gen.chunk!(meadow, {0, 0}))
      nil
  """
  @spec water(t()) :: Scene.Surface.t() | nil
  def water(%__MODULE__{plan: %{water_level: level}, stats: %{water_share: share}, size: size})
      when level != nil and share > 0 do
    [surface] = Wasgo.Gen.surfaces([Native.gen_water(size, level)], Plan.water())
    surface
  end

  def water(%__MODULE__{}), do: nil

  @doc """
  The water of the rivers in the chunk, or `nil` where there is none: of plans with `:rivers`.

      iex> Wasgo.Gen.Chunk.rivers(Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0}))
      {:ok, nil}
  """
  @spec rivers(t()) :: {:ok, Scene.Surface.t() | nil} | {:error, Wasgo.PlanError.t()}
  def rivers(%__MODULE__{plan: plan, coordinate: {x, z}, level: level}) do
    with {:ok, native} when native != nil <-
           Result.await(Native.gen_river_water(plan.resource, {x, z, level})) do
      [surface] = Wasgo.Gen.surfaces([native], Plan.water())
      {:ok, surface}
    end
  end

  @doc """
  The ground's height in metres at a sample, both counted from 0.

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> Wasgo.Gen.Chunk.height(chunk, 64, 64) |> is_float()
      true
  """
  @spec height(t(), non_neg_integer(), non_neg_integer()) :: float()
  def height(%__MODULE__{samples: samples, heights: heights}, column, row)
      when column in 0..(samples - 1)//1 and row in 0..(samples - 1)//1 do
    <<height::float-32-little>> = binary_part(heights, 4 * (row * samples + column), 4)
    height
  end

  @doc """
  The chunk as a scene: a node at its origin with the ground, and below it the water, what stands there and what scripts made.

      iex> {:ok, scene} = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0}) |> Wasgo.Gen.Chunk.to_scene()
      iex> {:ok, glb} = Wasgo.Scene.to_glb(scene)
      iex> binary_part(glb, 0, 4)
      "glTF"
  """
  @spec to_scene(t()) :: {:ok, Scene.t()} | {:error, Wasgo.DecodeError.t() | Wasgo.PlanError.t()}
  def to_scene(%__MODULE__{} = chunk) do
    with {:ok, sets} <- instances(chunk),
         {:ok, rivers} <- rivers(chunk) do
      {:ok, build(chunk, Enum.reject([water(chunk), rivers], &is_nil/1), sets)}
    end
  end

  defp build(chunk, waters, sets) do
    {x, z} = chunk.coordinate
    base = [%Scene.Mesh{name: "ground_#{x}_#{z}", surfaces: [chunk.ground]}]
    water = waters != []
    sheet = if water, do: [%Scene.Mesh{name: "water_#{x}_#{z}", surfaces: waters}], else: []
    # The material of what a script made follows those that all chunks have.
    materials = Plan.materials()
    {made, looks} = Generated.with_materials(chunk.generated, length(materials))
    objects = for object <- chunk.objects, do: {object.mesh, object.transforms}
    sets = sets ++ objects ++ Enum.zip(made, Enum.map(chunk.generated, & &1.transforms))
    props = Enum.map(sets, &elem(&1, 0))

    extras = [
      {"chunk_x", x},
      {"chunk_z", z},
      {"seed", Integer.to_string(chunk.plan.seed)}
    ]

    ground = %Scene.Node{
      name: chunk.name || "chunk_#{x}_#{z}",
      translation: chunk.origin,
      mesh: 0,
      children: if(water, do: [1], else: []),
      extras: extras
    }

    %Scene{
      name: ground.name,
      nodes: [ground | if(water, do: [%Scene.Node{name: "water", mesh: 1}], else: [])],
      meshes: base ++ sheet ++ props,
      materials: materials ++ looks,
      instances:
        for {{mesh, transforms}, at} <- Enum.with_index(sets, length(base ++ sheet)) do
          %Scene.Instances{name: mesh.name, mesh: at, parent: 0, transforms: transforms}
        end,
      roots: [0]
    }
  end

  defimpl Inspect do
    def inspect(chunk, _opts) do
      %{min_height: low, max_height: high, water_share: water} = chunk.stats
      triangles = div(byte_size(chunk.ground.indices), 12)
      things = things(chunk)

      [
        Kernel.inspect(chunk.coordinate),
        chunk.name && Kernel.inspect(chunk.name),
        "#{chunk.size} m, #{chunk.samples} x #{chunk.samples}",
        "heights #{Float.round(low, 1)} to #{Float.round(high, 1)} m",
        water > 0 && "#{round(water * 100)}% water",
        "#{triangles} triangles",
        things != "" && things,
        objects(chunk.objects),
        chunk.generated != [] && "#{length(chunk.generated)} generated meshes"
      ]
      |> Enum.filter(& &1)
      |> then(&"#Wasgo.Gen.Chunk<#{Enum.join(&1, ", ")}>")
    end

    defp objects([]), do: nil

    defp objects(objects),
      do: "#{objects |> Enum.map(&Wasgo.Gen.Object.count/1) |> Enum.sum()} objects"

    defp things(chunk) do
      kinds = for {kind, variants} <- chunk.plan.rules, _ <- 1..variants, do: kind
      kinds = List.to_tuple(kinds)

      counts =
        for <<number::32-little, _::28-binary <- chunk.scatter>>, reduce: %{} do
          counts -> Map.update(counts, elem(kinds, number), 1, &(&1 + 1))
        end

      for({kind, _} <- chunk.plan.rules, count = counts[kind], do: "#{count} #{kind}")
      |> Enum.uniq()
      |> Enum.join(", ")
    end
  end
end
