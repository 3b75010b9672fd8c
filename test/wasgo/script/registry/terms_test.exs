defmodule Wasgo.Script.Registry.TermsTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{CompileError, LimitError, LinkError, Script, Store, StoreError}
  alias Wasgo.Script.{Registry, State}

  @component File.read!("test/support/guests_src/script_component/script_component.wasm")

  setup do
    store = Store.open!(:memory)
    :ok = Store.batch(store, "CREATE TABLE pets (name TEXT); INSERT INTO pets VALUES ('Rex');
                              CREATE TABLE owners (name TEXT); INSERT INTO owners VALUES ('Ada')")
    {:ok, store: store}
  end

  # `process` runs a statement, and answers its rows, or what was wrong.
  defp asking(statement, start \\ "") do
    """
    (module
      (import "wasgo" "sql" (func $sql (param i32 i32 i32 i32) (result i64)))
      (import "wasgo" "sql_error" (func $error (param i32 i32) (result i32)))
      (memory (export "memory") 2)
      (data (i32.const 1024) #{inspect(statement)})
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
      (func $ask (result i64)
        (call $sql (i32.const 1024) (i32.const #{byte_size(statement)}) (i32.const 0) (i32.const 0)))
      (func (export "process") (param i32 i32) (result i64) (local $rows i64)
        (local.set $rows (call $ask))
        (if (i64.ne (local.get $rows) (i64.const 0)) (then (return (local.get $rows))))
        (i64.or (i64.shl (i64.const 4096) (i64.const 32))
          (i64.extend_i32_u (call $error (i32.const 4096) (i32.const 512)))))
      #{start})
    """
  end

  # `process` sets the key "k", and answers 1 if it was there before.
  defp counting do
    """
    (module
      (import "wasgo" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
      (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 2)
      (data (i32.const 8) "k")
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
      (func (export "process") (param i32 i32) (result i64)
        (i32.store8 (i32.const 32)
          (i32.ge_s (call $get (i32.const 8) (i32.const 1) (i32.const 16) (i32.const 8)) (i32.const 0)))
        (drop (call $set (i32.const 8) (i32.const 1) (i32.const 8) (i32.const 1)))
        (i64.or (i64.shl (i64.const 32) (i64.const 32)) (i64.const 1))))
    """
  end

  defp throwing do
    """
    (module
      (import "wasgo" "random" (func $random (result i64)))
      (memory (export "memory") 2)
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
      (func (export "process") (param i32 i32) (result i64)
        (i64.store (i32.const 32) (call $random))
        (i64.or (i64.shl (i64.const 32) (i64.const 32)) (i64.const 8))))
    """
  end

  defp process(script), do: script |> Script.process("") |> elem(1)

  test "limits are kept, checked with and loaded with", %{store: store} do
    limits = [memory: 40 * 65_536, table: 10, input: 3, result: 100, fuel: 1_000_000]
    assert Registry.put(store, "s", echo(), limits: limits ++ [timeout: 2_000]) == {:ok, 1}
    assert {:ok, entry} = Registry.get(store, "s")

    assert entry.limits ==
             Keyword.merge(Keyword.delete(limits, :fuel), timeout: 2_000, fuel: 1_000_000)

    assert Store.query!(store, "SELECT limits FROM wasgo_script_versions").rows ==
             [
               [
                 ~s|{"memory":2621440,"table":10,"input":3,"result":100,"timeout":2000,"fuel":1000000}|
               ]
             ]

    script = Registry.load!(store, "s")
    assert script.module.deterministic
    assert Script.process(script, "abc") == {:ok, "abc"}
    assert {:error, %LimitError{reason: :input_size}} = Script.process(script, "abcd")
    script = Registry.load!(store, "s", limits: [input: 4])
    assert Script.process(script, "abcd") == {:ok, "abcd"}

    assert {:error, %LimitError{reason: :memory}} =
             Registry.put(store, "s", answering("x"), limits: [memory: 65_536])

    assert {:ok, %{version: 1}} = Registry.get(store, "s")
    assert Registry.put(store, "s", echo(), limits: Wasgo.Wasm.Limits.new(input: 5)) == {:ok, 2}
    assert Registry.get!(store, "s").limits[:input] == 5
  end

  test "deterministic is what a version is unless it says otherwise", %{store: store} do
    {:ok, 1} = Registry.put(store, "s", echo())
    {:ok, 2} = Registry.put(store, "s", echo(), deterministic: false)
    assert Registry.load!(store, "s", version: 1).module.deterministic
    refute Registry.load!(store, "s").module.deterministic
    assert Registry.load!(store, "s", deterministic: true).module.deterministic
    {:ok, 3} = Registry.put(store, "s", echo(), limits: [fuel: 1_000])
    refute Registry.load!(store, "s", deterministic: false).module.deterministic
  end

  test "what may read tables is not deterministic", %{store: store} do
    {:ok, 1} = Registry.put(store, "s", asking("SELECT name FROM pets"), grants: [sql: ["pets"]])
    assert %{deterministic: false, grants: [sql: ["pets"]]} = Registry.get!(store, "s")
    assert store |> Registry.load!("s") |> process() =~ "Rex"
  end

  test "what the same source says on other terms is another version", %{store: store} do
    variants = [
      [],
      [language: "mine"],
      [limits: [input: 10]],
      [limits: [input: 11]],
      [deterministic: false],
      [grants: [:state]],
      [grants: [:state, random: 1]],
      [grants: [:state, random: 2]],
      [deterministic: false, grants: [sql: ["pets"]]],
      [deterministic: false, grants: [sql: ["owners", "pets"]]]
    ]

    for {options, version} <- Enum.with_index(variants, 1) do
      assert Registry.put(store, "s", echo(), options) == {:ok, version}
      assert Registry.put(store, "s", echo(), [author: "Ada"] ++ options) == {:ok, version}
      assert Registry.put(store, "s", echo(), [activate: false] ++ options) == {:ok, version}
      entry = Registry.get!(store, "s")
      assert entry.author == nil

      # What is read may be put again.
      again = entry |> Map.take([:language, :limits, :grants, :deterministic]) |> Keyword.new()
      assert Registry.put(store, "s", entry.source, again) == {:ok, version}
    end

    # The order and number of tables make no difference.
    assert Registry.put(store, "s", echo(),
             deterministic: false,
             grants: [sql: ["pets", "owners", "pets"]]
           ) == {:ok, length(variants)}
  end

  test "what is not granted is no part of a script", %{store: store} do
    for {source, options, name} <- [
          {counting(), [], "state_get"},
          {counting(), [grants: [random: 1]], "state_get"},
          {throwing(), [grants: [:state]], "random"},
          {asking("SELECT 1"), [deterministic: false, grants: [:state, random: 1]], "sql"}
        ] do
      assert {:error, %LinkError{reason: :missing_import, name: ^name}} =
               Registry.put(store, "s", source, options)
    end

    assert Registry.list(store) == {:ok, []}
  end

  test "granted state begins empty with each load, unless it is brought", %{store: store} do
    {:ok, 1} = Registry.put(store, "s", counting(), grants: [:state])

    assert Store.query!(store, "SELECT grants FROM wasgo_script_versions").rows == [
             [~s|{"state":true}|]
           ]

    script = Registry.load!(store, "s")
    assert process(script) == <<0>>
    assert process(script) == <<1>>
    assert store |> Registry.load!("s") |> process() == <<0>>

    state = State.new()
    State.put(state, "k", "v")
    assert store |> Registry.load!("s", grant: [state: state]) |> process() == <<1>>
  end

  test "granted random numbers are those of the seed", %{store: store} do
    seed = 0xFFFF_FFFF_FFFF_FFFF
    {:ok, 1} = Registry.put(store, "s", throwing(), grants: [random: seed])
    assert Registry.get!(store, "s").grants == [random: seed]
    random = store |> Registry.load!("s") |> process()
    assert store |> Registry.load!("s") |> process() == random
    assert throwing() |> Script.new!(grant: [random: seed]) |> process() == random
    assert store |> Registry.load!("s", grant: [random: 7]) |> process() != random
  end

  test "granted tables are read, and nothing else is", %{store: store} do
    for {statement, expected} <- [
          {"SELECT name FROM pets", "Rex"},
          {"SELECT name FROM owners", "not allowed to read owners.name"},
          {"SELECT source FROM wasgo_script_versions", "not allowed"},
          {"DELETE FROM pets", "not allowed"}
        ] do
      options = [deterministic: false, grants: [sql: ["pets"]]]
      {:ok, _} = Registry.put(store, "s", asking(statement), options)
      assert store |> Registry.load!("s") |> process() =~ expected
    end

    # Who loads a script may give it more.
    {:ok, _} =
      Registry.put(store, "s", asking("SELECT name FROM owners"),
        deterministic: false,
        grants: [sql: ["pets"]]
      )

    assert store |> Registry.load!("s", grant: [sql: store]) |> process() =~ "Ada"
  end

  test "a script's start, when it is checked, changes nothing", %{store: store} do
    start = "(start $begin) (func $begin (drop (call $ask)))"

    for statement <- ["DELETE FROM pets", "DROP TABLE pets", "DELETE FROM wasgo_scripts"] do
      options = [deterministic: false, grants: [sql: ["pets"]]]
      {:ok, _} = Registry.put(store, "s", asking(statement, start), options)
    end

    assert Store.query!(store, "SELECT name FROM pets").rows == [["Rex"]]
    assert {:ok, [_, _, _]} = Registry.versions(store, "s")
  end

  test "wrong terms raise, and say what is wrong", %{store: store} do
    for {options, words} <- [
          {[grants: [:clock]], ~r/can't grant :clock/},
          {[grants: [:random]], ~r/can't grant :random/},
          {[grants: [random: -1]], ~r/can't grant {:random, -1}/},
          {[grants: [state: State.new()]], ~r/can't grant {:state/},
          {[grants: [sql: ["pets"]], deterministic: true], ~r/to a deterministic script/},
          {[grants: [sql: []]], ~r/can't grant/},
          {[grants: [sql: "pets"]], ~r/can't grant/},
          {[grants: [sql: [""]]], ~r/a table .* must not be empty/},
          {[grants: [sql: [:pets]]], ~r/a table .* must be UTF-8 text/},
          {[grants: [sql: ["pets"]], limits: [fuel: 1]], ~r/option :fuel/},
          {[grants: [:state, :state]], ~r/:state more than once/},
          {[grants: ["state"]], ~r/can't grant "state"/},
          {[limits: [speed: 1]], ~r/no option :speed/},
          {[limits: [memory: -1]], ~r/option :memory/},
          {[limits: [timeout: :infinity]], ~r/option :timeout/},
          {[limits: [fuel: 1], deterministic: false], ~r/option :fuel/},
          {[deterministic: 1], ~r/option :deterministic/},
          {[colour: 1], ~r/no option :colour/}
        ] do
      assert_raise ArgumentError, words, fn -> Registry.put(store, "s", echo(), options) end
    end
  end

  test "components are refused where they have to be deterministic, whatever they begin with", %{
    store: store
  } do
    for source <- [
          @component,
          "(component)",
          " \n;; words\n(; a (; b ;) ;) ( (;;) component $name)"
        ] do
      assert {:error, %CompileError{} = error} = Registry.put(store, "s", source)
      assert Exception.message(error) =~ "it is a component"
      assert Exception.message(error) =~ "deterministic: false"
    end

    assert Registry.put(store, "s", @component, deterministic: false) == {:ok, 1}
    assert {:ok, %{columns: ["a", "b"], source: @component}} = Registry.get(store, "s")

    assert {:ok, %Script{columns: ["a", "b"], version: 1}} = Registry.load(store, "s")

    # That is told from text that only begins alike.
    for source <- ["(components)", "(component-x)", "(;", "(", ";;"] do
      assert {:error, %CompileError{} = error} = Registry.put(store, "s", source)
      refute Exception.message(error) =~ "it is a component"
    end
  end

  test "rows that Wasgo did not write are told, and not taken", %{store: store} do
    {:ok, 1} = Registry.put(store, "s", echo("a,b"), limits: [input: 10], grants: [:state])

    for {column, value} <- [
          {"limits", ~s|{"input":|},
          {"limits", "[1]"},
          {"limits", ~s|{"input":"10"}|},
          {"limits", ~s|{"input":1.5}|},
          {"limits", ~s|{"stack":10}|},
          {"limits", ~s|{"memory":4294967297}|},
          {"limits", ~s|{"timeout":0}|},
          {"limits", ~s|{"fuel":9223372036854775808}|},
          {"grants", ~s|{"files":true}|},
          {"grants", ~s|{"state":1}|},
          {"grants", ~s|{"random":-1}|},
          {"grants", ~s|{"sql":"pets"}|},
          {"grants", ~s|{"sql":[1]}|},
          {"grants", ~s|{"sql":["pets"]}|},
          {"grants", ~s|{"random":18446744073709551616}|},
          {"columns", "{}"},
          {"columns", ""},
          {"deterministic", 2}
        ] do
      {:ok, _} =
        Store.transaction(store, fn tx ->
          Store.execute!(tx, "UPDATE wasgo_script_versions SET #{column} = ?", [value])

          for result <- [Registry.load(tx, "s"), Registry.list(tx)] do
            assert {:error, %StoreError{reason: :malformed} = error} = result
            assert Exception.message(error) =~ ~s|version 1 of the script "s"|
          end

          Store.execute!(tx, "UPDATE wasgo_script_versions SET limits = NULL, grants = NULL")
          Store.execute!(tx, "UPDATE wasgo_script_versions SET columns = '[]', deterministic = 1")
        end)
    end

    Store.execute!(
      store,
      ~S|UPDATE wasgo_script_versions SET grants = ' { "state" : false } ', columns = '["\u00e9\n", "\ud83d\ude00"]'|
    )

    assert %{grants: [], columns: ["é\n", "😀"]} = Registry.get!(store, "s")
  end
end
