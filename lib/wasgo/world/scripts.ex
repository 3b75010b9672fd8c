defmodule Wasgo.World.Scripts do
  @moduledoc """
  Runs the scripts of a world's objects, and has the world move what they move.

      {:ok, world} = Wasgo.World.start_link(name: "garden", store: store)
      {:ok, _pid} = Wasgo.World.Scripts.start_link(world: world, scripts: store)
      {:ok, _id} = Wasgo.World.put(world, name: "hare", mesh: "hare", script: "wander", position: {4, 0, -2})

  Each object that names a `script` is notified of `:ready` when it appears, of `:process` at a steady rate, and of whatever `notify/4` says. What the
  script returns are values of the object's node (`Wasgo.World.put_rows/2`): every zone that has the object shows them. It needs no engine.

  A row is the object's id, the seconds that it has been there, where it was placed (x, y, z in metres), how it was turned (about +Y, in radians), and the seconds since
  the last tick; for notifications of your own what came with them follows the second value.

  Scripts are found in a store, a map or by a function, run in a process each, keep state where they are granted it (an object is
  `"NAME/ID"` in `Wasgo.Script.Registry`, `NAME` the world's) and are stopped for an object where they fail, all as of `Wasgo.Godot.Scripts`.

  To start it under a supervisor, behind its world:

      children = [
        {Wasgo.World, name: "garden", store: store, as: MyGame.Garden},
        {Wasgo.World.Scripts, world: MyGame.Garden, scripts: store}
      ]
  """

  use GenServer

  require Logger

  alias Wasgo.Godot.Scripts.{Row, Runner}
  alias Wasgo.{LimitError, Options, Script, World, WorldError}

  @schema [
    world: [type: :server, required: true],
    scripts: [type: {:or, [{:struct, Wasgo.Store}, :map, {:function, 1}]}, required: true],
    hz: [type: {:range, 1..120}, default: 20],
    name: [type: {:or, [:atom, :server]}, default: nil]
  ]

  @process 17
  # How many changes of the world are looked at in one go, and how many objects a script is told of before it has run for them: its runner keeps a bounded
  # number of notifications.
  @at_once 1_000

  @enforce_keys [:world, :source, :period]
  defstruct [
    :world,
    # The process that it is, which is watched.
    :pid,
    :source,
    :period,
    :world_name,
    rev: 0,
    objects: %{},
    runners: %{},
    names: %{},
    # Objects that their script has not been told of yet, by script, and scripts that are busy with those that they were told of.
    unready: %{},
    busy: MapSet.new(),
    ticked: nil,
    # How each script does, by its name, and who is told: `%{monitor => pid}`.
    statuses: %{},
    subscribers: %{},
    # Scripts that had a line in the log because an object's was stopped, with how many were since that have none.
    logged: %{}
  ]

  # A script that fails does so for all of its objects: they have one line in this time, in ms, after the first.
  @log_pause 10_000

  @typedoc "`stopped` are objects whose script failed too often or took too long, with the reason."
  @type info :: %{
          objects: non_neg_integer(),
          scripts: [String.t()],
          stopped: %{World.id() => String.t()}
        }

  @typedoc """
  How a script does. `version` is `nil` where it has none, `error` why none could be loaded or what happened last, `object` one of those it failed for, `count` how often it did since
  that was told last, `trace` where it was.
  """
  @type status :: %{
          script: String.t(),
          version: pos_integer() | nil,
          state: :running | :failed,
          error: Exception.t() | nil,
          trace: [Script.Trace.frame()],
          object: World.id() | nil,
          count: non_neg_integer()
        }

  @most_subscribers 65_536

  @doc """
  Starts it, linked to the caller.

    * `:world` - a `Wasgo.World`; required
    * `:scripts` - a `Wasgo.Store`, a map from names to `Wasgo.Script`s, or a function of a name that returns `{:ok, script}` or `{:error, exception}`; required
    * `:hz` - ticks a second; 20 unless given
    * `:name` - what it is registered as

  ## Examples

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> scripts = %{"wander" => Wasgo.script!("guest/scripts/wander.wasm")}
      iex> {:ok, scripts} = Wasgo.World.Scripts.start_link(world: garden, scripts: scripts, hz: 10)
      iex> Wasgo.World.Scripts.info(scripts).objects
      0
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    options = Options.validate!(options, @schema, "Wasgo.World.Scripts.start_link/1")
    name = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, options, name)
  end

  @doc """
  A specification for a supervisor; `start_link/1` has the options.

      children = [
        {Wasgo.Store, location: "world.db", name: MyGame.Store},
        {Wasgo.World.Scripts, name: MyGame.Scripts, world: MyGame.Garden, scripts: &MyGame.Scripts.load/1}
      ]
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    %{id: options[:name] || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end

  @doc """
  Notifies an object's script, with arguments that a `Wasgo.Godot.Variant` can be. It is done when there is time for it; an object without a script hears nothing.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> scripts = %{"wander" => Wasgo.script!("guest/scripts/wander.wasm")}
      iex> {:ok, scripts} = Wasgo.World.Scripts.start_link(world: garden, scripts: scripts)
      iex> {:ok, hare} = Wasgo.World.put(garden, name: "hare", script: "wander")
      iex> petted = 10_000
      iex> Wasgo.World.Scripts.notify(scripts, hare, petted, ["Ada"])
      :ok
  """
  @spec notify(GenServer.server(), World.id(), Script.what(), [term()]) :: :ok
  def notify(scripts, id, what, args \\ []) when is_integer(id) and is_list(args),
    do: GenServer.cast(scripts, {:notify, id, Script.number(what), args})

  @doc """
  Notifies an object's script as `notify/4` does, and waits for what it returned: values by column, or `nil` if it changes nothing. They are put into the world too.

  Errors: those of `Wasgo.Script.notify/4`; a `Wasgo.WorldError` with the reason `:unknown_object` of an object that has no script, or whose script was stopped; a `Wasgo.LimitError` with the
  reason `:calls` where too many wait, or `:time` after `timeout` milliseconds: the script is notified all the same then.

      petted = 10_000
      {:ok, %{"rotation:y" => turned}} = Wasgo.World.Scripts.call(MyGame.Scripts, hare, petted, ["Ada"], 1_000)
  """
  @spec call(GenServer.server(), World.id(), Script.what(), [term()], timeout()) ::
          {:ok, %{String.t() => Script.value()} | nil} | {:error, Exception.t()}
  def call(scripts, id, what, args \\ [], timeout \\ 5_000)
      when is_integer(id) and is_list(args) do
    GenServer.call(scripts, {:call, id, Script.number(what), args}, timeout)
  catch
    :exit, {:timeout, _call} ->
      message = "the script has not answered within #{timeout} ms"
      {:error, %LimitError{reason: :time, value: timeout, message: message}}

    :exit, _gone ->
      {:error, %WorldError{reason: :stopped, message: "the world's scripts are not running"}}
  end

  @doc """
  Has the calling process told how scripts do: `{:wasgo_scripts, pid, status}` when a version is taken, when none can be, and at most once a second while one fails. The answer
  is how they do now. It ends with the process.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, scripts} = Wasgo.World.Scripts.start_link(world: garden, scripts: store)
      iex> {:ok, _pid, status} = Wasgo.World.Scripts.subscribe(scripts)
      iex> status
      []
  """
  @spec subscribe(GenServer.server()) :: {:ok, pid(), [status()]} | {:error, Exception.t()}
  def subscribe(scripts) do
    GenServer.call(scripts, {:subscribe, self()})
  catch
    :exit, _gone ->
      {:error, %WorldError{reason: :stopped, message: "the world's scripts are not running"}}
  end

  @doc """
  What it runs.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, scripts} = Wasgo.World.Scripts.start_link(world: garden, scripts: %{})
      iex> Wasgo.World.Scripts.info(scripts)
      %{objects: 0, scripts: [], stopped: %{}}
  """
  @spec info(GenServer.server()) :: info()
  def info(scripts), do: GenServer.call(scripts, :info)

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)

    state = %__MODULE__{
      world: options.world,
      source: options.scripts,
      period: 1.0 / options.hz
    }

    with {:ok, _rev} <- World.subscribe(options.world) do
      pid = GenServer.whereis(options.world)
      Process.monitor(pid)
      name = World.info(options.world).name
      Wasgo.Label.put({__MODULE__, name}, wasgo_world: name)
      send(self(), :look)
      {:ok, tick(%{state | pid: pid, world_name: name})}
    else
      {:error, error} -> {:stop, error}
    end
  end

  # Some at a time, so that a large world does not keep ticks and callers waiting.
  defp look(state) do
    {rev, changes} = World.changes(state.world, state.rev, @at_once)
    ids = for {_rev, {what, id}} when what in [:object, :gone] <- changes, do: id
    scripted = World.scripted(state.world, ids)
    # There are more, it seems; whatever waits here already comes between.
    if length(changes) == @at_once, do: send(self(), :look)

    gone =
      Enum.filter(
        ids -- for({id, _script, _place} <- scripted, do: id),
        &is_map_key(state.objects, &1)
      )

    state = Enum.reduce(gone, %{state | rev: rev}, &remove(&2, &1))
    {:noreply, scripted |> Enum.reduce(state, &put(&2, &1)) |> feed_all()}
  rescue
    error in [WorldError, ArgumentError] ->
      # The world has ended, and its tables with it: the monitor says so too, a moment later.
      if Process.alive?(state.pid),
        do: reraise(error, __STACKTRACE__),
        else: {:stop, :normal, state}
  end

  @impl true
  def handle_call(:info, _from, state) do
    stopped =
      for {id, %{stopped: words}} <- state.objects, words != nil, into: %{}, do: {id, words}

    {:reply,
     %{
       objects: map_size(state.objects),
       scripts: Enum.sort(Map.keys(state.runners)),
       stopped: stopped
     }, state}
  end

  def handle_call({:call, id, what, args}, from, state) do
    case state.objects do
      %{^id => %{stopped: nil} = object} ->
        row = [id, seconds(object) | Row.values(what, args)]
        Runner.call(state.runners[object.script], from, {id, what, row, object.key})
        {:noreply, state}

      _none ->
        message = "object #{id} has no script that runs"
        error = %WorldError{reason: :unknown_object, field: "id", message: message}
        {:reply, {:error, error}, state}
    end
  end

  def handle_call({:subscribe, pid}, _from, state) do
    cond do
      pid in Map.values(state.subscribers) ->
        {:reply, {:ok, self(), Map.values(state.statuses)}, state}

      map_size(state.subscribers) >= @most_subscribers ->
        {:reply, {:error, %WorldError{reason: {:limit, :subscribers}}}, state}

      true ->
        state = put_in(state.subscribers[Process.monitor(pid)], pid)
        {:reply, {:ok, self(), Map.values(state.statuses)}, state}
    end
  end

  @impl true
  def handle_cast({:notify, id, what, args}, state) do
    with %{^id => %{stopped: nil} = object} <- state.objects do
      # Of itself it hears first.
      state = if object.ready?, do: state, else: tell_ready(state, object.script, [id])

      Runner.notify(state.runners[object.script], [
        {id, what, [id, seconds(object) | Row.values(what, args)], object.key}
      ])

      {:noreply, state}
    else
      _none -> {:noreply, state}
    end
  end

  @impl true
  def handle_info(message, state)

  def handle_info({:wasgo_world, _pid, {:rev, _rev}}, state), do: look(state)
  def handle_info(:look, state), do: look(state)

  def handle_info(:tick, state) do
    now = System.monotonic_time()
    delta = System.convert_time_unit(now - state.ticked, :native, :microsecond) / 1.0e6

    # One look at each, however many scripts there are.
    by_script =
      Enum.reduce(state.objects, %{}, fn
        {id, %{stopped: nil, ready?: true, script: script} = object}, by_script ->
          entry = {id, @process, [id, seconds(object, now) | object.place ++ [delta]], object.key}
          Map.update(by_script, script, [entry], &[entry | &1])

        _not_run, by_script ->
          by_script
      end)

    for {script, entries} <- by_script, do: Runner.notify(state.runners[script], entries)
    {:noreply, tick(state)}
  end

  def handle_info({Runner, pid, :idle}, state) do
    script = state.names[pid]
    {:noreply, feed(script, %{state | busy: MapSet.delete(state.busy, script)})}
  end

  def handle_info({Runner, pid, {:stopped, problems}}, state) do
    # One that is stopped may have had more under way.
    new =
      for {id, _words} = problem <- problems,
          match?(%{^id => %{stopped: nil}}, state.objects),
          do: problem

    state = Enum.reduce(new, state, fn {id, words}, state -> stop(state, id, words) end)
    {:noreply, Enum.reduce(new, state, &log_stop(state.names[pid], &1, &2))}
  end

  def handle_info({:logged, script}, state) do
    case Map.pop(state.logged, script) do
      {0, logged} ->
        {:noreply, %{state | logged: logged}}

      {count, logged} ->
        Logger.warning(
          "Wasgo.World: the script #{inspect(script)} is stopped for #{count} more objects"
        )

        {:noreply, log_again(%{state | logged: logged}, script)}
    end
  end

  def handle_info({Runner, pid, {:status, status}}, state) do
    name = state.names[pid]
    status = Map.put(status, :script, name)

    for {_monitor, subscriber} <- state.subscribers,
        do: send(subscriber, {:wasgo_scripts, self(), status})

    {:noreply, put_in(state.statuses[name], status)}
  end

  # Another version may do what the last one could not.
  def handle_info({Runner, pid, {:loaded, :all, {:ok, _whats}}}, state) do
    name = state.names[pid]

    objects =
      Map.new(state.objects, fn
        {id, %{script: ^name} = object} -> {id, %{object | stopped: nil}}
        other -> other
      end)

    {:noreply, %{state | objects: objects}}
  end

  def handle_info({:EXIT, pid, reason}, state) do
    case Map.pop(state.names, pid) do
      # The parent, or the world's end.
      {nil, _names} -> {:stop, reason, state}
      {name, _names} -> {:stop, {:script_process_ended, name, reason}, state}
    end
  end

  def handle_info({:DOWN, ref, :process, _pid, _reason}, %{subscribers: subscribers} = state)
      when is_map_key(subscribers, ref),
      do: {:noreply, %{state | subscribers: Map.delete(subscribers, ref)}}

  def handle_info({:DOWN, _ref, :process, _world, _reason}, state), do: {:stop, :normal, state}
  def handle_info(_stray, state), do: {:noreply, state}

  # The next one comes after a whole period: a machine that is behind does fewer, and never two at once.
  defp tick(state) do
    Process.send_after(self(), :tick, max(round(state.period * 1000), 1))
    %{state | ticked: System.monotonic_time()}
  end

  defp put(state, {id, script, place}) do
    state = runner(state, script)

    case state.objects do
      %{^id => %{script: ^script} = known} ->
        put_in(state.objects[id], %{known | place: place, stopped: nil})

      _new ->
        state = if is_map_key(state.objects, id), do: remove(state, id), else: state

        new = %{
          script: script,
          place: place,
          since: System.monotonic_time(),
          key: "#{state.world_name}/#{id}",
          ready?: false,
          stopped: nil
        }

        unready = Map.update(state.unready, script, :queue.from_list([id]), &:queue.in(id, &1))
        %{put_in(state.objects[id], new) | unready: unready}
    end
  end

  ## Scripts are told of their objects

  defp feed_all(state), do: state.unready |> Map.keys() |> Enum.reduce(state, &feed/2)

  # Some at a time, and the next when those have run: a script that is slow is so for its own objects alone.
  defp feed(script, state) do
    case state.unready do
      %{^script => queue} ->
        if MapSet.member?(state.busy, script), do: state, else: feed(script, queue, state)

      _none ->
        state
    end
  end

  defp feed(script, queue, state) do
    {now, later} = :queue.split(min(@at_once, :queue.len(queue)), queue)

    unready =
      if :queue.is_empty(later),
        do: Map.delete(state.unready, script),
        else: Map.put(state.unready, script, later)

    state = tell_ready(%{state | unready: unready}, script, :queue.to_list(now))
    Runner.ask(state.runners[script])
    %{state | busy: MapSet.put(state.busy, script)}
  end

  # Those that are still its own, and have not heard of themselves.
  defp tell_ready(state, script, ids) do
    ready = Script.number(:ready)

    {entries, objects} =
      Enum.reduce(ids, {[], state.objects}, fn id, {entries, objects} ->
        case objects do
          %{^id => %{script: ^script, ready?: false} = object} ->
            entry = {id, ready, [id, 0.0 | object.place ++ [0.0]], object.key}
            {[entry | entries], %{objects | id => %{object | ready?: true}}}

          _gone ->
            {entries, objects}
        end
      end)

    if entries != [], do: Runner.notify(state.runners[script], Enum.reverse(entries))
    %{state | objects: objects}
  end

  defp remove(state, id) do
    {object, objects} = Map.pop!(state.objects, id)
    Runner.forget(state.runners[object.script], id)
    %{state | objects: objects}
  end

  defp runner(state, name) when is_map_key(state.runners, name), do: state

  defp runner(state, name) do
    {:ok, runner} = Runner.start_link(name, state.source, {:world, state.world})

    %{
      state
      | runners: Map.put(state.runners, name, runner),
        names: Map.put(state.names, runner, name)
    }
  end

  defp log_stop(script, _problem, state) when is_map_key(state.logged, script),
    do: update_in(state.logged[script], &(&1 + 1))

  defp log_stop(script, {id, words}, state) do
    Logger.warning(
      "Wasgo.World: the script #{inspect(script)} of object #{id} is stopped: #{words}"
    )

    log_again(state, script)
  end

  defp log_again(state, script) do
    Process.send_after(self(), {:logged, script}, @log_pause)
    put_in(state.logged[script], 0)
  end

  defp stop(state, id, words) do
    case state.objects do
      %{^id => object} -> %{state | objects: %{state.objects | id => %{object | stopped: words}}}
      _gone -> state
    end
  end

  defp seconds(object, now \\ System.monotonic_time()),
    do: System.convert_time_unit(now - object.since, :native, :microsecond) / 1.0e6
end
