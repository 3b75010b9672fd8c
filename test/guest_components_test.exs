defmodule Wasgo.GuestComponentsTest do
  # The sample scripts that are components, for the worlds of guest/wit/script.wit. They are built when they are not there, which
  # can take half a minute, and compiled once for all tests.
  use ExUnit.Case, async: true

  alias Wasgo.GuestToolchain
  alias Wasgo.Script
  alias Wasgo.Script.State

  @compiling 300_000

  setup %{sample: sample} do
    {:ok, instance: instance(sample)}
  end

  # Components run by a module that may not be there: see GuestToolchain.
  defp instance(sample) do
    :global.trans({{__MODULE__, sample}, self()}, fn ->
      if :persistent_term.get({__MODULE__, sample}, nil) == nil do
        assert {:ok, path} = GuestToolchain.component(sample)
        assert {:ok, component} = GuestToolchain.components().compile(File.read!(path))
        :persistent_term.put({__MODULE__, sample}, component)
      end
    end)

    component = :persistent_term.get({__MODULE__, sample})
    assert {:ok, instance} = GuestToolchain.components().new(component, grant: grant(sample))
    instance
  end

  defp grant("greeter") do
    test = self()
    state = State.new(keys: 3)
    send(test, {:state, state})
    [log: fn level, text -> send(test, {level, text}) end, state: state]
  end

  defp grant(_sample), do: []

  defp call(instance, function, arguments) do
    GuestToolchain.components().call(instance, function, arguments, timeout: 60_000)
  end

  defp record(kind, scale) do
    <<kind::32-little, 1.0::32-float-little, 2.0::32-float-little, 3.0::32-float-little,
      0.0::32-float-little, scale::32-float-little, 0.0::64>>
  end

  describe "greeter.js" do
    @describetag :guest_javascript
    @describetag sample: "greeter"
    @describetag timeout: @compiling

    test "greets whoever comes in", %{instance: instance} do
      assert call(instance, "columns", []) == {:ok, ["text"]}

      for {row, words} <- [
            {[{"text", "Ada"}, {"real", 9.5}, {"text", ""}], "Good morning, Ada!"},
            {[{"text", "Bo"}, {"integer", 13}], "Good afternoon, Bo!"},
            {[{"text", "Bo"}, {"integer", 14}], "Good afternoon, Bo! Back so soon?"},
            {[{"text", "Bo"}, {"real", 22.0}, {"text", "Ida,Bo, Ada"}],
             "Good evening, Bo! That makes 3 visits. You just missed Ada and Ida."},
            {["null", {"text", "x"}, {"blob", "y"}], "Good evening, stranger!"},
            {[], "Good evening, stranger!"},
            {[{"text", "Zoë 🌲"}], "Good evening, Zoë 🌲!"}
          ] do
        assert call(instance, "notification", [10_000, row]) == {:ok, {:ok, [{"text", words}]}}
      end

      assert_received {:state, state}

      assert State.to_map(state) ==
               %{
                 "visits:Ada" => <<1::32-little>>,
                 "visits:Bo" => <<3::32-little>>,
                 "visits:Zoë 🌲" => <<1::32-little>>
               }
    end

    test "says in the log whom it could not count, and greets all the same", %{instance: instance} do
      for name <- ["A", "B", "C", "D", "D"] do
        assert call(instance, "notification", [10_000, [{"text", name}, {"integer", 6}]]) ==
                 {:ok, {:ok, [{"text", "Good morning, #{name}!"}]}}
      end

      for _ <- 1..2 do
        assert_received {:warning,
                         "D was not counted: the state has no room for 4 bytes at a key of 8"}
      end

      refute_received {:warning, _}
    end

    test "takes a state that others have filled with what it does not know", %{instance: instance} do
      assert_received {:state, state}
      :ok = State.put(state, "visits:Ada", "many")
      :ok = State.put(state, "visits:Bo", "very many")

      assert {:ok, {:ok, [{"text", _words}]}} =
               call(instance, "notification", [10_000, [{"text", "Ada"}]])

      assert call(instance, "notification", [10_000, [{"text", "Bo"}]]) ==
               {:ok, {:ok, [{"text", "Good evening, Bo!"}]}}

      assert {:ok, {:ok, [{"text", _words}]}} =
               call(instance, "notification", [10_000, [{"text", String.duplicate("€", 2_000)}]])
    end

    test "changes nothing for another notification", %{instance: instance} do
      assert call(instance, "notification", [17, [{"text", "Ada"}]]) == {:ok, {:ok, nil}}
    end
  end

  describe "tally.js" do
    @describetag :guest_javascript
    @describetag sample: "tally"
    @describetag timeout: @compiling

    test "counts what a table has", %{instance: instance} do
      table = record(0, 1.0) <> record(8, 1.5) <> record(0, 0.5)
      assert {:ok, {:ok, [text]}} = call(instance, "process", [table])

      assert text ==
               ~s|{"count":3,"kinds":{"0":2,"8":1},"tallest":{"kind":8,"scale":1.5,"x":1,"y":2,"z":3}}|

      assert call(instance, "process", [""]) == {:ok, {:ok, []}}
    end

    test "says what is no table, and goes on", %{instance: instance} do
      assert call(instance, "process", ["abc"]) ==
               {:ok, {:error, "3 bytes are no instance table: a record has 32"}}

      assert {:ok, {:ok, [_text]}} = call(instance, "process", [record(1, 1.0)])
    end
  end

  describe "circle.py" do
    @describetag :guest_python
    @describetag sample: "circle"
    @describetag timeout: @compiling

    defp stones(instance, seed, x, z, parameters) do
      assert {:ok, {:ok, table}} = call(instance, "generate", [seed, x, z, 0, parameters])

      for <<kind::32-little, x::32-float-little, y::32-float-little, z::32-float-little,
            _yaw::32-float-little, scale::32-float-little, _ground::64 <- table>> do
        {kind, x, y, z, scale}
      end
    end

    test "sets its stones inside of their chunk, the same every time", %{instance: instance} do
      parameters = [{"real", 32.0}, {"integer", 10}, {"integer", 9}]
      chunks = for x <- -4..3, z <- -4..3, do: stones(instance, 7, x, z, parameters)
      circles = Enum.reject(chunks, &(&1 == []))
      assert length(circles) in 2..20

      for circle <- circles do
        assert length(circle) in 7..13

        for {kind, x, y, z, scale} <- circle do
          assert {kind, y} == {9, 10.0}
          assert x >= 0 and x < 32 and z >= 0 and z < 32
          assert scale >= 1 and scale <= 2
        end
      end

      assert chunks ==
               for(x <- -4..3, z <- -4..3, do: stones(instance("circle"), 7, x, z, parameters))

      assert chunks != for(x <- -4..3, z <- -4..3, do: stones(instance, 8, x, z, parameters))
    end

    test "is a script that generates", %{instance: instance} do
      script = Script.new!(instance.component, timeout: 60_000)
      assert script.exports == [:generate]
      options = [parameters: [32.0, 10, 9], timeout: 60_000]

      tables = for x <- -4..3, z <- -4..3, do: Script.generate(script, 7, {x, z}, options)

      assert Enum.all?(tables, &match?({:ok, table} when rem(byte_size(table), 32) == 0, &1))
      assert Enum.count(tables, &(&1 != {:ok, ""})) in 2..20
      options = [parameters: [-1.0], timeout: 60_000]

      assert {:error, %Wasgo.TrapError{reason: :failed} = error} =
               Script.generate(script, 7, {1, 1}, options)

      assert Exception.message(error) =~ "no chunk has a side of "
    end

    test "takes the largest seed, and says what is no chunk", %{instance: instance} do
      assert is_list(stones(instance, 0xFFFF_FFFF_FFFF_FFFF, -0x8000_0000, 0x7FFF_FFFF, ["null"]))

      for parameters <- [
            [{"real", -1.0}],
            [{"real", :nan}],
            [{"integer", 64}, {"real", :infinity}],
            [{"integer", 64}, {"integer", 0}, {"integer", -1}]
          ] do
        assert {:ok, {:error, message}} = call(instance, "generate", [7, 1, 1, 0, parameters])
        assert message =~ "no chunk has a side of "
      end
    end
  end
end
