defmodule Wasgo.Stages.TicksTest do
  use ExUnit.Case, async: true

  alias Wasgo.Pipeline
  alias Wasgo.Stages.Ticks

  doctest Wasgo.Stages.Ticks

  defp ticks(options),
    do:
      Pipeline.stream([
        {Ticks, [payload: fn number, seconds -> {number, seconds} end] ++ options}
      ])

  test "a buffer's time and payload are those at which it was due" do
    assert [rate: 300, count: 4]
           |> ticks()
           |> Enum.map(fn {:ok, buffer} -> {buffer.pts, buffer.payload} end) ==
             [
               {0, {0, 0.0}},
               {3_333_333, {1, 0.003333333}},
               {6_666_666, {2, 0.006666666}},
               {10_000_000, {3, 0.01}}
             ]
  end

  test "none comes before its time" do
    # A rate whose ticks are no whole milliseconds.
    began = System.monotonic_time(:nanosecond)

    for {:ok, buffer} <- ticks(rate: 997, count: 400) do
      assert System.monotonic_time(:nanosecond) - began >= buffer.pts
    end
  end

  test "a consumer that is late gets the next at once, and none is left out" do
    test = self()

    consumer =
      Task.async(fn ->
        Enum.map(ticks(rate: 5, count: 8), fn {:ok, buffer} ->
          if buffer.pts == 0 do
            send(test, :first)
            receive do: (:go -> :ok)
          end

          {buffer.pts, System.monotonic_time(:nanosecond)}
        end)
      end)

    assert_receive :first, 5_000
    # The time of all eight passes meanwhile.
    Enum.to_list(ticks(rate: 5, count: 10))
    send(consumer.pid, :go)
    times = Task.await(consumer, 30_000)
    assert Enum.map(times, &elem(&1, 0)) == for(number <- 0..7, do: number * 200_000_000)
    {_, second} = Enum.at(times, 1)
    {_, last} = List.last(times)
    # They were due over 1.2 s.
    assert last - second < 1_000_000_000
  end

  test "they begin when the stream is consumed, and a stream may be left early" do
    stream = ticks(rate: 1000, count: 1_000_000)
    assert [{:ok, %{pts: 0}}, {:ok, %{pts: 1_000_000}}] = Enum.take(stream, 2)
    assert [{:ok, %{pts: 0}}] = Enum.take(stream, 1)
    assert Enum.to_list(ticks(rate: 1, count: 0)) == []
  end

  test "options are checked when the pipeline is built" do
    for {options, words} <- [
          {[rate: 0, count: 1], ~r/option :rate .* from 1 to 1000/},
          {[rate: 1001, count: 1], ~r/option :rate/},
          {[rate: 1, count: -1], ~r/option :count/},
          {[rate: 1], ~r/needs the option :count/}
        ] do
      assert_raise ArgumentError, words, fn -> ticks(options) end
    end
  end
end
