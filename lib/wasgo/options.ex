defmodule Wasgo.Options do
  @moduledoc false
  # Options checked once, at the edge. A wrong one is a programmer's mistake and raises with the option's name and what it
  # may be.

  @type schema :: [{atom(), keyword()}]

  # The longest that the VM's timers can be set to, some 49 days.
  @longest 0xFFFF_FFFF

  # Each option of the schema has `:type` and either `:default` or `required: true`. A type is an atom of `ok?/2`,
  # `{:in, list}`, `{:struct, module}`, `{:or, types}`, `{:range, first..last}` or a function of one argument.
  @spec validate!(keyword() | map(), schema(), String.t()) :: map()
  def validate!(options, schema, owner) do
    options = keyword!(options, owner)

    case Enum.uniq(Keyword.keys(options)) -- Keyword.keys(schema) do
      [] -> :ok
      [name | _] -> raise ArgumentError, unknown(name, schema, owner)
    end

    Map.new(schema, fn {name, spec} -> {name, value!(options, name, spec, owner)} end)
  end

  defp keyword!(options, owner) do
    if Keyword.keyword?(options) do
      options
    else
      raise ArgumentError,
            "#{owner} takes a keyword list of options, and got: #{inspect(options)}"
    end
  end

  defp unknown(name, schema, owner) do
    known = schema |> Keyword.keys() |> Enum.map_join(", ", &inspect/1)
    "#{owner} has no option #{inspect(name)}; it has #{known}"
  end

  defp value!(options, name, spec, owner) do
    case Keyword.fetch(options, name) do
      {:ok, value} ->
        if ok?(spec[:type], value) do
          value
        else
          raise ArgumentError,
                "option #{inspect(name)} of #{owner} must be #{describe(spec[:type])}, and is: #{inspect(value)}"
        end

      :error ->
        if spec[:required] do
          raise ArgumentError,
                "#{owner} needs the option #{inspect(name)}: #{describe(spec[:type])}"
        else
          spec[:default]
        end
    end
  end

  defp ok?(:any, _value), do: true
  defp ok?(:string, value), do: is_binary(value) and String.valid?(value)
  defp ok?(:binary, value), do: is_binary(value)
  defp ok?(:atom, value), do: is_atom(value)
  defp ok?(:boolean, value), do: is_boolean(value)
  defp ok?(:pid, value), do: is_pid(value)
  defp ok?(:server, value), do: is_pid(value) or is_atom(value) or is_tuple(value)
  defp ok?(:number, value), do: is_number(value)
  defp ok?(:non_neg_integer, value), do: is_integer(value) and value >= 0
  defp ok?(:pos_integer, value), do: is_integer(value) and value > 0
  defp ok?(:timeout, value), do: is_integer(value) and value in 1..@longest
  defp ok?(:list, value), do: is_list(value)
  defp ok?(:keyword, value), do: Keyword.keyword?(value)
  defp ok?(:map, value), do: is_map(value)
  defp ok?(:enumerable, value), do: Enumerable.impl_for(value) != nil
  defp ok?({:range, range}, value), do: is_integer(value) and value in range
  defp ok?({:in, list}, value), do: value in list
  defp ok?({:struct, module}, value), do: is_struct(value, module)
  defp ok?({:function, arity}, value), do: is_function(value, arity)
  defp ok?({:pair, one, other}, {a, b}), do: ok?(one, a) and ok?(other, b)
  defp ok?({:pair, _one, _other}, _value), do: false
  defp ok?({:list_of, type}, value), do: is_list(value) and Enum.all?(value, &ok?(type, &1))
  defp ok?({:or, types}, value), do: Enum.any?(types, &ok?(&1, value))

  defp describe(:any), do: "anything"
  defp describe(:string), do: "a string"
  defp describe(:binary), do: "a binary"
  defp describe(:atom), do: "an atom"
  defp describe(:boolean), do: "true or false"
  defp describe(:pid), do: "a pid"
  defp describe(:server), do: "a process: a pid, a name or a via tuple"
  defp describe(:number), do: "a number"
  defp describe(:non_neg_integer), do: "an integer of 0 or more"
  defp describe(:pos_integer), do: "an integer of 1 or more"
  defp describe(:timeout), do: "a number of milliseconds from 1 to #{@longest}"
  defp describe(:list), do: "a list"
  defp describe(:keyword), do: "a keyword list"
  defp describe(:map), do: "a map"
  defp describe(:enumerable), do: "an enumerable"
  defp describe({:range, first..last//_}), do: "an integer from #{first} to #{last}"
  defp describe({:in, list}), do: "one of #{Enum.map_join(list, ", ", &inspect/1)}"
  defp describe({:struct, module}), do: "a #{inspect(module)}"
  defp describe({:function, arity}), do: "a function of #{arity} arguments"
  defp describe({:pair, one, other}), do: "{#{describe(one)}, #{describe(other)}}"
  defp describe({:list_of, type}), do: "a list, each of it #{describe(type)}"
  defp describe({:or, types}), do: Enum.map_join(types, ", or ", &describe/1)
end
