defmodule Wasgo.HostileComponentsTest do
  @moduledoc """
  Components that mean harm: each a core module's functions and how they are lifted, what is called, and the answer it must get. After
  each a healthy one answers.
  """

  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [eventually: 1]

  alias Wasgo.{InstanceError, LimitError, Script, TrapError}
  alias Wasgo.Wasm.Component

  @moduletag timeout: 120_000

  @mib 1_048_576

  # A component of one module. `realloc` is the body of its `cabi_realloc`.
  defp component(functions, lifts, realloc \\ "(i32.const 4096)") do
    """
    (component
      (core module $m
        (memory (export "memory") 2)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) #{realloc})
        #{functions})
      (core instance $i (instantiate $m))
      (alias core export $i "memory" (core memory $memory))
      (alias core export $i "cabi_realloc" (core func $realloc))
      #{lifts})
    """
  end

  defp lift(type, core \\ "f", more \\ "") do
    """
    (func (export "f") #{type} (canon lift (core func $i "#{core}")
      (memory $memory) (realloc $realloc) #{more}))
    """
  end

  @bare ~s|(func (export "f") (canon lift (core func $i "f")))|

  # A function that returns a pointer to a pair: where something lies, and how long it is.
  defp pair(pointer, length) do
    """
    (func (export "f") (result i32)
      (i32.store (i32.const 16) (i32.const #{pointer}))
      (i32.store (i32.const 20) (i32.const #{length}))
      (i32.const 16))
    """
  end

  defp answer(source, arguments \\ [], options \\ []) do
    {limits, options} = Keyword.split(options, [:limits])

    with {:ok, component} <- Component.compile(source),
         {:ok, instance} <- Component.new(component, limits),
         do: Component.call(instance, "f", arguments, options)
  end

  setup_all do
    add =
      component(
        ~s|(func (export "f") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))|,
        lift(~s|(param "a" u32) (param "b" u32) (result u32)|)
      )

    {:ok, healthy: Component.new!(Component.compile!(add))}
  end

  defp check(context, answer, struct, reason) do
    assert {:error, %{__struct__: ^struct, reason: ^reason} = error} = answer
    assert byte_size(Exception.message(error)) < 2_000
    assert Component.call(context.healthy, "f", [40, 2]) == {:ok, 42}
    error
  end

  describe "what never ends is stopped:" do
    test "a loop in a call", context do
      source = component(~s|(func (export "f") (loop br 0))|, @bare)
      check(context, answer(source, [], timeout: 30), LimitError, :time)
    end

    test "a loop in a start function", context do
      source = component(~s|(func $s (loop br 0)) (start $s) (func (export "f"))|, @bare)

      made = Component.new(Component.compile!(source), timeout: 30)
      check(context, made, LimitError, :time)
    end

    test "a loop in what makes room for an argument", context do
      source =
        component(
          ~s|(func (export "f") (param i32 i32))|,
          lift(~s|(param "a" string)|),
          "(loop br 0) (i32.const 0)"
        )

      check(context, answer(source, ["text"], timeout: 30), LimitError, :time)
    end

    test "a loop in what comes after a result", context do
      source =
        component(
          pair(64, 3) <> ~s|(func (export "after") (param i32) (loop br 0))|,
          lift("(result string)", "f", ~s|(post-return (core func $i "after"))|)
        )

      check(context, answer(source, [], timeout: 30), LimitError, :time)
    end

    test "a loop in a destructor", context do
      source = """
      (component
        (core module $d (func (export "dtor") (param i32) (loop br 0)))
        (core instance $d (instantiate $d))
        (type $t (resource (rep i32) (dtor (core func $d "dtor"))))
        (core func $new (canon resource.new $t))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
          (func (export "f") (result i32) (call $new (i32.const 7))))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (export $e "t" (type $t))
        (func (export "f") (result (own $e)) (canon lift (core func $i "f"))))
      """

      instance = Component.new!(Component.compile!(source))
      {:ok, thing} = Component.call(instance, "f")
      dropped = Component.drop(instance, thing, timeout: 50)
      check(context, dropped, LimitError, :time)
      assert {:error, %InstanceError{reason: :poisoned}} = Component.call(instance, "f")
    end

    test "two modules that call each other through a table", context do
      source = """
      (component
        (core module $m
          (table (export "t") 1 funcref)
          (func (export "f") (loop (call_indirect (i32.const 0)) (br 0))))
        (core instance $i (instantiate $m))
        (core module $o
          (import "i" "t" (table 1 funcref)) (func $nothing) (elem (i32.const 0) $nothing))
        (core instance (instantiate $o (with "i" (instance $i))))
        #{@bare})
      """

      check(context, answer(source, [], timeout: 30), LimitError, :time)
    end
  end

  describe "what takes too much is refused:" do
    test "recursion", context do
      source = component(~s|(func $f (export "f") (call $f))|, @bare)
      check(context, answer(source), LimitError, :stack)
    end

    test "recursion in what makes room", context do
      source = """
      (component
        (core module $m
          (memory (export "memory") 1)
          (func $r (export "r") (param i32 i32 i32 i32) (result i32)
            (i32.add (i32.const 1) (call $r (local.get 0) (local.get 1) (local.get 2) (local.get 3))))
          (func (export "f") (param i32 i32)))
        (core instance $i (instantiate $m))
        (func (export "f") (param "a" string)
          (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "r")))))
      """

      check(context, answer(source, ["text"]), LimitError, :stack)
    end

    test "memory by the page, in one memory and in many", context do
      grow =
        ~s|(func (export "f") (loop (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) (br 0)))|

      error = check(context, answer(component(grow, @bare)), LimitError, :memory)
      assert error.value == 64 * @mib
      limits = [memory: 4 * @mib]

      error =
        check(context, answer(component(grow, @bare), [], limits: limits), LimitError, :memory)

      assert error.value == 4 * @mib
    end

    test "memory that is declared", context do
      one = "(core module $m (memory 200)) "

      six = "(component #{one} #{String.duplicate("(core instance (instantiate $m)) ", 6)})"

      made = Component.new(Component.compile!(six))
      check(context, made, LimitError, :memory)

      assert {:ok, _} =
               Component.new(Component.compile!(String.replace(six, "memory 200", "memory 150")))
    end

    test "17 memories", context do
      source =
        "(component (core module $m (memory 0)) #{String.duplicate("(core instance (instantiate $m)) ", 17)})"

      check(context, Component.new(Component.compile!(source)), LimitError, :parts)
    end

    test "129 instances of modules", context do
      source =
        "(component (core module $m) #{String.duplicate("(core instance (instantiate $m)) ", 129)})"

      check(context, Component.new(Component.compile!(source)), LimitError, :parts)
    end

    test "a table", context do
      source =
        component(
          ~s|(table 1 funcref) (func (export "f") (if (i32.eq (table.grow (ref.null func) (i32.const 20000)) (i32.const -1)) (then unreachable)))|,
          @bare
        )

      check(context, answer(source), LimitError, :table)
    end

    test "components within components without end in sight", context do
      # Each holds two of the one before: 2^12 instances of the innermost's module.
      nested =
        Enum.reduce(1..12, "(core module $m) (core instance (instantiate $m))", fn _, inner ->
          "(component $c #{inner}) (instance (instantiate $c)) (instance (instantiate $c))"
        end)

      answer =
        with {:ok, component} <- Component.compile("(component #{nested})"),
             do: Component.new(component)

      assert {:error, %struct{}} = answer
      assert struct in [LimitError, Wasgo.CompileError]
      assert Component.call(context.healthy, "f", [1, 2]) == {:ok, 3}
    end

    test "handles", context do
      source = """
      (component
        (type $t (resource (rep i32)))
        (core func $new (canon resource.new $t))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
          (func (export "f") (loop (drop (call $new (i32.const 7))) (br 0))))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        #{@bare})
      """

      check(context, answer(source, [], timeout: 30_000), TrapError, :canonical_abi)
    end
  end

  describe "what lies about a result is told:" do
    @lies [
      {"a text past the end", 131_072, 1},
      {"a text that ends a byte past the end", 131_064, 9},
      {"a text that wraps", 0xFFFF_FFF8, 16},
      {"a text of 2^32 - 1 bytes", 0, 0xFFFF_FFFF},
      {"a text of 2^31 bytes", 8, 0x8000_0000},
      {"a text from nowhere", 0xFFFF_FFFF, 0xFFFF_FFFF}
    ]

    for {name, pointer, length} <- @lies do
      test name, context do
        source = component(pair(unquote(pointer), unquote(length)), lift("(result string)"))
        check(context, answer(source), TrapError, :canonical_abi)
      end

      test "#{name}, as a list of numbers", context do
        source = component(pair(unquote(pointer), unquote(length)), lift("(result (list u64))"))

        check(context, answer(source), TrapError, :canonical_abi)
      end
    end

    test "where the pair itself lies", context do
      for at <- [131_068, 131_072, -1, -4, 18] do
        source =
          component(
            ~s|(func (export "f") (result i32) (i32.const #{at}))|,
            lift("(result string)")
          )

        check(context, answer(source), TrapError, :canonical_abi)
      end
    end

    test "a text that is not UTF-8", context do
      bad = ~S|(data (i32.const 64) "\c3\28\ed\a0\80\ff")|

      for {at, length} <- [{64, 2}, {66, 3}, {69, 1}, {64, 1}] do
        source = component(pair(at, length) <> bad, lift("(result string)"))
        check(context, answer(source), TrapError, :canonical_abi)
      end
    end

    test "a list of numbers at an odd place", context do
      source = component(pair(65, 2), lift("(result (list u32))"))
      check(context, answer(source), TrapError, :canonical_abi)
    end

    test "characters, cases and options that are none", context do
      for {type, value} <- [
            {"char", 0xD800},
            {"char", 0x11_0000},
            {"char", -1},
            {"(enum \"a\" \"b\")", 2},
            {"(enum \"a\" \"b\")", -1}
          ] do
        source = """
        (component
          (core module $m (func (export "f") (result i32) (i32.const #{value})))
          (core instance $i (instantiate $m))
          (type $t #{type}) (export $e "t" (type $t))
          (func (export "f") (result $e) (canon lift (core func $i "f"))))
        """

        check(context, answer(source), TrapError, :canonical_abi)
      end

      for type <- ["(option u32)", "(result u32)"] do
        source = component(pair(2, 9), lift("(result #{type})"))
        check(context, answer(source), TrapError, :canonical_abi)
      end
    end

    test "lists within lists that are all the same one", context do
      # 8,000 lists of 60,000 bytes each: half a gigabyte out of two pages.
      fill = """
      (func (export "f") (result i32) (local i32)
        (local.set 0 (i32.const 0))
        (loop $more
          (i32.store (i32.add (i32.const 66000) (i32.mul (local.get 0) (i32.const 8))) (i32.const 32))
          (i32.store offset=4 (i32.add (i32.const 66000) (i32.mul (local.get 0) (i32.const 8))) (i32.const 60000))
          (local.set 0 (i32.add (local.get 0) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get 0) (i32.const 8000))))
        (i32.store (i32.const 16) (i32.const 66000)) (i32.store (i32.const 20) (i32.const 8000))
        (i32.const 16))
      """

      for type <- ["(list (list u8))", "(list string)"] do
        check(
          context,
          answer(component(fill, lift("(result #{type})"))),
          LimitError,
          :result_size
        )
      end
    end

    test "a handle that was never given", context do
      for {handle, more} <- [
            {0, ""},
            {7, ""},
            {-1, ""},
            {1, "(call $drop (call $new (i32.const 5)))"}
          ] do
        source = """
        (component
          (type $t (resource (rep i32)))
          (core func $new (canon resource.new $t))
          (core func $drop (canon resource.drop $t))
          (core module $m
            (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
            (func (export "f") (result i32) #{more} (i32.const #{handle})))
          (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
          (export $e "t" (type $t))
          (func (export "f") (result (own $e)) (canon lift (core func $i "f"))))
        """

        assert {:error, %TrapError{}} = answer(source)
        assert Component.call(context.healthy, "f", [1, 2]) == {:ok, 3}
      end
    end
  end

  describe "what lies about room for an argument is told:" do
    test "a place past the end, wrapping, or crooked", context do
      for place <- [131_072, 131_070, 0xFFFF_FFFF, 0xFFFF_FFF8] do
        source =
          component(
            ~s|(func (export "f") (param i32 i32))|,
            lift(~s|(param "a" string)|),
            "(i32.const #{place})"
          )

        check(context, answer(source, ["four"]), TrapError, :canonical_abi)
      end

      source =
        component(
          ~s|(func (export "f") (param i32 i32))|,
          lift(~s|(param "a" (list u64))|),
          "(i32.const 4097)"
        )

      check(context, answer(source, [[1, 2]]), TrapError, :canonical_abi)
    end

    test "a trap, and no room at all", context do
      source =
        component(
          ~s|(func (export "f") (param i32 i32))|,
          lift(~s|(param "a" string)|),
          "unreachable"
        )

      check(context, answer(source, ["four"]), TrapError, :unreachable)
    end
  end

  describe "functions of the host" do
    @host """
    (component
      (import "host" (func $host (param "a" (list u8)) (result u32)))
      (core module $memory (memory (export "memory") 600)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8)))
      (core instance $memory (instantiate $memory))
      (core func $host' (canon lower (func $host) (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
      (core module $m
        (import "" "host" (func $host (param i32 i32) (result i32)))
        (func (export "f") (param i32 i32) (result i32) (call $host (local.get 0) (local.get 1)))
        (func (export "flood") (loop (drop (call $host (i32.const 0) (i32.const 1000))) (br 0))))
      (core instance $i (instantiate $m (with "" (instance (export "host" (func $host'))))))
      (func (export "flood") (canon lift (core func $i "flood")))
      (func (export "f") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "f"))))
    """

    defp host(function) do
      Component.new!(Component.compile!(@host), imports: %{"host" => function})
    end

    test "are given no list that lies outside of the memory, or is too long", context do
      test = self()

      for {at, length} <- [
            {600 * 65_536, 1},
            {0xFFFF_FFFF, 8},
            {0, 0xFFFF_FFFF},
            {8, 600 * 65_536}
          ] do
        called = Component.call(host(&send(test, {:called, &1})), "f", [at, length])
        check(context, called, TrapError, :canonical_abi)
      end

      refute_received {:called, _}
      instance = host(fn bytes -> byte_size(bytes) end)
      assert Component.call(instance, "f", [0, @mib]) == {:ok, @mib}
    end

    test "that never return are ended with the call, and so is a guest that never stops asking",
         context do
      instance = host(fn _ -> Process.sleep(:infinity) end)
      check(context, Component.call(instance, "f", [0, 1], timeout: 50), LimitError, :time)
      instance = host(fn _ -> 1 end)
      check(context, Component.call(instance, "flood", [], timeout: 100), LimitError, :time)
      assert {:messages, []} = Process.info(self(), :messages)
    end

    test "can't be made to enter their guest again, nor to wait for it for ever", context do
      {:ok, place} = Agent.start_link(fn -> nil end)

      instance =
        host(fn _ ->
          {:error, %InstanceError{reason: :busy}} =
            Component.call(Agent.get(place, & &1), "f", [0, 1])

          5
        end)

      Agent.update(place, fn _ -> instance end)
      assert Component.call(instance, "f", [0, 1]) == {:ok, 5}
      assert Component.call(context.healthy, "f", [1, 2]) == {:ok, 3}
    end
  end

  test "WASI's streams, clocks and pollables can't be made to take memory without end", context do
    source = """
    (component
      (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
      (alias export $poll "pollable" (type $pollable))
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $p')) (export "pollable" (type $p (eq $p')))
        (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
      (core func $subscribe (canon lower (func $clock "subscribe-duration")))
      (core module $m (import "" "subscribe" (func $subscribe (param i64) (result i32)))
        (func (export "f") (loop (drop (call $subscribe (i64.const -1))) (br 0))))
      (core instance $i (instantiate $m (with "" (instance (export "subscribe" (func $subscribe))))))
      #{@bare})
    """

    assert {:error, %struct{}} = answer(source, [], timeout: 20_000)
    assert struct == TrapError
    assert Component.call(context.healthy, "f", [1, 2]) == {:ok, 3}
  end

  test "many that trap, loop and eat at once leave the healthy one answering", context do
    bad = [
      {~s|(func (export "f") unreachable)|, []},
      {~s|(func (export "f") (loop br 0))|, [timeout: 50]},
      {~s|(func $f (export "f") (call $f))|, []},
      {~s|(func (export "f") (drop (memory.grow (i32.const 900))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 59000000)) unreachable)|,
       []}
    ]

    compiled =
      for {body, options} <- bad, do: {Component.compile!(component(body, @bare)), options}

    1..80
    |> Task.async_stream(
      fn number ->
        {component, options} = Enum.at(compiled, rem(number, 4))
        instance = Component.new!(component)
        assert {:error, _} = Component.call(instance, "f", [], options)
        assert {:error, %InstanceError{reason: :poisoned}} = Component.call(instance, "f")
      end,
      max_concurrency: 16,
      timeout: 60_000
    )
    |> Stream.run()

    assert eventually(fn -> Component.call(context.healthy, "f", [1, 2]) == {:ok, 3} end)
  end

  test "a script that is a hostile component is no worse" do
    source = component(~s|(func (export "f") (loop br 0))|, @bare)
    assert {:error, _} = Script.new(source)
  end
end
