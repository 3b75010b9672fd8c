defmodule Wasgo.Notified do
  @moduledoc false
  # Scripts of objects for tests, in WAT, and what puts them into stores.

  alias Wasgo.Script.Registry
  alias Wasgo.Store

  @doc """
  Answers the row that it is given: nothing to 99, a trap to 666, an endless loop to 777, as much memory as it gets and then a trap to 888.
  """
  def echo(columns \\ nil) do
    """
    (module (memory (export "memory") 20) #{columns(columns)}
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "_notification") (param $what i32) (param $at i32) (param $length i32) (result i64)
        (if (i32.eq (local.get $what) (i32.const 99)) (then (return (i64.const 0))))
        (if (i32.eq (local.get $what) (i32.const 666)) (then unreachable))
        (if (i32.eq (local.get $what) (i32.const 777)) (then (loop (br 0))))
        (if (i32.eq (local.get $what) (i32.const 888))
          (then (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))
        (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))
    """
  end

  @doc "Adds `step` to what it keeps, and answers it; 666 adds and traps."
  def counter(step \\ 1, columns \\ "count") do
    """
    (module
      (import "wasgo" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
      (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 17) #{columns(columns)}
      (data (i32.const 16) "count") #{integer_row()}
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "_notification") (param $what i32) (param i32 i32) (result i64)
        (i64.store (i32.const 80) (i64.const 0))
        (drop (call $get (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
        (i64.store (i32.const 80) (i64.add (i64.load (i32.const 80)) (i64.const #{step})))
        (drop (call $set (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
        (if (i32.eq (local.get $what) (i32.const 666)) (then unreachable))
        (i64.const 0x40_00000018)))
    """
  end

  @doc "Answers a random number; needs `random:`."
  def dice do
    """
    (module (import "wasgo" "random" (func $random (result i64)))
      (memory (export "memory") 1) #{columns("value")} #{integer_row()}
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "_notification") (param i32 i32 i32) (result i64)
        (i64.store (i32.const 80) (call $random))
        (i64.const 0x40_00000018)))
    """
  end

  @doc "Asks the store `statement`; answers the first row of the answer, or a text that says why there is none. Needs `sql:`."
  def asking(statement) do
    """
    (module
      (import "wasgo" "sql" (func $sql (param i32 i32 i32 i32) (result i64)))
      (import "wasgo" "sql_error" (func $error (param i32 i32) (result i32)))
      (memory (export "memory") 40)
      (data (i32.const 131072) "#{text(statement)}")
      (data (i32.const 4096) "\\01\\00\\00\\00\\00\\00\\00\\00\\03\\00\\00\\00\\00\\00\\00\\00\\18\\00\\00\\00\\00\\00\\00\\00")
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8192))
      (func (export "_notification") (param i32 i32 i32) (result i64) (local $answer i64) (local $length i32)
        (local.set $answer (call $sql (i32.const 131072) (i32.const #{byte_size(statement)}) (i32.const 0) (i32.const 0)))
        (if (result i64) (i64.eqz (local.get $answer))
          (then
            (local.set $length (call $error (i32.const 4120) (i32.const 1000)))
            (if (i32.gt_u (local.get $length) (i32.const 1000)) (then (local.set $length (i32.const 1000))))
            (i32.store (i32.const 4100) (i32.add (i32.const 24) (local.get $length)))
            (i32.store (i32.const 4108) (local.get $length))
            (i64.or (i64.shl (i64.const 4096) (i64.const 32)) (i64.extend_i32_u (i32.add (i32.const 24) (local.get $length)))))
          (else
            (i64.or (i64.and (local.get $answer) (i64.const 0xffffffff00000000))
              (i64.extend_i32_u (i32.load offset=4 (i32.wrap_i64 (i64.shr_u (local.get $answer) (i64.const 32))))))))))
    """
  end

  # The export that names columns; between them are commas.
  defp columns(nil), do: ""

  defp columns(names) do
    span = Bitwise.bsl(512, 32) + byte_size(names)

    ~s|(data (i32.const 512) "#{text(names)}") (func (export "_columns") (result i64) (i64.const #{span}))|
  end

  # A row of an INTEGER at 64, whose number is at 80.
  defp integer_row do
    ~S|(data (i32.const 64) "\01\00\00\00\18\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")|
  end

  @doc "Bytes as WAT writes them."
  def text(bytes) do
    for <<byte <- bytes>>, into: "", do: "\\" <> Base.encode16(<<byte>>, case: :lower)
  end

  @doc "A store in a new file, which goes with the test. It waits for no disk: that is not what its tests are about."
  def file_store!(options \\ []) do
    path = path!()
    Store.open!(path, Keyword.put_new(options, :synchronous, :off))
  end

  @doc "Where a file for a database may be; it goes with the test."
  def path! do
    path =
      Path.join(
        System.tmp_dir!(),
        "wasgo-notified-#{System.unique_integer([:positive])}-#{System.pid()}.db"
      )

    ExUnit.Callbacks.on_exit(fn ->
      for suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix)
    end)

    path
  end

  @doc "Stores a script and objects of a kind that have it."
  def put!(store, script, source, kind, objects, options \\ []) do
    {:ok, version} = Registry.put(store, script, source, options)
    for object <- objects, do: :ok = Registry.put_object(store, object, kind, script)
    version
  end

  @doc "So many objects, in one statement."
  def crowd!(store, script, kind, count) do
    sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) " <>
        "INSERT INTO wasgo_objects (id, kind, script) SELECT ? || i, ?, ? FROM n"

    %{changes: ^count} =
      Store.execute!(store, sql, [count, kind <> " ", kind, script], timeout: 60_000)
  end

  @doc "The one value that a query answers."
  def value!(store, sql, parameters \\ []) do
    %{rows: [[value]]} = Store.query!(store, sql, parameters)
    value
  end
end
