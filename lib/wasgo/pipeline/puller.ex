defmodule Wasgo.Pipeline.Puller do
  @moduledoc false
  # A process that a stream runs in, as far as it is asked to. It tells its owner `{Wasgo.Pipeline.Puller, puller, event}`:
  #
  #   * `{:element, element}` - for each that was asked for
  #   * `:end_of_stream`, or `{:raised, exception}` - and is gone
  #
  # It ends the stream when it is stopped, and with its owner: between two elements, or soon after in the middle of one.

  alias Wasgo.Stage.Guard

  @spec start(Enumerable.t(), pid()) :: pid()
  def start(stream, owner \\ self()) do
    :proc_lib.spawn(fn ->
      Process.flag(:trap_exit, true)
      Wasgo.Label.put({Wasgo.Pipeline, :stages})
      Guard.watch(owner, self())
      owner_ref = Process.monitor(owner)

      pull(
        &Enumerable.reduce(stream, &1, fn element, _ -> {:suspend, element} end),
        owner,
        owner_ref
      )
    end)
  end

  @spec demand(pid(), pos_integer()) :: :ok
  def demand(puller, size) do
    send(puller, {__MODULE__, :demand, size})
    :ok
  end

  @spec stop(pid()) :: :ok
  def stop(puller) do
    send(puller, {__MODULE__, :stop})
    Guard.end_soon(puller)
    :ok
  end

  defp pull(next, owner, owner_ref, left \\ 0)

  defp pull(next, owner, owner_ref, 0) do
    case message(owner_ref, :infinity) do
      {:demand, size} -> pull(next, owner, owner_ref, size)
      :stop -> next.({:halt, nil})
    end
  end

  defp pull(next, owner, owner_ref, left) do
    case message(owner_ref, 0) do
      {:demand, size} ->
        pull(next, owner, owner_ref, left + size)

      :stop ->
        next.({:halt, nil})

      :none ->
        case step(next) do
          {:suspended, element, next} ->
            tell(owner, {:element, element})
            pull(next, owner, owner_ref, left - 1)

          {:raised, exception} ->
            tell(owner, {:raised, exception})

          {done, _} when done in [:done, :halted] ->
            tell(owner, :end_of_stream)
        end
    end
  end

  defp step(next) do
    next.({:cont, nil})
  rescue
    exception -> {:raised, exception}
  catch
    kind, reason ->
      words = Exception.format_banner(kind, reason, __STACKTRACE__)
      {:raised, %RuntimeError{message: "the stream ended with #{words}"}}
  end

  # What the stages receive is left to them.
  defp message(owner_ref, timeout) do
    receive do
      {__MODULE__, :demand, size} -> {:demand, size}
      {__MODULE__, :stop} -> :stop
      {:DOWN, ^owner_ref, :process, _owner, _reason} -> :stop
      {:EXIT, _pid, reason} when reason != :normal -> :stop
    after
      timeout -> :none
    end
  end

  defp tell(owner, event), do: send(owner, {__MODULE__, self(), event})
end
