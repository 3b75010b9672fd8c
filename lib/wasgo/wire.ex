defmodule Wasgo.Wire do
  @moduledoc """
  Plain terms and buffers to and from JSON, MessagePack, CBOR, postcard, Godot's Variants and Erlang's external terms.

      iex> alias Wasgo.Wire
      iex> bytes = Wire.encode!(%{"kind" => "tree", "at" => [1.5, 0, -2]}, :cbor)
      iex> Wire.decode(bytes, :cbor)
      {:ok, %{"at" => [1.5, 0, -2], "kind" => "tree"}}
      iex> Wire.encode!([%{name: "rex"}, 4], :json)
      ~S([{"name":"rex"},4])

  The format is an argument, the terms are the same in all of them, and what a format cannot say is an error that names the
  term and the way to it: nothing is lost silently.

      iex> {:error, error} = Wasgo.Wire.encode(%{"x" => [:nan]}, :json)
      iex> Exception.message(error)
      ~S(at ["x", 0]: json has no NaN and no infinities, so not :nan)

  Bytes to decode may come from anyone. Depth, size and the number of values are bounded, no declared length takes memory
  before its bytes are there, and no atom is ever made. Values that arrive in pieces are for `Wasgo.Wire.Decoder` and
  `stream/3`.

  ## Terms and formats

  | term | `:json` | `:msgpack` | `:cbor` | `:postcard` | `:godot_variant` | `:etf` |
  | --- | --- | --- | --- | --- | --- | --- |
  | `nil`, booleans | yes | yes | yes | yes | yes | yes |
  | integers | 128 bits | 64 bits, with or without sign | 128 bits | 128 bits | 64 bits | any |
  | floats | shortest decimal that reads the same | 64 bits | the fewest bits that lose nothing | 64 bits | 32 or 64 bits, none lost | 64 bits |
  | `:nan`, `:infinity`, `:neg_infinity` | error, or `nan: :null` | yes | yes | yes | yes | atoms |
  | UTF-8 binaries: texts | yes | `str` | text | yes | without NUL | binaries |
  | `{:blob, binary}`: raw bytes | error, or `bytes: :base64` | `bin` | bytes | yes | `PackedByteArray` | tuple |
  | lists | yes | yes | yes | yes | `Array` | yes |
  | maps with texts as keys | yes | yes | yes | yes | `Dictionary` | yes |
  | maps with other keys | error | yes | yes | yes | yes | yes |
  | other atoms, as keys too | texts | texts | texts | texts | texts | atoms |
  | `{:ext, type, binary}`, type -128 to 127 | error | extension | error | error | error | tuple |
  | `{:tag, number, value}`, number below 2^64 | error | error | tag | error | error | tuple |
  | other tuples | error | error | error | error | some, see `Wasgo.Godot.Variant` | yes |
  | binaries that are no UTF-8 | error | error | error | error | error | yes |
  | structs | error | error | error | error | those of `Wasgo.Godot` | error |

  Integers are 128 bits with their sign: -2^127 to 2^127 - 1. Decoding gives the same terms back, except that what was written
  as a text is a binary.

  ## Worth knowing

    * **JSON** (RFC 8259). An integer of any size that is taken keeps all of its digits; a number with a fraction or an
      exponent is the nearest float, and an error if it is larger than any. Halves of surrogate pairs are errors.
    * **MessagePack.** A timestamp is an extension like any other, of type -1.
    * **CBOR** (RFC 8949). Values of indefinite length are taken, `undefined` is `nil`, other simple values are errors. The tags
      2 and 3, of integers over 64 bits, are integers; all others are kept as `{:tag, number, value}`.
    * **postcard** says nothing of what its values are. So each is a variant of one enumeration, which programs in Rust declare
      with serde's derive: `Nil, Bool(bool), Int(i64), Wide(i128), Float(f64), Text(String), Bytes(serde_bytes),
      List(Vec<Value>), Map(Vec<(Value, Value)>)`, in this order.
    * **Godot's Variants** are those of `Wasgo.Godot.Variant`, with `{:blob, binary}` for `{:packed_byte, binary}`, which is taken too.
    * **Erlang's external terms.** Only atoms that exist here are taken, and no functions, process identifiers, ports,
      references, structs, improper lists and bit strings, neither way. A compressed term is taken if what it says that it
      holds is within `:max_bytes`, and is exactly that. The bytes are checked first, without making anything, and then given to
      `:erlang.binary_to_term/2` with `:safe`: only the VM knows all of its atoms.
    * A map that would have a key twice when it is written, `:a` beside `"a"`, is an error. So are bytes with a key twice, unless
      `duplicate_keys: :last`.

  ## Buffers

  A `Wasgo.Buffer`, and a `Membrane.Buffer` too, is written as a map of four texts, its envelope:

  | key | value |
  | --- | --- |
  | `"payload"` | a binary as raw bytes: base64 in JSON, a binary in Erlang's terms; any other plain term as itself |
  | `"pts"`, `"dts"` | nanoseconds, or `nil` |
  | `"metadata"` | a map |

      iex> buffer = Wasgo.Buffer.new(<<255, 0>>, pts: 40_000_000, metadata: %{"name" => "a"})
      iex> bytes = Wasgo.Wire.encode!(buffer, :json)
      iex> Wasgo.Wire.decode!(bytes, :json, as: :buffer) == buffer
      true

  ## How fast, and where

  What is small is done at once on the calling scheduler; what is not, on a dirty one. Input of up to 4 KiB is decoded at once. How
  long that takes is bounded by its size: where it was measured, the costliest input there is (a list of nothing but empty maps, of
  one byte each) took 70 to 80 ns a byte, so 0.3 ms, and messages as they are met 13. The way to a dirty scheduler and back costs some
  5 us, a tenth of what the 4 KiB do. Terms to encode are counted on the way, and given up after a quarter of a millisecond. External terms
  are made and read by the VM, which yields, and only checked here. `bench/README.md` has the figures.
  """

  alias Wasgo.{Buffer, DecodeError, EncodeError, Native}
  alias Wasgo.Wire.{Decoder, Envelope, ExternalTerm, Settings}

  @formats [:json, :msgpack, :cbor, :godot_variant, :postcard, :etf]

  # The costliest input of this size is decoded in 0.3 ms; see the module's documentation.
  @slice_bytes 4_096

  @typedoc "A format's name."
  @type format :: :json | :msgpack | :cbor | :godot_variant | :postcard | :etf

  @typedoc "A term that a format has; the table above says which one."
  @type t :: term()

  @type encode_option ::
          {:max_depth, 0..128}
          | {:max_bytes, pos_integer()}
          | {:bytes, :error | :base64}
          | {:nan, :error | :null}

  @type decode_option ::
          {:max_depth, 0..128}
          | {:max_bytes, pos_integer()}
          | {:max_values, pos_integer()}
          | {:trailing, :error | :ignore}
          | {:keys, :binaries | :existing_atoms}
          | {:duplicate_keys, :error | :last}
          | {:as, :term | :buffer | :membrane_buffer}

  @doc """
  The formats.

      iex> Wasgo.Wire.formats()
      [:json, :msgpack, :cbor, :godot_variant, :postcard, :etf]
  """
  @spec formats() :: [format()]
  def formats, do: @formats

  @doc """
  Encodes a term or a buffer.

  Options:

    * `:max_depth` - lists, maps and tags one within another, 64 unless told otherwise and 128 at most. A buffer's envelope
      is one of them
    * `:max_bytes` - size of the result in bytes, 64 MiB unless told otherwise and 2 GiB (less one byte) at most
    * `:bytes` - JSON only: `:base64` writes raw bytes as texts, in base64, which come back as these texts; an error unless given
    * `:nan` - JSON only: `:null` writes `:nan`, `:infinity` and `:neg_infinity` as `null`; an error unless given

  ## Examples

      iex> Wasgo.Wire.encode([1, nil, "é"], :msgpack)
      {:ok, <<0x93, 1, 0xC0, 0xA2, 0xC3, 0xA9>>}

      iex> Wasgo.Wire.encode(%{"raw" => {:blob, <<255>>}}, :json, bytes: :base64)
      {:ok, ~S({"raw":"/w=="})}

      iex> {:error, error} = Wasgo.Wire.encode(%{"size" => [2 ** 64]}, :msgpack)
      iex> {error.reason, error.path}
      {{:integer_range, 18446744073709551616, 64}, ["size", 0]}
  """
  @spec encode(t() | Buffer.t(), format(), [encode_option()]) ::
          {:ok, binary()} | {:error, EncodeError.t()}
  def encode(term, format, options \\ []) do
    settings = Settings.encode!(format, options)

    with {:ok, term} <- Envelope.wrap(term, format, settings.bounds),
         {:ok, binary} <- write(term, format, settings) do
      {:ok, binary}
    else
      {:error, {reason, path}} -> {:error, %EncodeError{reason: reason, path: path}}
    end
  end

  @doc """
  Encodes as `encode/3` does, and raises its error.

      iex> Wasgo.Wire.encode!([true], :cbor)
      <<0x81, 0xF5>>
  """
  @spec encode!(t() | Buffer.t(), format(), [encode_option()]) :: binary()
  def encode!(term, format, options \\ []) do
    case encode(term, format, options) do
      {:ok, binary} -> binary
      {:error, error} -> raise error
    end
  end

  @doc """
  Decodes one value.

  Options:

    * `:max_depth` - lists, maps and tags one within another, 64 unless told otherwise and 128 at most
    * `:max_bytes` - size of the input in bytes, 64 MiB unless told otherwise and 2 GiB (less one byte) at most
    * `:max_values` - values in all, of which each key is one and a list or map one besides those in it: 4,000,000 unless told
      otherwise
    * `:trailing` - `:error` unless told otherwise; `:ignore` leaves bytes after the value alone
    * `:keys` - `:existing_atoms` gives keys as atoms where there is such an atom already (of Latin letters on OTP 25), and as binaries otherwise;
      `:binaries` unless told otherwise. Not for `:godot_variant` and `:etf`
    * `:duplicate_keys` - `:error` unless told otherwise; with `:last` the later value of a key stands. Not for `:etf`
    * `:as` - `:buffer` gives a `Wasgo.Buffer`, `:membrane_buffer` a `Membrane.Buffer`, of the map described above

  Raw bytes of more than 64 bytes are parts of the input and keep it alive as long as they live; `:binary.copy/1` makes one stand alone.
  Texts are copies.

  ## Examples

      iex> Wasgo.Wire.decode(~S({"a": [1, 2.5, null]}), :json)
      {:ok, %{"a" => [1, 2.5, nil]}}

      iex> Wasgo.Wire.decode(<<0xC4, 2, 1, 255>>, :msgpack)
      {:ok, {:blob, <<1, 255>>}}

      iex> {:error, error} = Wasgo.Wire.decode(<<0xDD, 0xFFFFFFFF::32>>, :msgpack)
      iex> Exception.message(error)
      "at byte 0, reading msgpack: 4294967295 elements are declared, which the 0 bytes left cannot hold"

      iex> Wasgo.Wire.decode(~S({"payload": 1}), :json, keys: :existing_atoms)
      {:ok, %{payload: 1}}
  """
  @spec decode(binary(), format(), [decode_option()]) ::
          {:ok, t() | Buffer.t() | struct()} | {:error, DecodeError.t()}
  def decode(binary, format, options \\ []) when is_binary(binary) do
    decode_with(binary, format, Settings.decode!(format, options))
  end

  @doc """
  Decodes one value as `decode/3` does, and raises its error.

      iex> Wasgo.Wire.decode!(<<0xF9, 0x7C, 0x00>>, :cbor)
      :infinity
  """
  @spec decode!(binary(), format(), [decode_option()]) :: t() | Buffer.t() | struct()
  def decode!(binary, format, options \\ []) do
    case decode(binary, format, options) do
      {:ok, term} -> term
      {:error, error} -> raise error
    end
  end

  @doc """
  The values in chunks of bytes, as they come: a lazy stream of `{:ok, value}`, which an `{:error, exception}` ends. No chunk is taken
  after the one that the error is in.

  Options are those of `Wasgo.Wire.Decoder.new/2`, which says how values follow each other.

      iex> [~S({"a"), ":1}\\n[2", "]\\n"] |> Wasgo.Wire.stream(:json) |> Enum.to_list()
      [{:ok, %{"a" => 1}}, {:ok, [2]}]

      iex> [{:ok, 1}, {:error, error}] = [<<1, 0x92>>, <<2>>] |> Wasgo.Wire.stream(:msgpack) |> Enum.to_list()
      iex> Exception.message(error)
      "at byte 1, reading msgpack: the value is not complete: 2 bytes of it have come"
  """
  @spec stream(Enumerable.t(), format(), keyword()) :: Enumerable.t()
  def stream(chunks, format, options \\ []) do
    Stream.transform(
      chunks,
      fn -> Decoder.new(format, options) end,
      fn chunk, decoder -> fed(Decoder.feed(decoder, chunk)) end,
      fn decoder -> last(Decoder.finish(decoder)) end,
      fn _decoder -> :ok end
    )
    # A transform can't end with what it gives: `:ended` after an error is for this, which asks for no more then.
    |> Stream.take_while(&(&1 != :ended))
  end

  defp fed({:ok, values, decoder}) do
    values = Enum.map(values, &{:ok, &1})

    case Decoder.failed(decoder) do
      nil -> {values, decoder}
      error -> {values ++ [{:error, error}, :ended], decoder}
    end
  end

  defp fed({:error, error}), do: {[{:error, error}, :ended], :ended}

  defp last({:ok, values}), do: {Enum.map(values, &{:ok, &1}), :ended}
  defp last({:error, error}), do: {[{:error, error}], :ended}

  # For decoders, whose settings are checked once.
  @doc false
  def decode_with(binary, format, settings) do
    case read(binary, format, settings) do
      {:ok, _term, used} when settings.trailing == :error and used < byte_size(binary) ->
        error({:trailing, byte_size(binary) - used}, used, format)

      {:ok, term, _used} when settings.as == :term ->
        {:ok, term}

      {:ok, term, _used} ->
        with {:error, words} <- Envelope.unwrap(term, format, settings.as) do
          error({:envelope, words}, nil, format)
        end

      {:error, {reason, offset, reading}} ->
        {:error, %DecodeError{reason: reason, offset: offset, reading: reading}}

      {:error, {reason, offset}} ->
        error(reason, offset, format)
    end
  end

  defp error(reason, offset, format) do
    {:error, %DecodeError{reason: reason, offset: offset, reading: {:format, format}}}
  end

  # A normal scheduler gives up what would take it too long.
  defp write(term, :godot_variant, %{bounds: {depth, bytes, _values}}) do
    with :over_budget <- Native.wire_variant_encode(term, depth, bytes) do
      Native.wire_variant_encode_dirty(term, depth, bytes)
    end
  end

  defp write(term, :etf, settings), do: ExternalTerm.encode(term, settings.bounds)

  defp write(term, format, %{json: json, bounds: bounds}) do
    with :over_budget <- Native.wire_encode(term, format, json, bounds) do
      Native.wire_encode_dirty(term, format, json, bounds)
    end
  end

  defp read(binary, :godot_variant, %{bounds: {depth, bytes, values}, last_key: last_key}) do
    with true <- byte_size(binary) <= @slice_bytes,
         {_, _, _} = result <-
           Native.wire_variant_decode(binary, depth, bytes, values, last_key) do
      result
    else
      {:error, _} = error -> error
      _ -> Native.wire_variant_decode_dirty(binary, depth, bytes, values, last_key)
    end
  end

  defp read(binary, :etf, settings), do: ExternalTerm.decode(binary, settings.bounds)

  defp read(binary, format, %{bounds: bounds, last_key: last_key, atoms: atoms})
       when byte_size(binary) <= @slice_bytes do
    Native.wire_decode(binary, format, bounds, last_key, atoms)
  end

  defp read(binary, format, %{bounds: bounds, last_key: last_key, atoms: atoms}) do
    Native.wire_decode_dirty(binary, format, bounds, last_key, atoms)
  end
end
