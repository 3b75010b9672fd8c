defmodule Wasgo.World.Writer do
  @moduledoc false
  # The process that writes a world's journal, one job after another. The world's own process never waits for the store; it has one job under way here at most.

  @spec start_link() :: pid()
  def start_link, do: :proc_lib.spawn_link(__MODULE__, :begin, [self()])

  # The answer comes as `{Wasgo.World.Writer, ref, result}`.
  @spec run(pid(), fun()) :: reference()
  def run(writer, job) do
    ref = make_ref()
    send(writer, {:run, ref, job})
    ref
  end

  @doc false
  def begin(world) do
    Wasgo.Label.put({__MODULE__, world})
    loop(world)
  end

  defp loop(world) do
    receive do
      {:run, ref, job} ->
        send(world, {__MODULE__, ref, job.()})
        loop(world)
    end
  end
end
