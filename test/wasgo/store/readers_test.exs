defmodule Wasgo.Store.ReadersTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Store, StoreError}

  @moduletag :tmp_dir

  @endless "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

  setup %{tmp_dir: dir} do
    store = Store.open!(Path.join(dir, "a.db"))
    :ok = Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, value)")
    {:ok, store: store}
  end

  defp insert(store, value), do: Store.execute(store, "INSERT INTO t (value) VALUES (?)", [value])
  defp count(store), do: Store.query!(store, "SELECT count(*) FROM t").rows

  test "values come back as they went in, by either way", %{store: store} do
    values = [1, -0x8000_0000_0000_0000, 0.5, :infinity, "dröm", "a\0b", {:blob, <<0, 255>>}, nil]
    for value <- values, do: {:ok, %{changes: 1}} = insert(store, value)
    small = Store.query!(store, "SELECT value FROM t ORDER BY id").rows
    assert small == for(value <- values, do: [value])
    # Returned by the writer.
    sql = "UPDATE t SET value = value RETURNING value"
    assert Enum.sort(Store.query!(store, sql).rows) == Enum.sort(small)
    assert Store.query!(store, "SELECT :a, $b", [{"a", 1}, {:b, 2}]).rows == [[1, 2]]
  end

  test "errors and limits are the same as a writer's", %{store: store} do
    insert(store, "text")

    for {sql, parameters, options, reason} <- [
          {"SELEKT", [], [], :error},
          {"SELECT nothing", [], [], :error},
          {"", [], [], :empty_sql},
          {"SELECT 1; SELECT 2", [], [], :multiple_statements},
          {"SELECT 1\0", [], [], :nul_in_sql},
          {<<"SELECT ", 255>>, [], [], :not_utf8},
          {"SELECT ?", [], [], :param_count},
          {"SELECT ?", [self()], [], :parameters},
          {"SELECT ?", 1, [], :parameters},
          {"SELECT :a", [b: 1], [], :unknown_param},
          {"SELECT CAST(x'ff' AS TEXT)", [], [], :not_utf8},
          {"SELECT 1 UNION SELECT 2", [], [max_rows: 1], :row_limit},
          {"SELECT zeroblob(1000)", [], [max_bytes: 500], :byte_limit},
          {"BEGIN", [], [], :transaction_control},
          {"SELECT 1 AS a, 2 AS a", [], [maps: true], :duplicate_column}
        ] do
      assert {:error, %StoreError{reason: ^reason}} = Store.query(store, sql, parameters, options)

      Store.transaction(store, fn tx ->
        assert {:error, %StoreError{reason: ^reason}} = Store.query(tx, sql, parameters, options)
      end)
    end
  end

  test "a query sees every write that was answered before", %{store: store} do
    for number <- 1..100 do
      {:ok, _} = insert(store, number)
      assert count(store) == [[number]]
    end
  end

  test "a query doesn't wait for a transaction, nor see it", %{store: store} do
    Store.transaction(store, fn tx ->
      insert(tx, 1)
      assert count(tx) == [[1]]
      assert count(store) == [[0]]
    end)

    assert count(store) == [[1]]
  end

  test "rows are maps by name", %{store: store} do
    insert(store, "a")

    assert Store.query!(store, "SELECT id, value FROM t", [], maps: true) == %{
             columns: ["id", "value"],
             rows: [%{"id" => 1, "value" => "a"}]
           }

    names = for number <- 1..40, do: "#{number} AS c#{number}"
    [row] = Store.query!(store, "SELECT #{Enum.join(names, ", ")}", [], maps: true).rows
    assert row["c40"] == 40 and map_size(row) == 40
  end

  test "many rows, each time", %{store: store} do
    rows = for number <- 1..20_000, do: [number, "value #{number}"]
    {:ok, %{changes: 20_000}} = Store.execute_many(store, "INSERT INTO t VALUES (?, ?)", rows)

    for _ <- 1..3 do
      assert Store.query!(store, "SELECT * FROM t ORDER BY id").rows == rows
    end
  end

  test "small queries go on while others never end", %{store: store} do
    insert(store, 1)

    tasks =
      for _ <- 1..8, do: Task.async(fn -> Store.query(store, @endless, [], timeout: 60_000) end)

    for _ <- 1..50, do: assert(count(store) == [[1]])
    {:ok, _} = insert(store, 2)
    interrupt_until_done(store, tasks)
    assert count(store) == [[2]]
  end

  # What waits takes the place of what was interrupted.
  defp interrupt_until_done(_store, []), do: :ok

  defp interrupt_until_done(store, tasks) do
    :ok = Store.interrupt(store)

    tasks
    |> Task.yield_many(5)
    |> Enum.flat_map(fn
      {task, nil} ->
        [task]

      {_task, {:ok, result}} ->
        assert {:error, %StoreError{reason: :interrupted}} = result
        []
    end)
    |> then(&interrupt_until_done(store, &1))
  end

  test "closing ends what readers do", %{store: store} do
    task = Task.async(fn -> Store.query(store, @endless, [], timeout: 60_000) end)
    :ok = Store.close(store)
    assert {:error, %StoreError{reason: reason}} = Task.await(task)
    assert reason in [:interrupted, :closed]
    assert {:error, %StoreError{reason: :closed}} = Store.query(store, "SELECT 1")
  end

  test "a time limit holds for them", %{store: store} do
    for _ <- 1..2 do
      assert {:error, %StoreError{reason: :timeout}} =
               Store.query(store, @endless, [], timeout: 30)
    end
  end

  test "processes read and write at once", %{store: store} do
    1..10
    |> Enum.map(fn number ->
      Task.async(fn ->
        for _ <- 1..20 do
          {:ok, _} = insert(store, number)
          [[count]] = count(store)
          assert count >= 1
        end
      end)
    end)
    |> Task.await_many(30_000)

    assert Store.query!(store, "SELECT count(*), sum(value) FROM t").rows == [[200, 1100]]
  end

  test "without readers, and without the log, everything is done in order", %{tmp_dir: dir} do
    for {name, options} <- [{"b.db", [readers: 0]}, {"c.db", [wal: false]}] do
      store = Store.open!(Path.join(dir, name), options)
      refute store.readers
      :ok = Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, value)")
      {:ok, _} = insert(store, 1)
      assert count(store) == [[1]]
      assert Enum.to_list(Store.stream(store, "SELECT value FROM t")) == [[1]]
    end

    assert Store.query!(
             Store.open!(Path.join(dir, "c.db"), read_only: true),
             "SELECT value FROM t"
           ).rows ==
             [[1]]

    assert_raise ArgumentError, ~r/option :readers/, fn ->
      Store.open(Path.join(dir, "d.db"), readers: 65)
    end
  end
end
