# High mountains: crests of ridged noise on broad massifs, cut by running water, forests below the tree line, snow where it is not too steep.

import Wasgo.Gen.Field

massifs = fbm(frequency: 1 / 2400, octaves: 3, seed: 1) |> smooth(-0.35, 0.35)
crests = ridged(frequency: 1 / 1500, octaves: 4, gain: 0.4, seed: 2) |> warp(strength: 160, frequency: 1 / 900)
foothills = fbm(frequency: 1 / 420, octaves: 5, gain: 0.4, seed: 3) |> scale(26.0, 30.0)

height =
  foothills
  |> add(multiply(crests, massifs) |> scale(520.0))
  |> erode(frequency: 1 / 260, strength: 26, octaves: 5, slope: 0.8)
  |> named("mountains")

rough = fbm(frequency: 1 / 40, octaves: 3, seed: 4)
tree_line = height() |> add(scale(rough, 45.0)) |> smooth(220, 160)
snow_line = height() |> add(scale(rough, 60.0)) |> smooth(250, 320)

Wasgo.Gen.plan!(
  seed: 1786,
  height: height,
  water: 6.0,
  ground: [
    [name: "meadow", color: {0.11, 0.19, 0.045}],
    [name: "shore", color: {0.2, 0.19, 0.14}, by: smooth(height(), 8.5, 6.5)],
    [name: "alp", color: {0.16, 0.19, 0.075}, by: smooth(height(), 120, 220)],
    [name: "scree", color: {0.24, 0.225, 0.205}, by: height() |> add(scale(rough, 40)) |> smooth(200, 270)],
    [name: "snow", color: {0.82, 0.86, 0.92}, by: multiply(snow_line, smooth(slope(), 0.5, 0.3))],
    [name: "rock", color: {0.135, 0.125, 0.12}, by: slope() |> add(scale(rough, 0.05)) |> smooth(0.3, 0.42)]
  ],
  shade: scale(rough, 0.09),
  scatter: [
    [kind: :rock, name: "boulders", spacing: 14, density: 0.35, by: smooth(height(), 150, 300), slope: {0.0, 0.3}, scale: {0.6, 2.6}],
    [kind: :conifer, name: "firs", spacing: 4.5, by: multiply(tree_line, smooth(rough, -0.25, 0.1)), slope: {0.0, 0.28}, height: {9, 320}, scale: {0.8, 1.5}, avoid: [{"boulders", 2.5}]],
    [kind: :bush, spacing: 7, density: 0.5, by: smooth(height(), 380, 260), slope: {0.0, 0.3}, height: {8, 400}, avoid: [{"firs", 1.5}, {"boulders", 2}]]
  ]
)
