defmodule Wasgo.Scene do
  @moduledoc """
  Meshes, nodes and materials, as glTF has them: metres, +Y up, faces counter-clockwise.

  Vertex data is raw little-endian bytes, so that it goes from the generator to a file or an engine without being copied.
  References (a node's mesh, a surface's material) are positions in the scene's lists.
  """

  alias Wasgo.Native
  alias Wasgo.Native.Result

  defmodule Surface do
    @moduledoc """
    Triangles of one material.

      * `positions` - three 32-bit floats a vertex, in metres
      * `normals` - three 32-bit floats a vertex, of length 1; or empty
      * `colors` - four 32-bit floats a vertex: linear red, green, blue and alpha from 0 to 1; or empty
      * `indices` - three unsigned 32-bit integers a triangle
      * `material` - position in the scene's materials, or `nil`
    """
    @enforce_keys [:positions, :indices]
    defstruct [:positions, :indices, normals: "", colors: "", material: nil]

    @type t :: %__MODULE__{
            positions: binary(),
            normals: binary(),
            colors: binary(),
            indices: binary(),
            material: non_neg_integer() | nil
          }

    defimpl Inspect do
      def inspect(surface, _opts) do
        vertices = div(byte_size(surface.positions), 12)
        triangles = div(byte_size(surface.indices), 12)
        "#Wasgo.Scene.Surface<#{vertices} vertices, #{triangles} triangles>"
      end
    end
  end

  defmodule Mesh do
    @moduledoc "A named list of surfaces."
    @enforce_keys [:name, :surfaces]
    defstruct [:name, :surfaces]
    @type t :: %__MODULE__{name: String.t(), surfaces: [Surface.t()]}
  end

  defmodule Material do
    @moduledoc "How a surface looks: a base colour (linear red, green, blue, alpha), metallic and roughness factors from 0 to 1."
    defstruct name: "",
              base_color: {1.0, 1.0, 1.0, 1.0},
              metallic: 0.0,
              roughness: 1.0,
              double_sided: false

    @type t :: %__MODULE__{
            name: String.t(),
            base_color: {float(), float(), float(), float()},
            metallic: float(),
            roughness: float(),
            double_sided: boolean()
          }
  end

  defmodule Node do
    @moduledoc "A place in the scene, relative to its parent, with a mesh or without; `extras` are pairs of a name and text, a number or a boolean."
    defstruct name: "", translation: {0.0, 0.0, 0.0}, mesh: nil, children: [], extras: []

    @type t :: %__MODULE__{
            name: String.t(),
            translation: {float(), float(), float()},
            mesh: non_neg_integer() | nil,
            children: [non_neg_integer()],
            extras: [{String.t(), String.t() | number() | boolean()}]
          }
  end

  defmodule Instances do
    @moduledoc "One mesh placed many times: 12 32-bit floats an instance, a 3 x 4 matrix row by row, relative to the node `parent`."
    @enforce_keys [:name, :mesh, :transforms]
    defstruct [:name, :mesh, :transforms, parent: nil]

    @type t :: %__MODULE__{
            name: String.t(),
            mesh: non_neg_integer(),
            parent: non_neg_integer() | nil,
            transforms: binary()
          }

    @doc "How many there are."
    @spec count(t()) :: non_neg_integer()
    def count(%__MODULE__{transforms: transforms}), do: div(byte_size(transforms), 48)
  end

  defstruct name: "", nodes: [], meshes: [], materials: [], instances: [], roots: []

  @type t :: %__MODULE__{
          name: String.t(),
          nodes: [Node.t()],
          meshes: [Mesh.t()],
          materials: [Material.t()],
          instances: [Instances.t()],
          roots: [non_neg_integer()]
        }

  @type counts :: %{
          meshes: non_neg_integer(),
          surfaces: non_neg_integer(),
          vertices: non_neg_integer(),
          triangles: non_neg_integer(),
          nodes: non_neg_integer(),
          instances: non_neg_integer()
        }

  # Above this, flipping takes longer than a scheduler may be held.
  @flip_on_scheduler 1_048_576

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

  @doc """
  The scene as a GLB 2.0 file. Instances become nodes that share their mesh.
  """
  @spec to_glb(t()) :: {:ok, binary()} | {:error, Wasgo.SceneError.t()}
  def to_glb(%__MODULE__{} = scene), do: Result.await(Native.scene_to_glb(scene))

  @doc "As `to_glb/1`, but raises."
  @spec to_glb!(t()) :: binary()
  def to_glb!(scene), do: Result.bang!(to_glb(scene))

  @doc """
  Several scenes as one: lists are joined, references moved along. Meshes and materials that are the same are kept once.
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
