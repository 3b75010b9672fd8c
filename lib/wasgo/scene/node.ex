defmodule Wasgo.Scene.Node do
  @moduledoc """
  A place in the scene, relative to its parent: scaled, turned by a unit quaternion `{x, y, z, w}` and moved in metres, or by `matrix`,
  3 x 4 numbers row by row, instead. What hangs in it is named by its position in the scene's lists: `mesh` with its `skin`, `camera`,
  `light`; `weights` blend the mesh's morphs. `extras` are pairs of a name and a JSON value.

      iex> lamp = %Wasgo.Scene.Node{name: "lamp", translation: {4.0, 0.0, -2.0}, light: 0}
      iex> glow = %Wasgo.Scene.Light{kind: :point, color: {1.0, 0.8, 0.5}, intensity: 40.0, range: 12.0}
      iex> scene = %Wasgo.Scene{nodes: [lamp], lights: [glow], roots: [0]}
      iex> Wasgo.Scene.validate!(scene).nodes
      1
  """
  alias Wasgo.Scene

  defstruct name: "",
            translation: {0.0, 0.0, 0.0},
            rotation: {0.0, 0.0, 0.0, 1.0},
            scale: {1.0, 1.0, 1.0},
            matrix: nil,
            mesh: nil,
            skin: nil,
            weights: [],
            camera: nil,
            light: nil,
            children: [],
            extras: [],
            extensions: []

  @type t :: %__MODULE__{
          name: String.t(),
          translation: {float(), float(), float()},
          rotation: {float(), float(), float(), float()},
          scale: {float(), float(), float()},
          matrix: tuple() | nil,
          mesh: non_neg_integer() | nil,
          skin: non_neg_integer() | nil,
          weights: [float()],
          camera: non_neg_integer() | nil,
          light: non_neg_integer() | nil,
          children: [non_neg_integer()],
          extras: Scene.extras(),
          extensions: Scene.extras()
        }
end

defmodule Wasgo.Scene.Instances do
  @moduledoc "One mesh placed many times: 12 32-bit floats an instance, a 3 x 4 matrix row by row, relative to the node `parent`."
  @enforce_keys [:name, :mesh, :transforms]
  defstruct [:name, :mesh, :transforms, parent: nil]

  @type t :: %__MODULE__{
          name: String.t(),
          mesh: non_neg_integer(),
          parent: non_neg_integer() | nil,
          transforms: binary()
        }

  @doc """
  How many there are.

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> {:ok, scene} = Wasgo.Gen.Chunk.to_scene(chunk)
      iex> scene.instances |> Enum.map(&Wasgo.Scene.Instances.count/1) |> Enum.sum() == Wasgo.Gen.Chunk.count(chunk)
      true
  """
  @spec count(t()) :: non_neg_integer()
  def count(%__MODULE__{transforms: transforms}), do: div(byte_size(transforms), 48)

  defimpl Inspect do
    def inspect(instances, _opts) do
      count = Wasgo.Scene.Instances.count(instances)

      "#Wasgo.Scene.Instances<#{Kernel.inspect(instances.name)}, #{count} of mesh #{instances.mesh}>"
    end
  end
end

defmodule Wasgo.Scene.Skin do
  @moduledoc """
  What bends a mesh with nodes: `joints` are positions in the scene's nodes, `inverse_bind` 16 32-bit floats for each, a 4 x 4 matrix
  column by column from the space of the mesh to that of the joint, or empty; `skeleton` a node that all joints are below, or `nil`.
  """
  alias Wasgo.Scene

  @derive {Inspect, except: [:inverse_bind]}
  @enforce_keys [:joints]
  defstruct [:joints, name: "", inverse_bind: "", skeleton: nil, extras: []]

  @type t :: %__MODULE__{
          name: String.t(),
          joints: [non_neg_integer()],
          inverse_bind: binary(),
          skeleton: non_neg_integer() | nil,
          extras: Scene.extras()
        }
end

defmodule Wasgo.Scene.Camera do
  @moduledoc """
  What can be looked through, along -Z: `{:perspective, yfov, aspect}` with the vertical field of view in radians and the aspect or `nil`,
  or `{:orthographic, xmag, ymag}` with half of the width and of the height; between `near` and `far` metres (`nil`: no end).
  """
  alias Wasgo.Scene

  @enforce_keys [:projection, :near]
  defstruct [:projection, :near, far: nil, name: "", extras: []]

  @type t :: %__MODULE__{
          name: String.t(),
          projection: {:perspective, float(), float() | nil} | {:orthographic, float(), float()},
          near: float(),
          far: float() | nil,
          extras: Scene.extras()
        }
end

defmodule Wasgo.Scene.Light do
  @moduledoc """
  What shines, along -Z: `:directional`, `:point`, or `{:spot, inner, outer}` with the angles in radians where a cone begins to fade and
  ends. `intensity` is in candela, or lux for a directional light; beyond `range` metres nothing is lit (`nil`: no end).
  """
  alias Wasgo.Scene

  @enforce_keys [:kind]
  defstruct [:kind, name: "", color: {1.0, 1.0, 1.0}, intensity: 1.0, range: nil, extras: []]

  @type t :: %__MODULE__{
          name: String.t(),
          kind: :directional | :point | {:spot, float(), float()},
          color: {float(), float(), float()},
          intensity: float(),
          range: float() | nil,
          extras: Scene.extras()
        }
end

defmodule Wasgo.Scene.Animation do
  @moduledoc "What moves nodes over time: a named list of `Wasgo.Scene.Channel`s."
  alias Wasgo.Scene

  @enforce_keys [:channels]
  defstruct [:channels, name: "", extras: []]

  @type t :: %__MODULE__{
          name: String.t(),
          channels: [Scene.Channel.t()],
          extras: Scene.extras()
        }
end

defmodule Wasgo.Scene.Channel do
  @moduledoc """
  How one property of one node moves.

    * `node` - position in the scene's nodes
    * `path` - `:translation`, `:rotation`, `:scale`, or `:weights` of morphs
    * `times` - a 32-bit float a key, in seconds, each above the one before
    * `values` - 32-bit floats, as many a key as the property has numbers; three times as many for `:cubic`
    * `interpolation` - between keys: `:linear`, `:step` or `:cubic`
  """
  @derive {Inspect, except: [:times, :values]}
  @enforce_keys [:node, :path, :times, :values]
  defstruct [:node, :path, :times, :values, interpolation: :linear]

  @type t :: %__MODULE__{
          node: non_neg_integer(),
          path: :translation | :rotation | :scale | :weights,
          interpolation: :linear | :step | :cubic,
          times: binary(),
          values: binary()
        }
end
