defmodule Wasgo.Gen.Tiling do
  @moduledoc false
  # Which squares of a world (or cubes of its volume) viewers want, and of which levels. Pure: the same viewers want the same tiles, whatever
  # was before.
  #
  # The world is a forest of quadtrees (octrees) whose roots are the squares of the coarsest level. A square is refined, that is, its four
  # (eight) children take its place, while it is nearer to any viewer than `detail` times its side, and coarser than the finest level that this
  # viewer is given. The squares that are left and touch the circle (sphere) around a viewer are wanted: they cover the circles once, without a gap.
  #
  # How fine it is at a place does not depend on the circles, but on the viewers' positions alone, so that a tile does not change when
  # another comes into sight beside it.
  #
  # Distances are between a position and the nearest point of a square. As long as `detail` is more than the diagonal of a square of side 1, the
  # levels of tiles that touch, also at a corner, differ by one at most: a tile is there because its parent is nearer than `detail` sides of it, and what
  # touches that parent is at most a diagonal farther, which is nearer than `detail` sides of twice the length.

  alias Wasgo.Gen.Plan
  alias Wasgo.{PlanError, Wire}

  @enforce_keys [:kind, :size, :first, :last, :detail, :most]
  defstruct [:kind, :size, :first, :last, :detail, :most, :beside]

  @typedoc """
  `size` is the side of a tile of level 0 in metres, `first` and `last` are the finest and the coarsest level, `most` is how many tiles may be wanted, those of `beside`
  among them: the tiling of the volume, where that of the ground has one.
  """
  @type t :: %__MODULE__{
          kind: :chunk | :volume,
          size: float(),
          first: non_neg_integer(),
          last: non_neg_integer(),
          detail: float(),
          most: pos_integer(),
          beside: t() | nil
        }

  @typedoc "`{x, z, level}` of a chunk, `{x, y, z, level}` of a cube of the volume."
  @type address :: tuple()

  @type viewer :: %{
          id: term(),
          position: {float(), float(), float()},
          radius: float(),
          level: non_neg_integer()
        }

  @typedoc "The square of the distance to the nearest viewer that wants it, the levels around it as bytes, and who wants it."
  @type tile :: {distance2 :: float(), neighbours :: binary(), viewers :: [term()]}

  # As far as the world goes, in metres, and the coarsest level of any plan.
  @world 1_048_576.0
  @coarsest 12

  @doc false
  def world, do: @world

  # The least `detail`: a little more than the diagonal of a cube.
  @least_detail 1.75
  @most_detail 16.0

  # North is towards -z; in the order of the native half.
  @around_chunk [{0, -1}, {1, -1}, {1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}]

  @schema [detail: 2.0, levels: nil, max_chunks: 65_536, volume: false]

  @doc false
  # The tiling of a plan: of its ground, or of its volume where it has no ground. `:levels` is a range of levels, all of the plan's unless given. With `:volume` that of the
  # ground has the volume's beside it, where there are both.
  @spec new(Plan.t(), map() | keyword()) :: {:ok, t()} | {:error, PlanError.t()}
  def new(%Plan{} = plan, options \\ []) do
    options = Map.merge(Map.new(@schema), Map.new(options))
    [shape | others] = shapes(plan)

    with {:ok, tiling} <- of_shape(shape, plan, options) do
      # Of which no tiling can be made is left out, and the ground is there all the same.
      case options.volume && others do
        [other] ->
          with(
            {:ok, beside} <- of_shape(other, plan, options),
            do: {:ok, %{tiling | beside: beside}},
            else: (_none -> {:ok, tiling})
          )

        _none ->
          {:ok, tiling}
      end
    end
  end

  defp of_shape({kind, size, halves}, plan, options) do
    with {:ok, detail} <- detail(options.detail),
         {:ok, first, last} <- levels(options.levels, plan, kind),
         :ok <- divisible(halves, first, last, kind) do
      {:ok,
       %__MODULE__{
         kind: kind,
         size: size,
         first: first,
         last: last,
         detail: detail,
         most: options.max_chunks
       }}
    end
  end

  # What tiles of the plan are, their side, and how many times their samples can be halved.
  defp shapes(plan) do
    ground = {:chunk, plan.chunk_size, {"samples", plan.samples, plan.samples - 1}}

    case Wire.decode!(Plan.to_json(plan), :json) do
      %{"volume" => %{"cells" => cells, "spacing" => spacing}} = plan ->
        volume = {:volume, cells * spacing / 1, {"cells", cells, cells}}
        if plan["terrain"], do: [ground, volume], else: [volume]

      _ground ->
        [ground]
    end
  end

  defp detail(detail)
       when is_number(detail) and detail >= @least_detail and detail <= @most_detail,
       do: {:ok, detail / 1}

  defp detail(detail),
    do:
      wrong(
        "detail",
        "detail is #{inspect(detail)}, allowed: #{@least_detail} to #{@most_detail}"
      )

  # A plan says how coarse its chunks may be; cubes may be as coarse as any.
  defp levels(nil, plan, :chunk), do: {:ok, 0, plan.levels}
  defp levels(nil, plan, :volume), do: {:ok, 0, min(plan.levels, @coarsest)}

  defp levels(first..last//1, plan, kind) do
    most = if kind == :chunk, do: plan.levels, else: @coarsest

    if first >= 0 and last <= most and first <= last,
      do: {:ok, first, last},
      else: wrong("levels", "levels are #{first}..#{last}, allowed: within 0..#{most}")
  end

  defp levels(other, _plan, _kind),
    do: wrong("levels", "levels are #{inspect(other)}, allowed: a range such as 0..3")

  defp divisible(_halves, level, level, _kind), do: :ok
  defp divisible({_name, _count, even}, _first, _last, _kind) when rem(even, 2) == 0, do: :ok

  defp divisible({name, count, _odd}, first, last, kind) do
    fits = if kind == :chunk, do: "an odd number", else: "an even number"

    wrong(
      "levels",
      "levels are #{first}..#{last}, but #{name} is #{count}: tiles of different levels only meet with #{fits}. One level, such as 0..0, can be had"
    )
  end

  defp wrong(field, message),
    do: {:error, %PlanError{reason: :out_of_range, field: field, message: message}}

  @doc false
  # Positions are only looked at as finely as this, in metres: a quarter of the finest tile.
  @spec step(t()) :: float()
  def step(%{beside: nil} = tiling), do: side(tiling, tiling.first) / 4
  def step(%{beside: beside} = tiling), do: min(step(beside), step(%{tiling | beside: nil}))

  @doc false
  # The side of a tile of level 0 that has such an address, in metres.
  @spec size(t(), address()) :: float()
  def size(tiling, address), do: of(tiling, address).size

  defp of(%{beside: %{} = beside}, {_x, _y, _z, _level}), do: beside
  defp of(tiling, _address), do: tiling

  @doc false
  # Whether a viewer's height counts.
  @spec flat?(t()) :: boolean()
  def flat?(tiling), do: tiling.kind == :chunk and tiling.beside == nil

  @doc false
  # The tiles that a tile is within, from the next coarser level up.
  @spec above(t(), address()) :: [address()]
  def above(tiling, address) do
    if level(address) >= of(tiling, address).last do
      []
    else
      parent = parent(address)
      [parent | above(tiling, parent)]
    end
  end

  @doc false
  # The viewers of a list that are given tiles, those that come first before others, and an error for each that would want too many.
  @spec admit(t(), [viewer()]) :: {[viewer()], [{term(), PlanError.t()}]}
  def admit(tiling, viewers) do
    {admitted, refused, _left} =
      Enum.reduce(viewers, {[], [], tiling.most}, fn viewer, {admitted, refused, left} ->
        case about(tiling, viewer) do
          count when count <= left ->
            {[viewer | admitted], refused, left - count}

          count ->
            {admitted, [{viewer.id, too_many(tiling, viewer, count, left)} | refused], left}
        end
      end)

    {Enum.reverse(admitted), Enum.reverse(refused)}
  end

  defp too_many(tiling, viewer, count, left) do
    rest = if left == tiling.most, do: "", else: ", of which viewers before it have left #{left}"

    message =
      "viewer #{inspect(viewer.id, limit: 5, printable_limit: 60)}: radius #{viewer.radius} m would be about #{count} chunks, allowed: #{tiling.most}#{rest}"

    %PlanError{reason: :out_of_range, field: "radius", message: message}
  end

  @doc false
  # How many tiles a viewer may want: an upper bound.
  @spec about(t(), viewer()) :: pos_integer()
  def about(%{beside: %{} = beside} = tiling, viewer),
    do: about(%{tiling | beside: nil}, viewer) + about(beside, viewer)

  def about(tiling, viewer) do
    {factor, power, diagonal} =
      if tiling.kind == :chunk, do: {:math.pi(), 2, 1.4143}, else: {4.18880, 3, 1.7321}

    finest = tiling.first |> max(viewer.level) |> min(tiling.last)

    sum =
      for level <- finest..tiling.last//1, reduce: 0.0 do
        sum ->
          radius = viewer.radius / side(tiling, level)
          # Beyond this a coarser one is there.
          ring = if level == tiling.last, do: radius, else: 2 * tiling.detail + diagonal
          sum + factor * :math.pow(min(radius, ring) + diagonal, power)
      end

    ceil(sum)
  end

  @doc false
  # What the viewers want.
  @spec tiles(t(), [viewer()]) :: %{address() => tile()}
  def tiles(%{beside: %{} = beside} = tiling, viewers),
    do: Map.merge(tiles(%{tiling | beside: nil}, viewers), tiles(beside, viewers))

  def tiles(tiling, viewers) do
    begin = {%{}, MapSet.new()}

    {leaves, refined} =
      for(viewer <- viewers, root <- roots(tiling, viewer), uniq: true, do: root)
      |> Enum.reduce(begin, &descend(&1, tiling, viewers, &2))

    Map.new(leaves, fn {address, {distance2, ids}} ->
      {address, {distance2, neighbours(address, tiling, leaves, refined, viewers), ids}}
    end)
  end

  @doc false
  # The tile that takes the place of four or eight of a finer level.
  @spec parent(address()) :: address()
  def parent({x, z, level}), do: {half(x), half(z), level + 1}
  def parent({x, y, z, level}), do: {half(x), half(y), half(z), level + 1}

  @doc false
  @spec level(address()) :: non_neg_integer()
  def level(address), do: elem(address, tuple_size(address) - 1)

  defp half(number), do: Bitwise.bsr(number, 1)

  defp side(tiling, level), do: tiling.size * Bitwise.bsl(1, level)

  defp roots(%{kind: kind, last: last} = tiling, %{position: {x, y, z}, radius: radius}) do
    side = side(tiling, last)
    along = fn at -> floor((at - radius) / side)..floor((at + radius) / side)//1 end

    case kind do
      :chunk -> for i <- along.(x), k <- along.(z), do: {i, k, last}
      :volume -> for i <- along.(x), j <- along.(y), k <- along.(z), do: {i, j, k, last}
    end
  end

  # `viewers` are those that the tile's parent had to do with: others are too far away for its children too.
  defp descend(address, tiling, viewers, {leaves, refined} = all) do
    level = level(address)
    side = side(tiling, level)
    near2 = square(tiling.detail * side)
    coarser? = level > tiling.first

    {concerned, touching, refine?} =
      Enum.reduce(viewers, {[], [], false}, fn viewer, {concerned, touching, refine?} ->
        distance2 = distance2(address, side, viewer.position)
        touches? = distance2 <= square(viewer.radius)
        refines? = coarser? and level > viewer.level and distance2 < near2

        {
          if(touches? or refines?, do: [viewer | concerned], else: concerned),
          if(touches?, do: [{distance2, viewer.id} | touching], else: touching),
          refine? or refines?
        }
      end)

    cond do
      touching == [] ->
        all

      refine? ->
        concerned = Enum.reverse(concerned)
        all = {leaves, MapSet.put(refined, address)}
        Enum.reduce(children(address), all, &descend(&1, tiling, concerned, &2))

      within?(address, side) ->
        {nearest, _id} = Enum.min(touching)
        ids = for {_distance2, id} <- Enum.reverse(touching), do: id
        {Map.put(leaves, address, {nearest, ids}), refined}

      true ->
        all
    end
  end

  # Coordinates that chunks of this side may have.
  defp within?(address, side) do
    limit = max(trunc(@world / side) - 1, 0)

    case address do
      {x, z, _level} -> abs(x) <= limit and abs(z) <= limit
      {x, y, z, _level} -> abs(x) <= limit and abs(y) <= limit and abs(z) <= limit
    end
  end

  defp children({x, z, level}) do
    {x, z, level} = {2 * x, 2 * z, level - 1}
    [{x, z, level}, {x + 1, z, level}, {x, z + 1, level}, {x + 1, z + 1, level}]
  end

  defp children({x, y, z, level}) do
    {x, y, z, level} = {2 * x, 2 * y, 2 * z, level - 1}
    for j <- [y, y + 1], k <- [z, z + 1], i <- [x, x + 1], do: {i, j, k, level}
  end

  # Of a chunk the height does not count.
  defp distance2({x, z, _level}, side, {at_x, _at_y, at_z}) do
    {dx, dz} = {outside(x * side, side, at_x), outside(z * side, side, at_z)}
    dx * dx + dz * dz
  end

  defp distance2({x, y, z, _level}, side, {at_x, at_y, at_z}) do
    dx = outside(x * side, side, at_x)
    dy = outside(y * side, side, at_y)
    dz = outside(z * side, side, at_z)
    dx * dx + dy * dy + dz * dz
  end

  defp outside(low, side, at) do
    cond do
      at < low -> low - at
      at > low + side -> at - low - side
      true -> 0.0
    end
  end

  defp square(number), do: number * number

  # How many levels coarser the tiles around are: 0 or 1, and of cubes -1 for finer ones.
  defp neighbours({x, z, level} = address, tiling, leaves, refined, viewers) do
    parent = parent(address)

    for {dx, dz} <- @around_chunk, into: "" do
      <<coarser({x + dx, z + dz, level}, parent, tiling, leaves, refined, viewers)>>
    end
  end

  defp neighbours({x, y, z, level} = address, tiling, leaves, refined, viewers) do
    parent = parent(address)

    for {dx, dy, dz} <- Wasgo.Gen.Volume.directions(), into: "" do
      beside = {x + dx, y + dy, z + dz, level}

      if level > tiling.first and refined?(beside, tiling, leaves, refined, viewers),
        do: <<-1::signed>>,
        else: <<coarser(beside, parent, tiling, leaves, refined, viewers)>>
    end
  end

  defp coarser(beside, parent, tiling, leaves, refined, viewers) do
    above = parent(beside)

    if above == parent or level(beside) == tiling.last or
         refined?(above, tiling, leaves, refined, viewers),
       do: 0,
       else: 1
  end

  # Whether finer tiles take its place. Where no viewer's circle is, nobody has looked yet.
  defp refined?(address, tiling, leaves, refined, viewers) do
    cond do
      MapSet.member?(refined, address) ->
        true

      is_map_key(leaves, address) ->
        false

      true ->
        level = level(address)
        side = side(tiling, level)
        near2 = square(tiling.detail * side)

        Enum.any?(viewers, fn viewer ->
          level > viewer.level and distance2(address, side, viewer.position) < near2
        end)
    end
  end
end
