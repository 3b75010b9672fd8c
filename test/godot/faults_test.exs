defmodule Wasgo.Godot.FaultsTest do
  # A world that survives: engines, sidecars and wires that fail while it changes. All with a real engine.
  use ExUnit.Case, async: true

  import Wasgo.EngineLink, only: [connected: 0, disconnected: 1]

  alias Wasgo.{BadLink, Gen, Godot, Killed, SidecarChild, Store, TestEngine, World}
  alias Wasgo.Godot.{Server, Vector3}

  @moduletag :godot
  @moduletag :capture_log
  @moduletag timeout: 300_000
  @token "the faults' secret"
  @patience 30_000

  # As long as an operator's network may be away.
  @long_stall 30_000
  # Longer than a heartbeat, and shorter than three.
  @short_stall 3_500

  defp start_world(plan \\ [samples: 9, chunk_size: 32.0], options \\ [heartbeat_ms: 1_000]) do
    {:ok, store} = Store.open(:memory)
    plan = Gen.plan!([seed: 7, levels: 1] ++ plan)
    world = start_supervised!({World, name: "garden", store: store, plan: plan})

    server = start_supervised!({Server, [token: @token, worlds: %{"garden" => world}] ++ options})

    Server.subscribe(server)
    {world, server}
  end

  defp start_engine(port, more, token \\ @token) do
    arguments = ["--port=#{port}", "--token=#{token}", "--world=garden", "--zone=all"]
    engine = TestEngine.start("world_peer.gd", arguments ++ more, 280)
    {engine, TestEngine.await_line(engine, "pid ")}
  end

  # Changes a world's objects all the time, until it is told to stop; tells how many changes there were.
  defp gardener(world) do
    Task.async(fn ->
      Stream.iterate(1, &(&1 + 1))
      |> Enum.reduce_while(0, fn n, done ->
        change(world, n)
        receive(do: (:stop -> {:halt, done + 1}), after: (0 -> {:cont, done + 1}))
      end)
    end)
  end

  defp change(world, n) do
    id = 1 + rem(n * 7, 40)
    place = {rem(n, 50) / 1, 1.0, rem(n, 17) / 1}

    case {World.object(world, id), rem(n, 5)} do
      {{:error, _none}, _} ->
        {:ok, _id} = World.put(world, id: id, name: "o#{id}", position: place)

      {_there, 0} ->
        {:ok, _rev} = World.remove(world, id)

      {_there, _} ->
        {:ok, _rev} = World.update(world, id, position: place)
    end
  end

  defp stop(gardener) do
    send(gardener.pid, :stop)
    Task.await(gardener, 60_000)
  end

  # Waits until the newest engine is where the world is, and compares what it holds.
  defp assert_equal(world, server) do
    connection = settled(world, server, System.monotonic_time(:millisecond) + 60_000)
    {:ok, held} = Godot.call(connection, "Eye", "held")

    expected =
      for object <- World.objects(world, limit: 100_000), into: %{} do
        at = object.transform.origin
        {object.id, [object.name, {at.x, at.y, at.z}]}
      end

    found = Map.new(held, fn {id, [name, at, _times]} -> {id, [name, {at.x, at.y, at.z}]} end)
    assert found == expected
    assert {:ok, []} = Godot.call(connection, "Eye", "wrongs")
    held
  end

  defp settled(world, server, until) do
    rev = World.rev(world)
    {:ok, connection} = Server.await_connection(server, @patience)

    case Godot.report(connection) do
      {:ok, %{"rev" => ^rev}} ->
        connection

      other ->
        assert System.monotonic_time(:millisecond) < until, "#{rev}: #{inspect(other)}"
        settled(world, server, until)
    end
  end

  test "an engine that is killed in mid-stream comes back to the same world" do
    {world, server} = start_world()
    gardener = gardener(world)

    for _ <- 1..3 do
      {engine, pid} = start_engine(Server.port(server), ["--view=100"])
      connection = connected()
      # In the midst of chunks and changes.
      assert {:ok, _counts} = Godot.report(connection)
      TestEngine.kill(engine, pid)
      disconnected(connection)
    end

    {engine, pid} = start_engine(Server.port(server), ["--view=100"])
    connected()
    assert stop(gardener) > 10
    assert map_size(assert_equal(world, server)) > 5
    TestEngine.kill(engine, pid)
  end

  test "a wire that is cut, stalled, slow, or delivers one byte at a time loses nothing and repeats nothing" do
    # Chunks of 300 kB.
    {world, server} = start_world(samples: 65, chunk_size: 64.0)
    for id <- 1001..1020, do: {:ok, ^id} = World.put(world, id: id, name: "kept#{id}")
    link = start_supervised!({BadLink, Server.port(server)})
    {engine, pid} = start_engine(BadLink.port(link), ["--view=60", "--patience=250"])
    TestEngine.await_line(engine, "connected")
    gardener = gardener(world)

    for _ <- 1..5 do
      BadLink.cut(link)
      TestEngine.await_line(engine, "connected")
    end

    # Longer than three heartbeats: both sides give up, and the engine tries again.
    BadLink.set(link, :stalled)
    assert_receive {:wasgo_godot, {:disconnected, :silent}, _connection}, @patience
    TestEngine.await_line(engine, "disconnected heard nothing")
    BadLink.set(link, :well)
    settled_soon(world, server, gardener)

    # A chunk takes longer than three heartbeats here, and that is no reason to end anything.
    gardener = gardener(world)
    connections = BadLink.connections(link)
    {:ok, connection} = Server.await_connection(server, @patience)
    {:ok, _} = Godot.call(connection, "Eye", "look", [Vector3.new(5_000, 0, 0), 60.0])
    BadLink.set(link, {:slow, 50_000})
    await_bytes(link, 250_000)
    BadLink.set(link, :bytewise)
    await_bytes(link, 20_000)
    BadLink.set(link, :well)
    assert BadLink.connections(link) == connections
    held = settled_soon(world, server, gardener)

    # This engine was there all the time: what did not change was made once.
    for id <- 1001..1020, do: assert([_name, _at, 1] = held[id])
    TestEngine.kill(engine, pid)
  end

  defp settled_soon(world, server, gardener) do
    assert stop(gardener) > 5
    assert_equal(world, server)
  end

  defp await_bytes(link, more, from \\ nil) do
    {to_engine, _to_sidecar} = BadLink.bytes(link)
    from = from || to_engine
    if to_engine < from + more, do: await_bytes(link, more, from)
  end

  # Puts an object every few milliseconds, each moved once later, until it is told to stop; tells the ids.
  defp planter(world) do
    Task.async(fn ->
      Stream.iterate(10_001, &(&1 + 1))
      |> Enum.reduce_while([], fn id, ids ->
        {:ok, ^id} = World.put(world, id: id, name: "o#{id}", position: {id / 1, 0.0, 0.0})

        with [earlier | _] <- ids,
             do: {:ok, _rev} = World.update(world, earlier, position: {1.0, id / 1, 0.0})

        receive(do: (:stop -> {:halt, [id | ids]}), after: (5 -> {:cont, [id | ids]}))
      end)
    end)
  end

  defp start_stalled_world do
    {world, server} = start_world([samples: 9, chunk_size: 32.0], [])
    link = start_supervised!({BadLink, Server.port(server)})
    {engine, pid} = start_engine(BadLink.port(link), ["--view=60", "--patience=250"])
    connection = connected()
    planter = planter(world)
    # In the midst of changes.
    assert {:ok, _counts} = Godot.report(connection)
    %{world: world, server: server, link: link, engine: {engine, pid}, planter: planter}
  end

  # What was acknowledged is there, and was made once: this engine was there all the time.
  defp assert_planted_once(context, ids) do
    held = assert_equal(context.world, context.server)
    assert length(ids) > 100
    assert Enum.sort(Map.keys(held)) == Enum.sort(ids)
    for id <- ids, do: assert([_name, _at, 1] = held[id])
    # Of the connection that there is now.
    refute_received {:wasgo_godot, {:disconnected, _why}, _connection}
    {engine, pid} = context.engine
    TestEngine.kill(engine, pid)
  end

  defp let_pass(ms) do
    Process.send_after(self(), :passed, ms)
    assert_receive :passed, ms + @patience
  end

  @tag :slow
  test "a wire that is stalled for half a minute loses nothing that was acknowledged, and repeats nothing" do
    %{link: link, engine: {engine, _pid}} = context = start_stalled_world()
    BadLink.set(link, :stalled)
    let_pass(@long_stall)
    # Both sides have given up long since.
    assert_received {:wasgo_godot, {:disconnected, :silent}, _connection}
    TestEngine.await_line(engine, "disconnected heard nothing")
    BadLink.set(link, :well)
    TestEngine.await_line(engine, "connected")
    assert_planted_once(context, stop(context.planter))
  end

  @tag :slow
  test "a wire that is stalled for less than three heartbeats keeps its connection" do
    %{link: link} = context = start_stalled_world()
    BadLink.set(link, :stalled)
    let_pass(@short_stall)
    BadLink.set(link, :well)
    assert_planted_once(context, stop(context.planter))
    assert BadLink.connections(link) == 1
  end

  test "a sidecar that is killed comes back with all that it acknowledged, and so does its engine" do
    path = Path.join(System.tmp_dir!(), "wasgo-faults-#{System.unique_integer([:positive])}.db")
    on_exit(fn -> for more <- ["", "-wal", "-shm"], do: File.rm(path <> more) end)
    killer = Killed.killer()
    # A port that is free now: the engine looks for its sidecar where it was.
    {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1}, reuseaddr: true)
    {:ok, port} = :inet.port(listener)
    :gen_tcp.close(listener)

    {engine, pid} = start_engine(port, ["--view=60", "--patience=250"], SidecarChild.token())

    run = fn changes -> "Wasgo.SidecarChild.run(#{inspect(path)}, #{port}, #{changes})" end

    for kill <- 1..3 do
      heard = Killed.run_and_kill(killer, run.(1_000_000), "ready #{port}", 400 * kill, 7)
      TestEngine.await_line(engine, "connected")
      TestEngine.await_line(engine, "disconnected")
      told = for "rev " <> rev <- heard, do: String.to_integer(rev)
      assert told == Enum.to_list(hd(told)..List.last(told))
    end

    # Both at once: the sidecar dies in the midst of its work, and the engine before it could come back.
    Killed.run_and_kill(killer, run.(1_000_000), "ready #{port}", 50, 3)
    TestEngine.kill(engine, pid)

    {engine, pid} = start_engine(port, ["--view=60", "--patience=250"], SidecarChild.token())

    # The world as it was left, by way of a sidecar in this VM.
    {:ok, store} = Store.open(path)
    world = start_supervised!({World, name: "garden", store: store})

    server =
      start_supervised!(
        {Server, token: SidecarChild.token(), port: port, worlds: %{"garden" => world}}
      )

    Server.subscribe(server)
    connected()
    assert map_size(assert_equal(world, server)) > 5
    TestEngine.kill(engine, pid)
  end

  test "a world of 100,000 objects is shown, and shown again to an engine that was cut off, for nothing" do
    {world, server} = start_world()
    link = start_supervised!({BadLink, Server.port(server)})

    for ids <- Enum.chunk_every(1..100_000, 4_000) do
      {:ok, _} =
        World.mutate(
          world,
          for(id <- ids, do: {:put, [id: id, name: "o#{id}", position: {id / 100, 0, 0}]})
        )
    end

    {engine, pid} = start_engine(BadLink.port(link), ["--patience=250"])
    connection = settled(world, server, System.monotonic_time(:millisecond) + 120_000)
    assert {:ok, %{"nodes" => 100_000, "errors" => 0}} = Godot.report(connection)
    {before, _} = BadLink.bytes(link)
    BadLink.cut(link)
    TestEngine.await_line(engine, "disconnected")
    TestEngine.await_line(engine, "connected")
    connection = settled(world, server, System.monotonic_time(:millisecond) + 60_000)
    assert {:ok, %{"nodes" => 100_000}} = Godot.report(connection)
    {later, _} = BadLink.bytes(link)
    assert later - before < 10_000
    TestEngine.kill(engine, pid)
  end
end
