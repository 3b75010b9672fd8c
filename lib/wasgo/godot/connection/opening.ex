defmodule Wasgo.Godot.Connection.Opening do
  @moduledoc false
  # The handshake on the sidecar's side: hello, challenge, proof, welcome.
  #
  # It tells a peer that has not proved that it knows the token nothing but why it is refused, and asks a world for a zone only after that.

  alias Wasgo.Godot.Connection
  alias Wasgo.Godot.Connection.{Handshake, Inbox, Sending, State}
  alias Wasgo.Godot.Scripts
  alias Wasgo.{Label, Telemetry}

  require Logger

  @typedoc "`:refused` with the reason that the peer is told; `:end` without a word."
  @type result ::
          {:ok, State.t()}
          | {:opened, State.t()}
          | {:refused, String.t(), State.t()}
          | {:end, term(), State.t()}

  # The answer to the hello, whose bytes are a part of what is proved.
  @spec greet({:ok, term()} | {:error, term(), :bytes | :frame}, binary(), State.t()) :: result()
  def greet({:ok, {:hello, hello}}, bytes, state) do
    case Handshake.version(hello.newest, hello.oldest) do
      {:ok, _version} when is_map_key(hello, :malformed) -> {:refused, "malformed", state}
      {:ok, version} -> challenge(state, hello, version, bytes)
      :error -> {:refused, "protocol", state}
    end
  end

  def greet({:error, why, :bytes}, _bytes, state), do: {:end, why, state}
  def greet(_no_hello, _bytes, state), do: {:refused, "malformed", state}

  defp challenge(state, hello, version, bytes) do
    fields = %{"protocol" => version, "nonce" => {:packed_byte, Handshake.nonce()}}
    challenge = Wasgo.Godot.Variant.encode!(Map.put(fields, "t", "challenge"))

    handshake = %{
      Handshake.new(token(state, hello))
      | hello: :binary.copy(bytes),
        challenge: challenge
    }

    state = %{state | handshake: handshake, hello: Map.put(hello, :version, version)}

    {:ok, Sending.control(%{state | phase: :proving}, Connection.Frame.framed(challenge))}
  end

  defp token(state, hello) do
    asked = %{
      client: hello.client,
      world: hello.world,
      zone: hello.zone,
      address: State.address(state)
    }

    case state.options.token.(asked) do
      {:ok, token} when is_binary(token) and token != "" -> token
      _none -> nil
    end
  rescue
    error ->
      Logger.error("Wasgo.Godot: the function for tokens failed: #{Exception.message(error)}")
      nil
  end

  @spec prove({:ok, term()} | {:error, term(), :bytes | :frame}, State.t()) :: result()
  def prove({:ok, {:proof, proof}}, state) do
    if Handshake.proven?(state.handshake, proof, :engine),
      do: enter(state),
      else: {:refused, "token", state}
  end

  def prove({:error, why, :bytes}, state), do: {:end, why, state}
  def prove(_no_proof, state), do: {:refused, "malformed", state}

  defp enter(%{hello: %{world: ""}} = state), do: {:opened, welcome(state, "")}

  defp enter(%{hello: hello} = state) do
    with {:ok, world} <- world(state.options.worlds, hello.world),
         {:ok, identity, zone} <- attach(world, hello.zone) do
      Process.monitor(zone)
      {:ok, inbox} = Inbox.subscribe(state.inbox, zone, :all, true)
      {:opened, welcome(%{state | zone: zone, inbox: inbox}, identity)}
    else
      {:error, :taken} -> {:refused, "zone", state}
      :error -> {:refused, "world", state}
      # There is one of that name, which is being started again, or has no room: the engine is to come back.
      _another_time -> {:refused, "full", state}
    end
  end

  defp world(worlds, name) when is_function(worlds, 1), do: worlds.(name)
  defp world(worlds, name), do: Map.fetch(worlds, name)

  defp attach(world, zone) do
    Wasgo.World.attach(world, zone)
  catch
    :exit, _gone -> :gone
  end

  defp welcome(state, identity) do
    handle = %Connection{
      pid: self(),
      ref: make_ref(),
      address: State.address(state),
      client: state.hello.client,
      world: state.hello.world,
      zone: state.hello.zone,
      compress: compress?(state)
    }

    Logger.info(
      "Wasgo.Godot: #{handle.address} is connected: #{inspect(handle.client)}#{where(state.hello)}"
    )

    # The server first: whoever is told that the engine was welcomed finds it there.
    GenServer.cast(state.server, {:welcomed, handle})
    about = Map.take(handle, [:address, :client, :world, :zone])
    span = Telemetry.start(:connection, about)
    Label.put({Connection, handle.address}, State.metadata(handle))
    state = start_scripts(%{state | phase: :open, handle: handle, span: span})

    for pid <- [state.zone, state.scripts],
        pid != nil,
        do: send(pid, {:wasgo_godot, :open, handle})

    Sending.say(state, "welcome", %{
      "protocol" => state.hello.version,
      "server" => state.options.server,
      "heartbeat_ms" => state.options.heartbeat_ms,
      "proof" => {:packed_byte, Handshake.proof(state.handshake, :sidecar)},
      "world" => identity
    })
  end

  # It is subscribed before anything more is read, and missed nothing.
  defp start_scripts(%{options: %{scripts: nil}} = state), do: state

  defp start_scripts(%{options: options} = state) do
    child = %{
      id: Scripts,
      start: {Scripts, :start_link, [options.scripts]},
      restart: :temporary
    }

    {:ok, scripts} = DynamicSupervisor.start_child(options.supervisor, child)
    Process.monitor(scripts)
    {:ok, inbox} = Inbox.subscribe(state.inbox, scripts, [:attach, :detach, :notify], true)
    %{state | scripts: scripts, inbox: inbox}
  end

  defp where(%{world: ""}), do: ""
  defp where(hello), do: ", zone #{inspect(hello.zone)} of #{inspect(hello.world)}"

  defp compress?(%{hello: hello, options: options, transport: transport}) do
    "zstd" in hello.accepts and
      case options.compress do
        :auto -> not transport.local?
        compress? -> compress?
      end
  end
end
