defmodule Wasgo.Godot.Connection.Framing do
  @moduledoc false
  # Takes frames out of a stream of bytes: a 32-bit big-endian length, and so many bytes. Pure.
  #
  # It must never hold more than one frame that is not whole, nor any part of one that declares more than the limit. Pieces are put together when there
  # are enough of them: a large frame is not copied each time that a little of it comes, and many tiny pieces do not each cost a term for long.

  @enforce_keys [:limit]
  defstruct [:limit, needed: 4, held: 0, count: 0, pieces: [], joined: []]

  @together 256

  @type t :: %__MODULE__{
          limit: pos_integer(),
          needed: pos_integer(),
          held: non_neg_integer(),
          count: non_neg_integer(),
          pieces: [binary()],
          joined: [binary()]
        }

  @spec new(limit :: pos_integer()) :: t()
  def new(limit), do: %__MODULE__{limit: limit}

  @spec push(t(), binary()) :: t()
  def push(%__MODULE__{count: @together} = framing, bytes) do
    joined = framing.pieces |> Enum.reverse() |> IO.iodata_to_binary()
    push(%{framing | count: 0, pieces: [], joined: [joined | framing.joined]}, bytes)
  end

  def push(%__MODULE__{} = framing, bytes) do
    %{
      framing
      | pieces: [bytes | framing.pieces],
        count: framing.count + 1,
        held: framing.held + byte_size(bytes)
    }
  end

  # The next frame, as a part of the bytes that came.
  @spec next(t()) ::
          {:ok, binary(), t()} | {:more, t()} | {:error, {:too_large, pos_integer()}}
  def next(%__MODULE__{held: held, needed: needed} = framing) when held < needed,
    do: {:more, framing}

  def next(%__MODULE__{limit: limit} = framing) do
    case whole(framing) do
      <<length::32, _rest::binary>> when length > limit ->
        {:error, {:too_large, limit}}

      <<length::32, frame::binary-size(length), rest::binary>> ->
        {:ok, frame, keep(framing, rest, 4)}

      <<length::32, _rest::binary>> = bytes ->
        {:more, keep(framing, bytes, 4 + length)}
    end
  end

  defp whole(%{pieces: [bytes], joined: []}), do: bytes

  defp whole(framing),
    do: IO.iodata_to_binary([Enum.reverse(framing.joined), Enum.reverse(framing.pieces)])

  defp keep(framing, <<>>, needed),
    do: %{framing | needed: needed, held: 0, count: 0, pieces: [], joined: []}

  defp keep(framing, bytes, needed) do
    %{framing | needed: needed, held: byte_size(bytes), count: 1, pieces: [bytes], joined: []}
  end
end
