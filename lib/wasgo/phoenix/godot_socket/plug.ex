if Code.ensure_loaded?(Plug) and Code.ensure_loaded?(WebSockAdapter) do
  defmodule Wasgo.Phoenix.GodotSocket.Plug do
    @moduledoc """
    `Wasgo.Phoenix.GodotSocket` as a plug, for Bandit without Phoenix:

        children = [
          {Wasgo.Godot.Server, name: MyApp.Godot, token: token, port: nil},
          {Bandit, plug: {Wasgo.Phoenix.GodotSocket.Plug, server: MyApp.Godot}, port: 4000}
        ]

    or at a path of a `Plug.Router`:

        forward "/godot", to: Wasgo.Phoenix.GodotSocket.Plug, init_opts: [server: MyApp.Godot]

    The add-on connects to `ws://localhost:4000/godot`. The web server is told to hold no more for an engine than the protocol needs.

    Options:

      * `:server` - the `Wasgo.Godot.Server` that the connections belong to, by its name or pid; required
      * `:timeout` - after how many ms without a word from the engine the web server closes; 60,000 unless given

    A request that is no WebSocket's is answered with 400.
    """

    @behaviour Plug

    alias Wasgo.Options
    alias Wasgo.Phoenix.GodotSocket

    @options [
      server: [type: :server, required: true],
      timeout: [type: :timeout, default: 60_000]
    ]

    @impl true
    def init(options), do: Options.validate!(options, @options, inspect(__MODULE__))

    @impl true
    def call(conn, %{server: server, timeout: timeout}) do
      info = %{
        peer_data: Plug.Conn.get_peer_data(conn),
        x_headers: Enum.filter(conn.req_headers, fn {name, _} -> name == "x-forwarded-for" end)
      }

      settings = [timeout: timeout, compress: false] ++ GodotSocket.limits()

      conn
      |> WebSockAdapter.upgrade(GodotSocket, GodotSocket.new(server, info), settings)
      |> Plug.Conn.halt()
    rescue
      error in WebSockAdapter.UpgradeError ->
        conn |> Plug.Conn.send_resp(400, error.message) |> Plug.Conn.halt()
    end
  end
end
