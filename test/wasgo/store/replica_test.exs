defmodule Wasgo.Store.ReplicaTest do
  # Copies of a server's database in a file.
  use ExUnit.Case, async: true

  alias Wasgo.{LibsqlServer, Store, StoreError}

  @moduletag :tmp_dir
  @moduletag :replication

  test "a server that is not there is no server to begin a copy of", %{tmp_dir: dir} do
    {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(socket)
    :gen_tcp.close(socket)
    path = Path.join(dir, "copy.db")

    assert {:error, %StoreError{reason: :unreachable, message: message}} =
             Store.open(path, replica_of: "http://127.0.0.1:#{port}")

    assert message =~ path
    assert message =~ "127.0.0.1:#{port}"
    refute File.exists?(path)
  end

  test "a server that speaks of rows only is none to copy", %{tmp_dir: dir} do
    {url, _store} = Wasgo.HranaServer.start(dir)

    assert {:error, %StoreError{reason: :sync}} =
             Store.open(Path.join(dir, "copy.db"), replica_of: url)
  end

  describe "of a libSQL server" do
    @describetag :libsql_server

    setup %{tmp_dir: dir} do
      {url, options} = LibsqlServer.start()
      primary = Store.open!(url, options)
      table = "r#{System.unique_integer([:positive])}_#{System.os_time()}"
      :ok = Store.batch(primary, "CREATE TABLE #{table} (a)")

      on_exit(fn ->
        with {:ok, store} <- Store.open(url, options),
             do: Store.execute(store, "DROP TABLE IF EXISTS #{table}")
      end)

      %{
        primary: primary,
        table: table,
        path: Path.join(dir, "copy.db"),
        options: [replica_of: url] ++ options
      }
    end

    defp rows(store, table), do: Store.query!(store, "SELECT a FROM #{table} ORDER BY a").rows

    test "it has what the server had, and on demand what is new", context do
      %{primary: primary, table: table} = context
      {:ok, _} = Store.execute(primary, "INSERT INTO #{table} VALUES (1)")
      copy = Store.open!(context.path, context.options)
      assert rows(copy, table) == [[1]]
      {:ok, _} = Store.execute(primary, "INSERT INTO #{table} VALUES (2)")
      assert rows(copy, table) == [[1]]
      assert {:ok, %{frames: frames, frame_no: frame_no}} = Store.sync(copy)
      assert frames > 0 and frame_no > 0
      assert rows(copy, table) == [[1], [2]]
      assert {:ok, %{frames: 0}} = Store.sync(copy)
      assert inspect(copy) =~ "a copy of http"
    end

    test "what is written through it is on the server, and in it", context do
      %{primary: primary, table: table} = context
      copy = Store.open!(context.path, context.options)
      {:ok, %{changes: 1}} = Store.execute(copy, "INSERT INTO #{table} VALUES (1)")
      assert rows(copy, table) == [[1]]
      assert rows(primary, table) == [[1]]

      assert {:ok, [[1], [2]]} =
               Store.transaction(copy, fn tx ->
                 {:ok, _} = Store.execute(tx, "INSERT INTO #{table} VALUES (2)")
                 assert rows(copy, table) == [[1]]
                 rows(tx, table)
               end)

      assert rows(copy, table) == [[1], [2]]
      assert Store.query!(copy, "INSERT INTO #{table} VALUES (3) RETURNING a").rows == [[3]]
      assert rows(copy, table) == [[1], [2], [3]]
      assert copy |> Store.stream("SELECT a FROM #{table}") |> Enum.count() == 3
    end

    test "without read_your_writes a write is seen when it was fetched", context do
      %{table: table} = context
      copy = Store.open!(context.path, [read_your_writes: false] ++ context.options)
      {:ok, _} = Store.execute(copy, "INSERT INTO #{table} VALUES (1)")
      assert rows(copy, table) == []
      {:ok, _} = Store.sync(copy)
      assert rows(copy, table) == [[1]]
    end

    test "it follows by itself where it is told to", context do
      %{primary: primary, table: table} = context
      copy = Store.open!(context.path, [sync_every: 10] ++ context.options)
      {:ok, _} = Store.execute(primary, "INSERT INTO #{table} VALUES (1)")
      until(fn -> rows(copy, table) == [[1]] end)
    end

    # Ends by the test's own time limit at the latest.
    defp until(holds), do: if(not holds.(), do: until(holds))

    test "it is opened again, and is a database of its own without its server", context do
      %{primary: primary, table: table} = context
      {:ok, _} = Store.execute(primary, "INSERT INTO #{table} VALUES (1)")
      copy = Store.open!(context.path, context.options)
      Store.close(copy)
      {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
      {:ok, port} = :inet.port(socket)
      :gen_tcp.close(socket)

      alone = Store.open!(context.path, replica_of: "http://127.0.0.1:#{port}")
      assert rows(alone, table) == [[1]]

      assert {:error, %StoreError{reason: :unreachable}} =
               Store.execute(alone, "INSERT INTO #{table} VALUES (2)")

      assert {:error, %StoreError{reason: :sync}} = Store.sync(alone)
      Store.close(alone)

      again = Store.open!(context.path, context.options)
      {:ok, _} = Store.execute(again, "INSERT INTO #{table} VALUES (3)")
      assert rows(again, table) == [[1], [3]]
    end

    test "many read while it is written to", context do
      %{table: table} = context
      copy = Store.open!(context.path, context.options)

      readers =
        for _ <- 1..4 do
          Task.async(fn ->
            Enum.reduce_while(Stream.cycle([:again]), 0, fn :again, before ->
              [[now]] = Store.query!(copy, "SELECT count(*) FROM #{table}").rows
              true = now >= before
              if now == 50, do: {:halt, now}, else: {:cont, now}
            end)
          end)
        end

      for i <- 1..50, do: {:ok, _} = Store.execute(copy, "INSERT INTO #{table} VALUES (?)", [i])
      assert Task.await_many(readers, 60_000) == [50, 50, 50, 50]
    end

    test "what a server's database can't do it can't either; a copy of the copy can be made",
         context do
      copy = Store.open!(context.path, context.options)
      assert {:error, %StoreError{reason: :not_remote}} = Store.subscribe(copy)

      assert {:error, %StoreError{reason: :not_remote}} =
               Store.create_function(copy, "f", "(module)")

      other = context.path <> ".copy"
      assert :ok = Store.backup(copy, other)
      assert rows(Store.open!(other), context.table) == []
    end
  end
end
