defmodule WasgoExampleWeb.UserSocket do
  use Phoenix.Socket

  channel("world:*", WasgoExampleWeb.WorldChannel)

  @impl true
  def connect(params, socket, _connect_info) do
    token = params["token"]
    {:ok, assign(socket, :may_edit, WasgoExample.may_edit?(if(is_binary(token), do: token)))}
  end

  @impl true
  def id(_socket), do: nil
end
