defmodule Wasgo.GuestRebuildTest do
  # The modules under guest/ are committed beside their sources. This rebuilds them, so that neither can change alone.
  use ExUnit.Case, async: true

  alias Wasgo.GuestToolchain

  setup do
    into =
      Path.join(
        System.tmp_dir!(),
        "wasgo-guest-#{System.unique_integer([:positive])}-#{System.pid()}"
      )

    File.mkdir_p!(into)
    on_exit(fn -> File.rm_rf!(into) end)
    {:ok, into: into}
  end

  @tag :guest_c
  test "thin.c builds into the committed thin.wasm", %{into: into} do
    assert_rebuilds("thin", into)
  end

  @tag :guest_c
  test "namer.c builds into the committed namer.wasm", %{into: into} do
    assert_rebuilds("namer", into)
  end

  @tag :guest_c
  test "signpost.c builds into the committed signpost.wasm", %{into: into} do
    assert_rebuilds("signpost", into)
  end

  @tag :guest_rust
  test "shy.rs builds into the committed shy.wasm", %{into: into} do
    assert_rebuilds("shy", into)
  end

  @tag :guest_rust
  test "henge.rs builds into the committed henge.wasm", %{into: into} do
    assert_rebuilds("henge", into)
  end

  @tag :guest_assemblyscript
  test "craters.ts builds into the committed craters.wasm", %{into: into} do
    assert_rebuilds("craters", into)
  end

  @tag :guest_assemblyscript
  test "wander.ts builds into the committed wander.wasm", %{into: into} do
    assert_rebuilds("wander", into)
  end

  # Another compiler makes other bytes of the same source: then only what the source itself decides is compared.
  defp assert_rebuilds(name, into) do
    assert {:ok, path} = GuestToolchain.build(name, into)
    assert {:ok, here} = GuestToolchain.toolchain(name)
    built = File.read!(path)
    committed = File.read!(GuestToolchain.committed(name))

    if here == GuestToolchain.recorded(name) do
      assert built == committed,
             "#{name}.wasm is not what its source builds into: run guest/build"
    else
      assert interface(built) == interface(committed)
    end
  end

  # The names of a module's imports and exports, sorted. Nothing but a module of version 1 gets through.
  defp interface(<<"\0asm", 1::32-little, sections::binary>>), do: interface(sections, {[], []})

  defp interface(<<>>, {imports, exports}), do: {Enum.sort(imports), Enum.sort(exports)}

  defp interface(<<id, rest::binary>>, {imports, exports}) do
    {size, rest} = leb(rest)
    {section, rest} = :erlang.split_binary(rest, size)

    case id do
      2 -> interface(rest, {entries(section, &import_entry/1), exports})
      7 -> interface(rest, {imports, entries(section, &export_entry/1)})
      _other -> interface(rest, {imports, exports})
    end
  end

  defp entries(section, entry) do
    {count, rest} = leb(section)
    {entries, <<>>} = Enum.map_reduce(List.duplicate(entry, count), rest, & &1.(&2))
    entries
  end

  # These modules import functions (kind 0) and nothing else.
  defp import_entry(bytes) do
    {module, rest} = name(bytes)
    {field, <<0, rest::binary>>} = name(rest)
    {_type, rest} = leb(rest)
    {{module, field}, rest}
  end

  defp export_entry(bytes) do
    {field, <<kind, rest::binary>>} = name(bytes)
    {_index, rest} = leb(rest)
    {{field, kind}, rest}
  end

  defp name(bytes) do
    {length, rest} = leb(bytes)
    {name, rest} = :erlang.split_binary(rest, length)
    {name, rest}
  end

  defp leb(<<0::1, low::7, rest::binary>>), do: {low, rest}

  defp leb(<<1::1, low::7, rest::binary>>) do
    {high, rest} = leb(rest)
    {high * 128 + low, rest}
  end
end
