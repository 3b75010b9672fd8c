defmodule Wasgo.Store.AccessTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Store, StoreError}

  @moduletag :tmp_dir

  setup %{tmp_dir: dir} do
    stores = [Store.open!(:memory), Store.open!(Path.join(dir, "a.db"))]

    for store <- stores do
      :ok =
        Store.batch(store, """
        CREATE TABLE pets (id INTEGER PRIMARY KEY, name, secret);
        INSERT INTO pets VALUES (1, 'Rex', 'bone');
        CREATE TABLE owners (name);
        """)
    end

    {:ok, stores: stores}
  end

  defp refused({:error, %StoreError{reason: :auth} = error}), do: Exception.message(error)

  test "a restricted handle reads and writes what is named", %{stores: stores} do
    for store <- stores do
      visitor = Store.restrict(store, read: [pets: ["id", :name]], write: ["owners"])
      assert inspect(visitor) =~ ", restricted"
      assert Store.query!(visitor, "SELECT name FROM pets WHERE id = 1").rows == [["Rex"]]
      assert {:ok, _} = Store.execute(visitor, "INSERT INTO owners VALUES ('Ann')")

      assert {:ok, _} =
               Store.execute_many(visitor, "INSERT INTO owners VALUES (?)", [["B"], ["C"]])

      assert :ok = Store.batch(visitor, "DELETE FROM owners")

      assert refused(Store.query(visitor, "SELECT * FROM pets")) =~ "read pets.secret"
      assert refused(Store.query(visitor, "SELECT name FROM owners")) =~ "read owners.name"
      assert refused(Store.execute(visitor, "DELETE FROM pets")) =~ "delete from pets"
      assert refused(Store.batch(visitor, "DROP TABLE owners")) =~ "not allowed"
      assert refused(Store.batch(visitor, "ATTACH ':memory:' AS m")) =~ "attaching"
      assert refused(Store.query(visitor, "PRAGMA user_version")) =~ "pragma"
      assert refused(Store.query(visitor, "SELECT load_extension('x')")) =~ "load_extension"
      assert refused(Store.backup(visitor, "/nowhere")) =~ "copy"

      assert_raise StoreError, ~r/pets.secret/, fn ->
        Enum.to_list(Store.stream(visitor, "SELECT secret FROM pets"))
      end

      assert Enum.to_list(Store.stream(visitor, "SELECT name FROM pets")) == [["Rex"]]

      Store.transaction(visitor, fn tx ->
        assert refused(Store.query(tx, "SELECT secret FROM pets")) =~ "pets.secret"
        assert Enum.to_list(Store.stream(tx, "SELECT name FROM pets")) == [["Rex"]]

        assert_raise StoreError, ~r/pets.secret/, fn ->
          Enum.to_list(Store.stream(tx, "SELECT secret FROM pets"))
        end
      end)
    end
  end

  test "a call's own allowance is no more than its handle's", %{stores: stores} do
    for store <- stores do
      allow = [read: ["pets"]]
      sql = "SELECT secret FROM pets"
      assert Store.query!(store, sql, [], allow: allow).rows == [["bone"]]
      assert refused(Store.query(store, "SELECT name FROM owners", [], allow: allow)) =~ "owners"
      assert refused(Store.execute(store, "DELETE FROM pets", [], allow: allow)) =~ "pets"
      assert refused(Store.batch(store, "DELETE FROM pets", allow: allow)) =~ "pets"

      visitor = Store.restrict(store, read: [{"pets", ["name"]}])
      assert refused(Store.query(visitor, sql, [], allow: allow)) =~ "pets.secret"
      assert refused(Store.query(Store.restrict(visitor, allow), sql)) =~ "pets.secret"
      assert refused(Store.query(Store.restrict(visitor, []), "SELECT name FROM pets")) =~ "pets"
      assert Store.query!(store, sql).rows == [["bone"]]
    end
  end

  test "what is named wrongly is told", %{stores: [store | _]} do
    assert_raise ArgumentError, ~r/has no option :delete/, fn ->
      Store.restrict(store, delete: ["pets"])
    end

    assert_raise ArgumentError, ~r/option :read of Wasgo.Store.restrict\/2 lists/, fn ->
      Store.restrict(store, read: [1])
    end
  end
end
