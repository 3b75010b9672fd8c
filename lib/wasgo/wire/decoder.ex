defmodule Wasgo.Wire.Decoder do
  @moduledoc """
  Values from bytes that arrive in pieces, however they are cut.

      iex> alias Wasgo.Wire.Decoder
      iex> decoder = Decoder.new(:json)
      iex> {:ok, [], decoder} = Decoder.feed(decoder, ~S({"a": [1, ))
      iex> {:ok, values, decoder} = Decoder.feed(decoder, "2]} true 4")
      iex> values
      [%{"a" => [1, 2]}, true]
      iex> {:ok, values, decoder} = Decoder.feed(decoder, "2")
      iex> {values, Decoder.finish(decoder)}
      {[], {:ok, [42]}}

  A decoder is a value, and belongs to no process. Each byte is looked at once to find where values end, so that a value that
  comes byte by byte takes no longer in proportion than one that comes at once; it keeps the bytes of the one value that has begun, at most
  `:max_bytes` of them, and refuses a larger one when its length is declared.

  ## How values follow each other

  | format | |
  | --- | --- |
  | `:json` | with white space between them where they need it, as lines or not |
  | `:msgpack`, `:cbor`, `:postcard` | one after the other |
  | `:etf` | one after the other, each with its version byte; compressed ones are refused |
  | `:godot_variant` | each after its size in four bytes, little-endian: what the engine's `StreamPeer.put_var` writes and `get_var` reads |

  A number in JSON ends with what follows it. Whoever waits for one sends a newline after it.
  """

  alias Wasgo.{DecodeError, Native, Wire}
  alias Wasgo.Wire.Settings

  @enforce_keys [:format, :settings, :state]
  defstruct [:format, :settings, :state, :failed, buffer: "", fed: 0, may_end: false]

  @opaque t :: %__MODULE__{
            format: Wire.format(),
            settings: map(),
            state: binary(),
            failed: DecodeError.t() | nil,
            buffer: binary(),
            fed: non_neg_integer(),
            may_end: boolean()
          }

  # To scan the costliest bytes of this size takes a tenth of a millisecond.
  @slice_bytes 16_384

  @doc """
  A decoder of a format.

  Options are those of `Wasgo.Wire.decode/3`, for each value, but `:trailing`.

      iex> decoder = Wasgo.Wire.Decoder.new(:msgpack, max_bytes: 1024)
      iex> {:error, error} = Wasgo.Wire.Decoder.feed(decoder, <<0xC6, 4096::32>>)
      iex> error.reason
      {:too_large, 4101, 1024}
  """
  @spec new(Wire.format(), keyword()) :: t()
  def new(format, options \\ []) do
    if Keyword.has_key?(options, :trailing) do
      raise ArgumentError, "a decoder has no option trailing: the next value follows"
    end

    settings = Settings.decode!(format, options)
    state = Native.wire_scan_new(format, settings.bounds)
    %__MODULE__{format: format, settings: settings, state: state}
  end

  @doc """
  Takes the next bytes, and gives the values that are complete with them, in their order.

  An error ends it: from then on it gives that error. If values came before it in these bytes they are given first, and the
  error with the next call. The offset of an error counts from the first byte ever fed.

      iex> decoder = Wasgo.Wire.Decoder.new(:cbor)
      iex> {:ok, [1], decoder} = Wasgo.Wire.Decoder.feed(decoder, <<1, 0x1C, 2>>)
      iex> {:error, error} = Wasgo.Wire.Decoder.feed(decoder, <<3>>)
      iex> Exception.message(error)
      "at byte 1, reading cbor: there is no type 28"
  """
  @spec feed(t(), binary()) :: {:ok, [Wire.t()], t()} | {:error, DecodeError.t()}
  def feed(%__MODULE__{failed: nil} = decoder, piece) when is_binary(piece) do
    case scan(decoder.state, piece) do
      {:ok, spans, begun, may_end, state} ->
        decoder
        |> decode(piece, spans, [])
        |> keep(piece, begun, state, may_end)

      {:error, {reason, offset}, spans} ->
        decoder
        |> decode(piece, spans, [])
        |> fail(error(decoder, reason, decoder.fed + offset))
    end
  end

  def feed(%__MODULE__{failed: error}, piece) when is_binary(piece), do: {:error, error}

  @doc """
  Ends the input: a value that has begun and is not complete is an error.

      iex> decoder = Wasgo.Wire.Decoder.new(:json)
      iex> {:ok, [], decoder} = Wasgo.Wire.Decoder.feed(decoder, "[1")
      iex> {:error, error} = Wasgo.Wire.Decoder.finish(decoder)
      iex> error.reason
      {:unfinished, 2}
  """
  @spec finish(t()) :: {:ok, [Wire.t()]} | {:error, DecodeError.t()}
  def finish(%__MODULE__{failed: %DecodeError{} = error}), do: {:error, error}
  def finish(%__MODULE__{buffer: ""}), do: {:ok, []}

  def finish(%__MODULE__{may_end: true} = decoder) do
    with {:ok, value} <- value(decoder, decoder.buffer, began(decoder)), do: {:ok, [value]}
  end

  def finish(%__MODULE__{} = decoder) do
    {:error, error(decoder, {:unfinished, byte_size(decoder.buffer)}, began(decoder))}
  end

  # The error that ended it, if one did: values that came before it may have been given first.
  @doc false
  @spec failed(t()) :: DecodeError.t() | nil
  def failed(%__MODULE__{failed: error}), do: error

  defp scan(state, piece) when byte_size(piece) <= @slice_bytes,
    do: Native.wire_scan(state, piece)

  defp scan(state, piece), do: Native.wire_scan_dirty(state, piece)

  # Where the value in the buffer began.
  defp began(decoder), do: decoder.fed - byte_size(decoder.buffer)

  defp decode(decoder, _piece, [], values), do: {decoder, values}

  defp decode(decoder, piece, [{start, size} | spans], values) do
    part = binary_part(piece, start, size)

    {bytes, at} =
      case decoder.buffer do
        "" -> {part, decoder.fed + start}
        buffer -> {buffer <> part, began(decoder)}
      end

    case value(decoder, bytes, at) do
      {:ok, value} -> decode(%{decoder | buffer: ""}, piece, spans, [value | values])
      {:error, error} -> {%{decoder | failed: error}, values}
    end
  end

  defp value(%{format: :godot_variant} = decoder, <<_size::32, bytes::binary>>, at) do
    shift(Wire.decode_with(bytes, decoder.format, decoder.settings), at + 4)
  end

  defp value(decoder, bytes, at) do
    shift(Wire.decode_with(bytes, decoder.format, decoder.settings), at)
  end

  defp shift({:error, %DecodeError{offset: offset} = error}, at) do
    {:error, %{error | offset: at + (offset || 0)}}
  end

  defp shift(ok, _at), do: ok

  defp keep({%{failed: nil} = decoder, values}, piece, begun, state, may_end) do
    buffer = if begun, do: append(decoder.buffer, piece, begun), else: ""
    fed = decoder.fed + byte_size(piece)
    decoder = %{decoder | state: state, may_end: may_end, buffer: buffer, fed: fed}
    {:ok, Enum.reverse(values), decoder}
  end

  defp keep({decoder, values}, _piece, _begun, _state, _may_end),
    do: fail({decoder, values}, decoder.failed)

  defp fail({%{failed: nil} = decoder, values}, error),
    do: fail({%{decoder | failed: error}, values}, error)

  defp fail({decoder, []}, _error), do: {:error, decoder.failed}
  defp fail({decoder, values}, _error), do: {:ok, Enum.reverse(values), %{decoder | buffer: ""}}

  # The VM appends in place. The beginning is a copy, which keeps no piece alive.
  defp append("", piece, begun),
    do: :binary.copy(binary_part(piece, begun, byte_size(piece) - begun))

  defp append(buffer, piece, _begun), do: <<buffer::binary, piece::binary>>

  defp error(decoder, reason, offset) do
    %DecodeError{reason: reason, offset: offset, reading: {:format, decoder.format}}
  end

  defimpl Inspect do
    def inspect(decoder, _opts) do
      failed = if decoder.failed, do: ", failed: " <> Exception.message(decoder.failed), else: ""
      format = Kernel.inspect(decoder.format)

      "#Wasgo.Wire.Decoder<#{format}, #{byte_size(decoder.buffer)} of #{decoder.fed} bytes held#{failed}>"
    end
  end
end
