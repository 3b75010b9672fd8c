defmodule Wasgo.World.HandOverTest do
  # Objects that change hands while everybody changes them.
  use ExUnit.Case, async: true

  alias Wasgo.{Store, World, WorldEngine}
  alias Wasgo.World.Body

  @zones ["a", "b", "c"]
  @objects 60
  @hands 8
  @steps 150

  test "an object has one zone at every number of the journal, and one engine in the end" do
    store = Store.open!(:memory)
    # Nothing is deleted, so that every number can be looked at.
    {:ok, world} =
      World.start_link(name: "w", store: store, link: WorldEngine, prune_at: 1_000_000)

    {:ok, _} =
      World.mutate(
        world,
        for(n <- 1..@objects, do: {:put, id: n, zone: Enum.at(@zones, rem(n, 3))})
      )

    engines =
      for zone <- @zones do
        engine = WorldEngine.start(live: 3)
        {:ok, _, _} = WorldEngine.join(engine, world, zone)
        WorldEngine.apply_always(engine)
        {zone, engine}
      end

    # Engines come and go meanwhile, too.
    hands = for hand <- 1..@hands, do: Task.async(fn -> work(world, hand) end)

    coming =
      Task.async(fn ->
        for _ <- 1..20, {zone, engine} <- engines, do: come_and_go(engine, world, zone)
      end)

    watching = Task.async(fn -> watch(world) end)

    Task.await_many(hands, 60_000)
    Task.await(coming, 60_000)
    send(watching.pid, :enough)
    assert Task.await(watching) > 0

    rev = World.rev(world)
    assert rev == @objects + @hands * @steps

    of_objects = journal(store)
    assert map_size(of_objects) == @objects
    for {_id, zones} <- of_objects, do: assert(Enum.all?(zones, &(&1 in @zones)))

    owner = for object <- World.objects(world), into: %{}, do: {object.id, object.zone}

    held =
      for {zone, engine} <- engines do
        wanted = for {id, ^zone} <- owner, do: id
        state = WorldEngine.until(engine, &(Enum.sort(Map.keys(&1.nodes)) == Enum.sort(wanted)))
        Map.keys(state.nodes)
      end

    assert held |> List.flatten() |> Enum.sort() == Enum.to_list(1..@objects)
  end

  defp work(world, hand) do
    :rand.seed(:exsss, hand)

    for step <- 1..@steps do
      id = :rand.uniform(@objects)

      {:ok, _} =
        if rem(step, 3) == 0,
          do: World.update(world, id, position: {step, hand, 0}),
          else: World.hand_over(world, id, Enum.random(@zones))
    end
  end

  defp come_and_go(engine, world, zone) do
    :ok = WorldEngine.leave(engine)
    {:ok, _, _} = WorldEngine.join(engine, world, zone)
  end

  # Never none: every object is there, with a zone, whenever one looks.
  defp watch(world, looks \\ 0) do
    objects = World.objects(world)
    assert length(objects) == @objects
    assert Enum.all?(objects, &(&1.zone in @zones))

    receive do
      :enough -> looks + 1
    after
      0 -> watch(world, looks + 1)
    end
  end

  # The zones of each object in the order of the numbers, of which each row has one.
  defp journal(store) do
    for [_rev, {:blob, row}] <-
          Store.query!(store, "SELECT rev, entry FROM wasgo_world_journal ORDER BY rev").rows,
        {:ok, {id, zone, _marks, body}} when body != :gone <- [Body.unrow(row)],
        reduce: %{} do
      zones -> Map.update(zones, id, [zone], &[zone | &1])
    end
  end
end
