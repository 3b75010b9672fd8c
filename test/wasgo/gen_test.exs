defmodule Wasgo.GenTest do
  use ExUnit.Case, async: true

  alias Wasgo.{DecodeError, Gen, PlanError}
  alias Wasgo.Gen.{Chunk, Plan, Volume}

  doctest Wasgo.Gen
  doctest Wasgo.Gen.Field
  doctest Wasgo.Gen.Volume
  doctest Wasgo.Gen.Chunk
  doctest Wasgo.Gen.Collider
  doctest Wasgo.Gen.Plan

  @small [chunk_size: 16.0, samples: 9]

  defp sha(parts), do: :sha256 |> :crypto.hash(parts) |> Base.encode16(case: :lower)

  describe "the same bytes for the same seed" do
    test "as ever: a change of them is a change of everybody's worlds" do
      chunk = Gen.chunk!(Gen.plan!(seed: 7), {3, -2})

      assert sha([chunk.heights, chunk.scatter]) ==
               "2ae6b4fbe024b6c43e27ddc4be245b1fb8e80f771da6786729d4d092307d17de"

      chunk = Gen.chunk!(Gen.plan!([seed: 0xFFFF_FFFF_FFFF_FFFF] ++ @small), {-1000, 1000, 2})

      assert sha([chunk.heights, chunk.scatter]) ==
               "21104f76deb3def11666e00175b0dc0bb51d91af0e65d4d16ecc8c3696f30a1e"
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
      samples = plan.samples
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

      # Evaluated, for newer compilers see that it is wrong.
      {wrong, []} = Code.eval_string("{1.0, 2}")
      assert_raise FunctionClauseError, fn -> Gen.chunk(plan, wrong) end
    end

    test "knows its heights by sample" do
      chunk = Gen.chunk!(Gen.plan!([seed: 1] ++ @small), {0, 0})
      assert_raise FunctionClauseError, fn -> Chunk.height(chunk, 9, 0) end
      assert_raise FunctionClauseError, fn -> Chunk.height(chunk, 0, -1) end
      assert is_float(Chunk.height(chunk, 8, 8))
    end

    test "has water only where there is some" do
      dry = Gen.chunk!(Gen.plan!([seed: 1, water: nil] ++ @small), {0, 0})
      assert Chunk.water(dry) == nil and dry.stats.water_share == 0.0
      low = Gen.chunk!(Gen.plan!([seed: 1, water: -500.0] ++ @small), {0, 0})
      assert Chunk.water(low) == nil and low.stats.water_share == 0.0

      flooded = Gen.chunk!(Gen.plan!([seed: 1, water: 500.0] ++ @small), {0, 0})
      assert flooded.stats.water_share == 1.0
      sheet = Chunk.water(flooded)

      assert for(<<_::32, y::float-32-little, _::32 <- sheet.positions>>, uniq: true, do: y) == [
               500.0
             ]

      assert byte_size(sheet.indices) == 24
    end
  end

  describe "a chunk of a coarser level" do
    setup do
      {:ok, plan: Gen.plan!(seed: 5, samples: 17, scatter: [])}
    end

    test "has the samples of finer ones where they are", %{plan: plan} do
      coarse = Gen.chunk!(plan, {-1, 2, 2})
      assert {coarse.level, coarse.size, coarse.origin} == {2, 256.0, {-256.0, 0.0, 512.0}}

      for column <- 0..3, row <- 0..3 do
        fine = Gen.chunk!(plan, {-4 + column, 8 + row})

        for c <- 0..4, r <- 0..4 do
          assert Chunk.height(fine, 4 * c, 4 * r) ==
                   Chunk.height(coarse, 4 * column + c, 4 * row + r)
        end
      end
    end

    test "is met by finer ones that are told of it", %{plan: plan} do
      coarse = Gen.chunk!(plan, {1, 0, 1})
      fine = Gen.chunk!(plan, {1, 0}, neighbours: [east: 1, north_east: 1, south_east: 1])
      alone = Gen.chunk!(plan, {1, 0})
      assert byte_size(fine.ground.indices) < byte_size(alone.ground.indices)

      for number <- 0..8 do
        at = fn chunk, column, row ->
          index = row * 17 + column

          {Chunk.height(chunk, column, row), binary_part(chunk.ground.normals, 12 * index, 12),
           binary_part(chunk.ground.colors, 16 * index, 16)}
        end

        assert at.(fine, 16, 2 * number) == at.(coarse, 0, number)
      end

      used = for <<index::32-little <- fine.ground.indices>>, uniq: true, do: index

      assert for(index <- used, rem(index, 17) == 16, do: div(index, 17)) |> Enum.sort() ==
               Enum.to_list(0..16//2)
    end

    test "is refused with the field at fault where there is none", %{plan: plan} do
      for {address, options, field} <- [
            {{0, 0, 7}, [], "level"},
            {{0, 0, -1}, [], "level"},
            {{0, 0, 300}, [], "level"},
            {{0, 0}, [neighbours: [east: 5]], "neighbours"},
            {{0, 0}, [neighbours: [up: 1]], "neighbours"},
            {{0, 0}, [neighbours: [east: -1]], "neighbours"},
            {{9000, 0, 6}, [], "x"}
          ] do
        assert {:error, %PlanError{field: ^field}} = Gen.chunk(plan, address, options)
        assert {:error, %PlanError{field: ^field}} = Gen.key(plan, address, options)
      end
    end

    test "has a key of its own", %{plan: plan} do
      {:ok, key} = Gen.key(plan, {1, 2})
      assert byte_size(key) == 32
      assert Gen.key(Gen.plan!(seed: 5, samples: 17, scatter: []), {1, 2, 0}) == {:ok, key}

      for other <- [
            Gen.key(plan, {2, 1}),
            Gen.key(plan, {1, 2, 1}),
            Gen.key(plan, {1, 2}, neighbours: [west: 1]),
            Gen.key(Gen.plan!(seed: 6, samples: 17, scatter: []), {1, 2})
          ] do
        assert {:ok, <<_::256>> = other} = other
        assert other != key
      end
    end
  end

  describe "a plan" do
    import Wasgo.Gen.Field

    # Options, and the field that their error names; `:ok` where there is none.
    @cases [
      {[chunk_size: 1], :ok},
      {[chunk_size: 4096, levels: 0], :ok},
      {[chunk_size: 0.99], "chunk.size"},
      {[chunk_size: 4097], "chunk.size"},
      {[samples: 2], :ok},
      {[samples: 257], :ok},
      {[samples: 1], "chunk.samples"},
      {[samples: 258], "chunk.samples"},
      {[samples: 9.5], "chunk.samples"},
      {[levels: 12, chunk_size: 64], :ok},
      {[levels: 13], "chunk.levels"},
      {[water: -16_384], :ok},
      {[water: nil], :ok},
      {[water: 16_385], "terrain.water"},
      {[water: "deep"], "terrain.water"},
      {[ground: [[color: {0, 0.5, 1}]]], :ok},
      {[ground: [[color: {0, 0.5, 1.1}]]], "ground[0].color"},
      {[ground: [[color: {0, 0}]]], "ground[0].color"},
      {[ground: [[color: :red]]], "ground[0].color"},
      {[ground: [[color: {0, 0, 0}], [color: {0, 0, 0}]]], "ground[1].by"},
      {[ground: [[colour: {0, 0, 0}]]], "ground[0].colour"},
      {[ground: [[by: 1.0]]], "ground[0]"},
      {[scatter: [[kind: :rock, variants: 16]]], :ok},
      {[scatter: [[kind: :rock, variants: 0]]], "scatter[0].variants"},
      {[scatter: [[kind: :rock, spacing: 0.2]]], "scatter[0].spacing"},
      {[scatter: [[kind: :rock, spacing: 1024]]], :ok},
      {[scatter: [[kind: :rock, density: 1.1]]], "scatter[0].density"},
      {[scatter: [[kind: :rock, density: -0.1]]], "scatter[0].density"},
      {[scatter: [[kind: :rock, slope: {0.6, 0.5}]]], "scatter[0].slope"},
      {[scatter: [[kind: :rock, height: {0, 16_385}]]], "scatter[0].height"},
      {[scatter: [[kind: :rock, scale: {0.001, 1}]]], "scatter[0].scale"},
      {[scatter: [[kind: :rock, scale: 3]]], "scatter[0].scale"},
      {[scatter: [[kind: :rock, level: 7]]], "scatter[0].level"},
      {[scatter: [[kind: :rock, by: "wood"]]], "scatter[0].by"},
      {[scatter: [[kind: :rock], [kind: :tree, avoid: [{"rock", 1}]]]], "scatter[1].avoid[0]"},
      {[scatter: [[kind: :rock, name: "r"], [kind: :tree, avoid: [{"r", 1}]]]], :ok},
      {[scatter: [[kind: :house]]], "scatter[0].kind"},
      {[scatter: [[spacing: 3]]], "scatter[0]"},
      {[scatter: [[kind: :tree, size: 1]]], "scatter[0].size"}
    ]

    test "takes what is in range, and names what is not" do
      for {options, field} <- @cases do
        options = Keyword.put_new(options, :scatter, [])

        case {field, Gen.plan([seed: 1] ++ options)} do
          {:ok, result} ->
            assert {:ok, %Plan{}} = result, inspect(options)

          {field, {:error, %PlanError{field: found} = error}} ->
            assert found == field, "#{inspect(options)}: #{Exception.message(error)}"
            assert Exception.message(error) =~ field
        end
      end
    end

    test "names the field of a node that is wrong, by the way down to it" do
      bad = fbm(frequency: 0.01, gain: 7) |> named("clouds")

      for {options, field} <- [
            {[height: 3.0, moisture: bad], ~s|moisture: noise "clouds"|},
            {[height: 3.0, shade: warp(bad, strength: 1)], ~s|shade: warp.of > noise "clouds"|},
            {[height: 3.0, ground: [[color: {0, 0, 0}], [color: {1, 1, 1}, by: bad]]],
             ~s|ground[1].by: noise "clouds"|},
            {[height: 3.0, scatter: [[kind: :rock, by: magnitude(bad)]]],
             ~s|scatter[0].by: abs.of > noise "clouds"|},
            {[height: slope()], "terrain.height: slope"}
          ] do
        assert {:error, %PlanError{field: ^field} = error} = Gen.plan([seed: 1] ++ options)
        assert Exception.message(error) =~ field
      end
    end

    test "is the same plan for the same fields, however they are written" do
      hills = fn -> fbm(frequency: 1 / 100, octaves: 3) end
      one = Gen.plan!(seed: 1, height: add(hills.(), hills.()))
      shared = hills.()
      assert Gen.plan!(seed: 1, height: add(shared, shared)).digest == one.digest
      assert Gen.plan!(seed: 2, height: add(shared, shared)).digest != one.digest
    end

    test "has no two fields of one name" do
      [one, other] = for octaves <- [2, 3], do: named(fbm(frequency: 0.1, octaves: octaves), "n")
      assert {:error, %PlanError{field: "n"} = error} = Gen.plan(seed: 1, height: add(one, other))
      assert Exception.message(error) == ~s|two different fields are named "n"|
      assert {:ok, _} = Gen.plan(seed: 1, height: add(one, one))
    end

    test "of fields that share everything is small" do
      tower = Enum.reduce(1..100, fbm(frequency: 0.01), fn _, field -> lowest(field, field) end)
      assert {:ok, plan} = Gen.plan(seed: 1, height: tower)
      assert byte_size(Plan.to_json(plan)) < 20_000
    end

    test "does with fields what they say" do
      at = fn field ->
        chunk = Gen.chunk!(Gen.plan!(seed: 1, height: field, samples: 17), {0, 0})
        for column <- [0, 3, 16], do: Chunk.height(chunk, column, 2)
      end

      x = coordinate(:x)
      assert at.(x) == [0.0, 12.0, 64.0]
      assert at.(coordinate(:z)) == [8.0, 8.0, 8.0]
      assert at.(scale(x, 2, -1)) == [-1.0, 23.0, 127.0]
      assert at.(subtract(40, x)) == [40.0, 28.0, -24.0]
      assert at.(clamp(x, 5, 20)) == [5.0, 12.0, 20.0]
      assert at.(lowest(x, 20)) == [0.0, 12.0, 20.0]
      assert at.(highest(x, 20)) == [20.0, 20.0, 64.0]
      assert at.(magnitude(subtract(x, 20))) == [20.0, 8.0, 44.0]
      assert at.(smooth(x, 12, 64)) == [0.0, 0.0, 1.0]
      assert at.(blend(7, x, smooth(x, 0, 12))) == [7.0, 12.0, 64.0]
      assert at.(mask(x, x, 20, 64)) == [0.0, 0.0, 64.0]
      assert at.(multiply(x, x)) == [0.0, 144.0, 4096.0]
      assert at.(power(x, 2)) == [0.0, 144.0, 4096.0]
      assert at.(terrace(x, height: 10, sharpness: 1)) == [0.0, 10.0, 60.0]
      assert at.(curve(x, [{0, 5}, {12, 6}, {64, 5}])) == [5.0, 6.0, 5.0]
      assert at.(place(x, offset: {4, 0, 0})) == [-4.0, 8.0, 60.0]
      assert at.(place(x, scale: 2)) == [0.0, 6.0, 32.0]
      assert at.(warp(x, by: {1, 0}, strength: 3)) == [3.0, 15.0, 67.0]
      assert at.(sphere({12, 0, 8}, 10)) == [-2.0, 10.0, -42.0]
      assert at.(box({12, 0, 8}, {5, 5, 5})) == [-7.0, 5.0, -47.0]
      assert at.(torus({12, 0, 8}, 10, 1, axis: :y)) == [-1.0, -9.0, -41.0]
      assert at.(capsule({0, 0, 8}, {12, 0, 8}, 2)) == [2.0, 2.0, -50.0]

      assert_raise ArgumentError, ~r/there is no option :octave here/, fn -> fbm(octave: 3) end
      assert_raise ArgumentError, ~r/:frequency is needed/, fn -> noise(seed: 3) end
      assert_raise ArgumentError, ~r/a field or a number is needed/, fn -> magnitude("x") end
      assert inspect(x) == "#Wasgo.Gen.Field<coordinate>"
      assert inspect(named(x, "east")) == ~s|#Wasgo.Gen.Field<coordinate "east">|
    end

    test "is refused where its rules come to too much together" do
      assert {:error, %PlanError{reason: :out_of_range, field: "scatter[0].spacing"} = error} =
               Gen.plan(
                 seed: 1,
                 chunk_size: 4096,
                 levels: 0,
                 scatter: [[kind: :rock, spacing: 0.25]]
               )

      assert Exception.message(error) =~ "places are tried in a chunk of 4096 m"

      assert {:error, %PlanError{field: "scatter"}} =
               Gen.plan(seed: 1, scatter: List.duplicate([kind: :rock], 33))

      assert {:ok, _} = Gen.plan(seed: 1, scatter: List.duplicate([kind: :rock], 32))
    end

    test "comes back from text as it was, and text from elsewhere is checked" do
      plan = Gen.plan!(seed: 0xFFFF_FFFF_FFFF_FFFF, water: 2.5)
      assert {:ok, again} = Gen.from_json(Plan.to_json(plan))
      assert {again.digest, again.seed, again.water_level} == {plan.digest, plan.seed, 2.5}

      for text <- ["", "{", "[]", <<255>>, ~s|{"version": 2, "seed": 1}|, ~s|{"version": 1}|] do
        assert {:error, %PlanError{}} = Gen.from_json(text)
      end

      assert {:error, %PlanError{reason: :out_of_range}} =
               Gen.from_json(:binary.copy(" ", 5_000_000))
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

  describe "rivers" do
    setup do
      import Gen.Field
      hills = fbm(frequency: 1 / 1800, octaves: 5) |> scale(150.0, 60.0)
      options = [frequency: 1 / 120, width: 9, depth: 4, sea: 0.0, springs: 2]
      water = river_water(hills, options)
      distance = river_distance(hills, options)
      plan = Gen.plan!(seed: 5, height: rivers(hills, options), rivers: water, water: 0.0)
      {:ok, plan: plan, nearness: Gen.plan!(seed: 5, height: distance)}
    end

    # A chunk with a bed in it.
    defp wet(nearness) do
      Enum.find(for(x <- -9..9, z <- -9..9, do: {x, z}), fn at ->
        Gen.chunk!(nearness, at).stats.min_height < -2.0
      end)
    end

    test "have water to draw where they are", %{plan: plan, nearness: nearness} do
      chunk = Gen.chunk!(plan, wet(nearness))
      {:ok, %Wasgo.Scene.Surface{} = surface} = Gen.Chunk.rivers(chunk)
      triangles = div(byte_size(surface.indices), 12)
      assert triangles > 20 and triangles <= 64 * 64 * 2
      {:ok, scene} = Gen.Chunk.to_scene(chunk)
      assert Enum.any?(scene.meshes, &(surface in &1.surfaces))

      # Above the bed, below the banks.
      heights =
        for <<_x::float-32-little, y::float-32-little, _z::float-32-little <- surface.positions>>,
          do: y

      assert Enum.max(heights) < chunk.stats.max_height
      assert Enum.min(heights) > chunk.stats.min_height
    end

    test "are nowhere in plans without them" do
      assert {:ok, nil} = Gen.Chunk.rivers(Gen.chunk!(Gen.plan!(seed: 7), {0, 0}))
    end

    test "too wide for their valleys are refused" do
      hills = Gen.Field.fbm(frequency: 0.01)
      wide = Gen.Field.rivers(hills, frequency: 0.01, width: 50, depth: 4)
      {:error, error} = Gen.plan(seed: 1, height: wide)

      assert Exception.message(error) ==
               "terrain.height: rivers: width is 50, allowed: so much that a river with its valley, now 450 m, is at most 90 m wide"
    end
  end

  describe "a volume" do
    import Wasgo.Gen.Field, except: [height: 0]

    setup do
      hills = fbm(frequency: 0.02, octaves: 3) |> scale(8)
      rough = fbm(frequency: 0.06, octaves: 3, dimensions: 3) |> scale(4)
      density = subtract(add(hills, rough), coordinate(:y))
      {:ok, plan: Gen.plan!(seed: 4, density: density, cells: 16, cell_size: 0.5)}
    end

    test "has a surface that a scene can hold, with colours", %{plan: plan} do
      volume = Gen.volume!(plan, {0, 0, 0})
      assert {volume.size, volume.origin} == {8.0, {0.0, 0.0, 0.0}}
      assert byte_size(volume.surface.positions) == byte_size(volume.surface.normals)

      assert div(byte_size(volume.surface.colors), 16) ==
               div(byte_size(volume.surface.positions), 12)

      assert {:ok, scene} = Volume.to_scene(volume)
      assert {:ok, %{triangles: triangles}} = Wasgo.Scene.validate(scene)
      assert triangles == Volume.triangles(volume) and triangles > 100

      assert inspect(volume) =~
               ~r/^#Wasgo.Gen.Volume<\{0, 0, 0\}, 8.0 m, \d+% solid, \d+ triangles>$/

      assert {:ok, collider} = Volume.collider(volume, 0.1)
      assert collider.error <= 0.1 and inspect(collider) =~ "within 0."
    end

    test "is nothing in the air and in the ground", %{plan: plan} do
      for {y, solid} <- [{50, 0.0}, {-50, 1.0}] do
        volume = Gen.volume!(plan, {0, y, 0})
        assert {Volume.triangles(volume), volume.solid} == {0, solid}
        assert {:ok, scene} = Volume.to_scene(volume)
        assert {:ok, %{triangles: 0}} = Wasgo.Scene.validate(scene)
      end
    end

    test "is the same whoever makes it, and fits coarser neighbours", %{plan: plan} do
      again = fn options -> Gen.volume!(plan, {0, 0, 0}, options).surface end
      assert again.([]) == again.([])
      beside = Gen.volume!(plan, {0, 0, 0}, neighbours: [{{1, 0, 0}, 1}, {{1, 1, 0}, 1}])
      assert beside.seam_triangles > 0 and beside.surface != again.([])
    end

    test "has densities, by corner", %{plan: plan} do
      assert {:ok, densities} = Gen.densities(plan, {0, 0, 0})
      assert byte_size(densities) == 4 * 17 * 17 * 17
      values = for <<value::float-32-little <- densities>>, do: value
      solid = Enum.count(values, &(&1 > 0)) / length(values)
      assert_in_delta solid, Gen.volume!(plan, {0, 0, 0}).solid, 0.001
    end

    test "is refused where there is none, with the field", %{plan: plan} do
      for {result, field} <- [
            {Gen.volume(plan, {0, 2 ** 40, 0}), "x"},
            {Gen.volume(plan, {0, 0, 0, 7}), "level"},
            {Gen.volume(plan, {0, 0, 0}, neighbours: [{{1, 1, 1}, 1}]), "neighbours"},
            {Gen.volume(plan, {0, 0, 0}, neighbours: [{{1, 0, 0}, 9}]), "neighbours"},
            {Gen.volume(Gen.plan!(seed: 1), {0, 0, 0}), "volume"},
            {Gen.chunk(plan, {0, 0}), "terrain"},
            {Gen.plan(seed: 1, density: 1.0, cells: 7), "volume.cells"},
            {Gen.plan(seed: 1, density: slope()), "volume.density: slope"}
          ] do
        assert {:error, %PlanError{field: ^field}} = result
      end
    end

    test "colliders refuse an error that is none", %{plan: plan} do
      volume = Gen.volume!(plan, {0, 0, 0})
      assert {:error, %PlanError{field: "error"}} = Volume.collider(volume, -1)
      chunk = Gen.chunk!(Gen.plan!([seed: 1] ++ @small), {0, 0})
      assert {:error, %PlanError{field: "error"}} = Chunk.collider(chunk, -0.5)
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
          {before, <<_, rest::binary>>} = :erlang.split_binary(thing(), at - 1)

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
