defmodule Wasgo.Godot.Connection.Outbox do
  @moduledoc false
  # Frames on their way to the writer, in order. Numbered ones are bounded by the window; the others are counted here, and
  # `full?/1` says when a peer that does not read has let too many pile up.

  alias Wasgo.Godot.Connection.{Transport, Writer}

  # Answers to pings, requests and pings of our own that may wait to be written.
  @max_control 1024

  @enforce_keys [:writer]
  defstruct [:writer, frames: [], control: 0, writing: nil]

  @type t :: %__MODULE__{
          writer: pid(),
          frames: [iodata()],
          control: non_neg_integer(),
          writing: nil | non_neg_integer()
        }

  # The writer is linked to the calling process.
  @spec new(Transport.t()) :: t()
  def new(transport), do: %__MODULE__{writer: Writer.start_link(transport)}

  @spec numbered(t(), iodata()) :: t()
  def numbered(%__MODULE__{} = outbox, frame), do: %{outbox | frames: [frame | outbox.frames]}

  @spec control(t(), iodata()) :: t()
  def control(%__MODULE__{} = outbox, frame) do
    %{outbox | frames: [frame | outbox.frames], control: outbox.control + 1}
  end

  @spec full?(t()) :: boolean()
  def full?(%__MODULE__{} = outbox), do: outbox.control >= @max_control

  @spec empty?(t()) :: boolean()
  def empty?(%__MODULE__{} = outbox), do: outbox.frames == [] and outbox.writing == nil

  # Gives what has gathered to the writer, if it has nothing to do.
  @spec pump(t()) :: t()
  def pump(%__MODULE__{frames: [_ | _], writing: nil} = outbox) do
    Writer.write(outbox.writer, Enum.reverse(outbox.frames))
    %{outbox | frames: [], writing: outbox.control}
  end

  def pump(outbox), do: outbox

  # The writer is done.
  @spec written(t()) :: t()
  def written(%__MODULE__{writing: control} = outbox) when is_integer(control) do
    %{outbox | control: outbox.control - control, writing: nil}
  end
end
