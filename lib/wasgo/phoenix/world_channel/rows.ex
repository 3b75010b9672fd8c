defmodule Wasgo.Phoenix.WorldChannel.Rows do
  @moduledoc false
  # Rows of values as the bytes that browsers read; `guides/phoenix.md` has the layout.

  alias Wasgo.Godot.{Color, Quaternion, Vector2, Vector3, Vector4}
  alias Wasgo.Phoenix.Terms
  alias Wasgo.Wire

  @greatest 3.4028234663852886e38
  @json 0
  @double 8
  # What is in no row, as a number.
  @nan32 <<0x7FC00000::32-little>>
  @nan64 <<0x7FF8000000000000::64-little>>

  @type row :: {non_neg_integer(), [{String.t(), term()}]}

  @doc false
  # Objects with the same columns are a group.
  @spec encode(pos_integer(), [row()]) :: binary()
  def encode(seq, rows) do
    groups =
      Enum.group_by(rows, fn {_id, values} -> values |> Enum.map(&elem(&1, 0)) |> Enum.sort() end)

    IO.iodata_to_binary([
      <<seq::32-little, map_size(groups)::32-little>> | Enum.map(groups, &group/1)
    ])
  end

  defp group({names, rows}) do
    maps = for {_id, values} <- rows, do: Map.new(values)
    columns = for name <- names, do: column(name, Enum.map(maps, &Map.fetch!(&1, name)))
    heads = for {type, name, _values} <- columns, do: <<type, byte_size(name), name::binary>>

    [
      <<length(rows)::32-little, length(columns)::32-little>>,
      padded(heads),
      for({id, _values} <- rows, do: <<id::64-little>>),
      for({_type, _name, values} <- columns, do: values)
    ]
  end

  defp column(name, values) do
    type = values |> Enum.map(&type/1) |> Enum.uniq() |> common()
    {type, name, values(type, values)}
  end

  defp common([type]), do: type
  defp common(types), do: if(Enum.all?(types, &(&1 in [1, @double])), do: @double, else: @json)

  defp type(value) when is_float(value) and abs(value) <= @greatest, do: 1
  defp type(value) when is_float(value) or is_integer(value), do: @double
  defp type(%Vector2{}), do: 2
  defp type(%Vector3{}), do: 3
  defp type(%Vector4{}), do: 4
  defp type(%Quaternion{}), do: 4
  defp type(%Color{}), do: 4
  defp type(_other), do: @json

  defp values(@json, values) do
    text = Wire.encode!(Enum.map(values, &Terms.value/1), :json)
    [<<byte_size(text)::32-little>>, padded(text)]
  end

  defp values(@double, values), do: Enum.map(values, &double/1)
  defp values(_floats, values), do: Enum.map(values, &floats/1)

  # An integer that no float is goes as the nearest one; one that is larger than any as nothing.
  defp double(value) do
    <<value::float-64-little>>
  rescue
    ArgumentError -> @nan64
  end

  defp floats(value) when is_float(value), do: <<value::float-32-little>>
  defp floats(%Vector2{x: x, y: y}), do: [single(x), single(y)]
  defp floats(%Vector3{x: x, y: y, z: z}), do: [single(x), single(y), single(z)]
  defp floats(%Color{r: r, g: g, b: b, a: a}), do: [single(r), single(g), single(b), single(a)]
  defp floats(%{x: x, y: y, z: z, w: w}), do: [single(x), single(y), single(z), single(w)]

  defp single(value) when is_number(value) and abs(value) <= @greatest,
    do: <<value::float-32-little>>

  defp single(_other), do: @nan32

  defp padded(bytes) do
    case rem(IO.iodata_length(bytes), 4) do
      0 -> bytes
      over -> [bytes, binary_part(<<0, 0, 0>>, 0, 4 - over)]
    end
  end
end
