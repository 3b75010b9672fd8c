defmodule Wasgo.Stages.GenerateViewersTest do
  use ExUnit.Case, async: true

  alias Wasgo.Gen.{Cache, Chunk, Gone, Tiling, Viewers, Volume}
  alias Wasgo.Pipeline.{Messages, Reader}
  alias Wasgo.{Buffer, Gen, Pipeline, PlanError, WorldSink}
  alias Wasgo.Stages.Generate

  # Chunks of 8 m with 9 samples, in four levels: all is fast.
  @plan [seed: 7, chunk_size: 8.0, samples: 9, levels: 3, scatter: []]

  # A stage that ends when everything is sent can be asked again when viewers have moved: so its state is driven step by step, without a process
  # that has to be waited for.
  defp begin(options) do
    {Generate, checked} =
      Wasgo.Stage.check!({Generate, Keyword.merge([until: :complete], options)})

    {:ok, state} = Generate.init(checked)
    state
  end

  defp demand(state) do
    case Generate.handle_demand(1, state) do
      {:ok, [buffer], state} -> {{:ok, buffer}, state}
      {:error, exception, state} -> {{:error, exception}, state}
      {:end_of_stream, [], state} -> {:complete, state}
    end
  end

  # Everything that there is now, and the errors.
  defp all(state, elements \\ []) do
    case demand(state) do
      {:complete, state} -> {Enum.reverse(elements), state}
      {element, state} -> all(state, [element | elements])
    end
  end

  defp world(options) do
    {elements, state} = all(begin(options))
    Generate.terminate(state)
    for {:ok, buffer} <- elements, do: buffer
  end

  defp sink(buffers, before \\ %{}), do: Enum.reduce(buffers, before, &WorldSink.take(&2, &1))
  defp addresses(buffers), do: Enum.map(buffers, &WorldSink.address/1)

  defp distance(buffer, {x, z}) do
    {at_x, _y, at_z} = buffer.payload.origin
    size = buffer.payload.size
    outside = fn low, at -> Enum.max([low - at, at - low - size, 0.0]) end
    {dx, dz} = {outside.(at_x, x), outside.(at_z, z)}
    :math.sqrt(dx * dx + dz * dz)
  end

  setup do
    {:ok, viewers} = Viewers.start_link()
    {:ok, plan: Gen.plan!(@plan), viewers: viewers}
  end

  describe "what viewers want" do
    test "comes nearest first, with what it is and who wants it", %{plan: plan, viewers: viewers} do
      :ok = Viewers.put(viewers, :ada, {4.0, 50.0, -20.0}, radius: 100.0)
      buffers = world(plan: plan, viewers: viewers)
      distances = Enum.map(buffers, &distance(&1, {4.0, -20.0}))
      assert distances == Enum.sort(distances)
      assert hd(distances) == 0.0 and List.last(distances) <= 100.0
      assert length(buffers) > 50

      for %{payload: %Chunk{} = chunk, metadata: metadata} <- buffers do
        assert metadata.coordinate == chunk.coordinate
        assert metadata.level == chunk.level
        assert metadata.viewers == [:ada]

        <<north, north_east, east, south_east, south, south_west, west, north_west>> =
          chunk.neighbours

        around = [
          north: north,
          north_east: north_east,
          east: east,
          south_east: south_east,
          south: south,
          south_west: south_west,
          west: west,
          north_west: north_west
        ]

        {x, z} = chunk.coordinate
        assert Gen.key(plan, {x, z, chunk.level}, neighbours: around) == {:ok, metadata.key}
        assert Gen.chunk!(plan, {x, z, chunk.level}, neighbours: around) == chunk
      end
    end

    test "is nearest first over all of them, and told with all of them", context do
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 30)
      :ok = Viewers.put(context.viewers, 2, {20, 0}, radius: 30)
      :ok = Viewers.put(context.viewers, 3, {400, 0}, radius: 10)
      buffers = world(plan: context.plan, viewers: context.viewers)

      nearest = fn buffer ->
        Enum.min(for x <- [0.0, 20.0, 400.0], do: distance(buffer, {x, 0.0}))
      end

      assert Enum.map(buffers, nearest) == Enum.sort(Enum.map(buffers, nearest))

      for buffer <- buffers do
        wanted =
          for {id, x, radius} <- [{1, 0.0, 30.0}, {2, 20.0, 30.0}, {3, 400.0, 10.0}],
              distance(buffer, {x, 0.0}) <= radius,
              do: id

        assert buffer.metadata.viewers == wanted and wanted != []
      end

      assert Enum.any?(buffers, &(&1.metadata.viewers == [1, 2]))
      assert Enum.uniq(addresses(buffers)) == addresses(buffers)
    end

    test "lies side by side without gaps, coarser with distance, and meets in every bit",
         context do
      :ok = Viewers.put(context.viewers, 1, {10, 10}, radius: 150)
      :ok = Viewers.put(context.viewers, 2, {-60, 30}, radius: 40)

      for detail <- [1.75, 3] do
        buffers = world(plan: context.plan, viewers: context.viewers, detail: detail)
        addresses = addresses(buffers)
        assert WorldSink.overlapping(addresses, 3) == []

        for x <- -58..-62//-1, z <- 5..55//5 do
          assert WorldSink.holding(addresses, {x, z}, 8.0) == 1
        end

        for degree <- 0..359//15, far <- [0, 40, 90, 140, 149.9] do
          angle = degree * :math.pi() / 180
          point = {10 + far * :math.cos(angle), 10 + far * :math.sin(angle)}
          assert WorldSink.holding(addresses, point, 8.0) == 1
        end

        for {_x, _z, level} = address <- addresses, level > 0 do
          buffer = Enum.find(buffers, &(WorldSink.address(&1) == address))
          near = Enum.min(for at <- [{10.0, 10.0}, {-60.0, 30.0}], do: distance(buffer, at))
          assert near >= detail * buffer.payload.size
        end

        assert Enum.sort(Enum.uniq(Enum.map(addresses, &Tiling.level/1))) == [0, 1, 2, 3] or
                 detail == 3

        {borders, between} = WorldSink.seamless!(sink(buffers))
        assert borders > 100 and between > 10
      end
    end

    test "is of the levels that are asked for, and of each viewer's", context do
      :ok = Viewers.put(context.viewers, 1, {10, 10}, radius: 100)

      levels = fn buffers ->
        buffers |> Enum.map(& &1.metadata.level) |> Enum.uniq() |> Enum.sort()
      end

      options = [plan: context.plan, viewers: context.viewers]
      assert levels.(world(options)) == [0, 1, 2]
      assert levels.(world([levels: 0..0] ++ options)) == [0]
      assert levels.(world([levels: 1..2] ++ options)) == [1, 2]
      :ok = Viewers.put(context.viewers, 2, {300, 10}, radius: 60, level: 2)
      buffers = world(options)
      assert levels.(for b <- buffers, b.metadata.viewers == [2], do: b) == [2]
      assert WorldSink.overlapping(addresses(buffers), 3) == []
      WorldSink.seamless!(sink(buffers))
    end

    test "ends at the end of the world", context do
      :ok = Viewers.put(context.viewers, 1, {1_048_576, -1_048_576}, radius: 50)
      {elements, _state} = all(begin(plan: context.plan, viewers: context.viewers))
      assert elements != [] and Enum.all?(elements, &match?({:ok, %Buffer{}}, &1))
    end

    test "is nothing without viewers", context do
      assert world(plan: context.plan, viewers: context.viewers) == []
    end
  end

  describe "a viewer that" do
    test "leaves gets nothing more, and what it had goes", context do
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 40)
      :ok = Viewers.put(context.viewers, 2, {1000, 0}, radius: 40)
      state = begin(plan: context.plan, viewers: context.viewers)
      {elements, state} = Enum.map_reduce(1..20, state, fn _, state -> demand(state) end)
      before = sink(for {:ok, buffer} <- elements, do: buffer)
      assert Enum.any?(before, fn {_address, buffer} -> buffer.metadata.viewers == [2] end)
      :ok = Viewers.delete(context.viewers, 2)
      {elements, _state} = all(state)
      buffers = for {:ok, buffer} <- elements, do: buffer
      made = Enum.reject(buffers, &is_struct(&1.payload, Gone))
      assert made != [] and Enum.all?(made, &(&1.metadata.viewers == [1]))
      # What goes does so before anything is made.
      assert %Gone{level: _, coordinate: {_, _}} = hd(buffers).payload

      left = sink(buffers, before)
      alone = sink(world(plan: context.plan, viewers: context.viewers))
      assert Map.keys(left) == Map.keys(alone)
    end

    test "dies with its process has left", context do
      test = self()

      owner =
        spawn(fn ->
          :ok = Viewers.put(context.viewers, :owned, {1000, 0}, radius: 40, owner: self())
          send(test, :put)
          receive do: (:die -> :ok)
        end)

      assert_receive :put
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 20)
      {elements, state} = all(begin(plan: context.plan, viewers: context.viewers))
      assert Enum.any?(elements, fn {:ok, buffer} -> buffer.metadata.viewers == [:owned] end)
      ref = Process.monitor(owner)
      send(owner, :die)
      assert_receive {:DOWN, ^ref, _, _, _}

      # The holder of the viewers was told at the same time as this process: it has heard it when it answers a call.
      assert [%{id: 1}] = Viewers.list(context.viewers)
      {elements, _state} = all(state)
      assert elements != []
      for {:ok, buffer} <- elements, do: assert(%Gone{} = buffer.payload)
    end

    test "leaves has what was begun for it made for the cache", context do
      {:ok, cache} = Cache.start_link([])
      options = options(context, cache: cache, max_in_flight: 8)
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 60)
      begun = Enum.take(world(options(context, [])), 8)
      {{:ok, _first}, state} = demand(begin(options))
      :ok = Viewers.delete(context.viewers, 1)
      {elements, state} = all(state)
      assert [{:ok, %{payload: %Gone{}}}] = elements
      Generate.terminate(state)

      for %{payload: %{coordinate: {x, z}, level: level, neighbours: <<0::64>>} = chunk} <- begun,
          do: assert(Cache.chunk(cache, context.plan, {x, z, level}) == {:ok, chunk})

      assert %{made: 8} = Cache.info(cache)
    end

    test "is somewhere else at once gets what is there, and nothing on the way", context do
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 60)
      state = begin(plan: context.plan, viewers: context.viewers, max_in_flight: 8)
      {{:ok, _first}, state} = demand(state)
      :ok = Viewers.put(context.viewers, 1, {5000, 5000}, radius: 60)
      {elements, _state} = all(state)
      made = for {:ok, %{payload: %Chunk{}} = buffer} <- elements, do: buffer
      assert Enum.all?(made, &(distance(&1, {5000.0, 5000.0}) <= 60))

      assert Enum.sort(addresses(made)) ==
               Enum.sort(addresses(world(plan: context.plan, viewers: context.viewers)))

      assert [_went] = for({:ok, %{payload: %Gone{}} = buffer} <- elements, do: buffer)
    end

    test "moves a little gets nothing", context do
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 60)
      {_elements, state} = all(begin(plan: context.plan, viewers: context.viewers))

      for x <- [0.5, 1.9, -1.9, 0.3] do
        :ok = Viewers.put(context.viewers, 1, {x, -x}, radius: 60)
        assert {[], ^state} = all(state)
      end

      :ok = Viewers.put(context.viewers, 1, {10, 0}, radius: 60)
      assert {[_ | _], _state} = all(state)
    end

    test "wants too much is an error that names it, once, and no other is disturbed", context do
      options = [plan: context.plan, viewers: context.viewers, max_chunks: 2000]
      :ok = Viewers.put(context.viewers, "ada", {0, 0}, radius: 60)
      :ok = Viewers.put(context.viewers, "eve", {0, 0}, radius: 65_536)
      {[{:error, error} | elements], state} = all(begin(options))
      assert %PlanError{reason: :out_of_range, field: "radius"} = error
      assert Exception.message(error) =~ ~s(viewer "eve": radius 65536.0 m would be about)
      assert Exception.message(error) =~ "allowed: 2000"
      assert elements != []
      for {:ok, buffer} <- elements, do: assert(buffer.metadata.viewers == ["ada"])

      :ok = Viewers.put(context.viewers, "eve", {100, 0}, radius: 65_536)
      assert {[], state} = all(state)
      :ok = Viewers.put(context.viewers, "eve", {100, 0}, radius: 10)
      {elements, _state} = all(state)
      assert Enum.any?(elements, fn {:ok, buffer} -> "eve" in buffer.metadata.viewers end)
    end
  end

  describe "what is not wanted any more" do
    test "goes when all that takes its place is there, and not before", context do
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 120)
      {elements, state} = all(begin(plan: context.plan, viewers: context.viewers))
      before = sink(for {:ok, buffer} <- elements, do: buffer)
      :ok = Viewers.put(context.viewers, 1, {40, 0}, radius: 120)
      {elements, _state} = all(state)
      after_all = world(plan: context.plan, viewers: context.viewers) |> sink()

      {sink, went} =
        Enum.reduce(elements, {before, 0}, fn {:ok, buffer}, {sink, went} ->
          now = WorldSink.take(sink, buffer)

          if is_struct(buffer.payload, Gone) do
            here = WorldSink.address(buffer)
            instead = for {other, _} <- after_all, WorldSink.overlap?(here, other), do: other
            assert Enum.all?(instead, &is_map_key(now, &1))
            {now, went + if(instead == [], do: 0, else: 1)}
          else
            {now, went}
          end
        end)

      assert went > 10
      assert Map.keys(sink) == Map.keys(after_all)
      WorldSink.seamless!(sink)
    end

    test "isn't told to those who don't want to hear it, and comes again", context do
      options = [plan: context.plan, viewers: context.viewers, gone: false]
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 30)
      {first, state} = all(begin(options))
      :ok = Viewers.put(context.viewers, 1, {900, 0}, radius: 30)
      {away, state} = all(state)
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 30)
      {again, _state} = all(state)
      assert first == again
      for {:ok, buffer} <- away, do: assert(%Chunk{} = buffer.payload)
    end
  end

  @tag timeout: 120_000
  test "whatever viewers do, the sink ends with exactly what they want", %{plan: plan} do
    for seed <- 1..25 do
      :rand.seed(:exsss, {seed, 2, 3})
      {:ok, viewers} = Viewers.start_link()
      {:ok, cache} = Cache.start_link([])

      options = [
        plan: plan,
        viewers: viewers,
        max_in_flight: Enum.random(1..6),
        cache: Enum.random([nil, cache])
      ]

      {state, sink} =
        Enum.reduce(1..12, {begin(options), %{}}, fn _step, {state, sink} ->
          for _ <- 1..Enum.random(1..4), do: change(viewers)
          drive(state, sink, Enum.random([0, 1, 3, 40]))
        end)

      {elements, state} = all(state)
      sink = for({:ok, buffer} <- elements, do: buffer) |> sink(sink)
      {:ok, tiling} = Tiling.new(plan)
      wanted = Tiling.tiles(tiling, Viewers.list(viewers))
      assert Enum.sort(Map.keys(sink)) == Enum.sort(Map.keys(wanted)), "seed #{seed}"

      for {address, {_distance, neighbours, _ids}} <- wanted do
        assert sink[address].payload.neighbours == neighbours
      end

      WorldSink.seamless!(sink)
      Generate.terminate(state)
    end

    refute_received {_ref, {:ok, _}}
  end

  # Positions that a stage sees as they are: whole steps, a quarter of a chunk.
  defp change(viewers) do
    id = Enum.random(1..4)

    case Enum.random(1..5) do
      1 ->
        Viewers.delete(viewers, id)

      _put ->
        at = {2.0 * Enum.random(-60..60), 2.0 * Enum.random(-60..60)}
        radius = Enum.random([5, 20, 45, 90])
        :ok = Viewers.put(viewers, id, at, radius: radius, level: Enum.random([0, 0, 0, 1, 2]))
    end
  end

  defp drive(state, sink, 0), do: {state, sink}

  defp drive(state, sink, left) do
    case demand(state) do
      {{:ok, buffer}, state} -> drive(state, WorldSink.take(sink, buffer), left - 1)
      {:complete, state} -> {state, sink}
    end
  end

  describe "a stream" do
    test "waits when everything is sent, and goes on when a viewer moves", context do
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 5)
      messages = Messages.start([{Generate, plan: context.plan, viewers: context.viewers}])
      ref = messages.ref
      Messages.demand(messages, 1_000)
      expected = world(plan: context.plan, viewers: context.viewers)
      for _ <- expected, do: assert_receive({:wasgo, ^ref, {:ok, %{payload: %Chunk{}}}}, 30_000)
      # It has heard of the end of a viewer, and then of the beginning of one.
      :ok = Viewers.delete(context.viewers, 1)
      for _ <- expected, do: assert_receive({:wasgo, ^ref, {:ok, %{payload: %Gone{}}}}, 30_000)
      :ok = Viewers.put(context.viewers, 2, {100, 0}, radius: 5)

      assert_receive {:wasgo, ^ref, {:ok, %{payload: %Chunk{}, metadata: %{viewers: [2]}}}},
                     30_000

      stage = stream_process(messages)
      down = Process.monitor(stage)
      Messages.stop(messages)
      assert_receive {:DOWN, ^down, _, _, _reason}, 30_000
      assert :sys.get_state(context.viewers).followers == %{}
    end

    test "ends by itself while it waits when its runtime asks it to", context do
      for runtime <- [Wasgo.Stage.Worker, Wasgo.Pipeline.Puller] do
        task =
          Task.async(fn ->
            result = Generate.handle_demand(1, begin(options(context, until: nil)))
            Generate.terminate(elem(result, 2))
            elem(result, 0)
          end)

        send(task.pid, {runtime, :stop})
        assert Task.await(task, 30_000) == :end_of_stream
        assert :sys.get_state(context.viewers).followers == %{}
      end
    end

    test "is ended while it waits by whoever closes its reader", context do
      {:ok, reader} =
        Reader.start_link([{Generate, plan: context.plan, viewers: context.viewers}])

      assert {:error, %Wasgo.LimitError{reason: :time}} = Reader.read(reader, 1, 1)
      %{puller: puller} = :sys.get_state(reader)
      down = Process.monitor(puller)
      Reader.close(reader)
      assert_receive {:DOWN, ^down, _, _, _reason}, 30_000
    end

    test "ends with the process that holds the viewers", context do
      {:ok, viewers} = Viewers.start_link()
      messages = Messages.start([{Generate, plan: context.plan, viewers: viewers}], demand: 1)
      ref = messages.ref
      # The stage follows when it has begun.
      :ok = Viewers.put(viewers, 1, {0, 0}, radius: 1)
      assert_receive {:wasgo, ^ref, {:ok, _buffer}}, 30_000
      Messages.demand(messages, 100)
      GenServer.stop(viewers)
      assert_receive {:wasgo, ^ref, :end_of_stream}, 30_000
    end

    test "of viewers that nobody holds is an error", context do
      Process.flag(:trap_exit, true)
      {:ok, viewers} = Viewers.start_link()
      GenServer.stop(viewers)

      assert [{:error, %Wasgo.StageError{reason: :killed, stage: Viewers}}] =
               Enum.to_list(Pipeline.stream([{Generate, plan: context.plan, viewers: viewers}]))
    end

    test "that is halted leaves no message behind, whoever makes the chunks", context do
      {:ok, cache} = Cache.start_link([])
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 100)

      for {cache, x} <- [{nil, 500}, {cache, 1000}] do
        options = [plan: context.plan, viewers: context.viewers, max_in_flight: 8, cache: cache]
        assert [{:ok, _}, {:ok, _}] = Enum.take(Pipeline.stream([{Generate, options}]), 2)

        :ok = Viewers.put(context.viewers, 1, {x, 0}, radius: 100)

        Gen.chunk!(context.plan, {0, 0})
        if cache, do: Cache.info(cache)
        refute_received _
      end
    end

    test "that ends while nobody wants what it has begun leaves no message behind", context do
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 100)
      state = begin(plan: context.plan, viewers: context.viewers, max_in_flight: 64)
      {{:ok, _first}, state} = demand(state)
      :ok = Viewers.delete(context.viewers, 1)
      assert {[{:ok, %{payload: %Gone{}}}], state} = all(state)
      Generate.terminate(state)
      for x <- 0..3, do: Gen.chunk!(context.plan, {x, 0})
      refute_received _
    end

    test "goes on without its cache when that is gone", context do
      Process.flag(:trap_exit, true)
      {:ok, cache} = Cache.start_link([])
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 60)
      options = [plan: context.plan, viewers: context.viewers]
      state = begin([cache: cache] ++ options)
      {first, state} = demand(state)
      # What was asked for is on its way, and never comes.
      :sys.suspend(cache)
      {rest, state} = all(killed(state, cache))
      assert [first | rest] |> Enum.map(&elem(&1, 1)) == world(options)
      Generate.terminate(state)
    end

    test "never has more begun than it may, however slow the sink is", context do
      {:ok, cache} = Cache.start_link(max_memory: 0)
      :ok = Viewers.put(context.viewers, 1, {0, 0}, radius: 200)

      options = [
        plan: context.plan,
        viewers: context.viewers,
        max_in_flight: 3,
        cache: cache,
        until: :complete
      ]

      stream = Pipeline.stream([{Generate, options}])

      count =
        Enum.reduce(stream, 0, fn {:ok, _buffer}, count ->
          # Made are those that came and those that were begun ahead of this one.
          assert Cache.info(cache).made <= count + 3
          count + 1
        end)

      assert count > 100
      assert Cache.info(cache).made == count
    end
  end

  test "a world of volumes is closed between cubes of any levels", context do
    import Wasgo.Gen.Field
    plan = Gen.plan!(seed: 1, density: sphere({30, 14, 18}, 40), cells: 8, levels: 3)
    :ok = Viewers.put(context.viewers, 1, {0, 10, 5}, radius: 90)
    buffers = world(plan: plan, viewers: context.viewers)
    addresses = addresses(buffers)
    assert Enum.all?(buffers, &is_struct(&1.payload, Volume))
    assert WorldSink.overlapping(addresses, 3) == []
    assert length(Enum.uniq_by(addresses, &Tiling.level/1)) > 2

    # Each edge of a triangle is one of another triangle, the other way round.
    edges =
      for %{payload: volume} <- buffers, edge <- edges(volume), reduce: %{} do
        edges -> Map.update(edges, edge, 1, &(&1 + 1))
      end

    assert map_size(edges) > 1000
    for {{from, to}, count} <- edges, do: assert(edges[{to, from}] == count)
  end

  defp edges(%{surface: surface, origin: {x, y, z}}) do
    points =
      for <<a::float-32-little, b::float-32-little, c::float-32-little <- surface.positions>>,
        do: {x + a, y + b, z + c}

    points = List.to_tuple(points)
    at = &elem(points, &1)

    for <<a::32-little, b::32-little, c::32-little <- surface.indices>>,
        {from, to} <- [{a, b}, {b, c}, {c, a}],
        do: {at.(from), at.(to)}
  end

  describe "options" do
    test "are checked when the pipeline is built", %{plan: plan, viewers: viewers} do
      odd = Gen.plan!(seed: 1, samples: 10)

      for {options, words} <- [
            {[], ~r/needs the option :chunks or :viewers/},
            {[chunks: [], viewers: viewers], ~r/takes one of them/},
            {[viewers: 7], ~r/option :viewers .* a process/},
            {[viewers: viewers, levels: 0..4], ~r/levels are 0\.\.4, allowed: within 0\.\.3/},
            {[viewers: viewers, levels: -1..2], ~r/levels are -1\.\.2/},
            {[viewers: viewers, levels: 300], ~r/levels are 300, allowed: a range/},
            {[viewers: viewers, detail: 1], ~r/detail is 1, allowed: 1\.75 to 16/},
            {[viewers: viewers, detail: 1.0e308], ~r/detail is 1\.0e308/},
            {[viewers: viewers, max_chunks: 0], ~r/option :max_chunks/},
            {[viewers: viewers, plan: odd], ~r/samples is 10.*odd number/},
            {[viewers: viewers, until: :monday], ~r/option :until/}
          ] do
        assert_raise ArgumentError, words, fn ->
          Pipeline.stream([{Generate, Keyword.merge([plan: plan], options)}])
        end
      end

      assert Pipeline.stream([{Generate, plan: odd, viewers: viewers, levels: 2..2}])
    end
  end

  # A state whose stage has begun more than it was asked for, of a cache that doesn't answer and then is killed.
  defp killed(state, cache) do
    Process.exit(cache, :kill)
    assert_receive {:EXIT, ^cache, :killed}
    state
  end

  defp options(context, more), do: [plan: context.plan, viewers: context.viewers] ++ more

  # The process that a stream of messages runs in.
  defp stream_process(messages) do
    {:monitors, monitors} = Process.info(messages.pid, :monitors)
    own = self()
    [pid] = for {:process, pid} <- monitors, pid != own, do: pid
    pid
  end
end
