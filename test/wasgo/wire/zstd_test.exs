defmodule Wasgo.Wire.ZstdTest do
  # Not async: the test of the schedulers watches all of them.
  use ExUnit.Case

  alias Wasgo.{DecodeError, LongSchedules}
  alias Wasgo.Wire.Zstd

  doctest Zstd

  # A block of one byte, so many times.
  defp repeated(last, count), do: <<count * 8 + 2 + last::24-little, 7>>

  # A frame with a window of 1 MiB, which says nothing of its size.
  defp frame(blocks), do: <<0xFD2FB528::32-little, 0, 0x50, blocks::binary>>

  defp mixed(size) do
    for(number <- 0..div(size, 4), into: <<>>, do: <<:erlang.phash2(div(number, 9))::32>>)
    |> binary_part(0, size)
  end

  test "what is small and what is large comes back, at every level" do
    for size <- [0, 1, 4096, 4097, 16_384, 16_385, 32_768, 32_769, 200_000], level <- 1..9 do
      bytes = mixed(size)
      frame = Zstd.compress!(bytes, level: level)
      assert Zstd.decompress(frame, size) == {:ok, bytes}
    end
  end

  test "what was compressed is smaller where it repeats itself" do
    bytes = mixed(100_000)
    assert byte_size(Zstd.compress!(bytes, level: 1)) < 30_000
  end

  test "a frame that holds another number of bytes is refused, on both kinds of schedulers" do
    for size <- [100, 100_000] do
      frame = Zstd.compress!(mixed(size))

      for other <- [0, size - 1, size + 1, 64 * 1024 * 1024] do
        assert {:error, %DecodeError{reason: {:content_size, ^size, ^other}}} =
                 Zstd.decompress(frame, other)
      end
    end
  end

  test "a size over max_bytes, and one that is none, is refused" do
    assert {:error, %DecodeError{reason: {:too_large, 67_108_865, 67_108_864}}} =
             Zstd.decompress(frame(repeated(1, 5)), 67_108_865)

    assert {:error, %DecodeError{reason: {:too_large, 5, 4}}} =
             Zstd.decompress(frame(repeated(1, 5)), 5, max_bytes: 4)

    assert {:error, %DecodeError{reason: {:content_size, nil, -1}}} =
             Zstd.decompress(frame(repeated(1, 5)), -1)

    assert {:error, %DecodeError{reason: {:too_large, _, _}}} = Zstd.decompress("", 2 ** 80)
  end

  test "what is wrong with a frame is told" do
    for {bytes, size, reason} <- [
          {"", 0, {:truncated, 4, 0}},
          {<<0xFD2FB528::32-little>>, 0, {:truncated, 1, 0}},
          {"abcdefgh", 8, {:syntax, "a zstd frame"}},
          {frame(repeated(1, 5)) <> "x", 5, {:trailing, 1}},
          {frame(repeated(1, 5)), 6, {:content_size, nil, 6}},
          {frame(repeated(1, 5)), 4, {:content_size, nil, 4}},
          {frame(repeated(0, 5)), 5, {:truncated, 3, 0}},
          {frame(String.duplicate(repeated(0, 0), 100) <> repeated(1, 5)), 5, {:blocks, 16}},
          {<<0xFD2FB528::32-little, 0, 255, repeated(1, 5)::binary>>, 5,
           {:window, 4_123_168_604_160, 8_388_608}},
          {<<0xFD2FB528::32-little, 1, 0x50, 9, repeated(1, 5)::binary>>, 5, {:dictionary, 9}}
        ] do
      assert {:error, %DecodeError{reason: ^reason, reading: {:format, :zstd}} = error} =
               Zstd.decompress(bytes, size)

      assert Exception.message(error) =~ "reading zstd: "
    end

    assert {:error, %DecodeError{reason: {:corrupt, words}} = error} =
             Zstd.decompress(frame(<<5 * 8 + 5::24-little, 0xFFFFFFFFFF::40>>), 5)

    assert Exception.message(error) =~ words
  end

  test "options that are wrong raise" do
    for options <- [[level: 0], [level: 10], [level: "3"], [max_bytes: 0], [fast: true]] do
      assert_raise ArgumentError, fn -> Zstd.compress("a", options) end
    end

    assert_raise ArgumentError, fn -> Zstd.decompress("a", 1, level: 3) end
  end

  test "nothing holds a scheduler: neither what is large nor the costliest of what is small" do
    small = [
      {mixed(32_768), 1..3},
      {mixed(4_096), 4..9},
      {:crypto.strong_rand_bytes(32_768), 1..3},
      {:binary.copy("ab", 16_384), 1..3}
    ]

    large = mixed(8 * 1024 * 1024)
    LongSchedules.watch(20)

    for {bytes, levels} <- small, level <- levels, do: Zstd.compress!(bytes, level: level)
    frame = Zstd.compress!(large, level: 9)
    assert Zstd.decompress!(frame, byte_size(large)) == large
    assert {:error, _} = Zstd.decompress(:binary.copy(<<0>>, 1_000_000), 10)

    assert {:error, %DecodeError{reason: {:blocks, _}}} =
             Zstd.decompress(frame(:binary.copy(<<0, 0, 0>>, 1_000_000)), 10)

    assert LongSchedules.reports() == []
  end

  if Code.ensure_loaded?(:proper) do
    alias :proper_types, as: Gen

    @options [:quiet, :noshrink, {:numtests, 300}, {:to_file, :standard_io}, :long_result]

    defp check(generator, holds) do
      assert true == :proper.quickcheck(:proper.forall(generator, holds), @options)
    end

    test "any bytes come back" do
      check({Gen.binary(), Gen.integer(1, 9), Gen.integer(0, 2000)}, fn {bytes, level, copies} ->
        bytes = :binary.copy(bytes, copies)
        frame = Zstd.compress!(bytes, level: level)
        Zstd.decompress(frame, byte_size(bytes)) == {:ok, bytes}
      end)
    end

    test "any frame that is cut short or changed is an error, or holds as many bytes" do
      changes = {Gen.binary(20), Gen.integer(1, 500), Gen.non_neg_integer(), Gen.byte()}

      check(changes, fn {bytes, copies, at, byte} ->
        size = byte_size(bytes) * copies
        frame = Zstd.compress!(:binary.copy(bytes, copies))
        at = rem(at * 7919, byte_size(frame))
        {before, <<_, rest::binary>>} = :erlang.split_binary(frame, at)

        match?({:error, %DecodeError{}}, Zstd.decompress(before, size)) and
          case Zstd.decompress(<<before::binary, byte, rest::binary>>, size) do
            {:ok, result} -> byte_size(result) == size
            {:error, %DecodeError{} = error} -> is_binary(Exception.message(error))
          end
      end)
    end
  end
end
