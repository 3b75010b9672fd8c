defmodule Wasgo.Service.HTTP do
  @moduledoc false
  # A client for servers in guests: HTTP/1.1 (RFC 9112), a connection for each request. What is parsed are answers, by the VM's own parser of
  # lines and headers; a guest may send anything.

  alias Wasgo.{DecodeError, LimitError, Service, ServiceError}
  alias Wasgo.Service.Connection

  @options [
    port: [type: :any, default: :http],
    timeout: [type: :timeout, default: 5_000],
    max_body: [type: :non_neg_integer, default: 16_777_216]
  ]

  # Bytes of all lines before a body, of all after it, and of one line.
  @max_head 65_536

  @token ~r/\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\z/

  @spec request(
          GenServer.server(),
          atom() | String.t(),
          String.t(),
          [{String.t(), String.t()}],
          iodata(),
          keyword()
        ) ::
          {:ok, map()} | {:error, Exception.t()}
  def request(service, method, path, headers, body, options) do
    owner = "Wasgo.Service.http/6"
    options = Wasgo.Options.validate!(options, @options, owner)
    method = method!(method, owner)
    request = [head!(method, path, headers, IO.iodata_length(body), owner), body]
    deadline = now() + options.timeout

    with {:ok, connection} <- Service.connect(service, options.port, timeout: options.timeout) do
      # A server may answer before it has read all, and may read nothing before it has answered.
      Connection.send_beside(connection, request)
      result = answer(connection, method, deadline, options)

      # A server that answers wrong, or not in time, may never close.
      if match?({:ok, _answer}, result),
        do: Connection.close(connection),
        else: Connection.reset(connection)

      result
    end
  end

  defp answer(connection, method, deadline, options) do
    reader = %{connection: connection, deadline: deadline, buffer: "", lines: @max_head}

    with {:ok, status, headers, reader} <- head(reader),
         {:ok, body} <- body(reader, method, status, headers, options.max_body) do
      {:ok, %{status: status, headers: headers, body: body}}
    end
  end

  defp method!(method, owner) do
    method = method |> to_string() |> String.upcase()
    if method =~ @token, do: method, else: wrong!(owner, "no method", method)
  end

  defp head!(method, path, headers, length, owner) do
    unless String.starts_with?(path, "/") and not (path =~ ~r/[\s[:cntrl:]]/) do
      wrong!(owner, "a path begins with \"/\" and has no white space", path)
    end

    headers = Enum.map(headers, &header!(&1, owner))
    names = Enum.map(headers, fn {name, _value} -> String.downcase(name) end)

    length =
      if length > 0 or method in ["POST", "PUT", "PATCH"],
        do: [{"content-length", to_string(length)}],
        else: []

    given =
      for {name, _value} = header <- [{"host", "guest"}, {"connection", "close"} | length],
          name not in names,
          do: header

    [
      method,
      " ",
      path,
      " HTTP/1.1\r\n",
      for({name, value} <- given ++ headers, do: [name, ": ", value, "\r\n"]),
      "\r\n"
    ]
  end

  defp header!({name, value}, owner) do
    {name, value} = {to_string(name), to_string(value)}

    cond do
      not (name =~ @token) -> wrong!(owner, "no name of a header", name)
      value =~ ~r/[\r\n\0]/ -> wrong!(owner, "a header has a line break in it", {name, value})
      true -> {name, value}
    end
  end

  defp wrong!(owner, rule, value) do
    raise ArgumentError, "#{owner}: #{rule}: #{inspect(value)}"
  end

  # The answer's head

  defp head(reader) do
    with {:ok, {:http_response, version, status, _reason}, reader} <- packet(reader, :http_bin) do
      if version in [{1, 0}, {1, 1}] and status in 100..999 do
        with {:ok, headers, reader} <- headers(reader, []) do
          # What comes before the answer is none.
          if status in 100..199 and status != 101,
            do: head(reader),
            else: {:ok, status, headers, reader}
        end
      else
        bad("the answer is of a version of HTTP that is not spoken here")
      end
    else
      {:ok, _other, _reader} -> bad("the answer does not begin as HTTP does")
      {:error, exception} -> {:error, exception}
    end
  end

  defp headers(reader, headers) do
    case packet(reader, :httph_bin) do
      {:ok, :http_eoh, reader} ->
        {:ok, Enum.reverse(headers), reader}

      {:ok, {:http_header, _, name, _, value}, reader} ->
        headers(reader, [{name(name), String.trim_trailing(value)} | headers])

      {:ok, _other, _reader} ->
        bad("one of the answer's headers is none")

      {:error, exception} ->
        {:error, exception}
    end
  end

  defp name(name) when is_atom(name), do: name |> Atom.to_string() |> String.downcase()
  defp name(name), do: String.downcase(name)

  defp packet(reader, type) do
    case :erlang.decode_packet(type, reader.buffer, line_length: @max_head) do
      {:ok, packet, rest} ->
        case reader.lines - (byte_size(reader.buffer) - byte_size(rest)) do
          lines when lines < 0 -> too_long_a_head()
          lines -> {:ok, packet, %{reader | buffer: rest, lines: lines}}
        end

      {:more, _length} when byte_size(reader.buffer) > reader.lines ->
        too_long_a_head()

      {:more, _length} ->
        with {:ok, reader} <- more(reader), do: packet(reader, type)

      {:error, _reason} when byte_size(reader.buffer) >= @max_head ->
        too_long_a_head()

      {:error, _reason} ->
        bad("the answer's head is not HTTP's")
    end
  end

  defp too_long_a_head, do: bad("the answer's head has over #{@max_head} bytes")

  # The answer's body

  defp body(_reader, method, status, _headers, _max)
       when method == "HEAD" or status in [204, 304] do
    {:ok, ""}
  end

  defp body(reader, _method, _status, headers, max) do
    encoding =
      headers |> all("transfer-encoding") |> Enum.join(",") |> String.downcase() |> String.trim()

    lengths = headers |> all("content-length") |> Enum.uniq()

    case {encoding, lengths} do
      {"", []} -> until_the_end(reader, max)
      {"", [length]} -> of_length(reader, length, max)
      {"", _several} -> bad("the answer says two lengths of its body")
      {"chunked", _ignored} -> chunks(reader, max, "")
      {other, _lengths} -> bad("the answer's body is encoded as #{inspect(other)}")
    end
  end

  defp all(headers, name), do: for({^name, value} <- headers, do: value)

  defp of_length(reader, length, max) do
    with true <- length =~ ~r/\A[0-9]{1,20}\z/,
         length when length <= max <- String.to_integer(length),
         {:ok, body, _reader} <- take(reader, length) do
      {:ok, body}
    else
      false -> bad("the length of the answer's body is #{shown(length)}")
      {:error, exception} -> {:error, exception}
      _longer -> too_large(max)
    end
  end

  defp until_the_end(%{buffer: buffer}, max) when byte_size(buffer) > max, do: too_large(max)

  defp until_the_end(reader, max) do
    case more(reader) do
      {:ok, reader} -> until_the_end(reader, max)
      {:error, %ServiceError{reason: :closed}} -> {:ok, reader.buffer}
      {:error, exception} -> {:error, exception}
    end
  end

  # A guest chooses how small the pieces are: they are not kept apart.
  defp chunks(reader, max, body) do
    with {:ok, line, reader} <- line(reader),
         {:ok, size} <- chunk_size(line) do
      cond do
        size > max - byte_size(body) ->
          too_large(max)

        size == 0 ->
          with {:ok, _trailers, _reader} <- headers(%{reader | lines: @max_head}, []),
               do: {:ok, body}

        true ->
          with {:ok, chunk, reader} <- take(reader, size),
               {:ok, "", reader} <- line(reader) do
            chunks(reader, max, body <> chunk)
          else
            {:ok, _no_line_break, _reader} -> bad("a piece of the answer is longer than it says")
            {:error, exception} -> {:error, exception}
          end
      end
    end
  end

  defp chunk_size(line) do
    case Regex.run(~r/\A([0-9a-fA-F]{1,16})(?:[ \t;].*)?\z/s, line) do
      [_line, size] -> {:ok, String.to_integer(size, 16)}
      nil -> bad("the size of a piece of the answer is #{shown(line)}")
    end
  end

  defp shown(text), do: inspect(text, printable_limit: 100)

  defp line(reader) do
    case :binary.split(reader.buffer, "\r\n") do
      [line, rest] ->
        {:ok, line, %{reader | buffer: rest}}

      [part] when byte_size(part) > @max_head ->
        bad("a line of the answer has over #{@max_head} bytes")

      [_part] ->
        with {:ok, reader} <- more(reader), do: line(reader)
    end
  end

  defp take(%{buffer: buffer} = reader, size) when byte_size(buffer) >= size do
    {taken, rest} = :erlang.split_binary(buffer, size)
    {:ok, taken, %{reader | buffer: rest}}
  end

  defp take(%{buffer: buffer} = reader, size) do
    with {:ok, data} <- recv(reader, size - byte_size(buffer)) do
      take(%{reader | buffer: buffer <> data}, size)
    end
  end

  defp more(reader) do
    with {:ok, data} <- recv(reader, 0), do: {:ok, %{reader | buffer: reader.buffer <> data}}
  end

  defp recv(%{connection: connection, deadline: deadline}, length) do
    # Pieces of at most so many bytes are gathered at once.
    case Connection.recv(connection, min(length, 1_048_576), max(deadline - now(), 0)) do
      {:ok, data} ->
        {:ok, data}

      {:error, %ServiceError{reason: :closed}} when length > 0 ->
        bad("the answer ends in the middle")

      {:error, exception} ->
        {:error, exception}
    end
  end

  defp now, do: System.monotonic_time(:millisecond)

  defp bad(message), do: {:error, %DecodeError{reason: {:http, message}}}

  defp too_large(max) do
    message = "the answer's body has over #{max} bytes"
    {:error, %LimitError{reason: :result_size, message: message, value: max}}
  end
end
