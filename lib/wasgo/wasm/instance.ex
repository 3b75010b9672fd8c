defmodule Wasgo.Wasm.Instance do
  @moduledoc """
  A running instance of a module, with its own memory.

      iex> module = Wasgo.Wasm.Module.compile!(\"""
      ...> (module
      ...>   (memory (export "memory") 1)
      ...>   (func (export "add") (param i64 i64) (result i64)
      ...>     (i64.add (local.get 0) (local.get 1))))
      ...> \""")
      iex> {:ok, instance} = Wasgo.Wasm.Instance.new(module)
      iex> Wasgo.Wasm.Instance.call(instance, "add", [40, 2])
      {:ok, [42]}

  An instance is given no imports but `env.abort` (which AssemblyScript's modules ask for), so it can compute and nothing else.

  ## Who waits for what

  A call runs on the caller's scheduler for at most about half a millisecond; most end in that time. One that does not goes on
  on the engine's own threads while the calling process waits for a message, as it would for a `GenServer`. Nothing that a guest
  does holds a scheduler, and calls of other instances run beside it.

  ## One at a time

  An instance has one memory and so one call at a time: a second caller gets a `Wasgo.InstanceError` with the reason `:busy`.

  ## After a failure

    * A *trap* leaves the instance callable; its memory is as the trap left it.
    * A call that was *stopped* (time limit, the caller's death, `close/1`) was stopped anywhere. The instance is freed and every further
      call answers `:poisoned`: make a new one, which takes microseconds.
  """

  alias Wasgo.Native
  alias Wasgo.Native.{Result, Weight}
  alias Wasgo.Wasm.{Limits, Module}

  @enforce_keys [:resource, :ref, :module]
  defstruct [:resource, :ref, :module]

  @opaque resource :: reference()

  @type t :: %__MODULE__{resource: resource(), ref: reference(), module: Module.t()}

  @typedoc """
  An argument or result: an integer for `i32` and `i64`, a number or `:nan`, `:infinity`, `:neg_infinity` for `f32` and `f64`, 16 bytes
  for `v128`.
  """
  @type value :: integer() | float() | :nan | :infinity | :neg_infinity | <<_::128>>

  @default_timeout 5_000

  # Above this, copying memory takes longer than a scheduler may be held.
  @copy_on_scheduler 1_048_576

  @farthest 0xFFFF_FFFF_FFFF_FFFF

  @new_options [
    limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []],
    timeout: [type: :timeout, default: @default_timeout]
  ]

  @doc """
  Makes an instance, running the module's start function and `_initialize` if it has them.

  Options:

    * `:limits` - a `Wasgo.Wasm.Limits` or a keyword list for one
    * `:timeout` - milliseconds that the start may take, #{@default_timeout} unless given

  Errors: `Wasgo.LinkError` (a missing import, named), `Wasgo.LimitError`, `Wasgo.TrapError`.
  """
  @spec new(Module.t(), keyword()) :: {:ok, t()} | {:error, Exception.t()}
  def new(%Module{} = module, options \\ []) do
    options = Wasgo.Options.validate!(options, @new_options, "Wasgo.Wasm.Instance.new/2")
    limits = options.limits |> Limits.new() |> Limits.to_native()

    with {:ok, resource} <-
           Result.await(Native.wasm_instantiate(module.resource, limits, options.timeout)) do
      {:ok, %__MODULE__{resource: resource, ref: make_ref(), module: module}}
    end
  end

  @doc "As `new/2`, but raises."
  @spec new!(Module.t(), keyword()) :: t()
  def new!(module, options \\ []), do: Result.bang!(new(module, options))

  @doc """
  Calls an exported function; the results come as a list.

  Options: `:timeout` in milliseconds, #{@default_timeout} unless given.

  Errors: `Wasgo.TrapError`, `Wasgo.LimitError` (time, memory, stack), `Wasgo.LinkError` (no such export), `Wasgo.InstanceError` (busy,
  poisoned, closed, arguments that do not fit).
  """
  @spec call(t(), String.t(), [value()], keyword()) :: {:ok, [value()]} | {:error, Exception.t()}
  def call(%__MODULE__{resource: resource}, name, arguments \\ [], options \\ [])
      when is_binary(name) and is_list(arguments) do
    Result.await(Native.wasm_call(resource, name, arguments, timeout(options)))
  end

  @doc "As `call/4`, but raises."
  @spec call!(t(), String.t(), [value()], keyword()) :: [value()]
  def call!(instance, name, arguments \\ [], options \\ []) do
    Result.bang!(call(instance, name, arguments, options))
  end

  @doc """
  Calls an exported function once for each list of arguments, in order and in one crossing: the way for thousands of calls.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(\"\"\"
      ...> (module (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))
      ...> \"\"\"))
      iex> {:ok, [{:ok, [3]}, {:error, error}, {:ok, [2]}]} =
      ...>   Wasgo.Wasm.Instance.call_many(instance, "divide", [[6, 2], [6, 0], [6, 3]])
      iex> error.reason
      :integer_division_by_zero

  A trap in one row is that row's error, and the others run, in a memory as the trap left it. Options and errors of the whole are those of
  `call/4`; the time limit holds for all rows together, and ends them all.
  """
  @spec call_many(t(), String.t(), [[value()]], keyword()) ::
          {:ok, [{:ok, [value()]} | {:error, Exception.t()}]} | {:error, Exception.t()}
  def call_many(%__MODULE__{resource: resource}, name, rows, options \\ [])
      when is_binary(name) and is_list(rows) do
    timeout = timeout(options, "call_many/4")

    native =
      if Weight.heavy?(rows) do
        Native.wasm_call_many_dirty(resource, name, rows, timeout)
      else
        Native.wasm_call_many(resource, name, rows, timeout)
      end

    with {:ok, answers} <- Result.await(native) do
      {:ok,
       Enum.map(answers, fn
         {:ok, _results} = answer -> answer
         {:error, fault} -> {:error, Result.exception(fault)}
       end)}
    end
  end

  defp timeout(options, function \\ "call/4")
  defp timeout([], _function), do: @default_timeout

  defp timeout(options, function) do
    schema = [timeout: [type: :timeout, default: @default_timeout]]
    Wasgo.Options.validate!(options, schema, "Wasgo.Wasm.Instance.#{function}").timeout
  end

  @doc """
  Copies `length` bytes out of the exported memory.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (memory (export "memory") 1))|))
      iex> Wasgo.Wasm.Instance.write_memory(instance, 8, "hello")
      :ok
      iex> Wasgo.Wasm.Instance.read_memory(instance, 8, 5)
      {:ok, "hello"}
  """
  @spec read_memory(t(), non_neg_integer(), non_neg_integer()) ::
          {:ok, binary()} | {:error, Exception.t()}
  def read_memory(%__MODULE__{resource: resource}, offset, length)
      when is_integer(offset) and offset >= 0 and is_integer(length) and length >= 0 do
    # No memory reaches as far as the native code can count.
    {offset, length} = {min(offset, @farthest), min(length, @farthest)}

    if length <= @copy_on_scheduler do
      Result.await(Native.wasm_read_memory(resource, offset, length))
    else
      Result.await(Native.wasm_read_memory_dirty(resource, offset, length))
    end
  end

  @doc "Copies `bytes` into the exported memory."
  @spec write_memory(t(), non_neg_integer(), binary()) :: :ok | {:error, Exception.t()}
  def write_memory(%__MODULE__{resource: resource}, offset, bytes)
      when is_integer(offset) and offset >= 0 and is_binary(bytes) do
    offset = min(offset, @farthest)

    written =
      if byte_size(bytes) <= @copy_on_scheduler do
        Native.wasm_write_memory(resource, offset, bytes)
      else
        Native.wasm_write_memory_dirty(resource, offset, bytes)
      end

    with {:error, fault} <- written, do: {:error, Result.exception(fault)}
  end

  @doc "The exported memory's size in bytes; 0 if there is none."
  @spec memory_size(t()) :: {:ok, non_neg_integer()} | {:error, Exception.t()}
  def memory_size(%__MODULE__{resource: resource}),
    do: Result.await(Native.wasm_memory_size(resource))

  @doc "What state the instance is in, just now."
  @spec status(t()) :: :idle | :busy | :poisoned | :closed
  def status(%__MODULE__{resource: resource}), do: Native.wasm_status(resource)

  @doc """
  Frees the instance at once, stopping a call that is under way. An instance that nobody refers to is freed without this.
  """
  @spec close(t()) :: :ok
  def close(%__MODULE__{resource: resource}), do: Native.wasm_close(resource)

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(instance, opts) do
      status = Atom.to_string(Wasgo.Wasm.Instance.status(instance))
      concat(["#Wasgo.Wasm.Instance<", status, ", ", to_doc(instance.module, opts), ">"])
    end
  end
end
