defmodule Wasgo.Godot.Connection.Transport do
  @moduledoc false
  # The three kinds of sockets that frames travel through: TCP, TLS over TCP, and Unix domain sockets. All are raw streams of bytes, in
  # passive mode until `once/1` asks for the next of them.
  #
  # It knows nothing of frames. Only `handshake/2` waits, and only `send/2` may.

  alias Wasgo.Godot.Connection

  @enforce_keys [:module, :socket]
  defstruct [:module, :socket, address: "?", local?: false]

  @type t :: %__MODULE__{
          module: :gen_tcp | :ssl,
          socket: term(),
          address: String.t(),
          local?: boolean()
        }

  @typedoc "How to listen, as the server's options have it."
  @type settings :: %{tls: keyword() | nil, path: String.t() | nil, timeout: pos_integer()}

  # Takes a socket that was accepted; with TLS that means its handshake, for which the settings' timeout is the limit.
  @spec accept(:gen_tcp.socket(), settings()) :: {:ok, t()} | {:error, term()}
  def accept(socket, %{tls: nil} = settings) do
    {address, local?} = peer(socket, settings)
    {:ok, %__MODULE__{module: :gen_tcp, socket: socket, address: address, local?: local?}}
  end

  def accept(socket, %{tls: tls} = settings) do
    {address, local?} = peer(socket, settings)

    # What the peer does wrong is told to the caller, not by the application's own log.
    case :ssl.handshake(socket, [log_level: :none] ++ tls, settings.timeout) do
      {:ok, secured} ->
        {:ok, %__MODULE__{module: :ssl, socket: secured, address: address, local?: local?}}

      {:ok, secured, _extensions} ->
        {:ok, %__MODULE__{module: :ssl, socket: secured, address: address, local?: local?}}

      {:error, reason} ->
        :gen_tcp.close(socket)
        {:error, reason}
    end
  end

  defp peer(_socket, %{path: path}) when is_binary(path), do: {"unix:" <> path, true}

  defp peer(socket, _settings) do
    case :inet.peername(socket) do
      {:ok, {ip, port}} -> {Connection.address(ip, port), loopback?(ip)}
      {:error, _closed} -> {"?", false}
    end
  end

  defp loopback?({127, _, _, _}), do: true
  defp loopback?({0, 0, 0, 0, 0, 0, 0, 1}), do: true
  defp loopback?({0, 0, 0, 0, 0, 0xFFFF, high, _low}), do: div(high, 256) == 127
  defp loopback?(_ip), do: false

  @spec send(t(), iodata()) :: :ok | {:error, term()}
  def send(%{module: module, socket: socket}, bytes), do: module.send(socket, bytes)

  # Asks for the next bytes, which come as a message: see `read/2`.
  @spec once(t()) :: :ok | {:error, term()}
  def once(%{module: :gen_tcp, socket: socket}), do: :inet.setopts(socket, active: :once)
  def once(%{module: :ssl, socket: socket}), do: :ssl.setopts(socket, active: :once)

  # What a message says of this socket.
  @spec read(t(), term()) :: {:bytes, binary()} | :closed | {:error, term()} | :other
  def read(%{socket: socket}, {kind, socket, bytes}) when kind in [:tcp, :ssl],
    do: {:bytes, bytes}

  def read(%{socket: socket}, {kind, socket}) when kind in [:tcp_closed, :ssl_closed], do: :closed

  def read(%{socket: socket}, {kind, socket, reason}) when kind in [:tcp_error, :ssl_error],
    do: {:error, reason}

  def read(_transport, _message), do: :other

  # Whether everything that was sent has left this machine's buffers.
  @spec drained?(t()) :: boolean()
  def drained?(%{module: :gen_tcp, socket: socket}),
    do: :inet.getstat(socket, [:send_pend]) == {:ok, send_pend: 0}

  def drained?(%{module: :ssl, socket: socket}),
    do: :ssl.getstat(socket, [:send_pend]) == {:ok, send_pend: 0}

  # What the system still holds goes on its way when the socket is closed; else it is dropped.
  @spec linger(t()) :: :ok
  def linger(%{module: module, socket: socket}) do
    module = if module == :gen_tcp, do: :inet, else: :ssl
    _gone_already = module.setopts(socket, linger: {false, 0})
    :ok
  end

  @spec close(t()) :: :ok
  def close(%{module: module, socket: socket}) do
    _closed = module.close(socket)
    :ok
  end
end
