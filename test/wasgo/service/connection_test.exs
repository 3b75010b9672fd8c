defmodule Wasgo.Service.ConnectionTest do
  use ExUnit.Case, async: true

  import Wasgo.NetGuest

  alias Wasgo.{Service, ServiceError}
  alias Wasgo.Service.Connection

  @moduletag :capture_log
  @moduletag timeout: 300_000

  @echo 7
  @discard 9
  @characters 19

  # Ports of the guest that are of use to tests alone: see its source.
  @stalled 1_001
  @count 1_002
  @reset 1_003
  @bye 1_004

  @mebibyte 1_048_576

  # What comes comes soon, but no test is to fail because a machine is slow.
  @long 60_000

  # The process that starts a service is linked to it; here its end is to be a message.
  setup do
    Process.flag(:trap_exit, true)
    :ok
  end

  defp connect!(service, port, options \\ []) do
    {:ok, connection} = Service.connect(service, port, [timeout: :infinity] ++ options)
    connection
  end

  defp reason({:error, %ServiceError{reason: reason} = error}) do
    assert Exception.message(error) =~ ~r/\w/
    reason
  end

  # Runs `fun` in a process that lives until it is told to end.
  defp apart(fun) do
    test = self()

    pid =
      spawn(fn ->
        send(test, {self(), fun.()})
        receive do: (:end -> :ok)
      end)

    receive do: ({^pid, result} -> {pid, result})
  end

  describe "connect" do
    test "waits for the guest to have its address" do
      service = start!([], command: ["wait"])
      connecting = Task.async(fn -> Service.connect(service, @echo, timeout: :infinity) end)
      until(fn -> match?({:ok, %{connections: 1, address: nil}}, Service.network(service)) end)
      :ok = Service.send(service, "up")
      assert {:ok, %Connection{}} = Task.await(connecting, :infinity)
      assert {:ok, %{address: "192.168.127.3"}} = Service.network(service)
    end

    test "gives up in time, and leaves nothing behind" do
      service = start!([], command: ["wait"])
      assert reason(Service.connect(service, @echo, timeout: 1)) == :timeout
      until(fn -> match?({:ok, %{connections: 0}}, Service.network(service)) end)
      refute_received _message
    end

    test "is refused at once where nothing listens" do
      service = start!()
      for _again <- 1..100, do: assert(reason(Service.connect(service, 5)) == :econnrefused)
      assert {:ok, %{connections: 0}} = Service.network(service)
    end

    test "is to a port by its number or its name" do
      service = start!(forward: [{:echo, @echo}, {"text", @echo}])
      for port <- [:echo, "text", @echo], do: connect!(service, port)
      error = assert_error(Service.connect(service, :other), :unknown_port)
      assert error =~ ":other" and error =~ ":echo" and error =~ ~s("text")

      for port <- [0, 65_536, "80", :ftp],
          do: assert_error(Service.connect(service, port), :unknown_port)
    end

    test "is refused beyond the connections that there may be, until one of them is over" do
      service = start!(max_connections: 2)
      [one, two] = for _connection <- 1..2, do: connect!(service, @echo)
      assert reason(Service.connect(service, @echo)) == :emfile
      assert reason(Service.http(service, :get, "/")) == :emfile
      assert Connection.close(one) == :ok
      until(fn -> match?({:ok, _connection}, Service.connect(service, @echo)) end)
      assert {:ok, "a"} = echo(two, "a")
    end

    test "of a service that is no more, or is not a service's any longer, is refused" do
      service = start!()
      :ok = Service.stop(service)
      assert reason(Service.connect(service, @echo)) == :stopped
    end

    test "says which option is wrong" do
      service = start!()

      assert_raise ArgumentError, ~r/:protocol/, fn ->
        Service.connect(service, 7, protocol: :sctp)
      end

      assert_raise ArgumentError, ~r/:timeout/, fn -> Service.connect(service, 7, timeout: -1) end

      assert_raise ArgumentError, ~r/:nodelay/, fn ->
        Service.connect(service, 7, nodelay: true)
      end
    end
  end

  defp assert_error(result, reason) do
    assert {:error, %ServiceError{reason: ^reason, message: message}} = result
    message
  end

  defp echo(connection, data) do
    :ok = Connection.send(connection, data)
    Connection.recv(connection, IO.iodata_length(data))
  end

  describe "a passive connection" do
    test "returns as many bytes as are asked for, or what there is" do
      connection = connect!(start!(), @echo)
      assert Connection.send(connection, ["hel", ?l, ["o"]]) == :ok
      assert Connection.recv(connection, 2) == {:ok, "he"}
      assert Connection.recv(connection, 3) == {:ok, "llo"}
      assert reason(Connection.recv(connection, 1, 0)) == :timeout
      assert {:ok, "again"} = echo(connection, "again")
      assert Connection.send(connection, "x") == :ok
      assert Connection.recv(connection) == {:ok, "x"}
      assert inspect(connection) =~ ~r/^#Wasgo.Service.Connection<#PID<.*>>$/
    end

    test "gives the stream as it was, whatever lengths it is read by" do
      connection = connect!(start!(), @characters)

      lengths =
        for _read <- 1..300 do
          case :rand.uniform(10) do
            1 -> 0
            n when n < 6 -> :rand.uniform(100)
            n when n < 10 -> :rand.uniform(20_000)
            10 -> :rand.uniform(700_000)
          end
        end

      Enum.reduce(lengths, 0, fn length, at ->
        {:ok, data} = Connection.recv(connection, length)
        assert if(length == 0, do: data != "", else: byte_size(data) == length)

        assert data == characters(at, byte_size(data)),
               "#{length} bytes at #{at} of #{inspect(lengths)}"

        at + byte_size(data)
      end)
    end

    test "loses nothing of what came while nobody had waited long enough" do
      connection = connect!(start!(), @characters)

      at =
        Enum.reduce(1..50, 0, fn _time, at ->
          case Connection.recv(connection, 4 * @mebibyte, 0) do
            {:ok, data} -> at + byte_size(data)
            {:error, %ServiceError{reason: :timeout}} -> at
          end
        end)

      assert Connection.recv(connection, @mebibyte) == {:ok, characters(at, @mebibyte)}
    end

    test "returns fewer bytes at the end, and then says that it is closed" do
      connection = connect!(start!(), @count)
      :ok = Connection.send(connection, "12345")
      :ok = Connection.shutdown(connection, :write)
      assert Connection.recv(connection, 100) == {:ok, "5"}
      assert reason(Connection.recv(connection, 1)) == :closed
      assert reason(Connection.recv(connection)) == :closed
    end

    test "lets the guest send no more than is read" do
      service = start!()
      connection = connect!(service, @characters)
      other = connect!(service, @echo)
      # The guest has turns in which it would send.
      for n <- 1..200, do: assert({:ok, _} = echo(other, <<n>>))
      {:ok, %{received: {_frames, bytes}}} = Service.network(service)
      assert bytes < 2 * @mebibyte
      assert Connection.recv(connection, 3 * @mebibyte) == {:ok, characters(0, 3 * @mebibyte)}
    end

    test "is waited for by one process at a time" do
      connection = connect!(start!(), @echo)
      first = Task.async(fn -> Connection.recv(connection, 1) end)
      until(fn -> :sys.get_state(connection.pid).waiting end)
      assert reason(Connection.recv(connection, 1)) == :ealready
      assert reason(Connection.setopts(connection, active: true)) == :ealready
      :ok = Connection.send(connection, "a")
      assert Task.await(first, :infinity) == {:ok, "a"}
    end

    test "is not asked for what makes no sense" do
      connection = connect!(start!(), @echo)
      assert_raise FunctionClauseError, fn -> Connection.recv(connection, -1) end
      assert_raise FunctionClauseError, fn -> Connection.recv(connection, 1 + 64 * @mebibyte) end
      assert_raise FunctionClauseError, fn -> Connection.recv(connection, 1, -1) end
      assert_raise FunctionClauseError, fn -> Connection.setopts(connection, active: 0) end
      assert {:ok, "a"} = echo(connection, "a")
    end
  end

  describe "an active connection" do
    test "sends all that comes to its owner, and its end" do
      connection = connect!(start!(), @echo)
      :ok = Connection.setopts(connection, active: true)
      assert reason(Connection.recv(connection, 1)) == :einval

      for text <- ["one", "two", "three"] do
        :ok = Connection.send(connection, text)
        assert_receive {:tcp, ^connection, ^text}, @long
      end

      :ok = Connection.shutdown(connection, :write)
      assert_receive {:tcp_closed, ^connection}, @long
    end

    test "sends one message at a time if that is wanted" do
      service = start!()
      connection = connect!(service, @characters)
      :ok = Connection.setopts(connection, active: :once)
      assert_receive {:tcp, ^connection, first}, @long
      assert first == characters(0, byte_size(first))
      {:ok, next} = Connection.recv(connection, 10)
      assert next == characters(byte_size(first), 10)
      refute_received {:tcp, _connection, _data}
    end

    test "sends so many messages, then says that it is passive" do
      connection = connect!(start!(), @characters)
      :ok = Connection.setopts(connection, active: 3)
      assert_receive {:tcp_passive, ^connection}, @long
      texts = for _message <- 1..3, do: assert_received({:tcp, ^connection, _text}) |> elem(2)
      refute_received {:tcp, _connection, _data}
      text = Enum.join(texts)
      assert text == characters(0, byte_size(text))
      assert Connection.recv(connection, 5) == {:ok, characters(byte_size(text), 5)}
    end

    test "becomes passive again" do
      connection = connect!(start!(), @echo)
      :ok = Connection.setopts(connection, active: true)
      :ok = Connection.setopts(connection, active: false)
      assert {:ok, "a"} = echo(connection, "a")
      refute_received _message
    end

    test "tells of an error before it tells of the end" do
      connection = connect!(start!(), @reset)
      :ok = Connection.setopts(connection, active: true)
      :ok = Connection.send(connection, "a")
      assert_receive {:tcp_closed, ^connection}, @long
      assert_received {:tcp_error, ^connection, :econnreset}
    end

    test "tells whoever makes it active after the end" do
      connection = connect!(start!(), @bye)
      assert Connection.recv(connection, 3) == {:ok, "bye"}
      assert reason(Connection.recv(connection)) == :closed
      :ok = Connection.setopts(connection, active: :once)
      assert_received {:tcp_closed, ^connection}
    end
  end

  describe "sending" do
    test "waits as long as the guest does not read" do
      service = start!()
      connection = connect!(service, @stalled)
      other = connect!(service, @echo)
      data = :binary.copy("x", 4 * @mebibyte)
      sending = Task.async(fn -> Connection.send(connection, data) end)
      behind = Task.async(fn -> Connection.send(connection, data) end)
      until(fn -> :queue.len(:sys.get_state(connection.pid).unsent) == 2 end)
      # Nobody else is disturbed.
      assert {:ok, "a"} = echo(other, "a")
      refute Task.yield(sending, 0) || Task.yield(behind, 0)
      assert ask(service, "read") == "reading"
      assert Task.await_many([sending, behind], :infinity) == [:ok, :ok]
    end

    test "that waits is told when the connection is closed here, and when the service is stopped" do
      service = start!()
      data = :binary.copy("x", 4 * @mebibyte)

      waiting = fn ->
        connection = connect!(service, @stalled)
        sending = Task.async(fn -> Connection.send(connection, data) end)
        until(fn -> :queue.len(:sys.get_state(connection.pid).unsent) == 1 end)
        {connection, sending}
      end

      {connection, sending} = waiting.()
      assert Connection.close(connection) == :ok
      assert reason(Task.await(sending, :infinity)) == :closed
      {_connection, sending} = waiting.()
      :ok = Service.stop(service)
      assert reason(Task.await(sending, :infinity)) == :closed
    end

    test "takes 8 MiB there and back without changing a byte" do
      connection = connect!(start!(), @echo)
      data = :crypto.strong_rand_bytes(8 * @mebibyte)
      sending = Task.async(fn -> Connection.send(connection, data) end)
      assert {:ok, ^data} = Connection.recv(connection, 8 * @mebibyte)
      assert Task.await(sending, :infinity) == :ok
    end

    test "counts every byte, whatever the pieces" do
      connection = connect!(start!(), @count)
      pieces = for _piece <- 1..500, do: :binary.copy("x", :rand.uniform(5_000) - 1)
      for piece <- pieces, do: assert(Connection.send(connection, piece) == :ok)
      :ok = Connection.shutdown(connection, :write)
      assert Connection.recv(connection, 100) == {:ok, "#{IO.iodata_length(pieces)}"}
    end

    test "goes on for 60 connections at once" do
      service = start!(max_connections: 64)

      1..60
      |> Enum.map(fn n ->
        Task.async(fn ->
          connection = connect!(service, @echo)
          data = :binary.copy(<<n>>, 10_000 + n)
          assert echo(connection, data) == {:ok, data}
          assert {:ok, %{connections: all}} = Service.network(service)
          assert all <= 64
          Connection.close(connection)
        end)
      end)
      |> Task.await_many(:infinity)

      until(fn -> match?({:ok, %{connections: 0}}, Service.network(service)) end)
    end
  end

  describe "the end" do
    test "of what is sent leaves what comes: the guest answers after it" do
      connection = connect!(start!(), @count)
      :ok = Connection.send(connection, "abc")
      :ok = Connection.shutdown(connection, :write)
      assert reason(Connection.send(connection, "d")) == :closed
      assert Connection.recv(connection, 0) == {:ok, "3"}
    end

    test "of what is read throws away what comes, and leaves what is sent" do
      service = start!([], subscriber: self())
      connection = connect!(service, @bye)
      assert Connection.shutdown(connection, :read) == :ok
      assert reason(Connection.recv(connection)) == :closed
      :ok = Connection.send(connection, "four")
      :ok = Connection.shutdown(connection, :read_write)
      assert_receive {:wasgo_service, ^service, "bye 4"}, @long
    end

    test "of reading does not keep a guest from sending" do
      service = start!()
      connection = connect!(service, @characters)
      :ok = Connection.shutdown(connection, :read)

      until(fn ->
        {:ok, %{received: {_frames, bytes}}} = Service.network(service)
        bytes > 2 * @mebibyte
      end)
    end

    test "that the guest says leaves what is sent to it" do
      service = start!([], subscriber: self())
      connection = connect!(service, @bye)
      assert Connection.recv(connection, 10) == {:ok, "bye"}
      assert reason(Connection.recv(connection)) == :closed
      assert Connection.send(connection, "still") == :ok
      :ok = Connection.shutdown(connection, :write)
      assert_receive {:wasgo_service, ^service, "bye 5"}, @long
    end

    test "by a reset of the guest is an error that says so" do
      connection = connect!(start!(), @reset)
      :ok = Connection.send(connection, "a")
      assert reason(Connection.recv(connection)) == :econnreset
      assert reason(Connection.send(connection, "b")) == :econnreset
      assert Connection.close(connection) == :ok
    end

    test "by close is after what was sent has arrived" do
      service = start!([], subscriber: self())
      connection = connect!(service, @bye)
      :ok = Connection.send(connection, :binary.copy("x", 200_000))
      assert Connection.close(connection) == :ok
      assert_receive {:wasgo_service, ^service, "bye 200000"}, @long
    end

    test "by close is one for every call after it" do
      service = start!()
      connection = connect!(service, @stalled)
      assert Connection.close(connection) == :ok
      assert Connection.close(connection) == :ok
      assert reason(Connection.send(connection, "a")) == :closed
      assert reason(Connection.recv(connection, 0, 0)) == :closed
      assert reason(Connection.setopts(connection, active: true)) == :closed
      assert reason(Connection.shutdown(connection, :write)) == :closed
      assert reason(Connection.controlling_process(connection, self())) == :closed
    end

    test "by close is told to whoever waits" do
      connection = connect!(start!(), @echo)
      waiting = Task.async(fn -> Connection.recv(connection, 1) end)
      until(fn -> :sys.get_state(connection.pid).waiting end)
      assert Connection.close(connection) == :ok
      assert reason(Task.await(waiting, :infinity)) == :closed
    end

    test "of a service is that of its connections" do
      service = start!()
      one = connect!(service, @echo)
      other = connect!(service, @characters)
      :ok = Connection.setopts(other, active: :once)
      assert_receive {:tcp, ^other, _data}, @long
      waiting = Task.async(fn -> Connection.recv(one, 1) end)
      until(fn -> :sys.get_state(one.pid).waiting end)
      :ok = Service.stop(service)
      assert reason(Task.await(waiting, :infinity)) == :closed
      assert reason(Connection.send(one, "a")) == :closed
      until(fn -> match?({:error, _error}, Connection.recv(other)) end)
      assert Connection.close(other) == :ok
    end

    test "of its owner is a reset" do
      service = start!([], subscriber: self())
      {owner, connection} = apart(fn -> connect!(service, @bye) end)
      assert Connection.recv(connection, 3) == {:ok, "bye"}
      monitor = Process.monitor(connection.pid)
      send(owner, :end)
      assert_receive {:wasgo_service, ^service, "bye 0"}, @long
      assert_receive {:DOWN, ^monitor, _, _, :normal}, @long
      assert reason(Connection.send(connection, "a")) == :closed
      assert {:ok, %{connections: 0}} = Service.network(service)
    end
  end

  describe "controlling_process" do
    test "makes another process the owner, who has it from then on" do
      service = start!()
      {former, connection} = apart(fn -> connect!(service, @echo) end)
      assert reason(Connection.controlling_process(connection, self())) == :not_owner
      {later, :ok} = apart(fn -> :ok end)

      {giver, {given, :ok}} =
        apart(fn ->
          mine = connect!(service, @echo)
          {mine, Connection.controlling_process(mine, later)}
        end)

      monitor = Process.monitor(given.pid)
      gone = Process.monitor(giver)
      send(giver, :end)
      assert_receive {:DOWN, ^gone, _, _, _}, @long
      assert {:ok, "a"} = echo(given, "a")
      send(later, :end)
      assert_receive {:DOWN, ^monitor, _, _, :normal}, @long
      send(former, :end)
      until(fn -> reason(Connection.recv(connection, 0, 0)) == :closed end)
    end

    test "sends what comes to the new owner" do
      connection = connect!(start!(), @echo)
      test = self()

      other =
        spawn_link(fn ->
          receive do: ({:tcp, _connection, data} -> send(test, {:other, data}))
        end)

      assert Connection.controlling_process(connection, other) == :ok
      :ok = Connection.setopts(connection, active: :once)
      :ok = Connection.send(connection, "a")
      assert_receive {:other, "a"}, @long
    end

    test "with a process that is gone is the end" do
      connection = connect!(start!(), @discard)
      {gone, :ok} = apart(fn -> :ok end)
      monitor = Process.monitor(gone)
      send(gone, :end)
      assert_receive {:DOWN, ^monitor, _, _, _}, @long
      monitor = Process.monitor(connection.pid)
      assert Connection.controlling_process(connection, gone) == :ok
      assert_receive {:DOWN, ^monitor, _, _, :normal}, @long
    end
  end

  describe "datagrams" do
    test "go and come as they are, empty ones too" do
      connection = connect!(start!(), @echo, protocol: :udp)

      for data <- ["a", "", String.duplicate("x", 1_472), "b"] do
        assert Connection.send(connection, data) == :ok
        # However long they are asked to be.
        assert Connection.recv(connection, 3) == {:ok, data}
      end

      assert reason(Connection.send(connection, String.duplicate("x", 1_473))) == :emsgsize
      assert {:ok, "after"} = echo(connection, "after")
    end

    test "are told apart in active connections too" do
      connection = connect!(start!(), @characters, protocol: :udp)
      :ok = Connection.setopts(connection, active: 10)
      :ok = Connection.send(connection, "10")
      assert_receive {:tcp_passive, ^connection}, @long
      for n <- 0..9, text = "#{n}", do: assert_received({:tcp, ^connection, ^text})
    end

    test "that nobody reads take no more room than there is, and empty ones do take some" do
      service = start!()
      connection = connect!(service, @echo, protocol: :udp)
      for _round <- 1..1_000, do: assert({:ok, ""} = echo(connection, ""))
      :ok = Connection.close(connection)
      flooded = connect!(service, @characters, protocol: :udp)
      :ok = Connection.send(flooded, "100000")

      until(fn ->
        {:ok, %{received: {frames, _bytes}}} = Service.network(service)
        frames > 100_000
      end)

      assert :sys.get_state(flooded.pid).size <= 262_144
      assert {:ok, "0"} = Connection.recv(flooded)
    end

    test "to a port where nobody listens are refused" do
      connection = connect!(start!(), 5, protocol: :udp)
      :ok = Connection.send(connection, "a")
      assert reason(Connection.recv(connection)) == :econnrefused
    end

    test "of a connection that is closed are told of no more" do
      service = start!()
      connection = connect!(service, @echo, protocol: :udp)
      assert Connection.close(connection) == :ok
      assert reason(Connection.recv(connection, 0, 0)) == :closed
      until(fn -> match?({:ok, %{connections: 0}}, Service.network(service)) end)
    end
  end
end
