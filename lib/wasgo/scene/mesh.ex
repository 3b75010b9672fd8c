defmodule Wasgo.Scene.Surface do
  @moduledoc """
  Triangles of one material. Data is little-endian; all but `positions` and `indices` may be empty.

    * `positions` - three 32-bit floats a vertex, in metres
    * `normals` - three 32-bit floats a vertex, of length 1
    * `tangents` - four 32-bit floats a vertex: a direction of length 1, and 1 or -1 for the side of the bitangent
    * `colors` - four 32-bit floats a vertex: linear red, green, blue and alpha from 0 to 1
    * `uvs`, `uvs2` - two 32-bit floats a vertex, from the upper left of a texture
    * `joints` - four unsigned 16-bit integers a vertex, places in the joints of the node's skin
    * `weights` - four 32-bit floats a vertex, how far each joint holds it, 1 in sum
    * `attributes` - pairs of a name in glTF (`"_WIND"`, `"TEXCOORD_2"`) and a `Wasgo.Scene.Attribute`
    * `indices` - three unsigned 32-bit integers a triangle, counter-clockwise
    * `material` - position in the scene's materials, or `nil`
    * `morphs` - `Wasgo.Scene.Morph`s, shapes to blend to; all surfaces of a mesh have those of the same names
    * `lods` - `Wasgo.Scene.Lod`s, from fine to coarse
    * `extras` - for whoever reads the scene: pairs of a name and a JSON value
  """

  alias Wasgo.Scene

  @enforce_keys [:positions, :indices]
  defstruct [
    :positions,
    :indices,
    normals: "",
    tangents: "",
    colors: "",
    uvs: "",
    uvs2: "",
    joints: "",
    weights: "",
    attributes: [],
    material: nil,
    morphs: [],
    lods: [],
    extras: []
  ]

  @type t :: %__MODULE__{
          positions: binary(),
          normals: binary(),
          tangents: binary(),
          colors: binary(),
          uvs: binary(),
          uvs2: binary(),
          joints: binary(),
          weights: binary(),
          attributes: [{String.t(), Scene.Attribute.t()}],
          indices: binary(),
          material: non_neg_integer() | nil,
          morphs: [Scene.Morph.t()],
          lods: [Scene.Lod.t()],
          extras: Scene.extras()
        }

  defimpl Inspect do
    def inspect(surface, _opts) do
      vertices = div(byte_size(surface.positions), 12)
      triangles = div(byte_size(surface.indices), 12)

      more =
        for {items, word} <- [{surface.morphs, "morphs"}, {surface.lods, "lods"}], items != [] do
          ", #{length(items)} #{word}"
        end

      "#Wasgo.Scene.Surface<#{vertices} vertices, #{triangles} triangles#{more}>"
    end
  end
end

defmodule Wasgo.Scene.Attribute do
  @moduledoc """
  Data of vertices that a surface has no field for: packed elements of 1 to 4 `components`, each an `:i8`, `:u8`, `:i16`, `:u16` or
  `:f32`. `normalized` integers stand for 0 to 1, or -1 to 1.
  """
  @derive {Inspect, except: [:data]}
  @enforce_keys [:component, :components, :data]
  defstruct [:component, :components, :data, normalized: false]

  @type t :: %__MODULE__{
          component: :i8 | :u8 | :i16 | :u16 | :u32 | :f32,
          components: 1..4,
          normalized: boolean(),
          data: binary()
        }
end

defmodule Wasgo.Scene.Morph do
  @moduledoc "A shape that a surface can be blended to: what is added to `positions`, `normals` and `tangents`, three 32-bit floats a vertex each, or empty."
  @derive {Inspect, only: [:name]}
  defstruct name: "", positions: "", normals: "", tangents: ""

  @type t :: %__MODULE__{
          name: String.t(),
          positions: binary(),
          normals: binary(),
          tangents: binary()
        }
end

defmodule Wasgo.Scene.Lod do
  @moduledoc "Fewer triangles over the vertices of a surface: `indices` as the surface's own, `error` how far they may be from it, in metres."
  @derive {Inspect, only: [:error]}
  @enforce_keys [:indices, :error]
  defstruct [:indices, :error]
  @type t :: %__MODULE__{indices: binary(), error: float()}
end

defmodule Wasgo.Scene.Mesh do
  @moduledoc "A named list of surfaces. `weights` are how far each morph is blended in where a node says nothing."
  alias Wasgo.Scene

  @enforce_keys [:name, :surfaces]
  defstruct [:name, :surfaces, weights: [], extras: [], extensions: []]

  @type t :: %__MODULE__{
          name: String.t(),
          surfaces: [Scene.Surface.t()],
          weights: [float()],
          extras: Scene.extras(),
          extensions: Scene.extras()
        }
end
