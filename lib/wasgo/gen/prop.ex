defmodule Wasgo.Gen.Prop do
  @moduledoc """
  A tree, rock, fence or another thing that stands on the ground: levels of detail, what it collides with, and materials. Made by
  `Wasgo.Gen.prop/2` and `Wasgo.Gen.fence/2`, and by plans for what they scatter (`models` of a `Wasgo.Gen.Plan`).

    * `name` - such as `"tree_oak"`; in a plan with a number behind it
    * `kind` - `:tree`, `:rock`, ...
    * `lods` - the levels of detail, the finest first, each a map of a `:mesh` (a `Wasgo.Scene.Mesh` with a surface for each material) and
      its `:error`: about how far what is seen is from the finest, in metres
    * `colliders` - `{:capsule, from, to, radius}`, `{:box, center, half}` (of its sides) or `{:hull, points}` (convex) in metres; none for what
      one walks through
    * `bounds` - `{least, greatest}` corner of the box around the finest level, in metres
    * `textures` - PNG files by material, when they were asked for
    * `chunk_lods` - in a plan: the position in `lods` of what chunks of level 0, 1, ... place

  The origin is at the foot, +Y is up. The colours are those of the vertices. The second texture coordinates (`uvs2`) of plants are for
  wind: how far it moves a vertex, from 0 at the root to 1, and its phase, 0 to 1.

  ## Kinds and their parameters

  Lengths are in metres, angles in radians, colours linear `{red, green, blue}` from 0 to 1. What is not given is as is usual for the kind.

  ### `:tree`

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:species` | `:oak`, `:birch`, `:spruce`, `:pine`, `:willow`, `:palm`, `:acacia`, `:dead`, `:poplar`, `:cherry`, `:maple`; shrubs: `:shrub`, `:rose`, `:juniper` | | `:oak` |
  | `:style` | `:leafy` (single leaves), `:low_poly` (clouds of leaves, a fifth of the triangles) | | `:leafy` |
  | `:height` | m | 0.1 to 100 | by the seed, as is usual for the species |
  | `:spread` | length of branches, times what is usual | 0.2 to 3 | 1 |
  | `:fullness` | area of leaves, times what is usual; 0 for winter | 0 to 3 | 1 |
  | `:gnarl` | how crooked it is, times what is usual | 0 to 3 | 1 |
  | `:triangles` | the most of the finest level | 200 to 50,000 | 5,000, of shrubs 1,500 |
  | `:form` | a species of one's own, below | | that of the species |

  Levels: a third of the triangles, 60 to 400 of them, and two crossed cards.

  `:form` is a keyword list of: `:height` (`{least, greatest}` m), `:crown` (`:round`, `:dome`, `:cone`, `:flame`, `:umbrella`, `:even`),
  `:trunk` (`:radius` of the height 0.002 to 0.2, `:segments` 2 to 32, `:gnarl` 0 to 0.8, `:lean` 0 to 0.8, `:flare` 0 to 2, `:taper` 0 to 1),
  `:branches` (1 to 3 lists, one for each level: `:count` 1 to 128, `:length` of the height or limb 0.02 to 1.5, `:place` `{first, last}` 0 to 1,
  `:angle` `{first, last}` 0 to 2.8, `:bend` -4 to 4, `:gnarl` 0 to 0.8, `:segments` 1 to 16, `:whorl` 1 to 16, `:planar` 0 to 1),
  `:leaves` (`:arrangement` `:spray`, `:rows`, `:tuft` or `:hanging`, `:level` 1 to 3, `:place` 0 to 0.95, `:size` `{least, greatest}` 0.01 to 10 m,
  `:width` 0.02 to 2, `:droop` 0 to 1, `:dark`, `:light`, `:accent` colours, `:accents` 0 to 1, `:fullness` 0 to 1),
  `:bark` (`:dark`, `:light`, `:young` colours, `:marks` 0 to 1).

  ### `:rock`

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:kind` | `:boulder`, `:slab`, `:outcrop`, `:pebbles`, `:cliff`, `:standing` | | `:boulder` |
  | `:size` | width in m, about | 0.02 to 100 | 1.6, 2.4, 4, 1.2, 9, 1.1 |
  | `:roughness` | from round to jagged | 0 to 1 | 0.5 |
  | `:color` | of the stone | | `{0.215, 0.205, 0.19}` |
  | `:moss` | on what looks up | 0 to 1 | 0.3, 0.4, 0.4, 0, 0.25, 0.35 |
  | `:triangles` | the most of the finest level | 100 to 20,000 | 800; outcrop 1,600, pebbles 720, cliff 2,000 |

  ### `:crystals`

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:height` | of the highest, in m | 0.02 to 50 | 1.2 |
  | `:count` | how many | 1 to 64 | 9 |
  | `:color` | | | `{0.3, 0.1, 0.62}` |

  ### `:grass`

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:kind` | `:meadow`, `:tall`, `:dry`, `:reed`, `:daisy`, `:poppy`, `:lavender` | | `:meadow` |
  | `:height` | m | 0.02 to 10 | 0.32, 0.8, 0.75, 1.9, 0.36, 0.52, 0.55 |
  | `:radius` | of the ground that it covers, in m | 0.01 to 10 | 0.22 to 0.35 |
  | `:blades` | how many | 3 to 500 | 24 to 70 |
  | `:flowers` | flowers, ears or spikes | 0 to 100 | 0, 0, 9, 6, 8, 6, 20 |
  | `:dark`, `:light` | at the root and at the tips | | green; of dry grass yellow |
  | `:blossom` | of the flowers | | by the kind |

  ### `:fern`

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:length` | of a frond, in m | 0.05 to 10 | 0.9 |
  | `:fronds` | how many | 3 to 40 | 9 |
  | `:droop` | how far they hang | 0 to 1 | 0.5 |
  | `:dark`, `:light` | in the middle and at the tips | | green |

  ### `:mushrooms`

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:kind` | `:toadstool`, `:bolete`, `:chanterelle` | | `:toadstool` |
  | `:height` | of the highest, in m | 0.01 to 20 | 0.22 |
  | `:count` | how many | 1 to 32 | 4 |

  ### `:log`, `:stump`

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:length` | in m; of a stump its height | 0.05 to 50 | 2.6; 0.5 |
  | `:radius` | m | 0.01 to 10 | 0.24; 0.3 |
  | `:bark` | its colour | | `{0.13, 0.088, 0.055}` |
  | `:moss` | on its top | 0 to 1 | 0.5; 0.35 |

  ### Fences

  Of `Wasgo.Gen.fence/2`, which needs points too:

  | parameter | what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:kind` | `:rails`, `:pickets`, `:palisade`, `:dry_stone` | | `:rails` |
  | `:height` | m above the ground | 0.1 to 20 | 1.15, 1, 2.6, 1 |
  | `:spacing` | m between posts, at most | 0.5 to 20 | 2.2, 2, 3, 1.6 |
  | `:rails` | between two posts | 1 to 8 | 3, 2, 1, 1 |
  | `:age` | how crooked it stands | 0 to 1 | 0.4 |
  | `:color` | of the wood or stone | | by the kind |

  ## Variations

  `Wasgo.Gen.vary/2` and the option `:variation` of scatter rules take amounts, each the most that a seed may choose in both directions:

  | amount | of what | allowed | unless given |
  | --- | --- | --- | --- |
  | `:size` | size as a whole: 0.2 is from 0.8 to 1.2 times | 0 to 0.9 | 0.15 |
  | `:stretch` | size along each axis besides that | 0 to 0.9 | 0.1 |
  | `:swell` | swellings and dents, of the largest side | 0 to 0.25 | 0.03 |
  | `:waves` | how many swellings along the largest side | 0.25 to 8 | 1.5 |
  | `:bend` | how far the top bends to a side | 0 to 1 | 0.08 |
  | `:twist` | how far the top turns around the Y axis | 0 to 3 | 0.2 |
  | `:taper` | how much narrower or wider the top is | 0 to 0.9 | 0.08 |
  | `:hue` | of the vertices' colours, as an angle | 0 to 3.2 | 0.12 |
  | `:saturation` | 1 is from grey to twice as colourful | 0 to 1 | 0.15 |
  | `:lightness` | as the eye sees it | 0 to 0.5 | 0.05 |
  | `:morphs` | weights of blend shapes, the most that each may get | 0 to 1 | 0: the weights stay |
  | `:uv_shift` | of the first texture coordinates | 0 to 1 | 0 |

      iex> oak = Wasgo.Gen.prop!({:tree, species: :oak, height: 9.0}, seed: 7)
      iex> {oak.name, oak.kind, length(oak.lods)}
      {"tree_oak", :tree, 4}
  """

  alias Wasgo.Gen.{Plan, Spec}
  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.{PlanError, Scene}

  @keys [:name, :kind, :lods, :colliders, :bounds]
  @enforce_keys @keys
  defstruct @keys ++ [textures: %{}, chunk_lods: []]

  @type lod :: %{mesh: Scene.Mesh.t(), error: float()}

  @type collider ::
          {:capsule, from :: Scene.point(), to :: Scene.point(), radius :: float()}
          | {:box, center :: Scene.point(), half :: Scene.point()}
          | {:hull, [Scene.point()]}

  @type finish :: :bark | :leaf | :solid | :timber | :crystal | :card

  @type t :: %__MODULE__{
          name: String.t(),
          kind: atom(),
          lods: [lod(), ...],
          colliders: [collider()],
          bounds: {Scene.point(), Scene.point()},
          textures: %{finish() => binary()},
          chunk_lods: [non_neg_integer()]
        }

  @typedoc "What to make: a kind and its parameters."
  @type spec :: {atom(), keyword()}

  @doc """
  The mesh to draw from a distance in metres: the coarsest whose error looks no larger than `:angle` (radians; 0.002 unless given, about a
  pixel and a half of a screen of 1,080 lines).

      iex> oak = Wasgo.Gen.prop!({:tree, species: :oak}, seed: 1)
      iex> Wasgo.Gen.Prop.mesh(oak, 0.0).name
      "tree_oak"
      iex> Wasgo.Gen.Prop.mesh(oak, 2000.0).name
      "tree_oak_lod3"
  """
  @spec mesh(t(), number(), angle: number()) :: Scene.Mesh.t()
  def mesh(%__MODULE__{} = prop, distance, options \\ []) when is_number(distance) do
    Enum.at(prop.lods, lod_at(prop, distance, options)).mesh
  end

  # Errors grow from level to level.
  defp lod_at(%{lods: [_finest | coarser]}, distance, options) do
    [angle: angle] = Keyword.validate!(options, angle: 0.002)
    coarser |> Enum.take_while(&(&1.error <= distance * angle)) |> length()
  end

  @doc """
  The prop as a scene: one node at the origin with the mesh of a distance, and the materials. With textures, where it has them.

    * `:distance` - in metres, as `mesh/3` takes it; 0 unless given, which is the finest
    * `:angle` - as `mesh/3` takes it

  ## Examples

      iex> fern = Wasgo.Gen.prop!({:fern, fronds: 12}, seed: 1)
      iex> {:ok, scene} = Wasgo.Gen.Prop.to_scene(fern)
      iex> {:ok, <<"glTF", _::binary>>} = Wasgo.Scene.to_glb(scene)
      iex> scene.name
      "fern"
  """
  @spec to_scene(t(), keyword()) :: {:ok, Scene.t()}
  def to_scene(%__MODULE__{} = prop, options \\ []) do
    options = Keyword.validate!(options, distance: 0.0, angle: 0.002)
    lod = lod_at(prop, options[:distance], angle: options[:angle])
    mesh = Enum.at(prop.lods, lod).mesh
    {materials, textures, images} = textured(prop)

    {:ok,
     %Scene{
       name: prop.name,
       nodes: [%Scene.Node{name: prop.name, mesh: 0}],
       meshes: [%{mesh | surfaces: Enum.map(mesh.surfaces, &dress(&1, prop, lod))}],
       materials: materials,
       textures: textures,
       images: images,
       roots: [0]
     }}
  end

  @finishes [:bark, :leaf, :solid, :timber, :crystal, :card]

  # Materials with textures are behind those without: leaves have both kinds.
  defp textured(%{textures: files}) do
    plain = Plan.materials()
    present = for finish <- @finishes, Map.has_key?(files, finish), do: finish

    textured =
      for {finish, at} <- Enum.with_index(present) do
        material = Enum.at(plain, Plan.finish(finish))
        alpha = if finish == :bark, do: :opaque, else: {:mask, 0.5}
        reference = %Scene.TextureRef{texture: at}
        %{material | base_color_texture: reference, alpha: alpha, name: "textured #{finish}"}
      end

    textures =
      for {finish, at} <- Enum.with_index(present) do
        wrap = if finish == :bark, do: :repeat, else: :clamp
        filters = [magnify: :linear, minify: {:linear, :linear}, wrap_u: wrap, wrap_v: wrap]
        struct!(Scene.Texture, [name: "#{finish}", image: at] ++ filters)
      end

    images =
      for finish <- present,
          do: %Scene.Image{name: "#{finish}", format: :png, data: files[finish]}

    {plain ++ textured, textures, images}
  end

  defp dress(surface, %{textures: files}, lod) do
    present = for finish <- @finishes, Map.has_key?(files, finish), do: finish
    at = Enum.find_index(present, &(Plan.finish(&1) == surface.material))

    case at && Enum.at(present, at) do
      nil -> surface
      # From the third level on leaves are not single ones.
      :leaf when lod > 1 -> surface
      # The picture has the colours.
      :card -> %{surface | material: length(Plan.materials()) + at, colors: ""}
      _ -> %{surface | material: length(Plan.materials()) + at}
    end
  end

  @doc false
  def make({kind, parameters}, options) when is_atom(kind) and is_list(parameters) do
    schema = [seed: [type: :any, default: 0], textures: [type: :any, default: nil]]
    options = Wasgo.Options.validate!(options, schema, "Wasgo.Gen.prop/2")

    with :ok <- check_seed(options.seed),
         {:ok, size} <- texture_size(options.textures),
         {:ok, text} <- Spec.text(stored({kind, parameters})),
         {:ok, native} <- Result.await(Native.gen_prop(text, options.seed, size)) do
      {:ok, new(native)}
    end
  end

  defp texture_size(nil), do: {:ok, 0}
  defp texture_size(size) when size in 8..1024, do: {:ok, size}

  defp texture_size(size) do
    message = "textures.size is #{inspect(size)}, allowed: 8 to 1024"
    {:error, %PlanError{reason: :out_of_range, field: "textures.size", message: message}}
  end

  @doc false
  def fence(points, options) do
    {seed, parameters} = Keyword.pop(options, :seed, 0)

    with :ok <- check_seed(seed),
         {:ok, line} <- line(points),
         {:ok, text} <- Spec.text(map(parameters)),
         {:ok, native} <- Result.await(Native.gen_fence(line, text, seed)) do
      {:ok, new(native)}
    end
  end

  defp line(points) do
    points
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, []}, fn {point, at}, {:ok, line} ->
      case point do
        {x, y, z} when is_number(x) and is_number(y) and is_number(z) ->
          {:cont, {:ok, [line | for(value <- [x, y, z], do: <<value::float-little>>)]}}

        other ->
          message = "fence.points[#{at}] is #{inspect(other)}, allowed: three numbers, {x, y, z}"
          error = %PlanError{reason: :invalid, field: "fence.points[#{at}]", message: message}
          {:halt, {:error, error}}
      end
    end)
    |> then(fn
      {:ok, line} -> {:ok, IO.iodata_to_binary(line)}
      error -> error
    end)
  end

  @doc false
  def vary(%Scene.Mesh{} = mesh, options) do
    {seed, amounts} = Keyword.pop(options, :seed, 0)
    # Blend shapes of a face are not for chance, unless somebody says so.
    amounts = Keyword.put_new(amounts, :morphs, 0)

    with :ok <- check_seed(seed),
         {:ok, text} <- Spec.text(map(amounts)),
         {:ok, scene} <- Result.await(Native.gen_vary(alone(mesh), text, seed)) do
      {:ok, %{mesh | surfaces: hd(scene.meshes).surfaces, weights: hd(scene.meshes).weights}}
    end
  end

  @doc false
  def impostor(%__MODULE__{} = prop, size), do: impostor(hd(prop.lods).mesh, size)

  def impostor(%Scene.Mesh{} = mesh, size) when size in 8..512,
    do: Result.await(Native.gen_impostor(alone(mesh), size))

  def impostor(%Scene.Mesh{}, size) do
    message = "impostor.size is #{inspect(size)}, allowed: 8 to 512"
    {:error, %PlanError{reason: :out_of_range, field: "impostor.size", message: message}}
  end

  # A scene of a mesh: what its surfaces refer to is not looked at.
  defp alone(mesh), do: %Scene{meshes: [mesh]}

  defp check_seed(seed), do: Wasgo.Gen.check_seed(seed)

  @doc false
  # A spec in the form in which plans are stored; what is none is left as it is, for the native half to name.
  def stored({kind, parameters} = spec) when is_atom(kind) and is_list(parameters) do
    if Keyword.keyword?(parameters),
      do: %{Atom.to_string(kind) => map(parameters)},
      else: value(spec)
  end

  def stored(other), do: value(other)

  @doc false
  def map(parameters), do: Map.new(parameters, fn {key, value} -> {key(key), value(value)} end)

  defp key(key) when is_atom(key), do: Atom.to_string(key)
  defp key(key), do: key

  defp value([{key, _} | _] = list) when is_atom(key) do
    if Keyword.keyword?(list), do: map(list), else: Enum.map(list, &value/1)
  end

  defp value(list) when is_list(list), do: Enum.map(list, &value/1)
  defp value(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> Enum.map(&value/1)
  defp value(other), do: other

  @doc false
  def new({name, kind, lods, colliders, bounds, textures_or_lods}) do
    prop = %__MODULE__{
      name: name,
      kind: kind,
      lods: Enum.map(lods, &lod/1),
      colliders: colliders,
      bounds: bounds
    }

    case textures_or_lods do
      [number | _] when is_integer(number) -> %{prop | chunk_lods: textures_or_lods}
      textures -> %{prop | textures: Map.new(textures)}
    end
  end

  defp lod({name, surfaces, error}) do
    surfaces =
      for {positions, normals, colors, uvs, uvs2, indices, material} <- surfaces do
        %Scene.Surface{
          positions: positions,
          normals: normals,
          colors: colors,
          uvs: uvs,
          uvs2: uvs2,
          indices: indices,
          material: material
        }
      end

    %{mesh: %Scene.Mesh{name: name, surfaces: surfaces}, error: error}
  end

  @doc false
  # What chunks of a level place.
  def placed(%__MODULE__{} = prop, level),
    do: Enum.at(prop.lods, Enum.at(prop.chunk_lods, level, 0)).mesh

  defimpl Inspect do
    def inspect(prop, _opts) do
      triangles =
        for %{mesh: mesh} <- prop.lods do
          mesh.surfaces |> Enum.map(&div(byte_size(&1.indices), 12)) |> Enum.sum()
        end

      colliders = length(prop.colliders)
      plural = if colliders == 1, do: "", else: "s"
      textures = if prop.textures == %{}, do: "", else: ", textures"

      "#Wasgo.Gen.Prop<#{prop.name}, #{Enum.join(triangles, " / ")} triangles, " <>
        "#{colliders} collider#{plural}#{textures}>"
    end
  end
end
