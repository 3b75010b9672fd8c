if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.WorldChannel.MessagesTest do
    # What clients say: events, messages of the application, what is malformed, and too much.
    use Wasgo.WorldChannelCase, async: true

    import ExUnit.CaptureLog

    alias Wasgo.Pipeline

    test "an event goes to a pipeline, as far as it is allowed", context do
      start_supervised!(%{
        id: :events,
        start:
          {Pipeline.Writer, :start_link,
           [
             [{Wasgo.Stages.Transform, with: &{:ok, &1}}],
             [to: self(), name: :channel_test_events]
           ]}
      })

      {client, "ok", _hello} = join(context)

      assert {"ok", %{}} =
               ask(client, context, "event", %{"name" => "wave", "data" => %{"hand" => "left"}})

      assert_receive {Pipeline.Writer, _writer, {:ok, buffer}}, @patience
      assert buffer.payload == %{"name" => "wave", "data" => %{"hand" => "left"}}
      assert buffer.metadata == %{kind: :event, world: context.id, who: "ada"}

      assert {"error", %{"reason" => "forbidden"}} =
               ask(client, context, "event", %{"name" => "shoot"})

      stop_supervised!(:events)

      assert {"error", %{"reason" => "not_served"}} =
               ask(client, context, "event", %{"name" => "wave"})
    end

    test "messages may be the application's own", context do
      {client, "ok", _hello} = join(context)
      assert {"ok", %{"mine" => true, "a" => 1}} = ask(client, context, "mine", %{"a" => 1})
    end

    test "what is malformed is refused with the field at fault", context do
      {client, "ok", _hello} = join(context)

      for {event, payload, field} <- [
            {"ack", %{"seq" => 99}, "seq"},
            {"ack", %{"seq" => "1"}, "seq"},
            {"ack", [], "seq"},
            {"view", %{}, "position"},
            {"view", [], "view"},
            {"view", %{"position" => [0, 0, 1.0e300], "radius" => 1}, "position"},
            {"view", %{"position" => [0, 0, 0]}, "radius"},
            {"loaded", %{"chunks" => ["x"]}, "chunks"},
            {"loaded", %{"chunks" => List.duplicate("0,0", 17)}, "chunks"},
            {"loaded", %{"failed" => 7}, "failed"},
            {"call", %{}, "object"},
            {"call", %{"object" => 1.5}, "object"},
            {"call", %{"object" => 1, "what" => "fly"}, "what"},
            {"call", %{"object" => 1, "what" => -1}, "what"},
            {"call", %{"object" => 1, "what" => 10_000, "args" => [[]]}, "args"},
            {"call", %{"object" => 1, "what" => 10_000, "args" => List.duplicate(1, 33)}, "args"},
            {"event", %{"name" => ""}, "name"},
            {"event", [], "name"}
          ] do
        assert {"error", %{"reason" => "invalid", "field" => ^field}} =
                 ask(client, context, event, payload)
      end

      assert {"error", %{"reason" => "unknown_event"}} = ask(client, context, "fly", %{})
    end

    test "too much is a flood: refused, and in the end let go", context do
      {client, "ok", _hello} = join(context, %{}, "/small")
      view = %{"position" => [0, 0, 0], "radius" => 1}

      log =
        capture_log([metadata: [:wasgo_world]], fn ->
          # With pauses, after each of which one or two are taken.
          for _ <- 1..3 do
            for _ <- 1..500, do: Client.push(client, context.topic, "view", view)
            receive do: (:never -> :ok), after: (200 -> :ok)
          end

          assert_receive {^client, "bye", %{"reason" => "flood"}}, @patience
          assert_receive {^client, "phx_close", _}, @patience
        end)

      assert_received {^client, "phx_reply", {_ref, "error", %{"reason" => "flood"}}}
      assert let_go(log, context) == 1
      {_again, "ok", _hello} = join(context, %{}, "/small")
    end
  end
end
