defmodule Wasgo.Godot.Connection.Hearing do
  @moduledoc false
  # What an open connection does when the engine says something.
  #
  # It works on the connection's state, and never waits. `{:end, why, state}` is the end of the connection.

  alias Wasgo.Godot.Connection.{Calls, Credit, Functions, Inbox, Outbox, Sending, State, Window}
  alias Wasgo.GodotError

  # The latest errors of the engine that are kept.
  @kept_errors 32

  @type result :: {:ok, State.t()} | {:end, GodotError.why(), State.t()}

  # `size` is the frame's, in bytes.
  @spec hear({:ok, term()} | {:error, term(), :bytes | :frame}, pos_integer(), State.t()) ::
          result()
  def hear({:ok, {:ack, seq, bulk, work}}, _size, state) do
    with {:ok, state} <- acknowledge(state, seq),
         {:ok, state} <- acknowledge_bulk(state, bulk, work) do
      {:ok, state |> Sending.let_senders_in() |> Sending.answer_flushes()}
    end
  end

  def hear({:ok, {:credit, bytes, work}}, _size, state) do
    case Credit.grant(state.credit, bytes, work) do
      {:ok, credit} -> {:ok, Sending.let_senders_in(%{state | credit: credit})}
      {:error, :past} -> malformed(state, "less credit than it had given")
    end
  end

  def hear({:ok, {:error, lane, number, message}}, _size, state) do
    {done, last} =
      case lane do
        :live -> {state.window.acknowledged, state.window.last}
        :bulk -> {state.credit.acknowledged, state.credit.last}
      end

    if number > done and number <= last do
      about = %{address: State.address(state), lane: lane, number: number, reason: message}
      Wasgo.Telemetry.execute([:frame, :refused], %{count: 1}, about)
      errors = Enum.take([{lane, number, message} | state.errors], @kept_errors)
      {:ok, %{state | errors: errors, error_count: state.error_count + 1}}
    else
      words = "an error of frame #{number}, where #{done} of #{last} were dealt with"
      malformed(state, words)
    end
  end

  def hear({:ok, {:ping, time}}, _size, state) do
    if Outbox.full?(state.outbox),
      do: {:end, :not_reading, state},
      else: {:ok, Sending.say(state, "pong", %{"time" => time})}
  end

  def hear({:ok, {:bye, text}}, _size, state), do: {:end, {:bye, text}, state}

  def hear({:ok, {:report, id, counts}}, _size, state), do: answer(state, id, {:ok, counts})
  def hear({:ok, {:picture, id, {:ok, png}}}, _size, state), do: answer(state, id, {:ok, png})

  def hear({:ok, {:picture, id, {:error, message}}}, _size, state),
    do: answer(state, id, {:error, %GodotError{reason: {:engine, message}}})

  def hear({:ok, {:answer, id, {:ok, value}}}, _size, state), do: answer(state, id, {:ok, value})

  def hear({:ok, {:answer, id, {:error, message}}}, _size, state),
    do: answer(state, id, {:error, %GodotError{reason: {:engine, message}}})

  def hear({:ok, {:request, id, name, args}}, _size, state) do
    case Functions.start(state.functions, state.options.functions, id, name, args, state.handle) do
      {:ok, functions} -> {:ok, %{state | functions: functions}}
      {:error, words} -> refuse_request(state, id, words)
    end
  end

  def hear({:ok, {:game, {:scene, scene}}}, size, state) do
    # The one that was asked for goes to whoever asked.
    case Calls.select(state.calls, &(&1 == {:request, scene.id})) do
      [] -> tell(state, {:scene, scene}, size)
      _asked -> answer(state, scene.id, {:ok, scene.glb})
    end
  end

  def hear({:ok, {:game, event}}, size, state), do: tell(state, event, size)
  def hear({:ok, :nothing}, _size, state), do: {:ok, state}

  def hear({:ok, event}, _size, state),
    do: malformed(state, "a frame of the kind #{inspect(to_string(elem(event, 0)))} in between")

  def hear({:error, why, _at}, _size, state), do: {:end, why, state}

  defp tell(state, event, size) do
    case Inbox.put(state.inbox, event, size, {:wasgo_godot, :events, state.handle}) do
      {:ok, inbox} -> {:ok, %{state | inbox: inbox}}
      :overflow -> malformed(state, "more than the world can take")
    end
  end

  @spec refuse_request(State.t(), integer(), String.t()) :: result()
  def refuse_request(state, id, words) do
    if Outbox.full?(state.outbox),
      do: {:end, :not_reading, state},
      else: {:ok, Sending.say(state, "answer", %{"id" => id, "error" => words})}
  end

  defp acknowledge(state, seq) do
    case Window.acknowledge(state.window, seq) do
      {:ok, window} ->
        {:ok, %{state | window: window}}

      {:error, :future} ->
        malformed(
          state,
          "an acknowledgement of frame #{seq}, when #{state.window.last} was the last one sent"
        )

      {:error, :past} ->
        malformed(
          state,
          "an acknowledgement of frame #{seq} after #{state.window.acknowledged} was acknowledged"
        )
    end
  end

  defp acknowledge_bulk(state, number, work) do
    case Credit.acknowledge(state.credit, number, work) do
      {:ok, credit} ->
        {:ok, %{state | credit: credit}}

      {:error, :future} ->
        malformed(
          state,
          "an acknowledgement of bulk frame #{number}, when #{state.credit.last} was the last one sent"
        )

      {:error, :past} ->
        malformed(
          state,
          "an acknowledgement of bulk frame #{number} and #{work} us, after #{state.credit.acknowledged} and #{state.credit.work}"
        )
    end
  end

  defp malformed(state, words), do: {:end, {:malformed, words}, state}

  # Nobody may wait any longer; then it is thrown away.
  defp answer(state, id, reply) do
    asked = Calls.select(state.calls, &(&1 == {:request, id}))
    {:ok, %{state | calls: Enum.reduce(asked, state.calls, &Calls.reply(&2, &1, reply))}}
  end
end
