# What generation costs, from Elixir: `mix run --no-start bench/generate.exs [--quick]`. Started by hand; nothing fails because a machine is slow.

Code.require_file("measure.exs", __DIR__)

alias Bench.World
alias Wasgo.Gen.{Cache, Tiling, Viewers, Volume}
alias Wasgo.{Gen, Pipeline, Scene, Store}
alias Wasgo.Stages.{Generate, Transform}

defmodule Bench.World do
  def path do
    Path.join(
      System.tmp_dir!(),
      "wasgo-bench-#{System.pid()}-#{System.unique_integer([:positive])}.db"
    )
  end

  def remove(path), do: for(suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix))

  # Seconds that a function takes.
  def seconds(fun) do
    {microseconds, result} = Bench.apart(fn -> :timer.tc(fun) end)
    {microseconds / 1.0e6, result}
  end

  # What the operating system says of this process, in MiB.
  def resident do
    case File.read("/proc/self/status") do
      {:ok, text} ->
        [_, kib] = Regex.run(~r/VmRSS:\s+(\d+)/, text)
        String.to_integer(kib) / 1024

      {:error, _} ->
        :erlang.memory(:total) / 1_048_576
    end
  end

  def mib(number), do: "#{Bench.digits(number)} MiB"
  def row(name, stats), do: [name, Bench.time(stats.p50), Bench.time(stats.p99)]
end

Bench.header()

# Hills of five octaves, with layers of ground and nothing on them, and the world that is made where nothing is said.
hills =
  Gen.plan!(
    seed: 7,
    height: Gen.Field.fbm(frequency: 1 / 200, octaves: 5) |> Gen.Field.scale(40.0),
    scatter: []
  )

world = Gen.plan!(seed: 7)
somewhere = fn -> {:rand.uniform(10_000), :rand.uniform(10_000)} end
glb = fn chunk -> chunk |> Gen.Chunk.to_scene() |> elem(1) |> Scene.to_glb!() end

rows =
  Bench.step("chunks", fn ->
    for {name, plan} <- [{"hills of 5 octaves", hills}, {"the world by default", world}] do
      chunk = Gen.chunk!(plan, {3, 4})

      [
        World.row(
          "chunk, 65 x 65, #{name}",
          Bench.samples(Bench.rounds(1000), fn -> Gen.chunk!(plan, somewhere.()) end)
        ),
        World.row(
          "the same, to GLB",
          Bench.samples(Bench.rounds(400), fn -> glb.(Gen.chunk!(plan, somewhere.())) end)
        ),
        World.row("to GLB alone", Bench.samples(Bench.rounds(400), fn -> glb.(chunk) end))
      ]
    end
  end)

Bench.table(["a chunk", "p50", "p99"], Enum.concat(rows))

# ## Threads: as many chunks are generated at once as are in flight, each on a thread of its own.

count = if Bench.quick?(), do: 40, else: 1000
coordinates = fn -> for _ <- 1..count, do: somewhere.() end

# The best of several rounds, taken in turns.
times =
  Bench.step("threads", fn ->
    for _round <- 1..5, most <- [1, 2, 4] do
      stream =
        Pipeline.stream([{Generate, plan: world, chunks: coordinates.(), max_in_flight: most}])

      {seconds, {:ok, ^count}} = World.seconds(fn -> Pipeline.run(stream) end)
      {most, seconds}
    end
  end)
  |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))
  |> Enum.map(fn {most, seconds} -> {most, Enum.min(seconds)} end)
  |> Enum.sort()

[{1, alone} | _] = times

Bench.table(
  ["chunks in flight", "#{count} chunks of the world by default", "chunks a second", "over one"],
  for {most, seconds} <- times do
    [
      "#{most}",
      "#{Float.round(seconds, 2)} s",
      Bench.digits(count / seconds),
      "#{Float.round(alone / seconds, 2)}"
    ]
  end
)

# ## Memory: a viewer wants more than all of these, and the sink takes its time.

total = if Bench.quick?(), do: 200, else: 10_000
tenth = div(total, 10)

rows =
  Bench.step("memory", fn ->
    for {name, more} <- [
          {"as they are", []},
          {"to GLB, two at once",
           [&Pipeline.through(&1, {Transform, scene: [:to_glb]}, max_concurrency: 2)]}
        ] do
      {:ok, viewers} = Viewers.start_link()
      :ok = Viewers.put(viewers, 1, {5_000, 5_000}, radius: 4_000)
      generate = {Generate, plan: world, viewers: viewers, levels: 0..0, max_in_flight: 4}
      stream = Enum.reduce(more, Pipeline.stream([generate]), & &1.(&2))
      before = World.resident()

      {seconds, {at_tenth, at_end}} =
        World.seconds(fn ->
          stream
          |> Stream.take(total)
          |> Enum.reduce({0, {nil, nil}}, fn {:ok, _buffer}, {number, {at_tenth, _}} ->
            Process.sleep(1)
            number = number + 1

            case number do
              ^tenth -> {number, {World.resident(), nil}}
              ^total -> {number, {at_tenth, World.resident()}}
              _other -> {number, {at_tenth, nil}}
            end
          end)
          |> elem(1)
        end)

      [
        name,
        World.mib(before),
        World.mib(at_tenth),
        World.mib(at_end),
        "#{Float.round(seconds, 1)} s"
      ]
    end
  end)

Bench.table(
  ["#{total} chunks to a slow sink", "before", "after #{tenth}", "after #{total}", "in"],
  rows
)

# ## The cache

path = World.path()
store = Store.open!(path, synchronous: :off)
{:ok, cache} = Cache.start_link(store: store, max_memory: 0)
{:ok, memory} = Cache.start_link(store: nil, max_memory: 512 * 1_048_576)
rounds = max(Bench.rounds(1000), 20)
at = fn -> {:rand.uniform(rounds), 0} end

rows =
  Bench.step("cache", fn ->
    for x <- 1..rounds, cache <- [cache, memory], do: {:ok, _} = Cache.chunk(cache, world, {x, 0})
    Cache.flush(cache)
    made = Cache.info(cache).made
    get = fn cache -> fn -> {:ok, _} = Cache.chunk(cache, world, at.()) end end

    rows = [
      World.row("generated", Bench.samples(rounds, fn -> Gen.chunk!(world, at.()) end)),
      World.row("from the store", Bench.samples(rounds, get.(cache))),
      World.row("from memory", Bench.samples(rounds, get.(memory)))
    ]

    true = Cache.info(cache).made == made
    rows
  end)

held = Cache.info(cache)

Bench.table(["a chunk of the world by default", "p50", "p99"], rows)

work = Gen.Work.new(world, {1, 0, 0}, <<0::64>>)
{:ok, made} = Cache.await(Gen.Work.start(work), work)

Bench.table(["in the store", "bytes"], [
  ["a chunk", Bench.digits(Gen.Work.bytes(made))],
  ["its row, on average, with its share of the indices", Bench.digits(held.bytes / rounds)]
])

GenServer.stop(cache)
Store.close(store)
World.remove(path)

# ## Viewers: what to want is computed anew when one has moved by a quarter of a chunk.

{:ok, tiling} = Tiling.new(world)

rows =
  Bench.step("viewers", fn ->
    for count <- [1, 10, 100] do
      viewers =
        for id <- 1..count do
          at = {:rand.uniform() * 4000, 0.0, :rand.uniform() * 4000}
          %{id: id, position: at, radius: 512.0, level: 0}
        end

      stats = Bench.samples(max(Bench.rounds(60), 5), fn -> Tiling.tiles(tiling, viewers) end)

      [
        "#{count}",
        "#{map_size(Tiling.tiles(tiling, viewers))}",
        Bench.time(stats.p50),
        Bench.time(stats.p99)
      ]
    end
  end)

Bench.table(["viewers with a radius of 512 m", "chunks", "p50", "p99"], rows)

# ## Volumes

rows =
  Bench.step("volumes", fn ->
    for cells <- [32, 64] do
      caves =
        Gen.plan!(
          seed: 3,
          density: Gen.Field.fbm(frequency: 1 / 24, octaves: 3, dimensions: 3),
          cells: cells
        )

      triangles = Volume.triangles(Gen.volume!(caves, {1, 1, 1}))
      stats = Bench.samples(Bench.rounds(200), fn -> Gen.volume!(caves, {1, 1, 1}) end)

      [
        "#{cells} x #{cells} x #{cells} cells, noise of 3 octaves",
        Bench.digits(triangles),
        Bench.time(stats.p50),
        Bench.time(stats.p99),
        "#{Bench.digits(triangles / stats.p50 * 1.0e3)} million"
      ]
    end
  end)

Bench.table(["a cube of a volume", "triangles", "p50", "p99", "triangles a second"], rows)

# The surface alone: densities are given.
rows =
  Bench.step("surfaces", fn ->
    for cells <- [32, 64] do
      wave = fn x, y, z ->
        :math.sin(x / 2.6) + :math.sin(y / 3.1) + :math.sin(z / 2.3 + x / 9) +
          :math.sin((y + z) / 5)
      end

      along = -2..(cells + 1)

      densities =
        for z <- along, y <- along, x <- along, into: "", do: <<wave.(x, y, z)::float-32-little>>

      {:ok, surface} = Volume.surface(densities, cells: cells)
      triangles = div(byte_size(surface.indices), 12)

      stats =
        Bench.samples(Bench.rounds(400), fn ->
          {:ok, _} = Volume.surface(densities, cells: cells)
        end)

      [
        "#{cells} x #{cells} x #{cells} cells, waves",
        Bench.digits(triangles),
        Bench.time(stats.p50),
        Bench.time(stats.p99),
        "#{Bench.digits(triangles / stats.p50 * 1.0e3)} million"
      ]
    end
  end)

Bench.table(
  ["the surface of given densities", "triangles", "p50", "p99", "triangles a second"],
  rows
)
