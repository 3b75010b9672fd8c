defmodule Wasgo.OsProcess do
  @moduledoc false
  # Processes of the operating system, by their numbers.

  import Wasgo.TestGuests, only: [eventually: 1]

  @doc "Sends a signal, such as `\"KILL\"`."
  def signal(pid, name), do: {_output, 0} = kill([pid], name)

  @doc "Whether it is there, and not only its entry, which waits for its parent."
  def alive?(pid) do
    match?({_output, 0}, kill([pid], "0")) and not zombie?(pid)
  end

  @doc "Waits until none of them is there. The answer is whether that came to be."
  def gone?(pids), do: eventually(fn -> not Enum.any?(List.wrap(pids), &alive?/1) end)

  defp kill(pids, name) do
    System.cmd("sh", ["-c", "kill -#{name} #{Enum.join(pids, " ")}"], stderr_to_stdout: true)
  end

  defp zombie?(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, stat} -> stat =~ ~r/\) Z /
      {:error, _reason} -> false
    end
  end
end
