defmodule Wasgo.Store do
  @moduledoc """
  A libSQL database.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, _} = Wasgo.Store.execute(store, "CREATE TABLE pets (name TEXT, age INTEGER)")
      iex> {:ok, _} = Wasgo.Store.execute(store, "INSERT INTO pets VALUES (?, ?)", ["Rex", 3])
      iex> {:ok, result} = Wasgo.Store.query(store, "SELECT * FROM pets WHERE age > :age", age: 2)
      iex> {result.columns, result.rows}
      {["name", "age"], [["Rex", 3]]}

  No call holds a scheduler, however long its statement takes, and each has a time limit (`timeout:`, 5 seconds unless given).

  ## Who does what

  A database has a thread of its own that writes: what changes something, and what is in a transaction, runs there, one after another.

  Queries of a file, outside transactions, do not wait for it, nor for one another: they see the file as it was when they began (a
  query that begins after a write's answer sees that write). A small one is run at once, on a dirty scheduler; what takes more than about two
  milliseconds is begun anew on one of the threads for that (`readers:`), and so is the same SQL for some seconds after. What only
  the writer knows is asked of it: pragmas, `last_insert_rowid()`, statements with `RETURNING`; and every query once the store's SQL made
  temporary tables, attached a file or set something with a pragma.

  A database in memory, and a file opened with `wal: false` or `readers: 0`, has one connection, which does everything in order.

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

  Inside, statements go through the function's argument; other writers wait until the transaction ends. A raise, a `rollback/2` or the
  death of the process undoes it. A transaction within a transaction is a savepoint.

  ## SQL of others

  `restrict/2` makes a handle for SQL that is not trusted: it reaches the tables and columns that are named, and nothing else. A script
  that is granted such a handle (`Wasgo.Wasm.Imports`) is held to the same.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> :ok = Wasgo.Store.batch(store, "CREATE TABLE pets (name, owner); CREATE TABLE owners (name, address)")
      iex> visitor = Wasgo.Store.restrict(store, read: [{"pets", ["name"]}])
      iex> Wasgo.Store.query!(visitor, "SELECT name FROM pets").rows
      []
      iex> {:error, error} = Wasgo.Store.query(visitor, "SELECT address FROM owners")
      iex> {error.reason, Exception.message(error)}
      {:auth, "not allowed to read owners.address (auth)"}

  ## Functions in WebAssembly

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> wat = ~S|(module (func (export "double") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2))))|
      iex> Wasgo.Store.create_function(store, "double", wat)
      :ok
      iex> Wasgo.Store.query!(store, "SELECT double(21)").rows
      [[42]]

  `create_function/4`, or in SQL as libSQL has it:

      CREATE [OR REPLACE] FUNCTION [IF NOT EXISTS] name LANGUAGE wasm [DETERMINISTIC] AS 'wat' | X'wasm' | ?
      DROP FUNCTION [IF EXISTS] name

  A function is a row of the table `libsql_wasm_func_table`, so that it comes and goes with the transaction that makes it, and every
  connection of this and of other processes has it, also after a restart. The guide `guides/sql-functions.md` says how one is written,
  aggregates and table-valued functions among them.

  ## On a server

      {:ok, store} = Wasgo.Store.open("libsql://pets.example.org", auth_token: token)

  The same calls, on a database of a libSQL server (`sqld` and others that speak Hrana 3 over HTTP). Rows are taken as they come, and held to
  `:max_rows` and `:max_bytes`; no call waits longer than its `:timeout`, whatever the server does. Up to 8 queries are asked at a time,
  beside what writes and what is in a transaction, which goes in order; each of 32 streams has a connection of its own.

  What is different:

    * A statement that was stopped (`:timeout`, `:interrupted`), or whose answer was lost (`:disconnected`), may have been done: nobody here
      knows. In a transaction, the transaction is lost with it, and the server undoes it.
    * A server ends a transaction that is left alone for some seconds (`:stream_expired`, `:transaction_timeout`).
    * Reasons are the server's: where it does not tell SQLite's extended code, `:constraint` may stand for `:constraint_unique`. Parameters
      that don't fit are `:args_invalid`. Infinite floats can't be sent.
    * What a pragma sets and temporary tables belong to a connection of the server, which is not always the same.
    * A stream within a transaction is read at once, and held to `query/4`'s limits.
    * What a query with `RETURNING` wrote stays written if its rows are more than the limits.
    * Not to be had (`:not_remote`): functions in WebAssembly and notifications of scripts, subscriptions, backups, restricted
      handles and the SQL of guests.

  Certificates are checked against Mozilla's list of authorities. The token is in no message and no inspection.

  ## A copy that follows a server

      {:ok, store} = Wasgo.Store.open("pets.db", replica_of: "libsql://pets.example.org", auth_token: token, sync_every: 1_000)
      {:ok, %{frames: _pages}} = Wasgo.Store.sync(store)

  Queries outside transactions read the file, as fast as any file. Writes and transactions go to the server; with `read_your_writes:` (`true`
  unless given) a write's answer waits until the file has it, and if that takes too long the queries go to the server until it has. What
  others write comes with `sync/2`, every `sync_every:` milliseconds, and with each own write. A copy that was complete once can be opened and read
  while its server is away. The file is this store's: nothing else may write to it.

  Both need features of the native half, which it has unless it was built without them (`WASGO_NATIVE_FEATURES`); the reason is `:not_built`
  then. A copy trusts its server with memory and disk: what the server sends in answer to `sync/2` is the `libsql` crate's to read, and not
  held to a limit.
  """

  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.Store.{Access, Cursor, Functions, Holder, Opening, Request, Transaction}

  @enforce_keys [:resource, :ref, :location]
  defstruct [:resource, :ref, :location, :token, :access, :server, readers: false]

  @opaque resource :: reference()

  @type t :: %__MODULE__{
          resource: resource(),
          ref: reference(),
          location: Path.t() | String.t() | :memory,
          server: String.t() | nil,
          token: reference() | nil,
          access: reference() | nil,
          readers: boolean()
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

  @typedoc "A row: its values in the order of the columns, or with `maps: true` by their names."
  @type row :: [value()] | %{String.t() => value()}

  @typedoc """
  A change that was committed. `rowid` is `nil` where rows have none or are not told one by one, `count` where it is not known.
  """
  @type change :: %{
          table: String.t(),
          op: :insert | :update | :delete,
          rowid: integer() | nil,
          count: non_neg_integer() | nil
        }

  @doc type: :open
  @doc """
  Opens the database at a path, a new one in memory with `:memory`, or one on a server at `"http://..."`, `"https://..."` or `"libsql://..."`.

    * `:read_only` - `false` unless given
    * `:create` - make the file if it is not there; `true` unless given
    * `:wal` - the write-ahead log, with which readers and writer do not wait for each other; `true` unless given
    * `:synchronous` - `:full` unless given (a commit that returned is on disk after a power cut), `:normal` or `:off`
    * `:busy_timeout` - milliseconds to wait for another process's lock; 5000
    * `:foreign_keys` - `true` unless given
    * `:max_bytes` - how large the file may become; beyond it writes fail with `:full`. As large as the disk unless given
    * `:readers` - how many threads run long queries of a file; as many as there are processors, and at least 2, unless given. Small
      queries and streams have connections of their own. 0: everything is done in order by one connection

  Of a server, and of a file that is a copy of a server's database; the options above but `:readers` have no meaning for these, and are refused:

    * `:auth_token` - what the server lets one in for
    * `:connect_timeout` - milliseconds for a connection to be made, and for the server's first answer; 5000
    * `:replica_of` - the address of the server that the file is a copy of, and follows
    * `:sync_every` - milliseconds between two looks at what is new there; never by itself unless given
    * `:read_your_writes` - whether a write's answer waits until queries see it; `true` unless given

  Errors: `Wasgo.StoreError` with the path or address in its message; `:unreachable`, `:unauthorized`, `:bad_answer` of a server.

      iex> folder = Path.join(System.tmp_dir!(), "wasgo-\#{System.unique_integer([:positive])}")
      iex> File.mkdir!(folder)
      iex> {:ok, store} = Wasgo.Store.open(Path.join(folder, "world.db"), synchronous: :normal, max_bytes: 64 * 1_048_576)
      iex> Wasgo.Store.close(store)
      :ok
      iex> {:error, error} = Wasgo.Store.open(Path.join(folder, "gone.db"), create: false)
      iex> error.reason
      :cantopen
      iex> File.rm_rf!(folder) != []
      true
  """
  @spec open(Path.t() | :memory, keyword()) :: {:ok, t()} | {:error, Wasgo.StoreError.t()}
  def open(location, options \\ []), do: Opening.open(location, options)

  @doc type: :open
  @doc """
  As `open/2`, but raises.

      iex> Wasgo.Store.open!(:memory)
      #Wasgo.Store<memory>
  """
  @spec open!(Path.t() | :memory, keyword()) :: t()
  def open!(location, options \\ []), do: Result.bang!(open(location, options))

  @doc type: :open
  @doc """
  A specification for a supervisor: of a process that opens a database and closes it at its end.

      children = [{Wasgo.Store, location: "world.db", name: MyApp.Store, synchronous: :normal}]

  The options are `:location`, `:name` (as for `GenServer`) and those of `open/2`. The store is `get(MyApp.Store)`. A `Wasgo.Supervisor` has stores too.
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    {location, options} = Keyword.pop!(options, :location)
    {name, options} = Keyword.pop(options, :name)
    start = %{location: location, name: name, options: options}
    %{id: name || __MODULE__, start: {Holder, :start_link, [start]}, shutdown: 60_000}
  end

  @doc """
  The store that a process holds, which `child_spec/1` describes.

      iex> children = [{Wasgo.Store, location: :memory, name: DocStore}]
      iex> {:ok, _supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      iex> Wasgo.Store.query!(Wasgo.Store.get(DocStore), "SELECT 1").rows
      [[1]]
  """
  @spec get(GenServer.server()) :: t()
  def get(holder), do: GenServer.call(holder, :store)

  @doc """
  Closes the database. What runs is interrupted, what waits is refused. Not needed for data that was committed, nor to free it: a
  store that nobody refers to is closed.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.close(store)
      iex> {:error, error} = Wasgo.Store.query(store, "SELECT 1")
      iex> error.reason
      :closed
  """
  @spec close(t()) :: :ok
  def close(%__MODULE__{resource: resource}), do: Native.store_close(resource)

  @doc type: :open
  @doc """
  Stops what runs now, of whoever asked for it: writer, readers and streams. It answers `:interrupted`, unless it ends first. What
  waits goes on to wait.

      iex> Wasgo.Store.interrupt(Wasgo.Store.open!(:memory))
      :ok
  """
  @spec interrupt(t()) :: :ok
  def interrupt(%__MODULE__{resource: resource}), do: Native.store_interrupt(resource)

  @doc type: :query
  @doc """
  Runs one statement that returns no rows.

  Options: `:timeout`; `:allow`, what the SQL may reach, as in `restrict/2`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> {:ok, _} = Wasgo.Store.execute(store, "CREATE TABLE pets (name, age)")
      iex> Wasgo.Store.execute(store, "INSERT INTO pets VALUES (?, :age)", ["Rex", 3])
      {:ok, %{changes: 1, last_insert_rowid: 1}}
  """
  @spec execute(t(), String.t(), parameters(), keyword()) ::
          {:ok, executed()} | {:error, Wasgo.StoreError.t()}
  def execute(%__MODULE__{} = store, sql, parameters \\ [], options \\ []) when is_binary(sql) do
    Request.execute(store, sql, parameters, options)
  end

  @doc type: :query
  @doc """
  As `execute/4`, but raises.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.batch(store, "CREATE TABLE pets (name, age)")
      iex> Wasgo.Store.execute!(store, "INSERT INTO pets VALUES (?, ?)", ["Rex", 3]).changes
      1
  """
  @spec execute!(t(), String.t(), parameters(), keyword()) :: executed()
  def execute!(store, sql, parameters \\ [], options \\ []) do
    Result.bang!(execute(store, sql, parameters, options))
  end

  @doc type: :query
  @doc """
  Runs one statement once for each of `rows` of parameters, in one transaction. Options as for `execute/4`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.batch(store, "CREATE TABLE pets (name, age)")
      iex> {:ok, %{changes: changes}} = Wasgo.Store.execute_many(store, "INSERT INTO pets VALUES (?, ?)", [["Rex", 3], ["Ada", 5]])
      iex> changes
      2
  """
  @spec execute_many(t(), String.t(), [parameters()], keyword()) ::
          {:ok, executed()} | {:error, Wasgo.StoreError.t()}
  def execute_many(%__MODULE__{} = store, sql, rows, options \\ [])
      when is_binary(sql) and is_list(rows) do
    Request.execute_many(store, sql, rows, options)
  end

  @doc type: :query
  @doc """
  Runs one query; its rows are lists, in the order of `columns`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> Wasgo.Store.query!(store, "SELECT 1 AS one, 'b' AS two", [], maps: true).rows
      [%{"one" => 1, "two" => "b"}]

  Options:

    * `:timeout` - milliseconds, 5,000 unless given
    * `:max_rows` (#{Request.default(:max_rows)}) and `:max_bytes` (64 MiB) - a larger result is an error, not a part of it
    * `:maps` - rows as maps by the names of the columns, which have to be different; `false` unless given
    * `:allow` - what the SQL may reach, as in `restrict/2`; all unless given
  """
  @spec query(t(), String.t(), parameters(), keyword()) ::
          {:ok, %{columns: [String.t()], rows: [row()]}} | {:error, Wasgo.StoreError.t()}
  def query(%__MODULE__{} = store, sql, parameters \\ [], options \\ []) when is_binary(sql) do
    Request.query(store, sql, parameters, options)
  end

  @doc type: :query
  @doc """
  As `query/4`, but raises.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Store.query!(store, "SELECT :name AS name, 3 AS age", name: "Rex")
      %{columns: ["name", "age"], rows: [["Rex", 3]]}
  """
  @spec query!(t(), String.t(), parameters(), keyword()) :: %{
          columns: [String.t()],
          rows: [row()]
        }
  def query!(store, sql, parameters \\ [], options \\ []) do
    Result.bang!(query(store, sql, parameters, options))
  end

  @doc type: :query
  @doc """
  A lazy stream of a query's rows, read in pieces: it may be longer than memory.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT i FROM n"
      iex> {:ok, first} = Wasgo.Store.transaction(store, fn tx -> tx |> Wasgo.Store.stream(sql) |> Enum.take(3) end)
      iex> first
      [[1], [2], [3]]

  The query begins when the first row is wanted, and sees the file as it is then, whatever is written meanwhile. It ends with the
  enumeration, however that ends, and with the process. As long as it is open the log of the file cannot be emptied beyond it; of 32
  open ones the next is refused. Within a transaction it sees what the transaction did, and ends with it.

  What can't be read in pieces is read at once when it begins, and held to `query/4`'s limits: queries of a database with one connection
  outside a transaction, and statements that write.

  An error raises `Wasgo.StoreError`. Options:

    * `:max_rows` (1000) and `:max_bytes` (1 MiB) - how much of it is read at a time
    * `:timeout` - milliseconds for each piece, 5,000 unless given
    * `:maps`, `:allow` - as in `query/4`
  """
  @spec stream(t(), String.t(), parameters(), keyword()) :: Enumerable.t()
  def stream(%__MODULE__{} = store, sql, parameters \\ [], options \\ []) when is_binary(sql) do
    Cursor.stream(store, sql, parameters, options)
  end

  @doc type: :query
  @doc """
  Runs several statements, separated by semicolons. Options as for `execute/4`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Store.batch(store, "CREATE TABLE pets (name, age); INSERT INTO pets VALUES ('Rex', 3), ('Mia', 5)")
      :ok
      iex> Wasgo.Store.query!(store, "SELECT count(*) FROM pets").rows
      [[2]]
  """
  @spec batch(t(), String.t(), keyword()) :: :ok | {:error, Wasgo.StoreError.t()}
  def batch(%__MODULE__{} = store, sql, options \\ []) when is_binary(sql) do
    Request.batch(store, sql, options)
  end

  @doc type: :query
  @doc """
  Runs `fun` in a transaction: its value is committed and returned as `{:ok, value}`.

  `rollback/2` within it, a raise, an exit or the process's death undo everything. Options: `:timeout`, for the beginning and the
  commit each.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.batch(store, "CREATE TABLE coins (owner UNIQUE, count); INSERT INTO coins VALUES ('ada', 5), ('grace', 0)")
      iex> Wasgo.Store.transaction(store, fn tx ->
      ...>   Wasgo.Store.execute!(tx, "UPDATE coins SET count = count - 2 WHERE owner = 'ada'")
      ...>   Wasgo.Store.execute!(tx, "UPDATE coins SET count = count + 2 WHERE owner = 'grace'")
      ...>   :paid
      ...> end)
      {:ok, :paid}
      iex> Wasgo.Store.query!(store, "SELECT count FROM coins ORDER BY owner").rows
      [[3], [2]]
  """
  @spec transaction(t(), (t() -> value), keyword()) ::
          {:ok, value} | {:error, Wasgo.StoreError.t() | term()}
        when value: var
  def transaction(%__MODULE__{} = store, fun, options \\ []) when is_function(fun, 1) do
    Transaction.run(store, fun, options)
  end

  @doc type: :query
  @doc """
  Undoes the transaction that it is called in, whose result is then `{:error, reason}`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Store.transaction(store, fn tx -> Wasgo.Store.rollback(tx, :no_room) end)
      {:error, :no_room}
  """
  @spec rollback(t(), term()) :: no_return()
  def rollback(%__MODULE__{token: token} = store, reason) when token != nil do
    Transaction.rollback(store, reason)
  end

  @doc type: :open
  @doc """
  A handle on the same database for SQL that is trusted with some of it. What is not named is refused with the reason `:auth` and a
  message that names it; so are pragmas, the schema, attached databases and functions that reach beyond the database.

    * `:read` - tables and views that may be read: names, or `{name, columns}`. A view's own tables need not be named, if the SQL has no
      `WITH`. A table-valued function such as `json_each` is a table
    * `:write` - tables whose rows may be made, changed and deleted; with `{name, columns}` rows may only be changed, in those columns.
      To read what it changes (as by a `WHERE`), SQL needs `:read` too
    * `:through` - triggers that may do what they do

  A restricted handle can be restricted further, never less. Full-text tables keep their contents in tables of their own (`name_data` and
  others), which have to be named too.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.batch(store, "CREATE TABLE pets (name, owner, hunger); INSERT INTO pets VALUES ('Rex', 'ada', 3)")
      iex> keeper = Wasgo.Store.restrict(store, read: ["pets"], write: [{"pets", ["hunger"]}])
      iex> Wasgo.Store.execute!(keeper, "UPDATE pets SET hunger = 0 WHERE name = 'Rex'").changes
      1
      iex> {:error, error} = Wasgo.Store.execute(keeper, "UPDATE pets SET owner = 'grace'")
      iex> Exception.message(error)
      "not allowed to update pets.owner (auth)"
  """
  @spec restrict(t(), keyword()) :: t()
  def restrict(%__MODULE__{} = store, allow) do
    %{store | access: Access.new(store, allow, "Wasgo.Store.restrict/2")}
  end

  @doc type: :watch
  @doc """
  Has the calling process told what this store commits from now on: `{:wasgo_store, ref, {:changed, changes}}`, where `ref` is
  `store.ref`, and each of `changes` a `t:change/0`. The message is sent before the write that it is about is answered.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> :ok = Wasgo.Store.batch(store, "CREATE TABLE pets (name)")
      iex> :ok = Wasgo.Store.subscribe(store, ["pets"])
      iex> {:ok, _} = Wasgo.Store.execute(store, "INSERT INTO pets VALUES ('Rex')")
      iex> receive do: ({:wasgo_store, _ref, {:changed, changes}} -> changes)
      [%{table: "pets", op: :insert, rowid: 1, count: 1}]

  Of a commit of more than 1000 rows each table is told how many. Rows of tables `WITHOUT ROWID`, and those that a `DELETE` without a
  `WHERE` removes at once, are told as one change of their table, with neither `rowid` nor `count`; what `REPLACE` removes is not told. What
  other programs write to the file, or other stores on it, is not told.

  A process has one subscription to a store: the next takes its place. It ends with the process, with `unsubscribe/1`, or when the store is
  closed.
  """
  @spec subscribe(t(), [String.t()] | :all) :: :ok | {:error, Wasgo.StoreError.t()}
  def subscribe(%__MODULE__{} = store, tables \\ :all) when is_list(tables) or tables == :all do
    names = if tables == :all, do: nil, else: Enum.map(tables, &to_string/1)

    case Native.store_subscribe(store.resource, store.ref, names, store.access) do
      :ok -> :ok
      {:error, fault} -> {:error, Result.exception(fault)}
    end
  end

  @doc type: :watch
  @doc """
  Ends what `subscribe/2` began. Messages that were sent before are in the mailbox.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.subscribe(store)
      iex> Wasgo.Store.unsubscribe(store)
      :ok
  """
  @spec unsubscribe(t()) :: :ok
  def unsubscribe(%__MODULE__{resource: resource}), do: Native.store_unsubscribe(resource)

  @doc type: :copy
  @doc """
  Fetches what is new on the server into a copy of its database (`replica_of:` of `open/2`).

  `frames` are the changed pages that came, `frame_no` is the number of the last that the copy has, `nil` of an empty database. Options:
  `:timeout`, 60 seconds unless given; what came by then is kept.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:error, error} = Wasgo.Store.sync(store)
      iex> error.reason
      :no_replica
  """
  @spec sync(t(), keyword()) ::
          {:ok, %{frames: non_neg_integer(), frame_no: non_neg_integer() | nil}}
          | {:error, Wasgo.StoreError.t()}
  def sync(%__MODULE__{resource: resource}, options \\ []) do
    schema = [timeout: [type: :timeout, default: 60_000]]
    %{timeout: timeout} = Wasgo.Options.validate!(options, schema, "Wasgo.Store.sync/2")

    with {:ok, {frames, frame_no}} <- Result.await(Native.store_sync(resource, timeout)) do
      {:ok, %{frames: frames, frame_no: frame_no}}
    end
  end

  @doc type: :copy
  @doc """
  Copies the database into a new file, which must not be there yet (`:exists`). Options: `:timeout`, 5 minutes unless given.

  The copy is of the moment when it begins. A file is copied on a thread for that while everything else goes on; a database with one
  connection does nothing else meanwhile. A copy that fails is removed.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.batch(store, "CREATE TABLE pets (name); INSERT INTO pets VALUES ('Rex')")
      iex> path = Path.join(System.tmp_dir!(), "wasgo-backup-\#{System.unique_integer([:positive])}.db")
      iex> :ok = Wasgo.Store.backup(store, path)
      iex> Wasgo.Store.query!(Wasgo.Store.open!(path), "SELECT name FROM pets").rows
      [["Rex"]]
  """
  @spec backup(t(), Path.t(), keyword()) :: :ok | {:error, Wasgo.StoreError.t()}
  def backup(store, path, options \\ [])

  def backup(%__MODULE__{access: nil, token: nil} = store, path, options) do
    schema = [timeout: [type: :timeout, default: 300_000]]
    %{timeout: timeout} = Wasgo.Options.validate!(options, schema, "Wasgo.Store.backup/3")

    with {:ok, _} <-
           Result.await(Native.store_backup(store.resource, Path.expand(path), timeout)) do
      :ok
    end
  end

  def backup(%__MODULE__{access: nil}, _path, _options) do
    message = "a backup can't be made within a transaction"
    {:error, %Wasgo.StoreError{reason: :transaction_control, message: message}}
  end

  def backup(%__MODULE__{}, _path, _options) do
    {:error, %Wasgo.StoreError{reason: :auth, message: "not allowed to copy the database"}}
  end

  @doc type: :function
  @doc """
  Creates a function that SQL can call, of WebAssembly bytes or WAT text.

  The module exports the function under its own name, in upper or lower case. Integers are i64, floats f64, and i32 points to a text, blob
  or NULL in its memory, by libSQL's ABI; modules made by the crate `libsql_bindgen` run unchanged.

  Options:

    * `:replace` - put it in the place of one of that name; `false` unless given, and then that is the error `:constraint_primarykey`
    * `:if_not_exists` - do nothing if there is one; `false` unless given
    * `:deterministic` - it gives the same result for the same arguments, always, so that indexes and generated columns may use it. It is
      held to fuel beside its time. What an index holds of a function that is replaced is made anew by `REINDEX`.
      `false` unless given
    * `:timeout` - for making it; 5 seconds

  Errors: `Wasgo.StoreError` with the reason `:function`; `cause` tells why, such as `:compile`, `:missing_export`, `:missing_import`,
  `:name_taken`. Nothing is changed then.

      iex> store = Wasgo.Store.open!(:memory)
      iex> wat = ~S|(module (func (export "brightness") (param f64) (result f64) (f64.div (local.get 0) (f64.const 24))))|
      iex> :ok = Wasgo.Store.create_function(store, "brightness", wat, deterministic: true)
      iex> Wasgo.Store.query!(store, "SELECT brightness(12.0)").rows
      [[0.5]]
      iex> {:error, error} = Wasgo.Store.create_function(store, "brightness", "(module)", replace: true)
      iex> error.cause
      :missing_export
  """
  @spec create_function(t(), String.t(), binary(), keyword()) ::
          :ok | {:error, Wasgo.StoreError.t()}
  def create_function(store, name, source, options \\ [])

  def create_function(%__MODULE__{server: nil} = store, name, source, options)
      when is_binary(name) and is_binary(source),
      do: Functions.create(store, name, source, options)

  def create_function(%__MODULE__{}, name, source, _options)
      when is_binary(name) and is_binary(source),
      do: not_remote("a function in WebAssembly")

  @doc type: :function
  @doc """
  Drops a function. Options: `:if_exists`, `:timeout`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> :ok = Wasgo.Store.create_function(store, "one", ~s|(module (func (export "one") (result i64) i64.const 1))|)
      iex> Wasgo.Store.drop_function(store, "one")
      :ok
  """
  @spec drop_function(t(), String.t(), keyword()) :: :ok | {:error, Wasgo.StoreError.t()}
  def drop_function(store, name, options \\ [])

  def drop_function(%__MODULE__{server: nil} = store, name, options) when is_binary(name),
    do: Functions.drop(store, name, options)

  def drop_function(%__MODULE__{}, name, _options) when is_binary(name),
    do: not_remote("a function in WebAssembly")

  defp not_remote(what) do
    message = "#{what} is not to be had of a database on a server"
    {:error, %Wasgo.StoreError{reason: :not_remote, message: message}}
  end

  defimpl Inspect do
    def inspect(store, _opts) do
      transaction = if store.token, do: ", in a transaction", else: ""
      restricted = if store.access, do: ", restricted", else: ""
      copy = if store.server not in [nil, store.location], do: ", a copy of #{store.server}"
      "#Wasgo.Store<#{store.location}#{copy}#{restricted}#{transaction}>"
    end
  end
end
