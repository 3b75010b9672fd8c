defmodule Wasgo.GenPreviewTest do
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Mix.Tasks.Wasgo.Preview
  alias Wasgo.{Gen, PlanError}

  doctest Wasgo.Gen.Picture

  setup do
    folder = Path.join(System.tmp_dir!(), "wasgo-preview-#{System.unique_integer([:positive])}")
    File.mkdir_p!(folder)
    on_exit(fn -> File.rm_rf!(folder) end)
    {:ok, folder: folder}
  end

  # Width, height, and the pixels by {column, row} as {red, green, blue}.
  defp pixels(<<0x89, "PNG\r\n", 0x1A, 0x0A, chunks::binary>>) do
    parts = parts(chunks)
    <<width::32, height::32, 8, 2, 0, 0, 0>> = parts["IHDR"]
    raw = :zlib.uncompress(parts["IDAT"])
    assert byte_size(raw) == height * (1 + 3 * width)
    above = List.duplicate(0, 3 * width)

    {rows, _} =
      Enum.map_reduce(0..(height - 1), above, fn row, above ->
        <<filter, bytes::binary>> = binary_part(raw, row * (1 + 3 * width), 1 + 3 * width)
        row = unfilter(filter, :binary.bin_to_list(bytes), above)
        {row, row}
      end)

    found =
      for {row, y} <- Enum.with_index(rows),
          {[red, green, blue], x} <- Enum.with_index(Enum.chunk_every(row, 3)),
          into: %{},
          do: {{x, y}, {red, green, blue}}

    {width, height, found}
  end

  # As the standard of PNG has its filters: from the bytes to the left, above, and above to the left.
  defp unfilter(filter, bytes, above) do
    {row, _, _} =
      bytes
      |> Enum.zip(above)
      |> Enum.reduce({[], [0, 0, 0], [0, 0, 0]}, fn {byte, up},
                                                    {done, [a | left], [c | corner]} ->
        predicted =
          case filter do
            0 -> 0
            1 -> a
            2 -> up
            3 -> div(a + up, 2)
            4 -> Enum.min_by([a, up, c], &abs(a + up - c - &1))
          end

        value = rem(byte + predicted, 256)
        {[value | done], left ++ [value], corner ++ [up]}
      end)

    Enum.reverse(row)
  end

  defp parts(
         <<length::32, name::binary-size(4), data::binary-size(length), _crc::32, rest::binary>>
       ) do
    Map.update(parts(rest), name, data, &(data <> &1))
  end

  defp parts(""), do: %{}

  test "a picture is as large as it should be, and of what it should be" do
    slope = Gen.Field.scale(Gen.Field.coordinate(:x), 0.1)
    land = Gen.plan!(seed: 1, height: slope, water: 0.0, ground: [[color: {1, 0, 0}]])
    {:ok, picture} = Gen.preview(land, size: 32, metres: 640)
    {32, 32, pixels} = pixels(picture.png)

    for y <- [0, 16, 31] do
      {red, green, blue} = pixels[{31, y}]
      assert red > 150 and green < 20 and blue < 20
      {red, _green, blue} = pixels[{0, y}]
      assert red < 60 and blue > 60
    end

    assert inspect(picture) == "#Wasgo.Gen.Picture<32 x 32 pixels of 640.0 m>"
  end

  test "things are drawn, and left out when asked" do
    plan = Gen.plan!(seed: 7)
    with_things = Gen.preview!(plan, size: 128, metres: 128, center: {400, 90})
    without = Gen.preview!(plan, size: 128, metres: 128, center: {400, 90}, scatter: false)
    assert with_things.png != without.png
    assert Gen.preview!(plan, size: 128, metres: 128, center: {400, 90}).png == with_things.png
  end

  test "volumes are drawn from above, at an angle and cut open" do
    ball =
      Gen.plan!(seed: 1, density: Gen.Field.sphere({0, 40, 0}, 20), ground: [[color: {1, 0, 0}]])

    options = [size: 32, metres: 80, scatter: false]

    for view <- [:above, :angle, 60] do
      {32, 32, pixels} = pixels(Gen.preview!(ball, [view: view] ++ options).png)
      {red, green, _blue} = pixels[{16, 16}]
      assert red > 2 * green
      {red, green, _blue} = pixels[{1, 16}]
      refute red > 2 * green
    end

    {32, 32, pixels} = pixels(Gen.preview!(ball, [below: 40] ++ options).png)
    {red, _green, _blue} = pixels[{16, 16}]
    assert red < 100
  end

  test "hills hide what is behind them, seen at an angle" do
    plan = Gen.plan!(seed: 7)
    options = [size: 64, metres: 200, scatter: false]
    above = Gen.preview!(plan, options)
    assert Gen.preview!(plan, [view: 90] ++ options).png == above.png
    refute Gen.preview!(plan, [view: :angle] ++ options).png == above.png
  end

  test "chunks are made while a picture is drawn" do
    plan = Gen.plan!(seed: 7)
    caves = Gen.plan!(seed: 1, density: Gen.Field.noise(frequency: 0.05, dimensions: 3))
    pictures = for _ <- 1..4, do: Task.async(fn -> Gen.preview!(caves, size: 128, metres: 90) end)
    chunks = for x <- 1..8, do: Gen.chunk!(plan, {x, 0})
    assert Enum.map(chunks, & &1.coordinate) == for(x <- 1..8, do: {x, 0})
    assert [_one] = pictures |> Task.await_many(:infinity) |> Enum.map(& &1.png) |> Enum.uniq()
  end

  test "views out of range are refused by what is wrong with them" do
    plan = Gen.plan!(seed: 7)

    for {options, field} <- [
          {[metres: 0.5], "metres"},
          {[metres: 2_000_000], "metres"},
          {[center: {2_000_000, 0}], "center"},
          {[center: {0, -1_048_576}], "center"}
        ] do
      assert {:error, %PlanError{reason: :out_of_range, field: ^field}} =
               Gen.preview(plan, options)
    end

    assert_raise ArgumentError, ~r/size/, fn -> Gen.preview(plan, size: 5000) end

    for {options, field} <- [
          {[view: 5], "angle"},
          {[view: 91.0], "angle"},
          {[below: 20_000], "below"},
          {[view: :angle, metres: 200_000], "metres"}
        ] do
      assert {:error, %PlanError{reason: :out_of_range, field: ^field}} =
               Gen.preview(plan, options)
    end

    assert_raise ArgumentError, ~r/:view/, fn -> Gen.preview(plan, view: :below) end
  end

  test "the task draws plans from code, text and seeds", %{folder: folder} do
    code = Path.join(folder, "dunes.exs")
    File.write!(code, "Wasgo.Gen.plan!(seed: 3, height: Wasgo.Gen.Field.billow(frequency: 0.01))")
    text = Path.join(folder, "plan.json")
    File.write!(text, Gen.Plan.to_json(Gen.plan!(seed: 4)))
    out = Path.join(folder, "out.png")

    for plan <- [code, text, "42"] do
      arguments = ~w(--size 64 --metres 200 --center 10,-20 --angle 40 --below 12.5 --out)
      arguments = [plan | arguments] ++ [out]
      assert capture_io(fn -> Preview.run(arguments) end) =~ "64 x 64 pixels of 200.0 m in "
      assert {64, 64, _} = pixels(File.read!(out))
      File.rm!(out)
    end
  end

  test "the task says what is wrong", %{folder: folder} do
    other = Path.join(folder, "other.exs")
    File.write!(other, ":nothing")
    broken = Path.join(folder, "broken.json")
    File.write!(broken, "{}")

    for {arguments, words} <- [
          {[], ~r/draws one plan, and was given 0/},
          {["a", "b"], ~r/was given 2/},
          {["7", "--sise", "3"], ~r/does not know --sise/},
          {["7", "--center", "here"], ~r/two numbers/},
          {["7", "--size", "5"], ~r/size/},
          {["7", "--metres", "0.1"], ~r/metres is 0.1, allowed: 1 to 1000000/},
          {[Path.join(folder, "none.exs")], ~r/there is no file/},
          {[Path.join(folder, "none.json")], ~r/can't be read/},
          {[other], ~r/ends with :nothing, not with a Wasgo.Gen.Plan/},
          {[broken], ~r/broken.json: missing field/},
          {["7", "--size", "16", "--out", Path.join(folder, "no/where.png")],
           ~r/can't be written/}
        ] do
      assert_raise Mix.Error, words, fn -> capture_io(fn -> Preview.run(arguments) end) end
    end
  end
end
