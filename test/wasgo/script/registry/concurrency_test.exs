defmodule Wasgo.Script.Registry.ConcurrencyTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{Script, Store}
  alias Wasgo.Script.Registry

  @moduletag :tmp_dir

  @processes 20

  defp at_once(fun) do
    1..@processes
    |> Enum.map(fn number -> Task.async(fn -> fun.(number) end) end)
    |> Task.await_many(240_000)
  end

  # What the history says is active now, and was before: activations on a stack, which a rollback takes from.
  defp replay(history) do
    Enum.reduce(history, [], fn
      %{act: :put}, stack ->
        stack

      %{act: :activate, version: version}, [version | _] ->
        flunk("#{version} was active already")

      %{act: :activate, version: version}, stack ->
        [version | stack]

      %{act: :rollback, version: version}, [_undone, version | rest] ->
        [version | rest]

      %{act: :rollback} = act, stack ->
        flunk("#{inspect(act)} goes not back to #{inspect(stack)}")

      %{act: :delete}, _stack ->
        []
    end)
  end

  defp consistent!(store, name, versions) do
    {:ok, entries} = Registry.versions(store, name)
    assert Enum.map(entries, & &1.version) == Enum.to_list(1..versions)
    {:ok, history} = Registry.history(store, name, limit: 100_000)

    assert for(%{act: :put, version: version} <- history, do: version) ==
             Enum.to_list(1..versions)

    assert [active | _] = replay(history)
    assert [%{version: ^active}] = Enum.filter(entries, & &1.active)
    history
  end

  test "#{@processes} processes that put and activate at once leave no gap and one history", %{
    tmp_dir: dir
  } do
    path = Path.join(dir, "scripts.db")
    shared = Store.open!(path)
    {:ok, 1} = Registry.put(shared, "s", answering("first"))

    answers =
      at_once(fn number ->
        # Every other one by a store of its own on the same file.
        store = if rem(number, 2) == 0, do: shared, else: Store.open!(path, busy_timeout: 60_000)

        for round <- 1..3 do
          {:ok, version} =
            Registry.put(store, "s", answering("#{number} #{round}"), author: "#{number}")

          {:ok, before} = Registry.activate(store, "s", max(version - number, 1))
          assert before == max(version - number, 1)

          if rem(number, 4) == 0 do
            assert {:ok, _version} = Registry.rollback(store, "s")
          end

          assert {:ok, %Script{}} = Registry.load(store, "s")
          {version, "#{number} #{round}"}
        end
      end)
      |> List.flatten()

    count = @processes * 3 + 1
    assert answers |> Enum.map(&elem(&1, 0)) |> Enum.sort() == Enum.to_list(2..count)
    history = consistent!(shared, "s", count)

    # Each version is what its own writer put.
    for {version, words} <- answers do
      entry = Registry.get!(shared, "s", version)
      assert entry.source == answering(words)
      assert [author, _round] = String.split(words)
      assert entry.author == author
      assert Enum.any?(history, &match?(%{act: :put, version: ^version, author: ^author}, &1))
    end

    # And after the file is opened anew.
    :ok = Store.close(shared)
    assert consistent!(Store.open!(path), "s", count) == history
  end

  test "the same source from everybody at once is stored once", %{tmp_dir: dir} do
    store = Store.open!(Path.join(dir, "scripts.db"))
    answers = at_once(fn _number -> Registry.put(store, "s", echo()) end)
    assert Enum.uniq(answers) == [{:ok, 1}]
    consistent!(store, "s", 1)
  end

  test "puts and deletes at once leave a script that is whole, or none", %{tmp_dir: dir} do
    store = Store.open!(Path.join(dir, "scripts.db"))

    at_once(fn number ->
      {:ok, _} = Registry.put(store, "s", answering("#{number}"))
      if rem(number, 3) == 0, do: Registry.delete(store, "s")

      case Registry.put_object(store, "o#{number}", "k", "s") do
        :ok -> :ok
        {:error, %Wasgo.StoreError{reason: :unknown_script}} -> :ok
      end
    end)

    {:ok, history} = Registry.history(store, "s")
    since = history |> Enum.reverse() |> Enum.take_while(&(&1.act != :delete)) |> Enum.reverse()
    puts = for %{act: :put, version: version} <- since, do: version
    assert puts == Enum.to_list(1..length(puts)//1)

    case Registry.versions(store, "s") do
      {:ok, entries} ->
        assert Enum.map(entries, & &1.version) == puts

      {:error, error} ->
        assert error.reason == :unknown_script
        assert puts == []
        assert Registry.list_objects(store) == {:ok, []}
    end
  end

  test "a process that dies in the middle of a put has put nothing", %{tmp_dir: dir} do
    store = Store.open!(Path.join(dir, "scripts.db"))
    {:ok, 1} = Registry.put(store, "s", answering("1"))
    test = self()

    {pid, monitor} =
      spawn_monitor(fn ->
        Store.transaction(store, fn tx ->
          {:ok, 2} = Registry.put(tx, "s", answering("2"))
          send(test, :put)
          receive do: (:never -> :ok)
        end)
      end)

    assert_receive :put, 60_000
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}, 60_000
    assert Registry.put(store, "s", answering("other")) == {:ok, 2}
    consistent!(store, "s", 2)
  end
end
