defmodule Wasgo.HostileImportsTest do
  @moduledoc """
  Functions written in Elixir, asked by guests that mean harm: with any numbers, again and again, from within each other.
  """

  # Who holds a scheduler is told to one process of the whole VM.
  use ExUnit.Case, async: false

  import Wasgo.TestGuests, only: [instance!: 2]

  alias Wasgo.{InstanceError, LimitError, TrapError}
  alias Wasgo.Wasm.{Instance, Module}

  @moduletag timeout: 120_000

  @guest """
  (module
    (import "env" "f" (func $f (param i32 i32) (result i64)))
    (memory (export "memory") 900)
    (table (export "table") 4 funcref)
    (func (export "f") (param i32 i32) (result i64) (call $f (local.get 0) (local.get 1)))
    (func (export "flood") (loop (drop (call $f (i32.const 0) (i32.const 0))) (br 0)))
    (func (export "spin") (loop br 0))
    (func $deep (export "deep") (result i64) (drop (call $f (i32.const 0) (i32.const 0))) (call $deep))
    (func (export "plain") (result i64) (i64.const 5)))
  """

  defp guest(function, options \\ []) do
    instance!(
      @guest,
      [imports: %{"env" => %{"f" => {[:i32, :i32], [:i64], function}}}] ++ options
    )
  end

  @rubbish [
    {-1, 1},
    {0, -1},
    {-1, -1},
    {-8, 16},
    {900 * 65_536, 1},
    {900 * 65_536 - 1, 2},
    {0, 900 * 65_536 + 1},
    {-2_147_483_648, -2_147_483_648}
  ]

  test "pointers and lengths that a guest makes up are out of bounds, read or written" do
    test = self()

    instance =
      guest(fn caller, pointer, length ->
        <<pointer::unsigned-32>> = <<pointer::32>>
        <<length::unsigned-32>> = <<length::32>>
        send(test, {:read, Instance.read_memory(caller, pointer, length)})
        send(test, {:wrote, Instance.write_memory(caller, pointer + length, "x")})
        0
      end)

    for {pointer, length} <- @rubbish do
      assert Instance.call(instance, "f", [pointer, length]) == {:ok, [0]}
      assert_received {:read, {:error, %InstanceError{reason: :out_of_bounds}}}
      assert_received {:wrote, {:error, %InstanceError{reason: :out_of_bounds}}}
    end
  end

  test "a length of the whole memory, read and written within the function, holds no scheduler" do
    size = 900 * 65_536

    instance =
      guest(fn caller, pointer, length ->
        {:ok, bytes} = Instance.read_memory(caller, pointer, length)
        :ok = Instance.write_memory(caller, pointer, bytes)
        byte_size(bytes)
      end)

    before = :erlang.system_monitor(self(), [{:long_schedule, 5}])

    quiet? = fn ->
      assert Instance.call(instance, "f", [0, size], timeout: 60_000) == {:ok, [size]}

      reports(fn info -> match?({:memory, _}, List.keyfind(info, :memory, 0, {:memory, 0})) end) ==
        []
    end

    # What holds one does so every time, what a busy machine does comes and goes.
    assert Enum.any?(1..5, fn _ -> quiet?.() end)

    case before do
      :undefined -> :erlang.system_monitor(:undefined)
      {pid, options} -> :erlang.system_monitor(pid, options)
    end
  end

  defp reports(keep) do
    receive do
      {:monitor, _pid, :long_schedule, info} -> Enum.filter([info], keep) ++ reports(keep)
    after
      50 -> []
    end
  end

  test "a guest that asks for ever is stopped on time, and its caller's mailbox is empty" do
    instance = guest(fn _, _ -> 0 end)

    assert {:error, %LimitError{reason: :time}} =
             Instance.call(instance, "flood", [], timeout: 100)

    assert Process.info(self(), :messages) == {:messages, []}
  end

  test "a recursion that asks at each step ends by its stack" do
    assert {:error, %LimitError{reason: :stack}} =
             Instance.call(guest(fn _, _ -> 0 end), "deep", [], timeout: 60_000)
  end

  test "each within the other: the depth's limit, and the instance lives on" do
    test = self()

    instance =
      guest(fn caller, depth, _ ->
        case Instance.call(caller, "f", [depth + 1, 0]) do
          {:ok, [below]} ->
            below

          {:error, error} ->
            send(test, {:deepest, depth, error})
            depth
        end
      end)

    assert Instance.call(instance, "f", [0, 0], timeout: 60_000) == {:ok, [32]}
    assert_received {:deepest, 32, %LimitError{reason: :depth, value: 32}}
    assert Instance.call(instance, "plain") == {:ok, [5]}
  end

  test "two instances whose functions call each other wait for nobody for ever" do
    {:ok, place} = Agent.start_link(fn -> nil end)

    other = fn caller_of ->
      guest(fn _, _ ->
        case Instance.call(Agent.get(place, &Map.get(&1, caller_of)), "f", [0, 0], timeout: 200) do
          {:ok, [value]} -> value
          {:error, error} -> raise Exception.message(error)
        end
      end)
    end

    [one, two] = [other.(:two), other.(:one)]
    Agent.update(place, fn _ -> %{one: one, two: two} end)
    assert {:error, %struct{}} = Instance.call(one, "f", [0, 0], timeout: 10_000)
    assert struct in [TrapError, LimitError]
    other = guest(fn _, _ -> 7 end)
    assert Instance.call(other, "f", [0, 0]) == {:ok, [7]}
  end

  test "a function that closes its own instance ends the call" do
    {:ok, place} = Agent.start_link(fn -> nil end)
    instance = guest(fn _, _ -> Instance.close(Agent.get(place, & &1)) && 0 end)
    Agent.update(place, fn _ -> instance end)
    assert {:error, %InstanceError{reason: reason}} = Instance.call(instance, "f", [0, 0])
    assert reason in [:cancelled, :closed]
    assert Instance.status(instance) == :closed
  end

  test "a thousand processes that use one caller at once are each answered, and the function's return ends it" do
    instance =
      guest(fn caller, _, _ ->
        1..1_000
        |> Enum.map(fn _ -> Task.async(fn -> Instance.call(caller, "plain") end) end)
        |> Enum.count(&(Task.await(&1, 60_000) == {:ok, [5]}))
      end)

    assert Instance.call(instance, "f", [0, 0], timeout: 60_000) == {:ok, [1_000]}
  end

  test "more uses than may wait are told :busy, and the function's result is taken all the same" do
    test = self()

    instance =
      guest(fn caller, _, _ ->
        spinner = spawn(fn -> Instance.call(caller, "spin") end)
        send(test, {:spinner, spinner})

        busy =
          1..3_000
          |> Enum.map(fn _ ->
            spawn(fn -> send(test, {:used, Instance.memory_size(caller)}) end)
          end)
          |> Enum.count(&is_pid/1)

        busy
      end)

    assert {:error, %LimitError{reason: :time}} =
             Instance.call(instance, "f", [0, 0], timeout: 1_000)

    used =
      for _ <- 1..3_000 do
        assert_receive {:used, result}, 60_000
        result
      end

    assert Enum.all?(used, fn
             {:ok, _size} -> true
             {:error, %InstanceError{reason: reason}} -> reason in [:busy, :closed]
           end)
  end

  test "what a function returns for a guest is checked, however wrong" do
    for result <- [
          nil,
          "text",
          1.5,
          {:ok, 1},
          [],
          [1, 2],
          [nil],
          1_000_000_000_000_000_000_000,
          -9_223_372_036_854_775_809,
          self(),
          %{},
          List.duplicate(1, 100_000)
        ] do
      assert {:error, %TrapError{reason: :import} = error} =
               Instance.call(guest(fn _, _ -> result end), "f", [0, 0])

      assert Exception.message(error) =~ "env.f"
    end
  end

  test "an import that spins is ended with the call" do
    instance = guest(fn _, _ -> Enum.each(Stream.cycle([1]), fn _ -> :ok end) end)

    assert {:error, %LimitError{reason: :time}} =
             Instance.call(instance, "f", [0, 0], timeout: 50)

    instance = guest(fn caller, _, _ -> Instance.call!(caller, "spin") end)

    assert {:error, %LimitError{reason: :time}} =
             Instance.call(instance, "f", [0, 0], timeout: 50)
  end

  test "a start function that asks for ever is stopped" do
    wat = """
    (module (import "env" "f" (func $f)) (func $start (loop (call $f) (br 0))) (start $start))
    """

    module = Module.compile!(wat)
    imports = %{"env" => %{"f" => {[], [], fn -> :ok end}}}

    assert {:error, %LimitError{reason: :time}} =
             Instance.new(module, imports: imports, timeout: 100)
  end
end
