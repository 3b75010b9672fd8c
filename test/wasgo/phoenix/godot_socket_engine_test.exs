if Code.ensure_loaded?(Phoenix.Endpoint) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.GodotSocketEngineTest do
    # Real engines at the other end of an endpoint's WebSockets.
    use ExUnit.Case, async: false

    alias Wasgo.Godot.{Connection, Server, Vector3}
    alias Wasgo.{BadLink, Gen, Godot, Store, TestEndpoint, TestEngine, World}

    @moduletag :godot
    @moduletag :phoenix
    @moduletag :capture_log
    @token "the zone's secret on the web"
    @patience 20_000

    defmodule Socket do
      use Wasgo.Phoenix.GodotSocket, server: Wasgo.Phoenix.GodotSocketEngineTest.Godot
    end

    defmodule Endpoint do
      use Phoenix.Endpoint, otp_app: :wasgo

      socket("/godot", Wasgo.Phoenix.GodotSocketEngineTest.Socket,
        websocket: [
          connect_info: [:peer_data],
          max_frame_size: 65_536
        ]
      )
    end

    defp start(options \\ []) do
      options = Keyword.merge([token: @token, port: nil, name: __MODULE__.Godot], options)
      server = start_supervised!({Server, options})
      Server.subscribe(server)
      server
    end

    defp engine(scheme, port, script, arguments) do
      url = "#{scheme}://127.0.0.1:#{port}/godot/websocket"
      TestEngine.start(script, ["--url=#{url}", "--token=#{@token}"] ++ arguments)
    end

    defp connected do
      assert_receive {:wasgo_godot, :connected, connection}, @patience
      connection
    end

    # Frames in both lanes, small and large.
    defp exchange(engine, connection) do
      for {lane, kind} <- [live: "test live", bulk: "test bulk"],
          size <- [10, 5_000, 40_000, 20_000_000] do
        bytes = :rand.bytes(size)
        fields = %{"bytes" => {:packed_byte, bytes}}
        assert {:ok, _number} = Connection.send(connection, kind, fields, lane: lane)
        expected = Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)
        assert TestEngine.await_line(engine, kind <> " ") == expected
      end

      assert :ok = Connection.flush(connection)
      assert {:ok, %{errors: 0}} = Connection.stats(connection)
    end

    test "frames of both lanes come out as they went in, however large; then each says bye" do
      server = start(functions: %{"add" => fn [a, b] -> {:ok, a + b} end})
      {port, _endpoint} = TestEndpoint.start(Endpoint)
      engine = engine("ws", port, "talk_peer.gd", [])
      connection = connected()
      exchange(engine, connection)

      ask = %{"name" => "add", "args" => [2, 40]}
      assert {:ok, _number} = Connection.send(connection, "test ask", ask)
      assert TestEngine.await_line(engine, "answer ") == "42"
      assert {:ok, "meme"} = Godot.call(connection, "Doors/North", "open", ["me", 2])
      assert {:ok, "glTF" <> _file} = Godot.export_scene(connection, "Doors/North")

      assert :ok = Connection.close(connection)
      TestEngine.await_line(engine, "disconnected bye")
      again = connected()
      assert Server.connections(server) == [again]
      # It has read the welcome.
      TestEngine.await_line(engine, "connected ")
      :ok = stop_supervised(Endpoint)
      assert TestEngine.await_line(engine, "disconnected ") =~ "the sidecar closed"
      assert TestEngine.await_line(engine, "problem no WebSocket at ") =~ "nobody listens"
      Port.close(engine)
    end

    test "over TLS too, to an engine that trusts the certificate and to no other" do
      names = [{:Extension, {2, 5, 29, 17}, false, [dNSName: ~c"sidecar.test"]}]
      made = [key: {:rsa, 2048, 65_537}, digest: :sha256]
      chain = %{root: made, intermediates: [], peer: made ++ [extensions: names]}
      data = :public_key.pkix_test_data(%{server_chain: chain, client_chain: chain})
      [trusted | _] = data.client_config[:cacerts]
      pem = :public_key.pem_encode([{:Certificate, trusted, :not_encrypted}])
      authority = "--certificate=" <> Base.encode64(pem)
      https = [thousand_island_options: [transport_options: data.server_config]]

      start()
      {port, _endpoint} = TestEndpoint.start(Endpoint, https: https)
      engine = engine("wss", port, "talk_peer.gd", [authority, "--name=sidecar.test"])
      exchange(engine, connected())
      Port.close(engine)
      assert_receive {:wasgo_godot, {:disconnected, _why}, _connection}, @patience

      for arguments <- [[authority, "--name=other.test"], ["--name=sidecar.test"]] do
        engine = engine("wss", port, "talk_peer.gd", arguments)
        assert TestEngine.await_line(engine, "problem ") =~ "certificate"
        refute_received {:wasgo_godot, :connected, _connection}
        Port.close(engine)
      end
    end

    test "a world is shown, and goes on where it was when the socket is cut" do
      plan = Gen.plan!(seed: 7, samples: 17, levels: 3, chunk_size: 32.0)
      {:ok, world} = World.start_link(name: "garden", store: Store.open!(:memory), plan: plan)
      things = for n <- 1..100, do: {:put, name: "thing #{n}", position: {n, 0, 0}}
      {:ok, _} = World.mutate(world, things)

      start(worlds: %{"garden" => world})
      {port, _endpoint} = TestEndpoint.start(Endpoint)
      link = start_supervised!({BadLink, port})
      arguments = ["--world=garden", "--viewer=16,16,60"]
      engine = engine("ws", BadLink.port(link), "zone_peer.gd", arguments)
      connection = connected()
      report = report(connection, &(&1["nodes"] == 100 and settled?(world, &1)))
      assert report["errors"] == 0 and report["chunks"] > 8

      BadLink.cut(link)
      assert_receive {:wasgo_godot, {:disconnected, :lost}, ^connection}, @patience
      {:ok, _} = World.update(world, 7, position: {0, 7, 0})
      connection = connected()
      again = report(connection, &(&1["rev"] == World.rev(world) and settled?(world, &1)))
      assert {:ok, Vector3.new(0, 7, 0)} == Godot.call(connection, "Peer", "node_at", [7])
      # The answer to its first word, one node that changed, and no chunk.
      assert again["chunks"] == report["chunks"]
      assert again["frames"] <= 4 and again["errors"] == 0
      Port.close(engine)
    end

    # Each look is an answer of the engine, at its own pace.
    defp report(connection, wanted?, left \\ 2_000) do
      {:ok, report} = Connection.request(connection, "report")

      cond do
        wanted?.(report) -> report
        left == 0 -> flunk("the engine stays at #{inspect(report)}")
        true -> report(connection, wanted?, left - 1)
      end
    end

    defp settled?(world, report) do
      zone = World.zone(world, "")

      zone.making == 0 and zone.waiting == [] and zone.chunks > 0 and
        zone.chunks == report["chunks"]
    end
  end
end
