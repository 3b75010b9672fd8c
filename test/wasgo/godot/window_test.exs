defmodule Wasgo.Godot.WindowTest do
  use ExUnit.Case, async: true

  alias Wasgo.Godot.Connection.Window

  test "the same and later numbers are taken, earlier ones and those of the future are not" do
    window = Enum.reduce([10, 20, 30], Window.new(100), &Window.push(&2, &1))
    assert {window.last, window.outstanding, window.bytes} == {3, 60, 60}
    assert {:error, :future} = Window.acknowledge(window, 4)
    assert {:ok, window} = Window.acknowledge(window, 2)
    assert {:ok, ^window} = Window.acknowledge(window, 2)
    assert {:error, :past} = Window.acknowledge(window, 1)
    assert {:error, :past} = Window.acknowledge(window, -5)
    assert {window.acknowledged, window.outstanding, window.bytes} == {2, 30, 60}
  end

  # Without a library: 300 walks of 200 steps, each from the test's own seed.
  test "whatever comes, no more than the limit is outstanding but for one larger frame alone" do
    for walk <- 1..300 do
      limit = 50 + rem(walk * 37, 1000)

      Enum.reduce(1..200, {Window.new(limit), []}, fn _step, {window, sizes} ->
        {window, sizes} = step(:rand.uniform(3), window, sizes)
        outstanding = Enum.drop(sizes, window.acknowledged)
        assert window.outstanding == Enum.sum(outstanding)
        assert window.bytes == Enum.sum(sizes)
        assert window.last == length(sizes)
        assert window.outstanding <= limit or length(outstanding) == 1
        {window, sizes}
      end)
    end
  end

  defp step(1, window, sizes) do
    seq = window.acknowledged - 2 + :rand.uniform(window.last - window.acknowledged + 4)

    case Window.acknowledge(window, seq) do
      {:ok, after_it} ->
        assert after_it.acknowledged == seq
        {after_it, sizes}

      {:error, :future} ->
        assert seq > window.last
        {window, sizes}

      {:error, :past} ->
        assert seq < window.acknowledged
        {window, sizes}
    end
  end

  defp step(_send, window, sizes) do
    size = :rand.uniform(400)

    if Window.room?(window, size),
      do: {Window.push(window, size), sizes ++ [size]},
      else: {window, sizes}
  end
end
