defmodule Wasgo.Stages.Generate.Viewed do
  @moduledoc false
  # `Wasgo.Stages.Generate` driven by viewers: waits for what changes around them and for what is made, in the process that the stage runs in.

  alias Wasgo.Gen.{Cache, Gone, Tiling, View, Viewers, Work}
  alias Wasgo.Native.Result
  alias Wasgo.{Buffer, StageError}

  # What asks the process that a stage runs in to end: a source that may wait for ever has to hear it.
  @runtimes [Wasgo.Stage.Worker, Wasgo.Pipeline.Puller]

  def init(options, tiling) do
    case Viewers.follow(options.viewers) do
      {:ok, ref, viewers} ->
        state = %{
          plan: options.plan,
          cache: options.cache,
          most: options.max_in_flight,
          until: options.until,
          gone?: options.gone,
          server: GenServer.whereis(options.viewers),
          ref: ref,
          view: View.new(tiling),
          # What was begun, in that order: `%{work:, by:, ref:, result:}`, the result `nil` while it is not there, by the cache or a native job.
          begun: [],
          # Native jobs of which nothing is wanted any more. They can't be stopped, and count as begun until they have answered.
          dropped: %{},
          errors: [],
          ended: nil
        }

        {:ok, look(state, viewers)}

      {:error, reason} ->
        {:error, StageError.killed(Viewers, reason)}
    end
  end

  def demand(state), do: state |> heed() |> go_on()

  def terminate(state) do
    Viewers.unfollow(state.server, state.ref)
    for %{by: :cache, ref: ref, result: nil} <- state.begun, do: Cache.forget(ref)

    # A native job answers this process in any case.
    for %{by: :native, ref: ref, result: nil} <- state.begun, do: Result.await({:pending, ref})
    for {ref, _} <- state.dropped, do: Result.await({:pending, ref})
    :ok
  end

  # Viewers may have moved while nothing was demanded.
  defp heed(%{ref: ref} = state) do
    receive do
      {Viewers, ^ref, :changed} -> look(state)
    after
      0 -> state
    end
  end

  defp look(state) do
    case Viewers.now(state.server, state.ref) do
      {:ok, viewers} -> look(state, viewers)
      # The monitor says why.
      :gone -> state
    end
  end

  defp look(state, viewers) do
    {errors, view} = View.look(state.view, viewers)
    state = %{state | view: view, errors: state.errors ++ errors}

    {kept, dropped} =
      Enum.split_with(state.begun, &View.begun?(view, &1.work.address, &1.work.neighbours))

    Enum.reduce(dropped, %{state | begun: kept}, &drop/2)
  end

  defp drop(%{result: nil, by: :native, ref: ref}, state),
    do: put_in(state.dropped[ref], true)

  defp drop(%{result: nil, by: :cache, ref: ref}, state) do
    Cache.forget(ref)
    state
  end

  defp drop(_done, state), do: state

  defp go_on(%{ended: {:shutdown, exception}} = state), do: {:stop, exception, state}
  defp go_on(%{ended: :normal} = state), do: {:end_of_stream, [], state}

  defp go_on(%{errors: [exception | errors]} = state),
    do: {:error, exception, %{state | errors: errors}}

  defp go_on(state) do
    state = fill(state)

    case {View.gone(state.view), state.begun} do
      {{address, view}, _begun} ->
        state = %{state | view: view}
        if state.gone?, do: {:ok, [gone(address)], state}, else: go_on(state)

      {:none, [%{result: result} = first | rest]} when result != nil ->
        give(result, first, %{state | begun: rest})

      {:none, []} ->
        if state.until == :complete and View.complete?(state.view),
          do: {:end_of_stream, [], state},
          else: go_on(wait(state))

      {:none, _not_there} ->
        go_on(wait(state))
    end
  end

  defp give({:ok, made}, %{work: work}, state) do
    {:ok, key} = Work.key(work)

    metadata = %{
      level: Tiling.level(work.address),
      key: key,
      viewers: View.viewers(state.view, work.address)
    }

    state = %{state | view: View.done(state.view, work.address, :sent)}
    {:ok, [Work.buffer(work, made, metadata)], state}
  end

  defp give({:error, exception}, %{work: work}, state),
    do: {:error, exception, %{state | view: View.done(state.view, work.address, :failed)}}

  defp gone(address) do
    level = Tiling.level(address)
    coordinate = Tuple.delete_at(address, tuple_size(address) - 1)

    %Buffer{
      payload: %Gone{coordinate: coordinate, level: level},
      metadata: %{coordinate: coordinate, level: level}
    }
  end

  defp fill(state) do
    with true <- length(state.begun) + map_size(state.dropped) < state.most,
         {address, neighbours, view} <- View.next(state.view) do
      work = Work.new(state.plan, address, neighbours)
      fill(%{state | view: view, begun: state.begun ++ [begin(work, state.cache)]})
    else
      _full_or_none -> state
    end
  end

  defp begin(work, cache) do
    case Cache.start(cache, work) do
      {:cached, ref} -> %{work: work, by: :cache, ref: ref, result: nil}
      {:pending, ref} -> %{work: work, by: :native, ref: ref, result: nil}
      refused -> %{work: work, by: :native, ref: nil, result: Result.await(refused)}
    end
  end

  defp wait(%{ref: ref, begun: begun, dropped: dropped} = state) do
    waiting = for %{ref: ref, result: nil} <- begun, into: dropped, do: {ref, true}

    receive do
      {Viewers, ^ref, :changed} ->
        look(state)

      {:DOWN, ^ref, :process, _viewers, reason} ->
        %{state | ended: ended(reason)}

      {job, result} when is_map_key(waiting, job) ->
        put(state, job, &%{&1 | result: Result.await(result)})

      # The cache is gone: it is made without.
      {:DOWN, job, :process, _cache, _reason} when is_map_key(waiting, job) ->
        put(state, job, &begin(&1.work, nil))

      {runtime, :stop} when runtime in @runtimes ->
        %{state | ended: :normal}
    end
  end

  defp ended(reason) when reason in [:normal, :shutdown], do: :normal
  defp ended({:shutdown, _why}), do: :normal
  defp ended(reason), do: {:shutdown, StageError.killed(Viewers, reason)}

  defp put(state, job, change) do
    begun =
      Enum.map(state.begun, &if(&1.ref == job and &1.result == nil, do: change.(&1), else: &1))

    %{state | begun: begun, dropped: Map.delete(state.dropped, job)}
  end
end
