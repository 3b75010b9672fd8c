defmodule Wasgo.Pipeline.Server do
  @moduledoc """
  A pipeline that runs by itself, under a supervisor: stages with names, which can be looked at, stopped and started while the others go on.

      children = [
        {Wasgo.Pipeline.Server,
         name: MyApp.Terrain,
         stages: [
           ground: {Wasgo.Stages.Generate, plan: plan, viewers: MyApp.Viewers},
           thin: {Wasgo.Stages.Script, script: thin, over: :instances},
           engine: {Wasgo.Stages.Godot, connection: godot}
         ]}
      ]

      iex> buffers = for number <- 1..3//1, do: Wasgo.Buffer.new(number)
      iex> double = fn buffer -> {:ok, %{buffer | payload: 2 * buffer.payload}} end
      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(stages: [numbers: buffers, double: {Wasgo.Stages.Transform, with: double}])
      iex> Wasgo.Pipeline.Server.await_end(pipeline)
      :ok
      iex> for stage <- Wasgo.Pipeline.Server.stages(pipeline), do: {stage.name, stage.state, stage.sent}
      [{:numbers, :ended, 3}, {:double, :ended, 3}]

  Each stage has processes of its own. A stage is given buffers only as long as fewer than `:max_in_flight` wait before the next one, and a source is asked
  for as many as there is room for: a stage that is slow, stopped or failed holds up those before it, and nothing piles up. What comes out of the last
  stage is counted and dropped: the last is a sink.

  ## When a stage ends

  A buffer that fails is counted (`errors`, `last_error`) and dropped. A stage that ends by an error, or can't begin, is begun anew after a pause, 100 ms at first and
  then twice as long each time, up to 30 s; `:max_restarts` times in a row, then its state is `:failed`. One that ran for ten seconds begins again at the shortest.
  What it had under way is lost and counted; what waits before it is kept. A source that is begun anew begins at its beginning.

  At the end of its source the stages end one after another. The process stays, so that it can be looked at; `restart/1` begins everything anew.
  """

  use GenServer

  require Logger

  alias Wasgo.{Label, Options, Stage}
  alias Wasgo.Pipeline.{Elements, Server.Part}

  @most_stages 64

  @schema [
    stages: [type: {:or, [:keyword, {:function, 0}]}, required: true],
    max_in_flight: [type: {:range, 1..1024}, default: 16],
    max_restarts: [type: {:or, [:non_neg_integer, {:in, [:infinity]}]}, default: 5],
    name: [type: :any, default: nil]
  ]

  # How long what a stage has under way may take when it is stopped, in ms.
  @grace 5_000
  # How many of those who wait for the end there may be.
  @most_waiting 1_024

  @typedoc "A pipeline: its process, or what it is registered as."
  @type t :: GenServer.server()

  @typedoc """
  How a stage is. `waiting` are buffers before it, `under_way` those in it, `lost` those that were in it when it was ended; `last_error` is an exception or `nil`.
  `:starting` is one that begins, `:resting` one that will be begun anew after a pause, `:stopping` one that is at its last buffers.
  """
  @type stage :: %{
          name: atom(),
          module: module(),
          state: :starting | :running | :stopping | :stopped | :resting | :failed | :ended,
          received: non_neg_integer(),
          sent: non_neg_integer(),
          errors: non_neg_integer(),
          lost: non_neg_integer(),
          waiting: non_neg_integer(),
          under_way: non_neg_integer(),
          restarts: non_neg_integer(),
          last_error: Exception.t() | nil
        }

  @doc """
  Starts a pipeline, linked to the caller.

    * `:stages` - a keyword list of stages, at most #{@most_stages}; required. The first is a source stage or any enumerable of buffers, the others are filters
      and sinks: a module, `{module, options}`, or `{module, options, settings}` with the settings `:max_concurrency` and `:timeout` of
      `Wasgo.Pipeline.through/3`. Or a function of no arguments that returns such a list, which is called when the process starts: for what a supervisor
      starts before it
    * `:max_in_flight` - buffers that may wait before a stage, 16 unless given
    * `:max_restarts` - how often in a row a stage is begun anew by itself, 5 unless given, or `:infinity`
    * `:name` - as for `GenServer`

  Raises `ArgumentError` at once if a stage or an option of one is wrong.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> thin = Wasgo.script!("guest/scripts/thin.wasm")
      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(
      ...>     stages: [
      ...>       ground: {Wasgo.Stages.Generate, plan: plan, chunks: [{0, 0}, {1, 0}]},
      ...>       thin: {Wasgo.Stages.Script, [script: thin, over: :instances], max_concurrency: 2, timeout: 5_000}
      ...>     ],
      ...>     max_in_flight: 4
      ...>   )
      iex> Wasgo.Pipeline.Server.await_end(pipeline, 30_000)
      :ok
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    options = Options.validate!(options, @schema, "Wasgo.Pipeline.Server.start_link/1")
    options = %{options | stages: parts(options.stages)}
    name = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, options, name)
  end

  @doc """
  A specification for a supervisor; `start_link/1` has the options.

      iex> stages = [villages: [Wasgo.Buffer.new("brook")], names: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      iex> children = [{Wasgo.Pipeline.Server, name: Harbour.Names, stages: stages}]
      iex> {:ok, _supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      iex> Wasgo.Pipeline.Server.await_end(Harbour.Names)
      :ok
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    %{id: options[:name] || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end

  @doc false
  # The options, for a supervisor that checks them before it starts anything.
  def options, do: @schema

  @doc false
  def parts(stages) when is_function(stages), do: parts(stages.())

  def parts([_ | _] = stages) when length(stages) <= @most_stages do
    unless Keyword.keyword?(stages) and
             stages |> Keyword.keys() |> Enum.uniq() |> length() == length(stages) do
      raise ArgumentError,
            "option :stages of Wasgo.Pipeline.Server.start_link/1 must be a keyword list of stages with different names"
    end

    [first | rest] = stages
    [source(first) | Enum.map(rest, &filter/1)]
  end

  def parts(_other) do
    raise ArgumentError,
          "option :stages of Wasgo.Pipeline.Server.start_link/1 must be a keyword list of 1 to #{@most_stages} stages"
  end

  defp source({name, spec}) do
    {module, options, settings} = spec(spec)

    cond do
      is_atom(module) and Stage.source?(module) ->
        Part.new(name, {module, options}, settings)

      Enumerable.impl_for(spec) ->
        Part.new(name, {Elements, [of: spec]}, [])

      true ->
        raise ArgumentError, "stage #{inspect(name)} is no source: a pipeline can't begin with it"
    end
  end

  defp filter({name, spec}) do
    {module, options, settings} = spec(spec)

    if is_atom(module) and Stage.source?(module) do
      raise ArgumentError, "stage #{inspect(name)} is a source: it can only be the first"
    end

    Part.new(name, {module, options}, settings)
  end

  defp spec({module, options, settings}), do: {module, options, settings}
  defp spec({module, options}), do: {module, options, []}
  defp spec(module), do: {module, [], []}

  @doc """
  The stages, in order, and how each is.

      iex> letters = for letter <- ["a", "b", 3], do: Wasgo.Buffer.new(letter)
      iex> upcase = fn buffer -> {:ok, %{buffer | payload: String.upcase(buffer.payload)}} end
      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(stages: [letters: letters, upcase: {Wasgo.Stages.Transform, with: upcase}])
      iex> :ok = Wasgo.Pipeline.Server.await_end(pipeline)
      iex> for stage <- Wasgo.Pipeline.Server.stages(pipeline), do: Map.take(stage, [:name, :state, :sent, :errors])
      [%{errors: 0, name: :letters, sent: 3, state: :ended}, %{errors: 1, name: :upcase, sent: 2, state: :ended}]
  """
  @spec stages(t()) :: [stage()]
  def stages(pipeline), do: GenServer.call(pipeline, :stages)

  @doc """
  Stops a stage: it is given no more buffers, those that are in it get #{div(@grace, 1_000)} seconds, and then it is ended. What comes waits before it. Returns when it is stopped;
  `:unknown` where there is no such stage.

      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(
      ...>     stages: [ticks: Stream.map(Stream.interval(50), &Wasgo.Buffer.new/1), walk: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      ...>   )
      iex> Wasgo.Pipeline.Server.stop_stage(pipeline, :walk)
      :ok
      iex> for stage <- Wasgo.Pipeline.Server.stages(pipeline), stage.state == :stopped, do: stage.name
      [:walk]
      iex> Wasgo.Pipeline.Server.stop_stage(pipeline, :swim)
      {:error, :unknown}
  """
  @spec stop_stage(t(), atom()) :: :ok | {:error, :unknown}
  def stop_stage(pipeline, name), do: GenServer.call(pipeline, {:stop, name}, :infinity)

  @doc """
  Starts a stage that is stopped, failed, or rests before it is begun anew; one that runs goes on. One that has ended is begun anew.

      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(
      ...>     stages: [villages: [Wasgo.Buffer.new("brook")], names: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      ...>   )
      iex> :ok = Wasgo.Pipeline.Server.stop_stage(pipeline, :names)
      iex> :ok = Wasgo.Pipeline.Server.start_stage(pipeline, :names)
      iex> Wasgo.Pipeline.Server.await_end(pipeline)
      :ok
  """
  @spec start_stage(t(), atom()) :: :ok | {:error, :unknown}
  def start_stage(pipeline, name), do: GenServer.call(pipeline, {:start, name})

  @doc """
  Stops a stage, and starts it.

      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(
      ...>     stages: [ticks: Stream.map(Stream.interval(50), &Wasgo.Buffer.new/1), walk: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      ...>   )
      iex> Wasgo.Pipeline.Server.restart_stage(pipeline, :walk)
      :ok
  """
  @spec restart_stage(t(), atom()) :: :ok | {:error, :unknown}
  def restart_stage(pipeline, name) do
    with :ok <- stop_stage(pipeline, name), do: start_stage(pipeline, name)
  end

  @doc """
  Ends all stages where they are, drops what waits, and begins everything anew.

      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(
      ...>     stages: [villages: [Wasgo.Buffer.new("brook")], names: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      ...>   )
      iex> for _round <- 1..2, do: {Wasgo.Pipeline.Server.await_end(pipeline), Wasgo.Pipeline.Server.restart(pipeline)}
      [ok: :ok, ok: :ok]
  """
  @spec restart(t()) :: :ok
  def restart(pipeline), do: GenServer.call(pipeline, :restart)

  @doc """
  Waits until the last stage has ended; `{:error, :timeout}` if that takes longer than `timeout` milliseconds.

      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(
      ...>     stages: [ticks: Stream.map(Stream.interval(50), &Wasgo.Buffer.new/1), walk: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      ...>   )
      iex> Wasgo.Pipeline.Server.await_end(pipeline, 10)
      {:error, :timeout}
  """
  @spec await_end(t(), timeout()) :: :ok | {:error, :timeout | :busy}
  def await_end(pipeline, timeout \\ 5_000) do
    GenServer.call(pipeline, {:await_end, timeout}, :infinity)
  end

  @doc """
  Ends the stages and the pipeline.

      iex> {:ok, pipeline} =
      ...>   Wasgo.Pipeline.Server.start_link(
      ...>     stages: [villages: [Wasgo.Buffer.new("brook")], names: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      ...>   )
      iex> Wasgo.Pipeline.Server.stop(pipeline)
      :ok
  """
  @spec stop(t()) :: :ok
  def stop(pipeline), do: GenServer.stop(pipeline)

  ## The process

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    name = Label.name(options.name)
    Label.put({Wasgo.Pipeline, name}, wasgo_pipeline: name)

    state = %{
      name: name,
      most: options.max_in_flight,
      max_restarts: options.max_restarts,
      # By their places, from 0; and the places of their names.
      parts: options.stages |> Enum.with_index(fn part, at -> {at, part} end) |> Map.new(),
      places: options.stages |> Enum.with_index(fn part, at -> {part.name, at} end) |> Map.new(),
      waiting: %{}
    }

    {:ok, state, {:continue, :begin}}
  end

  @impl true
  def handle_continue(:begin, state), do: {:noreply, state |> begin_all() |> pump()}

  @impl true
  def handle_call(:stages, _from, state) do
    {:reply, for({_at, part} <- sorted(state), do: Part.info(part)), state}
  end

  def handle_call({:stop, name}, from, state) do
    case state.places do
      %{^name => at} ->
        {part, timer} = Part.stop(state.parts[at], from)
        if timer, do: Process.send_after(self(), {:grace, at, timer}, @grace)
        {:noreply, pump(put(state, at, part))}

      _unknown ->
        {:reply, {:error, :unknown}, state}
    end
  end

  def handle_call({:start, name}, _from, state) do
    case state.places do
      %{^name => at} -> {:reply, :ok, pump(put(state, at, Part.start(state.parts[at])))}
      _unknown -> {:reply, {:error, :unknown}, state}
    end
  end

  def handle_call(:restart, _from, state) do
    parts = Map.new(state.parts, fn {at, part} -> {at, Part.reset(part)} end)
    {:reply, :ok, %{state | parts: parts} |> begin_all() |> pump()}
  end

  def handle_call({:await_end, timeout}, from, state) do
    cond do
      over?(state) ->
        {:reply, :ok, state}

      map_size(state.waiting) >= @most_waiting ->
        {:reply, {:error, :busy}, state}

      true ->
        ref = make_ref()
        if timeout != :infinity, do: Process.send_after(self(), {:late, ref}, timeout)
        {:noreply, put_in(state.waiting[ref], from)}
    end
  end

  @impl true
  def handle_info({:grace, at, token}, state),
    do: {:noreply, pump(put(state, at, Part.give_up(state.parts[at], token)))}

  def handle_info({:begin, at, token}, state),
    do: {:noreply, pump(put(state, at, Part.begin_anew(state.parts[at], token)))}

  def handle_info({:late, ref}, state) do
    {from, waiting} = Map.pop(state.waiting, ref)
    if from, do: GenServer.reply(from, {:error, :timeout})
    {:noreply, %{state | waiting: waiting}}
  end

  def handle_info({:EXIT, _pid, reason}, state), do: {:stop, reason, state}

  def handle_info(message, state) do
    case Enum.find(state.parts, fn {_at, part} -> Part.message?(part, message) end) do
      nil ->
        {:noreply, state}

      {at, part} ->
        {events, part} = Part.handle(part, message)
        {:noreply, events |> Enum.reduce(put(state, at, part), &happened(&1, at, &2)) |> pump()}
    end
  end

  @impl true
  def terminate(_reason, state),
    do: Enum.each(state.parts, fn {_at, part} -> Part.reset(part) end)

  defp sorted(state), do: Enum.sort_by(state.parts, &elem(&1, 0))
  defp put(state, at, part), do: put_in(state.parts[at], part)

  defp begin_all(state) do
    parts = Map.new(state.parts, fn {at, part} -> {at, Part.start(part)} end)
    %{state | parts: parts}
  end

  ## What comes of the stages

  defp happened({:buffers, buffers}, at, state), do: pass(state, at + 1, buffers)
  defp happened(:end_of_stream, at, state), do: state |> pass(at + 1, [:end_of_stream]) |> ended()

  defp happened({:failed, exception}, at, state) do
    part = state.parts[at]

    case Part.rest(part, state.max_restarts) do
      {:resting, part, pause} ->
        say(:warning, state, part, "is begun anew in #{pause} ms", exception)
        Process.send_after(self(), {:begin, at, part.token}, pause)
        put(state, at, part)

      {:failed, part} ->
        say(:error, state, part, "has failed, and is not begun anew", exception)
        put(state, at, part)
    end
  end

  defp say(level, state, part, words, exception) do
    Logger.log(
      level,
      "Wasgo.Pipeline: stage #{inspect(part.name)} of #{inspect(state.name)} #{words}: #{Exception.message(exception)}",
      wasgo_stage: part.name
    )
  end

  defp pass(state, at, items) do
    case state.parts do
      %{^at => part} -> put(state, at, Part.take(part, items))
      _past_the_last -> state
    end
  end

  defp over?(state), do: state.parts[map_size(state.parts) - 1].state == :ended

  defp ended(state) do
    if over?(state) do
      for {_ref, from} <- state.waiting, do: GenServer.reply(from, :ok)
      %{state | waiting: %{}}
    else
      state
    end
  end

  # Gives each stage what waits before it, as long as there is room before the next; the last first, which makes room for those before.
  defp pump(state) do
    last = map_size(state.parts) - 1

    Enum.reduce(last..0//-1, state, fn at, state ->
      part = state.parts[at]
      put(state, at, Part.feed(part, room(state, at + 1) - Part.under_way(part), state.most))
    end)
  end

  defp room(state, at) do
    case state.parts do
      %{^at => next} -> state.most - Part.waiting(next) - Part.under_way(next)
      _past_the_last -> state.most
    end
  end
end
