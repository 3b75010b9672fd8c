defmodule Wasgo.Gen.CacheTest do
  use ExUnit.Case, async: true

  alias Wasgo.Gen.{Cache, Viewers}
  alias Wasgo.{Gen, Pipeline, PlanError, Store}
  alias Wasgo.Stages.Generate

  doctest Wasgo.Gen.Cache

  @plan [seed: 7, chunk_size: 16.0, samples: 17]

  setup do
    {:ok, plan: Gen.plan!(@plan)}
  end

  defp cache(options \\ []) do
    {:ok, cache} = Cache.start_link(options)
    cache
  end

  defp file do
    path =
      Path.join(
        System.tmp_dir!(),
        "wasgo-gen-cache-#{System.unique_integer([:positive])}-#{System.pid()}.db"
      )

    on_exit(fn -> for suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix) end)
    path
  end

  # As after a restart: what was written, and nothing in memory.
  defp again(cache, store) do
    GenServer.stop(cache)
    cache(store: store)
  end

  defp volumes do
    import Wasgo.Gen.Field
    Gen.plan!(seed: 1, density: sphere({30, 14, 18}, 40), cells: 8)
  end

  describe "what the cache gives" do
    test "is in every byte what would be generated, after a restart too", %{plan: plan} do
      path = file()
      store = Store.open!(path)
      cache = cache(store: store)
      asked = [{{0, 0}, []}, {{3, -2, 1}, [neighbours: [east: 1]]}, {{-5, 7, 2}, []}]
      made = for {at, options} <- asked, do: Gen.chunk!(plan, at, options)
      cubes = for at <- [{0, 0, 0}, {3, 1, 2}, {100, 0, 0}], do: Gen.volume!(volumes(), at)

      all = fn cache ->
        chunks = for {at, options} <- asked, do: Cache.chunk(cache, plan, at, options)
        {chunks, for(cube <- cubes, do: Cache.volume(cache, cube.plan, cube.coordinate))}
      end

      expected = {Enum.map(made, &{:ok, &1}), Enum.map(cubes, &{:ok, &1})}
      assert all.(cache) == expected
      assert all.(cache) == expected
      assert %{made: 6, memory_hits: 6, store_hits: 0} = Cache.info(cache)
      GenServer.stop(cache)
      Store.close(store)

      store = Store.open!(path)
      cache = cache(store: store)
      assert all.(cache) == expected
      assert %{made: 0, memory_hits: 0, store_hits: 6, damaged: 0} = Cache.info(cache)
    end

    test "goes by the content: another plan of the same fields has it too", %{plan: plan} do
      cache = cache()
      {:ok, one} = Cache.chunk(cache, plan, {1, 1})
      other = Gen.plan!(@plan)
      assert {:ok, two} = Cache.chunk(cache, other, {1, 1, 0})
      assert two.plan == other and %{two | plan: plan} == one
      assert %{made: 1, memory_hits: 1} = Cache.info(cache)
      {:ok, _} = Cache.chunk(cache, Gen.plan!([seed: 8] ++ tl(@plan)), {1, 1})
      {:ok, _} = Cache.chunk(cache, plan, {1, 1}, neighbours: [north: 1])
      assert %{made: 3} = Cache.info(cache)
    end

    test "is refused as it would be, and not kept", %{plan: plan} do
      cache = cache()

      for {at, options} <- [
            {{0x7FFF_FFFF, 0}, []},
            {{0, 0, 99}, []},
            {{0, 0}, [neighbours: [east: 9]]}
          ] do
        assert Cache.chunk(cache, plan, at, options) == Gen.chunk(plan, at, options)
        assert {:error, %PlanError{}} = Gen.chunk(plan, at, options)
      end

      for at <- [{Bitwise.bsl(1, 70), 0, 0}, {0, 0, 0, 300}, {0, 0x7FFF_FFFF, 0}] do
        assert {:error, %PlanError{} = error} = Cache.volume(cache, volumes(), at)
        assert {:error, error} == Gen.volume(volumes(), at)
      end

      assert {:error, %PlanError{}} = Cache.volume(cache, plan, {0, 0, 0})
      assert %{made: 0, memory_entries: 0} = Cache.info(cache)
    end
  end

  describe "whoever asks for what is being generated" do
    test "waits for that: there is one native job", %{plan: plan} do
      cache = cache()
      # What they ask for is there before the cache looks at any of it.
      :sys.suspend(cache)
      tasks = for _ <- 1..20, do: Task.async(fn -> Cache.chunk(cache, plan, {5, 5}) end)
      wait_for_messages(cache, 20)
      :sys.resume(cache)
      results = Task.await_many(tasks, 30_000)
      assert Enum.uniq(results) == [Gen.chunk(plan, {5, 5})]
      assert %{made: 1, shared: 19, memory_hits: 0} = Cache.info(cache)
    end

    test "has it although the first one is gone", %{plan: plan} do
      cache = cache()
      :sys.suspend(cache)
      {first, ref} = spawn_monitor(fn -> Cache.chunk(cache, plan, {5, 5}) end)
      wait_for_messages(cache, 1)
      task = Task.async(fn -> Cache.chunk(cache, plan, {5, 5}) end)
      wait_for_messages(cache, 2)
      Process.exit(first, :kill)
      assert_receive {:DOWN, ^ref, _, _, _}
      :sys.resume(cache)
      assert {:ok, _chunk} = Task.await(task, 30_000)
      assert %{made: 1, shared: 1} = Cache.info(cache)
    end

    test "is two streams of one world too", %{plan: plan} do
      {:ok, viewers} = Viewers.start_link()
      :ok = Viewers.put(viewers, 1, {0, 0}, radius: 100)
      cache = cache()
      options = [plan: plan, viewers: viewers, cache: cache, until: :complete, max_in_flight: 8]
      stream = Pipeline.stream([{Generate, options}])

      [one, other] =
        Task.await_many(for(_ <- 1..2, do: Task.async(fn -> Enum.to_list(stream) end)), 60_000)

      assert one == other and length(one) > 20
      info = Cache.info(cache)
      assert info.made == length(one)
      assert info.shared + info.memory_hits == length(one)
    end
  end

  # Until that many messages are in a mailbox.
  defp wait_for_messages(pid, count) do
    case Process.info(pid, :message_queue_len) do
      {:message_queue_len, there} when there >= count -> :ok
      _fewer -> :erlang.yield() && wait_for_messages(pid, count)
    end
  end

  test "chunks of a list come from the cache", %{plan: plan} do
    cache = cache()
    chunks = [{0, 0}, {1, 0}, {0, 0}, {2, 2, 1}, {0x7FFF_FFFF, 0}, {0, 0, 99}]

    stream = fn more ->
      Enum.to_list(Pipeline.stream([{Generate, [plan: plan, chunks: chunks] ++ more}]))
    end

    assert stream.(cache: cache, max_in_flight: 1) == stream.([])
    assert %{made: 3, memory_hits: 1} = Cache.info(cache)
    assert stream.(cache: cache) == stream.([])
    assert %{made: 3, memory_hits: 5} = Cache.info(cache)
  end

  describe "the store" do
    test "holds no more than it may, and what was used least recently goes first", %{plan: plan} do
      store = Store.open!(:memory)
      # Some ten chunks of 13 kB, and their indices.
      cache = cache(store: store, max_bytes: 150_000, max_memory: 0)

      for x <- 0..29 do
        {:ok, _} = Cache.chunk(cache, plan, {x, 0})
        Cache.flush(cache)
        # The first is used again and again.
        {:ok, _} = Cache.chunk(cache, plan, {0, 0})
        Cache.flush(cache)
        assert held(store) <= 150_000
      end

      info = Cache.info(cache)
      assert info.evicted >= 15 and info.entries in 5..14 and info.bytes <= 150_000
      assert info.bytes == held(store)
      {:ok, _} = Cache.chunk(cache, plan, {0, 0})
      assert %{made: 30} = Cache.info(cache)
      {:ok, _} = Cache.chunk(cache, plan, {29, 0})
      assert %{made: 30} = Cache.info(cache)
      {:ok, _} = Cache.chunk(cache, plan, {1, 0})
      assert %{made: 31, damaged: 0, failed: 0} = Cache.info(cache)

      # The order outlives a restart.
      cache = again(cache, store)
      {:ok, _} = Cache.chunk(cache, plan, {0, 0})
      assert %{made: 0, store_hits: 1} = Cache.info(cache)
    end

    defp held(store) do
      %{rows: [[bytes, count]]} =
        Store.query!(
          store,
          "SELECT COALESCE(SUM(LENGTH(bytes)), 0), COUNT(*) FROM wasgo_gen_cache"
        )

      bytes + 1024 * count
    end

    test "is brought below a smaller bound at the next start", %{plan: plan} do
      store = Store.open!(:memory)
      cache = cache(store: store)
      for x <- 0..9, do: {:ok, _} = Cache.chunk(cache, plan, {x, 0})
      GenServer.stop(cache)
      cache = cache(store: store, max_bytes: 60_000)
      Cache.flush(cache)
      assert held(store) <= 60_000 and held(store) > 0
      {:ok, _} = Cache.chunk(cache, plan, {9, 0})
      assert %{store_hits: 1} = Cache.info(cache)
    end

    test "with a row that is damaged has that one made anew", %{plan: plan} do
      store = Store.open!(:memory)
      places = for x <- 0..5, do: {x, 3}
      chunks = for at <- places, do: Gen.chunk!(plan, at)
      cache = cache(store: store)
      for at <- places, do: {:ok, _} = Cache.chunk(cache, plan, at)
      GenServer.stop(cache)

      [one, two, three, four, five, _six] =
        for at <- places, do: {:blob, elem(Gen.key(plan, at), 1)}

      set = fn bytes, key ->
        Store.execute!(store, "UPDATE wasgo_gen_cache SET bytes = #{bytes} WHERE key = ?", [key])
      end

      # A bit in the middle, nothing, half of it, another type, and the row of another.
      bytes = fn key ->
        Store.query!(store, "SELECT bytes FROM wasgo_gen_cache WHERE key = ?", [key]).rows
      end

      [[{:blob, <<front::binary-5000, byte, rest::binary>>}]] = bytes.(one)
      flipped = <<front::binary, Bitwise.bxor(byte, 4), rest::binary>>

      Store.execute!(store, "UPDATE wasgo_gen_cache SET bytes = ? WHERE key = ?", [
        {:blob, flipped},
        one
      ])

      set.("x''", two)
      set.("substr(bytes, 1, 7000)", three)
      set.("'text'", four)

      # A row that is whole, of another version.
      [[{:blob, <<mark::binary-4, _crc::32, _version::32, kept::binary>>}]] = bytes.(five)
      body = <<0::32, kept::binary>>
      other = <<mark::binary, :erlang.crc32(body)::32-little, body::binary>>

      Store.execute!(store, "UPDATE wasgo_gen_cache SET bytes = ? WHERE key = ?", [
        {:blob, other},
        five
      ])

      cache = cache(store: store)

      for {at, chunk} <- Enum.zip(places, chunks),
          do: assert(Cache.chunk(cache, plan, at) == {:ok, chunk})

      assert %{damaged: 5, made: 5, store_hits: 1} = Cache.info(cache)

      cache = again(cache, store)

      for {at, chunk} <- Enum.zip(places, chunks),
          do: assert(Cache.chunk(cache, plan, at) == {:ok, chunk})

      assert %{damaged: 0, made: 0, store_hits: 6} = Cache.info(cache)
    end

    test "without the indices that its rows refer to is none", %{plan: plan} do
      store = Store.open!(:memory)
      cache = cache(store: store)
      {:ok, chunk} = Cache.chunk(cache, plan, {0, 0})
      GenServer.stop(cache)
      {:ok, key} = Gen.key(plan, {0, 0})
      Store.execute!(store, "DELETE FROM wasgo_gen_cache WHERE key <> ?", [{:blob, key}])
      cache = cache(store: store)
      assert Cache.chunk(cache, plan, {0, 0}) == {:ok, chunk}
      assert %{made: 1, damaged: 0} = Cache.info(cache)
      cache = again(cache, store)
      assert Cache.chunk(cache, plan, {0, 0}) == {:ok, chunk}
      assert %{store_hits: 1} = Cache.info(cache)
    end

    test "keeps indices that many chunks have once", %{plan: plan} do
      store = Store.open!(:memory)
      cache = cache(store: store)
      for x <- 0..9, do: {:ok, _} = Cache.chunk(cache, plan, {x, 0})
      Cache.flush(cache)
      assert %{entries: 11, stored: 11} = Cache.info(cache)
      assert Store.query!(store, "SELECT COUNT(*) FROM wasgo_gen_cache").rows == [[11]]
    end

    test "that is closed costs nothing but the rows", %{plan: plan} do
      store = Store.open!(:memory)
      cache = cache(store: store, max_memory: 0)
      {:ok, chunk} = Cache.chunk(cache, plan, {0, 0})
      Cache.flush(cache)
      Store.close(store)
      assert Cache.chunk(cache, plan, {0, 0}) == {:ok, chunk}
      Cache.flush(cache)
      assert %{failed: failed} = Cache.info(cache)
      assert failed >= 1
      assert :ok = GenServer.stop(cache)
    end

    test "that can't have the table is an error of the start", %{plan: _plan} do
      Process.flag(:trap_exit, true)
      store = Store.open!(:memory)
      Store.close(store)
      assert {:error, %Wasgo.StoreError{}} = Cache.start_link(store: store)
      store = Store.open!(:memory)
      :ok = Store.batch(store, "CREATE TABLE wasgo_gen_cache (name TEXT)")
      assert {:error, %Wasgo.StoreError{}} = Cache.start_link(store: store)
    end

    test "is empty when all is forgotten", %{plan: plan} do
      store = Store.open!(:memory)
      cache = cache(store: store)
      for x <- 0..9, do: {:ok, _} = Cache.chunk(cache, plan, {x, 0})
      assert Cache.clear(cache) == :ok
      assert %{bytes: 0, entries: 0, memory: 0, memory_entries: 0} = Cache.info(cache)
      assert held(store) == 0
      {:ok, _} = Cache.chunk(cache, plan, {0, 0})
      assert %{made: 11} = Cache.info(cache)
    end
  end

  test "many at once, with little room in both levels, get what would be generated", %{plan: plan} do
    store = Store.open!(file(), synchronous: :off)
    cache = cache(store: store, max_bytes: 120_000, max_memory: 50_000)
    expected = for x <- 0..19, into: %{}, do: {x, Gen.chunk!(plan, {x, 0})}

    for {x, chunk} <- expected, do: assert(Cache.chunk(cache, plan, {x, 0}) == {:ok, chunk})
    Cache.flush(cache)

    tasks =
      for seed <- 1..6 do
        Task.async(fn ->
          :rand.seed(:exsss, {seed, 0, 0})

          for _ <- 1..80 do
            x = min(:rand.uniform(20), :rand.uniform(20)) - 1
            assert Cache.chunk(cache, plan, {x, 0}) == {:ok, expected[x]}
          end
        end)
      end

    Task.await_many(tasks, 60_000)
    Cache.flush(cache)
    info = Cache.info(cache)
    assert info.store_hits + info.memory_hits + info.shared + info.made == 500
    assert info.evicted > 0
    assert {info.damaged, info.failed} == {0, 0}
    assert info.bytes <= 120_000 and info.bytes == held(store)
  end

  test "memory holds no more than it may", %{plan: plan} do
    cache = cache(max_memory: 100_000)

    for x <- 0..29 do
      {:ok, _} = Cache.chunk(cache, plan, {x, 0})
      {:ok, _} = Cache.chunk(cache, plan, {0, 0})
      assert Cache.info(cache).memory <= 100_000
    end

    assert %{made: 30, memory_hits: 30, memory_entries: entries} = Cache.info(cache)
    assert entries in 3..8
  end

  test "a cache that is gone is no error of a chunk", %{plan: plan} do
    cache = cache()
    GenServer.stop(cache)
    assert Cache.chunk(cache, plan, {0, 0}) == Gen.chunk(plan, {0, 0})
    assert Cache.chunk(:no_such_cache, plan, {0, 0}) == Gen.chunk(plan, {0, 0})
    refute_received _
  end

  test "supervisors start it, by its name, and have it write what it has made", %{plan: plan} do
    store = Store.open!(:memory)
    start_supervised!({Cache, name: __MODULE__.Named, store: store})
    start_supervised!({Viewers, name: __MODULE__.Viewers})
    assert Viewers.put(__MODULE__.Viewers, 1, {0, 0}, radius: 1) == :ok
    for x <- 1..9, do: {:ok, _} = Cache.chunk(__MODULE__.Named, plan, {x, 0})
    :ok = stop_supervised(__MODULE__.Named)
    assert Store.query!(store, "SELECT COUNT(*) FROM wasgo_gen_cache").rows == [[10]]
  end

  test "options are checked" do
    assert_raise ArgumentError, ~r/option :store .* a Wasgo.Store/, fn ->
      Cache.start_link(store: "x.db")
    end

    assert_raise ArgumentError, ~r/option :max_bytes/, fn -> Cache.start_link(max_bytes: -1) end
  end
end
