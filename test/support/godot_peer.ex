defmodule Wasgo.TestPeer do
  @moduledoc false
  # An engine's socket by hand, for tests of what no engine does: bytes go out as they are, without a length in front.

  alias Wasgo.Godot.Variant

  @patience 5_000

  @doc "Connects to a port of the loopback."
  def connect(port, settings \\ []) do
    defaults = [:binary, active: false, nodelay: true]
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, settings ++ defaults)
    socket
  end

  @doc "Connects, says hello and takes the welcome."
  def join(port, token, settings \\ []) do
    socket = connect(port, settings)
    say(socket, hello(token))
    %{"t" => "welcome"} = hear(socket)
    socket
  end

  def hello(token) do
    %{"t" => "hello", "protocol" => 1, "token" => token, "client" => "a test's peer"}
  end

  @doc "Sends a frame."
  def say(socket, frame), do: put(socket, framed(Variant.encode!(frame)))

  def put(socket, bytes), do: :gen_tcp.send(socket, bytes)

  def framed(bytes), do: <<byte_size(bytes)::32, bytes::binary>>

  @doc "The next frame, or `:closed` when the other side is done."
  def hear(socket) do
    case :gen_tcp.recv(socket, 4, @patience) do
      {:ok, <<length::32>>} ->
        {:ok, bytes} = :gen_tcp.recv(socket, length, @patience)
        Variant.decode!(bytes)

      {:error, reason} when reason in [:closed, :econnreset] ->
        :closed
    end
  end

  @doc "The next frame that is no ping."
  def hear_beyond_pings(socket) do
    with %{"t" => "ping"} <- hear(socket), do: hear_beyond_pings(socket)
  end
end
