use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use wasgo_store::{Behavior, Options, Params, QUEUE_CAPACITY, Request, Store, StoreError, TRANSACTION_CAPACITY};

use crate::support::{ENDLESS, batch, hold, int, memory, one, query, receive, send};

#[test]
fn requests_are_answered_in_order() {
    let store = memory();
    let held = hold(&store);
    let order = Arc::new(Mutex::new(Vec::new()));
    let (done, all_done) = channel::<()>();
    for i in 0..100 {
        let (order, done) = (Arc::clone(&order), done.clone());
        store
            .submit(Request::query("SELECT 1", []), move |_| {
                order.lock().unwrap().push(i);
                drop(done);
            })
            .unwrap();
    }
    drop((held, done));
    assert!(all_done.recv().is_err(), "ends when every callback was called");
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_full_queue_refuses_at_once_and_recovers() {
    let store = memory();
    let held = hold(&store);
    let answers: Vec<_> = (0..QUEUE_CAPACITY).map(|_| send(&store, Request::query("SELECT 1", []))).collect();
    let capacity = QUEUE_CAPACITY;
    let refused = store.submit(Request::query("SELECT 1", []), |_| panic!("refused is not answered"));
    assert_eq!(refused, Err(StoreError::Busy { capacity }));
    assert_eq!(refused.unwrap_err().code_name(), "queue_full");
    drop(held);
    for answer in &answers {
        receive(answer).unwrap();
    }
    assert_eq!(one(&store, "SELECT 1"), int(1));
}

#[test]
fn a_queue_full_of_waiters_cannot_keep_a_transaction_from_ending() {
    let store = memory();
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
    let answers: Vec<_> = (0..QUEUE_CAPACITY).map(|_| send(&store, Request::query("SELECT 1", []))).collect();
    let refused = store.submit(Request::query("SELECT 1", []), drop);
    assert_eq!(refused.unwrap_err().code_name(), "queue_full");
    store.wait(Request::commit(&token)).unwrap();
    for answer in &answers {
        receive(answer).unwrap();
    }
}

#[test]
fn a_transactions_own_requests_are_bounded_too() {
    let store = memory();
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
    let (go_on, held) = channel::<()>();
    let (begun, has_begun) = channel();
    let first = Request::query("SELECT 1", []).within(&token);
    store
        .submit(first, move |_| {
            begun.send(()).unwrap();
            let _ = held.recv();
        })
        .unwrap();
    receive(&has_begun);
    let request = || Request::query("SELECT 1", []).within(&token);
    let answers: Vec<_> = (0..TRANSACTION_CAPACITY).map(|_| send(&store, request())).collect();
    let capacity = TRANSACTION_CAPACITY;
    assert_eq!(store.submit(request(), drop), Err(StoreError::Busy { capacity }));
    drop(go_on);
    answers.iter().for_each(|answer| drop(receive(answer).unwrap()));
}

#[test]
fn closing_answers_what_runs_and_refuses_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = Store::open(Options::file(&path)).unwrap();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let held = hold(&store);
    let waiting: Vec<_> = (0..10).map(|_| send(&store, Request::execute("INSERT INTO t VALUES (1)", []))).collect();
    let (closed, is_closed) = channel();
    store.close();
    store.close();
    assert_eq!(store.close_with(move || closed.send(()).unwrap()), Ok(true));
    assert!(store.is_closed());
    assert_eq!(query(&store, "SELECT 1", []), Err(StoreError::Closed));
    drop(held);
    for answer in &waiting {
        assert_eq!(receive(answer), Err(StoreError::Closed));
    }
    receive(&is_closed);
    store.close_and_wait().unwrap();
    assert_eq!(store.close_with(|| panic!("too late to be called")), Ok(false));
    assert_eq!(query(&store, "SELECT 1", []), Err(StoreError::Closed));
    let store = Store::open(Options::file(&path)).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
}

#[test]
fn closing_now_ends_what_runs_or_is_just_about_to() {
    for _ in 0..1_000 {
        let store = memory();
        let answer = send(&store, Request::query(ENDLESS, Params::none()));
        store.close_now();
        let error = receive(&answer).unwrap_err();
        assert!(matches!(error, StoreError::Interrupted | StoreError::Closed), "{error}");
        store.close_and_wait().unwrap();
    }
}

#[test]
fn closing_in_a_transaction_rolls_it_back_and_refuses_those_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = Store::open(Options::file(&path)).unwrap();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    store.wait(Request::execute("INSERT INTO t VALUES (1)", []).within(&token)).unwrap();
    let behind = send(&store, Request::execute("INSERT INTO t VALUES (2)", []));
    store.close_and_wait().unwrap();
    assert_eq!(receive(&behind), Err(StoreError::Closed));
    assert_eq!(store.wait(Request::commit(&token)), Err(StoreError::Closed));
    let store = Store::open(Options::file(&path)).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
}

#[test]
fn a_dropped_store_does_what_it_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = Store::open(Options::file(&path)).unwrap();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let token = store.token();
    store.wait(Request::begin(&token, Behavior::Immediate)).unwrap();
    store.wait(Request::execute("INSERT INTO t VALUES (1)", []).within(&token)).unwrap();
    let copy = store.clone();
    let answers: Vec<_> = (0..10).map(|_| send(&store, Request::execute("INSERT INTO t VALUES (2)", []))).collect();
    drop(store);
    drop(copy);
    for answer in &answers {
        receive(answer).unwrap();
    }
    let store = Store::open(Options::file(&path)).unwrap();
    assert_eq!(one(&store, "SELECT count(*) FROM t WHERE v = 1"), int(0));
    assert_eq!(one(&store, "SELECT count(*) FROM t WHERE v = 2"), int(10));
}

#[test]
fn a_callback_that_panics_does_not_end_the_store() {
    let store = memory();
    store.submit(Request::query("SELECT 1", []), |_| panic!("a caller's fault")).unwrap();
    assert_eq!(one(&store, "SELECT 2"), int(2));
}

#[test]
fn every_request_accepted_while_the_store_closes_is_answered_on_its_thread() {
    for _ in 0..50 {
        let store = memory();
        let (answers, answered) = channel();
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (store, answers) = (store.clone(), answers.clone());
                std::thread::spawn(move || {
                    let mut accepted = 0;
                    loop {
                        let answers = answers.clone();
                        let done = move |_| answers.send(std::thread::current().name() == Some("wasgo-store")).unwrap();
                        match store.submit(Request::query("SELECT 1", []), done) {
                            Ok(()) => accepted += 1,
                            Err(StoreError::Closed) => break accepted,
                            Err(StoreError::Busy { .. }) => std::thread::yield_now(),
                            Err(other) => panic!("{other}"),
                        }
                    }
                })
            })
            .collect();
        drop(answers);
        assert!(receive(&answered), "on the store's thread");
        store.close_and_wait().unwrap();
        let accepted: usize = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
        // Ends when the last callback is gone: those not called would be missing.
        let rest: Vec<bool> = answered.iter().collect();
        assert_eq!(1 + rest.len(), accepted);
        assert!(rest.iter().all(|on_thread| *on_thread));
    }
}
