defmodule Wasgo.World.Zone.Nodes do
  @moduledoc false
  # The next frame about nodes for an engine that is at a number: what changed after it, by the last change of each thing, in that order. Frames are cut so that
  # each ends at a number of its own, and none is large.

  alias Wasgo.Godot.Vector3
  alias Wasgo.World.{Body, Object, State}
  alias Wasgo.World.Zone.{Memory, Meshes}

  @most_nodes 64
  @most_bytes 65_536
  @most_rows 1_024
  @most_columns 64
  @most_ids 4_096
  # So many things that are nothing to this zone are passed over at once.
  @most_passed 4_096

  @typedoc """
  `rev` is the number that the engine is at with the frame, `objects` what it has then, `notes` what else changed on the way: `:plan` and `{:chunk, address}`.
  """
  @type frame :: %{
          kind: String.t(),
          fields: map(),
          rev: pos_integer(),
          objects: [{non_neg_integer(), :there | :gone}],
          notes: [term()]
        }

  @doc false
  # `about` has the zone's name, the world's tables, and what the engine holds.
  @spec next(map(), non_neg_integer()) ::
          {:frame, frame()}
          | {:passed, pos_integer(), notes :: [term()]}
          | {:mesh, State.key(), binary()}
          | :none
  def next(about, rev) do
    go(
      about,
      %{rev: rev, group: nil, items: [], size: 0, columns: %{}, notes: [], passed: 0},
      rev
    )
  end

  defp go(_about, %{passed: @most_passed} = run, from), do: done(run, from)

  defp go(about, run, from) do
    case State.next(about.tables, run.rev) do
      nil -> done(run, from)
      entry -> take(about, run, from, entry, kind(about, entry))
    end
  end

  defp take(about, run, from, entry, :skip), do: go(about, passed(run, entry), from)

  defp take(about, run, from, entry, {:note, note}),
    do: go(about, passed(%{run | notes: [note | run.notes]}, entry), from)

  # What shows a mesh goes after it.
  defp take(_about, %{group: nil, rev: from}, from, _entry, {:mesh, key, hash}),
    do: {:mesh, key, hash}

  defp take(_about, run, from, _entry, {:mesh, _key, _hash}), do: done(run, from)

  defp take(about, run, from, entry, {group, item, size, columns}) do
    merged = Map.merge(run.columns, Map.new(columns, &{&1, true}))

    if run.group in [nil, group] and fits?(group, run, size, merged) do
      run = %{
        run
        | group: group,
          items: [item | run.items],
          size: run.size + size,
          columns: merged,
          rev: elem(entry, 1)
      }

      go(about, run, from)
    else
      done(run, from)
    end
  end

  defp passed(run, entry), do: %{run | rev: elem(entry, 1), passed: run.passed + 1}

  defp fits?(_group, %{items: []}, _size, _columns), do: true

  defp fits?(group, run, size, columns) do
    length(run.items) < most(group) and run.size + size <= @most_bytes and
      map_size(columns) <= @most_columns
  end

  defp most({:spawn, _scene}), do: @most_nodes
  defp most(:rows), do: @most_rows
  defp most(:despawn), do: @most_ids
  defp most(:properties), do: @most_nodes

  ## What a change is to this engine

  defp kind(_about, {:plan, _rev, _zone, _marks, _body}), do: {:note, :plan}
  defp kind(_about, {{:chunk, _} = key, _rev, _zone, _marks, _body}), do: {:note, key}

  defp kind(_about, {{:property, name}, _rev, _zone, _marks, :gone}),
    do: {:properties, {name, nil}, 64, []}

  defp kind(_about, {{:property, name}, _rev, _zone, _marks, body}),
    do: {:properties, {name, :erlang.binary_to_term(body)}, 64 + byte_size(body), []}

  defp kind(_about, {{:mesh, _name}, _rev, _zone, _marks, :gone}), do: :skip

  defp kind(about, {{:mesh, name} = key, _rev, _zone, _marks, hash}) do
    if Meshes.held?(about.meshes, Meshes.world_name(name), Meshes.short(hash)),
      do: :skip,
      else: {:mesh, key, hash}
  end

  defp kind(about, {id, _rev, zone, _marks, body} = entry) do
    has = Memory.of(about.memory, entry)

    cond do
      body != :gone and zone in [nil, about.zone] -> shown(about, entry, has)
      has == :gone -> :skip
      true -> {:despawn, id, 8, []}
    end
  end

  # Rows can say it where the node is as it was made. What the engine may have is made anew.
  defp shown(about, {_id, _rev, _zone, {_, spawn, _, _, _, _, _}, _body} = entry, {:there, at})
       when spawn <= at,
       do: changed(about, entry, at)

  defp shown(about, {id, _rev, zone, _marks, body}, _has) do
    object = Body.decode(id, zone, body)

    case mesh(about, object.mesh) do
      :held -> {{:spawn, object.scene}, object, byte_size(body) + 64, []}
      other -> other
    end
  end

  defp changed(_about, {id, _rev, zone, {_, _, basis, position, properties, _, _}, body}, at) do
    object = Body.decode(id, zone, body)

    turn =
      cond do
        basis > at -> [{"transform", Object.unpack(object.transform)}]
        position > at -> [{"position", Object.unpack(object.transform).origin}]
        true -> []
      end

    values = if properties > at, do: Map.to_list(object.properties), else: []

    case turn ++ values do
      [] ->
        :skip

      columns ->
        size = if values == [], do: 64, else: byte_size(body)
        {:rows, {id, columns}, size, Enum.map(columns, &elem(&1, 0))}
    end
  end

  defp mesh(_about, nil), do: :held

  defp mesh(about, name) do
    case State.get(about.tables, {:mesh, name}) do
      {key, _rev, _zone, _marks, hash} when hash != :gone ->
        if Meshes.held?(about.meshes, Meshes.world_name(name), Meshes.short(hash)),
          do: :held,
          else: {:mesh, key, hash}

      # The object has changed meanwhile too: it comes again.
      _gone ->
        :skip
    end
  end

  ## Frames

  defp done(%{group: nil, rev: from}, from), do: :none
  defp done(%{group: nil} = run, _from), do: {:passed, run.rev, Enum.reverse(run.notes)}

  defp done(run, _from) do
    {kind, fields, objects} = frame(run.group, Enum.reverse(run.items))

    {:frame,
     %{
       kind: kind,
       fields: Map.put(fields, "rev", run.rev),
       rev: run.rev,
       objects: objects,
       notes: Enum.reverse(run.notes)
     }}
  end

  defp frame({:spawn, _scene}, objects) do
    there = for object <- objects, do: {object.id, :there}
    {"spawn", %{"nodes" => Enum.map(objects, &node_fields/1)}, there}
  end

  defp frame(:rows, rows) do
    there = for {id, _columns} <- rows, do: {id, :there}
    {"rows", rows(rows), there}
  end

  defp frame(:despawn, ids) do
    packed = for id <- ids, into: "", do: <<id::64-little>>
    {"despawn", %{"ids" => {:packed_int64, packed}}, Enum.map(ids, &{&1, :gone})}
  end

  defp frame(:properties, values), do: {"properties", %{"values" => Map.new(values)}, []}

  defp node_fields(object) do
    node = %{
      "id" => object.id,
      "name" => if(object.name == "", do: "object_#{object.id}", else: object.name),
      "mesh" => if(object.mesh, do: Meshes.world_name(object.mesh), else: ""),
      "transform" => Object.unpack(object.transform)
    }

    optional = [
      {"glb", object.glb && {:packed_byte, Meshes.short(object.glb)}},
      {"scene", object.scene},
      {"colliders", object.colliders != [] && Enum.map(object.colliders, &collider/1)},
      {"properties", object.properties != %{} && object.properties}
    ]

    for {name, value} <- optional, value not in [nil, false], into: node, do: {name, value}
  end

  defp collider({:boxes, packed}),
    do: %{"shape" => "boxes", "boxes" => {:packed_float32, packed}}

  defp collider({:mesh, packed}), do: %{"shape" => "mesh", "faces" => {:packed_vector3, packed}}

  defp collider({:heights, width, depth, cell, packed}) do
    %{
      "shape" => "heights",
      "width" => width,
      "depth" => depth,
      "cell" => cell / 1,
      "heights" => {:packed_float32, packed}
    }
  end

  @doc false
  # The fields of a `rows` frame, of `{id, [{column, value}]}`: columns that a row does not have are null there.
  @spec rows([{non_neg_integer(), [{String.t(), term()}]}]) :: map()
  def rows(rows) do
    columns = for {_id, values} <- rows, {name, _value} <- values, uniq: true, do: name
    maps = for {_id, values} <- rows, do: Map.new(values)

    %{
      "columns" => {:packed_string, columns},
      "ids" => {:packed_int64, for({id, _values} <- rows, into: "", do: <<id::64-little>>)},
      "values" => for(column <- columns, do: column(Enum.map(maps, &Map.get(&1, column))))
    }
  end

  defp column([first | _] = values) do
    case first do
      value when is_float(value) ->
        packed(values, :packed_float64, &is_float/1, &<<&1::float-64-little>>)

      value when is_integer(value) ->
        packed(values, :packed_int64, &is_integer/1, &<<&1::64-little>>)

      %Vector3{} ->
        packed(values, :packed_vector3, &match?(%Vector3{}, &1), &vector/1)

      _other ->
        Enum.map(values, &value/1)
    end
  end

  defp packed(values, kind, of_kind?, bytes) do
    if Enum.all?(values, of_kind?),
      do: {kind, for(value <- values, into: "", do: bytes.(value))},
      else: Enum.map(values, &value/1)
  end

  defp vector(%Vector3{x: x, y: y, z: z}),
    do: <<x::float-32-little, y::float-32-little, z::float-32-little>>

  defp value({:blob, bytes}), do: {:packed_byte, bytes}
  defp value(value), do: value
end
