defmodule Wasgo.Stages.GenerateTest do
  use ExUnit.Case, async: true

  import Bitwise

  alias Wasgo.{Gen, Pipeline, PlanError}
  alias Wasgo.Stages.Generate

  doctest Wasgo.Stages.Generate

  @plan [seed: 7, chunk_size: 8.0, samples: 9]

  setup do
    {:ok, plan: Gen.plan!(@plan)}
  end

  # Coordinates that tell this process of each that is taken.
  defp told(coordinates) do
    test = self()
    Stream.each(coordinates, &send(test, {:taken, &1}))
  end

  defp taken do
    receive do
      {:taken, coordinate} -> [coordinate | taken()]
    after
      0 -> []
    end
  end

  defp endless, do: Stream.map(Stream.iterate(0, &(&1 + 1)), &{&1, -&1})

  test "chunks come in the order that they are asked for, the same as one by one", %{plan: plan} do
    coordinates = for x <- -3..3, z <- -2..2, do: {x, z}

    buffers =
      Enum.map(Pipeline.stream([{Generate, plan: plan, chunks: coordinates}]), fn {:ok, buffer} ->
        buffer
      end)

    assert Enum.map(buffers, & &1.payload.coordinate) == coordinates

    assert Enum.map(buffers, & &1.metadata) ==
             for(coordinate <- coordinates, do: %{coordinate: coordinate})

    for buffer <- Enum.take_random(buffers, 5) do
      alone = Gen.chunk!(plan, buffer.payload.coordinate)
      assert {alone.heights, alone.scatter} == {buffer.payload.heights, buffer.payload.scatter}
    end

    refute_received _
  end

  test "no more than max_in_flight are ahead of the consumer", %{plan: plan} do
    for most <- [1, 3] do
      stream =
        Pipeline.stream([{Generate, plan: plan, chunks: told(endless()), max_in_flight: most}])

      assert [_] = Enum.take(stream, 1)
      assert length(taken()) == most
      assert length(Enum.take(stream, 5)) == 5
      assert length(taken()) == most + 4
    end
  end

  test "halting leaves no message behind, and ends the coordinates", %{plan: plan} do
    test = self()

    coordinates =
      Stream.resource(fn -> 0 end, &{[{&1, 0}], &1 + 1}, fn _ -> send(test, :ended) end)

    assert [_, _] =
             Enum.take(
               Pipeline.stream([{Generate, plan: plan, chunks: coordinates, max_in_flight: 8}]),
               2
             )

    assert_received :ended
    refute_received _
    # What was begun has answered: a call later, there is still nothing.
    Gen.chunk!(plan, {0, 0})
    refute_received _
  end

  test "coordinates that raise do so in their place, and leave no message behind", %{plan: plan} do
    coordinates =
      Stream.map(0..9, fn number -> if number == 3, do: raise("no more"), else: {number, 0} end)

    test = self()

    assert_raise RuntimeError, "no more", fn ->
      [{Generate, plan: plan, chunks: coordinates, max_in_flight: 8}]
      |> Pipeline.stream()
      |> Enum.each(fn {:ok, buffer} -> send(test, {:got, buffer.payload.coordinate}) end)
    end

    for number <- 0..2, do: assert_received({:got, {^number, 0}})
    Gen.chunk!(plan, {0, 0})
    refute_received _
  end

  test "coordinates that raise at once are begun and ended once", %{plan: plan} do
    test = self()
    begin = fn -> send(test, :begun) end
    coordinates = Stream.resource(begin, fn _ -> raise "none" end, fn _ -> send(test, :ended) end)
    stream = Pipeline.stream([{Generate, plan: plan, chunks: coordinates}])
    assert_raise RuntimeError, "none", fn -> Enum.to_list(stream) end
    assert_received :begun
    assert_received :ended
    refute_received _
  end

  test "a coordinate that is none, or outside of the world, is an error in its place", %{
    plan: plan
  } do
    chunks = [{0, 0}, {1, 10_000_000}, :here, {1.5, 0}, {1 <<< 80, 0}, {2, 0}]

    assert [
             {:ok, _},
             {:error, far},
             {:error, atom},
             {:error, float},
             {:error, farther},
             {:ok, last}
           ] = Enum.to_list(Pipeline.stream([{Generate, plan: plan, chunks: chunks}]))

    assert %PlanError{reason: :out_of_range, field: "z"} = far
    assert %PlanError{reason: :invalid, field: "coordinate"} = atom
    assert Exception.message(atom) =~ "two integers, and not :here"
    assert %PlanError{reason: :invalid} = float
    assert %PlanError{reason: :out_of_range, field: "x"} = farther
    assert last.payload.coordinate == {2, 0}
  end

  test "no coordinates are no chunks", %{plan: plan} do
    assert Enum.to_list(Pipeline.stream([{Generate, plan: plan, chunks: []}])) == []
  end

  test "options are checked when the pipeline is built", %{plan: plan} do
    assert_raise ArgumentError, ~r/needs the option :plan/, fn ->
      Pipeline.stream([{Generate, chunks: []}])
    end

    assert_raise ArgumentError, ~r/option :chunks .* an enumerable/, fn ->
      Pipeline.stream([{Generate, plan: plan, chunks: 1}])
    end

    for most <- [0, 257] do
      assert_raise ArgumentError, ~r/option :max_in_flight .* from 1 to 256/, fn ->
        Pipeline.stream([{Generate, plan: plan, chunks: [], max_in_flight: most}])
      end
    end
  end
end
