defmodule Wasgo.HostileQueriesTest do
  @moduledoc """
  Functions and scripts in a database that mean harm, and SQL that does: each gets its answer, and the same store answers the next.
  """

  # Who holds a scheduler is told to one process of the whole VM.
  use ExUnit.Case, async: false

  import Wasgo.Notified

  alias Wasgo.{HostileGuests, LongSchedules, Script, Store, StoreError}
  alias Wasgo.Script.Registry

  @moduletag timeout: 300_000

  @healthy ~S|(module (func (export "healthy") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1))))|

  @malloc ~S|(memory (export "memory") 2) (func (export "libsql_malloc") (param i32) (result i32) (i32.const 1024))|
  @spin "(loop (br 0)) unreachable"

  setup do
    store = file_store!(readers: 2)
    :ok = Store.create_function(store, "healthy", @healthy)

    # Its functions' instances go with it, at once.
    on_exit(fn -> Store.close(store) end)
    {:ok, store: store}
  end

  defp create(store, name, functions),
    do: Store.create_function(store, name, "(module #{functions})")

  defp healthy!(store), do: assert(value!(store, "SELECT healthy(41)") == 42)

  defp fails!(store, sql, reason, cause \\ nil) do
    assert {^sql, {:error, %StoreError{reason: ^reason, cause: ^cause} = error}} =
             {sql, Store.query(store, sql, [], timeout: 100)}

    healthy!(store)
    Exception.message(error)
  end

  defp aggregate(name, step, final) do
    """
    #{@malloc} (func (export "#{name}_init") (result i32) (i32.const 8))
    (func (export "#{name}_step") (param i32 i64) #{step}) (func (export "#{name}_final") (param i32) (result i64) #{final})
    """
  end

  # A table of the column "n", whose rows are `next`.
  defp table(name, next) do
    """
    #{@malloc} (data (i32.const 16) "#{text(HostileGuests.raw(1, 25, [{3, 1, 24}], "n"))}")
    (data (i32.const 64) "#{text(HostileGuests.raw(1, 24, [{1, 0, 7}]))}")
    (func (export "#{name}_columns") (result i64) (i64.const 0x10_00000019))
    (func (export "#{name}_open") (result i32) (i32.const 1)) (func (export "#{name}_next") (param i32) (result i64) #{next})
    """
  end

  test "endless loops are stopped wherever they are, and small queries of others go on", %{
    store: store
  } do
    LongSchedules.watch(50)
    :ok = create(store, "spin", ~s|(func (export "spin") (result i64) #{@spin})|)
    :ok = create(store, "steps", aggregate("steps", @spin, "(i64.const 1)"))
    :ok = create(store, "ends", aggregate("ends", "", @spin))
    :ok = create(store, "rows", table("rows", @spin))
    :ok = create(store, "many", table("many", "(i64.const 0x40_00000018)"))
    start = ~s|(module (func $s #{@spin}) (start $s) (func (export "start")))|

    assert {:error, %StoreError{reason: :timeout}} =
             Store.create_function(store, "start", start, timeout: 100)

    put!(store, "echo", echo(), "pet", ["rex"])

    works =
      for sql <- [
            "SELECT spin()",
            "SELECT steps(1)",
            "SELECT ends(1)",
            "SELECT * FROM rows()",
            "SELECT count(*) FROM many()"
          ] do
        fn -> fails!(store, sql, :timeout) end
      end ++
        [
          fn ->
            {:error, %StoreError{reason: :timeout}} =
              Script.notify(store, "rex", 777, [], timeout: 100)
          end
        ]

    # What holds a scheduler does so every time; what a busy machine does comes and goes.
    assert Enum.any?(1..10, fn _ ->
             tasks = Enum.map(works, &Task.async/1)
             for _ <- 1..200, do: healthy!(store)
             Task.await_many(tasks, 60_000)
             pids = Enum.map(tasks, & &1.pid)
             Enum.filter(LongSchedules.reports(), fn {pid, _info} -> pid in pids end) == []
           end)

    assert Store.query!(store, "SELECT n FROM many() LIMIT 3").rows == [[7], [7], [7]]

    assert {:error, %StoreError{reason: :row_limit}} =
             Store.query(store, "SELECT n FROM many()", [], timeout: 60_000)

    healthy!(store)
  end

  test "recursions and memory bombs end where their limits are", %{store: store} do
    :ok =
      create(
        store,
        "deep",
        ~s|(func $f (export "deep") (result i64) (i64.add (call $f) (i64.const 1)))|
      )

    bomb = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable"
    :ok = create(store, "bomb", ~s|(memory 1) (func (export "bomb") (result i64) #{bomb})|)
    :ok = create(store, "bombs", aggregate("bombs", bomb, "(i64.const 1)"))
    fails!(store, "SELECT deep()", :function, :stack)
    fails!(store, "SELECT bomb()", :function, :memory)
    fails!(store, "SELECT bombs(1)", :function, :memory)
    start = ~s|(memory 1) (func $s #{bomb}) (start $s) (func (export "start"))|

    assert {:error, %StoreError{reason: :function, cause: :memory}} =
             create(store, "start", start)

    assert {:error, %StoreError{reason: :function, cause: :memory}} =
             create(store, "large", ~s|(memory 60000) (func (export "large"))|)

    healthy!(store)
  end

  test "results that lie are told, and nothing is read from where they are said to be", %{
    store: store
  } do
    for {pointer, number} <- Enum.with_index([-1, 0x7FFF_FFFF, 131_072, 131_071, 200]) do
      name = "lie#{number}"
      data = ~S|(data (i32.const 200) "\09") (data (i32.const 131071) "\04")|

      :ok =
        create(
          store,
          name,
          ~s|#{@malloc} #{data} (func (export "#{name}") (result i32) (i32.const #{pointer}))|
        )

      fails!(store, "SELECT #{name}()", :function, :contract)
    end

    for {next, number} <-
          Enum.with_index([
            "(i64.const -1)",
            "(i64.const 0x40_00000017)",
            "(i64.const 0x1fff8_00000018)",
            "(i64.const 0x10_00000019)"
          ]) do
      name = "row#{number}"
      :ok = create(store, name, table(name, next))
      result = Store.query(store, "SELECT * FROM #{name}() LIMIT 1")

      assert match?({:error, %StoreError{reason: :function}}, result) or
               result == {:ok, %{columns: ["n"], rows: [["n"]]}}

      healthy!(store)
    end

    nowhere =
      ~S|(memory (export "memory") 1) (func (export "libsql_malloc") (param i32) (result i32) (i32.const -8)) (func (export "f") (param i32))|

    :ok = create(store, "f", nowhere)
    fails!(store, "SELECT f('x')", :function, :contract)
  end

  test "ten thousand functions are rows; of more than a connection keeps the next is told so", %{
    store: store
  } do
    exports = for number <- 1..1_100, into: "", do: ~s|(export "f#{number}" (func $f)) |
    body = "(module (func $f (result i64) i64.const 1) #{exports})"

    Store.execute!(
      store,
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) " <>
        "INSERT INTO libsql_wasm_func_table (name, body) SELECT 'f' || i, ? FROM n",
      [body],
      timeout: 60_000
    )

    # In a transaction, so that it is one connection.
    assert {:error, message} =
             Store.transaction(store, fn tx ->
               for number <- 1..300 do
                 case Store.query(tx, "SELECT f#{number}()", [], timeout: 60_000) do
                   {:ok, %{rows: [[1]]}} ->
                     :ok

                   {:error, %StoreError{reason: :function, cause: _functions} = error} ->
                     Store.rollback(tx, Exception.message(error))
                 end
               end
             end)

    assert message =~ "one connection uses 256 functions at most"
    healthy!(store)
  end

  test "names are what they are, or are refused", %{store: store} do
    body = fn name -> ~s|(module (func (export "#{text(name)}") (result i64) i64.const 1))| end

    for name <- ["it's", ~s|a"b|, "a b", "ünï", "ÄÖ", "猫", ";--", String.duplicate("n", 128)] do
      assert {name, Store.create_function(store, name, body.(name))} == {name, :ok}
      assert value!(store, ~s|SELECT "#{String.replace(name, "\"", "\"\"")}"()|) == 1
      :ok = Store.drop_function(store, name)
    end

    for {name, reason} <- [
          {"", :error},
          {"a\0b", :nul_in_sql},
          {String.duplicate("n", 129), :function}
        ] do
      assert {:error, %StoreError{reason: ^reason}} =
               Store.create_function(store, name, body.("x"))
    end

    healthy!(store)
  end

  test "bodies beyond the size of a module are refused before they are compiled", %{store: store} do
    body = <<0, "asm", 1, 0, 0, 0>> <> :binary.copy(<<0>>, 257 * 1_048_576)
    assert {:error, %StoreError{}} = Store.create_function(store, "large", body, timeout: 60_000)

    assert {:error, %StoreError{reason: :function}} =
             Store.create_function(store, "many", HostileGuests.functions(2_000_000))

    healthy!(store)
  end

  test "rows of functions that somebody else wrote are errors of who calls them" do
    path = path!()
    other = Store.open!(path)

    :ok =
      Store.batch(other, """
      CREATE TABLE libsql_wasm_func_table (name, body, deterministic);
      INSERT INTO libsql_wasm_func_table VALUES ('number', 7, 'x'), ('none_such', NULL, NULL), ('blob', zeroblob(10000000), 1),
        ('text', 'rubbish', 0), ('abs', '#{@healthy}', 0), ('notify', '#{@healthy}', 0), (NULL, NULL, NULL), (x'00ff', x'00', 1);
      CREATE TRIGGER t AFTER INSERT ON libsql_wasm_func_table BEGIN DELETE FROM libsql_wasm_func_table WHERE name = 'text'; END;
      """)

    :ok = Store.close(other)
    store = Store.open!(path)

    for name <- ["number", "none_such", "blob", "text"],
        do:
          assert(
            {:error, %StoreError{reason: :function}} = Store.query(store, "SELECT #{name}()")
          )

    assert value!(store, "SELECT abs(-1)") == 1
    :ok = Store.create_function(store, "healthy", @healthy)
    healthy!(store)

    # A view in the table's place, that calls what it holds, and one that never ends.
    :ok = Store.batch(store, "ALTER TABLE libsql_wasm_func_table RENAME TO kept")

    for view <- [
          "SELECT name, body, healthy(1) AS deterministic FROM kept",
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS name, i AS body FROM n"
        ] do
      :ok = Store.batch(store, "CREATE VIEW libsql_wasm_func_table AS #{view}")
      assert {:error, %StoreError{}} = Store.query(store, "SELECT unheard_of()", [], timeout: 200)
      :ok = Store.batch(store, "DROP VIEW libsql_wasm_func_table")
    end

    :ok = Store.batch(store, "ALTER TABLE kept RENAME TO libsql_wasm_func_table")
    healthy!(store)
  end

  test "scripts and objects that somebody else wrote are errors of who notifies them", %{
    store: store
  } do
    put!(store, "echo", echo("x"), "pet", ["rex"])

    for {column, value, cause} <- [
          {"columns", "{}", :contract},
          {"columns", "rubbish", :contract},
          {"columns", ~s|["a", 7]|, :contract},
          {"limits", "[", :contract},
          {"limits", ~s|{"memory": -1, "fuel": "x", "unknown": {}}|, nil},
          {"grants", "17", :contract},
          {"grants", ~s|{"sql": {}}|, :contract},
          {"source", "rubbish", :compile},
          {"source", "", :compile}
        ] do
      {:ok, _} =
        Store.transaction(store, fn tx ->
          Store.execute!(tx, "UPDATE wasgo_script_versions SET #{column} = ?, hash = ?", [
            value,
            value
          ])

          case {cause, Script.notify(tx, "rex", :process, [1])} do
            {nil, answer} ->
              assert {:ok, %{"x" => 1}} = answer

            {cause, answer} ->
              assert {^column, ^value, {:error, %StoreError{reason: :script, cause: ^cause}}} =
                       {column, value, answer}
          end
        end)

      Store.execute!(
        store,
        "UPDATE wasgo_script_versions SET columns = '[\"x\"]', limits = NULL, grants = NULL, source = ?, hash = 'x'",
        [echo("x")]
      )

      assert Script.notify(store, "rex", :process, [1]) == {:ok, %{"x" => 1}}
    end

    # Views in the place of tables: of objects without end, and of one that keeps more than there is memory for.
    :ok = Store.batch(store, "ALTER TABLE wasgo_objects RENAME TO kept")

    :ok =
      Store.batch(store, """
      CREATE VIEW wasgo_objects AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT 'o' || i AS id, 'pet' AS kind, 'echo' AS script FROM n
      """)

    assert {:error, %StoreError{reason: reason}} =
             Script.notify_many(store, "pet", :process, [1], timeout: 1_000)

    assert reason in [:timeout, :byte_limit]

    :ok =
      Store.batch(
        store,
        "DROP VIEW wasgo_objects; ALTER TABLE kept RENAME TO wasgo_objects; ALTER TABLE wasgo_object_state RENAME TO kept"
      )

    :ok =
      Store.batch(
        store,
        "CREATE VIEW wasgo_object_state AS SELECT 'rex' AS object, zeroblob(500000000) AS entries"
      )

    assert {:error, %StoreError{reason: reason}} =
             Script.notify(store, "rex", :process, [1], timeout: 60_000)

    assert reason in [:byte_limit, :toobig]

    :ok =
      Store.batch(
        store,
        "DROP VIEW wasgo_object_state; ALTER TABLE kept RENAME TO wasgo_object_state"
      )

    assert Script.notify(store, "rex", :process, [1]) == {:ok, %{"x" => 1}}
    healthy!(store)
  end

  test "a script's SQL reads what it was granted, and does nothing else", %{store: store} do
    :ok =
      Store.batch(store, """
      CREATE TABLE food (name); INSERT INTO food VALUES ('bone'); CREATE TABLE secrets (word); INSERT INTO secrets VALUES ('sesame');
      CREATE VIEW window_on_secrets AS SELECT word FROM secrets; CREATE VIEW food_view AS SELECT * FROM food
      """)

    for {statement, number} <-
          Enum.with_index([
            "INSERT INTO food VALUES ('x')",
            "DELETE FROM food RETURNING name",
            "DROP TABLE food",
            "ATTACH ':memory:' AS other",
            "PRAGMA journal_mode = DELETE",
            "SELECT * FROM pragma_table_info('secrets')",
            "SELECT sql FROM sqlite_schema",
            "WITH food AS (SELECT word FROM secrets) SELECT * FROM food",
            "SELECT * FROM window_on_secrets",
            "SELECT (SELECT word FROM secrets) FROM food",
            "SELECT name FROM food UNION SELECT word FROM secrets",
            "SELECT * FROM notify('rex', 17)",
            "SELECT notification('rex', 17)",
            "SELECT * FROM notify_kind('pet', 17)",
            "SELECT entries FROM wasgo_object_state",
            "SELECT healthy(1) FROM food",
            "SELECT load_extension('x')",
            "BEGIN",
            "SAVEPOINT s",
            "VACUUM",
            "SELECT 1; DELETE FROM food"
          ]) do
      put!(store, "spy", asking(statement), "pet", ["rex"], grants: [sql: ["food"]])

      case Script.notify(store, "rex", :process, []) do
        {:ok, %{0 => answer}} ->
          assert {number, statement,
                  (is_binary(answer) and not String.contains?(answer, "sesame")) or answer == 1} ==
                   {number, statement, true}

        {:error, %StoreError{}} ->
          :ok
      end

      assert Store.query!(store, "SELECT * FROM food").rows == [["bone"]]
      healthy!(store)
    end

    # Recursion is nothing that it was granted; that is long enough without.
    numbers =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n"

    :ok = Store.batch(store, "DELETE FROM food; INSERT INTO food #{numbers}")
    endless = "SELECT count(*) FROM food AS a, food AS b, food AS c, food AS d, food AS e"
    put!(store, "endless", asking(endless), "pet", ["rex"], grants: [sql: ["food"]])

    # Its statement is interrupted; it may have come to an end by the time that it is looked for.
    case Script.notify(store, "rex", :process, [], timeout: 100) do
      {:error, %StoreError{reason: :timeout}} -> :ok
      {:ok, %{0 => answer}} -> assert answer =~ "interrupted"
    end

    healthy!(store)
  end

  test "SQL that nests deeper than a stack is told so, or runs where there is one", %{
    store: store
  } do
    :ok = Store.batch(store, "CREATE TABLE food (name); INSERT INTO food VALUES ('bone')")
    visitor = Store.restrict(store, read: ["food"])

    selects = fn count ->
      String.duplicate("SELECT max(name) AS name FROM (", count) <>
        "SELECT name FROM food" <> String.duplicate(")", count)
    end

    chain = fn count ->
      more =
        for number <- 2..count,
            into: "",
            do: ", v#{number} AS (SELECT max(name) AS name FROM v#{number - 1})"

      "WITH v1 AS (SELECT name FROM food)#{more} SELECT name FROM v#{count}"
    end

    for sql <- [selects.(150), selects.(900), chain.(900)],
        do: assert(value!(visitor, sql) == "bone")

    assert value!(visitor, "SELECT " <> String.duplicate("- ", 990) <> "1") == 1
    comment = "/* ' */ "

    for sql <- [
          selects.(20_000),
          chain.(20_000),
          comment <> selects.(20_000),
          "SELECT " <> String.duplicate("(SELECT ", 20_000) <> "1"
        ] do
      assert {:error, %StoreError{reason: :error} = error} = Store.query(visitor, sql)
      assert Exception.message(error) =~ "queries in one another"
    end

    put!(store, "deep", asking(selects.(900)), "pet", ["rex"], grants: [sql: ["food"]])
    assert {:ok, %{0 => answer}} = Script.notify(store, "rex", :process, [])
    assert answer =~ "nest too deep"

    views =
      for number <- 2..900,
          into: "",
          do: "CREATE VIEW v#{number} AS SELECT max(name) AS name FROM v#{number - 1};"

    :ok = Store.batch(store, "CREATE VIEW v1 AS SELECT name FROM food;" <> views, timeout: 60_000)
    assert Store.query!(store, "SELECT name FROM v900", [], timeout: 60_000).rows == [["bone"]]

    put!(store, "deep", asking("SELECT name FROM v900"), "pet", ["rex"],
      grants: [sql: ["food" | for(n <- 1..900, do: "v#{n}")]]
    )

    assert {:ok, %{0 => answer}} = Script.notify(store, "rex", :process, [])
    assert answer =~ "nest too deep"
    assert {:ok, _entry} = Registry.get(store, "deep")
    healthy!(store)
  end
end
