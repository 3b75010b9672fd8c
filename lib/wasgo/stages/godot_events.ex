defmodule Wasgo.Stages.GodotEvents do
  @moduledoc """
  A source of what a Godot server says: where its viewers are, its input, its events, notifications of its nodes, and scenes that it exports.

    * `:connection` - a `Wasgo.Godot.Connection`; required
    * `:kinds` - which kinds; `[:viewers, :event, :input, :notify, :scene]` unless given
    * `:viewers` - a `Wasgo.Gen.Viewers` that is told where the engine's viewers are, so that `Wasgo.Stages.Generate` makes what they want. They are taken out of it
      when the stream ends

  The metadata's `:kind` says what a payload is:

  | kind | payload |
  | --- | --- |
  | `:viewers` | a list of `{id, {x, y, z}, radius}` (metres), all there are |
  | `:event` | `%{name: text, node: path, data: term}` |
  | `:input` | a map of the input event's class, device and properties, by name |
  | `:notify` | a list of `{id, what, arguments}`, those of one of the engine's ticks |
  | `:scene` | a binary glTF file, as `Wasgo.Scene.from_glb/1` reads it; the metadata has its `:name` |

  The stream waits for the engine, and ends when its connection does. Of viewers only the newest are kept; of what is not taken in time the newest 256, and
  `:dropped` in the metadata of the next buffer says how many there were that are not.

      [{Wasgo.Stages.GodotEvents, connection: godot, kinds: [:scene]}]
      |> Wasgo.Pipeline.stream!()
      |> Enum.each(&File.write!(&1.metadata.name <> ".glb", &1.payload))
  """

  use Wasgo.Stage

  alias Wasgo.Gen.Viewers
  alias Wasgo.Godot.Connection
  alias Wasgo.{Buffer, StageError}

  @kinds [:viewers, :event, :input, :notify, :scene]
  # What asks the process that a stage runs in to end: a source that may wait for ever has to hear it.
  @runtimes [Wasgo.Stage.Worker, Wasgo.Pipeline.Puller]

  @impl true
  def options do
    [
      connection: [
        type: {:struct, Connection},
        required: true,
        doc: "a `Wasgo.Godot.Connection`"
      ],
      kinds: [type: {:list_of, {:in, @kinds}}, default: @kinds, doc: "which kinds of events"],
      viewers: [
        type: {:or, [:server, {:in, [nil]}]},
        default: nil,
        doc: "a `Wasgo.Gen.Viewers` that is told where the engine's viewers are"
      ]
    ]
  end

  @impl true
  def init(options) do
    kinds = if options.viewers, do: Enum.uniq([:viewers | options.kinds]), else: options.kinds

    with :ok <- Connection.subscribe(options.connection, kinds) do
      ref = Process.monitor(options.connection.pid)

      state = %{
        ref: ref,
        waiting: [],
        errors: [],
        dropped: 0,
        # The viewers that were put, and those that could not be, with the reason.
        seen: [],
        refused: %{},
        ended?: false
      }

      {:ok, Map.merge(options, state)}
    end
  end

  @impl true
  def handle_format(nil, state), do: {:ok, %Wasgo.Format.Terms{}, state}

  @impl true
  def handle_demand(_size, %{errors: [error | errors]} = state),
    do: {:error, error, %{state | errors: errors}}

  def handle_demand(size, %{waiting: [_ | _]} = state) do
    {now, later} = Enum.split(state.waiting, size)
    {:ok, now, %{state | waiting: later}}
  end

  def handle_demand(_size, %{ended?: true} = state), do: {:end_of_stream, [], state}

  def handle_demand(size, state) do
    # What was said before this is there already, whether or not there was a notice of it.
    case Connection.events(state.connection) do
      {:ok, events, dropped} ->
        state = take(events, %{state | dropped: state.dropped + dropped})
        idle? = state.waiting == [] and state.errors == []
        handle_demand(size, if(idle?, do: wait(state), else: state))

      {:error, _gone} ->
        {:end_of_stream, [], state}
    end
  catch
    :exit, {reason, _call} -> {:stop, StageError.killed(Viewers, reason), state}
  end

  defp wait(%{connection: connection, ref: ref} = state) do
    pid = connection.pid

    receive do
      {:wasgo_godot, :events, %Connection{pid: ^pid}} -> state
      {:DOWN, ^ref, :process, ^pid, _reason} -> %{state | ended?: true}
      {runtime, :stop} when runtime in @runtimes -> %{state | ended?: true}
    end
  end

  defp take(events, state) do
    state = Enum.reduce(events, state, &look/2)

    buffers = for event <- events, elem(event, 0) in state.kinds, do: buffer(event)

    case buffers do
      [first | rest] when state.dropped > 0 ->
        first = %{first | metadata: Map.put(first.metadata, :dropped, state.dropped)}
        %{state | waiting: [first | rest], dropped: 0}

      buffers ->
        %{state | waiting: buffers}
    end
  end

  defp buffer({:scene, scene}),
    do: %Buffer{payload: scene.glb, metadata: %{kind: :scene, name: scene.name}}

  defp buffer({kind, payload}),
    do: %Buffer{payload: payload, metadata: %{kind: kind}}

  defp look({:viewers, viewers}, %{viewers: server} = state) when server != nil do
    put =
      for {id, position, radius} <- viewers do
        key = key(state, id)
        {key, Viewers.put(server, key, position, radius: radius, owner: self())}
      end

    now = for {key, :ok} <- put, do: key
    refused = for {key, {:error, error}} <- put, into: %{}, do: {key, error}
    # One that is refused time after time is told of once.
    errors = for {key, error} <- refused, state.refused[key] != error, do: error
    for gone <- state.seen -- now, do: Viewers.delete(server, gone)
    %{state | seen: now, refused: refused, errors: state.errors ++ errors}
  end

  defp look(_event, state), do: state

  # Two engines may call their viewers by the same numbers.
  defp key(state, id), do: {state.connection.ref, id}

  @impl true
  def terminate(state) do
    Process.demonitor(state.ref, [:flush])
    for key <- state.seen, do: Viewers.delete(state.viewers, key)
    :ok
  catch
    :exit, _gone -> :ok
  end
end
