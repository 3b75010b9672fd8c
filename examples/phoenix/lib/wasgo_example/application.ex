defmodule WasgoExample.Application do
  @moduledoc false

  use Application

  alias WasgoExample.{Island, Seeds, Stages, Survey}

  @impl true
  def start(_type, _args) do
    store = open!(Application.fetch_env!(:wasgo_example, :database))
    WasgoExample.put_store(store)
    Seeds.scripts!(store)

    children = [
      {Phoenix.PubSub, name: WasgoExample.PubSub},
      {Wasgo.World,
       name: WasgoExample.world_name(),
       store: store,
       plan: Island.plan(),
       hz: 30,
       as: WasgoExample.World},
      {Task, fn -> Seeds.objects!(WasgoExample.World) end},
      {Wasgo.World.Scripts,
       world: WasgoExample.World, scripts: store, hz: 30, name: WasgoExample.Creatures},
      {Wasgo.Service.Pool, [name: WasgoExample.Namer] ++ Survey.namer()},
      {
        Wasgo.Godot.Server,
        # By WebSocket alone: WasgoExampleWeb.Endpoint has it at /godot.
        token: Application.fetch_env!(:wasgo_example, :godot_token),
        port: nil,
        worlds: %{WasgoExample.world_name() => WasgoExample.World},
        name: WasgoExample.Godot
      },
      Stages,
      Survey,
      WasgoExampleWeb.Endpoint
    ]

    # What is stopped by hand stays so; what fails is started again, and a page that lost it says so.
    Supervisor.start_link(children,
      strategy: :one_for_one,
      max_restarts: 20,
      max_seconds: 60,
      name: WasgoExample.Supervisor
    )
  end

  defp open!(:memory), do: Wasgo.Store.open!(:memory)

  defp open!(path) do
    File.mkdir_p!(Path.dirname(path))
    Wasgo.Store.open!(path)
  end
end
