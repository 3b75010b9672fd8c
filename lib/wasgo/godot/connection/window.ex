defmodule Wasgo.Godot.Connection.Window do
  @moduledoc false
  # Numbers the frames of a connection and keeps account of what is sent and not acknowledged. Pure.
  #
  # It must never let more than the limit be outstanding, but for one frame that is larger than the limit, alone.

  @enforce_keys [:limit]
  defstruct [:limit, last: 0, acknowledged: 0, outstanding: 0, bytes: 0, sizes: :queue.new()]

  @type t :: %__MODULE__{
          limit: pos_integer(),
          last: non_neg_integer(),
          acknowledged: non_neg_integer(),
          outstanding: non_neg_integer(),
          bytes: non_neg_integer(),
          sizes: :queue.queue(pos_integer())
        }

  @spec new(pos_integer()) :: t()
  def new(limit), do: %__MODULE__{limit: limit}

  # The number that the next frame gets.
  @spec next(t()) :: pos_integer()
  def next(%__MODULE__{last: last}), do: last + 1

  # Whether a frame of `size` bytes may be sent now.
  @spec room?(t(), pos_integer()) :: boolean()
  def room?(%__MODULE__{outstanding: 0}, _size), do: true
  def room?(%__MODULE__{} = window, size), do: window.outstanding + size <= window.limit

  # The next frame, of `size` bytes, is sent.
  @spec push(t(), pos_integer()) :: t()
  def push(%__MODULE__{} = window, size) do
    %{
      window
      | last: window.last + 1,
        outstanding: window.outstanding + size,
        bytes: window.bytes + size,
        sizes: :queue.in(size, window.sizes)
    }
  end

  # Everything up to and including `seq` has been dealt with. The same number twice is well: an error is followed by an
  # acknowledgement that covers it.
  @spec acknowledge(t(), integer()) :: {:ok, t()} | {:error, :future | :past}
  def acknowledge(%__MODULE__{last: last}, seq) when seq > last, do: {:error, :future}
  def acknowledge(%__MODULE__{acknowledged: done}, seq) when seq < done, do: {:error, :past}
  def acknowledge(%__MODULE__{} = window, seq), do: {:ok, release(window, seq)}

  defp release(window, seq) do
    {sizes, outstanding} = drop(window.sizes, seq - window.acknowledged, window.outstanding)

    %{window | acknowledged: seq, outstanding: outstanding, sizes: sizes}
  end

  defp drop(sizes, 0, outstanding), do: {sizes, outstanding}

  defp drop(sizes, count, outstanding) do
    {{:value, size}, sizes} = :queue.out(sizes)
    drop(sizes, count - 1, outstanding - size)
  end
end
