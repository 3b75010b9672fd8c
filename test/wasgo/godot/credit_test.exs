defmodule Wasgo.Godot.CreditTest do
  use ExUnit.Case, async: true

  alias Wasgo.Godot.Connection.Credit

  defp granted(bytes, work) do
    {:ok, credit} = Credit.grant(Credit.new(), bytes, work)
    credit
  end

  test "nothing goes before it is granted, and one frame however large once anything is" do
    refute Credit.room?(Credit.new(), "chunk", 1)
    refute Credit.room?(granted(0, 1_000), "chunk", 1)
    refute Credit.room?(granted(1_000, 0), "chunk", 1)
    credit = granted(1, 1)
    assert Credit.room?(credit, "chunk", 50_000_000)
    credit = Credit.push(credit, "chunk", 50_000_000)
    refute Credit.room?(credit, "chunk", 1)
    # It has used up more than was granted: the next waits until there is more.
    {:ok, credit} = Credit.acknowledge(credit, 1, 0)
    refute Credit.room?(credit, "chunk", 1)
    {:ok, credit} = Credit.grant(credit, 50_000_001, 1)
    assert Credit.room?(credit, "chunk", 1_000)
  end

  test "what frames cost is learned from what those of their kind have cost" do
    credit = granted(1_000_000_000, 10_000)

    # 10 us a kilobyte, five times what was expected.
    credit =
      Enum.reduce(1..40, credit, fn number, credit ->
        assert Credit.room?(credit, "chunk", 1_000)
        credit = Credit.push(credit, "chunk", 1_000)
        {:ok, credit} = Credit.acknowledge(credit, number, number * 10)
        credit
      end)

    assert_in_delta credit.costs["chunk"], 0.01, 0.0005
    # 400 us are spent: of the 9,600 that are left 960 kB can be had, and no more.
    assert Credit.room?(Credit.push(credit, "chunk", 900_000), "chunk", 20_000)
    refute Credit.room?(Credit.push(credit, "chunk", 900_000), "chunk", 100_000)
  end

  test "numbers and grants never go back, nor beyond what was sent" do
    credit = Credit.push(Credit.push(granted(100, 100), "chunk", 40), "chunk", 40)
    assert {:error, :future} = Credit.acknowledge(credit, 3, 0)
    assert {:ok, credit} = Credit.acknowledge(credit, 1, 7)
    assert {:ok, ^credit} = Credit.acknowledge(credit, 1, 7)
    assert {:error, :past} = Credit.acknowledge(credit, 0, 7)
    assert {:error, :past} = Credit.acknowledge(credit, 1, 6)
    assert {:error, :past} = Credit.grant(credit, 99, 100)
    assert {:error, :past} = Credit.grant(credit, 100, 99)
    assert {:ok, _credit} = Credit.grant(credit, 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
  end

  test "whatever comes, no more bytes are under way than were granted but for one frame alone" do
    for walk <- 1..200 do
      :rand.seed(:exsss, {walk, 2, 3})

      Enum.reduce(1..200, {Credit.new(), []}, fn _step, {credit, sizes} ->
        {credit, sizes} = step(:rand.uniform(4), credit, sizes)
        outstanding = Enum.drop(sizes, credit.acknowledged)
        assert credit.outstanding == Enum.sum(outstanding)
        assert credit.bytes == Enum.sum(sizes)
        assert credit.last == length(sizes)
        assert credit.expected >= 0
        assert credit.bytes <= credit.granted_bytes or length(outstanding) <= 1
        {credit, sizes}
      end)
    end
  end

  defp step(1, credit, sizes) do
    more = credit.granted_bytes + :rand.uniform(2_000)
    {:ok, credit} = Credit.grant(credit, more, credit.granted_work + :rand.uniform(50))
    {credit, sizes}
  end

  defp step(2, %{acknowledged: done, last: last} = credit, sizes) when done < last do
    number = done + :rand.uniform(last - done)
    {:ok, credit} = Credit.acknowledge(credit, number, credit.work + :rand.uniform(20) - 1)
    {credit, sizes}
  end

  defp step(_send, credit, sizes) do
    size = :rand.uniform(1_500)
    kind = Enum.random(["chunk", "asset", "unload"])

    if Credit.room?(credit, kind, size),
      do: {Credit.push(credit, kind, size), sizes ++ [size]},
      else: {credit, sizes}
  end
end
