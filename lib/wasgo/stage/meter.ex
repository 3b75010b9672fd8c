defmodule Wasgo.Stage.Meter do
  @moduledoc false
  # Counts what goes through one stage, wherever it runs, and tells of its beginning, its end and its errors. A value of who runs the stage.

  alias Wasgo.Telemetry

  # The clock is read for one of so many buffers: looking at it costs more than all counting.
  @sample 16

  @enforce_keys [:stage, :span, :raised]
  defstruct [
    :stage,
    :span,
    # Whether a callback raised, which was told then: who raises has no value to return.
    :raised,
    received: 0,
    sent: 0,
    errors: 0,
    # In callbacks that are given no buffer; in those of buffers that were timed, and how many these were.
    other_time: 0,
    timed: 0,
    timed_count: 0
  ]

  @type t :: %__MODULE__{}

  @spec start(module()) :: t()
  def start(stage) do
    span = Telemetry.start(:stage, %{stage: stage})
    %__MODULE__{stage: stage, span: span, raised: :counters.new(1, [])}
  end

  # Runs a callback that is given a buffer.
  @spec buffer(t(), fun()) :: {term(), t()}
  def buffer(%__MODULE__{received: received} = meter, callback)
      when rem(received, @sample) != 0 do
    result = guarded(meter, callback)
    {result, count(%{meter | received: received + 1}, result)}
  end

  def buffer(%__MODULE__{} = meter, callback) do
    {result, took} = timed(meter, callback)

    meter = %{
      meter
      | received: meter.received + 1,
        timed: meter.timed + took,
        timed_count: meter.timed_count + 1
    }

    {result, count(meter, result)}
  end

  # Runs any other.
  @spec other(t(), fun()) :: {term(), t()}
  def other(%__MODULE__{} = meter, callback) do
    {result, took} = timed(meter, callback)
    {result, count(%{meter | other_time: meter.other_time + took}, result)}
  end

  defp timed(meter, callback) do
    began = System.monotonic_time()
    result = guarded(meter, callback)
    {result, System.monotonic_time() - began}
  end

  defp guarded(meter, callback) do
    callback.()
  catch
    kind, reason ->
      :counters.put(meter.raised, 1, 1)
      Telemetry.exception(meter.span, kind, reason, __STACKTRACE__)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp count(meter, {ok, [], _state}) when ok in [:ok, :end_of_stream], do: meter

  defp count(meter, {ok, buffers, _state})
       when ok in [:ok, :end_of_stream] and is_list(buffers),
       do: %{meter | sent: meter.sent + length(buffers)}

  defp count(meter, {_error_or_stop, exception, _state}) when is_exception(exception),
    do: error(meter, exception)

  # What a guard made of a crash, or of a stage that returned rubbish.
  defp count(meter, {:error, exception}) when is_exception(exception), do: error(meter, exception)
  defp count(meter, _rubbish), do: meter

  defp error(meter, exception) do
    Telemetry.execute([:stage, :error], %{count: 1}, %{stage: meter.stage, error: exception})
    %{meter | errors: meter.errors + 1}
  end

  # The stage has ended, because of `error` if it is one.
  @spec stop(t(), Exception.t() | nil) :: :ok
  def stop(%__MODULE__{} = meter, error \\ nil) do
    if :counters.get(meter.raised, 1) == 0 do
      # What all buffers took, by those that were timed.
      buffers = div(meter.timed * meter.received, max(meter.timed_count, 1))
      counts = Map.take(meter, [:received, :sent, :errors])
      counts = Map.put(counts, :run_time, meter.other_time + buffers)
      Telemetry.stop(meter.span, error, counts)
    else
      :ok
    end
  end
end
