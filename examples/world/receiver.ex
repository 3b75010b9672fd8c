defmodule Wasgo.Example.Receiver do
  @moduledoc """
  The engine's end of the link, in Elixir: for the demo where there is no engine, and for tests.

  It speaks `godot/PROTOCOL.md` as the add-on does: proves that it knows the token, decodes and checks each frame by every rule on that page
  (and that triangles with normals are clockwise), acknowledges it, grants credit, answers pings and reports, and connects again by
  itself. In place of meshes it keeps a record of what it was told, so it draws nothing. It asks for no world.

      {:ok, receiver} = Wasgo.Example.Receiver.start_link(port: port, token: token)
      Wasgo.Example.Receiver.counts(receiver)

  The process that `:notify` names gets `{:wasgo_receiver, receiver, event}`; `t:event/0` has the events.
  """

  use GenServer

  alias Wasgo.Example.Receiver.Model
  alias Wasgo.Godot.Connection.Handshake
  alias Wasgo.Godot.Variant
  alias Wasgo.Options

  @type event ::
          {:connected, server :: String.t()}
          | {:refused, reason :: String.t()}
          | {:bye, reason :: String.t()}
          | {:disconnected, words :: String.t()}
          | {:applied, number :: pos_integer(), kind :: String.t()}
          | {:rejected, number :: pos_integer(), message :: String.t()}

  @protocol 2
  # What the bulk lane may be ahead: bytes, and microseconds (nothing here costs any).
  @credit_bytes 8 * 1024 * 1024
  @credit_work 1_000_000
  @max_frame 64 * 1024 * 1024
  @max_depth 64
  @opening_ms 5_000
  @first_pause_ms 250
  @last_pause_ms 5_000

  @options [
    port: [type: {:range, 1..65_535}, required: true],
    token: [type: :string, required: true],
    address: [type: :any, default: {127, 0, 0, 1}],
    client: [type: :string, default: "wasgo receiver"],
    notify: [type: {:or, [:pid, {:in, [nil]}]}, default: nil],
    reconnect: [type: :boolean, default: true],
    buffer: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
    name: [type: :any, default: nil]
  ]

  defstruct [
    :options,
    :socket,
    :silence,
    phase: :closed,
    heartbeat_ms: 0,
    heard_at: 0,
    hello: nil,
    handshake: nil,
    last: %{live: 0, bulk: 0},
    acknowledged: %{live: 0, bulk: 0},
    bulk_bytes: 0,
    model: %Model{},
    errors: [],
    acking?: true,
    reading?: true,
    pause_ms: @first_pause_ms
  ]

  @doc """
  Starts a receiver, linked to the caller.

  Options: `:port` and `:token` (required), `:address` (a tuple or a name, the loopback unless given), `:client` (what it
  calls itself), `:notify` (a pid), `:reconnect` (true unless given), `:buffer` (bytes that the system keeps while nothing
  is read), `:name`.
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    options = Options.validate!(options, @options, "Wasgo.Example.Receiver.start_link/1")
    name = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, options, name)
  end

  @doc "What the receiver holds and did since the connection opened, as a report says it."
  @spec counts(GenServer.server()) :: %{String.t() => non_neg_integer()}
  def counts(receiver), do: GenServer.call(receiver, :counts)

  @doc "The frames that could not be applied since the connection opened: their numbers in their lanes, and what was wrong with them."
  @spec errors(GenServer.server()) :: [{pos_integer(), String.t()}]
  def errors(receiver), do: GenServer.call(receiver, :errors)

  @doc "What was spawned as `id`, with the `:properties` that rows have set; nil if there is no such node."
  @spec node(GenServer.server(), integer()) :: map() | nil
  def node(receiver, id), do: GenServer.call(receiver, {:node, id})

  @doc "The chunk of that key, without its meshes; nil if there is none."
  @spec chunk(GenServer.server(), String.t()) :: map() | nil
  def chunk(receiver, key), do: GenServer.call(receiver, {:chunk, key})

  @doc "Whether frames are acknowledged, and credit is granted. When they are again, all that was applied is."
  @spec acknowledge(GenServer.server(), boolean()) :: :ok
  def acknowledge(receiver, acking?), do: GenServer.call(receiver, {:acknowledge, acking?})

  @doc "Whether anything is read from the socket. One frame more may be."
  @spec read(GenServer.server(), boolean()) :: :ok
  def read(receiver, reading?), do: GenServer.call(receiver, {:read, reading?})

  @doc "Sends these bytes as a frame, whatever they are."
  @spec send_bytes(GenServer.server(), binary()) :: :ok | {:error, term()}
  def send_bytes(receiver, bytes), do: GenServer.call(receiver, {:send_bytes, bytes})

  @doc "Closes the socket without a word."
  @spec drop(GenServer.server()) :: :ok
  def drop(receiver), do: GenServer.call(receiver, :drop)

  @impl true
  def init(options), do: {:ok, %__MODULE__{options: options}, {:continue, :dial}}

  @impl true
  def handle_continue(:dial, state), do: dial(state)

  @impl true
  def handle_call(:counts, _from, state), do: {:reply, Model.counts(state.model), state}
  def handle_call(:errors, _from, state), do: {:reply, Enum.reverse(state.errors), state}
  def handle_call({:node, id}, _from, state), do: {:reply, state.model.nodes[id], state}
  def handle_call({:chunk, key}, _from, state), do: {:reply, state.model.chunks[key], state}

  def handle_call({:acknowledge, acking?}, _from, state) do
    {:reply, :ok, acknowledge_applied(%{state | acking?: acking?})}
  end

  def handle_call({:read, reading?}, _from, state) do
    {:reply, :ok, listen(%{state | reading?: reading?})}
  end

  def handle_call({:send_bytes, _bytes}, _from, %{socket: nil} = state) do
    {:reply, {:error, :closed}, state}
  end

  def handle_call({:send_bytes, bytes}, _from, state) do
    {:reply, :gen_tcp.send(state.socket, bytes), state}
  end

  def handle_call(:drop, _from, state) do
    {:noreply, state} = close(state, "dropped")
    {:reply, :ok, state}
  end

  @impl true
  def handle_info(message, state)

  def handle_info(:dial, %{socket: nil} = state), do: dial(state)

  def handle_info({:tcp, socket, bytes}, %{socket: socket} = state) do
    state = %{state | heard_at: now()}

    case Variant.decode(bytes, max_depth: @max_depth, max_bytes: @max_frame) do
      {:ok, %{"t" => kind} = frame} when is_binary(kind) and not is_struct(frame) ->
        frame = if state.phase == :greeting, do: Map.put(frame, :bytes, bytes), else: frame
        hear(state, kind, frame, byte_size(bytes) + 4)

      {:ok, _other} ->
        close(state, "a frame without a kind")

      {:error, error} ->
        close(state, "bytes that are no frame: #{Exception.message(error)}")
    end
  end

  def handle_info({:tcp_closed, socket}, %{socket: socket} = state) do
    close(state, "the sidecar closed the connection")
  end

  def handle_info({:tcp_error, socket, reason}, %{socket: socket} = state) do
    close(state, "the socket failed: #{:inet.format_error(reason)}")
  end

  def handle_info({:silence, socket}, %{socket: socket} = state) do
    patience = if state.phase == :open, do: 3 * state.heartbeat_ms, else: @opening_ms

    cond do
      # Who does not read cannot hear.
      not state.reading? -> {:noreply, watch(state, patience)}
      now() - state.heard_at >= patience -> close(state, "heard nothing for #{patience} ms")
      true -> {:noreply, watch(state, patience)}
    end
  end

  # Of a connection that is over.
  def handle_info(_late, state), do: {:noreply, state}

  ## The connection

  defp dial(state) do
    %{address: address, port: port, buffer: buffer} = state.options
    bound = if buffer, do: [recbuf: buffer, buffer: buffer], else: []
    settings = [:binary, packet: 4, packet_size: @max_frame, active: false, nodelay: true]

    case :gen_tcp.connect(address, port, bound ++ settings, @opening_ms) do
      {:ok, socket} ->
        hello = %{
          "protocol" => @protocol,
          "protocol_min" => @protocol,
          "client" => state.options.client,
          "nonce" => {:packed_byte, Handshake.nonce()},
          "world" => "",
          "zone" => "",
          "accepts" => {:packed_string, []}
        }

        bytes = Variant.encode!(Map.put(hello, "t", "hello"))

        %{state | socket: socket, phase: :greeting, hello: bytes, heard_at: now()}
        |> put(bytes)
        |> watch(@opening_ms)
        |> listen()
        |> noreply()

      {:error, _reason} ->
        {:noreply, try_again(state)}
    end
  end

  defp hear(%{phase: :greeting} = state, "challenge", frame, _size) do
    handshake = %{
      Handshake.new(state.options.token)
      | hello: state.hello,
        challenge: frame.bytes
    }

    proof = {:packed_byte, Handshake.proof(handshake, :engine)}

    %{state | handshake: handshake}
    |> say("proof", %{"proof" => proof})
    |> listen()
    |> noreply()
  end

  defp hear(%{phase: :greeting, handshake: handshake} = state, "welcome", frame, _size)
       when handshake != nil do
    with %{"protocol" => @protocol, "server" => server, "heartbeat_ms" => heartbeat} <- frame,
         %{"proof" => {:packed_byte, proof}, "world" => ""} <- frame,
         true <- is_binary(server) and is_integer(heartbeat) and heartbeat in 10..3_600_000,
         true <- Handshake.proven?(handshake, proof, :sidecar) do
      notify(state, {:connected, server})
      none = %{live: 0, bulk: 0}

      %{state | phase: :open, heartbeat_ms: heartbeat, last: none, acknowledged: none}
      |> Map.merge(%{model: %Model{}, errors: [], pause_ms: @first_pause_ms, bulk_bytes: 0})
      |> grant()
      |> listen()
      |> noreply()
    else
      _other -> close(state, "a malformed welcome")
    end
  end

  defp hear(%{phase: :greeting} = state, "refuse", frame, _size) do
    reason = text(frame, "reason")
    notify(state, {:refused, reason})
    close(state, "refused: #{reason}", reason == "full")
  end

  defp hear(%{phase: :greeting} = state, _kind, _frame, _size) do
    close(state, "a frame before the welcome")
  end

  defp hear(state, "ping", %{"time" => time}, _size) when is_integer(time) do
    state |> say("pong", %{"time" => time}) |> listen() |> noreply()
  end

  defp hear(state, "bye", frame, _size) do
    reason = text(frame, "reason")
    notify(state, {:bye, reason})
    close(state, "bye: #{reason}")
  end

  defp hear(state, "report", %{"id" => id}, _size) when is_integer(id) do
    answer = %{"id" => id, "counts" => Model.counts(state.model)}
    state |> say("report", answer) |> listen() |> noreply()
  end

  defp hear(state, "picture", %{"id" => id}, _size) when is_integer(id) do
    answer = %{"id" => id, "error" => "this receiver draws no pictures"}
    state |> say("picture", answer) |> listen() |> noreply()
  end

  defp hear(state, kind, %{"seq" => number} = frame, size),
    do: apply_numbered(state, :live, number, kind, frame, size)

  defp hear(state, kind, %{"bulk" => number} = frame, size) do
    state = %{state | bulk_bytes: state.bulk_bytes + size}
    apply_numbered(state, :bulk, number, kind, frame, size)
  end

  defp hear(state, _kind, _frame, _size), do: state |> listen() |> noreply()

  defp apply_numbered(state, lane, number, kind, frame, size) do
    if number == state.last[lane] + 1 do
      state = %{state | last: Map.put(state.last, lane, number)}

      case Model.apply(state.model, frame, size) do
        {:ok, model} ->
          notify(state, {:applied, number, kind})
          acknowledge_applied(%{state | model: model})

        {:error, message, model} ->
          notify(state, {:rejected, number, message})
          key = if lane == :live, do: "seq", else: "bulk"

          %{state | model: model, errors: [{number, message} | state.errors]}
          |> say("error", %{key => number, "message" => message})
          |> acknowledge_applied()
      end
      |> listen()
      |> noreply()
    else
      close(
        state,
        "frame number #{inspect(number, limit: 4)} where #{state.last[lane] + 1} was due"
      )
    end
  end

  defp acknowledge_applied(%{acking?: true, last: last, acknowledged: done} = state)
       when last != done do
    %{state | acknowledged: last}
    |> say("ack", %{"seq" => last.live, "bulk" => last.bulk, "work" => 0})
    |> grant()
  end

  defp acknowledge_applied(state), do: state

  defp grant(%{acking?: true} = state) do
    say(state, "credit", %{"bytes" => state.bulk_bytes + @credit_bytes, "work" => @credit_work})
  end

  defp grant(state), do: state

  # Should it fail, the end of the connection tells.
  defp say(%{socket: nil} = state, _kind, _fields), do: state

  defp say(state, kind, fields), do: put(state, Variant.encode!(Map.put(fields, "t", kind)))

  defp put(state, bytes) do
    _sent = :gen_tcp.send(state.socket, bytes)
    state
  end

  defp listen(%{socket: socket, reading?: true} = state) when socket != nil do
    case :inet.setopts(socket, active: :once) do
      :ok ->
        state

      {:error, _closed} ->
        send(self(), {:tcp_closed, socket})
        state
    end
  end

  defp listen(state), do: state

  defp close(state, why, again? \\ true)
  defp close(%{socket: nil} = state, _why, _again?), do: {:noreply, state}

  defp close(state, why, again?) do
    :gen_tcp.close(state.socket)
    Process.cancel_timer(state.silence)
    notify(state, {:disconnected, why})
    state = %{state | socket: nil, phase: :closed, hello: nil, handshake: nil}
    {:noreply, if(again?, do: try_again(state), else: state)}
  end

  defp try_again(%{options: %{reconnect: false}} = state), do: state

  defp try_again(state) do
    Process.send_after(self(), :dial, state.pause_ms)
    %{state | pause_ms: min(state.pause_ms * 2, @last_pause_ms)}
  end

  defp watch(state, patience) do
    %{state | silence: Process.send_after(self(), {:silence, state.socket}, patience)}
  end

  defp text(frame, key) do
    case frame do
      %{^key => text} when is_binary(text) -> text
      _other -> "no #{key} given"
    end
  end

  defp notify(%{options: %{notify: nil}}, _event), do: :ok
  defp notify(state, event), do: send(state.options.notify, {:wasgo_receiver, self(), event})

  defp noreply(state), do: {:noreply, state}
  defp now, do: System.monotonic_time(:millisecond)
end
