defmodule Wasgo.Godot.Connection.Writer do
  @moduledoc false
  # Gives frames to the socket, in a process of its own: a peer that does not read stops this one, and nobody else.
  #
  # The connection hands over a batch when the one before is written, so that nothing piles up here.

  alias Wasgo.Godot.Connection.Transport

  # Small frames go together, up to so many bytes: a call of the system costs more than they do.
  @together 64 * 1024

  @spec start_link(Transport.t()) :: pid()
  def start_link(transport) do
    owner = self()
    spawn_link(fn -> loop(transport, owner) end)
  end

  # The owner gets `{:written, writer, :ok | {:error, posix}}`. After an error the writer is gone.
  @spec write(pid(), [iodata()]) :: :ok
  def write(writer, frames) do
    send(writer, {:write, frames})
    :ok
  end

  defp loop(transport, owner) do
    receive do
      {:write, frames} ->
        result = write_all(transport, frames, [], 0)
        send(owner, {:written, self(), result})
        if result == :ok, do: loop(transport, owner)
    end
  end

  defp write_all(_transport, [], [], 0), do: :ok
  defp write_all(transport, [], bytes, _size), do: Transport.send(transport, bytes)

  defp write_all(transport, frames, bytes, size) when size >= @together do
    with :ok <- Transport.send(transport, bytes), do: write_all(transport, frames, [], 0)
  end

  defp write_all(transport, [frame | frames], bytes, size),
    do: write_all(transport, frames, [bytes | frame], size + IO.iodata_length(frame))
end
