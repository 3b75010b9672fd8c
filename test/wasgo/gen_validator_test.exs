defmodule Wasgo.GenValidatorTest do
  use ExUnit.Case, async: true

  alias Wasgo.{GltfValidator, RandomPlans, Scene}

  @tag :gltf_validator
  @tag timeout: 900_000
  test "scenes of 1,000 random plans have no error and no warning of the Khronos validator" do
    drawn =
      1..1000
      |> Enum.chunk_every(100)
      |> Enum.map(fn numbers ->
        scenes = for number <- numbers, do: {number, RandomPlans.scene(number)}
        files = for {number, scene} <- scenes, do: {"plan_#{number}", Scene.to_glb!(scene)}
        assert GltfValidator.issues(files) == []
        Enum.count(scenes, fn {_, scene} -> Scene.validate!(scene).triangles > 0 end)
      end)

    # A cube of the world may have no surface in it.
    assert Enum.sum(drawn) > 700
  end
end
