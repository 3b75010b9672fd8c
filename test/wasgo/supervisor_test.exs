defmodule Wasgo.SupervisorTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Wasgo.{Buffer, Godot, Service, Stages, Store, World}
  alias Wasgo.Telemetry.Overview

  doctest Wasgo.Supervisor

  # For a machine that is busy with something else, in ms.
  @patience 10_000

  @namer Path.expand("../../guest/services/namer.wasm", __DIR__)
  @wander Path.expand("../../guest/scripts/wander.wasm", __DIR__)

  defp all(name) do
    [
      name: name,
      stores: [main: :memory, chunks: {:memory, busy_timeout: 100}],
      caches: [chunks: [store: :chunks]],
      worlds: [
        {"garden", store: :main, cache: :chunks, scripts_of_objects: %{}},
        {"cellar", store: :main}
      ],
      services: [namer: [module: @namer, ready: "READY"]],
      pools: [namers: [size: 1, service: [module: @namer, ready: "READY"]]],
      godot: [zones: [token: "secret"]],
      pipelines: [
        same: [stages: [numbers: [Buffer.new(1)], same: {Stages.Transform, with: &{:ok, &1}}]]
      ]
    ]
  end

  test "starts everything, each under its own name" do
    name = __MODULE__.Everything
    start_supervised!({Wasgo.Supervisor, all(name)})

    assert for({kind, part, _process} <- Wasgo.Supervisor.children(name), do: {kind, part}) == [
             {:store, :chunks},
             {:store, :main},
             {:cache, :chunks},
             {:world, "cellar"},
             {:world, "garden"},
             {:scripts, "garden"},
             {:service, :namer},
             {:pool, :namers},
             {:godot, :zones},
             {:pipeline, :same}
           ]

    garden = Wasgo.Supervisor.world(name, "garden")
    assert World.put(garden, name: "lamp") == {:ok, 1}

    store = Wasgo.Supervisor.store(name, :main)
    assert %{rows: [[2]]} = Store.query!(store, "SELECT count(*) FROM wasgo_worlds")

    assert {:ok, _name} =
             name
             |> Wasgo.Supervisor.service(:namer)
             |> Service.request("0 0 -2.5 31.0 12.2 0.08 120 14")

    assert Godot.Server.port(Wasgo.Supervisor.godot(name, :zones)) > 0
    assert Wasgo.Pipeline.Server.await_end(Wasgo.Supervisor.pipeline(name, :same)) == :ok
    assert %{made: 0} = Wasgo.Gen.Cache.info(Wasgo.Supervisor.cache(name, :chunks))
    assert {:ok, %{ready: 1}} = Service.Pool.info(Wasgo.Supervisor.pool(name, :namers))
    assert %{objects: 0} = World.Scripts.info(Wasgo.Supervisor.scripts(name, "garden"))
  end

  test "each kind of part says of itself what an operator is shown" do
    name = __MODULE__.Shown
    start_supervised!({Wasgo.Supervisor, all(name)})
    assert {:ok, _answer} = Service.request(Wasgo.Supervisor.service(name, :namer), "0")

    %{stages: [%{name: :numbers}, %{name: :same}], parts: parts} = look(name)
    parts = Map.new(parts, &{{&1.kind, &1.name}, &1.words})
    assert map_size(parts) == 9

    for {part, words} <- [
          {{:store, :main}, "#Wasgo.Store<memory>"},
          {{:cache, :chunks}, "0 KiB in memory, 0 KiB stored, 0 made"},
          {{:world, "garden"}, "0 objects, revision 0, 0 requests wait, zones: "},
          {{:scripts, "garden"}, "0 objects, 0 scripts, 0 stopped"},
          {{:service, :namer}, "ready, 0 requests wait, 0 restarts"},
          {{:pool, :namers}, "0 requests under way, 0 wait, 0 replaced"},
          {{:godot, :zones}, "0 engines"}
        ] do
      assert parts[part] =~ words
    end
  end

  # Again where a part was too busy to answer.
  defp look(name) do
    shown = Overview.look(node(), [name])

    if shown.stages == [] or Enum.any?(shown.parts, &(&1.words == "does not answer")),
      do: look(name),
      else: shown
  end

  test "two of them in one VM, with the same names in them, are nothing to each other" do
    [one, other] = [__MODULE__.One, __MODULE__.Other]
    for name <- [one, other], do: start_supervised!({Wasgo.Supervisor, all(name)})

    {:ok, 1} = World.put(Wasgo.Supervisor.world(one, "garden"), name: "lamp")
    assert World.objects(Wasgo.Supervisor.world(other, "garden")) == []

    :ok = stop_supervised(one)
    assert {:ok, 1} = World.put(Wasgo.Supervisor.world(other, "garden"), name: "bench")
  end

  test "scripts of objects come from a store of the supervisor's" do
    name = __MODULE__.Scripted

    start_supervised!(
      {Wasgo.Supervisor,
       name: name,
       stores: [main: :memory],
       worlds: %{"garden" => [store: :main, scripts_of_objects: :main]}}
    )

    store = Wasgo.Supervisor.store(name, :main)
    {:ok, _entry} = Wasgo.Script.Registry.put(store, "wander", File.read!(@wander))
    {:ok, _id} = World.put(Wasgo.Supervisor.world(name, "garden"), script: "wander")
    assert %{scripts: ["wander"]} = scripts(Wasgo.Supervisor.scripts(name, "garden"))
  end

  # It looks at the world after the world has answered.
  defp scripts(process) do
    case World.Scripts.info(process) do
      %{scripts: []} -> scripts(process)
      info -> info
    end
  end

  test "a world that dies comes back with what it had, and no server is touched" do
    name = __MODULE__.Dying

    start_supervised!(
      {Wasgo.Supervisor,
       name: name,
       stores: [main: :memory],
       worlds: [{"garden", store: :main, scripts_of_objects: %{}}],
       godot: [zones: [token: "secret"]]}
    )

    world = Wasgo.Supervisor.world(name, "garden")
    {:ok, 1} = World.put(world, name: "lamp")
    server = GenServer.whereis(Wasgo.Supervisor.godot(name, :zones))
    scripts = Process.monitor(GenServer.whereis(Wasgo.Supervisor.scripts(name, "garden")))
    pid = GenServer.whereis(world)
    ref = Process.monitor(pid)
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^ref, :process, ^pid, :killed}, @patience
    assert_receive {:DOWN, ^scripts, :process, _pid, _reason}, @patience

    assert [%{name: "lamp"}] = objects(name, world)
    assert GenServer.whereis(Wasgo.Supervisor.godot(name, :zones)) == server
  end

  # Of a world that is being started again.
  defp objects(name, world) do
    if GenServer.whereis(world), do: World.objects(world), else: objects(name, world)
  rescue
    Wasgo.WorldError -> objects(name, world)
  end

  test "a store that can't be opened is an error of the start, which names it" do
    Process.flag(:trap_exit, true)

    location =
      Path.join(System.tmp_dir!(), "wasgo-no-folder-#{System.unique_integer([:positive])}/a.db")

    capture_log(fn ->
      assert {:error, {:shutdown, {:failed_to_start_child, {:store, :main}, %Wasgo.StoreError{}}}} =
               Wasgo.Supervisor.start_link(
                 name: __MODULE__.Closed,
                 stores: [main: location],
                 worlds: [{"garden", store: :main}]
               )
    end)
  end

  test "when a store's process ends, what may hold it is started anew behind it" do
    name = __MODULE__.Reopened

    start_supervised!(
      {Wasgo.Supervisor, name: name, stores: [main: :memory], worlds: [{"garden", store: :main}]}
    )

    world = GenServer.whereis(Wasgo.Supervisor.world(name, "garden"))
    ref = Process.monitor(world)
    [{holder, store}] = Registry.lookup(Wasgo.Supervisor.registry(name), {:store, :main})
    Process.exit(holder, :kill)
    assert_receive {:DOWN, ^ref, :process, ^world, _reason}, @patience
    assert [] = objects(name, Wasgo.Supervisor.world(name, "garden"))
    assert Wasgo.Supervisor.store(name, :main).ref != store.ref
  end

  test "what is wrong raises with the name of the part and of the option, and starts nothing" do
    for {options, words} <- [
          {[worlds: [{"garden", store: :mian}], stores: [main: :memory]],
           ~s|world "garden" of Wrong names :mian, which is not among the stores: :main|},
          {[worlds: [{"garden", store: :main}]], "there are none"},
          {[worlds: [{"garden", []}]], ~s|world "garden" of Wrong needs the option :store|},
          {[worlds: [{"garden", store: :main, hertz: 2}], stores: [main: :memory]],
           ~s|world "garden" of Wrong has no option :hertz|},
          {[services: [namer: [command: []]]],
           "service :namer of Wrong needs the option :module"},
          {[services: [namer: [module: "a.wasm", name: :b]]],
           "service :namer of Wrong has its name from the supervisor"},
          {[godot: [zones: [port: 7777]]], "server :zones of Wrong needs the option :token"},
          {[godot: [zones: [token: "a", worlds: ["cave"]]]],
           ~s|server :zones of Wrong, :worlds names "cave"|},
          {[caches: [chunks: [store: :main]]], "cache :chunks of Wrong names :main"},
          {[pools: [many: [size: 2]]], "pool :many of Wrong needs the option :service"},
          {[pipelines: [p: [stages: [a: Stages.Collect]]]], "stage :a is no source"},
          {[stores: [main: 7]], "store :main is a location"},
          {[stores: [:main]], "option :stores is a list of names with options"},
          {[stores: [main: :memory, main: :memory]], "has the name main twice"},
          {[telemetry: 5], "option :telemetry"},
          {[stores: [{"main", :memory}]], "names in :stores are atoms"}
        ] do
      error =
        assert_raise ArgumentError, fn ->
          Wasgo.Supervisor.start_link([name: Wrong] ++ options)
        end

      assert Exception.message(error) =~ words
    end

    assert Process.whereis(Wrong) == nil
  end
end
