defmodule Wasgo.Phoenix.WorldChannel.Follower do
  @moduledoc false
  # What of a world a client lacks: it is at a number of the journal and at a number of what scripts move, and there is what changed after these, as it is now.
  # Nothing is kept for it. A value; it reads the world's tables, and asks nobody.

  alias Wasgo.Phoenix.{Content, Terms}
  alias Wasgo.Phoenix.WorldChannel.Rows
  alias Wasgo.World.{Body, State, Transient}
  alias Wasgo.World.Transient.Cursor

  # In one push.
  @most_things 256
  @most_bytes 65_536
  @most_rows 2_048
  # So much is looked at for one.
  @most_looks 8_192

  @enforce_keys [:tables, :rev, :floor]
  defstruct [:tables, :rev, :floor, values: %Cursor{}, reset: false]

  @type t :: %__MODULE__{}

  @doc false
  # From where a client is, if that can be followed: else from the beginning.
  @spec new(State.t(), non_neg_integer()) :: t()
  def new(tables, rev) do
    floor = State.floor(tables)
    reset? = rev == 0 or rev < floor or rev > State.rev(tables)
    %__MODULE__{tables: tables, rev: if(reset?, do: 0, else: rev), floor: floor}
  end

  @spec behind?(t()) :: boolean()
  def behind?(follower), do: follower.rev < State.rev(follower.tables) or follower.reset

  @doc false
  # The next part of what changed, and what else did on the way: `:plan`, `{:chunk, address}`. The part is `nil` where nothing is to be sent of it.
  @spec state(t()) :: {map() | nil, [term()], t()}
  def state(follower) do
    follower = if lost?(follower), do: again(follower), else: follower

    part = %{
      rev: follower.rev,
      meshes: [],
      objects: [],
      gone: [],
      properties: %{},
      notes: [],
      things: 0,
      size: 0
    }

    part = gather(follower.tables, part, @most_looks)
    shown = Map.take(part, [:rev, :meshes, :objects, :gone, :properties])

    if part.things == 0 and not follower.reset do
      {nil, part.notes, %{follower | rev: part.rev}}
    else
      shown = %{
        shown
        | meshes: Enum.reverse(part.meshes),
          objects: Enum.reverse(part.objects),
          gone: Enum.reverse(part.gone)
      }

      {Map.put(shown, :reset, follower.reset), part.notes,
       %{follower | rev: part.rev, reset: false}}
    end
  end

  # Traces of removals that the client has not heard of are gone.
  defp lost?(follower) do
    floor = State.floor(follower.tables)
    floor > follower.floor and follower.rev < floor
  end

  defp again(follower),
    do: %{follower | rev: 0, floor: State.floor(follower.tables), reset: true}

  defp gather(_tables, part, 0), do: part
  defp gather(_tables, %{things: @most_things} = part, _left), do: part
  defp gather(_tables, %{size: size} = part, _left) when size >= @most_bytes, do: part

  defp gather(tables, part, left) do
    case State.next(tables, part.rev) do
      nil -> part
      entry -> gather(tables, %{take(tables, part, entry) | rev: elem(entry, 1)}, left - 1)
    end
  end

  defp take(_tables, part, {:plan, _rev, _zone, _marks, _body}),
    do: %{part | notes: [:plan | part.notes]}

  defp take(_tables, part, {{:chunk, _address} = chunk, _rev, _zone, _marks, _body}),
    do: %{part | notes: [chunk | part.notes]}

  defp take(_tables, part, {{:property, name}, _rev, _zone, _marks, body}) do
    value = if body != :gone, do: body |> :erlang.binary_to_term() |> Terms.value()
    add(%{part | properties: Map.put(part.properties, name, value)}, size(body))
  end

  defp take(_tables, part, {{:mesh, name}, _rev, _zone, _marks, body}) do
    path = if body != :gone, do: Content.file_path("meshes", body)
    add(%{part | meshes: [%{name: name, path: path} | part.meshes]}, 128)
  end

  defp take(_tables, part, {id, _rev, _zone, _marks, :gone}),
    do: add(%{part | gone: [Terms.integer(id) | part.gone]}, 8)

  defp take(tables, part, {id, _rev, zone, _marks, body} = entry) do
    object = Terms.object(tables, entry, Body.decode(id, zone, body))
    add(%{part | objects: [object | part.objects]}, size(body) + 256)
  end

  defp add(part, size), do: %{part | things: part.things + 1, size: part.size + size}

  defp size(:gone), do: 16
  defp size(body), do: byte_size(body)

  @doc false
  # The newest values beyond those that were sent, of objects that the client knows. Others come with theirs.
  @spec rows(t()) :: {[Rows.row()], t()}
  def rows(%{tables: tables} = follower) do
    {rows, cursor} =
      Cursor.read(follower.values, tables, @most_looks, @most_rows, &row(follower, &1, &2, &3))

    {rows, %{follower | values: cursor}}
  end

  defp row(follower, id, columns, beyond) do
    case State.get(follower.tables, id) do
      {_id, _rev, _zone, {born, _, _, _, _, _, _} = marks, body}
      when body != :gone and born <= follower.rev ->
        Transient.current(columns, marks, beyond)

      _unknown ->
        []
    end
  end
end
