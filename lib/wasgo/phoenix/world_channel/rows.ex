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
  # What all clients are sent alike. Objects with the same columns, in the same order, are a group.
  @spec encode([row()]) :: binary()
  def encode(rows) do
    groups = Enum.group_by(rows, fn {_id, values} -> names(values) end)
    IO.iodata_to_binary([<<map_size(groups)::32-little>> | Enum.map(groups, &group/1)])
  end

  @doc false
  # The payload of a push.
  @spec payload(pos_integer(), binary()) :: binary()
  def payload(seq, encoded), do: <<seq::32-little, encoded::binary>>

  defp names([{name, _value} | rest]), do: [name | names(rest)]
  defp names([]), do: []

  defp group({names, rows}) do
    columns = rows |> Enum.map(&elem(&1, 1)) |> columns(names)
    heads = for {type, name, _values} <- columns, do: <<type, byte_size(name), name::binary>>

    [
      <<length(rows)::32-little, length(columns)::32-little>>,
      padded(heads),
      for({id, _values} <- rows, into: "", do: <<id::64-little>>),
      for({_type, _name, values} <- columns, do: values)
    ]
  end

  # The first of every row, and so on.
  defp columns(_rows, []), do: []

  defp columns(rows, [name | names]) do
    values = for [{_name, value} | _rest] <- rows, do: value
    [column(name, values) | columns(Enum.map(rows, &tl/1), names)]
  end

  defp column(name, values) do
    type = type(values, nil)
    {type, name, values(type, values)}
  end

  # What all values of a column can be.
  defp type([], type), do: type

  defp type([value | values], type) do
    case {of(value), type} do
      {of, nil} -> type(values, of)
      {of, of} -> type(values, of)
      {of, type} when of in [1, @double] and type in [1, @double] -> type(values, @double)
      _different -> @json
    end
  end

  defp of(value) when is_float(value) and abs(value) <= @greatest, do: 1
  defp of(value) when is_float(value) or is_integer(value), do: @double
  defp of(%Vector2{}), do: 2
  defp of(%Vector3{}), do: 3
  defp of(%Vector4{}), do: 4
  defp of(%Quaternion{}), do: 4
  defp of(%Color{}), do: 4
  defp of(_other), do: @json

  defp values(@json, values) do
    text = Wire.encode!(Enum.map(values, &Terms.value/1), :json)
    [<<byte_size(text)::32-little>>, padded(text)]
  end

  defp values(1, values), do: for(value <- values, into: "", do: <<value::float-32-little>>)
  defp values(@double, values), do: Enum.map(values, &double/1)
  defp values(_floats, values), do: Enum.map(values, &floats/1)

  # An integer that no float is goes as the nearest one; one that is larger than any as nothing.
  defp double(value) do
    <<value::float-64-little>>
  rescue
    ArgumentError -> @nan64
  end

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
