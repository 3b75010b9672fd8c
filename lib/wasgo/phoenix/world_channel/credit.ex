defmodule Wasgo.Phoenix.WorldChannel.Credit do
  @moduledoc false
  # What a client was sent and has not acknowledged. Neither Phoenix nor the transport says when a browser does not read: this does. A value.

  @enforce_keys [:most, :most_bytes, :timeout]
  defstruct [
    :most,
    :most_bytes,
    :timeout,
    seq: 0,
    count: 0,
    bytes: 0,
    sent: :queue.new(),
    since: nil
  ]

  @type t :: %__MODULE__{}

  @spec new(pos_integer(), pos_integer(), pos_integer()) :: t()
  def new(most, most_bytes, timeout),
    do: %__MODULE__{most: most, most_bytes: most_bytes, timeout: timeout}

  @doc false
  # One push may go over the bytes, so that none is too large to be sent ever.
  @spec room?(t()) :: boolean()
  def room?(credit), do: credit.count < credit.most and credit.bytes < credit.most_bytes

  @spec next(t()) :: pos_integer()
  def next(credit), do: credit.seq + 1

  @doc false
  @spec sent(t(), non_neg_integer(), integer()) :: t()
  def sent(credit, bytes, now) do
    seq = credit.seq + 1

    %{
      credit
      | seq: seq,
        count: credit.count + 1,
        bytes: credit.bytes + bytes,
        sent: :queue.in({seq, bytes}, credit.sent),
        since: credit.since || now
    }
  end

  @doc false
  # All up to one. What was not sent cannot be acknowledged.
  @spec ack(t(), term(), integer()) :: {:ok, t()} | :error
  def ack(%{seq: last} = credit, seq, now) when is_integer(seq) and seq >= 0 and seq <= last,
    do: {:ok, drop(credit, seq, now)}

  def ack(_credit, _seq, _now), do: :error

  defp drop(credit, seq, now) do
    case :queue.peek(credit.sent) do
      {:value, {first, bytes}} when first <= seq ->
        sent = :queue.drop(credit.sent)
        since = unless :queue.is_empty(sent), do: now

        drop(
          %{
            credit
            | sent: sent,
              count: credit.count - 1,
              bytes: credit.bytes - bytes,
              since: since
          },
          seq,
          now
        )

      _newer ->
        credit
    end
  end

  @doc false
  # Whether nothing has been acknowledged for too long.
  @spec late?(t(), integer()) :: boolean()
  def late?(%{since: nil}, _now), do: false
  def late?(credit, now), do: now - credit.since > credit.timeout
end
