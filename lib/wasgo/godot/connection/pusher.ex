defmodule Wasgo.Godot.Connection.Pusher do
  @moduledoc false
  # Sends many frames of one process without waiting for each to be taken: so many, and so many bytes, may be on their way to the connection.
  #
  # A call for each frame would cost several times what all the rest of it does.

  alias Wasgo.Godot.Connection
  alias Wasgo.Godot.Connection.Frame
  alias Wasgo.GodotError

  # The connection tells of every quarter of these.
  @most 256
  @most_bytes 2 * 1024 * 1024

  @enforce_keys [:connection, :ref]
  defstruct [:connection, :ref, count: 0, bytes: 0, ended: nil]

  @type t :: %__MODULE__{}

  @spec share() :: {pos_integer(), pos_integer()}
  def share, do: {div(@most, 4), div(@most_bytes, 4)}

  @spec new(Connection.t()) :: t()
  def new(%Connection{} = connection),
    do: %__MODULE__{connection: connection, ref: Process.monitor(connection.pid)}

  # Waits while too much is on its way, for `timeout` ms at most.
  @spec push(t(), String.t(), map(), pos_integer()) ::
          {:ok, t()} | {:error, GodotError.t(), t()}
  def push(%__MODULE__{} = pusher, kind, fields, timeout) do
    case Frame.new(kind, fields, nil, pusher.connection.compress) do
      {:ok, frame} -> pusher |> settle(0) |> hand_over(frame, timeout, nil)
      {:error, error} -> {:error, error, pusher}
    end
  end

  # The clock is only looked at where there is something to wait for.
  defp hand_over(%{ended: why} = pusher, _frame, _timeout, _deadline) when why != nil,
    do: {:error, %GodotError{reason: {:disconnected, why}}, pusher}

  defp hand_over(pusher, frame, timeout, deadline) do
    size = frame.size

    if pusher.count == 0 or (pusher.count < @most and pusher.bytes + size <= @most_bytes) do
      send(pusher.connection.pid, {:push, self(), pusher.ref, frame})
      {:ok, %{pusher | count: pusher.count + 1, bytes: pusher.bytes + size}}
    else
      deadline = deadline || now() + timeout

      case deadline - now() do
        left when left > 0 -> pusher |> settle(left) |> hand_over(frame, timeout, deadline)
        _none -> {:error, %GodotError{reason: :timeout}, pusher}
      end
    end
  end

  # What the connection has taken, and whether it has ended.
  defp settle(%{ref: ref} = pusher, timeout) do
    receive do
      {:wasgo_pushed, ^ref, count, bytes} ->
        settle(%{pusher | count: pusher.count - count, bytes: pusher.bytes - bytes}, 0)

      {:DOWN, ^ref, :process, _pid, reason} ->
        %{pusher | ended: why(reason)}
    after
      timeout -> pusher
    end
  end

  defp why({:shutdown, {:wasgo_godot, why}}), do: why
  defp why(reason) when reason in [:noproc, :normal], do: :gone
  defp why(:shutdown), do: :stopped
  defp why(reason), do: {:crashed, reason}

  # Waits until the connection has taken all, for `timeout` ms at most. What waits for room is lost with the process that pushed it.
  @spec finish(t(), pos_integer()) :: {:ok, t()} | {:error, GodotError.t(), t()}
  def finish(%__MODULE__{count: 0} = pusher, _timeout), do: {:ok, pusher}

  def finish(%__MODULE__{} = pusher, timeout) do
    send(pusher.connection.pid, {:push_end, self(), pusher.ref})
    await(pusher, timeout, now() + timeout)
  end

  defp await(%{count: 0} = pusher, _left, _deadline), do: {:ok, pusher}

  defp await(%{ended: why} = pusher, _left, _deadline) when why != nil,
    do: {:error, %GodotError{reason: {:disconnected, why}}, pusher}

  defp await(pusher, left, _deadline) when left <= 0,
    do: {:error, %GodotError{reason: :timeout}, pusher}

  defp await(pusher, left, deadline),
    do: pusher |> settle(left) |> await(deadline - now(), deadline)

  @spec close(t()) :: :ok
  def close(%__MODULE__{ref: ref} = pusher) do
    Process.demonitor(ref, [:flush])
    send(pusher.connection.pid, {:push_over, ref})
    forget(ref)
  end

  defp forget(ref) do
    receive do
      {:wasgo_pushed, ^ref, _count, _bytes} -> forget(ref)
    after
      0 -> :ok
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
