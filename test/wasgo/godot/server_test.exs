defmodule Wasgo.Godot.ServerTest do
  # Not beside others, whose lines would be in the log too.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias Wasgo.Example.Receiver
  alias Wasgo.Godot.{Connection, Server, Variant}
  alias Wasgo.Godot.Connection.Handshake
  alias Wasgo.{GodotError, TestPeer}

  doctest Wasgo.Godot
  doctest Wasgo.Godot.Server
  doctest Wasgo.GodotError

  @token "a secret of the tests"
  @moduletag :capture_log

  defp start(options \\ []) do
    options = Keyword.merge([token: @token], options)
    server = start_supervised!({Server, options}, id: make_ref())
    {server, Server.port(server)}
  end

  defp join(port, options \\ []) do
    receiver =
      start_supervised!(
        {Receiver, [port: port, token: @token, notify: self(), reconnect: false] ++ options},
        id: make_ref()
      )

    assert_receive {:wasgo_receiver, ^receiver, {:connected, "wasgo" <> _}}, 5_000
    receiver
  end

  # That the listener, and an engine that was there before, did not notice.
  defp assert_undisturbed(server, port, receiver) do
    connection = Enum.find(Server.connections(server), &(&1.client == "wasgo receiver"))
    assert {:ok, seq} = Connection.send(connection, "clear", %{})
    assert_receive {:wasgo_receiver, ^receiver, {:applied, ^seq, "clear"}}, 5_000
    socket = TestPeer.join(port, @token)
    :gen_tcp.close(socket)
  end

  describe "start_link" do
    test "a port in use is an error that names it, and the caller lives on" do
      {_server, port} = start()
      assert {:error, %GodotError{} = error} = Server.start_link(token: @token, port: port)
      assert error.reason == {:listen, :eaddrinuse}
      assert Exception.message(error) =~ "127.0.0.1:#{port}"
      assert Exception.message(error) =~ "in use"
    end

    test "so is an address that this machine does not have" do
      assert {:error, error} = Server.start_link(token: @token, ip: {192, 0, 2, 1})
      assert error.reason == {:listen, :eaddrnotavail}
    end

    test "listens on IPv6 too" do
      case Server.start_link(token: @token, ip: {0, 0, 0, 0, 0, 0, 0, 1}) do
        {:ok, server} ->
          join(Server.port(server), address: {0, 0, 0, 0, 0, 0, 0, 1})
          assert {:ok, %{address: "[::1]:" <> _}} = Server.await_connection(server)

        # A machine without it.
        {:error, error} ->
          assert error.reason in [{:listen, :eaddrnotavail}, {:listen, :eafnosupport}]
      end
    end

    test "a name that is taken is told, and its port given back" do
      name = :"server_#{System.unique_integer([:positive])}"
      {server, _port} = start(name: name)
      assert {:error, {:already_started, ^server}} = Server.start_link(token: @token, name: name)
      assert Server.port(name) == Server.port(server)
    end

    test "wrong options raise, and name themselves" do
      assert_raise ArgumentError, ~r/token/, fn -> Server.start_link([]) end

      assert_raise ArgumentError, ~r/:token .* not be empty/, fn ->
        Server.start_link(token: "")
      end

      assert_raise ArgumentError, ~r/:port/, fn -> Server.start_link(token: "x", port: 65_536) end

      assert_raise ArgumentError, ~r/:ip/, fn ->
        Server.start_link(token: "x", ip: "localhost")
      end

      assert_raise ArgumentError, ~r/:window/, fn ->
        Server.start_link(token: "x", window: 0)
      end
    end

    test "the token is not in the process's state" do
      {server, _port} = start()
      refute inspect(:sys.get_state(server), limit: :infinity) =~ @token
    end
  end

  describe "the opening" do
    test "a wrong token is refused, with a reason in the log, and never crosses the wire" do
      {server, port} = start()
      receiver = join(port)

      log =
        capture_log(fn ->
          socket = TestPeer.connect(port)
          assert %{"t" => "refuse", "reason" => "token"} = TestPeer.greet(socket, "guessed")
          assert TestPeer.hear(socket) == :closed
        end)

      assert log =~ "refused: token"
      assert length(Server.connections(server)) == 1
      assert_undisturbed(server, port, receiver)
    end

    test "the reasons to refuse" do
      {server, port} = start()
      hello = TestPeer.hello()

      for {frame, reason} <- [
            {%{hello | "protocol" => 1, "protocol_min" => 1}, "protocol"},
            {%{hello | "protocol" => 9, "protocol_min" => 3}, "protocol"},
            # As the first version said it.
            {%{"t" => "hello", "protocol" => 1, "token" => @token, "client" => "old"},
             "protocol"},
            {%{hello | "protocol" => "2"}, "malformed"},
            {%{hello | "nonce" => {:packed_byte, "short"}}, "malformed"},
            {%{hello | "world" => 7}, "malformed"},
            {Map.delete(hello, "client"), "malformed"},
            {%{"t" => "proof", "proof" => {:packed_byte, <<0::256>>}}, "malformed"},
            {%{"t" => "ack", "seq" => 1, "bulk" => 0, "work" => 0}, "malformed"},
            {%{"t" => "whatever"}, "malformed"},
            {[1, 2, 3], "malformed"}
          ] do
        socket = TestPeer.connect(port)
        TestPeer.say(socket, frame)
        assert %{"t" => "refuse"} = refusal = TestPeer.hear(socket)

        assert {frame, refusal} ==
                 {frame,
                  %{"t" => "refuse", "reason" => reason, "protocol" => 2, "protocol_min" => 2}}

        # The end is waited for, so that nothing is taken back.
        :gen_tcp.close(socket)
      end

      assert Server.connections(server) == []
    end

    test "the newest version that both know is spoken" do
      {_server, port} = start()
      newer = %{"protocol" => 7, "protocol_min" => 1}
      socket = TestPeer.connect(port)
      assert %{"t" => "welcome", "protocol" => 2} = TestPeer.greet(socket, @token, newer)
    end

    test "keys that are not known are passed over" do
      {server, port} = start()
      socket = TestPeer.connect(port)
      more = %{"later" => %{"deep" => [1]}}

      assert %{"t" => "welcome", "protocol" => 2, "heartbeat_ms" => 2_000, "world" => ""} =
               TestPeer.greet(socket, @token, more)

      assert {:ok, %{client: "a test's peer"}} = Server.await_connection(server)
    end

    test "a handshake that was overheard is worth nothing in another connection" do
      {server, port} = start()
      hello = Variant.encode!(TestPeer.hello())
      first = TestPeer.connect(port)
      TestPeer.put(first, TestPeer.framed(hello))
      {:ok, challenge} = TestPeer.hear_bytes(first)
      handshake = %{Handshake.new(@token) | hello: hello, challenge: challenge}
      proof = %{"t" => "proof", "proof" => {:packed_byte, Handshake.proof(handshake, :engine)}}
      TestPeer.say(first, proof)
      assert %{"t" => "welcome", "proof" => {:packed_byte, theirs}} = TestPeer.hear(first)

      # The sidecar's own proof is not the engine's, and the same proof is none with another challenge.
      for said <- [proof, %{proof | "proof" => {:packed_byte, theirs}}] do
        again = TestPeer.connect(port)
        TestPeer.put(again, TestPeer.framed(hello))
        {:ok, other} = TestPeer.hear_bytes(again)
        assert other != challenge
        TestPeer.say(again, said)
        assert %{"t" => "refuse", "reason" => "token"} = TestPeer.hear(again)
        :gen_tcp.close(again)
      end

      assert length(Server.connections(server)) == 1
    end

    test "a token for each, by what the engine says of itself" do
      tokens = fn
        %{client: "a test's peer", zone: "north"} -> {:ok, "north's"}
        %{zone: "broken"} -> raise "no tokens today"
        _other -> :error
      end

      {_server, port} = start(token: tokens)

      for {zone, token, kind} <- [
            {"north", "north's", "welcome"},
            {"north", @token, "refuse"},
            {"south", "north's", "refuse"},
            {"broken", "north's", "refuse"}
          ] do
        socket = TestPeer.connect(port)
        assert {zone, kind} == {zone, TestPeer.greet(socket, token, %{"zone" => zone})["t"]}
        :gen_tcp.close(socket)
      end
    end

    test "a world that is none, and for now one that is not there at this moment" do
      {_server, port} = start(worlds: %{"gone" => :nobody_has_this_name})

      for {world, reason} <- [{"gone", "full"}, {"never was", "world"}] do
        socket = TestPeer.connect(port)

        assert %{"t" => "refuse", "reason" => ^reason} =
                 TestPeer.greet(socket, @token, %{"world" => world})

        :gen_tcp.close(socket)
      end
    end

    test "who says nothing is closed after its time" do
      {_server, port} = start(hello_timeout_ms: 1_000)

      log =
        capture_log(fn ->
          socket = TestPeer.connect(port)
          assert TestPeer.hear(socket) == :closed
          # A hello that never ends is none.
          socket = TestPeer.connect(port)
          TestPeer.put(socket, <<200::32, 27, 0, 0, 0>>)
          assert TestPeer.hear(socket) == :closed
          # Nor is one without a proof.
          socket = TestPeer.connect(port)
          TestPeer.say(socket, TestPeer.hello())
          assert %{"t" => "challenge"} = TestPeer.hear(socket)
          assert TestPeer.hear(socket) == :closed
        end)

      assert log =~ "did not finish the handshake in time"
    end

    test "more than 4 KiB before the welcome, and bytes that are no frame" do
      {server, port} = start()
      receiver = join(port)

      for {bytes, words} <- [
            {<<4097::32, 27, 0, 0, 0>>, "more than 4096 bytes"},
            {<<0xFFFFFFFF::32>>, "more than 4096 bytes"},
            {"GET / HTTP/1.1\r\n\r\n", "more than 4096 bytes"},
            {TestPeer.framed(:binary.copy(<<255>>, 64)), "no frame"},
            {TestPeer.framed(<<>>), "no frame"},
            {TestPeer.framed(binary_part(Variant.encode!(TestPeer.hello()), 0, 60)), "no frame"}
          ] do
        log =
          capture_log(fn ->
            socket = TestPeer.connect(port)
            TestPeer.put(socket, bytes)
            assert TestPeer.hear(socket) == :closed
            # The system closes it before it tells the process.
            await_peers(server, 1)
          end)

        assert log =~ words
      end

      assert_undisturbed(server, port, receiver)
    end
  end

  describe "several connections" do
    test "are apart" do
      {server, port} = start()
      Server.subscribe(server)
      receivers = for _ <- 1..3, do: join(port)
      connections = for _ <- receivers, do: assert_connected()
      assert Server.connections(server) == connections
      [first, second, third] = connections

      Process.exit(second.pid, :kill)
      assert_receive {:wasgo_godot, {:disconnected, {:crashed, :killed}}, ^second}, 5_000
      assert Server.connections(server) == [first, third]
      assert {:ok, 1} = Connection.send(first, "clear", %{})
      assert {:ok, 1} = Connection.send(third, "clear", %{})
      assert :ok = Connection.flush(first)
      assert :ok = Connection.flush(third)
      assert {:error, %{reason: {:disconnected, _}}} = Connection.send(second, "clear", %{})
    end

    test "above max_connections are refused, and find room later" do
      {server, port} = start(max_connections: 2)
      receiver = join(port)
      # It counts without a hello.
      pending = TestPeer.connect(port)

      log =
        capture_log(fn ->
          socket = TestPeer.connect(port)
          assert %{"t" => "refuse", "reason" => "full"} = TestPeer.hear(socket)
          :gen_tcp.close(socket)
        end)

      refute log =~ "[warning]"
      Server.subscribe(server)
      {:ok, connection} = Server.await_connection(server)
      Receiver.drop(receiver)
      assert_receive {:wasgo_godot, {:disconnected, :lost}, ^connection}, 5_000
      join(port)
      :gen_tcp.close(pending)
    end

    test "a crowd that is not wanted is not kept" do
      {server, port} = start(max_connections: 1)
      receiver = join(port)
      # More than are told why; the others are just closed.
      settings = [:binary, active: false]
      tried = for _ <- 1..50, do: :gen_tcp.connect({127, 0, 0, 1}, port, settings)
      sockets = for {:ok, socket} <- tried, do: socket
      answers = for socket <- sockets, do: TestPeer.hear(socket)
      assert Enum.count(answers, &match?(%{"t" => "refuse", "reason" => "full"}, &1)) >= 32
      # Some are reset before they are connected.
      assert Enum.count(answers, &(&1 == :closed)) + 50 - length(sockets) > 0
      assert DynamicSupervisor.count_children(:sys.get_state(server).supervisor).active <= 33
      Enum.each(sockets, &:gen_tcp.close/1)
      [connection] = Server.connections(server)
      assert {:ok, 1} = Connection.send(connection, "clear", %{})
      assert_receive {:wasgo_receiver, ^receiver, {:applied, 1, "clear"}}, 5_000
    end
  end

  describe "await_connection" do
    test "gives one that is there, or the next" do
      {server, port} = start()
      waiting = for _ <- 1..2, do: Task.async(fn -> Server.await_connection(server) end)
      join(port)
      assert [{:ok, connection}, {:ok, connection}] = Task.await_many(waiting)
      assert {:ok, ^connection} = Server.await_connection(server, 1)
    end

    test "gives up in time, and forgets who died" do
      {server, port} = start()
      assert {:error, %GodotError{reason: :timeout}} = Server.await_connection(server, 10)
      {:ok, task} = Task.start(fn -> Server.await_connection(server) end)
      ref = Process.monitor(task)
      Process.exit(task, :kill)
      assert_receive {:DOWN, ^ref, :process, _pid, :killed}
      join(port)
      assert {:ok, _connection} = Server.await_connection(server)
    end
  end

  describe "stop" do
    test "says bye to everyone, and gives the port back" do
      {server, port} = start()
      Server.subscribe(server)
      receivers = for _ <- 1..2, do: join(port)
      for _ <- receivers, do: assert_connected()
      # One that has not said hello, and one that does not listen.
      _pending = TestPeer.connect(port)
      deaf = TestPeer.join(port, @token)
      assert_connected()

      assert :ok = stop_quickly(server)

      for receiver <- receivers do
        assert_receive {:wasgo_receiver, ^receiver, {:bye, "the server was stopped"}}, 5_000
        assert_receive {:wasgo_godot, {:disconnected, :stopped}, %{client: "wasgo receiver"}}
      end

      assert_receive {:wasgo_godot, {:disconnected, :stopped}, %{client: "a test's peer"}}
      assert %{"t" => "bye"} = TestPeer.hear_beyond_pings(deaf)
      assert TestPeer.hear(deaf) == :closed
      {_again, ^port} = start(port: port)
      join(port)
    end

    test "a server that is killed takes its connections along" do
      server = start_unlinked()
      port = Server.port(server)
      socket = TestPeer.join(port, @token)
      {:ok, connection} = Server.await_connection(server)
      ref = Process.monitor(connection.pid)
      Process.exit(server, :kill)
      assert_receive {:DOWN, ^ref, :process, _pid, _reason}, 5_000
      assert TestPeer.hear_beyond_pings(socket) == :closed
    end
  end

  test "an acceptor that dies is replaced" do
    {server, port} = start()

    log =
      capture_log(fn ->
        old = :sys.get_state(server).acceptor
        Process.exit(old, :kill)
        join(port)
        refute :sys.get_state(server).acceptor == old
      end)

    assert log =~ "acceptor"
  end

  # Without a pause: each look is a message there and back.
  defp await_peers(server, count) do
    if map_size(:sys.get_state(server).peers) != count, do: await_peers(server, count)
  end

  defp start_unlinked do
    test = self()

    spawn(fn ->
      {:ok, server} = Server.start_link(token: @token)
      Process.unlink(server)
      send(test, {:server, server})
    end)

    assert_receive {:server, server}
    # It owns the port, and goes with it; nothing else holds on to it.
    server
  end

  defp stop_quickly(server) do
    task = Task.async(fn -> Server.stop(server) end)
    Task.await(task, 4_000)
  end

  defp assert_connected do
    assert_receive {:wasgo_godot, :connected, connection}, 5_000
    connection
  end
end
