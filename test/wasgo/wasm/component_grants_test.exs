defmodule Wasgo.Wasm.ComponentGrantsTest do
  use ExUnit.Case, async: true

  alias Wasgo.{InstanceError, LinkError, Script, Store, TrapError}
  alias Wasgo.Script.State
  alias Wasgo.Wasm.Component

  # Rust, against guest/wit/script.wit: see its src/lib.rs for what it does.
  @source "test/support/guests_src/granted_script/granted_script.wasm"

  setup_all do
    {:ok, component: @source |> File.read!() |> Component.compile!()}
  end

  setup do
    {:ok, store} = Store.open(:memory)
    test = self()
    log = fn level, text -> send(test, {level, text}) end
    state = State.new()
    {:ok, store: store, state: state, grant: [log: log, state: state, sql: store] ++ [:emit]}
  end

  describe "a component" do
    test "is refused without what it imports, which is named", %{component: component, grant: all} do
      for {grant, interface, name} <- [
            {List.keydelete(all, :log, 0), "log", "log"},
            {List.keydelete(all, :state, 0), "state", "get"},
            {List.keydelete(all, :sql, 0), "sql", "query"},
            {all -- [:emit], "emit", "emit"}
          ] do
        module = "wasgo:script/#{interface}@0.1.0"

        assert {:error, %LinkError{reason: :missing_import, module: ^module, name: ^name}} =
                 Component.new(component, grant: grant)

        assert {:error, %LinkError{reason: :missing_import, module: ^module, name: ^name}} =
                 Script.new(component, grant: grant)
      end
    end

    test "uses all of it", %{component: component, grant: grant, store: store, state: state} do
      instance = Component.new!(component, grant: grant)
      assert Component.call(instance, "columns") == {:ok, []}
      assert_received {:debug, "columns"}
      assert Component.call(instance, "notification", [1, []]) == {:ok, {:ok, [{"integer", 1}]}}
      assert Component.call(instance, "notification", [1, []]) == {:ok, {:ok, [{"integer", 2}]}}
      assert State.get(state, "visits") == <<2::64-little>>

      :ok =
        Store.batch(store, "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2.5, NULL)")

      asked = [{"text", "SELECT a, b FROM t WHERE b = ? OR b IS NULL"}, {"text", "x"}]

      assert Component.call(instance, "notification", [2, asked]) ==
               {:ok, {:ok, [{"integer", 1}, {"text", "x"}, {"real", 2.5}, "null"]}}

      assert {:ok, {:error, words}} =
               Component.call(instance, "notification", [2, [{"text", "SELEC 1"}]])

      assert words =~ "SELEC"
      assert Component.call(instance, "process", ["a|b|c"]) == {:ok, {:ok, ["c"]}}
      assert Component.call(instance, "process", ["d|"]) == {:ok, {:ok, [""]}}
      assert Component.take_emitted(instance) == {:ok, ["a", "b", "d"]}
      assert Component.take_emitted(instance) == {:ok, []}
    end

    test "that traps has changed nothing, and tells what it logged", context do
      instance = Component.new!(context.component, grant: context.grant)
      full = State.new(bytes: 1)

      assert {:error, %TrapError{}} = Component.call(instance, "notification", [4, []])
      assert State.to_map(context.state) == %{}
      assert {:error, %InstanceError{reason: :poisoned}} = Component.take_emitted(instance)

      grant = List.keyreplace(context.grant, :state, 0, {:state, full})
      instance = Component.new!(context.component, grant: grant)
      assert {:ok, {:ok, _}} = Component.call(instance, "notification", [1, []])
      assert_received {:warning, "the state has no room for 8 bytes at a key of 6"}
    end

    test "may be given functions in place of what is granted", %{
      component: component,
      grant: grant
    } do
      test = self()
      log = fn level, text -> send(test, {:mine, level, text}) end
      imports = %{"wasgo:script/log" => %{"log" => log}}
      instance = Component.new!(component, grant: grant, imports: imports)
      assert Component.call(instance, "columns") == {:ok, []}
      assert_received {:mine, "debug", "columns"}
    end

    test "has WASI's time and randomness by the same grants, or by options of their own" do
      component =
        Component.compile!("""
        (component
          (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (result u64)))))
          (import "wasi:clocks/monotonic-clock@0.2.0" (instance $c (export "now" (func (result u64)))))
          (core func $r (canon lower (func $r "get-random-u64")))
          (core func $c (canon lower (func $c "now")))
          (core module $m
            (import "" "r" (func $r (result i64))) (import "" "c" (func $c (result i64)))
            (func (export "random") (result i64) (call $r)) (func (export "now") (result i64) (call $c)))
          (core instance $i (instantiate $m (with "" (instance (export "r" (func $r)) (export "c" (func $c))))))
          (func (export "random") (result u64) (canon lift (core func $i "random")))
          (func (export "now") (result u64) (canon lift (core func $i "now"))))
        """)

      first = fn name, options -> Component.call(Component.new!(component, options), name) end
      assert first.("random", grant: [random: 7]) == first.("random", random: {:seed, 7})
      assert first.("random", grant: [random: 7]) != first.("random", [])
      assert first.("random", grant: [:random]) != first.("random", grant: [:random])
      assert first.("random", random: true) != first.("random", random: true)
      assert first.("now", grant: [:log]) == first.("now", [])
      assert first.("now", grant: [:clock]) != first.("now", grant: [:clock])
    end

    test "is granted nothing that there is not", %{component: component} do
      for grant <- [[:files], [state: 1], [{:random, -1}], [:log, {:log, 1}]] do
        assert_raise ArgumentError, ~r/can't grant/, fn ->
          Component.new(component, grant: grant)
        end
      end
    end
  end

  describe "a script" do
    test "keeps its state from call to call, whichever instance runs", context do
      script = Script.new!(context.component, grant: context.grant)
      assert script.exports == [:notification, :process, :generate]
      assert Script.notify(script, 1, []) == {:ok, [1]}
      assert {:ok, answers} = Script.notify_many(script, 1, [[], [], []])
      assert answers == [{:ok, [2]}, {:ok, [3]}, {:ok, [4]}]
      # One row's failure undoes what that row changed.
      assert {:ok, [{:ok, [5]}, {:ok, [6]}]} = Script.notify_many(script, 1, [[], []])
      assert {:error, %TrapError{reason: :failed}} = Script.notify(script, 3, [])
      assert {:error, %TrapError{reason: :unreachable}} = Script.notify(script, 4, [])
      assert Script.notify(script, 1, []) == {:ok, [7]}
      assert Script.notify(script, 6, []) == {:ok, nil}
      assert State.to_map(context.state) == %{}
    end

    test "shares a state with modules", context do
      wat = """
      (module (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "visits") (data (i32.const 8) "\\09")
        (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 64))
        (func (export "_notification") (param i32 i32 i32) (result i64)
          (drop (call $set (i32.const 0) (i32.const 6) (i32.const 8) (i32.const 8))) (i64.const 0)))
      """

      module = Script.new!(wat, grant: [state: context.state])
      script = Script.new!(context.component, grant: context.grant)
      assert Script.notify(module, 1, []) == {:ok, nil}
      assert Script.notify(script, 1, []) == {:ok, [10]}
    end

    test "asks its database, logs, and answers with an error of its own", context do
      script = Script.new!(context.component, grant: context.grant)
      assert_received {:debug, "columns"}
      :ok = Store.batch(context.store, "CREATE TABLE t (a)")

      assert Script.notify(script, 2, [
               "INSERT INTO t VALUES (?) RETURNING a, ?",
               {:blob, "x"},
               nil
             ]) ==
               {:ok, [{:blob, "x"}, nil]}

      assert {:ok, %{rows: [[{:blob, "x"}]]}} = Store.query(context.store, "SELECT a FROM t")

      assert {:error, %TrapError{reason: :failed}} =
               Script.notify(script, 2, ["ATTACH 'x' AS other"])

      assert Script.notify(script, 5, ["one", "zwei"]) == {:ok, nil}
      assert_received {:info, "one"}
      assert_received {:info, "zwei"}
    end

    test "emits buffers before those that it returns, and a notification's are nobody's",
         context do
      script = Script.new!(context.component, grant: context.grant)
      assert Script.notify(script, 7, []) == {:ok, nil}
      assert Script.process_many(script, "a|b|c") == {:ok, ["a", "b", "c"]}
      assert Script.process(script, "a|b|c") == {:ok, "c"}
      assert {:error, %TrapError{reason: :failed}} = Script.process_many(script, "a|!")
      assert Script.process_many(script, "d") == {:ok, ["d"]}
    end

    test "generates a chunk", context do
      script = Script.new!(context.component, grant: context.grant)
      assert Script.generate(script, 7, {-1, 2}) == {:ok, "7 -1 2 0 0"}
      assert_received {:error, "-1, 2"}
      options = [lod: 3, parameters: [1, nil], timeout: 1_000]

      assert Script.generate(script, 0xFFFF_FFFF_FFFF_FFFF, {0, 0}, options) ==
               {:ok, "18446744073709551615 0 0 3 2"}

      assert {:error, %TrapError{reason: :failed} = error} =
               Script.generate(script, 0, {0, 0}, parameters: ["no chunk"])

      assert Exception.message(error) == "generate answered with an error: no chunk"

      assert {:error, %InstanceError{reason: :arguments} = error} =
               Script.generate(script, 0, {0, 0}, parameters: [%{}])

      assert Exception.message(error) =~ "the parameters: value 0"

      for options <- [[lod: -1], [parameters: 1], [many: 1]] do
        assert_raise ArgumentError, fn -> Script.generate(script, 0, {0, 0}, options) end
      end
    end

    test "is given functions written in Elixir", context do
      test = self()
      log = fn level, text -> send(test, {:mine, level, text}) end
      imports = %{"wasgo:script/log@0.1.0" => %{"log" => log}}
      script = Script.new!(context.component, grant: context.grant, imports: imports)
      assert_received {:mine, "debug", "columns"}
      assert Script.notify(script, 5, ["hey"]) == {:ok, nil}
      assert_received {:mine, "info", "hey"}

      assert_raise ArgumentError, ~r/for a component must be functions by name/, fn ->
        Script.new(context.component, imports: %{"env" => %{"f" => {[], [], fn -> nil end}}})
      end
    end
  end
end
