defmodule Wasgo.Store.FilesTest do
  # What goes wrong with files, and copies of them.
  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [echo: 0, answering: 1]

  alias Wasgo.{Killed, Script, Store, StoreError}
  alias Wasgo.Script.Registry

  @moduletag :tmp_dir

  # Nothing keeps the superuser from writing.
  @root match?({"0\n", 0}, System.cmd("id", ["-u"]))

  defp open(dir, name \\ "a.db", options \\ []) do
    store = Store.open!(Path.join(dir, name), options)
    :ok = Store.batch(store, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, value)")
    store
  end

  defp insert(store, value), do: Store.execute(store, "INSERT INTO t (value) VALUES (?)", [value])

  test "a full database keeps what it has, and takes what fits", %{tmp_dir: dir} do
    store = open(dir, "a.db", max_bytes: 65_536)
    {:ok, _} = insert(store, "kept")
    rows = for _ <- 1..100, do: [{:blob, :binary.copy(<<1>>, 2_000)}]

    assert {:error, %StoreError{reason: :full, code: 13}} =
             Store.execute_many(store, "INSERT INTO t (value) VALUES (?)", rows)

    assert {:error, :full} =
             Store.transaction(store, fn tx ->
               {:error, error} = Store.execute_many(tx, "INSERT INTO t (value) VALUES (?)", rows)

               Store.rollback(tx, error.reason)
             end)

    assert Store.query!(store, "SELECT value FROM t").rows == [["kept"]]
    assert {:ok, _} = insert(store, "small")
  end

  test "a full database keeps scripts and functions as they are", %{tmp_dir: dir} do
    store = open(dir, "a.db", max_bytes: 262_144)
    {:ok, 1} = Registry.put(store, "s", echo())
    :ok = Registry.put_object(store, "o", "k", "s")
    :ok = Registry.put_object_state(store, "o", %{"key" => "kept"})
    :ok = Store.create_function(store, "f", function(1))
    large = ";;" <> String.duplicate("x", 300_000) <> "\n"

    assert {:error, %StoreError{reason: :full}} = Registry.put(store, "s", large <> echo())
    assert {:error, %StoreError{reason: :full}} = Registry.put(store, "new", large <> echo())

    assert {:error, %StoreError{reason: :full}} =
             Registry.put_object_state(store, "o", %{"key" => large |> binary_part(0, 262_144)})

    assert {:error, %StoreError{reason: :full}} =
             Store.create_function(store, "f", large <> function(2), replace: true)

    unchanged = fn store ->
      assert {:ok, [%{name: "s", version: 1}]} = Registry.list(store)
      assert {:ok, [_put, _activate]} = Registry.history(store, "s")
      assert Registry.history(store, "new") == {:ok, []}
      assert Registry.object_state(store, "o") == {:ok, %{"key" => "kept"}}
      assert {:ok, %{0 => 5}} = Script.notify(store, "o", :process, [5])
      assert Store.query!(store, "SELECT f()").rows == [[1]]
      assert Store.query!(store, "PRAGMA integrity_check").rows == [["ok"]]
    end

    unchanged.(store)
    :ok = Store.close(store)
    store = Store.open!(Path.join(dir, "a.db"))
    unchanged.(store)
    assert Registry.put(store, "s", large <> echo()) == {:ok, 2}
  end

  defp function(answer),
    do: ~s|(module (func (export "f") (result i64) (i64.const #{answer})))|

  # The limit that a process has for its files, beyond which the system writes no more than to a full disk; a disk that is full takes the
  # superuser to make.
  test "a file that the system lets grow no more keeps what was promised", %{tmp_dir: dir} do
    path = Path.join(dir, "a.db")
    lines = Killed.run("fill(#{inspect(path)})", "trap '' XFSZ; ulimit -f 4096")
    promised = Enum.count(lines, &String.starts_with?(&1, "one "))
    assert promised > 0
    # What failed is not there, for those who had it fail and for others.
    assert ["failed", reason, count] = lines |> List.last() |> String.split()
    assert reason == "full" or reason =~ "ioerr"
    assert String.to_integer(count) == promised

    store = Store.open!(path)
    assert Store.query!(store, "PRAGMA integrity_check").rows == [["ok"]]

    assert Store.query!(store, "SELECT count(*), max(number) FROM singles").rows ==
             [[promised, promised]]

    assert {:ok, _} = Store.execute(store, "INSERT INTO singles VALUES ('one', ?, '')", [0])
    assert {:ok, 2} = Registry.put(store, "changing", echo())
  end

  if @root, do: @tag(skip: "the superuser may write to every folder")

  test "a folder that may not be written", %{tmp_dir: dir} do
    folder = Path.join(dir, "locked")
    File.mkdir!(folder)
    path = Path.join(folder, "a.db")
    # By itself, without the log that a store which is being closed may still have.
    bytes = scripts!(Path.join(dir, "a.db"))
    File.write!(path, bytes)
    File.chmod!(folder, 0o500)
    on_exit(fn -> File.chmod(folder, 0o700) end)

    assert {:error, %StoreError{reason: :cantopen}} = Store.open(Path.join(folder, "new.db"))

    # There is no place for the log of one that is there.
    for options <- [[], [read_only: true]] do
      assert {:error, %StoreError{reason: :readonly_directory} = error} =
               Store.open(path, options)

      assert Exception.message(error) =~ path
    end

    assert File.read!(path) == bytes
    assert File.ls!(folder) == ["a.db"]
    File.chmod!(folder, 0o700)
    assert {:ok, %{version: 40}} = Registry.get(Store.open!(path), "s")
  end

  test "a folder that is not there", %{tmp_dir: dir} do
    path = Path.join(dir, "no/such/folder.db")
    assert {:error, %StoreError{reason: :cantopen} = error} = Store.open(path)
    assert Exception.message(error) =~ path
  end

  test "a file that may only be read", %{tmp_dir: dir} do
    store = open(dir)
    {:ok, _} = insert(store, 1)
    :ok = Store.close(store)
    reader = Store.open!(Path.join(dir, "a.db"), read_only: true)
    assert reader.readers
    assert Store.query!(reader, "SELECT value FROM t").rows == [[1]]
    assert {:error, %StoreError{reason: :readonly}} = insert(reader, 2)
    assert {:error, %StoreError{reason: :readonly}} = Store.batch(reader, "CREATE TABLE u (v)")
  end

  # A store of its own, in another program.
  test "a file that another process has locked", %{tmp_dir: dir} do
    store = open(dir, "a.db", busy_timeout: 20)
    {:ok, _} = insert(store, 1)
    {:ok, 1} = Registry.put(store, "s", echo())
    :ok = Registry.put_object(store, "o", "k", "s")

    hold = """
    store = Wasgo.Store.open!(#{inspect(Path.join(dir, "a.db"))})
    Wasgo.Store.transaction(store, fn tx ->
      Wasgo.Store.execute!(tx, "INSERT INTO t (value) VALUES (2)")
      IO.puts("locked")
      IO.read(:line)
    end)
    IO.puts("free")
    IO.read(:line)
    """

    ebin = Path.dirname(:code.which(Wasgo))
    elixir = System.find_executable("elixir")
    args = ["-pa", ebin, "-e", hold]
    other = Port.open({:spawn_executable, elixir}, [:binary, :stderr_to_stdout, args: args])
    wait_for(other, "locked")

    assert {:error, %StoreError{reason: :busy, code: 5}} = insert(store, 3)
    assert {:error, %StoreError{reason: :busy}} = Store.transaction(store, fn _tx -> :never end)
    assert {:error, %StoreError{reason: :busy}} = Registry.put(store, "s", answering("b"))
    assert {:error, %StoreError{reason: :busy}} = Registry.delete_object(store, "o")

    assert {:error, %StoreError{reason: :busy}} = Store.create_function(store, "f", function(1))

    # Reading waits for nobody, also by way of a store that is opened now.
    assert Store.query!(store, "SELECT value FROM t").rows == [[1]]
    late = Store.open!(Path.join(dir, "a.db"), busy_timeout: 20)
    assert {:ok, %{version: 1}} = Registry.get(late, "s")

    Port.command(other, "\n")
    wait_for(other, "free")
    assert {:ok, _} = insert(store, 3)
    assert Store.query!(store, "SELECT value FROM t").rows == [[1], [2], [3]]
    Port.close(other)
  end

  defp wait_for(port, word, heard \\ "") do
    unless heard =~ word do
      assert_receive {^port, {:data, data}}, 60_000
      wait_for(port, word, heard <> data)
    end
  end

  test "a file that is damaged, and one that is something else", %{tmp_dir: dir} do
    store = open(dir)
    rows = for number <- 1..5_000, do: ["value #{number}"]
    {:ok, _} = Store.execute_many(store, "INSERT INTO t (value) VALUES (?)", rows)
    {:ok, _} = Store.query(store, "PRAGMA wal_checkpoint(TRUNCATE)")
    :ok = Store.close(store)
    path = Path.join(dir, "a.db")
    <<first::binary-size(4096), rest::binary>> = File.read!(path)
    damaged = Path.join(dir, "damaged.db")
    File.write!(damaged, [first, :binary.copy(<<0xAA>>, byte_size(rest))])
    store = Store.open!(damaged)

    assert {:error, %StoreError{reason: :corrupt, code: 11}} =
             Store.query(store, "SELECT count(value) FROM t")

    assert {:error, %StoreError{reason: :corrupt}} = insert(store, "more")

    for content <- ["no database", :binary.copy("no database", 1_000)] do
      other = Path.join(dir, "other.db")
      File.write!(other, content)
      assert {:error, %StoreError{reason: :notadb} = error} = Store.open(other)
      assert Exception.message(error) =~ other
      assert File.read!(other) == content
    end

    assert {:error, %StoreError{}} = Store.open(dir)
  end

  # A file of scripts of which there is no log beside it.
  defp scripts!(path) do
    store = Store.open!(path)

    for number <- 1..40,
        do: {:ok, ^number} = Registry.put(store, "s", answering("number #{number}"))

    :ok = Registry.put_object(store, "o", "k", "s")
    :ok = Registry.put_object_state(store, "o", %{"key" => String.duplicate("value", 10_000)})
    :ok = Store.create_function(store, "f", function(1))
    close!(store)
    File.read!(path)
  end

  # Closing goes on when the call has returned: what the log has is put into the file before.
  defp close!(store) do
    _result = Store.query(store, "PRAGMA wal_checkpoint(TRUNCATE)")
    :ok = Store.close(store)
  end

  # Everything that the registry does, and what SQL does with it.
  defp all(store) do
    [
      Registry.migrate(store),
      Registry.list(store),
      Registry.get(store, "s"),
      Registry.load(store, "s"),
      Registry.versions(store, "s"),
      Registry.history(store, "s"),
      Registry.put(store, "s", answering("new")),
      Registry.activate(store, "s", 1),
      Registry.rollback(store, "s"),
      Registry.put_object(store, "p", "k", "s"),
      Registry.put_object_state(store, "o", %{}),
      Registry.delete_object(store, "o"),
      Registry.delete(store, "s", objects: true),
      Script.notify(store, "o", :process, [1]),
      Script.notify_many(store, "k", :process, [1])
    ]
  end

  test "scripts in a file that is damaged are not overwritten", %{tmp_dir: dir} do
    whole = scripts!(Path.join(dir, "whole.db"))
    size = byte_size(whole)
    rest = size - 4096

    damaged = [
      # All but the first page, of which there may be hardly anything left to know.
      {"pages", binary_part(whole, 0, 4096) <> :binary.copy(<<0xAA>>, rest)},
      {"zeros", binary_part(whole, 0, 4096) <> :binary.copy(<<0>>, rest)},
      {"cut", binary_part(whole, 0, 4096)},
      {"header", :binary.copy(<<0xAA>>, 100) <> binary_part(whole, 100, size - 100)}
    ]

    for {name, bytes} <- damaged do
      path = Path.join(dir, name <> ".db")
      File.write!(path, bytes)

      results =
        case Store.open(path) do
          {:ok, store} ->
            function = Store.create_function(store, "f", function(2), replace: true)
            results = [function | all(store)]
            close!(store)
            results

          {:error, error} ->
            assert Exception.message(error) =~ path
            [{:error, error}]
        end

      for result <- results do
        assert {:error, %StoreError{reason: reason, message: message}} = result
        assert reason in [:corrupt, :notadb], "#{name}: #{reason}, #{message}"
      end

      assert File.read!(path) == bytes, name
    end
  end

  test "scripts of a newer schema are refused, and their file keeps its bytes", %{tmp_dir: dir} do
    path = Path.join(dir, "newer.db")
    scripts!(path)
    store = Store.open!(path)
    Store.execute!(store, "UPDATE wasgo_schema SET version = 3 WHERE name = 'scripts'")
    close!(store)
    bytes = File.read!(path)
    store = Store.open!(path)

    for result <- all(store) do
      assert {:error, %StoreError{reason: :schema_version} = error} = result
      assert Exception.message(error) =~ "are of schema 3"
    end

    close!(store)
    assert File.read!(path) == bytes
  end

  describe "a backup" do
    test "is a database of its own, made while others write", %{tmp_dir: dir} do
      store = open(dir)
      rows = for number <- 1..20_000, do: ["value #{number}"]
      {:ok, _} = Store.execute_many(store, "INSERT INTO t (value) VALUES (?)", rows)
      copy = Path.join(dir, "copy.db")
      task = Task.async(fn -> Store.backup(store, copy) end)
      for number <- 1..20, do: {:ok, _} = insert(store, number)
      assert Task.await(task, 60_000) == :ok
      [[count]] = Store.query!(Store.open!(copy), "SELECT count(*) FROM t").rows
      assert count in 20_000..20_020
      assert Store.query!(Store.open!(copy), "PRAGMA integrity_check").rows == [["ok"]]
    end

    test "of memory too", %{tmp_dir: dir} do
      store = Store.open!(:memory)
      :ok = Store.batch(store, "CREATE TABLE t (v); INSERT INTO t VALUES (1)")
      copy = Path.join(dir, "copy.db")
      assert Store.backup(store, copy) == :ok
      assert Store.query!(Store.open!(copy), "SELECT v FROM t").rows == [[1]]
    end

    test "writes over nothing, and says what it can't write", %{tmp_dir: dir} do
      store = open(dir)
      path = Path.join(dir, "there.db")
      File.write!(path, "mine")
      assert {:error, %StoreError{reason: :exists} = error} = Store.backup(store, path)
      assert Exception.message(error) =~ path
      assert File.read!(path) == "mine"

      assert {:error, %StoreError{reason: :cantopen}} =
               Store.backup(store, Path.join(dir, "no/such.db"))

      Store.transaction(store, fn tx ->
        assert {:error, %StoreError{reason: :transaction_control}} =
                 Store.backup(tx, Path.join(dir, "b.db"))
      end)

      :ok = Store.close(store)
      assert {:error, %StoreError{reason: :closed}} = Store.backup(store, Path.join(dir, "c.db"))
      refute File.exists?(Path.join(dir, "c.db"))
    end
  end
end
