defmodule Wasgo.Native.Weight do
  @moduledoc false
  # How much work it is to copy terms into Rust: what is heavy is done on a dirty scheduler, since a normal one may be held for a
  # millisecond at most, and most calls are far below what another scheduler would cost.

  # In units of about 50 ns: a small term is one, and so are 512 bytes of a binary. 4,000 are a fifth of a millisecond.
  @most 4_000

  # Whether a list of values, or a list of such lists, is too much for a normal scheduler. Looks at no more than it needs to know.
  @spec heavy?(list()) :: boolean()
  def heavy?(list), do: add(list, 0) > @most

  @spec heavy?(binary(), list()) :: boolean()
  def heavy?(binary, list), do: add(list, weight(binary)) > @most

  # Whether a value of any shape is too much. Its binaries count more: as lists of bytes they are taken apart.
  @spec heavy_value?(term()) :: boolean()
  def heavy_value?(value), do: deep(value, 0) > @most

  defp deep(_value, sum) when sum > @most, do: sum
  defp deep(binary, sum) when is_binary(binary), do: sum + 1 + div(byte_size(binary), 32)
  defp deep([head | tail], sum), do: deep(tail, deep(head, sum + 1))
  defp deep(tuple, sum) when is_tuple(tuple), do: deep_tuple(tuple, tuple_size(tuple), sum + 1)
  defp deep(map, sum) when is_map(map) and map_size(map) > @most, do: sum + map_size(map)
  defp deep(map, sum) when is_map(map), do: :maps.fold(&deep_pair/3, sum + 1, map)
  defp deep(_small, sum), do: sum + 1

  defp deep_pair(key, value, sum), do: deep(value, deep(key, sum + 2))

  defp deep_tuple(_tuple, 0, sum), do: sum
  defp deep_tuple(_tuple, _left, sum) when sum > @most, do: sum

  defp deep_tuple(tuple, left, sum),
    do: deep_tuple(tuple, left - 1, deep(elem(tuple, left - 1), sum))

  defp add(_list, sum) when sum > @most, do: sum
  defp add([head | tail], sum) when is_list(head), do: add(tail, add(head, sum + 1))
  defp add([head | tail], sum), do: add(tail, sum + weight(head))
  defp add(_end, sum), do: sum

  defp weight(binary) when is_binary(binary), do: 1 + div(byte_size(binary), 512)
  defp weight({_name, binary}) when is_binary(binary), do: 1 + div(byte_size(binary), 512)

  defp weight({_name, {_blob, binary}}) when is_binary(binary),
    do: 2 + div(byte_size(binary), 512)

  defp weight(_small), do: 1
end
