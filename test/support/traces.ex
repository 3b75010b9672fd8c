defmodule Wasgo.Traces do
  @moduledoc false
  # What guests leave behind in this operating system process: what runs, and how much memory it has. Linux tells; elsewhere these are
  # empty, and tests of them say so.

  @doc "Whether there is a `/proc` to read."
  def told?, do: File.exists?("/proc/self/task")

  @doc "The time that each of the engine's threads has run for, in hundredths of a second, by its number."
  def engine_time do
    for task <- list("/proc/self/task"),
        {:ok, line} <- [File.read("/proc/self/task/#{task}/stat")],
        # Behind the name, which may have anything in it.
        [_, name, rest] <- [Regex.run(~r/\((.*)\) (.*)/s, line)],
        String.starts_with?(name, "wasgo-worker"),
        into: %{} do
      fields = String.split(rest)
      {task, String.to_integer(Enum.at(fields, 11)) + String.to_integer(Enum.at(fields, 12))}
    end
  end

  @doc "How much more of it there is than in `before`, of the thread that has most."
  def most_since(before) do
    engine_time()
    |> Enum.map(fn {task, time} -> time - Map.get(before, task, 0) end)
    |> Enum.max(fn -> 0 end)
  end

  @doc """
  Whether no thread of the engine runs on. Looks at fifths of a second, of which one must be quiet: a thread that spins has run for most of
  each, and what others of this machine do comes and goes.
  """
  def quiet? do
    not told?() or
      Enum.any?(1..20, fn _ ->
        before = engine_time()
        # Not waiting for anything, but the time that is looked at.
        Process.sleep(200)
        most_since(before) <= 5
      end)
  end

  @doc "Memory that is held, in bytes."
  def memory do
    with {:ok, text} <- File.read("/proc/self/status"),
         [_, kilobytes] <- Regex.run(~r/VmRSS:\s+(\d+) kB/, text) do
      1024 * String.to_integer(kilobytes)
    else
      _ -> 0
    end
  end

  @doc "How much data the process may have, in bytes, or `:infinity`."
  def data_limit do
    with {:ok, text} <- File.read("/proc/self/limits"),
         [_, bytes] <- Regex.run(~r/Max data size\s+(\d+)/, text) do
      String.to_integer(bytes)
    else
      _ -> :infinity
    end
  end

  defp list(folder) do
    case File.ls(folder) do
      {:ok, names} -> names
      {:error, _} -> []
    end
  end
end
