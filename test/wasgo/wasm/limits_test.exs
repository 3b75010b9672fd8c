defmodule Wasgo.Wasm.LimitsTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.LimitError
  alias Wasgo.Wasm.{Instance, Limits, Module}

  doctest Wasgo.Wasm.Limits

  @mib 1_048_576

  describe "time" do
    test "an endless loop is stopped, and the limit told" do
      assert {:error, %LimitError{reason: :time, value: 30} = error} =
               Instance.call(instance!(spin()), "spin", [], timeout: 30)

      assert Exception.message(error) == "the call was stopped after its time limit of 30 ms"
    end

    test "an endless start function and an endless _initialize are stopped" do
      for source <- [
            "(module (func $f (loop br 0)) (start $f))",
            ~s|(module (func (export "_initialize") (loop br 0)))|
          ] do
        assert {:error, %LimitError{reason: :time, value: 25}} =
                 Instance.new(Module.compile!(source), timeout: 25)
      end
    end

    test "endless bulk instructions are stopped" do
      instance = instance!(~s|(module (memory 160) (func (export "fill")
          (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 10000000)) (br 0))))|)

      assert {:error, %LimitError{reason: :time}} =
               Instance.call(instance, "fill", [], timeout: 50)
    end
  end

  describe "memory" do
    test "a module that begins with more than its limit is refused" do
      module = Module.compile!("(module (memory 17))")
      assert {:ok, _} = Instance.new(module)

      assert {:error, %LimitError{reason: :memory, value: @mib, asked: asked} = error} =
               Instance.new(module, limits: [memory: @mib])

      assert asked == 17 * 65_536

      assert Exception.message(error) ==
               "the guest asked for #{asked} bytes of memory; its limit is #{@mib}"
    end

    test "growing past it answers -1, and the guest may carry on" do
      instance =
        instance!(
          ~s|(module (memory (export "memory") 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))|,
          limits: [memory: @mib]
        )

      assert Instance.call(instance, "grow", [15]) == {:ok, [1]}
      assert Instance.call(instance, "grow", [1]) == {:ok, [-1]}
      assert Instance.call(instance, "grow", [65_535]) == {:ok, [-1]}
      assert Instance.memory_size(instance) == {:ok, @mib}
      assert Instance.status(instance) == :idle
    end

    test "a guest that gives up because of it has hit its limit" do
      instance =
        instance!(
          ~s|(module (memory 1) (func (export "eat") (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))|
        )

      assert {:error, %LimitError{reason: :memory, value: value}} = Instance.call(instance, "eat")
      assert value == 64 * @mib
    end

    test "none at all may be allowed" do
      assert {:ok, _} = Instance.new(Module.compile!("(module)"), limits: [memory: 0])

      assert {:error, %LimitError{reason: :memory}} =
               Instance.new(Module.compile!("(module (memory 1))"), limits: [memory: 0])
    end
  end

  test "a stack that overflows is a limit, and the instance lives on" do
    instance = instance!(~s|(module (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
          (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))))))|)

    assert {:error, %LimitError{reason: :stack, value: 524_288} = error} =
             Instance.call(instance, "deep", [100_000_000])

    assert Exception.message(error) == "the guest used up its stack of 524288 bytes"
    assert Instance.call(instance, "deep", [1000]) == {:ok, [1000]}
  end

  describe "tables" do
    test "one that begins larger is refused" do
      assert {:error, %LimitError{reason: :table, value: 20_000, asked: 20_001} = error} =
               Instance.new(Module.compile!("(module (table 20001 funcref))"))

      assert Exception.message(error) =~ "a table of 20001 elements"

      assert {:ok, _} =
               Instance.new(Module.compile!("(module (table 20001 funcref))"),
                 limits: [table: 20_001]
               )
    end

    test "growing past the limit answers -1" do
      instance =
        instance!(
          ~s|(module (table $t 1 funcref) (func (export "grow") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0))))|,
          limits: [table: 10]
        )

      assert Instance.call(instance, "grow", [9]) == {:ok, [1]}
      assert Instance.call(instance, "grow", [1]) == {:ok, [-1]}
    end
  end

  test "limits are checked when they are made" do
    assert %Limits{memory: 67_108_864, table: 20_000} = Limits.new()
    assert Limits.new(Limits.new(table: 1)) == %Limits{table: 1}

    for {options, words} <- [
          {[memory: 4 * 1024 * @mib + 1],
           ~r/option :memory of Wasgo.Wasm.Limits must be an integer from 0 to 4294967296/},
          {[table: -1], ~r/option :table of/},
          {[input: 1.0], ~r/option :input of/},
          {[result: :all], ~r/option :result of/},
          {[cpu: 1], ~r/has no option :cpu/}
        ] do
      assert_raise ArgumentError, words, fn -> Limits.new(options) end
    end
  end
end
