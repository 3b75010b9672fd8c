defmodule Wasgo.Service.NetworkTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Wasgo.NetGuest

  alias Wasgo.{Service, ServiceError}
  alias Wasgo.Service.Connection

  @moduletag :capture_log
  @moduletag timeout: 300_000

  # What comes comes soon, but no test is to fail because a machine is slow.
  @long 60_000

  # The process that starts a service is linked to it; here its end is to be a message.
  setup do
    Process.flag(:trap_exit, true)
    :ok
  end

  defp outgoing(rules, options \\ []), do: start!([outgoing: rules] ++ options)

  # A handler that says who was asked for, what came until the end, and answers.
  defp answering(answer) do
    test = self()

    fn asked ->
      data = all(asked.connection)
      send(test, {:asked, asked.target, asked.port, asked.protocol, data})
      Connection.send(asked.connection, answer)
    end
  end

  defp all(connection, before \\ "") do
    case Connection.recv(connection) do
      {:ok, data} -> all(connection, before <> data)
      {:error, %ServiceError{reason: :closed}} -> before
    end
  end

  defp connect(service, target, port, data \\ "") do
    case ask(service, "connect #{target} #{port} #{hex(data)}") do
      "connect " <> answer when answer in ["refused", "reset"] -> String.to_atom(answer)
      "connect " <> hex -> {:ok, Base.decode16!(hex, case: :lower)}
      "dns failed" -> :no_name
    end
  end

  describe "a service's network" do
    test "says what it did" do
      service = start!()
      {:ok, connection} = Service.connect(service, 7, timeout: :infinity)
      assert {:ok, status} = Service.network(service)

      assert %{address: "192.168.127.3", connections: 1, received: {got, _}, sent: {sent, _}} =
               status

      assert got >= 3 and sent >= 3

      assert Enum.sort(Map.keys(status.dropped)) ==
               ~w(foreign fragments ignored length malformed overload refused unread)a

      assert Enum.all?(status.dropped, fn {_cause, count} -> count == 0 end)
      assert ask(service, "address") == "192.168.127.3"
      Connection.close(connection)
    end

    test "is found by a program with directories too" do
      directory =
        Path.join(System.tmp_dir!(), "wasgo_network_#{System.unique_integer([:positive])}")

      File.mkdir_p!(directory)
      on_exit(fn -> File.rm_rf!(directory) end)
      service = start!([], dirs: [{directory, "/data", :ro}])
      assert {:ok, %{status: 404}} = Service.http(service, :get, "/", [], "", timeout: @long)
    end

    test "is not there unless it is given" do
      for network <- [:none, nil] do
        service = start!(network)
        assert ask(service, "hello") == "no socket for hello"
        assert {:error, %ServiceError{reason: :no_network}} = Service.connect(service, 7)
        assert {:error, %ServiceError{reason: :no_network}} = Service.network(service)
        assert {:error, %ServiceError{reason: :no_network}} = Service.http(service, :get, "/")
      end
    end

    test "is a new one when the program is started anew" do
      service = start!([], restart: [min_delay: 1])
      {:ok, before} = Service.connect(service, 7, timeout: :infinity)

      assert {:error, %ServiceError{reason: {:exited, 3}}} =
               Service.request(service, "exit 3", @long)

      assert {:error, %ServiceError{reason: :closed}} = Connection.recv(before, 1)
      until(fn -> match?({:ok, %{phase: :ready, restarts: 1}}, Service.info(service)) end)
      {:ok, connection} = Service.connect(service, 7, timeout: :infinity)
      assert Connection.send(connection, "a") == :ok
      assert Connection.recv(connection, 1) == {:ok, "a"}
    end

    test "is said to be wrong where it is given" do
      for {network, why} <- [
            {[ports: [80]], ~r/:ports/},
            {[forward: [80]], ~r/:forward.*80/s},
            {[forward: [http: 0]], ~r/:forward.*http: 0|:forward.*:http, 0/s},
            {[forward: [{:http, 65_536}]], ~r/:forward.*65536/s},
            {[forward: [{1, 80}]], ~r/:forward.*1, 80/s},
            {[max_connections: 0], ~r/:max_connections/},
            {[max_connections: 1_025], ~r/:max_connections/},
            {[outgoing: :all], ~r/:outgoing/},
            {[outgoing: ["a"]], ~r/rule of :outgoing/},
            {[outgoing: [{"a", 80}]], ~r/rule of :outgoing/},
            {[outgoing: [{"a", 0, :connect}]], ~r/ports of a rule/},
            {[outgoing: [{"a", 80..65_536, :connect}]], ~r/ports of a rule/},
            {[outgoing: [{"a", Range.new(1, 9, 2), :connect}]], ~r/ports of a rule/},
            {[outgoing: [{"a", "80", :connect}]], ~r/ports of a rule/},
            {[outgoing: [{:a, 80, :connect}]], ~r/no rule of :outgoing/},
            {[outgoing: [{"a", 80, :refuse}]], ~r/no rule of :outgoing/},
            {[outgoing: [{"a", 80, fn -> :ok end}]], ~r/no rule of :outgoing/},
            {[outgoing: [{"a", 80, {:connect, "b", 0}}]], ~r/no rule of :outgoing/},
            {[outgoing: [{"a", 80, {:connect, :b, 80}}]], ~r/no rule of :outgoing/},
            {[outgoing: [{"a", 80, {:connect, "", 80}}]], ~r/no rule of :outgoing/},
            {[outgoing: [{"a", 80, {:connect, {1, 2, 3, 256}, 80}}]], ~r/no rule of :outgoing/},
            {[outgoing: [{:udp, "a", 80, :connect}]], ~r/no rule of :outgoing/},
            {[outgoing: [{:sctp, "a", 80, :connect}]], ~r/rule of :outgoing/}
          ] do
        error = assert_raise(ArgumentError, fn -> start!(network) end)
        assert error.message =~ ~r/Wasgo.Service.start_link/ and error.message =~ why
      end
    end

    test "is no start if what a rule is about is nothing" do
      for target <- ["", "*", "a b", "a..b", "10.0.0.1/8", "10.0.0.0/33", "1.2.3", "::1", "a.*.b"] do
        assert {:error, %ServiceError{reason: :invalid_rule} = error} =
                 Service.start_link(
                   module: File.read!("test/support/guests_src/net_guest/net_guest.wasm"),
                   network: [outgoing: [{target, 80, :connect}]]
                 )

        assert Exception.message(error) =~ inspect(target)
      end
    end
  end

  describe "what the guest may reach" do
    test "is nothing unless it is given, and that it hears at once" do
      service = start!()
      assert connect(service, "example.com", 80) == :no_name
      assert connect(service, "1.2.3.4", 80) == :refused
      assert connect(service, "198.18.0.1", 80) == :refused
      assert connect(service, "192.168.127.1", 80) == :refused
      assert ask(service, "tell 192.168.127.1 5 00") == "told"
      assert ask(service, "dns localhost") == "dns failed"
      assert {:ok, %{connections: 0, dropped: %{refused: refused}}} = Service.network(service)
      assert refused >= 4
    end

    test "is a name of a rule, by whatever letters, and a function answers" do
      service = outgoing([{"API.example.com", 80, answering("from the function")}])
      assert connect(service, "api.Example.com", 80, "hello") == {:ok, "from the function"}
      assert_received {:asked, "api.example.com", 80, :tcp, "hello"}
      assert connect(service, "api.example.com", 81) == :refused
      assert connect(service, "example.com", 80) == :no_name
      assert connect(service, "a.api.example.com", 80) == :no_name
      assert "dns 198.18." <> _ = ask(service, "dns api.example.com")
    end

    test "is a name of a rule that ends with a dot, as names may" do
      service =
        outgoing([{"a.example.", 80, answering("1")}, {"*.Example.org.", 80, answering("2")}])

      assert connect(service, "a.example", 80) == {:ok, "1"}
      assert connect(service, "b.example.org", 80) == {:ok, "2"}
    end

    test "are the names below one, and not that one" do
      service = outgoing([{"*.example.com", :all, answering("below")}])
      assert connect(service, "a.b.example.com", 8_080) == {:ok, "below"}
      assert_received {:asked, "a.b.example.com", 8_080, :tcp, ""}
      assert connect(service, "example.com", 80) == :no_name
      assert connect(service, "badexample.com", 80) == :no_name
    end

    test "are the addresses of a network, and the ports of a range" do
      service =
        outgoing([{"10.0.0.0/8", 80..90, answering("net")}, {"11.1.1.1", 5, answering("one")}])

      assert connect(service, "10.255.0.1", 80) == {:ok, "net"}
      assert_received {:asked, "10.255.0.1", 80, :tcp, ""}
      assert connect(service, "10.0.0.1", 90) == {:ok, "net"}
      assert connect(service, "11.1.1.1", 5) == {:ok, "one"}

      for {address, port} <- [
            {"10.0.0.1", 79},
            {"10.0.0.1", 91},
            {"11.0.0.1", 80},
            {"11.1.1.2", 5},
            {"11.1.1.1", 6}
          ] do
        assert connect(service, address, port) == :refused
      end
    end

    test "is what the first rule that fits says" do
      service =
        outgoing([
          {"a.example.com", 80, answering("name")},
          {"*.example.com", 80..81, answering("below")},
          {"*.com", :all, answering("all")},
          {"10.1.0.0/16", 80, answering("near")},
          {"10.0.0.0/8", 80, answering("far")},
          {:udp, "a.example.com", 82, answering("udp")}
        ])

      for {target, port, answer} <- [
            {"a.example.com", 80, "name"},
            {"a.example.com", 81, "below"},
            {"b.example.com", 80, "below"},
            {"a.example.com", 82, "all"},
            {"b.com", 80, "all"},
            {"10.1.2.3", 80, "near"},
            {"10.2.2.3", 80, "far"}
          ] do
        assert connect(service, target, port) == {:ok, answer}
      end
    end

    test "ends with the function: what it sent arrives before" do
      data = :crypto.strong_rand_bytes(300_000)

      service =
        outgoing([{"a.example", 80, fn asked -> Connection.send(asked.connection, data) end}])

      assert connect(service, "a.example", 80) == {:ok, data}
    end

    test "is reset when the function raises, and the service goes on" do
      service =
        outgoing([
          {"a.example", 80, fn _asked -> raise "on purpose" end},
          {"b.example", 80, answering("b")}
        ])

      log = capture_log(fn -> assert connect(service, "a.example", 80, "hello") == :reset end)
      assert log =~ "on purpose"
      assert connect(service, "b.example", 80) == {:ok, "b"}
    end

    test "does not wait for a function that never answers, which hears of the end" do
      test = self()

      silent = fn asked ->
        send(test, {:silent, Connection.recv(asked.connection, 5)})

        send(
          test,
          {:end, Connection.recv(asked.connection, 1), Connection.recv(asked.connection, 1)}
        )
      end

      service = outgoing([{"a.example", 80, silent}, {"b.example", 80, answering("b")}])
      :ok = Service.send(service, "connect a.example 80 #{hex("hello")}")
      assert_receive {:silent, {:ok, "hello"}}, @long
      assert_receive {:end, {:error, %ServiceError{reason: :closed}}, _again}, @long
      assert connect(service, "b.example", 80) |> elem(0) == :ok
    end

    test "tells a function that waits that the service is over" do
      test = self()

      holding = fn asked ->
        send(test, :holding)
        send(test, {:over, Connection.recv(asked.connection, 10), all(asked.connection)})
      end

      service = outgoing([{"a.example", 80, holding}])
      # Its own end is said with its data.
      :ok = Service.send(service, "connect a.example 80")
      assert_receive :holding, @long
      :ok = Service.stop(service)
      assert_receive {:over, {:error, %ServiceError{reason: :closed}}, ""}, @long
    end
  end

  describe "a connection of the machine" do
    setup do
      {:ok, listener} =
        :gen_tcp.listen(0, [:binary, active: false, ip: {127, 0, 0, 1}, exit_on_close: false])

      {:ok, port} = :inet.port(listener)
      on_exit(fn -> :gen_tcp.close(listener) end)
      %{listener: listener, port: port}
    end

    # Accepts one connection and does with it what is said.
    defp serve(listener, fun) do
      Task.async(fn ->
        {:ok, socket} = :gen_tcp.accept(listener)
        result = fun.(socket)
        :gen_tcp.close(socket)
        result
      end)
    end

    defp read_all(socket, before \\ "") do
      case :gen_tcp.recv(socket, 0) do
        {:ok, data} -> read_all(socket, before <> data)
        {:error, :closed} -> before
      end
    end

    test "goes to where the rule says, with all bytes both ways", %{
      listener: listener,
      port: port
    } do
      service = outgoing([{"db.internal", 5_432, {:connect, "127.0.0.1", port}}])
      question = :crypto.strong_rand_bytes(20_000)
      answer = :crypto.strong_rand_bytes(2_000_000)

      serving =
        serve(listener, fn socket ->
          # Its end comes after the guest's, as one direction's end is not the other's.
          data = read_all(socket)
          :ok = :gen_tcp.send(socket, answer)
          data
        end)

      assert connect(service, "db.internal", 5_432, question) == {:ok, answer}
      assert Task.await(serving, :infinity) == question
    end

    test "still takes what the guest sends when the machine's side has ended its own", %{
      listener: listener,
      port: port
    } do
      service = outgoing([{"db.internal", 80, {:connect, {127, 0, 0, 1}, port}}])
      question = :crypto.strong_rand_bytes(20_000)

      serving =
        serve(listener, fn socket ->
          :ok = :gen_tcp.send(socket, "bye")
          :ok = :gen_tcp.shutdown(socket, :write)
          read_all(socket)
        end)

      assert connect(service, "db.internal", 80, question) == {:ok, "bye"}
      assert Task.await(serving, :infinity) == question
    end

    test "is to the name or address itself with :connect", %{listener: listener, port: port} do
      service = outgoing([{"localhost", :all, :connect}])
      serving = serve(listener, fn socket -> :gen_tcp.send(socket, read_all(socket)) end)
      assert connect(service, "localhost", port, "hello") == {:ok, "hello"}
      assert Task.await(serving, :infinity) == :ok
    end

    test "is refused where the machine is", %{listener: listener, port: port} do
      :gen_tcp.close(listener)

      service =
        outgoing([
          {"a.example", 80, {:connect, "127.0.0.1", port}},
          {"b.example", 80, {:connect, "no-such-host.invalid", 80}}
        ])

      assert connect(service, "a.example", 80) == :refused
      assert connect(service, "b.example", 80) == :refused
    end

    test "is over when the machine's side resets it", %{listener: listener, port: port} do
      service = outgoing([{"a.example", 80, {:connect, "127.0.0.1", port}}])

      serving =
        serve(listener, fn socket ->
          {:ok, "hello"} = :gen_tcp.recv(socket, 5)
          :inet.setopts(socket, linger: {true, 0})
        end)

      assert connect(service, "a.example", 80, "hello") in [:reset, {:ok, ""}]
      assert Task.await(serving, :infinity) == :ok
      until(fn -> match?({:ok, %{connections: 0}}, Service.network(service)) end)
    end

    test "ends for the machine when the service does", %{listener: listener, port: port} do
      service = outgoing([{"a.example", 80, {:connect, "127.0.0.1", port}}])
      test = self()

      serving =
        serve(listener, fn socket ->
          send(test, :accepted)
          read_all(socket)
        end)

      :ok = Service.send(service, "connect a.example 80")
      assert_receive :accepted, @long
      :ok = Service.stop(service)
      assert Task.await(serving, :infinity) == ""
    end
  end

  describe "datagrams of the guest" do
    test "go to a function, which answers" do
      test = self()

      handler = fn asked ->
        {:ok, data} = Connection.recv(asked.connection)
        send(test, {:asked, asked.target, asked.port, asked.protocol, data})
        Connection.send(asked.connection, "answer")
      end

      service =
        outgoing([{:udp, "time.example", 123, handler}, {:udp, "10.0.0.0/8", :all, handler}])

      assert ask(service, "udp time.example 123 #{hex("what")}") == "udp #{hex("answer")}"
      assert_received {:asked, "time.example", 123, :udp, "what"}
      assert ask(service, "udp 10.1.1.1 53 00") == "udp #{hex("answer")}"
      assert_received {:asked, "10.1.1.1", 53, :udp, <<0>>}
    end

    test "are told apart by the function, whose own are too" do
      test = self()

      handler = fn asked ->
        # One that is too long is refused, and not sent in pieces.
        {:error, %ServiceError{reason: :emsgsize}} =
          Connection.send(asked.connection, String.duplicate("x", 2_000))

        send(test, {:got, Connection.recv(asked.connection, 100)})
        Connection.send(asked.connection, "")
      end

      service = outgoing([{:udp, "10.0.0.1", 5, handler}])
      assert ask(service, "udp 10.0.0.1 5 #{hex("one")}") == "udp "
      assert_received {:got, {:ok, "one"}}
    end

    test "that no rule allows are refused, as those for a rule of TCP are" do
      service =
        outgoing([{"10.0.0.1", 5, answering("tcp")}, {:udp, "10.0.0.2", 5, answering("udp")}])

      assert ask(service, "tell 10.0.0.1 5 00") == "told"
      assert ask(service, "tell 10.0.0.2 6 00") == "told"
      # What it asks after that is answered after that.
      assert ask(service, "dns a.example") == "dns failed"
      assert {:ok, %{connections: 0, dropped: %{refused: 2}}} = Service.network(service)
      assert connect(service, "10.0.0.2", 5) == :refused
    end
  end

  describe "a hostile guest" do
    test "sends rubbish, and is served on" do
      service = start!()
      other = start!()

      for seed <- 1..40 do
        assert ask(service, "rubbish 500 #{seed * 7_919}") == "put 500"
      end

      assert ask(service, "frames 00000000") == "put 4"
      assert ask(service, "frames 00000005#{hex("hello")}") == "put 9"
      {:ok, connection} = Service.connect(service, 7, timeout: :infinity)
      assert Connection.send(connection, "still here") == :ok
      assert Connection.recv(connection, 10) == {:ok, "still here"}
      assert {:ok, %{dropped: dropped}} = Service.network(service)
      assert dropped.malformed > 0 and dropped.ignored > 0 and dropped.length > 0
      assert {:ok, %{status: 404}} = Service.http(other, :get, "/", [], "", timeout: @long)
    end

    test "declares a frame that can be none: its network is over, and nothing else" do
      service = start!()
      other = start!()
      {:ok, connection} = Service.connect(service, 7, timeout: :infinity)

      log =
        capture_log(fn ->
          assert ask(service, "frames ffffffff00") == "put 5"
          assert {:error, %ServiceError{reason: :closed}} = Connection.recv(connection, 1)
          until(fn -> match?({:error, %{reason: :closed}}, Service.connect(service, 7)) end)
          # Its process has heard of it before it answers.
          assert {:ok, _info} = Service.info(service)
        end)

      assert log =~ "4294967295 bytes"
      assert {:error, %ServiceError{reason: :closed}} = Service.http(service, :get, "/")
      assert {:ok, %{connections: 0}} = Service.network(service)
      assert {:ok, %{status: 404}} = Service.http(other, :get, "/", [], "", timeout: @long)
    end

    test "looks for ports of the router and finds none but those that it was given" do
      test = self()
      handler = fn _asked -> send(test, :asked) end
      service = outgoing([{"10.0.0.1", 20..21, handler}])
      assert ask(service, "scan 192.168.127.1 1 2000") == "scan open refused 2000"
      assert ask(service, "scan 10.0.0.1 1 100") == "scan open 20 21 refused 98"
      assert {:ok, %{status: 404}} = Service.http(service, :get, "/", [], "", timeout: @long)
    end

    test "wants more connections than there may be, and gets some of them" do
      test = self()

      handler = fn asked ->
        send(test, {:asked, self()})
        Connection.recv(asked.connection)
        receive do: (:end -> :ok)
      end

      service = outgoing([{"10.0.0.1", :all, handler}], max_connections: 3)
      answer = ask(service, "scan 10.0.0.1 1 300")
      assert [_all, refused] = Regex.run(~r/refused (\d+)/, answer)
      assert String.to_integer(refused) > 0
      assert {:ok, %{connections: connections}} = Service.network(service)
      assert connections <= 3
    end
  end
end
