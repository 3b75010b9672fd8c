defmodule Wasgo.Godot.Connection.Peer do
  @moduledoc false
  # The process of one connection: reads what the engine sends, numbers and paces what goes to it.
  #
  # It must never wait for the socket (the writer does; only the handshake of TLS is waited for, before anything else), nor for anybody else,
  # and takes nothing from the peer without a bound. `State` has the phases that it goes through.

  use GenServer, restart: :temporary

  require Logger

  alias Wasgo.Godot.Connection.{
    Calls,
    Event,
    Frame,
    Framing,
    Functions,
    Hearing,
    Inbox,
    Opening,
    Outbox,
    Sending,
    State,
    Transport
  }

  alias Wasgo.Godot.Connection.Handshake
  alias Wasgo.Godot.Server.Strangers
  alias Wasgo.{GodotError, Telemetry}

  # The largest frames from the engine, before it is welcomed and afterwards.
  @max_hello 4 * 1024
  @max_frame 16 * 1024 * 1024
  # How long the last frame may take to be read, in ms.
  @parting_ms 1_000
  # Calls to the engine that may be without an answer.
  @max_calls 64
  # In words, 64 MiB, and half a word for each byte of the window, whose frames are held here. A frame of many small
  # values takes some ten times its size when it is decoded: who sends such a thing loses the connection.
  @max_heap 8 * 1024 * 1024

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

  # The same with the socket of a process, which goes on having it. It is to monitor this one.
  @spec give_transport(pid(), Transport.t()) :: :ok
  def give_transport(pid, transport) do
    send(pid, {:transport, transport})
    :ok
  end

  # Says bye and ends soon.
  @spec part(pid(), GodotError.why()) :: :ok
  def part(pid, why), do: GenServer.cast(pid, {:part, why})

  @impl true
  def init({server, options}) do
    heap = @max_heap + div(options.window, 2)
    Process.flag(:max_heap_size, %{size: heap, kill: true, error_logger: true})
    Wasgo.Label.put({Wasgo.Godot.Connection, :opening})
    Process.send_after(self(), :hello_timeout, options.hello_timeout_ms)
    {:ok, State.new(server, options, @max_hello)}
  end

  ## Callers

  @impl true
  def handle_call(request, from, state)

  def handle_call({:send, frame, timeout}, {pid, _tag} = from, %{phase: :open} = state) do
    cond do
      Sending.first?(state, frame) ->
        {number, state} = Sending.transmit(state, frame)
        {:reply, {:ok, number}, Sending.pump(state)}

      timeout == 0 ->
        {:reply, {:error, %GodotError{reason: :full}}, Sending.remember(state, pid, frame)}

      Calls.full?(state.calls) ->
        {:reply, too_many_waiting(), state}

      true ->
        {:noreply, wait(state, from, {:send, frame}, timeout)}
    end
  end

  def handle_call({:flush, timeout}, from, %{phase: phase} = state)
      when phase in [:open, :closing] do
    cond do
      Sending.flushed?(state) ->
        {:reply, :ok, state}

      Calls.full?(state.calls) ->
        {:reply, too_many_waiting(), state}

      true ->
        {:noreply, wait(state, from, Sending.flush_target(state), timeout)}
    end
  end

  def handle_call({:request, kind, fields, timeout}, from, %{phase: :open} = state) do
    id = state.next_id

    with false <- Calls.full?(state.calls) or Outbox.full?(state.outbox),
         true <- length(Calls.select(state.calls, &match?({:request, _}, &1))) < @max_calls,
         {:ok, frame} <- Frame.control(kind, Map.put(fields, "id", id)) do
      state = wait(%{state | next_id: id + 1}, from, {:request, id}, timeout)
      {:noreply, Sending.control(state, frame)}
    else
      true -> {:reply, too_many_waiting(), state}
      false -> {:reply, {:error, %GodotError{reason: {:too_many_waiting, @max_calls}}}, state}
      {:error, _error} = error -> {:reply, error, state}
    end
  end

  def handle_call({:control, frame}, _from, %{phase: :open} = state) do
    if Outbox.full?(state.outbox),
      do: {:reply, {:error, %GodotError{reason: :full}}, state},
      else: {:reply, :ok, Sending.control(state, frame)}
  end

  def handle_call({:subscribe, kinds}, {pid, _tag}, %{phase: :open} = state) do
    case Inbox.subscribe(state.inbox, pid, kinds, pid == state.zone) do
      {:ok, inbox} -> {:reply, :ok, %{state | inbox: inbox}}
      :full -> {:reply, {:error, %GodotError{reason: {:too_many_waiting, Inbox.limit()}}}, state}
    end
  end

  def handle_call(:events, {pid, _tag}, %{phase: phase} = state)
      when phase in [:open, :closing] do
    case Inbox.take(state.inbox, pid) do
      {{events, dropped}, inbox} -> {:reply, {:ok, events, dropped}, %{state | inbox: inbox}}
      :not_subscribed -> {:reply, {:ok, [], 0}, state}
    end
  end

  def handle_call(:stats, _from, state) do
    stats = %{
      frames: state.window.last + state.credit.last,
      bytes: state.window.bytes + state.credit.bytes,
      acknowledged: state.window.acknowledged + state.credit.acknowledged,
      unacknowledged_bytes: state.window.outstanding + state.credit.outstanding,
      granted_bytes: state.credit.granted_bytes,
      work_us: state.credit.work,
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

  def handle_cast({:functions, functions}, state) do
    {:noreply, %{state | options: %{state.options | functions: functions}}}
  end

  ## The socket

  @impl true
  def handle_info(message, state)

  def handle_info({:push, from, ref, frame}, %{phase: :open} = state) do
    case Sending.push(state, from, ref, frame) do
      {state, nil} -> {:noreply, state}
      {state, left} -> {:noreply, %{state | calls: Calls.put_push(state.calls, from, ref, left)}}
    end
  end

  # Whoever pushes hears of the end by its monitor.
  def handle_info({:push, _from, _ref, _frame}, state), do: {:noreply, state}

  def handle_info({:push_end, from, ref}, state),
    do: {:noreply, Sending.push_end(state, from, ref)}

  def handle_info({:push_over, ref}, state),
    do: {:noreply, %{state | pushed: Map.delete(state.pushed, ref)}}

  def handle_info({:socket, socket}, state) do
    settings = %{
      tls: state.options.tls,
      path: state.options.path,
      timeout: state.options.hello_timeout_ms
    }

    case Transport.accept(socket, settings) do
      {:ok, transport} -> greet(state, transport)
      {:error, reason} -> disconnect(state, {:socket, reason})
    end
  end

  def handle_info({:transport, transport}, state) do
    Process.monitor(transport.socket)
    greet(state, transport)
  end

  def handle_info({:written, writer, result}, %{outbox: %{writer: writer}} = state) do
    case result do
      :ok -> {:noreply, Sending.pump(%{state | outbox: Outbox.written(state.outbox)})}
      {:error, reason} when reason in [:closed, :epipe, :econnreset] -> disconnect(state, :lost)
      {:error, reason} -> disconnect(state, {:socket, reason})
    end
  end

  ## Time

  def handle_info(:hello_timeout, %{phase: phase} = state)
      when phase in [:accepted, :greeting, :proving] do
    disconnect(state, :hello_timeout)
  end

  def handle_info(:hello_timeout, state), do: {:noreply, state}

  def handle_info(:heartbeat, %{phase: phase} = state) when phase in [:open, :closing] do
    cond do
      now() - state.heard_at >= 3 * state.options.heartbeat_ms -> disconnect(state, :silent)
      Outbox.full?(state.outbox) -> disconnect(state, :not_reading)
      true -> {:noreply, state |> Sending.say("ping", %{"time" => now()}) |> beat()}
    end
  end

  def handle_info(:heartbeat, state), do: {:noreply, state}

  def handle_info({:expire, ref}, state) do
    leave_queue(%{state | calls: Calls.expire(state.calls, ref)})
  end

  def handle_info({:DOWN, _ref, :process, zone, _reason}, %{zone: zone, phase: phase} = state)
      when is_pid(zone) and phase in [:open, :closing] do
    {:noreply, say_goodbye(%{state | zone: nil}, :world_gone)}
  end

  # The engine comes back, and attaches its nodes anew.
  def handle_info({:DOWN, _ref, :process, pid, reason}, %{scripts: pid, phase: phase} = state)
      when is_pid(pid) and phase in [:open, :closing] do
    {:noreply, say_goodbye(%{state | scripts: nil}, {:crashed, reason})}
  end

  def handle_info(:close_timeout, %{phase: :closing} = state) do
    {:noreply, say_goodbye(state, :closed)}
  end

  def handle_info(:close_timeout, state), do: {:noreply, state}

  def handle_info(:parting_timeout, %{phase: {:parting, why}} = state) do
    # What the system still holds goes on its way; what does not even get there is dropped.
    if Outbox.empty?(state.outbox) and Transport.drained?(state.transport),
      do: Transport.linger(state.transport)

    {:stop, {:shutdown, {:wasgo_godot, why}}, state}
  end

  def handle_info(message, %{transport: %Transport{} = transport} = state) do
    case Transport.read(transport, message) do
      {:bytes, bytes} -> read(state, bytes)
      :closed -> disconnect(state, :lost)
      {:error, :econnreset} -> disconnect(state, :lost)
      {:error, reason} -> disconnect(state, {:socket, reason})
      {:broken, why} -> disconnect(state, why)
      :other -> other(message, state)
    end
  end

  def handle_info(message, state), do: other(message, state)

  # An answer of one of the application's functions, or somebody died.
  defp other(message, state) do
    case {Functions.handle(state.functions, message), message} do
      {{:answer, id, result, functions}, _message} ->
        answer_request(%{state | functions: functions}, id, result)

      {:other, {:DOWN, ref, :process, pid, _reason}} ->
        rooms = Map.reject(state.rooms, fn {{_lane, who}, _wanted} -> who == pid end)
        state = %{state | inbox: Inbox.down(state.inbox, ref), rooms: rooms}
        leave_queue(%{state | calls: Calls.expire(state.calls, ref)})

      _stray ->
        {:noreply, state}
    end
  end

  defp answer_request(%{phase: phase} = state, id, result) when phase in [:open, :closing] do
    case result do
      {:ok, frame} ->
        if Outbox.full?(state.outbox),
          do: disconnect(state, :not_reading),
          else: {:noreply, Sending.control(state, frame)}

      {:error, words} ->
        case Hearing.refuse_request(state, id, words) do
          {:ok, state} -> {:noreply, state}
          {:end, why, state} -> disconnect(state, why)
        end
    end
  end

  defp answer_request(state, _id, _result), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    if state.span, do: Telemetry.stop(state.span, error(why_ending(state)), totals(state))
    if state.transport, do: Transport.close(state.transport)
    Functions.stop(state.functions)
    Enum.each(state.closers, &GenServer.reply(&1, :ok))
  end

  defp error(why) when why in [:closed, :stopped, :world_gone], do: nil
  defp error({:bye, _text}), do: nil
  defp error(why), do: %GodotError{reason: {:disconnected, why}}

  defp totals(state) do
    %{
      frames: state.window.last + state.credit.last,
      bytes: state.window.bytes + state.credit.bytes,
      refused: state.error_count
    }
  end

  ## What the engine sends

  defp greet(state, transport) do
    state = %{state | transport: transport, outbox: Outbox.new(transport)}

    case state.options.refuse do
      nil -> listen(%{state | phase: :greeting})
      reason -> refuse(state, reason)
    end
  end

  defp read(%{phase: {:parting, _why}} = state, _bytes), do: listen(state)

  defp read(state, bytes) do
    deal(%{state | framing: Framing.push(state.framing, bytes), heard_at: now()})
  end

  defp deal(%{phase: {:parting, _why}} = state), do: listen(state)

  defp deal(state) do
    case Framing.next(state.framing) do
      {:ok, frame, framing} -> deal_with(frame, %{state | framing: framing})
      {:more, framing} -> listen(%{state | framing: framing})
      {:error, why} -> disconnect(state, why)
    end
  end

  defp deal_with(bytes, %{phase: phase} = state) do
    said = Event.decode(bytes, @max_frame)

    result =
      case phase do
        :greeting -> Opening.greet(said, bytes, state)
        :proving -> Opening.prove(said, state)
        _open -> Hearing.hear(said, byte_size(bytes), state)
      end

    case result do
      {:ok, state} -> go_on(state)
      {:opened, state} -> deal(beat(%{state | framing: widened(state.framing)}))
      {:refused, reason, state} -> refuse(state, reason)
      {:end, why, state} -> disconnect(state, why)
    end
  end

  defp widened(framing), do: %{framing | limit: @max_frame}

  defp go_on(%{phase: :closing} = state) do
    with {:noreply, state} <- part_when_done(state), do: deal(state)
  end

  defp go_on(state), do: deal(state)

  defp refuse(state, reason) do
    fields = %{
      "reason" => reason,
      "protocol" => Handshake.protocol(),
      "protocol_min" => Handshake.oldest()
    }

    state |> leave({:refused, reason}, "refuse", fields) |> listen()
  end

  ## Waiting

  defp wait(state, from, kind, timeout) do
    %{state | calls: Calls.put(state.calls, from, kind, timeout)}
  end

  # The one that gave up may have stood before smaller ones that fit.
  defp leave_queue(%{phase: phase} = state) when phase in [:open, :closing] do
    state |> Sending.let_senders_in() |> Sending.answer_flushes() |> part_when_done()
  end

  defp leave_queue(state), do: {:noreply, state}

  defp beat(state) do
    Process.send_after(self(), :heartbeat, state.options.heartbeat_ms)
    state
  end

  # Asks for more bytes.
  defp listen(state) do
    case Transport.once(state.transport) do
      :ok -> {:noreply, state}
      {:error, _closed} -> disconnect(state, :lost)
    end
  end

  ## The end

  defp part_when_done(%{phase: :closing} = state) do
    if Sending.flushed?(state) do
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
    Sending.say(%{state | calls: calls, phase: {:parting, why}}, kind, fields)
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
    if state.handle || Strangers.log?(state.options.strangers, state.server) do
      text = "Wasgo.Godot: #{State.address(state)} is disconnected: #{GodotError.why(why)}"
      if misbehaviour?(why), do: Logger.warning(text), else: Logger.info(text)
    end

    if state.handle, do: GenServer.cast(state.server, {:ending, self(), why})
  end

  defp misbehaviour?(why) when why in [:closed, :stopped, :lost, :world_gone], do: false
  defp misbehaviour?({:refused, reason}) when reason in ["full", "zone"], do: false
  defp misbehaviour?({:bye, _text}), do: false
  defp misbehaviour?(_why), do: true

  defp why_ending(%{phase: {:parting, why}}), do: why
  defp why_ending(_state), do: :closed

  defp too_many_waiting do
    {:error, %GodotError{reason: {:too_many_waiting, Calls.limit()}}}
  end

  defp now, do: System.monotonic_time(:millisecond)
end
