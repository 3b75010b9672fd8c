defmodule Wasgo.Phoenix.Content do
  @moduledoc false
  # Files of a world that web clients fetch, by names that say what they are: the same name is the same bytes for ever, on every node, and nobody
  # keeps a list of them.

  alias Wasgo.Gen.Work
  alias Wasgo.World.State

  # Raised when the same chunk is written as other bytes.
  @format 1

  # Levels around a chunk of the ground, and around a cube of a volume.
  @neighbours [8, 18]

  @doc false
  # As clients know a chunk.
  @spec key(tuple()) :: String.t()
  def key({x, z, 0}), do: "#{x},#{z}"
  def key(address), do: address |> Tuple.to_list() |> Enum.join(",")

  @doc false
  @spec chunk_path(Work.t(), String.t()) :: String.t()
  def chunk_path(work, hash) do
    neighbours = Base.encode16(work.neighbours, case: :lower)
    "chunks/#{key(work.address)}.#{neighbours}.#{hash}.glb"
  end

  @doc false
  # The hash of what is shown at the place, and the hash of the edit that takes the place of what is generated, or `nil`.
  @spec chunk_hash(State.t(), Work.t()) ::
          {:ok, String.t(), edit :: binary() | nil} | {:error, Exception.t()}
  def chunk_hash(tables, work) do
    edit =
      case State.get(tables, {:chunk, work.address}) do
        {_key, _rev, _zone, _marks, hash} when is_binary(hash) -> hash
        _none -> nil
      end

    with {:ok, parts} <- made_of(work, edit) do
      <<name::binary-16, _::binary>> = :crypto.hash(:sha256, ["wasgo glb", @format | parts])
      {:ok, Base.encode16(name, case: :lower), edit}
    end
  end

  defp made_of(work, nil), do: with({:ok, key} <- Work.key(work), do: {:ok, ["generated", key]})

  # It stands where the plan has its chunk.
  defp made_of(work, edit) do
    place = :erlang.term_to_binary({work.plan.chunk_size, work.address})
    {:ok, ["edited", edit, place]}
  end

  @doc false
  # The parts of a chunk's name: its address, the levels around it, its hash.
  @spec chunk(String.t()) :: {:ok, tuple(), binary(), String.t()} | :error
  def chunk(name) when byte_size(name) <= 160 do
    with [key, neighbours, hash, "glb"] <- String.split(name, "."),
         {:ok, address} <- address(key),
         {:ok, neighbours} when byte_size(neighbours) in @neighbours <-
           Base.decode16(neighbours, case: :lower),
         true <- byte_size(neighbours) == if(tuple_size(address) == 3, do: 8, else: 18),
         {:ok, <<_::128>>} <- Base.decode16(hash, case: :lower) do
      {:ok, address, neighbours, hash}
    else
      _other -> :error
    end
  end

  def chunk(_long), do: :error

  @doc false
  # Written as it is written here: there is one name for each.
  @spec address(String.t()) :: {:ok, tuple()} | :error
  def address(key) when byte_size(key) <= 60 do
    numbers = for part <- String.split(key, ","), do: Integer.parse(part)

    with true <- Enum.all?(numbers, &match?({_number, ""}, &1)),
         {:ok, address} <- numbers |> Enum.map(&elem(&1, 0)) |> bounded(),
         ^key <- key(address) do
      {:ok, address}
    else
      _other -> :error
    end
  end

  def address(_long), do: :error

  defp bounded([x, z]), do: bounded([x, z, 0])

  defp bounded([_, _ | _] = numbers) when length(numbers) in 3..4 do
    {level, place} = List.pop_at(numbers, -1)

    if level in 0..255 and Enum.all?(place, &(abs(&1) <= 0x7FFF_FFFF)),
      do: {:ok, List.to_tuple(numbers)},
      else: :error
  end

  defp bounded(_other), do: :error

  @doc false
  @spec file_path(String.t(), binary()) :: String.t()
  def file_path(folder, hash), do: "#{folder}/#{Base.encode16(hash, case: :lower)}.glb"

  @doc false
  # The hash in such a name.
  @spec file(String.t()) :: {:ok, <<_::256>>} | :error
  def file(<<hash::binary-64, ".glb">>) do
    with {:ok, _bytes} = ok <- Base.decode16(hash, case: :lower), do: ok
  end

  def file(_other), do: :error
end
