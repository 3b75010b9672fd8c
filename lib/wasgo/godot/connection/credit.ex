defmodule Wasgo.Godot.Connection.Credit do
  @moduledoc false
  # The bulk lane's account: what the engine has granted, in bytes and in microseconds of its main thread, and what is under way. Pure.
  #
  # Frames of a kind are expected to cost per byte what those before them did. It must never let more be asked for than was granted, but for one
  # frame that is larger than the grant, alone.

  # Microseconds for a byte, before anything is known: a chunk of 300 kB for half a millisecond.
  @first_guess 0.002
  # How much a new measurement counts.
  @weight 0.25
  # Grants beyond this are as good as unlimited, and sums stay small integers.
  @most 0x00FF_FFFF_FFFF_FFFF

  defstruct last: 0,
            acknowledged: 0,
            bytes: 0,
            granted_bytes: 0,
            granted_work: 0,
            work: 0,
            expected: 0.0,
            outstanding: 0,
            under_way: :queue.new(),
            costs: %{}

  @type t :: %__MODULE__{
          last: non_neg_integer(),
          acknowledged: non_neg_integer(),
          bytes: non_neg_integer(),
          granted_bytes: non_neg_integer(),
          granted_work: non_neg_integer(),
          work: non_neg_integer(),
          expected: float(),
          outstanding: non_neg_integer(),
          under_way: :queue.queue({String.t(), pos_integer(), float()}),
          costs: %{String.t() => float()}
        }

  @spec new() :: t()
  def new, do: %__MODULE__{}

  @spec next(t()) :: pos_integer()
  def next(%__MODULE__{last: last}), do: last + 1

  # Whether a frame of `size` bytes of this kind may be sent now.
  @spec room?(t(), String.t(), pos_integer()) :: boolean()
  def room?(%__MODULE__{last: last, acknowledged: last} = credit, _kind, _size) do
    credit.bytes < credit.granted_bytes and credit.work < credit.granted_work
  end

  def room?(%__MODULE__{} = credit, kind, size) do
    credit.bytes + size <= credit.granted_bytes and
      credit.work + credit.expected + expected(credit, kind, size) <= credit.granted_work
  end

  # The next frame is sent.
  @spec push(t(), String.t(), pos_integer()) :: t()
  def push(%__MODULE__{} = credit, kind, size) do
    expected = expected(credit, kind, size)

    %{
      credit
      | last: credit.last + 1,
        bytes: credit.bytes + size,
        outstanding: credit.outstanding + size,
        expected: credit.expected + expected,
        under_way: :queue.in({kind, size, expected}, credit.under_way)
    }
  end

  # What the engine has granted since the beginning.
  @spec grant(t(), integer(), integer()) :: {:ok, t()} | {:error, :past}
  def grant(%__MODULE__{granted_bytes: had_bytes, granted_work: had_work}, bytes, work)
      when bytes < had_bytes or work < had_work,
      do: {:error, :past}

  def grant(%__MODULE__{} = credit, bytes, work),
    do: {:ok, %{credit | granted_bytes: min(bytes, @most), granted_work: min(work, @most)}}

  # Everything up to and including `number` has been dealt with, and all of it has cost `work` so far.
  @spec acknowledge(t(), integer(), integer()) :: {:ok, t()} | {:error, :future | :past}
  def acknowledge(%__MODULE__{last: last}, number, _work) when number > last,
    do: {:error, :future}

  def acknowledge(%__MODULE__{acknowledged: done, work: had}, number, work)
      when number < done or work < had,
      do: {:error, :past}

  def acknowledge(%__MODULE__{} = credit, number, work) do
    {released, under_way} = :queue.split(number - credit.acknowledged, credit.under_way)
    released = :queue.to_list(released)
    expected = Enum.sum(for {_kind, _size, cost} <- released, do: cost)
    bytes = Enum.sum(for {_kind, size, _cost} <- released, do: size)
    left = if :queue.is_empty(under_way), do: 0.0, else: max(credit.expected - expected, 0.0)

    {:ok,
     %{
       credit
       | acknowledged: number,
         work: min(work, @most),
         expected: left,
         outstanding: credit.outstanding - bytes,
         under_way: under_way,
         costs: learn(credit.costs, released, expected, work - credit.work)
     }}
  end

  # Those that were under way together cost what they were expected to, times one and the same factor.
  defp learn(costs, _released, expected, _spent) when expected <= 0, do: costs

  defp learn(costs, released, expected, spent) do
    factor = min(spent / expected, 100.0)

    Enum.reduce(released, costs, fn {kind, size, cost}, costs ->
      per_byte = cost / size * factor
      Map.update(costs, kind, per_byte, &(&1 + @weight * (per_byte - &1)))
    end)
  end

  # A frame that is known to cost nothing costs a little: it may be the exception.
  defp expected(credit, kind, size),
    do: size * max(Map.get(credit.costs, kind, @first_guess), 1.0e-5)
end
