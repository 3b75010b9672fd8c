defmodule Wasgo.PipelineShapesTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Buffer, LimitError, Pipeline, StageError}
  alias Wasgo.Pipeline.{Messages, Reader, Writer}
  alias Wasgo.StageTest.{Scripted, Told}
  alias Wasgo.Stages.Transform

  doctest Wasgo.Pipeline.Reader
  doctest Wasgo.Pipeline.Writer
  doctest Wasgo.Pipeline.Messages

  defp scripted(options \\ []), do: {Scripted, [to: self()] ++ options}
  defp buffers(payloads), do: Enum.map(payloads, &Buffer.new/1)
  defp payloads(elements), do: for({:ok, buffer} <- elements, do: buffer.payload)
  defp endless(options \\ []), do: {Told.Source, [to: self()] ++ options}

  defp demands do
    receive do
      {:source, {:demand, _number}} -> 1 + demands()
    after
      0 -> 0
    end
  end

  defp gone(pid) do
    ref = Process.monitor(pid)
    assert_receive {:DOWN, ^ref, :process, ^pid, _reason}, 20_000
  end

  describe "a reader" do
    test "runs its stages no further than it is read" do
      {:ok, reader} = Reader.start_link([endless(), scripted()])
      assert {:ok, elements} = Reader.read(reader, 3)
      assert payloads(elements) == [0, 1, 2]
      assert demands() == 3
      assert {:ok, [_one]} = Reader.read(reader)
      assert demands() == 1
    end

    test "keeps for the next what a read did not wait for" do
      reference = make_ref()
      {:ok, reader} = Reader.start_link([buffers([1, {:wait, reference}, 3]), scripted()])
      assert {:ok, [{:ok, %{payload: 1}}]} = Reader.read(reader, 2, 1_000)
      assert {:error, %LimitError{reason: :time}} = Reader.read(reader, 1, 50)
      assert_receive {:waiting, ^reference, worker}, 20_000
      send(worker, {:go, reference})
      assert {:ok, elements} = Reader.read(reader, 3)
      assert payloads(elements) == [{:wait, reference}, 3, {:end, 3}]
      assert Reader.read(reader) == :end_of_stream
    end

    test "serves several processes in their order, each element once" do
      {:ok, reader} = Reader.start_link([buffers(1..300//1)])

      read =
        for _ <- 1..6//1, do: Task.async(fn -> for _ <- 1..10//1, do: Reader.read(reader, 5) end)

      elements = read |> Task.await_many(20_000) |> List.flatten() |> Enum.flat_map(&elem(&1, 1))
      assert Enum.sort(payloads(elements)) == Enum.to_list(1..300//1)
    end

    test "tells what the stream raised" do
      {:ok, reader} = Reader.start_link([endless(count: 1, at_end: :raise)])
      assert {:ok, [_one]} = Reader.read(reader)
      assert {:error, %RuntimeError{message: "the source raises"}} = Reader.read(reader)
      assert {:error, %RuntimeError{message: "the source raises"}} = Reader.read(reader)
    end

    test "ends its stages when it is closed, or its process ends, also in the middle of a buffer" do
      {:ok, reader} = Reader.start_link([endless(), scripted()])
      {:ok, _elements} = Reader.read(reader)
      assert Reader.close(reader) == :ok
      assert_receive {:terminate, _pid}, 20_000
      assert_receive {:source, :terminate}, 20_000

      reference = make_ref()
      {:ok, reader} = Reader.start_link([buffers([{:wait, reference}]), scripted()])
      assert {:error, %LimitError{}} = Reader.read(reader, 1, 10)
      assert_receive {:waiting, ^reference, worker}, 20_000
      Process.unlink(reader)
      Process.exit(reader, :kill)
      gone(worker)
    end

    test "refuses wrong stages in the caller" do
      assert_raise ArgumentError, ~r/needs the option :with/, fn ->
        Reader.start_link([[], Transform])
      end
    end
  end

  describe "a writer" do
    test "takes what fits, and waits while the stages are behind" do
      reference = make_ref()
      {:ok, writer} = Writer.start_link([scripted()], max_in_flight: 2)
      assert Writer.write(writer, Buffer.new({:wait, reference})) == :ok
      assert_receive {:waiting, ^reference, worker}, 20_000
      assert Writer.write(writer, Buffer.new(2)) == :ok
      assert Writer.write(writer, Buffer.new(3)) == :ok
      assert {:error, %LimitError{reason: :time}} = Writer.write(writer, Buffer.new(4), 20)
      assert {:error, %LimitError{reason: :time}} = Writer.close(writer, 20)
      send(worker, {:go, reference})
      assert Writer.write(writer, Buffer.new(5)) == :ok
      # What was refused was not taken: the stage has had four, and makes one at the end.
      assert Writer.close(writer) == {:ok, %{done: 5, failed: 0, error: nil}}
    end

    test "counts what failed, and tells the first error" do
      {:ok, writer} = Writer.start_link([scripted()], to: self())
      for payload <- [1, :error, 2], do: :ok = Writer.write(writer, Buffer.new(payload))

      assert {:ok, %{done: 3, failed: 1, error: %RuntimeError{message: "an error"}}} =
               Writer.close(writer)

      assert_received {Writer, ^writer, {:ok, %{payload: 1}}}
      assert_received {Writer, ^writer, {:error, %RuntimeError{}}}
    end

    test "says what ended the stream, to those who wait too" do
      {:ok, writer} = Writer.start_link([scripted()])
      :ok = Writer.write(writer, Buffer.new(:raise))
      assert %RuntimeError{message: "a raise"} = eventually_refused(writer)
      assert {:ok, %{done: 0, failed: 1, error: %RuntimeError{}}} = Writer.close(writer)

      {:ok, writer} = Writer.start_link([scripted()])
      :ok = Writer.write(writer, Buffer.new(:stop))
      assert %RuntimeError{message: "a stop"} = eventually_refused(writer)
    end

    test "is written to by many processes at once, and loses nothing" do
      {:ok, writer} = Writer.start_link([scripted()], max_in_flight: 3)

      1..20//1
      |> Enum.map(fn number ->
        Task.async(fn ->
          for _ <- 1..20//1, do: :ok = Writer.write(writer, Buffer.new(number))
        end)
      end)
      |> Task.await_many(60_000)

      assert {:ok, %{done: 401, failed: 0}} = Writer.close(writer)
    end

    test "ends its stages with its process" do
      reference = make_ref()
      {:ok, writer} = Writer.start_link([scripted()])
      :ok = Writer.write(writer, Buffer.new({:wait, reference}))
      assert_receive {:waiting, ^reference, worker}, 20_000
      Process.unlink(writer)
      Process.exit(writer, :kill)
      gone(worker)
    end

    test "refuses wrong stages and options in the caller" do
      assert_raise ArgumentError, ~r/needs the option :with/, fn ->
        Writer.start_link([Transform])
      end

      assert_raise ArgumentError, ~r/:max_in_flight/, fn ->
        Writer.start_link([], max_in_flight: 0)
      end
    end

    # The stream has ended soon after a write that ended it.
    defp eventually_refused(writer) do
      case Writer.write(writer, Buffer.new(1)) do
        :ok -> eventually_refused(writer)
        {:error, exception} -> exception
      end
    end
  end

  describe "messages" do
    test "come as many as were asked for" do
      %{ref: ref} = messages = Messages.start([endless()])
      refute_received {:wasgo, ^ref, _message}
      Messages.demand(messages, 2)

      for number <- 0..1//1,
          do: assert_receive({:wasgo, ^ref, {:ok, %{payload: ^number}}}, 20_000)

      assert demands() == 2
      Messages.stop(messages)
      assert_receive {:source, :terminate}, 20_000
      refute_received {:wasgo, ^ref, _message}
    end

    test "tell of a raise, and of what is late although it was asked for" do
      %{ref: ref} = Messages.start([endless(count: 0, at_end: :raise)], demand: 1)
      assert_receive {:wasgo, ^ref, {:stop, %RuntimeError{message: "the source raises"}}}, 20_000

      hang = make_ref()

      %{ref: ref} =
        Messages.start([buffers([{:wait, hang}]), scripted()], demand: 1, timeout: 1_000)

      assert_receive {:waiting, ^hang, worker}, 20_000
      assert_receive {:wasgo, ^ref, {:stop, %LimitError{reason: :time, value: 1_000}}}, 20_000
      gone(worker)
    end

    test "end with the process that they go to" do
      hang = make_ref()
      to = spawn(fn -> receive do: (:go -> :ok) end)
      Messages.start([buffers([{:wait, hang}]), scripted()], demand: 1, to: to)
      assert_receive {:waiting, ^hang, worker}, 20_000
      send(to, :go)
      gone(worker)
    end
  end

  describe "a stage of a stream in processes of its own" do
    test "handles several buffers at once, and keeps their order and that of errors before" do
      references = for _ <- 1..3//1, do: make_ref()
      test = self()

      elements =
        [{:error, %RuntimeError{message: "before"}}] ++
          for(reference <- references, do: {:ok, Buffer.new({:wait, reference})})

      stream = Pipeline.through(elements, scripted(stateless: true), max_concurrency: 3)

      task =
        Task.async(fn ->
          send(test, :begun)
          Enum.to_list(stream)
        end)

      workers =
        for reference <- references do
          assert_receive {:waiting, ^reference, worker}, 20_000
          {worker, reference}
        end

      for {worker, reference} <- Enum.reverse(workers), do: send(worker, {:go, reference})
      assert [{:error, %RuntimeError{message: "before"}} | rest] = Task.await(task, 20_000)
      assert payloads(Enum.take(rest, 3)) == for(reference <- references, do: {:wait, reference})
    end

    test "leaves no message behind, however the stream ends" do
      for {payloads, options, taken} <- [
            {Enum.to_list(1..50//1), [max_in_flight: 16], 3},
            {[1, 2, 3], [max_in_flight: 4], 100},
            {[1, {:wait, make_ref()}, 3], [timeout: 50], 100},
            {[1, :kill, 3], [max_in_flight: 4], 100},
            {[1, :stop, 3], [timeout: 60_000], 100}
          ] do
        test = spawn_link(fn -> Process.sleep(:infinity) end)
        stage = {Scripted, to: test}

        messages =
          Task.async(fn ->
            payloads |> buffers() |> Pipeline.through(stage, options) |> Enum.take(taken)
            Process.info(self(), :messages)
          end)

        assert Task.await(messages, 20_000) == {:messages, []}
      end
    end

    test "is killed when its time for a buffer is over, and the next goes on" do
      stream = Pipeline.through(buffers([1, {:wait, make_ref()}, 3]), scripted(), timeout: 1_000)

      assert [
               {:ok, %{payload: 1}},
               {:error, %LimitError{reason: :time}},
               {:ok, %{payload: 3}} | _
             ] = Enum.to_list(stream)
    end

    test "may be killed by others: that costs the buffer that it was at" do
      stream = Pipeline.through(buffers([1, :kill, 3]), scripted(), max_in_flight: 8)

      assert [
               {:ok, %{payload: 1}},
               {:error, %StageError{reason: :killed}},
               {:ok, %{payload: 3}} | _
             ] = Enum.to_list(stream)
    end

    test "runs no further ahead of the consumer than it is told" do
      [_one] =
        [endless()]
        |> Pipeline.stream()
        |> Pipeline.through(scripted(), max_in_flight: 4)
        |> Enum.take(1)

      assert demands() <= 5
      assert_receive {:terminate, _pid}, 20_000
    end

    test "ends with a consumer that is killed in the middle of a buffer" do
      reference = make_ref()
      stream = Pipeline.through(buffers([{:wait, reference}]), scripted(), max_in_flight: 1)
      consumer = spawn(fn -> Enum.to_list(stream) end)
      assert_receive {:waiting, ^reference, worker}, 20_000
      Process.exit(consumer, :kill)
      gone(worker)
    end

    test "can't be several when it has a state" do
      assert_raise ArgumentError,
                   ~r/:max_concurrency must be 1 for Wasgo.StageTest.Scripted/,
                   fn ->
                     Pipeline.through([], scripted(), max_concurrency: 2)
                   end
    end
  end
end
