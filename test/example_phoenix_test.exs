defmodule Wasgo.ExamplePhoenixTest do
  use ExUnit.Case, async: false

  alias Wasgo.{ExampleApp, HTTPRequest, TestEngine}

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

  defp tests, do: Path.wildcard(ExampleApp.path("assets/test/*.test.mjs"))
end
