defmodule Wasgo.RandomScenes do
  @moduledoc false
  # Scenes of nearly everything that there is, by a number.

  alias Wasgo.Scene

  alias Wasgo.Scene.{
    Animation,
    Attribute,
    Camera,
    Channel,
    Image,
    Instances,
    Light,
    Material,
    Mesh,
    Morph,
    Node,
    Skin,
    Surface,
    Texture,
    TextureRef
  }

  @doc "A PNG of one pixel."
  def pixel do
    chunk = fn type, data ->
      <<byte_size(data)::32, type::binary, data::binary, :erlang.crc32(type <> data)::32>>
    end

    <<137, "PNG\r\n", 26, "\n">> <>
      chunk.("IHDR", <<1::32, 1::32, 8, 2, 0, 0, 0>>) <>
      chunk.("IDAT", :zlib.compress(<<0, 255, 128, 64>>)) <> chunk.("IEND", "")
  end

  @doc "The scene of a number."
  @spec scene(non_neg_integer()) :: Scene.t()
  def scene(number) do
    :rand.seed(:exsss, {number, 7, 11})
    textures = Enum.random(0..2)
    morphs = Enum.random(1..3)
    more = Enum.random(0..4)

    nodes =
      [
        %Node{name: "hips", translation: point(), children: [1, 2]},
        %Node{name: "left", translation: point(), rotation: {0.0, 0.6, 0.0, 0.8}, camera: 0},
        %Node{name: "right", scale: {1.5, 0.5, 2.0}, light: 0},
        %Node{name: "body", mesh: 0, skin: 0},
        %Node{name: "face", mesh: 1, translation: point(), weights: floats(morphs)},
        %Node{name: "place", mesh: 2, matrix: {0, 0, 1, 2, 0, 1, 0, 3, -1, 0, 0, 4}}
      ] ++ for(_ <- 1..more//1, do: %Node{name: name(), translation: point(), extras: extras()})

    %Scene{
      name: name(),
      copyright: name(),
      extras: extras(),
      nodes: nodes,
      roots: [0, 3, 4, 5] ++ Enum.to_list(6..(5 + more)//1),
      images:
        if(textures > 0, do: [%Image{format: :png, data: pixel(), name: "pixel"}], else: []),
      textures: for(_ <- 1..textures//1, do: texture()),
      materials: for(_ <- 1..2, do: material(textures)),
      meshes: [
        %Mesh{name: "body", surfaces: [surface(skinned: true)]},
        %Mesh{name: "face", surfaces: [surface(morphs: morphs)], extras: extras()},
        %Mesh{name: name(), surfaces: [surface([]), surface([])]}
      ],
      skins: [%Skin{name: "skeleton", joints: [0, 1, 2], skeleton: 0}],
      cameras: [%Camera{projection: {:perspective, 0.75, nil}, near: 0.25, far: 100.0}],
      lights: [
        Enum.random([
          %Light{kind: :directional, intensity: 3.0},
          %Light{kind: :point, range: 10.0, color: {1.0, 0.5, 0.25}},
          %Light{kind: {:spot, 0.25, 0.5}, extras: extras()}
        ])
      ],
      animations: animations(morphs),
      instances: [
        %Instances{
          name: "many",
          mesh: 2,
          parent: Enum.random([nil, 1]),
          transforms: for(_ <- 1..Enum.random(1..5), into: "", do: place())
        }
      ]
    }
  end

  defp name, do: Enum.random(["", "a", "Fels 🌳", "quote\"d \\ and\nmore"])
  defp point, do: {half(), half(), half()}
  # Exact in 32 bits, so that what comes back is equal.
  defp half, do: Enum.random(-40..40) / 2
  defp unit, do: Enum.random(0..8) / 8
  defp floats(count), do: for(_ <- 1..count, do: unit())
  defp pack(numbers), do: for(number <- numbers, into: "", do: <<number::float-32-little>>)
  defp maybe(value), do: Enum.random([value, ""])

  defp extras do
    Enum.take_random(
      [
        {"list", [1, "two", nil, [3.5]]},
        {"map", %{"in" => %{"deep" => true}}},
        {"number", 2.5},
        {"text", name()}
      ],
      Enum.random(0..3)
    )
    |> Enum.sort()
  end

  defp place do
    {x, y, z} = point()
    pack([2.0, 0.0, 0.0, x, 0.0, 2.0, 0.0, y, 0.0, 0.0, 2.0, z])
  end

  defp surface(options) do
    vertices = Enum.random(3..20)
    each = fn numbers -> pack(for _ <- 1..vertices, number <- numbers.(), do: number) end

    corners = fn ->
      for(_ <- 1..3, into: "", do: <<Enum.random(0..(vertices - 1))::32-little>>)
    end

    half = fn count -> each.(fn -> for(_ <- 1..count, do: half()) end) end

    surface = %Surface{
      positions: half.(3),
      normals: each.(fn -> Enum.random([[0.0, 1.0, 0.0], [0.6, 0.0, 0.8]]) end),
      tangents: each.(fn -> [1.0, 0.0, 0.0, Enum.random([1.0, -1.0])] end),
      colors: maybe(each.(fn -> floats(4) end)),
      uvs: half.(2),
      uvs2: half.(2),
      attributes: [
        {"_WIND",
         %Attribute{
           component: :u8,
           components: 3,
           normalized: true,
           data: :rand.bytes(vertices * 3)
         }}
      ],
      indices: for(_ <- 1..Enum.random(1..20), into: "", do: corners.()),
      material: Enum.random([0, 1]),
      extras: extras(),
      morphs:
        for number <- 1..Keyword.get(options, :morphs, 0)//1 do
          %Morph{name: "morph #{number}", positions: half.(3), normals: maybe(half.(3))}
        end
    }

    if options[:skinned] do
      joints = <<0::16-little, 1::16-little, 2::16-little, 0::16-little>>

      %{
        surface
        | joints: :binary.copy(joints, vertices),
          weights: each.(fn -> [0.5, 0.25, 0.25, 0.0] end)
      }
    else
      surface
    end
  end

  defp texture do
    %Texture{
      image: 0,
      name: name(),
      magnify: Enum.random([nil, :nearest, :linear]),
      minify: Enum.random([nil, {:linear, :linear}, {:nearest, :none}]),
      wrap_u: Enum.random([:repeat, :mirror, :clamp])
    }
  end

  defp reference(0), do: nil

  defp reference(textures) do
    Enum.random([
      nil,
      %TextureRef{texture: Enum.random(0..(textures - 1)), uv_set: Enum.random([0, 1])},
      %TextureRef{texture: 0, offset: {0.5, 0.25}, rotation: 1.5, scale: {2.0, 4.0}}
    ])
  end

  defp material(textures) do
    clearcoat = %{"clearcoatFactor" => 0.5}

    %Material{
      name: name(),
      base_color: {unit(), unit(), unit(), unit()},
      base_color_texture: reference(textures),
      metallic: unit(),
      roughness: unit(),
      normal_texture: reference(textures),
      occlusion_texture: reference(textures),
      emissive: {1.0, 0.5, 0.25},
      emissive_texture: reference(textures),
      emissive_strength: Enum.random([1.0, 2.5]),
      alpha: Enum.random([:opaque, :blend, {:mask, 0.25}]),
      double_sided: Enum.random([true, false]),
      extras: extras(),
      extensions: Enum.random([[], [{"KHR_materials_clearcoat", clearcoat}]])
    }
  end

  defp animations(morphs) do
    times = pack([0.0, 0.5, 1.5])

    channels = [
      %Channel{
        node: 4,
        path: :weights,
        times: times,
        values: pack(floats(3 * morphs)),
        interpolation: Enum.random([:linear, :step])
      },
      %Channel{
        node: 1,
        path: :rotation,
        times: times,
        values: :binary.copy(pack([0.0, 0.6, 0.0, 0.8]), 3)
      },
      %Channel{
        node: 0,
        path: :translation,
        times: times,
        values: pack(floats(27)),
        interpolation: :cubic
      }
    ]

    Enum.random([[], [%Animation{name: "wave", channels: channels, extras: extras()}]])
  end
end
