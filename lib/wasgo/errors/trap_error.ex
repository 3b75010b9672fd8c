defmodule Wasgo.TrapError do
  @moduledoc """
  A guest that failed: WebAssembly's word for it is a trap.

  `reason` is one of `:unreachable`, `:integer_division_by_zero`, `:integer_overflow`, `:bad_conversion_to_integer`,
  `:memory_out_of_bounds`, `:table_out_of_bounds`, `:indirect_call_to_null`, `:bad_signature`, `:abort` (an AssemblyScript
  module said why it gave up: the message has its words), `:import` (a function that the guest imports failed: `import` names it, as in
  `"env.now"`, and the message says why), `:refused` (by a function of the host, which was asked for too much), `:canonical_abi`
  (what a component handed over is no value of the type that it declares), `:failed` (a script's own error: the message has its words),
  `:exited` or `:trap`.

  `backtrace` names the guest's functions, innermost first; `offsets` says where each of them was, in bytes from the start of the module (`nil` where that is not known).
  `Wasgo.Script.Trace` finds the lines.

      iex> divide = Wasgo.Wasm.Module.compile!(\"\"\"
      ...> (module (func $divide (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))
      ...> \"\"\")
      iex> {:error, error} = Wasgo.Wasm.Instance.call(Wasgo.Wasm.Instance.new!(divide), "divide", [7, 0])
      iex> {error.reason, error.backtrace}
      {:integer_division_by_zero, ["divide"]}
  """

  defexception [:reason, :message, backtrace: [], offsets: [], status: nil, import: nil]

  @type t :: %__MODULE__{
          reason: atom(),
          message: String.t(),
          backtrace: [String.t()],
          offsets: [non_neg_integer() | nil],
          status: integer() | nil,
          import: String.t() | nil
        }
end
