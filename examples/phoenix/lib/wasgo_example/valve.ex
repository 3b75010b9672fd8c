defmodule WasgoExample.Valve do
  @moduledoc """
  A stage around another, which counts what goes through and can be stopped: `Valve.around({Module, options}, "name")`.

  While it is stopped the inner stage is given back (`c:Wasgo.Stage.terminate/1`), and the buffer that came next waits, and with it
  everything before it: nothing is lost, and nothing piles up. When it is started the inner stage begins anew.
  """

  use Wasgo.Stage

  alias Wasgo.Stage
  alias WasgoExample.Stages

  @spec around(Stage.spec(), String.t()) :: Stage.spec()
  def around(stage, name) do
    {module, _options} = checked = Stage.check!(stage)
    around = if Stage.source?(module), do: __MODULE__.Source, else: __MODULE__
    {around, stage: checked, as: name}
  end

  @impl true
  def options,
    do: [stage: [type: :any, required: true], as: [type: :string, required: true]]

  @impl true
  def stateless?(%{stage: {module, options}}), do: Stage.stateless?(module, options)

  @impl true
  def init(%{stage: {module, options}, as: name}) do
    with {:ok, inner} <- module.init(options),
         do: {:ok, %{module: module, options: options, name: name, inner: inner}}
  end

  @impl true
  def handle_format(format, valve) do
    if function_exported?(valve.module, :handle_format, 2),
      do: put(valve, valve.module.handle_format(format, valve.inner)),
      else: {:ok, format, valve}
  end

  @impl true
  def handle_buffer(buffer, valve),
    do: through(valve, & &1.module.handle_buffer(buffer, &1.inner))

  @impl true
  def handle_end_of_stream(valve), do: put(valve, valve.module.handle_end_of_stream(valve.inner))

  @impl true
  def terminate(valve), do: valve.module.terminate(valve.inner)

  @doc false
  def through(valve, work) do
    with {:ok, valve} <- open(valve) do
      Stages.entered(valve.name)
      result = work.(valve)
      Stages.left(valve.name, result)
      put(valve, result)
    end
  end

  defp open(valve) do
    if Stages.stopped?(valve.name) do
      valve.module.terminate(valve.inner)
      Stages.await(valve.name)

      case valve.module.init(valve.options) do
        {:ok, inner} -> {:ok, %{valve | inner: inner}}
        {:error, exception} -> {:stop, exception, %{valve | inner: nil}}
      end
    else
      {:ok, valve}
    end
  end

  defp put(valve, {tag, value, inner}), do: {tag, value, %{valve | inner: inner}}
end

defmodule WasgoExample.Valve.Source do
  @moduledoc false
  # The same around a source.

  use Wasgo.Stage

  alias WasgoExample.Valve

  @impl true
  defdelegate options, to: Valve

  @impl true
  defdelegate init(options), to: Valve

  @impl true
  defdelegate handle_format(format, valve), to: Valve

  @impl true
  def handle_demand(size, valve),
    do: Valve.through(valve, & &1.module.handle_demand(size, &1.inner))

  @impl true
  defdelegate terminate(valve), to: Valve
end
