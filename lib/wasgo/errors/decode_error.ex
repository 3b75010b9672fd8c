defmodule Wasgo.DecodeError do
  @moduledoc """
  Bytes that are not what a format asks for, or are over a limit.

  `reason` is one of:

    * `{:truncated, needed, left}` - that many bytes had to follow, that many did
    * `{:count, count, left}` - more elements are declared than the rest of the input can hold
    * `{:unknown_type, id}` - there is no type of this number
    * `{:element_type, expected, found}` - an element of another type than its container declares
    * `:full_object` - an object with its class and properties: never taken
    * `:not_utf8` - a string that is not UTF-8
    * `:obsolete_node_path` - a node path as engines before version 3 wrote them
    * `{:node_path_flags, flags}` - a node path with flags that mean nothing
    * `{:too_deep, limit}` - nested deeper than `:max_depth`
    * `{:too_large, bytes, limit}` - input larger than `:max_bytes`
    * `{:trailing, bytes}` - that many bytes follow the value
    * `{:too_many, limit}` - more values than `:max_values`
    * `{:syntax, expected}` - that had to be here, in words
    * `{:integer_range, bits}` - an integer of more than that many bits
    * `:float_range` - a number that is larger than any float
    * `{:duplicate_key, key}` - a map with that key twice
    * `{:refused, what}` - a term that is never taken from outside, in words: a function, a struct ...
    * `{:envelope, words}` - a value that stands for no buffer
    * `{:unfinished, bytes}` - the input ended within a value, of which that many bytes had come
    * `{:content_size, found, size}` - a zstd frame holds `found` bytes (`nil`: of unknown number), and not the `size` that were expected
    * `{:window, bytes, limit}` - a zstd frame that asks for a window of that many bytes
    * `{:blocks, limit}` - a zstd frame of more blocks than one of its size has
    * `{:dictionary, id}` - a zstd frame that was made with a dictionary
    * `{:corrupt, words}` - a zstd frame that is wrong inside
    * `:enomem` - there was no memory for it
    * `{:contract, words}` - what a script returned is not what its contract asks for
    * `{:http, words}` - what a service answered is not HTTP
    * `{:gltf, fault, place, words}` - a glTF or GLB file that can't be read: `fault` is `:not_gltf`, `:version`, `:truncated`, `:syntax`,
      `:missing`, `:invalid`, `:no_such`, `:too_many`, `:unsupported` or `:scene`, `place` a path into its JSON, or `""`

  `offset` is where in the input, in bytes, and `reading` what was read there: `:input` (all of it), `:header` (the
  type of a value), or `{:value, type}`, `{:count, type}`, `{:element_type, type}`, or `{:format, format}` (one of
  `Wasgo.Wire.formats/0`, `:zstd`, or `:gltf`). Both may be `nil`.
  """

  defexception [:reason, :offset, :reading]

  @type reason ::
          {:truncated, needed :: non_neg_integer(), left :: non_neg_integer()}
          | {:count, count :: non_neg_integer(), left :: non_neg_integer()}
          | {:unknown_type, id :: non_neg_integer()}
          | {:element_type, expected :: atom(), found :: atom()}
          | :full_object
          | :not_utf8
          | :obsolete_node_path
          | {:node_path_flags, flags :: non_neg_integer()}
          | {:too_deep, limit :: non_neg_integer()}
          | {:too_large, bytes :: non_neg_integer(), limit :: non_neg_integer()}
          | {:trailing, bytes :: pos_integer()}
          | {:too_many, limit :: pos_integer()}
          | {:syntax, expected :: String.t()}
          | {:integer_range, bits :: pos_integer()}
          | :float_range
          | {:duplicate_key, key :: term()}
          | {:refused, what :: String.t()}
          | {:envelope, words :: String.t()}
          | {:unfinished, bytes :: pos_integer()}
          | {:content_size, found :: non_neg_integer() | nil, size :: integer()}
          | {:window, bytes :: pos_integer(), limit :: pos_integer()}
          | {:blocks, limit :: pos_integer()}
          | {:dictionary, id :: pos_integer()}
          | {:corrupt, words :: String.t()}
          | :enomem
          | {:contract, words :: String.t()}
          | {:http, words :: String.t()}
          | {:gltf, fault :: atom(), place :: String.t(), words :: String.t()}

  @type reading ::
          :input | :header | {:value | :count | :element_type | :format, type :: atom()}

  @type t :: %__MODULE__{
          reason: reason(),
          offset: non_neg_integer() | nil,
          reading: reading() | nil
        }

  @impl true
  @doc """
  The reason in words.

      iex> error = %Wasgo.DecodeError{reason: {:truncated, 8, 3}, offset: 4, reading: {:value, :int}}
      iex> Exception.message(error)
      "at byte 4, reading the value of int: 8 bytes are needed, 3 are left"
  """
  def message(%__MODULE__{reason: reason, offset: offset, reading: reading}) do
    where = [offset && "at byte #{offset}", reading && "reading #{what(reading)}"]

    case Enum.filter(where, & &1) do
      [] -> words(reason)
      where -> "#{Enum.join(where, ", ")}: #{words(reason)}"
    end
  end

  defp what(:input), do: "the input"
  defp what(:header), do: "the type of a value"
  defp what({:value, type}), do: "the value of #{name(type)}"
  defp what({:count, type}), do: "the count of #{name(type)}"
  defp what({:element_type, type}), do: "the element type of #{name(type)}"
  defp what({:format, format}), do: name(format)
  defp what(other), do: inspect(other)

  defp words({:truncated, needed, left}), do: "#{needed} bytes are needed, #{left} are left"

  defp words({:count, count, left}) do
    "#{count} elements are declared, which the #{left} bytes left cannot hold"
  end

  defp words({:unknown_type, id}), do: "there is no type #{id}"

  defp words({:element_type, expected, found}) do
    "#{name(expected)} is declared, #{name(found)} follows"
  end

  defp words(:full_object), do: "it is a full object, which is never taken"
  defp words(:not_utf8), do: "it is not UTF-8"
  defp words(:obsolete_node_path), do: "it is a node path in an obsolete format"
  defp words({:node_path_flags, flags}), do: "the node path has unknown flags, #{flags}"
  defp words({:too_deep, limit}), do: "it nests deeper than max_depth, #{limit}"

  defp words({:too_large, bytes, limit}) do
    "#{bytes} bytes are more than max_bytes, #{limit}"
  end

  defp words({:trailing, bytes}), do: "#{bytes} more bytes follow the value"
  defp words({:too_many, limit}), do: "it has more values than max_values, #{limit}"
  defp words({:syntax, expected}), do: "#{expected} is expected"
  defp words({:integer_range, bits}), do: "the integer does not fit #{bits} bits"
  defp words(:float_range), do: "the number is larger than any float"

  defp words({:duplicate_key, key}) do
    "the key #{inspect(key, limit: 16, printable_limit: 128)} comes twice"
  end

  defp words({:refused, what}), do: "#{what} is never taken"
  defp words({:envelope, words}), do: words

  defp words({:unfinished, bytes}) do
    "the value is not complete: #{bytes} bytes of it have come"
  end

  defp words({:content_size, nil, size}), do: "it does not hold #{size} bytes"

  defp words({:content_size, found, size}) do
    "it holds #{found} bytes, where #{size} are expected"
  end

  defp words({:window, bytes, limit}) do
    "it needs a window of #{bytes} bytes, of which #{limit} are allowed"
  end

  defp words({:blocks, limit}), do: "it has more than #{limit} blocks"
  defp words({:dictionary, id}), do: "it needs the dictionary #{id}"
  defp words({:corrupt, words}), do: words
  defp words(:enomem), do: "there is no memory left"
  defp words({:contract, words}), do: words
  defp words({:http, words}), do: words
  defp words({:gltf, _fault, "", words}), do: words
  defp words({:gltf, _fault, place, words}), do: "#{place}: #{words}"
  defp words(other), do: inspect(other)

  defp name(nil), do: "nil"
  defp name(type), do: to_string(type)
end
