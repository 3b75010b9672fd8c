defmodule Wasgo.Script.Registry.SchemaTest do
  use ExUnit.Case, async: true

  import Wasgo.OldRegistry
  import Wasgo.TestGuests

  alias Wasgo.{Script, Store, StoreError}
  alias Wasgo.Script.Registry

  @moduletag :tmp_dir

  # What version 2 consists of, for those who read the tables from elsewhere.
  @columns %{
    "wasgo_schema" => [{"name", "TEXT"}, {"version", "INTEGER"}],
    "wasgo_scripts" => [{"name", "TEXT"}, {"active", "INTEGER"}],
    "wasgo_script_versions" => [
      {"name", "TEXT"},
      {"version", "INTEGER"},
      {"language", "TEXT"},
      {"source", "ANY"},
      {"hash", "TEXT"},
      {"author", "TEXT"},
      {"created", "TEXT"},
      {"deterministic", "INTEGER"},
      {"limits", "TEXT"},
      {"grants", "TEXT"},
      {"columns", "TEXT"}
    ],
    "wasgo_script_history" => [
      {"number", "INTEGER"},
      {"name", "TEXT"},
      {"version", "INTEGER"},
      {"act", "TEXT"},
      {"at", "TEXT"},
      {"author", "TEXT"}
    ],
    "wasgo_objects" => [{"id", "TEXT"}, {"kind", "TEXT"}, {"script", "TEXT"}],
    "wasgo_object_state" => [{"object", "TEXT"}, {"entries", "BLOB"}]
  }

  @thin File.read!("guest/scripts/thin.wasm")

  defp schema(store) do
    for [name] <- Store.query!(store, "SELECT name FROM sqlite_schema WHERE type = 'table'").rows,
        into: %{} do
      sql = "SELECT name, type FROM pragma_table_info(?) ORDER BY cid"
      {name, for([column, type] <- Store.query!(store, sql, [name]).rows, do: {column, type})}
    end
  end

  defp dump(store) do
    names = "SELECT name, sql FROM sqlite_schema ORDER BY name"

    for [name, _sql] = row <- Store.query!(store, names).rows do
      if name =~ ~r/^wasgo_\w+$/ and is_map_key(@columns, name),
        do: {row, Store.query!(store, "SELECT * FROM #{name}").rows},
        else: row
    end
  end

  test "the tables are those that others read", %{tmp_dir: dir} do
    path = Path.join(dir, "new.db")
    store = Store.open!(path)
    assert Registry.migrate(store) == :ok
    assert schema(store) == @columns
    assert Store.query!(store, "SELECT * FROM wasgo_schema").rows == [["scripts", 2]]

    strict = "SELECT name FROM pragma_table_list WHERE name LIKE 'wasgo_%' AND strict = 0"
    assert Store.query!(store, strict).rows == []

    indexed = "SELECT tbl_name FROM sqlite_schema WHERE name = 'wasgo_objects_kind'"
    assert Store.query!(store, indexed).rows == [["wasgo_objects"]]

    before = dump(store)
    assert Registry.migrate(store) == :ok
    assert dump(store) == before
  end

  test "what is up to date is not written to, nor is anybody waited for", %{tmp_dir: dir} do
    path = Path.join(dir, "new.db")
    store = Store.open!(path)
    {:ok, 1} = Registry.put(store, "s", echo())
    reader = Store.open!(path, read_only: true)

    {:ok, _} =
      Store.transaction(store, fn _tx ->
        # Another writer would wait here until it gives up.
        assert Registry.migrate(reader) == :ok
        assert {:ok, %{version: 1}} = Registry.get(reader, "s")
      end)
  end

  for function <- [:migrate, :list, :load, :put, :history, :put_object] do
    test "a database of version 1 becomes one of version 2 with all that it has, by #{function}",
         %{
           tmp_dir: dir
         } do
      path = Path.join(dir, "old.db")
      old = version_1!(path)
      wat = answering("one", "a,\"b\"")
      hash = put_1!(old, "npc", 1, wat, "Ada")
      put_1!(old, "npc", 2, @thin)
      put_1!(old, "npc", 3, "rubbish")
      put_1!(old, "lamp", 1, @thin, "Grace")
      # Somebody went back by hand.
      Store.execute!(old, "UPDATE wasgo_scripts SET active = 2 WHERE name = 'npc'")
      Store.batch(old, "CREATE VIEW theirs AS SELECT name, hash FROM wasgo_script_versions")

      created =
        Store.query!(old, "SELECT created FROM wasgo_script_versions ORDER BY name, version").rows

      :ok = Store.close(old)

      store = Store.open!(path)
      first(unquote(function), store)
      assert store |> schema() |> Map.delete("theirs") == @columns
      assert length(Store.query!(store, "SELECT * FROM theirs").rows) >= 4

      assert {:ok, [one, two, three]} = Registry.versions(store, "npc")
      assert %{version: 1, language: "wat", author: "Ada", hash: ^hash, active: false} = one
      assert one.columns == ["a", ~s|"b"|]
      assert {one.deterministic, one.limits, one.grants} == {false, [], []}
      assert %{version: 2, language: "wasm", author: nil, active: true, columns: []} = two
      assert %{version: 3, columns: [], active: false} = three

      assert [one.created, two.created, three.created] ==
               tl(List.flatten(created)) |> Enum.take(3)

      assert Registry.get!(store, "npc", 1).source == wat
      assert Registry.get!(store, "npc").source == @thin
      assert Registry.get!(store, "npc", 3).source == "rubbish"

      assert Store.query!(
               store,
               "SELECT typeof(source) FROM wasgo_script_versions WHERE name = 'npc'"
             ).rows ==
               [["text"], ["blob"], ["text"]]

      assert {:ok, %Script{version: 2}} = Registry.load(store, "npc")
      {:ok, history} = Registry.history(store, "npc")

      assert for(act <- history, do: {act.act, act.version, act.author}) == [
               {:put, 1, "Ada"},
               {:activate, 1, "Ada"},
               {:put, 2, nil},
               {:activate, 2, nil},
               {:put, 3, nil},
               {:activate, 3, nil},
               {:activate, 2, nil}
             ]

      assert hd(history).at == one.created
      assert Registry.rollback(store, "npc") == {:ok, 3}
      assert Registry.put(store, "npc", answering("x")) == {:ok, 4}
      assert Registry.rollback(store, "npc") == {:ok, 3}
      assert Registry.rollback(store, "npc") == {:ok, 2}
      assert Registry.put_object(store, "o", "k", "lamp") == :ok
      assert {:error, %StoreError{reason: :in_use}} = Registry.delete(store, "lamp")
    end
  end

  defp first(:migrate, store), do: assert(Registry.migrate(store) == :ok)
  defp first(:list, store), do: assert({:ok, [_lamp, _npc]} = Registry.list(store))
  defp first(:load, store), do: assert({:ok, %Script{version: 2}} = Registry.load(store, "npc"))
  defp first(:put, store), do: assert({:ok, 1} = Registry.put(store, "lantern", @thin))
  defp first(:history, store), do: assert({:ok, [_, _]} = Registry.history(store, "lamp"))
  defp first(:put_object, store), do: assert(:ok = Registry.put_object(store, "p", "k", "lamp"))

  test "an empty database of version 1, and one with other tables, are brought up to date" do
    store = version_1!(:memory)
    assert Registry.list(store) == {:ok, []}
    assert schema(store) == @columns

    store = Store.open!(:memory)

    Store.batch(
      store,
      "CREATE TABLE wasgo_schema (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
                        INSERT INTO wasgo_schema VALUES ('worlds', 9)"
    )

    assert {:ok, 1} = Registry.put(store, "s", echo())

    assert Store.query!(store, "SELECT * FROM wasgo_schema ORDER BY name").rows == [
             ["scripts", 2],
             ["worlds", 9]
           ]
  end

  test "a migration that fails changes nothing, and may be tried again", %{tmp_dir: dir} do
    store = version_1!(Path.join(dir, "old.db"))
    put_1!(store, "s", 1, echo())
    # In the way of a table to be made.
    Store.batch(store, "CREATE TABLE wasgo_objects (mine TEXT)")
    before = dump(store)

    for result <- [Registry.migrate(store), Registry.list(store), Registry.put(store, "s", @thin)] do
      assert {:error, %StoreError{message: message}} = result
      assert message =~ "wasgo_objects already exists"
    end

    assert dump(store) == before
    Store.batch(store, "DROP TABLE wasgo_objects")
    assert {:ok, %{version: 1}} = Registry.get(store, "s")
  end

  test "what may not be written is told, and stays as it is", %{tmp_dir: dir} do
    path = Path.join(dir, "old.db")
    store = version_1!(path)
    put_1!(store, "s", 1, echo())
    :ok = Store.close(store)
    reader = Store.open!(path, read_only: true)
    assert {:error, %StoreError{reason: reason}} = Registry.migrate(reader)
    assert Atom.to_string(reason) =~ "readonly"
    assert Store.query!(reader, "SELECT version FROM wasgo_schema").rows == [[1]]
  end

  test "schemas that are no known version are refused and not changed" do
    for version <- [0, 3, 2_000, -1] do
      store = version_1!(:memory)
      put_1!(store, "s", 1, echo())
      Store.execute!(store, "UPDATE wasgo_schema SET version = ?", [version])
      before = dump(store)

      for result <- [
            Registry.migrate(store),
            Registry.put(store, "s", @thin),
            Registry.versions(store, "s"),
            Registry.history(store, "s"),
            Registry.activate(store, "s", 1),
            Registry.rollback(store, "s"),
            Registry.delete(store, "s"),
            Registry.get_object(store, "o"),
            Registry.list_objects(store),
            Registry.delete_object(store, "o"),
            Registry.object_state(store, "o"),
            Registry.put_object_state(store, "o", %{})
          ] do
        assert {:error, %StoreError{reason: :schema_version} = error} = result
        assert Exception.message(error) =~ "are of schema #{version}, and this Wasgo knows 2"
      end

      assert dump(store) == before
    end
  end

  test "processes that migrate at once, through stores of their own, do it once", %{tmp_dir: dir} do
    path = Path.join(dir, "old.db")
    store = version_1!(path)
    for version <- 1..10, do: put_1!(store, "s", version, answering("#{version}"))

    1..8
    |> Enum.map(fn _ ->
      Task.async(fn ->
        mine = Store.open!(path, busy_timeout: 60_000)
        Registry.migrate(mine)
      end)
    end)
    |> Task.await_many(120_000)
    |> Enum.each(&assert(&1 == :ok))

    {:ok, history} = Registry.history(store, "s")
    assert length(history) == 20
    assert {:ok, %{version: 10}} = Registry.get(store, "s")
  end
end
