defmodule Wasgo.Gen.Cache do
  @moduledoc """
  Chunks that were generated, kept in memory and in a `Wasgo.Store`, and generated once however many ask.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link(store: store)
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, chunk} = Wasgo.Gen.Cache.chunk(cache, plan, {0, 0})
      iex> {:ok, ^chunk} = Wasgo.Gen.Cache.chunk(cache, plan, {0, 0})
      iex> info = Wasgo.Gen.Cache.info(cache)
      iex> {info.made, info.memory_hits}
      {1, 1}

  Chunks go by the name of their content (`Wasgo.Gen.key/3`): two plans that are the same share them, and what the cache gives is in every byte what
  would be generated. Streams share one cache by the option `:cache` of `Wasgo.Stages.Generate`; whoever asks for what is being generated
  for another waits for that.

  To start it under a supervisor:

      children = [{Wasgo.Gen.Cache, name: MyWorld.Cache, store: store, max_bytes: 1_073_741_824}]

  ## Two levels

  In memory chunks are found in microseconds. In the store, if there is one, they outlive the cache, and are read in a fraction of the time
  that generating takes. Each has a bound in bytes, and what was used least recently goes first.

  Rows are written behind the streams' backs, as many at once as have come in meanwhile. When the store is slower than the streams for long, some chunks are
  not stored, and are generated again one day. A row that is damaged, or of another version of Wasgo, is removed, and its chunk is generated. Whatever is
  wrong with the store is no error of a chunk; `info/1` counts it.

  Rows are in the table `wasgo_gen_cache`. A store has one cache: of two that write to one table each would know of half of it. What is written
  is durable as the store says (`synchronous:`); a database of its own with `synchronous: :off` is fastest, and what a power cut leaves of it is checked.
  """

  use GenServer, shutdown: 60_000

  alias Wasgo.Gen.Cache.{LRU, Rows}
  alias Wasgo.Gen.{Chunk, Plan, Volume, Work}
  alias Wasgo.Native.Result
  alias Wasgo.{Gen, Store}

  # What is generated or read at once: the rest waits here and not in the native pool, which others use too.
  @most_at_once 64
  # What waits to be written, in bytes, and how much of it one transaction has.
  @most_waiting 64 * 1_048_576
  @most_written 16 * 1_048_576
  # Indices of chunks that are kept beside those in memory: a plan's chunks have some dozens, 100 kB each.
  @most_parts 64

  @most_bytes 0x7FFF_FFFF_FFFF_FFFF

  @schema [
    name: [type: :server, default: nil],
    store: [type: {:or, [{:struct, Store}, {:in, [nil]}]}, default: nil],
    max_bytes: [type: {:range, 0..@most_bytes}, default: 256 * 1_048_576],
    max_memory: [type: {:range, 0..@most_bytes}, default: 64 * 1_048_576]
  ]

  @typedoc """
  `bytes` and `entries` are what the store holds, `memory` and `memory_entries` what memory does. The others count since the cache was started:

    * `memory_hits`, `store_hits` - chunks that were there
    * `shared` - chunks that were being generated or read for another
    * `made` - chunks that were generated
    * `stored` - rows that were written
    * `evicted` - rows that were deleted to make room
    * `damaged` - rows that were removed because they could not be read
    * `failed` - rows that could not be written, or were not because the store was too slow
  """
  @type info :: %{
          bytes: non_neg_integer(),
          entries: non_neg_integer(),
          memory: non_neg_integer(),
          memory_entries: non_neg_integer(),
          memory_hits: non_neg_integer(),
          store_hits: non_neg_integer(),
          shared: non_neg_integer(),
          made: non_neg_integer(),
          stored: non_neg_integer(),
          evicted: non_neg_integer(),
          damaged: non_neg_integer(),
          failed: non_neg_integer()
        }

  @doc """
  Starts a cache.

    * `:name` - what it is registered as
    * `:store` - a `Wasgo.Store` that it keeps chunks in; in memory alone unless given
    * `:max_bytes` - how much the store's rows may have, with a kilobyte for each; 256 MiB unless given. Some megabytes more while rows are written
    * `:max_memory` - how much is kept in memory, 64 MiB unless given; 0 for nothing
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    options = Wasgo.Options.validate!(options, @schema, "Wasgo.Gen.Cache.start_link/1")
    name = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, options, name)
  end

  @doc "As `Wasgo.Gen.chunk/3`, from the cache where it is there."
  @spec chunk(GenServer.server(), Plan.t(), Gen.address(), keyword()) ::
          {:ok, Chunk.t()} | {:error, Exception.t()}
  def chunk(cache, %Plan{} = plan, address, options \\ []) do
    with {:ok, neighbours} <- Gen.neighbours(options) do
      address = if tuple_size(address) == 2, do: Tuple.insert_at(address, 2, 0), else: address
      get(cache, Work.new(plan, address, neighbours))
    end
  end

  @doc "As `Wasgo.Gen.volume/3`, from the cache where it is there."
  @spec volume(GenServer.server(), Plan.t(), Volume.address(), keyword()) ::
          {:ok, Volume.t()} | {:error, Exception.t()}
  def volume(cache, %Plan{} = plan, address, options \\ []) do
    with {:ok, neighbours} <- Volume.neighbours(Keyword.get(options, :neighbours, [])) do
      address = if tuple_size(address) == 3, do: Tuple.insert_at(address, 3, 0), else: address
      get(cache, Work.new(plan, address, neighbours))
    end
  end

  @doc "What the cache has done, and what it holds."
  @spec info(GenServer.server()) :: info()
  def info(cache), do: GenServer.call(cache, :info, :infinity)

  @doc "Waits until all that was generated before is written."
  @spec flush(GenServer.server()) :: :ok
  def flush(cache), do: GenServer.call(cache, :flush, :infinity)

  @doc "Forgets everything, and deletes all rows."
  @spec clear(GenServer.server()) :: :ok
  def clear(cache), do: GenServer.call(cache, :clear, :infinity)

  defp get(cache, work) do
    with {:ok, made} <- await(start(cache, work), work), do: {:ok, Work.finish(work, made)}
  end

  @doc false
  # Begins work, without a cache as `Wasgo.Gen.Work` does, or in one: `{:cached, ref}`. Then comes a message `{ref, native}` as
  # `Wasgo.Native.Result` takes it, or `{:DOWN, ref, :process, pid, reason}` from a cache that is gone.
  @spec start(GenServer.server() | nil, Work.t()) ::
          {:cached, reference()} | Result.native() | {:error, Exception.t()}
  def start(nil, work), do: Work.start(work)

  def start(cache, work) do
    with {:ok, key} <- Work.key(work) do
      case GenServer.whereis(cache) do
        nil ->
          Work.start(work)

        server ->
          ref = :erlang.monitor(:process, server, alias: :reply_demonitor)
          # What of a plan isn't needed stays here: it would be copied.
          slim = %{work | plan: %{work.plan | props: [], rules: []}}
          GenServer.cast(server, {:start, ref, key, slim})
          {:cached, ref}
      end
    end
  end

  @doc false
  # What came of `start/2`. Without the cache, should that be gone, it is generated all the same.
  @spec await({:cached, reference()} | Result.native() | {:error, Exception.t()}, Work.t()) ::
          {:ok, Work.made()} | {:error, Exception.t()}
  def await({:cached, ref}, work) do
    receive do
      {^ref, result} -> Result.await(result)
      {:DOWN, ^ref, :process, _cache, _reason} -> Result.await(Work.start(work))
    end
  end

  def await(native, _work), do: Result.await(native)

  @doc false
  # Gives up what was asked of a cache: no message of it comes. The cache has it made all the same.
  @spec forget(reference()) :: :ok
  def forget(ref) do
    Process.demonitor(ref, [:flush])

    receive do
      {^ref, _result} -> :ok
    after
      0 -> :ok
    end
  end

  @counts [:memory_hits, :store_hits, :shared, :made, :stored, :evicted, :damaged, :failed]

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)

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
      {_shape, {_heights, _positions, _normals, _colors, indices}, _table, _figures} = made
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
