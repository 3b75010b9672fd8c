defmodule Wasgo.HostileKillsTest do
  @moduledoc """
  Callers and owners that are killed, at every stage of what they had begun: afterwards nothing is left under way, no instance stays busy,
  and everybody else is served.
  """

  # Memory, threads and processes of the whole VM are looked at.
  use ExUnit.Case, async: false

  import Wasgo.TestGuests, only: [instance!: 1, instance!: 2, eventually: 1, round_trip: 0]

  alias Wasgo.{HostileGuests, Script, Traces, TrapError}
  alias Wasgo.Wasm.{Command, Component, Instance, Module}

  @moduletag timeout: 300_000

  # Longer than any test: what is not ended by a death would be seen.
  @long 600_000

  @guest """
  (module
    (import "env" "f" (func $f (param i64) (result i64)))
    (memory (export "memory") 300)
    (func (export "once") (param i64) (result i64) (call $f (local.get 0)))
    (func (export "plain") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
    (func (export "rows") (param i32) (loop br 0))
    (func (export "eat") (memory.fill (i32.const 0) (i32.const 1) (i32.const 19660800)) (loop br 0))
    (func (export "spin") (loop br 0)))
  """

  @spin "(loop br 0)"

  setup do
    {:ok, healthy: instance!(~s|(module (func (export "one") (result i32) i32.const 1))|)}
  end

  defp guest(function) do
    instance!(@guest,
      waiters: 1_000,
      imports: %{"env" => %{"f" => {[:i64], [:i64], function}}}
    )
  end

  defp kill(pid) do
    monitor = Process.monitor(pid)
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^monitor, :process, _pid, _reason}, 60_000
  end

  # Begins `work` in a process, and kills that once it waits for what it began.
  defp begin_and_kill(work) do
    pid = spawn(work)
    assert eventually(fn -> Process.info(pid, :status) in [{:status, :waiting}, nil] end)
    kill(pid)
  end

  defp free?(instance), do: Instance.status(instance) != :busy

  # Everything is over: nobody runs on the engine's threads, and there are as many processes as before.
  defp check_quiet(context, processes) do
    assert Instance.call(context.healthy, "one") == {:ok, [1]}
    assert eventually(fn -> length(Process.list()) <= processes end)
    assert Traces.told?()

    assert Traces.quiet?()
  end

  defp each_stage(context, works) do
    processes = length(Process.list())
    for _ <- 1..5, work <- works, do: begin_and_kill(work)
    check_quiet(context, processes)
  end

  test "while it compiles", context do
    sources = for count <- 1..10, do: HostileGuests.functions(2_000 + count)

    processes = length(Process.list())
    for source <- sources, do: begin_and_kill(fn -> Module.compile(source) end)
    begin_and_kill(fn -> Script.new(HostileGuests.functions(3_000)) end)
    check_quiet(context, processes)

    # What nobody waited for is not in the way of who does.
    assert {:ok, _} = Module.compile(hd(sources))
  end

  test "in a start function, and in _initialize", context do
    start = Module.compile!("(module (memory 100) (func $f #{@spin}) (start $f))")
    initialize = Module.compile!(~s|(module (func (export "_initialize") #{@spin}))|)

    each_stage(
      context,
      for(module <- [start, initialize], do: fn -> Instance.new(module, timeout: @long) end)
    )
  end

  test "in the slices of a call, a batch, a notification and a buffer", context do
    test = self()
    instances = Agent.start_link(fn -> [] end) |> elem(1)
    script = Script.new!(HostileGuests.source("spin_in_notification"))
    process = Script.new!(HostileGuests.source("spin_in_process"))

    new = fn ->
      instance = guest(&send(test, &1))
      Agent.update(instances, &[instance | &1])
      instance
    end

    rows = List.duplicate([1], 2_000)

    each_stage(context, [
      fn -> Instance.call(new.(), "spin", [], timeout: @long) end,
      fn -> Instance.call(new.(), "eat", [], timeout: @long) end,
      fn -> Instance.call_many(new.(), "rows", rows, timeout: @long) end,
      fn -> Instance.call_packed(new.(), "rows", <<0::3200>>, timeout: @long) end,
      fn -> Script.notify_many(script, :process, [[1], [2]], timeout: @long) end,
      fn -> Script.process(process, "x", timeout: @long) end
    ])

    assert eventually(fn -> Enum.all?(Agent.get(instances, & &1), &free?/1) end)

    # Those were killed while they waited for an answer, none before it began.
    assert eventually(fn ->
             Enum.all?(Agent.get(instances, & &1), &(Instance.status(&1) in [:poisoned, :idle]))
           end)

    Agent.stop(instances)
  end

  test "at any moment of many short calls of one instance, which goes on", context do
    instance = guest(& &1)
    processes = length(Process.list())

    for round <- 1..200 do
      pid =
        spawn(fn ->
          Enum.each(Stream.cycle([1]), fn n -> Instance.call(instance, "plain", [n]) end)
        end)

      for _ <- 1..rem(round * 7, 23)//1, do: :erlang.yield()
      kill(pid)
    end

    assert eventually(fn -> free?(instance) end)

    # Short calls end in the slice that the death can't interrupt; one that met a tick was stopped, and says so.
    assert Instance.call(instance, "plain", [1]) == {:ok, [2]} or
             Instance.status(instance) == :poisoned

    check_quiet(context, processes)
  end

  test "in the line for an instance, which serves the others", context do
    test = self()

    instance =
      guest(fn value ->
        send(test, {:held, self()})
        receive do: (:go -> value)
      end)

    processes = length(Process.list())
    holder = Task.async(fn -> Instance.call(instance, "once", [1], timeout: @long) end)
    assert_receive {:held, runner}, 60_000

    waiting =
      for _ <- 1..300 do
        spawn(fn ->
          result = Instance.call(instance, "plain", [1], timeout: @long)
          send(test, {:served, self(), result})
        end)
      end

    assert eventually(fn ->
             Enum.all?(waiting, &(Process.info(&1, :status) == {:status, :waiting}))
           end)

    {dying, living} = Enum.split_with(waiting, &(:erlang.phash2(&1, 3) != 0))
    Enum.each(dying, &kill/1)
    send(runner, :go)
    assert Task.await(holder, 60_000) == {:ok, [1]}
    for pid <- living, do: assert_receive({:served, ^pid, {:ok, [2]}}, 60_000)
    assert eventually(fn -> Instance.status(instance) == :idle end)
    refute_received {:served, _, _}
    check_quiet(context, processes)
  end

  test "in a function written in Elixir, with or without the guest within it", context do
    test = self()
    processes = length(Process.list())

    functions = [
      fn _caller, _value -> Process.sleep(:infinity) end,
      fn _caller, _value -> Enum.each(Stream.cycle([1]), fn _ -> :ok end) end,
      fn caller, _value -> Instance.call(caller, "spin") end,
      fn caller, value ->
        if value > 0,
          do: Instance.call(caller, "once", [value - 1]),
          else: Process.sleep(:infinity)
      end,
      fn caller, _value ->
        Enum.each(Stream.cycle([1]), fn _ -> Instance.read_memory(caller, 0, 100) end)
      end
    ]

    for function <- functions, _ <- 1..5 do
      tag = make_ref()

      instance =
        guest(fn caller, value ->
          send(test, {:inside, tag, self()})
          function.(caller, value)
        end)

      caller = spawn(fn -> Instance.call(instance, "once", [3], timeout: @long) end)
      assert_receive {:inside, ^tag, runner}, 60_000
      monitor = Process.monitor(runner)
      kill(caller)
      assert_receive {:DOWN, ^monitor, :process, _pid, _reason}, 60_000
      # Stopped; or ended by a trap, if the guest heard of its function's end first.
      assert eventually(fn -> Instance.status(instance) in [:poisoned, :idle] end)
    end

    check_quiet(context, processes)
  end

  test "the process of such a function, at any of its stages: its guest is told", context do
    test = self()
    processes = length(Process.list())

    for function <- [
          fn _value ->
            send(test, {:inside, self()})
            Process.sleep(:infinity)
          end,
          fn caller, _value ->
            send(test, {:inside, self()})
            Enum.each(Stream.cycle([1]), fn _ -> Instance.call(caller, "plain", [1]) end)
          end
        ],
        _ <- 1..10 do
      instance = guest(function)
      task = Task.async(fn -> Instance.call(instance, "once", [3], timeout: @long) end)
      assert_receive {:inside, runner}, 60_000
      kill(runner)
      assert {:error, %TrapError{reason: :import}} = Task.await(task, 60_000)
      assert Instance.call(instance, "plain", [1]) == {:ok, [2]}
    end

    check_quiet(context, processes)
  end

  test "in a component, and in its start", context do
    component = fn body ->
      Component.compile!("""
      (component (core module $m (memory 200) #{body} (func (export "f") #{@spin}))
        (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))
      """)
    end

    spin = component.("")
    start = component.("(func $s #{@spin}) (start $s)")

    each_stage(context, [
      fn -> Component.call(Component.new!(spin), "f", [], timeout: @long) end,
      fn -> Component.new(start, timeout: @long) end
    ])
  end

  test "in a command", context do
    module =
      Module.compile!(
        ~s|(module (memory (export "memory") 100) (func (export "_start") #{@spin}))|
      )

    each_stage(context, [fn -> Command.run(module, timeout: @long) end])
  end

  test "owners of instances, with calls of others under way", context do
    test = self()
    processes = length(Process.list())

    for _ <- 1..10 do
      owner =
        spawn(fn ->
          instance = guest(& &1)
          send(test, {:owned, instance})
          Process.sleep(:infinity)
        end)

      assert_receive {:owned, instance}, 60_000
      task = Task.async(fn -> Instance.call(instance, "spin", [], timeout: 100) end)
      kill(owner)
      # The handle is what keeps an instance, whoever made it.
      assert {:error, %Wasgo.LimitError{reason: :time}} = Task.await(task, 60_000)
    end

    check_quiet(context, processes)
  end

  test "memory of guests whose callers died is given back", context do
    processes = length(Process.list())
    eat = Module.compile!(@guest)
    imports = %{"env" => %{"f" => {[:i64], [:i64], & &1}}}

    round = fn ->
      1..20
      |> Enum.map(fn _ ->
        spawn(fn ->
          Instance.call(Instance.new!(eat, imports: imports), "eat", [], timeout: @long)
        end)
      end)
      |> Enum.each(fn pid ->
        assert eventually(fn -> Process.info(pid, :status) == {:status, :waiting} end)
        kill(pid)
      end)
    end

    round.()
    check_quiet(context, processes)
    before = Traces.memory()
    # 200 instances that have 19 MB each: 3.9 GB, if they stayed.
    for _ <- 1..10, do: round.()
    check_quiet(context, processes)
    assert eventually(fn -> Traces.memory() < before + 500_000_000 end)
    round_trip()
  end
end
