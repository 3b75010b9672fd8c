defmodule Wasgo.Wasm.Imports.Runner do
  @moduledoc false
  # The process that runs the functions which a guest imports, for one call of the guest. The guest's next slice runs on this process's
  # scheduler when a function returns, so that between two functions nothing else has to be woken.
  #
  # It is not linked to the caller: what a function links it to may crash without taking the caller along. The caller's guardian kills
  # it when the caller dies.

  alias Wasgo.Native
  alias Wasgo.Native.Weight
  alias Wasgo.Wasm.{Caller, Imports}
  alias Wasgo.Wasm.Imports.Guardian

  @doc """
  Starts the process with the first request; answers it with a monitor.
  """
  def start(reference, request, %Imports{} = imports) do
    caller = self()
    callers = [caller | Process.get(:"$callers") || []]

    guardian = Guardian.mine()

    spawn_monitor(fn ->
      Guardian.watch_me(guardian, caller)
      Process.put(:"$callers", callers)
      Process.put(__MODULE__, {reference, imports})
      serve(request, reference, imports)
      loop(reference, imports)
    end)
  end

  @doc "What the calling process runs functions for, if it is such a process."
  def current, do: Process.get(__MODULE__)

  @doc "Runs a function of the call for which this process runs one already."
  def serve_outer(request, {reference, imports}), do: serve(request, reference, imports)

  @doc "Has the guest trap whose function ended with its process, and answers what is to be waited for then."
  def give_up({_number, _arguments, serving}, reference) do
    Native.wasm_serve(serving)

    case Native.wasm_reply(serving, {:error, "the process that ran it has ended"}) do
      :ok -> {:pending, reference}
      {:import, _pending, request} -> {:import, reference, request}
    end
  end

  # Until it is killed: the caller knows when the call is over.
  defp loop(reference, imports) do
    receive do
      {^reference, {:import, request}} -> serve(request, reference, imports)
    end

    loop(reference, imports)
  end

  @doc """
  Waits for what a use of the guest within a function gives, and runs the functions that the guest asks for meanwhile.
  """
  def await({:import, pending, request}, {reference, imports} = current) do
    serve(request, reference, imports)
    await({:pending, pending}, current)
  end

  def await({:pending, pending}, {reference, imports} = current) do
    receive do
      {^pending, result} ->
        result

      {^reference, {:import, request}} ->
        serve(request, reference, imports)
        await({:pending, pending}, current)
    end
  end

  def await(result, _current), do: result

  defp serve({number, arguments, serving}, reference, imports) do
    Native.wasm_serve(serving)
    {function, with_caller?} = elem(imports.functions, number)

    arguments =
      if with_caller? do
        [%Caller{serving: serving, reference: reference, imports: imports} | arguments]
      else
        arguments
      end

    case reply(serving, run(function, arguments)) do
      :ok -> :ok
      {:import, _pending, request} -> serve(request, reference, imports)
    end
  end

  # What a component's function returns may be large.
  defp reply(serving, result) do
    if Weight.heavy_value?(result) do
      Native.wasm_reply_dirty(serving, result)
    else
      Native.wasm_reply(serving, result)
    end
  end

  defp run(function, arguments) do
    {:ok, apply(function, arguments)}
  rescue
    exception -> {:error, Exception.message(exception)}
  catch
    kind, reason -> {:error, Exception.format_banner(kind, reason)}
  end
end
