defmodule Wasgo.Godot.Connection.Calls do
  @moduledoc false
  # The callers that a connection keeps waiting: for room in the window, for acknowledgements, for answers. Each waits for
  # a time of its own, and is forgotten when it dies.
  #
  # The owner passes `{:expire, ref}` and `{:DOWN, ref, ...}` on to `drop/2`. There are never more than `limit/0`.

  alias Wasgo.GodotError

  # Each may hold a frame, and costs a search when it gives up.
  @limit 512

  defstruct calls: %{}, senders: %{live: :queue.new(), bulk: :queue.new()}

  @type lane :: :live | :bulk
  @type kind ::
          {:send, %{:lane => lane(), optional(atom()) => term()}}
          | {:flush, live :: non_neg_integer(), bulk :: non_neg_integer()}
          | {:request, integer()}
  @type t :: %__MODULE__{
          calls: %{reference() => map()},
          senders: %{lane() => :queue.queue(reference())}
        }

  @spec limit() :: pos_integer()
  def limit, do: @limit

  @spec full?(t()) :: boolean()
  def full?(%__MODULE__{calls: calls}), do: map_size(calls) >= @limit

  @spec waiting(t()) :: non_neg_integer()
  def waiting(%__MODULE__{senders: %{live: live, bulk: bulk}}),
    do: :queue.len(live) + :queue.len(bulk)

  @spec waiting(t(), lane()) :: non_neg_integer()
  def waiting(%__MODULE__{senders: senders}, lane), do: :queue.len(Map.fetch!(senders, lane))

  @spec anybody?(t(), lane()) :: boolean()
  def anybody?(%__MODULE__{senders: senders}, lane),
    do: not :queue.is_empty(Map.fetch!(senders, lane))

  # Keeps `from` waiting for at most `timeout` ms.
  @spec put(t(), GenServer.from(), kind(), timeout :: pos_integer()) :: t()
  def put(%__MODULE__{} = calls, {pid, _tag} = from, kind, timeout) do
    ref = Process.monitor(pid)
    call = %{from: from, kind: kind, timer: Process.send_after(self(), {:expire, ref}, timeout)}
    calls = %{calls | calls: Map.put(calls.calls, ref, call)}

    case kind do
      {:send, %{lane: lane}} ->
        %{calls | senders: Map.update!(calls.senders, lane, &:queue.in(ref, &1))}

      _other ->
        calls
    end
  end

  # Keeps a frame that was pushed until there is room, or whoever pushed it dies. What a process may push is bounded by itself.
  @spec put_push(t(), pid(), reference(), %{:lane => lane(), optional(atom()) => term()}) :: t()
  def put_push(%__MODULE__{} = calls, pid, push, %{lane: lane} = frame) do
    ref = Process.monitor(pid)
    call = %{from: {:push, pid, push}, kind: {:send, frame}, timer: nil}

    %{
      calls
      | calls: Map.put(calls.calls, ref, call),
        senders: Map.update!(calls.senders, lane, &:queue.in(ref, &1))
    }
  end

  # Its frame was sent with this number; who it was, if it was pushed.
  @spec sent(t(), reference(), pos_integer()) :: {{pid(), reference()} | nil, t()}
  def sent(%__MODULE__{} = calls, ref, number) do
    case Map.fetch!(calls.calls, ref) do
      %{from: {:push, pid, push}} ->
        {_call, calls} = take(calls, ref)
        {{pid, push}, calls}

      _call ->
        {nil, reply(calls, ref, {:ok, number})}
    end
  end

  # The frame of the lane's sender that has waited longest.
  @spec first_sender(t(), lane()) :: {reference(), frame :: term()} | nil
  def first_sender(%__MODULE__{senders: senders, calls: calls}, lane) do
    case :queue.peek(Map.fetch!(senders, lane)) do
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

      {%{from: {:push, _pid, _push}}, calls} ->
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
        if call.timer, do: Process.cancel_timer(call.timer, async: true, info: false)

        calls = %{calls | calls: rest}

        case call.kind do
          {:send, %{lane: lane}} ->
            senders = Map.update!(calls.senders, lane, &:queue.delete(ref, &1))
            {call, %{calls | senders: senders}}

          _other ->
            {call, calls}
        end
    end
  end
end
