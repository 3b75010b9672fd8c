if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.WorldChannel.ScriptsTest do
    # Scripts of objects, as clients call them and hear of them.
    use Wasgo.WorldChannelCase, async: true

    alias Wasgo.Script.Registry
    alias Wasgo.{ChannelRows, RowScript, World}

    @hop RowScript.wat("rotation:y", 0.5, """
           (func $hop (export "_notification") (param $what i32) (param i32 i32) (result i64)
             (if (i32.eq (local.get $what) (i32.const 10001)) (then (return (i64.const 0x40_00000018))))
             (if (i32.eq (local.get $what) (i32.const 10002))
               (then
                 unreachable))
             (if (i32.eq (local.get $what) (i32.const 10003)) (then (loop $ever (br $ever))))
             (i64.const 0))
         """)

    setup %{id: id, world: world, store: store} do
      {:ok, 1} = Registry.put(store, "hop", @hop)
      {:ok, 1} = World.put(world, name: "hare", script: "hop")
      {:ok, 2} = World.put(world, name: "stone")

      runner =
        start_supervised!(
          {World.Scripts, world: world, scripts: store, name: String.to_atom("runner_" <> id)}
        )

      # Compiling takes a moment.
      {:ok, ^runner, statuses} = World.Scripts.subscribe(runner)

      if statuses == [],
        do: assert_receive({:wasgo_scripts, ^runner, %{state: :running}}, @patience)

      %{runner: runner}
    end

    test "scripts of objects are called, and what they return is what everyone sees", context do
      {client, "ok", _hello} = join(context)
      states(client, context, 2)

      assert {"ok", %{"values" => %{"rotation:y" => 0.5}}} =
               ask(client, context, "call", %{
                 "object" => 1,
                 "what" => 10_001,
                 "args" => [1, "a", nil]
               })

      assert_receive {^client, "rows", bytes}, @patience
      assert {_seq, [{[1], [{"rotation:y", [0.5]}]}]} = ChannelRows.read(bytes)

      assert {"ok", %{"values" => nil}} =
               ask(client, context, "call", %{"object" => 1, "what" => "ready"})

      assert {"error", %{"reason" => "forbidden"}} =
               ask(client, context, "call", %{"object" => 1, "what" => 10_666})

      assert {"error", %{"reason" => "unknown_object"}} =
               ask(client, context, "call", %{"object" => 2, "what" => 10_001})

      assert {"error", %{"reason" => "unknown_object"}} =
               ask(client, context, "call", %{"object" => 77, "what" => 10_001})

      assert {"error", %{"reason" => "script", "error" => error}} =
               ask(client, context, "call", %{"object" => 1, "what" => 10_002})

      assert %{"reason" => "unreachable", "frames" => [%{"function" => "hop"}]} = error
    end

    test "of a client few calls are under way, and those that take too long are stopped",
         context do
      {client, "ok", _hello} = join(context)

      # No call is answered until the runner goes on.
      :ok = :sys.suspend(context.runner)
      call = %{"object" => 1, "what" => 10_001}
      [one, two | others] = for _ <- 1..8, do: Client.push(client, context.topic, "call", call)

      for ref <- others,
          do:
            assert_receive(
              {^client, "phx_reply", {^ref, "error", %{"reason" => "busy"}}},
              @patience
            )

      refute_received {^client, "phx_reply", {^one, _status, _answer}}
      :ok = :sys.resume(context.runner)

      for ref <- [one, two],
          do: assert_receive({^client, "phx_reply", {^ref, "ok", _values}}, @patience)

      # One that never ends is stopped.
      assert {"error", %{"reason" => "timeout"}} =
               ask(client, context, "call", %{call | "what" => 10_003})
    end

    test "scripts that fail are told of with the line of their source, and when a new version runs",
         context do
      {client, "ok", %{"scripts" => [%{"script" => "hop", "version" => 1, "state" => "running"}]}} =
        join(context)

      World.Scripts.notify(context.runner, 1, 10_002)

      assert_receive {^client, "script_error",
                      %{"seq" => _, "script" => "hop", "version" => 1, "error" => error}},
                     @patience

      assert %{"reason" => "unreachable", "object" => 1, "count" => 1, "frames" => [frame]} =
               error

      assert %{"function" => "hop", "line" => 10, "file" => nil} = frame
      assert is_integer(frame["offset"]) and is_integer(frame["column"])

      {:ok, 2} = Registry.put(context.store, "hop", @hop <> ";; better")

      assert_receive {^client, "script",
                      %{"script" => "hop", "version" => 2, "state" => "running", "error" => nil}},
                     @patience

      {_other, "ok", %{"scripts" => [%{"version" => 2}]}} = join(context)
    end

    test "scripts are told of to who joins before they run", context do
      :ok = stop_supervised(String.to_atom("runner_" <> context.id))
      {client, "ok", %{"scripts" => []}} = join(context)

      assert {"error", %{"reason" => "no_runner"}} =
               ask(client, context, "call", %{"object" => 1, "what" => 10_001})

      start_supervised!(
        {World.Scripts,
         world: context.world,
         scripts: context.store,
         name: String.to_atom("runner_" <> context.id)}
      )

      assert_receive {^client, "script", %{"script" => "hop", "state" => "running"}}, @patience

      assert {"ok", %{"values" => %{"rotation:y" => 0.5}}} =
               ask(client, context, "call", %{"object" => 1, "what" => 10_001})
    end

    test "scripts that are not there are told of too", context do
      {:ok, 3} = World.put(context.world, name: "fox", script: "nobody")
      {client, "ok", _hello} = join(context)
      {:ok, 4} = World.put(context.world, name: "owl", script: "nothing")

      assert_receive {^client, "script_error",
                      %{
                        "script" => "nothing",
                        "version" => nil,
                        "error" => %{"reason" => "unknown_script"}
                      }},
                     @patience
    end
  end
end
