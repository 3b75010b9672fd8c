defmodule Wasgo.Script.Registry.VersionsTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{Script, Store, StoreError}
  alias Wasgo.Script.Registry

  setup do
    {:ok, store: Store.open!(:memory)}
  end

  # Versions that answer "1", "2" ...
  defp put_all(store, name, count) do
    for version <- 1..count,
        do: {:ok, ^version} = Registry.put(store, name, answering("#{version}"))

    :ok
  end

  defp active(store, name) do
    {:ok, script} = Registry.load(store, name)
    {:ok, answer} = Script.process(script, "")
    assert answer == "#{script.version}"
    script.version
  end

  defp acts(store, name) do
    {:ok, history} = Registry.history(store, name)
    for act <- history, do: {act.act, act.version}
  end

  test "a version is got with its source, text or bytes", %{store: store} do
    wat = answering("x", "a,b")
    wasm = File.read!("guest/scripts/thin.wasm")
    {:ok, 1} = Registry.put(store, "s", wat, author: "Ada")
    {:ok, 2} = Registry.put(store, "s", wasm, language: "c")

    assert {:ok, %{version: 1, active: false, source: ^wat, language: "wat"} = first} =
             Registry.get(store, "s", 1)

    assert first.columns == ["a", "b"]
    assert first.size == byte_size(wat)
    assert first.author == "Ada"
    assert {first.deterministic, first.limits, first.grants} == {true, [], []}

    assert {:ok, %{version: 2, active: true, source: ^wasm, language: "c", columns: []} = second} =
             Registry.get(store, "s")

    assert second == Registry.get!(store, "s", 2)

    assert Store.query!(
             store,
             "SELECT typeof(source) FROM wasgo_script_versions ORDER BY version"
           ).rows ==
             [["text"], ["blob"]]
  end

  test "a source of many megabytes is stored and loaded", %{store: store} do
    source = answering("x") <> ";;" <> String.duplicate("é", 36_000_000)
    assert Registry.put(store, "s", source) == {:ok, 1}
    assert {:ok, [%{size: size}]} = Registry.list(store)
    assert size == byte_size(source)
    assert Registry.get!(store, "s").source == source
    assert active_of_large(store) == "x"
  end

  defp active_of_large(store) do
    {:ok, answer} = store |> Registry.load!("s") |> Script.process("")
    answer
  end

  test "versions are listed from the oldest, without sources", %{store: store} do
    put_all(store, "s", 3)
    {:ok, 2} = Registry.activate(store, "s", 2)
    {:ok, versions} = Registry.versions(store, "s")

    assert for(version <- versions, do: {version.version, version.active}) ==
             [{1, false}, {2, true}, {3, false}]

    refute Enum.any?(versions, &is_map_key(&1, :source))
    assert {:error, %StoreError{reason: :unknown_script}} = Registry.versions(store, "t")
  end

  test "a version that is not there is told from a script that is not", %{store: store} do
    put_all(store, "s", 1)

    for fun <- [
          &Registry.get(store, &1, 2),
          &Registry.load(store, &1, version: 2),
          &Registry.activate(store, &1, 2),
          &Registry.activate(store, &1, -1)
        ] do
      assert {:error, %StoreError{reason: :unknown_version, message: message}} = fun.("s")
      assert message =~ ~r/there is no version -?\d of the script "s" in #Wasgo.Store<memory>$/
      assert {:error, %StoreError{reason: :unknown_script, message: message}} = fun.("t")
      assert message == ~s|there is no script "t" in #Wasgo.Store<memory>|
    end

    assert_raise StoreError, fn -> Registry.get!(store, "t") end
    assert_raise StoreError, fn -> Registry.load!(store, "t") end
    assert_raise Wasgo.LinkError, fn -> Registry.put!(store, "t", "(module)") end
  end

  test "a version that is put without being activated waits", %{store: store} do
    assert Registry.put(store, "s", answering("1"), activate: false) == {:ok, 1}
    assert Registry.list(store) == {:ok, []}
    assert {:error, %StoreError{reason: :unknown_version} = error} = Registry.load(store, "s")

    assert Exception.message(error) ==
             ~s|no version of the script "s" in #Wasgo.Store<memory> is active|

    assert {:error, %StoreError{reason: :no_earlier_version}} = Registry.rollback(store, "s")
    assert {:ok, %Script{version: 1}} = Registry.load(store, "s", version: 1)

    assert Registry.activate(store, "s", 1) == {:ok, 1}
    assert active(store, "s") == 1
    assert Registry.put(store, "s", answering("2"), activate: false) == {:ok, 2}
    assert active(store, "s") == 1
    assert acts(store, "s") == [put: 1, activate: 1, put: 2]
  end

  test "any version may be made active, and the history tells who did", %{store: store} do
    put_all(store, "s", 3)
    assert Registry.activate(store, "s", 1, author: "Ada") == {:ok, 1}
    assert active(store, "s") == 1
    assert Registry.activate(store, "s", 1, author: "Bob") == {:ok, 1}

    assert {:ok, history} = Registry.history(store, "s")

    assert [%{act: :activate, version: 1, author: "Ada", name: "s"} = last | _] =
             Enum.reverse(history)

    assert {:ok, _, 0} = DateTime.from_iso8601(last.at)
    assert Enum.map(history, & &1.number) == Enum.to_list(1..7)
    assert {:ok, [%{number: 6}, %{number: 7}]} = Registry.history(store, "s", limit: 2)
    assert Registry.history(store, "nobody") == {:ok, []}
  end

  test "a rollback undoes the last activation, one after another", %{store: store} do
    put_all(store, "s", 3)
    {:ok, 1} = Registry.activate(store, "s", 1)
    assert Registry.rollback(store, "s") == {:ok, 3}
    assert Registry.rollback(store, "s", author: "Ada") == {:ok, 2}
    assert active(store, "s") == 2

    # What was undone is out of the way.
    {:ok, 4} = Registry.put(store, "s", answering("4"))
    assert Registry.rollback(store, "s") == {:ok, 2}
    assert Registry.rollback(store, "s") == {:ok, 1}
    assert active(store, "s") == 1

    assert {:error, %StoreError{reason: :no_earlier_version} = error} =
             Registry.rollback(store, "s")

    assert Exception.message(error) =~ ~s|no version of the script "s"|
    assert active(store, "s") == 1
    assert {:error, %StoreError{reason: :unknown_script}} = Registry.rollback(store, "t")
    assert Enum.count(acts(store, "s"), &match?({:rollback, _}, &1)) == 4
  end

  test "a rollback finds its way through a long history, of which none is read at once", %{
    store: store
  } do
    put_all(store, "s", 2)
    {:ok, 1} = Registry.activate(store, "s", 1)

    for _round <- 1..1_100 do
      {:ok, 2} = Registry.activate(store, "s", 2)
      {:ok, 1} = Registry.rollback(store, "s")
    end

    assert Registry.rollback(store, "s") == {:ok, 2}
    assert Registry.rollback(store, "s") == {:ok, 1}
    assert {:error, %StoreError{reason: :no_earlier_version}} = Registry.rollback(store, "s")
  end

  test "a deleted script leaves its history, and a new one of its name begins anew", %{
    store: store
  } do
    put_all(store, "s", 2)
    put_all(store, "t", 1)
    assert Registry.delete(store, "s", author: "Ada") == :ok
    assert {:error, %StoreError{reason: :unknown_script}} = Registry.delete(store, "s")
    assert {:error, %StoreError{reason: :unknown_script}} = Registry.load(store, "s")
    assert Store.query!(store, "SELECT name FROM wasgo_script_versions").rows == [["t"]]

    assert acts(store, "s") == [put: 1, activate: 1, put: 2, activate: 2, delete: nil]
    put_all(store, "s", 1)
    assert {:error, %StoreError{reason: :no_earlier_version}} = Registry.rollback(store, "s")
    assert active(store, "s") == 1
  end

  test "a write that fails leaves nothing of itself", %{store: store} do
    put_all(store, "s", 1)
    Store.batch(store, "CREATE TRIGGER no BEFORE INSERT ON wasgo_script_history
                        BEGIN SELECT raise(ABORT, 'the history is full'); END")

    for result <- [
          Registry.put(store, "s", answering("2")),
          Registry.put(store, "t", answering("1")),
          Registry.delete(store, "s")
        ] do
      assert {:error, %StoreError{message: message}} = result
      assert message =~ "the history is full"
    end

    Store.batch(store, "DROP TRIGGER no")
    assert {:ok, [%{version: 1}]} = Registry.versions(store, "s")
    assert {:error, %StoreError{reason: :unknown_script}} = Registry.versions(store, "t")
    assert acts(store, "s") == [put: 1, activate: 1]
  end

  test "the registry may be used within a transaction, and is undone with it", %{store: store} do
    put_all(store, "s", 1)

    assert {:error, :never_mind} =
             Store.transaction(store, fn tx ->
               {:ok, 2} = Registry.put(tx, "s", answering("2"))
               assert {:error, %StoreError{}} = Registry.activate(tx, "s", 7)
               {:ok, %{version: 2}} = Registry.get(tx, "s")
               :ok = Registry.put_object(tx, "o", "k", "s")
               Store.rollback(tx, :never_mind)
             end)

    assert active(store, "s") == 1
    assert {:error, %StoreError{reason: :unknown_object}} = Registry.get_object(store, "o")
  end

  test "names that are none are refused by every function", %{store: store} do
    for name <- ["", <<255>>, String.duplicate("x", 257), String.duplicate("é", 129)],
        fun <- [
          &Registry.put(store, &1, echo()),
          &Registry.put(store, "s", echo(), language: &1),
          &Registry.put(store, "s", echo(), author: &1),
          &Registry.load(store, &1),
          &Registry.get(store, &1),
          &Registry.versions(store, &1),
          &Registry.history(store, &1),
          &Registry.activate(store, &1, 1),
          &Registry.rollback(store, &1),
          &Registry.delete(store, &1)
        ] do
      # Options have to be text at least.
      result =
        try do
          fun.(name)
        rescue
          error in ArgumentError -> {:raised, error}
        end

      case result do
        {:raised, error} ->
          refute String.valid?(name)
          assert Exception.message(error) =~ ~r/option :(language|author)/

        result ->
          assert {:error, %StoreError{reason: :invalid_name} = error} = result
          assert Exception.message(error) =~ ~r/^the (script's name|script's language|author)/
      end
    end

    longest = String.duplicate("é", 128)
    assert Registry.put(store, longest, answering("1"), author: longest) == {:ok, 1}
    assert active(store, longest) == 1
    assert Registry.put(store, "with\0nul", answering("1")) == {:ok, 1}
    assert {:ok, %Script{name: "with\0nul"}} = Registry.load(store, "with\0nul")
    assert {:error, %StoreError{reason: :unknown_script}} = Registry.load(store, "with")
  end
end
