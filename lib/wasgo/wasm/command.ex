defmodule Wasgo.Wasm.Command do
  @moduledoc """
  Runs WASI programs (preview 1 *command modules*: what C, C++, Rust, Go, Zig and others compile to for the target `wasm32-wasi`) that begin,
  do their work and end, as a program of the operating system does.

      iex> module = Wasgo.Wasm.Module.compile!(\"""
      ...> (module
      ...>   (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      ...>   (memory (export "memory") 1)
      ...>   (data (i32.const 0) "\\\\08\\\\00\\\\00\\\\00\\\\06\\\\00\\\\00\\\\00hello\\\\n")
      ...>   (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
      ...> \""")
      iex> Wasgo.Wasm.Command.run(module)
      {:ok, %{status: 0, stdout: "hello\\n", stderr: ""}}

  There are three ways to the same thing:

    * `run/2` waits for the end and returns all that was written;
    * `stream/3` is a lazy stream of what is written, for data of any length in memory of a fixed size;
    * `start/2` hands over a running program that speaks with its owner by messages, as a port does.

  For a program that lives long and answers requests see `Wasgo.Service`.

  ## What a program is given

  Nothing that is not granted by an option: no files, no network, no environment, no time of day, no randomness. It has its arguments, its three
  standard streams, and it can sleep and measure the time since its start.

    * `:args` - a list of strings; `:name`, the program's own name before them (`argv[0]`), is `"command"` unless given
    * `:env` - a map or list of pairs of strings, empty unless given
    * `:dirs` - directories of the host, as `{host_path, guest_path, access}` with the access `:ro` or `:rw`: see below
    * `:quota` - bytes that may be stored in the directories that it may write to, with what is there already; each file, directory and link counts
      for 4,096 more. Without it there is no limit but the disk's
    * `:clock` - `true` for the time of day; `{:frozen, time}` for one that stands still, at a `DateTime` or nanoseconds since 1970; `{:offset, ms}` for
      the time of day so many milliseconds later, or earlier if negative; without it, it is always the beginning of 1970
    * `:random` - `true` for the host's randomness, `{:seed, number}` for bytes that are the same at each run, by ChaCha8 as a script's random numbers
      (`Wasgo.Wasm.Imports`); without it they are those of the seed 0
    * `:limits` - a `Wasgo.Wasm.Limits` or keyword list; memory is 256 MiB unless given
    * `:timeout` - milliseconds that it may take, by the clock on the wall, or `:infinity`

  ## Directories

  A program reaches what is beneath the directory and nothing else: `..`, absolute paths and symbolic links that lead out of it are refused, and what the
  program links is confined in the same way. In a directory that is `:ro` everything that would change something is refused. A refusal is an
  error number (`EPERM`, `ENOSPC` for what `:quota` refuses) for the program, which may go on. One thing no option limits: the memory for a
  directory's listing. A directory with devices or named pipes in it is not for programs that nobody trusts: to open a pipe waits
  for its other end, and there are only eight threads for such waiting in all.

  ## Limits

  | limit | value | what happens |
  | --- | --- | --- |
  | memory, tables, stack | `:limits` | as for `Wasgo.Wasm.Instance` |
  | time | `:timeout` | `Wasgo.LimitError` `:time` |
  | output | `:max_output` of `run/2` | `Wasgo.LimitError` `:result_size` |
  | output that nobody has read | 1 MiB | the program waits |
  | input that the program has not read | 1 MiB | its source waits |
  | files, directories and events waited for at once | 256 | `Wasgo.LimitError` `:descriptors` |
  | arguments and variables | 4,096 | `Wasgo.LimitError` `:arguments` |
  | their bytes | 256 KiB | `Wasgo.LimitError` `:argument_bytes` |

  The program runs in slices like every guest and holds no scheduler; nor does a file system that it waits for.

  ## How it ends

  The status is the number that the program gave as a signed 32-bit integer, 0 if it gave none; other systems keep only its lowest 8 bits. Whatever
  the status is, it is `{:ok, _}`: what it means is between the program and who runs it. Errors are `Wasgo.TrapError` (the message ends with what the
  program last wrote to its standard error), `Wasgo.LimitError`, `Wasgo.LinkError` for an import that is missing, `Wasgo.DecodeError` for a module
  that is no WASI program, and `File.Error` for a directory that can't be opened.

  With the end of the process that started it a program is stopped.
  """

  alias Wasgo.{LimitError, Native, TrapError}
  alias Wasgo.Native.Result
  alias Wasgo.Wasm.{Command.Feed, Limits, Module, Program}

  @enforce_keys [:resource, :ref, :module]
  defstruct [:resource, :ref, :module]

  @opaque resource :: reference()

  @typedoc "A running program, for the process that started it."
  @type t :: %__MODULE__{resource: resource(), ref: reference(), module: Module.t()}

  @typedoc "What a program's standard input is made of."
  @type input :: iodata() | Enumerable.t()

  @type event ::
          {:stdout, binary()}
          | {:stderr, binary()}
          | :input_ready
          | {:exit, integer()}
          | {:error, Exception.t()}

  @default_timeout 5_000
  @max_output 16 * 1_048_576

  # Bytes of the standard error that a trap's message has at most.
  @last_words 500

  @strings {:list_of, {:pair, :string, :string}}

  @options [
             args: [type: {:list_of, :string}, default: []],
             env: [type: {:or, [:map, @strings]}, default: []],
             name: [type: :string, default: "command"],
             limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []],
             timeout: [type: {:or, [:timeout, {:in, [:infinity]}]}, default: :infinity]
           ] ++ Program.grants(false)

  @run_options [
    timeout: [type: {:or, [:timeout, {:in, [:infinity]}]}, default: @default_timeout],
    stdin: [type: {:or, [:binary, :list, :enumerable]}, default: ""],
    max_output: [type: :non_neg_integer, default: @max_output]
  ]

  @doc """
  Runs a program to its end.

  Beside the options above:

    * `:stdin` - what it reads: iodata, or an enumerable of iodata, of which no more is taken than the program reads. Empty unless given
    * `:max_output` - bytes that it may write to its standard output, and as many to its standard error; 16 MiB unless given
    * `:timeout` - is #{@default_timeout} unless given

  An enumerable that is not a list is run in a process of its own, which is linked to the caller and ended with the program. What it raises is raised
  by this function.

      iex> {:ok, module} = Wasgo.Wasm.Module.compile_file("guest/services/namer.wasm")
      iex> Wasgo.Wasm.Command.run(module, stdin: "0 0 3 60 45 0.1 10 3\\n")
      {:ok, %{status: 0, stderr: "", stdout: "READY\\nUpper Whitlow Fell\\n"}}
  """
  @spec run(Module.t(), keyword()) ::
          {:ok, %{status: integer(), stdout: binary(), stderr: binary()}}
          | {:error, Exception.t()}
  def run(%Module{} = module, options \\ []) do
    owner = "Wasgo.Wasm.Command.run/2"
    options = Wasgo.Options.validate!(options, Keyword.merge(@options, @run_options), owner)

    input = Feed.input(options.stdin)

    with {:ok, command} <- open(module, options, owner) do
      feed = Feed.start(command.resource, input)
      collect(command, feed, {[], 0}, {[], 0}, options.max_output)
    end
  end

  @doc """
  A lazy stream of what a program writes while it reads `input`.

      module
      |> Wasgo.Wasm.Command.stream(File.stream!("big.csv", [], 65_536), args: ["--sum"])
      |> Enum.each(fn
        {:stdout, bytes} -> IO.write(bytes)
        {:stderr, bytes} -> IO.write(:stderr, bytes)
        {:exit, status} -> IO.puts("ended with \#{status}")
        {:error, exception} -> IO.puts(Exception.message(exception))
      end)

  The last element is `{:exit, status}`, or `{:error, exception}` for a program that failed or could not be started. The pieces are cut anywhere; those of both
  outputs come in the order in which they were written.

  The program is started when the stream is run, anew each time. It waits while nobody takes from the stream, and `input` waits while the program does not read:
  memory for about 1 MiB each way is all that is needed, however much goes through. A stream that is not run to its end stops the program.

  Options are those above; `:timeout` is `:infinity` unless given, and counts the time that the program waits for others.

      iex> {:ok, module} = Wasgo.Wasm.Module.compile_file("guest/services/namer.wasm")
      iex> output = Wasgo.Wasm.Command.stream(module, ["0 0 3 60 45 0.1 10 3\\n"])
      iex> for {:stdout, text} <- output, into: "", do: text
      "READY\\nUpper Whitlow Fell\\n"
  """
  @spec stream(Module.t(), input(), keyword()) :: Enumerable.t()
  def stream(%Module{} = module, input, options \\ []) do
    owner = "Wasgo.Wasm.Command.stream/3"
    options = Wasgo.Options.validate!(options, @options, owner)
    input!(input, owner)
    Stream.resource(fn -> begin(module, input, options, owner) end, &take/1, &finish/1)
  end

  @doc """
  Starts a program that speaks with the calling process by messages. Hand each to `event/2`, which says what it means.

      {:ok, command} = Wasgo.Wasm.Command.start(module, args: ["-v"])
      :ok = Wasgo.Wasm.Command.write(command, "question\\n")

      receive do
        message -> Wasgo.Wasm.Command.event(command, message)
      end
      #=> {:stdout, "answer\\n"}
  """
  @spec start(Module.t(), keyword()) :: {:ok, t()} | {:error, Exception.t()}
  def start(%Module{} = module, options \\ []) do
    owner = "Wasgo.Wasm.Command.start/2"
    open(module, Wasgo.Options.validate!(options, @options, owner), owner)
  end

  @doc """
  What a message says about a program:

    * `{:stdout, bytes}`, `{:stderr, bytes}` - it wrote. With this call it may write as much again: a process that does not take its messages stops the program
      after 1 MiB of each
    * `:input_ready` - there is room for more input, after `write/2` said that there was none
    * `{:exit, status}`, `{:error, exception}` - it ended; this is the last message
    * `:unknown` - the message is none of this program's

  ## Examples

      iex> {:ok, module} = Wasgo.Wasm.Module.compile_file("guest/services/namer.wasm")
      iex> {:ok, command} = Wasgo.Wasm.Command.start(module)
      iex> Wasgo.Wasm.Command.event(command, :something_else)
      :unknown
  """
  @spec event(t(), term()) :: event() | :unknown
  def event(%__MODULE__{ref: ref, resource: resource}, {:wasgo_service, ref, event}) do
    case event do
      {:stdout, bytes} ->
        Native.service_give_credit(resource, byte_size(bytes), 0)
        event

      {:stderr, bytes} ->
        Native.service_give_credit(resource, 0, byte_size(bytes))
        event

      :input_ready ->
        :input_ready

      {:exit, {:ok, status}} ->
        {:exit, status}

      {:exit, {:error, fault}} ->
        {:error, Result.exception(fault)}
    end
  end

  def event(%__MODULE__{}, _message), do: :unknown

  @doc """
  Writes to a program's standard input, from any process and without waiting. `{:full, rest}` gives back what there was no room for: it can be written after
  the event `:input_ready`. `:closed` means that the input was closed or the program has ended.

      iex> {:ok, module} = Wasgo.Wasm.Module.compile_file("guest/services/namer.wasm")
      iex> {:ok, command} = Wasgo.Wasm.Command.start(module)
      iex> Wasgo.Wasm.Command.write(command, "0 0 3 60 45 0.1 10 3\\n")
      :ok
  """
  @spec write(t(), iodata()) :: :ok | {:full, binary()} | :closed
  def write(%__MODULE__{resource: resource}, bytes) do
    Program.write(resource, IO.iodata_to_binary(bytes))
  end

  @doc """
  Ends a program's standard input.

      iex> {:ok, module} = Wasgo.Wasm.Module.compile_file("guest/services/namer.wasm")
      iex> {:ok, command} = Wasgo.Wasm.Command.start(module)
      iex> Wasgo.Wasm.Command.close_input(command)
      :ok
  """
  @spec close_input(t()) :: :ok
  def close_input(%__MODULE__{resource: resource}), do: Native.service_close_input(resource)

  @doc """
  Stops a program wherever it is. Its last event, `{:error, %Wasgo.InstanceError{reason: :cancelled}}`, follows; one that has ended before is not harmed.

      iex> {:ok, module} = Wasgo.Wasm.Module.compile_file("guest/services/namer.wasm")
      iex> {:ok, command} = Wasgo.Wasm.Command.start(module)
      iex> Wasgo.Wasm.Command.stop(command)
      :ok
  """
  @spec stop(t()) :: :ok
  def stop(%__MODULE__{resource: resource}), do: Native.service_stop(resource)

  defp open(module, options, owner) do
    program =
      options
      |> Map.take([:dirs, :quota, :clock, :random, :timeout])
      |> Map.put(:arguments, [options.name | options.args])
      |> Map.put(:environment, environment!(options.env, owner))
      |> Map.put(:limits, Program.limits(options.limits))

    Program.check!(program, owner)

    with {:ok, {resource, ref}} <- Program.start(module, program) do
      {:ok, %__MODULE__{resource: resource, ref: ref, module: module}}
    end
  end

  # A map's keys and values are not checked by its type.
  defp environment!(env, owner) do
    pairs = Enum.to_list(env)
    Wasgo.Options.validate!([env: pairs], [env: [type: @strings]], owner).env
  end

  defp input!(input, owner) do
    Wasgo.Options.validate!([input: input], [input: @run_options[:stdin]], owner)
  end

  # Waits for what is to be handed on.
  defp next(%{ref: ref} = command, %{reference: reference} = feed) do
    receive do
      {:wasgo_service, ^ref, :input_ready} ->
        next(command, Feed.go_on(feed))

      {:wasgo_service, ^ref, _event} = message ->
        {event(command, message), feed}

      {^reference, {:raised, _kind, _reason, _stacktrace} = raised} when reference != nil ->
        {raised, feed}
    end
  end

  defp collect(command, feed, stdout, stderr, max_output) do
    case next(command, feed) do
      {{:stdout, bytes}, feed} ->
        stdout = add(stdout, bytes)
        go_on(command, feed, stdout, stderr, max_output, {"stdout", stdout})

      {{:stderr, bytes}, feed} ->
        stderr = add(stderr, bytes)
        go_on(command, feed, stdout, stderr, max_output, {"stderr", stderr})

      {{:exit, status}, feed} ->
        Feed.stop(feed)
        {:ok, %{status: status, stdout: all(stdout), stderr: all(stderr)}}

      {{:error, exception}, feed} ->
        Feed.stop(feed)
        {:error, last_words(exception, all(stderr))}

      {{:raised, kind, reason, stacktrace}, feed} ->
        stop_all(command, feed)
        :erlang.raise(kind, reason, stacktrace)
    end
  end

  defp go_on(command, feed, _stdout, _stderr, max_output, {name, {_written, size}})
       when size > max_output do
    stop_all(command, feed)
    message = "the program wrote over #{max_output} bytes to its #{name}, which is its limit"
    {:error, %LimitError{reason: :result_size, message: message, value: max_output}}
  end

  defp go_on(command, feed, stdout, stderr, max_output, _written) do
    collect(command, feed, stdout, stderr, max_output)
  end

  defp add({written, size}, bytes), do: {[written | bytes], size + byte_size(bytes)}

  defp all({written, _size}), do: IO.iodata_to_binary(written)

  # Programs say why they give up before they trap.
  defp last_words(%TrapError{} = error, stderr) when stderr != "" do
    words =
      stderr
      |> binary_part(byte_size(stderr), -min(byte_size(stderr), @last_words))
      |> String.chunk(:valid)
      |> Enum.filter(&String.valid?/1)
      |> Enum.join()
      |> String.trim()

    %{error | message: error.message <> "; its standard error ends with: " <> words}
  end

  defp last_words(error, _stderr), do: error

  defp begin(module, input, options, owner) do
    input = Feed.input(input)

    with {:ok, command} <- open(module, options, owner) do
      {:running, command, Feed.start(command.resource, input)}
    end
  end

  defp take({:running, command, feed}) do
    case next(command, feed) do
      {{:exit, _status} = last, feed} -> {[last], {:ended, feed}}
      {{:error, _exception} = last, feed} -> {[last], {:ended, feed}}
      {{:raised, kind, reason, stacktrace}, _feed} -> :erlang.raise(kind, reason, stacktrace)
      {output, feed} -> {[output], {:running, command, feed}}
    end
  end

  defp take({:error, _exception} = failure), do: {[failure], :failed}
  defp take(ended), do: {:halt, ended}

  defp finish({:running, command, feed}), do: stop_all(command, feed)
  defp finish({:ended, feed}), do: Feed.stop(feed)
  defp finish(_failed), do: :ok

  # Nothing of the program is left in the mailbox after: its end is the last that it tells.
  defp stop_all(%{ref: ref} = command, feed) do
    stop(command)
    wait(ref)
    Feed.stop(feed)
  end

  defp wait(ref) do
    receive do
      {:wasgo_service, ^ref, {:exit, _result}} -> :ok
      {:wasgo_service, ^ref, _event} -> wait(ref)
    end
  end

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(command, opts) do
      concat(["#Wasgo.Wasm.Command<", to_doc(command.module, opts), ">"])
    end
  end
end
