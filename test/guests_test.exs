defmodule Wasgo.GuestsTest do
  # The sample scripts that are core modules, as they are committed.
  use ExUnit.Case, async: true

  alias Wasgo.Script

  @signpost File.read!("guest/scripts/signpost.wasm")
  @shy File.read!("guest/scripts/shy.wasm")
  @lamp File.read!("guest/scripts/lamp.wat")

  # Close enough for numbers that were computed.
  defp assert_near(numbers, expected) do
    assert length(numbers) == length(expected)

    for {number, wanted} <- Enum.zip(numbers, expected) do
      assert_in_delta number, wanted, 1.0e-9
    end
  end

  describe "lamp.wat" do
    setup do
      {:ok, script: Script.new!(@lamp, name: "lamp")}
    end

    test "is dark by day, full at night, and half way in between", %{script: script} do
      assert script.exports == [:notification]
      assert script.columns == ["light_energy", "visible"]

      for {hour, row} <- [
            {0.0, [1.0, 1]},
            {5.0, [1.0, 1]},
            {6.0, [0.5, 1]},
            {7.0, [0.0, 0]},
            {12, [0.0, 0]},
            {18, [0.5, 1]},
            {23.5, [1.0, 1]}
          ] do
        assert Script.notify(script, :process, [hour]) == {:ok, row}
      end
    end

    test "changes nothing without an hour, or for another notification", %{script: script} do
      for row <- [[], [nil], ["noon"], [{:blob, "12345678"}], [:nan]] do
        assert Script.notify(script, :process, row) == {:ok, nil}
      end

      assert Script.notify(script, :ready, [0.0]) == {:ok, nil}
    end
  end

  describe "shy.rs" do
    setup do
      {:ok, script: Script.new!(@shy, name: "shy")}
    end

    defp step(script, row), do: Script.notify(script, :physics_process, row)

    test "runs from visitors, from the nearest the most", %{script: script} do
      assert script.columns == ["position:x", "position:z", "rotation:y"]

      # At x 3 with home at 0: a visitor behind it drives it on, one in front of it drives it back.
      assert {:ok, row} = step(script, [0.05, 3.0, 0.0, 0.0, 0.0, 1.0, 0.0])
      assert_near(row, [3.25, 0.0, -:math.pi() / 2])
      assert {:ok, row} = step(script, [0.05, 3.0, 0.0, 0.0, 0.0, 5.0, 0.0])
      assert_near(row, [2.75, 0.0, :math.pi() / 2])
      assert {:ok, [x, _z, _turn]} = step(script, [0.05, 3, 0, 0, 0, 1, 0, 8, 0])
      assert x > 3.0
      assert {:ok, [x, _z, _turn]} = step(script, [0.05, 3, 0, 0, 0, -2, 0, 4, 0])
      assert x < 3.0
      assert {:ok, [_x, _z, _turn]} = step(script, [0.05, 3, 0, 0, 0, 3, 0])
    end

    test "walks home when nobody is near, and rests there", %{script: script} do
      assert {:ok, row} = step(script, [0.05, 3.0, 4.0, 0.0, 0.0, 3.0, 12.0])
      assert_near(row, [3.0 - 0.6 * 0.06, 4.0 - 0.8 * 0.06, :math.atan2(0.6, 0.8)])
      assert step(script, [0.05, 0.05, 0.0, 0.0, 0.0]) == {:ok, nil}
      assert {:ok, row} = step(script, [60.0, 0.11, 0.0, 0.0, 0.0])
      assert_near(row, [0.0, 0.0, :math.pi() / 2])
    end

    test "stays where it is when its row is not what it should be", %{script: script} do
      for row <- [[], [0.05, 3.0, 0.0, 0.0], [:nan, 1, 1, 0, 0], [0.05, :infinity, 1, 0, 0]] do
        assert step(script, row) == {:ok, nil}
      end

      # Half a visitor, and ones that are nowhere, are none.
      assert step(script, [0.05, 0, 0, 0, 0, 1]) == {:ok, nil}
      assert step(script, [0.05, 0, 0, 0, 0, :nan, 1, :infinity, 0]) == {:ok, nil}
      assert Script.notify(script, :process, [0.05, 3, 0, 0, 0]) == {:ok, nil}
    end
  end

  describe "signpost.c" do
    setup do
      {:ok, script: Script.new!(@signpost, name: "signpost")}
    end

    defp sign(script, row), do: Script.notify(script, :ready, row)

    test "names the four nearest places, with distance and direction", %{script: script} do
      assert script.columns == ["text"]

      places = [
        "Whitlow",
        120.0,
        0.0,
        "Ära",
        0.0,
        -15.4,
        "Hill",
        -3000,
        3000,
        "Mill",
        900.0,
        900.0
      ]

      assert sign(script, [0.0, 0.0 | places ++ ["Farthest", 9000.0, 9000.0]]) ==
               {:ok, ["Ära  15 m N\nWhitlow  120 m E\nMill  1.3 km SE\nHill  4.2 km SW"]}

      for places <- [
            ["AB", 130, 0, "A", 120, 10, "B", 110, 0],
            ["B", 110, 0, "A", 120, 10, "AB", 130, 0]
          ] do
        assert sign(script, [120.0, 0.0 | places]) == {:ok, ["A  10 m S\nAB  10 m E\nB  10 m W"]}
      end
    end

    test "cuts long names between characters", %{script: script} do
      assert sign(script, [0, 0, String.duplicate("x", 39) <> "ä", 5.0, 0.0]) ==
               {:ok, [String.duplicate("x", 39) <> "  5 m E"]}

      long = String.duplicate("long name ", 5_000)
      rows = List.duplicate(long, 4) |> Enum.flat_map(&[&1, 1.0e9, 1.0e12])
      assert {:ok, [text]} = sign(script, [0.0, 0.0 | rows])
      assert [line, line, line, line] = String.split(text, "\n")
      assert line == String.slice(long, 0, 40) <> "  1000000.0 km S"
    end

    test "is empty without places, and the same again after many", %{script: script} do
      assert sign(script, [1.0, 1.0]) == {:ok, [""]}
      assert sign(script, [1.0]) == {:ok, nil}
      assert sign(script, [0, 0, "nowhere", :nan, 0, nil, :infinity, 0]) == {:ok, [""]}
      assert Script.notify(script, :process, [0, 0, "A", 1, 1]) == {:ok, nil}

      # 340 places take 11 KiB: memory that is not given back would be full, with 64 MiB, before the end.
      many = [0, 0 | Enum.flat_map(1..340, &["place #{&1}", &1, 0])]
      rows = List.duplicate(many, 1_000)

      for _again <- 1..8 do
        assert {:ok, answers} = Script.notify_many(script, :ready, rows)
        assert [{:ok, [text]}] = Enum.uniq(answers)
        assert text =~ ~r/\Aplace 1  1 m E\n/
      end
    end
  end
end
