defmodule Wasgo.Godot.Scripts.Runner do
  @moduledoc false
  # Runs one script for all nodes of a connection, or all objects of a world, that have it.
  #
  # It may wait for the script, up to its time limit, and for nobody else. What comes meanwhile is bounded: of a node's ticks the newest, of other notifications the newest
  # so many. The owner gets `{Runner, pid, {:loaded, ids | :all, {:ok, whats} | {:error, words}}}`, `{Runner, pid, {:stopped, [{id, words}]}}`, for a world
  # `{Runner, pid, {:status, status}}`, and where it has asked `{Runner, pid, :idle}`.

  use GenServer, restart: :temporary

  require Logger

  alias Wasgo.Godot.{Connection, Frame}
  alias Wasgo.Godot.Scripts.Row
  alias Wasgo.{Label, LimitError, Rows, Script, Store, StoreError, Telemetry, World}
  alias Wasgo.Script.{Registry, Trace}

  # For all notifications of a kind together, and for one that is run alone because these took longer; in ms.
  @timeout 500
  @alone_timeout 25
  # Nodes that may be found to take too long in one go; the others of that go wait for the next.
  @most_slow 4
  # How often a node's script may fail one time after another.
  @most_failures 32
  # Notifications that are no ticks and wait.
  @most_waiting 4_096
  # How often another version is looked for, and a failure is logged, in ms.
  @refresh 1_000
  @log_pause 10_000
  # How often a world is told that its script fails, in ms.
  @tell_pause 1_000
  # Calls that wait for one script; beyond that they are refused.
  @most_calls 256
  # Of objects in a store so many are notified in one transaction.
  @batch 128
  @kind "godot"
  @max_words 400

  defstruct [
    :name,
    :source,
    :sink,
    :owner,
    :script,
    :problem,
    :looked,
    :logged,
    ids: MapSet.new(),
    ticks: %{},
    others: :queue.new(),
    waiting: 0,
    dropped: 0,
    scheduled?: false,
    failures: %{},
    objects: MapSet.new(),
    unsent: %{},
    columns: [],
    blocked?: false,
    keeps?: false,
    failed: 0,
    # The last failure, `{id, exception}`, and how many there were since the owner was told.
    failure: nil,
    untold: 0,
    told: nil
  ]

  @type entry :: {id :: integer(), what :: integer(), Script.row(), state :: String.t()}

  @typedoc """
  How a script does: which version runs, or why one does not. `object` is one of those that it failed for, `count` how often it did since the last time that this was told,
  `trace` where in its source it was.
  """
  @type status :: %{
          version: pos_integer() | nil,
          state: :running | :failed,
          error: Exception.t() | nil,
          trace: [Trace.frame()],
          object: integer() | nil,
          count: non_neg_integer()
        }

  @typedoc "Where the answers go."
  @type sink :: {:engine, Connection.t()} | {:world, World.t()}

  @spec start_link(String.t(), Wasgo.Godot.Scripts.source(), sink()) :: GenServer.on_start()
  def start_link(name, source, sink),
    do: GenServer.start_link(__MODULE__, {name, source, sink, self()})

  # The owner is told what is known of the script, now or as soon as it is.
  @spec attached(pid(), integer()) :: :ok
  def attached(runner, id), do: GenServer.cast(runner, {:attached, id})

  @spec forget(pid(), integer()) :: :ok
  def forget(runner, id), do: GenServer.cast(runner, {:forget, id})

  @spec notify(pid(), [entry()]) :: :ok
  def notify(runner, entries), do: GenServer.cast(runner, {:notify, entries})

  # The owner is told when all that it has said before was run.
  @spec ask(pid()) :: :ok
  def ask(runner), do: GenServer.cast(runner, :ask)

  # A notification whose answer `from` waits for, as `GenServer.reply/2` takes it; what is returned is sent as of any other.
  @spec call(pid(), GenServer.from(), entry()) :: :ok
  def call(runner, from, entry), do: GenServer.cast(runner, {:call, from, entry})

  @impl true
  def init({name, source, sink, owner}) do
    Label.put({Script, name}, wasgo_script: name)
    state = %__MODULE__{name: name, source: source, sink: sink, owner: owner}
    # Compiling may take a while, and the owner has others to look after.
    {:ok, state, {:continue, :load}}
  end

  @impl true
  def handle_continue(:load, state) do
    state =
      case load(state) do
        {:ok, script} -> taken(state, script)
        {:error, error} -> failed_to_load(state, error)
      end

    if is_struct(state.source, Store), do: Process.send_after(self(), :refresh, @refresh)
    {:noreply, %{state | looked: now()}}
  end

  @impl true
  def handle_cast({:attached, id}, state) do
    # Once for as many as come in one go.
    if MapSet.size(state.ids) == 0, do: send(self(), :tell)

    {:noreply,
     %{state | ids: MapSet.put(state.ids, id), failures: Map.delete(state.failures, id)}}
  end

  def handle_cast({:forget, id}, state) do
    {:noreply,
     %{
       state
       | ticks: Map.delete(state.ticks, id),
         failures: Map.delete(state.failures, id),
         unsent: Map.delete(state.unsent, id)
     }}
  end

  # What is to be run is behind this in the mailbox, or in nobody's.
  def handle_cast(:ask, %{scheduled?: true} = state) do
    ask(self())
    {:noreply, state}
  end

  def handle_cast(:ask, state) do
    send(state.owner, {__MODULE__, self(), :idle})
    {:noreply, state}
  end

  def handle_cast({:call, from, _entry}, %{script: nil} = state) do
    GenServer.reply(from, {:error, %StoreError{reason: :unknown_script, message: state.problem}})
    {:noreply, state}
  end

  def handle_cast({:call, from, entry}, state) do
    case Process.info(self(), :message_queue_len) do
      {:message_queue_len, waiting} when waiting > @most_calls ->
        message = "more than #{@most_calls} calls of the script #{inspect(state.name)} wait"

        GenServer.reply(
          from,
          {:error, %LimitError{reason: :calls, value: @most_calls, message: message}}
        )

        {:noreply, state}

      _few ->
        {:noreply, called(state, from, entry)}
    end
  end

  def handle_cast({:notify, _entries}, %{script: nil} = state), do: {:noreply, state}

  def handle_cast({:notify, entries}, state) do
    state = Enum.reduce(entries, state, &keep/2)
    {:noreply, schedule(state)}
  end

  defp called(state, from, {id, what, row, key} = entry) do
    state = if keeps?(state, key), do: object(entry, state), else: state
    answer = notified(state, what, row, key)

    GenServer.reply(from, with({:ok, [_ | _] = row} <- answer, do: {:ok, named(row, state)}))
    answer |> take(id, state) |> deliver() |> complain()
  end

  defp notified(state, what, row, key) do
    if keeps?(state, key) do
      state.source |> Script.notify(key, what, row, timeout: @timeout) |> by_columns(state)
    else
      Script.notify(state.script, what, row, timeout: @alone_timeout)
    end
  end

  defp named(row, state) do
    for {column, value} <- Enum.zip(state.columns, row),
        value != nil,
        into: %{},
        do: {column, value}
  end

  defp keep({id, what, _row, _key} = entry, state) do
    if Row.tick?(what) do
      %{state | ticks: Map.update(state.ticks, id, %{what => entry}, &Map.put(&1, what, entry))}
    else
      bound(%{
        state
        | others: :queue.in(entry, state.others),
          waiting: state.waiting + 1
      })
    end
  end

  defp bound(%{waiting: waiting} = state) when waiting > @most_waiting do
    %{state | others: :queue.drop(state.others), waiting: waiting - 1, dropped: state.dropped + 1}
  end

  defp bound(state), do: state

  # What is in the mailbox already comes first, so that a runner that is late does the newest only.
  defp schedule(%{scheduled?: true} = state), do: state

  defp schedule(state) do
    send(self(), :run)
    %{state | scheduled?: true}
  end

  @impl true
  def handle_info(message, state)

  def handle_info(:tell, state) do
    send(state.owner, {__MODULE__, self(), {:loaded, MapSet.to_list(state.ids), known(state)}})
    {:noreply, %{state | ids: MapSet.new()}}
  end

  def handle_info(:run, state) do
    others = :queue.to_list(state.others)
    ticks = for {_id, by_what} <- state.ticks, {_what, entry} <- by_what, do: entry

    state = %{state | ticks: %{}, others: :queue.new(), waiting: 0, scheduled?: false}
    groups = Enum.chunk_by(others, &elem(&1, 1)) ++ Map.values(Enum.group_by(ticks, &elem(&1, 1)))
    {:noreply, groups |> Enum.reduce(state, &run/2) |> deliver() |> complain()}
  end

  def handle_info(:refresh, state) do
    Process.send_after(self(), :refresh, @refresh)
    {:noreply, refresh(state)}
  end

  def handle_info({:wasgo_godot, {:room, :live}, _connection}, state),
    do: {:noreply, deliver(%{state | blocked?: false})}

  def handle_info(_stray, state), do: {:noreply, state}

  ## The script

  defp load(%{source: %Store{} = store, name: name}),
    do: usable(Registry.load(store, name))

  defp load(%{source: source, name: name}) when is_function(source), do: usable(source.(name))

  defp load(%{source: source, name: name}) do
    case source do
      %{^name => script} ->
        usable({:ok, script})

      _other ->
        no_script(:unknown_script, "there is no script #{inspect(name, printable_limit: 80)}")
    end
  end

  defp usable({:ok, %Script{} = script}) do
    cond do
      :notification not in script.exports -> no_script(:script, "the script has no _notification")
      script.columns == [] -> no_script(:script, "the script names no columns (_columns)")
      true -> {:ok, script}
    end
  end

  defp usable({:error, %{__exception__: true} = error}), do: {:error, error}
  defp usable(other), do: no_script(:script, "no script but #{inspect(other, limit: 5)}")

  defp no_script(reason, message), do: {:error, %StoreError{reason: reason, message: message}}

  defp taken(state, script) do
    keeps? =
      with %Store{} = store <- state.source,
           {:ok, entry} <- Registry.get(store, state.name),
           do: :state in entry.grants,
           else: (_none -> false)

    tell_world(state, %{version: script.version, state: :running})

    %{
      state
      | script: script,
        columns: script.columns,
        keeps?: keeps?,
        problem: nil,
        failed: 0,
        failures: %{},
        failure: nil,
        untold: 0
    }
  end

  defp failed_to_load(state, error) do
    tell_world(state, %{state: :failed, error: error, count: 1})
    %{state | problem: words(error)}
  end

  defp tell_world(%{sink: {:world, _world}} = state, changes) do
    status = %{version: nil, state: nil, error: nil, trace: [], object: nil, count: 0}
    send(state.owner, {__MODULE__, self(), {:status, Map.merge(status, changes)}})
  end

  defp tell_world(_engine, _changes), do: :ok

  defp known(%{script: nil, problem: problem}), do: {:error, problem}
  defp known(_state), do: {:ok, []}

  # A version that can't be had takes over from nothing: what works goes on.
  defp refresh(%{source: store, name: name, script: script} = state) do
    version = script && script.version

    with {:ok, active} when active != version <- Registry.active_version(store, name),
         {:ok, script} <- load(state) do
      send(state.owner, {__MODULE__, self(), {:loaded, :all, {:ok, []}}})
      # What was not sent yet is by the old columns.
      unsent = if script.columns == state.columns, do: state.unsent, else: %{}

      taken(%{state | unsent: unsent}, script)
    else
      _as_before -> state
    end
  end

  ## Running

  defp run([], state), do: state

  defp run([{_id, what, _row, _key} | _] = entries, state) do
    {kept, plain} = Enum.split_with(entries, fn {_, _, _, key} -> keeps?(state, key) end)
    state |> run_plain(what, plain) |> run_kept(what, kept)
  end

  defp keeps?(state, key), do: state.keeps? and key != ""

  defp run_plain(state, _what, []), do: state

  defp run_plain(state, what, entries) do
    rows = for {_id, _what, row, _key} <- entries, do: row

    case Script.notify_many(state.script, what, rows, timeout: @timeout) do
      {:ok, answers} ->
        entries
        |> Enum.zip(answers)
        |> Enum.reduce(state, fn {{id, _, _, _}, answer}, state -> take(answer, id, state) end)

      {:error, error} ->
        if slow?(error), do: one_by_one(state, what, entries), else: fail(state, entries, error)
    end
  end

  # Together they took too long: whose fault it is shows when each runs alone.
  defp one_by_one(state, what, entries), do: one_by_one(state, what, entries, 0)

  defp one_by_one(state, _what, [], _slow), do: state

  # The others wait for the next go. Ticks come again by themselves.
  defp one_by_one(state, what, rest, @most_slow) do
    if Row.tick?(what), do: state, else: rest |> Enum.reduce(state, &keep/2) |> schedule()
  end

  defp one_by_one(state, what, [{id, _, row, _} | rest], slow) do
    answer = Script.notify(state.script, what, row, timeout: @alone_timeout)

    if match?({:error, _}, answer) and slow?(elem(answer, 1)),
      do: state |> stop(id, elem(answer, 1)) |> one_by_one(what, rest, slow + 1),
      else: answer |> take(id, state) |> one_by_one(what, rest, slow)
  end

  defp slow?(%LimitError{reason: reason}), do: reason in [:time, :fuel]
  defp slow?(_error), do: false

  # Objects of the store, whose state is kept.
  defp run_kept(state, what, entries) do
    entries
    |> Enum.chunk_every(@batch)
    |> Enum.reduce(state, fn batch, state ->
      state = Enum.reduce(batch, state, &object/2)

      result =
        Store.transaction(state.source, fn store ->
          for {id, _what, row, key} <- batch do
            {id, Script.notify(store, key, what, row, timeout: @timeout)}
          end
        end)

      case result do
        {:ok, answers} ->
          Enum.reduce(answers, state, fn {id, answer}, state ->
            answer |> by_columns(state) |> take(id, state)
          end)

        {:error, error} ->
          fail(state, batch, error)
      end
    end)
  end

  defp object({_id, _what, _row, key}, state) do
    if MapSet.member?(state.objects, key) do
      state
    else
      with {:error, %StoreError{reason: :unknown_object}} <-
             Registry.get_object(state.source, key),
           do: Registry.put_object(state.source, key, @kind, state.name)

      %{state | objects: MapSet.put(state.objects, key)}
    end
  end

  defp by_columns({:ok, answer}, state) when is_map(answer),
    do: {:ok, Enum.map(state.columns, &Map.get(answer, &1))}

  defp by_columns(other, _state), do: other

  defp take({:ok, nil}, id, state), do: %{state | failures: Map.delete(state.failures, id)}

  defp take({:ok, row}, id, state) do
    %{
      state
      | failures: Map.delete(state.failures, id),
        unsent: Map.update(state.unsent, id, row, &over(&1, row))
    }
  end

  defp take({:error, error}, id, state) do
    count = Map.get(state.failures, id, 0) + 1
    state = failed(state, id, error)

    if count >= @most_failures,
      do: stop(state, id, error),
      else: %{state | failures: Map.put(state.failures, id, count)}
  end

  # A newer value takes the place of one that was not sent yet; nothing does not.
  defp over(older, newer),
    do: Enum.zip_with(older, newer, fn old, new -> if new == nil, do: old, else: new end)

  defp fail(state, entries, error),
    do:
      Enum.reduce(entries, state, fn {id, _, _, _}, state -> take({:error, error}, id, state) end)

  defp stop(state, id, error) do
    about = %{script: state.name, object: id, of: elem(state.sink, 0), reason: words(error)}
    Telemetry.execute([:script, :stopped], %{count: 1}, about)
    send(state.owner, {__MODULE__, self(), {:stopped, [{id, words(error)}]}})
    state = failed(state, id, error)
    %{state | failures: Map.delete(state.failures, id)}
  end

  defp failed(state, id, error) do
    %{
      state
      | failed: state.failed + 1,
        problem: words(error),
        failure: {id, error},
        untold: state.untold + 1
    }
  end

  ## To the engine

  defp deliver(%{unsent: unsent} = state) when unsent == %{}, do: state
  defp deliver(%{blocked?: true} = state), do: state

  defp deliver(%{sink: sink} = state) do
    case send_rows(sink, Rows.new(state.columns, Map.to_list(state.unsent))) do
      {:ok, _number} -> %{state | unsent: %{}}
      {:error, %{reason: :full}} -> %{state | blocked?: true}
      # The owner hears of the end; what can't be sent would not be better later.
      {:error, error} -> %{state | unsent: %{}, failed: state.failed + 1, problem: words(error)}
    end
  end

  defp send_rows({:engine, connection}, rows) do
    {"rows", fields} = Frame.rows(rows)
    Connection.send(connection, "rows", Map.put(fields, "of", "scripts"), timeout: 0)
  end

  defp send_rows({:world, world}, rows), do: World.put_rows(world, rows)

  defp complain(%{failed: 0} = state), do: tell_failure(state)

  defp complain(state) do
    state = tell_failure(state)

    if state.logged == nil or now() - state.logged >= @log_pause do
      Logger.warning(
        "#{whose(state.sink)}: the script #{inspect(state.name)} failed #{state.failed} times: #{state.problem}"
      )

      %{state | failed: 0, logged: now()}
    else
      state
    end
  end

  defp whose({:engine, _connection}), do: "Wasgo.Godot"
  defp whose({:world, _world}), do: "Wasgo.World"

  defp tell_failure(%{failure: {id, error}, untold: untold, sink: {:world, _world}} = state)
       when untold > 0 do
    if state.told == nil or now() - state.told >= @tell_pause do
      tell_world(state, %{
        version: state.script.version,
        state: :failed,
        error: error,
        trace: Trace.of(error, source(state)),
        object: id,
        count: untold
      })

      %{state | untold: 0, told: now()}
    else
      state
    end
  end

  defp tell_failure(state), do: state

  # The bytes of the version that failed, where they are kept.
  defp source(%{source: %Store{} = store, name: name, script: %{version: version}}) do
    with {:ok, entry} <- Registry.get(store, name, version),
         do: entry.source,
         else: (_none -> nil)
  end

  defp source(_state), do: nil

  defp words(error), do: error |> Exception.message() |> String.slice(0, @max_words)

  defp now, do: System.monotonic_time(:millisecond)
end
