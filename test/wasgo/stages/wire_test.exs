defmodule Wasgo.Stages.WireTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Buffer, DecodeError, EncodeError, Format, Pipeline, StageRuntimes, Wire}
  alias Wasgo.Stages.{Decode, Encode}

  doctest Wasgo.Stages.Encode
  doctest Wasgo.Stages.Decode

  defp through(buffers, stages),
    do: stages |> Enum.reduce(buffers, &Pipeline.through(&2, &1)) |> Enum.to_list()

  @values [nil, true, -7, 1.5, "text", [1, [2]], %{"a" => %{"b" => []}}]

  for format <- Wire.formats() do
    test "#{format}: values go there and back, as packets and as a stream cut anywhere" do
      format = unquote(format)

      buffers =
        for {value, pts} <- Enum.with_index(@values),
            do: Buffer.new(value, pts: pts, metadata: %{n: pts})

      encoded = through(buffers, [{Encode, format: format, ending: ending(format)}])
      assert through(encoded, [{Decode, format: format}]) == Enum.map(buffers, &{:ok, &1})

      bytes = for {:ok, %{payload: payload}} <- encoded, into: "", do: framed(format, payload)

      for size <- [1, 3, byte_size(bytes)] do
        pieces = for piece <- cut(bytes, size), do: Buffer.new(piece)
        elements = through(pieces, [{Decode, format: format, framing: :stream}])
        assert for({:ok, buffer} <- elements, do: buffer.payload) == @values
      end
    end

    test "#{format}: whole buffers go there and back" do
      buffer = Buffer.new("payload", pts: 3, dts: 2, metadata: %{"a" => 1})
      options = [format: unquote(format), envelope: true]
      assert through([buffer], [{Encode, options}, {Decode, options}]) == [ok: buffer]
    end
  end

  defp ending(:json), do: "\n"
  defp ending(_format), do: ""

  # The engine's own framing of a stream of Variants has a size before each.
  defp framed(:godot_variant, payload), do: <<byte_size(payload)::32-little, payload::binary>>
  defp framed(_format, payload), do: payload

  defp cut("", _size), do: []
  defp cut(bytes, size) when byte_size(bytes) <= size, do: [bytes]

  defp cut(bytes, size) do
    {piece, rest} = :erlang.split_binary(bytes, size)
    [piece | cut(rest, size)]
  end

  for runtime <- StageRuntimes.names() do
    describe "in #{runtime}" do
      @runtime runtime
      @describetag if(StageRuntimes.membrane?(runtime), do: [membrane: true], else: [])

      test "a packet that is no value costs itself" do
        buffers = for text <- ["1", "[1", "{}"], do: Buffer.new(text)
        elements = StageRuntimes.run(@runtime, buffers, {Decode, format: :json}, %Format.Bytes{})
        assert for({:ok, buffer} <- elements, do: buffer.payload) == [1, %{}]
        assert [%DecodeError{}] = for({:error, exception} <- elements, do: exception)
      end

      test "a stream ends where it is broken, or cut short" do
        for {pieces, values} <- [{["1 ", "x", "2 "], [1]}, {["1 [", "2"], [1]}] do
          buffers = Enum.map(pieces, &Buffer.new/1)
          stage = {Decode, format: :json, framing: :stream}
          elements = StageRuntimes.run(@runtime, buffers, stage, %Format.Bytes{})
          assert for({:ok, buffer} <- elements, do: buffer.payload) == values
          assert [%DecodeError{}] = for({:error, exception} <- elements, do: exception)
        end
      end

      test "what a format can't say costs its buffer" do
        buffers = Enum.map([1, :nan, 2], &Buffer.new/1)
        elements = StageRuntimes.run(@runtime, buffers, {Encode, format: :json})
        assert for({:ok, buffer} <- elements, do: buffer.payload) == ["1", "2"]
        assert [%EncodeError{}] = for({:error, exception} <- elements, do: exception)
      end
    end
  end

  test "options are checked when the pipeline is built" do
    for {stage, words} <- [
          {{Encode, format: :xml}, "option :format"},
          {{Encode, format: :cbor, options: [nan: :null]}, "option :options"},
          {{Decode, format: :cbor, options: [depth: 1]}, "option :options"},
          {{Decode, format: :cbor, framing: :stream, options: [trailing: :ignore]},
           "option :options"}
        ] do
      assert_raise ArgumentError, ~r/#{words}/, fn -> Pipeline.through([], stage) end
    end
  end
end
