defmodule Wasgo.Script.Registry.Entries do
  @moduledoc false
  # Versions and the history, as they are read.

  import Wasgo.Script.Registry.SQL

  alias Wasgo.Script.Registry.{JSON, Source, Terms}
  alias Wasgo.Store

  # A source may be as long as SQLite's longest value.
  @most_source 0x7FFF_FFFF

  @selected "name, version, version = active, language, octet_length(source), hash, author, created, " <>
              "columns, deterministic, limits, grants"

  @acts %{
    "put" => :put,
    "activate" => :activate,
    "rollback" => :rollback,
    "delete" => :delete
  }

  def get(store, name, :active),
    do: one(store, name, "version = active", [name], &no_active(&1, name))

  def get(store, name, version),
    do: one(store, name, "version = ?", [name, version], &unknown_version(&1, name, version))

  defp one(store, name, which, parameters, otherwise) do
    with {:ok, []} <- entries(store, "source", "name = ? AND #{which}", parameters),
         {:ok, %{rows: rows}} <-
           Store.query(store, "SELECT 1 FROM wasgo_scripts WHERE name = ?", [name]) do
      if rows == [], do: unknown_script(store, name), else: otherwise.(store)
    else
      {:ok, [entry]} -> {:ok, entry}
      {:error, _error} = error -> error
    end
  end

  def active_version(store, name) do
    sql = "SELECT active FROM wasgo_scripts WHERE name = ?"

    with {:ok, %{rows: rows}} <- Store.query(store, sql, [name]) do
      case rows do
        [[0]] -> no_active(store, name)
        [[version]] -> {:ok, version}
        [] -> unknown_script(store, name)
      end
    end
  end

  defp no_active(store, name) do
    error(
      :unknown_version,
      "no version of the script #{inspect(name)} in #{where(store)} is active"
    )
  end

  def list(store), do: entries(store, "NULL", "version = active", [])

  def versions(store, name) do
    with {:ok, []} <- entries(store, "NULL", "name = ?", [name]), do: unknown_script(store, name)
  end

  defp entries(store, source, which, parameters) do
    sql = """
    SELECT #{source}, #{@selected} FROM wasgo_script_versions JOIN wasgo_scripts USING (name)
    WHERE #{which} ORDER BY name, version
    """

    options = [max_bytes: @most_source, timeout: timeout()]

    with {:ok, %{rows: rows}} <- Store.query(store, sql, parameters, options),
         do: read(rows, store, [])
  end

  defp read([], _store, entries), do: {:ok, Enum.reverse(entries)}

  defp read([[source, name, version | _] = row | rows], store, entries) do
    case entry(row) do
      {:ok, entry} when source == nil ->
        read(rows, store, [entry | entries])

      {:ok, entry} ->
        read(rows, store, [Map.put(entry, :source, Source.from_stored(source)) | entries])

      :error ->
        message =
          "version #{version} of the script #{inspect(name)} in #{where(store)} is damaged"

        error(:malformed, message)
    end
  end

  defp entry([
         _source,
         name,
         version,
         active,
         language,
         size,
         hash,
         author,
         created,
         columns | terms
       ]) do
    with {:ok, terms} <- Terms.from_row(terms), {:ok, columns} <- columns(columns) do
      {:ok,
       %{
         name: name,
         version: version,
         active: active == 1,
         language: language,
         size: size,
         hash: hash,
         author: author,
         created: created,
         deterministic: terms.deterministic,
         limits: terms.limits,
         grants: terms.grants,
         columns: columns
       }}
    end
  end

  defp columns(text) do
    with {:ok, columns} when is_list(columns) <- JSON.decode(text),
         true <- Enum.all?(columns, &is_binary/1) do
      {:ok, columns}
    else
      _damaged -> :error
    end
  end

  def history(store, name, limit) do
    sql = """
    SELECT number, name, version, act, at, author FROM wasgo_script_history WHERE name = ?
    ORDER BY number DESC LIMIT ?
    """

    with {:ok, %{rows: rows}} <- Store.query(store, sql, [name, limit]) do
      {:ok, for(row <- Enum.reverse(rows), do: act(row))}
    end
  end

  # An act that only a later Wasgo knows stays as it is.
  defp act([number, name, version, act, at, author]) do
    act = Map.get(@acts, act, act)
    %{number: number, name: name, version: version, act: act, at: at, author: author}
  end
end
