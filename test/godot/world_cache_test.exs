defmodule Wasgo.World.EngineCacheTest do
  # What a real engine keeps on disk of a world is not sent to it again; and worlds of a volume, which one can stand on.
  use ExUnit.Case, async: true

  import Wasgo.EngineLink
  import Wasgo.Gen.Field

  alias Wasgo.Godot.{Server, Vector3}
  alias Wasgo.{Gen, Pipeline, Scene, Stages, Store, World}

  @moduletag :godot
  @moduletag :capture_log

  defp serve(store, options) do
    {:ok, world} = World.start_link([name: "garden", store: store] ++ options)
    {world, start_server(worlds: %{"garden" => world})}
  end

  defp engine(server, arguments) do
    engine = start_engine("zone_peer.gd", Server.port(server), arguments)
    {engine, connected()}
  end

  # It is told to go, and its folder is written then.
  defp leave(engine, connection) do
    Process.unlink(connection.pid)
    {:os_pid, pid} = Port.info(engine, :os_pid)
    Port.close(engine)
    System.cmd("kill", ["#{pid}"], stderr_to_stdout: true)
    disconnected(connection)
  end

  # Of the engine's system, whose home is another in each run.
  defp folder do
    name = "wasgo_cache_test_#{System.unique_integer([:positive])}_#{System.pid()}"
    Path.join(System.tmp_dir!(), name)
  end

  test "chunks, their meshes and files of nodes come from an engine's disk after engine and sidecar have started again" do
    store = Store.open!(:memory)
    plan = Gen.plan!(seed: 7, samples: 17, levels: 3, chunk_size: 32.0)
    {:ok, scene} = Gen.Chunk.to_scene(Gen.chunk!(plan, {0, 0}))
    {world, server} = serve(store, plan: plan)
    {:ok, 1} = World.put(world, glb: Scene.to_glb!(scene))
    arguments = ["--world=garden", "--viewer=16,16,60", "--cache=" <> folder()]
    {engine, connection} = engine(server, arguments)
    ask(connection, "meshes_of", [1], &(&1 > 0))
    %{chunks: count} = settled(world, "")
    before = report(connection, &(&1["chunks"] == count and &1["instances"] > 0))
    assert ask(connection, "are_instances_shown", [], & &1)
    keys = ask(connection, "keys", [], & &1)
    # All is on disk, and known in the store.
    ask(connection, "kept", [], &(&1 == count + before["meshes"] + 1))
    leave(engine, connection)
    :ok = Server.stop(server)
    :ok = World.stop(world)

    {world, server} = serve(store, [])
    {_engine, connection} = engine(server, arguments)

    report =
      report(
        connection,
        &(&1["chunks"] == count and &1["cached"] == count + before["meshes"] + 1)
      )

    assert settled(world, "").chunks == count
    assert ask(connection, "are_instances_shown", [], & &1)
    assert Enum.sort(elem(ask(connection, "keys", [], & &1), 1)) == Enum.sort(elem(keys, 1))
    assert ask(connection, "meshes_of", [1], &(&1 > 0))
    after_all = report(connection, fn _ -> true end)

    assert Map.take(after_all, ~w(instances vertices errors assets)) ==
             Map.take(before, ~w(instances vertices errors assets))

    # The names of what it has, and no vertex.
    assert report["bytes"] < 20_000 and before["bytes"] > 20 * report["bytes"]
    ask(connection, "empty_cache", [], & &1)
  end

  describe "the surface of a volume" do
    setup do
      {:ok, plan: Gen.plan!(seed: 1, density: sphere({16, 0, 16}, 20), cells: 16, levels: 2)}
    end

    # From outside along an axis, to where the sphere is.
    defp stands(connection) do
      for {from, to, hit} <- [
            {{16, 100, 16}, {16, 0, 16}, {16, 20, 16}},
            {{20, 100, 10}, {20, 0, 10}, {20, :math.sqrt(400 - 16 - 36), 10}},
            {{16, -100, 16}, {16, 0, 16}, {16, -20, 16}},
            {{100, 3, 16}, {16, 3, 16}, {16 + :math.sqrt(400 - 9), 3, 16}}
          ] do
        [from, to, hit] = for {x, y, z} <- [from, to, hit], do: Vector3.new(x, y, z)
        found = ask(connection, "ray", [from, to], &(&1 != nil))

        for axis <- [:x, :y, :z],
            do: assert_in_delta(Map.get(found, axis), Map.get(hit, axis), 0.25)
      end
    end

    test "of a world is there to stand on, and comes from the engine's disk the next time", %{
      plan: plan
    } do
      store = Store.open!(:memory)
      {world, server} = serve(store, plan: plan)
      arguments = ["--world=garden", "--viewer=16,16,60", "--cache=" <> folder()]
      {engine, connection} = engine(server, arguments)
      %{chunks: count} = settled(world, "")
      report = report(connection, &(&1["chunks"] == count))

      assert report["errors"] == 0 and report["colliders"] == count and
               report["triangles"] > 1_000

      stands(connection)
      # Nothing stands where all is air.
      assert ask(connection, "ray", [Vector3.new(60, 100, 60), Vector3.new(60, -100, 60)], fn _ ->
               true
             end) == nil

      ask(connection, "kept", [], &(&1 == count))
      leave(engine, connection)
      {_engine, connection} = engine(server, arguments)
      report(connection, &(&1["chunks"] == count and &1["cached"] == count))
      stands(connection)
      ask(connection, "empty_cache", [], & &1)
    end

    test "of a world that has a ground too is there to stand on, above it" do
      store = Store.open!(:memory)
      options = [samples: 17, chunk_size: 32.0, scatter: [], cells: 16, levels: 2]
      plan = Gen.plan!([seed: 1, height: -120.0, density: sphere({16, 0, 16}, 20)] ++ options)
      {world, server} = serve(store, plan: plan)
      {_engine, connection} = engine(server, ["--world=garden", "--viewer=16,16,60"])
      %{chunks: count} = settled(world, "")
      assert report(connection, &(&1["chunks"] == count))["errors"] == 0
      stands(connection)

      for x <- [16, 60] do
        [from, to, hit] = for y <- [-110, -150, -120], do: Vector3.new(x, y, 16)
        assert_in_delta ask(connection, "ray", [from, to], &(&1 != nil)).y, hit.y, 0.01
      end
    end

    test "of a stream around viewers is there to stand on, and goes with them", %{plan: plan} do
      {_engine, connection} = engine(start_server(), [])
      {:ok, viewers} = Gen.Viewers.start_link()
      :ok = Gen.Viewers.put(viewers, 1, {16, 0, 16}, radius: 40)

      stream =
        Pipeline.stream!([
          {Stages.Generate, plan: plan, viewers: viewers, until: :complete},
          {Stages.Godot, connection: connection}
        ])

      assert Enum.all?(stream, &match?(%Wasgo.Buffer{payload: %Gen.Volume{}}, &1))
      report(connection, &(&1["chunks"] > 10 and &1["errors"] == 0))
      stands(connection)
    end
  end
end
