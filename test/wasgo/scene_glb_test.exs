defmodule Wasgo.SceneGlbTest do
  use ExUnit.Case, async: true

  alias Wasgo.{DecodeError, Gen, GltfValidator, RandomScenes, Scene, SceneError, TestJSON}
  alias Wasgo.Gen.Chunk
  alias Wasgo.Scene.{Mesh, Node, Surface}

  defp floats(numbers), do: for(number <- numbers, into: "", do: <<number::float-32-little>>)

  # A GLB of some JSON and bytes.
  defp glb(json, binary) do
    pad = fn bytes, with -> bytes <> :binary.copy(with, rem(4 - rem(byte_size(bytes), 4), 4)) end
    json = pad.(json, " ")
    binary = pad.(binary, <<0>>)
    rest = if binary == "", do: "", else: <<byte_size(binary)::32-little, "BIN", 0>> <> binary
    length = 20 + byte_size(json) + byte_size(rest)

    <<"glTF", 2::32-little, length::32-little, byte_size(json)::32-little, "JSON">> <>
      json <> rest
  end

  # Hills of so many squares a side.
  defp hills(side) do
    places = for z <- 0..side, x <- 0..side, do: {x, z}
    row = side + 1

    indices =
      for z <- 0..(side - 1), x <- 0..(side - 1), into: "" do
        a = z * row + x

        for index <- [a, a + row, a + 1, a + 1, a + row, a + row + 1],
            into: "",
            do: <<index::32-little>>
      end

    surface = %Surface{
      positions:
        floats(for {x, z} <- places, v <- [x, :math.sin(x / 5) * :math.cos(z / 4), z], do: v),
      normals: floats(for _ <- places, v <- [0, 1, 0], do: v),
      uvs: floats(for {x, z} <- places, v <- [x, z], do: v),
      indices: indices
    }

    %Scene{
      name: "hills",
      meshes: [%Mesh{name: "hills", surfaces: [surface]}],
      nodes: [%Node{name: "hills", mesh: 0}],
      roots: [0]
    }
  end

  defp surface(scene), do: scene.meshes |> hd() |> Map.fetch!(:surfaces) |> hd()

  describe "a file that was written" do
    test "is read as the scene that it was" do
      for number <- 1..40 do
        scene = RandomScenes.scene(number)
        {:ok, compact} = Scene.compact(scene)
        file = Scene.to_glb!(scene, instancing: true)
        assert {:ok, read} = Scene.from_glb(file)

        for key <- Map.keys(compact), key not in [:nodes, :materials] do
          assert Map.fetch!(read, key) == Map.fetch!(compact, key), "#{key} of #{number}"
        end

        assert Scene.to_glb!(read, instancing: true) == file
      end
    end

    test "has instances as nodes, unless they are asked for" do
      scene = RandomScenes.scene(3)
      {:ok, counts} = Scene.validate(scene)
      {:ok, read} = Scene.from_glb(Scene.to_glb!(scene))
      assert read.instances == []
      assert length(read.nodes) == counts.nodes + 1 + counts.instances
      {:ok, read} = Scene.from_glb(Scene.to_glb!(scene, instancing: true))
      assert [%Scene.Instances{name: "many"}] = read.instances
      assert length(read.nodes) == counts.nodes
    end

    test "is not copied when it is read" do
      file = :binary.copy(Scene.to_glb!(hills(40)))
      surface = surface(Scene.from_glb!(file))
      assert byte_size(surface.positions) == 41 * 41 * 12
      assert :binary.referenced_byte_size(surface.positions) == byte_size(file)
      assert :binary.referenced_byte_size(surface.indices) == byte_size(file)
      assert surface == surface(hills(40))
    end

    test "of a generated chunk survives" do
      {:ok, scene} = Chunk.to_scene(Gen.chunk!(Gen.plan!(seed: 7), {0, 0}))
      read = Scene.from_glb!(Scene.to_glb!(scene))
      {{low, _, _}, {_, high, _}} = Scene.bounds!(read)
      {{before_low, _, _}, {_, before_high, _}} = Scene.bounds!(scene)
      assert_in_delta low, before_low, 1.0e-5
      assert_in_delta high, before_high, 1.0e-5
      assert length(read.meshes) == length(scene.meshes)
      assert Scene.validate!(read).triangles == Scene.validate!(scene).triangles
    end

    @tag :gltf_validator
    @tag timeout: 300_000
    test "has no error and no warning of the Khronos validator" do
      random =
        for number <- 1..300 do
          scene = RandomScenes.scene(number)
          {"scene_#{number}", Scene.to_glb!(scene, instancing: rem(number, 2) == 0)}
        end

      chunks =
        for seed <- 1..10 do
          {:ok, scene} = Chunk.to_scene(Gen.chunk!(Gen.plan!(seed: seed), {seed, -seed}))
          {"chunk_#{seed}", Scene.to_glb!(scene)}
        end

      changed =
        for {name, scene} <- [
              {"lods", Scene.lods!(hills(20))},
              {"simplified", hills(20) |> Scene.simplify!() |> elem(0)},
              {"optimized", Scene.optimize!(hills(20))},
              {"tangents", Scene.tangents!(hills(20))},
              {"merged", Scene.merge([RandomScenes.scene(1), RandomScenes.scene(2), hills(3)])}
            ],
            do: {name, Scene.to_glb!(scene)}

      assert GltfValidator.issues(random ++ chunks ++ changed) == []
    end
  end

  describe "a file from elsewhere" do
    # A square as a strip of 16-bit indices, with normalized 8-bit colours of three parts, all interleaved.
    test "is read whatever its numbers are" do
      vertices =
        for {x, z, red} <- [{0, 0, 0}, {1, 0, 85}, {0, 1, 170}, {1, 1, 255}], into: "" do
          <<floats([x, 0, z])::binary, red, 0, 255, 0>>
        end

      indices = for index <- [0, 2, 1, 3], into: "", do: <<index::16-little>>

      json = ~s({"asset": {"version": "2.0"}, "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"mode": 5, "indices": 2, "attributes": {"POSITION": 0, "COLOR_0": 1}}]}],
        "accessors": [
          {"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 4, "min": [0, 0, 0], "max": [1, 0, 1]},
          {"bufferView": 0, "byteOffset": 12, "componentType": 5121, "normalized": true, "type": "VEC3", "count": 4},
          {"bufferView": 1, "componentType": 5123, "type": "SCALAR", "count": 4,
           "sparse": {"count": 1, "indices": {"bufferView": 2, "componentType": 5121}, "values": {"bufferView": 3}}}],
        "bufferViews": [{"buffer": 0, "byteLength": 64, "byteStride": 16}, {"buffer": 0, "byteOffset": 64, "byteLength": 8},
          {"buffer": 0, "byteOffset": 72, "byteLength": 1}, {"buffer": 0, "byteOffset": 76, "byteLength": 2}],
        "buffers": [{"byteLength": 78 URI}]})

      # The second index is 1 in the view and 2 by the sparse part.
      binary =
        vertices <> <<0::16, 1::16-little, 1::16-little, 3::16-little>> <> <<1, 0, 0, 0, 2, 0>>

      file = glb(String.replace(json, "URI", ""), binary)
      surface = surface(Scene.from_glb!(file))
      assert surface.positions == floats([0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1])
      third = 85 / 255

      assert surface.colors ==
               floats([0, 0, 1, 1, third, 0, 1, 1, third * 2, 0, 1, 1, 1, 0, 1, 1])

      assert surface.indices ==
               for(index <- [0, 2, 1, 1, 2, 3], into: "", do: <<index::32-little>>)

      assert indices != ""

      uri = ~s(, "uri": "data:application/octet-stream;base64,#{Base.encode64(binary)}")
      text = String.replace(json, "URI", uri)
      assert surface(Scene.from_glb!(text)) == surface
      assert Scene.validate!(Scene.from_glb!(text)).triangles == 2
    end

    test "keeps extensions or refuses them by name" do
      file = fn rest -> ~s({"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], #{rest}}) end
      kept = file.(~s("nodes": [{"extensions": {"KHR_node_visibility": {"visible": false}}}]))
      scene = Scene.from_glb!(kept)

      assert [%Node{extensions: [{"KHR_node_visibility", %{"visible" => false}}]}] = scene.nodes
      assert Scene.to_glb!(scene) =~ "KHR_node_visibility"

      vrm = file.(~s("nodes": [{}], "extensions": {"VRMC_vrm": {"humanoid": {"hips": 0}}}))
      assert {:error, %DecodeError{} = error} = Scene.from_glb(vrm)

      assert {:gltf, :unsupported, "/extensions/VRMC_vrm", "the extension VRMC_vrm" <> _} =
               error.reason

      assert {:ok, %Scene{extensions: []}} = Scene.from_glb(vrm, lossy: true)

      draco = file.(~s("nodes": [{}], "extensionsRequired": ["KHR_draco_mesh_compression"]))
      assert {:error, error} = Scene.from_glb(draco, lossy: true)
      assert Exception.message(error) =~ "KHR_draco_mesh_compression"
    end

    test "that is broken is an error with its place" do
      file = Scene.to_glb!(hills(4))

      assert {:error, %DecodeError{reason: {:gltf, :not_gltf, "", _}, offset: 0}} =
               Scene.from_glb("OBJ")

      for length <- [3, 15, 25, byte_size(file) - 1] do
        assert {:error, %DecodeError{offset: offset, reading: {:format, :gltf}}} =
                 Scene.from_glb(binary_part(file, 0, length))

        assert is_integer(offset)
      end

      assert {:error, error} = Scene.from_glb(file, max_vertices: 20)
      assert Exception.message(error) =~ "vertices: 25, at most 20 are allowed"
      assert_raise DecodeError, fn -> Scene.from_glb!(file, max_json_bytes: 10) end
      assert_raise ArgumentError, fn -> Scene.from_glb(file, nonsense: 1) end

      json =
        TestJSON.decode!(
          binary_part(file, 20, :binary.decode_unsigned(binary_part(file, 12, 4), :little))
        )

      assert [%{"primitives" => [_]}] = json["meshes"]
    end
  end

  describe "operations" do
    test "simplify, and say how far the surface moved" do
      {:ok, {simple, error}} = Scene.simplify(hills(30), ratio: 0.25)
      assert Scene.validate!(simple).triangles <= 30 * 30 * 2 * 0.3
      assert error > 0 and error < 1
      {:ok, {same, _}} = Scene.simplify(hills(30), ratio: 0.25, error: 1.0e-9)
      assert Scene.validate!(same).triangles > Scene.validate!(simple).triangles

      assert {:error, %SceneError{reason: :invalid}} = Scene.simplify(hills(3), ratio: 2)
      assert {:error, %SceneError{reason: :arguments}} = Scene.simplify(hills(3), ratio: "half")
    end

    test "make LODs that a file keeps" do
      scene = Scene.lods!(hills(30))
      lods = surface(scene).lods
      assert length(lods) == 3
      assert lods == Enum.sort_by(lods, & &1.error)
      assert surface(Scene.from_glb!(Scene.to_glb!(scene))).lods == lods
      assert inspect(surface(scene)) =~ "3 lods"
    end

    test "leave what they do not change where it is" do
      scene = Scene.transform!(hills(30), {1, 0, 0, 5, 0, 1, 0, 0, 0, 0, 1, 0})
      assert surface(scene) == surface(hills(30))
      assert {{5.0, _, +0.0}, {35.0, _, 30.0}} = Scene.bounds!(scene)

      assert {:error, %SceneError{}} = Scene.transform(hills(2), {1, 2})
      assert {:error, %SceneError{}} = Scene.transform(hills(2), Tuple.duplicate(0, 12))
    end

    test "split what merging joined" do
      scenes = for number <- 1..4, do: RandomScenes.scene(number)
      world = Scene.merge(scenes, "world")
      counts = Enum.map(scenes, &Scene.validate!/1)
      all = Scene.validate!(world)
      assert all.nodes == counts |> Enum.map(& &1.nodes) |> Enum.sum()
      assert all.instances == counts |> Enum.map(& &1.instances) |> Enum.sum()
      assert length(world.skins) == 4
      {:ok, parts} = Scene.split(world, :root)
      assert parts |> Enum.map(&Scene.validate!(&1).nodes) |> Enum.sum() == all.nodes
      assert Enum.all?(parts, &(&1.name == "world"))
      {:ok, squares} = Scene.split(world, {:grid, 5.0})
      assert squares |> Enum.map(&Scene.validate!(&1).instances) |> Enum.sum() == all.instances
      assert {:ok, [_ | _]} = Scene.split(world, :material)
      assert {:error, %SceneError{}} = Scene.split(world, {:grid, 0})
    end

    test "refuse a scene that is not sound, by name" do
      %{meshes: [%{surfaces: [surface]}]} = scene = hills(2)

      rubbish = fn changes ->
        %{scene | meshes: [%Mesh{name: "rubbish", surfaces: [struct!(surface, changes)]}]}
      end

      for {changes, words} <- [
            {[indices: <<0::32, 0::32, 0xFFFFFFFF::32>>], "index 2 is 4294967295"},
            {[positions: :binary.copy(<<0, 0, 0xC0, 0x7F>>, 27)], "position of vertex 0"},
            {[weights: "x"], "weights has 1 bytes"},
            {[uvs2: floats([1])], "uvs2 has 4 bytes"}
          ],
          operation <- [
            &Scene.optimize/1,
            &Scene.simplify/1,
            &Scene.lods/1,
            &Scene.tangents/1,
            &Scene.bounds/1,
            &Scene.compact/1,
            &Scene.split(&1, :root),
            &Scene.to_glb/1
          ] do
        assert {:error, %SceneError{reason: :invalid} = error} = operation.(rubbish.(changes))
        assert Exception.message(error) =~ ~s(mesh 0 "rubbish", surface 0)
        assert Exception.message(error) =~ words
      end
    end
  end
end
