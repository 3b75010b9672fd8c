defmodule Wasgo.GuestToolchain do
  @moduledoc false
  # Builds the scripts and services under guest/ for tests, by guest/build, and knows which of them can be built here.

  @guest Path.expand("../../guest", __DIR__)

  @modules %{
    "thin" => "scripts/thin.wasm",
    "wander" => "scripts/wander.wasm",
    "namer" => "services/namer.wasm"
  }

  @tags [guest_c: ["thin", "namer"], guest_assemblyscript: ["wander"]]

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

  @doc "Builds `name` into the folder `into`."
  @spec build(String.t(), Path.t()) :: {:ok, Path.t()} | {:error, String.t()}
  def build(name, into) do
    case run(["--into", into, name]) do
      {_output, 0} -> {:ok, Path.join(into, name <> ".wasm")}
      {output, _status} -> {:error, String.trim(output)}
    end
  end

  defp problem(name) do
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
