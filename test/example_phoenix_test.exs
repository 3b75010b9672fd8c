defmodule Wasgo.ExamplePhoenixTest do
  use ExUnit.Case, async: false

  alias Wasgo.{ChannelClient, ExampleApp, HTTPRequest, TestEngine}

  # Compiling it the first time, and a browser that draws without a graphics processor.
  @moduletag timeout: 900_000

  describe "the example" do
    @tag :phoenix
    @tag :chromium
    test "shows its world in a browser, runs what is written there, says in which line it fails, and stops and starts stages" do
      :ok = ExampleApp.bundle()
      {port, _app} = ExampleApp.start()
      {output, status} = ExampleApp.browse(port)
      assert status == 0, output
    end

    @tag :phoenix
    @tag :godot
    test "shows its world to an engine that comes by WebSocket, beside its page" do
      {port, _app} = ExampleApp.start()

      engine =
        TestEngine.start_project("godot/demo", [
          "--headless",
          "--",
          "--wasgo-url=ws://127.0.0.1:#{port}/godot/websocket",
          "--wasgo-token=island",
          "--wasgo-world=island",
          "--wasgo-zone=main"
        ])

      assert "wasgo" <> _version = TestEngine.await_line(engine, "wasgo: connected to ")
      assert {200, _headers, body} = HTTPRequest.request(port, "GET", "/wasgo/worlds/island")
      assert body =~ ~s("name":"main")
      assert {200, _headers, page} = HTTPRequest.request(port, "GET", "/")
      assert page =~ "<title>The island</title>"
    end

    @tag :phoenix
    test "takes scripts of its own names alone, from who knows the token, and lets nobody else stop stages" do
      {port, _app} = ExampleApp.start([{"EDIT_TOKEN", "let-me"}])
      wat = File.read!(ExampleApp.path("priv/scripts/crystal.wat"))

      put = fn name, headers ->
        headers = [{"content-type", "text/wat"} | headers]

        {status, _headers, body} =
          HTTPRequest.request(port, "PUT", "/wasgo/scripts/#{name}", headers, wat)

        {status, body}
      end

      assert {401, _body} = put.("crystal", [])
      assert {403, _body} = put.("crystal", [{"authorization", "Bearer something"}])
      assert {403, _body} = put.("other", [{"authorization", "Bearer let-me"}])
      assert {201, body} = put.("crystal", [{"authorization", "Bearer let-me"}])
      assert body =~ ~s("version":2)

      for {query, answer} <- [{"", "error"}, {"&token=let-me", "ok"}] do
        client = join(port, query)
        assert {^answer, _response} = stage(client, "namer", "stop")
        assert {^answer, _response} = stage(client, "namer", "start")
      end
    end

    test "names its places by the service that is built here" do
      assert File.read!(ExampleApp.path("priv/services/namer.wasm")) ==
               File.read!("guest/services/namer.wasm")
    end

    @tag :node
    test "merges what the channel pushes as its tests in node say" do
      {output, status} =
        System.cmd("node", ["--test" | tests()],
          cd: ExampleApp.path("assets"),
          stderr_to_stdout: true
        )

      assert status == 0, output
    end
  end

  defp join(port, query) do
    {:ok, client} = ChannelClient.start_link(port, "/socket", query: query)
    assert {"ok", _reply} = ask(client, "phx_join", %{})
    client
  end

  defp stage(client, name, act), do: ask(client, "stage", %{"name" => name, "do" => act})

  defp ask(client, event, payload) do
    ref = ChannelClient.push(client, "world:island", event, payload)
    assert_receive {^client, "phx_reply", {^ref, status, response}}, 10_000
    {status, response}
  end

  defp tests, do: Path.wildcard(ExampleApp.path("assets/test/*.test.mjs"))
end
