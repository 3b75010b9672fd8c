defmodule Wasgo.Supervisor do
  @moduledoc """
  What an application runs of Wasgo, in one child of its own supervisor.

      children = [
        {Wasgo.Supervisor,
         name: MyApp.Wasgo,
         stores: [main: "world.db"],
         caches: [chunks: [store: :main]],
         worlds: [{"garden", store: :main, cache: :chunks, plan: plan, scripts_of_objects: :main}],
         services: [namer: [module: "guest/services/namer.wasm", ready: "READY"]],
         godot: [zones: [port: 7777, token: token]]}
      ]

      {:ok, lamp} = MyApp.Wasgo |> Wasgo.Supervisor.world("garden") |> Wasgo.World.put(name: "lamp", scene: "lamp")
      {:ok, name} = MyApp.Wasgo |> Wasgo.Supervisor.service(:namer) |> Wasgo.Service.request("0 0 -2.5 31.0 12.2 0.08 120 14")

  Everything in it has a name that is only its own: two of them in one VM, of one application or of two, know nothing of each other. What they share is the
  engine of WebAssembly with its threads and the native pool, which have room for all (`Wasgo.Wasm.Engine`).

      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocGarden, stores: [main: :memory], worlds: [{"garden", store: :main}])
      iex> {:ok, 1} = Wasgo.World.put(Wasgo.Supervisor.world(DocGarden, "garden"), name: "gate")
      iex> for {kind, name, _process} <- Wasgo.Supervisor.children(DocGarden), do: {kind, name}
      [store: :main, world: "garden"]

  ## Options

  Each is a keyword list or a list of `{name, options}`, empty unless given. Names of worlds are texts, all others atoms.

    * `:name` - an atom, required: what it is registered as, and what its processes' names begin with
    * `:stores` - a location, or `{location, options}`, as `Wasgo.Store.open/2` takes them
    * `:caches` - options of `Wasgo.Gen.Cache.start_link/1`; `:store` is one of the stores by name
    * `:worlds` - options of `Wasgo.World.start_link/1`, with `:store` and `:cache` by name; and `:scripts_of_objects`, the name of a store (or whatever
      `Wasgo.World.Scripts` takes as its `:scripts`) whose scripts the world's objects run
    * `:services` - options of `Wasgo.Service.start_link/1`. Programs are started anew by their service (`restart: true`) unless another `:restart` is given
    * `:pools` - options of `Wasgo.Service.Pool.start_link/1`
    * `:godot` - options of `Wasgo.Godot.Server.start_link/1`. `:worlds` may be a list of names, and is all worlds that are here unless given; `:scripts` may
      be the name of a store
    * `:pipelines` - options of `Wasgo.Pipeline.Server.start_link/1`
    * `:telemetry` - milliseconds between two measurements of a `Wasgo.Telemetry.Poller`, 5,000 unless given, or `false` for none
    * `:max_restarts`, `:max_seconds` - how many parts may end by a fault in how many seconds before this supervisor gives up; 20 and 60 unless given

  Options that are wrong raise in who starts it, with the name of the part and of the option; nothing was started then.

  ## What fails with what

  Stores are opened first; one that can't be opened is an error of the start that names it. Should a store's process end, everything that may hold the store is
  started anew behind it. The other parts are each on their own: a world, together with the scripts of its objects, is started anew without its servers, whose engines
  come back to it; a server without its worlds; a service or a pipeline alone. A part that does not stay for `:max_restarts` starts ends the supervisor, and then it is
  the application's to say what happens.

  At the end the parts are ended in the opposite order: engines are said goodbye, worlds write what they have, and then the stores are closed.
  """

  use Supervisor

  alias Wasgo.{Label, Options, Store}
  alias Wasgo.Gen.Cache
  alias Wasgo.Supervisor.Spec

  @schema [
    name: [type: :atom, required: true],
    stores: [type: :list, default: []],
    caches: [type: :list, default: []],
    worlds: [type: {:or, [:list, :map]}, default: []],
    services: [type: :list, default: []],
    pools: [type: :list, default: []],
    godot: [type: :list, default: []],
    pipelines: [type: :list, default: []],
    telemetry: [type: {:or, [{:range, 100..3_600_000}, {:in, [false]}]}, default: 5_000],
    max_restarts: [type: :non_neg_integer, default: 20],
    max_seconds: [type: :pos_integer, default: 60]
  ]

  @kinds [:store, :cache, :world, :scripts, :service, :pool, :godot, :pipeline]

  @typedoc "A part: its kind, its name, and its process as functions take it."
  @type child ::
          {:store
           | :cache
           | :world
           | :scripts
           | :service
           | :pool
           | :godot
           | :pipeline, name :: atom() | String.t(), GenServer.server()}

  @doc """
  Starts everything, linked to the caller.

      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocIsland, stores: [main: :memory], caches: [chunks: [store: :main]])
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, chunk} = DocIsland |> Wasgo.Supervisor.cache(:chunks) |> Wasgo.Gen.Cache.chunk(plan, {0, 0})
      iex> chunk.coordinate
      {0, 0}
      iex> Wasgo.Supervisor.start_link(name: DocOther, caches: [chunks: [max_memory: -1]])
      ** (ArgumentError) option :max_memory of cache :chunks of DocOther must be an integer from 0 to 9223372036854775807, and is: -1
  """
  @spec start_link(keyword()) :: Supervisor.on_start()
  def start_link(options) do
    options = Options.validate!(options, @schema, "Wasgo.Supervisor.start_link/1")

    if options.name in [nil, true, false],
      do: raise(ArgumentError, "option :name of Wasgo.Supervisor.start_link/1 must be a name")

    parts = Spec.parts!(options)
    Supervisor.start_link(__MODULE__, {options, parts}, name: options.name)
  end

  @doc """
  A specification for a supervisor; `start_link/1` has the options.

      iex> children = [{Wasgo.Supervisor, name: DocHarbour, stores: [main: :memory]}]
      iex> {:ok, _application} = Supervisor.start_link(children, strategy: :one_for_one)
      iex> Wasgo.Supervisor.store(DocHarbour, :main)
      #Wasgo.Store<memory>
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: options[:name] || __MODULE__,
      start: {__MODULE__, :start_link, [options]},
      type: :supervisor
    }
  end

  @impl true
  def init({%{name: name} = options, parts}) do
    Label.put({__MODULE__, name})

    holders =
      for {store, location, open} <- parts.stores do
        start = %{name: via(name, :store, store), location: location, options: open}
        %{id: {:store, store}, start: {Store.Holder, :start_link, [start]}, shutdown: 60_000}
      end

    poller =
      if options.telemetry do
        watch = fn -> children(name) end
        [{Wasgo.Telemetry.Poller, every: options.telemetry, watch: watch}]
      else
        []
      end

    rest = %{
      id: :parts,
      type: :supervisor,
      start:
        {Supervisor, :start_link,
         [
           parts.children ++ poller,
           [
             strategy: :one_for_one,
             name: Module.concat(name, Parts),
             max_restarts: options.max_restarts,
             max_seconds: options.max_seconds
           ]
         ]}
    }

    Supervisor.init([{Registry, keys: :unique, name: registry(name)} | holders] ++ [rest],
      strategy: :rest_for_one
    )
  end

  @doc false
  def registry(name), do: Module.concat(name, Registry)

  @doc false
  def via(name, kind, part), do: {:via, Registry, {registry(name), {kind, part}}}

  @doc """
  All parts that run, by kind and name, as functions of their modules take them: `{:world, "garden", {:via, ...}}`.

      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocMeadow, stores: [main: :memory], worlds: [{"meadow", store: :main}])
      iex> for {:world, name, world} <- Wasgo.Supervisor.children(DocMeadow), do: {name, Wasgo.World.info(world).objects}
      [{"meadow", 0}]
  """
  @spec children(atom()) :: [child()]
  def children(supervisor) do
    known = Registry.select(registry(supervisor), [{{:"$1", :_, :_}, [], [:"$1"]}])

    for kind <- @kinds, {^kind, part} <- Enum.sort(known) do
      {kind, part, via(supervisor, kind, part)}
    end
  end

  @doc """
  A store by its name: the `Wasgo.Store` itself. Raises where there is none, or it is being opened anew.

      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocStores, stores: [main: :memory], telemetry: false)
      iex> Wasgo.Supervisor.store(DocStores, :main)
      #Wasgo.Store<memory>
  """
  @spec store(atom(), atom()) :: Store.t()
  def store(supervisor, name) do
    case Registry.lookup(registry(supervisor), {:store, name}) do
      [{_holder, %Store{} = store}] -> store
      _none -> raise ArgumentError, "#{inspect(supervisor)} has no store #{inspect(name)} now"
    end
  end

  @doc """
  A cache by its name, as `Wasgo.Gen.Cache` takes it.

      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocCaches, caches: [chunks: [max_memory: 1_048_576]])
      iex> DocCaches |> Wasgo.Supervisor.cache(:chunks) |> Wasgo.Gen.Cache.info() |> Map.fetch!(:made)
      0
  """
  @spec cache(atom(), atom()) :: GenServer.server()
  def cache(supervisor, name), do: via(supervisor, :cache, name)

  @doc """
  A world by its name, as `Wasgo.World` takes it.

      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocWorlds, stores: [main: :memory], worlds: [{"garden", store: :main}])
      iex> DocWorlds |> Wasgo.Supervisor.world("garden") |> Wasgo.World.put(name: "lamp", scene: "lamp")
      {:ok, 1}
  """
  @spec world(atom(), String.t()) :: GenServer.server()
  def world(supervisor, name), do: via(supervisor, :world, to_string(name))

  @doc """
  The scripts of a world's objects, as `Wasgo.World.Scripts` takes them.

      iex> {:ok, _pid} =
      ...>   Wasgo.Supervisor.start_link(
      ...>     name: DocScripts,
      ...>     stores: [main: :memory],
      ...>     worlds: [{"garden", store: :main, scripts_of_objects: :main}]
      ...>   )
      iex> DocScripts |> Wasgo.Supervisor.scripts("garden") |> Wasgo.World.Scripts.info()
      %{objects: 0, scripts: [], stopped: %{}}
  """
  @spec scripts(atom(), String.t()) :: GenServer.server()
  def scripts(supervisor, name), do: via(supervisor, :scripts, to_string(name))

  @doc """
  A service by its name, as `Wasgo.Service` takes it.

      iex> {:ok, _pid} =
      ...>   Wasgo.Supervisor.start_link(name: DocServices, services: [namer: [module: "guest/services/namer.wasm", ready: "READY"]])
      iex> {:ok, name} = DocServices |> Wasgo.Supervisor.service(:namer) |> Wasgo.Service.request("0 0 -2.5 31.0 12.2 0.08 120 14")
      iex> name
      "Whitlow Haven"
  """
  @spec service(atom(), atom()) :: GenServer.server()
  def service(supervisor, name), do: via(supervisor, :service, name)

  @doc """
  A pool by its name, as `Wasgo.Service.Pool` takes it.

      iex> namers = [service: [module: "guest/services/namer.wasm", ready: "READY"], size: 2]
      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocPools, pools: [namers: namers])
      iex> {:ok, name} = DocPools |> Wasgo.Supervisor.pool(:namers) |> Wasgo.Service.Pool.request("0 0 -2.5 31.0 12.2 0.08 120 14")
      iex> name
      "Whitlow Haven"
  """
  @spec pool(atom(), atom()) :: GenServer.server()
  def pool(supervisor, name), do: via(supervisor, :pool, name)

  @doc """
  A server of engines by its name, as `Wasgo.Godot.Server` takes it.

      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocZones, godot: [zones: [port: 0, token: String.duplicate("t", 32)]])
      iex> DocZones |> Wasgo.Supervisor.godot(:zones) |> Wasgo.Godot.Server.connections()
      []
  """
  @spec godot(atom(), atom()) :: GenServer.server()
  def godot(supervisor, name), do: via(supervisor, :godot, name)

  @doc """
  A pipeline by its name, as `Wasgo.Pipeline.Server` takes it.

      iex> stages = [villages: [Wasgo.Buffer.new("brook")], names: {Wasgo.Stages.Transform, with: &{:ok, &1}}]
      iex> {:ok, _pid} = Wasgo.Supervisor.start_link(name: DocPipelines, pipelines: [names: [stages: stages]])
      iex> DocPipelines |> Wasgo.Supervisor.pipeline(:names) |> Wasgo.Pipeline.Server.await_end()
      :ok
  """
  @spec pipeline(atom(), atom()) :: GenServer.server()
  def pipeline(supervisor, name), do: via(supervisor, :pipeline, name)

  @doc false
  # Starts a part that holds stores: which they are is known when they are open.
  @spec start_part(module(), keyword(), atom(), [atom()]) :: GenServer.on_start()
  def start_part(module, options, supervisor, of_stores) do
    options
    |> Keyword.new(fn {key, value} ->
      if key in of_stores and is_atom(value) and value != nil,
        do: {key, store(supervisor, value)},
        else: {key, value}
    end)
    |> module.start_link()
  end

  @doc false
  # A world, and what runs its objects' scripts, which goes with it.
  def start_world([{Wasgo.World, _options} | _scripts] = parts, supervisor) do
    children =
      for {module, options} <- parts do
        %{
          id: module,
          start: {__MODULE__, :start_part, [module, options, supervisor, stores_of(module)]},
          shutdown: 60_000
        }
      end

    Supervisor.start_link(children, strategy: :rest_for_one, max_restarts: 5, max_seconds: 30)
  end

  @doc false
  def stores_of(Wasgo.World), do: [:store]
  def stores_of(Wasgo.World.Scripts), do: [:scripts]
  def stores_of(Cache), do: [:store]
  def stores_of(Wasgo.Godot.Server), do: [:scripts]
  def stores_of(_module), do: []
end
