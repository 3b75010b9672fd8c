defmodule Wasgo.Script do
  @moduledoc """
  A user script: a WebAssembly module or component that keeps the script contract, written in `guest/README.md`.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/wander.wasm"), name: "wander")
      iex> {:ok, row} = Wasgo.Script.notify(script, :process, [1, 0.0, 10.0, 2.0, 20.0, 0.0])
      iex> Enum.zip(script.columns, row) |> Enum.map(&elem(&1, 0))
      ["position:x", "position:y", "position:z", "rotation:y"]

  A script may offer two things: `_notification(what, row) -> row`, for what happens to one node of the world, and
  `process(bytes) -> bytes`, for a buffer of a stream.

  ## Components

  A component keeps the contract with typed functions, those of the world `wasgo:script` (`guest/wit/script.wit`) that it has:
  `columns`, `notification`, `process`. What it can say and a module can't:

    * `notification` and `process` may answer with an error of their own: a `Wasgo.TrapError` with the reason `:failed` and the
      script's words.
    * `process` returns a list of buffers, which come joined.

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
  alias Wasgo.Wasm.{Component, Limits, Module}

  @enforce_keys [:resource, :ref, :module, :name, :columns, :exports]
  defstruct [:resource, :ref, :module, :name, :columns, :exports, :version]

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          module: Module.t() | Component.t(),
          name: String.t() | nil,
          version: pos_integer() | nil,
          columns: [String.t()],
          exports: [:notification | :process]
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

  @default_timeout 5_000

  # Above this, copying a buffer takes longer than a scheduler should be held.
  @copy_on_scheduler 262_144

  @new_options [
    name: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    version: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
    limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []],
    timeout: [type: :timeout, default: @default_timeout]
  ]

  @call_options [timeout: [type: :timeout, default: @default_timeout]]

  @doc """
  Makes a script of WebAssembly bytes, WAT text, a compiled `Wasgo.Wasm.Module` or a `Wasgo.Wasm.Component`.

  Options: `:name`, for people; `:limits`, a `Wasgo.Wasm.Limits` or keyword list; `:timeout` of its start in milliseconds.

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
    with {:ok, module} <- compile(source), do: new(module, options)
  end

  def new(%kind{} = module, options) when kind in [Module, Component] do
    options = Wasgo.Options.validate!(options, @new_options, "Wasgo.Script.new/2")
    limits = options.limits |> Limits.new() |> Limits.to_native()

    with {:ok, resource} <- Result.await(native_new(module, limits)),
         {:ok, {notification?, process?, columns}} <-
           Result.await(Native.script_info(resource, options.timeout)),
         {:ok, exports} <- exports(notification?, process?) do
      {:ok,
       %__MODULE__{
         resource: resource,
         ref: make_ref(),
         module: module,
         name: options.name,
         version: options.version,
         columns: columns,
         exports: exports
       }}
    end
  end

  defp native_new(%Module{resource: resource}, limits), do: Native.script_new(resource, limits)

  defp native_new(%Component{resource: resource}, limits),
    do: Native.script_new_component(resource, limits)

  # A component says that it is one in the second half of its version.
  defp compile(<<0, "asm", _version::16, 1, 0, _rest::binary>> = source),
    do: Component.compile(source)

  defp compile("(component" <> _rest = source), do: Component.compile(source)
  defp compile(source), do: Module.compile(source)

  defp exports(false, false) do
    message = "the module exports neither \"_notification\" nor \"process\", so it is no script"
    {:error, %Wasgo.LinkError{reason: :missing_export, message: message, name: "_notification"}}
  end

  defp exports(notification?, process?) do
    {:ok, for({true, name} <- [{notification?, :notification}, {process?, :process}], do: name)}
  end

  @doc "As `new/2`, but raises."
  @spec new!(binary() | Module.t() | Component.t(), keyword()) :: t()
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
    timeout = timeout(options, "notify_many/4")

    native =
      if Weight.heavy?(rows) do
        Native.script_notify_dirty(script.resource, number(what), rows, timeout)
      else
        Native.script_notify(script.resource, number(what), rows, timeout)
      end

    with {:ok, answers} <- Result.await(native) do
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
    timeout = timeout(options, "process/3")

    if byte_size(input) <= @copy_on_scheduler do
      Result.await(Native.script_process(script.resource, input, timeout))
    else
      Result.await(Native.script_process_dirty(script.resource, input, timeout))
    end
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

  defp timeout([], _function), do: @default_timeout

  defp timeout(options, function) do
    Wasgo.Options.validate!(options, @call_options, "Wasgo.Script.#{function}").timeout
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
