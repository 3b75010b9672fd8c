defmodule Wasgo.Wasm.InstanceTest do
  use ExUnit.Case, async: true

  import Bitwise
  import Wasgo.TestGuests

  alias Wasgo.{DecodeError, InstanceError, LinkError, TrapError}
  alias Wasgo.Wasm.{Instance, Module}

  doctest Wasgo.Wasm.Instance

  @same """
  (module
    (func (export "i32") (param i32) (result i32) local.get 0)
    (func (export "i64") (param i64) (result i64) local.get 0)
    (func (export "f32") (param f32) (result f32) local.get 0)
    (func (export "f64") (param f64) (result f64) local.get 0)
    (func (export "v128") (param v128) (result v128) local.get 0)
    (func (export "ref") (result funcref) ref.null func)
    (func (export "take_ref") (param funcref))
    (func (export "all") (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)
      local.get 4 local.get 3 local.get 2 local.get 1 local.get 0)
    (global (export "global") i32 (i32.const 1)))
  """

  describe "values" do
    setup do
      instance = instance!(@same)

      {:ok,
       same: fn name, value -> instance |> Instance.call!(name, [value]) |> hd() end,
       instance: instance}
    end

    test "i32 takes both the signed and the unsigned range, and answers signed", %{same: same} do
      for value <- [0, 1, -1, 0x7FFF_FFFF, -0x8000_0000], do: assert(same.("i32", value) == value)
      assert same.("i32", 0xFFFF_FFFF) == -1
      assert same.("i32", 0x8000_0000) == -0x8000_0000
    end

    test "i64 takes both the signed and the unsigned range, and answers signed", %{same: same} do
      for value <- [0, -1, 0x7FFF_FFFF_FFFF_FFFF, -0x8000_0000_0000_0000],
          do: assert(same.("i64", value) == value)

      assert same.("i64", 0xFFFF_FFFF_FFFF_FFFF) == -1
      assert same.("i64", 0x8000_0000_0000_0000) == -0x8000_0000_0000_0000
    end

    test "floats, with what the BEAM has no floats for", %{same: same} do
      for type <- ["f32", "f64"], value <- [0.0, 1.5, -2.75, :nan, :infinity, :neg_infinity] do
        assert same.(type, value) === value
      end

      assert same.("f64", 0.1) === 0.1
      assert same.("f32", 0.1) === 0.10000000149011612
      assert same.("f32", 1.0e300) === :infinity
      assert <<1::1, 0::63>> = <<same.("f64", -0.0)::float>>
      assert same.("f64", 3) === 3.0
    end

    test "v128 is 16 bytes in memory's order", %{same: same} do
      bytes = :binary.list_to_bin(Enum.to_list(1..16))
      assert same.("v128", bytes) == bytes
    end

    test "several at once, in their order", %{instance: instance} do
      bytes = :binary.copy(<<7>>, 16)

      assert Instance.call(instance, "all", [1, 2, 3.5, 4.25, bytes]) ==
               {:ok, [bytes, 4.25, 3.5, 2, 1]}
    end

    test "a reference means nothing outside", %{instance: instance} do
      assert Instance.call(instance, "ref") == {:ok, [nil]}

      assert {:error, %InstanceError{reason: :arguments} = error} =
               Instance.call(instance, "take_ref", [nil])

      assert Exception.message(error) =~ "a reference, which can't be given from outside"
    end

    test "arguments that do not fit are named, and the instance is free afterwards", %{
      instance: instance
    } do
      for {name, value, wanted} <- [
            {"i32", 0x1_0000_0000, "a 32-bit integer"},
            {"i32", -0x8000_0001, "a 32-bit integer"},
            {"i32", 1.0, "a 32-bit integer"},
            {"i64", 0x1_0000_0000_0000_0000, "a 64-bit integer"},
            {"i64", "1", "a 64-bit integer"},
            {"f32", :huge, "a number, :nan, :infinity or :neg_infinity"},
            {"f64", nil, "a number, :nan, :infinity or :neg_infinity"},
            {"v128", "short", "a binary of 16 bytes"}
          ] do
        assert {:error, %InstanceError{reason: :arguments} = error} =
                 Instance.call(instance, name, [value])

        assert Exception.message(error) == ~s|argument 1 of "#{name}" must be #{wanted}|
        assert Instance.status(instance) == :idle
      end

      assert {:error, %InstanceError{reason: :arguments} = error} =
               Instance.call(instance, "i32", [1, 2])

      assert Exception.message(error) == ~s|"i32" takes 1 arguments, and 2 were given|
    end

    test "what is not exported, or no function, is named", %{instance: instance} do
      for name <- ["absent", "global"] do
        assert {:error, %LinkError{reason: :missing_export, name: ^name} = error} =
                 Instance.call(instance, name)

        assert Exception.message(error) == ~s|the module exports no function named "#{name}"|
      end

      assert_raise LinkError, fn -> Instance.call!(instance, "absent") end
    end
  end

  describe "traps" do
    @traps """
    (module
      (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
      (memory (export "memory") 1)
      (table 2 funcref)
      (type $nothing (func))
      (func $answers (result i32) i32.const 1)
      (elem (i32.const 0) $answers)
      (func $inner unreachable)
      (func $outer (export "unreachable") call $inner)
      (func (export "integer_division_by_zero") (drop (i32.div_s (i32.const 1) (i32.const 0))))
      (func (export "integer_overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
      (func (export "bad_conversion_to_integer") (drop (i32.trunc_f32_s (f32.const nan))))
      (func (export "memory_out_of_bounds") (drop (i32.load (i32.const 65536))))
      (func (export "table_out_of_bounds") (call_indirect (type $nothing) (i32.const 9)))
      (func (export "indirect_call_to_null") (call_indirect (type $nothing) (i32.const 1)))
      (func (export "bad_signature") (call_indirect (type $nothing) (i32.const 0)))
      (data (i32.const 100) "\\08\\00\\00\\00n\\00o\\00!\\00?\\00")
      (data (i32.const 200) "\\04\\00\\00\\00a\\00b\\00")
      (func (export "abort") (call $abort (i32.const 104) (i32.const 204) (i32.const 7) (i32.const 9)))
      (func (export "abort_wild") (call $abort (i32.const -2) (i32.const 0) (i32.const 7) (i32.const 9)))
      (func (export "one") (result i32) i32.const 1))
    """

    test "each is told by its name, and leaves the instance callable" do
      instance = instance!(@traps)

      for reason <-
            ~w(unreachable integer_division_by_zero integer_overflow bad_conversion_to_integer memory_out_of_bounds
               table_out_of_bounds indirect_call_to_null bad_signature)a do
        assert {:error, %TrapError{reason: ^reason} = error} =
                 Instance.call(instance, Atom.to_string(reason))

        assert Exception.message(error) != ""
        assert Instance.call(instance, "one") == {:ok, [1]}
      end
    end

    test "the guest's functions are named, innermost first" do
      assert {:error, %TrapError{} = error} = Instance.call(instance!(@traps), "unreachable")
      assert error.backtrace == ["inner", "outer"]
      assert Exception.message(error) =~ "in inner"
    end

    test "an AssemblyScript abort tells its words and place" do
      instance = instance!(@traps)
      assert {:error, %TrapError{reason: :abort} = error} = Instance.call(instance, "abort")
      assert Exception.message(error) == "abort: no!? in ab:7:9"
      assert {:error, %TrapError{reason: :abort} = error} = Instance.call(instance, "abort_wild")
      assert Exception.message(error) == "abort: no message"
    end

    test "a start function and _initialize may trap; both run before the first call" do
      assert {:error, %TrapError{reason: :unreachable}} =
               Instance.new(Module.compile!("(module (func $f unreachable) (start $f))"))

      assert {:error, %TrapError{reason: :unreachable}} =
               Instance.new(
                 Module.compile!(~s|(module (func (export "_initialize") unreachable))|)
               )

      instance =
        instance!("""
        (module (global $g (mut i32) (i32.const 1))
          (func $start (global.set $g (i32.mul (global.get $g) (i32.const 5)))) (start $start)
          (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 2))))
          (func (export "g") (result i32) global.get $g))
        """)

      assert Instance.call(instance, "g") == {:ok, [7]}
    end
  end

  describe "who may use it" do
    test "memory and globals stay from call to call, each instance has its own" do
      source = """
      (module (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) global.get $n))
      """

      module = Module.compile!(source)
      [one, other] = [Instance.new!(module), Instance.new!(module)]
      assert for(_ <- 1..3, do: Instance.call!(one, "next")) == [[1], [2], [3]]
      assert Instance.call!(other, "next") == [1]
      assert Task.await(Task.async(fn -> Instance.call!(one, "next") end)) == [4]
    end

    test "a second caller finds it busy, and so does who wants its memory" do
      instance = instance!(spin(), waiters: 0)
      task = Task.async(fn -> Instance.call(instance, "spin", [], timeout: 60_000) end)
      assert eventually(fn -> Instance.status(instance) == :busy end)

      for result <- [
            Instance.call(instance, "one"),
            Instance.memory_size(instance),
            Instance.read_memory(instance, 0, 1),
            Instance.read_memory(instance, 0, 2_000_000),
            Instance.write_memory(instance, 0, "x")
          ] do
        assert {:error, %InstanceError{reason: :busy} = error} = result
        assert Exception.message(error) =~ "busy with another call"
      end

      assert Instance.close(instance) == :ok
      assert {:error, %InstanceError{reason: :cancelled}} = Task.await(task)
    end

    test "a call that was stopped leaves it poisoned for everybody" do
      instance = instance!(spin())

      assert {:error, %Wasgo.LimitError{reason: :time}} =
               Instance.call(instance, "spin", [], timeout: 20)

      assert Instance.status(instance) == :poisoned

      for result <- [
            Instance.call(instance, "one"),
            Instance.memory_size(instance),
            Instance.write_memory(instance, 0, "x")
          ] do
        assert {:error, %InstanceError{reason: :poisoned} = error} = result
        assert Exception.message(error) =~ "make a new one"
      end

      assert Instance.call!(Instance.new!(instance.module), "one") == [1]
    end

    test "closing stops the call that is under way, and closing again does nothing" do
      instance = instance!(spin())
      task = Task.async(fn -> Instance.call(instance, "spin", [], timeout: 60_000) end)
      assert eventually(fn -> Instance.status(instance) == :busy end)
      assert Instance.close(instance) == :ok
      assert {:error, %InstanceError{reason: :cancelled}} = Task.await(task)
      assert Instance.close(instance) == :ok
      assert Instance.status(instance) == :closed
      assert {:error, %InstanceError{reason: :closed}} = Instance.call(instance, "one")
      assert {:error, %InstanceError{reason: :closed}} = Instance.read_memory(instance, 0, 1)
    end

    test "a caller's death cancels its call" do
      instance = instance!(spin())

      {caller, monitor} =
        spawn_monitor(fn -> Instance.call(instance, "spin", [], timeout: 600_000) end)

      assert eventually(fn -> Instance.status(instance) == :busy end)
      Process.exit(caller, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}, 5_000
      assert eventually(fn -> Instance.status(instance) == :poisoned end)
      assert {:error, %InstanceError{reason: :poisoned}} = Instance.call(instance, "one")
    end

    test "a call that goes on in the pool answers the same, and leaves no message behind" do
      instance =
        instance!("""
        (module (func (export "count") (param i64) (result i64) (local i64)
          (loop (local.set 1 (i64.add (local.get 1) (i64.const 1))) (br_if 0 (i64.lt_u (local.get 1) (local.get 0))))
          local.get 1))
        """)

      assert Instance.call(instance, "count", [30_000_000], timeout: 60_000) ==
               {:ok, [30_000_000]}

      assert Instance.call(instance, "count", [3]) == {:ok, [3]}
      refute_received _
    end

    test "other messages of the caller stay where they are" do
      send(self(), :mine)

      assert {:error, %Wasgo.LimitError{}} =
               Instance.call(instance!(spin()), "spin", [], timeout: 20)

      assert_received :mine
      refute_received _
    end
  end

  describe "memory" do
    @page 65_536

    setup do
      {:ok, instance: instance!(~s|(module (memory (export "memory") 48 64))|), size: 48 * @page}
    end

    test "its edges", %{instance: instance, size: size} do
      assert Instance.memory_size(instance) == {:ok, size}
      assert Instance.write_memory(instance, size - 3, "end") == :ok
      assert Instance.read_memory(instance, size - 3, 3) == {:ok, "end"}
      assert Instance.read_memory(instance, size, 0) == {:ok, ""}
      assert Instance.write_memory(instance, size, "") == :ok

      for {offset, length} <- [
            {size - 3, 4},
            {size, 1},
            {size + 1, 0},
            {1 <<< 40, 8},
            {(1 <<< 64) - 1, 1},
            {1 <<< 70, 1}
          ] do
        assert {:error, %InstanceError{reason: :out_of_bounds} = error} =
                 Instance.read_memory(instance, offset, length)

        assert Exception.message(error) =~ "outside of the memory, which has #{size} bytes"
      end

      assert {:error, %InstanceError{reason: :out_of_bounds}} =
               Instance.read_memory(instance, 0, 1 <<< 70)

      assert {:error, %InstanceError{reason: :out_of_bounds}} =
               Instance.write_memory(instance, size - 3, "four")

      assert {:error, %InstanceError{reason: :out_of_bounds}} =
               Instance.write_memory(instance, 1 <<< 70, "x")

      assert Instance.read_memory(instance, size - 3, 3) == {:ok, "end"}
    end

    test "more than a megabyte at once", %{instance: instance, size: size} do
      bytes = :crypto.strong_rand_bytes(2_000_001)
      assert Instance.write_memory(instance, 1_000_000, bytes) == :ok
      assert Instance.read_memory(instance, 1_000_000, 2_000_001) == {:ok, bytes}
      assert Instance.read_memory(instance, 999_999, 2) == {:ok, <<0, :binary.first(bytes)>>}

      assert {:error, %InstanceError{reason: :out_of_bounds}} =
               Instance.read_memory(instance, 1, size)

      assert {:error, %InstanceError{reason: :out_of_bounds}} =
               Instance.write_memory(instance, size - 2_000_000, bytes)

      assert {:ok, <<0, 0>>} = Instance.read_memory(instance, size - 2, 2)
    end

    test "a module without one says so" do
      instance = instance!("(module)")
      assert Instance.memory_size(instance) == {:ok, 0}

      assert {:error, %LinkError{reason: :missing_export, name: "memory"}} =
               Instance.read_memory(instance, 0, 0)

      assert {:error, %LinkError{reason: :missing_export, name: "memory"}} =
               Instance.write_memory(instance, 0, "")
    end
  end

  test "options that are wrong are named" do
    module = Module.compile!("(module)")

    assert_raise ArgumentError, ~r/Wasgo.Wasm.Instance.new\/2 has no option :speed/, fn ->
      Instance.new(module, speed: 1)
    end

    assert_raise ArgumentError, ~r/option :fuel of .* deterministic: true/, fn ->
      Instance.new(module, fuel: 1)
    end

    assert_raise ArgumentError, ~r/option :memory of Wasgo.Wasm.Limits/, fn ->
      Instance.new(module, limits: [memory: -1])
    end

    for timeout <- [0, -1, 1.5, 1 <<< 64] do
      assert_raise ArgumentError, ~r/option :timeout of .* milliseconds/, fn ->
        Instance.call(instance!(spin()), "one", [], timeout: timeout)
      end
    end
  end

  test "inspect tells the state" do
    instance = instance!(spin())
    module = "#Wasgo.Wasm.Module<#{instance.module.size} bytes, exports: memory, spin, one>"
    assert inspect(instance) == "#Wasgo.Wasm.Instance<idle, #{module}>"
    Instance.call(instance, "spin", [], timeout: 10)
    assert inspect(instance) == "#Wasgo.Wasm.Instance<poisoned, #{module}>"
    Instance.close(instance)
    assert inspect(instance) == "#Wasgo.Wasm.Instance<closed, #{module}>"
  end

  test "an export with the contract's name and another type is no instance's fault before it is used" do
    assert {:error, %LinkError{reason: :wrong_type, name: "_initialize"}} =
             Instance.new(Module.compile!(~s|(module (func (export "_initialize") (param i32)))|))

    refute match?(
             {:error, %DecodeError{}},
             Instance.new(Module.compile!(~s|(module (func (export "process")))|))
           )
  end

  describe "call_many/4" do
    @calc """
    (module
      (func (export "mix") (param i64 f64) (result f64 i64)
        (f64.mul (local.get 1) (f64.const 2)) (i64.add (local.get 0) (i64.const 1)))
      (func (export "check") (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
      (func (export "spin") (param i32) (loop (br_if 0 (local.get 0)))))
    """

    test "gives each row's results in order, few rows or many" do
      calc = instance!(@calc)
      assert Instance.call_many(calc, "mix", []) == {:ok, []}

      assert Instance.call_many(calc, "mix", [[1, 0.5], [-1, :infinity]]) ==
               {:ok, [{:ok, [1.0, 2]}, {:ok, [:infinity, 0]}]}

      rows = for number <- 1..20_000, do: [number, number / 4]
      assert {:ok, answers} = Instance.call_many(calc, "mix", rows)
      assert answers == for([number, float] <- rows, do: {:ok, [float * 2, number + 1]})
    end

    test "gives the error of a row in its place" do
      calc = instance!(@calc)

      assert {:ok, [{:ok, []}, {:error, error}, {:ok, []}]} =
               Instance.call_many(calc, "check", [[1], [0], [2]])

      assert %Wasgo.TrapError{reason: :unreachable} = error
      assert Instance.status(calc) == :idle
    end

    test "names the row and the argument that do not fit, and leaves the instance free" do
      calc = instance!(@calc)
      assert {:error, error} = Instance.call_many(calc, "mix", [[1, 2], [1, "two"]])
      assert Exception.message(error) =~ ~s|row 1: argument 2 of "mix" must be a number|
      assert {:error, error} = Instance.call_many(calc, "mix", [[1, 2], [1]])
      assert Exception.message(error) =~ ~s|row 1: "mix" takes 2 arguments, and 1 were given|
      assert {:error, %Wasgo.LinkError{name: "max"}} = Instance.call_many(calc, "max", [[1]])
      assert {:ok, [{:ok, [2.0, 2]}]} = Instance.call_many(calc, "mix", [[1, 1]])
    end

    test "ends all rows at the time limit" do
      calc = instance!(@calc)

      assert {:error, %Wasgo.LimitError{reason: :time}} =
               Instance.call_many(calc, "spin", [[0], [1], [0]], timeout: 30)

      assert Instance.status(calc) == :poisoned
    end
  end
end
