defmodule Wasgo.Godot.EngineGlbTest do
  # Files of generated scenes, loaded by a real engine's own importer: as much comes out as went in.
  use ExUnit.Case, async: true

  import Wasgo.Gen.Field, only: [noise: 1, scale: 2, subtract: 2, coordinate: 1]

  alias Wasgo.{Gen, Scene, TestEngine}

  @moduletag :godot

  setup do
    options = [:binary, ip: {127, 0, 0, 1}, packet: 4, active: false, nodelay: true]
    {:ok, listener} = :gen_tcp.listen(0, options)
    {:ok, port} = :inet.port(listener)
    engine = TestEngine.start("glb_peer.gd", ["--port=#{port}"])
    {:ok, socket} = :gen_tcp.accept(listener, 20_000)
    %{engine: engine, socket: socket}
  end

  defp scenes do
    plan = Gen.plan!(seed: 2026)
    ground = noise(frequency: 0.02, dimensions: 3) |> scale(10.0) |> subtract(coordinate(:y))
    rock = Gen.plan!(seed: 3, density: ground)
    {:ok, near} = Gen.Chunk.to_scene(Gen.chunk!(plan, {0, 0}))
    {:ok, far} = Gen.Chunk.to_scene(Gen.chunk!(plan, {2, -1, 3}, neighbours: [east: 1]))
    {:ok, volume} = Gen.Volume.to_scene(Gen.volume!(rock, {0, 0, 0}))
    {:ok, coarse} = Gen.Volume.to_scene(Gen.volume!(rock, {0, -1, 0, 2}))

    country = Gen.plan!(seed: 42, settlements: [slope: 0.3, density: 1.0])
    [%{position: {x, _y, z}} | _] = Gen.settlements!(country, {{0, 0}, {2000, 2000}}).sites
    at = {floor(x / 64), floor(z / 64)}
    {:ok, village} = Gen.Chunk.to_scene(Gen.chunk!(country, at))
    {:ok, oak} = Gen.Prop.to_scene(Gen.prop!({:tree, species: :oak}))

    [village: village, oak: oak] ++
      [near: near, far: far, volume: volume, coarse: coarse] ++
      [simple: elem(Scene.simplify!(near), 0)]
  end

  # The engine leaves out vertices that are in no triangle: samples at a border that the coarser neighbour has not.
  defp used(scene) do
    for mesh <- scene.meshes, surface <- mesh.surfaces, reduce: 0 do
      sum -> sum + MapSet.size(MapSet.new(for <<i::32-little <- surface.indices>>, do: i))
    end
  end

  test "generated scenes load in the engine with the same counts", context do
    for {name, scene} <- scenes() do
      :ok = :gen_tcp.send(context.socket, Scene.to_glb!(scene))
      {:ok, answer} = :gen_tcp.recv(context.socket, 0, 20_000)
      found = Wasgo.TestJSON.decode!(answer)
      assert {name, found["wrong"]} == {name, ""}
      wanted = Scene.validate!(scene)

      counted = for key <- ~w(meshes surfaces triangles), do: {key, found[key]}
      sent = for key <- ~w(meshes surfaces triangles)a, do: {"#{key}", wanted[key]}
      assert {name, counted} == {name, sent}
      assert {name, found["vertices"]} == {name, used(scene)}

      # The engine's root, the sets of instances and each thing in them are nodes too.
      assert {name, found["nodes"]} ==
               {name, 1 + wanted.nodes + length(scene.instances) + wanted.instances}
    end

    :gen_tcp.close(context.socket)
    assert TestEngine.await_exit(context.engine) == 0
  end
end
