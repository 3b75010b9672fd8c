defmodule Wasgo.StoreTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Store, StoreError}

  doctest Wasgo.Store

  @endless "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

  setup do
    store = Store.open!(:memory)
    :ok = Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, value)")
    {:ok, store: store}
  end

  defp values(store),
    do:
      store
      |> Store.query!("SELECT value FROM t ORDER BY id")
      |> Map.fetch!(:rows)
      |> List.flatten()

  defp insert(store, value), do: Store.execute(store, "INSERT INTO t (value) VALUES (?)", [value])

  describe "values" do
    test "go in and come out", %{store: store} do
      values =
        [
          0,
          1,
          -1,
          0x7FFF_FFFF_FFFF_FFFF,
          -0x8000_0000_0000_0000,
          0.5,
          -1.0e300,
          :infinity,
          :neg_infinity
        ] ++
          ["", "text", "dröm 🌲", "a\0b", {:blob, ""}, {:blob, <<0, 255>>}, nil]

      for value <- values, do: {:ok, %{changes: 1}} = insert(store, value)
      rows = Store.query!(store, "SELECT value FROM t ORDER BY id").rows
      assert rows == for(value <- values, do: [value])
    end

    test "booleans are 1 and 0, and what is no number is NULL", %{store: store} do
      assert Store.query!(store, "SELECT ?, ?, ?", [true, false, :nan]).rows == [[1, 0, nil]]
    end

    test "a large one", %{store: store} do
      blob = :crypto.strong_rand_bytes(5_000_000)
      {:ok, _} = insert(store, {:blob, blob})

      assert Store.query!(store, "SELECT value, length(value) FROM t").rows == [
               [{:blob, blob}, 5_000_000]
             ]
    end

    test "text in the database that is not UTF-8 is an error that says where", %{store: store} do
      assert {:error, %StoreError{reason: :not_utf8} = error} =
               Store.query(store, "SELECT CAST(x'ff' AS TEXT) AS name")

      assert Exception.message(error) =~ ~s|column "name" of row 0|
    end
  end

  describe "parameters" do
    test "by place and by name", %{store: store} do
      assert Store.query!(store, "SELECT ?, ?2", [1, "b"]).rows == [[1, "b"]]
      assert Store.query!(store, "SELECT :a, :b, :a", b: 2, a: 1).rows == [[1, 2, 1]]

      assert Store.query!(store, "SELECT :a, :b", [{"b", 2}, {"a", {:blob, "x"}}]).rows == [
               [{:blob, "x"}, 2]
             ]

      assert Store.query!(store, "SELECT ?", [{:blob, "x"}]).rows == [[{:blob, "x"}]]
    end

    test "that are wrong are told", %{store: store} do
      for {sql, parameters, reason, words} <- [
            {"SELECT ?, ?", [1], :param_count, "takes 2 parameters, 1 given"},
            {"SELECT 1", [1], :param_count, "takes 0 parameters, 1 given"},
            {"SELECT :a", [b: 1], :unknown_param, "\"b\""},
            {"SELECT :a, :b", [a: 1], :missing_param, "b\""},
            {"SELECT :a", [a: 1, a: 2], :duplicate_param, "\"a\""},
            {"SELECT ?", [self()], :parameters, "parameter 1 must be a 64-bit integer"},
            {"SELECT ?", [0x8000_0000_0000_0000], :parameters, "parameter 1 must be"},
            {"SELECT ?", [<<255>>], :parameters, "parameter 1 must be"},
            {"SELECT :a", [a: :x], :parameters, "parameter a must be"},
            {"SELECT :a, :b", [{:a, 1}, 2], :parameters, "parameter 2 is no {name, value}"},
            {"SELECT :a, :b", [{:a, 1}, {2, 2}], :parameters, "the name of parameter 2"},
            {"SELECT ?", 1, :parameters, "must be a list"}
          ] do
        assert {:error, %StoreError{reason: ^reason} = error} =
                 Store.query(store, sql, parameters)

        assert Exception.message(error) =~ words
      end
    end
  end

  describe "errors" do
    test "have SQLite's names, and where in the SQL", %{store: store} do
      :ok = Store.batch(store, "CREATE TABLE u (a UNIQUE, b NOT NULL)")
      {:ok, _} = Store.execute(store, "INSERT INTO u VALUES (1, 1)")

      assert {:error, %StoreError{reason: :constraint_unique, code: 2067} = error} =
               Store.execute(store, "INSERT INTO u VALUES (1, 2)")

      assert Exception.message(error) =~ "u.a"

      assert {:error, %StoreError{reason: :constraint_notnull}} =
               Store.execute(store, "INSERT INTO u VALUES (2, NULL)")

      assert {:error, %StoreError{reason: :error, code: 1, offset: 7} = error} =
               Store.query(store, "SELECT nothing")

      assert Exception.message(error) =~ "nothing"
      assert {:error, %StoreError{reason: :error}} = Store.query(store, "SELEKT 1")

      assert_raise StoreError, ~r/no such table: absent/, fn ->
        Store.query!(store, "SELECT * FROM absent")
      end

      assert_raise StoreError, ~r/no such table: absent/, fn ->
        Store.execute!(store, "DELETE FROM absent")
      end
    end

    test "SQL that is none, or too much", %{store: store} do
      for {sql, reason} <- [
            {"", :empty_sql},
            {"-- nothing", :empty_sql},
            {"SELECT 1; SELECT 2", :multiple_statements},
            {"SELECT 1\0", :nul_in_sql},
            {<<"SELECT ", 255>>, :not_utf8}
          ] do
        assert {:error, %StoreError{reason: ^reason}} = Store.query(store, sql)
        assert {:error, %StoreError{reason: ^reason}} = Store.execute(store, sql)
      end

      assert {:error, %StoreError{reason: :not_utf8}} = Store.batch(store, <<255>>)
      assert {:error, %StoreError{reason: :not_utf8}} = Store.execute_many(store, <<255>>, [])
    end
  end

  describe "transactions" do
    test "commit what they did and give the function's value", %{store: store} do
      assert Store.transaction(store, fn tx ->
               {insert(tx, 1), insert(tx, 2)} |> elem(0) |> elem(0)
             end) == {:ok, :ok}

      assert values(store) == [1, 2]
    end

    test "a raise, a throw and an exit undo it and go on", %{store: store} do
      assert_raise RuntimeError, "no", fn ->
        Store.transaction(store, fn tx -> insert(tx, 1) && raise "no" end)
      end

      assert catch_throw(Store.transaction(store, fn tx -> insert(tx, 1) && throw(:out) end)) ==
               :out

      assert catch_exit(Store.transaction(store, fn tx -> insert(tx, 1) && exit(:out) end)) ==
               :out

      assert values(store) == []
      assert {:ok, _} = insert(store, 2)
    end

    test "rollback undoes it and is its result", %{store: store} do
      assert Store.transaction(store, fn tx ->
               insert(tx, 1) && Store.rollback(tx, :never_mind)
             end) == {:error, :never_mind}

      assert values(store) == []
    end

    test "one within another is undone alone, or with it", %{store: store} do
      assert {:ok, {:error, :inner}} =
               Store.transaction(store, fn tx ->
                 insert(tx, 1)

                 inner =
                   Store.transaction(tx, fn tx -> insert(tx, 2) && Store.rollback(tx, :inner) end)

                 {:ok, :kept} = Store.transaction(tx, fn tx -> insert(tx, 3) && :kept end)
                 inner
               end)

      assert values(store) == [1, 3]

      assert {:error, :outer} =
               Store.transaction(store, fn tx ->
                 {:ok, _} = Store.transaction(tx, fn tx -> insert(tx, 4) end)
                 Store.rollback(tx, :outer)
               end)

      assert values(store) == [1, 3]
    end

    test "an error of a statement within does not end it", %{store: store} do
      assert {:ok, :error} =
               Store.transaction(store, fn tx ->
                 insert(tx, 1)
                 elem(Store.query(tx, "SELEKT"), 0)
               end)

      assert values(store) == [1]
    end

    test "another process waits for its end", %{store: store} do
      test = self()

      {:ok, other} =
        Store.transaction(store, fn tx ->
          insert(tx, 1)

          other =
            Task.async(fn ->
              send(test, :asking)
              values(store)
            end)

          assert_receive :asking, 5_000
          insert(tx, 2)
          other
        end)

      assert Task.await(other) == [1, 2]
    end

    test "another process waits no longer than its time limit", %{store: store} do
      Store.transaction(store, fn _tx ->
        task = Task.async(fn -> Store.query(store, "SELECT 1", [], timeout: 30) end)
        assert {:error, %StoreError{reason: :timeout} = error} = Task.await(task)
        assert Exception.message(error) =~ "not begun by its deadline"
      end)

      assert values(store) == []
    end

    test "the death of its process undoes it", %{store: store} do
      test = self()

      {pid, monitor} =
        spawn_monitor(fn ->
          Store.transaction(store, fn tx ->
            insert(tx, 1)
            send(test, {:inside, values(tx)})
            receive do: (:never -> :ok)
          end)
        end)

      assert_receive {:inside, [1]}, 5_000
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}, 5_000
      assert values(store) == []
      assert {:ok, _} = insert(store, 2)
    end

    test "its handle means nothing afterwards, nor in another store", %{store: store} do
      {:ok, tx} = Store.transaction(store, fn tx -> tx end)
      assert {:error, %StoreError{reason: :no_transaction}} = Store.query(tx, "SELECT 1")
      other = Store.open!(:memory)

      Store.transaction(store, fn tx ->
        assert {:error, %StoreError{reason: :foreign_token}} =
                 Store.query(%{tx | resource: other.resource}, "SELECT 1")
      end)
    end

    test "statements may not end it by themselves", %{store: store} do
      Store.transaction(store, fn tx ->
        for sql <- ["COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT x"] do
          assert {:error, %StoreError{reason: :transaction_control}} = Store.execute(tx, sql)
        end
      end)

      assert {:error, %StoreError{reason: :transaction_control}} = Store.execute(store, "BEGIN")
    end

    test "one that can't be committed is undone, and holds nobody up", %{store: store} do
      :ok =
        Store.batch(store, """
        CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (parent REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
        """)

      assert {:error, %StoreError{reason: :constraint_foreignkey}} =
               Store.transaction(store, fn tx ->
                 Store.execute!(tx, "INSERT INTO child VALUES (9)")
               end)

      assert {:ok, %{rows: [[0]]}} =
               Store.query(store, "SELECT count(*) FROM child", [], timeout: 2_000)
    end
  end

  describe "time limits" do
    test "a statement without end is stopped, and the database goes on", %{store: store} do
      assert {:error, %StoreError{reason: :timeout} = error} =
               Store.query(store, @endless, [], timeout: 50)

      assert Exception.message(error) =~ "stopped at its deadline"
      assert {:ok, %{rows: [[1]]}} = Store.query(store, "SELECT 1")
    end

    test "in a transaction too, which can still be undone", %{store: store} do
      assert {:error, :gave_up} =
               Store.transaction(store, fn tx ->
                 insert(tx, 1)

                 assert {:error, %StoreError{reason: :timeout}} =
                          Store.query(tx, @endless, [], timeout: 50)

                 Store.rollback(tx, :gave_up)
               end)

      assert values(store) == []
    end

    test "closing ends what runs", %{store: store} do
      test = self()

      task =
        Task.async(fn ->
          send(test, :began)
          Store.query(store, @endless, [], timeout: 60_000)
        end)

      assert_receive :began, 5_000
      :ok = Store.close(store)
      assert {:error, %StoreError{reason: reason}} = Task.await(task)
      assert reason in [:interrupted, :closed]
    end
  end

  describe "many at once" do
    test "execute_many is all or nothing", %{store: store} do
      assert {:ok, %{changes: 3, last_insert_rowid: 3}} =
               Store.execute_many(store, "INSERT INTO t VALUES (?, ?)", [
                 [1, "a"],
                 [2, "b"],
                 [3, "c"]
               ])

      assert {:error, %StoreError{reason: :constraint_primarykey} = error} =
               Store.execute_many(store, "INSERT INTO t VALUES (?, ?)", [[4, "d"], [1, "again"]])

      assert Exception.message(error) =~ "row 1: "
      assert values(store) == ["a", "b", "c"]

      assert {:error, %StoreError{reason: :parameters} = error} =
               Store.execute_many(store, "INSERT INTO t VALUES (?, ?)", [[5, "e"], [6, self()]])

      assert Exception.message(error) =~ "row 1: parameter 2"
      assert {:ok, %{changes: 0}} = Store.execute_many(store, "INSERT INTO t VALUES (?, ?)", [])

      assert {:ok, %{changes: 1}} =
               Store.execute_many(store, "DELETE FROM t WHERE id = :id", [[id: 1], [id: 99]])
    end

    test "a batch stops at its first error and tells which statement", %{store: store} do
      assert {:error, %StoreError{reason: :error} = error} =
               Store.batch(
                 store,
                 "INSERT INTO t (value) VALUES (1); INSERT INTO absent VALUES (1); DELETE FROM t"
               )

      assert Exception.message(error) =~ "statement 1: "
      assert values(store) == [1]
    end

    test "a batch that leaves a transaction open is undone", %{store: store} do
      assert {:error, %StoreError{reason: :transaction_left_open}} =
               Store.batch(store, "BEGIN; INSERT INTO t (value) VALUES (1)")

      assert values(store) == []
      assert :ok = Store.batch(store, "BEGIN; INSERT INTO t (value) VALUES (1); COMMIT")
      assert values(store) == [1]
    end

    test "processes", %{store: store} do
      1..20
      |> Enum.map(fn number ->
        Task.async(fn -> for _ <- 1..20, do: {:ok, _} = insert(store, number) end)
      end)
      |> Task.await_many(30_000)

      assert Store.query!(store, "SELECT count(*), sum(value) FROM t").rows == [[400, 4200]]
    end
  end

  test "results are bounded, and never a part of themselves", %{store: store} do
    Store.execute_many(
      store,
      "INSERT INTO t (value) VALUES (?)",
      for(number <- 1..10, do: ["text #{number}"])
    )

    assert {:error, %StoreError{reason: :row_limit} = error} =
             Store.query(store, "SELECT * FROM t", [], max_rows: 9)

    assert Exception.message(error) =~ "more than 9 rows"
    assert {:ok, %{rows: rows}} = Store.query(store, "SELECT * FROM t", [], max_rows: 10)
    assert length(rows) == 10

    assert {:error, %StoreError{reason: :byte_limit}} =
             Store.query(store, "SELECT * FROM t", [], max_bytes: 100)

    assert {:error, %StoreError{reason: :byte_limit}} =
             Store.query(store, "SELECT zeroblob(1000000)", [], max_bytes: 999_999)
  end

  describe "files" do
    @describetag :tmp_dir

    test "keep what was committed", %{tmp_dir: dir} do
      path = Path.join(dir, "a.db")
      store = Store.open!(path)
      :ok = Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, value)")
      {:ok, _} = insert(store, "kept")
      :ok = Store.close(store)
      assert values(Store.open!(path)) == ["kept"]
    end

    test "read-only refuses to write", %{tmp_dir: dir} do
      path = Path.join(dir, "a.db")
      :ok = path |> Store.open!() |> Store.batch("CREATE TABLE t (id INTEGER PRIMARY KEY, value)")
      store = Store.open!(path, read_only: true)
      assert values(store) == []
      assert {:error, %StoreError{reason: :readonly}} = insert(store, 1)
    end

    test "that can't be opened are named", %{tmp_dir: dir} do
      rubbish = Path.join(dir, "rubbish.db")
      File.write!(rubbish, :binary.copy("no database", 1000))

      for {path, options, reason} <- [
            {Path.join(dir, "no/such/folder/a.db"), [], :cantopen},
            {dir, [], nil},
            {Path.join(dir, "absent.db"), [create: false], :cantopen},
            {Path.join(dir, "absent.db"), [read_only: true], :cantopen},
            {rubbish, [], :notadb}
          ] do
        assert {:error, %StoreError{} = error} = Store.open(path, options)
        if reason, do: assert(error.reason == reason)
        assert Exception.message(error) =~ "cannot open database #{path}: "
        assert_raise StoreError, fn -> Store.open!(path, options) end
      end

      refute File.exists?(Path.join(dir, "absent.db"))
      assert File.read!(rubbish) =~ "no database"

      assert {:error, %StoreError{reason: :invalid_option}} =
               Store.open(Path.join(dir, "nul\0.db"))
    end

    test "may be held to a size", %{tmp_dir: dir} do
      store = Store.open!(Path.join(dir, "small.db"), max_bytes: 65_536)
      :ok = Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, value)")

      assert {:error, %StoreError{reason: :full}} =
               insert(store, {:blob, :binary.copy(<<1>>, 100_000)})

      assert {:ok, _} = insert(store, "small")
    end

    test "are shared by several stores", %{tmp_dir: dir} do
      path = Path.join(dir, "a.db")
      [one, other] = [Store.open!(path), Store.open!(path)]
      :ok = Store.batch(one, "CREATE TABLE t (id INTEGER PRIMARY KEY, value)")

      Store.transaction(one, fn tx ->
        insert(tx, 1)
        assert values(other) == []
      end)

      assert values(other) == [1]
    end
  end

  test "a store that is closed says so, and may be closed again", %{store: store} do
    assert Store.close(store) == :ok
    assert Store.close(store) == :ok
    assert {:error, %StoreError{reason: :closed}} = Store.query(store, "SELECT 1")
    assert {:error, %StoreError{reason: :closed}} = Store.transaction(store, fn _ -> :never end)
    assert {:error, %StoreError{reason: :closed}} = Store.batch(store, "SELECT 1")
  end

  test "databases in memory are each their own", %{store: store} do
    {:ok, _} = insert(store, 1)

    assert {:error, %StoreError{reason: :error}} =
             Store.query(Store.open!(:memory), "SELECT * FROM t")
  end

  test "options that are wrong are named", %{store: store} do
    assert_raise ArgumentError,
                 ~r/option :synchronous of Wasgo.Store.open\/2 must be one of :off, :normal, :full/,
                 fn ->
                   Store.open(:memory, synchronous: :sometimes)
                 end

    assert_raise ArgumentError, ~r/Wasgo.Store.query\/4 has no option :limit/, fn ->
      Store.query(store, "SELECT 1", [], limit: 1)
    end

    assert_raise ArgumentError, ~r/option :timeout/, fn ->
      Store.execute(store, "SELECT 1", [], timeout: 0)
    end
  end

  test "inspect tells where it is, and whether it is in a transaction", %{store: store} do
    assert inspect(store) == "#Wasgo.Store<memory>"
    assert {:ok, "#Wasgo.Store<memory, in a transaction>"} = Store.transaction(store, &inspect/1)
  end

  test "rows of many columns are maps too" do
    store = Store.open!(:memory)
    columns = Enum.map_join(1..1_500, ", ", &"#{&1} AS c#{&1}")
    assert [row] = Store.query!(store, "SELECT #{columns}", [], maps: true).rows
    assert row == Map.new(1..1_500, &{"c#{&1}", &1})
  end
end
