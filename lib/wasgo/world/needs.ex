defmodule Wasgo.World.Needs do
  @moduledoc false
  # Which meshes contents of chunks need, and what is in them, by the hash of the content: what an engine has in its cache is named to it only where this is known. Found
  # out when a chunk is made; kept in memory for all zones, and in the store, so that it is known after a restart without making the chunk again.
  #
  # Zones put and get it themselves; the world's process writes it. Both places are bounded: what was put longest ago goes from the store, and memory is only a cache of it.

  alias Wasgo.World.Journal

  @enforce_keys [:table, :fresh, :flag, :owner]
  defstruct @enforce_keys

  @type t :: %__MODULE__{}

  @typedoc "The names and hashes of meshes, and the hash of all that the content is, or that it is nothing."
  @type entry :: {[{name :: String.t(), hash :: binary()}], content :: binary() | :empty}

  # Contents, in memory and in the store.
  @most 65_536

  # Another version may make other meshes of the same names.
  @version Mix.Project.config()[:version]

  @doc false
  # The calling process is told, by `{Wasgo.World.Needs, :fresh}`, when there is something to be written, and not again before it has written.
  @spec new() :: t()
  def new do
    %__MODULE__{
      table: :ets.new(__MODULE__, [:set, :public, read_concurrency: true]),
      fresh: :ets.new(__MODULE__, [:set, :public]),
      flag: :atomics.new(1, []),
      owner: self()
    }
  end

  @doc false
  # What is known in memory.
  @spec get(t(), binary()) :: entry() | nil
  def get(needs, hash) do
    case :ets.lookup(needs.table, hash) do
      [{_hash, meshes, content}] -> {meshes, content}
      [] -> nil
    end
  end

  @doc false
  # What the store knows. It waits for that.
  @spec stored(Journal.t(), binary()) :: entry() | nil
  def stored(journal, hash) do
    case Journal.needs(journal, hash) do
      {:ok, {@version, meshes, content}} -> {meshes, content}
      _unknown -> nil
    end
  end

  @doc false
  @spec put(t(), binary(), entry()) :: :ok
  def put(needs, hash, entry) do
    if get(needs, hash) != entry do
      keep(needs, hash, entry)

      if :ets.info(needs.fresh, :size) < @most, do: :ets.insert(needs.fresh, {hash})

      if :atomics.exchange(needs.flag, 1, 1) == 0,
        do: send(needs.owner, {__MODULE__, :fresh})
    end

    :ok
  end

  @doc false
  # The store knows it already.
  @spec keep(t(), binary(), entry()) :: true
  def keep(needs, hash, {meshes, content}) do
    if :ets.info(needs.table, :size) >= @most, do: :ets.delete_all_objects(needs.table)
    :ets.insert(needs.table, {hash, meshes, content})
  end

  @doc false
  # Writes so many of what was put since the last time.
  @spec write(t(), Journal.t(), pos_integer()) :: {:ok, :more | :done} | {:error, Exception.t()}
  def write(needs, journal, limit) do
    :atomics.put(needs.flag, 1, 0)

    case :ets.select(needs.fresh, [{{:"$1"}, [], [:"$1"]}], limit) do
      {hashes, _rest} ->
        # What is put from here on is written the next time.
        for hash <- hashes, do: :ets.delete(needs.fresh, hash)

        # What is not there any more was too much for memory.
        rows =
          for hash <- hashes,
              {meshes, content} <- [get(needs, hash)],
              do: {hash, {@version, meshes, content}}

        with {:error, error} <- Journal.put_needs(journal, rows, @most) do
          :ets.insert(needs.fresh, for(hash <- hashes, do: {hash}))
          {:error, error}
        else
          :ok -> {:ok, if(length(hashes) < limit, do: :done, else: :more)}
        end

      :"$end_of_table" ->
        {:ok, :done}
    end
  end
end
