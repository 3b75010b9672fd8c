defmodule Wasgo.Godot.Connection.Peer do
  @moduledoc false
  # The process of one connection: reads what the engine sends, numbers and paces what goes to it.
  #
  # It must never wait for the socket (the writer does), nor for anybody else, and takes nothing from the peer without a
  # bound. It goes through the phases `:accepted` (no socket yet), `:greeting`, `:open`, `:closing` (what was sent is yet
  # to be acknowledged) and `{:parting, why}` (the last frame is out; what still comes is thrown away).

  use GenServer, restart: :temporary

  require Logger

  alias Wasgo.Godot.Connection
  alias Wasgo.Godot.Connection.{Calls, Frame, Outbox, Window}
  alias Wasgo.GodotError

  @protocol 1
  # The largest frame from the engine before it was welcomed is the listener's `packet_size`.
  @max_frame 16 * 1024 * 1024
  @max_hello 4 * 1024
  # How long the last frame may take to be read, in ms.
  @parting_ms 1_000
  # The latest errors of the engine that are kept.
  @kept_errors 32
  # In words, 64 MiB, and half a word for each byte of the window, whose frames are held here. A frame of many small
  # values takes some ten times its size when it is decoded: who sends such a thing loses the connection.
  @max_heap 8 * 1024 * 1024

  defstruct [
    :server,
    :options,
    :socket,
    :outbox,
    :handle,
    :window,
    address: "?",
    phase: :accepted,
    calls: %Calls{},
    closers: [],
    next_id: 1,
    errors: [],
    error_count: 0,
    heard_at: 0
  ]

  @spec max_hello() :: pos_integer()
  def max_hello, do: @max_hello

  # The options are those of the server; `refuse:` is why the peer is not to be welcomed, or nil.
  @spec start_link({server :: pid(), options :: map()}) :: GenServer.on_start()
  def start_link({server, options}), do: GenServer.start_link(__MODULE__, {server, options})

  # Hands the socket over; the caller has to own it. Without one the process ends when it is time for the hello.
  @spec give_socket(pid(), port()) :: :ok
  def give_socket(pid, socket) do
    case :gen_tcp.controlling_process(socket, pid) do
      :ok -> send(pid, {:socket, socket})
      {:error, _gone} -> :gen_tcp.close(socket)
    end

    :ok
  end

  # Says bye and ends soon.
  @spec part(pid(), GodotError.why()) :: :ok
  def part(pid, why), do: GenServer.cast(pid, {:part, why})

  @impl true
  def init({server, options}) do
    heap = @max_heap + div(options.window, 2)
    Process.flag(:max_heap_size, %{size: heap, kill: true, error_logger: true})
    Process.send_after(self(), :hello_timeout, options.hello_timeout_ms)
    {:ok, %__MODULE__{server: server, options: options, window: Window.new(options.window)}}
  end

  ## Callers

  @impl true
  def handle_call(request, from, state)

  def handle_call({:send, frame, timeout}, from, %{phase: :open} = state) do
    cond do
      Calls.waiting(state.calls) == 0 and fits?(state, frame) ->
        {seq, state} = transmit(state, frame)
        {:reply, {:ok, seq}, pump(state)}

      Calls.full?(state.calls) ->
        {:reply, too_many_waiting(), state}

      true ->
        {:noreply, wait(state, from, {:send, frame}, timeout)}
    end
  end

  def handle_call({:flush, timeout}, from, %{phase: phase} = state)
      when phase in [:open, :closing] do
    cond do
      state.window.acknowledged == state.window.last -> {:reply, :ok, state}
      Calls.full?(state.calls) -> {:reply, too_many_waiting(), state}
      true -> {:noreply, wait(state, from, {:flush, state.window.last}, timeout)}
    end
  end

  def handle_call({:request, kind, fields, timeout}, from, %{phase: :open} = state) do
    id = state.next_id

    with false <- Calls.full?(state.calls) or Outbox.full?(state.outbox),
         {:ok, frame} <- Frame.control(kind, Map.put(fields, "id", id)) do
      outbox = Outbox.control(state.outbox, frame)
      state = wait(%{state | outbox: outbox, next_id: id + 1}, from, {:request, id}, timeout)
      {:noreply, pump(state)}
    else
      true -> {:reply, too_many_waiting(), state}
      {:error, _error} = error -> {:reply, error, state}
    end
  end

  def handle_call(:stats, _from, state) do
    stats = %{
      frames: state.window.last,
      bytes: state.window.bytes,
      acknowledged: state.window.acknowledged,
      unacknowledged_bytes: state.window.outstanding,
      waiting: Calls.waiting(state.calls),
      errors: state.error_count,
      last_errors: Enum.reverse(state.errors)
    }

    {:reply, {:ok, stats}, state}
  end

  def handle_call({:close, timeout}, from, %{phase: phase} = state)
      when phase in [:open, :closing] do
    if phase == :open, do: Process.send_after(self(), :close_timeout, timeout)
    part_when_done(%{state | phase: :closing, closers: [from | state.closers]})
  end

  def handle_call({:close, _timeout}, from, %{phase: {:parting, _why}} = state) do
    {:noreply, %{state | closers: [from | state.closers]}}
  end

  def handle_call(_request, _from, state) do
    {:reply, {:error, %GodotError{reason: {:disconnected, why_ending(state)}}}, state}
  end

  @impl true
  def handle_cast({:part, why}, %{phase: phase} = state) when phase in [:open, :closing] do
    {:noreply, say_goodbye(state, why)}
  end

  def handle_cast({:part, _why}, %{phase: {:parting, _}} = state), do: {:noreply, state}
  def handle_cast({:part, why}, state), do: disconnect(state, why)

  ## The socket

  @impl true
  def handle_info(message, state)

  def handle_info({:socket, socket}, state) do
    state = %{state | socket: socket, outbox: Outbox.new(socket), address: address(socket)}

    case state.options.refuse do
      nil -> listen(%{state | phase: :greeting})
      reason -> refuse(state, reason)
    end
  end

  def handle_info({:tcp, socket, bytes}, %{socket: socket} = state) do
    case state.phase do
      {:parting, _why} -> listen(state)
      :greeting -> greet(Frame.decode(bytes), state)
      _open -> hear(Frame.decode(bytes), %{state | heard_at: now()})
    end
  end

  def handle_info({:tcp_closed, socket}, %{socket: socket} = state), do: disconnect(state, :lost)

  def handle_info({:tcp_error, socket, :emsgsize}, %{socket: socket} = state) do
    disconnect(state, {:too_large, if(state.handle, do: @max_frame, else: @max_hello)})
  end

  def handle_info({:tcp_error, socket, reason}, %{socket: socket} = state) do
    disconnect(state, if(reason == :econnreset, do: :lost, else: {:socket, reason}))
  end

  def handle_info({:written, writer, result}, %{outbox: %{writer: writer}} = state) do
    case result do
      :ok -> {:noreply, pump(%{state | outbox: Outbox.written(state.outbox)})}
      {:error, reason} when reason in [:closed, :epipe, :econnreset] -> disconnect(state, :lost)
      {:error, reason} -> disconnect(state, {:socket, reason})
    end
  end

  ## Time

  def handle_info(:hello_timeout, %{phase: phase} = state) when phase in [:accepted, :greeting] do
    disconnect(state, :hello_timeout)
  end

  def handle_info(:hello_timeout, state), do: {:noreply, state}

  def handle_info(:heartbeat, %{phase: phase} = state) when phase in [:open, :closing] do
    cond do
      now() - state.heard_at >= 3 * state.options.heartbeat_ms -> disconnect(state, :silent)
      Outbox.full?(state.outbox) -> disconnect(state, :not_reading)
      true -> {:noreply, state |> say("ping", %{"time" => now()}) |> beat()}
    end
  end

  def handle_info(:heartbeat, state), do: {:noreply, state}

  def handle_info({:expire, ref}, state) do
    leave_queue(%{state | calls: Calls.expire(state.calls, ref)})
  end

  def handle_info({:DOWN, ref, :process, _pid, _reason}, state) do
    leave_queue(%{state | calls: Calls.expire(state.calls, ref)})
  end

  def handle_info(:close_timeout, %{phase: :closing} = state) do
    {:noreply, say_goodbye(state, :closed)}
  end

  def handle_info(:close_timeout, state), do: {:noreply, state}

  def handle_info(:parting_timeout, %{phase: {:parting, why}} = state) do
    # What the system still holds goes on its way; what does not even get there is dropped.
    if Outbox.empty?(state.outbox) and
         :inet.getstat(state.socket, [:send_pend]) == {:ok, send_pend: 0} do
      :inet.setopts(state.socket, linger: {false, 0})
    end

    {:stop, {:shutdown, {:wasgo_godot, why}}, state}
  end

  def handle_info(_stray, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    if state.socket, do: :gen_tcp.close(state.socket)
    Enum.each(state.closers, &GenServer.reply(&1, :ok))
  end

  ## The opening

  defp greet({:ok, {:hello, @protocol, token, client}}, state) do
    if :crypto.hash_equals(:crypto.hash(:sha256, token), state.options.token_hash) do
      open(state, client)
    else
      refuse(state, "token")
    end
  end

  defp greet({:ok, {:hello, _protocol, _token, _client}}, state), do: refuse(state, "protocol")
  defp greet({:error, why, :bytes}, state), do: disconnect(state, why)
  defp greet(_no_hello, state), do: refuse(state, "malformed")

  defp open(state, client) do
    handle = %Connection{pid: self(), ref: make_ref(), address: state.address, client: client}
    Logger.info("Wasgo.Godot: #{state.address} is connected: #{inspect(client)}")
    # The server first: whoever is told that the engine was welcomed finds it there.
    GenServer.cast(state.server, {:welcomed, handle})

    welcome = %{
      "protocol" => @protocol,
      "server" => state.options.server,
      "heartbeat_ms" => state.options.heartbeat_ms
    }

    case :inet.setopts(state.socket, packet_size: @max_frame) do
      :ok ->
        %{state | phase: :open, handle: handle, heard_at: now()}
        |> say("welcome", welcome)
        |> beat()
        |> listen()

      {:error, _closed} ->
        disconnect(state, :lost)
    end
  end

  defp refuse(state, reason) do
    state
    |> leave({:refused, reason}, "refuse", %{"reason" => reason})
    |> listen()
  end

  ## What the engine says

  defp hear({:ok, {:ack, seq}}, state), do: acknowledge(state, seq, "an acknowledgement")

  defp hear({:ok, {:error, seq, message}}, state) do
    errors = Enum.take([{seq, message} | state.errors], @kept_errors)
    state = %{state | errors: errors, error_count: state.error_count + 1}
    acknowledge(state, seq, "an error")
  end

  defp hear({:ok, {:ping, time}}, state) do
    if Outbox.full?(state.outbox) do
      disconnect(state, :not_reading)
    else
      state |> say("pong", %{"time" => time}) |> listen()
    end
  end

  defp hear({:ok, {:bye, text}}, state), do: disconnect(state, {:bye, text})
  defp hear({:ok, {:report, id, counts}}, state), do: answer(state, id, {:ok, counts})
  defp hear({:ok, {:picture, id, {:ok, png}}}, state), do: answer(state, id, {:ok, png})

  defp hear({:ok, {:picture, id, {:error, message}}}, state) do
    answer(state, id, {:error, %GodotError{reason: {:engine, message}}})
  end

  defp hear({:ok, :nothing}, state), do: listen(state)

  defp hear({:ok, {:hello, _, _, _}}, state),
    do: disconnect(state, {:malformed, "a second hello"})

  defp hear({:error, why, _at}, state), do: disconnect(state, why)

  defp acknowledge(state, seq, what) do
    case Window.acknowledge(state.window, seq) do
      {:ok, window} ->
        flushed = Calls.select(state.calls, &match?({:flush, last} when last <= seq, &1))
        calls = Enum.reduce(flushed, state.calls, &Calls.reply(&2, &1, :ok))
        state = let_senders_in(%{state | window: window, calls: calls})

        with {:noreply, state} <- part_when_done(state), do: listen(state)

      {:error, :future} ->
        words = "#{what} of frame #{seq}, when #{state.window.last} was the last one sent"
        disconnect(state, {:malformed, words})

      {:error, :past} ->
        words = "#{what} of frame #{seq} after #{state.window.acknowledged} was acknowledged"
        disconnect(state, {:malformed, words})
    end
  end

  # Nobody may wait any longer; then it is thrown away.
  defp answer(state, id, reply) do
    asked = Calls.select(state.calls, &(&1 == {:request, id}))
    listen(%{state | calls: Enum.reduce(asked, state.calls, &Calls.reply(&2, &1, reply))})
  end

  ## Sending

  defp fits?(state, frame) do
    Window.room?(state.window, Frame.size(frame, Window.next(state.window)))
  end

  defp transmit(state, frame) do
    seq = Window.next(state.window)
    window = Window.push(state.window, Frame.size(frame, seq))
    outbox = Outbox.numbered(state.outbox, Frame.numbered(frame, seq))
    {seq, %{state | window: window, outbox: outbox}}
  end

  defp let_senders_in(state) do
    with {ref, frame} <- Calls.first_sender(state.calls),
         true <- fits?(state, frame) do
      {seq, state} = transmit(state, frame)
      let_senders_in(%{state | calls: Calls.reply(state.calls, ref, {:ok, seq})})
    else
      _none_or_no_room -> pump(state)
    end
  end

  defp wait(state, from, kind, timeout) do
    %{state | calls: Calls.put(state.calls, from, kind, timeout)}
  end

  # The one that gave up may have stood before smaller ones that fit.
  defp leave_queue(%{phase: phase} = state) when phase in [:open, :closing] do
    state |> let_senders_in() |> part_when_done()
  end

  defp leave_queue(state), do: {:noreply, state}

  defp say(state, kind, fields) do
    pump(%{state | outbox: Outbox.control(state.outbox, Frame.control!(kind, fields))})
  end

  defp pump(state), do: %{state | outbox: Outbox.pump(state.outbox)}

  defp beat(state) do
    Process.send_after(self(), :heartbeat, state.options.heartbeat_ms)
    state
  end

  # Asks for the next frame.
  defp listen(state) do
    case :inet.setopts(state.socket, active: :once) do
      :ok -> {:noreply, state}
      {:error, _closed} -> disconnect(state, :lost)
    end
  end

  ## The end

  defp part_when_done(%{phase: :closing, window: window} = state)
       when window.acknowledged == window.last do
    if Calls.waiting(state.calls) == 0 do
      {:noreply, say_goodbye(state, :closed)}
    else
      {:noreply, state}
    end
  end

  defp part_when_done(state), do: {:noreply, state}

  defp say_goodbye(state, why), do: leave(state, why, "bye", %{"reason" => GodotError.why(why)})

  # The last frame. A socket that is closed while the peer still sends takes back what was not read yet, so its end is
  # waited for.
  defp leave(state, why, kind, fields) do
    ending(state, why)
    Process.send_after(self(), :parting_timeout, @parting_ms)
    calls = Calls.reply_to_all(state.calls, {:error, %GodotError{reason: {:disconnected, why}}})
    say(%{state | calls: calls, phase: {:parting, why}}, kind, fields)
  end

  defp disconnect(%{phase: {:parting, why}} = state, _why) do
    {:stop, {:shutdown, {:wasgo_godot, why}}, state}
  end

  defp disconnect(state, why) do
    ending(state, why)
    calls = Calls.reply_to_all(state.calls, {:error, %GodotError{reason: {:disconnected, why}}})
    {:stop, {:shutdown, {:wasgo_godot, why}}, %{state | calls: calls, phase: {:parting, why}}}
  end

  defp ending(state, why) do
    text = "Wasgo.Godot: #{state.address} is disconnected: #{GodotError.why(why)}"
    if misbehaviour?(why), do: Logger.warning(text), else: Logger.info(text)
    if state.handle, do: GenServer.cast(state.server, {:ending, self(), why})
  end

  defp misbehaviour?(why) when why in [:closed, :stopped, :lost, {:refused, "full"}], do: false
  defp misbehaviour?({:bye, _text}), do: false
  defp misbehaviour?(_why), do: true

  defp why_ending(%{phase: {:parting, why}}), do: why
  defp why_ending(_state), do: :closed

  defp too_many_waiting do
    {:error, %GodotError{reason: {:too_many_waiting, Calls.limit()}}}
  end

  defp address(socket) do
    case :inet.peername(socket) do
      {:ok, {ip, port}} -> Connection.address(ip, port)
      {:error, _closed} -> "?"
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
