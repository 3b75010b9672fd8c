defmodule Wasgo.StageTest.Scripted do
  @moduledoc false
  # A filter that does what payloads say, with a state that can be seen: the number of buffers that it has taken.

  use Wasgo.Stage

  alias Wasgo.Buffer

  @impl true
  def options do
    [
      to: [type: :pid, required: true],
      stateless: [type: :boolean, default: false],
      init: [type: {:in, [:ok, :error, :raise]}, default: :ok],
      formats: [type: {:in, [:pass, :count, :refuse]}, default: :pass]
    ]
  end

  @impl true
  def init(%{init: :error}), do: {:error, %RuntimeError{message: "it does not begin"}}
  def init(%{init: :raise}), do: raise("it can't begin")

  def init(options) do
    send(options.to, {:init, self()})
    {:ok, Map.put(options, :taken, 0)}
  end

  @impl true
  def stateless?(options), do: options.stateless

  @impl true
  def handle_format(_format, %{formats: :refuse} = state),
    do: {:error, %RuntimeError{message: "not this format"}, state}

  # The rows' columns say how many buffers came before.
  def handle_format(_format, %{formats: :count} = state),
    do: {:ok, %Wasgo.Format.Rows{columns: ["after #{state.taken}"]}, state}

  def handle_format(format, state), do: {:ok, format, state}

  @impl true
  def handle_buffer(%Buffer{payload: payload} = buffer, state) do
    state = %{state | taken: state.taken + 1}

    case payload do
      :error -> {:error, %RuntimeError{message: "an error"}, state}
      :stop -> {:stop, %RuntimeError{message: "a stop"}, state}
      :raise -> raise "a raise"
      :throw -> throw(:something)
      :exit -> exit(:because)
      :kill -> Process.exit(self(), :kill)
      :rubbish -> :rubbish
      :no_buffers -> {:ok, [:no_buffer], state}
      :drop -> {:ok, [], state}
      :twice -> {:ok, [%{buffer | payload: 1}, %{buffer | payload: 2}], state}
      {:flood, count} -> {:ok, List.duplicate(buffer, count), state}
      :taken -> {:ok, [%{buffer | payload: {:taken, state.taken}}], state}
      :where -> {:ok, [%{buffer | payload: self()}], state}
      {:wait, reference} -> wait(buffer, reference, state)
      _other -> {:ok, [buffer], state}
    end
  end

  # Until the process that the options name says so.
  defp wait(buffer, reference, state) do
    send(state.to, {:waiting, reference, self()})
    receive do: ({:go, ^reference} -> {:ok, [buffer], state})
  end

  @impl true
  def handle_end_of_stream(state) do
    {:ok, [Buffer.new({:end, state.taken})], state}
  end

  @impl true
  def terminate(state), do: send(state.to, {:terminate, self()})
end
