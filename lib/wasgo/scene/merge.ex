defmodule Wasgo.Scene.Merge do
  @moduledoc false
  # Several scenes as one.

  alias Wasgo.Scene

  @spec merge([Scene.t()], String.t()) :: Scene.t()
  def merge(scenes, name) do
    empty = %{
      nodes: [],
      node_count: 0,
      instances: [],
      roots: [],
      meshes: {[], %{}},
      materials: {[], %{}}
    }

    joined = Enum.reduce(scenes, empty, &add/2)

    %Scene{
      name: name,
      nodes: joined.nodes |> Enum.reverse() |> Enum.concat(),
      meshes: joined.meshes |> elem(0) |> Enum.reverse(),
      materials: joined.materials |> elem(0) |> Enum.reverse(),
      instances: joined.instances |> Enum.reverse() |> Enum.concat(),
      roots: joined.roots |> Enum.reverse() |> Enum.concat()
    }
  end

  defp add(scene, joined) do
    {material_map, materials} = intern(scene.materials, joined.materials)

    moved =
      for mesh <- scene.meshes do
        %{
          mesh
          | surfaces: for(s <- mesh.surfaces, do: %{s | material: move(s.material, material_map)})
        }
      end

    {mesh_map, meshes} = intern(moved, joined.meshes)
    by = joined.node_count

    nodes =
      for node <- scene.nodes do
        %{node | mesh: move(node.mesh, mesh_map), children: Enum.map(node.children, &(&1 + by))}
      end

    instances =
      for set <- scene.instances do
        %{set | mesh: move(set.mesh, mesh_map), parent: set.parent && set.parent + by}
      end

    %{
      nodes: [nodes | joined.nodes],
      node_count: by + length(nodes),
      instances: [instances | joined.instances],
      roots: [Enum.map(scene.roots, &(&1 + by)) | joined.roots],
      meshes: meshes,
      materials: materials
    }
  end

  # Adds what is not there yet; answers where each of `items` went. Binaries are compared by their digest: a term's hash covers
  # only part of a large one.
  defp intern(items, {list, index}) do
    {map, {list, index}} =
      items
      |> Enum.with_index()
      |> Enum.map_reduce({list, index}, fn {item, at}, {list, index} ->
        key = key(item)

        case index do
          %{^key => place} -> {{at, place}, {list, index}}
          _ -> {{at, map_size(index)}, {[item | list], Map.put(index, key, map_size(index))}}
        end
      end)

    {Map.new(map), {list, index}}
  end

  defp key(%Scene.Mesh{} = mesh) do
    surfaces =
      for surface <- mesh.surfaces do
        parts = [surface.positions, surface.normals, surface.colors, surface.indices]
        {:crypto.hash(:sha256, parts), Enum.map(parts, &byte_size/1), surface.material}
      end

    {mesh.name, surfaces}
  end

  defp key(%Scene.Material{} = material), do: material

  defp move(nil, _map), do: nil
  # A reference past the end stays one: validating names it.
  defp move(at, map), do: Map.get(map, at, 0xFFFF_FFFF)
end
