defmodule Wasgo.EncodeError do
  @moduledoc """
  A term that cannot be written in a format.

  `reason` is one of:

    * `{:unsupported, term}` - no type of the format stands for this term
    * `{:not_utf8, binary}` - strings are UTF-8; raw bytes have a type of their own (`{:packed_byte, binary}`)
    * `{:not_text, binary}` - a binary on the wire that is not UTF-8; raw bytes are `{:blob, binary}` there
    * `{:not_in_format, format, what, term}` - the format has none of these: `:bytes`, `:not_finite` (floats), `:key` (that is no
      text), `:ext`, `:tag`
    * `{:duplicate_key, key}` - a key that is the same as another one of its map when it is written
    * `{:integer_range, integer, bits}` - an integer of more than that many bits
    * `{:float_range, float, type}` - a component too large for the 32 bits it gets
    * `{:field, module, field, value}` - a struct's field that does not hold what it has to
    * `{:nul, type}` - a string with a NUL character, which the receiver would cut there
    * `{:packed_size, type, bytes}` - packed data that is no whole number of elements
    * `{:element_type, expected, found}` - an element of another type than its container declares
    * `{:count, type, count}` - more elements than can be counted
    * `{:too_deep, limit}` - nested deeper than `:max_depth`
    * `{:too_large, limit}` - larger, encoded, than `:max_bytes`
    * `:internal` - a fault of the library

  `path` leads to the term at fault: list indices and map keys, from the outside in.

      iex> {:error, error} = Wasgo.Wire.encode(%{"village" => [1, self()]}, :json)
      iex> error.path
      ["village", 1]
  """

  defexception [:reason, path: []]

  @type reason ::
          {:unsupported, term()}
          | {:not_utf8, binary()}
          | {:not_text, binary()}
          | {:not_in_format, format :: atom(), :bytes | :not_finite | :key | :ext | :tag, term()}
          | {:duplicate_key, key :: term()}
          | {:integer_range, integer(), bits :: pos_integer()}
          | {:float_range, float(), type :: atom()}
          | {:field, module(), field :: atom(), value :: term()}
          | {:nul, type :: atom()}
          | {:packed_size, type :: atom(), bytes :: non_neg_integer()}
          | {:element_type, expected :: atom(), found :: atom()}
          | {:count, type :: atom(), count :: non_neg_integer()}
          | {:too_deep, limit :: non_neg_integer()}
          | {:too_large, limit :: non_neg_integer()}
          | :internal

  @type t :: %__MODULE__{reason: reason(), path: [term()]}

  @impl true
  @doc """
  The reason in words.

      iex> Exception.message(%Wasgo.EncodeError{reason: {:integer_range, 4_294_967_296, 32}, path: ["size", 0]})
      "at [\\"size\\", 0]: 4294967296 does not fit 32 bits"
  """
  def message(%__MODULE__{reason: reason, path: []}), do: words(reason)
  def message(%__MODULE__{reason: reason, path: path}), do: "at #{show(path)}: #{words(reason)}"

  defp words({:unsupported, term}), do: "no type stands for #{show(term)}"

  defp words({:not_utf8, binary}) do
    "#{show(binary)} is not UTF-8, so it is no string; for raw bytes give {:packed_byte, binary}"
  end

  defp words({:not_text, binary}) do
    "#{show(binary)} is not UTF-8, so it is no text; for raw bytes give {:blob, binary}"
  end

  defp words({:not_in_format, format, what, term}) do
    "#{format} has #{lacking(what)}, so not #{show(term)}"
  end

  defp words({:duplicate_key, key}), do: "the key #{show(key)} is there twice when it is written"
  defp words({:integer_range, integer, bits}), do: "#{show(integer)} does not fit #{bits} bits"

  defp words({:float_range, float, type}) do
    "#{float} is too large for a component of #{type}, which has 32 bits"
  end

  defp words({:field, module, field, value}) do
    "#{show(value)} cannot be the #{field} of #{inspect(module)}"
  end

  defp words({:nul, type}), do: "a #{type} cannot hold a NUL character"

  defp words({:packed_size, type, bytes}) do
    "#{bytes} bytes are no whole number of elements of #{type}"
  end

  defp words({:element_type, expected, found}) do
    "the container declares elements of #{show(expected)}, this is #{show(found)}"
  end

  defp words({:count, type, count}), do: "#{count} elements are too many for #{type}"
  defp words({:too_deep, limit}), do: "nested deeper than max_depth, #{limit}"
  defp words({:too_large, limit}), do: "larger than max_bytes, #{limit}"
  defp words(:internal), do: "a fault in the encoder"
  defp words(other), do: show(other)

  defp lacking(:bytes), do: "no raw bytes"
  defp lacking(:not_finite), do: "no NaN and no infinities"
  defp lacking(:key), do: "texts as keys only"
  defp lacking(:ext), do: "no extensions"
  defp lacking(:tag), do: "no tags"
  defp lacking(other), do: "no #{other}"

  # What is at fault may be large.
  defp show(term), do: inspect(term, limit: 16, printable_limit: 128)
end
