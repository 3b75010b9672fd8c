defmodule Wasgo.Store.FilesTest do
  # What goes wrong with files, and copies of them.
  use ExUnit.Case, async: true

  alias Wasgo.{Store, StoreError}

  @moduletag :tmp_dir

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

  test "a folder that may not be written", %{tmp_dir: dir} do
    folder = Path.join(dir, "locked")
    File.mkdir!(folder)
    :ok = Store.close(open(folder))
    File.chmod!(folder, 0o500)
    on_exit(fn -> File.chmod(folder, 0o700) end)

    # Who may do everything may do this too.
    unless File.write(Path.join(folder, "probe"), "") == :ok do
      assert {:error, %StoreError{reason: :cantopen}} = Store.open(Path.join(folder, "new.db"))
    end

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
    assert Store.query!(store, "SELECT value FROM t").rows == [[1]]

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
