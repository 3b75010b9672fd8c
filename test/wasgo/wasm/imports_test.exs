defmodule Wasgo.Wasm.ImportsTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [instance!: 2, eventually: 1]

  alias Wasgo.{InstanceError, LimitError, LinkError, TrapError}
  alias Wasgo.Wasm.{Instance, Module}

  doctest Wasgo.Wasm.Imports
  doctest Wasgo.Wasm.Caller

  # Exports for each way a guest may use `env.f`, which takes and returns an i64.
  @guest """
  (module
    (import "env" "f" (func $f (param i64) (result i64)))
    (memory (export "memory") 1 4)
    (global (export "counter") (mut i32) (i32.const 7))
    (table (export "table") 2 funcref)
    (func (export "once") (param i64) (result i64) (call $f (local.get 0)))
    (func (export "times") (param i64) (result i64) (local $sum i64)
      (loop $more
        (local.set $sum (i64.add (local.get $sum) (call $f (local.get 0))))
        (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
        (br_if $more (i64.gt_s (local.get 0) (i64.const 0))))
      (local.get $sum))
    (func (export "work") (param i64) (result i64) (local i64)
      (loop $more
        (local.set 1 (i64.add (local.get 1) (i64.const 1)))
        (br_if $more (i64.lt_s (local.get 1) (i64.const 5000000))))
      (call $f (local.get 0)))
    (func (export "plain") (param i64) (result i64) (i64.add (local.get 0) (i64.const 100)))
    (func (export "spin") (loop br 0))
    (func (export "trap") unreachable))
  """

  defp guest(function), do: guest(function, [])

  defp guest(function, options) do
    imports = %{"env" => %{"f" => {[:i64], [:i64], function}}}
    instance!(@guest, [imports: imports] ++ options)
  end

  describe "a function written in Elixir" do
    test "is run with the guest's arguments, once or many times in a call" do
      assert Instance.call(guest(&(&1 + 1)), "once", [41]) == {:ok, [42]}
      assert Instance.call(guest(&(&1 * 2)), "times", [100]) == {:ok, [2 * 5050]}
    end

    test "is run also when the guest has left its caller's scheduler" do
      assert Instance.call(guest(&(&1 + 1)), "work", [1]) == {:ok, [2]}
    end

    test "takes and returns values of every type" do
      wat = """
      (module (import "m" "all" (func $all (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)))
        (func (export "all") (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)
          (call $all (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4))))
      """

      types = [:i32, :i64, :f32, :f64, :v128]
      reverse = fn a, b, c, d, e -> [e, d, c, b, a] end

      instance =
        instance!(wat, imports: %{"m" => %{"all" => {types, Enum.reverse(types), reverse}}})

      for values <- [
            [-1, 1 - Bitwise.bsl(1, 62), 0.5, 1.0e300, <<1::128>>],
            [5, 6, :nan, :infinity, :crypto.strong_rand_bytes(16)]
          ] do
        assert Instance.call(instance, "all", values) == {:ok, Enum.reverse(values)}
      end
    end

    test "returns what it likes where nothing is declared" do
      wat =
        ~s|(module (import "m" "tell" (func $tell (param i32))) (func (export "run") (call $tell (i32.const 5))))|

      test = self()
      tell = fn value -> send(test, {:told, value}) end
      instance = instance!(wat, imports: %{"m" => %{"tell" => {[:i32], [], tell}}})
      assert Instance.call(instance, "run") == {:ok, []}
      assert_received {:told, 5}
    end

    test "fails by its exception's message, and the instance lives on" do
      instance = guest(fn value -> if value < 0, do: raise("no #{value} here"), else: value end)

      assert {:error, %TrapError{reason: :import} = error} = Instance.call(instance, "once", [-3])
      assert Exception.message(error) == ~s|import "env.f": no -3 here|
      assert Instance.call(instance, "once", [3]) == {:ok, [3]}
    end

    test "fails by a throw, an exit or a value that does not fit" do
      for {function, words} <- [
            {fn _ -> throw(:ball) end, ":ball"},
            {fn _ -> exit(:gone) end, ":gone"},
            {fn _ -> "text" end, "must be a 64-bit integer"},
            {fn _ -> [1, 2] end, "must return 1 values, and returned 2"},
            {fn _ -> nil end, "result 1 must be"}
          ] do
        assert {:error, %TrapError{reason: :import} = error} =
                 Instance.call(guest(function), "once", [1])

        assert Exception.message(error) =~ words
      end
    end

    test "that is killed ends the call by an error" do
      instance = guest(fn _ -> Process.exit(self(), :kill) end)
      assert {:error, %TrapError{reason: :import} = error} = Instance.call(instance, "once", [1])
      assert Exception.message(error) =~ "the process that ran it has ended"

      rows = [[1], [2]]

      assert {:ok, [{:error, %TrapError{}}, {:error, %TrapError{}}]} =
               Instance.call_many(instance, "once", rows)
    end

    test "runs in a process that knows its caller and dies with the call" do
      test = self()

      instance =
        guest(fn value ->
          send(test, {self(), Process.get(:"$callers")})
          value
        end)

      assert Instance.call(instance, "once", [1]) == {:ok, [1]}
      assert_received {runner, [^test]}
      refute runner == test
      monitor = Process.monitor(runner)
      assert_receive {:DOWN, ^monitor, :process, _pid, _reason}, 5_000
    end

    test "that takes too long is ended with the call, and its process with it" do
      test = self()

      for function <- [
            fn -> Process.sleep(:infinity) end,
            fn -> Enum.each(Stream.cycle([1]), fn _ -> :ok end) end
          ] do
        instance =
          guest(fn _ ->
            send(test, self())
            function.()
          end)

        assert {:error, %LimitError{reason: :time, value: 500}} =
                 Instance.call(instance, "once", [1], timeout: 500)

        assert_received runner
        monitor = Process.monitor(runner)
        assert_receive {:DOWN, ^monitor, :process, _pid, _reason}, 5_000
        assert Instance.status(instance) == :poisoned
      end
    end

    test "ends when its caller dies" do
      test = self()

      instance =
        guest(fn _ ->
          send(test, self())
          Process.sleep(:infinity)
        end)

      caller = spawn(fn -> Instance.call(instance, "once", [1]) end)
      assert_receive runner, 5_000
      monitor = Process.monitor(runner)
      Process.exit(caller, :kill)
      assert_receive {:DOWN, ^monitor, :process, _pid, _reason}, 5_000
      assert eventually(fn -> Instance.status(instance) == :poisoned end)
    end

    test "leaves no message behind in its caller's mailbox" do
      instance = guest(fn value -> if value == 13, do: raise("x"), else: value end)
      for value <- 1..50, do: Instance.call(instance, "once", [value])
      Instance.call(instance, "once", [1], timeout: 1)
      assert {:messages, []} = Process.info(self(), :messages)
    end

    test "is there for the start function, and may read the memory then" do
      wat = """
      (module (import "env" "name" (func $name (param i32 i32)))
        (memory (export "memory") 1) (data (i32.const 16) "started")
        (func $start (call $name (i32.const 16) (i32.const 7))) (start $start))
      """

      test = self()

      name = fn caller, at, length ->
        send(test, Instance.read_memory(caller, at, length))
      end

      instance!(wat, imports: %{"env" => %{"name" => {[:i32, :i32], [], name}}})
      assert_received {:ok, "started"}
    end

    test "runs for each row of a batch" do
      instance = guest(fn value -> if value == 3, do: raise("three"), else: value * 10 end)
      rows = for value <- 1..200, do: [value]
      assert {:ok, answers} = Instance.call_many(instance, "once", rows)
      assert {:error, %TrapError{reason: :import}} = Enum.at(answers, 2)

      assert List.delete_at(answers, 2) ==
               for(value <- 1..200, value != 3, do: {:ok, [value * 10]})
    end
  end

  describe "through its caller a function" do
    test "does all that can be done with an instance" do
      test = self()

      function = fn caller, value ->
        :ok = Instance.write_memory(caller, 8, "written")

        send(test, [
          Instance.read_memory(caller, 8, 7),
          Instance.memory_size(caller),
          Instance.grow_memory(caller, 1),
          Instance.get_global(caller, "counter"),
          Instance.set_global(caller, "counter", 8),
          Instance.set_table(caller, "table", 0, "plain"),
          Instance.table_set?(caller, "table", 0),
          Instance.table_size(caller, "table"),
          Instance.call(caller, "plain", [value])
        ])

        value
      end

      instance = guest(function)
      assert Instance.call(instance, "once", [5]) == {:ok, [5]}

      assert_received [
        {:ok, "written"},
        {:ok, 65_536},
        {:ok, 65_536},
        {:ok, 7},
        :ok,
        :ok,
        {:ok, true},
        {:ok, 2},
        {:ok, [105]}
      ]

      assert Instance.get_global(instance, "counter") == {:ok, 8}
      assert Instance.memory_size(instance) == {:ok, 131_072}
    end

    test "calls the guest again, which calls it again, to a depth" do
      descend = fn caller, value ->
        if value == 0 do
          0
        else
          case Instance.call(caller, "once", [value - 1]) do
            {:ok, [below]} -> below + 1
            {:error, error} -> raise Exception.message(error)
          end
        end
      end

      instance = guest(descend)
      assert Instance.call(instance, "once", [10]) == {:ok, [10]}

      assert {:error, %TrapError{reason: :import} = error} =
               Instance.call(instance, "once", [100])

      assert Exception.message(error) =~ "32 times within functions"
      assert Instance.call(instance, "once", [10]) == {:ok, [10]}
    end

    test "gets the guest's trap as an error, and may go on" do
      function = fn caller, value ->
        assert {:error, %TrapError{reason: :unreachable}} = Instance.call(caller, "trap")

        assert {:error, %LinkError{reason: :missing_export}} = Instance.call(caller, "nothing")

        assert {:error, %InstanceError{reason: :arguments}} =
                 Instance.call(caller, "plain", ["x"])

        assert {:error, %InstanceError{reason: :out_of_bounds}} =
                 Instance.read_memory(caller, 65_530, 7)

        value
      end

      assert Instance.call(guest(function), "once", [1]) == {:ok, [1]}
    end

    test "calls what takes many slices, and is ended with the call's time" do
      function = fn caller, value ->
        if value > 0, do: Instance.call!(caller, "work", [0])
        Instance.call(caller, "spin")
        value
      end

      assert {:error, %LimitError{reason: :time}} =
               Instance.call(guest(function), "once", [1], timeout: 100)
    end

    test "is answered :closed when it has returned" do
      test = self()

      instance =
        guest(fn caller, value ->
          send(test, caller)
          value
        end)

      assert Instance.call(instance, "once", [1]) == {:ok, [1]}
      assert_received caller
      assert {:error, %InstanceError{reason: :closed}} = Instance.read_memory(caller, 0, 1)
      assert {:error, %InstanceError{reason: :closed}} = Instance.call(caller, "plain", [1])
    end
  end

  test "the instance itself, used within a function that its guest called, is the guest that waits" do
    {:ok, place} = Agent.start_link(fn -> nil end)

    instance =
      guest(fn value ->
        instance = Agent.get(place, & &1)
        {:ok, [sum]} = Instance.call(instance, "plain", [value])
        :ok = Instance.write_memory(instance, 0, "inside")
        {:ok, "inside"} = Instance.read_memory(instance, 0, 6)
        sum
      end)

    Agent.update(place, fn _ -> instance end)
    assert Instance.call(instance, "once", [1]) == {:ok, [101]}
    assert Instance.call(instance, "work", [1]) == {:ok, [101]}
  end

  describe "many rows within a function that the guest called" do
    # By the guest's own instance, or through the caller: `use` is given either.
    defp within(use) do
      {:ok, place} = Agent.start_link(fn -> nil end)

      by_instance =
        guest(fn value ->
          use.(Agent.get(place, & &1))
          value
        end)

      Agent.update(place, fn _ -> by_instance end)

      by_caller =
        guest(fn caller, value ->
          use.(caller)
          value
        end)

      for instance <- [by_instance, by_caller], export <- ["once", "work"] do
        assert Instance.call(instance, export, [1]) == {:ok, [1]}
      end
    end

    test "are called, each with its own failure" do
      within(fn guest ->
        assert Instance.call_many(guest, "plain", [[1], [2]]) ==
                 {:ok, [{:ok, [101]}, {:ok, [102]}]}

        assert {:ok, [{:error, %TrapError{reason: :unreachable}}, {:error, %TrapError{}}]} =
                 Instance.call_many(guest, "trap", [[], []])

        rows = for number <- 1..20_000, do: [number]
        assert {:ok, answers} = Instance.call_many(guest, "plain", rows)
        assert answers == for([number] <- rows, do: {:ok, [number + 100]})
        assert Instance.call_many(guest, "plain", []) == {:ok, []}
      end)
    end

    test "may be packed" do
      within(fn guest ->
        for count <- [0, 2, 50_000] do
          rows = for number <- 1..count//1, into: "", do: <<number::64-little>>
          results = for number <- 1..count//1, into: "", do: <<number + 100::64-little>>

          assert Instance.call_packed(guest, "plain", rows) ==
                   {:ok, %{results: results, errors: [], failed: 0}}
        end

        assert {:error, %InstanceError{reason: :arguments}} =
                 Instance.call_packed(guest, "plain", "abc")
      end)
    end

    test "are refused as they are elsewhere" do
      within(fn guest ->
        assert {:error, %InstanceError{reason: :arguments} = error} =
                 Instance.call_many(guest, "plain", [[1], ["x"]])

        assert Exception.message(error) =~ "row 1: argument 1"
        assert {:error, %LinkError{}} = Instance.call_many(guest, "nothing", [[1]])
      end)
    end

    test "may call functions themselves" do
      test = self()

      instance =
        guest(fn
          caller, 0 ->
            {:ok, answers} = Instance.call_many(caller, "once", [[1], [2], [3]])
            send(test, answers)
            0

          _caller, value ->
            value * 10
        end)

      assert Instance.call(instance, "once", [0]) == {:ok, [0]}
      assert_received [{:ok, [10]}, {:ok, [20]}, {:ok, [30]}]
    end

    test "end at a depth" do
      instance =
        guest(fn
          _caller, 0 ->
            0

          caller, value ->
            case Instance.call_many(caller, "once", [[value - 1]]) do
              {:ok, [{:ok, [depth]}]} -> depth + 1
              {:error, %LimitError{reason: :depth}} -> 0
            end
        end)

      assert Instance.call(instance, "once", [100]) == {:ok, [32]}
      assert Instance.call(instance, "once", [3]) == {:ok, [3]}
    end

    test "end with the time of the call that they are part of" do
      instance =
        guest(fn caller, value ->
          Instance.call_many(caller, "spin", [[], []])
          value
        end)

      assert {:error, %LimitError{reason: :time, value: 50}} =
               Instance.call(instance, "once", [1], timeout: 50)
    end
  end

  test "a function may use another instance, whose functions are its own" do
    for inner_export <- ["once", "work"] do
      inner = guest(&(&1 + 1_000))

      outer =
        guest(fn value ->
          {:ok, [answer]} = Instance.call(inner, inner_export, [value])
          answer * 2
        end)

      for value <- 1..50,
          do: assert(Instance.call!(outer, "once", [value]) == [2_000 + value * 2])

      assert Instance.call!(outer, "times", [3]) == [2_002 + 2_004 + 2_006]
    end
  end

  test "the guest of a function may be used by what that function waits for" do
    test = self()

    # The inner function asks the outer guest, which asks the outer function once more.
    inner =
      guest(fn value ->
        send(test, {:inner, self(), value})

        receive do
          {:answer, answer} -> answer
        end
      end)

    outer =
      guest(fn
        caller, 0 ->
          send(test, {:caller, caller})
          Instance.call!(inner, "once", [1]) |> hd()

        _caller, value ->
          value + 7
      end)

    call = Task.async(fn -> Instance.call(outer, "once", [0]) end)
    assert_receive {:caller, caller}, 5_000
    assert_receive {:inner, runner, 1}, 5_000
    assert Instance.call(caller, "work", [5]) == {:ok, [12]}
    send(runner, {:answer, 3})
    assert Task.await(call) == {:ok, [3]}
  end

  test "another process waits for its turn while a function runs" do
    test = self()

    instance =
      guest(fn value ->
        send(test, {:running, self()})
        receive do: (:go_on -> value)
      end)

    one = Task.async(fn -> Instance.call(instance, "once", [1]) end)
    assert_receive {:running, runner}, 5_000
    two = Task.async(fn -> Instance.call(instance, "plain", [1]) end)
    assert Task.yield(two, 50) == nil
    send(runner, :go_on)
    assert Task.await(one) == {:ok, [1]}
    assert Task.await(two) == {:ok, [101]}
  end

  test "many processes with instances of their own run functions at once" do
    module = Module.compile!(@guest)

    results =
      1..200
      |> Task.async_stream(
        fn number ->
          f = {[:i64], [:i64], fn value -> value + number end}
          instance = Instance.new!(module, imports: %{"env" => %{"f" => f}})
          Instance.call!(instance, "times", [50])
        end,
        max_concurrency: 50
      )
      |> Enum.map(fn {:ok, [sum]} -> sum end)

    assert results == for(number <- 1..200, do: 1275 + 50 * number)
  end

  describe "what does not fit" do
    test "is a link error for another type, and for an import that is not given" do
      module = Module.compile!(@guest)
      wrong = %{"env" => %{"f" => {[:i32], [:i64], & &1}}}

      assert {:error, %LinkError{reason: :wrong_type} = error} =
               Instance.new(module, imports: wrong)

      assert Exception.message(error) =~ "env.f"
      assert Exception.message(error) =~ "(i32) -> i64"

      other = %{"env" => %{"g" => {[:i64], [:i64], & &1}}}

      assert {:error, %LinkError{reason: :missing_import, module: "env", name: "f"}} =
               Instance.new(module, imports: other)
    end

    test "is named when it is no function, no type or no map" do
      module = Module.compile!(@guest)

      for {imports, words} <- [
            {%{"env" => %{"f" => {[:i64], [:i64], fn -> 1 end}}}, ~r/declares 1 parameters/},
            {%{"env" => %{"f" => {[:i65], [], & &1}}}, ~r/with types of/},
            {%{"env" => %{"f" => 5}}, ~r/must be \{parameter_types/},
            {%{"env" => 5}, ~r/imports of "env"/}
          ] do
        assert_raise ArgumentError, words, fn -> Instance.new(module, imports: imports) end
      end

      assert_raise ArgumentError, ~r/can't grant :everything/, fn ->
        Instance.new(module, grant: [:everything])
      end
    end
  end
end
