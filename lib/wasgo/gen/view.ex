defmodule Wasgo.Gen.View do
  @moduledoc false
  # What one stream has sent of what viewers want, and what it sends next. A value: whoever has it does the work.

  alias Wasgo.Gen.Tiling

  @enforce_keys [:tiling]
  defstruct [
    :tiling,
    # Viewers as they were looked at: `%{id => viewer}`, with positions that only change by steps.
    seen: %{},
    # Those that want too much, as they were when that was told.
    refused: %{},
    wanted: %{},
    # With which neighbours a tile was sent, or could not be made, or was begun.
    sent: %{},
    failed: %{},
    begun: %{},
    # What is wanted and neither of these, nearest first.
    todo: [],
    # What was sent and is not wanted any more: how many tiles have to be sent in its place before it may go, by which, and those that may.
    stale: %{},
    holds: %{},
    gone: []
  ]

  @type t :: %__MODULE__{}

  @spec new(Tiling.t()) :: t()
  def new(tiling), do: %__MODULE__{tiling: tiling}

  # What somebody holds from before: it covers its place, and is looked at anew as soon as it is wanted. Before the first look.
  @spec hold(t(), [Tiling.address()]) :: t()
  def hold(view, addresses), do: %{view | sent: Map.new(addresses, &{&1, :held})}

  # Those of the tiles that were sent, begun or failed are to be made once more; what was sent stays in its place until then.
  @spec again(t(), [Tiling.address()]) :: t()
  def again(view, addresses) do
    sent = Enum.filter(addresses, &is_map_key(view.sent, &1))

    view = %{
      view
      | sent: Enum.reduce(sent, view.sent, &Map.put(&2, &1, :held)),
        failed: Map.drop(view.failed, addresses),
        begun: Map.drop(view.begun, addresses)
    }

    plan(view, view.wanted)
  end

  # Takes note of where the viewers are; an error for each of those that want too much and did not before.
  @spec look(t(), [Tiling.viewer()]) :: {[Exception.t()], t()}
  def look(view, viewers) do
    {admitted, refused} = Tiling.admit(view.tiling, viewers)
    by_id = Map.new(viewers, &{&1.id, Map.delete(&1, :position)})
    now = Map.new(refused, fn {id, _error} -> {id, by_id[id]} end)
    errors = for {id, error} <- refused, view.refused[id] != now[id], do: error

    admitted = Enum.map(admitted, &seen(&1, view))
    seen = Map.new(admitted, &{&1.id, &1})
    view = %{view | refused: now}

    if seen == view.seen,
      do: {errors, view},
      else: {errors, plan(%{view | seen: seen}, Tiling.tiles(view.tiling, admitted))}
  end

  # A viewer that is less than a step from where it was seen is seen there still.
  defp seen(viewer, %{tiling: tiling, seen: seen}) do
    step = Tiling.step(tiling)
    at = flat(tiling, viewer.position)
    before = seen[viewer.id]

    if before != nil and near?(at, before.position, step),
      do: %{viewer | position: before.position},
      else: %{viewer | position: rounded(at, step)}
  end

  # What stands on the ground sees as much from a tower.
  defp flat(tiling, {x, _y, z} = position),
    do: if(Tiling.flat?(tiling), do: {x, 0.0, z}, else: position)

  defp near?({x, y, z}, {before_x, before_y, before_z}, step),
    do: abs(x - before_x) < step and abs(y - before_y) < step and abs(z - before_z) < step

  defp rounded({x, y, z}, step) do
    {round(x / step) * step, round(y / step) * step, round(z / step) * step}
  end

  # What there is to do for what is wanted now, from what was done.
  defp plan(view, wanted) do
    same? = fn {address, neighbours} ->
      match?(%{^address => {_distance2, ^neighbours, _viewers}}, wanted)
    end

    failed = Map.filter(view.failed, same?)
    begun = Map.filter(view.begun, same?)

    todo =
      for {address, {distance2, neighbours, _viewers}} <- wanted,
          Enum.all?([view.sent, failed, begun], &(Map.get(&1, address) != neighbours)),
          do: {distance2, address}

    settle(%{view | wanted: wanted, failed: failed, begun: begun, todo: Enum.sort(todo)})
  end

  # A tile that is not wanted any more stays until all that takes its place is there, so that there is no hole: those within it, and the one that it is
  # within. What nothing takes the place of goes at once.
  defp settle(view) do
    stale = for {address, _} <- view.sent, not is_map_key(view.wanted, address), do: address
    stale = Map.new(stale, &{&1, 0})
    missing = for {address, _} <- view.wanted, not there?(view, address), do: address

    {stale, holds} =
      if map_size(stale) == 0 do
        {stale, %{}}
      else
        missing_now = MapSet.new(missing)

        pairs =
          for(
            tile <- missing,
            up <- Tiling.above(view.tiling, tile),
            is_map_key(stale, up),
            do: {tile, up}
          ) ++
            for tile <- Map.keys(stale),
                up <- Tiling.above(view.tiling, tile),
                MapSet.member?(missing_now, up),
                do: {up, tile}

        stale =
          Enum.reduce(pairs, stale, fn {_by, tile}, all -> Map.update!(all, tile, &(&1 + 1)) end)

        {stale, Enum.group_by(pairs, &elem(&1, 0), &elem(&1, 1))}
      end

    {free, held} = Enum.split_with(stale, fn {_address, count} -> count == 0 end)

    %{
      view
      | stale: Map.new(held),
        holds: holds,
        gone: free |> Enum.map(&elem(&1, 0)) |> Enum.sort()
    }
  end

  # Whatever neighbours it was sent with: it covers its place.
  defp there?(view, address),
    do: is_map_key(view.sent, address) or is_map_key(view.failed, address)

  # The nearest tile that is to be made: from now on it is begun.
  @spec next(t()) :: {Tiling.address(), neighbours :: binary(), t()} | :none
  def next(%{todo: []}), do: :none

  def next(%{todo: [{_distance2, address} | todo]} = view) do
    {_distance2, neighbours, _viewers} = Map.fetch!(view.wanted, address)
    {address, neighbours, %{view | todo: todo, begun: Map.put(view.begun, address, neighbours)}}
  end

  @spec begun?(t(), Tiling.address(), binary()) :: boolean()
  def begun?(view, address, neighbours), do: Map.get(view.begun, address) == neighbours

  # Who wants a tile.
  @spec viewers(t(), Tiling.address()) :: [term()]
  def viewers(view, address), do: view.wanted |> Map.fetch!(address) |> elem(2)

  # A tile that was begun is sent, or can't be made: then nothing is told of it later.
  @spec done(t(), Tiling.address(), :sent | :failed) :: t()
  def done(view, address, what) do
    {neighbours, begun} = Map.pop!(view.begun, address)
    view = Map.update!(%{view | begun: begun}, what, &Map.put(&1, address, neighbours))
    {held, holds} = Map.pop(view.holds, address, [])
    Enum.reduce(held, %{view | holds: holds}, &release/2)
  end

  defp release(address, view) do
    case Map.fetch!(view.stale, address) do
      1 -> %{view | stale: Map.delete(view.stale, address), gone: view.gone ++ [address]}
      count -> %{view | stale: Map.put(view.stale, address, count - 1)}
    end
  end

  # A tile that was sent and may go.
  @spec gone(t()) :: {Tiling.address(), t()} | :none
  def gone(%{gone: []}), do: :none

  def gone(%{gone: [address | gone]} = view),
    do: {address, %{view | gone: gone, sent: Map.delete(view.sent, address)}}

  # Whether all that is wanted was sent, and nothing else is there.
  @spec complete?(t()) :: boolean()
  def complete?(view), do: view.todo == [] and view.begun == %{} and view.gone == []
end
