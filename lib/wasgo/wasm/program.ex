defmodule Wasgo.Wasm.Program do
  @moduledoc false
  # How a WASI program is started, for `Wasgo.Wasm.Command` and `Wasgo.Service`: the options that both have, and their checks.
  #
  # The process that starts one gets `{:wasgo_service, ref, event}`, where the event is `{:stdout, binary}`, `{:stderr, binary}`,
  # `:input_ready`, `{:exit, {:ok, status}}` or `{:exit, {:error, fault}}`, which is the last. When it dies, the program is stopped.

  alias Wasgo.Native
  alias Wasgo.Native.{Result, Weight}
  alias Wasgo.Wasm.{Limits, Module}

  # Bytes that a program may have written and its owner not yet read.
  @credit 1_048_576

  # A program is larger than a script.
  @memory 256 * 1_048_576

  # Bytes that are handed over at a time, which takes a few microseconds.
  @write 65_536

  @largest 0xFFFF_FFFF_FFFF_FFFF

  # Milliseconds that a clock may be off: 290 years, which is what 64 bits of nanoseconds can say.
  @farthest 9_223_372_036_854

  @type dir :: {host :: String.t(), guest :: String.t(), :ro | :rw}

  @doc "The schema of the options that grant a program something, with the defaults of clock and randomness."
  @spec grants(boolean()) :: Wasgo.Options.schema()
  def grants(default) do
    [
      dirs: [type: :list, default: []],
      quota: [type: {:or, [:non_neg_integer, {:in, [nil]}]}, default: nil],
      clock: [
        type: {
          :or,
          [
            :boolean,
            {:pair, {:in, [:frozen]}, {:or, [{:range, 0..@largest}, {:struct, DateTime}]}},
            {:pair, {:in, [:offset]}, {:range, -@farthest..@farthest}}
          ]
        },
        default: default
      ],
      random: [
        type: {:or, [:boolean, {:pair, {:in, [:seed]}, {:range, 0..@largest}}]},
        default: default
      ]
    ]
  end

  @doc "Limits from an option; memory is that of a program unless given."
  @spec limits(keyword() | Limits.t()) :: Limits.t()
  def limits(%Limits{} = limits), do: limits
  def limits(options), do: options |> Keyword.put_new(:memory, @memory) |> Limits.new()

  @doc "Raises for what no program can be given."
  @spec check!(map(), String.t()) :: :ok
  def check!(program, owner) do
    Enum.each(program.arguments, fn argument ->
      if argument =~ <<0>>, do: wrong!(owner, "an argument has a zero byte in it", argument)
    end)

    Enum.each(program.environment, fn {name, value} = variable ->
      if name == "" or String.contains?(name, ["=", <<0>>]) or value =~ <<0>> do
        wrong!(owner, "a variable's name may not be empty nor have \"=\" in it", variable)
      end
    end)

    Enum.each(program.dirs, fn dir ->
      unless dir?(dir) do
        wrong!(owner, "option :dirs is a list of {host_path, guest_path, :ro | :rw}", dir)
      end
    end)
  end

  defp dir?({host, guest, access}), do: path?(host) and path?(guest) and access in [:ro, :rw]
  defp dir?(_other), do: false

  defp path?(path) do
    is_binary(path) and path != "" and String.valid?(path) and not (path =~ <<0>>)
  end

  defp wrong!(owner, rule, value) do
    raise ArgumentError, "#{owner}: #{rule}, and this is given: #{inspect(value)}"
  end

  @doc "Starts a program for the calling process."
  @spec start(Module.t(), map()) :: {:ok, {reference(), reference()}} | {:error, Exception.t()}
  def start(%Module{} = module, program) do
    options = %{
      arguments: program.arguments,
      environment: program.environment,
      directories: for({host, guest, access} <- program.dirs, do: {host, guest, access == :rw}),
      quota: program.quota,
      clock: clock(program.clock),
      seed: seed(program.random),
      terminal: Map.get(program, :terminal, false),
      network: Map.get(program, :network),
      limits: Limits.to_native(program.limits),
      credit: @credit,
      timeout: if(program.timeout != :infinity, do: program.timeout)
    }

    words = Enum.flat_map(options.environment, &Tuple.to_list/1) ++ options.arguments

    # Directories are opened, which may wait for a file system.
    if options.directories != [] or Weight.heavy?(words) do
      Result.await(Native.service_start_dirty(module.resource, options))
    else
      Result.await(Native.service_start(module.resource, options))
    end
  end

  # In nanoseconds. Without a clock it is always the beginning of 1970.
  defp clock(true), do: :real
  defp clock(false), do: {:frozen, 0}

  defp clock({:frozen, %DateTime{} = at}),
    do: {:frozen, max(DateTime.to_unix(at, :nanosecond), 0)}

  defp clock({:frozen, nanoseconds}), do: {:frozen, nanoseconds}
  defp clock({:offset, milliseconds}), do: {:offset, milliseconds * 1_000_000}

  # Without randomness there are still the bytes of a seed that is always the same.
  defp seed(true), do: nil
  defp seed(false), do: 0
  defp seed({:seed, seed}), do: seed

  @doc "Writes as much as there is room for; what is left is to be written after the event `:input_ready`."
  @spec write(reference(), binary()) :: :ok | {:full, binary()} | :closed
  def write(_resource, <<>>), do: :ok

  def write(resource, bytes) do
    {now, rest} = split(bytes)

    case Native.service_write(resource, now) do
      :written -> write(resource, rest)
      :full -> {:full, bytes}
      :closed -> :closed
    end
  end

  defp split(<<now::binary-size(@write), rest::binary>>), do: {now, rest}
  defp split(bytes), do: {bytes, <<>>}
end
