# Whether memory stays flat: `mix run --no-start bench/soak.exs [MINUTES]` (10 unless given). A world that changes all the time, scripts, an engine that looks here
# and there, and a wire that is cut every ten seconds; what the VM and the engine hold is printed every half minute, after a tenth of the time has
# passed. It needs an engine that `bin/godot` finds, and Linux.

unless Code.ensure_loaded?(Wasgo.BadLink),
  do: Code.require_file("../test/support/bad_link.ex", __DIR__)

defmodule Bench.Soak do
  alias Wasgo.{BadLink, Gen, Godot, Rows, Script, Store, World}
  alias Wasgo.Godot.{Server, Vector3}

  @root Path.expand("..", __DIR__)
  @token "soak"
  @objects 2_000

  def run(arguments) do
    Logger.configure(level: :error)
    minutes = arguments |> List.first("10") |> Float.parse() |> elem(0)
    path = Path.join(System.tmp_dir!(), "wasgo-soak-#{System.os_time()}.db")
    {:ok, store} = Store.open(path)
    {:ok, world} = World.start_link(name: "soak", store: store, plan: Gen.plan!(seed: 7))
    wander = Script.new!(File.read!(Path.join(@root, "guest/scripts/wander.wasm")))
    {:ok, _scripts} = World.Scripts.start_link(world: world, scripts: %{"wander" => wander})
    {:ok, server} = Server.start_link(token: @token, worlds: %{"soak" => world})
    Server.subscribe(server)
    {:ok, link} = BadLink.start_link(Server.port(server))

    for id <- 1..@objects do
      {:ok, ^id} =
        World.put(world, id: id, name: "o#{id}", position: place(id), script: script(id))
    end

    {port, pid} = engine(BadLink.port(link), minutes)
    until = now() + round(minutes * 60_000)
    spawn_link(fn -> garden(world, 0) end)

    IO.puts(
      "| minute | VM, MiB | processes, MiB | native, MiB | engine, MiB | chunks | rev |\n|" <>
        String.duplicate(" --- |", 7)
    )

    beat(%{server: server, link: link, world: world, pid: pid}, now(), until, 0)
    Port.close(port)
    Server.stop(server)
    World.stop(world)
    Store.close(store)
    for more <- ["", "-wal", "-shm"], do: File.rm(path <> more)
  end

  # Every ten seconds the viewer looks elsewhere and the wire is cut, in turn.
  defp beat(soak, began, until, step) do
    if now() < until do
      receive(after: (5_000 -> :ok))
      {:ok, connection} = Server.await_connection(soak.server, 60_000)

      if rem(step, 2) == 0 do
        at = Vector3.new(rem(step * 37, 4_000) / 1, 40, rem(step * 53, 3_000) / 1)
        _cut_maybe = Godot.call(connection, "Eye", "look", [at, 400.0])
      else
        BadLink.cut(soak.link)
      end

      if rem(step, 6) == 5, do: tell(soak, began)
      beat(soak, began, until, step + 1)
    end
  end

  defp tell(soak, began) do
    :erlang.garbage_collect()
    {:ok, connection} = Server.await_connection(soak.server, 60_000)

    chunks =
      case Godot.report(connection) do
        {:ok, counts} -> counts["chunks"]
        {:error, _cut} -> "?"
      end

    vm = resident(System.pid())
    processes = div(:erlang.memory(:processes), 1_048_576)
    native = vm - div(:erlang.memory(:total), 1_048_576)
    minute = Float.round((now() - began) / 60_000, 1)

    IO.puts(
      "| #{minute} | #{vm} | #{processes} | #{native} | #{resident(soak.pid)} | #{chunks} | #{World.rev(soak.world)} |"
    )
  end

  # Objects come, move and go, and some of their values change without being kept.
  defp garden(world, n) do
    id = 1 + rem(n * 7, @objects)

    case {World.object(world, id), rem(n, 5)} do
      {{:error, _none}, _} ->
        {:ok, _} =
          World.put(world, id: id, name: "o#{id}", position: place(n), script: script(id))

      {_there, 0} ->
        {:ok, _} = World.remove(world, id)

      {_there, _} ->
        {:ok, _} = World.update(world, id, position: place(n))
    end

    {:ok, _} = World.put_rows(world, Rows.new(["rotation:y"], [{1 + rem(n, @objects), [n / 10]}]))
    receive(after: (5 -> garden(world, n + 1)))
  end

  defp script(id), do: if(rem(id, 4) == 0, do: "wander")
  defp place(n), do: {rem(n, 500) / 1, 40.0, rem(n * 3, 400) / 1}

  defp engine(port, minutes) do
    arguments = [
      "--port=#{port}",
      "--token=#{@token}",
      "--world=soak",
      "--view=400",
      "--patience=#{round(minutes * 60) + 120}"
    ]

    options = [
      "--wasgo-with-stdin",
      "--path",
      Path.join(@root, "godot/tests"),
      "--script",
      "res://world_peer.gd",
      "--"
    ]

    args = [Path.join(@root, "bin/godot")] ++ options ++ arguments

    port =
      Port.open({:spawn_executable, System.find_executable("bash")}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        line: 4096,
        args: args
      ])

    {port, await_pid(port)}
  end

  defp await_pid(port) do
    receive do
      {^port, {:data, {_eol, "pid " <> pid}}} -> pid
      {^port, {:data, _other}} -> await_pid(port)
    after
      60_000 -> raise "no engine"
    end
  end

  defp resident(pid) do
    [_, kb] = Regex.run(~r/VmRSS:\s+(\d+) kB/, File.read!("/proc/#{pid}/status"))
    div(String.to_integer(kb), 1024)
  end

  defp now, do: System.monotonic_time(:millisecond)
end

Bench.Soak.run(System.argv())
