defmodule Wasgo.Gen.Collider do
  @moduledoc """
  Triangles to collide with: fewer than are drawn, and nowhere farther off than `error` says.

    * `positions` - three 32-bit floats a vertex, in metres from the origin of the chunk or cube
    * `indices` - three unsigned 32-bit integers a triangle
    * `error` - in metres: for a height field exactly how far off its worst sample is, for a volume a bound

  ## Examples

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> {:ok, collider} = Wasgo.Gen.Chunk.collider(chunk, 0.25)
      iex> rem(byte_size(collider.positions), 12)
      0
  """

  @enforce_keys [:positions, :indices, :error]
  defstruct [:positions, :indices, :error]

  @type t :: %__MODULE__{positions: binary(), indices: binary(), error: float()}

  @doc false
  def new({positions, indices, error}),
    do: %__MODULE__{positions: positions, indices: indices, error: error}

  @doc """
  How many triangles there are.

      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7), {0, 0})
      iex> [fine, coarse] = for error <- [0.1, 1.0], do: chunk |> Wasgo.Gen.Chunk.collider(error) |> elem(1) |> Wasgo.Gen.Collider.triangles()
      iex> fine > coarse
      true
  """
  @spec triangles(t()) :: non_neg_integer()
  def triangles(%__MODULE__{indices: indices}), do: div(byte_size(indices), 12)

  defimpl Inspect do
    def inspect(collider, _opts) do
      triangles = Wasgo.Gen.Collider.triangles(collider)
      "#Wasgo.Gen.Collider<#{triangles} triangles, within #{Float.round(collider.error, 3)} m>"
    end
  end
end
