defmodule Wasgo.Godot.ConnectionTest do
  # Not beside others, whose lines would be in the log too.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog
  import Wasgo.TestPeer, only: [await_waiting: 2, ballast: 1]

  alias Wasgo.Example.Receiver
  alias Wasgo.Godot.{Connection, Server, Transform3D, Variant, Vector3}
  alias Wasgo.{GodotError, TestPeer}

  @token "another secret"
  @moduletag :capture_log

  defp start(options \\ []) do
    server = start_supervised!({Server, [token: @token] ++ options}, id: make_ref())
    Server.subscribe(server)
    {server, Server.port(server)}
  end

  defp receiver(port, options \\ []) do
    receiver =
      start_supervised!(
        {Receiver, [port: port, token: @token, notify: self(), reconnect: false] ++ options},
        id: make_ref()
      )

    assert_receive {:wasgo_receiver, ^receiver, {:connected, _server}}, 5_000
    assert_receive {:wasgo_godot, :connected, connection}, 5_000
    {receiver, connection}
  end

  defp peer(port, settings \\ []) do
    socket = TestPeer.join(port, @token, settings)
    assert_receive {:wasgo_godot, :connected, connection}, 5_000
    {socket, connection}
  end

  defp spawned(id) do
    transform = %Transform3D{origin: Vector3.new(id, 2, 3)}
    %{"id" => id, "name" => "Node #{id}", "mesh" => "", "transform" => transform}
  end

  describe "send" do
    test "numbers the frames, and the engine applies and acknowledges them" do
      {_server, port} = start()
      {receiver, connection} = receiver(port)

      assert {:ok, 1} =
               Connection.send(connection, "spawn", %{"nodes" => [spawned(1), spawned(2)]})

      rows = %{
        "columns" => {:packed_string, ["position:x", "visible"]},
        "ids" => {:packed_int64, <<1::little-64, 2::little-64, 99::little-64>>},
        "values" => [
          {:packed_float64, <<1.5::little-float, 2.5::little-float, 0.0::little-float>>},
          [true, nil, true]
        ]
      }

      assert {:ok, 2} = Connection.send(connection, "rows", rows)
      assert :ok = Connection.flush(connection)
      assert Receiver.errors(receiver) == []
      assert Receiver.node(receiver, 1).properties == %{"position:x" => 1.5, "visible" => true}
      assert Receiver.node(receiver, 2).properties == %{"position:x" => 2.5}

      assert {:ok, %{frames: 2, acknowledged: 2, unacknowledged_bytes: 0} = stats} =
               Connection.stats(connection)

      assert {:ok, counts} = Connection.request(connection, "report")
      assert counts == Receiver.counts(receiver)
      assert %{"nodes" => 2, "rows" => 2, "property_updates" => 3, "frames" => 2} = counts
      assert counts["bytes"] == stats.bytes
    end

    test "the bytes on the wire are one Variant, whatever its size" do
      {_server, port} = start()
      {socket, connection} = peer(port)

      for {size, seq} <- Enum.with_index([0, 100, 20_000, 3_000_000], 1) do
        assert {:ok, ^seq} = Connection.send(connection, "later", ballast(size))
        expected = Map.merge(ballast(size), %{"t" => "later", "seq" => seq})
        assert TestPeer.hear_beyond_pings(socket) == expected
      end
    end

    test "a frame that the engine cannot apply is told in stats, and counts as dealt with" do
      {_server, port} = start()
      {receiver, connection} = receiver(port)
      for _ <- 1..40, do: {:ok, _seq} = Connection.send(connection, "unload", %{"keys" => 7})
      assert {:ok, 1} = Connection.send(connection, "clear", %{})
      assert :ok = Connection.flush(connection)
      assert {:ok, %{errors: 40, last_errors: errors}} = Connection.stats(connection)
      assert Enum.map(errors, &{elem(&1, 0), elem(&1, 1)}) == for(n <- 9..40, do: {:bulk, n})
      assert Enum.all?(errors, fn {_lane, _number, message} -> message =~ "unload: keys" end)
      assert Receiver.counts(receiver)["errors"] == 40
    end

    test "frames of one process keep their order, also beside others" do
      {_server, port} = start(window: 2_000)
      {receiver, connection} = receiver(port)

      1..8
      |> Enum.map(fn sender ->
        Task.async(fn ->
          for number <- 1..100 do
            fields = %{"nodes" => [spawned(sender * 1000 + number)]}
            {:ok, seq} = Connection.send(connection, "spawn", fields)
            seq
          end
        end)
      end)
      |> Task.await_many(30_000)
      |> tap(fn numbers -> assert Enum.sort(List.flatten(numbers)) == Enum.to_list(1..800) end)
      |> Enum.each(fn numbers -> assert numbers == Enum.sort(numbers) end)

      assert :ok = Connection.flush(connection)
      assert Receiver.errors(receiver) == []
      assert Receiver.counts(receiver)["nodes"] == 800
    end

    test "what cannot be sent is an error that says why, and takes no number" do
      {_server, port} = start()
      {_receiver, connection} = receiver(port)

      assert {:error, %GodotError{reason: {:encode, error}} = told} =
               Connection.send(connection, "spawn", %{"nodes" => [self()]})

      assert error.path == ["nodes", 0]
      assert Exception.message(told) =~ "cannot be encoded"
      too_large = ballast(64 * 1024 * 1024)

      assert {:error, %GodotError{reason: {:too_large, 67_108_864}}} =
               Connection.send(connection, "later", too_large)

      assert {:ok, 1} = Connection.send(connection, "clear", %{})

      assert_raise ArgumentError, ~r/"seq"/, fn ->
        Connection.send(connection, "clear", %{"seq" => 1})
      end

      assert_raise ArgumentError, ~r/"bye"/, fn -> Connection.send(connection, "bye", %{}) end

      assert_raise ArgumentError, ~r/:timeout/, fn ->
        Connection.send(connection, "clear", %{}, timeout: -1)
      end
    end

    test "a chunk of 400 kB is not copied on its way, but encoded once" do
      {_server, port} = start()
      {socket, connection} = peer(port)

      # The socket ends with it, and the connection with the socket.
      reader =
        Task.async(fn ->
          heard = for _ <- 1..8, do: TestPeer.hear_beyond_pings(socket)["seq"]
          receive do: (:measured -> heard)
        end)

      :ok = :gen_tcp.controlling_process(socket, reader.pid)
      before = memory(connection.pid)
      for _ <- 1..8, do: {:ok, _seq} = Connection.send(connection, "later", ballast(400_000))
      # The connection's own heap holds references only.
      assert memory(connection.pid) - before < 100_000
      send(reader.pid, :measured)
      assert Task.await(reader) == Enum.to_list(1..8)
    end
  end

  defp memory(pid) do
    {:memory, bytes} = Process.info(pid, :memory)
    bytes
  end

  describe "back-pressure" do
    test "a sender waits while the window is full, and goes on when there is room" do
      {_server, port} = start(window: 10_000)
      {receiver, connection} = receiver(port)
      :ok = Receiver.acknowledge(receiver, false)
      assert {:ok, 1} = Connection.send(connection, "later", ballast(6_000))
      waiting = Task.async(fn -> Connection.send(connection, "later", ballast(6_000)) end)
      await_waiting(connection, 1)
      assert_receive {:wasgo_receiver, ^receiver, {:applied, 1, "later"}}, 5_000
      # Small ones do not overtake.
      small = Task.async(fn -> Connection.send(connection, "clear", %{}) end)
      await_waiting(connection, 2)
      refute_received {:wasgo_receiver, ^receiver, {:applied, 2, _kind}}
      :ok = Receiver.acknowledge(receiver, true)
      assert {:ok, 2} = Task.await(waiting)
      assert {:ok, 3} = Task.await(small)
    end

    test "a peer that never acknowledges: the sender is told in time, others go on" do
      # Both ends give up after three heartbeats that they did not hear of.
      {_server, port} = start(window: 10_000, heartbeat_ms: 300)
      {deaf, stuck} = receiver(port)
      {_other, well} = receiver(port)
      :ok = Receiver.acknowledge(deaf, false)
      assert {:ok, 1} = Connection.send(stuck, "later", ballast(9_000))

      assert {:error, %GodotError{reason: :timeout}} =
               Connection.send(stuck, "later", ballast(9_000), timeout: 400)

      assert {:error, %GodotError{reason: :timeout}} = Connection.flush(stuck, 400)
      assert {:ok, 1} = Connection.send(well, "later", ballast(9_000))
      assert :ok = Connection.flush(well)
      # Requests and heartbeats go on beside it.
      assert {:ok, %{"frames" => 1}} = Connection.request(stuck, "report")
      # What timed out was not sent, and took no number.
      :ok = Receiver.acknowledge(deaf, true)
      assert :ok = Connection.flush(stuck)
      assert {:ok, 2} = Connection.send(stuck, "clear", %{})
      assert {:ok, %{waiting: 0, frames: 2}} = Connection.stats(stuck)
    end

    test "a sender that gives up makes way for those behind it" do
      {_server, port} = start(window: 10_000)
      {receiver, connection} = receiver(port)
      :ok = Receiver.acknowledge(receiver, false)
      assert {:ok, 1} = Connection.send(connection, "later", ballast(6_000))

      large =
        Task.async(fn -> Connection.send(connection, "later", ballast(9_000), timeout: 1_500) end)

      await_waiting(connection, 1)
      small = Task.async(fn -> Connection.send(connection, "clear", %{}) end)
      assert {:error, %GodotError{reason: :timeout}} = Task.await(large)
      assert {:ok, 2} = Task.await(small)
    end

    test "the frame of a sender that died is not sent" do
      {_server, port} = start(window: 10_000)
      {receiver, connection} = receiver(port)
      :ok = Receiver.acknowledge(receiver, false)
      assert {:ok, 1} = Connection.send(connection, "later", ballast(6_000))
      {:ok, task} = Task.start(fn -> Connection.send(connection, "spawn", ballast(9_000)) end)
      await_waiting(connection, 1)
      Process.exit(task, :kill)
      await_waiting(connection, 0)
      :ok = Receiver.acknowledge(receiver, true)
      assert :ok = Connection.flush(connection)
      assert {:ok, 2} = Connection.send(connection, "clear", %{})
      assert Receiver.errors(receiver) == []
    end

    test "a frame larger than the window goes when nothing else is outstanding" do
      {_server, port} = start(window: 1_000)
      {receiver, connection} = receiver(port)
      :ok = Receiver.acknowledge(receiver, false)
      assert {:ok, 1} = Connection.send(connection, "later", ballast(500_000))

      assert {:error, %GodotError{reason: :timeout}} =
               Connection.send(connection, "clear", %{}, timeout: 20)

      :ok = Receiver.acknowledge(receiver, true)
      assert :ok = Connection.flush(connection)
      assert {:ok, 2} = Connection.send(connection, "later", ballast(500_000))
    end

    test "only so many may wait" do
      {_server, port} = start(window: 1_000)
      {receiver, connection} = receiver(port)
      :ok = Receiver.acknowledge(receiver, false)
      assert {:ok, 1} = Connection.send(connection, "later", ballast(2_000))
      tasks = for _ <- 1..512, do: Task.async(fn -> Connection.send(connection, "clear", %{}) end)
      await_waiting(connection, 512)

      for call <- [
            fn -> Connection.send(connection, "clear", %{}) end,
            fn -> Connection.flush(connection) end,
            fn -> Connection.request(connection, "report") end
          ] do
        assert {:error, %GodotError{reason: {:too_many_waiting, 512}}} = call.()
      end

      :ok = Receiver.acknowledge(receiver, true)
      numbers = for {:ok, seq} <- Task.await_many(tasks), do: seq
      assert Enum.sort(numbers) == Enum.to_list(2..513)
    end

    test "a peer that does not read holds up itself alone, and is closed when it says nothing either" do
      {_server, port} = start(window: 64 * 1024 * 1024, heartbeat_ms: 1_000)
      {_other, well} = receiver(port)
      {socket, stuck} = peer(port, recbuf: 4096, buffer: 4096)
      # More than the system takes for it.
      frame = ballast(3_000_000)
      for seq <- 1..16, do: {:ok, ^seq} = Connection.send(stuck, "later", frame)
      flush = Task.async(fn -> Connection.flush(stuck) end)
      assert {:ok, %{acknowledged: 0}} = Connection.stats(stuck)
      assert {:ok, 1} = Connection.send(well, "clear", %{})
      assert :ok = Connection.flush(well)
      ref = Process.monitor(stuck.pid)

      log =
        capture_log(fn ->
          assert_receive {:wasgo_godot, {:disconnected, :silent}, ^stuck}, 10_000
        end)

      assert log =~ "three heartbeats"
      assert {:error, %GodotError{reason: {:disconnected, :silent}}} = Task.await(flush, 10_000)
      assert_receive {:DOWN, ^ref, :process, _pid, _reason}, 5_000
      :gen_tcp.close(socket)
    end

    test "nor may it ask for more and more" do
      {_server, port} = start()
      {socket, stuck} = peer(port, recbuf: 4096, buffer: 4096)
      for seq <- 1..3, do: {:ok, ^seq} = Connection.send(stuck, "later", ballast(2_500_000))

      pings =
        for n <- 1..2_000, do: TestPeer.framed(Variant.encode!(%{"t" => "ping", "time" => n}))

      log =
        capture_log(fn ->
          :ok = TestPeer.put(socket, pings)
          assert_receive {:wasgo_godot, {:disconnected, :not_reading}, ^stuck}, 5_000
        end)

      assert log =~ "does not read"
    end
  end

  describe "what breaks the protocol ends the one connection" do
    test "with a reason, and an answer to whoever waits" do
      for {bytes, why, words} <- [
            {<<0x0100_0001::32, 27>>, {:too_large, 16_777_216}, "more than 16777216 bytes"},
            {TestPeer.framed(<<77, 255, 255, 255>>), :malformed, "no frame"},
            {TestPeer.framed(Variant.encode!([])), :malformed, "without a kind"},
            {TestPeer.framed(Variant.encode!(%{"t" => 7})), :malformed, "without a kind"},
            {frame(%{"t" => "ack"}), :malformed, ~s(kind "ack")},
            {frame(%{ack(1) | "seq" => 1.0}), :malformed, ~s(kind "ack")},
            {frame(ack(3)), :malformed, "frame 3, when 2 was the last"},
            {frame(ack(-1)), :malformed, "frame -1 after 0"},
            {frame(ack(1)) <> frame(ack(0)), :malformed, "frame 0 after 1"},
            {frame(ack(1, 1)), :malformed, "bulk frame 1, when 0 was the last"},
            {frame(ack(1, -1)), :malformed, "bulk frame -1"},
            {frame(ack(1, 0, 5)) <> frame(ack(1, 0, 4)), :malformed, "4 us, after 0 and 5"},
            {frame(%{"t" => "credit", "bytes" => 5}), :malformed, ~s(kind "credit")},
            {frame(credit(5, 5)) <> frame(credit(4, 5)), :malformed, "less credit"},
            {frame(credit(5, 5)) <> frame(credit(5, 4)), :malformed, "less credit"},
            {frame(%{"t" => "error", "bulk" => 1, "message" => "x"}), :malformed,
             "an error of frame 1"},
            {frame(%{"t" => "error", "seq" => 9, "message" => "x"}), :malformed,
             "an error of frame 9"},
            {frame(%{"t" => "error", "seq" => 1}), :malformed, ~s(kind "error")},
            {frame(TestPeer.hello()), :malformed, ~s(kind "hello" in between)},
            {frame(%{"t" => "proof", "proof" => {:packed_byte, <<>>}}), :malformed,
             ~s(kind "proof" in between)},
            {frame(%{"t" => "report", "id" => 1, "counts" => %{"a" => -1}}), :malformed,
             "counts"},
            {frame(%{"t" => "report", "id" => 1, "counts" => %{1 => 1}}), :malformed, "counts"},
            {frame(nested(70)), :malformed, "max_depth"}
          ] do
        {server, port} = start(window: 1_000)
        {_other, well} = receiver(port)
        {socket, connection} = peer(port)
        assert {:ok, 1} = Connection.send(connection, "clear", %{})
        assert {:ok, 2} = Connection.send(connection, "later", %{})
        tasks = waiters(connection)

        log =
          capture_log(fn ->
            TestPeer.put(socket, bytes)
            assert_receive {:wasgo_godot, {:disconnected, told}, ^connection}, 5_000
            assert told == why or match?({^why, _words}, told)

            for task <- tasks do
              assert {:error, %GodotError{reason: {:disconnected, ^told}}} = Task.await(task)
            end
          end)

        assert log =~ words
        assert log |> String.split("is disconnected") |> length() == 2
        assert Server.connections(server) == [well]
        assert {:ok, 1} = Connection.send(well, "clear", %{})
        assert :ok = Connection.flush(well)
      end
    end

    defp ack(seq, bulk \\ 0, work \\ 0),
      do: %{"t" => "ack", "seq" => seq, "bulk" => bulk, "work" => work}

    defp credit(bytes, work), do: %{"t" => "credit", "bytes" => bytes, "work" => work}

    defp frame(map), do: TestPeer.framed(Variant.encode!(map, max_depth: 100))

    defp nested(depth) do
      Enum.reduce(1..depth, %{"t" => "deep"}, fn _level, inner ->
        %{"t" => "deep", "in" => inner}
      end)
    end

    # The large frame cannot be sent: something is outstanding.
    defp waiters(connection) do
      large = Task.async(fn -> Connection.send(connection, "later", ballast(5_000)) end)
      await_waiting(connection, 1)
      [large, Task.async(fn -> Connection.flush(connection) end)]
    end
  end

  describe "what is let pass" do
    test "unknown kinds and keys, a pong of nothing, an answer to nobody, the same acknowledgement twice" do
      {_server, port} = start()
      {socket, connection} = peer(port)
      {:ok, 1} = Connection.send(connection, "clear", %{})
      {:ok, 2} = Connection.send(connection, "clear", %{})

      for frame <- [
            %{"t" => "a kind of the future", "seq" => "x"},
            %{"t" => "pong", "time" => 5, "more" => nil},
            %{"t" => "report", "id" => 77, "counts" => %{}},
            %{"t" => "picture", "id" => 77, "error" => "none"},
            %{"t" => "error", "seq" => 1, "message" => "no"},
            ack(1),
            ack(2),
            ack(2),
            %{"t" => "answer", "id" => 77, "value" => 1},
            %{
              "t" => "viewers",
              "ids" => {:packed_int64, <<>>},
              "positions" => {:packed_vector3, <<>>},
              "radii" => {:packed_float32, <<>>}
            },
            %{"t" => "ping", "time" => 5}
          ],
          do: TestPeer.say(socket, frame)

      assert %{"t" => "clear", "seq" => 1} = TestPeer.hear_beyond_pings(socket)
      assert %{"t" => "clear", "seq" => 2} = TestPeer.hear_beyond_pings(socket)
      assert %{"t" => "pong", "time" => 5} = TestPeer.hear_beyond_pings(socket)
      assert {:ok, %{acknowledged: 2, errors: 1}} = Connection.stats(connection)
    end

    test "texts of the peer make no atoms, and no lines in the log" do
      {_server, port} = start()
      {socket, connection} = peer(port)
      {:ok, 1} = Connection.send(connection, "clear", %{})
      message = "line\n[error] forged " <> String.duplicate("é", 2_000)
      name = "never an atom #{System.unique_integer([:positive])}"
      TestPeer.say(socket, %{"t" => "error", "seq" => 1, "message" => message, name => name})
      TestPeer.say(socket, ack(1))
      :ok = Connection.flush(connection)
      assert {:ok, %{last_errors: [{:live, 1, kept}]}} = Connection.stats(connection)
      assert String.valid?(kept) and byte_size(kept) <= 512
      assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
      log = capture_log(fn -> say_bye(socket, connection, "a\nb") end)
      refute log =~ "a\nb"
    end
  end

  defp say_bye(socket, connection, reason) do
    TestPeer.say(socket, %{"t" => "bye", "reason" => reason})
    assert_receive {:wasgo_godot, {:disconnected, {:bye, ^reason}}, ^connection}, 5_000
  end

  describe "the end" do
    test "a peer that vanishes in mid-frame" do
      {_server, port} = start()
      {socket, connection} = peer(port)
      request = Task.async(fn -> Connection.request(connection, "report") end)
      assert %{"t" => "report"} = TestPeer.hear_beyond_pings(socket)
      TestPeer.put(socket, <<100::32, 27, 0, 0>>)
      :gen_tcp.close(socket)
      assert {:error, %GodotError{reason: {:disconnected, :lost}}} = Task.await(request)
      assert_receive {:wasgo_godot, {:disconnected, :lost}, ^connection}, 5_000
      assert {:error, %GodotError{reason: {:disconnected, _why}}} = Connection.stats(connection)
    end

    test "a frame that stops halfway is silence" do
      {_server, port} = start(heartbeat_ms: 300)
      {socket, connection} = peer(port)
      TestPeer.put(socket, <<100::32, 27, 0, 0>>)
      # What has not been read when it is disconnected may be lost.
      assert %{"t" => "ping"} = TestPeer.hear(socket)
      assert_receive {:wasgo_godot, {:disconnected, :silent}, ^connection}, 5_000
    end

    test "who answers heartbeats lives on" do
      {_server, port} = start(heartbeat_ms: 200)
      {socket, connection} = peer(port)

      # One that answered none would not hear the fourth.
      for _ <- 1..6 do
        assert %{"t" => "ping", "time" => time} = TestPeer.hear(socket)
        TestPeer.say(socket, %{"t" => "pong", "time" => time})
      end

      assert {:ok, _stats} = Connection.stats(connection)
    end

    test "close gives what was sent time to be acknowledged, then says bye" do
      {server, port} = start()
      {receiver, connection} = receiver(port)
      for _ <- 1..50, do: {:ok, _seq} = Connection.send(connection, "later", ballast(50_000))
      log = capture_log(fn -> assert :ok = Connection.close(connection) end)
      refute log =~ "[warning]"
      assert_received {:wasgo_receiver, ^receiver, {:applied, 50, "later"}}
      assert_receive {:wasgo_receiver, ^receiver, {:bye, "it was closed here"}}, 5_000
      assert_receive {:wasgo_godot, {:disconnected, :closed}, ^connection}, 5_000
      assert Server.connections(server) == []
      assert :ok = Connection.close(connection)

      assert {:error, %GodotError{reason: {:disconnected, :gone}}} =
               Connection.send(connection, "clear", %{})

      assert inspect(connection) =~ "closed"
    end

    test "close waits no longer than it is told to, and takes nothing more" do
      {_server, port} = start(window: 1_000)
      {receiver, connection} = receiver(port)
      :ok = Receiver.acknowledge(receiver, false)
      assert {:ok, 1} = Connection.send(connection, "later", ballast(5_000))
      waiting = Task.async(fn -> Connection.send(connection, "later", %{}) end)
      await_waiting(connection, 1)
      closing = Task.async(fn -> Connection.close(connection, 50) end)
      assert {:error, %GodotError{reason: {:disconnected, :closed}}} = Task.await(waiting)
      assert :ok = Task.await(closing)
      assert_receive {:wasgo_receiver, ^receiver, {:bye, _reason}}, 5_000
    end
  end

  describe "request" do
    test "answers are matched by id, and errors are the engine's words" do
      {_server, port} = start()
      {socket, connection} = peer(port)
      first = Task.async(fn -> Connection.request(connection, "report") end)
      assert %{"t" => "report", "id" => one} = TestPeer.hear_beyond_pings(socket)
      view = %{"eye" => Vector3.new(0, 9, 9), "target" => Vector3.new(0, 0, 0), "fov" => 60.0}
      second = Task.async(fn -> Connection.request(connection, "picture", view) end)
      assert %{"t" => "picture", "id" => two, "fov" => 60.0} = TestPeer.hear_beyond_pings(socket)
      third = Task.async(fn -> Connection.request(connection, "picture", view) end)
      assert %{"t" => "picture", "id" => three} = TestPeer.hear_beyond_pings(socket)
      png = {:packed_byte, :binary.copy("png", 100_000)}
      TestPeer.say(socket, %{"t" => "picture", "id" => three, "error" => "no display"})
      TestPeer.say(socket, %{"t" => "picture", "id" => two, "png" => png})
      TestPeer.say(socket, %{"t" => "report", "id" => one, "counts" => %{"chunks" => 3}})
      assert Task.await(first) == {:ok, %{"chunks" => 3}}
      assert Task.await(second) == {:ok, :binary.copy("png", 100_000)}
      assert {:error, %GodotError{reason: {:engine, "no display"}}} = Task.await(third)
    end

    test "no answer is a timeout, and a late one is thrown away" do
      {_server, port} = start()
      {socket, connection} = peer(port)

      assert {:error, %GodotError{reason: :timeout}} =
               Connection.request(connection, "report", %{}, 20)

      assert %{"id" => id} = TestPeer.hear_beyond_pings(socket)
      TestPeer.say(socket, %{"t" => "report", "id" => id, "counts" => %{}})
      again = Task.async(fn -> Connection.request(connection, "report") end)
      assert %{"id" => other} = TestPeer.hear_beyond_pings(socket)
      refute other == id
      TestPeer.say(socket, %{"t" => "report", "id" => other, "counts" => %{"chunks" => 1}})
      assert Task.await(again) == {:ok, %{"chunks" => 1}}
    end
  end

  test "a frame of many small values costs the sender its connection, and nobody memory" do
    {_server, port} = start(window: 1_000)
    {_other, well} = receiver(port)
    {socket, connection} = peer(port)
    # Each vector takes 16 bytes there, and seven times that as a term.
    count = 1_000_000
    vector = Variant.encode!(Vector3.new(1, 2, 3))
    vectors = [<<28::little-32, count::little-32>>, :binary.copy(vector, count)]
    pairs = [Variant.encode!("t"), Variant.encode!("later"), Variant.encode!("in"), vectors]
    bytes = IO.iodata_to_binary([<<27::little-32, 2::little-32>>, pairs])

    log =
      capture_log(fn ->
        TestPeer.put(socket, TestPeer.framed(bytes))
        assert_receive {:wasgo_godot, {:disconnected, {:crashed, :killed}}, ^connection}, 10_000
      end)

    assert log =~ "its process crashed: :killed"
    assert {:ok, 1} = Connection.send(well, "clear", %{})
    assert :ok = Connection.flush(well)
  end

  test "a handle shows who it is" do
    {_server, port} = start()
    {_receiver, connection} = receiver(port, client: "engine\n\"one\"")

    assert inspect(connection) =~
             ~r/^#Wasgo.Godot.Connection<"engine\\n.*" at 127.0.0.1:\d+, open>$/
  end
end
