# Islands in a warm sea: beaches, reefs that show through the water, green hills, and a rim of cliffs here and there.

import Wasgo.Gen.Field

shapes = fbm(frequency: 1 / 620, octaves: 5, gain: 0.48, seed: 1) |> warp(strength: 60, frequency: 1 / 400)

height =
  shapes
  |> curve([{-1.0, -40}, {-0.25, -16}, {0.02, -3}, {0.1, 1.2}, {0.16, 4}, {0.34, 19}, {0.6, 60}, {1.0, 110}])
  |> add(ridged(frequency: 1 / 260, octaves: 5, seed: 2) |> mask(shapes, 0.14, 0.4) |> scale(34.0))
  |> erode(frequency: 1 / 120, strength: 6, octaves: 4)

rough = fbm(frequency: 1 / 30, octaves: 3, seed: 3)
line = add(height(), scale(rough, 1.6))

Wasgo.Gen.plan!(
  seed: 42,
  height: height,
  water: 0.0,
  ground: [
    [name: "deep", color: {0.16, 0.2, 0.2}],
    [name: "reef", color: {0.36, 0.36, 0.26}, by: multiply(smooth(height(), -14, -5), smooth(rough, -0.1, 0.35))],
    [name: "sand", color: {0.62, 0.53, 0.36}, by: smooth(line, -5.5, -1.5)],
    [name: "grass", color: {0.13, 0.23, 0.05}, by: smooth(line, 2.2, 4.2)],
    [name: "forest", color: {0.055, 0.13, 0.03}, by: multiply(smooth(line, 5, 12), smooth(rough, -0.2, 0.2))],
    [name: "cliff", color: {0.2, 0.165, 0.13}, by: slope() |> add(scale(rough, 0.05)) |> smooth(0.3, 0.44)]
  ],
  shade: scale(rough, 0.08),
  scatter: [
    [kind: :rock, name: "rocks", spacing: 16, density: 0.3, height: {-2, 60}, scale: {0.5, 2.2}],
    [kind: :tree, name: "trees", spacing: 4.5, by: multiply(smooth(line, 4, 9), smooth(rough, -0.3, 0.1)), slope: {0.0, 0.22}, scale: {0.7, 1.5}, avoid: [{"rocks", 2}]],
    [kind: :bush, spacing: 5, density: 0.5, by: smooth(line, 2.5, 5), slope: {0.0, 0.25}, avoid: [{"trees", 1.5}, {"rocks", 1.5}]]
  ]
)
