# What a stage costs to run in each runtime, over the same work done in the runtime's own simplest way.
#
#     MIX_ENV=prod mix run bench/membrane.exs
#
# With Membrane (a dependency, or in ERL_LIBS) its elements are measured beside a bare filter of Membrane's that does the same work in its
# callback. Each figure is the best of several rounds, taken in turns.

alias Wasgo.{Buffer, Pipeline}
alias Wasgo.Stages.Transform

rounds = 7
count = 20_000

work = %{
  "nothing" => & &1,
  "a script over 1 KiB" =>
    with(
      script =
        Wasgo.Script.new!("""
        (module (memory (export "memory") 40)
          (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
          (func (export "process") (param i32 i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))
        """),
      do: fn payload ->
        {:ok, payload} = Wasgo.Script.process(script, payload)
        payload
      end
    ),
  "100 us of Elixir" => fn payload ->
    until = System.monotonic_time(:microsecond) + 100
    spin = fn spin -> if System.monotonic_time(:microsecond) < until, do: spin.(spin) end
    spin.(spin)
    payload
  end
}

payload = :binary.copy("x", 1024)

# In a process of its own: what Membrane's tests send to it is in nobody's way.
timed = fn fun ->
  Task.await(Task.async(fn -> fun |> :timer.tc() |> elem(0) end), :infinity)
end

stage = fn fun -> {Transform, with: &{:ok, %{&1 | payload: fun.(&1.payload)}}} end

stream = fn fun, count ->
  %{
    "a bare Stream.map" => fn ->
      1..count//1
      |> Stream.map(fn number -> %Buffer{payload: payload, pts: number} end)
      |> Stream.map(&%{&1 | payload: fun.(&1.payload)})
      |> Stream.run()
    end,
    "Wasgo.Pipeline.through/2" => fn ->
      1..count//1
      |> Stream.map(fn number -> %Buffer{payload: payload, pts: number} end)
      |> Pipeline.through(stage.(fun))
      |> Stream.run()
    end,
    "... in a process of its own" => fn ->
      1..count//1
      |> Stream.map(fn number -> %Buffer{payload: payload, pts: number} end)
      |> Pipeline.through(stage.(fun), max_in_flight: 64)
      |> Stream.run()
    end
  }
end

membrane =
  if Code.ensure_loaded?(Membrane.Filter) do
    Code.require_file("membrane/pipelines.ex", __DIR__)
    &Wasgo.Bench.MembranePipelines.all/4
  else
    IO.puts(:stderr, "Membrane is not here: its elements are left out")
    fn _fun, _payload, _count, _stage -> %{} end
  end

IO.puts("| work | in | us a buffer |\n| --- | --- | --- |")

for {name, fun} <- work do
  count = if name =~ "100 us", do: div(count, 10), else: count
  runs = Map.merge(stream.(fun, count), membrane.(fun, payload, count, stage.(fun)))

  times =
    for _round <- 1..rounds//1, {run, go} <- Enum.shuffle(runs), reduce: %{} do
      times ->
        microseconds = timed.(go)
        Map.update(times, run, microseconds, &min(&1, microseconds))
    end

  for {run, microseconds} <- Enum.sort(times) do
    IO.puts("| #{name} | #{run} | #{Float.round(microseconds / count, 2)} |")
  end
end
