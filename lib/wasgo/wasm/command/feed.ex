defmodule Wasgo.Wasm.Command.Feed do
  @moduledoc false
  # Writes a command's standard input as fast as the program reads it. What is in memory is written by the command's owner itself,
  # between two events; what comes from a lazy enumerable, which may wait for its next element as long as it likes, by a process of
  # its own.

  alias Wasgo.Native
  alias Wasgo.Wasm.Program

  # Milliseconds that an enumerable has to clean up after its program's end.
  @grace 100

  @enforce_keys [:resource]
  defstruct [:resource, :rest, :writer, :reference, :monitor]

  @type t :: %__MODULE__{}

  @doc "What is in memory as one binary; raises if it is no iodata. Anything else as it is."
  @spec input(iodata() | Enumerable.t()) :: binary() | Enumerable.t()
  def input(list) when is_list(list), do: IO.iodata_to_binary(list)
  def input(input), do: input

  @doc "Begins to write what `input/1` returned."
  @spec start(reference(), binary() | Enumerable.t()) :: t()
  def start(resource, input) when is_binary(input) do
    go_on(%__MODULE__{resource: resource, rest: input})
  end

  def start(resource, input) do
    # Messages to an alias that is given up go nowhere, so that none is left behind.
    reference = :erlang.alias([:explicit_unalias])
    owner = self()

    writer =
      spawn_link(fn ->
        # A link tells nothing of an owner that ends as it should.
        Process.monitor(owner)
        write_all(resource, input, reference)
      end)

    monitor = Process.monitor(writer)
    %__MODULE__{resource: resource, writer: writer, reference: reference, monitor: monitor}
  end

  @doc "To be called when the program has read."
  @spec go_on(t()) :: t()
  def go_on(%__MODULE__{writer: nil, rest: nil} = feed), do: feed

  def go_on(%__MODULE__{writer: nil} = feed) do
    case Program.write(feed.resource, feed.rest) do
      {:full, rest} ->
        %{feed | rest: rest}

      _written_or_closed ->
        Native.service_close_input(feed.resource)
        %{feed | rest: nil}
    end
  end

  def go_on(%__MODULE__{writer: writer, reference: reference} = feed) do
    send(writer, {reference, :go_on})
    feed
  end

  @doc "To be called when the program has ended: nothing of the feed is left after."
  @spec stop(t()) :: :ok
  def stop(%__MODULE__{writer: nil}), do: :ok

  def stop(%__MODULE__{writer: writer, reference: reference, monitor: monitor} = feed) do
    :erlang.unalias(reference)
    Process.unlink(writer)
    go_on(feed)

    receive do
      {:DOWN, ^monitor, :process, ^writer, _reason} -> :ok
    after
      @grace ->
        Process.exit(writer, :kill)
        Process.demonitor(monitor, [:flush])
    end

    # Of a process that traps exits.
    receive do
      {:EXIT, ^writer, _reason} -> :ok
    after
      0 -> :ok
    end

    receive do
      {^reference, _failure} -> :ok
    after
      0 -> :ok
    end
  end

  defp write_all(resource, input, reference) do
    Enum.reduce_while(input, :ok, fn element, :ok ->
      case write(resource, IO.iodata_to_binary([element]), reference) do
        :ok -> {:cont, :ok}
        :closed -> {:halt, :closed}
      end
    end)

    Native.service_close_input(resource)
  catch
    kind, reason -> send(reference, {reference, {:raised, kind, reason, __STACKTRACE__}})
  end

  defp write(resource, bytes, reference) do
    case Program.write(resource, bytes) do
      {:full, rest} ->
        receive do
          {^reference, :go_on} -> write(resource, rest, reference)
          {:DOWN, _monitor, :process, _owner, _reason} -> :closed
        end

      done ->
        done
    end
  end
end
