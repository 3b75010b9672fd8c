defmodule Wasgo.Godot.Scripts do
  @moduledoc """
  Scripts of an engine's nodes: what a `WasgoScript` node asks for.

  A node of the engine with a `WasgoScript` child behaves as if a script of the sidecar were attached to it: its notifications come here, the
  script runs, and what it returns becomes changes of the node's properties, as far as the node's own list allows them. It is switched on by the server's option
  `:scripts`, which says where scripts are found by their names:

      {:ok, store} = Wasgo.Store.open("world.db")
      {Wasgo.Godot.Server, token: token, port: 7777, scripts: store}

  or without a store, `scripts: %{"sway" => Wasgo.Script.new!(File.read!("sway.wasm"))}`, or a function of the name that returns `{:ok, script}` or
  `{:error, exception}`.

  ## Rows

  A script gets rows of values for a node, as any notification script does, and names the properties that its answers are for (`_columns`):

  | value | |
  | --- | --- |
  | id | an integer, the same for a node as long as it is attached |
  | time | seconds since it was attached: the sum of the times that came with its ticks |
  | ... | what came with the notification: for ticks the node's `inputs`, and last the seconds since the one before |

  Vectors, colours, transforms and other structs are their components, a truth is 1 or 0, and what a row cannot hold is NULL.

  ## State

  With a store, a node with a `state_key` is an object of `Wasgo.Script.Registry` under that id (kind `"godot"`), and a script that is granted `:state` keeps what it likes for it, across connections
  and restarts. A script without it keeps nothing, and thousands of its nodes are notified in one call.

  ## When it is too much

  Each script runs in a process of its own, so that what one does is nothing to the others. Of a node's ticks only the newest waits. A node whose script runs out of time, or fails
  #{32} times one after another, is stopped, and its `WasgoScript` is told why; the others of that script go on. A new active version in the store takes over within a
  second.
  """

  use GenServer, restart: :temporary

  alias Wasgo.Godot.Connection
  alias Wasgo.Godot.Scripts.{Row, Runner}

  # How many nodes of a connection may have a script, and how many different ones there may be.
  @most_nodes 65_536
  @most_scripts 1_024

  @enforce_keys [:connection, :source]
  defstruct [:connection, :source, nodes: %{}, runners: %{}, names: %{}]

  @typedoc "Where scripts are found by their names."
  @type source ::
          Wasgo.Store.t()
          | %{String.t() => Wasgo.Script.t()}
          | (String.t() -> {:ok, Wasgo.Script.t()} | {:error, Exception.t()})

  @doc false
  @spec start_link(source()) :: GenServer.on_start()
  def start_link(source), do: GenServer.start_link(__MODULE__, source)

  @impl true
  def init(source) do
    Process.flag(:trap_exit, true)
    Wasgo.Label.put(__MODULE__)
    {:ok, %__MODULE__{connection: nil, source: source}}
  end

  @impl true
  def handle_info(message, state)

  def handle_info({:wasgo_godot, :open, connection}, state) do
    Process.monitor(connection.pid)
    {:noreply, %{state | connection: connection}}
  end

  def handle_info({:wasgo_godot, :events, connection}, state) do
    case Connection.events(connection) do
      {:ok, events, _dropped} -> {:noreply, Enum.reduce(events, state, &heed/2)}
      {:error, _gone} -> {:stop, :normal, state}
    end
  end

  # A script was found, or is another version, or is none.
  def handle_info({Runner, pid, {:loaded, ids, result}}, state) do
    case state.names do
      %{^pid => name} ->
        here = ids_of(state, name)
        gone = if ids == :all, do: [], else: ids -- here
        {:noreply, tell(state, if(ids == :all, do: here, else: ids -- gone), result)}

      _gone ->
        {:noreply, state}
    end
  end

  # These are stopped.
  def handle_info({Runner, _pid, {:stopped, problems}}, state) do
    {:noreply, Enum.reduce(problems, state, fn {id, words}, state -> stop(state, id, words) end)}
  end

  def handle_info({:EXIT, pid, reason}, state) do
    case Map.pop(state.names, pid) do
      {nil, _names} ->
        {:noreply, state}

      {name, names} ->
        state = %{state | names: names, runners: Map.delete(state.runners, name)}
        words = "the script's process ended: #{inspect(reason, limit: 5, printable_limit: 200)}"
        {:noreply, Enum.reduce(ids_of(state, name), state, &stop(&2, &1, words))}
    end
  end

  def handle_info({:DOWN, _ref, :process, _connection, _reason}, state),
    do: {:stop, :normal, state}

  def handle_info(_stray, state), do: {:noreply, state}

  ## What the engine says

  defp heed({:attach, scripts}, state) do
    {state, problems} = Enum.reduce(scripts, {state, []}, &attach/2)
    answer(state, Enum.reverse(problems))
  end

  defp heed({:detach, ids}, state) do
    Enum.reduce(ids, state, fn id, state ->
      case Map.pop(state.nodes, id) do
        {nil, _nodes} ->
          state

        {node, nodes} ->
          with {:ok, runner} <- Map.fetch(state.runners, node.script),
               do: Runner.forget(runner, id)

          %{state | nodes: nodes}
      end
    end)
  end

  defp heed({:notify, notifications}, state) do
    {nodes, by_script} =
      Enum.reduce(notifications, {state.nodes, %{}}, fn {id, what, args}, {nodes, by_script} ->
        case nodes do
          %{^id => %{stopped?: false} = node} ->
            time = Row.time(node.time, what, args)
            row = [id, time | Row.values(what, args)]
            entry = {id, what, row, node.state}

            {%{nodes | id => %{node | time: time}},
             Map.update(by_script, node.script, [entry], &[entry | &1])}

          _unknown_or_stopped ->
            {nodes, by_script}
        end
      end)

    for {name, entries} <- by_script, %{^name => runner} <- [state.runners] do
      Runner.notify(runner, Enum.reverse(entries))
    end

    %{state | nodes: nodes}
  end

  defp heed(_other, state), do: state

  defp attach(script, {state, problems}) do
    cond do
      not is_map_key(state.nodes, script.id) and map_size(state.nodes) >= @most_nodes ->
        {state, [{script.id, "more than #{@most_nodes} nodes have scripts"} | problems]}

      not is_map_key(state.runners, script.script) and map_size(state.runners) >= @most_scripts ->
        {state, [{script.id, "more than #{@most_scripts} scripts"} | problems]}

      true ->
        {runner, state} = runner(state, script.script)
        node = %{script: script.script, state: script.state, time: 0.0, stopped?: false}
        state = %{state | nodes: Map.put(state.nodes, script.id, node)}
        # It answers now, or when it knows.
        Runner.attached(runner, script.id)
        {state, problems}
    end
  end

  defp runner(state, name) do
    case state.runners do
      %{^name => runner} ->
        {runner, state}

      _none ->
        {:ok, runner} = Runner.start_link(name, state.source, {:engine, state.connection})

        {runner,
         %{
           state
           | runners: Map.put(state.runners, name, runner),
             names: Map.put(state.names, runner, name)
         }}
    end
  end

  ## What the engine is told

  defp ids_of(state, name),
    do: for({id, %{script: ^name, stopped?: false}} <- state.nodes, do: id)

  defp tell(state, ids, {:ok, whats}), do: say(state, for(id <- ids, do: {id, "", whats}))

  defp tell(state, ids, {:error, words}), do: answer(state, for(id <- ids, do: {id, words}))

  defp stop(state, id, words) do
    case state.nodes do
      %{^id => node} ->
        answer(%{state | nodes: %{state.nodes | id => %{node | stopped?: true}}}, [{id, words}])

      _gone ->
        state
    end
  end

  defp answer(state, problems), do: say(state, for({id, words} <- problems, do: {id, words, []}))

  # An engine that does not read its answers is closed by its connection.
  defp say(state, []), do: state

  defp say(state, answers) do
    Connection.attached(state.connection, %{
      "ids" => {:packed_int64, for({id, _, _} <- answers, into: <<>>, do: <<id::little-64>>)},
      "errors" => {:packed_string, for({_, words, _} <- answers, do: words)},
      "whats" =>
        for {_, _, whats} <- answers do
          {:packed_int32, for(what <- whats, into: <<>>, do: <<what::little-32>>)}
        end
    })

    state
  end
end
