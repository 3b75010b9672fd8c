defmodule Wasgo.GenWasmTest do
  # The generator compiled to WebAssembly makes the bytes that it makes natively.
  use ExUnit.Case, async: false

  import Wasgo.Gen.Field, except: [height: 0]

  alias Wasgo.{Gen, Script}
  alias Wasgo.Gen.Plan

  @moduletag :guest_rust
  @moduletag timeout: 600_000

  @root Path.expand("../..", __DIR__)

  setup_all do
    folder = Path.join(@root, "target/guest")

    arguments =
      ~w(build --release --locked --manifest-path test/generator/Cargo.toml) ++
        ~w(--target wasm32-unknown-unknown --target-dir #{folder})

    {output, status} = System.cmd("cargo", arguments, cd: @root, stderr_to_stdout: true)
    assert status == 0, output
    path = Path.join(folder, "wasm32-unknown-unknown/release/wasgo_generator_guest.wasm")
    {:ok, guest} = Script.new(File.read!(path), limits: [memory: 512 * 1024 * 1024])
    {:ok, guest: guest}
  end

  defp plans do
    mountains = ridged(frequency: 1 / 300, octaves: 6, kind: :perlin) |> scale(80)
    cut = erode(mountains, frequency: 1 / 60, strength: 6)
    cells = cellular(frequency: 1 / 40, feature: :border) |> smooth(0, 0.1)

    dunes =
      billow(frequency: 1 / 50, kind: :value) |> power(1.7) |> scale(9) |> warp(strength: 15)

    climates =
      climates(noise(frequency: 1 / 90), noise(frequency: 1 / 70, seed: 1),
        a: {0, 0},
        b: {0.5, 0.5}
      )

    [
      usual: [seed: 42],
      rivers: [
        seed: 4,
        height: rivers(cut, frequency: 0.02, width: 4, depth: 3, springs: 1),
        ground: [[color: {0.3, 0.3, 0.2}]]
      ],
      eroded: [seed: 1, height: cut, ground: [[color: {0.3, 0.3, 0.2}]]],
      desert: [
        seed: 2,
        height: blend(dunes, terrace(mountains, height: 6), climates.b),
        ground: [[color: {0.6, 0.5, 0.3}], [color: {0.3, 0.2, 0.1}, by: cells]],
        scatter: [[kind: :rock, name: "r", spacing: 9], [kind: :bush, avoid: [{"r", 4}]]]
      ],
      wooded: [
        seed: 3,
        height: dunes,
        scatter: [[kind: {:tree, species: :oak}, level: 2], [kind: {:fern, []}, spacing: 3]]
      ]
    ]
  end

  test "chunks are the same bytes natively and in WebAssembly", %{guest: guest} do
    for {name, options} <- plans(), {x, z, level} <- [{0, 0, 0}, {-7, 300, 0}, {2, -3, 2}] do
      plan = Gen.plan!(options)
      chunk = Gen.chunk!(plan, {x, z, level})
      %{normals: normals, colors: colors, indices: indices} = chunk.ground
      native = IO.iodata_to_binary([chunk.heights, normals, colors, indices, chunk.scatter])
      input = <<x::32-little, z::32-little, level::32-little, Plan.to_json(plan)::binary>>
      assert {:ok, made} = Script.process(guest, input, timeout: 120_000)

      assert byte_size(made) == byte_size(native),
             "#{name} #{inspect({x, z, level})}: #{String.slice(made, 0, 200)}"

      assert made == native, "#{name} #{inspect({x, z, level})}"
    end
  end

  test "what a plan is refused for is the same too", %{guest: guest} do
    text =
      ~s|{"version": 1, "seed": 1, "nodes": {"n": {"op": "abs", "of": "n"}}, "terrain": {"height": "n"}}|

    {:error, error} = Gen.from_json(text)
    assert {:ok, Exception.message(error)} == Script.process(guest, <<0::96, text::binary>>)
  end
end
