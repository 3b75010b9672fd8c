# A river has cut through a plateau of layered rock: terraces of harder and softer layers, mesas left standing, a green floor.

import Wasgo.Gen.Field

# How far from the middle of the canyon a place is: where slow noise crosses 0.
course = fbm(frequency: 1 / 1500, octaves: 3, gain: 0.4, seed: 1) |> warp(strength: 140, frequency: 1 / 420)
side = ridged(frequency: 1 / 420, octaves: 4, seed: 2)
away = course |> magnitude() |> add(scale(side, -0.035))

walls = curve(away, [{-0.05, 0}, {0.012, 2}, {0.03, 12}, {0.055, 52}, {0.075, 70}, {0.11, 128}, {0.15, 146}, {0.3, 152}, {0.6, 168}])
mesas = cellular(frequency: 1 / 380, feature: :value, seed: 3) |> warp(strength: 60, frequency: 1 / 120) |> smooth(0.62, 0.66) |> mask(away, 0.12, 0.2)
rough = fbm(frequency: 1 / 45, octaves: 4, seed: 4)
# The plateau is smooth, with dunes and dry washes; walls are broken.
broken = smooth(away, 0.13, 0.06)

height =
  walls
  |> add(scale(mesas, 46.0))
  |> add(rough |> multiply(broken) |> scale(6.0))
  |> terrace(height: 15, sharpness: 0.72)
  |> add(rough |> scale(0.8))

# Layers of rock, a little bent: each from a height to another.
bent = height() |> add(scale(rough, 4.0))
bands = fn low, high -> multiply(smooth(bent, low - 4, low + 2), smooth(bent, high + 2, high - 4)) end

Wasgo.Gen.plan!(
  seed: 1869,
  height: height,
  water: 3.0,
  ground: [
    [name: "sandstone", color: {0.46, 0.23, 0.115}],
    [name: "pale", color: {0.62, 0.42, 0.26}, by: bands.(30, 48)],
    [name: "dark", color: {0.3, 0.115, 0.06}, by: bands.(60, 76)],
    [name: "cream", color: {0.66, 0.5, 0.33}, by: bands.(92, 106)],
    [name: "rust", color: {0.4, 0.16, 0.08}, by: bands.(120, 138)],
    [name: "dust", color: {0.5, 0.34, 0.2}, by: multiply(smooth(slope(), 0.12, 0.04), smooth(height(), 20, 40))],
    [name: "floor", color: {0.12, 0.17, 0.05}, by: multiply(smooth(height(), 16, 8), smooth(slope(), 0.2, 0.1))]
  ],
  shade: scale(rough, 0.12),
  scatter: [
    [kind: :rock, name: "blocks", spacing: 18, density: 0.25, slope: {0.0, 0.35}, scale: {0.5, 2.8}],
    [kind: :tree, spacing: 6, by: multiply(smooth(height(), 18, 8), smooth(rough, -0.2, 0.2)), slope: {0.0, 0.12}, height: {4, 30}, avoid: [{"blocks", 3}]],
    [kind: :bush, spacing: 16, density: 0.4, by: smooth(rough, 0.0, 0.4), slope: {0.0, 0.15}, height: {4, 200}, avoid: [{"blocks", 2}]]
  ]
)
