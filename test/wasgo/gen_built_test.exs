defmodule Wasgo.GenBuiltTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Gen, GltfValidator, PlanError, Scene}
  alias Wasgo.Gen.{Building, Chunk, Dungeon, Object, Plan}

  doctest Wasgo.Gen.Building
  doctest Wasgo.Gen.Dungeon
  doctest Wasgo.Gen.Object
  doctest Wasgo.Gen.Settlements

  @presets [:cottage, :townhouse, :farmhouse, :barn, :tower, :church, :hall, :shop] ++
             [:castle_wall, :gatehouse]

  # A world with a village whose middle is near 252, 1647.
  defp plan, do: Gen.plan!(seed: 42, settlements: [heights: {1, 40}, slope: 0.3])

  defp village(plan) do
    found = Gen.settlements!(plan, {{-300, 1100}, {724, 2124}})
    Enum.max_by(found.sites, &length(&1.buildings))
  end

  defp around(plan, {x, _y, z}, reach) do
    [x, z] = for at <- [x, z], do: floor(at / 64)
    for dx <- -reach..reach, dz <- -reach..reach, do: Gen.chunk!(plan, {x + dx, z + dz})
  end

  defp places(chunks, kinds) do
    for chunk <- chunks,
        object <- chunk.objects,
        object.kind in kinds,
        <<_::96, x::float-32-little, _::96, y::float-32-little, _::96,
          z::float-32-little <-
            object.transforms>> do
      {ox, _, oz} = chunk.origin
      {Float.round(ox + x, 2), Float.round(y, 2), Float.round(oz + z, 2)}
    end
  end

  describe "settlements" do
    test "put their buildings and what belongs to them into chunks, each once" do
      plan = plan()
      site = village(plan)
      assert site.size == :village and length(site.buildings) > 10

      chunks = around(plan, site.position, 3)
      found = MapSet.new(places(chunks, @presets))

      for %{kind: kind, position: {x, y, z}} <- site.buildings do
        assert kind in @presets
        assert MapSet.member?(found, {Float.round(x, 2), Float.round(y, 2), Float.round(z, 2)})
      end

      assert MapSet.size(found) == length(places(chunks, @presets))
      kinds = for chunk <- chunks, object <- chunk.objects, uniq: true, do: object.kind
      for kind <- [:well, :lamp, :tree], do: assert(kind in kinds)

      assert Enum.sum(for chunk <- chunks, object <- chunk.objects, do: Object.count(object)) >
               100
    end

    test "are joined by roads" do
      found = Gen.settlements!(plan(), {{0, -1000}, {4000, 3000}})
      cells = MapSet.new(found.sites, & &1.cell)
      between = Enum.filter(found.roads, &(&1.from != &1.to))
      assert between != []

      assert Enum.any?(
               between,
               &(MapSet.member?(cells, &1.from) and MapSet.member?(cells, &1.to))
             )

      for road <- found.roads do
        assert length(road.points) >= 2 and road.width > 1

        for point <- road.points do
          assert match?({:bridge, {_, _, _}}, point) or match?({_, _, _}, point)
        end
      end

      assert inspect(found) =~ " sites, "
    end

    test "are the same in whatever order and by whichever process" do
      plan = plan()
      {x, _, z} = village(plan).position
      at = for dx <- 0..2, dz <- 0..1, do: {floor(x / 64) + dx, floor(z / 64) + dz}

      everything = fn chunk ->
        objects = for o <- chunk.objects, do: {o.key, o.transforms, o.mesh, o.boxes}
        {chunk.heights, chunk.ground, chunk.scatter, objects}
      end

      one = for coordinate <- at, do: everything.(Gen.chunk!(plan, coordinate))

      other =
        at
        |> Enum.reverse()
        |> Enum.map(&Task.async(fn -> everything.(Gen.chunk!(plan(), &1)) end))
        |> Task.await_many(60_000)
        |> Enum.reverse()

      assert one == other
    end

    test "have fewer triangles in coarser chunks, and stand at the same places" do
      plan = plan()
      {x, _, z} = village(plan).position
      triangles = fn chunk -> Enum.sum(for o <- chunk.objects, do: Object.triangles(o)) end
      [x, z] = for at <- [x, z], do: floor(at / 256)
      coarse = Gen.chunk!(plan, {x, z, 2})
      fine = for dx <- 0..3, dz <- 0..3, do: Gen.chunk!(plan, {4 * x + dx, 4 * z + dz})

      assert Enum.sort(places(fine, @presets)) == Enum.sort(places([coarse], @presets))
      assert triangles.(coarse) * 4 < Enum.sum(Enum.map(fine, triangles))
      assert Chunk.boxes(coarse) == [] and Enum.flat_map(fine, &Chunk.boxes/1) != []
    end

    test "are refused with the place at fault" do
      for {options, field, words} <- [
            {[roads: [width: 0.5]], "settlements.roads.width", "0.5, allowed: 1.5 to 20"},
            {[cell: 1], "settlements.cell", "256 to 8192"},
            {[sizes: {0, 0, 0}], "settlements.sizes", "all are 0"},
            {[level: 13], "settlements.level", "0 to 12"},
            {[roads: [widht: 1]], "settlements.roads.widht", "unknown field"},
            {[villages: 1], "settlements.villages", "unknown field"}
          ] do
        assert {:error, %PlanError{field: ^field} = error} =
                 Gen.plan(seed: 1, settlements: options)

        assert Exception.message(error) =~ words
      end

      assert {:error, %PlanError{field: "settlements"}} =
               Gen.plan(seed: 1, density: Wasgo.Gen.Field.sphere({0, 0, 0}, 5), settlements: true)

      assert {:error, %PlanError{field: "area"}} = Gen.settlements(plan(), {{0, 0}, {9000, 1}})
      assert {:error, %PlanError{field: "area"}} = Gen.settlements(plan(), {{1.0e300, 0}, {0, 0}})
      assert_raise ArgumentError, ~r/:settlements/, fn -> Gen.plan(seed: 1, settlements: 3) end
    end

    test "are seen in previews" do
      {x, _, z} = village(plan()).position
      see = fn plan -> Gen.preview!(plan, size: 128, metres: 300, center: {x, z}).png end
      assert see.(plan()) == see.(plan())
      assert see.(plan()) != see.(Gen.plan!(seed: 42))
    end
  end

  describe "objects of a plan" do
    test "stand where it says, on the ground or at a height" do
      plan =
        Gen.plan!(
          seed: 3,
          height: 12.0,
          objects: [
            [what: {:building, :tower}, x: 10, z: 20, yaw: 1.0, pad: [margin: 3], name: "keep"],
            [
              what:
                {:building,
                 preset: :cottage, footprint: {:l, width: 9, depth: 8, wing: 4, reach: 3}}
            ] ++
              [x: 70, z: 20, y: 30, seed: 9],
            [what: {:tree, species: :birch, height: 7}, x: 40, z: 5, scale: 1.5],
            [what: {:dungeon, size: {6, 5}}, x: -30, z: -30]
          ]
        )

      chunks = for x <- -1..1, z <- -1..1, do: Gen.chunk!(plan, {x, z})
      assert places(chunks, [:tower]) == [{10.0, 12.0, 20.0}]
      assert places(chunks, [:cottage]) == [{70.0, 30.0, 20.0}]
      assert places(chunks, [:prop]) == [{40.0, 12.0, 5.0}]
      assert places(chunks, [:dungeon]) == [{-30.0, 12.0, -30.0}]
      numbers = for chunk <- chunks, o <- chunk.objects, into: %{}, do: {o.kind, o.numbers}
      assert numbers == %{tower: [0], cottage: [1], prop: [2], dungeon: [3]}

      {:ok, again} = Gen.from_json(Plan.to_json(plan))
      assert again.digest == plan.digest
    end

    test "level the ground beneath them where they have a pad" do
      import Wasgo.Gen.Field
      slope = coordinate(:x) |> scale(0.5)
      hut = [what: {:building, :cottage}, x: 32, z: 32, pad: []]

      [with_pad, without] =
        for more <- [hut, Keyword.delete(hut, :pad)],
            do: [seed: 1, height: slope, objects: [more]]

      at = fn plan, x -> plan |> Gen.plan!() |> Gen.chunk!({0, 0}) |> Chunk.height(x, 32) end
      for x <- 28..36, do: assert_in_delta(at.(with_pad, x), 16.0, 1.0e-4)
      for x <- [10, 55], do: assert(at.(with_pad, x) == x / 2)
      assert at.(without, 28) == 14.0
    end

    test "are refused with the place at fault" do
      good = [what: {:building, :cottage}, x: 0, z: 0]

      for {change, field} <- [
            {[x: 2_000_000], "objects[0].x"},
            {[scale: 0], "objects[0].scale"},
            {[yaw: "north"], "objects[0].yaw"},
            {[level: 13], "objects[0].level"},
            {[colour: 1], "objects[0].colour"},
            {[pad: [margin: 100]], "objects[0].pad.margin"},
            {[what: {:building, :palace}], "objects[0].what.building.style.preset"},
            {[what: {:building, preset: :barn, footprint: {:rectangle, width: 500, depth: 9}}],
             "objects[0].what.building.footprint.width"},
            {[what: {:tree, species: :oak, height: 900}], "objects[0].what.prop.tree.height"},
            {[what: {:dungeon, size: {0, 3}}], "objects[0].what.dungeon.grid.size (east)"},
            {[what: {:dungeon, size: {100, 100}}], "objects[0].what.dungeon.grid.size"},
            {[what: {:spaceship, []}], "objects[0].what.prop"}
          ] do
        object = Keyword.merge(good, change)
        assert {:error, %PlanError{} = error} = Gen.plan(seed: 1, objects: [object])
        assert error.field == field, "#{inspect(change)}: #{Exception.message(error)}"
      end

      assert {:error, %PlanError{field: "objects"}} =
               Gen.plan(seed: 1, objects: List.duplicate(good, 1025))
    end
  end

  describe "a building" do
    test "is made of every preset, with fewer triangles from level to level" do
      for preset <- @presets do
        building = Gen.building!(preset, seed: 5)
        [a, b, c] = for lod <- 0..2, do: Building.triangles(building, lod)
        assert a > b and b >= c and c > 0, inspect({preset, a, b, c})
        assert building.height > 2 and length(building.outline) >= 3
        assert building.boxes != []
        {:ok, scene} = Building.to_scene(building, lod: 1)
        assert %{meshes: 1, nodes: 1} = Scene.validate!(scene)
        assert Gen.building!(preset, seed: 5) == building
      end

      assert Gen.building!(:cottage, seed: 1).lods != Gen.building!(:cottage, seed: 2).lods
    end

    test "that can't be made says why" do
      for {spec, field} <- [
            {:palace, "style.preset"},
            {[preset: :barn, footprint: {:rectangle, width: 9}], "footprint.rectangle"},
            {[preset: :barn, foundation: 11], "foundation"},
            {[
               grammar: %{start: "a", paints: %{}, rules: %{"b" => []}},
               footprint: {:round, width: 9, sides: 9}
             ], "start"},
            {[roof: :flat], "roof"}
          ] do
        assert {:error, %PlanError{field: found} = error} = Gen.building(spec)
        assert found == field, Exception.message(error)
      end

      assert {:error, %PlanError{field: "seed"}} = Gen.building(:cottage, seed: -1)
    end
  end

  describe "a dungeon" do
    test "can be walked from any cell to every other" do
      for seed <- 1..5 do
        dungeon = Gen.dungeon!(seed: seed, size: {20, 14})
        walkable = for x <- 0..19, z <- 0..13, Dungeon.walkable?(dungeon, {x, z}), do: {x, 0, z}
        assert length(walkable) > 10
        assert Enum.sort(reached([hd(walkable)], MapSet.new(), dungeon)) == Enum.sort(walkable)
        tiles = for cell <- walkable, do: Dungeon.at(dungeon, cell).tile

        for stairs <- ["stairs_up", "stairs_down"],
            do: assert(Enum.count(tiles, &(&1 == stairs)) == 1)

        assert Enum.sort(Enum.concat(dungeon.rooms)) == Enum.sort(walkable)
        assert Gen.dungeon!(seed: seed, size: {20, 14}) == dungeon
      end
    end

    defp reached([], seen, _dungeon), do: MapSet.to_list(seen)

    defp reached([cell | rest], seen, dungeon) do
      if MapSet.member?(seen, cell),
        do: reached(rest, seen, dungeon),
        else: reached(Dungeon.exits(dungeon, cell) ++ rest, MapSet.put(seen, cell), dungeon)
    end

    test "looks as it is told, and has its lights in its scene" do
      look = [cell: {4, 4}, height: 4, ceiling: false, walls: {:brick, {0.3, 0.1, 0.1}}]

      dungeon =
        Gen.dungeon!(
          seed: 1,
          size: {10, 8},
          look: look,
          fixed: [[cell: {5, 0, 4}, tiles: ["column"]]]
        )

      assert {dungeon.cell, dungeon.storey} == {{4.0, 4.0}, 4.0}
      assert Dungeon.at(dungeon, {5, 4}).tile == "column"
      assert Dungeon.position(dungeon, {5, 4}) == {22.0, 0.0, 18.0}
      {:ok, scene} = Dungeon.to_scene(dungeon)

      names =
        for surface <- dungeon.mesh.surfaces, do: Enum.at(scene.materials, surface.material).name

      assert "built_brick" in names
      assert length(scene.lights) == length(dungeon.lights)
      assert %{nodes: nodes} = Scene.validate!(scene)
      assert nodes == 1 + length(dungeon.lights)
      {:ok, dark} = Dungeon.to_scene(dungeon, lights: false)
      assert dark.lights == [] and length(dark.nodes) == 1
    end

    test "that can't be filled, or is asked for wrongly, says why" do
      for {options, field} <- [
            {[size: {0, 5}], "size (east)"},
            {[size: {300, 5}], "size (east)"},
            {[size: {5, 5}, look: [height: 99]], "height"},
            {[size: {5, 5}, colour: 1], "colour"},
            {[size: {5, 5}, tiles: :maze], "tiles"},
            {[size: {5, 5}, fixed: [[cell: {9, 0, 0}, tiles: ["floor"]]]], "fixed[0].cell"},
            {[size: {5, 5}, fixed: [[cell: {1, 0, 1}, tiles: ["lava"]]]], "fixed[0].tiles"}
          ] do
        assert {:error, %PlanError{field: found} = error} = Gen.dungeon([seed: 1] ++ options)
        assert found == field, Exception.message(error)
      end

      assert {:error, %PlanError{} = error} = Gen.dungeon(seed: 1, size: {1, 1}, attempts: 2)
      assert Exception.message(error) =~ "no way found to fill the grid in 2 attempts"
    end

    test "of a building's rooms has doors where the building has" do
      building = Gen.building!(:hall, seed: 3)
      rooms = Gen.interior!(building, seed: 1)
      assert length(rooms.rooms) > 3
      {wide, deep} = rooms.cell
      {x, z} = rooms.origin
      {width, 1, depth} = rooms.size
      {low, high} = Enum.min_max(for {x, _} <- building.outline, do: x)
      assert_in_delta width * wide, high - low, 0.01
      assert_in_delta x, low, 0.01
      assert_in_delta z + depth * deep, Enum.max(for {_, z} <- building.outline, do: z), 0.01
      assert {:error, %PlanError{field: "cell"}} = Gen.interior(building, cell: 99)
    end
  end

  describe "scenes" do
    test "of a village have all objects, and merge" do
      plan = plan()
      [one, other] = for chunk <- Enum.take(around(plan, village(plan).position, 1), 2), do: chunk
      {:ok, scene} = Chunk.to_scene(one)
      counts = Scene.validate!(scene)
      objects = Enum.sum(Enum.map(one.objects, &Object.count/1))
      assert objects > 0 and counts.instances == objects + Chunk.count(one)
      {:ok, next} = Chunk.to_scene(other)
      assert %{instances: both} = Scene.validate!(Scene.merge([scene, next]))
      assert both > counts.instances
      glow = Enum.find(scene.materials, &(&1.name == "built_flame"))
      assert glow.emissive_strength > 1 and elem(glow.emissive, 0) == 1.0
    end

    test "go to an engine: buildings as the chunk's own surfaces, what is common by name" do
      plan = plan()
      chunk = Enum.max_by(around(plan, village(plan).position, 1), &length(&1.objects))
      {:ok, {"chunk", fields}, meshes} = Wasgo.Godot.Frame.chunk(chunk)
      {shared, whole} = Enum.split_with(chunk.objects, &(&1.kind in Object.shared()))
      assert shared != [] and whole != []
      names = for mesh <- meshes, do: mesh.name
      for object <- shared, do: assert(object.mesh.name in names)

      triangles = fn surfaces ->
        for(s <- surfaces, do: div(byte_size(indices(s)), 12)) |> Enum.sum()
      end

      [_ground | rest] = fields["surfaces"]
      rest = if Chunk.water(chunk), do: tl(rest), else: rest
      placed = for object <- whole, do: Object.triangles(object) * Object.count(object)
      assert triangles.(rest) == Enum.sum(placed)
      assert length(rest) <= 13
    end

    defp indices(%{"indices" => {:packed_int32, indices}}), do: indices

    test "of chunks from a cache are those of chunks that were made" do
      plan = plan()
      chunk = Enum.max_by(around(plan, village(plan).position, 1), &length(&1.objects))
      {x, z} = chunk.coordinate
      {:ok, made} = Wasgo.Native.Result.await(Gen.start(plan, {x, z, 0}))
      {:ok, row, {digest, indices}} = Wasgo.Gen.Cache.Row.encode(made)

      assert {:ok, again, ^digest} =
               Wasgo.Gen.Cache.Row.decode(row, fn ^digest -> {:ok, indices} end)

      assert Chunk.new(plan, {x, z, 0}, <<0::64>>, again) == chunk
      assert {:ok, ^row, _part} = Wasgo.Gen.Cache.Row.encode(again)
      assert Wasgo.Gen.Work.bytes(made) > byte_size(row) - 10_000
    end

    @tag :gltf_validator
    test "pass the Khronos validator" do
      plan = plan()
      site = village(plan)

      chunks =
        for chunk <- around(plan, site.position, 1),
            {:ok, scene} = Chunk.to_scene(chunk),
            do: scene

      {:ok, house} = Building.to_scene(Gen.building!(:farmhouse, seed: 2))
      {:ok, church} = Building.to_scene(Gen.building!(:church, seed: 2), lod: 2)
      {:ok, dungeon} = Dungeon.to_scene(Gen.dungeon!(seed: 3, size: {12, 9}))

      files =
        for {scene, at} <- Enum.with_index([house, church, dungeon | chunks]) do
          {"built_#{at}", Scene.to_glb!(scene)}
        end

      assert GltfValidator.issues(files) == []
    end
  end
end
