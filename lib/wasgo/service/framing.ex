defmodule Wasgo.Service.Framing do
  @moduledoc """
  How messages are told apart in the stream of bytes that a service reads and writes.

    * `:line` - a message is a line of text; it ends with `"\\n"`, and before that a `"\\r"` does not count
    * `:json_lines` - a message is a term, one line of JSON (`Wasgo.Wire`)
    * `:length_prefixed` - a message is any bytes, after their number in four bytes, the highest first
    * `{:marker, text}` - a message goes on until a line that is `text` and nothing else: for answers of several lines, such as
      a shell's, after each of which something prints the marker. A request is text that ends with a line break
    * `:raw` - there are no messages: what is sent goes out as it is, and what comes is passed on as it comes

  A framing is data, and the functions here are pure. `max` bounds the bytes of one message: of one that comes no more is kept than that.

      iex> framing = Wasgo.Service.Framing.new(:line)
      iex> {:ok, bytes} = Wasgo.Service.Framing.encode(framing, "question")
      iex> bytes |> IO.iodata_to_binary()
      "question\\n"
      iex> {:ok, ["answer"], framing} = Wasgo.Service.Framing.decode(framing, "answer\\r\\nand ano")
      iex> {:ok, ["and another"], _framing} = Wasgo.Service.Framing.decode(framing, "ther\\n")
      iex> {:error, error} = Wasgo.Service.Framing.encode(framing, "two\\nlines")
      iex> error.reason
      :newline
  """

  alias Wasgo.{ServiceError, Wire}

  @derive {Inspect, only: [:kind, :max]}
  @enforce_keys [:kind, :max]
  defstruct [:kind, :max, partial: [], size: 0, wanted: 0, lines: [], lines_size: 0]

  @typedoc "The kinds of framing."
  @type kind :: :line | :json_lines | :length_prefixed | {:marker, String.t()} | :raw

  @opaque t :: %__MODULE__{
            kind: kind(),
            max: pos_integer(),
            partial: iodata(),
            size: non_neg_integer(),
            wanted: non_neg_integer(),
            lines: [binary()],
            lines_size: non_neg_integer()
          }

  @max 65_536
  @prefix 4

  @doc """
  A framing whose messages have at most `max` bytes, #{@max} unless given.

      iex> framing = Wasgo.Service.Framing.new(:line, 16)
      iex> {:error, error} = Wasgo.Service.Framing.encode(framing, "more than sixteen bytes")
      iex> error.reason
      :too_long
  """
  @spec new(kind(), pos_integer()) :: t()
  def new(kind, max \\ @max) when is_integer(max) and max > 0 do
    unless kind?(kind), do: raise(ArgumentError, "no framing: #{inspect(kind)}")
    %__MODULE__{kind: kind, max: max}
  end

  @doc """
  Whether it is a kind of framing.

      iex> {Wasgo.Service.Framing.kind?(:line), Wasgo.Service.Framing.kind?(:lines)}
      {true, false}
  """
  @spec kind?(term()) :: boolean()
  def kind?({:marker, marker}) do
    is_binary(marker) and marker != "" and not String.contains?(marker, ["\n", "\r"])
  end

  def kind?(kind), do: kind in [:line, :json_lines, :length_prefixed, :raw]

  @doc """
  Whether messages are text, which a terminal may hand on line by line.

      iex> for kind <- [:line, :length_prefixed], do: Wasgo.Service.Framing.text?(Wasgo.Service.Framing.new(kind, 1_024))
      [true, false]
  """
  @spec text?(t()) :: boolean()
  def text?(%__MODULE__{kind: kind}), do: kind in [:line, :json_lines] or is_tuple(kind)

  @doc """
  The bytes of one message.

  Errors: `Wasgo.ServiceError` with `:newline`, `:too_long` or `:not_bytes`; `Wasgo.EncodeError` for a term that JSON can't say.

      iex> {:ok, bytes} = Wasgo.Service.Framing.encode(Wasgo.Service.Framing.new(:length_prefixed), "smile")
      iex> IO.iodata_to_binary(bytes)
      <<0, 0, 0, 5, "smile">>
      iex> {:ok, line} = Wasgo.Service.Framing.encode(Wasgo.Service.Framing.new(:json_lines), %{"smile" => 0.7})
      iex> IO.iodata_to_binary(line)
      ~s|{"smile":0.7}\\n|
  """
  @spec encode(t(), term()) :: {:ok, iodata()} | {:error, Exception.t()}
  def encode(%__MODULE__{kind: :json_lines} = framing, term) do
    with {:ok, line} <- Wire.encode(term, :json, max_bytes: framing.max), do: {:ok, [line, ?\n]}
  end

  def encode(%__MODULE__{kind: :line} = framing, line) do
    cond do
      not is_binary(line) -> not_bytes(line)
      String.contains?(line, ["\n", "\r"]) -> newline()
      byte_size(line) >= framing.max -> too_long(line, framing)
      true -> {:ok, [line, ?\n]}
    end
  end

  def encode(%__MODULE__{kind: {:marker, _text}} = framing, text) do
    cond do
      not is_binary(text) -> not_bytes(text)
      byte_size(text) >= framing.max -> too_long(text, framing)
      String.ends_with?(text, "\n") -> {:ok, text}
      true -> {:ok, [text, ?\n]}
    end
  end

  def encode(%__MODULE__{} = framing, bytes) do
    cond do
      not is_binary(bytes) -> not_bytes(bytes)
      framing.kind == :raw -> {:ok, bytes}
      byte_size(bytes) > framing.max -> too_long(bytes, framing)
      true -> {:ok, [<<byte_size(bytes)::32>>, bytes]}
    end
  end

  @doc """
  The messages that `bytes` complete, and the framing with what is left of them.

  Errors: `Wasgo.ServiceError` with `:too_long`, after which nothing can be told apart any more; `Wasgo.DecodeError` for a line that is no JSON.

      iex> framing = Wasgo.Service.Framing.new({:marker, "---"})
      iex> {:ok, [], framing} = Wasgo.Service.Framing.decode(framing, "a house\\na well\\n--")
      iex> {:ok, [answer], _framing} = Wasgo.Service.Framing.decode(framing, "-\\n")
      iex> answer
      "a house\\na well"
  """
  @spec decode(t(), binary()) :: {:ok, [term()], t()} | {:error, Exception.t()}
  def decode(%__MODULE__{kind: :raw} = framing, ""), do: {:ok, [], framing}
  def decode(%__MODULE__{kind: :raw} = framing, bytes), do: {:ok, [bytes], framing}

  def decode(%__MODULE__{kind: :length_prefixed} = framing, bytes) do
    size = framing.size + byte_size(bytes)

    # Pieces of a message are put together once it is there whole.
    if size < framing.wanted do
      {:ok, [], keep(framing, [framing.partial | bytes], size)}
    else
      frames(framing, IO.iodata_to_binary([framing.partial | bytes]), [])
    end
  end

  def decode(%__MODULE__{} = framing, bytes) do
    with {:ok, lines, framing} <- lines(framing, bytes), do: messages(framing, lines)
  end

  @doc """
  What came of a message that is not whole.

      iex> framing = Wasgo.Service.Framing.new(:line, 1_024)
      iex> {:ok, ["one"], framing} = Wasgo.Service.Framing.decode(framing, "one\\ntw")
      iex> Wasgo.Service.Framing.rest(framing)
      "tw"
  """
  @spec rest(t()) :: binary()
  def rest(%__MODULE__{partial: partial, lines: lines}) do
    IO.iodata_to_binary([Enum.map(Enum.reverse(lines), &[&1, ?\n]) | partial])
  end

  defp frames(framing, <<length::32, _rest::binary>>, _messages) when length > framing.max do
    message = "the service announced a message of #{length} bytes; #{framing.max} are the limit"
    {:error, error(:too_long, message)}
  end

  defp frames(framing, <<length::32, message::binary-size(length), rest::binary>>, messages) do
    frames(framing, rest, [message | messages])
  end

  defp frames(framing, rest, messages) do
    wanted =
      case rest do
        <<length::32, _rest::binary>> -> @prefix + length
        _short -> @prefix
      end

    {:ok, Enum.reverse(messages), %{keep(framing, rest, byte_size(rest)) | wanted: wanted}}
  end

  defp keep(framing, partial, size), do: %{framing | partial: partial, size: size}

  # The whole lines that `bytes` complete. What a message has before the current line counts too.
  defp lines(framing, bytes) do
    case :binary.split(bytes, "\n", [:global]) do
      [part] ->
        size = framing.size + byte_size(part)
        bounded([], keep(framing, [framing.partial | part], size))

      [first | rest] ->
        {middle, [last]} = Enum.split(rest, -1)
        whole = [IO.iodata_to_binary([framing.partial | first]) | middle]
        bounded(whole, keep(framing, last, byte_size(last)))
    end
  end

  defp bounded(lines, framing) do
    if framing.size > framing.max or Enum.any?(lines, &(byte_size(&1) > framing.max)) do
      {:error,
       error(:too_long, "the service wrote over #{framing.max} bytes without a line break")}
    else
      {:ok, Enum.map(lines, &trim/1), framing}
    end
  end

  defp trim(line) do
    size = byte_size(line) - 1
    if size >= 0 and :binary.at(line, size) == ?\r, do: binary_part(line, 0, size), else: line
  end

  defp messages(%{kind: :line} = framing, lines), do: {:ok, lines, framing}

  defp messages(%{kind: :json_lines} = framing, lines) do
    lines
    |> Enum.reject(&(&1 == ""))
    |> Enum.reduce_while({:ok, []}, fn line, {:ok, terms} ->
      case Wire.decode(line, :json, max_bytes: framing.max) do
        {:ok, term} -> {:cont, {:ok, [term | terms]}}
        {:error, exception} -> {:halt, {:error, exception}}
      end
    end)
    |> case do
      {:ok, terms} -> {:ok, Enum.reverse(terms), framing}
      {:error, exception} -> {:error, exception}
    end
  end

  defp messages(%{kind: {:marker, marker}} = framing, lines) do
    {messages, framing} =
      Enum.reduce(lines, {[], framing}, fn
        ^marker, {messages, framing} ->
          message = framing.lines |> Enum.reverse() |> Enum.join("\n")
          {[message | messages], %{framing | lines: [], lines_size: 0}}

        line, {messages, framing} ->
          size = framing.lines_size + byte_size(line) + 1
          {messages, %{framing | lines: [line | framing.lines], lines_size: size}}
      end)

    if framing.lines_size > framing.max do
      {:error, error(:too_long, "the service wrote over #{framing.max} bytes without the marker")}
    else
      {:ok, Enum.reverse(messages), framing}
    end
  end

  defp newline do
    {:error, error(:newline, "a request is one line, and this one has a line break in it")}
  end

  defp too_long(bytes, framing) do
    unit = if framing.kind == :length_prefixed, do: "message", else: "line"
    message = "a request of #{byte_size(bytes)} bytes; a #{unit} may have #{framing.max}"
    {:error, error(:too_long, message)}
  end

  # Said, not raised: this runs in the service's process, which has others to serve.
  defp not_bytes(term) do
    message = "a request of this framing is a binary, and this is given: "
    {:error, error(:not_bytes, message <> inspect(term, limit: 20, printable_limit: 200))}
  end

  defp error(reason, message), do: %ServiceError{reason: reason, message: message}
end
