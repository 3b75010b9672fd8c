defmodule Wasgo.GuestReadmeTest do
  # The first scripts in guest/README.md, built and called as they stand there.
  use ExUnit.Case, async: true

  alias Wasgo.{GuestToolchain, Script}

  @guest Path.expand("../guest", __DIR__)
  @readme File.read!(Path.join(@guest, "README.md"))

  # Half a second, home at 3 m.
  @row [0.5, 3.0]
  @height 3.0 + 0.5 * :math.sin(0.5)

  test "bob.wat" do
    assert_bobs(source("bob.wat"), 3.0)
    assert Script.notify(Script.new!(source("bob.wat")), :process, [0.0, 3.0]) == {:ok, [3.5]}
  end

  @tag :guest_c
  @tag :tmp_dir
  test("bob.c", %{tmp_dir: folder}, do: assert_bobs(built("bob.c", folder), @height))

  @tag :guest_rust
  @tag :tmp_dir
  test("bob.rs", %{tmp_dir: folder}, do: assert_bobs(built("bob.rs", folder), @height))

  @tag :guest_assemblyscript
  @tag :tmp_dir
  test "bob.ts", %{tmp_dir: folder} do
    File.cp!(Path.join(@guest, "assemblyscript/wasgo.ts"), Path.join(folder, "wasgo.ts"))
    assert_bobs(built("bob.ts", folder), @height)
  end

  @tag :guest_javascript
  @tag :tmp_dir
  @tag timeout: 300_000
  test("bob.js", %{tmp_dir: folder}, do: assert_component_bobs(built("bob.js", folder)))

  @tag :guest_python
  @tag :tmp_dir
  @tag timeout: 300_000
  test("bob.py", %{tmp_dir: folder}, do: assert_component_bobs(built("bob.py", folder)))

  @tag :guest_assemblyscript
  @tag :tmp_dir
  test "ripples.ts", %{tmp_dir: folder} do
    for file <- ["wasgo.ts", "generate.ts"] do
      File.cp!(Path.join(@guest, "assemblyscript/" <> file), Path.join(folder, file))
    end

    import Wasgo.Gen.Field, only: [script: 2]
    scripts = %{"ripples" => built("ripples.ts", folder)}
    field = script("ripples", parameters: [40.0, 2.0], low: -2.0, high: 2.0)
    plan = Wasgo.Gen.plan!(seed: 1, height: field, scripts: scripts)
    chunk = Wasgo.Gen.chunk!(plan, {0, 0})
    assert_in_delta Wasgo.Gen.Chunk.height(chunk, 10, 0), 2.0, 1.0e-5
    assert_in_delta Wasgo.Gen.Chunk.height(chunk, 0, 30), -2.0, 1.0e-5
  end

  @tag :guest_rust
  @tag :tmp_dir
  test "posts.rs", %{tmp_dir: folder} do
    plan =
      Wasgo.Gen.plan!(
        seed: 1,
        height: Wasgo.Gen.Field.constant(5),
        scripts: %{"posts" => built("posts.rs", folder)},
        generators: [[script: "posts", parameters: [3.0]]]
      )

    assert [post] = Wasgo.Gen.chunk!(plan, {2, 3}).generated

    assert for(<<number::float-32-little <- post.transforms>>, do: number) ==
             [3.0, 0.0, 0.0, 32.0, 0.0, 3.0, 0.0, 5.0, 0.0, 0.0, 3.0, 32.0]
  end

  test "the row that is shown byte by byte" do
    [_, shown] = String.split(@readme, "`[7, 1.5, \"hi\"]` has 58 bytes:\n\n", parts: 2)

    # Bytes, then what they mean behind some more spaces.
    bytes =
      for line <- shown |> String.split("\n\n") |> hd() |> String.split("\n"),
          hex <- line |> String.trim() |> String.split("   ") |> hd() |> String.split(),
          into: "",
          do: Base.decode16!(hex, case: :lower)

    script = Script.new!(Wasgo.TestGuests.answering(bytes))
    assert Script.notify(script, :process, []) == {:ok, [7, 1.5, "hi"]}
  end

  defp assert_bobs(module, height) do
    script = Script.new!(module)
    assert script.columns == ["position:y"]
    assert {:ok, [y]} = Script.notify(script, :process, @row)
    assert_in_delta y, height, 1.0e-12
    assert Script.notify(script, :ready, @row) == {:ok, nil}
  end

  defp assert_component_bobs(bytes) do
    components = GuestToolchain.components()
    assert {:ok, component} = components.compile(bytes)
    assert {:ok, instance} = components.new(component)
    assert components.call(instance, "columns", []) == {:ok, ["position:y"]}

    row = Enum.map(@row, &{"real", &1})
    assert {:ok, {:ok, [{"real", y}]}} = components.call(instance, "notification", [17, row])
    assert_in_delta y, @height, 1.0e-12
    assert components.call(instance, "notification", [13, row]) == {:ok, {:ok, nil}}
  end

  defp built(name, folder) do
    path = Path.join(folder, name)
    File.write!(path, source(name))
    assert {:ok, module} = GuestToolchain.build(path, folder)
    File.read!(module)
  end

  # The block whose first line is a comment with the file's name.
  defp source(name) do
    assert [_, source] =
             Regex.run(~r/```\w+\n((?:\S+ )#{Regex.escape(name)}(?: \*\/)?\n.*?)```/s, @readme)

    source
  end
end
