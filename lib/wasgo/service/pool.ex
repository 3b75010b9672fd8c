defmodule Wasgo.Service.Pool do
  @moduledoc """
  Several copies of one service, for requests that don't depend on each other.

      {:ok, faces} =
        Wasgo.Service.Pool.start_link(
          size: 4,
          spares: 1,
          service: [module: "faces.wasm", console: :container2wasm, command: ["/app/faces"], framing: :json_lines]
        )

      {:ok, face} = Wasgo.Service.Pool.request(faces, %{"text" => "hello"}, 500)

  A request goes to the copy that has the fewest under way. One that takes longer than its deadline costs its copy its place: a warm spare takes
  it at once, and a new copy is started in the background. The same when a copy ends, is killed, or writes what can't be understood. Copies share the memory that their program
  begins with, so that ten of a container's image take little more than one.

  ## Options

    * `:service` - the options of `Wasgo.Service.start_link/1`, without `:name`, `:restart` and `:subscriber`; required
    * `:size` - copies that answer, 2 unless given
    * `:spares` - copies that are ready and wait, 0 unless given
    * `:max_in_flight` - requests that one copy is given at once, 8 unless given. Answers come in order, so that more than one is of use only
      where a copy is not to wait for its next request
    * `:max_waiting` - requests that may wait for a copy, 1,024 unless given
    * `:name` - as for `GenServer`

  A copy that can't be started is tried again after a pause that doubles, from 100 ms to 30 s. The pool itself goes on; requests wait until their deadlines.
  """

  use GenServer

  require Logger

  alias Wasgo.{Service, ServiceError}
  alias Wasgo.Service.{Options, Server}

  @default_timeout 5_000
  @shortest_pause 100
  @longest_pause 30_000

  @options [
    service: [type: :keyword, required: true],
    size: [type: {:range, 1..1_000}, default: 2],
    spares: [type: {:range, 0..1_000}, default: 0],
    max_in_flight: [type: :pos_integer, default: 8],
    max_waiting: [type: :non_neg_integer, default: 1_024],
    name: [type: :any, default: nil]
  ]

  @request [retries: [type: {:range, 0..100}, default: 0]]

  # What may be asked of another copy: this one ended before it answered.
  @ended [:stopped, :restarting]

  defstruct [
    :options,
    :starter,
    # Copies that answer, with what each has under way; those that are ready and wait; those that are being started.
    copies: %{},
    spares: [],
    starting: %{},
    # Who was given which copy, by the monitor of who asked.
    given: %{},
    # Who waits for a copy.
    waiting: :queue.new(),
    pause: @shortest_pause,
    resting: 0,
    replaced: 0,
    last_error: nil
  ]

  @doc false
  # The options, for a supervisor that checks them before it starts anything.
  def options, do: @options

  @doc false
  def child_spec(options) do
    %{id: Keyword.get(options, :name, __MODULE__), start: {__MODULE__, :start_link, [options]}}
  end

  @doc """
  Starts the copies, and returns when the first is ready; the others follow. Errors are those of `Wasgo.Service.start_link/1`.

      iex> namer = [module: "guest/services/namer.wasm", ready: "READY"]
      iex> {:ok, namers} = Wasgo.Service.Pool.start_link(service: namer, size: 2, spares: 1, max_in_flight: 1)
      iex> Wasgo.Service.Pool.request(namers, "0 0 3 60 45 0.1 10 3")
      {:ok, "Upper Whitlow Fell"}
  """
  @spec start_link(keyword()) ::
          {:ok, pid()} | {:error, Exception.t() | {:already_started, pid()}}
  def start_link(options) do
    owner = "Wasgo.Service.Pool.start_link/1"
    options = Wasgo.Options.validate!(options, @options, owner)

    for name <- [:name, :restart, :subscriber], Keyword.has_key?(options.service, name) do
      raise ArgumentError, "#{owner}: a pool's copies have no option #{inspect(name)}"
    end

    options = %{options | service: Options.validate!(options.service, owner <> ", :service")}
    server = if options.name, do: [name: options.name], else: []
    reference = make_ref()

    with {:ok, module} <- Options.module(options.service.module),
         options = put_in(options.service.module, module),
         {:ok, pid} <- GenServer.start_link(__MODULE__, {options, {self(), reference}}, server) do
      Server.await_ready(pid, reference)
    end
  end

  @doc """
  Asks one of the copies, as `Wasgo.Service.request/3` does.

  `timeout` bounds all of it: waiting for a copy, the request, and with `retries: number` another try or more with another copy. Only a request whose copy ended
  before it answered is tried again: one that can do something twice should not be.

  Errors: those of `Wasgo.Service.request/3`; `:busy` when too many wait for a copy.

      iex> {:ok, namers} = Wasgo.Service.Pool.start_link(service: [module: "guest/services/namer.wasm", ready: "READY"])
      iex> Wasgo.Service.Pool.request(namers, "0 0 3 60 45 0.1 10 3", 5_000, retries: 1)
      {:ok, "Upper Whitlow Fell"}
  """
  @spec request(GenServer.server(), term(), pos_integer(), keyword()) ::
          {:ok, term()} | {:error, Exception.t()}
  def request(pool, message, timeout \\ @default_timeout, options \\ [])
      when is_integer(timeout) and timeout > 0 do
    %{retries: retries} =
      Wasgo.Options.validate!(options, @request, "Wasgo.Service.Pool.request/4")

    ask(pool, message, timeout, now() + timeout, retries)
  end

  defp ask(pool, message, timeout, deadline, retries) do
    with {:ok, copy, ticket} <- call(pool, {:take, deadline}) do
      case Service.request(copy, message, max(deadline - now(), 1)) do
        {:error, %ServiceError{reason: reason} = error} ->
          GenServer.cast(pool, {:give_back, ticket, fault(reason)})

          if retries > 0 and ended?(reason) and now() < deadline,
            do: ask(pool, message, timeout, deadline, retries - 1),
            else: {:error, error}

        answer ->
          GenServer.cast(pool, {:give_back, ticket, :fine})
          answer
      end
    end
  end

  # Late is what has to be waited for before the next can be answered.
  defp fault(:timeout), do: :late
  defp fault(_other), do: :fine

  defp ended?(reason),
    do: reason in @ended or match?({kind, _what} when kind in [:exited, :failed], reason)

  @doc """
  How the pool is: how many copies are `:ready`, `:spare`, `:starting`, requests `:in_flight` and `:waiting`, copies that were `:replaced`, and the
  pids of the `:copies`.

      iex> {:ok, namers} = Wasgo.Service.Pool.start_link(service: [module: "guest/services/namer.wasm", ready: "READY"], size: 1)
      iex> {:ok, info} = Wasgo.Service.Pool.info(namers)
      iex> {info.ready, info.in_flight, info.replaced}
      {1, 0, 0}
  """
  @spec info(GenServer.server()) :: {:ok, map()} | {:error, ServiceError.t()}
  def info(pool) do
    with %{} = info <- call(pool, :info), do: {:ok, info}
  end

  @doc """
  Stops all copies.

      iex> {:ok, pool} = Wasgo.Service.Pool.start_link(size: 1, service: [module: "guest/services/namer.wasm", ready: "READY"])
      iex> Wasgo.Service.Pool.stop(pool)
      :ok
  """
  @spec stop(GenServer.server()) :: :ok
  def stop(pool) do
    GenServer.stop(pool)
  catch
    :exit, _stopped_before -> :ok
  end

  defp call(pool, request) do
    GenServer.call(pool, request, :infinity)
  catch
    :exit, {reason, {GenServer, :call, _arguments}} when reason != :calling_self ->
      {:error, error(:stopped, "the pool is stopped")}
  end

  @impl true
  def init({options, starter}) do
    Process.flag(:trap_exit, true)
    name = Wasgo.Label.name(options.name)
    Wasgo.Label.put({__MODULE__, name}, wasgo_service: name)
    state = %__MODULE__{options: options, starter: starter}

    {:ok,
     Enum.reduce(1..(options.size + options.spares), state, fn _, state -> start_one(state) end)}
  end

  defp start_one(state) do
    reference = make_ref()
    {:ok, pid} = Server.start_link(state.options.service, {self(), reference})
    %{state | starting: Map.put(state.starting, reference, pid)}
  end

  @impl true
  def handle_call({:take, deadline}, {pid, _tag} = from, state) do
    if :queue.len(state.waiting) >= state.options.max_waiting and free(state) == nil do
      message = "#{state.options.max_waiting} requests wait for a copy of this service already"
      {:reply, {:error, error(:busy, message)}, state}
    else
      monitor = Process.monitor(pid)
      timer = Process.send_after(self(), {:late, monitor}, max(deadline - now(), 0))
      {:noreply, serve(%{state | waiting: :queue.in({monitor, from, timer}, state.waiting)})}
    end
  end

  def handle_call(:info, _from, state) do
    info = %{
      ready: map_size(state.copies),
      spare: length(state.spares),
      starting: map_size(state.starting) + state.resting,
      in_flight: map_size(state.given),
      waiting: :queue.len(state.waiting),
      replaced: state.replaced,
      copies: Map.keys(state.copies)
    }

    {:reply, info, state}
  end

  @impl true
  def handle_cast({:give_back, ticket, how}, state) do
    {copy, state} = give_back(state, ticket)
    state = if how == :late and copy != nil, do: replace(state, copy), else: state
    {:noreply, serve(state)}
  end

  @impl true
  def handle_info({reference, {:ok, pid}}, %{starting: starting} = state)
      when is_map_key(starting, reference) do
    state =
      told(
        %{state | starting: Map.delete(starting, reference), pause: @shortest_pause},
        {:ok, self()}
      )

    {:noreply, serve(filled(%{state | spares: state.spares ++ [pid]}))}
  end

  def handle_info({reference, {:error, exception}}, %{starting: starting} = state)
      when is_map_key(starting, reference) do
    state = %{state | starting: Map.delete(starting, reference), last_error: exception}

    if state.starter do
      {:stop, :normal, told(state, {:error, exception})}
    else
      Logger.warning(
        "a copy of a service is started anew in #{state.pause} ms: #{Exception.message(exception)}"
      )

      Process.send_after(self(), :start, state.pause)

      {:noreply,
       %{state | pause: min(2 * state.pause, @longest_pause), resting: state.resting + 1}}
    end
  end

  def handle_info(:start, state) do
    {:noreply, start_one(%{state | resting: state.resting - 1})}
  end

  # Who asked is gone.
  def handle_info({:DOWN, monitor, :process, _pid, _reason}, %{given: given} = state)
      when is_map_key(given, monitor) do
    {_copy, state} = give_back(state, monitor)
    {:noreply, serve(state)}
  end

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    {:noreply, forget(state, monitor, fn timer, _from -> Process.cancel_timer(timer) end)}
  end

  def handle_info({:late, monitor}, state) do
    {:noreply,
     forget(state, monitor, fn _timer, from ->
       Process.demonitor(monitor, [:flush])
       GenServer.reply(from, {:error, no_copy(state)})
     end)}
  end

  # A copy ended, or whoever owns the pool.
  def handle_info({:EXIT, pid, reason}, state) do
    cond do
      is_map_key(state.copies, pid) ->
        {:noreply, serve(filled(start_one(without(state, pid))))}

      pid in state.spares ->
        {:noreply, start_one(%{state | spares: List.delete(state.spares, pid)})}

      # A copy that failed to start told so before; one that was replaced has its successor already.
      reason == :normal or match?({:shutdown, %{__exception__: true}}, reason) or
          reason == :killed ->
        {:noreply, started_no_more(state, pid)}

      true ->
        {:stop, reason, state}
    end
  end

  def handle_info(_other, state), do: {:noreply, state}

  # One that was killed while it started told nothing.
  defp started_no_more(state, pid) do
    case Enum.find(state.starting, fn {_reference, starting} -> starting == pid end) do
      nil -> state
      {reference, _pid} -> start_one(%{state | starting: Map.delete(state.starting, reference)})
    end
  end

  defp told(%{starter: nil} = state, _result), do: state

  defp told(%{starter: {pid, reference}} = state, result) do
    send(pid, {reference, result})
    %{state | starter: nil}
  end

  # Spares take free places.
  defp filled(%{spares: [pid | spares]} = state)
       when map_size(state.copies) < state.options.size do
    filled(%{state | spares: spares, copies: Map.put(state.copies, pid, 0)})
  end

  defp filled(state), do: state

  defp without(state, pid) do
    given = state.given |> Enum.reject(fn {_monitor, copy} -> copy == pid end) |> Map.new()
    for {monitor, ^pid} <- state.given, do: Process.demonitor(monitor, [:flush])
    %{state | copies: Map.delete(state.copies, pid), given: given, replaced: state.replaced + 1}
  end

  # Its place is another's; it is stopped wherever it is, and those who wait for it hear that.
  defp replace(state, pid) do
    if is_map_key(state.copies, pid) do
      state = state |> without(pid) |> start_one() |> filled()
      Process.exit(pid, :kill)
      state
    else
      state
    end
  end

  defp give_back(state, ticket) do
    case Map.pop(state.given, ticket) do
      {nil, _given} ->
        {nil, state}

      {copy, given} ->
        Process.demonitor(ticket, [:flush])

        {copy,
         %{state | given: given, copies: Map.replace(state.copies, copy, state.copies[copy] - 1)}}
    end
  end

  # Whoever waits the longest gets the copy that has the least to do.
  defp serve(state) do
    with {:value, {monitor, from, timer}} <- :queue.peek(state.waiting),
         copy when copy != nil <- free(state) do
      Process.cancel_timer(timer)
      GenServer.reply(from, {:ok, copy, monitor})

      serve(%{
        state
        | waiting: :queue.drop(state.waiting),
          given: Map.put(state.given, monitor, copy),
          copies: Map.update!(state.copies, copy, &(&1 + 1))
      })
    else
      _nobody_or_nothing -> state
    end
  end

  defp free(%{copies: copies}) when map_size(copies) == 0, do: nil

  defp free(state) do
    {copy, busy} = Enum.min_by(state.copies, fn {_pid, busy} -> busy end)
    if busy < state.options.max_in_flight, do: copy
  end

  defp forget(state, monitor, fun) do
    waiting =
      :queue.filter(
        fn
          {^monitor, from, timer} ->
            fun.(timer, from)
            false

          _other ->
            true
        end,
        state.waiting
      )

    %{state | waiting: waiting}
  end

  defp no_copy(%{copies: copies, last_error: error})
       when map_size(copies) == 0 and error != nil do
    error(:not_ready, "no copy of the service could be started: #{Exception.message(error)}")
  end

  defp no_copy(_state), do: error(:timeout, "no copy of the service was free in time")

  defp now, do: System.monotonic_time(:millisecond)

  defp error(reason, message), do: %ServiceError{reason: reason, message: message}
end
