defmodule Wasgo.Example.Progress do
  @moduledoc false
  # Lines for a person who watches: a bar that fills where there is a terminal, a line now and then where there is none.

  @width 30

  @spec step(String.t()) :: :ok
  def step(text), do: IO.puts([IO.ANSI.format([:bright, "· "]), text])

  @spec good(String.t()) :: iodata()
  def good(text), do: IO.ANSI.format([:green, "✓ ", :reset, text])

  @spec bad(String.t()) :: iodata()
  def bad(text), do: IO.ANSI.format([:red, "✗ ", :reset, text])

  # Passes a stream on and draws how far it is.
  @spec through(Enumerable.t(), String.t(), pos_integer()) :: Enumerable.t()
  def through(stream, label, total) do
    stream
    |> Stream.with_index(1)
    |> Stream.map(fn {element, done} ->
      draw(label, done, total)
      element
    end)
  end

  defp draw(label, done, total) do
    cond do
      IO.ANSI.enabled?() ->
        filled = div(@width * done, total)
        bar = String.duplicate("█", filled) <> String.duplicate("░", @width - filled)
        IO.write("\r  #{String.pad_trailing(label, 22)} #{bar} #{done}/#{total}")
        if done == total, do: IO.write("\n")

      rem(done * 4, total) < 4 ->
        IO.puts("  #{String.pad_trailing(label, 22)} #{done}/#{total}")

      true ->
        :ok
    end
  end
end
