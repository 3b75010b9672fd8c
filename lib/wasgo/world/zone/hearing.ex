defmodule Wasgo.World.Zone.Hearing do
  @moduledoc false
  # What an engine says to its zone, and what was made for it: how the zone's state changes by it. Nothing is sent here.

  alias Wasgo.Gen.Work
  alias Wasgo.World.State
  alias Wasgo.World.Transient.Cursor
  alias Wasgo.World.Zone.{Bulk, Chunks, Have, Making, Memory, Meshes}

  # Meshes that are made again at once for an engine that asks.
  @most_again 1_024

  @doc false
  # Its first word says what it holds; another one after that means nothing.
  def heard({:resume, resume}, %{stage: :opening} = state) do
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

    have = Have.new(resume.have, resume.keeps)
    Process.send_after(self(), :tick, state.options.tick)

    %{
      state
      | stage: :resuming,
        resumed: %{"reset" => reset?, "rev" => rev},
        rev: rev,
        told: rev,
        floor: floor,
        values: Cursor.new(sequence),
        memory: memory,
        meshes: Meshes.new(resume.meshes, resume.mesh_hashes, resume.max_meshes, have),
        chunks: Chunks.new(about, resume.keys, resume.hashes, have)
    }
  end

  def heard(_before_that, %{stage: :opening} = state), do: state

  def heard({:viewers, viewers}, state),
    do: %{state | chunks: Chunks.viewers(state.chunks, viewers)}

  def heard({:want, "chunk", keys}, state),
    do: %{state | chunks: Chunks.wanted(state.chunks, keys)}

  def heard({:want, "mesh", names}, state), do: meshes_wanted(state, names)
  def heard({:want, "asset", hashes}, state), do: Bulk.wanted(state, hashes)
  def heard(_other, state), do: state

  defp meshes_wanted(state, names) do
    {froms, meshes} = Enum.map_reduce(names, state.meshes, &Meshes.lost(&2, &1))
    from_before = for {name, nil} <- Enum.zip(names, froms), do: name
    origins = if from_before == [], do: %{}, else: Chunks.origins(state.chunks, from_before)

    names
    |> Enum.zip(froms)
    |> Enum.reduce(%{state | meshes: meshes}, fn {name, from}, state ->
      case from || origins[name] || world_mesh(state, name) do
        # What it stands in is made again for it; the chunk itself need not be sent.
        {:chunk, _digest, address} -> mesh_of_chunk(state, name, address)
        {:world, _key, _hash} = mesh -> begin_again(state, mesh)
        nil -> state
      end
    end)
  end

  defp world_mesh(state, name) do
    with {:ok, key} <- Meshes.world_key(name),
         {^key, _rev, _zone, _marks, hash} when is_binary(hash) <- State.get(state.tables, key),
         do: {:world, key, hash},
         else: (_none -> nil)
  end

  defp mesh_of_chunk(state, name, {address, neighbours}) do
    case State.plan(state.tables) do
      nil ->
        state

      plan ->
        work = Work.new(plan, address, neighbours)
        begin_again(state, {:chunk, name, work})
    end
  end

  # One job each, and no more than so many at once: an engine that asks for more asks again.
  defp begin_again(state, what) do
    if map_size(state.again) >= @most_again or what in Map.values(state.again) do
      state
    else
      %{journal: journal, options: %{cache: cache}} = state

      job =
        case what do
          {:world, {:mesh, name}, hash} ->
            Making.start(fn -> Making.world_mesh(journal, name, hash) end)

          {:chunk, name, work} ->
            Making.start(fn ->
              with {:ok, _fields, meshes, _content} <- Making.chunk(work, <<0::128>>, cache, %{}),
                   do: {:ok, for({^name, _, _} = mesh <- meshes, do: mesh)}
            end)
        end

      put_in(state.again[job], what)
    end
  end

  @doc false
  # The answer of a job, whichever it is.
  def made(%{mesh: {job, key, hash}} = state, job, result) do
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

  def made(%{asset: {:making, job, hash}} = state, job, result) do
    case result do
      {:ok, fields} -> %{state | asset: {:ready, fields, hash}}
      {:error, _error} -> %{state | asset: nil}
    end
  end

  def made(%{again: again} = state, job, result) when is_map_key(again, job) do
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

  def made(%{chunks: nil} = state, _job, _result), do: state

  def made(state, job, result) do
    case Chunks.made(state.chunks, job, result, state.meshes) do
      {:ok, chunks} -> %{state | chunks: chunks}
      :unknown -> state
    end
  end

  defp from(meshes, from), do: for({_, _, _} = mesh <- meshes, do: {mesh, from})
  defp origin(work), do: {:chunk, work.plan.digest, {work.address, work.neighbours}}
end
