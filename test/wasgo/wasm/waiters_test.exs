defmodule Wasgo.Wasm.WaitersTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [instance!: 2, eventually: 1]

  alias Wasgo.{InstanceError, LimitError}
  alias Wasgo.Wasm.Instance

  # `hold` runs an Elixir function until the test lets it go; `order` notes who came.
  defp held(options) do
    test = self()

    hold = fn ->
      send(test, {:held, self()})
      receive do: (:go -> nil)
    end

    wat = """
    (module (import "env" "hold" (func $hold)) (memory (export "memory") 1)
      (func (export "hold") (call $hold))
      (func (export "next") (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0)))
      (func (export "spin") (loop br 0)))
    """

    instance = instance!(wat, [imports: %{"env" => %{"hold" => {[], [], hold}}}] ++ options)
    holder = Task.async(fn -> Instance.call(instance, "hold", [], timeout: 30_000) end)
    assert_receive {:held, runner}, 5_000
    {instance, holder, runner}
  end

  defp waiting(instance, options \\ [timeout: 30_000]) do
    task = Task.async(fn -> Instance.call(instance, "next", [], options) end)
    # Asleep in its receive: it waits.
    assert eventually(fn -> Process.info(task.pid, :status) == {:status, :waiting} end)
    task
  end

  test "callers of a busy instance wait, first come first served" do
    {instance, holder, runner} = held([])
    tasks = for _ <- 1..10, do: waiting(instance)
    send(runner, :go)
    assert Task.await(holder) == {:ok, []}
    assert Enum.map(tasks, &Task.await/1) == for(n <- 1..10, do: {:ok, [n]})
  end

  test "more than may wait are told :busy at once" do
    {instance, holder, runner} = held(waiters: 3)
    tasks = for _ <- 1..3, do: waiting(instance)

    for _ <- 1..20 do
      assert {:error, %InstanceError{reason: :busy}} = Instance.call(instance, "next")
      assert {:error, %InstanceError{reason: :busy}} = Instance.read_memory(instance, 0, 1)
    end

    send(runner, :go)
    Task.await(holder)
    assert Enum.map(tasks, &Task.await/1) == [{:ok, [1]}, {:ok, [2]}, {:ok, [3]}]
  end

  test "who waits too long is told so, has touched nothing, and makes room" do
    {instance, holder, runner} = held(waiters: 1)

    assert {:error, %LimitError{reason: :time, value: 20}} =
             Instance.call(instance, "next", [], timeout: 20)

    next = waiting(instance)
    send(runner, :go)
    Task.await(holder)
    assert Task.await(next) == {:ok, [1]}
  end

  test "who dies while it waits makes room, and the next has its turn" do
    {instance, holder, runner} = held(waiters: 2)
    [first, second] = for _ <- 1..2, do: waiting(instance)
    Task.shutdown(first, :brutal_kill)
    third = waiting(instance)
    send(runner, :go)
    Task.await(holder)
    assert [Task.await(second), Task.await(third)] == [{:ok, [1]}, {:ok, [2]}]
  end

  test "closing tells all who wait, and stops one that had its turn from the line" do
    {instance, holder, _runner} = held([])
    tasks = for _ <- 1..5, do: waiting(instance)
    Instance.close(instance)
    assert {:error, %InstanceError{reason: :cancelled}} = Task.await(holder)
    for task <- tasks, do: assert({:error, %InstanceError{reason: :closed}} = Task.await(task))

    {instance, holder, runner} = held([])
    task = Task.async(fn -> Instance.call(instance, "spin", [], timeout: 30_000) end)
    assert eventually(fn -> Process.info(task.pid, :status) == {:status, :waiting} end)
    send(runner, :go)
    Task.await(holder)
    assert eventually(fn -> Instance.status(instance) == :busy end)
    Instance.close(instance)
    assert {:error, %InstanceError{reason: :cancelled}} = Task.await(task)
  end

  test "a call that is stopped poisons the instance for those who wait" do
    {instance, holder, runner} = held([])
    spinner = Task.async(fn -> Instance.call(instance, "spin", [], timeout: 2_000) end)
    assert eventually(fn -> Process.info(spinner.pid, :status) == {:status, :waiting} end)
    after_it = waiting(instance)
    send(runner, :go)
    Task.await(holder)
    assert {:error, %LimitError{reason: :time}} = Task.await(spinner)
    assert {:error, %InstanceError{reason: :poisoned}} = Task.await(after_it)
  end

  test "memory, globals and tables wait in the same line" do
    {instance, holder, runner} = held([])
    one = waiting(instance)
    read = Task.async(fn -> Instance.read_memory(instance, 0, 1) end)
    assert eventually(fn -> Process.info(read.pid, :status) == {:status, :waiting} end)
    other = waiting(instance)
    send(runner, :go)
    Task.await(holder)

    assert [Task.await(one), Task.await(read), Task.await(other)] == [
             {:ok, [1]},
             {:ok, <<1>>},
             {:ok, [2]}
           ]
  end

  test "many processes on one instance all get their turn" do
    instance =
      instance!(
        ~s|(module (memory 1) (func (export "next") (result i32)
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0))))|,
        waiters: 10_000
      )

    numbers =
      1..40
      |> Enum.map(fn _ ->
        Task.async(fn -> for _ <- 1..250, do: hd(Instance.call!(instance, "next")) end)
      end)
      |> Enum.flat_map(&Task.await(&1, 60_000))

    assert Enum.sort(numbers) == Enum.to_list(1..10_000)
  end
end
