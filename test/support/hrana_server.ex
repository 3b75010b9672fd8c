defmodule Wasgo.HranaServer do
  @moduledoc false
  # A server of Hrana 3 over HTTP, as small as its tests need: the SQL is run by a database in a file. Or one that misbehaves: it gives
  # each connection to a function.

  alias Wasgo.{Store, TestJSON}

  # The address of a server whose database is in `dir`. It ends with the test's process. Options: `:token`, which it wants.
  def start(dir, options \\ []) do
    store = Store.open!(Path.join(dir, "server.db"))
    {:ok, streams} = Agent.start_link(fn -> %{} end)
    state = %{store: store, streams: streams, token: options[:token]}
    url = listen(fn socket -> serve(socket, state) end)
    {url, store}
  end

  # The address of a server that does with each connection what `fun` does, in a process for that.
  def listen(fun) do
    {:ok, listener} =
      :gen_tcp.listen(0, [
        :binary,
        packet: :raw,
        active: false,
        ip: {127, 0, 0, 1},
        reuseaddr: true,
        backlog: 128
      ])

    {:ok, port} = :inet.port(listener)
    spawn_link(fn -> accept(listener, fun) end)
    "http://127.0.0.1:#{port}"
  end

  defp accept(listener, fun) do
    case :gen_tcp.accept(listener) do
      {:ok, socket} -> serve(socket, listener, fun)
      # The test is over.
      {:error, :closed} -> :ok
    end
  end

  defp serve(socket, listener, fun) do
    pid =
      spawn_link(fn ->
        receive do: (:yours -> fun.(socket))
      end)

    # The peer may have gone already.
    with :ok <- :gen_tcp.controlling_process(socket, pid), do: send(pid, :yours)
    accept(listener, fun)
  end

  # The next request, `{path, headers, body}`; nil when there is none.
  def request(socket) do
    :inet.setopts(socket, packet: :http_bin)

    with {:ok, {:http_request, :POST, {:abs_path, path}, _version}} <- :gen_tcp.recv(socket, 0) do
      headers = headers(socket, %{})
      :inet.setopts(socket, packet: :raw)
      length = headers |> Map.get("content-length", "0") |> String.to_integer()

      case if(length == 0, do: {:ok, ""}, else: :gen_tcp.recv(socket, length)) do
        {:ok, body} -> {path, headers, body}
        {:error, _closed} -> nil
      end
    else
      _ -> nil
    end
  end

  defp headers(socket, headers) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, {:http_header, _, name, _, value}} ->
        headers(socket, Map.put(headers, name |> to_string() |> String.downcase(), value))

      _end ->
        headers
    end
  end

  # An answer with all of its body.
  def answer(socket, status, body) do
    :gen_tcp.send(socket, [
      "HTTP/1.1 #{status} x\r\ncontent-type: application/json\r\ncontent-length: ",
      Integer.to_string(IO.iodata_length(body)),
      "\r\n\r\n",
      body
    ])
  end

  # An answer whose body comes in pieces.
  def begin_answer(socket) do
    :gen_tcp.send(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
  end

  def piece(socket, bytes) do
    size = Integer.to_string(IO.iodata_length(bytes), 16)
    :gen_tcp.send(socket, [size, "\r\n", bytes, "\r\n"])
  end

  def end_answer(socket), do: :gen_tcp.send(socket, "0\r\n\r\n")

  defp serve(socket, state) do
    case request(socket) do
      nil ->
        :gen_tcp.close(socket)

      {path, headers, body} ->
        if state.token in [
             nil,
             String.replace_prefix(headers["authorization"] || "", "Bearer ", "")
           ] do
          handle(path, if(path =~ ~r{\A/v3/}, do: TestJSON.decode!(body)), socket, state)
        else
          answer(socket, 401, ~s({"error":"the token is not the one"}))
        end

        serve(socket, state)
    end
  end

  defp handle("/v3/pipeline", body, socket, state) do
    case stream(body["baton"], state) do
      nil ->
        answer(socket, 400, "unknown baton")

      {baton, pid} ->
        results = for request <- body["requests"], do: outcome(pid, request)
        baton = if Process.alive?(pid), do: baton
        answer(socket, 200, json(%{baton: baton, base_url: nil, results: results}))
    end
  end

  defp handle("/v3/cursor", body, socket, state) do
    case stream(body["baton"], state) do
      nil ->
        answer(socket, 400, "unknown baton")

      {baton, pid} ->
        [%{"stmt" => statement}] = body["batch"]["steps"]
        begin_answer(socket)
        lines = [json(%{baton: baton, base_url: nil}) | entries(ask(pid, {:query, statement}))]
        # Several lines in a piece, and lines in several pieces.
        bytes = lines |> Enum.map(&[&1, ?\n]) |> IO.iodata_to_binary()
        for <<part::binary-size(10_000) <- bytes>>, do: piece(socket, part)

        case rem(byte_size(bytes), 10_000) do
          0 -> :ok
          rest -> piece(socket, binary_part(bytes, byte_size(bytes), -rest))
        end

        end_answer(socket)
    end
  end

  defp handle(_path, _body, socket, _state), do: answer(socket, 404, "not here")

  defp entries({:ok, %{columns: columns, rows: rows}}) do
    [
      json(%{type: "step_begin", step: 0, cols: for(name <- columns, do: %{name: name})}),
      Enum.map(rows, &json(%{type: "row", row: Enum.map(&1, fn value -> value(value) end)}))
      |> Enum.intersperse(?\n),
      json(%{type: "step_end", affected_row_count: 0, last_insert_rowid: nil})
    ]
    |> Enum.reject(&(&1 == []))
  end

  defp entries({:error, error}),
    do: [json(%{type: "step_error", step: 0, error: fault(error)})]

  ## Streams: each a process, whose transactions are those of the database

  defp stream(nil, state) do
    pid = spawn(fn -> loop(%{store: state.store, depth: 0, undo: false}) end)
    baton = "baton-#{System.unique_integer([:positive])}"
    Agent.update(state.streams, &Map.put(&1, baton, pid))
    {baton, pid}
  end

  defp stream(baton, state) do
    pid = Agent.get(state.streams, & &1[baton])
    if pid && Process.alive?(pid), do: {baton, pid}
  end

  defp ask(pid, what) do
    monitor = Process.monitor(pid)
    send(pid, {self(), monitor, what})

    receive do
      {^monitor, answer} ->
        Process.demonitor(monitor, [:flush])
        answer

      {:DOWN, ^monitor, :process, _pid, _reason} ->
        :closed
    end
  end

  defp loop(state) do
    receive do
      {_from, _reference, :close} ->
        exit(:normal)

      {from, reference, what} ->
        case control(what) do
          nil -> state |> run(what, from, reference) |> loop()
          word -> transaction(word, state, from, reference)
        end
    after
      # Nobody goes on with it.
      30_000 -> exit(:normal)
    end
  end

  defp control({:execute, %{"sql" => sql}}) do
    word = sql |> String.split() |> hd() |> String.upcase()
    if word in ~w(BEGIN COMMIT ROLLBACK SAVEPOINT RELEASE), do: {word, sql}
  end

  defp control(_what), do: nil

  defp transaction({word, _sql}, state, from, reference) when word in ~w(BEGIN SAVEPOINT) do
    me = self()

    result =
      Store.transaction(
        state.store,
        fn inside ->
          send(from, {reference, {:ok, %{changes: 0, last_insert_rowid: 0}}})
          ended = loop(%{state | store: inside, depth: state.depth + 1, undo: false})
          {{from, reference}, how} = ended
          Process.put(me, {from, reference})
          if how == :undone, do: Store.rollback(inside, :undone)
        end,
        timeout: 60_000
      )

    done = {:ok, %{changes: 0, last_insert_rowid: 0}}

    case {result, Process.delete(me)} do
      {{:ok, _}, {from, reference}} -> send(from, {reference, done})
      {{:error, :undone}, {from, reference}} -> send(from, {reference, done})
      {{:error, error}, nil} -> send(from, {reference, {:error, error}})
      {{:error, error}, {from, reference}} -> send(from, {reference, {:error, error}})
    end

    loop(%{state | undo: false})
  end

  defp transaction({"ROLLBACK", sql}, %{depth: depth} = state, from, reference) when depth > 0 do
    if sql =~ ~r/ROLLBACK TO/i do
      send(from, {reference, {:ok, %{changes: 0, last_insert_rowid: 0}}})
      loop(%{state | undo: true})
    else
      {{from, reference}, :undone}
    end
  end

  defp transaction({_word, _sql}, %{depth: depth} = state, from, reference) when depth > 0 do
    {{from, reference}, if(state.undo, do: :undone, else: :kept)}
  end

  defp transaction(_word, state, from, reference) do
    error = %Wasgo.StoreError{reason: :error, message: "no transaction is active"}
    send(from, {reference, {:error, error}})
    loop(state)
  end

  defp run(state, what, from, reference) do
    send(from, {reference, run(what, state)})
    state
  end

  defp run(:autocommit, state), do: state.depth == 0

  defp run({:execute, %{"sql" => sql} = statement}, state),
    do: Store.execute(state.store, sql, parameters(statement))

  defp run({:query, %{"sql" => sql} = statement}, state),
    do: Store.query(state.store, sql, parameters(statement), max_rows: 1_000_000)

  defp run({:sequence, sql}, state) do
    with :ok <- Store.batch(state.store, sql), do: {:ok, %{changes: 0, last_insert_rowid: 0}}
  end

  ## What is asked, and what is answered

  defp outcome(pid, %{"type" => "execute", "stmt" => statement}) do
    case ask(pid, {:execute, statement}) do
      {:ok, done} -> ok("execute", %{result: done(done)})
      {:error, error} -> %{type: "error", error: fault(error)}
    end
  end

  defp outcome(pid, %{"type" => "sequence", "sql" => sql}) do
    case ask(pid, {:sequence, sql}) do
      {:ok, _} -> ok("sequence", %{})
      {:error, error} -> %{type: "error", error: fault(error)}
    end
  end

  defp outcome(pid, %{"type" => "batch", "batch" => %{"steps" => steps}}) do
    {results, errors} =
      steps
      |> Enum.reduce([], fn step, before ->
        wanted = step["condition"]

        if wanted == nil or match?({:ok, _}, Enum.at(Enum.reverse(before), wanted["step"])) do
          [ask(pid, {:execute, step["stmt"]}) | before]
        else
          [nil | before]
        end
      end)
      |> Enum.reverse()
      |> Enum.map(fn
        {:ok, done} -> {done(done), nil}
        {:error, error} -> {nil, fault(error)}
        nil -> {nil, nil}
      end)
      |> Enum.unzip()

    ok("batch", %{result: %{step_results: results, step_errors: errors}})
  end

  defp outcome(pid, %{"type" => "get_autocommit"}),
    do: ok("get_autocommit", %{is_autocommit: ask(pid, :autocommit)})

  defp outcome(pid, %{"type" => "close"}) do
    ask(pid, :close)
    ok("close", %{})
  end

  defp ok(type, more), do: %{type: "ok", response: Map.put(more, :type, type)}

  defp done(%{changes: changes, last_insert_rowid: rowid}),
    do: %{
      cols: [],
      rows: [],
      affected_row_count: changes,
      last_insert_rowid: Integer.to_string(rowid)
    }

  defp fault(%{reason: reason, message: message, code: code}) do
    code = if code, do: "SQLITE_" <> String.upcase(to_string(reason)), else: code_of(reason)
    %{message: message, code: code}
  end

  defp code_of(reason) when reason in [:param_count, :unknown_param, :missing_param],
    do: "ARGS_INVALID"

  defp code_of(:empty_sql), do: "SQL_NO_STATEMENT"
  defp code_of(:multiple_statements), do: "SQL_MANY_STATEMENTS"
  defp code_of(reason), do: reason |> to_string() |> String.upcase()

  defp parameters(%{"named_args" => [_ | _] = named}),
    do: for(%{"name" => name, "value" => value} <- named, do: {name, parameter(value)})

  defp parameters(%{"args" => args}), do: Enum.map(args, &parameter/1)
  defp parameters(_statement), do: []

  defp parameter(%{"type" => "null"}), do: nil
  defp parameter(%{"type" => "integer", "value" => digits}), do: String.to_integer(digits)
  defp parameter(%{"type" => "float", "value" => number}), do: number * 1.0
  defp parameter(%{"type" => "text", "value" => text}), do: text

  defp parameter(%{"type" => "blob", "base64" => text}),
    do: {:blob, Base.decode64!(text, padding: false)}

  defp value(nil), do: %{type: "null"}

  defp value(integer) when is_integer(integer),
    do: %{type: "integer", value: Integer.to_string(integer)}

  defp value(float) when is_float(float), do: %{type: "float", value: float}
  defp value(infinity) when is_atom(infinity), do: %{type: "float", value: nil}
  defp value(text) when is_binary(text), do: %{type: "text", value: text}

  defp value({:blob, bytes}),
    do: %{type: "blob", base64: Base.encode64(bytes, padding: false)}

  def json(value), do: TestJSON.encode(value)
end
