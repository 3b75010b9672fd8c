defmodule Wasgo.Wasm.Module do
  @moduledoc """
  A compiled WebAssembly module.

      iex> {:ok, module} = Wasgo.Wasm.Module.compile(~s|(module (func (export "one") (result i32) i32.const 1))|)
      iex> module.exports
      [%{name: "one", kind: :func, type: "() -> i32"}]

  Compiling runs on threads of the engine, never on a scheduler. A module is shared by all processes of the VM, costs nothing
  to send, and is freed when nobody refers to it any more.
  """

  alias Wasgo.{Native, Telemetry}
  alias Wasgo.Native.Result
  alias Wasgo.Wasm.{Cache, Engine}

  @enforce_keys [:resource, :ref, :imports, :exports, :size]
  defstruct [:resource, :ref, :imports, :exports, :size, deterministic: false]

  @typedoc """
  An import (with `module`) or export: its kind and its type as text, such as `"(i32, i32) -> i64"`.
  """
  @type extern :: %{
          optional(:module) => String.t(),
          name: String.t(),
          kind: :func | :memory | :table | :global | :tag,
          type: String.t()
        }

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          imports: [extern()],
          exports: [extern()],
          size: non_neg_integer(),
          deterministic: boolean()
        }

  @options [deterministic: [type: :boolean, default: false]]

  @doc """
  Compiles WebAssembly bytes or WAT text.

  Options:

    * `:deterministic` - whether instances give the same bytes for the same module, calls and inputs on every machine, under any load. Calls
      are then held to fuel (`fuel:` of `Wasgo.Wasm.Instance.call/4`) instead of time, NaNs are canonical, and clocks can't be granted. Such
      code is a third slower or so. `false` unless given

  Bytes that were compiled before, here or by another VM of the same user, are loaded and not compiled: see `Wasgo.Wasm.Cache`.

  Errors: `Wasgo.CompileError` for what is no valid module, `Wasgo.LimitError` for one that is over a limit, or when too many wait to
  be compiled.

  ## Limits

  A module that is over one of these is refused before anything of it is compiled. Each is far above what compilers of real languages emit,
  and keeps a small module from being hours of work:

  | limit | value | why |
  | --- | --- | --- |
  | `module_size` | 256 MiB | pre-initialised container images have up to 105 MB |
  | `module_types` | 10,000 | each takes 0.14 ms; programs have hundreds |
  | `module_imports` | 10,000 | programs have hundreds |
  | `module_functions` | 200,000 | each takes 0.05 ms and 5 KB at least; language runtimes have up to 30,000 |
  | `module_exports` | 100,000 | dynamically linked programs export all that they have |
  | `module_data_segments` | 30,000 | more take a minute to compile; programs whose memory is made an image of, as snapshots of containers are, may have 100,000 |
  | `module_elements` | 200,000 | entries of tables, as for functions |
  | `function_size` | 2 MiB | takes some ten seconds and 1 GB; interpreters' main loops have some 100 KB |
  | `function_loops` | 2,000 | the time grows with their square |
  | `loop_depth` | 100 | the time grows with its cube; compilers nest some ten |
  | `loop_work` | 20,000 ms | what the loops of all functions make compiling take, estimated; large interpreters' take some tens |

      iex> {:error, error} = Wasgo.Wasm.Module.compile("(module (func (result i32)))")
      iex> error.__struct__
      Wasgo.CompileError
  """
  @spec compile(binary(), keyword()) :: {:ok, t()} | {:error, Exception.t()}
  def compile(source, options \\ []) when is_binary(source) do
    %{deterministic: deterministic?} =
      Wasgo.Options.validate!(options, @options, "Wasgo.Wasm.Module.compile/2")

    Cache.ready()

    with {:ok, {resource, {imports, exports, size}}} <- compiled(source, deterministic?) do
      {:ok,
       %__MODULE__{
         resource: resource,
         ref: make_ref(),
         imports: Enum.map(imports, &import_info/1),
         exports: Enum.map(exports, &export_info/1),
         size: size,
         deterministic: deterministic?
       }}
    end
  end

  defp compiled(source, deterministic?) do
    Telemetry.span(:compile, %{bytes: byte_size(source)}, %{kind: :module}, fn ->
      Result.await(start(source, deterministic?))
    end)
  end

  # Above this, copying the source takes longer than a scheduler may be held.
  defp start(source, deterministic?) when byte_size(source) <= 1_048_576,
    do: Native.wasm_compile(source, deterministic?)

  defp start(source, deterministic?), do: Native.wasm_compile_dirty(source, deterministic?)

  @doc """
  As `compile/2`, but raises.

      iex> Wasgo.Wasm.Module.compile!(File.read!("guest/scripts/wander.wasm"), deterministic: true).deterministic
      true
  """
  @spec compile!(binary(), keyword()) :: t()
  def compile!(source, options \\ []), do: Result.bang!(compile(source, options))

  @doc """
  Says what bytes or WAT text are, without compiling them: whether they are valid, what they want and offer, their size in bytes as
  WebAssembly. For an upload's check, say: it takes some ten milliseconds for each megabyte.

      iex> {:ok, info} = Wasgo.Wasm.Module.validate(~s|(module (memory (export "memory") 1 2))|)
      iex> info
      %{kind: :module, imports: [], exports: [%{name: "memory", kind: :memory, type: "1..2 pages"}], size: 26}

  Errors are those of `compile/2`, and a module without one here is one that `compile/2` compiles.
  """
  @spec validate(binary()) ::
          {:ok,
           %{
             kind: :module | :component,
             imports: [extern()],
             exports: [extern()],
             size: non_neg_integer()
           }}
          | {:error, Exception.t()}
  def validate(source) when is_binary(source) do
    Engine.ready()

    with {:ok, {kind, imports, exports, size}} <- Result.await(Native.wasm_validate(source)) do
      imports = Enum.map(imports, &import_info/1)

      {:ok,
       %{kind: kind, imports: imports, exports: Enum.map(exports, &export_info/1), size: size}}
    end
  end

  @doc """
  Compiles a file. Beside the errors of `compile/2`, a `File.Error` for one that can't be read.

      iex> {:ok, module} = Wasgo.Wasm.Module.compile_file("guest/scripts/lamp.wat")
      iex> for export <- module.exports, export.kind == :func, do: export.name
      ["wasgo_alloc", "_columns", "_notification"]
  """
  @spec compile_file(Path.t(), keyword()) :: {:ok, t()} | {:error, Exception.t()}
  def compile_file(path, options \\ []) do
    case File.read(path) do
      {:ok, source} ->
        compile(source, options)

      {:error, reason} ->
        {:error, %File.Error{reason: reason, action: "read file", path: to_string(path)}}
    end
  end

  defp import_info({module, name, kind, type}),
    do: %{module: module, name: name, kind: kind, type: type}

  defp export_info({_module, name, kind, type}), do: %{name: name, kind: kind, type: type}

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(module, _opts) do
      exports = Enum.map_join(module.exports, ", ", & &1.name)
      concat(["#Wasgo.Wasm.Module<", "#{module.size} bytes, exports: ", exports, ">"])
    end
  end
end
