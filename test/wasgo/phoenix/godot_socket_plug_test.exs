if Code.ensure_loaded?(WebSockAdapter) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.GodotSocket.PlugTest do
    # The protocol through a plain Bandit, without Phoenix. Not beside others, whose lines would be in the log too.
    use ExUnit.Case, async: false

    import ExUnit.CaptureLog

    alias Wasgo.Godot.{Connection, Server, Variant}
    alias Wasgo.Phoenix.GodotSocket
    alias Wasgo.{TestPeer, TestWebSocket}

    @moduletag :websock
    @moduletag :capture_log
    @token "the plug's secret"
    # What keeps strangers' mistakes out of the log, as the guide has it.
    @quiet [
      http_options: [log_protocol_errors: false],
      thousand_island_options: [silent_terminate_on_error: true]
    ]

    setup do
      for application <- [:telemetry, :plug, :bandit] do
        {:ok, _started} = Application.ensure_all_started(application)
      end

      :ok
    end

    defp start(options \\ []) do
      server = start_supervised!({Server, [token: @token, port: nil] ++ options}, id: make_ref())
      Server.subscribe(server)
      {server, serve(server)}
    end

    defp serve(server, options \\ []) do
      bandit =
        start_supervised!(
          {Bandit,
           [
             plug: {GodotSocket.Plug, server: server},
             ip: {127, 0, 0, 1},
             port: 0,
             startup_log: false
           ] ++ options},
          id: make_ref()
        )

      {:ok, {_ip, port}} = ThousandIsland.listener_info(bandit)
      port
    end

    defp connect(port, path \\ "/") do
      {:ok, socket} = TestWebSocket.connect(port, path)
      socket
    end

    defp connected do
      assert_receive {:wasgo_godot, :connected, connection}, 5_000
      connection
    end

    defp join(port) do
      socket = connect(port)
      assert %{"t" => "welcome"} = TestPeer.greet(socket, @token)
      {socket, connected()}
    end

    test "carries the same frames" do
      {_server, port} = start()
      {socket, connection} = join(port)
      assert connection.address =~ "127.0.0.1:"
      refute connection.compress
      assert {:ok, 1} = Connection.send(connection, "clear", %{})
      assert %{"t" => "clear", "seq" => 1} = TestPeer.hear_beyond_pings(socket)
    end

    test "what is no WebSocket is told so" do
      {_server, port} = start()
      {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false])
      :ok = :gen_tcp.send(socket, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      assert {:ok, "HTTP/1.1 400 " <> _rest} = :gen_tcp.recv(socket, 0, 5_000)
    end

    test "two servers in one web server, and in one VM, know nothing of each other" do
      {one, port} = start()
      {other, other_port} = start()
      {_socket, connection} = join(port)
      {_socket, other_connection} = join(other_port)
      assert Server.connections(one) == [connection]
      assert Server.connections(other) == [other_connection]
    end

    test "wrong options raise, and name themselves" do
      assert_raise ArgumentError, ~r/:server/, fn -> GodotSocket.Plug.init([]) end

      assert_raise ArgumentError, ~r/:timeout/, fn ->
        GodotSocket.Plug.init(server: A, timeout: 0)
      end

      assert_raise ArgumentError, ~r/:server/, fn -> GodotSocket.server!([], MySocket) end

      assert_raise ArgumentError, ~r/MySocket/, fn ->
        GodotSocket.server!([sever: A], MySocket)
      end

      assert_raise ArgumentError, ~r/MySocket has no longpoll/, fn ->
        GodotSocket.check([websocket: true, longpoll: true], MySocket)
      end

      assert_raise ArgumentError, ~r/:tls .* is for a :port/, fn ->
        Server.start_link(token: "x", port: nil, tls: [certfile: "a", keyfile: "b"])
      end

      log =
        capture_log(fn -> assert GodotSocket.check([websocket: true], MySocket) == :ignore end)

      assert log =~ "MySocket: without `max_frame_size: 65536`"
      bounded = [websocket: [max_frame_size: 65_536]]
      assert capture_log(fn -> GodotSocket.check(bounded, MySocket) end) == ""
    end

    test "who floods is read no faster than it is dealt with" do
      {_server, port} = start(heartbeat_ms: 60_000)
      {socket, connection} = join(port)
      web = :sys.get_state(connection.pid).transport.socket
      # The connection takes nothing more for now.
      :ok = :sys.suspend(connection.pid)
      event = %{"t" => "event", "name" => "flood", "node" => "", "data" => nil}
      bytes = event |> Variant.encode!() |> TestPeer.framed() |> :binary.copy(200)

      sender =
        Task.async(fn ->
          for _ <- 1..5_000, do: :ok = TestWebSocket.frame(socket, 2, bytes)
        end)

      # 70 MB are more than the system holds: the sender waits, and so little is here.
      assert Task.yield(sender, 500) == nil
      assert {:message_queue_len, waiting} = Process.info(connection.pid, :message_queue_len)
      assert waiting <= 2
      assert {:message_queue_len, waiting} = Process.info(web, :message_queue_len)
      assert waiting <= 2
      assert {:binary, binaries} = Process.info(web, :binary)
      assert Enum.sum(for {_id, size, _refs} <- binaries, do: size) < 4_000_000

      :ok = :sys.resume(connection.pid)
      assert [:ok | _] = Task.await(sender, 60_000)
      TestPeer.say(socket, %{"t" => "ping", "time" => 1})
      assert %{"t" => "pong"} = TestPeer.hear_beyond_pings(socket)
    end

    test "who floods with what it may not send is told so once" do
      {_server, port} = start(heartbeat_ms: 60_000)
      {socket, connection} = join(port)
      :ok = :sys.suspend(connection.pid)
      for _ <- 1..1_000, do: :ok = TestWebSocket.frame(socket, 1, "text")
      # The web server answers its ping behind them all.
      :ok = TestWebSocket.frame(socket, 9, "")
      assert :ok = TestWebSocket.await_pong(socket)
      assert {:message_queue_len, waiting} = Process.info(connection.pid, :message_queue_len)
      assert waiting <= 2
      :ok = :sys.resume(connection.pid)
      assert {1003, words} = TestWebSocket.await_close(socket)
      assert words =~ "a text message"
    end

    test "a thousand kinds of nonsense, in every phase, cost no more than their own socket" do
      {server, _port} = start(max_connections: 200, heartbeat_ms: 60_000)
      port = serve(server, @quiet)
      {well, connection} = join(port)

      log =
        capture_log(fn ->
          for run <- 1..1_000 do
            :rand.seed(:exsss, {run, 4, 2})
            socket = enter(port, Enum.random([:request, :hello, :proof, :open]))
            for _ <- 1..:rand.uniform(3), do: nonsense(socket)
            TestWebSocket.close(socket)
          end

          await_peers(server, 1)
        end)

      # Nor does the log grow with them, but for those that were welcomed, which may have a line each.
      refute log =~ "GenServer"
      refute log =~ "HTTPError"
      assert lines(log, "is disconnected") <= opened() + 20 * (1 + lines(log, "not welcomed"))
      assert {:ok, 1} = Connection.send(connection, "clear", %{})
      assert %{"t" => "clear"} = TestPeer.hear_beyond_pings(well)
    end

    defp lines(log, words), do: length(String.split(log, words)) - 1

    defp opened do
      receive do
        {:wasgo_godot, :connected, _connection} -> 1 + opened()
      after
        0 -> 0
      end
    end

    defp enter(port, :request) do
      {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false])
      %TestWebSocket{module: :gen_tcp, socket: socket}
    end

    defp enter(port, :hello), do: connect(port)

    defp enter(port, :proof) do
      socket = connect(port)
      TestPeer.say(socket, TestPeer.hello())
      assert %{"t" => "challenge"} = TestPeer.hear(socket)
      socket
    end

    defp enter(port, :open) do
      socket = connect(port)
      assert %{"t" => "welcome"} = TestPeer.greet(socket, @token)
      socket
    end

    defp nonsense(socket) do
      payload =
        Enum.random(["", :rand.bytes(50), TestPeer.framed(:rand.bytes(60)), <<0, 0, 1, 0>>])

      bytes =
        case :rand.uniform(6) do
          1 -> :rand.bytes(:rand.uniform(200))
          2 -> TestWebSocket.encode(Enum.random(0..15), payload, Enum.random([true, false]))
          3 -> TestWebSocket.encode(2, :rand.bytes(40_000))
          4 -> <<0x82, 0xFF, 0x7FFF_FFFF_FFFF_FFFF::64, 0::32>>
          5 -> <<0x82, 0x05, "bare!">>
          6 -> 2 |> TestWebSocket.encode(payload) |> IO.iodata_to_binary() |> halve()
        end

      _gone_maybe = TestWebSocket.put(socket, bytes)
    end

    defp halve(bytes), do: binary_part(bytes, 0, div(byte_size(bytes), 2))

    # Without a pause: each look is a message there and back.
    defp await_peers(server, count) do
      if map_size(:sys.get_state(server).peers) != count, do: await_peers(server, count)
    end
  end
end
