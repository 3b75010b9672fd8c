defmodule Wasgo.World.ConnectionTest do
  # Worlds by way of real connections, whose other end is a socket.
  use ExUnit.Case, async: true

  import Wasgo.TestPeer

  alias Wasgo.{Gen, Godot, Rows, Store, World}

  @moduletag :capture_log

  setup do
    store = Store.open!(:memory)
    plan = Gen.plan!(seed: 7, samples: 5, levels: 2, chunk_size: 32.0)
    {:ok, world} = World.start_link(name: "garden", store: store, plan: plan)
    token = Base.encode16(:crypto.strong_rand_bytes(16))

    {:ok, server} =
      Godot.Server.start_link(
        token: token,
        port: 0,
        heartbeat_ms: 60_000,
        worlds: %{"garden" => world}
      )

    {:ok, world: world, token: token, port: Godot.Server.port(server), server: server}
  end

  defp enter(c, zone, resume \\ %{}) do
    socket = connect(c.port)
    welcome = greet(socket, c.token, %{"world" => "garden", "zone" => zone})

    if welcome["t"] == "welcome" do
      say(socket, Map.merge(resume(), resume))
      {socket, welcome["world"]}
    else
      welcome
    end
  end

  defp resume do
    %{
      "t" => "resume",
      "rev" => 0,
      "keys" => {:packed_string, []},
      "hashes" => {:packed_byte, ""},
      "meshes" => {:packed_string, []},
      "mesh_hashes" => {:packed_byte, ""},
      "have" => {:packed_byte, ""}
    }
  end

  # Frames up to one that `wanted?` is true of, acknowledged.
  defp hear_until(socket, wanted?, heard \\ []) do
    frame = hear_beyond_pings(socket)
    assert frame != :closed, "closed after #{inspect(Enum.map(heard, & &1["t"]))}"
    heard = [frame | heard]
    last = fn number -> heard |> Enum.map(&Map.get(&1, number, 0)) |> Enum.max() end
    say(socket, %{"t" => "ack", "seq" => last.("seq"), "bulk" => last.("bulk"), "work" => 0})
    if wanted?.(frame), do: Enum.reverse(heard), else: hear_until(socket, wanted?, heard)
  end

  defp viewers(socket, x, z) do
    say(socket, %{
      "t" => "viewers",
      "ids" => {:packed_int64, <<1::64-little>>},
      "positions" => {:packed_vector3, <<x::float-32-little, 0::32, z::float-32-little>>},
      "radii" => {:packed_float32, <<40.0::float-32-little>>}
    })
  end

  test "an engine is shown its zone, and what changes", %{world: world} = c do
    {:ok, 1} = World.put(world, name: "here", zone: "north", scene: "lamp")
    {:ok, 2} = World.put(world, name: "not here", zone: "south")
    {socket, identity} = enter(c, "north")
    assert identity == World.info(world).identity
    frames = hear_until(socket, &(&1["t"] == "spawn"))
    assert [%{"t" => "resumed", "reset" => true, "rev" => 0, "seq" => 1} | _] = frames
    assert %{"nodes" => [%{"id" => 1, "scene" => "lamp"}], "rev" => rev} = List.last(frames)
    assert rev in [2, 3]
    {:ok, rev} = World.update(world, 1, position: {1, 2, 3})
    rows = socket |> hear_until(&(&1["t"] == "rows")) |> List.last()
    assert rows["rev"] == rev

    assert rows["values"] == [
             {:packed_vector3,
              <<1.0::float-32-little, 2.0::float-32-little, 3.0::float-32-little>>}
           ]

    {:ok, 1} = World.put_rows(world, Rows.new(["position:y"], [{1, [9.0]}]))
    rows = socket |> hear_until(&(&1["t"] == "rows")) |> List.last()
    refute is_map_key(rows, "rev")
    assert rows["columns"] == {:packed_string, ["position:y"]}
    {:ok, rev} = World.remove(world, 1)
    assert %{"rev" => ^rev} = socket |> hear_until(&(&1["t"] == "despawn")) |> List.last()
  end

  test "chunks come when the engine grants credit, after their meshes, and not before", c do
    {socket, _identity} = enter(c, "")
    viewers(socket, 16.0, 16.0)
    frames = hear_until(socket, &(&1["t"] == "resumed"))
    assert Enum.all?(frames, &(not is_map_key(&1, "bulk")))
    grant(socket)

    # Four are made at once, the nearest among the first of them; which is done first is the machine's business.
    frames = hear_until(socket, &(&1["t"] == "chunk" and &1["key"] == "0,0"))
    assert List.last(frames)["bulk"] in 1..4
    meshes = for %{"t" => "mesh", "name" => name} <- frames, do: name

    for %{"t" => "chunk", "instances" => instances, "hash" => {:packed_byte, hash}} <- frames do
      assert byte_size(hash) == 16
      assert Enum.all?(instances, &(&1["mesh"] in meshes))
    end
  end

  test "a zone is one engine's, and a world that is not there is none", %{world: world} = c do
    {socket, _identity} = enter(c, "north")
    hear_until(socket, &(&1["t"] == "resumed"))
    assert %{"t" => "refuse", "reason" => "zone"} = enter(c, "north")
    other = connect(c.port)
    assert %{"t" => "refuse", "reason" => "world"} = greet(other, c.token, %{"world" => "none"})
    assert World.info(world).zones == ["north"]
    assert leave(socket, world, "north")
    assert {_socket, _identity} = enter(c, "north")
  end

  # The connection hears of the end in its own time, and the world of that.
  defp leave(socket, world, zone) do
    %{pid: pid} = World.zone(world, zone)
    ref = Process.monitor(pid)
    :gen_tcp.close(socket)
    assert_receive {:DOWN, ^ref, :process, _pid, _reason}, 30_000
    free(world, zone)
  end

  defp free(world, zone), do: zone not in World.info(world).zones or free(world, zone)

  test "an engine that comes back is sent what it lacks", %{world: world} = c do
    {:ok, _} = World.mutate(world, for(n <- 1..10, do: {:put, name: "#{n}"}))
    {socket, _identity} = enter(c, "")
    %{"rev" => rev} = socket |> hear_until(&(&1["t"] == "spawn")) |> List.last()
    viewers(socket, 16.0, 16.0)
    grant(socket)
    frames = hear_until(socket, &(&1["t"] == "chunk"))
    %{"key" => key, "hash" => {:packed_byte, hash}} = List.last(frames)
    leave(socket, world, "")
    {:ok, _} = World.update(world, 5, position: {1, 1, 1})
    held = %{"rev" => rev, "keys" => {:packed_string, [key]}, "hashes" => {:packed_byte, hash}}
    {socket, _identity} = enter(c, "", held)
    frames = hear_until(socket, &(&1["t"] == "rows"))
    assert [%{"t" => "resumed", "reset" => false, "rev" => ^rev} | _] = frames
    assert %{"ids" => {:packed_int64, <<5::64-little>>}} = List.last(frames)
    refute Enum.any?(frames, &(&1["t"] == "spawn"))
    viewers(socket, 16.0, 16.0)
    grant(socket)
    frames = hear_until(socket, &(&1["t"] == "chunk" and &1["bulk"] == 3))
    refute key in for(%{"t" => "chunk"} = frame <- frames, do: frame["key"])
  end

  test "an engine that reads nothing costs no memory, whatever happens in the world", c do
    {:ok, _} = World.mutate(c.world, for(n <- 1..200, do: {:put, name: "#{n}"}))
    {socket, _identity} = enter(c, "")
    hear_until(socket, &(&1["t"] == "spawn"))
    %{pid: zone} = World.zone(c.world, "")
    before = memory(zone)

    for n <- 1..30,
        do:
          {:ok, _} =
            World.mutate(c.world, for(id <- 1..200, do: {:update, id, position: {n, 0, id}}))

    {:ok, rev} = World.put_property(c.world, "last", 1)
    assert memory(zone) < before + 1_000_000
    frames = hear_until(socket, &(&1["rev"] == rev))
    revs = for %{"rev" => rev} <- frames, do: rev
    assert revs == Enum.sort(revs) and revs == Enum.uniq(revs)
  end

  defp memory(pid) do
    :erlang.garbage_collect(pid)
    {:memory, bytes} = Process.info(pid, :memory)
    bytes
  end

  test "a world that ends says bye to its engines", %{world: world} = c do
    {socket, _identity} = enter(c, "")
    hear_until(socket, &(&1["t"] == "resumed"))
    :ok = World.stop(world)
    assert hear_until(socket, &(&1["t"] == "bye"))
  end
end
