defmodule Wasgo.World.Zone.Making do
  @moduledoc false
  # What is made or read for an engine, each in a process of its own that ends with it: chunks, and files of the world. The zone's own process waits for none.

  alias Wasgo.Gen.{Cache, Plan, Work}
  alias Wasgo.Godot.{Frame, Vector3}
  alias Wasgo.World.Journal
  alias Wasgo.World.Zone.Meshes

  # Raised when frames of the same chunk become others: engines then do not take those that they hold for them.
  @format 1

  @type job :: reference()

  @doc false
  # The answer comes as `{Wasgo.World.Zone.Making, job, result}`, or `{:DOWN, job, :process, pid, reason}` where there is none.
  @spec start(fun()) :: job()
  def start(fun) do
    zone = self()
    gate = make_ref()

    {pid, job} =
      spawn_monitor(fn ->
        receive do: ({^gate, job} -> send(zone, {__MODULE__, job, fun.()}))
      end)

    send(pid, {gate, job})
    job
  end

  @doc false
  # The name of a chunk's content on the wire, known without making it. `edit` is the hash of what takes the place of the generated one, or `nil`.
  @spec chunk_hash(Work.t(), binary() | nil, float()) :: {:ok, binary()} | {:error, Exception.t()}
  def chunk_hash(work, nil, _size) do
    with {:ok, key} <- Work.key(work), do: {:ok, hash(["generated", key])}
  end

  # It stands where the plan has its chunk, whose side on level 0 is `size`.
  def chunk_hash(work, edit, size),
    do: {:ok, hash(["edited", edit, <<size::float>>, :erlang.term_to_binary(work.address)])}

  defp hash(parts), do: :sha256 |> :crypto.hash([<<@format>> | parts]) |> Meshes.short()

  @doc false
  # The fields of a chunk's frame, the meshes that have to be there before it, and the hash of both, or `:empty`: plans that differ elsewhere make the same of it. Those in `known`, of which the engine has what this plan makes of the
  # name, are not looked at.
  @spec chunk(Work.t(), binary(), GenServer.server() | nil, %{String.t() => binary()}) ::
          {:ok, map(), [Meshes.mesh()], binary() | :empty} | {:error, Exception.t()}
  def chunk(work, hash, cache, known) do
    with {:ok, made} <- Cache.await(Cache.start(cache, work), work),
         {:ok, {"chunk", fields}, meshes} <- Frame.chunk(Work.finish(work, made)) do
      meshes = Enum.map(meshes, &mesh(&1, known))
      needs = for {name, of, _fields} <- meshes, do: {name, of}

      content =
        if nothing?(fields),
          do: :empty,
          else: Meshes.hash(%{"chunk" => fields, "needs" => Enum.map(needs, &Tuple.to_list/1)})

      {:ok, Map.put(fields, "hash", {:packed_byte, hash}), meshes, content}
    end
  end

  # Most cubes of a volume.
  defp nothing?(fields), do: Enum.all?(~w(surfaces colliders instances), &(fields[&1] == []))

  defp mesh({mesh, materials}, known), do: mesh(mesh, materials, known)
  defp mesh(mesh, known), do: mesh(mesh, Plan.materials(), known)

  defp mesh(%{name: name} = mesh, materials, known) do
    case known do
      %{^name => hash} ->
        {name, hash, nil}

      _unknown ->
        fields = Meshes.frame(mesh, materials, name)
        {name, Meshes.hash(fields), fields}
    end
  end

  @doc false
  # A chunk that was edited, in the place of the generated one.
  @spec edited(Work.t(), binary(), Journal.t(), binary(), float()) ::
          {:ok, map(), [], binary()} | {:error, Exception.t()}
  def edited(work, hash, journal, edit, size) do
    with {:ok, glb} <- Journal.payload(journal, edit) do
      key = Frame.key(work.address)

      {:ok,
       %{
         "key" => key,
         "name" => key,
         "origin" => corner(work.address, size),
         "glb" => {:packed_byte, glb},
         "colliders" => [],
         "instances" => [],
         "extras" => %{},
         "hash" => {:packed_byte, hash}
       }, [], hash}
    end
  end

  defp corner({x, z, level}, size), do: corner({x, 0, z, level}, size)

  defp corner({x, y, z, level}, size) do
    side = size * Bitwise.bsl(1, level)
    Vector3.new(x * side, y * side, z * side)
  end

  @doc false
  # A mesh that was put into the world.
  @spec world_mesh(Journal.t(), String.t(), binary()) ::
          {:ok, [Meshes.mesh()]} | {:error, Exception.t()}
  def world_mesh(journal, name, hash) do
    with {:ok, bytes} <- Journal.payload(journal, hash) do
      {mesh, materials} = :erlang.binary_to_term(bytes)
      name = Meshes.world_name(name)
      {:ok, [{name, Meshes.short(hash), Meshes.frame(mesh, materials, name)}]}
    end
  end

  @doc false
  # A glTF file by its name on the wire. Nothing else of the world can be had so.
  @spec asset(Journal.t(), binary()) :: {:ok, map()} | {:error, Exception.t()}
  def asset(journal, short) do
    with {:ok, <<"glTF", _::binary>> = glb} <- Journal.payload_beginning(journal, short) do
      {:ok, %{"hash" => {:packed_byte, short}, "glb" => {:packed_byte, glb}}}
    else
      {:ok, _other} -> Journal.lost(short)
      error -> error
    end
  end
end
