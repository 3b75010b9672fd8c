//! What can be asked of a store, and what it answers.

use std::time::{Duration, Instant};

use crate::access::Access;
use crate::rows::{RowsCallback, Run};
use crate::token::{Token, TokenState};
use crate::{Many, Params, StoreError, Value};
use std::sync::Arc;

/// Rows that a query may answer with unless told otherwise.
pub const DEFAULT_MAX_ROWS: usize = 1_000_000;

/// Bytes that the answer of a query may take unless told otherwise.
pub const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// How an answer is delivered: called once, on the store's thread, which does nothing else meanwhile. Keep it short.
pub type Callback = Box<dyn FnOnce(Result<Reply, StoreError>) + Send>;

/// How much a query may answer with. More is an error, never a part of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most rows.
    pub max_rows: usize,
    /// The most bytes: those of texts and blobs, plus the size of a [`Value`] for each value.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_rows: DEFAULT_MAX_ROWS, max_bytes: DEFAULT_MAX_BYTES }
    }
}

/// When a transaction takes the write lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behavior {
    /// At its first write, which may fail with `busy` or `busy_snapshot` if another connection wrote since the first
    /// read.
    #[default]
    Deferred,
    /// At once.
    Immediate,
}

/// The work of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// One statement; rows that it returns are dropped. Answers [`Reply::Executed`].
    Execute {
        /// The statement.
        sql: String,
        /// Its parameters.
        params: Params,
    },
    /// One statement and its rows. Answers [`Reply::Rows`]. A statement that writes (`RETURNING`) and fails by a
    /// limit is undone.
    Query {
        /// The statement.
        sql: String,
        /// Its parameters.
        params: Params,
        /// How much to answer with.
        limits: Limits,
    },
    /// Statements without parameters, one after another, rows dropped. Each commits on its own unless a transaction
    /// is open; outside one, the batch may hold `BEGIN ... COMMIT` itself. Stops at the first error
    /// and keeps what came before it. Answers [`Reply::Executed`].
    Batch {
        /// The statements.
        sql: String,
    },
    /// One statement, once for each set of parameters: all or none. Answers [`Reply::Executed`].
    ExecuteMany {
        /// The statement.
        sql: String,
        /// The sets of parameters.
        rows: Many,
    },
    /// Opens a transaction under the request's token; a savepoint when it is open already. Answers [`Reply::Done`].
    Begin(Behavior),
    /// Commits the innermost transaction or savepoint of the token. One that fails (`busy`, `constraint_foreignkey`)
    /// leaves it open. Answers [`Reply::Done`].
    Commit,
    /// Rolls back the innermost transaction or savepoint of the token. Answers [`Reply::Done`].
    Rollback,
}

/// A command with the transaction it belongs to and the time it has.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) command: Command,
    pub(crate) token: Option<TokenRef>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) confined: bool,
    pub(crate) access: Option<Arc<Access>>,
}

/// What a request keeps of its token. It does not keep the transaction alive: only the caller's [`Token`] does.
#[derive(Debug, Clone)]
pub(crate) struct TokenRef {
    pub(crate) state: Arc<TokenState>,
    pub(crate) store: u64,
}

impl Request {
    /// A request for `command`, outside any transaction and with all the time in the world.
    pub fn new(command: Command) -> Self {
        Self { command, token: None, deadline: None, confined: false, access: None }
    }

    /// See [`Command::Execute`].
    pub fn execute(sql: impl Into<String>, params: impl Into<Params>) -> Self {
        Self::new(Command::Execute { sql: sql.into(), params: params.into() })
    }

    /// See [`Command::Query`]; with the default [`Limits`].
    pub fn query(sql: impl Into<String>, params: impl Into<Params>) -> Self {
        Self::query_within(sql, params, Limits::default())
    }

    /// See [`Command::Query`].
    pub fn query_within(sql: impl Into<String>, params: impl Into<Params>, limits: Limits) -> Self {
        Self::new(Command::Query { sql: sql.into(), params: params.into(), limits })
    }

    /// See [`Command::Batch`].
    pub fn batch(sql: impl Into<String>) -> Self {
        Self::new(Command::Batch { sql: sql.into() })
    }

    /// See [`Command::ExecuteMany`].
    pub fn execute_many(sql: impl Into<String>, rows: impl Into<Many>) -> Self {
        Self::new(Command::ExecuteMany { sql: sql.into(), rows: rows.into() })
    }

    /// See [`Command::Begin`].
    pub fn begin(token: &Token, behavior: Behavior) -> Self {
        Self::new(Command::Begin(behavior)).within(token)
    }

    /// See [`Command::Commit`].
    pub fn commit(token: &Token) -> Self {
        Self::new(Command::Commit).within(token)
    }

    /// See [`Command::Rollback`].
    pub fn rollback(token: &Token) -> Self {
        Self::new(Command::Rollback).within(token)
    }

    /// Holds the request's SQL to this one database: it attaches no file and writes none (`VACUUM`), and changes nothing about the
    /// connection, which others use too (pragmas but those that tell of the schema, temporary tables). Such a statement is refused as `auth`. For SQL that
    /// comes from who is trusted with the database's tables and nothing else.
    pub fn confined(mut self) -> Self {
        self.confined = true;
        self
    }

    /// Holds the request's SQL to what `access` names; that is more than [`Self::confined`], and refused as `auth` too. For SQL that
    /// comes from who is trusted with some tables.
    pub fn restricted(mut self, access: Arc<Access>) -> Self {
        self.access = Some(access);
        self
    }

    /// Makes the request part of the token's transaction.
    pub fn within(mut self, token: &Token) -> Self {
        self.token = Some(token.to_ref());
        self
    }

    /// Gives the request until `deadline`, its wait in the queue included.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Gives the request `time` from now. A time beyond what the clock can count is none.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.deadline = Instant::now().checked_add(time);
        self
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Executed {
    /// Rows that were inserted, updated or deleted, those by triggers and foreign keys not counted. 0 for what is not
    /// a write.
    pub changes: u64,
    /// The rowid of the connection's latest insert into a table that has rowids, whoever asked for it; 0 before the
    /// first.
    pub last_insert_rowid: i64,
}

/// The rows of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The names of the columns; not necessarily different. What is not UTF-8 in a name is replaced.
    pub columns: Vec<String>,
    /// The rows, each with as many values as there are columns.
    pub rows: Vec<Vec<Value>>,
}

/// The answer to a request that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To `Begin`, `Commit` and `Rollback`.
    Done,
    /// To `Execute`, `ExecuteMany` and `Batch`.
    Executed(Executed),
    /// To `Query`.
    Rows(Rows),
}

impl Reply {
    /// The rows; none for what has none.
    pub fn into_rows(self) -> Rows {
        match self {
            Self::Rows(rows) => rows,
            Self::Done | Self::Executed(_) => Rows::default(),
        }
    }

    /// What a write did; nothing for what is not one.
    pub fn executed(&self) -> Executed {
        match self {
            Self::Executed(executed) => *executed,
            Self::Done | Self::Rows(_) => Executed::default(),
        }
    }
}

/// A callback that is called once, come what may: dropped unanswered, it answers that the store is closed.
pub(crate) struct Done(Option<Kind>);

enum Kind {
    Reply(Callback),
    Rows(RowsCallback),
}

impl Done {
    pub(crate) fn new(callback: Callback) -> Self {
        Self(Some(Kind::Reply(callback)))
    }

    pub(crate) fn rows(callback: RowsCallback) -> Self {
        Self(Some(Kind::Rows(callback)))
    }

    pub(crate) fn answer(mut self, result: Result<Reply, StoreError>) {
        match (self.0.take(), result) {
            (Some(Kind::Reply(callback)), result) => call(move || callback(result)),
            (Some(Kind::Rows(callback)), Err(error)) => call(move || callback(&mut |_| Err(error.clone()))),
            // Not a query, whose rows would have been taken: there are none.
            (Some(Kind::Rows(callback)), Ok(_)) => call(move || callback(&mut |_| Ok(false))),
            (None, _) => {}
        }
    }

    /// Answers a query by what `run` has for it.
    pub(crate) fn answer_with(mut self, run: Run<'_>) {
        match self.0.take() {
            Some(Kind::Reply(callback)) => call(move || {
                let mut rows = Rows::default();
                let result = run(&mut rows);
                callback(result.map(|_| Reply::Rows(rows)));
            }),
            Some(Kind::Rows(callback)) => call(move || callback(run)),
            None => {}
        }
    }

    /// Forgets the callback: the caller is told in another way.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(kind) = self.0.take() {
            Self(Some(kind)).answer(Err(StoreError::Closed));
        }
    }
}

/// Runs a caller's code; a panic in it ends there, and the store's thread lives.
pub(crate) fn call(code: impl FnOnce()) {
    drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(code)));
}
