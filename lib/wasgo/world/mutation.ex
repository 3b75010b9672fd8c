defmodule Wasgo.World.Mutation do
  @moduledoc false
  # Mutations as callers write them, checked in their process: what comes of it is what `Wasgo.World.Change` takes.

  alias Wasgo.{Gen, Scene, WorldError}
  alias Wasgo.World.{Change, Object}

  @most_payload 16 * 1_048_576
  @most_mutations 4_096

  @doc false
  @spec check_all([Wasgo.World.mutation()]) ::
          {:ok, [Change.mutation()]} | {:error, WorldError.t()}
  def check_all(mutations), do: with(:ok <- some(mutations), do: all_checked(mutations))

  defp some([]), do: WorldError.invalid("mutations", "are none")
  defp some(list) when length(list) <= @most_mutations, do: :ok
  defp some(_more), do: {:error, %WorldError{reason: {:limit, :mutations}}}

  defp all_checked(mutations) do
    Enum.reduce_while(mutations, {:ok, []}, fn mutation, {:ok, done} ->
      case check(mutation) do
        {:ok, checked} -> {:cont, {:ok, [checked | done]}}
        {:error, _error} = error -> {:halt, error}
      end
    end)
    |> then(fn
      {:ok, checked} -> {:ok, Enum.reverse(checked)}
      error -> error
    end)
  end

  @doc false
  # What a request costs that waits, in bytes.
  @spec weight([Change.mutation()]) :: pos_integer()
  def weight(mutations), do: Enum.reduce(mutations, 0, &(weight_of(&1) + &2))

  defp weight_of({:put, object}), do: 1_024 + payload(object.glb)
  defp weight_of({:update, _id, changes}), do: 1_024 + payload(changes[:glb])
  defp weight_of({:set, _key, {:bytes, _hash, bytes}, _extra}), do: 1_024 + byte_size(bytes)
  defp weight_of(_small), do: 1_024

  defp payload({:bytes, _hash, bytes}), do: byte_size(bytes)
  defp payload(_none), do: 0

  @doc false
  @spec check(Wasgo.World.mutation()) :: {:ok, Change.mutation()} | {:error, WorldError.t()}
  def check({:put, object}) do
    with {:ok, object} <- Object.take(object),
         :ok <- payload_size(object.glb),
         do: {:ok, {:put, object}}
  end

  def check({:update, id, changes}) do
    with :ok <- id(id),
         {:ok, changes} <- Object.changes(changes),
         :ok <- payload_size(changes[:glb]),
         do: {:ok, {:update, id, changes}}
  end

  def check({:remove, id}), do: with(:ok <- id(id), do: {:ok, {:remove, id}})
  def check({:hand_over, id, zone}), do: check({:update, id, [zone: zone]})

  def check({:put_property, name, value}) do
    with {:ok, name} <- Object.text("a property's name", name, 1),
         {:ok, properties} <- Object.properties(%{name => value}) do
      {:ok, {:set, {:property, name}, {:value, :erlang.term_to_binary(properties[name])}, nil}}
    end
  end

  def check({:remove_property, name}) do
    with {:ok, name} <- Object.text("a property's name", name, 1),
         do: {:ok, {:unset, {:property, name}}}
  end

  def check({:put_mesh, %Scene.Mesh{name: name} = mesh, materials}) when is_list(materials) do
    with {:ok, name} <- Object.text("a mesh's name", name, 1),
         :ok <- sound(mesh, materials),
         {:ok, payload} <- bytes(:erlang.term_to_binary({mesh, materials})),
         do: {:ok, {:set, {:mesh, name}, payload, nil}}
  end

  def check({:remove_mesh, name}) do
    with {:ok, name} <- Object.text("a mesh's name", name, 1), do: {:ok, {:unset, {:mesh, name}}}
  end

  def check({:put_chunk, address, content}) do
    with {:ok, address} <- address(address),
         {:ok, glb} <- glb(content),
         {:ok, payload} <- bytes(glb),
         do: {:ok, {:set, {:chunk, address}, payload, nil}}
  end

  def check({:reset_chunk, address}) do
    with {:ok, address} <- address(address), do: {:ok, {:unset, {:chunk, address}}}
  end

  # It has to be possible to make it again from what is kept.
  def check({:set_plan, %Gen.Plan{} = plan, scripts}) do
    json = Gen.Plan.to_json(plan)

    with :ok <- shape(json),
         {:ok, fetched} <- plan_error(Gen.Scripts.fetch(scripts)),
         sources = Map.new(fetched, fn {name, {source, _digest}} -> {name, source} end),
         {:ok, again} <- plan_error(Gen.from_json(json, scripts: sources)),
         :ok <- same(plan, again),
         {:ok, payload} <- bytes(:erlang.term_to_binary({json, sources})) do
      {:ok, {:set, :plan, payload, plan}}
    end
  end

  def check(other) do
    raise ArgumentError,
          "no mutation of a world: #{inspect(other, limit: 5, printable_limit: 60)}"
  end

  @doc false
  @spec id(term()) :: :ok | {:error, WorldError.t()}
  def id(id) do
    if is_integer(id) and id >= 0 and id <= Object.most_id(),
      do: :ok,
      else:
        WorldError.invalid(
          "id",
          "is #{inspect(id, limit: 5, printable_limit: 60)}, and should be an object's"
        )
  end

  defp address({x, z}), do: address({x, z, 0})

  defp address({x, z, level} = address)
       when is_integer(x) and is_integer(z) and is_integer(level) do
    case Gen.in_any_world(address) do
      :ok -> {:ok, address}
      {:error, error} -> WorldError.invalid("address", "is wrong: #{Exception.message(error)}")
    end
  end

  defp address({x, y, z, level} = address)
       when is_integer(x) and is_integer(y) and is_integer(z) and is_integer(level) do
    with {:ok, _} <- address({x, z, level}),
         {:ok, _} <- address({y, z, level}),
         do: {:ok, address}
  end

  defp address(other),
    do:
      WorldError.invalid(
        "address",
        "is #{inspect(other, limit: 5)}, and should be {x, z}, {x, z, level} or {x, y, z, level}"
      )

  defp glb(<<"glTF", 2::32-little, length::32-little, _::binary>> = bytes)
       when length == byte_size(bytes),
       do: {:ok, bytes}

  defp glb(%Scene{} = scene) do
    with {:error, error} <- Scene.to_glb(scene),
         do: WorldError.invalid("a chunk", "is no scene: #{Exception.message(error)}")
  end

  defp glb(_other), do: WorldError.invalid("a chunk", "is neither a scene nor a GLB 2.0 file")

  defp bytes(bytes) do
    with :ok <- payload_size({:bytes, nil, bytes}),
         do: {:ok, {:bytes, :crypto.hash(:sha256, bytes), bytes}}
  end

  defp payload_size({:bytes, _hash, bytes}) when byte_size(bytes) > @most_payload do
    message = "a file has #{byte_size(bytes)} bytes, allowed: #{@most_payload}"
    {:error, %WorldError{reason: {:limit, :payload_bytes}, message: message}}
  end

  defp payload_size(_fits), do: :ok

  defp sound(mesh, materials) do
    scene = %Scene{
      meshes: [mesh],
      materials: materials,
      nodes: [%Scene.Node{name: "mesh", mesh: 0}],
      roots: [0]
    }

    with {:error, error} <- Scene.validate(scene),
         do: WorldError.invalid("a mesh", "cannot be shown: #{Exception.message(error)}"),
         else: (_counts -> :ok)
  end

  defp shape(json) do
    plan = Wasgo.Wire.decode!(json, :json)

    if plan["terrain"] || plan["volume"],
      do: :ok,
      else:
        {:error, %WorldError{reason: :plan, message: "the plan has neither ground nor volume"}}
  end

  defp plan_error({:error, error}),
    do:
      {:error,
       %WorldError{
         reason: :plan,
         cause: error,
         message: "the plan cannot be kept: #{Exception.message(error)}"
       }}

  defp plan_error(ok), do: ok

  defp same(%{digest: digest}, %{digest: digest}), do: :ok

  defp same(_plan, _another) do
    message = "the scripts are not those that the plan was made with"
    {:error, %WorldError{reason: :plan, field: "scripts", message: message}}
  end
end
