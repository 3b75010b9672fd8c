defmodule Wasgo.Script.Registry.Changes do
  @moduledoc false
  # What changes scripts, each in one transaction together with its rows of the history.

  import Wasgo.Script.Registry.SQL

  alias Wasgo.Script.Registry.{JSON, Source, Terms}

  # So many objects are named in an error.
  @named 5

  # How much of the history is read at a time.
  @page 1_000

  # The version's number: that of the active one if it is the same. Who wrote it makes no difference to what runs.
  def put(store, name, source, columns, terms, options) do
    row = [options.language, Source.hash(source) | Terms.to_row(terms)]

    transaction(store, fn tx ->
      case active_row(tx, name) do
        [version | ^row] -> version
        _other -> insert(tx, name, row, source, columns, options)
      end
    end)
  end

  defp active_row(tx, name) do
    tx
    |> rows!(
      """
      SELECT version, language, hash, deterministic, limits, grants
      FROM wasgo_script_versions JOIN wasgo_scripts USING (name) WHERE name = ? AND version = active
      """,
      [name]
    )
    |> List.first()
  end

  defp insert(tx, name, row, source, columns, options) do
    latest = "SELECT coalesce(max(version), 0) FROM wasgo_script_versions WHERE name = ?"
    [[latest]] = rows!(tx, latest, [name])
    version = latest + 1
    execute!(tx, "INSERT INTO wasgo_scripts VALUES (?, 0) ON CONFLICT DO NOTHING", [name])

    execute!(
      tx,
      """
      INSERT INTO wasgo_script_versions
        (name, version, author, source, columns, language, hash, deterministic, limits, grants)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [name, version, options.author, Source.to_stored(source), JSON.encode(columns) | row]
    )

    tell(tx, name, version, "put", options.author)
    if options.activate, do: set_active(tx, name, version, "activate", options.author)
    version
  end

  def activate(store, name, version, author) do
    transaction(store, fn tx ->
      active = active!(tx, name)
      known = "SELECT 1 FROM wasgo_script_versions WHERE name = ? AND version = ?"

      if rows!(tx, known, [name, version]) == [],
        do: fail!(tx, unknown_version(tx, name, version))

      if active != version, do: set_active(tx, name, version, "activate", author)
      version
    end)
  end

  def rollback(store, name, author) do
    transaction(store, fn tx ->
      active!(tx, name)

      case earlier(tx, name, nil, {:active, 0}) do
        nil ->
          message =
            "no version of the script #{inspect(name)} in #{where(tx)} was active before this one"

          fail!(tx, error(:no_earlier_version, message))

        version ->
          set_active(tx, name, version, "rollback", author)
          version
      end
    end)
  end

  # Read backwards: a rollback undid the activation before it, so that the one before the active version's is wanted that was not
  # undone. Beyond a deletion was another script of the same name.
  defp earlier(tx, name, before, looking) do
    acts =
      rows!(
        tx,
        """
        SELECT number, act, version FROM wasgo_script_history
        WHERE name = ?1 AND (?2 IS NULL OR number < ?2) AND act IN ('activate', 'rollback', 'delete')
        ORDER BY number DESC LIMIT ?3
        """,
        [name, before, @page]
      )

    case Enum.reduce_while(acts, looking, &look/2) do
      {_what, _undone} = looking when length(acts) == @page ->
        [oldest | _] = List.last(acts)
        earlier(tx, name, oldest, looking)

      {_what, _undone} ->
        nil

      found ->
        found
    end
  end

  defp look([_number, "delete", _version], _looking), do: {:halt, nil}

  defp look([_number, "rollback", _version], {what, undone}), do: {:cont, {what, undone + 1}}

  defp look([_number, "activate", _version], {what, undone}) when undone > 0,
    do: {:cont, {what, undone - 1}}

  defp look([_number, "activate", _version], {:active, 0}), do: {:cont, {:earlier, 0}}
  defp look([_number, "activate", version], {:earlier, 0}), do: {:halt, version}

  # What refers to the script goes first, also where the store does not hold to foreign keys.
  def delete(store, name, objects?, author) do
    answer =
      transaction(store, fn tx ->
        active!(tx, name)
        unless objects?, do: unused!(tx, name)

        execute!(
          tx,
          "DELETE FROM wasgo_object_state WHERE object IN (SELECT id FROM wasgo_objects WHERE script = ?)",
          [name]
        )

        execute!(tx, "DELETE FROM wasgo_objects WHERE script = ?", [name])
        execute!(tx, "DELETE FROM wasgo_script_versions WHERE name = ?", [name])
        execute!(tx, "DELETE FROM wasgo_scripts WHERE name = ?", [name])
        tell(tx, name, nil, "delete", author)
      end)

    with {:ok, _done} <- answer, do: :ok
  end

  defp unused!(tx, name) do
    counted = "SELECT count(*) FROM wasgo_objects WHERE script = ?"
    named = "SELECT id FROM wasgo_objects WHERE script = ? ORDER BY id LIMIT #{@named}"

    with [[count]] when count > 0 <- rows!(tx, counted, [name]) do
      names = Enum.map_join(rows!(tx, named, [name]), ", ", fn [id] -> inspect(id) end)
      more = if count > @named, do: " and #{count - @named} more", else: ""
      message = "the script #{inspect(name)} in #{where(tx)} is in use by #{names}#{more}"
      fail!(tx, error(:in_use, message))
    end
  end

  defp active!(tx, name) do
    case rows!(tx, "SELECT active FROM wasgo_scripts WHERE name = ?", [name]) do
      [[active]] -> active
      [] -> fail!(tx, unknown_script(tx, name))
    end
  end

  defp set_active(tx, name, version, act, author) do
    execute!(tx, "UPDATE wasgo_scripts SET active = ? WHERE name = ?", [version, name])
    tell(tx, name, version, act, author)
  end

  defp tell(tx, name, version, act, author) do
    execute!(
      tx,
      "INSERT INTO wasgo_script_history (name, version, act, author) VALUES (?, ?, ?, ?)",
      [name, version, act, author]
    )
  end
end
