defmodule WasgoExample.Keep do
  @moduledoc """
  The survey's sink: puts chunks into the world, and the name of each place as a property of the world, where they are different from last time.

  The property `"place X,Z"` is a list: name, x, y and z of the place's highest ground in metres, trees.
  """

  use Wasgo.Stage

  alias Wasgo.Gen.Chunk
  alias Wasgo.World
  alias WasgoExample.Survey

  @impl true
  def options, do: [world: [type: :server, required: true]]

  @impl true
  def init(%{world: world}), do: {:ok, %{world: world, kept: %{}}}

  @impl true
  def handle_buffer(%{payload: %Chunk{} = chunk} = buffer, state) do
    now = :erlang.phash2({chunk.scatter, chunk.name})

    if state.kept[chunk.coordinate] == now do
      {:ok, [buffer], state}
    else
      with {:ok, scene} <- Chunk.to_scene(chunk),
           {:ok, _done} <- World.mutate(state.world, mutations(chunk, scene)) do
        {:ok, [buffer], put_in(state.kept[chunk.coordinate], now)}
      else
        {:error, exception} -> {:error, exception, state}
      end
    end
  end

  defp mutations(%Chunk{coordinate: {x, z}} = chunk, scene) do
    place = {:put_property, "place #{x},#{z}", place(chunk)}

    [
      {:put_chunk, {x, z, 0}, local(scene)}
      | if(chunk.stats.max_height > 3.0, do: [place], else: [])
    ]
  end

  # Edited chunks are relative to their corner; a scene stands where it is in the world.
  defp local(%{nodes: [ground | rest]} = scene),
    do: %{scene | nodes: [%{ground | translation: {0.0, 0.0, 0.0}} | rest]}

  defp place(%Chunk{} = chunk) do
    {trees, _rocks} = Survey.counts(chunk)
    {column, row} = highest(chunk)
    {x, _y, z} = chunk.origin
    cell = chunk.size / (chunk.samples - 1)
    [chunk.name, x + column * cell, Chunk.height(chunk, column, row), z + row * cell, trees]
  end

  defp highest(%Chunk{samples: samples} = chunk) do
    for(column <- 0..(samples - 1), row <- 0..(samples - 1), do: {column, row})
    |> Enum.max_by(fn {column, row} -> Chunk.height(chunk, column, row) end)
  end
end
