defmodule Wasgo.Example.World do
  @moduledoc false
  # The example: one pipeline generates a world, has scripts and a service work on it, and streams it to a Godot server; another
  # has a script move creatures in it.

  alias Wasgo.Example.{Creatures, Engine, Progress, Receiver, Tally, Timed}
  alias Wasgo.Gen.Chunk
  alias Wasgo.{Gen, Godot, Pipeline, Scene, Script, Service, Stages, Store}

  @root Path.expand("../..", __DIR__)

  # 7 x 7 chunks around the middle of the world.
  @coordinates for(z <- -3..3, x <- -3..3, do: {x, z})

  @rate 20

  @type options :: %{
          receiver: String.t(),
          out: Path.t(),
          seconds: pos_integer(),
          seed: non_neg_integer()
        }

  @type result :: %{
          stages: [{String.t(), [non_neg_integer()]}],
          sent: Tally.t(),
          received: Tally.t(),
          receiver: String.t(),
          differences: [String.t()],
          files: [{Path.t(), non_neg_integer()}],
          notes: [String.t()]
        }

  @spec run(options()) :: {:ok, result()} | {:error, Exception.t()}
  def run(options) do
    times = Timed.new()

    with :ok <- folder(options.out),
         {:ok, plan} <- Gen.plan(seed: options.seed),
         {:ok, scripts} <- scripts(Path.join(options.out, "world.db")),
         {:ok, namer} <- service(),
         {:ok, server, token} <- listen(),
         {:ok, peer, connection} <- receiver(options.receiver, server, token),
         {:ok, chunks} <- stream_chunks(plan, scripts.thin, namer, connection, times),
         :ok <- tell_replaced(namer),
         {:ok, creatures, rows} <-
           stream_creatures(chunks, scripts.wander, connection, options, times),
         {:ok, received, statistics} <- settle(connection),
         :ok <- leave(peer, connection),
         {:ok, glb} <- write_glb(chunks, creatures, rows, options),
         {:ok, pictures, notes} <- picture(options, server, token, chunks, creatures, rows) do
      Service.Pool.stop(namer)
      sent = sent(chunks, creatures, rows, statistics)

      {:ok,
       %{
         stages:
           for(
             name <- [
               "generate",
               "script: thin",
               "service: namer",
               "godot: chunks",
               "script: wander",
               "godot: rows"
             ],
             do: {name, Timed.times(times, name)}
           ),
         sent: sent,
         received: received,
         receiver: if(options.receiver == "godot", do: "engine", else: "Elixir receiver"),
         differences: Tally.differences(sent, received),
         files: [glb | pictures],
         notes: notes
       }}
    end
  end

  defp folder(out) do
    case File.mkdir_p(out) do
      :ok ->
        :ok

      {:error, reason} ->
        {:error, %File.Error{reason: reason, action: "make the folder", path: out}}
    end
  end

  # The users' scripts, kept in a database as a game would.
  defp scripts(path) do
    Progress.step("scripts: thin (C) and wander (AssemblyScript), into #{path}")

    with {:ok, store} <- Store.open(path),
         {:ok, _} <- Script.Registry.put(store, "thin", guest("scripts/thin.wasm")),
         {:ok, _} <- Script.Registry.put(store, "wander", guest("scripts/wander.wasm")),
         {:ok, thin} <- Script.Registry.load(store, "thin"),
         {:ok, wander} <- Script.Registry.load(store, "wander") do
      {:ok, %{thin: thin, wander: wander}}
    end
  end

  defp service do
    Progress.step("service: namer, a WASI program, in a pool of two")

    Service.Pool.start_link(
      service: [module: guest("services/namer.wasm"), ready: "READY"],
      size: 2
    )
  end

  defp guest(path), do: File.read!(Path.join([@root, "guest", path]))

  defp listen do
    token = Base.encode16(:crypto.strong_rand_bytes(16), case: :lower)

    with {:ok, server} <- Godot.listen(token: token), do: {:ok, server, token}
  end

  defp receiver("godot", server, token) do
    Progress.step("engine: Godot, headless")

    {:ok, engine} =
      Engine.start_link(port: Godot.Server.port(server), token: token, render: false)

    connected(server, engine, 60_000)
  end

  defp receiver("elixir", server, token) do
    Progress.step("no engine: a receiver in Elixir decodes and checks every frame")
    {:ok, receiver} = Receiver.start_link(port: Godot.Server.port(server), token: token)

    with {:ok, connection} <- Godot.Server.await_connection(server, 10_000) do
      {:ok, {:receiver, receiver}, connection}
    end
  end

  defp connected(server, engine, timeout) do
    case Godot.Server.await_connection(server, timeout) do
      {:ok, connection} ->
        {:ok, {:engine, engine}, connection}

      {:error, exception} ->
        IO.puts(Enum.map(Engine.log(engine), &["  | ", &1, "\n"]))
        {:error, exception}
    end
  end

  defp stream_chunks(plan, thin, namer, connection, times) do
    # Generating runs ahead on threads of its own: what is measured is how long the pipeline waits for it.
    generate = {Stages.Generate, plan: plan, chunks: @coordinates}

    [Timed.around(generate, "generate", times)]
    |> Pipeline.stream()
    |> Pipeline.through(
      Timed.around({Stages.Script, script: thin, over: :instances}, "script: thin", times)
    )
    |> Pipeline.through(
      Timed.around(
        {Stages.Service, pool: namer, ask: &ask/1, answer: &answer/2, retries: 3},
        "service: namer",
        times
      ),
      max_concurrency: 2
    )
    |> Stream.each(&kill_one(&1, namer))
    |> Pipeline.through(
      Timed.around({Stages.Godot, connection: connection}, "godot: chunks", times)
    )
    |> Progress.through("chunks", length(@coordinates))
    |> collect()
  end

  # Programs fail. In the middle of the world one of the two is killed, and no chunk may be missing afterwards.
  defp kill_one({:ok, %{payload: %Chunk{coordinate: {0, 0}}}}, namer) do
    {:ok, %{copies: [copy | _]}} = Service.Pool.info(namer)
    Process.exit(copy, :kill)
  end

  defp kill_one(_element, _namer), do: :ok

  defp tell_replaced(namer) do
    with {:ok, %{replaced: replaced}} <- Service.Pool.info(namer) do
      Progress.step("service: #{replaced} of the two was killed on the way, and replaced")
    end
  end

  defp ask(%{payload: %Chunk{coordinate: {x, z}, stats: stats} = chunk}) do
    {trees, rest} = Enum.split_with(Chunk.scatter(chunk), &(&1.kind < 8))
    rocks = Enum.count(rest, &(&1.kind < 12))
    numbers = [stats.min_height, stats.max_height, stats.mean_height, stats.mean_slope]
    Enum.join([x, z | Enum.map(numbers, &Float.round(&1, 3))] ++ [length(trees), rocks], " ")
  end

  defp answer(%{payload: chunk} = buffer, name), do: %{buffer | payload: %{chunk | name: name}}

  defp stream_creatures(chunks, wander, connection, options, times) do
    creatures = Creatures.settle(chunks)
    ticks = @rate * options.seconds

    with :ok <- put_meshes(connection, Creatures.meshes(options.seed)),
         {:ok, _seq} <- Godot.spawn_nodes(connection, Creatures.nodes(creatures)),
         {:ok, rows} <-
           [
             {Stages.Ticks,
              rate: @rate,
              count: ticks,
              payload: fn _number, seconds -> Creatures.rows(creatures, seconds) end}
           ]
           |> Pipeline.stream()
           |> Pipeline.through(
             Timed.around({Stages.Script, script: wander, over: :rows}, "script: wander", times)
           )
           |> Pipeline.through(
             Timed.around({Stages.Godot, connection: connection}, "godot: rows", times)
           )
           |> Progress.through("#{Creatures.count()} creatures", ticks)
           |> collect() do
      {:ok, creatures, rows}
    end
  end

  defp put_meshes(connection, meshes) do
    Enum.reduce_while(meshes, :ok, fn mesh, :ok ->
      case Godot.put_mesh(connection, mesh) do
        {:ok, _seq} -> {:cont, :ok}
        error -> {:halt, error}
      end
    end)
  end

  # All payloads, or the first error.
  defp collect(stream) do
    stream
    |> Enum.reduce_while([], fn
      {:ok, %{metadata: %{script_errors: {_count, exception}}}}, _ -> {:halt, {:error, exception}}
      {:ok, buffer}, payloads -> {:cont, [buffer.payload | payloads]}
      {:error, exception}, _ -> {:halt, {:error, exception}}
    end)
    |> case do
      {:error, exception} -> {:error, exception}
      payloads -> {:ok, Enum.reverse(payloads)}
    end
  end

  defp settle(connection) do
    with :ok <- Godot.Connection.flush(connection, 30_000),
         {:ok, received} <- Godot.report(connection),
         {:ok, statistics} <- Godot.Connection.stats(connection) do
      {:ok, received, statistics}
    end
  end

  defp sent(chunks, creatures, rows, statistics) do
    Tally.add([
      Tally.chunks(chunks),
      Tally.rows(rows),
      %{"meshes" => 4, "nodes" => length(creatures.homes), "errors" => 0},
      %{"frames" => statistics.frames, "bytes" => statistics.bytes}
    ])
  end

  defp leave({:engine, engine}, connection) do
    Godot.Connection.close(connection)
    Engine.stop(engine)
  end

  defp leave({:receiver, _receiver}, connection), do: Godot.Connection.close(connection)

  # Everything in one file that any viewer opens.
  defp write_glb(chunks, creatures, rows, options) do
    path = Path.join(options.out, "world.glb")
    Progress.step("#{path}: the whole world as one file")

    with {:ok, scenes} <- scenes(chunks),
         {:ok, glb} <-
           Scene.to_glb(Scene.merge(scenes ++ [creatures_scene(creatures, rows, options)])) do
      write(path, glb)
    end
  end

  defp scenes(chunks) do
    Enum.reduce_while(chunks, {:ok, []}, fn chunk, {:ok, scenes} ->
      case Chunk.to_scene(chunk) do
        {:ok, scene} -> {:cont, {:ok, [scene | scenes]}}
        error -> {:halt, error}
      end
    end)
  end

  # The creatures where they were last.
  defp creatures_scene(creatures, rows, options) do
    meshes = Creatures.meshes(options.seed)
    last = List.last(rows)
    places = last.ids |> Enum.zip(last.rows) |> Map.new()

    nodes =
      for {id, home} <- creatures.homes do
        place =
          case places do
            %{^id => [x, y, z | _]} -> {x, y, z}
            _ -> home
          end

        %Scene.Node{name: "creature_#{id}", translation: place, mesh: rem(id, length(meshes))}
      end

    %Scene{
      name: "creatures",
      nodes: nodes,
      meshes: meshes,
      materials: Gen.Plan.materials(),
      roots: Enum.to_list(0..(length(nodes) - 1))
    }
  end

  # A picture needs an engine with a display, so that it is another one; it is sent the same world.
  defp picture(%{receiver: "elixir"}, _server, _token, _chunks, _creatures, _rows) do
    {:ok, [], ["no picture: there is no engine to draw one"]}
  end

  defp picture(options, server, token, chunks, creatures, rows) do
    if Engine.renders?() do
      Progress.step("world.png: a second engine draws what the first was sent")

      with {:ok, engine} <-
             Engine.start_link(port: Godot.Server.port(server), token: token, render: true),
           {:ok, peer, connection} <- connected(server, engine, 60_000),
           {:ok, _} <-
             Pipeline.run(
               Pipeline.stream([
                 Enum.map(chunks, &Wasgo.Buffer.new/1),
                 {Stages.Godot, connection: connection}
               ])
             ),
           :ok <- put_meshes(connection, Creatures.meshes(options.seed)),
           {:ok, _seq} <- Godot.spawn_nodes(connection, Creatures.nodes(creatures)),
           {:ok, _seq} <- Godot.put_rows(connection, List.last(rows)),
           :ok <- Godot.Connection.flush(connection, 60_000),
           {:ok, png} <- draw(connection, creatures.center),
           :ok <- leave(peer, connection),
           {:ok, file} <- write(Path.join(options.out, "world.png"), png) do
        {:ok, [file], []}
      end
    else
      {:ok, [], ["no picture: this engine can't draw (bin/godot --wasgo-check says why)"]}
    end
  end

  # From behind and above the creatures, over them into the land.
  defp draw(connection, {x, y, z}) do
    Godot.picture(connection, {x - 8.0, y + 15.0, z + 34.0}, {x + 3.0, y, z - 14.0}, fov: 62)
  end

  defp write(path, bytes) do
    case File.write(path, bytes) do
      :ok -> {:ok, {path, byte_size(bytes)}}
      {:error, reason} -> {:error, %File.Error{reason: reason, action: "write", path: path}}
    end
  end
end
