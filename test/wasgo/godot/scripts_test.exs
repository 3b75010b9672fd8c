defmodule Wasgo.Godot.ScriptsTest do
  # Scripts of an engine's nodes: attached, notified, and what comes of it.
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Wasgo.Godot.{Connection, Transform3D, Vector3}
  alias Wasgo.Script.Registry
  alias Wasgo.{Script, Store, TestPeer}

  @moduletag :capture_log
  @process 17

  # Answers with the node's id and time. Node 13 makes it loop, node 14 trap, and notification 99 changes nothing.
  @echo """
  (module
    (memory (export "memory") 1)
    (data (i32.const 16) "COLUMNS")
    (data (i32.const 64) "\\02\\00\\00\\00\\28\\00\\00\\00"
      "\\01\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00"
      "\\02\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00")
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_columns") (result i64) (i64.const 0x100000000a))
    (func (export "_notification") (param $what i32) (param $row i32) (param i32) (result i64)
      (local $id i64)
      (local.set $id (i64.load offset=16 (local.get $row)))
      (if (i64.eq (local.get $id) (i64.const 13)) (then (loop $for_ever (br $for_ever))))
      (if (i64.eq (local.get $id) (i64.const 14)) (then unreachable))
      (if (i32.eq (local.get $what) (i32.const 99)) (then (return (i64.const 0))))
      (i64.store (i32.const 80) (local.get $id))
      (f64.store (i32.const 96) (f64.load offset=32 (local.get $row)))
      (i64.const 0x4000000028)))
  """

  defp echo(columns \\ "number,age"), do: String.replace(@echo, "COLUMNS", columns)

  defp peer(scripts) do
    {socket, connection, _server} = TestPeer.link(scripts: scripts)
    {socket, connection}
  end

  defp longs(list), do: {:packed_int64, for(n <- list, into: <<>>, do: <<n::little-signed-64>>)}
  defp ints(list), do: {:packed_int32, for(n <- list, into: <<>>, do: <<n::little-signed-32>>)}

  defp attach(socket, scripts) do
    scripts =
      for {id, name, state} <- scripts,
          do: %{"id" => id, "script" => name, "node" => "A/#{id}", "state" => state}

    TestPeer.say(socket, %{"t" => "attach", "scripts" => scripts})
  end

  # What each of so many nodes was told.
  defp attached(socket, count, told \\ %{}) do
    if map_size(told) >= count do
      told
    else
      assert %{"t" => "attached", "ids" => {_, ids}, "errors" => {_, errors}, "whats" => whats} =
               TestPeer.hear_beyond_pings(socket)

      ids = for <<id::little-64 <- ids>>, do: id
      assert length(errors) == length(ids) and length(whats) == length(ids)
      attached(socket, count, Map.merge(told, Map.new(Enum.zip(ids, errors))))
    end
  end

  defp notify(socket, notifications) do
    {ids, whats, args} = Enum.reduce(Enum.reverse(notifications), {[], [], []}, &add/2)

    TestPeer.say(socket, %{
      "t" => "notify",
      "ids" => longs(ids),
      "whats" => ints(whats),
      "args" => args
    })
  end

  defp add({id, what, args}, {ids, whats, all}), do: {[id | ids], [what | whats], [args | all]}

  # The rows of the next frame, by id.
  defp rows(socket) do
    assert %{"t" => "rows", "of" => "scripts", "seq" => seq} =
             frame = TestPeer.hear_beyond_pings(socket)

    TestPeer.say(socket, %{"t" => "ack", "seq" => seq, "bulk" => 0, "work" => 0})
    {:packed_string, columns} = frame["columns"]
    {:packed_int64, ids} = frame["ids"]
    values = Enum.map(frame["values"], &unpacked/1)

    for {id, row} <- Enum.zip(for(<<id::little-64 <- ids>>, do: id), Enum.zip_with(values, & &1)),
        into: %{},
        do: {id, Map.new(Enum.zip(columns, row))}
  end

  defp unpacked({:packed_float64, bytes}), do: for(<<n::little-float <- bytes>>, do: n)
  defp unpacked({:packed_int64, bytes}), do: for(<<n::little-signed-64 <- bytes>>, do: n)
  defp unpacked(values), do: values

  test "a node is notified with its id, its time and what came, and its properties change" do
    {socket, _connection} = peer(%{"echo" => Script.new!(echo())})
    attach(socket, [{5, "echo", ""}, {6, "echo", ""}])
    assert attached(socket, 2) == %{5 => "", 6 => ""}
    notify(socket, [{5, @process, [0.25]}, {6, @process, [0.5]}])

    assert rows(socket) == %{
             5 => %{"number" => 5, "age" => 0.25},
             6 => %{"number" => 6, "age" => 0.5}
           }

    # Time goes on with ticks, and with nothing else.
    notify(socket, [{5, @process, [0.25]}])
    assert rows(socket) == %{5 => %{"number" => 5, "age" => 0.5}}
    notify(socket, [{5, 2000, [%Transform3D{}]}, {6, 1234, ["x", Vector3.new(1, 2, 3), nil]}])

    assert rows(socket) == %{
             5 => %{"number" => 5, "age" => 0.5},
             6 => %{"number" => 6, "age" => 0.5}
           }

    # What changes nothing sends nothing.
    notify(socket, [{5, 99, []}])
    notify(socket, [{6, @process, [1.0]}])
    assert rows(socket) == %{6 => %{"number" => 6, "age" => 1.5}}
  end

  test "what is wrong with a script is told to its nodes, and the others go on" do
    no_columns = String.replace(echo(), ~s|"_columns"|, ~s|"other"|)

    scripts = fn
      "echo" -> Script.new(echo())
      "none" -> Script.new(no_columns)
      "broken" -> Script.new("(module")
      _other -> {:error, %Wasgo.StoreError{reason: :unknown_script, message: "there is none"}}
    end

    {socket, _connection} = peer(scripts)
    attach(socket, [{1, "none", ""}, {2, "broken", ""}, {3, "missing", ""}, {4, "echo", ""}])
    told = attached(socket, 4)
    assert told[1] =~ "names no columns"
    assert told[2] =~ "expected"
    assert told[3] == "there is none"
    assert told[4] == ""
    notify(socket, for(id <- 1..5, do: {id, @process, [0.5]}))
    assert Map.keys(rows(socket)) == [4]
  end

  test "a node whose script loops is stopped, and the others of the same script go on" do
    {socket, connection} = peer(%{"echo" => Script.new!(echo())})
    attach(socket, for(id <- 10..19, do: {id, "echo", ""}))
    attached(socket, 10)
    notify(socket, for(id <- 10..19, id != 14, do: {id, @process, [0.5]}))

    # Either may come first.
    found = rows_or_end(socket)
    found = if Process.get(:stopped), do: found, else: stopped_later(socket, found)
    assert Map.keys(found) == [10, 11, 12, 15, 16, 17, 18, 19]
    assert Process.get(:stopped) =~ "25 ms"
    notify(socket, for(id <- 10..19, id != 14, do: {id, @process, [0.5]}))
    assert socket |> rows_or_end() |> map_size() == 8
    assert {:ok, _stats} = Connection.stats(connection)
    # It may try again.
    TestPeer.say(socket, %{"t" => "detach", "ids" => longs([13])})
    attach(socket, [{13, "echo", ""}])
    assert attached(socket, 1) == %{13 => ""}
  end

  test "a node whose script fails time after time is stopped, and the log has it once" do
    {socket, _connection} = peer(%{"often" => Script.new!(echo())})
    attach(socket, [{14, "often", ""}, {15, "often", ""}])
    attached(socket, 2)

    log =
      capture_log(fn ->
        for _ <- 1..32 do
          notify(socket, [{14, @process, [0.5]}, {15, @process, [0.5]}])
          assert %{15 => _} = rows_or_end(socket)
        end
      end)

    assert log |> String.split(~s(the script "often" failed)) |> length() == 2
    notify(socket, [{15, @process, [0.5]}])
    assert %{15 => %{"age" => 16.5}} = rows_or_end(socket)
    assert Process.get(:stopped) =~ "unreachable"
  end

  defp stopped_later(socket, found) do
    assert %{"t" => "attached", "ids" => ids, "errors" => {_, [words]}} =
             TestPeer.hear_beyond_pings(socket)

    assert ids == longs([13])
    Process.put(:stopped, words)
    found
  end

  # The end of a node may be told before the rows of the others.
  defp rows_or_end(socket) do
    case TestPeer.hear_beyond_pings(socket) do
      %{"t" => "attached", "errors" => {_, [words]}} ->
        Process.put(:stopped, words)
        rows_or_end(socket)

      %{"t" => "rows", "ids" => {_, ids}, "values" => values, "columns" => {_, columns}} ->
        rows = values |> Enum.map(&unpacked/1) |> Enum.zip_with(& &1)

        for {<<id::little-64>>, row} <- Enum.zip(for(<<id::binary-8 <- ids>>, do: id), rows),
            into: %{},
            do: {id, Map.new(Enum.zip(columns, row))}
    end
  end

  test "one script that hangs holds up no other" do
    {socket, _connection} =
      peer(%{"echo" => Script.new!(echo()), "bad" => Script.new!(echo("other,time"))})

    attach(socket, [{13, "bad", ""}, {2, "echo", ""}])
    attached(socket, 2)
    notify(socket, [{13, @process, [0.5]}])
    notify(socket, [{2, @process, [0.5]}])
    # Before the other is found out.
    assert rows(socket) == %{2 => %{"number" => 2, "age" => 0.5}}
  end

  test "an engine that is behind gets the newest values, and nothing piles up" do
    {socket, connection, _server} =
      TestPeer.link(scripts: %{"echo" => Script.new!(echo())}, window: 300)

    attach(socket, [{1, "echo", ""}])
    attached(socket, 1)
    for _ <- 1..200, do: notify(socket, [{1, @process, [0.5]}])
    # The window takes one frame until that is acknowledged.
    await_time(socket, 100.0, 1)
    assert {:ok, %{frames: frames}} = Connection.stats(connection)
    assert frames < 200
  end

  # Acknowledges until the last value is there, which may be the first that is sent.
  defp await_time(socket, time, seq) do
    assert %{"t" => "rows", "seq" => ^seq, "values" => [_ids, ages]} =
             TestPeer.hear_beyond_pings(socket)

    TestPeer.say(socket, %{"t" => "ack", "seq" => seq, "bulk" => 0, "work" => 0})
    if unpacked(ages) != [time], do: await_time(socket, time, seq + 1)
  end

  describe "with a store" do
    setup do
      {:ok, store} = Store.open(:memory)
      %{store: store}
    end

    test "a new version takes over, and one that is none does not", %{store: store} do
      {:ok, 1} = Registry.put(store, "echo", echo())
      {socket, _connection} = peer(store)
      attach(socket, [{1, "echo", ""}, {2, "missing", ""}])
      assert %{1 => "", 2 => words} = attached(socket, 2)
      assert words =~ "missing"
      notify(socket, [{1, @process, [0.5]}])
      assert %{1 => %{"number" => 1}} = rows(socket)
      {:ok, 2} = Registry.put(store, "echo", echo("zahl,alter"))
      assert attached(socket, 1) == %{1 => ""}
      notify(socket, [{1, @process, [0.5]}])
      assert rows(socket) == %{1 => %{"zahl" => 1, "alter" => 1.0}}
      # It was stored only now.
      {:ok, 1} = Registry.put(store, "missing", echo())
      assert attached(socket, 1) == %{2 => ""}
      notify(socket, [{2, @process, [0.5]}])
      assert %{2 => %{"number" => 2}} = rows(socket)
    end

    test "what a node's script keeps outlives the connection, by the node's key", %{store: store} do
      {:ok, 1} = Registry.put(store, "pet", File.read!("guest/scripts/pet.wat"), grants: [:state])
      {socket, _connection} = peer(store)
      attach(socket, [{1, "pet", "mine"}, {2, "pet", "yours"}])
      attached(socket, 2)

      for n <- 1..3 do
        notify(socket, [{1, @process, [0.5]}])
        assert rows(socket) == %{1 => %{"age" => n, "mood" => "sleeps"}}
      end

      notify(socket, [{2, @process, [0.5]}])
      assert rows(socket) == %{2 => %{"age" => 1, "mood" => "sleeps"}}
      :gen_tcp.close(socket)
      {socket, _connection} = peer(store)
      attach(socket, [{7, "pet", "mine"}])
      attached(socket, 1)
      notify(socket, [{7, @process, [0.5]}])
      assert rows(socket) == %{7 => %{"age" => 4, "mood" => "sleeps"}}
      assert {:ok, %{kind: "godot", script: "pet"}} = Registry.get_object(store, "mine")
    end
  end
end
