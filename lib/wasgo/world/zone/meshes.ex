defmodule Wasgo.World.Zone.Meshes do
  @moduledoc false
  # The named meshes that an engine holds, by the hashes of their frames, and the contents that it can get without being sent them. A value.
  #
  # An engine holds so many. Before one more comes those go that were used longest ago, a quarter of all at once, since the oldest have to be found.

  alias Wasgo.Godot.Frame
  alias Wasgo.World.Zone.Have

  @most 65_536
  # Those that go at once: as many as a frame may name.
  @most_stale 16_384

  defstruct held: %{}, from: %{}, used: %{}, uses: 0, most: 4_096, have: %Have{}

  @type t :: %__MODULE__{}

  @typedoc "A mesh to be there: its fields are `nil` where it is believed to be."
  @type mesh :: {name :: String.t(), hash :: binary(), fields :: map() | nil}

  @doc false
  # What the engine says that it holds, and how many it may.
  @spec new([String.t()], binary(), pos_integer(), Have.t()) :: t()
  def new(names, hashes, most, have) do
    held = names |> Enum.zip(split(hashes)) |> Enum.take(@most) |> Map.new()
    have = Enum.reduce(Map.values(held), have, &Have.sent(&2, &1))
    use_all(%__MODULE__{held: held, most: min(most, @most), have: have}, Map.keys(held))
  end

  @doc false
  # What is sent now shows these.
  @spec use_all(t(), [String.t()]) :: t()
  def use_all(meshes, names) do
    used = for name <- names, is_map_key(meshes.held, name), into: %{}, do: {name, meshes.uses}
    %{meshes | used: Map.merge(meshes.used, used), uses: meshes.uses + 1}
  end

  @doc false
  # Of so many what needs them may be sent as one.
  @spec together(t()) :: pos_integer()
  def together(meshes), do: max(div(meshes.most, 4), 1)

  @doc false
  # The names that have to go before this one can come: none where there is room, or where all the others are among those that are to stay.
  @spec stale(t(), String.t(), [String.t()]) :: [String.t()]
  def stale(%{held: held, most: most} = meshes, name, staying) do
    if is_map_key(held, name) or map_size(held) < most do
      []
    else
      meshes.used
      |> Map.drop(staying)
      |> Enum.sort_by(&elem(&1, 1))
      |> Enum.take(min(map_size(held) - div(3 * most, 4), @most_stale))
      |> Enum.map(&elem(&1, 0))
    end
  end

  @doc false
  # The engine holds them no more.
  @spec forget(t(), [String.t()]) :: t()
  def forget(meshes, names) do
    %{
      meshes
      | held: Map.drop(meshes.held, names),
        from: Map.drop(meshes.from, names),
        used: Map.drop(meshes.used, names)
    }
  end

  @doc false
  # Hashes as they are on the wire, 16 bytes each. What is left over is none.
  @spec split(binary()) :: [binary()]
  def split(hashes), do: for(<<hash::binary-16 <- hashes>>, do: :binary.copy(hash))

  @doc false
  # The name of a content on the wire.
  @spec short(binary()) :: binary()
  def short(<<hash::binary-16, _::binary>>), do: hash

  @doc false
  # Meshes that were put into the world have names of their own among those of plans.
  @spec world_name(String.t()) :: String.t()
  def world_name(name), do: "world:" <> name

  @doc false
  # What the world calls a mesh of such a name.
  @spec world_key(String.t()) :: {:ok, {:mesh, String.t()}} | :error
  def world_key("world:" <> name), do: {:ok, {:mesh, name}}
  def world_key(_other), do: :error

  @spec held?(t(), String.t(), binary()) :: boolean()
  def held?(meshes, name, hash), do: Map.get(meshes.held, name) == hash

  @doc false
  # Whether the engine can have it without being sent it.
  @spec within_reach?(t(), String.t(), binary()) :: boolean()
  def within_reach?(meshes, name, hash),
    do: held?(meshes, name, hash) or Have.member?(meshes.have, hash)

  @doc false
  # The engine has it from now on; `from` is where it can be had from again.
  @spec put(t(), String.t(), binary(), term()) :: t()
  def put(meshes, name, hash, from) do
    %{
      meshes
      | held: Map.put(meshes.held, name, hash),
        from: Map.put(meshes.from, name, from),
        used: Map.put(meshes.used, name, meshes.uses),
        uses: meshes.uses + 1,
        have: Have.sent(meshes.have, hash)
    }
  end

  @doc false
  # The engine does not have it after all. `from` is where it can be had from again: `nil` for one that it holds from before.
  @spec lost(t(), String.t()) :: {from :: term(), t()}
  def lost(meshes, name) do
    hash = meshes.held[name]
    have = if hash, do: Have.lost(meshes.have, hash), else: meshes.have
    {meshes.from[name], %{forget(meshes, [name]) | have: have}}
  end

  @doc false
  @spec frame(Wasgo.Scene.Mesh.t(), [Wasgo.Scene.Material.t()], String.t()) :: map()
  def frame(mesh, materials, name) do
    {"mesh", fields} = Frame.mesh(%{mesh | name: name}, materials)
    fields
  end

  @doc false
  # The same fields have the same hash, whenever and wherever they are made.
  @spec hash(map()) :: binary()
  def hash(fields) do
    bytes = :erlang.term_to_binary(fields, [:deterministic, minor_version: 2])
    :sha256 |> :crypto.hash(bytes) |> short()
  end
end
