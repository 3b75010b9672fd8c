if Code.ensure_loaded?(Membrane.Testing.Pipeline) do
  defmodule Wasgo.MembraneElementsTest do
    use ExUnit.Case, async: true

    import Membrane.ChildrenSpec
    import Membrane.Testing.Assertions
    import Wasgo.MembranePipelines

    alias Membrane.RemoteStream
    alias Wasgo.{Format, LimitError, StageError}
    alias Wasgo.Membrane.{Endpoint, Filter, Generator, ScriptFilter, Sink, Source}
    alias Wasgo.StageTest.Scripted
    alias Wasgo.Stages.{Ticks, Transform}

    @moduletag :membrane
    # Membrane logs what ends an element.
    @moduletag :capture_log

    defp append(text), do: &{:ok, %{&1 | payload: &1.payload <> text}}

    defp transform(fun, options \\ []),
      do: struct!(Filter, [stage: {Transform, with: fun}] ++ options)

    defp scripted(stage_options \\ [], options \\ []),
      do: struct!(Filter, [stage: {Scripted, [to: self()] ++ stage_options}] ++ options)

    # What comes of buffers with these payloads in an element.
    defp run(payloads, element, format \\ %Format.Terms{}) do
      pipeline = payloads |> from(format) |> child(:element, element) |> to_sink() |> pipeline()
      {pipeline, payloads(all(pipeline))}
    end

    describe "a filter" do
      test "runs its stage over every buffer, in order, and keeps times and metadata" do
        buffers =
          for number <- 1..200//1,
              do: buffer("#{number}", pts: number * 1_000, dts: number, metadata: %{n: number})

        pipeline =
          buffers |> from() |> child(:element, transform(append("!"))) |> to_sink() |> pipeline()

        assert all(pipeline) ==
                 for(buffer <- buffers, do: %{buffer | payload: buffer.payload <> "!"})
      end

      test "may make none or several buffers of one, and more at the end" do
        {_pipeline, payloads} = run([0, :drop, :twice, 3], scripted())
        assert payloads == [0, 1, 2, 3, {:end, 4}]
      end

      test "ends its stage with the stream" do
        run([0], scripted())
        assert_receive {:init, worker}
        assert_receive {:terminate, ^worker}
      end

      test "keeps the order of what several workers do at once" do
        filter = scripted([stateless: true], max_concurrency: 3)
        references = for number <- 1..3//1, do: {number, make_ref()}
        waits = for {_number, reference} <- references, do: {:wait, reference}

        pipeline =
          (waits ++ [:last])
          |> from(%Format.Terms{})
          |> child(:element, filter)
          |> to_sink()
          |> pipeline()

        workers =
          for {_number, reference} <- references do
            assert_receive {:waiting, ^reference, worker}, 20_000
            {worker, reference}
          end

        assert workers |> Enum.map(&elem(&1, 0)) |> Enum.uniq() |> length() == 3
        # The last comes first.
        for {worker, reference} <- Enum.reverse(workers), do: send(worker, {:go, reference})
        payloads = payloads(all(pipeline))
        assert Enum.take(payloads, 4) == waits ++ [:last]
        assert for({:end, taken} <- Enum.drop(payloads, 4), do: taken) |> Enum.sum() == 4
      end
    end

    defp most_taken(most \\ 0) do
      receive do
        {:taken, number} -> most_taken(max(most, number + 1))
      after
        0 -> most
      end
    end

    describe "stream formats" do
      test "of untyped bytes pass on as such" do
        format = %RemoteStream{type: :packetized, content_format: Some.Format}

        pipeline =
          ["a"]
          |> from(format)
          |> child(:element, transform(append("!")))
          |> to_sink()
          |> pipeline()

        assert_sink_stream_format(pipeline, :sink, ^format)
        assert payloads(all(pipeline)) == ["a!"]
      end

      test "of others pass on as they are" do
        pipeline =
          [1]
          |> from(%Some.Other.Format{x: 7})
          |> child(:element, scripted())
          |> to_sink()
          |> pipeline()

        assert_sink_stream_format(pipeline, :sink, %Some.Other.Format{x: 7})
      end

      test "change in their place between the buffers, for every worker" do
        for concurrency <- [1, 4] do
          actions =
            [stream_format: {:output, %Format.Terms{}}] ++
              for number <- 1..20//1 do
                {:buffer, {:output, buffer(number)}}
              end ++
              [stream_format: {:output, %Format.Scene{}}] ++
              for number <- 21..30//1 do
                {:buffer, {:output, buffer(number)}}
              end

          filter = scripted([formats: :count, stateless: true], max_concurrency: concurrency)

          pipeline =
            child(:source, %Wasgo.MembranePipelines.Acts{actions: actions})
            |> child(:element, filter)
            |> to_sink()
            |> pipeline()

          assert_end_of_stream(pipeline, :sink, :input, 20_000)
          events = events(pipeline)
          assert [{:format, %Format.Rows{columns: ["after 0"]}} | events] = events
          assert Enum.take(events, 20) == for(number <- 1..20//1, do: {:buffer, number})

          assert [{:format, %Format.Rows{columns: ["after " <> count]}} | rest] =
                   Enum.drop(events, 20)

          if concurrency == 1, do: assert(count == "20")
          assert Enum.take(rest, 10) == for(number <- 21..30//1, do: {:buffer, number})
          stop(pipeline)
        end
      end

      test "that the stage can't take end the stream, and the parent is told which" do
        filter = %ScriptFilter{script: Wasgo.script!("guest/scripts/thin.wasm"), over: :instances}
        {pipeline, payloads} = run(["a", "b"], filter, %RemoteStream{})
        assert payloads == []

        assert_pipeline_notified(
          pipeline,
          :element,
          {:wasgo_error, %StageError{reason: :format} = error, about}
        )

        assert error.message =~ "Wasgo.Stages.Script takes a Wasgo.Gen.Chunk"
        assert error.message =~ "Wasgo.Format.Bytes"
        assert about == %{on_error: :drop, pts: nil, metadata: %{}}
      end
    end

    describe "errors" do
      @bad [:error, :raise, :throw, :exit, :kill, :rubbish, :no_buffers, {:flood, 10_001}]

      test "cost their buffer, and the parent is told, with :drop" do
        for bad <- @bad do
          buffers = [buffer(1), buffer(bad, pts: 7, metadata: %{name: "bad"}), buffer(3)]

          pipeline =
            buffers
            |> from(%Format.Terms{})
            |> child(:element, scripted())
            |> to_sink()
            |> pipeline()

          assert [1, 3, {:end, _taken}] = payloads(all(pipeline))
          assert_pipeline_notified(pipeline, :element, {:wasgo_error, error, about})
          assert is_exception(error)
          assert about == %{on_error: :drop, pts: 7, metadata: %{name: "bad"}}
          stop(pipeline)
        end
      end

      test "end the stream with :stop, behind what was before" do
        for bad <- @bad ++ [:stop] do
          {pipeline, payloads} = run([1, bad, 3], scripted([], on_error: :stop))
          assert payloads == [1]
          assert_pipeline_notified(pipeline, :element, {:wasgo_error, error, %{on_error: :stop}})
          assert is_exception(error)
          stop(pipeline)
        end
      end

      test "end the element with :raise, once the parent was told" do
        for bad <- @bad ++ [:stop] do
          pipeline =
            supervised_apart(
              [1, bad, 3]
              |> from(%Format.Terms{})
              |> child(:element, scripted([], on_error: :raise))
              |> to_sink()
            )

          assert_pipeline_notified(
            pipeline,
            :element,
            {:wasgo_error, error, %{on_error: :raise}},
            20_000
          )

          assert_receive {:DOWN, _ref, :process, ^pipeline, reason}, 20_000
          # It may be gone before it is monitored.
          assert reason == :noproc or inspect(reason) =~ inspect(error.__struct__)
        end
      end

      test "of a stage that stops itself end the stream" do
        {pipeline, payloads} = run([1, :stop, 3], scripted())
        assert payloads == [1]

        assert_pipeline_notified(
          pipeline,
          :element,
          {:wasgo_error, %RuntimeError{message: "a stop"}, _about}
        )
      end

      test "say what a crash was" do
        {pipeline, _payloads} = run([:raise], scripted())
        assert_pipeline_notified(pipeline, :element, {:wasgo_error, error, _about})

        assert %StageError{
                 reason: :crashed,
                 stage: Scripted,
                 cause: %RuntimeError{message: "a raise"}
               } = error

        assert Exception.message(error) =~
                 "Scripted.handle_buffer ended with ** (RuntimeError) a raise"
      end

      test "of a flood name its limit" do
        {pipeline, _payloads} = run([{:flood, 20_000}], scripted())
        assert_pipeline_notified(pipeline, :element, {:wasgo_error, error, _about})
        assert %LimitError{reason: :buffers, value: 10_000, asked: 20_000} = error
      end

      test "of a stage that can't begin end the element, once the parent was told" do
        for {how, words} <- [error: "it does not begin", raise: "it can't begin"] do
          pipeline =
            supervised_apart(
              [1]
              |> from(%Format.Terms{})
              |> child(:element, scripted(init: how))
              |> to_sink()
            )

          assert_pipeline_notified(pipeline, :element, {:wasgo_error, error, _about}, 20_000)
          assert Exception.message(error) =~ words
          assert_receive {:DOWN, _ref, :process, ^pipeline, _reason}, 20_000
        end
      end

      test "of a buffer that takes too long cost that buffer; another worker does those behind" do
        hung = {:wait, make_ref()}
        {pipeline, payloads} = run([1, hung, 3, 4], scripted([], timeout: 1_000))
        assert Enum.take(payloads, 3) == [1, 3, 4]
        assert_pipeline_notified(pipeline, :element, {:wasgo_error, error, _about}, 20_000)
        assert %LimitError{reason: :time, value: 1_000} = error
        assert Exception.message(error) =~ "Scripted did not finish a buffer in 1000 ms"
      end

      test "in options raise with the option's name when the element is made" do
        wrong = [
          {%Filter{stage: {Transform, []}}, "needs the option :with"},
          {%Filter{stage: {Transform, with: 7}}, "option :with of Wasgo.Stages.Transform"},
          {%Filter{stage: {Transform, wit: 7}}, "no option :wit"},
          {%Filter{stage: NoStage}, "NoStage is no Wasgo.Stage"},
          {%Filter{stage: {Ticks, rate: 1, count: 1, payload: fn _, _ -> 1 end}},
           "it takes no buffers"},
          {%Source{stage: {Transform, with: & &1}}, "it makes no buffers by itself"},
          {%Filter{stage: {Transform, with: & &1}, on_error: :ignore}, "option :on_error"},
          {%Filter{stage: {Transform, with: & &1}, max_in_flight: 0}, "option :max_in_flight"},
          {scripted([], max_concurrency: 2), "option :max_concurrency must be 1"},
          {%ScriptFilter{script: "wander"}, ":store is missing"},
          {%Generator{plan: 7, chunks: []}, "option :plan"}
        ]

        for {element, words} <- wrong do
          spec = [] |> from() |> child(:element, element) |> to_sink()
          assert {:error, reason} = Membrane.Testing.Pipeline.start(spec: spec)
          assert inspect(reason, limit: :infinity, printable_limit: :infinity) =~ words
        end
      end
    end

    describe "termination" do
      test "is prompt while the stage is in the middle of a buffer, and ends its process" do
        reference = make_ref()

        pipeline =
          [{:wait, reference}]
          |> from(%Format.Terms{})
          |> child(:element, scripted())
          |> to_sink()
          |> pipeline()

        assert_receive {:waiting, ^reference, worker}, 20_000
        ref = Process.monitor(worker)
        {microseconds, :ok} = :timer.tc(fn -> Membrane.Pipeline.terminate(pipeline) end)
        assert_receive {:DOWN, ^ref, :process, ^worker, _reason}, 20_000
        # Far from the hour that the stage would have waited.
        assert microseconds < 20_000_000
      end

      test "of a pipeline that is killed ends the stage too" do
        reference = make_ref()

        pipeline =
          supervised_apart(
            [{:wait, reference}]
            |> from(%Format.Terms{})
            |> child(:element, scripted())
            |> to_sink()
          )

        assert_receive {:waiting, ^reference, worker}, 20_000
        ref = Process.monitor(worker)
        Process.exit(pipeline, :kill)
        assert_receive {:DOWN, ^ref, :process, ^worker, _reason}, 20_000
      end

      test "of a child in the middle of the stream terminates the stage" do
        pipeline =
          [1] |> from(%Format.Terms{}) |> child(:element, scripted()) |> to_sink() |> pipeline()

        assert_sink_buffer(pipeline, :sink, %{payload: 1}, 20_000)
        assert_receive {:init, worker}

        Membrane.Testing.Pipeline.execute_actions(pipeline,
          remove_children: [:source, :element, :sink]
        )

        assert_receive {:terminate, ^worker}, 20_000
      end
    end

    describe "a source" do
      test "makes what its stage makes, with its times, and ends with it" do
        ticks = {Ticks, rate: 1000, count: 50, payload: fn number, _seconds -> number end}
        pipeline = child(:source, %Source{stage: ticks}) |> to_sink() |> pipeline()
        assert_sink_stream_format(pipeline, :sink, %Format.Terms{})
        buffers = all(pipeline)
        assert payloads(buffers) == Enum.to_list(0..49//1)
        assert Enum.map(buffers, & &1.pts) == for(number <- 0..49//1, do: number * 1_000_000)
      end

      test "makes what is demanded, of endlessly many" do
        test = self()

        chunks =
          Stream.map(Stream.iterate(0, &(&1 + 1)), fn number ->
            send(test, {:taken, number})
            {number, 0}
          end)

        source = %Generator{plan: Wasgo.Gen.plan!(seed: 7), chunks: chunks, max_in_flight: 2}

        pipeline =
          child(:source, source)
          |> child(:sink, %Membrane.Testing.Sink{autodemand: false})
          |> pipeline()

        assert_sink_playing(pipeline, :sink)
        Membrane.Testing.Pipeline.notify_child(pipeline, :sink, {:make_demand, 3})

        for number <- 0..2//1,
            do:
              assert_sink_buffer(pipeline, :sink, %{payload: %{coordinate: {^number, 0}}}, 20_000)

        refute_sink_buffer(pipeline, :sink, _buffer, 0)
        # What Membrane asks for ahead, and what the stage has in flight.
        assert most_taken() < 100
      end

      test "that fails says so at its place" do
        chunks = [{0, 0}, :rubbish, {1, 0}]
        source = %Generator{plan: Wasgo.Gen.plan!(seed: 7), chunks: chunks}
        pipeline = child(:source, source) |> to_sink() |> pipeline()
        assert_sink_stream_format(pipeline, :sink, %Format.Chunks{plan: %Wasgo.Gen.Plan{}})
        assert pipeline |> all() |> payloads() |> Enum.map(& &1.coordinate) == [{0, 0}, {1, 0}]
        assert_pipeline_notified(pipeline, :source, {:wasgo_error, %Wasgo.PlanError{}, _about})
      end
    end

    describe "a sink" do
      test "gives its stage every buffer, and says when all are done" do
        test = self()
        keep = fn buffer -> with(_ <- send(test, {:kept, buffer.payload}), do: {:ok, buffer}) end
        sink = %Sink{stage: {Transform, with: keep}}

        pipeline =
          Enum.to_list(1..100//1) |> from(%Format.Terms{}) |> child(:sink, sink) |> pipeline()

        assert_pipeline_notified(pipeline, :sink, :wasgo_end_of_stream, 20_000)
        kept = for _ <- 1..100//1, do: receive(do: ({:kept, payload} -> payload))
        assert kept == Enum.to_list(1..100//1)
      end
    end

    describe "an endpoint" do
      test "takes with one stage and makes with another" do
        test = self()
        keep = fn buffer -> with(_ <- send(test, {:kept, buffer.payload}), do: {:ok, buffer}) end

        endpoint = %Endpoint{
          input: {Transform, with: keep},
          output: {Ticks, rate: 1000, count: 5, payload: fn number, _seconds -> number end}
        }

        pipeline = ["a", "b"] |> from() |> child(:endpoint, endpoint) |> to_sink() |> pipeline()
        assert payloads(all(pipeline)) == [0, 1, 2, 3, 4]
        assert_receive {:kept, "a"}, 20_000
        assert_receive {:kept, "b"}, 20_000
        assert_pipeline_notified(pipeline, :endpoint, :wasgo_end_of_stream, 20_000)
      end
    end
  end
else
  defmodule Wasgo.MembraneElementsTest do
    use ExUnit.Case, async: true

    @tag :membrane
    test "elements", do: flunk("Membrane is missing")
  end
end
