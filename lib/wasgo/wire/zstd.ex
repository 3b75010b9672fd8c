defmodule Wasgo.Wire.Zstd do
  @moduledoc """
  zstd frames (RFC 8878): bytes made smaller for a slow wire or a disk, and back.

      iex> alias Wasgo.Wire.Zstd
      iex> bytes = String.duplicate("all work and no play ", 100)
      iex> frame = Zstd.compress!(bytes)
      iex> byte_size(frame) < 50
      true
      iex> Zstd.decompress(frame, byte_size(bytes)) == {:ok, bytes}
      true

  These are the frames of Godot's `PackedByteArray.compress` and `decompress` with `FileAccess.COMPRESSION_ZSTD`, and of the
  program `zstd`. As in the engine, whoever decompresses says how many bytes have to come out, which have to be told beside the frame.

  A frame to decompress may come from anyone. Its headers are read before memory is taken: of a frame that cannot hold exactly the expected
  bytes, ends early or has something after it, nothing is decompressed. No more memory is taken than these bytes and some 128 KiB, and
  none that stays. Also refused are frames that were made with a dictionary, that need a window of more than 8 MiB (those of the
  program's option `--ultra` or `--long` may), or that come in more blocks than bytes of their number do (a compressor that is told to write out
  what it has after every few bytes makes such).

  ## How fast, and where

  Level 3 compresses some 300 to 800 MB/s, level 9 50 to 600, depending on what is in it, with up to 12 MiB of memory; decompressing goes at 0.6 to 1.7 GB/s
  (x86, one core, bytes that are in the cache). Either takes 12 to 20 microseconds for the smallest input. What is small is done on the
  calling scheduler: up to 32 KiB compressed to levels 1 to 3, 4 KiB to the others, and up to 16 KiB decompressed. What is larger is done on a dirty one.
  """

  alias Wasgo.{DecodeError, EncodeError, Native, Options}

  # The largest frame of the wire protocol.
  @default_bytes 64 * 1024 * 1024
  # Sizes are 32 bits wide on the wire.
  @greatest_bytes 0x7FFF_FFFF

  # What takes some 0.1 ms, by level: a quarter of a millisecond where a machine is busy.
  @slice_compressed 32_768
  @slice_compressed_more 4_096
  # A frame of this size has no more than 48 blocks, of which each may cost 10 us.
  @slice_decompressed 16_384

  @fast_levels 1..3

  @compress_schema [
    level: [type: {:range, 1..9}, default: 3],
    max_bytes: [type: {:range, 1..@greatest_bytes}, default: @default_bytes]
  ]

  @decompress_schema [max_bytes: [type: {:range, 1..@greatest_bytes}, default: @default_bytes]]

  @type compress_option :: {:level, 1..9} | {:max_bytes, pos_integer()}
  @type decompress_option :: {:max_bytes, pos_integer()}

  @doc """
  Compresses a binary into one frame.

  Options:

    * `:level` - 1 (fastest) to 9 (smallest), 3 unless told otherwise
    * `:max_bytes` - size of the binary in bytes, 64 MiB unless told otherwise and 2 GiB (less one byte) at most

  ## Examples

      iex> {:ok, <<0xFD2FB528::32-little, _rest::binary>>} = Wasgo.Wire.Zstd.compress("bytes", level: 9)

      iex> {:error, error} = Wasgo.Wire.Zstd.compress("bytes", max_bytes: 4)
      iex> error.reason
      {:too_large, 4}
  """
  @spec compress(binary(), [compress_option()]) :: {:ok, binary()} | {:error, EncodeError.t()}
  def compress(binary, options \\ []) when is_binary(binary) do
    %{level: level, max_bytes: most} =
      Options.validate!(options, @compress_schema, "Wasgo.Wire.Zstd.compress/2")

    if byte_size(binary) <= most do
      case compress_native(binary, level) do
        {:ok, frame} -> {:ok, frame}
        {:error, {:enomem, _offset}} -> :erlang.error(:enomem)
      end
    else
      {:error, %EncodeError{reason: {:too_large, most}}}
    end
  end

  @doc """
  Compresses as `compress/2` does, and raises its error.

      iex> "" |> Wasgo.Wire.Zstd.compress!() |> Wasgo.Wire.Zstd.decompress!(0)
      ""
  """
  @spec compress!(binary(), [compress_option()]) :: binary()
  def compress!(binary, options \\ []), do: Native.Result.bang!(compress(binary, options))

  @doc """
  The `size` bytes that a frame holds.

  `:max_bytes` is the largest `size` that is taken, 64 MiB unless told otherwise and 2 GiB (less one byte) at most. `size` is never
  believed: it is an error when the frame holds more or fewer bytes, or is not all of the input.

  ## Examples

      iex> frame = Wasgo.Wire.Zstd.compress!("some bytes")
      iex> Wasgo.Wire.Zstd.decompress(frame, 10)
      {:ok, "some bytes"}
      iex> {:error, error} = Wasgo.Wire.Zstd.decompress(frame, 11)
      iex> Exception.message(error)
      "at byte 0, reading zstd: it holds 10 bytes, where 11 are expected"
      iex> {:error, error} = Wasgo.Wire.Zstd.decompress(frame <> "!", 10)
      iex> error.reason
      {:trailing, 1}
  """
  @spec decompress(binary(), integer(), [decompress_option()]) ::
          {:ok, binary()} | {:error, DecodeError.t()}
  def decompress(frame, size, options \\ []) when is_binary(frame) and is_integer(size) do
    %{max_bytes: most} =
      Options.validate!(options, @decompress_schema, "Wasgo.Wire.Zstd.decompress/3")

    result =
      cond do
        size < 0 -> {:error, {{:content_size, nil, size}, 0}}
        size > most -> {:error, {{:too_large, size, most}, 0}}
        true -> decompress_native(frame, size)
      end

    with {:error, {reason, offset}} <- result do
      {:error, %DecodeError{reason: reason, offset: offset, reading: {:format, :zstd}}}
    end
  end

  @doc """
  Decompresses as `decompress/3` does, and raises its error.

      iex> Wasgo.Wire.Zstd.decompress!("no frame", 8)
      ** (Wasgo.DecodeError) at byte 0, reading zstd: a zstd frame is expected
  """
  @spec decompress!(binary(), integer(), [decompress_option()]) :: binary()
  def decompress!(frame, size, options \\ []),
    do: Native.Result.bang!(decompress(frame, size, options))

  defp compress_native(binary, level) do
    slice = if level in @fast_levels, do: @slice_compressed, else: @slice_compressed_more

    if byte_size(binary) <= slice,
      do: Native.zstd_compress(binary, level),
      else: Native.zstd_compress_dirty(binary, level)
  end

  defp decompress_native(frame, size)
       when size <= @slice_decompressed and byte_size(frame) <= 2 * @slice_decompressed,
       do: Native.zstd_decompress(frame, size)

  defp decompress_native(frame, size), do: Native.zstd_decompress_dirty(frame, size)
end
