defmodule Wasgo.InfoTest do
  # What the native half has is counted for the whole VM.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Wasgo.{Buffer, Label, Native, Store, World}
  alias Wasgo.Wasm.{Instance, Module}

  doctest Wasgo.Info

  test "prints versions, limits, memory and what runs" do
    start_supervised!(
      {Wasgo.Supervisor,
       name: __MODULE__.All, stores: [main: :memory], worlds: [{"meadow", store: :main}]}
    )

    printed = capture_io(fn -> assert Wasgo.info() == :ok end)

    for line <- [
          ~r/^Wasgo +0\.1\.0 \(native half 0\.1\.0/,
          ~r/wasmtime 48\.\d+\.\d+, libSQL 0\.10\.\d+ \(SQLite 3\.\d+/,
          ~r/Elixir #{Regex.escape(System.version())}, OTP #{System.otp_release()}/,
          ~r/\d+ workers, \d+ instances/,
          ~r/process \d+ MiB, BEAM \d+ MiB, guests \d+ [KM]iB/,
          ~r/^ +Wasgo\.World "meadow"$/m,
          ~r/Wasgo\.Store :memory/
        ] do
      assert printed =~ line
    end
  end

  test "the native half counts a guest's memory from when it has it until it is freed" do
    pages = 160
    module = Module.compile!(~s|(module (memory (export "memory") 1) (func (export "f")))|)
    before = Native.native_load().engine
    instance = Instance.new!(module, limits: [memory: pages * 65_536])
    {:ok, _size} = Instance.grow_memory(instance, pages - 1)
    {:ok, []} = Instance.call(instance, "f")

    now = Native.native_load().engine
    assert now.memory >= pages * 65_536
    assert now.calls > before.calls
    assert now.modules > 0 and now.code_bytes > 0

    Instance.close(instance)
    # It is freed on a thread of the engine's.
    until(fn -> Native.native_load().engine.memory <= now.memory - pages * 65_536 end)
  end

  test "the native half counts what ended by a trap or a limit, and what left its first slice" do
    instance =
      Instance.new!(
        Module.compile!(
          ~s|(module (func (export "trap") unreachable) (func (export "spin") (loop $l (br $l))))|
        )
      )

    before = Native.native_load().engine
    {:error, _trap} = Instance.call(instance, "trap")
    {:error, _limit} = Instance.call(instance, "spin", [], timeout: 20)
    now = Native.native_load().engine
    assert now.traps - before.traps >= 1
    assert now.limits - before.limits >= 1
    assert now.pooled - before.pooled >= 1
    assert now.slices > before.slices and now.run_time > before.run_time
  end

  test "jobs and stores are counted" do
    %{jobs: %{done: done}} = Native.native_load()
    until(&store_counted?/0)
    Wasgo.payloads!(Wasgo.generate(Wasgo.plan!(seed: 1), [{0, 0}]))
    until(fn -> Native.native_load().jobs.done > done end)
  end

  # Stores of tests that have ended may be closed between the two counts.
  defp store_counted? do
    %{stores: %{open: open}} = Native.native_load()
    {:ok, store} = Store.open(:memory)
    counted = Native.native_load().stores.open
    Store.close(store)
    counted == open + 1
  end

  defp until(fun), do: if(fun.(), do: :ok, else: until(fun))

  test "processes say what they are, also those that are named by a registry" do
    name = __MODULE__.Named

    start_supervised!(
      {Wasgo.Supervisor,
       name: name,
       stores: [main: :memory],
       worlds: [{"wood", store: :main}],
       godot: [zones: [token: "a"]]}
    )

    assert Label.get(GenServer.whereis(Wasgo.Supervisor.world(name, "wood"))) == {World, "wood"}

    assert Label.get(GenServer.whereis(Wasgo.Supervisor.godot(name, :zones))) ==
             {Wasgo.Godot.Server, :zones}

    gone = spawn(fn -> :ok end)
    ref = Process.monitor(gone)
    assert_receive {:DOWN, ^ref, :process, ^gone, _reason}, 5_000
    assert Label.get(gone) == nil
    other = Task.async(fn -> Label.get(self()) end)
    assert Task.await(other) == nil
  end

  test "log lines of a process have what it belongs to" do
    Task.async(fn ->
      Label.put({World, "a"}, wasgo_world: "a")
      assert Logger.metadata()[:wasgo_world] == "a"
    end)
    |> Task.await()
  end

  test "what is large or a handle shows what one wants to know" do
    assert inspect(Buffer.new("short")) == ~s|#Wasgo.Buffer<"short">|

    assert inspect(Buffer.new(:binary.copy("a", 1_000), pts: 5, metadata: %{a: 1})) ==
             "#Wasgo.Buffer<1000 bytes, pts: 5, metadata: %{a: 1}>"

    assert inspect(%World.Object{
             id: 7,
             name: "lamp",
             scene: "lamp",
             zone: "north",
             script: "sway"
           }) ==
             ~s|#Wasgo.World.Object<7 "lamp", scene "lamp", at {0.0, 0.0, 0.0}, script "sway", zone "north">|

    assert inspect(%World.Object{}) == ~s|#Wasgo.World.Object<new "", at {0.0, 0.0, 0.0}>|

    instances = %Wasgo.Scene.Instances{name: "rock", mesh: 4, transforms: <<0::size(96)-unit(8)>>}
    assert inspect(instances) == ~s|#Wasgo.Scene.Instances<"rock", 2 of mesh 4>|

    {:ok, instance} =
      Instance.new(
        Module.compile!(~s|(module (import "env" "next" (func (param i64) (result i64))))|),
        imports: %{"env" => %{"next" => {[:i64], [:i64], &(&1 + 1)}}}
      )

    assert inspect(instance.imports) == "#Wasgo.Wasm.Imports<1 functions>"

    assert inspect(Wasgo.Wire.Decoder.new(:json)) =~
             ~r/^#Wasgo.Wire.Decoder<:json, 0 of 0 bytes held>$/
  end
end
