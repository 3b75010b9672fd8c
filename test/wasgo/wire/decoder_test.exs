defmodule Wasgo.Wire.DecoderTest do
  use ExUnit.Case, async: true

  alias Wasgo.{DecodeError, Wire}
  alias Wasgo.Wire.Decoder

  doctest Wasgo.Wire.Decoder

  @terms [
    %{"a" => [1, 2.5, nil], "b" => "text with \"quotes\", [brackets] and \\"},
    [],
    [[[]], %{}],
    "a text",
    true,
    -7,
    70_000,
    String.duplicate("long ", 100),
    Enum.to_list(1..300),
    nil,
    1.5
  ]

  # The bytes of values, one after the other.
  defp joined(terms, :godot_variant) do
    for term <- terms, bytes = Wire.encode!(term, :godot_variant), into: <<>> do
      <<byte_size(bytes)::32-little, bytes::binary>>
    end
  end

  defp joined(terms, :json), do: Enum.map_join(terms, "\n", &Wire.encode!(&1, :json))
  defp joined(terms, format), do: for(term <- terms, into: <<>>, do: Wire.encode!(term, format))

  defp pieces(bytes, size) when byte_size(bytes) > size do
    {piece, rest} = :erlang.split_binary(bytes, size)
    [piece | pieces(rest, size)]
  end

  defp pieces(bytes, _size), do: [bytes]

  defp feed(decoder, pieces) do
    Enum.reduce(pieces, {[], decoder}, fn piece, {values, decoder} ->
      {:ok, more, decoder} = Decoder.feed(decoder, piece)
      {values ++ more, decoder}
    end)
  end

  @space [json: "   \n "]

  for format <- Wire.formats() do
    test "values come out of #{format}, however their bytes are cut" do
      format = unquote(format)
      bytes = joined(@terms, format)

      for size <- [1, 2, 3, 5, 7, 64, 1000, byte_size(bytes)] do
        {values, decoder} = format |> Decoder.new() |> feed(pieces(bytes, size))
        {:ok, last} = Decoder.finish(decoder)
        assert values ++ last == @terms
      end
    end

    test "a value is there with its last byte in #{format}" do
      format = unquote(format)

      for term <- Enum.filter(@terms, &(is_list(&1) or is_map(&1))) do
        bytes = joined([term], format)
        {most, last} = :erlang.split_binary(bytes, byte_size(bytes) - 1)
        {:ok, [], decoder} = Decoder.feed(Decoder.new(format), most)
        assert {:ok, [^term], decoder} = Decoder.feed(decoder, last)
        assert Decoder.finish(decoder) == {:ok, []}
      end
    end

    test "input that ends within a value of #{format} is an error" do
      format = unquote(format)
      bytes = joined([%{"a" => [1, "text"]}], format)

      for size <- 1..(byte_size(bytes) - 1) do
        part = binary_part(bytes, 0, size)
        {:ok, [], decoder} = Decoder.feed(Decoder.new(format), part)
        assert {:error, %DecodeError{reason: {:unfinished, ^size}}} = Decoder.finish(decoder)
      end

      assert Decoder.finish(Decoder.new(format)) == {:ok, []}
    end

    test "a value of #{format} over max_bytes is refused while it comes" do
      format = unquote(format)
      bytes = joined([List.duplicate("0123456789", 100)], format)
      decoder = Decoder.new(format, max_bytes: 500)

      assert {:error, %DecodeError{reason: {:too_large, _size, 500}}} =
               Enum.reduce_while(pieces(bytes, 10), decoder, fn piece, decoder ->
                 case Decoder.feed(decoder, piece) do
                   {:ok, [], decoder} -> {:cont, decoder}
                   {:error, error} -> {:halt, {:error, error}}
                 end
               end)

      # One of exactly that size is taken.
      [value] = [List.duplicate("x", 20)]
      size = byte_size(Wire.encode!(value, format))
      decoder = Decoder.new(format, max_bytes: size)

      {values, decoder} =
        feed(decoder, [Keyword.get(@space, format, "") <> joined([value], format)])

      assert values ++ elem(Decoder.finish(decoder), 1) == [value]
    end

    test "depth is bounded in #{format}" do
      format = unquote(format)
      deep = Enum.reduce(1..9, [], fn _, inner -> [inner] end)
      bytes = joined([deep], format)
      assert {[^deep], _} = feed(Decoder.new(format, max_depth: 10), pieces(bytes, 1))
      decoder = Decoder.new(format, max_depth: 9)
      assert {:error, %DecodeError{reason: {:too_deep, 9}}} = Decoder.feed(decoder, bytes)
    end

    test "bytes one at a time are done in proportion to their number in #{format}" do
      format = unquote(format)
      # Reductions are no time, and the same on every machine.
      work = fn size ->
        bytes = joined([String.duplicate("a", size)], format)
        decoder = Decoder.new(format)
        {:reductions, before} = Process.info(self(), :reductions)

        decoder =
          for <<byte <- bytes>>, reduce: decoder do
            decoder ->
              with {:ok, _values, decoder} <- Decoder.feed(decoder, <<byte>>), do: decoder
          end

        {:reductions, afterwards} = Process.info(self(), :reductions)
        assert {:ok, _} = Decoder.finish(decoder)
        afterwards - before
      end

      work.(100)
      assert work.(40_000) < 14 * work.(4_000)
    end
  end

  test "declared lengths over max_bytes are refused at once" do
    for {format, bytes} <- [
          msgpack: <<0xDB, 0xFFFFFFFF::32>>,
          cbor: <<0x5B, 0xFFFFFFFFFFFFFFFF::64>>,
          postcard: <<6, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1>>,
          etf: <<131, 109, 0xFFFFFFFF::32>>,
          godot_variant: <<0xFFFFFFFF::32>>
        ] do
      assert {:error, %DecodeError{reason: {:too_large, _, _}}} =
               Decoder.feed(Decoder.new(format), bytes)
    end
  end

  test "an error comes after the values before it, says where it is, and stays" do
    wrong = [
      json: {"1 [2] [3,] 4", 9},
      msgpack: {<<1, 0x91, 2, 0xC1, 4>>, 3},
      cbor: {<<1, 0x81, 2, 0x61, 255, 4>>, 4},
      postcard: {<<2, 2, 7, 1, 2, 4, 9>>, 6},
      etf: {<<131, 97, 1, 131, 108, 1::32, 97, 2, 106, 131, 103, 0>>, 13}
    ]

    for {format, {bytes, offset}} <- wrong, size <- [1, 3, 100] do
      {values, error} =
        bytes
        |> pieces(size)
        |> Wire.stream(format)
        |> Enum.to_list()
        |> Enum.split_while(&match?({:ok, _}, &1))

      assert values == [{:ok, 1}, {:ok, [2]}]
      assert [{:error, %DecodeError{offset: ^offset}}] = error
    end

    {:ok, [1], decoder} = Decoder.feed(Decoder.new(:json), "1 ] 2")
    assert {:error, error} = Decoder.feed(decoder, "3")
    assert Decoder.feed(decoder, "") == {:error, error}
    assert Decoder.finish(decoder) == {:error, error}
  end

  test "an older decoder goes on from where it was" do
    {:ok, [], decoder} = Decoder.feed(Decoder.new(:msgpack), <<0x92, 1>>)
    assert {:ok, [[1, 2]], _} = Decoder.feed(decoder, <<2>>)
    assert {:ok, [[1, 3]], _} = Decoder.feed(decoder, <<3>>)
  end

  test "values of JSON follow each other with white space where they need it, or without" do
    assert {[1, 2, "a", "b", [], %{}, [true]], _} =
             feed(Decoder.new(:json), ["1\n2 ", "\"a\"\"b\"[]{}", "[true]"])

    assert [{:ok, 1}, {:error, _}] = Enum.to_list(Wire.stream(["1 nulltrue"], :json))
    assert [{:error, _}] = Enum.to_list(Wire.stream(["1,2"], :json))
    assert [{:error, _}] = Enum.to_list(Wire.stream(["1 2", "}"], :json)) |> Enum.drop(2)
  end

  test "endless white space is not kept" do
    {[], decoder} = feed(Decoder.new(:json, max_bytes: 10), List.duplicate("  \n", 100))
    assert {:ok, [[1]], _} = Decoder.feed(decoder, "[1]")
  end

  test "compressed external terms are refused, since nobody knows where they end" do
    bytes = :erlang.term_to_binary(List.duplicate("again", 100), [:compressed])

    assert {:error, %DecodeError{reason: {:unknown_type, 80}}} =
             Decoder.feed(Decoder.new(:etf), bytes)
  end

  test "values are what the options say" do
    assert {[%{name: 1}], _} = feed(Decoder.new(:json, keys: :existing_atoms), [~S({"name":1})])
    buffer = Wasgo.Buffer.new(<<1, 255>>, pts: 5)
    bytes = Wire.encode!(buffer, :cbor)
    assert {[^buffer, ^buffer], _} = feed(Decoder.new(:cbor, as: :buffer), [bytes <> bytes])
    assert_raise ArgumentError, fn -> Decoder.new(:json, trailing: :ignore) end
  end

  test "a stream is lazy" do
    numbers = Stream.map(Stream.iterate(0, &(&1 + 1)), &"#{&1}\n")
    assert numbers |> Wire.stream(:json) |> Enum.take(3) == [ok: 0, ok: 1, ok: 2]
    parent = self()
    Wire.stream(Stream.map(["1"], &send(parent, &1)), :json)
    refute_received "1"
  end

  test "a stream takes no chunk after the one that an error is in" do
    for {chunks, values} <- [{["1 ", "]", "2", "3"], [1]}, {["1 ", "2 ]", "3", "4"], [1, 2]}] do
      parent = self()
      taken = Stream.each(chunks, &send(parent, {:taken, &1}))
      stream = Wire.stream(taken, :json)
      assert {read, [{:error, %DecodeError{}}]} = stream |> Enum.to_list() |> Enum.split(-1)
      assert read == Enum.map(values, &{:ok, &1})
      for chunk <- Enum.take(chunks, 2), do: assert_received({:taken, ^chunk})
      refute_received {:taken, _}
    end
  end

  test "an error ends a stream that would never end by itself" do
    chunks = Stream.concat(["[1]", "]"], Stream.repeatedly(fn -> flunk("one more") end))
    assert [{:ok, [1]}, {:error, _}] = chunks |> Wire.stream(:json) |> Enum.to_list()
  end
end
