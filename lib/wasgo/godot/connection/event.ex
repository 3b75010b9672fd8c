defmodule Wasgo.Godot.Connection.Event do
  @moduledoc false
  # What a frame from the engine says. Pure.
  #
  # It must never make atoms, let a count pass that has no bound, or keep a text that is longer than it has to be.

  alias Wasgo.Bytes
  alias Wasgo.Godot.Variant
  alias Wasgo.Wire.Zstd

  # How deep frames nest, either way.
  @max_depth 64
  # What is kept of the peer's texts for people, in bytes, and the longest of its names.
  @max_text 512
  @max_name 1024
  @hash 16
  # As much of one as `have` tells.
  @beginning 4
  @most_hashes 65_536
  # Named meshes that an engine holds at once, where it does not say.
  @most_meshes 4_096
  @most_viewers 4096
  @most_scripts 65_536
  @most_arguments 32

  @typedoc "What it says; see `decode/2`."
  @type t ::
          {:hello, map()}
          | {:proof, binary()}
          | {:ack, integer(), integer(), integer()}
          | {:credit, integer(), integer()}
          | {:error, :live | :bulk, integer(), String.t()}
          | {:ping, integer()}
          | {:bye, String.t()}
          | {:report, integer(), %{String.t() => integer()}}
          | {:picture, integer(), {:ok, binary()} | {:error, String.t()}}
          | {:answer, integer(), {:ok, term()} | {:error, String.t()}}
          | {:request, integer(), String.t(), [term()]}
          | {:game, {atom(), term()} | {atom(), term(), term()}}
          | :nothing

  @doc """
  What a frame from the peer says, of which no more than `limit` bytes are taken. An error is why the connection ends: `:bytes` that are no Variant, or a `:frame` that
  makes no sense.
  """
  @spec decode(binary(), limit :: pos_integer()) ::
          {:ok, t()} | {:error, {:malformed, String.t()}, :bytes | :frame}
  def decode(bytes, limit) do
    with {:ok, frame} <- dictionary(bytes), do: said(frame, limit)
  end

  # What was compressed has no limit of its own any more, and holds nothing that is.
  defp said(%{"t" => "zstd"}, :unpacked),
    do: malformed("a compressed frame in a compressed frame")

  defp said(%{"t" => "zstd"} = frame, limit), do: unpacked(frame, limit)
  defp said(%{"t" => kind} = frame, _limit) when is_binary(kind), do: event(kind, frame)
  defp said(_other, _limit), do: malformed("a frame without a kind")

  defp dictionary(bytes) do
    case Variant.decode(bytes, max_depth: @max_depth) do
      {:ok, frame} when is_map(frame) and not is_struct(frame) -> {:ok, frame}
      {:ok, _other} -> malformed("a frame without a kind")
      {:error, error} -> no_frame(error)
    end
  end

  defp no_frame(error),
    do: {:error, {:malformed, "bytes that are no frame (#{Exception.message(error)})"}, :bytes}

  defp unpacked(%{"size" => size, "data" => {:packed_byte, data}}, limit)
       when is_integer(size) and size >= 0 and size <= limit do
    with {:ok, bytes} <- unzip(data, size),
         {:ok, frame} <- dictionary(bytes),
         do: said(frame, :unpacked)
  end

  defp unpacked(%{"size" => size}, limit) when is_integer(size) and size > limit,
    do: malformed("a compressed frame of #{size} bytes, more than #{limit}")

  defp unpacked(_frame, _limit), do: malformed(~s(a malformed frame of the kind "zstd"))

  defp unzip(data, size) do
    with {:error, error} <- Zstd.decompress(data, size), do: no_frame(error)
  end

  ## The connection's own

  defp event(
         "hello",
         %{
           "protocol" => newest,
           "protocol_min" => oldest,
           "client" => client,
           "nonce" => {:packed_byte, nonce},
           "world" => world,
           "zone" => zone,
           "accepts" => {:packed_string, accepts}
         }
       )
       when is_integer(newest) and is_integer(oldest) and is_binary(client) and is_binary(world) and
              is_binary(zone) and byte_size(nonce) == 32 do
    {:ok,
     {:hello,
      %{
        newest: newest,
        oldest: oldest,
        client: text(client),
        world: :binary.copy(world),
        zone: :binary.copy(zone),
        accepts: Enum.map(accepts, &text/1)
      }}}
  end

  # Of an older version, or a newer one that says other things besides.
  defp event("hello", %{"protocol" => newest} = frame) when is_integer(newest) do
    oldest = Map.get(frame, "protocol_min", newest)

    if is_integer(oldest),
      do: {:ok, {:hello, %{newest: newest, oldest: oldest, malformed: true}}},
      else: malformed(~s(a malformed frame of the kind "hello"))
  end

  defp event("proof", %{"proof" => {:packed_byte, proof}}), do: {:ok, {:proof, proof}}

  defp event("ack", %{"seq" => seq, "bulk" => bulk, "work" => work})
       when is_integer(seq) and is_integer(bulk) and is_integer(work),
       do: {:ok, {:ack, seq, bulk, work}}

  defp event("credit", %{"bytes" => bytes, "work" => work})
       when is_integer(bytes) and is_integer(work),
       do: {:ok, {:credit, bytes, work}}

  defp event("error", %{"seq" => seq, "message" => message})
       when is_integer(seq) and is_binary(message),
       do: {:ok, {:error, :live, seq, text(message)}}

  defp event("error", %{"bulk" => number, "message" => message})
       when is_integer(number) and is_binary(message),
       do: {:ok, {:error, :bulk, number, text(message)}}

  defp event("ping", %{"time" => time}) when is_integer(time), do: {:ok, {:ping, time}}
  defp event("pong", %{"time" => time}) when is_integer(time), do: {:ok, :nothing}
  defp event("bye", %{"reason" => reason}) when is_binary(reason), do: {:ok, {:bye, text(reason)}}

  defp event("report", %{"id" => id, "counts" => counts})
       when is_integer(id) and is_map(counts) and not is_struct(counts) do
    if Enum.all?(counts, &count?/1) do
      {:ok, {:report, id, Map.new(counts, fn {name, count} -> {:binary.copy(name), count} end)}}
    else
      malformed("a report whose counts are not all numbers with names")
    end
  end

  defp event("picture", %{"id" => id, "png" => {:packed_byte, png}}) when is_integer(id),
    do: {:ok, {:picture, id, {:ok, png}}}

  defp event("picture", %{"id" => id, "error" => message})
       when is_integer(id) and is_binary(message),
       do: {:ok, {:picture, id, {:error, text(message)}}}

  defp event("answer", %{"id" => id, "error" => message})
       when is_integer(id) and is_binary(message),
       do: {:ok, {:answer, id, {:error, text(message)}}}

  defp event("answer", %{"id" => id, "value" => value}) when is_integer(id),
    do: {:ok, {:answer, id, {:ok, value}}}

  defp event("request", %{"id" => id, "name" => name, "args" => args})
       when is_integer(id) and is_binary(name) and byte_size(name) <= @max_name and is_list(args) do
    if length(args) <= @most_arguments,
      do: {:ok, {:request, id, :binary.copy(name), args}},
      else: malformed("a request with more than #{@most_arguments} arguments")
  end

  ## What the game says

  defp event(
         "resume",
         %{
           "rev" => rev,
           "keys" => {:packed_string, keys},
           "hashes" => {:packed_byte, hashes},
           "meshes" => {:packed_string, meshes},
           "mesh_hashes" => {:packed_byte, mesh_hashes},
           "have" => {:packed_byte, have}
         } = fields
       )
       when is_integer(rev) and rev >= 0 and rem(byte_size(have), @beginning) == 0 and
              byte_size(have) <= @most_hashes * @beginning do
    if named?(keys, hashes) and named?(meshes, mesh_hashes) do
      game(:resume, %{
        rev: rev,
        keys: keys,
        hashes: hashes,
        meshes: meshes,
        mesh_hashes: mesh_hashes,
        have: have,
        keeps: Map.get(fields, "keeps") == true,
        max_meshes: max_meshes(fields)
      })
    else
      malformed("a resume whose hashes are not those of its keys")
    end
  end

  defp event("want", %{"what" => "asset", "hashes" => {:packed_byte, hashes}}) do
    if byte_size(hashes) <= @most_hashes * @hash and rem(byte_size(hashes), @hash) == 0,
      do: {:ok, {:game, {:want, "asset", for(<<hash::binary-@hash <- hashes>>, do: hash)}}},
      else: malformed("a want of more than may be")
  end

  defp event("want", %{"what" => what, "keys" => {:packed_string, keys}})
       when what in ["chunk", "mesh"] do
    if length(keys) <= @most_hashes and Enum.all?(keys, &name?/1),
      do: {:ok, {:game, {:want, what, keys}}},
      else: malformed("a want of more than may be")
  end

  defp event(
         "viewers",
         %{
           "ids" => {:packed_int64, ids},
           "positions" => {:packed_vector3, positions},
           "radii" => {:packed_float32, radii}
         }
       )
       when div(byte_size(ids), 8) <= @most_viewers and
              byte_size(positions) == 12 * div(byte_size(ids), 8) and
              byte_size(radii) == 4 * div(byte_size(ids), 8) do
    ids = for <<id::little-signed-64 <- ids>>, do: id

    # What is infinite or no number matches none of these.
    places =
      for <<x::little-float-32, y::little-float-32, z::little-float-32 <- positions>>,
        do: {x, y, z}

    radii = for <<radius::little-float-32 <- radii>>, radius >= 0.0, do: radius

    if length(places) == length(ids) and length(radii) == length(ids),
      do: game(:viewers, Enum.zip([ids, places, radii])),
      else: malformed("viewers whose places and radii are not all numbers")
  end

  defp event("event", %{"name" => name, "node" => node, "data" => data})
       when is_binary(name) and byte_size(name) <= @max_name and is_binary(node) and
              byte_size(node) <= @max_name,
       do: game(:event, %{name: :binary.copy(name), node: :binary.copy(node), data: data})

  defp event("input", %{"device" => device, "fields" => fields})
       when is_integer(device) and is_map(fields) and not is_struct(fields),
       do: game(:input, Map.put(fields, "device", device))

  defp event("attach", %{"scripts" => scripts}) when is_list(scripts) do
    if length(scripts) <= @most_scripts and Enum.all?(scripts, &script?/1) do
      game(
        :attach,
        for s <- scripts do
          %{
            id: s["id"],
            script: :binary.copy(s["script"]),
            node: :binary.copy(s["node"]),
            state: :binary.copy(s["state"])
          }
        end
      )
    else
      malformed("an attach of what are no scripts")
    end
  end

  defp event("detach", %{"ids" => {:packed_int64, ids}})
       when byte_size(ids) <= 8 * @most_scripts,
       do: game(:detach, for(<<id::little-signed-64 <- ids>>, do: id))

  defp event(
         "notify",
         %{"ids" => {:packed_int64, ids}, "whats" => {:packed_int32, whats}, "args" => args}
       )
       when is_list(args) and byte_size(ids) <= 8 * @most_scripts and
              byte_size(whats) * 2 == byte_size(ids) do
    ids = for <<id::little-signed-64 <- ids>>, do: id
    whats = for <<what::little-signed-32 <- whats>>, do: what

    if length(args) == length(ids) and Enum.all?(args, &arguments?/1),
      do: game(:notify, Enum.zip([ids, whats, args])),
      else: malformed("a notify whose arguments are not those of its ids")
  end

  defp event("scene", %{"id" => id, "name" => name, "glb" => {:packed_byte, glb}})
       when is_integer(id) and is_binary(name) and byte_size(name) <= @max_name,
       do: game(:scene, %{id: id, name: :binary.copy(name), glb: glb})

  @known ~w(hello proof ack credit error ping pong bye report picture answer request resume want viewers event input attach detach
            notify scene)

  defp event(kind, _frame) when kind in @known,
    do: malformed("a malformed frame of the kind #{inspect(kind)}")

  # The engine may be newer.
  defp event(_kind, _frame), do: {:ok, :nothing}

  defp game(kind, what), do: {:ok, {:game, {kind, what}}}

  defp count?({name, count}), do: is_binary(name) and is_integer(count) and count >= 0

  defp named?(keys, hashes) do
    count = length(keys)
    count <= @most_hashes and byte_size(hashes) == count * @hash and Enum.all?(keys, &name?/1)
  end

  defp name?(name), do: is_binary(name) and byte_size(name) <= @max_name

  defp max_meshes(%{"max_meshes" => most}) when is_integer(most) and most > 0, do: most
  defp max_meshes(_unsaid), do: @most_meshes

  defp script?(%{"id" => id, "script" => script, "node" => node, "state" => state}),
    do: is_integer(id) and name?(script) and name?(node) and name?(state)

  defp script?(_other), do: false

  defp arguments?(args), do: is_list(args) and length(args) <= @most_arguments

  defp malformed(words), do: {:error, {:malformed, words}, :frame}

  # On its own: what it was cut from may go.
  defp text(text), do: text |> Bytes.text(@max_text) |> :binary.copy()
end
