defmodule Wasgo.Script.Registry do
  @moduledoc """
  Scripts kept in a `Wasgo.Store`: every version of each, one of them active.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, 1} = Wasgo.Script.Registry.put(store, "wander", File.read!("guest/scripts/wander.wasm"))
      iex> {:ok, script} = Wasgo.Script.Registry.load(store, "wander")
      iex> {script.name, script.version}
      {"wander", 1}

  A source is checked before it is stored: what does not compile, wants what is not granted or keeps no part of the contract never
  replaces what works.
  """

  alias Wasgo.{Script, Store}

  @schema_version 1

  # Version 1 of the tables. `active` points at the version that `load/3` gives.
  @tables """
  CREATE TABLE IF NOT EXISTS wasgo_schema (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS wasgo_scripts (
    name TEXT NOT NULL PRIMARY KEY,
    active INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS wasgo_script_versions (
    name TEXT NOT NULL REFERENCES wasgo_scripts (name) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    language TEXT NOT NULL,
    source BLOB NOT NULL,
    hash TEXT NOT NULL,
    author TEXT,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (name, version)
  ) STRICT;
  INSERT INTO wasgo_schema VALUES ('scripts', #{@schema_version}) ON CONFLICT DO NOTHING;
  """

  @put_options [
    author: [type: {:or, [:string, {:in, [nil]}]}, default: nil]
  ]

  @typedoc "What `list/1` says of a script."
  @type entry :: %{
          name: String.t(),
          version: pos_integer(),
          language: String.t(),
          size: non_neg_integer(),
          hash: String.t(),
          author: String.t() | nil,
          created: String.t()
        }

  @doc """
  Stores `source` (WebAssembly bytes or WAT text, of any length) as the next version of the script `name` and makes it the active one.
  The same source as the active version's is not stored again.

  Answers the version's number. Errors are those of `Wasgo.Script.new/2` and of the store.
  """
  @spec put(Store.t(), String.t(), binary(), keyword()) ::
          {:ok, pos_integer()} | {:error, Exception.t()}
  def put(store, name, source, options \\ []) when is_binary(name) and is_binary(source) do
    %{author: author} =
      Wasgo.Options.validate!(options, @put_options, "Wasgo.Script.Registry.put/4")

    with {:ok, _script} <- Script.new(source, name: name),
         :ok <- prepare(store),
         {:ok, version} <- Store.transaction(store, &insert(&1, name, source, author)) do
      {:ok, version}
    end
  end

  defp insert(tx, name, source, author) do
    hash = :sha256 |> :crypto.hash(source) |> Base.encode16(case: :lower)

    active = """
    SELECT version, hash FROM wasgo_script_versions JOIN wasgo_scripts USING (name)
    WHERE name = ? AND version = active
    """

    case rows!(tx, active, [name]) do
      [[version, ^hash]] ->
        version

      _other ->
        [[latest]] =
          rows!(
            tx,
            "SELECT coalesce(max(version), 0) FROM wasgo_script_versions WHERE name = ?",
            [name]
          )

        version = latest + 1
        language = if match?(<<0, "asm", _::binary>>, source), do: "wasm", else: "wat"

        execute!(
          tx,
          "INSERT INTO wasgo_scripts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET active = excluded.active",
          [name, version]
        )

        execute!(
          tx,
          "INSERT INTO wasgo_script_versions (name, version, language, source, hash, author) VALUES (?, ?, ?, ?, ?, ?)",
          [name, version, language, {:blob, source}, hash, author]
        )

        version
    end
  end

  @doc """
  The active version of a script, compiled and ready to call. `options` are those of `Wasgo.Script.new/2`.

  A script that is not there is a `Wasgo.StoreError` with the reason `:unknown_script`.
  """
  @spec load(Store.t(), String.t(), keyword()) :: {:ok, Script.t()} | {:error, Exception.t()}
  def load(store, name, options \\ []) when is_binary(name) do
    sql = """
    SELECT version, source FROM wasgo_script_versions JOIN wasgo_scripts USING (name)
    WHERE name = ? AND version = active
    """

    with :ok <- prepare(store),
         {:ok, %{rows: rows}} <- Store.query(store, sql, [name]) do
      case rows do
        [[version, {:blob, source}]] ->
          Script.new(source, Keyword.merge(options, name: name, version: version))

        [] ->
          message = "there is no script #{inspect(name)} in #{inspect(store)}"
          {:error, %Wasgo.StoreError{reason: :unknown_script, message: message}}
      end
    end
  end

  @doc "The active version of every script, by name."
  @spec list(Store.t()) :: {:ok, [entry()]} | {:error, Wasgo.StoreError.t()}
  def list(store) do
    sql = """
    SELECT name, version, language, length(source), hash, author, created
    FROM wasgo_script_versions JOIN wasgo_scripts USING (name) WHERE version = active ORDER BY name
    """

    with :ok <- prepare(store),
         {:ok, %{rows: rows}} <- Store.query(store, sql) do
      keys = [:name, :version, :language, :size, :hash, :author, :created]
      {:ok, Enum.map(rows, &Map.new(Enum.zip(keys, &1)))}
    end
  end

  # Makes the tables where they are missing; refuses those of a newer Wasgo, which may mean something else.
  defp prepare(store) do
    exists = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'wasgo_schema'"

    with {:ok, %{rows: [[count]]}} <- Store.query(store, exists) do
      if count == 0, do: Store.batch(store, @tables), else: check_version(store)
    end
  end

  defp check_version(store) do
    with {:ok, %{rows: rows}} <-
           Store.query(store, "SELECT version FROM wasgo_schema WHERE name = 'scripts'") do
      case rows do
        [[@schema_version]] ->
          :ok

        [] ->
          Store.batch(store, @tables)

        [[newer]] ->
          message =
            "the scripts in #{inspect(store)} are of schema #{newer}, and this Wasgo knows #{@schema_version}"

          {:error, %Wasgo.StoreError{reason: :schema_version, message: message}}
      end
    end
  end

  # Within a transaction an error undoes all of it.
  defp execute!(tx, sql, parameters) do
    with {:error, error} <- Store.execute(tx, sql, parameters), do: Store.rollback(tx, error)
  end

  defp rows!(tx, sql, parameters) do
    case Store.query(tx, sql, parameters) do
      {:ok, %{rows: rows}} -> rows
      {:error, error} -> Store.rollback(tx, error)
    end
  end
end
