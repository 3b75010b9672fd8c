defmodule Wasgo.Wasm.Imports do
  @moduledoc """
  What a guest is given beside its own memory: functions written in Elixir, and functions of the host that are granted by name.

  Nothing is given by default. Both are options of `Wasgo.Wasm.Instance.new/2`, `Wasgo.Wasm.Component.new/2` and `Wasgo.Script.new/2`; how
  functions written in Elixir are given to a component says `Wasgo.Wasm.Component`.

  ## Functions written in Elixir

  `imports:` maps module names to maps of function names, each to `{parameter_types, result_types, function}`:

      iex> module = Wasgo.Wasm.Module.compile!(\"""
      ...> (module
      ...>   (import "env" "double" (func $double (param i64) (result i64)))
      ...>   (func (export "quadruple") (param i64) (result i64) (call $double (call $double (local.get 0)))))
      ...> \""")
      iex> instance = Wasgo.Wasm.Instance.new!(module, imports: %{"env" => %{"double" => {[:i64], [:i64], &(&1 * 2)}}})
      iex> Wasgo.Wasm.Instance.call(instance, "quadruple", [10])
      {:ok, [40]}

  The types are `:i32`, `:i64`, `:f32`, `:f64` and `:v128`. A function returns one value for one result, a list for several; what it returns
  for none is ignored. A function with one parameter more than is declared gets a `Wasgo.Wasm.Caller` first: through it, it reads and writes
  the memory of the guest that called it, and may call the guest again.

  Functions run in a process of their own, one for each call of the guest, which has the caller among its `$callers`. An
  exception, throw or exit ends the call with a `Wasgo.TrapError` of the reason `:import` that bears its message. The time that a function takes
  counts as the call's own: when that is over the process is killed.

  ## What is granted by name

  `grant:` is a list of these. A module imports the functions from the module `"wasgo"`, a component from interfaces of the package
  `wasgo:script`, as `guest/README.md` says for authors; what they do, and how much of it they do, is the same.

  | grant | to a module | to a component | |
  | --- | --- | --- | --- |
  | `:log`, `{:log, function}` | `log` | `log` | lines for `Logger`, or for `function.(level, text)`, told at the end of each call |
  | `:clock` | `clock_ms`, `monotonic_ns` | WASI's clocks | the time |
  | `:random`, `{:random, seed}` | `random`, `random_fill` | WASI's random numbers | from the system, or the same each time from a seed |
  | `{:state, state}` | `state_get`, `state_set`, `state_delete` | `state` | keys and values of a `Wasgo.Script.State` |
  | `{:sql, store}` | `sql`, `sql_error` | `sql` | statements on a `Wasgo.Store`; on some of its tables where the handle is restricted (`Wasgo.Store.restrict/2`) |
  | `:emit` | `emit` | `emit` | buffers beside the call's result |

  A guest's statements have the tables of the database that it was granted and nothing else: they attach and write no other file, change
  nothing about the connection, leave no transaction open, and end with the call that asked them. Of what a guest logs 256 lines a call (or
  row) of up to 4 KiB are passed on, and 4 MiB for all rows of a batch together.
  """

  alias Wasgo.Native
  alias Wasgo.Native.Result

  @enforce_keys [:resource, :functions, :log]
  defstruct [:resource, :functions, :log]

  @typedoc "The type of a parameter or result."
  @type value_type :: :i32 | :i64 | :f32 | :f64 | :v128

  @typedoc "Imports written in Elixir, by module and name."
  @type functions :: %{
          String.t() => %{String.t() => {[value_type()], [value_type()], fun()}}
        }

  @typedoc "A function that Rust grants."
  @type grant ::
          :log
          | {:log, (Logger.level(), String.t() -> any())}
          | :clock
          | :random
          | {:random, seed :: non_neg_integer()}
          | {:state, Wasgo.Script.State.t()}
          | {:sql, Wasgo.Store.t()}
          | :emit

  @opaque t :: %__MODULE__{
            resource: reference(),
            functions: tuple(),
            log: (Logger.level(), String.t() -> any()) | nil
          }

  @types [:i32, :i64, :f32, :f64, :v128]

  @doc false
  # The options of everything that takes imports.
  def options, do: [imports: [type: :map, default: %{}], grant: [type: :list, default: []]]

  @doc false
  # None where nothing is given.
  @spec new(map(), boolean(), String.t()) :: {:ok, t() | nil} | {:error, Exception.t()}
  def new(%{imports: imports, grant: []}, _deterministic?, _owner) when imports == %{},
    do: {:ok, nil}

  def new(%{imports: imports, grant: grants}, deterministic?, owner) do
    functions =
      for {module, names} <- pairs!(imports, "imports", owner),
          {name, function} <- pairs!(names, "imports of #{inspect(module)}", owner),
          do: function!(module, name, function, owner)

    native =
      for {module, name, parameters, results, _} <- functions,
          do: {module, name, parameters, results}

    granted = Enum.map(grants, &grant!(&1, deterministic?, owner))

    with {:ok, resource} <- Result.await(Native.wasm_imports(native, granted)) do
      table =
        for {_module, _name, parameters, _results, function} <- functions,
            do: {function, is_function(function, length(parameters) + 1)}

      {:ok, %__MODULE__{resource: resource, functions: List.to_tuple(table), log: log(grants)}}
    end
  end

  @doc false
  # With functions whose types are known elsewhere.
  @spec with_functions(t() | nil, [{fun(), boolean()}]) :: t() | nil
  def with_functions(imports, []), do: imports

  def with_functions(nil, table),
    do: %__MODULE__{resource: nil, functions: List.to_tuple(table), log: nil}

  def with_functions(imports, table), do: %{imports | functions: List.to_tuple(table)}

  @doc false
  def resource(nil), do: nil
  def resource(%__MODULE__{resource: resource}), do: resource

  @doc false
  def log(%__MODULE__{log: log}, lines) do
    Enum.each(lines, fn {level, text} -> log && log.(level, text) end)
  end

  defp log(grants) do
    Enum.find_value(grants, fn
      :log -> &to_logger/2
      {:log, function} -> function
      _other -> nil
    end)
  end

  defp to_logger(level, text) do
    require Logger
    Logger.log(level, text, domain: [:wasgo, :guest])
  end

  defp pairs!(%{} = map, _what, _owner) when not is_struct(map), do: Map.to_list(map)

  defp pairs!(other, what, owner),
    do:
      raise(ArgumentError, "#{what} of #{owner} must be a map by name, and is: #{inspect(other)}")

  defp function!(module, name, {parameters, results, function} = given, owner)
       when is_binary(module) and is_binary(name) and is_list(parameters) and is_list(results) and
              is_function(function) do
    unless Enum.all?(parameters ++ results, &(&1 in @types)),
      do: refuse!(module, name, given, owner)

    arity = length(parameters)

    unless is_function(function, arity) or is_function(function, arity + 1) do
      raise ArgumentError,
            "import #{inspect(module)} #{inspect(name)} of #{owner} declares #{arity} parameters: its function must take " <>
              "as many, or one more for the caller, and is: #{inspect(function)}"
    end

    {module, name, parameters, results, function}
  end

  defp function!(module, name, given, owner), do: refuse!(module, name, given, owner)

  defp refuse!(module, name, given, owner) do
    raise ArgumentError,
          "import #{inspect(module)} #{inspect(name)} of #{owner} must be {parameter_types, result_types, function}, " <>
            "with types of #{inspect(@types)}, and is: #{inspect(given)}"
  end

  @most_seed 0xFFFF_FFFF_FFFF_FFFF

  defp grant!(:log, _deterministic?, _owner), do: :log
  defp grant!({:log, function}, _deterministic?, _owner) when is_function(function, 2), do: :log
  defp grant!(:emit, _deterministic?, _owner), do: :emit
  defp grant!(:clock, false, _owner), do: :clock
  defp grant!(:random, false, _owner), do: {:random, nil}

  defp grant!({:random, seed}, _deterministic?, _owner)
       when is_integer(seed) and seed in 0..@most_seed,
       do: {:random, seed}

  defp grant!({:state, %Wasgo.Script.State{resource: resource}}, _deterministic?, _owner),
    do: {:state, resource}

  defp grant!({:sql, %Wasgo.Store{resource: resource, access: access}}, false, _owner),
    do: {:sql, resource, access}

  defp grant!(grant, true, owner) when grant in [:clock, :random] or elem(grant, 0) == :sql do
    raise ArgumentError,
          "#{owner} can't grant #{inspect(grant)} to a deterministic guest, whose results must be the same on every run" <>
            if(grant == :random, do: ": give it a seed, as in random: 42", else: "")
  end

  defp grant!(grant, _deterministic?, owner) do
    raise ArgumentError,
          "#{owner} can't grant #{inspect(grant)}: see Wasgo.Wasm.Imports for what there is"
  end

  defimpl Inspect do
    def inspect(imports, _opts) do
      logs = if imports.log, do: ", logs", else: ""
      "#Wasgo.Wasm.Imports<#{tuple_size(imports.functions)} functions#{logs}>"
    end
  end
end
