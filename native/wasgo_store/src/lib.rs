//! libSQL databases: one writer and many readers each.
//!
//! A [`Store`] is a cheap handle on a database whose writing connection is opened, used and closed on a thread of its own.
//! A [`Request`] is put into a bounded queue and its answer is handed to a callback on that thread, so no caller ever
//! waits: not for the disk, not for another connection's lock, not for a statement that never ends.
//!
//! A file has readers too: connections of their own, each used by one thread at a time, which see the file as it was when a
//! query began. They run the queries outside transactions: on threads for that, from a bounded queue, or
//! ([`Store::query_now`]) on the caller's own, for as long as [`EXPRESS_BUDGET`]. A [`Cursor`] holds one of them between two pieces of a
//! query. What only the writer knows is passed on to it: [`Store::submit`] finds that out by itself.
//!
//! ```
//! use wasgo_store::{Options, Params, Request, Store, Value};
//!
//! # fn main() -> Result<(), wasgo_store::StoreError> {
//! let store = Store::open(Options::memory())?;
//! store.wait(Request::batch("CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT) STRICT"))?;
//! store.wait(Request::execute(
//!     "INSERT INTO pet (name) VALUES (:name)",
//!     Params::Named(vec![("name".into(), Value::Text("Rex".into()))]),
//! ))?;
//! let rows = store.wait(Request::query("SELECT id, name FROM pet", Params::none()))?.into_rows();
//! assert_eq!(rows.rows, [[Value::Integer(1), Value::Text("Rex".into())]]);
//! # Ok(())
//! # }
//! ```
//!
//! What it must never do: block a caller that did not ask to wait; let two threads use a connection at a time; take a length
//! from a database on trust; answer a request twice, or not at all; leave a transaction open whose holder is gone.
//!
//! The SQL given to a store is trusted with the whole database (it may attach other files, for one). What it is not
//! trusted with is time, memory and the transaction that the store keeps: those have limits. A request that is
//! [confined](Request::confined) is trusted with this database alone, one that is [restricted](Request::restricted) with some tables.
//!
//! # Values
//!
//! Integers are 64-bit and exact. SQLite has no NaN: a NaN given as a parameter is stored as NULL. A `-0.0` keeps its
//! sign where a column has no REAL affinity; a REAL column stores whole numbers as integers and gives back `0.0`.
//! Text may hold NUL characters (SQL functions such as `length` stop at the first one). Text that is not UTF-8 is an
//! error that names its column: such a value can be read with `CAST(column AS BLOB)`.
//!
//! # Deadlines
//!
//! A request not begun by its deadline is refused, one that runs is stopped; both are [`StoreError::Timeout`]. The
//! clock is read every [`STEPS_BETWEEN_CHECKS`] instructions of SQLite's virtual machine and while waiting for locks.
//! One single instruction (hashing one large value, copying one) is not stopped half-way, nor is a checkpoint of the
//! log.

#![deny(unsafe_code)]

mod access;
mod backup;
mod clock;
mod code;
mod cursor;
mod error;
mod express;
mod functions;
mod journal;
mod notify;
mod options;
mod owner;
mod pool;
mod readers;
mod reading;
#[cfg(feature = "remote")]
mod remote;
mod replica;
mod request;
mod rows;
mod scripts;
mod session;
mod shared;
#[allow(unsafe_code)]
mod sqlite;
mod store;
mod token;
mod value;

pub use access::{Access, ColumnSet};
pub use cursor::{Cursor, MAX_TRANSACTION_CURSORS};
pub use error::StoreError;
pub use express::{EXPRESS_BUDGET, Now};
pub use functions::FunctionHost;
pub use journal::{Change, MAX_CHANGED_ROWS, Operation};
pub use notify::{MAX_SUBSCRIBERS, OnChange, Subscription};
pub use options::{
    DEFAULT_BUSY_TIMEOUT, DEFAULT_CONNECT_TIMEOUT, DEFAULT_MAX_VALUE_BYTES, Location, MAX_READERS, MAX_VALUE_BYTES,
    MIN_READERS, MIN_VALUE_BYTES, Options, Replica, SERVER_READERS, Server, Synchronous,
};
pub use pool::MAX_CURSORS;
pub use replica::Synced;
pub use request::{
    Behavior, Callback, Command, DEFAULT_MAX_BYTES, DEFAULT_MAX_ROWS, Executed, Limits, Reply, Request, Rows,
};
pub use rows::{Columns, Row, RowSink, RowsCallback, Run};
pub use session::MAX_TRANSACTION_DEPTH;
pub use sqlite::{MAX_SQL_BYTES, STEPS_BETWEEN_CHECKS, sqlite_version};
pub use store::{MAX_CLOSE_WAITERS, QUEUE_CAPACITY, Store, TRANSACTION_CAPACITY};
pub use token::Token;
pub use value::{Many, ParamRows, Params, ParamsRef, Value, ValueRef};
