defmodule Wasgo.Service.Tool.Convert do
  @moduledoc false
  # Runs container2wasm's `c2w`, passes on what it says, and ends it when it says nothing any more.

  # Lines that a failure repeats.
  @last 12

  # Characters of a line that are passed on: a builder may print rubbish.
  @longest_line 2_000

  # Milliseconds in which a program that is asked to end has to.
  @polite 5_000

  @doc "Names of architectures here, and those of c2w."
  @spec arches() :: %{String.t() => String.t()}
  def arches, do: %{"riscv64" => "riscv64", "x86_64" => "amd64"}

  @doc "The arguments of c2w."
  @spec arguments(String.t(), Path.t(), keyword()) :: [String.t()]
  def arguments(image, output, options) do
    builder = Keyword.get(options, :builder, "docker")
    build = log_level(options) ++ memory(options) ++ mode(options)

    ["--target-arch", Map.fetch!(arches(), options[:arch]), "--builder", builder] ++
      Enum.flat_map(build ++ Keyword.get_values(options, :build_arg), &["--build-arg", &1]) ++
      [image, output]
  end

  # There is no argument for the kernel's arguments. The level of its log is put among them as it is, and takes another one with it.
  defp log_level(options) do
    if options[:arch] == "riscv64" and options[:noirqdebug] != false,
      do: ["LINUX_LOGLEVEL=0 noirqdebug"],
      else: []
  end

  defp memory(options) do
    if options[:machine_memory], do: ["VM_MEMORY_SIZE_MB=#{options[:machine_memory]}"], else: []
  end

  defp mode(options), do: if(options[:cold], do: ["OPTIMIZATION_MODE=native"], else: [])

  @doc "The program called `name`, or what to do to have it."
  @spec find(String.t()) :: {:ok, Path.t()} | {:error, String.t()}
  def find(name) do
    case System.find_executable(name) do
      nil -> {:error, missing(name)}
      path -> {:ok, path}
    end
  end

  defp missing("c2w") do
    "c2w, container2wasm's converter, is not on the PATH: its releases are at https://github.com/container2wasm/container2wasm/releases"
  end

  defp missing("docker") do
    "docker is not on the PATH: c2w builds with it. Install Docker with its plugin buildx (https://docs.docker.com/engine/install/); on Debian and Ubuntu: docker.io docker-buildx"
  end

  defp missing(builder), do: "#{builder}, which c2w is to build with, is not on the PATH"

  @doc """
  Runs a program whose lines, of both streams, `say` gets. One that says nothing for `patience` milliseconds is ended, with what it started.
  """
  @spec run(Path.t(), [String.t()], pos_integer(), (String.t() -> any())) ::
          :ok | {:error, String.t()}
  def run(program, arguments, patience, say) do
    port =
      Port.open({:spawn_executable, program}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        :hide,
        line: @longest_line,
        args: arguments
      ])

    {:os_pid, pid} = Port.info(port, :os_pid)
    follow(port, pid, patience, say, [])
  end

  defp follow(port, pid, patience, say, last) do
    receive do
      {^port, {:data, {_whole_or_part, line}}} ->
        line = Wasgo.Service.Tool.plain(line)
        say.(line)
        follow(port, pid, patience, say, Enum.take([line | last], @last))

      {^port, {:exit_status, 0}} ->
        :ok

      {^port, {:exit_status, status}} ->
        {:error, "it ended with status #{status}#{words(last)}"}
    after
      patience ->
        stop(port, pid)
        {:error, "it was ended, having said nothing for #{div(patience, 1_000)} s#{words(last)}"}
    end
  end

  defp words([]), do: " and said nothing"
  defp words(last), do: ". It said at last:\n  " <> (last |> Enum.reverse() |> Enum.join("\n  "))

  # First politely; a program that does not take the hint is not asked again.
  defp stop(port, pid) do
    kill(pid, "TERM")
    unless gone?(port), do: kill(pid, "KILL") && gone?(port)
  end

  defp gone?(port) do
    receive do
      {^port, {:exit_status, _status}} -> true
      {^port, {:data, _line}} -> gone?(port)
    after
      @polite -> false
    end
  end

  # Programs are started in a group of their own, which those that they start are in.
  defp kill(pid, signal) do
    with kill when kill != nil <- System.find_executable("kill"),
         {_text, status} when status != 0 <-
           System.cmd(kill, ["-" <> signal, "--", "-#{pid}"], stderr_to_stdout: true) do
      System.cmd(kill, ["-" <> signal, "#{pid}"], stderr_to_stdout: true)
    end
  end
end
