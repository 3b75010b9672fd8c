defmodule Wasgo.Store do
  @moduledoc """
  A libSQL database.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, _} = Wasgo.Store.execute(store, "CREATE TABLE pets (name TEXT, age INTEGER)")
      iex> {:ok, _} = Wasgo.Store.execute(store, "INSERT INTO pets VALUES (?, ?)", ["Rex", 3])
      iex> {:ok, result} = Wasgo.Store.query(store, "SELECT * FROM pets WHERE age > :age", age: 2)
      iex> {result.columns, result.rows}
      {["name", "age"], [["Rex", 3]]}

  A database has a thread of its own; every call waits for a message from it and holds no scheduler, however long the statement
  takes. Statements run one after another, each within its time limit (`timeout:`, 5 seconds unless given).

  ## Values

  | SQLite | Elixir |
  | --- | --- |
  | INTEGER | an integer of 64 bits; `true` and `false` are stored as 1 and 0 |
  | REAL | a float, `:infinity` or `:neg_infinity`; `:nan` is stored as NULL, since SQLite has none |
  | TEXT | a UTF-8 binary |
  | BLOB | `{:blob, binary}` |
  | NULL | `nil` |

  Parameters are a list for `?`, or a keyword list (or a list of `{"name", value}`) for `:name`.

  ## Transactions

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> Wasgo.Store.batch(store, "CREATE TABLE log (line TEXT)")
      :ok
      iex> Wasgo.Store.transaction(store, fn tx ->
      ...>   {:ok, %{changes: changes}} = Wasgo.Store.execute(tx, "INSERT INTO log VALUES ('one'), ('two')")
      ...>   changes
      ...> end)
      {:ok, 2}

  Inside, statements go through the function's argument; others wait until the transaction ends. A raise, a `rollback/2` or the
  death of the process undoes it. A transaction within a transaction is a savepoint.
  """

  alias Wasgo.Native
  alias Wasgo.Native.{Result, Weight}

  @enforce_keys [:resource, :ref, :location]
  defstruct [:resource, :ref, :location, :token]

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          location: Path.t() | :memory,
          token: reference() | nil
        }

  @type value ::
          integer()
          | float()
          | String.t()
          | {:blob, binary()}
          | nil
          | boolean()
          | :infinity
          | :neg_infinity
          | :nan

  @type parameters :: [value()] | [{atom() | String.t(), value()}]

  @type executed :: %{changes: non_neg_integer(), last_insert_rowid: integer()}

  @default_timeout 5_000
  @default_rows 100_000
  @default_bytes 64 * 1_048_576

  @open_options [
    read_only: [type: :boolean, default: false],
    create: [type: :boolean, default: true],
    synchronous: [type: {:in, [:off, :normal, :full]}, default: :full],
    busy_timeout: [type: :non_neg_integer, default: 5_000],
    foreign_keys: [type: :boolean, default: true],
    max_bytes: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil]
  ]

  @call_options [timeout: [type: :timeout, default: @default_timeout]]

  @query_options [
    timeout: [type: :timeout, default: @default_timeout],
    max_rows: [type: :pos_integer, default: @default_rows],
    max_bytes: [type: :pos_integer, default: @default_bytes]
  ]

  @doc """
  Opens the database at a path, or a new one in memory with `:memory`.

    * `:read_only` - `false` unless given
    * `:create` - make the file if it is not there; `true` unless given
    * `:synchronous` - `:full` (a commit that returned is on disk after a power cut), `:normal` or `:off`
    * `:busy_timeout` - milliseconds to wait for another process's lock; 5000
    * `:foreign_keys` - `true` unless given
    * `:max_bytes` - how large the file may become

  Errors: `Wasgo.StoreError` with the path in its message.
  """
  @spec open(Path.t() | :memory, keyword()) :: {:ok, t()} | {:error, Wasgo.StoreError.t()}
  def open(location, options \\ []) do
    options = Wasgo.Options.validate!(options, @open_options, "Wasgo.Store.open/2")
    path = if location == :memory, do: nil, else: Path.expand(location)
    synchronous = Enum.find_index([:off, :normal, :full], &(&1 == options.synchronous))

    native =
      {path, options.read_only, options.create, synchronous, options.busy_timeout,
       options.foreign_keys, options.max_bytes}

    with {:ok, resource} <- Result.await(Native.store_open(native)) do
      {:ok, %__MODULE__{resource: resource, ref: make_ref(), location: path || :memory}}
    end
  end

  @doc "As `open/2`, but raises."
  @spec open!(Path.t() | :memory, keyword()) :: t()
  def open!(location, options \\ []), do: Result.bang!(open(location, options))

  @doc """
  Closes the database. What runs is interrupted, what waits is refused. Not needed for data that was committed, nor to free it: a
  store that nobody refers to is closed.
  """
  @spec close(t()) :: :ok
  def close(%__MODULE__{resource: resource}), do: Native.store_close(resource)

  @doc """
  Runs one statement that returns no rows. Options: `:timeout`.
  """
  @spec execute(t(), String.t(), parameters(), keyword()) ::
          {:ok, executed()} | {:error, Wasgo.StoreError.t()}
  def execute(%__MODULE__{} = store, sql, parameters \\ [], options \\ []) when is_binary(sql) do
    %{timeout: timeout} = options!(options, @call_options, "execute/4")
    store |> ask({:execute, sql, parameters}, sql, parameters, timeout) |> executed()
  end

  @doc "As `execute/4`, but raises."
  @spec execute!(t(), String.t(), parameters(), keyword()) :: executed()
  def execute!(store, sql, parameters \\ [], options \\ []) do
    Result.bang!(execute(store, sql, parameters, options))
  end

  @doc """
  Runs one statement once for each of `rows` of parameters, in one transaction.
  """
  @spec execute_many(t(), String.t(), [parameters()], keyword()) ::
          {:ok, executed()} | {:error, Wasgo.StoreError.t()}
  def execute_many(%__MODULE__{} = store, sql, rows, options \\ [])
      when is_binary(sql) and is_list(rows) do
    %{timeout: timeout} = options!(options, @call_options, "execute_many/4")
    store |> ask({:execute_many, sql, rows}, sql, rows, timeout) |> executed()
  end

  @doc """
  Runs one query; its rows are lists, in the order of `columns`.

  Options: `:timeout`; `:max_rows` (#{@default_rows}) and `:max_bytes` (64 MiB): a larger result is an error, not a part of it.
  """
  @spec query(t(), String.t(), parameters(), keyword()) ::
          {:ok, %{columns: [String.t()], rows: [[value()]]}} | {:error, Wasgo.StoreError.t()}
  def query(%__MODULE__{} = store, sql, parameters \\ [], options \\ []) when is_binary(sql) do
    %{timeout: timeout, max_rows: rows, max_bytes: bytes} =
      options!(options, @query_options, "query/4")

    with {:ok, {columns, rows}} <-
           ask(store, {:query, sql, parameters, {rows, bytes}}, sql, parameters, timeout) do
      {:ok, %{columns: columns, rows: rows}}
    end
  end

  @doc "As `query/4`, but raises."
  @spec query!(t(), String.t(), parameters(), keyword()) :: %{
          columns: [String.t()],
          rows: [[value()]]
        }
  def query!(store, sql, parameters \\ [], options \\ []) do
    Result.bang!(query(store, sql, parameters, options))
  end

  @doc """
  Runs several statements, separated by semicolons.
  """
  @spec batch(t(), String.t(), keyword()) :: :ok | {:error, Wasgo.StoreError.t()}
  def batch(%__MODULE__{} = store, sql, options \\ []) when is_binary(sql) do
    %{timeout: timeout} = options!(options, @call_options, "batch/3")
    store |> ask({:batch, sql}, sql, [], timeout) |> done()
  end

  @doc """
  Runs `fun` in a transaction: its value is committed and returned as `{:ok, value}`.

  `rollback/2` within it, a raise, an exit or the process's death undo everything. Options: `:timeout`, for the beginning and the
  commit each.
  """
  @spec transaction(t(), (t() -> value), keyword()) ::
          {:ok, value} | {:error, Wasgo.StoreError.t() | term()}
        when value: var
  def transaction(%__MODULE__{} = store, fun, options \\ []) when is_function(fun, 1) do
    %{timeout: timeout} = options!(options, @call_options, "transaction/3")
    token = store.token || Native.store_token(store.resource)
    inside = %{store | token: token}

    with :ok <- step(inside, :begin, timeout) do
      run(inside, fun, timeout)
    end
  end

  defp run(inside, fun, timeout) do
    value = fun.(inside)

    with {:error, error} <- commit(inside, value, timeout) do
      # What can't be committed would stay open, and keep all others waiting.
      undo(inside, timeout)
      {:error, error}
    end
  catch
    :throw, {__MODULE__, :rollback, token, reason} when token == inside.token ->
      with :ok <- undo(inside, timeout), do: {:error, reason}

    kind, reason ->
      undo(inside, timeout)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp commit(inside, value, timeout) do
    with :ok <- step(inside, :commit, timeout), do: {:ok, value}
  end

  # A statement that was stopped may have undone the transaction already.
  defp undo(inside, timeout) do
    # Undoing is never given less time than usual: left undone, it keeps all others waiting.
    case step(inside, :rollback, max(timeout, @default_timeout)) do
      {:error, %Wasgo.StoreError{reason: :no_transaction}} -> :ok
      result -> result
    end
  end

  @doc """
  Undoes the transaction that it is called in, whose result is then `{:error, reason}`.
  """
  @spec rollback(t(), term()) :: no_return()
  def rollback(%__MODULE__{token: token}, reason) when token != nil do
    throw({__MODULE__, :rollback, token, reason})
  end

  defp step(%{resource: resource, token: token}, step, timeout) do
    resource |> Native.store_submit(token, step, timeout) |> Result.await() |> done()
  end

  # Puts a request into the database's queue and waits for its answer. What is heavy to copy there is copied on a dirty scheduler.
  defp ask(%{resource: resource, token: token}, request, sql, parameters, timeout) do
    with :ok <- utf8(sql) do
      native =
        if Weight.heavy?(sql, parameters) do
          Native.store_submit_dirty(resource, token, request, timeout)
        else
          Native.store_submit(resource, token, request, timeout)
        end

      Result.await(native)
    end
  end

  defp utf8(sql) do
    if String.valid?(sql) do
      :ok
    else
      {:error, %Wasgo.StoreError{reason: :not_utf8, message: "the SQL is not UTF-8"}}
    end
  end

  defp done(answer), do: with({:ok, _done} <- answer, do: :ok)

  defp executed(answer) do
    with {:ok, {changes, rowid}} <- answer do
      {:ok, %{changes: changes, last_insert_rowid: rowid}}
    end
  end

  defp options!(options, schema, function) do
    Wasgo.Options.validate!(options, schema, "Wasgo.Store.#{function}")
  end

  defimpl Inspect do
    def inspect(store, _opts) do
      transaction = if store.token, do: ", in a transaction", else: ""
      "#Wasgo.Store<#{store.location}#{transaction}>"
    end
  end
end
