defmodule Wasgo.Wasm.Limits do
  @moduledoc """
  What one instance may use.

  | limit | default | why |
  | --- | --- | --- |
  | `memory` | 64 MiB | enough for a script of any language; a thousand instances at their limit still fit a server |
  | `table` | 20,000 elements | more functions than a large program has |
  | `input` | 16 MiB | what one call may be given |
  | `result` | 16 MiB | what one call may return |

  A limit that is hit is a `Wasgo.LimitError` that says which, and how much was asked for. A guest whose memory may not grow is told so by
  WebAssembly's own rule (`memory.grow` answers -1) and may carry on without; `table.grow` likewise.

  ## What else is limited

  | | limit | why |
  | --- | --- | --- |
  | time of a call | `timeout:`, 5 seconds unless the caller says otherwise | a person would not wait longer |
  | fuel of a deterministic call | `fuel:`, 1,000,000,000 unless the caller says otherwise | about a second of a core |
  | stack | 512 KiB | several thousand calls within each other |
  | tables of an instance | 16 | compilers make one |
  | callers that wait for a busy instance | `waiters:`, 64 unless its owner says otherwise | more are a fault of the program |
  | instances in a VM | 20,000, fewer where the system gives a process fewer mappings of memory | an instance takes some |
  | instances of one script | as many as calls run at once, and 1,024 at most | the rest is a flood |
  | calls under way in a VM | 65,536 | each has a place in the engine's queue |
  | calls of a guest within imports within calls | 32 | each has a stack |
  | buffers that one call emits | 4,096 | their bytes count as `result` |
  | lines that one call logs | 256 of 4 KiB | a log is read by people |
  | what a module consists of | see `Wasgo.Wasm.Module.compile/2` | compiling takes time and can't be stopped |

  Instances with the default `memory` and `table`, or less, take a place in a pool that is made when the first module is compiled: 10,000
  places, or 1,000 or 100 where the machine's address space has no room for more. The pool reserves address space (40 TiB for 10,000), not
  memory: `ulimit -v` is no way to limit a VM with Wasgo in it. Others, and those that come when the pool is full, are made on demand, which
  takes ten times as long.

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

      iex> Wasgo.Wasm.Limits.new(memory: 1_048_576, result: 65_536).result
      65536
      iex> Wasgo.Wasm.Limits.new(memory: "1 MiB")
      ** (ArgumentError) option :memory of Wasgo.Wasm.Limits must be an integer from 0 to 4294967296, and is: "1 MiB"
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
