if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.WorldChannelTest do
    use ExUnit.Case, async: true

    import ExUnit.CaptureLog

    alias Wasgo.ChannelClient, as: Client
    alias Wasgo.Godot.Vector3
    alias Wasgo.Script.Registry
    alias Wasgo.{Gen, HTTPRequest, Pipeline, Rows, Store, World}

    @moduletag :phoenix
    @moduletag :capture_log

    @patience 20_000

    defmodule Worlds do
      # Worlds by their ids, each test's own.
      def world(id), do: named("world_" <> id)
      def runner(id), do: named("runner_" <> id)

      defp named(name) do
        {:ok, String.to_existing_atom(name)}
      rescue
        ArgumentError -> :error
      end
    end

    defmodule Channel do
      use Wasgo.Phoenix.WorldChannel,
        worlds: &Worlds.world/1,
        runners: &Worlds.runner/1,
        events: :channel_test_events,
        max_calls: 2

      @impl Wasgo.Phoenix.WorldChannel
      def authorize(:join, %{world: "forbidden"}, _socket), do: false
      def authorize(:join, %{world: "why"}, _socket), do: {:error, %{reason: "full"}}
      def authorize(:join, _details, _socket), do: true
      def authorize(:call, %{what: what}, _socket), do: what != 10_666
      def authorize(:event, %{name: "wave"}, _socket), do: {:ok, %{who: "ada"}}
      def authorize(_action, _details, _socket), do: false

      @impl Phoenix.Channel
      def handle_in("mine", payload, socket), do: {:reply, {:ok, helped(payload)}, socket}

      defp helped(payload), do: Map.put(payload, "mine", true)

      @impl Phoenix.Channel
      def handle_info({:mine, text}, socket) do
        push(socket, "mine", %{text: text})
        {:noreply, socket}
      end
    end

    defmodule SmallChannel do
      use Wasgo.Phoenix.WorldChannel,
        worlds: &Worlds.world/1,
        max_unacknowledged: 4,
        max_loading: 2,
        ack_timeout: 2_000,
        max_messages: 10

      @impl Wasgo.Phoenix.WorldChannel
      def authorize(:join, _details, _socket), do: true
      def authorize(_action, _details, _socket), do: false
    end

    defmodule UserSocket do
      use Phoenix.Socket

      channel("world:*", Channel)

      @impl true
      def connect(_params, socket), do: {:ok, socket}

      @impl true
      def id(_socket), do: nil
    end

    defmodule SmallSocket do
      use Phoenix.Socket

      channel("world:*", SmallChannel)

      @impl true
      def connect(_params, socket), do: {:ok, socket}

      @impl true
      def id(_socket), do: nil
    end

    defmodule Endpoint do
      use Phoenix.Endpoint, otp_app: :wasgo

      socket("/socket", UserSocket, websocket: [max_frame_size: 65_536])
      socket("/small", SmallSocket, websocket: true)

      plug(:wasgo)

      defp wasgo(%{path_info: ["wasgo" | path]} = conn, _options) do
        options = [worlds: &Worlds.world/1, authorize: fn _, _, _ -> true end]
        Wasgo.Phoenix.Plug.call(%{conn | path_info: path}, Wasgo.Phoenix.Plug.init(options))
      end
    end

    setup_all do
      for application <- [:telemetry, :plug, :phoenix_pubsub, :phoenix, :bandit],
          do: {:ok, _started} = Application.ensure_all_started(application)

      start_supervised!({Phoenix.PubSub, name: Wasgo.ChannelTestPubSub})

      Application.put_env(:wasgo, Endpoint,
        adapter: Bandit.PhoenixAdapter,
        http: [ip: {127, 0, 0, 1}, port: 0, startup_log: false],
        server: true,
        pubsub_server: Wasgo.ChannelTestPubSub,
        url: [host: "localhost"],
        secret_key_base: String.duplicate("a secret of the tests ", 4)
      )

      start_supervised!(Endpoint)
      {:ok, {_ip, port}} = Endpoint.server_info(:http)
      %{port: port}
    end

    setup context do
      id = "w#{System.unique_integer([:positive])}"
      {:ok, store} = Store.open(:memory)
      plan = if context[:plan], do: Gen.plan!(seed: 7, samples: 17, chunk_size: 32)

      world =
        start_supervised!(
          {World, name: id, store: store, plan: plan, as: String.to_atom("world_" <> id), hz: 60}
        )

      %{id: id, store: store, world: world, plan: plan, topic: "world:" <> id}
    end

    defp join(context, params \\ %{}, path \\ "/socket", options \\ []) do
      {:ok, client} = Client.start_link(context.port, path, options)
      ref = Client.push(client, context.topic, "phx_join", params)
      if options[:read] == false, do: client, else: joined(client, ref)
    end

    defp joined(client, ref) do
      assert_receive {^client, "phx_reply", {^ref, status, answer}}, @patience
      {client, status, answer}
    end

    defp ask(client, context, event, payload) do
      ref = Client.push(client, context.topic, event, payload)
      assert_receive {^client, "phx_reply", {^ref, status, answer}}, @patience
      {status, answer}
    end

    defp ack(client, context, seq), do: Client.push(client, context.topic, "ack", %{"seq" => seq})

    # States until the client is at a number, all of them acknowledged.
    defp states(client, context, rev, done \\ []) do
      assert_receive {^client, "state", state}, @patience
      ack(client, context, state["seq"])
      done = [state | done]
      if state["rev"] >= rev, do: Enum.reverse(done), else: states(client, context, rev, done)
    end

    # As the guide has it for browsers.
    defp read_rows(<<seq::32-little, groups::32-little, rest::binary>> = bytes) do
      {groups, ""} =
        Enum.map_reduce(List.duplicate(0, groups), rest, fn _, rest ->
          group(rest, byte_size(bytes))
        end)

      {seq, groups}
    end

    defp group(<<n::32-little, c::32-little, rest::binary>>, size) do
      {columns, rest} =
        Enum.map_reduce(List.duplicate(0, c), rest, fn _,
                                                       <<type, length, name::binary-size(length),
                                                         rest::binary>> ->
          {{type, name}, rest}
        end)

      rest = aligned(rest, size)
      <<ids::binary-size(n * 8), rest::binary>> = rest
      ids = for <<id::64-little <- ids>>, do: id

      {values, rest} =
        Enum.map_reduce(columns, rest, fn {type, _name}, rest -> values(type, n, rest, size) end)

      {{ids, Enum.zip(Enum.map(columns, &elem(&1, 1)), values)}, rest}
    end

    defp aligned(rest, size) do
      over = rem(size - byte_size(rest), 4)
      skip = rem(4 - over, 4)
      <<padding::binary-size(skip), rest::binary>> = rest
      assert padding == binary_part(<<0, 0, 0>>, 0, skip)
      rest
    end

    defp values(0, _n, <<length::32-little, text::binary-size(length), rest::binary>>, size),
      do: {Wasgo.Wire.decode!(text, :json), aligned(rest, size)}

    defp values(8, n, rest, _size) do
      <<bytes::binary-size(n * 8), rest::binary>> = rest
      {for(<<value::float-64-little <- bytes>>, do: value), rest}
    end

    defp values(type, n, rest, _size) do
      <<bytes::binary-size(n * type * 4), rest::binary>> = rest
      numbers = for(<<value::float-32-little <- bytes>>, do: value)
      {if(type == 1, do: numbers, else: Enum.chunk_every(numbers, type)), rest}
    end

    describe "joining" do
      test "answers where the world is, and all that is there follows", context do
        %{world: world} = context
        {:ok, _rev} = World.put_property(world, "season", "spring")

        {:ok, 1} =
          World.put(world,
            name: "lamp",
            position: {1, 2, 3},
            zone: "north",
            properties: %{"at" => Vector3.new(1, 2, 3)}
          )

        {:ok, 2} = World.put(world, name: "gone")
        {:ok, rev} = World.remove(world, 2)
        {:ok, 1} = World.put_rows(world, Rows.new(["rotation:y"], [{1, [0.5]}]))
        {client, "ok", hello} = join(context)

        assert %{
                 "rev" => 0,
                 "reset" => true,
                 "plan" => nil,
                 "zones" => [],
                 "scripts" => [],
                 "hz" => 20
               } = hello

        assert hello["world"] == context.id
        assert hello["identity"] == World.info(world).identity
        assert %{"unacknowledged" => 64, "calls" => 2, "loading" => 16} = hello["limits"]

        assert [state] = states(client, context, rev)

        assert %{
                 "seq" => 1,
                 "properties" => %{"season" => "spring"},
                 "gone" => [2],
                 "reset" => false
               } = state

        assert [
                 %{
                   "id" => 1,
                   "name" => "lamp",
                   "zone" => "north",
                   "transform" => transform,
                   "properties" => %{"at" => [1.0, 2.0, 3.0]},
                   "values" => %{"rotation:y" => 0.5},
                   "mesh" => nil
                 }
               ] = state["objects"]

        assert transform == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0]
      end

      test "again, a client is sent what it lacks", context do
        %{world: world} = context
        {:ok, _id} = World.put(world, name: "a")
        {:ok, _id} = World.put(world, name: "b")
        {client, "ok", %{"identity" => identity}} = join(context)
        states(client, context, 2)
        {:ok, rev} = World.update(world, 1, name: "c")

        {again, "ok", %{"rev" => 2, "reset" => false}} =
          join(context, %{"rev" => 2, "identity" => identity})

        assert [%{"objects" => [%{"id" => 1, "name" => "c"}]}] = states(again, context, rev)

        # Of another world of that name it knows nothing.
        {_other, "ok", %{"rev" => 0, "reset" => true}} =
          join(context, %{"rev" => 2, "identity" => "x"})

        {_newer, "ok", %{"rev" => 0, "reset" => true}} =
          join(context, %{"rev" => 99, "identity" => identity})
      end

      test "is refused with a reason", context do
        topics = fn topic, params ->
          {client, "error", answer} = join(%{context | topic: topic}, params)
          GenServer.stop(client)
          answer
        end

        assert %{"reason" => "forbidden"} = topics.("world:forbidden", %{})
        assert %{"reason" => "full"} = topics.("world:why", %{})
        assert %{"reason" => "unknown_world"} = topics.("world:nowhere", %{})
        assert %{"reason" => "unknown_world"} = topics.("world:", %{})

        assert %{"reason" => "unknown_world"} =
                 topics.("world:" <> String.duplicate("a", 256), %{})

        for {params, field} <- [
              {%{"rev" => -1}, "rev"},
              {%{"identity" => 7}, "identity"},
              {%{"view" => 7}, "view"},
              {%{"view" => %{"position" => [1, 2], "radius" => 3}}, "position"},
              {%{"view" => %{"position" => [1, 2, "3"], "radius" => 3}}, "position"},
              {%{"view" => %{"position" => [1, 2, 3], "radius" => 0}}, "radius"},
              {%{"held" => [1]}, "held"},
              {%{"held" => %{"0,0" => "short"}}, "held"},
              {%{"held" => %{"x" => String.duplicate("0", 32)}}, "held"}
            ] do
          assert %{"reason" => "invalid", "field" => ^field, "message" => message} =
                   topics.(context.topic, params)

          assert message =~ "should be"
        end

        stop_supervised!({World, context.id})
        assert %{"reason" => "unavailable"} = topics.(context.topic, %{})
      end
    end

    describe "what is sent" do
      test "is what changed, and of what is behind only the newest", context do
        %{world: world} = context
        {client, "ok", _hello} = join(context, %{}, "/small")

        # Each push is one state: four are sent, and no more before the first is acknowledged.
        for number <- 1..4 do
          {:ok, rev} = World.put_property(world, "number", number)

          assert_receive {^client, "state",
                          %{"rev" => ^rev, "properties" => %{"number" => ^number}} = state},
                         @patience

          assert state["seq"] == number
        end

        for number <- 5..50, do: {:ok, _rev} = World.put_property(world, "number", number)

        {:ok, rev} =
          World.put(world, name: "lamp") |> then(fn {:ok, _id} -> {:ok, World.rev(world)} end)

        ack(client, context, 4)
        assert_receive {^client, "state", state}, @patience

        assert %{
                 "seq" => 5,
                 "rev" => ^rev,
                 "properties" => %{"number" => 50},
                 "objects" => [%{"name" => "lamp"}]
               } = state

        ack(client, context, 5)
        {:ok, gone} = World.remove(world, 1)

        assert_receive {^client, "state", %{"rev" => ^gone, "gone" => [1], "objects" => []}},
                       @patience
      end

      test "is many objects in many parts, each within bounds", context do
        %{world: world} = context

        for part <- 1..4,
            do:
              {:ok, _} =
                World.mutate(world, for(n <- 1..500, do: {:put, name: "object #{part} #{n}"}))

        {client, "ok", _hello} = join(context)
        states = states(client, context, 2_000)
        assert length(states) >= 8
        assert Enum.all?(states, &(length(&1["objects"]) <= 256))

        assert states |> Enum.flat_map(& &1["objects"]) |> Enum.map(& &1["id"]) ==
                 Enum.to_list(1..2_000)

        assert Enum.map(states, & &1["seq"]) == Enum.to_list(1..length(states))
      end

      test "are values that move, as bytes, of all types", context do
        %{world: world} = context
        for name <- ["a", "b"], do: {:ok, _id} = World.put(world, name: name)
        {client, "ok", _hello} = join(context)
        states(client, context, 2)

        rows = [
          {1, [0.5, 7, Vector3.new(1, 2, 3), "sit", 1.0e300]},
          {2, [-1.5, 8, Vector3.new(4, 5, 6), nil, 2.0]}
        ]

        {:ok, 2} =
          World.put_rows(
            world,
            Rows.new(["rotation:y", "count", "position", "état", "far"], rows)
          )

        assert_receive {^client, "rows", bytes}, @patience
        assert rem(byte_size(bytes), 4) == 0
        assert {seq, groups} = read_rows(bytes)
        ack(client, context, seq)

        assert Enum.sort(groups) == [
                 {[1],
                  [
                    {"count", [7.0]},
                    {"far", [1.0e300]},
                    {"position", [[1.0, 2.0, 3.0]]},
                    {"rotation:y", [0.5]},
                    {"état", ["sit"]}
                  ]},
                 {[2],
                  [
                    {"count", [8.0]},
                    {"far", [2.0]},
                    {"position", [[4.0, 5.0, 6.0]]},
                    {"rotation:y", [-1.5]}
                  ]}
               ]

        # What the journal sets later counts for more.
        {:ok, rev} = World.update(world, 1, yaw: 1.0)
        assert [%{"objects" => [%{"values" => values}]}] = states(client, context, rev)
        assert %{"count" => 7} = values
        refute is_map_key(values, "rotation:y")
      end

      test "are meshes by path, and when one is replaced", context do
        %{world: world} = context
        mesh = hd(Gen.plan!(seed: 7).props)
        {:ok, _rev} = World.put_mesh(world, %{mesh | name: "fern"})
        {:ok, 1} = World.put(world, name: "a", mesh: "fern")
        {client, "ok", _hello} = join(context)

        assert [%{"meshes" => [%{"name" => "fern", "path" => path}], "objects" => [object]}] =
                 states(client, context, 2)

        assert object["mesh"] == %{"name" => "fern", "path" => path}

        assert {200, _, <<"glTF", _::binary>>} =
                 HTTPRequest.request(context.port, "GET", "/wasgo/worlds/#{context.id}/#{path}")

        {:ok, rev} =
          World.put_mesh(world, %{
            mesh
            | name: "fern",
              surfaces: tl(mesh.surfaces) ++ [hd(mesh.surfaces), hd(mesh.surfaces)]
          })

        assert [%{"meshes" => [%{"name" => "fern", "path" => other}], "objects" => []}] =
                 states(client, context, rev)

        assert other != path
      end

      test "are the zones that are connected, when that changes", context do
        %{world: world} = context
        {:ok, 1} = World.put(world, name: "a")
        {client, "ok", %{"zones" => []}} = join(context)
        parent = self()

        engine =
          spawn(fn ->
            {:ok, _identity, pid} = World.attach(world, "north")
            send(parent, {:attached, pid})
            receive do: (:leave -> :ok)
          end)

        assert_receive {:attached, _pid}, @patience

        assert_receive {^client, "zones", %{"zones" => [%{"name" => "north", "since" => since}]}},
                       @patience

        assert {:ok, _time, 0} = DateTime.from_iso8601(since)
        {_other, "ok", %{"zones" => [%{"name" => "north", "behind" => 1}]}} = join(context)
        send(engine, :leave)
        assert_receive {^client, "zones", %{"zones" => []}}, @patience
      end

      test "are broadcasts of the application, the newest when a client is behind", context do
        {client, "ok", _hello} = join(context, %{}, "/small")

        for number <- 1..100,
            do: Endpoint.broadcast(context.topic, "event", %{"name" => "bell", "data" => number})

        events = events(client, context, [])
        assert Enum.map(events, & &1["seq"]) == Enum.to_list(1..length(events))
        assert Enum.all?(events, &(&1["name"] == "bell"))
        dropped = events |> Enum.map(&Map.get(&1, "dropped", 0)) |> Enum.sum()
        assert dropped > 0
        assert length(events) + dropped == 100
      end

      # Up to the last one, each acknowledged.
      defp events(client, context, done) do
        assert_receive {^client, "event", event}, @patience
        ack(client, context, event["seq"])
        done = [event | done]
        if event["data"] == 100, do: Enum.reverse(done), else: events(client, context, done)
      end
    end

    describe "the ground" do
      @describetag plan: true

      defp fetch(context, chunk),
        do:
          HTTPRequest.request(context.port, "GET", "/wasgo/worlds/#{context.id}/#{chunk["path"]}")

      # What is named until nothing more is, all of it loaded; the client shows what is in `shown`.
      defp load_all(client, context, shown) do
        receive do
          {^client, "chunks", %{"put" => put, "gone" => gone, "seq" => seq}} ->
            ack(client, context, seq)
            keys = Enum.map(put, & &1["key"])
            Client.push(client, context.topic, "loaded", %{"chunks" => keys})
            shown = shown |> Map.merge(Map.new(put, &{&1["key"], &1})) |> Map.drop(gone)
            load_all(client, context, shown)
        after
          400 -> shown
        end
      end

      test "is named the nearest first, as it is loaded, and let go when it is out of view",
           context do
        view = %{"position" => [16, 0, 16], "radius" => 60}
        {client, "ok", hello} = join(context, %{"view" => view}, "/small")
        assert %{"chunk_size" => 32.0, "seed" => "7"} = hello["plan"]

        assert_receive {^client, "chunks",
                        %{"put" => [first, second], "gone" => [], "seq" => seq}},
                       @patience

        ack(client, context, seq)

        assert %{"key" => "0,0", "level" => 0, "size" => 32.0} = first
        assert first["origin"] == [0.0, 0.0, 0.0]

        assert {200, %{"etag" => tag}, <<"glTF", _::binary>>} = fetch(context, first)
        assert tag == ~s("#{first["hash"]}")
        assert {200, _, _} = fetch(context, second)

        Client.push(client, context.topic, "loaded", %{"chunks" => ["0,0"]})
        assert_receive {^client, "chunks", %{"put" => [third], "seq" => seq}}, @patience
        ack(client, context, seq)

        Client.push(client, context.topic, "loaded", %{
          "chunks" => [second["key"]],
          "failed" => [third["key"]]
        })

        near = load_all(client, context, %{"0,0" => first, second["key"] => second})
        assert map_size(near) >= 8

        # Far away all of it goes, and comes again at the same paths.
        {"ok", %{}} =
          ask(client, context, "view", %{"position" => [10_000, 0, 0], "radius" => 60})

        far = load_all(client, context, near)
        assert Enum.all?(Map.values(far), fn %{"origin" => [x, _, _]} -> x > 9_000 end)
        {"ok", %{}} = ask(client, context, "view", view)
        back = load_all(client, context, far)
        assert Map.take(back, Map.keys(near)) == near
      end

      test "that a client holds is not named again, and what was edited is", context do
        view = %{"position" => [16, 0, 16], "radius" => 20}
        {client, "ok", %{"identity" => identity}} = join(context, %{"view" => view})
        shown = load_all(client, context, %{})
        held = Map.new(shown, fn {key, chunk} -> {key, chunk["hash"]} end)

        params = %{
          "view" => view,
          "held" => held,
          "identity" => identity,
          "rev" => World.rev(context.world)
        }

        {again, "ok", _hello} = join(context, params)

        node = %Wasgo.Scene.Node{name: "edited"}
        glb = Wasgo.Scene.to_glb!(%Wasgo.Scene{nodes: [node], roots: [0]})

        {:ok, _rev} = World.put_chunk(context.world, {0, 0, 0}, glb)

        assert_receive {^again, "chunks", %{"put" => [%{"key" => "0,0"} = chunk], "gone" => []}},
                       @patience

        assert {200, _, ^glb} = fetch(context, chunk)
        {404, _, _} = fetch(context, shown["0,0"])
      end

      test "changes with the plan", context do
        {client, "ok", %{"plan" => %{"digest" => digest}}} =
          join(context, %{"view" => %{"position" => [16, 0, 16], "radius" => 20}})

        before = load_all(client, context, %{})

        {:ok, _rev} =
          World.set_plan(context.world, Gen.plan!(seed: 8, samples: 17, chunk_size: 32))

        assert_receive {^client, "plan", %{"plan" => %{"digest" => other, "seed" => "8"}}},
                       @patience

        assert other != digest
        now = load_all(client, context, before)
        assert Map.keys(now) == Map.keys(before)
        assert Enum.all?(now, fn {key, chunk} -> chunk["hash"] != before[key]["hash"] end)
      end
    end

    describe "scripts" do
      @hop """
      (module
        (memory (export "memory") 1)
        (data (i32.const 16) "rotation:y")
        (data (i32.const 32) "\\01\\00\\00\\00\\18\\00\\00\\00" "\\02\\00\\00\\00\\00\\00\\00\\00" "\\00\\00\\00\\00\\00\\00\\e0\\3f")
        (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "_columns") (result i64) (i64.const 0x10_0000000a))
        (func $hop (export "_notification") (param $what i32) (param i32 i32) (result i64)
          (if (i32.eq (local.get $what) (i32.const 10001)) (then (return (i64.const 0x20_00000020))))
          (if (i32.eq (local.get $what) (i32.const 10002))
            (then
              unreachable))
          (if (i32.eq (local.get $what) (i32.const 10003)) (then (loop $ever (br $ever))))
          (i64.const 0)))
      """

      setup %{id: id, world: world, store: store} do
        {:ok, 1} = Registry.put(store, "hop", @hop)
        {:ok, 1} = World.put(world, name: "hare", script: "hop")
        {:ok, 2} = World.put(world, name: "stone")

        runner =
          start_supervised!(
            {World.Scripts, world: world, scripts: store, name: String.to_atom("runner_" <> id)}
          )

        # Compiling takes a moment.
        {:ok, ^runner, statuses} = World.Scripts.subscribe(runner)

        if statuses == [],
          do: assert_receive({:wasgo_scripts, ^runner, %{state: :running}}, @patience)

        %{runner: runner}
      end

      test "of objects are called, and what they return is what everyone sees", context do
        {client, "ok", _hello} = join(context)
        states(client, context, 2)

        assert {"ok", %{"values" => %{"rotation:y" => 0.5}}} =
                 ask(client, context, "call", %{
                   "object" => 1,
                   "what" => 10_001,
                   "args" => [1, "a", nil]
                 })

        assert_receive {^client, "rows", bytes}, @patience
        assert {_seq, [{[1], [{"rotation:y", [0.5]}]}]} = read_rows(bytes)

        assert {"ok", %{"values" => nil}} =
                 ask(client, context, "call", %{"object" => 1, "what" => "ready"})

        assert {"error", %{"reason" => "forbidden"}} =
                 ask(client, context, "call", %{"object" => 1, "what" => 10_666})

        assert {"error", %{"reason" => "unknown_object"}} =
                 ask(client, context, "call", %{"object" => 2, "what" => 10_001})

        assert {"error", %{"reason" => "unknown_object"}} =
                 ask(client, context, "call", %{"object" => 77, "what" => 10_001})

        assert {"error", %{"reason" => "script", "error" => error}} =
                 ask(client, context, "call", %{"object" => 1, "what" => 10_002})

        assert %{"reason" => "unreachable", "frames" => [%{"function" => "hop"}]} = error
      end

      test "that take too long do not hold others up, and of a client few are under way",
           context do
        {client, "ok", _hello} = join(context)

        refs =
          for _ <- 1..8,
              do: Client.push(client, context.topic, "call", %{"object" => 1, "what" => 10_003})

        reasons =
          for ref <- refs do
            assert_receive {^client, "phx_reply", {^ref, "error", %{"reason" => reason}}},
                           @patience

            reason
          end

        assert Enum.count(reasons, &(&1 == "busy")) >= 5
        assert "timeout" in reasons
      end

      test "that fail are told of with the line of their source, and when a new version runs",
           context do
        {client, "ok",
         %{"scripts" => [%{"script" => "hop", "version" => 1, "state" => "running"}]}} =
          join(context)

        World.Scripts.notify(context.runner, 1, 10_002)

        assert_receive {^client, "script_error",
                        %{"seq" => _, "script" => "hop", "version" => 1, "error" => error}},
                       @patience

        assert %{"reason" => "unreachable", "object" => 1, "count" => 1, "frames" => [frame]} =
                 error

        assert %{"function" => "hop", "line" => 11, "file" => nil} = frame
        assert is_integer(frame["offset"]) and is_integer(frame["column"])

        {:ok, 2} = Registry.put(context.store, "hop", @hop <> ";; better")

        assert_receive {^client, "script",
                        %{"script" => "hop", "version" => 2, "state" => "running", "error" => nil}},
                       @patience

        {_other, "ok", %{"scripts" => [%{"version" => 2}]}} = join(context)
      end

      test "are told of to who joins before they run", context do
        :ok = stop_supervised(String.to_atom("runner_" <> context.id))
        {client, "ok", %{"scripts" => []}} = join(context)

        assert {"error", %{"reason" => "no_runner"}} =
                 ask(client, context, "call", %{"object" => 1, "what" => 10_001})

        start_supervised!(
          {World.Scripts,
           world: context.world,
           scripts: context.store,
           name: String.to_atom("runner_" <> context.id)}
        )

        assert_receive {^client, "script", %{"script" => "hop", "state" => "running"}}, @patience

        assert {"ok", %{"values" => %{"rotation:y" => 0.5}}} =
                 ask(client, context, "call", %{"object" => 1, "what" => 10_001})
      end

      test "that are not there are told of too", context do
        {:ok, 3} = World.put(context.world, name: "fox", script: "nobody")
        {client, "ok", _hello} = join(context)
        {:ok, 4} = World.put(context.world, name: "owl", script: "nothing")

        assert_receive {^client, "script_error",
                        %{
                          "script" => "nothing",
                          "version" => nil,
                          "error" => %{"reason" => "unknown_script"}
                        }},
                       @patience
      end
    end

    describe "what clients say" do
      test "is an event for a pipeline, as far as it is allowed", context do
        start_supervised!(%{
          id: :events,
          start:
            {Pipeline.Writer, :start_link,
             [
               [{Wasgo.Stages.Transform, with: &{:ok, &1}}],
               [to: self(), name: :channel_test_events]
             ]}
        })

        {client, "ok", _hello} = join(context)

        assert {"ok", %{}} =
                 ask(client, context, "event", %{"name" => "wave", "data" => %{"hand" => "left"}})

        assert_receive {Pipeline.Writer, _writer, {:ok, buffer}}, @patience
        assert buffer.payload == %{"name" => "wave", "data" => %{"hand" => "left"}}
        assert buffer.metadata == %{kind: :event, world: context.id, who: "ada"}

        assert {"error", %{"reason" => "forbidden"}} =
                 ask(client, context, "event", %{"name" => "shoot"})

        stop_supervised!(:events)

        assert {"error", %{"reason" => "not_served"}} =
                 ask(client, context, "event", %{"name" => "wave"})
      end

      test "may be messages of the application's own", context do
        {client, "ok", _hello} = join(context)
        assert {"ok", %{"mine" => true, "a" => 1}} = ask(client, context, "mine", %{"a" => 1})
      end

      test "is refused with the field at fault", context do
        {client, "ok", _hello} = join(context)

        for {event, payload, field} <- [
              {"ack", %{"seq" => 99}, "seq"},
              {"ack", %{"seq" => "1"}, "seq"},
              {"ack", [], "seq"},
              {"view", %{}, "position"},
              {"view", [], "view"},
              {"view", %{"position" => [0, 0, 1.0e300], "radius" => 1}, "position"},
              {"view", %{"position" => [0, 0, 0]}, "radius"},
              {"loaded", %{"chunks" => ["x"]}, "chunks"},
              {"loaded", %{"chunks" => List.duplicate("0,0", 17)}, "chunks"},
              {"loaded", %{"failed" => 7}, "failed"},
              {"call", %{}, "object"},
              {"call", %{"object" => 1.5}, "object"},
              {"call", %{"object" => 1, "what" => "fly"}, "what"},
              {"call", %{"object" => 1, "what" => -1}, "what"},
              {"call", %{"object" => 1, "what" => 10_000, "args" => [[]]}, "args"},
              {"call", %{"object" => 1, "what" => 10_000, "args" => List.duplicate(1, 33)},
               "args"},
              {"event", %{"name" => ""}, "name"},
              {"event", [], "name"}
            ] do
          assert {"error", %{"reason" => "invalid", "field" => ^field}} =
                   ask(client, context, event, payload)
        end

        assert {"error", %{"reason" => "unknown_event"}} = ask(client, context, "fly", %{})
      end

      test "is a flood when it is too much: refused, and in the end let go", context do
        {client, "ok", _hello} = join(context, %{}, "/small")

        log =
          capture_log(fn ->
            for _ <- 1..1_200,
                do:
                  Client.push(client, context.topic, "view", %{
                    "position" => [0, 0, 0],
                    "radius" => 1
                  })

            assert_receive {^client, "bye", %{"reason" => "flood"}}, @patience
            assert_receive {^client, "phx_close", _}, @patience
          end)

        assert_received {^client, "phx_reply", {_ref, "error", %{"reason" => "flood"}}}
        assert length(String.split(log, "is let go")) == 2
        {_again, "ok", _hello} = join(context, %{}, "/small")
      end
    end

    describe "the end" do
      test "comes to who does not acknowledge, and is logged once with the world", context do
        {client, "ok", _hello} = join(context, %{}, "/small")

        log =
          capture_log([metadata: [:wasgo_world]], fn ->
            for number <- 1..20,
                do: {:ok, _rev} = World.put_property(context.world, "number", number)

            assert_receive {^client, "bye", %{"reason" => "not_reading"}}, @patience
            assert_receive {^client, "phx_close", _}, @patience
          end)

        assert length(String.split(log, "is let go")) == 2
        assert log =~ "wasgo_world=" <> context.id
      end

      test "comes to a browser that never reads, which costs no more than its credit", context do
        blob = String.duplicate("x", 15_000)

        for number <- 1..200,
            do:
              {:ok, _id} =
                World.put(context.world, name: "#{number}", properties: %{"blob" => blob})

        before = channels()
        _client = join(context, %{}, "/small", read: false)
        channel = wait_for(fn -> List.first(channels() -- before) end)
        ref = Process.monitor(channel)
        socket = :sys.get_state(channel)

        for number <- 1..100,
            do: {:ok, _rev} = World.put_property(context.world, "number", number)

        assert_receive {:DOWN, ^ref, :process, _pid, {:shutdown, {:let_go, "not_reading"}}},
                       @patience

        {:message_queue_len, waiting} =
          Process.info(socket.transport_pid, :message_queue_len) || {:message_queue_len, 0}

        assert waiting <= 8
      end

      test "comes with the world, and a client is told", context do
        {client, "ok", _hello} = join(context)
        stop_supervised!({World, context.id})
        assert_receive {^client, "bye", %{"reason" => "world_ended"}}, @patience
        assert_receive {^client, "phx_close", _}, @patience
      end
    end

    # Processes of channels of this endpoint.
    defp channels do
      for pid <- Process.list(),
          {:dictionary, dictionary} <- [Process.info(pid, :dictionary)],
          dictionary[:"$initial_call"] == {SmallChannel, :join, 3},
          do: pid
    end

    defp wait_for(found) do
      found.() || receive do: (:never -> nil), after: (10 -> wait_for(found))
    end
  end
end
