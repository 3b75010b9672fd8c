defmodule Wasgo.World.Zone do
  @moduledoc false
  use GenServer
  def start_link(start), do: GenServer.start_link(__MODULE__, start)
  @type info :: map()
  def info(pid), do: GenServer.call(pid, :info)
  @impl true
  def init(start), do: {:ok, start}
end
