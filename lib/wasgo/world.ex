defmodule Wasgo.World do
  @moduledoc """
  What a set of Godot servers shares: a plan, objects that were placed, edits; kept in a `Wasgo.Store`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, world} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, lamp} = Wasgo.World.put(world, name: "lamp", scene: "lamp", position: {4, 0, -2})
      iex> {:ok, 2} = Wasgo.World.update(world, lamp, yaw: 1.5, properties: %{"visible" => false})
      iex> {:ok, object} = Wasgo.World.object(world, lamp)
      iex> {object.name, object.properties}
      {"lamp", %{"visible" => false}}
      iex> Wasgo.World.rev(world)
      2

  To start it under a supervisor:

      children = [
        {Wasgo.World, name: "garden", store: store, plan: plan, as: MyGame.Garden},
        {Wasgo.Godot.Server, token: token, worlds: %{"garden" => MyGame.Garden}}
      ]

  An engine that names the world in its hello, and one of its *zones*, is shown what belongs to that zone, and then what changes. Any number of
  zones may be connected, one engine each.

  ## What an engine is sent

  The state of its zone, not the history: an engine that is slow or was away is sent what differs, as it is then, and never what was superseded
  meanwhile. Objects and properties come in the order of their last changes, the chunks around its viewers the nearest first, as far as the
  engine grants credit. Chunks, meshes and files that it holds, or has in its cache, are known by their hashes and not sent again, whichever process made
  them. The world waits for no engine, and keeps nothing for a slow one.

  ## Numbers

  Each mutation has a number, 1, 2, 3 ...; `rev/1` is that of the last one. A mutation is answered, and told to anyone, when its number is in the store: a
  machine that loses power right then comes back with it (as far as the store's `synchronous:` promises). Mutations that come in
  while others are written are written together, so that many callers at once have thousands a second. One that fails has
  changed nothing.

  The store keeps the newest change of each thing; rows that others have superseded are deleted now and then. Files (`glb:`, chunks, meshes, plans)
  are kept once, by their SHA-256, for as long as anything names them.

  ## Objects and zones

  An object (`Wasgo.World.Object`) belongs to one zone, or with `zone: nil` to all of them. `hand_over/3` gives it to another: at every number of
  the journal it has exactly one.

  ## What scripts move

  Values that change many times a second are not worth a number each: `put_rows/2` takes them. Of each object and column the newest is kept, sent to the
  zone that has the object, and written to the store with snapshots (`:snapshot_every`), so that after a crash they are as they were
  then. A mutation that sets the same thing later counts for more.

  ## Several worlds

  A store may have many, by their names. A world is in one process at a time: when it is started a second time, the first one can
  no longer write, and ends with the reason `:taken_over`.

  ## From here

    * `Wasgo.World.Object` lists what an object has, `mutate/2` what can be done to a world
    * `Wasgo.World.Scripts` runs the scripts of its objects
    * `Wasgo.Gen` makes its plan, `Wasgo.Gen.Cache` keeps its chunks
    * `Wasgo.Godot.Server` brings engines to it, `Wasgo.Phoenix` web clients
    * the guide `guides/godot.md` shows all of it together, with an engine
  """

  alias Wasgo.Gen
  alias Wasgo.{Options, Rows, Scene, Store, WorldError}
  alias Wasgo.World.{Body, Journal, Mutation, Object, Server, State, Transient}

  @most_text 255

  @schema [
    name: [type: :string, required: true],
    store: [type: {:struct, Store}, required: true],
    plan: [type: {:or, [{:struct, Gen.Plan}, {:in, [nil]}]}, default: nil],
    scripts: [type: {:or, [:keyword, :map]}, default: []],
    cache: [type: {:or, [:server, {:in, [nil]}]}, default: nil],
    as: [type: {:or, [:atom, :server]}, default: nil],
    max_objects: [type: {:range, 0..10_000_000}, default: 1_000_000],
    max_meshes: [type: {:range, 0..4_096}, default: 1_024],
    max_chunks: [type: {:range, 0..1_000_000}, default: 65_536],
    max_properties: [type: {:range, 0..65_536}, default: 4_096],
    max_zones: [type: {:range, 1..4_096}, default: 64],
    max_traces: [type: {:range, 0..10_000_000}, default: 100_000],
    max_in_flight: [type: {:range, 1..64}, default: 4],
    max_view: [type: {:range, 1..65_536}, default: 16_384],
    hz: [type: {:range, 1..120}, default: 20],
    snapshot_every: [type: :timeout, default: 30_000],
    prune_at: [type: :pos_integer, default: 20_000],
    timeout: [type: :timeout, default: 10_000],
    repair: [type: :boolean, default: false],
    # What frames go through: another in tests.
    link: [type: :atom, default: Wasgo.Godot.Connection]
  ]

  @typedoc "A world: its process, or the name that it is registered as."
  @type t :: GenServer.server()

  @typedoc """
  A mutation, for `mutate/2`. A chunk is a GLB 2.0 file, positions relative to the chunk's corner with the least x and z, or a scene of that.
  """
  @type mutation ::
          {:put, Object.t() | keyword()}
          | {:update, id(), keyword()}
          | {:remove, id()}
          | {:hand_over, id(), zone :: String.t() | nil}
          | {:put_property, String.t(), Wasgo.Godot.Variant.t()}
          | {:remove_property, String.t()}
          | {:put_mesh, Scene.Mesh.t(), [Scene.Material.t()]}
          | {:remove_mesh, String.t()}
          | {:put_chunk, chunk_address(), binary() | Scene.t()}
          | {:reset_chunk, chunk_address()}
          | {:set_plan, Gen.Plan.t(), scripts :: keyword() | map()}

  @type id :: non_neg_integer()

  @typedoc "Of a plan with a ground, or with a volume: `{x, y, z, level}`."
  @type chunk_address ::
          Gen.address() | {x :: integer(), y :: integer(), z :: integer(), non_neg_integer()}

  @typedoc """
  `traces` are those of things that were removed, `superseded` rows of the journal that will be deleted, `waiting` requests that are not
  in the store yet, `transient` objects with values that `put_rows/2` took, `zones` the names of those that are connected.
  """
  @type info :: %{
          name: String.t(),
          identity: String.t(),
          rev: non_neg_integer(),
          objects: non_neg_integer(),
          meshes: non_neg_integer(),
          chunks: non_neg_integer(),
          properties: non_neg_integer(),
          payloads: non_neg_integer(),
          traces: non_neg_integer(),
          superseded: non_neg_integer(),
          waiting: non_neg_integer(),
          transient: non_neg_integer(),
          zones: [String.t()]
        }

  @doc """
  Starts a world: the one of that name in the store, or a new one.

    * `:name` - what engines call it; 1 to #{@most_text} bytes; required
    * `:store` - a `Wasgo.Store`; required
    * `:plan` - what its ground, or its volume, is like: of a new world; one that is there already keeps its own (`set_plan/3`)
    * `:scripts` - the scripts of that plan, as `Wasgo.Gen.plan/1` takes them: they are kept with it
    * `:cache` - a `Wasgo.Gen.Cache` for its chunks, none unless given
    * `:as` - what the process is registered as
    * `:max_objects` (1,000,000), `:max_meshes` (1,024), `:max_chunks` (edited ones; 65,536), `:max_properties` (4,096), `:max_zones` (connected at once; 64)
    * `:max_traces` - how many removals are remembered, 100,000 unless given; an engine that was away for more is sent the world anew
    * `:max_in_flight` - chunks that are made at once for a zone, 4 unless given
    * `:max_view` - chunks that the viewers of a zone may want at once, 16,384 unless given
    * `:hz` - how often a zone is sent what `put_rows/2` took, 20 times a second unless given
    * `:snapshot_every` - milliseconds, 30,000 unless given
    * `:prune_at` - so many superseded rows are deleted at once before the next snapshot, 20,000 unless given
    * `:timeout` - how long the store may take for a commit, in ms; 10,000 unless given
    * `:repair` - whether rows that cannot be read are put aside (table `wasgo_world_damaged`) and the rest is the world; `false` unless given

  Errors: a `Wasgo.WorldError`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link(store: store)
      iex> {:ok, island} = Wasgo.World.start_link(name: "island", store: store, plan: plan, cache: cache, max_objects: 10_000)
      iex> Wasgo.World.plan(island).digest == plan.digest
      true
      iex> {:error, error} = Wasgo.World.start_link(name: "", store: store)
      iex> error.field
      "name"
  """
  @spec start_link(keyword()) :: {:ok, pid()} | {:error, WorldError.t() | term()}
  def start_link(options) do
    options = Options.validate!(options, @schema, "Wasgo.World.start_link/1")
    register = if options.as, do: [name: options.as], else: []

    with {:ok, _name} <- Object.text("name", options.name, 1),
         {:ok, plan} <- first_plan(options) do
      GenServer.start_link(Server, arranged(options, plan), register)
    end
  end

  defp first_plan(%{plan: nil}), do: {:ok, nil}

  defp first_plan(%{plan: plan, scripts: scripts}),
    do: Mutation.check({:set_plan, plan, scripts})

  defp arranged(options, plan) do
    %{
      name: options.name,
      store: options.store,
      timeout: options.timeout,
      repair: options.repair,
      plan: plan,
      snapshot_every: options.snapshot_every,
      prune_at: options.prune_at,
      limits: %{
        objects: options.max_objects,
        meshes: options.max_meshes,
        chunks: options.max_chunks,
        properties: options.max_properties,
        plans: 1,
        zones: options.max_zones,
        traces: options.max_traces
      },
      zone: %{
        cache: options.cache,
        most: options.max_in_flight,
        most_chunks: options.max_view,
        tick: max(div(1_000, options.hz), 1),
        link: options.link
      }
    }
  end

  @doc false
  # The options, for a supervisor that checks them before it starts anything.
  def options, do: @schema

  @doc false
  def child_spec(options) do
    # What waits is written before it ends, and what scripts moved is put down.
    %{
      id: {__MODULE__, options[:name]},
      start: {__MODULE__, :start_link, [options]},
      shutdown: 60_000
    }
  end

  @doc """
  Stops a world. What was begun is finished first, and a snapshot made of what scripts moved.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, lamp} = Wasgo.World.put(garden, name: "lamp")
      iex> Wasgo.World.stop(garden)
      :ok
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, %{name: name}} = Wasgo.World.object(garden, lamp)
      iex> name
      "lamp"
  """
  @spec stop(t()) :: :ok
  def stop(world) do
    GenServer.stop(world, :normal, :infinity)
  catch
    :exit, _gone -> :ok
  end

  ## Mutations

  @doc """
  Does several mutations (at most 4,096) together: all of them, or none. Each has a number of its own, the last of which is `rev`; `ids` are those of the objects, in order.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, world} = Wasgo.World.start_link(name: "garden", store: store)
      iex> Wasgo.World.mutate(world, [{:put, name: "a"}, {:put, name: "b"}, {:put_property, "season", "spring"}])
      {:ok, %{rev: 3, ids: [1, 2]}}
      iex> {:error, error} = Wasgo.World.mutate(world, [{:remove, 1}, {:remove, 7}])
      iex> {error.reason, Wasgo.World.rev(world)}
      {:unknown_object, 3}
  """
  @spec mutate(t(), [mutation()]) ::
          {:ok, %{rev: pos_integer(), ids: [id()]}} | {:error, WorldError.t()}
  def mutate(world, mutations) when is_list(mutations) do
    with {:ok, checked} <- Mutation.check_all(mutations),
         {:ok, rev, keys} <- call(world, {:mutate, checked, Mutation.weight(checked)}) do
      {:ok, %{rev: rev, ids: Enum.filter(keys, &is_integer/1)}}
    end
  end

  @doc """
  Puts an object into the world, and answers its id. One of the same id is replaced.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, world} = Wasgo.World.start_link(name: "garden", store: store)
      iex> Wasgo.World.put(world, name: "bench", position: {0, 1, 0}, zone: "north")
      {:ok, 1}
      iex> Wasgo.World.put(world, %Wasgo.World.Object{id: 70, name: "gate"})
      {:ok, 70}
      iex> {:error, error} = Wasgo.World.put(world, position: {0, "up"})
      iex> Exception.message(error)
      ~s(position is {0, "up"}, and should be {x, y, z} in metres)
  """
  @spec put(t(), Object.t() | keyword()) :: {:ok, id()} | {:error, WorldError.t()}
  def put(world, object) do
    with {:ok, %{ids: [id]}} <- mutate(world, [{:put, object}]), do: {:ok, id}
  end

  @doc """
  Changes fields of an object, as `Wasgo.World.Object` lists them; `properties:` are all that it has then. The answer is the mutation's number.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, lamp} = Wasgo.World.put(garden, name: "lamp", scene: "lamp")
      iex> Wasgo.World.update(garden, lamp, position: {4, 0, -2}, properties: %{"light_energy" => 0.5})
      {:ok, 2}
      iex> {:error, error} = Wasgo.World.update(garden, 99, yaw: 1.5)
      iex> error.reason
      :unknown_object
  """
  @spec update(t(), id(), keyword()) :: {:ok, pos_integer()} | {:error, WorldError.t()}
  def update(world, id, changes), do: one(world, {:update, id, changes})

  @doc """
  Removes an object.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, lamp} = Wasgo.World.put(garden, name: "lamp")
      iex> Wasgo.World.remove(garden, lamp)
      {:ok, 2}
      iex> Wasgo.World.objects(garden)
      []
  """
  @spec remove(t(), id()) :: {:ok, pos_integer()} | {:error, WorldError.t()}
  def remove(world, id), do: one(world, {:remove, id})

  @doc """
  Gives an object to a zone, or with `nil` to all. In the engine of the zone that had it its node goes, and in that of the other one is made.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, hare} = Wasgo.World.put(garden, name: "hare", zone: "north")
      iex> {:ok, 2} = Wasgo.World.hand_over(garden, hare, "south")
      iex> for hare <- Wasgo.World.objects(garden, zone: "south"), do: hare.name
      ["hare"]
  """
  @spec hand_over(t(), id(), String.t() | nil) :: {:ok, pos_integer()} | {:error, WorldError.t()}
  def hand_over(world, id, zone), do: one(world, {:hand_over, id, zone})

  @doc """
  Sets a value of the world as a whole, which engines get by its name.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> Wasgo.World.put_property(garden, "sky", Wasgo.Godot.Color.new(0.4, 0.6, 0.9))
      {:ok, 1}
  """
  @spec put_property(t(), String.t(), Wasgo.Godot.Variant.t()) ::
          {:ok, pos_integer()} | {:error, WorldError.t()}
  def put_property(world, name, value), do: one(world, {:put_property, name, value})

  @doc """
  Removes such a value. One that is not there is no error.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, 1} = Wasgo.World.put_property(garden, "season", "spring")
      iex> {:ok, 2} = Wasgo.World.remove_property(garden, "season")
      iex> Wasgo.World.properties(garden)
      %{}
  """
  @spec remove_property(t(), String.t()) :: {:ok, pos_integer()} | {:error, WorldError.t()}
  def remove_property(world, name), do: one(world, {:remove_property, name})

  @doc """
  Keeps a mesh under its own name, for objects that show it (`mesh:`). One of the same name is replaced, in what shows it too.

  `materials` are those that its surfaces refer to, those of plans unless given.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> oak = {:tree, species: :oak} |> Wasgo.Gen.prop!(seed: 7) |> Wasgo.Gen.Prop.mesh(0)
      iex> {:ok, 1} = Wasgo.World.put_mesh(garden, %{oak | name: "old oak"})
      iex> Wasgo.World.put(garden, name: "oak by the well", mesh: "old oak", position: {12, 0, 3})
      {:ok, 1}
  """
  @spec put_mesh(t(), Scene.Mesh.t(), [Scene.Material.t()]) ::
          {:ok, pos_integer()} | {:error, WorldError.t()}
  def put_mesh(world, %Scene.Mesh{} = mesh, materials \\ Gen.Plan.materials()),
    do: one(world, {:put_mesh, mesh, materials})

  @doc """
  Removes a mesh that no object shows.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> hare = Wasgo.Gen.creature(7)
      iex> {:ok, 1} = Wasgo.World.put_mesh(garden, %{hare | name: "hare"})
      iex> {:ok, id} = Wasgo.World.put(garden, mesh: "hare")
      iex> {:error, error} = Wasgo.World.remove_mesh(garden, "hare")
      iex> Exception.message(error)
      ~s|the mesh "hare" is shown by 1 objects|
      iex> {:ok, 3} = Wasgo.World.remove(garden, id)
      iex> Wasgo.World.remove_mesh(garden, "hare")
      {:ok, 4}
  """
  @spec remove_mesh(t(), String.t()) :: {:ok, pos_integer()} | {:error, WorldError.t()}
  def remove_mesh(world, name), do: one(world, {:remove_mesh, name})

  @doc """
  Replaces the plan. Engines are sent the chunks that are different then, nearest first. `scripts` are those of the plan.

  Of a plan with a `:density` engines are sent the cubes of its volume (`Wasgo.Gen.volume/3`) in the spheres around their viewers, with triangles to collide with: beside its ground, or,
  without a `:height`, in place of it. Beside a ground `:cells` is an even number, or `:levels` 0: of others the volume is not shown.
  A plan that has neither ground nor volume is refused.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, island} = Wasgo.World.start_link(name: "island", store: store, plan: Wasgo.Gen.plan!(seed: 7))
      iex> flood = Wasgo.Gen.plan!(seed: 7, water: 4.0)
      iex> {:ok, _rev} = Wasgo.World.set_plan(island, flood)
      iex> Wasgo.World.plan(island).water_level
      4.0
  """
  @spec set_plan(t(), Gen.Plan.t(), keyword() | map()) ::
          {:ok, pos_integer()} | {:error, WorldError.t()}
  def set_plan(world, %Gen.Plan{} = plan, scripts \\ []),
    do: one(world, {:set_plan, plan, scripts})

  @doc """
  Puts an edited chunk in the place of the generated one: a GLB file, or a scene, whose positions are relative to the chunk's corner with the least x and
  z (of a cube of a volume, also y). It is shown where the chunk of that address is: coarser levels, which stand for it from afar, are addresses of their own.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, island} = Wasgo.World.start_link(name: "island", store: store, plan: plan)
      iex> {:ok, scene} = Wasgo.Gen.Building.to_scene(Wasgo.Gen.building!(:castle_wall, seed: 1))
      iex> {:ok, _rev} = Wasgo.World.put_chunk(island, {0, 0}, scene)
      iex> Wasgo.World.chunks(island)
      [{0, 0, 0}]
  """
  @spec put_chunk(t(), chunk_address(), binary() | Scene.t()) ::
          {:ok, pos_integer()} | {:error, WorldError.t()}
  def put_chunk(world, address, content), do: one(world, {:put_chunk, address, content})

  @doc """
  Has the generated chunk be shown again.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, island} = Wasgo.World.start_link(name: "island", store: store, plan: Wasgo.Gen.plan!(seed: 7))
      iex> {:ok, _rev} = Wasgo.World.put_chunk(island, {0, 0}, Wasgo.Scene.to_glb!(%Wasgo.Scene{}))
      iex> {:ok, _rev} = Wasgo.World.reset_chunk(island, {0, 0})
      iex> Wasgo.World.chunks(island)
      []
  """
  @spec reset_chunk(t(), chunk_address()) :: {:ok, pos_integer()} | {:error, WorldError.t()}
  def reset_chunk(world, address), do: one(world, {:reset_chunk, address})

  defp one(world, mutation) do
    with {:ok, %{rev: rev}} <- mutate(world, [mutation]), do: {:ok, rev}
  end

  ## What is there

  @doc """
  The number of the last mutation.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> for name <- ["lamp", "bench"], do: {:ok, _id} = Wasgo.World.put(garden, name: name)
      iex> Wasgo.World.rev(garden)
      2
  """
  @spec rev(t()) :: non_neg_integer()
  def rev(world), do: world |> tables() |> State.rev()

  @doc """
  An object, as it is in the store.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, id} = Wasgo.World.put(garden, name: "lamp", position: {4, 0, -2})
      iex> {:ok, lamp} = Wasgo.World.object(garden, id)
      iex> lamp.transform.origin
      Wasgo.Godot.Vector3.new(4, 0, -2)
  """
  @spec object(t(), id()) :: {:ok, Object.t()} | {:error, WorldError.t()}
  def object(world, id) do
    with :ok <- Mutation.id(id) do
      case State.get(tables(world), id) do
        {_id, _rev, _zone, _marks, body} = entry when body != :gone ->
          {:ok, shown(entry)}

        _none ->
          {:error,
           %WorldError{
             reason: :unknown_object,
             field: "id",
             message: "the world has no object #{id}"
           }}
      end
    end
  end

  defp shown({id, _rev, zone, _marks, body}), do: id |> Body.decode(zone, body) |> Object.shown()

  @doc """
  Objects, by id. Options: `:zone`, of which they are (those that belong to all too); `:after`, an id, and `:limit` (1,000 unless given), for a part of many.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, world} = Wasgo.World.start_link(name: "garden", store: store)
      iex> for zone <- ["north", "south", nil], do: {:ok, _id} = Wasgo.World.put(world, zone: zone)
      iex> for object <- Wasgo.World.objects(world, zone: "north"), do: {object.id, object.zone}
      [{1, "north"}, {3, nil}]
  """
  @spec objects(t(), keyword()) :: [Object.t()]
  def objects(world, options \\ []) do
    schema = [
      zone: [type: :any, default: :any],
      after: [type: {:range, -1..Object.most_id()}, default: -1],
      limit: [type: {:range, 1..100_000}, default: 1_000]
    ]

    options = Options.validate!(options, schema, "Wasgo.World.objects/2")
    wanted = &(options.zone == :any or elem(&1, 2) in [nil, options.zone])

    world
    |> tables()
    |> State.objects(options.after, options.limit, wanted)
    |> Enum.map(&shown/1)
  end

  @doc false
  # Of these objects, those that are there and name a script: `{id, script, place}`, the place as `Object.placement/1` has it.
  @spec scripted(t(), [id()]) :: [{id(), String.t(), [float()]}]
  def scripted(world, ids) do
    tables = tables(world)

    for id <- ids,
        {_id, _rev, zone, _marks, body} when body != :gone <- [State.get(tables, id)],
        %{script: script} = object when script != nil <- [Body.decode(id, zone, body)],
        do: {id, script, Object.placement(object)}
  end

  @doc """
  The plan, or `nil` where there is none yet.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> Wasgo.World.plan(garden)
      nil
  """
  @spec plan(t()) :: Gen.Plan.t() | nil
  def plan(world), do: world |> tables() |> State.plan()

  @doc """
  The values of the world as a whole.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, 1} = Wasgo.World.put_property(garden, "season", "spring")
      iex> Wasgo.World.properties(garden)
      %{"season" => "spring"}
  """
  @spec properties(t()) :: %{String.t() => Wasgo.Godot.Variant.t()}
  def properties(world) do
    for {{:property, name}, _rev, _zone, _marks, body} <- State.of_kind(tables(world), :property),
        into: %{},
        do: {name, :erlang.binary_to_term(body)}
  end

  @doc """
  The addresses of chunks that were edited, `{x, z, level}` and `{x, y, z, level}`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, island} = Wasgo.World.start_link(name: "island", store: store, plan: Wasgo.Gen.plan!(seed: 7))
      iex> {:ok, _rev} = Wasgo.World.put_chunk(island, {3, -1}, Wasgo.Scene.to_glb!(%Wasgo.Scene{}))
      iex> Wasgo.World.chunks(island)
      [{3, -1, 0}]
  """
  @spec chunks(t()) :: [chunk_address()]
  def chunks(world) do
    for {{:chunk, address}, _rev, _zone, _marks, _body} <- State.of_kind(tables(world), :chunk),
        do: address
  end

  @doc """
  The bytes of a file that something names, by its SHA-256.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, cottage} = Wasgo.Gen.building!(:cottage, seed: 42) |> Wasgo.Gen.Building.to_scene()
      iex> file = Wasgo.Scene.to_glb!(cottage)
      iex> {:ok, id} = Wasgo.World.put(garden, name: "cottage", glb: file)
      iex> {:ok, %{glb: sha256}} = Wasgo.World.object(garden, id)
      iex> Wasgo.World.payload(garden, sha256) == {:ok, file}
      true
  """
  @spec payload(t(), binary()) :: {:ok, binary()} | {:error, WorldError.t()}
  def payload(world, <<hash::binary-32>>) do
    {_tables, journal} = call!(world, :tables)
    Journal.payload(journal, hash)
  end

  @doc """
  What the world holds and does.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, _lamp} = Wasgo.World.put(garden, name: "lamp")
      iex> info = Wasgo.World.info(garden)
      iex> {info.name, info.objects, info.zones}
      {"garden", 1, []}
  """
  @spec info(t()) :: info()
  def info(world), do: call!(world, :info)

  ## Transient values

  @doc """
  Takes newest values of objects: property paths of their nodes as columns, as in the protocol's `rows`. The answer is how many rows were of objects that are there.

  Numbers, texts of at most 1 KiB, vectors and whatever else a `Wasgo.Godot.Variant` of that size can be; `nil` leaves a column alone. At most 64 columns an object.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, world} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, 1} = Wasgo.World.put(world, name: "fan")
      iex> Wasgo.World.put_rows(world, Wasgo.Rows.new(["rotation:y"], [{1, [0.5]}, {2, [0.7]}]))
      {:ok, 1}
      iex> Wasgo.World.transient(world, 1)
      %{"rotation:y" => 0.5}
  """
  @spec put_rows(t(), Rows.t()) :: {:ok, non_neg_integer()} | {:error, WorldError.t()}
  def put_rows(world, %Rows{} = rows) do
    with :ok <- Transient.check(rows), {:ok, transient} <- transient_of(world) do
      Transient.put(transient, rows)
    end
  catch
    :exit, _gone -> {:error, %WorldError{reason: :stopped}}
  end

  defp transient_of(world) do
    with pid when is_pid(pid) <- call(world, :transient), do: {:ok, pid}
  end

  @doc """
  The newest values that `put_rows/2` took of an object, but those that a mutation has replaced since.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, hare} = Wasgo.World.put(garden, name: "hare")
      iex> {:ok, 1} = Wasgo.World.put_rows(garden, Wasgo.Rows.new(["position:x", "rotation:y"], [{hare, [4.5, nil]}]))
      iex> Wasgo.World.transient(garden, hare)
      %{"position:x" => 4.5}
  """
  @spec transient(t(), id()) :: %{String.t() => term()}
  def transient(world, id) do
    tables = tables(world)

    case State.get(tables, id) do
      {_id, _rev, _zone, marks, body} when body != :gone ->
        tables |> Transient.get(id) |> Transient.current(marks) |> Map.new()

      _none ->
        %{}
    end
  end

  @doc """
  Makes a snapshot now: writes what `put_rows/2` took, and deletes what is superseded.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, hare} = Wasgo.World.put(garden, name: "hare")
      iex> {:ok, 1} = Wasgo.World.put_rows(garden, Wasgo.Rows.new(["position:x"], [{hare, [4.5]}]))
      iex> Wasgo.World.snapshot(garden)
      :ok
  """
  @spec snapshot(t()) :: :ok | {:error, WorldError.t()}
  def snapshot(world), do: call(world, :snapshot)

  ## Those who follow

  @doc """
  Has the calling process told of changes: `{:wasgo_world, pid, {:rev, rev}}`, where `pid` is the world's. After one message there is no other before the process has
  called `changes/3`. The answer is the number that the world is at. It ends with the process, or with `unsubscribe/1`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, rev} = Wasgo.World.subscribe(garden)
      iex> {:ok, _lamp} = Wasgo.World.put(garden, name: "lamp")
      iex> receive do: ({:wasgo_world, ^garden, {:rev, new}} -> {rev, new})
      {0, 1}
  """
  @spec subscribe(t()) :: {:ok, non_neg_integer()} | {:error, WorldError.t()}
  def subscribe(world), do: call(world, {:subscribe, self()})

  @doc """
  Ends what `subscribe/1` began.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, 0} = Wasgo.World.subscribe(garden)
      iex> Wasgo.World.unsubscribe(garden)
      :ok
  """
  @spec unsubscribe(t()) :: :ok
  def unsubscribe(world) do
    with {:error, _gone} <- call(world, {:unsubscribe, self()}), do: :ok
  end

  @doc """
  What has changed after a number, by its last change, the oldest first, and the number up to which that is: at most `limit` of them.

  Each is `{rev, {:object, id}}`, `{rev, {:gone, id}}`, `{rev, {:property | :mesh | :chunk, name_or_address}}` or `{rev, :plan}`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, world} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, 0} = Wasgo.World.subscribe(world)
      iex> {:ok, %{rev: 3}} = Wasgo.World.mutate(world, [{:put, name: "a"}, {:put, name: "b"}, {:update, 1, name: "c"}])
      iex> rev = receive do: ({:wasgo_world, _pid, {:rev, rev}} -> rev)
      iex> {rev, Wasgo.World.changes(world, 0)}
      {3, {3, [{2, {:object, 2}}, {3, {:object, 1}}]}}
  """
  @spec changes(t(), non_neg_integer(), pos_integer()) ::
          {rev :: non_neg_integer(), [{pos_integer(), term()}]}
  def changes(world, rev, limit \\ 1_000)
      when is_integer(rev) and rev >= 0 and limit in 1..100_000 do
    tables = call!(world, {:heard, self()})
    changed(tables, rev, limit, [])
  end

  defp changed(_tables, rev, 0, done), do: {rev, Enum.reverse(done)}

  defp changed(tables, rev, left, done) do
    case State.next(tables, rev) do
      nil ->
        {rev, Enum.reverse(done)}

      {key, at, _zone, _marks, body} ->
        changed(tables, at, left - 1, [{at, named(key, body)} | done])
    end
  end

  defp named(id, :gone) when is_integer(id), do: {:gone, id}
  defp named(id, _body) when is_integer(id), do: {:object, id}
  defp named(key, _body), do: key

  @doc """
  Attaches the engine of a zone: called by the process of its connection, and returns at once. The process that it answers is then to be sent
  `{:wasgo_godot, :open, connection}`, shows the world to that engine, and ends with the connection. Until then nobody else has the zone.

  The first element is the world's identity: another one when the world was made anew under the same name.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> {:ok, _identity, _pid} = Wasgo.World.attach(garden, "north")
      iex> Task.await(Task.async(fn -> Wasgo.World.attach(garden, "north") end))
      {:error, :taken}
  """
  @spec attach(t(), String.t()) ::
          {:ok, identity :: String.t(), pid()} | {:error, :taken | WorldError.t()}
  def attach(world, zone) when is_binary(zone), do: call(world, {:attach, zone, self()})

  @doc """
  What is done for the engine of a zone, with its `connection`: `nil` where none is connected.

  `rev` is the number that the engine is at with all that was sent, `chunks` those that it holds, `making` those that are being made, `waiting` the lanes that are
  full; `failed` are chunks that could not be made, `refused` viewers that wanted more than `:max_view`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, garden} = Wasgo.World.start_link(name: "garden", store: store)
      iex> Wasgo.World.zone(garden, "north")
      nil
  """
  @spec zone(t(), String.t()) :: map() | nil
  def zone(world, name) when is_binary(name) do
    with pid when is_pid(pid) <- call!(world, {:connection, name}), do: Wasgo.World.Zone.info(pid)
  end

  @doc false
  # What a process of this library needs to follow a world of this node without asking it again.
  @spec follow(t()) ::
          {:ok, %{pid: pid(), identity: String.t(), tables: State.t(), journal: Journal.t()}}
          | {:error, WorldError.t()}
  def follow(world) do
    with pid when is_pid(pid) and node(pid) == node() <- GenServer.whereis(world),
         {tables, journal} <- call(pid, :tables),
         %{identity: identity} <- call(pid, :info) do
      {:ok, %{pid: pid, identity: identity, tables: tables, journal: journal}}
    else
      {:error, _error} = error -> error
      _none -> {:error, %WorldError{reason: :stopped}}
    end
  end

  defp tables(world) do
    {tables, _journal} = call!(world, :tables)
    tables
  end

  # Every request is answered, within the time that the store may take.
  defp call(world, request) do
    GenServer.call(world, request, :infinity)
  catch
    :exit, {{:shutdown, %WorldError{} = error}, _call} -> {:error, error}
    :exit, _gone -> {:error, %WorldError{reason: :stopped}}
  end

  defp call!(world, request) do
    with {:error, error} <- call(world, request), do: raise(error)
  end
end
