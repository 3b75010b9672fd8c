defmodule Wasgo.Gen.Plan do
  @moduledoc """
  What a world is like, checked and compiled, ready to generate from. Made by `Wasgo.Gen.plan/1`.

    * `seed`, `chunk_size` (m, of level 0), `samples` along a side, `levels` (the coarsest), `water_level` (m, or `nil`)
    * `digest` - 32 bytes; plans with the same make the same world
    * `rules` - kind and number of variants of each scatter rule
    * `props` - the meshes of what is scattered, in the order in which an instance table's kinds count them
    * `models` - the same as `Wasgo.Gen.Prop`s: with levels of detail and colliders. Of a chunk of level 0 things are shown as in `props`, of others in
      the coarsest level whose error, at the greatest scale of its rule, is at most a sixteenth of the distance of the chunk's samples

  ## Examples

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {plan.seed, plan.chunk_size, plan.rules}
      {7, 64.0, [tree: 4, conifer: 4, rock: 4, bush: 3]}
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
    :models,
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
          models: [Wasgo.Gen.Prop.t()],
          water_level: float() | nil,
          rules: [{atom(), pos_integer()}]
        }

  @doc """
  The plan as text, with everything in it that was not given: to keep in a file or a database, and to read again with `Wasgo.Gen.from_json/1`.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, again} = Wasgo.Gen.from_json(Wasgo.Gen.Plan.to_json(plan))
      iex> again.digest == plan.digest
      true
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

  @finishes %{bark: 3, leaf: 4, solid: 5, timber: 6, crystal: 7, card: 8}

  @doc false
  def finish(finish), do: Map.fetch!(@finishes, finish)

  @doc """
  The materials that generated surfaces refer to: ground, painted (low-poly props and creatures), water, those of props: bark, leaf (to be
  seen from both sides), solid, timber, crystal and card; and those of what is built: built_stone, built_glass and so on.

      iex> (for material <- Wasgo.Gen.Plan.materials(), do: material.name) |> Enum.take(4)
      ["ground", "painted", "water", "bark"]
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
    models = Enum.map(props, &Wasgo.Gen.Prop.new/1)
    %{"seed" => seed, "chunk" => chunk} = Wasgo.Wire.decode!(json, :json)

    %__MODULE__{
      resource: resource,
      json: json,
      digest: digest,
      seed: seed,
      chunk_size: chunk["size"] / 1,
      samples: chunk["samples"],
      levels: chunk["levels"],
      props: Enum.map(models, &hd(&1.lods).mesh),
      models: models,
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
