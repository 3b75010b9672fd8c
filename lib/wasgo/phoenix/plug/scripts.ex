if Code.ensure_loaded?(Plug.Conn) do
  defmodule Wasgo.Phoenix.Plug.Scripts do
    @moduledoc false
    # Scripts of a store: listed, shown, and put.

    require Logger

    alias Plug.Conn
    alias Wasgo.Phoenix.Plug.{Body, Reply}
    alias Wasgo.Phoenix.Terms
    alias Wasgo.Script.{Registry, SourceMap, Trace}
    alias Wasgo.Script.Registry.Source
    alias Wasgo.{CompileError, DecodeError, LimitError, LinkError, StoreError, TrapError}

    @shown [:name, :version, :language, :size, :hash, :author, :created, :columns]
    # The machine is behind, and not the script at fault.
    @busy [:compiles, :jobs, :instances]
    @no_file "script.wat"

    @doc false
    def list(conn, options) do
      with {:ok, store} <- store(options),
           {:ok, entries} <- stored(Registry.list(store)) do
        {:ok, Reply.json(conn, 200, %{scripts: Enum.map(entries, &Map.take(&1, @shown))})}
      end
    end

    @doc false
    def show(conn, name, options) do
      with {:ok, store} <- store(options),
           {:ok, entry} <- stored(Registry.get(store, name)) do
        shown = entry |> Map.take(@shown) |> Map.put(:sources, sources(entry.source))
        {:ok, Reply.json(conn, 200, shown)}
      end
    end

    defp sources(<<0, "asm", _::binary>> = module) do
      with {:ok, map} <- SourceMap.of_module(module),
           do: SourceMap.sources(map),
           else: (:none -> [])
    end

    defp sources(text), do: if(String.valid?(text), do: [%{file: @no_file, text: text}], else: [])

    @doc false
    # `more` is what whoever allowed it says of the script.
    def put(conn, name, more, options) do
      with {:ok, store} <- store(options),
           {:ok, kind} <- Body.kind(conn),
           {:ok, source, language, conn} <- Body.source(conn, kind, options),
           {:ok, before} <- before(store, name),
           :ok <- expected(conn, before) do
        put(conn, store, name, source, given(more, language, source), before)
      end
    end

    # Components are never deterministic.
    defp given(more, language, source) do
      more = if language, do: Keyword.put_new(more, :language, language), else: more
      if Source.component?(source), do: Keyword.put_new(more, :deterministic, false), else: more
    end

    # The active version, 0 where there is none.
    defp before(store, name) do
      case Registry.active_version(store, name) do
        {:error, %StoreError{reason: reason}}
        when reason in [:unknown_script, :unknown_version] ->
          {:ok, 0}

        other ->
          stored(other)
      end
    end

    defp expected(conn, before) do
      case Conn.get_req_header(conn, "if-match") do
        [] ->
          :ok

        [tag | _] ->
          if String.trim(tag) in [~s("#{before}"), "*"] do
            :ok
          else
            message = "version #{before} is the active one"
            {:error, 409, %{reason: "conflict", message: message, version: before}}
          end
      end
    end

    defp put(conn, store, name, source, given, before) do
      with {:ok, version} <- accepted(Registry.put(store, name, source, given), source, name),
           {:ok, entry} <- stored(Registry.get(store, name, version)) do
        changed? = version != before
        shown = entry |> Map.take([:name, :version, :columns]) |> Map.put(:changed, changed?)
        {:ok, Reply.json(conn, if(changed?, do: 201, else: 200), shown)}
      end
    end

    defp accepted({:ok, _version} = ok, _source, _name), do: ok

    defp accepted({:error, error}, source, name) do
      Logger.info(
        "Wasgo.Phoenix.Plug: the script #{inspect(name, printable_limit: 80)} is refused: #{message(error)}",
        script: name
      )

      refused(error, source)
    end

    defp refused(%StoreError{} = error, _source), do: stored({:error, error})

    defp refused(%LimitError{reason: reason} = error, _source) when reason in @busy,
      do: {:error, 503, %{reason: "busy", message: message(error), retry_after: 1}}

    defp refused(error, source),
      do: {:error, 422, Map.merge(Terms.error(error), of(error, source))}

    defp of(%CompileError{message: message}, _source) do
      case Regex.run(~r/<anon>:(\d+):(\d+)/, message) do
        [_all, line, column] ->
          %{reason: "compile", line: String.to_integer(line), column: String.to_integer(column)}

        nil ->
          %{reason: "compile"}
      end
    end

    defp of(%LinkError{reason: :missing_import, module: module, name: name}, _source),
      do: %{reason: "import", import: Enum.join(Enum.reject([module, name], &is_nil/1), ".")}

    defp of(%LinkError{}, _source), do: %{reason: "export"}
    defp of(%LimitError{reason: limit}, _source), do: %{reason: "limit", limit: limit}
    defp of(%DecodeError{}, _source), do: %{reason: "export"}

    defp of(%TrapError{} = error, source),
      do: %{reason: "trap", frames: Trace.of(error, source)}

    defp of(_other, _source), do: %{}

    ## The store

    defp store(%{scripts: nil}),
      do: {:error, 404, %{reason: "not_found", message: "no scripts are kept here"}}

    defp store(%{scripts: scripts}) when is_function(scripts), do: {:ok, scripts.()}
    defp store(%{scripts: store}), do: {:ok, store}

    @unknown [:unknown_script, :unknown_version]

    defp stored({:error, %StoreError{reason: reason} = error}) when reason in @unknown,
      do: {:error, 404, %{reason: "unknown_script", message: message(error)}}

    defp stored({:error, %StoreError{reason: :invalid_name} = error}),
      do: {:error, 400, %{reason: "invalid", field: "name", message: message(error)}}

    # What is wrong there is for the log.
    defp stored({:error, error}) do
      Logger.error("Wasgo.Phoenix.Plug: the store of scripts failed: #{message(error)}")
      message = "the store of scripts does not answer"
      {:error, 503, %{reason: "unavailable", message: message, retry_after: 1}}
    end

    defp stored(ok), do: ok

    defp message(error), do: Exception.message(error)
  end
end
