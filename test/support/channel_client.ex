defmodule Wasgo.ChannelClient do
  @moduledoc false
  # A browser's half of a Phoenix channel, over a WebSocket of its own. What comes is sent to the process that started it: `{client, event, payload}` for pushes (those of
  # `phx_reply` too, with the payload `{ref, status, response}`), `{client, :closed}` at the end.

  use GenServer

  alias Wasgo.Wire

  @doc "Connects to `path` on this machine. With `read: false` it reads nothing after the handshake; `query:` is more for the query."
  def start_link(port, path, options \\ []),
    do: GenServer.start_link(__MODULE__, {port, path, options, self()})

  @doc "Sends a message; the answer is its ref."
  def push(client, topic, event, payload),
    do: GenServer.call(client, {:push, topic, event, payload})

  @doc "Bytes as they are, in a text frame."
  def text(client, text), do: GenServer.call(client, {:frame, 1, text})

  @impl true
  def init({port, path, options, owner}) do
    {:ok, socket} =
      :gen_tcp.connect(~c"127.0.0.1", port, [
        :binary,
        active: false,
        packet: :http_bin,
        recbuf: 4_096
      ])

    :ok =
      :gen_tcp.send(socket, [
        "GET #{path}/websocket?vsn=2.0.0#{options[:query]} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: #{Base.encode64(:crypto.strong_rand_bytes(16))}\r\n\r\n"
      ])

    {:ok, {:http_response, _version, 101, _words}} = :gen_tcp.recv(socket, 0, 10_000)
    head(socket)
    :ok = :inet.setopts(socket, packet: :raw)
    if Keyword.get(options, :read, true), do: :inet.setopts(socket, active: true)
    {:ok, %{socket: socket, owner: owner, read: "", ref: 0, join_ref: nil}}
  end

  defp head(socket) do
    case :gen_tcp.recv(socket, 0, 10_000) do
      {:ok, :http_eoh} -> :ok
      {:ok, _header} -> head(socket)
    end
  end

  @impl true
  def handle_call({:push, topic, event, payload}, _from, state) do
    ref = state.ref + 1
    join_ref = if event == "phx_join", do: ref, else: state.join_ref
    text = Wire.encode!([text_of(join_ref), text_of(ref), topic, event, payload], :json)
    {:reply, Integer.to_string(ref), %{write(state, 1, text) | ref: ref, join_ref: join_ref}}
  end

  def handle_call({:frame, opcode, bytes}, _from, state),
    do: {:reply, :ok, write(state, opcode, bytes)}

  defp text_of(nil), do: nil
  defp text_of(number), do: Integer.to_string(number)

  defp write(state, opcode, bytes) do
    mask = :crypto.strong_rand_bytes(4)
    length = byte_size(bytes)

    size =
      cond do
        length < 126 -> <<1::1, length::7>>
        length < 65_536 -> <<1::1, 126::7, length::16>>
        true -> <<1::1, 127::7, length::64>>
      end

    keys = :binary.copy(mask, div(length, 4) + 1)

    :gen_tcp.send(state.socket, [
      <<8::4, opcode::4>> |> flip(),
      size,
      mask,
      :crypto.exor(bytes, binary_part(keys, 0, length))
    ])

    state
  end

  # The first bit says that it is whole.
  defp flip(<<_::4, opcode::4>>), do: <<1::1, 0::3, opcode::4>>

  @impl true
  def handle_info({:tcp, _socket, bytes}, state),
    do: {:noreply, %{state | read: frames(state.read <> bytes, state)}}

  def handle_info({:tcp_closed, _socket}, state) do
    send(state.owner, {self(), :closed})
    {:noreply, state}
  end

  def handle_info({:tcp_error, _socket, _reason}, state), do: {:noreply, state}

  defp frames(
         <<_::4, opcode::4, 0::1, 126::7, length::16, bytes::binary-size(length), rest::binary>>,
         state
       ),
       do: frame(opcode, bytes, rest, state)

  defp frames(
         <<_::4, opcode::4, 0::1, 127::7, length::64, bytes::binary-size(length), rest::binary>>,
         state
       ),
       do: frame(opcode, bytes, rest, state)

  defp frames(
         <<_::4, opcode::4, 0::1, length::7, bytes::binary-size(length), rest::binary>>,
         state
       )
       when length < 126,
       do: frame(opcode, bytes, rest, state)

  defp frames(rest, _state), do: rest

  defp frame(1, text, rest, state) do
    [_join_ref, ref, _topic, event, payload] = Wire.decode!(text, :json)

    payload =
      if event == "phx_reply", do: {ref, payload["status"], payload["response"]}, else: payload

    send(state.owner, {self(), event, payload})
    frames(rest, state)
  end

  # A binary push.
  defp frame(2, <<0, join_ref, topic, event, rest::binary>>, more, state) do
    {_ref_and_topic, rest} = :erlang.split_binary(rest, join_ref + topic)
    {name, data} = :erlang.split_binary(rest, event)
    send(state.owner, {self(), name, data})
    frames(more, state)
  end

  defp frame(_other, _bytes, rest, state), do: frames(rest, state)
end
