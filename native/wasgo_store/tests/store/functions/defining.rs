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
    execute(&store, &format!("CREATE FUNCTION IF NOT EXISTS f LANGUAGE wasm AS '{other}'"), Params::none()).unwrap();
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
