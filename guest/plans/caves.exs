# A limestone hill full of caves: wide tunnels where two fields of noise are near 0 at once, halls where they meet, sinkholes where they
# come to the surface. The whole world is a volume: there is no height field.

import Wasgo.Gen.Field

hills = fbm(frequency: 1 / 160, octaves: 4, seed: 1) |> scale(16.0, 18.0)
rough = fbm(frequency: 1 / 18, octaves: 3, dimensions: 3, seed: 2) |> scale(1.6)
rock = hills |> subtract(coordinate(:y)) |> add(rough)

# A tunnel is where both are near 0: the distance from their crossing, in metres or nearly so.
twist = fn seed -> noise(frequency: 1 / 70, dimensions: 3, seed: seed) |> magnitude() |> scale(40.0) end
tunnels = twist.(3) |> highest(twist.(4), radius: 3.0) |> scale(1.0, -9.0)
halls = fbm(frequency: 1 / 80, octaves: 2, dimensions: 3, seed: 5) |> scale(-42.0, 12.0)
floor = coordinate(:y) |> scale(-1.0, -14.0)

density =
  rock
  |> lowest(tunnels, radius: 2.5)
  |> lowest(halls, radius: 4.0)
  |> highest(floor, radius: 3.0)

Wasgo.Gen.plan!(
  seed: 9,
  density: density,
  cells: 32,
  cell_size: 1.0,
  ground: [
    [name: "limestone", color: {0.42, 0.39, 0.33}],
    [name: "ochre", color: {0.36, 0.25, 0.14}, by: noise(frequency: 1 / 12, dimensions: 3, seed: 6) |> smooth(0.1, 0.5)],
    [name: "grass", color: {0.12, 0.22, 0.05}, by: multiply(smooth(slope(), 0.4, 0.2), smooth(height(), 2.0, 10.0))],
    [name: "clay", color: {0.2, 0.14, 0.09}, by: multiply(smooth(slope(), 0.3, 0.1), smooth(height(), -6.0, -11.0))]
  ]
)
