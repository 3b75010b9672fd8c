defmodule Wasgo.StoreFunctionsTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Store, StoreError}

  @fibonacci """
  (module (func (export "fibonacci") (param $n i64) (result i64) (local $a i64) (local $b i64) (local $t i64)
    (local.set $b (i64.const 1))
    (block $done (loop $more
      (br_if $done (i64.eqz (local.get $n)))
      (local.set $t (i64.add (local.get $a) (local.get $b)))
      (local.set $a (local.get $b))
      (local.set $b (local.get $t))
      (local.set $n (i64.sub (local.get $n) (i64.const 1)))
      (br $more)))
    (local.get $a)))
  """

  @spin ~S|(module (func (export "spin") (result i64) (loop (br 0)) unreachable))|

  defp value!(store, sql, parameters \\ []) do
    %{rows: [[value]]} = Store.query!(store, sql, parameters)
    value
  end

  defp file do
    path =
      Path.join(System.tmp_dir!(), "wasgo-functions-#{System.unique_integer([:positive])}.db")

    on_exit(fn -> for suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix) end)
    path
  end

  test "libSQL's demonstration is exact, from two stores and after a reopen" do
    path = file()
    first = Store.open!(path)
    second = Store.open!(path)
    Store.execute!(first, "CREATE FUNCTION fibonacci LANGUAGE wasm AS '#{@fibonacci}'")

    for store <- [first, second] do
      assert value!(store, "SELECT fibonacci(46)") == 1_836_311_903
      assert value!(store, "SELECT fibonacci(47)") == 2_971_215_073
    end

    Store.close(first)
    Store.close(second)
    again = Store.open!(path)
    assert value!(again, "SELECT fibonacci(47)") == 2_971_215_073
    assert value!(again, "SELECT count(*) FROM libsql_wasm_func_table") == 1
  end

  test "every reader of a store has it, many at a time" do
    store = Store.open!(file(), readers: 4)
    :ok = Store.create_function(store, "fibonacci", @fibonacci)

    results =
      1..200
      |> Task.async_stream(fn n -> value!(store, "SELECT fibonacci(?)", [rem(n, 50)]) end,
        max_concurrency: 20
      )
      |> Enum.map(fn {:ok, value} -> value end)

    assert Enum.at(results, 46) == 2_971_215_073

    # Replaced while they ask, each answer is of one or the other.
    other = ~S|(module (func (export "fibonacci") (param i64) (result i64) i64.const -1))|

    asking =
      for _ <- 1..4 do
        Task.async(fn -> for _ <- 1..200, do: value!(store, "SELECT fibonacci(10)") end)
      end

    :ok = Store.create_function(store, "fibonacci", other, replace: true)

    assert asking
           |> Task.await_many(60_000)
           |> List.flatten()
           |> Enum.uniq()
           |> Kernel.--([55, -1]) == []

    assert value!(store, "SELECT fibonacci(10)") == -1
  end

  test "modules made with libsql_bindgen run unchanged" do
    store = Store.open!(:memory)
    wasm = File.read!("test/support/guests_src/bindgen_function/bindgen_function.wasm")

    for name <- ["plus", "half", "greet", "reversed", "or_nobody", "fails"],
        do: :ok = Store.create_function(store, name, wasm)

    assert value!(store, "SELECT plus(9223372036854775807, 1)") == -0x8000_0000_0000_0000
    assert value!(store, "SELECT half(5)") == 2.5
    assert value!(store, "SELECT greet('Größe')") == "Hello, Größe!"

    assert value!(store, "SELECT reversed(?)", [{:blob, <<1, 2, 0, 255>>}]) ==
             {:blob, <<255, 0, 2, 1>>}

    assert value!(store, "SELECT or_nobody(NULL)") == "nobody"
    assert value!(store, "SELECT or_nobody('Rex')") == "Rex"

    assert {:error, %StoreError{reason: :function, cause: :unreachable} = error} =
             Store.query(store, "SELECT fails(1)")

    assert Exception.message(error) =~ "function fails: "
    # It never frees anything, which does not matter.
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"

    assert value!(
             store,
             numbers <> " SELECT sum(length(greet('a name that is not short' || i))) FROM n"
           ) > 1_000_000
  end

  test "one that loops, traps or takes too much memory is an error of its statement alone" do
    store = Store.open!(:memory)
    :ok = Store.create_function(store, "spin", @spin)
    :ok = Store.batch(store, "CREATE TABLE t (v)")

    bomb =
      ~S|(module (memory 1) (func (export "bomb") (result i64) (loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable))|

    :ok = Store.create_function(store, "bomb", bomb)

    assert {:error, %StoreError{reason: :timeout}} =
             Store.query(store, "SELECT spin()", [], timeout: 50)

    assert {:error, %StoreError{reason: :function, cause: :memory}} =
             Store.query(store, "SELECT bomb()")

    assert {:ok, :kept} =
             Store.transaction(store, fn tx ->
               Store.execute!(tx, "INSERT INTO t VALUES (1)")

               assert {:error, %StoreError{reason: :function}} =
                        Store.execute(tx, "INSERT INTO t VALUES (bomb())")

               :kept
             end)

    assert Store.query!(store, "SELECT v FROM t").rows == [[1]]
  end

  test "closing a store stops one that spins" do
    store = Store.open!(file(), readers: 2)
    :ok = Store.create_function(store, "spin", @spin)
    test = self()

    tasks =
      for _ <- 1..3 do
        Task.async(fn ->
          send(test, :asks)
          Store.query(store, "SELECT spin()", [], timeout: 60_000)
        end)
      end

    for _ <- tasks, do: assert_receive(:asks, 5_000)
    :ok = Store.close(store)

    for answer <- Task.await_many(tasks, 20_000) do
      assert {:error, %StoreError{reason: reason}} = answer
      assert reason in [:interrupted, :closed]
    end
  end

  test "what is wrong is named, and nothing is changed" do
    store = Store.open!(:memory)

    for {name, source, cause} <- [
          {"f", "(module", :compile},
          {"f", "(module)", :missing_export},
          {"f", ~S|(module (import "env" "fly" (func)) (func (export "f")))|, :missing_import},
          {"abs", ~S|(module (func (export "abs")))|, :name_taken},
          {"f", <<0, "asm", 1, 0, 0, 0, 255>>, :compile},
          {"f", <<255, 254>>, :compile}
        ] do
      assert {:error, %StoreError{reason: :function, cause: ^cause} = error} =
               Store.create_function(store, name, source)

      assert Exception.message(error) =~ "function #{name}: "
    end

    assert {:error, %StoreError{reason: :error}} = Store.drop_function(store, "f")
    :ok = Store.drop_function(store, "f", if_exists: true)
    ok = ~S|(module (func (export "f") (result i64) i64.const 1))|
    :ok = Store.create_function(store, "f", ok)

    assert {:error, %StoreError{reason: :constraint_primarykey}} =
             Store.create_function(store, "f", ok)

    :ok = Store.create_function(store, "f", ok, if_not_exists: true)
    :ok = Store.drop_function(store, "F")
    assert {:error, %StoreError{reason: :error} = error} = Store.query(store, "SELECT f()")
    assert Exception.message(error) =~ "no such function: f"
  end

  test "a deterministic one makes an index, another does not" do
    store = Store.open!(:memory)
    :ok = Store.create_function(store, "fibonacci", @fibonacci, deterministic: true)

    :ok =
      Store.batch(
        store,
        "CREATE TABLE t (n); CREATE INDEX by_f ON t (fibonacci(n)); INSERT INTO t VALUES (10)"
      )

    assert value!(store, "SELECT n FROM t WHERE fibonacci(n) = 55") == 10
    :ok = Store.create_function(store, "spin", @spin)
    assert {:error, %StoreError{}} = Store.batch(store, "CREATE INDEX by_s ON t (spin())")
  end

  test "a script's own SQL may call functions, on another thread than the script's" do
    store = Store.open!(:memory)
    :ok = Store.create_function(store, "fibonacci", @fibonacci)

    wat = """
    (module (import "wasgo" "sql" (func $sql (param i32 i32 i32 i32) (result i64)))
      (memory (export "memory") 1) (data (i32.const 16) "SELECT fibonacci(20)")
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "ask") (result i64) (local $span i64)
        (local.set $span (call $sql (i32.const 16) (i32.const 20) (i32.const 0) (i32.const 0)))
        (i64.load (i32.add (i32.wrap_i64 (i64.shr_u (local.get $span) (i64.const 32))) (i32.const 16)))))
    """

    instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(wat), grant: [sql: store])
    assert Wasgo.Wasm.Instance.call!(instance, "ask") == [6765]
  end
end
