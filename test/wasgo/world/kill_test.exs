defmodule Wasgo.World.KillTest do
  @moduledoc """
  What a world has acknowledged is there after its VM was killed at any moment, whole; nothing else is but what was under way; and the next one goes on.

  `WASGO_KILLS` is how many (40 unless set; at most that, however many other tests want).
  """

  use ExUnit.Case, async: true

  alias Wasgo.{Killed, Store, World, WorldKillChild}

  @moduletag :tmp_dir
  @moduletag :capture_log
  @moduletag timeout: 1_800_000

  @kills 40
  @most_lines 2_000

  test "all that was acknowledged is there after a kill", %{tmp_dir: dir} do
    seed = number("WASGO_KILL_SEED", :rand.uniform(1_000_000_000))
    kills = min(number("WASGO_KILLS", @kills), @kills)
    :rand.seed(:exsss, seed)
    killer = Killed.killer()
    path = Path.join(dir, "world.db")

    known =
      Enum.reduce(1..kills, %{last: %{}, told: 0}, fn kill, known ->
        # Some while it opens, most while it works.
        {word, lines} =
          if :rand.uniform(6) == 1,
            do: {"booted", 0},
            else: {"ready", trunc(@most_lines * :rand.uniform() ** 3)}

        call = "Wasgo.WorldKillChild.work(#{inspect(path)})"
        heard = Killed.run_and_kill(killer, call, word, lines, :rand.uniform(30) - 1)
        known = promised(known, heard)
        check(path, known, "seed #{seed}, kill #{kill}")
      end)

    assert known.told > kills
  end

  defp number(variable, default) do
    case System.get_env(variable) do
      nil -> default
      text -> String.to_integer(text)
    end
  end

  defp promised(known, lines) do
    for line <- lines, [stream, number] <- [String.split(line, " ")], reduce: known do
      known ->
        assert stream in WorldKillChild.streams(), line
        number = String.to_integer(number)
        before = Map.get(known.last, stream, number - 1)
        assert number in [before + 1, before + 2], "#{stream}: #{number} after #{before}"
        %{known | last: Map.put(known.last, stream, number), told: known.told + 1}
    end
  end

  defp check(path, known, where) do
    {store, world} = WorldKillChild.open(path)
    assert Store.query!(store, "PRAGMA integrity_check").rows == [["ok"]], where

    known = if World.rev(world) == 0, do: known, else: all!(world, store, known, where)
    if World.rev(world) == 0, do: assert(known.last == %{}, where)
    :ok = World.stop(world)
    :ok = Store.close(store)
    known
  end

  defp all!(world, store, known, where) do
    last =
      for stream <- WorldKillChild.streams(), stream != "comes", into: %{} do
        {stream, here!(known, stream, WorldKillChild.number(world, stream), where)}
      end

    comes = here!(known, "comes", World.properties(world)["comes"], where)
    there? = match?({:ok, _}, World.object(world, WorldKillChild.id("comes")))
    assert there? == (rem(comes, 2) == 0), where

    {:ok, one} = World.object(world, WorldKillChild.id("pair"))
    {:ok, other} = World.object(world, WorldKillChild.partner())
    assert one.properties == other.properties and one.transform == other.transform, where

    {:ok, owned} = World.object(world, WorldKillChild.id("owner"))
    n = owned.properties["n"]
    assert owned.zone == if(n == 0, do: nil, else: "zone #{rem(n, 3)}"), where

    {:ok, file} = World.object(world, WorldKillChild.id("file"))

    if file.glb do
      assert World.payload(world, file.glb) == {:ok, WorldKillChild.glb(file.properties["n"])},
             where
    end

    %{rows: [[payloads]]} = Store.query!(store, "SELECT count(*) FROM wasgo_world_payloads")
    assert payloads == if(file.glb, do: 1, else: 0), where
    %{known | last: Map.put(last, "comes", comes)}
  end

  # What was told, or what was under way then.
  defp here!(known, stream, actual, where) do
    promised = Map.get(known.last, stream, 0)

    assert actual in [promised, promised + 1],
           "#{where}: #{stream} is at #{actual}, #{promised} was told"

    actual
  end
end
