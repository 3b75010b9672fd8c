if Code.ensure_loaded?(Membrane.Testing.Pipeline) do
  defmodule Wasgo.Membrane.ViewersTest do
    use ExUnit.Case, async: true

    import Membrane.ChildrenSpec
    import Membrane.Testing.Assertions
    import Wasgo.MembranePipelines

    alias Wasgo.Gen.{Chunk, Gone, Viewers}
    alias Wasgo.Membrane.Generator
    alias Wasgo.{Gen, Pipeline}
    alias Wasgo.Stages.Generate

    @moduletag :membrane

    setup do
      {:ok, viewers} = Viewers.start_link()
      :ok = Viewers.put(viewers, "ada", {0, 0}, radius: 40)
      plan = Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9, levels: 3, scatter: [])
      {:ok, plan: plan, viewers: viewers}
    end

    test "a world that is complete ends the stream", %{plan: plan, viewers: viewers} do
      options = [plan: plan, viewers: viewers, until: :complete]
      pipeline = child(:source, struct!(Generator, options)) |> to_sink() |> pipeline()
      chunks = payloads(all(pipeline))

      assert chunks ==
               for({:ok, buffer} <- Pipeline.stream([{Generate, options}]), do: buffer.payload)

      assert length(chunks) > 30
      stop(pipeline)
    end

    test "a source waits for viewers to move, and ends at once while it waits", context do
      %{plan: plan, viewers: viewers} = context
      options = [plan: plan, viewers: viewers, until: :complete]
      count = Enum.count(Pipeline.stream([{Generate, options}]))

      pipeline =
        child(:source, %Generator{plan: plan, viewers: viewers}) |> to_sink() |> pipeline()

      for _ <- 1..count, do: assert_sink_buffer(pipeline, :sink, %{payload: %Chunk{}}, 30_000)
      :ok = Viewers.put(viewers, "ada", {900, 0}, radius: 40)
      for _ <- 1..count, do: assert_sink_buffer(pipeline, :sink, %{payload: %Gone{}}, 30_000)

      assert_sink_buffer(
        pipeline,
        :sink,
        %{payload: %Chunk{}, metadata: %{viewers: ["ada"]}},
        30_000
      )

      [%{pid: stage}] = Map.values(:sys.get_state(viewers).followers)
      down = Process.monitor(stage)
      stop(pipeline)
      assert_receive {:DOWN, ^down, _, _, _reason}, 30_000
      assert :sys.get_state(viewers).followers == %{}
    end
  end
end
