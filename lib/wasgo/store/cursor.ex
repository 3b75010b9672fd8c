defmodule Wasgo.Store.Cursor do
  @moduledoc false
  # A query read in pieces, as a stream.

  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.Store.Request

  @options [
    timeout: [type: :timeout, default: 5_000],
    max_rows: [type: {:range, 1..1_000_000}, default: 1_000],
    max_bytes: [type: :pos_integer, default: 1_048_576],
    maps: [type: :boolean, default: false],
    allow: [type: {:or, [:keyword, {:in, [nil]}]}, default: nil]
  ]

  def stream(store, sql, parameters, options) do
    options = Wasgo.Options.validate!(options, @options, "Wasgo.Store.stream/4")
    query = {store, sql, parameters, options}
    Stream.resource(fn -> open(query) end, &next/1, &close/1)
  end

  # Where rows can't be read in pieces they are read at once.
  defp open({store, sql, parameters, options} = query) do
    case Native.store_cursor(store.resource, store.token, sql, parameters) do
      {:ok, cursor} -> {:cursor, cursor, Request.access(store, options), query}
      {:error, %{reason: :no_cursor}} -> {:whole, query}
      {:error, fault} -> raise Result.exception(fault)
    end
  end

  defp next({:cursor, cursor, access, {store, sql, _parameters, options} = query}) do
    wanted = {options.max_rows, options.max_bytes, options.maps}

    fetch = fn -> Result.await(Native.store_fetch(cursor, access, wanted, options.timeout)) end

    case Request.told(store, :fetch, sql, fetch) do
      {:ok, {true, rows}} -> {rows, {:cursor, cursor, access, query}}
      {:ok, {false, rows}} -> {rows, :done}
      {:error, %Wasgo.StoreError{reason: :no_cursor}} -> next({:whole, query})
      {:error, error} -> raise error
    end
  end

  defp next({:whole, {store, sql, parameters, options}}) do
    options = Keyword.take(Map.to_list(options), [:timeout, :maps, :allow])
    {Result.bang!(Request.query(store, sql, parameters, options)).rows, :done}
  end

  defp next(:done), do: {:halt, :done}

  defp close({:cursor, cursor, _access, _query}), do: Native.store_cursor_close(cursor)
  defp close(_nothing), do: :ok
end
