defmodule Wasgo.Service.Server do
  @moduledoc false
  # The process of a service: starts its program, starts it anew if that is wanted, and matches answers with who asked.
  #
  # It has one of four states, in `:phase`:
  #
  #   * `:starting` - the program runs and did not say yet that it is ready
  #   * `:ready`
  #   * `:resting` - the program ended and will be started anew
  #   * `:stopping` - it was asked to end

  use GenServer

  require Logger

  alias Wasgo.{Label, Native, ServiceError, Telemetry}
  alias Wasgo.Native.Result
  alias Wasgo.Service.{Console, Framing, Network, Options, Readiness, Subscriber, Waiting}
  alias Wasgo.Wasm.Program

  # Output that was not passed on yet, over which the program has to wait.
  @backlog 1_048_576

  # A program that ran so long has shown that it can: what came before does not count any more.
  @proven 10_000

  # Milliseconds after which nothing more belongs to the last byte that came. A terminal writes a line break at once.
  @flush_after 20

  defstruct [
    :options,
    :starter,
    :module,
    :resource,
    :ref,
    :console,
    :framing,
    :ready_timer,
    :flush_timer,
    :started_at,
    :status,
    :network,
    :name,
    # The program, as telemetry hears of it, from when it was ready.
    :span,
    phase: :starting,
    # What is still to be written since the program's input is full: bytes, and who is to be told.
    unsent: :queue.new(),
    waiting: %Waiting{},
    subscriber: %Subscriber{},
    # Bytes that the program may not write anew until the backlog is gone.
    owed: 0,
    stopping: [],
    restarts: 0,
    total_restarts: 0,
    text_before_ready: ""
  ]

  @spec start_link(map(), {pid(), reference()}) :: GenServer.on_start()
  def start_link(options, starter) do
    server = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, {options, starter}, server)
  end

  @doc """
  Waits until a process that was just started says by `reference` that it is ready, or why it will not be. A failure to start is an answer, not the end of
  who asked.
  """
  @spec await_ready(pid(), reference()) :: {:ok, pid()} | {:error, Exception.t()}
  def await_ready(pid, reference) do
    monitor = Process.monitor(pid)

    receive do
      {^reference, {:ok, ^pid}} ->
        Process.demonitor(monitor, [:flush])
        {:ok, pid}

      {^reference, {:error, exception}} ->
        forget(pid, monitor)
        {:error, exception}

      {:DOWN, ^monitor, :process, ^pid, reason} ->
        forget(pid, monitor)
        {:error, error(:stopped, "the service is stopped: #{inspect(reason)}")}
    end
  end

  # Its end is told already.
  defp forget(pid, monitor) do
    Process.demonitor(monitor, [:flush])
    Process.unlink(pid)

    receive do
      {:EXIT, ^pid, _reason} -> :ok
    after
      0 -> :ok
    end
  end

  @impl true
  def init({options, starter}) do
    Process.flag(:trap_exit, true)
    name = Label.name(options.name)
    Label.put({Wasgo.Service, name}, wasgo_service: name)
    state = %__MODULE__{options: options, name: name, starter: starter}
    subscriber = Subscriber.put(state.subscriber, options.subscriber, :infinity)
    {:ok, %{state | subscriber: subscriber}, {:continue, :start}}
  end

  @impl true
  def handle_continue(:start, state) do
    case start(state) do
      {:ok, state} -> {:noreply, ready_at_once(state)}
      {:error, exception} -> ended(state, exception)
    end
  end

  defp start(%{options: options} = state) do
    framing = Framing.new(options.framing, options.max_message)
    console = Console.new(options.console, framing, options.command)
    guest_dirs = Enum.map(options.dirs, &elem(&1, 1))
    listener = Network.listener(options.network, guest_dirs)

    with {:ok, module} <- Options.module(state.module || options.module),
         {:ok, arguments, environment} <-
           Console.arguments(console, options.command, options.env, guest_dirs, listener),
         {:ok, {resource, ref}} <-
           Program.start(module, program(options, console, arguments, environment)) do
      timer = Process.send_after(self(), {:not_ready, ref}, options.ready_timeout)

      {:ok,
       %{
         state
         | module: module,
           resource: resource,
           ref: ref,
           console: console,
           framing: framing,
           ready_timer: timer,
           started_at: now(),
           status: nil,
           phase: :starting,
           owed: 0,
           text_before_ready: ""
       }}
    end
  end

  defp program(options, console, arguments, environment) do
    options
    |> Map.take([:dirs, :quota, :clock, :random, :limits])
    |> Map.merge(%{
      arguments: arguments,
      environment: environment,
      timeout: :infinity,
      terminal: console.profile == :container2wasm,
      network: Network.to_native(options.network)
    })
  end

  # A program of which nothing is expected is ready when it runs.
  defp ready_at_once(state) do
    if state.options.ready == nil and Console.open?(state.console), do: ready(state), else: state
  end

  defp ready(state) do
    Process.cancel_timer(state.ready_timer)
    about = %{service: state.name, restarts: state.total_restarts}

    state = %{
      state
      | phase: :ready,
        text_before_ready: "",
        span: Telemetry.start(:service, about)
    }

    write_unsent(told(state, {:ok, self()}))
  end

  # Who started the service hears once how that went.
  defp told(%{starter: nil} = state, _result), do: state

  defp told(%{starter: {pid, reference}} = state, result) do
    send(pid, {reference, result})
    %{state | starter: nil}
  end

  @impl true
  def handle_call({:request, messages, many, timeout}, from, state) do
    number = length(messages)

    with :ok <- takes_requests(state, number),
         {:ok, bytes, keyed} <- encode_all(state, messages) do
      owner = make_ref()
      timer = Process.send_after(self(), {:late, owner, timeout}, timeout)
      waiting = Waiting.add(state.waiting, owner, {from, timer}, number, many, keyed)
      {:noreply, write(%{state | waiting: waiting}, bytes, nil)}
    else
      {:error, exception} -> {:reply, {:error, exception}, state}
    end
  end

  def handle_call({:send, message, timeout}, from, state) do
    with :ok <- runs(state),
         {:ok, bytes} <- encode(state, message) do
      timer = Process.send_after(self(), {:unsent, from, timeout}, timeout)
      {:noreply, write(state, bytes, {from, timer})}
    else
      {:error, exception} -> {:reply, {:error, exception}, state}
    end
  end

  def handle_call({:subscribe, pid, demand}, _from, state) do
    {:reply, :ok, pay(%{state | subscriber: Subscriber.put(state.subscriber, pid, demand)})}
  end

  def handle_call({:demand, more}, _from, state) do
    {:reply, :ok, pay(%{state | subscriber: Subscriber.demand(state.subscriber, more)})}
  end

  def handle_call({:stop, timeout}, from, state) do
    state = %{state | stopping: [from | state.stopping]}

    case state.phase do
      :resting ->
        over(state)

      :stopping ->
        {:noreply, state}

      _running ->
        Process.send_after(self(), :stop_now, timeout)
        {:noreply, farewell(%{state | phase: :stopping})}
    end
  end

  # Connections are between who wants one and the program.
  def handle_call(:network, _from, state) do
    with :ok <- runs(state) do
      {:reply, {:ok, state.resource, state.options.network}, state}
    else
      {:error, exception} -> {:reply, {:error, exception}, state}
    end
  end

  def handle_call(:info, _from, state) do
    info = %{
      phase: state.phase,
      pending: Waiting.count(state.waiting),
      restarts: state.total_restarts,
      module: state.module,
      since: state.started_at && now() - state.started_at
    }

    {:reply, info, state}
  end

  defp farewell(state) do
    case Console.farewell(state.console) do
      {:send, bytes} ->
        write(state, bytes, nil)

      :close ->
        # What is to be written still goes before the end.
        if :queue.is_empty(state.unsent), do: Native.service_close_input(state.resource)
        state

      :nothing ->
        Native.service_stop(state.resource)
        state
    end
  end

  defp runs(%{phase: phase}) when phase in [:ready, :starting], do: :ok
  defp runs(%{phase: :resting}), do: {:error, resting()}
  defp runs(_stopping), do: {:error, error(:stopped, "the service is being stopped")}

  defp takes_requests(%{options: options} = state, number) do
    cond do
      options.framing == :raw ->
        raise_in_caller(
          "a service with the framing :raw has no answers: use Wasgo.Service.send/3"
        )

      Waiting.count(state.waiting) + number > options.max_pending ->
        waiting = Waiting.count(state.waiting)

        {:error,
         error(
           :busy,
           "#{waiting} requests wait for this service already, of #{options.max_pending} at most"
         )}

      true ->
        runs(state)
    end
  end

  defp raise_in_caller(message), do: {:error, %ArgumentError{message: message}}

  defp encode_all(%{options: %{answers: :in_order}} = state, messages) do
    with {:ok, bytes} <- collect(messages, &encode(state, &1)), do: {:ok, bytes, false}
  end

  defp encode_all(%{options: %{answers: {:by, field}}} = state, messages) do
    keys = Waiting.keys(state.waiting, length(messages))

    with {:ok, bytes} <-
           collect(Enum.zip(messages, keys), fn
             {message, key} when is_map(message) -> encode(state, Map.put(message, field, key))
             {message, _key} -> {:error, not_a_map(message)}
           end) do
      {:ok, bytes, true}
    end
  end

  defp not_a_map(message) do
    shown = inspect(message, limit: 20, printable_limit: 200)

    error(
      :not_a_map,
      "a request that is answered by its number is a map, and this is given: #{shown}"
    )
  end

  defp collect(items, fun) do
    items
    |> Enum.reduce_while({:ok, []}, fn item, {:ok, done} ->
      case fun.(item) do
        {:ok, bytes} -> {:cont, {:ok, [done | bytes]}}
        {:error, exception} -> {:halt, {:error, exception}}
      end
    end)
  end

  defp encode(state, message) do
    with {:ok, bytes} <- Framing.encode(state.framing, message),
         do: Console.encode(state.console, bytes)
  end

  # Writing

  defp write(state, bytes, teller) do
    bytes = IO.iodata_to_binary(bytes)

    # Before the marker the terminal is not yet as it has to be.
    if :queue.is_empty(state.unsent) and Console.open?(state.console) do
      case Program.write(state.resource, bytes) do
        {:full, rest} -> %{state | unsent: :queue.in({rest, teller}, state.unsent)}
        # It ends, and then all are told.
        _ok_or_closed -> written(state, teller)
      end
    else
      %{state | unsent: :queue.in({bytes, teller}, state.unsent)}
    end
  end

  defp write_unsent(state) do
    case :queue.out(state.unsent) do
      {:empty, _unsent} ->
        if state.phase == :stopping and Console.farewell(state.console) == :close do
          Native.service_close_input(state.resource)
        end

        state

      {{:value, {bytes, teller}}, unsent} ->
        case Program.write(state.resource, bytes) do
          {:full, rest} -> %{state | unsent: :queue.in_r({rest, teller}, unsent)}
          _ok_or_closed -> write_unsent(written(%{state | unsent: unsent}, teller))
        end
    end
  end

  defp written(state, nil), do: state

  defp written(state, who) do
    reply(who, :ok)
    state
  end

  defp reply({from, timer}, answer) do
    Process.cancel_timer(timer)
    GenServer.reply(from, answer)
  end

  # What comes

  @impl true
  def handle_info({:wasgo_service, ref, {:stdout, bytes}}, %{ref: ref} = state) do
    size = byte_size(bytes)

    with {:ok, output, status, console} <- Console.decode(state.console, bytes),
         was_open = Console.open?(state.console),
         state = %{state | console: console, status: status || state.status},
         state = if(was_open, do: state, else: opened(state)),
         {:ok, state} <- read(state, output) do
      if status, do: Native.service_stop(state.resource)
      {:noreply, state |> credit(size) |> flush_later()}
    else
      {:error, exception} -> broken(state, exception)
    end
  end

  def handle_info({:wasgo_service, ref, {:stderr, bytes}}, %{ref: ref} = state) do
    Logger.debug("a service says: #{inspect(bytes, printable_limit: 500)}")
    Native.service_give_credit(state.resource, 0, byte_size(bytes))
    {:noreply, state}
  end

  def handle_info({:wasgo_service, ref, :input_ready}, %{ref: ref} = state) do
    {:noreply, write_unsent(state)}
  end

  def handle_info({:wasgo_service, ref, {:exit, result}}, %{ref: ref} = state) do
    # A command's own status counts, not that of the machine around it.
    ended(last_output(state), exit_error(state, result))
  end

  def handle_info({:wasgo_service, ref, {:network, event}}, %{ref: ref} = state) do
    Network.handle(event, state.options.network, state.resource)
    {:noreply, state}
  end

  def handle_info({:flush, ref}, %{ref: ref} = state) do
    {output, console} = Console.flush(state.console)

    case read(%{state | console: console, flush_timer: nil}, output) do
      {:ok, state} -> {:noreply, state}
      {:error, exception} -> broken(state, exception)
    end
  end

  # Of a program that is no more.
  def handle_info({:wasgo_service, _ref, _event}, state), do: {:noreply, state}

  def handle_info({:late, owner, timeout}, state) do
    {who, waiting} = Waiting.give_up(state.waiting, owner)

    if who do
      message = "the service gave no answer within #{timeout} ms"
      reply(who, {:error, error(:timeout, message)})
    end

    {:noreply, %{state | waiting: waiting}}
  end

  def handle_info({:unsent, from, timeout}, state) do
    # What was begun has to be written to its end, or the rest would be taken for something else.
    unsent =
      :queue.filter(
        fn
          {bytes, {^from, _timer} = who} ->
            message = "the service took nothing within #{timeout} ms"
            reply(who, {:error, error(:timeout, message)})
            [{bytes, nil}]

          other ->
            [other]
        end,
        state.unsent
      )

    {:noreply, %{state | unsent: unsent}}
  end

  def handle_info({:not_ready, ref}, %{ref: ref, phase: :starting} = state) do
    Native.service_stop(state.resource)
    %{ready: ready, ready_timeout: timeout} = state.options

    what =
      if ready && Console.open?(state.console),
        do: "write #{inspect(ready)}",
        else: "come to its command"

    ended(state, error(:not_ready, "the service did not #{what} within #{timeout} ms"))
  end

  def handle_info(:start, %{phase: :resting} = state), do: handle_continue(:start, state)

  def handle_info(:stop_now, state) do
    if state.resource, do: Native.service_stop(state.resource)
    {:noreply, state}
  end

  def handle_info({:DOWN, _monitor, :process, pid, _reason}, %{subscriber: %{pid: pid}} = state) do
    {:noreply, pay(%{state | subscriber: Subscriber.gone()})}
  end

  def handle_info({:EXIT, _from, reason}, state), do: {:stop, reason, state}
  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    if state.span, do: Telemetry.stop(state.span, nil)
    if state.resource, do: Native.service_stop(state.resource)
  end

  # The machine has come to its command.
  defp opened(state) do
    if state.options.ready == nil and Console.open?(state.console) and state.phase == :starting,
      do: ready(state),
      else: state
  end

  defp read(state, output) do
    with {:ok, messages, framing} <- Framing.decode(state.framing, output) do
      {:ok, arrived(%{state | framing: framing}, messages)}
    end
  end

  # What the console holds back is passed on when nothing comes after it.
  defp flush_later(state) do
    if state.flush_timer, do: Process.cancel_timer(state.flush_timer)

    timer =
      if Console.holds?(state.console) do
        Process.send_after(self(), {:flush, state.ref}, @flush_after)
      end

    %{state | flush_timer: timer}
  end

  defp arrived(state, messages), do: Enum.reduce(messages, state, &arrived_one/2)

  # What it says before it is ready is no answer.
  defp arrived_one(message, %{phase: :starting, options: %{framing: :raw} = options} = state) do
    case Readiness.find(options.ready, state.text_before_ready <> message) do
      {:not_yet, text} -> %{state | text_before_ready: text}
      {:ready, ""} -> ready(state)
      {:ready, rest} -> state |> ready() |> unasked(rest)
    end
  end

  defp arrived_one(message, %{phase: :starting} = state) do
    if Readiness.message?(state.options.ready, message), do: ready(state), else: state
  end

  defp arrived_one(message, %{options: %{answers: {:by, field}}} = state) do
    with %{^field => key} <- message,
         {answered, waiting, _owner} <-
           Waiting.answer(state.waiting, key, Map.delete(message, field)) do
      answered(state, answered, waiting)
    else
      _nobodys -> unasked(state, message)
    end
  end

  defp arrived_one(message, state) do
    case Waiting.answer(state.waiting, message) do
      :none -> unasked(state, message)
      {answered, waiting, _owner} -> answered(state, answered, waiting)
    end
  end

  defp answered(state, nil, waiting), do: %{state | waiting: waiting}

  defp answered(state, {who, answer}, waiting) do
    reply(who, {:ok, answer})
    %{state | waiting: waiting}
  end

  # Messages that nobody asked for

  defp unasked(state, message) do
    if Subscriber.any?(state.subscriber) do
      %{state | subscriber: Subscriber.tell(state.subscriber, message)}
    else
      Logger.debug(
        "a service wrote what nobody asked for: #{inspect(message, printable_limit: 200)}"
      )

      state
    end
  end

  # What was read may be written anew, unless too much of it waits for the subscriber.
  defp credit(state, size), do: pay(%{state | owed: state.owed + size})

  defp pay(%{owed: owed} = state)
       when owed > 0 and state.subscriber.size < @backlog and state.resource != nil do
    Native.service_give_credit(state.resource, owed, 0)
    %{state | owed: 0}
  end

  defp pay(state), do: state

  # The end of a program

  defp last_output(state) do
    {output, console} = Console.flush(state.console)

    case read(%{state | console: console}, output) do
      {:ok, state} -> state
      {:error, _exception} -> state
    end
  end

  # What it writes can't be told apart any more.
  defp broken(state, exception) do
    Native.service_stop(state.resource)
    ended(state, exception)
  end

  # A service that is stopped, or can't be started, is over; another may be started anew.
  defp ended(%{phase: :stopping} = state, _exception), do: over(state)

  defp ended(%{starter: starter} = state, exception) when starter != nil do
    {:stop, :normal, state |> fail_all(exception) |> told({:error, exception})}
  end

  defp ended(%{options: %{restart: nil}} = state, exception) do
    {:stop, {:shutdown, exception}, fail_all(state, exception)}
  end

  defp ended(%{options: %{restart: restart}} = state, exception) do
    proven? = state.phase == :ready and now() - state.started_at >= @proven
    restarts = if proven?, do: 1, else: state.restarts + 1
    state = fail_all(state, exception)

    if is_integer(restart.max_restarts) and restarts > restart.max_restarts do
      {:stop, {:shutdown, exception}, state}
    else
      delay = min(restart.min_delay * Integer.pow(2, min(restarts - 1, 30)), restart.max_delay)
      Logger.warning("a service is started anew in #{delay} ms: #{Exception.message(exception)}")
      Process.send_after(self(), :start, delay)

      {:noreply,
       %{
         state
         | phase: :resting,
           resource: nil,
           ref: nil,
           restarts: restarts,
           total_restarts: state.total_restarts + 1
       }}
    end
  end

  defp over(state) do
    Enum.each(state.stopping, &GenServer.reply(&1, :ok))
    stopped = error(:stopped, "the service is stopped")
    state = state |> fail_all(stopped) |> told({:error, stopped})
    {:stop, :normal, %{state | stopping: []}}
  end

  defp fail_all(state, exception) do
    if state.span, do: Telemetry.stop(state.span, exception)
    for who <- Waiting.all(state.waiting), do: reply(who, {:error, exception})

    for {_bytes, who} <- :queue.to_list(state.unsent), who != nil do
      reply(who, {:error, exception})
    end

    if state.ready_timer, do: Process.cancel_timer(state.ready_timer)
    subscriber = Subscriber.ended(state.subscriber, exception)

    %{
      state
      | subscriber: subscriber,
        span: nil,
        resource: nil,
        waiting: Waiting.new(),
        unsent: :queue.new()
    }
  end

  defp exit_error(%{status: status}, _result) when status != nil, do: exited(status)

  defp exit_error(%{console: console}, {:ok, status}),
    do: Console.not_started(console, status) || exited(status)

  defp exit_error(_state, {:error, fault}) do
    exception = Result.exception(fault)
    error({:failed, exception}, "the service failed: " <> Exception.message(exception))
  end

  defp exited(status), do: error({:exited, status}, "the service ended with status #{status}")

  defp resting do
    error(:restarting, "the service's program ended, and is being started anew")
  end

  defp now, do: System.monotonic_time(:millisecond)

  defp error(reason, message), do: %ServiceError{reason: reason, message: message}
end
