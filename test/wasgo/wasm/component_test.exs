defmodule Wasgo.Wasm.ComponentTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [eventually: 1]

  alias Wasgo.{CompileError, InstanceError, LimitError, LinkError, TrapError}
  alias Wasgo.Wasm.Component
  alias Wasgo.Wasm.Component.{Instance, Resource}

  doctest Wasgo.Wasm.Component

  @echo "test/support/guests_src/echo_component/echo_component.wasm"

  setup_all do
    {:ok, component: Component.compile_file(@echo) |> elem(1)}
  end

  setup %{component: component} do
    {:ok, instance: Component.new!(component)}
  end

  defp echo(instance, function, value),
    do: Component.call(instance, "wasgo:test/echo.#{function}", [value])

  defp thing(instance, function, arguments \\ [], options \\ []),
    do: Component.call(instance, ["wasgo:test/things", function], arguments, options)

  defp counter(instance, start) do
    {:ok, %Resource{} = counter} = thing(instance, "[constructor]counter", [start])
    counter
  end

  describe "a compiled component" do
    test "tells what it offers, in the words of WIT", %{component: component} do
      assert %{interface: nil, kind: :func, type: "func(name: string) -> string"} =
               Enum.find(component.exports, &(&1.name == "greet"))

      assert %{interface: "wasgo:test/echo@0.1.0", kind: :type, type: type} =
               Enum.find(component.exports, &(&1.name == "point"))

      assert type == "record { x: f32, y: f64, max-height: option<s32> }"

      assert %{kind: :resource} = Enum.find(component.exports, &(&1.name == "counter"))

      assert %{type: "func(self: borrow<counter>, other: counter)"} =
               Enum.find(component.exports, &(&1.name == "[method]counter.absorb"))

      assert %{type: "func(a: result<_, enum { red, dark-green, blue }>)" <> _} =
               Enum.find(component.exports, &(&1.name == "outcome-error"))

      assert inspect(component) =~
               "exports: greet, wasgo:test/echo@0.1.0, wasgo:test/things@0.1.0>"
    end

    test "is made of a component and nothing else" do
      for source <- ["", "(module)", "(component", <<0, ?a, ?s, ?m, 1, 0, 0, 0>>, "rubbish"] do
        assert {:error, %CompileError{} = error} = Component.compile(source)
        assert Exception.message(error) =~ "not a valid WebAssembly component: "
      end

      assert {:error, %CompileError{}} =
               Component.compile(File.read!(@echo) |> binary_part(0, 30_000))

      assert {:error, %File.Error{}} = Component.compile_file("no/such/file.wasm")
      assert_raise CompileError, fn -> Component.compile!("(module)") end
    end
  end

  describe "names of functions" do
    test "with and without a version, as one string or a list", %{instance: instance} do
      for name <- [
            "wasgo:test/echo.answer",
            "wasgo:test/echo@0.1.0.answer",
            ["wasgo:test/echo", "answer"],
            ["wasgo:test/echo@0.1.0", "answer"]
          ] do
        assert Component.call(instance, name) == {:ok, 42}
      end

      assert Component.call(instance, "greet", ["you"]) == {:ok, "Hello, you!"}
      assert Component.call!(instance, ["greet"], ["you"]) == "Hello, you!"
    end

    test "what is not there is named", %{instance: instance} do
      for name <- ["answer", "wasgo:test/echo@0.2.0.answer", "wasgo:test/echo.point", "", "."] do
        assert {:error, %LinkError{reason: :missing_export, name: ^name}} =
                 Component.call(instance, name)
      end

      assert Component.status(instance) == :idle
    end

    test "a function without a result answers nil", %{instance: instance} do
      assert Component.call(instance, "wasgo:test/echo.nothing") == {:ok, nil}
    end
  end

  describe "values" do
    @same [
      {"bool", [true, false]},
      {"s8", [-128, 127]},
      {"u8", [0, 255]},
      {"s16", [-0x8000, 0x7FFF]},
      {"u16", [0xFFFF]},
      {"s32", [-0x8000_0000, 0x7FFF_FFFF]},
      {"u32", [0xFFFF_FFFF]},
      {"s64", [-0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF]},
      {"u64", [0xFFFF_FFFF_FFFF_FFFF]},
      {"f32", [1.5, -0.25, :nan, :infinity, :neg_infinity]},
      {"f64", [0.1, -1.0e300, :nan, :infinity, :neg_infinity]},
      {"char", [?a, ?é, 0x10FFFF, 0]},
      {"string", ["", "Grüße, 世界", "a\0b"]},
      {"bytes", ["", <<0, 255, 128>>]},
      {"strings", [[], ["", "b"]]},
      {"nested", [[], [[]], [[-1, 2], [], [3]]]},
      {"pair", [{7, "seven"}]},
      {"a-point", [%{"x" => 1.5, "y" => :nan, "max-height" => nil}]},
      {"a-shape", ["nothing", {"circle", 2.5}, {"polygon", []}, {"named", {"x", 3}}]},
      {"a-color", ["red", "dark-green", "blue"]},
      {"an-access", [[], ["write"], ["read", "write", "run-it"]]},
      {"maybe", [nil, "", "some"]},
      {"maybe-maybe", [nil, {:some, nil}, {:some, 7}]},
      {"maybe-thrice", [nil, {:some, nil}, {:some, {:some, nil}}, {:some, {:some, false}}]},
      {"outcome", [{:ok, 1}, {:error, "no"}]},
      {"outcome-plain", [:ok, :error]},
      {"outcome-ok", [{:ok, "bytes"}, :error]},
      {"outcome-error", [:ok, {:error, "blue"}]}
    ]

    test "of every type come back as they went", %{instance: instance} do
      for {function, values} <- @same, value <- values do
        assert {function, echo(instance, function, value)} == {function, {:ok, value}}
      end
    end

    test "may be written in other ways", %{instance: instance} do
      point = %{"x" => 1.0, "y" => 2.0, "max-height" => 3}
      bare = %{"x" => 1.0, "y" => 2.0, "max-height" => nil}

      for {function, value, same} <- [
            {"a-point", %{x: 1, y: 2, max_height: 3}, point},
            {"a-point", %{"x" => 1, "y" => 2, "max_height" => 3}, point},
            {"a-point", %{:x => 1, "y" => 2, :"max-height" => 3}, point},
            {"a-point", %{x: 1, y: 2}, bare},
            {"a-shape", :nothing, "nothing"},
            {"a-shape", {:circle, 2}, {"circle", 2.0}},
            {"a-color", :dark_green, "dark-green"},
            {"a-color", "dark_green", "dark-green"},
            {"an-access", MapSet.new([:run_it, "read"]), ["read", "run-it"]},
            {"an-access", [:write, :read], ["read", "write"]},
            {"bytes", [1, 2, 3], <<1, 2, 3>>},
            {"char", "é", ?é},
            {"f64", 3, 3.0},
            {"f32", 1.0e300, :infinity}
          ] do
        assert {function, echo(instance, function, value)} == {function, {:ok, same}}
      end
    end

    test "that do not fit are told with their place, and leave the instance as it was", %{
      instance: instance
    } do
      home = %{x: 1, y: 2}
      person = %{name: "a", age: 1, friends: [], home: home}

      for {function, value, message} <- [
            {"bool", nil, "must be true or false"},
            {"u8", 256, "must be an integer from 0 to 255"},
            {"s8", -129, "must be an integer from -128 to 127"},
            {"u64", -1, "must be an unsigned 64-bit integer"},
            {"s64", 1.0, "must be a signed 64-bit integer"},
            {"f32", "1", "must be a number, :nan, :infinity or :neg_infinity"},
            {"char", 0xD800, "must be a code point, or a string of one character"},
            {"char", "ab", "must be a code point, or a string of one character"},
            {"string", <<255>>, "must be a UTF-8 string"},
            {"string", :text, "must be a UTF-8 string"},
            {"bytes", :bytes, "must be a binary, or a list of bytes"},
            {"bytes", [1, 256], ": element 1 must be an integer from 0 to 255"},
            {"strings", "text", "must be a list"},
            {"strings", ["a" | "b"], "must be a proper list"},
            {"nested", [[], [1, :x]], ": element 1, element 1 must be a signed 16-bit integer"},
            {"pair", {1}, "must be a tuple of 2 elements"},
            {"pair", {1, 2}, ": element 1 must be a UTF-8 string"},
            {"a-point", [], ~s|must be a map with the fields "x", "y", "max-height"|},
            {"a-point", %{x: 1}, ~s|: field "y" must be there|},
            {"a-point", %{x: 1, y: 2, max_hight: 3},
             ~s|must be a map with no other fields than "x", "y", "max-height"|},
            {"a-person", %{person | home: %{home | x: "wide"}},
             ~s|: field "home", field "x" must be a number, :nan, :infinity or :neg_infinity|},
            {"people", [nil, %{person | friends: ["b", 3]}],
             ~s|: element 1, field "friends", element 1 must be a UTF-8 string|},
            {"a-shape", "square",
             ~s|must be one of the cases "nothing", "circle", "polygon", "named"|},
            {"a-shape", "circle", ~s|must be {"circle", value}|},
            {"a-shape", {"nothing", 1}, ~s|must be "nothing", which has no value|},
            {"a-shape", {"named", {"x", -1}},
             ~s|: case "named", element 1 must be an unsigned 32-bit integer|},
            {"a-color", "green", ~s|must be one of "red", "dark-green", "blue"|},
            {"an-access", ["read", "fly"],
             ~s|must be a list or MapSet of some of "read", "write", "run-it"|},
            {"an-access", ["read", "read"],
             ~s|must be a list or MapSet of some of "read", "write", "run-it"|},
            {"maybe", 1, "must be a UTF-8 string"},
            {"maybe-maybe", 1, "must be nil or {:some, value}"},
            {"maybe-maybe", {:some, :x}, "must be an integer from 0 to 255"},
            {"outcome", :ok, "must be {:ok, value} or {:error, value}"},
            {"outcome", {:ok, -1}, ": :ok must be an unsigned 32-bit integer"},
            {"outcome-plain", {:ok, 1}, "must be :ok or :error"},
            {"outcome-error", {:error, "green"}, ~s|: :error must be one of "red"|}
          ] do
        assert {:error, %InstanceError{reason: :arguments} = error} =
                 echo(instance, function, value)

        assert Exception.message(error) =~ ~r/^argument 1 of "wasgo:test\/echo.#{function}"/
        assert Exception.message(error) =~ message
        assert Component.status(instance) == :idle
      end

      assert {:error, error} = Component.call(instance, "wasgo:test/echo.mixed", [1, "b", [3]])
      assert Exception.message(error) =~ ~s|argument 3 of "wasgo:test/echo.mixed": element 0 must|

      assert {:error, error} = Component.call(instance, "greet", [])
      assert Exception.message(error) == ~s|"greet" takes 1 arguments, and 0 were given|
    end

    test "a hundred wrong shapes are refused, each with a message", %{instance: instance} do
      generator = :rand.seed_s(:exsss, 4_711)
      functions = for {function, _values} <- @same, do: function

      Enum.reduce(1..100, generator, fn _number, generator ->
        {wrong, generator} = rubbish(3, generator)
        {index, generator} = :rand.uniform_s(length(functions), generator)
        function = Enum.at(functions, index - 1)

        case echo(instance, function, wrong) do
          {:error, %InstanceError{reason: :arguments} = error} ->
            assert Exception.message(error) =~ "wasgo:test/echo.#{function}"

          # What fits by chance comes back in some way.
          {:ok, _value} ->
            :ok
        end

        assert Component.status(instance) == :idle
        generator
      end)
    end

    test "guests make no atoms", %{instance: instance} do
      name = "atom-#{System.unique_integer([:positive])}-of-nobody"
      assert {:error, %InstanceError{}} = echo(instance, "a-color", name)
      assert {:error, %InstanceError{}} = echo(instance, "a-point", %{name => 1})
      assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
    end

    test "random ones of each type come back equal", %{instance: instance} do
      Enum.reduce(1..300, :rand.seed_s(:exsss, 20_241), fn _number, generator ->
        {{function, value}, generator} = random_value(generator)

        assert {function, value, echo(instance, function, value)} ==
                 {function, value, {:ok, value}}

        generator
      end)
    end

    test "large ones come back too", %{instance: instance} do
      bytes = :binary.copy(<<1, 2, 3, 4>>, 500_000)
      assert echo(instance, "bytes", bytes) == {:ok, bytes}
      text = String.duplicate("ä", 2_000_000)
      assert echo(instance, "string", text) == {:ok, text}
      many = for number <- 1..20_000, do: Integer.to_string(number)
      assert echo(instance, "strings", many) == {:ok, many}
    end
  end

  # A term of any shape, nested up to `depth`.
  defp rubbish(depth, generator) do
    {kind, generator} = :rand.uniform_s(if(depth == 0, do: 6, else: 10), generator)
    {number, generator} = :rand.uniform_s(1_000_000, generator)

    case kind do
      1 -> {number * 1_000_000_000_000_000_000, generator}
      2 -> {-number / 7, generator}
      3 -> {<<255, number::16>>, generator}
      4 -> {make_ref(), generator}
      5 -> {:some_atom, generator}
      6 -> {fn -> number end, generator}
      7 -> several(depth, generator, & &1)
      8 -> several(depth, generator, &List.to_tuple/1)
      9 -> several(depth, generator, &Map.new(&1, fn value -> {value, value} end))
      10 -> several(depth, generator, &[&1 | :improper])
    end
  end

  defp several(depth, generator, make) do
    {list, generator} = Enum.map_reduce(1..3, generator, fn _, g -> rubbish(depth - 1, g) end)
    {make.(list), generator}
  end

  @types [
    {"u8", {:integer, 0, 255}},
    {"s64", {:integer, -0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF}},
    {"f64", :float},
    {"char", :char},
    {"string", :string},
    {"bytes", :bytes},
    {"strings", {:list, :string}},
    {"nested", {:list, {:list, {:integer, -0x8000, 0x7FFF}}}},
    {"pair", {:tuple, [{:integer, 0, 255}, :string]}},
    {"a-point", :point},
    {"a-person", :person},
    {"a-shape", :shape},
    {"a-color", {:one_of, ["red", "dark-green", "blue"]}},
    {"an-access", :access},
    {"maybe", {:option, :string}},
    {"maybe-maybe", {:option, {:some, {:option, {:integer, 0, 255}}}}},
    {"outcome", {:either, {:ok, {:integer, 0, 0xFFFF_FFFF}}, {:error, :string}}},
    {"people", {:list, {:option, :person}}}
  ]

  defp random_value(generator) do
    {{function, type}, generator} = pick(@types, generator)
    {value, generator} = random(type, generator)
    {{function, value}, generator}
  end

  defp pick(list, generator) do
    {index, generator} = :rand.uniform_s(length(list), generator)
    {Enum.at(list, index - 1), generator}
  end

  defp random({:integer, low, high}, generator) do
    {offset, generator} = :rand.uniform_s(high - low + 1, generator)
    {low + offset - 1, generator}
  end

  defp random(:float, generator) do
    {value, generator} = :rand.normal_s(generator)
    pick([value, value * 1.0e200, :nan, :infinity, :neg_infinity], generator)
  end

  defp random(:single, generator) do
    {value, generator} = random({:integer, -1000, 1000}, generator)
    {value / 8, generator}
  end

  defp random(:char, generator),
    do: random({:one_of, [0, ?a, ?ß, 0xD7FF, 0xE000, 0x10FFFF]}, generator)

  defp random({:one_of, list}, generator), do: pick(list, generator)

  defp random(:string, generator) do
    {characters, generator} = random({:list, :char}, generator)
    {List.to_string(characters), generator}
  end

  defp random(:bytes, generator) do
    {bytes, generator} = random({:list, {:integer, 0, 255}}, generator)
    {:binary.list_to_bin(bytes), generator}
  end

  defp random({:list, type}, generator) do
    {length, generator} = :rand.uniform_s(6, generator)
    Enum.map_reduce(Enum.drop(1..length, 1), generator, fn _, g -> random(type, g) end)
  end

  defp random({:tuple, types}, generator) do
    {values, generator} = Enum.map_reduce(types, generator, &random/2)
    {List.to_tuple(values), generator}
  end

  defp random({:option, type}, generator) do
    {value, generator} = random(type, generator)
    pick([nil, value], generator)
  end

  defp random({:either, one, other}, generator) do
    {{tag, type}, generator} = pick([one, other], generator)
    {value, generator} = random(type, generator)
    {{tag, value}, generator}
  end

  defp random({:some, type}, generator) do
    {value, generator} = random(type, generator)
    {{:some, value}, generator}
  end

  defp random(:point, generator) do
    fields(
      %{"x" => :single, "y" => :float, "max-height" => {:option, {:integer, -1000, 1000}}},
      generator
    )
  end

  defp random(:person, generator) do
    fields(
      %{
        "name" => :string,
        "age" => {:integer, 0, 255},
        "friends" => {:list, :string},
        "home" => :point
      },
      generator
    )
  end

  defp random(:shape, generator) do
    {polygon, generator} = random({:list, :point}, generator)
    {radius, generator} = random(:float, generator)
    {named, generator} = random({:tuple, [:string, {:integer, 0, 0xFFFF_FFFF}]}, generator)
    pick(["nothing", {"circle", radius}, {"polygon", polygon}, {"named", named}], generator)
  end

  defp random(:access, generator) do
    {kept, generator} = random({:integer, 0, 7}, generator)

    flags =
      for {name, bit} <- [{"read", 1}, {"write", 2}, {"run-it", 4}],
          Bitwise.band(kept, bit) != 0,
          do: name

    {flags, generator}
  end

  defp fields(types, generator) do
    {pairs, generator} =
      Enum.map_reduce(types, generator, fn {name, type}, generator ->
        {value, generator} = random(type, generator)
        {{name, value}, generator}
      end)

    {Map.new(pairs), generator}
  end

  describe "limits" do
    test "arguments and results over theirs are refused", %{component: component} do
      instance = Component.new!(component, limits: [input: 1_000, result: 2_000])

      assert {:error, %LimitError{reason: :input_size, value: 1_000}} =
               echo(instance, "string", String.duplicate("a", 1_001))

      assert {:error, %LimitError{reason: :input_size}} =
               echo(instance, "nested", List.duplicate([1], 1_000))

      assert {:ok, _} = thing(instance, "repeat", ["ab", 900])

      assert {:error, %LimitError{reason: :result_size, value: 2_000, asked: 2_408}} =
               thing(instance, "repeat", ["ab", 1_200])

      assert Component.status(instance) == :idle
    end

    test "a list of more bytes than values may cross is refused before it is copied", %{
      component: component
    } do
      instance = Component.new!(component)

      assert {:error, %LimitError{reason: :values, value: 4_194_304}} =
               echo(instance, "bytes", :binary.copy("x", 5_000_000))

      assert Component.status(instance) == :idle
    end

    test "memory that a guest eats is its limit's", %{component: component} do
      instance = Component.new!(component, limits: [memory: 4_194_304])
      assert {:ok, 1_000_000} = thing(instance, "fill", [1_000_000])

      assert {:error, %LimitError{reason: :memory, value: 4_194_304}} =
               thing(instance, "fill", [8_000_000])

      assert {:error, %LimitError{reason: :memory}} =
               Component.new(component, limits: [memory: 65_536])
    end

    test "a guest that makes its host copy for ever is stopped", %{component: component} do
      instance = Component.new!(component, limits: [memory: 268_435_456])

      assert {:error, %LimitError{reason: :result_size}} =
               thing(instance, "repeat", ["0123456789abcdef", 12_000_000])
    end
  end

  describe "who may use it" do
    test "an endless loop is stopped on time and poisons the instance", %{instance: instance} do
      assert {:error, %LimitError{reason: :time, value: 30}} =
               thing(instance, "spin", [], timeout: 30)

      assert Component.status(instance) == :poisoned

      assert {:error, %InstanceError{reason: :poisoned} = error} =
               Component.call(instance, "greet", ["x"])

      assert Exception.message(error) =~ "stopped in the middle of a call"
    end

    test "a trap ends it for good", %{instance: instance} do
      assert {:error, %TrapError{reason: :unreachable}} = thing(instance, "fail", ["because"])
      assert {:error, %InstanceError{reason: :poisoned} = error} = thing(instance, "fail", ["x"])
      assert Exception.message(error) =~ "failed in an earlier call and may not be entered again"
      assert inspect(instance) =~ "#Wasgo.Wasm.Component.Instance<poisoned, #Wasgo"
    end

    test "a second caller finds it busy; closing stops the call", %{instance: instance} do
      task = Task.async(fn -> thing(instance, "spin", [], timeout: 60_000) end)
      assert eventually(fn -> Component.status(instance) == :busy end)
      assert {:error, %InstanceError{reason: :busy}} = Component.call(instance, "greet", ["x"])
      assert Component.close(instance) == :ok
      assert {:error, %InstanceError{reason: :cancelled}} = Task.await(task)
      assert {:error, %InstanceError{reason: :closed}} = Component.call(instance, "greet", ["x"])
      assert Component.close(instance) == :ok
      assert Component.status(instance) == :closed
    end

    test "a caller's death cancels its call", %{instance: instance} do
      {caller, monitor} = spawn_monitor(fn -> thing(instance, "spin", [], timeout: 600_000) end)
      assert eventually(fn -> Component.status(instance) == :busy end)
      Process.exit(caller, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}, 5_000
      assert eventually(fn -> Component.status(instance) == :poisoned end)
    end

    test "no message is left behind", %{instance: instance} do
      assert {:ok, _} = Component.call(instance, "greet", ["x"])
      assert {:error, %LimitError{}} = thing(instance, "spin", [], timeout: 20)
      refute_received _
    end

    test "an endless start function is stopped" do
      component =
        Component.compile!("""
        (component (core module $m (func $f (loop br 0)) (start $f)) (core instance (instantiate $m)))
        """)

      assert {:error, %LimitError{reason: :time, value: 25}} =
               Component.new(component, timeout: 25)
    end
  end

  describe "resources" do
    test "have methods, are borrowed and given away", %{instance: instance} do
      [one, two] = [counter(instance, 10), counter(instance, 100)]
      assert one.type == "counter"
      assert thing(instance, "[method]counter.next", [one]) == {:ok, 11}
      assert thing(instance, "total", [[one, two, one]]) == {:ok, 122}
      assert thing(instance, "[method]counter.absorb", [one, two]) == {:ok, nil}
      assert thing(instance, "[method]counter.next", [one]) == {:ok, 112}
      refute Resource.live?(two)
      assert Resource.live?(one)
      assert inspect({one, two}) =~ "#Wasgo.Wasm.Component.Resource<counter, live>"

      assert {:error, %InstanceError{reason: :arguments} = error} =
               thing(instance, "total", [[one, two]])

      assert Exception.message(error) =~
               ": element 1 must be a resource that was not dropped or given away"

      assert Component.status(instance) == :idle
    end

    test "are dropped once, and their destructor runs", %{instance: instance} do
      [one, _two] = counters = [counter(instance, 1), counter(instance, 2)]
      assert thing(instance, "[static]counter.alive") == {:ok, 2}
      assert Component.drop(instance, one) == :ok
      assert thing(instance, "[static]counter.alive") == {:ok, 1}
      assert Component.drop(instance, one) == :ok
      assert thing(instance, "[static]counter.alive") == {:ok, 1}

      assert {:error, %InstanceError{reason: :arguments}} =
               thing(instance, "[method]counter.next", [one])

      assert length(counters) == 2
    end

    test "that nobody refers to are dropped before the next call", %{instance: instance} do
      Task.await(Task.async(fn -> thing(instance, "make", [50]) && :ok end))
      assert eventually(fn -> thing(instance, "[static]counter.alive") == {:ok, 0} end)
    end

    test "of another type or instance, and what is none, are refused", context do
      %{instance: instance, component: component} = context
      elsewhere = Component.new!(component)
      {:ok, other} = thing(instance, "[constructor]other")
      foreign = counter(elsewhere, 1)

      for {wrong, words} <- [
            {other, "must be a resource of that type"},
            {foreign, "must be a resource of the same instance"},
            {nil, "must be a resource, borrow<counter>"},
            {%{resource: make_ref()}, "must be a resource, borrow<counter>"}
          ] do
        assert {:error, %InstanceError{reason: :arguments} = error} =
                 thing(instance, "[method]counter.next", [wrong])

        assert Exception.message(error) =~ words
      end

      one = counter(instance, 1)

      assert {:error, %InstanceError{reason: :arguments}} =
               thing(instance, "[method]counter.absorb", [one, one])

      assert Resource.live?(one)
      assert {:error, %InstanceError{reason: :arguments}} = Component.drop(instance, foreign)
      assert thing(elsewhere, "[method]counter.next", [foreign]) == {:ok, 2}
    end
  end

  describe "imports" do
    test "that are missing are named with their interface and type" do
      component =
        Component.compile!("""
        (component (import "wasgo:test/host" (instance (export "now" (func (param "zone" string) (result u64))))))
        """)

      assert [%{interface: "wasgo:test/host", name: "now", kind: :func}] = component.imports

      assert {:error,
              %LinkError{reason: :missing_import, module: "wasgo:test/host", name: "now"} = error} =
               Component.new(component)

      assert Exception.message(error) ==
               ~s|import "wasgo:test/host" "now" (func(zone: string) -> u64) is not granted|
    end

    @wasi """
    (component
      (import "wasi:random/random@0.2.0" (instance $random (export "get-random-u64" (func (result u64)))))
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
      (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
      (core func $r (canon lower (func $random "get-random-u64")))
      (core func $t (canon lower (func $clock "now")))
      (core func $e (canon lower (func $exit "exit")))
      (core module $m
        (import "" "r" (func $r (result i64))) (import "" "t" (func $t (result i64))) (import "" "e" (func $e (param i32)))
        (func (export "random") (result i64) (call $r))
        (func (export "now") (result i64) (call $t))
        (func (export "exit") (param i32) (call $e (local.get 0))))
      (core instance $i (instantiate $m (with "" (instance
        (export "r" (func $r)) (export "t" (func $t)) (export "e" (func $e))))))
      (func (export "random") (result u64) (canon lift (core func $i "random")))
      (func (export "now") (result u64) (canon lift (core func $i "now")))
      (func (export "exit") (param "status" u32) (canon lift (core func $i "exit"))))
    """

    test "of WASI are an empty world, where nothing is random and no time passes unless granted" do
      component = Component.compile!(@wasi)

      first = fn name, options ->
        component |> Component.new!(options) |> Component.call!(name)
      end

      assert first.("random", []) == first.("random", [])
      assert first.("random", random: {:seed, 7}) == first.("random", random: {:seed, 7})
      assert first.("random", random: {:seed, 7}) != first.("random", random: {:seed, 8})
      assert first.("random", random: true) != first.("random", random: true)
      assert first.("now", []) == first.("now", [])
      assert first.("now", clock: true) != first.("now", clock: true)

      assert {:error, %TrapError{reason: :exited, status: 1}} =
               component |> Component.new!() |> Component.call("exit", [1])
    end
  end

  test "options are checked", %{component: component} do
    for {options, words} <- [
          {[random: {:seed, -1}], ~r/option :random of Wasgo.Wasm.Component.new\/2/},
          {[clock: 1], ~r/option :clock/},
          {[files: true], ~r/has no option :files/},
          {[limits: [memory: -1]], ~r/option :memory/}
        ] do
      assert_raise ArgumentError, words, fn -> Component.new(component, options) end
    end

    assert %Instance{} = Component.new!(component, random: false)
  end
end
