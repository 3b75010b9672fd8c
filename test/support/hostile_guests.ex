defmodule Wasgo.HostileGuests do
  @moduledoc false
  # Guests that mean harm: those of `test/hostile/guests`, and those that are too large to be written down.

  import Bitwise

  @guests Path.expand("../hostile/guests", __DIR__)

  @doc "The source of a guest: a file's name, or a generator of this module with its arguments."
  def source(file) when is_binary(file), do: File.read!(Path.join(@guests, file <> ".wat"))
  def source({generator, arguments}), do: apply(__MODULE__, generator, arguments)

  # Scripts.

  @doc "A script whose `wasgo_alloc` answers `pointer`, and which returns what it finds there."
  def alloc(pointer) do
    script("""
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const #{pointer}))
    (func (export "_notification") (param i32 i32 i32) (result i64) (call $span (local.get 1) (local.get 2)))
    (func (export "process") (param i32 i32) (result i64) (call $span (local.get 0) (local.get 1)))
    """)
  end

  @doc "A script whose `_notification`, `process` and, if `columns`, `_columns` return a certain span."
  def span(pointer, length, columns \\ false) do
    span = "(call $span (i32.const #{pointer}) (i32.const #{length}))"

    script("""
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
    (func (export "_notification") (param i32 i32 i32) (result i64) #{span})
    (func (export "process") (param i32 i32) (result i64) #{span})
    #{if columns, do: ~s|(func (export "_columns") (result i64) #{span})|}
    """)
  end

  @doc "A script that answers every row with `bytes`."
  def row(bytes) do
    script("""
    (data (i32.const 4096) #{data(bytes)})
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
    (func (export "_notification") (param i32 i32 i32) (result i64)
      (call $span (i32.const 4096) (i32.const #{byte_size(bytes)})))
    """)
  end

  @doc "A row as it lies in memory, true or not: each slot is `{type, length, eight bytes or a number}`."
  def raw(count, size, slots, heap \\ "") do
    slots =
      for {type, length, data} <- slots, into: "" do
        data = if is_integer(data), do: <<data::64-little>>, else: data
        <<type::32-little, length::32-little, data::binary-size(8)>>
      end

    <<count::32-little, size::32-little, slots::binary, heap::binary>>
  end

  # A script with 40 pages of memory.
  defp script(functions) do
    """
    (module
      (memory (export "memory") 40)
      (func $span (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
      #{functions})
    """
  end

  defp data(bytes) do
    escaped = for <<byte <- bytes>>, into: "", do: "\\" <> Base.encode16(<<byte>>, case: :lower)
    "\"" <> escaped <> "\""
  end

  # Modules, as bytes.

  @doc "So many functions that do nothing."
  def functions(count) do
    module([
      {1, vector([func_type(0, 0)])},
      {3, [leb(count), :binary.copy(<<0>>, count)]},
      {10, [leb(count), :binary.copy(<<2, 0, 0x0B>>, count)]}
    ])
  end

  @doc "One function, exported by so many names."
  def exports(count) do
    exports = for number <- 1..count, do: [name("f#{number}"), 0, 0]
    one_function(func_type(0, 0), [], "", exports)
  end

  @doc "An export whose name has so many bytes."
  def long_name(bytes) do
    one_function(func_type(0, 0), [], "", [[name(:binary.copy("n", bytes)), 0, 0]])
  end

  @doc "So many types."
  def types(count), do: module([{1, [leb(count), :binary.copy(<<0x60, 0, 0>>, count)]}])

  @doc "Blocks within blocks; `:block` or `:loop`."
  def nested(kind, count) do
    open = :binary.copy(<<opcode(kind), 0x40>>, count)
    function([], [open, :binary.copy(<<0x0B>>, count)])
  end

  @doc "One loop after another."
  def loops(count), do: function([], :binary.copy(<<0x03, 0x40, 0x0B>>, count))

  @doc "Loops within loops that carry so many variables around."
  def carrying(loops, locals) do
    sets = for l <- 0..(locals - 1), do: [0x20, leb(l), <<0x41, 1, 0x6A, 0x21>>, leb(l)]
    open = :binary.copy(<<0x03, 0x40>>, loops)
    close = :binary.copy(<<0x41, 0, 0x0D, 0, 0x0B>>, loops)
    function([[leb(locals), 0x7F]], [open, sets, close])
  end

  @doc "A function with so many locals of 16 bytes."
  def locals(count), do: function([[leb(count), 0x7B]], [])

  @doc "A jump by a table of so many targets."
  def jump_table(targets) do
    block = [0x02, 0x40, 0x41, 7, 0x0E, leb(targets), :binary.copy(<<0>>, targets), 0, 0x0B]
    function([], block)
  end

  @doc "A recursion each of whose frames holds so many numbers."
  def wide_frames(count) do
    loads = for l <- 0..(count - 1), do: [0x41, 0, 0x29, 3, leb(8 * l), 0x21, leb(l)]
    stores = for l <- 0..(count - 1), do: [0x41, 0, 0x20, leb(l), 0x37, 3, leb(8 * l)]
    function([[leb(count), 0x7E]], [loads, <<0x10, 0>>, stores])
  end

  @doc "Data of so many bytes at the beginning of a memory of 60 MiB, and a byte where there is none: it traps when all was copied."
  def data_past_the_end(bytes) do
    segments = [[0, 0x41, 0, 0x0B, text(:binary.copy(<<7>>, bytes))], [0, 0x41, 0x7F, 0x0B, 1, 1]]
    module([{5, [1, 0, leb(960)]}, {11, vector(segments)}])
  end

  @doc "So many segments of data of a byte each."
  def data_segments(count) do
    segment = IO.iodata_to_binary([0, 0x41, 0, 0x0B, 1, 1])
    module([{5, [1, 0, 1]}, {11, [leb(count), :binary.copy(segment, count)]}])
  end

  @doc "So many globals."
  def globals(count) do
    module([{6, [leb(count), :binary.copy(<<0x7E, 1, 0x42, 1, 0x0B>>, count)]}])
  end

  @doc "So many tables."
  def tables(count), do: module([{4, vector(List.duplicate([0x70, 0, 1], count))}])

  @doc "A function that answers so many numbers for one."
  def results(count) do
    one_function(func_type(1, count), [], :binary.copy(<<0x20, 0>>, count), [[name("f"), 0, 0]])
  end

  @doc "A function that stores a byte to each of so many pages, without a loop."
  def touches(pages) do
    function([], for(page <- 0..(pages - 1), do: [0x41, 0, 0x41, 1, 0x3A, 0, leb(page * 4096)]))
  end

  @doc "One instruction that calls the runtime, over and over without a loop: `:ref_func` or `:memory_grow`."
  def calls_of_the_runtime(:ref_func), do: function([], :binary.copy(<<0xD2, 0, 0x1A>>, 41_000))

  def calls_of_the_runtime(:memory_grow),
    do: function([], :binary.copy(<<0x41, 0, 0x40, 0, 0x1A>>, 25_000))

  @doc "So many functions of very long names, each calling the next; the last traps."
  def long_backtrace(depth) do
    word = :binary.copy("n", 50_000)

    functions =
      for number <- 1..depth do
        body = if number == depth, do: "unreachable", else: "(call #{number})"
        ~s|(func $#{word}#{number} #{body})|
      end

    ~s|(module #{functions} (func (export "f") (call 0)))|
  end

  defp function(locals, instructions) do
    one_function(func_type(0, 0), locals, instructions, [[name("f"), 0, 0]])
  end

  # A module of one function with a memory of 1,000 pages; locals are groups of a count and a type.
  defp one_function(type, locals, instructions, exports) do
    body = IO.iodata_to_binary([vector(locals), instructions, 0x0B])

    module([
      {1, vector([type])},
      {3, <<1, 0>>},
      {5, [1, 0, leb(1_000)]},
      {7, vector(exports)},
      {9, <<1, 3, 0, 1, 0>>},
      {10, [1, leb(byte_size(body)), body]}
    ])
  end

  defp func_type(parameters, results) do
    [0x60, vector(List.duplicate(0x7F, parameters)), vector(List.duplicate(0x7F, results))]
  end

  defp module(sections) do
    sections =
      for {id, content} <- sections do
        content = IO.iodata_to_binary(content)
        [id, leb(byte_size(content)), content]
      end

    IO.iodata_to_binary([<<0, "asm", 1, 0, 0, 0>>, sections])
  end

  defp opcode(:block), do: 0x02
  defp opcode(:loop), do: 0x03

  defp vector(items), do: [leb(length(items)), items]
  defp name(text), do: text(text)
  defp text(bytes), do: [leb(byte_size(bytes)), bytes]

  # An unsigned number in LEB128.
  defp leb(number) when number < 128, do: <<number>>
  defp leb(number), do: <<(number &&& 127) ||| 128, leb(number >>> 7)::binary>>
end
