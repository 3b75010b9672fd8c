defmodule Wasgo.Service.Tool.Run do
  @moduledoc false
  # A program at the standard streams of this VM: what `mix wasgo.service.run` does.
  #
  # The process that calls `run/2` owns the program. A second one reads the input, a piece each time the program took the last one.

  alias Wasgo.{Native, ServiceError}
  alias Wasgo.Native.Result
  alias Wasgo.Service.{Console, Framing, Network}
  alias Wasgo.Wasm.Program

  # What the keys Ctrl and ] send: ends a container whose terminal this is.
  @leave 0x1D

  # The end of the input, for the machine's terminal.
  @end_of_file <<4>>

  @type input :: :standard_io | IO.device()

  @doc """
  Runs a program to its end and answers its exit status.

  Options, all of them required: `:container?`, `:shell?` (of a container), `:command`, `:env`, `:dirs`, `:limits`, `:network` (validated, or nil), `:terminal` (nil, or the
  size of the terminal where a person sits), `:input`, `:output`, `:errors` (devices).
  """
  @spec run(Wasgo.Wasm.Module.t(), map()) :: {:ok, integer()} | {:error, Exception.t()}
  def run(module, options) do
    console = console(options)
    guest_dirs = Enum.map(options.dirs, &elem(&1, 1))
    listener = Network.listener(options.network, guest_dirs)

    with {:ok, arguments, environment} <-
           Console.arguments(console, options.command, options.env, guest_dirs, listener),
         {:ok, {resource, ref}} <- Program.start(module, program(options, arguments, environment)) do
      reader = reader(options.input)

      state = %{
        options: options,
        console: console,
        resource: resource,
        ref: ref,
        reader: reader,
        # Input that the program has not taken yet, and whether more is asked for.
        unsent: "",
        asked?: false,
        ended?: false,
        # The beginning of a line of which more is to come.
        line: "",
        status: nil
      }

      result = loop(ask(state))
      Native.service_stop(resource)
      Process.unlink(reader)
      Process.exit(reader, :kill)
      result
    end
  end

  defp console(%{container?: false}), do: Console.new(:wasi, Framing.new(:raw), [])

  defp console(%{shell?: false} = options) do
    Console.new({:container2wasm, shell: false}, framing(options), options.command)
  end

  defp console(%{terminal: {_rows, _columns} = size} = options),
    do: Console.terminal(options.command, size)

  defp console(options), do: Console.new(:container2wasm, framing(options), options.command)

  defp framing(%{terminal: nil}), do: Framing.new(:line)
  defp framing(_options), do: Framing.new(:raw)

  defp program(options, arguments, environment) do
    %{
      arguments: arguments,
      environment: environment,
      dirs: options.dirs,
      quota: nil,
      clock: true,
      random: true,
      limits: options.limits,
      timeout: :infinity,
      terminal: options.container?,
      network: Network.to_native(options.network)
    }
  end

  defp loop(%{ref: ref, reader: reader} = state) do
    receive do
      {:wasgo_service, ^ref, {:stdout, bytes}} ->
        with {:ok, state} <- written(state, bytes) do
          Native.service_give_credit(state.resource, byte_size(bytes), 0)
          loop(ask(state))
        end

      {:wasgo_service, ^ref, {:stderr, bytes}} ->
        IO.binwrite(state.options.errors, bytes)
        Native.service_give_credit(state.resource, 0, byte_size(bytes))
        loop(state)

      {:wasgo_service, ^ref, :input_ready} ->
        loop(send_on(%{state | unsent: ""}, state.unsent))

      {:wasgo_service, ^ref, {:network, event}} ->
        Network.handle(event, state.options.network, state.resource)
        loop(state)

      {:wasgo_service, ^ref, {:exit, result}} ->
        ended(state, result)

      {^reader, input} ->
        with {:ok, state} <- typed(%{state | asked?: false}, input), do: loop(state)
    end
  end

  defp written(state, bytes) do
    with {:ok, output, status, console} <- Console.decode(state.console, bytes) do
      IO.binwrite(state.options.output, output)
      {:ok, %{state | console: console, status: status || state.status}}
    end
  end

  defp ended(state, result) do
    IO.binwrite(state.options.output, Console.rest(state.console))

    case {state.status, result} do
      {nil, {:ok, status}} -> ended_itself(state.console, status)
      {nil, {:error, fault}} -> {:error, Result.exception(fault)}
      {status, _result} -> {:ok, status}
    end
  end

  defp ended_itself(console, status) do
    case Console.not_started(console, status) do
      nil -> {:ok, status}
      exception -> {:error, exception}
    end
  end

  # Input

  # Before its command runs, a container would take input for its shell's.
  defp ask(%{asked?: false, ended?: false, unsent: ""} = state) do
    if Console.open?(state.console) do
      send(state.reader, :more)
      %{state | asked?: true}
    else
      state
    end
  end

  defp ask(state), do: state

  defp typed(%{options: %{container?: false}} = state, :eof) do
    Native.service_close_input(state.resource)
    {:ok, %{state | ended?: true}}
  end

  # What a person's terminal ends with is a key that the machine understands.
  defp typed(%{options: %{terminal: {_rows, _columns}}} = state, :eof),
    do: {:ok, send_on(%{state | ended?: true}, @end_of_file)}

  # The first one hands on a line that is not complete, the second one is the end.
  defp typed(state, :eof) do
    with {:ok, bytes} <- Console.encode(state.console, state.line) do
      ends = if state.line == "", do: @end_of_file, else: [@end_of_file, @end_of_file]
      {:ok, send_on(%{state | ended?: true, line: ""}, IO.iodata_to_binary([bytes, ends]))}
    end
  end

  defp typed(%{options: %{container?: true, terminal: nil}} = state, {:bytes, bytes}) do
    {lines, line} = complete(state.line <> bytes)

    with {:ok, lines} <- Console.encode(state.console, lines),
         {:ok, _checked} <- Console.encode(state.console, line) do
      {:ok, send_on(%{state | line: line}, IO.iodata_to_binary(lines))}
    end
  end

  defp typed(state, {:bytes, bytes}) do
    if state.options.terminal != nil and :binary.match(bytes, <<@leave>>) != :nomatch do
      message = "the container was left while its command ran"
      {:error, %ServiceError{reason: :stopped, message: message}}
    else
      with {:ok, bytes} <- Console.encode(state.console, bytes) do
        {:ok, send_on(state, IO.iodata_to_binary(bytes))}
      end
    end
  end

  defp complete(bytes) do
    case :binary.matches(bytes, "\n") do
      [] ->
        {"", bytes}

      breaks ->
        {at, 1} = List.last(breaks)
        :erlang.split_binary(bytes, at + 1)
    end
  end

  defp send_on(state, bytes) do
    case Program.write(state.resource, bytes) do
      {:full, rest} -> %{state | unsent: rest}
      # It ends, and that is told.
      _written_or_closed -> ask(state)
    end
  end

  defp reader(device) do
    owner = self()
    spawn_link(fn -> read(owner, device) end)
  end

  defp read(owner, device) do
    receive do
      :more -> :ok
    end

    case piece(device) do
      bytes when is_binary(bytes) and bytes != "" ->
        send(owner, {self(), {:bytes, bytes}})
        read(owner, device)

      _eof_or_error ->
        send(owner, {self(), :eof})
    end
  end

  # Whatever has come, as soon as there is any: `IO.binread/2` waits until it has as much as was asked for.
  defp piece(device) do
    case :io.request(device, {:get_until, :latin1, "", __MODULE__, :whatever, []}) do
      characters when is_list(characters) -> :erlang.list_to_binary(characters)
      other -> other
    end
  end

  @doc "For the protocol of devices: takes all characters that there are."
  @spec whatever(list(), list() | :eof | binary()) ::
          {:more, list()} | {:done, list() | binary() | :eof, list()}
  def whatever(_before, :eof), do: {:done, :eof, []}
  def whatever(_before, []), do: {:more, []}
  def whatever(_before, ""), do: {:more, []}
  def whatever(_before, characters), do: {:done, characters, []}
end
