defmodule Wasgo.Phoenix.WorldChannel.Chunks do
  @moduledoc false
  # Which chunks a client sees, and which are named to it next: the nearest first, and no more at once than it has not loaded yet. Nothing is made here; whoever fetches a chunk has it made.
  # A value; it reads the world's tables.

  alias Wasgo.Gen.{Tiling, View, Work}
  alias Wasgo.Phoenix.Content
  alias Wasgo.World.State

  @most_looks 128
  @most_chunks 16_384

  @enforce_keys [:tables, :most]
  defstruct [
    :tables,
    :most,
    :plan,
    :view,
    :viewer,
    # What the client shows, `%{address => hash}`, and what was named to it and not loaded yet.
    held: %{},
    named: %{},
    gone: []
  ]

  @type t :: %__MODULE__{}

  @spec new(State.t(), pos_integer(), %{tuple() => String.t()}) :: t()
  def new(tables, most, held), do: replan(%__MODULE__{tables: tables, most: most, held: held})

  @doc false
  @spec replan(t()) :: t()
  def replan(chunks) do
    plan = State.plan(chunks.tables)
    chunks = forget_named(%{chunks | view: nil}, Map.keys(chunks.named))

    case plan && Tiling.new(plan, max_chunks: @most_chunks) do
      {:ok, tiling} ->
        view = tiling |> View.new() |> View.hold(Map.keys(chunks.held))
        look(%{chunks | plan: plan, view: view})

      _none ->
        %{chunks | plan: nil, view: nil}
    end
  end

  @doc false
  # Where the client looks from. It is shown nothing where it would see too much.
  @spec look(t(), {float(), float(), float()}, float()) :: t()
  def look(chunks, {x, y, z}, radius) do
    world = Tiling.world()
    inside = fn at -> at |> max(-world) |> min(world) end
    position = {inside.(x), inside.(y), inside.(z)}
    look(%{chunks | viewer: %{id: 0, position: position, radius: radius, level: 0}})
  end

  defp look(%{view: view, viewer: viewer} = chunks) when view == nil or viewer == nil, do: chunks

  defp look(%{viewer: viewer} = chunks) do
    {_errors, view} = View.look(chunks.view, [viewer])
    heed(%{chunks | view: view})
  end

  # What is not wanted any more, or not like this.
  defp heed(%{view: view} = chunks) do
    unwanted =
      for {address, {neighbours, _hash}} <- chunks.named,
          not View.begun?(view, address, neighbours),
          do: address

    forget_named(chunks, unwanted)
  end

  # The client may have it by now: unless it shows another one there, it is told to let it go.
  defp forget_named(chunks, addresses) do
    gone =
      for address <- addresses,
          not is_map_key(chunks.held, address),
          chunks.view == nil or not is_map_key(chunks.view.wanted, address),
          do: address

    %{chunks | named: Map.drop(chunks.named, addresses), gone: gone ++ chunks.gone}
  end

  @doc false
  # What is in the place of generated chunks has changed.
  @spec edited(t(), [tuple()]) :: t()
  def edited(%{view: nil} = chunks, _addresses), do: chunks

  def edited(chunks, addresses) do
    case Enum.filter(addresses, &is_map_key(chunks.view.wanted, &1)) do
      [] -> chunks
      seen -> heed(%{chunks | view: View.again(chunks.view, seen)})
    end
  end

  @doc false
  # The client shows these, or can't.
  @spec loaded(t(), [tuple()], :sent | :failed) :: t()
  def loaded(chunks, addresses, what) do
    Enum.reduce(addresses, chunks, fn address, chunks ->
      case Map.pop(chunks.named, address) do
        {nil, _named} ->
          chunks

        {{_neighbours, hash}, named} ->
          view = View.done(chunks.view, address, what)
          held = if what == :sent, do: Map.put(chunks.held, address, hash), else: chunks.held
          %{chunks | view: view, named: named, held: held}
      end
    end)
  end

  @doc false
  # What is to be told now: chunks to load, and those to let go.
  @spec next(t()) :: {[map()], [String.t()], t()}
  def next(%{view: nil} = chunks), do: let_go([], chunks)

  def next(chunks) do
    {named, chunks} = name(chunks, [], @most_looks)
    let_go(named, gone(chunks))
  end

  defp let_go(named, chunks) do
    # One that is named again stays.
    gone =
      for address <- Enum.uniq(chunks.gone), not is_map_key(chunks.named, address), do: address

    {Enum.reverse(named), Enum.map(gone, &Content.key/1), %{chunks | gone: []}}
  end

  defp name(chunks, named, 0), do: {named, chunks}

  defp name(chunks, named, left) do
    with true <- map_size(chunks.named) < chunks.most,
         {address, neighbours, view} <- View.next(chunks.view) do
      work = Work.new(chunks.plan, address, neighbours)
      {chunk, chunks} = one(%{chunks | view: view}, work)
      name(chunks, List.wrap(chunk) ++ named, left - 1)
    else
      _full_or_none -> {named, chunks}
    end
  end

  defp one(chunks, %{address: address} = work) do
    case Content.chunk_hash(chunks.tables, work) do
      {:ok, hash, _edit} ->
        if chunks.held[address] == hash do
          {nil, %{chunks | view: View.done(chunks.view, address, :sent)}}
        else
          named = Map.put(chunks.named, address, {work.neighbours, hash})
          {shown(chunks, work, hash), %{chunks | named: named}}
        end

      {:error, _error} ->
        {nil, %{chunks | view: View.done(chunks.view, address, :failed)}}
    end
  end

  defp shown(chunks, %{address: address} = work, hash) do
    level = Tiling.level(address)
    size = chunks.view.tiling.size * Bitwise.bsl(1, level)

    origin =
      case address do
        {x, z, _level} -> [x * size, 0.0, z * size]
        {x, y, z, _level} -> [x * size, y * size, z * size]
      end

    %{
      key: Content.key(address),
      level: level,
      hash: hash,
      origin: origin,
      size: size,
      path: Content.chunk_path(work, hash)
    }
  end

  defp gone(chunks) do
    case View.gone(chunks.view) do
      {address, view} ->
        case Map.pop(chunks.held, address) do
          {nil, _held} -> gone(%{chunks | view: view})
          {_hash, held} -> gone(%{chunks | view: view, held: held, gone: [address | chunks.gone]})
        end

      :none ->
        chunks
    end
  end
end
