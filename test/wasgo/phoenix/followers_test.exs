if Code.ensure_loaded?(:proper) do
  defmodule Wasgo.Phoenix.FollowersTest do
    @moduledoc """
    Web clients of a world that tick when they like and are slow when they like: what each is shown in the end is what the world holds, whoever made the bytes.
    """

    use ExUnit.Case, async: true

    alias :proper_types, as: Gen
    alias Wasgo.{ChannelRows, Rows, Store, World}
    alias Wasgo.Phoenix.WorldChannel
    alias Wasgo.Phoenix.WorldChannel.{Batches, Client, Follower}

    @options %{
      hz: 20,
      max_radius: 2_048,
      max_loading: 16,
      max_unacknowledged: 2,
      max_unacknowledged_bytes: 1_048_576,
      ack_timeout: 15_000,
      max_calls: 4,
      max_messages: 60
    }
    @columns ["a", "b", "position", "position:x"]

    setup do
      {:ok, begin()}
    end

    defp begin do
      {:ok, world} = World.start_link(name: "w", store: Store.open!(:memory))
      {:ok, followed} = World.follow(world)
      %{world: world, tables: followed.tables, followed: followed}
    end

    defp objects(world, count) do
      for ids <- Enum.chunk_every(1..count, 1_000),
          do: {:ok, _} = World.mutate(world, for(id <- ids, do: {:put, id: id}))

      :ok
    end

    defp put(world, columns, rows), do: {:ok, _} = World.put_rows(world, Rows.new(columns, rows))

    # All that a follower is given now.
    defp drain(follower, done \\ []) do
      case Batches.next(follower, true) do
        {encoded, follower} -> drain(follower, [encoded | done])
        :none -> {Enum.reverse(done), follower}
      end
    end

    defp groups(batches) do
      for encoded <- batches, encoded != nil do
        {0, groups} = encoded |> then(&WorldChannel.Rows.payload(0, &1)) |> ChannelRows.read()
        groups
      end
    end

    defp follower(%{world: world, tables: tables}) do
      follower = Follower.new(tables, World.info(world).rev)
      {_batches, follower} = drain(follower)
      follower
    end

    test "clients at the same number are given the same bytes, which one of them made", context do
      :ok = objects(context.world, 3)
      [a, b, c] = for _ <- 1..3, do: follower(context)
      put(context.world, ["a"], [{1, [1]}, {2, [2]}])
      assert {[encoded], a} = drain(a)

      # Nobody makes more than there was then: what is newer is for a tick in which nobody has had any.
      put(context.world, ["a"], [{3, [3]}])
      assert {^encoded, b} = Batches.next(b, true)
      assert :none = Batches.next(b, false)
      assert {[later], _a} = drain(a)
      assert {[^later], _b} = drain(b)
      assert {[^encoded, ^later], _c} = drain(c)
    end

    test "one that was slow is given what it lacks, and the others' bytes from then on",
         context do
      :ok = objects(context.world, 3)
      [a, slow] = for _ <- 1..2, do: follower(context)

      a =
        for n <- 1..20, reduce: a do
          a ->
            put(context.world, ["a", "b"], [{rem(n, 2) + 1, [n, if(n == 3, do: n)]}])
            {[_encoded], a} = drain(a)
            a
        end

      {[own], slow} = drain(slow)

      assert [{[1], [{"a", [20.0]}]}, {[2], [{"a", [19.0]}, {"b", [3.0]}]}] =
               Enum.sort(hd(groups([own])))

      put(context.world, ["a"], [{3, [1]}])
      {[encoded], _a} = drain(a)
      assert {[^encoded], _slow} = drain(slow)
    end

    test "a pass of several batches leaves out no value that came before them", context do
      :ok = objects(context.world, 5_000)
      [a, b] = for _ <- 1..2, do: follower(context)
      put(context.world, ["a"], [{1, [1]}])
      put(context.world, ["c"], for(id <- 2..5_000, do: {id, [3]}))
      put(context.world, ["b"], [{1, [2]}])
      {batches, _a} = drain(a)
      assert length(batches) == 3

      assert [{[1], [{"a", [1.0]}, {"b", [2.0]}]}] =
               for(groups <- groups(batches), {[1], _} = group <- groups, do: group)

      assert {^batches, _b} = drain(b)
    end

    test "clients at another number of the journal make their own", context do
      :ok = objects(context.world, 1)
      [a, b] = for _ <- 1..2, do: follower(context)
      put(context.world, ["position:x"], [{1, [5]}])
      {:ok, _rev} = World.put(context.world, id: 2)
      put(context.world, ["position:x"], [{2, [6]}])
      {_payload, [], knows} = Follower.state(b)
      {[encoded], _b} = drain(knows)
      assert [{[1, 2], _columns}] = hd(groups([encoded]))
      {[encoded], _a} = drain(a)
      assert [{[1], [{"position:x", [5.0]}]}] = hd(groups([encoded]))
    end

    @tag :proper
    @tag timeout: 300_000
    test "random histories with clients that tick, acknowledge, lose and come as they like" do
      assert :proper.quickcheck(property(), [:quiet, :long_result, numtests: 200]) == true
    end

    defp property do
      command =
        Gen.frequency([
          {8, {:rows, Gen.list({Gen.integer(1, 6), Gen.oneof(@columns)}), Gen.integer(0, 1_000)}},
          {3, {:put, Gen.integer(1, 6)}},
          {3, {:move, Gen.integer(1, 6), Gen.integer(0, 1_000)}},
          {1, {:remove, Gen.integer(1, 6)}},
          {10, {:tick, Gen.integer(0, 3)}},
          {5, {:ack, Gen.integer(0, 3)}},
          {1, {:join, Gen.integer(0, 3), Gen.boolean()}}
        ])

      :proper.forall(Gen.list(command), fn commands ->
        context = begin()

        try do
          clients = Map.new(0..3, &{&1, join(context, nil)})
          clients = Enum.reduce(commands, clients, &run(&1, &2, context))
          Enum.all?(clients, &shown?(&1, context))
        rescue
          error -> IO.puts(Exception.format(:error, error, __STACKTRACE__)) && false
        after
          World.stop(context.world)
        end
      end)
    end

    defp run({:rows, cells, value}, clients, %{world: world}) do
      for {id, column} <- cells, do: put(world, [column], [{id, [cell(column, value)]}])
      clients
    end

    defp run({:put, id}, clients, %{world: world}) do
      {:ok, _} = World.put(world, id: id)
      clients
    end

    defp run({:move, id, x}, clients, %{world: world}) do
      World.update(world, id, position: {x, 0, 0})
      clients
    end

    defp run({:remove, id}, clients, %{world: world}) do
      World.remove(world, id)
      clients
    end

    defp run({:tick, at}, clients, _context), do: Map.update!(clients, at, &tick/1)
    defp run({:ack, at}, clients, _context), do: Map.update!(clients, at, &ack/1)

    defp run({:join, at, again?}, clients, context),
      do: Map.update!(clients, at, &join(context, if(again?, do: &1)))

    defp cell("position", value), do: Wasgo.Godot.Vector3.new(value, value, value)
    defp cell(_column, value), do: value

    ## A browser, as a model: what it was told is `things`

    defp join(%{followed: followed}, before) do
      params = %{
        identity: followed.identity,
        rev: if(before, do: before.rev, else: 0),
        held: %{},
        view: nil
      }

      client = Client.new("w", @options, followed, params)
      hello = Client.hello(client, [])

      %{
        client: client,
        rev: hello.rev,
        seq: 0,
        things: if(hello.reset or before == nil, do: %{}, else: before.things)
      }
    end

    defp ack(browser) do
      {:ok, client} = Client.ack(browser.client, browser.seq, 0)
      %{browser | client: client}
    end

    defp tick(browser) do
      {pushes, client} = Client.tick(browser.client, 0)
      Enum.reduce(pushes, %{browser | client: client}, &hear/2)
    end

    defp hear({"state", state}, browser) do
      things = if state.reset, do: %{}, else: browser.things

      things =
        for object <- state.objects, into: things, do: {object.id, values(object.values, %{})}

      %{browser | things: Map.drop(things, state.gone), rev: state.rev, seq: state.seq}
    end

    defp hear({"rows", {:binary, payload}}, browser) do
      {seq, groups} = ChannelRows.read(payload)

      # Rows of what the client does not know are nothing.
      things =
        for {ids, columns} <- groups,
            {id, row} <- Enum.with_index(ids),
            is_map_key(browser.things, id),
            reduce: browser.things do
          things ->
            cells = for {name, all} <- columns, do: {name, Enum.at(all, row)}
            Map.update!(things, id, &values(cells, &1))
        end

      %{browser | things: things, seq: seq}
    end

    defp hear({_other, %{seq: seq}}, browser), do: %{browser | seq: seq}

    defp values(pairs, values) do
      for {name, value} <- pairs, into: values, do: {name, plain(value)}
    end

    defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
    defp plain(%Wasgo.Godot.Vector3{x: x, y: y, z: z}), do: [x / 1, y / 1, z / 1]
    defp plain(number), do: number / 1

    # What a browser is shown when it has acknowledged all.
    defp shown?({_at, browser}, %{world: world}) do
      browser = Enum.reduce(1..12, browser, fn _, browser -> browser |> tick() |> ack() end)

      there =
        for id <- 1..6, match?({:ok, _}, World.object(world, id)), into: %{} do
          {id, values(World.transient(world, id), %{})}
        end

      same? = Map.keys(browser.things) == Map.keys(there)

      same? and
        Enum.all?(there, fn {id, values} -> contains?(browser.things[id], values) end)
    end

    # A journal's change of a place takes that of rows away; a browser has it from the object then.
    defp contains?(shown, values), do: Map.take(shown, Map.keys(values)) == values
  end
end
