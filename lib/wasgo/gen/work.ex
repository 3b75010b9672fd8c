defmodule Wasgo.Gen.Work do
  @moduledoc false
  # Something to be generated: which chunk of the ground or cube of the volume, among which neighbours.

  alias Wasgo.{Buffer, Gen, Native}
  alias Wasgo.Gen.{Chunk, Plan, Volume}
  alias Wasgo.Native.Result

  @enforce_keys [:kind, :plan, :address, :neighbours]
  defstruct [:kind, :plan, :address, :neighbours]

  @typedoc """
  `address` is `{x, z, level}` or `{x, y, z, level}`, `neighbours` the bytes that the native half takes.
  """
  @type t :: %__MODULE__{
          kind: :chunk | :volume,
          plan: Plan.t(),
          address: tuple(),
          neighbours: binary()
        }

  @typedoc "What the native half makes of it: a chunk or a cube without its plan."
  @type made :: tuple()

  @spec new(Plan.t(), tuple(), binary()) :: t()
  def new(plan, {_x, _z, _level} = address, neighbours),
    do: %__MODULE__{kind: :chunk, plan: plan, address: address, neighbours: neighbours}

  def new(plan, {_x, _y, _z, _level} = address, neighbours),
    do: %__MODULE__{kind: :volume, plan: plan, address: address, neighbours: neighbours}

  # The name of the content, 32 bytes.
  @spec key(t()) :: {:ok, binary()} | {:error, Exception.t()}
  def key(%{kind: :chunk} = work) do
    with :ok <- Gen.in_any_world(work.address),
         do: Result.await(Native.gen_key(work.plan.resource, work.address, work.neighbours))
  end

  def key(%{kind: :volume, address: address} = work) do
    if Enum.all?(Tuple.to_list(address), &(abs(&1) <= 0x7FFF_FFFF)) do
      {x, y, z, level} = address
      place = <<x::32-signed, y::32-signed, z::32-signed, level::32-signed>>
      parts = ["wasgo volume\0", work.plan.digest, place, work.neighbours]
      {:ok, :crypto.hash(:sha256, parts)}
    else
      # What can't be made has no name, and making it says why.
      {:error, _error} = Result.await(start(work))
    end
  end

  # Begins it; the calling process gets the answer as `Wasgo.Native.Result` has it.
  @spec start(t()) :: Result.native()
  def start(%{kind: :chunk} = work), do: Gen.start(work.plan, work.address, work.neighbours)

  def start(%{kind: :volume} = work),
    do: Gen.start_volume(work.plan, work.address, work.neighbours)

  @spec finish(t(), made()) :: Chunk.t() | Volume.t()
  def finish(%{kind: :chunk} = work, made),
    do: Chunk.new(work.plan, work.address, work.neighbours, made)

  def finish(%{kind: :volume, address: {x, y, z, level}} = work, made),
    do: Volume.new(work.plan, {x, y, z}, level, made)

  # A buffer of it, with what a stream adds to the metadata.
  @spec buffer(t(), made(), map()) :: Buffer.t()
  def buffer(work, made, metadata) do
    payload = finish(work, made)

    %Buffer{
      payload: payload,
      metadata: Map.put(metadata, :coordinate, payload.coordinate)
    }
  end

  # How much memory what was made takes.
  @spec bytes(made()) :: non_neg_integer()
  def bytes(made), do: sum(made, 0)

  defp sum(binary, sum) when is_binary(binary), do: sum + byte_size(binary)
  defp sum(tuple, sum) when is_tuple(tuple), do: Enum.reduce(Tuple.to_list(tuple), sum, &sum/2)
  defp sum(list, sum) when is_list(list), do: Enum.reduce(list, sum, &sum/2)
  defp sum(_small, sum), do: sum
end
