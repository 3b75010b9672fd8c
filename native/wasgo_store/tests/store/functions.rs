//! SQL functions written in WebAssembly.

use std::time::Duration;

use wasgo_store::{FunctionHost, Options, Params, Request, Store, StoreError, Token, Value};
use wasgo_wasm::{Engine, EngineOptions, Limits};

use crate::support::{PATIENCE, batch, execute, int, one, query, text};

/// The demonstration that libSQL's functions are known by.
pub const FIBONACCI: &str = "
    (module (func (export \"fibonacci\") (param $n i64) (result i64) (local $a i64) (local $b i64) (local $t i64)
      (local.set $b (i64.const 1))
      (block $done (loop $more
        (br_if $done (i64.eqz (local.get $n)))
        (local.set $t (i64.add (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $t))
        (local.set $n (i64.sub (local.get $n) (i64.const 1)))
        (br $more)))
      (local.get $a)))";

/// A memory with an allocator that frees nothing, then more.
fn with_memory(more: &str) -> String {
    format!(
        "(module (memory (export \"memory\") 2) (global $free (mut i32) (i32.const 1024))
           (func $malloc (export \"libsql_malloc\") (param $size i32) (result i32)
             (block $fits
               (br_if $fits (i32.le_u (i32.add (global.get $free) (local.get $size)) (i32.mul (memory.size) (i32.const 65536))))
               (br_if $fits (i32.ne (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))) (i32.const -1)))
               (return (i32.const 0)))
             (global.get $free) (global.set $free (i32.add (global.get $free) (local.get $size))))
           {more})"
    )
}

fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default()).expect("an engine")).clone()
}

fn options(base: Options) -> Options {
    Options { functions: Some(FunctionHost::new(engine())), ..base }
}

fn memory() -> Store {
    Store::open(options(Options::memory())).expect("memory opens")
}

fn create(store: &Store, name: &str, body: &str) -> Result<(), StoreError> {
    let sql = format!("CREATE FUNCTION {name} LANGUAGE wasm AS '{body}'");
    execute(store, &sql, Params::none()).map(drop)
}

fn fails(store: &Store, sql: &str) -> StoreError {
    query(store, sql, Params::none()).expect_err(sql)
}

/// The reason and message of a function's failure.
fn fault(error: &StoreError) -> (&'static str, &str) {
    match error {
        StoreError::Function { reason, message, .. } => (reason, message),
        other => panic!("{other}"),
    }
}

mod defining {
    use super::*;

    #[test]
    fn libsqls_demonstration_runs_and_is_exact() {
        let store = memory();
        create(&store, "fibonacci", FIBONACCI).unwrap();
        assert_eq!(one(&store, "SELECT fibonacci(46)"), int(1_836_311_903));
        assert_eq!(one(&store, "SELECT fibonacci(47)"), int(2_971_215_073));
        assert_eq!(one(&store, "SELECT FIBONACCI(90)"), int(2_880_067_194_370_816_120));
    }

    #[test]
    fn it_is_stored_where_libsql_stores_it_and_known_to_all_connections() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let first = Store::open(options(Options::file(&path))).unwrap();
        let second = Store::open(options(Options::file(&path))).unwrap();
        create(&first, "Fibonacci", FIBONACCI).unwrap();
        assert_eq!(one(&first, "SELECT fibonacci(47)"), int(2_971_215_073));
        assert_eq!(one(&second, "SELECT fibonacci(47)"), int(2_971_215_073));
        let rows = query(&second, "SELECT name, body FROM libsql_wasm_func_table", Params::none()).unwrap().rows;
        assert_eq!(rows, [[text("fibonacci"), text(FIBONACCI)]]);
        let sql = "SELECT sql FROM sqlite_schema WHERE name = 'libsql_wasm_func_table'";
        let Value::Text(sql) = one(&second, sql) else { panic!("a text") };
        assert!(sql.contains("(name text PRIMARY KEY, body text) WITHOUT ROWID"), "{sql}");
        first.close_and_wait().unwrap();
        second.close_and_wait().unwrap();
        let again = Store::open(options(Options::file(&path))).unwrap();
        assert_eq!(one(&again, "SELECT fibonacci(47)"), int(2_971_215_073));
    }

    #[test]
    fn bytes_and_parameters_are_bodies_too() {
        let store = memory();
        let wasm = wat::parse_str("(module (func (export \"seven\") (result i64) i64.const 7))").unwrap();
        let hex: String = wasm.iter().map(|byte| format!("{byte:02x}")).collect();
        execute(&store, &format!("CREATE FUNCTION seven LANGUAGE wasm AS X'{hex}'"), Params::none()).unwrap();
        assert_eq!(one(&store, "SELECT seven()"), int(7));
        execute(&store, "DROP FUNCTION seven", Params::none()).unwrap();
        let params = Params::Named(vec![("body".into(), Value::Blob(wasm))]);
        execute(&store, "CREATE FUNCTION seven LANGUAGE wasm AS :body", params).unwrap();
        assert_eq!(one(&store, "SELECT seven()"), int(7));
        let error = execute(&store, "CREATE FUNCTION f LANGUAGE wasm AS ?", vec![int(1)]).unwrap_err();
        assert_eq!(fault(&error).0, "body");
    }

    #[test]
    fn it_is_there_and_gone_with_its_transaction() {
        let store = memory();
        let token = store.token();
        let within = |request: Request, token: &Token| store.wait(request.within(token));
        store.wait(Request::begin(&token, wasgo_store::Behavior::Immediate)).unwrap();
        let sql = format!("CREATE FUNCTION fibonacci LANGUAGE wasm AS '{FIBONACCI}'");
        within(Request::execute(sql.clone(), []), &token).unwrap();
        let rows = within(Request::query("SELECT fibonacci(10)", []), &token).unwrap().into_rows();
        assert_eq!(rows.rows, [[int(55)]]);
        store.wait(Request::rollback(&token)).unwrap();
        assert!(fails(&store, "SELECT fibonacci(10)").to_string().contains("no such function: fibonacci"));
        // Replaced within a transaction that is undone, it is the old one again.
        batch(&store, &sql).unwrap();
        let token = store.token();
        store.wait(Request::begin(&token, wasgo_store::Behavior::Immediate)).unwrap();
        let other = "(module (func (export \"fibonacci\") (param i64) (result i64) i64.const -1))";
        let replace = format!("CREATE OR REPLACE FUNCTION fibonacci LANGUAGE wasm AS '{other}'");
        within(Request::execute(replace, []), &token).unwrap();
        let rows = within(Request::query("SELECT fibonacci(10)", []), &token).unwrap().into_rows();
        assert_eq!(rows.rows, [[int(-1)]]);
        store.wait(Request::rollback(&token)).unwrap();
        assert_eq!(one(&store, "SELECT fibonacci(10)"), int(55));
    }

    #[test]
    fn replaced_or_dropped_it_changes_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let writer = Store::open(options(Options::file(&path))).unwrap();
        let reader = Store::open(options(Options::file(&path))).unwrap();
        for number in 1..=20 {
            let body = format!("(module (func (export \"version\") (result i64) i64.const {number}))");
            batch(&writer, &format!("CREATE OR REPLACE FUNCTION version LANGUAGE wasm AS '{body}'")).unwrap();
            for store in [&reader, &writer] {
                assert_eq!(one(store, "SELECT version()"), int(number));
                assert_eq!(one(store, "SELECT version() FROM sqlite_schema LIMIT 1"), int(number));
            }
        }
        // Of another kind, and gone.
        let body = "(module (memory (export \"memory\") 1) (func (export \"version_init\") (result i32) i32.const 8)
          (func (export \"version_step\") (param i32)) (func (export \"version_final\") (param i32) (result i64) i64.const 9))";
        batch(&writer, &format!("CREATE OR REPLACE FUNCTION version LANGUAGE wasm AS '{body}'")).unwrap();
        for store in [&reader, &writer] {
            assert_eq!(one(store, "SELECT version()"), int(9));
        }
        batch(&writer, "DROP FUNCTION version").unwrap();
        for store in [&reader, &writer] {
            assert!(fails(store, "SELECT version()").to_string().contains("no such function: version"));
        }
        batch(&writer, "DROP FUNCTION IF EXISTS version; CREATE TABLE version (a)").unwrap();
    }

    #[test]
    fn what_is_there_is_kept_unless_told_otherwise() {
        let store = memory();
        assert!(fails(&store, "DROP FUNCTION f").to_string().contains("no such function: f"));
        execute(&store, "DROP FUNCTION IF EXISTS f", Params::none()).unwrap();
        create(&store, "f", "(module (func (export \"f\") (result i64) i64.const 1))").unwrap();
        let other = "(module (func (export \"f\") (result i64) i64.const 2))";
        let error = create(&store, "f", other).unwrap_err();
        assert_eq!(
            (error.code_name(), error.to_string().contains("function f exists already")),
            ("constraint_primarykey", true)
        );
        execute(&store, &format!("CREATE FUNCTION IF NOT EXISTS f LANGUAGE wasm AS '{other}'"), Params::none())
            .unwrap();
        assert_eq!(one(&store, "SELECT f()"), int(1));
    }

    #[test]
    fn what_is_no_function_is_refused_and_leaves_nothing() {
        let store = memory();
        for (name, body, reason) in [
            ("f", "(module", "compile"),
            ("f", "", "compile"),
            ("f", "(module)", "missing_export"),
            ("f", "(module (func (export \"f\") (param i64) (result i64 i64) unreachable))", "contract"),
            ("f", "(module (func (export \"f\") (param f32)))", "contract"),
            ("f", "(module (func (export \"f\") (param i32)))", "missing_export"),
            ("f", "(module (func (export \"f\") (result i32) i32.const 0))", "missing_export"),
            ("f", "(module (import \"env\" \"fly\" (func)) (func (export \"f\")))", "missing_import"),
            ("f", "(module (func (export \"f\")) (func $s unreachable) (start $s))", "unreachable"),
            ("f", "(module (func (export \"f_step\") (param i32)))", "missing_export"),
            ("f", "(module (func (export \"f_next\") (param i32) (result i64) i64.const 0))", "missing_export"),
            ("abs", "(module (func (export \"abs\") (param i64) (result i64) i64.const 0))", "name_taken"),
            ("json_each", "(module (func (export \"json_each\")))", "name_taken"),
        ] {
            let error = create(&store, name, body).unwrap_err();
            assert_eq!(fault(&error).0, reason, "{name} {body}: {error}");
            assert!(error.to_string().starts_with(&format!("function {name}: ")), "{error}");
        }
        let long = "f".repeat(200);
        assert_eq!(fault(&create(&store, &long, "(module)").unwrap_err()).0, "name_too_long");
        assert_eq!(one(&store, "SELECT count(*) FROM libsql_wasm_func_table"), int(0));
    }

    #[test]
    fn a_grammar_error_has_its_place() {
        let store = memory();
        let error = fails(&store, "SELECT 1; CREATE FUNCTION f AS ''");
        assert_eq!(error.code_name(), "multiple_statements");
        let error = fails(&store, "CREATE FUNCTION f AS ''");
        assert_eq!((error.code_name(), error.sql_offset()), ("error", Some(18)), "{error}");
    }

    #[test]
    fn confined_sql_makes_none() {
        let store = memory();
        create(&store, "f", "(module (func (export \"f\") (result i64) i64.const 1))").unwrap();
        for sql in ["DROP FUNCTION f", "CREATE FUNCTION g LANGUAGE wasm AS '(module)'"] {
            assert_eq!(store.wait(Request::execute(sql, []).confined()).unwrap_err().code_name(), "auth");
        }
        let rows = store.wait(Request::query("SELECT f()", []).confined()).unwrap().into_rows();
        assert_eq!(rows.rows, [[int(1)]]);
    }

    #[test]
    fn a_deterministic_one_serves_indexes_and_generated_columns_after_a_reopen_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let store = Store::open(options(Options::file(&path))).unwrap();
        batch(
            &store,
            &format!(
                "CREATE FUNCTION fibonacci LANGUAGE wasm DETERMINISTIC AS '{FIBONACCI}';
                 CREATE TABLE t (n INTEGER, f INTEGER AS (fibonacci(n)) STORED);
                 CREATE INDEX by_f ON t (fibonacci(n + 1));
                 INSERT INTO t (n) VALUES (10), (20)"
            ),
        )
        .unwrap();
        store.close_and_wait().unwrap();
        let store = Store::open(options(Options::file(&path))).unwrap();
        execute(&store, "INSERT INTO t (n) VALUES (30)", Params::none()).unwrap();
        assert_eq!(one(&store, "SELECT f FROM t WHERE fibonacci(n + 1) = 1346269"), int(832_040));
        let plan = query(&store, "EXPLAIN QUERY PLAN SELECT f FROM t WHERE fibonacci(n + 1) = 1", Params::none());
        assert!(format!("{:?}", plan.unwrap().rows).contains("by_f"));
        // One that is not declared so serves none.
        create(&store, "g", "(module (func (export \"g\") (param i64) (result i64) (local.get 0)))").unwrap();
        assert!(fails(&store, "CREATE INDEX by_g ON t (g(n))").to_string().contains("non-deterministic"));
        assert_eq!(one(&store, "PRAGMA integrity_check"), text("ok"));
    }

    #[test]
    fn a_store_without_an_engine_says_that_there_are_none() {
        let store = Store::open(Options::memory()).unwrap();
        assert!(create(&store, "f", "(module)").unwrap_err().to_string().contains("not compiled-in"));
    }
}

mod values {
    use super::*;

    #[test]
    fn all_types_go_in_and_out() {
        let store = memory();
        let body = with_memory(
            "(func (export \"same\") (param i32) (result i32) local.get 0)
             (func (export \"integer\") (param i64) (result i64) local.get 0)
             (func (export \"real\") (param f64) (result f64) local.get 0)
             (func (export \"nil\") (param i64))",
        );
        for name in ["same", "integer", "real", "nil"] {
            create(&store, name, &body).unwrap();
        }
        let long = "é".repeat(100_000);
        for value in [
            text(""),
            text("hé"),
            Value::Text(long.clone()),
            Value::Null,
            Value::Blob(vec![]),
            Value::Blob(vec![0, 3, 4, 5, 255]),
            Value::Blob(vec![7; 300_000]),
        ] {
            let rows = query(&store, "SELECT same(?1), typeof(same(?1))", vec![value.clone()]).unwrap().rows;
            assert_eq!(rows[0][0], value);
        }
        for integer in [0, 1, -1, i64::MIN, i64::MAX, 1 << 53] {
            assert_eq!(query(&store, "SELECT integer(?)", vec![int(integer)]).unwrap().rows, [[int(integer)]]);
        }
        for real in [0.1, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY] {
            let rows = query(&store, "SELECT real(?)", vec![Value::Real(real)]).unwrap().rows;
            assert_eq!(rows, [[Value::Real(real)]]);
        }
        assert_eq!(one(&store, "SELECT real(3)"), Value::Real(3.0));
        assert_eq!(one(&store, "SELECT integer(3.0)"), int(3));
        assert_eq!(one(&store, "SELECT real(9e999 - 9e999)"), Value::Null);
        assert_eq!(one(&store, "SELECT integer(NULL)"), Value::Null);
        assert_eq!(one(&store, "SELECT nil(1)"), Value::Null);
    }

    #[test]
    fn an_argument_of_another_type_is_named() {
        let store = memory();
        create(&store, "f", &with_memory("(func (export \"f\") (param i64 f64 i32) (result i64) i64.const 1)"))
            .unwrap();
        for (sql, message) in [
            ("SELECT f('a', 1, 'a')", "argument 1 is a TEXT, and it takes an INTEGER"),
            ("SELECT f(1.5, 1, 'a')", "argument 1 is a REAL, and it takes an INTEGER"),
            ("SELECT f(1, x'00', 'a')", "argument 2 is a BLOB, and it takes a number"),
            ("SELECT f(1, 1, 1)", "argument 3 is an INTEGER, and it takes a TEXT, a BLOB or NULL"),
            ("SELECT f(1)", "it takes 3 arguments, and was given 1"),
        ] {
            assert_eq!(fault(&fails(&store, sql)), ("contract", message));
        }
        assert_eq!(one(&store, "SELECT f(1, 2, 'a')"), int(1));
    }

    #[test]
    fn a_guest_that_lies_is_an_error_and_the_next_call_is_well() {
        let store = memory();
        let body = |number: &str| {
            with_memory(&format!(
                "(data (i32.const 100) \"\\03no end\") (data (i32.const 131071) \"\\04\") (data (i32.const 200) \"\\04\\ff\\ff\\ff\\ff\")
                 (data (i32.const 300) \"\\03\\ff\\00\") (data (i32.const 131060) \"\\03abcdefghij\")
                 (func (export \"lie\") (result i32) i32.const {number})"
            ))
        };
        for (at, message) in [
            ("0", "a pointer to the byte 0"),
            ("-1", "outside of its memory"),
            ("131072", "outside of its memory"),
            ("131071", "outside of its memory"),
            ("200", "limit"),
            ("300", "not UTF-8"),
            ("131060", "does not end"),
        ] {
            batch(&store, &format!("CREATE OR REPLACE FUNCTION lie LANGUAGE wasm AS '{}'", body(at))).unwrap();
            let error = fails(&store, "SELECT lie()");
            assert!(error.to_string().starts_with("function lie: ") && error.to_string().contains(message), "{error}");
        }
        for bad in ["i32.const 0", "i32.const -8", "i32.const 131070"] {
            let body = format!(
                "(module (memory (export \"memory\") 2) (func (export \"libsql_malloc\") (param i32) (result i32) {bad})
                   (func (export \"lie\") (param i32) (result i64) i64.const 1))"
            );
            batch(&store, &format!("CREATE OR REPLACE FUNCTION lie LANGUAGE wasm AS '{body}'")).unwrap();
            let error = fails(&store, "SELECT lie('text')");
            assert!(error.to_string().contains("libsql_malloc"), "{error}");
        }
        create(&store, "fibonacci", FIBONACCI).unwrap();
        assert_eq!(one(&store, "SELECT fibonacci(10)"), int(55));
    }

    #[test]
    fn modules_that_never_free_may_be_called_for_ever() {
        let store = Store::open(Options {
            functions: Some(FunctionHost {
                limits: Limits { memory: 4 << 20, ..Limits::default() },
                ..FunctionHost::new(engine())
            }),
            ..Options::memory()
        })
        .unwrap();
        create(&store, "same", &with_memory("(func (export \"same\") (param i32) (result i32) local.get 0)")).unwrap();
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
                   SELECT sum(length(same(zeroblob(10000)))) FROM n";
        assert_eq!(one(&store, sql), int(30_000_000));
    }

    #[test]
    fn what_a_module_frees_is_given_back() {
        let store = memory();
        // Counts what is allocated and not freed.
        let body = "(module (memory (export \"memory\") 1) (global $live (mut i64) (i64.const 0))
            (func (export \"libsql_malloc\") (param i32) (result i32)
              (global.set $live (i64.add (global.get $live) (i64.const 1))) i32.const 1024)
            (func (export \"libsql_free\") (param i32) (global.set $live (i64.sub (global.get $live) (i64.const 1))))
            (func (export \"live\") (param i32) (result i64) (global.get $live)))";
        create(&store, "live", body).unwrap();
        let rows = query(&store, "SELECT live('a') UNION ALL SELECT live('b')", Params::none()).unwrap().rows;
        assert_eq!(rows, [[int(1)], [int(1)]]);
    }

    #[test]
    fn wasi_is_there_and_reaches_nothing() {
        let store = memory();
        let body = "(module
            (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock (param i32 i64 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"fd_prestat_get\" (func $prestat (param i32 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $environ (param i32 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
            (memory (export \"memory\") 1)
            (data (i32.const 0) \"\\10\\00\\00\\00\\05\\00\\00\\00hello\")
            (func (export \"_start\") unreachable)
            (func (export \"time\") (result i64) (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 64))) (i64.load (i32.const 64)))
            (func (export \"dice\") (result i64) (drop (call $random (i32.const 64) (i32.const 8))) (i64.load (i32.const 64)))
            (func (export \"say\") (result i64)
              (i64.extend_i32_u (i32.add (i32.mul (i32.const 1000) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
                (i32.load (i32.const 64)))))
            (func (export \"folders\") (result i64) (i64.extend_i32_u (call $prestat (i32.const 3) (i32.const 64))))
            (func (export \"variables\") (result i64) (drop (call $environ (i32.const 64) (i32.const 68))) (i64.load (i32.const 64)))
            (func (export \"files\") (result i64) (i64.extend_i32_u (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
                (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 64))))
            (func (export \"leave\") (result i64) (call $exit (i32.const 3)) unreachable))";
        for name in ["time", "dice", "say", "folders", "variables", "files", "leave"] {
            create(&store, &format!("\"{name}\""), body)
                .map_or_else(|error| assert_eq!(fault(&error).0, "name_taken"), drop);
        }
        assert_eq!(one(&store, "SELECT say()"), int(5));
        assert_eq!(one(&store, "SELECT folders()"), int(8));
        assert_eq!(one(&store, "SELECT variables()"), int(0));
        assert_eq!(one(&store, "SELECT files()"), int(52));
        let dice = one(&store, "SELECT dice()");
        assert!(dice != int(0) && dice == one(&store, "SELECT dice()"));
        let error = fails(&store, "SELECT leave()");
        assert!(error.to_string().contains("ended its program with status 3"), "{error}");
    }
}

mod running {
    use super::*;

    const SPIN: &str = "(module (func (export \"spin\") (result i64) (loop (br 0)) unreachable))";

    #[test]
    fn a_trap_is_an_error_that_names_the_function_and_the_transaction_can_go_on() {
        let store = memory();
        let body =
            "(module (func (export \"divide\") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1))))";
        batch(&store, &format!("CREATE TABLE t (v); CREATE FUNCTION divide LANGUAGE wasm AS '{body}'")).unwrap();
        let token = store.token();
        store.wait(Request::begin(&token, wasgo_store::Behavior::Immediate)).unwrap();
        store.wait(Request::execute("INSERT INTO t VALUES (divide(6, 3))", []).within(&token)).unwrap();
        let error =
            store.wait(Request::execute("INSERT INTO t VALUES (1), (divide(1, 0))", []).within(&token)).unwrap_err();
        assert_eq!(fault(&error).0, "integer_division_by_zero", "{error}");
        assert_eq!((error.code_name(), error.sqlite_code()), ("function", Some(1)));
        store.wait(Request::execute("INSERT INTO t VALUES (divide(9, 3))", []).within(&token)).unwrap();
        store.wait(Request::commit(&token)).unwrap();
        let rows = query(&store, "SELECT v FROM t", Params::none()).unwrap().rows;
        assert_eq!(rows, [[int(2)], [int(3)]]);
    }

    #[test]
    fn one_that_spins_is_stopped_by_the_statements_deadline() {
        let store = memory();
        create(&store, "spin", SPIN).unwrap();
        let request = Request::query("SELECT spin()", []).timeout(Duration::from_millis(50));
        assert_eq!(store.wait(request).unwrap_err().code_name(), "timeout");
        assert_eq!(one(&store, "SELECT 1"), int(1));
    }

    #[test]
    fn one_that_spins_is_stopped_by_its_own_limit_and_by_an_interrupt() {
        let store = Store::open(Options {
            functions: Some(FunctionHost { timeout: Duration::from_millis(50), ..FunctionHost::new(engine()) }),
            ..Options::memory()
        })
        .unwrap();
        create(&store, "spin", SPIN).unwrap();
        let error = store.wait(Request::query("SELECT spin()", []).timeout(PATIENCE)).unwrap_err();
        assert_eq!(fault(&error).0, "time", "{error}");
        let store = memory();
        create(&store, "spin", SPIN).unwrap();
        let answer = crate::support::send(&store, Request::query("SELECT spin()", []));
        let error = loop {
            // The first may come before it runs.
            store.interrupt();
            match answer.try_recv() {
                Ok(answer) => break answer.unwrap_err(),
                Err(_) => std::thread::yield_now(),
            }
        };
        assert_eq!(error, StoreError::Interrupted);
    }

    #[test]
    fn one_that_takes_memory_without_end_hits_its_limit() {
        let store = memory();
        let body = "(module (memory (export \"memory\") 1)
            (func (export \"bomb\") (result i64) (loop (br_if 0 (i32.ne (memory.grow (i32.const 100)) (i32.const -1)))) unreachable))";
        create(&store, "bomb", body).unwrap();
        assert_eq!(fault(&fails(&store, "SELECT bomb()")).0, "memory");
        let deep = "(module (func $f (export \"deep\") (result i64) (i64.add (call $f) (i64.const 1))))";
        create(&store, "deep", deep).unwrap();
        assert_eq!(fault(&fails(&store, "SELECT deep()")).0, "stack");
    }

    #[test]
    fn a_start_function_that_spins_stops_the_creation() {
        let store = memory();
        let sql =
            "CREATE FUNCTION f LANGUAGE wasm AS '(module (func (export \"f\")) (func $s (loop (br 0))) (start $s))'";
        let error = store.wait(Request::execute(sql, []).timeout(Duration::from_millis(100))).unwrap_err();
        assert_eq!(error.code_name(), "timeout", "{error}");
        assert_eq!(one(&store, "SELECT count(*) FROM libsql_wasm_func_table"), int(0));
    }

    #[test]
    fn a_view_in_the_tables_place_is_no_trap() {
        let store = memory();
        batch(&store, "CREATE VIEW libsql_wasm_func_table AS SELECT 'f' AS name, f() AS body").unwrap();
        assert!(fails(&store, "SELECT f()").to_string().contains("no such function: f"));
    }
}

mod aggregates {
    use super::*;

    /// Sums, in states of eight bytes each.
    fn total() -> String {
        with_memory(
            "(func (export \"total_of_init\") (result i32) (local $state i32)
               (local.set $state (call $malloc (i32.const 8))) (i64.store (local.get $state) (i64.const 0)) (local.get $state))
             (func (export \"total_of_step\") (param i32 i64)
               (if (i64.eq (local.get 1) (i64.const 666)) (then unreachable))
               (i64.store (local.get 0) (i64.add (i64.load (local.get 0)) (local.get 1))))
             (func (export \"total_of_inverse\") (param i32 i64)
               (i64.store (local.get 0) (i64.sub (i64.load (local.get 0)) (local.get 1))))
             (func (export \"total_of_value\") (param i32) (result i64) (i64.load (local.get 0)))
             (func (export \"total_of_final\") (param i32) (result i64) (i64.load (local.get 0)))",
        )
    }

    #[test]
    fn groups_have_states_of_their_own() {
        let store = memory();
        create(&store, "total_of", &total()).unwrap();
        batch(
            &store,
            "CREATE TABLE t (g, v); INSERT INTO t VALUES ('a', 1), ('b', 10), ('a', 2), ('b', NULL), ('c', NULL)",
        )
        .unwrap();
        let rows = query(&store, "SELECT g, total_of(v) FROM t GROUP BY g ORDER BY g", Params::none()).unwrap().rows;
        assert_eq!(rows, [[text("a"), int(3)], [text("b"), int(10)], [text("c"), int(0)]]);
        assert_eq!(one(&store, "SELECT total_of(v) FROM t WHERE g = 'none'"), int(0));
        let rows = query(&store, "SELECT total_of(v), total_of(v + 1) FROM t WHERE v", Params::none()).unwrap().rows;
        assert_eq!(rows, [[int(13), int(16)]]);
    }

    #[test]
    fn windows_take_rows_back() {
        let store = memory();
        create(&store, "total_of", &total()).unwrap();
        let sql = "SELECT total_of(column1) OVER (ORDER BY column1 ROWS 1 PRECEDING) FROM (VALUES (1), (2), (3), (4))";
        let rows = query(&store, sql, Params::none()).unwrap().rows;
        assert_eq!(rows, [[int(1)], [int(3)], [int(5)], [int(7)]]);
    }

    #[test]
    fn a_trap_ends_the_statement_and_the_next_is_well() {
        let store = memory();
        create(&store, "total_of", &total()).unwrap();
        let sql = "SELECT column2, total_of(column1) FROM (VALUES (1, 1), (666, 2), (3, 3)) GROUP BY column2";
        assert_eq!(fault(&fails(&store, sql)).0, "unreachable");
        assert_eq!(one(&store, "SELECT total_of(column1) FROM (VALUES (4), (5))"), int(9));
    }
}

mod tables {
    use super::*;

    /// Numbers from the first argument on, below the second, each with its square and a text.
    fn squares() -> String {
        with_memory(
            // A row of three TEXTs, and one of INTEGER, REAL, TEXT.
            "(data (i32.const 16) \"\\03\\00\\00\\00\\44\\00\\00\\00\\03\\00\\00\\00\\01\\00\\00\\00\\38\\00\\00\\00\\00\\00\\00\\00\\03\\00\\00\\00\\06\\00\\00\\00\\39\\00\\00\\00\\00\\00\\00\\00\\03\\00\\00\\00\\04\\00\\00\\00\\3f\\00\\00\\00\\00\\00\\00\\00nsquareword!\")
             (data (i32.const 200) \"\\03\\00\\00\\00\\3a\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00\")
             (data (i32.const 224) \"\\02\\00\\00\\00\\00\\00\\00\\00\")
             (data (i32.const 240) \"\\03\\00\\00\\00\\02\\00\\00\\00\\38\\00\\00\\00\\00\\00\\00\\00hi\")
             (func (export \"squares_columns\") (result i64) (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const 68)))
             (func (export \"squares_open\") (param i64 i64) (result i32) (local $state i32)
               (local.set $state (call $malloc (i32.const 16)))
               (i64.store (local.get $state) (local.get 0)) (i64.store offset=8 (local.get $state) (local.get 1)) (local.get $state))
             (func (export \"squares_next\") (param i32) (result i64) (local $n i64)
               (local.set $n (i64.load (local.get 0)))
               (if (i64.ge_s (local.get $n) (i64.load offset=8 (local.get 0))) (then (return (i64.const 0))))
               (if (i64.eq (local.get $n) (i64.const 666)) (then unreachable))
               (i64.store (local.get 0) (i64.add (local.get $n) (i64.const 1)))
               (i64.store (i32.const 216) (local.get $n))
               (f64.store (i32.const 232) (f64.convert_i64_s (i64.mul (local.get $n) (local.get $n))))
               (i64.or (i64.shl (i64.const 200) (i64.const 32)) (i64.const 58)))",
        )
    }

    #[test]
    fn rows_come_one_by_one_with_the_columns_that_it_names() {
        let store = memory();
        create(&store, "squares", &squares()).unwrap();
        let rows = query(&store, "SELECT * FROM squares(2, 4)", Params::none()).unwrap();
        assert_eq!(rows.columns, ["n", "square", "word"]);
        assert_eq!(rows.rows, [[int(2), Value::Real(4.0), text("hi")], [int(3), Value::Real(9.0), text("hi")],]);
        // For ever, as far as it goes.
        let rows = query(&store, "SELECT n FROM squares(1, 9000000000000000000) LIMIT 2", Params::none()).unwrap();
        assert_eq!(rows.rows, [[int(1)], [int(2)]]);
        let sql = "SELECT a.n, b.n FROM squares(1, 3) AS a, squares(a.n, 3) AS b ORDER BY 1, 2";
        let rows = query(&store, sql, Params::none()).unwrap();
        assert_eq!(rows.rows, [[int(1), int(1)], [int(1), int(2)], [int(2), int(2)]]);
        assert_eq!(query(&store, "SELECT n FROM squares(1, NULL)", Params::none()).unwrap().rows.len(), 0);
        assert_eq!(one(&store, "SELECT count(*) FROM squares(1000, 11000)"), int(10_000));
    }

    #[test]
    fn what_is_wrong_with_a_scan_is_an_error() {
        let store = memory();
        create(&store, "squares", &squares()).unwrap();
        assert_eq!(
            fault(&fails(&store, "SELECT * FROM squares(1)")),
            ("contract", "it takes 2 arguments, and was given 1")
        );
        assert_eq!(fault(&fails(&store, "SELECT * FROM squares(660, 700)")).0, "unreachable");
        assert!(fails(&store, "SELECT * FROM squares(1, 2, 3)").to_string().contains("too many arguments"));
        assert_eq!(one(&store, "SELECT n FROM squares(7, 8)"), int(7));
        let lying = squares().replace("i64.const 58", "i64.const 40");
        batch(&store, &format!("CREATE OR REPLACE FUNCTION squares LANGUAGE wasm AS '{lying}'")).unwrap();
        assert_eq!(fault(&fails(&store, "SELECT * FROM squares(1, 2)")).0, "contract");
    }

    #[test]
    fn a_view_may_use_it() {
        let store = memory();
        create(&store, "squares", &squares()).unwrap();
        batch(&store, "CREATE VIEW few AS SELECT n FROM squares(1, 4)").unwrap();
        assert_eq!(one(&store, "SELECT sum(n) FROM few"), int(6));
    }
}
