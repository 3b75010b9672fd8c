defmodule Wasgo.Gen do
  @moduledoc """
  Procedural generation: a plan and a coordinate in, a chunk of the world out, the same bytes for the same seed on every
  machine.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, chunk} = Wasgo.Gen.chunk(plan, {0, 0})
      iex> {chunk.samples, chunk.size}
      {65, 64.0}
      iex> {:ok, again} = Wasgo.Gen.chunk(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> again.heights == chunk.heights
      true

  Generating runs on threads of its own; the calling process waits for a message.
  """

  alias Wasgo.Gen.{Chunk, Plan}
  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.Scene

  @plan_options [
    seed: [type: :any, required: true],
    chunk_size: [type: :any, default: 64.0],
    samples: [type: :any, default: 65],
    terrain: [type: :keyword, default: []],
    palette: [type: :keyword, default: []],
    scatter: [type: {:or, [{:in, [:default]}, {:list_of, :keyword}]}, default: :default]
  ]

  @doc """
  Makes a plan: what the world is like.

    * `:seed` - an integer of 64 bits, 0 or more; required
    * `:chunk_size` - side of a chunk in metres, 1 to 4096; 64 unless given. The larger it is, the wider the `spacing` of the scatter rules
      must be: the default ones go up to some 700 m
    * `:samples` - samples along a side, 2 to 257; 65 unless given, which is one each metre
    * `:terrain` - `base_height` (m), `amplitude` (m), `frequency` (hills per metre), `octaves` (1 to 12), `lacunarity`, `gain`, `ridge`
      (share of mountains, 0 to 1), `warp` (m), `water_level` (m, or `nil` for none)
    * `:palette` - colours of the ground as linear `{red, green, blue}`: `sand`, `lush`, `dry`, `rock`, `snow`; where they meet:
      `sand_height`, `snow_height` (m), `rock_slope` (0 to 1), `blend` (m)
    * `:scatter` - rules for what stands on the ground, each a keyword list: `kind` (`:tree`, `:conifer`, `:rock`, `:bush`), `variants`,
      `spacing` (m), `density` (0 to 1), `slope`, `height`, `scale` (each `{least, greatest}`), `mask_frequency`, `mask_threshold`

  Numbers out of their range, and names that are none, are a `Wasgo.PlanError` that names the field.

      iex> {:error, error} = Wasgo.Gen.plan(seed: 1, terrain: [octaves: 40])
      iex> Exception.message(error)
      "terrain.octaves is 40, allowed: 1 to 12"
  """
  @spec plan(keyword()) :: {:ok, Plan.t()} | {:error, Wasgo.PlanError.t()}
  def plan(options) do
    options = Wasgo.Options.validate!(options, @plan_options, "Wasgo.Gen.plan/1")

    native = %{options | scatter: if(options.scatter == :default, do: nil, else: options.scatter)}

    with :ok <- check_seed(options.seed),
         {:ok, {resource, props, water_level, rules}} <- Result.await(Native.gen_plan(native)) do
      {:ok, Plan.new(resource, options, props, water_level, rules)}
    end
  end

  @seeds 0..0xFFFF_FFFF_FFFF_FFFF

  defp check_seed(seed) when is_integer(seed) and seed in @seeds, do: :ok

  defp check_seed(seed) do
    message = "seed is #{inspect(seed)}, allowed: an integer from 0 to #{@seeds.last}"
    {:error, %Wasgo.PlanError{reason: :out_of_range, field: "seed", message: message}}
  end

  @doc "As `plan/1`, but raises."
  @spec plan!(keyword()) :: Plan.t()
  def plan!(options), do: Result.bang!(plan(options))

  @doc """
  Generates the chunk at `{x, z}`, which counts in chunks.

  A coordinate outside of the world (about 1,000 km from the origin) is a `Wasgo.PlanError`.
  """
  @spec chunk(Plan.t(), Chunk.coordinate()) :: {:ok, Chunk.t()} | {:error, Wasgo.PlanError.t()}
  def chunk(%Plan{} = plan, {x, z} = coordinate) when is_integer(x) and is_integer(z) do
    with {:ok, native} <- Result.await(start(plan, coordinate)) do
      {:ok, Chunk.new(plan, coordinate, native)}
    end
  end

  @doc "As `chunk/2`, but raises."
  @spec chunk!(Plan.t(), Chunk.coordinate()) :: Chunk.t()
  def chunk!(plan, coordinate), do: Result.bang!(chunk(plan, coordinate))

  # Coordinates that a chunk's native form has no room for.
  @axis 0x7FFF_FFFF

  @doc false
  # Begins a chunk without waiting for it.
  def start(%Plan{} = plan, {x, z}) when abs(x) <= @axis and abs(z) <= @axis do
    Native.gen_chunk(plan.resource, x, z)
  end

  def start(%Plan{}, {x, z}) do
    axis = if abs(x) > @axis, do: "x", else: "z"
    message = "chunk #{axis} of #{inspect({x, z})} is outside of any world"
    {:error, %{kind: :plan, reason: :out_of_range, field: axis, message: message}}
  end

  @doc """
  A mesh of a small creature, some 0.8 m high, its feet at the origin, looking along -Z; each seed has its own colours.
  """
  @spec creature(non_neg_integer()) :: Scene.Mesh.t()
  def creature(seed) when seed in 0..0xFFFF_FFFF_FFFF_FFFF do
    %Scene.Mesh{
      name: "creature_#{seed}",
      surfaces: surfaces(Native.gen_creature(seed), Plan.painted())
    }
  end

  @doc false
  def surfaces(natives, material) do
    for {positions, normals, colors, indices} <- natives do
      %Scene.Surface{
        positions: positions,
        normals: normals,
        colors: colors,
        indices: indices,
        material: material
      }
    end
  end
end
