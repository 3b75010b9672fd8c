if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.WorldChannel.StateTest do
    # What a client is told of a world: objects, what of them moves, meshes and zones.
    use Wasgo.WorldChannelCase, async: true

    alias Wasgo.Godot.Vector3
    alias Wasgo.{ChannelRows, Gen, HTTPRequest, Rows, World}

    test "many objects are sent in many parts, each within bounds", context do
      %{world: world} = context

      for part <- 1..4,
          do:
            {:ok, _} =
              World.mutate(world, for(n <- 1..500, do: {:put, name: "object #{part} #{n}"}))

      {client, "ok", _hello} = join(context)
      states = states(client, context, 2_000)
      assert length(states) >= 8
      assert Enum.all?(states, &(length(&1["objects"]) <= 256))

      assert states |> Enum.flat_map(& &1["objects"]) |> Enum.map(& &1["id"]) ==
               Enum.to_list(1..2_000)

      assert Enum.map(states, & &1["seq"]) == Enum.to_list(1..length(states))
    end

    test "values that move are sent as bytes, of all types", context do
      %{world: world} = context
      for name <- ["a", "b"], do: {:ok, _id} = World.put(world, name: name)
      {client, "ok", _hello} = join(context)
      states(client, context, 2)

      rows = [
        {1, [0.5, 7, Vector3.new(1, 2, 3), "sit", 1.0e300]},
        {2, [-1.5, 8, Vector3.new(4, 5, 6), nil, 2.0]}
      ]

      {:ok, 2} =
        World.put_rows(
          world,
          Rows.new(["rotation:y", "count", "position", "état", "far"], rows)
        )

      assert_receive {^client, "rows", bytes}, @patience
      assert rem(byte_size(bytes), 4) == 0
      assert {seq, groups} = ChannelRows.read(bytes)
      ack(client, context, seq)

      assert Enum.sort(groups) == [
               {[1],
                [
                  {"count", [7.0]},
                  {"far", [1.0e300]},
                  {"position", [[1.0, 2.0, 3.0]]},
                  {"rotation:y", [0.5]},
                  {"état", ["sit"]}
                ]},
               {[2],
                [
                  {"count", [8.0]},
                  {"far", [2.0]},
                  {"position", [[4.0, 5.0, 6.0]]},
                  {"rotation:y", [-1.5]}
                ]}
             ]

      # What the journal sets later counts for more.
      {:ok, rev} = World.update(world, 1, yaw: 1.0)
      assert [%{"objects" => [%{"values" => values}]}] = states(client, context, rev)
      assert %{"count" => 7} = values
      refute is_map_key(values, "rotation:y")
    end

    test "meshes are named by path, and named again when one is replaced", context do
      %{world: world} = context
      mesh = hd(Gen.plan!(seed: 7).props)
      {:ok, _rev} = World.put_mesh(world, %{mesh | name: "fern"})
      {:ok, 1} = World.put(world, name: "a", mesh: "fern")
      {client, "ok", _hello} = join(context)

      assert [%{"meshes" => [%{"name" => "fern", "path" => path}], "objects" => [object]}] =
               states(client, context, 2)

      assert object["mesh"] == %{"name" => "fern", "path" => path}

      assert {200, _, <<"glTF", _::binary>>} =
               HTTPRequest.request(context.port, "GET", "/wasgo/worlds/#{context.id}/#{path}")

      {:ok, rev} =
        World.put_mesh(world, %{
          mesh
          | name: "fern",
            surfaces: tl(mesh.surfaces) ++ [hd(mesh.surfaces), hd(mesh.surfaces)]
        })

      assert [%{"meshes" => [%{"name" => "fern", "path" => other}], "objects" => []}] =
               states(client, context, rev)

      assert other != path
    end

    test "the zones that are connected are sent when they change", context do
      %{world: world} = context
      {:ok, 1} = World.put(world, name: "a")
      {client, "ok", %{"zones" => []}} = join(context)
      parent = self()

      engine =
        spawn(fn ->
          {:ok, _identity, pid} = World.attach(world, "north")
          send(parent, {:attached, pid})
          receive do: (:leave -> :ok)
        end)

      assert_receive {:attached, _pid}, @patience

      assert_receive {^client, "zones", %{"zones" => [%{"name" => "north", "since" => since}]}},
                     @patience

      assert {:ok, _time, 0} = DateTime.from_iso8601(since)
      {_other, "ok", %{"zones" => [%{"name" => "north", "behind" => 1}]}} = join(context)
      send(engine, :leave)
      assert_receive {^client, "zones", %{"zones" => []}}, @patience
    end
  end
end
