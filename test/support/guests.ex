defmodule Wasgo.TestGuests do
  @moduledoc false
  # Small guests as WAT, and ways to wait for what guests do.

  alias Wasgo.Wasm.{Instance, Module}

  @patience 120_000

  @doc "Makes a fresh instance of WAT."
  def instance!(wat, options \\ []), do: wat |> Module.compile!() |> Instance.new!(options)

  @doc "Loops for ever (`spin`), and answers at once (`one`)."
  def spin do
    """
    (module (memory (export "memory") 1)
      (func (export "spin") (loop br 0))
      (func (export "one") (result i32) i32.const 1))
    """
  end

  @doc """
  Asks until `done?` is true. Between two times it waits for an answer of the engine's threads, so that others run; after a time
  that no machine needs it gives up and says false.
  """
  def eventually(done?), do: eventually(done?, System.monotonic_time(:millisecond) + @patience)

  defp eventually(done?, until) do
    cond do
      done?.() ->
        true

      System.monotonic_time(:millisecond) > until ->
        false

      true ->
        round_trip()
        eventually(done?, until)
    end
  end

  @doc "Waits for the engine's threads to do something small."
  def round_trip do
    {:ok, _module} = Module.compile("(module)")
    :ok
  end

  @doc "A script that returns its row or buffer as it is, traps for `what` 99 and rows that begin with 7, is silent for 98, loops for 97."
  def echo(columns \\ "") do
    script("""
    (func (export "_notification") (param i32 i32 i32) (result i64)
      (if (i32.eq (local.get 0) (i32.const 99)) (then unreachable))
      (if (i32.eq (local.get 0) (i32.const 98)) (then (return (i64.const 0))))
      (if (i32.eq (local.get 0) (i32.const 97)) (then (loop br 0)))
      (if (i32.and (i32.gt_u (local.get 2) (i32.const 8)) (i64.eq (i64.load offset=16 (local.get 1)) (i64.const 7)))
        (then unreachable))
      (call $span (local.get 1) (local.get 2)))
    (func (export "process") (param i32 i32) (result i64)
      (if (i32.eqz (local.get 1)) (then (return (i64.const 0))))
      (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 33)) (then unreachable))
      (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 126)) (then (loop br 0)))
      (call $span (local.get 0) (local.get 1)))
    #{if columns == "", do: "", else: columns(columns)}
    """)
  end

  @doc "An export `_columns` that returns `text`."
  def columns(text) do
    """
    (data (i32.const 8) #{data(text)})
    (func (export "_columns") (result i64) (call $span (i32.const 8) (i32.const #{byte_size(text)})))
    """
  end

  @doc "A script of 40 pages whose input lies at 65,536."
  def script(body) do
    """
    (module (memory (export "memory") 40)
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
      (func $span (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
      #{body})
    """
  end

  @doc "A script whose `_notification` and `process` return `bytes`, whatever they get."
  def answering(bytes, columns \\ "") do
    script("""
    (data (i32.const 4096) #{data(bytes)})
    (func (export "_notification") (param i32 i32 i32) (result i64)
      (call $span (i32.const 4096) (i32.const #{byte_size(bytes)})))
    (func (export "process") (param i32 i32) (result i64)
      (call $span (i32.const 4096) (i32.const #{byte_size(bytes)})))
    #{if columns == "", do: "", else: columns(columns)}
    """)
  end

  @doc "A script whose `_notification` and `process` return the span of `length` bytes at `pointer`."
  def pointing(pointer, length) do
    script("""
    (func (export "_notification") (param i32 i32 i32) (result i64) (call $span (i32.const #{pointer}) (i32.const #{length})))
    (func (export "process") (param i32 i32) (result i64) (call $span (i32.const #{pointer}) (i32.const #{length})))
    """)
  end

  @doc "Bytes as a WAT string."
  def data(bytes) do
    "\"" <>
      for(<<byte <- bytes>>, into: "", do: "\\" <> Base.encode16(<<byte>>, case: :lower)) <> "\""
  end

  @doc """
  A WASI program. `$in` reads up to 4 KiB of input to the address that it is given and returns how many bytes came, 0 at the end; `$out`
  writes bytes to a descriptor.
  """
  def program(body, data \\ []) do
    """
    (module
      (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
      (memory (export "memory") 4)
      #{for {at, bytes} <- data, do: "(data (i32.const #{at}) #{data(bytes)})"}
      (func $in (param i32) (result i32)
        (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (i32.const 4096))
        (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $exit (i32.const 99))))
        (i32.load (i32.const 8)))
      (func $out (param $fd i32) (param $at i32) (param $size i32)
        (block $done (loop $more
          (br_if $done (i32.le_s (local.get $size) (i32.const 0)))
          (i32.store (i32.const 16) (local.get $at)) (i32.store (i32.const 20) (local.get $size))
          (if (call $write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 24)) (then (call $exit (i32.const 98))))
          (local.set $at (i32.add (local.get $at) (i32.load (i32.const 24))))
          (local.set $size (i32.sub (local.get $size) (i32.load (i32.const 24))))
          (br $more))))
      (func $cat (local i32)
        (loop
          (local.set 0 (call $in (i32.const 1024)))
          (if (i32.eqz (local.get 0)) (then (call $exit (i32.const 3))))
          (call $out (i32.const 1) (i32.const 1024) (local.get 0))
          (br 0)))
      (func $silent (loop (br_if 0 (call $in (i32.const 1024)))))
      (func (export "_start") #{body}))
    """
  end
end
