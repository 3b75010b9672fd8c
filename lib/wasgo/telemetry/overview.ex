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

  # What a part of each kind is asked, and the words for its answer.
  defp answers do
    %{
      world:
        {:info,
         &"#{&1.objects} objects, revision #{&1.rev}, #{&1.waiting} requests wait, zones: #{Enum.join(&1.zones, ", ")}"},
      service: {:info, &"#{&1.phase}, #{&1.pending} requests wait, #{&1.restarts} restarts"},
      pool:
        {:info,
         &"#{&1.ready} ready, #{&1.starting} starting, #{&1.in_flight} requests under way, #{&1.waiting} wait, #{&1.replaced} replaced"},
      cache:
        {:info,
         &"#{div(&1.memory, 1_024)} KiB in memory, #{div(&1.bytes, 1_024)} KiB stored, #{&1.made} made"},
      scripts:
        {:info,
         &"#{&1.objects} objects, #{length(&1.scripts)} scripts, #{map_size(&1.stopped)} stopped"},
      godot: {:connections, &"#{length(&1)} engines"},
      store: {:store, &inspect/1}
    }
  end

  defp words(kind, process) do
    {request, words} = Map.fetch!(answers(), kind)

    case ask(process, request) do
      nil -> "does not answer"
      answer -> words.(answer)
    end
  end

  defp ask(process, request) do
    GenServer.call(process, request, @timeout)
  catch
    :exit, _gone_or_late -> nil
  end
end
