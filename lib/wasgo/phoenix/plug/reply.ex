if Code.ensure_loaded?(Plug.Conn) do
  defmodule Wasgo.Phoenix.Plug.Reply do
    @moduledoc false
    # Answers: JSON, errors, files whose name says what is in them.

    alias Plug.Conn
    alias Wasgo.Wire

    @type error :: %{
            required(:reason) => String.t(),
            required(:message) => String.t(),
            optional(:retry_after) => pos_integer(),
            optional(atom()) => term()
          }

    @doc false
    @spec json(Conn.t(), Conn.status(), map()) :: Conn.t()
    def json(conn, status, term) do
      conn
      |> Conn.put_resp_content_type("application/json")
      |> Conn.put_resp_header("cache-control", "no-store")
      |> Conn.send_resp(status, Wire.encode!(term, :json))
    end

    @doc false
    @spec error(Conn.t(), Conn.status(), error()) :: Conn.t()
    def error(conn, status, error) do
      {seconds, error} = Map.pop(error, :retry_after)

      conn =
        if seconds,
          do: Conn.put_resp_header(conn, "retry-after", Integer.to_string(seconds)),
          else: conn

      json(conn, status, %{error: error})
    end

    @doc false
    # A file by the hash in its name, which `make` gives where the client has not got it.
    @spec file(Conn.t(), String.t(), make :: fun()) ::
            {:ok, Conn.t()} | {:error, Conn.status(), error()}
    def file(conn, hash, make) do
      tag = ~s("#{hash}")

      if tag in matching(conn) do
        {:ok, conn |> immutable(tag) |> Conn.send_resp(304, "")}
      else
        with {:ok, bytes} <- make.() do
          {:ok,
           conn
           |> immutable(tag)
           |> Conn.put_resp_content_type("model/gltf-binary", nil)
           |> Conn.send_resp(200, bytes)}
        end
      end
    end

    # What one may see another may not: caches of the browser's own keep it.
    defp immutable(conn, tag) do
      conn
      |> Conn.put_resp_header("etag", tag)
      |> Conn.put_resp_header("cache-control", "private, max-age=31536000, immutable")
    end

    defp matching(conn) do
      for header <- Conn.get_req_header(conn, "if-none-match"),
          tag <- String.split(header, ","),
          do: tag |> String.trim() |> String.replace_prefix("W/", "")
    end
  end
end
