defmodule Wasgo.OldRegistry do
  @moduledoc false
  # The registry of scripts as its schema 1 was.

  alias Wasgo.Store

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
  INSERT INTO wasgo_schema VALUES ('scripts', 1) ON CONFLICT DO NOTHING;
  """

  @doc "Opens a store, and makes the tables."
  def version_1!(location) do
    store = Store.open!(location)
    :ok = Store.batch(store, @tables)
    store
  end

  @doc "Puts as version 1 did; the answer is the source's hash."
  def put_1!(store, name, version, source, author \\ nil) do
    {:ok, _} =
      Store.execute(
        store,
        "INSERT INTO wasgo_scripts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET active = excluded.active",
        [name, version]
      )

    language = if match?(<<0, "asm", _::binary>>, source), do: "wasm", else: "wat"
    hash = :sha256 |> :crypto.hash(source) |> Base.encode16(case: :lower)

    {:ok, _} =
      Store.execute(
        store,
        "INSERT INTO wasgo_script_versions (name, version, language, source, hash, author) VALUES (?, ?, ?, ?, ?, ?)",
        [name, version, language, {:blob, source}, hash, author]
      )

    hash
  end
end
