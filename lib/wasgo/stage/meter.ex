defmodule Wasgo.Stage.Meter do
  @moduledoc false
  # Counts what goes through one stage, wherever it runs, and tells of its beginning, its end and its errors.

  alias Wasgo.Telemetry

  # The clock is read for one of so many buffers: looking at it costs more than all other counting.
  @sample 16

  @received 1
  @sent 2
  @errors 3
  # In callbacks that are given no buffer; and in those of buffers that were timed, and how many these were.
  @other_time 4
  @timed 5
  @timed_count 6
  # Whether a callback raised: that was told then.
  @raised 7

  @enforce_keys [:stage, :counters, :span]
  defstruct [:stage, :counters, :span]

  @type t :: %__MODULE__{
          stage: module(),
          counters: :counters.counters_ref(),
          span: Telemetry.span()
        }

  @spec start(module()) :: t()
  def start(stage) do
    %__MODULE__{
      stage: stage,
      counters: :counters.new(7, []),
      span: Telemetry.start(:stage, %{stage: stage})
    }
  end

  # Runs a callback of the stage, which is given so many buffers.
  @spec run(t(), 0 | 1, fun()) :: term()
  def run(%__MODULE__{counters: counters} = meter, received, callback) do
    result =
      case received do
        0 ->
          timed(counters, @other_time, callback)

        1 ->
          number = :counters.get(counters, @received)
          # Nobody else counts here.
          :counters.put(counters, @received, number + 1)

          if rem(number, @sample) == 0 do
            :counters.add(counters, @timed_count, 1)
            timed(counters, @timed, callback)
          else
            callback.()
          end
      end

    count(meter, result)
    result
  catch
    kind, reason ->
      :counters.put(counters, @raised, 1)
      Telemetry.exception(meter.span, kind, reason, __STACKTRACE__)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp timed(counters, time, callback) do
    began = System.monotonic_time()
    result = callback.()
    :counters.add(counters, time, System.monotonic_time() - began)
    result
  end

  # What all buffers took, by those that were timed.
  defp run_time(counters) do
    timed = max(:counters.get(counters, @timed_count), 1)
    received = :counters.get(counters, @received)

    :counters.get(counters, @other_time) +
      div(:counters.get(counters, @timed) * received, timed)
  end

  defp count(_meter, {ok, [], _state}) when ok in [:ok, :end_of_stream], do: :ok

  defp count(%{counters: counters}, {ok, buffers, _state})
       when ok in [:ok, :end_of_stream] and is_list(buffers),
       do: :counters.put(counters, @sent, :counters.get(counters, @sent) + length(buffers))

  defp count(meter, {_error_or_stop, exception, _state}) when is_exception(exception),
    do: error(meter, exception)

  # What a guard made of a crash, or of a stage that returned rubbish.
  defp count(meter, {:error, exception}) when is_exception(exception), do: error(meter, exception)
  defp count(_meter, _rubbish), do: :ok

  defp error(meter, exception) do
    :counters.add(meter.counters, @errors, 1)
    Telemetry.execute([:stage, :error], %{count: 1}, %{stage: meter.stage, error: exception})
  end

  # The stage has ended, because of `error` if it is one.
  @spec stop(t(), Exception.t() | nil) :: :ok
  def stop(%__MODULE__{counters: counters} = meter, error \\ nil) do
    if :counters.get(counters, @raised) == 0 do
      Telemetry.stop(meter.span, error, %{
        received: :counters.get(counters, @received),
        sent: :counters.get(counters, @sent),
        errors: :counters.get(counters, @errors),
        run_time: run_time(counters)
      })
    else
      :ok
    end
  end
end
