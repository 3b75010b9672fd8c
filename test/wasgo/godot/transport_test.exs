defmodule Wasgo.Godot.TransportTest do
  # What carries the frames: Unix sockets, TLS, compression, and bytes that come as they like.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias Wasgo.Godot.Connection.Framing
  alias Wasgo.Godot.{Connection, Server, Variant}
  alias Wasgo.{GodotError, TestPeer}
  alias Wasgo.Wire.Zstd

  @moduletag :capture_log
  @token "the transport's secret"

  defp start(options) do
    server = start_supervised!({Server, [token: @token] ++ options}, id: make_ref())
    Server.subscribe(server)
    server
  end

  defp connected do
    assert_receive {:wasgo_godot, :connected, connection}, 5_000
    connection
  end

  # Short: the system allows some hundred bytes.
  defp socket_path do
    path = Path.join(System.tmp_dir!(), "wasgo-#{System.unique_integer([:positive])}.sock")
    on_exit(fn -> File.rm(path) end)
    path
  end

  describe "a Unix domain socket" do
    test "carries the same frames, for this user alone, and is gone with the server" do
      path = socket_path()
      {:ok, server} = listen(path)
      Server.subscribe(server)
      assert Server.port(server) == nil
      assert Bitwise.band(File.stat!(path).mode, 0o777) == 0o600
      {:ok, socket} = :gen_tcp.connect({:local, path}, 0, [:binary, :local, active: false])
      assert %{"t" => "welcome"} = TestPeer.greet(socket, @token)
      connection = connected()
      assert connection.address == "unix:" <> path
      assert {:ok, 1} = Connection.send(connection, "clear", %{})
      assert %{"t" => "clear", "seq" => 1} = TestPeer.hear_beyond_pings(socket)
      assert :ok = Server.stop(server)
      refute File.exists?(path)
    end

    test "takes the place of one that nobody listens on, and of nothing else" do
      path = socket_path()
      # As a server leaves it that was killed.
      {:ok, left} = :gen_tcp.listen(0, [{:ifaddr, {:local, path}}])
      assert {:error, %GodotError{reason: {:listen, :eaddrinuse}}} = listen(path)
      :gen_tcp.close(left)
      assert File.exists?(path)
      start(path: path)
      assert {:error, %GodotError{reason: {:listen, :eaddrinuse}} = error} = listen(path)
      assert Exception.message(error) =~ path

      file = socket_path()
      File.write!(file, "mine")
      assert {:error, %GodotError{reason: {:listen, :eexist}}} = listen(file)
      assert File.read!(file) == "mine"
      assert {:error, %GodotError{reason: {:listen, _}}} = listen("/no/such/folder/a.sock")
      assert_raise ArgumentError, ~r/in the place of :port/, fn -> listen(path, port: 5) end
    end

    defp listen(path, options \\ []),
      do: Server.start_link([token: @token, path: path] ++ options)
  end

  describe "TLS" do
    setup do
      root = [key: {:rsa, 2048, 65_537}]
      chain = %{root: root, intermediates: [], peer: [key: {:rsa, 2048, 65_537}]}
      data = :public_key.pkix_test_data(%{server_chain: chain, client_chain: chain})
      %{server: data[:server_config], client: data[:client_config]}
    end

    test "carries the same frames, to those who trust the certificate", context do
      server = start(tls: context.server)
      port = Server.port(server)
      trusting = [verify: :verify_peer, cacerts: context.client[:cacerts]]
      options = [:binary, active: false, server_name_indication: :disable] ++ trusting
      {:ok, socket} = :ssl.connect({127, 0, 0, 1}, port, options)
      assert %{"t" => "welcome"} = TestPeer.greet(socket, @token)
      connection = connected()
      ballast = %{"ballast" => {:packed_byte, :binary.copy(<<7>>, 3_000_000)}}
      assert {:ok, 1} = Connection.send(connection, "rows", ballast)
      assert %{"t" => "rows", "ballast" => found} = TestPeer.hear_beyond_pings(socket)
      assert found == ballast["ballast"]
      assert :ok = Connection.close(connection, 50)
      assert %{"t" => "bye"} = TestPeer.hear_beyond_pings(socket)
    end

    test "who speaks none, or nothing, costs no more than its connection", context do
      server = start(tls: context.server, hello_timeout_ms: 300)
      port = Server.port(server)

      log =
        capture_log(fn ->
          plain = TestPeer.connect(port)
          TestPeer.say(plain, TestPeer.hello())
          assert {:error, _closed} = :gen_tcp.recv(plain, 0, 5_000) |> refused()
          silent = TestPeer.connect(port)
          assert TestPeer.hear(silent) == :closed
        end)

      assert log =~ "disconnected"
      refute log =~ "crashed"
      assert Process.alive?(server)
    end

    # An alert may come first.
    defp refused({:ok, _alert}), do: {:error, :closed}
    defp refused(error), do: error
  end

  describe "compression" do
    defp peer(options, accepts) do
      server = start(options)
      socket = TestPeer.connect(Server.port(server))
      hello = %{"accepts" => {:packed_string, accepts}}
      assert %{"t" => "welcome"} = TestPeer.greet(socket, @token, hello)
      TestPeer.grant(socket)
      {socket, connected()}
    end

    defp text, do: %{"text" => String.duplicate("all work and no play ", 10_000)}

    test "is for engines that take it, of what becomes smaller by it" do
      {socket, connection} = peer([compress: true], ["lz9", "zstd"])
      assert connection.compress
      noise = %{"noise" => {:packed_byte, :rand.bytes(50_000)}}
      assert {:ok, 1} = Connection.send(connection, "chunk", text())
      assert {:ok, 2} = Connection.send(connection, "chunk", noise)
      assert {:ok, 1} = Connection.send(connection, "rows", %{"small" => 1})

      # The number stands outside.
      assert %{"t" => "zstd", "bulk" => 1, "size" => size, "data" => {:packed_byte, data}} =
               TestPeer.hear_beyond_pings(socket)

      assert byte_size(data) < 1_000
      inner = data |> Zstd.decompress!(size) |> Variant.decode!()
      assert inner == Map.put(text(), "t", "chunk")
      assert %{"t" => "chunk", "bulk" => 2} = TestPeer.hear_beyond_pings(socket)
      assert %{"t" => "rows", "seq" => 1} = TestPeer.hear_beyond_pings(socket)
    end

    test "is not for others, nor on one machine unless it is wanted" do
      for {options, accepts} <- [
            {[compress: true], []},
            {[], ["zstd"]},
            {[compress: false], ["zstd"]}
          ] do
        {socket, connection} = peer(options, accepts)
        refute connection.compress
        assert {:ok, 1} = Connection.send(connection, "chunk", text())
        assert %{"t" => "chunk", "bulk" => 1} = TestPeer.hear_beyond_pings(socket)
      end
    end

    test "the engine may compress too, within the bounds of any frame" do
      {socket, connection} = peer([], [])
      :ok = Connection.subscribe(connection, [:scene])
      glb = {:packed_byte, :binary.copy("glTF", 500_000)}
      scene = Variant.encode!(%{"t" => "scene", "id" => 0, "name" => "a", "glb" => glb})
      TestPeer.say(socket, zstd(scene))
      assert_receive {:wasgo_godot, :events, ^connection}, 5_000
      assert {:ok, [{:scene, %{glb: found}}], 0} = Connection.events(connection)
      assert {:packed_byte, found} == glb

      ping = Variant.encode!(%{"t" => "ping", "time" => 1})

      for {frame, words} <- [
            {%{zstd(scene) | "size" => byte_size(scene) - 1}, "no frame"},
            {%{zstd(scene) | "size" => byte_size(scene) + 1}, "no frame"},
            {%{zstd(scene) | "size" => -1}, ~s("zstd")},
            {%{zstd(scene) | "size" => 16 * 1024 * 1024 + 1}, "more than 16777216"},
            {%{zstd(scene) | "data" => {:packed_byte, "garbage"}}, "no frame"},
            {%{zstd(scene) | "data" => "text"}, ~s("zstd")},
            {zstd(Variant.encode!(zstd(ping))), "in a compressed frame"},
            {zstd(Variant.encode!([1])), "without a kind"},
            {zstd("no Variant"), "no frame"}
          ] do
        {socket, connection} = peer([], [])
        TestPeer.say(socket, frame)
        assert_receive {:wasgo_godot, {:disconnected, {:malformed, told}}, ^connection}, 5_000
        assert told =~ words, told
      end
    end

    defp zstd(bytes) do
      data = {:packed_byte, Zstd.compress!(bytes)}
      %{"t" => "zstd", "size" => byte_size(bytes), "data" => data}
    end
  end

  describe "bytes" do
    test "one at a time make the same frames" do
      server = start(heartbeat_ms: 60_000)
      socket = TestPeer.join(Server.port(server), @token)
      connection = connected()
      :ok = Connection.subscribe(connection)
      event = %{"t" => "event", "name" => "slow", "node" => "", "data" => [1, 2.5]}
      bytes = TestPeer.framed(Variant.encode!(event))
      for <<byte <- bytes <> bytes>>, do: :ok = TestPeer.put(socket, <<byte>>)
      TestPeer.say(socket, %{"t" => "ping", "time" => 1})
      assert %{"t" => "pong"} = TestPeer.hear_beyond_pings(socket)
      told = {:event, %{name: "slow", node: "", data: [1, 2.5]}}
      assert {:ok, [^told, ^told], 0} = Connection.events(connection)
    end

    test "however they are cut, frames are the same" do
      for walk <- 1..300 do
        :rand.seed(:exsss, {walk, 1, 2})
        frames = for _ <- 1..:rand.uniform(20), do: :rand.bytes(:rand.uniform(3_000) - 1)
        bytes = for frame <- frames, into: <<>>, do: TestPeer.framed(frame)

        {found, framing} = bytes |> cut() |> Enum.reduce({[], Framing.new(3_000)}, &push(&1, &2))

        assert Enum.reverse(found) == frames
        assert framing.held == 0
      end
    end

    defp cut(<<>>), do: []

    defp cut(bytes) do
      most = Enum.random([1, 7, 500, 100_000])
      size = min(:rand.uniform(most), byte_size(bytes))
      {piece, rest} = :erlang.split_binary(bytes, size)
      [piece | cut(rest)]
    end

    defp push(piece, {found, framing}), do: drain(found, Framing.push(framing, piece))

    defp drain(found, framing) do
      case Framing.next(framing) do
        {:ok, frame, framing} -> drain([frame | found], framing)
        {:more, framing} -> {found, framing}
      end
    end

    test "a frame that declares too much is refused before it comes" do
      framing = Framing.push(Framing.new(10), <<0, 0, 0, 11>>)
      assert {:error, {:too_large, 10}} = Framing.next(framing)
    end

    test "a frame of 16 MiB by one byte at a time is not held byte by byte" do
      framing =
        Enum.reduce(1..200_000, Framing.push(Framing.new(0x0100_0000), <<0x0100_0000::32>>), fn
          _n, framing ->
            {:more, framing} = Framing.next(Framing.push(framing, "x"))
            framing
        end)

      assert framing.held == 200_004
      assert length(framing.pieces) + length(framing.joined) < 1_100
    end
  end

  test "200 that never finish the handshake are held for their time, and nobody else notices" do
    server = start(max_connections: 300, hello_timeout_ms: 3_000)
    port = Server.port(server)
    before = :erlang.memory(:total)
    partial = binary_part(TestPeer.framed(Variant.encode!(TestPeer.hello())), 0, 100)

    # Those that came first may be gone before the last one is there.
    log =
      capture_log(fn ->
        sockets =
          for n <- 1..200 do
            socket = TestPeer.connect(port)

            case rem(n, 3) do
              0 -> :ok
              1 -> TestPeer.put(socket, partial)
              2 -> TestPeer.say(socket, TestPeer.hello())
            end

            socket
          end

        socket = TestPeer.join(port, @token)
        send(self(), {:joined, socket})
        assert {:ok, 1} = Connection.send(connected(), "clear", %{})
        assert %{"t" => "clear"} = TestPeer.hear_beyond_pings(socket)
        assert :erlang.memory(:total) - before < 50_000_000

        for {socket, n} <- Enum.with_index(sockets, 1) do
          if rem(n, 3) == 2, do: %{"t" => "challenge"} = TestPeer.hear(socket)
          assert TestPeer.hear(socket) == :closed
        end

        # Each has said so by then.
        await_peers(server, 1)
        # The time after which those are counted that had no line of their own.
        send(server, :strangers)
        await_peers(server, 1)
      end)

    assert_received {:joined, socket}
    {:ok, connection} = Server.await_connection(server)
    assert log |> String.split("did not finish the handshake") |> length() == 21
    assert log =~ "180 more connections ended that were not welcomed"
    assert {:ok, 2} = Connection.send(connection, "clear", %{})
    :gen_tcp.close(socket)
  end

  defp await_peers(server, count) do
    if map_size(:sys.get_state(server).peers) != count, do: await_peers(server, count)
  end
end
