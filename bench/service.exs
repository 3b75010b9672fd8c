# Services from Elixir: `mix run --no-start bench/service.exs [--quick]`. With WASGO_C2W_IMAGE naming a container's module, its start and memory too.
# What a bare embedding of wasmtime takes for the same is measured by `cargo bench -p wasgo_wasm --bench services`.

Code.require_file("measure.exs", __DIR__)

alias Wasgo.Service
alias Wasgo.Wasm.{Command, Module}

defmodule Bench.Service do
  # Processor time of this VM, in percent of a core, while nothing is asked of it.
  def idle(milliseconds) do
    before = ticks()
    Process.sleep(milliseconds)
    Float.round((ticks() - before) * 10 / milliseconds * 100, 1)
  end

  defp ticks do
    [_name, rest] = "/proc/self/stat" |> File.read!() |> String.split(") ", parts: 2)
    fields = String.split(rest, " ")
    String.to_integer(Enum.at(fields, 11)) + String.to_integer(Enum.at(fields, 12))
  end

  # Memory of this VM in MiB, what it shares with others divided among them.
  def memory do
    [_line, kib] = Regex.run(~r/^Pss:\s+(\d+)/m, File.read!("/proc/self/smaps_rollup"))
    div(String.to_integer(kib), 1024)
  end

  def row(name, figure), do: IO.puts("| #{name} | #{figure} |")

  def time(fun) do
    {microseconds, result} = :timer.tc(fun)
    {microseconds / 1_000, result}
  end
end

quick? = "--quick" in System.argv()
namer_path = Path.expand("../guest/services/namer.wasm", __DIR__)
line = "1 2 0.0 30.0 12.0 0.1 40 9"

cat = """
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (func (export "_start")
    (loop
      (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 131072))
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then (return)))
      (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br 0))))
"""

# Waits for input or 10 ms, whichever comes first, as an emulator's loop does.
polling = """
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store8 offset=8 (i32.const 0) (i32.const 1))
    (i32.store offset=64 (i32.const 0) (i32.const 1)) (i64.store offset=72 (i32.const 0) (i64.const 10000000))
    (loop (br_if 0 (i32.eqz (call $poll (i32.const 0) (i32.const 256) (i32.const 2) (i32.const 512)))))))
"""

Bench.header()
IO.puts("| | |\n| --- | --- |")

{:ok, namer} = Service.start_link(module: namer_path, ready: "READY")
stats = Bench.samples(Bench.rounds(20_000), fn -> {:ok, _} = Service.request(namer, line) end)

Bench.Service.row(
  "request and answer of a line, p50 and p99",
  "#{Bench.microseconds(stats.p50)} and #{Bench.microseconds(stats.p99)} us"
)

lines = List.duplicate(line, 1_000)
rounds = if quick?, do: 5, else: 200
for _ <- 1..5, do: {:ok, _} = Service.request_many(namer, lines)

{milliseconds, _} =
  Bench.Service.time(fn ->
    for _ <- 1..rounds, do: {:ok, _} = Service.request_many(namer, lines)
  end)

Bench.Service.row("the same, a thousand at once", "#{round(rounds * 1_000_000 / milliseconds)}/s")

cat = Module.compile!(cat)
chunk = :binary.copy("x", 1_048_576)
count = if quick?, do: 16, else: 1_000

{milliseconds, bytes} =
  Bench.Service.time(fn ->
    cat
    |> Command.stream(fn -> chunk end |> Stream.repeatedly() |> Stream.take(count))
    |> Enum.reduce(0, fn
      {:stdout, bytes}, sum -> sum + byte_size(bytes)
      _other, sum -> sum
    end)
  end)

Bench.Service.row("bulk through stdin and stdout", "#{round(bytes / milliseconds / 1_000)} MB/s")

stats =
  Bench.samples(Bench.rounds(500), fn ->
    {:ok, service} = Service.start_link(module: cat)
    Service.stop(service)
  end)

Bench.Service.row("start and stop of a small program, p50", "#{Bench.microseconds(stats.p50)} us")

if File.exists?("/proc/self/stat") do
  wait = if quick?, do: 100, else: 10_000
  polling = Module.compile!(polling)
  Service.stop(namer)
  # The engine's clock is to be asleep again.
  Process.sleep(div(wait, 4))
  Bench.Service.row("nothing running", "#{Bench.Service.idle(wait)} % of a core")
  {:ok, _} = Service.start_link(module: polling)

  Bench.Service.row(
    "one service that looks every 10 ms",
    "#{Bench.Service.idle(wait)} % of a core"
  )

  for _ <- 2..10, do: {:ok, _} = Service.start_link(module: polling)
  Bench.Service.row("ten of them", "#{Bench.Service.idle(wait)} % of a core")
end

with image when is_binary(image) <- System.get_env("WASGO_C2W_IMAGE") do
  before = Bench.Service.memory()
  {first, {:ok, _module}} = Bench.Service.time(fn -> Module.compile_file(image) end)
  Bench.Service.row("the image's module, the first time in this VM", "#{round(first)} ms")
  {again, {:ok, module}} = Bench.Service.time(fn -> Module.compile_file(image) end)
  Bench.Service.row("again", "#{round(again)} ms")
  options = [console: :container2wasm, command: ["cat"], memory: 536_870_912]
  # Without a shell around it nothing is waited for but `_start`.
  raw = [module: module, console: {:container2wasm, shell: false}, command: ["cat"]]

  stats =
    Bench.samples(if(quick?, do: 2, else: 20), fn ->
      {:ok, service} = Service.start_link(raw)
      Service.stop(service, 0)
    end)

  Bench.Service.row(
    "start to `_start`, and stop, of the module, p50",
    "#{Bench.microseconds(stats.p50)} us"
  )

  start = fn ->
    {:ok, service} = Service.start_link([module: module] ++ options)
    {:ok, "x"} = Service.request(service, "x", 60_000)
  end

  {milliseconds, _} = Bench.Service.time(start)
  Bench.Service.row("start to the first answer of `cat`", "#{round(milliseconds)} ms")
  Process.sleep(1_000)
  :erlang.garbage_collect()
  one = Bench.Service.memory() - before
  for _ <- 2..10, do: start.()
  Process.sleep(1_000)
  :erlang.garbage_collect()
  ten = Bench.Service.memory() - before
  Bench.Service.row("memory of one copy, with the module", "#{one} MiB")
  Bench.Service.row("of ten", "#{ten} MiB: #{Float.round(ten / one, 2)} times as much")
end
