defmodule Wasgo.HostileGrantsTest do
  @moduledoc """
  What is granted, in the hands of guests that mean harm: statements that never end or reach for other files, lines and buffers without
  end, state that is filled. `native/wasgo_wasm/tests/grants.rs` has the pointers and lengths.
  """

  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [instance!: 2, data: 1, eventually: 1]

  alias Wasgo.{LimitError, Script, Store, TrapError}
  alias Wasgo.Script.State
  alias Wasgo.Wasm.{Component, Instance}

  @moduletag timeout: 120_000

  @endless "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

  # `ask` asks the statement, and answers where the answer lies; 0 when it failed. `error` writes why to 8,192.
  defp asking(statement, store) do
    wat = """
    (module
      (import "wasgo" "sql" (func $sql (param i32 i32 i32 i32) (result i64)))
      (import "wasgo" "sql_error" (func $error (param i32 i32) (result i32)))
      (memory (export "memory") 4)
      (data (i32.const 1024) #{data(statement)})
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
      (func (export "ask") (result i64)
        (call $sql (i32.const 1024) (i32.const #{byte_size(statement)}) (i32.const 0) (i32.const 0)))
      (func (export "for_ever") (loop
        (drop (call $sql (i32.const 1024) (i32.const #{byte_size(statement)}) (i32.const 0) (i32.const 0))) (br 0)))
      (func (export "error") (result i32) (call $error (i32.const 8192) (i32.const 512))))
    """

    instance!(wat, grant: [sql: store])
  end

  defp why(instance) do
    assert Instance.call(instance, "ask") == {:ok, [0]}
    {:ok, [length]} = Instance.call(instance, "error")
    {:ok, words} = Instance.read_memory(instance, 8_192, min(length, 512))
    words
  end

  describe "sql:" do
    test "a statement that never ends is stopped with its call, and the store serves others" do
      {:ok, store} = Store.open(:memory)
      instance = asking(@endless, store)

      # The statement's time and the call's are over at the same moment: the guest may still hear of the one before it is stopped.
      answer = Instance.call(instance, "ask", [], timeout: 100)
      assert answer == {:ok, [0]} or match?({:error, %LimitError{reason: :time}}, answer)
      assert {:ok, %{rows: [[1]]}} = Store.query(store, "SELECT 1", [], timeout: 60_000)
    end

    test "statements that never end, of callers that are killed, wait for nobody for ever" do
      {:ok, store} = Store.open(:memory)

      for _ <- 1..20 do
        instance = asking(@endless, store)
        pid = spawn(fn -> Instance.call(instance, "ask", [], timeout: 300) end)
        monitor = Process.monitor(pid)
        Process.exit(pid, :kill)
        assert_receive {:DOWN, ^monitor, :process, _pid, _reason}
      end

      assert {:ok, %{rows: [[1]]}} = Store.query(store, "SELECT 1", [], timeout: 60_000)
    end

    test "asking for ever leaves room for others" do
      {:ok, store} = Store.open(:memory)
      instance = asking("SELECT 1", store)
      task = Task.async(fn -> Instance.call(instance, "for_ever", [], timeout: 300) end)
      for _ <- 1..50, do: assert({:ok, _} = Store.query(store, "SELECT 1", [], timeout: 60_000))
      assert {:error, %LimitError{reason: :time}} = Task.await(task, 60_000)
    end

    @tag :tmp_dir
    test "no other file is reached or written", %{tmp_dir: folder} do
      {:ok, store} = Store.open(:memory)
      :ok = Store.batch(store, "CREATE TABLE t (a)")
      other = Path.join(folder, "other.db")
      {:ok, secret} = Store.open(other)
      :ok = Store.batch(secret, "CREATE TABLE secret (a)")
      Store.close(secret)

      for statement <- [
            "ATTACH '#{other}' AS other",
            "VACUUM INTO '#{Path.join(folder, "copy.db")}'",
            "PRAGMA temp_store_directory = '#{folder}'",
            "DETACH main"
          ] do
        assert why(asking(statement, store)) != ""
      end

      assert folder |> File.ls!() |> Enum.filter(&String.contains?(&1, "copy")) == []
      assert Instance.call(asking("INSERT INTO t VALUES (1)", store), "ask") != {:ok, [0]}
      assert {:ok, %{rows: [[1]]}} = Store.query(store, "SELECT a FROM t")
    end

    test "the connection stays as it is, with no transaction left open" do
      {:ok, store} = Store.open(:memory)
      :ok = Store.batch(store, "CREATE TABLE t (a)")

      for statement <- [
            "BEGIN",
            "BEGIN EXCLUSIVE",
            "SAVEPOINT s",
            "COMMIT",
            "PRAGMA query_only = 1",
            "PRAGMA writable_schema = 1",
            "PRAGMA locking_mode = EXCLUSIVE",
            "SELECT load_extension('/lib/evil.so')",
            "SELECT 1; DROP TABLE t",
            ""
          ] do
        assert why(asking(statement, store)) != ""
      end

      assert {:ok, _} = Store.execute(store, "INSERT INTO t VALUES (1)")
      assert {:ok, %{rows: [[1]]}} = Store.query(store, "SELECT a FROM t")
    end

    test "answers that are too many, too long or too large are refused" do
      {:ok, store} = Store.open(:memory)

      for {what, statement} <- [
            rows:
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT i FROM n",
            blob: "SELECT zeroblob(100000000)",
            blobs:
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT zeroblob(900000) FROM n",
            columns: "SELECT " <> Enum.map_join(1..1_500, ", ", &Integer.to_string/1)
          ] do
        words = why(asking(statement, store))
        assert words != "", "#{what}: no words"
      end

      # One that fits a result and not the guest's room for it.
      instance = asking("SELECT zeroblob(900000)", store)
      assert {:error, %TrapError{reason: :import}} = Instance.call(instance, "ask")
      assert {:ok, %{rows: [[1]]}} = Store.query(store, "SELECT 1")
    end

    test "a store that is closed meanwhile is an error and no wait" do
      {:ok, store} = Store.open(:memory)
      instance = asking(@endless, store)
      task = Task.async(fn -> Instance.call(instance, "ask", [], timeout: 30_000) end)
      Store.close(store)
      assert Task.await(task, 60_000) == {:ok, [0]}
    end
  end

  # Logs 256 lines of 4 KiB for each row, and traps.
  @chatter """
  (module
    (import "wasgo" "log" (func $log (param i32 i32 i32)))
    (memory (export "memory") 2)
    (func $lines (local i32)
      (local.set 0 (i32.const 256))
      (loop $more
        (call $log (i32.const 1) (i32.const 4096) (i32.const 4096))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $more (local.get 0))))
    (func (export "rows") (param i32) (call $lines) (if (local.get 0) (then unreachable)))
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
    (func (export "_notification") (param i32 i32 i32) (result i64) (call $lines) unreachable))
  """

  describe "log:" do
    # How many lines came, and how many bytes they were.
    defp heard(count \\ 0, bytes \\ 0) do
      receive do
        {:line, size} -> heard(count + 1, bytes + size)
      after
        0 -> {count, bytes}
      end
    end

    test "a batch whose every row floods is cut for all rows together" do
      test = self()
      log = fn _level, text -> send(test, {:line, byte_size(text)}) end
      instance = instance!(@chatter, grant: [log: log])

      for fails <- [0, 1] do
        rows = List.duplicate([fails], 500)
        assert {:ok, answers} = Instance.call_many(instance, "rows", rows, timeout: 60_000)
        assert length(answers) == 500
        {count, bytes} = heard()
        assert count in 256..2_048 and bytes < 8_388_608
      end

      # The next call may log again.
      assert Instance.call(instance, "rows", [0]) == {:ok, []}
      assert {256, 1_048_576} = heard()
    end

    test "so is a script's, whose rows each have an instance of their own" do
      test = self()
      log = fn _level, text -> send(test, {:line, byte_size(text)}) end
      script = Script.new!(@chatter, grant: [log: log])
      rows = for number <- 1..500, do: [number]
      assert {:ok, answers} = Script.notify_many(script, :process, rows, timeout: 60_000)
      assert Enum.all?(answers, &match?({:error, %TrapError{reason: :unreachable}}, &1))
      {count, bytes} = heard()
      assert count in 256..2_048 and bytes < 8_388_608
    end

    test "a function that crashes for a line is its caller's, and leaves the guest usable" do
      instance = instance!(@chatter, grant: [log: fn _, _ -> raise "no more" end])
      assert_raise RuntimeError, fn -> Instance.call(instance, "rows", [0]) end
      # The guest was given up with its caller's call, and is stopped at its next check.
      assert eventually(fn -> Instance.status(instance) == :idle end)
      assert Instance.call(instance, "wasgo_alloc", [1]) == {:ok, [65_536]}
    end
  end

  test "emit: buffers without end are the limit's, from a batch too, and leave nothing" do
    wat = """
    (module (import "wasgo" "emit" (func $emit (param i32 i32))) (memory (export "memory") 1)
      (func (export "f") (param i32)
        (loop $more (call $emit (i32.const 0) (local.get 0)) (br $more))))
    """

    instance = instance!(wat, grant: [:emit])
    assert {:error, %LimitError{reason: :buffers}} = Instance.call(instance, "f", [0])
    assert {:error, %LimitError{reason: :result_size}} = Instance.call(instance, "f", [65_536])

    assert {:ok, answers} =
             Instance.call_many(instance, "f", List.duplicate([65_536], 20), timeout: 60_000)

    assert Enum.all?(answers, &match?({:error, %LimitError{reason: :result_size}}, &1))
    assert Instance.take_emitted(instance) == {:ok, []}
  end

  test "state: what a guest was told there is room for is there afterwards, and never more than may be" do
    wat = """
    (module
      (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "fill") (param $from i32) (param $count i32) (result i32) (local $room i32)
        (loop $more
          (i32.store (i32.const 0) (i32.add (local.get $from) (local.get $count)))
          (local.set $room (i32.add (local.get $room) (call $set (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 4))))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br_if $more (local.get $count)))
        (local.get $room)))
    """

    state = State.new(bytes: 100_000, keys: 1_000)
    instance = instance!(wat, grant: [state: state])
    assert Instance.call(instance, "fill", [0, 900]) == {:ok, [900]}
    assert Instance.call(instance, "fill", [100_000, 5_000]) == {:ok, [100]}
    assert map_size(State.to_map(state)) == 1_000
    assert State.bytes(state) == 8_000
  end

  # The same by the typed functions of a component. It may not be entered again after a trap, so that each harm has an instance of its own.
  describe "a component:" do
    setup do
      component = Component.compile!(File.read!("test/support/guests_src/granted_component.wat"))
      {:ok, store} = Store.open(:memory)
      {:ok, component: component, store: store, state: State.new(bytes: 100_000, keys: 1_000)}
    end

    defp granted(context, options \\ []) do
      log = Keyword.get(options, :log, fn _level, _text -> :ok end)
      grant = [{:log, log}, {:state, context.state}, {:sql, context.store}, :emit]
      Component.new!(context.component, grant: grant, limits: Keyword.get(options, :limits, []))
    end

    defp ask(instance, statement, options \\ []) do
      {:ok, nil} = Component.call(instance, "write", [statement])
      Component.call(instance, "query", [131_072, byte_size(statement), 0, 0], options)
    end

    test "a statement that never ends is stopped with its call, and the store serves others",
         context do
      answer = ask(granted(context), @endless, timeout: 100)
      assert answer == {:ok, -1} or match?({:error, %LimitError{reason: :time}}, answer)

      for _ <- 1..20 do
        instance = granted(context)
        pid = spawn(fn -> ask(instance, @endless, timeout: 300) end)
        monitor = Process.monitor(pid)
        Process.exit(pid, :kill)
        assert_receive {:DOWN, ^monitor, :process, _pid, _reason}
      end

      assert {:ok, %{rows: [[1]]}} = Store.query(context.store, "SELECT 1", [], timeout: 60_000)
    end

    test "asking for ever leaves room for others", context do
      instance = granted(context)
      call = fn -> Component.call(instance, "for-ever", [0, 8], timeout: 300) end
      task = Task.async(call)
      for _ <- 1..50, do: {:ok, _} = Store.query(context.store, "SELECT 1", [], timeout: 60_000)
      assert {:error, %LimitError{reason: :time}} = Task.await(task, 60_000)
    end

    @tag :tmp_dir
    test "the database's connection stays as it is, and no other file is reached",
         %{tmp_dir: folder} = context do
      instance = granted(context)

      for statement <- [
            "ATTACH '#{Path.join(folder, "other.db")}' AS other",
            "VACUUM INTO '#{Path.join(folder, "copy.db")}'",
            "BEGIN",
            "PRAGMA writable_schema = 1",
            "SELECT 1; SELECT 2",
            "SELECT zeroblob(100000000)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT i FROM n"
          ] do
        assert ask(instance, statement) == {:ok, -1}
      end

      assert File.ls!(folder) == []
      assert ask(instance, "SELECT 1") == {:ok, 1}
    end

    test "a row of a thousand values that are all the same half a MiB is refused", context do
      instance = granted(context)
      {:ok, nil} = Component.call(instance, "blobs", [1_000, 524_288])

      assert {:error, %TrapError{reason: :import, import: "wasgo:script/sql@0.1.0.query"}} =
               Component.call(instance, "query", [0, 8, 65_536, 1_000])
    end

    test "lists that lie outside of its memory, or claim all of it and more, are its trap",
         context do
      for {name, arguments} <- [
            {"query", [0, 8, 65_536, 0x0FFF_FFFF]},
            {"query", [0, 0xFFFF_FFFF, 0, 0]},
            {"query", [0, 8, 65_537, 1]},
            {"emits", [1, 0xFFFF_FFFF]},
            {"chatter", [1, 0xFFFF_FFFF]},
            {"set", [0, 8, 0xFFFF_FFF0, 16]},
            {"get", [0xFFFF_FFFF, 1]},
            {"log", [4, 0, 1]}
          ] do
        assert {:error, %TrapError{reason: :canonical_abi}} =
                 Component.call(granted(context), name, arguments)
      end
    end

    test "a flood of lines is cut and counted", context do
      test = self()
      instance = granted(context, log: fn _, text -> send(test, {:line, byte_size(text)}) end)
      assert {:ok, nil} = Component.call(instance, "chatter", [20_000, 500_000], timeout: 60_000)
      {count, bytes} = heard()
      assert count == 257 and bytes < 1_100_000
    end

    test "buffers without end are the limit's, and leave nothing", context do
      for {arguments, reason} <- [{[5_000, 0], :buffers}, {[500, 65_536], :result_size}] do
        instance = granted(context)

        assert {:error, %LimitError{reason: ^reason}} =
                 Component.call(instance, "emits", arguments)
      end

      instance = granted(context, limits: [result: 100])

      assert {:error, %LimitError{reason: :result_size}} =
               Component.call(instance, "emits", [2, 51])
    end

    test "a state is never more than it may be", context do
      instance = granted(context)
      assert Component.call(instance, "keys", [900, 4]) == {:ok, 900}
      assert Component.call(instance, "keys", [5_000, 4]) == {:ok, 1_000}
      assert map_size(State.to_map(context.state)) == 1_000
      assert State.bytes(context.state) == 8_000
    end
  end
end
