defmodule Wasgo.World.Zone do
  @moduledoc false
  # Shows a world to the engine of a zone: from the moment when its connection is open until that ends.
  #
  # What is sent goes by the state of the world, not by what happened to it: the engine is at a number of the journal, and is sent what changed after it, as it is now.
  # Nothing is kept for an engine that is slow, and what has been superseded meanwhile is never sent. It never waits: where there is no room, a message says
  # when there is.

  use GenServer, restart: :temporary

  alias Wasgo.World.Server, as: World
  alias Wasgo.World.Transient.Cursor
  alias Wasgo.World.Zone.{Bulk, Hearing, Live, Making, Meshes}

  # What it has for the connection to become one, in ms.
  @opening 30_000
  # Frames that are sent before other messages are looked at.
  @most_frames 16

  @typedoc """
  What a zone does: the number that its engine is at with all that was sent, the frames that were (of nodes, and all of both lanes), chunks that it holds or was told that
  it has, those that are being made, those that could not be made, viewers that wanted too much, and whether a lane is full.
  """
  @type info :: %{
          pid: pid(),
          connection: Wasgo.Godot.Connection.t() | nil,
          rev: non_neg_integer(),
          frames: non_neg_integer(),
          chunks: non_neg_integer(),
          making: non_neg_integer(),
          failed: non_neg_integer(),
          refused: non_neg_integer(),
          waiting: [:live | :bulk]
        }

  @spec start_link(map()) :: GenServer.on_start()
  def start_link(start), do: GenServer.start_link(__MODULE__, start)

  @doc false
  @spec info(pid()) :: info() | nil
  def info(zone) do
    GenServer.call(zone, :info)
  catch
    :exit, _gone -> nil
  end

  @impl true
  def init(start) do
    Wasgo.Label.put({__MODULE__, start.world, start.zone},
      wasgo_world: start.world,
      wasgo_zone: start.zone
    )

    state = %{
      zone: start.zone,
      tables: start.tables,
      journal: start.journal,
      needs: start.needs,
      memory: start.memory,
      flag: start.flag,
      options: start.options,
      link: start.options.link,
      owner: Process.monitor(start.owner),
      opening: Process.send_after(self(), :opening, @opening),
      connection: nil,
      # `:opening`, `:resuming` when the first frame is to be sent, `:open`.
      stage: :opening,
      resumed: nil,
      # The number that the engine is at, and the last one that it was told.
      rev: 0,
      told: 0,
      floor: 0,
      # How far it is with transient values, and objects that were made since and have some.
      values: %Cursor{},
      made: [],
      meshes: %Meshes{},
      chunks: nil,
      # Meshes on their way that frames of nodes wait for, and those that the engine asked for.
      mesh: nil,
      again: %{},
      outgoing: [],
      # Files of nodes that the engine asked for: those that wait, in this order, and the one that is read or to be sent.
      assets: MapSet.new(),
      asset_queue: :queue.new(),
      asset: nil,
      turn: :asset,
      full: MapSet.new(),
      pumping?: false,
      frames: 0
    }

    {:ok, state}
  end

  @impl true
  def handle_call(:info, _from, state) do
    info = %{
      pid: self(),
      connection: state.connection,
      rev: state.rev,
      frames: state.frames,
      chunks: if(state.chunks, do: map_size(state.chunks.held), else: 0),
      making: if(state.chunks, do: map_size(state.chunks.jobs), else: 0),
      failed: if(state.chunks, do: state.chunks.failed, else: 0),
      refused: if(state.chunks, do: state.chunks.refused, else: 0),
      waiting: MapSet.to_list(state.full)
    }

    {:reply, info, state}
  end

  @impl true
  def handle_info({:wasgo_godot, :open, connection}, %{stage: :opening} = state) do
    Process.demonitor(state.owner, [:flush])
    Process.cancel_timer(state.opening)
    state = %{state | connection: connection, owner: Process.monitor(connection.pid)}

    # What scripts and the game say is for others.
    with :ok <- state.link.subscribe(connection, [:resume, :want, :viewers]),
         do: hear(state),
         else: (_gone -> {:stop, :normal, state})
  end

  def handle_info(:opening, %{stage: :opening} = state), do: {:stop, :normal, state}

  def handle_info({:DOWN, owner, :process, _pid, _reason}, %{owner: owner} = state),
    do: {:stop, :normal, state}

  def handle_info({:wasgo_godot, :events, _connection}, state), do: hear(state)

  def handle_info({:wasgo_godot, {:room, lane}, _connection}, state),
    do: go_on(%{state | full: MapSet.delete(state.full, lane)})

  def handle_info({World, :changed}, state), do: go_on(state)
  def handle_info(:pump, state), do: go_on(%{state | pumping?: false})

  def handle_info(:tick, state) do
    Process.send_after(self(), :tick, state.options.tick)
    state |> Live.transient(@most_frames) |> ended_or()
  end

  def handle_info({Making, job, result}, state) do
    Process.demonitor(job, [:flush])
    state |> Hearing.made(job, result) |> go_on()
  end

  def handle_info({:DOWN, job, :process, _pid, reason}, state),
    do: state |> Hearing.made(job, {:error, reason}) |> go_on()

  def handle_info(_other, state), do: {:noreply, state}

  defp hear(state) do
    case state.link.events(state.connection) do
      {:ok, events, _dropped} -> events |> Enum.reduce(state, &Hearing.heard/2) |> go_on()
      {:error, _gone} -> {:stop, :normal, state}
    end
  end

  defp go_on(state), do: state |> pump() |> ended_or()

  defp ended_or({:stop, state}), do: {:stop, :normal, state}

  defp ended_or(state) do
    :atomics.put(state.flag, 2, state.rev)
    {:noreply, state}
  end

  defp pump(%{stage: :opening} = state), do: state

  defp pump(state) do
    with %{} = state <- Live.live(state, @most_frames), do: Bulk.bulk(state, @most_frames)
  end
end
