defmodule Wasgo.Killed do
  @moduledoc false
  # The parent's side of test/wasgo/store/kill_test.exs: starts a VM, kills it, and compares what it had promised with what is in the file.

  import ExUnit.Assertions
  import Wasgo.TestGuests, only: [eventually: 1]

  alias Wasgo.{KillChild, OldRegistry, Script, Store}
  alias Wasgo.Script.Registry

  # Longer than any machine takes.
  @patience 300_000

  @old_versions 6

  ## A VM, and its end

  @doc """
  Has a VM call a function of `Wasgo.KillChild`, and kills it once it has told the line `word`, then `lines` more, and then
  `milliseconds` have passed. The answer is all lines that it told.
  """
  def run_and_kill(killer, call, word, lines, milliseconds) do
    {port, pid} = start(call)
    heard = read(port, word, "")
    heard = read_lines(port, lines + count(heard), heard)

    # A moment that the child does not choose.
    receive do
      {^port, {:exit_status, status}} -> flunk("ended by itself (#{status}):\n#{heard}")
    after
      milliseconds -> :ok
    end

    Port.command(killer, "#{pid}\n")
    told(port, heard, 137)
  end

  @doc "Has a VM call a function, under limits that `sh` sets, until it ends by itself. The answer is all lines that it told."
  def run(call, limits) do
    {port, _pid} = start(call, limits)
    told(port, "", 0)
  end

  @doc "Kills whatever number it is sent. A program for each kill would take longer than what is to be hit."
  def killer do
    script = "while read -r pid; do kill -KILL \"$pid\"; done"
    Port.open({:spawn_executable, System.find_executable("sh")}, [:binary, args: ["-c", script]])
  end

  defp start(call, limits \\ ":") do
    ebin = Path.dirname(:code.which(Wasgo))
    elixir = System.find_executable("elixir")
    command = ~s(#{limits}; exec "$0" "$@")
    # A child of another test has a module of its own.
    call = if String.starts_with?(call, "Wasgo."), do: call, else: "Wasgo.KillChild.#{call}"
    args = ["-c", command, elixir, "-pa", ebin, "-e", call]
    # Its user's compiled modules are not these tests'.
    options = [args: args, env: [{~c"WASGO_CACHE_DIR", ~c""}]]
    options = [:binary, :exit_status, :stderr_to_stdout] ++ options
    port = Port.open({:spawn_executable, System.find_executable("sh")}, options)
    {:os_pid, pid} = Port.info(port, :os_pid)
    {port, pid}
  end

  defp count(heard), do: heard |> :binary.matches("\n") |> length()

  defp read(port, word, heard) do
    if "\n" <> heard =~ "\n#{word}\n",
      do: heard,
      else: read(port, word, heard <> data!(port, heard))
  end

  defp read_lines(port, lines, heard) do
    missing = lines - count(heard)
    if missing <= 0, do: heard, else: read_more(port, missing, [heard])
  end

  defp read_more(_port, missing, heard) when missing <= 0,
    do: heard |> Enum.reverse() |> IO.iodata_to_binary()

  defp read_more(port, missing, heard) do
    data = data!(port, heard)
    read_more(port, missing - count(data), [data | heard])
  end

  defp data!(port, heard) do
    receive do
      {^port, {:data, data}} -> data
      {^port, {:exit_status, status}} -> flunk("ended by itself (#{status}):\n#{inspect(heard)}")
    after
      @patience -> flunk("told nothing more:\n#{inspect(heard)}")
    end
  end

  # The status comes when all that was told has been read.
  defp told(port, heard, expected) do
    receive do
      {^port, {:data, data}} ->
        told(port, heard <> data, expected)

      {^port, {:exit_status, status}} ->
        lines = String.split(heard, "\n", trim: true)
        fault = Enum.find(lines, &String.starts_with?(&1, "fault "))
        assert {fault, status} == {nil, expected}, "ended with #{status}: #{fault || heard}"
        lines
    after
      @patience -> flunk("neither ended nor told more:\n#{heard}")
    end
  end

  ## Promises

  @doc "What is known of a file: `nothing` of a new one."
  def nothing, do: %{ready: false, last: %{}, acts: [{"put", 1}, {"activate", 1}], intent: nil}

  @doc "What is known with what a child told."
  def promised(known, lines) do
    Enum.reduce(lines, %{known | intent: nil}, fn line, known ->
      case String.split(line, " ") do
        ["ready"] -> %{known | ready: true}
        [word] when word in ["booted", "opened"] -> known
        ["intent", act, version] -> %{known | intent: {act, String.to_integer(version)}}
        ["act", act, version] -> acted(known, act, String.to_integer(version))
        [stream, number] -> put_in(known.last[stream], next!(known, stream, number))
        _other -> flunk("the child said: #{line}")
      end
    end)
  end

  defp next!(known, stream, number) do
    number = String.to_integer(number)
    assert known.ready and stream in KillChild.streams()

    case known.last do
      %{^stream => before} -> assert number == before + 1, "#{stream}: #{number} after #{before}"
      _new -> assert number in [1, 2], "#{stream} begins with #{number}"
    end

    number
  end

  defp acted(known, act, version),
    do: %{known | acts: known.acts ++ acts(act, version), intent: nil}

  defp acts("put", version), do: [{"put", version}, {"activate", version}]
  defp acts("keep", version), do: [{"put", version}]
  defp acts(act, version), do: [{act, version}]

  ## What is in the file

  @doc """
  Compares a file with what is known of it: what was promised is there, and beyond it at most what was under way, whole. The answer is what is
  known now, and how many rows were looked at.
  """
  def check(path, known) do
    store = sound!(path)

    if known.ready do
      last = Map.new(KillChild.streams(), &{&1, stream!(store, &1, known.last)})
      acts = acts!(store, known)
      wholes!(store)
      rows = counted(store)
      close(store)
      {%{known | last: last, acts: acts, intent: nil}, rows}
    else
      # All of the tables, or none.
      tables =
        for "CREATE TABLE " <> rest <- KillChild.tables(), do: rest |> String.split() |> hd()

      present =
        for [name] <- rows(store, "SELECT name FROM sqlite_schema"), name in tables, do: name

      assert present == [] or Enum.sort(present) == Enum.sort(tables)
      registry!(store)
      close(store)
      {known, length(present)}
    end
  end

  defp sound!(path) do
    store = Store.open!(path)
    assert rows(store, "PRAGMA integrity_check") == [["ok"]]
    assert rows(store, "PRAGMA foreign_key_check") == []
    store
  end

  # Closing goes on when the call has returned, and nobody may copy the file meanwhile.
  defp close(store) do
    :ok = Store.close(store)
    assert eventually(fn -> not File.exists?(store.location <> "-wal") end)
  end

  defp rows(store, sql, parameters \\ []),
    do: Store.query!(store, sql, parameters, timeout: @patience).rows

  defp stream!(store, stream, last) do
    promised = Map.get(last, stream, 0)
    actual = KillChild.last(store, stream)

    assert actual in [promised, promised + 1],
           "#{stream}: #{promised} was promised, and #{actual} is there"

    actual
  end

  # Nothing is missing in between, and nothing is in parts.
  defp wholes!(store) do
    assert rows(
             store,
             "SELECT writer FROM singles GROUP BY writer HAVING count(*) <> max(number)"
           ) == []

    assert rows(
             store,
             "SELECT number FROM singles WHERE length(payload) <> (number * 7919) % 3000"
           ) ==
             []

    batches = rows(store, "SELECT batch, count(*) FROM many GROUP BY batch ORDER BY batch")
    numbers = 1..length(batches)//1
    assert batches == Enum.map(numbers, &[&1, KillChild.batch_size(&1)])

    whole = "SELECT writer, number, group_concat(part) FROM
      (SELECT * FROM nested ORDER BY writer, number, part) GROUP BY writer, number"

    for [writer, number, parts] <- rows(store, whole),
        do: assert({writer, number, parts} == {writer, number, "begun,ended,kept"})

    assert rows(
             store,
             "SELECT writer FROM nested GROUP BY writer HAVING count(*) <> 3 * max(number)"
           ) ==
             []

    assert rows(store, "SELECT * FROM nested EXCEPT SELECT * FROM parts") == []

    # The function is of the transaction that tells of it, and so is the count.
    assert rows(store, "SELECT logged(), count(*) FROM functions") == [
             List.duplicate(KillChild.last(store, "logged"), 2)
           ]

    counted = KillChild.count(store, "told")

    assert rows(store, "SELECT count(*), coalesce(max(count), 0) FROM told") == [
             [counted, counted]
           ]

    assert [_same] = KillChild.crowd() |> Enum.map(&KillChild.count(store, &1)) |> Enum.uniq()
  end

  # The history is what was told, and perhaps what was under way; the active version follows from it, and is what runs.
  defp acts!(store, %{acts: told, intent: intent}) do
    {:ok, history} = Registry.history(store, "changing", limit: 100_000)
    actual = for act <- history, do: {Atom.to_string(act.act), act.version}

    case {Enum.drop(actual, length(told)), intent} do
      {[], _intent} -> :ok
      {[{"rollback", _version}], {"rollback", _unknown}} -> :ok
      {more, {act, version}} -> assert more == acts(act, version)
      {more, nil} -> flunk("nobody was about to #{inspect(more)}")
    end

    assert Enum.take(actual, length(told)) == told

    {:ok, versions} = Registry.versions(store, "changing")
    assert Enum.map(versions, & &1.version) == for({"put", version} <- actual, do: version)
    assert [active] = for(%{active: true, version: version} <- versions, do: version)
    assert [^active | _earlier] = Enum.reduce(actual, [], &replay/2)
    assert Registry.get!(store, "changing").source == KillChild.answering(active)
    assert {:ok, answer} = Script.notify(store, "changing", :process, [], timeout: @patience)
    assert Map.values(answer) == [active]
    registry!(store)
    actual
  end

  defp replay({"put", _version}, stack), do: stack
  defp replay({"activate", version}, stack), do: [version | stack]
  defp replay({"rollback", version}, [_undone, version | rest]), do: [version | rest]

  defp registry!(store) do
    if rows(store, "SELECT 1 FROM sqlite_schema WHERE name = 'wasgo_script_versions'") != [] do
      for [name, source, hash] <-
            rows(store, "SELECT name, source, hash FROM wasgo_script_versions") do
        assert {name, hash} == {name, Script.Registry.Source.hash(text(source))}
      end

      assert rows(store, "SELECT active FROM wasgo_scripts WHERE (name, active) NOT IN
        (SELECT name, version FROM wasgo_script_versions)") == []
    end
  end

  defp text({:blob, bytes}), do: bytes
  defp text(text), do: text

  defp counted(store) do
    tables =
      ~w(singles many nested parts functions told wasgo_script_versions wasgo_script_history
                wasgo_object_state)

    Enum.sum(
      for table <- tables, [[count]] <- [rows(store, "SELECT count(*) FROM #{table}")], do: count
    )
  end

  ## Migration

  @doc "Makes a file of the registry's schema 1."
  def make_old(path) do
    store = OldRegistry.version_1!(path)

    for version <- 1..@old_versions,
        do: OldRegistry.put_1!(store, "old", version, KillChild.answering(version))

    close(store)
  end

  @doc "Looks at a file that was being brought up to date: it is as it was, or as it should be. The answer is which."
  def check_old(path) do
    store = sound!(path)
    [[version]] = rows(store, "SELECT version FROM wasgo_schema")
    numbers = Enum.to_list(1..@old_versions)

    names = rows(store, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    assert length(names) == %{1 => 3, 2 => 6}[version]
    registry!(store)

    versions = rows(store, "SELECT version FROM wasgo_script_versions ORDER BY version")
    assert List.flatten(versions) == numbers

    if version == 2 do
      {:ok, history} = Registry.history(store, "old")
      told = for act <- history, do: {act.act, act.version}
      assert told == Enum.flat_map(numbers, &[{:put, &1}, {:activate, &1}])
      :ok = Registry.put_object(store, "object", "kind", "old")
      {:ok, answer} = Script.notify(store, "object", :process, [], timeout: @patience)
      assert Map.values(answer) == [@old_versions]
    end

    close(store)
    {version, length(versions) + length(names)}
  end
end
