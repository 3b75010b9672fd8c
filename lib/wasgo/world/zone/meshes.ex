defmodule Wasgo.World.Zone.Meshes do
  @moduledoc false
  # The named meshes that an engine holds, by the hashes of their frames, and the contents that it can get without being sent them. A value.

  alias Wasgo.Godot.Frame
  alias Wasgo.World.Zone.Have

  @most 65_536

  defstruct held: %{}, from: %{}, have: %Have{}

  @type t :: %__MODULE__{}

  @typedoc "A mesh to be there: its fields are `nil` where it is believed to be."
  @type mesh :: {name :: String.t(), hash :: binary(), fields :: map() | nil}

  @spec new([String.t()], binary(), Have.t()) :: t()
  def new(names, hashes, have) do
    held = names |> Enum.zip(split(hashes)) |> Enum.take(@most) |> Map.new()
    %__MODULE__{held: held, have: Enum.reduce(Map.values(held), have, &Have.sent(&2, &1))}
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
        have: Have.sent(meshes.have, hash)
    }
  end

  @doc false
  # The engine does not have it after all.
  @spec lost(t(), String.t()) :: {from :: term(), t()}
  def lost(meshes, name) do
    {hash, held} = Map.pop(meshes.held, name)
    {from, froms} = Map.pop(meshes.from, name)
    have = if hash, do: Have.lost(meshes.have, hash), else: meshes.have
    {from, %{meshes | held: held, from: froms, have: have}}
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
