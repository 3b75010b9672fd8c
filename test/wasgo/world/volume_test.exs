defmodule Wasgo.World.VolumeTest do
  # Worlds whose plan has a volume and no ground.
  use ExUnit.Case, async: true

  import Wasgo.Gen.Field

  alias Wasgo.Gen.{Tiling, Volume}
  alias Wasgo.Godot.{Frame, Vector3}
  alias Wasgo.{Gen, Store, World, WorldEngine}

  @glb <<"glTF", 2::32-little, 20::32-little, 0::64>>

  setup do
    store = Store.open!(:memory)
    plan = Gen.plan!(seed: 1, density: sphere({16, 0, 16}, 20), cells: 8, levels: 2)
    {:ok, store: store, plan: plan, world: start(store, plan: plan)}
  end

  defp start(store, options) do
    options = [name: "caves", store: store, link: WorldEngine, hz: 120] ++ options
    {:ok, world} = World.start_link(options)
    world
  end

  defp look(engine, position, radius \\ 40.0),
    do: WorldEngine.say(engine, {:viewers, [{1, position, radius}]})

  # The cubes that a viewer there is to have: those in which there is something.
  defp expected(plan, position, radius \\ 40.0) do
    {:ok, tiling} = Tiling.new(plan)
    viewer = %{id: 1, position: position, radius: radius, level: 0}

    for {address, {_distance2, neighbours, _viewers}} <- Tiling.tiles(tiling, [viewer]),
        work = Gen.Work.new(plan, address, neighbours),
        {:ok, made} = Wasgo.Native.Result.await(Gen.Work.start(work)),
        Volume.triangles(Gen.Work.finish(work, made)) > 0,
        do: Frame.key(address)
  end

  defp until_there(engine, keys) do
    WorldEngine.until(engine, &(Enum.sort(Map.keys(&1.chunks)) == Enum.sort(keys)))
  end

  defp sent(state), do: for({"chunk", key} <- state.frames, do: key)

  test "its cubes are those around the viewers with something in them, each sent once", %{
    plan: plan,
    world: world
  } do
    engine = WorldEngine.start()
    {:ok, _, _} = WorldEngine.join(engine, world, "")
    look(engine, {16.0, 0.0, 16.0})
    keys = expected(plan, {16.0, 0.0, 16.0})
    assert length(keys) > 20 and "1,2,1,0" in keys
    assert Enum.any?(keys, &String.starts_with?(&1, "-"))
    state = until_there(engine, keys)
    assert Enum.sort(sent(state)) == Enum.sort(keys)
    # From high above it is coarser, and from farther away it is gone.
    look(engine, {16.0, 100.0, 16.0}, 120.0)
    coarse = expected(plan, {16.0, 100.0, 16.0}, 120.0)
    assert Enum.any?(coarse, &String.ends_with?(&1, ",2"))
    until_there(engine, coarse)
    look(engine, {16.0, 1_000.0, 16.0})
    until_there(engine, [])
  end

  test "its cubes are known by their hashes when both have started again", %{
    store: store,
    plan: plan,
    world: world
  } do
    engine = WorldEngine.start()
    {:ok, _, _} = WorldEngine.join(engine, world, "")
    look(engine, {16.0, 0.0, 16.0})
    state = until_there(engine, expected(plan, {16.0, 0.0, 16.0}))
    :ok = World.stop(world)
    world = start(store, [])
    other = WorldEngine.start()
    {:ok, _, _} = WorldEngine.join(other, world, "", have: Map.values(state.chunks))
    look(other, {16.0, 0.0, 16.0})
    state = until_there(other, Map.keys(state.chunks))
    assert sent(state) == []
  end

  test "an edited cube stands in the place of the generated one, and one that is empty comes when it is edited",
       %{plan: plan, world: world} do
    engine = WorldEngine.start()
    {:ok, _, _} = WorldEngine.join(engine, world, "")
    look(engine, {16.0, 0.0, 16.0})
    keys = expected(plan, {16.0, 0.0, 16.0})
    before = until_there(engine, keys)
    refute "1,0,1,0" in keys
    {:ok, _} = World.put_chunk(world, {1, 0, 1, 0}, @glb)
    until_there(engine, ["1,0,1,0" | keys])
    {:ok, _} = World.put_chunk(world, {1, 2, 1, 0}, @glb)
    WorldEngine.until(engine, &(&1.chunks["1,2,1,0"] != before.chunks["1,2,1,0"]))
    {:ok, _} = World.reset_chunk(world, {1, 2, 1, 0})
    WorldEngine.until(engine, &(&1.chunks["1,2,1,0"] == before.chunks["1,2,1,0"]))
  end

  test "a world goes from a ground to a volume and back", %{plan: plan, world: world} do
    engine = WorldEngine.start()
    {:ok, _, _} = WorldEngine.join(engine, world, "")
    look(engine, {16.0, 0.0, 16.0})
    keys = expected(plan, {16.0, 0.0, 16.0})
    until_there(engine, keys)
    ground = Gen.plan!(seed: 7, samples: 5, levels: 1, chunk_size: 32.0, scatter: [])
    {:ok, _} = World.set_plan(world, ground)

    WorldEngine.until(engine, fn state ->
      is_map_key(state.chunks, "0,0") and
        Enum.all?(Map.keys(state.chunks), &(length(String.split(&1, ",")) < 4))
    end)

    {:ok, _} = World.set_plan(world, plan)
    until_there(engine, keys)
  end

  test "a cube's triangles to collide with are where its density goes through 0", %{plan: plan} do
    volume = Gen.volume!(plan, {1, 2, 1})
    assert {:ok, {"chunk", fields}, []} = Frame.chunk(volume)
    assert {fields["key"], fields["origin"]} == {"1,2,1,0", Vector3.new(8, 16, 8)}

    assert [%{"shape" => "mesh", "faces" => {:packed_vector3, faces}}] = fields["colliders"]
    assert rem(byte_size(faces), 36) == 0 and byte_size(faces) >= 36

    for <<x::float-32-little, y::float-32-little, z::float-32-little <- faces>> do
      distance = :math.sqrt((x + 8 - 16) ** 2 + (y + 16) ** 2 + (z + 8 - 16) ** 2)
      assert_in_delta distance, 20.0, 0.3
    end

    # Nothing to see, and nothing to collide with.
    assert {:ok, {"chunk", %{"surfaces" => [], "colliders" => []}}, []} =
             Frame.chunk(Gen.volume!(plan, {1, 0, 1}))
  end

  describe "a plan with a ground and a volume" do
    setup %{world: world} do
      options = [samples: 5, chunk_size: 32.0, scatter: [], cells: 8, levels: 2]
      both = [seed: 1, height: 2.0, density: sphere({16, 40, 16}, 20)] ++ options
      {:ok, _} = World.set_plan(world, Gen.plan!(both))
      {:ok, both: both}
    end

    defp kinds(state) do
      {cubes, chunks} = Enum.split_with(Map.keys(state.chunks), &(length(parts(&1)) == 4))
      {Enum.sort(chunks), Enum.sort(cubes)}
    end

    defp parts(key), do: String.split(key, ",")

    # What either alone would be sent.
    defp alone(world, without, both, position) do
      {:ok, _} = World.set_plan(world, Gen.plan!(Keyword.delete(both, without)))
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "alone without #{without}")
      look(engine, position)
      {:ok, tiling} = Tiling.new(Gen.plan!(Keyword.delete(both, without)))
      viewer = %{id: 1, position: position, radius: 40.0, level: 0}
      keys = for {address, _tile} <- Tiling.tiles(tiling, [viewer]), do: Frame.key(address)
      # Cubes with nothing in them are not sent.
      keys = if without == :height, do: cubes(both, position), else: keys
      until_there(engine, keys)
      Enum.sort(keys)
    end

    defp cubes(both, position),
      do: both |> Keyword.delete(:height) |> Gen.plan!() |> expected(position)

    test "is shown with both, as each would be alone", %{world: world, both: both} do
      at = {16.0, 40.0, 16.0}
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, at)
      chunks = alone(world, :density, both, at)
      cubes = alone(world, :height, both, at)
      assert chunks != [] and length(cubes) > 20
      {:ok, _} = World.set_plan(world, Gen.plan!(both))
      state = WorldEngine.until(engine, &(kinds(&1) == {chunks, cubes}))
      # From the ground the rock is out of sight, and the ground stays.
      look(engine, {16.0, -200.0, 16.0})
      state_below = WorldEngine.until(engine, &(kinds(&1) == {chunks, []}))
      assert Map.take(state.chunks, chunks) == state_below.chunks
      # One of either is edited, where it is.
      look(engine, at)
      WorldEngine.until(engine, &(kinds(&1) == {chunks, cubes}))
      {:ok, _} = World.put_chunk(world, {0, 0}, @glb)
      {:ok, _} = World.put_chunk(world, {1, 7, 1, 0}, @glb)

      WorldEngine.until(
        engine,
        &(&1.chunks["0,0"] != state.chunks["0,0"] and
            &1.chunks["1,7,1,0"] != state.chunks["1,7,1,0"] and
            map_size(&1.chunks) == map_size(state.chunks))
      )
    end

    test "whose cubes cannot meet at several levels is shown with its ground", %{
      world: world,
      both: both
    } do
      {:ok, _} = World.set_plan(world, Gen.plan!(Keyword.put(both, :cells, 9)))
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      look(engine, {16.0, 40.0, 16.0})
      assert {_chunks, []} = kinds(WorldEngine.until(engine, &is_map_key(&1.chunks, "0,0")))
    end
  end
end
