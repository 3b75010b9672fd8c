defmodule Wasgo.RowsTest do
  use ExUnit.Case, async: true

  alias Wasgo.Rows

  doctest Wasgo.Rows

  test "rows are kept by column, in order" do
    rows = Rows.new(["a", "b"], [{2, [1, nil]}, {1, ["x", {:blob, "y"}]}])
    assert rows.ids == [2, 1]
    assert rows.rows == [[1, nil], ["x", {:blob, "y"}]]
    assert Rows.count(rows) == 3
    assert inspect(rows) == "#Wasgo.Rows<2 rows of a, b>"
  end

  test "a row of another length is named" do
    assert_raise ArgumentError, "the row of 9 has 1 values for 2 columns", fn ->
      Rows.new(["a", "b"], [{9, [1]}])
    end
  end

  test "there may be none" do
    assert Rows.count(Rows.new([], [])) == 0
  end
end
