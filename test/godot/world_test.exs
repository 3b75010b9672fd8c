defmodule Wasgo.World.EngineTest do
  # Worlds shown by a real engine.
  use ExUnit.Case, async: true

  import Wasgo.EngineLink

  alias Wasgo.Godot.{Server, Vector3}
  alias Wasgo.{Gen, Godot, Rows, Scene, Store, TestEngine, World}

  @moduletag :godot
  @moduletag :capture_log
  @patience 20_000

  defp world(store, options) do
    {:ok, world} = World.start_link([name: "garden", store: store] ++ options)
    world
  end

  defp engine(server, zone) do
    arguments = ["--world=garden", "--zone=#{zone}", "--viewer=16,16,60"]
    start_engine("zone_peer.gd", Server.port(server), arguments)
  end

  test "the engine of a zone shows nodes, meshes, files, chunks and edits, and what changes" do
    store = Store.open!(:memory)
    plan = Gen.plan!(seed: 7, samples: 17, levels: 3, chunk_size: 32.0)
    world = world(store, plan: plan)
    {:ok, scene} = Gen.Chunk.to_scene(Gen.chunk!(plan, {0, 0}))
    glb = Scene.to_glb!(scene)
    {:ok, _} = World.put_mesh(world, Gen.creature(3))
    {:ok, 1} = World.put(world, mesh: "creature_3", position: {1, 2, 3}, zone: "north")
    {:ok, 2} = World.put(world, glb: glb, properties: %{"visible" => false})
    {:ok, 3} = World.put(world, name: "elsewhere", zone: "south")
    {:ok, _} = World.put(world, colliders: [{:boxes, box()}])
    {:ok, _} = World.put_property(world, "season", "spring")

    server = start_server(worlds: fn "garden" -> {:ok, world} end)
    engine(server, "north")
    connection = connected()
    report = report(connection, &(&1["nodes"] == 3 and &1["assets"] == 1 and &1["chunks"] > 8))
    assert report["errors"] == 0
    ask(connection, "node_at", [1], Vector3.new(1, 2, 3))
    ask(connection, "node_at", [3], nil)
    ask(connection, "property", ["season"], "spring")
    {:ok, meshes} = Godot.call(connection, "Peer", "meshes_of", [2])
    assert meshes > 0

    {:ok, _} = World.update(world, 1, position: {4, 5, 6})
    ask(connection, "node_at", [1], Vector3.new(4, 5, 6))
    {:ok, 1} = World.put_rows(world, Rows.new(["position:y"], [{1, [9.0]}]))
    ask(connection, "node_at", [1], Vector3.new(4, 9, 6))
    {:ok, _} = World.hand_over(world, 3, "north")
    {:ok, _} = World.hand_over(world, 1, "south")
    report(connection, &(&1["nodes"] == 3))
    ask(connection, "node_at", [1], nil)

    # All that is wanted is there; then an edit takes the place of one, and of none else.
    %{chunks: count} = settled(world, "north")
    %{"frames" => before} = report(connection, &(&1["chunks"] == count))
    {:ok, _} = World.put_chunk(world, {0, 0}, glb)
    %{"frames" => frames} = report(connection, &(&1["frames"] > before))
    assert %{"chunks" => ^count, "errors" => 0} = report(connection, fn _ -> true end)
    assert frames == before + 1
  end

  defp box do
    for value <- [2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0],
        into: "",
        do: <<value::float-32-little>>
  end

  test "an engine that comes back after its sidecar has started anew is sent what it lacks" do
    store = Store.open!(:memory)
    plan = Gen.plan!(seed: 7, samples: 17, levels: 3, chunk_size: 32.0)
    name = :"world #{System.unique_integer()}"
    world(store, plan: plan, as: name)
    server = start_server(worlds: %{"garden" => name})

    {:ok, _} =
      World.mutate(
        name,
        for(n <- 1..100, do: {:put, name: "thing #{n}", position: {n, 0, 0}})
      )

    engine = engine(server, "")
    connection = connected()
    %{chunks: count} = settled(name, "")
    before = report(connection, &(&1["nodes"] == 100 and &1["chunks"] == count))

    :ok = World.stop(name)
    assert_receive {:wasgo_godot, {:disconnected, :world_gone}, _connection}, @patience
    # It asks for a world that is not there at this moment, and asks again.
    TestEngine.await_line(engine, "refused full")
    world(store, as: name)
    {:ok, _} = World.update(name, 7, position: {0, 7, 0})
    {:ok, _} = World.remove(name, 8)
    connection = connected()
    report = report(connection, &(&1["nodes"] == 99 and &1["rev"] == World.rev(name)))
    ask(connection, "node_at", [7], Vector3.new(0, 7, 0))
    ask(connection, "node_at", [9], Vector3.new(9, 0, 0))
    assert settled(name, "").chunks == count
    report = report(connection, &(&1["chunks"] == count and &1["rev"] == report["rev"]))
    # The answer to its first word, one node that changed, one that went, and no chunk.
    assert report["frames"] <= 4 and report["errors"] == 0
    assert report["chunks"] == before["chunks"]
  end
end
