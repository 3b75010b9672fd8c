# What a service's network costs, from Elixir: `mix run --no-start bench/service_net.exs [--quick]`. Started by hand; nothing fails because a machine is
# slow. The guest is the one of the tests: a TCP/IP stack in WebAssembly and the ports that machines used to have.

Code.require_file("measure.exs", __DIR__)

defmodule Bench.ServiceNet do
  alias Wasgo.Service
  alias Wasgo.Service.Connection

  @echo 7
  @discard 9
  @characters 19

  @mebibyte 1_048_576

  def start! do
    path = Path.expand("../test/support/guests_src/net_guest/net_guest.wasm", __DIR__)

    {:ok, service} = Service.start_link(module: File.read!(path), ready: ~r/^ready/, network: [])

    # The first connection waits for the guest to use its address.
    service |> connect!(@echo) |> Connection.close()
    service
  end

  def connect!(service, port) do
    {:ok, connection} = Service.connect(service, port)
    connection
  end

  def connect(service) do
    of(3_000, fn -> connect!(service, @echo) end, &Connection.close/1)
  end

  def round_trip(service, size, protocol \\ :tcp) do
    Bench.apart(fn ->
      {:ok, connection} = Service.connect(service, @echo, protocol: protocol)
      data = :binary.copy("x", size)

      of(5_000, fn ->
        :ok = Connection.send(connection, data)
        {:ok, ^data} = Connection.recv(connection, size)
      end)
    end)
  end

  def http(service, body) do
    answer = "HTTP/1.1 200 OK\r\ncontent-length: #{byte_size(body)}\r\n\r\n#{body}"
    path = "/raw/" <> Base.encode16(answer)
    of(2_000, fn -> {:ok, %{status: 200, body: ^body}} = Service.http(service, :get, path) end)
  end

  defp of(rounds, fun, tidy \\ & &1) do
    stats = Bench.samples(Bench.rounds(rounds), fun, tidy)
    [Bench.time(stats.p50), Bench.time(stats.p99)]
  end

  # Megabytes a second: the median and the slowest of some runs, each of so many bytes.
  def inward(service), do: streams(service, @characters, &receive_all/2)
  def outward(service), do: streams(service, @discard, &send_all/2)

  def both(service) do
    streams(service, @echo, fn connection, bytes ->
      sender = Task.async(fn -> send_all(connection, bytes) end)
      receive_all(connection, bytes)
      Task.await(sender, :infinity)
    end)
  end

  defp streams(service, port, fun) do
    bytes = if Bench.quick?(), do: @mebibyte, else: 64 * @mebibyte

    [slowest | _] =
      rates =
      for _run <- 1..7 do
        connection = connect!(service, port)
        began = System.monotonic_time()
        fun.(connection, bytes)
        nanoseconds = Bench.nanoseconds(System.monotonic_time() - began)
        Connection.close(connection)
        bytes * 1_000 / nanoseconds
      end
      |> Enum.sort()

    for rate <- [Enum.at(rates, 3), slowest], do: "#{Bench.digits(rate)} MB/s"
  end

  defp receive_all(_connection, 0), do: :ok

  defp receive_all(connection, left) do
    {:ok, data} = Connection.recv(connection, min(left, 65_536), 60_000)
    receive_all(connection, left - byte_size(data))
  end

  @chunk :binary.copy("x", 65_536)

  defp send_all(connection, bytes) do
    for _chunk <- 1..div(bytes, byte_size(@chunk)), do: :ok = Connection.send(connection, @chunk)
  end
end

alias Bench.ServiceNet, as: B

Bench.header()
service = B.start!()

rows =
  for {name, wish, fun} <- [
        {"connect to a port of the guest", "1 ms", &B.connect/1},
        {"one byte there and back, TCP", "", &B.round_trip(&1, 1)},
        {"1 kB there and back, TCP", "", &B.round_trip(&1, 1_000)},
        {"1 kB there and back, UDP", "", &B.round_trip(&1, 1_000, :udp)},
        {"`Wasgo.Service.http/3`, an answer of 100 bytes", "",
         &B.http(&1, :binary.copy("x", 100))},
        {"from the guest, in pieces of 64 KiB", "50 MB/s", &B.inward/1},
        {"to the guest, in pieces of 64 KiB", "50 MB/s", &B.outward/1},
        {"to the guest and back at once", "", &B.both/1}
      ] do
    [name | Bench.step(name, fn -> fun.(service) end)] ++ [wish]
  end

Bench.table(["", "p50", "p99, or the slowest run", "wish"], rows)
:ok = Wasgo.Service.stop(service)
