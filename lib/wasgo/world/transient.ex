defmodule Wasgo.World.Transient do
  @moduledoc false
  # Values that change too often for the journal: what scripts move. Of each object and column the newest is kept, and numbered, so that whoever sends them knows
  # which are new; a snapshot has those that changed since the one before.
  #
  # Each value knows at which number of the journal it was given. A change of the journal that sets the same thing later takes its place.

  use GenServer

  alias Wasgo.Godot.Variant
  alias Wasgo.{Rows, WorldError}
  alias Wasgo.World.{Journal, Object, State}

  @most_columns 64
  @most_rows 65_536
  @most_value 1_024

  ## For callers

  @doc false
  # Rows whose values may be kept.
  @spec check(Rows.t()) :: :ok | {:error, WorldError.t()}
  def check(%Rows{columns: columns, ids: ids, rows: rows}) do
    with :ok <- most("columns", length(columns), @most_columns),
         :ok <- most("rows", length(ids), @most_rows),
         :ok <- each(columns, &column/1),
         :ok <- each(ids, &id/1),
         do: each(rows, fn row -> each(row, &value/1) end)
  end

  defp most(_what, count, most) when count <= most, do: :ok
  defp most(what, count, most), do: WorldError.invalid(what, "are #{count}, allowed: #{most}")

  defp each(list, fun) do
    Enum.reduce_while(list, :ok, fn element, :ok ->
      case fun.(element) do
        :ok -> {:cont, :ok}
        error -> {:halt, error}
      end
    end)
  end

  defp column(name), do: with({:ok, _name} <- Object.text("a column", name, 1), do: :ok)

  defp id(id) when is_integer(id) and id >= 0, do: :ok
  defp id(id), do: WorldError.invalid("an id", "is #{inspect(id, limit: 5)}, and should be one")

  defp value(value) when is_float(value) or is_nil(value) or is_boolean(value), do: :ok
  defp value({:blob, bytes}) when is_binary(bytes) and byte_size(bytes) <= @most_value, do: :ok

  defp value(value) do
    with :ok <- Object.finite("a value", value) do
      case Variant.encode(value, max_bytes: @most_value, max_depth: 8) do
        {:ok, _bytes} ->
          :ok

        {:error, error} ->
          WorldError.invalid("a value", "cannot be sent: #{Exception.message(error)}")
      end
    end
  end

  @doc false
  # How many rows are of objects that are there; the others are passed over.
  @spec put(pid(), Rows.t()) :: {:ok, non_neg_integer()}
  def put(transient, rows), do: GenServer.call(transient, {:put, rows}, :infinity)

  @doc false
  @spec forget(pid(), non_neg_integer()) :: :ok
  def forget(transient, id), do: GenServer.cast(transient, {:forget, id})

  ## For readers

  @doc false
  # The first object whose values changed beyond a number: `{number, id, columns}`.
  def next(tables, beyond) do
    with number when is_integer(number) <- :ets.next(tables.row_index, beyond) do
      with [{^number, id}] <- :ets.lookup(tables.row_index, number),
           [{^id, ^number, columns}] <- :ets.lookup(tables.rows, id) do
        {number, id, columns}
      else
        _newer -> next(tables, number)
      end
    else
      :"$end_of_table" -> nil
    end
  end

  @doc false
  # What an object has, as `current/2` takes it.
  def get(tables, id) do
    case :ets.lookup(tables.rows, id) do
      [{^id, _number, columns}] when is_map(columns) -> columns
      _none -> %{}
    end
  end

  @doc false
  # Columns and values that are newer than a number, and that no later change of the journal has replaced.
  @spec current(map() | :gone, tuple(), non_neg_integer()) :: [{String.t(), term()}]
  def current(columns, marks, beyond \\ 0)
  def current(:gone, _marks, _beyond), do: []

  def current(columns, {born, _, _, _, _, _, _} = marks, beyond) do
    for {name, {value, at, number}} <- columns,
        number > beyond and at >= born and at >= replaced(name, marks),
        do: {name, value}
  end

  defp replaced("position" <> _, {_, _, _basis, position, _, _, _}), do: position
  defp replaced("rotation" <> _, {_, _, basis, _, _, _, _}), do: basis
  defp replaced("quaternion" <> _, {_, _, basis, _, _, _, _}), do: basis
  defp replaced("scale" <> _, {_, _, basis, _, _, _, _}), do: basis
  defp replaced("basis" <> _, {_, _, basis, _, _, _, _}), do: basis
  defp replaced("transform" <> _, {_, _, basis, position, _, _, _}), do: max(basis, position)
  defp replaced("global_" <> _, {_, _, basis, position, _, _, _}), do: max(basis, position)
  defp replaced(_property, {_, _, _, _, properties, _, _}), do: properties

  ## In the store

  @doc false
  # Puts down what changed beyond a number, at most so many objects; the answer is the number up to which that is.
  @spec write(State.t(), Journal.t(), non_neg_integer(), pos_integer()) ::
          {:ok, non_neg_integer()} | {:error, WorldError.t()}
  def write(tables, journal, beyond, limit) do
    case collect(tables, beyond, limit, []) do
      [] ->
        {:ok, beyond}

      [{last, _id, _columns} | _] = changed ->
        rows = for {_number, id, columns} <- changed, do: {id, if(columns != :gone, do: columns)}
        gone = for {number, id, :gone} <- changed, do: {id, number}

        with :ok <- Journal.put_rows(journal, rows) do
          if gone != [], do: GenServer.cast(:ets.info(tables.rows, :owner), {:swept, gone})
          {:ok, last}
        end
    end
  end

  defp collect(_tables, _beyond, 0, done), do: done

  defp collect(tables, beyond, left, done) do
    case next(tables, beyond) do
      nil -> done
      {number, _id, _columns} = row -> collect(tables, number, left - 1, [row | done])
    end
  end

  ## The process that has them

  @doc false
  # Its tables are in the answer, and the number up to which they are as the store has them.
  @spec start_link(State.t(), Journal.t(), boolean()) ::
          {:ok, pid(), State.t(), non_neg_integer()} | {:error, term()}
  def start_link(tables, journal, repair?) do
    with {:ok, pid} <- GenServer.start_link(__MODULE__, {tables, journal, repair?}) do
      {rows, row_index, written} = GenServer.call(pid, :tables, :infinity)
      {:ok, pid, %{tables | rows: rows, row_index: row_index}, written}
    end
  end

  @impl true
  def init({tables, journal, repair?}) do
    Wasgo.Label.put(__MODULE__)
    options = [:protected, read_concurrency: true]
    rows = :ets.new(__MODULE__, [:set | options])
    row_index = :ets.new(__MODULE__, [:ordered_set | options])
    state = %{tables: %{tables | rows: rows, row_index: row_index}, number: 0, written: 0}

    case load(state, journal, repair?) do
      {:ok, {state, gone}} ->
        # Those of objects that are not there any more are deleted with the next snapshot.
        state = Enum.reduce(gone, %{state | written: state.number}, &insert(&2, &1, :gone))
        State.put_sequence(tables, state.number)
        {:ok, state}

      {:error, error} ->
        {:stop, error}
    end
  end

  defp load(state, journal, repair?) do
    loaded =
      Journal.fold_rows(journal, {state, []}, fn {id, columns}, {state, gone} ->
        if there?(state.tables, id),
          do: {insert(state, id, renumbered(columns, state.number + 1)), gone},
          else: {state, [id | gone]}
      end)

    # One that cannot be read is of little worth: scripts will move the object again.
    with {:error, %WorldError{reason: {:damaged, id}}} when repair? <- loaded,
         :ok <- Journal.put_rows(journal, [{id, nil}]) do
      :ets.delete_all_objects(state.tables.rows)
      :ets.delete_all_objects(state.tables.row_index)
      load(state, journal, repair?)
    end
  end

  defp renumbered(columns, number),
    do: Map.new(columns, fn {name, {value, at, _number}} -> {name, {value, at, number}} end)

  @impl true
  def handle_call(:tables, _from, state),
    do: {:reply, {state.tables.rows, state.tables.row_index, state.written}, state}

  def handle_call({:put, %Rows{columns: columns, ids: ids, rows: rows}}, _from, state) do
    at = State.rev(state.tables)

    {state, count} =
      ids
      |> Enum.zip(rows)
      |> Enum.reduce({state, 0}, fn {id, values}, {state, count} ->
        if there?(state.tables, id),
          do: {insert(state, id, merged(state, id, columns, values, at)), count + 1},
          else: {state, count}
      end)

    State.put_sequence(state.tables, state.number)
    {:reply, {:ok, count}, state}
  end

  @impl true
  def handle_cast({:forget, id}, state) do
    case :ets.member(state.tables.rows, id) do
      true ->
        state = insert(state, id, :gone)
        State.put_sequence(state.tables, state.number)
        {:noreply, state}

      false ->
        {:noreply, state}
    end
  end

  def handle_cast({:swept, gone}, %{tables: tables} = state) do
    for {id, number} <- gone, match?([{^id, ^number, :gone}], :ets.lookup(tables.rows, id)) do
      :ets.delete(tables.rows, id)
      :ets.delete(tables.row_index, number)
    end

    {:noreply, state}
  end

  defp there?(tables, id) do
    case State.get(tables, id) do
      {_id, _rev, _zone, _marks, body} -> body != :gone
      nil -> false
    end
  end

  defp merged(state, id, columns, values, at),
    do: merge(get(state.tables, id), columns, values, {at, state.number + 1})

  defp merge(row, [column | columns], [value | values], at) do
    cond do
      value == nil ->
        merge(row, columns, values, at)

      is_map_key(row, column) or map_size(row) < @most_columns ->
        row |> Map.put(column, put_at(value, at)) |> merge(columns, values, at)

      # More columns than a frame may have: the first stay.
      true ->
        merge(row, columns, values, at)
    end
  end

  defp merge(row, _columns, _values, _at), do: row

  defp put_at(value, {at, number}), do: {value, at, number}

  # As with the journal's index: what is found there is in the table already.
  defp insert(%{tables: tables, number: number} = state, id, columns) do
    number = number + 1
    before = :ets.lookup(tables.rows, id)
    :ets.insert(tables.rows, {id, number, columns})
    :ets.insert(tables.row_index, {number, id})
    for {_id, old, _columns} <- before, do: :ets.delete(tables.row_index, old)
    %{state | number: number}
  end
end
