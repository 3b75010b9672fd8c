defmodule Wasgo.World.HostileTest do
  # Engines that say what makes no sense, stores that lose what they held, and callers that ask for more than there is.
  use ExUnit.Case, async: true

  alias Wasgo.{Gen, Store, World, WorldEngine, WorldError}
  alias Wasgo.World.Zone.Chunks

  @moduletag :capture_log
  @glb <<"glTF", 2::32-little, 20::32-little, 0::64>>

  setup do
    store = Store.open!(:memory)
    {:ok, store: store, world: start(store)}
  end

  defp start(store, options \\ []) do
    plan = Gen.plan!(seed: 7, samples: 5, levels: 2, chunk_size: 32.0)
    options = [name: "w", store: store, plan: plan, link: WorldEngine, hz: 120] ++ options
    {:ok, world} = World.start_link(options)
    world
  end

  describe "what an engine says" do
    test "of keys is an address or nothing, whatever it is" do
      assert Chunks.address("3,-2") == {:ok, {3, -2, 0}}
      assert Chunks.address("3,-2,5") == {:ok, {3, -2, 5}}
      assert Chunks.address("3,-7,-2,0") == {:ok, {3, -7, -2, 0}}

      for key <- [
            "",
            ",",
            "3",
            "3,",
            "3,2,",
            "3,2,1,0,0",
            "3,2,1,-1",
            "0,2147483648,0,0",
            "3, 2",
            "3.0,2",
            "3,2,-1",
            "3,2,256",
            "2147483648,0",
            "0,-2147483648",
            String.duplicate("9", 39) <> ",1",
            String.duplicate("1,", 1_000),
            <<255, 254>>,
            "٣,٢"
          ] do
        assert Chunks.address(key) == :error, key
      end
    end

    test "of what it holds may be anything: what is wanted comes, and the rest goes", %{
      world: world
    } do
      engine = WorldEngine.start()
      # It claims chunks of levels and places that no plan has, some of them twice.
      keys =
        for n <- 1..3_000,
            do: Enum.random(["#{n},#{-n},#{rem(n, 256)}", "#{n},x", "0,0", "2000000000,#{n}"])

      hold = for key <- Enum.uniq(keys), into: %{}, do: {key, :crypto.strong_rand_bytes(16)}
      :sys.replace_state(engine, &%{&1 | chunks: hold, meshes: %{"world:none" => <<0::128>>}})
      {:ok, _, _} = WorldEngine.join(engine, world, "", rev: 0)
      WorldEngine.say(engine, {:viewers, [{1, {16.0, 0.0, 16.0}, 40.0}]})

      state =
        WorldEngine.until(engine, fn state ->
          known = for {key, _hash} <- state.chunks, {:ok, _} <- [Chunks.address(key)], do: key
          length(known) < 40 and "1,1" in known
        end)

      assert state.chunks["0,0"] != hold["0,0"]
    end

    test "that it wants and never had is nothing", %{world: world} do
      engine = WorldEngine.start()
      {:ok, _, zone} = WorldEngine.join(engine, world, "")

      for what <- ["chunk", "mesh"],
          do: WorldEngine.say(engine, {:want, what, ["0,0", "", <<255>>, "world:x"]})

      WorldEngine.say(engine, {:resume, %{rev: 7}})
      WorldEngine.say(engine, {:something_new, 1})
      {:ok, rev} = World.put_property(world, "a", 1)
      WorldEngine.until(engine, &(&1.rev == rev))
      assert Process.alive?(zone)
    end

    test "that it has in its cache may be anything: it gets what it then asks for", %{
      world: world
    } do
      engine = WorldEngine.start()
      # All beginnings that begin alike, some twice, and those of no chunk.
      have = for n <- 1..65_536, do: <<rem(n, 60_000)::32, 0::96>>
      {:ok, _, zone} = WorldEngine.join(engine, world, "", have: have, keeps: true)
      WorldEngine.say(engine, {:viewers, [{1, {16.0, 0.0, 16.0}, 40.0}]})
      WorldEngine.until(engine, &is_map_key(&1.chunks, "0,0"))
      before = memory(zone)

      # It wants it again and again, and nothing grows by that.
      for _ <- 1..300 do
        WorldEngine.say(engine, {:want, "chunk", ["0,0", "1,1", "2,2"]})

        WorldEngine.say(
          engine,
          {:want, "asset", for(_ <- 1..100, do: :crypto.strong_rand_bytes(16))}
        )
      end

      {:ok, rev} = World.put_property(world, "a", 1)
      WorldEngine.until(engine, &(&1.rev == rev))
      assert memory(zone) < before + 4_000_000
      assert {:message_queue_len, length} = Process.info(zone, :message_queue_len)
      assert length < 1_000
      assert WorldEngine.state(engine).assets == %{}
    end

    defp memory(pid) do
      :erlang.garbage_collect(pid)
      {:memory, bytes} = Process.info(pid, :memory)
      bytes
    end

    test "that it wants by a hash is a file of glTF, or nothing of the world", %{
      store: store,
      world: world
    } do
      {:ok, 1} = World.put(world, glb: @glb)
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &(&1.assets != %{}))
      {:ok, %{rows: rows}} = Store.query(store, "SELECT hash FROM wasgo_world_payloads")
      assert length(rows) == 2
      # The plan's text is there too.
      all = for [{:blob, hash}] <- rows, do: binary_part(hash, 0, 16)
      WorldEngine.say(engine, {:want, "asset", all ++ [<<0::128>>]})
      state = WorldEngine.until(engine, &(length(for {"asset", _} <- &1.frames, do: 1) == 2))
      assert map_size(state.assets) == 1
      {:ok, rev} = World.put_property(world, "a", 1)
      assert map_size(WorldEngine.until(engine, &(&1.rev == rev)).assets) == 1
    end

    test "before it says what it holds is not heard", %{world: world} do
      pid = spawn(fn -> receive do: (:never -> :ok) end)
      test = self()
      ref = make_ref()

      owner =
        spawn(fn ->
          send(test, {ref, World.attach(world, "early")})
          Process.sleep(:infinity)
        end)

      assert_receive {^ref, {:ok, _identity, zone}}, 30_000
      # What no connection sends is passed over.
      for message <- [
            :tick,
            :pump,
            {:wasgo_godot, {:room, :live}, nil},
            {:DOWN, make_ref(), :process, pid, :x},
            :rubbish
          ],
          do: send(zone, message)

      assert %{rev: 0, chunks: 0, connection: nil} = World.zone(world, "early")
      Process.exit(owner, :kill)
    end
  end

  describe "a plan" do
    test "whose script fails costs the chunks that need it, says why, and holds up nothing else",
         %{store: store} do
      script = ~S|(module (memory (export "memory") 40)
        (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
        (func (export "generate") (param i64 i32 i32 i32 i32 i32) (result i64) unreachable))|

      plan =
        Gen.plan!(
          seed: 1,
          samples: 5,
          height: 2.0,
          scripts: [bad: script],
          generators: [[script: "bad"]]
        )

      {:ok, world} =
        World.start_link(
          name: "bad",
          store: store,
          plan: plan,
          scripts: [bad: script],
          link: WorldEngine
        )

      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      viewers = {:viewers, [{1, {16.0, 0.0, 16.0}, 100.0}]}

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          WorldEngine.say(engine, viewers)
          assert failed(world) > 0
        end)

      assert log =~ "cannot be shown"
      {:ok, rev} = World.put_property(world, "a", 1)

      assert WorldEngine.until(engine, &(&1.rev == rev)).chunks
             |> Map.keys()
             |> Enum.all?(&(&1 =~ ~r/,.*,/))
    end

    defp failed(world) do
      case World.zone(world, "") do
        %{failed: failed, making: 0} when failed > 0 -> failed
        _not_yet -> failed(world)
      end
    end
  end

  describe "a store" do
    test "that has lost a file says which, and can be started without it", %{
      store: store,
      world: world
    } do
      Process.flag(:trap_exit, true)

      {:ok, %{ids: [1, 2]}} =
        World.mutate(world, [{:put, name: "shows it", glb: @glb}, {:put, name: "does not"}])

      :ok = World.stop(world)
      hash = :crypto.hash(:sha256, @glb)
      Store.execute!(store, "DELETE FROM wasgo_world_payloads WHERE hash = ?", [{:blob, hash}])

      assert {:error, %WorldError{reason: :unknown_payload} = error} =
               World.start_link(name: "w", store: store)

      assert Exception.message(error) =~ Base.encode16(hash, case: :lower)
      world = start(store, repair: true)
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      assert WorldEngine.until(engine, &(map_size(&1.nodes) == 2)).assets == %{}
      # Given again, it is there again.
      {:ok, 1} = World.put(world, id: 1, glb: @glb)
      assert World.payload(world, hash) == {:ok, @glb}
    end

    test "in which a file has changed does not pass it on", %{store: store, world: world} do
      {:ok, 1} = World.put(world, glb: @glb)

      Store.execute!(
        store,
        "UPDATE wasgo_world_payloads SET bytes = x'00' WHERE length(bytes) = 20"
      )

      assert {:error, %WorldError{reason: :unknown_payload}} =
               World.payload(world, :crypto.hash(:sha256, @glb))

      engine = WorldEngine.start()
      {:ok, _, zone} = WorldEngine.join(engine, world, "")
      {:ok, rev} = World.put_property(world, "a", 1)
      assert WorldEngine.until(engine, &(&1.rev == rev)).assets == %{}
      assert Process.alive?(zone)
    end

    test "whose rows of transient values are damaged says so", %{store: store, world: world} do
      Process.flag(:trap_exit, true)
      {:ok, _} = World.mutate(world, [{:put, []}, {:put, []}])
      {:ok, 2} = World.put_rows(world, Wasgo.Rows.new(["a"], [{1, [1]}, {2, [2]}]))
      :ok = World.stop(world)
      Store.execute!(store, "UPDATE wasgo_world_rows SET entry = x'0011' WHERE id = 2")

      assert {:error, %WorldError{reason: {:damaged, 2}}} =
               World.start_link(name: "w", store: store)

      world = start(store, repair: true)
      assert World.transient(world, 2) == %{}
      assert World.transient(world, 1) == %{"a" => 1}
      engine = WorldEngine.start()
      {:ok, _, _} = WorldEngine.join(engine, world, "")
      WorldEngine.until(engine, &match?(%{1 => %{values: %{"a" => 1}}}, &1.nodes))
    end
  end

  describe "callers" do
    test "that ask for too much are refused, and the world goes on", %{world: world} do
      rev = World.rev(world)
      assert {:error, %WorldError{reason: :invalid}} = World.mutate(world, [])
      many = for _ <- 1..4_097, do: {:put, []}
      assert {:error, %WorldError{reason: {:limit, :mutations}}} = World.mutate(world, many)
      large = <<"glTF", 2::32-little, 16_777_220::32-little, 0::size(16_777_208)-unit(8)>>

      assert {:error, %WorldError{reason: {:limit, :payload_bytes}}} =
               World.put(world, glb: large)

      assert {:error, %WorldError{reason: :invalid}} = World.put_chunk(world, {0.5, 0}, @glb)
      assert {:error, %WorldError{reason: :invalid}} = World.put_chunk(world, {0, 0, 300}, @glb)
      assert {:error, %WorldError{reason: :invalid}} = World.put_chunk(world, {0, 0}, "no file")
      assert {:error, %WorldError{reason: :invalid}} = World.remove(world, "1")
      assert World.rev(world) == rev
    end

    test "of whom there are too many for a slow store are refused, not kept", %{
      store: store,
      world: world
    } do
      test = self()

      {:ok, _} =
        Store.transaction(store, fn _tx ->
          # The store is busy: of these requests one group waits for it, and the others for that.
          pids =
            for n <- 1..12_000,
                do: spawn(fn -> send(test, {:answer, World.put(world, name: "#{n}")}) end)

          refused =
            for _ <- 1..1_000, do: receive(do: ({:answer, {:error, error}} -> error.reason))

          assert Enum.uniq(refused) == [:overloaded]
          assert World.info(world).waiting <= 10_000
          assert length(pids) == 12_000
        end)

      answers = for _ <- 1..11_000, do: receive(do: ({:answer, answer} -> elem(answer, 0)))
      put = Enum.count(answers, &(&1 == :ok))
      assert World.info(world).objects == put and put >= 10_000
    end

    test "that die while they wait leave nothing behind", %{world: world} do
      {:ok, rev} = World.subscribe(world)
      pid = spawn(fn -> World.put(world, name: "mine") end)
      ref = Process.monitor(pid)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^ref, :process, _pid, _reason}, 30_000
      {:ok, _} = World.put(world, name: "another")
      assert World.info(world).waiting == 0
      assert World.rev(world) in [rev + 1, rev + 2]
    end
  end
end
