defmodule Wasgo.Gen.Cache.Row do
  @moduledoc false
  # What was generated, as bytes to be kept: the same bytes come back, or nothing does.
  #
  # A row begins with a mark, a checksum of all that follows, and what version of Wasgo wrote it: another may make other bytes of the same
  # plan. Numbers are little-endian. The indices of a chunk are those of thousands of others, with as many samples and the same neighbours: they are a
  # row of their own, a part, named by their digest.

  alias Wasgo.Bytes

  @mark "WGC1"
  @version :erlang.crc32(Mix.Project.config()[:version])

  @chunk 1
  @volume 2
  @part 3

  # Rows are not read beyond this: the largest chunk has 257 x 257 samples.
  @most_samples 257

  @type part :: {digest :: binary(), indices :: binary()}

  # The row, and the part that it refers to. `:error` for what no row has a place for.
  @spec encode(tuple()) :: {:ok, binary(), part() | nil} | :error
  def encode({{x, z, size, samples}, data, table, figures, objects, generated}) do
    {heights, positions, normals, colors, indices} = data
    {low, high, mean, slope, water, counts} = figures
    digest = digest(indices)
    more = more(objects, generated)

    head =
      <<@chunk, x::float-little, z::float-little, size::float-little, samples::32-little,
        low::float-little, high::float-little, mean::float-little, slope::float-little,
        water::float-little, length(counts)::32-little, byte_size(table)::32-little,
        byte_size(more)::32-little, digest::binary>>

    counts = for count <- counts, into: "", do: <<count::32-little>>

    {:ok, row([head, counts, heights, positions, normals, colors, table, more]),
     {digest, indices}}
  end

  def encode({{x, y, z}, size, {positions, normals, colors, indices}, {solid, seam}}) do
    head =
      <<@volume, x::float-little, y::float-little, z::float-little, size::float-little,
        solid::float-little, seam::32-little, byte_size(positions)::32-little,
        byte_size(normals)::32-little, byte_size(colors)::32-little,
        byte_size(indices)::32-little>>

    {:ok, row([head, positions, normals, colors, indices]), nil}
  end

  def encode(_another), do: :error

  @spec encode_part(binary()) :: binary()
  def encode_part(indices), do: row([@part, indices])

  # The digest of a part, as its name.
  @spec digest(binary()) :: binary()
  def digest(indices), do: :crypto.hash(:sha256, ["wasgo indices\0", indices])

  defp row(body) do
    body = [<<@version::32-little>>, body]
    IO.iodata_to_binary([@mark, <<:erlang.crc32(body)::32-little>>, body])
  end

  # What is in a row, and the digest of its part. `find` is asked for the part; without it there is nothing.
  @spec decode(binary(), (binary() -> {:ok, binary()} | :none | :damaged)) ::
          {:ok, term(), binary() | nil} | :none | :damaged
  def decode(<<@mark, checksum::32-little, body::binary>>, find) do
    with true <- :erlang.crc32(body) == checksum,
         <<@version::32-little, kind, rest::binary>> <- body,
         {:ok, made, part} <- read(kind, rest, find) do
      {:ok, made, part}
    else
      :none -> :none
      _wrong -> :damaged
    end
  end

  def decode(_other, _find), do: :damaged

  @spec decode_part(binary()) :: {:ok, binary()} | :damaged
  def decode_part(bytes) do
    case decode(bytes, fn _digest -> :none end) do
      {:ok, indices, nil} when is_binary(indices) -> {:ok, indices}
      _another -> :damaged
    end
  end

  defp read(
         @chunk,
         <<x::float-little, z::float-little, size::float-little, samples::32-little,
           low::float-little, high::float-little, mean::float-little, slope::float-little,
           water::float-little, kinds::32-little, table_size::32-little, more_size::32-little,
           digest::binary-32, counts::binary-size(kinds)-unit(32), rest::binary>>,
         find
       )
       when samples in 2..@most_samples do
    count = samples * samples

    sizes = [4 * count, 12 * count, 12 * count, 16 * count, table_size, more_size]

    with {:ok, [heights, positions, normals, colors, table, more]} <- Bytes.parts(rest, sizes),
         {:ok, objects, generated} <- more(more),
         {:ok, indices} <- find.(digest) do
      counts = for <<count::32-little <- counts>>, do: count
      data = {heights, positions, normals, colors, indices}
      figures = {low, high, mean, slope, water, counts}
      {:ok, {{x, z, size, samples}, data, table, figures, objects, generated}, digest}
    end
  end

  defp read(
         @volume,
         <<x::float-little, y::float-little, z::float-little, size::float-little,
           solid::float-little, seam::32-little, of_positions::32-little, of_normals::32-little,
           of_colors::32-little, of_indices::32-little, rest::binary>>,
         _find
       ) do
    sizes = [of_positions, of_normals, of_colors, of_indices]

    with {:ok, [positions, normals, colors, indices]} <- Bytes.parts(rest, sizes) do
      {:ok, {{x, y, z}, size, {positions, normals, colors, indices}, {solid, seam}}, nil}
    end
  end

  defp read(@part, indices, _find), do: {:ok, indices, nil}
  defp read(_kind, _rest, _find), do: :damaged

  # What was built and what scripts made: in most chunks nothing.
  defp more([], []), do: ""

  defp more(objects, generated),
    do: :erlang.term_to_binary({objects, generated}, minor_version: 2)

  defp more(""), do: {:ok, [], []}

  defp more(bytes) do
    case :erlang.binary_to_term(bytes, [:safe]) do
      {objects, generated} when is_list(objects) and is_list(generated) ->
        {:ok, objects, generated}

      _another ->
        :damaged
    end
  rescue
    ArgumentError -> :damaged
  end
end
