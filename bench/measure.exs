defmodule Bench.Stats do
  # What a row of samples says, in nanoseconds.
  defstruct [:p50, :p99, :max, :mean, :count]

  # Of the first `count` elements of an `:atomics`, which are times in native units.
  def of(times, count \\ nil) do
    sorted =
      for(index <- 1..(count || :atomics.info(times).size)//1, do: :atomics.get(times, index))
      |> Enum.sort()
      |> Enum.map(&Bench.nanoseconds/1)
      |> List.to_tuple()

    count = tuple_size(sorted)
    at = fn share -> elem(sorted, trunc(share * (count - 1))) end
    mean = Enum.sum(Tuple.to_list(sorted)) / count
    %__MODULE__{p50: at.(0.5), p99: at.(0.99), max: at.(1), mean: mean, count: count}
  end

  def of_list([_ | _] = times) do
    array = :atomics.new(length(times), signed: false)
    times |> Enum.with_index(1) |> Enum.each(fn {time, at} -> :atomics.put(array, at, time) end)
    of(array)
  end
end

defmodule Bench do
  # What the benchmark programs share: taking times, and printing them as Markdown.
  #
  # A sample is the time between two readings of the clock around one call, with nothing taken off; what the clock itself costs is a
  # row of its own. Samples go to an array that is made beforehand, so that keeping them makes no garbage in the process that is
  # measured. That process is a new one for each row.

  alias Bench.Stats

  @quick "--quick" in System.argv()

  # A run of some seconds that shows that everything works; its figures mean little.
  def quick?, do: @quick

  # So many, or a few in a quick run.
  def rounds(full), do: if(@quick, do: max(div(full, 200), 5), else: full)

  def nanoseconds(native), do: native * (1_000_000_000 / unit())

  defp unit, do: System.convert_time_unit(1, :second, :native)

  # Times `rounds` calls of `fun`, after as many (up to 20,000) to warm up. What `fun` returned is given to `tidy`, outside of the time.
  def samples(rounds, fun, tidy \\ & &1) do
    apart(fn ->
      warm_up(min(rounds, 20_000), fun, tidy)
      times = :atomics.new(rounds, signed: false)
      sample(1, rounds, times, fun, tidy)
      Stats.of(times)
    end)
  end

  defp warm_up(0, _fun, _tidy), do: :ok

  defp warm_up(rounds, fun, tidy) do
    tidy.(fun.())
    warm_up(rounds - 1, fun, tidy)
  end

  defp sample(index, rounds, _times, _fun, _tidy) when index > rounds, do: :ok

  defp sample(index, rounds, times, fun, tidy) do
    began = :erlang.monotonic_time()
    result = fun.()
    ended = :erlang.monotonic_time()
    :atomics.put(times, index, ended - began)
    tidy.(result)
    sample(index + 1, rounds, times, fun, tidy)
  end

  # The nanoseconds of one call, as a mean over blocks of 1,000 with no clock inside: the statistics are those of the blocks.
  def blocks(rounds, fun) do
    stats = samples(rounds, fn -> repeat(1_000, fun) end)
    per = fn time -> time / 1_000 end

    %{
      stats
      | p50: per.(stats.p50),
        p99: per.(stats.p99),
        max: per.(stats.max),
        mean: per.(stats.mean)
    }
  end

  def repeat(0, _fun), do: :ok

  def repeat(times, fun) do
    fun.()
    repeat(times - 1, fun)
  end

  # Runs `fun` in a process of its own.
  def apart(fun), do: fun |> Task.async() |> Task.await(:infinity)

  # Does a part of the program; what takes longer than two seconds says so on standard error, and how long it was.
  def step(name, fun) do
    teller = spawn_link(fn -> tell(name, 0) end)
    result = fun.()
    send(teller, :done)
    result
  end

  defp tell(name, seconds) do
    receive do
      :done when seconds > 0 -> IO.puts(:stderr, "#{name}: done")
      :done -> :ok
    after
      2_000 ->
        IO.puts(:stderr, "#{name}: #{seconds + 2} s ...")
        tell(name, seconds + 2)
    end
  end

  # ## Markdown

  def table(head, rows) do
    line = fn cells -> "| " <> Enum.join(cells, " | ") <> " |" end
    rule = Enum.map(head, fn _ -> "---" end)
    IO.puts(Enum.map_join([head, rule | rows], "\n", line))
    IO.puts("")
  end

  # A time with three digits or so.
  def time(nil), do: ""
  def time(ns) when ns < 999.5, do: "#{round(ns)} ns"
  def time(ns) when ns < 999_500, do: "#{digits(ns / 1_000)} us"
  def time(ns) when ns < 999_500_000, do: "#{digits(ns / 1_000_000)} ms"
  def time(ns), do: "#{digits(ns / 1_000_000_000)} s"

  # For tables in which all is in microseconds.
  def microseconds(ns) when ns < 100_000, do: "#{Float.round(ns / 1_000, 2)}"
  def microseconds(ns), do: "#{round(ns / 1_000)}"

  def digits(number) when number < 10, do: :erlang.float_to_binary(number * 1.0, decimals: 2)
  def digits(number) when number < 100, do: :erlang.float_to_binary(number * 1.0, decimals: 1)

  def digits(number) do
    "#{round(number)}"
    |> String.reverse()
    |> String.replace(~r/(\d{3})(?=\d)/, "\\1,")
    |> String.reverse()
  end

  # The machine that the figures are of.
  def header do
    rows = [
      ["processor", "#{processor()}, #{System.schedulers_online()} schedulers"],
      ["memory", memory()],
      ["system", system()],
      ["Elixir, OTP", "#{System.version()}, #{System.otp_release()} (#{emulator()})"],
      ["Rust", rustc()],
      ["limits", limits()],
      ["load before", load()]
    ]

    table(["machine", ""], rows)
    if @quick, do: IO.puts("A quick run: these figures mean little.\n")
  end

  defp processor do
    case read("/proc/cpuinfo") do
      nil -> "#{:erlang.system_info(:system_architecture)}"
      text -> field(text, "model name") || "#{:erlang.system_info(:system_architecture)}"
    end
  end

  defp memory do
    with text when is_binary(text) <- read("/proc/meminfo"),
         kib when is_binary(kib) <- field(text, "MemTotal"),
         {kib, _unit} <- Integer.parse(kib) do
      "#{Float.round(kib / 1_048_576, 1)} GiB"
    else
      _unknown -> "unknown"
    end
  end

  defp system do
    name =
      with text when is_binary(text) <- read("/etc/os-release"),
           [_, name] <- Regex.run(~r/^PRETTY_NAME="?([^"\n]*)/m, text) do
        name
      else
        _unknown -> inspect(:os.type())
      end

    {major, minor, _patch} = :os.version()
    "#{name}, kernel #{major}.#{minor}"
  end

  defp emulator, do: :erlang.system_info(:emu_flavor)

  defp rustc do
    case System.find_executable("rustc") do
      nil -> "no rustc found"
      rustc -> rustc |> System.cmd(["--version"]) |> elem(0) |> String.trim()
    end
  rescue
    _not_runnable -> "no rustc found"
  end

  # What bounds the number of instances.
  defp limits do
    mappings = read("/proc/sys/vm/max_map_count")
    data = field(read("/proc/self/limits") || "", "Max data size", "\\s+")

    "mappings #{if mappings, do: String.trim(mappings), else: "unknown"}, " <>
      "data #{if data, do: data |> String.split() |> hd(), else: "unknown"}"
  end

  defp load do
    case read("/proc/loadavg") do
      nil -> "unknown"
      text -> text |> String.split() |> Enum.take(3) |> Enum.join(", ")
    end
  end

  defp field(text, name, between \\ "\\s*:\\s*") do
    case Regex.run(~r/^#{name}#{between}(.*)$/m, text) do
      [_, value] -> value
      nil -> nil
    end
  end

  defp read(path) do
    case File.read(path) do
      {:ok, text} -> text
      {:error, _} -> nil
    end
  end
end

defmodule Bench.Floor do
  # What the same costs with wasmtime or SQLite alone, from the last run of `cargo bench -p wasgo_wasm --bench wasm`, or of
  # `cargo bench -p wasgo_store --bench store`.

  # The median in nanoseconds; nil where that benchmark did not run.
  def median(name, group \\ "wasm") do
    target = System.get_env("CARGO_TARGET_DIR") || Path.expand("../target", __DIR__)

    with {:ok, json} <-
           File.read(Path.join([target, "criterion", group, name, "new/estimates.json"])),
         [_, point] <- Regex.run(~r/"median":\{.*?"point_estimate":([0-9.eE+-]+)/, json),
         {median, _rest} <- Float.parse(point) do
      median
    else
      _none -> nil
    end
  end
end
