//! What one connection does for a request, and the transaction that it has open.
//!
//! It must never leave the connection in a transaction that no token holds.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "remote")]
use crate::Location;
use crate::cursor::{CursorId, MAX_TRANSACTION_CURSORS};
use crate::journal::Change;
use crate::request::{Behavior, Command, Executed, Limits, Reply};
use crate::rows::RowSink;
use crate::shared::Shared;
use crate::sqlite::{Connection, Control, Role, Statement, Watch};
use crate::token::TokenState;
use crate::{Many, Options, Params, ParamsRef, StoreError};

/// How deep transactions may nest: a savepoint within a savepoint costs memory until the outermost ends.
pub const MAX_TRANSACTION_DEPTH: usize = 64;

/// What the thread that owns a store has its requests done by.
pub(crate) trait Backend {
    /// Whether no transaction is open.
    fn is_idle(&self) -> bool;

    /// Whether this token's transaction is open.
    fn is_held_by(&self, token: Option<&Arc<TokenState>>) -> bool;

    fn roll_back_if_abandoned(&mut self);

    /// Ends the open transaction, whoever holds it.
    fn roll_back(&mut self);

    fn run(&mut self, command: Command, watch: Watch) -> Result<Reply, StoreError>;

    /// Runs a query into `sink`; there are no more rows then.
    fn query(
        &mut self,
        sql: &str,
        params: ParamsRef<'_>,
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError>;

    /// Reads the next rows of a cursor in the open transaction, which begins with the first of them; true when there may be more.
    fn fetch(
        &mut self,
        cursor: CursorId,
        query: &(String, Params),
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError>;

    fn close_cursor(&mut self, cursor: CursorId);

    /// Copies the database.
    fn back_up(&mut self, target: &Path, watch: Watch) -> Result<Reply, StoreError>;

    /// Begins to keep the rows that are changed, or ceases to.
    fn record(&self, on: bool);

    /// What was committed since this was asked last.
    fn take_committed(&self) -> Vec<Change>;
}

/// Opens the database where it lives.
pub(crate) fn open(options: &Options, shared: &Shared) -> Result<Box<dyn Backend>, StoreError> {
    match &options.location {
        #[cfg(feature = "remote")]
        Location::Server(server) => Ok(Box::new(crate::remote::Session::open(server, Arc::clone(&shared.interrupt))?)),
        #[cfg(feature = "replication")]
        Location::File(path) if options.replica.is_some() => {
            let replica = options.replica.as_ref().ok_or(StoreError::NoReplica)?;
            Ok(Box::new(crate::remote::Session::follow(path, replica, shared)?))
        }
        _ => Ok(Box::new(Session::open(options, shared)?)),
    }
}

struct Session {
    connection: Connection,
    open: Option<Open>,
}

/// The open transaction.
struct Open {
    token: Arc<TokenState>,
    /// 1 is the transaction itself, each more a savepoint.
    depth: usize,
    /// Queries that are read in pieces, each with the depth that it was begun at, and ends with.
    cursors: Vec<(CursorId, usize, Statement)>,
}

impl Open {
    /// Ends the cursors of the innermost savepoint, or of the transaction.
    fn end_cursors(&mut self) {
        let depth = self.depth;
        self.cursors.retain(|(_, begun_at, _)| *begun_at < depth);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.token.set_open(false);
    }
}

impl Session {
    fn open(options: &Options, shared: &Shared) -> Result<Self, StoreError> {
        let (interrupt, private) = (Arc::clone(&shared.interrupt), Arc::clone(&shared.private));
        let connection = Connection::open(options, Role::Writer, interrupt, private)?;
        Ok(Self { connection, open: None })
    }

    /// Does something for who may, in time.
    fn watched<T>(
        &mut self,
        watch: Watch,
        begins: bool,
        work: impl FnOnce(&mut Self, Option<Arc<TokenState>>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let now = Instant::now();
        if let Some(deadline) = watch.deadline.filter(|deadline| *deadline <= now) {
            let late = now - deadline;
            return Err(StoreError::Timeout { begun: false, late });
        }
        let token = watch.token.clone();
        if let Some(token) = &token {
            let begins = begins && self.is_idle();
            if token.is_abandoned() || !(begins || self.is_held_by(Some(token))) {
                return Err(StoreError::NoTransaction);
            }
        }
        self.connection.watch(watch);
        let result = work(self, token);
        self.connection.unwatch();
        self.settle(result)
    }

    fn perform(&mut self, command: Command, token: Option<Arc<TokenState>>) -> Result<Reply, StoreError> {
        match command {
            Command::Execute { sql, params } => self.execute(&sql, &params).map(Reply::Executed),
            Command::Query { .. } => Err(StoreError::Internal("a query has rows to give to somebody".into())),
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
    fn settle<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
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
        let sql = self.connection.specialise(sql, params.into())?;
        self.connection.with_statement(&sql, |statement| match statement.notifies() {
            true => guarded(&self.connection, || statement.run(params)),
            false => statement.run(params),
        })?;
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

    fn execute_many(&mut self, sql: &str, rows: &Many) -> Result<Executed, StoreError> {
        let Self { connection, .. } = self;
        let changes = connection.with_statement(sql, |statement| {
            guarded(connection, || {
                let mut changes = 0_u64;
                let mut before = connection.total_changes();
                for row in 0..rows.len() {
                    statement
                        .run(rows.get(row))
                        .map_err(|source| StoreError::AtRow { row, source: Box::new(source) })?;
                    let after = connection.total_changes();
                    if after != before {
                        changes += connection.changes();
                    }
                    before = after;
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
            statement.run(ParamsRef::Positional(&[]))?;
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
                self.open = Some(Open { token, depth: 1, cursors: Vec::new() });
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
        open.end_cursors();
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
        open.end_cursors();
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

impl Backend for Session {
    fn is_idle(&self) -> bool {
        self.open.is_none()
    }

    fn is_held_by(&self, token: Option<&Arc<TokenState>>) -> bool {
        match (&self.open, token) {
            (Some(open), Some(token)) => Arc::ptr_eq(&open.token, token),
            _ => false,
        }
    }

    fn roll_back_if_abandoned(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.token.is_abandoned()) {
            self.roll_back();
        }
    }

    fn roll_back(&mut self) {
        self.open = None;
        if !self.connection.is_autocommit() {
            // Out of memory or disk SQLite rolls back all the same, and says so; the next request would notice the
            // rest.
            drop(self.connection.control("ROLLBACK"));
        }
    }

    fn run(&mut self, command: Command, watch: Watch) -> Result<Reply, StoreError> {
        let begins = matches!(command, Command::Begin(_));
        self.watched(watch, begins, |session, token| session.perform(command, token))
    }

    fn record(&self, on: bool) {
        self.connection.record(on);
    }

    fn take_committed(&self) -> Vec<Change> {
        self.connection.take_committed()
    }

    fn back_up(&mut self, target: &Path, watch: Watch) -> Result<Reply, StoreError> {
        self.watched(watch, false, |session, _| session.connection.back_up(target).map(|()| Reply::Done))
    }

    fn query(
        &mut self,
        sql: &str,
        params: ParamsRef<'_>,
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError> {
        self.watched(watch, false, |session, _| {
            let Self { connection, .. } = session;
            let sql = connection.specialise(sql, params)?;
            connection.with_statement(&sql, |statement| {
                let returning = statement.writes_and_returns() || statement.notifies();
                let mut run = || statement.query(params, limits, sink);
                if returning { guarded(connection, run) } else { run() }
            })?;
            Ok(false)
        })
    }

    fn fetch(
        &mut self,
        cursor: CursorId,
        query: &(String, Params),
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError> {
        self.watched(watch, false, |session, _| {
            let Self { connection, open } = session;
            let open = open.as_mut().ok_or(StoreError::NoTransaction)?;
            let (depth, mut statement) = match open.cursors.iter().position(|(id, ..)| *id == cursor) {
                Some(at) => {
                    let (_, depth, statement) = open.cursors.swap_remove(at);
                    (depth, statement)
                }
                None if open.cursors.len() >= MAX_TRANSACTION_CURSORS => {
                    return Err(StoreError::TooManyCursors { max: MAX_TRANSACTION_CURSORS });
                }
                None => {
                    let sql = connection.specialise(&query.0, (&query.1).into())?;
                    let mut statement = connection.statement(&sql)?;
                    if !statement.is_read_only() {
                        return Err(StoreError::NoCursor);
                    }
                    statement.open((&query.1).into())?;
                    (open.depth, statement)
                }
            };
            let more = statement.fetch(limits, sink)?;
            if more {
                open.cursors.push((cursor, depth, statement));
            }
            Ok(more)
        })
    }

    fn close_cursor(&mut self, cursor: CursorId) {
        if let Some(open) = &mut self.open {
            open.cursors.retain(|(id, ..)| *id != cursor);
        }
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
