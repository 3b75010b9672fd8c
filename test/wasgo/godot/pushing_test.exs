defmodule Wasgo.Godot.PushingTest do
  # Frames that pipelines push: many are taken at once, small ones are written together, and each is as if it had been sent alone.
  use ExUnit.Case, async: true

  alias Wasgo.Godot.Connection
  alias Wasgo.{Buffer, GodotError, Pipeline, Stages, TestPeer}

  @moduletag :capture_log

  defp linked(options \\ []) do
    {socket, connection, _server} = TestPeer.link([heartbeat_ms: 60_000] ++ options)
    TestPeer.grant(socket)
    {connection, socket}
  end

  # What belongs to a number: 4 bytes to 100 kB, from what is written together to what is written alone.
  defp data(number) do
    size = Enum.at([1, 250, 3_900, 4_096, 5_000, 16_200, 25_000], rem(number * number, 7))
    {:packed_int32, :binary.copy(<<number::32-little>>, size)}
  end

  defp frame(who, number),
    do: {"later", %{"who" => who, "number" => number, "data" => data(number)}}

  defp push(connection, payloads, options \\ []) do
    [Stream.map(payloads, &Buffer.new/1), {Stages.Godot, [connection: connection] ++ options}]
    |> Pipeline.stream()
    |> Enum.to_list()
  end

  # Reads so many numbered frames, and acknowledges each.
  defp hear(socket, count) do
    for seq <- 1..count//1 do
      assert %{"seq" => ^seq} = frame = TestPeer.hear(socket)
      acknowledge(socket, seq)
      frame
    end
  end

  defp acknowledge(socket, seq),
    do: TestPeer.say(socket, %{"t" => "ack", "seq" => seq, "bulk" => 0, "work" => 0})

  test "frames of several pipelines and of calls arrive whole, and those of each in order" do
    # Less than is on its way: they wait for room, too.
    {connection, socket} = linked(window: 200_000)

    pushers =
      for who <- ["a", "b"] do
        Task.async(fn -> push(connection, Stream.map(1..300, &frame(who, &1))) end)
      end

    caller =
      Task.async(fn ->
        for number <- 1..100 do
          {kind, fields} = frame("c", number)
          {:ok, _seq} = Connection.send(connection, kind, fields)
        end
      end)

    heard = hear(socket, 700)
    for frame <- heard, do: assert(frame["data"] == data(frame["number"]))

    for {who, count} <- [{"a", 300}, {"b", 300}, {"c", 100}] do
      assert for(%{"who" => ^who, "number" => number} <- heard, do: number) ==
               Enum.to_list(1..count)
    end

    for pushed <- Task.await_many(pushers), do: assert(Enum.all?(pushed, &match?({:ok, _}, &1)))
    Task.await(caller)
    assert Connection.flush(connection) == :ok
    # Nothing is kept of pipelines that ended.
    assert :sys.get_state(connection.pid).pushed == %{}

    assert {:ok, %{frames: 700, acknowledged: 700, unacknowledged_bytes: 0}} =
             Connection.stats(connection)
  end

  test "a frame is on its way before the next one is there" do
    {connection, socket} = linked()
    test = self()

    source =
      Stream.map(1..3, fn number ->
        if number > 1, do: assert_receive({:heard, _earlier}, 5_000)
        frame("a", number)
      end)

    pusher =
      Task.async(fn ->
        send(test, {:pusher, self()})
        push(connection, source)
      end)

    assert_receive {:pusher, pid}

    for number <- 1..3 do
      assert %{"number" => ^number} = TestPeer.hear(socket)
      send(pid, {:heard, number})
    end

    assert [{:ok, _}, {:ok, _}, {:ok, _}] = Task.await(pusher)
  end

  test "one pipeline may push to both lanes, each in order" do
    {connection, socket} = linked()

    frames =
      for number <- 1..50, do: {if(rem(number, 3) == 0, do: "unload", else: "later"), number}

    pushed = push(connection, for({kind, number} <- frames, do: {kind, %{"number" => number}}))
    assert length(pushed) == 50
    heard = for _ <- 1..50, do: TestPeer.hear(socket)

    for {kind, number_of} <- [{"later", "seq"}, {"unload", "bulk"}] do
      wanted = for {^kind, number} <- frames, do: number
      assert for(%{"t" => ^kind, "number" => number} <- heard, do: number) == wanted
      numbers = for %{"t" => ^kind, ^number_of => number} <- heard, do: number
      assert numbers == Enum.to_list(1..length(wanted))
    end
  end

  test "a frame that cannot be sent is an error in its place, and takes no number" do
    {connection, socket} = linked()
    payloads = [frame("a", 1), {"later", %{"data" => self()}}, frame("a", 2)]

    assert [{:ok, _}, {:error, %GodotError{reason: {:encode, error}}}, {:ok, _}] =
             push(connection, payloads)

    assert error.path == ["data"]
    assert [%{"number" => 1}, %{"number" => 2}] = hear(socket, 2)
  end

  test "who pushes to a peer that acknowledges nothing is told in time, and what waits is bounded" do
    {connection, _socket} = linked(window: 10_000)
    small = {"later", %{"data" => {:packed_byte, :binary.copy(<<1>>, 1_000)}}}
    pushed = push(connection, List.duplicate(small, 280), timeout: 100)

    {sent, failed} = Enum.split_with(pushed, &match?({:ok, _}, &1))
    # Those in the window, and those on their way. The last error is that these do not get on.
    assert length(sent) in 256..270 and length(sent) + length(failed) == 281
    assert Enum.all?(failed, &match?({:error, %GodotError{reason: :timeout}}, &1))
    assert {:ok, %{frames: frames, waiting: waiting}} = Connection.stats(connection)
    assert frames < 10 and frames + waiting == length(sent)
  end
end
