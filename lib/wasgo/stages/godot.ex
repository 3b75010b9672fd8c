defmodule Wasgo.Stages.Godot do
  @moduledoc """
  A sink that sends buffers to a connected Godot server, and passes them on once they are on their way.

    * `:connection` - a `Wasgo.Godot.Connection`; required
    * `:timeout` - how long a buffer may wait for the engine, in milliseconds; 30,000 unless given

  Payloads are `Wasgo.Gen.Chunk` (with the meshes that it needs, each sent once), `Wasgo.Gen.Volume`, `Wasgo.Gen.Gone` (a chunk or cube to be removed), `Wasgo.Rows`, and frames
  of `Wasgo.Godot.Frame`, `{kind, fields}`. The stage waits while the engine
  is behind, and so slows what feeds it: at most 256 frames, and 2 MiB of them, wait for the connection. The stream ends when these are sent; those of a
  consumer that halts it, or dies, before may not be. With the connection gone the stage ends: `{:error,
  %Wasgo.GodotError{}}` is the last element. `Wasgo.Godot.Connection.flush/2` says when all is applied.

      {:ok, godot} = Wasgo.Godot.Server.await_connection(MyApp.Godot, 60_000)

      Wasgo.Pipeline.run(Wasgo.Pipeline.stream([
        {Wasgo.Stages.Generate, plan: plan, viewers: MyApp.Viewers},
        {Wasgo.Stages.Godot, connection: godot}
      ]))
  """

  use Wasgo.Stage

  alias Wasgo.Gen.{Chunk, Gone, Volume}
  alias Wasgo.Godot
  alias Wasgo.Godot.Connection.Pusher
  alias Wasgo.Godot.Frame
  alias Wasgo.Rows

  @impl true
  def options do
    [
      connection: [
        type: {:struct, Godot.Connection},
        required: true,
        doc: "a `Wasgo.Godot.Connection`"
      ],
      timeout: [
        type: :timeout,
        default: 30_000,
        doc: "how long a buffer may wait for the engine, in milliseconds"
      ]
    ]
  end

  @impl true
  def init(%{connection: connection} = options),
    do: {:ok, %{pusher: Pusher.new(connection), timeout: options.timeout, known: MapSet.new()}}

  @impl true
  def handle_format(format, state) do
    if Wasgo.Format.payload(format) in [:chunk, :rows, :unknown] do
      {:ok, format, state}
    else
      wanted = "a Wasgo.Gen.Chunk or a Wasgo.Rows"
      {:error, Wasgo.StageError.format(__MODULE__, format, wanted), state}
    end
  end

  @impl true
  def handle_buffer(%{payload: %kind{} = chunk} = buffer, state) when kind in [Chunk, Volume] do
    case Godot.chunk_frames(chunk, state.known) do
      {:ok, meshes, frame, known} -> push(meshes ++ [frame], buffer, state, known)
      {:error, exception} -> {:error, exception, state}
    end
  end

  def handle_buffer(%{payload: %Gone{coordinate: coordinate, level: level}} = buffer, state) do
    address = Tuple.insert_at(coordinate, tuple_size(coordinate), level)
    push([Frame.unload([address])], buffer, state, state.known)
  end

  def handle_buffer(%{payload: %Rows{ids: []}} = buffer, state), do: {:ok, [buffer], state}

  def handle_buffer(%{payload: %Rows{} = rows} = buffer, state),
    do: push([Frame.rows(rows)], buffer, state, state.known)

  def handle_buffer(%{payload: {kind, fields} = frame} = buffer, state)
      when is_binary(kind) and is_map(fields),
      do: push([frame], buffer, state, state.known)

  def handle_buffer(buffer, state) do
    words =
      "the engine is sent a Wasgo.Gen.Chunk, a Wasgo.Rows or a frame, not #{inspect(buffer.payload, limit: 5)}"

    {:error, %Wasgo.DecodeError{reason: {:contract, words}}, state}
  end

  # What still waits for room would be lost if this process ended now.
  @impl true
  def handle_end_of_stream(state) do
    case Pusher.finish(state.pusher, state.timeout) do
      {:ok, pusher} -> {:ok, [], %{state | pusher: pusher}}
      {:error, exception, pusher} -> failed(exception, %{state | pusher: pusher})
    end
  end

  # What is known is so when all are on their way.
  defp push([], buffer, state, known), do: {:ok, [buffer], %{state | known: known}}

  defp push([{kind, fields} | frames], buffer, state, known) do
    case Pusher.push(state.pusher, kind, fields, state.timeout) do
      {:ok, pusher} -> push(frames, buffer, %{state | pusher: pusher}, known)
      {:error, exception, pusher} -> failed(exception, %{state | pusher: pusher})
    end
  end

  defp failed(%Wasgo.GodotError{reason: {:disconnected, _}} = exception, state),
    do: {:stop, exception, state}

  defp failed(exception, state), do: {:error, exception, state}

  @impl true
  def terminate(state), do: Pusher.close(state.pusher)
end
