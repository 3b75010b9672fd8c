defmodule Wasgo.Gen.Cache.Server do
  @moduledoc false
  # The process of a `Wasgo.Gen.Cache`: what is in memory, what is known to be in the store, who waits for what. Native threads generate, and processes of
  # its own read and write; it waits for none of them.

  use GenServer

  alias Wasgo.Gen.Cache.{LRU, Rows}
  alias Wasgo.Gen.Work
  alias Wasgo.Native.Result

  # What is generated or read at once: the rest waits here and not in the native pool, which others use too.
  @most_at_once 64
  # What waits to be written, in bytes, and how much of it one transaction has.
  @most_waiting 64 * 1_048_576
  @most_written 16 * 1_048_576
  # Indices of chunks that are kept beside those in memory: a plan's chunks have some dozens, 100 kB each.
  @most_parts 64

  @counts [:memory_hits, :store_hits, :shared, :made, :stored, :evicted, :damaged, :failed]

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    Wasgo.Label.put({Wasgo.Gen.Cache, Wasgo.Label.name(options.name)})

    state = %{
      store: options.store,
      rows: LRU.new(options.max_bytes),
      memory: LRU.new(options.max_memory),
      parts: :ets.new(__MODULE__, [:set, :protected, read_concurrency: true]),
      # Who waits for a key, and what is done for it: `%{key => {work, [ref]}}`.
      asked: %{},
      # By the reference of the native job, or of the process that reads.
      jobs: %{},
      readers: %{},
      # Keys for which nothing has begun yet.
      queue: :queue.new(),
      # For the next batch: what was made, the last first, with its size in all; uses; rows to be deleted.
      made: [],
      waiting: 0,
      used: %{},
      deleted: [],
      clear: false,
      writer: nil,
      flushes: [],
      counts: Map.new(@counts, &{&1, 0})
    }

    case load(state) do
      {:ok, state} -> {:ok, state}
      {:error, exception} -> {:stop, exception}
    end
  end

  defp load(%{store: nil} = state), do: {:ok, state}

  defp load(state) do
    with :ok <- Rows.create(state.store) do
      rows =
        Enum.reduce(Rows.list(state.store), state.rows, fn {key, size, used}, rows ->
          LRU.put(rows, key, size, nil, used)
        end)

      {:ok, write(evict(%{state | rows: rows}))}
    end
  rescue
    error in Wasgo.StoreError -> {:error, error}
  end

  @impl true
  def handle_cast({:start, ref, key, work}, state), do: {:noreply, asked(state, ref, key, work)}

  @impl true
  def handle_call(:info, _from, state) do
    info = %{
      bytes: state.rows.bytes,
      entries: LRU.count(state.rows),
      memory: state.memory.bytes,
      memory_entries: LRU.count(state.memory)
    }

    {:reply, Map.merge(state.counts, info), state}
  end

  def handle_call(:flush, from, state),
    do: {:noreply, write(%{state | flushes: [from | state.flushes]})}

  def handle_call(:clear, from, state) do
    :ets.delete_all_objects(state.parts)

    state = %{
      state
      | rows: LRU.clear(state.rows),
        memory: LRU.clear(state.memory),
        made: [],
        waiting: 0,
        used: %{},
        deleted: [],
        clear: true
    }

    handle_call(:flush, from, state)
  end

  @impl true
  def handle_info({ref, result}, %{jobs: jobs} = state) when is_map_key(jobs, ref) do
    {key, jobs} = Map.pop(jobs, ref)
    {:noreply, next(done(%{state | jobs: jobs}, key, Result.await(result)))}
  end

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{readers: readers} = state)
      when is_map_key(readers, ref) do
    {key, readers} = Map.pop(readers, ref)
    {:noreply, next(read(%{state | readers: readers}, key, reason))}
  end

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{writer: {ref, count}} = state),
    do: {:noreply, write(written(%{state | writer: nil}, count, reason))}

  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, %{store: nil}), do: :ok

  # What was made is worth the moment that it takes to write it.
  def terminate(_reason, state), do: write_all(state)

  defp write_all(%{writer: nil} = state) do
    if urgent?(state) or state.used != %{}, do: state |> start_writer() |> write_all(), else: :ok
  end

  defp write_all(%{writer: {ref, count}} = state) do
    receive do
      {:DOWN, ^ref, :process, _pid, reason} ->
        write_all(written(%{state | writer: nil}, count, reason))
    end
  end

  # ## Asking

  defp asked(state, ref, key, work) do
    case state.asked do
      %{^key => {work, refs}} ->
        count(put_in(state.asked[key], {work, [ref | refs]}), :shared)

      _nobody ->
        case LRU.use(state.memory, key) do
          {:ok, made, memory} ->
            answer([ref], {:ok, made})
            count(touch(%{state | memory: memory}, key), :memory_hits)

          :none ->
            state = put_in(state.asked[key], {work, [ref]})
            next(%{state | queue: :queue.in(key, state.queue)})
        end
    end
  end

  defp next(%{jobs: jobs, readers: readers} = state)
       when map_size(jobs) + map_size(readers) >= @most_at_once,
       do: state

  defp next(state) do
    case :queue.out(state.queue) do
      {{:value, key}, queue} -> next(begin(%{state | queue: queue}, key))
      {:empty, _queue} -> state
    end
  end

  defp begin(state, key) do
    if LRU.member?(state.rows, key), do: start_reader(state, key), else: make(state, key)
  end

  defp start_reader(%{store: store, parts: parts} = state, key) do
    # The answer is how it ends: one message, whatever happens.
    {_pid, ref} = spawn_monitor(fn -> exit({:shutdown, Rows.read(store, key, parts)}) end)
    %{state | readers: Map.put(state.readers, ref, key)}
  end

  defp make(state, key) do
    {work, _refs} = Map.fetch!(state.asked, key)

    case Work.start(work) do
      {:pending, ref} -> %{state | jobs: Map.put(state.jobs, ref, key)}
      refused -> done(state, key, Result.await(refused))
    end
  end

  defp read(state, key, {:shutdown, {:ok, made, part}}) do
    state = if part, do: keep_part(state, part, made), else: state
    # Its part is known from now on.
    state = if part, do: %{state | rows: LRU.put_value(state.rows, key, part)}, else: state
    state |> touch(key) |> remember(key, made) |> reply(key, {:ok, made}) |> count(:store_hits)
  end

  defp read(state, key, {:shutdown, :damaged}),
    do: state |> delete(key) |> count(:damaged) |> make(key) |> write()

  # It may have been deleted meanwhile, or the database can't be read.
  defp read(state, key, _reason), do: make(state, key)

  defp keep_part(state, digest, made) do
    unless :ets.member(state.parts, digest) do
      if :ets.info(state.parts, :size) >= @most_parts, do: :ets.delete_all_objects(state.parts)

      {_shape, {_heights, _positions, _normals, _colors, indices}, _table, _figures, _objects,
       _generated} = made

      :ets.insert(state.parts, {digest, indices})
    end

    state
  end

  defp done(state, key, {:ok, made}) do
    state
    |> count(:made)
    |> remember(key, made)
    |> reply(key, {:ok, made})
    |> to_be_written(key, made)
    |> write()
  end

  defp done(state, key, {:error, _exception} = error), do: reply(state, key, error)

  defp reply(state, key, result) do
    {{_work, refs}, asked} = Map.pop(state.asked, key)
    answer(refs, result)
    %{state | asked: asked}
  end

  defp answer(refs, result), do: for(ref <- refs, do: send(ref, {ref, result}))

  defp remember(state, key, made) do
    {_gone, memory} = state.memory |> LRU.put(key, Work.bytes(made), made) |> LRU.shrink()

    %{state | memory: memory}
  end

  # ## Writing

  defp touch(state, key) do
    case LRU.use(state.rows, key) do
      {:ok, part, rows} ->
        state = %{state | rows: rows, used: Map.put(state.used, key, LRU.number(rows, key))}
        if part, do: touch(state, part), else: state

      :none ->
        state
    end
  end

  defp delete(state, key) do
    %{
      state
      | rows: LRU.delete(state.rows, key),
        used: Map.delete(state.used, key),
        deleted: [key | state.deleted]
    }
  end

  defp to_be_written(%{store: nil} = state, _key, _made), do: state

  defp to_be_written(state, key, made) do
    bytes = Work.bytes(made)

    if state.waiting + bytes > @most_waiting do
      count(state, :failed)
    else
      rows = %{state.rows | number: state.rows.number + 1}
      made = [{key, rows.number, made} | state.made]
      %{state | rows: rows, made: made, waiting: state.waiting + bytes}
    end
  end

  # One batch at a time; uses wait for rows to be written with, or for somebody who waits.
  defp write(%{store: nil} = state), do: flushed(state)

  defp write(%{writer: nil} = state) do
    if urgent?(state) or (state.flushes != [] and state.used != %{}),
      do: start_writer(state),
      else: flushed(state)
  end

  defp write(state), do: state

  defp urgent?(state), do: state.made != [] or state.deleted != [] or state.clear

  defp start_writer(%{store: store, rows: %{keys: keys}} = state) do
    {made, later} = portion(state.made, min(@most_written, div(state.rows.most, 8)))

    batch = %{
      made: made,
      used: Map.to_list(state.used),
      deleted: state.deleted,
      clear: state.clear
    }

    {_pid, ref} =
      spawn_monitor(fn ->
        exit({:shutdown, Rows.write(store, batch, &:ets.member(keys, &1))})
      end)

    %{
      state
      | writer: {ref, length(made)},
        made: later,
        waiting: Enum.reduce(later, 0, fn {_key, _used, made}, sum -> sum + Work.bytes(made) end),
        used: %{},
        deleted: [],
        clear: false
    }
  end

  # What has waited longest, at least one, and the others, the last of them first.
  defp portion(made, most) do
    {now, later, _sum} =
      made
      |> Enum.reverse()
      |> Enum.reduce({[], [], 0}, fn {_key, _used, value} = entry, {now, later, sum} ->
        sum = sum + Work.bytes(value)

        if now == [] or sum <= most,
          do: {[entry | now], later, sum},
          else: {now, [entry | later], sum}
      end)

    {Enum.reverse(now), later}
  end

  # What was written before all was to be forgotten is deleted next.
  defp written(%{clear: true} = state, _count, _reason), do: state

  defp written(state, _count, {:shutdown, {:ok, rows}}) do
    state
    |> count(:stored, length(rows))
    |> put_rows(rows)
    |> evict()
  end

  defp written(state, count, _failed), do: count(state, :failed, count)

  defp put_rows(state, rows) do
    lru =
      Enum.reduce(rows, state.rows, fn {key, size, used, part}, lru ->
        LRU.put(lru, key, size, part, used)
      end)

    # A part is younger than all that refer to it.
    parts = for {_key, _size, _used, part} <- rows, part != nil, uniq: true, do: part
    Enum.reduce(parts, %{state | rows: lru}, &touch(&2, &1))
  end

  defp evict(state) do
    {gone, rows} = LRU.shrink(state.rows)

    count(
      %{
        state
        | rows: rows,
          used: Map.drop(state.used, gone),
          deleted: gone ++ state.deleted
      },
      :evicted,
      length(gone)
    )
  end

  defp flushed(state) do
    for from <- state.flushes, do: GenServer.reply(from, :ok)
    %{state | flushes: []}
  end

  defp count(state, what, by \\ 1),
    do: %{state | counts: Map.update!(state.counts, what, &(&1 + by))}
end
