defmodule Wasgo.Godot.Connection.Frame do
  @moduledoc false
  # Frames of the wire protocol (godot/PROTOCOL.md), to bytes and back. Pure.
  #
  # A numbered frame is encoded without its number, in the process of whoever sends it; the number goes in front later,
  # when the order is decided, without touching the rest. It must never make atoms, or keep alive a whole frame of the
  # peer for a part of it.

  alias Wasgo.Godot.Variant
  alias Wasgo.GodotError

  @enforce_keys [:count, :pairs]
  defstruct [:count, :pairs]

  # A frame without its number: how many pairs its Dictionary has, and their bytes.
  @type t :: %__MODULE__{count: non_neg_integer(), pairs: binary()}

  @type event ::
          {:hello, protocol :: integer(), token :: binary(), client :: String.t()}
          | {:ack, integer()}
          | {:error, integer(), String.t()}
          | {:ping, integer()}
          | {:bye, String.t()}
          | {:report, integer(), %{String.t() => integer()}}
          | {:picture, integer(), {:ok, binary()} | {:error, String.t()}}
          | :nothing

  # The largest frame to the engine, without its length field, and how deep frames nest either way.
  @max_bytes 64 * 1024 * 1024
  @max_depth 64

  @length_field 4
  @header 8
  @dictionary 27
  # The String "seq". The number after it takes 8 or 12 bytes.
  @seq_key <<4::little-32, 3::little-32, "seq", 0>>
  @largest_seq byte_size(@seq_key) + 12

  @small 16 * 1024

  # What is kept of the peer's texts, in bytes.
  @max_text 512

  @own_kinds ~w(hello welcome refuse ack error report picture ping pong bye)

  @spec max_bytes() :: pos_integer()
  def max_bytes, do: @max_bytes

  @doc "Encodes a frame that gets a number."
  @spec new(String.t(), map()) :: {:ok, t()} | {:error, GodotError.t()}
  def new(kind, fields) when is_binary(kind) and is_map(fields) do
    if kind in @own_kinds do
      raise ArgumentError, "frames of the kind #{inspect(kind)} are the connection's own to send"
    end

    for key <- ["t", "seq", :t, :seq], is_map_key(fields, key) do
      raise ArgumentError, "a frame's #{inspect(key)} is for the connection to set"
    end

    case encode(Map.put(fields, "t", kind), @max_bytes - @largest_seq) do
      {:ok, <<@dictionary::little-32, count::little-32, pairs::binary>>} ->
        {:ok, %__MODULE__{count: count, pairs: pairs}}

      {:error, error} ->
        {:error, error}
    end
  end

  @doc "The bytes of a numbered frame, to be sent behind their length."
  @spec numbered(t(), pos_integer()) :: iodata()
  def numbered(%__MODULE__{count: count, pairs: pairs}, seq) do
    start = <<@dictionary::little-32, count + 1::little-32, @seq_key::binary>>

    # Small ones are held by the thousand, and take the least as one binary.
    if byte_size(pairs) <= @small,
      do: <<start::binary, number(seq)::binary, pairs::binary>>,
      else: [start, number(seq), pairs]
  end

  @doc "How many bytes a numbered frame takes on the wire, its length field included."
  @spec size(t(), pos_integer()) :: pos_integer()
  def size(%__MODULE__{pairs: pairs}, seq) do
    @length_field + @header + byte_size(@seq_key) + byte_size(number(seq)) + byte_size(pairs)
  end

  defp number(seq) when seq <= 0x7FFF_FFFF, do: <<2::little-32, seq::little-32>>
  defp number(seq), do: <<0x1_0002::little-32, seq::little-64>>

  @doc "Encodes a frame without a number."
  @spec control(String.t(), map()) :: {:ok, binary()} | {:error, GodotError.t()}
  def control(kind, fields), do: encode(Map.put(fields, "t", kind), @max_bytes)

  @doc "As `control/2`, for what the library makes up itself."
  @spec control!(String.t(), map()) :: binary()
  def control!(kind, fields), do: Variant.encode!(Map.put(fields, "t", kind))

  defp encode(map, max_bytes) do
    case Variant.encode(map, max_depth: @max_depth, max_bytes: max_bytes) do
      {:ok, bytes} ->
        {:ok, bytes}

      {:error, %{reason: {:too_large, _limit}}} ->
        {:error, %GodotError{reason: {:too_large, @max_bytes}}}

      {:error, error} ->
        {:error, %GodotError{reason: {:encode, error}}}
    end
  end

  @doc """
  What a frame from the peer says. An error is why the connection ends: `:bytes` that are no Variant, or a `:frame` that
  makes no sense.
  """
  @spec decode(binary()) ::
          {:ok, event()} | {:error, {:malformed, String.t()}, :bytes | :frame}
  def decode(bytes) do
    case Variant.decode(bytes, max_depth: @max_depth) do
      {:ok, %{"t" => kind} = frame} when is_binary(kind) and not is_struct(frame) ->
        event(kind, frame)

      {:ok, _other} ->
        malformed("a frame without a kind")

      {:error, error} ->
        {:error, {:malformed, "bytes that are no frame (#{Exception.message(error)})"}, :bytes}
    end
  end

  defp event("hello", %{"protocol" => protocol, "token" => token, "client" => client})
       when is_integer(protocol) and is_binary(token) and is_binary(client) do
    {:ok, {:hello, protocol, token, text(client)}}
  end

  defp event("ack", %{"seq" => seq}) when is_integer(seq), do: {:ok, {:ack, seq}}

  defp event("error", %{"seq" => seq, "message" => message})
       when is_integer(seq) and is_binary(message) do
    {:ok, {:error, seq, text(message)}}
  end

  defp event("ping", %{"time" => time}) when is_integer(time), do: {:ok, {:ping, time}}
  defp event("pong", %{"time" => time}) when is_integer(time), do: {:ok, :nothing}
  defp event("bye", %{"reason" => reason}) when is_binary(reason), do: {:ok, {:bye, text(reason)}}

  defp event("report", %{"id" => id, "counts" => counts})
       when is_integer(id) and is_map(counts) and not is_struct(counts) do
    if Enum.all?(counts, &count?/1) do
      {:ok, {:report, id, Map.new(counts, fn {name, count} -> {:binary.copy(name), count} end)}}
    else
      malformed("a report whose counts are not all numbers with names")
    end
  end

  defp event("picture", %{"id" => id, "png" => {:packed_byte, png}}) when is_integer(id) do
    {:ok, {:picture, id, {:ok, png}}}
  end

  defp event("picture", %{"id" => id, "error" => message})
       when is_integer(id) and is_binary(message) do
    {:ok, {:picture, id, {:error, text(message)}}}
  end

  defp event(kind, _frame) when kind in ~w(hello ack error ping pong bye report picture) do
    malformed("a malformed frame of the kind #{inspect(kind)}")
  end

  # The engine may be newer.
  defp event(_kind, _frame), do: {:ok, :nothing}

  defp count?({name, count}), do: is_binary(name) and is_integer(count) and count >= 0

  defp malformed(words), do: {:error, {:malformed, words}, :frame}

  # At most so much of a text, cut between characters, and on its own.
  defp text(text) when byte_size(text) <= @max_text, do: :binary.copy(text)

  defp text(text) do
    case :unicode.characters_to_binary(binary_part(text, 0, @max_text)) do
      whole when is_binary(whole) -> whole
      {_, part, _rest} -> part
    end
  end
end
