defmodule Wasgo.World.Zone.Bulk do
  @moduledoc false
  # The bulk lane of a zone: chunks, and files of nodes that the engine asks for. Nothing is begun while there is no room for what is there.

  import Wasgo.World.Zone.Sending

  alias Wasgo.World.Zone.{Chunks, Have, Making, Meshes}

  # Files that wait: as many as an engine takes.
  @most_assets 4_096

  @doc false
  # At most so many frames.
  def bulk(state, 0), do: later(state)

  def bulk(%{stage: :open} = state, left) do
    state = asset(state)

    case {state.asset, Chunks.next(state.chunks, Meshes.together(state.meshes))} do
      # Files of nodes and chunks take turns.
      {{:ready, fields, _hash}, chunk} when chunk == nil or state.turn == :asset ->
        if full?(state, :bulk), do: state, else: put_asset(%{state | turn: :chunk}, fields, left)

      {_none, nil} ->
        fill(state, left)

      {_none, item} ->
        if full?(state, :bulk), do: state, else: item(%{state | turn: :asset}, item, left)
    end
  end

  def bulk(state, _left), do: state

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
    needed = Chunks.meshes(item)
    names = for {name, _hash, _fields} <- needed, do: name

    missing =
      Enum.find(needed, fn {name, hash, _fields} -> not Meshes.held?(state.meshes, name, hash) end)

    case missing do
      nil -> put_item(state, item, names, left)
      mesh -> item_mesh(state, item, mesh, names, left)
    end
  end

  defp item_mesh(state, item, {name, hash, fields} = mesh, names, left) do
    cond do
      full?(state, :live) ->
        state

      fields == nil and not Have.member?(state.meshes.have, hash) ->
        bulk(%{state | chunks: Chunks.again(state.chunks, item)}, left - 1)

      true ->
        from = Chunks.origin(state.chunks, item, name)

        with {:sent, state} <- put_mesh(state, mesh, from, names),
             do: bulk(state, left - 1),
             else: (other -> given_up(other, &%{&1 | chunks: Chunks.refuse(&1.chunks, item)}))
    end
  end

  defp put_item(state, item, names, left) do
    {kind, fields} = Chunks.frame(item)

    with {:sent, state} <- put(state, kind, fields, :bulk) do
      meshes = Meshes.use_all(state.meshes, names)
      bulk(%{state | chunks: Chunks.done(state.chunks, item), meshes: meshes}, left - 1)
    else
      other -> given_up(other, &%{&1 | chunks: Chunks.refuse(&1.chunks, item)})
    end
  end

  defp put_asset(state, fields, left) do
    with {:sent, state} <- put(state, "asset", fields, :bulk),
         do: bulk(%{state | asset: nil}, left - 1),
         else: (other -> given_up(other, &%{&1 | asset: nil}))
  end

  @doc false
  # The engine wants these files, by the names that they have on the wire.
  def wanted(state, hashes) do
    Enum.reduce(hashes, state, fn hash, state ->
      if MapSet.member?(state.assets, hash) or MapSet.size(state.assets) >= @most_assets or
           match?({_stage, _, ^hash}, state.asset) do
        state
      else
        hash = :binary.copy(hash)
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
      assets = MapSet.delete(state.assets, hash)
      %{state | asset: {:making, job, hash}, asset_queue: queue, assets: assets}
    else
      _full_or_none -> state
    end
  end

  defp asset(state), do: state
end
