defmodule Wasgo.Telemetry.Poller do
  @moduledoc """
  Tells every few seconds what there is: the gauges of `Wasgo.Telemetry`.

  A `Wasgo.Supervisor` has one, for all that it started. Without one:

      {Wasgo.Telemetry.Poller, every: 10_000, watch: [world: MyApp.Garden, godot: MyApp.Godot]}

  What all applications of a VM share (the engine, the native pool, SQLite, memory) each poller tells of. Without `:telemetry` it measures nothing.
  """

  use GenServer

  alias Wasgo.{Label, Options}
  alias Wasgo.Telemetry.Gauges

  @kinds [:cache, :world, :godot, :service, :pool, :pipeline]

  @schema [
    every: [type: {:range, 100..3_600_000}, default: 5_000],
    watch: [type: {:or, [:keyword, {:function, 0}]}, default: []],
    name: [type: :any, default: nil]
  ]

  @doc """
  Starts it, linked to the caller.

    * `:every` - milliseconds from one measurement to the next, 5,000 unless given
    * `:watch` - what is measured beside the VM and the native half: a keyword list of processes by their kind, `:cache` (`Wasgo.Gen.Cache`), `:world`, `:godot`
      (`Wasgo.Godot.Server`, with its connections), `:service`, `:pool` and `:pipeline`; nothing unless given
    * `:name` - as for `GenServer`

  ## Examples

      iex> {:ok, cache} = Wasgo.Gen.Cache.start_link([])
      iex> {:ok, poller} = Wasgo.Telemetry.Poller.start_link(every: 10_000, watch: [cache: cache])
      iex> Wasgo.Telemetry.Poller.measure(poller)
      :ok
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options \\ []) do
    options = Options.validate!(options, @schema, "Wasgo.Telemetry.Poller.start_link/1")

    with watch when is_list(watch) <- options.watch,
         {kind, _process} <- Enum.find(watch, fn {kind, _process} -> kind not in @kinds end) do
      raise ArgumentError,
            "option :watch of Wasgo.Telemetry.Poller.start_link/1 has #{inspect(kind)}, and may have #{Enum.map_join(@kinds, ", ", &inspect/1)}"
    end

    name = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, options, name)
  end

  @doc """
  A specification for a supervisor; `start_link/1` has the options.

      children = [
        {Wasgo.World, name: MyApp.Garden, store: store},
        {Wasgo.Telemetry.Poller, every: 10_000, watch: [world: MyApp.Garden]}
      ]
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    %{id: options[:name] || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end

  @doc """
  Measures now, and returns when all was told.

      iex> {:ok, poller} = Wasgo.Telemetry.Poller.start_link()
      iex> Wasgo.Telemetry.Poller.measure(poller)
      :ok
  """
  @spec measure(GenServer.server()) :: :ok
  def measure(poller), do: GenServer.call(poller, :measure, :infinity)

  @impl true
  def init(options) do
    Label.put(__MODULE__)
    {:ok, options, {:continue, :measure}}
  end

  @impl true
  def handle_continue(:measure, options) do
    tell(options)
    Process.send_after(self(), :measure, options.every)
    {:noreply, options}
  end

  @impl true
  def handle_call(:measure, _from, options), do: {:reply, tell(options), options}

  @impl true
  def handle_info(:measure, options), do: handle_continue(:measure, options)
  def handle_info(_late_answer, options), do: {:noreply, options}

  defp tell(%{watch: watch}) when is_function(watch), do: Gauges.measure(watch.())

  defp tell(%{watch: watch}),
    do: Gauges.measure(for({kind, process} <- watch, do: {kind, process, process}))
end
