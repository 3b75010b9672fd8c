defmodule Wasgo.ScriptComponentTest do
  use ExUnit.Case, async: true

  alias Wasgo.{LimitError, LinkError, Script, TrapError}
  alias Wasgo.Wasm.Component

  @source "test/support/guests_src/script_component/script_component.wasm"

  setup_all do
    {:ok, script: Script.new!(File.read!(@source), name: "echo")}
  end

  test "a script may be a component's bytes, its text or a compiled one", %{script: script} do
    assert script.exports == [:notification, :process, :generate]
    assert script.columns == ["a", "b"]

    assert inspect(script) =~
             ~r/#Wasgo.Script<"echo", notification and process and generate, columns a, b, \d+ bytes>/

    assert {:ok, %Script{columns: ["a", "b"]}} =
             @source |> File.read!() |> Component.compile!() |> Script.new()

    assert {:error, %LinkError{reason: :missing_export}} = Script.new("(component)")
  end

  test "rows of every type of value come back as they went", %{script: script} do
    for row <- [
          [1, "text"],
          [-0x8000_0000_0000_0000, 2.5],
          [{:blob, <<0, 255>>}, nil],
          [:nan, :infinity],
          ["", {:blob, ""}]
        ] do
      assert Script.notify(script, :process, row) == {:ok, row}
    end

    assert Script.notify(script, 98, [1, 2]) == {:ok, nil}
  end

  test "one row's failure is its own, and the others run", %{script: script} do
    assert {:ok, [{:ok, [1, 2]}, {:error, %TrapError{reason: :unreachable}}, {:ok, [3, 4]}]} =
             Script.notify_many(script, 17, [[1, 2], [7, 2], [3, 4]])

    assert {:error, %TrapError{reason: :failed} = error} = Script.notify(script, 96, [1, 2])
    assert Exception.message(error) == "notification answered with an error: not today"
    assert {:error, %TrapError{}} = Script.notify(script, 99, [1, 2])
    assert Script.notify(script, 17, [5, 6]) == {:ok, [5, 6]}
  end

  test "a row of another length than its columns is refused", %{script: script} do
    assert {:error, %Wasgo.DecodeError{}} = Script.notify(script, 17, [1, 2, 3])
  end

  test "an endless loop is stopped", %{script: script} do
    assert {:error, %LimitError{reason: :time, value: 30}} =
             Script.notify(script, 97, [1, 2], timeout: 30)

    assert Script.notify(script, 17, [1, 2]) == {:ok, [1, 2]}
  end

  test "many processes use it at once", %{script: script} do
    rows = fn number -> for index <- 1..50, do: [number * 1_000 + index, "text"] end

    1..8
    |> Enum.map(&Task.async(fn -> {rows.(&1), Script.notify_many(script, 17, rows.(&1))} end))
    |> Task.await_many(30_000)
    |> Enum.each(fn {rows, answers} -> assert answers == {:ok, Enum.map(rows, &{:ok, &1})} end)
  end

  test "process answers buffers, joined or each for itself", %{script: script} do
    assert Script.process(script, "one|two") == {:ok, "onetwo"}
    assert Script.process_many(script, "one|two") == {:ok, ["one", "two"]}
    assert Script.process_many(script, "") == {:ok, []}
    assert Script.process(script, "") == {:ok, ""}
    large = :binary.copy("abcdefgh", 500_000)
    assert Script.process(script, large) == {:ok, large}
    assert {:error, %TrapError{reason: :failed} = error} = Script.process(script, "!")
    assert Exception.message(error) == "process answered with an error: no"
  end

  test "its limits hold" do
    script = Script.new!(File.read!(@source), limits: [input: 100, result: 1_000])

    assert {:error, %LimitError{reason: :input_size}} =
             Script.process(script, String.duplicate("a", 101))

    assert {:ok, _} = Script.process(script, String.duplicate("a", 100))
  end

  test "functions of other types than the contract's are told" do
    source = """
    (component
      (core module $m (memory (export "memory") 1) (func (export "f") (param i32) (result i32) local.get 0))
      (core instance $i (instantiate $m))
      (func (export "notification") (param "what" s32) (result s32) (canon lift (core func $i "f"))))
    """

    assert {:error, %LinkError{reason: :wrong_type, name: "notification"} = error} =
             Script.new(source)

    assert Exception.message(error) =~ "func(what: s32) -> s32"
  end

  test "generates, and what is no script of the kind says so", %{script: script} do
    assert Script.generate(script, 1, {2, 3}, lod: 4) == {:ok, "1 2 3 4"}
    echo = Script.new!(Wasgo.TestGuests.echo())

    assert {:error, %LinkError{reason: :missing_export, name: "generate"}} =
             Script.generate(echo, 1, {2, 3})
  end

  test "a component that imports nothing may be granted anything" do
    script = Script.new!(File.read!(@source), grant: [:clock, :log, :emit, random: 7])
    assert Script.notify(script, :process, [1, 2]) == {:ok, [1, 2]}
  end
end
