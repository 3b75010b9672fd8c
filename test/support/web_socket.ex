defmodule Wasgo.TestWebSocket do
  @moduledoc false
  # A WebSocket client by hand, which `Wasgo.TestPeer` takes as a socket: bytes of binary messages, one behind another. It belongs to the process that
  # made it, in whose dictionary it keeps what has come and was not asked for.

  @enforce_keys [:module, :socket]
  defstruct [:module, :socket]

  @patience 5_000
  @message 32 * 1024

  @doc "Connects and upgrades. `{:error, status}` when the web server does not want that."
  def connect(port, path, options \\ []) do
    {module, settings} = Keyword.pop(options, :module, :gen_tcp)
    {headers, settings} = Keyword.pop(settings, :headers, [])
    settings = settings ++ [:binary, active: false, nodelay: true]
    {:ok, socket} = module.connect({127, 0, 0, 1}, port, settings)
    key = Base.encode64(:rand.bytes(16))

    headers =
      [
        {"Host", "localhost:#{port}"},
        {"Upgrade", "websocket"},
        {"Connection", "Upgrade"},
        {"Sec-WebSocket-Key", key},
        {"Sec-WebSocket-Version", "13"}
      ] ++ headers

    lines = for {name, value} <- headers, do: [name, ": ", value, "\r\n"]
    :ok = module.send(socket, ["GET ", path, " HTTP/1.1\r\n", lines, "\r\n"])
    one = %__MODULE__{module: module, socket: socket}

    case head(one, "") do
      {101, rest} ->
        Process.put(one, %{raw: rest, bytes: "", close: nil})
        {:ok, one}

      {status, _rest} ->
        module.close(socket)
        {:error, status}
    end
  end

  defp head(one, bytes) do
    case String.split(bytes, "\r\n\r\n", parts: 2) do
      ["HTTP/1.1 " <> <<status::binary-3, _::binary>>, rest] ->
        {String.to_integer(status), rest}

      _more ->
        {:ok, more} = one.module.recv(one.socket, 0, @patience)
        head(one, bytes <> more)
    end
  end

  @doc "Sends bytes, in as many binary messages as that takes."
  def send(one, bytes) do
    bytes = IO.iodata_to_binary(bytes)
    {piece, rest} = :erlang.split_binary(bytes, min(byte_size(bytes), @message))

    with :ok <- frame(one, 2, piece) do
      if rest == "", do: :ok, else: __MODULE__.send(one, rest)
    end
  end

  @doc "Sends one frame of any opcode: 0 goes on with a message, 1 text, 2 binary, 8 close, 9 ping."
  def frame(one, opcode, payload, final? \\ true), do: put(one, encode(opcode, payload, final?))

  @doc "The bytes of a frame."
  def encode(opcode, payload, final? \\ true) do
    mask = :rand.bytes(4)
    size = byte_size(payload)
    final = if final?, do: 1, else: 0

    length =
      cond do
        size < 126 -> <<1::1, size::7>>
        size < 65_536 -> <<1::1, 126::7, size::16>>
        true -> <<1::1, 127::7, size::64>>
      end

    stream = mask |> :binary.copy(div(size, 4) + 1) |> binary_part(0, size)
    [<<final::1, 0::3, opcode::4>>, length, mask, :crypto.exor(payload, stream)]
  end

  @doc "Sends bytes as they are."
  def put(one, bytes), do: one.module.send(one.socket, bytes)

  @doc "So many bytes of the messages that come, or as many as there are for 0. Pings are answered."
  def recv(one, count, timeout \\ @patience) do
    %{bytes: bytes} = Process.get(one)

    cond do
      count == 0 and bytes != "" -> {:ok, take(one, byte_size(bytes))}
      count > 0 and byte_size(bytes) >= count -> {:ok, take(one, count)}
      true -> with :ok <- message(one, timeout), do: recv(one, count, timeout)
    end
  end

  defp take(one, count) do
    %{bytes: bytes} = state = Process.get(one)
    {taken, rest} = :erlang.split_binary(bytes, count)
    Process.put(one, %{state | bytes: rest})
    taken
  end

  defp message(one, timeout) do
    with {:ok, opcode, payload} <- next(one, timeout) do
      state = Process.get(one)

      case opcode do
        2 -> Process.put(one, %{state | bytes: state.bytes <> payload}) && :ok
        9 -> frame(one, 10, payload)
        10 -> :ok
        8 -> closed(one, state, payload)
      end
    end
  end

  # The web server masks nothing, and cuts no message into frames.
  defp next(one, timeout) do
    with {:ok, <<1::1, 0::3, opcode::4, 0::1, size::7>>} <- raw(one, 2, timeout),
         {:ok, size} <- size(one, size),
         {:ok, payload} <- raw(one, size, @patience),
         do: {:ok, opcode, payload}
  end

  defp closed(one, state, <<code::16, detail::binary>>) do
    Process.put(one, %{state | close: {code, detail}})
    frame(one, 8, <<code::16>>)
    {:error, :closed}
  end

  defp size(one, 126),
    do: with({:ok, <<size::16>>} <- raw(one, 2, @patience), do: {:ok, size})

  defp size(one, 127),
    do: with({:ok, <<size::64>>} <- raw(one, 8, @patience), do: {:ok, size})

  defp size(_one, size), do: {:ok, size}

  defp raw(one, count, timeout) do
    %{raw: raw} = state = Process.get(one)

    if byte_size(raw) >= count do
      {taken, rest} = :erlang.split_binary(raw, count)
      Process.put(one, %{state | raw: rest})
      {:ok, taken}
    else
      with {:ok, more} <- one.module.recv(one.socket, 0, timeout) do
        Process.put(one, %{state | raw: raw <> more})
        raw(one, count, timeout)
      end
    end
  end

  @doc "Reads until a ping is answered."
  def await_pong(one) do
    case next(one, @patience) do
      {:ok, 10, _payload} -> :ok
      {:ok, _opcode, _payload} -> await_pong(one)
      error -> error
    end
  end

  @doc "Reads until the other side closes, and gives its code and words; nil when it had none."
  def await_close(one, timeout \\ @patience) do
    case recv(one, 0, timeout) do
      {:ok, _bytes} -> await_close(one, timeout)
      {:error, reason} when reason in [:closed, :econnreset] -> Process.get(one).close
    end
  end

  @doc "Whether the other side has let go of the socket itself."
  def await_end(one) do
    case one.module.recv(one.socket, 0, @patience) do
      {:ok, _bytes} -> await_end(one)
      {:error, reason} -> reason
    end
  end

  def close(one), do: one.module.close(one.socket)
end
