defmodule Wasgo.Script.RegistryTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{CompileError, LinkError, Script, Store, StoreError}
  alias Wasgo.Script.Registry

  doctest Wasgo.Script.Registry

  @thin File.read!("guest/scripts/thin.wasm")

  setup do
    {:ok, store: Store.open!(:memory)}
  end

  test "what was put is loaded, newest first", %{store: store} do
    assert Registry.put(store, "s", answering("one")) == {:ok, 1}
    assert Registry.put(store, "s", answering("two"), author: "Ada") == {:ok, 2}
    assert {:ok, %Script{name: "s", version: 2} = script} = Registry.load(store, "s")
    assert Script.process(script, "") == {:ok, "two"}

    assert Store.query!(
             store,
             "SELECT version, author, language FROM wasgo_script_versions ORDER BY version"
           ).rows ==
             [[1, nil, "wat"], [2, "Ada", "wat"]]
  end

  test "the active version's own source is not stored again", %{store: store} do
    assert Registry.put(store, "s", @thin) == {:ok, 1}
    assert Registry.put(store, "s", @thin) == {:ok, 1}
    assert Registry.put(store, "s", answering("x")) == {:ok, 2}
    assert Registry.put(store, "s", @thin) == {:ok, 3}
    assert Store.query!(store, "SELECT count(*) FROM wasgo_script_versions").rows == [[3]]
  end

  test "names have versions of their own", %{store: store} do
    assert Registry.put(store, "a", @thin) == {:ok, 1}
    assert Registry.put(store, "b", @thin) == {:ok, 1}
    assert Registry.put(store, "b'; DROP TABLE wasgo_scripts; --", @thin) == {:ok, 1}
    assert {:ok, [%{name: "a"}, %{name: "b"}, %{name: "b'; DROP" <> _}]} = Registry.list(store)
  end

  test "a list tells what there is", %{store: store} do
    assert Registry.list(store) == {:ok, []}
    {:ok, 1} = Registry.put(store, "thin", @thin, author: "Ada")
    {:ok, 1} = Registry.put(store, "echo", echo())
    {:ok, 2} = Registry.put(store, "echo", answering("x"))
    assert {:ok, [echo, thin]} = Registry.list(store)
    assert %{name: "echo", version: 2, language: "wat", author: nil} = echo
    assert %{name: "thin", version: 1, language: "wasm", author: "Ada"} = thin
    assert thin.size == byte_size(@thin)
    assert thin.hash == :sha256 |> :crypto.hash(@thin) |> Base.encode16(case: :lower)
    assert {:ok, _, 0} = DateTime.from_iso8601(thin.created)
  end

  test "a source that is no script never replaces one that works", %{store: store} do
    {:ok, 1} = Registry.put(store, "s", @thin)

    for {source, exception} <- [
          {"rubbish", CompileError},
          {"", CompileError},
          {binary_part(@thin, 0, 100), CompileError},
          {"(module)", LinkError},
          {~s|(module (import "net" "dial" (func)) (func (export "process")))|, LinkError},
          {script(
             ~s|(func (export "process") (param i32 i32) (result i64) (i64.const 0)) (func $f unreachable) (start $f)|
           ), Wasgo.TrapError}
        ] do
      assert {:error, %^exception{}} = Registry.put(store, "s", source)
      assert {:error, %^exception{}} = Registry.put(store, "new", source)
    end

    assert {:ok, [%{name: "s", version: 1}]} = Registry.list(store)
    assert {:ok, %Script{version: 1}} = Registry.load(store, "s")
  end

  test "an unknown name is told with the store's", %{store: store} do
    assert {:error, %StoreError{reason: :unknown_script} = error} = Registry.load(store, "nobody")
    assert Exception.message(error) == ~s|there is no script "nobody" in #Wasgo.Store<memory>|
  end

  test "tables of a newer schema are refused, and not touched", %{store: store} do
    {:ok, 1} = Registry.put(store, "s", @thin)
    Store.execute!(store, "UPDATE wasgo_schema SET version = 3")

    for result <- [
          Registry.put(store, "s", echo()),
          Registry.load(store, "s"),
          Registry.list(store),
          Registry.delete(store, "s"),
          Registry.put_object(store, "o", "k", "s"),
          Registry.migrate(store)
        ] do
      assert {:error, %StoreError{reason: :schema_version} = error} = result
      assert Exception.message(error) =~ "are of schema 3, and this Wasgo knows 2"
    end

    assert Store.query!(store, "SELECT count(*) FROM wasgo_script_versions").rows == [[1]]
  end

  test "limits and names for the script go with loading", %{store: store} do
    {:ok, 1} = Registry.put(store, "s", echo())
    {:ok, script} = Registry.load(store, "s", limits: [input: 1])
    assert {:error, %Wasgo.LimitError{reason: :input_size}} = Script.process(script, "xx")

    assert_raise ArgumentError, ~r/no option :speed/, fn ->
      Registry.load(store, "s", speed: 1)
    end

    assert_raise ArgumentError, ~r/option :author/, fn ->
      Registry.put(store, "s", echo(), author: :me)
    end
  end

  describe "in a file" do
    @describetag :tmp_dir

    test "scripts outlive the store", %{tmp_dir: dir} do
      path = Path.join(dir, "scripts.db")
      store = Store.open!(path)
      {:ok, 1} = Registry.put(store, "s", @thin)
      {:ok, 2} = Registry.put(store, "s", answering("two"))
      :ok = Store.close(store)

      store = Store.open!(path)
      assert {:ok, %Script{version: 2}} = Registry.load(store, "s")
      assert Registry.put(store, "s", answering("two")) == {:ok, 2}
      assert Registry.put(store, "s", answering("three")) == {:ok, 3}
      :ok = Store.close(store)

      store = Store.open!(path, read_only: true)
      assert {:ok, %Script{version: 3}} = Registry.load(store, "s")
      assert {:error, %StoreError{reason: reason}} = Registry.put(store, "s", answering("four"))
      assert Atom.to_string(reason) =~ "readonly"
      assert {:error, %StoreError{reason: :unknown_script} = error} = Registry.load(store, "t")
      assert Exception.message(error) =~ path
    end

    test "processes that put at once, through one store or several, lose nothing", %{tmp_dir: dir} do
      path = Path.join(dir, "scripts.db")
      shared = Store.open!(path)

      versions =
        for writer <- 1..4 do
          Task.async(fn ->
            store = if rem(writer, 2) == 0, do: shared, else: Store.open!(path)
            for round <- 1..5, do: Registry.put(store, "s", answering("#{writer} #{round}"))
          end)
        end
        |> Task.await_many(60_000)
        |> List.flatten()

      assert Enum.sort(versions) == for(version <- 1..20, do: {:ok, version})
      assert {:ok, [%{version: 20}]} = Registry.list(shared)
    end
  end
end
