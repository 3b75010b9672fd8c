//! What one connection does for a request, and the transaction that it has open.
//!
//! It must never leave the connection in a transaction that no token holds.

use std::sync::Arc;
use std::time::Instant;

use crate::request::{Behavior, Command, Executed, Limits, Reply, Rows};
use crate::sqlite::{Connection, Control, Interrupt, Row, Watch};
use crate::token::TokenState;
use crate::{Options, Params, StoreError, Value};

/// How deep transactions may nest: a savepoint within a savepoint costs memory until the outermost ends.
pub const MAX_TRANSACTION_DEPTH: usize = 64;

pub(crate) struct Session {
    connection: Connection,
    open: Option<Open>,
}

/// The open transaction.
struct Open {
    token: Arc<TokenState>,
    /// 1 is the transaction itself, each more a savepoint.
    depth: usize,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.token.set_open(false);
    }
}

impl Session {
    pub(crate) fn open(options: &Options, interrupt: Arc<Interrupt>) -> Result<Self, StoreError> {
        let connection = Connection::open(options, interrupt)?;
        Ok(Self { connection, open: None })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_none()
    }

    pub(crate) fn is_held_by(&self, token: Option<&Arc<TokenState>>) -> bool {
        match (&self.open, token) {
            (Some(open), Some(token)) => Arc::ptr_eq(&open.token, token),
            _ => false,
        }
    }

    pub(crate) fn roll_back_if_abandoned(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.token.is_abandoned()) {
            self.roll_back();
        }
    }

    /// Ends the open transaction, whoever holds it.
    pub(crate) fn roll_back(&mut self) {
        self.open = None;
        if !self.connection.is_autocommit() {
            // Out of memory or disk SQLite rolls back all the same, and says so; the next request would notice the
            // rest.
            drop(self.connection.control("ROLLBACK"));
        }
    }

    pub(crate) fn run(&mut self, command: Command, watch: Watch) -> Result<Reply, StoreError> {
        let now = Instant::now();
        if let Some(deadline) = watch.deadline.filter(|deadline| *deadline <= now) {
            let late = now - deadline;
            return Err(StoreError::Timeout { begun: false, late });
        }
        let token = watch.token.clone();
        if let Some(token) = &token {
            let begins = matches!(command, Command::Begin(_)) && self.is_idle();
            if token.is_abandoned() || !(begins || self.is_held_by(Some(token))) {
                return Err(StoreError::NoTransaction);
            }
        }
        self.connection.watch(watch);
        let result = self.perform(command, token);
        self.connection.unwatch();
        self.settle(result)
    }

    fn perform(&mut self, command: Command, token: Option<Arc<TokenState>>) -> Result<Reply, StoreError> {
        match command {
            Command::Execute { sql, params } => self.execute(&sql, &params).map(Reply::Executed),
            Command::Query { sql, params, limits } => self.query(&sql, &params, limits).map(Reply::Rows),
            Command::Batch { sql } => self.batch(&sql).map(Reply::Executed),
            Command::ExecuteMany { sql, rows } => self.execute_many(&sql, &rows).map(Reply::Executed),
            Command::Begin(behavior) => {
                let token = token.ok_or(StoreError::NoTransaction)?;
                self.begin(token, behavior)
            }
            Command::Commit => self.commit(),
            Command::Rollback => self.rollback(),
        }
    }

    /// Sees to it that the connection is in a transaction exactly when a token holds one.
    fn settle(&mut self, result: Result<Reply, StoreError>) -> Result<Reply, StoreError> {
        match (&self.open, self.connection.is_autocommit()) {
            // Rolled back as a whole by an error (full, interrupted, ON CONFLICT ROLLBACK).
            (Some(_), true) => self.open = None,
            (None, false) => {
                self.roll_back();
                result?;
                return Err(StoreError::TransactionLeftOpen);
            }
            _ => {}
        }
        result
    }

    fn execute(&mut self, sql: &str, params: &Params) -> Result<Executed, StoreError> {
        let before = self.connection.total_changes();
        self.connection.with_statement(sql, |statement| statement.run(params, |_| Ok(())))?;
        Ok(self.executed(before))
    }

    /// What the latest statement did, given the count of all changes before it. `changes` alone would be that of an
    /// earlier write when this one was none.
    fn executed(&self, total_before: u64) -> Executed {
        let wrote = self.connection.total_changes() != total_before;
        Executed {
            changes: if wrote { self.connection.changes() } else { 0 },
            last_insert_rowid: self.connection.last_insert_rowid(),
        }
    }

    fn query(&mut self, sql: &str, params: &Params, limits: Limits) -> Result<Rows, StoreError> {
        let Self { connection, .. } = self;
        connection.with_statement(sql, |statement| {
            let mut rows = Vec::new();
            let mut bytes = 0;
            let returning = statement.writes_and_returns();
            let mut collect = || {
                statement.run(params, |row| {
                    if rows.len() >= limits.max_rows {
                        return Err(StoreError::RowLimit { max: limits.max_rows });
                    }
                    let values = read_row(row, rows.len(), &mut bytes, limits.max_bytes)?;
                    rows.push(values);
                    Ok(())
                })
            };
            if returning {
                guarded(connection, collect)?;
            } else {
                collect()?;
            }
            Ok(Rows { columns: statement.columns(), rows })
        })
    }

    fn execute_many(&mut self, sql: &str, rows: &[Params]) -> Result<Executed, StoreError> {
        let Self { connection, .. } = self;
        let changes = connection.with_statement(sql, |statement| {
            guarded(connection, || {
                let mut changes = 0_u64;
                for (row, params) in rows.iter().enumerate() {
                    let before = connection.total_changes();
                    statement
                        .run(params, |_| Ok(()))
                        .map_err(|source| StoreError::AtRow { row, source: Box::new(source) })?;
                    if connection.total_changes() != before {
                        changes += connection.changes();
                    }
                }
                Ok(changes)
            })
        })?;
        Ok(Executed { changes, last_insert_rowid: self.connection.last_insert_rowid() })
    }

    fn batch(&mut self, sql: &str) -> Result<Executed, StoreError> {
        let mut changes = 0_u64;
        let control = if self.open.is_none() { Control::Allowed } else { Control::Refused };
        let connection = &self.connection;
        connection.batch(sql, control, |statement| {
            let before = connection.total_changes();
            statement.run(&Params::none(), |_| Ok(()))?;
            if connection.total_changes() != before {
                changes += connection.changes();
            }
            Ok(())
        })?;
        Ok(Executed { changes, last_insert_rowid: connection.last_insert_rowid() })
    }

    fn begin(&mut self, token: Arc<TokenState>, behavior: Behavior) -> Result<Reply, StoreError> {
        match &mut self.open {
            None => {
                self.connection.control(match behavior {
                    Behavior::Deferred => "BEGIN",
                    Behavior::Immediate => "BEGIN IMMEDIATE",
                })?;
                token.set_open(true);
                self.open = Some(Open { token, depth: 1 });
            }
            Some(open) if open.depth >= MAX_TRANSACTION_DEPTH => {
                return Err(StoreError::NestedTooDeep { max: MAX_TRANSACTION_DEPTH });
            }
            Some(open) => {
                self.connection.control(&format!("SAVEPOINT wasgo_{}", open.depth))?;
                open.depth += 1;
            }
        }
        Ok(Reply::Done)
    }

    fn commit(&mut self) -> Result<Reply, StoreError> {
        let open = self.open.as_mut().ok_or(StoreError::NoTransaction)?;
        if open.depth == 1 {
            self.connection.control("COMMIT")?;
            self.open = None;
        } else {
            self.connection.control(&format!("RELEASE wasgo_{}", open.depth - 1))?;
            open.depth -= 1;
        }
        Ok(Reply::Done)
    }

    fn rollback(&mut self) -> Result<Reply, StoreError> {
        let open = self.open.as_mut().ok_or(StoreError::NoTransaction)?;
        // What has to be undone is undone, however late it is.
        self.connection.unwatch();
        if open.depth == 1 {
            self.connection.control("ROLLBACK")?;
            self.open = None;
        } else {
            undo_savepoint(&self.connection, &format!("wasgo_{}", open.depth - 1))?;
            open.depth -= 1;
        }
        Ok(Reply::Done)
    }
}

/// Does `work` wholly or not at all: in a transaction of its own, or in a savepoint of the open one.
fn guarded<T>(connection: &Connection, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let alone = connection.is_autocommit();
    connection.control(if alone { "BEGIN IMMEDIATE" } else { "SAVEPOINT wasgo_guard" })?;
    let ended = work().and_then(|value| {
        connection.control(if alone { "COMMIT" } else { "RELEASE wasgo_guard" })?;
        Ok(value)
    });
    // An error may have rolled back everything already.
    if ended.is_err() && !connection.is_autocommit() {
        connection.unwatch();
        if alone {
            connection.control("ROLLBACK")?;
        } else {
            undo_savepoint(connection, "wasgo_guard")?;
        }
    }
    ended
}

fn undo_savepoint(connection: &Connection, name: &str) -> Result<(), StoreError> {
    connection.control(&format!("ROLLBACK TO {name}"))?;
    connection.control(&format!("RELEASE {name}"))
}

fn read_row(row: &Row<'_>, at: usize, bytes: &mut usize, max_bytes: usize) -> Result<Vec<Value>, StoreError> {
    let columns = row.len();
    let mut charge = |size: usize| {
        *bytes = bytes.saturating_add(size);
        if *bytes > max_bytes {
            return Err(StoreError::ByteLimit { max: max_bytes });
        }
        Ok(())
    };
    charge(columns * size_of::<Value>())?;
    let mut values = Vec::with_capacity(columns);
    for column in 0..columns {
        values.push(row.value(column, at, &mut charge)?);
    }
    Ok(values)
}
