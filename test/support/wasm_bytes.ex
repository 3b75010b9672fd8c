defmodule Wasgo.WasmBytes do
  @moduledoc false
  # Small modules as bytes, put together section by section: also ones that are wrong.

  import Bitwise

  @wasi "wasi_snapshot_preview1"

  @doc "A module of sections, as `{number, bytes}`."
  def module(sections) do
    body = for {id, bytes} <- sections, do: [id, number(IO.iodata_length(bytes)), bytes]
    IO.iodata_to_binary([<<0, "asm", 1, 0, 0, 0>>, body])
  end

  @doc "A program that imports functions of WASI without parameters' types being right, exports functions, and has data and named functions."
  def program(options \\ []) do
    imports = for name <- Keyword.get(options, :imports, []), do: imported(name)
    exports = Keyword.get(options, :exports, ["_start"])
    count = length(imports)

    module([
      {1, [1, 0x60, 0, 0]},
      {2, list(imports)},
      {3, [1, 0]},
      {5, [1, Keyword.get(options, :memory, [0, 1])]},
      {7, list(for name <- exports, do: [name(name), 0, number(count)])},
      {10, [1, 2, 0, 0x0B]},
      {11, [1, 0, 0x41, 0, 0x0B, name(Keyword.get(options, :data, ""))]},
      {0, [name("name"), Keyword.get(options, :names, "")]}
    ])
  end

  @doc "What is taken for a container, of a machine by its marks."
  def container(options) do
    program(
      [imports: ["sock_accept", "sock_recv"], exports: ["_start", "wasi_vfs_pack_fs"]]
      |> Keyword.merge(options)
    )
  end

  @doc "A program that ends with a status."
  def exit_program(status) do
    module([
      {1, [2, 0x60, 0, 0, 0x60, 1, 0x7F, 0]},
      {2, [1, name(@wasi), name("proc_exit"), 0, 1]},
      {3, [1, 0]},
      {5, [1, 0, 1]},
      {7, [2, name("_start"), 0, 1, name("memory"), 2, 0]},
      {10, [1, 6, 0, 0x41, status, 0x10, 0, 0x0B]}
    ])
  end

  defp imported({module, name}), do: [name(module), name(name), 0, 0]
  defp imported(name), do: imported({@wasi, name})

  defp list(items), do: [number(length(items)), items]

  def name(name), do: [number(byte_size(name)), name]

  @doc "LEB128."
  def number(number) when number < 128, do: <<number>>
  def number(number), do: [<<1::1, number &&& 0x7F::7>>, number(number >>> 7)]
end
