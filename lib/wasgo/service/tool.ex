defmodule Wasgo.Service.Tool do
  @moduledoc false
  # What the mix tasks of services have in common: options, and compiling with somebody watching.

  alias Wasgo.Service.Image
  alias Wasgo.Wasm.{Cache, Module}

  # Smaller modules compile before anybody wonders.
  @large 2 * 1_048_576

  # Milliseconds between two looks of the line that moves.
  @tick 200

  @units %{"" => 1, "K" => 1_024, "M" => 1_048_576, "G" => 1_073_741_824}

  @doc "What a task needs of its project: its configuration, and this library started, but not the project."
  @spec start() :: :ok
  def start do
    if Mix.Project.get(), do: Mix.Task.run("app.config")
    {:ok, _started} = Application.ensure_all_started(:wasgo)
    :ok
  end

  @doc "A number of bytes, such as 268435456, 256M or 1GiB."
  @spec bytes!(String.t()) :: pos_integer()
  def bytes!(text) do
    case Regex.run(~r/^([0-9]{1,15})([KMG]?)(?:i?B)?$/i, text) do
      [_all, number, unit] -> String.to_integer(number) * @units[String.upcase(unit)]
      nil -> Mix.raise("#{inspect(text)} is no number of bytes, such as 268435456 or 256M")
    end
  end

  @doc "A directory, as HOST:GUEST, HOST:GUEST:ro or HOST:GUEST:rw."
  @spec dir!(String.t()) :: {String.t(), String.t(), :ro | :rw}
  def dir!(text) do
    {rest, access} =
      case Regex.run(~r/^(.*):(ro|rw)$/s, text) do
        [_all, rest, "ro"] -> {rest, :ro}
        [_all, rest, "rw"] -> {rest, :rw}
        nil -> {text, :rw}
      end

    case Regex.run(~r/^(.+):([^:]+)$/s, rest) do
      [_all, host, guest] ->
        {host, guest, access}

      nil ->
        Mix.raise(
          "#{inspect(text)} is no directory: HOST:GUEST, or HOST:GUEST:ro for reading only"
        )
    end
  end

  @doc "A variable, as NAME=VALUE, or NAME for the value that it has here."
  @spec variable!(String.t()) :: {String.t(), String.t()}
  def variable!(text) do
    case String.split(text, "=", parts: 2) do
      [name, value] when name != "" ->
        {name, value}

      [name] when name != "" ->
        {name, System.get_env(name) || Mix.raise("the variable #{name} is not set here")}

      _other ->
        Mix.raise("#{inspect(text)} is no variable: NAME=VALUE, or NAME")
    end
  end

  @doc "A rule for outgoing connections, as TARGET, TARGET:PORT or TARGET:FIRST-LAST."
  @spec rule!(String.t()) :: {String.t(), :all | pos_integer() | Range.t(), :connect}
  def rule!(text) do
    case Regex.run(~r/^([^:]+)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?$/, text) do
      [_all, target] -> {target, :all, :connect}
      [_all, target, port] -> {target, String.to_integer(port), :connect}
      [_all, target, first, last] -> {target, range(first, last), :connect}
      nil -> Mix.raise("#{inspect(text)} is no target: HOST, HOST:PORT or HOST:FIRST-LAST")
    end
  end

  defp range(first, last), do: Range.new(String.to_integer(first), String.to_integer(last), 1)

  @doc "Raises, as tasks do, for what is an error."
  @spec ok!({:ok, value} | :ok | {:error, Exception.t()}, String.t()) :: value | :ok
        when value: term()
  def ok!(:ok, _what), do: :ok
  def ok!({:ok, value}, _what), do: value

  def ok!({:error, %File.Error{} = error}, _what), do: Mix.raise(Exception.message(error))
  def ok!({:error, exception}, what), do: Mix.raise("#{what}: #{Exception.message(exception)}")

  @doc """
  Compiles a file, or takes it from the cache; of a large one it is told how long that takes, on the standard error: by a line that moves where a person
  watches, by one line otherwise.
  """
  @spec compile(Path.t(), Image.t()) :: {:ok, Module.t()} | {:error, Exception.t()}
  def compile(path, %Image{size: size}) when size < @large, do: Module.compile_file(path)

  def compile(path, image) do
    before = cache()
    started = now()
    task = Task.async(fn -> Module.compile_file(path) end)
    what = "#{Path.basename(path)}, #{Image.size(image.size)}"
    result = await(task, if(watched?(), do: what), started)

    with {:ok, _module} <- result do
      IO.puts(:stderr, [what, ": ", came(before, cache(), now() - started)])
    end

    result
  end

  # On a terminal the line is written again and again, with what it was before wiped out.
  defp await(task, what, started) do
    case Task.yield(task, @tick) do
      {:ok, result} ->
        if what, do: IO.write(:stderr, "\r\e[K")
        result

      nil ->
        if what do
          IO.write(:stderr, "\r\e[Kcompiling #{what}: #{div(now() - started, 1_000)} s")
        end

        await(task, what, started)

      {:exit, reason} ->
        exit(reason)
    end
  end

  defp cache do
    case Cache.info() do
      {:ok, info} -> info
      {:error, _exception} -> %{dir: nil, hits: 0, shared: 0}
    end
  end

  defp came(before, later, time) do
    seconds = :erlang.float_to_binary(time / 1_000, decimals: 1)

    cond do
      later.hits > before.hits -> "loaded from the cache, #{later.dir}, in #{seconds} s"
      later.shared > before.shared -> "was compiled already"
      later.dir -> "compiled in #{seconds} s, and kept in the cache, #{later.dir}"
      true -> "compiled in #{seconds} s; there is no cache folder, so it will be again"
    end
  end

  defp watched? do
    case tty(2) do
      {:ok, _path} -> true
      :none -> false
    end
  end

  @doc "The terminal that a descriptor of this VM is, where the system says so."
  @spec tty(non_neg_integer()) :: {:ok, Path.t()} | :none
  def tty(descriptor) do
    case File.read_link("/proc/self/fd/#{descriptor}") do
      {:ok, "/dev/pts/" <> _number = path} -> {:ok, path}
      {:ok, "/dev/tty" <> _number = path} -> {:ok, path}
      _other -> :none
    end
  end

  @doc "Text that others wrote, for a terminal: what it would act upon is left out."
  @spec plain(binary()) :: String.t()
  def plain(bytes) do
    bytes
    |> String.chunk(:valid)
    |> Enum.map_join(&if(String.valid?(&1), do: &1, else: "?"))
    |> String.replace(~r/\e\[[0-9;?]*[A-Za-z]/, "")
    |> String.replace(~r/[\x{00}-\x{08}\x{0A}-\x{1F}\x{7F}-\x{9F}]/u, "")
  end

  defp now, do: System.monotonic_time(:millisecond)
end
