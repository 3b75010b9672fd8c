defmodule Wasgo.World.Zone.Chunks do
  @moduledoc false
  # Which chunks the viewers of a zone want, which of them the engine has, and what is made and sent next. What the engine holds, or has kept, is known by its hash and
  # not made; the rest is made as far as there is room for it, the nearest first.
  #
  # A value, but for the jobs that it begins in the calling process. It sends nothing itself: `next/1` says what is to be sent.

  alias Wasgo.Gen.{Tiling, View, Work}
  alias Wasgo.Godot.Frame
  alias Wasgo.World.{Needs, State}
  alias Wasgo.World.Zone.{Have, Making, Meshes}

  require Logger

  # So many tiles are looked at in one go, and so many frame keys have one frame.
  @most_looks 128
  @most_keys 1_024
  @most_viewers 256
  @most_radius 65_536.0
  # Failures of which the log has the reason: a plan whose script fails has many.
  @most_logged 8

  @enforce_keys [:about]
  defstruct [
    :about,
    :plan,
    :view,
    # What the engine holds: `%{address => hash}`.
    held: %{},
    have: %Have{},
    # `nil` before the engine has said who looks.
    viewers: nil,
    # What is made: `%{job => address}`; and jobs of which nothing is wanted any more.
    jobs: %{},
    dropped: MapSet.new(),
    # What is made and waits to be sent.
    ready: [],
    cached: [],
    unloads: [],
    refused: 0,
    failed: 0
  ]

  @type t :: %__MODULE__{}

  @typedoc """
  What is to be sent: a chunk, which needs meshes; contents that the engine has; chunks that go. `from` is where the meshes can be had from again.
  """
  @type item ::
          {:chunk, tuple(), binary(), map(), [Meshes.mesh()]}
          | {:cached, [{tuple(), binary(), [Meshes.mesh()]}]}
          | {:unload, [tuple()]}

  @doc false
  # `about` has the world's tables, journal and `needs`, the cache, and the bounds.
  @spec new(map(), [String.t()], binary(), Have.t()) :: t()
  def new(about, keys, hashes, have) do
    held =
      for {key, hash} <- Enum.zip(keys, Meshes.split(hashes)),
          {:ok, address} <- [address(key)],
          into: %{},
          do: {address, hash}

    have = Enum.reduce(Map.values(held), have, &Have.sent(&2, &1))
    replan(%__MODULE__{about: about, held: held, have: have})
  end

  @doc false
  # The address of a key that an engine names.
  @spec address(String.t()) :: {:ok, Tiling.address()} | :error
  def address(key) when byte_size(key) <= 48 do
    with [_x, _z | _] = parts when length(parts) <= 4 <- String.split(key, ","),
         parsed = Enum.map(parts, &Integer.parse/1),
         true <- Enum.all?(parsed, &match?({_number, ""}, &1)),
         {:ok, address} <- parsed |> Enum.map(&elem(&1, 0)) |> bounded(),
         # Written as it is written here, since the engine knows it by its text.
         ^key <- Frame.key(address) do
      {:ok, address}
    else
      _no_key -> :error
    end
  end

  def address(_long), do: :error

  defp bounded([x, z]), do: bounded([x, z, 0])

  defp bounded([x, z, level])
       when abs(x) <= 0x7FFF_FFFF and abs(z) <= 0x7FFF_FFFF and level in 0..255,
       do: {:ok, {x, z, level}}

  defp bounded([x, y, z, level]) when abs(y) <= 0x7FFF_FFFF do
    with {:ok, {x, z, level}} <- bounded([x, z, level]), do: {:ok, {x, y, z, level}}
  end

  defp bounded(_outside), do: :error

  @doc false
  # The world has another plan, or has got one.
  @spec replan(t()) :: t()
  def replan(chunks) do
    plan = State.plan(chunks.about.tables)

    case plan && Tiling.new(plan, max_chunks: chunks.about.most_chunks, volume: true) do
      {:ok, tiling} ->
        view = tiling |> View.new() |> View.hold(Map.keys(chunks.held))
        chunks = drop_all(%{chunks | plan: plan, view: view})
        if chunks.viewers, do: look(chunks, chunks.viewers), else: chunks

      _none ->
        drop_all(%{chunks | plan: nil, view: nil})
    end
  end

  defp drop_all(chunks) do
    %{
      chunks
      | jobs: %{},
        dropped: MapSet.union(chunks.dropped, MapSet.new(Map.keys(chunks.jobs))),
        ready: [],
        cached: [],
        unloads: []
    }
  end

  @doc false
  # Who looks, from where, as the engine says.
  @spec viewers(t(), [{integer(), {float(), float(), float()}, float()}]) :: t()
  def viewers(chunks, viewers) do
    world = Tiling.world()
    inside = fn at -> at |> max(-world) |> min(world) end

    viewers =
      for {id, {x, y, z}, radius} <- Enum.take(viewers, @most_viewers), radius > 0 do
        %{
          id: id,
          position: {inside.(x), inside.(y), inside.(z)},
          radius: min(radius, @most_radius),
          level: 0
        }
      end

    look(%{chunks | viewers: viewers}, viewers)
  end

  defp look(%{view: nil} = chunks, _viewers), do: chunks

  defp look(chunks, viewers) do
    {errors, view} = View.look(chunks.view, viewers)
    heed(%{chunks | view: view, refused: chunks.refused + length(errors)})
  end

  # What is not wanted any more, or not like this.
  defp heed(%{view: view} = chunks) do
    {jobs, dropped} =
      Enum.split_with(chunks.jobs, fn {_job, {work, _hash}} ->
        View.begun?(view, work.address, work.neighbours)
      end)

    wanted? = fn {work, _hash, _fields, _meshes} ->
      View.begun?(view, work.address, work.neighbours)
    end

    # One that was to go and is wanted after all is looked at anew, as the engine still holds it.
    unloads = Enum.reject(chunks.unloads, &is_map_key(view.wanted, &1))

    %{
      chunks
      | jobs: Map.new(jobs),
        dropped: MapSet.union(chunks.dropped, MapSet.new(dropped, &elem(&1, 0))),
        ready: chunks.ready |> Enum.filter(wanted?) |> nearest(view),
        cached: Enum.filter(chunks.cached, wanted?),
        unloads: unloads
    }
  end

  @doc false
  # What is in the place of generated chunks has changed.
  @spec edited(t(), [Tiling.address()]) :: t()
  def edited(%{view: nil} = chunks, _addresses), do: chunks

  def edited(chunks, addresses) do
    case Enum.filter(addresses, &is_map_key(chunks.view.wanted, &1)) do
      [] -> chunks
      seen -> heed(%{chunks | view: View.again(chunks.view, seen)})
    end
  end

  @doc false
  # The engine does not have what it was told that it has.
  @spec wanted(t(), [String.t()]) :: t()
  def wanted(chunks, keys) do
    addresses =
      for key <- keys,
          {:ok, address} <- [address(key)],
          is_map_key(chunks.held, address),
          do: address

    hashes = chunks.held |> Map.take(addresses) |> Map.values()

    chunks = %{
      chunks
      | held: Map.drop(chunks.held, addresses),
        have: Enum.reduce(hashes, chunks.have, &Have.lost(&2, &1))
    }

    if chunks.view,
      do: heed(%{chunks | view: View.again(chunks.view, addresses)}),
      else: chunks
  end

  ## What is made

  @doc false
  # Looks at what is wanted, and begins what there is room for; `known` are the meshes that the engine holds. `:more` when it has not looked at all of it.
  @spec fill(t(), Meshes.t()) :: {:done | :more, t()}
  def fill(%{view: nil} = chunks, _meshes), do: {:done, chunks}
  def fill(chunks, meshes), do: chunks |> gone() |> fill(meshes, @most_looks)

  defp fill(chunks, _meshes, 0), do: {:more, chunks}

  defp fill(chunks, meshes, left) do
    with true <- room?(chunks),
         {address, neighbours, view} <- View.next(chunks.view) do
      work = Work.new(chunks.plan, address, neighbours)
      %{chunks | view: view} |> take(work, meshes) |> fill(meshes, left - 1)
    else
      _full_or_none -> {:done, chunks}
    end
  end

  defp room?(chunks) do
    map_size(chunks.jobs) + MapSet.size(chunks.dropped) + length(chunks.ready) < chunks.about.most and
      length(chunks.cached) < @most_keys
  end

  defp take(chunks, work, meshes) do
    edit = edit(chunks, work.address)

    case Making.chunk_hash(work, edit, size(chunks, work)) do
      {:ok, hash} -> take(chunks, work, edit, hash, meshes)
      {:error, error} -> failed(chunks, work.address, error)
    end
  end

  defp take(chunks, work, edit, hash, meshes) do
    known = known_needs(chunks, edit, hash)
    have? = Have.member?(chunks.have, hash)

    cond do
      Map.get(chunks.held, work.address) == hash ->
        sent(chunks, work.address, hash)

      nothing?(chunks, work.address, known) ->
        nothing(chunks, work.address)

      have? and known != nil and within_reach?(elem(known, 0), meshes) ->
        needs = for {name, of} <- elem(known, 0), do: {name, of, nil}
        %{chunks | cached: [{work, hash, nil, needs} | chunks.cached]}

      # The store may know.
      known == nil and (have? or work.kind == :volume) ->
        begin(chunks, work, hash, remembered(chunks, work, hash, meshes))

      true ->
        begin(chunks, work, hash, make(chunks, work, edit, hash, meshes))
    end
  end

  defp begin(chunks, work, hash, job),
    do: %{chunks | jobs: Map.put(chunks.jobs, Making.start(job), {work, hash})}

  # There is nothing to be seen, and nothing that would have to go.
  defp nothing?(chunks, address, known),
    do: match?({_needs, :empty}, known) and not is_map_key(chunks.held, address)

  defp nothing(chunks, address),
    do: gone(%{chunks | view: View.done(chunks.view, address, :sent)})

  defp within_reach?(needs, meshes),
    do: Enum.all?(needs, fn {name, of} -> Meshes.within_reach?(meshes, name, of) end)

  defp edit(chunks, address) do
    case State.get(chunks.about.tables, {:chunk, address}) do
      {_key, _rev, _zone, _marks, hash} when is_binary(hash) -> hash
      _none -> nil
    end
  end

  # Which meshes a content shows.
  defp known_needs(_chunks, edit, hash) when edit != nil, do: {[], hash}
  defp known_needs(chunks, nil, hash), do: Needs.get(chunks.about.needs, hash)

  defp remembered(chunks, work, hash, meshes) do
    %{journal: journal} = chunks.about
    make = make(chunks, work, nil, hash, meshes)
    fn -> if entry = Needs.stored(journal, hash), do: {:known, entry}, else: make.() end
  end

  defp make(chunks, work, nil, hash, meshes) do
    %{cache: cache} = chunks.about
    known = known(chunks, meshes)
    fn -> Making.chunk(work, hash, cache, known) end
  end

  defp make(chunks, work, edit, hash, _meshes) do
    %{about: %{journal: journal}} = chunks
    size = size(chunks, work)
    fn -> Making.edited(work, hash, journal, edit, size) end
  end

  defp size(chunks, work), do: Tiling.size(chunks.view.tiling, work.address)

  # Names are the same thing within a plan: what this one sent need not be looked at again.
  defp known(chunks, meshes) do
    for {name, {:chunk, digest, _address}} <- meshes.from,
        digest == chunks.plan.digest,
        hash = meshes.held[name],
        into: %{},
        do: {name, hash}
  end

  @doc false
  # The answer of a job, or that it has ended without: `:unknown` when it is not one of these.
  @spec made(t(), Making.job(), term(), Meshes.t()) :: {:ok, t()} | :unknown
  def made(chunks, job, result, meshes) do
    case {Map.pop(chunks.jobs, job), MapSet.member?(chunks.dropped, job)} do
      {{{work, hash}, jobs}, _dropped?} ->
        {:ok, result(%{chunks | jobs: jobs}, work, hash, result, meshes)}

      {{nil, _jobs}, true} ->
        {:ok, %{chunks | dropped: MapSet.delete(chunks.dropped, job)}}

      {{nil, _jobs}, false} ->
        :unknown
    end
  end

  # What is the same as what the engine holds, by whichever plan that was made, is not sent again.
  defp result(chunks, work, hash, {:ok, fields, needed, content}, _meshes) do
    %{needs: needs} = chunks.about
    known = {for({name, of, _fields} <- needed, do: {name, of}), content}
    Needs.put(needs, hash, known)
    held = Map.get(chunks.held, work.address)

    cond do
      nothing?(chunks, work.address, known) ->
        nothing(chunks, work.address)

      held != nil and match?({_needs, ^content}, Needs.get(needs, held)) ->
        sent(chunks, work.address, held)

      true ->
        %{chunks | ready: nearest([{work, hash, fields, needed} | chunks.ready], chunks.view)}
    end
  end

  defp result(chunks, work, hash, {:known, entry}, meshes) do
    Needs.keep(chunks.about.needs, hash, entry)
    take(chunks, work, nil, hash, meshes)
  end

  defp result(chunks, work, _hash, {:error, error}, _), do: failed(chunks, work.address, error)

  # How far away it is that is wanted.
  defp nearest(ready, view) do
    Enum.sort_by(ready, fn {work, _hash, _fields, _meshes} ->
      {distance2, _neighbours, _viewers} = Map.fetch!(view.wanted, work.address)
      {distance2, work.address}
    end)
  end

  defp failed(chunks, address, error) do
    if chunks.failed < @most_logged do
      words = if is_exception(error), do: Exception.message(error), else: inspect(error, limit: 5)
      Logger.warning("Wasgo.World: chunk #{Frame.key(address)} cannot be shown: #{words}")
    end

    %{chunks | view: View.done(chunks.view, address, :failed), failed: chunks.failed + 1}
  end

  defp gone(chunks) do
    case View.gone(chunks.view) do
      {address, view} ->
        chunks = %{chunks | view: view}

        if is_map_key(chunks.held, address),
          do: gone(%{chunks | unloads: [address | chunks.unloads]}),
          else: gone(chunks)

      :none ->
        chunks
    end
  end

  ## What is sent

  @doc false
  # What is to be sent next; it stays the next until `done/2`. Chunks that are named together need no more meshes than `most_meshes`.
  @spec next(t(), pos_integer() | :infinity) :: item() | nil
  def next(chunks, most_meshes \\ :infinity)

  def next(%{unloads: [_ | _] = unloads}, _most), do: {:unload, Enum.take(unloads, @most_keys)}

  def next(%{cached: [first | rest]}, most) do
    items = [first | within(rest, needed(MapSet.new(), first), most)]
    {:cached, for({work, hash, _fields, meshes} <- items, do: {work.address, hash, meshes})}
  end

  def next(%{ready: [{work, hash, fields, meshes} | _]}, _most),
    do: {:chunk, work.address, hash, fields, meshes}

  def next(_nothing, _most), do: nil

  defp within([], _names, _most), do: []

  defp within([one | rest], names, most) do
    names = needed(names, one)
    if MapSet.size(names) > most, do: [], else: [one | within(rest, names, most)]
  end

  defp needed(names, {_work, _hash, _fields, meshes}),
    do: Enum.reduce(meshes, names, &MapSet.put(&2, elem(&1, 0)))

  @doc false
  # The item was sent.
  @spec done(t(), item()) :: t()
  def done(chunks, {:unload, addresses}) do
    %{chunks | unloads: chunks.unloads -- addresses, held: Map.drop(chunks.held, addresses)}
  end

  def done(chunks, {:cached, items}) do
    Enum.reduce(items, without(chunks, items), fn {address, hash, _meshes}, chunks ->
      sent(chunks, address, hash)
    end)
  end

  def done(chunks, {:chunk, address, hash, _fields, _meshes}),
    do:
      sent(%{chunks | ready: tl(chunks.ready), have: Have.sent(chunks.have, hash)}, address, hash)

  defp sent(chunks, address, hash) do
    view = View.done(chunks.view, address, :sent)
    gone(%{chunks | view: view, held: Map.put(chunks.held, address, hash)})
  end

  # Those that are named at once are the first.
  defp without(chunks, items), do: %{chunks | cached: Enum.drop(chunks.cached, length(items))}

  @doc false
  # The item cannot be sent.
  @spec refuse(t(), item()) :: t()
  def refuse(chunks, {:chunk, address, _hash, _fields, _meshes}),
    do: failed(%{chunks | ready: tl(chunks.ready)}, address, :too_large)

  def refuse(chunks, {:cached, items}),
    do: Enum.reduce(items, without(chunks, items), &failed(&2, elem(&1, 0), :too_large))

  def refuse(chunks, {:unload, addresses}),
    do: %{chunks | unloads: chunks.unloads -- addresses}

  @doc false
  # The item is to be made once more: the engine lost a mesh meanwhile.
  @spec again(t(), item()) :: t()
  def again(chunks, {:chunk, address, _hash, _fields, _meshes}) do
    chunks = %{chunks | ready: tl(chunks.ready)}
    %{chunks | view: View.again(chunks.view, [address])}
  end

  def again(chunks, {:cached, items}) do
    chunks = without(chunks, items)
    addresses = Enum.map(items, &elem(&1, 0))
    %{chunks | view: View.again(chunks.view, addresses)}
  end

  @doc false
  # A frame's kind and fields.
  @spec frame(item()) :: {String.t(), map()}
  def frame({:unload, addresses}), do: Frame.unload(addresses)
  def frame({:chunk, _address, _hash, fields, _meshes}), do: {"chunk", fields}

  def frame({:cached, items}) do
    keys = for {address, _hash, _meshes} <- items, do: Frame.key(address)
    hashes = for {_address, hash, _meshes} <- items, into: "", do: hash
    {"cached", cached("chunk", keys, hashes)}
  end

  @doc false
  def cached(what, keys, hashes) do
    %{"what" => what, "keys" => {:packed_string, keys}, "hashes" => {:packed_byte, hashes}}
  end

  @doc false
  # The chunk of an item that has a mesh, and among which neighbours it was made.
  @spec origin(t(), item(), String.t()) :: {:chunk, binary(), {tuple(), binary()}}
  def origin(chunks, item, name) do
    address =
      case item do
        {:chunk, address, _hash, _fields, _meshes} ->
          address

        {:cached, items} ->
          Enum.find_value(items, fn {address, _hash, meshes} ->
            Enum.any?(meshes, &(elem(&1, 0) == name)) && address
          end)
      end

    {:chunk, chunks.plan.digest, {address, Map.fetch!(chunks.view.begun, address)}}
  end

  @doc false
  # The same of meshes that chunks show which the engine holds, from before perhaps: of those of the names that are found. What it holds may be much.
  @spec origins(t(), [String.t()]) :: %{String.t() => {:chunk, binary(), {tuple(), binary()}}}
  def origins(%{view: nil}, _names), do: %{}

  def origins(chunks, names) do
    Enum.reduce_while(chunks.held, {%{}, MapSet.new(names)}, fn {address, hash}, {found, left} ->
      with neighbours when is_binary(neighbours) <- chunks.view.sent[address],
           {needs, _content} <- Needs.get(chunks.about.needs, hash),
           [_ | _] = names <- for({name, _} <- needs, MapSet.member?(left, name), do: name) do
        from = {:chunk, chunks.plan.digest, {address, neighbours}}
        left = MapSet.difference(left, MapSet.new(names))
        found = Map.merge(found, Map.new(names, &{&1, from}))
        if MapSet.size(left) == 0, do: {:halt, {found, left}}, else: {:cont, {found, left}}
      else
        _none_of_them -> {:cont, {found, left}}
      end
    end)
    |> elem(0)
  end

  @doc false
  # The meshes that an item needs.
  def meshes({:chunk, _address, _hash, _fields, meshes}), do: meshes

  def meshes({:cached, items}),
    do: items |> Enum.flat_map(&elem(&1, 2)) |> Enum.uniq_by(&elem(&1, 0))

  def meshes({:unload, _addresses}), do: []
end
