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
