defmodule Wasgo.Stages.GodotEventsTest do
  use ExUnit.Case, async: true

  alias Wasgo.Gen.Viewers
  alias Wasgo.Godot.Server
  alias Wasgo.{Pipeline, Scene, Stages, TestPeer}

  @moduletag :capture_log
  @token "the source's secret"

  setup do
    server = start_supervised!({Server, token: @token})
    Server.subscribe(server)
    socket = TestPeer.join(Server.port(server), @token)
    assert_receive {:wasgo_godot, :connected, connection}, 5_000
    %{socket: socket, connection: connection}
  end

  defp viewers(list) do
    floats = fn numbers -> for n <- numbers, into: <<>>, do: <<n::little-float-32>> end

    %{
      "t" => "viewers",
      "ids" => {:packed_int64, for({id, _, _} <- list, into: <<>>, do: <<id::little-64>>)},
      "positions" =>
        {:packed_vector3, floats.(for {_, {x, y, z}, _} <- list, n <- [x, y, z], do: n)},
      "radii" => {:packed_float32, floats.(for {_, _, radius} <- list, do: radius)}
    }
  end

  defp event(name), do: %{"t" => "event", "name" => name, "node" => "", "data" => nil}

  test "what the game says comes as buffers, until the connection ends", context do
    stream = Pipeline.stream!([{Stages.GodotEvents, connection: context.connection}])
    test = self()

    task =
      Task.async(fn ->
        stream
        |> Stream.each(fn buffer -> send(test, {:got, buffer.metadata.kind}) end)
        |> Enum.map(&{&1.metadata, &1.payload})
      end)

    TestPeer.say(context.socket, event("not heard before somebody listens, maybe"))
    await_subscribed(context.connection)
    TestPeer.say(context.socket, event("a"))
    assert_receive {:got, :event}, 5_000
    glb = Scene.to_glb!(%Scene{})
    scene = %{"t" => "scene", "id" => 0, "name" => "hut", "glb" => {:packed_byte, glb}}
    TestPeer.say(context.socket, scene)
    TestPeer.say(context.socket, viewers([{3, {1.0, 2.0, 3.0}, 64.0}]))
    assert_receive {:got, :scene}, 5_000
    assert_receive {:got, :viewers}, 5_000
    :gen_tcp.close(context.socket)

    assert [
             {%{kind: :event}, %{name: "a"}},
             {%{kind: :scene, name: "hut"}, ^glb},
             {%{kind: :viewers}, [{3, {1.0, 2.0, 3.0}, 64.0}]}
           ] = Enum.take(Task.await(task), -3)
  end

  # The stage is the only one that does.
  defp await_subscribed(connection) do
    state = :sys.get_state(connection.pid)
    if map_size(state.inbox.subscribers) == 0, do: await_subscribed(connection)
  end

  test "viewers are put where chunks are generated for, and taken out at the end", context do
    {:ok, held} = Viewers.start_link(max_viewers: 2)

    stream =
      Pipeline.stream([
        {Stages.GodotEvents, connection: context.connection, kinds: [:event], viewers: held}
      ])

    test = self()

    task =
      Task.async(fn ->
        Enum.reduce_while(stream, [], fn result, all ->
          send(test, {:got, result})

          receive do
            :go -> {:cont, [result | all]}
            :stop -> {:halt, all}
          end
        end)
      end)

    await_subscribed(context.connection)

    TestPeer.say(
      context.socket,
      viewers([{1, {1.0, 0.0, 0.0}, 64.0}, {2, {2.0, 0.0, 0.0}, 32.0}])
    )

    TestPeer.say(context.socket, event("a"))
    assert_receive {:got, {:ok, %{payload: %{name: "a"}}}}, 5_000

    assert [%{radius: 64.0}, %{radius: 32.0}] =
             held |> Viewers.list() |> Enum.sort_by(& &1.position)

    # One too many: it is told, and the others are there.
    send(task.pid, :go)
    three = for n <- 1..3, do: {n, {n / 1, 0.0, 0.0}, 8.0}
    TestPeer.say(context.socket, viewers(three))
    assert_receive {:got, {:error, %Wasgo.LimitError{}}}, 5_000
    assert length(Viewers.list(held)) == 2
    send(task.pid, :go)
    TestPeer.say(context.socket, viewers([{2, {9.0, 0.0, 0.0}, 8.0}]))
    TestPeer.say(context.socket, event("b"))
    assert_receive {:got, {:ok, %{payload: %{name: "b"}}}}, 5_000
    assert [%{position: {9.0, +0.0, +0.0}}] = Viewers.list(held)
    send(task.pid, :stop)
    Task.await(task)
    assert Viewers.list(held) == []
  end
end
