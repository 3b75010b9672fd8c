defmodule Wasgo.GenTest do
  use ExUnit.Case, async: true

  alias Wasgo.{DecodeError, Gen, PlanError}
  alias Wasgo.Gen.{Chunk, Plan}

  doctest Wasgo.Gen
  doctest Wasgo.Gen.Chunk

  @small [chunk_size: 16.0, samples: 9]

  defp sha(parts), do: :sha256 |> :crypto.hash(parts) |> Base.encode16(case: :lower)

  describe "the same bytes for the same seed" do
    test "as ever: a change of them is a change of everybody's worlds" do
      chunk = Gen.chunk!(Gen.plan!(seed: 7), {3, -2})

      assert sha([chunk.heights, chunk.scatter]) ==
               "09df5dd0cc8e4e05a29ba7d6a12a9fd54ac52f9b1e03537a1deb9b560738d086"

      chunk =
        Gen.chunk!(
          Gen.plan!([seed: 0xFFFF_FFFF_FFFF_FFFF, terrain: [octaves: 8, ridge: 1.0]] ++ @small),
          {-1000, 1000}
        )

      assert sha([chunk.heights, chunk.scatter]) ==
               "e747a66669094f0ac7468f4dc1561906f514cd63cf1cf18de8c1aef9d178e658"
    end

    test "in whatever order, by whichever process" do
      plan = Gen.plan!([seed: 99] ++ @small)
      coordinates = for x <- -2..2, z <- -2..2, do: {x, z}
      everything = fn chunk -> {chunk.heights, chunk.scatter, chunk.ground, chunk.stats} end
      forwards = for at <- coordinates, do: everything.(Gen.chunk!(plan, at))

      backwards =
        coordinates
        |> Enum.reverse()
        |> Enum.map(fn at ->
          Task.async(fn -> everything.(Gen.chunk!(Gen.plan!([seed: 99] ++ @small), at)) end)
        end)
        |> Task.await_many(30_000)
        |> Enum.reverse()

      assert forwards == backwards
    end

    test "and others for another" do
      [one, other] = for seed <- [1, 2], do: Gen.chunk!(Gen.plan!([seed: seed] ++ @small), {0, 0})
      assert one.heights != other.heights
    end
  end

  describe "a chunk" do
    test "has all of its samples, and says where it is" do
      chunk = Gen.chunk!(Gen.plan!(seed: 7, chunk_size: 32.0, samples: 17), {-2, 5})

      assert {chunk.coordinate, chunk.origin, chunk.size, chunk.samples} ==
               {{-2, 5}, {-64.0, 0.0, 160.0}, 32.0, 17}

      assert byte_size(chunk.heights) == 4 * 17 * 17
      assert byte_size(chunk.ground.positions) == 12 * 17 * 17
      assert byte_size(chunk.ground.normals) == 12 * 17 * 17
      assert byte_size(chunk.ground.colors) == 16 * 17 * 17
      assert byte_size(chunk.ground.indices) == 2 * 3 * 4 * 16 * 16

      <<x::float-32-little, y::float-32-little, z::float-32-little>> =
        binary_part(chunk.ground.positions, 12 * (3 * 17 + 5), 12)

      assert {x, z} == {10.0, 6.0}
      assert y == Chunk.height(chunk, 5, 3)
    end

    test "has figures that are those of its heights" do
      chunk = Gen.chunk!(Gen.plan!(seed: 7), {0, 0})
      heights = for <<height::float-32-little <- chunk.heights>>, do: height
      assert chunk.stats.min_height == Enum.min(heights)
      assert chunk.stats.max_height == Enum.max(heights)
      assert_in_delta chunk.stats.mean_height, Enum.sum(heights) / length(heights), 0.001

      assert_in_delta chunk.stats.water_share,
                      Enum.count(heights, &(&1 < 0)) / length(heights),
                      0.001

      assert chunk.stats.mean_slope >= 0 and chunk.stats.mean_slope <= 1
    end

    test "meets its neighbours in every bit" do
      plan = Gen.plan!([seed: 31] ++ @small)
      samples = plan.options.samples
      here = Gen.chunk!(plan, {4, -7})
      east = Gen.chunk!(plan, {5, -7})
      south = Gen.chunk!(plan, {4, -6})

      at = fn chunk, column, row ->
        index = row * samples + column

        {binary_part(chunk.heights, 4 * index, 4),
         binary_part(chunk.ground.normals, 12 * index, 12),
         binary_part(chunk.ground.colors, 16 * index, 16)}
      end

      for number <- 0..(samples - 1) do
        assert at.(here, samples - 1, number) == at.(east, 0, number)
        assert at.(here, number, samples - 1) == at.(south, number, 0)
      end
    end

    test "scatters things within itself, on the ground" do
      chunk = Gen.chunk!(Gen.plan!(seed: 7), {0, 0})
      things = Chunk.scatter(chunk)
      assert length(things) == Chunk.count(chunk) and things != []

      for thing <- things do
        assert thing.kind in 0..(length(chunk.plan.props) - 1)
        assert thing.x >= 0 and thing.x <= 64 and thing.z >= 0 and thing.z <= 64

        assert thing.y >= chunk.stats.min_height - 0.01 and
                 thing.y <= chunk.stats.max_height + 0.01

        assert thing.slope >= 0 and thing.slope <= 1 and thing.moisture >= 0 and
                 thing.moisture <= 1

        assert thing.scale > 0
      end
    end

    test "at the edge of the world is made, beyond it is refused by the axis" do
      plan = Gen.plan!([seed: 1] ++ @small)
      edge = div(1_048_576, 16) - 1

      for at <- [{edge, -edge}, {-edge, edge}],
          do: assert({:ok, %Chunk{coordinate: ^at}} = Gen.chunk(plan, at))

      for {at, axis} <- [
            {{edge + 1, 0}, "x"},
            {{0, -edge - 1}, "z"},
            {{0x7FFF_FFFF, 0}, "x"},
            {{0x8000_0000, 0}, "x"},
            {{0, -(2 ** 200)}, "z"}
          ] do
        assert {:error, %PlanError{reason: :out_of_range, field: ^axis} = error} =
                 Gen.chunk(plan, at)

        assert Exception.message(error) =~ "chunk #{axis}"
        assert_raise PlanError, fn -> Gen.chunk!(plan, at) end
      end

      assert_raise FunctionClauseError, fn -> Gen.chunk(plan, {1.0, 2}) end
    end

    test "knows its heights by sample" do
      chunk = Gen.chunk!(Gen.plan!([seed: 1] ++ @small), {0, 0})
      assert_raise FunctionClauseError, fn -> Chunk.height(chunk, 9, 0) end
      assert_raise FunctionClauseError, fn -> Chunk.height(chunk, 0, -1) end
      assert is_float(Chunk.height(chunk, 8, 8))
    end

    test "has water only where there is some" do
      dry = Gen.chunk!(Gen.plan!([seed: 1, terrain: [water_level: nil]] ++ @small), {0, 0})
      assert Chunk.water(dry) == nil and dry.stats.water_share == 0.0
      low = Gen.chunk!(Gen.plan!([seed: 1, terrain: [water_level: -500.0]] ++ @small), {0, 0})
      assert Chunk.water(low) == nil and low.stats.water_share == 0.0

      flooded = Gen.chunk!(Gen.plan!([seed: 1, terrain: [water_level: 500.0]] ++ @small), {0, 0})
      assert flooded.stats.water_share == 1.0
      sheet = Chunk.water(flooded)

      assert for(<<_::32, y::float-32-little, _::32 <- sheet.positions>>, uniq: true, do: y) == [
               500.0
             ]

      assert byte_size(sheet.indices) == 24
    end
  end

  describe "a plan" do
    # Each field with values at both ends of its range, and beyond them.
    @ranges [
      {[], :chunk_size, [1, 1.0, 4096], [0.99, 4097, -1, 0]},
      {[], :samples, [2, 257], [1, 258, 0, 0xFFFF_FFFF]},
      {[:terrain], :base_height, [-8192, 8192.0], [-8193, 8193]},
      {[:terrain], :amplitude, [0, 4096], [-0.1, 4097]},
      {[:terrain], :frequency, [1.0e-6, 1.0], [0, 1.1, -1]},
      {[:terrain], :octaves, [1, 12], [0, 13]},
      {[:terrain], :lacunarity, [1, 4], [0.9, 4.1]},
      {[:terrain], :gain, [0, 1], [-0.1, 1.1]},
      {[:terrain], :ridge, [0, 1], [-0.1, 1.1]},
      {[:terrain], :warp, [0, 1024], [-1, 1025]},
      {[:terrain], :water_level, [-16_384, 16_384, nil], [-16_385, 16_385]},
      {[:palette], :sand, [{0, 0.0, 1}], [{0, 0, 1.1}, {-0.1, 0, 0}]},
      {[:palette], :lush, [{0, 0.5, 1}], [{0, 2, 0}]},
      {[:palette], :dry, [{0, 0.5, 1}], [{2, 0, 0}]},
      {[:palette], :rock, [{0, 0.5, 1}], [{0, 0, -1}]},
      {[:palette], :snow, [{1, 1, 1}], [{1, 1, 1.5}]},
      {[:palette], :sand_height, [-16_384, 16_384], [-16_385, 16_385]},
      {[:palette], :snow_height, [-16_384, 16_384], [-16_385, 16_385]},
      {[:palette], :rock_slope, [0, 1], [-0.1, 1.1]},
      {[:palette], :blend, [0.001, 1000], [0, 1001]},
      {[:scatter], :variants, [1, 16], [0, 17]},
      {[:scatter], :spacing, [0.25, 1024], [0.2, 1025]},
      {[:scatter], :density, [0, 1], [-0.1, 1.1]},
      {[:scatter], :mask_frequency, [1.0e-6, 1], [0, 1.1]},
      {[:scatter], :mask_threshold, [-1, 1], [-1.1, 1.1]},
      {[:scatter], :slope, [{0, 1}, {0.5, 0.5}], [{-0.1, 1}, {0, 1.1}, {0.6, 0.5}]},
      {[:scatter], :height, [{-16_384, 16_384}], [{-16_385, 0}, {0, 16_385}, {2, 1}]},
      {[:scatter], :scale, [{0.01, 100}], [{0.001, 1}, {1, 101}, {2, 1}]}
    ]

    # Nothing scattered: over the largest chunks the usual rules would try too many places.
    defp with_field([], name, value),
      do: Keyword.put([seed: 1, chunk_size: 16, scatter: []], name, value)

    defp with_field([:scatter], name, value),
      do: [seed: 1, chunk_size: 16, scatter: [[{:kind, :rock}, {name, value}]]]

    # The least frequency and lacunarity, so that many octaves are not too fine.
    defp with_field([:terrain], :octaves, value),
      do: [seed: 1, terrain: [octaves: value, frequency: 0.001]]

    defp with_field([owner], name, value), do: [{:seed, 1}, {owner, [{name, value}]}]

    defp field([], name), do: "#{name}"
    defp field([:scatter], name), do: "scatter[0].#{name}"
    defp field([owner], name), do: "#{owner}.#{name}"

    test "takes what is in range, and names what is not" do
      for {owner, name, good, bad} <- @ranges,
          {kind, values} <- [good: good, bad: bad],
          value <- values do
        result = Gen.plan(with_field(owner, name, value))

        case kind do
          :good ->
            assert {:ok, %Plan{}} = result,
                   "#{field(owner, name)} of #{inspect(value)} is refused: #{inspect(result)}"

          :bad ->
            field = field(owner, name)
            assert {:error, %PlanError{reason: :out_of_range, field: ^field} = error} = result
            assert Exception.message(error) =~ "#{field} is "
            assert Exception.message(error) =~ "allowed: "
        end
      end
    end

    test "names what is no number at all" do
      for {owner, name, _good, _bad} <- @ranges,
          value <- ["wide", :wide, [1], {1, 2, 3, 4}, 2 ** 100] do
        field = field(owner, name)

        assert {:error, %PlanError{field: ^field} = error} =
                 Gen.plan(with_field(owner, name, value))

        assert Exception.message(error) =~ "#{field} must be "
      end

      for {owner, name} <- [{[], :chunk_size}, {[:terrain], :gain}, {[:scatter], :spacing}],
          value <- [:nan, :infinity, :neg_infinity] do
        field = field(owner, name)

        assert {:error, %PlanError{reason: :out_of_range, field: ^field}} =
                 Gen.plan(with_field(owner, name, value))
      end
    end

    test "names fields that there are not, and rules without a kind" do
      for {options, field, words} <- [
            {[terrain: [height: 1]], "terrain.height", "terrain has no field height"},
            {[palette: [grass: {0, 0, 0}]], "palette.grass", "palette has no field grass"},
            {[scatter: [[kind: :tree], [kind: :rock, size: 1]]], "scatter[1].size",
             "scatter[1] has no field size"},
            {[scatter: [[spacing: 1]]], "scatter[0].kind",
             "needs a kind, one of: tree, conifer, rock, bush"},
            {[scatter: [[kind: :house]]], "scatter[0].kind",
             "must be one of: tree, conifer, rock, bush"}
          ] do
        assert {:error, %PlanError{field: ^field} = error} = Gen.plan([seed: 1] ++ options)
        assert Exception.message(error) =~ words
      end
    end

    test "is refused where its fields come to too much together" do
      assert {:error, %PlanError{reason: :out_of_range, field: "terrain.octaves"}} =
               Gen.plan(seed: 1, terrain: [frequency: 1.0, octaves: 12, lacunarity: 4])

      assert {:error, %PlanError{reason: :out_of_range, field: "scatter[0].spacing"} = error} =
               Gen.plan(seed: 1, chunk_size: 4096, scatter: [[kind: :rock, spacing: 0.25]])

      assert Exception.message(error) =~ "places are tried in a chunk of 4096 m"

      assert {:error, %PlanError{field: "scatter"}} =
               Gen.plan(seed: 1, scatter: List.duplicate([kind: :rock], 33))

      assert {:ok, _} = Gen.plan(seed: 1, scatter: List.duplicate([kind: :rock], 32))
    end

    test "has a seed of 64 bits" do
      for seed <- [0, 0xFFFF_FFFF_FFFF_FFFF], do: assert({:ok, %Plan{}} = Gen.plan(seed: seed))

      for seed <- [-1, 0x1_0000_0000_0000_0000] do
        assert {:error, %PlanError{reason: :out_of_range, field: "seed"} = error} =
                 Gen.plan(seed: seed)

        assert Exception.message(error) =~ "seed is #{seed}"
        assert_raise PlanError, fn -> Gen.plan!(seed: seed) end
      end

      assert_raise ArgumentError, ~r/needs the option :seed/, fn -> Gen.plan([]) end
      assert_raise ArgumentError, ~r/has no option :sead/, fn -> Gen.plan(sead: 1) end
    end

    test "has a mesh for each variant of its rules" do
      plan = Gen.plan!(seed: 1, scatter: [[kind: :bush, variants: 2], [kind: :rock, variants: 3]])
      assert plan.rules == [bush: 2, rock: 3]
      assert length(plan.props) == 5
      assert plan.props |> Enum.map(& &1.name) |> Enum.uniq() |> length() == 5
      assert Enum.all?(plan.props, &match?(%{surfaces: [%Wasgo.Scene.Surface{} | _]}, &1))
      assert Gen.plan!(seed: 1, scatter: []).props == []
    end

    test "tells of itself" do
      assert inspect(Gen.plan!(seed: 7)) ==
               "#Wasgo.Gen.Plan<seed 7, chunks of 64.0 m with 65 x 65 samples, scatters 4 tree, 4 conifer, 4 rock, 3 bush>"

      assert inspect(Gen.plan!(seed: 7, scatter: [])) ==
               "#Wasgo.Gen.Plan<seed 7, chunks of 64.0 m with 65 x 65 samples>"
    end
  end

  describe "an instance table" do
    @fields [kind: 0, x: 1.0, y: 2.0, z: 3.0, yaw: 0.5, scale: 1.0, slope: 0.1, moisture: 0.2]

    defp thing(changes \\ []) do
      [{:kind, kind} | numbers] =
        Keyword.merge(@fields, changes)
        |> Enum.sort_by(fn {name, _} -> Enum.find_index(@fields, &(elem(&1, 0) == name)) end)

      for {_name, number} <- numbers, into: <<kind::32-little>> do
        case number do
          <<bits::binary-size(4)>> -> bits
          number -> <<number::float-32-little>>
        end
      end
    end

    setup do
      {:ok,
       chunk:
         Gen.chunk!(Gen.plan!([seed: 1, scatter: [[kind: :rock, variants: 2]]] ++ @small), {0, 0})}
    end

    test "that makes sense is taken", %{chunk: chunk} do
      table = thing() <> thing(kind: 1, x: 16.0, scale: 100.0)
      assert {:ok, changed} = Chunk.put_scatter(chunk, table)

      assert [
               %{kind: 0, x: 1.0, y: 2.0, z: 3.0, yaw: 0.5, scale: 1.0},
               %{kind: 1, x: 16.0, scale: 100.0}
             ] = Chunk.scatter(changed)

      assert {:ok, [{first, transforms}, {second, _}]} = Chunk.instances(changed)
      assert [first, second] == chunk.plan.props
      assert byte_size(transforms) == 48
      numbers = for <<number::float-32-little <- transforms>>, do: number
      assert [1.0, 2.0, 3.0] == for(at <- [3, 7, 11], do: Enum.at(numbers, at))
    end

    test "is refused for each field out of its range, and says which", %{chunk: chunk} do
      nan = <<0, 0, 0xC0, 0x7F>>
      infinity = <<0, 0, 0x80, 0x7F>>

      for {field, values} <- [
            x: [-9.0, 25.0, nan, infinity],
            y: [17_000.0, -17_000.0, nan],
            z: [-9.0, 25.0, infinity],
            yaw: [1001.0, nan],
            scale: [0.0, -1.0, 101.0, nan],
            slope: [-0.1, 1.1, nan],
            moisture: [-0.1, 1.1, infinity]
          ],
          value <- values do
        assert {:error, %DecodeError{reason: {:contract, words}}} =
                 Chunk.put_scatter(chunk, thing() <> thing([{field, value}]))

        assert words =~ "the instance table is refused: instance 1: #{field} is "
      end

      for kind <- [2, 0xFFFF_FFFF] do
        assert {:error, error} = Chunk.put_scatter(chunk, thing(kind: kind))
        assert Exception.message(error) =~ "instance 0: kind is #{kind}, the plan has 2"
      end
    end

    test "is refused when it is no whole number of things, or too many", %{chunk: chunk} do
      for bytes <- [1, 31, 33],
          do:
            assert(
              {:error, %DecodeError{}} = Chunk.put_scatter(chunk, :binary.copy(<<0>>, bytes))
            )

      assert {:error, error} = Chunk.put_scatter(chunk, :binary.copy(thing(), 262_145))
      assert Exception.message(error) =~ "262145 instances"
      assert {:ok, _} = Chunk.put_scatter(chunk, :binary.copy(thing(), 1000))
    end

    test "of arbitrary bytes is taken or refused, and what is taken can be used", %{chunk: chunk} do
      state = :rand.seed_s(:exsss, {7, 8, 9})

      {outcomes, _} =
        Enum.map_reduce(1..400, state, fn _, state ->
          {at, state} = :rand.uniform_s(32, state)
          {byte, state} = :rand.uniform_s(256, state)
          <<before::binary-size(at - 1), _, rest::binary>> = thing()

          case Chunk.put_scatter(chunk, <<before::binary, byte - 1, rest::binary>>) do
            {:ok, changed} ->
              assert {:ok, [_]} = Chunk.instances(changed)
              assert {:ok, scene} = Chunk.to_scene(changed)
              assert {:ok, _} = Wasgo.Scene.validate(scene)
              assert inspect(changed) =~ "1 rock"
              {:taken, state}

            {:error, error} ->
              assert %DecodeError{reason: {:contract, _}} = error
              {:refused, state}
          end
        end)

      assert Enum.uniq(Enum.sort(outcomes)) == [:refused, :taken]
    end
  end

  test "creatures are meshes of their own, by seed" do
    [one, again, other] = for seed <- [1, 1, 2], do: Gen.creature(seed)
    assert one == again
    assert one.name == "creature_1"
    assert [%Wasgo.Scene.Surface{material: 1} | _] = one.surfaces
    refute Enum.map(one.surfaces, & &1.colors) == Enum.map(other.surfaces, & &1.colors)
    assert_raise FunctionClauseError, fn -> Gen.creature(-1) end
  end

  test "a chunk tells of itself" do
    chunk = Gen.chunk!(Gen.plan!(seed: 7), {0, 0})

    assert inspect(chunk) =~
             ~r/^#Wasgo.Gen.Chunk<\{0, 0\}, 64.0 m, 65 x 65, heights -?\d+\.\d to -?\d+\.\d m, .*8192 triangles, .*tree/

    assert inspect(%{chunk | name: "Low Fell"}) =~ ~s|<{0, 0}, "Low Fell", |
    {:ok, bare} = Chunk.put_scatter(chunk, "")
    assert inspect(bare) =~ ~r/8192 triangles>$/
  end
end
