defmodule Wasgo.Stages.Godot do
  @moduledoc """
  A sink that sends buffers to a connected Godot server, and passes them on once they are sent.

    * `:connection` - a `Wasgo.Godot.Connection`; required

  Payloads are `Wasgo.Gen.Chunk` (with the meshes that it needs, each sent once), `Wasgo.Gen.Gone` (a chunk to be removed) and `Wasgo.Rows`. The stage waits while the engine has
  more unacknowledged than the connection's window, and so slows what feeds it. With the connection gone the stage ends: `{:error,
  %Wasgo.GodotError{}}` is the last element.
  """

  use Wasgo.Stage

  alias Wasgo.Gen.{Chunk, Gone}
  alias Wasgo.Godot
  alias Wasgo.Rows

  @impl true
  def options do
    [
      connection: [
        type: {:struct, Godot.Connection},
        required: true,
        doc: "a `Wasgo.Godot.Connection`"
      ]
    ]
  end

  @impl true
  def init(%{connection: connection}), do: {:ok, %{connection: connection, known: MapSet.new()}}

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
  def handle_buffer(%{payload: %Chunk{} = chunk} = buffer, state) do
    case Godot.put_chunk(state.connection, chunk, state.known) do
      {:ok, seq, known} -> {:ok, [sent(buffer, seq)], %{state | known: known}}
      {:error, exception} -> failed(exception, state)
    end
  end

  def handle_buffer(%{payload: %Gone{coordinate: {x, z}, level: level}} = buffer, state) do
    case Godot.unload_chunks(state.connection, [{x, z, level}]) do
      {:ok, seq} -> {:ok, [sent(buffer, seq)], state}
      {:error, exception} -> failed(exception, state)
    end
  end

  def handle_buffer(%{payload: %Rows{ids: []}} = buffer, state), do: {:ok, [buffer], state}

  def handle_buffer(%{payload: %Rows{} = rows} = buffer, state) do
    case Godot.put_rows(state.connection, rows) do
      {:ok, seq} -> {:ok, [sent(buffer, seq)], state}
      {:error, exception} -> failed(exception, state)
    end
  end

  def handle_buffer(buffer, state) do
    words =
      "the engine is sent a Wasgo.Gen.Chunk or a Wasgo.Rows, not #{inspect(buffer.payload, limit: 5)}"

    {:error, %Wasgo.DecodeError{reason: {:contract, words}}, state}
  end

  defp sent(buffer, seq), do: %{buffer | metadata: Map.put(buffer.metadata, :godot_seq, seq)}

  defp failed(%Wasgo.GodotError{reason: {:disconnected, _}} = exception, state),
    do: {:stop, exception, state}

  defp failed(exception, state), do: {:error, exception, state}
end
