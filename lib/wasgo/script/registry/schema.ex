defmodule Wasgo.Script.Registry.Schema do
  @moduledoc false
  # The registry's tables, and how those of an older Wasgo become today's.

  import Wasgo.Script.Registry.SQL

  alias Wasgo.Script.Registry.{JSON, Source}
  alias Wasgo.Store

  @version 2

  # A source may be as long as SQLite's longest value.
  @most_source 0x7FFF_FFFF

  @schema "CREATE TABLE IF NOT EXISTS wasgo_schema (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"

  @now "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

  # `active` is the version that runs, 0 where none does yet.
  @scripts """
  CREATE TABLE wasgo_scripts (
    name TEXT NOT NULL PRIMARY KEY,
    active INTEGER NOT NULL
  ) STRICT
  """

  @versions """
  CREATE TABLE wasgo_script_versions (
    name TEXT NOT NULL REFERENCES wasgo_scripts (name) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    language TEXT NOT NULL,
    source ANY NOT NULL,
    hash TEXT NOT NULL,
    author TEXT,
    created TEXT NOT NULL DEFAULT (#{@now}),
    deterministic INTEGER NOT NULL DEFAULT 1,
    limits TEXT,
    grants TEXT,
    columns TEXT NOT NULL,
    PRIMARY KEY (name, version)
  ) STRICT
  """

  # What came with version 2 beside the columns. The history refers to no other table: it outlives what it tells of.
  @since_2 [
    """
    CREATE TABLE wasgo_script_history (
      number INTEGER PRIMARY KEY,
      name TEXT NOT NULL,
      version INTEGER,
      act TEXT NOT NULL,
      at TEXT NOT NULL DEFAULT (#{@now}),
      author TEXT
    ) STRICT
    """,
    "CREATE INDEX wasgo_script_history_name ON wasgo_script_history (name)",
    """
    CREATE TABLE wasgo_objects (
      id TEXT NOT NULL PRIMARY KEY,
      kind TEXT NOT NULL,
      script TEXT NOT NULL REFERENCES wasgo_scripts (name) ON DELETE RESTRICT
    ) STRICT
    """,
    "CREATE INDEX wasgo_objects_kind ON wasgo_objects (kind, script, id)",
    "CREATE INDEX wasgo_objects_script ON wasgo_objects (script)",
    """
    CREATE TABLE wasgo_object_state (
      object TEXT NOT NULL PRIMARY KEY REFERENCES wasgo_objects (id) ON DELETE CASCADE,
      entries BLOB NOT NULL
    ) STRICT
    """
  ]

  @spec version() :: pos_integer()
  def version, do: @version

  # One query where there is nothing to do. What there is to do is done in one transaction.
  @spec migrate(Store.t()) :: :ok | {:error, Exception.t()}
  def migrate(store) do
    case current(store) do
      {:ok, @version} -> :ok
      {:ok, nil} -> change(store, nil, &create/1)
      {:ok, 1} -> from_1(store)
      {:ok, other} -> unknown(store, other)
      {:error, _error} = error -> error
    end
  end

  # The version of the tables, nil where there are none.
  defp current(store) do
    case Store.query(store, "SELECT version FROM wasgo_schema WHERE name = 'scripts'") do
      {:ok, %{rows: [[version]]}} -> {:ok, version}
      {:ok, %{rows: []}} -> {:ok, nil}
      {:error, %{reason: :error} = error} -> none(store, error)
      {:error, _error} = error -> error
    end
  end

  # The query failed because there is no such table, or for a reason of its own.
  defp none(store, error) do
    exists = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'wasgo_schema'"

    case Store.query(store, exists) do
      {:ok, %{rows: [[0]]}} -> {:ok, nil}
      {:ok, _exists} -> made_meanwhile(store, error)
      {:error, _error} = error -> error
    end
  end

  # Somebody made the table between the two queries.
  defp made_meanwhile(store, %{message: "no such table: wasgo_schema" <> _}), do: current(store)
  defp made_meanwhile(_store, error), do: {:error, error}

  defp unknown(store, version) do
    error(
      :schema_version,
      "the scripts in #{where(store)} are of schema #{version}, and this Wasgo knows #{@version}"
    )
  end

  # Another process, or another store on the file, may have been quicker: then there is nothing left to do.
  defp change(store, from, change) do
    answer =
      transaction(store, fn tx ->
        case current(tx) do
          {:ok, ^from} -> change.(tx)
          {:ok, _other} -> :changed
          {:error, error} -> Store.rollback(tx, error)
        end
      end)

    case answer do
      {:ok, :changed} -> migrate(store)
      {:ok, _done} -> :ok
      {:error, _error} = error -> error
    end
  end

  defp create(tx) do
    Enum.each([@schema, @scripts, @versions | @since_2], &execute!(tx, &1))
    execute!(tx, "INSERT INTO wasgo_schema VALUES ('scripts', ?)", [@version])
  end

  ## From version 1

  # In version 1 scripts ran without being deterministic, each put made its version the active one, and sources were bytes. That is what
  # is written down here: what ran yesterday runs today, in the same way.

  # Finding out the columns' names takes compiling, and nobody else has to wait for that.
  defp from_1(store) do
    with {:ok, %{rows: keys}} <-
           Store.query(store, "SELECT name, version FROM wasgo_script_versions"),
         {:ok, known} <- described(store, keys) do
      change(store, 1, &upgrade(&1, known))
    end
  end

  defp described(store, keys) do
    Enum.reduce_while(keys, {:ok, %{}}, fn key, {:ok, known} ->
      case describe(store, "wasgo_script_versions", key) do
        {:ok, description} -> {:cont, {:ok, Map.put(known, key, description)}}
        {:error, _error} = error -> {:halt, error}
      end
    end)
  end

  # The columns that a version names, and whether its source is text. What does not start names none; with version 1 it would not
  # have started either.
  defp describe(store, table, key) do
    sql = "SELECT source FROM #{table} WHERE name = ? AND version = ?"

    options = [max_bytes: @most_source, timeout: timeout()]

    with {:ok, %{rows: rows}} <- Store.query(store, sql, key, options) do
      source = for([stored] <- rows, into: "", do: Source.from_stored(stored))

      columns =
        case Source.script(source, []) do
          {:ok, script} -> script.columns
          {:error, _broken} -> []
        end

      {:ok, {columns, is_binary(Source.to_stored(source))}}
    end
  end

  # By way of a copy: to rename the table would fail where somebody's view looks at it.
  defp upgrade(tx, known) do
    copy = "wasgo_script_versions_1"
    execute!(tx, "CREATE TABLE #{copy} AS SELECT * FROM wasgo_script_versions")
    execute!(tx, "DROP TABLE wasgo_script_versions")
    Enum.each([@versions | @since_2], &execute!(tx, &1))

    for key <- rows!(tx, "SELECT name, version FROM #{copy} ORDER BY name, version") do
      # One that was put meanwhile, by an older Wasgo, is not known yet.
      {columns, text?} = Map.get_lazy(known, key, fn -> describe!(tx, copy, key) end)
      source = if text?, do: "CAST(source AS TEXT)", else: "source"

      execute!(
        tx,
        """
        INSERT INTO wasgo_script_versions
          (name, version, language, source, hash, author, created, deterministic, columns)
        SELECT name, version, language, #{source}, hash, author, created, 0, ?
        FROM #{copy} WHERE name = ? AND version = ?
        """,
        [JSON.encode(columns) | key]
      )
    end

    execute!(tx, "DROP TABLE #{copy}")
    tell(tx)
    execute!(tx, "UPDATE wasgo_schema SET version = ? WHERE name = 'scripts'", [@version])
  end

  defp describe!(tx, table, key) do
    case describe(tx, table, key) do
      {:ok, description} -> description
      {:error, error} -> Store.rollback(tx, error)
    end
  end

  # The history that version 1 did not write.
  defp tell(tx) do
    execute!(tx, """
    INSERT INTO wasgo_script_history (name, version, act, at, author)
    SELECT name, version, act, created, author
    FROM wasgo_script_versions, (SELECT 1 AS step, 'put' AS act UNION ALL SELECT 2, 'activate')
    ORDER BY name, version, step
    """)

    execute!(tx, """
    INSERT INTO wasgo_script_history (name, version, act)
    SELECT name, active, 'activate' FROM wasgo_scripts
    WHERE active <> (SELECT max(version) FROM wasgo_script_versions AS v WHERE v.name = wasgo_scripts.name)
    """)
  end
end
