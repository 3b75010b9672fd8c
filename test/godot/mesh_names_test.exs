defmodule Wasgo.World.EngineMeshNamesTest do
  # Named meshes of a world in a real engine, which holds so many of them, and may lose those that it holds.
  use ExUnit.Case, async: true

  alias Wasgo.Godot.{Connection, Server}
  alias Wasgo.{Gen, Godot, Store, TestEngine, World}

  @moduletag :godot
  @moduletag :capture_log
  @token "the meshes' secret"
  @patience 20_000

  setup do
    store = Store.open!(:memory)
    folder = "wasgo_mesh_names_#{System.unique_integer([:positive])}_#{System.pid()}"
    {:ok, store: store, folder: Path.join(System.tmp_dir!(), folder)}
  end

  defp serve(store, options) do
    {:ok, world} = World.start_link([name: "garden", store: store] ++ options)
    {:ok, server} = Server.start_link(token: @token, worlds: fn "garden" -> {:ok, world} end)
    Server.subscribe(server)
    {world, server}
  end

  defp engine(server, folder, arguments) do
    arguments = ["--world=garden", "--viewer=16,16,40", "--cache=" <> folder] ++ arguments
    port = ["--port=#{Server.port(server)}", "--token=#{@token}"]
    TestEngine.start("zone_peer.gd", port ++ arguments)
    connected()
  end

  defp connected do
    assert_receive {:wasgo_godot, :connected, connection}, @patience
    connection
  end

  # Each look is an answer of the engine, at its own pace.
  defp report(connection, wanted?, left \\ 2_000) do
    {:ok, report} = Connection.request(connection, "report")

    cond do
      wanted?.(report) -> report
      left == 0 -> flunk("the engine stays at #{inspect(report)}")
      true -> report(connection, wanted?, left - 1)
    end
  end

  defp ask(connection, method, args, wanted?, left \\ 2_000) do
    {:ok, value} = Godot.call(connection, "Peer", method, args)

    cond do
      wanted?.(value) -> value
      left == 0 -> flunk("#{method} stays #{inspect(value)}")
      true -> ask(connection, method, args, wanted?, left - 1)
    end
  end

  test "a world makes new ones for ever: the engine lets go of the oldest, and shows all that it is to show",
       %{store: store, folder: folder} do
    {world, server} = serve(store, [])
    connection = engine(server, folder, ["--max-meshes=16"])

    for n <- 1..200 do
      {:ok, _} = World.put_mesh(world, %{Gen.creature(rem(n, 5)) | name: "mesh #{n}"})
      {:ok, ^n} = World.put(world, mesh: "mesh #{n}")

      if n > 40 do
        {:ok, _} = World.remove(world, n - 40)
        {:ok, _} = World.remove_mesh(world, "mesh #{n - 40}")
      end
    end

    {:ok, rev} = World.put_property(world, "done", true)
    report = report(connection, &(&1["rev"] == rev and &1["meshes"] <= 16))
    assert {:ok, %{last_errors: []}} = Connection.stats(connection)
    assert {report["nodes"], report["errors"]} == {40, 0}
    for n <- 161..200, do: ask(connection, "surfaces_of", [n], &(&1 > 0))
    # What it has let go, and shows still, is what the world says that it is.
    {:ok, _} = World.put_mesh(world, %{two_surfaces() | name: "mesh 165"})
    ask(connection, "surfaces_of", [165], &(&1 == 2))
    ask(connection, "empty_cache", [], & &1)
  end

  defp two_surfaces do
    mesh = Gen.creature(1)
    %{mesh | surfaces: [hd(mesh.surfaces), hd(mesh.surfaces)]}
  end

  test "one that it held when it came back, and has lost since, comes as soon as something shows it",
       %{store: store, folder: folder} do
    plan = Gen.plan!(seed: 7, samples: 17, levels: 1, chunk_size: 32.0)
    {world, server} = serve(store, plan: plan)
    connection = engine(server, folder, ["--max-idle-meshes=0"])
    {:ok, _} = World.put_mesh(world, %{Gen.creature(3) | name: "hare"})
    {:ok, 1} = World.put(world, mesh: "hare")
    ask(connection, "surfaces_of", [1], &(&1 > 0))
    report(connection, &(&1["instances"] > 0))
    assert ask(connection, "are_instances_shown", [], & &1)
    # Nobody looks at the chunks, nothing shows the mesh, and another one is put.
    {:ok, _} = World.remove(world, 1)
    ask(connection, "look", [0.0, 0.0, 0.0], & &1)
    report(connection, &(&1["nodes"] == 0 and &1["instances"] == 0))
    {:ok, _} = World.put_mesh(world, %{Gen.creature(4) | name: "other"})
    ask(connection, "asleep", [], &("world:hare" in elem(&1, 1) and length(elem(&1, 1)) > 1))

    # It comes back, and its files are gone.
    Process.unlink(connection.pid)
    Process.exit(connection.pid, :kill)
    connection = connected()
    assert ask(connection, "empty_cache", [], & &1)
    {:ok, 2} = World.put(world, mesh: "hare")
    ask(connection, "surfaces_of", [2], &(&1 > 0))
    ask(connection, "look", [16.0, 16.0, 40.0], & &1)
    report(connection, &(&1["instances"] > 0))
    ask(connection, "are_instances_shown", [], & &1)
    assert %{"errors" => 0} = report(connection, fn _ -> true end)
  end
end
