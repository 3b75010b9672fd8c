use wasgo_store::{Limits, Params, Request, StoreError, Value};

use crate::support::{batch, execute, int, memory, one, query, text};

fn named(values: &[(&str, Value)]) -> Params {
    let owned = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Params::Named(owned.collect())
}

#[test]
fn writes_tell_what_they_did() {
    let store = memory();
    let made = batch(&store, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)").unwrap();
    assert_eq!((made.changes, made.last_insert_rowid), (0, 0));
    let done = execute(&store, "INSERT INTO t VALUES (41, 1), (42, 2)", []).unwrap();
    assert_eq!((done.changes, done.last_insert_rowid), (2, 42));
    assert_eq!(execute(&store, "UPDATE t SET v = 3", []).unwrap().changes, 2);
    assert_eq!(execute(&store, "DELETE FROM t WHERE id = 0", []).unwrap().changes, 0);
    assert_eq!(execute(&store, "SELECT * FROM t", []).unwrap().changes, 0);
    assert_eq!(execute(&store, "CREATE TABLE u (v)", []).unwrap().changes, 0);
    let done = batch(&store, "INSERT INTO u VALUES (1); INSERT INTO u VALUES (2);").unwrap();
    assert_eq!(done.changes, 2);
}

#[test]
fn queries_have_columns_even_without_rows() {
    let store = memory();
    let rows = query(&store, "SELECT 1 AS a, 'x' AS b, NULL AS a WHERE 0", []).unwrap();
    assert_eq!(rows.columns, ["a", "b", "a"]);
    assert!(rows.rows.is_empty());
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let rows = query(&store, "INSERT INTO t VALUES (1)", []).unwrap();
    assert_eq!(rows, wasgo_store::Rows::default());
    let rows = query(&store, "INSERT INTO t VALUES (2) RETURNING v * 10 AS v", []).unwrap();
    assert_eq!(rows.columns, ["v"]);
    assert_eq!(rows.rows, [[int(20)]]);
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(2));
}

#[test]
fn a_kept_statement_sees_a_changed_schema() {
    let store = memory();
    batch(&store, "CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(query(&store, "SELECT * FROM t", []).unwrap().columns, ["a"]);
    batch(&store, "ALTER TABLE t ADD COLUMN b DEFAULT 2").unwrap();
    let rows = query(&store, "SELECT * FROM t", []).unwrap();
    assert_eq!(rows.columns, ["a", "b"]);
    assert_eq!(rows.rows, [[int(1), int(2)]]);
}

#[test]
fn more_statements_than_are_kept_all_answer() {
    let store = memory();
    for round in 0..2 {
        for i in 0..200 {
            assert_eq!(one(&store, &format!("SELECT {i} + 0")), int(i), "round {round}");
        }
    }
}

#[test]
fn parameters_go_by_place_or_by_name() {
    let store = memory();
    let select = |sql: &str, params| query(&store, sql, params).map(|rows| rows.rows[0].clone());
    let both = [int(1), int(2)];
    assert_eq!(select("SELECT ?, ?", both.clone().into()).unwrap(), both);
    assert_eq!(select("SELECT ?2, ?1", both.clone().into()).unwrap(), [int(2), int(1)]);
    assert_eq!(select("SELECT :b, :a", both.clone().into()).unwrap(), both);
    let given = named(&[("b", int(2)), (":a", int(1))]);
    assert_eq!(select("SELECT :a, :b, :a", given).unwrap(), [int(1), int(2), int(1)]);
    let given = named(&[("x", int(9))]);
    assert_eq!(select("SELECT :x, @x, $x", given).unwrap(), vec![int(9); 3]);
}

#[test]
fn wrong_parameters_are_errors_that_name_them() {
    let store = memory();
    let fails = |sql: &str, params: Params| query(&store, sql, params).unwrap_err();
    assert_eq!(fails("SELECT ?, ?", [int(1)].into()), StoreError::ParamCount { expected: 2, got: 1 });
    assert_eq!(fails("SELECT 1", [int(1)].into()), StoreError::ParamCount { expected: 0, got: 1 });
    let name = |name: &str| name.to_owned();
    assert_eq!(
        fails("SELECT :a", named(&[("a", int(1)), ("zz", int(2))])),
        StoreError::UnknownParam { name: name("zz") }
    );
    assert_eq!(fails("SELECT :a", named(&[("@a", int(1))])), StoreError::UnknownParam { name: name("@a") });
    assert_eq!(fails("SELECT :a, :b", named(&[("a", int(1))])), StoreError::MissingParam { name: name(":b") });
    assert_eq!(fails("SELECT ?", named(&[])), StoreError::MissingParam { name: name("?1") });
    assert_eq!(
        fails("SELECT :a", named(&[("a", int(1)), (":a", int(2))])),
        StoreError::DuplicateParam { name: name(":a") }
    );
    // What was bound before a failure is not seen by the next run.
    assert_eq!(query(&store, "SELECT :a", named(&[("a", text("new"))])).unwrap().rows, [[text("new")]]);
}

#[test]
fn only_a_batch_takes_several_statements() {
    let store = memory();
    for sql in ["SELECT 1; SELECT 2", "SELECT 1; nonsense", "SELECT 1;;; /* x */ SELECT 2", "SELECT 1; COMMIT"] {
        let error = query(&store, sql, []).unwrap_err();
        assert_eq!(error, StoreError::MultipleStatements { offset: 9 }, "{sql}");
        assert_eq!(error.sql_offset(), Some(9));
    }
    for sql in ["SELECT 1;", "SELECT 1 ; ; -- done", " ; /* so */ SELECT 1 /* open"] {
        assert_eq!(one(&store, sql), int(1), "{sql}");
    }
    for sql in ["", "  ", ";", "-- nothing\n;;", "/* open"] {
        assert_eq!(query(&store, sql, []), Err(StoreError::EmptySql), "{sql:?}");
        assert_eq!(batch(&store, sql), Err(StoreError::EmptySql), "{sql:?}");
    }
    let nul = "SELECT 1\0; DROP TABLE t";
    assert_eq!(query(&store, nul, []), Err(StoreError::NulInSql { offset: 8 }));
    assert_eq!(batch(&store, nul), Err(StoreError::NulInSql { offset: 8 }));
    let length = wasgo_store::MAX_SQL_BYTES + 1;
    let error = batch(&store, &" ".repeat(length)).unwrap_err();
    assert_eq!(error, StoreError::SqlTooLong { length, max: length - 1 });
}

#[test]
fn errors_carry_sqlites_name_code_message_and_place() {
    let store = memory();
    batch(&store, "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, c CHECK (c > 0))").unwrap();
    execute(&store, "INSERT INTO t VALUES (1, 1, 1, 1)", []).unwrap();
    let cases = [
        ("INSERT INTO t VALUES (2, 1, 1, 1)", "constraint_unique", 2067, "t.u"),
        ("INSERT INTO t VALUES (1, 2, 1, 1)", "constraint_primarykey", 1555, "t.id"),
        ("INSERT INTO t VALUES (2, 2, NULL, 1)", "constraint_notnull", 1299, "t.n"),
        ("INSERT INTO t VALUES (2, 2, 1, 0)", "constraint_check", 275, "c > 0"),
        ("SELECT * FROM nowhere", "error", 1, "nowhere"),
    ];
    for (sql, name, code, fault) in cases {
        let error = execute(&store, sql, []).unwrap_err();
        assert_eq!((error.code_name(), error.sqlite_code()), (name, Some(code)));
        assert!(error.to_string().contains(fault), "{error}");
    }
    let error = execute(&store, "SELECT 1 FRM t WHERE", []).unwrap_err();
    assert_eq!((error.code_name(), error.sql_offset()), ("error", Some(13)), "{error}");
    let error = batch(&store, "SELECT 1; SELECT nope;").unwrap_err();
    assert_eq!(error.sql_offset(), Some(17), "{error}");
    assert!(matches!(error, StoreError::AtStatement { statement: 1, .. }), "{error}");
}

#[test]
fn a_batch_stops_at_its_first_error_and_keeps_what_came_before() {
    let store = memory();
    let error = batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1); oops; INSERT INTO t VALUES (2)");
    assert!(matches!(error, Err(StoreError::AtStatement { statement: 2, .. })));
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(1));
    // As a dump would have it.
    batch(&store, "BEGIN; INSERT INTO t VALUES (3); INSERT INTO t VALUES (4); COMMIT").unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(3));
    batch(&store, "VACUUM").unwrap();
    execute(&store, "VACUUM", []).unwrap();
}

#[test]
fn execute_many_is_all_or_nothing_and_names_the_row_at_fault() {
    let store = memory();
    batch(&store, "CREATE TABLE t (id INTEGER PRIMARY KEY)").unwrap();
    let many = |ids: &[i64]| {
        let rows: Vec<_> = ids.iter().map(|id| Params::from([int(*id)])).collect();
        store.wait(Request::execute_many("INSERT INTO t VALUES (?)", rows))
    };
    let done = many(&[1, 2, 3]).unwrap().executed();
    assert_eq!((done.changes, done.last_insert_rowid), (3, 3));
    let error = many(&[4, 5, 1, 6]).unwrap_err();
    assert!(matches!(error, StoreError::AtRow { row: 2, .. }), "{error}");
    assert_eq!(error.code_name(), "constraint_primarykey");
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(3));
    assert_eq!(many(&[]).unwrap().executed().changes, 0);
    let wrong = Request::execute_many("INSERT INTO t VALUES (?)", vec![[int(7)].into(), Params::none()]);
    let error = store.wait(wrong).unwrap_err();
    assert!(matches!(error, StoreError::AtRow { row: 1, .. }), "{error}");
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(3));
    let syntax = store.wait(Request::execute_many("INSERT INTO", vec![]));
    assert_eq!(syntax.unwrap_err().code_name(), "error");
}

#[test]
fn a_result_beyond_its_limits_is_an_error_and_not_a_part() {
    let store = memory();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n";
    let within =
        |sql: &str, max_rows, max_bytes| store.wait(Request::query_within(sql, [], Limits { max_rows, max_bytes }));
    assert_eq!(within(count, 10, 10_000).unwrap().into_rows().rows.len(), 10);
    assert_eq!(within(count, 9, 10_000), Err(StoreError::RowLimit { max: 9 }));
    assert_eq!(within("SELECT 1 WHERE 0", 0, 0).unwrap().into_rows().rows.len(), 0);
    let size = size_of::<Value>();
    assert!(within(count, 10, 10 * size).is_ok());
    assert_eq!(within(count, 10, 10 * size - 1), Err(StoreError::ByteLimit { max: 10 * size - 1 }));
    for sql in ["SELECT zeroblob(5000)", "SELECT printf('%5000c', 'x')"] {
        assert!(within(sql, 1, size + 5000).is_ok());
        assert_eq!(within(sql, 1, 4999), Err(StoreError::ByteLimit { max: 4999 }));
    }
    // A write whose answer does not fit is no write.
    let insert = "INSERT INTO t VALUES (1), (2), (3) RETURNING v";
    assert_eq!(within(insert, 2, 10_000), Err(StoreError::RowLimit { max: 2 }));
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
    assert!(within(insert, 3, 10_000).is_ok());
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(3));
}
