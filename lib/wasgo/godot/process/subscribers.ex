defmodule Wasgo.Godot.Process.Subscribers do
  @moduledoc false
  # Who is told what happens. One that does not read is told no more until it does, and then how much it missed: no mailbox grows without
  # bound. That needs a look at the mailbox, so that it has to be one of this node.

  # Messages that may wait, of whatever kind.
  @most 1_000

  @opaque t :: %{pid() => %{monitor: reference(), log: boolean(), missed: non_neg_integer()}}

  @spec new() :: t()
  def new, do: %{}

  @spec put(t(), pid(), boolean()) :: t()
  def put(subscribers, pid, log) do
    case subscribers do
      %{^pid => subscriber} ->
        %{subscribers | pid => %{subscriber | log: log}}

      _new ->
        Map.put(subscribers, pid, %{monitor: Process.monitor(pid), log: log, missed: 0})
    end
  end

  @spec drop(t(), reference()) :: t()
  def drop(subscribers, monitor) do
    Map.reject(subscribers, fn {_pid, subscriber} -> subscriber.monitor == monitor end)
  end

  @spec tell(t(), term()) :: t()
  def tell(subscribers, event) do
    Map.new(subscribers, fn {pid, subscriber} -> {pid, send_to(pid, subscriber, event)} end)
  end

  @spec tell_log(t(), term()) :: t()
  def tell_log(subscribers, event) do
    Map.new(subscribers, fn
      {pid, %{log: true} = subscriber} -> {pid, send_to(pid, subscriber, event)}
      other -> other
    end)
  end

  defp send_to(pid, subscriber, event) do
    case Process.info(pid, :message_queue_len) do
      {:message_queue_len, length} when length < @most ->
        if subscriber.missed > 0, do: message(pid, {:missed, subscriber.missed})
        message(pid, event)
        %{subscriber | missed: 0}

      _full_or_gone ->
        %{subscriber | missed: subscriber.missed + 1}
    end
  end

  defp message(pid, event), do: send(pid, {:wasgo_process, self(), event})
end
