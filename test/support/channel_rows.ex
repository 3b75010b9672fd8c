defmodule Wasgo.ChannelRows do
  @moduledoc false

  import ExUnit.Assertions

  @doc "The payload of `\"rows\"`, as the guide has it for browsers: `{seq, [{ids, [{column, values}]}]}`."
  def read(<<seq::32-little, groups::32-little, rest::binary>> = bytes) do
    {groups, ""} =
      Enum.map_reduce(List.duplicate(0, groups), rest, fn _, rest ->
        group(rest, byte_size(bytes))
      end)

    {seq, groups}
  end

  defp group(<<n::32-little, c::32-little, rest::binary>>, size) do
    {columns, rest} =
      Enum.map_reduce(List.duplicate(0, c), rest, fn _,
                                                     <<type, length, name::binary-size(length),
                                                       rest::binary>> ->
        {{type, name}, rest}
      end)

    rest = aligned(rest, size)
    {ids, rest} = :erlang.split_binary(rest, n * 8)
    ids = for <<id::64-little <- ids>>, do: id

    {values, rest} =
      Enum.map_reduce(columns, rest, fn {type, _name}, rest -> values(type, n, rest, size) end)

    {{ids, Enum.zip(Enum.map(columns, &elem(&1, 1)), values)}, rest}
  end

  defp aligned(rest, size) do
    over = rem(size - byte_size(rest), 4)
    skip = rem(4 - over, 4)
    {padding, rest} = :erlang.split_binary(rest, skip)
    assert padding == binary_part(<<0, 0, 0>>, 0, skip)
    rest
  end

  defp values(0, _n, <<length::32-little, text::binary-size(length), rest::binary>>, size),
    do: {Wasgo.Wire.decode!(text, :json), aligned(rest, size)}

  defp values(8, n, rest, _size) do
    {bytes, rest} = :erlang.split_binary(rest, n * 8)
    {for(<<value::float-64-little <- bytes>>, do: value), rest}
  end

  defp values(type, n, rest, _size) do
    {bytes, rest} = :erlang.split_binary(rest, n * type * 4)
    numbers = for(<<value::float-32-little <- bytes>>, do: value)
    {if(type == 1, do: numbers, else: Enum.chunk_every(numbers, type)), rest}
  end
end
