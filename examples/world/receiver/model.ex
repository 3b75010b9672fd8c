defmodule Wasgo.Example.Receiver.Model do
  @moduledoc false
  # What a receiver holds: chunks, meshes and nodes, by what the frames said of them. A frame is checked as a whole before
  # anything of it is applied; only the nodes of a `spawn` stand each for itself.

  alias Wasgo.Example.Receiver.{Check, Rows, Surfaces}
  alias Wasgo.Godot.{Transform3D, Vector3}

  @max_chunks 16_384
  @max_meshes 4_096
  @max_nodes 131_072
  # The most nodes of a frame that an error names.
  @max_named 4
  @max_instances 1_024
  @collider_side 2..4_097
  @instance_bytes 12 * 4

  defstruct chunks: %{},
            meshes: %{},
            nodes: %{},
            frames: 0,
            bytes: 0,
            rows: 0,
            property_updates: 0,
            errors: 0

  @type t :: %__MODULE__{}

  @doc "Applies a numbered frame of `size` bytes. With an error comes the model as it is then: of a `spawn` it has the nodes that are well."
  @spec apply(t(), map(), pos_integer()) :: {:ok, t()} | {:error, String.t(), t()}
  def apply(model, %{"t" => kind} = frame, size) do
    model = %{model | frames: model.frames + 1, bytes: model.bytes + size}

    case change(model, kind, frame) do
      {:ok, model} -> {:ok, model}
      {:error, words} -> failed(kind, words, model)
      {:partly, words, model} -> failed(kind, words, model)
    end
  end

  defp failed(kind, words, model),
    do: {:error, "#{kind}: #{words}", %{model | errors: model.errors + 1}}

  @doc "What a report says."
  @spec counts(t()) :: %{String.t() => non_neg_integer()}
  def counts(model) do
    chunks = Map.values(model.chunks)
    sum = fn field -> chunks |> Enum.map(&Map.fetch!(&1, field)) |> Enum.sum() end

    %{
      "chunks" => length(chunks),
      "surfaces" => sum.(:surfaces),
      "vertices" => sum.(:vertices),
      "triangles" => sum.(:triangles),
      "colliders" => Enum.count(chunks, & &1.collider),
      "instances" => sum.(:instances),
      "meshes" => map_size(model.meshes),
      "nodes" => map_size(model.nodes),
      "frames" => model.frames,
      "bytes" => model.bytes,
      "rows" => model.rows,
      "property_updates" => model.property_updates,
      "errors" => model.errors
    }
  end

  defp change(model, "mesh", frame) do
    with :ok <- Check.text(frame, "name"),
         :ok <- named(frame["name"]),
         {:ok, counts} <- Surfaces.check(frame, faces: false),
         :ok <- room(model.meshes, [frame["name"]], @max_meshes, "meshes") do
      {:ok, %{model | meshes: Map.put(model.meshes, frame["name"], counts)}}
    end
  end

  defp change(model, "chunk", frame) do
    with :ok <- Check.text(frame, "key"),
         :ok <- Check.struct(frame, "origin", Vector3),
         :ok <- Check.text(frame, "name"),
         :ok <- Check.dictionary(frame, "extras"),
         {:ok, counts} <- Surfaces.check(frame, faces: true),
         :ok <- Check.array(frame, "colliders", @max_instances),
         :ok <- Check.each(frame["colliders"], &collider/2),
         :ok <- Check.array(frame, "instances", @max_instances),
         :ok <- Check.each(frame["instances"], &instance(&1, &2, model.meshes)),
         :ok <- room(model.chunks, [frame["key"]], @max_chunks, "chunks") do
      chunk =
        Map.merge(counts, %{
          name: frame["name"],
          origin: frame["origin"],
          extras: frame["extras"],
          collider: frame["colliders"] != [],
          instances: frame["instances"] |> Enum.map(&instance_count/1) |> Enum.sum()
        })

      {:ok, %{model | chunks: Map.put(model.chunks, frame["key"], chunk)}}
    end
  end

  defp change(model, "unload", frame) do
    with :ok <- Check.strings(frame, "keys") do
      {_type, keys} = frame["keys"]
      {:ok, %{model | chunks: Map.drop(model.chunks, keys)}}
    end
  end

  defp change(model, "spawn", frame) do
    with :ok <- Check.array(frame, "nodes", @max_nodes) do
      {nodes, wrong} =
        frame["nodes"]
        |> Enum.with_index()
        |> Enum.reduce({model.nodes, []}, fn {entry, index}, {nodes, wrong} ->
          with :ok <- spawned(entry, model.meshes),
               :ok <- room(nodes, [entry["id"]], @max_nodes, "nodes") do
            {Map.put(nodes, entry["id"], blank(entry)), wrong}
          else
            {:error, words} -> {nodes, ["#{place(entry, index)}: #{words}" | wrong]}
          end
        end)

      model = %{model | nodes: nodes}
      if wrong == [], do: {:ok, model}, else: {:partly, left_out(Enum.reverse(wrong)), model}
    end
  end

  defp change(model, "despawn", frame) do
    with {:ok, _count} <- Check.packed(frame, "ids", :packed_int64) do
      {_type, ids} = frame["ids"]
      ids = for <<id::little-signed-64 <- ids>>, do: id
      {:ok, %{model | nodes: Map.drop(model.nodes, ids)}}
    end
  end

  defp change(model, "rows", frame) do
    with {:ok, nodes, rows, values} <- Rows.apply(frame, model.nodes) do
      {:ok,
       %{
         model
         | nodes: nodes,
           rows: model.rows + rows,
           property_updates: model.property_updates + values
       }}
    end
  end

  defp change(model, "clear", _frame), do: {:ok, %{model | chunks: %{}, meshes: %{}, nodes: %{}}}
  # The sidecar may be newer.
  defp change(model, _kind, _frame), do: {:ok, model}

  defp named(""), do: {:error, "name is empty"}
  defp named(_name), do: :ok

  defp room(held, keys, most, what) do
    more = Enum.count(keys, &(not is_map_key(held, &1)))
    if map_size(held) + more <= most, do: :ok, else: {:error, "more than #{most} #{what}"}
  end

  defp collider(entry, index), do: collider(entry) |> Check.within("colliders #{index}")

  defp collider(%{"shape" => "heights"} = collider) do
    with :ok <- Check.integer(collider, "width", @collider_side),
         :ok <- Check.integer(collider, "depth", @collider_side),
         :ok <- Check.number(collider, "cell", 0.001, 10_000),
         {:ok, count} <- Check.packed(collider, "heights", :packed_float32),
         :ok <- grid(count, collider["width"], collider["depth"]) do
      {_type, heights} = collider["heights"]
      Check.finite32(heights, "heights")
    end
  end

  defp collider(%{"shape" => "boxes"} = collider) do
    with {:ok, _count} <- Check.packed(collider, "boxes", :packed_float32) do
      {_type, bytes} = collider["boxes"]

      if rem(byte_size(bytes), @instance_bytes) == 0,
        do: Check.finite32(bytes, "boxes"),
        else: {:error, "boxes has no 12 floats a box"}
    end
  end

  defp collider(%{"shape" => "mesh"} = collider) do
    with {:ok, count} <- Check.packed(collider, "faces", :packed_vector3) do
      {_type, bytes} = collider["faces"]

      if rem(count, 3) == 0,
        do: Check.finite32(bytes, "faces"),
        else: {:error, "faces has no three a triangle"}
    end
  end

  defp collider(_other), do: {:error, "it must be a Dictionary with a shape that is known"}

  defp grid(count, width, depth) when count == width * depth, do: :ok
  defp grid(count, width, depth), do: {:error, "#{count} heights for #{width} x #{depth}"}

  defp instance(entry, index, meshes) when is_map(entry) and not is_struct(entry) do
    with :ok <- Check.text(entry, "mesh"),
         :ok <- known(meshes, entry["mesh"]),
         {:ok, _count} <- Check.packed(entry, "transforms", :packed_float32) do
      {_type, bytes} = entry["transforms"]

      if rem(byte_size(bytes), @instance_bytes) == 0,
        do: Check.finite32(bytes, "transforms"),
        else: {:error, "transforms has no 12 floats an instance"}
    end
    |> Check.within("instances #{index}")
  end

  defp instance(_other, index, _meshes) do
    {:error, "instances #{index}: it must be a Dictionary"}
  end

  defp instance_count(%{"transforms" => {_type, bytes}}) do
    div(byte_size(bytes), @instance_bytes)
  end

  defp spawned(entry, meshes) when is_map(entry) and not is_struct(entry) do
    with :ok <- Check.integer(entry, "id"),
         :ok <- Check.text(entry, "name"),
         :ok <- Check.text(entry, "mesh"),
         :ok <- if(entry["mesh"] == "", do: :ok, else: known(meshes, entry["mesh"])) do
      Check.struct(entry, "transform", Transform3D)
    end
  end

  defp spawned(_other, _meshes), do: {:error, "it must be a Dictionary"}

  defp place(%{"id" => id}, index) when is_integer(id), do: "node #{index} (id #{id})"
  defp place(_entry, index), do: "node #{index}"

  defp left_out(wrong) do
    {named, rest} = Enum.split(wrong, @max_named)
    Enum.join(if(rest == [], do: named, else: named ++ ["and #{length(rest)} more"]), "; ")
  end

  defp known(meshes, name) when is_map_key(meshes, name), do: :ok

  defp known(_meshes, name),
    do: {:error, "there is no mesh #{inspect(name, printable_limit: 64)}"}

  defp blank(entry) do
    %{
      name: entry["name"],
      mesh: entry["mesh"],
      transform: entry["transform"],
      properties: %{}
    }
  end
end
