defmodule Wasgo.Godot.VariantTest do
  use ExUnit.Case, async: true

  alias Wasgo.{DecodeError, EncodeError, TaggedVariant}

  alias Wasgo.Godot.{
    AABB,
    Basis,
    Callable,
    Color,
    Dictionary,
    NodePath,
    ObjectID,
    Plane,
    Projection,
    Quaternion,
    Rect2,
    Rect2i,
    RID,
    Signal,
    Transform2D,
    Transform3D,
    TypedArray,
    Variant,
    Vector2,
    Vector2i,
    Vector3,
    Vector3i,
    Vector4,
    Vector4i
  }

  doctest EncodeError
  doctest DecodeError
  doctest Variant
  doctest Wasgo.Godot.Component

  for module <- [Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i, Rect2, Rect2i, AABB] do
    doctest module
  end

  for module <- [Plane, Transform2D, Quaternion, Basis, Transform3D, Projection, Color, NodePath] do
    doctest module
  end

  for module <- [RID, ObjectID, Callable, Signal, TypedArray, Dictionary] do
    doctest module
  end

  @fixture Path.expand("../../fixtures/godot_variants.json", __DIR__)
  # One of the samples nests 100 deep.
  @deep [max_depth: 128, keep_order: true]

  setup_all do
    %{fixture: @fixture |> File.read!() |> Wasgo.TestJSON.decode!()}
  end

  defp bytes(sample), do: Base.decode16!(sample["hex"], case: :lower)

  describe "the engine's own bytes" do
    test "decode to the engine's values, and encode from them", %{fixture: fixture} do
      samples =
        for sample <- fixture["encode"],
            sample["full_objects"] == false do
          term = Variant.decode!(bytes(sample), @deep)
          assert_same(term, sample["decoded"], sample["name"])
          assert Variant.encode!(term, max_depth: 128) == bytes(sample), sample["name"]
          sample["type"]
        end

      assert length(samples) == 156
      assert MapSet.new(samples) == MapSet.new(Map.values(fixture["types"]))
    end

    test "with full objects are refused", %{fixture: fixture} do
      samples = for sample <- fixture["encode"], sample["full_objects"] == true, do: sample
      assert length(samples) == 7

      for sample <- samples do
        assert {:error, %DecodeError{reason: :full_object, reading: {:value, :object}}} =
                 Variant.decode(bytes(sample), @deep)
      end
    end

    # Other than the engine: it would change or drop an element that is not of the declared type.
    @stricter ["dec_typed_int_wrong_elem", "dec_typed_int_float_elem"]

    test "that it refuses are refused, the others decode", %{fixture: fixture} do
      results =
        for sample <- fixture["decode"] do
          result = Variant.decode(bytes(sample), @deep ++ [trailing: :ignore])

          cond do
            sample["name"] in @stricter ->
              assert {:error, %DecodeError{reason: {:element_type, :int, _}}} = result

            sample["has_encoded"] ->
              assert {:ok, term} = result, sample["name"]
              unless_twice(sample, fn -> assert_same(term, sample["decoded"], sample["name"]) end)

            true ->
              assert {:error, %DecodeError{offset: offset} = error} = result, sample["name"]
              assert offset in 0..byte_size(bytes(sample))
              assert Exception.message(error) =~ "at byte #{offset}, reading "
          end

          elem(result, 0)
        end

      assert Enum.frequencies(results) == %{ok: 29, error: 15}
    end

    test "of a key that comes twice give the later value, or both", %{fixture: fixture} do
      sample = Enum.find(fixture["decode"], &(&1["name"] == "dec_dict_dup_key"))
      assert Variant.decode!(bytes(sample)) == %{1 => 20}
      assert Variant.decode!(bytes(sample), keep_order: true).pairs == [{1, 10}, {1, 20}]
      assert_same(Dictionary.new(Map.to_list(%{1 => 20})), sample["decoded"], sample["name"])
    end

    test "cut anywhere are an error", %{fixture: fixture} do
      for sample <- fixture["encode"], size <- cuts(byte_size(bytes(sample))) do
        cut = binary_part(bytes(sample), 0, size)
        assert {:error, %DecodeError{}} = Variant.decode(cut, @deep), "#{sample["name"]} #{size}"
      end
    end
  end

  # The engine keeps a key that comes twice once; with its order kept it is there twice.
  defp unless_twice(%{"name" => "dec_dict_dup_key"}, _check), do: :ok
  defp unless_twice(_sample, check), do: check.()

  # Every cut of the small samples, some of the large ones.
  defp cuts(0), do: []
  defp cuts(size), do: Enum.take_every(0..(size - 1), div(size, 500) + 1)

  describe "terms" do
    test "that stand for the same Variant encode the same" do
      same = [
        {:name, "name"},
        {[1, :two], [1, "two"]},
        {:naïve, "naïve"},
        {:世界, "世界"},
        {%{a: 1}, %{"a" => 1}},
        {%Vector3{x: 1, y: 2, z: 3}, Vector3.new(1.0, 2.0, 3.0)},
        {%Color{r: 1, g: 1, b: 1, a: 1}, Color.new(1, 1, 1)},
        {TypedArray.new(:float, [1, 2.5]), TypedArray.new(:float, [1.0, 2.5])},
        {TypedArray.new(nil, [1]), [1]},
        {Dictionary.new([{"a", 1}]), %{"a" => 1}}
      ]

      for {one, other} <- same, do: assert(Variant.encode!(one) == Variant.encode!(other))
    end

    test "keep their order in a Dictionary" do
      pairs = for key <- Enum.shuffle(1..100), do: {key, to_string(key)}
      decoded = Variant.decode!(Variant.encode!(Dictionary.new(pairs)), keep_order: true)
      assert decoded == Dictionary.new(pairs)
      assert Variant.decode!(Variant.encode!(decoded)) == Map.new(pairs)
      assert Dictionary.to_map(decoded) == Map.new(pairs)
    end

    test "of class and script types come back as such" do
      for type <- [{:class, "Node"}, {:script, "res://a.gd"}, :object, :packed_vector3] do
        array = TypedArray.new(type, [])
        assert Variant.decode!(Variant.encode!(array)) == array
        dictionary = Dictionary.new([], key_type: :string, value_type: type)
        assert Variant.decode!(Variant.encode!(dictionary)) == dictionary
      end

      array = TypedArray.new({:class, "Node"}, [nil, ObjectID.new(5)])
      assert Variant.decode!(Variant.encode!(array)) == array
    end

    test "with ids of all 64 bits come back" do
      id = 0xFFFF_FFFF_FFFF_FFFF

      for term <- [RID.new(id), ObjectID.new(id), Signal.new("s", id)] do
        assert Variant.decode!(Variant.encode!(term)) == term
      end
    end

    test "that are large packed arrays are parts of the input, small ones are not" do
      data = :binary.copy(<<1, 2, 3, 4>>, 1000)
      input = Variant.encode!(%{"a" => {:packed_int32, data}})
      %{"a" => {:packed_int32, decoded}} = Variant.decode!(input)
      assert decoded == data
      assert :binary.referenced_byte_size(decoded) == byte_size(input)

      small = Variant.encode!([{:packed_int32, binary_part(data, 0, 64)}, {:packed_byte, data}])
      [{:packed_int32, decoded}, _] = Variant.decode!(small)
      # How much a small binary takes is the VM's affair; it must not hold the whole input.
      assert :binary.referenced_byte_size(decoded) < 1000
    end

    test "do not make atoms" do
      name = "no_such_atom_#{System.unique_integer([:positive])}"

      assert [^name, {:string_name, ^name}] =
               Variant.decode!(Variant.encode!([name, {:string_name, name}]))

      assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
    end

    test "are read from strings up to the first NUL" do
      assert Variant.decode!(<<4, 0, 0, 0, 3, 0, 0, 0, ?a, 0, ?b, 0>>) == "a"
    end
  end

  describe "a term that is no Variant" do
    test "is an error that says which, why and where" do
      pid = self()

      wrong = [
        {pid, {:unsupported, pid}, []},
        {[1, %{"a" => [pid]}], {:unsupported, pid}, [1, "a", 0]},
        {%{"k" => [0, <<255>>]}, {:not_utf8, <<255>>}, ["k", 1]},
        {{:string_name, <<255>>}, {:not_utf8, <<255>>}, []},
        {<<1::3>>, {:unsupported, <<1::3>>}, []},
        {[1 | 2], {:unsupported, [1 | 2]}, []},
        {{:packed_string, ["a" | "b"]}, {:unsupported, {:packed_string, ["a" | "b"]}}, []},
        {{:packed_byte, [1]}, {:unsupported, {:packed_byte, [1]}}, []},
        {{:vector3, <<>>}, {:unsupported, {:vector3, <<>>}}, []},
        {{1, 2, 3}, {:unsupported, {1, 2, 3}}, []},
        {{}, {:unsupported, {}}, []},
        {1..2, {:unsupported, 1..2}, []},
        {%{__struct__: 1}, {:unsupported, %{__struct__: 1}}, []},
        {2 ** 63, {:integer_range, 2 ** 63, 64}, []},
        {[%Vector2i{x: 2 ** 31}], {:integer_range, 2 ** 31, 32}, [0]},
        {%Vector2i{x: 2 ** 70}, {:integer_range, 2 ** 70, 32}, []},
        {%Vector2i{x: 1.0}, {:field, Vector2i, :x, 1.0}, []},
        {%Vector3{y: nil}, {:field, Vector3, :y, nil}, []},
        {%Vector3{y: 1.0e39}, {:float_range, 1.0e39, :vector3}, []},
        {%Transform3D{origin: %Vector2{}}, {:field, Transform3D, :origin, %Vector2{}}, []},
        {%RID{id: -1}, {:field, RID, :id, -1}, []},
        {%ObjectID{id: 2 ** 64}, {:field, ObjectID, :id, 2 ** 64}, []},
        {%NodePath{names: ["a" | "b"]}, {:field, NodePath, :names, ["a" | "b"]}, []},
        {%NodePath{absolute: 1}, {:field, NodePath, :absolute, 1}, []},
        {%TypedArray{type: :nonsense}, {:field, TypedArray, :type, :nonsense}, []},
        {%TypedArray{type: :int, values: 1}, {:field, TypedArray, :values, 1}, []},
        {%Dictionary{pairs: [1]}, {:field, Dictionary, :pairs, 1}, []},
        {%Dictionary{pairs: [{1, 2} | 3]}, {:field, Dictionary, :pairs, [{1, 2} | 3]}, []},
        {TypedArray.new(:int, [1, "a"]), {:element_type, :int, :string}, [1]},
        {Dictionary.new([{1, 2}], value_type: :string), {:element_type, :string, :int}, [1]},
        {%{"k" => "a\0b"}, {:nul, :string}, ["k"]},
        {{:packed_string, ["\0"]}, {:nul, :packed_string}, []},
        {{:packed_vector3, <<0::80>>}, {:packed_size, :packed_vector3, 10}, []}
      ]

      for {term, reason, path} <- wrong do
        assert {:error, %EncodeError{reason: ^reason, path: ^path} = error} = Variant.encode(term)
        assert is_binary(Exception.message(error))
      end
    end

    test "suggests what to do with raw bytes" do
      {:error, error} = Variant.encode(<<255>>)
      assert Exception.message(error) =~ "{:packed_byte, binary}"
    end

    test "raises with a bang" do
      assert_raise EncodeError, ~r/^at \["a", 0\]: no type stands for #PID/, fn ->
        Variant.encode!(%{"a" => [self()]})
      end

      assert_raise DecodeError,
                   "at byte 0, reading the type of a value: there is no type 39",
                   fn ->
                     Variant.decode!(<<39, 0, 0, 0>>)
                   end
    end
  end

  describe "limits" do
    defp nest(0), do: []
    defp nest(depth), do: [nest(depth - 1)]

    test "of depth" do
      assert {:ok, bytes} = Variant.encode(nest(63))
      assert Variant.decode!(bytes) == nest(63)
      assert {:error, %EncodeError{reason: {:too_deep, 64}}} = Variant.encode(nest(64))
      bytes = Variant.encode!(nest(64), max_depth: 65)
      assert {:error, %DecodeError{reason: {:too_deep, 64}, offset: 512}} = Variant.decode(bytes)
      bytes = Variant.encode!(nest(1023), max_depth: 1024)
      assert Variant.decode!(bytes, max_depth: 1024) == nest(1023)
      assert {:ok, _} = Variant.encode(1, max_depth: 0)
    end

    test "of depth hold on dirty schedulers, whose stacks are small" do
      large = [nest(1022), {:packed_byte, :binary.copy(<<0>>, 1_000_000)}]
      bytes = Variant.encode!(large, max_depth: 1024)
      assert Variant.decode!(bytes, max_depth: 1024) == large
    end

    test "of size" do
      bytes = Variant.encode!({:packed_byte, <<0::800>>}, max_bytes: 108)
      assert byte_size(bytes) == 108
      assert {:ok, _} = Variant.decode(bytes, max_bytes: 108)

      assert {:error, %EncodeError{reason: {:too_large, 107}}} =
               Variant.encode({:packed_byte, <<0::800>>}, max_bytes: 107)

      assert {:error, %DecodeError{reason: {:too_large, 108, 107}}} =
               Variant.decode(bytes, max_bytes: 107)
    end

    test "are the caller's mistake when they make no sense" do
      for opts <- [
            [max_depth: 1025],
            [max_depth: -1],
            [max_bytes: 0],
            [max_bytes: 2 ** 31],
            [depth: 1]
          ] do
        assert_raise ArgumentError, fn -> Variant.encode(1, opts) end
        assert_raise ArgumentError, fn -> Variant.decode(<<>>, opts) end
      end

      assert_raise ArgumentError, fn -> Variant.decode(<<>>, trailing: :maybe) end
      assert_raise ArgumentError, fn -> Variant.decode(<<>>, keep_order: 1) end
    end

    test "of input are what it is, not more" do
      assert {:error, %DecodeError{reason: {:trailing, 3}, offset: 4}} =
               Variant.decode(<<0, 0, 0, 0, 1, 2, 3>>)

      assert Variant.decode(<<0, 0, 0, 0, 1, 2, 3>>, trailing: :ignore) == {:ok, nil}
    end
  end

  defp assert_same(term, tagged, name) do
    assert TaggedVariant.same?(term, tagged),
           "#{name}: #{inspect(term)} is not #{inspect(tagged)}"
  end
end
