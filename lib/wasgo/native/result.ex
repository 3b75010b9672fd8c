defmodule Wasgo.Native.Result do
  @moduledoc false
  # The one place where what the NIFs answer becomes `{:ok, value}` or `{:error, exception}`.

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
          {:ok, term()} | {:error, map()} | {:pending, reference()}

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

  @spec exception(map()) :: Exception.t()
  def exception(%{kind: :decode, message: message}) do
    %Wasgo.DecodeError{reason: {:contract, message}}
  end

  def exception(%{kind: :directory, reason: reason, path: path}) do
    %File.Error{reason: reason, action: "open directory", path: path}
  end

  def exception(%{kind: kind} = fault) do
    struct!(Map.fetch!(@exceptions, kind), Map.delete(fault, :kind))
  end

  @spec bang!({:ok, value} | {:error, Exception.t()}) :: value when value: var
  def bang!({:ok, value}), do: value
  def bang!({:error, exception}), do: raise(exception)
end
