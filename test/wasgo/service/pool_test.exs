defmodule Wasgo.Service.PoolTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{Service, ServiceError, TrapError}
  alias Wasgo.Service.Pool

  doctest Pool

  @moduletag :capture_log

  # Answers each line with itself; on a line that begins with "!" it traps, with "?" it answers no more.
  @moody """
  (local $n i32)
  (loop
    (local.set $n (call $in (i32.const 1024)))
    (if (i32.eqz (local.get $n)) (then (call $exit (i32.const 0))))
    (if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 33)) (then unreachable))
    (if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 63)) (then (call $silent)))
    (call $out (i32.const 1) (i32.const 1024) (local.get $n))
    (br 0))
  """

  setup do
    Process.flag(:trap_exit, true)
    :ok
  end

  defp start!(options) do
    {service, options} = Keyword.pop(options, :service, [])
    service = [module: program(@moody)] ++ service
    {:ok, pool} = Pool.start_link(Keyword.merge([service: service, max_in_flight: 1], options))
    pool
  end

  defp info(pool), do: pool |> Pool.info() |> elem(1)

  test "answers many at once, each with its own" do
    pool = start!(size: 3, max_in_flight: 4)

    1..20
    |> Enum.map(fn process ->
      Task.async(fn ->
        for round <- 1..50 do
          line = "#{process} #{round}"
          assert Pool.request(pool, line, 30_000) == {:ok, line}
        end
      end)
    end)
    |> Task.await_many(60_000)

    assert eventually(fn ->
             match?(%{ready: 3, in_flight: 0, waiting: 0, replaced: 0}, info(pool))
           end)

    assert Pool.stop(pool) == :ok
    assert {:error, %ServiceError{reason: :stopped}} = Pool.request(pool, "x")
    assert Pool.stop(pool) == :ok
  end

  test "a copy that is late is replaced by a spare at once, and the others are not disturbed" do
    pool = start!(size: 2, spares: 1)
    assert eventually(fn -> match?(%{ready: 2, spare: 1}, info(pool)) end)
    before = info(pool).copies
    assert {:error, %ServiceError{reason: :timeout}} = Pool.request(pool, "?", 50)
    assert %{ready: 2, replaced: 1, copies: copies} = info(pool)
    assert length(before -- copies) == 1
    for number <- 1..20, do: assert(Pool.request(pool, "#{number}", 30_000) == {:ok, "#{number}"})
    assert eventually(fn -> match?(%{ready: 2, spare: 1}, info(pool)) end)
  end

  test "a copy that fails or is killed is replaced; who waits for it is told, or asks another" do
    pool = start!(size: 2)

    assert {:error, %ServiceError{reason: {:failed, %TrapError{}}}} =
             Pool.request(pool, "!", 30_000)

    assert eventually(fn -> match?(%{ready: 2, replaced: 1}, info(pool)) end)

    # Killed in the middle of the crowd, nothing is lost.
    crowd =
      for number <- 1..200,
          do: Task.async(fn -> Pool.request(pool, "#{number}", 60_000, retries: 10) end)

    pool |> info() |> Map.fetch!(:copies) |> Enum.each(&Process.exit(&1, :kill))
    assert Task.await_many(crowd, 60_000) == for(number <- 1..200, do: {:ok, "#{number}"})
    assert eventually(fn -> match?(%{ready: 2, in_flight: 0}, info(pool)) end)
  end

  test "no more wait for a copy than may" do
    pool = start!(size: 1, max_waiting: 1)
    stuck = Task.async(fn -> Pool.request(pool, "?", 5_000) end)
    assert eventually(fn -> match?(%{in_flight: 1}, info(pool)) end)
    waits = Task.async(fn -> Pool.request(pool, "patient", 30_000) end)
    assert eventually(fn -> match?(%{waiting: 1}, info(pool)) end)
    assert {:error, %ServiceError{reason: :busy}} = Pool.request(pool, "x")
    assert {:error, %ServiceError{reason: :timeout}} = Task.await(stuck, 30_000)
    assert Task.await(waits, 30_000) == {:ok, "patient"}
  end

  test "who waits for a copy in vain is told when the time is over" do
    pool = start!(size: 1)
    stuck = Task.async(fn -> Pool.request(pool, "?", 60_000) end)
    assert eventually(fn -> match?(%{in_flight: 1}, info(pool)) end)
    assert {:error, %ServiceError{reason: :timeout} = error} = Pool.request(pool, "x", 20)
    assert Exception.message(error) == "no copy of the service was free in time"
    assert %{waiting: 0} = info(pool)
    Task.shutdown(stuck, :brutal_kill)
  end

  test "who asked and is gone holds no copy" do
    pool = start!(size: 1)
    {:ok, gone} = Task.start(fn -> Pool.request(pool, "?", 60_000) end)
    assert eventually(fn -> match?(%{in_flight: 1}, info(pool)) end)
    {:ok, waits} = Task.start(fn -> Pool.request(pool, "x", 60_000) end)
    assert eventually(fn -> match?(%{waiting: 1}, info(pool)) end)
    Process.exit(waits, :kill)
    assert eventually(fn -> match?(%{waiting: 0}, info(pool)) end)
    Process.exit(gone, :kill)
    assert eventually(fn -> match?(%{in_flight: 0}, info(pool)) end)
  end

  test "one that can't be started is an error, and leaves nothing running" do
    for {module, reason} <- [{"(module)", nil}, {program("unreachable"), :not_nil}] do
      assert {:error, exception} =
               Pool.start_link(service: [module: module, ready: "READY"], size: 3)

      assert is_exception(exception)
      assert reason == nil or match?(%ServiceError{reason: {:failed, _}}, exception)
    end

    assert {:error, %File.Error{}} = Pool.start_link(service: [module: "no/such.wasm"])
  end

  test "its end is the end of its copies" do
    pool = start!(size: 2)
    assert eventually(fn -> match?(%{ready: 2}, info(pool)) end)
    copies = info(pool).copies
    Process.exit(pool, :kill)
    assert eventually(fn -> not Enum.any?(copies, &Process.alive?/1) end)
  end

  test "options that are wrong are named" do
    for {options, words} <- [
          {[], ~r/needs the option :service/},
          {[service: [module: "x", name: :y]], ~r/a pool's copies have no option :name/},
          {[service: [module: "x", restart: true]], ~r/no option :restart/},
          {[service: [module: 1]], ~r/option :module of .*Pool.start_link\/1, :service/},
          {[service: [module: "x"], size: 0], ~r/option :size/}
        ] do
      assert_raise ArgumentError, words, fn -> Pool.start_link(options) end
    end

    pool = start!(size: 1)

    assert_raise ArgumentError, ~r/option :retries/, fn ->
      Pool.request(pool, "x", 100, retries: -1)
    end

    assert {:ok, _info} = Service.info(hd(info(pool).copies))
  end
end
