defmodule Wasgo.DocumentationTest do
  # What `h` and the documentation show is there: for every public module and function, with its types.
  use ExUnit.Case, async: true

  doctest Wasgo

  test "every public module and function is documented, and every function has its types" do
    assert [] ==
             for(
               {module, docs} <- documented(),
               {{:function, name, arity}, _line, _signature, doc, _metadata} <- docs,
               doc != :hidden,
               lacking <- lacking(module, name, arity, doc),
               do: "#{inspect(module)}.#{name}/#{arity} has no #{lacking}"
             )
  end

  test "every public function shows how it is used" do
    assert [] ==
             for(
               {module, docs} <- documented(),
               {{kind, name, arity}, _line, _signature, %{} = doc, _metadata} <- docs,
               kind in [:function, :macro],
               {name, arity} not in callbacks(module),
               not (doc |> Map.values() |> Enum.any?(&(&1 =~ ~r/\n\n {4,}\S|iex>/))),
               do: "#{inspect(module)}.#{name}/#{arity} has no example"
             )
  end

  # Modules of lib that are not hidden, with what is known of their functions.
  defp documented do
    {:ok, modules} = :application.get_key(:wasgo, :modules)

    for module <- modules,
        inspect(module) =~ ~r/^Wasgo(\.|$)/,
        module.module_info(:compile)[:source] |> to_string() |> String.contains?("/lib/wasgo"),
        {:docs_v1, _line, :elixir, _format, doc, _metadata, docs} <- [Code.fetch_docs(module)],
        doc != :hidden do
      assert is_map(doc), "#{inspect(module)} is neither documented nor hidden"
      {module, docs}
    end
  end

  defp lacking(module, name, arity, doc) do
    callbacks = callbacks(module)
    {:ok, specs} = Code.Typespec.fetch_specs(module)
    written? = is_map(doc) or {name, arity} in callbacks
    typed? = List.keymember?(specs, {name, arity}, 0) or {name, arity} in callbacks
    for {true, lacking} <- [{not written?, "documentation"}, {not typed?, "types"}], do: lacking
  end

  # What a behaviour, an exception, `use GenServer` or Membrane's `def_options` documents elsewhere.
  defp callbacks(module) do
    behaviours = Keyword.get_values(module.module_info(:attributes), :behaviour) |> List.flatten()

    Enum.flat_map(behaviours, & &1.behaviour_info(:callbacks)) ++
      [child_spec: 1, exception: 1, message: 1, options: 0, __struct__: 0, __struct__: 1]
  end
end
