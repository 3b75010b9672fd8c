defmodule Wasgo.World.Zone.Live do
  @moduledoc false
  # The live lane of a zone: what is small and urgent. What nodes there are and how they changed, in the order of the journal; and the newest of what scripts move.

  import Wasgo.World.Zone.Sending

  alias Wasgo.World.{State, Transient}
  alias Wasgo.World.Transient.Cursor
  alias Wasgo.World.Zone.{Chunks, Have, Making, Memory, Meshes, Nodes}

  # Rows of transient values in a frame.
  @most_rows 2_048
  # An engine is told its number when it is so far behind, though nothing of it was for this zone.
  @most_behind 1_000

  @doc false
  # The answer to the engine's first word, meshes that are due, values of what was just made, then what changed.
  def live(state, 0), do: later(state)

  def live(state, left) do
    cond do
      full?(state, :live) -> state
      state.stage == :resuming -> resumed(state, left)
      state.outgoing != [] -> outgoing(state, left)
      state.made != [] -> values_of_made(state, left)
      state.mesh != nil -> state
      true -> changed(state, left)
    end
  end

  defp resumed(state, left) do
    with {:sent, state} <- put(state, "resumed", state.resumed, :live),
         do: live(%{state | stage: :open}, left - 1),
         else: (state -> given_up(state, &%{&1 | stage: :open}))
  end

  defp outgoing(%{outgoing: [{{name, hash, _fields} = mesh, from} | rest]} = state, left) do
    with {:sent, state} <- put_mesh(state, mesh, from) do
      live(%{state | outgoing: rest}, left - 1)
    else
      other ->
        given_up(other, &%{&1 | outgoing: rest, meshes: Meshes.put(&1.meshes, name, hash, from)})
    end
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
      Memory.sent(state.memory, frame.rev, frame.objects, state.values.from)
      nodes = Map.get(frame.fields, "nodes", [])
      made = for %{"id" => id} <- nodes, do: id
      meshes = Meshes.use_all(state.meshes, for(%{"mesh" => name} <- nodes, do: name))

      %{state | rev: frame.rev, told: frame.rev, made: made, meshes: meshes}
      |> note(frame.notes)
      |> live(left - 1)
    else
      other -> given_up(other, &note(%{&1 | rev: frame.rev}, frame.notes))
    end
  end

  defp note(state, []), do: state

  defp note(state, notes) do
    edits = for {:chunk, address} <- notes, do: address
    chunks = if :plan in notes, do: Chunks.replan(state.chunks), else: state.chunks
    %{state | chunks: Chunks.edited(chunks, edits)}
  end

  defp mesh(state, key, name, hash) do
    short = Meshes.short(hash)
    world_name = Meshes.world_name(name)

    if Have.member?(state.meshes.have, short) do
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
          Memory.sent(state.memory, state.rev, [], state.values.from)
          %{state | told: state.rev}
        else
          other -> given_up(other, & &1)
        end

      true ->
        state
    end
  end

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

  @doc false
  # The values that are newer than those that were sent, in at most so many frames.
  def transient(%{stage: :open} = state, most) do
    if full?(state, :live) or not Cursor.behind?(state.values, state.tables),
      do: state,
      else: values(state, most)
  end

  def transient(state, _most), do: state

  defp values(state, 0), do: state

  defp values(state, left) do
    case Cursor.read(state.values, state.tables, @most_rows, @most_rows, &row(state, &1, &2, &3)) do
      {[], cursor} when cursor.at == state.values.at ->
        %{state | values: cursor}

      {rows, cursor} ->
        case send_rows(state, rows) do
          {:sent, state} -> values(%{state | values: cursor}, left - 1)
          other -> given_up(other, &%{&1 | values: cursor})
        end
    end
  end

  # Of objects that the engine has; those that it is sent later come with their values.
  defp row(state, id, columns, beyond) do
    with {_id, _rev, zone, marks, body} = entry when body != :gone <- State.get(state.tables, id),
         true <- zone in [nil, state.zone],
         what when what != :gone <- Memory.of(state.memory, entry) do
      Transient.current(columns, marks, beyond)
    else
      _not_there -> []
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
end
