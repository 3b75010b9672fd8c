defmodule Wasgo.Gen.Object do
  @moduledoc """
  Something that was built or placed, and everywhere that it stands in a chunk: an element of a `Wasgo.Gen.Chunk`'s `objects`.

    * `kind` - what it is: the name of a preset of buildings (`:cottage`, `:church`, ...) or `:building`; a thing of settlements (`:well`,
      `:market_cross`, `:stall`, `:bench`, `:lamp`, `:tree`, `:fruit_tree`, `:fence`, `:haystack`, `:cart`, `:woodpile`, `:signpost`); `:bridge`;
      `:prop`; `:dungeon`
    * `key` - 32 bytes: models with the same key are the same, in all chunks
    * `mesh` - a `Wasgo.Scene.Mesh` with a name of its own, in the level of detail of the chunk
    * `transforms` - 12 32-bit floats a thing, a 3 x 4 matrix row by row, relative to the chunk's origin
    * `boxes` - what one can't walk through, in the space of the mesh: six 32-bit floats a box, its middle and half its sides in metres. Coarse
      levels have none
    * `numbers` - positions in the plan's `:objects` of the things in the order of the transforms, `nil` for those of settlements; empty
      when none is the plan's


  ## Examples

      iex> cottage = [what: {:building, :cottage}, x: 20, z: 30]
      iex> [object] = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, objects: [cottage]), {0, 0}).objects
      iex> {object.kind, object.numbers}
      {:cottage, [0]}
  """

  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.Scene

  @keys [:kind, :key, :mesh, :transforms, :boxes, :numbers]
  @enforce_keys @keys
  defstruct @keys

  @type t :: %__MODULE__{
          kind: atom(),
          key: <<_::256>>,
          mesh: Scene.Mesh.t(),
          transforms: binary(),
          boxes: binary(),
          numbers: [non_neg_integer() | nil]
        }

  @typedoc "A box: its middle, half its sides, and its turn about +Y in radians."
  @type box :: %{center: Scene.point(), half: Scene.point(), yaw: float()}

  @doc false
  def new({kind, name, key, surfaces, boxes, transforms, numbers}) do
    %__MODULE__{
      kind: kind,
      key: key,
      mesh: mesh(name, surfaces),
      transforms: transforms,
      boxes: boxes,
      numbers: numbers
    }
  end

  @doc false
  def mesh(name, surfaces) do
    surfaces =
      for {material, {positions, normals, colors, uvs, uvs2}, indices} <- surfaces do
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

    %Scene.Mesh{name: name, surfaces: surfaces}
  end

  @doc """
  How often it stands in the chunk.

      iex> tower = [what: {:building, :tower}, x: 20, z: 30]
      iex> [tower] = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, objects: [tower]), {0, 0}).objects
      iex> Wasgo.Gen.Object.count(tower)
      1
  """
  @spec count(t()) :: pos_integer()
  def count(%__MODULE__{transforms: transforms}), do: div(byte_size(transforms), 48)

  @doc """
  How many triangles one of it has.

      iex> cottage = [what: {:building, :cottage}, x: 20, z: 30]
      iex> plan = Wasgo.Gen.plan!(seed: 7, objects: [cottage])
      iex> [near] = Wasgo.Gen.chunk!(plan, {0, 0}).objects
      iex> [far] = Wasgo.Gen.chunk!(plan, {0, 0, 2}).objects
      iex> Wasgo.Gen.Object.triangles(near) > Wasgo.Gen.Object.triangles(far)
      true
  """
  @spec triangles(t()) :: non_neg_integer()
  def triangles(%__MODULE__{mesh: mesh}),
    do: mesh.surfaces |> Enum.map(&div(byte_size(&1.indices), 12)) |> Enum.sum()

  @doc """
  The boxes of all that stand there, relative to the chunk's origin.

      iex> cottage = [what: {:building, :cottage}, x: 20, z: 30]
      iex> [object] =
      ...>   Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, objects: [cottage]), {0, 0}).objects
      iex> [%{center: {_x, _y, _z}, half: {_w, _h, _d}, yaw: _radians} | _walls] = Wasgo.Gen.Object.boxes(object)
      iex> :ok
      :ok
  """
  @spec boxes(t()) :: [box()]
  def boxes(%__MODULE__{boxes: boxes, transforms: transforms}) do
    local = unpack(boxes)

    for <<row::binary-48 <- transforms>>, {{x, y, z}, {w, h, d}} <- local do
      [a, b, c, tx, e, f, g, ty, i, j, k, tz] = for <<value::float-32-little <- row>>, do: value
      scale = :math.sqrt(a * a + e * e + i * i)

      %{
        center:
          {a * x + b * y + c * z + tx, e * x + f * y + g * z + ty, i * x + j * y + k * z + tz},
        half: {w * scale, h * scale, d * scale},
        yaw: :math.atan2(c, k)
      }
    end
  end

  @doc false
  def unpack(boxes) do
    for <<x::float-32-little, y::float-32-little, z::float-32-little, w::float-32-little,
          h::float-32-little, d::float-32-little <- boxes>>,
        do: {{x, y, z}, {w, h, d}}
  end

  @shared [:well, :market_cross, :stall, :bench, :lamp, :tree, :fruit_tree, :fence] ++
            [:haystack, :cart, :woodpile, :signpost, :prop]

  @doc false
  # The kinds of which there are few models in many chunks.
  def shared, do: @shared

  @doc false
  # All of some objects as surfaces in the space of the chunk, one a material.
  @spec bake([t()]) :: {:ok, [Scene.Surface.t()]} | {:error, Exception.t()}
  def bake([]), do: {:ok, []}

  def bake(objects) do
    parts =
      for object <- objects, surface <- object.mesh.surfaces do
        %{positions: positions, normals: normals, colors: colors, indices: indices} = surface
        {surface.material, positions, normals, colors, indices, object.transforms}
      end

    with {:ok, surfaces} <- Result.await(Native.gen_bake(parts)) do
      {:ok,
       for {material, positions, normals, colors, indices} <- surfaces do
         %Scene.Surface{
           positions: positions,
           normals: normals,
           colors: colors,
           indices: indices,
           material: material
         }
       end}
    end
  end

  defimpl Inspect do
    def inspect(object, _opts) do
      alias Wasgo.Gen.Object

      "#Wasgo.Gen.Object<#{Object.count(object)} #{object.kind}, #{Object.triangles(object)} triangles>"
    end
  end
end
