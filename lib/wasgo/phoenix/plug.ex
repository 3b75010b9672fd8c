if Code.ensure_loaded?(Plug.Conn) do
  defmodule Wasgo.Phoenix.Plug do
    @moduledoc """
    Serves a world's files to web clients, and takes and lists scripts. It needs Plug alone.

        forward "/wasgo", Wasgo.Phoenix.Plug,
          worlds: %{"garden" => MyGame.Garden},
          scripts: &MyGame.scripts/0,
          authorize: &MyGame.may?/3

    In a Phoenix router as above, in a `Plug.Router` as `forward "/wasgo", to: Wasgo.Phoenix.Plug, init_opts: [...]`, or as a server's only plug (`{Bandit, plug: {Wasgo.Phoenix.Plug, options}}`).
    The routes, and what errors look like, are in the guide `guides/phoenix.md`.

    ## Options

      * `:worlds` - a map from ids to `Wasgo.World`s, or a function of an id that returns `{:ok, world}` or `:error` (then `GET /worlds` lists none)
      * `:scripts` - a `Wasgo.Store` that `Wasgo.Script.Registry` keeps scripts in, or a function without arguments that returns one
      * `:authorize` - a function of an action, what it is about, and the connection; without it only `GET /health` is answered
      * `:cache` - a `Wasgo.Gen.Cache` that chunks are taken from, and kept in; none unless given
      * `:max_bytes` - how long the body of an upload may be, 1 MiB unless given
      * `:read_timeout` - how long all of it may take to come, 15,000 ms unless given

    ## Who may do what

    `authorize` is called before anything of a body is read:

        def may?(:chunk, %{world: "garden"}, _conn), do: true

        def may?(:put_script, %{name: name}, conn) do
          case conn.assigns[:user] do
            nil -> :unauthenticated
            user -> String.starts_with?(name, user <> "-") and {:ok, author: user, grants: [:state]}
          end
        end

        def may?(_action, _details, _conn), do: false

    `true`, `:ok` and `{:ok, options}` allow; the options are those of `Wasgo.Script.Registry.put/4`, and count for uploads. `:unauthenticated` is answered 401,
    `{:retry_after, seconds}` 429, `{:error, message}` and everything else 403. Actions are `:worlds` (`%{}`), `:world`, `:chunk`, `:file` (`%{world: id}`), `:scripts` (`%{}`),
    `:script` and `:put_script` (`%{name: name}`).
    """

    @behaviour Plug

    alias Wasgo.Options
    alias Wasgo.Phoenix.Plug.{Files, Reply, Scripts, Worlds}

    @schema [
      worlds: [type: {:or, [:map, {:function, 1}]}, default: %{}],
      scripts: [
        type: {:or, [{:struct, Wasgo.Store}, {:function, 0}, {:in, [nil]}]},
        default: nil
      ],
      authorize: [type: {:or, [{:function, 3}, {:in, [nil]}]}, default: nil],
      cache: [type: {:or, [:server, {:in, [nil]}]}, default: nil],
      max_bytes: [type: {:range, 1..67_108_864}, default: 1_048_576],
      read_timeout: [type: :timeout, default: 15_000]
    ]

    # A path has no more parts, and a part no more bytes, than any route.
    @most_parts 8
    @most_part 1_024

    @impl Plug
    def init(options), do: Options.validate!(options, @schema, "Wasgo.Phoenix.Plug")

    @impl Plug
    def call(conn, options) do
      conn =
        with {:ok, path} <- path(conn.path_info),
             {:ok, conn} <- route(conn, method(conn.method), path, options) do
          conn
        else
          {:error, status, error} -> Reply.error(conn, status, error)
        end

      Plug.Conn.halt(conn)
    end

    defp path(parts) when length(parts) <= @most_parts do
      decoded = Enum.map(parts, &URI.decode/1)

      if Enum.all?(decoded, &(byte_size(&1) <= @most_part and String.valid?(&1))),
        do: {:ok, decoded},
        else: not_found()
    rescue
      ArgumentError -> not_found()
    end

    defp path(_long), do: not_found()

    # A server leaves the body of an answer to HEAD away.
    defp method("HEAD"), do: :get
    defp method("GET"), do: :get
    defp method(put) when put in ["PUT", "POST"], do: :put
    defp method(_other), do: :other

    defp route(conn, :get, ["health"], options), do: Worlds.health(conn, options)

    defp route(conn, :get, ["worlds"], options) do
      with {:ok, _more} <- allowed(options, :worlds, %{}, conn), do: Worlds.list(conn, options)
    end

    defp route(conn, :get, ["worlds", id], options) do
      with {:ok, _more} <- allowed(options, :world, %{world: id}, conn),
           do: Worlds.show(conn, id, options)
    end

    defp route(conn, :get, ["worlds", id, "chunks", name], options) do
      with {:ok, _more} <- allowed(options, :chunk, %{world: id}, conn),
           do: Files.chunk(conn, id, name, options)
    end

    defp route(conn, :get, ["worlds", id, folder, name], options)
         when folder in ["files", "meshes"] do
      with {:ok, _more} <- allowed(options, :file, %{world: id}, conn),
           do: Files.file(conn, id, folder, name, options)
    end

    defp route(conn, :get, ["scripts"], options) do
      with {:ok, _more} <- allowed(options, :scripts, %{}, conn), do: Scripts.list(conn, options)
    end

    defp route(conn, :get, ["scripts", name], options) do
      with {:ok, _more} <- allowed(options, :script, %{name: name}, conn),
           do: Scripts.show(conn, name, options)
    end

    defp route(conn, :put, ["scripts", name], options) do
      with {:ok, more} <- allowed(options, :put_script, %{name: name}, conn),
           do: Scripts.put(conn, name, more, options)
    end

    defp route(conn, _method, ["scripts", _name], _options),
      do: wrong_method(conn, "GET, PUT, POST")

    defp route(_conn, :get, _path, _options), do: not_found()

    defp route(conn, _method, [first | _], _options)
         when first in ["health", "worlds", "scripts"],
         do: wrong_method(conn, "GET")

    defp route(_conn, _method, _path, _options), do: not_found()

    defp not_found, do: {:error, 404, %{reason: "not_found", message: "there is nothing here"}}

    defp wrong_method(conn, methods) do
      conn = Plug.Conn.put_resp_header(conn, "allow", methods)
      error = %{reason: "method", message: "#{conn.method} is not done here; #{methods} is"}
      {:ok, Reply.error(conn, 405, error)}
    end

    defp allowed(%{authorize: nil}, _action, _details, _conn), do: forbidden("it is not allowed")

    defp allowed(%{authorize: authorize}, action, details, conn) do
      case authorize.(action, details, conn) do
        allowed when allowed in [true, :ok] ->
          {:ok, []}

        {:ok, more} when is_list(more) ->
          {:ok, more}

        :unauthenticated ->
          {:error, 401, %{reason: "unauthenticated", message: "who are you?"}}

        {:retry_after, seconds} when is_integer(seconds) ->
          {:error, 429, %{reason: "rate", message: "too many requests", retry_after: seconds}}

        {:error, message} when is_binary(message) ->
          forbidden(message)

        _no ->
          forbidden("it is not allowed")
      end
    end

    defp forbidden(message), do: {:error, 403, %{reason: "forbidden", message: message}}
  end
end
