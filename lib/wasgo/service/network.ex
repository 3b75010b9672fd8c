defmodule Wasgo.Service.Network do
  @moduledoc """
  A service's network: an Ethernet cable whose other end is in this VM. No socket of the machine is opened for it.

      {:ok, web} =
        Wasgo.Service.start_link(
          module: "httpd.wasm",
          console: :container2wasm,
          command: ["busybox", "httpd", "-f", "-p", "80"],
          network: [forward: [http: 80]]
        )

      {:ok, %{status: 200, body: page}} = Wasgo.Service.http(web, :get, "/")

  The guest is alone on it with its router, which is Wasgo: it gives the guest its address by DHCP (192.168.127.3, the router is 192.168.127.1), answers ARP, pings
  and DNS, and takes TCP and UDP. A plain WASI program that wants a network speaks as such images do: it accepts one connection on the
  listening socket that it finds, at descriptor 3, or 512 where it has directories, and over that connection go Ethernet frames, each after its length in
  four bytes, the highest first.

  ## Options

    * `:forward` - names for the guest's ports, as `[http: 80]`: `Wasgo.Service.connect(service, :http)`. A port may also be given by its number.
      No names unless given
    * `:outgoing` - what the guest may connect to: `:none` unless given, or a list of rules
    * `:max_connections` - at once, 64 unless given

  ## Outgoing connections

  A rule is `{target, ports, handler}`, for TCP, or `{:udp, target, ports, handler}`.

    * the target is a name (`"api.example.com"`, `"*.example.com"`) or addresses (`"10.1.2.3"`, `"10.0.0.0/8"`)
    * the ports are a number, a range, or `:all`
    * the handler says who answers: `:connect` opens a connection of the machine to just there, `{:connect, host, port}` one to somewhere
      else, and a function of one argument gets a map with `:connection` (a `Wasgo.Service.Connection`), `:target`, `:port` and
      `:protocol`, and speaks with the guest itself; the connection ends with the function. It runs in a process of its own: should it raise, the guest's
      connection is reset

  The first rule that fits is taken. A name that a rule allows gets an address of 198.18.0.0/15 when the guest asks for it, and a connection to that
  address is one to the name: names are not resolved for the guest, so that a name can't lead it to an address that it was not given. All else is refused at once,
  by a TCP reset, "port unreachable", or a name that does not exist. `:connect` over UDP is not there.

  The machine has 9 seconds to connect, before the guest hears that it is connected: what the machine is refused, the guest is refused. Each side may end what it
  sends and still be sent to. A rule about what is neither a name nor an address is no start: `Wasgo.ServiceError` with `:invalid_rule`.

  ## What a guest may send

  Anything. Frames that are of no use are dropped and counted (`Wasgo.Service.network/1`). One that is declared to be longer than a mebibyte can be none: the network is over
  from then on, which is logged, each connection is `:closed`, and the service goes on without it.
  """

  require Logger

  alias Wasgo.{Native, ServiceError}
  alias Wasgo.Native.Result
  alias Wasgo.Service.Connection

  @type handler ::
          :connect
          | {:connect, String.t() | :inet.ip_address(), :inet.port_number()}
          | (map() -> any())

  @type rule ::
          {target :: String.t(), :inet.port_number() | Range.t() | :all, handler()}
          | {:udp, target :: String.t(), :inet.port_number() | Range.t() | :all, handler()}

  @ports 1..65_535

  @options [
    forward: [type: :list, default: []],
    outgoing: [type: {:or, [:list, {:in, [:none]}]}, default: :none],
    max_connections: [type: {:range, 1..1_024}, default: 64]
  ]

  # The listening socket: the first descriptor that is free, or one that no file ever gets.
  @listener 3
  @high_listener 512

  # The guest is told no later than this who listens: it is let wait as long.
  @connect_timeout 9_000

  # An end of one direction is none of the other. One who takes nothing for a minute is gone.
  @socket [
    mode: :binary,
    active: :once,
    nodelay: true,
    exit_on_close: false,
    send_timeout: 60_000,
    send_timeout_close: true
  ]

  @doc false
  @spec validate!(keyword() | nil, String.t()) :: map() | nil
  def validate!(nil, _owner), do: nil

  def validate!(options, owner) do
    owner = owner <> ", :network"
    options = Wasgo.Options.validate!(options, @options, owner)

    Enum.each(options.forward, fn
      {name, port} when is_atom(name) or is_binary(name) ->
        unless port in @ports,
          do: wrong!(owner, ":forward is a list of names and ports", {name, port})

      other ->
        wrong!(owner, ":forward is a list of names and ports", other)
    end)

    outgoing = if options.outgoing == :none, do: [], else: options.outgoing

    %{
      options
      | forward: Map.new(options.forward),
        outgoing: Enum.map(outgoing, &rule!(&1, owner))
    }
  end

  defp rule!({:udp, target, ports, handler}, owner),
    do: rule!({target, ports, handler}, owner, :udp)

  defp rule!({_target, _ports, _handler} = rule, owner), do: rule!(rule, owner, :tcp)

  defp rule!(other, owner),
    do: wrong!(owner, "a rule of :outgoing is {target, ports, handler}", other)

  defp rule!({target, ports, handler} = rule, owner, protocol) do
    {first, last} =
      case ports do
        :all -> {1, 65_535}
        port when port in @ports -> {port, port}
        first..last//1 when first in @ports and last in @ports -> {first, last}
        _other -> wrong!(owner, "the ports of a rule are a port, a range or :all", rule)
      end

    handler? =
      case handler do
        :connect -> protocol == :tcp
        {:connect, host, port} -> protocol == :tcp and port in @ports and host?(host)
        fun -> is_function(fun, 1)
      end

    unless handler? and is_binary(target), do: wrong!(owner, "this is no rule of :outgoing", rule)
    target = target |> String.downcase() |> String.replace_suffix(".", "")
    %{target: target, ports: first..last, protocol: protocol, handler: handler}
  end

  defp host?(host) when is_binary(host), do: host =~ ~r/\A[!-~]+\z/
  defp host?(host), do: is_tuple(host) and is_list(:inet.ntoa(host))

  defp wrong!(owner, rule, value) do
    raise ArgumentError, "#{owner}: #{rule}, and this is given: #{inspect(value)}"
  end

  @doc false
  @spec to_native(map() | nil) :: map() | nil
  def to_native(nil), do: nil

  def to_native(network) do
    rules =
      for %{target: target, ports: first..last//_, protocol: protocol} <- network.outgoing do
        {target, first, last, protocol == :udp}
      end

    %{outgoing: rules, max_connections: network.max_connections}
  end

  @drops [:length, :malformed, :ignored, :fragments, :foreign, :refused, :overload, :unread]

  @doc false
  @spec status(reference()) :: {:ok, map()} | {:error, Exception.t()}
  def status(resource) do
    with {:ok, {address, received, sent, drops, connections}} <-
           Result.await(Native.service_network_status(resource)) do
      {:ok,
       %{
         address: address,
         received: received,
         sent: sent,
         connections: connections,
         dropped: @drops |> Enum.zip(drops) |> Map.new()
       }}
    end
  end

  @doc false
  # The number of a port that is known by a name.
  @spec port(map() | nil, term()) :: {:ok, :inet.port_number()} | {:error, ServiceError.t()}
  def port(nil, _port) do
    {:error, %ServiceError{reason: :no_network, message: "the service was given no network"}}
  end

  def port(_network, port) when port in @ports, do: {:ok, port}

  def port(network, name) do
    case network.forward do
      %{^name => port} ->
        {:ok, port}

      _others when name == :http ->
        {:ok, 80}

      others ->
        known = others |> Map.keys() |> Enum.map_join(", ", &inspect/1)

        message =
          "the service has no port #{inspect(name)}; it has #{if known == "", do: "none by a name", else: known}"

        {:error, %ServiceError{reason: :unknown_port, message: message}}
    end
  end

  @doc false
  # The descriptor of the listening socket.
  @spec listener(map() | nil, [String.t()]) :: pos_integer() | nil
  def listener(nil, _dirs), do: nil
  def listener(_network, []), do: @listener
  def listener(_network, _dirs), do: @high_listener

  @doc false
  # What belongs to no connection of anybody's yet.
  @spec handle(tuple(), map(), reference()) :: :ok
  def handle({:outgoing, id, target, port, protocol}, network, resource) do
    case Enum.find(network.outgoing, &allows?(&1, target, port, protocol)) do
      nil ->
        Native.service_reject(resource, id)

      %{handler: handler} ->
        asked = %{target: target, port: port, protocol: protocol}
        {:ok, _pid} = Task.start(fn -> take(handler, asked, resource, id) end)
    end

    :ok
  end

  def handle({:broken, message}, _network, _resource) do
    Logger.warning("a service's network is over: #{message}")
  end

  def handle({:up, _address}, _network, _resource), do: :ok

  defp allows?(rule, target, port, protocol) do
    rule.protocol == protocol and port in rule.ports and fits?(rule.target, target)
  end

  # What any rule allows was found out already; here it is only asked which.
  defp fits?("*" <> suffix, target), do: String.ends_with?(target, suffix)
  defp fits?(rule, target), do: rule == target or within?(rule, target)

  defp within?(rule, target) do
    with [network, bits] <- String.split(rule, "/"),
         {bits, ""} when bits in 0..32 <- Integer.parse(bits),
         {:ok, network} <- number(network),
         {:ok, address} <- number(target) do
      Bitwise.bsr(network, 32 - bits) == Bitwise.bsr(address, 32 - bits)
    else
      _no -> false
    end
  end

  defp number(text) do
    with {:ok, {a, b, c, d}} <- :inet.parse_ipv4strict_address(String.to_charlist(text)) do
      <<number::32>> = <<a, b, c, d>>
      {:ok, number}
    end
  end

  defp take(fun, asked, resource, id) when is_function(fun) do
    with {:ok, connection} <- Connection.accept(resource, id, asked.protocol == :udp) do
      fun.(Map.put(asked, :connection, connection))
      Connection.close(connection)
    end
  end

  defp take(:connect, asked, resource, id) do
    take({:connect, asked.target, asked.port}, asked, resource, id)
  end

  # The machine connects first, so that the guest hears the truth about who listens there.
  defp take({:connect, host, port}, asked, resource, id) do
    host = if is_binary(host), do: String.to_charlist(host), else: host

    case :gen_tcp.connect(host, port, @socket, @connect_timeout) do
      {:ok, socket} ->
        with {:ok, connection} <- Connection.accept(resource, id, false) do
          :ok = Connection.setopts(connection, active: :once)
          relay(connection, socket, 2)
        end

      {:error, reason} ->
        Logger.debug(
          "a service's connection to #{asked.target}:#{port} is refused: #{inspect(reason)}"
        )

        Native.service_reject(resource, id)
    end
  end

  # Each side is read only when what came before was taken by the other.
  defp relay(connection, socket, 0) do
    Connection.close(connection)
    :gen_tcp.close(socket)
  end

  defp relay(%{pid: pid} = connection, socket, open) do
    receive do
      {:tcp, ^socket, data} ->
        with :ok <- Connection.send(connection, data) do
          :inet.setopts(socket, active: :once)
          relay(connection, socket, open)
        else
          _over -> relay(connection, socket, 0)
        end

      {:tcp, %Connection{pid: ^pid}, data} ->
        with :ok <- :gen_tcp.send(socket, data) do
          Connection.setopts(connection, active: :once)
          relay(connection, socket, open)
        else
          _over -> relay(connection, socket, 0)
        end

      {:tcp_closed, ^socket} ->
        Connection.shutdown(connection, :write)
        relay(connection, socket, open - 1)

      {:tcp_closed, %Connection{pid: ^pid}} ->
        :gen_tcp.shutdown(socket, :write)
        relay(connection, socket, open - 1)

      {:tcp_error, _which, _reason} ->
        relay(connection, socket, 0)
    end
  end
end
