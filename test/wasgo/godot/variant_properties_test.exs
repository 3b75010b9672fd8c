if Code.ensure_loaded?(:proper) do
  defmodule Wasgo.Godot.VariantPropertiesTest do
    use ExUnit.Case, async: true

    alias :proper_types, as: Gen

    alias Wasgo.DecodeError

    alias Wasgo.Godot.{
      AABB,
      Basis,
      Callable,
      Color,
      Dictionary,
      NodePath,
      ObjectID,
      Plane,
      RID,
      Signal,
      Transform3D,
      TypedArray,
      Variant,
      Vector2i,
      Vector3
    }

    # Tests of each property.
    @numtests 300
    # Of the lists that they generate.
    @max_size 30

    test "any term comes back as it was" do
      check(term(), fn term ->
        Variant.decode!(Variant.encode!(term), keep_order: true) == term
      end)
    end

    test "any term has one encoding" do
      check(term(), fn term ->
        bytes = Variant.encode!(term)

        rem(byte_size(bytes), 4) == 0 and
          Variant.encode!(Variant.decode!(bytes, keep_order: true)) == bytes
      end)
    end

    test "any term cut short is an error" do
      check({term(), Gen.float(0.0, 0.999)}, fn {term, part} ->
        bytes = Variant.encode!(term)
        cut = binary_part(bytes, 0, trunc(byte_size(bytes) * part))
        match?({:error, %DecodeError{}}, Variant.decode(cut))
      end)
    end

    test "any bytes decode or are an error, and never raise" do
      check(nearly(), fn bytes ->
        case Variant.decode(bytes, trailing: :ignore) do
          {:ok, _term} -> true
          {:error, %DecodeError{} = error} -> is_binary(Exception.message(error))
        end
      end)
    end

    test "maps come back as they were" do
      check(Gen.list({key(), leaf()}), fn pairs ->
        map = Map.new(pairs)
        Variant.decode!(Variant.encode!(map)) == map
      end)
    end

    defp check(generator, holds) do
      options = [
        :quiet,
        :noshrink,
        {:numtests, @numtests},
        {:max_size, @max_size},
        {:to_file, :standard_io},
        :long_result
      ]

      case :proper.quickcheck(:proper.forall(generator, holds), options) do
        true -> :ok
        counterexample -> flunk("does not hold for #{inspect(counterexample)}")
      end
    end

    # Words that are nearly a value: types, flags and small counts, with anything between.
    defp nearly do
      word =
        Gen.frequency([
          {3, Gen.integer(0, 40)},
          {2, Gen.integer(0, 0xFFFFF)},
          {1, Gen.integer(0, 0xFFFFFFFF)}
        ])

      map(Gen.list(word), fn words -> for word <- words, into: <<>>, do: <<word::little-32>> end)
    end

    defp term, do: Gen.sized(&term/1)

    defp term(size) when size < 2, do: leaf()

    defp term(size) do
      smaller = Gen.lazy(fn -> term(div(size, 3)) end)

      Gen.frequency([
        {4, leaf()},
        {1, Gen.list(smaller)},
        {1, map(Gen.list({key(), smaller}), &Dictionary.new/1)},
        {1, map(Gen.list(text()), &TypedArray.new(:string, &1))},
        {1,
         map(
           Gen.list({text(), int64()}),
           &Dictionary.new(&1, key_type: :string, value_type: :int)
         )}
      ])
    end

    defp key,
      do: Gen.union([text(), int64(), vector3(), Gen.boolean(), map(text(), &{:string_name, &1})])

    defp leaf do
      Gen.union([
        nil,
        Gen.boolean(),
        int64(),
        Gen.float(),
        Gen.union([:nan, :infinity, :neg_infinity]),
        text(),
        map(text(), &{:string_name, &1}),
        vector3(),
        map({vector3(), vector3()}, fn {position, size} -> AABB.new(position, size) end),
        map({vector3(), float32()}, fn {normal, d} -> Plane.new(normal, d) end),
        map({vector3(), vector3(), vector3(), vector3()}, fn {x, y, z, origin} ->
          Transform3D.new(Basis.new(x, y, z), origin)
        end),
        map({float32(), float32()}, fn {r, a} -> Color.new(r, 0, 1, a) end),
        map({int32(), int32()}, fn {x, y} -> Vector2i.new(x, y) end),
        map({Gen.list(text()), Gen.list(text()), Gen.boolean()}, fn {names, subnames, absolute} ->
          %NodePath{names: names, subnames: subnames, absolute: absolute}
        end),
        map(id(), &RID.new/1),
        map(id(), &ObjectID.new/1),
        map({text(), id()}, fn {name, id} -> Signal.new(name, id) end),
        Gen.exactly(Callable.new()),
        map(Gen.list(text()), &{:packed_string, &1}),
        map(Gen.binary(), &{:packed_byte, &1}),
        map(Gen.list(float32()), fn numbers ->
          {:packed_float32, for(number <- numbers, into: <<>>, do: <<number::float-little-32>>)}
        end)
      ])
    end

    defp vector3 do
      map({float32(), float32(), float32()}, fn {x, y, z} -> Vector3.new(x, y, z) end)
    end

    defp float32, do: map(Gen.integer(-1_000_000, 1_000_000), &(&1 / 64))
    defp int32, do: Gen.integer(-0x80000000, 0x7FFFFFFF)

    defp int64,
      do: Gen.union([Gen.integer(), Gen.integer(-0x8000000000000000, 0x7FFFFFFFFFFFFFFF)])

    defp id, do: Gen.integer(0, 0xFFFFFFFFFFFFFFFF)

    # Any text without NUL.
    defp text do
      character =
        Gen.union([Gen.integer(?a, ?z), Gen.integer(1, 0xD7FF), Gen.integer(0xE000, 0x10FFFF)])

      map(Gen.list(character), &List.to_string/1)
    end

    defp map(generator, fun), do: Gen.bind(generator, fun, true)
  end
end
