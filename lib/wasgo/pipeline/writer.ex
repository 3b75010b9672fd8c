defmodule Wasgo.Pipeline.Writer do
  @moduledoc """
  A stream that is written to, by any process.

  `write/3` hands over a buffer, and waits while the stages are behind.

      iex> {:ok, writer} = Wasgo.Pipeline.Writer.start_link([{Wasgo.Stages.Transform, with: &{:ok, &1}}])
      iex> Wasgo.Pipeline.Writer.write(writer, Wasgo.Buffer.new("a"))
      :ok
      iex> Wasgo.Pipeline.Writer.close(writer)
      {:ok, %{done: 1, failed: 0, error: nil}}

  What comes out at the end is counted and dropped: the last stage is a sink, or `:to` names a process that gets each element as
  `{Wasgo.Pipeline.Writer, writer, element}`. The stages run in a process of their own, and end with the writer.
  """

  use GenServer

  alias Wasgo.{Buffer, LimitError, Pipeline}
  alias Wasgo.Pipeline.Puller

  @options [
    max_in_flight: [type: {:range, 1..1024}, default: 16],
    to: [type: {:or, [:pid, {:in, [nil]}]}, default: nil],
    name: [type: :any, default: nil]
  ]

  @typedoc "What came of the stream: elements that arrived at its end, errors among them, and the first of these."
  @type summary :: %{
          done: non_neg_integer(),
          failed: non_neg_integer(),
          error: Exception.t() | nil
        }

  @doc """
  A specification for a supervisor, of the stages or of `{stages, options}` as `start_link/2` takes them.

      iex> stages = [{Wasgo.Stages.Transform, with: &{:ok, &1}}]
      iex> children = [{Wasgo.Pipeline.Writer, {stages, name: Harbour.Ledger, max_in_flight: 4}}]
      iex> {:ok, _supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      iex> Wasgo.Pipeline.Writer.write(Harbour.Ledger, Wasgo.Buffer.new("7 barrels"))
      :ok
  """
  @spec child_spec([Wasgo.Stage.spec()] | {list(), keyword()}) :: Supervisor.child_spec()
  def child_spec({stages, options}) when is_list(stages) and is_list(options) do
    %{id: options[:name] || __MODULE__, start: {__MODULE__, :start_link, [stages, options]}}
  end

  def child_spec(stages), do: child_spec({stages, []})

  @doc """
  Starts a writer into stages: filters and sinks.

    * `:max_in_flight` - buffers that may wait for the stages, 16 unless given
    * `:to` - a process that gets the elements that come out, none unless given
    * `:name` - as of a `GenServer`

  Raises `ArgumentError` at once if a stage or an option is wrong.

      iex> thin = Wasgo.script!("guest/scripts/thin.wasm")
      iex> {:ok, writer} = Wasgo.Pipeline.Writer.start_link([{Wasgo.Stages.Script, script: thin}], to: self())
      iex> :ok = Wasgo.Pipeline.Writer.write(writer, Wasgo.Buffer.new(""))
      iex> receive do
      ...>   {Wasgo.Pipeline.Writer, ^writer, {:ok, buffer}} -> buffer.payload
      ...> end
      ""
  """
  @spec start_link([Wasgo.Stage.spec()], keyword()) :: GenServer.on_start()
  def start_link(stages, options \\ []) do
    options = Wasgo.Options.validate!(options, @options, "Wasgo.Pipeline.Writer.start_link/2")
    # Checks them here, in the caller.
    Pipeline.stream([[] | stages])
    server_options = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, {stages, options}, server_options)
  end

  @doc """
  Hands a buffer over. `:ok` means that it will go through the stages, not that it has; with the stages behind for `timeout` milliseconds it is
  `{:error, %Wasgo.LimitError{reason: :time}}`, and the buffer was not taken. Once the stream has ended: what ended it.

      iex> {:ok, writer} = Wasgo.Pipeline.Writer.start_link([{Wasgo.Stages.Transform, with: &{:ok, &1}}])
      iex> for name <- ["brook", "hill"], do: Wasgo.Pipeline.Writer.write(writer, Wasgo.Buffer.new(name), 5_000)
      [:ok, :ok]
  """
  @spec write(GenServer.server(), Buffer.t(), timeout()) :: :ok | {:error, Exception.t()}
  def write(writer, %Buffer{} = buffer, timeout \\ 5_000),
    do: GenServer.call(writer, {:write, buffer, timeout}, :infinity)

  @doc """
  Waits until all that was written is through, ends the stages and the writer, and says what came of it. After `timeout` milliseconds it is
  `{:error, %Wasgo.LimitError{reason: :time}}`, and the writer is still there.

      iex> upcase = fn buffer -> {:ok, %{buffer | payload: String.upcase(buffer.payload)}} end
      iex> {:ok, writer} = Wasgo.Pipeline.Writer.start_link([{Wasgo.Stages.Transform, with: upcase}])
      iex> for payload <- ["brook", 7], do: Wasgo.Pipeline.Writer.write(writer, Wasgo.Buffer.new(payload))
      iex> {:ok, summary} = Wasgo.Pipeline.Writer.close(writer)
      iex> {summary.done, summary.failed, is_exception(summary.error)}
      {1, 1, true}
  """
  @spec close(GenServer.server(), timeout()) :: {:ok, summary()} | {:error, Exception.t()}
  def close(writer, timeout \\ 60_000),
    do: GenServer.call(writer, {:close, timeout}, :infinity)

  @impl true
  def init({stages, options}) do
    Process.flag(:trap_exit, true)
    Wasgo.Label.put(__MODULE__)
    writer = self()
    puller = Puller.start(Pipeline.stream([fed_by(writer) | stages]))
    Puller.demand(puller, 1)

    {:ok,
     %{
       puller: puller,
       ref: Process.monitor(puller),
       most: options.max_in_flight,
       to: options.to,
       there: :queue.new(),
       # Whether the stages wait for a buffer.
       wanted?: false,
       waiting: :queue.new(),
       closing: nil,
       over: nil,
       done: 0,
       failed: 0,
       error: nil
     }}
  end

  # In the puller: a buffer of the writer's each time, until there are no more.
  defp fed_by(writer) do
    Stream.resource(
      fn -> Process.monitor(writer) end,
      fn ref ->
        send(writer, {__MODULE__, :want, self()})

        receive do
          {__MODULE__, :feed, buffer} -> {[buffer], ref}
          {__MODULE__, :no_more} -> {:halt, ref}
          {:DOWN, ^ref, :process, _writer, _reason} -> {:halt, ref}
        end
      end,
      fn ref -> Process.demonitor(ref, [:flush]) end
    )
  end

  @impl true
  def handle_call({:write, _buffer, _timeout}, _from, %{over: over} = state) when over != nil,
    do: {:reply, {:error, ended(state)}, state}

  def handle_call({:write, _buffer, _timeout}, _from, %{closing: %{}} = state) do
    {:reply, {:error, %ArgumentError{message: "the writer is being closed"}}, state}
  end

  def handle_call({:write, buffer, timeout}, from, state) do
    entry = Map.put(call(from, timeout), :buffer, buffer)
    {:noreply, feed(%{state | waiting: :queue.in(entry, state.waiting)})}
  end

  def handle_call({:close, _timeout}, _from, %{over: over} = state) when over != nil,
    do: {:stop, :normal, summary(state), state}

  def handle_call({:close, _timeout}, _from, %{closing: %{}} = state),
    do: {:reply, {:error, %ArgumentError{message: "the writer is being closed"}}, state}

  def handle_call({:close, timeout}, from, state),
    do: {:noreply, feed(%{state | closing: call(from, timeout)})}

  @impl true
  def handle_info({__MODULE__, :want, puller}, %{puller: puller} = state),
    do: {:noreply, feed(%{state | wanted?: true})}

  def handle_info({Puller, puller, {:element, element}}, %{puller: puller} = state) do
    if state.to, do: send(state.to, {__MODULE__, self(), element})
    Puller.demand(puller, 1)
    {:noreply, count(state, element)}
  end

  def handle_info({Puller, puller, :end_of_stream}, %{puller: puller} = state),
    do: over(state, :end_of_stream)

  def handle_info({Puller, puller, {:raised, exception}}, %{puller: puller} = state),
    do: over(count(state, {:error, exception}), exception)

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{ref: ref, over: nil} = state) do
    exception = Wasgo.StageError.killed(Wasgo.Pipeline, reason)
    over(count(state, {:error, exception}), exception)
  end

  def handle_info({:late, token}, %{closing: %{token: token} = closing} = state) do
    GenServer.reply(closing.from, {:error, late("the stages were not done in time")})
    {:noreply, %{state | closing: nil}}
  end

  def handle_info({:late, token}, state) do
    {late, waiting} = state.waiting |> :queue.to_list() |> Enum.split_with(&(&1.token == token))

    for entry <- late, do: GenServer.reply(entry.from, {:error, late("the stages are behind")})
    {:noreply, %{state | waiting: :queue.from_list(waiting)}}
  end

  def handle_info({:EXIT, _parent, reason}, state), do: {:stop, reason, state}
  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state), do: Puller.stop(state.puller)

  # Takes what waits as far as there is room, and gives the stages what they want.
  defp feed(state) do
    cond do
      state.wanted? and not :queue.is_empty(state.there) ->
        {{:value, buffer}, there} = :queue.out(state.there)
        send(state.puller, {__MODULE__, :feed, buffer})
        feed(%{state | there: there, wanted?: false})

      :queue.len(state.there) < state.most and not :queue.is_empty(state.waiting) ->
        {{:value, entry}, waiting} = :queue.out(state.waiting)
        cancel(entry)
        GenServer.reply(entry.from, :ok)
        feed(%{state | there: :queue.in(entry.buffer, state.there), waiting: waiting})

      state.wanted? and state.closing != nil ->
        send(state.puller, {__MODULE__, :no_more})
        %{state | wanted?: false}

      true ->
        state
    end
  end

  defp count(state, {:ok, _buffer}), do: %{state | done: state.done + 1}

  defp count(state, {:error, exception}),
    do: %{state | failed: state.failed + 1, error: state.error || exception}

  defp over(state, why) do
    state = %{state | over: why}

    for entry <- :queue.to_list(state.waiting) do
      cancel(entry)
      GenServer.reply(entry.from, {:error, ended(state)})
    end

    state = %{state | waiting: :queue.new()}

    case state.closing do
      nil ->
        {:noreply, state}

      closing ->
        cancel(closing)
        GenServer.reply(closing.from, summary(state))
        {:stop, :normal, state}
    end
  end

  defp ended(%{over: exception}) when is_exception(exception), do: exception
  defp ended(%{error: nil}), do: %ArgumentError{message: "the stream has ended"}
  defp ended(%{error: exception}), do: exception

  defp summary(state), do: {:ok, Map.take(state, [:done, :failed, :error])}

  defp call(from, timeout) do
    token = make_ref()
    timer = if timeout != :infinity, do: Process.send_after(self(), {:late, token}, timeout)
    %{from: from, token: token, timer: timer}
  end

  defp cancel(%{timer: nil}), do: :ok
  defp cancel(%{timer: timer}), do: Process.cancel_timer(timer)

  defp late(message), do: %LimitError{reason: :time, message: message}
end
