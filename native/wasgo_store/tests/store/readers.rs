//! Queries of a file, beside its writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasgo_store::{Behavior, Limits, Now, Options, Params, ParamsRef, Request, Rows, Store, StoreError, ValueRef};

use crate::support::{ENDLESS, batch, execute, file, hold, int, one, query, receive, send, text};

/// On this thread; none when it was not done there.
fn now(store: &Store, sql: &str, params: &[ValueRef<'_>]) -> Option<Result<Rows, StoreError>> {
    let params = ParamsRef::Positional(params);
    let now = Now { sql, params, limits: Limits::default(), deadline: None, access: None };
    let mut rows = Rows::default();
    store.query_now(&now, &mut rows).map(|result| result.map(|()| rows))
}

#[test]
fn a_query_does_not_wait_for_what_the_writer_does() {
    let (store, _folder) = file();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1)").unwrap();
    let held = hold(&store);
    assert_eq!(one(&store, "SELECT v FROM t"), int(1));
    assert_eq!(now(&store, "SELECT v + ? FROM t", &[ValueRef::Integer(2)]).unwrap().unwrap().rows, [[int(3)]]);
    drop(held);
}

#[test]
fn a_query_sees_every_write_that_was_answered_before_it() {
    let (store, _folder) = file();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    for count in 1..=200 {
        execute(&store, "INSERT INTO t VALUES (1)", []).unwrap();
        assert_eq!(one(&store, "SELECT count(*) FROM t"), int(count));
        let rows = now(&store, "SELECT count(*) FROM t", &[]).expect("small").unwrap();
        assert_eq!(rows.rows, [[int(count)]]);
    }
}

#[test]
fn a_query_sees_nothing_of_an_open_transaction_but_from_within() {
    let (store, _folder) = file();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    store.wait(Request::execute("INSERT INTO t VALUES (1)", []).within(&token)).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
    let within = store.wait(Request::query("SELECT count(*) FROM t", []).within(&token)).unwrap();
    assert_eq!(within.into_rows().rows, [[int(1)]]);
    store.wait(Request::commit(&token)).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(1));
}

#[test]
fn what_only_the_writer_knows_is_asked_of_it() {
    let (store, _folder) = file();
    batch(&store, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)").unwrap();
    execute(&store, "INSERT INTO t VALUES (7, 1)", []).unwrap();
    for _ in 0..2 {
        assert_eq!(one(&store, "SELECT last_insert_rowid()"), int(7));
        assert!(now(&store, "SELECT last_insert_rowid()", &[]).is_none());
    }
    assert_eq!(one(&store, "PRAGMA foreign_keys"), int(1));
    assert_eq!(one(&store, "UPDATE t SET v = 2 RETURNING v"), int(2));
    assert_eq!(one(&store, "SELECT v FROM t"), int(2));
    // Errors are the writer's own.
    let error = query(&store, "SELECT * FROM absent", []).unwrap_err();
    assert!(error.to_string().contains("no such table: absent"), "{error}");
    batch(&store, "CREATE TABLE absent (v)").unwrap();
    assert!(query(&store, "SELECT * FROM absent", []).unwrap().rows.is_empty());
}

#[test]
fn a_connection_with_a_state_of_its_own_does_everything() {
    for (own, expected) in [
        ("CREATE TEMP TABLE t AS SELECT 2 AS v", int(2)),
        ("ATTACH ':memory:' AS other; CREATE TABLE other.t2 (v)", int(1)),
        ("PRAGMA case_sensitive_like = 1", int(1)),
    ] {
        let (store, _folder) = file();
        batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1)").unwrap();
        assert_eq!(one(&store, "SELECT v FROM t"), int(1));
        assert!(now(&store, "SELECT v FROM t", &[]).is_some());
        batch(&store, own).unwrap();
        assert_eq!(one(&store, "SELECT v FROM t"), expected, "{own}");
        assert!(now(&store, "SELECT v FROM t", &[]).is_none(), "{own}");
    }
    // What is a setting of the file is none of the connection.
    let (store, _folder) = file();
    batch(&store, "PRAGMA user_version = 3; CREATE TABLE t (v); VACUUM").unwrap();
    assert!(now(&store, "SELECT v FROM t", &[]).is_some());
}

#[test]
fn much_work_is_given_up_at_once_and_done_by_a_thread() {
    let (store, _folder) = file();
    assert!(now(&store, ENDLESS, &[]).is_none(), "over its budget");
    let error = store.wait(Request::query(ENDLESS, []).timeout(Duration::from_millis(50))).unwrap_err();
    assert_eq!(error.code_name(), "timeout");
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT count(*) FROM n";
    assert_eq!(one(&store, many), int(300_000));
}

#[test]
fn one_connection_does_all_where_readers_would_hold_up_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    for change in [|options: &mut Options| options.wal = false, |options: &mut Options| options.readers = 0] {
        let mut options = Options::file(folder.path().join("a.db"));
        change(&mut options);
        let store = Store::open(options).unwrap();
        assert!(!store.has_readers());
        assert!(now(&store, "SELECT 1", &[]).is_none());
        assert_eq!(one(&store, "SELECT 1"), int(1));
        store.close_and_wait().unwrap();
    }
    let mut options = Options::file(folder.path().join("a.db"));
    options.readers = wasgo_store::MAX_READERS + 1;
    assert_eq!(Store::open(options).unwrap_err().code_name(), "invalid_option");
}

#[test]
fn interrupting_stops_readers_too() {
    let (store, _folder) = file();
    let endless = send(&store, Request::query(ENDLESS, []));
    let answer = loop {
        store.interrupt();
        if let Ok(answer) = endless.recv_timeout(Duration::from_millis(1)) {
            break answer;
        }
    };
    assert_eq!(answer, Err(StoreError::Interrupted));
    assert_eq!(one(&store, "SELECT 1"), int(1));
}

#[test]
fn closing_ends_what_readers_do_and_leaves_no_log_behind() {
    for _ in 0..100 {
        let (store, folder) = file();
        batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1)").unwrap();
        let answers: Vec<_> = (0..6).map(|_| send(&store, Request::query(ENDLESS, []))).collect();
        store.close_now();
        for answer in answers {
            let error = receive(&answer).unwrap_err();
            assert!(matches!(error, StoreError::Interrupted | StoreError::Closed), "{error}");
        }
        store.close_and_wait().unwrap();
        assert!(matches!(now(&store, "SELECT 1", &[]), None | Some(Err(StoreError::Closed))));
        assert!(!folder.path().join("a.db-wal").exists());
    }
}

#[test]
fn a_dropped_store_answers_the_queries_it_accepted() {
    let (store, folder) = file();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1)").unwrap();
    let answers: Vec<_> = (0..50).map(|_| send(&store, Request::query("SELECT v FROM t", []))).collect();
    let returning = send(&store, Request::query("INSERT INTO t VALUES (2) RETURNING v", []));
    drop(store);
    for answer in answers {
        assert_eq!(receive(&answer).unwrap().into_rows().rows, [[int(1)]]);
    }
    assert_eq!(receive(&returning).unwrap().into_rows().rows, [[int(2)]]);
    let store = Store::open(Options::file(folder.path().join("a.db"))).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(2));
}

#[test]
fn threads_that_read_and_write_at_once_see_whole_commits() {
    let (store, _folder) = file();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (0), (0)").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for value in 1..300 {
                execute(&store, "UPDATE t SET v = ?", [int(value)]).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let check = |rows: Vec<Vec<wasgo_store::Value>>| assert_eq!(rows[0], rows[1]);
        for _ in 0..4 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    check(query(store, "SELECT v FROM t", []).unwrap().rows);
                    if let Some(rows) = now(store, "SELECT v FROM t -- now", &[]) {
                        check(rows.unwrap().rows);
                    }
                }
            });
        }
    });
}

#[test]
fn named_parameters_and_limits_are_the_same_on_a_callers_thread() {
    let (store, _folder) = file();
    let named = [("b", ValueRef::Text("two")), (":a", ValueRef::Integer(1))];
    let mut rows = Rows::default();
    let mut asked = Now {
        sql: "SELECT :a, $b",
        params: ParamsRef::Named(&named),
        limits: Limits::default(),
        deadline: None,
        access: None,
    };
    store.query_now(&asked, &mut rows).expect("small").unwrap();
    assert_eq!(rows.rows, [[int(1), text("two")]]);
    asked.limits.max_rows = 0;
    let refused = store.query_now(&asked, &mut Rows::default()).expect("small");
    assert_eq!(refused, Err(StoreError::RowLimit { max: 0 }));
    let params = Params::none();
    asked.params = ParamsRef::Owned(&params);
    let refused = store.query_now(&asked, &mut Rows::default()).expect("small");
    assert_eq!(refused, Err(StoreError::ParamCount { expected: 2, got: 0 }));
}

#[cfg(unix)]
#[test]
fn a_file_that_took_the_databases_place_is_not_read() {
    let (store, folder) = file();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1)").unwrap();
    let path = folder.path().join("a.db");
    std::fs::rename(&path, folder.path().join("away.db")).unwrap();
    std::fs::write(&path, b"").unwrap();
    assert_eq!(one(&store, "SELECT v FROM t"), int(1));
    assert!(now(&store, "SELECT v FROM t", &[]).is_none());
}
