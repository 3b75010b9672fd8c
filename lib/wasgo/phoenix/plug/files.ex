if Code.ensure_loaded?(Plug.Conn) do
  defmodule Wasgo.Phoenix.Plug.Files do
    @moduledoc false
    # Chunks, files of objects and meshes as GLB. A chunk's name says all that it is made of, so that every node can make it, and nobody has made what no world has.

    alias Wasgo.Gen.{Cache, Volume, Work}
    alias Wasgo.LimitError
    alias Wasgo.Phoenix.Content
    alias Wasgo.Phoenix.Plug.{Reply, Worlds}
    alias Wasgo.Scene
    alias Wasgo.World.{Journal, State}

    @doc false
    def chunk(conn, id, name, options) do
      with {:ok, address, neighbours, hash} <- named(Content.chunk(name)),
           {:ok, _world, followed} <- Worlds.follow(options, id) do
        Reply.file(conn, hash, fn -> made(followed, address, neighbours, hash, options) end)
      end
    end

    defp named(:error), do: unknown_chunk()
    defp named(parts), do: parts

    defp unknown_chunk do
      message = "the world has no such chunk now"
      {:error, 404, %{reason: "unknown_chunk", message: message}}
    end

    defp made(%{tables: tables} = followed, address, neighbours, hash, options) do
      with %{} = plan <- State.plan(tables),
           work = Work.new(plan, address, neighbours),
           {:ok, ^hash, edit} <- Content.chunk_hash(tables, work),
           {:ok, bytes} <- glb(work, edit, followed.journal, options.cache) do
        {:ok, bytes}
      else
        {:error, %LimitError{} = error} -> busy(error)
        _none -> unknown_chunk()
      end
    end

    defp glb(work, nil, _journal, cache) do
      with {:ok, made} <- Cache.await(Cache.start(cache, work), work),
           {:ok, scene} <- work |> Work.finish(made) |> scene(),
           do: Scene.to_glb(scene, instancing: true)
    end

    defp glb(_work, edit, journal, _cache), do: Journal.payload(journal, edit)

    # Relative to its corner, as edited chunks are: far from the origin browsers have too few digits.
    defp scene(%Volume{surface: surface}),
      do: {:ok, alone(%Scene.Mesh{name: "ground", surfaces: [surface]})}

    defp scene(chunk) do
      with {:ok, %Scene{nodes: [root | rest]} = scene} <- Wasgo.Gen.Chunk.to_scene(chunk),
           do: {:ok, %{scene | nodes: [%{root | translation: {0.0, 0.0, 0.0}} | rest]}}
    end

    defp alone(mesh, materials \\ Wasgo.Gen.Plan.materials()) do
      %Scene{
        name: mesh.name,
        nodes: [%Scene.Node{name: mesh.name, mesh: 0}],
        meshes: [mesh],
        materials: materials,
        roots: [0]
      }
    end

    @doc false
    def file(conn, id, folder, name, options) do
      with {:ok, hash} <- file_named(Content.file(name)),
           {:ok, _world, followed} <- Worlds.follow(options, id) do
        Reply.file(conn, Base.encode16(hash, case: :lower), fn ->
          with {:ok, bytes} <- Journal.payload(followed.journal, hash),
               {:ok, glb} <- of(folder, bytes),
               do: {:ok, glb},
               else: (other -> not_there(other))
        end)
      end
    end

    defp file_named(:error), do: unknown_file()
    defp file_named(hash), do: hash

    # Plans are kept beside them, which are nobody's business.
    defp of("files", <<"glTF", _::binary>> = glb), do: {:ok, glb}

    # What the world itself has put there.
    defp of("meshes", <<131, _::binary>> = term) do
      case :erlang.binary_to_term(term) do
        {%Scene.Mesh{} = mesh, materials} -> mesh |> alone(materials) |> Scene.to_glb()
        _other -> :error
      end
    end

    defp of(_folder, _bytes), do: :error

    defp not_there({:error, %LimitError{} = error}), do: busy(error)

    defp not_there({:error, %{reason: :store}}) do
      message = "the world's store does not answer"
      {:error, 503, %{reason: "unavailable", message: message, retry_after: 1}}
    end

    defp not_there(_other), do: unknown_file()

    defp unknown_file,
      do: {:error, 404, %{reason: "unknown_file", message: "the world has no such file"}}

    defp busy(error) do
      {:error, 503, %{reason: "busy", message: Exception.message(error), retry_after: 1}}
    end
  end
end
