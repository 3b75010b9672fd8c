defmodule Wasgo.Godot.Connection.Inbox do
  @moduledoc false
  # What the game said, kept for those who want to know until they fetch it. Pure, but for the notice that there is something.
  #
  # Each subscriber has a queue of its own, bounded in number and bytes: the oldest go first, and are counted. For a strict one, a world's zone, what it
  # cannot do without is never dropped.

  @most_events 256
  @most_bytes 64 * 1024 * 1024
  @most_subscribers 16
  # What a world's zone cannot do without.
  @kept [:resume, :want, :attach, :detach]

  defstruct subscribers: %{}

  @type event :: {atom(), term()} | {atom(), term(), term()}
  @type t :: %__MODULE__{subscribers: %{pid() => map()}}

  @spec limit() :: pos_integer()
  def limit, do: @most_subscribers

  # A second time changes what is wanted, and loses nothing.
  @spec subscribe(t(), pid(), [atom()] | :all, strict? :: boolean()) :: {:ok, t()} | :full
  def subscribe(%__MODULE__{subscribers: all} = inbox, pid, kinds, strict? \\ false) do
    case all do
      %{^pid => one} ->
        {:ok, %{inbox | subscribers: Map.put(all, pid, %{one | kinds: kinds})}}

      _new when map_size(all) >= @most_subscribers ->
        :full

      _new ->
        one = %{
          ref: Process.monitor(pid),
          kinds: kinds,
          strict?: strict?,
          queue: :queue.new(),
          count: 0,
          bytes: 0,
          dropped: 0,
          told?: false
        }

        {:ok, %{inbox | subscribers: Map.put(all, pid, one)}}
    end
  end

  # Forgets the one that died, if it was one.
  @spec down(t(), reference()) :: t()
  def down(%__MODULE__{subscribers: all} = inbox, ref) do
    %{inbox | subscribers: Map.reject(all, fn {_pid, one} -> one.ref == ref end)}
  end

  # `:overflow` when what must not be dropped is too much.
  @spec put(t(), event(), bytes :: non_neg_integer(), notice :: term()) :: {:ok, t()} | :overflow
  def put(%__MODULE__{subscribers: all} = inbox, event, bytes, notice) do
    all =
      for {pid, one} <- all, into: %{} do
        if one.kinds == :all or elem(event, 0) in one.kinds,
          do: {pid, one |> add(event, bytes) |> tell(pid, notice)},
          else: {pid, one}
      end

    {:ok, %{inbox | subscribers: all}}
  catch
    :overflow -> :overflow
  end

  # Of viewers only the newest counts, and it takes the place of the one before.
  defp add(one, {:viewers, _} = event, bytes) do
    {older, others} = Enum.split_with(:queue.to_list(one.queue), &viewers?/1)
    older_bytes = Enum.sum(for {_event, bytes} <- older, do: bytes)

    append(
      %{
        one
        | queue: :queue.from_list(others),
          count: one.count - length(older),
          bytes: one.bytes - older_bytes
      },
      event,
      bytes
    )
  end

  defp add(one, event, bytes), do: append(one, event, bytes)

  defp viewers?({event, _bytes}), do: elem(event, 0) == :viewers

  defp append(one, event, bytes) do
    bound(%{
      one
      | queue: :queue.in({event, bytes}, one.queue),
        count: one.count + 1,
        bytes: one.bytes + bytes
    })
  end

  defp bound(%{count: count, bytes: bytes} = one)
       when count > @most_events or (bytes > @most_bytes and count > 1) do
    case Enum.split_while(:queue.to_list(one.queue), &(not droppable?(&1, one.strict?))) do
      {before, [{_event, bytes} | rest]} ->
        bound(%{
          one
          | queue: :queue.from_list(before ++ rest),
            count: count - 1,
            bytes: one.bytes - bytes,
            dropped: one.dropped + 1
        })

      # Nothing of it may be lost, and whoever sends so much of it without waiting is up to no good.
      {_all, []} ->
        throw(:overflow)
    end
  end

  defp bound(one), do: one

  defp droppable?(_event, false), do: true
  defp droppable?({event, _bytes}, true), do: elem(event, 0) not in @kept

  # Once, until it has fetched.
  defp tell(%{told?: true} = one, _pid, _notice), do: one

  defp tell(one, pid, notice) do
    send(pid, notice)
    %{one | told?: true}
  end

  # Everything there is, oldest first, and how many there were that were dropped since the last time.
  @spec take(t(), pid()) :: {{[event()], non_neg_integer()}, t()} | :not_subscribed
  def take(%__MODULE__{subscribers: all} = inbox, pid) do
    case all do
      %{^pid => one} ->
        events = for {event, _bytes} <- :queue.to_list(one.queue), do: event
        emptied = %{one | queue: :queue.new(), count: 0, bytes: 0, dropped: 0, told?: false}
        {{events, one.dropped}, %{inbox | subscribers: Map.put(all, pid, emptied)}}

      _ ->
        :not_subscribed
    end
  end
end
