defmodule Wasgo.Godot.Connection.Sending do
  @moduledoc false
  # How frames leave a connection: numbered ones in their lanes, as far as the window and the credit reach, the others at once.
  #
  # It works on the connection's state, and never waits.

  alias Wasgo.Godot.Connection.{Calls, Credit, Frame, Outbox, State, Window}

  @spec fits?(State.t(), Frame.t()) :: boolean()
  def fits?(state, %Frame{lane: :live} = frame),
    do: Window.room?(state.window, Frame.size(frame, Window.next(state.window)))

  def fits?(state, %Frame{lane: :bulk} = frame),
    do: Credit.room?(state.credit, frame.kind, Frame.size(frame, Credit.next(state.credit)))

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

  defp enqueue(state, frame, number),
    do: %{state | outbox: Outbox.numbered(state.outbox, Frame.numbered(frame, number))}

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
      let_in(%{state | calls: Calls.reply(state.calls, ref, {:ok, number})}, lane)
    else
      _none_or_no_room -> state
    end
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
