if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.WorldChannel.CreditTest do
    # Clients that are slow to acknowledge what they are sent, or never do.
    use Wasgo.WorldChannelCase, async: true

    import ExUnit.CaptureLog

    alias Wasgo.World

    test "what is sent is what changed, and of what is behind only the newest", context do
      %{world: world} = context
      {client, "ok", _hello} = join(context, %{}, "/small")

      # Each push is one state: four are sent, and no more before the first is acknowledged.
      for number <- 1..4 do
        {:ok, rev} = World.put_property(world, "number", number)

        assert_receive {^client, "state",
                        %{"rev" => ^rev, "properties" => %{"number" => ^number}} = state},
                       @patience

        assert state["seq"] == number
      end

      for number <- 5..50, do: {:ok, _rev} = World.put_property(world, "number", number)

      {:ok, rev} =
        World.put(world, name: "lamp") |> then(fn {:ok, _id} -> {:ok, World.rev(world)} end)

      ack(client, context, 4)
      assert_receive {^client, "state", state}, @patience

      assert %{
               "seq" => 5,
               "rev" => ^rev,
               "properties" => %{"number" => 50},
               "objects" => [%{"name" => "lamp"}]
             } = state

      ack(client, context, 5)
      {:ok, gone} = World.remove(world, 1)

      assert_receive {^client, "state", %{"rev" => ^gone, "gone" => [1], "objects" => []}},
                     @patience
    end

    test "of broadcasts of the application the newest are sent when a client is behind",
         context do
      {client, "ok", _hello} = join(context, %{}, "/small")

      for number <- 1..100,
          do:
            context.endpoint.broadcast(context.topic, "event", %{
              "name" => "bell",
              "data" => number
            })

      events = events(client, context, [])
      assert Enum.map(events, & &1["seq"]) == Enum.to_list(1..length(events))
      assert Enum.all?(events, &(&1["name"] == "bell"))
      dropped = events |> Enum.map(&Map.get(&1, "dropped", 0)) |> Enum.sum()
      assert dropped > 0
      assert length(events) + dropped == 100
    end

    # Up to the last one, each acknowledged.
    defp events(client, context, done) do
      assert_receive {^client, "event", event}, @patience
      ack(client, context, event["seq"])
      done = [event | done]
      if event["data"] == 100, do: Enum.reverse(done), else: events(client, context, done)
    end

    test "who does not acknowledge is let go, which is logged once with the world", context do
      {client, "ok", _hello} = join(context, %{}, "/hasty")

      log =
        capture_log([metadata: [:wasgo_world]], fn ->
          for number <- 1..20,
              do: {:ok, _rev} = World.put_property(context.world, "number", number)

          assert_receive {^client, "bye", %{"reason" => "not_reading"}}, @patience
          assert_receive {^client, "phx_close", _}, @patience
        end)

      assert let_go(log, context) == 1
    end

    test "a browser that never reads is let go, and costs no more than its credit", context do
      blob = String.duplicate("x", 15_000)

      for number <- 1..200,
          do:
            {:ok, _id} =
              World.put(context.world, name: "#{number}", properties: %{"blob" => blob})

      _client = join(context, %{}, "/hasty", read: false)
      assert_receive {:joined, channel, transport}, @patience
      ref = Process.monitor(channel)

      for number <- 1..100,
          do: {:ok, _rev} = World.put_property(context.world, "number", number)

      assert_receive {:DOWN, ^ref, :process, _pid, {:shutdown, {:let_go, "not_reading"}}},
                     @patience

      {:message_queue_len, waiting} =
        Process.info(transport, :message_queue_len) || {:message_queue_len, 0}

      assert waiting <= 8
    end
  end
end
