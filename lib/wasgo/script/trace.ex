defmodule Wasgo.Script.Trace do
  @moduledoc """
  Where in its source a script failed.

      iex> wat = \"""
      ...> (module (memory (export "memory") 1)
      ...>   (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8))
      ...>   (func $hop (export "process") (param i32 i32) (result i64)
      ...>     unreachable))
      ...> \"""
      iex> {:error, error} = Wasgo.Script.process(Wasgo.Script.new!(wat), "")
      iex> [frame] = Wasgo.Script.Trace.of(error, wat)
      iex> {frame.function, frame.line, frame.column}
      {"hop", 4, 5}

  The source is what the script was made of: WAT text knows its lines; a module has them in a source map (`Wasgo.Script.SourceMap`), or in DWARF, as compilers of C, Rust and Zig write
  it for debugging. Code is optimised: of the innermost function it may be the instruction beside the one that failed.
  """

  alias Wasgo.Native
  alias Wasgo.Script.SourceMap
  alias Wasgo.TrapError

  @typedoc """
  A function that the script was in. `offset` is a byte of the module; `file` (`nil` for WAT text), `line` and `column`, counted from 1, are there where the source says them.
  """
  @type frame :: %{
          function: String.t(),
          offset: non_neg_integer() | nil,
          file: String.t() | nil,
          line: pos_integer() | nil,
          column: pos_integer() | nil
        }

  @doc """
  The functions that a script was in when it failed, innermost first: none of what is no trap. `source` is `nil` where it is not known.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/thin.wasm"))
      iex> {:error, error} = Wasgo.Script.process(script, "no instance table")
      iex> Wasgo.Script.Trace.of(error, nil)
      [%{column: nil, file: nil, function: "function 1", line: nil, offset: 131}]
  """
  @spec of(Exception.t(), binary() | nil) :: [frame()]
  def of(%TrapError{backtrace: functions, offsets: offsets} = error, source) do
    offsets = Enum.take(offsets ++ List.duplicate(nil, length(functions)), length(functions))
    places = source |> places(offsets) |> told(error)

    for {{function, offset}, place} <- functions |> Enum.zip(offsets) |> Enum.zip(places) do
      Map.merge(%{function: function, offset: offset, file: nil, line: nil, column: nil}, place)
    end
  end

  def of(_other, _source), do: []

  # AssemblyScript says itself where it gave up, in code that its maps leave out.
  defp told([first | rest], %TrapError{reason: :abort, message: message}) when first == %{} do
    case Regex.run(~r/ in (\S{1,255}):(\d{1,9}):(\d{1,9})$/, message) do
      [_all, file, line, column] ->
        [%{file: file, line: String.to_integer(line), column: String.to_integer(column)} | rest]

      nil ->
        [first | rest]
    end
  end

  defp told(places, _error), do: places

  defp places(source, offsets) do
    case source && SourceMap.of_module(source) do
      {:ok, map} -> for offset <- offsets, do: (offset && SourceMap.find(map, offset)) || %{}
      _none -> native(source, offsets)
    end
  end

  defp native(nil, offsets), do: Enum.map(offsets, fn _offset -> %{} end)

  # An offset that is not known is one that no table has.
  defp native(source, offsets) do
    {:ok, places} = Native.wasm_lines(source, Enum.map(offsets, &(&1 || 0)))
    Enum.map(places, &place/1)
  end

  defp place(nil), do: %{}

  defp place({file, line, column}) do
    %{file: if(file != "", do: file), line: line, column: if(column > 0, do: column)}
  end
end
