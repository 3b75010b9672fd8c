defmodule Wasgo.Scene.Merge do
  @moduledoc false
  # Several scenes as one.

  alias Wasgo.Scene

  @textures [
    :base_color_texture,
    :metallic_roughness_texture,
    :normal_texture,
    :occlusion_texture,
    :emissive_texture
  ]

  @binaries [
    :positions,
    :normals,
    :tangents,
    :colors,
    :uvs,
    :uvs2,
    :joints,
    :weights,
    :indices,
    :data
  ]

  # What is the same is kept once.
  @interned [:images, :textures, :materials, :meshes]
  # What is not looked into.
  @joined [:nodes, :skins, :cameras, :lights, :animations, :instances]

  @spec merge([Scene.t()], String.t()) :: Scene.t()
  def merge(scenes, name) do
    interned = Map.new(@interned, &{&1, {[], %{}}})
    joined = Map.new(@joined, &{&1, []})
    counts = Map.new(@joined, &{&1, 0})
    start = %{interned: interned, joined: joined, counts: counts, roots: []}
    all = Enum.reduce(scenes, start, &add/2)

    fields =
      for(field <- @interned, do: {field, all.interned[field] |> elem(0) |> Enum.reverse()}) ++
        for field <- @joined, do: {field, join(all.joined[field])}

    copyrights = for scene <- scenes, scene.copyright != "", uniq: true, do: scene.copyright

    struct!(Scene, [
      {:name, name},
      {:roots, join(all.roots)},
      {:copyright, Enum.join(copyrights, "; ")},
      {:extras, first(scenes, :extras)},
      {:extensions, first(scenes, :extensions)} | fields
    ])
  end

  defp join(parts), do: parts |> Enum.reverse() |> Enum.concat()

  # Of values with one name the first counts.
  defp first(scenes, field) do
    scenes |> Enum.flat_map(&Enum.to_list(Map.fetch!(&1, field))) |> Enum.uniq_by(&elem(&1, 0))
  end

  defp add(scene, all) do
    {images, interned} = intern(all.interned, :images, scene.images)

    textures =
      for texture <- scene.textures do
        %{
          texture
          | image: move(texture.image, images),
            fallback: move(texture.fallback, images)
        }
      end

    {textures, interned} = intern(interned, :textures, textures)

    {materials, interned} =
      intern(interned, :materials, Enum.map(scene.materials, &material(&1, textures)))

    meshes =
      for mesh <- scene.meshes do
        surfaces = for s <- mesh.surfaces, do: %{s | material: move(s.material, materials)}
        %{mesh | surfaces: surfaces}
      end

    {meshes, interned} = intern(interned, :meshes, meshes)
    moved = moved(scene, meshes, all.counts)
    by = all.counts.nodes

    %{
      interned: interned,
      joined: Map.new(@joined, &{&1, [moved[&1] | all.joined[&1]]}),
      counts: Map.new(@joined, &{&1, all.counts[&1] + length(moved[&1])}),
      roots: [Enum.map(scene.roots, &(&1 + by)) | all.roots]
    }
  end

  defp moved(scene, meshes, counts) do
    by = counts.nodes

    %{
      nodes:
        for node <- scene.nodes do
          %{
            node
            | mesh: move(node.mesh, meshes),
              skin: shift(node.skin, counts.skins),
              camera: shift(node.camera, counts.cameras),
              light: shift(node.light, counts.lights),
              children: Enum.map(node.children, &(&1 + by))
          }
        end,
      skins:
        for skin <- scene.skins do
          %{skin | joints: Enum.map(skin.joints, &(&1 + by)), skeleton: shift(skin.skeleton, by)}
        end,
      cameras: scene.cameras,
      lights: scene.lights,
      animations:
        for animation <- scene.animations do
          %{animation | channels: for(c <- animation.channels, do: %{c | node: c.node + by})}
        end,
      instances:
        for set <- scene.instances do
          %{set | mesh: move(set.mesh, meshes), parent: shift(set.parent, by)}
        end
    }
  end

  defp material(material, textures) do
    own =
      for field <- @textures, reference = Map.fetch!(material, field), into: %{} do
        {field, %{reference | texture: move(reference.texture, textures)}}
      end

    extensions = for pair <- material.extensions, do: extension(pair, textures)
    struct!(material, Map.put(own, :extensions, extensions))
  end

  defp extension({"KHR_materials_" <> _ = name, %{} = fields}, textures) do
    fields =
      Map.new(fields, fn
        {key, %{"index" => index} = texture} when is_binary(key) and is_integer(index) ->
          texture? = String.ends_with?(key, "Texture")
          {key, if(texture?, do: %{texture | "index" => move(index, textures)}, else: texture)}

        field ->
          field
      end)

    {name, fields}
  end

  defp extension(pair, _textures), do: pair

  # Adds what is not there yet; answers where each of `items` went.
  defp intern(interned, field, items) do
    {list, index} = interned[field]

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

    {Map.new(map), %{interned | field => {list, index}}}
  end

  # Binaries are compared by their digest: a term's hash covers only part of a large one.
  defp key(%Scene.Mesh{} = mesh), do: %{mesh | surfaces: Enum.map(mesh.surfaces, &key/1)}

  defp key(%Scene.Surface{} = surface) do
    %{
      digest(surface)
      | attributes: for({name, attribute} <- surface.attributes, do: {name, digest(attribute)}),
        morphs: Enum.map(surface.morphs, &digest/1),
        lods: Enum.map(surface.lods, &digest/1)
    }
  end

  defp key(%Scene.Image{} = image), do: digest(image)
  defp key(other), do: other

  defp digest(struct) do
    for field <- @binaries, is_binary(Map.get(struct, field)), reduce: struct do
      struct -> Map.update!(struct, field, &{byte_size(&1), :crypto.hash(:sha256, &1)})
    end
  end

  defp shift(nil, _by), do: nil
  defp shift(at, by), do: at + by

  defp move(nil, _map), do: nil
  # A reference past the end stays one: validating names it.
  defp move(at, map), do: Map.get(map, at, 0xFFFF_FFFF)
end
