defmodule Wasgo.Wasm.CommandCTest do
  # Commands as a C compiler makes them, with wasi-libc.
  use ExUnit.Case, async: true

  alias Wasgo.TrapError
  alias Wasgo.Wasm.{Command, Module}

  @moduletag :guest_c

  setup_all do
    name = "wasgo-command-c-#{System.unique_integer([:positive])}"
    given = Path.join(System.tmp_dir!(), name)
    File.mkdir_p!(given)
    path = given <> ".wasm"

    on_exit(fn ->
      File.rm_rf!(given)
      File.rm(path)
    end)

    clang = System.get_env("WASGO_CLANG", "clang")
    source = Path.expand("../../support/command.c", __DIR__)
    flags = ["--target=wasm32-wasi", "-O2", "-std=gnu11", "-Wall", "-Werror"]
    {"", 0} = System.cmd(clang, flags ++ [source, "-o", path], stderr_to_stdout: true)
    %{c: Module.compile!(File.read!(path)), given: given}
  end

  test "prints, reads its input, arguments and environment, and returns a status", %{c: c} do
    assert Command.run(c, args: ["hello", "world"], env: %{"NAME" => "wasgo"}, stdin: "a\nb\n") ==
             {:ok, %{status: 42, stdout: "hello, world\nNAME=wasgo\n2 lines\n", stderr: "done\n"}}
  end

  test "uses files and directories by their paths", %{c: c, given: given} do
    assert {:ok, %{status: 0} = out} =
             Command.run(c, args: ["files"], dirs: [{given, "/data", :rw}])

    assert out.stdout == "wrote 11\nread hello files\nnew\nsize 11\n"
    assert File.read!(Path.join(given, "new/file.txt")) == "hello files"

    assert {:ok, %{status: 1, stderr: "mkdir: Operation not permitted\n"}} =
             Command.run(c, args: ["files"], dirs: [{given, "/data", :ro}])

    assert {:ok, %{status: 1, stderr: "mkdir: " <> _}} = Command.run(c, args: ["files"])
  end

  test "sleeps without a clock, and has the time of day with one", %{c: c} do
    assert {:ok, %{status: 0, stdout: "1970\nslept\n"}} = Command.run(c, args: ["time"])
    assert {:ok, %{status: 0, stdout: now}} = Command.run(c, args: ["time"], clock: true)
    assert String.to_integer(hd(String.split(now, "\n"))) >= 2024
  end

  test "that aborts has said why", %{c: c} do
    assert {:error, %TrapError{reason: :unreachable} = error} = Command.run(c, args: ["abort"])
    assert error.message =~ "Assertion failed: 1 == 2"
  end

  test "copies megabytes through stdio", %{c: c} do
    long = :crypto.strong_rand_bytes(4 * 1_048_576)
    assert {:ok, %{status: 0, stdout: ^long}} = Command.run(c, args: ["cat"], stdin: long)
  end
end
