defmodule Wasgo.Stages.TransformSceneTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Buffer, DecodeError, Format, Gen, Pipeline, Scene, SceneError, StageError}
  alias Wasgo.Stages.Transform

  setup_all do
    plan = Gen.plan!(seed: 7, chunk_size: 16.0, samples: 17)
    chunk = Gen.chunk!(plan, {3, 1})
    {:ok, scene} = Gen.Chunk.to_scene(chunk)
    {:ok, chunk: chunk, scene: scene}
  end

  defp through(payloads, operations, settings \\ []) do
    payloads
    |> Enum.map(&Buffer.new(&1, pts: 5, metadata: %{from: :test}))
    |> Pipeline.through({Transform, scene: operations}, settings)
    |> Enum.to_list()
  end

  defp one(payload, operations) do
    assert [{:ok, buffer}] = through([payload], operations)
    assert buffer.pts == 5 and buffer.metadata.from == :test
    buffer
  end

  test "chunks, volumes, scenes and files are scenes", %{chunk: chunk, scene: scene} do
    import Wasgo.Gen.Field
    file = Scene.to_glb!(scene)
    optimized = Scene.optimize!(scene)
    assert one(chunk, [:optimize]).payload == optimized
    assert one(scene, optimize: []).payload == optimized
    assert one(file, [:compact]).payload == Scene.compact!(Scene.from_glb!(file))
    assert one(file, from_glb: [lossy: true]).payload == Scene.from_glb!(file, lossy: true)
    assert one(chunk, [:to_glb]).payload == file

    volume = Gen.volume!(Gen.plan!(seed: 1, density: sphere({16, 16, 16}, 10)), {0, 0, 0})
    {:ok, body} = Gen.Volume.to_scene(volume)
    assert one(volume, [:bounds]).payload == body
  end

  test "each operation does what the function of its name does", %{scene: scene} do
    matrix = {1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7}
    {simplified, error} = Scene.simplify!(scene, ratio: 0.2)

    for {operation, expected} <- [
          {{:simplify, [ratio: 0.2]}, simplified},
          {{:lods, [ratios: [0.3]]}, Scene.lods!(scene, ratios: [0.3])},
          {:optimize, Scene.optimize!(scene)},
          {:tangents, Scene.tangents!(scene)},
          {:compact, Scene.compact!(scene)},
          {{:transform, matrix}, Scene.transform!(scene, matrix)},
          {{:transform, [matrix: matrix]}, Scene.transform!(scene, matrix)},
          {{:transform, [translation: {5, 6, 7}]}, Scene.transform!(scene, matrix)},
          {{:merge, [with: [scene], name: "both"]}, Scene.merge([scene, scene], "both")},
          {{:to_glb, [instancing: true]}, Scene.to_glb!(scene, instancing: true)}
        ] do
      assert one(scene, [operation]).payload == expected, inspect(operation)
    end

    assert one(scene, simplify: [ratio: 0.2]).metadata.simplify_error == error
    assert one(scene, [:validate]).metadata.counts == Scene.validate!(scene)
    assert one(scene, [:bounds]).metadata.bounds == Scene.bounds!(scene)

    told = Map.keys(one(scene, [:validate, :bounds, :merge]).metadata)
    assert Enum.sort(told) == [:bounds, :counts, :from]
  end

  test "a transform is scaled, then turned, then moved" do
    half = :math.sqrt(0.5)
    node = fn scene -> hd(scene.nodes) end
    scene = %Scene{nodes: [%Scene.Node{name: "a", translation: {1.0, 2.0, 3.0}}], roots: [0]}

    # A quarter to the left about y: x goes to -z, z goes to x. The quaternion's length does not count.
    for length <- [1, 1.0e-20, 1.0e25] do
      turn = [
        translation: {10, 0, 0},
        rotation: {0, half * length, 0, half * length},
        scale: {2, 1, 1}
      ]

      {x, y, z} = node.(one(scene, transform: turn).payload).translation
      assert_in_delta x, 10 + 3, 1.0e-5
      assert_in_delta y, 2, 1.0e-5
      assert_in_delta z, -2, 1.0e-5
    end

    # The same about each axis, of a point that is scaled to {2, 6, 15}.
    for {axis, expected} <- [
          {{half, 0, 0, half}, {2, -15, 6}},
          {{0, half, 0, half}, {15, 6, -2}},
          {{0, 0, half, half}, {-6, 2, 15}},
          {{0.5, 0.5, 0.5, 0.5}, {15, 2, 6}},
          {{-0.5, 0.5, 0.5, 0.5}, {-6, 15, -2}}
        ] do
      moved = one(scene, transform: [rotation: axis, scale: {2, 3, 5}]).payload
      {{x, y, z}, {at_x, at_y, at_z}} = {node.(moved).translation, expected}
      assert_in_delta x, at_x, 1.0e-4
      assert_in_delta y, at_y, 1.0e-4
      assert_in_delta z, at_z, 1.0e-4
    end

    assert node.(one(scene, transform: [scale: 2]).payload).translation == {2.0, 4.0, 6.0}
  end

  test "operations follow one another, over every part of a scene", %{chunk: chunk} do
    chunks = for x <- 0..3, do: Gen.chunk!(chunk.plan, {x, 0})
    scene = Scene.merge(for each <- chunks, do: elem(Gen.Chunk.to_scene(each), 1))

    expected =
      for part <- Scene.split!(scene, {:grid, 16.0}), do: Scene.to_glb!(Scene.compact!(part))

    assert length(expected) >= 4

    parts =
      for {:ok, buffer} <- through([scene, scene], split: {:grid, 16.0}, compact: [], to_glb: []),
          do: buffer

    assert Enum.map(parts, & &1.payload) == expected ++ expected
    numbers = Enum.to_list(0..(length(expected) - 1))
    assert Enum.map(parts, & &1.metadata.part) == numbers ++ numbers
    assert Enum.all?(parts, &(&1.pts == 5 and &1.metadata.from == :test))

    by_material =
      for {:ok, buffer} <- through([scene], split: [by: :material]), do: buffer.payload

    assert by_material == Scene.split!(scene, :material)

    merged = one(scene, split: :material, merge: [name: "again"])
    assert merged.payload == Scene.merge(by_material, "again")
    refute is_map_key(merged.metadata, :part)
  end

  test "several buffers at once keep their order", %{chunk: chunk} do
    chunks = for name <- ~w(a b c d e f g h), do: %{chunk | name: name}
    elements = through(chunks, [simplify: [ratio: 0.5]], max_concurrency: 3)
    assert for({:ok, buffer} <- elements, do: buffer.payload.name) == ~w(a b c d e f g h)
  end

  test "an error names its operation and takes the place of its buffer", %{scene: scene} do
    broken = %{scene | roots: [999]}

    for operation <- [
          :optimize,
          :tangents,
          :compact,
          :bounds,
          :validate,
          :to_glb,
          :simplify,
          :lods,
          :split,
          :transform
        ] do
      assert [{:ok, _}, {:error, %SceneError{} = error}, {:ok, _} | _] =
               through([%Scene{}, broken, %Scene{name: "x"}], [operation])
               |> pad(operation)

      assert Exception.message(error) =~ ~r/^#{operation}: .*999/
    end

    assert [{:error, %SceneError{} = error}] = through([scene], simplify: [ratio: 7])
    assert Exception.message(error) =~ "simplify: "
    assert [{:error, %DecodeError{} = error}] = through(["no file"], [:compact])
    assert Exception.message(error) =~ "from_glb"

    for {payload, operations, words} <- [
          {:nothing, [:compact], "compact takes a Wasgo.Scene, a Wasgo.Gen.Chunk"},
          {scene, [:from_glb], "from_glb takes bytes of a GLB file"}
        ] do
      assert [{:error, %DecodeError{reason: {:contract, message}}}] =
               through([payload], operations)

      assert message =~ words
    end
  end

  # An empty scene has no parts.
  defp pad(elements, :split), do: [{:ok, nil}] ++ elements ++ [{:ok, nil}]
  defp pad(elements, _operation), do: elements

  test "the format says what comes out" do
    {:ok, to_scene} = Transform.init(%{scene: [:compact], with: nil, format: nil})
    {:ok, to_glb} = Transform.init(%{scene: [:compact, :to_glb], with: nil, format: nil})

    for format <- [%Format.Scene{}, %Format.Chunks{}, %Format.Bytes{}, %Format.Terms{}, nil] do
      assert {:ok, %Format.Scene{}, ^to_scene} = Transform.handle_format(format, to_scene)

      assert {:ok, %Format.Bytes{packetized: true}, ^to_glb} =
               Transform.handle_format(format, to_glb)
    end

    assert {:error, %StageError{reason: :format}, _} =
             Transform.handle_format(%Format.Rows{}, to_glb)

    said = %{to_glb | format: %Format.Terms{}}
    assert {:ok, %Format.Terms{}, _} = Transform.handle_format(%Format.Scene{}, said)
  end

  test "operations are checked when the pipeline is built" do
    for {operations, words} <- [
          {[], ~r/:scene is \[\], and must be a list of operations/},
          {:compact, ~r/:scene is :compact/},
          {[:melt], ~r/there is no operation :melt; there are :from_glb, :to_glb/},
          {["compact"], ~r/an operation is a name, or {name, options}, and not "compact"/},
          {[simplify: [amount: 1]], ~r/the operation :simplify has no option :amount/},
          {[simplify: [ratio: "half"]],
           ~r/option :ratio of the operation :simplify must be a number/},
          {[simplify: 0.5], ~r/the operation :simplify takes a keyword list/},
          {[lods: [ratios: 0.5]], ~r/option :ratios of the operation :lods/},
          {[split: :color], ~r/option :by of the operation :split/},
          {[transform: [rotation: {0, 0, 0, 0}]],
           ~r/option :rotation of the operation :transform/},
          {[transform: [translation: {0, 0}]], ~r/option :translation/},
          {[transform: [translation: {1.0e308, 0, 0}]], ~r/option :translation/},
          {[transform: {1, 2}], ~r/option :matrix/},
          {[transform: [matrix: {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, scale: 2]],
           ~r/has a :matrix and something beside/},
          {[merge: [with: [:a]]], ~r/option :with of the operation :merge/},
          {[:compact, :from_glb], ~r/:from_glb can only be the first/},
          {[:to_glb, :compact], ~r/:to_glb can only be the last/}
        ] do
      assert_raise ArgumentError, words, fn ->
        Pipeline.through([], {Transform, scene: operations})
      end
    end

    both = [scene: [:compact], with: &{:ok, &1}]

    assert_raise ArgumentError, ~r/takes one of them/, fn ->
      Pipeline.through([], {Transform, both})
    end
  end
end
