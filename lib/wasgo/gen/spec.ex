defmodule Wasgo.Gen.Spec do
  @moduledoc false
  # Descriptions of what is built, as they are stored: maps, lists, text and numbers.
  #
  # Keyword lists and maps become maps, `{:name, value}` the map of that name alone, other tuples lists, atoms text.

  alias Wasgo.{PlanError, Wire}

  @spec data(term()) :: term()
  def data(value) when is_boolean(value) or value == nil, do: value
  def data(atom) when is_atom(atom), do: Atom.to_string(atom)
  def data({name, value}) when is_atom(name), do: %{Atom.to_string(name) => data(value)}
  def data(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> Enum.map(&data/1)
  def data(%_{} = struct), do: struct
  def data(%{} = map), do: Map.new(map, fn {key, value} -> {key(key), data(value)} end)

  def data([{key, _} | _] = list) when is_atom(key) do
    if Keyword.keyword?(list) and map?(list), do: data(Map.new(list)), else: each(list)
  end

  def data(list) when is_list(list), do: each(list)
  def data(other), do: other

  defp each(list), do: Enum.map(list, &data/1)

  # A list of steps such as `[rule: "a", rule: "b"]` is no map.
  defp map?(list), do: length(Enum.uniq_by(list, &elem(&1, 0))) == length(list)

  defp key(key) when is_atom(key), do: Atom.to_string(key)
  defp key(key), do: key

  @doc false
  # A building: the name of a preset, or options.
  @spec building(term()) :: term()
  def building(preset) when is_atom(preset) and preset != nil,
    do: %{"style" => %{"preset" => Atom.to_string(preset)}}

  def building(options) when is_list(options) or is_map(options) do
    options = options |> fields() |> rename("preset") |> rename("grammar")
    Map.new(options, fn {key, value} -> {key, data(value)} end)
  end

  def building(other), do: data(other)

  defp rename(options, style) do
    case Map.pop(options, style) do
      {nil, options} -> options
      {value, options} -> Map.put(options, "style", %{style => grammar(value)})
    end
  end

  # Rules are lists of steps, of which even one is no map.
  defp grammar(%{} = grammar) do
    grammar = fields(grammar)

    case grammar do
      %{"rules" => rules} ->
        steps = fn steps -> if is_list(steps), do: each(steps), else: data(steps) end
        rules = Map.new(fields(rules), fn {name, list} -> {name, steps.(list)} end)
        %{grammar | "rules" => rules} |> Map.new(fn {key, value} -> {key, data(value)} end)

      _ ->
        data(grammar)
    end
  end

  defp grammar(value), do: data(value)

  @grid ~w(fixed connected attempts filled)

  @doc false
  # A dungeon: options of which some are the grid's.
  @spec dungeon(keyword() | map()) :: map()
  def dungeon(options) do
    options = fields(options)
    {grid, rest} = Map.split(options, @grid)
    {size, rest} = Map.pop(rest, "size")

    grid =
      grid |> Map.new(fn {key, value} -> {key, data(value)} end) |> Map.put("size", size(size))

    rest
    |> Map.new(fn
      {"look", look} -> {"look", look(look)}
      {"tiles", %{} = set} -> {"tiles", %{"set" => data(set)}}
      {key, value} -> {key, data(value)}
    end)
    |> Map.put("grid", grid)
  end

  defp size({width, depth}), do: [width, 1, depth]
  defp size({width, height, depth}), do: [width, height, depth]
  defp size(other), do: data(other)

  defp look(look) when is_list(look) or is_map(look) do
    Map.new(fields(look), fn
      {key, {material, color}} when key in ["walls", "floors"] ->
        {key, [data(material), data(color)]}

      {key, value} ->
        {key, data(value)}
    end)
  end

  defp look(other), do: data(other)

  @doc false
  # An object of a plan.
  @spec object(keyword() | map()) :: map()
  def object(options) do
    Map.new(fields(options), fn
      {"what", what} -> {"what", what(what)}
      {key, value} -> {key, data(value)}
    end)
  end

  defp what({:building, spec}), do: %{"building" => building(spec)}

  defp what({:dungeon, options}) when is_list(options) or is_map(options),
    do: %{"dungeon" => dungeon(options)}

  defp what({kind, _} = prop) when is_atom(kind), do: %{"prop" => data(prop)}
  defp what(other), do: data(other)

  defp fields(%{} = map), do: Map.new(map, fn {key, value} -> {key(key), value} end)
  defp fields(list), do: list |> Map.new() |> fields()

  @doc false
  # As text for the native half.
  @spec text(term()) :: {:ok, binary()} | {:error, PlanError.t()}
  def text(data) do
    case Wire.encode(data, :json) do
      {:ok, text} ->
        {:ok, text}

      {:error, error} ->
        message = "it can't be stored: " <> Exception.message(error)
        {:error, %PlanError{reason: :invalid, message: message}}
    end
  end
end
