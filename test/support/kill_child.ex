defmodule Wasgo.KillChild do
  @moduledoc false
  # What runs in the VM that test/wasgo/store/kill_test.exs kills. Processes that work on one database at once, each through numbers 1, 2, 3 ...
  # and each telling a number when the call for it has returned: that is what was promised. A child goes on where the one before it ended.
  #
  # Lines go out by write(2), not by way of the VM's own buffers: what was told is with the parent, whatever happens next.

  alias Wasgo.{Script, Store}
  alias Wasgo.Script.Registry

  # No call may fail because the machine is slow.
  @patience 120_000

  @tables [
    "CREATE TABLE singles (writer TEXT, number INTEGER, payload BLOB, PRIMARY KEY (writer, number))",
    "CREATE TABLE many (batch INTEGER, part INTEGER, PRIMARY KEY (batch, part))",
    "CREATE TABLE nested (writer TEXT, number INTEGER, part TEXT, PRIMARY KEY (writer, number, part))",
    "CREATE TABLE parts (writer TEXT, number INTEGER, part TEXT, FOREIGN KEY (writer, number, part) REFERENCES nested)",
    "CREATE TABLE functions (number INTEGER PRIMARY KEY)",
    "CREATE TABLE told (count INTEGER PRIMARY KEY)"
  ]

  @crowd 5

  @doc "What the processes are called, but the one that changes a script."
  def streams, do: ~w(one two many nested inner plain logged alone told crowd)

  def tables, do: @tables

  def crowd, do: for(number <- 1..@crowd, do: "crowd-#{number}")

  @doc "How many rows the batch of a number has."
  def batch_size(number), do: 2 + rem(number * 31, 40)

  @doc "A function of SQL that answers a number."
  def function(name, number),
    do: ~s|(module (func (export "#{name}") (result i64) (i64.const #{number})))|

  @doc "A script that answers a number."
  def answering(number) do
    """
    (module
      (memory (export "memory") 1)
      (data (i32.const 64) "\\01\\00\\00\\00\\18\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00")
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "_notification") (param i32 i32 i32) (result i64)
        (i64.store (i32.const 80) (i64.const #{number}))
        (i64.or (i64.shl (i64.const 64) (i64.const 32)) (i64.const 24))))
    """
  end

  # Counts in its state, and answers the count.
  @counter """
  (module
    (import "wasgo" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "count")
    (data (i32.const 64) "\\01\\00\\00\\00\\18\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00")
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_notification") (param i32 i32 i32) (result i64)
      (i64.store (i32.const 80) (i64.const 0))
      (drop (call $get (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
      (i64.store (i32.const 80) (i64.add (i64.load (i32.const 80)) (i64.const 1)))
      (drop (call $set (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
      (i64.or (i64.shl (i64.const 64) (i64.const 32)) (i64.const 24))))
  """

  @doc "The last number of a process of which the database has something."
  def last(store, writer) when writer in ["one", "two"],
    do: value(store, "SELECT coalesce(max(number), 0) FROM singles WHERE writer = ?", [writer])

  def last(store, "many"), do: value(store, "SELECT coalesce(max(batch), 0) FROM many")

  def last(store, writer) when writer in ["nested", "inner"],
    do: value(store, "SELECT coalesce(max(number), 0) FROM nested WHERE writer = ?", [writer])

  def last(store, "plain"), do: value(store, "SELECT plain()")
  def last(store, "logged"), do: value(store, "SELECT coalesce(max(number), 0) FROM functions")
  def last(store, "crowd"), do: count(store, hd(crowd()))
  def last(store, object), do: count(store, object)

  @doc "What an object has counted."
  def count(store, object) do
    case Registry.object_state(store, object) do
      {:ok, %{"count" => <<count::64-little>>}} -> count
      {:ok, state} when state == %{} -> 0
    end
  end

  defp value(store, sql, parameters \\ []) do
    %{rows: [[value]]} = Store.query!(store, sql, parameters, timeout: @patience)
    value
  end

  ## Work

  @doc "Works on the database at `path` until it is killed."
  def work(path, seed) do
    begin(fn ->
      store = open(path)
      set_up(store)
      tell(out(), "ready")

      spawn_worker(fn -> watch(store, 0) end)
      spawn_worker(fn -> act(store, out(), :rand.seed(:exsss, seed)) end)

      for stream <- streams() do
        number = last(store, stream) + 1
        spawn_worker(fn -> go_on(store, out(), stream, number) end)
      end
    end)
  end

  @doc "Brings the scripts of the database at `path` up to date, and waits to be killed."
  def migrate(path) do
    begin(fn ->
      store = open(path)
      :ok = Registry.migrate(store)
      tell(out(), "migrated")
    end)
  end

  @doc "Writes to the database at `path` until that fails, and tells how."
  def fill(path) do
    begin(fn ->
      store = open(path)
      set_up(store)
      out = out()
      tell(out, "ready")
      reason = fill(store, out, last(store, "one") + 1)
      number = value(store, "SELECT count(*) FROM singles")
      tell(out, "failed #{reason} #{number}")
      System.halt(0)
    end)
  end

  defp fill(store, out, number) do
    sql = "INSERT INTO singles VALUES ('one', ?, zeroblob(20000))"

    case Store.execute(store, sql, [number], timeout: @patience) do
      {:ok, _executed} ->
        tell(out, "one #{number}")
        fill(store, out, number + 1)

      {:error, error} ->
        error.reason
    end
  end

  # With the parent the child ends.
  defp begin(fun) do
    {:module, _} = Code.ensure_loaded(Wasgo.Native)
    tell(out(), "booted")
    spawn_worker(fun)
    :eof = IO.read(:stdio, :line)
    System.halt(1)
  end

  # One whose end is not foreseen ends the child.
  defp spawn_worker(fun) do
    spawn(fn ->
      try do
        fun.()
      catch
        kind, reason ->
          tell(out(), "fault " <> inspect(Exception.format(kind, reason, __STACKTRACE__)))
          System.halt(1)
      end

      # What a worker opened is its own.
      receive do: (:never -> :ok)
    end)
  end

  # Each process has a file of its own, as the VM wants it.
  defp out do
    {:ok, out} = :file.open("/dev/fd/1", [:raw, :write, :binary])
    out
  end

  defp tell(out, line), do: :ok = :file.write(out, [line, ?\n])

  defp open(path) do
    store = Store.open!(path, busy_timeout: @patience)
    tell(out(), "opened")
    store
  end

  defp set_up(store) do
    {:ok, _} =
      Store.transaction(
        store,
        fn tx ->
          for sql <- @tables do
            sql = String.replace(sql, "CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
            Store.execute!(tx, sql, [], timeout: @patience)
          end
        end,
        timeout: @patience
      )

    for name <- ["plain", "logged"] do
      options = [if_not_exists: true, timeout: @patience]
      :ok = Store.create_function(store, name, function(name, 0), options)
    end

    {:ok, 1} = Registry.put(store, "counter", @counter, grants: [:state])
    {:ok, versions} = versions(store)
    if versions == [], do: {:ok, 1} = Registry.put(store, "changing", answering(1))
    :ok = Registry.put_object(store, "changing", "changing", "changing")

    for object <- ["alone", "told"],
        do: :ok = Registry.put_object(store, object, "one", "counter")

    for object <- crowd(), do: :ok = Registry.put_object(store, object, "crowd", "counter")
  end

  defp versions(store) do
    with {:error, %{reason: :unknown_script}} <- Registry.versions(store, "changing"),
         do: {:ok, []}
  end

  defp go_on(store, out, stream, number) do
    do_one(store, stream, number)
    tell(out, "#{stream} #{number}")
    go_on(store, out, stream, number + 1)
  end

  defp do_one(store, writer, number) when writer in ["one", "two"] do
    sql = "INSERT INTO singles VALUES (?1, ?2, zeroblob((?2 * 7919) % 3000))"
    %{changes: 1} = Store.execute!(store, sql, [writer, number], timeout: @patience)
  end

  defp do_one(store, "many", number) do
    rows = for part <- 1..batch_size(number), do: [number, part]

    {:ok, _} =
      Store.execute_many(store, "INSERT INTO many VALUES (?, ?)", rows, timeout: @patience)
  end

  # Something undone, then a transaction with two savepoints, of which one is undone.
  defp do_one(store, writer, number) when writer in ["nested", "inner"] do
    if rem(number, 3) == 0 do
      {:error, :undone} = transaction(store, &undone(&1, writer, number))
    end

    {:ok, :done} =
      transaction(store, fn tx ->
        nested(tx, writer, number, "begun")
        {:ok, _} = transaction(tx, &nested(&1, writer, number, "kept"))
        {:error, :undone} = transaction(tx, &undone(&1, writer, number))
        nested(tx, writer, number, "ended")
        :done
      end)
  end

  defp do_one(store, "plain", number) do
    options = [replace: true, timeout: @patience]
    :ok = Store.create_function(store, "plain", function("plain", number), options)
    ^number = last(store, "plain")
  end

  defp do_one(store, "logged", number) do
    {:ok, ^number} =
      transaction(store, fn tx ->
        options = [replace: true, timeout: @patience]
        :ok = Store.create_function(tx, "logged", function("logged", number), options)
        Store.execute!(tx, "INSERT INTO functions VALUES (?)", [number], timeout: @patience)
        value(tx, "SELECT logged()")
      end)
  end

  defp do_one(store, "alone", number) do
    {:ok, answer} = Script.notify(store, "alone", :process, [], timeout: @patience)
    [^number] = Map.values(answer)
  end

  # The count, and a row that tells of it.
  defp do_one(store, "told", number) do
    {:ok, ^number} =
      transaction(store, fn tx ->
        {:ok, answer} = Script.notify(tx, "told", :process, [], timeout: @patience)
        [count] = Map.values(answer)
        Store.execute!(tx, "INSERT INTO told VALUES (?)", [count], timeout: @patience)
        count
      end)
  end

  defp do_one(store, "crowd", number) do
    {:ok, answers} = Script.notify_many(store, "crowd", :process, [], timeout: @patience)
    @crowd = length(answers)
    for {_object, {:ok, answer}} <- answers, do: [^number] = Map.values(answer)
  end

  defp undone(tx, writer, number) do
    nested(tx, writer, number, "undone")
    Store.rollback(tx, :undone)
  end

  defp nested(tx, writer, number, part) do
    for table <- ["nested", "parts"] do
      sql = "INSERT INTO #{table} VALUES (?, ?, ?)"
      Store.execute!(tx, sql, [writer, number, part], timeout: @patience)
    end
  end

  defp transaction(store, fun), do: Store.transaction(store, fun, timeout: @patience)

  # A reader beside the writers, so that the log is in use when the end comes.
  defp watch(store, before) do
    now = value(store, "SELECT count(*) FROM singles")
    if now < before, do: raise("#{before} rows became #{now}")
    watch(store, now)
  end

  ## A script that changes

  # Each act is told before it, too, so that the parent knows of the one that was under way.
  defp act(store, out, random) do
    {:ok, versions} = versions(store)
    latest = length(versions)
    active = Enum.find_value(versions, &(&1.active && &1.version))
    {kind, random} = :rand.uniform_s(10, random)
    {version, random} = :rand.uniform_s(latest, random)
    {act, version} = choose(kind, version, latest, active)
    tell(out, "intent #{act} #{version}")

    case do_act(store, act, version) do
      {:ok, done} -> tell(out, "act #{act} #{done}")
      {:error, %{reason: :no_earlier_version}} when act == "rollback" -> :ok
    end

    act(store, out, random)
  end

  defp choose(kind, _version, latest, _active) when kind <= 2, do: {"put", latest + 1}
  defp choose(3, _version, latest, _active), do: {"keep", latest + 1}

  defp choose(kind, version, _latest, active) when kind <= 7 and version != active,
    do: {"activate", version}

  defp choose(_kind, _version, _latest, _active), do: {"rollback", 0}

  defp do_act(store, "put", version),
    do: Registry.put(store, "changing", answering(version), author: "#{version}")

  defp do_act(store, "keep", version),
    do: Registry.put(store, "changing", answering(version), activate: false)

  defp do_act(store, "activate", version), do: Registry.activate(store, "changing", version)
  defp do_act(store, "rollback", _version), do: Registry.rollback(store, "changing")
end
