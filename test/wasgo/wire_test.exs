defmodule Wasgo.WireTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Buffer, DecodeError, EncodeError, Wire}

  doctest Wasgo.Wire

  @serde [:json, :msgpack, :cbor, :postcard]

  # Terms that every format has.
  @common [
    nil,
    true,
    false,
    0,
    -1,
    23,
    24,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    -128,
    -129,
    -32_769,
    0x7FFFFFFF,
    0x80000000,
    0x7FFFFFFFFFFFFFFF,
    -0x8000000000000000,
    0.0,
    1.0,
    -2.5,
    0.1,
    1.0e300,
    5.0e-324,
    1.7976931348623157e308,
    "",
    "text",
    "é𝄞\u2028\"\\\n\t/",
    String.duplicate("long ", 20_000),
    [],
    [[], [[]]],
    [1, "a", nil, %{}],
    %{},
    %{"a" => 1, "b" => [true], "" => %{"c" => nil}},
    Map.new(1..100, &{"key #{&1}", &1})
  ]

  # And those that only JSON has not.
  @rest [
    :nan,
    :infinity,
    :neg_infinity,
    [1.0, :nan],
    {:blob, ""},
    {:blob, <<0, 255>>},
    {:blob, :binary.copy(<<200>>, 100_000)},
    %{1 => 2, 1.5 => 3, nil => 4, true => 5, {:blob, <<1>>} => 6, [1] => 7, %{} => 8}
  ]

  defp error(term, format, options \\ []) do
    assert {:error, %EncodeError{} = error} = Wire.encode(term, format, options)
    assert Exception.message(error) != ""
    {error.reason, error.path}
  end

  defp wrong(bytes, format, options \\ []) do
    assert {:error, %DecodeError{} = error} = Wire.decode(bytes, format, options)
    assert Exception.message(error) != ""
    error.reason
  end

  defp rest(:json), do: []
  defp rest(_format), do: @rest

  for format <- Wire.formats() do
    test "terms come back from #{format}" do
      format = unquote(format)

      for term <- @common ++ rest(format) do
        bytes = Wire.encode!(term, format)
        assert Wire.decode(bytes, format) == {:ok, term}
      end
    end

    test "buffers come back from #{format}" do
      format = unquote(format)
      metadata = %{"name" => "a", "list" => [1, 2.5, nil]}

      for payload <- ["", "text", <<255, 0>>, %{"rows" => [1]}, 7] do
        buffer = Buffer.new(payload, pts: 1_000_000_000_000, dts: nil, metadata: metadata)
        bytes = Wire.encode!(buffer, format)
        assert Wire.decode(bytes, format, as: :buffer) == {:ok, buffer}
      end
    end

    test "depth is bounded both ways in #{format}" do
      format = unquote(format)
      nested = fn depth -> Enum.reduce(2..depth, [], fn _, inner -> [inner] end) end
      assert Wire.decode!(Wire.encode!(nested.(64), format), format) == nested.(64)
      assert {{:too_deep, 64}, path} = error(nested.(65), format)
      assert length(path) == 64

      bytes = Wire.encode!(nested.(65), format, max_depth: 65)
      assert wrong(bytes, format) == {:too_deep, 64}
      assert Wire.decode!(bytes, format, max_depth: 65) == nested.(65)
      assert Wire.encode!(1, format, max_depth: 0)
      assert {{:too_deep, 0}, []} = error(%{"a" => 1}, format, max_depth: 0)

      deepest = nested.(128)
      bytes = Wire.encode!(deepest, format, max_depth: 128)
      assert Wire.decode!(bytes, format, max_depth: 128) == deepest
      # On a dirty scheduler, whose stack is smaller.
      wide = [String.duplicate("x", 20_000), List.duplicate(1, 5_000), nested.(127)]
      bytes = Wire.encode!(wide, format, max_depth: 128)
      assert Wire.decode!(bytes, format, max_depth: 128) == wide
    end

    test "size is bounded both ways in #{format}" do
      format = unquote(format)
      term = List.duplicate("0123456789", 50)
      bytes = Wire.encode!(term, format)
      size = byte_size(bytes)
      assert Wire.encode!(term, format, max_bytes: size) == bytes
      assert {{:too_large, limit}, _path} = error(term, format, max_bytes: size - 1)
      assert limit == size - 1
      assert Wire.decode!(bytes, format, max_bytes: size) == term
      assert wrong(bytes, format, max_bytes: size - 1) == {:too_large, size, size - 1}
    end

    test "the number of values is bounded in #{format}" do
      format = unquote(format)
      bytes = Wire.encode!(List.duplicate([], 10), format)
      assert Wire.decode!(bytes, format, max_values: 12) == List.duplicate([], 10)
      assert wrong(bytes, format, max_values: 9) == {:too_many, 9}
    end

    test "bytes after a value are an error in #{format}, unless they are to be ignored" do
      format = unquote(format)
      bytes = Wire.encode!([1], format)
      assert wrong(bytes <> bytes, format) == {:trailing, byte_size(bytes)}
      assert Wire.decode(bytes <> bytes, format, trailing: :ignore) == {:ok, [1]}
    end

    test "what is no plain term is an error in #{format}, with the way to it" do
      format = unquote(format)

      for wrong <- [self(), make_ref(), &is_nil/1, <<1::3>>, [1 | 2], 1..2, %Buffer{payload: ""}] do
        assert error(%{"a" => [0, wrong]}, format) == {{:unsupported, wrong}, ["a", 1]}
      end
    end

    test "cut short, any value is an error in #{format}" do
      format = unquote(format)
      term = %{"a" => [1, 1.5, nil, true, "text", %{"b" => 300}], "c" => 70_000}
      bytes = Wire.encode!(term, format)

      for size <- 0..(byte_size(bytes) - 1) do
        assert {:error, %DecodeError{}} = Wire.decode(binary_part(bytes, 0, size), format)
      end
    end
  end

  test "terms go from any format to any other" do
    for one <- Wire.formats(), other <- Wire.formats(), term <- @common do
      between = Wire.decode!(Wire.encode!(term, one), one)
      assert Wire.decode!(Wire.encode!(between, other), other) == term
    end
  end

  test "integers are as wide as a format has them, and errors beyond" do
    for format <- [:json, :cbor, :postcard], integer <- [2 ** 64, -(2 ** 127), 2 ** 127 - 1] do
      assert Wire.decode!(Wire.encode!(integer, format), format) == integer
      assert error(2 ** 127, format) == {{:integer_range, 2 ** 127, 128}, []}
      assert error(-(2 ** 4000), format) == {{:integer_range, -(2 ** 4000), 128}, []}
    end

    assert Wire.decode!(Wire.encode!(2 ** 64 - 1, :msgpack), :msgpack) == 2 ** 64 - 1
    assert error([2 ** 64], :msgpack) == {{:integer_range, 2 ** 64, 64}, [0]}
    assert error(-(2 ** 63) - 1, :msgpack) == {{:integer_range, -(2 ** 63) - 1, 64}, []}
    assert error(2 ** 63, :godot_variant) == {{:integer_range, 2 ** 63, 64}, []}
    assert Wire.decode!(Wire.encode!(2 ** 4000, :etf), :etf) == 2 ** 4000

    assert wrong("1" <> String.duplicate("0", 39), :json) == {:integer_range, 128}
    assert wrong("170141183460469231731687303715884105728", :json) == {:integer_range, 128}
    # A bignum of 17 bytes, and one that is as small as can be, with zeros before it.
    assert wrong(<<0xC2, 0x51, 1, 0::128>>, :cbor) == {:integer_range, 128}
    assert Wire.decode!(<<0xC2, 0x51, 7::136>>, :cbor) == 7
    assert Wire.decode!(<<0xC3, 0x49, 1, 0::64>>, :cbor) == -(2 ** 64) - 1
    assert Wire.decode!(<<0x3B, 0xFFFFFFFFFFFFFFFF::64>>, :cbor) == -(2 ** 64)
    assert wrong(<<0xC2, 1>>, :cbor) == {:syntax, "the bytes of an integer"}
  end

  test "what JSON has not is an error, or what was asked for" do
    for float <- [:nan, :infinity, :neg_infinity] do
      assert error([float], :json) == {{:not_in_format, :json, :not_finite, float}, [0]}
      assert Wire.encode!([float], :json, nan: :null) == "[null]"
    end

    blob = {:blob, <<0, 1, 255>>}
    assert error(%{"a" => blob}, :json) == {{:not_in_format, :json, :bytes, blob}, ["a"]}
    assert Wire.encode!(blob, :json, bytes: :base64) == ~S("AAH/")

    for key <- [1, nil, true, 1.5, [], {:blob, "a"}] do
      assert error([%{key => 1}], :json) == {{:not_in_format, :json, :key, key}, [0, key]}
    end
  end

  test "binaries that are no UTF-8 are errors that say what to do" do
    for format <- @serde do
      assert error(["a", <<255>>], format) == {{:not_text, <<255>>}, [1]}
      assert error(%{<<255>> => 1}, format) == {{:not_text, <<255>>}, [<<255>>]}
    end

    {:error, error} = Wire.encode(<<255>>, :cbor)
    assert Exception.message(error) =~ "give {:blob, binary}"
  end

  test "atoms are written as texts, and a key that would come twice is an error" do
    for format <- @serde do
      assert Wire.decode!(Wire.encode!(%{a: :b, ä: :日本}, format), format) ==
               %{"a" => "b", "ä" => "日本"}
    end

    for format <- [:godot_variant | @serde] do
      assert error([%{:a => 1, "a" => 2}], format) == {{:duplicate_key, :a}, [0]}
      large = Map.new(1..5_000, &{"#{&1}", nil}) |> Map.merge(%{:ä => 1, "ä" => 2})
      assert error(large, format) == {{:duplicate_key, :ä}, []}

      assert Wire.decode!(Wire.encode!(%{"nil" => 1, b: 2}, format), format) == %{
               "nil" => 1,
               "b" => 2
             }
    end

    assert Wire.decode!(Wire.encode!(%{a: {:b, :c}}, :etf), :etf) == %{a: {:b, :c}}
  end

  test "a key that comes twice in bytes is an error, unless the later one is wanted" do
    twice = [
      json: ~S({"a": 1, "b": 2, "a": 3}),
      msgpack: <<0x83, 0xA1, ?a, 1, 0xA1, ?b, 2, 0xA1, ?a, 3>>,
      cbor: <<0xA3, 0x61, ?a, 1, 0x61, ?b, 2, 0x61, ?a, 3>>,
      postcard: <<8, 3, 5, 1, ?a, 2, 2, 5, 1, ?b, 2, 4, 5, 1, ?a, 2, 6>>,
      godot_variant:
        <<27::32-little, 3::32-little>> <>
          for({key, value} <- [a: 1, b: 2, a: 3], into: <<>>) do
            Wire.encode!(to_string(key), :godot_variant) <> Wire.encode!(value, :godot_variant)
          end
    ]

    for {format, bytes} <- twice do
      assert wrong(bytes, format) == {:duplicate_key, "a"}
      assert Wire.decode!(bytes, format, duplicate_keys: :last) == %{"a" => 3, "b" => 2}
    end

    bytes = <<131, 116, 2::32, 97, 1, 97, 2, 97, 1, 97, 3>>
    assert {:refused, _} = wrong(bytes, :etf)
  end

  test "extensions are MessagePack's and tags are CBOR's" do
    for size <- [0, 1, 2, 3, 4, 8, 16, 17, 256, 70_000], type <- [-128, -1, 0, 127] do
      term = {:ext, type, :binary.copy(<<7>>, size)}
      assert Wire.decode!(Wire.encode!(term, :msgpack), :msgpack) == term
    end

    for number <- [0, 1, 24, 32, 2 ** 32, 2 ** 64 - 1] do
      term = [{:tag, number, %{"a" => {:tag, 5, nil}}}]
      assert Wire.decode!(Wire.encode!(term, :cbor), :cbor) == term
    end

    deep = Enum.reduce(1..128, List.duplicate(1, 9_000), fn _, inner -> {:tag, 9, inner} end)
    assert {{:too_deep, 128}, _} = error(deep, :cbor, max_depth: 128)
    {:tag, 9, deep} = deep
    assert Wire.decode!(Wire.encode!(deep, :cbor, max_depth: 128), :cbor, max_depth: 128) == deep

    for format <- [:json, :cbor, :postcard] do
      ext = {:ext, 1, ""}
      assert error([ext], format) == {{:not_in_format, format, :ext, ext}, [0]}
    end

    for format <- [:json, :msgpack, :postcard] do
      tag = {:tag, 1, ""}
      assert error([tag], format) == {{:not_in_format, format, :tag, tag}, [0]}
    end

    # What has a meaning of its own, or none.
    for wrong <- [
          {:ext, 128, ""},
          {:ext, 1, :a},
          {:tag, 2, 1},
          {:tag, -1, 1},
          {:blob, 1},
          {},
          {1}
        ] do
      assert error(wrong, :msgpack) == {{:unsupported, wrong}, []}
    end
  end

  test "JSON is taken as RFC 8259 has it" do
    assert Wire.decode!(~s( \t\r\n{"a" : [ 1 , 2 ] } \n), :json) == %{"a" => [1, 2]}
    assert Wire.decode!(~S("\u0041\ud834\udd1e\/\b\f\n\r\t\"\\"), :json) == "A𝄞/\b\f\n\r\t\"\\"
    assert Wire.decode!("[-0, 0e1, 1E+2, 1.5e-1]", :json) == [0, 0.0, 100.0, 0.15]

    assert Wire.decode!("123456789012345678901234567890", :json) ==
             123_456_789_012_345_678_901_234_567_890

    wrong = [
      "[1,]",
      "[,1]",
      "{\"a\"}",
      "{\"a\":}",
      "{a:1}",
      "{\"a\":1,}",
      "[1 2]",
      "01",
      "+1",
      "1.",
      ".5",
      "1e",
      "-",
      "--1",
      "NaN",
      "Infinity",
      "nul",
      "tru",
      "\"\\x\"",
      "\"\\ud834\"",
      "\"\\udd1e\"",
      "\"\\ud834x\"",
      "\"\\u12g4\"",
      "\"\n\"",
      "\"a",
      "'a'",
      "]",
      "}",
      "",
      " ",
      "[1}",
      "{\"a\":1]",
      "1e999",
      "\xEF\xBB\xBF1",
      "\"\xFF\"",
      "/**/1",
      "nullx"
    ]

    for text <- wrong, do: assert({:error, %DecodeError{}} = Wire.decode(text, :json), text)

    assert {:error, %{offset: 7, reason: {:syntax, "a comma or ]"}}} =
             Wire.decode("[1, [2 3]]", :json)
  end

  test "CBOR's other forms are taken" do
    assert Wire.decode!(<<0x9F, 1, 0x9F, 0xFF, 0xFF>>, :cbor) == [1, []]
    assert Wire.decode!(<<0xBF, 0x61, ?a, 1, 0xFF>>, :cbor) == %{"a" => 1}
    assert Wire.decode!(<<0x7F, 0x61, ?a, 0x60, 0x61, ?b, 0xFF>>, :cbor) == "ab"
    assert Wire.decode!(<<0x5F, 0x41, 1, 0x41, 2, 0xFF>>, :cbor) == {:blob, <<1, 2>>}
    assert Wire.decode!(<<0xF7>>, :cbor) == nil
    assert Wire.decode!(<<0xF9, 0x3C, 0>>, :cbor) == 1.0
    assert Wire.decode!(<<0xF9, 0, 1>>, :cbor) == 5.960464477539063e-8
    assert Wire.decode!(<<0xFA, 0x47C35000::32>>, :cbor) == 100_000.0
    # A small number in a wide form.
    assert Wire.decode!(<<0x1B, 5::64>>, :cbor) == 5

    wrong = [
      <<0xFF>>,
      <<0x82, 1, 0xFF>>,
      <<0xBF, 1, 0xFF>>,
      <<0x7F, 0x41, 1, 0xFF>>,
      <<0x7F, 0x7F, 0xFF, 0xFF>>,
      <<0x1C>>,
      <<0x3F>>,
      <<0xE0>>,
      <<0xF8, 20>>,
      <<0xDF>>,
      <<0x61, 255>>,
      <<0x9F>>,
      <<0xC1>>
    ]

    for bytes <- wrong, do: assert({:error, %DecodeError{}} = Wire.decode(bytes, :cbor))
  end

  test "declared lengths that are not there are errors" do
    huge = [
      msgpack: <<0xDD, 0xFFFFFFFF::32>>,
      msgpack: <<0xDF, 0xFFFFFFFF::32, 1>>,
      msgpack: <<0xDB, 0xFFFFFFFF::32, ?a>>,
      msgpack: <<0xC6, 0xFFFFFFFF::32>>,
      msgpack: <<0xC9, 0xFFFFFFFF::32, 1>>,
      cbor: <<0x9B, 0xFFFFFFFFFFFFFFFF::64>>,
      cbor: <<0xBB, 0xFFFFFFFFFFFFFFFF::64>>,
      cbor: <<0x7B, 0xFFFFFFFFFFFFFFFF::64>>,
      cbor: <<0x5B, 0xFFFFFFFFFFFFFFFF::64>>,
      postcard: <<7, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1>>,
      postcard: <<8, 255, 255, 255, 255, 15>>,
      postcard: <<5, 255, 255, 255, 255, 15>>,
      etf: <<131, 108, 0xFFFFFFFF::32, 97, 1>>,
      etf: <<131, 116, 0xFFFFFFFF::32>>,
      etf: <<131, 109, 0xFFFFFFFF::32>>,
      etf: <<131, 105, 0xFFFFFFFF::32>>,
      etf: <<131, 111, 0xFFFFFFFF::32>>,
      godot_variant: <<28::32-little, 0x7FFFFFFF::32-little>>
    ]

    for {format, bytes} <- huge do
      assert elem(wrong(bytes, format), 0) in [:count, :truncated]
    end
  end

  test "no atoms are made of input" do
    name = "no atom of this name: #{System.unique_integer([:positive])}"

    for format <- @serde do
      bytes = Wire.encode!(%{name => name}, format)
      assert Wire.decode!(bytes, format, keys: :existing_atoms) == %{name => name}
      assert Wire.decode!(bytes, format) == %{name => name}
      assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
    end

    external = <<131, 119, byte_size(name), name::binary>>
    assert {:refused, _words} = wrong(external, :etf)
    assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
  end

  test "keys are existing atoms where that is asked for, but never those that mean values or structs" do
    map = %{"name" => 1, "nil" => 2, "true" => 3, "__struct__" => "Elixir.Range", "nan" => 4}

    for format <- @serde do
      bytes = Wire.encode!(map, format)

      assert Wire.decode!(bytes, format, keys: :existing_atoms) ==
               map |> Map.delete("name") |> Map.put(:name, 1)
    end
  end

  test "external terms are plain, or refused" do
    for term <- [
          self(),
          make_ref(),
          &is_nil/1,
          fn -> 1 end,
          hd(Port.list()),
          1..2,
          <<1::3>>,
          [1 | 2]
        ] do
      assert elem(wrong(:erlang.term_to_binary(term), :etf), 0) in [:refused, :syntax]
      assert elem(wrong(:erlang.term_to_binary([%{a: {term}}]), :etf), 0) in [:refused, :syntax]
    end

    for term <- [{}, {1, :a}, ~c"charlist", %{a: {:ok, ~c"x"}}, List.duplicate(1, 70_000), :日本] do
      assert Wire.decode!(:erlang.term_to_binary(term), :etf) == term
      assert Wire.decode!(Wire.encode!(term, :etf), :etf) == term
    end

    # A list of bytes counts as what it holds.
    assert wrong(:erlang.term_to_binary(~c"charlist"), :etf, max_values: 8) == {:too_many, 8}
    assert wrong(<<130, 97, 1>>, :etf) == {:syntax, "the version byte, 131"}
    assert wrong(<<131, 200>>, :etf) == {:unknown_type, 200}
    assert wrong(<<131, 70, 0x7FF0000000000000::64>>, :etf) == {:syntax, "a finite float"}
  end

  test "compressed external terms are bounded by what they say that they hold" do
    term = List.duplicate("again", 10_000)
    bytes = :erlang.term_to_binary(term, [:compressed])
    <<131, 80, size::32, deflated::binary>> = bytes
    assert Wire.decode!(bytes, :etf) == term
    assert wrong(bytes, :etf, max_bytes: size - 1) == {:too_large, size, size - 1}
    assert wrong(bytes, :etf, max_values: 10_000) == {:too_many, 10_000}

    for lie <- [size - 1, size + 1, 0, 1] do
      assert {:syntax, _} = wrong(<<131, 80, lie::32, deflated::binary>>, :etf)
    end

    assert {:too_large, _, _} = wrong(<<131, 80, 0xFFFFFFFF::32, deflated::binary>>, :etf)

    assert {:refused, "a struct"} =
             wrong(:erlang.term_to_binary(List.duplicate(1..2, 99), [:compressed]), :etf)

    assert {:truncated, 4, 2} = wrong(<<131, 80, 0, 0>>, :etf)
  end

  test "a value that is no envelope is no buffer" do
    wrong = [
      1,
      [],
      %{},
      %{"payload" => "not base64!"},
      %{"payload" => "", "pts" => "now"},
      %{"payload" => "", "dts" => 1.5},
      %{"payload" => "", "metadata" => []},
      %{"payload" => "", "more" => 1}
    ]

    for term <- wrong do
      assert {:envelope, words} = wrong(Wire.encode!(term, :json), :json, as: :buffer)
      assert words =~ "buffer" or words =~ "payload"
    end

    assert Wire.decode!(~S({"payload":""}), :json, as: :buffer) == Buffer.new("")

    assert Wire.decode!(~S({"payload":""}), :json, as: :buffer, keys: :existing_atoms) ==
             Buffer.new("")

    assert error(Buffer.new("", metadata: %{"a" => self()}), :cbor) ==
             {{:unsupported, self()}, ["metadata", "a"]}
  end

  test "a payload whose base64 is too large is refused before the text is made" do
    buffer = Buffer.new(:binary.copy(<<7>>, 3_000))
    size = byte_size(Wire.encode!(buffer, :json))
    assert {{:too_large, _}, _} = error(buffer, :json, max_bytes: size - 1)
    assert byte_size(Wire.encode!(buffer, :json, max_bytes: size)) == size

    assert encoded_apart(buffer, 3_999) == {{{:too_large, 3_999}, ["payload"]}, false}
    # The text alone fits, and the buffer does not.
    assert encoded_apart(buffer, 4_000) == {{{:too_large, 4_000}, ["payload"]}, true}

    assert error({:blob, buffer.payload}, :json, bytes: :base64, max_bytes: 3_999) ==
             {{:too_large, 3_999}, []}
  end

  # The error, and whether a text was made for it: in a process that this one traces.
  defp encoded_apart(buffer, max_bytes) do
    task =
      Task.async(fn ->
        receive do: (:go -> error(buffer, :json, max_bytes: max_bytes))
      end)

    pid = task.pid
    :erlang.trace_pattern({Base, :encode64, :_}, true, [:global])
    :erlang.trace(pid, true, [:call])
    send(pid, :go)
    error = Task.await(task, :infinity)
    told = :erlang.trace_delivered(pid)
    assert_receive {:trace_delivered, ^pid, ^told}, 60_000

    receive do
      {:trace, ^pid, :call, {Base, :encode64, _}} -> {error, true}
    after
      0 -> {error, false}
    end
  end

  test "Godot's own types are the Variants' alone" do
    vector = Wasgo.Godot.Vector3.new(1, 2, 3)
    assert Wire.decode!(Wire.encode!([vector], :godot_variant), :godot_variant) == [vector]

    assert Wire.encode!({:blob, <<1>>}, :godot_variant) ==
             Wire.encode!({:packed_byte, <<1>>}, :godot_variant)

    for format <- @serde ++ [:etf],
        do: assert(error([vector], format) == {{:unsupported, vector}, [0]})
  end

  test "large raw bytes are parts of the input" do
    payload = :binary.copy(<<1, 2>>, 50_000)

    for format <- [:msgpack, :cbor, :postcard, :godot_variant] do
      # What was encoded is memory of Rust's, whose size the VM tells differently.
      bytes = :binary.copy(Wire.encode!({:blob, payload}, format))
      assert {:ok, {:blob, ^payload = decoded}} = Wire.decode(bytes, format)
      assert :binary.referenced_byte_size(decoded) == byte_size(bytes)
    end
  end

  test "options that mean nothing raise" do
    for {options, format} <- [
          {[max_depth: 129], :json},
          {[max_bytes: 0], :cbor},
          {[nan: :null], :cbor},
          {[bytes: :base64], :msgpack},
          {[nan: :zero], :json},
          {[other: 1], :json},
          {[], :xml}
        ] do
      assert_raise ArgumentError, fn -> Wire.encode(1, format, options) end
    end

    for {options, format} <- [
          {[max_values: 0], :json},
          {[keys: :existing_atoms], :etf},
          {[duplicate_keys: :last], :etf},
          {[keys: :atoms], :json},
          {[as: :struct], :json},
          {[], :xml}
        ] do
      assert_raise ArgumentError, fn -> Wire.decode("1", format, options) end
    end

    assert_raise EncodeError, fn -> Wire.encode!(self(), :json) end
    assert_raise DecodeError, fn -> Wire.decode!("", :json) end
  end
end
