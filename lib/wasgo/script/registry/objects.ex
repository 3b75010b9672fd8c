defmodule Wasgo.Script.Registry.Objects do
  @moduledoc false
  # Objects that have a script, and what each keeps. Documented where it is called: `Wasgo.Script.Registry`.

  import Wasgo.Script.Registry.SQL

  alias Wasgo.{LimitError, Store}
  alias Wasgo.Script.Registry.Schema

  @max_state 1_048_576
  @max_keys 4_096
  @max_key 1_024
  @max_value 262_144

  @put_options [state: [type: {:in, [:keep, :clear]}, default: :keep]]

  @list_options [
    kind: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    script: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    after: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    limit: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil]
  ]

  def put(store, id, kind, script, options) do
    options = validate!(options, @put_options, "put_object/5")

    with :ok <- check_name(id, "the object's id"),
         :ok <- check_name(kind, "the object's kind"),
         :ok <- check_name(script, "the script's name"),
         :ok <- Schema.migrate(store) do
      write(store, fn tx ->
        if rows!(tx, "SELECT 1 FROM wasgo_scripts WHERE name = ?", [script]) == [],
          do: fail!(tx, unknown_script(tx, script))

        execute!(
          tx,
          "INSERT INTO wasgo_objects (id, kind, script) VALUES (?, ?, ?) " <>
            "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, script = excluded.script",
          [id, kind, script]
        )

        if options.state == :clear,
          do: execute!(tx, "DELETE FROM wasgo_object_state WHERE object = ?", [id])
      end)
    end
  end

  def get(store, id) do
    with :ok <- check_name(id, "the object's id"),
         :ok <- Schema.migrate(store),
         {:ok, %{rows: rows}} <-
           Store.query(store, "SELECT id, kind, script FROM wasgo_objects WHERE id = ?", [id]) do
      case rows do
        [row] -> {:ok, object(row)}
        [] -> unknown_object(store, id)
      end
    end
  end

  def list(store, options) do
    options = validate!(options, @list_options, "list_objects/2")
    wanted = for {name, sql} <- conditions(), value = options[name], do: {sql, value}
    where = Enum.map(wanted, fn {sql, _value} -> " AND #{sql}" end)
    sql = "SELECT id, kind, script FROM wasgo_objects WHERE true#{where} ORDER BY id LIMIT ?"
    parameters = Enum.map(wanted, fn {_sql, value} -> value end) ++ [options.limit || -1]

    with :ok <- Schema.migrate(store),
         {:ok, %{rows: rows}} <- Store.query(store, sql, parameters) do
      {:ok, Enum.map(rows, &object/1)}
    end
  end

  defp conditions, do: [kind: "kind = ?", script: "script = ?", after: "id > ?"]

  def delete(store, id) do
    with :ok <- check_name(id, "the object's id"), :ok <- Schema.migrate(store) do
      write(store, fn tx ->
        execute!(tx, "DELETE FROM wasgo_object_state WHERE object = ?", [id])

        if execute!(tx, "DELETE FROM wasgo_objects WHERE id = ?", [id]).changes == 0,
          do: fail!(tx, unknown_object(tx, id))
      end)
    end
  end

  def state(store, id) do
    sql = """
    SELECT entries FROM wasgo_objects LEFT JOIN wasgo_object_state ON object = id WHERE id = ?
    """

    with :ok <- check_name(id, "the object's id"),
         :ok <- Schema.migrate(store),
         {:ok, %{rows: rows}} <- Store.query(store, sql, [id]) do
      case rows do
        [[nil]] -> {:ok, %{}}
        [[{:blob, entries}]] -> decoded(store, id, entries)
        [] -> unknown_object(store, id)
      end
    end
  end

  def put_state(store, id, map) do
    with :ok <- check_name(id, "the object's id"),
         :ok <- within_bounds(map),
         :ok <- Schema.migrate(store) do
      write(store, fn tx ->
        if rows!(tx, "SELECT 1 FROM wasgo_objects WHERE id = ?", [id]) == [],
          do: fail!(tx, unknown_object(tx, id))

        execute!(
          tx,
          "INSERT INTO wasgo_object_state (object, entries) VALUES (?, ?) " <>
            "ON CONFLICT (object) DO UPDATE SET entries = excluded.entries",
          [id, {:blob, encode(map)}]
        )
      end)
    end
  end

  defp object([id, kind, script]), do: %{id: id, kind: kind, script: script}

  defp unknown_object(store, id),
    do: error(:unknown_object, "there is no object #{inspect(id)} in #{where(store)}")

  defp write(store, fun) do
    with {:ok, _value} <- transaction(store, fun), do: :ok
  end

  defp validate!(options, schema, function),
    do: Wasgo.Options.validate!(options, schema, "Wasgo.Script.Registry.#{function}")

  ## The state's bytes

  # Counted first: a map may be of any size.
  defp within_bounds(map) when map_size(map) > @max_keys,
    do:
      too_much(
        "#{map_size(map)} keys are more than an object may have, #{@max_keys}",
        @max_keys,
        map_size(map)
      )

  defp within_bounds(map) do
    map
    |> Enum.reduce_while(0, fn {key, value}, bytes ->
      unless is_binary(key) and is_binary(value) do
        raise ArgumentError,
              "an object's state is a map of binaries by binaries, and has: #{inspect({key, value}, limit: 5, printable_limit: 60)}"
      end

      cond do
        byte_size(key) > @max_key ->
          words = "a key of #{byte_size(key)} bytes is longer than one may be, #{@max_key}"
          {:halt, too_much(words, @max_key, byte_size(key))}

        byte_size(value) > @max_value ->
          words =
            "the #{byte_size(value)} bytes at #{inspect(key, printable_limit: 60)} are more than a value may have, #{@max_value}"

          {:halt, too_much(words, @max_value, byte_size(value))}

        true ->
          {:cont, bytes + byte_size(key) + byte_size(value)}
      end
    end)
    |> case do
      bytes when is_integer(bytes) and bytes <= @max_state ->
        :ok

      bytes when is_integer(bytes) ->
        words =
          "#{bytes} bytes of keys and values are more than an object may keep, #{@max_state}"

        too_much(words, @max_state, bytes)

      error ->
        error
    end
  end

  defp too_much(message, value, asked),
    do: {:error, %LimitError{reason: :state, message: message, value: value, asked: asked}}

  # In the order of the keys' bytes, so that what is equal is stored equally.
  defp encode(map) do
    map
    |> Enum.sort()
    |> Enum.map(fn {key, value} ->
      [<<byte_size(key)::32-little>>, key, <<byte_size(value)::32-little>>, value]
    end)
    |> IO.iodata_to_binary()
  end

  defp decoded(store, id, entries) do
    case decode(entries, []) do
      {:ok, map} ->
        {:ok, map}

      :error ->
        error(:malformed, "the state of the object #{inspect(id)} in #{where(store)} is damaged")
    end
  end

  # Keys and values are parts of the one binary that was read: copies of thousands would take ten times as long.
  defp decode("", read), do: {:ok, read |> Enum.reverse() |> Map.new()}

  defp decode(
         <<length::32-little, key::binary-size(length), size::32-little, value::binary-size(size),
           rest::binary>>,
         read
       ),
       do: decode(rest, [{key, value} | read])

  defp decode(_entries, _read), do: :error
end
