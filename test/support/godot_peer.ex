defmodule Wasgo.TestPeer do
  @moduledoc false
  # An engine's socket by hand, for tests of what no engine does: bytes go out as they are, without a length in front.

  import ExUnit.Assertions
  import ExUnit.Callbacks, only: [start_supervised!: 2]

  alias Wasgo.Godot.Connection.Handshake
  alias Wasgo.Godot.{Connection, Server, Variant}

  @patience 20_000

  @doc """
  A server with a peer at its other end: `{socket, connection, server}`. Options are those of the server, which ends with the test and tells this process of its connections.
  """
  def link(options \\ []) do
    options = Keyword.put_new(options, :token, "a peer's secret")
    server = start_supervised!({Server, options}, id: make_ref())
    Server.subscribe(server)
    socket = join(Server.port(server), options[:token])
    assert_receive {:wasgo_godot, :connected, connection}, @patience
    {socket, connection, server}
  end

  @doc "Connects to a port of the loopback."
  def connect(port, settings \\ []) do
    defaults = [:binary, active: false, nodelay: true]
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, settings ++ defaults)
    socket
  end

  @doc "Connects, proves that it knows the token, and takes the welcome. `fields` are added to the hello."
  def join(port, token, settings \\ [], fields \\ %{}) do
    socket = connect(port, settings)
    welcome = greet(socket, token, fields)
    %{"t" => "welcome"} = welcome
    socket
  end

  @doc "The handshake on a socket. Gives the last frame: the welcome, or a refusal."
  def greet(socket, token, fields \\ %{}) do
    hello = Variant.encode!(Map.merge(hello(), fields))
    put(socket, framed(hello))

    with {:ok, challenge} <- hear_bytes(socket),
         %{"t" => "challenge"} <- Variant.decode!(challenge) do
      handshake = %{Handshake.new(token) | hello: hello, challenge: challenge}

      say(socket, %{
        "t" => "proof",
        "proof" => {:packed_byte, Handshake.proof(handshake, :engine)}
      })

      with %{"t" => "welcome", "proof" => {:packed_byte, proof}} = welcome <- hear(socket) do
        true = Handshake.proven?(handshake, proof, :sidecar)
        welcome
      end
    else
      {:ok, other} -> Variant.decode!(other)
      other -> other
    end
  end

  @doc "The sidecar's side of the handshake, on a socket that an engine has opened. Gives its hello."
  def welcome(socket, token, world \\ "") do
    {:ok, hello} = hear_bytes(socket)
    nonce = {:packed_byte, Handshake.nonce()}
    challenge = Variant.encode!(%{"t" => "challenge", "protocol" => 2, "nonce" => nonce})
    put(socket, framed(challenge))
    handshake = %{Handshake.new(token) | hello: hello, challenge: challenge}
    %{"t" => "proof", "proof" => {:packed_byte, proof}} = hear(socket)
    true = Handshake.proven?(handshake, proof, :engine)

    say(socket, %{
      "t" => "welcome",
      "protocol" => 2,
      "server" => "a test's sidecar",
      "heartbeat_ms" => 2000,
      "proof" => {:packed_byte, Handshake.proof(handshake, :sidecar)},
      "world" => world
    })

    Variant.decode!(hello)
  end

  def hello do
    %{
      "t" => "hello",
      "protocol" => 2,
      "protocol_min" => 2,
      "client" => "a test's peer",
      "nonce" => {:packed_byte, Handshake.nonce()},
      "world" => "",
      "zone" => "",
      "accepts" => {:packed_string, []}
    }
  end

  @doc "Sends a frame."
  def say(socket, frame), do: put(socket, framed(Variant.encode!(frame)))

  def put(socket, bytes), do: module(socket).send(socket, bytes)

  # TLS and WebSockets have sockets of their own.
  defp module(socket) when is_port(socket), do: :gen_tcp
  defp module(%module{}), do: module
  defp module(_socket), do: :ssl

  def framed(bytes), do: <<byte_size(bytes)::32, bytes::binary>>

  @doc "The next frame, or `:closed` when the other side is done."
  def hear(socket) do
    with {:ok, bytes} <- hear_bytes(socket), do: Variant.decode!(bytes)
  end

  def hear_bytes(socket) do
    case module(socket).recv(socket, 4, @patience) do
      {:ok, <<0::32>>} -> {:ok, <<>>}
      {:ok, <<length::32>>} -> module(socket).recv(socket, length, @patience)
      {:error, reason} when reason in [:closed, :econnreset] -> :closed
    end
  end

  @doc "Grants credit without bound."
  def grant(socket) do
    say(socket, %{"t" => "credit", "bytes" => 0xFFFF_FFFF_FFFF, "work" => 0xFFFF_FFFF_FFFF})
  end

  @doc "What comes until all that was said before has been dealt with: then a pong is back."
  def settle(socket) do
    say(socket, %{"t" => "ping", "time" => 1})
    until_pong(socket, [])
  end

  defp until_pong(socket, heard) do
    case hear_beyond_pings(socket) do
      %{"t" => "pong"} -> Enum.reverse(heard)
      frame -> until_pong(socket, [frame | heard])
    end
  end

  @doc "Waits until so many senders wait, without a pause: each look is a message there and back."
  def await_waiting(connection, count) do
    case Connection.stats(connection) do
      {:ok, %{waiting: ^count}} -> :ok
      {:ok, _other} -> await_waiting(connection, count)
    end
  end

  @doc "Fields of a frame that has so many bytes, and a few more."
  def ballast(bytes), do: %{"ballast" => {:packed_byte, :binary.copy(<<7>>, bytes)}}

  @doc "The next frame that is no ping."
  def hear_beyond_pings(socket) do
    with %{"t" => "ping"} <- hear(socket), do: hear_beyond_pings(socket)
  end
end
