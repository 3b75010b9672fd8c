defmodule Wasgo.World.Loading do
  @moduledoc false
  # A world read from its journal into tables. Of each thing the newest row counts; the others are named, so that they can be deleted.

  alias Wasgo.Gen
  alias Wasgo.World.{Body, Journal, Object, State}
  alias Wasgo.WorldError

  @type loaded :: %{
          dead: [pos_integer()],
          traces: [{pos_integer(), State.key()}],
          refs: %{binary() => pos_integer()},
          uses: %{String.t() => pos_integer()},
          counts: map(),
          next_id: non_neg_integer(),
          held: MapSet.t(binary()),
          aside: [pos_integer()],
          highest: non_neg_integer()
        }

  @doc false
  # With `repair?` a row that cannot be read is put aside, and the rest is the world.
  @spec load(State.t(), Journal.t(), boolean()) :: {:ok, loaded()} | {:error, WorldError.t()}
  def load(state, journal, repair?) do
    with {:ok, {dead, highest}, aside} <- entries(state, journal, repair?, []),
         {:ok, hashes} <- Journal.payload_hashes(journal),
         held = MapSet.new(hashes),
         counted = count(state),
         orphans = Enum.reject(hashes, &is_map_key(counted.refs, &1)),
         :ok <- Journal.drop_payloads(journal, orphans),
         held = MapSet.difference(held, MapSet.new(orphans)),
         :ok <- complete(counted.refs, held, repair?),
         :ok <- plan(state, journal) do
      {:ok, Map.merge(counted, %{dead: dead, held: held, aside: aside, highest: highest})}
    end
  end

  defp entries(state, journal, repair?, aside) do
    result =
      Journal.fold(journal, {[], 0}, fn {rev, {key, zone, marks, body}}, {dead, highest} ->
        case State.put(state, {key, rev, zone, marks, body}) do
          nil -> {dead, max(rev, highest)}
          # Reading began anew.
          {_key, ^rev, _zone, _marks, _body} -> {dead, max(rev, highest)}
          before -> {[elem(before, 1) | dead], max(rev, highest)}
        end
      end)

    case result do
      {:ok, found} ->
        {:ok, found, aside}

      {:error, %WorldError{reason: {:damaged, rev}}} when repair? ->
        with :ok <- Journal.set_aside(journal, rev) do
          :ets.delete_all_objects(state.main)
          :ets.delete_all_objects(state.index)
          entries(state, journal, repair?, [rev | aside])
        end

      {:error, error} ->
        {:error, error}
    end
  end

  defp count(state) do
    empty = %{
      refs: %{},
      uses: %{},
      counts: %{objects: 0, meshes: 0, chunks: 0, properties: 0, plans: 0},
      next_id: 1,
      traces: []
    }

    counted = :ets.foldl(&count/2, empty, state.main)
    %{counted | traces: Enum.sort(counted.traces)}
  end

  defp count({key, rev, _zone, _marks, :gone}, counted) do
    counted = if is_integer(key), do: next_id(counted, key), else: counted
    %{counted | traces: [{rev, key} | counted.traces]}
  end

  defp count({id, _rev, zone, _marks, body}, counted) when is_integer(id) do
    object = Body.decode(id, zone, body)
    counted = counted |> next_id(id) |> add(:counts, :objects)
    counted = if object.glb, do: add(counted, :refs, object.glb), else: counted
    if object.mesh, do: add(counted, :uses, object.mesh), else: counted
  end

  defp count({:plan, _rev, _zone, _marks, hash}, counted),
    do: counted |> add(:counts, :plans) |> add(:refs, hash)

  defp count({{:property, _}, _rev, _zone, _marks, _body}, counted),
    do: add(counted, :counts, :properties)

  defp count({{:mesh, _}, _rev, _zone, _marks, hash}, counted),
    do: counted |> add(:counts, :meshes) |> add(:refs, hash)

  defp count({{:chunk, _}, _rev, _zone, _marks, hash}, counted),
    do: counted |> add(:counts, :chunks) |> add(:refs, hash)

  defp next_id(counted, id),
    do: %{counted | next_id: max(counted.next_id, min(id, Object.most_id()) + 1)}

  defp add(counted, what, key),
    do: Map.update!(counted, what, &Map.update(&1, key, 1, fn count -> count + 1 end))

  defp complete(_refs, _held, true), do: :ok

  defp complete(refs, held, false) do
    case Enum.find(Map.keys(refs), &(not MapSet.member?(held, &1))) do
      nil -> :ok
      hash -> Journal.lost(hash)
    end
  end

  defp plan(state, journal) do
    case State.get(state, :plan) do
      {:plan, _rev, _zone, _marks, hash} when is_binary(hash) ->
        with {:ok, bytes} <- Journal.payload(journal, hash),
             {json, scripts} = :erlang.binary_to_term(bytes),
             {:ok, plan} <- Gen.from_json(json, scripts: scripts) do
          State.put_plan(state, plan)
          :ok
        else
          {:error, %WorldError{} = error} ->
            {:error, error}

          {:error, error} ->
            {:error,
             %WorldError{
               reason: :plan,
               cause: error,
               message: "the world's plan cannot be made: #{Exception.message(error)}"
             }}
        end

      _none ->
        :ok
    end
  end
end
