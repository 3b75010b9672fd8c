# What the wasm engine costs, from Elixir: `mix run --no-start bench/wasm.exs [--quick]`. Started by hand; nothing fails because a machine is slow.
#
# What the same costs with wasmtime alone is in the tables when `cargo bench -p wasgo_wasm --bench wasm` ran before.

Code.require_file("measure.exs", __DIR__)
Code.require_file("megabyte.exs", __DIR__)

defmodule Bench.Wasm do
  import Bench, only: [rounds: 1, samples: 2, samples: 3, time: 1, step: 2]

  alias Bench.{Floor, Megabyte, Stats}
  alias Wasgo.Script
  alias Wasgo.Wasm.{Cache, Instance, Module}

  @guests Path.expand("guests", __DIR__)
  @scripts Path.expand("../guest/scripts", __DIR__)

  # A row for both scripts: id, time, home, phase.
  @row [1, 0.5, 10.0, 2.0, 20.0, 0.3]
  @batch 10_000
  @mib 1_048_576

  def run do
    # A folder of its own: what the user has compiled stays as it is.
    folder = Path.join(System.tmp_dir!(), "wasgo-bench-#{System.pid()}")
    :ok = Cache.configure(dir: folder)

    try do
      Bench.header()

      # First, while the VM has no memory that it took for something else and would use again.
      parts = [
        {"idle instances", &idle/0},
        {"calls", &calls/0},
        {"calls from many processes", &crowd/0},
        {"batches", &batches/0},
        {"instances", &instances/0},
        {"imports", &imports/0},
        {"memory", &memory/0},
        {"the cache", &cache/0},
        {"calls while others compute", &loaded/0},
        {"guests that never end", &spinning/0}
      ]

      {rows, details} = parts |> Enum.map(fn {name, part} -> step(name, part) end) |> Enum.unzip()

      head = ["", "peer", "target", "measured", "kept", "wasmtime alone"]
      Bench.table(head, Enum.concat(rows))
      Bench.table(["more, in microseconds", "p50", "p99", "longest"], Enum.concat(details))
    after
      Cache.configure(dir: nil)
      File.rm_rf!(folder)
    end
  end

  # One call after another in one process.
  defp calls do
    instance = new("arithmetic")
    add = fn -> Instance.call(instance, "add", [40, 2]) end
    {:ok, [42]} = add.()
    clock = samples(rounds(200_000), fn -> :ok end)
    look = Bench.blocks(rounds(400), fn -> Instance.status(instance) end)
    single = samples(rounds(200_000), add)
    block = Bench.blocks(rounds(400), add)

    timed =
      samples(rounds(100_000), fn -> Instance.call(instance, "add", [40, 2], timeout: 1_000) end)

    {[
       [
         "`add(i64, i64)`, one process, p50 / p99",
         "33 us / 77 us",
         "0.5 us / 2 us",
         pair(single),
         kept(single.p50 <= 500 and single.p99 <= 2_000),
         floors(["add_sync", "add_async"])
       ]
     ],
     [
       detail("the clock that each sample has in it", clock),
       detail("`status`, which only looks: mean of a block of 1,000", look),
       detail("`add`, one call", single),
       detail("`add`, mean of a block of 1,000 without the clock", block),
       detail("`add` with `timeout: 1_000`", timed)
     ]}
  end

  # As many calls as 100 processes make at once, each with an instance of its own.
  defp crowd do
    processes = 100
    module = compile("arithmetic")
    lasts = if Bench.quick?(), do: 200, else: 3_000
    calls = :counters.new(1, [:write_concurrency])
    _warm_up = crowd(processes, module, calls, div(lasts, 4))
    :counters.put(calls, 1, 0)
    took = crowd(processes, module, calls, lasts)
    per_second = :counters.get(calls, 1) * 1_000_000_000 / took

    {[
       [
         "the same from #{processes} processes with own instances, calls a second",
         "147,000",
         "3,000,000",
         Bench.digits(per_second),
         kept(per_second >= 3_000_000),
         per_second(Floor.median("add_async_threads"))
       ]
     ], []}
  end

  # The nanoseconds from the word to go to the last one's end.
  defp crowd(processes, module, calls, lasts) do
    all = together(processes, fn -> Instance.new!(module) end, &count(&1, calls, lasts))
    Enum.max(for {_from, to} <- all, do: to) - Enum.min(for {from, _to} <- all, do: from)
  end

  defp count(instance, calls, lasts) do
    began = System.monotonic_time(:nanosecond)
    count_until(instance, calls, began + lasts * 1_000_000)
    {began, System.monotonic_time(:nanosecond)}
  end

  defp count_until(instance, calls, till) do
    Bench.repeat(1_000, fn -> {:ok, [42]} = Instance.call(instance, "add", [40, 2]) end)
    :counters.add(calls, 1, 1_000)
    if System.monotonic_time(:nanosecond) < till, do: count_until(instance, calls, till)
  end

  # Many rows in one crossing.
  defp batches do
    bob = Script.new!(guest("bob"))
    wander = Script.new!(File.read!(Path.join(@scripts, "wander.wasm")))
    instance = new("arithmetic")
    rows = List.duplicate(@row, @batch)
    pairs = List.duplicate([40, 2], @batch)
    packed = :binary.copy(<<40::64-little, 2::64-little>>, @batch)

    {:ok, [{:ok, [2.5]} | _]} = Script.notify_many(bob, :process, rows)
    {:ok, [{:ok, [_, _, _, _]} | _]} = Script.notify_many(wander, :process, rows)
    {:ok, [{:ok, [42]} | _]} = Instance.call_many(instance, "add", pairs)

    {:ok, %{results: <<42::64-little, _::binary>>}} =
      Instance.call_packed(instance, "add", packed)

    small = per_row(fn -> Script.notify_many(bob, :process, rows) end)
    large = per_row(fn -> Script.notify_many(wander, :process, rows) end)
    lists = per_row(fn -> Instance.call_many(instance, "add", pairs) end)
    binary = per_row(fn -> Instance.call_packed(instance, "add", packed) end)
    none = per_row(fn -> Script.notify_many(bob, :ready, rows) end)
    one = samples(rounds(20_000), fn -> Script.notify(bob, :process, @row) end)

    row = fn name, stats, floor ->
      loop = Floor.median(floor)
      loop = loop && loop / @batch
      met = stats.p50 <= 300 and (loop == nil or stats.p50 <= 2 * loop)

      [
        "#{Bench.digits(@batch)} rows of `_notification`, #{name}, each, p50",
        "-",
        "300 ns and twice the loop in Rust",
        time(stats.p50),
        kept(met),
        time(loop)
      ]
    end

    {[row.("WAT", small, "notify_bob"), row.("AssemblyScript", large, "notify_wander")],
     [
       detail("`notify`, one row, WAT", one),
       detail("`notify_many`, a row, WAT", small),
       detail("`notify_many`, a row, WAT, which changes nothing", none),
       detail("`notify_many`, a row, AssemblyScript", large),
       detail("`call_many` of `add`, a row", lists),
       detail("`call_packed` of `add`, a row", binary)
     ]}
  end

  defp per_row(fun) do
    stats = samples(rounds(100), fun)
    per = fn time -> time / @batch end
    %{stats | p50: per.(stats.p50), p99: per.(stats.p99), max: per.(stats.max)}
  end

  # Instances of a module that was instantiated before.
  defp instances do
    make = fn name ->
      module = compile(name)
      samples(rounds(20_000), fn -> Instance.new!(module) end, &Instance.close/1)
    end

    pages = make.("pages")
    small = make.("arithmetic")

    {[
       [
         "warm instantiation, 17 pages, p50",
         "88 us",
         "8 us",
         time(pages.p50),
         kept(pages.p50 <= 8_000),
         floors(["instantiate_sync", "instantiate_async"])
       ]
     ],
     [detail("new instance, 17 pages with data", pages), detail("new instance, 1 page", small)]}
  end

  # Functions written in Elixir.
  defp imports do
    imports = %{"env" => %{"next" => {[:i64], [:i64], &(&1 + 1)}}}
    instance = Instance.new!(compile("ask"), imports: imports)
    {:ok, [8]} = Instance.call(instance, "once", [7])
    {:ok, [100]} = Instance.call(instance, "times", [100])
    once = samples(rounds(50_000), fn -> Instance.call(instance, "once", [7]) end)
    many = samples(rounds(2_000), fn -> Instance.call(instance, "times", [100]) end)
    messages = Bench.apart(&messages/0)

    {[
       [
         "Elixir import, round trip, p50",
         "27 us",
         "10 us",
         time(once.p50),
         kept(once.p50 <= 10_000),
         floors(["import_sync", "import_async"])
       ]
     ],
     [
       detail("call with one import", once),
       detail("call with 100 imports", many),
       detail("a message to another process and back", messages)
     ]}
  end

  defp messages do
    echo = spawn_link(&echo/0)

    stats =
      samples(rounds(50_000), fn ->
        send(echo, {self(), 7})

        receive do
          {:echo, 7} -> :ok
        end
      end)

    send(echo, :stop)
    stats
  end

  defp echo do
    receive do
      {from, value} ->
        send(from, {:echo, value})
        echo()

      :stop ->
        :ok
    end
  end

  # Bytes into and out of a guest's memory.
  defp memory do
    instance = new("pages")
    bytes = :crypto.strong_rand_bytes(@mib)
    :ok = Instance.write_memory(instance, 0, bytes)
    {:ok, ^bytes} = Instance.read_memory(instance, 0, @mib)
    write = samples(rounds(4_000), fn -> Instance.write_memory(instance, 0, bytes) end)
    read = samples(rounds(4_000), fn -> Instance.read_memory(instance, 0, @mib) end)
    small = :binary.part(bytes, 0, 64)
    little = samples(rounds(50_000), fn -> Instance.write_memory(instance, 0, small) end)

    row = fn name, stats, floor ->
      [
        "1 MiB #{name}, p50",
        "2 GB/s",
        "6 GB/s",
        rate(stats.p50),
        kept(@mib / stats.p50 >= 6),
        rate(Floor.median(floor))
      ]
    end

    {[row.("into memory", write, "memory_write"), row.("out of memory", read, "memory_read")],
     [
       detail("1 MiB into memory", write),
       detail("1 MiB out of memory", read),
       detail("64 bytes into memory", little)
     ]}
  end

  # Compiled modules from the folder: each in a process that ends, so that the machine code is freed before it is loaded again.
  defp cache do
    wasm = if Bench.quick?(), do: Megabyte.wasm(300), else: Megabyte.wasm()
    [{compiled, :misses}] = load(wasm, 1)

    # Files this young are looked at again in full: a change of theirs might not show in their times.
    Process.sleep(2_200)
    _first = load(wasm, 3)
    loads = for {took, :hits} <- load(wasm, rounds(400)), do: took
    stats = Stats.of_list(loads)

    name =
      "load a compiled module of #{Float.round(byte_size(wasm) / 1_000_000, 2)} MB from the cache, p50"

    {[
       [
         name,
         "3 ms",
         "1 ms",
         time(stats.p50),
         kept(stats.p50 <= 1_000_000),
         time(Floor.median("deserialize_file"))
       ]
     ],
     [
       detail("load from the cache", stats),
       detail("compile the same", Stats.of_list([compiled]))
     ]}
  end

  defp load(_wasm, 0), do: []

  defp load(wasm, times) do
    {:ok, before} = Cache.info()

    took =
      Bench.apart(fn ->
        began = :erlang.monotonic_time()
        {:ok, _module} = Module.compile(wasm)
        :erlang.monotonic_time() - began
      end)

    {:ok, now} = Cache.info()

    case Enum.find([:misses, :hits, :shared], &(now[&1] > before[&1])) do
      # The one before was not freed yet.
      :shared ->
        Process.sleep(1)
        load(wasm, times)

      how ->
        [{took, how} | load(wasm, times - 1)]
    end
  end

  # Calls of a trivial function, one each millisecond, while others' guests compute on as many cores as there are.
  defp loaded do
    cores = System.schedulers_online()
    module = compile("arithmetic")
    instance = Instance.new!(module)
    calls = if Bench.quick?(), do: 100, else: 1_500
    quiet = every_millisecond(instance, calls)

    busy =
      for times <- [1, 4] do
        spinners = for _ <- 1..(times * cores)//1, do: Instance.new!(module)

        # The call is ended by closing the instance; the time limit is for a program that was stopped before that.
        workers =
          for spinner <- spinners,
              do: Task.async(fn -> Instance.call(spinner, "spin", [], timeout: 60_000) end)

        Process.sleep(50)
        {stats, woken} = every_millisecond(instance, calls)
        Enum.each(spinners, &Instance.close/1)
        Enum.each(workers, &Task.await(&1, :infinity))
        {times * cores, stats, woken}
      end

    [{_spinners, stats, _woken} | _more] = busy

    {[
       [
         "trivial call while all cores run other guests' long work, p99",
         "1.9 s",
         "2 ms",
         "#{time(stats.p99)} (longest #{time(stats.max)})",
         kept(stats.p99 < 2_000_000),
         "-"
       ]
     ],
     for {spinners, stats, woken} <- [{0, elem(quiet, 0), elem(quiet, 1)} | busy],
         {what, stats} <- [{"call", stats}, {"a wait of 1 ms", woken}] do
       detail("#{what} while #{spinners} guests compute", stats)
     end}
  end

  # What the calls took, and the waits of a millisecond between them: 1 to 2 ms, as the VM counts. Where the system lets the process
  # wait much longer for a core, there are fewer calls.
  defp every_millisecond(instance, calls) do
    Bench.apart(fn ->
      took = :atomics.new(calls, signed: false)
      waited = :atomics.new(calls, signed: false)
      till = System.monotonic_time(:millisecond) + 10_000
      count = every_millisecond(instance, {took, waited}, 1, calls, till)
      {Stats.of(took, count), Stats.of(waited, count)}
    end)
  end

  defp every_millisecond(instance, {took, waited} = times, index, calls, till) do
    slept = :erlang.monotonic_time()

    receive do
    after
      1 -> :ok
    end

    began = :erlang.monotonic_time()
    {:ok, [42]} = Instance.call(instance, "add", [40, 2])
    :atomics.put(took, index, :erlang.monotonic_time() - began)
    :atomics.put(waited, index, began - slept)

    if index < calls and System.monotonic_time(:millisecond) < till,
      do: every_millisecond(instance, times, index + 1, calls, till),
      else: index
  end

  # Endless loops, each with a time limit of its own.
  defp spinning do
    limit = if Bench.quick?(), do: 60, else: 300
    module = compile("arithmetic")
    healthy = Instance.new!(module)

    runs =
      for spinners <- [2, 4, 8] do
        meanwhile = Task.async(fn -> every_millisecond(healthy, limit) end)

        late =
          for _ <- 1..if(Bench.quick?(), do: 1, else: 5)//1,
              took <- together(spinners, fn -> Instance.new!(module) end, &stopped(&1, limit)),
              do: took

        {calls, _woken} = Task.await(meanwhile, :infinity)
        {spinners, Stats.of_list(late), calls}
      end

    rows =
      for {spinners, stopped, calls} <- runs do
        [
          "#{spinners} spinning calls, each with a #{limit} ms timeout: the last stopped, others' calls p99",
          "all frozen for ever",
          "#{limit + 10} ms, unaffected",
          "#{time(stopped.max)}, #{time(calls.p99)}",
          kept(stopped.max <= (limit + 10) * 1_000_000 and calls.p99 < 2_000_000),
          "-"
        ]
      end

    details =
      for {spinners, stopped, calls} <- runs,
          {what, stats} <- [{"stopped", stopped}, {"another's call", calls}],
          do: detail("#{spinners} spinning calls: #{what}", stats)

    {rows, details}
  end

  defp stopped(instance, limit) do
    began = :erlang.monotonic_time()
    {:error, %Wasgo.LimitError{}} = Instance.call(instance, "spin", [], timeout: limit)
    :erlang.monotonic_time() - began
  end

  # What an instance that was called once takes while nobody calls it.
  defp idle do
    wanted = if Bench.quick?(), do: 200, else: 10_000
    module = compile("arithmetic")
    # What the first instance of a module brings along is not counted.
    {:ok, [42]} = Instance.call(Instance.new!(module), "add", [40, 2])

    {count, system, beam} = Bench.apart(fn -> idle(module, wanted) end)

    {[
       [
         "#{Bench.digits(count)} idle instances with a page, called once, memory each",
         "9 KiB",
         "9 KiB",
         kib(system),
         kept(system != nil and system <= 9 * 1_024 and count == wanted),
         "-"
       ]
     ], [["of that the BEAM's own, in bytes each", "#{round(beam)}", "", ""]]}
  end

  defp idle(module, wanted) do
    :erlang.garbage_collect()
    {resident, own} = {resident(), :erlang.memory(:total)}
    instances = called_once(module, wanted, [])
    :erlang.garbage_collect()
    count = length(instances)
    system = resident && (resident() - resident) / count
    beam = (:erlang.memory(:total) - own) / count
    Enum.each(instances, &Instance.close/1)
    settle(resident())
    {count, system, beam}
  end

  # As many as wanted, or as there is room for.
  defp called_once(_module, 0, instances), do: instances

  defp called_once(module, wanted, instances) do
    with {:ok, instance} <- Instance.new(module),
         {:ok, [42]} <- Instance.call(instance, "add", [40, 2]) do
      called_once(module, wanted - 1, [instance | instances])
    else
      {:error, error} ->
        IO.puts(:stderr, "after #{length(instances)} instances: #{Exception.message(error)}")
        instances
    end
  end

  # Waits until what was closed is freed.
  defp settle(before) do
    Process.sleep(200)
    now = resident()
    if now && now < before - @mib, do: settle(now)
  end

  # Bytes of memory that the process has; nil where the system does not say.
  defp resident do
    with {:ok, text} <- File.read("/proc/self/smaps_rollup"),
         [_, kib] <- Regex.run(~r/^Rss:\s+(\d+) kB/m, text) do
      String.to_integer(kib) * 1_024
    else
      _unknown -> nil
    end
  end

  # Runs `work` in as many processes, each with what `prepare` made in it, from one word on; answers what each gave.
  defp together(processes, prepare, work) do
    parent = self()

    tasks =
      for _ <- 1..processes//1 do
        Task.async(fn ->
          prepared = prepare.()
          send(parent, :ready)

          receive do
            :go -> work.(prepared)
          end
        end)
      end

    for _ <- tasks do
      receive do
        :ready -> :ok
      end
    end

    Enum.each(tasks, &send(&1.pid, :go))
    Enum.map(tasks, &Task.await(&1, :infinity))
  end

  defp guest(name), do: File.read!(Path.join(@guests, "#{name}.wat"))
  defp compile(name), do: name |> guest() |> Module.compile!()
  defp new(name), do: name |> compile() |> Instance.new!()

  # ## Cells

  defp pair(stats), do: "#{time(stats.p50)} / #{time(stats.p99)}"

  defp kept(true), do: "yes"
  defp kept(false), do: "no"

  defp floors(names) do
    case Enum.map(names, &Floor.median/1) do
      [nil, nil] -> ""
      [sync, async] -> "#{time(sync)}, on a fiber #{time(async)}"
    end
  end

  defp per_second(nil), do: ""
  defp per_second(ns), do: Bench.digits(1_000_000_000 / ns)

  defp rate(nil), do: ""
  defp rate(ns), do: "#{Bench.digits(@mib / ns)} GB/s"

  defp kib(nil), do: "unknown"
  defp kib(bytes), do: "#{Bench.digits(bytes / 1_024)} KiB"

  defp detail(name, stats),
    do: [name | Enum.map([stats.p50, stats.p99, stats.max], &Bench.microseconds/1)]
end

Bench.Wasm.run()
