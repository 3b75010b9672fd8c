defmodule Wasgo.Godot.ReceiverTest do
  # The engine's end in Elixir: what it lets pass and what it does not.
  use ExUnit.Case, async: true

  alias Wasgo.Example.Receiver
  alias Wasgo.Godot.{Color, Connection, Quaternion, Server, Transform3D, Vector3}

  @moduletag :capture_log
  @nan <<0, 0, 192, 127>>

  setup do
    server = start_supervised!({Server, token: "t"})

    receiver =
      start_supervised!({Receiver, port: Server.port(server), token: "t", notify: self()})

    {:ok, connection} = Server.await_connection(server, 5_000)
    %{server: server, receiver: receiver, connection: connection}
  end

  # What the receiver says of a frame; nil when it is well.
  defp told(context, kind, fields) do
    before = length(Receiver.errors(context.receiver))
    {:ok, _number} = Connection.send(context.connection, kind, fields)
    :ok = Connection.flush(context.connection)

    case Enum.drop(Receiver.errors(context.receiver), before) do
      [] -> nil
      [{_number, words}] -> words
    end
  end

  defp floats(list), do: for(n <- list, into: <<>>, do: <<n::little-float-32>>)
  defp ints(list), do: for(n <- list, into: <<>>, do: <<n::little-32>>)

  # Clockwise as seen from above.
  defp surface do
    %{
      "positions" => {:packed_vector3, floats([0, 0, 0, 1, 0, 0, 0, 0, 1])},
      "normals" => {:packed_vector3, floats([0, 1, 0, 0, 1, 0, 0, 1, 0])},
      # Of vertices, colours may be anything.
      "colors" => {:packed_color, floats(List.duplicate(0.5, 11)) <> @nan},
      "indices" => {:packed_int32, ints([0, 1, 2])},
      "material" => %{"base_color" => Color.new(1, 1, 1), "roughness" => 1, "metallic" => 0.5}
    }
  end

  defp chunk do
    %{
      "key" => "a",
      "name" => "",
      "origin" => Vector3.new(1, 2, 3),
      "surfaces" => [surface()],
      "colliders" => [
        %{
          "shape" => "heights",
          "width" => 2,
          "depth" => 3,
          "cell" => 1,
          "heights" => {:packed_float32, floats(List.duplicate(0.25, 6))}
        },
        %{"shape" => "boxes", "boxes" => {:packed_float32, floats(List.duplicate(1, 24))}},
        %{"shape" => "mesh", "faces" => {:packed_vector3, floats(List.duplicate(1, 9))}}
      ],
      "instances" => [
        %{"mesh" => "m", "transforms" => {:packed_float32, floats(List.duplicate(1, 24))}}
      ],
      "extras" => %{"x" => :nan}
    }
  end

  defp mesh, do: %{"name" => "m", "surfaces" => [surface(), surface()]}

  defp spawned(id), do: %{"id" => id, "name" => "n", "mesh" => "m", "transform" => %Transform3D{}}

  test "what is well is applied and counted", context do
    assert told(context, "mesh", mesh()) == nil
    assert told(context, "chunk", chunk()) == nil

    assert told(context, "chunk", %{chunk() | "key" => "b", "colliders" => [], "instances" => []}) ==
             nil

    assert told(context, "chunk", chunk()) == nil
    assert told(context, "spawn", %{"nodes" => [spawned(1), spawned(2), spawned(2)]}) == nil
    assert told(context, "a kind of the future", %{"x" => 1}) == nil

    assert %{
             "chunks" => 2,
             "surfaces" => 2,
             "vertices" => 6,
             "triangles" => 2,
             "colliders" => 1,
             "instances" => 2,
             "meshes" => 1,
             "nodes" => 2,
             "frames" => 6,
             "errors" => 0
           } = Receiver.counts(context.receiver)

    assert %{extras: %{"x" => :nan}} = Receiver.chunk(context.receiver, "a")
    assert told(context, "unload", %{"keys" => {:packed_string, ["b", "unknown"]}}) == nil

    assert told(context, "despawn", %{"ids" => {:packed_int64, <<2::little-64, 9::little-64>>}}) ==
             nil

    assert %{"chunks" => 1, "nodes" => 1} = Receiver.counts(context.receiver)
    assert told(context, "clear", %{}) == nil

    assert %{"chunks" => 0, "nodes" => 0, "meshes" => 0, "frames" => 9} =
             Receiver.counts(context.receiver)
  end

  test "surfaces that are not", context do
    nil = told(context, "mesh", mesh())

    for {changes, words} <- [
          {%{"positions" => nil}, "positions must be"},
          {%{"positions" => {:packed_vector3, <<>>}}, "positions is empty"},
          {%{"positions" => {:packed_vector3, :binary.copy(@nan, 9)}}, "positions: number 0"},
          {%{"normals" => {:packed_vector3, floats([0, 1, 0])}}, "1 normals for 3"},
          {%{"normals" => {:packed_vector3, floats([0, 1, 0, 0, 1, 0, 0, 1]) <> @nan}},
           "normals: number 8"},
          {%{"colors" => {:packed_color, floats([1, 1, 1, 1])}}, "1 colors for 3"},
          {%{"indices" => {:packed_int32, ints([0, 1])}}, "three a triangle"},
          {%{"indices" => {:packed_int32, <<>>}}, "three a triangle"},
          {%{"indices" => {:packed_int32, ints([0, 1, 3])}}, "index 3"},
          {%{"indices" => {:packed_int32, ints([0, -1, 2])}}, "index -1"},
          {%{"indices" => {:packed_int32, ints([0, 2, 1])}}, "counter-clockwise"},
          {%{"material" => nil}, "material"},
          {%{"material" => %{"roughness" => 1.5}}, "roughness is 1.5"},
          {%{"material" => %{"base_color" => Color.new(:nan, 0, 0)}}, "base_color is not finite"}
        ] do
      told =
        told(context, "chunk", %{
          chunk()
          | "surfaces" => [surface(), Map.merge(surface(), changes)]
        })

      assert told =~ ~r/^chunk: surface 1: / and told =~ words
    end

    assert told(context, "mesh", %{mesh() | "name" => ""}) =~ "name is empty"

    assert told(context, "mesh", %{mesh() | "surfaces" => List.duplicate(surface(), 257)}) =~
             "256"

    # Nothing of these was applied.
    assert %{"chunks" => 0, "meshes" => 1, "errors" => 16} = Receiver.counts(context.receiver)
  end

  test "chunks that are not", context do
    nil = told(context, "mesh", mesh())
    [heights, boxes, mesh] = chunk()["colliders"]
    with_collider = fn changes -> %{"colliders" => [mesh, Map.merge(heights, changes)]} end
    with_boxes = fn changes -> %{"colliders" => [Map.merge(boxes, changes)]} end
    with_faces = fn faces -> %{"colliders" => [%{mesh | "faces" => faces}]} end
    one = fn entry -> %{"instances" => [entry]} end

    for {changes, words} <- [
          {%{"key" => nil}, "key must be"},
          {%{"key" => String.duplicate("ü", 1025)}, "longer than 1024"},
          {%{"origin" => Vector3.new(:infinity, 0, 0)}, "origin is not finite"},
          {%{"extras" => []}, "extras must be"},
          {%{"colliders" => nil}, "colliders must be"},
          {%{"colliders" => 5}, "colliders must be"},
          {%{"colliders" => [5]}, "colliders 0: it must be"},
          {with_collider.(%{"shape" => "ball"}), "colliders 1: it must be"},
          {with_boxes.(%{"boxes" => {:packed_float32, floats([1, 2])}}), "12 floats a box"},
          {with_boxes.(%{"boxes" => {:packed_float32, :binary.copy(@nan, 12)}}),
           "boxes: number 0"},
          {with_faces.({:packed_vector3, floats([1, 2, 3])}), "three a triangle"},
          {with_faces.({:packed_float32, floats([1, 2, 3])}), "faces must be"},
          {with_collider.(%{"width" => 3}), "6 heights for 3 x 3"},
          {with_collider.(%{"width" => 1}), "width is 1"},
          {with_collider.(%{"depth" => 4098}), "depth is 4098"},
          {with_collider.(%{"cell" => 0.0001}), "cell is"},
          {with_collider.(%{"heights" => {:packed_float32, :binary.copy(@nan, 6)}}),
           "heights: number 0"},
          {one.(%{"mesh" => "?", "transforms" => {:packed_float32, <<>>}}), ~s(no mesh "?")},
          {one.(%{"mesh" => "m", "transforms" => {:packed_float32, <<0::352>>}}), "12 floats"},
          {one.(%{"mesh" => "m", "transforms" => {:packed_float32, :binary.copy(@nan, 12)}}),
           "transforms: number 0"}
        ] do
      told = told(context, "chunk", Map.merge(chunk(), changes))
      assert told =~ ~r/^chunk: / and told =~ words
    end

    missing = Map.delete(chunk(), "instances")
    assert told(context, "chunk", missing) =~ "instances is missing"
    assert %{"chunks" => 0} = Receiver.counts(context.receiver)
  end

  test "nodes and rows that are not", context do
    nil = told(context, "mesh", mesh())
    nil = told(context, "spawn", %{"nodes" => [spawned(1)]})
    far = %Transform3D{origin: Vector3.new(0, :nan, 0)}

    assert told(context, "spawn", %{"nodes" => [%{spawned(2) | "transform" => far}]}) =~
             "transform is not finite"

    assert told(context, "spawn", %{"nodes" => [%{spawned(2) | "mesh" => "?"}]}) =~ "no mesh"
    assert told(context, "spawn", %{"nodes" => [%{spawned(2) | "id" => "2"}]}) =~ "node 0: id"

    for {column, values, words} <- [
          {"position:x", {:packed_float64, <<>>}, "0 values for 1 ids"},
          {"position:x", {:packed_float64, <<0, 0, 0, 0, 0, 0, 0xF0, 0x7F>>}, "not finite"},
          {"position:x", ["up"], "not \"up\""},
          {"position", {:packed_float64, <<0::64>>}, "takes a vector3"},
          {"position", [Vector3.new(:nan, 0, 0)], "finite vector3"},
          {"quaternion", [Quaternion.new(1, 1, 1, 1)], "finite quaternion"},
          {"visible", [1.5], "finite bool"},
          {"mesh", [nil], "no property"},
          {"position:x", 7, "no array"}
        ] do
      rows = %{
        "columns" => {:packed_string, [column]},
        "ids" => {:packed_int64, <<1::little-64>>},
        "values" => [values]
      }

      told = told(context, "rows", rows)
      assert told =~ ~s(rows: column "#{column}") and told =~ words
    end

    assert %{"nodes" => 1, "rows" => 0, "property_updates" => 0} =
             Receiver.counts(context.receiver)
  end

  test "a node that is not is left out, and those of its frame are made", context do
    nil = told(context, "mesh", mesh())
    at = fn x -> %Transform3D{origin: Vector3.new(x, 0, 0)} end
    nil = told(context, "spawn", %{"nodes" => [%{spawned(2) | "transform" => at.(7)}]})

    nodes = [spawned(1), %{spawned(2) | "mesh" => "?"}, 5, %{spawned(3) | "transform" => at.(3)}]

    assert told(context, "spawn", %{"nodes" => nodes}) ==
             ~s(spawn: node 1 (id 2\): there is no mesh "?"; node 2: it must be a Dictionary)

    assert %{"nodes" => 3, "errors" => 1} = Receiver.counts(context.receiver)
    assert Receiver.node(context.receiver, 3).transform == at.(3)
    # What was there stays as it was.
    assert %{mesh: "m", transform: transform} = Receiver.node(context.receiver, 2)
    assert transform == at.(7)

    wrong = for id <- 4..9, do: %{spawned(id) | "name" => nil}
    assert told = told(context, "spawn", %{"nodes" => wrong ++ [spawned(10)]})
    assert told =~ "node 3 (id 7): name must be" and told =~ ~r/; and 2 more$/
    refute told =~ "node 4"
    assert %{"nodes" => 4, "errors" => 2} = Receiver.counts(context.receiver)
    assert told(context, "spawn", %{"nodes" => 5}) =~ "nodes must be"
  end

  test "comes back when the connection is lost, and starts empty", context do
    receiver = context.receiver
    assert_receive {:wasgo_receiver, ^receiver, {:connected, _server}}, 5_000
    nil = told(context, "mesh", mesh())
    Process.exit(context.connection.pid, :kill)
    assert_receive {:wasgo_receiver, ^receiver, {:disconnected, _why}}, 5_000
    assert_receive {:wasgo_receiver, ^receiver, {:connected, _server}}, 5_000
    assert %{"meshes" => 0, "frames" => 0} = Receiver.counts(receiver)
    {:ok, connection} = Server.await_connection(context.server)
    assert {:ok, 1} = Connection.send(connection, "mesh", mesh())
    assert_receive {:wasgo_receiver, ^receiver, {:applied, 1, "mesh"}}, 5_000
  end

  test "a token that is refused is not tried again" do
    server = start_supervised!({Server, token: "right"}, id: :other)
    options = [port: Server.port(server), token: "wrong", notify: self()]
    receiver = start_supervised!({Receiver, options}, id: :refused)
    assert_receive {:wasgo_receiver, ^receiver, {:refused, "token"}}, 5_000
    assert_receive {:wasgo_receiver, ^receiver, {:disconnected, "refused: token"}}, 5_000
    refute_receive {:wasgo_receiver, ^receiver, _event}, 400
  end
end
