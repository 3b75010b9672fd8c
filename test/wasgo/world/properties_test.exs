if Code.ensure_loaded?(:proper) do
  defmodule Wasgo.World.PropertiesTest do
    @moduledoc """
    Whatever happens to a world, and whenever engines come, go and are slow: what it holds is what it was told, what an engine of a zone holds in the end is that
    zone's, and no engine passes a number twice.
    """

    use ExUnit.Case, async: true

    alias :proper_types, as: Gen
    alias Wasgo.Godot.{Transform3D, Vector3}
    alias Wasgo.{Rows, Store, World, WorldEngine}

    @moduletag :proper
    @moduletag :capture_log
    @moduletag timeout: 300_000
    @numtests String.to_integer(System.get_env("WASGO_WORLD_HISTORIES", "150"))
    @zones ["a", "b"]

    test "random histories, with restarts, snapshots, prunings and engines that resume from anywhere" do
      assert :proper.quickcheck(property(), [
               :quiet,
               :long_result,
               numtests: @numtests,
               max_size: 60
             ]) == true
    end

    defp property do
      :proper.forall(Gen.list(command()), fn commands ->
        # PropEr cannot tell on this OTP what was raised.
        try do
          commands |> Enum.reduce(begin(), &run/2) |> finish()
        rescue
          error -> IO.puts(Exception.format(:error, error, __STACKTRACE__)) && false
        end
      end)
    end

    defp command do
      number = Gen.integer(0, 11)

      Gen.frequency([
        {8, {:put, number, Gen.integer(0, 3)}},
        {10, {:update, number, Gen.integer(0, 5)}},
        {5, {:remove, number}},
        {5, {:hand_over, number, Gen.integer(0, 2)}},
        {3, {:property, Gen.integer(0, 3), Gen.integer(0, 2)}},
        {2, {:put_mesh, Gen.integer(0, 1), Gen.integer(0, 2)}},
        {1, {:remove_mesh, Gen.integer(0, 1)}},
        {3, {:show, number, Gen.integer(0, 1)}},
        {3, {:several, Gen.list({number, Gen.integer(0, 3)})}},
        {5, {:rows, number, Gen.integer(0, 1_000)}},
        {1, :snapshot},
        {1, :restart},
        {1, :kill},
        {3, {:join, Gen.integer(0, 1)}},
        {3, {:leave, Gen.integer(0, 1)}},
        {8, {:apply, Gen.integer(0, 1), Gen.integer(1, 4)}},
        {3, {:room, Gen.integer(0, 1), Gen.integer(0, 4)}}
      ])
    end

    defp begin do
      store = Store.open!(:memory)

      engines =
        for zone <- @zones,
            into: %{},
            do: {zone, %{pid: WorldEngine.start(live: 2), joined?: false}}

      %{
        store: store,
        world: start(store),
        objects: %{},
        properties: %{},
        meshes: %{},
        engines: engines,
        number: 0
      }
    end

    defp start(store) do
      options = [name: "w", store: store, link: WorldEngine, max_traces: 6, prune_at: 9, hz: 120]
      {:ok, world} = World.start_link(options)
      world
    end

    ## What is done, and what comes of it by a model that is a map

    defp zone(0), do: "a"
    defp zone(1), do: "b"
    defp zone(_all), do: nil

    defp run({:put, id, zone}, state) do
      object = %{
        name: "n#{id}",
        zone: zone(zone),
        position: {id, 0, 0},
        properties: %{},
        mesh: nil
      }

      {:ok, ^id} = World.put(state.world, [id: id] ++ Map.to_list(object))
      put_in(state.objects[id], object)
    end

    defp run({:update, id, what}, state) do
      state = %{state | number: state.number + 1}
      n = state.number

      changes =
        case what do
          0 -> [position: {n, 1, 0}]
          1 -> [properties: %{"p" => n}]
          2 -> [properties: %{"p" => n, "q" => "#{n}"}]
          3 -> [name: "m#{n}"]
          4 -> [script: "s#{n}"]
          5 -> [properties: %{}, position: {0, n, 0}]
        end

      result = World.update(state.world, id, changes)
      changed(state, id, result, Map.new(changes))
    end

    defp run({:remove, id}, state) do
      case World.remove(state.world, id) do
        {:ok, _rev} when is_map_key(state.objects, id) ->
          %{state | objects: Map.delete(state.objects, id)}

        {:error, %{reason: :unknown_object}} when not is_map_key(state.objects, id) ->
          state
      end
    end

    defp run({:hand_over, id, zone}, state) do
      changed(state, id, World.hand_over(state.world, id, zone(zone)), %{zone: zone(zone)})
    end

    defp run({:property, name, 0}, state) do
      {:ok, _} = World.remove_property(state.world, "p#{name}")
      %{state | properties: Map.delete(state.properties, "p#{name}")}
    end

    defp run({:property, name, value}, state) do
      {:ok, _} = World.put_property(state.world, "p#{name}", value)
      put_in(state.properties["p#{name}"], value)
    end

    # All or none: one of an object that is not there spoils it.
    defp run({:several, []}, state), do: state

    defp run({:several, several}, state) do
      mutations =
        for {id, what} <- several do
          if what == 0, do: {:remove, id}, else: {:put, id: id, name: "s#{what}"}
        end

      after_all =
        Enum.reduce_while(several, state.objects, fn
          {id, 0}, objects when not is_map_key(objects, id) ->
            {:halt, nil}

          {id, 0}, objects ->
            {:cont, Map.delete(objects, id)}

          {id, what}, objects ->
            {:cont,
             Map.put(objects, id, %{
               name: "s#{what}",
               zone: nil,
               position: {0, 0, 0},
               properties: %{},
               mesh: nil
             })}
        end)

      case World.mutate(state.world, mutations) do
        {:ok, _} when after_all != nil -> %{state | objects: after_all}
        {:error, %{reason: :unknown_object}} when after_all == nil -> state
      end
    end

    defp run({:put_mesh, name, seed}, state) do
      {:ok, _} = World.put_mesh(state.world, mesh(name, seed))
      put_in(state.meshes[name], seed)
    end

    defp run({:remove_mesh, name}, state) do
      used? = Enum.any?(state.objects, fn {_id, object} -> object.mesh == "m#{name}" end)

      case World.remove_mesh(state.world, "m#{name}") do
        {:ok, _} when not used? -> %{state | meshes: Map.delete(state.meshes, name)}
        {:error, %{reason: :in_use}} when used? -> state
      end
    end

    defp run({:show, id, name}, state) when is_map_key(state.meshes, name),
      do: changed(state, id, World.update(state.world, id, mesh: "m#{name}"), %{mesh: "m#{name}"})

    defp run({:show, id, name}, state) do
      {:error, %{reason: reason}} = World.update(state.world, id, mesh: "m#{name}")
      assert reason == if(is_map_key(state.objects, id), do: :unknown_mesh, else: :unknown_object)
      state
    end

    defp run({:rows, id, value}, state) do
      {:ok, _} = World.put_rows(state.world, Rows.new(["t"], [{id, [value]}]))
      state
    end

    defp run(:snapshot, state) do
      :ok = World.snapshot(state.world)
      state
    end

    defp run(:restart, state), do: restart(state, fn world -> World.stop(world) end)

    defp run(:kill, state) do
      restart(state, fn world ->
        Process.unlink(world)
        ref = Process.monitor(world)
        Process.exit(world, :kill)
        receive do: ({:DOWN, ^ref, _, _, _} -> :ok)
      end)
    end

    defp run({:join, zone}, state), do: join(state, zone(zone))
    defp run({:leave, zone}, state), do: leave(state, zone(zone))

    defp run({:apply, zone, count}, state) do
      :ok = WorldEngine.apply_frames(state.engines[zone(zone)].pid, count)
      state
    end

    defp run({:room, zone, room}, state) do
      :ok = WorldEngine.room(state.engines[zone(zone)].pid, room, 1)
      state
    end

    defp mesh(name, seed), do: %{Wasgo.Gen.creature(seed) | name: "m#{name}"}

    defp changed(state, id, result, changes) do
      case result do
        {:ok, _rev} when is_map_key(state.objects, id) ->
          update_in(state.objects[id], &Map.merge(&1, Map.delete(changes, :script)))

        {:error, %{reason: :unknown_object}} when not is_map_key(state.objects, id) ->
          state
      end
    end

    defp restart(state, stop) do
      state = Enum.reduce(@zones, state, &leave(&2, &1))
      stop.(state.world)
      %{state | world: start(state.store)}
    end

    defp join(state, zone) do
      case state.engines[zone] do
        %{joined?: true} ->
          state

        engine ->
          {:ok, _, _} = WorldEngine.join(engine.pid, state.world, zone)
          put_in(state.engines[zone].joined?, true)
      end
    end

    defp leave(state, zone) do
      case state.engines[zone] do
        %{joined?: true} = engine ->
          :ok = WorldEngine.leave(engine.pid)
          put_in(state.engines[zone].joined?, false)

        _gone ->
          state
      end
    end

    ## In the end

    defp finish(state) do
      right!(state)

      # An engine that was too slow was let go, and comes again.
      for zone <- @zones do
        state |> leave(zone) |> join(zone)
        WorldEngine.room(state.engines[zone].pid, 100, 100)
        WorldEngine.until(state.engines[zone].pid, &same?(&1, state, zone))
      end

      for {_zone, engine} <- state.engines, do: GenServer.stop(engine.pid)
      :ok = World.stop(state.world)
      right!(%{state | world: start(state.store)})
      true
    end

    defp right!(state) do
      held =
        for object <- World.objects(state.world), into: %{} do
          %Vector3{x: x, y: y, z: z} = object.transform.origin
          position = {trunc(x), trunc(y), trunc(z)}

          {object.id,
           %{
             name: object.name,
             zone: object.zone,
             position: position,
             properties: object.properties,
             mesh: object.mesh
           }}
        end

      assert held == state.objects
      assert World.properties(state.world) == state.properties
    end

    defp same?(engine, state, zone) do
      wanted = Map.filter(state.objects, fn {_id, object} -> object.zone in [nil, zone] end)

      # What is shown is what was put last.
      shown =
        for {name, seed} <- state.meshes, into: %{} do
          payload = :erlang.term_to_binary({mesh(name, seed), Wasgo.Gen.Plan.materials()})
          {"world:m#{name}", binary_part(:crypto.hash(:sha256, payload), 0, 16)}
        end

      Map.keys(engine.nodes) == Map.keys(wanted) and engine.properties == state.properties and
        Map.take(engine.meshes, Map.keys(shown)) == shown and
        Enum.all?(wanted, fn {id, object} ->
          node = engine.nodes[id]
          {x, y, z} = object.position

          node.name == object.name and node.mesh == shown(object.mesh) and
            Map.delete(node.values, "t") == object.properties and
            node.transform == Transform3D.new(%Wasgo.Godot.Basis{}, Vector3.new(x, y, z)) and
            moved?(node, World.transient(state.world, id))
        end)
    end

    defp shown(nil), do: ""
    defp shown(mesh), do: "world:" <> mesh

    defp moved?(node, %{"t" => value}), do: node.values["t"] == value
    defp moved?(_node, _none), do: true
  end
end
