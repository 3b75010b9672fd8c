defmodule Wasgo.TestEngine do
  @moduledoc false
  # A real engine that runs a script of godot/tests, as a process of the operating system. It belongs to the process that
  # starts it, which gets its output line by line, and ends with it: the script that runs it watches its own input.

  @root Path.expand("../..", __DIR__)
  # A test takes a minute at most unless it says otherwise.
  @seconds 55

  @spec start(String.t(), [String.t()], pos_integer()) :: port()
  def start(script, arguments, seconds \\ @seconds) do
    start_project("godot/tests", ["--script", "res://#{script}", "--"] ++ arguments, seconds)
  end

  @doc "The engine with a project in a folder of the repository, and whatever arguments of its own."
  @spec start_project(String.t(), [String.t()]) :: port()
  def start_project(folder, arguments, seconds \\ @seconds) do
    command =
      ["-k", "5", "#{seconds}", executable("bash"), Path.join(@root, "bin/godot")] ++
        ["--wasgo-with-stdin", "--path", Path.join(@root, folder)] ++ arguments

    Port.open({:spawn_executable, executable("timeout")}, [
      :binary,
      :exit_status,
      :stderr_to_stdout,
      line: 4096,
      args: command
    ])
  end

  @doc "The rest of the next line that starts with `prefix`. Fails with the lines before it when the engine ends."
  @spec await_line(port(), String.t(), [String.t()]) :: String.t()
  def await_line(engine, prefix, seen \\ []) do
    receive do
      {^engine, {:data, {_eol, line}}} ->
        if String.starts_with?(line, prefix),
          do: String.replace_prefix(line, prefix, ""),
          else: await_line(engine, prefix, [line | seen])

      {^engine, {:exit_status, status}} ->
        fail("ended with status #{status}", prefix, seen)
    after
      20_000 -> fail("wrote nothing for 20 s", prefix, seen)
    end
  end

  @doc "Waits until the engine has ended by itself, and gives its exit status."
  @spec await_exit(port()) :: non_neg_integer()
  def await_exit(engine) do
    receive do
      {^engine, {:exit_status, status}} -> status
    after
      20_000 -> fail("did not end within 20 s", "", [])
    end
  end

  @doc "Kills an engine whose script tells its \"pid\" first, without a chance to say anything."
  @spec kill(port(), String.t()) :: :ok
  def kill(engine, pid) do
    {_said, 0} = System.cmd(executable("kill"), ["-KILL", pid])
    _status = await_exit(engine)
    :ok
  end

  @spec alive?(port()) :: boolean()
  def alive?(engine), do: Port.info(engine) != nil

  @spec fail(String.t(), String.t(), [String.t()]) :: no_return()
  defp fail(what, prefix, seen) do
    raise "the engine #{what}, while a line #{inspect(prefix)} was waited for. It wrote:\n" <>
            Enum.join(Enum.reverse(seen), "\n")
  end

  defp executable(name) do
    System.find_executable(name) || raise "#{name} is missing, which the engine is run with"
  end
end
