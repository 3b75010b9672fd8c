defmodule Wasgo.Telemetry.Overview do
  @moduledoc false
  # What a page shows of a node: its parts, the stages of its pipelines, and the native half. What does not answer soon is shown as such.

  alias Wasgo.{Native, Pipeline}

  # How long a node, and each of its processes, has to answer, in ms.
  @node_timeout 5_000
  @timeout 500

  @type t :: %{native: keyword(), stages: [map()], parts: [map()]}

  @spec look(node(), [atom()]) :: t()
  def look(node, supervisors) do
    :erpc.call(node, __MODULE__, :here, [supervisors], @node_timeout)
  catch
    _kind, _no_answer -> %{native: [], stages: [], parts: []}
  end

  # Stops or starts a stage that `look/2` told of; `nil`, or what is to be shown.
  @spec act(node(), map(), :stop | :start | :restart) :: nil | String.t()
  def act(node, row, act) do
    case :erpc.call(node, __MODULE__, :act_here, [row, act], 10_000) do
      :ok -> nil
      {:error, reason} -> "stage #{inspect(row.name)}: #{inspect(reason)}"
    end
  catch
    _kind, _no_answer -> "stage #{inspect(row.name)}: the pipeline did not answer"
  end

  @doc false
  def act_here(%{supervisor: supervisor, pipeline: pipeline, name: name}, act) do
    pipeline = Wasgo.Supervisor.pipeline(supervisor, pipeline)

    case act do
      :stop -> Pipeline.Server.stop_stage(pipeline, name)
      :start -> Pipeline.Server.start_stage(pipeline, name)
      :restart -> Pipeline.Server.restart_stage(pipeline, name)
    end
  end

  @doc false
  def here(supervisors) do
    known =
      for supervisor <- supervisors,
          Process.whereis(supervisor) != nil,
          {kind, name, process} <- Wasgo.Supervisor.children(supervisor),
          do: {supervisor, kind, name, process}

    stages =
      for {supervisor, :pipeline, name, process} <- known,
          stage <- ask(process, :stages) || [] do
        problem = stage.last_error && Exception.message(stage.last_error)

        stage
        |> Map.delete(:last_error)
        |> Map.merge(%{supervisor: supervisor, pipeline: name, problem: problem})
      end

    parts =
      for {supervisor, kind, name, process} <- known, kind != :pipeline do
        %{supervisor: supervisor, kind: kind, name: name, words: words(kind, process)}
      end

    %{native: native(Native.native_load()), stages: stages, parts: parts}
  end

  defp native(load) do
    jobs = [
      jobs: "#{load.jobs.running} run, #{load.jobs.waiting} wait, #{load.jobs.done} done",
      stores: "#{load.stores.open} open"
    ]

    case load.engine do
      nil ->
        jobs

      engine ->
        [
          guests: "#{engine.instances} of #{engine.max_instances} instances",
          memory: "#{div(engine.memory, 1_024)} KiB of guests",
          modules: "#{engine.modules}, #{div(engine.code_bytes, 1_024)} KiB of machine code",
          calls:
            "#{engine.calls}, #{engine.pooled} beyond their first slice, #{engine.traps} trapped, #{engine.limits} at a limit",
          workers:
            "#{engine.workers}; #{engine.under_way} calls under way, #{engine.waiting} slices wait"
        ] ++ jobs
    end
  end

  defp words(:world, process) do
    with_info(process, fn info ->
      "#{info.objects} objects, revision #{info.rev}, #{info.waiting} requests wait, zones: #{Enum.join(info.zones, ", ")}"
    end)
  end

  defp words(:service, process) do
    with_info(process, fn info ->
      "#{info.phase}, #{info.pending} requests wait, #{info.restarts} restarts"
    end)
  end

  defp words(:pool, process) do
    with_info(process, fn info ->
      "#{info.ready} ready, #{info.starting} starting, #{info.in_flight} requests under way, #{info.waiting} wait, #{info.replaced} replaced"
    end)
  end

  defp words(:cache, process) do
    with_info(process, fn info ->
      "#{div(info.memory, 1_024)} KiB in memory, #{div(info.bytes, 1_024)} KiB stored, #{info.made} made"
    end)
  end

  defp words(:scripts, process) do
    with_info(process, fn info ->
      "#{info.objects} objects, #{length(info.scripts)} scripts, #{map_size(info.stopped)} stopped"
    end)
  end

  defp words(:godot, process) do
    case ask(process, :connections) do
      nil -> "does not answer"
      connections -> "#{length(connections)} engines"
    end
  end

  defp words(:store, process) do
    case ask(process, :store) do
      nil -> "does not answer"
      store -> inspect(store)
    end
  end

  defp with_info(process, words) do
    case ask(process, :info) do
      nil -> "does not answer"
      info -> words.(info)
    end
  end

  defp ask(process, request) do
    GenServer.call(process, request, @timeout)
  catch
    :exit, _gone_or_late -> nil
  end
end
