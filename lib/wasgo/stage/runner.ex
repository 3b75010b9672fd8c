defmodule Wasgo.Stage.Runner do
  @moduledoc false
  # Runs one stage in workers for a process that must not wait for it, and gives what comes of it in the order of what went in.
  #
  # A runner is a value of its owner's: it has no process but its workers. The owner pushes items, hands over the messages that `message?/2` knows,
  # and gets events:
  #
  #   * `{:format, format}`, `{:buffers, buffers}`
  #   * `{:error, exception, buffer}` - in place of a buffer; `nil` for an error of something else
  #   * `{:stop, exception}` and `:end_of_stream` - nothing comes behind these
  #
  # A stage that says it is stateless may have several workers. A change of format and the end of the stream wait until all before them is done,
  # and go to each worker.

  alias Wasgo.{LimitError, Stage, StageError}
  alias Wasgo.Stage.Worker

  # Items that a worker is given at once, at most.
  @batch 32

  # Buffers that may come of one, at most: a stage that floods would fill the memory before anyone could slow it.
  @most_outputs 10_000

  @enforce_keys [:module, :options, :start, :count, :timeout]
  defstruct [
    :module,
    :options,
    :start,
    :count,
    :timeout,
    phase: :starting,
    source?: false,
    # What a source makes, and what a filter's input is now.
    format: nil,
    input_format: nil,
    # pid => %{ref:, items: what it was given and has not finished, timer:}
    workers: %{},
    starting: 0,
    waiting: :queue.new(),
    # Of items that are not the next to be told of: number => outcome.
    done: %{},
    # Without order: what is told of before its turn, the last first.
    ordered: true,
    early: [],
    # number => what the workers have said of a format or the end, until all have
    gathered: %{},
    next_in: 0,
    next_out: 0
  ]

  @type t :: %__MODULE__{}

  @type event ::
          {:format, term()}
          | {:buffers, [Wasgo.Buffer.t()]}
          | {:error, Exception.t(), Wasgo.Buffer.t() | nil}
          | {:stop, Exception.t()}
          | :end_of_stream

  @schema [
    max_concurrency: [type: {:range, 1..64}, default: 1],
    timeout: [type: {:or, [:timeout, {:in, [:infinity]}]}, default: :infinity],
    ordered: [type: :boolean, default: true],
    # Starts a worker: what a supervisor has to do with it.
    start: [type: {:function, 1}, default: &Worker.start/1]
  ]

  # Starts the workers. They begin later: `:ready` or `{:failed, exception}` is the first event.
  @spec new({module(), map()}, keyword()) :: t()
  def new({module, options}, settings \\ []) do
    settings = Wasgo.Options.validate!(settings, @schema, "Wasgo.Stage.Runner")
    count = concurrency!(module, options, settings.max_concurrency)

    runner = %__MODULE__{
      module: module,
      options: options,
      start: settings.start,
      count: count,
      timeout: settings.timeout,
      ordered: settings.ordered,
      source?: Stage.source?(module)
    }

    Enum.reduce(1..count, runner, fn _number, runner -> start_worker(runner) end)
  end

  # Raises for a stage that can't have so many workers.
  @spec concurrency!(module(), map(), pos_integer()) :: pos_integer()
  def concurrency!(_module, _options, 1), do: 1

  def concurrency!(module, options, wanted) do
    unless Stage.stateless?(module, options) do
      raise ArgumentError,
            "option :max_concurrency must be 1 for #{inspect(module)}: it has a state that goes from buffer to buffer"
    end

    wanted
  end

  # Items that were pushed and are not done.
  @spec size(t()) :: non_neg_integer()
  def size(runner), do: runner.next_in - runner.next_out

  @spec push(t(), Worker.item()) :: t()
  def push(%{phase: :ended} = runner, _item), do: runner

  def push(runner, item) do
    waiting = :queue.in({runner.next_in, item}, runner.waiting)
    dispatch(%{runner | next_in: runner.next_in + 1, waiting: waiting})
  end

  # An error of before, which keeps its place.
  @spec pass(t(), {:error, Exception.t(), nil}) :: {[event()], t()}
  def pass(runner, {:error, _exception, nil} = outcome) do
    number = runner.next_in
    tell(put_done(%{runner | next_in: number + 1}, number, outcome), [])
  end

  # Has a source make `size` more buffers.
  @spec demand(t(), pos_integer()) :: t()
  def demand(runner, size) do
    for {pid, _worker} <- runner.workers, do: Worker.demand(pid, size)
    runner
  end

  # Ends the workers; what they were at is given up.
  @spec stop(t()) :: t()
  def stop(runner) do
    for {pid, worker} <- runner.workers do
      forget(pid, worker)
      Worker.stop(pid)
    end

    %{runner | workers: %{}, phase: :ended, waiting: :queue.new(), done: %{}}
  end

  # Whatever a worker still says is not heard: the owner may have other uses for its messages than to wonder about these.
  defp forget(pid, worker) do
    :erlang.unalias(worker.alias)
    Process.demonitor(worker.ref, [:flush])
    cancel(worker.timer)
    flush(pid)
  end

  defp flush(pid) do
    receive do
      {Worker, ^pid, _event} -> flush(pid)
    after
      0 -> :ok
    end
  end

  # Whether a message is for `handle/2`.
  @spec message?(t(), term()) :: boolean()
  def message?(runner, {Worker, pid, _event}), do: is_map_key(runner.workers, pid)

  def message?(runner, {:DOWN, ref, :process, pid, _reason}),
    do: match?(%{^pid => %{ref: ^ref}}, runner.workers)

  def message?(_runner, _message), do: false

  # Waits for one of the messages, and handles it; `:none` if none comes in time.
  @spec receive_event(t(), timeout()) ::
          {[event() | :ready | {:failed, Exception.t()}], t()} | :none
  def receive_event(runner, timeout) do
    receive do
      {Worker, pid, _event} = message when is_map_key(runner.workers, pid) ->
        handle(runner, message)

      {:DOWN, ref, :process, pid, _reason} = message
      when is_map_key(runner.workers, pid) and
             :erlang.map_get(:ref, :erlang.map_get(pid, runner.workers)) == ref ->
        handle(runner, message)
    after
      timeout -> :none
    end
  end

  @spec handle(t(), term()) :: {[event() | :ready | {:failed, Exception.t()}], t()}
  def handle(runner, {Worker, pid, event}), do: handle_more(told(runner, pid, event), [])
  def handle(runner, {:DOWN, _ref, :process, pid, reason}), do: died(runner, pid, reason)

  # What workers have said meanwhile is taken at once: the owner's own ways with a message may cost more than a stage does.
  defp handle_more({events, runner}, before) do
    events = [events | before]

    receive do
      {Worker, pid, event} when is_map_key(runner.workers, pid) ->
        handle_more(told(runner, pid, event), events)
    after
      0 -> {events |> Enum.reverse() |> Enum.concat() |> joined(), runner}
    end
  end

  # Buffers one behind the other are one event: whoever passes them on does so with one message.
  defp joined(events) do
    events
    |> Enum.chunk_by(&match?({:buffers, _}, &1))
    |> Enum.flat_map(fn
      [{:buffers, _}, _ | _] = many -> [{:buffers, Enum.flat_map(many, &elem(&1, 1))}]
      one_or_others -> one_or_others
    end)
  end

  defp told(%{phase: :ended} = runner, _pid, _event), do: {[], runner}

  defp told(runner, pid, {:ready, format}) do
    runner = put_worker(runner, pid, :idle?, true)
    starting = runner.starting - 1
    runner = dispatch(%{runner | starting: starting, format: format})

    if starting == 0 and runner.phase == :starting,
      do: {[:ready], %{runner | phase: :running}},
      else: {[], runner}
  end

  defp told(%{phase: :starting} = runner, _pid, {:failed, exception}),
    do: {[{:failed, exception}], stop(runner)}

  # One that came for another that had died.
  defp told(runner, _pid, {:failed, exception}), do: {[{:stop, exception}], stop(runner)}

  defp told(runner, _pid, {:made, outcome}) do
    case outcome do
      {:ok, buffers} -> {[{:buffers, buffers}], runner}
      {:error, exception} -> {[{:error, exception, nil}], runner}
      {:stop, exception} -> {[{:stop, exception}], stop(runner)}
      {:end_of_stream, []} -> {[:end_of_stream], stop(runner)}
      {:end_of_stream, buffers} -> {[{:buffers, buffers}, :end_of_stream], stop(runner)}
    end
  end

  defp told(runner, pid, {:done, number, outcome}) do
    %{items: [{^number, item} | rest]} = worker = Map.fetch!(runner.workers, pid)
    worker = rearm(%{worker | items: rest}, runner.timeout, pid)

    %{runner | workers: Map.put(runner.workers, pid, worker)}
    |> finished(number, item, outcome)
    |> tell([])
  end

  defp told(runner, pid, :idle) do
    runner |> put_worker(pid, :idle?, true) |> dispatch() |> tell([])
  end

  defp told(runner, pid, {:late, token}) do
    case Map.fetch!(runner.workers, pid) do
      %{token: ^token, items: [_ | _]} ->
        Process.exit(pid, :kill)
        message = "#{inspect(runner.module)} did not finish a buffer in #{runner.timeout} ms"
        lost(runner, pid, %LimitError{reason: :time, message: message, value: runner.timeout})

      _finished_meanwhile ->
        {[], runner}
    end
  end

  defp died(%{phase: :starting} = runner, _pid, reason),
    do: {[{:failed, StageError.killed(runner.module, reason)}], stop(runner)}

  defp died(%{source?: true} = runner, _pid, reason),
    do: {[{:stop, StageError.killed(runner.module, reason)}], stop(runner)}

  defp died(runner, pid, reason), do: lost(runner, pid, StageError.killed(runner.module, reason))

  # A worker is gone: what it was at is an error, what it was to do next another does.
  defp lost(runner, pid, exception) do
    {worker, workers} = Map.pop!(runner.workers, pid)
    forget(pid, worker)
    runner = start_worker(%{runner | workers: workers})

    case worker.items do
      [] ->
        {[], runner}

      # The end comes all the same: the error is told, and then nothing follows.
      [{number, :end_of_stream} | _none] ->
        tell(gather(runner, number, {:end_of_stream, []}), [{:error, exception, nil}])

      [{number, item} | rest] ->
        waiting = Enum.reduce(Enum.reverse(rest), runner.waiting, &:queue.in_r/2)
        tell(finished(%{runner | waiting: waiting}, number, item, {:error, exception}), [])
    end
  end

  defp start_worker(runner) do
    ear = :erlang.alias()
    argument = {runner.module, runner.options, self(), ear, runner.input_format}
    {:ok, pid} = runner.start.(argument)
    ref = Process.monitor(pid)
    worker = %{alias: ear, ref: ref, items: [], timer: nil, token: nil, idle?: false}

    %{
      runner
      | workers: Map.put(runner.workers, pid, worker),
        starting: runner.starting + 1
    }
  end

  defp finished(runner, number, {:buffer, buffer}, outcome) do
    outcome =
      case outcome do
        {:ok, buffers} -> bounded(runner.module, buffers, buffer)
        {:error, exception} -> {:error, exception, buffer}
        {:stop, _exception} = stop -> stop
      end

    put_done(
      before_its_turn(runner, outcome),
      number,
      if(runner.ordered, do: outcome, else: settled(outcome))
    )
  end

  defp finished(runner, number, {:format, format}, {:format, _output} = outcome),
    do: gather(%{runner | input_format: format}, number, outcome)

  defp finished(runner, number, _barrier, outcome), do: gather(runner, number, outcome)

  # A buffer was only given to a worker when all that concerns it had been told of: its outcome may be told of at once.
  defp before_its_turn(%{ordered: false} = runner, {:ok, [_ | _] = buffers}),
    do: %{runner | early: [{:buffers, buffers} | runner.early]}

  defp before_its_turn(%{ordered: false} = runner, {:error, _exception, _buffer} = error),
    do: %{runner | early: [error | runner.early]}

  defp before_its_turn(runner, _outcome), do: runner

  defp settled({:stop, _exception} = stop), do: stop
  defp settled(_told), do: {:ok, []}

  defp put_done(runner, number, outcome),
    do: %{runner | done: Map.put(runner.done, number, outcome)}

  # Every worker answers a format and the end; what they say is put together.
  defp gather(runner, number, outcome) do
    gathered = [outcome | Map.get(runner.gathered, number, [])]

    if length(gathered) == runner.count do
      runner = %{runner | gathered: Map.delete(runner.gathered, number)}
      put_done(runner, number, gathered |> Enum.reverse() |> together())
    else
      %{runner | gathered: Map.put(runner.gathered, number, gathered)}
    end
  end

  defp together(outcomes) do
    Enum.find(outcomes, &match?({:stop, _}, &1)) ||
      Enum.find(outcomes, &match?({:error, _}, &1)) ||
      Enum.reduce(outcomes, fn
        {:end_of_stream, more}, {:end_of_stream, buffers} -> {:end_of_stream, buffers ++ more}
        {:format, _format}, {:format, format} -> {:format, format}
      end)
  end

  defp bounded(_module, [], _from), do: {:ok, []}

  defp bounded(module, buffers, from) do
    count = length(buffers)

    if count > @most_outputs do
      message =
        "#{inspect(module)} made #{count} buffers of one, and #{@most_outputs} are the limit"

      exception = %LimitError{
        reason: :buffers,
        message: message,
        value: @most_outputs,
        asked: count
      }

      {:error, exception, from}
    else
      {:ok, buffers}
    end
  end

  # What may be told of, in order.
  defp tell(%{early: [_ | _] = early} = runner, events),
    do: tell(%{runner | early: []}, early ++ events)

  defp tell(runner, events) do
    case Map.pop(runner.done, runner.next_out) do
      {nil, _done} ->
        {Enum.reverse(events), dispatch(runner)}

      {outcome, done} ->
        runner = %{runner | done: done, next_out: runner.next_out + 1}

        case outcome do
          {:ok, []} ->
            tell(runner, events)

          {:ok, buffers} ->
            tell(runner, [{:buffers, buffers} | events])

          {:format, format} ->
            tell(runner, [{:format, format} | events])

          {:error, exception, buffer} ->
            tell(runner, [{:error, exception, buffer} | events])

          # A stage that can't take the stream's format, or fails at its end, has no way to go on.
          {ended, exception} when ended in [:error, :stop] ->
            ended(runner, [{:stop, exception} | events])

          {:end_of_stream, []} ->
            ended(runner, [:end_of_stream | events])

          {:end_of_stream, last} ->
            ended(runner, [:end_of_stream, {:buffers, last} | events])
        end
    end
  end

  defp ended(runner, events), do: {Enum.reverse(events), stop(runner)}

  # Gives idle workers what waits.
  defp dispatch(runner) do
    case :queue.peek(runner.waiting) do
      :empty -> runner
      {:value, {_number, {:buffer, _}}} -> dispatch_buffers(runner, idle(runner))
      {:value, barrier} -> dispatch_barrier(runner, barrier, idle(runner))
    end
  end

  defp idle(runner), do: for({pid, %{idle?: true}} <- runner.workers, do: pid)

  defp dispatch_barrier(runner, barrier, idle) when length(idle) == runner.count do
    runner = %{runner | waiting: :queue.drop(runner.waiting)}
    Enum.reduce(idle, runner, &give(&2, &1, [barrier]))
  end

  defp dispatch_barrier(runner, _barrier, _idle), do: runner

  defp dispatch_buffers(runner, []), do: runner

  defp dispatch_buffers(runner, [pid | others]) do
    # Those that are busy now have their share too.
    share = max(div(:queue.len(runner.waiting), runner.count), 1)

    case take_buffers(runner.waiting, min(share, @batch), []) do
      {[], _waiting} ->
        runner

      {items, waiting} ->
        %{runner | waiting: waiting} |> give(pid, items) |> dispatch_buffers(others)
    end
  end

  defp take_buffers(waiting, 0, items), do: {Enum.reverse(items), waiting}

  defp take_buffers(waiting, left, items) do
    case :queue.peek(waiting) do
      {:value, {_number, {:buffer, _}} = item} ->
        take_buffers(:queue.drop(waiting), left - 1, [item | items])

      _barrier_or_empty ->
        {Enum.reverse(items), waiting}
    end
  end

  defp give(runner, pid, items) do
    worker = Map.fetch!(runner.workers, pid)
    Worker.work(pid, items)
    worker = rearm(%{worker | items: items, idle?: false}, runner.timeout, pid)
    %{runner | workers: Map.put(runner.workers, pid, worker)}
  end

  # The time that a worker has for its next item.
  defp rearm(worker, :infinity, _pid), do: worker
  defp rearm(%{items: []} = worker, _timeout, _pid), do: %{worker | timer: cancel(worker.timer)}

  defp rearm(worker, timeout, pid) do
    cancel(worker.timer)
    token = make_ref()
    timer = Process.send_after(self(), {Worker, pid, {:late, token}}, timeout)
    %{worker | timer: timer, token: token}
  end

  defp cancel(nil), do: nil
  defp cancel(timer), do: with(_left <- Process.cancel_timer(timer), do: nil)

  defp put_worker(runner, pid, key, value),
    do: %{runner | workers: Map.update!(runner.workers, pid, &Map.put(&1, key, value))}
end
