defmodule Wasgo.Store.RemoteTest do
  # Databases on a server, against a server of the tests' own, whose SQL is really run.
  use ExUnit.Case, async: true

  @moduletag :tmp_dir
  @moduletag :remote

  use Wasgo.ServerCases

  alias Wasgo.HranaServer

  setup %{tmp_dir: dir} do
    {url, _store} = HranaServer.start(dir)
    %{url: url, options: []}
  end

  test "the reason is the extended one where the server tells it", context do
    store = connect(context)
    t = table(store, "a UNIQUE, b NOT NULL", context.options)
    {:ok, _} = Store.execute(store, "INSERT INTO #{t} VALUES (1, 1)")

    assert {:error, %StoreError{reason: :constraint_unique, code: 2067}} =
             Store.execute(store, "INSERT INTO #{t} VALUES (1, 1)")

    assert {:error, %StoreError{reason: :constraint_notnull}} =
             Store.execute(store, "INSERT INTO #{t} VALUES (2, NULL)")
  end

  test "a token is sent, and never shown", %{tmp_dir: dir} do
    File.mkdir_p!(Path.join(dir, "guarded"))
    {url, _} = HranaServer.start(Path.join(dir, "guarded"), token: "sesame")
    store = Store.open!(url, auth_token: "sesame")
    assert Store.query!(store, "SELECT 1").rows == [[1]]
    refute inspect(store) =~ "sesame"

    assert {:error, %StoreError{reason: :unauthorized, message: message}} =
             Store.open(url, auth_token: "simsim")

    assert message =~ url
    refute message =~ "simsim"
    assert {:error, %StoreError{reason: :unauthorized}} = Store.open(url)
  end

  test "options that have no meaning are refused by name", %{url: url, tmp_dir: dir} do
    for {location, options, name} <- [
          {url, [readers: 2], "readers"},
          {url, [wal: false], "wal"},
          {url, [max_bytes: 10_000], "max_bytes"},
          {url, [synchronous: :full], "synchronous"},
          {url, [replica_of: url], "replica_of"},
          {Path.join(dir, "a.db"), [auth_token: "t"], "auth_token"},
          {:memory, [connect_timeout: 1], "connect_timeout"},
          {:memory, [replica_of: url], "replica_of"},
          {Path.join(dir, "b.db"), [replica_of: url, wal: true], "wal"}
        ] do
      assert {:error, %StoreError{reason: :invalid_option, message: message}} =
               Store.open(location, options)

      assert message =~ name
    end

    for wrong <- [
          "ws://127.0.0.1:1",
          "http://me:secret@127.0.0.1",
          "http://127.0.0.1/?authToken=secret"
        ] do
      assert {:error, %StoreError{reason: :invalid_option, message: message}} = Store.open(wrong)
      refute message =~ "secret"
    end

    for wrong <- ["", "a b", "a\nb"] do
      assert {:error, %StoreError{reason: :invalid_option, message: message}} =
               Store.open(url, auth_token: wrong)

      assert message =~ "auth_token"
    end
  end

  test "a server that is not there is unreachable" do
    {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(socket)
    :gen_tcp.close(socket)

    assert {:error, %StoreError{reason: :unreachable, message: message}} =
             Store.open("http://127.0.0.1:#{port}")

    assert message =~ "127.0.0.1:#{port}"
  end

  test "a server that never answers is unreachable after the time for that" do
    url = HranaServer.listen(fn _socket -> Process.sleep(:infinity) end)
    assert {:error, %StoreError{reason: :unreachable}} = Store.open(url, connect_timeout: 100)
  end

  test "what another program answers is no answer" do
    for bytes <- [
          "SSH-2.0-OpenSSH\r\n",
          "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
          "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
          "HTTP/1.1 301 Moved\r\nlocation: http://example.org\r\ncontent-length: 0\r\n\r\n",
          "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"results\":1}",
          "HTTP/1.1 200 OK\r\nx: #{String.duplicate("x", 900_000)}"
        ] do
      url =
        HranaServer.listen(fn socket ->
          HranaServer.request(socket)
          :gen_tcp.send(socket, bytes)
          Process.sleep(:infinity)
        end)

      assert {:error, %StoreError{reason: :bad_answer, message: message}} =
               Store.open(url, connect_timeout: 60_000)

      assert message =~ url
    end
  end

  test "an answer that never ends is given up at its limit" do
    url =
      HranaServer.listen(fn socket ->
        HranaServer.request(socket)
        HranaServer.begin_answer(socket)
        flood(socket, String.duplicate(" ", 65_536))
      end)

    assert {:error, %StoreError{reason: :bad_answer}} = Store.open(url)
  end

  defp flood(socket, bytes) do
    if HranaServer.piece(socket, bytes) == :ok, do: flood(socket, bytes)
  end

  # A server that is well until it is asked with a cursor, or with what `fun` picks.
  defp bad(dir, fun) do
    {good, _} = HranaServer.start(dir)
    %{port: port} = URI.parse(good)

    HranaServer.listen(fn socket ->
      {:ok, behind} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false])
      relay(socket, behind, fun)
    end)
  end

  defp relay(socket, behind, fun) do
    case HranaServer.request(socket) do
      nil ->
        :gen_tcp.close(socket)

      {path, _headers, body} = request ->
        if fun.(request, socket) == :relay do
          :gen_tcp.send(
            behind,
            "POST #{path} HTTP/1.1\r\ncontent-length: #{byte_size(body)}\r\n\r\n#{body}"
          )

          pass(behind, socket)
        end

        relay(socket, behind, fun)
    end
  end

  # Answers come whole, or end with an empty piece.
  defp pass(behind, socket) do
    {:ok, bytes} = :gen_tcp.recv(behind, 0)
    :gen_tcp.send(socket, bytes)
    chunked? = bytes =~ "chunked"

    cond do
      chunked? and not String.ends_with?(bytes, "0\r\n\r\n") -> pass_pieces(behind, socket)
      chunked? -> :ok
      true -> pass_rest(bytes, behind, socket)
    end
  end

  defp pass_pieces(behind, socket) do
    {:ok, bytes} = :gen_tcp.recv(behind, 0)
    :gen_tcp.send(socket, bytes)
    if not String.ends_with?(bytes, "0\r\n\r\n"), do: pass_pieces(behind, socket)
  end

  defp pass_rest(bytes, behind, socket) do
    [head, body] = String.split(bytes, "\r\n\r\n", parts: 2)
    [_, length] = Regex.run(~r/content-length: (\d+)/, head)

    case String.to_integer(length) - byte_size(body) do
      0 ->
        :ok

      rest ->
        {:ok, bytes} = :gen_tcp.recv(behind, rest)
        :gen_tcp.send(socket, bytes)
    end
  end

  defp cursor(lines) do
    fn {path, _, _}, socket ->
      if path == "/v3/cursor" do
        HranaServer.begin_answer(socket)
        Enum.each([~s({"baton":null})] ++ lines, &HranaServer.piece(socket, [&1, ?\n]))
        HranaServer.end_answer(socket)
      else
        :relay
      end
    end
  end

  test "rows that are none end the query, and the store goes on", %{tmp_dir: dir} do
    begin = ~s({"type":"step_begin","step":0,"cols":[{"name":"a"}]})

    for {lines, reason} <- [
          {[], :disconnected},
          {[begin], :disconnected},
          {["nonsense"], :bad_answer},
          {[~s({"type":"row","row":[]})], :bad_answer},
          {[begin, begin], :bad_answer},
          {[begin, ~s({"type":"row","row":[]})], :bad_answer},
          {[begin, ~s({"type":"row","row":[{"type":"integer","value":"x"}]})], :bad_answer},
          {[begin, ~s({"type":"row","row":[{"type":"integer","value":1}]})], :bad_answer},
          {[begin, ~s({"type":"row","row":[{"type":"float","value":null}]})], :bad_answer},
          {[begin, ~s({"type":"row","row":[{"type":"blob","base64":"?"}]})], :bad_answer},
          {[begin, ~s({"type":"row","row":[{"type":"date","value":"1"}]})], :bad_answer},
          {[begin] ++ List.duplicate(~s({"type":"else"}), 100), :bad_answer},
          {[~s({"type":"error","error":{"message":"no","code":"SQLITE_BUSY"}})], :busy},
          {[~s({"type":"error","error":{"message":"no","code":"NEW"}})], :server},
          {[~s({"type":"error"})], :bad_answer}
        ] do
      folder = Path.join(dir, Integer.to_string(System.unique_integer([:positive])))
      File.mkdir_p!(folder)
      store = folder |> bad(cursor(lines)) |> Store.open!()
      assert {:error, %StoreError{reason: ^reason}} = Store.query(store, "SELECT 1")
      assert {:ok, _} = Store.execute(store, "CREATE TABLE t (a)")
    end
  end

  test "what a later version of the protocol adds is passed over", %{tmp_dir: dir} do
    lines = [
      ~s({"type":"news","of":[1]}),
      ~s({"type":"step_begin","step":0,"cols":[{"name":"a","more":{}}],"x":null}),
      ~s({"type":"row","row":[{"type":"text","value":"b","more":1}]}),
      ~s({"type":"step_end","affected_row_count":0,"last_insert_rowid":null}),
      ~s({"type":"replication_index","replication_index":null})
    ]

    store = dir |> bad(cursor(lines)) |> Store.open!()
    assert Store.query!(store, "SELECT 1") == %{columns: ["a"], rows: [["b"]]}
  end

  test "a row without an end is given up at the query's limit", %{tmp_dir: dir} do
    flooding = fn {path, _, _}, socket ->
      if path == "/v3/cursor" do
        HranaServer.begin_answer(socket)

        HranaServer.piece(
          socket,
          ~s({"baton":null}\n{"type":"step_begin","cols":[{"name":"a"}]}\n)
        )

        HranaServer.piece(socket, ~s({"type":"row","row":[{"type":"text","value":"))
        flood(socket, String.duplicate("x", 65_536))
      else
        :relay
      end
    end

    store = dir |> bad(flooding) |> Store.open!()

    assert {:error, %StoreError{reason: :byte_limit}} =
             Store.query(store, "SELECT 1", [], max_bytes: 100_000)
  end

  # Silent to cursors and to statements that say so.
  defp silent(dir) do
    test = self()

    bad(dir, fn {_path, _, body}, _socket ->
      if body =~ "silence" do
        send(test, :asked)
        Process.sleep(:infinity)
      else
        :relay
      end
    end)
  end

  test "a server that falls silent is waited for until the time is over", %{tmp_dir: dir} do
    store = dir |> silent() |> Store.open!()

    assert {:error, %StoreError{reason: :timeout}} =
             Store.query(store, "SELECT 'silence'", [], timeout: 100)

    assert {:error, %StoreError{reason: :timeout}} =
             Store.execute(store, "SELECT 'silence'", [], timeout: 100)

    assert_raise StoreError, ~r/timed out/, fn ->
      store |> Store.stream("SELECT 'silence'", [], timeout: 100) |> Enum.to_list()
    end

    assert Store.query!(store, "SELECT 1").rows == [[1]]

    assert {:error, %StoreError{reason: :no_transaction}} =
             Store.transaction(store, fn tx ->
               {:error, %StoreError{reason: :timeout}} =
                 Store.execute(tx, "SELECT 'silence'", [], timeout: 100)

               {:error, %StoreError{reason: :no_transaction}} = Store.execute(tx, "SELECT 1")
             end)
  end

  test "interrupt and close end the waiting", %{tmp_dir: dir} do
    store = dir |> silent() |> Store.open!()

    for ask <- [
          &Store.query(&1, "SELECT 'silence'", [], timeout: 600_000),
          &Store.execute(&1, "SELECT 'silence'", [], timeout: 600_000)
        ] do
      task = Task.async(fn -> ask.(store) end)
      assert_receive :asked, 30_000
      Store.interrupt(store)
      assert {:error, %StoreError{reason: :interrupted}} = Task.await(task, 30_000)
    end

    task = Task.async(fn -> Store.query(store, "SELECT 'silence'", [], timeout: 600_000) end)
    assert_receive :asked, 30_000
    Store.close(store)
    assert {:error, %StoreError{reason: :interrupted}} = Task.await(task, 30_000)
    assert {:error, %StoreError{reason: :closed}} = Store.query(store, "SELECT 1")
  end

  test "a holder's death ends its waiting, and its transaction", %{tmp_dir: dir} do
    store = dir |> silent() |> Store.open!()
    {:ok, _} = Store.execute(store, "CREATE TABLE t (a)")

    holder =
      spawn(fn ->
        Store.transaction(store, fn tx ->
          {:ok, _} = Store.execute(tx, "INSERT INTO t VALUES ('lost')")
          Store.execute(tx, "SELECT 'silence'", [], timeout: 600_000)
        end)
      end)

    assert_receive :asked, 30_000
    waiting = Task.async(fn -> Store.query(store, "SELECT count(*) FROM t") end)
    Process.exit(holder, :kill)
    assert {:ok, %{rows: [[0]]}} = Task.await(waiting, 30_000)
  end

  test "a connection that ends in the midst of an answer is told from an answer", %{tmp_dir: dir} do
    ending = fn {_path, _, body}, socket ->
      if body =~ "abrupt" do
        :gen_tcp.send(socket, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"baton\"")
        :gen_tcp.close(socket)
      else
        :relay
      end
    end

    store = dir |> bad(ending) |> Store.open!()
    assert {:error, %StoreError{reason: :disconnected}} = Store.execute(store, "SELECT 'abrupt'")
    assert {:error, %StoreError{reason: :disconnected}} = Store.query(store, "SELECT 'abrupt'")
    assert Store.query!(store, "SELECT 1").rows == [[1]]
  end

  test "a server that forgot the stream is asked anew, but not within a transaction", %{
    tmp_dir: dir
  } do
    {:ok, forgets} = Agent.start_link(fn -> false end)

    forgetting = fn {_path, _, body}, socket ->
      if Agent.get(forgets, & &1) and not (body =~ ~s("baton":null)) do
        HranaServer.answer(socket, 400, "unknown baton")
      else
        :relay
      end
    end

    store = dir |> bad(forgetting) |> Store.open!()
    {:ok, _} = Store.execute(store, "CREATE TABLE t (a)")
    Agent.update(forgets, fn _ -> true end)
    assert {:ok, %{changes: 1}} = Store.execute(store, "INSERT INTO t VALUES (1)")

    Store.transaction(store, fn tx ->
      assert {:error, %StoreError{reason: :server}} =
               Store.execute(tx, "INSERT INTO t VALUES (2)")

      assert {:error, %StoreError{reason: :no_transaction}} =
               Store.execute(tx, "INSERT INTO t VALUES (3)")
    end)
  end

  test "a server may send a stream's requests to another address" do
    test = self()

    elsewhere =
      HranaServer.listen(fn socket ->
        {_path, headers, body} = HranaServer.request(socket)
        send(test, {:elsewhere, headers["host"], body})

        HranaServer.answer(
          socket,
          200,
          HranaServer.json(%{
            baton: nil,
            results: [
              %{type: "ok", response: %{type: "execute", result: %{affected_row_count: 9}}},
              %{type: "ok", response: %{type: "get_autocommit", is_autocommit: true}}
            ]
          })
        )
      end)

    first =
      HranaServer.listen(fn socket ->
        HranaServer.request(socket)

        HranaServer.answer(
          socket,
          200,
          HranaServer.json(%{
            baton: "b",
            base_url: elsewhere,
            results: [
              %{type: "ok", response: %{type: "execute", result: %{}}},
              %{type: "ok", response: %{type: "get_autocommit", is_autocommit: true}}
            ]
          })
        )
      end)

    store = Store.open!(first)
    assert {:ok, %{changes: 9}} = Store.execute(store, "SELECT 1")
    assert_receive {:elsewhere, host, body}, 30_000
    assert elsewhere == "http://" <> host
    assert body =~ ~s("baton":"b")
  end

  test "requests beyond the queue are refused", %{tmp_dir: dir} do
    store = dir |> silent() |> Store.open!()
    test = self()

    spawn_link(fn -> Store.execute(store, "SELECT 'silence'", [], timeout: 600_000) end)
    assert_receive :asked, 30_000

    for _ <- 1..1200 do
      spawn_link(fn ->
        send(test, {:answer, Store.execute(store, "SELECT 1", [], timeout: 600_000)})
      end)
    end

    assert_receive {:answer, {:error, %StoreError{reason: :queue_full}}}, 30_000
    Store.close(store)
  end
end
