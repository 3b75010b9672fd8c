defmodule Wasgo.Gen.Settlements do
  @moduledoc """
  The settlements and roads of a part of a plan's world: for maps, spawn points, and where people of a world go. Made by `Wasgo.Gen.settlements/2`.

    * `sites` - each with its `cell` (what it is known by), `position` in metres with the height of its square, `size` (`:hamlet`, `:village`, `:town`),
      `radius`, and `buildings`: their `kind`, `position`, `yaw` in radians (their fronts are towards -Z), `width` and `depth`
    * `roads` - each with the cells of the sites that it joins (`from`, `to`; the same for a street), its `width`, and its `points` about every four
      metres: `{x, y, z}`, or `{:bridge, {x, y, z}}` where a bridge carries it

  ## Examples

      iex> plan = Wasgo.Gen.plan!(seed: 42, settlements: [slope: 0.3])
      iex> found = Wasgo.Gen.settlements!(plan, {{0, 0}, {2000, 2000}})
      iex> for site <- found.sites, site.size == :village, do: site.cell
      [{1, 0}, {0, 2}]
  """

  alias Wasgo.Scene

  @enforce_keys [:sites, :roads]
  defstruct [:sites, :roads]

  @type site :: %{
          cell: {integer(), integer()},
          position: Scene.point(),
          size: :hamlet | :village | :town,
          radius: float(),
          buildings: [
            %{kind: atom(), position: Scene.point(), yaw: float(), width: float(), depth: float()}
          ]
        }

  @type road :: %{
          from: {integer(), integer()},
          to: {integer(), integer()},
          width: float(),
          points: [Scene.point() | {:bridge, Scene.point()}]
        }

  @type t :: %__MODULE__{sites: [site()], roads: [road()]}

  @doc false
  def new({sites, roads}) do
    %__MODULE__{
      sites:
        for {cell, position, size, radius, lots} <- sites do
          buildings =
            for {kind, position, yaw, {width, depth}} <- lots do
              %{kind: kind, position: position, yaw: yaw, width: width, depth: depth}
            end

          %{cell: cell, position: position, size: size, radius: radius, buildings: buildings}
        end,
      roads:
        for {{from, to}, width, points} <- roads do
          points =
            for {point, bridge} <- points, do: if(bridge, do: {:bridge, point}, else: point)

          %{from: from, to: to, width: width, points: points}
        end
    }
  end

  defimpl Inspect do
    def inspect(found, _opts) do
      buildings = found.sites |> Enum.map(&length(&1.buildings)) |> Enum.sum()

      "#Wasgo.Gen.Settlements<#{length(found.sites)} sites, #{buildings} buildings, #{length(found.roads)} roads>"
    end
  end
end
