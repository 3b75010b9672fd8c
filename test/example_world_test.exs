defmodule Wasgo.ExampleWorldTest do
  # What bin/demo runs, whole, with shorter walks.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Wasgo.Example.{Table, Tally, World}

  @moduletag timeout: 180_000

  setup do
    out = Path.join(System.tmp_dir!(), "wasgo-example-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(out) end)
    {:ok, out: out}
  end

  defp run(receiver, out) do
    options = %{receiver: receiver, out: out, seconds: 1, seed: 2026}
    parent = self()
    output = capture_io(fn -> send(parent, {:result, World.run(options)}) end)
    assert_received {:result, result}
    {result, output}
  end

  test "a receiver in Elixir checks every frame and counts what was sent", %{out: out} do
    {{:ok, result}, output} = run("elixir", out)

    assert result.differences == []
    assert %{"chunks" => 49, "colliders" => 49, "nodes" => 64, "errors" => 0} = result.received
    assert result.received["rows"] == 20 * 64
    assert result.received["property_updates"] == 20 * 64 * 4
    assert result.received["instances"] > 1000

    assert for({name, times} <- result.stages, do: {name, length(times)})
           |> Map.new()
           |> Map.values()
           |> Enum.uniq()
           |> Enum.sort() == [20, 49]

    assert <<"glTF", 2::32-little, size::32-little, _::binary>> =
             File.read!(Path.join(out, "world.glb"))

    assert size == File.stat!(Path.join(out, "world.glb")).size
    assert output =~ "49/49"
    assert IO.iodata_to_binary(Table.result(result)) =~ "script: wander"
  end

  @tag :godot
  test "the engine counts what was sent, and draws it", %{out: out} do
    {{:ok, result}, _output} = run("godot", out)

    assert result.differences == []
    assert result.received["chunks"] == 49
    assert result.received["property_updates"] == 20 * 64 * 4

    if Wasgo.Example.Engine.renders?() do
      assert <<0x89, "PNG\r\n", 0x1A, "\n", _::binary>> = File.read!(Path.join(out, "world.png"))
    else
      assert [note] = result.notes
      assert note =~ "no picture"
    end
  end

  test "the same seed gives the same file", %{out: out} do
    {{:ok, _}, _} = run("elixir", Path.join(out, "one"))
    {{:ok, _}, _} = run("elixir", Path.join(out, "two"))

    assert File.read!(Path.join(out, "one/world.glb")) ==
             File.read!(Path.join(out, "two/world.glb"))
  end

  test "a folder that can't be made is an error that names it", %{out: out} do
    File.write!(out, "a file")
    {{:error, error}, _output} = run("elixir", Path.join(out, "below"))
    assert Exception.message(error) =~ out
    File.rm!(out)
  end

  test "a difference is told by its name" do
    assert Tally.differences(%{"chunks" => 49, "nodes" => 1}, %{"chunks" => 48, "nodes" => 1}) ==
             ["chunks: 49 sent, 48 received"]

    assert Tally.differences(%{"chunks" => 49}, %{}) == ["chunks: 49 sent, nil received"]
  end
end
