defmodule Wasgo.Wasm.DeterministicTest do
  use ExUnit.Case, async: true

  alias Wasgo.{LimitError, Script, TrapError}
  alias Wasgo.Wasm.{Instance, Module}

  # Mixes integers, floats (NaNs among them), memory, and random numbers for so many rounds; returns a hash of its memory.
  @mixer """
  (module
    (import "wasgo" "random" (func $random (result i64)))
    (memory (export "memory") 1)
    (func (export "mix") (param $rounds i32) (result i64) (local $at i32) (local $hash i64) (local $float f64)
      (local.set $hash (i64.const 0x9E3779B97F4A7C15))
      (loop $more
        (local.set $at (i32.and (i32.mul (local.get $rounds) (i32.const 2654435761)) (i32.const 0xFFF8)))
        (local.set $float (f64.div
          (f64.convert_i64_s (i64.sub (i64.rem_s (local.get $hash) (i64.const 7)) (i64.const 3)))
          (f64.convert_i64_s (i64.rem_s (i64.load (local.get $at)) (i64.const 3)))))
        (if (i32.eqz (i32.rem_u (local.get $rounds) (i32.const 100000)))
          (then (local.set $hash (i64.xor (local.get $hash) (call $random)))))
        (f64.store (local.get $at) (f64.sqrt (local.get $float)))
        (local.set $hash (i64.mul (i64.xor (i64.rotl (local.get $hash) (i64.const 13)) (i64.load (local.get $at)))
          (i64.const 0x2545F4914F6CDD1D)))
        (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
        (br_if $more (local.get $rounds)))
      (local.get $hash))
    (func (export "spin") (loop br 0)))
  """

  setup_all do
    {:ok, mixer: Module.compile!(@mixer, deterministic: true)}
  end

  defp mix(module, rounds) do
    instance = Instance.new!(module, grant: [random: 2026])
    {:ok, [hash]} = Instance.call(instance, "mix", [rounds])
    {:ok, memory} = Instance.read_memory(instance, 0, 65_536)
    {:ok, fuel} = Instance.fuel_used(instance)
    {hash, :erlang.md5(memory), fuel}
  end

  test "the same bytes and the same fuel on every run, sliced or not, alone or under load", %{
    mixer: module
  } do
    # A few thousand rounds end within one slice; millions take many.
    for rounds <- [2_000, 3_000_000] do
      alone = mix(module, rounds)

      spinning =
        for _ <- 1..(2 * System.schedulers_online()) do
          Task.async(fn ->
            Instance.call(Instance.new!(module, grant: [random: 1]), "spin", [],
              fuel: 3_000_000_000,
              timeout: 3_000
            )
          end)
        end

      loaded =
        Task.async_stream(1..8, fn _ -> mix(module, rounds) end,
          max_concurrency: 8,
          timeout: 60_000
        )

      assert Enum.all?(loaded, &(&1 == {:ok, alone}))
      Enum.each(spinning, &Task.shutdown(&1, :brutal_kill))
      assert mix(module, rounds) == alone
    end
  end

  test "the hash is the one that every machine has", %{mixer: module} do
    assert {hash, memory, fuel} = mix(module, 2_000)

    assert {hash, Base.encode16(memory, case: :lower), fuel} ==
             {6_651_031_692_697_514_189, "33ef6f31f7f866c9ee09aebe768719b1", 86_004}
  end

  test "fuel ends a call, which leaves the instance usable", %{mixer: module} do
    instance = Instance.new!(module, grant: [random: 1])

    for fuel <- [1, 1_000, 10_000_000] do
      assert {:error, %LimitError{reason: :fuel, value: ^fuel}} =
               Instance.call(instance, "spin", [], fuel: fuel)
    end

    # Fuel is looked at on loops' way back and at functions' entries, so that what comes after the last look is free.
    assert {:ok, [_hash]} = Instance.call(instance, "mix", [10], fuel: 10_000)
    {:ok, used} = Instance.fuel_used(instance)
    assert {:ok, [_hash]} = Instance.call(instance, "mix", [10], fuel: used)

    assert {:error, %LimitError{reason: :fuel}} =
             Instance.call(instance, "mix", [10], fuel: div(used, 2))
  end

  test "time ends a call only where it is asked for", %{mixer: module} do
    instance = Instance.new!(module, grant: [random: 1])

    assert {:error, %LimitError{reason: :time}} =
             Instance.call(instance, "spin", [], timeout: 30, fuel: 100_000_000_000)

    assert Instance.status(instance) == :poisoned
  end

  test "clocks, the system's randomness and databases can't be granted", %{mixer: module} do
    for grant <- [:clock, :random] do
      assert_raise ArgumentError,
                   ~r/can't grant #{inspect(grant)} to a deterministic guest/,
                   fn ->
                     Instance.new(module, grant: [grant])
                   end
    end
  end

  test "fuel and endless time are for deterministic guests only" do
    instance = Instance.new!(Module.compile!(~s|(module (func (export "f")))|))
    assert_raise ArgumentError, ~r/:fuel/, fn -> Instance.call(instance, "f", [], fuel: 5) end

    assert_raise ArgumentError, ~r/:infinity only for a deterministic/, fn ->
      Instance.call(instance, "f", [], timeout: :infinity)
    end
  end

  test "NaNs are canonical, whatever made them" do
    wat = """
    (module (func (export "nan") (param f64 f64) (result i64)
      (i64.reinterpret_f64 (f64.div (local.get 0) (local.get 1)))))
    """

    instance = Instance.new!(Module.compile!(wat, deterministic: true))

    for {a, b} <- [{0.0, 0.0}, {:nan, 1.0}, {:infinity, :neg_infinity}] do
      assert Instance.call(instance, "nan", [a, b]) == {:ok, [0x7FF8_0000_0000_0000]}
    end
  end

  test "a batch has the fuel of one call" do
    wat =
      ~s|(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))|

    instance = Instance.new!(Module.compile!(wat, deterministic: true))
    rows = for n <- 1..500, do: [n]
    assert {:ok, answers} = Instance.call_many(instance, "f", rows)
    assert answers == for(n <- 1..500, do: {:ok, [n + 1]})

    for rows <- [rows, Enum.take(rows, 5)] do
      assert {:error, %LimitError{reason: :fuel, value: 10}} =
               Instance.call_many(instance, "f", rows, fuel: 10)
    end
  end

  test "a batch within a function that the guest called has what is left of its fuel" do
    wat = """
    (module (import "env" "f" (func $f (param i64) (result i64)))
      (func (export "once") (param i64) (result i64) (call $f (local.get 0)))
      (func (export "trap") (if (i32.const 1) (then unreachable)))
      (func (export "spin") (loop br 0)))
    """

    test = self()

    function = fn
      caller, 0 ->
        send(test, Instance.call_many(caller, "spin", [[], []]))
        0

      caller, count ->
        send(test, Instance.call_many(caller, "trap", List.duplicate([], count)))
        0
    end

    imports = %{"env" => %{"f" => {[:i64], [:i64], function}}}
    instance = Instance.new!(Module.compile!(wat, deterministic: true), imports: imports)

    Instance.call(instance, "once", [0], fuel: 100_000)
    assert_received {:error, %LimitError{reason: :fuel, value: 100_000}}
    # A row that fails costs fuel too.
    assert Instance.call(instance, "once", [5], fuel: 100_000) == {:ok, [0]}
    assert_received {:ok, [_, _, _, _, {:error, %TrapError{reason: :unreachable}}]}
    Instance.call(instance, "once", [20], fuel: 100_000)
    assert_received {:error, %LimitError{reason: :fuel, value: 100_000}}
  end

  test "a script's rows are the same too, and cost fuel" do
    wander = File.read!("guest/scripts/wander.wasm")
    script = Script.new!(wander, deterministic: true)
    rows = for n <- 1..300, do: [n, n / 7, 10.0, 2.0, 20.0, 0.3]
    {:ok, one} = Script.notify_many(script, :process, rows)
    {:ok, other} = Script.notify_many(Script.new!(wander, deterministic: true), :process, rows)
    assert one == other

    for rows <- [rows, [hd(rows)]] do
      assert {:error, %LimitError{reason: :fuel}} =
               Script.notify_many(script, :process, rows, fuel: 20)
    end

    assert_raise ArgumentError, ~r/:deterministic/, fn ->
      Script.new(Module.compile!(wander), deterministic: true)
    end
  end
end
