defmodule Wasgo.Godot.NodePath do
  @moduledoc """
  The way to a node or a property of it: the engine's `NodePath`, in its parts.

  `/root/Main/Door:position:x` is absolute, has the names `root`, `Main` and `Door`, and the subnames `position` and `x`.
  """

  defstruct names: [], subnames: [], absolute: false
  @type t :: %__MODULE__{names: [String.t()], subnames: [String.t()], absolute: boolean()}

  @doc """
  Reads a path as the engine does. Raises `ArgumentError` if a subname is empty before another one.

      iex> Wasgo.Godot.NodePath.new("../Door:position:x").names
      ["..", "Door"]

      iex> inspect(Wasgo.Godot.NodePath.new("/root/Main"))
      ~S|#NodePath("/root/Main")|
  """
  @spec new(String.t()) :: t()
  def new(path) when is_binary(path) do
    [names | subnames] = String.split(path, ":")

    %__MODULE__{
      names: String.split(names, "/", trim: true),
      subnames: subnames(subnames, path),
      absolute: String.starts_with?(names, "/")
    }
  end

  # The engine allows a colon at the end.
  defp subnames([], _path), do: []
  defp subnames([""], _path), do: []

  defp subnames(["" | _], path) do
    raise ArgumentError, "a subname of the node path #{inspect(path)} is empty"
  end

  defp subnames([name | rest], path), do: [name | subnames(rest, path)]

  defimpl String.Chars do
    def to_string(path) do
      root = if path.absolute, do: "/", else: ""
      IO.iodata_to_binary([root, Enum.join(path.names, "/"), Enum.map(path.subnames, &[":", &1])])
    end
  end

  defimpl Inspect do
    def inspect(path, _opts), do: "#NodePath(#{Kernel.inspect(to_string(path))})"
  end
end
