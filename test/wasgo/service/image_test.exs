defmodule Wasgo.Service.ImageTest do
  use ExUnit.Case, async: true

  import Wasgo.WasmBytes

  alias Wasgo.{CompileError, LimitError, LinkError}
  alias Wasgo.Service.Image

  doctest Image

  @namer "guest/services/namer.wasm"
  @riscv "\0\0ucbbar,riscvemu\0"

  # Modules that are changed here and there, by a seed that a failure names.
  @changes 4_000

  test "a WASI program is told by what it exports, with its imports and memory" do
    assert {:ok, image} = Image.describe_file(@namer)
    assert %Image{kind: :wasi_command, arch: nil, preinitialised: nil, missing: []} = image
    assert image.imports["wasi_snapshot_preview1"] == ~w(fd_read fd_write poll_oneoff proc_exit)
    assert image.memory == %{initial: 65_536, maximum: nil}
    assert image.size == File.stat!(@namer).size
    refute image.network?
    assert Image.runnable(image) == :ok
    assert inspect(image) == "#Wasgo.Service.Image<wasi_command, #{image.size} bytes>"
    assert to_string(image) == Image.report(image)
  end

  test "containers are told with their machine, by names of functions or else by what their data begins with" do
    for {options, arch} <- [
          {[names: "riscv_cpu_interp64"], :riscv64},
          {[names: "_ZN8BX_CPU_C4initEv"], :x86_64},
          {[data: @riscv], :riscv64},
          {[data: "file=/pack/BIOS-bochs-latest"], :x86_64},
          # A machine that has another emulator in its files.
          {[data: @riscv <> "BXSHARE"], :riscv64},
          {[names: "riscv_cpu_interp64", data: "BXSHARE"], :riscv64}
        ] do
      assert {:ok, image} = options |> container() |> Image.describe()
      assert %Image{kind: :container2wasm, arch: ^arch, network?: true} = image
      assert image.preinitialised

      assert Image.report(image) =~
               "container by container2wasm, #{arch}, started when it was made"
    end

    cold = ["_start", "wasi_vfs_pack_fs", "wizer.initialize"]
    assert {:ok, image} = Image.describe(container(data: @riscv, exports: cold))
    assert image.preinitialised == false
    assert Image.report(image) =~ "starts cold"
  end

  test "a program with files, or with an emulator's name in its data, is not for that a container" do
    for bytes <- [
          container([]),
          program(data: @riscv),
          container(data: @riscv, imports: []),
          container(data: @riscv, exports: ["_start"])
        ] do
      assert {:ok, %Image{kind: :wasi_command, arch: nil}} = Image.describe(bytes)
    end
  end

  test "says whether a container's kernel was told noirqdebug" do
    told = "loglevel=0 noirqdebug init=/sbin/tini"

    assert {:ok, %Image{noirqdebug?: true} = image} =
             Image.describe(container(data: @riscv <> told))

    refute Image.report(image) =~ "noirqdebug"

    # The kernel knows the word in any case.
    assert {:ok, %Image{noirqdebug?: false} = image} =
             Image.describe(container(data: @riscv <> "\0noirqdebug\0"))

    assert Image.report(image) =~ "not told noirqdebug"
  end

  test "components, reactors and modules are told, and why no service can run them" do
    for {bytes, kind, words} <- [
          {<<0, "asm", 13, 0, 1, 0, "rest">>, :component, "component"},
          {program(imports: ["fd_write"], exports: ["_initialize"]), :wasi_reactor, "reactor"},
          {program(exports: ["_initialize"]), :module, "_start"},
          {program(exports: ["main"]), :module, "_start"}
        ] do
      assert {:ok, %Image{kind: ^kind} = image} = Image.describe(bytes)
      assert {:error, %LinkError{reason: :missing_export} = error} = Image.runnable(image)
      assert Exception.message(error) =~ words
      assert Image.report(image) =~ "no service can run"
    end
  end

  test "imports that no service is given are named, once each" do
    imports = ["fd_write", "no_such", {"env", "b"}, {"env", "a"}, {"env", "b"}]
    assert {:ok, image} = Image.describe(program(imports: imports))
    assert image.missing == ["wasi_snapshot_preview1.no_such", "env.b", "env.a"]

    assert image.imports == %{
             "wasi_snapshot_preview1" => ["fd_write", "no_such"],
             "env" => ~w(a b b)
           }

    assert {:error, %LinkError{reason: :missing_import} = error} = Image.runnable(image)
    assert Exception.message(error) =~ "no_such, env.b, env.a"

    # The WASI before preview 1 is another.
    assert {:ok, image} = Image.describe(program(imports: [{"wasi_unstable", "fd_write"}]))
    assert image.missing == ["wasi_unstable.fd_write"]
  end

  test "a report has no characters that a terminal would act upon" do
    assert {:ok, image} = Image.describe(program(imports: [{"a\e[2J", "b\r\n\u009B"}]))
    report = Image.report(image)
    refute report =~ ~r/[\x{00}-\x{09}\x{0B}-\x{1F}\x{7F}-\x{9F}]/u
    assert {:error, error} = Image.runnable(image)
    refute Exception.message(error) =~ ~r/[\x{00}-\x{1F}]/
  end

  test "a module that begins with more memory than it is granted is refused with both numbers" do
    assert {:ok, image} = Image.describe(program(memory: [1, number(32), number(64)]))
    assert image.memory == %{initial: 32 * 65_536, maximum: 64 * 65_536}
    assert Image.runnable(image, 32 * 65_536) == :ok
    assert {:error, %LimitError{reason: :memory} = error} = Image.runnable(image, 1_048_576)
    assert Exception.message(error) == "it begins with 2.0 MiB of memory, and is granted 1.0 MiB"
  end

  @tag :tmp_dir
  test "what is no WebAssembly, or can't be read, is an error that names it", %{tmp_dir: dir} do
    for bytes <- ["", "\0as", "text", <<0, "asm", 9, 0, 0, 0>>, :binary.copy(<<255>>, 1_000)] do
      assert {:error, %CompileError{}} = Image.describe(bytes)
    end

    for path <- [dir, Path.join(dir, "none"), "/dev/zero", "", "a\0b"] do
      assert {:error, %File.Error{}} = Image.describe_file(path)
    end

    # A file of the size, with nothing in it.
    large = Path.join(dir, "large")
    {:ok, file} = :file.open(large, [:write])
    {:ok, _at} = :file.position(file, 300 * 1_048_576)
    :ok = :file.truncate(file)
    :ok = :file.close(file)
    assert {:error, %LimitError{reason: :module_size}} = Image.describe_file(large)
  end

  test "numbers that a file declares are not believed" do
    huge = number(0xFFFF_FFFF)

    for sections <- [
          [{2, [huge]}],
          [{2, [number(9_999), "x"]}],
          [{2, [1, huge]}],
          [{5, [huge]}],
          [{7, [huge]}],
          [{7, [1, name(<<255>>), 0, 0]}],
          [{11, [huge]}],
          [{0, [huge]}],
          [{5, [1, 0, :binary.copy(<<255>>, 20)]}],
          [{5, [1, 255]}],
          List.duplicate({0, name("")}, 10_001)
        ] do
      assert {:error, %CompileError{} = error} = sections |> module() |> Image.describe()
      assert Exception.message(error) =~ ~r/at byte \d+, /
    end
  end

  test "data that is nothing but marks is read once" do
    marks = :binary.copy("BXSHARE", 1_000_000)
    assert {:ok, %Image{arch: :x86_64}} = Image.describe(container(data: marks))
    begun = :binary.copy("BXSHAR", 1_000_000)
    assert {:ok, %Image{kind: :wasi_command}} = Image.describe(container(data: begun))
  end

  test "modules that were damaged at random are described or refused" do
    seed = ExUnit.configuration()[:seed]
    :rand.seed(:exsss, seed)

    sources = [
      File.read!(@namer),
      container(data: @riscv, names: "x"),
      program(imports: ["a", "b"])
    ]

    for number <- 1..@changes do
      bytes = sources |> Enum.random() |> damaged(:rand.uniform(4))

      case Image.describe(bytes) do
        {:ok, image} ->
          assert is_binary(Image.report(image)) and is_binary(inspect(image))
          assert match?(:ok, Image.runnable(image)) or match?({:error, _}, Image.runnable(image))

        {:error, error} ->
          assert is_binary(Exception.message(error)), "change #{number} of seed #{seed}"
      end
    end
  end

  defp damaged(bytes, 0), do: bytes

  defp damaged(bytes, times) do
    at = :rand.uniform(byte_size(bytes)) - 1
    {before, <<byte, rest::binary>>} = :erlang.split_binary(bytes, at)

    bytes =
      case :rand.uniform(4) do
        1 -> before <> <<Bitwise.bxor(byte, Bitwise.bsl(1, :rand.uniform(8) - 1))>> <> rest
        2 -> before <> <<:rand.uniform(256) - 1>> <> rest
        3 -> before <> <<255, 255, 255, 255, 15>> <> rest
        4 -> if at > 8, do: before, else: bytes
      end

    damaged(bytes, times - 1)
  end
end
