defmodule Wasgo.Godot.EngineLinkTest do
  # The link with a real engine at its other end.
  use ExUnit.Case, async: true

  import Wasgo.EngineLink

  alias Wasgo.Godot.{Color, Connection, Server, Transform3D, Variant, Vector3}
  alias Wasgo.{TestEngine, TestPeer}

  @moduletag :godot
  @moduletag :capture_log
  @patience 20_000

  # Samples along a side, and how far apart they are.
  @side 65
  @cell 2.0
  @origin Vector3.new(100, 20, -60)

  defp height(column, row), do: 5 * :math.sin(column * 0.3) + 0.4 * row

  defp chunk do
    grid = for row <- 0..(@side - 1), column <- 0..(@side - 1), do: {column, row}

    positions =
      for {column, row} <- grid, into: <<>> do
        <<column * @cell::little-float-32, height(column, row)::little-float-32,
          row * @cell::little-float-32>>
      end

    indices =
      for row <- 0..(@side - 2), column <- 0..(@side - 2), into: <<>> do
        corner = row * @side + column

        for index <- [0, 1, @side, 1, @side + 1, @side], into: <<>> do
          <<corner + index::little-32>>
        end
      end

    up = <<0.0::little-float-32, 1.0::little-float-32, 0.0::little-float-32>>
    heights = for {column, row} <- grid, into: <<>>, do: <<height(column, row)::little-float-32>>

    %{
      "key" => "0,0",
      "name" => "Hills",
      "origin" => @origin,
      "surfaces" => [
        %{
          "positions" => {:packed_vector3, positions},
          "normals" => {:packed_vector3, :binary.copy(up, @side * @side)},
          "colors" => {:packed_color, <<>>},
          "indices" => {:packed_int32, indices},
          "material" => %{"base_color" => Color.new(0.2, 0.5, 0.1), "roughness" => 0.9}
        }
      ],
      "colliders" => [
        %{
          "shape" => "heights",
          "width" => @side,
          "depth" => @side,
          "cell" => @cell,
          "heights" => {:packed_float32, heights}
        },
        # On a post beside the ground, 2 m wide and turned by an eighth.
        %{"shape" => "boxes", "boxes" => {:packed_float32, post()}},
        # And a roof over nothing.
        %{"shape" => "mesh", "faces" => {:packed_vector3, roof()}}
      ],
      "instances" => [%{"mesh" => "stone", "transforms" => {:packed_float32, instances()}}],
      "extras" => %{"biome" => "moor"}
    }
  end

  @post {-20.0, 7.0, 10.0}

  defp post do
    {x, y, z} = @post
    {sin, cos} = {:math.sin(:math.pi() / 4), :math.cos(:math.pi() / 4)}

    for value <- [2 * cos, 0, 2 * sin, x, 0, 4, 0, y, -2 * sin, 0, 2 * cos, z], into: <<>> do
      <<value::little-float-32>>
    end
  end

  # A triangle 3 m above the origin's height, with corners at -40, -40 and -20.
  defp roof do
    for value <- [-40, 3, 20, -20, 3, 20, -40, 3, 40], into: <<>>, do: <<value::little-float-32>>
  end

  defp instances do
    for place <- 1..3, value <- [1, 0, 0, place, 0, 1, 0, 5, 0, 0, 1, place], into: <<>> do
      <<value::little-float-32>>
    end
  end

  defp stone do
    corners = [0, 0, 0, 1, 0, 0, 0, 0, 1]

    %{
      "name" => "stone",
      "surfaces" => [
        %{
          "positions" =>
            {:packed_vector3, for(n <- corners, into: <<>>, do: <<n::little-float-32>>)},
          "normals" => {:packed_vector3, <<>>},
          "colors" => {:packed_color, <<>>},
          "indices" => {:packed_int32, <<0::little-32, 1::little-32, 2::little-32>>},
          "material" => %{}
        }
      ]
    }
  end

  test "a chunk becomes a mesh, and a collider that things stand on" do
    server = start_server()
    engine = start_engine("link_peer.gd", Server.port(server))
    connection = connected()
    assert connection.client =~ "Godot 4"
    assert {:ok, 1} = Connection.send(connection, "mesh", stone())
    assert {:ok, 1} = Connection.send(connection, "chunk", chunk())
    assert :ok = Connection.flush(connection)

    # At samples of the grid, where there is one height; the last two are beyond its first and its last row.
    inside = for column <- [0, 1, 7, 32, 50, 63], row <- [0, 9, 33, 63], do: {column, row}

    places =
      Enum.map(inside, fn {column, row} -> {column + 0.001, row + 0.001} end) ++
        [{5, -0.1}, {5, 64.1}]

    {x, _y, z} = @post
    # Within the post's half diagonal of 1.41 m, and beyond it; under the roof, and beside it.
    beside = [{x + 1.3, z}, {x + 1.3, z + 1.3}, {-35.0, 22.0}, {-22.0, 38.0}]
    grid = for {column, row} <- places, do: {column * @cell, row * @cell}

    rays =
      for {x, z} <- grid ++ beside, into: <<>> do
        <<@origin.x + x::little-float-32, 500.0::little-float-32, @origin.z + z::little-float-32>>
      end

    assert {:ok, 2} =
             Connection.send(connection, "test rays", %{"places" => {:packed_vector3, rays}})

    found = engine |> TestEngine.await_line("rays ") |> String.split(" ")
    assert ["none", "none", post, "none", roof, "none"] = Enum.take(found, -6)
    assert_in_delta String.to_float(post), @origin.y + 9, 0.01
    assert_in_delta String.to_float(roof), @origin.y + 3, 0.01

    for {{column, row}, found} <- Enum.zip(inside, found) do
      expected = @origin.y + height(column, row)
      assert_in_delta String.to_float(found), expected, 0.02, "at #{column}, #{row}"
    end

    assert :ok = Connection.flush(connection)
    assert {:ok, counts} = Connection.request(connection, "report")
    assert {:ok, stats} = Connection.stats(connection)

    assert %{
             "chunks" => 1,
             "surfaces" => 1,
             "colliders" => colliders,
             "instances" => 3,
             "meshes" => 1,
             "assets" => 0,
             "nodes" => 0,
             "rev" => 0,
             "rows" => 0,
             "property_updates" => 0,
             "refused_values" => 0,
             "cached" => 0,
             "errors" => 0
           } = counts

    assert colliders > 0
    assert counts["vertices"] == @side * @side
    assert counts["triangles"] == (@side - 1) * (@side - 1) * 2
    assert {counts["frames"], counts["bytes"]} == {stats.frames, stats.bytes}

    # What is wrong is said in the engine's words, and harms nothing.
    assert {:ok, 2} = Connection.send(connection, "chunk", with_heights(%{"width" => 64}))
    assert :ok = Connection.flush(connection)
    assert {:ok, %{errors: 1, last_errors: [{:bulk, 2, message}]}} = Connection.stats(connection)
    assert message =~ "4225 heights for 64 x 65"
    assert {:error, error} = Connection.request(connection, "picture", view())
    assert {:engine, _no_display} = error.reason
    Port.close(engine)
  end

  defp with_heights(changes) do
    Map.update!(chunk(), "colliders", fn [heights | rest] ->
      [Map.merge(heights, changes) | rest]
    end)
  end

  defp view do
    %{"eye" => Vector3.new(0, 50, 50), "target" => Vector3.new(0, 0, 0), "fov" => 60.0}
  end

  test "an engine whose connection is lost comes back by itself, also to a server that was started again" do
    server = start_server()
    port = Server.port(server)
    engine = start_engine("link_peer.gd", port)
    first = connected()
    node = %{"id" => 1, "name" => "One", "mesh" => "", "transform" => %Transform3D{}}
    assert {:ok, 1} = Connection.send(first, "spawn", %{"nodes" => [node]})
    assert {:ok, %{"nodes" => 1}} = Connection.request(first, "report")

    # Without a word.
    Process.exit(first.pid, :kill)
    assert disconnected(first) == {:crashed, :killed}
    second = connected()
    assert {:ok, %{"nodes" => 0, "frames" => 0}} = Connection.request(second, "report")
    assert {:ok, 1} = Connection.send(second, "spawn", %{"nodes" => [node, %{node | "id" => 2}]})
    assert {:ok, %{"nodes" => 2}} = Connection.request(second, "report")

    # With a bye, which is read.
    assert :ok = Connection.close(second)
    TestEngine.await_line(engine, "disconnected bye")
    third = connected()
    assert {:ok, 1} = Connection.send(third, "clear", %{})
    assert :ok = Connection.flush(third)

    assert :ok = Server.stop(server)
    TestEngine.await_line(engine, "disconnected bye")
    again = start_server(port: port)
    fourth = connected()
    assert [^fourth] = Server.connections(again)
    assert {:ok, 1} = Connection.send(fourth, "spawn", %{"nodes" => [node]})
    assert :ok = Connection.flush(fourth)
    assert {:ok, %{"nodes" => 1, "errors" => 0}} = Connection.request(fourth, "report")

    # The engine goes without a word.
    Port.close(engine)
    why = disconnected(fourth)
    assert why == :lost or match?({:bye, _}, why)
  end

  test "a hostile sidecar costs the engine its connection, and no more" do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, active: false])
    {:ok, port} = :inet.port(listener)
    engine = start_engine("eager_peer.gd", port)
    :rand.seed(:exsss, {3, 1, 4})

    for {name, bytes} <- hostile() do
      socket = welcome(listener)
      :ok = TestPeer.put(socket, bytes)
      assert {name, :closed} == {name, ending(socket)}
      assert TestEngine.await_line(engine, "disconnected ") != "", name
      :gen_tcp.close(socket)
    end

    # Frames that are well formed and make no sense are answered.
    socket = welcome(listener)
    frames = senseless()

    Enum.reduce(frames, %{"seq" => 1, "bulk" => 1}, fn frame, numbers ->
      lane = if frame["t"] in ["chunk", "unload", "asset"], do: "bulk", else: "seq"
      number = numbers[lane]
      TestPeer.say(socket, Map.put(frame, lane, number))
      assert %{"t" => "error", ^lane => ^number, "message" => message} = answer(socket)
      assert String.length(message) > 5
      %{numbers | lane => number + 1}
    end)

    TestPeer.say(socket, %{"t" => "report", "id" => 5})
    assert %{"t" => "report", "id" => 5, "counts" => counts} = answer(socket)
    assert counts["errors"] == length(frames)
    assert counts["chunks"] == 0 and counts["nodes"] == 0 and counts["meshes"] == 0
    assert TestEngine.alive?(engine)
    Port.close(engine)
  end

  defp welcome(listener) do
    {:ok, socket} = :gen_tcp.accept(listener, @patience)
    assert %{"t" => "hello", "protocol" => 2, "world" => ""} = TestPeer.welcome(socket, token())
    assert %{"t" => "credit", "bytes" => bytes, "work" => work} = TestPeer.hear(socket)
    assert bytes > 0 and work > 0
    socket
  end

  # What the engine still says, acknowledgements, is of no interest.
  defp ending(socket) do
    with %{} <- TestPeer.hear(socket), do: ending(socket)
  end

  defp answer(socket) do
    with %{"t" => kind} when kind in ["ack", "credit"] <- TestPeer.hear(socket),
         do: answer(socket)
  end

  defp hostile do
    whole = Variant.encode!(Map.merge(chunk(), %{"t" => "chunk", "seq" => 1}))
    deep = Enum.reduce(1..900, nil, fn _level, inner -> [inner] end)
    # A string, and after it an object with a class and properties.
    text = Variant.encode!("t")
    object = <<24::little-32, 4::little-32, "Node", 0::little-32>>
    dictionary = <<27::little-32, 1::little-32>>

    [
      {"a length beyond the limit", <<0x0400_0001::32>>},
      {"the greatest length", <<0xFFFF_FFFF::32>>},
      {"no bytes", TestPeer.framed(<<>>)},
      {"no Variant", TestPeer.framed(:binary.copy(<<255>>, 100))},
      {"noise", TestPeer.framed(:rand.bytes(10_000))},
      {"a Variant, but no Dictionary", TestPeer.framed(Variant.encode!([1, 2, 3]))},
      {"half a chunk", TestPeer.framed(binary_part(whole, 0, div(byte_size(whole), 2)))},
      {"more pairs than there are", TestPeer.framed(<<27::little-32, 0x7FFF_FFFF::little-32>>)},
      {"nesting",
       TestPeer.framed(Variant.encode!(%{"t" => "clear", "deep" => deep}, max_depth: 1000))},
      {"a full object", TestPeer.framed(dictionary <> text <> object)},
      {"no kind", TestPeer.framed(Variant.encode!(%{"seq" => 1}))},
      {"a number out of order", TestPeer.framed(Variant.encode!(%{"t" => "clear", "seq" => 2}))},
      {"a number that is none", TestPeer.framed(Variant.encode!(%{"t" => "clear", "seq" => "1"}))}
    ]
  end

  defp senseless do
    surface = hd(chunk()["surfaces"])
    with_surface = fn changes -> %{chunk() | "surfaces" => [Map.merge(surface, changes)]} end
    none = Map.put(%{chunk() | "instances" => []}, "t", "chunk")
    nan = <<0, 0, 192, 127>>

    chunks = [
      chunk(),
      %{none | "surfaces" => nil},
      %{none | "origin" => Vector3.new(:nan, 0, 0)},
      %{none | "key" => 5},
      with_surface.(%{
        "indices" => {:packed_int32, <<0::little-32, 1::little-32, 5000::little-32>>}
      }),
      with_surface.(%{
        "indices" => {:packed_int32, <<0::little-32, 1::little-32, -1::little-32>>}
      }),
      with_surface.(%{"positions" => {:packed_vector3, :binary.copy(nan, 3 * 4225)}}),
      with_surface.(%{"normals" => {:packed_vector3, <<0::96>>}}),
      %{with_heights(%{"width" => 100_000, "depth" => 100_000}) | "instances" => []},
      %{
        with_heights(%{"heights" => {:packed_float32, :binary.copy(nan, 4225)}})
        | "instances" => []
      },
      %{with_heights(%{"cell" => 0.0}) | "instances" => []},
      %{none | "colliders" => nil},
      %{none | "colliders" => [%{"shape" => "boxes", "boxes" => {:packed_float32, <<0::32>>}}]},
      %{none | "colliders" => [%{"shape" => "mesh", "faces" => {:packed_vector3, <<0::96>>}}]}
    ]

    others = [
      %{"t" => "mesh", "name" => "", "surfaces" => []},
      %{"t" => "mesh", "name" => "m", "surfaces" => [%{}]},
      %{"t" => "spawn", "nodes" => [%{"id" => 1}]},
      %{
        "t" => "spawn",
        "nodes" => [%{"id" => 1, "name" => "n", "mesh" => "?", "transform" => %Transform3D{}}]
      },
      %{"t" => "despawn", "ids" => "all"},
      %{"t" => "unload", "keys" => nil},
      %{"t" => "rows", "columns" => nil, "ids" => nil, "values" => nil},
      %{
        "t" => "rows",
        "columns" => {:packed_string, ["position:x"]},
        "ids" => {:packed_int64, <<1::little-64>>},
        "values" => [{:packed_float64, <<>>}]
      }
    ]

    Enum.map(chunks, &Map.put(&1, "t", "chunk")) ++ others
  end
end
