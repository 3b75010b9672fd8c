defmodule Wasgo.SceneTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Gen, Scene, SceneError, TestJSON}
  alias Wasgo.Gen.Chunk
  alias Wasgo.Scene.{Instances, Material, Mesh, Node, Surface}

  doctest Wasgo.Scene
  doctest Wasgo.Scene.Instances
  doctest Wasgo.Scene.Material
  doctest Wasgo.Scene.Node

  defp floats(numbers), do: for(number <- numbers, into: "", do: <<number::float-32-little>>)
  defp indices(numbers), do: for(number <- numbers, into: "", do: <<number::32-little>>)

  defp triangle(changes \\ []) do
    struct!(
      %Surface{
        positions: floats([0, 0, 0, 1, 0, 0, 0, 1, 0]),
        indices: indices([0, 1, 2]),
        material: 0
      },
      changes
    )
  end

  defp scene(changes \\ []) do
    struct!(
      %Scene{
        name: "scene",
        meshes: [%Mesh{name: "triangle", surfaces: [triangle()]}],
        materials: [%Material{name: "red", base_color: {1.0, 0.0, 0.0, 1.0}}],
        nodes: [
          %Node{name: "root", mesh: 0, children: [1]},
          %Node{name: "leaf", translation: {1.0, 2.0, 3.0}}
        ],
        instances: [
          %Instances{
            name: "many",
            mesh: 0,
            parent: 1,
            transforms: :binary.copy(floats([1, 0, 0, 5, 0, 1, 0, 0, 0, 0, 1, 0]), 3)
          }
        ],
        roots: [0]
      },
      changes
    )
  end

  defp surface(changes),
    do: scene(meshes: [%Mesh{name: "triangle", surfaces: [triangle(changes)]}])

  defp nodes(nodes), do: scene(nodes: nodes, instances: [])

  # A GLB's JSON and the length of its binary part.
  defp glb(bytes) do
    assert <<"glTF", 2::32-little, length::32-little, json_length::32-little, "JSON",
             json::binary-size(json_length), rest::binary>> = bytes

    assert length == byte_size(bytes) and rem(json_length, 4) == 0
    assert <<binary_length::32-little, "BIN", 0, binary::binary-size(binary_length)>> = rest
    {TestJSON.decode!(json), binary}
  end

  describe "validating" do
    test "counts what is there" do
      assert Scene.validate(scene()) ==
               {:ok, %{meshes: 1, surfaces: 1, vertices: 3, triangles: 1, nodes: 2, instances: 3}}

      assert Scene.validate(%Scene{}) ==
               {:ok, %{meshes: 0, surfaces: 0, vertices: 0, triangles: 0, nodes: 0, instances: 0}}
    end

    test "names what is at fault" do
      nan = <<0, 0, 0xC0, 0x7F>>

      for {scene, words} <- [
            {surface(positions: floats([0, 0, 0, 1])),
             ~s|mesh 0 "triangle", surface 0: positions has 16 bytes|},
            {surface(normals: floats([0, 1, 0])),
             ~s|mesh 0 "triangle", surface 0: normals has 12 bytes|},
            {surface(colors: "x"), ~s|mesh 0 "triangle", surface 0: colors has 1 bytes|},
            {surface(indices: indices([0, 1])),
             ~s|mesh 0 "triangle", surface 0: indices has 8 bytes|},
            {surface(indices: indices([0, 1, 3])), ~s|index 2 is 3, but there are 3 vertices|},
            {surface(positions: floats([0, 0, 0, 1, 0, 0, 0, 1]) <> nan),
             ~s|position of vertex 2 is not finite|},
            {surface(normals: floats([0, 1, 0, 0, 1, 0, 0, 2, 0])),
             ~s|the normal of vertex 2 has length 2|},
            {surface(material: 1), ~s|there is no material 1, the scene has 1|},
            {nodes([%Node{name: "a", mesh: 9}]), ~s|node 0 "a": there is no mesh 9|},
            {nodes([%Node{name: "a", children: [5]}]), ~s|node 0 "a": there is no node 5|},
            {nodes([
               %Node{name: "a"},
               %Node{name: "b", children: [2]},
               %Node{name: "c", children: [1]}
             ]), "is its own ancestor"},
            {nodes([
               %Node{name: "a", children: [1, 2]},
               %Node{name: "b", children: [2]},
               %Node{name: "c"}
             ]), ~s|node 2 "c" has more than one parent|},
            {nodes([%Node{name: "a", children: [1]}, %Node{name: "b"}])
             |> Map.put(:roots, [0, 1]), ~s|root node 1 "b" is also a child|},
            {nodes([%Node{name: "a", translation: {:nan, 0, 0}}]), ~s|node 0 "a": |},
            {nodes([%Node{name: "a", extras: [{"speed", :infinity}]}]),
             ~s|node 0 "a": extra "speed" is not a finite number|},
            {scene(roots: [7]), "there is no node 7, the scene has 2"},
            {scene(materials: [%Material{name: "m", metallic: 1.5}]),
             ~s|material 0 "m": metallic is 1.5|},
            {scene(instances: [%Instances{name: "many", mesh: 0, transforms: "short"}]),
             ~s|instances 0 "many": 5 bytes are not a multiple of 48|},
            {scene(instances: [%Instances{name: "many", mesh: 4, transforms: ""}]),
             ~s|instances 0 "many": there is no mesh 4|}
          ] do
        assert {:error, %SceneError{reason: :invalid} = error} = Scene.validate(scene)
        assert Exception.message(error) =~ words
        assert Scene.to_glb(scene) == {:error, error}
        assert_raise SceneError, fn -> Scene.to_glb!(scene) end
      end
    end

    test "terms of wrong types are errors, not raised" do
      for scene <- [
            scene(name: nil),
            scene(name: <<255>>),
            scene(meshes: :none),
            scene(roots: [-1]),
            scene(roots: ["0"]),
            scene(meshes: [triangle()]),
            surface(positions: nil),
            surface(material: -1),
            nodes([%Node{translation: {1, 2}}]),
            nodes([%Node{name: "a", translation: {1, 2, "3"}}]),
            nodes([%Node{name: "a", extras: [{"x", self()}]}]),
            scene(materials: [%Material{roughness: "rough"}])
          ] do
        assert {:error, %SceneError{reason: :arguments} = error} = Scene.validate(scene)
        assert Exception.message(error) != ""
      end

      assert {:error, error} = Scene.validate(nodes([%Node{name: "a", translation: {1, 2, "3"}}]))
      assert Exception.message(error) =~ ~s|the translation of "a" must be a number|
    end
  end

  describe "a GLB" do
    test "has what the scene has" do
      {json, binary} = glb(Scene.to_glb!(scene()))
      assert json["asset"]["version"] == "2.0"
      assert [%{"name" => "triangle", "primitives" => [primitive]}] = json["meshes"]

      assert [%{"name" => "red", "pbrMetallicRoughness" => %{"baseColorFactor" => [1, 0, 0, 1]}}] =
               json["materials"]

      assert Enum.at(json["accessors"], primitive["attributes"]["POSITION"])["count"] == 3
      assert Enum.at(json["accessors"], primitive["indices"])["count"] == 3
      assert [%{"byteLength" => length}] = json["buffers"]
      assert length <= byte_size(binary) and byte_size(binary) - length < 4
      assert [%{"nodes" => [0]}] = json["scenes"]
      names = Enum.map(json["nodes"], & &1["name"])
      assert ["root", "leaf" | _] = names
      # Three instances, as nodes that share the mesh.
      assert Enum.count(json["nodes"], &(&1["mesh"] == 0)) == 4
    end

    test "keeps names and extras of every kind" do
      extras = [
        {"text", "ä \"quoted\" \n"},
        {"number", 1.5},
        {"whole", 7},
        {"yes", true},
        {"no", false}
      ]

      {json, _} = glb(Scene.to_glb!(nodes([%Node{name: "n\0ä\"", mesh: 0, extras: extras}])))
      assert [%{"name" => "n\0ä\"", "extras" => extras}] = json["nodes"]

      assert extras == %{
               "text" => "ä \"quoted\" \n",
               "number" => 1.5,
               "whole" => 7,
               "yes" => true,
               "no" => false
             }
    end

    test "of a chunk counts the same as the chunk" do
      chunk = Gen.chunk!(Gen.plan!(seed: 7), {0, 0})
      {:ok, scene} = Chunk.to_scene(chunk)
      {:ok, counts} = Scene.validate(scene)
      assert counts.instances == Chunk.count(chunk)
      assert counts.meshes == length(scene.meshes)
      {json, _} = glb(Scene.to_glb!(scene))
      [ground | _] = json["meshes"]
      assert ground["name"] == "ground_0_0"
      [primitive] = ground["primitives"]
      assert Enum.at(json["accessors"], primitive["attributes"]["POSITION"])["count"] == 65 * 65
      assert Enum.at(json["accessors"], primitive["indices"])["count"] == 6 * 64 * 64
      [root] = hd(json["scenes"])["nodes"]

      assert Enum.at(json["nodes"], root)["extras"] == %{
               "chunk_x" => 0,
               "chunk_z" => 0,
               "seed" => "7"
             }

      with_mesh = Enum.count(json["nodes"], & &1["mesh"])
      assert with_mesh == 1 + if(Chunk.water(chunk), do: 1, else: 0) + Chunk.count(chunk)
      {:ok, named} = Chunk.to_scene(%{chunk | name: "Low Fell"})
      assert {named.name, hd(named.nodes).name} == {"Low Fell", "Low Fell"}
    end
  end

  describe "merging" do
    test "joins lists, moves references along, and keeps what is the same once" do
      plan = Gen.plan!(seed: 7)
      chunks = for at <- [{0, 0}, {1, 0}, {0, 1}], do: Gen.chunk!(plan, at)
      scenes = for chunk <- chunks, do: elem(Chunk.to_scene(chunk), 1)
      world = Scene.merge(scenes, "world")
      assert {:ok, counts} = Scene.validate(world)
      assert world.name == "world"
      assert counts.instances == chunks |> Enum.map(&Chunk.count/1) |> Enum.sum()
      assert counts.nodes == scenes |> Enum.map(&length(&1.nodes)) |> Enum.sum()
      assert length(world.roots) == 3
      assert world.materials == Wasgo.Gen.Plan.materials()
      props = scenes |> Enum.flat_map(& &1.meshes) |> Enum.map(& &1.name) |> Enum.uniq()
      assert Enum.map(world.meshes, & &1.name) |> Enum.sort() == Enum.sort(props)

      for {root, scene} <- Enum.zip(world.roots, scenes) do
        node = Enum.at(world.nodes, root)
        assert node.translation == hd(scene.nodes).translation
        assert Enum.at(world.meshes, node.mesh).name == hd(scene.meshes).name
      end

      for set <- world.instances do
        assert Enum.at(world.meshes, set.mesh).name == set.name
      end

      parents = for {root, scene} <- Enum.zip(world.roots, scenes), _ <- scene.instances, do: root
      assert Enum.map(world.instances, & &1.parent) == parents
      assert parents |> Enum.uniq() |> length() == 3

      {json, _} = glb(Scene.to_glb!(world))
      assert length(hd(json["scenes"])["nodes"]) == 3
    end

    test "meshes of one name and other bytes stay apart, and so do materials" do
      other =
        scene(
          meshes: [
            %Mesh{
              name: "triangle",
              surfaces: [triangle(positions: floats([0, 0, 0, 2, 0, 0, 0, 2, 0]))]
            }
          ]
        )

      assert length(Scene.merge([scene(), other]).meshes) == 2
      blue = scene(materials: [%Material{name: "blue"}])
      world = Scene.merge([scene(), blue, scene()])
      assert Enum.map(world.materials, & &1.name) == ["red", "blue"]
      assert length(world.meshes) == 2
      assert {:ok, %{nodes: 6, instances: 9}} = Scene.validate(world)
    end

    test "a reference past the end is still one afterwards" do
      for wrong <- [nodes([%Node{name: "a", mesh: 5}]), surface(material: 5)] do
        assert {:error, %SceneError{}} = Scene.validate(Scene.merge([scene(), wrong]))
      end
    end

    test "of nothing is nothing" do
      assert Scene.merge([], "empty") == %Scene{name: "empty"}
    end
  end

  test "flipping swaps two of each triangle, whatever the size" do
    assert Scene.flip(indices([0, 1, 2, 3, 4, 5])) == indices([0, 2, 1, 3, 5, 4])
    assert Scene.flip("") == ""
    large = indices(Enum.flat_map(1..100_000, &[&1, &1 + 1, &1 + 2]))
    flipped = Scene.flip(large)
    assert binary_part(flipped, 0, 12) == indices([1, 3, 2])
    assert Scene.flip(flipped) == large
  end

  test "they tell of themselves" do
    assert inspect(scene()) == ~s|#Wasgo.Scene<"scene", 2 nodes, 1 meshes, 3 instances>|
    assert inspect(triangle()) == "#Wasgo.Scene.Surface<3 vertices, 1 triangles>"
    assert Instances.count(hd(scene().instances)) == 3
    # Raw data is left out.
    assert inspect(%Scene.Lod{indices: indices([0, 1, 2]), error: 0.5}) ==
             "#Wasgo.Scene.Lod<error: 0.5, ...>"
  end
end
