defmodule Wasgo.RowScript do
  @moduledoc false
  # Scripts in WebAssembly text with one column, for tests that care for what a script does with notifications.

  @doc """
  A script whose column is `column` and whose functions are `body`, which begins in line 6.

  `(i64.const 0x40_00000018)` is what a function returns for a row: the object's column is `value`, which stands at 80.
  """
  @spec wat(String.t(), integer() | float(), String.t()) :: String.t()
  def wat(column, value, body) do
    """
    (module (memory (export "memory") 1)
      (data (i32.const 16) "#{column}")
      (data (i32.const 64) "#{row(value) |> Base.encode16() |> String.replace(~r/../, "\\\\\\0")}")
      (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "_columns") (result i64) (i64.const #{0x10_00000000 + byte_size(column)}))
    #{body})
    """
  end

  # One entry, where the whole ends, its type, itself.
  defp row(value) when is_integer(value),
    do: <<1::32-little, 24::32-little, 1::64-little, value::64-little>>

  defp row(value) when is_float(value),
    do: <<1::32-little, 24::32-little, 2::64-little, value::float-64-little>>
end
