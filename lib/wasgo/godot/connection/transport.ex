defmodule Wasgo.Godot.Connection.Transport do
  @moduledoc false
  # The kinds of sockets that frames travel through: TCP, TLS over TCP, Unix domain sockets, and a process that has a socket of its own (a
  # web server's, of a WebSocket). All are raw streams of bytes, in passive mode until `once/1` asks for the next of them.
  #
  # It knows nothing of frames. Only `accept/2` waits, and only `send/2` may.
  #
  # What is said between a connection and a process that has its socket:
  #
  #   * to the process: `{:wasgo_next, connection}`, which is `once/1`; `{:wasgo_write, writer, bytes}`, answered with `{:wasgo_written, process}` when
  #     the system has them, with no more than `max_message/0` bytes. It closes its socket when the connection has ended, for the reason that it ended with
  #   * to the connection: `{:wasgo_bytes, process, bytes}`, once for each `:wasgo_next`; `{:wasgo_broken, process, why}`. Its end is that of the socket

  alias Wasgo.Godot.Connection

  @enforce_keys [:module, :socket]
  defstruct [:module, :socket, address: "?", local?: false]

  @type t :: %__MODULE__{
          module: :gen_tcp | :ssl | :process,
          socket: term(),
          address: String.t(),
          local?: boolean()
        }

  # Small enough for the inbound buffer of any engine (64 KiB unless it is set), and for what is held of a peer that nobody knows.
  @max_message 32 * 1024

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

  # The socket of another process, which monitors the connection that is to have it.
  @spec of_process(pid(), String.t(), local? :: boolean()) :: t()
  def of_process(pid, address, local?),
    do: %__MODULE__{module: :process, socket: pid, address: address, local?: local?}

  # How many bytes go at once, to and from a process that has its socket.
  @spec max_message() :: pos_integer()
  def max_message, do: @max_message

  @spec loopback?(:inet.ip_address() | term()) :: boolean()
  def loopback?({127, _, _, _}), do: true
  def loopback?({0, 0, 0, 0, 0, 0, 0, 1}), do: true
  def loopback?({0, 0, 0, 0, 0, 0xFFFF, high, _low}), do: div(high, 256) == 127
  def loopback?(_ip), do: false

  @spec send(t(), iodata()) :: :ok | {:error, term()}
  def send(%{module: :process, socket: pid}, bytes),
    do: bytes |> IO.iodata_to_binary() |> send_pieces(pid)

  def send(%{module: module, socket: socket}, bytes), do: module.send(socket, bytes)

  # Each when the one before is on its way. Where the process is gone, the connection ends, and with it whoever waits here.
  defp send_pieces(<<>>, _pid), do: :ok

  defp send_pieces(bytes, pid) do
    {piece, rest} = :erlang.split_binary(bytes, min(byte_size(bytes), @max_message))
    Kernel.send(pid, {:wasgo_write, self(), piece})
    receive do: ({:wasgo_written, ^pid} -> send_pieces(rest, pid))
  end

  # Asks for the next bytes, which come as a message: see `read/2`.
  @spec once(t()) :: :ok | {:error, term()}
  def once(%{module: :gen_tcp, socket: socket}), do: :inet.setopts(socket, active: :once)
  def once(%{module: :ssl, socket: socket}), do: :ssl.setopts(socket, active: :once)

  def once(%{module: :process, socket: pid}) do
    Kernel.send(pid, {:wasgo_next, self()})
    :ok
  end

  # What a message says of this socket.
  @spec read(t(), term()) ::
          {:bytes, binary()} | :closed | {:error, term()} | {:broken, term()} | :other
  def read(%{socket: socket}, {kind, socket, bytes}) when kind in [:tcp, :ssl],
    do: {:bytes, bytes}

  def read(%{socket: socket}, {kind, socket}) when kind in [:tcp_closed, :ssl_closed], do: :closed

  def read(%{socket: socket}, {kind, socket, reason}) when kind in [:tcp_error, :ssl_error],
    do: {:error, reason}

  def read(%{socket: pid}, {:wasgo_bytes, pid, bytes}), do: {:bytes, bytes}
  def read(%{socket: pid}, {:wasgo_broken, pid, why}), do: {:broken, why}
  def read(%{socket: pid}, {:DOWN, _ref, :process, pid, _reason}), do: :closed
  def read(_transport, _message), do: :other

  # Whether everything that was sent has left this machine's buffers.
  @spec drained?(t()) :: boolean()
  def drained?(%{module: :gen_tcp, socket: socket}),
    do: :inet.getstat(socket, [:send_pend]) == {:ok, send_pend: 0}

  def drained?(%{module: :ssl, socket: socket}),
    do: :ssl.getstat(socket, [:send_pend]) == {:ok, send_pend: 0}

  # It is the process's business.
  def drained?(%{module: :process}), do: true

  # What the system still holds goes on its way when the socket is closed; else it is dropped.
  @spec linger(t()) :: :ok
  def linger(%{module: :process}), do: :ok

  def linger(%{module: module, socket: socket}) do
    module = if module == :gen_tcp, do: :inet, else: :ssl
    _gone_already = module.setopts(socket, linger: {false, 0})
    :ok
  end

  @spec close(t()) :: :ok
  def close(%{module: :process}), do: :ok

  def close(%{module: module, socket: socket}) do
    _closed = module.close(socket)
    :ok
  end
end
