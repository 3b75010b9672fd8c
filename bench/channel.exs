# What web clients of a world cost: `mix run --no-start bench/channel.exs [--quick]`. Started by hand; nothing fails because a machine is slow. Phoenix is not needed: these are the values
# that its channels have, without sockets.

Code.require_file("measure.exs", __DIR__)

defmodule Bench.Channel do
  alias Wasgo.Phoenix.WorldChannel.Client
  alias Wasgo.{Rows, Store, World}

  @objects 1_000
  @columns ["position:x", "position:y", "position:z", "rotation:y"]
  @options %{
    hz: 20,
    max_radius: 2_048,
    max_loading: 16,
    max_unacknowledged: 64,
    max_unacknowledged_bytes: 1_048_576,
    ack_timeout: 15_000,
    max_calls: 4,
    max_messages: 60
  }

  def world do
    {:ok, world} = World.start_link(name: "channel", store: Store.open!(:memory))
    {:ok, _} = World.mutate(world, for(id <- 1..@objects, do: {:put, id: id}))
    {:ok, followed} = World.follow(world)
    {world, followed}
  end

  def clients(followed, count) do
    params = %{identity: nil, rev: 0, held: %{}, view: nil}

    for _ <- 1..count do
      {_pushes, client} = settle(Client.new("channel", @options, followed, params))
      client
    end
  end

  # As a browser does that has read all.
  defp settle(client) do
    {pushes, client} = Client.tick(client, 0)
    {:ok, client} = Client.ack(client, client.credit.seq, 0)
    if pushes == [], do: {pushes, client}, else: settle(client)
  end

  # The nanoseconds in which all clients have made ready what they push after all objects have moved; and the bytes of one. `before` is done ahead of each client, outside of the time.
  def tick({world, _followed}, clients, n, before) do
    ids = for id <- 1..@objects, do: {id, [id + n / 7, n / 3, id / 2, n / 100]}
    {:ok, @objects} = World.put_rows(world, Rows.new(@columns, ids))

    {clients, {time, bytes}} =
      Enum.map_reduce(clients, {0, 0}, fn client, {time, _bytes} ->
        before.()
        began = System.monotonic_time(:nanosecond)
        {pushes, client} = Client.tick(client, 0)
        time = time + System.monotonic_time(:nanosecond) - began
        {:ok, client} = Client.ack(client, client.credit.seq, 0)
        {client, {time, Enum.sum(for {"rows", {:binary, rows}} <- pushes, do: byte_size(rows))}}
      end)

    {clients, time, bytes}
  end

  def rounds(world, count, before) do
    ticks = Bench.rounds(100)

    {_clients, times, bytes} =
      Enum.reduce(1..ticks, {clients(elem(world, 1), count), [], 0}, fn n, {clients, times, _} ->
        {clients, time, bytes} = tick(world, clients, n, before)
        {clients, [time | times], bytes}
      end)

    sorted = Enum.sort(times)
    {Enum.at(sorted, div(ticks, 2)), Enum.at(sorted, trunc(ticks * 0.99)), bytes}
  end
end

Bench.header()

rows =
  for count <- [1, 10, 100] do
    Bench.step("#{count} clients", fn ->
      Bench.apart(fn ->
        {_world, followed} = world = Bench.Channel.world()
        alone = fn -> :ets.delete_all_objects(followed.tables.batches) end
        {own, own99, _} = Bench.Channel.rounds(world, count, alone)
        {shared, shared99, bytes} = Bench.Channel.rounds(world, count, fn -> :ok end)

        ["#{count}", Bench.time(own), Bench.time(own99), Bench.time(shared)] ++
          [Bench.time(shared99), "#{Bench.digits(bytes / 1_000)} kB"]
      end)
    end)
  end

Bench.table(
  ["web clients", "each for itself, p50", "p99", "together, p50", "p99", "each is sent"],
  rows
)
