defmodule WasgoExampleWeb.Endpoint do
  use Phoenix.Endpoint, otp_app: :wasgo_example

  socket("/socket", WasgoExampleWeb.UserSocket,
    websocket: [compress: true, max_frame_size: 65_536],
    longpoll: false
  )

  # Godot engines attach here: bin/godot ... -- --wasgo-url=ws://localhost:4000/godot/websocket
  if Code.ensure_loaded?(Wasgo.Phoenix.GodotSocket) do
    socket("/godot", Wasgo.Phoenix.GodotSocket, websocket: true)
  end

  plug(Plug.Static,
    at: "/",
    from: :wasgo_example,
    gzip: true,
    only: WasgoExampleWeb.static_paths()
  )

  plug(Plug.RequestId)
  plug(Plug.Head)
  plug(WasgoExampleWeb.Router)
end
