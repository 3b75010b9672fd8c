defmodule Wasgo.Store.Request do
  @moduledoc false
  # Statements on their way to the database, and their answers.

  alias Wasgo.{Native, Telemetry}
  alias Wasgo.Native.{Result, Weight}
  alias Wasgo.Store.Access

  @timeout 5_000

  @call_options [
    timeout: [type: :timeout, default: @timeout],
    allow: [type: {:or, [:keyword, {:in, [nil]}]}, default: nil]
  ]

  @query_options [
    timeout: [type: :timeout, default: @timeout],
    max_rows: [type: :pos_integer, default: 100_000],
    max_bytes: [type: :pos_integer, default: 64 * 1_048_576],
    maps: [type: :boolean, default: false],
    allow: [type: {:or, [:keyword, {:in, [nil]}]}, default: nil]
  ]

  # What most calls have: looked at once, here.
  @call_defaults Map.new(@call_options, fn {name, spec} -> {name, spec[:default]} end)
  @query_defaults Map.new(@query_options, fn {name, spec} -> {name, spec[:default]} end)

  @spec default(atom()) :: term()
  def default(option), do: Map.fetch!(@query_defaults, option)

  def execute(store, sql, parameters, options) do
    options = call_options!(options, "execute/4")
    store |> ask({:execute, sql, parameters}, sql, parameters, options) |> executed()
  end

  def execute_many(store, sql, rows, options) do
    options = call_options!(options, "execute_many/4")
    store |> ask({:execute_many, sql, rows}, sql, rows, options) |> executed()
  end

  def batch(store, sql, options) do
    options = call_options!(options, "batch/3")
    with {:ok, _done} <- ask(store, {:batch, sql}, sql, [], options), do: :ok
  end

  def query(store, sql, parameters, options) do
    options = query_options!(options)
    wanted = {options.max_rows, options.max_bytes, options.maps}

    answer =
      if store.readers and store.token == nil do
        access = access(store, options)

        told(store, :query, sql, fn ->
          store.resource
          |> Native.store_query(access, sql, parameters, wanted, options.timeout)
          |> Result.await()
        end)
      else
        ask(store, {:query, sql, parameters, wanted}, sql, parameters, options)
      end

    with {:ok, {columns, rows}} <- answer, do: {:ok, %{columns: columns, rows: rows}}
  end

  @spec notify(Wasgo.Store.t(), tuple(), timeout()) ::
          {:ok, [{String.t(), {:ok, map() | nil} | {:error, Exception.t()}}]}
          | {:error, Exception.t()}
  def notify(store, request, timeout) do
    {:notify, _kind?, _of, _what, row} = request

    with {:ok, answers} <- ask(store, request, "", row, %{timeout: timeout, allow: nil}) do
      {:ok, Enum.map(answers, &answer/1)}
    end
  end

  # What is larger than a small map comes as pairs.
  defp answer({object, {:ok, pairs}}) when is_list(pairs) do
    map = Map.new(pairs)

    if map_size(map) == length(pairs) do
      {object, {:ok, map}}
    else
      message = "object #{object}: its script names a column twice"
      {object, {:error, %Wasgo.StoreError{reason: :script, cause: :contract, message: message}}}
    end
  end

  defp answer({_object, {:ok, _map}} = answer), do: answer
  defp answer({object, {:error, fault}}), do: {object, {:error, Result.exception(fault)}}

  # What the SQL of a call may reach: what its handle may, and of that what the call lets it.
  @spec access(Wasgo.Store.t(), map()) :: reference() | nil
  def access(%{access: access}, %{allow: nil}), do: access
  def access(store, %{allow: allow}), do: Access.new(store, allow, "allow:")

  # Puts a request into a queue and waits for its answer. What is heavy to copy there is copied on a dirty scheduler.
  defp ask(store, request, sql, parameters, options) do
    asker = {store.token, access(store, options)}

    told(store, elem(request, 0), sql, fn ->
      native =
        if Weight.heavy?(sql, parameters) do
          Native.store_submit_dirty(store.resource, asker, request, options.timeout)
        else
          Native.store_submit(store.resource, asker, request, options.timeout)
        end

      Result.await(native)
    end)
  end

  # A request as a span of telemetry's.
  @spec told(Wasgo.Store.t(), atom(), String.t(), fun()) :: term()
  def told(store, operation, sql, request) do
    about = %{operation: operation, location: store.location, sql: sql}
    Telemetry.span(:query, %{}, about, request, &%{rows: rows(&1)})
  end

  defp rows({:ok, {_columns_or_more, rows}}) when is_list(rows), do: length(rows)
  defp rows({:ok, answers}) when is_list(answers), do: length(answers)
  defp rows(_no_rows), do: 0

  defp executed({:ok, {changes, rowid}}),
    do: {:ok, %{changes: changes, last_insert_rowid: rowid}}

  defp executed({:error, _error} = error), do: error

  defp call_options!([], _function), do: @call_defaults

  defp call_options!(options, function) do
    Wasgo.Options.validate!(options, @call_options, "Wasgo.Store.#{function}")
  end

  defp query_options!([]), do: @query_defaults

  defp query_options!(options) do
    Wasgo.Options.validate!(options, @query_options, "Wasgo.Store.query/4")
  end
end
