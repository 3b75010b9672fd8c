defmodule Wasgo.Gen.Plan do
  @moduledoc """
  What a world is like, checked and compiled, ready to generate from. Made by `Wasgo.Gen.plan/1`.

    * `seed`, `chunk_size` (m, of level 0), `samples` along a side, `levels` (the coarsest), `water_level` (m, or `nil`)
    * `digest` - 32 bytes; plans with the same make the same world
    * `rules` - kind and number of variants of each scatter rule
    * `props` - the meshes of what is scattered, in the order in which an instance table's kinds count them
  """

  alias Wasgo.{Native, Scene}

  @keys [
    :resource,
    :json,
    :digest,
    :seed,
    :chunk_size,
    :samples,
    :levels,
    :props,
    :water_level,
    :rules
  ]
  @enforce_keys @keys
  defstruct @keys

  @type t :: %__MODULE__{
          resource: reference(),
          json: binary(),
          digest: <<_::256>>,
          seed: non_neg_integer(),
          chunk_size: float(),
          samples: pos_integer(),
          levels: non_neg_integer(),
          props: [Scene.Mesh.t()],
          water_level: float() | nil,
          rules: [{atom(), pos_integer()}]
        }

  @doc """
  The plan as text, with everything in it that was not given: to keep in a file or a database, and to read again with `Wasgo.Gen.from_json/1`.
  """
  @spec to_json(t()) :: binary()
  def to_json(%__MODULE__{json: json}), do: json

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
  The materials that generated surfaces refer to: ground, painted (props and creatures), water, what
  plants and rocks are made of, and what is built (`"built_stone"`, `"built_glass"`, ...).
  """
  @spec materials() :: [Scene.Material.t()]
  def materials do
    for {name, base_color, {metallic, roughness, double_sided}, {emissive, strength}} <-
          Native.gen_materials() do
      %Scene.Material{
        name: name,
        base_color: base_color,
        metallic: metallic,
        roughness: roughness,
        double_sided: double_sided,
        emissive: emissive,
        emissive_strength: strength
      }
    end
  end

  @doc false
  def new({resource, json, digest, props, water_level, rules}) do
    meshes =
      for {name, _kind, surfaces} <- props do
        %Scene.Mesh{name: name, surfaces: Wasgo.Gen.surfaces(surfaces, @painted)}
      end

    %{"seed" => seed, "chunk" => chunk} = Wasgo.Wire.decode!(json, :json)

    %__MODULE__{
      resource: resource,
      json: json,
      digest: digest,
      seed: seed,
      chunk_size: chunk["size"] / 1,
      samples: chunk["samples"],
      levels: chunk["levels"],
      props: meshes,
      water_level: water_level,
      rules: rules
    }
  end

  defimpl Inspect do
    def inspect(plan, _opts) do
      %{seed: seed, chunk_size: size, samples: samples} = plan
      rules = Enum.map_join(plan.rules, ", ", fn {kind, variants} -> "#{variants} #{kind}" end)
      scatter = if rules == "", do: "", else: ", scatters " <> rules

      "#Wasgo.Gen.Plan<seed #{seed}, chunks of #{size} m with #{samples} x #{samples} samples#{scatter}>"
    end
  end
end
