use std::time::{Duration, Instant};

use wasgo_store::{Behavior, Options, Params, Request, Store, StoreError};

use crate::support::{ENDLESS, PATIENCE, batch, execute, hold, int, memory, one, receive, send};

const SHORT: Duration = Duration::from_millis(50);

fn is_timeout(error: &StoreError, was_begun: bool) -> bool {
    matches!(error, StoreError::Timeout { begun, .. } if *begun == was_begun)
}

#[test]
fn a_query_that_never_ends_is_stopped_at_its_deadline() {
    let store = memory();
    let begin = Instant::now();
    let error = store.wait(Request::query(ENDLESS, []).timeout(SHORT)).unwrap_err();
    assert!(is_timeout(&error, true), "{error}");
    assert_eq!(error.code_name(), "timeout");
    assert!(begin.elapsed() >= SHORT);
    let again = Request::query("SELECT 1", Params::none()).timeout(PATIENCE);
    assert_eq!(store.wait(again).unwrap().into_rows().rows, [[int(1)]]);
}

#[test]
fn a_write_that_is_stopped_leaves_nothing() {
    let store = memory();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let endless = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    for request in [
        Request::execute(endless, []),
        Request::query(format!("{endless} RETURNING v"), []),
        Request::batch(endless),
        Request::execute_many(endless, vec![Params::none()]),
    ] {
        let error = store.wait(request.timeout(SHORT)).unwrap_err();
        assert_eq!(error.code_name(), "timeout", "{error}");
        assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
        execute(&store, "INSERT INTO t VALUES (1)", []).unwrap();
        assert_eq!(execute(&store, "DELETE FROM t", []).unwrap().changes, 1);
    }
}

#[test]
fn a_request_whose_time_is_over_is_not_begun() {
    let store = memory();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let held = hold(&store);
    let late = send(&store, Request::execute("INSERT INTO t VALUES (1)", []).deadline(Instant::now()));
    let fine = send(&store, Request::execute("INSERT INTO t VALUES (2)", []).timeout(PATIENCE));
    drop(held);
    assert!(is_timeout(&receive(&late).unwrap_err(), false));
    receive(&fine).unwrap();
    assert_eq!(one(&store, "SELECT v FROM t"), int(2));
}

#[test]
fn a_request_behind_a_transaction_is_refused_at_its_deadline() {
    let store = memory();
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
    let begin = Instant::now();
    let error = store.wait(Request::query("SELECT 1", []).timeout(SHORT)).unwrap_err();
    assert!(is_timeout(&error, false), "{error}");
    assert!(begin.elapsed() >= SHORT);
    store.wait(Request::commit(&token)).unwrap();
}

#[test]
fn a_deadline_ends_the_wait_for_another_connections_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::file(dir.path().join("a.db"));
    options.busy_timeout = PATIENCE;
    let patient = Store::open(options.clone()).unwrap();
    options.busy_timeout = Duration::ZERO;
    let hasty = Store::open(options.clone()).unwrap();
    options.busy_timeout = SHORT;
    let waiting = Store::open(options).unwrap();
    batch(&patient, "CREATE TABLE t (v)").unwrap();

    let token = hasty.token();
    hasty.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    let insert = Request::execute("INSERT INTO t VALUES (1)", []);
    let error = patient.wait(insert.clone().timeout(SHORT)).unwrap_err();
    assert!(is_timeout(&error, true), "{error}");
    let begin = Instant::now();
    let error = waiting.wait(insert.clone()).unwrap_err();
    assert_eq!(error.code_name(), "busy");
    assert!(begin.elapsed() >= SHORT);

    // Freed in time, the lock is got.
    let waits = send(&patient, insert.clone());
    hasty.wait(Request::rollback(&token)).unwrap();
    receive(&waits).unwrap();

    let token = patient.token();
    patient.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    assert_eq!(hasty.wait(insert).unwrap_err().code_name(), "busy");
}

#[test]
fn a_query_behind_others_on_busy_readers_is_refused_at_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::file(folder.path().join("a.db"));
    options.readers = 1;
    let store = Store::open(options).unwrap();
    let endless = send(&store, Request::query(ENDLESS, []));
    for _ in 0..3 {
        let error = store.wait(Request::query("SELECT 1", []).timeout(SHORT)).unwrap_err();
        assert!(is_timeout(&error, false), "{error}");
    }
    // The one before it runs on.
    assert!(endless.try_recv().is_err());
    let patient = send(&store, Request::query("SELECT 2", []).timeout(PATIENCE));
    let answer = loop {
        store.interrupt();
        if let Ok(answer) = endless.recv_timeout(Duration::from_millis(1)) {
            break answer;
        }
    };
    assert_eq!(answer, Err(StoreError::Interrupted));
    // Unless it was interrupted as well.
    let answer = receive(&patient).map(|reply| reply.into_rows().rows);
    assert!(matches!(answer, Ok(_) | Err(StoreError::Interrupted)), "{answer:?}");
}

#[test]
fn interrupt_stops_what_runs_and_nothing_else() {
    let store = memory();
    store.interrupt();
    assert_eq!(one(&store, "SELECT 1"), int(1));
    let endless = send(&store, Request::query(ENDLESS, []));
    let next = send(&store, Request::query("SELECT 2", []));
    let answer = loop {
        store.interrupt();
        if let Ok(answer) = endless.recv_timeout(Duration::from_millis(1)) {
            break answer;
        }
    };
    assert_eq!(answer, Err(StoreError::Interrupted));
    assert_eq!(receive(&next).unwrap().into_rows().rows, [[int(2)]]);
}
