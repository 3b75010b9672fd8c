defmodule Wasgo.Godot.EngineAddonTest do
  # The add-on's own tests, by a real engine: every script of godot/tests that is named for that.
  use ExUnit.Case, async: true

  alias Wasgo.TestEngine

  @moduletag :godot
  @moduletag timeout: 120_000

  for path <- Path.wildcard(Path.expand("../../godot/tests/*_test.gd", __DIR__)) do
    @script Path.basename(path)
    @external_resource path

    test "#{@script} passes" do
      title = Path.rootname(@script)
      engine = TestEngine.start(@script, [])
      # The failures are in the lines before the last one.
      {outcome, seen} = outcome(engine, title, [])

      assert outcome =~ ~r/^PASS #{title} \([1-9]\d* checks\)/,
             Enum.join(Enum.reverse([outcome | seen]), "\n")

      assert TestEngine.await_exit(engine) == 0
    end
  end

  test "an engine that quits in the midst of work ends well, and leaves nothing" do
    for way <- ~w(world exports) do
      engine = TestEngine.start("quitting_peer.gd", ["--way=#{way}"])
      said = everything(engine, [])
      assert "quits in the midst" in said

      assert for(line <- said, line =~ ~r/^(ERROR|SCRIPT ERROR)|leaked|in use|crash/, do: line) ==
               []
    end
  end

  defp everything(engine, seen) do
    receive do
      {^engine, {:data, {_eol, line}}} ->
        everything(engine, [line | seen])

      {^engine, {:exit_status, 0}} ->
        seen

      {^engine, {:exit_status, status}} ->
        flunk("status #{status}: #{Enum.join(Enum.reverse(seen), "\n")}")
    after
      20_000 -> flunk("it does not end: #{Enum.join(Enum.reverse(seen), "\n")}")
    end
  end

  test "the editor loads the plugin, and its dock shows a game that runs and a client of its own" do
    engine = TestEngine.start_project("godot/tests/editor", ["--editor"])
    {outcome, seen} = outcome(engine, "dock", [])
    assert outcome =~ ~r/^PASS dock \([1-9]\d* checks\)/, Enum.join(Enum.reverse(seen), "\n")
    assert seen == []
    assert TestEngine.await_exit(engine) == 0
  end

  # Most lines are what the engine itself says of bytes that are no frames.
  defp outcome(engine, title, seen) do
    receive do
      {^engine, {:data, {_eol, line}}} ->
        cond do
          line =~ ~r/^(PASS|FAIL) #{title} / ->
            {line, seen}

          line =~ ~r/^(failed:|SCRIPT ERROR|FATAL:|handle_crash:|\[\d+\] )/ ->
            outcome(engine, title, [line | seen])

          true ->
            outcome(engine, title, seen)
        end

      {^engine, {:exit_status, status}} ->
        # An engine that crashes says so first: by which signal, and where. What it ends with then may be the end of its crash handler.
        {"the engine ended with status #{status}", seen}
    after
      60_000 -> {"nothing for a minute", seen}
    end
  end
end
