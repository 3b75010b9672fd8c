defmodule Wasgo.HostileCrowdsTest do
  @moduledoc """
  Very many at once: callers of one instance, instances that make instances, and as many instances as there can be.
  """

  # They leave no room for others.
  use ExUnit.Case, async: false

  import Wasgo.TestGuests, only: [instance!: 1, instance!: 2, eventually: 1]

  alias Wasgo.{InstanceError, LimitError, Traces, TrapError}
  alias Wasgo.Wasm.{Instance, Module}

  @moduletag timeout: 300_000

  @guest """
  (module
    (import "env" "f" (func $f (param i64) (result i64)))
    (memory (export "memory") 1)
    (func (export "f") (param i64) (result i64) (call $f (local.get 0)))
    (func (export "next") (result i32)
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0))))
  """

  setup do
    # What they leave is freed behind them, and there is no room for the next test before it is.
    on_exit(fn -> true = eventually(fn -> info().instances < 500 end) end)
    {:ok, healthy: instance!(~s|(module (func (export "one") (result i32) i32.const 1))|)}
  end

  defp info do
    {:ok, info} = Wasgo.Wasm.Engine.info()
    info
  end

  defp healthy(context), do: assert(Instance.call(context.healthy, "one") == {:ok, [1]})

  # An instance that is busy until the process that is answered is told to go.
  defp held(waiters) do
    test = self()

    hold = fn value ->
      send(test, {:held, self()})
      receive do: (:go -> value)
    end

    imports = %{"env" => %{"f" => {[:i64], [:i64], hold}}}
    instance = instance!(@guest, waiters: waiters, imports: imports)
    holder = Task.async(fn -> Instance.call(instance, "f", [7], timeout: 120_000) end)
    assert_receive {:held, runner}, 60_000
    {instance, holder, runner}
  end

  defp crowd(instance, count, options) do
    test = self()

    for _ <- 1..count do
      spawn_link(fn -> send(test, {:answer, Instance.call(instance, "next", [], options)}) end)
    end
  end

  defp answers(count) do
    for _ <- 1..count do
      assert_receive {:answer, answer}, 120_000
      answer
    end
  end

  test "5,000 callers of one instance: so many wait, the others are told :busy, and each that waits is served",
       context do
    {instance, holder, runner} = held(3_000)
    crowd(instance, 5_000, timeout: 120_000)
    busy = answers(2_000)
    assert Enum.all?(busy, &match?({:error, %InstanceError{reason: :busy}}, &1))
    # The line is full.
    assert {:error, %InstanceError{reason: :busy}} = Instance.call(instance, "next")
    healthy(context)
    send(runner, :go)
    assert Task.await(holder, 60_000) == {:ok, [7]}
    numbers = for {:ok, [number]} <- answers(3_000), do: number
    assert Enum.sort(numbers) == Enum.to_list(1..3_000)
    assert Instance.status(instance) == :idle
    assert Instance.call(instance, "next") == {:ok, [3_001]}
    assert Process.info(self(), :messages) == {:messages, []}
  end

  test "5,000 callers whose time is over while they wait have touched nothing", context do
    {instance, holder, runner} = held(10_000)
    crowd(instance, 5_000, timeout: 300)
    answers = answers(5_000)
    assert Enum.all?(answers, &match?({:error, %LimitError{reason: :time, value: 300}}, &1))
    healthy(context)
    send(runner, :go)
    assert Task.await(holder, 60_000) == {:ok, [7]}
    assert Instance.call(instance, "next") == {:ok, [1]}
  end

  test "5,000 callers of an instance that is stopped or closed are all told", context do
    for {stop, reason} <- [
          {fn instance, _holder -> Instance.close(instance) end, :closed},
          {fn _instance, holder -> Task.shutdown(holder, :brutal_kill) end, :poisoned}
        ] do
      {instance, holder, _runner} = held(10_000)
      pids = crowd(instance, 5_000, timeout: 120_000)

      assert eventually(fn ->
               Enum.all?(pids, &(Process.info(&1, :status) in [{:status, :waiting}, nil]))
             end)

      stop.(instance, holder)
      answers = answers(5_000)
      assert Enum.all?(answers, &match?({:error, %InstanceError{reason: ^reason}}, &1))
      Task.shutdown(holder, :brutal_kill)
      healthy(context)
    end
  end

  test "an import that makes an instance of its own module and calls that, and so on, ends by a limit",
       context do
    test = self()
    module = Module.compile!(@guest)
    processes = length(Process.list())

    {:ok, _} = Agent.start_link(fn -> 0 end, name: :hostile_depth)

    bomb = fn bomb ->
      fn value ->
        Agent.update(:hostile_depth, &max(&1, value))
        imports = %{"env" => %{"f" => {[:i64], [:i64], bomb.(bomb)}}}

        with {:ok, instance} <- Instance.new(module, imports: imports),
             {:ok, [depth]} <- Instance.call(instance, "f", [value + 1], timeout: 60_000) do
          depth
        else
          {:error, error} ->
            send(test, {:deepest, value, error})
            value
        end
      end
    end

    imports = %{"env" => %{"f" => {[:i64], [:i64], bomb.(bomb)}}}
    instance = Instance.new!(module, imports: imports)

    # Each holds an instance, two processes (of which the caller's guardian stays) and a call under way; the time limit ends the first, and with it all.
    assert {:error, error} = Instance.call(instance, "f", [0], timeout: 1_000)
    assert %struct{} = error
    assert struct in [LimitError, TrapError]
    assert Agent.get(:hostile_depth, & &1) > 10
    healthy(context)
    assert eventually(fn -> length(Process.list()) <= processes + 2 end)
    Agent.stop(:hostile_depth)
    healthy(context)
  end

  test "a start function whose import makes another instance of its module, and so on, ends by its time",
       context do
    module =
      Module.compile!("""
      (module (import "env" "f" (func $f)) (memory 1) (func $start (call $f)) (start $start))
      """)

    processes = length(Process.list())

    bomb = fn bomb ->
      fn ->
        imports = %{"env" => %{"f" => {[], [], bomb.(bomb)}}}
        {:ok, _} = Instance.new(module, imports: imports, timeout: 60_000)
      end
    end

    imports = %{"env" => %{"f" => {[], [], bomb.(bomb)}}}
    assert {:error, %struct{}} = Instance.new(module, imports: imports, timeout: 500)
    assert struct in [LimitError, TrapError]
    # Its guardian is this process's own now.
    assert eventually(fn -> length(Process.list()) <= processes + 1 end)
    healthy(context)
  end

  # Every instance that is not the pool's has a stack of its own, a megabyte of data that the process may have.
  defp most do
    case Traces.data_limit() do
      :infinity -> 30_000
      bytes -> min(30_000, div(bytes, 4_000_000))
    end
  end

  test "processes that make instances until there are no more: the others are served, and when they are gone there is room",
       context do
    module = Module.compile!(@guest)
    imports = %{"env" => %{"f" => {[:i64], [:i64], & &1}}}
    test = self()
    most = most()
    # The same two times: what the first had is given back.
    counts =
      for _ <- 1..2 do
        made = :counters.new(1, [])

        makers =
          for _ <- 1..16 do
            spawn_link(fn ->
              {instances, refusal} = make(module, imports, made, most, [])
              send(test, {:made, self(), length(instances), refusal})

              receive do
                :use ->
                  for instance <- Enum.take_random(instances, 20),
                      do: {:ok, [4]} = Instance.call(instance, "f", [4])

                  send(test, {:used, self()})
              end

              receive do: (:go -> instances)
            end)
          end

        counts =
          for maker <- makers do
            assert_receive {:made, ^maker, count, refusal}, 120_000
            assert refusal == nil or match?(%LimitError{reason: :instances}, refusal)
            count
          end

        healthy(context)

        for maker <- makers do
          send(maker, :use)
          assert_receive {:used, ^maker}, 60_000
        end

        for maker <- makers, do: Process.unlink(maker) && Process.exit(maker, :kill)
        Enum.sum(counts)
      end

    assert [one, other] = counts
    assert one >= 1_000 and other >= 1_000
    assert eventually(fn -> match?({:ok, _}, Instance.new(module, imports: imports)) end)
    healthy(context)
  end

  defp make(module, imports, made, most, instances) do
    if :counters.get(made, 1) >= most do
      {instances, nil}
    else
      :counters.add(made, 1, 1)

      case Instance.new(module, imports: imports, timeout: 120_000) do
        {:ok, instance} -> make(module, imports, made, most, [instance | instances])
        {:error, error} -> {instances, error}
      end
    end
  end
end
