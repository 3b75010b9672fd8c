defmodule Wasgo.Gen.Viewers do
  @moduledoc """
  Where a world is looked at from: positions, and radii around them. `Wasgo.Stages.Generate` makes what they want, nearest first.

      iex> {:ok, viewers} = Wasgo.Gen.Viewers.start_link()
      iex> :ok = Wasgo.Gen.Viewers.put(viewers, "ada", {10.0, 0.0, 20.0}, radius: 96.0)
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{Wasgo.Stages.Generate, plan: plan, viewers: viewers, until: :complete}]
      ...> |> Wasgo.Pipeline.stream!()
      ...> |> Enum.take(2)
      ...> |> Enum.map(&{&1.payload.coordinate, &1.metadata.viewers})
      [{{0, 0}, ["ada"]}, {{-1, 0}, ["ada"]}]

  A viewer is a player, a camera, a server's point of interest: whatever has a position. It is called by an id of the caller's choice, any term.
  One process holds the viewers of a world, and any number of streams follow it. To start it under a supervisor:

      children = [{Wasgo.Gen.Viewers, name: MyWorld.Viewers}]
  """

  use GenServer

  alias Wasgo.Gen.Tiling
  alias Wasgo.{LimitError, PlanError}

  @most_viewers 256
  @most_radius 65_536

  @schema [
    name: [type: {:or, [:atom, :server]}, default: nil],
    max_viewers: [type: {:range, 1..4096}, default: @most_viewers]
  ]

  @put_options [
    radius: [type: :any, default: 512.0],
    level: [type: :any, default: 0],
    owner: [type: {:or, [:pid, {:in, [nil]}]}, default: nil]
  ]

  @coarsest 12

  @typedoc """
  `position` and `radius` in metres; `level` is the finest level that is made for it.
  """
  @type viewer :: %{
          id: term(),
          position: {float(), float(), float()},
          radius: float(),
          level: non_neg_integer()
        }

  @typedoc "In metres: `{x, y, z}`, or `{x, z}` for one at height 0."
  @type position :: {number(), number(), number()} | {number(), number()}

  @doc """
  Starts a process that holds viewers.

    * `:name` - what it is registered as
    * `:max_viewers` - #{@most_viewers} unless given

  ## Examples

      iex> {:ok, viewers} = Wasgo.Gen.Viewers.start_link(max_viewers: 1)
      iex> :ok = Wasgo.Gen.Viewers.put(viewers, "ada", {10.0, 20.0})
      iex> {:error, error} = Wasgo.Gen.Viewers.put(viewers, "grace", {0.0, 0.0})
      iex> Exception.message(error)
      ~s|viewer "grace" is one too many: 1 are there, allowed: 1|
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options \\ []) do
    options = Wasgo.Options.validate!(options, @schema, "Wasgo.Gen.Viewers.start_link/1")
    name = if options.name, do: [name: options.name], else: []
    GenServer.start_link(__MODULE__, options, name)
  end

  @doc """
  A specification for a supervisor; `start_link/1` has the options.

      iex> {:ok, _supervisor} = Supervisor.start_link([{Wasgo.Gen.Viewers, name: Harbour.Viewers}], strategy: :one_for_one)
      iex> Wasgo.Gen.Viewers.put(Harbour.Viewers, "ada", {10.0, 20.0})
      :ok
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    %{id: options[:name] || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end

  @doc """
  Puts a viewer at a position in metres, or moves it there.

    * `:radius` - how far it wants the world to be there, in metres, up to #{@most_radius}; 512 unless given
    * `:level` - the finest level of detail that it is given, 0 unless given: 3 for a map or a far camera, which then does with chunks
      eight times as wide
    * `:owner` - a process with which the viewer leaves, none unless given

  Options are those of the viewer from now on: what isn't given is as stated above again.

  A position outside of the world (1,048,576 metres from the origin), and a radius or a level that is none, is a `Wasgo.PlanError` that names the viewer;
  one viewer too many is a `Wasgo.LimitError`. Nothing is changed then.

      iex> {:ok, viewers} = Wasgo.Gen.Viewers.start_link()
      iex> {:error, error} = Wasgo.Gen.Viewers.put(viewers, "ada", {0, 0}, radius: 1.0e308)
      iex> Exception.message(error)
      ~s(viewer "ada": radius is 1.0e308, allowed: above 0, at most 65536 metres)
  """
  @spec put(GenServer.server(), term(), position(), keyword()) ::
          :ok | {:error, PlanError.t() | LimitError.t()}
  def put(viewers, id, position, options \\ []) do
    options = Wasgo.Options.validate!(options, @put_options, "Wasgo.Gen.Viewers.put/4")

    with {:ok, position} <- position(id, position),
         {:ok, radius} <- radius(id, options.radius),
         :ok <- level(id, options.level) do
      viewer = %{id: id, position: position, radius: radius, level: options.level}
      GenServer.call(viewers, {:put, viewer, options.owner})
    end
  end

  @doc """
  The viewer leaves. One that is not there is no error.

      iex> {:ok, viewers} = Wasgo.Gen.Viewers.start_link()
      iex> :ok = Wasgo.Gen.Viewers.put(viewers, "ada", {10.0, 0.0, 20.0}, radius: 96.0)
      iex> Wasgo.Gen.Viewers.delete(viewers, "ada")
      :ok
  """
  @spec delete(GenServer.server(), term()) :: :ok
  def delete(viewers, id), do: GenServer.call(viewers, {:delete, id})

  @doc """
  The viewers that are there, in the order in which they came.

      iex> {:ok, viewers} = Wasgo.Gen.Viewers.start_link()
      iex> :ok = Wasgo.Gen.Viewers.put(viewers, 1, {3, 4}, radius: 100)
      iex> Wasgo.Gen.Viewers.list(viewers)
      [%{id: 1, position: {3.0, 0.0, 4.0}, radius: 100.0, level: 0}]
  """
  @spec list(GenServer.server()) :: [viewer()]
  def list(viewers), do: GenServer.call(viewers, :list)

  # A process that follows gets one message when something has changed, `{Wasgo.Gen.Viewers, ref, :changed}`, and no other before it has asked for
  # what there is now: however slow it is, and however much they move, one message is all that waits for it.

  @doc false
  @spec follow(GenServer.server()) :: {:ok, reference(), [viewer()]} | {:error, term()}
  def follow(viewers) do
    case GenServer.whereis(viewers) do
      nil ->
        {:error, :noproc}

      server ->
        ref = Process.monitor(server)

        try do
          {:ok, ref, GenServer.call(server, {:follow, self(), ref})}
        catch
          :exit, {reason, _call} ->
            Process.demonitor(ref, [:flush])
            {:error, reason}
        end
    end
  end

  @doc false
  # What there is now; `:gone` when the process is, whose `:DOWN` message with the reference says why.
  @spec now(GenServer.server(), reference()) :: {:ok, [viewer()]} | :gone
  def now(viewers, ref) do
    {:ok, GenServer.call(viewers, {:now, ref})}
  catch
    :exit, _reason -> :gone
  end

  @doc false
  @spec unfollow(GenServer.server(), reference()) :: :ok
  def unfollow(viewers, ref) do
    Process.demonitor(ref, [:flush])

    try do
      GenServer.call(viewers, {:unfollow, ref})
    catch
      :exit, _reason -> :ok
    end

    receive do
      {__MODULE__, ^ref, :changed} -> :ok
    after
      0 -> :ok
    end
  end

  @impl true
  def init(options) do
    Wasgo.Label.put({__MODULE__, Wasgo.Label.name(options.name)})

    # Viewers by id with the number of their coming, followers by their reference, owners by monitor.
    {:ok, %{most: options.max_viewers, number: 0, viewers: %{}, owners: %{}, followers: %{}}}
  end

  @impl true
  def handle_call({:put, %{id: id} = viewer, owner}, _from, state) do
    case state.viewers do
      %{^id => {number, before, monitor, ^owner}} ->
        state = put_in(state.viewers[id], {number, viewer, monitor, owner})
        {:reply, :ok, if(viewer == before, do: state, else: changed(state))}

      %{^id => {number, _before, monitor, _another}} ->
        {:reply, :ok, state |> release(monitor) |> insert(number, viewer, owner) |> changed()}

      there when map_size(there) >= state.most ->
        message =
          "viewer #{words(id)} is one too many: #{map_size(there)} are there, allowed: #{state.most}"

        error = %LimitError{
          reason: :viewers,
          message: message,
          value: state.most,
          asked: state.most + 1
        }

        {:reply, {:error, error}, state}

      _not_there ->
        state = %{state | number: state.number + 1}
        {:reply, :ok, state |> insert(state.number, viewer, owner) |> changed()}
    end
  end

  def handle_call({:delete, id}, _from, state) do
    case state.viewers do
      %{^id => {_number, _viewer, monitor, _owner}} ->
        {:reply, :ok, state |> release(monitor) |> remove(id) |> changed()}

      _not_there ->
        {:reply, :ok, state}
    end
  end

  def handle_call(:list, _from, state), do: {:reply, there(state), state}

  def handle_call({:follow, pid, ref}, _from, state) do
    follower = %{pid: pid, monitor: Process.monitor(pid), told?: false}
    {:reply, there(state), put_in(state.followers[ref], follower)}
  end

  def handle_call({:now, ref}, _from, state) do
    {:reply, there(state), put_in(state.followers[ref].told?, false)}
  end

  def handle_call({:unfollow, ref}, _from, state) do
    {follower, followers} = Map.pop(state.followers, ref)
    if follower, do: Process.demonitor(follower.monitor, [:flush])
    {:reply, :ok, %{state | followers: followers}}
  end

  @impl true
  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    case Map.pop(state.owners, monitor) do
      {nil, _owners} ->
        followers = Map.reject(state.followers, fn {_ref, each} -> each.monitor == monitor end)
        {:noreply, %{state | followers: followers}}

      {id, owners} ->
        {:noreply, %{state | owners: owners} |> remove(id) |> changed()}
    end
  end

  def handle_info(_other, state), do: {:noreply, state}

  defp there(state) do
    state.viewers
    |> Map.values()
    |> Enum.sort_by(&elem(&1, 0))
    |> Enum.map(&elem(&1, 1))
  end

  defp insert(state, number, viewer, nil),
    do: put_in(state.viewers[viewer.id], {number, viewer, nil, nil})

  defp insert(state, number, viewer, owner) do
    monitor = Process.monitor(owner)
    state = put_in(state.viewers[viewer.id], {number, viewer, monitor, owner})
    put_in(state.owners[monitor], viewer.id)
  end

  defp remove(state, id), do: %{state | viewers: Map.delete(state.viewers, id)}

  defp release(state, nil), do: state

  defp release(state, monitor) do
    Process.demonitor(monitor, [:flush])
    %{state | owners: Map.delete(state.owners, monitor)}
  end

  defp changed(state) do
    followers =
      Map.new(state.followers, fn {ref, follower} ->
        unless follower.told?, do: send(follower.pid, {__MODULE__, ref, :changed})
        {ref, %{follower | told?: true}}
      end)

    %{state | followers: followers}
  end

  defp position(id, {x, z}), do: position(id, {x, 0.0, z})

  defp position(id, {x, y, z} = position)
       when is_number(x) and is_number(y) and is_number(z) do
    world = Tiling.world()

    case Enum.find([x: x, y: y, z: z], fn {_axis, value} -> abs(value) > world end) do
      nil ->
        {:ok, {x / 1, y / 1, z / 1}}

      {axis, value} ->
        wrong(
          id,
          "position",
          "#{axis} is #{number(value)}, allowed: #{-trunc(world)} to #{trunc(world)} metres, in #{shown(position)}"
        )
    end
  end

  defp position(id, other),
    do:
      wrong(id, "position", "position is #{words(other)}, allowed: {x, y, z} or {x, z} in metres")

  defp radius(_id, radius) when is_number(radius) and radius > 0 and radius <= @most_radius,
    do: {:ok, radius / 1}

  defp radius(id, radius) do
    wrong(
      id,
      "radius",
      "radius is #{number(radius)}, allowed: above 0, at most #{@most_radius} metres"
    )
  end

  defp level(_id, level) when level in 0..@coarsest, do: :ok

  defp level(id, level),
    do: wrong(id, "level", "level is #{number(level)}, allowed: 0 to #{@coarsest}")

  defp wrong(id, field, words) do
    message = "viewer #{words(id)}: #{words}"
    {:error, %PlanError{reason: :out_of_range, field: field, message: message}}
  end

  # An integer may have thousands of digits.
  defp number(integer) when is_integer(integer) and abs(integer) > 0xFFFF_FFFF_FFFF_FFFF do
    bits = integer |> abs() |> Integer.digits(2) |> length()
    "an integer of #{bits} bits"
  end

  defp number(other), do: words(other)

  defp shown({x, y, z}), do: "{#{number(x)}, #{number(y)}, #{number(z)}}"

  defp words(term), do: inspect(term, limit: 5, printable_limit: 60)
end
