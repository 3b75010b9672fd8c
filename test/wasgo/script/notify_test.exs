defmodule Wasgo.ScriptNotifyTest do
  # Objects that are notified in a store, from Elixir and from SQL.
  use ExUnit.Case, async: true

  import Wasgo.Notified

  alias Wasgo.Script.Registry
  alias Wasgo.{Script, Store, StoreError}

  # A VM of its own takes seconds, on a machine that is busy many.
  @moduletag timeout: 180_000

  setup do
    {:ok, store: file_store!()}
  end

  describe "what is answered" do
    test "has the columns that the script names, from Elixir and in each form of SQL", %{
      store: store
    } do
      put!(store, "echo", echo("position:x,name"), "pet", ["rex"])
      answer = %{"position:x" => 1.5, "name" => "Rex"}
      assert Script.notify(store, "rex", :process, [1.5, "Rex"]) == {:ok, answer}
      assert Script.notify(store, "rex", 17, [1.5, "Rex"], timeout: 10_000) == {:ok, answer}

      assert Script.notify_many(store, "pet", :process, [1.5, "Rex"]) ==
               {:ok, [{"rex", {:ok, answer}}]}

      table = %{columns: ["position:x", "name"], rows: [[1.5, "Rex"]]}
      assert Store.query!(store, "SELECT * FROM notify('rex', 17, 1.5, 'Rex')") == table
      assert Store.query!(store, "SELECT * FROM notify('rex', 'process', 1.5, 'Rex')") == table

      assert Store.query!(store, "SELECT * FROM notify(?, ?, ?, ?)", ["rex", 17, 1.5, "Rex"]) ==
               table

      assert Store.query!(store, "SELECT * FROM notify(:o, :what, :x, :name)",
               o: "rex",
               what: "PROCESS",
               x: 1.5,
               name: "Rex"
             ) == table

      json = ~s|{"position:x":1.5,"name":"Rex"}|
      assert value!(store, "SELECT notification('rex', 17, 1.5, 'Rex')") == json

      for {from, of} <- [{"notify_object", "rex"}, {"notify_kind", "pet"}] do
        sql = "SELECT object, script, row, error FROM #{from}('#{of}', 17, 1.5, 'Rex')"
        assert Store.query!(store, sql).rows == [["rex", "echo", json, nil]]
      end

      sql = "SELECT n.object, n.row FROM wasgo_objects AS o, notify(o.id, 17, 1.5, 'Rex') AS n"
      assert Store.query!(store, sql).rows == [["rex", json]]

      assert [[1.5, "Rex"]] =
               store
               |> Store.stream("SELECT * FROM notify('rex', 17, 1.5, 'Rex')")
               |> Enum.to_list()
    end

    test "is numbered where the script names no columns, and nothing for no change", %{
      store: store
    } do
      put!(store, "echo", echo(), "pet", ["rex"])
      assert Script.notify(store, "rex", :process, ["a", 2]) == {:ok, %{0 => "a", 1 => 2}}
      assert Script.notify(store, "rex", :process, []) == {:ok, %{}}
      assert value!(store, "SELECT notification('rex', 17, 'a')") == "a"
      assert value!(store, "SELECT notification('rex', 17, 'a', 2)") == ~s|["a",2]|

      assert Store.query!(store, "SELECT row FROM notify('rex', 17, 'a', 2)").rows == [
               [~s|["a",2]|]
             ]

      assert Script.notify(store, "rex", 99, [1]) == {:ok, nil}
      assert Script.notify_many(store, "pet", 99, [1]) == {:ok, [{"rex", {:ok, nil}}]}
      assert value!(store, "SELECT notification('rex', 99, 1)") == nil
      assert Store.query!(store, "SELECT * FROM notify('rex', 99, 1)").rows == []

      assert Store.query!(store, "SELECT object, row, error FROM notify_kind('pet', 99)").rows ==
               [["rex", nil, nil]]
    end

    test "is every value that a row has", %{store: store} do
      put!(store, "echo", echo(), "pet", ["rex"])
      largest = 0x7FFF_FFFF_FFFF_FFFF

      row = [
        0,
        -1,
        largest,
        -largest - 1,
        0.1,
        -0.0,
        :infinity,
        :neg_infinity,
        "",
        "é\n\"",
        {:blob, <<0, 255>>},
        nil
      ]

      assert {:ok, answer} = Script.notify(store, "rex", :process, row)
      assert for(at <- 0..(length(row) - 1), do: answer[at]) == row
      assert Script.notify(store, "rex", :process, [true, :nan]) == {:ok, %{0 => 1, 1 => :nan}}
    end

    test "of big rows is as big: hundreds of values, and texts of nearly a mebibyte", %{
      store: store
    } do
      put!(store, "echo", echo(), "pet", ["rex"])
      many = Enum.to_list(1..300)
      assert {:ok, answer} = Script.notify(store, "rex", :process, many)
      assert answer |> Enum.sort() |> Enum.map(&elem(&1, 1)) == many
      # A row has a mebibyte, of which its head and the value's are 24 bytes.
      text = String.duplicate("é", 524_288 - 12)
      assert Script.notify(store, "rex", :process, [text]) == {:ok, %{0 => text}}
      assert value!(store, "SELECT notification('rex', 17, ?)", [text]) == text

      assert Store.query!(store, "SELECT row FROM notify_kind('pet', 17, ?)", [text]).rows == [
               ["[\"#{text}\"]"]
             ]

      assert {:ok, nothing} = Script.notify(store, "rex", :process, List.duplicate(nil, 32))
      assert nothing |> Map.values() |> Enum.uniq() == [nil]
      # In SQL 32, and there SQLite has its say about NULLs.
      given = fn value, count ->
        "SELECT row, error FROM notify_object('rex', 17#{String.duplicate(", #{value}", count)})"
      end

      expected = ~s|["x"#{String.duplicate(~s|,"x"|, 31)}]|
      assert Store.query!(store, given.("'x'", 32)).rows == [[expected, nil]]
      assert [[nulls, nil]] = Store.query!(store, given.("NULL", 14)).rows
      assert nulls == "[null#{String.duplicate(",null", 13)}]"

      for sql <- [given.("NULL", 15), given.("'x'", 33)] do
        assert {:error, %StoreError{reason: :function, cause: :contract}} =
                 Store.query(store, sql)
      end

      assert {:error, %StoreError{reason: :parameters}} =
               Script.notify(store, "rex", :process, [text <> "x"])

      assert Script.notify(store, "rex", :process, [1]) == {:ok, %{0 => 1}}
    end

    test "to a name is that to its number, of every notification there is", %{store: store} do
      put!(store, "echo", echo(), "pet", ["rex"])

      for {name, number} <- Script.notifications() do
        assert Script.notify(store, "rex", name, [1]) == {:ok, %{0 => 1}}
        sql = "SELECT notification('rex', '#{name}', 1), notification('rex', #{number}, 1)"
        assert Store.query!(store, sql).rows == [[1, 1]]
      end

      assert_raise ArgumentError, ~r/:flying is no notification/, fn ->
        Script.notify(store, "rex", :flying, [])
      end

      assert {:error, %StoreError{} = error} =
               Store.query(store, "SELECT notification('rex', 'flying')")

      assert Exception.message(error) =~ ~s|"flying" is no notification's name|
    end
  end

  describe "what an object keeps" do
    test "is written in the same transaction, and undone with it", %{store: store} do
      put!(store, "counter", counter(), "pet", ["rex", "bo"], grants: [:state])
      assert Script.notify(store, "rex", :process, []) == {:ok, %{"count" => 1}}
      {:ok, state} = Registry.object_state(store, "rex")
      assert state == %{"count" => <<1::64-little>>}

      assert {:error, :changed_my_mind} =
               Store.transaction(store, fn tx ->
                 assert Script.notify(tx, "rex", :process, []) == {:ok, %{"count" => 2}}
                 assert value!(tx, "SELECT notification('rex', 17)") == 3

                 assert {:ok, [{"bo", {:ok, %{"count" => 1}}}, _rex]} =
                          Script.notify_many(tx, "pet", :process, [])

                 assert Registry.object_state(tx, "rex") == {:ok, %{"count" => <<4::64-little>>}}
                 Store.rollback(tx, :changed_my_mind)
               end)

      assert Registry.object_state(store, "rex") == {:ok, state}
      assert Registry.object_state(store, "bo") == {:ok, %{}}

      assert_raise RuntimeError, "no", fn ->
        Store.transaction(store, fn tx ->
          {:ok, _answer} = Script.notify(tx, "rex", :process, [])
          raise "no"
        end)
      end

      assert Registry.object_state(store, "rex") == {:ok, state}

      assert {:ok, 2} =
               Store.transaction(store, fn tx ->
                 {:ok, %{"count" => count}} = Script.notify(tx, "rex", :process, [])
                 count
               end)

      assert value!(store, "SELECT notification('rex', 17)") == 3
    end

    test "is not changed by a notification that fails, whatever it had set", %{store: store} do
      put!(store, "counter", counter(), "pet", ["rex"], grants: [:state])
      {:ok, %{"count" => 1}} = Script.notify(store, "rex", :process, [])

      assert {:error, %StoreError{reason: :script, cause: :unreachable}} =
               Script.notify(store, "rex", 666, [])

      # A statement is all or nothing.
      sql = "SELECT notification('rex', column1) FROM (VALUES (17), (17), (666))"
      assert {:error, %StoreError{reason: :script}} = Store.query(store, sql)
      assert Script.notify(store, "rex", :process, []) == {:ok, %{"count" => 2}}
    end

    test "adds up exactly when twenty processes notify the same object and others at once", %{
      store: store
    } do
      own = for number <- 1..20, do: "own #{number}"
      put!(store, "counter", counter(), "pet", ["shared" | own], grants: [:state])

      own
      |> Enum.map(fn own ->
        Task.async(fn ->
          for number <- 1..20 do
            {:ok, %{"count" => shared}} =
              Script.notify(store, "shared", :process, [], timeout: 60_000)

            assert shared in 1..400
            sql = "SELECT count FROM notify(?, 'process')"
            %{rows: [[^number]]} = Store.query!(store, sql, [own], timeout: 60_000)
          end
        end)
      end)
      |> Task.await_many(120_000)

      assert Registry.object_state(store, "shared") == {:ok, %{"count" => <<400::64-little>>}}

      for own <- own,
          do: assert(Registry.object_state(store, own) == {:ok, %{"count" => <<20::64-little>>}})
    end
  end

  describe "grants" do
    test "of tables let a script read these, as they are in the midst of a transaction, and no others",
         %{store: store} do
      :ok =
        Store.batch(
          store,
          "CREATE TABLE food (name); CREATE TABLE secrets (word); INSERT INTO secrets VALUES ('x')"
        )

      put!(store, "eats", asking("SELECT count(*), max(name) FROM food"), "pet", ["rex"],
        grants: [sql: ["food"]]
      )

      assert Script.notify(store, "rex", :process, []) == {:ok, %{0 => 0, 1 => nil}}

      assert {:ok, {:ok, %{0 => 1, 1 => "bone"}}} =
               Store.transaction(store, fn tx ->
                 Store.execute!(tx, "INSERT INTO food VALUES ('bone')")
                 Script.notify(tx, "rex", :process, [])
               end)

      put!(store, "spies", asking("SELECT word FROM secrets"), "spy", ["bo"],
        grants: [sql: ["food"]]
      )

      assert {:ok, %{0 => words}} = Script.notify(store, "bo", :process, [])
      assert words =~ "prohibited"
    end

    test "of random numbers give the same in every store, each time", %{store: store} do
      other = file_store!()

      for store <- [store, other] do
        put!(store, "dice", dice(), "pet", ["rex", "bo"], grants: [random: 42])
        put!(store, "luck", dice(), "cat", ["tom"], grants: [random: 43])
      end

      {:ok, %{"value" => value}} = Script.notify(store, "rex", :process, [])

      for store <- [store, other] do
        assert Script.notify(store, "rex", :process, []) == {:ok, %{"value" => value}}
        same = {:ok, %{"value" => value}}

        assert Script.notify_many(store, "pet", :process, []) ==
                 {:ok, [{"bo", same}, {"rex", same}]}

        assert value!(store, "SELECT notification('bo', 17)") == value
        assert value!(store, "SELECT notification('tom', 17)") != value
      end
    end
  end

  test "the same script, state and row give the same row in another store and in another VM", %{
    store: store
  } do
    wander = File.read!("guest/scripts/wander.wasm")
    rows = for step <- 1..20, do: [7, step * 0.05, 10.0, 2.0, 20.0, 0.0]
    other = path!()

    answers =
      for store <- [store, Store.open!(other)] do
        put!(store, "wander", wander, "pet", ["rex"])
        put!(store, "dice", dice(), "pet", ["dice"], grants: [random: 7])

        for(row <- rows, do: Script.notify(store, "rex", :process, row)) ++
          [Script.notify(store, "dice", 17, [])]
      end

    assert [same, same] = answers
    assert Enum.uniq(same) == same

    program = """
    store = Wasgo.Store.open!(#{inspect(other)})
    rows = #{inspect(rows)}
    answers = for(row <- rows, do: Wasgo.Script.notify(store, "rex", :process, row)) ++ [Wasgo.Script.notify(store, "dice", 17, [])]
    IO.write(Base.encode16(:erlang.term_to_binary(answers)))
    """

    ebin = Path.dirname(:code.which(Wasgo))
    {output, 0} = System.cmd(System.find_executable("elixir"), ["-pa", ebin, "-e", program])
    assert output |> Base.decode16!() |> :erlang.binary_to_term() == same
  end

  describe "what fails" do
    test "by a limit is an error that names object, script and limit", %{store: store} do
      put!(store, "echo", echo(), "pet", ["rex"])
      put!(store, "fuel", echo(), "fuel", ["fuel"], limits: [fuel: 10_000])
      put!(store, "time", echo(), "time", ["time"], limits: [timeout: 500], deterministic: false)
      put!(store, "small", echo(), "small", ["small"], limits: [memory: 40 * 65_536])

      for {object, what, cause} <- [
            {"fuel", 777, :fuel},
            {"time", 777, :time},
            {"small", 888, :memory},
            {"rex", 888, :memory}
          ] do
        assert {:error, %StoreError{reason: :script, cause: ^cause} = error} =
                 Script.notify(store, object, what, [1])

        assert Exception.message(error) =~ "object #{object}, script "

        assert {:error, %StoreError{reason: :script, cause: ^cause}} =
                 Store.query(store, "SELECT notification(?, ?)", [object, what])
      end

      assert {:error, %StoreError{reason: :timeout}} =
               Script.notify(store, "rex", 777, [], timeout: 30)

      assert {:error, %StoreError{reason: :timeout}} =
               Script.notify_many(store, "pet", 777, [], timeout: 30)

      for object <- ["rex", "fuel", "time", "small"],
          do: assert(Script.notify(store, object, 17, [1]) == {:ok, %{0 => 1}})
    end

    test "in one object spares the others of its kind", %{store: store} do
      put!(store, "counter", counter(), "pet", ["a", "d"], grants: [:state])
      put!(store, "echo", echo("x"), "pet", ["b", "e"])
      put!(store, "two", echo("x,y"), "pet", ["c"])
      assert {:ok, answers} = Script.notify_many(store, "pet", 666, [1])

      assert Enum.map(answers, fn {id, {:error, %StoreError{reason: :script, cause: cause}}} ->
               {id, cause}
             end)
             |> Enum.sort() ==
               for(id <- ["a", "b", "c", "d", "e"], do: {id, :unreachable})

      assert {:ok, answers} = Script.notify_many(store, "pet", 17, [1])
      answers = Map.new(answers)
      assert answers["a"] == {:ok, %{"count" => 1}}
      assert answers["b"] == {:ok, %{"x" => 1}}
      assert {:error, %StoreError{reason: :script, cause: :contract} = error} = answers["c"]
      assert Exception.message(error) =~ "names 2 columns"

      # One that names a column twice, of which a map has room for one.
      put!(store, "twice", echo("x,x"), "twin", ["f"])

      assert {:ok, [{"f", {:error, %StoreError{reason: :script, cause: :contract}}}]} =
               Script.notify_many(store, "twin", 17, [1, 2])

      # One whose state somebody damaged.
      Store.execute!(store, "INSERT OR REPLACE INTO wasgo_object_state VALUES ('a', x'07')")
      assert {:ok, answers} = Script.notify_many(store, "pet", 17, [1])
      answers = Map.new(answers)
      assert {:error, %StoreError{reason: :script, cause: :contract}} = answers["a"]
      assert answers["d"] == {:ok, %{"count" => 2}}
    end

    test "because there is no such object, kind, table or active version is told so", %{
      store: store
    } do
      assert {:error, %StoreError{reason: :error}} = Script.notify(store, "rex", :process, [])

      assert {:error, %StoreError{reason: :error}} =
               Script.notify_many(store, "pet", :process, [])

      :ok = Registry.migrate(store)

      assert {:error, %StoreError{reason: :unknown_object} = error} =
               Script.notify(store, "rex", :process, [])

      assert Exception.message(error) =~ ~s|"rex"|

      assert {:error, %StoreError{reason: :unknown_object}} =
               Store.query(store, "SELECT * FROM notify('rex', 17)")

      assert Script.notify_many(store, "pet", :process, []) == {:ok, []}
      put!(store, "later", echo(), "pet", ["rex"], activate: false)

      assert {:error, %StoreError{reason: :script, cause: :contract}} =
               Script.notify(store, "rex", :process, [])

      {:ok, 1} = Registry.activate(store, "later", 1)
      assert Script.notify(store, "rex", :process, [1]) == {:ok, %{0 => 1}}
    end
  end

  test "a version that is activated or rolled back is the next notification's, and what is kept stays",
       %{store: store} do
    other = Store.open!(store.location)
    put!(store, "counter", counter(1, "ones"), "pet", ["rex"], grants: [:state])
    named = "SELECT * FROM notify('rex', 17)"
    assert Store.query!(store, named) == %{columns: ["ones"], rows: [[1]]}
    {:ok, 2} = Registry.put(store, "counter", counter(10, "tens"), grants: [:state])
    assert Store.query!(store, named) == %{columns: ["tens"], rows: [[11]]}
    assert Script.notify(other, "rex", :process, []) == {:ok, %{"tens" => 21}}
    assert Registry.rollback(store, "counter") == {:ok, 1}
    assert Store.query!(other, named) == %{columns: ["ones"], rows: [[22]]}
    {:ok, 2} = Registry.activate(other, "counter", 2)
    assert Script.notify(store, "rex", :process, []) == {:ok, %{"tens" => 32}}

    assert {:error, :undone} =
             Store.transaction(store, fn tx ->
               {:ok, 1} = Registry.rollback(tx, "counter")
               assert Script.notify(tx, "rex", :process, []) == {:ok, %{"ones" => 33}}
               Store.rollback(tx, :undone)
             end)

    assert Script.notify(store, "rex", :process, []) == {:ok, %{"tens" => 42}}
  end

  test "a restricted handle notifies if it may read notify, and reaches nothing else by it", %{
    store: store
  } do
    put!(store, "counter", counter(), "pet", ["rex"], grants: [:state])
    visitor = Store.restrict(store, read: ["notify"])
    assert Script.notify(visitor, "rex", :process, []) == {:ok, %{"count" => 1}}

    assert Script.notify_many(visitor, "pet", :process, []) ==
             {:ok, [{"rex", {:ok, %{"count" => 2}}}]}

    assert value!(visitor, "SELECT notification('rex', 17)") == 3
    assert value!(visitor, "SELECT count FROM notify('rex', 17)") == 4

    for table <- ["wasgo_objects", "wasgo_object_state", "wasgo_scripts", "wasgo_script_versions"] do
      assert {:error, %StoreError{reason: :auth}} = Store.query(visitor, "SELECT * FROM #{table}")
      assert {:error, %StoreError{reason: :auth}} = Store.execute(visitor, "DELETE FROM #{table}")
    end

    stranger = Store.restrict(store, read: ["wasgo_objects", "notifications"])

    for sql <- [
          "SELECT notification('rex', 17)",
          "SELECT * FROM notify('rex', 17)",
          "SELECT * FROM notify_kind('pet', 17)"
        ],
        do: assert({:error, %StoreError{reason: :auth}} = Store.query(stranger, sql))

    assert {:error, %StoreError{reason: :auth}} = Script.notify(stranger, "rex", :process, [])

    assert {:error, %StoreError{reason: :auth}} =
             Script.notify_many(stranger, "pet", :process, [])

    assert Script.notify(store, "rex", :process, []) == {:ok, %{"count" => 5}}
  end
end
