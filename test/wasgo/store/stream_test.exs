defmodule Wasgo.Store.StreamTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Store, StoreError}

  @moduletag :tmp_dir

  @counting "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"

  setup %{tmp_dir: dir} do
    store = Store.open!(Path.join(dir, "a.db"))
    :ok = Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, value)")
    rows = for number <- 1..2_500, do: [number, "value #{number}"]
    {:ok, _} = Store.execute_many(store, "INSERT INTO t VALUES (?, ?)", rows)
    {:ok, store: store, rows: rows}
  end

  test "gives all rows, in pieces of any size", %{store: store, rows: rows} do
    for size <- [1_000, 2_500, 7, 10_000] do
      assert store |> Store.stream("SELECT * FROM t", [], max_rows: size) |> Enum.to_list() ==
               rows
    end

    assert store
           |> Store.stream("SELECT id FROM t WHERE id > ?", [2_499], maps: true)
           |> Enum.to_list() == [%{"id" => 2_500}]

    assert store |> Store.stream("SELECT * FROM t WHERE id < 0") |> Enum.to_list() == []
  end

  test "reads no more than is wanted, again for each enumeration", %{store: store} do
    stream = Store.stream(store, @counting, [], max_rows: 10)
    for _ <- 1..100, do: assert(Enum.take(stream, 25) |> List.last() == [25])
    assert stream |> Stream.map(&hd/1) |> Enum.find(&(&1 > 1_234)) == 1_235
  end

  test "sees one state of the file and holds up neither writers nor queries", %{store: store} do
    seen =
      store
      |> Store.stream("SELECT id FROM t ORDER BY id", [], max_rows: 100)
      |> Enum.map(fn [id] ->
        if rem(id, 500) == 0 do
          Store.execute!(store, "DELETE FROM t WHERE id > ?", [id])
          assert Store.query!(store, "SELECT max(id) FROM t").rows == [[500]]
        end

        id
      end)

    assert seen == Enum.to_list(1..2_500)
  end

  test "ends with its process, and the place is free again", %{store: store} do
    test = self()

    open = fn ->
      spawn_monitor(fn ->
        store
        |> Store.stream(@counting, [], max_rows: 1)
        |> Enum.each(fn [number] ->
          send(test, {:read, number})
          receive do: (:never -> :ok)
        end)
      end)
    end

    streams = for _ <- 1..32, do: open.()
    for _ <- 1..32, do: assert_receive({:read, 1}, 5_000)

    assert_raise StoreError, ~r/32 streams/, fn ->
      Enum.take(Store.stream(store, "SELECT 1"), 1)
    end

    for {pid, monitor} <- streams do
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}, 5_000
    end

    # They are given back on another thread.
    assert eventually(fn -> Enum.take(Store.stream(store, "SELECT 1"), 1) == [[1]] end)
  end

  defp eventually(fun) do
    fun.()
  rescue
    StoreError ->
      :erlang.yield()
      eventually(fun)
  end

  test "an error raises, wherever it comes", %{store: store} do
    assert_raise StoreError, ~r/no such table/, fn ->
      Enum.to_list(Store.stream(store, "SELECT * FROM absent"))
    end

    assert_raise StoreError, ~r/parameter 1/, fn ->
      Enum.to_list(Store.stream(store, "SELECT ?", [self()]))
    end

    late = "SELECT id, CASE id WHEN 1500 THEN CAST(x'ff' AS TEXT) END FROM t"

    assert_raise StoreError, ~r/UTF-8/, fn -> Enum.to_list(Store.stream(store, late)) end

    assert_raise StoreError, ~r/timed out/, fn ->
      Enum.to_list(Store.stream(store, @counting <> " WHERE i < 0", [], timeout: 30))
    end

    assert_raise StoreError, ~r/two columns/, fn ->
      Enum.to_list(Store.stream(store, "SELECT 1 AS a, 2 AS a", [], maps: true))
    end
  end

  test "within a transaction it sees what that did", %{store: store} do
    for store <- [store, memory()] do
      Store.transaction(store, fn tx ->
        Store.execute!(tx, "INSERT INTO t VALUES (9999, 'new')")
        ids = tx |> Store.stream("SELECT id FROM t", [], max_rows: 3) |> Enum.to_list()
        assert List.last(ids) == [9999]
        assert tx |> Store.stream(@counting, [], max_rows: 2) |> Enum.take(3) == [[1], [2], [3]]

        # One within another, and writes between.
        for [id] <- Store.stream(tx, "SELECT id FROM t WHERE id < 4", [], max_rows: 1) do
          Store.execute!(tx, "UPDATE t SET value = 'x' WHERE id = ?", [id])

          assert tx |> Store.stream("SELECT value FROM t WHERE id = ?", [id]) |> Enum.to_list() ==
                   [["x"]]
        end
      end)
    end
  end

  test "what can't be read in pieces is read at once", %{store: store} do
    assert Enum.to_list(Store.stream(memory(), "SELECT id FROM t")) == [[1], [2], [3]]
    sql = "DELETE FROM t WHERE id <= 3 RETURNING id"
    assert Enum.sort(Enum.to_list(Store.stream(store, sql))) == [[1], [2], [3]]
    assert [["off"]] = Enum.to_list(Store.stream(store, "SELECT 'off'"))
  end

  defp memory do
    store = Store.open!(:memory)

    :ok =
      Store.batch(
        store,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, value); INSERT INTO t (id) VALUES (1), (2), (3)"
      )

    store
  end

  test "a store that closes ends it", %{store: store} do
    assert_raise StoreError, ~r/closed/, fn ->
      store
      |> Store.stream(@counting, [], max_rows: 1)
      |> Enum.each(fn
        [2] -> Store.close(store)
        _row -> :ok
      end)
    end
  end
end
