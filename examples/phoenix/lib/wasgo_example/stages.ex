defmodule WasgoExample.Stages do
  @moduledoc """
  What each stage does, and the switch that stops and starts it.

  Those of the survey's pipeline are stopped by their valves (`WasgoExample.Valve`): the buffer that comes next waits there. The creatures' scripts and the
  server for engines are processes under `WasgoExample.Supervisor`, which stops and starts them.

  Every second all of it is broadcast to the pages, as the event `"stages"`.
  """

  use GenServer

  alias Wasgo.Script.{Registry, Trace}
  alias WasgoExampleWeb.Endpoint

  @period 1_000
  # How long a stage may take to stop: a server tells its engines goodbye.
  @patience 15_000
  # A stage that failed within so many milliseconds is said to fail.
  @fresh 3_000

  @valves [
    {"generate", "Generate", "makes the land, chunk by chunk"},
    {"grove", "Script", "grove decides what grows"},
    {"namer", "Service", "a WASI program names each place"},
    {"keep", "World", "stores what has changed"}
  ]
  @children [
    {"creatures", "Creatures", "creature and crystal, 30 times a second", WasgoExample.Creatures},
    {"godot", "Godot", "game servers show the same world", WasgoExample.Godot}
  ]
  @names for({name, _, _} <- @valves, do: name) ++ for({name, _, _, _} <- @children, do: name)

  @table __MODULE__

  @typedoc "`rate` is buffers a second (of the creatures and engines: how many there are), `error` that of the last failure while it is
  fresh; `failure` the same of a script, with its lines."
  @type stage :: %{
          name: String.t(),
          title: String.t(),
          about: String.t(),
          line: :survey | :live,
          state: :running | :stopped | :waiting | :failing,
          count: non_neg_integer(),
          rate: number(),
          unit: String.t(),
          error: String.t() | nil,
          failure: map() | nil
        }

  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "All stages, in the order of the streams."
  @spec list() :: [stage()]
  def list, do: GenServer.call(__MODULE__, :list)

  @doc "Stops a stage, or starts it again."
  @spec put(String.t(), :start | :stop) :: {:ok, [stage()]} | {:error, :unknown_stage}
  def put(name, act) when name in @names and act in [:start, :stop],
    do: GenServer.call(__MODULE__, {act, name}, @patience)

  def put(_name, act) when act in [:start, :stop], do: {:error, :unknown_stage}

  ## For valves

  @doc false
  def stopped?(name), do: :ets.lookup_element(@table, name, 2)

  @doc false
  # Returns when the stage is started.
  def await(name), do: GenServer.call(__MODULE__, {:await, name}, :infinity)

  @doc false
  def entered(name), do: :ets.update_counter(@table, name, {3, 1})

  @doc false
  def left(name, {:ok, buffers, _state}) do
    for %{metadata: %{script_errors: {_count, exception}}} <- buffers, do: failed(name, exception)
    :ets.update_counter(@table, name, [{3, -1}, {4, length(buffers)}])
  end

  def left(name, {:end_of_stream, buffers, state}), do: left(name, {:ok, buffers, state})

  def left(name, {_error_or_stop, exception, _state}) do
    failed(name, exception)
    :ets.update_counter(@table, name, {3, -1})
  end

  @doc "Notes that a stage has failed."
  @spec failed(String.t(), Exception.t()) :: :ok
  def failed(name, exception) do
    :ets.update_element(@table, name, {5, {now(), exception}})
    :ok
  end

  ## The process

  @impl true
  def init(_options) do
    :ets.new(@table, [:named_table, :public, write_concurrency: true])
    for {name, _title, _about} <- @valves, do: :ets.insert(@table, {name, false, 0, 0, nil})
    :timer.send_interval(@period, :tell)
    {:ok, %{waiting: %{}, counts: %{}, rates: %{}}}
  end

  @impl true
  def handle_call(:list, _from, state), do: {:reply, stages(state), state}

  def handle_call({:await, name}, from, state) do
    if stopped?(name),
      do:
        {:noreply,
         update_in(state.waiting, &Map.update(&1, name, [from], fn all -> [from | all] end))},
      else: {:reply, :ok, state}
  end

  def handle_call({act, name}, _from, state) do
    state =
      case List.keyfind(@children, name, 0) do
        {_name, _title, _about, id} ->
          :ok = switch(act, id)
          state

        nil ->
          valve(act, name, state)
      end

    told = stages(state)
    tell(told)
    {:reply, {:ok, told}, state}
  end

  @impl true
  def handle_info(:tell, state) do
    counts = Map.new(@valves, fn {name, _, _} -> {name, :ets.lookup_element(@table, name, 4)} end)

    rates =
      Map.new(counts, fn {name, count} -> {name, count - Map.get(state.counts, name, count)} end)

    state = %{state | counts: counts, rates: rates}
    tell(stages(state))
    {:noreply, state}
  end

  defp valve(act, name, state) do
    :ets.update_element(@table, name, {2, act == :stop})

    if act == :start do
      {froms, waiting} = Map.pop(state.waiting, name, [])
      Enum.each(froms, &GenServer.reply(&1, :ok))
      %{state | waiting: waiting}
    else
      state
    end
  end

  # Twice is as once. The identity of a child is the name it was given.
  defp switch(:stop, name), do: Supervisor.terminate_child(WasgoExample.Supervisor, name)

  defp switch(:start, name) do
    case Supervisor.restart_child(WasgoExample.Supervisor, name) do
      {:ok, _pid} -> :ok
      {:error, already} when already in [:running, :restarting] -> :ok
    end
  end

  defp tell(stages),
    do:
      Endpoint.broadcast("world:" <> WasgoExample.world_name(), "event", %{
        "name" => "stages",
        "data" => stages
      })

  defp stages(state) do
    valves =
      for {name, title, about} <- @valves do
        [{_name, stopped?, inside, count, error}] = :ets.lookup(@table, name)
        error = fresh(error)

        stage(name, title, about, :survey, %{
          state: valve_state(stopped?, inside, error, state.rates[name]),
          count: count,
          rate: state.rates[name] || 0,
          unit: "chunks/s",
          error: error && Exception.message(error),
          failure: if(name == "grove" and error != nil, do: failure(error))
        })
      end

    valves ++
      for {name, title, about, id} <- @children, do: stage(name, title, about, :live, child(id))
  end

  defp valve_state(true, _inside, _error, _rate), do: :stopped
  defp valve_state(_stopped?, _inside, error, _rate) when error != nil, do: :failing
  defp valve_state(_stopped?, 0, _error, 0), do: :waiting
  defp valve_state(_stopped?, _inside, _error, _rate), do: :running

  defp stage(name, title, about, line, more),
    do: Map.merge(%{name: name, title: title, about: about, line: line, failure: nil}, more)

  # As the channel tells of the creatures' scripts: with the lines of the source.
  defp failure(error) do
    source =
      case Registry.get(WasgoExample.store(), "grove") do
        {:ok, entry} -> entry.source
        {:error, _gone} -> nil
      end

    reason = if is_atom(Map.get(error, :reason)), do: Map.get(error, :reason)
    %{reason: reason, message: Exception.message(error), frames: Trace.of(error, source)}
  end

  defp child(id) do
    case GenServer.whereis(id) do
      nil -> %{state: :stopped, count: 0, rate: 0, unit: unit(id), error: nil}
      _pid -> running(id)
    end
  catch
    :exit, _gone -> %{state: :stopped, count: 0, rate: 0, unit: unit(id), error: nil}
  end

  defp running(WasgoExample.Creatures = id) do
    %{objects: objects, stopped: stopped} = Wasgo.World.Scripts.info(id)

    {state, error} =
      case Map.values(stopped) do
        [] -> {:running, nil}
        [words | _] -> {:failing, words}
      end

    %{
      state: state,
      count: objects,
      rate: objects - map_size(stopped),
      unit: unit(id),
      error: error
    }
  end

  defp running(WasgoExample.Godot = id) do
    count = length(Wasgo.Godot.Server.connections(id))
    state = if count == 0, do: :waiting, else: :running
    %{state: state, count: count, rate: count, unit: unit(id), error: nil}
  end

  defp unit(WasgoExample.Creatures), do: "moving"
  defp unit(WasgoExample.Godot), do: "connected"

  defp fresh({at, error}), do: if(now() - at < @fresh, do: error)
  defp fresh(nil), do: nil

  defp now, do: System.monotonic_time(:millisecond)
end
