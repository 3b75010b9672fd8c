defmodule Wasgo.Scene.Material do
  @moduledoc """
  How a surface looks: the metallic-roughness model of glTF. Colours are linear, factors are from 0 to 1 and multiplied with their
  textures (`Wasgo.Scene.TextureRef`).

    * `alpha` - `:opaque`, `:blend`, `{:mask, cutoff}`, or `:auto`: blends where the alpha of the base colour is below 1
    * `emissive_strength` - multiplies `emissive`, 0 or more
    * `unlit` - the base colour is shown as it is
    * `extensions` - others (`"KHR_materials_clearcoat"` ...) as pairs of a name and a JSON value; textures in them are positions in the
      scene's textures

  ## Examples

      iex> brass = %Wasgo.Scene.Material{name: "brass", base_color: {0.75, 0.55, 0.2, 1.0}, metallic: 1.0, roughness: 0.3}
      iex> brass.alpha
      :auto
  """
  alias Wasgo.Scene
  alias Wasgo.Scene.TextureRef

  defstruct name: "",
            base_color: {1.0, 1.0, 1.0, 1.0},
            base_color_texture: nil,
            metallic: 0.0,
            roughness: 1.0,
            metallic_roughness_texture: nil,
            normal_texture: nil,
            normal_scale: 1.0,
            occlusion_texture: nil,
            occlusion_strength: 1.0,
            emissive: {0.0, 0.0, 0.0},
            emissive_texture: nil,
            emissive_strength: 1.0,
            alpha: :auto,
            double_sided: false,
            unlit: false,
            extras: [],
            extensions: []

  @type t :: %__MODULE__{
          name: String.t(),
          base_color: {float(), float(), float(), float()},
          base_color_texture: TextureRef.t() | nil,
          metallic: float(),
          roughness: float(),
          metallic_roughness_texture: TextureRef.t() | nil,
          normal_texture: TextureRef.t() | nil,
          normal_scale: float(),
          occlusion_texture: TextureRef.t() | nil,
          occlusion_strength: float(),
          emissive: {float(), float(), float()},
          emissive_texture: TextureRef.t() | nil,
          emissive_strength: float(),
          alpha: :auto | :opaque | :blend | {:mask, float()},
          double_sided: boolean(),
          unlit: boolean(),
          extras: Scene.extras(),
          extensions: Scene.extras()
        }
end

defmodule Wasgo.Scene.TextureRef do
  @moduledoc """
  A texture as a material uses it: its position in the scene's textures, which of the surface's texture coordinates (0 for `uvs`, 1
  for `uvs2`), and how they are scaled, turned (radians) and moved first.
  """
  @enforce_keys [:texture]
  defstruct [:texture, uv_set: 0, offset: {0.0, 0.0}, rotation: 0.0, scale: {1.0, 1.0}]

  @type t :: %__MODULE__{
          texture: non_neg_integer(),
          uv_set: non_neg_integer(),
          offset: {float(), float()},
          rotation: float(),
          scale: {float(), float()}
        }
end

defmodule Wasgo.Scene.Texture do
  @moduledoc """
  An image and how it is read.

    * `image` - position in the scene's images; `fallback` - that of a PNG or JPEG for readers that do not know the format of `image`
    * `magnify` - `:nearest`, `:linear` or `nil`; `minify` - a pair of such a filter and of `:none`, `:nearest` or `:linear` for the
      smaller copies, or `nil`
    * `wrap_u`, `wrap_v` - `:repeat`, `:mirror` or `:clamp`
  """
  @enforce_keys [:image]
  defstruct [
    :image,
    name: "",
    fallback: nil,
    magnify: nil,
    minify: nil,
    wrap_u: :repeat,
    wrap_v: :repeat
  ]

  @type filter :: :nearest | :linear
  @type wrap :: :repeat | :mirror | :clamp

  @type t :: %__MODULE__{
          name: String.t(),
          image: non_neg_integer(),
          fallback: non_neg_integer() | nil,
          magnify: filter() | nil,
          minify: {filter(), filter() | :none} | nil,
          wrap_u: wrap(),
          wrap_v: wrap()
        }
end

defmodule Wasgo.Scene.Image do
  @moduledoc "A picture as a file of its own `format`: `:png`, `:jpeg`, `:webp` or `:ktx2`."
  alias Wasgo.Scene

  @enforce_keys [:format, :data]
  defstruct [:format, :data, name: "", extras: []]

  @type t :: %__MODULE__{
          name: String.t(),
          format: :png | :jpeg | :webp | :ktx2,
          data: binary(),
          extras: Scene.extras()
        }

  defimpl Inspect do
    def inspect(image, _opts) do
      "#Wasgo.Scene.Image<#{Kernel.inspect(image.name)}, #{image.format}, #{byte_size(image.data)} bytes>"
    end
  end
end
