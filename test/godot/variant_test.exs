defmodule Wasgo.Godot.EngineVariantTest do
  # Every type of Variant, from here to a real engine and back.
  use ExUnit.Case, async: true

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

  alias Wasgo.TestEngine

  @moduletag :godot
  @fixture Path.expand("../fixtures/godot_variants.json", __DIR__)
  @deep [max_depth: 128]

  setup do
    {:ok, listener} =
      :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, packet: 4, active: false, nodelay: true])

    {:ok, port} = :inet.port(listener)
    engine = TestEngine.start("variant_peer.gd", ["--port=#{port}"])
    {:ok, socket} = :gen_tcp.accept(listener, 20_000)
    %{engine: engine, socket: socket}
  end

  # The type's number and the bytes that the engine makes of a value's bytes.
  defp through_engine(socket, bytes) do
    :ok = :gen_tcp.send(socket, bytes)
    {:ok, <<type, back::binary>>} = :gen_tcp.recv(socket, 0, 10_000)
    {type, back}
  end

  test "the engine's values, decoded and encoded here, are the same to it", context do
    samples = @fixture |> File.read!() |> Wasgo.TestJSON.decode!() |> Map.fetch!("encode")

    seen =
      for sample <- samples, sample["full_objects"] == false do
        bytes = Base.decode16!(sample["hex"], case: :lower)
        term = Variant.decode!(bytes, [keep_order: true] ++ @deep)
        encoded = Variant.encode!(term, @deep)
        {type, back} = through_engine(context.socket, encoded)

        # As it did when the samples were taken. Objects get another id each time that one is made of their bytes.
        assert {sample["name"], type} == {sample["name"], sample["decoded_type_id"]}
        assert {sample["name"], encoded} == {sample["name"], bytes}

        if sample["reencode_same"] do
          assert {sample["name"], back} == {sample["name"], encoded}
          assert Variant.decode!(back, [keep_order: true] ++ @deep) == term
        end

        type
      end

    assert length(seen) == 156
    :gen_tcp.close(context.socket)
    assert TestEngine.await_exit(context.engine) == 0
  end

  test "values made here, of all 39 types, come back as they were", context do
    for {type, terms} <- values(), type != 24, term <- terms do
      bytes = Variant.encode!(term)
      assert {term, {type, bytes}} == {term, through_engine(context.socket, bytes)}
    end

    # The engine makes a new object that only knows the id of the one that was meant; its script gives that back.
    {24, [%ObjectID{id: id} = object]} = List.keyfind(values(), 24, 0)
    assert {24, Variant.encode!(id)} == through_engine(context.socket, Variant.encode!(object))
    assert Enum.map(values(), &elem(&1, 0)) == Enum.to_list(0..38)
    :gen_tcp.close(context.socket)
    assert TestEngine.await_exit(context.engine) == 0
  end

  defp values do
    [
      {0, [nil]},
      {1, [true, false]},
      {2, [0, -1, 2_147_483_647, -2_147_483_649, 9_223_372_036_854_775_807]},
      {3, [0.0, -0.0, 0.1, 1.5, 1.0e300, :infinity, :neg_infinity, :nan]},
      {4, ["", "a", "four", "fünf", "日本語", "🐝 bees"]},
      {5, [Vector2.new(1, -2.5)]},
      {6, [Vector2i.new(-1, 2_147_483_647)]},
      {7, [%Rect2{position: Vector2.new(1, 2), size: Vector2.new(3, 4)}]},
      {8, [%Rect2i{position: Vector2i.new(1, 2), size: Vector2i.new(3, 4)}]},
      {9, [Vector3.new(1, :infinity, 3)]},
      {10, [Vector3i.new(1, 2, -3)]},
      {11, [Transform2D.new(Vector2.new(1, 2), Vector2.new(3, 4), Vector2.new(5, 6))]},
      {12, [Vector4.new(1, 2, 3, 4)]},
      {13, [Vector4i.new(1, 2, 3, 4)]},
      {14, [%Plane{normal: Vector3.new(0, 1, 0), d: 2.5}]},
      {15, [Quaternion.new(0, 0.6, 0, 0.8)]},
      {16, [%AABB{position: Vector3.new(1, 2, 3), size: Vector3.new(4, 5, 6)}]},
      {17, [basis()]},
      {18, [%Transform3D{basis: basis(), origin: Vector3.new(10, 11, 12)}]},
      {19,
       [
         %Projection{
           x: Vector4.new(1, 2, 3, 4),
           y: Vector4.new(5, 6, 7, 8),
           z: Vector4.new(9, 10, 11, 12),
           w: Vector4.new(13, 14, 15, 16)
         }
       ]},
      {20, [Color.new(0.25, 0.5, 2, 0.75)]},
      {21, [{:string_name, "a name"}, {:string_name, ""}]},
      {22, [NodePath.new("/root/World:position:x"), NodePath.new("Child/Leaf")]},
      {23, [%RID{id: 12_345_678_901}]},
      {24, [%ObjectID{id: 9_876_543_210}]},
      {25, [%Callable{}]},
      {26, [%Signal{name: "ready", object_id: 0}]},
      {27,
       [
         %{},
         %{"t" => "x", 5 => [nil, %{"deep" => true}]},
         Dictionary.new([{"z", 1}, {"a", 2}]),
         Dictionary.new([{"z", 1}], key_type: :string, value_type: :int)
       ]},
      {28, [[], [1, "two", 3.5, [nil]], TypedArray.new(:vector3, [Vector3.new(1, 2, 3)])]},
      {29, [{:packed_byte, <<>>}, {:packed_byte, <<1, 2, 3, 4, 5>>}]},
      {30, [{:packed_int32, <<1::little-32, -1::little-32>>}]},
      {31, [{:packed_int64, <<1::little-64, -1::little-64>>}]},
      {32, [{:packed_float32, <<1.5::little-float-32, 0, 0, 128, 127>>}]},
      {33, [{:packed_float64, <<0.1::little-float-64>>}]},
      {34, [{:packed_string, ["", "one", "zwölf"]}]},
      {35, [{:packed_vector2, floats(4)}]},
      {36, [{:packed_vector3, floats(6)}]},
      {37, [{:packed_color, floats(8)}]},
      {38, [{:packed_vector4, floats(8)}]}
    ]
  end

  defp basis, do: Basis.new(Vector3.new(1, 2, 3), Vector3.new(4, 5, 6), Vector3.new(7, 8, 9))
  defp floats(count), do: for(n <- 1..count, into: <<>>, do: <<n / 4::little-float-32>>)
end
