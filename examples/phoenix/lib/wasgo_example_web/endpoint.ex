defmodule WasgoExampleWeb.Endpoint do
  use Phoenix.Endpoint, otp_app: :wasgo_example

  socket("/socket", WasgoExampleWeb.UserSocket,
    websocket: [compress: true, max_frame_size: 65_536],
    longpoll: false
  )

  # Godot engines attach here, at ws://localhost:4000/godot/websocket.
  socket("/godot", WasgoExampleWeb.GodotSocket,
    websocket: [connect_info: [:peer_data, :x_headers], max_frame_size: 65_536],
    longpoll: false
  )

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
