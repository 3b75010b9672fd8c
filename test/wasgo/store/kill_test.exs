defmodule Wasgo.Store.KillTest do
  @moduledoc """
  A commit that returned is on disk, whenever the VM is killed: writes, transactions, functions, scripts and what objects keep. VMs work on
  files, each with many processes at once, tell what was answered, and are killed at any moment; then everything that they told has to be
  there, and of what they did not tell nothing in parts.

  `WASGO_KILLS` is how many (210 unless set; a number that is set has a line printed of what was done), `WASGO_KILL_SEED` the seed.
  """

  use ExUnit.Case, async: true

  alias Wasgo.Killed

  @moduletag :tmp_dir
  @moduletag timeout: 1_800_000

  @kills 210

  # So many kills, and there is a new file.
  @kills_of_a_file 15

  @most_lines 1_200
  @most_milliseconds 40

  test "what was promised is there after a kill, whole, and the next one goes on", %{tmp_dir: dir} do
    seed = number("WASGO_KILL_SEED", :rand.uniform(1_000_000_000))
    kills = number("WASGO_KILLS", @kills)
    lanes = System.schedulers_online() |> max(3) |> min(4)

    done =
      1..lanes
      |> Enum.map(fn lane ->
        kills = div(kills + lanes - lane, lanes)
        dir = Path.join(dir, "#{lane}")
        File.mkdir!(dir)
        Task.async(fn -> lane(dir, seed, lane, kills) end)
      end)
      |> Task.await_many(:infinity)
      |> Enum.reduce(&Map.merge(&1, &2, fn _what, one, other -> one + other end))

    assert done.kills == kills
    assert kills < @kills or (done.rows > 0 and done.promises > 0)
    if System.get_env("WASGO_KILLS"), do: IO.puts("\nseed #{seed}: #{inspect(done)}")
  end

  defp number(variable, default) do
    case System.get_env(variable) do
      nil -> default
      text -> String.to_integer(text)
    end
  end

  defp lane(dir, seed, lane, kills) do
    :rand.seed(:exsss, {seed, lane, 0})

    state = %{
      dir: dir,
      killer: Killed.killer(),
      file: 0,
      of_file: 0,
      known: Killed.nothing(),
      old: nil,
      done: %{kills: 0, rows: 0, promises: 0}
    }

    Enum.reduce(1..kills, state, fn kill, state ->
      try do
        kill(state)
      rescue
        error ->
          where = "seed #{seed} (WASGO_KILL_SEED), lane #{lane}, kill #{kill} of it"
          error = %ExUnit.AssertionError{message: where <> ":\n" <> Exception.message(error)}
          reraise error, __STACKTRACE__
      end
    end).done
  end

  # Seven of ten while it works, the others while it opens or migrates.
  defp kill(state) do
    case :rand.uniform(10) do
      kind when kind <= 7 -> kill_work(state, "ready", working())
      8 -> kill_work(state, beginning(), {0, :rand.uniform(@most_milliseconds) - 1})
      _migrate -> kill_migration(state)
    end
  end

  defp beginning, do: Enum.random(["booted", "opened"])

  # More often few than many.
  defp working, do: {trunc(@most_lines * :rand.uniform() ** 3), :rand.uniform(4) - 1}

  defp kill_work(%{of_file: @kills_of_a_file} = state, word, moment) do
    File.rm_rf!(file(state))
    state = %{state | file: state.file + 1, of_file: 0, known: Killed.nothing()}
    kill_work(state, word, moment)
  end

  defp kill_work(state, word, {lines, milliseconds}) do
    path = Path.join(file(state), "a.db")
    File.mkdir_p!(file(state))
    call = "work(#{inspect(path)}, #{:rand.uniform(1_000_000_000)})"
    lines = Killed.run_and_kill(state.killer, call, word, lines, milliseconds)
    known = Killed.promised(state.known, lines)
    {known, rows} = look(file(state), "a.db", &Killed.check(&1, known))

    count(%{state | known: known, of_file: state.of_file + 1}, word, lines, rows)
  end

  # The same file, until it is done.
  defp kill_migration(%{old: nil} = state) do
    old = Path.join(state.dir, "old")
    File.rm_rf!(old)
    File.mkdir!(old)
    Killed.make_old(Path.join(old, "a.db"))
    kill_migration(%{state | old: old})
  end

  defp kill_migration(%{old: old} = state) do
    call = "migrate(#{inspect(Path.join(old, "a.db"))})"
    moment = :rand.uniform(@most_milliseconds) - 1
    lines = Killed.run_and_kill(state.killer, call, beginning(), 0, moment)
    {version, rows} = look(old, "a.db", &Killed.check_old/1)
    if "migrated" in lines, do: assert(version == 2)
    count(%{state | old: if(version == 1, do: old)}, "migration", lines, rows)
  end

  defp file(state), do: Path.join(state.dir, "file-#{state.file}")

  # Half of the time at a copy, so that it is the next VM that finds the log as the kill left it.
  defp look(dir, name, check) do
    if :rand.uniform(2) == 1 do
      check.(Path.join(dir, name))
    else
      copy = dir <> "-copy"
      File.rm_rf!(copy)
      File.mkdir!(copy)

      # Without the index of the log: that is made anew by who opens the file first.
      for suffix <- ["", "-wal"], File.exists?(Path.join(dir, name <> suffix)) do
        File.cp!(Path.join(dir, name <> suffix), Path.join(copy, name <> suffix))
      end

      checked = check.(Path.join(copy, name))
      File.rm_rf!(copy)
      checked
    end
  end

  defp count(state, word, lines, rows) do
    phase =
      cond do
        "ready" in lines -> :working
        "migrated" in lines -> :migrated
        word == "migration" and "opened" in lines -> :migrating
        "opened" in lines -> :setting_up
        true -> :opening
      end

    done =
      state.done
      |> Map.update!(:kills, &(&1 + 1))
      |> Map.update!(:rows, &(&1 + rows))
      |> Map.update!(:promises, &(&1 + length(lines)))
      |> Map.update(phase, 1, &(&1 + 1))

    %{state | done: done}
  end
end
