//! Queries that are read in pieces.

use std::time::{Duration, Instant};

use std::sync::mpsc::channel;
use wasgo_store::{
    Behavior, Cursor, Limits, MAX_CURSORS, MAX_TRANSACTION_CURSORS, Options, Params, Request, Rows, Store, StoreError,
};

use crate::support::{PATIENCE, batch, execute, file, int, memory, one, receive};

const COUNTING: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

fn fetch(cursor: &Cursor, max_rows: usize) -> Result<(bool, Vec<i64>), StoreError> {
    let (sender, receiver) = channel();
    let limits = Limits { max_rows, max_bytes: 1 << 20 };
    let done = move |run: wasgo_store::Run<'_>| {
        let mut rows = Rows::default();
        let result = run(&mut rows).map(|more| {
            let numbers = rows.rows.into_iter().flatten().map(|value| match value {
                wasgo_store::Value::Integer(number) => number,
                other => panic!("{other:?}"),
            });
            (more, numbers.collect())
        });
        sender.send(result).unwrap();
    };
    cursor.fetch(limits, Instant::now().checked_add(PATIENCE), None, Box::new(done))?;
    receive(&receiver)
}

#[test]
fn a_cursor_gives_its_rows_in_pieces_and_then_no_more() {
    let (store, _folder) = file();
    let cursor = store.cursor("SELECT value FROM json_each('[1,2,3,4,5]') WHERE value <= 5", Params::none()).unwrap();
    assert_eq!(fetch(&cursor, 2).unwrap(), (true, vec![1, 2]));
    assert_eq!(fetch(&cursor, 2).unwrap(), (true, vec![3, 4]));
    assert_eq!(fetch(&cursor, 2).unwrap(), (false, vec![5]));
    assert_eq!(fetch(&cursor, 2).unwrap(), (false, vec![]));
}

#[test]
fn a_cursor_sees_one_state_of_the_file_and_holds_nobody_up() {
    let (store, _folder) = file();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1), (2), (3)").unwrap();
    let cursors: Vec<_> =
        (0..MAX_CURSORS).map(|_| store.cursor("SELECT v FROM t ORDER BY rowid", Params::none()).unwrap()).collect();
    for cursor in &cursors {
        assert_eq!(fetch(cursor, 1).unwrap(), (true, vec![1]));
    }
    assert_eq!(store.cursor("SELECT 1", Params::none()).unwrap_err(), StoreError::TooManyCursors { max: MAX_CURSORS });
    execute(&store, "DELETE FROM t", []).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
    for cursor in &cursors {
        assert_eq!(fetch(cursor, 9).unwrap(), (false, vec![2, 3]));
    }
    drop(cursors);
    assert!(store.cursor("SELECT 1", Params::none()).is_ok());
}

#[test]
fn a_piece_ends_at_its_bytes_and_a_row_that_is_more_is_refused() {
    let (store, _folder) = file();
    let sql = "SELECT zeroblob(400) FROM json_each('[1,2,3,4,5]')";
    let count = |cursor: &Cursor, max_bytes| {
        let (sender, receiver) = channel();
        let done = move |run: wasgo_store::Run<'_>| {
            let mut rows = Rows::default();
            let result = run(&mut rows).map(|more| (more, rows.rows.len()));
            sender.send(result).unwrap();
        };
        cursor.fetch(Limits { max_rows: 100, max_bytes }, None, None, Box::new(done)).unwrap();
        receive(&receiver)
    };
    let cursor = store.cursor(sql, Params::none()).unwrap();
    assert_eq!(count(&cursor, 1_000), Ok((true, 2)));
    assert_eq!(count(&cursor, 10_000), Ok((false, 3)));
    let cursor = store.cursor(sql, Params::none()).unwrap();
    assert_eq!(count(&cursor, 300), Err(StoreError::ByteLimit { max: 300 }));
}

#[test]
fn closing_a_cursor_stops_what_runs_for_it() {
    let (store, _folder) = file();
    let never = format!("{COUNTING} WHERE i < 0");
    let cursor = store.cursor(never, Params::none()).unwrap();
    let (sender, receiver) = channel();
    let done = move |run: wasgo_store::Run<'_>| {
        sender.send(run(&mut Rows::default())).unwrap();
    };
    cursor.fetch(Limits::default(), None, None, Box::new(done)).unwrap();
    let answer = loop {
        cursor.close();
        if let Ok(answer) = receiver.recv_timeout(Duration::from_millis(1)) {
            break answer;
        }
    };
    assert!(matches!(answer, Err(StoreError::Interrupted) | Ok(false)), "{answer:?}");
    assert_eq!(fetch(&cursor, 1).unwrap(), (false, vec![]));
}

#[test]
fn a_closing_store_takes_the_connections_of_its_cursors() {
    let (store, folder) = file();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1), (2)").unwrap();
    let cursor = store.cursor("SELECT v FROM t", Params::none()).unwrap();
    assert_eq!(fetch(&cursor, 1).unwrap(), (true, vec![1]));
    store.close_and_wait().unwrap();
    assert_eq!(fetch(&cursor, 1), Err(StoreError::Closed));
    assert!(!folder.path().join("a.db-wal").exists());
}

#[test]
fn within_a_transaction_a_cursor_sees_what_it_did_and_ends_with_it() {
    for store in [memory(), file().0] {
        batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1), (2)").unwrap();
        let token = store.token();
        store.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
        store.wait(Request::execute("INSERT INTO t VALUES (3)", []).within(&token)).unwrap();
        let cursor = store.cursor_within(&token, "SELECT v FROM t ORDER BY v", Params::none());
        assert_eq!(fetch(&cursor, 2).unwrap(), (true, vec![1, 2]));
        store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
        let inner = store.cursor_within(&token, "SELECT v FROM t ORDER BY v", Params::none());
        assert_eq!(fetch(&inner, 1).unwrap(), (true, vec![1]));
        store.wait(Request::rollback(&token)).unwrap();
        assert_eq!(fetch(&cursor, 2).unwrap(), (false, vec![3]));
        // It began anew in the transaction that is open: what it had was its savepoint's.
        assert_eq!(fetch(&inner, 9).unwrap(), (false, vec![1, 2, 3]));
        let many: Vec<_> =
            (0..=MAX_TRANSACTION_CURSORS).map(|_| store.cursor_within(&token, COUNTING, Params::none())).collect();
        let refused = many.iter().filter(|cursor| fetch(cursor, 1).is_err()).count();
        assert_eq!(refused, 1);
        drop(many);
        assert_eq!(fetch(&store.cursor_within(&token, COUNTING, Params::none()), 1).unwrap(), (true, vec![1]));
        store.wait(Request::commit(&token)).unwrap();
        assert_eq!(fetch(&cursor, 1), Err(StoreError::NoTransaction));
    }
}

#[test]
fn what_is_no_query_for_a_cursor_is_refused() {
    let store = memory();
    assert_eq!(store.cursor("SELECT 1", Params::none()).unwrap_err(), StoreError::NoCursor);
    let (store, _folder) = file();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let writing = store.cursor("INSERT INTO t VALUES (1) RETURNING v", Params::none()).unwrap();
    assert_eq!(fetch(&writing, 1), Err(StoreError::NoCursor));
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    let writing = store.cursor_within(&token, "INSERT INTO t VALUES (1) RETURNING v", Params::none());
    assert_eq!(fetch(&writing, 1), Err(StoreError::NoCursor));
    store.wait(Request::commit(&token)).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
}

#[test]
fn a_store_opened_for_reading_has_cursors_too() {
    let (store, folder) = file();
    batch(&store, "CREATE TABLE t (v); INSERT INTO t VALUES (1)").unwrap();
    store.close_and_wait().unwrap();
    let mut options = Options::file(folder.path().join("a.db"));
    options.read_only = true;
    let store = Store::open(options).unwrap();
    let cursor = store.cursor("SELECT v FROM t", Params::none()).unwrap();
    assert_eq!(fetch(&cursor, 9).unwrap(), (false, vec![1]));
}
