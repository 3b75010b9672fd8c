defmodule Wasgo.Pipeline.Concurrent do
  @moduledoc false
  # A stage of a stream that runs in processes of its own: several at once, or one that may be killed when its time is over.

  alias Wasgo.Stage.Runner

  @schema [
    max_concurrency: [type: {:range, 1..64}, default: 1],
    max_in_flight: [type: {:range, 1..1024}, default: nil],
    timeout: [type: {:or, [:timeout, {:in, [:infinity]}]}, default: :infinity],
    ordered: [type: :boolean, default: true]
  ]

  # Checks the options; `nil` where they ask for nothing but what a stream does by itself.
  @spec settings!(module(), map(), keyword()) :: map() | nil
  def settings!(module, stage_options, options) do
    settings = Wasgo.Options.validate!(options, @schema, "Wasgo.Pipeline.through/3")
    Runner.concurrency!(module, stage_options, settings.max_concurrency)
    most = settings.max_in_flight || 2 * settings.max_concurrency
    if options != [], do: %{settings | max_in_flight: most}
  end

  @spec start(module(), map(), map()) :: map()
  def start(module, options, settings) do
    settings_of_runner =
      settings |> Map.take([:max_concurrency, :timeout, :ordered]) |> Map.to_list()

    runner = Runner.new({module, options}, settings_of_runner)
    state = %{runner: runner, most: settings.max_in_flight, state: :running}

    case Runner.receive_event(runner, :infinity) do
      {[:ready], runner} -> %{state | runner: runner}
      {[{:failed, exception}], runner} -> %{state | runner: runner, state: {:failed, exception}}
      {[], runner} -> begun(%{state | runner: runner})
    end
  end

  # All workers are to be ready.
  defp begun(state) do
    case Runner.receive_event(state.runner, :infinity) do
      {[], runner} -> begun(%{state | runner: runner})
      {[:ready], runner} -> %{state | runner: runner}
      {[{:failed, exception}], runner} -> %{state | runner: runner, state: {:failed, exception}}
    end
  end

  # The stream's elements that there are with one more element: as many as need be waited for, so that no more than the most are in flight.
  @spec element({:ok, Wasgo.Buffer.t()} | {:error, Exception.t()}, map()) ::
          {[term()] | :halt, map()}
  def element(_element, %{state: :stopped} = state), do: {:halt, state}
  def element(_element, %{state: {:failed, exception}} = state), do: failed(exception, state)

  def element({:ok, buffer}, state) do
    drain(%{state | runner: Runner.push(state.runner, {:buffer, buffer})})
  end

  def element({:error, exception}, state) do
    {events, runner} = Runner.pass(state.runner, {:error, exception, nil})
    {elements, state} = drain(%{state | runner: runner})
    {elements(events) ++ elements, state}
  end

  @spec finish(map()) :: {[term()], map()}
  def finish(%{state: :stopped} = state), do: {[], state}
  def finish(%{state: {:failed, exception}} = state), do: failed(exception, state)

  def finish(state) do
    to_the_end(%{state | runner: Runner.push(state.runner, :end_of_stream)}, [])
  end

  @spec stop(map()) :: term()
  def stop(state), do: Runner.stop(state.runner)

  defp failed(exception, state), do: {[{:error, exception}], %{state | state: :stopped}}

  # Once there is no room this waits until half of it is free: to take turns for each would cost more than most stages do.
  defp drain(state) do
    size = Runner.size(state.runner)
    drain(state, if(size >= state.most, do: div(state.most, 2), else: size), [])
  end

  defp drain(state, most, before) do
    wait = if Runner.size(state.runner) > most, do: :infinity, else: 0

    case Runner.receive_event(state.runner, wait) do
      :none -> {collected(before), state}
      {events, runner} -> more(events, %{state | runner: runner}, before, &drain(&1, most, &2))
    end
  end

  defp to_the_end(state, before) do
    {events, runner} = Runner.receive_event(state.runner, :infinity)
    more(events, %{state | runner: runner}, before, &to_the_end/2)
  end

  defp more(events, state, before, next) do
    before = [elements(events) | before]

    if Enum.any?(events, &(&1 == :end_of_stream or match?({:stop, _}, &1))),
      do: {collected(before), %{state | state: :stopped}},
      else: next.(state, before)
  end

  defp collected(before), do: before |> Enum.reverse() |> Enum.concat()

  defp elements(events) do
    Enum.flat_map(events, fn
      {:buffers, buffers} -> Enum.map(buffers, &{:ok, &1})
      {:error, exception, _buffer} -> [{:error, exception}]
      {:stop, exception} -> [{:error, exception}]
      _format_or_end -> []
    end)
  end
end
