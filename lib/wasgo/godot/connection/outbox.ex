defmodule Wasgo.Godot.Connection.Outbox do
  @moduledoc false
  # Frames on their way to the writer, in order. Numbered ones are bounded by the window; the others are counted here, and
  # `full?/1` says when a peer that does not read has let too many pile up.
  #
  # Frames go in pieces, a call of the system each, which costs more than what it takes to copy a few small ones into one.

  alias Wasgo.Godot.Connection.{Transport, Writer}

  # Answers to pings, requests and pings of our own that may wait to be written.
  @max_control 1024
  # Bytes from which on a piece of small frames is full, and a frame is a piece of its own.
  @together 64 * 1024
  @large 16 * 1024

  @enforce_keys [:writer]
  defstruct [:writer, pieces: [], small: [], size: 0, control: 0, writing: nil]

  # Pieces are the latest first; `small` is one that is not full.
  @type t :: %__MODULE__{
          writer: pid(),
          pieces: [Writer.piece()],
          small: iodata(),
          size: non_neg_integer(),
          control: non_neg_integer(),
          writing: nil | non_neg_integer()
        }

  # The writer is linked to the calling process.
  @spec new(Transport.t()) :: t()
  def new(transport), do: %__MODULE__{writer: Writer.start_link(transport)}

  # `size` is the frame's, with its length field.
  @spec numbered(t(), iodata(), pos_integer()) :: t()
  def numbered(%__MODULE__{size: before} = outbox, frame, size)
      when size < @large and before < @together,
      do: %{outbox | small: [outbox.small | frame], size: before + size}

  def numbered(%__MODULE__{} = outbox, frame, size) when size < @large,
    do: %{outbox | pieces: pieces(outbox), small: frame, size: size}

  def numbered(%__MODULE__{} = outbox, frame, _size),
    do: %{outbox | pieces: [{:large, frame} | pieces(outbox)], small: [], size: 0}

  @spec control(t(), iodata()) :: t()
  def control(%__MODULE__{} = outbox, frame) do
    numbered(%{outbox | control: outbox.control + 1}, frame, IO.iodata_length(frame))
  end

  @spec full?(t()) :: boolean()
  def full?(%__MODULE__{} = outbox), do: outbox.control >= @max_control

  @spec empty?(t()) :: boolean()
  def empty?(%__MODULE__{} = outbox), do: pieces(outbox) == [] and outbox.writing == nil

  # Gives what has gathered to the writer, if it has nothing to do.
  @spec pump(t()) :: t()
  def pump(%__MODULE__{writing: nil} = outbox) do
    case pieces(outbox) do
      [] ->
        outbox

      pieces ->
        Writer.write(outbox.writer, Enum.reverse(pieces))
        %{outbox | pieces: [], small: [], size: 0, writing: outbox.control}
    end
  end

  def pump(outbox), do: outbox

  defp pieces(%{size: 0, pieces: pieces}), do: pieces
  defp pieces(%{small: small, pieces: pieces}), do: [{:small, small} | pieces]

  # The writer is done.
  @spec written(t()) :: t()
  def written(%__MODULE__{writing: control} = outbox) when is_integer(control) do
    %{outbox | control: outbox.control - control, writing: nil}
  end
end
