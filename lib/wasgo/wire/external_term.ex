defmodule Wasgo.Wire.ExternalTerm do
  @moduledoc false
  # Erlang's external term format. The VM makes and reads it, without holding a scheduler; Rust checks, both ways by the same code,
  # that there is nothing but a plain term, within bounds.

  alias Wasgo.Native
  alias Wasgo.Wire.Settings

  # A check takes less than 10 ns a byte.
  @slice_bytes 16_384
  @most_values 0xFFFF_FFFF

  @type reason_and_path :: {term(), [term()]}

  @spec encode(term(), Settings.bounds()) :: {:ok, binary()} | {:error, reason_and_path()}
  def encode(term, {depth, bytes, _values}) do
    # An estimate from above, of less than twice the size.
    with true <- div(:erlang.external_size(term), 2) <= bytes,
         binary = :erlang.term_to_binary(term, minor_version: 2),
         true <- byte_size(binary) <= bytes do
      case check(binary, {depth, bytes, @most_values}) do
        {:ok, _used} -> {:ok, binary}
        {:error, {reason, _offset}} -> {:error, find(term, depth, []) || {reason, []}}
      end
    else
      false -> {:error, {{:too_large, bytes}, []}}
    end
  end

  @spec decode(binary(), Settings.bounds()) ::
          {:ok, term(), used :: pos_integer()} | {:error, {reason :: term(), offset :: term()}}
  def decode(binary, {_depth, bytes, _values}) when byte_size(binary) > bytes do
    {:error, {{:too_large, byte_size(binary), bytes}, 0}}
  end

  def decode(binary, bounds) do
    with {:ok, _used} <- check(binary, bounds) do
      try do
        {term, used} = :erlang.binary_to_term(binary, [:safe, :used])
        {:ok, term, used}
      rescue
        # What the check cannot know.
        ArgumentError ->
          {:error, {{:refused, "an atom that is not known here, or a key twice"}, nil}}
      end
    end
  end

  # What is compressed is larger than it looks.
  defp check(<<131, tag, _::binary>> = binary, bounds)
       when tag != 80 and byte_size(binary) <= @slice_bytes do
    Native.wire_check_etf(binary, bounds)
  end

  defp check(binary, bounds), do: Native.wire_check_etf_dirty(binary, bounds)

  # Where in a term is what the check refused: only looked for when there is something.
  defp find(term, depth, path) when is_list(term) or is_map(term) or is_tuple(term) do
    cond do
      is_struct(term) or is_map_key(map(term), :__struct__) -> {{:unsupported, term}, path(path)}
      depth == 0 -> {{:too_deep, length(path)}, path(path)}
      is_list(term) -> find_in_list(term, term, 0, depth - 1, path)
      is_tuple(term) -> find_in_list(Tuple.to_list(term), term, 0, depth - 1, path)
      true -> Enum.find_value(term, &find_in_pair(&1, depth - 1, path))
    end
  end

  defp find(term, _depth, _path) when is_atom(term) or is_number(term) or is_binary(term), do: nil
  defp find(term, _depth, path), do: {{:unsupported, term}, path(path)}

  defp find_in_list([head | tail], whole, index, depth, path) do
    find(head, depth, [index | path]) || find_in_list(tail, whole, index + 1, depth, path)
  end

  defp find_in_list([], _whole, _index, _depth, _path), do: nil

  # An improper one.
  defp find_in_list(_tail, whole, _index, _depth, path), do: {{:unsupported, whole}, path(path)}

  defp find_in_pair({key, value}, depth, path) do
    find(key, depth, [key | path]) || find(value, depth, [key | path])
  end

  defp path(path), do: Enum.reverse(path)

  defp map(%{} = map), do: map
  defp map(_other), do: %{}
end
