defmodule Wasgo.Wasm.Component do
  @moduledoc ~S'''
  WebAssembly components: guests whose functions take and return strings, lists, records and the other types of
  [WIT](https://component-model.bytecodealliance.org/design/wit.html), in any language that compiles to them.

      iex> {:ok, component} = Wasgo.Wasm.Component.compile("""
      ...> (component
      ...>   (core module $m
      ...>     (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
      ...>   (core instance $i (instantiate $m))
      ...>   (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))
      ...> """)
      iex> component.exports
      [%{interface: nil, name: "add", kind: :func, type: "func(a: u32, b: u32) -> u32"}]
      iex> {:ok, instance} = Wasgo.Wasm.Component.new(component)
      iex> Wasgo.Wasm.Component.call(instance, "add", [40, 2])
      {:ok, 42}

  ## Names of functions

  A function of an interface is called by the interface's name, a dot and its own: `"wasgo:test/shapes.area"`, or as a list,
  `["wasgo:test/shapes", "area"]`. The interface's version may be said (`"a:b/c@1.2.0.f"`) or left out. Methods have the names
  that WIT gives them: `"a:b/c.[constructor]thing"`, `"a:b/c.[method]thing.act"`, `"a:b/c.[static]thing.count"`.

  ## Values

  | WIT | from a component | to a component, also |
  | --- | --- | --- |
  | `bool` | `true`, `false` | |
  | `s8` ... `u64` | an integer | |
  | `f32`, `f64` | a float, `:nan`, `:infinity`, `:neg_infinity` | an integer |
  | `char` | a code point, `?x` | a string of one character |
  | `string` | a UTF-8 binary | |
  | `list<u8>` | a binary | a list of bytes |
  | `list<t>` | a list | |
  | `tuple<...>` | a tuple | |
  | `record` | a map, `%{"max-height" => 1}` | keys that are atoms; `max_height`; structs; `option` fields may be left out |
  | `variant` | `{"circle", 2.5}`, or `"nothing"` for a case without a value | the name as an atom |
  | `enum` | `"dark-green"` | `:dark_green` |
  | `flags` | `["read", "run-it"]` | atoms, a `MapSet` |
  | `option<t>` | `nil`, or the value | |
  | `result<t, e>` | `{:ok, value}`, `{:error, value}`; `:ok`, `:error` without a value | |
  | resources | a `Wasgo.Wasm.Component.Resource` | |

  Names come as WIT spells them, as strings: a guest can't make atoms. An option within an option would leave `nil` with two
  meanings, so that the outer one's value is tagged: for `option<option<u8>>` `nil` is none, `{:some, nil}` is some none,
  `{:some, 7}` is some seven. What the engine can't compile yet are functions that are `async`, streams and futures.

  ## Who waits for what

  As for `Wasgo.Wasm.Instance`: a call runs on the caller's scheduler for at most about half a millisecond, and goes on elsewhere
  while the process waits. From the beginning it runs on the engine's own threads if how much it copies is not known beforehand:
  when its result has a string or list in it (unless `limits: [result: bytes]` is below 25,000), and when the component imports
  functions or consists of several that call each other.

  ## One at a time, and after a failure

  An instance has one call at a time; a second caller gets a `Wasgo.InstanceError` with the reason `:busy`. A component that
  *trapped* may not be entered again: that is a rule of the Component Model, because its data may be half changed. After a trap,
  as after a call that was stopped (time limit, the caller's death), every further call answers `:poisoned`: make a new instance.
  A call that failed because of its arguments has not touched the guest, and changes nothing.

  ## WASI

  Tool-chains for C, Python, JavaScript and others link the interfaces of WASI (preview 2, `wasi:...@0.2.x`) into everything they
  make. A component that asks for them gets an empty world: no arguments, environment, files or network; standard input is at its
  end; what is written to standard output and error is kept for the message of a trap, the last 2 KiB of it. The wall clock shows
  1970, the monotonic clock counts how often it was looked at, and random numbers come from a fixed seed. `new/2` can grant the
  real clock and randomness. A program that exits ends its call with a `Wasgo.TrapError`, reason `:exited`.

  ## What is granted by name

  `grant:` takes what `Wasgo.Wasm.Imports` lists. Clock and randomness are WASI's; a log, a state, SQL and buffers a component imports from
  the interfaces of `wasgo:script` that are called so (`guest/wit/script.wit`). One that imports what it is not granted is a `Wasgo.LinkError`
  that names the interface and the function.

      iex> component = Wasgo.Wasm.Component.compile!("""
      ...> (component
      ...>   (import "wasgo:script/state@0.1.0" (instance $state (export "delete" (func (param "key" string)))))
      ...>   (core module $libc (memory (export "memory") 1) (data (i32.const 8) "visits"))
      ...>   (core instance $libc (instantiate $libc))
      ...>   (core func $delete (canon lower (func $state "delete") (memory (core memory $libc "memory"))))
      ...>   (core module $m
      ...>     (import "state" "delete" (func $delete (param i32 i32)))
      ...>     (func (export "forget") (call $delete (i32.const 8) (i32.const 6))))
      ...>   (core instance $i (instantiate $m (with "state" (instance (export "delete" (func $delete))))))
      ...>   (func (export "forget") (canon lift (core func $i "forget"))))
      ...> """)
      iex> {:error, error} = Wasgo.Wasm.Component.new(component)
      iex> Exception.message(error)
      ~s|import "wasgo:script/state@0.1.0" "delete" (func(key: string)) is not granted|
      iex> state = Wasgo.Script.State.new()
      iex> :ok = Wasgo.Script.State.put(state, "visits", "3")
      iex> instance = Wasgo.Wasm.Component.new!(component, grant: [state: state])
      iex> Wasgo.Wasm.Component.call(instance, "forget")
      {:ok, nil}
      iex> Wasgo.Script.State.get(state, "visits")
      nil

  ## Functions written in Elixir

  `imports:` maps interfaces to maps of function names, each to a function; one that belongs to no interface stands by its own name. Types
  come from the component.

      iex> component = Wasgo.Wasm.Component.compile!("""
      ...> (component
      ...>   (import "test:host/clock" (instance $clock (export "now" (func (param "ago" u32) (result u64)))))
      ...>   (core func $now (canon lower (func $clock "now")))
      ...>   (core module $m
      ...>     (import "clock" "now" (func $now (param i32) (result i64)))
      ...>     (func (export "then") (result i64) (call $now (i32.const 10))))
      ...>   (core instance $i (instantiate $m (with "clock" (instance (export "now" (func $now))))))
      ...>   (func (export "then") (result u64) (canon lift (core func $i "then"))))
      ...> """)
      iex> imports = %{"test:host/clock" => %{"now" => fn ago -> 1_000 - ago end}}
      iex> instance = Wasgo.Wasm.Component.new!(component, imports: imports)
      iex> Wasgo.Wasm.Component.call(instance, "then")
      {:ok, 990}

  They run in a process of their own, as `Wasgo.Wasm.Imports` says: an exception, throw or exit, or a result that does not fit its
  type, ends the call with a `Wasgo.TrapError` of the reason `:import`. While such a function runs, its instance is busy: a component may
  not be entered again before it returned. Functions that take or return resources can't be given, and so no resources of the host's.

  ## Limits

  Those of `Wasgo.Wasm.Limits`: `memory` is for all memories of an instance together, `table` for each table. A component may be put
  together of 128 instances of modules, 128 tables and 16 memories; it may hold 100,000 handles. A value that crosses takes some 40 bytes
  while it does so, and each byte of a `list<u8>` is one: a call's arguments and its result have at most 4,194,304 values each.
  '''

  alias Wasgo.{Native, Telemetry}
  alias Wasgo.Native.{Call, Result, Weight}
  alias Wasgo.Wasm.Component.{Given, Instance, Resource}
  alias Wasgo.Wasm.{Cache, Imports, Limits}

  @enforce_keys [:resource, :ref, :imports, :exports, :size]
  defstruct [:resource, :ref, :imports, :exports, :size]

  @typedoc """
  An import or export: the interface that it is of, its name, and its type in the words of WIT. Types of more than 1,024 bytes of text
  are cut short.
  """
  @type item :: %{
          interface: String.t() | nil,
          name: String.t(),
          kind: :func | :type | :resource | :instance | :module | :component | :core_func,
          type: String.t()
        }

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          imports: [item()],
          exports: [item()],
          size: non_neg_integer()
        }

  @typedoc "A value of a WIT type: see the table above."
  @type value ::
          boolean()
          | integer()
          | float()
          | atom()
          | binary()
          | [value()]
          | tuple()
          | map()
          | Resource.t()

  @default_timeout 5_000

  # Above this, copying the source takes longer than a scheduler may be held.
  @copy_on_scheduler 1_048_576

  @largest_seed 0xFFFF_FFFF_FFFF_FFFF

  @new "Wasgo.Wasm.Component.new/2"

  @new_options [
                 limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []],
                 clock: [type: :boolean, default: false],
                 random: [
                   type: {:or, [:boolean, {:pair, {:in, [:seed]}, {:range, 0..@largest_seed}}]},
                   default: false
                 ],
                 timeout: [type: :timeout, default: @default_timeout]
               ] ++ Imports.options()

  @doc """
  Compiles a component's bytes or its text (WAT), on threads of the engine.

  Errors: `Wasgo.CompileError` for what is no valid component, `Wasgo.LimitError` for one of more than 256 MiB, or when too many wait
  to be compiled.

      iex> {:error, error} = Wasgo.Wasm.Component.compile("(module)")
      iex> Exception.message(error)
      "not a valid WebAssembly component: it is a core module, which is compiled as a module and not as a component"
  """
  @spec compile(binary()) :: {:ok, t()} | {:error, Exception.t()}
  def compile(source) when is_binary(source) do
    Cache.ready()

    with {:ok, {resource, {imports, exports, size}}} <- compiled(source) do
      {:ok,
       %__MODULE__{
         resource: resource,
         ref: make_ref(),
         imports: Enum.map(imports, &item/1),
         exports: Enum.map(exports, &item/1),
         size: size
       }}
    end
  end

  defp compiled(source) do
    Telemetry.span(:compile, %{bytes: byte_size(source)}, %{kind: :component}, fn ->
      Result.await(start(source))
    end)
  end

  defp start(source) when byte_size(source) <= @copy_on_scheduler,
    do: Native.component_compile(source)

  defp start(source), do: Native.component_compile_dirty(source)

  defp item({interface, name, kind, type}),
    do: %{interface: interface, name: name, kind: kind, type: type}

  @doc """
  As `compile/1`, but raises.

      iex> Wasgo.Wasm.Component.compile!("(component)")
      #Wasgo.Wasm.Component<8 bytes, exports: >
  """
  @spec compile!(binary()) :: t()
  def compile!(source), do: Result.bang!(compile(source))

  @doc """
  Compiles a file. Beside the errors of `compile/1`, a `File.Error` for one that can't be read.

      iex> {:error, error} = Wasgo.Wasm.Component.compile_file("no/such.wasm")
      iex> Exception.message(error)
      "could not read file \\"no/such.wasm\\": no such file or directory"
  """
  @spec compile_file(Path.t()) :: {:ok, t()} | {:error, Exception.t()}
  def compile_file(path) do
    case File.read(path) do
      {:ok, source} ->
        compile(source)

      {:error, reason} ->
        {:error, %File.Error{reason: reason, action: "read file", path: to_string(path)}}
    end
  end

  @doc """
  Makes an instance.

  Options:

    * `:imports` - functions written in Elixir: see above
    * `:grant` - what it is granted by name: see `Wasgo.Wasm.Imports`
    * `:limits` - a `Wasgo.Wasm.Limits` or a keyword list for one
    * `:clock` - `true` grants WASI's clocks the real time, as `grant: [:clock]` does
    * `:random` - where WASI's random numbers come from: `false`, a fixed seed; `{:seed, n}`, this one (0 to 2^64 - 1; the numbers begin
      again after 64 KiB), as `grant: [random: n]`; `true`, the operating system, as `grant: [:random]`
    * `:timeout` - milliseconds that the start may take, #{@default_timeout} unless given

  Errors: `Wasgo.LinkError` (a missing import, with its interface, name and wanted type), `Wasgo.LimitError`, `Wasgo.TrapError`.

      iex> component = Wasgo.Wasm.Component.compile!(~s|(component (import "bell:tower/clock" (instance (export "strike" (func)))))|)
      iex> {:ok, _instance} = Wasgo.Wasm.Component.new(component, imports: %{"bell:tower/clock" => %{"strike" => fn -> :ok end}})
      iex> {:error, error} = Wasgo.Wasm.Component.new(component)
      iex> Exception.message(error)
      ~s|import "bell:tower/clock" "strike" (func()) is not granted|
  """
  @spec new(t(), keyword()) :: {:ok, Instance.t()} | {:error, Exception.t()}
  def new(%__MODULE__{} = component, options \\ []) do
    options = Wasgo.Options.validate!(options, @new_options, @new)
    limits = options.limits |> Limits.new() |> Limits.to_native()
    options = %{options | grant: wasi(options) ++ options.grant}

    with {:ok, {functions, imports}} <- Given.new(options, @new),
         native =
           Native.component_instantiate(
             component.resource,
             functions,
             Imports.resource(imports),
             limits,
             options.timeout
           ),
         {:ok, resource} <- Result.await(native, imports) do
      {:ok,
       %Instance{resource: resource, ref: make_ref(), component: component, imports: imports}}
    end
  end

  # What is granted by options of its own.
  defp wasi(%{clock: clock?, random: random}) do
    clock = if clock?, do: [:clock], else: []

    case random do
      false -> clock
      true -> [:random | clock]
      {:seed, seed} -> [{:random, seed} | clock]
    end
  end

  @doc """
  As `new/2`, but raises.

      iex> component = Wasgo.Wasm.Component.compile!("(component)")
      iex> Wasgo.Wasm.Component.new!(component, limits: [memory: 1_048_576], random: {:seed, 7}) |> Wasgo.Wasm.Component.status()
      :idle
  """
  @spec new!(t(), keyword()) :: Instance.t()
  def new!(component, options \\ []), do: Result.bang!(new(component, options))

  @doc """
  Calls an exported function with a list of arguments; the answer is its result, `nil` from a function that has none.

  Options: `:timeout` in milliseconds, #{@default_timeout} unless given.

  Errors: `Wasgo.InstanceError` (busy, poisoned, closed; `:arguments` for what does not fit, saying which argument and where in it),
  `Wasgo.LinkError` (no such function), `Wasgo.LimitError` (time, memory, stack, sizes), `Wasgo.TrapError`.

      iex> price = Wasgo.Wasm.Component.compile!(\"\"\"
      ...> (component
      ...>   (core module $m (func (export "price") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))
      ...>   (core instance $i (instantiate $m))
      ...>   (func (export "price") (param "apples" u8) (result u32) (canon lift (core func $i "price"))))
      ...> \"\"\")
      iex> instance = Wasgo.Wasm.Component.new!(price)
      iex> Wasgo.Wasm.Component.call(instance, "price", [5], timeout: 2_000)
      {:ok, 15}
      iex> {:error, error} = Wasgo.Wasm.Component.call(instance, "price", [-5])
      iex> Exception.message(error)
      ~s|argument 1 of "price" must be an integer from 0 to 255|
  """
  @spec call(Instance.t(), String.t() | [String.t()], [value()], keyword()) ::
          {:ok, value()} | {:error, Exception.t()}
  def call(%Instance{resource: resource} = instance, name, arguments \\ [], options \\ [])
      when is_list(arguments) do
    name = name(name)
    timeout = timeout(options, "call/4")

    native =
      if Weight.heavy_value?(arguments) do
        Native.component_call_dirty(resource, name, arguments, timeout)
      else
        Native.component_call(resource, name, arguments, timeout)
      end

    case Call.await(native, instance.imports, instance, name) do
      {:ok, {:some, value}} -> {:ok, value}
      other -> other
    end
  end

  @doc """
  As `call/4`, but raises.

      iex> ready = Wasgo.Wasm.Component.compile!(\"\"\"
      ...> (component
      ...>   (core module $m (func (export "ready") (result i32) (i32.const 1)))
      ...>   (core instance $i (instantiate $m))
      ...>   (func (export "ready") (result bool) (canon lift (core func $i "ready"))))
      ...> \"\"\")
      iex> Wasgo.Wasm.Component.call!(Wasgo.Wasm.Component.new!(ready), "ready")
      true
  """
  @spec call!(Instance.t(), String.t() | [String.t()], [value()], keyword()) :: value()
  def call!(instance, name, arguments \\ [], options \\ []) do
    Result.bang!(call(instance, name, arguments, options))
  end

  defp name(name) when is_binary(name), do: name
  defp name([_ | _] = path), do: Enum.join(path, ".")

  @doc """
  Drops a resource: the guest's destructor for it runs. Dropping it again does nothing. A resource that nobody refers to any more is
  dropped before its instance's next call without this.

  Options and errors as for `call/4`.

      iex> shop = Wasgo.Wasm.Component.compile!(\"\"\"
      ...> (component
      ...>   (type $basket (resource (rep i32)))
      ...>   (export $b "basket" (type $basket))
      ...>   (core func $new (canon resource.new $basket))
      ...>   (core module $m
      ...>     (import "host" "new" (func $new (param i32) (result i32)))
      ...>     (func (export "make") (param i32) (result i32) (call $new (local.get 0))))
      ...>   (core instance $i (instantiate $m (with "host" (instance (export "new" (func $new))))))
      ...>   (func (export "[constructor]basket") (param "size" u32) (result (own $b)) (canon lift (core func $i "make"))))
      ...> \"\"\")
      iex> instance = Wasgo.Wasm.Component.new!(shop)
      iex> basket = Wasgo.Wasm.Component.call!(instance, "[constructor]basket", [12])
      iex> Wasgo.Wasm.Component.Resource.live?(basket)
      true
      iex> Wasgo.Wasm.Component.drop(instance, basket)
      :ok
      iex> Wasgo.Wasm.Component.Resource.live?(basket)
      false
  """
  @spec drop(Instance.t(), Resource.t(), keyword()) :: :ok | {:error, Exception.t()}
  def drop(%Instance{} = instance, %Resource{resource: handle}, options \\ []) do
    timeout = timeout(options, "drop/3")
    native = Native.component_drop(instance.resource, handle, timeout)
    with {:ok, nil} <- Result.await(native, instance.imports), do: :ok
  end

  @doc """
  Takes the buffers that a component which was granted `:emit` emitted, oldest first: those of calls that succeeded since they were last
  taken. A `Wasgo.InstanceError` while the instance is not free.

      instance = Wasgo.Wasm.Component.new!(component, grant: [:emit])
      {:ok, nil} = Wasgo.Wasm.Component.call(instance, "tick")
      {:ok, buffers} = Wasgo.Wasm.Component.take_emitted(instance)
  """
  @spec take_emitted(Instance.t()) :: {:ok, [binary()]} | {:error, Exception.t()}
  def take_emitted(%Instance{resource: resource}),
    do: Result.await(Native.component_take_emitted(resource))

  @doc """
  What state an instance is in, just now.

      iex> instance = Wasgo.Wasm.Component.new!(Wasgo.Wasm.Component.compile!("(component)"))
      iex> Wasgo.Wasm.Component.status(instance)
      :idle
  """
  @spec status(Instance.t()) :: :idle | :busy | :poisoned | :closed
  def status(%Instance{resource: resource}), do: Native.component_status(resource)

  @doc """
  Frees an instance at once, stopping a call that is under way. An instance that nobody refers to is freed without this.

      iex> component = Wasgo.Wasm.Component.compile!("(component)")
      iex> instance = Wasgo.Wasm.Component.new!(component)
      iex> :ok = Wasgo.Wasm.Component.close(instance)
      iex> Wasgo.Wasm.Component.status(instance)
      :closed
  """
  @spec close(Instance.t()) :: :ok
  def close(%Instance{resource: resource}), do: Native.component_close(resource)

  defp timeout([], _function), do: @default_timeout

  defp timeout(options, function) do
    schema = [timeout: [type: :timeout, default: @default_timeout]]
    Wasgo.Options.validate!(options, schema, "Wasgo.Wasm.Component.#{function}").timeout
  end

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(component, _opts) do
      exports =
        component.exports
        |> Enum.map(&(&1.interface || &1.name))
        |> Enum.uniq()
        |> Enum.join(", ")

      concat(["#Wasgo.Wasm.Component<", "#{component.size} bytes, exports: ", exports, ">"])
    end
  end
end
