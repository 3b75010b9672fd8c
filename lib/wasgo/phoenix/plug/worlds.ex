if Code.ensure_loaded?(Plug.Conn) do
  defmodule Wasgo.Phoenix.Plug.Worlds do
    @moduledoc false
    # What worlds there are, and whether they run.

    alias Wasgo.Phoenix.Plug.Reply
    alias Wasgo.Phoenix.Terms
    alias Wasgo.World
    alias Wasgo.World.State

    @doc false
    def health(conn, options) do
      worlds = for {id, world} <- known(options), into: %{}, do: {id, up(world)}
      {status, word} = if "down" in Map.values(worlds), do: {503, "down"}, else: {200, "ok"}
      {:ok, Reply.json(conn, status, %{status: word, worlds: worlds})}
    end

    defp up(world), do: if(GenServer.whereis(world), do: "ok", else: "down")

    @doc false
    def list(conn, options) do
      worlds =
        for {id, world} <- Enum.sort(known(options)),
            {:ok, followed} <- [World.follow(world)],
            do: summary(id, world, followed)

      {:ok, Reply.json(conn, 200, %{worlds: worlds})}
    end

    @doc false
    def show(conn, id, options) do
      with {:ok, world, followed} <- follow(options, id) do
        plan = Terms.plan(State.plan(followed.tables))
        {:ok, Reply.json(conn, 200, Map.put(summary(id, world, followed), :plan, plan))}
      end
    end

    # One that has ended meanwhile has nothing.
    defp summary(id, world, followed) do
      %{
        id: id,
        rev: State.rev(followed.tables),
        objects: World.info(world).objects,
        zones: Terms.zones(followed.tables)
      }
    rescue
      error in [ArgumentError, Wasgo.WorldError] ->
        if State.there?(followed.tables), do: reraise(error, __STACKTRACE__), else: %{id: id}
    end

    @doc false
    # A world, and what is needed to read from it.
    def follow(options, id) do
      with {:ok, world} <- find(options.worlds, id),
           {:ok, followed} <- World.follow(world) do
        {:ok, world, followed}
      else
        :error ->
          {:error, 404, %{reason: "unknown_world", message: "there is no world #{inspect(id)}"}}

        {:error, _gone} ->
          message = "the world is not running now"
          {:error, 503, %{reason: "unavailable", message: message, retry_after: 1}}
      end
    end

    defp find(worlds, id) when is_function(worlds), do: worlds.(id)
    defp find(worlds, id), do: Map.fetch(worlds, id)

    defp known(%{worlds: worlds}) when is_map(worlds), do: worlds
    defp known(_function), do: %{}
  end
end
