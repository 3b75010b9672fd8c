defmodule Wasgo.WorldKillChild do
  @moduledoc false
  # What runs in the VM that test/wasgo/world/kill_test.exs kills: processes that change a world at once, each through numbers 1, 2, 3 ..., and each telling a number
  # when it was acknowledged. A child goes on where the one before it ended.

  alias Wasgo.{Rows, Store, World}

  @singles ["a", "b", "c", "d"]
  @streams @singles ++ ["pair", "file", "comes", "owner"]

  def streams, do: @streams

  @doc "A file that is like no other."
  def glb(number), do: <<"glTF", 2::32-little, 20::32-little, number::64>>

  @doc "Which object is whose."
  def id(stream), do: 1 + Enum.find_index(@streams, &(&1 == stream))
  def partner, do: 100

  def open(path) do
    store = Store.open!(path, busy_timeout: 60_000)
    {:ok, world} = World.start_link(name: "killed", store: store, timeout: 60_000, prune_at: 50)
    {store, world}
  end

  @doc "Works on the world in the file until it is killed."
  def work(path) do
    {:module, _} = Code.ensure_loaded(Wasgo.Native)
    tell("booted")

    spawn(fn ->
      {_store, world} = open(path)
      set_up(world)
      tell("ready")

      for stream <- @streams,
          do: worker(fn -> go_on(world, stream, number(world, stream) + 1) end)

      worker(fn -> snapshots(world) end)
      worker(fn -> rows(world, 1) end)
      receive do: (:never -> :ok)
    end)

    # With the parent the child ends.
    :eof = IO.read(:stdio, :line)
    System.halt(1)
  end

  defp worker(fun) do
    spawn_link(fn ->
      try do
        fun.()
      catch
        kind, reason ->
          tell("fault " <> inspect(Exception.format(kind, reason, __STACKTRACE__)))
          System.halt(1)
      end
    end)
  end

  # By write(2): what was told is with the parent, whatever happens next.
  defp tell(line) do
    out =
      Process.get(:out) ||
        with {:ok, out} <- :file.open("/dev/fd/1", [:raw, :write, :binary]) do
          Process.put(:out, out)
          out
        end

    :ok = :file.write(out, [line, ?\n])
  end

  defp set_up(world) do
    if World.rev(world) == 0 do
      objects = for stream <- @streams, do: {:put, id: id(stream), properties: %{"n" => 0}}
      partner = {:put, id: partner(), properties: %{"n" => 0}}
      {:ok, _} = World.mutate(world, [{:put_property, "comes", 0}, partner | objects])
    end
  end

  @doc "How far a stream has come, as the world has it."
  def number(world, "comes"), do: World.properties(world)["comes"]

  def number(world, stream) do
    {:ok, object} = World.object(world, id(stream))
    object.properties["n"]
  end

  defp go_on(world, stream, number) do
    {:ok, _} = World.mutate(world, mutations(stream, number))
    tell("#{stream} #{number}")
    go_on(world, stream, number + 1)
  end

  defp mutations(stream, n) when stream in @singles,
    do: [{:update, id(stream), [properties: %{"n" => n}]}]

  # Both or neither.
  defp mutations("pair", n),
    do:
      for(
        id <- [id("pair"), partner()],
        do: {:update, id, [properties: %{"n" => n}, position: {n, 0, 0}]}
      )

  defp mutations("file", n), do: [{:update, id("file"), [properties: %{"n" => n}, glb: glb(n)]}]

  defp mutations("comes", n) when rem(n, 2) == 0,
    do: [{:put, id: id("comes"), properties: %{"n" => n}}, {:put_property, "comes", n}]

  defp mutations("comes", n), do: [{:remove, id("comes")}, {:put_property, "comes", n}]

  defp mutations("owner", n),
    do: [{:update, id("owner"), [properties: %{"n" => n}, zone: "zone #{rem(n, 3)}"]}]

  defp snapshots(world) do
    :ok = World.snapshot(world)
    snapshots(world)
  end

  defp rows(world, n) do
    {:ok, _} =
      World.put_rows(world, Rows.new(["t"], for(stream <- @streams, do: {id(stream), [n]})))

    rows(world, n + 1)
  end
end
