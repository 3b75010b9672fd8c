defmodule Wasgo.Gen.Generated do
  @moduledoc """
  A mesh that a script made in a chunk, and where it stands: see `Wasgo.Gen.Chunk`, whose `generated` are these.

    * `generator` - which of the plan's generators made it, from 0
    * `mesh` - a `Wasgo.Scene.Mesh` of one surface without a material; equal meshes have equal names, in whichever chunk
    * `material` - its `Wasgo.Scene.Material`: the colours are those of the vertices
    * `transforms` - 12 32-bit floats a place, a 3 x 4 matrix row by row, relative to the chunk's origin
  """

  alias Wasgo.Scene

  @enforce_keys [:generator, :mesh, :material, :transforms]
  defstruct [:generator, :mesh, :material, :transforms]

  @type t :: %__MODULE__{
          generator: non_neg_integer(),
          mesh: Scene.Mesh.t(),
          material: Scene.Material.t(),
          transforms: binary()
        }

  @doc false
  def new({generator, name, surface, look, transforms}) do
    {double_sided, roughness, metallic, emissive, strength} = look

    material = %Scene.Material{
      name: "generated",
      double_sided: double_sided,
      roughness: roughness,
      metallic: metallic,
      emissive: emissive,
      emissive_strength: strength
    }

    surfaces = Wasgo.Gen.surfaces([surface], nil)
    mesh = %Scene.Mesh{name: name, surfaces: surfaces}
    %__MODULE__{generator: generator, mesh: mesh, material: material, transforms: transforms}
  end

  @doc """
  In how many places it stands.

      iex> henge = File.read!("guest/scripts/henge.wasm")
      iex> circles = [script: "henge", parameters: [1.0, 9.0, -100.0]]
      iex> plan = Wasgo.Gen.plan!(seed: 7, height: 4.0, scripts: %{"henge" => henge}, generators: [circles])
      iex> made = Wasgo.Gen.chunk!(plan, {0, 0}).generated
      iex> made |> Enum.map(&Wasgo.Gen.Generated.count/1) |> Enum.sum() > 3
      true
  """
  @spec count(t()) :: pos_integer()
  def count(%__MODULE__{transforms: transforms}), do: div(byte_size(transforms), 48)

  @doc false
  # Their meshes with materials that follow so many others, and these: each once.
  def with_materials(generated, before) do
    materials = generated |> Enum.map(& &1.material) |> Enum.uniq()
    position = Map.new(Enum.with_index(materials, before))

    meshes =
      for %{mesh: mesh, material: material} <- generated do
        [surface] = mesh.surfaces
        %{mesh | surfaces: [%{surface | material: position[material]}]}
      end

    materials =
      for {material, n} <- Enum.with_index(materials), do: %{material | name: "generated_#{n}"}

    {meshes, materials}
  end

  defimpl Inspect do
    def inspect(generated, _opts) do
      [surface] = generated.mesh.surfaces
      triangles = div(byte_size(surface.indices), 12)
      count = Wasgo.Gen.Generated.count(generated)

      "#Wasgo.Gen.Generated<#{Kernel.inspect(generated.mesh.name)}, #{triangles} triangles, #{count} times>"
    end
  end
end
