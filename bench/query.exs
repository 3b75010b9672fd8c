# What functions and scripts in the database cost, from Elixir: `mix run --no-start bench/query.exs [--quick]`. Started by hand; nothing fails
# because a machine is slow. `cargo bench -p wasgo_store --bench functions` beforehand says what a function in C costs there.

Code.require_file("measure.exs", __DIR__)

alias Wasgo.{Script, Store}
alias Wasgo.Script.Registry

defmodule Bench.Query do
  @add "(module (func (export \"add_one\") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1))))"

  @echo """
  (module (memory (export "memory") 1) (data (i32.const 16) "x")
    (func (export "_columns") (result i64) (i64.const 0x10_00000001))
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_notification") (param i32) (param $at i32) (param $length i32) (result i64)
      (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))
  """

  def fill(store, objects) do
    :ok = Store.create_function(store, "add_one", @add)
    {:ok, _} = Registry.put(store, "echo", @echo)
    {:ok, _} = Registry.put(store, "pet", File.read!("guest/scripts/pet.wat"), grants: [:state])

    for {kind, script, count} <- [
          {"echo", "echo", objects},
          {"pet", "pet", objects},
          {"one", "pet", 1},
          {"alone", "echo", 1}
        ] do
      sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) " <>
          "INSERT INTO wasgo_objects (id, kind, script) SELECT ? || i, ?, ? FROM n"

      Store.execute!(store, sql, [count, kind, kind, script], timeout: 60_000)
    end
  end

  def rows(store, call, rows, rounds) do
    sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < #{rows}) SELECT sum(#{call}) FROM n"

    stats = few(rounds, fn -> {:ok, _} = Store.query(store, sql, [], timeout: 600_000) end)
    %{stats | p50: stats.p50 / rows, p99: stats.p99 / rows, max: stats.max / rows}
  end

  def notify(store, object, rounds),
    do:
      Bench.samples(Bench.rounds(rounds), fn ->
        {:ok, %{}} = Script.notify(store, object, :process, [0.05])
      end)

  def many(store, kind, rounds),
    do:
      few(rounds, fn ->
        {:ok, [_ | _]} = Script.notify_many(store, kind, :process, [0.05], timeout: 600_000)
      end)

  # Few and long: in one process, whose garbage is no other's.
  defp few(rounds, fun) do
    Bench.apart(fn ->
      fun.()

      Bench.Stats.of_list(
        for _ <- 1..rounds do
          began = :erlang.monotonic_time()
          fun.()
          :erlang.monotonic_time() - began
        end
      )
    end)
  end

  def kept(true), do: "yes"
  def kept(false), do: "no"
end

alias Bench.Query, as: Q

Bench.header()
{rows, objects, rounds} = if Bench.quick?(), do: {10_000, 100, 2}, else: {1_000_000, 10_000, 20}
folder = Path.join(System.tmp_dir!(), "wasgo-query-bench-#{System.pid()}")
File.mkdir_p!(folder)
store = Store.open!(Path.join(folder, "file.db"))
memory = Store.open!(:memory)
for store <- [store, memory], do: Q.fill(store, objects)

none = Bench.step("rows", fn -> Q.rows(store, "i", rows, rounds) end)
builtin = Bench.step("rows of abs", fn -> Q.rows(store, "abs(i)", rows, rounds) end)
wasm = Bench.step("rows of wasm", fn -> Q.rows(store, "add_one(i)", rows, rounds) end)
one = Bench.step("notifications", fn -> Q.notify(store, "alone1", 4_000) end)
keeps = Bench.step("notifications with state", fn -> Q.notify(store, "one1", 1_000) end)
one_memory = Bench.step("notifications in memory", fn -> Q.notify(memory, "alone1", 4_000) end)

keeps_memory =
  Bench.step("notifications with state in memory", fn -> Q.notify(memory, "one1", 4_000) end)

many = Bench.step("objects", fn -> Q.many(store, "echo", rounds) end)
many_keep = Bench.step("objects with state", fn -> Q.many(store, "pet", rounds) end)

many_keep_memory =
  Bench.step("objects with state in memory", fn -> Q.many(memory, "pet", rounds) end)

# The same work with the script in hand: no database.
bare = Script.new!(Registry.get!(store, "echo").source)
values = List.duplicate([0.05], objects)

alone =
  Bench.samples(Bench.rounds(4_000), fn -> {:ok, [_]} = Script.notify(bare, :process, [0.05]) end)

many_alone =
  Bench.samples(Bench.rounds(1_000), fn ->
    {:ok, _} = Script.notify_many(bare, :process, values)
  end)

time = &Bench.time/1

Bench.table(
  ["", "target", "measured", "kept", "floor"],
  [
    [
      "wasm function, a row of #{Bench.digits(rows)}",
      "-",
      time.(wasm.p50 - none.p50),
      "-",
      "a builtin (`abs`) #{time.(max(builtin.p50 - none.p50, 0))}, the row itself #{time.(none.p50)}"
    ],
    [
      "`notify`, a script without state, p50 / p99",
      "-",
      "#{time.(one.p50)} / #{time.(one.p99)}",
      "-",
      "without a database #{time.(alone.p50)}"
    ],
    [
      "`notify_many`, #{Bench.digits(objects)} objects without state, p50",
      "20 ms",
      time.(many.p50),
      Q.kept(many.p50 <= 20_000_000),
      "without a database #{time.(many_alone.p50)}"
    ]
  ]
)

Bench.table(
  ["more", "p50", "p99", "longest"],
  for {name, stats} <- [
        {"wasm function, a row with the row itself", wasm},
        {"`abs`, likewise", builtin},
        {"`notify`, a file", one},
        {"`notify` with state, a file and its commit", keeps},
        {"`notify` in memory", one_memory},
        {"`notify` with state in memory", keeps_memory},
        {"`notify_many` of #{Bench.digits(objects)}", many},
        {"`notify_many` of #{Bench.digits(objects)} with state, a file and its commit",
         many_keep},
        {"the same in memory", many_keep_memory},
        {"`Script.notify/4`, without a database", alone}
      ] do
    [name, time.(stats.p50), time.(stats.p99), time.(stats.max)]
  end
)

Store.close(store)
File.rm_rf!(folder)
