//! Objects that are notified from SQL.

use std::time::Duration;

use wasgo_store::{Access, Behavior, FunctionHost, Options, Params, Request, Store, StoreError, Value};
use wasgo_wasm::{Engine, EngineOptions};

use crate::support::{PATIENCE, batch, execute, int, one, query, text};

/// What the registry of scripts makes.
const TABLES: &str = "
    CREATE TABLE wasgo_schema (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
    INSERT INTO wasgo_schema VALUES ('scripts', 2);
    CREATE TABLE wasgo_scripts (name TEXT NOT NULL PRIMARY KEY, active INTEGER NOT NULL) STRICT;
    CREATE TABLE wasgo_script_versions (name TEXT NOT NULL, version INTEGER NOT NULL, language TEXT NOT NULL, source ANY NOT NULL,
      hash TEXT NOT NULL, author TEXT, created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
      deterministic INTEGER NOT NULL DEFAULT 1, limits TEXT, grants TEXT, columns TEXT NOT NULL, PRIMARY KEY (name, version)) STRICT;
    CREATE TABLE wasgo_objects (id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, script TEXT NOT NULL) STRICT;
    CREATE INDEX wasgo_objects_by_kind ON wasgo_objects (kind, script, id);
    CREATE TABLE wasgo_object_state (object TEXT NOT NULL PRIMARY KEY, entries BLOB NOT NULL) STRICT;";

/// Answers the row that it is given; nothing to 99, and neither to 666 (it traps) nor to 777 (it spins).
const ECHO: &str = r#"(module (memory (export "memory") 1)
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_notification") (param $what i32) (param $at i32) (param $length i32) (result i64)
      (if (i32.eq (local.get $what) (i32.const 99)) (then (return (i64.const 0))))
      (if (i32.eq (local.get $what) (i32.const 666)) (then unreachable))
      (if (i32.eq (local.get $what) (i32.const 777)) (then (loop (br 0))))
      (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))"#;

/// Counts its notifications in what it keeps, answers the count; 666 counts and traps.
const COUNTER: &str = r#"(module
    (import "wasgo" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "count")
    (data (i32.const 64) "\01\00\00\00\18\00\00\00\01\00\00\00\00\00\00\00")
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_notification") (param $what i32) (param i32 i32) (result i64)
      (i64.store (i32.const 80) (i64.const 0))
      (drop (call $get (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
      (i64.store (i32.const 80) (i64.add (i64.load (i32.const 80)) (i64.const 1)))
      (drop (call $set (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
      (if (i32.eq (local.get $what) (i32.const 666)) (then unreachable))
      (i64.or (i64.shl (i64.const 64) (i64.const 32)) (i64.const 24))))"#;

/// Asks what is in its data; answers the first row of the answer, or why there is none.
const ASKING: &str = r#"(module
    (import "wasgo" "sql" (func $sql (param i32 i32 i32 i32) (result i64)))
    (import "wasgo" "sql_error" (func $error (param i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 16) "STATEMENT")
    (data (i32.const 4096) "\01\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00\18\00\00\00\00\00\00\00")
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8192))
    (func (export "_notification") (param i32 i32 i32) (result i64) (local $answer i64) (local $length i32)
      (local.set $answer (call $sql (i32.const 16) (i32.const LENGTH) (i32.const 0) (i32.const 0)))
      (if (result i64) (i64.eqz (local.get $answer))
        (then
          (local.set $length (call $error (i32.const 4120) (i32.const 1000)))
          (i32.store (i32.const 4100) (i32.add (i32.const 24) (local.get $length)))
          (i32.store (i32.const 4108) (local.get $length))
          (i64.or (i64.shl (i64.const 4096) (i64.const 32)) (i64.extend_i32_u (i32.add (i32.const 24) (local.get $length)))))
        (else (local.get $answer)))))"#;

fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default()).expect("an engine")).clone()
}

fn store() -> Store {
    let options = Options { functions: Some(FunctionHost::new(engine())), ..Options::memory() };
    let store = Store::open(options).expect("memory opens");
    batch(&store, TABLES).expect("tables");
    store
}

fn put(store: &Store, name: &str, version: i64, source: &str, grants: &str, columns: &str) {
    let row = vec![text(name), int(version), text(source), text(grants), text(columns)];
    let insert = "INSERT INTO wasgo_script_versions (name, version, language, source, hash, grants, columns)
        VALUES (?1, ?2, 'wat', ?3, '', ?4, ?5)";
    execute(store, insert, row).expect("a version");
    let activate = "INSERT INTO wasgo_scripts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET active = excluded.active";
    execute(store, activate, vec![text(name), int(version)]).expect("a script");
}

fn object(store: &Store, id: &str, kind: &str, script: &str) {
    let row = vec![text(id), text(kind), text(script)];
    execute(store, "INSERT INTO wasgo_objects VALUES (?, ?, ?)", row).expect("an object");
}

fn fails(store: &Store, sql: &str) -> StoreError {
    query(store, sql, Params::none()).expect_err(sql)
}

#[test]
fn the_row_has_the_columns_that_the_script_names() {
    let store = store();
    put(&store, "echo", 1, ECHO, "{}", r#"["position:x", "name"]"#);
    put(&store, "other", 1, ECHO, "", r#"["a", "b", "c"]"#);
    object(&store, "pet", "animal", "echo");
    object(&store, "stone", "thing", "other");
    let rows = query(&store, "SELECT * FROM notify('pet', 17, 1.5, 'Rex')", Params::none()).unwrap();
    assert_eq!(rows.columns, ["position:x", "name"]);
    assert_eq!(rows.rows, [[Value::Real(1.5), text("Rex")]]);
    let params = Params::Named(vec![
        ("object".into(), text("stone")),
        ("what".into(), text("process")),
        ("blob".into(), Value::Blob(vec![0, 255])),
    ]);
    let rows = query(&store, "SELECT * FROM notify(:object, :what, :blob, NULL, 7)", params).unwrap();
    assert_eq!(rows.columns, ["a", "b", "c"]);
    assert_eq!(rows.rows, [[Value::Blob(vec![0, 255]), Value::Null, int(7)]]);
    // Both at once, and a column by its name.
    let sql = "SELECT p.\"position:x\", s.c FROM notify('pet', 17, 1, 2) AS p, notify('stone', 17, 3, 4, 5) AS s";
    assert_eq!(query(&store, sql, Params::none()).unwrap().rows, [[int(1), int(5)]]);
    // "No change" is no row.
    assert_eq!(query(&store, "SELECT * FROM notify('pet', 99, 1, 2)", Params::none()).unwrap().rows.len(), 0);
}

#[test]
fn objects_that_come_from_tables_are_told_apart_by_columns_for_all() {
    let store = store();
    put(&store, "echo", 1, ECHO, "", r#"["x", "y"]"#);
    object(&store, "a", "animal", "echo");
    object(&store, "b", "animal", "echo");
    let sql =
        "SELECT o.id, n.object, n.script, n.row FROM wasgo_objects AS o, notify(o.id, 17, 1, o.id) AS n ORDER BY 1";
    let rows = query(&store, sql, Params::none()).unwrap().rows;
    assert_eq!(
        rows,
        [
            [text("a"), text("a"), text("echo"), text(r#"{"x":1,"y":"a"}"#)],
            [text("b"), text("b"), text("echo"), text(r#"{"x":1,"y":"b"}"#)],
        ]
    );
    let sql = "SELECT object, script, row, error FROM notify_kind('animal', 'ready', 1, 'é')";
    let rows = query(&store, sql, Params::none()).unwrap().rows;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1], [text("b"), text("echo"), text(r#"{"x":1,"y":"é"}"#), Value::Null]);
    assert_eq!(query(&store, "SELECT * FROM notify_kind('none', 17)", Params::none()).unwrap().rows.len(), 0);
}

#[test]
fn the_scalar_form_is_the_value_or_the_row() {
    let store = store();
    put(&store, "echo", 1, ECHO, "", r#"["x"]"#);
    object(&store, "a", "animal", "echo");
    assert_eq!(one(&store, "SELECT notification('a', 17, 4.5)"), Value::Real(4.5));
    put(&store, "nameless", 1, ECHO, "", "[]");
    object(&store, "b", "animal", "nameless");
    assert_eq!(one(&store, "SELECT notification('b', 17, 'x', 2)"), text(r#"["x",2]"#));
    assert!(fails(&store, "SELECT notification('a', 17, 'x', 2)").to_string().contains("names 1 columns"));
    assert_eq!(one(&store, "SELECT notification('a', 99, 1)"), Value::Null);
    assert_eq!(one(&store, "SELECT sum(notification('a', 17, value)) FROM json_each('[1, 2, 3]')"), int(6));
}

#[test]
fn what_it_keeps_is_written_with_the_transaction() {
    let store = store();
    put(&store, "counter", 1, COUNTER, r#"{"state": true}"#, r#"["count"]"#);
    object(&store, "a", "animal", "counter");
    object(&store, "b", "animal", "counter");
    for count in 1..=3 {
        assert_eq!(one(&store, "SELECT notification('a', 17)"), int(count));
    }
    assert_eq!(one(&store, "SELECT count FROM notify('b', 17)"), int(1));
    assert_eq!(one(&store, "SELECT count(*) FROM wasgo_object_state"), int(2));
    // Undone with the transaction.
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    let within = store.wait(Request::query("SELECT notification('a', 17)", []).within(&token)).unwrap().into_rows();
    assert_eq!(within.rows, [[int(4)]]);
    store.wait(Request::rollback(&token)).unwrap();
    assert_eq!(one(&store, "SELECT notification('a', 17)"), int(4));
    // And with the statement: all of it or nothing.
    let sql = "SELECT notification('a', column1) FROM (VALUES (17), (17), (666))";
    assert_eq!(fails(&store, sql).code_name(), "script");
    assert_eq!(one(&store, "SELECT notification('a', 17)"), int(5));
    // All of a kind, each its own.
    let rows = query(&store, "SELECT object, row FROM notify_kind('animal', 17)", Params::none()).unwrap().rows;
    assert_eq!(rows, [[text("a"), text(r#"{"count":6}"#)], [text("b"), text(r#"{"count":2}"#)]]);
    execute(&store, "UPDATE wasgo_object_state SET entries = x'07' WHERE object = 'a'", Params::none()).unwrap();
    assert!(fails(&store, "SELECT notification('a', 17)").to_string().contains("what it keeps cannot be read"));
}

#[test]
fn a_failure_names_object_and_script_and_spares_the_others() {
    let store = store();
    put(&store, "echo", 1, ECHO, "", "[]");
    put(&store, "broken", 1, "(module", "", "[]");
    object(&store, "a", "animal", "echo");
    object(&store, "b", "animal", "broken");
    let error = fails(&store, "SELECT * FROM notify('a', 666)");
    assert!(error.to_string().starts_with("object a, script echo: "), "{error}");
    assert!(matches!(&error, StoreError::Script { reason: "unreachable", .. }));
    assert_eq!(fails(&store, "SELECT notification('nobody', 17)").code_name(), "unknown_object");
    execute(&store, "UPDATE wasgo_scripts SET active = 0 WHERE name = 'echo'", Params::none()).unwrap();
    let error = fails(&store, "SELECT notification('a', 17)");
    assert_eq!(error.to_string(), "script echo: no version of it is active");
    execute(&store, "UPDATE wasgo_scripts SET active = 1 WHERE name = 'echo'", Params::none()).unwrap();
    let rows =
        query(&store, "SELECT object, row, error FROM notify_kind('animal', 17, 1) ORDER BY object", Params::none())
            .unwrap()
            .rows;
    assert_eq!(rows[0], [text("a"), text("[1]"), Value::Null]);
    let Value::Text(error) = &rows[1][2] else { panic!("{rows:?}") };
    assert!(error.contains("not a valid WebAssembly module"), "{error}");
    for (sql, words) in [
        ("SELECT * FROM notify('a')", "two arguments"),
        ("SELECT notification('a', 'flying')", "no notification's name"),
        ("SELECT notification(1, 2)", "argument 1 must be a TEXT"),
        ("SELECT notification('a', 17000000000)", "more than 32 bits"),
    ] {
        let error = fails(&store, sql);
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
}

#[test]
fn a_script_that_spins_is_stopped_by_the_statements_deadline() {
    let store = store();
    put(&store, "echo", 1, ECHO, "", "[]");
    object(&store, "a", "animal", "echo");
    for sql in ["SELECT notification('a', 777)", "SELECT * FROM notify_kind('animal', 777)"] {
        let error = store.wait(Request::query(sql, []).timeout(Duration::from_millis(50))).unwrap_err();
        assert_eq!(error.code_name(), "timeout", "{error}");
    }
    // It has fuel for a second or so.
    let error = store.wait(Request::query("SELECT notification('a', 777)", []).timeout(PATIENCE)).unwrap_err();
    assert!(matches!(&error, StoreError::Script { reason: "fuel", .. }), "{error}");
    assert_eq!(one(&store, "SELECT notification('a', 17, 3)"), int(3));
}

#[test]
fn another_version_is_another_script_at_once() {
    let store = store();
    let versions = |number: i64| COUNTER.replace("(i64.const 1)", &format!("(i64.const {number})"));
    put(&store, "counter", 1, &versions(1), r#"{"state": true}"#, r#"["count"]"#);
    object(&store, "a", "animal", "counter");
    assert_eq!(one(&store, "SELECT * FROM notify('a', 17)"), int(1));
    put(&store, "counter", 2, &versions(10), r#"{"state": true}"#, r#"["tens"]"#);
    let rows = query(&store, "SELECT * FROM notify('a', 17)", Params::none()).unwrap();
    assert_eq!((rows.columns, rows.rows), (vec!["tens".to_owned()], vec![vec![int(11)]]));
    execute(&store, "UPDATE wasgo_scripts SET active = 1", Params::none()).unwrap();
    assert_eq!(one(&store, "SELECT count FROM notify('a', 17)"), int(12));
}

#[test]
fn it_reads_the_tables_that_it_was_granted_and_nothing_else() {
    let store = store();
    batch(&store, "CREATE TABLE pets (name TEXT); INSERT INTO pets VALUES ('Rex'); CREATE TABLE secrets (word TEXT)")
        .unwrap();
    let asks = |statement: &str| {
        let source = ASKING.replace("STATEMENT", statement).replace("LENGTH", &statement.len().to_string());
        batch(&store, "DELETE FROM wasgo_scripts; DELETE FROM wasgo_script_versions; DELETE FROM wasgo_objects")
            .unwrap();
        put(&store, "asking", 1, &source, r#"{"sql": ["pets"]}"#, r#"["answer"]"#);
        object(&store, "a", "animal", "asking");
        match one(&store, "SELECT notification('a', 17)") {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asks("SELECT name FROM pets"), "Rex");
    for (statement, words) in [
        ("SELECT word FROM secrets", "prohibited"),
        ("SELECT word FROM secrets, pets", "prohibited"),
        ("WITH pets AS (SELECT word FROM secrets) SELECT * FROM pets", "prohibited"),
        ("DELETE FROM pets", "not authorized"),
        ("BEGIN", "not authorized"),
        ("PRAGMA user_version", "not authorized"),
        ("CREATE TABLE t (a)", "not authorized"),
        ("SELECT notification(name, 17) FROM pets", "not authorized"),
        ("SELECT * FROM notify(17, 17)", "prohibited"),
        ("SELECT nix", "no such column"),
    ] {
        let answer = asks(statement);
        assert!(answer.contains(words), "{statement}: {answer}");
    }
}

#[test]
fn many_stateless_objects_are_notified_in_one_crossing() {
    let store = store();
    put(&store, "echo", 1, ECHO, "", r#"["x"]"#);
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO wasgo_objects SELECT 'pet' || i, 'pet', 'echo' FROM n";
    execute(&store, sql, Params::none()).unwrap();
    let sql = "SELECT count(*), sum(row ->> 'x') FROM notify_kind('pet', 17, 3)";
    let rows = query(&store, sql, Params::none()).unwrap().rows;
    assert_eq!(rows, [[int(10_000), int(30_000)]]);
    assert_eq!(
        one(&store, "SELECT count(*) FROM notify_kind('pet', 666, 3) WHERE error LIKE '%unreachable%'"),
        int(10_000)
    );
}

#[test]
fn a_view_may_not_notify() {
    let store = store();
    put(&store, "echo", 1, ECHO, "", r#"["x"]"#);
    object(&store, "a", "animal", "echo");
    let made = batch(&store, "CREATE VIEW hidden AS SELECT * FROM notify_object('a', 17)");
    assert!(made.is_err() || query(&store, "SELECT * FROM hidden", Params::none()).is_err());
    let made = batch(&store, "CREATE VIEW scalar AS SELECT notification('a', 17)");
    assert!(made.is_err() || query(&store, "SELECT * FROM scalar", Params::none()).is_err());
}

#[test]
fn restricted_sql_notifies_if_it_may_read_notify() {
    let store = store();
    put(&store, "echo", 1, ECHO, "", r#"["x"]"#);
    object(&store, "a", "animal", "echo");
    let may = std::sync::Arc::new(Access::none().read("notify", None));
    let may_not = std::sync::Arc::new(Access::none().read("wasgo_objects", None));
    for sql in [
        "SELECT x FROM notify('a', 17, 1)",
        "SELECT notification('a', 17, 1)",
        "SELECT count(*) FROM notify_kind('animal', 17, 1)",
    ] {
        let asked = |access: &std::sync::Arc<Access>| {
            store.wait(Request::query(sql, []).restricted(std::sync::Arc::clone(access)))
        };
        assert_eq!(asked(&may).unwrap().into_rows().rows, [[int(1)]]);
        assert_eq!(asked(&may_not).unwrap_err().code_name(), "auth", "{sql}");
    }
}

#[test]
fn tables_of_another_schema_are_refused_and_not_written_to() {
    let store = store();
    put(&store, "counter", 1, COUNTER, r#"{"state": true}"#, "[]");
    object(&store, "pet", "animal", "counter");
    assert_eq!(one(&store, "SELECT notification('pet', 17)"), int(1));
    for version in [0, 1, 3] {
        execute(&store, "UPDATE wasgo_schema SET version = ?", vec![int(version)]).unwrap();
        for sql in [
            "SELECT notification('pet', 17)",
            "SELECT * FROM notify('pet', 17)",
            "SELECT * FROM notify_object('pet', 17)",
            "SELECT * FROM notify_kind('animal', 17)",
        ] {
            let error = fails(&store, sql);
            assert_eq!(error.code_name(), "schema_version", "{sql}: {error}");
            assert!(error.to_string().contains(&format!("are of schema {version}, and this Wasgo knows 2")), "{error}");
        }
    }
    execute(&store, "UPDATE wasgo_schema SET version = 2", Params::none()).unwrap();
    assert_eq!(one(&store, "SELECT notification('pet', 17)"), int(2));
}
