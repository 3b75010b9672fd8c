defmodule Wasgo.PipelineTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Buffer, Pipeline, Stage}
  alias Wasgo.Stages.Transform
  alias Wasgo.StageTest.{Told, Upcase}

  doctest Wasgo.Pipeline
  doctest Wasgo.Stage

  defp source(options \\ []), do: {Told.Source, [to: self()] ++ options}
  defp filter(name, options \\ []), do: {Told.Filter, [to: self(), name: name] ++ options}
  defp payloads(elements), do: for({:ok, buffer} <- elements, do: buffer.payload)

  # A stream's elements in short: payloads, and messages of errors.
  defp short(stream) do
    Enum.map(stream, fn
      {:ok, buffer} -> buffer.payload
      {:error, error} -> Exception.message(error)
    end)
  end

  # Everything that was told so far, oldest first.
  defp told do
    receive do
      {name, event} when is_atom(name) -> [{name, event} | told()]
    after
      0 -> []
    end
  end

  defp terminated(events), do: for({name, :terminate} <- events, do: name)

  describe "laziness" do
    test "nothing runs before the stream is consumed" do
      Pipeline.stream([source(), filter(:a)])
      refute_received _
    end

    test "a source is asked for no more than the consumer takes" do
      assert [source(), filter(:a)] |> Pipeline.stream() |> Enum.take(3) |> payloads() == [
               0,
               1,
               2
             ]

      assert Enum.filter(told(), &match?({:source, {:demand, _}}, &1)) ==
               for(number <- 0..2, do: {:source, {:demand, number}})
    end

    test "each buffer goes all the way before the next is asked for" do
      [source(count: 2), filter(:a), filter(:b)]
      |> Pipeline.stream()
      |> Enum.each(fn {:ok, b} -> send(self(), {:consumer, b.payload}) end)

      assert for(event <- told(), not match?({_, atom} when is_atom(atom), event), do: event) == [
               {:source, {:demand, 0}},
               {:a, {:buffer, 0}},
               {:b, {:buffer, 0}},
               {:consumer, 0},
               {:source, {:demand, 1}},
               {:a, {:buffer, 1}},
               {:b, {:buffer, 1}},
               {:consumer, 1}
             ]
    end

    test "a stream can be run again, from the beginning" do
      stream = Pipeline.stream([source(count: 3), filter(:a)])
      assert stream |> Enum.take(2) |> payloads() == [0, 1]
      assert stream |> Enum.to_list() |> payloads() == [0, 1, 2]
      assert terminated(told()) |> Enum.sort() == [:a, :a, :source, :source]
    end

    test "an endless enumerable is a source too" do
      stream = Stream.iterate(0, &(&1 + 1)) |> Stream.map(&Buffer.new/1)

      assert [stream, filter(:a)] |> Pipeline.stream() |> Enum.take(4) |> payloads() == [
               0,
               1,
               2,
               3
             ]
    end
  end

  describe "every stage that began is terminated once" do
    test "when the stream ends by itself" do
      [source(count: 1), filter(:a), filter(:b)] |> Pipeline.stream() |> Enum.to_list()
      assert Enum.sort(terminated(told())) == [:a, :b, :source]
    end

    test "when the consumer has enough" do
      [source(), filter(:a), filter(:b)] |> Pipeline.stream() |> Enum.take(1)
      events = told()
      assert Enum.sort(terminated(events)) == [:a, :b, :source]
      refute {:a, :end_of_stream} in events
    end

    test "when the consumer raises, throws or exits" do
      stream = Pipeline.stream([source(), filter(:a)])

      for fail <- [fn -> raise "no" end, fn -> throw(:no) end, fn -> exit(:no) end] do
        try do
          Enum.each(stream, fn _ -> fail.() end)
        rescue
          RuntimeError -> :ok
        catch
          _, :no -> :ok
        end

        assert Enum.sort(terminated(told())) == [:a, :source]
      end
    end

    test "when a stage raises" do
      stream = Pipeline.stream([source(), filter(:a), filter(:b, on: %{2 => :raise}), filter(:c)])
      assert_raise RuntimeError, "b raises", fn -> Enum.to_list(stream) end
      assert Enum.sort(terminated(told())) == [:a, :b, :c, :source]
    end

    test "when a stage raises at the end of the stream" do
      stream = Pipeline.stream([source(count: 1), filter(:a, at_end: :raise), filter(:b)])
      assert_raise RuntimeError, "a raises at the end", fn -> Enum.to_list(stream) end
      assert Enum.sort(terminated(told())) == [:a, :b, :source]
    end

    test "when the source raises" do
      stream = Pipeline.stream([source(count: 1, at_end: :raise), filter(:a)])
      assert_raise RuntimeError, "the source raises", fn -> Enum.to_list(stream) end
      assert Enum.sort(terminated(told())) == [:a, :source]
    end

    test "when a stage raises as it begins, those that began before it" do
      stream = Pipeline.stream([source(), filter(:a, init: :raise), filter(:b)])
      assert_raise RuntimeError, "a raises as it begins", fn -> Enum.to_list(stream) end
      events = told()
      begun = for {name, :init} <- events, do: name
      assert Enum.sort(terminated(events)) == Enum.sort(begun)
      refute :a in begun
    end

    test "when a stage stops" do
      assert [source(count: 9), filter(:a, on: %{1 => :stop}), filter(:b)]
             |> Pipeline.stream()
             |> short() == [0, "a stops"]

      assert Enum.sort(terminated(told())) == [:a, :b, :source]
    end

    test "when it was zipped and suspended" do
      stream = Pipeline.stream([source(), filter(:a)])

      assert stream
             |> Stream.zip([1, 2])
             |> Enum.map(fn {{:ok, buffer}, n} -> {buffer.payload, n} end) == [{0, 1}, {1, 2}]

      assert Enum.sort(terminated(told())) == [:a, :source]
    end
  end

  describe "errors" do
    test "are values in their place, and pass the stages behind" do
      stream =
        Pipeline.stream([
          source(count: 5),
          filter(:a, on: %{1 => :error, 3 => :error}),
          filter(:b)
        ])

      assert short(stream) == [0, "a stumbles", 2, "a stumbles", 4]
      assert for({:b, {:buffer, payload}} <- told(), do: payload) == [0, 2, 4]
    end

    test "of a source leave it running" do
      assert [source(count: 2, at_end: :error), filter(:a)] |> Pipeline.stream() |> short() == [
               0,
               1,
               "the source stumbles"
             ]
    end

    test "of a stage that can't begin are the stream's only element" do
      assert [source(count: 9), filter(:a, init: :error), filter(:b)]
             |> Pipeline.stream()
             |> short() == ["a can't begin"]

      events = told()
      assert Enum.sort(terminated(events)) == [:b, :source]
      # It hears of the end, as of any other.
      assert {:b, :end_of_stream} in events
      refute {:b, {:buffer, 0}} in events
    end

    test "of a stage that can't begin show on an empty stream too" do
      assert [[], filter(:a, init: :error)] |> Pipeline.stream() |> short() == ["a can't begin"]
    end

    test "that stop a source end the stream" do
      assert [source(count: 2, at_end: :stop), filter(:a)] |> Pipeline.stream() |> short() == [
               0,
               1,
               "the source stops"
             ]

      assert Enum.sort(terminated(told())) == [:a, :source]
    end

    test "at the end of the stream are its last element" do
      for at_end <- [:error, :stop] do
        assert [source(count: 1), filter(:a, at_end: at_end)]
               |> Pipeline.stream()
               |> short()
               |> List.last() =~ "at the end"

        assert Enum.sort(terminated(told())) == [:a, :source]
      end
    end

    test "may come in with the enumerable" do
      error = %RuntimeError{message: "from outside"}

      assert [[Buffer.new("a"), {:error, error}, {:ok, Buffer.new("b")}], Upcase]
             |> Pipeline.stream()
             |> short() == ["A", "from outside", "B"]
    end

    test "are raised by stream!" do
      stream = Pipeline.stream!([source(count: 3), filter(:a, on: %{1 => :error})])
      assert_raise RuntimeError, "a stumbles", fn -> Enum.to_list(stream) end
      assert Enum.sort(terminated(told())) == [:a, :source]
      assert [source(count: 2)] |> Pipeline.stream!() |> Enum.map(& &1.payload) == [0, 1]
    end

    test "end a run with the first of them, or the count of buffers" do
      assert Pipeline.run(Pipeline.stream([source(count: 3), filter(:a)])) == {:ok, 3}

      assert {:error, %RuntimeError{message: "a stumbles"}} =
               Pipeline.run(Pipeline.stream([source(), filter(:a, on: %{4 => :error})]))

      assert Enum.count(terminated(told()), &(&1 == :source)) == 2
    end
  end

  test "a stage may drop, repeat and keep back buffers until the end" do
    on = %{0 => :keep, 1 => :drop, 2 => :twice, 4 => :keep}

    assert [source(count: 5), filter(:a, on: on), filter(:b)] |> Pipeline.stream() |> short() == [
             2,
             2,
             3,
             0,
             4
           ]

    assert for({:b, {:buffer, payload}} <- told(), do: payload) == [2, 2, 3, 0, 4]
  end

  test "a source may end with a last buffer" do
    assert [source(count: 1, at_end: :buffer)] |> Pipeline.stream() |> short() == [0, :last]

    assert [source(count: 1, at_end: :buffer)] |> Pipeline.stream() |> Enum.take(2) |> short() ==
             [0, :last]

    assert terminated(told()) == [:source, :source]
  end

  test "streams may be put together of streams" do
    inner = Pipeline.stream([source(count: 3), filter(:a)])

    assert Pipeline.stream([inner, filter(:b)])
           |> Pipeline.through({Transform, with: &{:ok, %{&1 | payload: &1.payload * 2}}})
           |> short() == [0, 2, 4]

    assert Enum.sort(terminated(told())) == [:a, :b, :source]
  end

  test "times and metadata go through stages that do not know them" do
    buffer = %Buffer{payload: "a", pts: 5, dts: 4, metadata: %{from: "here"}}

    assert [[buffer], Upcase] |> Pipeline.stream() |> Enum.to_list() == [
             {:ok, %{buffer | payload: "A"}}
           ]
  end

  describe "what is wrong with a pipeline is raised when it is built" do
    test "options" do
      assert_raise ArgumentError, ~r/Wasgo.StageTest.Told.Filter needs the option :to/, fn ->
        Pipeline.stream([[], Told.Filter])
      end

      assert_raise ArgumentError, ~r/option :count of Wasgo.StageTest.Told.Source/, fn ->
        Pipeline.stream([source(count: -1)])
      end

      assert_raise ArgumentError, ~r/Wasgo.StageTest.Upcase has no option :case/, fn ->
        Pipeline.through([], {Upcase, case: :down})
      end
    end

    test "what is no stage" do
      assert_raise ArgumentError, "Enum is no Wasgo.Stage", fn -> Pipeline.through([], Enum) end

      assert_raise ArgumentError, "No.Such.Module is no Wasgo.Stage", fn ->
        Pipeline.through([], No.Such.Module)
      end

      assert_raise ArgumentError, ~r/a stage is a module or \{module, options\}, not "x"/, fn ->
        Pipeline.through([], "x")
      end
    end

    test "sources and filters in the wrong places" do
      assert_raise ArgumentError,
                   ~r/Told.Source is a source: it can only be the first stage/,
                   fn -> Pipeline.stream([source(), source()]) end

      assert_raise ArgumentError,
                   ~r/Upcase is no source, so a pipeline can't begin with it/,
                   fn -> Pipeline.stream([Upcase]) end

      assert_raise ArgumentError,
                   ~r/begins with a source stage or an enumerable of buffers, not 7/,
                   fn -> Pipeline.stream([7]) end
    end

    test "a stage tells whether it is a source" do
      assert Stage.source?(Told.Source)
      refute Stage.source?(Upcase)
      assert Stage.check!(Upcase) == {Upcase, %{}}
    end
  end

  test "what is no buffer is raised, and stages are terminated" do
    stream = Pipeline.stream([[Buffer.new(1), :not_a_buffer], filter(:a)])

    assert_raise ArgumentError,
                 "a pipeline carries Wasgo.Buffer structs, and got :not_a_buffer",
                 fn -> Enum.to_list(stream) end

    assert terminated(told()) == [:a]
  end
end
