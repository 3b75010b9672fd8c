defmodule Wasgo.GenPropTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Gen, GltfValidator, PlanError, Scene, SceneError}
  alias Wasgo.Gen.{Chunk, Plan, Prop}

  doctest Wasgo.Gen.Prop

  @species [:oak, :birch, :spruce, :pine, :willow, :palm, :acacia, :dead] ++
             [:poplar, :cherry, :maple, :shrub, :rose, :juniper]

  @specs for(species <- @species, do: {:tree, species: species}) ++
           [{:tree, species: :birch, style: :low_poly}, {:fern, []}, {:crystals, count: 5}] ++
           for(
             kind <- [:boulder, :slab, :outcrop, :pebbles, :cliff, :standing],
             do: {:rock, kind: kind}
           ) ++
           for(
             kind <- [:meadow, :tall, :dry, :reed, :daisy, :poppy, :lavender],
             do: {:grass, kind: kind}
           ) ++
           for(kind <- [:toadstool, :bolete, :chanterelle], do: {:mushrooms, kind: kind}) ++
           [{:log, length: 4}, {:stump, []}]

  @fences [:rails, :pickets, :palisade, :dry_stone]
  @line [{0, 0, 0}, {4, 0.5, 0}, {4, 0.2, 6}]

  defp props do
    for(spec <- @specs, do: Gen.prop!(spec, seed: 3)) ++
      for kind <- @fences, do: Gen.fence!(@line, kind: kind, seed: 3)
  end

  defp triangles(%Scene.Mesh{surfaces: surfaces}),
    do: surfaces |> Enum.map(&div(byte_size(&1.indices), 12)) |> Enum.sum()

  defp vectors(binary), do: for(<<x::float-32-little, y::float-32-little <- binary>>, do: {x, y})

  defp names(mesh) do
    materials = Plan.materials()
    for surface <- mesh.surfaces, do: Enum.at(materials, surface.material).name
  end

  describe "a prop" do
    test "of each kind is a scene with fewer triangles from level to level" do
      for prop <- props() do
        counts = Enum.map(prop.lods, &triangles(&1.mesh))
        assert counts == counts |> Enum.sort(:desc) |> Enum.uniq(), prop.name
        assert length(counts) >= 2, prop.name
        errors = Enum.map(prop.lods, & &1.error)
        assert hd(errors) == 0.0 and errors == Enum.sort(errors), prop.name

        for distance <- [0.0, 1.0e6] do
          {:ok, scene} = Prop.to_scene(prop, distance: distance)
          mesh = Prop.mesh(prop, distance)
          assert Scene.validate!(scene).triangles == triangles(mesh)
        end

        {:ok, scene} = Prop.to_scene(prop)
        {{low_x, low_y, low_z}, {high_x, high_y, high_z}} = prop.bounds
        {least, greatest} = Scene.bounds!(scene)

        for {found, expected} <-
              Enum.zip(
                Tuple.to_list(least) ++ Tuple.to_list(greatest),
                [low_x, low_y, low_z, high_x, high_y, high_z]
              ) do
          assert_in_delta found, expected, 1.0e-4
        end
      end
    end

    @tag :gltf_validator
    @tag timeout: 300_000
    test "of each kind has no error and no warning of the Khronos validator" do
      files =
        for {prop, at} <- Enum.with_index(props()),
            {distance, name} <- [{0, "near"}, {5.0e4, "far"}] do
          {:ok, scene} = Prop.to_scene(prop, distance: distance)
          {"#{prop.name}_#{at}_#{name}", Scene.to_glb!(scene)}
        end

      textured =
        for species <- @species, distance <- [0, 50, 5000] do
          prop = Gen.prop!({:tree, species: species}, textures: 32)
          {:ok, scene} = Prop.to_scene(prop, distance: distance)
          {"#{prop.name}_textured_#{distance}", Scene.to_glb!(scene)}
        end

      varied =
        for spec <- [{:tree, species: :palm}, {:rock, kind: :cliff}, {:fern, []}] do
          prop = Gen.prop!(spec)
          mesh = Gen.vary!(Prop.mesh(prop, 0), seed: 9, bend: 0.5, twist: 1.0, swell: 0.2)
          scene = %{elem(Prop.to_scene(prop), 1) | meshes: [mesh]}
          {"#{prop.name}_varied", Scene.to_glb!(scene)}
        end

      plan = Gen.plan!([seed: 5, height: 1.0, scatter: rules()] ++ small())

      chunks =
        for level <- [0, 3, 5] do
          {:ok, scene} = Chunk.to_scene(Gen.chunk!(plan, {0, 0, level}))
          {"props_#{level}", Scene.to_glb!(scene)}
        end

      assert GltfValidator.issues(files ++ textured ++ varied ++ chunks) == []
    end

    test "is the same for the same seed, and another for another" do
      for spec <- @specs do
        assert Gen.prop!(spec, seed: 5) == Gen.prop!(spec, seed: 5)
        assert Gen.prop!(spec, seed: 5).lods != Gen.prop!(spec, seed: 6).lods
      end

      oak = Gen.prop!({:tree, species: :oak, height: 9.0}, seed: 7)
      surfaces = Enum.flat_map(oak.lods, & &1.mesh.surfaces)

      bytes =
        for surface <- surfaces,
            do: [surface.positions, surface.colors, surface.uvs2, surface.indices]

      assert :sha256 |> :crypto.hash(bytes) |> Base.encode16(case: :lower) ==
               "5313b20a4b17258fdbb05a1860943ebcd9bcaf5bf10856c9aa2841faa34b092f"
    end

    test "follows its parameters" do
      {_, {_, high, _}} = Gen.prop!({:tree, species: :pine, height: 21.0}).bounds
      assert_in_delta high, 21.0, 2.5
      few = Gen.prop!({:tree, species: :oak, triangles: 800})
      assert triangles(Prop.mesh(few, 0)) <= 800
      {_, {_, reed, _}} = Gen.prop!({:grass, kind: :reed}).bounds
      {_, {_, meadow, _}} = Gen.prop!({:grass, kind: :meadow}).bounds
      assert reed > 3 * meadow
      red = Gen.prop!({:crystals, color: {1, 0, 0}})
      [surface] = Prop.mesh(red, 0).surfaces

      assert for(<<r::float-32-little, g::float-32-little, _::64 <- surface.colors>>, do: r > g)
             |> Enum.all?()

      own = [crown: :cone, trunk: [radius: 0.02], branches: [[count: 9], [count: 4, length: 0.3]]]
      assert %Prop{name: "tree_spruce"} = Gen.prop!({:tree, species: :spruce, form: own})
    end

    test "has a material for each finish" do
      assert names(Prop.mesh(Gen.prop!({:tree, []}), 0)) == ["bark", "leaf"]
      assert names(Prop.mesh(Gen.prop!({:tree, []}), 1.0e5)) == ["card"]
      assert names(Prop.mesh(Gen.prop!({:rock, []}), 0)) == ["solid"]
      assert names(Prop.mesh(Gen.prop!({:crystals, []}), 0)) == ["crystal"]
      assert names(Prop.mesh(Gen.prop!({:log, []}), 0)) == ["bark", "timber"]
      assert names(Prop.mesh(Gen.fence!(@line, kind: :dry_stone), 0)) == ["solid"]

      for finish <- [:bark, :leaf, :solid, :timber, :crystal, :card] do
        material = Enum.at(Plan.materials(), Plan.finish(finish))
        assert material.name == Atom.to_string(finish)
        assert material.double_sided == (finish == :leaf)
      end
    end

    test "tells wind in the second texture coordinates, where it sways" do
      for {spec, sways} <- [
            {{:tree, []}, true},
            {{:grass, kind: :reed}, true},
            {{:rock, []}, false}
          ] do
        for %{mesh: mesh} <- Gen.prop!(spec).lods, surface <- mesh.surfaces do
          wind = vectors(surface.uvs2)
          assert length(wind) == div(byte_size(surface.positions), 12)

          assert Enum.all?(wind, fn {far, phase} ->
                   far >= 0 and far <= 1 and phase >= 0 and phase <= 1
                 end)

          assert Enum.any?(wind, fn {far, _} -> far > 0.2 end) == sways
        end
      end

      # The foot stands still.
      [bark | _] = Prop.mesh(Gen.prop!({:tree, []}), 0).surfaces
      heights = for <<_::32, y::float-32-little, _::32 <- bark.positions>>, do: y
      low = for {y, {far, _}} <- Enum.zip(heights, vectors(bark.uvs2)), y <= 0.0, do: far
      assert low != [] and Enum.max(low) < 0.01
    end

    test "survives a file with its wind" do
      {:ok, scene} = Prop.to_scene(Gen.prop!({:grass, kind: :tall}))
      read = Scene.from_glb!(Scene.to_glb!(scene))
      [[before], [after_reading]] = for s <- [scene, read], do: hd(s.meshes).surfaces
      assert after_reading.uvs2 == before.uvs2
      assert after_reading.uvs == before.uvs
      assert Enum.at(read.materials, after_reading.material).double_sided
    end

    test "collides where one bumps into it" do
      assert [{:capsule, {_, low, _}, {_, high, _}, radius}] = Gen.prop!({:tree, []}).colliders
      assert low < high and radius > 0.05
      assert [{:hull, points}] = Gen.prop!({:rock, []}).colliders
      assert length(points) in 4..32
      assert [{:box, {_, _, _}, {_, _, _}}] = Gen.prop!({:stump, []}).colliders
      assert Gen.prop!({:grass, []}).colliders == []
      assert length(Gen.fence!(@line, spacing: 2.0).colliders) == 5
    end

    test "may have textures, which cut leaves and cards out" do
      oak = Gen.prop!({:tree, species: :oak}, seed: 1, textures: 64)
      assert oak.textures |> Map.keys() |> Enum.sort() == [:bark, :card, :leaf]
      {:ok, near} = Prop.to_scene(oak)
      [bark, leaf] = for s <- hd(near.meshes).surfaces, do: Enum.at(near.materials, s.material)
      assert {bark.alpha, bark.double_sided} == {:opaque, false}
      assert {leaf.alpha, leaf.double_sided} == {{:mask, 0.5}, true}
      {:ok, far} = Prop.to_scene(oak, distance: 1.0e5)
      [card] = hd(far.meshes).surfaces
      assert card.colors == ""
      assert Enum.at(far.materials, card.material).alpha == {:mask, 0.5}
      assert Gen.prop!({:rock, []}, textures: 64).textures == %{}
      assert {:error, %PlanError{field: "textures.size"}} = Gen.prop({:tree, []}, textures: 7)
    end

    test "tells of itself" do
      assert inspect(Gen.prop!({:rock, triangles: 200}, seed: 1)) =~
               ~r/^#Wasgo.Gen.Prop<rock_boulder, \d+ \/ \d+ triangles, 1 collider>$/
    end
  end

  describe "parameters that are wrong" do
    test "are named" do
      for {spec, field, words} <- [
            {{:tree, height: 900}, "tree.height", "tree.height is 900, allowed: 0.1 to 100"},
            {{:tree, hight: 9}, "tree.hight", "unknown field `hight`"},
            {{:tree, species: :beech}, "tree.species", "unknown variant `beech`"},
            {{:tree, form: [trunk: [lean: 2]]}, "tree.form.trunk.lean", "allowed: 0 to 0.8"},
            {{:rock, size: "big"}, "rock.size", "invalid type: string"},
            {{:rock, color: {1, 2, 0}}, "rock.color", "rock.color is 2, allowed: 0 to 1"},
            {{:grass, blades: -1}, "grass.blades", "invalid value: integer `-1`"},
            {{:grass, kind: :hay}, "grass.kind", "unknown variant `hay`"},
            {{:fern, fronds: 1_000_000}, "fern.fronds", "allowed: 3 to 40"},
            {{:crystals, count: 0}, "crystals.count", "allowed: 1 to 64"},
            {{:mushrooms, height: 0}, "mushrooms.height", "allowed: 0.01 to 20"},
            {{:log, moss: 2}, "log.moss", "allowed: 0 to 1"},
            {{:stump, radius: 11}, "stump.radius", "allowed: 0.01 to 10"}
          ] do
        assert {:error, %PlanError{} = error} = Gen.prop(spec)
        assert error.field == field
        assert Exception.message(error) =~ words
        assert_raise PlanError, fn -> Gen.prop!(spec) end
      end

      assert {:error, %PlanError{} = error} = Gen.prop({:mountain, []})
      assert Exception.message(error) =~ "unknown variant `mountain`"
      assert {:error, %PlanError{field: "seed"}} = Gen.prop({:tree, []}, seed: -1)
      assert {:error, %PlanError{}} = Gen.prop({:tree, height: self()})
    end

    test "of fences are named, as are points that are none" do
      for {points, options, field} <- [
            {@line, [height: 50], "fence.height"},
            {@line, [kind: :hedge], "fence.kind"},
            {@line, [hight: 5], "fence.hight"},
            {[{0, 0, 0}], [], "fence.points"},
            {[{0, 0, 0}, {1, 2}], [], "fence.points[1]"},
            {[{0, 0, 0}, {1.0e9, 0, 0}], [], "fence.points[1]"},
            {[{0, 0, 0}, {1.0e300, 0, 0}], [], "fence.points[1]"},
            {[{0, 0, 0}, {90_000, 0, 0}], [], "fence.points: posts"},
            {List.duplicate({0, 0, 0}, 2000), [], "fence.points"},
            {@line, [seed: :a], "seed"}
          ] do
        assert {:error, %PlanError{field: ^field}} = Gen.fence(points, options)
      end
    end

    test "of rules are named with their place in the plan" do
      for {rule, field} <- [
            {[kind: {:tree, height: 900}], "scatter[0].kind.tree.height"},
            {[kind: {:tree, hight: 9}], "scatter[0].kind.tree.hight"},
            {[kind: {:rock, kind: :slab, moss: 3}], "scatter[0].kind.rock.moss"},
            {[kind: :fern], "scatter[0].kind"},
            {[kind: {:fern, 3}], "scatter[0].kind"},
            {[kind: {:fern, []}, variation: [size: 3]], "scatter[0].variation.size"},
            {[kind: {:fern, []}, variation: [seize: 3]], "scatter[0].variation.seize"},
            {[kind: {:fern, []}, variation: 3], "scatter[0].variation"},
            {[kind: {:tree, triangles: 50_000}, variants: 16, spacing: 20.0], nil}
          ] do
        result = Gen.plan(seed: 1, height: 1.0, scatter: [rule])

        if field,
          do: assert({:error, %PlanError{field: ^field}} = result),
          else: assert({:ok, _} = result)
      end

      many = for _ <- 1..2, do: [kind: {:tree, triangles: 50_000}, variants: 16, spacing: 20.0]

      assert {:error, %PlanError{field: "scatter[1].variants", reason: :out_of_range}} =
               Gen.plan(seed: 1, height: 1.0, scatter: many)
    end
  end

  defp small, do: [chunk_size: 32.0, samples: 9, levels: 5]

  defp rules do
    [
      [kind: {:tree, species: :oak, height: 8.0}, variants: 2, spacing: 9.0, level: 5],
      [kind: {:rock, kind: :slab}, variants: 3, variation: [hue: 1.0], spacing: 12.0, level: 5],
      [kind: :bush, variants: 1, spacing: 12.0, level: 5],
      [kind: {:grass, kind: :reed}, variants: 1, spacing: 9.0, level: 3]
    ]
  end

  describe "a plan with props" do
    setup do
      {:ok, plan: Gen.plan!([seed: 5, height: 1.0, scatter: rules()] ++ small())}
    end

    test "has models with levels of detail, and their finest meshes", %{plan: plan} do
      assert plan.rules == [tree_oak: 2, rock_slab: 3, bush: 1, grass_reed: 1]
      assert Enum.map(plan.models, &hd(&1.lods).mesh) == plan.props

      assert [%Prop{name: "tree_oak_0", kind: :tree} = oak, %Prop{name: "tree_oak_1"} | _] =
               plan.models

      assert length(oak.lods) == 4
      assert [{:capsule, _, _, _}] = oak.colliders
      assert %Prop{name: "bush_0", kind: :bush, lods: [_]} = Enum.at(plan.models, 5)
      assert names(Enum.at(plan.props, 5)) == ["painted"]
      assert inspect(plan) =~ "scatters 2 tree_oak, 3 rock_slab, 1 bush, 1 grass_reed"
      names = for prop <- plan.models, lod <- prop.lods, do: lod.mesh.name
      assert names == Enum.uniq(names)
    end

    test "is stored with everything filled in", %{plan: plan} do
      text = Plan.to_json(plan)
      assert text =~ ~s("kind":{"tree":{"species":"oak","style":"leafy","height":8.0)
      {:ok, again} = Gen.from_json(text)
      assert again.digest == plan.digest
      assert Enum.map(again.models, & &1.lods) == Enum.map(plan.models, & &1.lods)
    end

    test "places coarser meshes in coarser chunks", %{plan: plan} do
      used = fn level ->
        {:ok, scene} = Chunk.to_scene(Gen.chunk!(plan, {0, 0, level}))
        Scene.validate!(scene)
        for %{name: "tree_oak" <> _ = name} = mesh <- scene.meshes, do: {name, triangles(mesh)}
      end

      near = used.(0)
      assert Enum.map(near, &elem(&1, 0)) |> Enum.sort() == ["tree_oak_0", "tree_oak_1"]
      far = used.(5)
      assert Enum.map(far, &elem(&1, 0)) |> Enum.sort() == ["tree_oak_0_lod3", "tree_oak_1_lod3"]
      assert Enum.all?(near, fn {_, count} -> count > 3000 end)
      assert Enum.all?(far, fn {_, count} -> count < 60 end)
      chunk = Gen.chunk!(plan, {0, 0})
      assert inspect(chunk) =~ ~r/\d+ tree_oak, \d+ rock_slab/
    end

    test "sends an engine the meshes of its level", %{plan: plan} do
      {:ok, {"chunk", fields}, meshes} = Wasgo.Godot.Frame.chunk(Gen.chunk!(plan, {0, 0, 5}))
      assert Enum.map(fields["instances"], & &1["mesh"]) == Enum.map(meshes, & &1.name)
      reed = Wasgo.Godot.Frame.mesh(Enum.find(plan.props, &(&1.name == "grass_reed_0")))
      {"mesh", %{"surfaces" => [surface]}} = reed
      assert surface["material"]["double_sided"] == true
    end

    test "is drawn with props in their colours" do
      red = {0.9, 0.0, 0.0}
      grass = {:grass, radius: 2.0, dark: red, light: red}
      plan = Gen.plan!(seed: 3, height: 1.0, scatter: [[kind: grass, spacing: 8.0]])
      plain = Gen.plan!(seed: 3, height: 1.0)
      with_grass = Gen.preview!(plan, size: 64, metres: 64).png
      assert with_grass != Gen.preview!(plain, size: 64, metres: 64).png
    end
  end

  describe "varying" do
    test "changes sizes, shapes and colours by the seed" do
      base = Prop.mesh(Gen.prop!({:rock, []}), 0)
      [one, same, other] = for seed <- [1, 1, 2], do: Gen.vary!(base, seed: seed)
      assert one == same
      assert one != other
      [before, varied] = for mesh <- [base, one], do: hd(mesh.surfaces)
      assert before.indices == varied.indices
      assert byte_size(before.positions) == byte_size(varied.positions)
      assert before.colors != varied.colors
      none = [size: 0, stretch: 0, swell: 0, bend: 0, twist: 0, taper: 0]
      colored = hd(Gen.vary!(base, [seed: 1, hue: 1.0] ++ none).surfaces)
      assert colored.colors != before.colors

      for {a, b} <- Enum.zip(floats(colored.positions), floats(before.positions)),
          do: assert_in_delta(a, b, 1.0e-4)
    end

    test "keeps blend shapes, skins and what else a mesh has" do
      floats = fn numbers -> for n <- numbers, into: "", do: <<n::float-32-little>> end

      surface = %Scene.Surface{
        positions: floats.([0, 0, 0, 1, 0, 0, 0, 1, 0]),
        normals: floats.([0, 0, 1, 0, 0, 1, 0, 0, 1]),
        joints: for(_ <- 1..3, into: "", do: <<0::64>>),
        weights: floats.(List.flatten(List.duplicate([1, 0, 0, 0], 3))),
        indices: <<0::32-little, 1::32-little, 2::32-little>>,
        material: 7,
        morphs: [%Scene.Morph{name: "smile", positions: floats.(List.duplicate(0.1, 9))}],
        attributes: [{"_AGE", %Scene.Attribute{component: :u8, components: 1, data: <<1, 2, 3>>}}]
      }

      mesh = %Scene.Mesh{
        name: "face",
        surfaces: [surface],
        weights: [0.25],
        extras: [{"who", "me"}]
      }

      varied = Gen.vary!(mesh, seed: 4, size: 0.5)
      [changed] = varied.surfaces
      assert changed.positions != surface.positions
      assert [%{name: "smile", positions: <<_::288>> = shape}] = changed.morphs
      assert shape != hd(surface.morphs).positions
      kept = [:joints, :weights, :indices, :material, :attributes]
      assert Map.take(changed, kept) == Map.take(surface, kept)
      assert {varied.name, varied.weights, varied.extras} == {"face", [0.25], [{"who", "me"}]}
      assert [weight] = Gen.vary!(mesh, seed: 4, morphs: 1.0).weights
      assert weight != 0.25 and weight >= 0 and weight <= 1
    end

    test "refuses amounts and meshes that are wrong" do
      base = Prop.mesh(Gen.prop!({:fern, []}), 0)
      assert {:error, %PlanError{field: "variation.size"}} = Gen.vary(base, size: 2)
      assert {:error, %PlanError{field: "variation.seize"}} = Gen.vary(base, seize: 2)
      assert {:error, %PlanError{field: "seed"}} = Gen.vary(base, seed: -1)
      broken = %{base | surfaces: [%{hd(base.surfaces) | normals: <<0::96>>}]}
      assert {:error, %SceneError{} = error} = Gen.vary(broken)
      assert Exception.message(error) =~ "normals are not one a vertex"
      assert {:error, %SceneError{}} = Gen.vary(%{base | surfaces: :none})
    end
  end

  describe "a picture of a prop" do
    test "is a PNG of two sides" do
      for thing <- [Gen.prop!({:tree, []}), Gen.fence!(@line), Gen.creature(3)] do
        assert <<0x89, "PNG\r\n", 0x1A, "\n", 13::32, "IHDR", 96::32, 48::32, 8, 6, _::binary>> =
                 Gen.impostor!(thing, 48)
      end

      for size <- [7, 513, :large] do
        assert {:error, %PlanError{field: "impostor.size"}} = Gen.impostor(Gen.creature(3), size)
      end
    end
  end

  defp floats(binary), do: for(<<number::float-32-little <- binary>>, do: number)
end
