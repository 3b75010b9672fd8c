defmodule Wasgo.RandomPlans do
  @moduledoc false
  # Plans put together from all functions of fields, by a number.

  import Wasgo.Gen.Field

  alias Wasgo.Gen

  @doc "The options of the plan of a number, small chunks with everything that a world can have."
  @spec options(non_neg_integer()) :: keyword()
  def options(number) do
    :rand.seed(:exsss, {number, 5, 13})

    # Half of the worlds have ground, a quarter solid things in space, a quarter both.
    parts = [fn -> land() end, fn -> land() end, fn -> space() end, fn -> land() ++ space() end]
    size = Enum.random([16.0, 33.3, 64.0])

    shared = [
      seed: :rand.uniform(0x1_0000_0000_0000_0000) - 1,
      chunk_size: size,
      samples: Enum.random([5, 17, 33]),
      levels: 4,
      ground: ground()
    ]

    shared ++ Enum.random(parts).()
  end

  @doc "The scene of a chunk or of a cube of the plan of a number, at a place of its own."
  @spec scene(non_neg_integer()) :: Wasgo.Scene.t()
  def scene(number) do
    plan = Gen.plan!(options(number))
    level = Enum.random(0..2)

    {:ok, scene} =
      if has_ground?(plan) do
        {x, z} = Enum.random([{0, 0}, anywhere(), village(plan)])
        Gen.Chunk.to_scene(Gen.chunk!(plan, {x, z, if({x, z} == {0, 0}, do: 0, else: level)}))
      else
        {x, z} = anywhere()
        Gen.Volume.to_scene(Gen.volume!(plan, {x, Enum.random(-1..1), z, level}))
      end

    scene
  end

  defp anywhere, do: {Enum.random(-400..400), Enum.random(-400..400)}

  # The chunk of level 0 that a settlement's middle is in, if people have settled near.
  defp village(plan) do
    case Gen.settlements!(plan, {{0, 0}, {1200, 1200}}).sites do
      [%{position: {x, _y, z}} | _] -> {floor(x / plan.chunk_size), floor(z / plan.chunk_size)}
      [] -> {0, 0}
    end
  end

  defp has_ground?(plan), do: Wasgo.Wire.decode!(Gen.Plan.to_json(plan), :json)["terrain"] != nil

  defp land do
    hills = field(4) |> scale(between(1.0, 40.0), between(-10.0, 10.0))
    rivers = [frequency: 1 / 150, width: between(3.0, 9.0), depth: between(1.0, 3.0)]

    {height, water} =
      Enum.random([{hills, nil}, {rivers(hills, rivers), river_water(hills, rivers)}])

    settled = [
      cell: 400,
      spacing: 250,
      density: 1.0,
      slope: 1.0,
      heights: {-100, 400},
      reach: 800
    ]

    [
      height: height,
      rivers: water,
      settlements: Enum.random([nil, nil, settled]),
      objects: Enum.random([[], [], for(_ <- 1..3, do: object())]),
      water: Enum.random([nil, between(-8.0, 8.0)]),
      moisture: noise(frequency: 0.01) |> scale(0.5, 0.5),
      shade: noise(frequency: 0.2, seed: 4) |> scale(0.1),
      scatter: for(number <- 1..Enum.random(1..4), do: rule(number))
    ]
  end

  # In the chunk {0, 0} of any size.
  defp object do
    what = [
      {:building, Enum.random([:cottage, :townhouse, :barn, :tower, :church, :hall, :gatehouse])},
      {:dungeon, size: {6, 5}},
      {:tree, species: Enum.random([:oak, :pine, :birch]), height: between(4.0, 12.0)},
      {:rock, []},
      {:crystals, []}
    ]

    [
      what: Enum.random(what),
      x: between(1.0, 15.0),
      z: between(1.0, 15.0),
      yaw: between(0.0, 6.0),
      scale: between(0.5, 2.0),
      seed: Enum.random(0..99),
      pad: Enum.random([nil, []])
    ]
  end

  defp space do
    ground = subtract(noise(frequency: 0.02, seed: 1) |> scale(10.0), coordinate(:y))

    [
      density: ground |> highest(body(), radius: 2.0) |> lowest(field3()),
      cells: 8,
      cell_size: 2.0
    ]
  end

  defp ground do
    layers = for _ <- 1..Enum.random(1..3), do: [color: color(), by: Enum.random(masks())]
    [[color: color()] | layers]
  end

  defp masks do
    [smooth(slope(), 0.1, 0.4), smooth(height(), 0.0, 10.0), noise(frequency: 0.1, seed: 9)]
  end

  defp rule(number) do
    [
      kind: kind(),
      variation: variation(),
      name: "rule #{number}",
      variants: Enum.random(1..3),
      spacing: between(4.0, 15.0),
      density: between(0.2, 1.0),
      by: noise(frequency: 0.05, seed: number) |> scale(0.5, 0.5),
      scale: {0.7, 1.4},
      level: Enum.random(0..3),
      avoid: for(before <- 1..(number - 1)//1, do: {"rule #{before}", between(0.0, 6.0)})
    ]
  end

  # As often a low-poly kind as a prop with parameters, of few triangles.
  defp kind do
    Enum.random([
      fn -> Enum.random([:tree, :conifer, :rock, :bush]) end,
      fn ->
        species = Enum.random([:oak, :birch, :spruce, :palm, :willow, :dead, :rose])
        style = Enum.random([:leafy, :low_poly])
        {:tree, species: species, style: style, triangles: 600, spread: between(0.5, 2.0)}
      end,
      fn -> {:rock, kind: Enum.random([:boulder, :slab, :pebbles]), triangles: 200} end,
      fn -> {:grass, kind: Enum.random([:meadow, :reed, :poppy]), blades: 12} end,
      fn -> Enum.random([{:fern, fronds: 5}, {:crystals, count: 3}, {:stump, []}, {:log, []}]) end
    ]).()
  end

  defp variation do
    Enum.random([nil, nil, [hue: 1.0, bend: between(0.0, 1.0), swell: between(0.0, 0.2)]])
  end

  # A field of some depth, from about -1 to 1.
  defp field(0), do: leaf()

  defp field(depth) do
    of = fn -> field(depth - 1) end

    Enum.random([
      fn -> leaf() end,
      fn -> add(of.(), of.()) |> scale(0.5) end,
      fn -> subtract(of.(), leaf()) |> scale(0.5) end,
      fn -> multiply(of.(), of.()) |> clamp(-1.0, 1.0) end,
      fn -> lowest(of.(), leaf(), radius: between(0.05, 0.5)) end,
      fn -> highest(of.(), leaf()) end,
      fn -> magnitude(of.()) end,
      fn -> of.() |> magnitude() |> power(between(0.5, 2.5)) |> clamp(0.0, 2.0) end,
      fn -> smooth(of.(), -0.5, 0.5) end,
      fn -> terrace(of.(), height: between(0.1, 0.5), sharpness: between(0.0, 1.0)) end,
      fn -> curve(of.(), [{-1, -0.5}, {0, 0}, {0.4, 0.1}, {1, 1}]) end,
      fn -> blend(of.(), of.(), smooth(leaf(), -0.2, 0.2)) end,
      fn -> mask(of.(), leaf(), -0.3, 0.3) end,
      fn -> warp(of.(), strength: between(1.0, 30.0)) end,
      fn ->
        place(of.(), scale: between(0.5, 2.0), yaw: between(0.0, 6.0), offset: {3, 0, -7})
      end,
      fn -> of.() |> scale(20.0) |> erode(frequency: 0.03, strength: 3.0) |> scale(0.05) end,
      fn -> climate(of.()) end
    ]).()
  end

  defp leaf do
    common = [frequency: between(0.002, 0.08), seed: Enum.random(0..9)]
    kind = [kind: Enum.random([:simplex, :perlin, :value, :white])]
    octaves = [octaves: Enum.random(1..6)]

    Enum.random([
      fn -> noise(common ++ kind) end,
      fn -> fbm(common ++ kind ++ octaves) end,
      fn -> ridged(common ++ octaves) end,
      fn -> billow(common ++ octaves) end,
      fn -> cellular(common ++ [feature: Enum.random([:distance, :border, :value])]) end,
      fn -> constant(between(-1.0, 1.0)) end
    ]).()
  end

  defp field3, do: noise(frequency: 0.05, dimensions: 3, seed: 3) |> scale(8.0, 6.0)

  defp body do
    middle = {between(-40.0, 40.0), between(-10.0, 20.0), between(-40.0, 40.0)}

    Enum.random([
      sphere(middle, between(3.0, 15.0)),
      box(middle, {4.0, 6.0, 5.0}, round: 1.0),
      capsule(middle, {0.0, 4.0, 0.0}, 3.0),
      torus(middle, 10.0, 3.0)
    ])
  end

  defp climate(of) do
    places = [wet: {0.2, 0.8}, dry: {0.8, 0.1}, cold: {0.1, 0.3}]
    %{dry: dry} = climates(of, noise(frequency: 0.01, seed: 8), places)
    dry
  end

  defp color, do: {:rand.uniform(), :rand.uniform(), :rand.uniform()}
  defp between(low, high), do: low + (high - low) * :rand.uniform()
end
