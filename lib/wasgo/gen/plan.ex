defmodule Wasgo.Gen.Plan do
  @moduledoc """
  What a world is like, checked and ready to generate from. Made by `Wasgo.Gen.plan/1`.

  `props` are the meshes of what is scattered, in the order in which an instance table's kinds count them.
  """

  alias Wasgo.{Native, Scene}

  @enforce_keys [:resource, :options, :props, :water_level, :rules]
  defstruct [:resource, :options, :props, :water_level, :rules]

  @type t :: %__MODULE__{
          resource: reference(),
          options: map(),
          props: [Scene.Mesh.t()],
          water_level: float() | nil,
          rules: [{atom(), pos_integer()}]
        }

  # Positions in `materials/0`.
  @ground 0
  @painted 1
  @water 2

  @doc false
  def ground, do: @ground
  @doc false
  def painted, do: @painted
  @doc false
  def water, do: @water

  @doc """
  The materials that generated surfaces refer to: ground, painted (props and creatures) and water.
  """
  @spec materials() :: [Scene.Material.t()]
  def materials do
    for {name, base_color, {metallic, roughness, double_sided}} <- Native.gen_materials() do
      %Scene.Material{
        name: name,
        base_color: base_color,
        metallic: metallic,
        roughness: roughness,
        double_sided: double_sided
      }
    end
  end

  @doc false
  def new(resource, options, props, water_level, rules) do
    meshes =
      for {name, _kind, surfaces} <- props do
        %Scene.Mesh{name: name, surfaces: Wasgo.Gen.surfaces(surfaces, @painted)}
      end

    %__MODULE__{
      resource: resource,
      options: options,
      props: meshes,
      water_level: water_level,
      rules: rules
    }
  end

  defimpl Inspect do
    def inspect(plan, _opts) do
      %{seed: seed, chunk_size: size, samples: samples} = plan.options
      rules = Enum.map_join(plan.rules, ", ", fn {kind, variants} -> "#{variants} #{kind}" end)
      scatter = if rules == "", do: "", else: ", scatters " <> rules

      "#Wasgo.Gen.Plan<seed #{seed}, chunks of #{size} m with #{samples} x #{samples} samples#{scatter}>"
    end
  end
end
