defmodule Wasgo.Bytes do
  @moduledoc false
  # Bytes by their number, where that is known only when they are read: a variable as a size in a pattern is written with a pin from Elixir 1.20 on, and before 1.18 without.

  @doc false
  # The first so many, and the rest.
  @spec take(binary(), non_neg_integer()) :: {binary(), binary()} | :short
  def take(bytes, size) when byte_size(bytes) >= size, do: :erlang.split_binary(bytes, size)
  def take(_bytes, _size), do: :short

  @doc false
  # So many bytes of a text at most, cut between characters.
  @spec text(String.t(), non_neg_integer()) :: String.t()
  def text(text, most) when byte_size(text) <= most, do: text

  def text(text, most) do
    case :unicode.characters_to_binary(binary_part(text, 0, most)) do
      whole when is_binary(whole) -> whole
      {_incomplete, part, _rest} -> part
    end
  end

  @doc false
  # Parts of these sizes, which are all of it.
  @spec parts(binary(), [non_neg_integer()]) :: {:ok, [binary()]} | :error
  def parts("", []), do: {:ok, []}
  def parts(_left, []), do: :error

  def parts(bytes, [size | sizes]) do
    with {part, rest} <- take(bytes, size),
         {:ok, parts} <- parts(rest, sizes) do
      {:ok, [part | parts]}
    else
      _short_or_long -> :error
    end
  end
end
