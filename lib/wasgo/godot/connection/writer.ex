defmodule Wasgo.Godot.Connection.Writer do
  @moduledoc false
  # Gives frames to the socket, in a process of its own: a peer that does not read stops this one, and nobody else.
  #
  # The connection hands over a batch when the one before is written, so that nothing piles up here.

  @spec start_link(port()) :: pid()
  def start_link(socket) do
    owner = self()
    spawn_link(fn -> loop(socket, owner) end)
  end

  # The owner gets `{:written, writer, :ok | {:error, posix}}`. After an error the writer is gone.
  @spec write(pid(), [iodata()]) :: :ok
  def write(writer, frames) do
    send(writer, {:write, frames})
    :ok
  end

  defp loop(socket, owner) do
    receive do
      {:write, frames} ->
        result = write_all(socket, frames)
        send(owner, {:written, self(), result})
        if result == :ok, do: loop(socket, owner)
    end
  end

  defp write_all(_socket, []), do: :ok

  defp write_all(socket, [frame | frames]) do
    # The socket puts the length in front.
    with :ok <- :gen_tcp.send(socket, frame), do: write_all(socket, frames)
  end
end
