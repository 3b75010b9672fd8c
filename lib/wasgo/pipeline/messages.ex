defmodule Wasgo.Pipeline.Messages do
  @moduledoc """
  A stream whose elements come as messages, as many as were asked for: for a process that has others to listen to, such as a `GenServer`, a
  channel or a LiveView.

      iex> buffers = for number <- 1..2//1, do: Wasgo.Buffer.new(number)
      iex> messages = Wasgo.Pipeline.Messages.start([buffers], demand: 2)
      iex> ref = messages.ref
      iex> for _ <- 1..2//1, do: (receive do: ({:wasgo, ^ref, {:ok, buffer}} -> buffer.payload))
      [1, 2]
      iex> Wasgo.Pipeline.Messages.demand(messages, 1)
      :ok
      iex> receive do: ({:wasgo, ^ref, :end_of_stream} -> :ended)
      :ended

  Messages are `{:wasgo, ref, message}`:

    * `{:ok, buffer}` and `{:error, exception}` - an element
    * `:end_of_stream` - there are no more
    * `{:stop, exception}` - there are no more because of this: a raise in the stream, or no element for `:timeout` milliseconds although some
      were asked for

  The stages run in a process of their own, and end with the process that the messages go to.
  """

  alias Wasgo.{LimitError, Pipeline}
  alias Wasgo.Pipeline.Puller

  @enforce_keys [:ref, :pid]
  defstruct [:ref, :pid]

  @type t :: %__MODULE__{ref: reference(), pid: pid()}

  @options [
    to: [type: {:or, [:pid, {:in, [nil]}]}, default: nil],
    demand: [type: :non_neg_integer, default: 0],
    timeout: [type: {:or, [:timeout, {:in, [:infinity]}]}, default: :infinity]
  ]

  @doc """
  Starts a stream of stages, as `Wasgo.Pipeline.stream/1` takes them.

    * `:to` - the process that gets the messages; the caller unless given
    * `:demand` - elements that are asked for at the start, none unless given
    * `:timeout` - milliseconds that an element which was asked for may take, endless unless given

  Raises `ArgumentError` at once if a stage or an option is wrong.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> chunks = [{0, 0}, {1, 0}]
      iex> %{ref: ref} = Wasgo.Pipeline.Messages.start([{Wasgo.Stages.Generate, plan: plan, chunks: chunks}], demand: 1, timeout: 10_000)
      iex> receive do
      ...>   {:wasgo, ^ref, {:ok, buffer}} -> buffer.payload.coordinate
      ...> end
      {0, 0}
  """
  @spec start([Wasgo.Stage.spec() | Enumerable.t()], keyword()) :: t()
  def start(stages, options \\ []) do
    options = Wasgo.Options.validate!(options, @options, "Wasgo.Pipeline.Messages.start/2")
    stream = Pipeline.stream(stages)
    ref = make_ref()
    to = options.to || self()
    pid = :proc_lib.spawn(fn -> begin(stream, to, ref, options.timeout) end)
    messages = %__MODULE__{ref: ref, pid: pid}
    if options.demand > 0, do: demand(messages, options.demand)
    messages
  end

  @doc """
  Asks for `count` more elements.

      iex> messages = Wasgo.Pipeline.Messages.start([[Wasgo.Buffer.new("brook")]])
      iex> Wasgo.Pipeline.Messages.demand(messages, 1)
      :ok
      iex> ref = messages.ref
      iex> receive do
      ...>   {:wasgo, ^ref, {:ok, buffer}} -> buffer.payload
      ...> end
      "brook"
  """
  @spec demand(t(), pos_integer()) :: :ok
  def demand(%__MODULE__{pid: pid}, count) when is_integer(count) and count > 0 do
    send(pid, {__MODULE__, :demand, count})
    :ok
  end

  @doc """
  Ends the stream. Messages that were sent before are still there.

      iex> messages = Wasgo.Pipeline.Messages.start([Stream.repeatedly(fn -> Wasgo.Buffer.new(1) end)], demand: 1)
      iex> Wasgo.Pipeline.Messages.stop(messages)
      :ok
  """
  @spec stop(t()) :: :ok
  def stop(%__MODULE__{pid: pid}) do
    send(pid, {__MODULE__, :stop})
    :ok
  end

  defp begin(stream, to, ref, timeout) do
    Wasgo.Label.put(__MODULE__)
    puller = Puller.start(stream)

    loop(%{
      to: to,
      to_ref: Process.monitor(to),
      ref: ref,
      puller: puller,
      puller_ref: Process.monitor(puller),
      timeout: timeout,
      left: 0
    })
  end

  # With nothing asked for, nothing is late.
  defp loop(state) do
    %{puller: puller, puller_ref: puller_ref, to_ref: to_ref} = state

    receive do
      {__MODULE__, :demand, count} ->
        Puller.demand(puller, count)
        loop(%{state | left: state.left + count})

      {Puller, ^puller, {:element, element}} ->
        tell(state, element)
        loop(%{state | left: state.left - 1})

      {Puller, ^puller, :end_of_stream} ->
        tell(state, :end_of_stream)

      {Puller, ^puller, {:raised, exception}} ->
        tell(state, {:stop, exception})

      {:DOWN, ^puller_ref, :process, _pid, reason} ->
        tell(state, {:stop, Wasgo.StageError.killed(Wasgo.Pipeline, reason)})

      {:DOWN, ^to_ref, :process, _pid, _reason} ->
        Puller.stop(puller)

      {__MODULE__, :stop} ->
        Puller.stop(puller)
    after
      if(state.left > 0, do: state.timeout, else: :infinity) ->
        message = "no element of the stream was there in #{state.timeout} ms"
        exception = %LimitError{reason: :time, message: message, value: state.timeout}
        tell(state, {:stop, exception})
        Puller.stop(puller)
    end
  end

  defp tell(state, message), do: send(state.to, {:wasgo, state.ref, message})
end
