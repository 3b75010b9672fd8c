defmodule Wasgo.Script do
  @moduledoc """
  A user script: a WebAssembly module that keeps the script contract, written in `guest/README.md`.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/wander.wasm"), name: "wander")
      iex> {:ok, row} = Wasgo.Script.notify(script, :process, [1, 0.0, 10.0, 2.0, 20.0, 0.0])
      iex> Enum.zip(script.columns, row) |> Enum.map(&elem(&1, 0))
      ["position:x", "position:y", "position:z", "rotation:y"]

  A script may offer two things: `_notification(what, row) -> row`, for what happens to one node of the world, and
  `process(bytes) -> bytes`, for a buffer of a stream.

  ## State

  A script has none: each call may run in another instance of the module, several at once. What a script wants to know the
  next time it gets in its row. So a script is never busy, any process may call it, and a call that traps or has to be stopped
  can't spoil the next.

  ## Trust

  None is needed. A script is given no file, network, clock, randomness or environment; its memory, time and results are
  limited (`Wasgo.Wasm.Limits`, `timeout:`); it runs in slices and holds no scheduler.
  """

  alias Wasgo.Native
  alias Wasgo.Native.{Result, Weight}
  alias Wasgo.Wasm.{Bounds, Imports, Limits, Module}

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
          module: Module.t(),
          name: String.t() | nil,
          version: pos_integer() | nil,
          columns: [String.t()],
          exports: [:notification | :process],
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

  @doc """
  Makes a script of WebAssembly bytes, WAT text or a compiled `Wasgo.Wasm.Module`.

  Options:

    * `:name` - for people
    * `:limits` - a `Wasgo.Wasm.Limits` or a keyword list for one
    * `:imports`, `:grant` - what it is given beside its own memory: see `Wasgo.Wasm.Imports`. Random numbers from a seed begin anew with
      each call and row, so that they do not depend on which instance runs it
    * `:deterministic` - the same rows for the same input on every machine: see `Wasgo.Wasm.Module.compile/2`
    * `:timeout`, `:fuel` - for its start

  Errors: `Wasgo.CompileError`; `Wasgo.LinkError` if an import is not granted or the module keeps no part of the contract;
  `Wasgo.TrapError` and `Wasgo.LimitError` if it fails when it starts.

      iex> {:error, error} = Wasgo.Script.new(~s|(module (import "env" "fly" (func)))|)
      iex> Exception.message(error)
      ~s|import "env" "fly" (func () -> ()) is not granted|
  """
  @spec new(binary() | Module.t(), keyword()) :: {:ok, t()} | {:error, Exception.t()}
  def new(source, options \\ [])

  def new(source, options) when is_binary(source) do
    deterministic? = Keyword.keyword?(options) and Keyword.get(options, :deterministic) == true

    with {:ok, module} <- Module.compile(source, deterministic: deterministic?),
         do: new(module, options)
  end

  def new(%Module{deterministic: deterministic?} = module, options) do
    owner = "Wasgo.Script.new/2"
    options = Wasgo.Options.validate!(options, @new_options, owner)

    if options.deterministic not in [nil, deterministic?] do
      raise ArgumentError,
            "option :deterministic of #{owner} is #{options.deterministic}, and the module was compiled with #{deterministic?}"
    end

    limits = options.limits |> Limits.new() |> Limits.to_native()
    bounds = Bounds.of(options, deterministic?, owner)

    with {:ok, imports} <- Imports.new(options, deterministic?, owner),
         native = Native.script_new(module.resource, Imports.resource(imports), limits),
         {:ok, resource} <- Result.await(native),
         {:ok, {notification?, process?, columns}} <-
           Result.await(Native.script_info(resource, bounds), imports),
         {:ok, exports} <- exports(notification?, process?) do
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

  defp exports(false, false) do
    message = "the module exports neither \"_notification\" nor \"process\", so it is no script"
    {:error, %Wasgo.LinkError{reason: :missing_export, message: message, name: "_notification"}}
  end

  defp exports(notification?, process?) do
    {:ok, for({true, name} <- [{notification?, :notification}, {process?, :process}], do: name)}
  end

  @doc "As `new/2`, but raises."
  @spec new!(binary() | Module.t(), keyword()) :: t()
  def new!(source, options \\ []), do: Result.bang!(new(source, options))

  @doc """
  Notifies with one row; the answer is the row that the script returned, or `nil` if it changes nothing.

  Options: `:timeout` in milliseconds, #{@default_timeout} unless given.

  Errors: `Wasgo.TrapError`, `Wasgo.LimitError`, `Wasgo.DecodeError` for a script that returns rubbish.
  """
  @spec notify(t(), what(), row(), keyword()) :: {:ok, row() | nil} | {:error, Exception.t()}
  def notify(%__MODULE__{} = script, what, row, options \\ []) when is_list(row) do
    with {:ok, [answer]} <- notify_many(script, what, [row], options), do: answer
  end

  @doc """
  Notifies with many rows in one crossing; the answers are in the same order, each `{:ok, row}`, `{:ok, nil}` or `{:error, exception}`.

  One row's failure is that row's answer, and the others run. The time limit is for all of them together: if it is reached, the whole
  call is an error.
  """
  @spec notify_many(t(), what(), [row()], keyword()) ::
          {:ok, [{:ok, row() | nil} | {:error, Exception.t()}]} | {:error, Exception.t()}
  def notify_many(%__MODULE__{} = script, what, rows, options \\ []) when is_list(rows) do
    bounds = Bounds.new(options, script.module.deterministic, "Wasgo.Script.notify_many/4")

    native =
      if Weight.heavy?(rows) do
        Native.script_notify_dirty(script.resource, number(what), rows, bounds)
      else
        Native.script_notify(script.resource, number(what), rows, bounds)
      end

    with {:ok, answers} <- Result.await(native, script.imports) do
      {:ok, Enum.map(answers, &answer(script, &1))}
    end
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

  @doc """
  Has the script process a buffer of bytes. Options and errors as for `notify/4`.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/thin.wasm"))
      iex> Wasgo.Script.process(script, "")
      {:ok, ""}
  """
  @spec process(t(), binary(), keyword()) :: {:ok, binary()} | {:error, Exception.t()}
  def process(%__MODULE__{} = script, input, options \\ []) when is_binary(input) do
    with {:ok, buffers} <- run_process(script, input, options, "process/3") do
      {:ok, List.last(buffers)}
    end
  end

  @doc """
  As `process/3`, for a script that was granted `:emit`: the answer is the buffers that it emitted, in order, and then the one that it returned,
  unless that is empty.

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
    with {:ok, buffers} <- run_process(script, input, options, "process_many/3") do
      {emitted, [returned]} = Enum.split(buffers, -1)
      {:ok, if(returned == "", do: emitted, else: buffers)}
    end
  end

  defp run_process(script, input, options, function) do
    bounds = Bounds.new(options, script.module.deterministic, "Wasgo.Script.#{function}")

    native =
      if byte_size(input) <= @copy_on_scheduler do
        Native.script_process(script.resource, input, bounds)
      else
        Native.script_process_dirty(script.resource, input, bounds)
      end

    Result.await(native, script.imports)
  end

  @doc """
  Names of notifications, and the engine's numbers of them. Numbers from 10,000 on are free for a world's own.
  """
  @spec notifications() :: %{atom() => integer()}
  def notifications, do: @notifications

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
