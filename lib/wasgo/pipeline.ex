defmodule Wasgo.Pipeline do
  @moduledoc """
  Runs stages as a lazy Elixir stream.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{Wasgo.Stages.Generate, plan: plan, chunks: [{0, 0}, {1, 0}]}]
      ...> |> Wasgo.Pipeline.stream()
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload.coordinate end)
      [{0, 0}, {1, 0}]

  Elements are `{:ok, buffer}`, and `{:error, exception}` where a buffer failed; an error passes through the stages behind it
  unchanged. Nothing runs before the stream is consumed, and nothing runs ahead of the consumer but what a source says of itself:
  a slow consumer slows the source. However the stream ends, every stage that began is terminated.

  ## Four shapes

  A stream is for a process that has nothing else to do. The same stages can be

    * a **stream**: this module
    * a **reader**, which any process reads from when it likes: `Wasgo.Pipeline.Reader`
    * a **writer**, which any process writes to: `Wasgo.Pipeline.Writer`
    * **messages** to a process, as many as it asks for: `Wasgo.Pipeline.Messages`

  and elements of a Membrane pipeline: `Wasgo.Membrane.Filter` and its like.

  ## Several buffers at once

  `through/3` runs a stage that has no state of its own in several processes, and keeps the order of what comes of the buffers:

      iex> slow = fn buffer ->
      ...>   Process.sleep(1)
      ...>   {:ok, %{buffer | payload: -buffer.payload}}
      ...> end
      iex> (for number <- 1..6//1, do: Wasgo.Buffer.new(number))
      ...> |> Wasgo.Pipeline.through({Wasgo.Stages.Transform, with: slow}, max_concurrency: 3)
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload end)
      [-1, -2, -3, -4, -5, -6]
  """

  alias Wasgo.{Buffer, Stage}
  alias Wasgo.Pipeline.Concurrent
  alias Wasgo.Stage.Meter

  @ending {__MODULE__, :ending}

  @typedoc "An element of the stream."
  @type element :: {:ok, Buffer.t()} | {:error, Exception.t()}

  @doc """
  A stream through `stages`: the first is a source stage or any enumerable of buffers, the others are filters and sinks.

  Raises `ArgumentError` at once if a stage or an option of one is wrong.

      iex> villages = [Wasgo.Buffer.new("brook"), Wasgo.Buffer.new(7), Wasgo.Buffer.new("hill")]
      iex> name = fn
      ...>   %{payload: name} = buffer when is_binary(name) -> {:ok, %{buffer | payload: String.capitalize(name)}}
      ...>   _other -> {:error, %ArgumentError{message: "no name"}}
      ...> end
      iex> [{:ok, brook}, {:error, error}, {:ok, hill}] =
      ...>   Enum.to_list(Wasgo.Pipeline.stream([villages, {Wasgo.Stages.Transform, with: name}]))
      iex> {brook.payload, Exception.message(error), hill.payload}
      {"Brook", "no name", "Hill"}
  """
  @spec stream([Stage.spec() | Enumerable.t()]) :: Enumerable.t()
  def stream([first | rest]) do
    Enum.reduce(rest, begin(first), fn stage, stream -> through(stream, stage) end)
  end

  @doc """
  As `stream/1`, but its elements are plain buffers, and the first error is raised.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{Wasgo.Stages.Generate, plan: plan, chunks: [{0, 0}, {1, 0}]}]
      ...> |> Wasgo.Pipeline.stream!()
      ...> |> Enum.map(& &1.payload.coordinate)
      [{0, 0}, {1, 0}]
  """
  @spec stream!([Stage.spec() | Enumerable.t()]) :: Enumerable.t()
  def stream!(stages), do: stages |> stream() |> Stream.map(&bang!/1)

  @doc """
  The stream `enumerable` through one more stage. Its elements are buffers, or what `stream/1` gives.

  With any of these options the stage runs in processes of its own, up to `:max_in_flight` buffers ahead of the consumer:

    * `:max_concurrency` - buffers that are handled at once, 1 unless given; more only for a stage without state (`c:Wasgo.Stage.stateless?/1`)
    * `:max_in_flight` - twice that unless given
    * `:timeout` - milliseconds that the stage may take for a buffer; then its process is killed, and another one begins with the next; endless unless given
    * `:ordered` - `false` to have what comes of buffers in the order in which they are done; `true` unless given

  ## Examples

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> thin = Wasgo.script!("guest/scripts/thin.wasm")
      iex> Wasgo.generate(plan, [{0, 0}, {1, 0}])
      ...> |> Wasgo.Pipeline.through({Wasgo.Stages.Script, script: thin, over: :instances}, max_concurrency: 2, timeout: 5_000)
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload.coordinate end)
      [{0, 0}, {1, 0}]
  """
  @spec through(Enumerable.t(), Stage.spec(), keyword()) :: Enumerable.t()
  def through(enumerable, stage, settings \\ []) do
    {module, options} = Stage.check!(stage)

    if Stage.source?(module) do
      raise ArgumentError, "#{inspect(module)} is a source: it can only be the first stage"
    end

    case Concurrent.settings!(module, options, settings) do
      nil -> here(enumerable, module, options)
      settings -> elsewhere(enumerable, module, options, settings)
    end
  end

  defp elsewhere(enumerable, module, options, settings) do
    Stream.transform(
      Stream.concat(enumerable, [@ending]),
      fn -> Concurrent.start(module, options, settings) end,
      fn
        @ending, state -> Concurrent.finish(state)
        element, state -> Concurrent.element(element(element), state)
      end,
      &Concurrent.stop/1
    )
  end

  defp here(enumerable, module, options) do
    # The end comes as an element too: a raise in a last function of `Stream.transform/5` would end the streams before it a
    # second time.
    Stream.transform(
      Stream.concat(enumerable, [@ending]),
      fn -> start(module, options) end,
      fn
        @ending, state -> finish(module, state)
        element, state -> handle(module, element(element), state)
      end,
      fn state -> terminate(module, state) end
    )
  end

  @doc """
  Runs a stream to its end and says what came of it: how many buffers, and the first error.

      iex> Wasgo.Pipeline.run([Wasgo.Buffer.new("a"), Wasgo.Buffer.new("b")])
      {:ok, 2}
  """
  @spec run(Enumerable.t()) :: {:ok, non_neg_integer()} | {:error, Exception.t()}
  def run(stream) do
    Enum.reduce_while(stream, {:ok, 0}, fn element, {:ok, count} ->
      case element(element) do
        {:ok, _buffer} -> {:cont, {:ok, count + 1}}
        {:error, exception} -> {:halt, {:error, exception}}
      end
    end)
  end

  defp begin(first) do
    if source_spec?(first) do
      {module, options} = Stage.check!(first)
      source(module, options)
    else
      unless Enumerable.impl_for(first) do
        raise ArgumentError,
              "a pipeline begins with a source stage or an enumerable of buffers, not #{inspect(first)}"
      end

      Stream.map(first, &element/1)
    end
  end

  defp source_spec?({module, options}) when is_atom(module) and is_list(options),
    do: source_module?(module)

  defp source_spec?(module) when is_atom(module), do: source_module?(module)
  defp source_spec?(_other), do: false

  defp source_module?(module) do
    Stage.source?(module) ||
      raise ArgumentError, "#{inspect(module)} is no source, so a pipeline can't begin with it"
  end

  # States of a stage within the stream: `{:failed, exception}` before its error was told, `{:running, meter, state}`, `:stopped`; of a source
  # `{:ended, meter, state}` too.

  defp source(module, options) do
    Stream.resource(
      fn -> start(module, options) end,
      fn state -> demand(module, state) end,
      fn state -> terminate(module, state) end
    )
  end

  defp demand(_module, :stopped), do: {:halt, :stopped}
  defp demand(_module, {:ended, meter, state}), do: {:halt, {:running, meter, state}}
  defp demand(_module, {:failed, exception}), do: {[{:error, exception}], :stopped}

  defp demand(module, {:running, meter, state}) do
    case Meter.other(meter, fn -> module.handle_demand(1, state) end) do
      {{:end_of_stream, buffers, state}, meter} -> {oks(buffers), {:ended, meter, state}}
      result -> emit(module, result)
    end
  end

  defp start(module, options) do
    meter = Meter.start(module)

    case Meter.other(meter, fn -> module.init(options) end) do
      {{:ok, state}, meter} ->
        {:running, meter, state}

      {{:error, exception}, meter} ->
        Meter.stop(meter, exception)
        {:failed, exception}
    end
  end

  defp handle(_module, _element, :stopped), do: {:halt, :stopped}
  defp handle(_module, _element, {:failed, exception}), do: {[{:error, exception}], :stopped}
  defp handle(_module, {:error, exception}, state), do: {[{:error, exception}], state}

  defp handle(module, {:ok, buffer}, {:running, meter, state}) do
    emit(module, Meter.buffer(meter, fn -> module.handle_buffer(buffer, state) end))
  end

  defp finish(_module, :stopped), do: {[], :stopped}
  defp finish(_module, {:failed, exception}), do: {[{:error, exception}], :stopped}

  defp finish(module, {:running, meter, state}),
    do: emit(module, Meter.other(meter, fn -> module.handle_end_of_stream(state) end))

  defp emit(_module, {{:ok, buffers, state}, meter}), do: {oks(buffers), {:running, meter, state}}

  defp emit(_module, {{:error, exception, state}, meter}),
    do: {[{:error, exception}], {:running, meter, state}}

  defp emit(module, {{:stop, exception, state}, meter}) do
    module.terminate(state)
    Meter.stop(meter, exception)
    {[{:error, exception}], :stopped}
  end

  defp oks(buffers), do: Enum.map(buffers, &{:ok, &1})

  defp terminate(module, {ended, meter, state}) when ended in [:running, :ended] do
    module.terminate(state)
    Meter.stop(meter)
  end

  defp terminate(_module, _not_running), do: :ok

  defp element({:ok, %Buffer{}} = element), do: element
  defp element({:error, exception} = element) when is_exception(exception), do: element
  defp element(%Buffer{} = buffer), do: {:ok, buffer}

  defp element(other) do
    raise ArgumentError, "a pipeline carries Wasgo.Buffer structs, and got #{inspect(other)}"
  end

  defp bang!({:ok, buffer}), do: buffer
  defp bang!({:error, exception}), do: raise(exception)
end
