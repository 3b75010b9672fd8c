defmodule Wasgo.World.Zone.Sending do
  @moduledoc false
  # How frames leave a zone: at once, or not at all. It works on the zone's state, and never waits.

  alias Wasgo.GodotError
  alias Wasgo.World.Zone.{Chunks, Have, Meshes}

  @doc false
  @spec full?(map(), :live | :bulk) :: boolean()
  def full?(state, lane), do: MapSet.member?(state.full, lane)

  @doc false
  # Other messages come first.
  def later(%{pumping?: true} = state), do: state

  def later(state) do
    send(self(), :pump)
    %{state | pumping?: true}
  end

  @doc false
  # Sends without waiting: `{:sent, state}`, the state in which the lane is full or the frame refused, or the end.
  def put(state, kind, fields, lane) do
    case state.link.send(state.connection, kind, fields, timeout: 0, lane: lane) do
      {:ok, _number} ->
        {:sent, %{state | frames: state.frames + 1}}

      {:error, %GodotError{reason: :full}} ->
        %{state | full: MapSet.put(state.full, lane)}

      {:error, %GodotError{reason: {kind, _}}} when kind in [:encode, :too_large] ->
        {:refused, state}

      {:error, _gone} ->
        {:stop, state}
    end
  end

  @doc false
  # A frame that can't be sent at all is passed over.
  def given_up({:refused, state}, pass), do: later(pass.(state))
  def given_up(full_or_end, _pass), do: full_or_end

  @doc false
  # A mesh that is to be there: named where the engine can have it from elsewhere. Others may have to go for it, but not those that are `staying`.
  def put_mesh(state, {name, hash, fields}, from, staying \\ []) do
    {kind, fields} =
      if Have.member?(state.meshes.have, hash),
        do: {"cached", Chunks.cached("mesh", [name], hash)},
        else: {"mesh", Map.put(fields, "hash", {:packed_byte, hash})}

    with {:sent, state} <- make_room(state, Meshes.stale(state.meshes, name, staying)),
         {:sent, state} <- put(state, kind, fields, :live) do
      {:sent, %{state | meshes: Meshes.put(state.meshes, name, hash, from)}}
    end
  end

  defp make_room(state, []), do: {:sent, state}

  defp make_room(state, names) do
    with {:sent, state} <- put(state, "forget", %{"names" => {:packed_string, names}}, :live),
         do: {:sent, %{state | meshes: Meshes.forget(state.meshes, names)}}
  end
end
