defmodule Wasgo.Stages.Generate do
  @moduledoc """
  A source that generates chunks, in the order in which they are asked for.

    * `:plan` - a `Wasgo.Gen.Plan`; required
    * `:chunks` - an enumerable of coordinates `{x, z}`; required
    * `:max_in_flight` - chunks that are generated at once, 4 unless given: the native threads stay busy while the stages
      behind work, and no more than this is ever ahead of them

  Payloads are `Wasgo.Gen.Chunk`; the metadata has `:coordinate`.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{:ok, buffer}] = Enum.to_list(Wasgo.Pipeline.stream([{Wasgo.Stages.Generate, plan: plan, chunks: [{3, -2}]}]))
      iex> {buffer.payload.coordinate, buffer.metadata}
      {{3, -2}, %{coordinate: {3, -2}}}
  """

  use Wasgo.Stage

  alias Wasgo.{Buffer, Gen}
  alias Wasgo.Gen.{Chunk, Plan}
  alias Wasgo.Native.Result

  @impl true
  def options do
    [
      plan: [type: {:struct, Plan}, required: true, doc: "a `Wasgo.Gen.Plan`"],
      chunks: [type: :enumerable, required: true, doc: "an enumerable of coordinates `{x, z}`"],
      max_in_flight: [
        type: {:range, 1..256},
        default: 4,
        doc: "chunks that are generated at once"
      ]
    ]
  end

  @impl true
  def handle_format(nil, state), do: {:ok, %Wasgo.Format.Chunks{plan: state.plan}, state}

  @impl true
  def init(options) do
    # The coordinates are taken as they are needed, so that there may be endlessly many.
    next = &Enumerable.reduce(options.chunks, &1, fn coordinate, _ -> {:suspend, coordinate} end)
    {:ok, %{plan: options.plan, next: next, most: options.max_in_flight, in_flight: :queue.new()}}
  end

  @impl true
  def handle_demand(_size, before) do
    state = fill(before)

    case :queue.out(state.in_flight) do
      {:empty, _queue} ->
        {:end_of_stream, [], state}

      # Raised only once the state without the coordinates is the stage's own: terminating must not end them again.
      {{:value, {:raised, _kind, _reason, _stack}}, _rest} when before.next != nil ->
        {:ok, [], state}

      {{:value, {:raised, kind, reason, stack}}, _rest} ->
        :erlang.raise(kind, reason, stack)

      {{:value, {coordinate, started}}, rest} ->
        state = %{state | in_flight: rest}

        case Result.await(started) do
          {:ok, native} ->
            {:ok, [buffer(Chunk.new(state.plan, address(coordinate), <<0::64>>, native))], state}

          {:error, exception} ->
            {:error, exception, state}
        end
    end
  end

  @impl true
  def terminate(state) do
    # What was begun answers this process in any case.
    for {_coordinate, started} <- :queue.to_list(state.in_flight), do: Result.await(started)
    if state.next, do: state.next.({:halt, nil})
    :ok
  end

  defp fill(%{next: nil} = state), do: state

  defp fill(state) do
    if :queue.len(state.in_flight) >= state.most do
      state
    else
      case next(state.next) do
        {:suspended, coordinate, next} ->
          entry = {coordinate, start(state.plan, coordinate)}
          fill(%{state | next: next, in_flight: :queue.in(entry, state.in_flight)})

        {:raised, _kind, _reason, _stack} = raised ->
          %{state | next: nil, in_flight: :queue.in(raised, state.in_flight)}

        {done, _} when done in [:done, :halted] ->
          %{state | next: nil}
      end
    end
  end

  # Coordinates that raise do so in their place, behind what was begun before.
  defp next(next) do
    next.({:cont, nil})
  catch
    kind, reason -> {:raised, kind, reason, __STACKTRACE__}
  end

  defp address({x, z}), do: {x, z, 0}
  defp address(address), do: address

  defp start(plan, {x, z, level} = coordinate)
       when is_integer(x) and is_integer(z) and is_integer(level),
       do: Gen.start(plan, coordinate)

  defp start(plan, {x, z} = coordinate) when is_integer(x) and is_integer(z),
    do: Gen.start(plan, coordinate)

  defp start(_plan, other) do
    message = "a chunk's coordinate is {x, z}, two integers, and not #{inspect(other)}"
    {:error, %Wasgo.PlanError{reason: :invalid, field: "coordinate", message: message}}
  end

  defp buffer(chunk), do: %Buffer{payload: chunk, metadata: %{coordinate: chunk.coordinate}}
end
