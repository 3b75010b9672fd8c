//! What the tests share.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use wasgo_store::{Executed, Options, Params, Reply, Request, Rows, Store, StoreError, Value};

/// Long enough for any answer that is to come at all.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A query that never ends by itself.
pub const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// A database in a file, with readers; gone with the folder.
pub fn file() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(Options::file(folder.path().join("a.db"))).expect("a file opens");
    (store, folder)
}

pub type Answer = Result<Reply, StoreError>;

pub fn memory() -> Store {
    Store::open(Options::memory()).expect("memory opens")
}

pub fn execute(store: &Store, sql: &str, params: impl Into<Params>) -> Result<Executed, StoreError> {
    Ok(store.wait(Request::execute(sql, params))?.executed())
}

pub fn query(store: &Store, sql: &str, params: impl Into<Params>) -> Result<Rows, StoreError> {
    Ok(store.wait(Request::query(sql, params))?.into_rows())
}

pub fn batch(store: &Store, sql: &str) -> Result<Executed, StoreError> {
    Ok(store.wait(Request::batch(sql))?.executed())
}

/// The only value of a query's only row.
pub fn one(store: &Store, sql: &str) -> Value {
    let rows = query(store, sql, Params::none()).expect(sql).rows;
    match <[Vec<Value>; 1]>::try_from(rows).expect("one row") {
        [row] => match <[Value; 1]>::try_from(row).expect("one column") {
            [value] => value,
        },
    }
}

pub fn int(value: i64) -> Value {
    Value::Integer(value)
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Submits, and gives the end at which the answer will come.
pub fn send(store: &Store, request: Request) -> Receiver<Answer> {
    let (sender, receiver) = channel();
    store.submit(request, move |answer| sender.send(answer).expect("heard")).expect("accepted");
    receiver
}

pub fn receive<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(PATIENCE).expect("an answer in time")
}

/// Keeps the thread that writes busy until the returned end is dropped or sent to.
pub fn hold(store: &Store) -> Sender<()> {
    let (begun, has_begun) = channel();
    let (release, released) = channel::<()>();
    store
        .submit(Request::execute("SELECT 1", Params::none()), move |_| {
            begun.send(()).expect("heard");
            let _ = released.recv();
        })
        .expect("accepted");
    receive(&has_begun);
    release
}
