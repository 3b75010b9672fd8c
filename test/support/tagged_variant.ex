defmodule Wasgo.TaggedVariant do
  @moduledoc false
  # Compares terms with the tagged values of test/fixtures/godot_variants.json, in which the engine's values are written down.

  alias Wasgo.Godot.{Callable, Dictionary, NodePath, ObjectID, RID, Signal, TypedArray}

  @doc "Is `term`, decoded with `keep_order: true`, the value that the engine decoded? To the bit: -0.0 is not 0.0."
  @spec same?(term(), map()) :: boolean()
  def same?(term, %{"t" => type} = tagged), do: same?(term, type, tagged)

  # What wrote the values down stopped at some depth.
  defp same?(_term, "...", _tagged), do: true
  defp same?(nil, "Nil", _tagged), do: true
  defp same?({:string_name, text}, "StringName", %{"v" => value}), do: text == value

  defp same?(%NodePath{} = path, "NodePath", %{"v" => value}),
    do: to_string(path) == value and path == NodePath.new(value)

  defp same?(%RID{id: id}, "RID", %{"id" => value}), do: id == value
  defp same?(%ObjectID{}, "Object", %{"class" => class}), do: class == "EncodedObjectAsID"
  defp same?(%Callable{}, "Callable", %{"null" => null}), do: null

  defp same?(%Signal{name: name, object_id: id}, "Signal", tagged) do
    name == tagged["name"] and id == 0 == tagged["null"]
  end

  defp same?(list, "Array", %{"items" => items} = tagged) when is_list(list) do
    not Map.has_key?(tagged, "elem_type") and all_same?(list, items)
  end

  defp same?(%TypedArray{} = array, "Array", %{"items" => items} = tagged) do
    same_type?(array.type, tagged["elem_type"], tagged["elem_class"]) and
      all_same?(array.values, items)
  end

  defp same?(%Dictionary{} = dictionary, "Dictionary", %{"items" => items} = tagged) do
    same_type?(dictionary.key_type, tagged["key_type"], tagged["key_class"]) and
      same_type?(dictionary.value_type, tagged["value_type"], tagged["value_class"]) and
      all_same?(Enum.map(dictionary.pairs, &elem(&1, 0)), Enum.map(items, &hd/1)) and
      all_same?(Enum.map(dictionary.pairs, &elem(&1, 1)), Enum.map(items, &List.last/1))
  end

  defp same?({:packed_string, strings}, "PackedStringArray", %{"v" => value}),
    do: strings == value

  defp same?({tag, data}, "Packed" <> _ = type, %{"v" => value}) when is_binary(data) do
    tag == packed_tag(type) and data == raw(tag, List.flatten(value))
  end

  defp same?(%module{} = struct, type, tagged) do
    List.last(Module.split(module)) == type and
      bits(numbers(struct)) == bits(tagged_numbers(tagged))
  end

  defp same?(term, type, %{"v" => value}) do
    case type do
      "bool" -> is_boolean(term) and term == value
      "int" -> is_integer(term) and term == value
      "float" -> (is_float(term) or is_atom(term)) and bits([term]) == bits([float(value)])
      "String" -> is_binary(term) and term == value
      _ -> false
    end
  end

  defp all_same?(terms, items) do
    length(terms) == length(items) and
      Enum.all?(Enum.zip(terms, items), fn {term, tagged} -> same?(term, tagged) end)
  end

  # The engine, not taking full objects, makes one class of every other.
  defp same_type?(nil, type, _class), do: type in [nil, "Nil"]

  defp same_type?({kind, _}, "Object", class) when kind in [:class, :script],
    do: class == "EncodedObjectAsID"

  defp same_type?(atom, type, _class), do: Atom.to_string(atom) == String.downcase(type)

  defp packed_tag(type) do
    words = Regex.scan(~r/[A-Z][a-z]+[0-9]*/, type)

    words
    |> List.flatten()
    |> Enum.take(2)
    |> Enum.map_join("_", &String.downcase/1)
    |> String.to_existing_atom()
  end

  defp raw(:packed_byte, values), do: :binary.list_to_bin(values)
  defp raw(:packed_int32, values), do: for(value <- values, into: <<>>, do: <<value::little-32>>)
  defp raw(:packed_int64, values), do: for(value <- values, into: <<>>, do: <<value::little-64>>)

  defp raw(:packed_float64, values),
    do: for(value <- values, into: <<>>, do: raw_float(float(value), 64))

  defp raw(_floats, values), do: for(value <- values, into: <<>>, do: raw_float(float(value), 32))

  defp raw_float(:nan, 32), do: <<0x7FC00000::little-32>>
  defp raw_float(:infinity, 32), do: <<0x7F800000::little-32>>
  defp raw_float(:neg_infinity, 32), do: <<0xFF800000::little-32>>
  defp raw_float(:nan, 64), do: <<0x7FF80000_00000000::little-64>>
  defp raw_float(:infinity, 64), do: <<0x7FF00000_00000000::little-64>>
  defp raw_float(:neg_infinity, 64), do: <<0xFFF00000_00000000::little-64>>
  defp raw_float(value, size), do: <<value::float-little-size(size)>>

  # The numbers of a struct in the order of the engine's constructors; -0.0 is not 0.0.
  defp numbers(%{basis: basis, origin: origin}), do: numbers(basis) ++ numbers(origin)
  defp numbers(%{position: position, size: size}), do: numbers(position) ++ numbers(size)
  defp numbers(%{normal: normal, d: d}), do: numbers(normal) ++ [d]
  defp numbers(%{x: x, y: y, origin: origin}), do: Enum.flat_map([x, y, origin], &numbers/1)
  defp numbers(%{r: r, g: g, b: b, a: a}), do: [r, g, b, a]
  defp numbers(%{x: x, y: y, z: z, w: w}), do: Enum.flat_map([x, y, z, w], &numbers/1)
  defp numbers(%{x: x, y: y, z: z}), do: Enum.flat_map([x, y, z], &numbers/1)
  defp numbers(%{x: x, y: y}), do: Enum.flat_map([x, y], &numbers/1)
  defp numbers(number), do: [number]

  defp tagged_numbers(tagged) do
    for member <- ~w(v position size x_y_origin columns_x_y_z columns_x_y_z_w basis origin),
        part <- List.wrap(tagged[member]),
        number <- if(is_map(part), do: tagged_numbers(part), else: [float(part)]) do
      number
    end
  end

  defp float("nan"), do: :nan
  defp float("inf"), do: :infinity
  defp float("-inf"), do: :neg_infinity
  defp float("-0.0"), do: -0.0
  defp float(number), do: number

  defp bits(numbers) do
    Enum.map(numbers, fn
      float when is_float(float) -> <<float::float>>
      other -> other
    end)
  end
end
