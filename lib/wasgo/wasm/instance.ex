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

  An instance is given no imports but `env.abort` (which AssemblyScript's modules ask for), so it can compute and nothing else; what
  else there is to give says `Wasgo.Wasm.Imports`.

  ## Who waits for what

  A call runs on the caller's scheduler for at most about half a millisecond; most end in that time. One that does not goes on
  on the engine's own threads while the calling process waits for a message, as it would for a `GenServer`. Nothing that a guest
  does holds a scheduler, and calls of other instances run beside it.

  ## One at a time

  An instance has one memory and so one call at a time. Others that come meanwhile wait in line, first come first served, and their time
  limit runs; when `waiters:` of them wait already, the next gets a `Wasgo.InstanceError` with the reason `:busy` at once.

  ## After a failure

    * A *trap* leaves the instance callable; its memory is as the trap left it. So do running out of fuel and a failed import.
    * A call that was *stopped* (time limit, the caller's death, `close/1`) was stopped anywhere. The instance is freed and every further
      call answers `:poisoned`: make a new one, which takes microseconds.
    * A call that was stopped while it *waited* has touched nothing.
  """

  alias Wasgo.Native
  alias Wasgo.Native.{Call, Result, Weight}
  alias Wasgo.Wasm.{Bounds, Caller, Imports, Limits, Module}
  alias Wasgo.Wasm.Imports.Runner

  @enforce_keys [:resource, :ref, :module]
  defstruct [:resource, :ref, :module, :imports]

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          module: Module.t(),
          imports: Imports.t() | nil
        }

  @typedoc """
  An argument or result: an integer for `i32` and `i64`, a number or `:nan`, `:infinity`, `:neg_infinity` for `f32` and `f64`, 16 bytes
  for `v128`.
  """
  @type value :: integer() | float() | :nan | :infinity | :neg_infinity | <<_::128>>

  @default_timeout Bounds.default_timeout()

  # Above this, copying memory takes longer than a scheduler may be held.
  @copy_on_scheduler 1_048_576

  # Packed rows up to this many bytes are copied on a scheduler.
  @pack_on_scheduler 262_144

  @farthest 0xFFFF_FFFF_FFFF_FFFF

  @new_options [
                 limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []],
                 waiters: [type: {:range, 0..10_000//1}, default: 64]
               ] ++ Imports.options() ++ Bounds.options()

  @doc type: :life
  @doc """
  Makes an instance, running the module's start function and `_initialize` if it has them.

  Options:

    * `:limits` - a `Wasgo.Wasm.Limits` or a keyword list for one
    * `:imports` - functions written in Elixir that the module imports, and
    * `:grant` - what it is granted by name: see `Wasgo.Wasm.Imports`
    * `:waiters` - how many callers may wait while another's call is under way, 64 unless given
    * `:timeout` - milliseconds that the start may take, #{@default_timeout} unless given
    * `:fuel` - fuel that the start may use, for deterministic modules; 1,000,000,000 unless given

  Errors: `Wasgo.LinkError` (a missing import, named), `Wasgo.LimitError`, `Wasgo.TrapError`.

      iex> module = Wasgo.Wasm.Module.compile!(~s|(module (import "game" "coins" (func (result i32))) (memory 1))|)
      iex> imports = %{"game" => %{"coins" => {[], [:i32], fn -> 7 end}}}
      iex> {:ok, _instance} = Wasgo.Wasm.Instance.new(module, imports: imports, limits: [memory: 1_048_576])
      iex> {:error, error} = Wasgo.Wasm.Instance.new(module)
      iex> Exception.message(error)
      ~s|import "game" "coins" (func () -> i32) is not granted|
  """
  @spec new(Module.t(), keyword()) :: {:ok, t()} | {:error, Exception.t()}
  def new(%Module{deterministic: deterministic?} = module, options \\ []) do
    owner = "Wasgo.Wasm.Instance.new/2"
    options = Wasgo.Options.validate!(options, @new_options, owner)
    limits = options.limits |> Limits.new() |> Limits.to_native()
    bounds = Bounds.of(options, deterministic?, owner)

    with {:ok, imports} <- Imports.new(options, deterministic?, owner),
         native =
           Native.wasm_instantiate(
             module.resource,
             Imports.resource(imports),
             limits,
             options.waiters,
             bounds
           ),
         {:ok, resource} <- Result.await(native, imports) do
      {:ok, %__MODULE__{resource: resource, ref: make_ref(), module: module, imports: imports}}
    end
  end

  @doc type: :life
  @doc """
  As `new/2`, but raises.

      iex> Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!("(module)"), waiters: 0)
      #Wasgo.Wasm.Instance<idle, #Wasgo.Wasm.Module<8 bytes, exports: >>
  """
  @spec new!(Module.t(), keyword()) :: t()
  def new!(module, options \\ []), do: Result.bang!(new(module, options))

  @doc type: :call
  @doc """
  Calls an exported function; the results come as a list.

  Options: `:timeout` in milliseconds, #{@default_timeout} unless given, the time in line included. For instances of deterministic modules
  `:fuel`, 1,000,000,000 unless given, and no time limit unless one is given. Calls through a `Wasgo.Wasm.Caller` take no options: their
  time and fuel are those of the call that they are part of.

  Errors: `Wasgo.TrapError`, `Wasgo.LimitError` (time, fuel, memory, stack), `Wasgo.LinkError` (no such export), `Wasgo.InstanceError` (busy,
  poisoned, closed, arguments that do not fit).

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(\"\"\"
      ...> (module
      ...>   (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
      ...>   (func (export "spin") (loop $again (br $again))))
      ...> \"\"\"))
      iex> Wasgo.Wasm.Instance.call(instance, "half", [7])
      {:ok, [3.5]}
      iex> {:error, error} = Wasgo.Wasm.Instance.call(instance, "spin", [], timeout: 20)
      iex> error.reason
      :time
  """
  @spec call(t() | Caller.t(), String.t(), [value()], keyword()) ::
          {:ok, [value()]} | {:error, Exception.t()}
  def call(instance, name, arguments \\ [], options \\ [])

  def call(%__MODULE__{resource: resource} = instance, name, arguments, options)
      when is_binary(name) and is_list(arguments) do
    bounds = Bounds.new(options, instance.module.deterministic, "Wasgo.Wasm.Instance.call/4")
    native = Native.wasm_call(resource, name, arguments, bounds)
    Call.await(native, instance.imports, instance, name)
  end

  def call(%Caller{} = caller, name, arguments, [])
      when is_binary(name) and is_list(arguments) do
    through(caller, Native.wasm_serving_call(caller.serving, name, arguments))
  end

  # What is done with a guest within a function that it called.
  defp through(%Caller{} = caller, native) do
    native |> Runner.await({caller.reference, caller.imports}) |> Result.await()
  end

  @doc type: :call
  @doc """
  As `call/4`, but raises.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (func (export "answer") (result i32) (i32.const 42)))|))
      iex> Wasgo.Wasm.Instance.call!(instance, "answer")
      [42]
  """
  @spec call!(t() | Caller.t(), String.t(), [value()], keyword()) :: [value()]
  def call!(instance, name, arguments \\ [], options \\ []) do
    Result.bang!(call(instance, name, arguments, options))
  end

  @doc type: :call
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
  `call/4`; the time limit holds for all rows together, and ends them all. Within a function that the guest called, by its instance or through
  a `Wasgo.Wasm.Caller`, the rows are part of the guest's own call: what they change in a state that was granted holds if that one succeeds.
  """
  @spec call_many(t() | Caller.t(), String.t(), [[value()]], keyword()) ::
          {:ok, [{:ok, [value()]} | {:error, Exception.t()}]} | {:error, Exception.t()}
  def call_many(instance, name, rows, options \\ [])

  def call_many(%__MODULE__{resource: resource} = instance, name, rows, options)
      when is_binary(name) and is_list(rows) do
    bounds = Bounds.new(options, instance.module.deterministic, "Wasgo.Wasm.Instance.call_many/4")

    native =
      if Weight.heavy?(rows) do
        Native.wasm_call_many_dirty(resource, name, rows, bounds)
      else
        Native.wasm_call_many(resource, name, rows, bounds)
      end

    native |> Call.await(instance.imports, instance, name) |> answers()
  end

  def call_many(%Caller{serving: serving} = caller, name, rows, [])
      when is_binary(name) and is_list(rows) do
    native =
      if Weight.heavy?(rows) do
        Native.wasm_serving_call_many_dirty(serving, name, rows)
      else
        Native.wasm_serving_call_many(serving, name, rows)
      end

    caller |> through(native) |> answers()
  end

  defp answers({:ok, answers}) do
    {:ok,
     Enum.map(answers, fn
       {:ok, _results} = answer -> answer
       {:error, fault} -> {:error, Result.exception(fault)}
     end)}
  end

  defp answers(error), do: error

  @doc type: :call
  @doc """
  As `call_many/4`, with the rows packed in one binary, and the results too: nothing is made into terms.

  A row is its arguments one after another, little-endian, with nothing between them: 4 bytes for `i32` and `f32`, 8 for `i64` and `f64`, 16
  for `v128`. So are the results of a row. Where a row failed its results are zeros, and `errors` has its number, counted from 0, and its
  exception; of more than 256 failed rows only the first are in there, and `failed` says how many there are.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(\"\"\"
      ...> (module (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))
      ...> \"\"\"))
      iex> rows = for {a, b} <- [{6, 2}, {6, 0}, {6, 3}], into: <<>>, do: <<a::32-little, b::32-little>>
      iex> {:ok, answer} = Wasgo.Wasm.Instance.call_packed(instance, "divide", rows)
      iex> {answer.results, answer.failed, Enum.map(answer.errors, &elem(&1, 0))}
      {<<3::32-little, 0::32-little, 2::32-little>>, 1, [1]}
  """
  @spec call_packed(t() | Caller.t(), String.t(), binary(), keyword()) ::
          {:ok,
           %{
             results: binary(),
             errors: [{non_neg_integer(), Exception.t()}],
             failed: non_neg_integer()
           }}
          | {:error, Exception.t()}
  def call_packed(instance, name, rows, options \\ [])

  def call_packed(%__MODULE__{resource: resource} = instance, name, rows, options)
      when is_binary(name) and is_binary(rows) do
    bounds =
      Bounds.new(options, instance.module.deterministic, "Wasgo.Wasm.Instance.call_packed/4")

    native =
      if byte_size(rows) > @pack_on_scheduler do
        Native.wasm_call_packed_dirty(resource, name, rows, bounds)
      else
        Native.wasm_call_packed(resource, name, rows, bounds)
      end

    native |> Call.await(instance.imports, instance, name) |> packed()
  end

  def call_packed(%Caller{serving: serving} = caller, name, rows, [])
      when is_binary(name) and is_binary(rows) do
    native =
      if byte_size(rows) > @pack_on_scheduler do
        Native.wasm_serving_call_packed_dirty(serving, name, rows)
      else
        Native.wasm_serving_call_packed(serving, name, rows)
      end

    caller |> through(native) |> packed()
  end

  defp packed({:ok, {results, errors, failed}}) do
    errors = for {row, fault} <- errors, do: {row, Result.exception(fault)}
    {:ok, %{results: results, errors: errors, failed: failed}}
  end

  defp packed(error), do: error

  @doc type: :memory
  @doc """
  Copies `length` bytes out of the exported memory.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (memory (export "memory") 1))|))
      iex> Wasgo.Wasm.Instance.write_memory(instance, 8, "hello")
      :ok
      iex> Wasgo.Wasm.Instance.read_memory(instance, 8, 5)
      {:ok, "hello"}

  What comes out is a copy: nothing that the guest does later changes it. This and what else is done with the memory, globals and tables
  waits in line like a call, for up to #{@default_timeout} milliseconds.
  """
  @spec read_memory(t() | Caller.t(), non_neg_integer(), non_neg_integer()) ::
          {:ok, binary()} | {:error, Exception.t()}
  def read_memory(instance, offset, length)
      when is_integer(offset) and offset >= 0 and is_integer(length) and length >= 0 do
    # No memory reaches as far as the native code can count.
    {offset, length} = {min(offset, @farthest), min(length, @farthest)}

    case instance do
      %__MODULE__{} when length <= @copy_on_scheduler ->
        Result.await(Native.wasm_read(instance.resource, offset, length, {@default_timeout, nil}))

      _large_or_caller ->
        act(instance, {:read, offset, length}, length)
    end
  end

  @doc type: :memory
  @doc """
  Copies `bytes` into the exported memory.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (memory (export "memory") 1))|))
      iex> :ok = Wasgo.Wasm.Instance.write_memory(instance, 8, "hello")
      iex> Wasgo.Wasm.Instance.read_memory(instance, 8, 5)
      {:ok, "hello"}
  """
  @spec write_memory(t() | Caller.t(), non_neg_integer(), binary()) ::
          :ok | {:error, Exception.t()}
  def write_memory(instance, offset, bytes)
      when is_integer(offset) and offset >= 0 and is_binary(bytes) do
    offset = min(offset, @farthest)

    written =
      case instance do
        %__MODULE__{} when byte_size(bytes) <= @copy_on_scheduler ->
          bounds = {@default_timeout, nil}
          Result.await(Native.wasm_write(instance.resource, offset, bytes, bounds))

        _large_or_caller ->
          act(instance, {:write, offset, bytes}, byte_size(bytes))
      end

    done(written)
  end

  @doc type: :memory
  @doc """
  The exported memory's size in bytes; 0 if there is none.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (memory (export "memory") 2))|))
      iex> Wasgo.Wasm.Instance.memory_size(instance)
      {:ok, 131072}
  """
  @spec memory_size(t() | Caller.t()) :: {:ok, non_neg_integer()} | {:error, Exception.t()}
  def memory_size(instance), do: act(instance, :memory_size)

  @doc type: :memory
  @doc """
  Grows the exported memory by pages of 64 KiB; the answer is its size in bytes before. Beyond its limit it is a `Wasgo.LimitError`.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (memory (export "memory") 1))|))
      iex> Wasgo.Wasm.Instance.grow_memory(instance, 2)
      {:ok, 65_536}
      iex> Wasgo.Wasm.Instance.memory_size(instance)
      {:ok, 196_608}
  """
  @spec grow_memory(t() | Caller.t(), non_neg_integer()) ::
          {:ok, non_neg_integer()} | {:error, Exception.t()}
  def grow_memory(instance, pages) when is_integer(pages) and pages >= 0,
    do: act(instance, {:memory_grow, min(pages, @farthest)})

  @doc type: :guest
  @doc """
  The value of an exported global.

      iex> wat = ~s|(module (global (export "lives") (mut i32) (i32.const 3)))|
      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(wat))
      iex> Wasgo.Wasm.Instance.get_global(instance, "lives")
      {:ok, 3}
      iex> Wasgo.Wasm.Instance.set_global(instance, "lives", 2)
      :ok
      iex> Wasgo.Wasm.Instance.get_global(instance, "lives")
      {:ok, 2}
  """
  @spec get_global(t() | Caller.t(), String.t()) :: {:ok, value()} | {:error, Exception.t()}
  def get_global(instance, name) when is_binary(name), do: act(instance, {:global_get, name})

  @doc type: :guest
  @doc """
  Changes an exported global, which must be a mutable one.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (global (export "speed") (mut f64) (f64.const 1)))|))
      iex> :ok = Wasgo.Wasm.Instance.set_global(instance, "speed", 2.5)
      iex> Wasgo.Wasm.Instance.get_global(instance, "speed")
      {:ok, 2.5}
  """
  @spec set_global(t() | Caller.t(), String.t(), value()) :: :ok | {:error, Exception.t()}
  def set_global(instance, name, value) when is_binary(name),
    do: done(act(instance, {:global_set, name, value}))

  @doc type: :guest
  @doc """
  The size of an exported table in elements.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (table (export "table") 3 funcref))|))
      iex> Wasgo.Wasm.Instance.table_size(instance, "table")
      {:ok, 3}
  """
  @spec table_size(t() | Caller.t(), String.t()) ::
          {:ok, non_neg_integer()} | {:error, Exception.t()}
  def table_size(instance, name) when is_binary(name), do: act(instance, {:table_size, name})

  @doc type: :guest
  @doc """
  Grows an exported table by empty elements; the answer is its size before.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (table (export "table") 3 funcref))|))
      iex> Wasgo.Wasm.Instance.grow_table(instance, "table", 2)
      {:ok, 3}
  """
  @spec grow_table(t() | Caller.t(), String.t(), non_neg_integer()) ::
          {:ok, non_neg_integer()} | {:error, Exception.t()}
  def grow_table(instance, name, elements)
      when is_binary(name) and is_integer(elements) and elements >= 0,
      do: act(instance, {:table_grow, name, min(elements, @farthest)})

  @doc type: :guest
  @doc """
  Whether an element of an exported table holds something.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (table (export "table") 3 funcref))|))
      iex> Wasgo.Wasm.Instance.table_set?(instance, "table", 0)
      {:ok, false}
  """
  @spec table_set?(t() | Caller.t(), String.t(), non_neg_integer()) ::
          {:ok, boolean()} | {:error, Exception.t()}
  def table_set?(instance, name, index)
      when is_binary(name) and is_integer(index) and index >= 0,
      do: act(instance, {:table_get, name, min(index, @farthest)})

  @doc type: :guest
  @doc """
  Puts an exported function into an exported table; `nil` empties the element.

      iex> wat = ~s|(module (table (export "hooks") 4 funcref) (func (export "jump")))|
      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(wat))
      iex> Wasgo.Wasm.Instance.set_table(instance, "hooks", 2, "jump")
      :ok
      iex> Wasgo.Wasm.Instance.table_set?(instance, "hooks", 2)
      {:ok, true}
  """
  @spec set_table(t() | Caller.t(), String.t(), non_neg_integer(), String.t() | nil) ::
          :ok | {:error, Exception.t()}
  def set_table(instance, name, index, function)
      when is_binary(name) and is_integer(index) and index >= 0 and
             (is_binary(function) or is_nil(function)),
      do: done(act(instance, {:table_set, name, min(index, @farthest), function}))

  defp act(instance, what, copied \\ 0)

  defp act(%__MODULE__{resource: resource}, what, copied) do
    bounds = {@default_timeout, nil}

    if copied <= @copy_on_scheduler do
      Result.await(Native.wasm_act(resource, what, bounds))
    else
      Result.await(Native.wasm_act_dirty(resource, what, bounds))
    end
  end

  defp act(%Caller{serving: serving} = caller, what, copied) do
    if copied <= @copy_on_scheduler do
      through(caller, Native.wasm_serving_act(serving, what))
    else
      through(caller, Native.wasm_serving_act_dirty(serving, what))
    end
  end

  defp done({:ok, _nothing}), do: :ok
  defp done(error), do: error

  @doc type: :call
  @doc """
  The fuel that the last call used, for instances of deterministic modules: what a call costs, on every machine alike.

      iex> module = Wasgo.Wasm.Module.compile!(~s|(module (func (export "f") (nop) (nop)))|, deterministic: true)
      iex> instance = Wasgo.Wasm.Instance.new!(module)
      iex> {:ok, []} = Wasgo.Wasm.Instance.call(instance, "f")
      iex> {:ok, fuel} = Wasgo.Wasm.Instance.fuel_used(instance)
      iex> fuel in 1..10
      true
  """
  @spec fuel_used(t()) :: {:ok, non_neg_integer()} | {:error, Exception.t()}
  def fuel_used(%__MODULE__{resource: resource}),
    do: Result.await(Native.wasm_fuel_used(resource))

  @doc type: :call
  @doc """
  Takes the buffers that the guest emitted, oldest first: those of calls that succeeded since they were last taken.

      iex> module = Wasgo.Wasm.Module.compile!(\"\"\"
      ...> (module
      ...>   (import "wasgo" "emit" (func $emit (param i32 i32)))
      ...>   (memory (export "memory") 1) (data (i32.const 0) "spark")
      ...>   (func (export "strike") (call $emit (i32.const 0) (i32.const 5))))
      ...> \"\"\")
      iex> anvil = Wasgo.Wasm.Instance.new!(module, grant: [:emit])
      iex> for _blow <- 1..2, do: Wasgo.Wasm.Instance.call!(anvil, "strike")
      iex> Wasgo.Wasm.Instance.take_emitted(anvil)
      {:ok, ["spark", "spark"]}
  """
  @spec take_emitted(t()) :: {:ok, [binary()]} | {:error, Exception.t()}
  def take_emitted(%__MODULE__{resource: resource}),
    do: Result.await(Native.wasm_take_emitted(resource))

  @doc type: :life
  @doc """
  What state the instance is in, just now.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!("(module)"))
      iex> Wasgo.Wasm.Instance.status(instance)
      :idle
  """
  @spec status(t()) :: :idle | :busy | :poisoned | :closed
  def status(%__MODULE__{resource: resource}), do: Native.wasm_status(resource)

  @doc type: :life
  @doc """
  Frees the instance at once, stopping a call that is under way. An instance that nobody refers to is freed without this.

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!("(module)"))
      iex> :ok = Wasgo.Wasm.Instance.close(instance)
      iex> Wasgo.Wasm.Instance.status(instance)
      :closed
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
