defmodule WasgoExample.Survey do
  @moduledoc """
  Goes over the land for ever: each chunk is generated, a script of the visitors decides what grows there, a WASI program names the place, and
  what is different from last time is put into the world.

  With Membrane it is a pipeline of it (`WasgoExample.Survey.Membrane`), without it the same stages in a stream of Elixir's.
  """

  alias Wasgo.Gen.Chunk
  alias Wasgo.Stages
  alias WasgoExample.{Island, Keep, Valve}

  # Milliseconds from a chunk to the next once all have been seen: a round takes four seconds.
  @pause 110

  @doc "The stages by their names, the source first."
  @spec stages() :: [{atom(), Wasgo.Stage.spec()}]
  def stages do
    store = WasgoExample.store()

    [
      generate: {Stages.Generate, plan: Island.plan(), chunks: rounds(), max_in_flight: 1},
      grove: {Stages.Script, store: store, script: "grove", over: :instances, refresh: 250},
      namer:
        {Stages.Service, pool: WasgoExample.Namer, ask: &ask/1, answer: &answer/2, retries: 2},
      keep: {Keep, world: WasgoExample.World}
    ]
    |> Enum.map(fn {name, stage} -> {name, Valve.around(stage, Atom.to_string(name))} end)
  end

  @doc "The options of the service that names places."
  @spec namer() :: keyword()
  def namer do
    module = Application.app_dir(:wasgo_example, "priv/services/namer.wasm")
    [size: 2, service: [module: module, framing: :line, ready: "READY"]]
  end

  # The first round as fast as it goes.
  defp rounds do
    chunks = Island.chunks()

    Stream.concat(
      chunks,
      chunks |> Stream.cycle() |> Stream.each(fn _ -> Process.sleep(@pause) end)
    )
  end

  defp ask(%{payload: %Chunk{coordinate: {x, z}, stats: stats} = chunk}) do
    {trees, rocks} = counts(chunk)
    numbers = [stats.min_height, stats.max_height, stats.mean_height, stats.mean_slope]
    Enum.join([x, z | Enum.map(numbers, &Float.round(&1, 3))] ++ [trees, rocks], " ")
  end

  defp answer(%{payload: chunk} = buffer, name), do: %{buffer | payload: %{chunk | name: name}}

  @doc "How many trees and rocks stand in a chunk."
  @spec counts(Chunk.t()) :: {trees :: non_neg_integer(), rocks :: non_neg_integer()}
  def counts(%Chunk{plan: plan} = chunk) do
    # Kinds count through the rules' variants, in order.
    rules = Enum.flat_map(plan.rules, fn {name, variants} -> List.duplicate(name, variants) end)
    names = for %{kind: kind} <- Chunk.scatter(chunk), do: Enum.at(rules, kind)
    {Enum.count(names, &(&1 in [:tree, :conifer])), Enum.count(names, &(&1 == :rock))}
  end

  @doc "Starts it, linked."
  def start_link(_options), do: runtime().start_link(stages())

  @doc false
  def child_spec(options),
    do: %{id: __MODULE__, start: {__MODULE__, :start_link, [options]}, shutdown: 5_000}

  @doc "What runs it."
  @spec runtime() :: module()
  def runtime do
    membrane = WasgoExample.Survey.Membrane
    if Code.ensure_loaded?(membrane), do: membrane, else: WasgoExample.Survey.Stream
  end
end

defmodule WasgoExample.Survey.Stream do
  @moduledoc false
  # The survey without Membrane.

  alias WasgoExample.Stages

  def start_link(stages), do: Task.start_link(fn -> run(stages) end)

  defp run(stages) do
    stages
    |> Keyword.values()
    |> Wasgo.Pipeline.stream()
    |> Stream.run()
  after
    for {name, _stage} <- stages,
        do: Stages.failed(Atom.to_string(name), %RuntimeError{message: "the stream ended"})
  end
end

if Code.ensure_loaded?(Membrane.Pipeline) do
  defmodule WasgoExample.Survey.Membrane do
    @moduledoc false
    # The survey as a Membrane pipeline.

    use Membrane.Pipeline

    def start_link(stages), do: Membrane.Pipeline.start_link(__MODULE__, stages)

    @impl true
    def handle_init(_ctx, stages) do
      spec =
        child(:generate, %Wasgo.Membrane.Source{stage: stages[:generate]})
        |> child(:grove, %Wasgo.Membrane.Filter{stage: stages[:grove], max_in_flight: 2})
        |> child(:namer, %Wasgo.Membrane.Filter{stage: stages[:namer], max_in_flight: 2})
        |> child(:keep, %Wasgo.Membrane.Sink{stage: stages[:keep], max_in_flight: 2})

      {[spec: spec], %{}}
    end

    @impl true
    def handle_child_notification({:wasgo_error, exception, _about}, child, _ctx, state) do
      WasgoExample.Stages.failed(Atom.to_string(child), exception)
      {[], state}
    end

    def handle_child_notification(_other, _child, _ctx, state), do: {[], state}
  end
end
