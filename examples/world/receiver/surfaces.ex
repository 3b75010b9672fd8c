defmodule Wasgo.Example.Receiver.Surfaces do
  @moduledoc false
  # Checks the surfaces of meshes and chunks, and counts what is in them.

  alias Wasgo.Example.Receiver.Check
  alias Wasgo.Godot.Color

  @max_surfaces 256
  # How far a triangle may turn against its normals, as the sine of an angle: what rounding makes of one seen edge-on.
  @edge_on 1.0e-3

  @type counts :: %{
          surfaces: non_neg_integer(),
          vertices: non_neg_integer(),
          triangles: non_neg_integer()
        }

  # With `faces: true` each triangle has to be clockwise as seen from where its normals point.
  @spec check(map(), faces: boolean()) :: {:ok, counts()} | {:error, String.t()}
  def check(frame, faces: faces?) do
    with :ok <- Check.array(frame, "surfaces", @max_surfaces) do
      frame["surfaces"]
      |> Enum.with_index()
      |> Enum.reduce_while({:ok, %{surfaces: 0, vertices: 0, triangles: 0}}, fn
        {surface, index}, {:ok, counts} ->
          case surface(surface, faces?) do
            {:ok, vertices, triangles} -> {:cont, {:ok, add(counts, vertices, triangles)}}
            {:error, words} -> {:halt, {:error, "surface #{index}: #{words}"}}
          end
      end)
    end
  end

  defp add(counts, vertices, triangles) do
    %{
      surfaces: counts.surfaces + 1,
      vertices: counts.vertices + vertices,
      triangles: counts.triangles + triangles
    }
  end

  defp surface(surface, faces?) when is_map(surface) and not is_struct(surface) do
    with {:ok, vertices} <- Check.packed(surface, "positions", :packed_vector3),
         :ok <- some(vertices, "positions"),
         :ok <- finite(surface, "positions"),
         {:ok, normals} <- Check.packed(surface, "normals", :packed_vector3),
         :ok <- one_each(normals, vertices, "normals"),
         :ok <- finite(surface, "normals"),
         {:ok, colors} <- Check.packed(surface, "colors", :packed_color),
         :ok <- one_each(colors, vertices, "colors"),
         {:ok, indices} <- Check.packed(surface, "indices", :packed_int32),
         :ok <- threes(indices),
         :ok <- indices(surface["indices"], vertices),
         :ok <- if(faces? and normals > 0, do: clockwise(surface), else: :ok),
         :ok <- material(surface) do
      {:ok, vertices, div(indices, 3)}
    end
  end

  defp surface(_other, _faces?), do: {:error, "it must be a Dictionary"}

  defp some(0, key), do: {:error, "#{key} is empty"}
  defp some(_count, _key), do: :ok

  defp finite(surface, key) do
    {_type, bytes} = surface[key]
    Check.finite32(bytes, key)
  end

  defp one_each(0, _vertices, _key), do: :ok
  defp one_each(count, count, _key), do: :ok
  defp one_each(count, vertices, key), do: {:error, "#{count} #{key} for #{vertices} positions"}

  defp threes(count) when count > 0 and rem(count, 3) == 0, do: :ok
  defp threes(count), do: {:error, "#{count} indices, there must be three a triangle"}

  defp indices({_type, bytes}, vertices), do: in_range(bytes, vertices)

  defp in_range(<<index::little-signed-32, rest::binary>>, vertices) do
    if index >= 0 and index < vertices do
      in_range(rest, vertices)
    else
      {:error, "index #{index}, where there are #{vertices} positions"}
    end
  end

  defp in_range(<<>>, _vertices), do: :ok

  defp material(surface) do
    with :ok <- Check.dictionary(surface, "material") do
      material = surface["material"]

      with :ok <- base_color(material),
           :ok <- optional(material, "roughness"),
           :ok <- optional(material, "metallic") do
        :ok
      end
      |> Check.within("material")
    end
  end

  defp base_color(%{"base_color" => %Color{r: r, g: g, b: b, a: a}}) do
    if Enum.all?([r, g, b, a], &is_float/1), do: :ok, else: {:error, "base_color is not finite"}
  end

  defp base_color(%{"base_color" => _other}), do: {:error, "base_color must be a Color"}
  defp base_color(_none), do: :ok

  defp optional(material, key) do
    if is_map_key(material, key), do: Check.number(material, key, 0, 1), else: :ok
  end

  ## Faces

  defp clockwise(%{
         "positions" => {_, positions},
         "normals" => {_, normals},
         "indices" => {_, indices}
       }) do
    faces(indices, positions, normals, 0)
  end

  defp faces(
         <<a::little-32, b::little-32, c::little-32, rest::binary>>,
         positions,
         normals,
         number
       ) do
    {ax, ay, az} = at(positions, a)
    {bx, by, bz} = at(positions, b)
    {cx, cy, cz} = at(positions, c)
    {ux, uy, uz} = {bx - ax, by - ay, bz - az}
    {vx, vy, vz} = {cx - ax, cy - ay, cz - az}
    # This points away from who sees a, b, c counter-clockwise.
    {fx, fy, fz} = {uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx}
    {nx, ny, nz} = sum(at(normals, a), at(normals, b), at(normals, c))
    along = fx * nx + fy * ny + fz * nz
    sizes = (fx * fx + fy * fy + fz * fz) * (nx * nx + ny * ny + nz * nz)

    if along > 0 and along * along > @edge_on * @edge_on * sizes do
      {:error, "triangle #{number} is counter-clockwise as seen from where its normals point"}
    else
      faces(rest, positions, normals, number + 1)
    end
  end

  defp faces(<<>>, _positions, _normals, _number), do: :ok

  defp at(vectors, index) do
    <<x::little-float-32, y::little-float-32, z::little-float-32>> =
      binary_part(vectors, index * 12, 12)

    {x, y, z}
  end

  defp sum({ax, ay, az}, {bx, by, bz}, {cx, cy, cz}),
    do: {ax + bx + cx, ay + by + cy, az + bz + cz}
end
