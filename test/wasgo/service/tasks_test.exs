defmodule Wasgo.Service.TasksTest do
  # The mix tasks of services. The shell of Mix, the PATH and the terminal are everybody's.
  use ExUnit.Case, async: false

  import Wasgo.WasmBytes, only: [exit_program: 1, program: 1, container: 1]

  alias Mix.Tasks.Wasgo.Service.{Check, Convert, Run}

  @moduletag :capture_log
  @moduletag :tmp_dir

  @namer "guest/services/namer.wasm"
  @support Path.expand("../../support", __DIR__)

  setup do
    shell = Mix.shell()
    Mix.shell(Mix.Shell.Process)
    on_exit(fn -> Mix.shell(shell) end)
  end

  defp written(dir, name, bytes) do
    path = Path.join(dir, name)
    File.write!(path, bytes)
    path
  end

  defp script(dir, name, text) do
    path = written(dir, name, "#!/bin/sh\n" <> text)
    File.chmod!(path, 0o755)
    path
  end

  # What a task told since it was asked last.
  defp told(lines \\ []) do
    receive do
      {:mix_shell, _kind, [line]} -> told([lines, line, ?\n])
    after
      0 -> IO.iodata_to_binary(lines)
    end
  end

  # A module that behaves as an image of container2wasm, and is told as one.
  defp machine(dir) do
    path = Path.join(dir, "machine.wasm")
    sources = for name <- ["machine.c", "machine_marks.c"], do: Path.join(@support, name)
    flags = ["--target=wasm32-wasi", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    clang = System.get_env("WASGO_CLANG", "clang")
    {"", 0} = System.cmd(clang, flags ++ sources ++ ["-o", path], stderr_to_stdout: true)
    path
  end

  # A task in a VM of its own, with its standard streams.
  defp outside(dir, task, arguments, input, options \\ []) do
    paths = for path <- :code.get_path(), do: ["-pa", to_string(path)]
    code = "Mix.start(); #{inspect(task)}.run(System.argv())"
    elixir = System.find_executable("elixir")
    words = List.flatten([paths, "-e", code, "--", arguments])
    shell = ~S(in=$1; shift; exec "$@" <"$in")
    input = written(dir, "input", input)

    env = [{"WASGO_CACHE_DIR", Path.join(dir, "cache")}]
    System.cmd("sh", ["-c", shell, "sh", input, elixir | words], [env: env] ++ options)
  end

  describe "check" do
    test "tells what a program is and how its try ended", %{tmp_dir: dir} do
      assert Check.run([@namer]) == :ok
      told = told()
      assert told =~ "kind      WASI program (preview 1)"
      assert told =~ ~r/tried: it ended after \d+ ms with status 0; its stdout: READY/

      assert Check.run([written(dir, "seven.wasm", exit_program(7))]) == :ok
      assert told() =~ "with status 7"
    end

    @tag :guest_c
    test "has a container say a word", %{tmp_dir: dir} do
      assert Check.run([machine(dir)]) == :ok
      told = told()
      assert told =~ "container by container2wasm, riscv64, started when it was made"
      assert told =~ ~r/tried: its command answered \d+ ms after the start/
    end

    test "fails with a sentence for each fault", %{tmp_dir: dir} do
      for {path, words} <- [
            {Path.join(dir, "none.wasm"), "could not read file"},
            {dir, "directory"},
            {written(dir, "text.wasm", "text"), ~s(not WebAssembly: it begins with "text")},
            {written(dir, "empty.wasm", ""), "it is empty"},
            {written(dir, "component.wasm", <<0, "asm", 13, 0, 1, 0>>), "a component"},
            {written(dir, "module.wasm", program(exports: ["main"])), "_start"},
            {written(dir, "imports.wasm", program(imports: [{"env", "wanted"}])), "env.wanted"},
            {written(dir, "memory.wasm", program(memory: [0, 0x80, 0x80, 1])), "1024.0 MiB"},
            # What is only seen when it is compiled, linked and run.
            {written(dir, "type.wasm", program(imports: ["fd_write"])), "fd_write"},
            {written(dir, "marks.wasm", container(data: "ucbbar,riscvemu")), "sock_accept"}
          ] do
        error = assert_raise Mix.Error, fn -> Check.run([path]) end
        assert Exception.message(error) =~ words
        assert Exception.message(error) =~ path
      end
    end

    test "takes memory in units, and refuses what is none" do
      assert Check.run(["--memory", "1MiB", "--no-run", @namer]) == :ok

      assert_raise Mix.Error, ~r/no number of bytes/, fn ->
        Check.run(["--memory", "x", @namer])
      end

      assert_raise Mix.Error, ~r/is granted 1024 bytes/, fn ->
        Check.run(["--memory", "1K", @namer])
      end

      assert_raise Mix.Error, ~r/which file/, fn -> Check.run([]) end
      assert_raise Mix.Error, ~r/--timeout/, fn -> Check.run(["--timeout", "0", @namer]) end
    end
  end

  describe "run" do
    test "connects a program with the standard streams", %{tmp_dir: dir} do
      input = "0 0 -2.5 31.0 12.2 0.08 120 14\n"
      assert {"READY\n" <> name, 0} = outside(dir, Run, [@namer], input)
      assert name =~ ~r/^\S.*\n$/
    end

    test "ends with the program's status", %{tmp_dir: dir} do
      path = written(dir, "seven.wasm", exit_program(7))
      assert outside(dir, Run, [path], "") == {"", 7}
    end

    @tag :guest_c
    test "passes on bytes as they are", %{tmp_dir: dir} do
      path = Path.join(dir, "command.wasm")
      source = Path.join(@support, "command.c")
      clang = System.get_env("WASGO_CLANG", "clang")
      {_text, 0} = System.cmd(clang, ["--target=wasm32-wasi", "-O2", source, "-o", path])
      bytes = for(byte <- 0..255, into: "", do: <<byte>>) |> :binary.copy(2_000)
      assert outside(dir, Run, [path, "cat"], bytes) == {bytes, 0}
    end

    @tag :guest_c
    test "is a container's terminal for lines, whose command has its status", %{tmp_dir: dir} do
      path = machine(dir)
      assert outside(dir, Run, [path, "upper"], "one\ntwo\n") == {"ONE\nTWO\n", 0}
      assert outside(dir, Run, [path, "upper"], "one\nexit 5\n") == {"ONE\n", 5}
      assert {"a b\n\n", 0} = outside(dir, Run, [path, "--", "say", "a b", " "], "") |> trimmed()

      for {input, words} <- [
            {"a\x03b\n", "control character 0x3"},
            {String.duplicate("x", 5_000), "a line of 5000 bytes"}
          ] do
        assert {told, 126} = outside(dir, Run, [path, "upper"], input, stderr_to_stdout: true)
        assert told =~ words
      end
    end

    # Spaces at the end of a line are hard to see.
    defp trimmed({text, status}), do: {String.replace(text, " \n", "\n"), status}

    test "refuses what it can't give", %{tmp_dir: dir} do
      for {arguments, words} <- [
            {["--dir", "one", @namer], "no directory: HOST:GUEST"},
            {["--env", "=x", @namer], "no variable"},
            {["--env", "WASGO_NOT_SET_HERE", @namer], "is not set here"},
            {["--memory", "-1", @namer], "no number of bytes"},
            {["--outgoing", "a:b:c", @namer], "no target"},
            {[dir], "directory"},
            {[], "which file"}
          ] do
        error = assert_raise Mix.Error, fn -> Run.run(arguments) end
        assert Exception.message(error) =~ words
      end

      assert catch_exit(Run.run(["--dir", "#{dir}/none:/data", @namer])) == {:shutdown, 126}
      assert told() =~ ~r{/none.*no such file or directory}
    end
  end

  describe "convert" do
    setup %{tmp_dir: dir} do
      path = System.get_env("PATH")
      bin = Path.join(dir, "bin")
      File.mkdir_p!(bin)
      on_exit(fn -> System.put_env("PATH", path) end)
      System.put_env("PATH", bin <> ":" <> path)
      script(bin, "docker", "exit 0")
      %{bin: bin, path: path, output: Path.join(dir, "out.wasm")}
    end

    @copy ~S(for last; do :; done; echo "step 1 of 2"; echo "step 2 of 2" >&2; echo "$@" >"$SAID"; cp "$MADE" "$last")

    defp stand_in(bin, made, text \\ @copy) do
      script(bin, "c2w", ~s(MADE="#{made}"\nSAID="#{bin}/said"\n) <> text)
    end

    test "passes on what c2w says, and makes the file", %{bin: bin, tmp_dir: dir} = context do
      made = written(dir, "made.wasm", container(data: "ucbbar,riscvemu noirqdebug init="))
      stand_in(bin, made)
      assert Convert.run(["riscv64/alpine", context.output, "--no-check"]) == :ok
      assert File.read!(context.output) == File.read!(made)
      told = told()
      assert told =~ "step 1 of 2\n"
      assert told =~ "step 2 of 2\n"
      refute told =~ "not told noirqdebug"

      said = File.read!(Path.join(bin, "said"))

      assert said =~
               ~r{^--target-arch riscv64 --builder docker --build-arg LINUX_LOGLEVEL=0 noirqdebug riscv64/alpine }

      assert [Path.basename(context.output)] == dir |> File.ls!() |> Enum.filter(&(&1 =~ "out"))
    end

    test "gives c2w what its options say", %{bin: bin, tmp_dir: dir} = context do
      made = written(dir, "made.wasm", container(names: "BX_CPU_C"))
      stand_in(bin, made)

      options =
        ~w(--arch x86_64 --machine-memory 256 --cold --build-arg NO_BINFMT=true --no-check)

      assert Convert.run(["alpine:3", context.output | options]) == :ok

      assert File.read!(Path.join(bin, "said")) =~
               "--target-arch amd64 --builder docker --build-arg VM_MEMORY_SIZE_MB=256 " <>
                 "--build-arg OPTIMIZATION_MODE=native --build-arg NO_BINFMT=true alpine:3 "
    end

    test "says when the kernel's argument did not arrive", %{bin: bin, tmp_dir: dir} = context do
      stand_in(bin, written(dir, "made.wasm", container(data: "ucbbar,riscvemu")))
      assert Convert.run(["alpine", context.output, "--no-check"]) == :ok
      assert told() =~ "was not told noirqdebug"
    end

    @tag :guest_c
    test "tries what was made", %{bin: bin, tmp_dir: dir} = context do
      stand_in(bin, machine(dir))
      assert Convert.run(["alpine", context.output]) == :ok
      assert told() =~ "tried: its command answered"
    end

    test "repeats what c2w said last when it fails", %{bin: bin} = context do
      stand_in(bin, "none", ~s(echo "pulling"; echo "no such image" >&2; exit 3))
      error = assert_raise Mix.Error, fn -> Convert.run(["none", context.output]) end
      assert Exception.message(error) =~ "c2w did not convert none: it ended with status 3"
      assert Exception.message(error) =~ "no such image"
      refute File.exists?(context.output)
    end

    test "ends one that says nothing any more, and what it started", %{bin: bin} = context do
      stand_in(bin, "none", ~s(echo "begun"; sleep 1000000 & echo $! >"$SAID"; wait))
      options = ["alpine", context.output, "--patience", "1"]
      error = assert_raise Mix.Error, fn -> Convert.run(options) end
      assert Exception.message(error) =~ "said nothing for 1 s"
      pid = bin |> Path.join("said") |> File.read!() |> String.trim()
      assert Wasgo.TestGuests.eventually(fn -> gone?(pid) end)
      refute File.exists?(context.output)
    end

    # A process whose parent has not asked for its status is over, too.
    defp gone?(pid) do
      case File.read("/proc/#{pid}/stat") do
        {:ok, stat} -> stat =~ ") Z "
        {:error, _reason} -> true
      end
    end

    test "refuses what is no container, and leaves nothing",
         %{bin: bin, tmp_dir: dir} = context do
      for {bytes, words} <- [
            {"rubbish", "not WebAssembly"},
            {"", "it is empty"},
            {exit_program(0), "no container: a wasi_command"}
          ] do
        stand_in(bin, written(dir, "made", bytes))
        error = assert_raise Mix.Error, fn -> Convert.run(["alpine", context.output]) end
        assert Exception.message(error) =~ words
      end

      stand_in(bin, "none", "exit 0")
      error = assert_raise Mix.Error, fn -> Convert.run(["alpine", context.output]) end
      assert Exception.message(error) =~ "made no file"
      assert dir |> File.ls!() |> Enum.filter(&(&1 =~ "out")) == []
    end

    test "passes on no characters that a terminal would act upon",
         %{bin: bin, tmp_dir: dir} = context do
      made = written(dir, "made.wasm", container(data: "ucbbar,riscvemu"))
      stand_in(bin, made, ~S(printf '\033[2J\377\001ok\r\n') <> "\n" <> @copy)
      assert Convert.run(["alpine", context.output, "--no-check"]) == :ok
      told = told()
      assert told =~ "?ok\n"
      refute told =~ ~r/[\x00-\x09\x0B-\x1F]/
    end

    test "says all that is missing, and what to install", %{bin: bin} = context do
      File.rm!(Path.join(bin, "docker"))
      System.put_env("PATH", bin)
      error = assert_raise Mix.Error, fn -> Convert.run(["alpine", context.output]) end
      assert Exception.message(error) =~ ~r/^c2w, container2wasm's converter, is not on the PATH/
      assert Exception.message(error) =~ "docker is not on the PATH"

      for {arguments, words} <- [
            {["alpine", "--arch", "arm"], "there are riscv64 and x86_64"},
            {[], "which image"},
            {["alpine", "--patience", "0"], "--patience"}
          ] do
        error = assert_raise Mix.Error, fn -> Convert.run(arguments) end
        assert Exception.message(error) =~ words
      end
    end
  end
end
