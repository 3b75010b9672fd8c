defmodule Wasgo.World.Journal do
  @moduledoc false
  # A world in its store. Each mutation is a row under its number, which has what the thing is after it; so the newest row of each thing is the world, and those
  # that another has superseded can go at any time. A commit that fails leaves nothing, and whoever has started a world last is the only one who can commit.

  alias Wasgo.{Store, StoreError, WorldError}
  alias Wasgo.World.Body

  @format 1

  @tables """
  CREATE TABLE IF NOT EXISTS wasgo_worlds (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, format INTEGER NOT NULL, identity TEXT NOT NULL,
    owner TEXT NOT NULL, rev INTEGER NOT NULL, floor INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS wasgo_world_journal (
    world INTEGER NOT NULL, rev INTEGER NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (world, rev)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS wasgo_world_payloads (
    world INTEGER NOT NULL, hash BLOB NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (world, hash)
  );
  CREATE TABLE IF NOT EXISTS wasgo_world_rows (
    world INTEGER NOT NULL, id INTEGER NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (world, id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS wasgo_world_needs (
    world INTEGER NOT NULL, hash BLOB NOT NULL, number INTEGER NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (world, hash)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS wasgo_world_needs_number ON wasgo_world_needs (world, number);
  """

  @page 512
  # A commit whose answer got lost is asked after so many times, with pauses that double from here (ms).
  @attempts 6
  @pause 50

  @enforce_keys [:store, :world, :owner, :timeout]
  defstruct [:store, :world, :owner, :timeout]

  @type t :: %__MODULE__{}

  @doc false
  # Takes the world over: from now on nobody else can commit to it.
  @spec open(Store.t(), String.t(), timeout()) ::
          {:ok, t(), %{identity: String.t(), rev: non_neg_integer(), floor: non_neg_integer()}}
          | {:error, WorldError.t()}
  def open(store, name, timeout) do
    owner = random()

    new =
      "INSERT INTO wasgo_worlds (name, format, identity, owner, rev, floor) VALUES (?, ?, ?, '', 0, 0) ON CONFLICT DO NOTHING"

    sql = "SELECT id, format, identity, rev, floor FROM wasgo_worlds WHERE name = ?"

    opened =
      transaction(store, timeout, fn tx ->
        with :ok <- Store.batch(tx, @tables, timeout: timeout),
             {:ok, _} <- Store.execute(tx, new, [name, @format, random()], timeout: timeout),
             {:ok, %{rows: [[_, format, _, _, _] = row]}} <-
               Store.query(tx, sql, [name], timeout: timeout),
             :ok <- known(format),
             owned = "UPDATE wasgo_worlds SET owner = ? WHERE name = ?",
             {:ok, _} <- Store.execute(tx, owned, [owner, name], timeout: timeout),
             do: {:ok, row}
      end)

    with {:ok, [id, _format, identity, rev, floor]} <- opened do
      journal = %__MODULE__{store: store, world: id, owner: owner, timeout: timeout}
      {:ok, journal, %{identity: identity, rev: rev, floor: floor}}
    end
  end

  defp random, do: Base.url_encode64(:crypto.strong_rand_bytes(18))

  defp known(@format), do: :ok
  defp known(_newer), do: {:error, %WorldError{reason: :schema_version}}

  ## Reading

  @doc false
  # All rows in the order of their numbers.
  @spec fold(t(), acc, ({pos_integer(), term()}, acc -> acc)) ::
          {:ok, acc} | {:error, WorldError.t()}
        when acc: term()
  def fold(journal, acc, fun) do
    sql =
      "SELECT rev, entry FROM wasgo_world_journal WHERE world = ? AND rev > ? ORDER BY rev LIMIT #{@page}"

    pages(journal, sql, 0, acc, fun)
  end

  @doc false
  # All rows of transient values, by object.
  def fold_rows(journal, acc, fun) do
    sql =
      "SELECT id, entry FROM wasgo_world_rows WHERE world = ? AND id > ? ORDER BY id LIMIT #{@page}"

    pages(journal, sql, -1, acc, fun)
  end

  defp pages(journal, sql, beyond, acc, fun) do
    case Store.query(journal.store, sql, [journal.world, beyond], timeout: journal.timeout) do
      {:ok, %{rows: []}} ->
        {:ok, acc}

      {:ok, %{rows: rows}} ->
        with {:ok, acc} <- rows(rows, acc, fun) do
          [last, _entry] = List.last(rows)
          pages(journal, sql, last, acc, fun)
        end

      {:error, error} ->
        {:error, WorldError.store(error)}
    end
  end

  defp rows(rows, acc, fun) do
    Enum.reduce_while(rows, {:ok, acc}, fn [number, entry], {:ok, acc} ->
      case unrow(entry) do
        {:ok, term} -> {:cont, {:ok, fun.({number, term}, acc)}}
        :newer -> {:halt, {:error, %WorldError{reason: :schema_version}}}
        :error -> {:halt, {:error, %WorldError{reason: {:damaged, number}}}}
      end
    end)
  end

  defp unrow({:blob, bytes}), do: Body.unrow(bytes)
  defp unrow(_other), do: :error

  @doc false
  @spec payload_hashes(t()) :: {:ok, [binary()]} | {:error, WorldError.t()}
  def payload_hashes(journal) do
    sql = "SELECT hash FROM wasgo_world_payloads WHERE world = ?"
    options = [timeout: journal.timeout, max_rows: 2_000_000]

    case Store.query(journal.store, sql, [journal.world], options) do
      {:ok, %{rows: rows}} -> {:ok, for([{:blob, hash}] <- rows, do: hash)}
      {:error, error} -> {:error, WorldError.store(error)}
    end
  end

  @doc false
  # A payload, which is what its hash says or an error.
  @spec payload(t(), binary()) :: {:ok, binary()} | {:error, WorldError.t()}
  def payload(journal, hash) do
    payload(journal, hash, hash)
  end

  @doc false
  # As `payload/2`, by the first 16 bytes of its hash.
  @spec payload_beginning(t(), binary()) :: {:ok, binary()} | {:error, WorldError.t()}
  def payload_beginning(journal, <<short::binary-16>>),
    do: payload(journal, short <> <<0::128>>, short <> :binary.copy(<<255>>, 16))

  defp payload(journal, first, last) do
    sql =
      "SELECT hash, bytes FROM wasgo_world_payloads WHERE world = ? AND hash BETWEEN ? AND ? LIMIT 1"

    options = [timeout: journal.timeout, max_bytes: 0x1000_0000]
    between = [journal.world, {:blob, first}, {:blob, last}]

    case Store.query(journal.store, sql, between, options) do
      {:ok, %{rows: [[{:blob, hash}, {:blob, bytes}]]}} ->
        if :crypto.hash(:sha256, bytes) == hash, do: {:ok, bytes}, else: lost(hash)

      {:ok, _none} ->
        lost(first)

      {:error, error} ->
        {:error, WorldError.store(error)}
    end
  end

  @doc false
  def lost(hash) do
    message = "the payload #{Base.encode16(hash, case: :lower)} is missing or damaged"
    {:error, %WorldError{reason: :unknown_payload, message: message}}
  end

  ## Writing

  @doc false
  # All of it or nothing: `before` is the number that the world is at, `rev` that which it is at then.
  @spec commit(t(), non_neg_integer(), pos_integer(), [{pos_integer(), term()}], list(), list()) ::
          :ok | {:error, WorldError.t()} | {:unknown, WorldError.t()}
  def commit(journal, before, rev, rows, kept, dropped) do
    %{store: store, world: world, timeout: timeout} = journal

    head = "UPDATE wasgo_worlds SET rev = ? WHERE id = ? AND owner = ? AND rev = ?"

    entries = for {number, term} <- rows, do: [world, number, {:blob, Body.row(term)}]
    insert = "INSERT INTO wasgo_world_journal (world, rev, entry) VALUES (?, ?, ?)"
    keep = "INSERT OR IGNORE INTO wasgo_world_payloads (world, hash, bytes) VALUES (?, ?, ?)"
    drop = "DELETE FROM wasgo_world_payloads WHERE world = ? AND hash = ?"

    done =
      transaction(store, timeout, fn tx ->
        with {:ok, %{changes: 1}} <-
               Store.execute(tx, head, [rev, world, journal.owner, before], timeout: timeout),
             :ok <- each(tx, insert, entries, timeout),
             :ok <-
               each(tx, keep, for({h, b} <- kept, do: [world, {:blob, h}, {:blob, b}]), timeout),
             :ok <- each(tx, drop, for(hash <- dropped, do: [world, {:blob, hash}]), timeout) do
          {:ok, :done}
        else
          {:ok, %{changes: 0}} -> {:error, %WorldError{reason: :taken_over}}
          error -> error
        end
      end)

    case done do
      {:ok, :done} -> :ok
      {:error, %WorldError{reason: :store} = error} -> ascertain(journal, before, rev, error, 1)
      {:error, error} -> {:error, error}
    end
  end

  defp each(_tx, _sql, [], _timeout), do: :ok

  defp each(tx, sql, rows, timeout) do
    with {:ok, _} <- Store.execute_many(tx, sql, rows, timeout: timeout), do: :ok
  end

  # An error may be about the answer alone: the world's number says whether it was done.
  defp ascertain(journal, before, rev, error, attempt) do
    sql = "SELECT rev, owner FROM wasgo_worlds WHERE id = ?"

    case Store.query(journal.store, sql, [journal.world], timeout: journal.timeout) do
      {:ok, %{rows: [[_rev, owner]]}} when owner != journal.owner ->
        {:error, %WorldError{reason: :taken_over}}

      {:ok, %{rows: [[^rev, _owner]]}} ->
        :ok

      {:ok, %{rows: [[^before, _owner]]}} ->
        {:error, error}

      {:error, %StoreError{reason: reason}}
      when attempt < @attempts and reason not in [:closed] ->
        # This process has nothing else to do, and only the world's own waits for it.
        receive do
        after
          @pause * Bitwise.bsl(1, attempt) -> ascertain(journal, before, rev, error, attempt + 1)
        end

      _nobody_knows ->
        {:unknown, error}
    end
  end

  @doc false
  # Deletes rows by their numbers, which others have superseded; `floor` is the new one.
  @spec prune(t(), [pos_integer()], non_neg_integer()) :: :ok | {:error, WorldError.t()}
  def prune(journal, revs, floor) do
    %{store: store, world: world, timeout: timeout} = journal
    head = "UPDATE wasgo_worlds SET floor = max(floor, ?) WHERE id = ? AND owner = ?"
    sql = "DELETE FROM wasgo_world_journal WHERE world = ? AND rev = ?"

    transaction(store, timeout, fn tx ->
      with {:ok, %{changes: 1}} <-
             Store.execute(tx, head, [floor, world, journal.owner], timeout: timeout),
           :ok <- each(tx, sql, for(rev <- revs, do: [world, rev]), timeout) do
        {:ok, :done}
      else
        {:ok, %{changes: 0}} -> {:error, %WorldError{reason: :taken_over}}
        error -> error
      end
    end)
    |> without_value()
  end

  @doc false
  # Transient values of objects; those of `nil` are deleted.
  @spec put_rows(t(), [{non_neg_integer(), term()}]) :: :ok | {:error, WorldError.t()}
  def put_rows(journal, rows) do
    %{store: store, world: world, timeout: timeout} = journal
    owned = "SELECT 1 FROM wasgo_worlds WHERE id = ? AND owner = ?"
    insert = "INSERT OR REPLACE INTO wasgo_world_rows (world, id, entry) VALUES (?, ?, ?)"
    delete = "DELETE FROM wasgo_world_rows WHERE world = ? AND id = ?"
    {gone, there} = Enum.split_with(rows, fn {_id, term} -> term == nil end)

    transaction(store, timeout, fn tx ->
      with {:ok, %{rows: [[1]]}} <-
             Store.query(tx, owned, [world, journal.owner], timeout: timeout),
           entries = for({id, term} <- there, do: [world, id, {:blob, Body.row(term)}]),
           :ok <- each(tx, insert, entries, timeout),
           :ok <- each(tx, delete, for({id, nil} <- gone, do: [world, id]), timeout) do
        {:ok, :done}
      else
        {:ok, %{rows: []}} -> {:error, %WorldError{reason: :taken_over}}
        error -> error
      end
    end)
    |> without_value()
  end

  @doc false
  # What was put under a hash, by `put_needs/3`. A row that cannot be read is as one that is not there.
  @spec needs(t(), binary()) :: {:ok, term()} | :none
  def needs(journal, hash) do
    sql = "SELECT entry FROM wasgo_world_needs WHERE world = ? AND hash = ?"
    options = [timeout: journal.timeout]

    with {:ok, %{rows: [[entry]]}} <-
           Store.query(journal.store, sql, [journal.world, {:blob, hash}], options),
         {:ok, term} <- unrow(entry) do
      {:ok, term}
    else
      _unknown -> :none
    end
  end

  @doc false
  # Terms by their hashes, and no more than `most` of all that were put: the oldest go.
  @spec put_needs(t(), [{binary(), term()}], pos_integer()) :: :ok | {:error, WorldError.t()}
  def put_needs(journal, rows, most) do
    %{store: store, world: world, timeout: timeout} = journal

    newest =
      "SELECT (SELECT max(number) FROM wasgo_world_needs WHERE world = ?1) FROM wasgo_worlds WHERE id = ?1 AND owner = ?2"

    insert =
      "INSERT OR REPLACE INTO wasgo_world_needs (world, hash, number, entry) VALUES (?, ?, ?, ?)"

    prune = "DELETE FROM wasgo_world_needs WHERE world = ? AND number <= ?"

    transaction(store, timeout, fn tx ->
      with {:ok, %{rows: [[newest]]}} <-
             Store.query(tx, newest, [world, journal.owner], timeout: timeout),
           newest = newest || 0,
           entries =
             for(
               {{hash, term}, number} <- Enum.with_index(rows, newest + 1),
               do: [world, {:blob, hash}, number, {:blob, Body.row(term)}]
             ),
           :ok <- each(tx, insert, entries, timeout),
           oldest = newest + length(rows) - most,
           {:ok, _} <- Store.execute(tx, prune, [world, oldest], timeout: timeout) do
        {:ok, :done}
      else
        {:ok, %{rows: []}} -> {:error, %WorldError{reason: :taken_over}}
        error -> error
      end
    end)
    |> without_value()
  end

  @doc false
  # Payloads that nothing names.
  def drop_payloads(journal, hashes) do
    sql = "DELETE FROM wasgo_world_payloads WHERE world = ? AND hash = ?"
    rows = for hash <- hashes, do: [journal.world, {:blob, hash}]

    with {:error, error} <- each(journal.store, sql, rows, journal.timeout),
         do: {:error, WorldError.store(error)}
  end

  @doc false
  # A row that cannot be read, put aside for whoever wants to look at it.
  def set_aside(journal, rev) do
    with {:ok, _} <-
           transaction(journal.store, journal.timeout, fn tx ->
             with :ok <-
                    Store.batch(
                      tx,
                      "CREATE TABLE IF NOT EXISTS wasgo_world_damaged (world INTEGER, rev INTEGER, entry)"
                    ),
                  {:ok, _} <-
                    Store.execute(
                      tx,
                      "INSERT INTO wasgo_world_damaged SELECT world, rev, entry FROM wasgo_world_journal WHERE world = ? AND rev = ?",
                      [journal.world, rev]
                    ),
                  {:ok, _} <-
                    Store.execute(
                      tx,
                      "DELETE FROM wasgo_world_journal WHERE world = ? AND rev = ?",
                      [journal.world, rev]
                    ),
                  do: {:ok, :done}
           end),
         do: :ok
  end

  defp without_value({:ok, _value}), do: :ok
  defp without_value(error), do: error

  # A function that answers an error undoes what it did.
  defp transaction(store, timeout, fun) do
    Store.transaction(
      store,
      fn tx ->
        case fun.(tx) do
          {:ok, value} -> value
          {:error, error} -> Store.rollback(tx, error)
        end
      end,
      timeout: timeout
    )
    |> case do
      {:ok, value} -> {:ok, value}
      {:error, %WorldError{} = error} -> {:error, error}
      {:error, error} -> {:error, WorldError.store(error)}
    end
  end
end
