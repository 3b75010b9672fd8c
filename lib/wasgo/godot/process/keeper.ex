defmodule Wasgo.Godot.Process.Keeper do
  @moduledoc false
  # The process behind `Wasgo.Godot.Process`: one program at a time, and what to do when it ends or hangs. It waits for nobody: neither
  # for the program nor for its connection.
  #
  # `phase` is one of:
  #
  #   * `:starting` - the program runs, and has to connect
  #   * `:running` - it is connected, or needs no connection
  #   * `:lost` - it runs, and its connection is lost
  #   * `:ending` - it was asked to end; `why` says for whom
  #   * `:resting` - it ended, and will be started

  use GenServer

  require Logger

  alias Wasgo.Godot.{Connection, Server}
  alias Wasgo.Godot.Process.{Backoff, Output, Subscribers}

  # After a SIGKILL a program is gone, unless the system itself does not let it go: then it is left to that.
  @kill_ms 3_000

  # Levels by how much they say.
  @levels %{info: 0, warning: 1, error: 2, false: 3}

  @enforce_keys [:options, :run, :backoff]
  defstruct [
    :options,
    :run,
    :backoff,
    :server,
    :output,
    :os_pid,
    :started_at,
    :connection,
    :timer,
    :why,
    :last_exit,
    phase: :resting,
    subscribers: Subscribers.new(),
    # Calls that wait for the end.
    waiting: [],
    # When it was started again, the newest first, within the time that matters.
    recent: [],
    restarts: 0,
    log_dropped: 0
  ]

  @impl true
  def init({options, run}) do
    Process.flag(:trap_exit, true)
    Wasgo.Label.put({Wasgo.Godot.Process, Wasgo.Label.name(options.name)})

    state = %__MODULE__{options: options, run: run, backoff: Backoff.new(options.backoff)}
    {:ok, state |> follow() |> start()}
  end

  defp follow(%{options: %{server: nil}} = state), do: state

  defp follow(%{options: %{server: server}} = state) do
    # It was there a moment ago.
    pid = GenServer.whereis(server) || exit({:noproc, server})
    monitor = Process.monitor(pid)
    :ok = Server.subscribe(pid)
    %{state | server: monitor}
  end

  ## Calls

  @impl true
  def handle_call(:info, _from, state) do
    info = %{
      phase: state.phase,
      os_pid: state.os_pid,
      connection: state.connection,
      restarts: state.restarts,
      uptime_ms: if(state.output, do: now() - state.started_at),
      last_exit: state.last_exit,
      log_dropped: state.log_dropped
    }

    {:reply, info, state}
  end

  def handle_call({:subscribe, pid, _log}, _from, state) when node(pid) != node(),
    do: {:reply, :remote, state}

  def handle_call({:subscribe, pid, log}, _from, state) do
    {:reply, :ok, %{state | subscribers: Subscribers.put(state.subscribers, pid, log)}}
  end

  def handle_call(:stop, _from, %{output: nil} = state), do: {:stop, :normal, :ok, state}

  def handle_call(:stop, from, state) do
    {:noreply, finish(%{state | waiting: [from | state.waiting]}, :stop)}
  end

  def handle_call(:restart, _from, %{output: nil} = state) do
    {:reply, :ok, state |> again() |> start()}
  end

  # Who stops it has the last word.
  def handle_call(:restart, from, state) do
    {:noreply, finish(%{state | waiting: [from | state.waiting]}, :restart)}
  end

  ## What the program does

  @impl true
  def handle_info({:wasgo_output, output, what}, %{output: output} = state),
    do: output(what, state)

  def handle_info({:wasgo_godot, event, connection}, state),
    do: {:noreply, connection(event, connection, state)}

  def handle_info({:timer, tag}, %{timer: {tag, _timer, what}} = state),
    do: timer(what, %{state | timer: nil})

  def handle_info({:DOWN, monitor, :process, _pid, reason}, %{server: monitor} = state),
    do: {:stop, {:server_down, reason}, state}

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state),
    do: {:noreply, %{state | subscribers: Subscribers.drop(state.subscribers, monitor)}}

  # It says how the program ended before it ends itself, unless it fails.
  def handle_info({:EXIT, output, reason}, %{output: output} = state),
    do: {:stop, {:output, reason}, %{state | output: nil}}

  def handle_info(_other, state), do: {:noreply, state}

  defp output({:pid, os_pid}, state) do
    {:noreply, publish(%{state | os_pid: os_pid}, {:started, os_pid})}
  end

  defp output({:entries, entries}, state) do
    Enum.each(entries, &log(state, &1))

    state =
      Enum.reduce(entries, state, fn {level, text}, state -> publish_log(state, level, text) end)

    Output.take(state.output, length(entries))
    {:noreply, state}
  end

  defp output({:dropped, bytes}, state) do
    log(state, {:warning, "#{bytes} bytes of what it wrote were left out"})
    state = %{state | log_dropped: state.log_dropped + bytes}
    {:noreply, publish(state, {:log_dropped, bytes})}
  end

  defp output({:exited, exit}, state) do
    state = publish(%{state | last_exit: exit}, {:exited, exit})
    stable? = now() - state.started_at >= state.options.stable_after
    backoff = if stable?, do: Backoff.reset(state.backoff), else: state.backoff
    why = state.why

    ended = %{state | output: nil, os_pid: nil, connection: nil, why: nil, backoff: backoff}
    exited(why, exit, set_timer(ended, nil))
  end

  defp exited(:stop, _exit, state), do: {:stop, :normal, reply(state)}
  defp exited(:restart, _exit, state), do: {:noreply, state |> again() |> start() |> reply()}

  defp exited(why, exit, state) do
    say(state, why, exit)

    case state.options.restart do
      :temporary -> {:stop, :normal, state}
      :transient when why == nil and exit == {:status, 0} -> {:stop, :normal, state}
      _again -> rest(state, exit)
    end
  end

  defp say(state, why, exit) do
    level = if why == nil and exit == {:status, 0}, do: :info, else: :warning
    log(state, {level, "it ended: #{words(exit)}"})
  end

  defp rest(%{options: options} = state, exit) do
    since = now() - options.max_seconds * 1_000
    recent = Enum.take_while(state.recent, &(&1 >= since))

    # An atom is more than any number.
    if length(recent) >= options.max_restarts do
      log(state, {:error, "it is given up after #{length(recent)} restarts"})
      {:stop, {:shutdown, {:gave_up, exit}}, publish(state, {:gave_up, exit})}
    else
      {wait, backoff} = Backoff.next(state.backoff)
      state = %{state | backoff: backoff, recent: recent, phase: :resting}
      {:noreply, state |> publish({:restarting, wait}) |> set_timer({wait, :start})}
    end
  end

  # Only as many times are kept as there may be.
  defp remember(%{options: %{max_restarts: :infinity}} = state), do: state
  defp remember(state), do: %{state | recent: [now() | state.recent]}

  defp again(state), do: %{state | restarts: state.restarts + 1}

  defp words({:status, status}), do: "status #{status}"
  defp words({:signal, signal}), do: "signal #{signal}"

  ## Its connection

  defp connection(:connected, connection, %{phase: phase, options: options} = state)
       when phase in [:starting, :lost] do
    if options.match.(connection) do
      %{state | connection: connection, phase: :running}
      |> set_timer(nil)
      |> publish({:connected, connection})
    else
      state
    end
  end

  # An engine that opens a second connection has a first one that it does not use any more.
  defp connection(:connected, connection, %{phase: :running, connection: %{}} = state) do
    if state.options.match.(connection),
      do: publish(%{state | connection: connection}, {:connected, connection}),
      else: state
  end

  defp connection({:disconnected, why}, %{pid: pid}, %{connection: %{pid: pid}} = state) do
    state = publish(%{state | connection: nil}, {:disconnected, why})

    if state.phase == :running,
      do: set_timer(%{state | phase: :lost}, {state.options.heartbeat_timeout, {:hung, :lost}}),
      else: state
  end

  defp connection(_event, _connection, state), do: state

  ## Beginning and end

  defp start(%{options: options} = state) do
    settings =
      Map.merge(state.run.(), %{
        cd: options.cd,
        rate: options.log_rate,
        grace: div(options.kill_timeout + 999, 1_000)
      })

    state = %{state | output: Output.start_link(settings), started_at: now()}

    if options.server,
      do: set_timer(%{state | phase: :starting}, {options.start_timeout, {:hung, :start}}),
      else: set_timer(%{state | phase: :running}, nil)
  end

  # What is ending because it hangs, or to be started again, may still be stopped.
  defp finish(%{phase: :ending} = state, why) do
    if :stop in [why, state.why], do: %{state | why: :stop}, else: %{state | why: why}
  end

  defp finish(%{connection: %{} = connection, options: options} = state, why) do
    # What was sent before the bye may take half of the time, the engine has the rest to end.
    spawn(fn -> Connection.close(connection, max(div(options.bye_timeout, 2), 1)) end)
    set_timer(%{state | phase: :ending, why: why}, {options.bye_timeout, :term})
  end

  defp finish(state, why), do: term(%{state | phase: :ending, why: why})

  defp term(state) do
    Output.command(state.output, :term)
    set_timer(state, {state.options.kill_timeout, :kill})
  end

  defp timer(:start, state), do: {:noreply, state |> again() |> remember() |> start()}

  defp timer({:hung, what}, state) do
    log(state, {:warning, "it hangs: #{hangs(what)}"})
    state = publish(state, {:hung, what})
    {:noreply, term(%{state | phase: :ending, why: :hung})}
  end

  defp timer(:term, state), do: {:noreply, term(state)}

  defp timer(:kill, state) do
    Output.command(state.output, :kill)
    {:noreply, set_timer(state, {@kill_ms, :leave})}
  end

  # The wrapper may be gone, and nobody there to kill. Without an owner the port is closed.
  defp timer(:leave, state) do
    Process.unlink(state.output)
    Process.exit(state.output, :kill)
    output({:exited, {:signal, 9}}, state)
  end

  defp hangs(:start), do: "it did not connect in time"
  defp hangs(:lost), do: "its connection was lost, and it did not connect again in time"

  @impl true
  def terminate(_reason, %{output: nil} = state), do: reply(state)

  def terminate(_reason, state) do
    state |> finish(:stop) |> await_end() |> reply()
  end

  defp await_end(%{output: nil} = state), do: state

  defp await_end(state) do
    receive do
      message ->
        case handle_info(message, state) do
          {:noreply, state} -> await_end(state)
          {:stop, _reason, state} -> state
        end
    end
  end

  ## Who is told

  defp reply(state) do
    Enum.each(state.waiting, &GenServer.reply(&1, :ok))
    %{state | waiting: []}
  end

  defp publish(state, event),
    do: %{state | subscribers: Subscribers.tell(state.subscribers, event)}

  defp publish_log(state, level, text),
    do: %{state | subscribers: Subscribers.tell_log(state.subscribers, {:log, level, text})}

  defp log(state, {level, text}) do
    if @levels[level] >= @levels[state.options.log] do
      name = state.options.name || self()
      metadata = [wasgo_process: name, os_pid: state.os_pid]
      Logger.log(level, fn -> "Wasgo.Godot.Process #{inspect(name)}: #{text}" end, metadata)
    end
  end

  ## Time

  # One at a time: a phase has one thing to wait for.
  defp set_timer(state, next) do
    with {_tag, timer, _what} <- state.timer, do: Process.cancel_timer(timer)

    case next do
      nil ->
        %{state | timer: nil}

      {ms, what} ->
        tag = make_ref()
        %{state | timer: {tag, Process.send_after(self(), {:timer, tag}, ms), what}}
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
