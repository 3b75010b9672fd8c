defmodule Wasgo.Godot.Connection.Sending do
  @moduledoc false
  # How frames leave a connection: numbered ones in their lanes, as far as the window and the credit reach, the others at once.
  #
  # It works on the connection's state, and never waits.

  alias Wasgo.Godot.Connection.{Calls, Credit, Frame, Outbox, Pusher, State, Window}

  {share, share_bytes} = Pusher.share()
  @share share
  @share_bytes share_bytes
  # Then others have their turn.
  @at_once 64

  @spec fits?(State.t(), Frame.t()) :: boolean()
  def fits?(state, %Frame{lane: :live} = frame),
    do: Window.room?(state.window, Frame.size(frame, Window.next(state.window)))

  def fits?(state, %Frame{lane: :bulk} = frame),
    do: Credit.room?(state.credit, frame.kind, Frame.size(frame, Credit.next(state.credit)))

  # Takes a frame that was pushed, and with it those of the same process that have come since, as far as they may go now. What may not is left
  # as the last value. There are hundreds of thousands a second, and a turn of the process for each would cost more than the rest of it.
  @spec push(State.t(), pid(), reference(), Frame.t()) :: {State.t(), Frame.t() | nil}
  def push(
        %{calls: %{senders: %{live: {[], []}}}} = state,
        from,
        ref,
        %Frame{lane: :live} = frame
      ) do
    {window, outbox, count, bytes, left} =
      take_pushed(ref, frame, state.window, state.outbox, 0, 0)

    state = %{state | window: window, outbox: outbox}
    {state |> pushed(from, ref, count, bytes) |> pump(), left}
  end

  def push(state, from, ref, frame) do
    if first?(state, frame) do
      {_number, state} = transmit(state, frame)
      {state |> pushed(from, ref, 1, frame.size) |> pump(), nil}
    else
      {state, frame}
    end
  end

  defp take_pushed(ref, frame, window, outbox, count, bytes) do
    number = window.last + 1
    size = Frame.size(frame, number)

    if Window.room?(window, size) do
      window = Window.push(window, size)
      outbox = Outbox.numbered(outbox, Frame.numbered(frame, number), size)
      {count, bytes} = {count + 1, bytes + frame.size}

      receive do
        {:push, _from, ^ref, %Frame{lane: :live} = frame} when count < @at_once ->
          take_pushed(ref, frame, window, outbox, count, bytes)
      after
        0 -> {window, outbox, count, bytes, nil}
      end
    else
      {window, outbox, count, bytes, frame}
    end
  end

  # Whether the frame may go before those that wait in its lane.
  @spec first?(State.t(), Frame.t()) :: boolean()
  def first?(state, frame),
    do: not Calls.anybody?(state.calls, frame.lane) and fits?(state, frame)

  @spec transmit(State.t(), Frame.t()) :: {pos_integer(), State.t()}
  def transmit(state, %Frame{lane: :live} = frame) do
    number = Window.next(state.window)
    state = %{state | window: Window.push(state.window, Frame.size(frame, number))}
    {number, enqueue(state, frame, number)}
  end

  def transmit(state, %Frame{lane: :bulk} = frame) do
    number = Credit.next(state.credit)
    credit = Credit.push(state.credit, frame.kind, Frame.size(frame, number))
    {number, enqueue(%{state | credit: credit}, frame, number)}
  end

  defp enqueue(state, frame, number) do
    bytes = Frame.numbered(frame, number)
    %{state | outbox: Outbox.numbered(state.outbox, bytes, Frame.size(frame, number))}
  end

  # Lets those in that wait, while there is room, and tells those who did not want to wait.
  @spec let_senders_in(State.t()) :: State.t()
  def let_senders_in(state) do
    state
    |> let_in(:live)
    |> let_in(:bulk)
    |> tell_of_room(:live)
    |> tell_of_room(:bulk)
    |> pump()
  end

  defp let_in(state, lane) do
    with {ref, frame} <- Calls.first_sender(state.calls, lane),
         true <- fits?(state, frame) do
      {number, state} = transmit(state, frame)
      {pushed, calls} = Calls.sent(state.calls, ref, number)
      state = %{state | calls: calls}

      let_in(
        case pushed do
          {from, push} -> pushed(state, from, push, 1, frame.size)
          nil -> state
        end,
        lane
      )
    else
      _none_or_no_room -> state
    end
  end

  # Everything that was sent, or waits to be, before a flush.
  @spec flush_target(State.t()) :: {:flush, non_neg_integer(), non_neg_integer()}
  def flush_target(state) do
    {:flush, state.window.last + Calls.waiting(state.calls, :live),
     state.credit.last + Calls.waiting(state.calls, :bulk)}
  end

  @spec flushed?(State.t()) :: boolean()
  def flushed?(state) do
    state.window.acknowledged == state.window.last and
      state.credit.acknowledged == state.credit.last and Calls.waiting(state.calls) == 0
  end

  # Answers those whose frames have been dealt with. Some may never have been sent, because who sent them gave up: then all is done when nothing is left.
  @spec answer_flushes(State.t()) :: State.t()
  def answer_flushes(state) do
    {live, bulk} = {state.window.acknowledged, state.credit.acknowledged}
    all? = flushed?(state)

    done =
      Calls.select(state.calls, fn
        {:flush, last, last_bulk} -> all? or (last <= live and last_bulk <= bulk)
        _other -> false
      end)

    %{state | calls: Enum.reduce(done, state.calls, &Calls.reply(&2, &1, :ok))}
  end

  # Tells a process that pushes frames how many were taken, not for each of them.
  defp pushed(state, _from, _ref, 0, _bytes), do: state

  defp pushed(state, from, ref, more, more_bytes) do
    {count, bytes, share} = Map.get(state.pushed, ref, {0, 0, @share})
    {count, bytes} = {count + more, bytes + more_bytes}

    if count >= share or bytes >= @share_bytes do
      send(from, {:wasgo_pushed, ref, count, bytes})
      %{state | pushed: Map.put(state.pushed, ref, {0, 0, share})}
    else
      %{state | pushed: Map.put(state.pushed, ref, {count, bytes, share})}
    end
  end

  # The process pushes no more, and waits until all are taken: from now on it is told of each.
  @spec push_end(State.t(), pid(), reference()) :: State.t()
  def push_end(state, from, ref) do
    {count, bytes, _share} = Map.get(state.pushed, ref, {0, 0, @share})
    send(from, {:wasgo_pushed, ref, count, bytes})
    %{state | pushed: Map.put(state.pushed, ref, {0, 0, 1})}
  end

  # Whoever found no room for a frame is told once when there would be room for it.
  @spec remember(State.t(), pid(), Frame.t()) :: State.t()
  def remember(state, pid, frame) do
    wanted = %{kind: frame.kind, size: Frame.size(frame, 0x7FFF_FFFF)}
    %{state | rooms: Map.put(state.rooms, {frame.lane, pid}, wanted)}
  end

  defp tell_of_room(%{rooms: rooms} = state, _lane) when rooms == %{}, do: state

  defp tell_of_room(state, lane) do
    rooms =
      Map.reject(state.rooms, fn {{of, pid}, wanted} ->
        roomy? =
          of == lane and not Calls.anybody?(state.calls, lane) and room?(state, lane, wanted)

        if roomy?, do: send(pid, {:wasgo_godot, {:room, lane}, state.handle})
        roomy?
      end)

    %{state | rooms: rooms}
  end

  defp room?(state, :live, wanted), do: Window.room?(state.window, wanted.size)
  defp room?(state, :bulk, wanted), do: Credit.room?(state.credit, wanted.kind, wanted.size)

  # A frame without a number, that the library makes up itself.
  @spec say(State.t(), String.t(), map()) :: State.t()
  def say(state, kind, fields), do: control(state, Frame.control!(kind, fields))

  # One that is encoded already.
  @spec control(State.t(), iodata()) :: State.t()
  def control(state, frame), do: pump(%{state | outbox: Outbox.control(state.outbox, frame)})

  @spec pump(State.t()) :: State.t()
  def pump(state), do: %{state | outbox: Outbox.pump(state.outbox)}
end
