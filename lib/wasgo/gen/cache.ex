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

  alias Wasgo.Gen.Cache.Server
  alias Wasgo.Gen.{Chunk, Plan, Volume, Work}
  alias Wasgo.Native.Result
  alias Wasgo.{Gen, Store}

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

  ## Examples

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link(store: store, max_bytes: 1_073_741_824, max_memory: 0)
      iex> Wasgo.Gen.Cache.info(cache).entries
      0
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    options = Wasgo.Options.validate!(options, @schema, "Wasgo.Gen.Cache.start_link/1")
    name = if options.name, do: [name: options.name], else: []
    GenServer.start_link(Server, options, name)
  end

  @doc false
  # The options, for a supervisor that checks them before it starts anything.
  def options, do: @schema

  @doc false
  def child_spec(options) do
    # What was made is written before it ends.
    %{
      id: options[:name] || __MODULE__,
      start: {__MODULE__, :start_link, [options]},
      shutdown: 60_000
    }
  end

  @doc """
  As `Wasgo.Gen.chunk/3`, from the cache where it is there.

      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link([])
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, chunk} = Wasgo.Gen.Cache.chunk(cache, plan, {0, 0, 3}, neighbours: [west: 1])
      iex> chunk == Wasgo.Gen.chunk!(plan, {0, 0, 3}, neighbours: [west: 1])
      true
  """
  @spec chunk(GenServer.server(), Plan.t(), Gen.address(), keyword()) ::
          {:ok, Chunk.t()} | {:error, Exception.t()}
  def chunk(cache, %Plan{} = plan, address, options \\ []) do
    with {:ok, neighbours} <- Gen.neighbours(options) do
      address = if tuple_size(address) == 2, do: Tuple.insert_at(address, 2, 0), else: address
      get(cache, Work.new(plan, address, neighbours))
    end
  end

  @doc """
  As `Wasgo.Gen.volume/3`, from the cache where it is there.

      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link([])
      iex> plan = Wasgo.Gen.plan!(seed: 1, density: Wasgo.Gen.Field.sphere({16, 16, 16}, 10))
      iex> {:ok, volume} = Wasgo.Gen.Cache.volume(cache, plan, {0, 0, 0})
      iex> volume.coordinate
      {0, 0, 0}
  """
  @spec volume(GenServer.server(), Plan.t(), Volume.address(), keyword()) ::
          {:ok, Volume.t()} | {:error, Exception.t()}
  def volume(cache, %Plan{} = plan, address, options \\ []) do
    with {:ok, neighbours} <- Volume.neighbours(Keyword.get(options, :neighbours, [])) do
      address = if tuple_size(address) == 3, do: Tuple.insert_at(address, 3, 0), else: address
      get(cache, Work.new(plan, address, neighbours))
    end
  end

  @doc """
  What the cache has done, and what it holds.

      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link([])
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> for _player <- 1..3, do: {:ok, _chunk} = Wasgo.Gen.Cache.chunk(cache, plan, {0, 0})
      iex> %{made: made, memory_hits: hits} = Wasgo.Gen.Cache.info(cache)
      iex> {made, hits}
      {1, 2}
  """
  @spec info(GenServer.server()) :: info()
  def info(cache), do: GenServer.call(cache, :info, :infinity)

  @doc """
  Waits until all that was generated before is written.

      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link([])
      iex> Wasgo.Gen.Cache.flush(cache)
      :ok
  """
  @spec flush(GenServer.server()) :: :ok
  def flush(cache), do: GenServer.call(cache, :flush, :infinity)

  @doc """
  Forgets everything, and deletes all rows.

      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link([])
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, _chunk} = Wasgo.Gen.Cache.chunk(cache, plan, {0, 0})
      iex> Wasgo.Gen.Cache.clear(cache)
      :ok
  """
  @spec clear(GenServer.server()) :: :ok
  def clear(cache), do: GenServer.call(cache, :clear, :infinity)

  defp get(cache, work) do
    made = fn -> await(start(cache, work), work) end

    with {:ok, made} <- Gen.told(work.kind, work.address, made),
         do: {:ok, Work.finish(work, made)}
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
end
