if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.WorldChannel.JoiningTest do
    # Who may join a world, what a client is told then, and what it lacks when it comes back.
    use Wasgo.WorldChannelCase, async: true

    alias Wasgo.Godot.Vector3
    alias Wasgo.{Rows, World}

    test "joining answers where the world is, and all that is there follows", context do
      %{world: world} = context
      {:ok, _rev} = World.put_property(world, "season", "spring")

      {:ok, 1} =
        World.put(world,
          name: "lamp",
          position: {1, 2, 3},
          zone: "north",
          properties: %{"at" => Vector3.new(1, 2, 3)}
        )

      {:ok, 2} = World.put(world, name: "gone")
      {:ok, rev} = World.remove(world, 2)
      {:ok, 1} = World.put_rows(world, Rows.new(["rotation:y"], [{1, [0.5]}]))
      {client, "ok", hello} = join(context)

      assert %{
               "rev" => 0,
               "reset" => true,
               "plan" => nil,
               "zones" => [],
               "scripts" => [],
               "hz" => 20
             } = hello

      assert hello["world"] == context.id
      assert hello["identity"] == World.info(world).identity
      assert %{"unacknowledged" => 64, "calls" => 2, "loading" => 16} = hello["limits"]

      assert [state] = states(client, context, rev)

      assert %{
               "seq" => 1,
               "properties" => %{"season" => "spring"},
               "gone" => [2],
               "reset" => false
             } = state

      assert [
               %{
                 "id" => 1,
                 "name" => "lamp",
                 "zone" => "north",
                 "transform" => transform,
                 "properties" => %{"at" => [1.0, 2.0, 3.0]},
                 "values" => %{"rotation:y" => 0.5},
                 "mesh" => nil
               }
             ] = state["objects"]

      assert transform == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0]
    end

    test "a client that joins again is sent what it lacks", context do
      %{world: world} = context
      {:ok, _id} = World.put(world, name: "a")
      {:ok, _id} = World.put(world, name: "b")
      {client, "ok", %{"identity" => identity}} = join(context)
      states(client, context, 2)
      {:ok, rev} = World.update(world, 1, name: "c")

      {again, "ok", %{"rev" => 2, "reset" => false}} =
        join(context, %{"rev" => 2, "identity" => identity})

      assert [%{"objects" => [%{"id" => 1, "name" => "c"}]}] = states(again, context, rev)

      # Of another world of that name it knows nothing.
      {_other, "ok", %{"rev" => 0, "reset" => true}} =
        join(context, %{"rev" => 2, "identity" => "x"})

      {_newer, "ok", %{"rev" => 0, "reset" => true}} =
        join(context, %{"rev" => 99, "identity" => identity})
    end

    test "joining is refused with a reason", context do
      topics = fn topic, params ->
        {client, "error", answer} = join(%{context | topic: topic}, params)
        GenServer.stop(client)
        answer
      end

      assert %{"reason" => "forbidden"} = topics.("world:forbidden", %{})
      assert %{"reason" => "full"} = topics.("world:why", %{})
      assert %{"reason" => "unknown_world"} = topics.("world:nowhere", %{})
      assert %{"reason" => "unknown_world"} = topics.("world:", %{})

      assert %{"reason" => "unknown_world"} = topics.("world:" <> String.duplicate("a", 256), %{})

      for {params, field} <- [
            {%{"rev" => -1}, "rev"},
            {%{"identity" => 7}, "identity"},
            {%{"view" => 7}, "view"},
            {%{"view" => %{"position" => [1, 2], "radius" => 3}}, "position"},
            {%{"view" => %{"position" => [1, 2, "3"], "radius" => 3}}, "position"},
            {%{"view" => %{"position" => [1, 2, 3], "radius" => 0}}, "radius"},
            {%{"held" => [1]}, "held"},
            {%{"held" => %{"0,0" => "short"}}, "held"},
            {%{"held" => %{"x" => String.duplicate("0", 32)}}, "held"}
          ] do
        assert %{"reason" => "invalid", "field" => ^field, "message" => message} =
                 topics.(context.topic, params)

        assert message =~ "should be"
      end

      stop_supervised!({World, context.id})
      assert %{"reason" => "unavailable"} = topics.(context.topic, %{})
    end

    test "the channel ends with the world, and a client is told", context do
      {client, "ok", _hello} = join(context)
      stop_supervised!({World, context.id})
      assert_receive {^client, "bye", %{"reason" => "world_ended"}}, @patience
      assert_receive {^client, "phx_close", _}, @patience
    end
  end
end
