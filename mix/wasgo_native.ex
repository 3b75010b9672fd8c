defmodule Mix.Tasks.Compile.WasgoNative do
  use Mix.Task.Compiler

  @shortdoc "Builds the native half of Wasgo with Cargo"

  @moduledoc """
  Builds the crate `wasgo_nif` and puts its library where the BEAM looks for it.

  Runs `cargo build --release --locked -p wasgo_nif` in the folder of Wasgo's own `mix.exs`, also when
  Wasgo is a dependency of another project, and installs the result as `priv/native/wasgo_nif.so` (that
  name on macOS too: it is the one the BEAM loads). Cargo writes to the terminal itself, so that its
  progress and its errors are seen as they come.

  Cargo only runs when one of the Rust sources, a `Cargo.toml`, `Cargo.lock` or a variable that changes
  the build is not what it was at the last build, or when the installed library is not the one that this
  build put there. The library is replaced by a rename, never written in place: a BEAM that has the old
  one mapped keeps it.

  It must never touch anything but `priv/native`, its manifest and Cargo's target folder.

  ## Options

    * `--force` - runs Cargo even when nothing changed (Cargo then looks for itself)

  ## Environment

    * `CARGO_TARGET_DIR`, `CARGO_BUILD_TARGET`, `RUSTFLAGS` and the rest of Cargo's own variables - as
      Cargo understands them
    * `CARGO` - the cargo to run, instead of the one on the `PATH`
    * `CC` - the C compiler, instead of `cc`
    * `WASGO_NATIVE_FEATURES` - the features of the crate to build, separated by commas, instead of its
      default ones: `remote` (databases on a server), `replication` (copies of them); empty for none
    * `WASGO_PREBUILT` - path of a library that was built elsewhere, from the same sources: it is
      installed, and nothing is built. For machines without Rust. The BEAM runs what is in it: take it
      from where you would take the sources
  """

  @recursive true
  @manifest "compile.wasgo_native"
  @manifest_version 1
  @library "wasgo_nif.so"
  @build_args ~w(build --release --locked -p wasgo_nif)
  # Variables that change what Cargo builds, or where: a new value is a reason to ask Cargo again.
  @build_env ~w(CARGO CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR CC CFLAGS CXX CXXFLAGS
                RUSTFLAGS RUSTUP_TOOLCHAIN WASGO_NATIVE_FEATURES)

  # Cargo runs in a process group of its own, so it would build on when the VM is stopped. The port's
  # channel (descriptor 3) closes with the VM: then Cargo is told to end.
  @guardian """
  "$@" </dev/null 3<&- 4>&- &
  child=$!
  { read -r _ <&3; kill -TERM "$child"; } 2>/dev/null 4>&- &
  watch=$!
  wait "$child"
  status=$?
  kill "$watch" 2>/dev/null
  exit "$status"
  """

  @impl true
  def run(args) do
    root = root()
    prebuilt = prebuilt()
    key = key(root, prebuilt)

    if "--force" not in args and current?(root, key) do
      {:noop, []}
    else
      with {:ok, built} <- library(root, prebuilt),
           {:ok, change} <- install(root, built) do
        write_manifest(root, key)
        {change, []}
      else
        {:error, message} -> failed(root, message)
      end
    end
  end

  @impl true
  def manifests, do: [manifest()]

  # Cargo's target folder stays: it may be shared with other projects, and costs minutes to fill again.
  @impl true
  def clean do
    File.rm(installed(root()))
    File.rm(manifest())
    :ok
  end

  # Not the current folder: Wasgo may be a dependency of the project that is being compiled.
  defp root, do: Path.dirname(Mix.Project.project_file())

  defp prebuilt do
    case System.get_env("WASGO_PREBUILT", "") do
      "" -> nil
      path -> Path.expand(path)
    end
  end

  defp manifest, do: Path.join(Mix.Project.manifest_path(), @manifest)
  defp installed(root), do: Path.join([root, "priv", "native", @library])

  ## What decides whether there is something to do

  defp key(_root, path) when is_binary(path), do: {:prebuilt, path, identity(path)}

  defp key(root, nil) do
    environment = :erlang.term_to_binary(Enum.map(@build_env, &System.get_env/1))

    root
    |> sources()
    |> Enum.reduce(:erlang.md5_update(:erlang.md5_init(), environment), fn path, hash ->
      :erlang.md5_update(hash, [Path.relative_to(path, root), 0, :erlang.md5(File.read!(path))])
    end)
    |> :erlang.md5_final()
  end

  # Contents, not times: switching branches or unpacking an archive changes the times of everything.
  defp sources(root) do
    top =
      for name <- ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"], do: Path.join(root, name)

    native = Path.wildcard(Path.join(root, "native/**/*"))
    Enum.filter(top ++ Enum.sort(native), &File.regular?/1)
  end

  # The library is shared by all build folders (dev, test, another Elixir's), each of which has a
  # manifest: whether the library is still the one that this manifest speaks of is part of the question.
  defp current?(root, key) do
    library = identity(installed(root))
    library != nil and read_manifest() == {@manifest_version, key, library}
  end

  defp identity(path) do
    case File.stat(path, time: :posix) do
      {:ok, %File.Stat{type: :regular} = stat} -> {stat.size, stat.mtime, stat.inode}
      _ -> nil
    end
  end

  defp read_manifest do
    with {:ok, bytes} <- File.read(manifest()) do
      :erlang.binary_to_term(bytes)
    end
  rescue
    # A damaged manifest is the same as none.
    ArgumentError -> nil
  end

  defp write_manifest(root, key) do
    File.mkdir_p!(Path.dirname(manifest()))
    term = {@manifest_version, key, identity(installed(root))}
    File.write!(manifest(), :erlang.term_to_binary(term))
  end

  ## Where the library comes from

  defp library(_root, path) when is_binary(path) do
    if File.regular?(path) do
      {:ok, path}
    else
      {:error, "WASGO_PREBUILT names #{path}, which is not a file."}
    end
  end

  defp library(root, nil) do
    with {:ok, cargo} <- find_cargo(),
         :ok <- check_cc(),
         :ok <- cargo_build(root, cargo) do
      find_built(root)
    end
  end

  defp find_cargo do
    name = System.get_env("CARGO", "cargo")

    case System.find_executable(name) do
      nil ->
        {:error,
         "#{name} was not found on the PATH. Wasgo's native half is built with Cargo: install Rust " <>
           "(1.95 or later) with rustup, see https://rust-lang.org/tools/install, and open a new " <>
           "shell. Or set WASGO_PREBUILT to a library built elsewhere."}

      path ->
        {:ok, path}
    end
  end

  # Without this check the answer would be "linker `cc` not found", late. CC and CXX may hold arguments.
  defp check_cc do
    case {missing("CC", "cc"), missing("CXX", "c++")} do
      {nil, nil} ->
        :ok

      {nil, name} ->
        {:error,
         "#{name}, the C++ compiler, was not found on the PATH. The simplifier of meshes is compiled " <>
           "with it: install g++ (Debian, Ubuntu: g++), or set CXX."}

      {name, _} ->
        {:error,
         "#{name}, the C compiler, was not found on the PATH. Rust links with it and SQLite is compiled " <>
           "with it: install gcc and the C library's headers (Debian, Ubuntu: gcc libc6-dev), or set CC."}
    end
  end

  defp missing(variable, default) do
    name = variable |> System.get_env(default) |> String.split() |> List.first() || default
    unless System.find_executable(name), do: name
  end

  defp cargo_build(root, cargo) do
    Mix.shell().info("Building wasgo_nif (the first time takes some minutes)")

    port =
      Port.open({:spawn_executable, System.find_executable("sh")}, [
        :nouse_stdio,
        :exit_status,
        :hide,
        cd: root,
        args: ["-c", @guardian, "sh", cargo | build_args()]
      ])

    receive do
      {^port, {:exit_status, 0}} ->
        :ok

      {^port, {:exit_status, status}} ->
        command = Enum.join(["cargo" | build_args()], " ")
        {:error, "`#{command}` failed with status #{status}; what it wrote above says why."}
    end
  end

  defp build_args do
    case System.get_env("WASGO_NATIVE_FEATURES") do
      nil -> @build_args
      features -> @build_args ++ ["--no-default-features", "--features", features]
    end
  end

  defp find_built(root) do
    target = Path.expand(System.get_env("CARGO_TARGET_DIR", "target"), root)
    folder = Path.join([target, System.get_env("CARGO_BUILD_TARGET", ""), "release"])
    candidates = for suffix <- [".so", ".dylib"], do: Path.join(folder, "libwasgo_nif" <> suffix)

    case Enum.find(candidates, &File.regular?/1) do
      nil ->
        {:error,
         "cargo succeeded, but left no libwasgo_nif.so or .dylib in #{folder}. If a Cargo configuration " <>
           "file moves its output, say where with CARGO_TARGET_DIR and CARGO_BUILD_TARGET."}

      path ->
        {:ok, path}
    end
  end

  ## Where it goes

  # The same bytes stay where they are: build folders that take turns would otherwise undo each
  # other's manifests for ever.
  defp install(root, built) do
    target = installed(root)

    change = if same?(built, target), do: {:ok, :noop}, else: replace(built, target)

    # Mix links priv into the build folder before the compilers run: the first time there was none yet.
    Mix.Project.build_structure(Mix.Project.config())
    change
  end

  defp replace(built, target) do
    temporary = "#{target}.#{System.pid()}"

    with :ok <- File.mkdir_p(Path.dirname(target)),
         :ok <- File.cp(built, temporary),
         :ok <- File.rename(temporary, target) do
      {:ok, :ok}
    else
      {:error, reason} ->
        File.rm(temporary)
        {:error, "#{built} could not be installed as #{target}: #{:file.format_error(reason)}."}
    end
  end

  defp same?(one, other) do
    with {:ok, %File.Stat{size: size}} <- File.stat(one),
         {:ok, %File.Stat{size: ^size}} <- File.stat(other),
         {:ok, bytes} <- File.read(one) do
      File.read(other) == {:ok, bytes}
    else
      _ -> false
    end
  end

  defp failed(root, message) do
    Mix.shell().error("** (wasgo) #{message}")

    {:error,
     [
       %Mix.Task.Compiler.Diagnostic{
         file: Path.join(root, "native/wasgo_nif/Cargo.toml"),
         severity: :error,
         message: message,
         position: 0,
         compiler_name: "wasgo_native"
       }
     ]}
  end
end
