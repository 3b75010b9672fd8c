defmodule Wasgo.World.Transient.Cursor do
  @moduledoc false
  # How far a reader of transient values is. A value.
  #
  # It goes over objects in the order in which they changed last, from `from` on; `at` is where it is. One that changes meanwhile is at the end again, with all its values: so values count as new until
  # the reader has come to the end, though their numbers may be below `at` by then.

  alias Wasgo.World.{State, Transient}

  defstruct from: 0, at: 0

  @type t :: %__MODULE__{from: non_neg_integer(), at: non_neg_integer()}

  @doc false
  # A reader that has all values up to a number.
  @spec new(non_neg_integer()) :: t()
  def new(number), do: %__MODULE__{from: number, at: number}

  @spec behind?(t(), State.t()) :: boolean()
  def behind?(cursor, tables), do: State.sequence(tables) != cursor.at

  @doc false
  # Whether it has been to the end: all that changed up to `at` was read.
  @spec whole?(t()) :: boolean()
  def whole?(cursor), do: cursor.from == cursor.at

  @doc false
  # The next objects with what is new of them, at most so many, of at most so many that are looked at. `values` says of an object's columns which count, beyond a number; of none with
  # `[]` there is a row.
  @spec read(
          t(),
          State.t(),
          looks :: pos_integer(),
          rows :: pos_integer(),
          (id :: non_neg_integer(), map() | :gone, beyond :: non_neg_integer() -> [value])
        ) :: {[{non_neg_integer(), [value]}], t()}
        when value: {String.t(), term()}
  def read(cursor, tables, looks, rows, values), do: read(cursor, tables, looks, rows, values, [])

  defp read(cursor, _tables, looks, rows, _values, done) when looks == 0 or rows == 0,
    do: {Enum.reverse(done), cursor}

  defp read(cursor, tables, looks, rows, values, done) do
    case Transient.next(tables, cursor.at) do
      nil ->
        {Enum.reverse(done), %{cursor | from: cursor.at}}

      {number, id, columns} ->
        cursor = %{cursor | at: number}

        case values.(id, columns, cursor.from) do
          [] -> read(cursor, tables, looks - 1, rows, values, done)
          new -> read(cursor, tables, looks - 1, rows - 1, values, [{id, new} | done])
        end
    end
  end
end
