defmodule Wasgo.GuestToolchain do
  @moduledoc false
  # Builds the scripts and services under guest/ for tests, by guest/build, and knows which of them can be built here.

  @guest Path.expand("../../guest", __DIR__)

  @modules %{
    "thin" => "scripts/thin.wasm",
    "signpost" => "scripts/signpost.wasm",
    "wander" => "scripts/wander.wasm",
    "shy" => "scripts/shy.wasm",
    "craters" => "scripts/craters.wasm",
    "henge" => "scripts/henge.wasm",
    "namer" => "services/namer.wasm"
  }

  # Components are too large to be committed: each with the sources that it is made of.
  @components %{
    "greeter" => ["scripts/greeter.js", "wit/script.wit"],
    "tally" => ["scripts/tally.js", "wit/script.wit"],
    "circle" => ["scripts/circle.py", "wit/script.wit"]
  }

  @tags [
    guest_c: ["thin", "signpost", "namer"],
    guest_assemblyscript: ["wander", "craters"],
    guest_rust: ["shy", "henge"],
    guest_javascript: ["greeter", "tally"],
    guest_python: ["circle"]
  ]

  @doc "The path of the committed module called `name`."
  @spec committed(String.t()) :: Path.t()
  def committed(name), do: Path.join(@guest, Map.fetch!(@modules, name))

  @doc "The tags whose tests have no tool-chain here, each with what is missing: for `ExUnit.configure(exclude: ...)`."
  @spec missing() :: [{atom(), String.t()}]
  def missing do
    for {tag, names} <- @tags,
        problem = Enum.find_value(names, &problem/1) do
      {tag, problem}
    end
  end

  @doc "What `name` would be built with here, as a line of guest/TOOLCHAINS."
  @spec toolchain(String.t()) :: {:ok, String.t()} | {:error, String.t()}
  def toolchain(name) do
    case run(["--toolchain", name]) do
      {output, 0} -> {:ok, String.trim(output)}
      {output, _status} -> {:error, String.trim(output)}
    end
  end

  @doc "What the committed module called `name` was built with, as a line of guest/TOOLCHAINS."
  @spec recorded(String.t()) :: String.t()
  def recorded(name) do
    [@guest, "TOOLCHAINS"]
    |> Path.join()
    |> File.stream!()
    |> Enum.find_value(&(String.starts_with?(&1, name <> ":") && String.trim(&1)))
  end

  @doc "Builds `name`, a sample or the path of a source, into the folder `into`."
  @spec build(String.t(), Path.t()) :: {:ok, Path.t()} | {:error, String.t()}
  def build(name, into) do
    case run(["--into", into, name]) do
      {_output, 0} ->
        {:ok, Path.join(into, (name |> Path.basename() |> Path.rootname()) <> ".wasm")}

      {output, _status} ->
        {:error, String.trim(output)}
    end
  end

  @doc "The path of the component called `name`, built beside its source when that is newer: it can take half a minute."
  @spec component(String.t()) :: {:ok, Path.t()} | {:error, String.t()}
  def component(name) do
    [source | _wit] = sources = Map.fetch!(@components, name)
    path = Path.join(@guest, Path.rootname(source) <> ".wasm")

    if modified(path) >= Enum.max(Enum.map(sources, &modified(Path.join(@guest, &1)))),
      do: {:ok, path},
      else: build(name, Path.dirname(path))
  end

  defp modified(path) do
    case File.stat(path, time: :posix) do
      {:ok, stat} -> stat.mtime
      {:error, _reason} -> 0
    end
  end

  @doc "What runs components."
  @spec components() :: module()
  def components, do: Module.concat(["Wasgo.Wasm.Component"])

  defp problem(name) when is_map_key(@components, name) do
    if Code.ensure_loaded?(components()),
      do: unbuildable(name),
      else: "components cannot be run yet"
  end

  defp problem(name), do: unbuildable(name)

  defp unbuildable(name) do
    case toolchain(name) do
      {:ok, _line} -> nil
      {:error, problem} -> problem
    end
  end

  # bash by name: the script itself may have lost its mode in a checkout.
  defp run(arguments) do
    case System.find_executable("bash") do
      nil -> {"bash is missing", 1}
      bash -> System.cmd(bash, [Path.join(@guest, "build") | arguments], stderr_to_stdout: true)
    end
  end
end
