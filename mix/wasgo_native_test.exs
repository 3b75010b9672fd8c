# Run by itself: `elixir mix/wasgo_native_test.exs`. It is no part of `mix test`, which needs the native
# half built first. A scratch project and a cargo of three lines stand in for the crates, so that every
# way to fail takes milliseconds.

Mix.start()
Mix.shell(Mix.Shell.Process)
Code.require_file("wasgo_native.ex", __DIR__)
ExUnit.start()

defmodule Wasgo.NativeCompilerTest do
  use ExUnit.Case, async: false

  alias Mix.Tasks.Compile.WasgoNative

  @variables ~w(CARGO CARGO_BUILD_TARGET CARGO_TARGET_DIR CC PATH RUSTFLAGS
                WASGO_NATIVE_FEATURES WASGO_PREBUILT)

  # Writes down how it was called, then "builds" the library: the source, as it is.
  @cargo """
  #!/bin/sh
  echo "$PWD: $*" >> calls
  grep -q syntax-error native/wasgo_nif/src/lib.rs && exit 101
  mkdir -p "${CARGO_TARGET_DIR:-target}/release"
  cp native/wasgo_nif/src/lib.rs "${CARGO_TARGET_DIR:-target}/release/libwasgo_nif.so"
  """

  setup do
    before = Map.new(@variables, &{&1, System.get_env(&1)})

    dir =
      Path.join(System.tmp_dir!(), "wasgo-#{System.pid()}-#{System.unique_integer([:positive])}")

    app = :"wasgo_scratch_#{System.unique_integer([:positive])}"

    on_exit(fn ->
      System.put_env(before)
      File.rm_rf!(dir)
    end)

    write(dir, "mix.exs", """
    defmodule #{Macro.camelize(to_string(app))}.MixProject do
      use Mix.Project
      def project, do: [app: :#{app}, version: "0.1.0"]
    end
    """)

    write(dir, "Cargo.toml", "[workspace]")
    write(dir, "Cargo.lock", "")
    write(dir, "native/wasgo_nif/Cargo.toml", "[package]")
    write(dir, "native/wasgo_nif/src/lib.rs", "one")
    write(dir, "tools/cargo", @cargo)
    File.chmod!(Path.join(dir, "tools/cargo"), 0o755)
    write(dir, "tools/cc", "#!/bin/sh")
    File.chmod!(Path.join(dir, "tools/cc"), 0o755)

    System.put_env(Map.new(@variables, &{&1, nil}))
    System.put_env("PATH", Path.join(dir, "tools") <> ":" <> before["PATH"])
    %{dir: dir, app: app}
  end

  test "builds with the locked dependencies in the project's folder, and installs", context do
    assert {:ok, []} = compile(context)
    assert installed(context) == {:ok, "one"}
    assert [call] = calls(context)
    assert String.ends_with?(call, ": build --release --locked -p wasgo_nif")
    [folder, _] = String.split(call, ": ")
    assert Path.basename(folder) == Path.basename(context.dir)
    assert {:ok, "one"} = File.read(Path.join(build_path(context), "priv/native/wasgo_nif.so"))
  end

  test "leaves cargo alone while nothing changes, new times included", context do
    assert {:ok, []} = compile(context)
    File.touch!(Path.join(context.dir, "native/wasgo_nif/src/lib.rs"), 1_000_000_000)
    assert {:noop, []} = compile(context)
    assert length(calls(context)) == 1
  end

  test "asks cargo with --force, and keeps a library that is the same", context do
    assert {:ok, []} = compile(context)
    before = stat(context)
    assert {:noop, []} = compile(context, ["--force"])
    assert length(calls(context)) == 2
    assert stat(context) == before
  end

  for {what, path} <- [
        source: "native/wasgo_nif/src/lib.rs",
        "new source": "native/wasgo_nif/src/deep/new.rs",
        manifest: "native/wasgo_nif/Cargo.toml",
        "workspace manifest": "Cargo.toml",
        "lock file": "Cargo.lock",
        "cargo configuration": ".cargo/config.toml"
      ] do
    test "builds again after a change of a #{what}", context do
      assert {:ok, []} = compile(context)
      write(context.dir, unquote(path), "two")
      {_, []} = compile(context)
      assert length(calls(context)) == 2
    end
  end

  test "builds again when the target folder is another one", context do
    assert {:ok, []} = compile(context)
    System.put_env("CARGO_TARGET_DIR", Path.join(context.dir, "elsewhere"))
    write(context.dir, "native/wasgo_nif/src/lib.rs", "two")
    assert {:ok, []} = compile(context)
    assert installed(context) == {:ok, "two"}
    assert File.read!(Path.join(context.dir, "target/release/libwasgo_nif.so")) == "one"
  end

  test "builds with the features that are named, and again when others are", context do
    System.put_env("WASGO_NATIVE_FEATURES", "remote")
    assert {:ok, []} = compile(context)
    assert {:noop, []} = compile(context)
    System.put_env("WASGO_NATIVE_FEATURES", "")
    {_, []} = compile(context)
    assert [one, none] = calls(context)
    assert String.ends_with?(one, "-p wasgo_nif --no-default-features --features remote")
    assert String.ends_with?(none, "--no-default-features --features ")
  end

  test "a damaged manifest, a lost library and a strange library each lead to a build", context do
    assert {:ok, []} = compile(context)
    File.write!(manifest(context), "rubbish")
    assert {:noop, []} = compile(context)
    File.rm!(library(context))
    assert {:ok, []} = compile(context)
    File.write!(library(context), "strange")
    assert {:ok, []} = compile(context)
    assert installed(context) == {:ok, "one"}
    assert length(calls(context)) == 4
  end

  test "a new library is a new file, and nothing else is left in the folder", context do
    assert {:ok, []} = compile(context)
    {:ok, mapped} = File.open(library(context), [:read])
    write(context.dir, "native/wasgo_nif/src/lib.rs", "two")
    assert {:ok, []} = compile(context)
    assert IO.read(mapped, :line) == "one"
    assert installed(context) == {:ok, "two"}
    assert File.ls!(Path.dirname(library(context))) == ["wasgo_nif.so"]
  end

  test "a failed build is an error, keeps the library that was there, and is tried again",
       context do
    assert {:ok, []} = compile(context)
    write(context.dir, "native/wasgo_nif/src/lib.rs", "syntax-error")
    assert {:error, [diagnostic]} = compile(context)
    assert diagnostic.message =~ "failed with status 101"
    assert diagnostic.severity == :error
    assert File.regular?(diagnostic.file)
    assert installed(context) == {:ok, "one"}
    assert {:error, [_]} = compile(context)
    assert length(calls(context)) == 3
    assert_received {:mix_shell, :error, ["** (wasgo) `cargo build" <> _]}
  end

  test "says that cargo is missing, and how to get it", context do
    System.put_env("CARGO", "no-such-cargo")
    assert {:error, [%{message: "no-such-cargo was not found" <> rest}]} = compile(context)
    assert rest =~ "install Rust"
    assert rest =~ "WASGO_PREBUILT"
  end

  test "says that the C compiler is missing before it builds; CC may hold arguments", context do
    System.put_env("CC", "no-such-cc -O2")
    assert {:error, [%{message: "no-such-cc, the C compiler" <> _}]} = compile(context)
    assert calls(context) == []
    System.put_env("CC", "cc -O2")
    assert {:ok, []} = compile(context)
  end

  test "says where it looked when cargo puts the library elsewhere", context do
    System.put_env("CARGO_BUILD_TARGET", "other-machine")
    assert {:error, [%{message: message}]} = compile(context)
    assert message =~ "target/other-machine/release"
  end

  test "installs a library that was built elsewhere, without cargo", context do
    prebuilt = write(context.dir, "given.so", "given")
    System.put_env(%{"WASGO_PREBUILT" => prebuilt, "CARGO" => "no-such-cargo"})
    assert {:ok, []} = compile(context)
    assert installed(context) == {:ok, "given"}
    assert {:noop, []} = compile(context)

    write(context.dir, "given.so", "another")
    assert {:ok, []} = compile(context)
    assert installed(context) == {:ok, "another"}

    System.put_env(%{"WASGO_PREBUILT" => "", "CARGO" => "cargo"})
    assert {:ok, []} = compile(context)
    assert installed(context) == {:ok, "one"}
  end

  test "names a prebuilt library that is not there", context do
    System.put_env("WASGO_PREBUILT", Path.join(context.dir, "absent.so"))
    assert {:error, [%{message: message}]} = compile(context)
    assert message =~ Path.join(context.dir, "absent.so")
  end

  test "clean removes the library and the manifest", context do
    assert {:ok, []} = compile(context)
    in_project(context, fn -> WasgoNative.clean() end)
    refute File.exists?(library(context))
    refute File.exists?(manifest(context))
    assert {:ok, []} = compile(context)
  end

  defp compile(context, args \\ []), do: in_project(context, fn -> WasgoNative.run(args) end)

  defp in_project(%{app: app, dir: dir}, fun),
    do: Mix.Project.in_project(app, dir, fn _ -> fun.() end)

  defp build_path(context), do: in_project(context, &Mix.Project.app_path/0)
  defp manifest(context), do: hd(in_project(context, &WasgoNative.manifests/0))
  defp library(context), do: Path.join(context.dir, "priv/native/wasgo_nif.so")
  defp installed(context), do: File.read(library(context))
  defp stat(context), do: File.stat!(library(context))

  defp calls(context) do
    case File.read(Path.join(context.dir, "calls")) do
      {:ok, text} -> String.split(text, "\n", trim: true)
      {:error, :enoent} -> []
    end
  end

  defp write(dir, path, content) do
    full = Path.join(dir, path)
    File.mkdir_p!(Path.dirname(full))
    File.write!(full, content)
    full
  end
end
