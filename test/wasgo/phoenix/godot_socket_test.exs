if Code.ensure_loaded?(Phoenix.Endpoint) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.GodotSocketTest do
    # The protocol through an endpoint's web server. Not beside others, whose lines would be in the log too.
    use ExUnit.Case, async: false

    import ExUnit.CaptureLog

    alias Wasgo.Godot.{Connection, Server, Variant}
    alias Wasgo.{GodotError, TestEndpoint, TestPeer, TestWebSocket}

    @moduletag :phoenix
    @moduletag :capture_log
    @token "the web's secret"
    @path "/godot/websocket"
    @message 32 * 1024

    defmodule Socket do
      use Wasgo.Phoenix.GodotSocket, server: Wasgo.Phoenix.GodotSocketTest.Godot
    end

    defmodule Endpoint do
      use Phoenix.Endpoint, otp_app: :wasgo

      socket("/godot", Wasgo.Phoenix.GodotSocketTest.Socket,
        websocket: [
          connect_info: [:peer_data, :x_headers],
          max_frame_size: 65_536
        ]
      )
    end

    setup do
      # Messages in several frames are the web server's to bound.
      bound = [websocket_options: [max_fragmented_message_size: 65_536]]
      {port, _pid} = TestEndpoint.start(Endpoint, http: bound)
      %{port: port}
    end

    defp start(options \\ []) do
      options = Keyword.merge([token: @token, port: nil, name: __MODULE__.Godot], options)
      server = start_supervised!({Server, options})
      Server.subscribe(server)
      server
    end

    defp connect(port, options \\ []) do
      {:ok, socket} = TestWebSocket.connect(port, @path, options)
      socket
    end

    defp join(port, fields \\ %{}) do
      socket = connect(port)
      assert %{"t" => "welcome"} = TestPeer.greet(socket, @token, fields)
      socket
    end

    defp connected do
      assert_receive {:wasgo_godot, :connected, connection}, 5_000
      connection
    end

    test "carries the same frames, both ways, to a server that listens on nothing else",
         context do
      server = start(functions: %{"double" => fn [n] -> {:ok, 2 * n} end})
      assert Server.port(server) == nil
      socket = join(context.port)
      connection = connected()
      assert {:ok, ^connection} = Server.await_connection(server)
      assert connection.address =~ ~r/\A127\.0\.0\.1:\d+\z/
      refute connection.compress

      assert {:ok, 1} = Connection.send(connection, "clear", %{})
      assert %{"t" => "clear", "seq" => 1} = TestPeer.hear_beyond_pings(socket)
      TestPeer.say(socket, %{"t" => "ack", "seq" => 1, "bulk" => 0, "work" => 0})
      assert :ok = Connection.flush(connection)

      :ok = Connection.subscribe(connection)
      event = %{"t" => "event", "name" => "hi", "node" => "", "data" => [1, 2.5]}
      TestPeer.say(socket, event)
      assert_receive {:wasgo_godot, :events, ^connection}, 5_000

      assert {:ok, [{:event, %{name: "hi", data: [1, 2.5]}}], 0} = Connection.events(connection)

      TestPeer.say(socket, %{"t" => "request", "id" => 7, "name" => "double", "args" => [21]})
      assert %{"t" => "answer", "id" => 7, "value" => 42} = TestPeer.hear_beyond_pings(socket)
    end

    test "a frame larger than a message goes in several, either way", context do
      start(heartbeat_ms: 60_000)
      socket = join(context.port)
      connection = connected()
      TestPeer.grant(socket)
      ballast = {:packed_byte, :rand.bytes(3_000_000)}
      assert {:ok, 1} = Connection.send(connection, "chunk", %{"ballast" => ballast})
      sizes = messages(socket, 3_000_000)
      assert Enum.max(sizes) == @message
      assert Enum.sum(sizes) in 3_000_000..3_000_200

      :ok = Connection.subscribe(connection, [:scene])
      TestPeer.say(socket, %{"t" => "scene", "id" => 0, "name" => "a", "glb" => ballast})
      assert_receive {:wasgo_godot, :events, ^connection}, 5_000
      assert {:ok, [{:scene, %{glb: glb}}], 0} = Connection.events(connection)
      assert {:packed_byte, glb} == ballast
    end

    # As each comes.
    defp messages(_socket, left) when left <= 0, do: []

    defp messages(socket, left) do
      {:ok, bytes} = TestWebSocket.recv(socket, 0)
      [byte_size(bytes) | messages(socket, left - byte_size(bytes))]
    end

    test "where messages begin and end means nothing", context do
      start(heartbeat_ms: 60_000)
      socket = join(context.port)
      connection = connected()
      :ok = Connection.subscribe(connection)
      event = %{"t" => "event", "name" => "slow", "node" => "", "data" => nil}
      bytes = TestPeer.framed(Variant.encode!(event))
      for <<byte <- bytes <> bytes>>, do: :ok = TestPeer.put(socket, <<byte>>)
      TestPeer.put(socket, <<>>)
      # And a message in several frames of the web's.
      {one, other} = :erlang.split_binary(bytes, 9)
      TestWebSocket.frame(socket, 2, one, false)
      TestWebSocket.frame(socket, 9, "a ping between")
      TestWebSocket.frame(socket, 0, other)
      TestPeer.say(socket, %{"t" => "ping", "time" => 1})
      assert %{"t" => "pong"} = TestPeer.hear_beyond_pings(socket)
      told = {:event, %{name: "slow", node: "", data: nil}}
      assert {:ok, [^told, ^told, ^told], 0} = Connection.events(connection)
    end

    test "an engine behind a proxy is elsewhere", context do
      start()
      headers = [headers: [{"X-Forwarded-For", "192.0.2.1"}]]

      for {options, compress?} <- [{headers, true}, {[], false}] do
        socket = connect(context.port, options)
        accepts = %{"accepts" => {:packed_string, ["zstd"]}}
        assert %{"t" => "welcome"} = TestPeer.greet(socket, @token, accepts)
        assert connected().compress == compress?
      end
    end

    test "who comes from a page of another site is refused, who names none is not", context do
      start()
      foreign = [headers: [{"Origin", "https://example.org"}]]
      assert {:error, 403} = TestWebSocket.connect(context.port, @path, foreign)
      own = [headers: [{"Origin", "http://localhost"}]]
      assert {:ok, _socket} = TestWebSocket.connect(context.port, @path, own)
      join(context.port)
    end

    describe "the end" do
      test "is told, with a code and words", context do
        server = start()
        socket = join(context.port)
        connection = connected()
        closing = Task.async(fn -> Connection.close(connection) end)
        assert %{"t" => "bye"} = TestPeer.hear_beyond_pings(socket)
        assert TestWebSocket.await_close(socket) == {1000, "it was closed here"}
        assert :ok = Task.await(closing)

        socket = join(context.port)
        connected()
        :ok = stop_supervised(__MODULE__.Godot)
        refute Process.alive?(server)
        assert %{"t" => "bye"} = TestPeer.hear_beyond_pings(socket)
        assert TestWebSocket.await_close(socket) == {1001, "the server was stopped"}

        # Nobody is there to take it.
        socket = connect(context.port)
        assert TestWebSocket.await_close(socket) == {1013, "refused: full"}
      end

      test "a socket that is cut ends its connection alone, and the engine resumes by another",
           context do
        start()
        socket = join(context.port)
        other = join(context.port)
        connection = connected()
        beside = connected()
        TestWebSocket.close(socket)
        assert_receive {:wasgo_godot, {:disconnected, :lost}, ^connection}, 5_000
        assert {:ok, 1} = Connection.send(beside, "clear", %{})
        assert %{"t" => "clear"} = TestPeer.hear_beyond_pings(other)
        join(context.port)
        connected()
      end

      test "a bye ends it on both sides", context do
        start()
        socket = join(context.port)
        connection = connected()
        TestPeer.say(socket, %{"t" => "bye", "reason" => "done"})
        assert_receive {:wasgo_godot, {:disconnected, {:bye, "done"}}, ^connection}, 5_000
        assert {1000, _words} = TestWebSocket.await_close(socket)
      end

      test "a connection that crashes closes, and tells nothing of what it was", context do
        start()
        socket = join(context.port)
        connection = connected()
        Process.exit(connection.pid, :kill)
        assert TestWebSocket.await_close(socket) == {1011, "an error of the sidecar's"}
      end

      test "an endpoint that stops loses its engines, and the server goes on", context do
        server = start()
        socket = join(context.port)
        connection = connected()
        :ok = stop_supervised(Endpoint)
        assert_receive {:wasgo_godot, {:disconnected, :lost}, ^connection}, 5_000
        assert {_code, _words} = TestWebSocket.await_close(socket)
        assert Process.alive?(server)
        assert Server.connections(server) == []
      end

      test "who does not read loses its connection, and the web server its process", context do
        start(heartbeat_ms: 1_000)
        socket = connect(context.port, recbuf: 4_096)
        assert %{"t" => "welcome"} = TestPeer.greet(socket, @token)
        connection = connected()
        web = web_process(connection)
        ref = Process.monitor(web)
        ballast = {:packed_byte, :binary.copy(<<7>>, 8_000_000)}
        assert {:ok, 1} = Connection.send(connection, "mesh", %{"ballast" => ballast})
        assert_receive {:wasgo_godot, {:disconnected, :silent}, ^connection}, 10_000
        assert_receive {:DOWN, ^ref, :process, ^web, _reason}, 5_000
        TestWebSocket.close(socket)
      end

      test "who is told to go, and stays, is let go of", context do
        start(hello_timeout_ms: 50)
        socket = connect(context.port)
        # It reads nothing, and never answers the close frame.
        assert TestWebSocket.await_end(socket) in [:closed, :econnreset]
      end

      defp web_process(connection), do: :sys.get_state(connection.pid).transport.socket
    end

    describe "what breaks the protocol" do
      test "in every state: closed with a reason, and logged", context do
        server = start()
        well = join(context.port)
        connection = connected()

        for {bytes, code, words} <- [
              {{1, "text"}, 1003, "a text message"},
              {{1, <<255>>}, 1007, nil},
              {{2, :binary.copy(<<0>>, @message + 1)}, 1009, "more than 32768 bytes"},
              {{2, :binary.copy(<<0>>, 65_536)}, 1009, nil},
              {{2, <<4097::32, 27, 0, 0, 0>>}, 1009, "more than 4096 bytes"},
              {{2, TestPeer.framed(:binary.copy(<<255>>, 64))}, 1008, "no frame"},
              {{0, "goes on with nothing"}, 1002, nil},
              {{3, "no such opcode"}, 1002, nil}
            ] do
          {opcode, payload} = bytes

          log =
            capture_log(fn ->
              socket = connect(context.port)
              TestWebSocket.frame(socket, opcode, payload)
              {told, _words} = TestWebSocket.await_close(socket)
              assert {payload, told} == {payload, code}
              await_peers(server, 1)
            end)

          if words, do: assert(log =~ words)
        end

        for {bytes, code, words} <- [
              {{1, "text"}, 1003, "a text message"},
              {{2, <<16 * 1024 * 1024 + 1::32>>}, 1009, "more than 16777216"},
              {{2, TestPeer.framed("no Variant")}, 1008, "no frame"}
            ] do
          {opcode, payload} = bytes
          socket = join(context.port)
          broken = connected()
          TestWebSocket.frame(socket, opcode, payload)
          assert_receive {:wasgo_godot, {:disconnected, why}, ^broken}, 5_000
          assert GodotError.why(why) =~ words
          assert {^code, told} = TestWebSocket.await_close(socket)
          assert String.valid?(told) and byte_size(told) <= 123
        end

        assert {:ok, 1} = Connection.send(connection, "clear", %{})
        assert %{"t" => "clear"} = TestPeer.hear_beyond_pings(well)
      end

      test "a refusal is heard before the close", context do
        start()
        socket = connect(context.port)
        assert %{"t" => "refuse", "reason" => "token"} = TestPeer.greet(socket, "guessed")
        assert TestWebSocket.await_close(socket) == {1008, "refused: token"}
      end

      test "a fragment of a message without end is not held beyond its bound", context do
        server = start()
        socket = connect(context.port)
        TestWebSocket.frame(socket, 2, :binary.copy(<<1>>, 40_000), false)
        TestWebSocket.frame(socket, 0, :binary.copy(<<1>>, 40_000), false)
        assert {1009, _words} = TestWebSocket.await_close(socket)
        await_peers(server, 0)
      end
    end

    test "a thousand that never say hello: bounded, and nobody else notices", context do
      server = start(hello_timeout_ms: 3_000, max_connections: 100)
      socket = join(context.port)
      connection = connected()
      before = :erlang.memory(:total)

      log =
        capture_log(fn ->
          sockets = for _ <- 1..1_000, do: connect(context.port)
          assert map_size(:sys.get_state(server).peers) <= 132
          assert :erlang.memory(:total) - before < 150_000_000
          assert {:ok, 1} = Connection.send(connection, "clear", %{})
          assert %{"t" => "clear"} = TestPeer.hear_beyond_pings(socket)
          for socket <- sockets, do: assert(TestWebSocket.await_end(socket) != :timeout)
          await_peers(server, 1)
          # The time after which the others are told of.
          send(server, :strangers)
          :sys.get_state(server)
        end)

      # Each that was let in has a line, up to a bound in 10 s; the others are a number.
      periods = length(String.split(log, "that were not welcomed"))
      assert length(String.split(log, "is disconnected")) - 1 <= 20 * periods
      assert log =~ ~r/\d+ more connections ended that were not welcomed/
    end

    # Without a pause: each look is a message there and back.
    defp await_peers(server, count) do
      if map_size(:sys.get_state(server).peers) != count, do: await_peers(server, count)
    end
  end
end
