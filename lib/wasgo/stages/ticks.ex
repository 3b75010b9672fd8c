defmodule Wasgo.Stages.Ticks do
  @moduledoc """
  A source that makes a buffer at a steady rate, in real time.

    * `:rate` - ticks a second, up to 1000; required
    * `:count` - how many; required
    * `:payload` - a function of the tick's number (from 0) and its time in seconds that returns the payload; required

  A buffer's `pts` is the time at which it was due, in nanoseconds from the first. A consumer that is late gets the next tick at once: none is
  left out, and none comes early.

      iex> [{Wasgo.Stages.Ticks, rate: 1000, count: 3, payload: fn number, _seconds -> number end}]
      ...> |> Wasgo.Pipeline.stream()
      ...> |> Enum.map(fn {:ok, buffer} -> {buffer.payload, buffer.pts} end)
      [{0, 0}, {1, 1_000_000}, {2, 2_000_000}]
  """

  use Wasgo.Stage

  @impl true
  def options do
    [
      rate: [type: {:range, 1..1000}, required: true, doc: "ticks a second"],
      count: [type: :non_neg_integer, required: true, doc: "how many"],
      payload: [
        type: {:function, 2},
        required: true,
        doc: "a function of the tick's number and its time in seconds that returns the payload"
      ]
    ]
  end

  @impl true
  def handle_format(nil, state), do: {:ok, %Wasgo.Format.Terms{}, state}

  @impl true
  def init(options), do: {:ok, Map.merge(options, %{number: 0, began: nil})}

  @impl true
  def handle_demand(_size, %{number: count, count: count} = state),
    do: {:end_of_stream, [], state}

  def handle_demand(_size, %{number: number} = state) do
    began = state.began || System.monotonic_time()
    pts = div(number * 1_000_000_000, state.rate)
    wait(began + System.convert_time_unit(pts, :nanosecond, :native))
    buffer = %Wasgo.Buffer{payload: state.payload.(number, pts / 1.0e9), pts: pts}
    {:ok, [buffer], %{state | number: number + 1, began: began}}
  end

  defp wait(due) do
    left = due - System.monotonic_time()

    if left > 0 do
      # A part of a millisecond is waited for as a whole one: none comes early.
      milliseconds = -System.convert_time_unit(-left, :native, :millisecond)

      receive do
      after
        milliseconds -> :ok
      end
    end
  end
end
