defmodule Wasgo.Rows do
  @moduledoc """
  Rows of property changes: what a script's `_notification` returned for many nodes, by columns.

    * `columns` - property paths, such as `"position:x"`
    * `ids` - which node each row is of
    * `rows` - lists of values, each as long as `columns`; `nil` leaves a property alone

  ## Examples

      iex> Wasgo.Rows.new(["position:x"], [{7, [1.5]}, {8, [2.5]}])
      #Wasgo.Rows<2 rows of position:x>
  """

  @enforce_keys [:columns, :ids, :rows]
  defstruct [:columns, :ids, :rows]

  @type value :: integer() | float() | String.t() | {:blob, binary()} | nil

  @type t :: %__MODULE__{columns: [String.t()], ids: [integer()], rows: [[value()]]}

  @doc """
  Rows from a list of `{id, values}`. Raises `ArgumentError` for a row that is not as long as `columns`.

      iex> Wasgo.Rows.new(["position:x", "visible"], [{7, [1.5, nil]}, {8, [2.5, 1]}]).ids
      [7, 8]
      iex> Wasgo.Rows.new(["position:x"], [{7, [1.5, 2.5]}])
      ** (ArgumentError) the row of 7 has 2 values for 1 columns
  """
  @spec new([String.t()], [{integer(), [value()]}]) :: t()
  def new(columns, pairs) do
    width = length(columns)

    for {id, row} <- pairs, length(row) != width do
      raise ArgumentError, "the row of #{id} has #{length(row)} values for #{width} columns"
    end

    {ids, rows} = Enum.unzip(pairs)
    %__MODULE__{columns: columns, ids: ids, rows: rows}
  end

  @doc """
  How many values the rows would set.

      iex> Wasgo.Rows.count(Wasgo.Rows.new(["a", "b"], [{1, [1, nil]}, {2, [3, 4]}]))
      3
  """
  @spec count(t()) :: non_neg_integer()
  def count(%__MODULE__{rows: rows}) do
    Enum.reduce(rows, 0, fn row, sum -> sum + Enum.count(row, &(&1 != nil)) end)
  end

  defimpl Inspect do
    def inspect(rows, _opts) do
      "#Wasgo.Rows<#{length(rows.ids)} rows of #{Enum.join(rows.columns, ", ")}>"
    end
  end
end
