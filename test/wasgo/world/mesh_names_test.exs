defmodule Wasgo.World.MeshNamesTest do
  # An engine holds so many named meshes. A world may have shown it any number; and what it holds from before it may ask for.
  use ExUnit.Case, async: true

  alias Wasgo.{Gen, Store, World, WorldEngine}
  alias Wasgo.World.Zone.{Have, Meshes}

  @small [samples: 5, levels: 2, chunk_size: 32.0]

  setup do
    store = Store.open!(:memory)
    {:ok, store: store, world: start(store)}
  end

  defp start(store) do
    {:ok, world} = World.start_link(name: "garden", store: store, link: WorldEngine, hz: 120)
    world
  end

  defp look(engine, {x, z}),
    do: WorldEngine.say(engine, {:viewers, [{1, {x / 1, 0.0, z / 1}, 70.0}]})

  defp sent(state, kind), do: for({^kind, what} <- state.frames, do: what)

  # Nothing is made, and nothing more comes.
  defp settled(engine, world) do
    WorldEngine.apply_always(engine)
    state = WorldEngine.state(engine)
    %{pid: pid} = info = World.zone(world, "")
    :sys.get_state(pid)

    if info.making == 0 and info.chunks == map_size(state.chunks) and state.chunks != %{} and
         World.zone(world, "") == info and WorldEngine.state(engine).frames == state.frames,
       do: state,
       else: settled(engine, world)
  end

  describe "an engine that may hold few" do
    test "is sent the new meshes of a world for ever, and lets go of the oldest", %{world: world} do
      engine = WorldEngine.start(max_meshes: 8)
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      {:ok, _} = World.put_mesh(world, %{Gen.creature(1) | name: "old"})

      for n <- 1..100 do
        {:ok, _} = World.put_mesh(world, %{Gen.creature(rem(n, 7)) | name: "mesh #{n}"})
        {:ok, ^n} = World.put(world, mesh: "mesh #{n}")
        # The engine's model fails on a node whose mesh it does not hold, and on a mesh too many.
        state = WorldEngine.until(engine, &is_map_key(&1.nodes, n))
        assert map_size(state.meshes) <= 8

        if n > 20 do
          {:ok, _} = World.remove(world, n - 20)
          {:ok, _} = World.remove_mesh(world, "mesh #{n - 20}")
        end
      end

      state = WorldEngine.until(engine, &(map_size(&1.nodes) == 20))
      refute is_map_key(state.meshes, "world:old")
      # What it has let go comes again where it is needed.
      {:ok, id} = World.put(world, mesh: "old")
      state = WorldEngine.until(engine, &is_map_key(&1.nodes, id))
      assert is_map_key(state.meshes, "world:old")
      assert "world:old" in (state |> sent("forget") |> List.flatten())
    end

    test "has the meshes of what is under way", %{world: world} do
      # No chunk needs more than a few of them.
      scatter = for kind <- [:tree, :rock, :bush], do: [kind: kind, spacing: 24.0, level: 0]
      plan = [seed: 7, height: 2.0, scatter: scatter, samples: 5, levels: 1, chunk_size: 32.0]
      {:ok, _} = World.set_plan(world, Gen.plan!(plan))
      other = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(other, world, "")
      look(other, {0, 0})
      %{meshes: meshes, chunks: chunks} = settled(other, world)
      :ok = WorldEngine.leave(other)
      most = 6
      assert map_size(meshes) > most

      for {have, options} <- [
            {[], []},
            {Map.values(meshes) ++ Map.values(chunks), []},
            {[], [bulk: 3]}
          ] do
        engine = WorldEngine.start([max_meshes: most] ++ options)
        {:ok, _, _} = WorldEngine.join(engine, world, "", have: have)
        look(engine, {0, 0})
        state = settled(engine, world)
        assert state.chunks == chunks
        assert sent(state, "forget") != []
        :ok = WorldEngine.leave(engine)
      end
    end
  end

  describe "a mesh that an engine holds from before" do
    setup %{store: store, world: world} do
      {:ok, _} = World.set_plan(world, Gen.plan!([seed: 7] ++ @small))
      {:ok, _} = World.put_mesh(world, %{Gen.creature(3) | name: "hare"})
      {:ok, _} = World.put(world, mesh: "hare")
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, {0, 0})
      settled(engine, world)
      WorldEngine.until(engine, &is_map_key(&1.meshes, "world:hare"))
      {:ok, engine: engine, store: store, world: world}
    end

    test "comes at once when it has lost it, a chunk's and a world's", %{
      engine: engine,
      world: world
    } do
      :ok = WorldEngine.leave(engine)
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, {0, 0})
      before = settled(engine, world)
      of_chunks = before.meshes |> Map.keys() |> Enum.reject(&(&1 == "world:hare"))
      wanted = ["world:hare" | Enum.take(of_chunks, 3)]
      WorldEngine.say(engine, {:want, "mesh", wanted ++ ["none", "world:none"]})
      count = length(sent(before, "mesh")) + length(wanted)
      state = WorldEngine.until(engine, &(length(sent(&1, "mesh")) >= count))
      assert Enum.sort(Enum.take(sent(state, "mesh"), 4)) == Enum.sort(wanted)
      assert sent(state, "chunk") == sent(before, "chunk")
      assert state.meshes == before.meshes
      # Nothing is left over.
      {:ok, rev} = World.put_property(world, "a", 1)
      state = WorldEngine.until(engine, &(&1.rev == rev))
      assert length(sent(state, "mesh")) == count
    end
  end

  describe "names beyond what an engine holds" do
    test "are those that were used longest ago, and none that is needed" do
      meshes = Meshes.new([], "", 8, %Have{})
      hash = <<0::128>>
      names = for n <- 1..8, do: "m#{n}"
      meshes = Enum.reduce(names, meshes, &Meshes.put(&2, &1, hash, :somewhere))
      assert Meshes.stale(meshes, "m1", []) == []
      assert Meshes.stale(meshes, "new", []) == ["m1", "m2"]
      assert Meshes.stale(meshes, "new", ["m1", "m3"]) == ["m2", "m4"]
      assert Meshes.stale(Meshes.use_all(meshes, ["m1", "no"]), "new", []) == ["m2", "m3"]
      assert Meshes.stale(meshes, "new", names) == []
      meshes = Meshes.forget(meshes, ["m1", "m2"])
      refute Meshes.held?(meshes, "m1", hash)
      assert Meshes.stale(meshes, "new", []) == []
      # From before, more than it may hold.
      meshes = Meshes.new(names, String.duplicate(hash, 8), 4, %Have{})
      assert length(Meshes.stale(meshes, "new", [])) == 5
    end
  end
end
