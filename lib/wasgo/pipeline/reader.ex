defmodule Wasgo.Pipeline.Reader do
  @moduledoc """
  A stream that is read from, by any process.

  `read/3` takes the next elements, and waits for them no longer than it is told.

      iex> buffers = for number <- 1..5//1, do: Wasgo.Buffer.new(number)
      iex> {:ok, reader} = Wasgo.Pipeline.Reader.start_link([buffers, {Wasgo.Stages.Transform, with: &{:ok, &1}}])
      iex> {:ok, elements} = Wasgo.Pipeline.Reader.read(reader, 3)
      iex> for {:ok, buffer} <- elements, do: buffer.payload
      [1, 2, 3]
      iex> {:ok, elements} = Wasgo.Pipeline.Reader.read(reader, 3)
      iex> for {:ok, buffer} <- elements, do: buffer.payload
      [4, 5]
      iex> Wasgo.Pipeline.Reader.read(reader, 3)
      :end_of_stream

  The stages run in a process of their own, and no further than they are read: what a read did not wait for is there for the next. They end
  with the reader.
  """

  use GenServer

  alias Wasgo.LimitError
  alias Wasgo.Pipeline
  alias Wasgo.Pipeline.Puller

  @doc """
  A specification for a supervisor, of the stages or of `{stages, options}` as `start_link/2` takes them.

      iex> villages = [[Wasgo.Buffer.new("brook"), Wasgo.Buffer.new("hill")]]
      iex> children = [{Wasgo.Pipeline.Reader, {villages, name: Harbour.Villages}}]
      iex> {:ok, _supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      iex> {:ok, [{:ok, village}]} = Wasgo.Pipeline.Reader.read(Harbour.Villages)
      iex> village.payload
      "brook"
  """
  @spec child_spec([Wasgo.Stage.spec() | Enumerable.t()] | {list(), GenServer.options()}) ::
          Supervisor.child_spec()
  def child_spec({stages, options}) when is_list(stages) and is_list(options) do
    %{id: options[:name] || __MODULE__, start: {__MODULE__, :start_link, [stages, options]}}
  end

  def child_spec(stages), do: child_spec({stages, []})

  @doc """
  Starts a reader of stages, as `Wasgo.Pipeline.stream/1` takes them. `options` are those of `GenServer.start_link/3`.

  Raises `ArgumentError` at once if a stage or an option of one is wrong.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, reader} = Wasgo.Pipeline.Reader.start_link([{Wasgo.Stages.Generate, plan: plan, chunks: [{0, 0}, {1, 0}]}])
      iex> {:ok, [{:ok, buffer}]} = Wasgo.Pipeline.Reader.read(reader)
      iex> buffer.payload.coordinate
      {0, 0}
  """
  @spec start_link([Wasgo.Stage.spec() | Enumerable.t()], GenServer.options()) ::
          GenServer.on_start()
  def start_link(stages, options \\ []) do
    GenServer.start_link(__MODULE__, Pipeline.stream(stages), options)
  end

  @doc """
  The next `count` elements, fewer at the end of the stream or when `timeout` milliseconds have passed; `{:error, %Wasgo.LimitError{}}` with
  the reason `:time` when there is none by then, and what the stream raised where it did.

      iex> {:ok, reader} = Wasgo.Pipeline.Reader.start_link([[Wasgo.Buffer.new("brook"), Wasgo.Buffer.new("hill")]])
      iex> {:ok, elements} = Wasgo.Pipeline.Reader.read(reader, 10, 5_000)
      iex> for {:ok, buffer} <- elements, do: buffer.payload
      ["brook", "hill"]
      iex> Wasgo.Pipeline.Reader.read(reader)
      :end_of_stream
  """
  @spec read(GenServer.server(), pos_integer(), timeout()) ::
          {:ok, [Pipeline.element()]} | :end_of_stream | {:error, Exception.t()}
  def read(reader, count \\ 1, timeout \\ 5_000) when is_integer(count) and count > 0 do
    GenServer.call(reader, {:read, count, timeout}, :infinity)
  end

  @doc """
  Ends the stages, and the reader.

      iex> {:ok, reader} = Wasgo.Pipeline.Reader.start_link([[Wasgo.Buffer.new(1)]])
      iex> Wasgo.Pipeline.Reader.close(reader)
      :ok
  """
  @spec close(GenServer.server()) :: :ok
  def close(reader), do: GenServer.stop(reader)

  @impl true
  def init(stream) do
    Process.flag(:trap_exit, true)
    Wasgo.Label.put(__MODULE__)
    puller = Puller.start(stream)
    ref = Process.monitor(puller)

    {:ok,
     %{puller: puller, ref: ref, there: :queue.new(), asked: 0, waiting: :queue.new(), over: nil}}
  end

  @impl true
  def handle_call({:read, count, timeout}, from, state) do
    token = make_ref()
    timer = if timeout != :infinity, do: Process.send_after(self(), {:late, token}, timeout)
    reader = %{from: from, count: count, token: token, timer: timer}
    {:noreply, serve(%{state | waiting: :queue.in(reader, state.waiting)})}
  end

  @impl true
  def handle_info({Puller, puller, event}, %{puller: puller} = state) do
    case event do
      {:element, element} ->
        {:noreply,
         serve(%{state | there: :queue.in(element, state.there), asked: state.asked - 1})}

      :end_of_stream ->
        {:noreply, serve(%{state | over: :end_of_stream})}

      {:raised, exception} ->
        {:noreply, serve(%{state | over: {:error, exception}})}
    end
  end

  def handle_info({:DOWN, ref, :process, _puller, reason}, %{ref: ref, over: nil} = state) do
    exception = Wasgo.StageError.killed(Wasgo.Pipeline, reason)
    {:noreply, serve(%{state | over: {:error, exception}})}
  end

  def handle_info({:late, token}, state) do
    {late, waiting} = state.waiting |> :queue.to_list() |> Enum.split_with(&(&1.token == token))

    state = %{state | waiting: :queue.from_list(waiting)}
    {:noreply, Enum.reduce(late, state, &late/2)}
  end

  def handle_info({:EXIT, _parent, reason}, state), do: {:stop, reason, state}
  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state), do: Puller.stop(state.puller)

  # Readers are served in their order; what the first needs is asked for.
  defp serve(state) do
    there = :queue.len(state.there)

    case :queue.peek(state.waiting) do
      :empty ->
        state

      {:value, %{count: count} = reader}
      when there >= count or (state.over != nil and there > 0) ->
        cancel(reader)
        serve(answer(%{state | waiting: :queue.drop(state.waiting)}, reader))

      {:value, reader} when state.over != nil ->
        cancel(reader)
        GenServer.reply(reader.from, state.over)
        serve(%{state | waiting: :queue.drop(state.waiting)})

      {:value, %{count: count}} ->
        ask(state, count - there - state.asked)
    end
  end

  defp ask(state, more) when more > 0 do
    Puller.demand(state.puller, more)
    %{state | asked: state.asked + more}
  end

  defp ask(state, _more), do: state

  defp answer(state, reader) do
    {elements, rest} = :queue.split(min(reader.count, :queue.len(state.there)), state.there)
    GenServer.reply(reader.from, {:ok, :queue.to_list(elements)})
    %{state | there: rest}
  end

  defp late(reader, state) do
    if :queue.is_empty(state.there) do
      message = "no element of the stream was there in time"
      GenServer.reply(reader.from, {:error, %LimitError{reason: :time, message: message}})
      state
    else
      answer(state, reader)
    end
  end

  defp cancel(%{timer: nil}), do: :ok
  defp cancel(%{timer: timer}), do: Process.cancel_timer(timer)
end
