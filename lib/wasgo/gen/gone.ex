defmodule Wasgo.Gen.Gone do
  @moduledoc """
  A chunk or a cube that nobody wants any more, as a payload of `Wasgo.Stages.Generate`: whoever has it may let go of it.

    * `coordinate` - `{x, z}` of a chunk, `{x, y, z}` of a cube of the volume
    * `level` - the level that the coordinate counts in
  """

  @enforce_keys [:coordinate, :level]
  defstruct [:coordinate, :level]

  @type t :: %__MODULE__{
          coordinate: Wasgo.Gen.Chunk.coordinate() | Wasgo.Gen.Volume.coordinate(),
          level: non_neg_integer()
        }
end
