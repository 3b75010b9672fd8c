defmodule Wasgo.Godot.Process.Log do
  @moduledoc false
  # What a program writes, as entries with levels: a line each, but an engine's errors and warnings with the lines that say where. A core without a process:
  # bytes in, entries out. Whatever comes, it keeps no more than a line and an entry, whose sizes are bounded, and gives no more lines than it is allowed:
  # the rest is dropped, and counted.

  @enforce_keys [:hidden]
  defstruct [:hidden, :entry, rest: "", mute: false]

  @type level :: :error | :warning | :info
  @type entry :: {level(), String.t()}
  @type t :: %__MODULE__{}

  # In bytes. The engine's own errors quote what a script gave them.
  @max_line 4_096
  # Lines in an entry, of which those after the first say where in a script. A recursion without end has a thousand.
  @max_lines 32

  # By the longest first, of those that begin alike.
  @beginnings [
    {"USER SCRIPT ERROR:", :error},
    {"USER ERROR:", :error},
    {"USER WARNING:", :warning},
    {"SCRIPT ERROR:", :error},
    {"SHADER ERROR:", :error},
    {"ERROR:", :error},
    {"WARNING:", :warning},
    {"handle_crash:", :error}
  ]

  @doc "Lines that start with `hidden` are the wrapper's own, and no entries."
  @spec new(String.t()) :: t()
  def new(hidden), do: %__MODULE__{hidden: hidden}

  @doc """
  The entries that are complete with these bytes, how many lines were used of `allowed`, and how many bytes were dropped since there were more lines.
  """
  @spec feed(t(), binary(), non_neg_integer()) ::
          {[entry()], used :: non_neg_integer(), dropped :: non_neg_integer(), t()}
  def feed(%__MODULE__{} = log, bytes, allowed), do: feed(log, bytes, allowed, 0, [])

  defp feed(log, bytes, allowed, used, entries) when used >= allowed do
    # What was begun is given up too. The next line to be heard is one that begins later.
    {entries, log} = close(entries, log)
    dropped = byte_size(bytes) + byte_size(log.rest)
    {Enum.reverse(entries), used, dropped, %{log | rest: "", mute: not ends_line?(bytes, log)}}
  end

  defp feed(log, bytes, allowed, used, entries) do
    case :binary.split(bytes, "\n") do
      [line, after_it] when log.mute ->
        # The end of a line that was cut, or dropped.
        {entries, used, dropped, log} =
          feed(%{log | mute: false}, after_it, allowed, used, entries)

        {entries, used, dropped + byte_size(line) + 1, log}

      [line, after_it] ->
        {entries, log} = line(entries, %{log | rest: ""}, log.rest <> line)
        feed(log, after_it, allowed, used + 1, entries)

      [part] when log.mute ->
        {Enum.reverse(entries), used, byte_size(part), log}

      [part] ->
        keep(log, part, used, entries)
    end
  end

  defp ends_line?("", log), do: log.rest == "" and not log.mute
  defp ends_line?(bytes, _log), do: :binary.last(bytes) == ?\n

  # A line that is not complete. One that is too long already is an entry as far as it goes.
  defp keep(log, part, used, entries) do
    rest = log.rest <> part

    if byte_size(rest) <= @max_line do
      # `part` is a piece of a larger binary, which must not live on in it.
      {Enum.reverse(entries), used, 0, %{log | rest: :binary.copy(rest)}}
    else
      {entries, log} = line(entries, %{log | rest: "", mute: true}, rest)
      {Enum.reverse(entries), used + 1, byte_size(rest) - @max_line, log}
    end
  end

  @doc "What waits for more lines, which do not come: the entry, and the line too when the program is done."
  @spec flush(t(), :entry | :all) :: {[entry()], t()}
  def flush(%__MODULE__{rest: rest} = log, :all) when rest != "" do
    {entries, log} = line([], %{log | rest: ""}, rest)
    {entries, log} = close(entries, log)
    {Enum.reverse(entries), log}
  end

  def flush(%__MODULE__{} = log, _what) do
    {entries, log} = close([], log)
    {entries, log}
  end

  @doc "Whether there is an entry that waits for more lines."
  @spec open?(t()) :: boolean()
  def open?(%__MODULE__{entry: entry}), do: entry != nil

  ## Lines

  defp line(entries, log, line) do
    line = plain(line)

    cond do
      line == "" -> close(entries, log)
      String.starts_with?(line, log.hidden) -> close(entries, log)
      log.entry != nil and continues?(line) -> {entries, more(log, line)}
      true -> begin(close(entries, log), line)
    end
  end

  defp continues?(line), do: String.starts_with?(line, "   ")

  defp more(%{entry: {level, lines, count}} = log, _line) when count >= @max_lines,
    do: %{log | entry: {level, lines, count}}

  defp more(%{entry: {level, lines, count}} = log, line),
    do: %{log | entry: {level, [line | lines], count + 1}}

  defp begin({entries, log}, line) do
    case Enum.find(@beginnings, fn {text, _level} -> String.starts_with?(line, text) end) do
      {_text, level} -> {entries, %{log | entry: {level, [line], 1}}}
      nil -> {[{:info, line} | entries], log}
    end
  end

  defp close(entries, %{entry: nil} = log), do: {entries, log}

  defp close(entries, %{entry: {level, lines, _count}} = log) do
    text = lines |> Enum.reverse() |> Enum.join("\n")
    {[{level, text} | entries], %{log | entry: nil}}
  end

  # A text that does to a terminal or a file of logs nothing but to be shown: without colours and the like.
  defp plain(line) do
    line
    |> binary_part(0, min(byte_size(line), @max_line))
    |> valid()
    |> String.replace(~r/\e(\[[0-?]*[ -\/]*[@-~]|\][^\a\e]*(\a|\e\\)?|.)?/u, "")
    |> String.trim_trailing()
    |> String.replace(~r/[\x00-\x08\x0B-\x1F\x7F\x{80}-\x{9F}\x{2028}\x{2029}]/u, "\uFFFD")
  end

  defp valid(line) do
    if String.valid?(line), do: :binary.copy(line), else: valid(line, [])
  end

  defp valid(line, parts) do
    case :unicode.characters_to_binary(line) do
      text when is_binary(text) ->
        IO.iodata_to_binary(Enum.reverse([text | parts]))

      {_error_or_incomplete, text, <<_wrong, rest::binary>>} ->
        valid(rest, ["\uFFFD", text | parts])
    end
  end
end
