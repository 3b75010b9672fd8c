defmodule Wasgo.Wasm.SchedulingTest do
  # Whoever holds a scheduler is told to one process of the whole VM.
  use ExUnit.Case, async: false

  import Wasgo.TestGuests

  alias Wasgo.{LongSchedules, Script, Store}
  alias Wasgo.Wasm.{Instance, Module}

  # What guests compute for. A scheduler held by one of them would be held for this long.
  @guest_ms 600

  # More than a slow machine's hiccups, much less than the guests' time.
  @bound_ms 100

  # The longest that another process may find no scheduler. The engine's threads compete with the schedulers for the machine's
  # cores, and some kernels let a thread wait for tenths of a second.
  @gap_ms 400

  setup do
    LongSchedules.watch(5)
  end

  # Runs each of `works` in a process while another counts ticks; answers what came of it, and fails if one of these processes
  # held its scheduler in each of five times: what holds a scheduler does so every time, what a busy machine does comes and goes.
  defp watched(works, beside \\ fn -> :ok end, times \\ 5) do
    test = self()
    ticker = spawn_link(fn -> tick(test, System.monotonic_time(:millisecond), 0) end)
    workers = for work <- works, do: start(work)
    meanwhile = beside.()
    results = Enum.map(workers, &finish/1)

    send(ticker, :stop)
    assert_receive {:longest_gap, gap}, 5_000

    held =
      for {pid, info} <- LongSchedules.reports(),
          pid in [test, ticker | workers],
          info[:timeout] > @bound_ms,
          do: info

    if times > 1 and (gap >= @gap_ms or held != []) do
      watched(works, beside, times - 1)
    else
      assert gap < @gap_ms
      assert held == []
      %{results: results, meanwhile: meanwhile}
    end
  end

  # A process is reported when it is scheduled out: it yields, so that its end is not told long before.
  defp start(work) do
    test = self()

    spawn_link(fn ->
      result = work.()
      :erlang.yield()
      send(test, {:done, self(), result})
    end)
  end

  defp finish(worker) do
    assert_receive {:done, ^worker, result}, 60_000
    result
  end

  # Wakes every 5 ms; in the end it tells the longest time between two times that it was awake.
  defp tick(test, last, longest) do
    receive do
      :stop -> send(test, {:longest_gap, longest})
    after
      5 ->
        now = System.monotonic_time(:millisecond)
        tick(test, now, max(longest, now - last))
    end
  end

  defp crowd, do: 2 * System.schedulers_online()

  defp calls_until_done(instance, deadline, count \\ 0) do
    if System.monotonic_time(:millisecond) < deadline do
      assert Instance.call(instance, "one") == {:ok, [1]}
      calls_until_done(instance, deadline, count + 1)
    else
      count
    end
  end

  test "twice as many spinning guests as schedulers hold none of them, and other instances answer" do
    module = Module.compile!(spin())
    other = Instance.new!(module)
    spin = fn -> Instance.call(Instance.new!(module), "spin", [], timeout: @guest_ms) end

    ran =
      watched(List.duplicate(spin, crowd()), fn ->
        calls_until_done(other, System.monotonic_time(:millisecond) + div(@guest_ms, 2))
      end)

    for result <- ran.results, do: assert({:error, %Wasgo.LimitError{reason: :time}} = result)
    assert ran.meanwhile >= 10
  end

  test "guests that fill 60 MiB at a time hold none" do
    fill =
      Module.compile!("""
      (module (memory 960) (func (export "fill")
        (loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 62914560)) (br 0))))
      """)

    work = fn -> Instance.call(Instance.new!(fill), "fill", [], timeout: @guest_ms) end
    ran = watched(List.duplicate(work, crowd()))
    for result <- ran.results, do: assert({:error, %Wasgo.LimitError{reason: :time}} = result)
  end

  test "guests that grow by much hold none" do
    grow =
      Module.compile!("""
      (module (memory 1) (func (export "grow") (result i32)
        (drop (memory.grow (i32.const 959)))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 62914560))
        memory.size))
      """)

    work = fn ->
      for _ <- 1..4, do: Instance.call!(Instance.new!(grow), "grow", [], timeout: 30_000)
    end

    assert watched(List.duplicate(work, crowd())).results ==
             List.duplicate(List.duplicate([960], 4), crowd())
  end

  test "long start functions hold none" do
    module = Module.compile!("(module (func $f (loop br 0)) (start $f))")
    ran = watched(List.duplicate(fn -> Instance.new(module, timeout: @guest_ms) end, crowd()))
    for result <- ran.results, do: assert({:error, %Wasgo.LimitError{reason: :time}} = result)
  end

  test "a script's batches that loop hold none" do
    script = Script.new!(echo())

    loops = fn ->
      Script.notify_many(script, 97, List.duplicate([1, 2.0], 500), timeout: @guest_ms)
    end

    ran = watched(List.duplicate(loops, crowd()))
    for result <- ran.results, do: assert({:error, %Wasgo.LimitError{reason: :time}} = result)
  end

  test "a script's very large batches and buffers hold none" do
    script = Script.new!(echo())
    rows = for number <- 1..100_000, do: [number + 10, number * 0.5, "text"]
    blobs = List.duplicate([{:blob, :binary.copy(<<1>>, 900_000)}], 12)
    bytes = :binary.copy(<<1>>, 2_000_000)

    works = [
      fn -> length(elem(Script.notify_many(script, 17, rows, timeout: 30_000), 1)) end,
      fn -> length(elem(Script.notify_many(script, 17, blobs, timeout: 30_000), 1)) end,
      fn ->
        for _ <- 1..10, do: byte_size(elem(Script.process(script, bytes, timeout: 30_000), 1))
      end
    ]

    assert watched(works).results == [100_000, 12, List.duplicate(2_000_000, 10)]
  end

  # Whether `work` was done at least once in five times without a report of its process: what holds a scheduler does so every
  # time, what a busy machine does comes and goes.
  defp holds_none?(work) do
    Enum.any?(1..5, fn _ -> not reported?(work) end)
  end

  # Whether there was a report of the process that does `work`.
  defp reported?(work) do
    worker = start(work)
    finish(worker)
    for({^worker, info} <- LongSchedules.reports(), do: info) != []
  end

  test "sources, values, rows and results of many megabytes hold none" do
    store = Store.open!(:memory)
    :ok = Store.batch(store, "CREATE TABLE blobs (blob BLOB)")
    script = Script.new!(echo())

    large =
      Script.new!(String.replace(pointing(0, 16_777_216), ~s|"memory") 40|, ~s|"memory") 256|))

    bytes = :binary.copy(<<1>>, 50_000_000)

    functions =
      "(module " <> String.duplicate("(func (param i32) (result i32) local.get 0)", 50_000) <> ")"

    insert = "INSERT INTO blobs VALUES (?)"
    # Not so many that the VM's own copying of them to the worker takes long.
    rows = for number <- 1..20_000, do: [number + 10, number * 0.5, "text"]
    blobs = List.duplicate([{:blob, :binary.copy(<<1>>, 900_000)}], 12)

    for {what, work} <- [
          source: fn -> {:error, _} = Module.compile(bytes) end,
          functions: fn ->
            {:ok, %{size: size}} = Module.validate(functions)
            assert size > 200_000
          end,
          parameter: fn ->
            {:ok, _} = Store.execute(store, insert, [{:blob, bytes}], timeout: 60_000)
          end,
          sql: fn -> {:error, _} = Store.batch(store, bytes, timeout: 60_000) end,
          rows: fn -> {:ok, _} = Script.notify_many(script, 17, rows, timeout: 60_000) end,
          blobs: fn -> {:ok, _} = Script.notify_many(script, 17, blobs, timeout: 60_000) end,
          result: fn -> {:ok, <<_::binary-size(16_777_216)>>} = Script.process(large, "x") end
        ] do
      assert holds_none?(work), "#{what}: its process is reported every time"
    end
  end

  test "the watch sees who does hold one" do
    # A function meant for a hundredth of this, called past what picks its dirty twin.
    indices = :binary.copy(<<0>>, 12 * 10_000_000)
    assert Enum.any?(1..5, fn _ -> reported?(fn -> Wasgo.Native.scene_flip(indices) end) end)
  end
end
