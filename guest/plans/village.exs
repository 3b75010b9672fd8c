# Rolling farmland with villages: streets, houses, churches and yards, roads from one to the next, orchards and woods around.

import Wasgo.Gen.Field

hills = fbm(frequency: 1 / 520, octaves: 5, gain: 0.42, seed: 1) |> scale(34.0, 24.0)
streams = [frequency: 1 / 420, width: 9.0, depth: 2.4, sea: 0.0]
height = rivers(hills, streams)

rough = fbm(frequency: 1 / 26, octaves: 3, seed: 2)
fields = cellular(frequency: 1 / 90, feature: :value, seed: 3)
woods = fbm(frequency: 1 / 260, octaves: 3, seed: 4)

Wasgo.Gen.plan!(
  seed: 1066,
  height: height,
  water: 0.0,
  rivers: river_water(hills, streams),
  ground: [
    [name: "meadow", color: {0.13, 0.21, 0.05}],
    [name: "wheat", color: {0.37, 0.3, 0.1}, by: smooth(fields, 0.62, 0.66)],
    [name: "earth", color: {0.21, 0.15, 0.085}, by: smooth(fields, 0.84, 0.88)],
    [name: "wood", color: {0.07, 0.13, 0.03}, by: smooth(woods, 0.12, 0.2)],
    [name: "shore", color: {0.3, 0.26, 0.17}, by: height() |> add(rough) |> smooth(1.6, 0.4)],
    [name: "bank", color: {0.2, 0.17, 0.11}, by: smooth(slope(), 0.1, 0.2)]
  ],
  shade: scale(rough, 0.1),
  settlements: [cell: 560, spacing: 420, density: 1.0, sizes: {2, 5, 2}],
  scatter: [
    [kind: :tree, name: "wood", spacing: 5.0, by: smooth(woods, 0.14, 0.22), slope: {0.0, 0.25}, height: {1.5, 200}, scale: {0.8, 1.6}],
    [kind: :tree, name: "hedge", spacing: 9, density: 0.5, by: multiply(cellular(frequency: 1 / 90, feature: :border, seed: 3) |> smooth(0.06, 0.02), smooth(woods, 0.1, 0.0)), height: {1.5, 200}],
    [kind: :bush, spacing: 6, density: 0.4, by: smooth(woods, 0.05, 0.2), height: {1.0, 200}, avoid: [{"wood", 1.5}, {"hedge", 1.5}]]
  ]
)
