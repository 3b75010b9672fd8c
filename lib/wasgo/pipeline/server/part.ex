defmodule Wasgo.Pipeline.Server.Part do
  @moduledoc false
  # One stage of a `Wasgo.Pipeline.Server`: a runner while it runs, what waits before it, and what it has done. A value of the server's process.

  alias Wasgo.Stage
  alias Wasgo.Stage.Runner

  # Pauses before a stage is begun anew, and how long it has to run for them to begin again, in ms.
  @shortest_pause 100
  @longest_pause 30_000
  @proven 10_000

  @settings [
    max_concurrency: [type: {:range, 1..64}, default: 1],
    timeout: [type: {:or, [:timeout, {:in, [:infinity]}]}, default: :infinity]
  ]

  @enforce_keys [:name, :module, :options, :settings]
  defstruct [
    :name,
    :module,
    :options,
    :settings,
    :runner,
    :token,
    :since,
    state: :stopped,
    source?: false,
    waiting: :queue.new(),
    # Buffers among what waits; the end may wait too.
    count: 0,
    # What a source was asked for and has not made.
    asked: 0,
    # Who waits for it to be stopped.
    stoppers: [],
    received: 0,
    sent: 0,
    errors: 0,
    lost: 0,
    restarts: 0,
    in_a_row: 0,
    last_error: nil
  ]

  @type t :: %__MODULE__{}

  @spec new(atom(), Stage.spec(), keyword()) :: t()
  def new(name, {module, _options} = spec, settings) do
    where = "stage #{inspect(name)} of the pipeline"
    {^module, options} = Stage.check!(spec)
    settings = Wasgo.Options.validate!(settings, @settings, where)
    Runner.concurrency!(module, options, settings.max_concurrency)

    %__MODULE__{
      name: name,
      module: module,
      options: options,
      settings: settings,
      source?: Stage.source?(module)
    }
  end

  @spec info(t()) :: Wasgo.Pipeline.Server.stage()
  def info(part) do
    part
    |> Map.take([
      :name,
      :module,
      :state,
      :received,
      :sent,
      :errors,
      :lost,
      :restarts,
      :last_error
    ])
    |> Map.merge(%{waiting: part.count, under_way: under_way(part)})
  end

  @spec waiting(t()) :: non_neg_integer()
  def waiting(part), do: part.count

  @spec under_way(t()) :: non_neg_integer()
  def under_way(%{runner: nil}), do: 0
  def under_way(%{runner: runner}), do: Runner.size(runner)

  ## Start and stop

  @spec start(t()) :: t()
  def start(%{state: state} = part) when state in [:starting, :running], do: part

  # It is not to be stopped after all.
  def start(%{state: :stopping} = part),
    do: answer_stoppers(%{part | state: :running, token: nil})

  def start(part), do: begin(%{part | in_a_row: 0})

  defp begin(part) do
    runner = Runner.new({part.module, part.options}, Map.to_list(part.settings))
    now = System.monotonic_time(:millisecond)
    %{part | runner: runner, state: :starting, asked: 0, since: now, token: nil}
  end

  # With a token where something is under way: `give_up/2` takes it when that had time enough.
  @spec stop(t(), GenServer.from()) :: {t(), reference() | nil}
  def stop(%{state: :stopping} = part, from),
    do: {%{part | stoppers: [from | part.stoppers]}, nil}

  def stop(part, from) do
    part = %{part | stoppers: [from | part.stoppers]}

    # What a source makes now is given up: nobody knows how long that takes.
    if part.state == :running and not part.source? and under_way(part) > 0 do
      token = make_ref()
      {%{part | state: :stopping, token: token}, token}
    else
      {stopped(part), nil}
    end
  end

  @spec give_up(t(), reference()) :: t()
  def give_up(%{state: :stopping, token: token} = part, token), do: stopped(part)
  def give_up(part, _token), do: part

  defp stopped(part), do: answer_stoppers(drop(part, :stopped))

  defp answer_stoppers(part) do
    for from <- part.stoppers, do: GenServer.reply(from, :ok)
    %{part | stoppers: []}
  end

  # Without its runner. What that had under way is lost.
  defp drop(part, state) do
    lost = part.lost + under_way(part)
    if part.runner, do: Runner.stop(part.runner)
    %{part | runner: nil, state: state, lost: lost, asked: 0, token: nil}
  end

  # As it was before it was ever started, but for what it has counted.
  @spec reset(t()) :: t()
  def reset(part) do
    part = stopped(part)
    %{part | waiting: :queue.new(), count: 0, lost: part.lost + part.count}
  end

  # After an error: rests, or has failed for good.
  @spec rest(t(), non_neg_integer() | :infinity) ::
          {:resting, t(), pos_integer()} | {:failed, t()}
  def rest(part, most) do
    proven? = part.since != nil and System.monotonic_time(:millisecond) - part.since >= @proven

    in_a_row = if proven?, do: 1, else: part.in_a_row + 1
    part = %{part | in_a_row: in_a_row}

    if part.stoppers != [] or in_a_row > most do
      state = if part.stoppers == [], do: :failed, else: :stopped
      {:failed, answer_stoppers(drop(part, state))}
    else
      pause = min(@shortest_pause * Integer.pow(2, min(in_a_row - 1, 20)), @longest_pause)
      part = drop(part, :resting)
      {:resting, %{part | restarts: part.restarts + 1, token: make_ref()}, pause}
    end
  end

  @spec begin_anew(t(), reference()) :: t()
  def begin_anew(%{state: :resting, token: token} = part, token), do: begin(part)
  def begin_anew(part, _token), do: part

  ## Buffers

  # What comes of the stage before.
  @spec take(t(), [Wasgo.Buffer.t() | :end_of_stream]) :: t()
  def take(part, items) do
    waiting = Enum.reduce(items, part.waiting, &:queue.in/2)
    %{part | waiting: waiting, count: part.count + Enum.count(items, &(&1 != :end_of_stream))}
  end

  # Hands over as much as there is room for behind it, and as it may have under way itself.
  @spec feed(t(), integer(), pos_integer()) :: t()
  def feed(%{state: :running, source?: true} = part, room, _most) do
    # One at a time and worker: a source that makes several at once says so itself.
    wanted = room - part.asked

    if wanted > 0 do
      %{part | runner: Runner.demand(part.runner, wanted), asked: part.asked + wanted}
    else
      part
    end
  end

  def feed(%{state: :running} = part, room, most) when room > 0 do
    if Runner.size(part.runner) < most, do: feed_one(part, room, most), else: part
  end

  def feed(%{state: :stopping} = part, _room, _most),
    do: if(under_way(part) == 0, do: stopped(part), else: part)

  def feed(part, _room, _most), do: part

  defp feed_one(part, room, most) do
    case :queue.out(part.waiting) do
      {:empty, _waiting} ->
        part

      {{:value, :end_of_stream}, waiting} ->
        %{part | waiting: waiting, runner: Runner.push(part.runner, :end_of_stream)}

      {{:value, buffer}, waiting} ->
        runner = Runner.push(part.runner, {:buffer, buffer})

        feed(
          %{
            part
            | waiting: waiting,
              count: part.count - 1,
              received: part.received + 1,
              runner: runner
          },
          room - 1,
          most
        )
    end
  end

  ## The runner

  @spec message?(t(), term()) :: boolean()
  def message?(%{runner: nil}, _message), do: false
  def message?(%{runner: runner}, message), do: Runner.message?(runner, message)

  # What is of interest to others: `{:buffers, buffers}`, `:end_of_stream` and `{:failed, exception}`.
  @spec handle(t(), term()) :: {[term()], t()}
  def handle(part, message) do
    under_way = under_way(part)
    {events, runner} = Runner.handle(part.runner, message)
    {told, part} = Enum.flat_map_reduce(events, %{part | runner: runner}, &heard/2)

    # A runner that has ended forgot what it had.
    if Enum.any?(events, &match?({:stop, _}, &1)),
      do: {told, %{part | lost: part.lost + max(under_way - 1, 0), runner: nil}},
      else: {told, part}
  end

  defp heard(:ready, part), do: {[], %{part | state: :running}}
  defp heard({:failed, exception}, part), do: failed(part, exception)

  defp heard({:stop, exception}, part),
    do: failed(%{part | errors: part.errors + 1}, exception)

  defp heard({:buffers, buffers}, part) do
    count = length(buffers)
    asked = if part.source?, do: max(part.asked - count, 0), else: 0
    {[{:buffers, buffers}], %{part | sent: part.sent + count, asked: asked}}
  end

  # A source that could not make one was asked for it all the same.
  defp heard({:error, exception, _buffer}, part),
    do: {[], %{part | errors: part.errors + 1, last_error: exception}}

  defp heard(:end_of_stream, part) do
    part = answer_stoppers(%{part | state: :ended, runner: nil, asked: 0, token: nil})
    {[:end_of_stream], part}
  end

  defp heard({:format, _format}, part), do: {[], part}

  defp failed(part, exception),
    do: {[{:failed, exception}], %{part | runner: nil, last_error: exception}}
end
