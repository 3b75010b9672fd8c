defmodule Wasgo.Stages.Collect do
  @moduledoc """
  Puts pieces of bytes together: the whole stream becomes one buffer, with the times and metadata of the first piece.

    * `:max_bytes` - what may be collected, 64 MiB unless given. A piece that goes beyond ends the stream with a `Wasgo.LimitError`

  For a script that needs a file as a whole, which a file's source reads in pieces.

      iex> [Wasgo.Buffer.new("gl"), Wasgo.Buffer.new("TF")]
      ...> |> Wasgo.Pipeline.through(Wasgo.Stages.Collect)
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload end)
      ["glTF"]
  """

  use Wasgo.Stage

  alias Wasgo.{DecodeError, Format, LimitError, StageError}

  @impl true
  def options do
    [
      max_bytes: [
        type: {:range, 1..0x7FFF_FFFF},
        default: 64 * 1024 * 1024,
        doc: "bytes that may be collected"
      ]
    ]
  end

  @impl true
  def init(options), do: {:ok, %{most: options.max_bytes, first: nil, bytes: 0, pieces: []}}

  @impl true
  def handle_format(format, state) do
    case Format.payload(format) do
      :binary -> {:ok, %{format | packetized: true}, state}
      :unknown -> {:ok, format, state}
      _other -> {:error, StageError.format(__MODULE__, format, "binaries"), state}
    end
  end

  @impl true
  def handle_buffer(%{payload: payload} = buffer, state) when is_binary(payload) do
    bytes = state.bytes + byte_size(payload)

    if bytes > state.most do
      message = "a stream of more than #{state.most} bytes is not collected"

      {:stop, %LimitError{reason: :bytes, message: message, value: state.most, asked: bytes},
       state}
    else
      first = state.first || %{buffer | payload: ""}
      {:ok, [], %{state | first: first, bytes: bytes, pieces: [payload | state.pieces]}}
    end
  end

  def handle_buffer(buffer, state) do
    words = "binaries are collected, not #{inspect(buffer.payload, limit: 5)}"
    {:error, %DecodeError{reason: {:contract, words}}, state}
  end

  @impl true
  def handle_end_of_stream(%{first: nil} = state), do: {:ok, [], state}

  def handle_end_of_stream(state) do
    payload = state.pieces |> Enum.reverse() |> IO.iodata_to_binary()
    {:ok, [%{state.first | payload: payload}], %{state | first: nil, bytes: 0, pieces: []}}
  end
end
