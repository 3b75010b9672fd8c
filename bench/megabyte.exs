defmodule Bench.Megabyte do
  # A module of about a MB, as programs have it: thousands of functions with loops, memory and calls. It is put together as bytes, because
  # text would have to be parsed anew each time that it is loaded.
  import Bitwise

  @full 9_000

  def wasm(functions \\ @full) do
    types = [1, <<0x60, 2, 0x7F, 0x7F, 1, 0x7F>>]
    kinds = [unsigned(functions), List.duplicate(0, functions)]
    memories = [1, <<0, 2>>]
    exports = [1, 3, "run", 0, unsigned(functions - 1)]
    bodies = for number <- 0..(functions - 1)//1, do: sized(body(number))

    IO.iodata_to_binary([
      <<0, "asm", 1::32-little>>,
      section(1, types),
      section(3, kinds),
      section(5, memories),
      section(7, exports),
      section(10, [unsigned(functions) | bodies])
    ])
  end

  # while (a < b) { c = (c * k) ^ load(a); store(a, rotl(c, 7)); store(a, i64(c) * k); c = a < k ? c : k; a++; if (c == 0) c = f(a, b) }
  defp body(number) do
    [
      # One local, c = number.
      [1, 1, 0x7F, const(number), set(2)],
      # block, loop: out of it where a >= b.
      [0x02, 0x40, 0x03, 0x40, get(0), get(1), 0x4F, 0x0D, 1],
      [get(2), const(number * 7 + 1), 0x6C, get(0), 0x28, 2, unsigned(rem(number, 60_000))],
      [0x73, set(2)],
      [get(0), get(2), const(7), 0x77, 0x36, 2, 16],
      [get(0), get(2), 0xAD, 0x42, signed(number * 131_071), 0x7E, 0x37, 3, unsigned(64)],
      [get(2), const(number * 3_001), get(0), const(number * 4_001), 0x48, 0x1B, set(2)],
      [get(0), const(1), 0x6A, set(0)],
      [get(2), 0x45, 0x04, 0x40, get(0), get(1), 0x10, unsigned(div(number, 2)), set(2), 0x0B],
      # On with the loop; the ends of loop, block and function.
      [0x0C, 0, 0x0B, 0x0B, get(2), 0x0B]
    ]
  end

  defp get(local), do: [0x20, local]
  defp set(local), do: [0x21, local]
  defp const(value), do: [0x41, signed(value)]

  defp section(number, content), do: [number | sized(content)]
  defp sized(content), do: [unsigned(IO.iodata_length(content)), content]

  defp unsigned(value) when value < 0x80, do: [value]
  defp unsigned(value), do: [(value &&& 0x7F) ||| 0x80 | unsigned(value >>> 7)]

  defp signed(value) when value < 0x40, do: [value]
  defp signed(value), do: [(value &&& 0x7F) ||| 0x80 | signed(value >>> 7)]
end
