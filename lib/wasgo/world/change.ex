defmodule Wasgo.World.Change do
  @moduledoc false
  # A group of mutations that is to be committed: what the world is to be after it, laid over what it is. A value, and the world's tables are only read: until the
  # commit nothing has happened.

  alias Wasgo.World.{Body, Object, State}
  alias Wasgo.WorldError

  @enforce_keys [:state, :limits, :rev, :refs, :uses, :counts, :next_id]
  defstruct [
    :state,
    :limits,
    # The number of the last mutation.
    :rev,
    # How many entries name a payload, and how many objects a mesh.
    :refs,
    :uses,
    :counts,
    :next_id,
    entries: %{},
    # Payloads that come with the group, and those whose count has changed.
    payloads: %{},
    touched: MapSet.new(),
    plan: :same
  ]

  @type t :: %__MODULE__{}

  @typedoc "A mutation whose values were checked."
  @type mutation ::
          {:put, Object.t()}
          | {:update, non_neg_integer(), keyword()}
          | {:remove, non_neg_integer()}
          | {:set, State.key(), payload() | {:value, binary()}, term()}
          | {:unset, State.key()}

  @type payload :: {:bytes, binary(), binary()}

  @doc false
  # All of them, or an error and the change as it was. The ids are those of the objects, in order.
  @spec all(t(), [mutation()]) :: {:ok, t(), [term()]} | {:error, WorldError.t()}
  def all(change, mutations) do
    Enum.reduce_while(mutations, {:ok, change, []}, fn mutation, {:ok, change, ids} ->
      case one(%{change | rev: change.rev + 1}, mutation) do
        {:ok, change, id} -> {:cont, {:ok, change, [id | ids]}}
        {:error, _error} = error -> {:halt, error}
      end
    end)
    |> then(fn
      {:ok, change, ids} -> {:ok, change, Enum.reverse(ids)}
      error -> error
    end)
  end

  defp one(change, {:put, %Object{id: nil} = object}) do
    if change.next_id > Object.most_id(),
      do: limit(:objects),
      else: one(change, {:put, %{object | id: change.next_id}})
  end

  defp one(change, {:put, %Object{id: id} = object}) do
    before = get(change, id)

    with {:ok, change, object} <- name_payload(change, object),
         :ok <- mesh(change, object.mesh),
         {:ok, change} <- room(change, before, :objects) do
      change = %{change | next_id: max(change.next_id, id + 1)}
      {:ok, put_object(change, before, object), id}
    end
  end

  defp one(change, {:update, id, changes}) do
    with {:ok, before} <- object(change, id),
         object = decoded(before) |> Object.apply_changes(changes),
         :ok <- whole(object),
         {:ok, change, object} <- name_payload(change, object),
         :ok <- mesh(change, object.mesh) do
      {:ok, put_object(change, before, object), id}
    end
  end

  defp one(change, {:remove, id}) do
    with {:ok, {_id, _rev, zone, marks, _body} = before} <- object(change, id) do
      change = change |> unname(decoded(before)) |> count(:objects, -1)
      {:ok, put(change, {id, change.rev, zone, marks, :gone}), id}
    end
  end

  # Nothing but objects shows a mesh, and those that do must be put elsewhere first.
  defp one(change, {:unset, {:mesh, name} = key}) do
    case Map.get(change.uses, name, 0) do
      0 ->
        unset(change, key)

      count ->
        message = "the mesh #{inspect(name)} is shown by #{count} objects"
        {:error, %WorldError{reason: :in_use, field: "mesh", message: message}}
    end
  end

  defp one(change, {:unset, key}), do: unset(change, key)

  defp one(change, {:set, key, content, extra}) do
    before = get(change, key)

    with {:ok, change} <- room(change, before, kind(key)) do
      change = release(change, before)

      {change, body} =
        case content do
          {:value, body} -> {change, body}
          {:bytes, hash, bytes} -> {name(change, hash, bytes), hash}
        end

      change = if key == :plan, do: %{change | plan: extra}, else: change
      {:ok, put(change, {key, change.rev, nil, nil, body}), key}
    end
  end

  defp unset(change, key) do
    case get(change, key) do
      nil ->
        {:ok, change, key}

      {_key, _rev, _zone, _marks, :gone} ->
        {:ok, change, key}

      before ->
        change = change |> release(before) |> count(kind(key), -1)
        {:ok, put(change, {key, change.rev, nil, nil, :gone}), key}
    end
  end

  defp kind(:plan), do: :plans
  defp kind({:property, _}), do: :properties
  defp kind({:mesh, _}), do: :meshes
  defp kind({:chunk, _}), do: :chunks

  ## Objects

  @doc false
  # Which parts of an object changed last at which number.
  def marks(born, spawn, basis, position, properties, zone, handed?),
    do: {born, spawn, basis, position, properties, zone, handed?}

  defp put_object(change, before, object) do
    rev = change.rev

    {marks, change} =
      case before do
        nil ->
          {marks(rev, rev, rev, rev, rev, rev, false), change}

        # An engine may still have what was removed.
        {_id, _rev, _zone, _marks, :gone} ->
          {marks(rev, rev, rev, rev, rev, rev, true), change}

        {_id, _rev, zone, marks, _body} ->
          old = decoded(before)
          {remark(marks, old, object, zone != object.zone, rev), unname(change, old)}
      end

    change = use_mesh(change, object.mesh, 1)
    change = if object.glb, do: refer(change, object.glb, 1), else: change
    put(change, {object.id, rev, object.zone, marks, Body.encode(object)})
  end

  defp remark({born, spawn, basis, position, properties, zone, handed?}, old, new, moved?, rev) do
    <<old_basis::binary-36, old_origin::binary>> = old.transform
    <<new_basis::binary-36, new_origin::binary>> = new.transform
    at = fn changed?, before -> if changed?, do: rev, else: before end

    # Rows can set a property, and cannot take one back.
    parts = &{&1.name, &1.mesh, &1.glb, &1.scene, &1.colliders}
    lost? = Enum.any?(old.properties, fn {name, _} -> not is_map_key(new.properties, name) end)

    marks(
      born,
      at.(lost? or parts.(old) != parts.(new), spawn),
      at.(old_basis != new_basis, basis),
      at.(old_origin != new_origin, position),
      at.(old.properties != new.properties, properties),
      at.(moved?, zone),
      handed? or moved?
    )
  end

  defp object(change, id) do
    case get(change, id) do
      {_id, _rev, _zone, _marks, body} = entry when body != :gone -> {:ok, entry}
      _none -> unknown(id)
    end
  end

  defp unknown(id) do
    message = "the world has no object #{inspect(id, limit: 5, printable_limit: 60)}"
    {:error, %WorldError{reason: :unknown_object, field: "id", message: message}}
  end

  defp decoded({id, _rev, zone, _marks, body}), do: Body.decode(id, zone, body)

  defp whole(object) do
    if Enum.count([object.mesh, object.glb, object.scene], &(&1 != nil)) <= 1,
      do: :ok,
      else: WorldError.invalid("an object", "has one of mesh, glb and scene, or none")
  end

  defp unname(change, object) do
    change = use_mesh(change, object.mesh, -1)
    if object.glb, do: refer(change, object.glb, -1), else: change
  end

  defp mesh(_change, nil), do: :ok

  defp mesh(change, name) do
    case get(change, {:mesh, name}) do
      {_key, _rev, _zone, _marks, body} when body != :gone ->
        :ok

      _none ->
        message = "the world has no mesh #{inspect(name)}"
        {:error, %WorldError{reason: :unknown_mesh, field: "mesh", message: message}}
    end
  end

  defp use_mesh(change, nil, _by), do: change
  defp use_mesh(change, name, by), do: %{change | uses: add(change.uses, name, by)}

  ## Payloads

  defp name_payload(change, %{glb: {:bytes, hash, bytes}} = object),
    do: {:ok, offer(change, hash, bytes), %{object | glb: hash}}

  defp name_payload(change, %{glb: {:hash, hash}} = object) do
    if is_map_key(change.refs, hash) or is_map_key(change.payloads, hash) do
      {:ok, change, %{object | glb: hash}}
    else
      message = "the world has no payload #{Base.encode16(hash, case: :lower)}"
      {:error, %WorldError{reason: :unknown_payload, field: "glb", message: message}}
    end
  end

  defp name_payload(change, object), do: {:ok, change, object}

  defp name(change, hash, bytes), do: change |> offer(hash, bytes) |> refer(hash, 1)

  defp offer(change, hash, bytes), do: put_in(change.payloads[hash], bytes)

  defp refer(change, hash, by),
    do: %{change | refs: add(change.refs, hash, by), touched: MapSet.put(change.touched, hash)}

  defp release(change, {key, _rev, _zone, _marks, body}) when body != :gone do
    if match?({:property, _}, key), do: change, else: refer(change, body, -1)
  end

  defp release(change, _none), do: change

  # What nothing names is not in the map.
  defp add(counts, key, by) do
    case Map.get(counts, key, 0) + by do
      0 -> Map.delete(counts, key)
      count -> Map.put(counts, key, count)
    end
  end

  @doc false
  # What is to be done in the store for the group: rows by number, payloads to be kept, and those that nothing names any more.
  @spec written(t(), (binary() -> boolean())) ::
          {[State.entry()], [{binary(), binary()}], [binary()]}
  def written(change, held?) do
    entries = change.entries |> Map.values() |> Enum.sort_by(&elem(&1, 1))

    kept =
      for {hash, bytes} <- change.payloads,
          is_map_key(change.refs, hash),
          not held?.(hash),
          do: {hash, bytes}

    dropped =
      for hash <- change.touched, not is_map_key(change.refs, hash), held?.(hash), do: hash

    {entries, kept, dropped}
  end

  ## Entries

  @doc false
  @spec get(t(), State.key()) :: State.entry() | nil
  def get(change, key) do
    case change.entries do
      %{^key => entry} -> entry
      _committed -> State.get(change.state, key)
    end
  end

  defp put(change, {key, _rev, _zone, _marks, _body} = entry),
    do: %{change | entries: Map.put(change.entries, key, entry)}

  # One more, unless it takes the place of one.
  defp room(change, before, kind) do
    cond do
      before != nil and elem(before, 4) != :gone -> {:ok, change}
      Map.get(change.counts, kind, 0) >= Map.fetch!(change.limits, kind) -> limit(kind)
      true -> {:ok, count(change, kind, 1)}
    end
  end

  defp count(change, kind, by),
    do: %{change | counts: Map.update(change.counts, kind, by, &(&1 + by))}

  defp limit(kind), do: {:error, %WorldError{reason: {:limit, kind}}}
end
