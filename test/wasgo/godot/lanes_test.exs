defmodule Wasgo.Godot.LanesTest do
  # The two lanes: what waits for whom, and who sets the pace.
  use ExUnit.Case, async: true

  import Wasgo.TestPeer, only: [await_waiting: 2, ballast: 1]

  alias Wasgo.Godot.Connection
  alias Wasgo.{GodotError, TestPeer}

  @moduletag :capture_log

  defp peer(options \\ []) do
    {socket, connection, _server} = TestPeer.link(options)
    {socket, connection}
  end

  defp credit(socket, bytes, work \\ 1_000_000),
    do: TestPeer.say(socket, %{"t" => "credit", "bytes" => bytes, "work" => work})

  defp ack(socket, seq, bulk, work \\ 0),
    do: TestPeer.say(socket, %{"t" => "ack", "seq" => seq, "bulk" => bulk, "work" => work})

  test "chunks, assets and unloads are of the bulk lane, and each lane counts for itself" do
    {socket, connection} = peer()
    TestPeer.grant(socket)
    assert {:ok, 1} = Connection.send(connection, "clear", %{})
    assert {:ok, 1} = Connection.send(connection, "chunk", %{})
    assert {:ok, 2} = Connection.send(connection, "unload", %{})
    assert {:ok, 2} = Connection.send(connection, "cached", %{"what" => "mesh"})
    assert {:ok, 3} = Connection.send(connection, "cached", %{"what" => "chunk"})
    assert {:ok, 4} = Connection.send(connection, "later", %{}, lane: :bulk)
    assert {:ok, 3} = Connection.send(connection, "asset", %{}, lane: :live)

    numbers =
      for frame <- TestPeer.settle(socket), do: {frame["t"], Map.take(frame, ["seq", "bulk"])}

    assert numbers == [
             {"clear", %{"seq" => 1}},
             {"chunk", %{"bulk" => 1}},
             {"unload", %{"bulk" => 2}},
             {"cached", %{"seq" => 2}},
             {"cached", %{"bulk" => 3}},
             {"later", %{"bulk" => 4}},
             {"asset", %{"seq" => 3}}
           ]
  end

  test "an engine that grants nothing is sent no chunk, and everything else" do
    {socket, connection} = peer()

    assert {:error, %GodotError{reason: :timeout}} =
             Connection.send(connection, "chunk", %{}, timeout: 20)

    for seq <- 1..100, do: {:ok, ^seq} = Connection.send(connection, "rows", ballast(1_000))
    assert {:ok, %{granted_bytes: 0, waiting: 0}} = Connection.stats(connection)
    assert length(TestPeer.settle(socket)) == 100
  end

  test "live frames overtake the chunks that wait, and chunks keep their order" do
    {socket, connection} = peer()
    test = self()

    for number <- 1..3 do
      Task.start_link(fn ->
        send(test, {:sent, Connection.send(connection, "chunk", %{"key" => "#{number}"})})
      end)

      await_waiting(connection, number)
    end

    assert {:ok, 1} = Connection.send(connection, "rows", %{})
    assert [%{"t" => "rows"}] = TestPeer.settle(socket)
    # Just enough for one at a time, and the next only when there is more.
    credit(socket, 1)
    assert %{"t" => "chunk", "key" => "1", "bulk" => 1} = TestPeer.hear_beyond_pings(socket)
    assert TestPeer.settle(socket) == []
    ack(socket, 1, 1)
    credit(socket, 1_000)
    assert %{"key" => "2", "bulk" => 2} = TestPeer.hear_beyond_pings(socket)
    assert %{"key" => "3", "bulk" => 3} = TestPeer.hear_beyond_pings(socket)
    for _ <- 1..3, do: assert_receive({:sent, {:ok, _number}})
  end

  test "an engine whose main thread is busy is sent fewer chunks, however many bytes it takes" do
    {socket, connection} = peer()
    credit(socket, 1_000_000_000, 4_000)
    # A millisecond each.
    for number <- 1..4 do
      {:ok, ^number} = Connection.send(connection, "chunk", ballast(100_000), timeout: 1_000)
      ack(socket, 0, number, number * 1_000)
      TestPeer.settle(socket)
    end

    assert {:error, %GodotError{reason: :full}} =
             Connection.send(connection, "chunk", ballast(100_000), timeout: 0)

    credit(socket, 1_000_000_000, 6_500)
    assert_receive {:wasgo_godot, {:room, :bulk}, ^connection}, 5_000
    assert {:ok, 5} = Connection.send(connection, "chunk", ballast(100_000), timeout: 0)
    assert {:ok, 6} = Connection.send(connection, "chunk", ballast(100_000), timeout: 0)

    assert {:error, %GodotError{reason: :full}} =
             Connection.send(connection, "chunk", ballast(100_000), timeout: 0)
  end

  test "who does not want to wait is told once when there is room" do
    {socket, connection} = peer(window: 2_000)
    assert {:ok, 1} = Connection.send(connection, "rows", ballast(1_500), timeout: 0)
    full = {:error, %GodotError{reason: :full}}
    assert Connection.send(connection, "rows", ballast(1_500), timeout: 0) == full
    assert Connection.send(connection, "rows", ballast(1_200), timeout: 0) == full
    # Another lane is another matter.
    assert Connection.send(connection, "chunk", %{}, timeout: 0) == full
    credit(socket, 1_000_000)
    assert_receive {:wasgo_godot, {:room, :bulk}, ^connection}, 5_000
    refute_received {:wasgo_godot, {:room, :live}, _connection}
    ack(socket, 1, 0)
    assert_receive {:wasgo_godot, {:room, :live}, ^connection}, 5_000
    TestPeer.settle(socket)
    refute_received {:wasgo_godot, {:room, _lane}, _connection}
    assert {:ok, 2} = Connection.send(connection, "rows", ballast(1_500), timeout: 0)
  end

  test "flush waits for both lanes" do
    {socket, connection} = peer()
    TestPeer.grant(socket)
    {:ok, 1} = Connection.send(connection, "rows", %{})
    {:ok, 1} = Connection.send(connection, "chunk", %{})
    ack(socket, 1, 0)
    TestPeer.settle(socket)
    assert {:error, %GodotError{reason: :timeout}} = Connection.flush(connection, 20)
    ack(socket, 1, 1)
    assert :ok = Connection.flush(connection)
  end

  test "errors of either lane are told with their lane, and are none of frames that were dealt with" do
    {socket, connection} = peer()
    TestPeer.grant(socket)
    {:ok, 1} = Connection.send(connection, "rows", %{})
    {:ok, 1} = Connection.send(connection, "chunk", %{})
    {:ok, 2} = Connection.send(connection, "chunk", %{})
    # The second chunk before the first.
    TestPeer.say(socket, %{"t" => "error", "bulk" => 2, "message" => "two"})
    TestPeer.say(socket, %{"t" => "error", "seq" => 1, "message" => "one"})
    TestPeer.settle(socket)
    assert {:ok, %{errors: 2, last_errors: errors}} = Connection.stats(connection)
    assert errors == [{:bulk, 2, "two"}, {:live, 1, "one"}]
    ack(socket, 1, 2)
    TestPeer.say(socket, %{"t" => "error", "bulk" => 2, "message" => "again"})
    assert_receive {:wasgo_godot, {:disconnected, {:malformed, words}}, ^connection}, 5_000
    assert words =~ "an error of frame 2, where 2 of 2"
  end
end
