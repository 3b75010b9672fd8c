defmodule Wasgo.Godot.Connection.Frame do
  @moduledoc false
  # Frames of the wire protocol (godot/PROTOCOL.md), to bytes. Pure. What the engine says is `Event`'s.
  #
  # A numbered frame is encoded without its number, in the process of whoever sends it; the number goes in front later,
  # when the order is decided, without touching the rest.

  alias Wasgo.Godot.Variant
  alias Wasgo.{EncodeError, GodotError, Native}
  alias Wasgo.Wire.Zstd

  @enforce_keys [:kind, :lane, :count, :pairs, :size]
  defstruct [:kind, :lane, :count, :pairs, :size]

  # A frame without its number: how many pairs its Dictionary has, their bytes, and how many these are. Large packed arrays are the binaries that
  # the sender had.
  @type t :: %__MODULE__{
          kind: String.t(),
          lane: lane(),
          count: non_neg_integer(),
          pairs: iodata(),
          size: non_neg_integer()
        }

  @type lane :: :live | :bulk

  # The largest frame to the engine, without its length field, and how deep frames nest either way.
  @max_bytes 64 * 1024 * 1024
  @max_depth 64

  @length_field 4
  @header 8
  @dictionary 27
  # The Strings "seq" and "bulk". The number after them takes 8 or 12 bytes.
  @keys %{
    live: <<4::little-32, 3::little-32, "seq", 0>>,
    bulk: <<4::little-32, 4::little-32, "bulk">>
  }
  @key_bytes 12
  @largest_number @key_bytes + 12

  # Smaller frames gain nothing.
  @least_compressed 4 * 1024
  # Compressing is to keep up with any wire that it is worth something for.
  @level 1

  @own_kinds ~w(hello challenge proof welcome refuse ack credit error report picture call answer export ping pong bye zstd)
  @bulk_kinds ~w(chunk unload asset)

  @spec max_bytes() :: pos_integer()
  def max_bytes, do: @max_bytes

  @doc "Encodes a frame that gets a number, in a lane or in the one that is usual for its kind."
  @spec new(String.t(), map(), lane() | nil, compress? :: boolean()) ::
          {:ok, t()} | {:error, GodotError.t()}
  def new(kind, fields, lane \\ nil, compress? \\ false)
      when is_binary(kind) and is_map(fields) and lane in [nil, :live, :bulk] do
    if own?(kind),
      do:
        raise(
          ArgumentError,
          "frames of the kind #{inspect(kind)} are the connection's own to send"
        )

    if is_map_key(fields, "t") or is_map_key(fields, "seq") or is_map_key(fields, "bulk") or
         is_map_key(fields, :t) or is_map_key(fields, :seq) or is_map_key(fields, :bulk),
       do: raise(ArgumentError, ~s(a frame's "t", "seq" and "bulk" are for the connection to set))

    lane = lane || usual(kind, fields)

    with {:ok, count, pairs, size} <- encode(kind, fields, @max_bytes - @largest_number) do
      frame = %__MODULE__{kind: kind, lane: lane, count: count, pairs: pairs, size: size}
      if compress? and size >= @least_compressed, do: packed(frame), else: {:ok, frame}
    end
  end

  # Clauses are searched, lists are gone through.
  for kind <- @own_kinds, do: defp(own?(unquote(kind)), do: true)
  defp own?(_kind), do: false

  defp usual(kind, _fields) when kind in @bulk_kinds, do: :bulk
  defp usual("cached", %{"what" => "chunk"}), do: :bulk
  defp usual(_kind, _fields), do: :live

  # Where that makes it smaller.
  defp packed(frame) do
    bytes = IO.iodata_to_binary([header(frame.count) | frame.pairs])
    size = byte_size(bytes)

    with {:ok, data} when byte_size(data) < size * 0.9 <- Zstd.compress(bytes, level: @level),
         fields = %{"size" => size, "data" => {:packed_byte, data}},
         {:ok, count, pairs, size} <- encode("zstd", fields, @max_bytes) do
      {:ok, %{frame | count: count, pairs: pairs, size: size}}
    else
      _not_worth_it -> {:ok, frame}
    end
  end

  defp header(count), do: <<@dictionary::little-32, count::little-32>>

  @doc "The bytes of a numbered frame, with their length in front."
  @spec numbered(t(), pos_integer()) :: iodata()
  def numbered(%__MODULE__{lane: lane, count: count, pairs: pairs} = frame, number) do
    size = size(frame, number) - @length_field

    # The words that are the same in all frames of a lane, and a number that nearly always takes four bytes.
    start =
      cond do
        number > 0x7FFF_FFFF ->
          <<size::32, @dictionary::little-32, count + 1::little-32, @keys[lane]::binary,
            0x1_0002::little-32, number::little-64>>

        lane == :live ->
          <<size::32, @dictionary::little-32, count + 1::little-32, 4::little-32, 3::little-32,
            "seq", 0, 2::little-32, number::little-32>>

        true ->
          <<size::32, @dictionary::little-32, count + 1::little-32, 4::little-32, 4::little-32,
            "bulk", 2::little-32, number::little-32>>
      end

    [start | pairs]
  end

  @doc "How many bytes a numbered frame takes on the wire, its length field included."
  @spec size(t(), pos_integer()) :: pos_integer()
  def size(%__MODULE__{size: size}, number) do
    @length_field + @header + @key_bytes + if(number <= 0x7FFF_FFFF, do: 8, else: 12) + size
  end

  @doc "Encodes a frame without a number, with its length in front."
  @spec control(String.t(), map()) :: {:ok, iodata()} | {:error, GodotError.t()}
  def control(kind, fields) do
    with {:ok, count, pairs, size} <- encode(kind, fields, @max_bytes),
         do: {:ok, [<<@header + size::32>>, header(count) | pairs]}
  end

  @doc "As `control/2`, for what the library makes up itself."
  @spec control!(String.t(), map()) :: iodata()
  def control!(kind, fields), do: framed(Variant.encode!(Map.put(fields, "t", kind)))

  @spec framed(binary()) :: iodata()
  def framed(bytes), do: [<<byte_size(bytes)::32>>, bytes]

  # Past the options of `Wasgo.Godot.Variant`, which cost as much as a small frame. `size` is that of the pairs, without the header.
  defp encode(kind, fields, max_bytes) do
    result =
      with :over_budget <- Native.frame_encode(kind, fields, @max_depth, max_bytes),
           do: Native.frame_encode_dirty(kind, fields, @max_depth, max_bytes)

    case result do
      {:ok, _count, _pairs, _size} = encoded ->
        encoded

      {:error, {{:too_large, _limit}, _path}} ->
        {:error, %GodotError{reason: {:too_large, @max_bytes}}}

      {:error, {reason, path}} ->
        {:error, %GodotError{reason: {:encode, %EncodeError{reason: reason, path: path}}}}
    end
  end
end
