defmodule Wasgo.SidecarChild do
  @moduledoc false
  # A sidecar in a VM of its own, for tests that kill it: a world in a file, a server, and somebody who changes the world all the time.
  #
  # A line `rev N` says that the change N has been acknowledged; they go out by write(2), so that what was told is with the parent whatever happens next.

  alias Wasgo.Godot.Server
  alias Wasgo.{Gen, Store, World}

  @token "the child's secret"

  def token, do: @token

  @doc "Runs until it is killed."
  def run(path, port, changes) do
    {:ok, store} = Store.open(path)
    plan = Gen.plan!(seed: 7, samples: 9, levels: 2, chunk_size: 32.0)
    {:ok, world} = World.start_link(name: "garden", store: store, plan: plan)

    {:ok, server} =
      Server.start_link(
        token: @token,
        port: port,
        heartbeat_ms: 1_000,
        worlds: %{"garden" => world}
      )

    say("ready #{Server.port(server)}")
    # What happens to an engine is what it is about.
    {:ok, _connection} = Server.await_connection(server, 60_000)
    change(world, World.rev(world), changes)
    say("done #{World.rev(world)}")
    receive(do: (:never -> :ok))
  end

  # Objects 1 to 40 are put, moved and removed in turn, each by its number.
  defp change(_world, _rev, 0), do: :ok

  defp change(world, rev, left) do
    id = 1 + rem(rev * 7, 40)
    place = {rem(rev, 50) / 1, 1.0, rem(rev, 17) / 1}

    {:ok, rev} =
      case {World.object(world, id), rem(rev, 5)} do
        {{:error, _none}, _} ->
          {:ok, _id} = World.put(world, id: id, name: "o#{id}", position: place)
          {:ok, World.rev(world)}

        {_there, 0} ->
          World.remove(world, id)

        {_there, _} ->
          World.update(world, id, position: place)
      end

    say("rev #{rev}")
    change(world, rev, left - 1)
  end

  defp say(line), do: :prim_file.write(:persistent_term.get(__MODULE__, stdout()), line <> "\n")

  defp stdout do
    {:ok, out} = :prim_file.open(~c"/dev/stdout", [:write, :append])
    :persistent_term.put(__MODULE__, out)
    out
  end
end
