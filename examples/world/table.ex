defmodule Wasgo.Example.Table do
  @moduledoc false
  # What came of it, as text.

  @spec result(map()) :: iodata()
  def result(result) do
    [
      "\n",
      table(
        ["stage", "buffers", "total ms", "median ms", "slowest ms"],
        Enum.map(result.stages, &stage/1)
      ),
      "\n",
      table(["", "sent", result.receiver], counts(result)),
      "\n",
      Enum.map(result.files, fn {path, bytes} -> "#{path}: #{size(bytes)}\n" end),
      Enum.map(result.notes, &[&1, "\n"])
    ]
  end

  defp stage({name, times}) do
    sorted = Enum.sort(times)
    median = Enum.at(sorted, div(length(sorted), 2), 0)
    [name, length(times), ms(Enum.sum(times)), ms(median), ms(List.last(sorted) || 0)]
  end

  defp counts(result) do
    for name <- Enum.sort(Map.keys(result.sent)),
        do: [name, result.sent[name], result.received[name]]
  end

  # Rows under a head: the first column to the left, numbers to the right.
  defp table(head, rows) do
    rows = for row <- [head | rows], do: Enum.map(row, &to_string/1)

    widths =
      rows
      |> Enum.zip_with(& &1)
      |> Enum.map(fn column -> column |> Enum.map(&String.length/1) |> Enum.max() end)

    [first | rest] = Enum.map(rows, &line(&1, widths))
    [first, "  ", Enum.map_intersperse(widths, "  ", &String.duplicate("-", &1)), "\n", rest]
  end

  defp line([first | rest], [width | widths]) do
    cells =
      for {cell, width} <- Enum.zip(rest, widths), do: ["  ", String.pad_leading(cell, width)]

    ["  ", String.pad_trailing(first, width), cells, "\n"]
  end

  defp ms(microseconds), do: :erlang.float_to_binary(microseconds / 1000, decimals: 2)

  defp size(bytes) when bytes < 10_000, do: "#{bytes} bytes"
  defp size(bytes) when bytes < 10_000_000, do: "#{div(bytes, 1000)} kB"
  defp size(bytes), do: "#{div(bytes, 1_000_000)} MB"
end
