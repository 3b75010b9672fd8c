defmodule Wasgo.Scene do
  @moduledoc """
  Meshes, nodes and materials, as glTF has them: metres, +Y up, faces counter-clockwise.

  Vertex data is raw little-endian bytes, so that it goes from the generator to a file or an engine without being copied.
  References (a node's mesh, a surface's material) are positions in the scene's lists.

  | list | of |
  | --- | --- |
  | `nodes`, `roots` | `Wasgo.Scene.Node`; positions of those without a parent |
  | `meshes` | `Wasgo.Scene.Mesh`, each of `Wasgo.Scene.Surface`s |
  | `instances` | `Wasgo.Scene.Instances`: a mesh placed many times |
  | `materials`, `textures`, `images` | `Wasgo.Scene.Material`, `Wasgo.Scene.Texture`, `Wasgo.Scene.Image` |
  | `skins`, `animations` | `Wasgo.Scene.Skin`, `Wasgo.Scene.Animation` |
  | `cameras`, `lights` | `Wasgo.Scene.Camera`, `Wasgo.Scene.Light` |

  `from_glb/2` reads a file from anywhere, `to_glb/2` writes one. In between, `transform/2`, `simplify/2`, `lods/2`, `optimize/1`,
  `tangents/1`, `split/2`, `compact/1` and `merge/2` make other scenes of scenes; what they leave as it is is not copied.

      iex> box = Wasgo.Scene.from_glb!(Wasgo.Scene.to_glb!(%Wasgo.Scene{name: "empty"}))
      iex> box.name
      "empty"
  """

  alias Wasgo.Native
  alias Wasgo.Native.Result

  defstruct name: "",
            nodes: [],
            meshes: [],
            materials: [],
            textures: [],
            images: [],
            skins: [],
            cameras: [],
            lights: [],
            animations: [],
            instances: [],
            roots: [],
            copyright: "",
            extras: [],
            extensions: []

  @type t :: %__MODULE__{
          name: String.t(),
          nodes: [__MODULE__.Node.t()],
          meshes: [__MODULE__.Mesh.t()],
          materials: [__MODULE__.Material.t()],
          textures: [__MODULE__.Texture.t()],
          images: [__MODULE__.Image.t()],
          skins: [__MODULE__.Skin.t()],
          cameras: [__MODULE__.Camera.t()],
          lights: [__MODULE__.Light.t()],
          animations: [__MODULE__.Animation.t()],
          instances: [__MODULE__.Instances.t()],
          roots: [non_neg_integer()],
          copyright: String.t(),
          extras: extras(),
          extensions: extras()
        }

  @typedoc "What a JSON file can say."
  @type json :: nil | boolean() | number() | String.t() | [json()] | %{String.t() => json()}

  @typedoc "For whoever reads the scene: pairs of a name and a value; a map is taken too."
  @type extras :: [{String.t(), json()}] | %{String.t() => json()}

  @typedoc "A point, in metres."
  @type point :: {float(), float(), float()}

  @type counts :: %{
          meshes: non_neg_integer(),
          surfaces: non_neg_integer(),
          vertices: non_neg_integer(),
          triangles: non_neg_integer(),
          nodes: non_neg_integer(),
          instances: non_neg_integer()
        }

  @typedoc "Another scene, or why there is none."
  @type changed :: {:ok, t()} | {:error, Wasgo.SceneError.t()}

  @read_options [
    lossy: false,
    scene: nil,
    max_memory: nil,
    max_json_bytes: nil,
    max_vertices: nil,
    max_triangles: nil,
    max_nodes: nil,
    max_image_bytes: nil
  ]

  # Above this, flipping takes longer than a scheduler may be held.
  @flip_on_scheduler 1_048_576

  @doc type: :inspect
  @doc """
  Checks that the scene holds together, and counts what is in it.

      iex> triangle = %Wasgo.Scene.Surface{
      ...>   positions: <<0.0::float-32-little, 0.0::float-32-little, 0.0::float-32-little,
      ...>                1.0::float-32-little, 0.0::float-32-little, 0.0::float-32-little,
      ...>                0.0::float-32-little, 1.0::float-32-little, 0.0::float-32-little>>,
      ...>   indices: <<0::32-little, 1::32-little, 2::32-little>>
      ...> }
      iex> scene = %Wasgo.Scene{
      ...>   meshes: [%Wasgo.Scene.Mesh{name: "triangle", surfaces: [triangle]}],
      ...>   nodes: [%Wasgo.Scene.Node{name: "node", mesh: 0}],
      ...>   roots: [0]
      ...> }
      iex> {:ok, counts} = Wasgo.Scene.validate(scene)
      iex> {counts.vertices, counts.triangles}
      {3, 1}
      iex> {:ok, <<"glTF", 2::32-little, _::binary>>} = Wasgo.Scene.to_glb(scene)
      iex> {:error, %Wasgo.SceneError{}} = Wasgo.Scene.validate(%{scene | roots: [1]})
      iex> :ok
      :ok
  """
  @spec validate(t()) :: {:ok, counts()} | {:error, Wasgo.SceneError.t()}
  def validate(%__MODULE__{} = scene) do
    with {:ok, {meshes, surfaces, vertices, triangles, nodes, instances}} <-
           Result.await(Native.scene_validate(scene)) do
      {:ok,
       %{
         meshes: meshes,
         surfaces: surfaces,
         vertices: vertices,
         triangles: triangles,
         nodes: nodes,
         instances: instances
       }}
    end
  end

  @doc type: :inspect
  @doc """
  As `validate/1`, but raises.

      iex> cottage = Wasgo.Gen.building!(:cottage, seed: 42)
      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(cottage)
      iex> Wasgo.Scene.validate!(scene).triangles == Wasgo.Gen.Building.triangles(cottage)
      true
  """
  @spec validate!(t()) :: counts()
  def validate!(scene), do: Result.bang!(validate(scene))

  @doc type: :file
  @doc """
  The scene as a GLB 2.0 file.

  What nothing shows is left out, and equal data is written once. LODs are in the extras of their surface, where `from_glb/2` finds
  them.

  ## Options

    * `:instancing` - whether instances are written by the extension `EXT_mesh_gpu_instancing`, which makes smaller files that only
      some readers know: Godot does not. Default `false`: instances become nodes that share their mesh

  ## Examples

      iex> {:ok, glb} = Wasgo.Scene.to_glb(%Wasgo.Scene{})
      iex> binary_part(glb, 0, 4)
      "glTF"
  """
  @spec to_glb(t(), instancing: boolean()) :: {:ok, binary()} | {:error, Wasgo.SceneError.t()}
  def to_glb(%__MODULE__{} = scene, options \\ []) do
    options = Keyword.validate!(options, instancing: false)
    Result.await(Native.scene_to_glb(scene, options[:instancing] == true))
  end

  @doc type: :file
  @doc """
  As `to_glb/2`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> path = Path.join(System.tmp_dir!(), "cottage.glb")
      iex> File.write!(path, Wasgo.Scene.to_glb!(scene))
      :ok
      iex> File.rm!(path)
      :ok
  """
  @spec to_glb!(t(), instancing: boolean()) :: binary()
  def to_glb!(scene, options \\ []), do: Result.bang!(to_glb(scene, options))

  @doc type: :file
  @doc """
  The scene in a GLB file, or in a glTF file (JSON) whose data is in `data:` URIs.

  All of glTF 2.0 is read: sparse and interleaved data, every type of numbers, strips and fans, morphs, skins, animations, lights, and
  instances by `EXT_mesh_gpu_instancing`. What is in the file as a scene has it becomes a part of the file's binary, not a copy. Of
  several scenes one is read.

  A file that is broken, holds too much or says something that a scene can't hold (lines and points, external files, extensions that may
  refer to parts of the file) is a `Wasgo.DecodeError` whose reason is `{:gltf, fault, place, words}`, with the place in its JSON.

      iex> {:error, error} = Wasgo.Scene.from_glb(~s({"asset": {"version": "2.0"}, "nodes": [{"mesh": 3}]}))
      iex> error.reason
      {:gltf, :no_such, "/nodes/0/mesh", "there is no mesh 3, the file has 0"}
      iex> Exception.message(error)
      "reading gltf: /nodes/0/mesh: there is no mesh 3, the file has 0"

  ## Options

    * `:lossy` - whether what a scene can't hold is left out instead of an error. What a file says that a reader must know is an error
      in any case. Default `false`
    * `:scene` - the position of the scene that is read; default: the one that the file says, else the first
    * `:max_vertices`, `:max_triangles` - default 16,777,216 each
    * `:max_nodes` - default 262,144
    * `:max_image_bytes` - default 512 MiB
    * `:max_json_bytes` - default 64 MiB
    * `:max_memory` - bytes for what has to be decoded or converted, default 512 MiB
  """
  @spec from_glb(binary(), keyword()) :: {:ok, t()} | {:error, Wasgo.DecodeError.t()}
  def from_glb(file, options \\ []) when is_binary(file) do
    options = Keyword.validate!(options, @read_options)
    Result.await(Native.scene_from_glb(file, Map.new(options)))
  end

  @doc type: :file
  @doc """
  As `from_glb/2`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> Wasgo.Scene.from_glb!(Wasgo.Scene.to_glb!(scene))
      #Wasgo.Scene<"cottage", 1 nodes, 1 meshes, 0 instances>
  """
  @spec from_glb!(binary(), keyword()) :: t()
  def from_glb!(file, options \\ []), do: Result.bang!(from_glb(file, options))

  @doc type: :inspect
  @doc """
  The corners of the box around all that the scene shows, in metres: `{least, greatest}`, or `nil` when it shows nothing.

      iex> Wasgo.Scene.bounds(%Wasgo.Scene{})
      {:ok, nil}
  """
  @spec bounds(t()) :: {:ok, {point(), point()} | nil} | {:error, Wasgo.SceneError.t()}
  def bounds(%__MODULE__{} = scene), do: change(scene, {:bounds})

  @doc type: :inspect
  @doc """
  As `bounds/1`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:tower, seed: 1))
      iex> {{_, lowest, _}, {_, highest, _}} = Wasgo.Scene.bounds!(scene)
      iex> {Float.round(lowest, 1), Float.round(highest, 1)}
      {-1.2, 15.3}
  """
  @spec bounds!(t()) :: {point(), point()} | nil
  def bounds!(scene), do: Result.bang!(bounds(scene))

  @doc type: :change
  @doc """
  The scene with all that it shows moved by a 3 x 4 matrix: a tuple of 12 numbers, row by row, the last of each row in metres.

      iex> scene = %Wasgo.Scene{nodes: [%Wasgo.Scene.Node{name: "a"}], roots: [0]}
      iex> {:ok, moved} = Wasgo.Scene.transform(scene, {1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7})
      iex> hd(moved.nodes).translation
      {5.0, 6.0, 7.0}
  """
  @spec transform(t(), tuple()) :: changed()
  def transform(%__MODULE__{} = scene, matrix), do: change(scene, {:transform, matrix})

  @doc type: :change
  @doc """
  As `transform/2`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> village = for x <- [0, 20, 40], do: Wasgo.Scene.transform!(scene, {1, 0, 0, x, 0, 1, 0, 0, 0, 0, 1, 0})
      iex> Wasgo.Scene.merge(village, "village")
      #Wasgo.Scene<"village", 3 nodes, 1 meshes, 0 instances>
  """
  @spec transform!(t(), tuple()) :: t()
  def transform!(scene, matrix), do: Result.bang!(transform(scene, matrix))

  @doc type: :change
  @doc """
  The scene with fewer triangles, and how far a surface may be from where it was, in metres of its mesh.

  ## Options

    * `:ratio` - the share of the triangles that is aimed at, default 0.5
    * `:error` - how far a surface may move, in metres; it stops there. Default `:infinity`
    * `:lock_borders` - whether the open borders of a surface stay, so that it still meets its neighbours. Default `true`

  ## Examples

      iex> {:ok, scene} = Wasgo.Gen.Chunk.to_scene(Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, height: 10), {0, 0}))
      iex> {:ok, {_simple, error}} = Wasgo.Scene.simplify(scene, ratio: 0.25)
      iex> error < 0.01
      true
  """
  @spec simplify(t(), keyword()) ::
          {:ok, {t(), error :: float()}} | {:error, Wasgo.SceneError.t()}
  def simplify(%__MODULE__{} = scene, options \\ []) do
    options = Keyword.validate!(options, ratio: 0.5, error: :infinity, lock_borders: true)
    change(scene, {:simplify, options[:ratio], options[:error], options[:lock_borders]})
  end

  @doc type: :change
  @doc """
  As `simplify/2`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Chunk.to_scene(Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0}))
      iex> {simple, _metres} = Wasgo.Scene.simplify!(scene, error: 0.2)
      iex> Wasgo.Scene.validate!(simple).triangles < Wasgo.Scene.validate!(scene).triangles
      true
  """
  @spec simplify!(t(), keyword()) :: {t(), float()}
  def simplify!(scene, options \\ []), do: Result.bang!(simplify(scene, options))

  @doc type: :change
  @doc """
  The scene with LODs of every surface, one for each ratio that brings fewer triangles.

  ## Options

    * `:ratios` - shares of the triangles, default `[0.5, 0.25, 0.1]`
    * `:error` - how far a LOD may be from its surface, in metres. Default `:infinity`

  ## Examples

      iex> {:ok, scene} = Wasgo.Gen.Chunk.to_scene(Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, scatter: []), {0, 0}))
      iex> {:ok, scene} = Wasgo.Scene.lods(scene, ratios: [0.5, 0.1], error: 0.5)
      iex> [ground] = hd(scene.meshes).surfaces
      iex> for lod <- ground.lods, do: lod.error <= 0.5
      [true, true]
  """
  @spec lods(t(), keyword()) :: changed()
  def lods(%__MODULE__{} = scene, options \\ []) do
    options = Keyword.validate!(options, ratios: [0.5, 0.25, 0.1], error: :infinity)
    change(scene, {:lods, options[:ratios], options[:error]})
  end

  @doc type: :change
  @doc """
  As `lods/2`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> scene = Wasgo.Scene.lods!(scene)
      iex> Wasgo.Scene.from_glb!(Wasgo.Scene.to_glb!(scene)) |> Wasgo.Scene.validate!() |> Map.fetch!(:meshes)
      1
  """
  @spec lods!(t(), keyword()) :: t()
  def lods!(scene, options \\ []), do: Result.bang!(lods(scene, options))

  @doc type: :change
  @doc """
  The scene with triangles and vertices in an order that is fast to draw. Vertices that no triangle uses are dropped.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> {:ok, faster} = Wasgo.Scene.optimize(scene)
      iex> Wasgo.Scene.validate!(faster).triangles == Wasgo.Scene.validate!(scene).triangles
      true
  """
  @spec optimize(t()) :: changed()
  def optimize(%__MODULE__{} = scene), do: change(scene, {:optimize})

  @doc type: :change
  @doc """
  As `optimize/1`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> Wasgo.Scene.lods!(scene) |> Wasgo.Scene.optimize!()
      #Wasgo.Scene<"cottage", 1 nodes, 1 meshes, 0 instances>
  """
  @spec optimize!(t()) :: t()
  def optimize!(scene), do: Result.bang!(optimize(scene))

  @doc type: :change
  @doc """
  The scene with tangents on every surface that has normals and texture coordinates and that has none: what normal maps need. By
  Mikkelsen's method, as tools that bake them do.

      iex> floats = fn numbers -> for number <- numbers, into: "", do: <<number::float-32-little>> end
      iex> tile = %Wasgo.Scene.Surface{
      ...>   positions: floats.([0, 0, 0, 1, 0, 0, 0, 0, -1]),
      ...>   normals: floats.([0, 1, 0, 0, 1, 0, 0, 1, 0]),
      ...>   uvs: floats.([0, 1, 1, 1, 0, 0]),
      ...>   indices: <<0::32-little, 1::32-little, 2::32-little>>
      ...> }
      iex> scene = %Wasgo.Scene{
      ...>   meshes: [%Wasgo.Scene.Mesh{name: "tile", surfaces: [tile]}],
      ...>   nodes: [%Wasgo.Scene.Node{name: "tile", mesh: 0}],
      ...>   roots: [0]
      ...> }
      iex> {:ok, %{meshes: [%{surfaces: [tile]}]}} = Wasgo.Scene.tangents(scene)
      iex> <<x::float-32-little, y::float-32-little, z::float-32-little, side::float-32-little, _::binary>> = tile.tangents
      iex> {x, y, z, side}
      {1.0, 0.0, 0.0, 1.0}
  """
  @spec tangents(t()) :: changed()
  def tangents(%__MODULE__{} = scene), do: change(scene, {:tangents})

  @doc type: :change
  @doc """
  As `tangents/1`, but raises.

      statue = "statue.glb" |> File.read!() |> Wasgo.Scene.from_glb!() |> Wasgo.Scene.tangents!()
      File.write!("statue.glb", Wasgo.Scene.to_glb!(statue))
  """
  @spec tangents!(t()) :: t()
  def tangents!(scene), do: Result.bang!(tangents(scene))

  @doc type: :change
  @doc """
  The scene without what it does not show: nodes that no root leads to, meshes, materials, images and the like that nothing uses.

      iex> {:ok, scene} = Wasgo.Gen.Chunk.to_scene(Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, height: 10), {0, 0}))
      iex> {:ok, compact} = Wasgo.Scene.compact(%{scene | roots: []})
      iex> {length(scene.meshes), length(compact.meshes)}
      {1, 0}
  """
  @spec compact(t()) :: changed()
  def compact(%__MODULE__{} = scene), do: change(scene, {:compact})

  @doc type: :change
  @doc """
  As `compact/1`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> length(Wasgo.Scene.compact!(scene).materials) < length(scene.materials)
      true
  """
  @spec compact!(t()) :: t()
  def compact!(scene), do: Result.bang!(compact(scene))

  @doc type: :change
  @doc """
  The scene in parts that show together what it shows.

    * `:root` - a part for each root, and for each set of instances that is below none; roots that a skin or an animation binds stay
      together
    * `:material` - a part for each material
    * `{:grid, side}` - a part for each square of the ground, of that side in metres

  ```
  iex> scene = %Wasgo.Scene{name: "two", nodes: [%Wasgo.Scene.Node{name: "a"}, %Wasgo.Scene.Node{name: "b"}], roots: [0, 1]}
  iex> {:ok, parts} = Wasgo.Scene.split(scene, :root)
  iex> for part <- parts, do: hd(part.nodes).name
  ["a", "b"]
  ```
  """
  @spec split(t(), :root | :material | {:grid, number()}) ::
          {:ok, [t()]} | {:error, Wasgo.SceneError.t()}
  def split(%__MODULE__{} = scene, :root), do: change(scene, {:split_root})
  def split(%__MODULE__{} = scene, :material), do: change(scene, {:split_material})
  def split(%__MODULE__{} = scene, {:grid, side}), do: change(scene, {:split_grid, side})

  @doc type: :change
  @doc """
  As `split/2`, but raises.

      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:cottage, seed: 42))
      iex> for part <- Wasgo.Scene.split!(scene, :material), do: Wasgo.Scene.compact!(part).materials |> Enum.map(& &1.name)
      [["built_plaster"], ["built_stone"], ["built_timber"], ["built_plank"], ["built_tile"], ["built_glass"], ["built_metal"], ["built_earth"]]
  """
  @spec split!(t(), :root | :material | {:grid, number()}) :: [t()]
  def split!(scene, by), do: Result.bang!(split(scene, by))

  defp change(scene, change), do: Result.await(Native.scene_change(scene, change))

  @doc type: :change
  @doc """
  Several scenes as one: lists are joined, references moved along. Meshes and materials that are the same are kept once.

      iex> {:ok, scene} = Wasgo.Gen.Chunk.to_scene(Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, height: 10), {0, 0}))
      iex> both = Wasgo.Scene.merge([scene, scene])
      iex> {length(both.roots), length(both.meshes) == length(scene.meshes)}
      {2, true}
  """
  @spec merge([t()], String.t()) :: t()
  def merge(scenes, name \\ "world") do
    Wasgo.Scene.Merge.merge(scenes, name)
  end

  @doc false
  # Indices for an engine whose front faces are clockwise.
  def flip(indices) when byte_size(indices) <= @flip_on_scheduler, do: Native.scene_flip(indices)
  def flip(indices), do: Native.scene_flip_dirty(indices)

  defimpl Inspect do
    def inspect(scene, _opts) do
      instances = scene.instances |> Enum.map(&Wasgo.Scene.Instances.count/1) |> Enum.sum()

      "#Wasgo.Scene<#{Kernel.inspect(scene.name)}, #{length(scene.nodes)} nodes, #{length(scene.meshes)} meshes, " <>
        "#{instances} instances>"
    end
  end
end
