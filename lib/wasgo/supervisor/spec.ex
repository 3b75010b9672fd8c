defmodule Wasgo.Supervisor.Spec do
  @moduledoc false
  # The options of a `Wasgo.Supervisor`, checked before anything is started, and what it starts by them.

  alias Wasgo.{Gen, Godot, Options, Pipeline, Service, World}

  @owner "Wasgo.Supervisor"

  # `stores` are `{name, location, options}`, `children` the specifications of all else.
  @spec parts!(map()) :: %{stores: [{atom(), term(), keyword()}], children: [map()]}
  def parts!(options) do
    stores = for {store, given} <- named!(options, :stores), do: store!(store, given)
    known = %{name: options.name, stores: Enum.map(stores, &elem(&1, 0))}
    known = Map.put(known, :caches, for({cache, _} <- named!(options, :caches), do: cache))
    worlds = for {world, given} <- named!(options, :worlds), do: {world!(world), given}
    known = Map.put(known, :worlds, Enum.map(worlds, &elem(&1, 0)))

    children =
      for({name, given} <- named!(options, :caches), do: cache(name, given, known)) ++
        for({name, given} <- named!(options, :services), do: service(name, given, known)) ++
        for({name, given} <- named!(options, :pools), do: pool(name, given, known)) ++
        for({name, given} <- worlds, do: world(name, given, known)) ++
        for({name, given} <- named!(options, :godot), do: godot(name, given, known)) ++
        for({name, given} <- named!(options, :pipelines), do: pipeline(name, given, known))

    %{stores: stores, children: children}
  end

  defp named!(options, key) do
    parts = Enum.to_list(options[key])

    for part <- parts do
      unless match?({_name, _options}, part) do
        wrong("option #{inspect(key)} is a list of names with options, and has #{inspect(part)}")
      end

      name = elem(part, 0)

      unless is_atom(name) or (key == :worlds and is_binary(name)) do
        wrong("names in #{inspect(key)} are atoms, and one is #{inspect(name)}")
      end
    end

    case parts |> Enum.map(&to_string(elem(&1, 0))) |> then(&(&1 -- Enum.uniq(&1))) do
      [] -> parts
      [twice | _] -> wrong("option #{inspect(key)} has the name #{twice} twice")
    end
  end

  defp store!(name, {location, options}) when is_list(options), do: {name, location, options}

  defp store!(name, location) when is_binary(location) or location == :memory,
    do: {name, location, []}

  defp store!(name, other) do
    wrong(
      "store #{inspect(name)} is a location or {location, options}, and not #{inspect(other)}"
    )
  end

  defp world!(name), do: to_string(name)

  defp cache(name, given, known) do
    owner = "cache #{inspect(name)} of #{inspect(known.name)}"

    given =
      keyword!(given, owner) |> refuse!([:name], owner) |> store_named!(:store, known, owner)

    check!(given, Gen.Cache.options(), owner, [:store])
    child(:cache, name, Gen.Cache, given, known, 60_000)
  end

  defp service(name, given, known) do
    owner = "service #{inspect(name)} of #{inspect(known.name)}"

    given = given |> keyword!(owner) |> refuse!([:name], owner) |> Keyword.put_new(:restart, true)

    Service.Options.validate!(given, owner)
    child(:service, name, Service, given, known, 5_000)
  end

  defp pool(name, given, known) do
    owner = "pool #{inspect(name)} of #{inspect(known.name)}"
    given = given |> keyword!(owner) |> refuse!([:name], owner)
    check!(given, Service.Pool.options(), owner)
    Service.Options.validate!(given[:service], owner <> ", :service")
    child(:pool, name, Service.Pool, given, known, 5_000)
  end

  defp world(name, given, known) do
    owner = "world #{inspect(name)} of #{inspect(known.name)}"
    {scripts, given} = given |> keyword!(owner) |> Keyword.pop(:scripts_of_objects)

    given =
      given
      |> refuse!([:name, :as], owner)
      |> store_named!(:store, known, owner)
      |> cache_named!(known, owner)
      |> Keyword.put(:name, name)

    check!(given, World.options(), owner, [:store])
    as = Wasgo.Supervisor.via(known.name, :world, name)
    parts = [{World, Keyword.put(given, :as, as)} | scripts(name, scripts, as, known, owner)]

    %{
      id: {:world, name},
      type: :supervisor,
      start: {Wasgo.Supervisor, :start_world, [parts, known.name]}
    }
  end

  defp scripts(_name, nil, _world, _known, _owner), do: []

  defp scripts(name, scripts, world, known, owner) do
    if is_atom(scripts), do: known!(scripts, :stores, known, owner <> ", :scripts_of_objects")
    via = Wasgo.Supervisor.via(known.name, :scripts, name)
    [{World.Scripts, [world: world, scripts: scripts, name: via]}]
  end

  defp godot(name, given, known) do
    owner = "server #{inspect(name)} of #{inspect(known.name)}"

    given =
      given
      |> keyword!(owner)
      |> refuse!([:name], owner)
      |> store_named!(:scripts, known, owner)
      |> Keyword.update(:worlds, worlds(known.worlds, known), &worlds!(&1, known, owner))

    check!(given, Godot.Server.options(), owner, [:scripts])
    child(:godot, name, Godot.Server, given, known, 5_000)
  end

  defp worlds!(names, known, owner) when is_list(names) do
    for name <- names, do: known!(to_string(name), :worlds, known, owner <> ", :worlds")
    worlds(Enum.map(names, &to_string/1), known)
  end

  defp worlds!(other, _known, _owner), do: other

  defp worlds(names, known),
    do: Map.new(names, &{&1, Wasgo.Supervisor.via(known.name, :world, &1)})

  defp pipeline(name, given, known) do
    owner = "pipeline #{inspect(name)} of #{inspect(known.name)}"
    given = given |> keyword!(owner) |> refuse!([:name], owner)
    check!(given, Pipeline.Server.options(), owner)
    # Stages of a function are made when what they may need is there.
    if is_list(given[:stages]), do: Pipeline.Server.parts(given[:stages])
    child(:pipeline, name, Pipeline.Server, given, known, 5_000)
  end

  defp child(kind, name, module, given, known, shutdown) do
    options = Keyword.put(given, :name, Wasgo.Supervisor.via(known.name, kind, name))
    stores = Wasgo.Supervisor.stores_of(module)

    %{
      id: {kind, name},
      start: {Wasgo.Supervisor, :start_part, [module, options, known.name, stores]},
      shutdown: shutdown
    }
  end

  ## Checks

  defp keyword!(given, owner) do
    if Keyword.keyword?(given),
      do: given,
      else: wrong("#{owner} takes a keyword list of options, and got #{inspect(given)}")
  end

  defp refuse!(given, names, owner) do
    for name <- names, Keyword.has_key?(given, name) do
      wrong("#{owner} has its name from the supervisor, and no option #{inspect(name)}")
    end

    given
  end

  defp store_named!(given, key, known, owner) do
    case given[key] do
      nil -> :ok
      name when is_atom(name) -> known!(name, :stores, known, owner)
      _itself -> :ok
    end

    given
  end

  defp cache_named!(given, known, owner) do
    case given[:cache] do
      nil ->
        given

      name when is_atom(name) ->
        known!(name, :caches, known, owner)
        Keyword.put(given, :cache, Wasgo.Supervisor.via(known.name, :cache, name))

      _process ->
        given
    end
  end

  defp known!(name, key, known, owner) do
    unless name in known[key] do
      there = Enum.map_join(known[key], ", ", &inspect/1)

      wrong(
        "#{owner} names #{inspect(name)}, which is not among the #{key}: #{if there == "", do: "there are none", else: there}"
      )
    end
  end

  # What is given by name is a store only when that is open.
  defp check!(given, schema, owner, by_name \\ []) do
    named = for key <- by_name, is_atom(given[key]) and given[key] != nil, do: key
    Options.validate!(Keyword.drop(given, named), Keyword.drop(schema, named), owner)
  end

  @spec wrong(String.t()) :: no_return()
  defp wrong(words), do: raise(ArgumentError, "#{@owner}: #{words}")
end
