defmodule Wasgo.WorldEngine do
  @moduledoc false
  # An engine that shows a zone of a `Wasgo.World`, as a model: it takes frames as `Wasgo.Godot.Connection` does, has as much room for them as the test says, and
  # applies them when it is told to. What it holds outlives its connections, as in a real one.

  use GenServer

  import ExUnit.Assertions

  alias Wasgo.Godot.Variant
  alias Wasgo.{GodotError, World}

  @patience 30_000

  defstruct [:pid, :ref, :engine]

  ## For tests

  @doc "Starts an engine that holds nothing."
  def start(options \\ []) do
    {:ok, pid} = GenServer.start_link(__MODULE__, Map.new(options))
    pid
  end

  @doc "Attaches it to a zone of a world, and has it say what it holds. Options: `:have`, hashes that it has in a cache; `:keeps`,
  whether it keeps there what it is sent; `:rev`."
  def join(engine, world, zone, options \\ []) do
    test = self()
    ref = make_ref()

    # The process that attaches is the connection's.
    pid = spawn(fn -> connection(engine, test, ref, World.attach(world, zone)) end)

    receive do
      {^ref, {:ok, identity, zone}} ->
        connection = %__MODULE__{pid: pid, ref: ref, engine: engine}
        :ok = GenServer.call(engine, {:join, connection, zone, options})
        {:ok, identity, zone}

      # The world has not yet heard that the one before is gone.
      {^ref, {:error, :taken}} ->
        if options[:once], do: {:error, :taken}, else: join(engine, world, zone, options)

      {^ref, error} ->
        error
    end
  end

  defp connection(engine, test, ref, result) do
    Process.monitor(engine)
    Kernel.send(test, {ref, result})
    if match?({:ok, _, _}, result), do: receive(do: ({:DOWN, _, :process, ^engine, _} -> :ok))
  end

  @doc "The connection ends: what is under way is lost."
  def leave(engine) do
    zone = GenServer.call(engine, :leave, @patience)
    ref = Process.monitor(zone)
    receive do: ({:DOWN, ^ref, :process, _pid, _reason} -> :ok)
  end

  @doc "How many frames there is room for that were not applied: in the live lane, and in the bulk lane."
  def room(engine, live, bulk), do: GenServer.call(engine, {:room, live, bulk})

  @doc "Applies so many of the frames that are there."
  def apply_frames(engine, count \\ :all), do: GenServer.call(engine, {:apply, count})

  @doc "Applies frames as they come, from now on."
  def apply_always(engine), do: GenServer.call(engine, :always)

  @doc "Says something."
  def say(engine, event), do: GenServer.call(engine, {:say, event})

  @doc "What it holds."
  def state(engine), do: GenServer.call(engine, :state)

  @doc "Waits until the engine, applying what comes, is as `fun` wants it."
  def until(engine, fun) do
    :ok = apply_always(engine)
    GenServer.call(engine, {:until, fun}, @patience)
  end

  ## As a connection

  def subscribe(_connection, _kinds), do: :ok

  def events(connection), do: call(connection, :events)

  def send(connection, kind, fields, timeout: 0, lane: lane) do
    # As it would come out on the other side.
    {:ok, bytes} = Variant.encode(fields)
    call(connection, {:frame, kind, Variant.decode!(bytes), byte_size(bytes), lane})
  end

  defp call(connection, request) do
    GenServer.call(connection.engine, {connection.ref, request}, @patience)
  catch
    :exit, _gone -> gone()
  end

  defp gone, do: {:error, %GodotError{reason: {:disconnected, :gone}}}

  @impl true
  def init(options) do
    {:ok,
     %{
       options: options,
       connection: nil,
       zone: nil,
       live: [],
       bulk: [],
       live_room: Map.get(options, :live, 1_000_000),
       bulk_room: Map.get(options, :bulk, 1_000_000),
       full: MapSet.new(),
       always?: false,
       waiting: [],
       events: [],
       # What outlives the connection.
       rev: 0,
       nodes: %{},
       properties: %{},
       chunks: %{},
       meshes: %{},
       assets: %{},
       # Meshes that go when so many frames of the bulk lane were applied, and how many were.
       going: %{},
       bulk_done: 0,
       # What it was sent by its hash, or said that it has.
       kept: MapSet.new(),
       # For tests.
       frames: [],
       resets: 0,
       most: 0,
       bytes: 0
     }}
  end

  @impl true
  def handle_call({ref, _request}, _from, state)
      when is_reference(ref) and (state.connection == nil or state.connection.ref != ref),
      do: {:reply, gone(), state}

  def handle_call({ref, request}, from, state) when is_reference(ref),
    do: handle_call(request, from, state)

  def handle_call({:join, connection, zone, options}, _from, %{connection: nil} = state) do
    state = forgotten(%{state | going: Map.new(state.going, fn {name, _} -> {name, 0} end)})
    {keys, hashes} = Enum.unzip(state.chunks)
    {meshes, mesh_hashes} = Enum.unzip(for {n, h} <- state.meshes, h != nil, do: {n, h})

    resume = %{
      rev: Keyword.get(options, :rev, state.rev),
      keys: keys,
      hashes: Enum.join(hashes),
      meshes: meshes,
      mesh_hashes: Enum.join(mesh_hashes),
      have: for(hash <- Keyword.get(options, :have, []), into: "", do: binary_part(hash, 0, 4)),
      keeps: Keyword.get(options, :keeps, false),
      max_meshes: Map.get(state.options, :max_meshes, 4_096)
    }

    Kernel.send(zone, {:wasgo_godot, :open, connection})
    kept = MapSet.union(state.kept, MapSet.new(Keyword.get(options, :have, [])))
    state = %{state | connection: connection, zone: zone, live: [], bulk: [], full: MapSet.new()}
    state = %{state | kept: kept}
    {:reply, :ok, notice(%{state | events: [{:resume, resume}]})}
  end

  def handle_call(:leave, _from, state) do
    Process.exit(state.connection.pid, :kill)
    {:reply, state.zone, %{state | connection: nil, zone: nil, live: [], bulk: [], events: []}}
  end

  def handle_call({:room, live, bulk}, _from, state) do
    {:reply, :ok, tell_room(%{state | live_room: live, bulk_room: bulk})}
  end

  def handle_call({:apply, count}, _from, state), do: {:reply, :ok, apply_some(state, count)}

  def handle_call(:always, _from, state),
    do: {:reply, :ok, apply_some(%{state | always?: true}, :all)}

  def handle_call({:say, event}, _from, state),
    do: {:reply, :ok, notice(%{state | events: state.events ++ [event]})}

  def handle_call(:events, _from, state),
    do: {:reply, {:ok, state.events, 0}, %{state | events: []}}

  def handle_call(:state, _from, state), do: {:reply, shown(state), state}

  def handle_call({:until, fun}, from, state),
    do: {:noreply, answer(%{state | waiting: [{from, fun} | state.waiting]})}

  def handle_call({:frame, kind, fields, bytes, lane}, _from, state) do
    {held, room} =
      if lane == :live, do: {state.live, state.live_room}, else: {state.bulk, state.bulk_room}

    if length(held) >= room do
      {:reply, {:error, %GodotError{reason: :full}},
       %{state | full: MapSet.put(state.full, lane)}}
    else
      # What was sent by the bulk lane before may use names that go.
      until = state.bulk_done + length(state.bulk)
      fields = if kind == "forget", do: Map.put(fields, "until", until), else: fields
      state = Map.put(state, lane, held ++ [{kind, fields}])

      state = %{
        state
        | most: max(state.most, length(state.live) + length(state.bulk)),
          bytes: state.bytes + bytes
      }

      # The zone is answered before what comes of it.
      if state.always?, do: Kernel.send(self(), :apply)
      {:reply, {:ok, 1}, state}
    end
  end

  @impl true
  def handle_info(:apply, state), do: {:noreply, apply_some(state, :all)}

  def handle_info(_other, state), do: {:noreply, state}

  defp notice(state) do
    Kernel.send(state.zone, {:wasgo_godot, :events, state.connection})
    state
  end

  defp tell_room(state) do
    full =
      MapSet.reject(state.full, fn lane ->
        roomy? =
          if lane == :live,
            do: length(state.live) < state.live_room,
            else: length(state.bulk) < state.bulk_room

        if roomy? and state.zone,
          do: Kernel.send(state.zone, {:wasgo_godot, {:room, lane}, state.connection})

        roomy?
      end)

    %{state | full: full}
  end

  defp shown(state),
    do:
      Map.take(state, [
        :rev,
        :nodes,
        :properties,
        :chunks,
        :meshes,
        :assets,
        :frames,
        :resets,
        :most,
        :bytes
      ])

  ## Frames

  # Live frames first: one of the bulk lane waits for what was sent there before.
  defp apply_some(state, 0), do: answer(tell_room(state))

  defp apply_some(state, count) do
    left = if count == :all, do: :all, else: count - 1

    case state do
      %{live: [{kind, fields} | live]} ->
        apply_some(applied(%{state | live: live}, kind, fields), left)

      %{bulk: [{kind, fields} | bulk]} ->
        state = applied(%{state | bulk: bulk}, kind, fields)
        apply_some(forgotten(%{state | bulk_done: state.bulk_done + 1}), left)

      _nothing ->
        answer(tell_room(state))
    end
  end

  defp answer(state) do
    {done, waiting} = Enum.split_with(state.waiting, fn {_from, fun} -> fun.(shown(state)) end)
    for {from, _fun} <- done, do: GenServer.reply(from, shown(state))
    %{state | waiting: waiting}
  end

  defp applied(state, kind, fields) do
    state = %{state | frames: [{kind, summary(kind, fields)} | state.frames]}
    # A number is passed once.
    if kind != "resumed" and is_map_key(fields, "rev"),
      do: assert(fields["rev"] > state.rev, "#{fields["rev"]} after #{state.rev}")

    state = frame(state, kind, fields)
    if is_map_key(fields, "rev"), do: %{state | rev: fields["rev"]}, else: state
  end

  defp summary("spawn", fields), do: Enum.map(fields["nodes"], & &1["id"])

  defp summary("rows", %{"ids" => {:packed_int64, ids}}),
    do: for(<<id::64-little <- ids>>, do: id)

  defp summary("despawn", %{"ids" => {:packed_int64, ids}}),
    do: for(<<id::64-little <- ids>>, do: id)

  defp summary("chunk", fields), do: fields["key"]
  defp summary("unload", %{"keys" => {:packed_string, keys}}), do: keys
  defp summary("cached", %{"what" => what, "keys" => {:packed_string, keys}}), do: {what, keys}
  defp summary("mesh", fields), do: fields["name"]
  defp summary("forget", %{"names" => {:packed_string, names}}), do: names
  defp summary("asset", %{"hash" => {:packed_byte, hash}}), do: hash
  defp summary(_kind, _fields), do: nil

  defp frame(state, "resumed", %{"reset" => true}),
    do: %{state | nodes: %{}, properties: %{}, rev: 0, resets: state.resets + 1}

  defp frame(state, "resumed", %{"reset" => false, "rev" => rev}) do
    assert rev == state.rev
    want_assets(state, Map.values(state.nodes))
  end

  defp frame(state, "mesh", %{"name" => name} = fields) do
    {:packed_byte, hash} = Map.get(fields, "hash", {:packed_byte, nil})
    put_meshes(kept(state, hash), %{name => hash})
  end

  defp frame(state, "forget", %{"names" => {:packed_string, names}, "until" => until}) do
    for name <- names, do: assert(is_map_key(state.meshes, name), "#{name} is forgotten twice")
    forgotten(%{state | going: Map.merge(state.going, Map.new(names, &{&1, until}))})
  end

  defp frame(state, "spawn", %{"nodes" => nodes}) do
    assert length(nodes) <= 64

    Enum.reduce(nodes, state, fn node, state ->
      mesh = node["mesh"]
      assert mesh == "" or is_map_key(state.meshes, mesh), "no mesh #{mesh}"

      put_in(state.nodes[node["id"]], %{
        name: node["name"],
        mesh: mesh,
        scene: node["scene"],
        glb: node["glb"],
        transform: node["transform"],
        colliders: node["colliders"],
        values: Map.get(node, "properties", %{})
      })
    end)
    |> want_assets(for node <- nodes, do: %{glb: node["glb"]})
  end

  defp frame(state, "despawn", %{"ids" => {:packed_int64, ids}}) do
    ids = for <<id::64-little <- ids>>, do: id
    %{state | nodes: Map.drop(state.nodes, ids)}
  end

  defp frame(state, "rows", fields) do
    {:packed_string, columns} = fields["columns"]
    {:packed_int64, ids} = fields["ids"]
    ids = for <<id::64-little <- ids>>, do: id
    assert length(columns) <= 64 and length(columns) == length(fields["values"])

    for {column, values} <- Enum.zip(columns, fields["values"]), reduce: state do
      state ->
        values = unpacked(values)
        assert length(values) == length(ids)
        ids |> Enum.zip(values) |> Enum.reduce(state, &set(&2, column, &1))
    end
  end

  defp frame(state, "properties", %{"values" => values}) do
    Enum.reduce(values, state, fn
      {name, nil}, state -> %{state | properties: Map.delete(state.properties, name)}
      {name, value}, state -> put_in(state.properties[name], value)
    end)
  end

  defp frame(state, "chunk", fields) do
    {:packed_byte, hash} = fields["hash"]

    for %{"mesh" => mesh} <- fields["instances"],
        do: assert(is_map_key(state.meshes, mesh), "no mesh #{mesh}")

    put_in(kept(state, hash).chunks[fields["key"]], hash)
  end

  defp frame(state, "cached", %{
         "what" => what,
         "keys" => {:packed_string, keys},
         "hashes" => {:packed_byte, hashes}
       }) do
    pairs = Enum.zip(keys, for(<<hash::binary-16 <- hashes>>, do: hash))
    assert length(pairs) == length(keys)
    for {key, hash} <- pairs, do: assert(hash in state.kept, "#{key} was never sent")

    if what == "chunk",
      do: %{state | chunks: Map.merge(state.chunks, Map.new(pairs))},
      else: put_meshes(state, Map.new(pairs))
  end

  defp frame(state, "unload", %{"keys" => {:packed_string, keys}}) do
    for key <- keys, do: assert(is_map_key(state.chunks, key), "#{key} goes, and was not there")
    %{state | chunks: Map.drop(state.chunks, keys)}
  end

  defp frame(state, "asset", %{"hash" => {:packed_byte, hash}, "glb" => {:packed_byte, glb}}),
    do: put_in(kept(state, hash).assets[hash], glb)

  defp put_meshes(state, meshes) do
    going = Map.drop(state.going, Map.keys(meshes))
    meshes = Map.merge(state.meshes, meshes)
    most = Map.get(state.options, :max_meshes, 4_096)
    assert map_size(meshes) - map_size(going) <= most, "more than #{most} meshes"
    %{state | meshes: meshes, going: going}
  end

  defp forgotten(state) do
    {gone, going} = Enum.split_with(state.going, fn {_, until} -> until <= state.bulk_done end)
    %{state | meshes: Map.drop(state.meshes, Enum.map(gone, &elem(&1, 0))), going: Map.new(going)}
  end

  defp kept(state, hash), do: %{state | kept: MapSet.put(state.kept, hash)}

  # Files that it does not have it asks for.
  defp want_assets(state, nodes) do
    missing =
      for %{glb: {:packed_byte, hash}} <- nodes,
          not is_map_key(state.assets, hash),
          uniq: true,
          do: hash

    if missing == [],
      do: state,
      else: notice(%{state | events: state.events ++ [{:want, "asset", missing}]})
  end

  defp unpacked({:packed_float64, bytes}), do: for(<<v::float-64-little <- bytes>>, do: v)
  defp unpacked({:packed_int64, bytes}), do: for(<<v::64-signed-little <- bytes>>, do: v)

  defp unpacked({:packed_vector3, bytes}) do
    for <<x::float-32-little, y::float-32-little, z::float-32-little <- bytes>>,
      do: %Wasgo.Godot.Vector3{x: x, y: y, z: z}
  end

  defp unpacked(values) when is_list(values), do: values

  defp set(state, _column, {_id, nil}), do: state

  defp set(state, column, {id, value}) do
    case state.nodes do
      %{^id => node} -> put_in(state.nodes[id], set_column(node, column, value))
      _none -> state
    end
  end

  defp set_column(node, "transform", value), do: %{node | transform: value}
  defp set_column(node, "position", value), do: put_in(node.transform.origin, value)
  defp set_column(node, column, value), do: put_in(node.values[column], value)
end
