defmodule Wasgo.World.Server do
  @moduledoc false
  # The process of a `Wasgo.World`: puts mutations in an order, has them committed many at a time, and tells of them when they are. It never waits for the store, nor
  # for anyone whom it tells.

  use GenServer

  alias Wasgo.World.{Change, Journal, Loading, Needs, State, Transient, Writer, Zone}
  alias Wasgo.{Telemetry, WorldError}

  require Logger

  # One transaction has so many mutations, or so many bytes, of whole requests.
  @group 1_000
  @group_bytes 8 * 1_048_576
  # What waits for the next one.
  @most_waiting 10_000
  @most_waiting_bytes 256 * 1_048_576
  # Rows that one job deletes or writes, so that mutations come between.
  @slice 1_000
  @most_subscribers 1_024
  # What chunks need is written so long after it was found out, in ms: more of it will have been then.
  @needs_pause 1_000

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    Wasgo.Label.put({Wasgo.World, options.name}, wasgo_world: options.name)

    with {:ok, journal, known} <- Journal.open(options.store, options.name, options.timeout),
         tables = State.new(),
         {:ok, loaded} <- Loading.load(tables, journal, options.repair) do
      start(options, journal, known, tables, loaded)
    else
      {:error, exception} -> {:stop, exception}
    end
  end

  defp start(options, journal, known, tables, loaded) do
    # A row that is gone may have been of anything: engines start anew.
    floor = if loaded.aside == [], do: known.floor, else: known.rev
    State.put_rev(tables, max(known.rev, loaded.highest))
    State.put_floor(tables, floor)

    with {:ok, transient, tables, written} <-
           Transient.start_link(tables, journal, options.repair),
         {:ok, zones} <- DynamicSupervisor.start_link(strategy: :one_for_one) do
      state = %{
        name: options.name,
        identity: known.identity,
        journal: journal,
        tables: tables,
        limits: options.limits,
        options: options,
        refs: loaded.refs,
        uses: loaded.uses,
        counts: loaded.counts,
        next_id: loaded.next_id,
        held: loaded.held,
        # Rows that may be deleted, and the numbers of traces, the oldest first.
        dead: loaded.dead,
        dead_count: length(loaded.dead),
        traces: :gb_trees.from_orddict(loaded.traces),
        # Floors that the store does not have yet.
        floor: floor,
        queue: :queue.new(),
        waiting: 0,
        waiting_bytes: 0,
        writer: Writer.start_link(),
        job: nil,
        snapshot: %{wanted: false, sequence: written, reply: []},
        transient: transient,
        supervisor: zones,
        zones: %{},
        monitors: %{},
        # What the engines of zones that have left are known to hold.
        memories: %{},
        # Which meshes the chunks need that were made, for all zones, and whether that is to be written.
        needs: Needs.new(),
        needs_due?: false,
        subscribers: %{},
        timer: nil,
        # Whether something in the store failed that need not be done at once.
        resting: false
      }

      first(schedule(state), options.plan)
    else
      {:error, exception} -> {:stop, exception}
    end
  end

  # A new world begins with the plan that was given. Nobody waits for this process yet.
  defp first(state, plan) do
    if plan == nil or State.plan(state.tables) != nil,
      do: {:ok, work(state)},
      else: first_plan(state, plan)
  end

  defp first_plan(state, plan) do
    with {:ok, change, _ids} <- Change.all(change(state), [plan]),
         {entries, kept, dropped} = written(state, change),
         before = State.rev(state.tables),
         :ok <- Journal.commit(state.journal, before, change.rev, rows(entries), kept, dropped) do
      {:ok, done({:commit, change, entries, kept, dropped, []}, :ok, state)}
    else
      {_error, error} -> {:stop, error}
    end
  end

  ## Mutations

  @impl true
  def handle_call({:mutate, mutations, weight}, from, state) do
    if state.waiting >= @most_waiting or state.waiting_bytes + weight > @most_waiting_bytes do
      {:reply, {:error, %WorldError{reason: :overloaded}}, state}
    else
      state = %{
        state
        | queue: :queue.in({from, mutations, weight}, state.queue),
          waiting: state.waiting + 1,
          waiting_bytes: state.waiting_bytes + weight
      }

      {:noreply, work(state)}
    end
  end

  def handle_call(:tables, _from, state), do: {:reply, {state.tables, state.journal}, state}
  def handle_call(:transient, _from, state), do: {:reply, state.transient, state}

  def handle_call(:info, _from, state) do
    info = %{
      name: state.name,
      identity: state.identity,
      rev: State.rev(state.tables),
      objects: state.counts.objects,
      meshes: state.counts.meshes,
      chunks: state.counts.chunks,
      properties: state.counts.properties,
      payloads: MapSet.size(state.held),
      traces: :gb_trees.size(state.traces),
      superseded: state.dead_count,
      waiting: state.waiting,
      transient: :ets.info(state.tables.rows, :size),
      zones: state.zones |> Map.keys() |> Enum.sort()
    }

    {:reply, info, state}
  end

  def handle_call(:snapshot, from, state) do
    {:noreply, work(put_in(state.snapshot, wanted(state.snapshot, [from])))}
  end

  ## Those who follow

  def handle_call({:subscribe, pid}, _from, state) do
    cond do
      is_map_key(state.subscribers, pid) ->
        {:reply, {:ok, State.rev(state.tables)}, state}

      map_size(state.subscribers) >= @most_subscribers ->
        {:reply, {:error, %WorldError{reason: {:limit, :subscribers}}}, state}

      true ->
        monitor = Process.monitor(pid)
        state = put_in(state.subscribers[pid], %{monitor: monitor, told?: false})
        {:reply, {:ok, State.rev(state.tables)}, put_in(state.monitors[monitor], {:pid, pid})}
    end
  end

  def handle_call({:unsubscribe, pid}, _from, state) do
    case Map.pop(state.subscribers, pid) do
      {nil, _subscribers} ->
        {:reply, :ok, state}

      {%{monitor: monitor}, subscribers} ->
        Process.demonitor(monitor, [:flush])
        monitors = Map.delete(state.monitors, monitor)
        {:reply, :ok, %{state | subscribers: subscribers, monitors: monitors}}
    end
  end

  # Whoever asks what is new wants to be told again.
  def handle_call({:heard, pid}, _from, state) do
    state =
      if is_map_key(state.subscribers, pid),
        do: put_in(state.subscribers[pid].told?, false),
        else: state

    {:reply, state.tables, state}
  end

  def handle_call({:attach, zone, pid}, _from, state) do
    cond do
      is_map_key(state.zones, zone) ->
        {:reply, {:error, :taken}, state}

      map_size(state.zones) >= state.limits.zones ->
        {:reply, {:error, %WorldError{reason: {:limit, :zones}}}, state}

      true ->
        attach(state, zone, pid)
    end
  end

  def handle_call({:connection, zone}, _from, state) do
    {:reply, get_in(state.zones, [zone, :pid]), state}
  end

  defp attach(state, zone, owner) do
    {memory, memories} = Map.pop_lazy(state.memories, zone, &Zone.Memory.new/0)
    # Whether it was told that there is something new, and the number that its engine is at.
    flag = :atomics.new(2, [])

    start = %{
      world: state.name,
      zone: zone,
      tables: state.tables,
      journal: state.journal,
      needs: state.needs,
      memory: memory,
      flag: flag,
      owner: owner,
      options: state.options.zone
    }

    spec = %{id: Zone, start: {Zone, :start_link, [start]}, restart: :temporary}
    {:ok, pid} = DynamicSupervisor.start_child(state.supervisor, spec)
    monitor = Process.monitor(pid)
    since = System.monotonic_time(:second)
    span = Telemetry.start(:zone, %{world: state.name, zone: zone})
    state = put_in(state.zones[zone], %{pid: pid, flag: flag, memory: memory, span: span})
    state = put_in(state.monitors[monitor], {:zone, zone})
    State.put_zones(state.tables, Map.put(State.zones(state.tables), zone, {since, flag}))
    {:reply, {:ok, state.identity, pid}, %{state | memories: memories}}
  end

  @impl true
  def handle_info({Writer, ref, result}, %{job: {ref, what}} = state) do
    case done(what, result, %{state | job: nil}) do
      {:stop, _reason, _state} = stop -> stop
      state -> {:noreply, work(state)}
    end
  end

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    case Map.pop(state.monitors, monitor) do
      {{:pid, pid}, monitors} ->
        subscribers = Map.delete(state.subscribers, pid)
        {:noreply, %{state | subscribers: subscribers, monitors: monitors}}

      {{:zone, zone}, monitors} ->
        {%{memory: memory, span: span}, zones} = Map.pop!(state.zones, zone)
        Telemetry.stop(span, nil)
        State.put_zones(state.tables, Map.delete(State.zones(state.tables), zone))
        state = %{state | zones: zones, monitors: monitors}
        {:noreply, remember(state, zone, memory)}

      {nil, _monitors} ->
        {:noreply, state}
    end
  end

  def handle_info(:snapshot, state) do
    state = schedule(%{state | timer: nil, resting: false})
    {:noreply, work(put_in(state.snapshot, wanted(state.snapshot, [])))}
  end

  def handle_info({Needs, :fresh}, state) do
    Process.send_after(self(), :needs, @needs_pause)
    {:noreply, state}
  end

  def handle_info(:needs, state), do: {:noreply, work(%{state | needs_due?: true})}

  # A part of the world that ends by itself is a fault; its supervisor starts all of it again.
  def handle_info({:EXIT, _pid, reason}, state), do: {:stop, reason, state}
  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    finish(state)
    # Those that are linked live on where the end is a normal one.
    Process.exit(state.writer, :shutdown)
    Process.exit(state.transient, :shutdown)
  end

  defp finish(%{job: nil} = state), do: put_down(state)

  # What was begun is waited for: its callers are told the truth.
  defp finish(%{job: {ref, what}} = state) do
    receive do
      {Writer, ^ref, result} ->
        case done(what, result, %{state | job: nil}) do
          {:stop, _reason, _state} -> :ok
          state -> put_down(state)
        end

      {:EXIT, writer, _reason} when writer == state.writer ->
        :ok
    end
  end

  # The newest transient values, and what was found out, so that an orderly end loses none.
  defp put_down(state) do
    for {from, _mutations, _weight} <- :queue.to_list(state.queue),
        do: GenServer.reply(from, {:error, %WorldError{reason: :stopped}})

    put_down(state, state.snapshot.sequence)
    put_needs_down(state)
  end

  defp put_needs_down(state) do
    with {:ok, :more} <- Needs.write(state.needs, state.journal, @slice),
         do: put_needs_down(state),
         else: (_done_or_error -> :ok)
  end

  defp put_down(state, sequence) do
    case Transient.write(state.tables, state.journal, sequence, @slice) do
      {:ok, ^sequence} -> :ok
      {:ok, sequence} -> put_down(state, sequence)
      {:error, _error} -> :ok
    end
  end

  ## What is done in the store

  # Mutations come first; after them what is to be put down and deleted, a slice at a time.
  defp work(%{job: job} = state) when job != nil, do: state

  defp work(state) do
    cond do
      not :queue.is_empty(state.queue) -> commit(state)
      state.snapshot.wanted -> snapshot(state)
      state.dead_count >= state.options.prune_at and not state.resting -> prune(state)
      state.needs_due? -> write_needs(state)
      true -> state
    end
  end

  defp commit(state) do
    before = State.rev(state.tables)

    change = change(state)
    {change, replies, state} = gather(change, [], state, @group, @group_bytes)

    if change.rev == before do
      # There was nothing but what is refused.
      for {from, reply} <- replies, do: GenServer.reply(from, reply)
      work(state)
    else
      {entries, kept, dropped} = written(state, change)
      rows = rows(entries)
      %{journal: journal} = state
      rev = change.rev
      job = fn -> Journal.commit(journal, before, rev, rows, kept, dropped) end
      measured = %{mutations: rev - before, waiting: state.waiting}
      about = %{world: state.name}
      job = fn -> Telemetry.span(:commit, measured, about, job) end
      begin(state, job, {:commit, change, entries, kept, dropped, replies})
    end
  end

  defp change(state) do
    %Change{
      state: state.tables,
      limits: state.limits,
      rev: State.rev(state.tables),
      refs: state.refs,
      uses: state.uses,
      counts: state.counts,
      next_id: state.next_id
    }
  end

  defp written(state, change), do: Change.written(change, &MapSet.member?(state.held, &1))

  defp rows(entries) do
    for {key, rev, zone, marks, body} <- entries, do: {rev, {key, zone, marks, body}}
  end

  defp begin(state, job, what), do: %{state | job: {Writer.run(state.writer, job), what}}

  # Requests as they came, each as a whole or not at all.
  defp gather(change, replies, state, left, bytes) when left > 0 and bytes > 0 do
    case :queue.out(state.queue) do
      {{:value, {from, mutations, weight}}, queue} ->
        state = %{
          state
          | queue: queue,
            waiting: state.waiting - 1,
            waiting_bytes: state.waiting_bytes - weight
        }

        case Change.all(change, mutations) do
          {:ok, change, ids} ->
            reply = {from, {:ok, change.rev, ids}}
            left = left - length(mutations)
            gather(change, [reply | replies], state, left, bytes - weight)

          {:error, error} ->
            gather(change, [{from, {:error, error}} | replies], state, left, bytes)
        end

      {:empty, _queue} ->
        {change, replies, state}
    end
  end

  defp gather(change, replies, state, _left, _bytes), do: {change, replies, state}

  defp done({:commit, change, entries, kept, dropped, replies}, :ok, state) do
    state = Enum.reduce(entries, state, &enter/2)
    held = Enum.reduce(kept, state.held, fn {hash, _bytes}, held -> MapSet.put(held, hash) end)
    held = Enum.reduce(dropped, held, &MapSet.delete(&2, &1))
    if change.plan != :same, do: State.put_plan(state.tables, change.plan)
    State.put_rev(state.tables, change.rev)

    state = %{
      state
      | refs: change.refs,
        uses: change.uses,
        counts: change.counts,
        next_id: change.next_id,
        held: held
    }

    for {from, reply} <- replies, do: GenServer.reply(from, reply)
    state |> bound_traces() |> tell()
  end

  # What was refused for itself has its own words; of the rest nothing was done.
  defp done({:commit, _change, _entries, _kept, _dropped, replies}, {kind, error}, state) do
    for {from, reply} <- replies do
      GenServer.reply(from, if(elem(reply, 0) == :ok, do: {:error, error}, else: reply))
    end

    if kind == :unknown or error.reason == :taken_over,
      do: {:stop, {:shutdown, error}, state},
      else: state
  end

  defp done({:prune, _revs, floor}, :ok, state), do: %{state | floor: floor}

  defp done({:prune, revs, _floor}, {:error, error}, state),
    do: state |> dead(revs) |> put_off(error)

  defp done({:rows, before}, {:ok, before}, state), do: put_in(state.snapshot.wanted, :prune)
  defp done({:rows, _before}, {:ok, number}, state), do: put_in(state.snapshot.sequence, number)
  defp done({:rows, _before}, {:error, error}, state), do: put_off(state, error)

  defp done(:needs, {:ok, :more}, state), do: state
  defp done(:needs, {:ok, :done}, state), do: %{state | needs_due?: false}

  # It is as if it were not known, and tried again with what is found out next.
  defp done(:needs, {:error, error}, state) do
    if error.reason == :taken_over,
      do: {:stop, {:shutdown, error}, state},
      else: %{state | needs_due?: false}
  end

  # What nobody waits for is tried again with the next snapshot.
  defp put_off(state, %WorldError{reason: :taken_over} = error),
    do: {:stop, {:shutdown, error}, state}

  defp put_off(state, error) do
    Logger.warning(
      "Wasgo.World: #{inspect(state.name)}: no snapshot: #{Exception.message(error)}"
    )

    answered(%{state | resting: true}, {:error, error})
  end

  # Transient values first, then the rows that are superseded.
  defp snapshot(%{snapshot: %{wanted: true, sequence: sequence}} = state) do
    %{tables: tables, journal: journal} = state
    job = fn -> Transient.write(tables, journal, sequence, @slice) end
    begin(state, job, {:rows, sequence})
  end

  defp snapshot(%{snapshot: %{wanted: :prune}} = state) do
    if state.dead == [] and State.floor(state.tables) == state.floor,
      do: state |> answered(:ok) |> work(),
      else: prune(state)
  end

  defp prune(state) do
    {revs, dead} = Enum.split(state.dead, @slice)
    floor = State.floor(state.tables)
    %{journal: journal} = state
    state = %{state | dead: dead, dead_count: state.dead_count - length(revs)}
    begin(state, fn -> Journal.prune(journal, revs, floor) end, {:prune, revs, floor})
  end

  defp write_needs(state) do
    %{needs: needs, journal: journal} = state
    begin(state, fn -> Needs.write(needs, journal, @slice) end, :needs)
  end

  defp wanted(snapshot, replies) do
    %{snapshot | wanted: snapshot.wanted || true, reply: replies ++ snapshot.reply}
  end

  defp answered(state, answer) do
    for from <- state.snapshot.reply, do: GenServer.reply(from, answer)
    %{state | snapshot: %{state.snapshot | wanted: false, reply: []}}
  end

  defp schedule(state) do
    %{state | timer: Process.send_after(self(), :snapshot, state.options.snapshot_every)}
  end

  ## What is committed

  defp enter({key, rev, _zone, _marks, body} = entry, state) do
    before = State.put(state.tables, entry)
    if is_integer(key) and body == :gone, do: Transient.forget(state.transient, key)

    traces =
      case before do
        {_key, old, _zone, _marks, :gone} -> :gb_trees.delete(old, state.traces)
        _there -> state.traces
      end

    traces = if body == :gone, do: :gb_trees.insert(rev, key, traces), else: traces
    state = %{state | traces: traces}
    if before, do: dead(state, [elem(before, 1)]), else: state
  end

  defp dead(state, revs),
    do: %{state | dead: revs ++ state.dead, dead_count: state.dead_count + length(revs)}

  # Traces of what was removed are bounded: engines that are older than the oldest of them start anew.
  defp bound_traces(state) do
    over = :gb_trees.size(state.traces) - state.limits.traces
    if over > 0, do: drop_traces(state, over), else: state
  end

  defp drop_traces(state, 0), do: state

  defp drop_traces(state, left) do
    {rev, key, traces} = :gb_trees.take_smallest(state.traces)
    # Engines that ask from now on are told before it is gone.
    State.put_floor(state.tables, max(rev, State.floor(state.tables)))
    State.forget(state.tables, key, rev)
    drop_traces(dead(%{state | traces: traces}, [rev]), left - 1)
  end

  # One message at most waits for each.
  defp tell(state) do
    for {_zone, %{pid: pid, flag: flag}} <- state.zones,
        :atomics.exchange(flag, 1, 1) == 0,
        do: send(pid, {__MODULE__, :changed})

    rev = State.rev(state.tables)

    subscribers =
      Map.new(state.subscribers, fn {pid, subscriber} ->
        unless subscriber.told?, do: send(pid, {:wasgo_world, self(), {:rev, rev}})
        {pid, %{subscriber | told?: true}}
      end)

    %{state | subscribers: subscribers}
  end

  # Of zones that have not been seen for longest nothing is remembered.
  defp remember(state, zone, memory) do
    memories = Map.put(state.memories, zone, memory)

    if map_size(memories) > state.limits.zones do
      {oldest, _memory} = Enum.min_by(memories, fn {_zone, memory} -> Zone.Memory.age(memory) end)
      {dropped, memories} = Map.pop!(memories, oldest)
      Zone.Memory.delete(dropped)
      %{state | memories: memories}
    else
      %{state | memories: memories}
    end
  end
end
