defmodule Mix.Tasks.Wasgo.Service.Run do
  @shortdoc "Runs a WASI program or a container at this console"

  @moduledoc """
  Runs a program at this console: a WASI program, or a container that container2wasm turned into a module.

      mix wasgo.service.run [options] FILE [--] [ARGUMENT ...]

      echo 'print(2 + 2)' | mix wasgo.service.run python.wasm
      mix wasgo.service.run --dir ./data:/data:ro python.wasm /data/sum.py
      mix wasgo.service.run alpine.wasm sh

  Standard input goes to the program, what it writes to the terminal, and its exit status is the task's (of a number that is negative or over 255, its lowest
  8 bits). What comes after FILE is the program's. The first run of a large module compiles it into the cache (`Wasgo.Wasm.Cache`).

  ## Options

    * `--dir HOST:GUEST[:ro]` - a directory that it can use, only for reading with `:ro`; may be given several times
    * `--env NAME=VALUE` - a variable; `NAME` alone passes on the one of that name; may be given several times
    * `--memory BYTES` - what it may have, such as `512M`; 256 MiB unless given
    * `--net` - gives it a network, on which nothing answers but its router
    * `--outgoing HOST[:PORT[-PORT]]` - what it may connect to, a name or addresses, as in the rules of `Wasgo.Service.Network`; may be given several times
    * `--no-shell` - runs a container's command as it is, without its `sh`: its exit status is then not known, and piped input that comes before it
      reads is lost
    * `--plain` - takes a container for a plain WASI program

  It is given the time of day and random numbers; of the host's environment, files and network nothing else.

  ## Containers

  Without a command a container runs its own, as it is. At a terminal the container has one too, and **Ctrl-]** leaves it; the keys that edit lines and
  stop programs are the container's. That takes `stty`, Linux and Erlang/OTP 25; elsewhere the terminal keeps its own line editing, and lines are sent as they
  are ended. Piped input is lines of text: it ends with the end of the pipe, and lines over 4,095 bytes or with control characters are refused.
  """

  use Mix.Task

  alias Wasgo.Service.{Image, Network, Tool}
  alias Wasgo.Wasm.Program

  @switches [
    dir: :keep,
    env: :keep,
    memory: :string,
    net: :boolean,
    outgoing: :keep,
    shell: :boolean,
    plain: :boolean
  ]

  # As a program that can't be run has in shells.
  @not_run 126

  @impl true
  def run(arguments) do
    {options, path, command} = parse(arguments)
    Tool.start()
    image = Tool.ok!(Image.describe_file(path), path)

    memory =
      if options[:memory], do: Tool.bytes!(options[:memory]), else: Program.limits([]).memory

    Tool.ok!(Image.runnable(image, memory), path)
    program = program(options, image, command, memory)
    module = Tool.ok!(Tool.compile(path, image), path)

    case at_terminal(program, &Tool.Run.run(module, &1)) do
      {:ok, 0} -> :ok
      {:ok, status} -> exit({:shutdown, :erlang.band(status, 0xFF)})
      {:error, exception} -> failed(path, exception)
    end
  end

  defp failed(path, exception) do
    Mix.shell().error("#{path}: #{Exception.message(exception)}")
    exit({:shutdown, @not_run})
  end

  defp parse(arguments) do
    case OptionParser.parse_head!(arguments, strict: @switches) do
      {options, [path | command]} -> {options, path, rest(command)}
      {_options, []} -> Mix.raise("which file? mix wasgo.service.run FILE [ARGUMENT ...]")
    end
  end

  defp rest(["--" | command]), do: command
  defp rest(command), do: command

  defp program(options, image, command, memory) do
    program = %{
      container?: image.kind == :container2wasm and options[:plain] != true,
      shell?: options[:shell] != false,
      command: command,
      env: options |> Keyword.get_values(:env) |> Enum.map(&Tool.variable!/1),
      dirs: options |> Keyword.get_values(:dir) |> Enum.map(&Tool.dir!/1),
      limits: Program.limits(memory: memory),
      network: network(options),
      terminal: nil,
      input: :standard_io,
      output: :standard_io,
      errors: :standard_error
    }

    words = %{arguments: command, environment: program.env, dirs: program.dirs}
    Program.check!(words, "mix wasgo.service.run")
    program
  end

  defp network(options) do
    rules = options |> Keyword.get_values(:outgoing) |> Enum.map(&Tool.rule!/1)

    if options[:net] || rules != [] do
      Network.validate!([outgoing: rules], "mix wasgo.service.run")
    end
  end

  # Devices hand on bytes as they are, and the terminal its keys: nothing of it is left as it was not.
  defp at_terminal(program, fun) do
    before = :io.getopts(:standard_io)
    :io.setopts(:standard_io, encoding: :latin1, binary: false)
    :io.setopts(:standard_error, encoding: :latin1)

    try do
      raw(program, fun)
    after
      if is_list(before),
        do: :io.setopts(:standard_io, Keyword.take(before, [:encoding, :binary]))
    end
  end

  # Later releases of Erlang read a terminal's lines, not its keys.
  defp raw(%{container?: true} = program, fun) do
    with {:ok, path} <- Tool.tty(0),
         {:ok, _path} <- Tool.tty(1),
         ~c"25" <- :erlang.system_info(:otp_release),
         stty when stty != nil <- System.find_executable("stty"),
         {saved, 0} <- System.cmd(stty, ["-F", path, "-g"], stderr_to_stdout: true),
         {_none, 0} <- System.cmd(stty, ["-F", path, "raw", "-echo"], stderr_to_stdout: true) do
      IO.write(:stderr, "[Ctrl-] leaves the container]\r\n")

      try do
        result = fun.(%{program | terminal: size()})
        if match?({:error, _exception}, result), do: IO.write(:stderr, "\r\n")
        result
      after
        System.cmd(stty, ["-F", path, String.trim(saved)], stderr_to_stdout: true)
      end
    else
      _no_raw_terminal -> fun.(program)
    end
  end

  defp raw(program, fun), do: fun.(program)

  defp size do
    with {:ok, rows} <- :io.rows(:standard_io),
         {:ok, columns} <- :io.columns(:standard_io) do
      {rows, columns}
    else
      _unknown -> {24, 80}
    end
  end
end
