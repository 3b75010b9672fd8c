defimpl Inspect,
  for: [
    Wasgo.Godot.Vector2,
    Wasgo.Godot.Vector2i,
    Wasgo.Godot.Vector3,
    Wasgo.Godot.Vector3i,
    Wasgo.Godot.Vector4,
    Wasgo.Godot.Vector4i,
    Wasgo.Godot.Rect2,
    Wasgo.Godot.Rect2i,
    Wasgo.Godot.AABB,
    Wasgo.Godot.Plane,
    Wasgo.Godot.Quaternion,
    Wasgo.Godot.Basis,
    Wasgo.Godot.Transform2D,
    Wasgo.Godot.Transform3D,
    Wasgo.Godot.Projection,
    Wasgo.Godot.Color,
    Wasgo.Godot.RID,
    Wasgo.Godot.ObjectID,
    Wasgo.Godot.Callable,
    Wasgo.Godot.Signal,
    Wasgo.Godot.TypedArray,
    Wasgo.Godot.Dictionary
  ] do
  # As the engine's constructors read.
  import Inspect.Algebra

  # In the order of the constructors; of each list the first whose members a struct all has.
  @orders [
    [:basis, :origin],
    [:position, :size],
    [:normal, :d],
    [:x, :y, :origin],
    [:x, :y, :z, :w],
    [:x, :y, :z],
    [:x, :y],
    [:r, :g, :b, :a],
    [:name, :object_id],
    [:type, :values],
    [:pairs, :key_type, :value_type],
    [:id],
    []
  ]

  def inspect(%module{} = struct, opts) do
    order = Enum.find(@orders, &Enum.all?(&1, fn member -> Map.has_key?(struct, member) end))
    name = module |> Module.split() |> List.last()
    members = Enum.map(order, &Map.fetch!(struct, &1))
    container_doc("##{name}(", members, ")", opts, &to_doc/2)
  end
end
