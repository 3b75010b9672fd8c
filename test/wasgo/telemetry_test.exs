defmodule Wasgo.TelemetryTest do
  # It watches all processes of the VM.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias Wasgo.{
    Buffer,
    Gen,
    Godot,
    TestPeer,
    Pipeline,
    Script,
    Service,
    Stages,
    Store,
    Telemetry,
    World
  }

  alias Wasgo.StageTest.Told
  alias Wasgo.Wasm.{Component, Instance, Module}

  doctest Wasgo.Telemetry
  doctest Wasgo.Telemetry.Poller

  @namer Path.expand("../../guest/services/namer.wasm", __DIR__)

  @looping """
  (module (memory (export "memory") 1) (data (i32.const 16) "a")
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_columns") (result i64) (i64.const 0x1000000001))
    (func (export "_notification") (param i32 i32 i32) (result i64) (loop $l (br $l)) (i64.const 0)))
  """

  describe "with the library" do
    @describetag :telemetry

    setup do
      {:ok, _apps} = Application.ensure_all_started(:telemetry)
      :ok
    end

    test "every event of the list is told by a real run, as it is described, and no other is" do
      told = events(&everything/0)
      listed = Map.new(Telemetry.events(), &{&1.name, &1})

      missing = Map.keys(listed) -- Enum.map(told, &elem(&1, 0))
      assert missing == []

      for {name, measurements, metadata} <- told do
        assert %{^name => event} = listed
        assert {name, keys(measurements)} == {name, Enum.sort(Keyword.keys(event.measurements))}
        assert {name, keys(metadata)} == {name, Enum.sort(Keyword.keys(event.metadata))}

        for {key, value} <- measurements,
            do: assert({name, key, is_number(value)} == {name, key, true})
      end
    end

    test "a span's events belong together, and its stop has the error" do
      {:ok, store} = Store.open(:memory)

      told =
        events(fn ->
          {:ok, _} = Store.query(store, "SELECT 1 UNION SELECT 2")
          {:error, _} = Store.query(store, "SELECT nothing")
        end)

      assert [
               {[:wasgo, :query, :start], _, %{telemetry_span_context: one}},
               {[:wasgo, :query, :stop], %{rows: 2, duration: duration},
                %{telemetry_span_context: one, error: nil}},
               {[:wasgo, :query, :start], _,
                %{telemetry_span_context: other, sql: "SELECT nothing"}},
               {[:wasgo, :query, :stop], %{rows: 0},
                %{telemetry_span_context: other, error: %Wasgo.StoreError{}}}
             ] = told

      assert duration > 0 and one != other
    end

    test "a call that ends in its first slice is counted and not told" do
      script = Script.new!(File.read!("guest/scripts/wander.wasm"))
      row = [1, 0.0, 10.0, 2.0, 20.0, 0.0]
      {:ok, _row} = Script.notify(script, :process, row)
      %{engine: %{calls: before}} = Wasgo.Native.native_load()

      told =
        events(fn -> for _ <- 1..100, do: {:ok, _} = Script.notify(script, :process, row) end)

      # A slice that the system interrupted for long enough may be one too many.
      assert length(for {[:wasgo, :call, :stop], _, _} <- told, do: :call) < 50
      %{engine: %{calls: now}} = Wasgo.Native.native_load()
      assert now - before >= 100
    end

    test "a stage's counts come with its end, however that comes about" do
      ok = {Stages.Transform, with: &{:ok, &1}}
      buffers = for number <- 1..3, do: Buffer.new(number)

      stop = fn fun ->
        for {[:wasgo, :stage, :stop], counts, about} <- events(fun), do: {counts, about}
      end

      assert [
               {%{received: 3, sent: 3, errors: 0, run_time: run_time},
                %{stage: Stages.Transform, error: nil}}
             ] = stop.(fn -> {:ok, 3} = buffers |> Pipeline.through(ok) |> Pipeline.run() end)

      assert run_time > 0

      assert [{%{received: 1}, %{error: nil}}] =
               stop.(fn -> buffers |> Pipeline.through(ok) |> Enum.take(1) end)

      test = self()
      failing = {Told.Filter, to: test, on: %{1 => :error, 2 => :stop}}

      assert [{%{received: 2, sent: 0, errors: 2}, %{error: %RuntimeError{}}}] =
               stop.(fn -> buffers |> Pipeline.through(failing) |> Enum.to_list() end)

      assert [{%{received: 2, sent: 0, errors: 2}, %{error: %RuntimeError{}}}] =
               stop.(fn ->
                 buffers |> Pipeline.through(failing, timeout: 5_000) |> Enum.to_list()
               end)
    end

    test "a poller measures what it is told to watch, and leaves out what is gone" do
      viewers = start_supervised!({Service, module: @namer, ready: "READY"})
      gone = spawn(fn -> :ok end)

      poller =
        start_supervised!(
          {Telemetry.Poller, every: 3_600_000, watch: [service: viewers, world: gone]}
        )

      # What it measures as it begins is over then.
      :ok = Telemetry.Poller.measure(poller)
      told = events(fn -> :ok = Telemetry.Poller.measure(poller) end)

      assert [%{pending: 0, ready: 1}] =
               for({[:wasgo, :service, :gauge], counts, _} <- told, do: counts)

      assert [] = for({[:wasgo, :world, :gauge], _, _} <- told, do: :world)
      assert [%{resident: resident}] = for({[:wasgo, :vm, :gauge], counts, _} <- told, do: counts)
      assert resident > 0
    end
  end

  test "a poller refuses to watch what it does not know" do
    assert_raise ArgumentError, ~r/has :clouds/, fn ->
      Telemetry.Poller.start_link(watch: [clouds: self()])
    end
  end

  defp keys(map), do: map |> Map.keys() |> Enum.sort()

  # What is told while `fun` runs, in a process of its own: the one that listens is not watched.
  defp events(fun) do
    :erlang.trace_pattern({:telemetry, :execute, 3}, true, [])
    :erlang.trace(:all, true, [:call])
    result = fun |> Task.async() |> Task.yield(60_000)
    :erlang.trace(:all, false, [:call])
    ref = :erlang.trace_delivered(:all)
    receive do: ({:trace_delivered, :all, ^ref} -> :ok)
    assert {:ok, _done} = result
    heard([])
  end

  defp heard(told) do
    receive do
      {:trace, _pid, :call,
       {:telemetry, :execute, [[:wasgo | _] = event, measurements, metadata]}} ->
        heard([{event, measurements, metadata} | told])

      {:trace, _pid, :call, _other} ->
        heard(told)
    after
      0 -> Enum.reverse(told)
    end
  end

  ## Something of everything

  defp everything do
    name = __MODULE__.Everything
    me = self()

    {:ok, supervisor} =
      Wasgo.Supervisor.start_link(
        name: name,
        telemetry: 3_600_000,
        stores: [main: :memory],
        caches: [chunks: []],
        worlds: [{"garden", store: :main, scripts_of_objects: %{"loop" => Script.new!(@looping)}}],
        services: [namer: [module: @namer, ready: "READY"]],
        pools: [namers: [size: 1, service: [module: @namer, ready: "READY"]]],
        godot: [zones: [token: "secret"]],
        pipelines: [
          same: [stages: [numbers: [Buffer.new(1)], same: {Stages.Transform, with: &{:ok, &1}}]]
        ]
      )

    guests()
    requests(Wasgo.Supervisor.store(name, :main))
    generated(Wasgo.Supervisor.cache(name, :chunks))
    stages(me)

    {:ok, _name} =
      Service.request(Wasgo.Supervisor.service(name, :namer), "0 0 -2.5 31.0 12.2 0.08 120 14")

    :ok = Pipeline.Server.await_end(Wasgo.Supervisor.pipeline(name, :same))

    world = Wasgo.Supervisor.world(name, "garden")

    capture_log(fn ->
      {:ok, id} = World.put(world, name: "bad", script: "loop")
      scripts = Wasgo.Supervisor.scripts(name, "garden")
      until(fn -> is_map_key(World.Scripts.info(scripts).stopped, id) end)
      engine(Wasgo.Supervisor.godot(name, :zones), name)
      Supervisor.stop(supervisor)
    end)
  end

  # A call that traps, one that takes longer than a slice and than it may; modules and components.
  defp guests do
    wat = ~s|(module (func (export "trap") unreachable) (func (export "spin") (loop $l (br $l))))|
    instance = Instance.new!(Module.compile!(wat))
    {:error, %Wasgo.TrapError{}} = Instance.call(instance, "trap")
    {:error, %Wasgo.LimitError{}} = Instance.call(instance, "spin", [], timeout: 20)
    {:error, _no_component} = Component.compile("(component (core module (func (unreachable)))")
  end

  defp requests(store) do
    :ok = Store.batch(store, "CREATE TABLE log (line)")

    {:ok, 1} =
      Store.transaction(store, fn tx ->
        Store.execute!(tx, "INSERT INTO log VALUES (?)", ["a"]).changes
      end)

    try do
      Store.transaction(store, fn _tx -> raise "undone" end)
    rescue
      RuntimeError -> :ok
    end
  end

  defp generated(cache) do
    plan = Gen.plan!(seed: 7)
    {:ok, _chunk} = Gen.chunk(plan, {0, 0})
    {:ok, _chunk} = Gen.Cache.chunk(cache, plan, {0, 1})
  end

  defp stages(me) do
    on = %{1 => :error, 2 => :raise}
    filter = {Told.Filter, to: me, on: on}

    try do
      for(number <- 1..2, do: Buffer.new(number)) |> Pipeline.through(filter) |> Enum.to_list()
    rescue
      RuntimeError -> :ok
    end
  end

  # An engine in a zone of the world that refuses a frame, while all is measured.
  defp engine(server, name) do
    fields = %{"world" => "garden", "zone" => "north"}
    socket = TestPeer.join(Godot.Server.port(server), "secret", [], fields)
    {:ok, connection} = Godot.Server.await_connection(server)

    {:ok, number} =
      Godot.Connection.send(connection, "despawn", %{"ids" => {:packed_int64, <<>>}})

    TestPeer.say(socket, %{"t" => "error", "seq" => number, "message" => "no"})
    until(fn -> match?({:ok, %{errors: 1}}, Godot.Connection.stats(connection)) end)
    :ok = Telemetry.Poller.measure(poller(name))
    ref = Process.monitor(connection.pid)
    :gen_tcp.close(socket)
    receive do: ({:DOWN, ^ref, :process, _pid, _reason} -> :ok)
    world = Wasgo.Supervisor.world(name, "garden")
    until(fn -> World.info(world).zones == [] end)
  end

  defp poller(name) do
    name
    |> Elixir.Module.concat(Parts)
    |> Supervisor.which_children()
    |> Enum.find_value(fn {id, pid, _type, _modules} -> id == Telemetry.Poller && pid end)
  end

  # Each look is a question that is answered.
  defp until(fun), do: if(fun.(), do: :ok, else: until(fun))
end
