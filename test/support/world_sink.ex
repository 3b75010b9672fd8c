defmodule Wasgo.WorldSink do
  @moduledoc false
  # A sink that does what a stream of `Wasgo.Stages.Generate` tells it: what it holds is what would be seen. A map from addresses to buffers, with looks at
  # whether these lie beside one another as they should.

  import ExUnit.Assertions

  alias Wasgo.Gen.{Gone, Tiling}

  @doc "Takes a buffer. What goes must have been there."
  def take(sink, %{payload: %Gone{} = gone}) do
    address = address(gone.coordinate, gone.level)
    assert is_map_key(sink, address), "#{inspect(address)} goes, and was not there"
    Map.delete(sink, address)
  end

  def take(sink, buffer), do: Map.put(sink, address(buffer), buffer)

  @doc "Where a buffer's chunk or cube is: `{x, z, level}`, `{x, y, z, level}`."
  def address(%{metadata: metadata}), do: address(metadata.coordinate, metadata.level)

  defp address({x, z}, level), do: {x, z, level}
  defp address({x, y, z}, level), do: {x, y, z, level}

  @doc "Whether one of two addresses is within the other."
  def overlap?(one, other) do
    cond do
      Tiling.level(one) == Tiling.level(other) -> one == other
      Tiling.level(one) < Tiling.level(other) -> overlap?(Tiling.parent(one), other)
      true -> overlap?(one, Tiling.parent(other))
    end
  end

  @doc "The addresses that are within another of the set, of which there are none in a partition."
  def overlapping(addresses, last) do
    set = MapSet.new(addresses)

    for address <- addresses, Enum.any?(above(address, last), &MapSet.member?(set, &1)) do
      address
    end
  end

  defp above(address, last) do
    if Tiling.level(address) >= last,
      do: [],
      else: [Tiling.parent(address) | above(Tiling.parent(address), last)]
  end

  @doc "How many of the addresses hold a point of the ground, in metres."
  def holding(addresses, {x, z}, size) do
    Enum.count(addresses, fn {at_x, at_z, level} ->
      side = size * Bitwise.bsl(1, level)
      floor(x / side) == at_x and floor(z / side) == at_z
    end)
  end

  @doc """
  Looks along all borders between chunks: both sides draw the same vertices there, in every bit of height, normal and colour. Answers how many
  borders there were, and how many of them between levels.
  """
  def seamless!(sink) do
    chunks = Map.new(sink, fn {address, buffer} -> {address, buffer.payload} end)
    used = Map.new(chunks, fn {address, chunk} -> {address, border(chunk)} end)

    borders =
      for {address, chunk} <- chunks, {dx, dz} <- [{1, 0}, {0, 1}, {-1, 0}, {0, -1}] do
        case beside(address, {dx, dz}, chunks) do
          nil -> nil
          other -> same!(address, other, {dx, dz}, chunk.samples, used)
        end
      end

    borders = Enum.reject(borders, &is_nil/1)
    {length(borders), Enum.count(borders, &(&1 == :between_levels))}
  end

  # The chunk of the same level or the next coarser one.
  defp beside({x, z, level}, {dx, dz}, chunks) do
    same = {x + dx, z + dz, level}
    Enum.find([same, Tiling.parent(same)], &is_map_key(chunks, &1))
  end

  defp same!({_x, _z, level} = address, other, direction, samples, used) do
    {from, to} = segment(address, direction, samples)
    along = fn vertices -> for {at, bits} <- vertices, within?(at, from, to), do: {at, bits} end
    here = Enum.sort(along.(used[address]))
    there = Enum.sort(along.(used[other]))
    assert here != [], "nothing is drawn at the border of #{inspect(address)}"

    assert Enum.map(here, &elem(&1, 0)) == Enum.map(there, &elem(&1, 0)),
           "#{inspect(address)} and #{inspect(other)} draw other vertices at their border"

    assert here == there, "#{inspect(address)} and #{inspect(other)} differ at their border"
    if Tiling.level(other) == level, do: :of_one_level, else: :between_levels
  end

  # The ends of a border, in samples of level 0.
  defp segment({x, z, level}, direction, samples) do
    side = (samples - 1) * Bitwise.bsl(1, level)
    {left, top} = {x * side, z * side}

    case direction do
      {1, 0} -> {{left + side, top}, {left + side, top + side}}
      {-1, 0} -> {{left, top}, {left, top + side}}
      {0, 1} -> {{left, top + side}, {left + side, top + side}}
      {0, -1} -> {{left, top}, {left + side, top}}
    end
  end

  defp within?({x, z}, {from_x, from_z}, {to_x, to_z}),
    do: x >= from_x and x <= to_x and z >= from_z and z <= to_z

  # The vertices at the border of a chunk that a triangle has: where, in samples of level 0, and their bits.
  defp border(chunk) do
    {x, z} = chunk.coordinate
    last = chunk.samples - 1
    wide = Bitwise.bsl(1, chunk.level)

    indices = for <<index::32-little <- chunk.ground.indices>>, uniq: true, do: index

    for index <- indices,
        {column, row} = {rem(index, chunk.samples), div(index, chunk.samples)},
        column in [0, last] or row in [0, last] do
      at = {(x * last + column) * wide, (z * last + row) * wide}

      bits =
        {binary_part(chunk.heights, 4 * index, 4),
         binary_part(chunk.ground.normals, 12 * index, 12),
         binary_part(chunk.ground.colors, 16 * index, 16)}

      {at, bits}
    end
  end
end
