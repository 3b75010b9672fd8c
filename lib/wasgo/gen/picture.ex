defmodule Wasgo.Gen.Picture do
  @moduledoc """
  A picture of a plan, made by `Wasgo.Gen.preview/2`: `png` is the file, `size` the pixels along a side, `metres` what they show.

  In a Livebook it shows itself, where Kino is there.

      iex> Wasgo.Gen.preview!(Wasgo.Gen.plan!(seed: 7), size: 64, metres: 256)
      #Wasgo.Gen.Picture<64 x 64 pixels of 256.0 m>
  """

  @enforce_keys [:png, :size, :metres]
  defstruct [:png, :size, :metres]

  @type t :: %__MODULE__{png: binary(), size: pos_integer(), metres: float()}

  @doc """
  Writes the picture to a file.

      iex> path = Path.join(System.tmp_dir!(), "island.png")
      iex> Wasgo.Gen.preview!(Wasgo.Gen.plan!(seed: 7), size: 64) |> Wasgo.Gen.Picture.save(path)
      :ok
      iex> File.rm(path)
      :ok
  """
  @spec save(t(), Path.t()) :: :ok | {:error, File.posix()}
  def save(%__MODULE__{png: png}, path), do: File.write(path, png)

  defimpl Inspect do
    def inspect(picture, _opts) do
      "#Wasgo.Gen.Picture<#{picture.size} x #{picture.size} pixels of #{picture.metres} m>"
    end
  end
end

if Code.ensure_loaded?(Kino.Render) do
  defimpl Kino.Render, for: Wasgo.Gen.Picture do
    def to_livebook(picture), do: picture.png |> Kino.Image.new(:png) |> Kino.Render.to_livebook()
  end
end
