defmodule Wasgo.Script.Registry.ObjectsTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{LimitError, Store, StoreError}
  alias Wasgo.Script.{Registry, State}

  @most 1_048_576

  setup do
    store = Store.open!(:memory)
    for name <- ["lamp", "door"], do: {:ok, 1} = Registry.put(store, name, answering(name))
    {:ok, store: store}
  end

  test "an object is put, got, changed and deleted", %{store: store} do
    assert Registry.put_object(store, "a", "furniture", "lamp") == :ok
    assert Registry.get_object(store, "a") == {:ok, %{id: "a", kind: "furniture", script: "lamp"}}
    assert Registry.put_object(store, "a", "exit", "door") == :ok
    assert Registry.get_object(store, "a") == {:ok, %{id: "a", kind: "exit", script: "door"}}
    :ok = Registry.put_object_state(store, "a", %{"k" => "v"})
    assert Registry.delete_object(store, "a") == :ok
    assert Store.query!(store, "SELECT count(*) FROM wasgo_object_state").rows == [[0]]

    for result <- [
          Registry.get_object(store, "a"),
          Registry.delete_object(store, "a"),
          Registry.object_state(store, "a"),
          Registry.put_object_state(store, "a", %{})
        ] do
      assert {:error, %StoreError{reason: :unknown_object} = error} = result
      assert Exception.message(error) == ~s|there is no object "a" in #Wasgo.Store<memory>|
    end

    assert Store.query!(store, "SELECT count(*) FROM wasgo_object_state").rows == [[0]]
  end

  test "an object needs a script, which need not be active yet", %{store: store} do
    assert {:error, %StoreError{reason: :unknown_script}} =
             Registry.put_object(store, "a", "furniture", "sofa")

    assert Registry.list_objects(store) == {:ok, []}
    {:ok, 1} = Registry.put(store, "sofa", echo(), activate: false)
    assert Registry.put_object(store, "a", "furniture", "sofa") == :ok
  end

  test "objects are listed by id, of a kind or script, and in parts", %{store: store} do
    for {id, kind, script} <- [
          {"d", "exit", "door"},
          {"a", "furniture", "lamp"},
          {"b", "furniture", "door"},
          {"c", "exit", "lamp"}
        ],
        do: :ok = Registry.put_object(store, id, kind, script)

    ids = fn options ->
      {:ok, objects} = Registry.list_objects(store, options)
      Enum.map(objects, & &1.id)
    end

    assert ids.([]) == ["a", "b", "c", "d"]
    assert ids.(kind: "furniture") == ["a", "b"]
    assert ids.(script: "door") == ["b", "d"]
    assert ids.(kind: "exit", script: "door") == ["d"]
    assert ids.(kind: "nothing") == []
    assert ids.(limit: 2) == ["a", "b"]
    assert ids.(limit: 2, after: "b") == ["c", "d"]
    assert ids.(kind: "exit", after: "c") == ["d"]
    assert_raise ArgumentError, ~r/option :kind/, fn -> ids.(kind: :exit) end
  end

  test "what an object keeps stays when its script changes, unless it is cleared", %{store: store} do
    :ok = Registry.put_object(store, "a", "furniture", "lamp")
    assert Registry.object_state(store, "a") == {:ok, %{}}
    assert Registry.put_object_state(store, "a", %{"k" => "v", "" => ""}) == :ok
    :ok = Registry.put_object(store, "a", "exit", "door")
    assert Registry.object_state(store, "a") == {:ok, %{"k" => "v", "" => ""}}
    assert Registry.put_object_state(store, "a", %{"other" => <<0, 255>>}) == :ok
    assert Registry.object_state(store, "a") == {:ok, %{"other" => <<0, 255>>}}
    :ok = Registry.put_object(store, "a", "exit", "door", state: :clear)
    assert Registry.object_state(store, "a") == {:ok, %{}}

    assert_raise ArgumentError, ~r/option :state/, fn ->
      Registry.put_object(store, "a", "exit", "door", state: :lost)
    end
  end

  test "a script in use is not deleted, unless its objects are too", %{store: store} do
    for number <- 1..7, do: :ok = Registry.put_object(store, "o#{number}", "k", "lamp")
    :ok = Registry.put_object(store, "other", "k", "door")
    :ok = Registry.put_object_state(store, "o1", %{"k" => "v"})
    assert {:error, %StoreError{reason: :in_use} = error} = Registry.delete(store, "lamp")

    assert Exception.message(error) ==
             ~s|the script "lamp" in #Wasgo.Store<memory> is in use by "o1", "o2", "o3", "o4", "o5" and 2 more|

    assert {:ok, %{version: 1}} = Registry.get(store, "lamp")
    assert Registry.delete(store, "lamp", objects: true) == :ok
    assert {:ok, [%{id: "other"}]} = Registry.list_objects(store)
    assert Store.query!(store, "SELECT count(*) FROM wasgo_object_state").rows == [[0]]
  end

  test "a store that does not hold to foreign keys keeps no remains either" do
    store = Store.open!(:memory, foreign_keys: false)
    {:ok, 1} = Registry.put(store, "lamp", echo())
    :ok = Registry.put_object(store, "a", "k", "lamp")
    :ok = Registry.put_object_state(store, "a", %{"k" => "v"})
    assert {:error, %StoreError{reason: :in_use}} = Registry.delete(store, "lamp")
    :ok = Registry.delete(store, "lamp", objects: true)

    for table <- ~w(wasgo_scripts wasgo_script_versions wasgo_objects wasgo_object_state),
        do: assert(Store.query!(store, "SELECT count(*) FROM #{table}").rows == [[0]])
  end

  test "entries lie in the order of their keys, as lengths and bytes", %{store: store} do
    :ok = Registry.put_object(store, "a", "k", "lamp")

    :ok =
      Registry.put_object_state(store, "a", %{"b" => "22", "a" => "", "ab" => "1", <<255>> => "z"})

    assert Store.query!(store, "SELECT entries FROM wasgo_object_state").rows ==
             [
               [
                 {:blob,
                  <<1::32-little, "a", 0::32-little, 2::32-little, "ab", 1::32-little, "1",
                    1::32-little, "b", 2::32-little, "22", 1::32-little, 255, 1::32-little, "z">>}
               ]
             ]

    for damaged <- [<<1>>, <<1::32-little, "a">>, <<1::32-little, "a", 5::32-little, "abc">>] do
      Store.execute!(store, "UPDATE wasgo_object_state SET entries = ?", [{:blob, damaged}])
      assert {:error, %StoreError{reason: :malformed} = error} = Registry.object_state(store, "a")
      assert Exception.message(error) =~ ~s|the state of the object "a"|
    end
  end

  test "the bounds are those of a script's state, to the byte", %{store: store} do
    :ok = Registry.put_object(store, "a", "k", "lamp")
    value = String.duplicate("v", 262_144 - 1)

    full = %{"1" => value, "2" => value, "3" => value, "4" => value}
    assert full |> Enum.map(fn {k, v} -> byte_size(k) + byte_size(v) end) |> Enum.sum() == @most
    many = Map.new(1..4_096, &{"key #{&1}", ""})

    for {map, allowed?} <- [
          {full, true},
          {Map.put(full, "", ""), true},
          {Map.put(full, "5", ""), false},
          {many, true},
          {Map.put(many, "one more", ""), false},
          {%{String.duplicate("k", 1_024) => ""}, true},
          {%{String.duplicate("k", 1_025) => ""}, false},
          {%{"k" => value <> "v"}, true},
          {%{"k" => value <> "vv"}, false}
        ] do
      state = State.new()
      assert Enum.all?(map, fn {k, v} -> State.put(state, k, v) == :ok end) == allowed?
      {:ok, before} = Registry.object_state(store, "a")

      if allowed? do
        assert Registry.put_object_state(store, "a", map) == :ok
        assert Registry.object_state(store, "a") == {:ok, map}
        assert map == State.to_map(state)
      else
        assert {:error, %LimitError{reason: :state} = error} =
                 Registry.put_object_state(store, "a", map)

        assert error.asked > error.value
        assert Exception.message(error) =~ "#{error.asked}"
        assert Registry.object_state(store, "a") == {:ok, before}
      end
    end
  end

  test "a state that is no map of binaries raises", %{store: store} do
    :ok = Registry.put_object(store, "a", "k", "lamp")

    for map <- [%{a: "x"}, %{"a" => 1}, %{"a" => <<1::1>>}] do
      assert_raise ArgumentError, ~r/a map of binaries/, fn ->
        Registry.put_object_state(store, "a", map)
      end
    end

    assert_raise FunctionClauseError, fn ->
      apply(Registry, :put_object_state, [store, "a", State.new()])
    end
  end

  test "ids, kinds and scripts that are no names are refused", %{store: store} do
    for name <- ["", <<255>>, String.duplicate("x", 257), :a, nil],
        fun <- [
          &Registry.put_object(store, &1, "k", "lamp"),
          &Registry.put_object(store, "a", &1, "lamp"),
          &Registry.put_object(store, "a", "k", &1),
          &Registry.get_object(store, &1),
          &Registry.delete_object(store, &1),
          &Registry.object_state(store, &1),
          &Registry.put_object_state(store, &1, %{})
        ] do
      assert {:error, %StoreError{reason: :invalid_name} = error} = fun.(name)
      assert Exception.message(error) =~ ~r/^the (object's id|object's kind|script's name)/
    end
  end
end
