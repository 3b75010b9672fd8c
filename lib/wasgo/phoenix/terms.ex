defmodule Wasgo.Phoenix.Terms do
  @moduledoc false
  # What web clients are told, as terms that every JSON library writes.

  alias Wasgo.Gen.Plan
  alias Wasgo.Godot.{NodePath, Transform3D}
  alias Wasgo.Godot.Scripts.Row
  alias Wasgo.Phoenix.Content
  alias Wasgo.GodotError
  alias Wasgo.World.{Object, State, Transient}

  # Numbers that JavaScript has all of.
  @most_exact 0x1F_FFFF_FFFF_FFFF

  @type json :: nil | boolean() | number() | String.t() | [json()] | %{String.t() => json()}

  @doc false
  # What JSON has no word for is a list of numbers, or nothing.
  @spec value(term()) :: json()
  def value(value) when is_boolean(value) or is_float(value), do: value
  def value(value) when is_integer(value), do: integer(value)
  def value(value) when is_atom(value), do: nil
  def value(value) when is_binary(value), do: if(String.valid?(value), do: value)
  def value(list) when is_list(list), do: Enum.map(list, &value/1)
  def value({:string_name, name}), do: value(name)
  def value({:packed_string, texts}), do: value(texts)

  def value({kind, packed})
      when kind in [
             :packed_float32,
             :packed_vector2,
             :packed_vector3,
             :packed_vector4,
             :packed_color
           ],
      do: for(<<number::float-32-little <- packed>>, do: number)

  def value({:packed_float64, packed}), do: for(<<number::float-64-little <- packed>>, do: number)

  def value({:packed_int32, packed}),
    do: for(<<number::signed-32-little <- packed>>, do: number)

  def value({:packed_int64, packed}),
    do: for(<<number::signed-64-little <- packed>>, do: integer(number))

  def value(%NodePath{} = path), do: to_string(path)
  def value(%Transform3D{} = transform), do: Row.values(0, [transform])

  def value(%_struct{} = struct) do
    with [nil] <- Row.values(0, [struct]), do: nil
  end

  def value(map) when is_map(map) do
    for {key, value} when is_binary(key) <- map, into: %{}, do: {key, value(value)}
  end

  def value(_other), do: nil

  @doc false
  # What is larger would be another number in JavaScript.
  @spec integer(integer()) :: integer() | String.t()
  def integer(number) when abs(number) <= @most_exact, do: number
  def integer(number), do: Integer.to_string(number)

  @doc false
  @spec values(Enumerable.t()) :: map()
  def values(pairs), do: Map.new(pairs, fn {name, value} -> {name, value(value)} end)

  @doc false
  # An object, of its entry in the world's tables.
  @spec object(State.t(), tuple(), Object.t()) :: map()
  def object(tables, {id, _rev, zone, marks, _body}, %Object{} = object) do
    %{
      id: integer(id),
      name: object.name,
      zone: zone,
      script: object.script,
      mesh: object.mesh && mesh(tables, object.mesh),
      glb: object.glb && Content.file_path("files", object.glb),
      scene: object.scene,
      transform: for(<<number::float-32-little <- object.transform>>, do: number),
      properties: values(object.properties),
      values: tables |> Transient.get(id) |> Transient.current(marks) |> values()
    }
  end

  @doc false
  @spec mesh(State.t(), String.t()) :: map()
  def mesh(tables, name) do
    case State.get(tables, {:mesh, name}) do
      {_key, _rev, _zone, _marks, hash} when is_binary(hash) ->
        %{name: name, path: Content.file_path("meshes", hash)}

      _none ->
        %{name: name, path: nil}
    end
  end

  @doc false
  @spec plan(Plan.t() | nil) :: map() | nil
  def plan(nil), do: nil

  def plan(%Plan{} = plan) do
    %{
      digest: Base.encode16(plan.digest, case: :lower),
      chunk_size: plan.chunk_size,
      levels: plan.levels,
      water_level: plan.water_level,
      seed: Integer.to_string(plan.seed)
    }
  end

  @doc false
  @spec zones(State.t()) :: [map()]
  def zones(tables) do
    rev = State.rev(tables)

    for {name, {since, numbers}} <- Enum.sort(State.zones(tables)) do
      behind = max(rev - :atomics.get(numbers, 2), 0)
      # The world knows no wall clock; who reads this does.
      since = DateTime.from_unix!(since + System.time_offset(:second))
      %{name: name, since: DateTime.to_iso8601(since), behind: behind}
    end
  end

  @doc false
  # How a script does, as `Wasgo.World.Scripts.subscribe/1` tells it.
  @spec script(map()) :: map()
  def script(status) do
    %{
      script: status.script,
      version: status.version,
      state: Atom.to_string(status.state),
      error: status.error && script_error(status)
    }
  end

  defp script_error(%{error: error} = status) do
    Map.merge(error(error), %{
      object: status.object && integer(status.object),
      count: status.count,
      frames: status.trace
    })
  end

  @doc false
  @spec error(Exception.t()) :: map()
  def error(error), do: %{reason: reason(error), message: message(error)}

  @most_message 1_000

  defp message(error), do: error |> Exception.message() |> String.slice(0, @most_message)

  defp reason(%GodotError{}), do: "godot"

  defp reason(%{reason: reason}) when is_atom(reason) and reason != nil,
    do: Atom.to_string(reason)

  defp reason(%{reason: {reason, _what}}) when is_atom(reason), do: Atom.to_string(reason)
  defp reason(_other), do: "error"
end
