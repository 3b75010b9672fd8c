defmodule Wasgo.Godot.Server.Listener do
  @moduledoc false
  # The socket that a server listens on: of a TCP port, or a Unix domain socket in the place of one that nobody listens on any more.

  alias Wasgo.Godot.Connection
  alias Wasgo.GodotError

  @settings [
    :binary,
    active: false,
    packet: :raw,
    # How much comes at once.
    buffer: 65_536,
    backlog: 64,
    # A connection that ends otherwise than by the book leaves nothing behind.
    linger: {true, 0}
  ]

  # The server's options say where; nothing is listened on without a port.
  @spec open(map()) :: {:ok, port() | nil} | {:error, GodotError.t()}
  def open(%{port: nil}), do: {:ok, nil}

  def open(%{path: path} = options) when is_binary(path) do
    with :ok <- remove_stale(path),
         {:ok, listener} <- :gen_tcp.listen(0, [ifaddr: {:local, path}] ++ @settings) do
      case File.chmod(path, 0o600) do
        :ok ->
          {:ok, listener}

        {:error, reason} ->
          :gen_tcp.close(listener)
          cannot_listen(options, reason)
      end
    else
      {:error, reason} -> cannot_listen(options, reason)
    end
  end

  def open(%{ip: ip, port: port} = options) do
    family = if tuple_size(ip) == 8, do: [:inet6], else: []

    case :gen_tcp.listen(port, family ++ [ip: ip, nodelay: true, reuseaddr: true] ++ @settings) do
      {:ok, listener} -> {:ok, listener}
      {:error, reason} -> cannot_listen(options, reason)
    end
  end

  defp cannot_listen(options, reason) do
    where = options.path || Connection.address(options.ip, options.port)
    message = "cannot listen on #{where}: #{:inet.format_error(reason)}"
    {:error, %GodotError{reason: {:listen, reason}, message: message}}
  end

  # A socket's file outlives whoever listened. It is removed when it is a socket and nobody answers.
  defp remove_stale(path) do
    with {:ok, %{type: :other}} <- File.lstat(path),
         {:error, :econnrefused} <- :gen_tcp.connect({:local, path}, 0, [:local, active: false]),
         do: File.rm(path),
         else: (in_use_or_none -> stale(in_use_or_none))
  end

  defp stale({:error, :enoent}), do: :ok
  defp stale({:error, reason}), do: {:error, reason}
  defp stale({:ok, %File.Stat{}}), do: {:error, :eexist}

  defp stale({:ok, socket}) do
    :gen_tcp.close(socket)
    {:error, :eaddrinuse}
  end
end
