defmodule Wasgo.GltfValidator do
  @moduledoc false
  # The Khronos validator of glTF, which test/gltf/setup gets from npm. One process of node checks many files.

  @setup "gltf/setup"
  @script Path.expand("../gltf/validate.js", __DIR__)

  @doc "What is missing for it here, or nil."
  @spec missing() :: String.t() | nil
  def missing, do: Wasgo.SetupScript.missing(@setup, "--folder")

  @doc "The errors and warnings of some GLB files: lists of name, `\"error\"` or `\"warning\"`, code, place, words."
  @spec issues([{name :: String.t(), binary()}]) :: [[String.t()]]
  def issues(files) do
    {:ok, modules} = folder()

    folder =
      Path.join(
        System.tmp_dir!(),
        "wasgo-gltf-#{System.pid()}-#{System.unique_integer([:positive])}"
      )

    File.mkdir_p!(folder)

    try do
      for {name, bytes} <- files, do: File.write!(Path.join(folder, name <> ".glb"), bytes)
      {output, 0} = System.cmd("node", [@script, modules, folder])

      {issues, [["", checked]]} =
        output
        |> String.split("\n", trim: true)
        |> Enum.map(&Wasgo.TestJSON.decode!/1)
        |> Enum.split(-1)

      ^checked = length(files)
      issues
    after
      File.rm_rf!(folder)
    end
  end

  defp folder, do: Wasgo.SetupScript.ask(@setup, "--folder")
end
