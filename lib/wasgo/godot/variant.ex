defmodule Wasgo.Godot.Variant do
  @moduledoc """
  Godot's Variants: Elixir terms to and from the bytes of the engine's `var_to_bytes` and `bytes_to_var`.

      iex> alias Wasgo.Godot.{Variant, Vector3}
      iex> bytes = Variant.encode!(%{"t" => "spawn", "at" => Vector3.new(1, 2, 3)})
      iex> {:ok, decoded} = Variant.decode(bytes)
      iex> decoded["at"]
      Vector3.new(1, 2, 3)

  Encoding gives the engine's own bytes, bit for bit. Decoding takes bytes from anyone: every size they declare is
  checked against what is there, nesting and size are bounded, no atoms are made, and full objects (which name a class to
  build) are never taken. Neither holds a scheduler: what is not done in a fraction of a millisecond is given up there and
  done on a dirty one.

  | term | engine |
  | --- | --- |
  | `nil` | `null`, also for an object that is null |
  | `true`, `false` | `bool` |
  | integers of 64 bits | `int` |
  | floats, `:nan`, `:infinity`, `:neg_infinity` | `float` |
  | UTF-8 binaries without NUL | `String` |
  | any other atom | `String` (only encoded: it comes back as a binary) |
  | `{:string_name, binary}` | `StringName` |
  | lists | `Array` |
  | `Wasgo.Godot.TypedArray` | `Array` with an element type |
  | maps | `Dictionary` |
  | `Wasgo.Godot.Dictionary` | `Dictionary` in its order, or with key and value types |
  | `Wasgo.Godot.Vector2`, `Vector2i`, `Vector3`, `Vector3i`, `Vector4`, `Vector4i` | the same |
  | `Wasgo.Godot.Rect2`, `Rect2i`, `AABB`, `Plane` | the same |
  | `Wasgo.Godot.Transform2D`, `Quaternion`, `Basis`, `Transform3D`, `Projection` | the same |
  | `Wasgo.Godot.Color`, `NodePath`, `RID`, `Callable`, `Signal` | the same |
  | `Wasgo.Godot.ObjectID` | `Object`, by its instance id |
  | `{:packed_byte, binary}` | `PackedByteArray` |
  | `{:packed_int32, binary}`, `{:packed_int64, binary}` | `PackedInt32Array`, `PackedInt64Array` |
  | `{:packed_float32, binary}`, `{:packed_float64, binary}` | `PackedFloat32Array`, `PackedFloat64Array` |
  | `{:packed_vector2, binary}` up to `{:packed_vector4, binary}` | `PackedVector2Array` ...: 32-bit floats |
  | `{:packed_color, binary}` | `PackedColorArray`: four 32-bit floats each |
  | `{:packed_string, [binary]}` | `PackedStringArray` |

  The binaries of packed arrays are raw and little-endian. Decoded ones are parts of the input and keep it alive as long
  as they live (those of up to 64 bytes are copies); `:binary.copy/1` makes one stand alone.

  ## Worth knowing

    * Integers are taken where floats are wanted, and `:nan`, `:infinity` and `:neg_infinity` too. The components of
      vectors and the like are 32 bits wide; a float that this would make infinite is an error.
    * The order of a map's pairs is the BEAM's. `Wasgo.Godot.Dictionary` has an order of its own.
    * The keys `:a` and `"a"` are the same String to the engine: in one map, which of their values stands is undefined.
    * A Dictionary may have the same key twice on the wire. In a map the later value stands, as in the engine;
      `keep_order: true` gives both.
    * Strings end at the first NUL, as the engine reads them. It writes none.
    * An element of a typed array that is not of the declared type is an error, where the engine converts or drops it.
    * A Transform3D and the like are columns here, whatever order they have in the bytes.
  """

  alias Wasgo.{DecodeError, EncodeError, Native}

  # The engine's own bound.
  @greatest_depth 1024
  # Scenes and property rows nest under ten levels.
  @default_depth 64
  # The engine counts bytes in a signed 32-bit integer.
  @greatest_bytes 0x7FFF_FFFF
  # The largest frame of the wire protocol.
  @default_bytes 64 * 1024 * 1024
  # As many texts as fit in these bytes are checked in a fraction of a millisecond.
  @slice_bytes 32_768

  @typedoc "A term that stands for a Variant; the table above says which one."
  @type t ::
          nil
          | boolean()
          | integer()
          | float()
          | atom()
          | binary()
          | {:string_name, String.t()}
          | {packed(), binary()}
          | {:packed_string, [String.t()]}
          | [t()]
          | %{optional(t()) => t()}
          | struct()

  @typedoc "What a typed array or dictionary may hold. `nil` is anything, a class or script an object of it or `nil`."
  @type element_type :: nil | type() | {:class, String.t()} | {:script, path :: String.t()}

  @typedoc "The engine's types, as its `TYPE_` constants name them; `_ARRAY` is left out of the packed ones."
  @type type ::
          :bool
          | :int
          | :float
          | :string
          | :vector2
          | :vector2i
          | :rect2
          | :rect2i
          | :vector3
          | :vector3i
          | :transform2d
          | :vector4
          | :vector4i
          | :plane
          | :quaternion
          | :aabb
          | :basis
          | :transform3d
          | :projection
          | :color
          | :string_name
          | :node_path
          | :rid
          | :object
          | :callable
          | :signal
          | :dictionary
          | :array
          | :packed_string
          | packed()

  @typedoc "The packed arrays that are raw data."
  @type packed ::
          :packed_byte
          | :packed_int32
          | :packed_int64
          | :packed_float32
          | :packed_float64
          | :packed_vector2
          | :packed_vector3
          | :packed_color
          | :packed_vector4

  @type encode_option :: {:max_depth, 0..1024} | {:max_bytes, pos_integer()}

  @type decode_option ::
          encode_option() | {:keep_order, boolean()} | {:trailing, :error | :ignore}

  @doc """
  Encodes a term.

  Options:

    * `:max_depth` - containers one within another, #{@default_depth} unless told otherwise and #{@greatest_depth} at
      most, which is the engine's own bound
    * `:max_bytes` - size of the result in bytes, 64 MiB unless told otherwise and 2 GiB (less one byte) at most

  ## Examples

      iex> Wasgo.Godot.Variant.encode(true)
      {:ok, <<1, 0, 0, 0, 1, 0, 0, 0>>}

      iex> {:error, error} = Wasgo.Godot.Variant.encode(%{"picture" => [<<255, 216>>]})
      iex> {error.reason, error.path}
      {{:not_utf8, <<255, 216>>}, ["picture", 0]}
  """
  @spec encode(t(), [encode_option()]) :: {:ok, binary()} | {:error, EncodeError.t()}
  def encode(term, opts \\ []) do
    {depth, bytes} = limits(Keyword.validate!(opts, [:max_depth, :max_bytes]))

    # A normal scheduler gives up what would take it too long.
    result =
      with :over_budget <- Native.variant_encode(term, depth, bytes) do
        Native.variant_encode_dirty(term, depth, bytes)
      end

    case result do
      {:ok, binary} -> {:ok, binary}
      {:error, {reason, path}} -> {:error, %EncodeError{reason: reason, path: path}}
    end
  end

  @doc """
  Encodes a term as `encode/2` does, and raises its error.

      iex> Wasgo.Godot.Variant.encode!(nil)
      <<0, 0, 0, 0>>
  """
  @spec encode!(t(), [encode_option()]) :: binary()
  def encode!(term, opts \\ []) do
    case encode(term, opts) do
      {:ok, binary} -> binary
      {:error, error} -> raise error
    end
  end

  @doc """
  Encodes a term as `encode/2` does, without copying the data of its larger packed arrays: these are parts of the result as they are. That is for
  what is on its way to a socket or a file.

      iex> positions = :binary.copy(<<0.0::float-little-32>>, 3_000)
      iex> {:ok, iodata, size} = Wasgo.Godot.Variant.encode_to_iodata(%{"positions" => {:packed_vector3, positions}})
      iex> {:ok, ^size} = {:ok, IO.iodata_length(iodata)}
      iex> IO.iodata_to_binary(iodata) == Wasgo.Godot.Variant.encode!(%{"positions" => {:packed_vector3, positions}})
      true
  """
  @spec encode_to_iodata(t(), [encode_option()]) ::
          {:ok, iodata(), size :: non_neg_integer()} | {:error, EncodeError.t()}
  def encode_to_iodata(term, opts \\ []) do
    {depth, bytes} = limits(Keyword.validate!(opts, [:max_depth, :max_bytes]))

    result =
      with :over_budget <- Native.variant_encode_iodata(term, depth, bytes) do
        Native.variant_encode_iodata_dirty(term, depth, bytes)
      end

    with {:error, {reason, path}} <- result,
         do: {:error, %EncodeError{reason: reason, path: path}}
  end

  @doc """
  Decodes one value.

  Options, besides `:max_depth` and `:max_bytes` as `encode/2` has them:

    * `:keep_order` - `true` gives every Dictionary as a `Wasgo.Godot.Dictionary`, which keeps the order of its pairs.
      Otherwise those without declared types are maps
    * `:trailing` - `:error` unless told otherwise; `:ignore` leaves bytes after the value alone, as the engine does

  The term takes up to sixteen times the input's size in memory (an array of nothing but callables), and next to nothing
  besides the input for packed arrays.

  ## Examples

      iex> Wasgo.Godot.Variant.decode(<<2, 0, 0, 0, 7, 0, 0, 0>>)
      {:ok, 7}

      iex> {:error, error} = Wasgo.Godot.Variant.decode(<<2, 0, 0, 0, 7>>)
      iex> Exception.message(error)
      "at byte 4, reading the value of int: 4 bytes are needed, 1 are left"

      iex> Wasgo.Godot.Variant.decode(<<0, 0, 0, 0, 255>>, trailing: :ignore)
      {:ok, nil}
  """
  @spec decode(binary(), [decode_option()]) :: {:ok, t()} | {:error, DecodeError.t()}
  def decode(binary, opts \\ []) when is_binary(binary) do
    opts = Keyword.validate!(opts, [:max_depth, :max_bytes, keep_order: false, trailing: :error])
    {depth, bytes} = limits(opts)
    keep_order = one_of(opts, :keep_order, [true, false])
    trailing = one_of(opts, :trailing, [:error, :ignore])

    result = decode_native(binary, depth, bytes, keep_order)

    case result do
      {:ok, _term, used} when trailing == :error and used < byte_size(binary) ->
        reason = {:trailing, byte_size(binary) - used}
        {:error, %DecodeError{reason: reason, offset: used, reading: :input}}

      {:ok, term, _used} ->
        {:ok, term}

      {:error, {reason, offset, reading}} ->
        {:error, %DecodeError{reason: reason, offset: offset, reading: reading}}
    end
  end

  @doc """
  Decodes one value as `decode/2` does, and raises its error.

      iex> Wasgo.Godot.Variant.decode!(<<3, 0, 0, 0, 0, 0, 128, 127>>)
      :infinity
  """
  @spec decode!(binary(), [decode_option()]) :: t()
  def decode!(binary, opts \\ []) do
    case decode(binary, opts) do
      {:ok, term} -> term
      {:error, error} -> raise error
    end
  end

  # Terms are counted as they are made, but texts are checked before that: large input never starts there.
  defp decode_native(binary, depth, bytes, keep_order) when byte_size(binary) <= @slice_bytes do
    with :over_budget <- Native.variant_decode(binary, depth, bytes, keep_order) do
      Native.variant_decode_dirty(binary, depth, bytes, keep_order)
    end
  end

  defp decode_native(binary, depth, bytes, keep_order) do
    Native.variant_decode_dirty(binary, depth, bytes, keep_order)
  end

  defp limits(opts) do
    depth = Keyword.get(opts, :max_depth, @default_depth)
    bytes = Keyword.get(opts, :max_bytes, @default_bytes)

    if depth not in 0..@greatest_depth do
      raise ArgumentError, "max_depth is 0 to #{@greatest_depth}, not #{inspect(depth)}"
    end

    if bytes not in 1..@greatest_bytes do
      raise ArgumentError, "max_bytes is 1 to #{@greatest_bytes}, not #{inspect(bytes)}"
    end

    {depth, bytes}
  end

  defp one_of(opts, key, allowed) do
    value = Keyword.fetch!(opts, key)

    if value in allowed do
      value
    else
      raise ArgumentError, "#{key} is one of #{inspect(allowed)}, not #{inspect(value)}"
    end
  end
end
