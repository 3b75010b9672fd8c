# What counting and telling costs, from Elixir: `mix run --no-start bench/telemetry.exs [--quick]`. Started by hand.
#
# Events are only told where the library telemetry is there; without it the last two columns are missing.

Code.require_file("measure.exs", __DIR__)

defmodule Bench.Telemetry do
  alias Wasgo.{Buffer, Pipeline, Script, Stages, Store}
  alias Wasgo.Wasm.{Instance, Module}

  @row [1, 0.5, 10.0, 2.0, 20.0, 0.3]
  @things [:call, :query, :stage]

  def run do
    Bench.header()
    off = measured()

    columns =
      if Code.ensure_loaded?(:telemetry) do
        {:ok, _apps} = Application.ensure_all_started(:telemetry)
        started = measured()
        events = for thing <- @things, last <- [:start, :stop], do: [:wasgo, thing, last]
        events = [[:wasgo, :limit, :reached] | events]
        :ok = apply(:telemetry, :attach_many, ["bench", events, &__MODULE__.heard/4, nil])
        [off, started, measured()]
      else
        [off]
      end

    head = ["", "not started", "started, nobody listens", "one who listens"]

    rows =
      for {name, _time} <- off do
        [name | for(column <- columns, do: Bench.time(column[name]))]
      end

    Bench.table(Enum.take(head, 1 + length(columns)), rows)
  end

  def heard(_event, _measurements, _metadata, _config), do: :ok

  defp measured do
    instance = Instance.new!(Module.compile!(~S|(module
      (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
      (func (export "trap") unreachable))|))

    script = Script.new!(File.read!(Path.expand("../guest/scripts/wander.wasm", __DIR__)))
    {:ok, store} = Store.open(:memory)
    buffers = List.duplicate(Buffer.new(1), 10_000)
    same = {Stages.Transform, with: &{:ok, &1}}
    blocks = fn fun -> Bench.blocks(Bench.rounds(400), fun).p50 end

    [
      {"`Instance.call` of `add`", blocks.(fn -> Instance.call(instance, "add", [40, 2]) end)},
      {"`Script.notify`, one row", blocks.(fn -> Script.notify(script, :process, @row) end)},
      {"a call that traps", blocks.(fn -> Instance.call(instance, "trap") end)},
      {"`Store.query`, one row",
       Bench.samples(Bench.rounds(20_000), fn -> Store.query(store, "SELECT 1") end).p50},
      {"a buffer through a stage",
       Bench.samples(Bench.rounds(60), fn -> buffers |> Pipeline.through(same) |> Stream.run() end).p50 /
         10_000}
    ]
    |> Map.new()
  end
end

Bench.Telemetry.run()
