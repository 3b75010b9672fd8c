defmodule Wasgo.Godot.Scripts.Row do
  @moduledoc false
  # What came with a notification, as the values of a row. Pure.

  alias Wasgo.Godot.{
    AABB,
    Basis,
    Color,
    NodePath,
    Plane,
    Quaternion,
    Rect2,
    Rect2i,
    Transform2D,
    Transform3D,
    Vector2,
    Vector2i,
    Vector3,
    Vector3i,
    Vector4,
    Vector4i
  }

  # Node.NOTIFICATION_PROCESS and NOTIFICATION_PHYSICS_PROCESS: they come again and again, with the seconds since the last time.
  @physics_process 16
  @process 17

  # As much as a row may have, and its longest text in bytes.
  @most_values 256
  @most_text 65_536

  @spec tick?(integer()) :: boolean()
  def tick?(what), do: what in [@physics_process, @process]

  # The node's time, with that of a tick added to it.
  @spec time(float(), integer(), [term()]) :: float()
  def time(time, what, [delta | _])
      when what in [@physics_process, @process] and is_number(delta),
      do: if(delta > 0 and delta < 1.0e6, do: time + delta, else: time)

  def time(time, _what, _args), do: time

  # Of a tick the seconds since the last one come last, so that a script that has no use for them need not count them.
  @spec values(integer(), [term()]) :: [Wasgo.Script.value()]
  def values(what, [delta | inputs]) when what in [@physics_process, @process],
    do: flattened(inputs, @most_values - 1) ++ flattened([delta], 1)

  def values(_what, args), do: flattened(args, @most_values)

  defp flattened(args, most), do: args |> Enum.flat_map(&flat/1) |> Enum.take(most)

  defp flat(value) when is_float(value), do: [value]
  defp flat(value) when value in [:nan, :infinity, :neg_infinity], do: [value]
  defp flat(value) when is_integer(value), do: [value]
  defp flat(true), do: [1]
  defp flat(false), do: [0]
  defp flat(value) when is_binary(value) and byte_size(value) <= @most_text, do: [value]
  defp flat({:string_name, name}) when is_binary(name), do: flat(name)
  defp flat({:packed_byte, bytes}) when byte_size(bytes) <= @most_text, do: [{:blob, bytes}]
  defp flat(%Vector2{x: x, y: y}), do: [x, y]
  defp flat(%Vector2i{x: x, y: y}), do: [x, y]
  defp flat(%Vector3{x: x, y: y, z: z}), do: [x, y, z]
  defp flat(%Vector3i{x: x, y: y, z: z}), do: [x, y, z]
  defp flat(%Vector4{x: x, y: y, z: z, w: w}), do: [x, y, z, w]
  defp flat(%Vector4i{x: x, y: y, z: z, w: w}), do: [x, y, z, w]
  defp flat(%Quaternion{x: x, y: y, z: z, w: w}), do: [x, y, z, w]
  defp flat(%Color{r: r, g: g, b: b, a: a}), do: [r, g, b, a]
  defp flat(%Plane{normal: normal, d: d}), do: flat(normal) ++ [d]
  defp flat(%AABB{position: at, size: size}), do: flat(at) ++ flat(size)
  defp flat(%Rect2{position: at, size: size}), do: flat(at) ++ flat(size)
  defp flat(%Rect2i{position: at, size: size}), do: flat(at) ++ flat(size)
  defp flat(%Basis{x: x, y: y, z: z}), do: flat(x) ++ flat(y) ++ flat(z)

  defp flat(%Transform2D{x: x, y: y, origin: origin}), do: flat(x) ++ flat(y) ++ flat(origin)
  defp flat(%Transform3D{basis: basis, origin: origin}), do: flat(basis) ++ flat(origin)
  defp flat(%NodePath{} = path), do: [to_string(path)]
  defp flat(_other), do: [nil]
end
