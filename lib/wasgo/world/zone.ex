defmodule Wasgo.World.Zone do
  @moduledoc false
  # Shows a world to the engine of a zone: from the moment when its connection is open until that ends.
  #
  # What is sent goes by the state of the world, not by what happened to it: the engine is at a number of the journal, and is sent what changed after it, as it is now.
  # Nothing is kept for an engine that is slow, and what has been superseded meanwhile is never sent. It never waits: where there is no room, a message says
  # when there is.

  use GenServer, restart: :temporary

  alias Wasgo.GodotError
  alias Wasgo.World.{State, Transient}
  alias Wasgo.World.Server, as: World
  alias Wasgo.World.Zone.{Chunks, Making, Memory, Meshes, Nodes}

  # What it has for the connection to become one, in ms.
  @opening 30_000
  # Frames that are sent before other messages are looked at.
  @most_frames 16
  # Rows of transient values in a frame, and objects that are looked at for them.
  @most_rows 2_048
  # An engine is told its number when it is so far behind, though nothing of it was for this zone.
  @most_behind 1_000
  # Files that nodes show: as many as an engine takes.
  @most_assets 4_096

  @typedoc """
  What a zone does: the number that its engine is at with all that was sent, the frames that were (of nodes, and all of both lanes), chunks that it holds or was told that
  it has, those that are being made, those that could not be made, viewers that wanted too much, and whether a lane is full.
  """
  @type info :: %{
          pid: pid(),
          rev: non_neg_integer(),
          frames: non_neg_integer(),
          chunks: non_neg_integer(),
          making: non_neg_integer(),
          failed: non_neg_integer(),
          refused: non_neg_integer(),
          waiting: [:live | :bulk]
        }

  @spec start_link(map()) :: GenServer.on_start()
  def start_link(start), do: GenServer.start_link(__MODULE__, start)

  @doc false
  @spec info(pid()) :: info() | nil
  def info(zone) do
    GenServer.call(zone, :info)
  catch
    :exit, _gone -> nil
  end

  @impl true
  def init(start) do
    state = %{
      zone: start.zone,
      tables: start.tables,
      journal: start.journal,
      needs: start.needs,
      memory: start.memory,
      flag: start.flag,
      options: start.options,
      link: start.options.link,
      owner: Process.monitor(start.owner),
      opening: Process.send_after(self(), :opening, @opening),
      connection: nil,
      # `:opening`, `:resuming` when the first frame is to be sent, `:open`.
      stage: :opening,
      resumed: nil,
      # The number that the engine is at, and the last one that it was told.
      rev: 0,
      told: 0,
      floor: 0,
      # The last transient value that was sent, and objects that were made since and have some.
      sequence: 0,
      made: [],
      meshes: %Meshes{},
      chunks: nil,
      # Meshes on their way that frames of nodes wait for, and those that the engine asked for.
      mesh: nil,
      again: %{},
      outgoing: [],
      # Files that nodes show: those that were sent or are on their way, those that wait, the one that is made, the one that is there.
      assets: MapSet.new(),
      asset_queue: :queue.new(),
      asset: nil,
      turn: :asset,
      full: MapSet.new(),
      pumping?: false,
      frames: 0
    }

    {:ok, state}
  end

  @impl true
  def handle_call(:info, _from, state) do
    info = %{
      pid: self(),
      rev: state.rev,
      frames: state.frames,
      chunks: if(state.chunks, do: map_size(state.chunks.held), else: 0),
      making: if(state.chunks, do: map_size(state.chunks.jobs), else: 0),
      failed: if(state.chunks, do: state.chunks.failed, else: 0),
      refused: if(state.chunks, do: state.chunks.refused, else: 0),
      waiting: MapSet.to_list(state.full)
    }

    {:reply, info, state}
  end

  @impl true
  def handle_info({:wasgo_godot, :open, connection}, %{stage: :opening} = state) do
    Process.demonitor(state.owner, [:flush])
    Process.cancel_timer(state.opening)
    state = %{state | connection: connection, owner: Process.monitor(connection.pid)}

    # What scripts and the game say is for others.
    with :ok <- state.link.subscribe(connection, [:resume, :want, :viewers]),
         do: hear(state),
         else: (_gone -> {:stop, :normal, state})
  end

  def handle_info(:opening, %{stage: :opening} = state), do: {:stop, :normal, state}

  def handle_info({:DOWN, owner, :process, _pid, _reason}, %{owner: owner} = state),
    do: {:stop, :normal, state}

  def handle_info({:wasgo_godot, :events, _connection}, state), do: hear(state)

  def handle_info({:wasgo_godot, {:room, lane}, _connection}, state),
    do: go_on(%{state | full: MapSet.delete(state.full, lane)})

  def handle_info({World, :changed}, state), do: go_on(state)
  def handle_info(:pump, state), do: go_on(%{state | pumping?: false})

  def handle_info(:tick, state) do
    Process.send_after(self(), :tick, state.options.tick)
    state |> transient() |> ended_or()
  end

  def handle_info({Making, job, result}, state) do
    Process.demonitor(job, [:flush])
    state |> made(job, result) |> go_on()
  end

  def handle_info({:DOWN, job, :process, _pid, reason}, state),
    do: state |> made(job, {:error, reason}) |> go_on()

  def handle_info(_other, state), do: {:noreply, state}

  ## What the engine says

  defp hear(state) do
    case state.link.events(state.connection) do
      {:ok, events, _dropped} -> events |> Enum.reduce(state, &heard/2) |> go_on()
      {:error, _gone} -> {:stop, :normal, state}
    end
  end

  # Its first word says what it holds; another one after that means nothing.
  defp heard({:resume, resume}, %{stage: :opening} = state) do
    newest = State.rev(state.tables)
    floor = State.floor(state.tables)
    reset? = resume.rev == 0 or resume.rev < floor or resume.rev > newest
    rev = if reset?, do: 0, else: resume.rev
    {memory, sequence} = Memory.begin(state.memory, rev, reset?)

    about = %{
      tables: state.tables,
      journal: state.journal,
      needs: state.needs,
      cache: state.options.cache,
      most: state.options.most,
      most_chunks: state.options.most_chunks
    }

    Process.send_after(self(), :tick, state.options.tick)

    %{
      state
      | stage: :resuming,
        resumed: %{"reset" => reset?, "rev" => rev},
        rev: rev,
        told: rev,
        floor: floor,
        sequence: sequence,
        memory: memory,
        meshes: Meshes.new(resume.meshes, resume.mesh_hashes, resume.have),
        chunks: Chunks.new(about, resume.keys, resume.hashes, resume.have)
    }
  end

  defp heard(_before_that, %{stage: :opening} = state), do: state

  defp heard({:viewers, viewers}, state),
    do: %{state | chunks: Chunks.viewers(state.chunks, viewers)}

  defp heard({:want, "chunk", keys}, state),
    do: %{state | chunks: Chunks.wanted(state.chunks, keys)}

  defp heard({:want, "mesh", names}, state), do: Enum.reduce(names, state, &mesh_wanted/2)
  defp heard(_other, state), do: state

  defp mesh_wanted(name, state) do
    case Meshes.lost(state.meshes, name) do
      {{:chunk, _digest, address}, meshes} ->
        state = %{state | meshes: meshes}
        # What it stands in is made again for it; the chunk itself need not be sent.
        mesh_of_chunk(state, name, address)

      {{:world, key, hash}, meshes} ->
        begin_again(%{state | meshes: meshes}, {:world, key, hash})

      {nil, meshes} ->
        %{state | meshes: meshes}
    end
  end

  defp mesh_of_chunk(state, name, {address, neighbours}) do
    case State.plan(state.tables) do
      nil ->
        state

      plan ->
        work = Wasgo.Gen.Work.new(plan, address, neighbours)
        begin_again(state, {:chunk, name, work})
    end
  end

  # One job each, and no more than so many at once: an engine that asks for more asks again.
  defp begin_again(state, what) do
    if map_size(state.again) >= @most_assets or what in Map.values(state.again) do
      state
    else
      %{journal: journal, options: %{cache: cache}} = state

      job =
        case what do
          {:world, {:mesh, name}, hash} ->
            Making.start(fn -> Making.world_mesh(journal, name, hash) end)

          {:chunk, name, work} ->
            Making.start(fn ->
              with {:ok, _fields, meshes} <- Making.chunk(work, <<0::128>>, cache, %{}),
                   do: {:ok, for({^name, _, _} = mesh <- meshes, do: mesh)}
            end)
        end

      put_in(state.again[job], what)
    end
  end

  ## What was made

  defp made(%{mesh: {job, key, hash}} = state, job, result) do
    case result do
      {:ok, meshes} ->
        %{state | mesh: nil, outgoing: state.outgoing ++ from(meshes, {:world, key, hash})}

      # It can't be read: nodes that show it are an error in the engine, and the rest goes on.
      {:error, _error} ->
        {:mesh, name} = key
        short = Meshes.short(hash)
        meshes = Meshes.put(state.meshes, Meshes.world_name(name), short, {:world, key, hash})
        %{state | mesh: nil, meshes: meshes}
    end
  end

  defp made(%{asset: {:making, job, hash}} = state, job, result) do
    case result do
      {:ok, fields} -> %{state | asset: {:ready, hash, fields}}
      {:error, _error} -> %{state | asset: nil}
    end
  end

  defp made(%{again: again} = state, job, result) when is_map_key(again, job) do
    {what, again} = Map.pop!(again, job)
    state = %{state | again: again}

    case {result, what} do
      {{:ok, meshes}, {:world, _key, _hash} = from} ->
        %{state | outgoing: state.outgoing ++ from(meshes, from)}

      {{:ok, meshes}, {:chunk, _name, work}} ->
        %{state | outgoing: state.outgoing ++ from(meshes, origin(work))}

      _error ->
        state
    end
  end

  defp made(%{chunks: nil} = state, _job, _result), do: state

  defp made(state, job, result) do
    case Chunks.made(state.chunks, job, result) do
      {:ok, chunks} -> %{state | chunks: chunks}
      :unknown -> state
    end
  end

  defp from(meshes, from), do: for({_, _, _} = mesh <- meshes, do: {mesh, from})
  defp origin(work), do: {:chunk, work.plan.digest, {work.address, work.neighbours}}

  ## What is sent

  defp go_on(state), do: state |> pump() |> ended_or()

  defp ended_or({:stop, state}), do: {:stop, :normal, state}
  defp ended_or(state), do: {:noreply, state}

  defp pump(%{stage: :opening} = state), do: state

  defp pump(state) do
    with %{} = state <- live(state, @most_frames), do: bulk(state, @most_frames)
  end

  # The live lane: the answer to the engine's first word, meshes that are due, values of what was just made, then what changed.
  defp live(state, 0), do: later(state)

  defp live(state, left) do
    cond do
      full?(state, :live) -> state
      state.stage == :resuming -> resumed(state, left)
      state.outgoing != [] -> outgoing(state, left)
      state.made != [] -> values_of_made(state, left)
      state.mesh != nil -> state
      true -> changed(state, left)
    end
  end

  defp later(%{pumping?: true} = state), do: state

  defp later(state) do
    send(self(), :pump)
    %{state | pumping?: true}
  end

  defp full?(state, lane), do: MapSet.member?(state.full, lane)

  defp resumed(state, left) do
    with {:sent, state} <- put(state, "resumed", state.resumed, :live),
         do: live(%{state | stage: :open}, left - 1),
         else: (state -> given_up(state, &%{&1 | stage: :open}))
  end

  # Sends without waiting: `{:sent, state}`, the state in which the lane is full or the frame refused, or the end.
  defp put(state, kind, fields, lane) do
    case state.link.send(state.connection, kind, fields, timeout: 0, lane: lane) do
      {:ok, _number} ->
        {:sent, %{state | frames: state.frames + 1}}

      {:error, %GodotError{reason: :full}} ->
        %{state | full: MapSet.put(state.full, lane)}

      {:error, %GodotError{reason: {kind, _}}} when kind in [:encode, :too_large] ->
        {:refused, state}

      {:error, _gone} ->
        {:stop, state}
    end
  end

  # A frame that can't be sent at all is passed over.
  defp given_up({:refused, state}, pass), do: later(pass.(state))
  defp given_up(full_or_end, _pass), do: full_or_end

  defp outgoing(%{outgoing: [{{name, hash, _fields} = mesh, from} | rest]} = state, left) do
    with {:sent, state} <- put_mesh(state, mesh, from) do
      live(%{state | outgoing: rest}, left - 1)
    else
      other ->
        given_up(other, &%{&1 | outgoing: rest, meshes: Meshes.put(&1.meshes, name, hash, from)})
    end
  end

  defp put_mesh(state, {name, hash, fields}, from) do
    {kind, fields} =
      if MapSet.member?(state.meshes.have, hash),
        do: {"cached", Chunks.cached("mesh", [name], hash)},
        else: {"mesh", Map.put(fields, "hash", {:packed_byte, hash})}

    with {:sent, state} <- put(state, kind, fields, :live),
         do: {:sent, %{state | meshes: Meshes.put(state.meshes, name, hash, from)}}
  end

  defp changed(state, left) do
    # Whoever changes something after this tells of it.
    :atomics.put(state.flag, 1, 0)

    case Nodes.next(state, state.rev) do
      :none ->
        caught_up(state)

      {:passed, rev, notes} ->
        live(note(%{state | rev: rev}, notes), left - 1)

      {:mesh, {:mesh, name} = key, hash} ->
        live(mesh(state, key, name, hash), left - 1)

      {:frame, frame} ->
        if lost?(state), do: {:stop, state}, else: frame(state, frame, left)
    end
  end

  # Traces of removals that this engine has not heard of are gone: it comes back, and is sent everything.
  defp lost?(state) do
    floor = State.floor(state.tables)
    floor > state.floor and state.rev < floor
  end

  defp frame(state, frame, left) do
    with {:sent, state} <- put(state, frame.kind, frame.fields, :live) do
      Memory.sent(state.memory, frame.rev, frame.objects, state.sequence)
      made = for {id, :there} <- frame.objects, frame.kind == "spawn", do: id

      %{state | rev: frame.rev, told: frame.rev, made: made}
      |> assets(frame.assets)
      |> note(frame.notes)
      |> live(left - 1)
    else
      other -> given_up(other, &note(%{&1 | rev: frame.rev}, frame.notes))
    end
  end

  defp note(state, []), do: state

  defp note(state, notes) do
    chunks =
      Enum.reduce(notes, state.chunks, fn
        :plan, chunks -> Chunks.replan(chunks)
        {:chunk, address}, chunks -> Chunks.edited(chunks, address)
      end)

    %{state | chunks: chunks}
  end

  defp mesh(state, key, name, hash) do
    short = Meshes.short(hash)
    world_name = Meshes.world_name(name)

    if MapSet.member?(state.meshes.have, short) do
      %{state | outgoing: [{{world_name, short, %{}}, {:world, key, hash}}]}
    else
      %{journal: journal} = state
      job = Making.start(fn -> Making.world_mesh(journal, name, hash) end)
      %{state | mesh: {job, key, hash}}
    end
  end

  defp caught_up(state) do
    cond do
      lost?(state) ->
        {:stop, state}

      state.rev - state.told >= @most_behind ->
        with {:sent, state} <-
               put(state, "properties", %{"values" => %{}, "rev" => state.rev}, :live) do
          Memory.sent(state.memory, state.rev, [], state.sequence)
          %{state | told: state.rev}
        else
          other -> given_up(other, & &1)
        end

      true ->
        state
    end
  end

  ## Transient values

  # A node that was just made has what the journal says: scripts have moved it since.
  defp values_of_made(state, left) do
    rows =
      for id <- state.made,
          {_id, _rev, _zone, marks, body} when body != :gone <- [State.get(state.tables, id)],
          values = state.tables |> Transient.get(id) |> Transient.current(marks),
          values != [],
          do: {id, values}

    case send_rows(state, rows) do
      {:sent, state} -> live(%{state | made: []}, left - 1)
      other -> given_up(other, &%{&1 | made: []})
    end
  end

  defp transient(%{stage: :open} = state) do
    if full?(state, :live) or State.sequence(state.tables) == state.sequence,
      do: state,
      else: transient(state, @most_frames)
  end

  defp transient(state), do: state

  defp transient(state, 0), do: state

  defp transient(state, left) do
    case collect(state, state.sequence, @most_rows, []) do
      {sequence, rows} when sequence > state.sequence ->
        case send_rows(state, rows) do
          {:sent, state} -> transient(%{state | sequence: sequence}, left - 1)
          other -> given_up(other, &%{&1 | sequence: sequence})
        end

      _nothing ->
        state
    end
  end

  defp collect(_state, sequence, 0, rows), do: {sequence, rows}

  defp collect(state, sequence, left, rows) do
    case Transient.next(state.tables, sequence) do
      nil -> {sequence, rows}
      {number, id, columns} -> collect(state, number, left - 1, row(state, id, columns) ++ rows)
    end
  end

  # Of objects that the engine has; those that it is sent later come with their values.
  defp row(state, id, columns) do
    with {_id, _rev, zone, marks, body} = entry when body != :gone <- State.get(state.tables, id),
         true <- zone in [nil, state.zone],
         what when what != :gone <- Memory.of(state.memory, entry),
         [_ | _] = values <- Transient.current(columns, marks, state.sequence) do
      [{id, values}]
    else
      _nothing -> []
    end
  end

  # Objects with the same columns have a frame together.
  defp send_rows(state, rows) do
    rows
    |> Enum.group_by(fn {_id, values} -> Enum.map(values, &elem(&1, 0)) end)
    |> Enum.reduce_while({:sent, state}, fn {_columns, rows}, {:sent, state} ->
      case put(state, "rows", Nodes.rows(rows), :live) do
        {:sent, state} -> {:cont, {:sent, state}}
        other -> {:halt, other}
      end
    end)
  end

  ## The bulk lane

  defp bulk(state, 0), do: later(state)

  defp bulk(%{stage: :open} = state, left) do
    state = asset(state)

    case {state.asset, Chunks.next(state.chunks)} do
      # Files of nodes and chunks take turns.
      {{:ready, _hash, fields}, chunk} when chunk == nil or state.turn == :asset ->
        if full?(state, :bulk), do: state, else: put_asset(%{state | turn: :chunk}, fields, left)

      {_none, nil} ->
        fill(state, left)

      {_none, item} ->
        if full?(state, :bulk), do: state, else: item(%{state | turn: :asset}, item, left)
    end
  end

  defp bulk(state, _left), do: state

  # Nothing is begun while there is no room for what is there.
  defp fill(state, left) do
    if full?(state, :bulk) do
      state
    else
      case Chunks.fill(state.chunks, state.meshes) do
        {:more, chunks} ->
          later(%{state | chunks: chunks})

        {:done, chunks} ->
          state = %{state | chunks: chunks}
          if Chunks.next(chunks), do: bulk(state, left - 1), else: state
      end
    end
  end

  # Its meshes first, by the live lane: a frame of the bulk lane waits for what was sent there before.
  defp item(state, item, left) do
    missing =
      Enum.find(Chunks.meshes(item), fn {name, hash, _fields} ->
        not Meshes.held?(state.meshes, name, hash)
      end)

    case missing do
      nil -> put_item(state, item, left)
      mesh -> item_mesh(state, item, mesh, left)
    end
  end

  defp item_mesh(state, item, {name, hash, fields} = mesh, left) do
    cond do
      full?(state, :live) ->
        state

      fields == nil and not MapSet.member?(state.meshes.have, hash) ->
        bulk(%{state | chunks: Chunks.again(state.chunks, item)}, left - 1)

      true ->
        with {:sent, state} <- put_mesh(state, mesh, Chunks.origin(state.chunks, item, name)),
             do: bulk(state, left - 1),
             else: (other -> given_up(other, &%{&1 | chunks: Chunks.refuse(&1.chunks, item)}))
    end
  end

  defp put_item(state, item, left) do
    {kind, fields} = Chunks.frame(item)

    with {:sent, state} <- put(state, kind, fields, :bulk),
         do: bulk(%{state | chunks: Chunks.done(state.chunks, item)}, left - 1),
         else: (other -> given_up(other, &%{&1 | chunks: Chunks.refuse(&1.chunks, item)}))
  end

  defp put_asset(state, fields, left) do
    with {:sent, state} <- put(state, "asset", fields, :bulk),
         do: bulk(%{state | asset: nil}, left - 1),
         else: (other -> given_up(other, &%{&1 | asset: nil}))
  end

  defp assets(state, hashes) do
    Enum.reduce(hashes, state, fn hash, state ->
      if MapSet.member?(state.assets, hash) or MapSet.size(state.assets) >= @most_assets do
        state
      else
        queue = :queue.in(hash, state.asset_queue)
        %{state | assets: MapSet.put(state.assets, hash), asset_queue: queue}
      end
    end)
  end

  # One at a time, and none before there is room.
  defp asset(%{asset: nil} = state) do
    with false <- full?(state, :bulk),
         {{:value, hash}, queue} <- :queue.out(state.asset_queue) do
      %{journal: journal} = state
      job = Making.start(fn -> Making.asset(journal, hash) end)
      %{state | asset: {:making, job, hash}, asset_queue: queue}
    else
      _full_or_none -> state
    end
  end

  defp asset(state), do: state
end
