defmodule Wasgo.World.ScriptsTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Wasgo.Script.Registry
  alias Wasgo.{RowScript, Script, Store, World}

  @moduletag :capture_log

  doctest World.Scripts

  setup do
    {:ok, store} = Store.open(:memory)
    world = start_supervised!({World, name: "garden", store: store})
    %{store: store, world: world}
  end

  defp start(context, scripts, options \\ []) do
    start_supervised!(
      {World.Scripts, [world: context.world, scripts: scripts, hz: 100] ++ options}
    )
  end

  # Looks until it is so: each look is a message there and back.
  defp until(look, wanted?) do
    found = look.()
    if wanted?.(found), do: found, else: until(look, wanted?)
  end

  test "objects move by their scripts, about where they were placed", context do
    script = Script.new!(File.read!("guest/scripts/wander.wasm"))
    start(context, %{"wander" => script})

    {:ok, hare} =
      World.put(context.world, name: "hare", script: "wander", position: {400, 0, -200})

    {:ok, stone} = World.put(context.world, name: "stone", position: {0, 0, 0})
    moved = until(fn -> World.transient(context.world, hare) end, &(map_size(&1) == 4))
    assert Map.keys(moved) == ["position:x", "position:y", "position:z", "rotation:y"]
    later = until(fn -> World.transient(context.world, hare) end, &(&1 != moved))

    for place <- [moved, later] do
      assert_in_delta place["position:x"], 400, 6
      assert place["position:y"] >= 0
      assert_in_delta place["position:z"], -200, 6
    end

    assert World.transient(context.world, stone) == %{}
  end

  test "each object keeps its own, also when the world is started again", context do
    {:ok, 1} =
      Registry.put(context.store, "pet", File.read!("guest/scripts/pet.wat"), grants: [:state])

    scripts = start(context, context.store)
    {:ok, a} = World.put(context.world, name: "a", script: "pet")
    until(fn -> World.transient(context.world, a)["age"] end, &(&1 != nil and &1 > 5))
    {:ok, b} = World.put(context.world, name: "b", script: "pet")
    young = until(fn -> World.transient(context.world, b)["age"] end, &(&1 != nil))
    assert World.transient(context.world, a)["age"] > young
    :ok = stop_supervised(World.Scripts)
    refute Process.alive?(scripts)

    assert {:ok, %{"age" => <<age::little-64>>}} =
             Registry.object_state(context.store, "garden/#{a}")

    start(context, context.store)
    until(fn -> World.transient(context.world, a)["age"] end, &(&1 > age))
  end

  @turn RowScript.wat("rotation:y", 0.5, """
          (func $turn (export "_notification") (param $what i32) (param i32 i32) (result i64)
            (if (i32.eq (local.get $what) (i32.const 10001)) (then (return (i64.const 0x40_00000018))))
            (if (i32.eq (local.get $what) (i32.const 10002)) (then unreachable))
            (i64.const 0))
        """)

  test "a script that is called answers what it returned, which the world has then", context do
    scripts = start(context, %{"turn" => Script.new!(@turn)})
    {:ok, a} = World.put(context.world, name: "a", script: "turn")
    {:ok, b} = World.put(context.world, name: "b", script: "nobody")
    {:ok, c} = World.put(context.world, name: "c")
    until(fn -> World.Scripts.info(scripts).objects end, &(&1 == 2))
    assert World.Scripts.call(scripts, a, 10_001) == {:ok, %{"rotation:y" => 0.5}}
    until(fn -> World.transient(context.world, a) end, &(&1 == %{"rotation:y" => 0.5}))
    assert World.Scripts.call(scripts, a, :ready) == {:ok, nil}

    assert {:error, %Wasgo.TrapError{reason: :unreachable}} =
             World.Scripts.call(scripts, a, 10_002)

    assert {:error, %Wasgo.StoreError{reason: :unknown_script}} =
             World.Scripts.call(scripts, b, 10_001)

    assert {:error, %Wasgo.WorldError{reason: :unknown_object}} =
             World.Scripts.call(scripts, c, 10_001)

    :ok = stop_supervised(World.Scripts)
    assert {:error, %Wasgo.WorldError{reason: :stopped}} = World.Scripts.call(scripts, a, 10_001)
    assert {:error, %Wasgo.WorldError{reason: :stopped}} = World.Scripts.subscribe(scripts)
  end

  test "who subscribes is told which version runs, and where one fails", context do
    {:ok, 1} = Registry.put(context.store, "turn", @turn)
    scripts = start(context, context.store)
    assert {:ok, ^scripts, []} = World.Scripts.subscribe(scripts)
    {:ok, a} = World.put(context.world, name: "a", script: "turn")

    assert_receive {:wasgo_scripts, ^scripts, %{script: "turn", version: 1, state: :running}},
                   5_000

    World.Scripts.notify(scripts, a, 10_002)
    assert_receive {:wasgo_scripts, ^scripts, %{state: :failed} = status}, 5_000
    assert %{version: 1, object: ^a, count: 1, error: %{reason: :unreachable}} = status
    assert [%{function: "turn", line: 8}] = status.trace
    assert {:ok, ^scripts, [^status]} = World.Scripts.subscribe(scripts)
  end

  test "an object that is removed, or changes its script, is not run any more", context do
    script = Script.new!(File.read!("guest/scripts/wander.wasm"))
    scripts = start(context, %{"wander" => script})
    {:ok, a} = World.put(context.world, name: "a", script: "wander")
    {:ok, b} = World.put(context.world, name: "b", script: "wander")
    until(fn -> World.Scripts.info(scripts).objects end, &(&1 == 2))
    {:ok, _rev} = World.remove(context.world, a)
    {:ok, _rev} = World.update(context.world, b, script: nil)
    until(fn -> World.Scripts.info(scripts).objects end, &(&1 == 0))
  end

  test "a script that is none stops nobody else, and says so", context do
    script = Script.new!(File.read!("guest/scripts/wander.wasm"))

    looping =
      Script.new!(
        RowScript.wat("a", 1, """
          (func (export "_notification") (param i32 i32 i32) (result i64) (loop $l (br $l)) (i64.const 0))
        """)
      )

    scripts = start(context, %{"wander" => script, "loop" => looping})
    {:ok, bad} = World.put(context.world, name: "bad", script: "loop")
    {:ok, _none} = World.put(context.world, name: "none", script: "missing")
    {:ok, good} = World.put(context.world, name: "good", script: "wander")
    stopped = until(fn -> World.Scripts.info(scripts).stopped end, &(map_size(&1) == 1))
    assert stopped[bad] =~ "25 ms"
    before = World.transient(context.world, good)
    until(fn -> World.transient(context.world, good) end, &(&1 != before))
    assert World.Scripts.info(scripts).scripts == ["loop", "missing", "wander"]
  end

  test "of a world with thousands of objects each hears that it is ready, and callers are answered meanwhile",
       context do
    ready =
      Script.new!(
        RowScript.wat("a", 1, """
          (func (export "_notification") (param i32 i32 i32) (result i64)
            (if (result i64) (i32.eq (local.get 0) (i32.const 13)) (then (i64.const 0x4000000018)) (else (i64.const 0))))
        """)
      )

    for _ <- 1..6,
        do:
          {:ok, _} = World.mutate(context.world, for(_ <- 1..1_000, do: {:put, script: "ready"}))

    # It has not looked at all of them when it is asked, unless a busy machine asks late, time after time.
    scripts =
      Enum.find_value(1..5, fn _ ->
        stop_supervised(World.Scripts)
        scripts = start(context, %{"ready" => ready}, hz: 1)
        if World.Scripts.info(scripts).objects < 6_000, do: scripts
      end)

    assert scripts
    # On a machine that has no time one may be stopped for being slow; none is passed over.
    until(
      fn -> {World.Scripts.info(scripts).stopped, World.info(context.world).transient} end,
      fn {stopped, told} -> map_size(stopped) + told == 6_000 end
    )

    assert World.Scripts.info(scripts).objects == 6_000
  end

  test "many that take too long are stopped, which the log has once, and the others hear that they are ready all the same",
       context do
    # Those whose id is below 7 never come to an end.
    script =
      Script.new!(
        RowScript.wat("a", 1, """
          (func (export "_notification") (param i32 i32 i32) (result i64)
            (if (i32.ne (local.get 0) (i32.const 13)) (then (return (i64.const 0))))
            (loop $l (br_if $l (i64.lt_s (i64.load offset=16 (local.get 1)) (i64.const 7))))
            (i64.const 0x4000000018))
        """)
      )

    {:ok, _} = World.mutate(context.world, for(_ <- 1..40, do: {:put, script: "endless"}))

    log =
      capture_log(fn ->
        scripts = start(context, %{"endless" => script})
        stopped = until(fn -> World.Scripts.info(scripts).stopped end, &(map_size(&1) >= 6))
        assert Enum.all?(1..6, &is_map_key(stopped, &1))

        until(
          fn -> {World.Scripts.info(scripts).stopped, World.info(context.world).transient} end,
          fn {stopped, told} -> map_size(stopped) + told == 40 end
        )

        # They are told when the pause is over, which nobody waits for here.
        send(scripts, {:logged, "endless"})
        assert World.Scripts.info(scripts).objects == 40
      end)

    [_before | lines] = String.split(log, ~s(Wasgo.World: the script "endless" ))
    # Its runner says how often it failed, once.
    assert {[_failed], [first, more]} = Enum.split_with(lines, &(&1 =~ ~r/^failed \d+ times: /))
    refute log =~ ~s(Wasgo.Godot: the script "endless")
    assert first =~ ~r/^of object \d+ is stopped: .*25 ms/
    assert more =~ ~r/^is stopped for \d+ more objects/
  end

  test "an object hears that it is ready before anything else", context do
    # It answers all that it has heard, as one number.
    order =
      Script.new!(
        RowScript.wat("a", 1, """
          (global $heard (mut i64) (i64.const 0))
          (func (export "_notification") (param i32 i32 i32) (result i64)
            (if (i32.eq (local.get 0) (i32.const 17)) (then (return (i64.const 0))))
            (global.set $heard (i64.add (i64.mul (global.get $heard) (i64.const 100000)) (i64.extend_i32_u (local.get 0))))
            (i64.store (i32.const 80) (global.get $heard))
            (i64.const 0x4000000018))
        """)
      )

    {:ok, id} = World.put(context.world, script: "order")
    scripts = start(context, %{"order" => order})
    until(fn -> World.Scripts.info(scripts).objects end, &(&1 == 1))
    World.Scripts.notify(scripts, id, 10_001)
    until(fn -> World.transient(context.world, id) end, &(&1 == %{"a" => 1_310_001}))
  end

  test "it ends with its world", context do
    scripts = start(context, %{}, name: :"scripts of a garden")
    ref = Process.monitor(scripts)
    World.stop(context.world)
    assert_receive {:DOWN, ^ref, :process, ^scripts, _reason}, 5_000
  end

  test "one that is about to look when its world ends is no fault", context do
    scripts = start(context, %{})
    ref = Process.monitor(scripts)
    :ok = :sys.suspend(scripts)
    {:ok, _id} = World.put(context.world, [])
    World.stop(context.world)
    :ok = :sys.resume(scripts)
    assert_receive {:DOWN, ^ref, :process, ^scripts, :normal}, 30_000
  end
end
