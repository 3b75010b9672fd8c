defmodule Wasgo.Stage.Worker do
  @moduledoc false
  # A process that a stage lives in, for runtimes that must not wait for it themselves. It answers its owner, at an
  # alias of that's, with `{Wasgo.Stage.Worker, worker, event}`:
  #
  #   * `{:ready, format}` - the stage began; what `handle_format(nil, state)` gave, for a source
  #   * `{:failed, exception}` - it did not
  #   * `{:done, number, outcome}` - an item is finished; told before the next begins, which the worker may die over
  #   * `:idle` - all of the batch is
  #   * `{:made, outcome}` - what a source made
  #
  # Nothing is said of an item that the worker died over: owners monitor it. It ends with its owner, however that ends.

  alias Wasgo.{Buffer, Label, Stage, StageError}
  alias Wasgo.Stage.{Guard, Meter}

  @typedoc "What a worker does: a buffer, a change of the stream's format, or the stream's end."
  @type item :: {:buffer, Buffer.t()} | {:format, term()} | :end_of_stream

  @typedoc "What came of an item: buffers or a format, or an error in its place, or the end of the stage."
  @type outcome ::
          {:ok, [Buffer.t()]}
          | {:format, term()}
          | {:error, Exception.t()}
          | {:stop, Exception.t()}
          | {:end_of_stream, [Buffer.t()]}

  @typedoc "The stage, its checked options, the process that owns it, where that hears, and the format that the input has already."
  @type argument :: {module(), map(), pid(), reference(), term()}

  # For a supervisor: a stage that is being ended gets a moment to give back what it opened.
  @spec child_spec(argument()) :: Supervisor.child_spec()
  def child_spec(argument) do
    %{
      id: make_ref(),
      start: {__MODULE__, :start_link, [argument]},
      restart: :temporary,
      shutdown: 200
    }
  end

  @spec start_link(argument()) :: {:ok, pid()}
  def start_link(argument), do: {:ok, :proc_lib.spawn_link(__MODULE__, :init, [argument])}

  @spec start(argument()) :: {:ok, pid()}
  def start(argument), do: {:ok, :proc_lib.spawn(__MODULE__, :init, [argument])}

  # Has a filter or sink do items.
  @spec work(pid(), [{non_neg_integer(), item()}]) :: :ok
  def work(worker, items) do
    send(worker, {__MODULE__, :work, items})
    :ok
  end

  # Has a source make `size` more buffers.
  @spec demand(pid(), pos_integer()) :: :ok
  def demand(worker, size) do
    send(worker, {__MODULE__, :demand, size})
    :ok
  end

  # Ends the worker: between two items if it gets there soon, else in the middle. Doesn't wait.
  @spec stop(pid()) :: :ok
  def stop(worker) do
    send(worker, {__MODULE__, :stop})
    Guard.end_soon(worker)
    :ok
  end

  @doc false
  def init({module, options, owner, ear, format}) do
    Process.flag(:trap_exit, true)
    Label.put({Stage, module}, wasgo_stage: module)
    Guard.watch(owner, self())
    owner_ref = Process.monitor(owner)
    meter = Meter.start(module)

    case begin(module, options, format) do
      {:ok, state, format} ->
        tell(ear, {:ready, format})

        loop(%{
          module: module,
          state: state,
          meter: meter,
          ear: ear,
          owner_ref: owner_ref,
          demand: 0
        })

      {:error, exception} ->
        Meter.stop(meter, exception)
        tell(ear, {:failed, exception})
    end
  end

  defp begin(module, options, format) do
    with {:ok, state} <- guarded(module, :init, fn -> module.init(options) end) do
      if Stage.source?(module) or format != nil,
        do: begin_format(module, state, format),
        else: {:ok, state, nil}
    end
  end

  defp begin_format(module, state, format) do
    case guarded(module, :handle_format, fn -> format(module, format, state) end) do
      {:ok, format, state} -> {:ok, state, format}
      {:error, exception, state} -> with(_ <- terminate(module, state), do: {:error, exception})
      {:error, exception} -> with(_ <- terminate(module, state), do: {:error, exception})
    end
  end

  defp loop(%{demand: demand} = worker) when demand > 0 do
    # More may have been asked for, or the end.
    case message(worker, 0) do
      :none -> worker |> make() |> next()
      message -> worker |> take(message) |> next()
    end
  end

  defp loop(worker), do: worker |> take(message(worker, :infinity)) |> next()

  defp next({:stop, worker}), do: stop(worker, nil)
  defp next({:stop, worker, exception}), do: stop(worker, exception)
  defp next(worker), do: loop(worker)

  # What is for the worker. All else is for the stage, which may be waiting for it the next time that it is called.
  defp message(%{owner_ref: owner_ref}, timeout) do
    receive do
      {__MODULE__, :work, _items} = message -> message
      {__MODULE__, :demand, _size} = message -> message
      {__MODULE__, :stop} = message -> message
      {:DOWN, ^owner_ref, :process, _owner, _reason} -> {__MODULE__, :stop}
      # The supervisor, or a process that the stage linked to: the stage would have died with it.
      {:EXIT, _pid, reason} when reason != :normal -> {__MODULE__, :stop}
    after
      timeout -> :none
    end
  end

  defp take(worker, {__MODULE__, :work, items}), do: work_off(worker, items)
  defp take(worker, {__MODULE__, :demand, size}), do: %{worker | demand: worker.demand + size}
  defp take(worker, {__MODULE__, :stop}), do: {:stop, worker}

  defp work_off(worker, []) do
    tell(worker.ear, :idle)
    worker
  end

  defp work_off(worker, [{number, item} | rest]) do
    {outcome, state, meter} = run(worker.module, worker.meter, item, worker.state)
    tell(worker.ear, {:done, number, outcome})
    worker = %{worker | state: state, meter: meter}

    case outcome do
      {:stop, exception} -> {:stop, worker, exception}
      _goes_on when rest == [] -> work_off(worker, rest)
      _goes_on -> if wanted?(worker), do: work_off(worker, rest), else: {:stop, worker}
    end
  end

  # Whether nobody has asked for the end: in the middle of a batch nothing else comes.
  defp wanted?(worker), do: message(worker, 0) == :none

  defp make(%{module: module, state: state} = worker) do
    {result, meter} =
      Meter.other(worker.meter, fn ->
        guarded(module, :handle_demand, fn -> module.handle_demand(worker.demand, state) end)
      end)

    worker = %{worker | meter: meter}

    case result do
      {:ok, buffers, state} ->
        unless buffers == [], do: tell(worker.ear, {:made, {:ok, buffers}})
        %{worker | state: state, demand: max(worker.demand - length(buffers), 0)}

      {:end_of_stream, buffers, state} ->
        tell(worker.ear, {:made, {:end_of_stream, buffers}})
        {:stop, %{worker | state: state}}

      {:error, exception, state} ->
        tell(worker.ear, {:made, {:error, exception}})
        %{worker | state: state}

      {:stop, exception, state} ->
        tell(worker.ear, {:made, {:stop, exception}})
        {:stop, %{worker | state: state}, exception}

      # A source that raises has no state to go on with.
      {:error, exception} ->
        tell(worker.ear, {:made, {:stop, exception}})
        {:stop, worker, exception}
    end
  end

  # An item's outcome, and the state behind it: that from before it where the stage raised.
  defp run(module, meter, item, state) do
    callback = fn -> guarded(module, callback(item), fn -> call(module, item, state) end) end

    {result, meter} =
      if match?({:buffer, _}, item),
        do: Meter.buffer(meter, callback),
        else: Meter.other(meter, callback)

    {outcome, state} = outcome(result, item, state)
    {outcome, state, meter}
  end

  defp outcome(result, item, state) do
    case result do
      {:ok, buffers, state} when item == :end_of_stream -> {{:end_of_stream, buffers}, state}
      {:ok, format, state} when elem(item, 0) == :format -> {{:format, format}, state}
      {:ok, buffers, state} -> {{:ok, buffers}, state}
      {:error, exception, state} -> {{:error, exception}, state}
      {:stop, exception, state} -> {{:stop, exception}, state}
      {:error, exception} -> {{:error, exception}, state}
    end
  end

  defp callback({:buffer, _buffer}), do: :handle_buffer
  defp callback({:format, _format}), do: :handle_format
  defp callback(:end_of_stream), do: :handle_end_of_stream

  defp call(module, {:buffer, buffer}, state), do: module.handle_buffer(buffer, state)
  defp call(module, {:format, format}, state), do: format(module, format, state)
  defp call(module, :end_of_stream, state), do: module.handle_end_of_stream(state)

  # A stage that doesn't say what it makes of a format passes it on.
  defp format(module, format, state) do
    if function_exported?(module, :handle_format, 2),
      do: module.handle_format(format, state),
      else: {:ok, format, state}
  end

  defp guarded(module, callback, fun) do
    fun.() |> checked(module, callback)
  catch
    kind, reason ->
      {:error, StageError.crashed(module, callback, kind, reason, __STACKTRACE__)}
  end

  defp checked({:ok, state}, _module, :init), do: {:ok, state}
  defp checked({:error, e} = result, _module, :init) when is_exception(e), do: result
  defp checked({:ok, _format, _state} = result, _module, :handle_format), do: result

  defp checked({:ok, buffers, _state} = result, module, callback),
    do: buffers(result, buffers, module, callback)

  defp checked({:end_of_stream, buffers, _state} = result, module, :handle_demand = callback),
    do: buffers(result, buffers, module, callback)

  defp checked({ended, e, _state} = result, _module, callback)
       when ended in [:error, :stop] and is_exception(e) and callback != :init,
       do: result

  defp checked(other, module, callback),
    do: {:error, StageError.returned(module, callback, other)}

  defp buffers(result, buffers, module, callback) do
    if is_list(buffers) and Enum.all?(buffers, &is_struct(&1, Buffer)),
      do: result,
      else: {:error, StageError.returned(module, callback, result)}
  end

  defp terminate(module, state) do
    module.terminate(state)
  catch
    kind, reason ->
      require Logger
      Logger.error(Exception.format(kind, reason, __STACKTRACE__))
  end

  defp stop(worker, exception) do
    terminate(worker.module, worker.state)
    Meter.stop(worker.meter, exception)
  end

  defp tell(ear, event), do: send(ear, {__MODULE__, self(), event})
end
