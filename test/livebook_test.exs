defmodule Wasgo.LivebookTest do
  # The notebooks of guides/livebooks, cell by cell.
  use ExUnit.Case, async: false

  alias Wasgo.Notebook

  @folder Path.expand("../guides/livebooks", __DIR__)

  @moduletag :capture_log
  @moduletag timeout: 300_000

  test "first steps" do
    Notebook.run(notebook("01-first-steps"))
  end

  test "write a script" do
    Notebook.run(notebook("02-write-a-script"))
  end

  @tag :guest_assemblyscript
  test "write a script, in AssemblyScript too" do
    Notebook.run(notebook("02-write-a-script"), complete: true)
  end

  test "run a container" do
    Notebook.run(notebook("03-run-a-container"))
  end

  @tag :c2w_image
  test "run a container, with a container" do
    Notebook.run(notebook("03-run-a-container"), complete: true)
  end

  @tag :membrane
  test "a Membrane pipeline" do
    Notebook.run(notebook("04-membrane-pipeline"))
  end

  @tag :phoenix
  test "a Phoenix application" do
    Notebook.run(notebook("05-phoenix-application"))
  end

  @tag :telemetry
  test "operate it" do
    Notebook.run(notebook("06-operate-it"))
  end

  test "every notebook has its test, and its title in the order of its number" do
    notebooks = @folder |> Path.join("*.livemd") |> Path.wildcard()
    source = File.read!(__ENV__.file)

    for path <- notebooks do
      name = Path.basename(path, ".livemd")
      assert source =~ ~s|notebook("#{name}")|, "#{name} is run by no test"
      assert File.read!(path) =~ ~r/\A# [^\n]+\n\n```elixir\nMix\.install\(/
    end

    assert length(notebooks) >= 6
  end

  defp notebook(name), do: Path.join(@folder, name <> ".livemd")
end
