defmodule Wasgo.Godot.Frame do
  @moduledoc """
  What Wasgo's structs are on the wire: the kind and the fields of a frame, as `godot/PROTOCOL.md` lists them.

  Vertex data goes as it is: the frame's packed arrays are the binaries of the struct. Only indices are written anew, since the engine's
  front faces are clockwise.
  """

  alias Wasgo.Gen.{Chunk, Collider, Object, Plan, Volume}
  alias Wasgo.Godot.{Basis, Color, Transform3D, Vector3}
  alias Wasgo.{PlanError, Rows, Scene}

  # Triangles of a collider that an engine takes, and how far off it may be, as a share of the side of a cube: of 32 cells, a tenth of one.
  @most_faces 65_536
  @collider_error 1 / 320

  @typedoc "The kind of a frame and its fields besides `t` and `seq`."
  @type t :: {kind :: String.t(), fields :: %{String.t() => term()}}

  @typedoc """
  A node to be made: its `id` (what rows call it), and optionally a `name`, the name of a `mesh` that was sent, its `position` in metres and
  its turn about the y axis, `yaw`, in radians.
  """
  @type node_spec :: %{
          required(:id) => integer(),
          optional(:name) => String.t(),
          optional(:mesh) => String.t(),
          optional(:position) => {number(), number(), number()},
          optional(:yaw) => number()
        }

  @doc """
  A mesh that chunks and nodes refer to by its name.

      iex> {"mesh", fields} = Wasgo.Godot.Frame.mesh(%{Wasgo.Gen.creature(7) | name: "hare"})
      iex> fields["name"]
      "hare"
  """
  @spec mesh(Scene.Mesh.t(), [Scene.Material.t()]) :: t()
  def mesh(%Scene.Mesh{} = mesh, materials \\ Plan.materials()) do
    {"mesh", %{"name" => mesh.name, "surfaces" => surfaces(mesh.surfaces, materials)}}
  end

  @doc """
  A chunk with its ground, water, rivers, collider and what stands on it. Buildings, of which hardly two are the same, are surfaces of the
  chunk, which go with it; the meshes of the rest, which are the third element, must have been sent before: those of the plan as they are, what
  scripts made with their materials.

  A cube of a volume is a chunk too, with its surface and a collider of triangles within 1/320 of its side. A cube with more than #{@most_faces} of them is an error.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> {:ok, {"chunk", fields}, meshes} = Wasgo.Godot.Frame.chunk(Wasgo.Gen.chunk!(plan, {3, -2}))
      iex> fields["key"]
      "3,-2"
      iex> length(meshes) == length(fields["instances"])
      true
  """
  @spec chunk(Chunk.t() | Volume.t()) ::
          {:ok, t(), [Scene.Mesh.t() | {Scene.Mesh.t(), [Scene.Material.t()]}]}
          | {:error, Exception.t()}
  def chunk(%Chunk{} = chunk) do
    {whole, shared} = Enum.split_with(chunk.objects, &(&1.kind not in Object.shared()))

    with {:ok, sets} <- Chunk.instances(chunk),
         {:ok, rivers} <- Chunk.rivers(chunk),
         {:ok, built} <- Object.bake(whole) do
      sets = sets ++ for(object <- shared, do: {object.mesh, object.transforms})
      made = for %{mesh: mesh} = one <- chunk.generated, do: {mesh, one.transforms}
      {x, y, z} = chunk.origin
      parts = Enum.reject([chunk.ground, Chunk.water(chunk), rivers], &is_nil/1) ++ built

      fields = %{
        "key" => key(chunk),
        "name" => chunk.name || key(chunk),
        "origin" => Vector3.new(x, y, z),
        "surfaces" => surfaces(parts, Plan.materials()),
        "colliders" => [heights(chunk) | boxes(Chunk.boxes(chunk))],
        "instances" =>
          for(
            {mesh, transforms} <- sets ++ made,
            do: %{"mesh" => mesh.name, "transforms" => {:packed_float32, transforms}}
          ),
        "extras" => Map.new(chunk.stats, fn {name, value} -> {Atom.to_string(name), value} end)
      }

      {:ok, {"chunk", fields}, Enum.map(sets, &elem(&1, 0)) ++ generated(chunk)}
    end
  end

  def chunk(%Volume{} = volume) do
    with {:ok, colliders} <- faces(volume) do
      {x, y, z} = volume.origin
      surfaces = if volume.surface.indices == "", do: [], else: [volume.surface]

      fields = %{
        "key" => key(volume),
        "name" => key(volume),
        "origin" => Vector3.new(x, y, z),
        "surfaces" => surfaces(surfaces, Plan.materials()),
        "colliders" => colliders,
        "instances" => [],
        "extras" => %{"solid" => volume.solid}
      }

      {:ok, {"chunk", fields}, []}
    end
  end

  defp faces(%Volume{surface: %{indices: ""}}), do: {:ok, []}

  defp faces(%Volume{} = volume) do
    with {:ok, collider} <- Volume.collider(volume, volume.size * @collider_error) do
      case Collider.triangles(collider) do
        0 ->
          {:ok, []}

        count when count <= @most_faces ->
          {:ok, [%{"shape" => "mesh", "faces" => {:packed_vector3, corners(collider)}}]}

        count ->
          message = "a cube has #{count} triangles to collide with, allowed: #{@most_faces}"
          {:error, %PlanError{reason: :out_of_range, field: "volume", message: message}}
      end
    end
  end

  # Three points a triangle, in the engine's order.
  defp corners(%Collider{positions: positions, indices: indices}) do
    for <<index::32-little <- Scene.flip(indices)>>,
      into: "",
      do: binary_part(positions, 12 * index, 12)
  end

  defp heights(chunk) do
    %{
      "shape" => "heights",
      "width" => chunk.samples,
      "depth" => chunk.samples,
      "cell" => chunk.size / (chunk.samples - 1),
      "heights" => {:packed_float32, chunk.heights}
    }
  end

  defp boxes([]), do: []

  defp boxes(boxes) do
    [
      %{
        "shape" => "boxes",
        "boxes" => {:packed_float32, for(box <- boxes, into: "", do: box(box))}
      }
    ]
  end

  # What makes it of the cube of side 1 around the origin, row by row.
  defp box(%{center: {x, y, z}, half: {w, h, d}, yaw: yaw}) do
    {sin, cos} = {:math.sin(yaw), :math.cos(yaw)}
    {w, h, d} = {2 * w, 2 * h, 2 * d}

    for value <- [cos * w, 0.0, sin * d, x, 0.0, h, 0.0, y, -sin * w, 0.0, cos * d, z],
        into: "",
        do: <<value::float-32-little>>
  end

  # Meshes with the one material that each has.
  defp generated(chunk) do
    for %{mesh: mesh, material: material} <- chunk.generated do
      surfaces = for surface <- mesh.surfaces, do: %{surface | material: 0}
      {%{mesh | surfaces: surfaces}, [material]}
    end
  end

  @doc """
  The key of a chunk: of one that is coarser than others its level is a part. Those of cubes of a volume always have theirs.

      iex> Wasgo.Godot.Frame.key({3, -2})
      "3,-2"
      iex> Wasgo.Godot.Frame.key({3, -2, 1})
      "3,-2,1"
      iex> Wasgo.Godot.Frame.key({3, 0, -2, 0})
      "3,0,-2,0"
  """
  @spec key(Wasgo.Gen.address() | Volume.address() | Chunk.t() | Volume.t()) :: String.t()
  def key(%Chunk{coordinate: {x, z}, level: level}), do: key({x, z, level})
  def key(%Volume{coordinate: {x, y, z}, level: level}), do: key({x, y, z, level})
  def key({x, z}), do: "#{x},#{z}"
  def key({x, z, 0}), do: key({x, z})
  def key({x, z, level}), do: "#{x},#{z},#{level}"
  def key({x, y, z, level}), do: "#{x},#{y},#{z},#{level}"

  @doc """
  Chunks to be removed.

      iex> Wasgo.Godot.Frame.unload([{3, -2}, {0, 1, 4}])
      {"unload", %{"keys" => {:packed_string, ["3,-2", "0,1,4"]}}}
  """
  @spec unload([Wasgo.Gen.address() | Volume.address()]) :: t()
  def unload(addresses),
    do: {"unload", %{"keys" => {:packed_string, Enum.map(addresses, &key/1)}}}

  @doc """
  Nodes to be made.

      iex> {"spawn", %{"nodes" => [hare]}} = Wasgo.Godot.Frame.spawn([%{id: 1, name: "Hare", position: {4, 0, -2}}])
      iex> hare["transform"].origin
      Wasgo.Godot.Vector3.new(4, 0, -2)
  """
  @spec spawn([node_spec()]) :: t()
  def spawn(nodes), do: {"spawn", %{"nodes" => Enum.map(nodes, &node_fields/1)}}

  @doc """
  Property changes, by columns. A column of floats or of integers goes as a packed array.

      iex> {"rows", fields} = Wasgo.Godot.Frame.rows(Wasgo.Rows.new(["position:x", "name"], [{7, [1.5, "a"]}, {8, [2.5, nil]}]))
      iex> fields["values"]
      [{:packed_float64, <<1.5::float-little, 2.5::float-little>>}, ["a", nil]]
  """
  @spec rows(Rows.t()) :: t()
  def rows(%Rows{} = rows) do
    {"rows",
     %{
       "columns" => {:packed_string, rows.columns},
       "ids" => {:packed_int64, for(id <- rows.ids, into: "", do: <<id::64-little>>)},
       "values" => columns(rows)
     }}
  end

  defp columns(%Rows{columns: columns, rows: []}), do: Enum.map(columns, fn _ -> [] end)

  defp columns(%Rows{rows: rows}) do
    rows |> Enum.zip_with(& &1) |> Enum.map(&column/1)
  end

  defp column(values) do
    cond do
      Enum.all?(values, &is_float/1) ->
        {:packed_float64, for(v <- values, into: "", do: <<v::float-little>>)}

      Enum.all?(values, &is_integer/1) ->
        {:packed_int64, for(v <- values, into: "", do: <<v::64-little>>)}

      true ->
        Enum.map(values, &value/1)
    end
  end

  defp value({:blob, binary}), do: {:packed_byte, binary}
  defp value(value), do: value

  defp node_fields(%{id: id} = node) do
    {x, y, z} = Map.get(node, :position, {0.0, 0.0, 0.0})
    yaw = Map.get(node, :yaw, 0.0)
    {sin, cos} = {:math.sin(yaw), :math.cos(yaw)}

    basis =
      Basis.new(
        Vector3.new(cos, 0.0, -sin),
        Vector3.new(0.0, 1.0, 0.0),
        Vector3.new(sin, 0.0, cos)
      )

    %{
      "id" => id,
      "name" => Map.get(node, :name, "node_#{id}"),
      "mesh" => Map.get(node, :mesh, ""),
      "transform" => Transform3D.new(basis, Vector3.new(x, y, z))
    }
  end

  defp surfaces(surfaces, materials) do
    materials = List.to_tuple(materials)

    for %Scene.Surface{} = surface <- surfaces do
      %{
        "positions" => {:packed_vector3, surface.positions},
        "normals" => {:packed_vector3, surface.normals},
        "colors" => {:packed_color, surface.colors},
        "indices" => {:packed_int32, Scene.flip(surface.indices)},
        "material" => material(surface.material && elem(materials, surface.material))
      }
      |> put_uvs("uvs", surface.uvs)
      |> put_uvs("uvs2", surface.uvs2)
    end
  end

  defp put_uvs(fields, _key, ""), do: fields
  defp put_uvs(fields, key, uvs), do: Map.put(fields, key, {:packed_vector2, uvs})

  defp material(nil), do: %{}

  defp material(%Scene.Material{base_color: {r, g, b, a}} = material) do
    %{
      "name" => material.name,
      "base_color" => Color.new(r, g, b, a),
      "metallic" => material.metallic,
      "roughness" => material.roughness,
      "double_sided" => material.double_sided
    }
  end
end
