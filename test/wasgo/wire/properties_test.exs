if Code.ensure_loaded?(:proper) do
  defmodule Wasgo.Wire.PropertiesTest do
    use ExUnit.Case, async: true

    alias :proper_types, as: Gen

    alias Wasgo.{DecodeError, Wire}

    # Tests of each property.
    @numtests 100
    # Of the lists that they generate.
    @max_size 20

    for one <- Wire.formats(), other <- Wire.formats() do
      test "any term goes from #{one} to #{other}" do
        check(common(), fn term ->
          between = Wire.decode!(Wire.encode!(term, unquote(one)), unquote(one))
          Wire.decode!(Wire.encode!(between, unquote(other)), unquote(other)) == term
        end)
      end
    end

    for format <- Wire.formats() do
      test "any term that #{format} has comes back, at once and in pieces" do
        format = unquote(format)

        check({own(format), Gen.integer(1, 20)}, fn {term, size} ->
          bytes = Wire.encode!(term, format)
          framed = frame(bytes, format)

          Wire.decode!(bytes, format) == term and
            Enum.to_list(Wire.stream(pieces(framed <> framed, size), format)) ==
              [ok: term, ok: term]
        end)
      end

      test "any term of #{format} cut short is an error" do
        format = unquote(format)

        check({own(format), Gen.float(0.0, 0.999)}, fn {value, part} ->
          term = [value]
          bytes = Wire.encode!(term, format)
          cut = binary_part(bytes, 0, trunc(byte_size(bytes) * part))
          match?({:error, %DecodeError{}}, Wire.decode(cut, format))
        end)
      end

      test "any bytes are a value of #{format} or an error, at once and in pieces" do
        format = unquote(format)

        check({nearly(format), Gen.integer(1, 5)}, fn {bytes, size} ->
          sane = fn
            {:ok, _term} -> true
            {:error, %DecodeError{} = error} -> is_binary(Exception.message(error))
          end

          sane.(Wire.decode(bytes, format, trailing: :ignore)) and
            Enum.all?(Wire.stream(pieces(bytes, size), format), sane)
        end)
      end
    end

    test "any buffer comes back, in every format" do
      buffer = {Gen.binary(), Gen.union([nil, int64()]), Gen.list({text(), common()})}

      check(buffer, fn {payload, pts, metadata} ->
        buffer = Wasgo.Buffer.new(payload, pts: pts, metadata: Map.new(metadata))

        for(format <- Wire.formats()) do
          Wire.decode!(Wire.encode!(buffer, format), format, as: :buffer)
        end == List.duplicate(buffer, length(Wire.formats()))
      end)
    end

    defp check(generator, holds) do
      options = [
        :quiet,
        :noshrink,
        {:numtests, @numtests},
        {:max_size, @max_size},
        {:to_file, :standard_io},
        :long_result
      ]

      case :proper.quickcheck(:proper.forall(generator, holds), options) do
        true -> :ok
        counterexample -> flunk("does not hold for #{inspect(counterexample)}")
      end
    end

    defp frame(bytes, :godot_variant), do: <<byte_size(bytes)::32-little, bytes::binary>>
    defp frame(bytes, :json), do: bytes <> "\n"
    defp frame(bytes, _format), do: bytes

    defp pieces(bytes, size) when byte_size(bytes) > size do
      {piece, rest} = :erlang.split_binary(bytes, size)
      [piece | pieces(rest, size)]
    end

    defp pieces(bytes, _size), do: [bytes]

    # Bytes that are nearly a value: a value with some of its bytes changed, or any.
    defp nearly(format) do
      changed =
        map({Gen.list(common()), Gen.list({Gen.integer(), Gen.byte()})}, fn {term, changes} ->
          bytes = Wire.encode!(term, format)

          Enum.reduce(Enum.take(changes, 4), bytes, fn {at, byte}, bytes ->
            at = rem(abs(at), byte_size(bytes))
            {before, <<_, rest::binary>>} = :erlang.split_binary(bytes, at)
            <<before::binary, byte, rest::binary>>
          end)
        end)

      Gen.union([changed, Gen.binary()])
    end

    # What every format has.
    defp common, do: Gen.sized(&term(&1, [], text()))

    defp own(:json), do: Gen.sized(&term(&1, [wide()], text()))
    defp own(:godot_variant), do: Gen.sized(&term(&1, [blob()], key()))

    defp own(:msgpack) do
      ext =
        map({Gen.integer(-128, 127), Gen.binary()}, fn {type, bytes} -> {:ext, type, bytes} end)

      Gen.sized(&term(&1, [blob(), not_finite(), ext], key()))
    end

    defp own(:cbor) do
      tag =
        map({Gen.integer(4, 2 ** 64 - 1), text()}, fn {number, text} -> {:tag, number, text} end)

      Gen.sized(&term(&1, [blob(), not_finite(), wide(), tag], key()))
    end

    defp own(:postcard), do: Gen.sized(&term(&1, [blob(), not_finite(), wide()], key()))

    defp own(:etf) do
      atom = Gen.union([:a, :ok, :nan])
      Gen.sized(&term(&1, [Gen.binary(), wide(), atom, {atom, int64()}], key()))
    end

    defp term(size, more, _key) when size < 2, do: leaf(more)

    defp term(size, more, key) do
      smaller = Gen.lazy(fn -> term(div(size, 3), more, key) end)

      Gen.frequency([
        {3, leaf(more)},
        {1, Gen.list(smaller)},
        {1, map(Gen.list({key, smaller}), &Map.new/1)}
      ])
    end

    defp leaf(more) do
      Gen.union([nil, Gen.boolean(), int64(), Gen.integer(), Gen.float(), text()] ++ more)
    end

    defp key, do: Gen.union([text(), int64(), Gen.boolean(), Gen.list(Gen.boolean())])
    defp blob, do: map(Gen.binary(), &{:blob, &1})
    defp not_finite, do: Gen.union([:nan, :infinity, :neg_infinity])
    defp int64, do: Gen.integer(-0x8000000000000000, 0x7FFFFFFFFFFFFFFF)
    defp wide, do: Gen.integer(-(2 ** 127), 2 ** 127 - 1)

    # Any text without NUL, which Variants end at.
    defp text do
      character =
        Gen.union([Gen.integer(?a, ?z), Gen.integer(1, 0xD7FF), Gen.integer(0xE000, 0x10FFFF)])

      map(Gen.list(character), &List.to_string/1)
    end

    defp map(generator, fun), do: Gen.bind(generator, fun, true)
  end
end
