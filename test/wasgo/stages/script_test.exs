defmodule Wasgo.Stages.ScriptTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{Buffer, DecodeError, Gen, LimitError, LinkError, Pipeline, Rows, Script, TrapError}
  alias Wasgo.Gen.Chunk
  alias Wasgo.Stages

  doctest Wasgo.Stages.Script

  defp run(buffers, options),
    do: buffers |> Pipeline.through({Stages.Script, options}) |> Enum.to_list()

  describe "over payloads" do
    test "the script's bytes take the place of the buffer's, and the rest stays" do
      buffer = %Buffer{payload: "in", pts: 7, dts: 6, metadata: %{from: "here"}}
      script = Script.new!(answering("out"))
      assert run([buffer], script: script) == [{:ok, %{buffer | payload: "out"}}]
    end

    test "a buffer that the script fails on is an error in its place" do
      script = Script.new!(echo(), limits: [input: 100])

      buffers =
        for payload <- ["a", "!", "b", "~", :binary.copy("x", 101), "c"], do: Buffer.new(payload)

      assert [
               {:ok, %{payload: "a"}},
               {:error, %TrapError{reason: :unreachable}},
               {:ok, %{payload: "b"}},
               {:error, %LimitError{reason: :time, value: 1_000}},
               {:error, %LimitError{reason: :input_size}},
               {:ok, %{payload: "c"}}
             ] = run(buffers, script: script, timeout: 1_000)
    end
  end

  describe "over instances" do
    setup do
      {:ok, chunk: Gen.chunk!(Gen.plan!(seed: 7), {0, 0})}
    end

    test "the script decides what stands on a chunk", %{chunk: chunk} do
      thin = Script.new!(File.read!("guest/scripts/thin.wasm"))
      buffer = Buffer.new(chunk, metadata: %{coordinate: {0, 0}})
      assert [{:ok, thinned}] = run([buffer], script: thin, over: :instances)
      assert Chunk.count(thinned.payload) in 1..(Chunk.count(chunk) - 1)
      assert %{thinned | payload: chunk} == buffer
      assert thinned.payload.heights == chunk.heights
      assert [{:ok, bare}] = run([buffer], script: Script.new!(answering("")), over: :instances)
      assert Chunk.count(bare.payload) == 0
    end

    test "a table that makes no sense is refused", %{chunk: chunk} do
      for rubbish <- ["x", :binary.copy(<<255>>, 32), binary_part(chunk.scatter, 0, 33)] do
        assert [{:error, %DecodeError{} = error}] =
                 run([Buffer.new(chunk)],
                   script: Script.new!(answering(rubbish)),
                   over: :instances
                 )

        assert Exception.message(error) =~ "the instance table is refused"
      end
    end
  end

  describe "over rows" do
    defp rows(values),
      do: Buffer.new(Rows.new(["x"], for({id, value} <- values, do: {id, [value]})), pts: 3)

    test "each row goes through, and those that nothing is said of are left out" do
      script = Script.new!(echo("position:x"))
      assert [{:ok, buffer}] = run([rows([{5, 1.5}, {6, 2.5}])], script: script, over: :rows)
      assert buffer == %{rows([]) | payload: Rows.new(["position:x"], [{5, [1.5]}, {6, [2.5]}])}
      assert [{:ok, silent}] = run([rows([{5, 1.5}])], script: script, over: :rows, what: 98)
      assert silent.payload == Rows.new(["position:x"], [])
      assert [{:ok, named}] = run([rows([{5, 1.5}])], script: script, over: :rows, what: :ready)
      assert Rows.count(named.payload) == 1
    end

    test "a row that fails costs itself, and the first error is kept with their number" do
      script = Script.new!(echo("position:x"))

      assert [{:ok, buffer}] =
               run([rows([{1, 1}, {2, 7}, {3, 3}, {4, 7}])], script: script, over: :rows)

      assert buffer.payload == Rows.new(["position:x"], [{1, [1]}, {3, [3]}])
      assert {2, %TrapError{reason: :unreachable}} = buffer.metadata.script_errors
    end

    test "a loop costs the buffer" do
      script = Script.new!(echo())

      assert [{:error, %LimitError{reason: :time, value: 30}}] =
               run([rows([{1, 1}])], script: script, over: :rows, what: 97, timeout: 30)
    end

    test "columns that have no names are numbered, and rows of another length than the first are errors" do
      script = Script.new!(echo())
      uneven = %Rows{columns: ["x"], ids: [1, 2, 3, 4], rows: [[1, 2], [3], [4, 5], []]}
      assert [{:ok, buffer}] = run([Buffer.new(uneven)], script: script, over: :rows)
      assert buffer.payload == Rows.new(["column_1", "column_2"], [{1, [1, 2]}, {3, [4, 5]}])
      assert {2, %DecodeError{} = error} = buffer.metadata.script_errors
      assert Exception.message(error) =~ "1 values"

      assert [{:ok, %{payload: %Rows{columns: [], ids: []}}}] =
               run([rows([])], script: script, over: :rows)
    end
  end

  test "a payload of another kind is an error that says what it takes" do
    script = Script.new!(echo())

    for {over, kind} <- [
          payload: "a binary",
          instances: "a Wasgo.Gen.Chunk",
          rows: "a Wasgo.Rows"
        ] do
      assert [{:error, %DecodeError{} = error}] =
               run([Buffer.new(:something)], script: script, over: over)

      assert Exception.message(error) ==
               "a script stage over #{inspect(over)} takes #{kind}, and got :something"
    end
  end

  test "a script that offers nothing of the kind can't begin" do
    for {file, over, name} <- [
          {"wander", :payload, "process"},
          {"wander", :instances, "process"},
          {"thin", :rows, "_notification"}
        ] do
      script = Script.new!(File.read!("guest/scripts/#{file}.wasm"), name: file)

      assert [{:error, %LinkError{reason: :missing_export, name: ^name} = error}] =
               run([Buffer.new("x"), Buffer.new("y")], script: script, over: over)

      assert Exception.message(error) =~ ~s|#Wasgo.Script<"#{file}"|

      assert Exception.message(error) =~
               "exports no #{name}, which a stage over #{inspect(over)} calls"
    end
  end

  test "options are checked when the pipeline is built" do
    script = Script.new!(echo())

    for {options, words} <- [
          {[], ~r/needs the option :script: a Wasgo.Script/},
          {[script: "x"], ~r/option :script/},
          {[script: script, over: :all], ~r/option :over .* one of :payload, :instances, :rows/},
          {[script: script, what: :fly], ~r/option :what/},
          {[script: script, what: 0x8000_0000], ~r/option :what/},
          {[script: script, timeout: 0], ~r/option :timeout/}
        ] do
      assert_raise ArgumentError, words, fn -> Pipeline.through([], {Stages.Script, options}) end
    end
  end
end
