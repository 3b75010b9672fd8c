# Rocks that float over a misty plain: flat and green on top, hanging spires below, a bridge of stone here and there.

import Wasgo.Gen.Field

# Where rocks are, seen from above, and how thick they are there.
place = cellular(frequency: 1 / 110, feature: :distance, jitter: 0.8, seed: 1) |> warp(strength: 22, frequency: 1 / 60)
size = cellular(frequency: 1 / 110, feature: :value, jitter: 0.8, seed: 1) |> warp(strength: 22, frequency: 1 / 60)
disc = size |> scale(0.17, 0.24) |> subtract(place) |> scale(110.0)

# Each floats at a height of its own.
base = size |> scale(70.0, 30.0)
up = subtract(coordinate(:y), base)
top = noise(frequency: 1 / 35, seed: 2) |> scale(2.5) |> subtract(up)

# Below, it narrows to spires.
spires = ridged(frequency: 1 / 40, octaves: 3, seed: 3) |> scale(26.0)
bottom = disc |> scale(0.9) |> add(multiply(spires, smooth(disc, 0.0, 20.0))) |> add(up)
rough = fbm(frequency: 1 / 14, octaves: 4, dimensions: 3, seed: 4)

density =
  disc
  |> lowest(top, radius: 3.0)
  |> lowest(bottom, radius: 5.0)
  |> add(multiply(rough, smooth(up, 0.0, -8.0)) |> scale(5.0))

Wasgo.Gen.plan!(
  seed: 5,
  density: density,
  cells: 32,
  cell_size: 1.0,
  ground: [
    [name: "rock", color: {0.25, 0.2, 0.17}],
    [name: "layers", color: {0.36, 0.28, 0.21}, by: noise(frequency: 1 / 7, dimensions: 3, seed: 5) |> place(scale: {8, 1, 8}) |> smooth(0.0, 0.4)],
    [name: "grass", color: {0.13, 0.25, 0.05}, by: smooth(slope(), 0.42, 0.22)]
  ]
)
