defmodule Wasgo.Script.TraceTest do
  use ExUnit.Case, async: true

  doctest Wasgo.Script.SourceMap
  doctest Wasgo.Script.Trace

  alias Wasgo.Script
  alias Wasgo.Script.{SourceMap, Trace}

  @digits ~c"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  @wat """
  (module
    (memory (export "memory") 1)
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8))
    (func $divide (param i32) (result i32)
      (i32.div_s (i32.const 7) (local.get 0)))
    (func $hop (export "process") (param i32 i32) (result i64)
      (i64.extend_i32_s
        (call $divide (i32.const 0)))))
  """

  defp vlq(number) when number < 0, do: digits(Bitwise.bor(Bitwise.bsl(-number, 1), 1))
  defp vlq(number), do: digits(Bitwise.bsl(number, 1))

  defp digits(number) when number < 32, do: [Enum.at(@digits, number)]

  defp digits(number),
    do: [Enum.at(@digits, rem(number, 32) + 32) | digits(Bitwise.bsr(number, 5))]

  # The mappings of `[{byte, source, line, column}]`.
  defp mappings(places) do
    {texts, _last} =
      Enum.map_reduce(places, {0, 0, 0, 0}, fn place, last ->
        numbers = Enum.zip_with(Tuple.to_list(place), Tuple.to_list(last), &(&1 - &2))
        {Enum.map(numbers, &vlq/1), place}
      end)

    texts |> Enum.intersperse(",") |> IO.iodata_to_binary()
  end

  defp map(places, sources \\ ["a.ts", "b.ts"]) do
    {:ok, map} =
      SourceMap.parse(%{"version" => 3, "sources" => sources, "mappings" => mappings(places)})

    map
  end

  defp failed(source) do
    {:error, error} = source |> Script.new!() |> Script.process("")
    error
  end

  test "the lines of WAT text are found for every function that a script was in" do
    error = failed(@wat)
    assert error.reason == :integer_division_by_zero
    assert [inner, outer] = Trace.of(error, @wat)
    assert %{function: "divide", file: nil, line: 5, column: 6} = inner
    assert %{function: "hop", line: 8} = outer
    assert Enum.map([inner, outer], & &1.offset) == error.offsets
  end

  test "without a source there are functions and offsets" do
    assert [%{function: "divide", offset: offset, line: nil}, _outer] =
             Trace.of(failed(@wat), nil)

    assert is_integer(offset)
    assert Trace.of(%Wasgo.LimitError{reason: :time, message: ""}, @wat) == []
  end

  test "a source map in the module is what counts" do
    {:ok, wasm} = File.read("guest/scripts/wander.wasm")
    {:ok, mapped} = SourceMap.embed(wasm, map([{10, 1, 4, 2}, {40, 0, 11, 0}]))

    error = %Wasgo.TrapError{
      reason: :trap,
      message: "",
      backtrace: ["f", "g", "h"],
      offsets: [41, 39, 5]
    }

    assert [%{file: "a.ts", line: 12, column: 1}, %{file: "b.ts", line: 5, column: 3}, last] =
             Trace.of(error, mapped)

    assert %{function: "h", offset: 5, file: nil, line: nil} = last
    assert Script.new!(mapped).columns == Script.new!(wasm).columns
  end

  # asc hop.ts -o hop.wasm -O3 --runtime stub --sourceMap, the texts of the library taken out of the map.
  test "what AssemblyScript's compiler writes is read" do
    folder = "test/fixtures/source_map"
    {:ok, map} = SourceMap.parse(File.read!(Path.join(folder, "hop.wasm.map")))
    assert [%{file: "hop.ts", text: text}] = SourceMap.sources(map)
    assert text == File.read!(Path.join(folder, "hop.ts"))
    {:ok, module} = SourceMap.embed(File.read!(Path.join(folder, "hop.wasm")), map)
    script = Script.new!(module)
    {:error, divided} = Script.notify(script, 10_001, [1, 2.0])
    assert [%{file: "hop.ts", line: 11} | _] = Trace.of(divided, module)
    {:error, thrown} = Script.notify(script, 10_002, [1, 2.0])
    assert thrown.reason == :abort
    assert [%{file: "hop.ts", line: 19, column: 5} | _] = Trace.of(thrown, module)
  end

  test "whatever places a map is made of, it finds them again" do
    :rand.seed(:exsss, {1, 2, 3})

    for _ <- 1..100 do
      places =
        for at <-
              Enum.uniq(for _ <- 1..:rand.uniform(50), do: :rand.uniform(1_000_000))
              |> Enum.sort() do
          {at, :rand.uniform(2) - 1, :rand.uniform(100_000) - 1, :rand.uniform(300) - 1}
        end

      map = map(places)

      for {at, source, line, column} <- places do
        file = Enum.at(["a.ts", "b.ts"], source)
        assert SourceMap.find(map, at) == %{file: file, line: line + 1, column: column + 1}
      end

      {first, _, _, _} = hd(places)
      assert SourceMap.find(map, first - 1) == nil
    end
  end

  test "what is no source map is refused with a reason, whatever it is" do
    good = %{"version" => 3, "sources" => ["a"], "mappings" => "AAAA"}

    for {change, words} <- [
          {%{"version" => 2}, "no version 3"},
          {%{"sources" => [1]}, "sources are not texts"},
          {%{"sourcesContent" => 7}, "sourcesContent"},
          {%{"mappings" => "AA"}, "mappings"},
          {%{"mappings" => "AAA!"}, "mappings"},
          {%{"mappings" => "ADAA"}, "mappings"},
          {%{"mappings" => "AAAAAA"}, "mappings"},
          {%{"mappings" => "gggggggggggggggA"}, "mappings"}
        ] do
      assert {:error, error} = SourceMap.parse(Map.merge(good, change))
      assert Exception.message(error) =~ words
    end

    assert {:error, _} = SourceMap.parse("{")
    assert {:error, _} = SourceMap.parse("7")
    {:ok, map} = SourceMap.parse(good)
    assert {:error, _} = SourceMap.embed("(module)", map)
  end

  test "modules that are cut off or have sections that lie have no map" do
    {:ok, wasm} = SourceMap.embed(<<0, "asm", 1::32-little>>, map([{1, 0, 0, 0}]))
    assert {:ok, _map} = SourceMap.of_module(wasm)

    for length <- 0..(byte_size(wasm) - 1),
        do: assert(SourceMap.of_module(binary_part(wasm, 0, length)) == :none)

    assert SourceMap.of_module(<<0, "asm", 1::32-little, 0, 255, 255, 255, 255, 255, 255>>) ==
             :none
  end
end
