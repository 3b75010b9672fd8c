defmodule Wasgo.Script do
  @moduledoc """
  A user script: a WebAssembly module or component that keeps the script contract, written in `guest/README.md`.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/wander.wasm"), name: "wander")
      iex> {:ok, row} = Wasgo.Script.notify(script, :process, [1, 0.0, 10.0, 2.0, 20.0, 0.0])
      iex> Enum.zip(script.columns, row) |> Enum.map(&elem(&1, 0))
      ["position:x", "position:y", "position:z", "rotation:y"]

  A script may offer three things: `_notification(what, row) -> row`, for what happens to one node of the world,
  `process(bytes) -> bytes`, for a buffer of a stream, and `generate(seed, x, z, lod, row) -> bytes`, for the content of a chunk.

  ## Components

  A component keeps the contract with typed functions, those of the world `wasgo:script` (`guest/wit/script.wit`) that it has:
  `columns`, `notification`, `process`, `generate`. What is different:

    * Each may answer with an error of its own: a `Wasgo.TrapError` with the reason `:failed` and the script's words.
    * `process` returns a list of buffers. `process_many/3` answers them as they are, `process/3` joined.
    * What is granted it imports with types, from the interfaces of `wasgo:script`; `:imports` are functions by interface, as
      `Wasgo.Wasm.Component` has them.
    * It is never deterministic.

  ## State

  A script has none, unless it was granted a `Wasgo.Script.State`: each call may run in another instance of the module, several at once.
  What a script wants to know the next time it gets in its row. So a script is never busy, any process may call it, and a call that traps or has to be stopped
  can't spoil the next.

  ## Trust

  None is needed. A script is given no file, network or environment, and no clock or randomness unless granted; its memory, time and results are
  limited (`Wasgo.Wasm.Limits`, `timeout:`); it runs in slices and holds no scheduler.
  """

  alias Wasgo.{Native, Store}
  alias Wasgo.Native.{Call, Result, Weight}
  alias Wasgo.Wasm.{Bounds, Component, Imports, Limits, Module}

  @enforce_keys [:resource, :ref, :module, :name, :columns, :exports]
  defstruct [
    :resource,
    :ref,
    :module,
    :name,
    :columns,
    :exports,
    :version,
    :imports,
    emits: false
  ]

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          module: Module.t() | Component.t(),
          name: String.t() | nil,
          version: pos_integer() | nil,
          columns: [String.t()],
          exports: [:notification | :process | :generate],
          imports: Imports.t() | nil,
          emits: boolean()
        }

  @typedoc "A value of a row, as a database has them."
  @type value ::
          integer()
          | float()
          | String.t()
          | {:blob, binary()}
          | nil
          | :nan
          | :infinity
          | :neg_infinity

  @type row :: [value()]

  @typedoc "What an object's script answered: values by the names of its columns, or by number."
  @type answer :: %{(String.t() | non_neg_integer()) => value()}

  @typedoc "What a node is notified of: a name of `notifications/0`, or its number."
  @type what :: atom() | integer()

  # The engine's own numbers (Node, Node3D and Object of Godot 4).
  @notifications %{
    postinitialize: 0,
    predelete: 1,
    enter_tree: 10,
    exit_tree: 11,
    moved_in_parent: 12,
    ready: 13,
    paused: 14,
    unpaused: 15,
    physics_process: 16,
    process: 17,
    parented: 18,
    unparented: 19,
    transform_changed: 2000,
    enter_world: 41,
    exit_world: 42,
    visibility_changed: 43
  }

  @default_timeout Bounds.default_timeout()

  # Above this, copying a buffer takes longer than a scheduler should be held.
  @copy_on_scheduler 262_144

  @new_options [
                 name: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
                 version: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
                 deterministic: [type: {:or, [:boolean, {:in, [nil]}]}, default: nil],
                 limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []]
               ] ++ Imports.options() ++ Bounds.options()

  @doc type: :new
  @doc """
  Makes a script of WebAssembly bytes, WAT text, a compiled `Wasgo.Wasm.Module` or a `Wasgo.Wasm.Component`.

  Options:

    * `:name` - for people
    * `:limits` - a `Wasgo.Wasm.Limits` or a keyword list for one, whose defaults it lists
    * `:imports`, `:grant` - what it is given beside its own memory: see `Wasgo.Wasm.Imports`. Random numbers from a seed begin anew with
      each call and row, so that they do not depend on which instance runs it. Nothing unless given
    * `:deterministic` - the same rows for the same input on every machine, `false` unless given: see `Wasgo.Wasm.Module.compile/2`
    * `:timeout` in milliseconds, #{@default_timeout} unless given, and `:fuel` of a deterministic one - for its start

  Errors: `Wasgo.CompileError`; `Wasgo.LinkError` if an import is not granted or the module keeps no part of the contract;
  `Wasgo.TrapError` and `Wasgo.LimitError` if it fails when it starts.

      iex> {:error, error} = Wasgo.Script.new(~s|(module (import "env" "fly" (func)))|)
      iex> Exception.message(error)
      ~s|import "env" "fly" (func () -> ()) is not granted|
  """
  @spec new(binary() | Module.t() | Component.t(), keyword()) ::
          {:ok, t()} | {:error, Exception.t()}
  def new(source, options \\ [])

  def new(source, options) when is_binary(source) do
    deterministic? = Keyword.keyword?(options) and Keyword.get(options, :deterministic) == true

    with {:ok, module} <- compile(source, deterministic?),
         do: new(module, options)
  end

  def new(%kind{} = module, options) when kind in [Module, Component] do
    deterministic? = deterministic?(module)
    owner = "Wasgo.Script.new/2"
    options = Wasgo.Options.validate!(options, @new_options, owner)

    if options.deterministic not in [nil, deterministic?] do
      raise ArgumentError,
            "option :deterministic of #{owner} is #{options.deterministic}, and the module was compiled with #{deterministic?}"
    end

    limits = options.limits |> Limits.new() |> Limits.to_native()
    bounds = Bounds.of(options, deterministic?, owner)

    with {:ok, imports, native} <- native_new(module, options, limits, owner),
         {:ok, resource} <- Result.await(native),
         {:ok, {notification?, process?, generate?, columns}} <-
           Result.await(Native.script_info(resource, bounds), imports),
         {:ok, exports} <-
           exports(notification: notification?, process: process?, generate: generate?) do
      {:ok,
       %__MODULE__{
         resource: resource,
         ref: make_ref(),
         module: module,
         name: options.name,
         version: options.version,
         columns: columns,
         exports: exports,
         imports: imports,
         emits: :emit in options.grant
       }}
    end
  end

  # A component says that it is one in the second half of its version.
  defp compile(<<0, "asm", _version::16, 1, 0, _rest::binary>> = source, _deterministic?),
    do: Component.compile(source)

  defp compile("(component" <> _rest = source, _deterministic?), do: Component.compile(source)
  defp compile(source, deterministic?), do: Module.compile(source, deterministic: deterministic?)

  defp deterministic?(%Module{deterministic: deterministic?}), do: deterministic?
  defp deterministic?(%Component{}), do: false

  # What is kept for calls, and the script.
  defp native_new(%Module{} = module, options, limits, owner) do
    with {:ok, imports} <- Imports.new(options, module.deterministic, owner) do
      {:ok, imports, Native.script_new(module.resource, Imports.resource(imports), limits)}
    end
  end

  defp native_new(%Component{resource: resource}, options, limits, owner) do
    with {:ok, {functions, imports}} <- Component.Given.new(options, owner) do
      granted = Imports.resource(imports)
      {:ok, imports, Native.script_new_component(resource, functions, granted, limits)}
    end
  end

  defp exports(offered) do
    case for({name, true} <- offered, do: name) do
      [] ->
        message =
          "the module exports neither \"_notification\" nor \"process\" nor \"generate\", so it is no script"

        {:error,
         %Wasgo.LinkError{reason: :missing_export, message: message, name: "_notification"}}

      exports ->
        {:ok, exports}
    end
  end

  @doc type: :new
  @doc """
  As `new/2`, but raises.

      iex> Wasgo.Script.new!(File.read!("guest/scripts/lamp.wat"), name: "lamp", limits: [memory: 65_536])
      #Wasgo.Script<"lamp", notification, columns light_energy, visible, 539 bytes>
  """
  @spec new!(binary() | Module.t() | Component.t(), keyword()) :: t()
  def new!(source, options \\ []), do: Result.bang!(new(source, options))

  @doc type: :run
  @doc """
  Notifies with one row; the answer is the row that the script returned, or `nil` if it changes nothing.

  Options: `:timeout` in milliseconds, #{@default_timeout} unless given.

  Errors: `Wasgo.TrapError`, `Wasgo.LimitError`, `Wasgo.DecodeError` for a script that returns rubbish.

  With a `Wasgo.Store` and an object that `Wasgo.Script.Registry` keeps there, it is that object's script that is notified: see
  `notify/5`.

      iex> lamp = Wasgo.Script.new!(File.read!("guest/scripts/lamp.wat"))
      iex> {:ok, [light_energy, visible]} = Wasgo.Script.notify(lamp, :process, [23.0], timeout: 2_000)
      iex> {light_energy, visible}
      {1.0, 1}
      iex> Wasgo.Script.notify(lamp, :enter_tree, [])
      {:ok, nil}
  """
  @spec notify(t(), what(), row(), keyword()) :: {:ok, row() | nil} | {:error, Exception.t()}
  @spec notify(Store.t(), String.t(), what(), row()) ::
          {:ok, answer() | nil} | {:error, Exception.t()}
  def notify(script_or_store, what_or_object, row_or_what, options_or_row \\ [])

  def notify(%__MODULE__{} = script, what, row, options) when is_list(row) do
    with {:ok, [answer]} <- notify_many(script, what, [row], options), do: answer
  end

  def notify(%Store{} = store, object, what, row), do: notify(store, object, what, row, [])

  @doc """
  Notifies an object that `Wasgo.Script.Registry` keeps in a store: runs the active version of its script with `row`.

  The answer is a map of what the script returned, by the names of its columns (by number, from 0, where it names none), or `nil` if it
  changes nothing. What the script keeps, if it was granted `:state`, is written in the same transaction: in that of `store` where it is
  the argument of `Wasgo.Store.transaction/3`'s function.

  Options: `:timeout` in milliseconds, #{@default_timeout} unless given.

  Errors: `Wasgo.StoreError` with the reasons `:unknown_object`, `:script` (`cause` tells what went wrong there), `:timeout`, or
  `:schema_version` where another Wasgo made the tables.

  The same in SQL: `SELECT * FROM notify(object, what, ...)`, and `SELECT notification(object, what, ...)`.

      iex> alias Wasgo.Script.Registry
      iex> store = Wasgo.Store.open!(:memory)
      iex> Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> :ok = Registry.put_object(store, "lamp-7", "furniture", "lamp")
      iex> Wasgo.Script.notify(store, "lamp-7", :process, [23.0], timeout: 2_000)
      {:ok, %{"light_energy" => 1.0, "visible" => 1}}
  """
  @spec notify(Store.t(), String.t(), what(), row(), keyword()) ::
          {:ok, answer() | nil} | {:error, Exception.t()}
  def notify(%Store{} = store, object, what, row, options)
      when is_binary(object) and is_list(row) do
    with {:ok, [{_object, answer}]} <-
           in_store(store, false, object, what, row, options, "notify/5"),
         do: answer
  end

  @doc type: :run
  @doc """
  Notifies with many rows in one crossing; the answers are in the same order, each `{:ok, row}`, `{:ok, nil}` or `{:error, exception}`.

  One row's failure is that row's answer, and the others run. The time limit is for all of them together: if it is reached, the whole
  call is an error.

  With a `Wasgo.Store` and a kind of objects, all objects of that kind are notified: see `notify_many/5`.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/lamp.wat"))
      iex> Wasgo.Script.notify_many(script, :process, [[12.0], [18.0], [23.0]])
      {:ok, [ok: [0.0, 0], ok: [0.5, 1], ok: [1.0, 1]]}
  """
  @spec notify_many(t(), what(), [row()], keyword()) ::
          {:ok, [{:ok, row() | nil} | {:error, Exception.t()}]} | {:error, Exception.t()}
  @spec notify_many(Store.t(), String.t(), what(), row()) ::
          {:ok, [{String.t(), {:ok, answer() | nil} | {:error, Exception.t()}}]}
          | {:error, Exception.t()}
  def notify_many(script_or_store, what_or_kind, rows_or_what, options_or_row \\ [])

  def notify_many(%__MODULE__{} = script, what, rows, options) when is_list(rows) do
    bounds = Bounds.new(options, deterministic?(script.module), "Wasgo.Script.notify_many/4")

    native =
      if Weight.heavy?(rows) do
        Native.script_notify_dirty(script.resource, number(what), rows, bounds)
      else
        Native.script_notify(script.resource, number(what), rows, bounds)
      end

    with {:ok, answers} <- Call.await(native, script.imports, script, "_notification") do
      {:ok, Enum.map(answers, &answer(script, &1))}
    end
  end

  def notify_many(%Store{} = store, kind, what, row), do: notify_many(store, kind, what, row, [])

  @doc """
  Notifies all objects of a kind that `Wasgo.Script.Registry` keeps in a store, in one crossing and one transaction.

  The answer is a list of `{object, answer}`, each answer as of `notify/5`: one object's failure is its own. Objects whose script keeps no
  state and has no random numbers are notified together, thousands in a call. Options and errors of the whole are those of `notify/5`.

      iex> alias Wasgo.Script.Registry
      iex> store = Wasgo.Store.open!(:memory)
      iex> Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> for id <- ["lamp-7", "lamp-8"], do: :ok = Registry.put_object(store, id, "furniture", "lamp")
      iex> {:ok, answers} = Wasgo.Script.notify_many(store, "furniture", :process, [23.0], timeout: 2_000)
      iex> for {lamp, {:ok, answer}} <- answers, do: {lamp, answer["light_energy"]}
      [{"lamp-7", 1.0}, {"lamp-8", 1.0}]
  """
  @spec notify_many(Store.t(), String.t(), what(), row(), keyword()) ::
          {:ok, [{String.t(), {:ok, answer() | nil} | {:error, Exception.t()}}]}
          | {:error, Exception.t()}
  def notify_many(%Store{} = store, kind, what, row, options)
      when is_binary(kind) and is_list(row),
      do: in_store(store, true, kind, what, row, options, "notify_many/5")

  defp in_store(store, kind?, of, what, row, options, function) do
    options =
      Wasgo.Options.validate!(
        options,
        [timeout: [type: :timeout, default: @default_timeout]],
        "Wasgo.Script.#{function}"
      )

    Store.Functions.notify(store, kind?, of, number(what), row, options.timeout)
  end

  defp answer(_script, {:ok, nil} = nothing), do: nothing

  defp answer(%{columns: columns}, {:ok, row} = answer) do
    if columns == [] or length(row) == length(columns) do
      answer
    else
      words =
        "_notification returned #{length(row)} values, and _columns names #{length(columns)}"

      {:error, %Wasgo.DecodeError{reason: {:contract, words}}}
    end
  end

  defp answer(_script, {:error, fault}), do: {:error, Result.exception(fault)}

  @doc type: :run
  @doc """
  Has the script process a buffer of bytes. Options and errors as for `notify/4`.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/thin.wasm"))
      iex> Wasgo.Script.process(script, "")
      {:ok, ""}
  """
  @spec process(t(), binary(), keyword()) :: {:ok, binary()} | {:error, Exception.t()}
  def process(%__MODULE__{} = script, input, options \\ []) when is_binary(input) do
    with {:ok, {_emitted, returned}} <- run_process(script, input, options, "process/3") do
      {:ok, joined(returned)}
    end
  end

  # A module returns always one, a component as many as it likes.
  defp joined([buffer]), do: buffer
  defp joined(buffers), do: IO.iodata_to_binary(buffers)

  @doc type: :run
  @doc """
  As `process/3`, for a script that was granted `:emit`: the answer is the buffers that it emitted, in order, and then the one that it returned,
  unless that is empty; or those that it returned, where it is a component.

      iex> wat = \"\"\"
      ...> (module (import "wasgo" "emit" (func $emit (param i32 i32))) (memory (export "memory") 1)
      ...>   (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8))
      ...>   (func (export "process") (param $at i32) (param $length i32) (result i64)
      ...>     (call $emit (local.get $at) (i32.const 1)) (call $emit (local.get $at) (local.get $length)) (i64.const 0)))
      ...> \"\"\"
      iex> script = Wasgo.Script.new!(wat, grant: [:emit])
      iex> Wasgo.Script.process_many(script, "abc")
      {:ok, ["a", "abc"]}
  """
  @spec process_many(t(), binary(), keyword()) :: {:ok, [binary()]} | {:error, Exception.t()}
  def process_many(%__MODULE__{} = script, input, options \\ []) when is_binary(input) do
    with {:ok, {emitted, returned}} <- run_process(script, input, options, "process_many/3") do
      {:ok, emitted ++ told(script.module, returned)}
    end
  end

  defp told(%Module{}, [""]), do: []
  defp told(_module, returned), do: returned

  defp run_process(script, input, options, function) do
    bounds = Bounds.new(options, deterministic?(script.module), "Wasgo.Script.#{function}")

    native =
      if byte_size(input) <= @copy_on_scheduler do
        Native.script_process(script.resource, input, bounds)
      else
        Native.script_process_dirty(script.resource, input, bounds)
      end

    Call.await(native, script.imports, script, "process")
  end

  @largest_seed 0xFFFF_FFFF_FFFF_FFFF
  @largest_lod 0xFFFF_FFFF

  @generate_options [
                      lod: [type: {:range, 0..@largest_lod}, default: 0],
                      parameters: [type: :list, default: []]
                    ] ++ Bounds.options()

  @doc type: :run
  @doc """
  Has the script generate the content of a chunk, by the whole world's `seed` (0 to 2^64 - 1) and the chunk's coordinates. The same
  arguments give the same bytes, if the script keeps its promise.

  Options, beside those of `notify/4`:

    * `:lod` - how coarse, 0 (the finest) unless given
    * `:parameters` - a row of what else the world says, empty unless given

  Errors are those of `notify/4`.

      iex> wat = \"\"\"
      ...> (module (memory (export "memory") 1)
      ...>   (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
      ...>   (func (export "generate") (param $seed i64) (param $x i32) (param $z i32) (param $lod i32) (param i32 i32) (result i64)
      ...>     (i64.store (i32.const 0) (local.get $seed))
      ...>     (i32.store (i32.const 8) (i32.add (local.get $x) (local.get $z)))
      ...>     (i64.const 12)))
      ...> \"\"\"
      iex> script = Wasgo.Script.new!(wat)
      iex> script.exports
      [:generate]
      iex> Wasgo.Script.generate(script, 7, {40, 2})
      {:ok, <<7::64-little, 42::32-little>>}
  """
  @spec generate(t(), non_neg_integer(), {integer(), integer()}, keyword()) ::
          {:ok, binary()} | {:error, Exception.t()}
  def generate(%__MODULE__{} = script, seed, {x, z}, options \\ [])
      when is_integer(seed) and seed in 0..@largest_seed and x in -0x8000_0000..0x7FFF_FFFF and
             z in -0x8000_0000..0x7FFF_FFFF do
    owner = "Wasgo.Script.generate/4"
    options = Wasgo.Options.validate!(options, @generate_options, owner)
    bounds = Bounds.of(options, deterministic?(script.module), owner)
    chunk = {seed, x, z, options.lod}

    native =
      if Weight.heavy?(options.parameters) do
        Native.script_generate_dirty(script.resource, chunk, options.parameters, bounds)
      else
        Native.script_generate(script.resource, chunk, options.parameters, bounds)
      end

    Call.await(native, script.imports, script, "generate")
  end

  @doc type: :notification
  @doc """
  Names of notifications, and the engine's numbers of them. Numbers from 10,000 on are free for a world's own.

      iex> Wasgo.Script.notifications().process
      17
  """
  @spec notifications() :: %{atom() => integer()}
  def notifications, do: @notifications

  @doc type: :notification
  @doc """
  The number of a notification.

      iex> Wasgo.Script.number(:process)
      17
      iex> Wasgo.Script.number(10_001)
      10001
  """
  @spec number(what()) :: integer()
  def number(what) when is_integer(what) and what in -0x8000_0000..0x7FFF_FFFF, do: what

  def number(what) do
    case @notifications do
      %{^what => number} ->
        number

      _ ->
        raise ArgumentError,
              "#{inspect(what)} is no notification: see Wasgo.Script.notifications/0"
    end
  end

  defimpl Inspect do
    def inspect(script, _opts) do
      version = script.version && "version #{script.version}"
      columns = script.columns != [] && "columns #{Enum.join(script.columns, ", ")}"
      offers = Enum.map_join(script.exports, " and ", &Atom.to_string/1)

      [
        script.name && Kernel.inspect(script.name),
        version,
        offers,
        columns,
        "#{script.module.size} bytes"
      ]
      |> Enum.filter(& &1)
      |> then(&"#Wasgo.Script<#{Enum.join(&1, ", ")}>")
    end
  end
end
