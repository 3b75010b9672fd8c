defmodule Wasgo.Stage do
  @moduledoc """
  The one contract that every kind of work implements: buffers in, buffers out.

  A stage is a module with a few callbacks over a state of its own. It has no process and no runtime: `Wasgo.Pipeline` runs it
  as a lazy Elixir stream, and other runtimes can run the same module.

      defmodule Upcase do
        use Wasgo.Stage

        @impl true
        def handle_buffer(buffer, state) do
          {:ok, [%{buffer | payload: String.upcase(buffer.payload)}], state}
        end
      end

      iex> [Wasgo.Buffer.new("a"), Wasgo.Buffer.new("b")]
      ...> |> Wasgo.Pipeline.through(Wasgo.StageTest.Upcase)
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload end)
      ["A", "B"]

  ## Kinds

  A stage with `c:handle_demand/2` is a *source*: it makes buffers when it is asked for some. One with `c:handle_buffer/2` is a
  *filter*, or a *sink* when what it does with a buffer is done elsewhere; a sink passes its buffers on, so that whoever runs the
  stream sees what has arrived.

  ## Errors

  What goes wrong with one buffer is `{:error, exception, state}`: the buffer is dropped, the error takes its place in the stream,
  and the stage goes on. What ends the stage is `{:stop, exception, state}`.

  ## Formats

  Where a stream says what it carries, as Membrane's do, `c:handle_format/2` is told before the first buffer and at each change, and says what
  the stage's own buffers will be: one of the structs of `Wasgo.Format`, or any other. Plain Elixir streams have no formats: a stage looks at its
  payloads all the same.

  ## Several at once

  A stage that says by `c:stateless?/1` that no buffer changes what it does with another may be run in several processes at once, each with a
  state of its own from `c:init/1`. What comes of the buffers keeps their order.

  ## Options

  `c:options/0` is a schema; options are checked against it when the pipeline is built, not at the first buffer, and a wrong one
  raises an `ArgumentError` that names it. Types are those of the schema's examples in this library: `:string`, `:pos_integer`,
  `{:in, list}`, `{:struct, module}` and so on.

  ## Cleaning up

  `c:terminate/1` is called once for every `c:init/1` that succeeded, however the stream ended: by itself, by an error, or because
  its consumer wanted no more.
  """

  alias Wasgo.Buffer

  @type state :: term()

  @typedoc "What handling gave: buffers to pass on, an error in place of the buffer, or the end of the stage."
  @type result ::
          {:ok, [Buffer.t()], state()}
          | {:error, Exception.t(), state()}
          | {:stop, Exception.t(), state()}

  @doc "The schema of the stage's options."
  @callback options() :: keyword()

  @doc """
  Checks what the schema can't say of the options, all of which it has checked: `{:error, message}` becomes an `ArgumentError` when the
  pipeline is built.
  """
  @callback check(options :: map()) :: :ok | {:error, String.t()}

  @doc "Makes the state from the checked options, as a map. Opens what the stage needs."
  @callback init(options :: map()) :: {:ok, state()} | {:error, Exception.t()}

  @doc "A source makes up to `size` buffers, which may take time; `:end_of_stream` with the last ones."
  @callback handle_demand(size :: pos_integer(), state()) ::
              result() | {:end_of_stream, [Buffer.t()], state()}

  @doc "A filter or sink takes a buffer."
  @callback handle_buffer(Buffer.t(), state()) :: result()

  @doc "No more buffers come; what was kept back goes out now."
  @callback handle_end_of_stream(state()) :: result()

  @doc """
  The stream carries `format` from here on: the format of what the stage makes of it. A source is asked with `nil`.
  """
  @callback handle_format(format :: struct() | nil, state()) ::
              {:ok, struct() | nil, state()} | {:error, Exception.t(), state()}

  @doc "Whether what the stage does with a buffer is independent of all other buffers."
  @callback stateless?(options :: map()) :: boolean()

  @doc "Gives back what `c:init/1` opened."
  @callback terminate(state()) :: term()

  @optional_callbacks check: 1,
                      handle_demand: 2,
                      handle_buffer: 2,
                      handle_format: 2,
                      stateless?: 1

  defmacro __using__(_options) do
    quote do
      @behaviour Wasgo.Stage

      @impl true
      def options, do: []

      @impl true
      def init(options), do: {:ok, options}

      @impl true
      def handle_end_of_stream(state), do: {:ok, [], state}

      @impl true
      def handle_format(format, state), do: {:ok, format, state}

      @impl true
      def stateless?(_options), do: false

      @impl true
      def terminate(_state), do: :ok

      defoverridable options: 0,
                     init: 1,
                     handle_end_of_stream: 1,
                     handle_format: 2,
                     stateless?: 1,
                     terminate: 1
    end
  end

  @typedoc "A stage with its options, as a pipeline is given it."
  @type spec :: module() | {module(), keyword()}

  @doc """
  A stage's module and checked options. Raises `ArgumentError` for what is no stage, or for options that are wrong.

      iex> Wasgo.Stage.check!({Wasgo.Stages.Collect, []})
      {Wasgo.Stages.Collect, %{max_bytes: 67108864}}
      iex> Wasgo.Stage.check!({Wasgo.Stages.Collect, rows: 3})
      ** (ArgumentError) Wasgo.Stages.Collect has no option :rows; it has :max_bytes
  """
  @spec check!(spec()) :: {module(), map()}
  def check!({module, options}) when is_atom(module) do
    unless Code.ensure_loaded?(module) and function_exported?(module, :options, 0) and
             function_exported?(module, :init, 1) do
      raise ArgumentError, "#{inspect(module)} is no Wasgo.Stage"
    end

    options = Wasgo.Options.validate!(options, module.options(), inspect(module))

    with true <- function_exported?(module, :check, 1),
         {:error, message} <- module.check(options) do
      raise ArgumentError, "#{inspect(module)}: #{message}"
    end

    {module, options}
  end

  def check!(module) when is_atom(module), do: check!({module, []})

  def check!(other) do
    raise ArgumentError, "a stage is a module or {module, options}, not #{inspect(other)}"
  end

  @doc """
  Whether a stage with these checked options may be run in several processes at once.

      iex> {module, options} = Wasgo.Stage.check!({Wasgo.Stages.Transform, with: &{:ok, &1}})
      iex> Wasgo.Stage.stateless?(module, options)
      true
  """
  @spec stateless?(module(), map()) :: boolean()
  def stateless?(module, options) do
    Code.ensure_loaded?(module) and function_exported?(module, :stateless?, 1) and
      module.stateless?(options)
  end

  @doc """
  Whether a stage makes buffers by itself.

      iex> {Wasgo.Stage.source?(Wasgo.Stages.Generate), Wasgo.Stage.source?(Wasgo.Stages.Script)}
      {true, false}
  """
  @spec source?(module()) :: boolean()
  def source?(module) do
    Code.ensure_loaded?(module) and function_exported?(module, :handle_demand, 2)
  end
end
