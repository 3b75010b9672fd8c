defmodule Wasgo.Godot.VariantRoomTest do
  # The memory of large results is used again when they are gone: never while somebody has them.
  use ExUnit.Case, async: true

  alias Wasgo.Godot.Variant

  # Below, within and above what is kept.
  @sizes [20_000, 60_000, 64_000, 65_536, 70_000, 300_000, 1_100_000, 17_000_000]

  defp data(size, seed), do: :binary.copy(<<seed::32>>, div(size, 4))

  defp term(data),
    do: %{"t" => "chunk", "surfaces" => [%{"positions" => {:packed_byte, data}, "n" => [1, 2]}]}

  test "what is held stays as it was, whatever is made and forgotten meanwhile" do
    1..4
    |> Task.async_stream(
      fn worker ->
        Enum.reduce(1..60, [], fn round, held ->
          size = Enum.at(@sizes, rem(round * 7 + worker, length(@sizes))) + rem(round, 5) * 4
          data = data(size, worker * 1000 + round)
          bytes = Variant.encode!(term(data))
          # Forgotten, and its memory with it.
          _other = Variant.encode!(term(data(size, 7)))
          if rem(round, 10) == 0, do: :erlang.garbage_collect()
          # The last few are held as a whole, or by a part.
          part = binary_part(bytes, div(byte_size(bytes), 2), 4_000)
          held = Enum.take([{data, bytes}, {:part, part, :binary.copy(part)} | held], 12)

          for {data, bytes} <- held, is_binary(data) do
            assert Variant.decode!(bytes) == term(data)
          end

          for {:part, part, copy} <- held, do: assert(part == copy)
          held
        end)

        :ok
      end,
      timeout: :infinity
    )
    |> Enum.each(&assert &1 == {:ok, :ok})
  end

  test "an estimate over the limit is still an error, and nothing more" do
    term = term(data(300_000, 1))
    assert {:error, error} = Variant.encode([term, term, term], max_bytes: 700_000)
    assert error.reason == {:too_large, 700_000}
    assert {:ok, _bytes} = Variant.encode([term, term], max_bytes: 700_000)
  end
end
