defmodule Wasgo.LongSchedules do
  @moduledoc false
  # Who holds a scheduler. One process of the whole VM is told, so that tests with this are not async.

  @doc "Has the test's process told of whoever holds a scheduler for so many milliseconds, until the test ends."
  def watch(milliseconds) do
    before = :erlang.system_monitor(self(), [{:long_schedule, milliseconds}])

    ExUnit.Callbacks.on_exit(fn ->
      case before do
        :undefined -> :erlang.system_monitor(:undefined)
        {pid, options} -> :erlang.system_monitor(pid, options)
      end
    end)
  end

  @doc "What was told since: `{pid, info}`. Another scheduler may be about to send the last of them."
  def reports do
    receive do
      {:monitor, pid, :long_schedule, info} -> [{pid, info} | reports()]
    after
      50 -> []
    end
  end
end
