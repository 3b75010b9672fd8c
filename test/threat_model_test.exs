defmodule Wasgo.ThreatModelTest do
  # Nothing is claimed in the threat model that has no test: those that it names are there, and run.
  use ExUnit.Case, async: true

  @root Path.expand("..", __DIR__)

  test "every test that the threat model names is there" do
    page = File.read!(Path.join(@root, "guides/threat-model.md"))

    named =
      ~r{`((?:test|godot/tests|native)/[\w/]+\.(?:exs|gd|rs))`}
      |> Regex.scan(page, capture: :all_but_first)
      |> List.flatten()
      |> Enum.uniq()

    assert length(named) > 30

    for path <- named do
      assert {path, true} == {path, @root |> Path.join(path) |> File.regular?()}

      if Path.extname(path) == ".exs",
        do: assert(File.read!(Path.join(@root, path)) =~ ~r/^\s+test "/m)
    end
  end

  test "every row that says what holds somebody says what shows it" do
    rows =
      Path.join(@root, "guides/threat-model.md")
      |> File.read!()
      |> String.split("\n")
      |> Enum.chunk_by(&String.starts_with?(&1, "|"))
      |> Enum.filter(fn [line | _rest] -> line =~ "| shown by |" end)
      |> Enum.flat_map(fn [_head, _rule | rows] -> rows end)

    assert length(rows) > 25
    for row <- rows, do: assert(row =~ ~r{`(?:test|native)/[\w/]+\.(?:exs|rs)`})
  end
end
