defmodule Wasgo.WorldTest do
  use ExUnit.Case, async: true

  @moduletag :capture_log

  doctest Wasgo.World
  doctest Wasgo.World.Object
  doctest Wasgo.WorldError

  alias Wasgo.Godot.{Basis, Transform3D, Vector3}
  alias Wasgo.{Gen, Rows, Store, World, WorldError}
  alias Wasgo.World.Object

  @glb <<"glTF", 2::32-little, 20::32-little, 0::64>>
  @other_glb <<"glTF", 2::32-little, 20::32-little, 1::64>>

  setup do
    store = Store.open!(:memory)
    {:ok, store: store, world: start(store)}
  end

  defp start(store, options \\ []) do
    {:ok, world} = World.start_link([name: "garden", store: store] ++ options)
    world
  end

  # Started again, with what the store has.
  defp again(world, store, options \\ []) do
    :ok = World.stop(world)
    start(store, options)
  end

  defp count(store, table), do: store |> Store.query!("SELECT count(*) FROM #{table}") |> one()
  defp one(%{rows: [[value]]}), do: value

  describe "objects" do
    test "come back as they were put, also after a restart", %{store: store, world: world} do
      transform = %Transform3D{
        basis: %Basis{x: Vector3.new(2, 0, 0)},
        origin: Vector3.new(1, 2, 3)
      }

      object = %Object{
        id: 70,
        name: "lämp",
        scene: "lamp",
        transform: transform,
        properties: %{"Lamp:light_energy" => 2.5, "tint" => Vector3.new(1, 0, 0)},
        script: "flicker",
        zone: "north",
        colliders: [{:boxes, :binary.copy(<<1.0::float-32-little>>, 12)}]
      }

      assert {:ok, 70} = World.put(world, object)
      assert World.object(world, 70) == {:ok, object}
      world = again(world, store)
      assert World.object(world, 70) == {:ok, object}
      assert {:ok, 71} = World.put(world, name: "the next one")
      assert World.rev(world) == 2
    end

    test "are changed where they are told to, and nowhere else", %{world: world} do
      {:ok, 1} = World.put(world, name: "a", position: {1, 2, 3}, yaw: :math.pi() / 2)
      {:ok, before} = World.object(world, 1)
      {:ok, 2} = World.update(world, 1, position: {4, 5, 6})
      {:ok, after_move} = World.object(world, 1)
      assert after_move.transform.origin == Vector3.new(4, 5, 6)
      assert after_move.transform.basis == before.transform.basis
      assert %{after_move | transform: nil} == %{before | transform: nil}
    end

    test "that are wrong are refused by the field's name, and nothing is written", %{world: world} do
      wrong = [
        {[name: <<255>>], "name"},
        {[name: String.duplicate("a", 256)], "name"},
        {[name: <<"a", 0>>], "name"},
        {[id: -1], "id"},
        {[mesh: ""], "mesh"},
        {[glb: "glTF"], "glb"},
        {[glb: <<"glTF", 2::32-little, 21::32-little, 0::64>>], "glb"},
        {[position: {0, 0, 1.0e300}], "position"},
        {[transform: %Transform3D{origin: Vector3.new(0, :nan, 0)}], "transform"},
        {[properties: %{"a" => :infinity}], "properties"},
        {[properties: %{"a" => nil}], "properties"},
        {[properties: %{"a" => {:packed_float32, <<0, 0, 192, 127>>}}], "properties"},
        {[properties: %{1 => 2}], "a property's name"},
        {[properties: %{"a" => String.duplicate("a", 20_000)}], "properties"},
        {[properties: Map.new(1..65, &{"p#{&1}", &1})], "properties"},
        {[properties: %{"a" => self()}], "properties"},
        {[colliders: [{:boxes, <<0>>}]], "colliders"},
        {[colliders: [{:mesh, :binary.copy(<<0>>, 72_000)}]], "colliders"},
        {[zone: 7], "zone"},
        {[mesh: "m", scene: "s"], nil}
      ]

      for {given, field} <- wrong do
        assert {given, {:error, %WorldError{reason: :invalid} = error}} =
                 {given, World.put(world, given)}

        assert field == nil or error.field == field, inspect({given, error})
        assert is_binary(Exception.message(error))
      end

      assert {:error, %{reason: :unknown_mesh}} = World.put(world, mesh: "none")
      assert {:error, %{reason: :unknown_payload}} = World.put(world, glb: <<0::256>>)
      assert {:error, %{reason: :unknown_object}} = World.update(world, 3, name: "a")
      assert {:error, %{reason: :unknown_object}} = World.remove(world, 3)
      assert World.rev(world) == 0
      assert_raise ArgumentError, ~r/:nmae/, fn -> World.put(world, nmae: "a") end
      assert_raise ArgumentError, fn -> World.mutate(world, [{:destroy, 1}]) end
    end

    test "of one request are all changed, or none", %{store: store, world: world} do
      mutations = [{:put, name: "a"}, {:put, name: "b"}, {:remove, 1}, {:update, 99, name: "c"}]
      assert {:error, %{reason: :unknown_object}} = World.mutate(world, mutations)
      assert {World.rev(world), World.objects(world)} == {0, []}
      assert {:ok, %{rev: 3, ids: [1, 2, 1]}} = World.mutate(world, Enum.take(mutations, 3))
      assert for(o <- World.objects(again(world, store)), do: o.name) == ["b"]
    end

    test "are listed in parts", %{world: world} do
      {:ok, _} = World.mutate(world, for(n <- 1..25, do: {:put, name: "#{n}"}))
      assert for(o <- World.objects(world, limit: 10), do: o.id) == Enum.to_list(1..10)
      assert for(o <- World.objects(world, after: 20), do: o.id) == Enum.to_list(21..25)
    end

    test "are bounded in number", %{store: store, world: world} do
      world = again(world, store, max_objects: 2)
      {:ok, %{ids: [1, 2]}} = World.mutate(world, [{:put, []}, {:put, []}])
      assert {:error, %{reason: {:limit, :objects}}} = World.put(world, [])
      assert {:ok, 2} = World.put(world, id: 2, name: "in the place of another")
      {:ok, _} = World.remove(world, 1)
      assert {:ok, 3} = World.put(world, [])
    end
  end

  describe "files" do
    test "are kept once, and as long as anything names them", %{store: store, world: world} do
      hash = :crypto.hash(:sha256, @glb)
      {:ok, %{ids: [1, 2]}} = World.mutate(world, [{:put, glb: @glb}, {:put, glb: @glb}])
      {:ok, 3} = World.put(world, glb: hash)
      assert count(store, "wasgo_world_payloads") == 1
      assert World.payload(world, hash) == {:ok, @glb}
      {:ok, _} = World.remove(world, 1)
      {:ok, _} = World.update(world, 2, glb: @other_glb)
      assert count(store, "wasgo_world_payloads") == 2
      {:ok, _} = World.update(world, 3, glb: nil)
      assert count(store, "wasgo_world_payloads") == 1
      assert {:error, %{reason: :unknown_payload}} = World.payload(world, hash)
      world = again(world, store)
      {:ok, _} = World.remove(world, 2)
      assert count(store, "wasgo_world_payloads") == 0
    end

    test "that came and went within one request are not kept", %{store: store, world: world} do
      mutations = [{:put, glb: @glb}, {:update, 1, glb: @other_glb}, {:update, 1, glb: @glb}]
      {:ok, _} = World.mutate(world, mutations)
      assert count(store, "wasgo_world_payloads") == 1
      assert {:ok, @glb} = World.payload(world, :crypto.hash(:sha256, @glb))
    end

    test "of chunks, meshes and plans are kept the same way", %{store: store, world: world} do
      plan = Gen.plan!(seed: 7, samples: 5)
      {:ok, 1} = World.set_plan(world, plan)
      {:ok, 2} = World.put_chunk(world, {3, -4}, @glb)
      {:ok, 3} = World.put_mesh(world, Gen.creature(3))
      {:ok, 1} = World.put(world, mesh: "creature_3")
      assert {:error, %{reason: :in_use}} = World.remove_mesh(world, "creature_3")
      world = again(world, store)
      assert World.plan(world).digest == plan.digest
      assert World.chunks(world) == [{3, -4, 0}]
      assert {:error, %{reason: :in_use}} = World.remove_mesh(world, "creature_3")
      {:ok, _} = World.remove(world, 1)
      {:ok, _} = World.remove_mesh(world, "creature_3")
      {:ok, _} = World.reset_chunk(world, {3, -4})
      {:ok, _} = World.set_plan(world, Gen.plan!(seed: 8, samples: 5))
      assert count(store, "wasgo_world_payloads") == 1
    end
  end

  describe "the plan" do
    test "of a new world is that which it is started with", %{store: store} do
      plan = Gen.plan!(seed: 7)
      {:ok, world} = World.start_link(name: "planned", store: store, plan: plan)
      assert {World.rev(world), World.plan(world).digest} == {1, plan.digest}
      :ok = World.stop(world)
      other = Gen.plan!(seed: 8)
      {:ok, world} = World.start_link(name: "planned", store: store, plan: other)
      assert {World.rev(world), World.plan(world).digest} == {1, plan.digest}
    end

    test "is kept with its scripts, and refused without", %{store: store, world: world} do
      script = File.read!("guest/scripts/craters.wasm")
      height = Gen.Field.script("craters", parameters: [60.0, 5.0], low: -8.5, high: 2.5)
      plan = Gen.plan!(seed: 1, height: height, scripts: [craters: script])
      assert {:error, %{reason: :plan}} = World.set_plan(world, plan)
      {:ok, 1} = World.set_plan(world, plan, craters: script)
      assert World.plan(again(world, store)).digest == plan.digest
    end

    test "of a volume, which has no ground, comes back too", %{store: store, world: world} do
      plan = Gen.plan!(seed: 1, density: Gen.Field.sphere({0, 0, 0}, 5))
      {:ok, 1} = World.set_plan(world, plan)
      {:ok, 2} = World.put_chunk(world, {0, -1, 0, 2}, @glb)
      world = again(world, store)
      assert World.plan(world).digest == plan.digest
      assert World.chunks(world) == [{0, -1, 0, 2}]
    end
  end

  describe "the journal" do
    test "deletes what is superseded, and a restart has the same world", %{
      store: store,
      world: world
    } do
      {:ok, _} = World.mutate(world, for(n <- 1..20, do: {:put, name: "#{n}"}))
      for n <- 1..20, do: {:ok, _} = World.update(world, n, position: {n, 0, 0})
      for n <- 1..10, do: {:ok, _} = World.remove(world, n)
      assert count(store, "wasgo_world_journal") == 50
      assert %{superseded: 30, traces: 10} = World.info(world)
      before = World.objects(world)
      :ok = World.snapshot(world)
      assert count(store, "wasgo_world_journal") == 20
      assert %{superseded: 0} = World.info(world)
      world = again(world, store)
      assert {World.objects(world), World.rev(world)} == {before, 50}
    end

    test "prunes by itself when much is superseded", %{store: store, world: world} do
      world = again(world, store, prune_at: 10)
      {:ok, 1} = World.put(world, [])
      for n <- 1..50, do: {:ok, _} = World.update(world, 1, position: {n, 0, 0})
      # What comes after it in the same order.
      :ok = World.snapshot(world)
      assert count(store, "wasgo_world_journal") == 1
    end

    test "remembers removals up to a bound", %{store: store, world: world} do
      world = again(world, store, max_traces: 3)
      {:ok, _} = World.mutate(world, for(_ <- 1..5, do: {:put, []}))
      for n <- 1..5, do: {:ok, _} = World.remove(world, n)
      assert %{traces: 3} = World.info(world)
      :ok = World.snapshot(world)
      assert count(store, "wasgo_world_journal") == 3
      assert one(Store.query!(store, "SELECT floor FROM wasgo_worlds")) == 7
    end

    test "of several worlds in one store are apart", %{store: store, world: world} do
      {:ok, other} = World.start_link(name: "other", store: store)
      {:ok, 1} = World.put(world, name: "here")
      {:ok, 1} = World.put(other, name: "there")
      {:ok, _} = World.remove(other, 1)
      assert for(o <- World.objects(again(world, store)), do: o.name) == ["here"]
      assert World.info(other).identity != World.info(start(store, name: "x")).identity
    end

    test "is written by whoever started the world last", %{store: store, world: world} do
      Process.flag(:trap_exit, true)
      {:ok, 1} = World.put(world, name: "first")
      second = start(store)
      assert {:error, %{reason: :taken_over}} = World.put(world, name: "too late")
      assert_receive {:EXIT, ^world, {:shutdown, %WorldError{reason: :taken_over}}}, 30_000
      assert {:ok, 2} = World.put(second, name: "second")
      assert {:error, %{reason: :stopped}} = World.put(world, name: "gone")
    end

    test "is left by all processes of a world that is stopped", %{world: world} do
      {:links, links} = Process.info(world, :links)
      parts = for pid <- links, is_pid(pid), pid != self(), do: {pid, Process.monitor(pid)}
      assert length(parts) == 3
      :ok = World.stop(world)
      for {pid, ref} <- parts, do: assert_receive({:DOWN, ^ref, :process, ^pid, _reason}, 30_000)
    end

    test "that is damaged is told with the row, and put aside when asked", %{
      store: store,
      world: world
    } do
      Process.flag(:trap_exit, true)
      {:ok, _} = World.mutate(world, for(n <- 1..3, do: {:put, name: "#{n}"}))
      :ok = World.stop(world)

      [[{:blob, row}]] =
        Store.query!(store, "SELECT entry FROM wasgo_world_journal WHERE rev = 2").rows

      for bytes <- [binary_part(row, 0, 20), "", <<0::32, row::binary>>, flip(row)] do
        Store.execute!(store, "UPDATE wasgo_world_journal SET entry = ? WHERE rev = 2", [
          {:blob, bytes}
        ])

        assert {:error, %WorldError{reason: {:damaged, 2}}} =
                 World.start_link(name: "garden", store: store)
      end

      world = start(store, repair: true)
      assert for(o <- World.objects(world), do: o.name) == ["1", "3"]
      assert count(store, "wasgo_world_damaged") == 1
      assert {:ok, 4} = World.put(world, [])
    end

    test "of a newer Wasgo is left alone", %{store: store, world: world} do
      Process.flag(:trap_exit, true)
      :ok = World.stop(world)
      Store.execute!(store, "UPDATE wasgo_worlds SET format = 2")

      assert {:error, %WorldError{reason: :schema_version}} =
               World.start_link(name: "garden", store: store)
    end

    defp flip(<<first::binary-30, byte, rest::binary>>),
      do: <<first::binary, Bitwise.bxor(byte, 1), rest::binary>>
  end

  describe "a store" do
    @tag :tmp_dir
    test "that is full refuses what does not fit, and the rest goes on", %{tmp_dir: dir} do
      store = Store.open!(Path.join(dir, "a.db"), max_bytes: 400_000)
      world = start(store)
      {:ok, 1} = World.put(world, name: "small")
      big = <<"glTF", 2::32-little, 1_000_000::32-little, 0::size(999_988)-unit(8)>>

      assert {:error, %WorldError{reason: :store, cause: %{reason: :full}}} =
               World.put(world, glb: big)

      assert World.rev(world) == 1
      assert {:ok, 2} = World.put(world, name: "another")
      assert World.rev(world) == 2
      world = again(world, store)
      assert for(o <- World.objects(world), do: o.name) == ["small", "another"]
    end

    @tag :tmp_dir
    test "that is busy for too long gives an error, and nothing is half done", %{tmp_dir: dir} do
      path = Path.join(dir, "a.db")
      world = start(Store.open!(path, busy_timeout: 50))
      {:ok, 1} = World.put(world, name: "before")
      other = Store.open!(path)

      {:ok, error} =
        Store.transaction(other, fn tx ->
          Store.execute!(tx, "UPDATE wasgo_worlds SET rev = rev")
          {:error, error} = World.put(world, name: "meanwhile")
          error
        end)

      assert error.reason == :store
      assert {:ok, id} = World.put(world, name: "after")
      assert {:ok, %{name: "after"}} = World.object(world, id)
      assert World.rev(world) == 2
    end

    test "that is closed ends the world, and whoever waits is told", %{store: store, world: world} do
      Process.flag(:trap_exit, true)
      :ok = Store.close(store)
      assert {:error, %WorldError{reason: :store}} = World.put(world, name: "lost")
      assert_receive {:EXIT, ^world, {:shutdown, %WorldError{reason: :store}}}, 30_000
    end

    test "is given many mutations at once", %{world: world} do
      ids = for n <- 1..200, do: Task.async(fn -> {n, World.put(world, name: "#{n}")} end)
      put = for task <- ids, do: Task.await(task, 30_000)
      assert put |> Enum.map(fn {_n, {:ok, id}} -> id end) |> Enum.sort() == Enum.to_list(1..200)

      for {n, {:ok, id}} <- put do
        {:ok, object} = World.object(world, id)
        assert object.name == "#{n}"
      end
    end
  end

  describe "whoever follows" do
    test "gets one message, and the next after having asked", %{world: world} do
      {:ok, 0} = World.subscribe(world)
      {:ok, 1} = World.put(world, name: "a")
      {:ok, 2} = World.put(world, name: "b")
      assert_receive {:wasgo_world, ^world, {:rev, 1}}, 30_000
      refute_received {:wasgo_world, _, _}
      assert World.changes(world, 0) == {2, [{1, {:object, 1}}, {2, {:object, 2}}]}
      {:ok, 3} = World.remove(world, 1)
      assert_receive {:wasgo_world, ^world, {:rev, 3}}, 30_000
      assert World.changes(world, 2) == {3, [{3, {:gone, 1}}]}
      :ok = World.unsubscribe(world)
      {:ok, 4} = World.put_property(world, "a", 1)
      assert World.changes(world, 3) == {4, [{4, {:property, "a"}}]}
      refute_received {:wasgo_world, _, _}
    end
  end

  describe "transient values" do
    test "are the newest of each object and column", %{world: world} do
      {:ok, _} = World.mutate(world, [{:put, []}, {:put, []}])

      {:ok, 2} =
        World.put_rows(world, Rows.new(["position:x", "a"], [{1, [1.0, "x"]}, {2, [2.0, nil]}]))

      {:ok, 1} =
        World.put_rows(world, Rows.new(["position:x", "a"], [{1, [3.0, nil]}, {9, [1.0, 1]}]))

      assert World.transient(world, 1) == %{"position:x" => 3.0, "a" => "x"}
      assert World.transient(world, 2) == %{"position:x" => 2.0}
      assert World.info(world).transient == 2
    end

    test "are replaced by later changes of the same thing, and by nothing else", %{world: world} do
      {:ok, 1} = World.put(world, [])
      columns = ["position:x", "rotation:y", "energy"]
      {:ok, 1} = World.put_rows(world, Rows.new(columns, [{1, [1.0, 2.0, 3.0]}]))
      {:ok, _} = World.update(world, 1, name: "renamed")
      assert map_size(World.transient(world, 1)) == 3
      {:ok, _} = World.update(world, 1, position: {5, 0, 0})
      assert World.transient(world, 1) == %{"rotation:y" => 2.0, "energy" => 3.0}
      {:ok, _} = World.update(world, 1, properties: %{"other" => 1})
      assert World.transient(world, 1) == %{"rotation:y" => 2.0}
      {:ok, 1} = World.put_rows(world, Rows.new(["position:x"], [{1, [7.0]}]))
      assert World.transient(world, 1) == %{"position:x" => 7.0, "rotation:y" => 2.0}
    end

    test "come back as of the last snapshot", %{store: store, world: world} do
      Process.flag(:trap_exit, true)
      {:ok, _} = World.mutate(world, for(_ <- 1..3, do: {:put, []}))
      {:ok, 3} = World.put_rows(world, Rows.new(["a"], for(n <- 1..3, do: {n, [n]})))
      :ok = World.snapshot(world)
      {:ok, _} = World.put_rows(world, Rows.new(["a"], [{1, [10]}]))
      {:ok, _} = World.update(world, 2, properties: %{"a" => 20})
      {:ok, _} = World.remove(world, 3)
      Process.exit(world, :kill)
      assert_receive {:EXIT, ^world, :killed}, 30_000
      world = start(store)
      assert World.transient(world, 1) == %{"a" => 1}
      assert World.transient(world, 2) == %{}
      assert World.transient(world, 3) == %{}
      {:ok, 3} = World.put(world, id: 3)
      assert World.transient(world, 3) == %{}
      :ok = World.snapshot(world)
      assert count(store, "wasgo_world_rows") == 2
    end

    test "are put down when the world is stopped", %{store: store, world: world} do
      {:ok, 1} = World.put(world, [])
      {:ok, 1} = World.put_rows(world, Rows.new(["a"], [{1, [7]}]))
      assert World.transient(again(world, store), 1) == %{"a" => 7}
    end

    test "that cannot be sent are refused", %{world: world} do
      {:ok, 1} = World.put(world, [])

      for rows <- [
            Rows.new(["a"], [{1, [:nan]}]),
            Rows.new(["a"], [{1, [self()]}]),
            Rows.new(["a"], [{1, [String.duplicate("a", 2_000)]}]),
            Rows.new(["a"], [{1, [<<255>>]}]),
            Rows.new([<<255>>], [{1, [1]}]),
            Rows.new(["a"], [{"1", [1]}]),
            Rows.new(for(n <- 1..65, do: "c#{n}"), [])
          ] do
        assert {:error, %WorldError{reason: :invalid}} = World.put_rows(world, rows)
      end

      assert World.info(world).transient == 0
    end
  end
end
