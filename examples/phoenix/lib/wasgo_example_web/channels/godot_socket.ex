defmodule WasgoExampleWeb.GodotSocket do
  @moduledoc "Where Godot engines come in."
  use Wasgo.Phoenix.GodotSocket, server: WasgoExample.Godot
end
