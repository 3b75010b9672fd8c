defmodule Mix.Tasks.Wasgo.Service.Check do
  @shortdoc "Says what a WebAssembly file is and needs, and tries it"

  @moduledoc """
  Says what a file of WebAssembly is, imports and needs (`Wasgo.Service.Image`), compiles it into the cache and tries it.

      mix wasgo.service.check [options] FILE [--] [ARGUMENT ...]

  A container is to run `echo`, and the time that takes to its answer is told. A WASI program is started with the arguments and no input, and how it ends
  is told. The status is 0 when `Wasgo.Service` can run the file, and otherwise 1 after a sentence that says why not.

  A large module takes seconds to compile, once: afterwards it is loaded from the cache (`Wasgo.Wasm.Cache`), for which this task can be run on a machine before its
  service is.

  ## Options

    * `--memory BYTES` - what it may have, such as `512M`; 256 MiB unless given
    * `--timeout SECONDS` - for the try: 60 for a container, 5 for other programs, unless given
    * `--no-run` - does not try it
  """

  use Mix.Task

  alias Wasgo.Service.{Image, Tool}
  alias Wasgo.Wasm.Program

  @switches [memory: :string, timeout: :integer, run: :boolean]

  @impl true
  def run(arguments) do
    {options, path, command} = parse(arguments)
    Tool.start()
    image = Tool.ok!(Image.describe_file(path), path)
    Mix.shell().info("#{path}\n#{image}")

    memory =
      if options[:memory], do: Tool.bytes!(options[:memory]), else: Program.limits([]).memory

    Tool.ok!(Image.runnable(image, memory), path)
    module = Tool.ok!(Tool.compile(path, image), path)

    if options[:run] != false do
      timeout = (options[:timeout] || default_timeout(image)) * 1_000

      Mix.shell().info(
        "tried: " <> Tool.ok!(Tool.Smoke.run(image, module, command, memory, timeout), path)
      )
    end

    :ok
  end

  defp default_timeout(%{kind: :container2wasm}), do: 60
  defp default_timeout(_program), do: 5

  defp parse(arguments) do
    case OptionParser.parse_head!(arguments, strict: @switches) do
      {options, [path, "--" | command]} -> {checked(options), path, command}
      {options, [path | command]} -> {checked(options), path, command}
      {_options, []} -> Mix.raise("which file? mix wasgo.service.check FILE")
    end
  end

  defp checked(options) do
    if Keyword.get(options, :timeout, 1) in 1..1_000_000,
      do: options,
      else: Mix.raise("--timeout is a number of seconds over 0")
  end
end
