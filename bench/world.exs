# What a shared world costs: `mix run --no-start bench/world.exs [--quick]`. Started by hand; nothing fails because a machine is slow.

Code.require_file("measure.exs", __DIR__)

alias Wasgo.Godot.Variant
alias Wasgo.{Gen, Rows, Store, World}
alias Wasgo.World.Zone.Making

defmodule Bench.Engine do
  # An engine that has room for everything: frames are encoded, counted and forgotten.
  @resume %{
    rev: 0,
    keys: [],
    hashes: "",
    meshes: [],
    mesh_hashes: "",
    have: "",
    keeps: false,
    max_meshes: 4_096
  }

  def subscribe(_connection, _kinds), do: :ok
  def events(_connection), do: {:ok, [{:resume, @resume}], 0}

  def send(connection, _kind, fields, _options) do
    :counters.add(connection.counts, 1, 1)
    :counters.add(connection.counts, 2, byte_size(Variant.encode!(fields)))
    {:ok, 1}
  end

  # The frames and bytes of a zone from its first word on.
  def show(world, zone) do
    {:ok, _identity, pid} = Wasgo.World.attach(world, zone)
    connection = %{pid: self(), counts: :counters.new(2, [])}
    Kernel.send(pid, {:wasgo_godot, :open, connection})
    await(pid, Wasgo.World.rev(world))
    {:counters.get(connection.counts, 1), :counters.get(connection.counts, 2)}
  end

  defp await(pid, rev) do
    unless :sys.get_state(pid).rev >= rev, do: await(pid, rev)
  end
end

defmodule Bench.Scripted do
  # A world in which every object has a script, which does nothing: what is left is finding out which objects there are.
  @still """
  (module (memory (export "memory") 1) (data (i32.const 16) "a")
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_columns") (result i64) (i64.const 0x1000000001))
    (func (export "_notification") (param i32 i32 i32) (result i64) (i64.const 0)))
  """

  # Seconds until all of them have theirs, and the longest that somebody who asked meanwhile was not answered.
  def start(store, count) do
    {:ok, world} = World.start_link(name: "scripted", store: store)

    for part <- 1..div(count, 1_000) do
      objects =
        for n <- 1..1_000, do: {:put, name: "#{n}", script: "still", position: {n, 0, part}}

      {:ok, _} = World.mutate(world, objects)
    end

    before = System.monotonic_time(:microsecond)
    scripts = %{"still" => Wasgo.Script.new!(@still)}
    {:ok, pid} = World.Scripts.start_link(world: world, scripts: scripts, hz: 1)
    longest = await(pid, count, 0)
    all = System.monotonic_time(:microsecond) - before
    GenServer.stop(pid)
    :ok = World.stop(world)
    %{all: all / 1.0e6, longest: longest / 1.0e6}
  end

  defp await(pid, count, longest) do
    {took, %{objects: objects}} = :timer.tc(fn -> GenServer.call(pid, :info, :infinity) end)
    longest = max(took, longest)

    if objects == count do
      longest
    else
      # Asking takes time of its own.
      Process.sleep(20)
      await(pid, count, longest)
    end
  end
end

Bench.header()
count = if Bench.quick?(), do: 1_000, else: 100_000
folder = Path.join(System.tmp_dir!(), "wasgo-bench-world-#{System.pid()}")
File.mkdir_p!(folder)
store = Store.open!(Path.join(folder, "world.db"))
start = fn -> World.start_link(name: "bench", store: store, link: Bench.Engine) end
seconds = fn fun -> elem(:timer.tc(fun), 0) / 1.0e6 end
per_second = fn count, seconds -> "#{Bench.digits(round(count / seconds))} /s" end
milliseconds = fn seconds -> "#{Bench.digits(round(seconds * 1_000))} ms" end
{:ok, world} = start.()

objects =
  for part <- 0..(div(count, 1_000) - 1) do
    for n <- 1..1_000 do
      properties = %{"Lamp:light_energy" => 1.5, "visible" => true}

      {:put,
       name: "thing #{part * 1_000 + n}",
       scene: "lamp",
       position: {n, 0, part},
       properties: properties}
    end
  end

put = seconds.(fn -> for part <- objects, do: {:ok, _} = World.mutate(world, part) end)
next = fn -> 1 + :rand.uniform(count) - 1 end

alone =
  Bench.samples(Bench.rounds(2_000), fn ->
    {:ok, _} = World.update(world, next.(), position: {1, :rand.uniform(), 0})
  end)

many =
  for callers <- [10, 100, 500] do
    each = div(Bench.rounds(40_000), callers) + 1

    taken =
      seconds.(fn ->
        1..callers
        |> Enum.map(fn _ ->
          Task.async(fn ->
            for _ <- 1..each,
                do: {:ok, _} = World.update(world, next.(), position: {2, :rand.uniform(), 0})
          end)
        end)
        |> Task.await_many(:infinity)
      end)

    ["one update each, by #{callers} processes", per_second.(callers * each, taken)]
  end

%{superseded: superseded} = World.info(world)
snapshot = seconds.(fn -> :ok = World.snapshot(world) end)
most = min(count, 10_000)

rows =
  Rows.new(
    ["position:x", "position:y", "position:z"],
    for(n <- 1..most, do: {n, [1.0, 2.0, n / 1]})
  )

{:ok, _} = World.put_rows(world, rows)
moved = seconds.(fn -> for _ <- 1..5, do: {:ok, _} = World.put_rows(world, rows) end)
put_down = seconds.(fn -> :ok = World.snapshot(world) end)

{shown, {frames, bytes}} =
  then(:timer.tc(fn -> Bench.Engine.show(world, "a") end), fn {us, result} ->
    {us / 1.0e6, result}
  end)

:ok = World.stop(world)
started = seconds.(fn -> {:ok, _} = start.() end)
scripted = Bench.Scripted.start(store, count)
plan = Gen.plan!(seed: 7)
works = for n <- 1..1_000, do: Gen.Work.new(plan, {n, 3, 0}, <<0::64>>)

hashes =
  Bench.samples(Bench.rounds(200), fn -> Enum.each(works, &Making.chunk_hash(&1, nil, 64.0)) end)

Bench.table(
  ["a world of #{Bench.digits(count)} objects", "figure"],
  [
    ["put, 1,000 in a request", per_second.(count, put)],
    ["one update and its commit, `synchronous: :full`, p50", Bench.time(alone.p50)],
    ["the same, p99", Bench.time(alone.p99)]
  ] ++
    many ++
    [
      ["snapshot that deletes #{Bench.digits(superseded)} rows", milliseconds.(snapshot)],
      ["transient rows of 3 values", per_second.(5 * most, moved)],
      ["snapshot of #{Bench.digits(most)} of them", milliseconds.(put_down)],
      [
        "sent to an engine as #{Bench.digits(frames)} frames, #{Bench.digits(bytes / 1.0e6)} MB",
        milliseconds.(shown)
      ],
      ["started", milliseconds.(started)],
      ["scripts of as many objects started", milliseconds.(scripted.all)],
      ["the longest that a caller waited meanwhile", milliseconds.(scripted.longest)],
      ["hashes of 1,000 chunks, p50", Bench.time(hashes.p50)]
    ]
)

File.rm_rf!(folder)
