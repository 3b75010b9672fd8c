defmodule Wasgo.Wasm.Imports.Guardian do
  @moduledoc false
  # Kills the process that runs a function for a guest when the caller of that guest dies. There is one for each process that calls guests
  # with functions written in Elixir; it lives as long as that. The caller can't be linked to what it waits for: what a function is
  # linked to may crash without taking the caller along. And a guardian started or told for each call would cost as much as all the
  # rest: so it is told nothing, and looks into its table when the caller has died.

  @opaque t :: {pid(), :ets.table()}

  @doc "The calling process's own, started the first time."
  @spec mine() :: t()
  def mine do
    case Process.get(__MODULE__) do
      {pid, _table} = guardian -> if Process.alive?(pid), do: guardian, else: start()
      nil -> start()
    end
  end

  defp start do
    caller = self()
    reference = make_ref()

    {pid, monitor} =
      spawn_monitor(fn ->
        table = :ets.new(__MODULE__, [:public])
        down = Process.monitor(caller)
        send(caller, {reference, table})

        receive do
          {:DOWN, ^down, :process, _pid, _reason} -> kill(table)
        end
      end)

    receive do
      {^reference, table} ->
        Process.demonitor(monitor, [:flush])
        guardian = {pid, table}
        Process.put(__MODULE__, guardian)
        guardian

      {:DOWN, ^monitor, :process, ^pid, reason} ->
        exit(reason)
    end
  end

  @doc """
  To be called first by the process that runs functions for `caller`. It ends here if the caller is dead already.
  """
  @spec watch_me(t(), pid()) :: :ok
  def watch_me({_pid, table}, caller) do
    # Without a guardian there is no table, and nobody who would wait.
    :ets.insert(table, {:runner, self()})
    # The guardian may have looked just before.
    if Process.alive?(caller), do: :ok, else: exit(:normal)
  rescue
    ArgumentError -> exit(:normal)
  end

  defp kill(table) do
    for {:runner, runner} <- :ets.lookup(table, :runner), do: Process.exit(runner, :kill)
  end
end
