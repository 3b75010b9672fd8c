defmodule Wasgo.Gen.ViewersTest do
  use ExUnit.Case, async: true

  alias Wasgo.Gen.Viewers
  alias Wasgo.{LimitError, PlanError}

  doctest Wasgo.Gen.Viewers

  setup do
    {:ok, viewers} = Viewers.start_link()
    {:ok, viewers: viewers}
  end

  defp ids(viewers), do: Enum.map(Viewers.list(viewers), & &1.id)

  test "a viewer is moved in its place, and gone when it is deleted", %{viewers: viewers} do
    for id <- [:a, :b, :c], do: :ok = Viewers.put(viewers, id, {1, 2, 3})
    :ok = Viewers.put(viewers, :a, {4, 5}, radius: 7, level: 2)

    assert [%{id: :a, position: position, radius: 7.0, level: 2}, %{id: :b, radius: 512.0}, _] =
             Viewers.list(viewers)

    assert position == {4.0, 0.0, 5.0}
    :ok = Viewers.delete(viewers, :b)
    :ok = Viewers.delete(viewers, :b)
    assert ids(viewers) == [:a, :c]
  end

  test "what is wrong with a viewer is named, and changes nothing", %{viewers: viewers} do
    :ok = Viewers.put(viewers, "ada", {0, 0})
    before = Viewers.list(viewers)

    for {position, options, field, words} <- [
          {{0, 0}, [radius: 1.0e6], "radius",
           "radius is 1000000.0, allowed: above 0, at most 65536"},
          {{0, 0}, [radius: 1.0e308], "radius", "radius is 1.0e308"},
          {{0, 0}, [radius: 0], "radius", "radius is 0,"},
          {{0, 0}, [radius: -1], "radius", "radius is -1,"},
          {{0, 0}, [radius: "far"], "radius", ~s(radius is "far")},
          {{0, 0}, [radius: Bitwise.bsl(1, 5000)], "radius", "an integer of 5001 bits"},
          {{0x7FFF_FFFF, 0}, [], "position", "x is 2147483647, allowed: -1048576 to 1048576"},
          {{0, -0x8000_0000_0000_0000}, [], "position", "z is -9223372036854775808"},
          {{0, 1.0e308, 0}, [], "position", "y is 1.0e308"},
          {{Bitwise.bsl(1, 9999), 0}, [], "position", "x is an integer of 10000 bits"},
          {:here, [], "position", "position is :here, allowed: {x, y, z} or {x, z} in metres"},
          {{1, 2, 3, 4}, [], "position", "position is {1, 2, 3, 4}"},
          {{"1", 2}, [], "position", "position is"},
          {{0, 0}, [level: 13], "level", "level is 13, allowed: 0 to 12"},
          {{0, 0}, [level: -1], "level", "level is -1"},
          {{0, 0}, [level: 1.0], "level", "level is 1.0"}
        ] do
      assert {:error, %PlanError{reason: :out_of_range, field: ^field} = error} =
               Viewers.put(viewers, "ada", position, options)

      assert Exception.message(error) =~ ~s(viewer "ada": )
      assert Exception.message(error) =~ words
    end

    assert Viewers.list(viewers) == before

    assert_raise ArgumentError, ~r/no option :size/, fn ->
      Viewers.put(viewers, 1, {0, 0}, size: 1)
    end

    # The edge of the world is in it.
    assert Viewers.put(viewers, 1, {1_048_576, -1_048_576, 1_048_576}, radius: 65_536) == :ok
  end

  test "there are only so many" do
    {:ok, viewers} = Viewers.start_link(max_viewers: 2)
    for id <- [1, 2], do: :ok = Viewers.put(viewers, id, {0, 0})

    assert {:error, %LimitError{reason: :viewers, value: 2} = error} =
             Viewers.put(viewers, 3, {0, 0})

    assert Exception.message(error) == "viewer 3 is one too many: 2 are there, allowed: 2"
    assert Viewers.put(viewers, 2, {1, 1}) == :ok
    Viewers.delete(viewers, 1)
    assert Viewers.put(viewers, 3, {0, 0}) == :ok
  end

  test "a viewer leaves with its owner, and with no former one", %{viewers: viewers} do
    [one, other] = for _ <- 1..2, do: spawn(fn -> receive do: (:die -> :ok) end)
    :ok = Viewers.put(viewers, :moved, {0, 0}, owner: one)
    :ok = Viewers.put(viewers, :moved, {1, 1}, owner: other)
    :ok = Viewers.put(viewers, :free, {0, 0}, owner: one)
    :ok = Viewers.put(viewers, :free, {0, 0})
    :ok = Viewers.put(viewers, :owned, {0, 0}, owner: one)
    :ok = Viewers.put(viewers, :owned, {5, 5}, owner: one)
    end_of(one)
    assert ids(viewers) == [:moved, :free]
    end_of(other)
    assert ids(viewers) == [:free]
    # One who is dead already has left at once.
    :ok = Viewers.put(viewers, :late, {0, 0}, owner: one)
    assert ids(viewers) == [:free]
  end

  defp end_of(pid) do
    ref = Process.monitor(pid)
    send(pid, :die)
    assert_receive {:DOWN, ^ref, _, _, _}
  end

  test "a follower that doesn't ask is told once, however much is changed", %{viewers: viewers} do
    {:ok, ref, []} = Viewers.follow(viewers)
    for x <- 1..100, do: :ok = Viewers.put(viewers, 1, {x, 0})
    assert_received {Viewers, ^ref, :changed}
    refute_received _
    assert {:ok, [%{position: position}]} = Viewers.now(viewers, ref)
    assert position == {100.0, 0.0, 0.0}
    # What is as it was is no change.
    :ok = Viewers.put(viewers, 1, {100, 0})
    refute_received _
    :ok = Viewers.delete(viewers, 1)
    assert_received {Viewers, ^ref, :changed}
    :ok = Viewers.put(viewers, 1, {100, 0})
    Viewers.unfollow(viewers, ref)
    refute_received _
  end

  test "followers that die are forgotten", %{viewers: viewers} do
    test = self()

    follower =
      spawn(fn ->
        send(test, Viewers.follow(viewers))
        receive do: (:die -> :ok)
      end)

    assert_receive {:ok, _ref, []}
    end_of(follower)
    assert Viewers.list(viewers) == []
    assert :sys.get_state(viewers).followers == %{}
  end
end
