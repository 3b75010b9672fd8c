defmodule WasgoExampleWeb.Access do
  @moduledoc """
  Who may do what: everyone may look, and those who may edit (`WasgoExample.may_edit?/1`) may upload the island's scripts, which are granted nothing.
  """

  import Plug.Conn, only: [get_req_header: 2]

  # What a script of a visitor may use: enough for a creature, and nothing that lasts.
  @terms [author: "a visitor", limits: [memory: 4 * 1024 * 1024, timeout: 250]]

  @looks [:worlds, :world, :chunk, :file, :scripts, :script]

  @doc "For `Wasgo.Phoenix.Plug`."
  def wasgo(:put_script, %{name: name}, conn) do
    cond do
      name not in WasgoExample.Seeds.script_names() -> false
      WasgoExample.may_edit?(token(conn)) -> {:ok, @terms}
      token(conn) == nil -> :unauthenticated
      true -> false
    end
  end

  def wasgo(look, _details, _conn), do: look in @looks

  defp token(conn) do
    case get_req_header(conn, "authorization") do
      ["Bearer " <> token] -> token
      _none -> nil
    end
  end
end
