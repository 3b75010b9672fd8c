defmodule Wasgo.Wasm.Component.Given do
  @moduledoc false
  # What instances of a component are given: functions written in Elixir, whose types the component knows, and what is granted by name.

  alias Wasgo.Wasm.Imports

  @type native :: [{interface :: String.t() | nil, name :: String.t(), arity()}]

  # The functions for the native code, and what is to be kept for calls: none where nothing is given.
  @spec new(map(), String.t()) ::
          {:ok, {native(), Imports.t() | nil}} | {:error, Exception.t()}
  def new(%{imports: imports, grant: grants}, owner) do
    functions = Enum.flat_map(imports, &functions!(&1, owner))

    with {:ok, granted} <- Imports.new(%{imports: %{}, grant: grants}, false, owner) do
      native =
        for {interface, name, function} <- functions, do: {interface, name, arity(function)}

      # As the process that runs them looks them up.
      table = for {_interface, _name, function} <- functions, do: {function, false}
      {:ok, {native, Imports.with_functions(granted, table)}}
    end
  end

  defp functions!({name, function}, _owner) when is_binary(name) and is_function(function),
    do: [{nil, name, function}]

  defp functions!({interface, %{} = functions} = given, owner)
       when is_binary(interface) and not is_struct(functions) do
    for {name, function} <- functions do
      if is_binary(name) and is_function(function),
        do: {interface, name, function},
        else: refuse!(given, owner)
    end
  end

  defp functions!(given, owner), do: refuse!(given, owner)

  defp refuse!(given, owner) do
    raise ArgumentError,
          "imports of #{owner} for a component must be functions by name, or maps of those by interface, and one is: " <>
            inspect(given)
  end

  defp arity(function), do: function |> Function.info(:arity) |> elem(1)
end
