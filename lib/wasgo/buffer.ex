defmodule Wasgo.Buffer do
  @moduledoc """
  What flows between stages: a payload with its time and what is known about it. The shape of a Membrane buffer.

    * `payload` - a binary, or a struct such as `Wasgo.Gen.Chunk` or `Wasgo.Rows`
    * `pts`, `dts` - presentation and decoding time in nanoseconds, or `nil`
    * `metadata` - a map; stages keep what they do not know

  ## Examples

      iex> Wasgo.Buffer.new("brook", pts: 40_000_000, metadata: %{village: 7})
      #Wasgo.Buffer<"brook", pts: 40000000, metadata: %{village: 7}>
  """

  @enforce_keys [:payload]
  defstruct [:payload, pts: nil, dts: nil, metadata: %{}]

  @type t :: %__MODULE__{
          payload: term(),
          pts: non_neg_integer() | nil,
          dts: non_neg_integer() | nil,
          metadata: map()
        }

  @doc """
  A buffer of `payload`.

      iex> Wasgo.Buffer.new("bytes", metadata: %{name: "a"})
      %Wasgo.Buffer{payload: "bytes", pts: nil, dts: nil, metadata: %{name: "a"}}
  """
  @spec new(term(), keyword()) :: t()
  def new(payload, fields \\ []), do: struct!(%__MODULE__{payload: payload}, fields)

  defimpl Inspect do
    import Inspect.Algebra

    # Above this only the size of a payload of bytes is shown.
    @shown 64

    def inspect(buffer, opts) do
      set =
        for {name, value} <- [pts: buffer.pts, dts: buffer.dts, metadata: buffer.metadata],
            value not in [nil, %{}],
            do: concat("#{name}: ", to_doc(value, opts))

      container_doc("#Wasgo.Buffer<", [payload(buffer.payload, opts) | set], ">", opts, fn doc,
                                                                                           _ ->
        doc
      end)
    end

    defp payload(bytes, _opts) when is_binary(bytes) and byte_size(bytes) > @shown,
      do: "#{byte_size(bytes)} bytes"

    defp payload(other, opts), do: to_doc(other, opts)
  end
end
