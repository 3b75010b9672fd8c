defmodule Wasgo.Gen.Cache.Rows do
  @moduledoc false
  # The table in which a cache keeps rows. Processes that the cache starts read and write it: it never waits for them.

  alias Wasgo.Gen.Cache.Row
  alias Wasgo.Store

  @schema """
  CREATE TABLE IF NOT EXISTS wasgo_gen_cache (
    key BLOB PRIMARY KEY, size INTEGER NOT NULL, used INTEGER NOT NULL, bytes BLOB NOT NULL
  );
  CREATE INDEX IF NOT EXISTS wasgo_gen_cache_used ON wasgo_gen_cache (used, key, size);
  """

  @put "INSERT OR REPLACE INTO wasgo_gen_cache (key, size, used, bytes) VALUES (?, ?, ?, ?)"
  @touch "UPDATE wasgo_gen_cache SET used = ? WHERE key = ?"
  @delete "DELETE FROM wasgo_gen_cache WHERE key = ?"

  # What a row costs besides its bytes: its place in the table and the index, and in memory.
  @overhead 1_024

  # Statements of many rows.
  @timeout 60_000

  @spec create(Store.t()) :: :ok | {:error, Exception.t()}
  def create(store), do: Store.batch(store, @schema)

  @doc false
  # What is there, the least recently used first: `{key, size, used}`.
  @spec list(Store.t()) :: Enumerable.t()
  def list(store) do
    sql = "SELECT key, size, used FROM wasgo_gen_cache ORDER BY used"

    store
    |> Store.stream(sql, [], timeout: @timeout)
    |> Stream.flat_map(fn
      [{:blob, key}, size, used]
      when is_integer(size) and size >= 0 and is_integer(used) and used >= 0 ->
        [{key, size, used}]

      _not_ours ->
        []
    end)
  end

  @doc false
  # What a row holds, and the digest of its part; `parts` is a table of parts that were read before.
  @spec read(Store.t(), binary(), :ets.tid()) ::
          {:ok, tuple(), binary() | nil} | :none | :damaged
  def read(store, key, parts) do
    with {:ok, bytes} <- bytes(store, key),
         {:ok, made, part} when is_tuple(made) <- Row.decode(bytes, &part(store, &1, parts)) do
      {:ok, made, part}
    else
      :none -> :none
      _damaged_or_a_part -> :damaged
    end
  end

  defp part(store, digest, parts) do
    case :ets.lookup(parts, digest) do
      [{^digest, indices}] -> {:ok, indices}
      [] -> with {:ok, bytes} <- bytes(store, digest), do: Row.decode_part(bytes)
    end
  end

  defp bytes(store, key) do
    case Store.query(store, "SELECT bytes FROM wasgo_gen_cache WHERE key = ?", [{:blob, key}]) do
      {:ok, %{rows: [[{:blob, bytes}]]}} -> {:ok, bytes}
      {:ok, %{rows: [_of_another_type]}} -> {:ok, ""}
      _none_or_error -> :none
    end
  end

  @typedoc "What is to be done at once: rows to be made, uses to be noted, rows to be deleted or all of them."
  @type batch :: %{
          made: [{binary(), used :: non_neg_integer(), tuple()}],
          used: [{binary(), non_neg_integer()}],
          deleted: [binary()],
          clear: boolean()
        }

  @typedoc "A row that was made, and the digest of its part."
  @type written ::
          {binary(), size :: non_neg_integer(), used :: non_neg_integer(), binary() | nil}

  @doc false
  # Answers what was made. `there?` says of a part whether it is.
  @spec write(Store.t(), batch(), (binary() -> boolean())) ::
          {:ok, [written()]} | {:error, Exception.t()}
  def write(store, batch, there?) do
    rows = rows(batch.made, there?)

    done =
      Store.transaction(
        store,
        fn tx ->
          if batch.clear, do: Store.execute!(tx, "DELETE FROM wasgo_gen_cache")
          many(tx, @delete, for(key <- batch.deleted, do: [{:blob, key}]))
          many(tx, @touch, for({key, used} <- batch.used, do: [used, {:blob, key}]))

          many(
            tx,
            @put,
            for(
              {key, used, bytes, _part} <- rows,
              do: [{:blob, key}, size(bytes), used, {:blob, bytes}]
            )
          )
        end,
        timeout: @timeout
      )

    with {:ok, _} <- done do
      {:ok, for({key, used, bytes, part} <- rows, do: {key, size(bytes), used, part})}
    end
  rescue
    error in Wasgo.StoreError -> {:error, error}
  end

  defp size(bytes), do: byte_size(bytes) + @overhead

  # A part that several refer to, and that isn't there, is one row.
  defp rows(made, there?) do
    {rows, _parts} =
      Enum.flat_map_reduce(made, MapSet.new(), fn {key, used, made}, parts ->
        case Row.encode(made) do
          {:ok, bytes, nil} ->
            {[{key, used, bytes, nil}], parts}

          {:ok, bytes, {digest, indices}} ->
            if there?.(digest) or MapSet.member?(parts, digest) do
              {[{key, used, bytes, digest}], parts}
            else
              part = {digest, used, Row.encode_part(indices), nil}
              {[{key, used, bytes, digest}, part], MapSet.put(parts, digest)}
            end

          :error ->
            {[], parts}
        end
      end)

    rows
  end

  defp many(_tx, _sql, []), do: :ok

  defp many(tx, sql, rows) do
    case Store.execute_many(tx, sql, rows, timeout: @timeout) do
      {:ok, _executed} -> :ok
      {:error, error} -> raise error
    end
  end
end
