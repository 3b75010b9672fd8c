defmodule Wasgo.Example.Tally do
  @moduledoc false
  # Counts of what was sent, taken from the payloads and not from the frames: what the receiver counts must be the same.

  alias Wasgo.Gen.Chunk
  alias Wasgo.Rows

  @type t :: %{String.t() => non_neg_integer()}

  @spec chunks([Chunk.t()]) :: t()
  def chunks(chunks) do
    surfaces =
      Enum.flat_map(chunks, &Enum.filter([&1.ground, Chunk.water(&1)], fn surface -> surface end))

    props = for chunk <- chunks, %{kind: kind} <- Chunk.scatter(chunk), uniq: true, do: kind

    %{
      "chunks" => length(chunks),
      "surfaces" => length(surfaces),
      "vertices" => surfaces |> Enum.map(&div(byte_size(&1.positions), 12)) |> Enum.sum(),
      "triangles" => surfaces |> Enum.map(&div(byte_size(&1.indices), 12)) |> Enum.sum(),
      "colliders" => length(chunks),
      "instances" => chunks |> Enum.map(&Chunk.count/1) |> Enum.sum(),
      "meshes" => length(props)
    }
  end

  @spec rows([Rows.t()]) :: t()
  def rows(all) do
    %{
      "rows" => all |> Enum.map(&length(&1.ids)) |> Enum.sum(),
      "property_updates" => all |> Enum.map(&Rows.count/1) |> Enum.sum()
    }
  end

  @spec add([t()]) :: t()
  def add(tallies), do: Enum.reduce(tallies, %{}, &Map.merge(&1, &2, fn _name, a, b -> a + b end))

  # What differs, in words.
  @spec differences(t(), t()) :: [String.t()]
  def differences(sent, received) do
    for {name, count} <- Enum.sort(sent), received[name] != count do
      "#{name}: #{count} sent, #{inspect(received[name])} received"
    end
  end
end
