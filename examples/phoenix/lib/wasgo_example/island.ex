defmodule WasgoExample.Island do
  @moduledoc """
  What the land is like: an island of 384 m with a level meadow in its middle, in a sea without end.

  One level of detail, so that what the survey (`WasgoExample.Survey`) makes of a chunk is what everybody is shown of it.
  """

  import Wasgo.Gen.Field

  alias Wasgo.Gen

  @meadow 5.0
  # Chunks of the island, on each side of the origin.
  @reach 3

  @doc "The plan; about a tenth of a second to make, the same each time."
  @spec plan() :: Gen.Plan.t()
  def plan do
    from_middle = square(:x) |> add(square(:z)) |> power(0.5)
    coast = fbm(frequency: 1 / 130, octaves: 4, seed: 1) |> scale(34.0)
    rough = fbm(frequency: 1 / 26, octaves: 3, seed: 3)

    # How far in from the coast: falls from 1 to 0 where the island ends.
    inland = from_middle |> add(coast) |> smooth(182, 92)
    hills = ridged(frequency: 1 / 170, octaves: 4, seed: 2) |> scale(30.0, 3.0)
    land = multiply(add(hills, scale(rough, 1.5)), smooth(from_middle, 42, 105)) |> add(@meadow)
    height = blend(constant(-14.0), land, inland)

    Gen.plan!(
      seed: 2026,
      chunk_size: 64,
      samples: 33,
      levels: 0,
      height: height,
      water: 0.0,
      ground: [
        [name: "seabed", color: {0.42, 0.4, 0.28}],
        [name: "sand", color: {0.66, 0.56, 0.38}, by: smooth(height(), -5, -0.5)],
        [
          name: "grass",
          color: {0.16, 0.27, 0.06},
          by: height() |> add(rough) |> smooth(2.0, 3.6)
        ],
        [name: "heath", color: {0.24, 0.26, 0.08}, by: smooth(height(), 12, 24)],
        [
          name: "rock",
          color: {0.27, 0.25, 0.23},
          by: slope() |> add(scale(rough, 0.04)) |> smooth(0.2, 0.34)
        ]
      ],
      shade: scale(rough, 0.07),
      scatter: [
        [
          kind: :rock,
          name: "rocks",
          variants: 2,
          spacing: 15,
          density: 0.4,
          height: {-1.5, 60},
          scale: {0.5, 1.8},
          by: smooth(from_middle, 34, 46)
        ],
        [
          kind: :tree,
          name: "trees",
          variants: 2,
          spacing: 6,
          density: 0.9,
          by: multiply(smooth(rough, -0.3, 0.15), smooth(from_middle, 34, 52)),
          height: {2.6, 22},
          slope: {0.0, 0.2},
          scale: {0.8, 1.5},
          avoid: [{"rocks", 2}]
        ],
        [
          kind: :conifer,
          name: "conifers",
          variants: 2,
          spacing: 6,
          density: 0.8,
          by: smooth(height(), 12, 20),
          slope: {0.0, 0.3},
          scale: {0.8, 1.4},
          avoid: [{"rocks", 2}, {"trees", 3}]
        ],
        [
          kind: :bush,
          name: "bushes",
          variants: 2,
          spacing: 8,
          density: 0.4,
          by: smooth(from_middle, 26, 36),
          height: {2.2, 30},
          slope: {0.0, 0.25},
          avoid: [{"trees", 1.5}, {"rocks", 1.5}]
        ]
      ]
    )
  end

  defp square(axis), do: multiply(coordinate(axis), coordinate(axis))

  @doc "The coordinates of the island's chunks, from the middle outwards."
  @spec chunks() :: [{integer(), integer()}]
  def chunks do
    for(x <- -@reach..(@reach - 1), z <- -@reach..(@reach - 1), do: {x, z})
    |> Enum.sort_by(fn {x, z} -> :math.pow(x + 0.5, 2) + :math.pow(z + 0.5, 2) end)
  end

  @doc "How high the meadow lies, in metres."
  @spec meadow() :: float()
  def meadow, do: @meadow
end
