defmodule Wasgo.Wasm.GrantsTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Wasgo.TestGuests, only: [instance!: 2]

  alias Wasgo.{LimitError, LinkError, Script, Store, TrapError}
  alias Wasgo.Script.State
  alias Wasgo.Wasm.{Instance, Module}

  doctest Wasgo.Script.State

  @text ~s|(memory (export "memory") 17) (data (i32.const 0) "the text of it")|

  defp guest(imports, body, options),
    do: instance!("(module #{imports} #{@text} #{body})", options)

  test "nothing is granted by default, and what is missing is named" do
    for {name, type} <- [
          log: "(param i32 i32 i32)",
          clock_ms: "(result i64)",
          random: "(result i64)",
          state_get: "(param i32 i32 i32 i32) (result i32)",
          sql: "(param i32 i32 i32 i32) (result i64)",
          emit: "(param i32 i32)"
        ] do
      module = Module.compile!(~s|(module (import "wasgo" "#{name}" (func #{type})))|)
      name = Atom.to_string(name)

      assert {:error, %LinkError{reason: :missing_import, module: "wasgo", name: ^name}} =
               Instance.new(module)
    end
  end

  describe "log" do
    @log ~s|(import "wasgo" "log" (func $log (param i32 i32 i32)))|
    @lines """
    (func (export "lines") (param i32)
      (loop $more
        (call $log (i32.rem_u (local.get 0) (i32.const 4)) (i32.const 0) (i32.const 8))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $more (i32.gt_s (local.get 0) (i32.const 0)))))
    (func (export "trap") (call $log (i32.const 3) (i32.const 4) (i32.const 4)) unreachable)
    (func (export "slow") (param i32)
      (call $log (i32.const 1) (i32.const 0) (i32.const 3))
      (loop $more
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $more (i32.gt_s (local.get 0) (i32.const 0)))))
    (func (export "outside") (call $log (i32.const 1) (i32.const -4) (i32.const 8)))
    """

    test "goes to Logger" do
      instance = guest(@log, @lines, grant: [:log])
      log = capture_log(fn -> Instance.call!(instance, "lines", [3]) end)
      assert log =~ "[error] the text"
      assert log =~ "[warning] the text"
    end

    test "goes to a function, in order, also from a call that fails or takes long" do
      test = self()
      instance = guest(@log, @lines, grant: [log: &send(test, {&1, &2})])
      assert Instance.call(instance, "lines", [4]) == {:ok, []}

      for level <- [:debug, :error, :warning, :info],
          do: assert({:messages, [{^level, "the text"} | _]} = next_message())

      assert {:error, %TrapError{reason: :unreachable}} = Instance.call(instance, "trap")
      assert_received {:error, "text"}
      assert Instance.call(instance, "slow", [20_000_000]) == {:ok, []}
      assert_received {:info, "the"}
      assert {:error, %TrapError{reason: :import} = error} = Instance.call(instance, "outside")
      assert Exception.message(error) =~ "wasgo.log"
      assert Exception.message(error) =~ "outside of the memory"
    end

    test "is bounded" do
      test = self()
      instance = guest(@log, @lines, grant: [log: &send(test, {&1, &2})])
      assert Instance.call(instance, "lines", [1_000_000]) == {:ok, []}
      assert {:message_queue_len, 257} = Process.info(self(), :message_queue_len)
      assert_received {:warning, "999744 more lines were logged"}
    end

    defp next_message do
      messages = Process.info(self(), :messages)
      receive do: (_first -> messages)
    end
  end

  test "clock tells the time, and goes forward" do
    instance =
      guest(
        ~s|(import "wasgo" "clock_ms" (func $ms (result i64))) (import "wasgo" "monotonic_ns" (func $ns (result i64)))|,
        ~s|(func (export "ms") (result i64) (call $ms)) (func (export "ns") (result i64) (call $ns))|,
        grant: [:clock]
      )

    before = System.os_time(:millisecond)
    {:ok, [told]} = Instance.call(instance, "ms")
    assert told in before..System.os_time(:millisecond)
    {:ok, [one]} = Instance.call(instance, "ns")
    {:ok, [other]} = Instance.call(instance, "ns")
    assert one >= 0 and other > one
  end

  describe "random" do
    @random ~s|(import "wasgo" "random" (func $random (result i64)))
               (import "wasgo" "random_fill" (func $fill (param i32 i32)))|
    @numbers ~s|(func (export "next") (result i64) (call $random))
                (func (export "fill") (param i32 i32) (call $fill (local.get 0) (local.get 1)))|

    defp numbers(grant) do
      instance = guest(@random, @numbers, grant: [grant])
      for _ <- 1..4, do: hd(Instance.call!(instance, "next"))
    end

    test "is the same from the same seed, on every machine" do
      assert numbers({:random, 42}) == numbers({:random, 42})
      refute numbers({:random, 42}) == numbers({:random, 43})

      assert numbers({:random, 42}) == [
               -5_867_979_529_391_350_879,
               -917_256_828_835_229_304,
               7_886_285_670_807_131_020,
               -6_873_985_097_233_176_750
             ]
    end

    test "is another each time from the system" do
      refute numbers(:random) == numbers(:random)
    end

    test "fills memory within bounds" do
      instance = guest(@random, @numbers, grant: [random: 1])
      assert Instance.call(instance, "fill", [1000, 32]) == {:ok, []}
      {:ok, bytes} = Instance.read_memory(instance, 1000, 40)
      assert <<filled::binary-32, 0::64>> = bytes
      refute filled == <<0::256>>

      for {at, length} <- [{17 * 65_536 - 4, 8}, {0, 65_537}, {-1, 1}, {-1, -1}] do
        assert {:error, %TrapError{reason: :import}} =
                 Instance.call(instance, "fill", [at, length])
      end
    end
  end

  describe "state" do
    @state ~s|(import "wasgo" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
              (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
              (import "wasgo" "state_delete" (func $delete (param i32 i32)))|
    @keys """
    (func (export "get") (param i32) (result i32)
      (call $get (i32.const 0) (i32.const 3) (i32.const 1000) (local.get 0)))
    (func (export "set") (param i32) (result i32) (call $set (i32.const 0) (i32.const 3) (i32.const 4) (local.get 0)))
    (func (export "delete") (call $delete (i32.const 0) (i32.const 3)))
    (func (export "set_and_trap") (drop (call $set (i32.const 0) (i32.const 3) (i32.const 4) (i32.const 4))) unreachable)
    (func (export "set_and_get") (result i32) (drop (call $set (i32.const 0) (i32.const 3) (i32.const 4) (i32.const 4)))
      (call $get (i32.const 0) (i32.const 3) (i32.const 1000) (i32.const 4)))
    (func (export "set_and_spin") (drop (call $set (i32.const 0) (i32.const 3) (i32.const 4) (i32.const 4))) (loop br 0))
    """

    test "keeps what a call sets, for others too" do
      state = State.new()
      [one, other] = for _ <- 1..2, do: guest(@state, @keys, grant: [state: state])
      assert Instance.call!(one, "get", [8]) == [-1]
      assert Instance.call!(one, "set", [4]) == [1]
      assert State.to_map(state) == %{"the" => "text"}
      assert Instance.call!(other, "get", [8]) == [4]
      assert Instance.read_memory(other, 1000, 5) == {:ok, "text\0"}
      assert Instance.call!(other, "delete") == []
      assert State.get(state, "the") == nil
    end

    test "writes nothing where the value does not fit" do
      state = State.new()
      State.put(state, "the", "longer than three")
      instance = guest(@state, @keys, grant: [state: state])
      assert Instance.call!(instance, "get", [3]) == [17]
      assert Instance.read_memory(instance, 1000, 3) == {:ok, <<0, 0, 0>>}
    end

    test "is as before when the call fails or is stopped" do
      state = State.new()
      instance = guest(@state, @keys, grant: [state: state])
      assert Instance.call!(instance, "set_and_get") == [4]
      State.delete(state, "the")
      assert {:error, %TrapError{}} = Instance.call(instance, "set_and_trap")
      assert State.to_map(state) == %{}

      assert {:error, %LimitError{reason: :time}} =
               Instance.call(instance, "set_and_spin", [], timeout: 20)

      assert State.to_map(state) == %{}
    end

    test "has room for so much, and says when it is full" do
      state = State.new(bytes: 10, keys: 1)
      instance = guest(@state, @keys, grant: [state: state])
      assert Instance.call!(instance, "set", [7]) == [1]
      assert Instance.call!(instance, "set", [8]) == [0]
      assert State.bytes(state) == 10
      assert {:error, %LimitError{reason: :state}} = State.put(state, "b", "")
      assert :ok = State.put(state, "the", "")
      assert State.bytes(state) == 3
    end
  end

  describe "sql" do
    # `run` puts a row of one value, an integer, before the statement.
    @sql ~s|(import "wasgo" "sql" (func $sql (param i32 i32 i32 i32) (result i64)))
            (import "wasgo" "sql_error" (func $error (param i32 i32) (result i32)))|

    defp asks(statement, store) do
      body = """
      (data (i32.const 1024) #{inspect(statement)})
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 4096))
      (func (export "ask") (param i64) (result i64)
        (i32.store (i32.const 512) (i32.const 1)) (i32.store (i32.const 516) (i32.const 24))
        (i32.store (i32.const 520) (i32.const 1)) (i64.store (i32.const 528) (local.get 0))
        (call $sql (i32.const 1024) (i32.const #{byte_size(statement)}) (i32.const 512) (i32.const 24)))
      (func (export "error") (result i32) (call $error (i32.const 2048) (i32.const 512)))
      """

      guest(@sql, body, grant: [sql: store])
    end

    test "asks the database with parameters, and reads its rows" do
      {:ok, store} = Store.open(:memory)
      :ok = Store.batch(store, "CREATE TABLE t (a INTEGER, b TEXT)")

      {:ok, _} =
        Store.execute_many(store, "INSERT INTO t VALUES (?, ?)", [[1, "one"], [2, "two"]])

      instance = asks("SELECT a, b FROM t WHERE a >= ? ORDER BY a", store)

      {:ok, [span]} = Instance.call(instance, "ask", [1])
      <<pointer::32, length::32>> = <<span::64>>
      assert {pointer, length} == {4096, 2 * 48}
      {:ok, rows} = Instance.read_memory(instance, pointer, length)
      assert <<2::32-little, 43::32-little, _first::binary-40, 2::32-little, _::binary>> = rows
      assert rows =~ "one" and rows =~ "two"
      assert {:ok, [span]} = Instance.call(instance, "ask", [3])
      assert <<4096::32, 0::32>> = <<span::64>>
    end

    test "is told what is wrong with a statement" do
      {:ok, store} = Store.open(:memory)
      instance = asks("SELECT * FROM nowhere WHERE a = ?", store)
      assert Instance.call(instance, "ask", [1]) == {:ok, [0]}
      {:ok, [length]} = Instance.call(instance, "error")
      {:ok, words} = Instance.read_memory(instance, 2048, length)
      assert words =~ "no such table: nowhere"
      Store.close(store)
      assert Instance.call(instance, "ask", [1]) == {:ok, [0]}
    end

    test "of a restricted handle reaches what that does" do
      {:ok, store} = Store.open(:memory)
      :ok = Store.batch(store, "CREATE TABLE t (a, secret); INSERT INTO t VALUES (1, 'x')")
      visitor = Store.restrict(store, read: [{"t", ["a"]}])

      assert {:ok, [span]} =
               Instance.call(asks("SELECT a FROM t WHERE a = ?", visitor), "ask", [1])

      assert span > 0
      instance = asks("SELECT secret FROM t WHERE a = ?", visitor)
      assert Instance.call(instance, "ask", [1]) == {:ok, [0]}
      {:ok, [length]} = Instance.call(instance, "error")
      {:ok, words} = Instance.read_memory(instance, 2048, length)
      assert words =~ "not allowed to read t.secret"
    end
  end

  test "emit gives buffers beside the result, of calls that succeed, within the limit of a result" do
    imports = ~s|(import "wasgo" "emit" (func $emit (param i32 i32)))|

    body = """
    (func (export "emit") (param i32 i32) (call $emit (i32.const 0) (local.get 0)) (call $emit (i32.const 4) (local.get 1)))
    (func (export "trap") (call $emit (i32.const 0) (i32.const 1)) unreachable)
    """

    instance = guest(imports, body, grant: [:emit], limits: [result: 100])
    Instance.call!(instance, "emit", [3, 4])
    Instance.call!(instance, "emit", [0, 1])
    assert {:error, %TrapError{}} = Instance.call(instance, "trap")
    assert Instance.take_emitted(instance) == {:ok, []}
    Instance.call!(instance, "emit", [3, 4])
    Instance.call!(instance, "emit", [0, 1])
    assert Instance.take_emitted(instance) == {:ok, ["the", "text", "", "t"]}
    assert Instance.take_emitted(instance) == {:ok, []}

    assert {:error, %LimitError{reason: :result_size, value: 100, asked: 104}} =
             Instance.call(instance, "emit", [50, 54])
  end

  test "a script's rows have each its own numbers, state and log" do
    wat = """
    (module
      (import "wasgo" "random" (func $random (result i64)))
      (import "wasgo" "log" (func $log (param i32 i32 i32)))
      #{@state}
      (memory (export "memory") 1)
      (data (i32.const 0) "key")
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "_notification") (param $what i32) (param $row i32) (param $length i32) (result i64)
        (call $log (i32.const 1) (i32.const 0) (i32.const 3))
        (drop (call $set (i32.const 0) (i32.const 3) (i32.add (local.get $row) (i32.const 16)) (i32.const 8)))
        (if (i64.eq (i64.load offset=16 (local.get $row)) (i64.const 7)) (then unreachable))
        (i64.store offset=16 (local.get $row) (call $random))
        (i64.or (i64.shl (i64.extend_i32_u (local.get $row)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))
    """

    test = self()
    state = State.new()
    grant = [random: 5, state: state, log: &send(test, {&1, &2})]
    script = Script.new!(wat, grant: grant)
    rows = for value <- 1..20, do: [value]
    {:ok, answers} = Script.notify_many(script, :process, rows)
    assert {:error, %TrapError{reason: :unreachable}} = Enum.at(answers, 6)
    numbers = for {:ok, [number]} <- answers, do: number
    assert length(Enum.uniq(numbers)) == 19
    # The last row's write holds; the seventh row's never did.
    assert State.get(state, "key") == <<20::64-little>>
    assert {:message_queue_len, 20} = Process.info(self(), :message_queue_len)
    # The same numbers for the same rows, one at a time or together, whatever ran before.
    assert {:ok, ^answers} = Script.notify_many(script, :process, rows)
    assert Script.notify(script, :process, [1]) == hd(answers)
    {:error, _} = Script.notify(script, :process, [7])
    assert State.get(state, "key") == <<1::64-little>>
  end
end
