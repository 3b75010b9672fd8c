if Code.ensure_loaded?(Nx) do
  defmodule Wasgo.Nx do
    @moduledoc """
    Payloads as Nx tensors, and tensors as payloads. There where Nx is.

    Wasgo's numbers are little-endian binaries already, so that a tensor of them shares the binary with Nx's own backend: nothing is copied on
    such a machine, there or back. Other backends copy once.

    | of | shape, type | back |
    | --- | --- | --- |
    | a chunk's heights: `heights/1` | `{samples, samples}`, rows along z, `f32`, metres | `put_heights/2` |
    | a surface's vertices: `positions/1`, `normals/1`, `colors/1` | `{vertices, 3}`, `{vertices, 3}`, `{vertices, 4}`, `f32` | `put_surface/2` |
    | its triangles: `indices/1` | `{triangles, 3}`, `u32` | `put_surface/2` |
    | rows: `rows/1` | `{rows, columns}`, `f64` | `to_rows/3` |
    | bytes: `bytes/3` | any | `to_bytes/1` |

    `Wasgo.Stages.Tensor` runs a function of tensors as a stage.

        iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0})
        iex> {:ok, higher} = Wasgo.Nx.put_heights(chunk, Nx.add(Wasgo.Nx.heights(chunk), 5.0))
        iex> Float.round(higher.stats.mean_height - chunk.stats.mean_height, 3)
        5.0
    """

    alias Wasgo.Gen.Chunk
    alias Wasgo.{Rows, StageError}
    alias Wasgo.Scene.Surface

    @doc """
    The heights of a chunk's samples: `{z, x}`, metres.

        iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0})
        iex> Nx.shape(Wasgo.Nx.heights(chunk))
        {9, 9}
    """
    @spec heights(Chunk.t()) :: Nx.Tensor.t()
    def heights(%Chunk{heights: heights, samples: samples}),
      do: bytes(heights, {samples, samples}, {:f, 32})

    @doc """
    The chunk with other heights: its mesh, with new normals, its figures, and what stands on it, which goes up or down with the ground, follow.

    Normals on the border know nothing of the next chunk, so that a seam may be seen where a function changed heights there.

        iex> chunk = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0})
        iex> {:ok, flat} = Wasgo.Nx.put_heights(chunk, Nx.broadcast(2.5, {9, 9}))
        iex> {flat.stats.mean_height, flat.stats.mean_slope, Wasgo.Gen.Chunk.height(flat, 3, 4)}
        {2.5, 0.0, 2.5}
        iex> {:error, error} = Wasgo.Nx.put_heights(chunk, Nx.broadcast(2.5, {9}))
        iex> Exception.message(error)
        "a tensor of the shape {9, 9} is needed, not {9}"
    """
    @spec put_heights(Chunk.t(), Nx.Tensor.t()) :: {:ok, Chunk.t()} | {:error, StageError.t()}
    def put_heights(%Chunk{samples: samples} = chunk, tensor) do
      with {:ok, tensor} <- fitting(tensor, {samples, samples}, {:f, 32}),
           :ok <- finite(tensor) do
        {slope_x, slope_z} = slopes(tensor, chunk.size / (samples - 1))
        normals = normals_of(slope_x, slope_z)
        steepness = Nx.subtract(1, normals[[.., 1]])

        positions =
          Nx.put_slice(
            positions(chunk.ground),
            [0, 1],
            Nx.reshape(tensor, {samples * samples, 1})
          )

        heights = Nx.to_binary(tensor)

        {:ok,
         %{
           chunk
           | heights: heights,
             ground: %{
               chunk.ground
               | positions: to_bytes(positions),
                 normals: to_bytes(normals)
             },
             scatter: settled(chunk, heights),
             stats: %{
               min_height: number(Nx.reduce_min(tensor)),
               max_height: number(Nx.reduce_max(tensor)),
               mean_height: number(Nx.mean(tensor)),
               mean_slope: number(Nx.mean(steepness)),
               water_share: under_water(tensor, chunk.plan.water_level)
             }
         }}
      end
    end

    @doc """
    Places of a surface's vertices: `{vertices, 3}`, metres.

        iex> ground = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0}).ground
        iex> Nx.shape(Wasgo.Nx.positions(ground))
        {81, 3}
    """
    @spec positions(Surface.t()) :: Nx.Tensor.t()
    def positions(%Surface{positions: bytes}), do: vertices(bytes, 3)

    @doc """
    Normals of a surface's vertices: `{vertices, 3}`; `nil` where it has none.

        iex> ground = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9, height: 2.0), {0, 0}).ground
        iex> Wasgo.Nx.normals(ground)[0] |> Nx.to_flat_list()
        [0.0, 1.0, 0.0]
    """
    @spec normals(Surface.t()) :: Nx.Tensor.t() | nil
    def normals(%Surface{normals: ""}), do: nil
    def normals(%Surface{normals: bytes}), do: vertices(bytes, 3)

    @doc """
    Colours of a surface's vertices: `{vertices, 4}`, linear; `nil` where it has none.

        iex> ground = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0}).ground
        iex> Nx.shape(Wasgo.Nx.colors(ground))
        {81, 4}
    """
    @spec colors(Surface.t()) :: Nx.Tensor.t() | nil
    def colors(%Surface{colors: ""}), do: nil
    def colors(%Surface{colors: bytes}), do: vertices(bytes, 4)

    @doc """
    Numbers of the vertices of a surface's triangles: `{triangles, 3}`.

        iex> ground = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0}).ground
        iex> Nx.shape(Wasgo.Nx.indices(ground))
        {128, 3}
    """
    @spec indices(Surface.t()) :: Nx.Tensor.t()
    def indices(%Surface{indices: bytes}),
      do: bytes(bytes, {div(byte_size(bytes), 12), 3}, {:u, 32})

    @doc """
    The surface with other attributes: `:positions`, `:normals`, `:colors`, `:indices`. Their shapes are those of the functions of these names,
    and those of vertices agree in how many there are.

        iex> surface = Wasgo.Gen.chunk!(Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0}).ground
        iex> {:ok, raised} = Wasgo.Nx.put_surface(surface, positions: Nx.add(Wasgo.Nx.positions(surface), Nx.tensor([0, 5, 0])))
        iex> Nx.subtract(Wasgo.Nx.positions(raised), Wasgo.Nx.positions(surface)) |> Nx.to_flat_list() |> Enum.map(&round/1) |> Enum.uniq()
        [0, 5]
    """
    @spec put_surface(Surface.t(), keyword(Nx.Tensor.t())) ::
            {:ok, Surface.t()} | {:error, StageError.t()}
    def put_surface(%Surface{} = surface, attributes) do
      kinds = %{
        positions: {3, {:f, 32}},
        normals: {3, {:f, 32}},
        colors: {4, {:f, 32}},
        indices: {3, {:u, 32}}
      }

      with {:ok, changed} <- attributes(attributes, kinds, surface) do
        counts =
          for {name, width} <- [positions: 12, normals: 12, colors: 16],
              bytes = Map.fetch!(changed, name),
              bytes != "",
              uniq: true,
              do: div(byte_size(bytes), width)

        if length(counts) == 1,
          do: {:ok, changed},
          else: refused("positions, normals and colors differ in how many vertices they are of")
      end
    end

    defp attributes(attributes, kinds, surface) do
      Enum.reduce_while(attributes, {:ok, surface}, fn {name, tensor}, {:ok, surface} ->
        {width, type} = Map.fetch!(kinds, name)
        count = if is_struct(tensor, Nx.Tensor), do: div(Nx.size(tensor), width), else: 0

        case fitting(tensor, {count, width}, type) do
          {:ok, tensor} -> {:cont, {:ok, Map.put(surface, name, to_bytes(tensor))}}
          {:error, _error} = error -> {:halt, error}
        end
      end)
    end

    @doc """
    The values of rows: `{rows, columns}`, `f64`. Rows with anything but numbers are refused; a `nil`, which leaves a property alone, is NaN.

        iex> {:ok, tensor} = Wasgo.Nx.rows(Wasgo.Rows.new(["x", "y"], [{7, [1, 2.5]}, {8, [3, 4]}]))
        iex> Nx.to_flat_list(tensor)
        [1.0, 2.5, 3.0, 4.0]
    """
    @spec rows(Rows.t()) :: {:ok, Nx.Tensor.t()} | {:error, StageError.t()}
    def rows(%Rows{rows: []}), do: refused("rows to make a tensor of are none")

    def rows(%Rows{rows: rows, columns: columns}) do
      {:ok,
       bytes(
         for(row <- rows, value <- row, into: <<>>, do: double(value)),
         {length(rows), length(columns)},
         {:f, 64}
       )}
    catch
      {:no_number, value} -> refused("a row has #{inspect(value, limit: 5)}, which is no number")
    end

    # The bytes of a NaN, which Elixir has no literal for.
    @nan <<0x7FF8_0000_0000_0000::64-native>>

    defp double(nil), do: @nan
    defp double(:nan), do: @nan
    defp double(:infinity), do: <<0x7FF0_0000_0000_0000::64-native>>
    defp double(:neg_infinity), do: <<0xFFF0_0000_0000_0000::64-native>>
    defp double(number) when is_number(number), do: <<number::float-64-native>>
    defp double(value), do: throw({:no_number, value})

    @doc """
    Rows from a tensor `{rows, columns}`; NaN is `nil`.

        iex> {:ok, rows} = Wasgo.Nx.to_rows(Nx.tensor([[1.5, 2.5], [3.0, 4.0]]), ["position:x", "position:z"], [7, 8])
        iex> {rows.ids, rows.rows}
        {[7, 8], [[1.5, 2.5], [3.0, 4.0]]}
    """
    @spec to_rows(Nx.Tensor.t(), [String.t()], [integer()]) ::
            {:ok, Rows.t()} | {:error, StageError.t()}
    def to_rows(tensor, columns, ids) do
      shape = {length(ids), length(columns)}

      with {:ok, tensor} <- fitting(tensor, shape, {:f, 64}) do
        rows =
          tensor
          |> Nx.to_flat_list()
          |> Enum.map(&if(is_number(&1), do: &1, else: value(&1)))
          |> Enum.chunk_every(length(columns))

        {:ok, %Rows{columns: columns, ids: ids, rows: rows}}
      end
    end

    defp value(:nan), do: nil
    defp value(infinity), do: infinity

    @doc """
    Raw numbers in the machine's byte order as a tensor of that shape and type.

        iex> Wasgo.Nx.bytes(<<1.5::float-32-little, 2.5::float-32-little>>, {2, 1}, {:f, 32}) |> Nx.to_flat_list()
        [1.5, 2.5]
    """
    @spec bytes(binary(), tuple(), Nx.Type.t()) :: Nx.Tensor.t()
    def bytes(bytes, shape, type), do: bytes |> Nx.from_binary(type) |> Nx.reshape(shape)

    @doc """
    A tensor's numbers as they lie.

        iex> Wasgo.Nx.to_bytes(Nx.tensor([1, 2, 3], type: {:u, 8}))
        <<1, 2, 3>>
    """
    @spec to_bytes(Nx.Tensor.t()) :: binary()
    def to_bytes(tensor), do: Nx.to_binary(tensor)

    defp vertices(bytes, width),
      do: bytes(bytes, {div(byte_size(bytes), 4 * width), width}, {:f, 32})

    defp fitting(%Nx.Tensor{} = tensor, shape, type) do
      if Nx.shape(tensor) == shape,
        do: {:ok, Nx.as_type(tensor, type)},
        else:
          refused(
            "a tensor of the shape #{inspect(shape)} is needed, not #{inspect(Nx.shape(tensor))}"
          )
    end

    defp fitting(other, shape, _type),
      do:
        refused(
          "a tensor of the shape #{inspect(shape)} is needed, not #{inspect(other, limit: 5)}"
        )

    defp finite(tensor) do
      strange = Nx.logical_or(Nx.is_nan(tensor), Nx.is_infinity(tensor))
      if number(Nx.any(strange)) == 0, do: :ok, else: refused("a height is no number")
    end

    # By how much the ground rises along x and z, from the samples on both sides, on the border from those that there are.
    defp slopes(tensor, step) do
      {slope(tensor, 1, step), slope(tensor, 0, step)}
    end

    defp slope(tensor, axis, step) do
      size = Nx.axis_size(tensor, axis)
      at = fn start, length -> Nx.slice_along_axis(tensor, start, length, axis: axis) end
      first = Nx.subtract(at.(1, 1), at.(0, 1))
      last = Nx.subtract(at.(size - 1, 1), at.(size - 2, 1))

      inner =
        if size > 2, do: [Nx.divide(Nx.subtract(at.(2, size - 2), at.(0, size - 2)), 2)], else: []

      Nx.divide(Nx.concatenate([first] ++ inner ++ [last], axis: axis), step)
    end

    defp normals_of(slope_x, slope_z) do
      raw =
        Nx.stack(
          [
            Nx.negate(Nx.flatten(slope_x)),
            Nx.broadcast(1.0, {Nx.size(slope_x)}),
            Nx.negate(Nx.flatten(slope_z))
          ],
          axis: 1
        )

      length = raw |> Nx.multiply(raw) |> Nx.sum(axes: [1], keep_axes: true) |> Nx.sqrt()
      raw |> Nx.divide(length) |> Nx.as_type({:f, 32})
    end

    defp under_water(_tensor, nil), do: 0.0
    defp under_water(tensor, level), do: tensor |> Nx.less(level) |> Nx.mean() |> number()

    defp number(tensor), do: Nx.to_number(tensor)

    # Things keep their distance from the ground below them.
    defp settled(chunk, heights) do
      for <<kind::4-binary, x::float-32-little, y::float-32-little, z::float-32-little,
            rest::16-binary <- chunk.scatter>>,
          into: <<>> do
        risen = ground(heights, chunk, x, z) - ground(chunk.heights, chunk, x, z)

        <<kind::binary, x::float-32-little, y + risen::float-32-little, z::float-32-little,
          rest::binary>>
      end
    end

    # The ground's height between four samples.
    defp ground(heights, %{samples: samples, size: size}, x, z) do
      {column, across} = cell(x, size, samples)
      {row, along} = cell(z, size, samples)
      at = fn column, row -> sample(heights, row * samples + column) end
      near = at.(column, row) * (1 - across) + at.(column + 1, row) * across
      far = at.(column, row + 1) * (1 - across) + at.(column + 1, row + 1) * across
      near * (1 - along) + far * along
    end

    defp cell(at, size, samples) do
      place = at / size * (samples - 1)
      number = place |> trunc() |> max(0) |> min(samples - 2)
      {number, place - number}
    end

    defp sample(heights, number) do
      <<height::float-32-little>> = binary_part(heights, 4 * number, 4)
      height
    end

    defp refused(words) do
      {:error, %StageError{reason: :format, stage: Wasgo.Stages.Tensor, message: words}}
    end
  end
end
