defmodule Wasgo.Buffer do
  @moduledoc """
  What flows between stages: a payload with its time and what is known about it. The shape of a Membrane buffer.

    * `payload` - a binary, or a struct such as `Wasgo.Gen.Chunk` or `Wasgo.Rows`
    * `pts`, `dts` - presentation and decoding time in nanoseconds, or `nil`
    * `metadata` - a map; stages keep what they do not know
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
end
