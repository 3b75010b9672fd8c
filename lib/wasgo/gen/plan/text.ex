defmodule Wasgo.Gen.Plan.Text do
  @moduledoc false
  # A plan's options in the form in which plans are stored, as a map.

  alias Wasgo.Gen.{Field, Prop, Spec}
  alias Wasgo.{Native, PlanError, Wire}

  @rule_keys [
    :name,
    :kind,
    :variation,
    :variants,
    :spacing,
    :density,
    :by,
    :slope,
    :height,
    :scale,
    :level,
    :avoid
  ]
  @layer_keys [:name, :color, :by]
  @generator_keys [:name, :script, :parameters, :level, :fuel]

  @spec build(map()) :: {:ok, map()} | {:error, PlanError.t()}
  def build(options) do
    fields = fields(options)

    with {:ok, base} <- base(options),
         {:ok, nodes} <- Field.nodes(fields),
         {:ok, ground} <- each(options.ground, base["ground"], "ground", &layer/2),
         {:ok, scatter} <- each(options.scatter, base["scatter"], "scatter", &rule/2),
         {:ok, generators} <- each(options.generators, [], "generators", &generator/2) do
      {:ok,
       base
       |> Map.update!("nodes", &Map.merge(&1, nodes))
       |> Map.merge(%{"ground" => ground, "scatter" => scatter})
       |> put("rivers", options.rivers && id(options.rivers))
       |> Map.merge(%{"scripts" => digests(options.scripts), "generators" => generators})
       |> put("moisture", options.moisture && id(options.moisture))
       |> shade(options.shade)
       |> settlements(options.settlements)
       |> put("objects", Enum.map(options.objects, &Spec.object/1))}
    end
  end

  defp settlements(map, true), do: Map.put(map, "settlements", %{})
  defp settlements(map, none) when none in [nil, false], do: map
  defp settlements(map, rule), do: Map.put(map, "settlements", rule |> Map.new() |> Spec.data())

  # The usual world, or an empty one of a height, a volume or both.
  defp base(%{height: nil, density: nil} = options) do
    options.seed |> Native.gen_default() |> Wire.decode!(:json) |> change(options)
  end

  defp base(options) do
    change(
      %{
        "version" => 1,
        "seed" => options.seed,
        "chunk" => %{},
        "nodes" => %{},
        "terrain" => options.height && %{"height" => id(options.height)},
        "volume" => volume(options),
        "ground" => [],
        "scatter" => []
      },
      options
    )
  end

  defp change(base, options) do
    chunk =
      base["chunk"]
      |> put("size", options.chunk_size)
      |> put("samples", options.samples)
      |> put("levels", options.levels)

    terrain =
      if options.water == :default or base["terrain"] == nil,
        do: base["terrain"],
        else: Map.put(base["terrain"], "water", options.water)

    {:ok, %{base | "chunk" => chunk, "terrain" => terrain}}
  end

  defp volume(%{density: nil}), do: nil

  defp volume(options) do
    %{"density" => id(options.density)}
    |> put("cells", options.cells)
    |> put("spacing", options.cell_size)
  end

  defp shade(map, :default), do: map
  defp shade(map, nil), do: Map.put(map, "shade", nil)
  defp shade(map, field), do: Map.put(map, "shade", id(field))

  defp put(map, _key, nil), do: map
  defp put(map, key, value), do: Map.put(map, key, value)

  # Everything in the options that is a field.
  defp fields(options) do
    lists =
      for list <- [options.ground, options.scatter], is_list(list), item <- list, do: item[:by]

    found = [
      options.height,
      options.rivers,
      options.density,
      options.moisture,
      options.shade | lists
    ]

    for field <- found, operand?(field), do: as_field(field)
  end

  defp operand?(value), do: is_struct(value, Field) or is_number(value)

  defp as_field(%Field{} = field), do: field
  defp as_field(number), do: Field.constant(number)

  # What is none is left as it is, for the plan's check to name.
  defp id(value), do: if(operand?(value), do: as_field(value).id, else: value)

  defp each(:default, before, _name, _item), do: {:ok, before}

  defp each(list, _before, name, item) do
    list
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, []}, fn {keywords, at}, {:ok, done} ->
      case item.(keywords, "#{name}[#{at}]") do
        {:ok, map} -> {:cont, {:ok, [map | done]}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
    |> then(fn
      {:ok, done} -> {:ok, Enum.reverse(done)}
      error -> error
    end)
  end

  defp layer(keywords, place), do: item(keywords, place, @layer_keys)
  defp rule(keywords, place), do: item(keywords, place, @rule_keys)
  defp generator(keywords, place), do: item(keywords, place, @generator_keys)

  defp digests(scripts),
    do: Map.new(scripts, fn {name, {_source, digest}} -> {name, %{"digest" => digest}} end)

  defp item(keywords, place, allowed) do
    case Enum.find(keywords, fn {key, _} -> key not in allowed end) do
      nil ->
        {:ok, Map.new(keywords, fn {key, value} -> {Atom.to_string(key), stored(key, value)} end)}

      {key, _} ->
        message = "there is no #{place}.#{key}, only #{Enum.join(allowed, ", ")}"
        {:error, %PlanError{reason: :unknown, field: "#{place}.#{key}", message: message}}
    end
  end

  defp stored(:by, value), do: id(value)
  defp stored(:avoid, pairs) when is_list(pairs), do: Enum.map(pairs, &avoid/1)
  defp stored(:kind, kind) when is_tuple(kind), do: Prop.stored(kind)

  defp stored(:variation, amounts) when is_list(amounts),
    do: if(Keyword.keyword?(amounts), do: Prop.map(amounts), else: amounts)

  defp stored(_key, tuple) when is_tuple(tuple), do: Tuple.to_list(tuple)
  defp stored(_key, value), do: value

  defp avoid({rule, distance}), do: %{"rule" => rule, "distance" => distance}
  defp avoid(other), do: other
end
