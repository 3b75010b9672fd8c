defmodule Wasgo.Godot.Connection.Calls do
  @moduledoc false
  # The callers that a connection keeps waiting: for room in the window, for acknowledgements, for answers. Each waits for
  # a time of its own, and is forgotten when it dies.
  #
  # The owner passes `{:expire, ref}` and `{:DOWN, ref, ...}` on to `drop/2`. There are never more than `limit/0`.

  alias Wasgo.GodotError

  # Each may hold a frame, and costs a search when it gives up.
  @limit 512

  defstruct calls: %{}, senders: :queue.new()

  @type kind :: {:send, term()} | {:flush, non_neg_integer()} | {:request, integer()}
  @type t :: %__MODULE__{calls: %{reference() => map()}, senders: :queue.queue(reference())}

  @spec limit() :: pos_integer()
  def limit, do: @limit

  @spec full?(t()) :: boolean()
  def full?(%__MODULE__{calls: calls}), do: map_size(calls) >= @limit

  @spec waiting(t()) :: non_neg_integer()
  def waiting(%__MODULE__{senders: senders}), do: :queue.len(senders)

  # Keeps `from` waiting for at most `timeout` ms.
  @spec put(t(), GenServer.from(), kind(), timeout :: pos_integer()) :: t()
  def put(%__MODULE__{} = calls, {pid, _tag} = from, kind, timeout) do
    ref = Process.monitor(pid)
    call = %{from: from, kind: kind, timer: Process.send_after(self(), {:expire, ref}, timeout)}
    calls = %{calls | calls: Map.put(calls.calls, ref, call)}

    case kind do
      {:send, _frame} -> %{calls | senders: :queue.in(ref, calls.senders)}
      _other -> calls
    end
  end

  # The frame of the sender that has waited longest.
  @spec first_sender(t()) :: {reference(), frame :: term()} | nil
  def first_sender(%__MODULE__{senders: senders, calls: calls}) do
    case :queue.peek(senders) do
      {:value, ref} ->
        {:send, frame} = Map.fetch!(calls, ref).kind
        {ref, frame}

      :empty ->
        nil
    end
  end

  # Those whose kind `wanted?` takes.
  @spec select(t(), (kind() -> boolean())) :: [reference()]
  def select(%__MODULE__{calls: calls}, wanted?) do
    for {ref, call} <- calls, wanted?.(call.kind), do: ref
  end

  @spec reply(t(), reference(), term()) :: t()
  def reply(%__MODULE__{} = calls, ref, reply) do
    case take(calls, ref) do
      {nil, calls} ->
        calls

      {call, calls} ->
        GenServer.reply(call.from, reply)
        calls
    end
  end

  # It waits no longer: its time is up, or it is dead.
  @spec expire(t(), reference()) :: t()
  def expire(calls, ref), do: reply(calls, ref, {:error, %GodotError{reason: :timeout}})

  @spec reply_to_all(t(), term()) :: t()
  def reply_to_all(%__MODULE__{calls: all} = calls, reply) do
    Enum.reduce(Map.keys(all), calls, &reply(&2, &1, reply))
  end

  defp take(%__MODULE__{} = calls, ref) do
    case Map.pop(calls.calls, ref) do
      {nil, _calls} ->
        {nil, calls}

      {call, rest} ->
        Process.demonitor(ref, [:flush])
        Process.cancel_timer(call.timer, async: true, info: false)

        senders =
          case call.kind do
            {:send, _frame} -> :queue.delete(ref, calls.senders)
            _other -> calls.senders
          end

        {call, %{calls | calls: rest, senders: senders}}
    end
  end
end
