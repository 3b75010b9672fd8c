defmodule Wasgo.Pipeline.ServerTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Wasgo.{Buffer, Stages}
  alias Wasgo.Pipeline.Server
  alias Wasgo.StageTest.Told

  doctest Wasgo.Pipeline.Server

  # For a machine that is busy with something else, in ms.
  @patience 10_000

  # A stage that waits for a word with each buffer, and says that it does.
  defp gate(test) do
    fn buffer ->
      send(test, {:at, buffer.payload, self()})

      receive do
        :go -> {:ok, buffer}
        {:fail, words} -> {:error, %RuntimeError{message: words}}
        :die -> exit(:kill)
      end
    end
  end

  defp buffers(range), do: for(number <- range, do: Buffer.new(number))
  defp stage(pipeline, name), do: Enum.find(Server.stages(pipeline), &(&1.name == name))

  defp let_through(payloads) do
    for payload <- payloads do
      assert_receive {:at, ^payload, pid}, @patience
      send(pid, :go)
    end
  end

  defp endless, do: Stream.map(Stream.iterate(1, &(&1 + 1)), &Buffer.new/1)

  test "nothing runs further ahead of a stage that waits than it may" do
    test = self()

    counted =
      Stream.map(endless(), fn buffer ->
        send(test, {:made, buffer.payload})
        buffer
      end)

    pipeline =
      start_supervised!(
        {Server,
         max_in_flight: 4, stages: [numbers: counted, gate: {Stages.Transform, with: gate(test)}]}
      )

    assert_receive {:made, 4}, @patience
    assert_receive {:at, 1, pid}, @patience
    # The source has nothing to do before there is room: what it says is what it was asked for.
    wait_for(pipeline, :numbers, &(&1.sent == 4))
    refute_received {:made, 5}
    send(pid, :go)
    assert_receive {:made, 5}, @patience
    assert %{received: received, sent: 1, waiting: 0} = stage(pipeline, :gate)
    assert received in 4..5
  end

  test "a stage is stopped when it is done with what it has, and what comes waits until it is started" do
    test = self()

    pipeline =
      start_supervised!(
        {Server,
         max_in_flight: 2,
         stages: [numbers: endless(), gate: {Stages.Transform, with: gate(test)}]}
      )

    assert_receive {:at, 1, first}, @patience
    stopping = Task.async(fn -> Server.stop_stage(pipeline, :gate) end)
    send(first, :go)
    let_through([2])
    assert Task.await(stopping) == :ok
    assert %{state: :stopped, sent: 2, lost: 0, under_way: 0} = stage(pipeline, :gate)
    assert %{state: :running} = stage(pipeline, :numbers)

    assert Server.start_stage(pipeline, :gate) == :ok
    let_through([3, 4, 5])
    assert Server.stop_stage(pipeline, :nobody) == {:error, :unknown}
  end

  test "a buffer that fails is counted, and costs nothing else" do
    test = self()

    pipeline =
      start_supervised!(
        {Server, stages: [numbers: buffers(1..2), gate: {Stages.Transform, with: gate(test)}]}
      )

    assert_receive {:at, 1, pid}, @patience
    send(pid, {:fail, "on purpose"})
    let_through([2])
    assert Server.await_end(pipeline) == :ok

    assert %{errors: 1, sent: 1, received: 2, restarts: 0, last_error: error} =
             stage(pipeline, :gate)

    assert Exception.message(error) == "on purpose"
  end

  test "a stage that ends by an error is begun anew, and in the end has failed until it is started" do
    test = self()

    stages = [
      source: {Told.Source, to: test, count: 0, at_end: :stop},
      sink: {Stages.Transform, with: &{:ok, &1}}
    ]

    log =
      capture_log(fn ->
        pipeline = start_supervised!({Server, max_restarts: 1, stages: stages})
        assert_receive {:source, :init}, @patience
        assert_receive {:source, :init}, @patience
        assert_receive {:source, :terminate}, @patience
        failed = wait_for(pipeline, :source, &(&1.state == :failed))
        assert failed.restarts == 1
        assert Exception.message(failed.last_error) == "the source stops"
        assert %{state: :running} = stage(pipeline, :sink)
        assert Server.start_stage(pipeline, :source) == :ok
        assert_receive {:source, :init}, @patience
      end)

    assert log =~ "stage :source of"
    assert log =~ "is begun anew in 100 ms: the source stops"
    assert log =~ "has failed, and is not begun anew: the source stops"
  end

  # Asks until it is so: each answer is a message that is waited for.
  defp wait_for(pipeline, name, so?) do
    stage = stage(pipeline, name)
    if so?.(stage), do: stage, else: wait_for(pipeline, name, so?)
  end

  test "everything begins anew when it is restarted" do
    pipeline =
      start_supervised!(
        {Server, stages: [numbers: buffers(1..3), same: {Stages.Transform, with: &{:ok, &1}}]}
      )

    assert Server.await_end(pipeline) == :ok
    assert Server.restart(pipeline) == :ok
    assert Server.await_end(pipeline) == :ok
    assert %{sent: 6, state: :ended} = stage(pipeline, :same)
  end

  test "stages may be several at once, and end with the pipeline" do
    test = self()

    {:ok, pipeline} =
      Server.start_link(
        stages: fn ->
          [
            numbers: endless(),
            gate: {Stages.Transform, [with: gate(test)], max_concurrency: 2}
          ]
        end
      )

    assert_receive {:at, _one, first}, @patience
    assert_receive {:at, _other, second}, @patience
    assert first != second
    refs = for pid <- [first, second], do: Process.monitor(pid)
    assert Server.stop(pipeline) == :ok
    for ref <- refs, do: assert_receive({:DOWN, ^ref, :process, _pid, _reason}, @patience)
  end

  test "what is wrong is named before anything starts" do
    for {stages, words} <- [
          {[], "1 to 64 stages"},
          {[a: buffers(1..1), a: Stages.Collect], "different names"},
          {[a: buffers(1..1), b: {Stages.Generate, plan: Wasgo.plan!(seed: 1), chunks: []}],
           "stage :b is a source"},
          {[a: Stages.Collect], "stage :a is no source"},
          {[a: buffers(1..1), b: {Stages.Transform, [with: &{:ok, &1}], size: 2}],
           "stage :b of the pipeline has no option :size"}
        ] do
      assert_raise ArgumentError, ~r/#{words}/, fn -> Server.start_link(stages: stages) end
    end
  end
end
