if Code.ensure_loaded?(Phoenix.Endpoint) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.GodotSocketEngineTest do
    # Real engines at the other end of an endpoint's WebSockets.
    use ExUnit.Case, async: false

    import Wasgo.EngineLink

    alias Wasgo.Godot.{Connection, Server, Vector3}
    alias Wasgo.{BadLink, Gen, Godot, Store, TestEndpoint, TestEngine, World}

    @moduletag :godot
    @moduletag :phoenix
    @moduletag :capture_log
    # Small and large.
    @sizes [10, 5_000, 40_000, 20_000_000]

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

    defp start(options \\ []),
      do: start_server([port: nil, name: __MODULE__.Godot] ++ options)

    defp engine(scheme, port, script, arguments),
      do: start_engine(script, "#{scheme}://127.0.0.1:#{port}/godot/websocket", arguments)

    test "frames of both lanes come out as they went in, however large; then each says bye" do
      server = start(functions: %{"add" => fn [a, b] -> {:ok, a + b} end})
      {port, _endpoint} = TestEndpoint.start(Endpoint)
      engine = engine("ws", port, "talk_peer.gd", [])
      connection = connected()
      exchange(engine, connection, Enum.map(@sizes, &:rand.bytes/1))

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
      {tls, authority} = certificate()
      https = [thousand_island_options: [transport_options: tls]]

      start()
      {port, _endpoint} = TestEndpoint.start(Endpoint, https: https)
      engine = engine("wss", port, "talk_peer.gd", [authority, "--name=sidecar.test"])
      connection = connected()
      exchange(engine, connection, Enum.map(@sizes, &:rand.bytes/1))
      Port.close(engine)
      disconnected(connection)

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
      assert disconnected(connection) == :lost
      {:ok, _} = World.update(world, 7, position: {0, 7, 0})
      connection = connected()
      again = report(connection, &(&1["rev"] == World.rev(world) and settled?(world, &1)))
      assert {:ok, Vector3.new(0, 7, 0)} == Godot.call(connection, "Peer", "node_at", [7])
      # The answer to its first word, one node that changed, and no chunk.
      assert again["chunks"] == report["chunks"]
      assert again["frames"] <= 4 and again["errors"] == 0
      Port.close(engine)
    end

    defp settled?(world, report) do
      zone = World.zone(world, "")

      zone.making == 0 and zone.waiting == [] and zone.chunks > 0 and
        zone.chunks == report["chunks"]
    end
  end
end
