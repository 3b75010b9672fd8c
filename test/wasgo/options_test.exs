defmodule Wasgo.OptionsTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Buffer, Options}

  defp check(type, value), do: Options.validate!([x: value], [x: [type: type]], "the test").x

  defp words(type, value) do
    assert_raise(ArgumentError, fn -> check(type, value) end).message
  end

  test "what is given wins over what is the default, and all of the schema is there" do
    schema = [
      a: [type: :string, default: "a"],
      b: [type: :any, default: nil],
      c: [type: :pos_integer, required: true]
    ]

    assert Options.validate!([c: 3, a: "given"], schema, "it") == %{a: "given", b: nil, c: 3}
  end

  test "a default is not checked, a nil that is given is" do
    assert Options.validate!([], [a: [type: :string, default: nil]], "it") == %{a: nil}
    assert words(:string, nil) == "option :x of the test must be a string, and is: nil"
  end

  test "what is missing, unknown or no keyword list is told with its owner" do
    schema = [a: [type: :string, required: true], b: [type: :any]]
    message = "it needs the option :a: a string"
    assert_raise ArgumentError, message, fn -> Options.validate!([], schema, "it") end
    message = "it has no option :d; it has :a, :b"
    assert_raise ArgumentError, message, fn -> Options.validate!([d: 1, a: "x"], schema, "it") end

    for wrong <- [[1], [{"a", 1}], %{a: "x"}, :a, nil] do
      assert_raise ArgumentError, ~r/^it takes a keyword list of options, and got: /, fn ->
        Options.validate!(wrong, schema, "it")
      end
    end
  end

  # Each type with what it takes, what it does not, and its words.
  @types [
    {:string, ["", "é"], [<<255>>, [?a], :a], "a string"},
    {:binary, ["", <<255>>], [<<1::3>>, nil], "a binary"},
    {:atom, [:a, nil], ["a"], "an atom"},
    {:boolean, [true, false], [nil, 1], "true or false"},
    {:number, [1, 1.5], ["1"], "a number"},
    {:non_neg_integer, [0, 1], [-1, 1.0], "an integer of 0 or more"},
    {:pos_integer, [1, 1_000_000], [0, -1, 1.0], "an integer of 1 or more"},
    {:timeout, [1, 0xFFFF_FFFF], [0, -1, :infinity, 0x1_0000_0000],
     "a number of milliseconds from 1 to 4294967295"},
    {:list, [[], [1]], [{}, %{}], "a list"},
    {:keyword, [[], [a: 1]], [[1], %{a: 1}], "a keyword list"},
    {:map, [%{}], [[]], "a map"},
    {:enumerable, [[], %{}, 1..2], [1, "x", {}], "an enumerable"},
    {{:range, 2..4}, [2, 4], [1, 5, 3.0], "an integer from 2 to 4"},
    {{:in, [:a, nil]}, [:a, nil], [:b], "one of :a, nil"},
    {{:struct, Buffer}, [%Buffer{payload: 1}], [%{payload: 1}, Buffer], "a Wasgo.Buffer"},
    {{:list_of, :string}, [[], ["a"]], [["a", 1], "a"], "a list, each of it a string"},
    {{:list_of, {:pair, :string, :atom}}, [[{"a", :b}]], [[{"a", "b"}], [:a]],
     "a list, each of it {a string, an atom}"},
    {{:or, [:string, {:in, [nil]}]}, ["a", nil], [:b], "a string, or one of nil"}
  ]

  test "types take what they say, and refuse the rest with their words" do
    for {type, good, bad, description} <- @types do
      for value <- good, do: assert(check(type, value) === value)

      for value <- bad do
        assert words(type, value) ==
                 "option :x of the test must be #{description}, and is: #{inspect(value)}"
      end
    end
  end

  test "processes and functions" do
    assert check(:pid, self()) == self()
    assert words(:pid, :name) =~ "must be a pid"

    for server <- [self(), :name, {:via, Registry, {R, 1}}, {:global, :x}],
        do: assert(check(:server, server) == server)

    assert words(:server, "name") =~ "must be a process: a pid, a name or a via tuple"
    assert is_function(check({:function, 2}, &Kernel.+/2))
    assert words({:function, 1}, &Kernel.+/2) =~ "must be a function of 1 arguments"
  end
end
