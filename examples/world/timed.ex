defmodule Wasgo.Example.Timed do
  @moduledoc false
  # A stage around another that measures it: `{Timed, stage: {Module, options}, as: "name", times: times}`, where `times` is a table of
  # Timed.new/0.

  use Wasgo.Stage

  alias Wasgo.Stage

  @spec new() :: :ets.tid()
  def new, do: :ets.new(:times, [:duplicate_bag, :public])

  # The times of a stage in microseconds.
  @spec times(:ets.tid(), String.t()) :: [non_neg_integer()]
  def times(table, name), do: for({_name, time} <- :ets.lookup(table, name), do: time)

  @spec around(Stage.spec(), String.t(), :ets.tid()) :: Stage.spec()
  def around(stage, name, times) do
    {module, _options} = checked = Stage.check!(stage)
    around = if Stage.source?(module), do: __MODULE__.Source, else: __MODULE__
    {around, stage: checked, as: name, times: times}
  end

  @impl true
  def options do
    [
      stage: [type: :any, required: true],
      as: [type: :string, required: true],
      times: [type: :any, required: true]
    ]
  end

  @impl true
  def stateless?(%{stage: {module, options}}), do: Stage.stateless?(module, options)

  @impl true
  def init(%{stage: {module, options}} = timed) do
    with {:ok, state} <- module.init(options),
         do: {:ok, Map.merge(timed, %{module: module, inner: state})}
  end

  @impl true
  def handle_buffer(buffer, timed),
    do: measure(timed, & &1.module.handle_buffer(buffer, &1.inner))

  @impl true
  def handle_end_of_stream(timed), do: put(timed, timed.module.handle_end_of_stream(timed.inner))

  @impl true
  def terminate(timed), do: timed.module.terminate(timed.inner)

  defp measure(timed, fun) do
    {time, result} = :timer.tc(fun, [timed])
    :ets.insert(timed.times, {timed.as, time})
    put(timed, result)
  end

  defp put(timed, {tag, value, state}), do: {tag, value, %{timed | inner: state}}
end

defmodule Wasgo.Example.Timed.Source do
  @moduledoc false
  # The same around a source: what is measured is how long the pipeline waited for each buffer.

  use Wasgo.Stage

  alias Wasgo.Example.Timed

  @impl true
  defdelegate options, to: Timed

  @impl true
  defdelegate init(options), to: Timed

  @impl true
  def handle_demand(size, timed) do
    {time, result} = :timer.tc(fn -> timed.module.handle_demand(size, timed.inner) end)
    if elem(result, 0) != :end_of_stream, do: :ets.insert(timed.times, {timed.as, time})
    put_elem(result, 2, %{timed | inner: elem(result, 2)})
  end

  @impl true
  defdelegate terminate(timed), to: Timed
end
