defmodule Wasgo.World.Object do
  @moduledoc """
  A thing that stands in a `Wasgo.World`.

    * `id` - an integer from 0 up to 2^62 - 1; the world gives one where there is none
    * `name` - what its node is called; up to 255 bytes of text. `"object_7"` of the object 7 where it is empty
    * `mesh` - the name of a mesh that the world has (`Wasgo.World.put_mesh/3`), or `nil`
    * `glb` - a glTF file: its bytes, or the SHA-256 of one that the world holds already; or `nil`. Reading an object gives the hash
    * `scene` - the name of a scene that the engine's project has set aside, or `nil`
    * `transform` - a `Wasgo.Godot.Transform3D`, in metres; kept in 32-bit floats, as the engine has them
    * `properties` - property paths of its node, and their values as `Wasgo.Godot.Variant` takes them: at most 64, in 16 KiB, none of them `nil`
    * `script` - the name of a script, for whoever runs them, or `nil`
    * `zone` - the zone that it belongs to, or `nil` for all
    * `colliders` - what one cannot walk through, up to 64 KiB: `{:boxes, binary}` of 12 floats a box (the 3 x 4 matrix that makes it of the
      cube of side 1), `{:mesh, binary}` of three points a triangle, `{:heights, width, depth, cell, binary}`; all of 32-bit floats

  Where objects are given as keyword lists there are `:position` (`{x, y, z}` in metres) and `:yaw` (a turn about +Y in radians) beside
  `:transform`.

      iex> {:ok, lamp} = Wasgo.World.Object.new(name: "lamp", position: {1, 2, 3}, properties: %{"visible" => true})
      iex> lamp.transform.origin
      Wasgo.Godot.Vector3.new(1, 2, 3)
      iex> {:error, error} = Wasgo.World.Object.new(name: 7)
      iex> Exception.message(error)
      "name is 7, and should be text of at most 255 bytes"
  """

  alias Wasgo.Godot.{Basis, Transform3D, Variant, Vector3}
  alias Wasgo.WorldError

  defstruct id: nil,
            name: "",
            mesh: nil,
            glb: nil,
            scene: nil,
            transform: %Transform3D{},
            properties: %{},
            script: nil,
            zone: nil,
            colliders: []

  @type collider ::
          {:boxes, binary()}
          | {:mesh, binary()}
          | {:heights, pos_integer(), pos_integer(), number(), binary()}

  @type t :: %__MODULE__{
          id: non_neg_integer() | nil,
          name: String.t(),
          mesh: String.t() | nil,
          glb: binary() | nil,
          scene: String.t() | nil,
          transform: Transform3D.t(),
          properties: %{String.t() => Variant.t()},
          script: String.t() | nil,
          zone: String.t() | nil,
          colliders: [collider()]
        }

  @most_id 0x3FFF_FFFF_FFFF_FFFF
  @most_name 255
  @most_properties 64
  @most_property_bytes 16_384
  @most_collider_bytes 65_536
  @fields [:name, :mesh, :glb, :scene, :transform, :properties, :script, :zone, :colliders]
  @given @fields ++ [:position, :yaw]

  @doc false
  def most_id, do: @most_id

  @doc """
  An object of a keyword list, with everything in it checked.

      iex> {:ok, gate} = Wasgo.World.Object.new(name: "gate", scene: "gate", position: {0, 0, 12}, yaw: 3.14, zone: "north")
      iex> gate
      #Wasgo.World.Object<new "gate", scene "gate", at {0.0, 0.0, 12.0}, zone "north">
      iex> {:error, error} = Wasgo.World.Object.new(name: "gate", mesh: "gate", zone: :north)
      iex> error.field
      "zone"
  """
  @spec new(keyword() | t()) :: {:ok, t()} | {:error, WorldError.t()}
  def new(given) do
    with {:ok, object} <- take(given) do
      {:ok, shown(%{object | glb: bytes(object.glb)})}
    end
  end

  defp bytes({:bytes, _hash, bytes}), do: bytes
  defp bytes({:hash, hash}), do: hash
  defp bytes(nil), do: nil

  @doc false
  # As a world takes it: its transform packed, and its file with the hash.
  def take(%__MODULE__{} = object), do: object |> Map.from_struct() |> Map.to_list() |> take()

  def take(given) when is_list(given) do
    {id, given} = Keyword.pop(given, :id)

    with :ok <- id(id), {:ok, changes} <- changes(given) do
      object = apply_changes(%__MODULE__{id: id}, changes)
      with :ok <- whole(object), do: {:ok, object}
    end
  end

  defp id(nil), do: :ok
  defp id(id) when id in 0..@most_id, do: :ok
  defp id(id), do: wrong("id", id, "an integer from 0 to 2^62 - 1")

  @doc false
  # What is to be changed of an object, checked: a list of fields and values. `glb` is `nil`, `{:hash, hash}` or `{:bytes, hash, bytes}`.
  @spec changes(keyword()) :: {:ok, [{atom(), term()}]} | {:error, WorldError.t()}
  def changes(given) do
    known!(given)
    {turn, given} = Keyword.split(given, [:position, :yaw])

    with {:ok, changes} <- checked(given), {:ok, turn} <- placed(turn) do
      {:ok, changes ++ turn}
    end
  end

  # A wrong name is a programmer's mistake.
  defp known!(given) do
    unless Keyword.keyword?(given) do
      raise ArgumentError, "an object is a keyword list, and not #{inspect(given, limit: 5)}"
    end

    case Keyword.keys(given) -- @given do
      [] ->
        :ok

      [name | _] ->
        raise ArgumentError, "an object has no #{inspect(name)}; it has #{inspect(@given)}"
    end
  end

  defp checked(given) do
    Enum.reduce_while(given, {:ok, []}, fn {field, value}, {:ok, done} ->
      case field(field, value) do
        {:ok, value} -> {:cont, {:ok, done ++ [{field, value}]}}
        {:error, _error} = error -> {:halt, error}
      end
    end)
  end

  defp field(:name, value), do: text("name", value, 0)
  defp field(field, nil) when field in [:mesh, :glb, :scene, :script, :zone], do: {:ok, nil}
  defp field(:zone, value), do: text("zone", value, 0)

  defp field(field, value) when field in [:mesh, :scene, :script],
    do: text(Atom.to_string(field), value, 1)

  defp field(:glb, <<"glTF", 2::32-little, length::32-little, _::binary>> = bytes)
       when length == byte_size(bytes),
       do: {:ok, {:bytes, :crypto.hash(:sha256, bytes), bytes}}

  defp field(:glb, <<_::256>> = hash), do: {:ok, {:hash, hash}}
  defp field(:glb, {kind, _} = checked) when kind == :hash, do: {:ok, checked}
  defp field(:glb, {:bytes, _, _} = checked), do: {:ok, checked}

  defp field(:glb, value),
    do: wrong("glb", value, "the bytes of a GLB 2.0 file or the SHA-256 of one")

  defp field(:transform, %Transform3D{} = transform), do: transform(transform)
  defp field(:transform, value), do: wrong("transform", value, "a Wasgo.Godot.Transform3D")
  defp field(:properties, properties), do: properties(properties)
  defp field(:colliders, colliders), do: colliders(colliders)

  @doc false
  def text(field, value, least) do
    if is_binary(value) and byte_size(value) in least..@most_name and String.valid?(value) and
         not String.contains?(value, <<0>>),
       do: {:ok, value},
       else:
         wrong(
           field,
           value,
           "text of #{if least == 0, do: "at most", else: "#{least} to"} #{@most_name} bytes"
         )
  end

  defp transform(transform) do
    case pack(transform) do
      {:ok, packed} -> {:ok, packed}
      :error -> wrong("transform", transform, "of finite 32-bit floats")
    end
  end

  # A position leaves the turn alone, and a yaw the position.
  defp placed(turn) do
    Enum.reduce_while(turn, {:ok, []}, fn given, {:ok, done} ->
      case place(given) do
        {:ok, change} -> {:cont, {:ok, done ++ [change]}}
        {:error, _error} = error -> {:halt, error}
      end
    end)
  end

  defp place({:position, {x, y, z}} = given)
       when is_number(x) and is_number(y) and is_number(z) do
    case floats([x, y, z]) do
      {:ok, origin} -> {:ok, {:origin, origin}}
      :error -> wrong("position", elem(given, 1), "three finite numbers of metres")
    end
  end

  defp place({:yaw, yaw}) when is_number(yaw) do
    {sin, cos} = {:math.sin(yaw), :math.cos(yaw)}
    {:ok, basis} = floats([cos, 0.0, -sin, 0.0, 1.0, 0.0, sin, 0.0, cos])
    {:ok, {:basis, basis}}
  rescue
    ArithmeticError -> wrong("yaw", yaw, "a number of radians")
  end

  defp place({:position, value}), do: wrong("position", value, "{x, y, z} in metres")
  defp place({:yaw, value}), do: wrong("yaw", value, "a number of radians")

  @doc false
  # Property paths with values that an engine takes.
  def properties(properties) when is_map(properties) and not is_struct(properties) do
    with :ok <- each_property(properties),
         :ok <- property_count(properties),
         :ok <- property_bytes(properties) do
      {:ok, properties}
    end
  end

  def properties(value), do: wrong("properties", value, "a map of property paths and values")

  defp property_count(properties) when map_size(properties) <= @most_properties, do: :ok

  defp property_count(properties),
    do:
      WorldError.invalid(
        "properties",
        "are #{map_size(properties)}, allowed: #{@most_properties}"
      )

  defp each_property(properties) do
    Enum.find_value(properties, :ok, fn {name, value} ->
      with {:ok, _name} <- text("a property's name", name, 1),
           :ok <- finite("properties", value),
           do: nil
    end)
  end

  defp property_bytes(properties) when properties == %{}, do: :ok

  defp property_bytes(properties) do
    case Variant.encode(properties, max_bytes: @most_property_bytes, max_depth: 16) do
      {:ok, _bytes} ->
        :ok

      {:error, error} ->
        WorldError.invalid("properties", "cannot be sent: #{Exception.message(error)}")
    end
  end

  @doc false
  # A value that stays as it is on the wire: the engine refuses NaN and infinity.
  def finite(field, value) do
    if finite?(value), do: :ok, else: wrong(field, value, "without nil, NaN and infinity")
  end

  defp finite?(value) when value in [nil, :nan, :infinity, :neg_infinity], do: false

  defp finite?({kind, packed})
       when kind in [
              :packed_float32,
              :packed_vector2,
              :packed_vector3,
              :packed_vector4,
              :packed_color
            ] and is_binary(packed),
       do: whole32?(packed)

  defp finite?({:packed_float64, packed}) when is_binary(packed),
    do: length(for(<<value::float-64-little <- packed>>, do: value)) * 8 == byte_size(packed)

  defp finite?(list) when is_list(list),
    do: :erlang.length(list) >= 0 and Enum.all?(list, &finite?/1)

  defp finite?(%_struct{} = struct),
    do: struct |> Map.from_struct() |> Map.values() |> Enum.all?(&inner?/1)

  defp finite?(map) when is_map(map),
    do: Enum.all?(map, fn {key, value} -> finite?(key) and finite?(value) end)

  defp finite?(_other), do: true

  # A field of a struct may be nil.
  defp inner?(nil), do: true
  defp inner?(value), do: finite?(value)

  defp whole32?(packed),
    do: length(for(<<value::float-32-little <- packed>>, do: value)) * 4 == byte_size(packed)

  defp colliders(colliders) when is_list(colliders) and length(colliders) <= 16 do
    bytes = Enum.reduce(colliders, 0, fn collider, sum -> sum + collider_bytes(collider) end)

    cond do
      bytes > @most_collider_bytes ->
        WorldError.invalid("colliders", "have #{bytes} bytes, allowed: #{@most_collider_bytes}")

      Enum.all?(colliders, &collider?/1) ->
        {:ok, colliders}

      true ->
        wrong("colliders", colliders, "boxes, meshes and heights of finite 32-bit floats")
    end
  end

  defp colliders(value), do: wrong("colliders", value, "a list of at most 16 colliders")

  defp collider_bytes(tuple) when is_tuple(tuple) and tuple_size(tuple) > 0 do
    case elem(tuple, tuple_size(tuple) - 1) do
      bytes when is_binary(bytes) -> byte_size(bytes)
      _none -> 0
    end
  end

  defp collider_bytes(_none), do: 0

  defp collider?({:boxes, packed}) when is_binary(packed) and rem(byte_size(packed), 48) == 0,
    do: whole32?(packed)

  defp collider?({:mesh, packed}) when is_binary(packed) and rem(byte_size(packed), 36) == 0,
    do: whole32?(packed)

  defp collider?({:heights, width, depth, cell, packed})
       when width in 2..4_097 and depth in 2..4_097 and is_number(cell) and cell >= 0.001 and
              cell <= 10_000 and is_binary(packed) and byte_size(packed) == width * depth * 4,
       do: whole32?(packed)

  defp collider?(_other), do: false

  # One thing to show at most, so that nobody has to guess which.
  defp whole(object) do
    if Enum.count([object.mesh, object.glb, object.scene], &(&1 != nil)) <= 1,
      do: :ok,
      else: WorldError.invalid("an object", "has one of mesh, glb and scene, or none")
  end

  @doc false
  # Where it was placed, and how it was turned about +Y, of an object as a world has it.
  @spec placement(t()) :: [float()]
  def placement(%__MODULE__{transform: packed}) do
    <<_x_and_y::binary-24, sin::float-32-little, _::32, cos::float-32-little, x::float-32-little,
      y::float-32-little, z::float-32-little>> = packed

    [x, y, z, :math.atan2(sin, cos)]
  end

  @doc false
  # Within a world transforms are 48 bytes: three columns and the origin.
  @spec apply_changes(t(), [{atom(), term()}]) :: t()
  def apply_changes(object, changes) do
    Enum.reduce(changes, packed(object), fn
      {:origin, origin}, object ->
        <<basis::binary-36, _::binary>> = object.transform
        %{object | transform: basis <> origin}

      {:basis, basis}, object ->
        <<_::binary-36, origin::binary>> = object.transform
        %{object | transform: basis <> origin}

      {field, value}, object ->
        Map.replace!(object, field, value)
    end)
  end

  defp packed(%{transform: %Transform3D{} = transform} = object) do
    {:ok, packed} = pack(transform)
    %{object | transform: packed}
  end

  defp packed(object), do: object

  @doc false
  @spec pack(Transform3D.t()) :: {:ok, binary()} | :error
  def pack(%Transform3D{basis: %Basis{x: a, y: b, z: c}, origin: o}),
    do: floats([a.x, a.y, a.z, b.x, b.y, b.z, c.x, c.y, c.z, o.x, o.y, o.z])

  @greatest 3.4028234663852886e38

  # What is no number, and what 32 bits have no room for, is none of them.
  defp floats(numbers) do
    if Enum.all?(numbers, &(is_number(&1) and abs(&1) <= @greatest)),
      do: {:ok, for(number <- numbers, into: "", do: <<number::float-32-little>>)},
      else: :error
  end

  @doc false
  @spec unpack(binary()) :: Transform3D.t()
  def unpack(<<packed::binary-48>>) do
    [ax, ay, az, bx, by, bz, cx, cy, cz, x, y, z] =
      for <<value::float-32-little <- packed>>, do: value

    %Transform3D{
      basis: %Basis{
        x: %Vector3{x: ax, y: ay, z: az},
        y: %Vector3{x: bx, y: by, z: bz},
        z: %Vector3{x: cx, y: cy, z: cz}
      },
      origin: %Vector3{x: x, y: y, z: z}
    }
  end

  @doc false
  # As a world's callers see it.
  def shown(object), do: %{object | transform: unpack(object.transform)}

  defp wrong(field, value, words) do
    shown = inspect(value, limit: 5, printable_limit: 60)
    WorldError.invalid(field, "is #{shown}, and should be #{words}")
  end

  defimpl Inspect do
    def inspect(object, _opts) do
      %{x: x, y: y, z: z} = object.transform.origin
      mesh = object.mesh && "mesh #{Kernel.inspect(object.mesh)}"
      scene = object.scene && "scene #{Kernel.inspect(object.scene)}"
      glb = object.glb && "a GLB"
      shows = Enum.find([mesh, scene, glb], &is_binary/1)
      script = object.script && "script #{Kernel.inspect(object.script)}"
      zone = object.zone && "zone #{Kernel.inspect(object.zone)}"
      properties = object.properties != %{} && "#{map_size(object.properties)} properties"

      what = [
        "#{object.id || "new"} #{Kernel.inspect(object.name)}",
        shows,
        "at #{Kernel.inspect({x, y, z})}",
        script,
        zone,
        properties
      ]

      "#Wasgo.World.Object<#{what |> Enum.filter(&is_binary/1) |> Enum.join(", ")}>"
    end
  end
end
