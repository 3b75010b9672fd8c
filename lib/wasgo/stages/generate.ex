defmodule Wasgo.Stages.Generate do
  @moduledoc """
  A source that generates chunks: those of a list, or those that viewers want.

    * `:plan` - a `Wasgo.Gen.Plan`; required
    * `:chunks` - an enumerable of coordinates `{x, z}` or `{x, z, level}`
    * `:viewers` - a `Wasgo.Gen.Viewers`; this or `:chunks` is required
    * `:max_in_flight` - chunks that are generated at once, 4 unless given: the native threads stay busy while the stages
      behind work, and no more than this is ever ahead of them
    * `:cache` - a `Wasgo.Gen.Cache`, which may have them already, and has each made once for all streams

  Payloads are `Wasgo.Gen.Chunk`; the metadata has `:coordinate`.

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{:ok, buffer}] = Enum.to_list(Wasgo.Pipeline.stream([{Wasgo.Stages.Generate, plan: plan, chunks: [{3, -2}]}]))
      iex> {buffer.payload.coordinate, buffer.metadata}
      {{3, -2}, %{coordinate: {3, -2}}}

  ## Viewers

  The stream brings what the viewers want and what it has not sent, the nearest to any of them first, and waits for them to move when
  everything is sent. Nothing is made ahead of demand but `:max_in_flight` chunks.

      iex> {:ok, viewers} = Wasgo.Gen.Viewers.start_link()
      iex> :ok = Wasgo.Gen.Viewers.put(viewers, "ada", {32.0, 32.0}, radius: 60.0)
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{Wasgo.Stages.Generate, plan: plan, viewers: viewers, levels: 0..0, until: :complete}]
      ...> |> Wasgo.Pipeline.stream!()
      ...> |> Enum.map(& &1.payload.coordinate)
      ...> |> Enum.sort()
      [{-1, -1}, {-1, 0}, {-1, 1}, {0, -1}, {0, 0}, {0, 1}, {1, -1}, {1, 0}, {1, 1}]

  A viewer wants the squares that its circle touches. How coarse they are goes by distance: beginning with squares of the coarsest level, each is taken
  apart into its four quarters while it is nearer to any viewer than `:detail` times its side, down to the finest level. So the squares that
  are wanted lie beside one another without gaps, those that touch differ by one level at most, and each is made to meet what is around it
  (`Wasgo.Gen.chunk/3`, `:neighbours`). Distances are along the ground, from the nearest point of a square; a viewer's position is only looked at as
  finely as a quarter of the finest square, so that small moves change nothing.

  When viewers move, what isn't begun and isn't wanted any more is dropped, and what was begun goes no further than the cache. A chunk whose
  neighbours have changed level has another content, and comes again with another `:key`. What was sent and isn't wanted any more is told as a
  `Wasgo.Gen.Gone`, as soon as all that takes its place was sent: a sink that does as it is told never shows a hole, and shows exactly what is
  wanted when the stream waits. The stream forgets what it has told, and sends it again when it is wanted again.

    * `:detail` - 1.75 to 16, 2 unless given; twice as much is some four times as many chunks
    * `:levels` - the levels that are made, such as `0..3`; all of the plan's unless given. Beyond one level the plan's chunks need an odd number of samples
    * `:until` - `:complete` to end the stream when everything is sent; unless given it ends with the process that holds the viewers
    * `:gone` - `false` to be told nothing of what is not wanted any more, `true` unless given
    * `:max_chunks` - how many chunks may be wanted; 65,536 unless given. A viewer with which it would be more is an error in the stream that names it,
      and gets nothing; those that came before it are not disturbed

  The metadata has `:coordinate`, `:level`, `:key` (the name of the content, `Wasgo.Gen.key/3`) and `:viewers`, the ids of those who want it.

  A stage behind it that works on several buffers at once (`Wasgo.Pipeline.through/3`) keeps the last of them until another one comes: with a source that waits
  let it do without, or be an element of Membrane's.

  Of a plan that has a `:density` and no `:height`, cubes of its volume are made (`Wasgo.Gen.volume/3`): what is said of squares is true of cubes in space, with
  spheres around the viewers, and payloads are `Wasgo.Gen.Volume`.
  """

  use Wasgo.Stage

  alias Wasgo.Gen.{Cache, Plan, Tiling, Work}
  alias Wasgo.Stages.Generate.Viewed

  @impl true
  def options do
    [
      plan: [type: {:struct, Plan}, required: true, doc: "a `Wasgo.Gen.Plan`"],
      chunks: [
        type: {:or, [:enumerable, {:in, [nil]}]},
        default: nil,
        doc: "an enumerable of coordinates `{x, z}` or `{x, z, level}`"
      ],
      viewers: [
        type: {:or, [:server, {:in, [nil]}]},
        default: nil,
        doc: "a `Wasgo.Gen.Viewers`, in the place of `chunks`"
      ],
      max_in_flight: [
        type: {:range, 1..256},
        default: 4,
        doc: "chunks that are generated at once"
      ],
      cache: [
        type: {:or, [:server, {:in, [nil]}]},
        default: nil,
        doc: "a `Wasgo.Gen.Cache`"
      ],
      detail: [type: :any, default: 2.0, doc: "how many sides away squares become coarser"],
      levels: [type: :any, default: nil, doc: "the levels that are made, such as `0..3`"],
      until: [
        type: {:in, [:complete, nil]},
        default: nil,
        doc: "`:complete` to end when everything that viewers want is sent"
      ],
      gone: [
        type: :boolean,
        default: true,
        doc: "whether it is told what is not wanted any more"
      ],
      max_chunks: [
        type: {:range, 1..1_048_576},
        default: 65_536,
        doc: "how many chunks viewers may want"
      ]
    ]
  end

  @impl true
  def check(%{chunks: nil, viewers: nil}), do: {:error, "needs the option :chunks or :viewers"}
  def check(%{viewers: nil}), do: :ok
  def check(%{chunks: nil} = options), do: with({:ok, _tiling} <- tiling(options), do: :ok)
  def check(_both), do: {:error, "has the options :chunks and :viewers, and takes one of them"}

  defp tiling(options) do
    with {:error, error} <-
           Tiling.new(options.plan, Map.take(options, [:detail, :levels, :max_chunks])),
         do: {:error, Exception.message(error)}
  end

  @impl true
  def handle_format(nil, %{viewed: viewed} = state) do
    case viewed.view.tiling.kind do
      :chunk -> {:ok, %Wasgo.Format.Chunks{plan: viewed.plan}, state}
      :volume -> {:ok, %Wasgo.Format.Terms{}, state}
    end
  end

  def handle_format(nil, state), do: {:ok, %Wasgo.Format.Chunks{plan: state.plan}, state}

  @impl true
  def init(%{chunks: nil} = options) do
    {:ok, tiling} = tiling(options)
    with {:ok, viewed} <- Viewed.init(options, tiling), do: {:ok, %{viewed: viewed}}
  end

  def init(options) do
    # The coordinates are taken as they are needed, so that there may be endlessly many.
    next = &Enumerable.reduce(options.chunks, &1, fn coordinate, _ -> {:suspend, coordinate} end)

    {:ok,
     %{
       plan: options.plan,
       cache: options.cache,
       next: next,
       most: options.max_in_flight,
       in_flight: :queue.new()
     }}
  end

  @impl true
  def handle_demand(_size, %{viewed: viewed}) do
    result = Viewed.demand(viewed)
    put_elem(result, 2, %{viewed: elem(result, 2)})
  end

  def handle_demand(_size, before) do
    state = fill(before)

    case :queue.out(state.in_flight) do
      {:empty, _queue} ->
        {:end_of_stream, [], state}

      # Raised only once the state without the coordinates is the stage's own: terminating must not end them again.
      {{:value, {:raised, _kind, _reason, _stack}}, _rest} when before.next != nil ->
        {:ok, [], state}

      {{:value, {:raised, kind, reason, stack}}, _rest} ->
        :erlang.raise(kind, reason, stack)

      {{:value, {:refused, exception}}, rest} ->
        {:error, exception, %{state | in_flight: rest}}

      {{:value, {work, started}}, rest} ->
        state = %{state | in_flight: rest}

        case Cache.await(started, work) do
          {:ok, made} -> {:ok, [Work.buffer(work, made, %{})], state}
          {:error, exception} -> {:error, exception, state}
        end
    end
  end

  @impl true
  def terminate(%{viewed: viewed}), do: Viewed.terminate(viewed)

  def terminate(state) do
    # What was begun answers this process in any case.
    for {%Work{} = work, started} <- :queue.to_list(state.in_flight),
        do: Cache.await(started, work)

    if state.next, do: state.next.({:halt, nil})
    :ok
  end

  defp fill(%{next: nil} = state), do: state

  defp fill(state) do
    if :queue.len(state.in_flight) >= state.most do
      state
    else
      case next(state.next) do
        {:suspended, coordinate, next} ->
          entry = start(state, coordinate)
          fill(%{state | next: next, in_flight: :queue.in(entry, state.in_flight)})

        {:raised, _kind, _reason, _stack} = raised ->
          %{state | next: nil, in_flight: :queue.in(raised, state.in_flight)}

        {done, _} when done in [:done, :halted] ->
          %{state | next: nil}
      end
    end
  end

  # Coordinates that raise do so in their place, behind what was begun before.
  defp next(next) do
    next.({:cont, nil})
  catch
    kind, reason -> {:raised, kind, reason, __STACKTRACE__}
  end

  # A chunk among others of its level.
  @alone <<0::64>>

  defp start(state, {x, z, level} = coordinate)
       when is_integer(x) and is_integer(z) and is_integer(level) do
    work = Work.new(state.plan, coordinate, @alone)
    {work, Cache.start(state.cache, work)}
  end

  defp start(state, {x, z}) when is_integer(x) and is_integer(z), do: start(state, {x, z, 0})

  defp start(_state, other) do
    message =
      "a chunk's coordinate is {x, z}, two integers, and not #{inspect(other, limit: 5, printable_limit: 60)}"

    {:refused, %Wasgo.PlanError{reason: :invalid, field: "coordinate", message: message}}
  end
end
