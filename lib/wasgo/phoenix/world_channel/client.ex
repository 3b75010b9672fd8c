defmodule Wasgo.Phoenix.WorldChannel.Client do
  @moduledoc false
  # A web client of a world, as its channel has it: what it lacks, what it may still be sent, what it asked for. Each function gives the pushes that follow, oldest first; nothing is
  # sent here, so that all of it can be looked at without Phoenix.

  alias Wasgo.Phoenix.Terms
  alias Wasgo.Phoenix.WorldChannel.{Batches, Chunks, Credit, Follower, Rows}
  alias Wasgo.World
  alias Wasgo.World.State
  alias Wasgo.World.Transient.Cursor

  # In one tick, so that other messages come between.
  @most_states 8
  @most_rows 4
  # Broadcasts that wait, and scripts of which there is news.
  @most_events 32
  @most_scripts 256
  # How often it is told how far zones are behind, in ms.
  @zones_pause 1_000

  @enforce_keys [:world, :options, :identity, :tables, :follower, :chunks, :credit]
  defstruct [
    :world,
    :options,
    :identity,
    :tables,
    :follower,
    :chunks,
    :credit,
    zones: [],
    zones_told: 0,
    scripts: %{},
    events: :queue.new(),
    waiting: 0,
    dropped: 0,
    replan?: false,
    edited: []
  ]

  @type t :: %__MODULE__{}
  @type push :: {event :: String.t(), map() | {:binary, binary()}}

  @spec new(String.t(), map(), map(), map()) :: t()
  def new(world, options, followed, params) do
    same? = params.identity == followed.identity
    tables = followed.tables

    credit =
      Credit.new(
        options.max_unacknowledged,
        options.max_unacknowledged_bytes,
        options.ack_timeout
      )

    client = %__MODULE__{
      world: world,
      options: options,
      identity: followed.identity,
      tables: tables,
      follower: Follower.new(tables, if(same?, do: params.rev, else: 0)),
      chunks: Chunks.new(tables, options.max_loading, if(same?, do: params.held, else: %{})),
      credit: credit,
      zones: Terms.zones(tables)
    }

    if params.view, do: look(client, params.view), else: client
  end

  @doc false
  # What a join is answered.
  @spec hello(t(), [map()]) :: map()
  def hello(client, scripts) do
    %{options: options} = client

    %{
      world: client.world,
      identity: client.identity,
      rev: client.follower.rev,
      reset: client.follower.rev == 0,
      hz: options.hz,
      plan: Terms.plan(State.plan(client.tables)),
      zones: client.zones,
      scripts: Enum.map(scripts, &Terms.script/1),
      limits: %{
        unacknowledged: options.max_unacknowledged,
        unacknowledged_bytes: options.max_unacknowledged_bytes,
        ack_timeout: options.ack_timeout,
        loading: options.max_loading,
        radius: options.max_radius / 1,
        calls: options.max_calls,
        messages: options.max_messages
      }
    }
  end

  ## What the client says

  @spec look(t(), {tuple(), float()}) :: t()
  def look(client, {position, radius}) do
    radius = min(radius, client.options.max_radius / 1)
    %{client | chunks: Chunks.look(client.chunks, position, radius)}
  end

  @spec loaded(t(), {[tuple()], [tuple()]}) :: t()
  def loaded(client, {loaded, failed}) do
    chunks = client.chunks |> Chunks.loaded(loaded, :sent) |> Chunks.loaded(failed, :failed)
    %{client | chunks: chunks}
  end

  @spec ack(t(), term(), integer()) :: {:ok, t()} | :error
  def ack(client, seq, now) do
    with {:ok, credit} <- Credit.ack(client.credit, seq, now),
         do: {:ok, %{client | credit: credit}}
  end

  @spec late?(t(), integer()) :: boolean()
  def late?(client, now), do: Credit.late?(client.credit, now)

  ## What others say

  @doc false
  # Of each script the newest counts.
  @spec script(t(), World.Scripts.status()) :: t()
  def script(client, status) do
    if is_map_key(client.scripts, status.script) or map_size(client.scripts) < @most_scripts,
      do: %{client | scripts: Map.put(client.scripts, status.script, status)},
      else: client
  end

  @doc false
  # Of broadcasts the newest so many wait.
  @spec event(t(), map()) :: t()
  def event(%{waiting: @most_events} = client, event) do
    events = :queue.in(event, :queue.drop(client.events))
    %{client | events: events, dropped: client.dropped + 1}
  end

  def event(client, event),
    do: %{client | events: :queue.in(event, client.events), waiting: client.waiting + 1}

  ## What the client is sent

  @doc false
  # All that is due and that there is credit for.
  @spec tick(t(), integer()) :: {[push()], t()}
  def tick(client, now) do
    {pushes, client} =
      {[], client}
      |> zones(now)
      |> scripts(now)
      |> states(now, @most_states)
      |> plan(now)
      |> chunks(now)
      |> rows(now)
      |> events(now)

    {Enum.reverse(pushes), client}
  end

  defp put({pushes, client}, event, payload, now) do
    payload = Map.put(payload, :seq, Credit.next(client.credit))
    # What the encoded text is about.
    credit = Credit.sent(client.credit, :erlang.external_size(payload), now)
    {[{event, payload} | pushes], %{client | credit: credit}}
  end

  defp room?(client), do: Credit.room?(client.credit)

  defp zones({_pushes, client} = done, now) do
    zones = Terms.zones(client.tables)
    names = fn zones -> Enum.map(zones, &{&1.name, &1.since}) end
    due? = zones != client.zones and now - client.zones_told >= @zones_pause

    if (due? or names.(zones) != names.(client.zones)) and room?(client) do
      {pushes, client} = put(done, "zones", %{zones: zones}, now)
      {pushes, %{client | zones: zones, zones_told: now}}
    else
      done
    end
  end

  defp scripts({_pushes, %{scripts: scripts}} = done, _now) when scripts == %{}, do: done

  defp scripts({_pushes, client} = done, now) do
    Enum.reduce(client.scripts, done, fn {name, status}, {_pushes, client} = done ->
      if room?(client) do
        event = if status.state == :failed, do: "script_error", else: "script"
        {pushes, client} = put(done, event, Terms.script(status), now)
        {pushes, %{client | scripts: Map.delete(client.scripts, name)}}
      else
        done
      end
    end)
  end

  defp states(done, _now, 0), do: done

  defp states({pushes, client} = done, now, left) do
    if Follower.behind?(client.follower) and room?(client) do
      {payload, notes, follower} = Follower.state(client.follower)
      done = {pushes, note(%{client | follower: follower}, notes)}
      done = if payload, do: put(done, "state", payload, now), else: done
      states(done, now, left - 1)
    else
      done
    end
  end

  defp note(client, notes) do
    edits = for {:chunk, address} <- notes, do: address
    %{client | replan?: client.replan? or :plan in notes, edited: edits ++ client.edited}
  end

  # A client that has just joined was told of the plan then.
  defp plan({_pushes, %{replan?: true} = client} = done, now) do
    cond do
      not changed_plan?(client) ->
        {elem(done, 0), %{client | replan?: false}}

      room?(client) ->
        {pushes, client} = put(done, "plan", %{plan: Terms.plan(State.plan(client.tables))}, now)
        {pushes, %{client | replan?: false, edited: [], chunks: Chunks.replan(client.chunks)}}

      true ->
        done
    end
  end

  defp plan(done, _now), do: done

  defp changed_plan?(%{chunks: %{plan: plan}, tables: tables}) do
    now = State.plan(tables)
    (plan && plan.digest) != (now && now.digest)
  end

  defp chunks({pushes, client}, now) do
    client =
      if client.edited == [],
        do: client,
        else: %{client | chunks: Chunks.edited(client.chunks, client.edited), edited: []}

    if room?(client) do
      case Chunks.next(client.chunks) do
        {[], [], chunks} ->
          {pushes, %{client | chunks: chunks}}

        {named, gone, chunks} ->
          put({pushes, %{client | chunks: chunks}}, "chunks", %{put: named, gone: gone}, now)
      end
    else
      {pushes, client}
    end
  end

  defp rows(done, now), do: rows(done, now, @most_rows, true)

  # After one pass over what changed the rest is for the next tick: else clients would never be at the same number.
  defp rows(done, _now, 0, _make?), do: done

  defp rows({pushes, client} = done, now, left, make?) do
    with true <- room?(client), {encoded, follower} <- Batches.next(client.follower, make?) do
      client = %{client | follower: follower}
      make? = make? and not Cursor.whole?(follower.values)

      if encoded,
        do: {pushes, client} |> put_rows(encoded, now) |> rows(now, left - 1, make?),
        else: rows({pushes, client}, now, left - 1, make?)
    else
      _no_room_or_none -> done
    end
  end

  defp put_rows({pushes, client}, encoded, now) do
    payload = Rows.payload(Credit.next(client.credit), encoded)
    credit = Credit.sent(client.credit, byte_size(payload), now)
    {[{"rows", {:binary, payload}} | pushes], %{client | credit: credit}}
  end

  defp events({pushes, client} = done, now) do
    with true <- room?(client), {{:value, event}, events} <- :queue.out(client.events) do
      dropped = if client.dropped > 0, do: %{dropped: client.dropped}, else: %{}
      client = %{client | events: events, waiting: client.waiting - 1, dropped: 0}
      {pushes, client} |> put("event", Map.merge(event, dropped), now) |> events(now)
    else
      _none -> done
    end
  end
end
