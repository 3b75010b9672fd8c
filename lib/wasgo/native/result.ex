defmodule Wasgo.Native.Result do
  @moduledoc false
  # The one place where what the NIFs answer becomes `{:ok, value}` or `{:error, exception}`.

  alias Wasgo.Wasm.Imports
  alias Wasgo.Wasm.Imports.Runner

  @exceptions %{
    compile: Wasgo.CompileError,
    link: Wasgo.LinkError,
    trap: Wasgo.TrapError,
    limit: Wasgo.LimitError,
    instance: Wasgo.InstanceError,
    store: Wasgo.StoreError,
    plan: Wasgo.PlanError,
    scene: Wasgo.SceneError
  }

  @type native ::
          {:ok, term()}
          | {:error, map()}
          | {:pending, reference()}
          | {:import, reference(), term()}
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

  def await(native, imports) do
    # Within a function that a guest called, that guest's further requests come to this process.
    case Runner.current() do
      nil -> wait(native, imports)
      current -> native |> Runner.await(current) |> await(imports)
    end
  end

  defp wait({:import, reference, request}, imports) do
    {runner, monitor} = Runner.start(reference, request, imports)

    case wait(reference, monitor, imports) do
      # This process holds the request too, so that nobody else tells the guest.
      :runner_is_gone ->
        request |> Runner.give_up(reference) |> wait(imports)

      result ->
        Process.exit(runner, :kill)
        Process.demonitor(monitor, [:flush])
        result
    end
  end

  defp wait({:pending, reference}, imports) do
    receive do
      {^reference, {:import, request}} -> wait({:import, reference, request}, imports)
      {^reference, {:logged, lines}} -> logged({:pending, reference}, lines, imports)
      {^reference, result} -> await(result)
    end
  end

  defp wait(reference, monitor, imports) do
    receive do
      {^reference, {:logged, lines}} ->
        Imports.log(imports, lines)
        wait(reference, monitor, imports)

      {^reference, result} ->
        await(result)

      {:DOWN, ^monitor, :process, _pid, _reason} ->
        :runner_is_gone
    end
  end

  defp logged(native, lines, imports) do
    Imports.log(imports, lines)
    wait(native, imports)
  end

  @spec exception(map()) :: Exception.t()
  def exception(%{kind: :decode, message: message}) do
    %Wasgo.DecodeError{reason: {:contract, message}}
  end

  def exception(%{kind: kind} = fault) do
    struct!(Map.fetch!(@exceptions, kind), Map.delete(fault, :kind))
  end

  @spec bang!({:ok, value} | {:error, Exception.t()}) :: value when value: var
  def bang!({:ok, value}), do: value
  def bang!({:error, exception}), do: raise(exception)
end
