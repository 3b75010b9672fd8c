defmodule Wasgo.Godot.Process.LogTest do
  use ExUnit.Case, async: true

  alias Wasgo.Godot.Process.Log

  @hidden "5ecre7"

  # All entries of these pieces, and the bytes that were dropped.
  defp entries(pieces, allowed \\ 1_000_000) do
    {entries, dropped, log} =
      for piece <- pieces, reduce: {[], 0, Log.new(@hidden)} do
        {entries, dropped, log} ->
          {more, _used, bytes, log} = Log.feed(log, piece, allowed)
          {entries ++ more, dropped + bytes, log}
      end

    {last, _log} = Log.flush(log, :all)
    {entries ++ last, dropped}
  end

  defp bytes_of(text), do: for(<<byte <- text>>, do: <<byte>>)

  @engine """
  Godot Engine v4.6.3.stable.debian4.6.3+ds-2 - https://godotengine.org

  hello
  ERROR: pushed
     at: push_error (core/variant/variant_utility.cpp:1024)
     GDScript backtrace (most recent call first):
         [0] _initialize (res://t.gd:4)
  WARNING: warned
       at: push_warning (core/variant/variant_utility.cpp:1034)
  to stderr
  SCRIPT ERROR: Invalid call. Nonexistent function 'foo' in base 'Nil'.
            at: _bad (res://t.gd:12)
  USER ERROR: older engines say
     at: push_error (core/variant/variant_utility.cpp:1024)
     indented, of a script's own
  handle_crash: Program crashed with signal 4
  last, without an end\
  """

  @read [
    {:info, "Godot Engine v4.6.3.stable.debian4.6.3+ds-2 - https://godotengine.org"},
    {:info, "hello"},
    {:error,
     """
     ERROR: pushed
        at: push_error (core/variant/variant_utility.cpp:1024)
        GDScript backtrace (most recent call first):
            [0] _initialize (res://t.gd:4)\
     """},
    {:warning, "WARNING: warned\n     at: push_warning (core/variant/variant_utility.cpp:1034)"},
    {:info, "to stderr"},
    {:error,
     "SCRIPT ERROR: Invalid call. Nonexistent function 'foo' in base 'Nil'.\n          at: _bad (res://t.gd:12)"},
    {:error,
     "USER ERROR: older engines say\n   at: push_error (core/variant/variant_utility.cpp:1024)\n   indented, of a script's own"},
    {:error, "handle_crash: Program crashed with signal 4"},
    {:info, "last, without an end"}
  ]

  test "an engine's errors have their levels, and the lines that say where" do
    assert entries([@engine]) == {@read, 0}
  end

  test "it does not matter in which pieces the bytes come" do
    assert entries(bytes_of(@engine)) == {@read, 0}

    for size <- [2, 3, 7, 64, 100] do
      pieces = @engine |> bytes_of() |> Enum.chunk_every(size) |> Enum.map(&Enum.join/1)
      assert entries(pieces) == {@read, 0}
    end
  end

  test "what waits for more lines is given when there are none" do
    {[], 2, 0, log} = Log.feed(Log.new(@hidden), "ERROR: bad\n   at: here\nand a par", 10)
    assert Log.open?(log)
    assert {[{:error, "ERROR: bad\n   at: here"}], log} = Log.flush(log, :entry)
    refute Log.open?(log)
    assert {[], log} = Log.flush(log, :entry)
    assert {[{:info, "and a part"}], 1, 0, log} = Log.feed(log, "t\n", 10)
    assert {[], _log} = Log.flush(log, :all)
  end

  test "indented lines are their own where nothing went before" do
    assert entries(["   a\n   b\n"]) == {[info: "   a", info: "   b"], 0}
  end

  test "the wrapper's lines are nobody else's" do
    assert entries(["#{@hidden} pid 5\na\n\n#{@hidden} exit 0\n"]) == {[info: "a"], 0}
  end

  test "a long line is cut, and what is cut is counted" do
    long = String.duplicate("x", 10_000)
    cut = String.duplicate("x", 4_096)

    assert entries([long <> "\nnext\n"]) == {[info: cut, info: "next"], 0}
    {entries, dropped} = entries(Enum.map(1..100, fn _ -> long end) ++ ["\nnext\n"])
    assert entries == [info: cut, info: "next"]
    assert_in_delta dropped, 1_000_000 - 4_096, 10
    # No more than a line is kept.
    {[_cut], 1, _dropped, log} = Log.feed(Log.new(@hidden), String.duplicate("x", 5_000_000), 10)
    assert :erlang.external_size(log) < 10_000
  end

  test "an error goes on for so many lines and no more" do
    lines = String.duplicate("   [0] again (res://deep.gd:1)\n", 5_000)
    assert {[{:error, text}], 0} = entries(["SCRIPT ERROR: Stack overflow\n" <> lines])
    assert length(String.split(text, "\n")) == 32
  end

  test "lines over what is allowed are dropped, and the next is heard from its beginning" do
    log = Log.new(@hidden)
    {entries, 2, dropped, log} = Log.feed(log, "a\nb\nc\nERROR: d", 2)
    assert {entries, dropped} == {[info: "a", info: "b"], 10}
    {[], 0, 2, log} = Log.feed(log, "e\n", 0)
    {[], 0, 2, log} = Log.feed(log, "fg", 0)
    {entries, 1, dropped, _log} = Log.feed(log, "h\ni\n", 5)
    assert {entries, dropped} == {[info: "i"], 2}
  end

  test "no line does anything but to be shown" do
    assert entries(["\e[31mred\e[0m\e]0;title\a \e7\x07\x00\x7F\u0085\u2028a\tb\r\n"]) ==
             {[info: "red \uFFFD\uFFFD\uFFFD\uFFFD\uFFFDa\tb"], 0}

    assert {[info: text], 0} = entries([<<"caf", 0xE9, " ", 0xC3, "\n">>])
    assert text == "caf\uFFFD \uFFFD"
    assert entries(["é" <> "\r\n"]) == {[info: "é"], 0}
  end

  test "any bytes give valid texts, in any pieces" do
    for seed <- 1..200 do
      :rand.seed(:exsss, seed)
      bytes = :rand.bytes(300) <> "\nERROR: " <> :rand.bytes(20) <> "\n   at"
      {whole, dropped} = entries([bytes])
      assert Enum.all?(whole, fn {_level, text} -> String.valid?(text) end)
      assert {whole, dropped} == entries(bytes_of(bytes))
    end
  end
end
