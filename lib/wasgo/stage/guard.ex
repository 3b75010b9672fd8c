defmodule Wasgo.Stage.Guard do
  @moduledoc false
  # Ends a process that works for another, and may be in the middle of something.

  # How long it has to end by itself, in milliseconds, before it is killed.
  @grace 1_000

  # Has `worker` killed if it is still there some time after its owner: it sees its owner's end itself, but only between two things that it does.
  @spec watch(pid(), pid()) :: pid()
  def watch(owner, worker) do
    spawn(fn ->
      Wasgo.Label.put(__MODULE__)
      worker_ref = Process.monitor(worker)
      owner_ref = Process.monitor(owner)

      receive do
        {:DOWN, ^worker_ref, _, _, _} -> :ok
        {:DOWN, ^owner_ref, _, _, _} -> grace(worker, worker_ref)
      end
    end)
  end

  # The same for one that was asked to end just now. Doesn't wait.
  @spec end_soon(pid()) :: pid()
  def end_soon(worker), do: spawn(fn -> grace(worker, Process.monitor(worker)) end)

  defp grace(worker, ref) do
    receive do
      {:DOWN, ^ref, _, _, _} -> :ok
    after
      @grace -> Process.exit(worker, :kill)
    end
  end
end
