defmodule Wasgo.Example.Creatures do
  @moduledoc false
  # Sixty-four small creatures on a meadow: where they live, and what their script is told of each.

  alias Wasgo.Gen
  alias Wasgo.Gen.Chunk
  alias Wasgo.Rows

  @count 64
  @side 8
  @apart 4.5
  @kinds 4

  @enforce_keys [:center, :homes]
  defstruct [:center, :homes]

  @type t :: %__MODULE__{
          center: {float(), float(), float()},
          homes: [{id :: pos_integer(), {float(), float(), float()}}]
        }

  # What a row of `rows/2` holds.
  @columns ~w(id time home_x home_y home_z phase)

  # Finds the flattest dry place among the chunks, towards the middle of the world.
  @spec settle([Chunk.t()]) :: t()
  def settle(chunks) do
    {_unevenness, chunk, {x, _y, z}} =
      for chunk <- chunks, column <- [20, 32, 44], row <- [20, 32, 44] do
        {unevenness(chunk, column, row), chunk, place(chunk, column, row)}
      end
      |> Enum.min_by(&elem(&1, 0))

    homes =
      for number <- 0..(@count - 1) do
        {column, row} = {rem(number, @side), div(number, @side)}
        # Not in rank and file.
        home_x = x + (column - 3.5) * @apart + 1.3 * :math.sin(number * 2.4)
        home_z = z + (row - 3.5) * @apart + 1.3 * :math.cos(number * 3.1)
        {number + 1, {home_x, ground(chunk, home_x, home_z), home_z}}
      end

    %__MODULE__{center: {x, ground(chunk, x, z), z}, homes: homes}
  end

  @spec count() :: pos_integer()
  def count, do: @count

  # One mesh for each kind of creature.
  @spec meshes(non_neg_integer()) :: [Wasgo.Scene.Mesh.t()]
  def meshes(seed) do
    for kind <- 0..(@kinds - 1), do: %{Gen.creature(seed + kind) | name: "creature_#{kind}"}
  end

  # The nodes to make, each at its home.
  @spec nodes(t()) :: [Wasgo.Godot.Frame.node_spec()]
  def nodes(%__MODULE__{homes: homes}) do
    for {id, home} <- homes,
        do: %{id: id, name: "creature_#{id}", mesh: "creature_#{rem(id, @kinds)}", position: home}
  end

  # What the script is told at a time in seconds.
  @spec rows(t(), float()) :: Rows.t()
  def rows(%__MODULE__{homes: homes}, seconds) do
    Rows.new(
      @columns,
      for({id, {x, y, z}} <- homes, do: {id, [id, seconds, x, y, z, id * 0.618]})
    )
  end

  # Slopes count, and so does the way from the middle of the world; water and its shores are no place to live.
  defp unevenness(chunk, column, row) do
    heights =
      for c <- -16..16//4, r <- -16..16//4 do
        Chunk.height(chunk, column + c, row + r)
      end

    {low, high} = Enum.min_max(heights)
    {x, z} = chunk.coordinate
    if low < 1.5, do: 1.0e6, else: high - low + 0.15 * (abs(x) + abs(z))
  end

  defp place(chunk, column, row) do
    {x, _y, z} = chunk.origin
    cell = chunk.size / (chunk.samples - 1)
    {x + column * cell, Chunk.height(chunk, column, row), z + row * cell}
  end

  # The ground's height at a point of the world, between its samples.
  defp ground(%Chunk{samples: samples} = chunk, world_x, world_z) do
    {x, _y, z} = chunk.origin
    cell = chunk.size / (samples - 1)
    at = fn metres -> min(max(metres / cell, 0.0), samples - 1.001) end
    {column, row} = {at.(world_x - x), at.(world_z - z)}
    {c, r} = {trunc(column), trunc(row)}
    {s, t} = {column - c, row - r}

    near = Chunk.height(chunk, c, r) * (1 - s) + Chunk.height(chunk, c + 1, r) * s
    far = Chunk.height(chunk, c, r + 1) * (1 - s) + Chunk.height(chunk, c + 1, r + 1) * s
    near * (1 - t) + far * t
  end
end
