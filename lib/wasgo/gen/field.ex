defmodule Wasgo.Gen.Field do
  @moduledoc """
  Fields: a number for every place of the world, put together from functions.

      iex> import Wasgo.Gen.Field
      iex> hills = fbm(frequency: 1 / 220, octaves: 5)
      iex> peaks = ridged(frequency: 1 / 400, octaves: 5, seed: 1) |> scale(90.0)
      iex> land = hills |> scale(20.0) |> blend(peaks, smooth(noise(frequency: 1 / 900), -0.1, 0.5)) |> warp(strength: 30.0)
      iex> {:ok, plan} = Wasgo.Gen.plan(seed: 7, height: land, water: 0.0)
      iex> Wasgo.Gen.chunk!(plan, {0, 0}).samples
      65

  A field is plain data; nothing is computed before a plan is made of it, and then natively, over whole blocks of places. Where a function
  takes a field it takes a number too. Lengths are metres, frequencies cells for each metre, angles radians.

  What a parameter may be is checked when the plan is made: the error leads from the plan to the field at fault, by the operations on the way
  and by names that were given with `named/2`.

      iex> import Wasgo.Gen.Field
      iex> dunes = fbm(frequency: 0.01, octaves: 40) |> named("dunes")
      iex> {:error, error} = Wasgo.Gen.plan(seed: 1, height: scale(dunes, 9))
      iex> Exception.message(error)
      ~s|terrain.height: affine.of > noise "dunes": octaves is 40, allowed: 1 to 12|

  Two fields of noise with the same parameters are the same field; `:seed` tells them apart.
  """

  @enforce_keys [:id, :node, :inputs]
  defstruct [:id, :node, :inputs]

  @typedoc "A field. What it is made of is for `Wasgo.Gen.plan/1` to read."
  @opaque t :: %__MODULE__{id: String.t(), node: map(), inputs: [t()]}

  @typedoc "A field, or a number for the same everywhere."
  @type operand :: t() | number()

  @typedoc "A place or a size: x, y and z."
  @type vector :: {number(), number(), number()}

  @doc type: :source
  @doc """
  The same number everywhere.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: constant(7)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [7.0, 7.0, 7.0]
  """
  @spec constant(number()) :: t()
  def constant(value) when is_number(value), do: new("constant", value: value)

  @doc type: :source
  @doc """
  The place's distance east (`:x`), up (`:y`) or south (`:z`) of the world's origin.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: coordinate(:x)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 20.0, 60.0]
  """
  @spec coordinate(:x | :y | :z) :: t()
  def coordinate(axis) when axis in [:x, :y, :z], do: new("coordinate", axis: axis)

  @doc type: :source
  @doc """
  The terrain's height: for what lies and stands on it, not for the terrain itself.

      iex> import Wasgo.Gen.Field
      iex> grass = [color: {0.1, 0.3, 0.05}]
      iex> snow = [color: {0.9, 0.9, 0.95}, by: smooth(height(), 60, 80)]
      iex> {:ok, _plan} = Wasgo.Gen.plan(seed: 1, height: scale(coordinate(:x), 0.1), ground: [grass, snow])
      iex> {:error, error} = Wasgo.Gen.plan(seed: 1, height: add(height(), 5))
      iex> error.field
      "terrain.height: affine.of > height"
  """
  @spec height() :: t()
  def height, do: new("height", [])

  @doc type: :source
  @doc """
  The terrain's steepness: 0 is flat, 0.29 is 45 degrees, 1 upright. For what lies and stands on it.

      iex> import Wasgo.Gen.Field
      iex> meadow = smooth(slope(), 0.3, 0.15)
      iex> hills = fbm(frequency: 1 / 220) |> scale(30.0)
      iex> plan = Wasgo.Gen.plan!(seed: 1, height: hills, scatter: [[kind: :bush, spacing: 6.0, by: meadow]])
      iex> plan.rules
      [bush: 4]
  """
  @spec slope() :: t()
  def slope, do: new("slope", [])

  @noise [:kind, :dimensions, :frequency, :octaves, :lacunarity, :gain, :seed]

  @doc type: :source
  @doc """
  Noise of one octave, -1 to 1: a hill or hollow for about each cell.

    * `:frequency` - cells for each metre, 0.000001 to 64; required
    * `:kind` - `:simplex` unless given, `:perlin`, `:value` or `:white`
    * `:dimensions` - 2, in the plane, unless given; 3, in space
    * `:seed` - fields that differ in it only are different, 0 unless given

  ## Examples

      iex> import Wasgo.Gen.Field
      iex> plan = Wasgo.Gen.plan!(seed: 1, height: noise(frequency: 1 / 50) |> scale(8.0))
      iex> stats = Wasgo.Gen.chunk!(plan, {0, 0}).stats
      iex> stats.min_height >= -8.0 and stats.max_height <= 8.0
      true
  """
  @spec noise(keyword()) :: t()
  def noise(options), do: new("noise", options!(options, @noise, [:frequency]))

  @doc type: :source
  @doc """
  Noise of many octaves, summed: rolling hills, -1 to 1.

  As `noise/1`, and

    * `:octaves` - layers of detail, 1 to 12; 5 unless given
    * `:lacunarity` - how much finer each is than the one before, 1 to 4; 2 unless given
    * `:gain` - how much lower each is than the one before, 0 to 1; 0.5 unless given

  ## Examples

      iex> import Wasgo.Gen.Field
      iex> hills = fbm(frequency: 1 / 220, octaves: 6, gain: 0.4) |> scale(30.0, 12.0)
      iex> stats = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: hills), {0, 0}).stats
      iex> stats.min_height >= -18.0 and stats.max_height <= 42.0
      true
  """
  @spec fbm(keyword()) :: t()
  def fbm(options), do: fractal("fbm", options)

  @doc type: :source
  @doc """
  As `fbm/1`, with crests where the noise crosses 0: mountains, 0 to 1.

      iex> import Wasgo.Gen.Field
      iex> mountains = ridged(frequency: 1 / 900, octaves: 6) |> scale(400.0)
      iex> Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: mountains), {0, 0}).stats.min_height >= 0
      true
  """
  @spec ridged(keyword()) :: t()
  def ridged(options), do: fractal("ridged", options)

  @doc type: :source
  @doc """
  As `fbm/1`, with round hills and sharp valleys: dunes, clouds, 0 to 1.

      iex> import Wasgo.Gen.Field
      iex> dunes = billow(frequency: 1 / 90, octaves: 3) |> scale(12.0)
      iex> Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: dunes), {0, 0}).stats.max_height <= 12.0
      true
  """
  @spec billow(keyword()) :: t()
  def billow(options), do: fractal("billow", options)

  defp fractal(name, options) do
    options = Keyword.merge([octaves: 5], options!(options, @noise, [:frequency]))
    new("noise", [fractal: name] ++ options)
  end

  @doc type: :source
  @doc """
  Points strewn one a cell.

    * `:frequency` - cells for each metre; required
    * `:feature` - `:distance` to the nearest point in cells (0 to 1.5) unless given, `:border`: how much farther the next one is, or `:value`: a
      number from 0 to 1 for each cell
    * `:jitter` - how far points are from the middles of their cells, 0 to 1; 1 unless given
    * `:dimensions`, `:seed` - as for `noise/1`

  ## Examples

      iex> import Wasgo.Gen.Field
      iex> fields = cellular(frequency: 1 / 40, feature: :value)
      iex> wheat = [color: {0.6, 0.5, 0.2}, by: smooth(fields, 0.45, 0.55)]
      iex> plan = Wasgo.Gen.plan!(seed: 1, height: 2.0, ground: [[color: {0.2, 0.35, 0.1}], wheat])
      iex> Wasgo.Gen.chunk!(plan, {0, 0}).stats.mean_height
      2.0
  """
  @spec cellular(keyword()) :: t()
  def cellular(options) do
    allowed = [:feature, :dimensions, :frequency, :jitter, :seed]
    new("cellular", options!(options, allowed, [:frequency]))
  end

  @doc type: :combine
  @doc """
  The sum of two fields.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: add(coordinate(:x), 5)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [5.0, 25.0, 65.0]
  """
  @spec add(operand(), operand()) :: t()
  def add(a, b) when is_number(b), do: affine(a, 1.0, b)
  def add(a, b) when is_number(a), do: affine(b, 1.0, a)
  def add(a, b), do: new("add", of: [a, b])

  @doc type: :combine
  @doc """
  One field less another.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: subtract(100, coordinate(:x))), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [100.0, 80.0, 40.0]
  """
  @spec subtract(operand(), operand()) :: t()
  def subtract(a, b) when is_number(b), do: affine(a, 1.0, -b)
  def subtract(a, b), do: new("subtract", a: field(a), b: field(b))

  @doc type: :combine
  @doc """
  The product of two fields.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: multiply(coordinate(:x), 0.5)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 10.0, 30.0]
  """
  @spec multiply(operand(), operand()) :: t()
  def multiply(a, b) when is_number(b), do: affine(a, b, 0.0)
  def multiply(a, b) when is_number(a), do: affine(b, a, 0.0)
  def multiply(a, b), do: new("multiply", of: [a, b])

  @doc type: :shape
  @doc """
  A field times a number, plus another: `scale(field, 20.0, 5.0)` of noise is -15 to 25.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: scale(coordinate(:x), 0.5, 10)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [10.0, 20.0, 40.0]
  """
  @spec scale(operand(), number(), number()) :: t()
  def scale(of, factor, offset \\ 0.0) when is_number(factor) and is_number(offset),
    do: affine(of, factor, offset)

  defp affine(of, scale, offset), do: new("affine", of: field(of), scale: scale, offset: offset)

  @doc type: :combine
  @doc """
  The lesser of two fields; with the edge between them rounded where they are nearer than `:radius`.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: lowest(coordinate(:x), 20)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 20.0, 20.0]
  """
  @spec lowest(operand(), operand(), keyword()) :: t()
  def lowest(a, b, options \\ []), do: extreme("min", a, b, options)

  @doc type: :combine
  @doc """
  The greater of two fields; with the edge between them rounded where they are nearer than `:radius`.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: highest(coordinate(:x), 20)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [20.0, 20.0, 60.0]
  """
  @spec highest(operand(), operand(), keyword()) :: t()
  def highest(a, b, options \\ []), do: extreme("max", a, b, options)

  defp extreme(name, a, b, options) do
    case options!(options, [:radius], []) do
      [] -> new(name, of: [field(a), field(b)])
      [radius: radius] -> new("smooth_" <> name, a: field(a), b: field(b), radius: radius)
    end
  end

  @doc type: :shape
  @doc """
  Without its sign.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: magnitude(subtract(coordinate(:x), 30))), {0, 0})
      iex> for x <- [0, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [30.0, 0.0, 30.0]
  """
  @spec magnitude(operand()) :: t()
  def magnitude(of), do: new("abs", of: field(of))

  @doc type: :shape
  @doc """
  A power of what is above 0; 0 of the rest.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: power(scale(coordinate(:x), 0.1), 2)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 4.0, 36.0]
  """
  @spec power(operand(), number()) :: t()
  def power(of, exponent), do: new("power", of: field(of), exponent: exponent)

  @doc type: :shape
  @doc """
  Nothing below `low` nor above `high`.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: clamp(coordinate(:x), 5, 40)), {0, 0})
      iex> for x <- [0, 20, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [5.0, 20.0, 40.0]
  """
  @spec clamp(operand(), number(), number()) :: t()
  def clamp(of, low, high), do: new("clamp", of: field(of), low: low, high: high)

  @doc type: :shape
  @doc """
  0 where the field is `low` or less, 1 where it is `high` or more, an even curve between; the other way round when `low` is above `high`.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: smooth(coordinate(:x), 20, 40)), {0, 0})
      iex> for x <- [0, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 0.5, 1.0]
  """
  @spec smooth(operand(), number(), number()) :: t()
  def smooth(of, low, high), do: new("smoothstep", of: field(of), low: low, high: high)

  @doc type: :shape
  @doc """
  Steps of `:height` metres; `:sharpness` from 0, as before, to 1, upright; 0.8 unless given.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: terrace(coordinate(:x), height: 20, sharpness: 1)), {0, 0})
      iex> for x <- [5, 30, 50], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 20.0, 40.0]
  """
  @spec terrace(operand(), keyword()) :: t()
  def terrace(of, options) do
    new("terrace", [of: field(of)] ++ options!(options, [:height, :sharpness], [:height]))
  end

  @doc type: :shape
  @doc """
  What a smooth curve through points gives for the field's value: `curve(hills, [{-1, -8}, {0, 0}, {0.2, 3}, {1, 60}])`.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: curve(coordinate(:x), [{0, 0}, {30, 10}, {60, 40}])), {0, 0})
      iex> for x <- [0, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 10.0, 40.0]
  """
  @spec curve(operand(), [{number(), number()}]) :: t()
  def curve(of, points) when is_list(points),
    do: new("curve", of: field(of), points: Enum.map(points, &list/1))

  @doc type: :combine
  @doc """
  `a` where `by` is 0 or less, `b` where it is 1 or more, a mixture between.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: blend(10, 30, smooth(coordinate(:x), 20, 40))), {0, 0})
      iex> for x <- [0, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [10.0, 20.0, 30.0]
  """
  @spec blend(operand(), operand(), operand()) :: t()
  def blend(a, b, by), do: new("blend", a: field(a), b: field(b), by: field(by))

  @doc type: :combine
  @doc """
  The field where `by` is `high` or more, 0 where it is `low` or less: a product with `smooth/3`.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: mask(10, coordinate(:x), 20, 40)), {0, 0})
      iex> for x <- [0, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 5.0, 10.0]
  """
  @spec mask(operand(), operand(), number(), number()) :: t()
  def mask(of, by, low, high), do: new("multiply", of: [field(of), smooth(by, low, high)])

  @doc type: :shape
  @doc """
  The field looked up elsewhere, so that it is bent.

    * `:strength` - how far, in metres; required
    * `:by` - two or three fields which say in which direction, from -1 to 1: `{x, z}` or `{x, y, z}`. Noise unless given, of
    * `:frequency` - 1 / 150 unless given
    * `:seed` - 0 unless given

  ## Examples

      iex> import Wasgo.Gen.Field
      iex> cliffs = terrace(fbm(frequency: 1 / 200) |> scale(40.0), height: 8) |> warp(strength: 25.0, frequency: 1 / 80)
      iex> {:ok, plan} = Wasgo.Gen.plan(seed: 1, height: cliffs)
      iex> Wasgo.Gen.chunk!(plan, {0, 0}).samples
      65
      iex> sheared = warp(coordinate(:x), strength: 10.0, by: {1, 0})
      iex> Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: sheared), {0, 0}) |> Wasgo.Gen.Chunk.height(20, 0)
      30.0
  """
  @spec warp(operand(), keyword()) :: t()
  def warp(of, options) do
    options = options!(options, [:strength, :by, :frequency, :seed], [:strength])
    frequency = Keyword.get(options, :frequency, 1 / 150)
    seed = Keyword.get(options, :seed, 0)
    bend = fn number -> fbm(frequency: frequency, octaves: 2, seed: 7001 + 2 * seed + number) end
    by = Keyword.get_lazy(options, :by, fn -> {bend.(0), bend.(1)} end)

    new("warp",
      of: field(of),
      by: by |> Tuple.to_list() |> Enum.map(&field/1),
      strength: options[:strength]
    )
  end

  @doc type: :shape
  @doc """
  The field made larger, turned and moved.

    * `:scale` - a factor, or `{x, y, z}`; 1 unless given
    * `:yaw` - radians about +y, 0 unless given
    * `:offset` - `{x, y, z}` in metres, `{0, 0, 0}` unless given

  ## Examples

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: place(coordinate(:x), offset: {10, 0, 0})), {0, 0})
      iex> for x <- [10, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [0.0, 20.0, 50.0]
  """
  @spec place(operand(), keyword()) :: t()
  def place(of, options) do
    options =
      for {name, value} <- options!(options, [:scale, :yaw, :offset], []) do
        case {name, value} do
          {:scale, factor} when is_number(factor) -> {:scale, [factor, factor, factor]}
          {name, vector} when is_tuple(vector) -> {name, list(vector)}
          other -> other
        end
      end

    new("place", [of: field(of)] ++ options)
  end

  @doc type: :body
  @doc """
  Metres inside a ball, below 0 outside of it.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: sphere({30, 0, 0}, 20)), {0, 0})
      iex> for x <- [0, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [-10.0, 20.0, -10.0]
  """
  @spec sphere(vector(), number()) :: t()
  def sphere(center, radius), do: body(center, kind: "sphere", radius: radius)

  @doc type: :body
  @doc """
  Metres inside a box of half the sides given, with edges of radius `:round`.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: box({30, 0, 0}, {10, 10, 10})), {0, 0})
      iex> for x <- [10, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [-10.0, 10.0, -20.0]
  """
  @spec box(vector(), vector(), keyword()) :: t()
  def box(center, half, options \\ []),
    do: body(center, [kind: "box", half: list(half)] ++ options!(options, [:round], []))

  @doc type: :body
  @doc """
  Metres inside a tunnel: near the line from one place to another.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: capsule({0, 0, 0}, {30, 0, 0}, 10)), {0, 0})
      iex> for x <- [10, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [10.0, 10.0, -20.0]
  """
  @spec capsule(vector(), vector(), number()) :: t()
  def capsule({x, y, z} = from, {to_x, to_y, to_z}, radius),
    do: body(from, kind: "capsule", to: [to_x - x, to_y - y, to_z - z], radius: radius)

  @doc type: :body
  @doc """
  Metres inside a ring whose hole goes along `:axis` (`:z` unless given): half of it above ground is an arch.

      iex> import Wasgo.Gen.Field
      iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: torus({0, 0, 0}, 30, 5, axis: :y)), {0, 0})
      iex> for x <- [0, 30, 60], do: Wasgo.Gen.Chunk.height(chunk, x, 0)
      [-25.0, 5.0, -25.0]
  """
  @spec torus(vector(), number(), number(), keyword()) :: t()
  def torus(center, radius, thickness, options \\ []) do
    shape = [kind: "torus", radius: radius, thickness: thickness]
    body(center, shape ++ options!(options, [:axis], []))
  end

  defp body(center, shape), do: new("body", center: list(center), shape: shape)

  @doc type: :water
  @doc """
  A field of heights with gullies cut into its slopes, which run downhill and branch as running water leaves them.

    * `:frequency` - the widest gullies for each metre, 0.0001 to 1; required
    * `:strength` - their depth in metres where it is steep; required
    * `:octaves` - 1 to 8, 5 unless given
    * `:gain` - how much shallower each octave is than the one before, 0.5 unless given
    * `:slope` - rise over run at which gullies are whole, 0.5 unless given
    * `:seed` - 0 unless given

  ## Examples

      iex> import Wasgo.Gen.Field
      iex> hills = fbm(frequency: 1 / 300) |> scale(60)
      iex> before = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: hills), {0, 0})
      iex> later = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 1, height: erode(hills, frequency: 1 / 100, strength: 8)), {0, 0})
      iex> later.stats.mean_height < before.stats.mean_height
      true
  """
  @spec erode(operand(), keyword()) :: t()
  def erode(of, options) do
    allowed = [:frequency, :strength, :octaves, :gain, :slope, :seed]
    new("erode", [of: field(of)] ++ options!(options, allowed, [:frequency, :strength]))
  end

  @rivers [:frequency, :width, :depth, :valley, :sea, :springs, :seed]

  @doc type: :water
  @doc """
  A field of heights with rivers in it that run downhill, join, widen, and end in the sea or in a pond.

  A grid of places drains, each to its lowest neighbour; what a place does hangs on the heights around it, so that chunks agree about every river.
  Hills and hollows smaller than 1 / frequency are cut through or filled beside a river. The height is looked up at y = 0; rivers can't be
  made of rivers.

    * `:frequency` - places for each metre, 0.0002 to 0.05; required
    * `:width` - of the widest rivers in metres; required
    * `:depth` - of the widest rivers' beds in metres; required
    * `:valley` - how far land is led down to a river, in widths of the widest; 4 unless given
    * `:sea` - height in metres at which rivers end: that of the plan's `:water`
    * `:springs` - how many places a river has come through where it is first seen, 1 to 6; 3 unless given. Fewer rivers the more
    * `:seed` - 0 unless given

  Give `river_water/2` and `river_distance/2` the same field and options:

      iex> import Wasgo.Gen.Field
      iex> hills = fbm(frequency: 1 / 1800, octaves: 5) |> scale(150.0, 60.0)
      iex> options = [frequency: 1 / 180, width: 14, depth: 4, sea: 0.0]
      iex> gravel = river_distance(hills, options) |> smooth(6.0, 1.0)
      iex> {:ok, plan} =
      ...>   Wasgo.Gen.plan(
      ...>     seed: 5,
      ...>     height: rivers(hills, options),
      ...>     rivers: river_water(hills, options),
      ...>     water: 0.0,
      ...>     ground: [[color: {0.1, 0.25, 0.05}], [color: {0.3, 0.28, 0.25}, by: gravel]]
      ...>   )
      iex> {:ok, _surface_or_nil} = Wasgo.Gen.Chunk.rivers(Wasgo.Gen.chunk!(plan, {0, 0}))
      iex> :ok
      :ok

  Chunks of levels whose samples are as far apart as the places take long: a river's net is made for each sample.
  """
  @spec rivers(operand(), keyword()) :: t()
  def rivers(of, options), do: river(of, options, :ground)

  @doc type: :water
  @doc """
  The height of the water of `rivers/2`, in metres: what a plan's `:rivers` is. Under the banks it goes down with them; where no river is near it is
  -16,384.

      iex> import Wasgo.Gen.Field
      iex> hills = fbm(frequency: 1 / 1800, octaves: 5) |> scale(150.0, 60.0)
      iex> options = [frequency: 1 / 180, width: 14, depth: 4, sea: 0.0]
      iex> plan = Wasgo.Gen.plan!(seed: 5, height: rivers(hills, options), rivers: river_water(hills, options), water: 0.0)
      iex> for x <- 0..9, {:ok, surface} when surface != nil <- [Wasgo.Gen.Chunk.rivers(Wasgo.Gen.chunk!(plan, {x, 0}))], do: x
      [6, 7, 8, 9]
  """
  @spec river_water(operand(), keyword()) :: t()
  def river_water(of, options), do: river(of, options, :water)

  @doc type: :water
  @doc """
  Metres to the nearest bank of `rivers/2`, below 0 in the bed; nowhere more than how far valleys go. For what lies and stands beside rivers.

      iex> import Wasgo.Gen.Field
      iex> hills = fbm(frequency: 1 / 1800, octaves: 5) |> scale(150.0, 60.0)
      iex> options = [frequency: 1 / 180, width: 14, depth: 4, sea: 0.0]
      iex> reeds = [kind: :bush, spacing: 3.0, by: smooth(river_distance(hills, options), 8, 0)]
      iex> plan = Wasgo.Gen.plan!(seed: 5, height: rivers(hills, options), scatter: [reeds])
      iex> plan.rules
      [bush: 4]
  """
  @spec river_distance(operand(), keyword()) :: t()
  def river_distance(of, options), do: river(of, options, :distance)

  defp river(of, options, output) do
    options = options!(options, @rivers, [:frequency, :width, :depth])
    new("rivers", [of: field(of), output: output] ++ options)
  end

  @doc type: :combine
  @doc """
  How much there is of each of several climates, by name: a map of fields from 0 to 1, which are 1 in sum.

  Climates are places in the square of temperature (0 cold to 1 hot) and moisture (0 dry to 1 wet); what is nearest rules.

      iex> import Wasgo.Gen.Field
      iex> warmth = fbm(frequency: 1 / 900) |> scale(0.5, 0.5)
      iex> rain = fbm(frequency: 1 / 700, seed: 1) |> scale(0.5, 0.5)
      iex> biomes = climates(warmth, rain, desert: {0.9, 0.1}, forest: {0.5, 0.8}, tundra: {0.1, 0.4})
      iex> biomes |> Map.keys() |> Enum.sort()
      [:desert, :forest, :tundra]

    * `:sharpness` - how sharp borders are, 1 to 32; 8 unless given
  """
  @spec climates(operand(), operand(), [{atom(), {number(), number()}}], keyword()) :: %{
          atom() => t()
        }
  def climates(temperature, moisture, climates, options \\ []) do
    options = options!(options, [:sharpness], [])
    places = for {_name, place} <- climates, do: list(place)

    for {{name, _place}, index} <- Enum.with_index(climates), into: %{} do
      shared = [temperature: field(temperature), moisture: field(moisture), climates: places]
      {name, new("climate", shared ++ [index: index] ++ options)}
    end
  end

  @doc type: :source
  @doc """
  What a script of the plan says (the `:scripts` of `Wasgo.Gen.plan/1`): it is asked the values at up to 512 places at once.
  `guest/README.md` tells authors how; `guest/scripts/craters.ts` is one.

    * `:low`, `:high` - the least and the greatest value that it gives; required. Others are errors, and from these two it is known where the script need not
      be asked at all
    * `:parameters` - what it is told besides: up to 64 numbers and texts, none unless given
    * `:dimensions` - 2 unless given: places in the plane; 3: in space
    * `:fuel` - work that it may do for each place, about a nanosecond a unit: 100 to 1,000,000, 10,000 unless given

  Its values must depend on the places alone, or borders of chunks don't meet.

      iex> import Wasgo.Gen.Field
      iex> craters = script("craters", parameters: [80.0, 6.0], low: -10.2, high: 3.0)
      iex> plan = Wasgo.Gen.plan!(seed: 1, height: craters, scripts: %{"craters" => File.read!("guest/scripts/craters.wasm")})
      iex> stats = Wasgo.Gen.chunk!(plan, {0, 0}).stats
      iex> stats.min_height >= -10.2 and stats.min_height < stats.max_height
      true
  """
  @spec script(String.t(), keyword()) :: t()
  def script(name, options) when is_binary(name) do
    allowed = [:parameters, :dimensions, :low, :high, :fuel]
    options = options!(options, allowed, [:low, :high])

    case Enum.reject(options[:parameters] || [], &(is_number(&1) or is_binary(&1) or is_nil(&1))) do
      [] ->
        new("script", [script: name] ++ options)

      [other | _] ->
        raise ArgumentError,
              "a script's parameters are numbers, texts and nil, and not #{inspect(other, limit: 5)}"
    end
  end

  @doc type: :shape
  @doc """
  The field under a name, by which errors tell of it. Different fields of a plan can't have the same.

      iex> import Wasgo.Gen.Field
      iex> hills = fbm(frequency: -1) |> named("hills")
      iex> {:error, error} = Wasgo.Gen.plan(seed: 1, height: scale(hills, 20.0))
      iex> Exception.message(error)
      ~s|terrain.height: affine.of > noise "hills": frequency is -1, allowed: 0.000001 to 64|
  """
  @spec named(operand(), String.t()) :: t()
  def named(of, name) when is_binary(name), do: %{field(of) | id: name}

  # -- What plans are made of -------------------------------------------------------------------------------------

  @doc false
  # All nodes of some fields, by their ids. A field that is used twice is one node.
  @spec nodes([t()]) :: {:ok, map()} | {:error, Wasgo.PlanError.t()}
  def nodes(fields) do
    {:ok, Enum.reduce(fields, %{}, &collect/2)}
  catch
    {:same_name, name} ->
      message = "two different fields are named #{inspect(name)}"
      {:error, %Wasgo.PlanError{reason: :invalid, field: name, message: message}}
  end

  defp collect(%__MODULE__{id: id, node: node, inputs: inputs}, nodes) do
    case nodes do
      %{^id => ^node} -> nodes
      %{^id => _other} -> throw({:same_name, id})
      %{} -> Enum.reduce(inputs, Map.put(nodes, id, node), &collect/2)
    end
  end

  # Ids are digests of the content, so that equal fields are one.
  defp new(op, parameters) do
    parameters = Enum.map(parameters, fn {name, value} -> {name, own(value)} end)
    inputs = Enum.flat_map(parameters, fn {_name, value} -> inputs(value) end)

    node =
      for {name, value} <- parameters,
          into: %{"op" => op},
          do: {Atom.to_string(name), stored(value)}

    digest = :crypto.hash(:sha256, :erlang.term_to_binary(Enum.sort(node), minor_version: 2))
    id = digest |> binary_part(0, 8) |> Base.encode16(case: :lower)
    %__MODULE__{id: id, node: node, inputs: inputs}
  end

  # Lists of fields may have numbers among them.
  defp own([head | _] = list) when is_struct(head, __MODULE__), do: Enum.map(list, &field/1)
  defp own(value), do: value

  defp inputs(%__MODULE__{} = field), do: [field]
  defp inputs([%__MODULE__{} | _] = fields), do: fields
  defp inputs(_other), do: []

  defp stored(%__MODULE__{id: id}), do: id
  defp stored([{key, _} | _] = keywords) when is_atom(key), do: Map.new(keywords, &stored_pair/1)
  defp stored(list) when is_list(list), do: Enum.map(list, &stored/1)
  defp stored(nil), do: nil
  defp stored(atom) when is_atom(atom), do: Atom.to_string(atom)
  defp stored(other), do: other

  defp stored_pair({key, value}), do: {Atom.to_string(key), stored(value)}

  defp field(%__MODULE__{} = field), do: field
  defp field(number) when is_number(number), do: constant(number)

  defp field(other) do
    raise ArgumentError, "a field or a number is needed, not #{inspect(other, limit: 5)}"
  end

  defp list(tuple) when is_tuple(tuple), do: Tuple.to_list(tuple)

  defp options!(options, allowed, required) do
    case Enum.find(options, fn {name, _} -> name not in allowed end) do
      {name, _} ->
        raise ArgumentError,
              "there is no option #{inspect(name)} here, only #{inspect(allowed)}"

      nil ->
        :ok
    end

    for name <- required, not Keyword.has_key?(options, name) do
      raise ArgumentError, "the option #{inspect(name)} is needed"
    end

    options
  end

  defimpl Inspect do
    def inspect(field, _opts) do
      name = if field.id =~ ~r/^[0-9a-f]{16}$/, do: "", else: " " <> Kernel.inspect(field.id)
      "#Wasgo.Gen.Field<#{field.node["op"]}#{name}>"
    end
  end
end
