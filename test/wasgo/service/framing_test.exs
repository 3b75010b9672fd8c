defmodule Wasgo.Service.FramingTest do
  use ExUnit.Case, async: true

  alias Wasgo.{DecodeError, EncodeError, ServiceError}
  alias Wasgo.Service.Framing

  doctest Framing

  defp encode!(framing, messages) do
    for message <- messages, into: "" do
      {:ok, bytes} = Framing.encode(framing, message)
      IO.iodata_to_binary(bytes)
    end
  end

  defp decode!(framing, pieces) do
    {messages, framing} =
      Enum.flat_map_reduce(pieces, framing, fn piece, framing ->
        {:ok, messages, framing} = Framing.decode(framing, piece)
        {messages, framing}
      end)

    assert Framing.rest(framing) == ""
    messages
  end

  # All ways to cut what is short, some for what is long.
  defp cuts(bytes) do
    one_by_one = for <<byte <- bytes>>, do: <<byte>>

    in_two =
      for at <- 0..byte_size(bytes),
          do: [binary_part(bytes, 0, at), binary_part(bytes, at, byte_size(bytes) - at)]

    [[bytes], one_by_one | in_two]
  end

  defp random(most) do
    :rand.bytes(:rand.uniform(most + 1) - 1)
  end

  defp messages(:length_prefixed), do: for(_ <- 1..5, do: random(40)) ++ ["", <<0, 0, 0, 9>>]
  defp messages(:json_lines), do: [%{"a" => [1, nil, "\n"]}, [], "text", 12, %{}]
  defp messages({:marker, _marker}), do: ["one", "two\nlines", "", "an end\nwithin"]
  defp messages(:line), do: ["", "a", "with \t tabulator", "ümläut"]

  for kind <- [:line, :json_lines, :length_prefixed] do
    test "#{kind}: what is encoded is decoded, however it is cut" do
      framing = Framing.new(unquote(kind))

      for _ <- 1..5 do
        messages = messages(unquote(kind))

        for pieces <- cuts(encode!(framing, messages)),
            do: assert(decode!(framing, pieces) == messages)
      end
    end
  end

  test "a marker ends a message of several lines" do
    framing = Framing.new({:marker, "END"})
    messages = messages(framing.kind)

    bytes =
      Enum.map_join(messages, fn text ->
        if(text == "", do: "", else: text <> "\n") <> "END\r\n"
      end)

    for pieces <- cuts(bytes), do: assert(decode!(framing, pieces) == messages)

    assert {:ok, ["not END\nEND not"], _framing} =
             Framing.decode(framing, "not END\nEND not\nEND\n")
  end

  test "raw bytes are passed on as they come" do
    framing = Framing.new(:raw)
    assert {:ok, ["a\r\n\0"], ^framing} = Framing.decode(framing, "a\r\n\0")
    assert {:ok, [], ^framing} = Framing.decode(framing, "")
    assert {:ok, "a\r\n\0"} = Framing.encode(framing, "a\r\n\0")
  end

  test "a message is no longer than its limit, in either direction" do
    for {kind, fits, not_fits} <- [
          {:line, "123456789", "1234567890"},
          {:length_prefixed, "1234567890", "12345678901"},
          {{:marker, "E"}, "123456789", "1234567890"},
          {:json_lines, 12_345_678, 12_345_678_901}
        ] do
      framing = Framing.new(kind, 10)
      assert {:ok, _bytes} = Framing.encode(framing, fits)
      assert {:error, error} = Framing.encode(framing, not_fits)
      assert %module{} = error
      assert module in [ServiceError, EncodeError]
    end

    assert {:error, %ServiceError{reason: :too_long}} =
             Framing.decode(Framing.new(:length_prefixed, 10), <<11::32>>)

    for kind <- [:line, :json_lines, {:marker, "E"}] do
      framing = Framing.new(kind, 10)
      assert {:error, %ServiceError{reason: :too_long}} = Framing.decode(framing, "12345678901")
      assert {:error, %ServiceError{reason: :too_long}} = Framing.decode(framing, "12345678901\n")
      assert {:ok, [], framing} = Framing.decode(framing, "123456")
      assert {:error, %ServiceError{reason: :too_long}} = Framing.decode(framing, "78901")
    end

    # Of a message of many lines all count.
    assert {:ok, [], framing} = Framing.decode(Framing.new({:marker, "E"}, 10), "1234\n1234\n")
    assert {:error, %ServiceError{reason: :too_long}} = Framing.decode(framing, "\n")
  end

  test "a length that lies takes no memory" do
    framing = Framing.new(:length_prefixed, 1_000_000)
    assert {:ok, [], framing} = Framing.decode(framing, <<1_000_000::32>>)
    assert :erlang.external_size(framing) < 1_000
  end

  test "a long message in small pieces is put together in linear time" do
    framing = Framing.new(:length_prefixed, 2_000_000)

    reductions = fn size ->
      pieces = [<<size::32>> | List.duplicate("x", size)]
      {_, before} = Process.info(self(), :reductions)
      assert [message] = decode!(framing, pieces)
      assert byte_size(message) == size
      {_, later} = Process.info(self(), :reductions)
      later - before
    end

    assert reductions.(200_000) < 40 * reductions.(20_000)
  end

  test "lines that are no JSON are errors" do
    assert {:error, %DecodeError{}} = Framing.decode(Framing.new(:json_lines), "{\n")
    assert {:ok, [1, 2], _framing} = Framing.decode(Framing.new(:json_lines), "1\n\n\r\n2\n")
    assert {:error, %EncodeError{}} = Framing.encode(Framing.new(:json_lines), self())
  end

  test "what can't be sent is told by name" do
    assert {:error, %ServiceError{reason: :newline}} = Framing.encode(Framing.new(:line), "a\rb")

    for kind <- [:line, :length_prefixed, :raw, {:marker, "END"}], term <- [1, nil, ["a"], %{}] do
      assert {:error, %ServiceError{reason: :not_bytes} = error} =
               Framing.encode(Framing.new(kind), term)

      assert Exception.message(error) =~ inspect(term)
    end

    assert_raise ArgumentError, ~r/no framing: :morse/, fn -> Framing.new(:morse) end
  end
end
