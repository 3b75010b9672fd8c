defmodule Wasgo.Telemetry do
  @moduledoc """
  What Wasgo tells through `:telemetry`, where that is there; without it nothing is told, and nothing has to be switched off.

      :telemetry.attach_many("slow-queries", [[:wasgo, :query, :stop]], fn _event, %{duration: duration}, metadata, _config ->
        if duration > System.convert_time_unit(100, :millisecond, :native), do: Logger.warning(metadata.sql)
      end, nil)

  ## Three kinds of events

  *Spans* are a `:start`, and a `:stop` or an `:exception`. What failed as values fail in Wasgo is a `:stop` whose metadata has the `error`; `nil`
  there is well. `:exception` is what was raised. A span's events have the same `telemetry_span_context`.

  *Occurrences* are single events: a limit that was reached, a buffer that failed.

  *Gauges* are what there is now, measured every few seconds by a `Wasgo.Telemetry.Poller`. Counts in them (those that say "so far") only grow.

  ## What is too frequent for an event each

  A script's call takes about a microsecond, and a frame to an engine not much more: an event for each would cost as much again. These are counted by who
  does them, without a clock, and the gauges `[:wasgo, :engine, :gauge]` and `[:wasgo, :connection, :gauge]` tell the counts. A call is told as a span
  (`[:wasgo, :call]`) when it did not end in its first slice on the caller's scheduler, which has half a millisecond, or failed. The buffers of a stage are
  counted too, and told when the stage ends; of a `Wasgo.Pipeline.Server`'s also by `[:wasgo, :pipeline, :gauge]`.

  ## Events

  Times are in native units (`System.convert_time_unit/3`), sizes in bytes.

  #{Wasgo.Telemetry.Events.table()}
  """

  @typedoc """
  An event, with what it is, and its measurements and metadata with what each of them is.
  """
  @type event :: %{
          name: [atom()],
          doc: String.t(),
          measurements: keyword(String.t()),
          metadata: keyword(String.t())
        }

  @doc """
  All events that there are.

      iex> names = for event <- Wasgo.Telemetry.events(), do: event.name
      iex> [:wasgo, :query, :stop] in names
      true
      iex> [limit] = for %{name: [:wasgo, :limit, :reached]} = event <- Wasgo.Telemetry.events(), do: event
      iex> Keyword.keys(limit.metadata)
      [:reason, :limit, :asked]
  """
  @spec events() :: [event()]
  defdelegate events, to: Wasgo.Telemetry.Events, as: :all

  # The library is optional, and where it is there it may not have been started: it would log a warning at each event then.
  @compile {:no_warn_undefined, :telemetry}
  # A process, whatever its handlers are kept in: that differs between versions of the library.
  @handlers :telemetry_handler_table

  @doc false
  # Whether events can be told. Takes some tens of nanoseconds.
  @spec on?() :: boolean()
  def on?, do: :erlang.whereis(@handlers) != :undefined

  @doc false
  @spec execute([atom()], map(), map()) :: :ok
  def execute(event, measurements, metadata) do
    if on?(), do: :telemetry.execute([:wasgo | event], measurements, metadata)
    :ok
  end

  @doc false
  # What `fun` does, as a span. It returns what Wasgo's functions do: an error is an `{:error, exception}`. `measured` makes of the result what the
  # stop measures besides.
  @spec span(atom(), map(), map(), fun(), fun()) :: term()
  def span(thing, measurements, metadata, fun, measured \\ &nothing/1) do
    if on?() do
      span = start(thing, measurements, metadata)
      result = fun.()
      stop(span, error(result), measured.(result))
      result
    else
      fun.()
    end
  end

  defp nothing(_result), do: %{}

  @doc false
  # What a result is as a stop's metadata.
  @spec error(term()) :: Exception.t() | nil
  def error({_error, error}) when is_exception(error), do: error
  def error(_well), do: nil

  @typedoc false
  @type span :: {atom(), integer(), map(), map()}

  @doc false
  # A span that does not begin and end in one function.
  @spec start(atom(), map(), map()) :: span()
  def start(thing, measurements \\ %{}, metadata) do
    metadata = Map.put(metadata, :telemetry_span_context, make_ref())
    now = System.monotonic_time()

    execute(
      [thing, :start],
      Map.merge(%{monotonic_time: now, system_time: System.system_time()}, measurements),
      metadata
    )

    {thing, now, measurements, metadata}
  end

  @doc false
  @spec stop(span(), Exception.t() | nil, map()) :: :ok
  def stop({thing, began, given, metadata}, error, measurements \\ %{}) do
    now = System.monotonic_time()

    measurements =
      given |> Map.merge(%{duration: now - began, monotonic_time: now}) |> Map.merge(measurements)

    execute([thing, :stop], measurements, Map.put(metadata, :error, error))
  end

  @doc false
  @spec exception(span(), atom(), term(), Exception.stacktrace()) :: :ok
  def exception({thing, began, given, metadata}, kind, reason, stacktrace) do
    now = System.monotonic_time()

    execute(
      [thing, :exception],
      Map.merge(given, %{duration: now - began, monotonic_time: now}),
      Map.merge(metadata, %{kind: kind, reason: reason, stacktrace: stacktrace})
    )
  end
end
