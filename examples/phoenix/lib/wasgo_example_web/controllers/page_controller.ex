defmodule WasgoExampleWeb.PageController do
  use WasgoExampleWeb, :controller

  require EEx

  @page Path.expand("../templates/page.html.eex", __DIR__)
  @external_resource @page
  EEx.function_from_file(:defp, :page, @page, [:assigns])

  # Compilers are WebAssembly; three.js decodes what it loads from blobs.
  @policy Enum.join(
            [
              "default-src 'self'",
              "script-src 'self' 'wasm-unsafe-eval'",
              "style-src 'self' 'unsafe-inline'",
              "img-src 'self' data: blob:",
              "connect-src 'self' blob: data: ws: wss:",
              "worker-src 'self' blob:",
              "frame-ancestors 'none'",
              "base-uri 'self'"
            ],
            "; "
          )

  @doc "What the page may load, and from where."
  def policy, do: @policy

  def home(conn, _params) do
    path = &WasgoExampleWeb.Endpoint.static_path/1
    html(conn, page(world: WasgoExample.world_name(), static: path))
  end
end
