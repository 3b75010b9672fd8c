defmodule Wasgo.Godot do
  @moduledoc """
  A Godot 4 server as the sink of a stream.

  A sidecar listens, the engine connects by the add-on in `godot/addons/wasgo`:

      {:ok, server} = Wasgo.Godot.listen(port: 4455, token: "a shared secret")
      # in another terminal: bin/godot --headless --path godot/demo -- --wasgo-port=4455 --wasgo-token="a shared secret"
      {:ok, godot} = Wasgo.Godot.Server.await_connection(server, 60_000)

      plan = Wasgo.Gen.plan!(seed: 7)
      Wasgo.Pipeline.run(Wasgo.Pipeline.stream([
        {Wasgo.Stages.Generate, plan: plan, chunks: for(x <- -1..1, z <- -1..1, do: {x, z})},
        {Wasgo.Stages.Godot, connection: godot}
      ]))

      Wasgo.Godot.report(godot)

  The functions here send one thing each and wait while the engine is behind; `Wasgo.Stages.Godot` is the same as a stage.

  ## From here

    * `Wasgo.Godot.Server` listens for engines and says which worlds, functions and scripts they may ask for
    * `Wasgo.Godot.Connection` is one of them: what was sent to it, and what its game says; `Wasgo.Stages.GodotEvents` is that as a source
    * `Wasgo.Godot.Process` starts an engine, and starts it again when it crashes or hangs
    * `Wasgo.Godot.Scripts` are scripts of the engine's own nodes
    * `Wasgo.World` keeps what engines show, for any number of them: with it nothing has to be sent by hand
    * `Wasgo.Godot.Variant` says what values may be, `Wasgo.Phoenix.GodotSocket` lets engines in through a web server
    * the guide `guides/godot.md`, and the add-on's own README in `godot/addons/wasgo`
  """

  alias Wasgo.Gen.{Chunk, Volume}
  alias Wasgo.Godot.{Connection, Frame, Server, Vector3}
  alias Wasgo.{Rows, Scene}

  @type sent :: {:ok, number :: pos_integer()} | {:error, Exception.t()}

  @doc """
  Starts a listener: `Wasgo.Godot.Server.start_link/1`.

      iex> {:ok, server} = Wasgo.Godot.listen(token: "a shared secret")
      iex> Wasgo.Godot.Server.port(server) in 1..65_535
      true
  """
  @spec listen(keyword()) :: GenServer.on_start()
  defdelegate listen(options), to: Server, as: :start_link

  @doc """
  Sends a mesh, to be referred to by its name.

      oak = {:tree, species: :oak} |> Wasgo.Gen.prop!(seed: 7) |> Wasgo.Gen.Prop.mesh(0)
      {:ok, _number} = Wasgo.Godot.put_mesh(godot, %{oak | name: "old oak"})
  """
  @spec put_mesh(Connection.t(), Scene.Mesh.t()) :: sent()
  def put_mesh(connection, %Scene.Mesh{} = mesh), do: send_frame(connection, Frame.mesh(mesh))

  @doc """
  Sends a chunk. Meshes of what stands on it go first, unless their names are in `known`.

      plan = Wasgo.Gen.plan!(seed: 7)
      {:ok, _number, known} = Wasgo.Godot.put_chunk(godot, Wasgo.Gen.chunk!(plan, {0, 0}))
      {:ok, _number, _known} = Wasgo.Godot.put_chunk(godot, Wasgo.Gen.chunk!(plan, {1, 0}), known)
  """
  @spec put_chunk(Connection.t(), Chunk.t() | Volume.t(), MapSet.t(String.t())) ::
          {:ok, pos_integer(), MapSet.t(String.t())} | {:error, Exception.t()}
  def put_chunk(connection, %kind{} = chunk, known \\ MapSet.new())
      when kind in [Chunk, Volume] do
    with {:ok, meshes, frame, known} <- chunk_frames(chunk, known),
         :ok <- send_all(connection, meshes),
         {:ok, number} <- send_frame(connection, frame) do
      {:ok, number, known}
    end
  end

  @doc false
  # The frames of a chunk: those of meshes whose names are not known, and its own.
  @spec chunk_frames(Chunk.t() | Volume.t(), MapSet.t(String.t())) ::
          {:ok, [Frame.t()], Frame.t(), MapSet.t(String.t())} | {:error, Exception.t()}
  def chunk_frames(chunk, known) do
    with {:ok, frame, meshes} <- Frame.chunk(chunk) do
      new =
        meshes |> Enum.reject(&MapSet.member?(known, mesh_name(&1))) |> Enum.uniq_by(&mesh_name/1)

      {:ok, Enum.map(new, &mesh_frame/1), frame, Enum.into(new, known, &mesh_name/1)}
    end
  end

  defp send_all(connection, frames) do
    Enum.reduce_while(frames, :ok, fn frame, :ok ->
      with {:ok, _number} <- send_frame(connection, frame),
           do: {:cont, :ok},
           else: (error -> {:halt, error})
    end)
  end

  # With its own materials, or those of all plans.
  defp mesh_name({mesh, _materials}), do: mesh.name
  defp mesh_name(mesh), do: mesh.name

  defp mesh_frame({mesh, materials}), do: Frame.mesh(mesh, materials)
  defp mesh_frame(mesh), do: Frame.mesh(mesh)

  @doc """
  Removes chunks from the engine's world: `{x, z}`, or `{x, z, level}` of coarser ones.

      {:ok, _number} = Wasgo.Godot.unload_chunks(godot, [{0, 0}, {1, 0}, {0, 0, 3}])
  """
  @spec unload_chunks(Connection.t(), [Wasgo.Gen.address()]) :: sent()
  def unload_chunks(connection, addresses),
    do: send_frame(connection, Frame.unload(addresses))

  @doc """
  Makes nodes in the engine's world.

      nodes = [
        %{id: 1, name: "Hare", mesh: "hare", position: {4, 0, -2}},
        %{id: 2, name: "Fox", position: {10, 0, 3}, yaw: 1.5}
      ]

      {:ok, _number} = Wasgo.Godot.spawn_nodes(godot, nodes)
  """
  @spec spawn_nodes(Connection.t(), [Frame.node_spec()]) :: sent()
  def spawn_nodes(connection, nodes), do: send_frame(connection, Frame.spawn(nodes))

  @doc """
  Changes properties of nodes.

      rows = Wasgo.Rows.new(["position:x", "visible"], [{1, [4.5, nil]}, {2, [10.0, 0]}])
      {:ok, _number} = Wasgo.Godot.put_rows(godot, rows)
  """
  @spec put_rows(Connection.t(), Rows.t()) :: sent()
  def put_rows(connection, %Rows{} = rows), do: send_frame(connection, Frame.rows(rows))

  @doc """
  Asks the engine to count what it has got: chunks, vertices, triangles, nodes, property updates, bytes and more, by name.

      {:ok, report} = Wasgo.Godot.report(godot)
      Map.take(report, ["chunks", "nodes", "property_updates"])
      # %{"chunks" => 2, "nodes" => 2, "property_updates" => 3}
  """
  @spec report(Connection.t(), pos_integer()) ::
          {:ok, %{String.t() => non_neg_integer()}} | {:error, Exception.t()}
  def report(connection, timeout \\ 30_000) do
    Connection.request(connection, "report", %{}, timeout)
  end

  @doc """
  Asks the engine for a picture of its world, as a PNG, from `eye` towards `target` (metres). An engine without a display answers with an
  error.

  Options: `:fov` in degrees (60), `:timeout` in milliseconds (60,000).

      {:ok, png} = Wasgo.Godot.picture(godot, {40, 30, 40}, {0, 0, 0}, fov: 75)
      File.write!("island.png", png)
  """
  @spec picture(
          Connection.t(),
          {number(), number(), number()},
          {number(), number(), number()},
          keyword()
        ) ::
          {:ok, binary()} | {:error, Exception.t()}
  def picture(connection, eye, target, options \\ []) do
    schema = [fov: [type: :number, default: 60], timeout: [type: :timeout, default: 60_000]]
    options = Wasgo.Options.validate!(options, schema, "Wasgo.Godot.picture/4")
    fields = %{"eye" => vector(eye), "target" => vector(target), "fov" => options.fov / 1}

    Connection.request(connection, "picture", fields, options.timeout)
  end

  defp vector({x, y, z}), do: Vector3.new(x, y, z)

  @doc """
  Calls a method of a node in the engine, and waits for what it returns. The engine's project lists what may be called (`WasgoClient.allowed_calls`).

      {:ok, 3} = Wasgo.Godot.call(connection, "Game/Doors", "open_all", ["north"])

  `path` is relative to the scene's root; arguments and results are plain values, as `Wasgo.Godot.Variant` has them. `timeout` in milliseconds.
  """
  @spec call(Connection.t(), String.t(), String.t(), [term()], pos_integer()) ::
          {:ok, term()} | {:error, Exception.t()}
  def call(connection, path, method, args \\ [], timeout \\ 10_000)
      when is_binary(path) and is_binary(method) and is_list(args) do
    fields = %{"path" => path, "method" => method, "args" => args}
    Connection.request(connection, "call", fields, timeout)
  end

  @doc """
  Asks the engine for a node and all below it as a binary glTF file, made by its own exporter. The engine's project lists what may be exported
  (`WasgoClient.allowed_exports`). `timeout` in milliseconds.

      {:ok, glb} = Wasgo.Godot.export_scene(godot, "Village/Inn")
      inn = Wasgo.Scene.from_glb!(glb)
  """
  @spec export_scene(Connection.t(), String.t(), pos_integer()) ::
          {:ok, glb :: binary()} | {:error, Exception.t()}
  def export_scene(connection, path, timeout \\ 60_000) when is_binary(path) do
    Connection.request(connection, "export", %{"path" => path}, timeout)
  end

  defp send_frame(connection, {kind, fields}), do: Connection.send(connection, kind, fields)
end
