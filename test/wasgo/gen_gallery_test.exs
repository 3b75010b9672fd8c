defmodule Wasgo.GenGalleryTest do
  # The plans of guest/plans, whose pictures are in the guide.
  use ExUnit.Case, async: true

  alias Wasgo.{Gen, GltfValidator, Scene}

  @plans Path.wildcard(Path.expand("../../guest/plans/*.exs", __DIR__))

  defp plan(path) do
    assert {%Gen.Plan{} = plan, _bindings} = Code.eval_file(path)
    plan
  end

  test "there are six plans, each another" do
    assert Enum.map(@plans, &Path.basename(&1, ".exs")) ==
             ~w(alps canyon caves floating islands village)

    assert @plans |> Enum.uniq_by(&plan(&1).digest) |> length() == 6
  end

  for path <- @plans do
    name = Path.basename(path, ".exs")

    test "#{name} is drawn from above and at an angle" do
      plan = plan(unquote(path))

      for view <- [:above, 35] do
        assert {:ok, picture} = Gen.preview(plan, size: 64, metres: 240, view: view)
        # A picture of nothing would be of one colour, and hardly take any bytes.
        assert byte_size(picture.png) > 1000
      end
    end

    test "#{name} is kept as text" do
      plan = plan(unquote(path))
      assert {:ok, again} = plan |> Gen.Plan.to_json() |> Gen.from_json()
      assert again.digest == plan.digest
    end
  end

  @tag :gltf_validator
  test "files of all plans have no error and no warning of the Khronos validator" do
    files =
      for path <- @plans, level <- [0, 2] do
        plan = plan(path)

        {:ok, scene} =
          if has_ground?(plan),
            do: Gen.Chunk.to_scene(Gen.chunk!(plan, {-5, 1, level})),
            else: Gen.Volume.to_scene(Gen.volume!(plan, {0, 0, 0, level}))

        {"#{Path.basename(path, ".exs")}_#{level}", Scene.to_glb!(scene)}
      end

    assert GltfValidator.issues(files) == []
  end

  defp has_ground?(plan),
    do: Wasgo.Wire.decode!(Gen.Plan.to_json(plan), :json)["terrain"] != nil
end
