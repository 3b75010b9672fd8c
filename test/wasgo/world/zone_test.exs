defmodule Wasgo.World.ZoneTest do
  use ExUnit.Case, async: true

  alias Wasgo.Godot.Vector3
  alias Wasgo.{Gen, Rows, Store, World, WorldEngine}

  @glb <<"glTF", 2::32-little, 20::32-little, 0::64>>
  @small [samples: 5, levels: 2, chunk_size: 32.0]

  setup do
    store = Store.open!(:memory)
    {:ok, store: store, world: start(store)}
  end

  defp start(store, options \\ []) do
    {:ok, world} =
      World.start_link([name: "garden", store: store, link: WorldEngine, hz: 120] ++ options)

    world
  end

  defp again(world, store, options \\ []) do
    :ok = World.stop(world)
    start(store, options)
  end

  # What an engine of a zone is to hold.
  defp wanted(world, zone) do
    for object <- World.objects(world, zone: zone, limit: 100_000), into: %{} do
      {object.id, {object.transform, Map.merge(object.properties, %{})}}
    end
  end

  defp same?(state, world, zone) do
    held = Map.new(state.nodes, fn {id, node} -> {id, {node.transform, node.values}} end)
    held == wanted(world, zone) and state.properties == World.properties(world)
  end

  defp frames(state, kind), do: for({^kind, what} <- Enum.reverse(state.frames), do: what)

  describe "nodes" do
    test "are those of the zone and of all, with what they are like", %{world: world} do
      {:ok, 1} = World.put_mesh(world, Gen.creature(3))

      {:ok, _} =
        World.mutate(world, [
          {:put, name: "mesh", mesh: "creature_3", zone: "north", position: {1, 2, 3}},
          {:put, scene: "lamp", properties: %{"energy" => 2.5}},
          {:put, glb: @glb, zone: "north"},
          {:put, name: "not here", zone: "south"},
          {:put_property, "season", "spring"}
        ])

      engine = WorldEngine.start()
      {:ok, _identity, _zone} = WorldEngine.join(engine, world, "north")
      state = WorldEngine.until(engine, &(&1.rev == 6 and &1.assets != %{}))
      assert same?(state, world, "north")
      assert state.resets == 1

      assert state.nodes[1].mesh == "world:creature_3" and
               is_map_key(state.meshes, "world:creature_3")

      assert {state.nodes[2].scene, state.nodes[2].name} == {"lamp", "object_2"}
      {:packed_byte, short} = state.nodes[3].glb

      assert state.assets == %{short => @glb} and
               short == binary_part(:crypto.hash(:sha256, @glb), 0, 16)
    end

    test "show files that are sent once, to an engine that asks for them", %{
      store: store,
      world: world
    } do
      {:ok, _} = World.mutate(world, for(_ <- 1..200, do: {:put, glb: @glb}))
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.rev == 200 and &1.assets != %{}))
      assert length(frames(state, "asset")) == 1
      # What it holds it does not ask for: in this connection, in the next, and after a restart.
      {:ok, 201} = World.put(world, glb: @glb)
      WorldEngine.until(engine, &(map_size(&1.nodes) == 201))
      :ok = WorldEngine.leave(engine)
      {:ok, _, _} = WorldEngine.join(engine, world, "", rev: 0)
      WorldEngine.until(engine, &(&1.rev == 201 and &1.resets == 2))
      :ok = WorldEngine.leave(engine)
      world = again(world, store)
      {:ok, _, zone} = WorldEngine.join(engine, world, "")
      {:ok, rev} = World.put_property(world, "a", 1)
      WorldEngine.until(engine, &(&1.rev == rev))
      :sys.get_state(zone)
      assert length(frames(WorldEngine.state(engine), "asset")) == 1
      # One that it was sent too late for its last connection comes in the next.
      WorldEngine.room(engine, 1_000, 0)
      other = <<"glTF", 2::32-little, 24::32-little, 0::96>>

      {:ok, 7} = World.put(world, id: 7, glb: other)
      WorldEngine.until(engine, &(&1.rev == rev + 1))
      :ok = WorldEngine.leave(engine)
      WorldEngine.room(engine, 1_000, 1_000)
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(map_size(&1.assets) == 2))
      assert length(frames(state, "asset")) == 2
    end

    test "are changed by rows, made anew where rows cannot say it, and removed", %{world: world} do
      {:ok, _} =
        World.mutate(world, for(n <- 1..3, do: {:put, name: "#{n}", properties: %{"a" => n}}))

      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &(&1.rev == 3))
      {:ok, _} = World.update(world, 1, position: {1, 0, 0})
      WorldEngine.until(engine, &(&1.rev == 4))

      {:ok, _} =
        World.mutate(world, [{:update, 1, yaw: 1.0}, {:update, 2, properties: %{"a" => 5}}])

      WorldEngine.until(engine, &(&1.rev == 6))
      {:ok, _} = World.update(world, 2, properties: %{"b" => 1})
      {:ok, _} = World.update(world, 3, name: "renamed")
      {:ok, _} = World.remove(world, 1)
      state = WorldEngine.until(engine, &(&1.rev == 9))
      assert same?(state, world, "")
      assert state.nodes[3].name == "renamed"
      assert frames(state, "spawn") |> List.flatten() |> Enum.sort() == [1, 2, 2, 3, 3]
      assert frames(state, "rows") |> List.flatten() == [1, 1, 2]
      assert frames(state, "despawn") == [[1]]
    end

    test "that were superseded while the engine was slow are never sent", %{world: world} do
      {:ok, 1} = World.put(world, [])
      engine = WorldEngine.start(live: 1)
      {:ok, _, zone} = WorldEngine.join(engine, world, "")
      # One frame waits in the engine, and there is no room for another.
      WorldEngine.room(engine, 1, 0)
      before = memory(zone)
      for n <- 1..2_000, do: {:ok, _} = World.update(world, 1, position: {n, 0, 0})
      assert memory(zone) < before + 200_000
      assert {:message_queue_len, length} = Process.info(zone, :message_queue_len)
      assert length <= 2
      state = WorldEngine.until(engine, &(&1.rev == 2_001))
      assert same?(state, world, "")
      assert length(state.frames) <= 6
      assert state.most == 1
    end

    defp memory(pid) do
      :erlang.garbage_collect(pid)
      {:memory, bytes} = Process.info(pid, :memory)
      bytes
    end

    test "of which there are many come in small frames", %{world: world} do
      for part <- 1..5,
          do: {:ok, _} = World.mutate(world, for(n <- 1..1_000, do: {:put, name: "#{part * n}"}))

      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.rev == 5_000))
      assert map_size(state.nodes) == 5_000
      spawns = frames(state, "spawn")
      assert length(spawns) == 79 and Enum.all?(spawns, &(length(&1) <= 64))
    end

    test "of scenes that an engine may not have are in frames of their own", %{world: world} do
      {:ok, _} = World.mutate(world, for(n <- 1..6, do: {:put, scene: "s#{div(n, 3)}"}))
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.rev == 6))
      assert frames(state, "spawn") == [[1, 2], [3, 4, 5], [6]]
    end

    test "wait for a mesh that was put after them", %{world: world} do
      {:ok, _} = World.put_mesh(world, Gen.creature(3))
      {:ok, 1} = World.put(world, mesh: "creature_3")
      # Now its last change is later than that of the object.
      {:ok, _} = World.put_mesh(world, %{Gen.creature(4) | name: "creature_3"})
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &is_map_key(&1.nodes, 1))
      assert frames(state, "mesh") == ["world:creature_3"]
      {:ok, _} = World.put_mesh(world, Gen.creature(3))
      before = state.meshes
      WorldEngine.until(engine, &(&1.meshes != before))
    end
  end

  describe "an engine that comes back" do
    test "is sent what changed, and nothing else", %{world: world} do
      {:ok, _} = World.mutate(world, for(n <- 1..50, do: {:put, name: "#{n}"}))
      engine = WorldEngine.start()
      {:ok, identity, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &(&1.rev == 50))
      :ok = WorldEngine.leave(engine)

      {:ok, _} =
        World.mutate(world, [{:update, 7, position: {1, 1, 1}}, {:remove, 8}, {:put, name: "new"}])

      {:ok, ^identity, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.rev == 53))
      assert same?(state, world, "") and state.resets == 1
      assert frames(state, "rows") == [[7]]
      assert frames(state, "despawn") == [[8]]
    end

    test "after a restart of the world is not sent what it has", %{store: store, world: world} do
      {:ok, _} = World.mutate(world, for(n <- 1..50, do: {:put, name: "#{n}"}))
      engine = WorldEngine.start()
      {:ok, identity, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &(&1.rev == 50))
      :ok = WorldEngine.leave(engine)
      world = again(world, store)
      {:ok, _} = World.mutate(world, [{:update, 7, position: {1, 1, 1}}, {:remove, 8}])
      {:ok, ^identity, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.rev == 52))
      assert same?(state, world, "") and state.resets == 1
      assert state |> frames("spawn") |> List.flatten() |> length() == 51
    end

    test "after more removals than are remembered begins anew", %{store: store, world: world} do
      world = again(world, store, max_traces: 3)
      {:ok, _} = World.mutate(world, for(_ <- 1..10, do: {:put, []}))
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &(&1.rev == 10))
      :ok = WorldEngine.leave(engine)
      {:ok, _} = World.mutate(world, for(id <- 1..5, do: {:remove, id}))
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.rev == 15))
      assert same?(state, world, "") and state.resets == 2
    end

    test "from a number that the world has not reached begins anew", %{world: world} do
      {:ok, 1} = World.put(world, [])
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "", rev: 99)
      state = WorldEngine.until(engine, &(&1.rev == 1))
      assert state.resets == 1
    end

    test "and is too slow for what is remembered is let go, to come again", %{
      store: store,
      world: world
    } do
      world = again(world, store, max_traces: 2)
      {:ok, _} = World.mutate(world, for(_ <- 1..100, do: {:put, []}))
      engine = WorldEngine.start(live: 2)
      {:ok, _, zone} = WorldEngine.join(engine, world, "")
      ref = Process.monitor(zone)
      :ok = WorldEngine.apply_frames(engine, 2)
      {:ok, _} = World.mutate(world, for(id <- 1..10, do: {:remove, id}))
      WorldEngine.apply_always(engine)
      assert_receive {:DOWN, ^ref, :process, _, :normal}, 30_000
      :ok = WorldEngine.leave(engine)
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.rev == 110))
      assert same?(state, world, "")
    end
  end

  describe "a zone" do
    test "is one engine's at a time, and free when that has gone", %{world: world} do
      one = WorldEngine.start()
      other = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(one, world, "north")
      assert {:error, :taken} = WorldEngine.join(other, world, "north", once: true)
      {:ok, _, _} = WorldEngine.join(other, world, "south")
      assert World.info(world).zones == ["north", "south"]
      :ok = WorldEngine.leave(one)
      {:ok, _, _} = WorldEngine.join(one, world, "north")
    end

    test "whose connection ends before it was open is free again", %{world: world} do
      pid = spawn(fn -> World.attach(world, "north") end)
      ref = Process.monitor(pid)
      assert_receive {:DOWN, ^ref, _, _, _}, 30_000
      {:ok, _, _} = WorldEngine.join(WorldEngine.start(), world, "north")
    end

    test "gets an object when it is handed over, and loses it then", %{world: world} do
      {:ok, 1} = World.put(world, zone: "north", properties: %{"a" => 1})
      [north, south] = for zone <- ["north", "south"], do: {WorldEngine.start(), zone}

      for {engine, zone} <- [north, south],
          do: {:ok, _, _} = WorldEngine.join(engine, world, zone)

      WorldEngine.until(elem(north, 0), &is_map_key(&1.nodes, 1))
      {:ok, 2} = World.hand_over(world, 1, "south")
      WorldEngine.until(elem(south, 0), &is_map_key(&1.nodes, 1))
      WorldEngine.until(elem(north, 0), &(&1.nodes == %{}))
      {:ok, 3} = World.hand_over(world, 1, nil)
      WorldEngine.until(elem(north, 0), &is_map_key(&1.nodes, 1))
      assert WorldEngine.state(elem(south, 0)).nodes |> map_size() == 1
    end

    test "is not sent what is of others, nor told of it more than it has to be", %{world: world} do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "north")
      {:ok, 1} = World.put(world, zone: "south")
      for n <- 1..1_200, do: {:ok, _} = World.update(world, 1, position: {n, 0, 0})
      state = WorldEngine.until(engine, &(&1.rev >= 1_000))
      assert state.nodes == %{} and length(state.frames) <= 3
      # It is so far that it need not be told of all that again.
      :ok = WorldEngine.leave(engine)
      {:ok, _, _} = WorldEngine.join(engine, world, "north")
      {:ok, 2} = World.put(world, zone: "north")
      state = WorldEngine.until(engine, &(&1.nodes != %{}))
      assert state.resets == 1
    end
  end

  describe "transient values" do
    test "reach the zone of their object, the newest of each", %{world: world} do
      {:ok, _} = World.mutate(world, [{:put, zone: "north"}, {:put, zone: "south"}])
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "north")
      WorldEngine.until(engine, &(&1.rev >= 1))
      for n <- 1..100, do: {:ok, 2} = World.put_rows(world, Rows.new(["a"], [{1, [n]}, {2, [n]}]))
      state = WorldEngine.until(engine, &(&1.nodes[1].values["a"] == 100))
      assert Map.keys(state.nodes) == [1]
    end

    test "that came while there was no room are sent once, as they are then", %{world: world} do
      {:ok, 1} = World.put(world, [])
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &(&1.rev == 1))
      WorldEngine.room(engine, 0, 0)

      for n <- 1..500,
          do: {:ok, 1} = World.put_rows(world, Rows.new(["a", "b"], [{1, [n, n / 1]}]))

      WorldEngine.room(engine, 10, 0)
      state = WorldEngine.until(engine, &(&1.nodes[1].values["b"] == 500.0))
      assert length(frames(state, "rows")) <= 2
    end

    test "of an object that changed twice come whole, however many others changed between", %{
      world: world
    } do
      {:ok, _} = World.mutate(world, for(id <- 1..3_001, do: {:put, name: "#{id}"}))
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &(&1.rev == 3_001))
      WorldEngine.room(engine, 0, 0)
      {:ok, 1} = World.put_rows(world, Rows.new(["a"], [{1, [1]}]))
      {:ok, 3_000} = World.put_rows(world, Rows.new(["c"], for(id <- 2..3_001, do: {id, [3]})))
      {:ok, 1} = World.put_rows(world, Rows.new(["b"], [{1, [2]}]))
      WorldEngine.room(engine, 100, 0)
      all? = fn state -> Enum.all?(1..3_001, &(state.nodes[&1].values != %{})) end
      state = WorldEngine.until(engine, all?)
      assert state.nodes[1].values == %{"a" => 1, "b" => 2}
    end

    test "come after the node that they are of, and again with an engine that begins anew", %{
      world: world
    } do
      {:ok, 1} = World.put(world, position: {1, 0, 0}, zone: "north")
      {:ok, 1} = World.put_rows(world, Rows.new(["position"], [{1, [Vector3.new(5, 0, 0)]}]))
      there = Vector3.new(5, 0, 0)
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "north")
      WorldEngine.until(engine, &match?(%{1 => %{transform: %{origin: ^there}}}, &1.nodes))
      # Where it was handed to, it is where it was moved to.
      other = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(other, world, "south")
      {:ok, _} = World.hand_over(world, 1, "south")
      WorldEngine.until(other, &match?(%{1 => %{transform: %{origin: ^there}}}, &1.nodes))
    end

    test "are sent to an engine that comes back where they differ from what it was sent", %{
      world: world
    } do
      {:ok, _} = World.mutate(world, for(n <- 1..20, do: {:put, name: "#{n}"}))
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      # Nodes that were just made are sent their values apart, before what comes after them.
      {:ok, rev} = World.put_property(world, "made", true)
      WorldEngine.until(engine, &(&1.rev == rev))
      {:ok, 20} = World.put_rows(world, Rows.new(["a"], for(n <- 1..20, do: {n, [n]})))
      WorldEngine.until(engine, &(&1.nodes[20].values["a"] == 20))
      # The engine's number tells that it has these.
      {:ok, _} = World.put(world, name: "later")
      state = WorldEngine.until(engine, &(&1.rev == rev + 1))
      before = length(frames(state, "rows"))
      :ok = WorldEngine.leave(engine)
      {:ok, 1} = World.put_rows(world, Rows.new(["a"], [{7, [70]}]))
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      state = WorldEngine.until(engine, &(&1.nodes[7].values["a"] == 70))
      assert Enum.drop(frames(state, "rows"), before) == [[7]]
    end
  end

  describe "chunks" do
    setup %{store: store, world: world} do
      plan = Gen.plan!([seed: 7] ++ @small)
      {:ok, _} = World.set_plan(world, plan)
      {:ok, plan: plan, world: world, store: store}
    end

    defp look(engine, positions, radius \\ 70.0) do
      viewers =
        for {{x, z}, id} <- Enum.with_index(positions), do: {id, {x / 1, 0.0, z / 1}, radius}

      WorldEngine.say(engine, {:viewers, viewers})
    end

    # What viewers there want, with the hashes that these have.
    defp chunks(world, positions, radius \\ 70.0) do
      other = WorldEngine.start()
      zone = "other #{System.unique_integer()}"
      {:ok, _, _} = WorldEngine.join(other, world, zone)
      look(other, positions, radius)
      state = settled(other, world, zone)
      WorldEngine.leave(other)
      state.chunks
    end

    # Nothing more comes: all that is wanted is there.
    defp settled(engine, world, zone) do
      WorldEngine.apply_always(engine)
      state = WorldEngine.state(engine)
      info = World.zone(world, zone)

      if state.chunks != %{} and info.making == 0 and info.chunks == map_size(state.chunks) and
           quiet?(engine, world, zone, state),
         do: state,
         else: settled(engine, world, zone)
    end

    # Whoever was asked something has dealt with all that was there before.
    defp quiet?(engine, world, zone, state) do
      %{pid: pid, making: 0} = info = World.zone(world, zone)
      :erlang.yield()
      :sys.get_state(pid)
      info == World.zone(world, zone) and WorldEngine.state(engine).frames == state.frames
    end

    test "are those that the viewers want, the nearest first, with their meshes", %{world: world} do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, [{16, 16}])
      state = settled(engine, world, "")
      assert map_size(state.chunks) > 20
      # So many are made at once.
      assert "0,0" in Enum.take(frames(state, "chunk"), 4)
      assert Enum.uniq(frames(state, "mesh")) == frames(state, "mesh")
    end

    test "that nobody wants any more go, when what is in their place is there", %{world: world} do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, [{0, 0}])
      settled(engine, world, "")
      look(engine, [{400, 0}])
      WorldEngine.until(engine, &is_map_key(&1.chunks, "12,0"))
      state = settled(engine, world, "")
      assert state.chunks == chunks(world, [{400, 0}])
      look(engine, [])
      assert WorldEngine.until(engine, &(&1.chunks == %{}))
    end

    test "that the engine holds are not sent again, also after a restart", %{
      store: store,
      world: world
    } do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, [{0, 0}])
      before = settled(engine, world, "")
      :ok = WorldEngine.leave(engine)
      world = again(world, store)
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, [{0, 0}])
      state = settled(engine, world, "")
      assert state.chunks == before.chunks
      assert length(frames(state, "chunk")) == length(frames(before, "chunk"))
    end

    test "that it has in its cache are named, and sent when it asks for them", %{world: world} do
      known = chunks(world, [{0, 0}])
      one = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(one, world, "one")
      look(one, [{0, 0}])
      first = settled(one, world, "one")
      have = Map.values(known) ++ Map.values(first.meshes)
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "two", have: have)
      look(engine, [{0, 0}])
      state = settled(engine, world, "two")
      assert state.chunks == known
      assert frames(state, "chunk") == [] and frames(state, "mesh") == []
      WorldEngine.say(engine, {:want, "chunk", ["0,0", "1,0", "not,one", "99,99"]})
      state = WorldEngine.until(engine, &(length(frames(&1, "chunk")) == 2))
      assert Enum.sort(frames(state, "chunk")) == ["0,0", "1,0"]
      [{name, _hash} | _] = Map.to_list(state.meshes)
      WorldEngine.say(engine, {:want, "mesh", [name, "none"]})
      state = WorldEngine.until(engine, &(frames(&1, "mesh") != []))
      assert frames(state, "mesh") == [name]
    end

    test "that a viewer comes back to are named to an engine that keeps what it is sent", %{
      world: world
    } do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "", keeps: true)
      look(engine, [{0, 0}])
      before = settled(engine, world, "")
      look(engine, [{2_000, 0}])
      WorldEngine.until(engine, &(not is_map_key(&1.chunks, "0,0")))
      away = settled(engine, world, "")
      look(engine, [{0, 0}])
      WorldEngine.until(engine, &is_map_key(&1.chunks, "0,0"))
      state = settled(engine, world, "")
      assert state.chunks == before.chunks
      assert frames(state, "chunk") == frames(away, "chunk")
      # What it lost meanwhile it asks for.
      WorldEngine.say(engine, {:want, "chunk", ["0,0"]})

      WorldEngine.until(
        engine,
        &(List.last(frames(&1, "chunk")) == "0,0" and frames(&1, "chunk") != frames(away, "chunk"))
      )
    end

    test "that an engine has in its cache are named with their meshes after the world was killed",
         %{
           store: store,
           world: world
         } do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, [{0, 0}])
      before = settled(engine, world, "")
      assert before.meshes != %{}
      hashes = before.chunks |> Map.values() |> MapSet.new()

      # It is written without anybody's asking.
      eventually(
        fn -> Store.query!(store, "SELECT hash FROM wasgo_world_needs").rows end,
        &MapSet.subset?(hashes, for([{:blob, hash}] <- &1, into: MapSet.new(), do: hash))
      )

      Process.unlink(world)
      ref = Process.monitor(world)
      Process.exit(world, :kill)
      assert_receive {:DOWN, ^ref, _, _, :killed}, 30_000
      world = start(store)
      # Another one, with the same folder: it holds nothing.
      other = WorldEngine.start()
      have = Map.values(before.chunks) ++ Map.values(before.meshes)
      {:ok, _, _} = WorldEngine.join(other, world, "", have: have)
      look(other, [{0, 0}])
      state = settled(other, world, "")
      assert {state.chunks, state.meshes} == {before.chunks, before.meshes}
      assert frames(state, "chunk") == [] and frames(state, "mesh") == []
      # One that has lost a mesh is sent what needs it, with it.
      third = WorldEngine.start()
      [{name, lost} | _] = Map.to_list(before.meshes)
      {:ok, _, _} = WorldEngine.join(third, world, "third", have: have -- [lost])
      look(third, [{0, 0}])
      state = settled(third, world, "third")
      assert {state.chunks, state.meshes} == {before.chunks, before.meshes}
      assert frames(state, "mesh") == [name]
    end

    test "of another plan are sent where they differ", %{world: world, plan: plan} do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, [{0, 0}])
      before = settled(engine, world, "")
      # Another plan, and the same world but for a tower.
      tower = [what: {:building, :tower}, x: 5, z: 5]
      {:ok, _} = World.set_plan(world, Gen.plan!([seed: 7, objects: [tower]] ++ @small))
      WorldEngine.until(engine, &(&1.chunks["0,0"] != before.chunks["0,0"]))
      state = settled(engine, world, "")
      assert Map.keys(state.chunks) == Map.keys(before.chunks)
      sent = Enum.drop(frames(state, "chunk"), length(frames(before, "chunk")))
      assert "0,0" in sent and length(sent) <= 3
      {:ok, _} = World.set_plan(world, plan)
      WorldEngine.until(engine, &(&1.chunks == before.chunks))
    end

    test "that were edited take the place of the generated ones", %{world: world} do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, [{0, 0}])
      before = settled(engine, world, "")
      {:ok, _} = World.put_chunk(world, {0, 0}, @glb)
      state = WorldEngine.until(engine, &(&1.chunks["0,0"] != before.chunks["0,0"]))
      assert Map.delete(state.chunks, "0,0") == Map.delete(before.chunks, "0,0")
      assert List.last(frames(state, "chunk")) == "0,0"
      {:ok, _} = World.reset_chunk(world, {0, 0})
      WorldEngine.until(engine, &(&1.chunks == before.chunks))
    end

    test "are made only as far as there is room", %{world: world} do
      engine = WorldEngine.start(bulk: 0)
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.apply_always(engine)
      look(engine, [{0, 0}])

      info =
        eventually(fn -> World.zone(world, "") end, &(&1.waiting == [:bulk] and &1.making == 0))

      assert info.chunks == 0
      WorldEngine.room(engine, 1_000, 1_000)
      assert settled(engine, world, "").chunks == chunks(world, [{0, 0}])
    end

    defp eventually(fun, wanted) do
      value = fun.()
      if wanted.(value), do: value, else: eventually(fun, wanted)
    end

    test "of viewers that move all the time are right in the end, and live frames go on", %{
      world: world
    } do
      engine = WorldEngine.start(bulk: 3)
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.apply_always(engine)

      for n <- 1..60 do
        look(engine, [{n * 9, 0}, {0, n * 5}])
        {:ok, rev} = World.put_property(world, "n", n)
        WorldEngine.until(engine, &(&1.rev == rev))
      end

      state = settled(engine, world, "")
      assert state.chunks == chunks(world, [{540, 0}, {0, 300}])
    end

    test "stay away from viewers that are none", %{world: world} do
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.apply_always(engine)
      many = for id <- 1..5_000, do: {id, {0.0, 0.0, 0.0}, 10.0}

      huge = [
        {1, {3.0e38, 0.0, -3.0e38}, 3.0e38},
        {2, {0.0, 0.0, 0.0}, -1.0},
        {3, {0.0, 0.0, 0.0}, 0.0}
      ]

      WorldEngine.say(engine, {:viewers, huge})
      WorldEngine.say(engine, {:viewers, many})
      assert settled(engine, world, "").chunks != %{}
    end
  end
end
