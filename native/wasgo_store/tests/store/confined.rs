//! Requests that are trusted with the database's tables and nothing else.

use wasgo_store::{Params, Reply, Request, Store, StoreError};

use crate::support::{batch, int, memory, one, query};

fn confined(store: &Store, sql: &str) -> Result<Reply, StoreError> {
    store.wait(Request::query(sql, Params::none()).confined())
}

fn is_refused(result: &Result<Reply, StoreError>) -> bool {
    matches!(result, Err(StoreError::Sqlite { name: "auth", .. }))
}

#[test]
fn they_reach_no_other_file_and_write_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let store = memory();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (7)").unwrap();
    for sql in [
        format!("ATTACH '{}' AS other", path("a")),
        "ATTACH ':memory:' AS other".into(),
        "DETACH main".into(),
        format!("VACUUM INTO '{}'", path("b")),
        "VACUUM".into(),
    ] {
        let result = confined(&store, &sql);
        assert!(result.is_err(), "{sql}: {result:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(one(&store, "SELECT v FROM t"), int(7));
    assert!(confined(&store, "INSERT INTO t VALUES (8)").is_ok());
    // Who is not confined still may.
    assert!(query(&store, &format!("VACUUM INTO '{}'", path("c")), []).is_ok());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn they_change_nothing_about_the_connection() {
    let store = memory();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    for sql in [
        "PRAGMA writable_schema = 1",
        "PRAGMA foreign_keys = 0",
        "PRAGMA cache_size = 1000000",
        "PRAGMA query_only = 1",
        "PRAGMA journal_mode = OFF",
        "PRAGMA max_page_count",
        "CREATE TEMP TABLE t (v)",
        "CREATE TEMP VIEW t AS SELECT 1",
    ] {
        let result = confined(&store, sql);
        assert!(is_refused(&result), "{sql}: {result:?}");
    }
    for sql in ["BEGIN", "SAVEPOINT s", "COMMIT"] {
        assert!(confined(&store, sql).is_err(), "{sql}");
    }
    let rows = confined(&store, "PRAGMA Table_Info(t)").unwrap().into_rows();
    assert_eq!(rows.rows.len(), 1);
    assert!(confined(&store, "INSERT INTO t VALUES (1)").is_ok());
}

#[test]
fn a_statement_that_others_prepared_is_not_lent_to_them() {
    let store = memory();
    assert!(query(&store, "PRAGMA cache_size", []).is_ok());
    assert!(is_refused(&confined(&store, "PRAGMA cache_size")));
    assert!(query(&store, "PRAGMA cache_size", []).is_ok());
}
