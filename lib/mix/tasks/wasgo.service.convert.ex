defmodule Mix.Tasks.Wasgo.Service.Convert do
  @shortdoc "Makes a module of a container image, by container2wasm"

  @moduledoc """
  Makes a WebAssembly module of a container image, by [container2wasm](https://github.com/container2wasm/container2wasm).

      mix wasgo.service.convert IMAGE [FILE] [options]

      mix wasgo.service.convert riscv64/python:3-alpine python.wasm --arch riscv64

  It needs container2wasm's `c2w` on the PATH, and Docker with BuildKit, which downloads and builds what the machine in the module consists of: the first time that
  takes half an hour and some gigabytes. What they say is passed on. The result, IMAGE's name with `.wasm` unless FILE is given, is then checked as
  `mix wasgo.service.check` does, and is all that is needed where the service runs: neither Docker nor c2w is wanted there.

  ## Options

    * `--arch riscv64` - or `x86_64`. It is for the image's architecture; images for riscv64 start faster and are half as large, but fewer are published
    * `--machine-memory MB` - of the machine in the module, 128 unless given. The service then needs 30 MiB more
    * `--cold` - does not start the machine when the module is made: it is half as large, and each start of it boots for a second (riscv64) or twenty (x86_64)
    * `--builder NAME` - another program than `docker` that c2w is to build with
    * `--build-arg NAME=VALUE` - passed on to c2w; may be given several times
    * `--no-noirqdebug` - see below
    * `--patience SECONDS` - how long c2w may say nothing before it is ended, 3,600 unless given
    * `--no-check` - does not run the result

  ## The kernel argument noirqdebug

  The kernel of a riscv64 machine takes a console that writes 100,000 times without a pause for a broken one and turns it off, unless it is told `noirqdebug`. c2w has
  no option for arguments of the kernel. Its build has an argument `LINUX_LOGLEVEL`, whose value goes unquoted among the kernel's arguments, so `LINUX_LOGLEVEL=0 noirqdebug`
  is given (by reading container2wasm 0.8: with a real c2w it was not tried). Whether the result has it is told at the end; a version of c2w that treats the value in another way may need `--no-noirqdebug`. `Wasgo.Service`
  runs images without it too, and makes pauses for them.
  """

  use Mix.Task

  alias Wasgo.Service.{Image, Tool}
  alias Wasgo.Service.Tool.Convert

  @switches [
    arch: :string,
    machine_memory: :integer,
    cold: :boolean,
    builder: :string,
    build_arg: :keep,
    noirqdebug: :boolean,
    patience: :integer,
    check: :boolean
  ]

  @impl true
  def run(arguments) do
    {options, image, output} = parse(arguments)
    builder = Keyword.get(options, :builder, "docker")
    c2w = found!([Convert.find("c2w"), Convert.find(builder)])
    Tool.start()

    unless File.dir?(Path.dirname(output)) do
      Mix.raise("there is no folder #{Path.dirname(output)} for #{Path.basename(output)}")
    end

    # What is not whole is never under the name that was asked for.
    part = "#{Path.rootname(output)}.part-#{System.pid()}.wasm"

    try do
      convert(c2w, Convert.arguments(image, part, options), image, options)
      described = checked!(part, options)
      File.rename!(part, output)
      Mix.shell().info("#{output}: #{Image.size(described.size)}")
    after
      File.rm(part)
    end

    if options[:check] == false do
      :ok
    else
      Mix.Tasks.Wasgo.Service.Check.run([output])
    end
  end

  defp parse(arguments) do
    {options, names} = OptionParser.parse!(arguments, strict: @switches)
    options = Keyword.put_new(options, :arch, "riscv64")

    unless is_map_key(Convert.arches(), options[:arch]) do
      arches = Convert.arches() |> Map.keys() |> Enum.join(" and ")
      Mix.raise("--arch #{options[:arch]}: there are #{arches}")
    end

    unless Keyword.get(options, :patience, 1) in 1..1_000_000 do
      Mix.raise("--patience is a number of seconds over 0")
    end

    case names do
      # A name like an option would be one to c2w.
      ["-" <> _option | _rest] -> Mix.raise("#{hd(names)} is no name of an image")
      [image] -> {options, image, Path.expand(file_name(image))}
      [image, output] -> {options, image, Path.expand(output)}
      _other -> Mix.raise("which image? mix wasgo.service.convert IMAGE [FILE]")
    end
  end

  defp file_name(image) do
    name = image |> String.split("/") |> List.last() |> String.split(["@", ":"]) |> hd()
    String.replace(name, ~r/[^A-Za-z0-9._-]/, "_") <> ".wasm"
  end

  # All that is missing is said at once.
  defp found!(results) do
    case for({:error, words} <- results, do: words) do
      [] -> results |> hd() |> elem(1)
      missing -> Mix.raise(Enum.join(missing, "\n"))
    end
  end

  defp convert(c2w, arguments, image, options) do
    Mix.shell().info("c2w " <> Enum.map_join(arguments, " ", &quoted/1))
    patience = Keyword.get(options, :patience, 3_600) * 1_000

    case Convert.run(c2w, arguments, patience, fn line -> Mix.shell().info(line) end) do
      :ok -> :ok
      {:error, words} -> Mix.raise("c2w did not convert #{image}: #{words}")
    end
  end

  defp quoted(word), do: if(word =~ ~r/^[\w.,:=@\/+-]+$/, do: word, else: inspect(word))

  defp checked!(part, options) do
    case Image.describe_file(part) do
      {:ok, %Image{kind: :container2wasm} = image} ->
        hint(image, options)

      {:ok, %Image{kind: kind}} ->
        Mix.raise("c2w ended well, but what it made is no container: a #{kind}")

      {:error, %File.Error{reason: :enoent}} ->
        Mix.raise("c2w ended well, but made no file")

      {:error, exception} ->
        Mix.raise("c2w ended well, but what it made is #{Exception.message(exception)}")
    end
  end

  defp hint(image, options) do
    if options[:arch] == "riscv64" and options[:noirqdebug] != false and not image.noirqdebug? do
      Mix.shell().info("its kernel was not told noirqdebug: this c2w does not pass it on")
    end

    image
  end
end
