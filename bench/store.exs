# What a database costs, from Elixir: `mix run --no-start bench/store.exs [--quick]`. Started by hand; nothing fails because a machine is
# slow. `cargo bench -p wasgo_store --bench store` beforehand says what SQLite alone takes.

Code.require_file("measure.exs", __DIR__)

alias Wasgo.Store

defmodule Bench.Store do
  alias Bench.Floor

  @select "SELECT name FROM t WHERE id = ?"
  @scan "SELECT id, name, v FROM t"
  @insert "INSERT INTO t VALUES (?, ?, ?)"
  @heavy "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT count(*) FROM n"

  def table(store),
    do: Store.batch(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, v REAL)")

  def rows(count), do: for(n <- 1..count, do: [n, "name #{n}", n * 0.5])

  # So many rows a second, each time in one transaction.
  def insert(store, rows, times) do
    insert = fn -> {:ok, _} = Store.execute_many(store, @insert, rows, timeout: 60_000) end
    empty = fn _ -> Store.execute!(store, "DELETE FROM t", [], timeout: 60_000) end
    stats = times(times, insert, empty)
    insert.()
    stats
  end

  def scan(store, times, options \\ []) do
    times(times, fn -> {:ok, _} = Store.query(store, @scan, [], options) end)
  end

  def stream(store, times) do
    times(times, fn ->
      store |> Store.stream(@scan) |> Enum.reduce(0, fn _row, sum -> sum + 1 end)
    end)
  end

  # Few and long: in one process, whose garbage is no other's.
  defp times(rounds, fun, tidy \\ & &1) do
    Bench.apart(fn ->
      tidy.(fun.())

      Bench.Stats.of_list(
        for _ <- 1..rounds do
          began = :erlang.monotonic_time()
          result = fun.()
          ended = :erlang.monotonic_time()
          tidy.(result)
          ended - began
        end
      )
    end)
  end

  # These functions are made here, and not in the program below: there each would hold all of its variables, the rows too, and take them
  # along into the process that is measured.
  def select(store, count, rounds),
    do: Bench.samples(Bench.rounds(rounds), selecting(store, count))

  def select_blocks(store, count, rounds) do
    Bench.blocks(Bench.rounds(rounds), selecting(store, count))
  end

  defp selecting(store, count) do
    fn -> {:ok, %{rows: [_row]}} = Store.query(store, @select, [:rand.uniform(count)]) end
  end

  def write(store, count, rounds) do
    sql = "UPDATE t SET v = v + 1 WHERE id = ?"

    Bench.samples(Bench.rounds(rounds), fn ->
      Store.execute!(store, sql, [:rand.uniform(count)])
    end)
  end

  # While so many processes each run one heavy query after another.
  def under_load(store, processes, fun) do
    load =
      for _ <- 1..processes do
        spawn(fn ->
          repeat(fn -> {:ok, _} = Store.query(store, @heavy, [], timeout: 600_000) end)
        end)
      end

    # Until one of them was seen to be too much for a caller's own thread.
    {:ok, _} = Store.query(store, @heavy, [], timeout: 600_000)
    result = fun.()
    Enum.each(load, &Process.exit(&1, :kill))
    Store.interrupt(store)
    result
  end

  defp repeat(fun) do
    fun.()
    repeat(fun)
  end

  def per_second(stats, rows), do: Bench.digits(rows * 1_000_000_000 / stats.p50)

  def floor(name, rows) do
    case Floor.median(name, "store") do
      nil -> "-"
      ns -> Bench.digits(rows * 1_000_000_000 / ns)
    end
  end

  def kept(true), do: "yes"
  def kept(false), do: "no"
end

alias Bench.Store, as: B

Bench.header()
count = if Bench.quick?(), do: 2_000, else: 100_000
rounds = if Bench.quick?(), do: 2, else: 20
folder = Path.join(System.tmp_dir!(), "wasgo-store-bench-#{System.pid()}")
File.mkdir_p!(folder)
store = Store.open!(Path.join(folder, "file.db"))
:ok = B.table(store)
memory = Store.open!(:memory)
:ok = B.table(memory)
rows = B.rows(count)

insert = Bench.step("inserts", fn -> B.insert(store, rows, rounds) end)
insert_memory = Bench.step("inserts into memory", fn -> B.insert(memory, rows, rounds) end)
scan = Bench.step("scans", fn -> B.scan(store, rounds) end)
maps = Bench.step("scans into maps", fn -> B.scan(store, rounds, maps: true) end)
stream = Bench.step("streams", fn -> B.stream(store, rounds) end)
select = Bench.step("selects", fn -> B.select(store, count, 200_000) end)
block = Bench.step("selects, in blocks", fn -> B.select_blocks(store, count, 200) end)
select_memory = Bench.step("selects from memory", fn -> B.select(memory, count, 50_000) end)

loaded =
  Bench.step("selects under load", fn ->
    B.under_load(store, 20, fn -> B.select(store, count, 20_000) end)
  end)

writes = Bench.step("writes", fn -> B.write(store, count, 500) end)

time = &Bench.time/1
per_second = 1_000_000_000 / block.p50

Bench.table(
  ["", "target", "measured", "kept", "SQLite alone, this crate without the BEAM"],
  [
    [
      "inserts in one transaction (`execute_many`), rows a second",
      "500,000",
      B.per_second(insert, count),
      B.kept(count * 1_000_000_000 / insert.p50 >= 500_000),
      "#{B.floor("insert_100k_sqlite", 100_000)}, #{B.floor("insert_100k_store", 100_000)}"
    ],
    [
      "select by primary key, one process, a second",
      "100,000",
      Bench.digits(per_second),
      B.kept(per_second >= 100_000),
      "#{B.floor("select_sqlite", 1)}, #{B.floor("select_store", 1)}"
    ],
    [
      "scan of #{Bench.digits(count)} rows of 3 values, rows a second",
      "2,000,000",
      B.per_second(scan, count),
      B.kept(count * 1_000_000_000 / scan.p50 >= 2_000_000),
      "#{B.floor("scan_100k_sqlite", 100_000)}, #{B.floor("scan_100k_store", 100_000)}"
    ],
    [
      "select by primary key while 20 processes run heavy queries, longest of #{Bench.digits(loaded.count)}",
      "50 ms",
      time.(loaded.max),
      B.kept(loaded.max <= 50_000_000),
      "-"
    ]
  ]
)

Bench.table(
  ["more", "p50", "p99", "longest"],
  for {name, stats} <- [
        {"select by primary key, a file", select},
        {"the same, mean of a block of 1,000 without the clock", block},
        {"the same while 20 processes run heavy queries", loaded},
        {"the same from a database in memory, which has one connection", select_memory},
        {"scan of #{Bench.digits(count)} rows", scan},
        {"the same into maps", maps},
        {"the same as a stream, 1,000 rows at a time", stream},
        {"insert of #{Bench.digits(count)} rows into a file", insert},
        {"the same into memory", insert_memory},
        {"one update and its commit, `synchronous: :full`", writes}
      ] do
    [name, time.(stats.p50), time.(stats.p99), time.(stats.max)]
  end
)

Store.close(store)
File.rm_rf!(folder)
