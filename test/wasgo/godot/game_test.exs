defmodule Wasgo.Godot.GameTest do
  # What the game says: events that are fetched, and calls both ways.
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Wasgo.Godot
  alias Wasgo.Godot.{Connection, Server, Vector3}
  alias Wasgo.{GodotError, TestPeer}

  @moduletag :capture_log

  defp floats(list), do: for(n <- list, into: <<>>, do: <<n::little-float-32>>)
  defp longs(list), do: for(n <- list, into: <<>>, do: <<n::little-signed-64>>)
  defp ints(list), do: for(n <- list, into: <<>>, do: <<n::little-signed-32>>)

  defp viewers(list) do
    %{
      "t" => "viewers",
      "ids" => {:packed_int64, longs(for {id, _, _} <- list, do: id)},
      "positions" =>
        {:packed_vector3, floats(for {_, {x, y, z}, _} <- list, n <- [x, y, z], do: n)},
      "radii" => {:packed_float32, floats(for {_, _, radius} <- list, do: radius)}
    }
  end

  defp event(name), do: %{"t" => "event", "name" => name, "node" => "Door", "data" => [1, name]}

  describe "events" do
    test "of every kind, in order, to whoever subscribed, with one notice until they are fetched" do
      {socket, connection, _server} = TestPeer.link()
      assert :ok = Connection.subscribe(connection)

      for frame <- [
            viewers([{-7, {1.5, 2.0, 3.0}, 256.0}]),
            event("opened"),
            %{"t" => "input", "device" => 2, "fields" => %{"class" => "InputEventKey"}},
            %{
              "t" => "attach",
              "scripts" => [%{"id" => 5, "script" => "pet", "node" => "A/B", "state" => ""}]
            },
            %{
              "t" => "notify",
              "ids" => {:packed_int64, longs([5, 6])},
              "whats" => {:packed_int32, ints([17, -3])},
              "args" => [[0.5], [Vector3.new(1, 2, 3), "x"]]
            },
            %{"t" => "detach", "ids" => {:packed_int64, longs([5])}},
            %{"t" => "scene", "id" => 0, "name" => "hut", "glb" => {:packed_byte, "glTF"}},
            %{"t" => "want", "what" => "mesh", "keys" => {:packed_string, ["tree"]}},
            %{"t" => "want", "what" => "asset", "hashes" => {:packed_byte, <<1::128, 2::128>>}}
          ],
          do: TestPeer.say(socket, frame)

      assert_receive {:wasgo_godot, :events, ^connection}, 5_000
      TestPeer.settle(socket)

      assert {:ok, events, 0} = Connection.events(connection)

      assert events == [
               {:viewers, [{-7, {1.5, 2.0, 3.0}, 256.0}]},
               {:event, %{name: "opened", node: "Door", data: [1, "opened"]}},
               {:input, %{"class" => "InputEventKey", "device" => 2}},
               {:attach, [%{id: 5, script: "pet", node: "A/B", state: ""}]},
               {:notify, [{5, 17, [0.5]}, {6, -3, [Vector3.new(1, 2, 3), "x"]}]},
               {:detach, [5]},
               {:scene, %{id: 0, name: "hut", glb: "glTF"}},
               {:want, "mesh", ["tree"]},
               {:want, "asset", [<<1::128>>, <<2::128>>]}
             ]

      assert {:ok, [], 0} = Connection.events(connection)
      refute_received {:wasgo_godot, :events, _connection}
      TestPeer.say(socket, event("closed"))
      assert_receive {:wasgo_godot, :events, ^connection}, 5_000
    end

    test "only of the kinds that were asked for, and nothing for who did not ask" do
      {socket, connection, _server} = TestPeer.link()
      assert :ok = Connection.subscribe(connection, [:event])
      TestPeer.say(socket, viewers([{1, {0.0, 0.0, 0.0}, 1.0}]))
      TestPeer.say(socket, event("a"))
      assert_receive {:wasgo_godot, :events, ^connection}, 5_000
      assert {:ok, [{:event, %{name: "a"}}], 0} = Connection.events(connection)
      other = Task.async(fn -> Connection.events(connection) end)
      assert Task.await(other) == {:ok, [], 0}

      assert_raise ArgumentError, ~r/:weather/, fn ->
        Connection.subscribe(connection, [:weather])
      end
    end

    test "of viewers the newest only, of others the newest 256, and how many were dropped" do
      {socket, connection, _server} = TestPeer.link()
      assert :ok = Connection.subscribe(connection, [:event, :viewers])

      for n <- 1..300 do
        TestPeer.say(socket, viewers([{1, {n / 1, 0.0, 0.0}, 1.0}]))
        TestPeer.say(socket, event("#{n}"))
      end

      TestPeer.settle(socket)
      assert {:ok, events, 45} = Connection.events(connection)

      assert [{_, [{1, {300.0, _y, _z}, 1.0}]}] = Enum.filter(events, &(elem(&1, 0) == :viewers))

      names = for {:event, %{name: name}} <- events, do: String.to_integer(name)
      assert names == Enum.to_list(46..300)
    end

    test "a subscriber that died is forgotten, and there is room for another" do
      {socket, connection, _server} = TestPeer.link()

      test = self()

      tasks =
        for _ <- 1..16 do
          {:ok, pid} =
            Task.start(fn ->
              :ok = Connection.subscribe(connection)
              send(test, :subscribed)
              receive(do: (:go -> :ok))
            end)

          assert_receive :subscribed, 5_000
          pid
        end

      assert {:error, %GodotError{reason: {:too_many_waiting, 16}}} =
               Connection.subscribe(connection)

      Enum.each(tasks, &Process.exit(&1, :kill))
      await_room(connection)
      TestPeer.say(socket, event("a"))
      assert_receive {:wasgo_godot, :events, ^connection}, 5_000
    end

    defp await_room(connection) do
      with {:error, _full} <- Connection.subscribe(connection), do: await_room(connection)
    end

    test "what makes no sense ends the connection" do
      for {frame, words} <- [
            {%{viewers([]) | "radii" => {:packed_float32, floats([1.0])}}, ~s("viewers")},
            {%{
               viewers([{1, {0.0, 0.0, 0.0}, 1.0}])
               | "positions" => {:packed_vector3, <<0, 0, 192, 127, 0::64>>}
             }, "not all numbers"},
            {viewers([{1, {0.0, 0.0, 0.0}, -1.0}]), "not all numbers"},
            {%{event("a") | "name" => String.duplicate("a", 1025)}, ~s("event")},
            {%{event("a") | "node" => nil}, ~s("event")},
            {%{"t" => "attach", "scripts" => [%{"id" => 1}]}, "no scripts"},
            {%{"t" => "detach", "ids" => [1]}, ~s("detach")},
            {%{
               "t" => "notify",
               "ids" => {:packed_int64, longs([1])},
               "whats" => {:packed_int32, ints([1, 2])},
               "args" => [[]]
             }, ~s("notify")},
            {%{
               "t" => "notify",
               "ids" => {:packed_int64, longs([1])},
               "whats" => {:packed_int32, ints([1])},
               "args" => [5]
             }, "arguments are not those"},
            {%{"t" => "request", "id" => 1, "name" => "f", "args" => List.duplicate(0, 33)},
             "33"},
            {%{"t" => "request", "id" => "1", "name" => "f", "args" => []}, ~s("request")},
            {%{"t" => "want", "what" => "money", "keys" => {:packed_string, []}}, ~s("want")},
            {%{"t" => "want", "what" => "asset", "hashes" => {:packed_byte, <<0::120>>}}, "want"},
            {%{
               "t" => "resume",
               "rev" => 1,
               "keys" => {:packed_string, ["a"]},
               "hashes" => {:packed_byte, <<0>>},
               "meshes" => {:packed_string, []},
               "mesh_hashes" => {:packed_byte, <<>>},
               "have" => {:packed_byte, <<>>}
             }, "hashes are not those"}
          ] do
        {socket, connection, _server} = TestPeer.link()
        TestPeer.say(socket, frame)
        assert_receive {:wasgo_godot, {:disconnected, {:malformed, told}}, ^connection}, 5_000
        assert told =~ String.replace(words, "33", "32"), "#{inspect(frame)}: #{told}"
      end
    end
  end

  describe "calls to the engine" do
    test "have answers of their own, or the engine's words" do
      {socket, connection, _server} = TestPeer.link()
      first = Task.async(fn -> Godot.call(connection, "Doors", "open", [1, "north"]) end)

      assert %{"t" => "call", "id" => id, "path" => "Doors", "method" => "open"} =
               frame = TestPeer.hear_beyond_pings(socket)

      assert frame["args"] == [1, "north"]
      second = Task.async(fn -> Godot.call(connection, "Doors", "free") end)
      assert %{"id" => other, "args" => []} = TestPeer.hear_beyond_pings(socket)
      TestPeer.say(socket, %{"t" => "answer", "id" => other, "error" => "not allowed"})
      TestPeer.say(socket, %{"t" => "answer", "id" => id, "value" => Vector3.new(1, 2, 3)})
      assert Task.await(first) == {:ok, Vector3.new(1, 2, 3)}
      assert {:error, %GodotError{reason: {:engine, "not allowed"}}} = Task.await(second)
    end

    test "only so many at once, and none for ever" do
      {socket, connection, _server} = TestPeer.link()

      tasks =
        for _ <- 1..64, do: Task.async(fn -> Godot.call(connection, "A", "b", [], 60_000) end)

      for _ <- 1..64, do: %{"t" => "call"} = TestPeer.hear_beyond_pings(socket)

      assert {:error, %GodotError{reason: {:too_many_waiting, 64}}} =
               Godot.call(connection, "A", "b")

      Enum.each(tasks, &Task.shutdown(&1, :brutal_kill))
      TestPeer.settle(socket)

      assert {:error, %GodotError{reason: :timeout}} =
               await_timeout(fn -> Godot.call(connection, "A", "b", [], 20) end)
    end

    # Those that were killed are forgotten one after the other.
    defp await_timeout(call) do
      with {:error, %GodotError{reason: {:too_many_waiting, _}}} <- call.(),
           do: await_timeout(call)
    end

    test "a scene that was asked for goes to whoever asked, others to subscribers" do
      {socket, connection, _server} = TestPeer.link()
      :ok = Connection.subscribe(connection, [:scene])
      asked = Task.async(fn -> Godot.export_scene(connection, "Hut") end)

      assert %{"t" => "export", "id" => id, "path" => "Hut"} = TestPeer.hear_beyond_pings(socket)

      for id <- [0, id],
          do:
            TestPeer.say(socket, %{
              "t" => "scene",
              "id" => id,
              "name" => "Hut",
              "glb" => {:packed_byte, "glTF #{if id == 0, do: "other"}"}
            })

      assert Task.await(asked) == {:ok, "glTF "}
      assert {:ok, [{:scene, %{glb: "glTF other"}}], 0} = Connection.events(connection)
    end
  end

  describe "requests of the engine" do
    defp ask(socket, id, name, args \\ []) do
      TestPeer.say(socket, %{"t" => "request", "id" => id, "name" => name, "args" => args})
    end

    test "are answered by the application's functions" do
      functions = %{
        "double" => fn [n] -> {:ok, 2 * n} end,
        "who" => fn [], connection -> {:ok, connection.client} end,
        "no" => fn _args -> {:error, "not today"} end,
        "typed" => fn _args -> {:error, %GodotError{reason: :timeout}} end
      }

      {socket, _connection, server} = TestPeer.link(functions: functions)

      :ok = Server.put_function(server, "late", fn [] -> {:ok, "added"} end)
      :ok = Server.put_function(server, "no", nil)

      for {{name, args}, {key, value}} <- [
            {{"double", [21]}, {"value", 42}},
            {{"who", []}, {"value", "a test's peer"}},
            {{"no", []}, {"error", ~s(there is no function "no")}},
            {{"late", []}, {"value", "added"}},
            {{"typed", []}, {"error", "the engine did not do it in time"}}
          ] do
        ask(socket, 9, name, args)
        assert %{"t" => "answer", "id" => 9, ^key => found} = TestPeer.hear_beyond_pings(socket)
        assert found == value
      end
    end

    test "one that fails, ends, returns nonsense or too much is an error for the engine, and in the log" do
      functions = %{
        "raises" => fn _ -> raise "a detail of the inside" end,
        "exits" => fn _ -> exit(:oh) end,
        "nonsense" => fn _ -> 42 end,
        "pid" => fn _ -> {:ok, self()} end,
        "large" => fn _ -> {:ok, {:packed_byte, :binary.copy("x", 5_000_000)}} end,
        "greedy" => fn _ -> {:ok, Enum.to_list(1..100_000_000)} end
      }

      {socket, connection, _server} = TestPeer.link(functions: functions)

      log =
        capture_log(fn ->
          for name <- Map.keys(functions) do
            ask(socket, 1, name)
            assert %{"t" => "answer", "error" => words} = TestPeer.hear_beyond_pings(socket)
            refute words =~ "inside"
          end
        end)

      assert log =~ "a detail of the inside"
      assert {:ok, _stats} = Connection.stats(connection)
    end

    test "they run beside one another, and not more than 64" do
      test = self()

      wait = fn [n] ->
        send(test, {:started, n, self()})
        receive(do: (:go -> {:ok, n}))
      end

      {socket, _connection, _server} = TestPeer.link(functions: %{"wait" => wait})
      for n <- 1..65, do: ask(socket, n, "wait", [n])

      assert %{"id" => 65, "error" => "64 requests" <> _} = TestPeer.hear_beyond_pings(socket)

      pids =
        for _ <- 1..64 do
          assert_receive {:started, _n, pid}, 5_000
          pid
        end

      for pid <- Enum.reverse(pids), do: send(pid, :go)
      answers = for _ <- 1..64, do: TestPeer.hear_beyond_pings(socket)
      assert answers |> Enum.map(& &1["id"]) |> Enum.sort() == Enum.to_list(1..64)
      assert Enum.all?(answers, &(&1["id"] == &1["value"]))
    end

    test "they end with the connection, also with one that is killed" do
      test = self()

      wait = fn [] ->
        send(test, {:started, self()})
        receive(do: (:never -> {:ok, nil}))
      end

      {socket, _connection, _server} = TestPeer.link(functions: %{"wait" => wait})
      ask(socket, 1, "wait")
      assert_receive {:started, pid}, 5_000
      ref = Process.monitor(pid)
      :gen_tcp.close(socket)
      assert_receive {:DOWN, ^ref, :process, ^pid, _killed}, 5_000

      {socket, connection, _server} = TestPeer.link(functions: %{"wait" => wait})
      ask(socket, 1, "wait")
      assert_receive {:started, pid}, 5_000
      ref = Process.monitor(pid)
      Process.exit(connection.pid, :kill)
      assert_receive {:DOWN, ^ref, :process, ^pid, _killed}, 5_000
    end
  end
end
