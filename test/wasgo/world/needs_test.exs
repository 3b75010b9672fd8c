defmodule Wasgo.World.NeedsTest do
  use ExUnit.Case, async: true

  alias Wasgo.Store
  alias Wasgo.World.{Journal, Needs}

  setup do
    store = Store.open!(:memory)
    {:ok, journal, _known} = Journal.open(store, "garden", 10_000)
    {:ok, store: store, journal: journal}
  end

  defp hash(n), do: <<n::128>>
  defp entry(n), do: {[{"pine", hash(n)}, {"rock", hash(n + 1)}], hash(-n)}

  defp written(needs, journal, limit) do
    with {:ok, :more} <- Needs.write(needs, journal, limit), do: written(needs, journal, limit)
  end

  test "what was put is known in memory, and elsewhere when it was written", %{journal: journal} do
    needs = Needs.new()
    for n <- 1..25, do: :ok = Needs.put(needs, hash(n), entry(n))
    :ok = Needs.put(needs, hash(99), {[], :empty})
    # The owner is told once.
    assert_received {Needs, :fresh}
    refute_received {Needs, :fresh}
    assert Needs.get(needs, hash(7)) == entry(7)
    assert Needs.stored(journal, hash(7)) == nil
    assert {:ok, :done} = written(needs, journal, 10)
    for n <- 1..25, do: assert(Needs.stored(journal, hash(n)) == entry(n))
    assert Needs.stored(journal, hash(99)) == {[], :empty}
    other = Needs.new()
    Needs.keep(other, hash(7), entry(7))
    assert Needs.get(other, hash(7)) == entry(7)
    assert {:ok, :done} = Needs.write(other, journal, 10)
    assert Needs.stored(journal, hash(26)) == nil
    # What is known already is nothing new.
    :ok = Needs.put(needs, hash(7), entry(7))
    refute_received {Needs, :fresh}
    :ok = Needs.put(needs, hash(7), entry(8))
    assert_received {Needs, :fresh}
    assert {:ok, :done} = written(needs, journal, 10)
    assert Needs.stored(journal, hash(7)) == entry(8)
  end

  test "no more is kept than may be: the oldest goes", %{store: store, journal: journal} do
    for n <- 1..10, do: :ok = Journal.put_needs(journal, [{hash(n), n}], 4)
    assert Enum.map(1..10, &Journal.needs(journal, hash(&1))) |> Enum.count(&(&1 == :none)) == 6
    assert Journal.needs(journal, hash(10)) == {:ok, 10}
    # One that is put again is new.
    :ok = Journal.put_needs(journal, [{hash(7), 70}, {hash(11), 11}], 4)
    assert Journal.needs(journal, hash(7)) == {:ok, 70}
    assert [[count]] = Store.query!(store, "SELECT count(*) FROM wasgo_world_needs").rows
    assert count <= 4
    many = for n <- 100..200, do: {hash(n), n}
    :ok = Journal.put_needs(journal, many, 4)
    assert [[4]] = Store.query!(store, "SELECT count(*) FROM wasgo_world_needs").rows
    assert Journal.needs(journal, hash(200)) == {:ok, 200}
  end

  test "a row that is damaged is not known, and one who no longer has the world writes nothing",
       %{
         store: store,
         journal: journal
       } do
    :ok = Journal.put_needs(journal, [{hash(1), 1}], 4)
    Store.execute!(store, "UPDATE wasgo_world_needs SET entry = x'0011'")
    assert Journal.needs(journal, hash(1)) == :none
    {:ok, _newer, _known} = Journal.open(store, "garden", 10_000)
    assert {:error, %{reason: :taken_over}} = Journal.put_needs(journal, [{hash(2), 2}], 4)
    assert Journal.needs(journal, hash(2)) == :none
  end
end
