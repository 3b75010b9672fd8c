defmodule Wasgo.GenScriptsTest do
  # Scripts of users in plans: fields, generators, and what comes of those that mean harm.
  use ExUnit.Case, async: true

  import Wasgo.Gen.Field, only: [add: 2, constant: 1, script: 2, sphere: 2, subtract: 2]

  alias Wasgo.{CompileError, DecodeError, Gen, LimitError, LinkError, PlanError, Scene, TrapError}
  alias Wasgo.Gen.{Chunk, Field, Generated, Plan}
  alias Wasgo.Script.Registry
  alias Wasgo.Store

  doctest Generated

  @craters File.read!("guest/scripts/craters.wasm")
  @henge File.read!("guest/scripts/henge.wasm")
  @small [chunk_size: 32.0, samples: 17]

  defp craters, do: script("craters", parameters: [60.0, 5.0], low: -8.5, high: 2.5)

  defp cratered(options \\ []) do
    ground = Field.fbm(frequency: 1 / 90, octaves: 4) |> Field.scale(6.0) |> add(craters())
    Gen.plan!([seed: 5, height: ground, scripts: %{"craters" => @craters}] ++ @small ++ options)
  end

  defp stones(options \\ []) do
    generator = [name: "stones", script: "henge", parameters: [1.0, 9.0, -100.0], level: 2]

    Gen.plan!(
      [
        seed: 5,
        height: Field.fbm(frequency: 1 / 200) |> Field.scale(3.0),
        scripts: [henge: @henge],
        generators: [generator]
      ] ++ options
    )
  end

  # A guest whose memory's first 64 KiB are its own, and whose `generate` is this.
  defp guest(generate, more \\ "") do
    """
    (module (memory (export "memory") 40)
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
      #{more}
      (func (export "generate") (param $seed i64) (param $x i32) (param $z i32) (param $lod i32) (param $row i32) (param $length i32)
        (result i64) (local $n i32) #{generate}))
    """
  end

  # A field that has this value, and as many bytes more or fewer than it should.
  defp flat(value, bytes \\ 0) do
    guest("""
    (local.set $n (i32.const 0))
    (block $done (loop $more
      (br_if $done (i32.ge_u (local.get $n) (i32.const 512)))
      (f32.store (i32.shl (local.get $n) (i32.const 2)) (f32.const #{value}))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $more)))
    (i64.extend_i32_u (i32.add (i32.const #{bytes})
      (i32.shl (i32.load (i32.add (i32.const 4) (i32.add (local.get $row) (i32.load offset=16 (local.get $row))))) (i32.const 2))))
    """)
  end

  defp answering(bytes) do
    data = Wasgo.TestGuests.data(bytes)
    guest("(i64.const #{byte_size(bytes)})", "(data (i32.const 0) #{data})")
  end

  defp as_field(source) do
    height = add(script("bad", low: -5, high: 5) |> Field.named("bump"), 1.0)
    {[height: height], "terrain.height: affine.of > script \"bump\"", source}
  end

  defp as_generator(source) do
    options = [height: constant(1), generators: [[script: "bad", name: "things"]]]
    {options, "generators[0] \"things\"", source}
  end

  defp run({options, place, source}) do
    plan = Gen.plan!([seed: 1, scripts: [bad: source]] ++ options ++ @small)
    {Gen.chunk(plan, {0, 0}), place}
  end

  defp everything(chunk) do
    {chunk.heights, chunk.ground, chunk.scatter, chunk.generated, chunk.stats}
  end

  describe "a field" do
    test "is part of the ground, and neighbours and levels agree on it" do
      plan = cratered()
      [here, east] = for at <- [{0, 0}, {1, 0}], do: Gen.chunk!(plan, at)
      coarse = Gen.chunk!(plan, {0, 0, 1})
      for row <- 0..16, do: assert(Chunk.height(here, 16, row) == Chunk.height(east, 0, row))

      for row <- 0..8, column <- 0..8 do
        assert Chunk.height(here, 2 * column, 2 * row) == Chunk.height(coarse, column, row)
      end

      bare = Field.fbm(frequency: 1 / 90, octaves: 4) |> Field.scale(6.0)
      bare = Gen.chunk!(Gen.plan!([seed: 5, height: bare] ++ @small), {0, 0})
      assert bare.heights != here.heights
    end

    test "gives what the script gives where it is called directly" do
      script = Wasgo.Script.new!(@craters)
      plan = Gen.plan!([seed: 5, height: craters(), scripts: %{"craters" => @craters}] ++ @small)
      chunk = Gen.chunk!(plan, {3, -2})
      places = for row <- 0..16, column <- 0..16, do: {96.0 + 2 * column, -64.0 + 2 * row}

      asked =
        for {x, z} <- places,
            into: <<1::32-little, 289::32-little>>,
            do: <<x::float-little, 0.0::float-little, z::float-little>>

      parameters = [{:blob, asked}, 60.0, 5.0]

      assert {:ok, chunk.heights} ==
               Wasgo.Script.generate(script, 5, {0, 0}, parameters: parameters)
    end

    test "in space makes volumes" do
      hollow = """
      (local $count i32) (local $at i32) (local $y f64)
      (local.set $at (i32.add (local.get $row) (i32.load offset=16 (local.get $row))))
      (local.set $count (i32.load offset=4 (local.get $at)))
      (block $done (loop $more
        (br_if $done (i32.ge_u (local.get $n) (local.get $count)))
        (local.set $y (f64.load offset=16 (i32.add (local.get $at) (i32.mul (local.get $n) (i32.const 24)))))
        (f32.store (i32.shl (local.get $n) (i32.const 2))
          (f32.demote_f64 (f64.max (f64.const -50) (f64.min (f64.const 50) (f64.sub (f64.const 12.3) (local.get $y))))))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $more)))
      (i64.extend_i32_u (i32.shl (local.get $count) (i32.const 2)))
      """

      ground = script("ground", dimensions: 3, low: -50, high: 50)
      density = subtract(ground, 0.0)
      plan = Gen.plan!(seed: 1, density: density, scripts: [ground: guest(hollow)])
      volume = Gen.volume!(plan, {0, 0, 0})
      assert_in_delta volume.solid, 12.3 / 32, 0.02
      assert Gen.volume!(plan, {0, 2, 0}).solid == 0.0

      plan = Gen.plan!(seed: 1, density: ground, scripts: [ground: flat("nan")])
      assert {:error, %PlanError{reason: :script, field: field}} = Gen.volume(plan, {0, 0, 0})
      assert field == "volume.density: script"
      assert {:error, %PlanError{reason: :script}} = Gen.densities(plan, {0, 0, 0})
      ball = Gen.plan!(seed: 1, density: sphere({16, 16, 16}, 10))
      assert Gen.volume!(ball, {0, 0, 0}).solid > 0.1
    end

    test "is drawn from above, and its failure is that of the picture" do
      assert {:ok, %{png: <<0x89, "PNG", _::binary>>}} =
               Gen.preview(cratered(), size: 64, metres: 300)

      plan =
        Gen.plan!(
          [seed: 1, height: script("f", low: 0, high: 1), scripts: [f: flat(2)]] ++ @small
        )

      assert {:error, %PlanError{reason: :script}} = Gen.preview(plan, size: 16)
    end
  end

  describe "a generator" do
    test "puts meshes into chunks, scenes and files" do
      chunk = Gen.chunk!(stones(), {0, 0})
      assert [_ | _] = chunk.generated
      assert inspect(chunk) =~ "generated meshes"

      for %Generated{} = made <- chunk.generated do
        assert made.generator == 0 and made.mesh.name =~ ~r/^stones_[0-9a-f]{16}$/
        assert Generated.count(made) == div(byte_size(made.transforms), 48)
        assert inspect(made) =~ "triangles"

        for <<_::96, x::float-32-little, _::96, _y::float-32-little, _::96,
              z::float-32-little <- made.transforms>> do
          assert x > 0 and x < 64 and z > 0 and z < 64
        end
      end

      {:ok, scene} = Chunk.to_scene(chunk)
      assert {:ok, counts} = Scene.validate(scene)
      assert counts.instances == Enum.sum(Enum.map(chunk.generated, &Generated.count/1))

      glowing =
        for material <- scene.materials, material.emissive_strength > 1.0, do: material.name

      assert Enum.any?(glowing, &(&1 =~ "generated_"))
      read = Scene.from_glb!(Scene.to_glb!(scene))
      assert Enum.any?(read.meshes, &(&1.name =~ "stones_"))
    end

    test "is the same in coarser chunks, as far as its level says" do
      plan = stones()
      fine = for x <- 0..1, z <- 0..1, do: Gen.chunk!(plan, {x, z})
      coarse = Gen.chunk!(plan, {0, 0, 1})
      names = fn chunks -> for c <- chunks, g <- c.generated, uniq: true, do: g.mesh.name end
      assert Enum.sort(names.(fine)) == Enum.sort(names.([coarse]))

      places = fn chunks ->
        for(c <- chunks, g <- c.generated, do: Generated.count(g)) |> Enum.sum()
      end

      assert places.(fine) == places.([coarse])
      assert Gen.chunk!(plan, {0, 0, 2}).generated != []
      assert Gen.chunk!(plan, {0, 0, 3}).generated == []
    end

    test "is sent to an engine with its own materials" do
      chunk = Gen.chunk!(stones(), {0, 0})
      {:ok, {"chunk", fields}, meshes} = Wasgo.Godot.Frame.chunk(chunk)

      assert Enum.map(fields["instances"], & &1["mesh"]) ==
               Enum.map(meshes, fn {m, _} -> m.name end)

      {mesh, materials} = hd(meshes)
      {"mesh", sent} = Wasgo.Godot.Frame.mesh(mesh, materials)
      assert hd(sent["surfaces"])["material"]["roughness"] == hd(materials).roughness
    end

    test "is kept with its chunk, in memory and in a store" do
      plan = stones()
      made = Gen.chunk!(plan, {0, 0})
      {:ok, store} = Store.open(:memory)

      for {info, asked} <- [{:made, 2}, {:store_hits, 1}] do
        {:ok, cache} = Gen.Cache.start_link(store: store)
        for _ <- 1..asked, do: assert(Gen.Cache.chunk(cache, plan, {0, 0}) == {:ok, made})
        assert Map.fetch!(Gen.Cache.info(cache), info) == 1
        GenServer.stop(cache)
      end
    end

    @tag :gltf_validator
    test "makes files that the validator has nothing to say about" do
      {:ok, scene} = stones() |> Gen.chunk!({0, 0}) |> Chunk.to_scene()
      assert Wasgo.GltfValidator.issues([{"stones", Scene.to_glb!(scene)}]) == []
    end
  end

  describe "the same bytes" do
    test "in any order, by any process, of a plan made anew" do
      coordinates = for x <- -1..1, z <- -1..1, do: {x, z}
      generators = [[script: "henge", parameters: [0.5, 5.0, -100.0]]]
      ground = add(craters(), 2.0)
      options = [scripts: %{"craters" => @craters, "henge" => @henge}, generators: generators]

      plan = fn ->
        Gen.plan!([seed: 9, height: ground, chunk_size: 32.0, samples: 17] ++ options)
      end

      made = plan.()
      forwards = for at <- coordinates, do: everything(Gen.chunk!(made, at))

      backwards =
        coordinates
        |> Enum.reverse()
        |> Enum.map(fn at -> Task.async(fn -> everything(Gen.chunk!(plan.(), at)) end) end)
        |> Task.await_many(60_000)
        |> Enum.reverse()

      assert forwards == backwards
    end

    test "as ever" do
      chunk = Gen.chunk!(cratered(), {2, -3})
      made = Gen.chunk!(stones(), {1, 1}).generated
      sha = &(:sha256 |> :crypto.hash(&1) |> Base.encode16(case: :lower) |> binary_part(0, 16))
      assert sha.(chunk.heights) == "2b45ef5782591de7"
      assert sha.(for g <- made, do: [g.mesh.name, g.transforms]) == "d7f663dac820ad26"
    end

    test "of a guest that remembers, chunk by chunk" do
      counting =
        guest(
          """
          (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
          (block $done (loop $more
            (br_if $done (i32.ge_u (local.get $n) (i32.const 512)))
            (f32.store (i32.shl (local.get $n) (i32.const 2)) (f32.convert_i32_u (global.get $calls)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br $more)))
          (i64.extend_i32_u
            (i32.shl (i32.load (i32.add (i32.const 4) (i32.add (local.get $row) (i32.load offset=16 (local.get $row))))) (i32.const 2)))
          """,
          "(global $calls (mut i32) (i32.const 0))"
        )

      height = script("counting", low: 0, high: 1000)
      plan = Gen.plan!([seed: 1, height: height, scripts: [counting: counting]] ++ @small)
      first = everything(Gen.chunk!(plan, {0, 0}))
      Gen.chunk!(plan, {1, 0})
      assert everything(Gen.chunk!(plan, {0, 0})) == first
    end
  end

  describe "the plan's text" do
    test "has the digests, and is read again with the same bytes" do
      plan = cratered()
      text = Plan.to_json(plan)
      digest = :sha256 |> :crypto.hash(@craters) |> Base.encode16(case: :lower)
      assert text =~ digest
      assert {:ok, again} = Gen.from_json(text, scripts: %{"craters" => @craters, "more" => ""})
      assert again.digest == plan.digest
      assert Gen.key(again, {4, 5}) == Gen.key(plan, {4, 5})

      assert {:error, %PlanError{reason: :script, field: "scripts.craters"} = error} =
               Gen.from_json(text)

      assert Exception.message(error) ==
               "scripts.craters: the script's bytes were not given with the plan"

      assert {:error, %PlanError{reason: :script} = error} =
               Gen.from_json(text, scripts: %{craters: @henge})

      assert Exception.message(error) =~ "another script was given"
    end

    test "of another script is another world with other keys" do
      other = @craters <> <<0, 5, 4, "note">>
      plan = cratered()
      changed = Gen.plan!([seed: 5, height: craters(), scripts: [craters: other]] ++ @small)
      same = Gen.plan!([seed: 5, height: craters(), scripts: [craters: @craters]] ++ @small)
      assert Gen.key(changed, {0, 0}) != Gen.key(same, {0, 0})
      assert Gen.key(changed, {0, 0}) != Gen.key(plan, {0, 0})
      assert Gen.chunk!(changed, {0, 0}).heights == Gen.chunk!(same, {0, 0}).heights
    end

    test "may have scripts of a store" do
      {:ok, store} = Store.open(:memory)
      {:ok, 1} = Registry.put(store, "craters", @craters)
      {:ok, 2} = Registry.put(store, "craters", @craters <> <<0, 5, 4, "note">>)

      plan = fn script ->
        Gen.plan!([seed: 5, height: craters(), scripts: [craters: script]] ++ @small)
      end

      assert plan.({store, "craters", 1}).digest == plan.(@craters).digest
      assert plan.({store, "craters"}).digest != plan.(@craters).digest

      assert {:error,
              %PlanError{reason: :script, field: "scripts.craters", cause: %Wasgo.StoreError{}}} =
               Gen.plan(seed: 5, height: craters(), scripts: [craters: {store, "none"}])

      assert_raise ArgumentError, ~r/a plan's script is its bytes/, fn ->
        Gen.plan(seed: 5, scripts: [craters: 7])
      end
    end

    test "names what is wrong with it" do
      for {options, field, message} <- [
            {[height: script("none", low: 0, high: 1)], "terrain.height: script",
             "no script \"none\""},
            {[height: script("ok", low: 1, high: 1)], "terrain.height: script", "low is 1"},
            {[height: script("ok", low: 0, high: 1, fuel: 5)], "terrain.height: script",
             "fuel is 5"},
            {[height: constant(0), generators: [[script: "none"]]], "generators[0].script",
             "no script"},
            {[height: constant(0), generators: [[script: "ok", level: 99]]],
             "generators[0].level", "99"},
            {[height: constant(0), generators: [[wrong: 1]]], "generators[0].wrong",
             "there is no"},
            {[height: constant(0), generators: [[script: "ok", parameters: [1, true]]]],
             "generators[0].parameters[1]", "a parameter is a number, a text or null"}
          ] do
        assert {:error, %PlanError{} = error} =
                 Gen.plan([seed: 1, scripts: [ok: flat(0)]] ++ options)

        assert error.field =~ field
        assert Exception.message(error) =~ message
      end

      assert_raise ArgumentError, fn -> script("ok", low: 0) end

      assert_raise ArgumentError, ~r/numbers, texts and nil, and not true/, fn ->
        script("ok", low: 0, high: 1, parameters: [nil, "a", 1, 2.0, true])
      end

      parameters = [nil, "a", 1, 2.0]
      height = script("ok", low: 0, high: 1, parameters: parameters)
      plan = Gen.plan!(seed: 1, height: height, scripts: [ok: flat(0)])
      %{"nodes" => nodes} = Wasgo.Wire.decode!(Plan.to_json(plan), :json)
      assert [^parameters] = for({_id, node} <- nodes, do: node["parameters"])
    end
  end

  describe "a script that can't be used is refused with the plan" do
    test "and the error names it and has the cause" do
      alloc =
        ~s|(memory (export "memory") 1) (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8))|

      for {source, cause, words} <- [
            {"(module (import \"env\" \"fly\" (func)))", LinkError, "import \"env\" \"fly\""},
            {"(module (import \"wasgo\" \"clock_ms\" (func (result i64))))", LinkError,
             "clock_ms"},
            {"(module)", LinkError, "wasgo_alloc"},
            {"(module #{alloc})", LinkError, "\"generate\""},
            {"(module #{alloc} (func (export \"generate\")))", LinkError, "has type"},
            {"rubbish", CompileError, "not a valid WebAssembly module"},
            {"", CompileError, "empty"},
            {File.read!("test/support/guests_src/granted_component.wat"), CompileError,
             "scripts.bad"}
          ] do
        assert {:error, %PlanError{reason: :script, field: "scripts.bad"} = error} =
                 Gen.plan(seed: 1, scripts: [bad: source])

        assert %^cause{} = error.cause
        assert Exception.message(error) =~ words
        assert Exception.message(error) =~ "scripts.bad: "
      end
    end
  end

  describe "a script that means harm" do
    @bad_geometry %{
      "billion vertices" =>
        {<<"WSGM", 1::32-little, 1::32-little, 0::32, 1_000_000_000::32-little, 3::32-little,
           0::192>>, "vertices: 1000000000"},
      "billion meshes" =>
        {<<"WSGM", 1::32-little, 1_000_000_000::32-little, 0::32>>, "meshes: 1000000000"},
      "garbage" => {"these are not the bytes of geometry", "does not begin with"},
      "index past the end" =>
        {<<"WSGM", 1::32-little, 1::32-little, 0::32, 1::32-little, 3::32-little, 0::192, 0::320,
           0::64, 1::32-little>>, "index 2 is 1"},
      "position that is no number" =>
        {<<"WSGM", 1::32-little, 1::32-little, 0::32, 1::32-little, 3::32-little, 0::192,
           0x7FC00000::32-little, 0::288, 0::96>>, "position is NaN"}
    }

    for {name, {bytes, words}} <- @bad_geometry do
      test "as a generator by #{name} names its place" do
        {made, place} = run(as_generator(answering(unquote(bytes))))
        assert {:error, %PlanError{reason: :script, cause: nil} = error} = made
        assert error.field == place
        assert Exception.message(error) =~ unquote(words)
        assert Exception.message(error) =~ "the script \"bad\" answered rubbish"
        assert Gen.chunk!(cratered(), {0, 0}).generated == []
      end
    end

    test "by values that it may not give names its place" do
      for {source, words} <- [
            {flat("nan"), "gave NaN at ("},
            {flat("inf"), "gave inf at ("},
            {flat(5.5), "gave 5.5 at ("},
            {flat(0, -4), "4 are wanted for each"},
            {flat(0, 4), "the limit is 1472"}
          ] do
        {made, place} = run(as_field(source))
        assert {:error, %PlanError{reason: :script, field: ^place} = error} = made
        assert Exception.message(error) =~ words
      end
    end

    test "by looping, trapping, recursion, hunger or lies names its place, and others have their chunks" do
      loop = guest("(loop br 0) (i64.const 0)")

      recursive =
        guest(
          "(call $deep (i32.const 1)) (i64.const 0)",
          "(func $deep (param i32) (call $deep (i32.add (local.get 0) (i32.const 1))) (drop (i32.load (local.get 0))))"
        )

      hungry =
        guest(
          "(loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000000)) unreachable"
        )

      starts =
        "(module (memory (export \"memory\") 1) (func $s (loop br 0)) (start $s) (func (export \"wasgo_alloc\") (param i32) (result i32) (i32.const 8)) (func (export \"generate\") (param i64 i32 i32 i32 i32 i32) (result i64) (i64.const 0)))"

      initializes = guest("(i64.const 0)", "(func (export \"_initialize\") (loop br 0))")

      large =
        "(module (memory (export \"memory\") 2000) (func (export \"wasgo_alloc\") (param i32) (result i32) (i32.const 8)) (func (export \"generate\") (param i64 i32 i32 i32 i32 i32) (result i64) (i64.const 0)))"

      no_room = String.replace(guest("(i64.const 0)"), "(i32.const 65536)", "(i32.const 0)")
      odd_room = String.replace(guest("(i64.const 0)"), "(i32.const 65536)", "(i32.const 65537)")
      far_room = String.replace(guest("(i64.const 0)"), "(i32.const 65536)", "(i32.const -8)")

      allocating =
        String.replace(guest("(i64.const 0)"), "(i32.const 65536)", "(loop br 0) (i32.const 8)")

      for {source, cause, reason} <- [
            {loop, LimitError, :fuel},
            {guest("unreachable"), TrapError, :unreachable},
            {guest("(i64.extend_i32_u (i32.div_u (i32.const 1) (local.get $n)))"), TrapError,
             :integer_division_by_zero},
            {guest("(i64.load (i32.const -9))"), TrapError, :memory_out_of_bounds},
            {recursive, LimitError, :stack},
            {hungry, nil, nil},
            {starts, LimitError, :fuel},
            {initializes, LimitError, :fuel},
            {large, LimitError, :memory},
            {guest("(i64.const 0x7fffffff00000010)"), DecodeError, nil},
            {guest("(i64.const 0x7fffffff)"), LimitError, :result_size},
            {no_room, DecodeError, nil},
            {odd_room, DecodeError, nil},
            {far_room, DecodeError, nil},
            {allocating, LimitError, :fuel}
          ],
          as <- [&as_field/1, &as_generator/1] do
        {made, place} = run(as.(source))
        assert {:error, %PlanError{reason: :script, field: ^place} = error} = made
        assert Exception.message(error) =~ "#{place}: the script \"bad\" failed: "
        if cause, do: assert(%^cause{} = error.cause)
        if reason, do: assert(error.cause.reason == reason)
        assert is_struct(error.cause)
        assert {:ok, _chunk} = Gen.chunk(cratered(), {0, 0})
      end
    end

    test "in one chunk fails there alone, also while others loop" do
      # Loops in the chunk at 3, and makes nothing elsewhere.
      source =
        guest("(if (i32.eq (local.get $x) (i32.const 3)) (then (loop br 0))) (i64.const 0)")

      {options, place, source} = as_generator(source)
      plan = Gen.plan!([seed: 1, scripts: [bad: source]] ++ options ++ @small)
      loops = for _ <- 1..6, do: Task.async(fn -> Gen.chunk(plan, {3, 0}) end)
      assert {:ok, %{generated: []}} = Gen.chunk(plan, {0, 0})
      assert {:ok, _} = Gen.chunk(cratered(), {0, 0})

      for made <- Task.await_many(loops, 60_000) do
        assert {:error, %PlanError{field: ^place, cause: %LimitError{reason: :fuel}}} = made
      end

      assert {:ok, _chunk} = Gen.chunk(plan, {4, 0})

      assert {:ok, _script} =
               Wasgo.Script.process(Wasgo.Script.new!(Wasgo.TestGuests.echo()), "a")
    end

    test "has the fuel that the plan gives it, and no more" do
      busy =
        guest(
          "(local.set $n (i32.const 100000)) (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i64.const 0)"
        )

      plan = fn fuel ->
        Gen.plan!(
          [
            seed: 1,
            height: constant(0),
            scripts: [busy: busy],
            generators: [[script: "busy", fuel: fuel]]
          ] ++ @small
        )
      end

      assert {:ok, _chunk} = Gen.chunk(plan.(1_000_000), {0, 0})

      assert {:error, %PlanError{cause: %LimitError{reason: :fuel, value: 10_000}}} =
               Gen.chunk(plan.(10_000), {0, 0})
    end
  end
end
