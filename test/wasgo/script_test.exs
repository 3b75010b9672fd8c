defmodule Wasgo.ScriptTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{DecodeError, InstanceError, LimitError, LinkError, Script, TrapError}

  doctest Wasgo.Script

  @wander File.read!("guest/scripts/wander.wasm")
  @thin File.read!("guest/scripts/thin.wasm")

  # A row as a script would write it, true or not.
  defp raw(count, size, slots, heap \\ "") do
    slots =
      for {type, length, data} <- slots,
          into: "",
          do: <<type::32-little, length::32-little, data::64-little>>

    <<count::32-little, size::32-little, slots::binary, heap::binary>>
  end

  describe "the committed scripts" do
    test "wander moves a creature about its home, the same way every time" do
      script = Script.new!(@wander, name: "wander")
      assert script.exports == [:notification]
      assert script.columns == ["position:x", "position:y", "position:z", "rotation:y"]

      for id <- 1..8, time <- [0.0, 1.5, 100.0] do
        assert {:ok, [x, y, z, turn]} =
                 row = Script.notify(script, :process, [id, time, 10.0, 2.0, 20.0, 0.0])

        assert Enum.all?([x, y, z, turn], &is_float/1)
        assert abs(x - 10.0) <= 6 and abs(z - 20.0) <= 6 and y >= 2.0
        assert Script.notify(script, :process, [id, time, 10.0, 2.0, 20.0, 0.0]) == row
      end

      assert {:ok, [{:ok, one}, {:ok, other}]} =
               Script.notify_many(script, :process, [
                 [1, 5.0, 0.0, 0.0, 0.0, 0.0],
                 [1, 5.0, 0.0, 0.0, 0.0, 1.0]
               ])

      assert one != other
      assert Script.notify(script, :ready, [1, 0.0, 10.0, 2.0, 20.0, 0.0]) == {:ok, nil}
    end

    test "thin leaves a part of what stands on a chunk, the same every time" do
      script = Script.new!(@thin)
      assert script.exports == [:process]
      chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {1, 2})
      assert {:ok, table} = Script.process(script, chunk.scatter)
      assert rem(byte_size(table), 32) == 0
      assert byte_size(table) in 32..(byte_size(chunk.scatter) - 32)
      assert Script.process(script, chunk.scatter) == {:ok, table}
    end
  end

  describe "rows" do
    test "every kind of value goes in and comes out" do
      script = Script.new!(echo())

      for row <- [
            [],
            [0, -1, 0x7FFF_FFFF_FFFF_FFFF, -0x8000_0000_0000_0000],
            [0.0, 1.5, -2.75e300, :nan, :infinity, :neg_infinity],
            ["", "text", "dröm 🌲", "a\0b"],
            [{:blob, ""}, {:blob, <<0, 255, 128>>}],
            [nil, 1, nil, "x", {:blob, "y"}, 2.5]
          ] do
        assert Script.notify(script, :process, row) == {:ok, row}
      end

      assert Script.notify(script, :process, [true, false]) == {:ok, [1, 0]}
    end

    test "the order stays, and silence is nil" do
      script = Script.new!(echo())
      rows = for number <- 100..400, do: [number, "row #{number}"]
      assert Script.notify_many(script, 10_001, rows) == {:ok, for(row <- rows, do: {:ok, row})}
      assert Script.notify_many(script, 98, [[1], [2]]) == {:ok, [{:ok, nil}, {:ok, nil}]}
      assert Script.notify_many(script, 17, []) == {:ok, []}
    end

    test "one bad row costs only itself" do
      rows = [[1], [7], [3], [7], [5]]
      assert {:ok, answers} = Script.notify_many(Script.new!(echo()), :process, rows)
      assert [{:ok, [1]}, {:error, trap}, {:ok, [3]}, {:error, _}, {:ok, [5]}] = answers
      assert %TrapError{reason: :unreachable} = trap
    end

    test "their limits are 1,024 values and a mebibyte" do
      script = Script.new!(echo())
      most = List.duplicate(1, 1024)
      assert Script.notify(script, :process, most) == {:ok, most}

      assert {:error, %InstanceError{reason: :arguments} = error} =
               Script.notify(script, :process, [1 | most])

      assert Exception.message(error) == "row 0: a row of 1025 values; at most 1024 are allowed"

      text = :binary.copy("x", 1_048_576 - 24)
      assert Script.notify(script, :process, [text]) == {:ok, [text]}

      assert {:error, %InstanceError{reason: :arguments} = error} =
               Script.notify(script, :process, [text <> "y"])

      assert Exception.message(error) ==
               "row 0: a row of 1048577 bytes; at most 1048576 are allowed"
    end

    test "terms that no value stands for are named by their place" do
      script = Script.new!(echo())

      for term <- [
            self(),
            {:blob, 1},
            {:bits, "x"},
            0x8000_0000_0000_0000,
            <<255>>,
            :maybe,
            [1],
            %{}
          ] do
        assert {:error, %InstanceError{reason: :arguments} = error} =
                 Script.notify_many(script, :process, [[1], [2, term]])

        assert Exception.message(error) =~ "row 1: value 1 is "
        assert Exception.message(error) =~ "must be a 64-bit integer, a float, UTF-8 text"
      end
    end

    test "many rows of many bytes are bounded together" do
      script = Script.new!(echo(), limits: [result: 1_000_000])
      rows = List.duplicate([:binary.copy("x", 300_000)], 4)

      assert {:error, %LimitError{reason: :result_size, value: 1_000_000}} =
               Script.notify_many(script, :process, rows)

      assert {:ok, [_, _, _]} = Script.notify_many(script, :process, tl(rows))
    end
  end

  describe "rubbish answers" do
    defp refused(source) do
      assert {:error, %DecodeError{reason: {:contract, words}} = error} =
               Script.notify(Script.new!(source), :process, [1])

      assert Exception.message(error) == words
      words
    end

    test "spans outside of memory" do
      for {pointer, length} <- [
            {40 * 65_536, 1},
            {40 * 65_536 - 8, 9},
            {-8, 16},
            {0x7FFF_FFF8, 1_000_000}
          ] do
        assert refused(pointing(pointer, length)) =~
                 "outside of its memory of #{40 * 65_536} bytes"

        assert {:error, %DecodeError{reason: {:contract, words}}} =
                 Script.process(Script.new!(pointing(pointer, length)), "x")

        assert words =~ "outside of its memory"
      end
    end

    test "spans longer than a row may be" do
      for length <- [1_048_577, -1] do
        assert {:error, %LimitError{reason: :result_size, value: 1_048_576, asked: asked} = error} =
                 Script.notify(Script.new!(pointing(8, length)), :process, [1])

        assert asked in [1_048_577, 0xFFFF_FFFF]
        assert Exception.message(error) =~ "the guest returned #{asked} bytes"
      end
    end

    test "headers that lie" do
      one = {1, 0, 5}
      assert refused(answering(<<1, 0, 0>>)) =~ "needs 8 bytes and has 3"

      assert refused(answering(raw(2, 24, [one]))) =~
               "a row of 2 values needs 40 bytes and has 24"

      assert refused(answering(raw(1, 4_000, [one]))) =~ "needs 4000 bytes and has 24"
      assert refused(answering(raw(1025, 24, [one]))) =~ "a row of 1025 values"
      assert refused(answering(raw(0xFFFF_FFFF, 24, [one]))) =~ "a row of 4294967295 values"
      assert refused(answering(raw(1, 0xFFFF_FFFF, [one]))) =~ "a row of 4294967295 bytes"
      assert refused(answering(raw(1, 0, [one]))) =~ "needs 24 bytes"
    end

    test "values of unknown types, or that lie outside of their row" do
      assert refused(answering(raw(1, 24, [{9, 0, 0}]))) =~ "value 0 has the unknown type 9"
      assert refused(answering(raw(1, 24, [{0, 0, 0}]))) =~ "value 0 has the unknown type 0"

      for {type, length, offset} <- [
            {3, 3, 40},
            {4, 1, 42},
            {4, 0xFFFF_FFFF, 40},
            {3, 2, 0xFFFF_FFFF_FFFF_FFFF}
          ] do
        assert refused(answering(raw(2, 42, [{1, 0, 1}, {type, length, offset}], "ab"))) =~
                 "value 1 "
      end
    end

    test "text that is not UTF-8" do
      assert refused(answering(raw(1, 26, [{3, 2, 24}], <<0xC3, 0x28>>))) =~
               "_notification returned rubbish: value 0 is a text that is not valid UTF-8"
    end

    test "a count that _columns does not name" do
      script = Script.new!(answering(raw(1, 24, [{1, 0, 5}]), "a,b"))
      assert script.columns == ["a", "b"]
      assert {:error, %DecodeError{} = error} = Script.notify(script, :process, [])
      assert Exception.message(error) == "_notification returned 1 values, and _columns names 2"
    end

    test "rows of arbitrary bytes are rows or errors" do
      state = :rand.seed_s(:exsss, {4, 5, 6})

      Enum.reduce(1..40, state, fn _, state ->
        {length, state} = :rand.uniform_s(64, state)

        {bytes, state} =
          Enum.map_reduce(1..length, state, fn _, state -> :rand.uniform_s(6, state) end)

        script = Script.new!(answering(:erlang.list_to_binary(Enum.map(bytes, &(&1 - 1)))))

        case Script.notify(script, :process, []) do
          {:ok, row} -> assert is_list(row)
          {:error, error} -> assert %DecodeError{} = error
        end

        state
      end)
    end

    test "places from wasgo_alloc that are none" do
      for {place, words} <- [
            {0, "wasgo_alloc(24) found no room"},
            {12, "which is no multiple of 8"},
            {65_536, "outside of its memory of 65536 bytes"},
            {65_520, "outside of its memory"},
            {-8, "outside of its memory"}
          ] do
        script =
          Script.new!("""
          (module (memory (export "memory") 1)
            (func (export "wasgo_alloc") (param i32) (result i32) (i32.const #{place}))
            (func (export "_notification") (param i32 i32 i32) (result i64) (i64.const 0)))
          """)

        assert {:error, %DecodeError{reason: {:contract, message}}} =
                 Script.notify(script, :process, [1])

        assert message =~ words
      end
    end
  end

  describe "what is no script" do
    test "a module that exports nothing of the contract" do
      assert {:error, %LinkError{reason: :missing_export} = error} = Script.new("(module)")
      assert Exception.message(error) =~ ~s|exports neither "_notification" nor "process"|
    end

    test "one that can't be given its input" do
      for name <- [~s|"process") (param i32 i32)|, ~s|"_notification") (param i32 i32 i32)|] do
        source =
          ~s|(module (memory (export "memory") 1) (func (export #{name} (result i64) (i64.const 0)))|

        assert {:error, %LinkError{reason: :missing_export, name: "wasgo_alloc"}} =
                 Script.new(source)
      end
    end

    test "one whose exports have other types" do
      assert {:error, %LinkError{reason: :wrong_type, name: "process"} = error} =
               Script.new(~s|(module (func (export "process") (param i32)))|)

      assert Exception.message(error) =~ "(i32) -> ()"
    end

    test "one whose columns are rubbish" do
      for columns <- [
            ~s|(data (i32.const 8) "\\ff\\fe") (func (export "_columns") (result i64) (i64.const 0x800000002))|,
            ~s|(func (export "_columns") (result i64) (i64.const 0x7fffffff00000010))|
          ] do
        source =
          script(
            ~s|(func (export "process") (param i32 i32) (result i64) (i64.const 0)) #{columns}|
          )

        assert {:error, %DecodeError{reason: {:contract, _}}} = Script.new(source)
      end
    end

    test "one that fails as it starts" do
      body = ~s|(func (export "process") (param i32 i32) (result i64) (i64.const 0))|

      assert {:error, %TrapError{reason: :unreachable}} =
               Script.new(script(body <> "(func $f unreachable) (start $f)"))

      assert {:error, %LimitError{reason: :time, value: 30}} =
               Script.new(script(body <> "(func $f (loop br 0)) (start $f)"), timeout: 30)

      assert {:error, %LimitError{reason: :time}} =
               Script.new(
                 script(
                   body <> ~s|(func (export "_columns") (result i64) (loop br 0) unreachable)|
                 ),
                 timeout: 30
               )

      assert {:error, %LimitError{reason: :memory}} =
               Script.new(script(body), limits: [memory: 65_536])
    end

    test "a WASI program" do
      assert {:error, %DecodeError{} = error} =
               Script.new(File.read!("guest/services/namer.wasm"))

      assert Exception.message(error) =~ "a WASI program"
    end

    test "half a script can be asked only for its half" do
      assert {:error, %LinkError{reason: :missing_export, name: "process"}} =
               Script.process(Script.new!(@wander), "x")

      assert {:ok, [{:error, %LinkError{name: "_notification"}}]} =
               Script.notify_many(Script.new!(@thin), 17, [[1]])
    end
  end

  describe "buffers" do
    test "go through, empty and large" do
      script = Script.new!(echo())
      bytes = :crypto.strong_rand_bytes(2_000_000) |> :binary.replace(["!", "~"], "x", [:global])
      assert Script.process(script, "") == {:ok, ""}
      assert Script.process(script, "bytes") == {:ok, "bytes"}
      assert Script.process(script, bytes) == {:ok, bytes}
    end

    test "over their limits are refused, both ways" do
      script = Script.new!(echo(), limits: [input: 10, result: 100])

      assert {:error, %LimitError{reason: :input_size, value: 10, asked: 11} = error} =
               Script.process(script, "01234567890")

      assert Exception.message(error) == "11 bytes of input are too many; the limit is 10"
      assert {:ok, _} = Script.process(script, "0123456789")
      script = Script.new!(echo(), limits: [result: 10])

      assert {:error, %LimitError{reason: :result_size, value: 10, asked: 11}} =
               Script.process(script, "01234567890")
    end
  end

  describe "failures do not last" do
    test "a trap or a loop leaves the next calls working" do
      script = Script.new!(echo())

      for _ <- 1..3 do
        assert {:error, %TrapError{reason: :unreachable}} = Script.process(script, "!")

        assert {:error, %LimitError{reason: :time, value: 20}} =
                 Script.process(script, "~", timeout: 20)

        assert {:error, %LimitError{reason: :time}} = Script.notify(script, 97, [1], timeout: 20)
        assert Script.process(script, "fine") == {:ok, "fine"}
        assert Script.notify(script, 17, ["fine"]) == {:ok, ["fine"]}
      end
    end

    test "a caller that dies in a call costs nobody else anything" do
      script = Script.new!(echo())
      {caller, monitor} = spawn_monitor(fn -> Script.process(script, "~", timeout: 600_000) end)
      assert eventually(fn -> Process.info(caller, :status) == {:status, :waiting} end)
      Process.exit(caller, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}, 5_000
      assert Script.process(script, "fine") == {:ok, "fine"}
    end

    test "a stack that overflows and memory that is used up are limits" do
      deep =
        script(
          ~s|(func $f (export "process") (param i32 i32) (result i64) (i64.add (i64.const 1) (call $f (local.get 0) (local.get 1))))|
        )

      assert {:error, %LimitError{reason: :stack}} = Script.process(Script.new!(deep), "x")

      hungry =
        script("""
        (func (export "process") (param i32 i32) (result i64)
          (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)
        """)

      assert {:error, %LimitError{reason: :memory, value: 67_108_864}} =
               Script.process(Script.new!(hungry), "x")
    end
  end

  test "many processes use one script at once" do
    script = Script.new!(echo())

    1..16
    |> Enum.map(fn number ->
      Task.async(fn ->
        for round <- 1..100 do
          assert Script.process(script, "#{number} #{round}") == {:ok, "#{number} #{round}"}
          assert Script.notify(script, 17, [100, number, round]) == {:ok, [100, number, round]}
        end
      end)
    end)
    |> Task.await_many(30_000)
  end

  test "a loop in one call does not hold up the others" do
    script = Script.new!(echo())
    loop = Task.async(fn -> Script.process(script, "~", timeout: 500) end)
    assert eventually(fn -> Process.info(loop.pid, :status) == {:status, :waiting} end)
    for _ <- 1..50, do: assert(Script.process(script, "x") == {:ok, "x"})
    assert Process.alive?(loop.pid)
    assert {:error, %LimitError{reason: :time}} = Task.await(loop)
  end

  test "notifications have the engine's numbers" do
    assert Script.number(:ready) == 13
    assert Script.notifications()[:physics_process] == 16
    assert_raise ArgumentError, ~r/:fly is no notification/, fn -> Script.number(:fly) end
    assert_raise ArgumentError, fn -> Script.number(0x8000_0000) end
  end

  test "options that are wrong are named" do
    assert_raise ArgumentError, ~r/option :name of Wasgo.Script.new\/2 must be a string/, fn ->
      Script.new(@thin, name: 1)
    end

    script = Script.new!(@thin)

    assert_raise ArgumentError, ~r/Wasgo.Script.process\/3/, fn ->
      Script.process(script, "", timeout: 0)
    end

    assert_raise ArgumentError, ~r/notify_many\/4 has no option :within/, fn ->
      Script.notify_many(script, 17, [], within: 1)
    end
  end

  test "inspect tells name, version, offers and columns" do
    script = Script.new!(echo("a,b"), name: "echo", version: 3)
    size = script.module.size

    assert inspect(script) ==
             ~s|#Wasgo.Script<"echo", version 3, notification and process, columns a, b, #{size} bytes>|

    assert inspect(Script.new!(@thin)) == "#Wasgo.Script<process, #{byte_size(@thin)} bytes>"
  end
end
