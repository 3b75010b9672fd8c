defmodule Wasgo.TrapError do
  @moduledoc """
  A guest that failed: WebAssembly's word for it is a trap.

  `reason` is one of `:unreachable`, `:integer_division_by_zero`, `:integer_overflow`, `:bad_conversion_to_integer`,
  `:memory_out_of_bounds`, `:table_out_of_bounds`, `:indirect_call_to_null`, `:bad_signature`, `:refused` (by a function of the
  host, which it asked for too much), `:abort` (an AssemblyScript
  module said why it gave up: the message has its words), `:exited` or `:trap`.

  `backtrace` names the guest's functions, innermost first.
  """

  defexception [:reason, :message, backtrace: [], status: nil]

  @type t :: %__MODULE__{
          reason: atom(),
          message: String.t(),
          backtrace: [String.t()],
          status: integer() | nil
        }
end
