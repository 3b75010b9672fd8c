defmodule Wasgo.Godot.VariantSchedulingTest do
  # Tracing is of the whole VM.
  use ExUnit.Case, async: false

  alias Wasgo.Godot.{Dictionary, NodePath, Transform3D, TypedArray, Variant, Vector3}
  alias Wasgo.NativeCalls

  @functions [
    variant_encode: 3,
    variant_encode_dirty: 3,
    variant_decode: 4,
    variant_decode_dirty: 4
  ]

  setup do
    NativeCalls.watch(@functions)
    :ok
  end

  test "small work is done on the calling scheduler" do
    for term <- [1, "text", %{"a" => [1, 2]}, List.duplicate(%Vector3{}, 100), %Transform3D{}] do
      assert NativeCalls.of(fn -> Variant.encode!(term) end) == [:variant_encode]
      bytes = Variant.encode!(term)
      assert NativeCalls.of(fn -> Variant.decode!(bytes) end) == [:variant_decode]
    end
  end

  test "encoding what is large in any way is given up there, and gives the same on a dirty one" do
    large = [
      List.duplicate(nil, 4_000),
      List.duplicate(%Transform3D{}, 200),
      List.duplicate(%{}, 2_000),
      Map.new(1..4_000, &{&1, nil}),
      Dictionary.new(for(number <- 1..2_000, do: {number, number})),
      TypedArray.new(:int, Enum.to_list(1..4_000)),
      Enum.reduce(1..60, List.duplicate(1, 4_000), fn _, inner -> [inner] end),
      for(_ <- 1..50, do: %{"list" => List.duplicate("x", 50)}),
      %NodePath{names: List.duplicate("x", 4_000)},
      {:packed_byte, :binary.copy(<<0>>, 1_000_000)},
      {:packed_string, List.duplicate("x", 4_000)},
      String.duplicate("é", 1_000_000),
      {:string_name, String.duplicate("x", 1_000_000)}
    ]

    for term <- large do
      assert NativeCalls.of(fn -> Variant.encode!(term) end) == [
               :variant_encode,
               :variant_encode_dirty
             ]

      assert Variant.decode!(Variant.encode!(term), keep_order: is_struct(term)) == term
    end
  end

  test "errors are the same on either" do
    for fill <- [1, 4_000], wrong <- [self(), <<255>>, [1 | 2]] do
      term = List.duplicate(nil, fill) ++ [wrong]
      assert {:error, %Wasgo.EncodeError{path: [^fill | _]}} = Variant.encode(term)
    end

    for fill <- [1, 20_000] do
      bytes = Variant.encode!(List.duplicate(nil, fill))
      offset = byte_size(bytes) - 4
      wrong = binary_part(bytes, 0, offset) <> <<39, 0, 0, 0>>
      assert {:error, %Wasgo.DecodeError{offset: ^offset}} = Variant.decode(wrong)
    end
  end

  test "decoding many terms is given up there" do
    terms = [
      List.duplicate(nil, 4_000),
      List.duplicate(%Vector3{}, 1_000),
      Map.new(1..2_000, &{&1, nil}),
      {:packed_string, List.duplicate("", 4_000)}
    ]

    for term <- terms, bytes = Variant.encode!(term) do
      assert NativeCalls.of(fn -> Variant.decode!(bytes) end) == [
               :variant_decode,
               :variant_decode_dirty
             ]
    end
  end

  test "decoding large input does not begin there" do
    bytes = Variant.encode!(String.duplicate("é", 40_000))
    assert NativeCalls.of(fn -> Variant.decode!(bytes) end) == [:variant_decode_dirty]
  end
end
