# What the parts cost, from Elixir: `mix run --no-start bench/core.exs [--quick]`. Started by hand; nothing fails because a machine is slow.

Code.require_file("measure.exs", __DIR__)

alias Wasgo.Wasm.{Instance, Module}

defmodule Bench.Core do
  # Median and 99th percentile in microseconds.
  def each(name, rounds, fun) do
    stats = Bench.samples(Bench.rounds(rounds), fun)
    row(name, [stats.p50, stats.p99])
  end

  def row(name, [median, slow]) do
    IO.puts("| #{name} | #{Bench.microseconds(median)} | #{Bench.microseconds(slow)} |")
  end
end

guest = fn path -> File.read!(Path.expand("../guest/#{path}", __DIR__)) end

module =
  Module.compile!("""
  (module
    (memory (export "memory") 1)
    (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
    (func (export "spin") (loop br 0)))
  """)

instance = Instance.new!(module)
wander = Wasgo.Script.new!(guest.("scripts/wander.wasm"))
thin = Wasgo.Script.new!(guest.("scripts/thin.wasm"))
plan = Wasgo.Gen.plan!(seed: 7)
chunk = Wasgo.Gen.chunk!(plan, {0, 0})
row = [1, 0.5, 10.0, 2.0, 20.0, 0.3]
thousand = List.duplicate(row, 1000)
{:ok, {kind, fields}, _meshes} = Wasgo.Godot.Frame.chunk(chunk)
frame = Map.merge(fields, %{"t" => kind, "seq" => 1})
encoded = Wasgo.Godot.Variant.encode!(frame)
{:ok, store} = Wasgo.Store.open(:memory)
:ok = Wasgo.Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")

{:ok, _} =
  Wasgo.Store.execute_many(
    store,
    "INSERT INTO t VALUES (?, ?)",
    for(n <- 1..1000, do: [n, "name #{n}"])
  )

{:ok, namer} = Wasgo.Service.start_link(module: guest.("services/namer.wasm"), ready: "READY")

Bench.header()
IO.puts("| | p50, us | p99, us |\n| --- | --- | --- |")

Bench.Core.each("call of `add(i64, i64)`", 50_000, fn ->
  Instance.call(instance, "add", [40, 2])
end)

Bench.Core.each("new instance, 1 page", 5_000, fn -> Instance.new(module) end)

Bench.Core.each("`_notification`, one row (AssemblyScript)", 20_000, fn ->
  Wasgo.Script.notify(wander, 17, row)
end)

Bench.Core.each("`_notification`, 1,000 rows in one crossing", 200, fn ->
  Wasgo.Script.notify_many(wander, 17, thousand)
end)

Bench.Core.each("`process` over a chunk's instance table (C)", 5_000, fn ->
  Wasgo.Script.process(thin, chunk.scatter)
end)

Bench.Core.each("chunk, 65 x 65, 5 octaves, with scatter", 200, fn ->
  Wasgo.Gen.chunk!(plan, {3, 4})
end)

Bench.Core.each("chunk to GLB", 200, fn ->
  chunk |> Wasgo.Gen.Chunk.to_scene() |> elem(1) |> Wasgo.Scene.to_glb!()
end)

Bench.Core.each("chunk's frame, #{div(byte_size(encoded), 1000)} kB, encode", 2_000, fn ->
  Wasgo.Godot.Variant.encode!(frame)
end)

Bench.Core.each("chunk's frame, decode", 2_000, fn -> Wasgo.Godot.Variant.decode!(encoded) end)

Bench.Core.each("select by primary key", 3_000, fn ->
  Wasgo.Store.query!(store, "SELECT name FROM t WHERE id = ?", [500])
end)

Bench.Core.each("service: one line and its answer", 3_000, fn ->
  Wasgo.Service.request(namer, "1 2 0.0 30.0 12.0 0.1 40 9")
end)

spins = for _ <- 1..max(Bench.rounds(20), 5)//1, do: Instance.new!(module)

late =
  for spin <- spins do
    {time, {:error, %Wasgo.LimitError{}}} =
      :timer.tc(fn -> Instance.call(spin, "spin", [], timeout: 50) end)

    (time - 50_000) * 1_000
  end
  |> Enum.sort()

Bench.Core.row("endless loop with a limit of 50 ms: stopped after the limit by", [
  Enum.at(late, div(length(late), 2)),
  List.last(late)
])
