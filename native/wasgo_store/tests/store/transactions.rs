use std::sync::mpsc::channel;
use std::time::Duration;

use wasgo_store::{Behavior, MAX_TRANSACTION_DEPTH, Params, Request, Store, StoreError, Token};

use crate::support::{ENDLESS, batch, execute, hold, int, memory, one, receive, send};

fn with_table() -> Store {
    let store = memory();
    batch(&store, "CREATE TABLE t (id INTEGER PRIMARY KEY)").unwrap();
    store
}

fn insert(id: i64) -> Request {
    Request::execute("INSERT INTO t VALUES (?)", [int(id)])
}

fn count(store: &Store) -> i64 {
    match one(store, "SELECT count(*) FROM t") {
        wasgo_store::Value::Integer(count) => count,
        other => panic!("{other:?}"),
    }
}

fn begin(store: &Store) -> Token {
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    token
}

#[test]
fn requests_without_the_token_wait_in_order_until_the_transaction_ends() {
    let store = with_table();
    let token = begin(&store);
    let (ran, order) = channel();
    for id in [10, 11, 12] {
        let ran = ran.clone();
        let request = Request::query("SELECT count(*) FROM t", []);
        store.submit(request, move |answer| ran.send((id, answer)).unwrap()).unwrap();
    }
    let others = store.token();
    let other_begin = send(&store, Request::begin(&others, Behavior::Deferred));
    let other_insert = send(&store, insert(4).within(&others));
    for id in [1, 2, 3] {
        store.wait(insert(id).within(&token)).unwrap();
    }
    assert!(order.try_recv().is_err(), "nobody was let in");
    store.wait(Request::commit(&token)).unwrap();
    for id in [10, 11, 12] {
        let (ran, answer) = receive(&order);
        assert_eq!(ran, id);
        assert_eq!(answer.unwrap().into_rows().rows, [[int(3)]]);
    }
    receive(&other_begin).unwrap();
    receive(&other_insert).unwrap();
    store.wait(Request::rollback(&others)).unwrap();
    assert_eq!(count(&store), 3);
}

#[test]
fn rolled_back_is_gone_and_the_token_can_begin_again() {
    let store = with_table();
    let token = begin(&store);
    store.wait(insert(1).within(&token)).unwrap();
    store.wait(Request::rollback(&token)).unwrap();
    assert_eq!(count(&store), 0);
    for request in [Request::commit(&token), Request::rollback(&token), insert(1).within(&token)] {
        assert_eq!(store.wait(request), Err(StoreError::NoTransaction));
    }
    assert_eq!(store.wait(Request::new(wasgo_store::Command::Commit)), Err(StoreError::NoTransaction));
    store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
    store.wait(insert(2).within(&token)).unwrap();
    store.wait(Request::commit(&token)).unwrap();
    assert_eq!(count(&store), 1);
}

#[test]
fn nested_transactions_are_savepoints() {
    let store = with_table();
    let token = begin(&store);
    let nest = || store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
    store.wait(insert(1).within(&token)).unwrap();
    nest();
    store.wait(insert(2).within(&token)).unwrap();
    nest();
    store.wait(insert(3).within(&token)).unwrap();
    store.wait(Request::rollback(&token)).unwrap();
    store.wait(insert(4).within(&token)).unwrap();
    store.wait(Request::commit(&token)).unwrap();
    nest();
    let many = Request::execute_many("INSERT INTO t VALUES (?)", vec![[int(5)].into(), [int(1)].into()]);
    store.wait(many.within(&token)).unwrap_err();
    store.wait(insert(6).within(&token)).unwrap();
    store.wait(Request::rollback(&token)).unwrap();
    store.wait(Request::commit(&token)).unwrap();
    let ids = store.wait(Request::query("SELECT id FROM t", [])).unwrap().into_rows().rows;
    assert_eq!(ids, [[int(1)], [int(2)], [int(4)]]);
}

#[test]
fn nesting_has_an_end() {
    let store = memory();
    let token = begin(&store);
    for _ in 1..MAX_TRANSACTION_DEPTH {
        store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
    }
    let max = MAX_TRANSACTION_DEPTH;
    assert_eq!(store.wait(Request::begin(&token, Behavior::Deferred)), Err(StoreError::NestedTooDeep { max }));
    for _ in 0..MAX_TRANSACTION_DEPTH {
        store.wait(Request::commit(&token)).unwrap();
    }
    assert_eq!(store.wait(Request::commit(&token)), Err(StoreError::NoTransaction));
}

#[test]
fn an_abandoned_transaction_is_rolled_back_and_the_next_is_let_in() {
    let store = with_table();
    let token = begin(&store);
    store.wait(insert(1).within(&token)).unwrap();
    let next = send(&store, insert(2));
    token.abandon();
    receive(&next).unwrap();
    assert_eq!(count(&store), 1);
    assert_eq!(store.wait(Request::begin(&token, Behavior::Deferred)), Err(StoreError::NoTransaction));
}

#[test]
fn dropping_the_last_token_abandons_it() {
    let store = with_table();
    let token = begin(&store);
    let copy = token.clone();
    store.wait(insert(1).within(&token)).unwrap();
    drop(token);
    store.wait(insert(2).within(&copy)).unwrap();
    let next = send(&store, insert(3));
    drop(copy);
    receive(&next).unwrap();
    assert_eq!(count(&store), 1);
}

#[test]
fn a_begin_whose_holder_is_gone_before_it_ran_does_not_run() {
    let store = with_table();
    let held = hold(&store);
    let token = store.token();
    let begun = send(&store, Request::begin(&token, Behavior::Immediate));
    let inserted = send(&store, insert(1).within(&token));
    token.abandon();
    drop(held);
    assert_eq!(receive(&begun), Err(StoreError::NoTransaction));
    assert_eq!(receive(&inserted), Err(StoreError::NoTransaction));
    assert_eq!(count(&store), 0);
}

#[test]
fn abandoning_stops_a_statement_that_runs() {
    let store = with_table();
    let token = begin(&store);
    let endless = send(&store, Request::query(ENDLESS, []).within(&token));
    token.abandon();
    assert_eq!(receive(&endless), Err(StoreError::NoTransaction));
    assert_eq!(count(&store), 0);
}

#[test]
fn sql_cannot_begin_or_end_a_transaction_itself() {
    let store = with_table();
    let token = begin(&store);
    store.wait(insert(1).within(&token)).unwrap();
    for sql in ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE wasgo_1", "/* x */ commit"] {
        let refused = Err(StoreError::TransactionControl);
        assert_eq!(store.wait(Request::execute(sql, []).within(&token)), refused, "{sql}");
        assert_eq!(store.wait(Request::query(sql, []).within(&token)), refused, "{sql}");
        let error = store.wait(Request::batch(sql).within(&token)).unwrap_err();
        assert_eq!(error.code_name(), "transaction_control", "{sql}");
    }
    store.wait(Request::rollback(&token)).unwrap();
    assert_eq!(execute(&store, "BEGIN", Params::none()), Err(StoreError::TransactionControl));
    assert_eq!(count(&store), 0);
    for sql in ["BEGIN; INSERT INTO t VALUES (1)", "SAVEPOINT a; INSERT INTO t VALUES (1)"] {
        assert_eq!(batch(&store, sql), Err(StoreError::TransactionLeftOpen), "{sql}");
        assert_eq!(count(&store), 0);
    }
    let error = batch(&store, "BEGIN; INSERT INTO t VALUES (1); oops; COMMIT").unwrap_err();
    assert!(matches!(error, StoreError::AtStatement { statement: 2, .. }), "{error}");
    assert_eq!(count(&store), 0);
}

#[test]
fn a_transaction_that_an_error_rolled_back_is_over() {
    let store = with_table();
    let token = begin(&store);
    store.wait(insert(1).within(&token)).unwrap();
    let clash = Request::execute("INSERT OR ROLLBACK INTO t VALUES (1)", []);
    let error = store.wait(clash.within(&token)).unwrap_err();
    assert_eq!(error.code_name(), "constraint_primarykey");
    assert_eq!(store.wait(insert(2).within(&token)), Err(StoreError::NoTransaction));
    assert_eq!(count(&store), 0);

    // So does the end of a write's time.
    let token = begin(&store);
    store.wait(insert(1).within(&token)).unwrap();
    let endless = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let request = Request::execute(endless, []).within(&token);
    let error = store.wait(request.timeout(Duration::from_millis(30))).unwrap_err();
    assert_eq!(error.code_name(), "timeout");
    assert_eq!(store.wait(Request::commit(&token)), Err(StoreError::NoTransaction));
    assert_eq!(count(&store), 0);

    // A read's does not.
    let token = begin(&store);
    store.wait(insert(1).within(&token)).unwrap();
    let request = Request::query(ENDLESS, []).within(&token);
    let error = store.wait(request.timeout(Duration::from_millis(30))).unwrap_err();
    assert_eq!(error.code_name(), "timeout");
    store.wait(Request::commit(&token)).unwrap();
    assert_eq!(count(&store), 1);
}

#[test]
fn a_commit_that_fails_leaves_the_transaction_open() {
    let store = memory();
    batch(&store, "CREATE TABLE t (id INTEGER PRIMARY KEY, parent REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")
        .unwrap();
    let token = begin(&store);
    let orphan = Request::execute("INSERT INTO t VALUES (1, 2)", []);
    store.wait(orphan.within(&token)).unwrap();
    let error = store.wait(Request::commit(&token)).unwrap_err();
    assert_eq!(error.code_name(), "constraint_foreignkey");
    let parent = Request::execute("INSERT INTO t VALUES (2, NULL)", []);
    store.wait(parent.within(&token)).unwrap();
    store.wait(Request::commit(&token)).unwrap();
    assert_eq!(count(&store), 2);
}

#[test]
fn a_token_of_another_store_is_refused() {
    let (one, other) = (memory(), memory());
    let token = begin(&one);
    let request = Request::query("SELECT 1", []).within(&token);
    assert_eq!(other.wait(request), Err(StoreError::ForeignToken));
    let request = Request::begin(&token, Behavior::Deferred);
    assert_eq!(other.submit(request, drop), Err(StoreError::ForeignToken));
}

#[test]
fn requests_of_an_abandoned_token_do_not_wait_for_another_transaction() {
    let store = with_table();
    let token = begin(&store);
    let gone = store.token();
    let begun = send(&store, Request::begin(&gone, Behavior::Deferred));
    gone.abandon();
    assert_eq!(receive(&begun), Err(StoreError::NoTransaction));
    store.wait(Request::commit(&token)).unwrap();
}
