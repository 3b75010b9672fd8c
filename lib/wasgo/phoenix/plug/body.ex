if Code.ensure_loaded?(Plug.Conn) do
  defmodule Wasgo.Phoenix.Plug.Body do
    @moduledoc false
    # The body of an upload: no more of it is read than may be, and for no longer.

    alias Plug.Conn
    alias Wasgo.Script.SourceMap
    alias Wasgo.Wire

    # What is read at a time.
    @piece 65_536
    @most_language 64

    @type kind :: :wasm | :wat | :json
    @type error :: {:error, Conn.status(), Wasgo.Phoenix.Plug.Reply.error()}

    @doc false
    @spec kind(Conn.t()) :: {:ok, kind()} | error()
    def kind(conn) do
      header = conn |> Conn.get_req_header("content-type") |> List.first("")
      [type | _parameters] = String.split(header, ";", parts: 2)

      case type |> String.trim() |> String.downcase() do
        "application/wasm" -> {:ok, :wasm}
        text when text in ["text/plain", "text/wat", "application/wat"] -> {:ok, :wat}
        "application/json" -> {:ok, :json}
        _other -> {:error, 415, media_type()}
      end
    end

    defp media_type do
      message = "a script is application/wasm, text/plain (WAT) or application/json"
      %{reason: "media_type", message: message}
    end

    @doc false
    # The script in it, and what it says that it is written in.
    @spec source(Conn.t(), kind(), map()) ::
            {:ok, binary(), language :: String.t() | nil, Conn.t()} | error()
    def source(%{body_params: %{} = read} = conn, :json, _options)
        when not is_struct(read) and map_size(read) > 0 do
      # The application's own parsers have read it.
      with {:ok, source, language} <- script(read), do: {:ok, source, language, conn}
    end

    def source(conn, kind, options) do
      with {:ok, body, conn} <- read(conn, options),
           {:ok, source, language} <- parse(kind, body, options),
           do: {:ok, source, language, conn}
    end

    defp parse(:wasm, <<0, "asm", _::binary>> = module, _options), do: {:ok, module, nil}

    defp parse(:wasm, _other, _options),
      do: compile("it is not WebAssembly: its first bytes are others")

    defp parse(:wat, text, _options) do
      cond do
        not String.valid?(text) -> compile("the text is not UTF-8")
        String.trim(text) == "" -> compile("it is empty")
        true -> {:ok, text, nil}
      end
    end

    defp parse(:json, text, options) do
      case Wire.decode(text, :json, max_bytes: options.max_bytes) do
        {:ok, map} -> script(map)
        {:error, error} -> invalid("body", Exception.message(error))
      end
    end

    defp script(%{"wasm" => encoded} = map) do
      with {:ok, module} <- base64(encoded),
           {:ok, module, _language} <- parse(:wasm, module, nil),
           {:ok, language} <- language(map),
           {:ok, module} <- mapped(module, Map.get(map, "source_map")),
           do: {:ok, module, language}
    end

    defp script(%{"wat" => text} = map) when is_binary(text) do
      with {:ok, text, _language} <- parse(:wat, text, nil),
           {:ok, language} <- language(map),
           do: {:ok, text, language}
    end

    defp script(_other), do: invalid("body", "it has neither \"wasm\" nor \"wat\"")

    defp base64(text) when is_binary(text) do
      with :error <- Base.decode64(text), do: base64(nil)
    end

    defp base64(_other), do: invalid("wasm", "\"wasm\" is not base64")

    defp language(map) do
      case Map.get(map, "language") do
        nil ->
          {:ok, nil}

        text when is_binary(text) and byte_size(text) in 1..@most_language ->
          {:ok, text}

        _other ->
          invalid("language", "\"language\" is not a text of 1 to #{@most_language} bytes")
      end
    end

    defp mapped(module, nil), do: {:ok, module}

    defp mapped(module, given) do
      with {:ok, map} <- SourceMap.parse(given),
           {:ok, module} <- SourceMap.embed(module, map) do
        {:ok, module}
      else
        {:error, error} -> invalid("source_map", Exception.message(error))
      end
    end

    defp invalid(field, message),
      do: {:error, 400, %{reason: "invalid", field: field, message: message}}

    defp compile(message), do: {:error, 422, %{reason: "compile", message: message}}

    ## Reading

    defp read(conn, options) do
      with :ok <- length(conn, options.max_bytes) do
        deadline = System.monotonic_time(:millisecond) + options.read_timeout
        read(conn, options.max_bytes, deadline, [])
      end
    end

    # What says how long it is need not be read to be too long. In HTTP/2 it need not say anything.
    defp length(conn, most) do
      case Conn.get_req_header(conn, "content-length") do
        [text | _] ->
          case Integer.parse(text) do
            {length, ""} when length > most -> too_large(most)
            {length, ""} when length >= 0 -> :ok
            _other -> invalid("content-length", "it is no number")
          end

        [] ->
          chunked? = Conn.get_req_header(conn, "transfer-encoding") != []
          if chunked? or Conn.get_http_protocol(conn) == :"HTTP/2", do: :ok, else: no_length()
      end
    end

    defp no_length,
      do: {:error, 411, %{reason: "length", message: "there is no body, or no length of it"}}

    defp too_large(most) do
      message = "a script may have #{most} bytes"
      {:error, 413, %{reason: "too_large", message: message, limit: most}}
    end

    defp read(conn, left, deadline, read) do
      case deadline - System.monotonic_time(:millisecond) do
        time when time > 0 ->
          # One byte more than may be says that it is too much.
          length = min(left + 1, @piece)
          options = [length: length, read_length: length, read_timeout: time]
          take(Conn.read_body(conn, options), left, deadline, read)

        _none ->
          timeout()
      end
    end

    defp take({:ok, piece, conn}, left, _deadline, read) do
      if byte_size(piece) <= left,
        do: {:ok, IO.iodata_to_binary([read | piece]), conn},
        else: too_large(IO.iodata_length(read) + left)
    end

    defp take({:more, piece, conn}, left, deadline, read) do
      case left - byte_size(piece) do
        left when left >= 0 -> read(conn, left, deadline, [read | piece])
        _over -> too_large(IO.iodata_length(read) + left)
      end
    end

    defp take({:error, :timeout}, _left, _deadline, _read), do: timeout()
    defp take({:error, _gone}, _left, _deadline, _read), do: invalid("body", "it ended too early")

    defp timeout,
      do: {:error, 408, %{reason: "timeout", message: "the body took too long to come"}}
  end
end
