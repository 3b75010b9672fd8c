if Code.ensure_loaded?(Plug.Conn) do
  defmodule Wasgo.Phoenix.PlugTest do
    use ExUnit.Case, async: true

    import ExUnit.CaptureLog
    import Wasgo.HTTPRequest

    alias Wasgo.Phoenix.Content
    alias Wasgo.Script.Registry
    alias Wasgo.World.State
    alias Wasgo.{Gen, Scene, Script, Store, World}

    @moduletag :plug
    @moduletag :capture_log

    @wander File.read!("guest/scripts/wander.wasm")

    defp serve(options) do
      for application <- [:telemetry, :plug, :bandit],
          do: {:ok, _started} = Application.ensure_all_started(application)

      child =
        {Bandit, plug: {Wasgo.Phoenix.Plug, options}, port: 0, ip: :loopback, startup_log: false}

      pid = start_supervised!(child)
      {:ok, {_address, port}} = ThousandIsland.listener_info(pid)
      port
    end

    defp all(_action, _details, _conn), do: true

    defp world(options \\ []) do
      {:ok, store} = Store.open(:memory)
      plan = Gen.plan!(seed: 7, samples: 17)
      {:ok, world} = World.start_link([name: "garden", store: store, plan: plan] ++ options)
      {world, plan}
    end

    # The path of a chunk as the channel names it.
    defp path(world, plan, address, neighbours \\ <<0::64>>) do
      {:ok, %{tables: tables}} = World.follow(world)
      work = Gen.Work.new(plan, address, neighbours)
      {:ok, hash, _edit} = Content.chunk_hash(tables, work)
      {"/worlds/garden/" <> Content.chunk_path(work, hash), hash}
    end

    defp put(port, name, type, body, headers \\ []),
      do: json(port, "PUT", "/scripts/#{name}", [{"content-type", type} | headers], body)

    defp registry(_context) do
      {:ok, store} = Store.open(:memory)
      %{store: store}
    end

    describe "worlds" do
      test "nothing but the health is answered unless somebody says who may" do
        {world, plan} = world()
        port = serve(worlds: %{"garden" => world})
        {path, _hash} = path(world, plan, {0, 0, 0})

        assert {200, _, %{"status" => "ok", "worlds" => %{"garden" => "ok"}}} =
                 json(port, "GET", "/health")

        for path <- ["/worlds", "/worlds/garden", path, "/scripts", "/scripts/a"] do
          assert {403, _, %{"error" => %{"reason" => "forbidden"}}} = json(port, "GET", path)
        end

        assert {403, _, _} = put(port, "a", "application/wasm", @wander)
      end

      test "the health says which world is down" do
        {world, _plan} = world(as: :garden_that_ends)
        port = serve(worlds: %{"garden" => :garden_that_ends})
        :ok = World.stop(world)

        assert {503, _, %{"status" => "down", "worlds" => %{"garden" => "down"}}} =
                 json(port, "GET", "/health")
      end

      test "worlds are listed and shown, with their plan" do
        {world, plan} = world()
        {:ok, _id} = World.put(world, name: "lamp")
        port = serve(worlds: %{"garden" => world}, authorize: &all/3)

        assert {200, _,
                %{"worlds" => [%{"id" => "garden", "rev" => 2, "objects" => 1, "zones" => []}]}} =
                 json(port, "GET", "/worlds")

        assert {200, _, %{"plan" => %{"chunk_size" => size, "seed" => "7"}}} =
                 json(port, "GET", "/worlds/garden")

        assert size == plan.chunk_size

        assert {404, _, %{"error" => %{"reason" => "unknown_world"}}} =
                 json(port, "GET", "/worlds/moon")
      end

      test "a chunk is a GLB relative to its corner, and not sent to who has it" do
        {world, plan} = world()

        port =
          serve(
            worlds: fn id -> if(id == "garden", do: {:ok, world}, else: :error) end,
            authorize: &all/3
          )

        {path, hash} = path(world, plan, {3, -2, 0})
        assert {200, headers, glb} = request(port, "GET", path)
        assert headers["content-type"] == "model/gltf-binary"
        assert headers["cache-control"] =~ "immutable"
        assert headers["etag"] == ~s("#{hash}")
        {:ok, scene} = Scene.from_glb(glb)
        assert Enum.at(scene.nodes, hd(scene.roots)).translation == {0.0, 0.0, 0.0}
        {:ok, whole} = plan |> Gen.chunk!({3, -2}) |> Gen.Chunk.to_scene()
        assert length(scene.meshes) == length(whole.meshes)

        assert {200, _, ^glb} = request(port, "GET", path)

        assert {304, %{"etag" => _}, ""} =
                 request(port, "GET", path, [{"if-none-match", ~s("x", W/"#{hash}")}])

        assert {200, _, ^glb} = request(port, "GET", path, [{"if-none-match", ~s("x")}])
        assert {200, %{"content-length" => length}, ""} = request(port, "HEAD", path)
        assert String.to_integer(length) == byte_size(glb)
      end

      test "a chunk comes from the cache that all share" do
        {world, plan} = world()
        {:ok, cache} = Gen.Cache.start_link([])
        port = serve(worlds: %{"garden" => world}, authorize: &all/3, cache: cache)
        {path, _hash} = path(world, plan, {1, 1, 0})
        assert {200, _, glb} = request(port, "GET", path)
        assert {200, _, ^glb} = request(port, "GET", path)
        assert %{made: 1, memory_hits: 1} = Gen.Cache.info(cache)
      end

      test "chunks that were edited are given, and the generated ones are not any more" do
        {world, plan} = world()
        port = serve(worlds: %{"garden" => world}, authorize: &all/3)
        {before, _hash} = path(world, plan, {0, 0, 0})
        scene = %Scene{nodes: [%Scene.Node{name: "edited"}], roots: [0]}
        glb = Scene.to_glb!(scene)
        {:ok, _rev} = World.put_chunk(world, {0, 0, 0}, glb)
        {now, _hash} = path(world, plan, {0, 0, 0})
        assert now != before
        assert {200, _, ^glb} = request(port, "GET", now)
        assert {404, _, %{"error" => %{"reason" => "unknown_chunk"}}} = json(port, "GET", before)
      end

      test "names of chunks that no world has given are not made" do
        {world, plan} = world()
        port = serve(worlds: %{"garden" => world}, authorize: &all/3)
        {path, _hash} = path(world, plan, {0, 0, 0})
        [key, neighbours, _hash, "glb"] = path |> Path.basename() |> String.split(".")

        for name <- [
              "#{key}.#{neighbours}.#{String.duplicate("0", 32)}.glb",
              "#{key}.#{neighbours}.glb",
              "00,0.#{neighbours}.#{String.duplicate("0", 32)}.glb",
              "99999999999,0.#{neighbours}.#{String.duplicate("0", 32)}.glb",
              "0,0,0,0.#{neighbours}.#{String.duplicate("0", 32)}.glb",
              "x",
              "%FF",
              "%",
              "..%2F..",
              String.duplicate("a", 3_000)
            ] do
          assert {status, _, %{"error" => %{"reason" => reason}}} =
                   json(port, "GET", "/worlds/garden/chunks/#{name}")

          assert {status, reason} in [{404, "unknown_chunk"}, {404, "not_found"}]
        end

        assert map_size(State.zones(elem(World.follow(world), 1).tables)) == 0
      end

      test "files of objects and meshes are given, and nothing else that the world keeps" do
        {world, _plan} = world()
        port = serve(worlds: %{"garden" => world}, authorize: &all/3)
        glb = Scene.to_glb!(%Scene{nodes: [%Scene.Node{name: "chair"}], roots: [0]})
        {:ok, id} = World.put(world, name: "chair", glb: glb)
        {:ok, %{glb: hash}} = World.object(world, id)

        assert {200, headers, ^glb} =
                 request(port, "GET", "/worlds/garden/" <> Content.file_path("files", hash))

        assert headers["etag"] =~ Base.encode16(hash, case: :lower)

        mesh = hd(Gen.plan!(seed: 7).props)
        {:ok, _rev} = World.put_mesh(world, %{mesh | name: "fern"})
        {:ok, %{tables: tables}} = World.follow(world)
        {_key, _rev, _zone, _marks, mesh_hash} = State.get(tables, {:mesh, "fern"})

        assert {200, _, made} =
                 request(port, "GET", "/worlds/garden/" <> Content.file_path("meshes", mesh_hash))

        assert {:ok, %Scene{meshes: [%{name: "fern"}]}} = Scene.from_glb(made)

        for path <- [
              Content.file_path("files", mesh_hash),
              Content.file_path("meshes", hash),
              Content.file_path("files", <<0::256>>),
              "files/abc.glb"
            ] do
          assert {404, _, %{"error" => %{"reason" => "unknown_file"}}} =
                   json(port, "GET", "/worlds/garden/" <> path)
        end
      end

      test "a world that is not running is unavailable, and says when to come again" do
        {world, _plan} = world(as: :garden_that_stops)
        port = serve(worlds: %{"garden" => :garden_that_stops}, authorize: &all/3)
        :ok = World.stop(world)

        assert {503, %{"retry-after" => "1"}, %{"error" => %{"reason" => "unavailable"}}} =
                 json(port, "GET", "/worlds/garden")
      end
    end

    describe "scripts" do
      setup :registry

      test "are put, listed and shown, each version with who wrote it", %{store: store} do
        may = fn action, details, _conn ->
          if action == :put_script and details.name == "mine",
            do: {:ok, author: "ada"},
            else: action != :put_script
        end

        port = serve(scripts: store, authorize: may)

        assert {201, _,
                %{
                  "name" => "mine",
                  "version" => 1,
                  "changed" => true,
                  "columns" => ["position:x" | _]
                }} = put(port, "mine", "application/wasm", @wander)

        assert {200, _, %{"version" => 1, "changed" => false}} =
                 put(port, "mine", "application/wasm", @wander)

        assert {403, _, _} = put(port, "other", "application/wasm", @wander)
        lamp = File.read!("guest/scripts/lamp.wat")
        may_more = fn _, _, _ -> {:ok, grants: [:state], author: "bob"} end

        more =
          start_supervised!(
            {Bandit,
             plug: {Wasgo.Phoenix.Plug, scripts: fn -> store end, authorize: may_more},
             port: 0,
             ip: :loopback,
             startup_log: false},
            id: :more
          )

        {:ok, {_address, more}} = ThousandIsland.listener_info(more)

        assert {201, _, %{"version" => 1}} =
                 put(more, "lamp%20post", "text/plain; charset=utf-8", lamp)

        assert {:ok, %{grants: [:state], author: "bob"}} = Registry.get(store, "lamp post")

        assert {200, _,
                %{
                  "scripts" => [
                    %{"name" => "lamp post"},
                    %{"name" => "mine", "author" => "ada", "language" => "wasm"}
                  ]
                }} = json(port, "GET", "/scripts")

        assert {200, _, %{"sources" => [%{"file" => "script.wat", "text" => ^lamp}]}} =
                 json(port, "GET", "/scripts/lamp%20post")

        assert {200, _, %{"sources" => []}} = json(port, "GET", "/scripts/mine")

        assert {404, _, %{"error" => %{"reason" => "unknown_script"}}} =
                 json(port, "GET", "/scripts/nobody")
      end

      test "bring a source map and their text with them", %{store: store} do
        port = serve(scripts: store, authorize: &all/3)

        json = fn map, wasm ->
          Wasgo.Wire.encode!(
            %{"wasm" => Base.encode64(wasm), "source_map" => map, "language" => "assemblyscript"},
            :json
          )
        end

        map = %{
          "version" => 3,
          "sources" => ["hare.ts"],
          "sourcesContent" => ["let a"],
          "mappings" => "AAAA"
        }

        assert {201, _, _} = put(port, "hare", "application/json", json.(map, @wander))

        assert {200, _,
                %{
                  "sources" => [%{"file" => "hare.ts", "text" => "let a"}],
                  "language" => "assemblyscript"
                }} = json(port, "GET", "/scripts/hare")

        {:ok, script} = Registry.load(store, "hare")
        assert {:ok, [_ | _]} = Script.notify(script, :process, [1, 0.0, 0.0, 0.0, 0.0, 0.0])

        wat = """
        (module (memory (export "memory") 1)
          (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8))
          (func (export "process") (param i32 i32) (result i64) (i64.const 0)))
        """

        body = Wasgo.Wire.encode!(%{"wat" => wat}, :json)
        assert {201, _, _} = put(port, "wat", "application/json", body)

        for {bad, field} <- [
              {json.(%{"version" => 2}, @wander), "source_map"},
              {"{", "body"},
              {"[]", "body"},
              {"{}", "body"},
              {~s({"wasm": "??"}), "wasm"},
              {~s({"wasm": 7}), "wasm"},
              {~s|{"wat": "(module)", "language": ""}|, "language"}
            ] do
          assert {400, _, %{"error" => %{"reason" => "invalid", "field" => ^field}}} =
                   put(port, "bad", "application/json", bad)
        end
      end

      test "that are no scripts are refused, and say what is wrong and where", %{store: store} do
        port = serve(scripts: store, authorize: &all/3)

        refused = fn type, body ->
          {422, _, %{"error" => error}} = put(port, "bad", type, body)
          error
        end

        assert %{"reason" => "compile", "line" => 2, "column" => 9} =
                 refused.("text/plain", "(module\n  (func $ (")

        assert %{"reason" => "compile"} = refused.("application/wasm", "no module")

        assert %{"reason" => "compile"} =
                 refused.("application/wasm", <<0, "asm", 1::32-little, 99>>)

        assert %{"reason" => "compile"} = refused.("text/plain", "  \n")
        assert %{"reason" => "compile"} = refused.("text/plain", <<255>>)

        assert %{"reason" => "import", "import" => "env.fly", "message" => words} =
                 refused.("text/wat", ~s|(module (import "env" "fly" (func)))|)

        assert words =~ "not granted"

        assert %{"reason" => "import", "import" => "wasgo.state_get"} =
                 refused.(
                   "text/wat",
                   ~s|(module (import "wasgo" "state_get" (func (param i32 i32) (result i64))))|
                 )

        assert %{"reason" => "export"} = refused.("text/wat", "(module)")

        assert %{"reason" => "trap", "frames" => [%{"line" => 3}]} =
                 refused.("text/wat", """
                 (module (memory (export "memory") 1)
                   (func $start
                     unreachable)
                   (start $start)
                   (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8))
                   (func (export "process") (param i32 i32) (result i64) (i64.const 0)))
                 """)

        assert %{"reason" => "limit", "limit" => "memory"} =
                 refused.(
                   "text/wat",
                   ~s|(module (memory (export "memory") 60000) (func (export "process") (param i32 i32) (result i64) (i64.const 0)))|
                 )

        assert {:ok, []} = Registry.list(store)
      end

      test "of another version than was expected are a conflict", %{store: store} do
        port = serve(scripts: store, authorize: &all/3)

        put = fn body, match ->
          put(port, "a", "application/wasm", body, [{"if-match", match}])
        end

        assert {409, _, %{"error" => %{"reason" => "conflict", "version" => 0}}} =
                 put.(@wander, ~s("1"))

        assert {201, _, _} = put.(@wander, ~s("0"))

        assert {409, _, %{"error" => %{"version" => 1}}} =
                 put.(File.read!("guest/scripts/shy.wasm"), ~s("0"))

        assert {201, _, %{"version" => 2}} = put.(File.read!("guest/scripts/shy.wasm"), ~s("1"))
      end

      test "are not read where they are too long, of no length, of another type or not allowed",
           %{store: store} do
        may = fn
          :put_script, %{name: "unknown"}, _conn -> :unauthenticated
          :put_script, %{name: "often"}, _conn -> {:retry_after, 7}
          :put_script, %{name: "why"}, _conn -> {:error, "not on Sundays"}
          :put_script, %{name: name}, _conn -> name == "mine"
        end

        port = serve(scripts: store, authorize: may, max_bytes: 4_096)
        long = String.duplicate(" ", 4_097)

        assert {413, _, %{"error" => %{"reason" => "too_large", "limit" => 4_096}}} =
                 put(port, "mine", "text/plain", long)

        # It says how long it is, and nothing of it is sent.
        assert {413, _, _} =
                 json(port, "PUT", "/scripts/mine", [
                   {"content-type", "text/plain"},
                   {"content-length", 1_000_000_000}
                 ])

        chunks =
          [Integer.to_string(byte_size(long), 16), "\r\n", long, "\r\n0\r\n\r\n"]
          |> IO.iodata_to_binary()

        assert {413, _, _} =
                 json(
                   port,
                   "PUT",
                   "/scripts/mine",
                   [{"content-type", "text/plain"}, {"transfer-encoding", "chunked"}],
                   chunks
                 )

        assert {411, _, %{"error" => %{"reason" => "length"}}} =
                 json(port, "PUT", "/scripts/mine", [{"content-type", "text/plain"}])

        assert {415, _, %{"error" => %{"reason" => "media_type"}}} =
                 put(port, "mine", "image/png", "x")

        assert {401, _, %{"error" => %{"reason" => "unauthenticated"}}} =
                 put(port, "unknown", "text/plain", "x")

        assert {429, %{"retry-after" => "7"}, %{"error" => %{"reason" => "rate"}}} =
                 put(port, "often", "text/plain", "x")

        assert {403, _, %{"error" => %{"message" => "not on Sundays"}}} =
                 put(port, "why", "text/plain", "x")

        assert {403, _, _} = put(port, "his", "text/plain", "x")
        assert {405, %{"allow" => "GET, PUT, POST"}, _} = json(port, "DELETE", "/scripts/mine")
        assert {405, %{"allow" => "GET"}, _} = json(port, "POST", "/worlds")
        assert {404, _, _} = json(port, "GET", "/a/b/c")
        chunk = "5\r\n(modu\r\n0\r\n\r\n"

        assert {422, _, %{"error" => %{"reason" => "compile"}}} =
                 json(
                   port,
                   "PUT",
                   "/scripts/mine",
                   [{"content-type", "text/plain"}, {"transfer-encoding", "chunked"}],
                   chunk
                 )
      end

      test "whose body does not come are given up", %{store: store} do
        port = serve(scripts: store, authorize: &all/3, read_timeout: 50)

        assert {408, _, _} =
                 request(port, "PUT", "/scripts/a", [
                   {"content-type", "text/plain"},
                   {"content-length", 10}
                 ])
      end

      test "of a name that is none are refused", %{store: store} do
        port = serve(scripts: store, authorize: &all/3)
        name = String.duplicate("a", 257)

        assert {400, _, %{"error" => %{"reason" => "invalid", "field" => "name"}}} =
                 put(port, name, "application/wasm", @wander)
      end

      test "cannot be had from a store that is closed, and the log says why", %{store: store} do
        port = serve(scripts: store, authorize: &all/3)
        Store.close(store)

        log =
          capture_log(fn ->
            assert {503, %{"retry-after" => "1"}, %{"error" => %{"reason" => "unavailable"}}} =
                     json(port, "GET", "/scripts")
          end)

        assert log =~ "the store of scripts failed"
      end
    end
  end
end
