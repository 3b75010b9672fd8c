defmodule Wasgo.Store.ChangesTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Store, StoreError}

  setup do
    store = Store.open!(:memory)

    :ok =
      Store.batch(
        store,
        "CREATE TABLE pets (id INTEGER PRIMARY KEY, name); CREATE TABLE log (line)"
      )

    {:ok, store: store}
  end

  defp insert(store, id),
    do: Store.execute!(store, "INSERT INTO pets VALUES (?, 'x')", [id])

  # All that was sent so far: it is, before a write is answered.
  defp told(%{ref: ref} = store) do
    receive do
      {:wasgo_store, ^ref, {:changed, changes}} -> [changes | told(store)]
    after
      0 -> []
    end
  end

  defp row(op, rowid, table \\ "pets"), do: %{table: table, op: op, rowid: rowid, count: 1}

  test "a commit is told before it is answered", %{store: store} do
    assert Store.subscribe(store) == :ok
    insert(store, 7)
    assert told(store) == [[row(:insert, 7)]]

    :ok =
      Store.batch(
        store,
        "BEGIN; UPDATE pets SET name = 'y'; INSERT INTO log VALUES (1); DELETE FROM pets WHERE id = 7; COMMIT"
      )

    assert told(store) == [[row(:update, 7), row(:insert, 1, "log"), row(:delete, 7)]]
  end

  test "what is undone is not told, in whole or in part", %{store: store} do
    :ok = Store.subscribe(store)

    Store.transaction(store, fn tx ->
      insert(tx, 1)
      Store.transaction(tx, fn tx -> insert(tx, 2) && Store.rollback(tx, :no) end)
      assert told(store) == []
    end)

    assert told(store) == [[row(:insert, 1)]]
    Store.transaction(store, fn tx -> insert(tx, 3) && Store.rollback(tx, :no) end)
    {:error, _} = Store.execute(store, "INSERT INTO pets VALUES (4, 'x'), (1, 'x')")
    assert told(store) == []
  end

  test "only the tables that were asked for, and the last asking counts", %{store: store} do
    :ok = Store.subscribe(store, ["log"])
    insert(store, 1)
    assert told(store) == []
    :ok = Store.subscribe(store, ["pets"])
    insert(store, 2)
    Store.execute!(store, "INSERT INTO log VALUES (1)")
    assert told(store) == [[row(:insert, 2)]]
    assert Store.unsubscribe(store) == :ok
    assert Store.unsubscribe(store) == :ok
    insert(store, 3)
    assert told(store) == []
  end

  test "many rows are told by table, and so are rows without numbers", %{store: store} do
    :ok = Store.subscribe(store)
    rows = for number <- 1..1_500, do: [number]
    {:ok, _} = Store.execute_many(store, "INSERT INTO pets VALUES (?, 'x')", rows)
    assert told(store) == [[%{table: "pets", op: :insert, rowid: nil, count: 1_500}]]
    Store.execute!(store, "DELETE FROM pets")
    assert told(store) == [[%{table: "pets", op: :delete, rowid: nil, count: nil}]]
  end

  test "every subscriber is told, and the dead are forgotten", %{store: store} do
    test = self()

    {pid, monitor} =
      spawn_monitor(fn ->
        :ok = Store.subscribe(store)
        send(test, :subscribed)
        receive do: ({:wasgo_store, _, {:changed, changes}} -> send(test, {:other, changes}))
      end)

    assert_receive :subscribed, 5_000
    :ok = Store.subscribe(store)
    insert(store, 1)
    assert_receive {:other, [%{rowid: 1}]}, 5_000
    assert_receive {:DOWN, ^monitor, :process, ^pid, :normal}, 5_000
    insert(store, 2)
    assert [[%{rowid: 1}], [%{rowid: 2}]] = told(store)
  end

  test "a restricted handle is told of what it may read", %{store: store} do
    visitor = Store.restrict(store, read: ["pets", {"log", ["line"]}])
    assert {:error, %StoreError{reason: :auth}} = Store.subscribe(visitor)

    assert {:error, %StoreError{reason: :auth} = error} =
             Store.subscribe(visitor, ["pets", "log"])

    assert Exception.message(error) =~ "log"
    assert :ok = Store.subscribe(visitor, ["pets"])
    Store.execute!(store, "INSERT INTO log VALUES (1)")
    insert(store, 1)
    assert told(visitor) == [[row(:insert, 1)]]
  end

  @tag :tmp_dir
  test "a file's too", %{tmp_dir: dir} do
    store = Store.open!(Path.join(dir, "a.db"))
    :ok = Store.batch(store, "CREATE TABLE pets (id INTEGER PRIMARY KEY, name)")
    :ok = Store.subscribe(store, ["pets"])
    insert(store, 1)
    assert told(store) == [[row(:insert, 1)]]
    :ok = Store.close(store)
    assert {:error, %StoreError{reason: :closed}} = Store.subscribe(store)
  end
end
