defmodule Wasgo.Godot.Connection.Writer do
  @moduledoc false
  # Gives frames to the socket, in a process of its own: a peer that does not read stops this one, and nobody else.
  #
  # The connection hands over a batch when the one before is written, so that nothing piles up here.

  alias Wasgo.Godot.Connection.Transport

  # One call of the system each: small frames together, or a large one.
  @type piece :: {:small | :large, iodata()}

  @spec start_link(Transport.t()) :: pid()
  def start_link(transport) do
    owner = self()

    spawn_link(fn ->
      Wasgo.Label.put({__MODULE__, owner})
      loop(transport, owner)
    end)
  end

  # The owner gets `{:written, writer, :ok | {:error, posix}}`. After an error the writer is gone.
  @spec write(pid(), [piece()]) :: :ok
  def write(writer, pieces) do
    send(writer, {:write, pieces})
    :ok
  end

  defp loop(transport, owner) do
    receive do
      {:write, pieces} ->
        result = write_all(transport, pieces)
        send(owner, {:written, self(), result})
        if result == :ok, do: loop(transport, owner)
    end
  end

  defp write_all(_transport, []), do: :ok

  # Sockets take no more than a few parts at once, and each costs as much as it takes to copy a kilobyte.
  defp write_all(transport, [{:small, frames} | pieces]) do
    with :ok <- Transport.send(transport, IO.iodata_to_binary(frames)),
         do: write_all(transport, pieces)
  end

  defp write_all(transport, [{:large, frame} | pieces]) do
    with :ok <- Transport.send(transport, frame), do: write_all(transport, pieces)
  end
end
