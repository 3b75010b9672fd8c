defmodule Wasgo.Wasm.Engine do
  @moduledoc """
  The engine that runs all WebAssembly of a VM: one, however many applications in the VM use Wasgo.

  It starts with the first module, and takes some milliseconds for that. What it may use is configured before:

      config :wasgo, Wasgo.Wasm.Engine, workers: 4, instances: 5_000

    * `:workers` - threads that run what does not end in its first slice on a scheduler. As many as the machine has cores unless given.
      They yield to schedulers
    * `:instances` - instances that there may be at once, 20,000 unless given. The engine takes fewer where the system gives a process
      fewer mappings of memory than so many need: on Linux as it comes, the 10,000 of the pool and some 2,800 others.
      `sysctl vm.max_map_count=262144` makes room for all

  ## When all cores compute

  Workers run at a lower priority than schedulers, so that a process is not kept waiting by guests. But the BEAM's schedulers spin and yield
  before they sleep, and Linux since 6.6 takes that for leave to run others first: on a machine whose cores are all busy, whoever keeps them
  so, a process that waits a millisecond may be woken tens of milliseconds late. A VM that is to answer on such a machine is started with

      ERL_FLAGS="+sbwt none +sbwtdcpu none +sbwtdio none"

  ## Threads

  Beside the workers it has a thread that counts time, one that frees what guests leave, two that compile, and one for the clocks of
  WASI. None of them does anything while no guest runs.
  """

  alias Wasgo.Native
  alias Wasgo.Native.Result

  # 0 is the native code's own default.
  @schema [
    workers: [type: {:range, 1..1_024//1}, default: 0],
    instances: [type: {:range, 1..1_000_000//1}, default: 0]
  ]

  @typedoc """
    * `workers` - its worker threads
    * `instances` - instances of modules and components that there are now, those included that still wait to be freed
    * `max_instances` - how many there may be
    * `pool` - how many of them find a place in the pool, and so are made in microseconds
  """
  @type info :: %{
          workers: pos_integer(),
          instances: non_neg_integer(),
          max_instances: pos_integer(),
          pool: non_neg_integer()
        }

  @doc """
  What the engine has and may have. Starts it, if nothing did before.

      iex> {:ok, info} = Wasgo.Wasm.Engine.info()
      iex> info.workers > 0 and info.instances <= info.max_instances
      true
  """
  @spec info() :: {:ok, info()} | {:error, Exception.t()}
  def info do
    ready()

    with {:ok, {workers, instances, most, pool}} <- Result.await(Native.wasm_engine_info()) do
      {:ok, %{workers: workers, instances: instances, max_instances: most, pool: pool}}
    end
  end

  # Starts the engine as the configuration says, the first time. Afterwards this costs some nanoseconds.
  @doc false
  def ready do
    unless :persistent_term.get(__MODULE__, false) do
      options =
        :wasgo
        |> Application.get_env(__MODULE__, [])
        |> Wasgo.Options.validate!(@schema, "config :wasgo, Wasgo.Wasm.Engine")

      # If it can't start, whoever needs it hears why.
      Native.wasm_engine_start(options.workers, options.instances)
      :persistent_term.put(__MODULE__, true)
    end

    :ok
  end
end
