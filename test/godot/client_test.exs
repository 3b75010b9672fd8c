defmodule Wasgo.Godot.EngineClientTest do
  # The add-on's client in a real engine, without a world: what it says and is asked, and what carries it.
  use ExUnit.Case, async: true

  import Wasgo.EngineLink

  alias Wasgo.Godot
  alias Wasgo.Godot.{Connection, Server}
  alias Wasgo.{GodotError, TestEngine}

  @moduletag :godot
  @moduletag :capture_log
  @patience 20_000

  test "frames of both lanes come out as they went in, compressed or not" do
    # Small and large, and such as compress well.
    payloads = for size <- [10, 5_000, 2_000_000], do: :binary.copy("engine", div(size, 6))

    for {compress, most} <- [{false, 5_000_000}, {true, 50_000}] do
      server = start_server(compress: compress)
      engine = start_engine("talk_peer.gd", url(server))
      stats = exchange(engine, connected(), payloads)
      assert stats.bytes < most
      assert compress or stats.bytes > 4_000_000
      Port.close(engine)
    end
  end

  defp url(server, scheme \\ "tcp"), do: "#{scheme}://127.0.0.1:#{Server.port(server)}"

  test "TLS carries them, to an engine that trusts the certificate and to no other" do
    {tls, authority} = certificate()
    server = start_server(tls: tls)
    url = url(server, "tls")
    engine = start_engine("talk_peer.gd", url, [authority, "--name=sidecar.test"])
    connection = connected()
    exchange(engine, connection, ["engine", :rand.bytes(5_000)])
    Port.close(engine)
    disconnected(connection)

    # Another name, and nobody's certificate: neither gets as far as a hello.
    for arguments <- [[authority, "--name=other.test"], ["--name=sidecar.test"]] do
      engine = start_engine("talk_peer.gd", url, arguments)
      assert TestEngine.await_line(engine, "problem ") =~ "certificate"
      refute_received {:wasgo_godot, :connected, _connection}
      Port.close(engine)
    end
  end

  test "each side asks the other, and hears what it says" do
    functions = %{
      "add" => fn [a, b] -> {:ok, a + b} end,
      "fail" => fn _arguments -> {:error, "it does that"} end
    }

    server = start_server(functions: functions)
    engine = start_engine("talk_peer.gd", url(server))
    connection = connected()
    assert :ok = Connection.subscribe(connection)

    for {name, arguments, answer} <- [
          {"add", [2, 40], "42"},
          {"fail", [], "error: it does that"},
          {"add", ["x", nil], "error: "},
          {"missing", [], "error: "}
        ] do
      fields = %{"name" => name, "args" => arguments}
      assert {:ok, _number} = Connection.send(connection, "test ask", fields)
      assert String.starts_with?(TestEngine.await_line(engine, "answer "), answer)
    end

    assert {:ok, "meme"} = Godot.call(connection, "Doors/North", "open", ["me", 2])

    assert {:ok, [%{"a" => [1, nil]}]} =
             Godot.call(connection, "Doors/North", "later", [%{"a" => [1, nil]}])

    for {path, method, arguments, words} <- [
          {"Doors/North", "queue_free", [], "may not be called"},
          {"Doors/South", "open", ["me"], "there is no node"},
          {"Doors/North", "open", [5], "must be a String"}
        ] do
      assert {:error, %GodotError{reason: {:engine, said}}} =
               Godot.call(connection, path, method, arguments)

      assert said =~ words
    end

    assert {:ok, "glTF" <> _file} = Godot.export_scene(connection, "Doors/North")
    assert {:error, %GodotError{}} = Godot.export_scene(connection, "Doors")

    assert {:ok, _number} = Connection.send(connection, "test speak", %{})
    events = events(connection, 3, [])

    assert {:event, %{name: "spoken", node: "Doors/North", data: %{"words" => ["a", 1]}}} in events

    assert {:viewers, [{7, {1.0, 2.0, 3.0}, 64.0}]} in events

    assert [<<"glTF", _rest::binary>>] =
             for({:scene, %{id: 0, name: "doors", glb: glb}} <- events, do: glb)

    Port.close(engine)
  end

  defp events(_connection, count, events) when length(events) >= count, do: events

  defp events(connection, count, events) do
    assert_receive {:wasgo_godot, :events, ^connection}, @patience
    {:ok, more, 0} = Connection.events(connection)
    events(connection, count, events ++ more)
  end

  test "a token that is not the same is refused by both" do
    server = start_server()

    engine =
      TestEngine.start("talk_peer.gd", [
        "--url=#{url(server)}",
        "--token=another"
      ])

    assert TestEngine.await_line(engine, "refused ") == "token"
    refute_received {:wasgo_godot, :connected, _connection}
    Port.close(engine)
  end
end
