defmodule Wasgo.Service.Network do
  @moduledoc false
  def validate!(nil, _owner), do: nil
  def listener(nil, _dirs), do: nil
  def handle(_event, _network, _resource), do: :ok
end
