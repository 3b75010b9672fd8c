defmodule Wasgo.Native.Result do
  @moduledoc false
  # The one place where what the NIFs answer becomes `{:ok, value}` or `{:error, exception}`.

  alias Wasgo.Wasm.Imports
  alias Wasgo.Wasm.Imports.Runner

  @exceptions %{
    cache: Wasgo.CacheError,
    compile: Wasgo.CompileError,
    link: Wasgo.LinkError,
    trap: Wasgo.TrapError,
    instance: Wasgo.InstanceError,
    store: Wasgo.StoreError,
    plan: Wasgo.PlanError,
    scene: Wasgo.SceneError,
    service: Wasgo.ServiceError
  }

  @type native ::
          {:ok, term()}
          | {:error, map()}
          | {:pending, reference()}
          | {:import, reference(), term()}
          | {:inside, native()}
          | {:logged, [{atom(), String.t()}], native()}

  # Waits for an answer that comes later. There is no time limit here because whatever runs has one of its own, and answers
  # in every case.
  @spec await(native()) :: {:ok, term()} | {:error, Exception.t()}
  def await({:ok, _value} = ok), do: ok
  def await({:error, fault}), do: {:error, exception(fault)}

  def await({:pending, reference}) do
    receive do
      {^reference, result} -> await(result)
    end
  end

  # As `await/1`, for a guest that was given imports: their functions are run, and what it logs is passed on.
  @spec await(native(), Imports.t() | nil) :: {:ok, term()} | {:error, Exception.t()}
  def await({:ok, _value} = ok, _imports), do: ok
  def await({:error, fault}, _imports), do: {:error, exception(fault)}
  def await({:pending, _reference} = pending, nil), do: await(pending)

  def await({:logged, lines, native}, imports) do
    Imports.log(imports, lines)
    await(native, imports)
  end

  # Within a function that a guest called, that guest was used: its further requests are those of its call, which this process serves.
  def await({:inside, native}, imports) do
    case Runner.current() do
      nil -> await(native, imports)
      current -> native |> Runner.await(current) |> await(imports)
    end
  end

  def await(native, imports), do: wait(native, imports, Runner.current())

  # `outer` is what this process runs a function for, if it is such a process: another process may use that function's guest meanwhile.
  defp wait({:import, reference, request}, imports, outer) do
    {runner, monitor} = Runner.start(reference, request, imports)

    case wait(reference, monitor, imports, outer) do
      # This process holds the request too, so that nobody else tells the guest.
      :runner_is_gone ->
        request |> Runner.give_up(reference) |> wait(imports, outer)

      result ->
        Process.exit(runner, :kill)
        Process.demonitor(monitor, [:flush])
        result
    end
  end

  defp wait({:pending, reference} = pending, imports, outer) do
    outside = outside(outer)

    receive do
      {^reference, {:import, request}} ->
        wait({:import, reference, request}, imports, outer)

      {^reference, {:logged, lines}} ->
        Imports.log(imports, lines)
        wait(pending, imports, outer)

      {^reference, result} ->
        await(result)

      {^outside, {:import, request}} ->
        Runner.serve_outer(request, outer)
        wait(pending, imports, outer)
    end
  end

  defp wait(reference, monitor, imports, outer) do
    outside = outside(outer)

    receive do
      {^reference, {:logged, lines}} ->
        Imports.log(imports, lines)
        wait(reference, monitor, imports, outer)

      {^reference, result} ->
        await(result)

      {^outside, {:import, request}} ->
        Runner.serve_outer(request, outer)
        wait(reference, monitor, imports, outer)

      {:DOWN, ^monitor, :process, _pid, _reason} ->
        :runner_is_gone
    end
  end

  defp outside(nil), do: :none
  defp outside({reference, _imports}), do: reference

  @spec exception(map()) :: Exception.t()
  # What was refused before the native half was asked.
  def exception(exception) when is_exception(exception), do: exception

  def exception(%{kind: :decode, message: message}) do
    %Wasgo.DecodeError{reason: {:contract, message}}
  end

  def exception(%{kind: :gltf, reason: reason, offset: offset}) do
    %Wasgo.DecodeError{reason: reason, offset: offset, reading: {:format, :gltf}}
  end

  def exception(%{kind: :directory, reason: reason, path: path}) do
    %File.Error{reason: reason, action: "open directory", path: path}
  end

  # What went wrong in a plan's script is an exception of its own.
  def exception(%{kind: :plan, cause: %{kind: _} = cause} = fault),
    do: exception(%{fault | cause: exception(cause)})

  def exception(%{kind: :limit} = fault) do
    error = struct!(Wasgo.LimitError, Map.delete(fault, :kind))
    about = %{reason: error.reason, limit: error.value, asked: error.asked}
    Wasgo.Telemetry.execute([:limit, :reached], %{count: 1}, about)
    error
  end

  def exception(%{kind: kind} = fault) do
    struct!(Map.fetch!(@exceptions, kind), Map.delete(fault, :kind))
  end

  @spec bang!({:ok, value} | {:error, Exception.t()}) :: value when value: var
  def bang!({:ok, value}), do: value
  def bang!({:error, exception}), do: raise(exception)
end
