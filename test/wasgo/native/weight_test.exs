defmodule Wasgo.Native.WeightTest do
  use ExUnit.Case, async: true

  alias Wasgo.Native.Weight
  alias Wasgo.{Script, Store}

  @echo """
  (module
    (memory (export "memory") 40)
    (func (export "wasgo_alloc") (param i32) (result i32) i32.const 1024)
    (func $span (param i32 i32) (result i64)
      (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
    (func (export "_notification") (param i32 i32 i32) (result i64) (call $span (local.get 1) (local.get 2)))
    (func (export "process") (param i32 i32) (result i64) (call $span (local.get 0) (local.get 1))))
  """

  test "what is small is light, and what is many or large is heavy" do
    row = [1, 2.0, "text", nil]
    refute Weight.heavy?([])
    refute Weight.heavy?([row])
    refute Weight.heavy?(List.duplicate(row, 500))
    assert Weight.heavy?(List.duplicate(row, 2_000))
    assert Weight.heavy?([[String.duplicate("x", 4_000_000)]])
    assert Weight.heavy?([{:blob, String.duplicate("x", 4_000_000)}])
    assert Weight.heavy?([{"name", {:blob, String.duplicate("x", 4_000_000)}}])
    assert Weight.heavy?(String.duplicate(" ", 4_000_000), [])
    refute Weight.heavy?("SELECT ?", [1])
  end

  test "no more of a list is looked at than is needed" do
    assert Weight.heavy?(Enum.to_list(1..5_000) ++ [:whatever | :improper])
  end

  test "heavy batches and buffers give what light ones give" do
    script = Script.new!(@echo)

    rows =
      for number <- 1..5_000,
          do: [number, number / 2, "row #{number}", {:blob, <<number::32>>}, nil]

    assert {:ok, answers} = Script.notify_many(script, 1, rows)
    assert Enum.map(answers, fn {:ok, row} -> row end) == rows

    large = :binary.copy(<<1, 2, 3, 4, 5>>, 300_000)
    assert Script.process(script, large) == {:ok, large}
  end

  test "heavy statements and parameters reach a database whole" do
    store = Store.open!(:memory)
    large = :binary.copy(<<0, 255>>, 2_000_000)
    query = "SELECT ?1, length(?1)" <> String.duplicate(" ", 3_000_000)

    assert {:ok, %{rows: [[{:blob, ^large}, 4_000_000]]}} =
             Store.query(store, query, [{:blob, large}])

    :ok = Store.batch(store, "CREATE TABLE t (a)" <> String.duplicate(";", 3_000_000))

    assert {:ok, %{changes: 1}} =
             Store.execute(store, "INSERT INTO t VALUES (:a)", a: {:blob, large})

    assert %{rows: [[4_000_000]]} = Store.query!(store, "SELECT length(a) FROM t")
  end
end
