defmodule Wasgo.Telemetry.Gauges do
  @moduledoc false
  # Measures what there is now, and tells of it. What does not answer soon is left out this time.

  alias Wasgo.{Native, Telemetry}

  # How long each process has to answer, in ms.
  @timeout 1_000

  @typedoc "What is watched: its kind, its name for people, and its process."
  @type watched :: {atom(), term(), GenServer.server()}

  @spec measure([watched()]) :: :ok
  def measure(watched) do
    if Telemetry.on?() do
      vm()
      native(Native.native_load())
      Enum.each(watched, &one/1)
    end

    :ok
  end

  defp vm do
    measured = %{
      total: :erlang.memory(:total),
      binary: :erlang.memory(:binary),
      resident: resident()
    }

    Telemetry.execute([:vm, :gauge], measured, %{})
  end

  @doc "Bytes of memory that the whole process has; 0 where the system does not tell."
  @spec resident() :: non_neg_integer()
  def resident do
    with {:ok, text} <- File.read("/proc/self/statm"),
         [_size, resident | _rest] <- String.split(text),
         {pages, ""} <- Integer.parse(resident) do
      pages * 4_096
    else
      _not_linux -> 0
    end
  end

  defp native(load) do
    if load.engine do
      engine =
        load.engine
        |> Map.delete(:pool)
        |> Map.update!(:queue_time, &native_time/1)
        |> Map.update!(:run_time, &native_time/1)

      Telemetry.execute([:engine, :gauge], engine, %{})
    end

    jobs =
      load.jobs
      |> Map.update!(:queue_time, &native_time/1)
      |> Map.update!(:run_time, &native_time/1)

    Telemetry.execute([:jobs, :gauge], jobs, %{})
    Telemetry.execute([:stores, :gauge], load.stores, %{})
  end

  defp native_time(nanoseconds),
    do: System.convert_time_unit(nanoseconds, :nanosecond, :native)

  defp one({:cache, name, cache}) do
    with %{} = info <- ask(cache, :info) do
      measured = %{
        bytes: info.bytes,
        memory: info.memory,
        hits: info.memory_hits + info.store_hits + info.shared,
        made: info.made,
        failed: info.failed
      }

      Telemetry.execute([:cache, :gauge], measured, %{name: name})
    end
  end

  defp one({:world, _name, world}) do
    with %{} = info <- ask(world, :info) do
      measured =
        info
        |> Map.take([:rev, :objects, :waiting, :superseded, :transient])
        |> Map.put(:zones, length(info.zones))

      Telemetry.execute([:world, :gauge], measured, %{world: info.name})
    end
  end

  defp one({:godot, name, server}) do
    with connections when is_list(connections) <- ask(server, :connections) do
      Enum.each(connections, &connection(name, &1))
    end
  end

  defp one({:service, name, service}) do
    measured =
      case ask(service, :info) do
        %{phase: phase} = info ->
          %{
            pending: info.pending,
            restarts: info.restarts,
            ready: if(phase == :ready, do: 1, else: 0)
          }

        nil ->
          %{pending: 0, restarts: 0, ready: 0}
      end

    Telemetry.execute([:service, :gauge], measured, %{name: name})
  end

  defp one({:pool, name, pool}) do
    with %{} = info <- ask(pool, :info) do
      Telemetry.execute([:pool, :gauge], Map.delete(info, :copies), %{name: name})
    end
  end

  defp one({:pipeline, name, pipeline}) do
    with stages when is_list(stages) <- ask(pipeline, :stages) do
      for stage <- stages do
        measured =
          stage
          |> Map.take([:received, :sent, :errors, :waiting, :under_way, :restarts])
          |> Map.put(:running, if(stage.state == :running, do: 1, else: 0))

        about = %{pipeline: name, stage: stage.name, module: stage.module}
        Telemetry.execute([:pipeline, :gauge], measured, about)
      end
    end
  end

  defp one(_nothing_to_measure), do: :ok

  defp connection(server, connection) do
    with {:ok, stats} <- ask(connection.pid, :stats),
         {:message_queue_len, queue} <- Process.info(connection.pid, :message_queue_len) do
      measured = %{
        frames: stats.frames,
        bytes: stats.bytes,
        acknowledged: stats.acknowledged,
        outstanding: stats.unacknowledged_bytes,
        waiting: stats.waiting,
        work: System.convert_time_unit(stats.work_us, :microsecond, :native),
        refused: stats.errors,
        queue: queue
      }

      about = %{
        server: server,
        address: connection.address,
        world: connection.world,
        zone: connection.zone
      }

      Telemetry.execute([:connection, :gauge], measured, about)
    end
  end

  # `nil` of what is gone or too busy.
  defp ask(server, request) do
    GenServer.call(server, request, @timeout)
  catch
    :exit, _gone_or_late -> nil
  end
end
