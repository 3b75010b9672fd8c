# What the link to an engine costs: `mix run --no-start bench/link.exs [chunk|rows|scripts|resume|fly ...]`. Started by hand; nothing fails because a machine
# is slow. It needs an engine that `bin/godot` finds, and nothing else should run beside it.

defmodule Bench.Link do
  alias Wasgo.Godot
  alias Wasgo.Godot.{Connection, Frame, Server}
  alias Wasgo.{Buffer, Gen, Pipeline, Rows, Script, Stages, Store, World}

  @root Path.expand("..", __DIR__)
  @token "bench"
  @patience 120_000

  def run([]), do: run(~w(chunk rows scripts resume fly))

  def run(parts) do
    Logger.configure(level: :error)
    IO.puts("| what | figure |\n| --- | --- |")
    Enum.each(parts, &part/1)
  end

  ## The engine asks for a chunk, until it is shown

  defp part("chunk") do
    {:ok, store} = Store.open(:memory)
    plan = Gen.plan!(seed: 7, levels: 1)
    {:ok, world} = World.start_link(name: "bench", store: store, plan: plan)
    server = serve(worlds: %{"bench" => world})

    found =
      engine(server, "latency_peer.gd", "shown ", ["--world=bench", "--size=64", "--count=200"])

    row("65 x 65 chunk, asked for to shown", milliseconds(found))
    World.stop(world)
    Server.stop(server)
  end

  ## Property rows, as fast as the engine takes them

  defp part("rows") do
    server = serve([])
    port = start(server, "link_peer.gd", [])
    {:ok, connection} = Server.await_connection(server, @patience)
    ids = Enum.to_list(1..1_000)
    {:ok, _} = Godot.spawn_nodes(connection, for(id <- ids, do: %{id: id}))
    rows = for n <- 1..50, do: Frame.rows(moved(ids, n))
    :ok = Connection.flush(connection)
    {:ok, before} = Godot.report(connection)
    began = now()

    Stream.cycle(rows)
    |> Stream.take(400)
    |> Stream.map(&Buffer.new/1)
    |> Pipeline.through({Stages.Godot, connection: connection})
    |> Stream.run()

    :ok = Connection.flush(connection, @patience)
    seconds = (now() - began) / 1.0e6
    {:ok, later} = Godot.report(connection)
    applied = later["rows"] - before["rows"]
    row("property rows (x, y, z) applied", "#{round(applied / seconds)}/s")
    Port.close(port)
    Server.stop(server)
  end

  ## A node's tick, its script, and the property that comes of it

  defp part("scripts") do
    server = serve(scripts: %{"echo" => Script.new!(echo())})
    arguments = ["--nodes=1000", "--seconds=20", "--hz=20"]
    found = engine(server, "round_trip_peer.gd", "round trips ", arguments)

    row(
      "1,000 nodes with scripts at 20 Hz, tick to property",
      "#{milliseconds(found)}; #{round(found["per_second"])}/s; the engine's frame p99 #{Float.round(found["frame_p99_ms"] / 1, 1)} ms"
    )

    Server.stop(server)
  end

  ## A connection that is lost and comes back, with 1,000 chunks that did not change

  defp part("resume") do
    {:ok, store} = Store.open(:memory)
    plan = Gen.plan!(seed: 7, levels: 1, chunk_size: 16.0, samples: 17)
    {:ok, world} = World.start_link(name: "bench", store: store, plan: plan)
    server = serve(worlds: %{"bench" => world})
    Server.subscribe(server)
    {:ok, link} = Wasgo.BadLink.start_link(Server.port(server))

    arguments = [
      "--port=#{Wasgo.BadLink.port(link)}",
      "--token=#{@token}",
      "--world=bench",
      "--view=560",
      "--patience=300"
    ]

    port = open("world_peer.gd", arguments)
    first = connected()
    chunks = complete(first, 1_000)
    before = Wasgo.BadLink.bytes(link)
    Wasgo.BadLink.cut(link)
    began = now()
    again = connected()
    opened = now()
    ^chunks = complete(again, chunks)
    {:ok, _} = Godot.report(again)
    done = now()
    later = Wasgo.BadLink.bytes(link)
    bytes = elem(later, 0) + elem(later, 1) - elem(before, 0) - elem(before, 1)

    row(
      "reconnect with #{chunks} chunks, none changed",
      "#{div(done - opened, 1000)} ms after the welcome (#{div(done - began, 1000)} with the engine's pause before it tries again), #{div(bytes, 1000)} kB both ways"
    )

    Port.close(port)
    World.stop(world)
    Server.stop(server)
  end

  ## A flight of 900 m over the usual world, by the demo project, and the same without a world

  defp part("fly") do
    {:ok, store} = Store.open(:memory)
    {:ok, world} = World.start_link(name: "bench", store: store, plan: Gen.plan!(seed: 7))
    server = serve(worlds: %{"bench" => world})

    for {what, name} <- [{"the same flight without a world", ""}, {"fly-over", "bench"}] do
      {seconds, long, flight} = fly(server, name)
      missing = seconds |> Enum.map(& &1["missing"]) |> Enum.sum()
      places = seconds |> Enum.map(& &1["places"]) |> Enum.sum()

      row(
        "#{what}, 30 m/s, view 512 m, #{length(seconds)} s",
        "#{share(flight)}; longest frame #{decimal(flight["longest_ms"])} ms, " <>
          "most of the client in one #{decimal(flight["longest_client_ms"])} ms" <>
          most_run(flight["most_run_ms"]) <>
          if(name == "",
            do: "",
            else: "; #{round(missing)} of #{round(places)} places looked at had no chunk"
          )
      )

      for frame <- Enum.take(Enum.sort_by(long, & &1["ms"], :desc), 5) do
        row("- a frame of #{decimal(frame["ms"])} ms", shares(frame))
      end
    end

    World.stop(world)
    Server.stop(server)
  end

  defp fly(server, world) do
    arguments = [
      "--wasgo-url=tcp://127.0.0.1:#{Server.port(server)}",
      "--wasgo-token=#{@token}",
      "--wasgo-world=#{world}",
      "--fly-path=0,60,0;900,60,0",
      "--fly-speed=30",
      "--fly-radius=512",
      "--fly-wait=8"
    ]

    lines = flight(open("godot/demo", ["fly.tscn", "--"], arguments), [])

    {for(%{"seconds" => _} = second <- lines, do: second), for(%{"frame" => f} <- lines, do: f),
     hd(for(%{"flight" => f} <- lines, do: f))}
  end

  defp share(flight) do
    "#{round(flight["long"])} of #{round(flight["frames"])} frames over 16 ms " <>
      "(the client over its budget in #{round(flight["over_budget"])}#{busy(flight["busy"])})"
  end

  defp busy(-1), do: ""
  defp busy(busy), do: ", the main thread running for 16 ms in #{round(busy)}"

  defp most_run(ms) when ms < 0, do: ""
  defp most_run(ms), do: ", the main thread ran for #{decimal(ms)} ms of one at most"

  # Where a frame went, the longest first.
  defp shares(frame) do
    parts =
      for {part, usec} <- Enum.sort_by(frame["parts_us"], &elem(&1, 1), :desc), usec >= 50 do
        "#{part} #{decimal(usec / 1000)}"
      end

    kernel =
      case frame do
        %{"ran_ms" => ran, "waited_ms" => waited} ->
          "ran #{decimal(ran)}, without a core #{decimal(waited)}, "

        _ ->
          ""
      end

    "#{kernel}the client #{decimal(frame["client_ms"])} (#{Enum.join(parts, ", ")}), the flight itself #{decimal(frame["flight_ms"])}"
  end

  defp flight(port, lines) do
    receive do
      {^port, {:data, {_eol, "fly {" <> line}}} -> flight(port, [json("{" <> line) | lines])
      {^port, {:data, {_eol, _other}}} -> flight(port, lines)
      {^port, {:exit_status, 0}} -> lines
      {^port, {:exit_status, status}} -> raise "the engine ended with status #{status}"
    after
      @patience -> raise "the engine said nothing for #{@patience} ms"
    end
  end

  # Until the engine has so many chunks, and no more come.
  defp complete(connection, least) do
    {:ok, %{"chunks" => chunks}} = Godot.report(connection, @patience)

    if chunks >= least and steady?(connection, chunks),
      do: chunks,
      else: complete(connection, least)
  end

  defp steady?(connection, chunks) do
    {:ok, stats} = Connection.stats(connection)
    {:ok, %{"chunks" => now}} = Godot.report(connection, @patience)
    {:ok, later} = Connection.stats(connection)
    now == chunks and stats.bytes == later.bytes and stats.acknowledged == stats.frames
  end

  ## The parts' parts

  defp moved(ids, n) do
    Rows.new(
      ["position:x", "position:y", "position:z"],
      for(id <- ids, do: {id, [id / 1, n / 10, :math.sin(id + n)]})
    )
  end

  # Answers with the fourth value of its row: what the node sent with its tick.
  defp echo do
    """
    (module
      (memory (export "memory") 1)
      (data (i32.const 16) "echoed")
      (data (i32.const 64) "\\01\\00\\00\\00\\18\\00\\00\\00\\02\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00")
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "_columns") (result i64) (i64.const 0x1000000006))
      (func (export "_notification") (param $what i32) (param $row i32) (param i32) (result i64)
        (if (i32.ne (local.get $what) (i32.const 17)) (then (return (i64.const 0))))
        (f64.store (i32.const 80) (f64.load offset=48 (local.get $row)))
        (i64.const 0x4000000018)))
    """
  end

  defp serve(options) do
    {:ok, server} = Server.start_link([token: @token, heartbeat_ms: 60_000] ++ options)
    server
  end

  defp connected do
    receive do
      {:wasgo_godot, :connected, connection} -> connection
    after
      @patience -> raise "no engine within #{@patience} ms"
    end
  end

  # Runs an engine until it has told what it measured.
  defp engine(server, script, word, arguments) do
    port = start(server, script, arguments)
    found = await(port, word)
    Port.close(port)
    found
  end

  defp start(server, script, arguments),
    do: open(script, ["--port=#{Server.port(server)}", "--token=#{@token}"] ++ arguments)

  defp open(script, arguments),
    do: open("godot/tests", ["--script", "res://#{script}", "--"], arguments)

  defp open(project, what, arguments) do
    options = ["--wasgo-with-stdin", "--path", Path.join(@root, project)]
    args = [Path.join(@root, "bin/godot")] ++ options ++ what ++ arguments

    Port.open({:spawn_executable, System.find_executable("bash")}, [
      :binary,
      :exit_status,
      :stderr_to_stdout,
      line: 4096,
      args: args
    ])
  end

  defp await(port, word) do
    receive do
      {^port, {:data, {_eol, line}}} ->
        if String.starts_with?(line, word),
          do: line |> String.replace_prefix(word, "") |> json(),
          else: await(port, word)

      {^port, {:exit_status, status}} ->
        raise "the engine ended with status #{status}"
    after
      @patience -> raise "the engine said nothing for #{@patience} ms"
    end
  end

  defp json(text), do: Wasgo.Wire.decode!(text, :json)

  defp milliseconds(found),
    do:
      "p50 #{Float.round(found["p50_ms"] / 1, 1)} ms, p99 #{Float.round(found["p99_ms"] / 1, 1)} ms"

  defp decimal(number), do: Float.round(number / 1, 1)

  defp row(what, figure), do: IO.puts("| #{what} | #{figure} |")
  defp now, do: System.monotonic_time(:microsecond)
end

# The wire that can be cut is that of the tests.
unless Code.ensure_loaded?(Wasgo.BadLink),
  do: Code.require_file("../test/support/bad_link.ex", __DIR__)

Bench.Link.run(System.argv())
