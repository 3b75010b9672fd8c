defmodule Wasgo.Wire.Envelope do
  @moduledoc false
  # Buffers as maps, and back. Membrane need not be there: its struct is known by its name.

  alias Wasgo.Buffer
  alias Wasgo.Wire.Settings

  @keys ["payload", "pts", "dts", "metadata"]

  # The map that stands for a buffer; any other term is itself.
  @spec wrap(term(), Wasgo.Wire.format(), Settings.bounds()) ::
          {:ok, term()} | {:error, {reason :: term(), path :: [term()]}}
  def wrap(
        %{__struct__: module, payload: payload, pts: pts, dts: dts, metadata: metadata},
        format,
        bounds
      )
      when module in [Buffer, Membrane.Buffer] do
    with {:ok, payload} <- payload(payload, format, bounds) do
      {:ok, %{"payload" => payload, "pts" => pts, "dts" => dts, "metadata" => metadata}}
    end
  end

  def wrap(term, _format, _bounds), do: {:ok, term}

  # A text that can't be written is not made: base64 has four letters for each three bytes begun.
  defp payload(binary, :json, {_depth, max_bytes, _values}) when is_binary(binary) do
    if div(byte_size(binary) + 2, 3) * 4 > max_bytes do
      {:error, {{:too_large, max_bytes}, ["payload"]}}
    else
      {:ok, Base.encode64(binary)}
    end
  end

  defp payload(binary, :etf, _bounds) when is_binary(binary), do: {:ok, binary}
  defp payload(binary, _format, _bounds) when is_binary(binary), do: {:ok, {:blob, binary}}
  defp payload(term, _format, _bounds), do: {:ok, term}

  @spec unwrap(term(), Wasgo.Wire.format(), :buffer | :membrane_buffer) ::
          {:ok, struct()} | {:error, words :: String.t()}
  def unwrap(%{} = map, format, as) when not is_struct(map) do
    # With `keys: :existing_atoms` these are atoms.
    fields =
      Map.new(map, fn {key, value} -> {if(is_atom(key), do: to_string(key), else: key), value} end)

    with :ok <- known(fields),
         {:ok, payload} <- fetch(fields, format),
         :ok <- time(fields, "pts"),
         :ok <- time(fields, "dts"),
         {:ok, metadata} <- metadata(fields) do
      {:ok, buffer(as, payload, fields["pts"], fields["dts"], metadata)}
    end
  end

  def unwrap(_term, _format, _as), do: {:error, "a buffer is a map"}

  defp known(fields) do
    case Map.keys(fields) -- @keys do
      [] -> :ok
      [key | _] -> {:error, "a buffer has no #{inspect(key, printable_limit: 64)}"}
    end
  end

  defp fetch(fields, format) do
    case {fields, format} do
      {%{"payload" => text}, :json} when is_binary(text) -> base64(text)
      {%{"payload" => {:blob, binary}}, _format} -> {:ok, binary}
      {%{"payload" => payload}, _format} -> {:ok, payload}
      _ -> {:error, "a buffer has a payload"}
    end
  end

  defp base64(text) do
    with :error <- Base.decode64(text), do: {:error, "the payload is not base64"}
  end

  defp time(fields, name) do
    case fields do
      %{^name => time} when not (is_integer(time) or is_nil(time)) ->
        {:error, "the #{name} of a buffer is an integer, of nanoseconds, or null"}

      _ ->
        :ok
    end
  end

  defp metadata(fields) do
    case Map.get(fields, "metadata") do
      nil -> {:ok, %{}}
      %{} = metadata when not is_struct(metadata) -> {:ok, metadata}
      _ -> {:error, "the metadata of a buffer is a map"}
    end
  end

  defp buffer(:buffer, payload, pts, dts, metadata),
    do: %Buffer{payload: payload, pts: pts, dts: dts, metadata: metadata}

  defp buffer(:membrane_buffer, payload, pts, dts, metadata) do
    struct!(Membrane.Buffer, payload: payload, pts: pts, dts: dts, metadata: metadata)
  end
end
