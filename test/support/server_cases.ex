defmodule Wasgo.ServerCases do
  @moduledoc false
  # What holds of every database on a server, whichever it is. A test module that uses this has a `setup` that gives `url`, the server's
  # address, and `options` for `Wasgo.Store.open/2`. Tables have names of their own: the database may be one that others use.

  defmacro __using__(_options) do
    quote do
      alias Wasgo.{Killed, Store, StoreError}

      defp connect(%{url: url, options: options}), do: Store.open!(url, options)

      defp table(store, columns, options \\ []) do
        name = "t#{System.unique_integer([:positive])}_#{System.os_time()}"
        :ok = Store.batch(store, "CREATE TABLE #{name} (#{columns})")
        %{location: url} = store

        # A server of the test's own is gone by then.
        on_exit(fn ->
          with {:ok, store} <- Store.open(url, options),
               do: Store.execute(store, "DROP TABLE IF EXISTS #{name}")
        end)

        name
      end

      test "values come back as they were sent", context do
        store = connect(context)
        t = table(store, "id INTEGER PRIMARY KEY, value", context.options)

        values = [
          nil,
          0,
          -9_223_372_036_854_775_808,
          9_223_372_036_854_775_807,
          0.1,
          1.7976931348623157e308,
          5.0e-324,
          "",
          "dröm \"\\\n\t\u0001 😀",
          {:blob, ""},
          {:blob, <<0, 255, 1, 2, 3>>}
        ]

        {:ok, %{changes: 11}} =
          Store.execute_many(
            store,
            "INSERT INTO #{t} (value) VALUES (?)",
            Enum.map(values, &[&1])
          )

        assert Store.query!(store, "SELECT value FROM #{t} ORDER BY id").rows ==
                 Enum.map(values, &[&1])

        assert Store.query!(store, "SELECT ?, ?", [true, :nan]).rows == [[1, nil]]

        assert {:error, %StoreError{reason: :not_remote}} =
                 Store.query(store, "SELECT ?", [:infinity])
      end

      test "parameters go by place and by name, and the wrong ones are refused", context do
        store = connect(context)
        assert Store.query!(store, "SELECT ? + ?", [1, 2]).rows == [[3]]
        assert Store.query!(store, "SELECT :a + $b", a: 1, b: 2).rows == [[3]]
        assert Store.query!(store, "SELECT :a", [{":a", 1}]).rows == [[1]]

        for wrong <- [[], [1, 2], [b: 1]] do
          assert {:error, %StoreError{reason: :args_invalid}} =
                   Store.query(store, "SELECT :a", wrong)
        end

        assert {:error, %StoreError{reason: :duplicate_param}} =
                 Store.query(store, "SELECT :a", a: 1, a: 2)
      end

      test "rows are lists in the columns' order, or maps", context do
        store = connect(context)

        assert Store.query!(store, "SELECT 1 AS one, 'b' AS two") == %{
                 columns: ["one", "two"],
                 rows: [[1, "b"]]
               }

        assert Store.query!(store, "SELECT 1 AS one, 'b' AS two", [], maps: true).rows == [
                 %{"one" => 1, "two" => "b"}
               ]

        assert {:error, %StoreError{reason: :duplicate_column}} =
                 Store.query(store, "SELECT 1 AS a, 2 AS a", [], maps: true)

        assert Store.query!(store, "SELECT 1 WHERE 0").rows == []
      end

      test "a write tells what it did", context do
        store = connect(context)
        t = table(store, "id INTEGER PRIMARY KEY, value", context.options)

        assert {:ok, %{changes: 2, last_insert_rowid: 8}} =
                 Store.execute(store, "INSERT INTO #{t} VALUES (7, 'a'), (8, 'b')")

        assert {:ok, %{changes: 2}} = Store.execute(store, "UPDATE #{t} SET value = 'c'")
        assert {:ok, %{changes: 0}} = Store.execute(store, "DELETE FROM #{t} WHERE id = 1")

        assert Store.query!(store, "INSERT INTO #{t} VALUES (9, 'd') RETURNING id, value").rows ==
                 [[9, "d"]]
      end

      test "errors of SQL have their reasons", context do
        store = connect(context)
        t = table(store, "a UNIQUE", context.options)
        {:ok, _} = Store.execute(store, "INSERT INTO #{t} VALUES (1)")

        assert {:error, %StoreError{reason: reason, message: message}} =
                 Store.execute(store, "INSERT INTO #{t} VALUES (1)")

        assert reason in [:constraint, :constraint_unique]
        assert message =~ "UNIQUE constraint failed: #{t}.a"

        assert {:error, %StoreError{reason: :error, message: message}} =
                 Store.query(store, "SELECT * FROM no_such_table")

        assert message =~ "no_such_table"
        assert {:error, %StoreError{reason: :error}} = Store.execute(store, "SELEC 1")
        assert {:error, %StoreError{reason: :empty_sql}} = Store.execute(store, "-- nothing")
        assert {:error, %StoreError{reason: :nul_in_sql}} = Store.execute(store, "SELECT 1\0")

        assert {:error, %StoreError{reason: :multiple_statements}} =
                 Store.execute(store, "SELECT 1; SELECT 2")

        assert Store.query!(store, "SELECT a FROM #{t}").rows == [[1]]
      end

      test "a result beyond its limits is an error, and the next query is answered", context do
        store = connect(context)

        many =
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000) SELECT i FROM n"

        assert {:error, %StoreError{reason: :row_limit}} =
                 Store.query(store, many, [], max_rows: 100)

        assert {:error, %StoreError{reason: :byte_limit}} =
                 Store.query(store, many, [], max_bytes: 1000)

        assert {:error, %StoreError{reason: :byte_limit}} =
                 Store.query(store, "SELECT hex(zeroblob(300000))", [], max_bytes: 1000)

        assert length(Store.query!(store, many).rows) == 10_000
      end

      test "a stream reads a long result in pieces, beside others", context do
        store = connect(context)

        sql =
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i, hex(zeroblob(10)) AS h FROM n"

        assert store |> Store.stream(sql) |> Enum.count() == 20_000

        assert store |> Store.stream(sql, [], max_rows: 7) |> Enum.take(10) |> Enum.map(&hd/1) ==
                 Enum.to_list(1..10)

        [one, two] = for _ <- 1..2, do: Store.stream(store, sql, [], maps: true)
        pairs = one |> Stream.zip(two) |> Enum.take(2500)
        assert Enum.all?(pairs, fn {a, b} -> a == b end)
        assert Store.query!(store, "SELECT 1").rows == [[1]]

        assert_raise StoreError, fn ->
          store |> Store.stream("SELECT * FROM no_such") |> Enum.to_list()
        end
      end

      test "a transaction is wholly done, or undone", context do
        store = connect(context)
        t = table(store, "a", context.options)
        count = fn store -> Store.query!(store, "SELECT count(*) FROM #{t}").rows end
        insert = fn store -> {:ok, _} = Store.execute(store, "INSERT INTO #{t} VALUES (1)") end

        assert {:ok, [[1]]} =
                 Store.transaction(store, fn tx ->
                   insert.(tx)
                   count.(tx)
                 end)

        assert {:error, :no} =
                 Store.transaction(store, fn tx ->
                   insert.(tx)
                   Store.rollback(tx, :no)
                 end)

        assert_raise RuntimeError, fn ->
          Store.transaction(store, fn tx ->
            insert.(tx)
            raise "no"
          end)
        end

        assert count.(store) == [[1]]
      end

      test "a transaction in a transaction is undone by itself", context do
        store = connect(context)
        t = table(store, "a", context.options)

        assert {:ok, {:error, :inner}} =
                 Store.transaction(store, fn tx ->
                   {:ok, _} = Store.execute(tx, "INSERT INTO #{t} VALUES ('outer')")

                   {:ok, :kept} =
                     Store.transaction(tx, fn deep ->
                       {:ok, _} = Store.execute(deep, "INSERT INTO #{t} VALUES ('kept')")
                       :kept
                     end)

                   Store.transaction(tx, fn deep ->
                     {:ok, _} = Store.execute(deep, "INSERT INTO #{t} VALUES ('inner')")
                     Store.rollback(deep, :inner)
                   end)
                 end)

        assert Store.query!(store, "SELECT a FROM #{t} ORDER BY a").rows == [["kept"], ["outer"]]
      end

      test "a statement that fails leaves its transaction open; a limit too", context do
        store = connect(context)
        t = table(store, "a UNIQUE", context.options)

        assert {:ok, :done} =
                 Store.transaction(store, fn tx ->
                   {:ok, _} = Store.execute(tx, "INSERT INTO #{t} VALUES (1)")
                   {:error, _} = Store.execute(tx, "INSERT INTO #{t} VALUES (1)")
                   {:error, _} = Store.query(tx, "SELECT nope FROM #{t}")

                   {:error, %StoreError{reason: :row_limit}} =
                     Store.query(tx, "SELECT 1 UNION ALL SELECT 2", [], max_rows: 1)

                   {:error, %StoreError{reason: :transaction_control}} =
                     Store.execute(tx, "COMMIT")

                   {:error, %StoreError{reason: :transaction_control}} =
                     Store.batch(tx, "SELECT 1; ROLLBACK")

                   {:ok, _} = Store.execute(tx, "INSERT INTO #{t} VALUES (2)")
                   assert tx |> Store.stream("SELECT a FROM #{t}") |> Enum.to_list() == [[1], [2]]
                   :done
                 end)

        assert Store.query!(store, "SELECT count(*) FROM #{t}").rows == [[2]]
      end

      test "a transaction of a process that dies is undone, and those that wait go on", context do
        store = connect(context)
        t = table(store, "a", context.options)
        test = self()

        holder =
          spawn(fn ->
            Store.transaction(store, fn tx ->
              {:ok, _} = Store.execute(tx, "INSERT INTO #{t} VALUES ('lost')")
              send(test, :inserted)
              Process.sleep(:infinity)
            end)
          end)

        assert_receive :inserted, 30_000
        Process.exit(holder, :kill)

        assert {:ok, _} =
                 Store.execute(store, "INSERT INTO #{t} VALUES ('kept')", [], timeout: 60_000)

        assert Store.query!(store, "SELECT a FROM #{t}").rows == [["kept"]]
      end

      test "queries outside do not wait for an open transaction", context do
        store = connect(context)
        t = table(store, "a", context.options)

        {:ok, seen} =
          Store.transaction(store, fn tx ->
            {:ok, _} = Store.execute(tx, "INSERT INTO #{t} VALUES (1)")
            Store.query!(store, "SELECT count(*) FROM #{t}").rows
          end)

        assert seen == [[0]]
      end

      test "many rows are written all or none", context do
        store = connect(context)
        t = table(store, "a UNIQUE", context.options)
        insert = "INSERT INTO #{t} VALUES (?)"
        rows = for i <- 1..1000, do: [i]
        assert {:ok, %{changes: 1000}} = Store.execute_many(store, insert, rows)
        more = for i <- 2001..2600, do: [i]

        assert {:error, %StoreError{message: message}} =
                 Store.execute_many(store, insert, more ++ [[1]])

        assert message =~ ~r/\Arow 600: /

        {:ok, :done} =
          Store.transaction(store, fn tx ->
            {:ok, %{changes: 2}} = Store.execute_many(tx, insert, [[3001], [3002]])
            {:error, _} = Store.execute_many(tx, insert, [[3003], [1]])
            :done
          end)

        assert Store.query!(store, "SELECT count(*), max(a) FROM #{t}").rows == [[1002, 3002]]
        assert {:ok, %{changes: 0}} = Store.execute_many(store, insert, [])
      end

      test "a batch runs its statements, stops at the first that fails, and leaves nothing open",
           context do
        store = connect(context)
        t = table(store, "a", context.options)
        :ok = Store.batch(store, "INSERT INTO #{t} VALUES (1); INSERT INTO #{t} VALUES (2);")
        :ok = Store.batch(store, "BEGIN; INSERT INTO #{t} VALUES (3); COMMIT")

        assert {:error, %StoreError{}} =
                 Store.batch(
                   store,
                   "INSERT INTO #{t} VALUES (4); SELECT nope; INSERT INTO #{t} VALUES (5)"
                 )

        assert {:error, %StoreError{}} = Store.batch(store, "BEGIN; INSERT INTO #{t} VALUES (6)")

        assert Store.query!(store, "SELECT group_concat(a) FROM #{t}").rows == [["1,2,3,4"]]
      end

      test "what a server's database can't do is an error that names it", context do
        store = connect(context)
        wat = "(module)"

        for {what, words} <- [
              {Store.create_function(store, "f", wat), "function"},
              {Store.drop_function(store, "f"), "function"},
              {Store.backup(store, Path.join(System.tmp_dir!(), "none.db")), "backup"},
              {Store.subscribe(store), "subscription"},
              {store |> Store.restrict(read: ["t"]) |> Store.query("SELECT 1"), "restricted"},
              {store |> Store.restrict(write: ["t"]) |> Store.execute("SELECT 1"), "restricted"},
              {Wasgo.Script.notify(store, "o", :process, [1]), "scripts"}
            ] do
          assert {:error, %StoreError{reason: :not_remote, message: message}} = what
          assert message =~ words
        end

        assert {:error, %StoreError{reason: :no_replica}} = Store.sync(store)
      end
    end
  end
end
