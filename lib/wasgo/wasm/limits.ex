defmodule Wasgo.Wasm.Limits do
  @moduledoc """
  What one instance may use.

  | limit | default | why |
  | --- | --- | --- |
  | `memory` | 64 MiB | enough for a script of any language; a thousand instances at their limit still fit a server |
  | `table` | 20,000 elements | more functions than a large program has |
  | `input` | 16 MiB | what one call may be given |
  | `result` | 16 MiB | what one call may return |

  Beside these every instance has a stack of 512 KiB, and every call a time limit (`timeout:`, 5 seconds unless the caller says
  otherwise). A limit that is hit is a `Wasgo.LimitError` that says which, and how much was asked for. A guest whose memory
  may not grow is told so by WebAssembly's own rule (`memory.grow` answers -1) and may carry on without.

      iex> Wasgo.Wasm.Limits.new(memory: 1_048_576)
      %Wasgo.Wasm.Limits{memory: 1_048_576, table: 20_000, input: 16_777_216, result: 16_777_216}
  """

  @mib 1_048_576

  defstruct memory: 64 * @mib, table: 20_000, input: 16 * @mib, result: 16 * @mib

  @type t :: %__MODULE__{
          memory: pos_integer(),
          table: non_neg_integer(),
          input: non_neg_integer(),
          result: non_neg_integer()
        }

  # WebAssembly's 32-bit memories end there.
  @most 4 * 1024 * @mib

  @schema [
    memory: [type: {:range, 0..@most}, default: 64 * @mib],
    table: [type: {:range, 0..10_000_000}, default: 20_000],
    input: [type: {:range, 0..@most}, default: 16 * @mib],
    result: [type: {:range, 0..@most}, default: 16 * @mib]
  ]

  @doc """
  Limits with some of them changed. Raises `ArgumentError` for a name or value that is none.
  """
  @spec new(keyword() | t()) :: t()
  def new(options \\ [])
  def new(%__MODULE__{} = limits), do: limits

  def new(options),
    do: struct!(__MODULE__, Wasgo.Options.validate!(options, @schema, "Wasgo.Wasm.Limits"))

  @doc false
  def to_native(%__MODULE__{} = limits),
    do: {limits.memory, limits.table, limits.input, limits.result}
end
