//! A connection that only reads, and that may be handed from thread to thread.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Connection, Interrupt, Role, Statement, Watch};
use crate::request::Limits;
use crate::rows::RowSink;
use crate::{Options, ParamsRef, StoreError};

/// A read-only connection to a store's file, with the run that was begun on it, if one was.
pub(crate) struct Reader {
    // Goes before the connection.
    run: Option<Statement>,
    connection: Connection,
    interrupt: Arc<Interrupt>,
}

// SAFETY: A connection without a mutex may be used by any thread, by one at a time, and `&mut` or ownership is needed for
// all that a `Reader` does. What is not `Send` in it (the counts of references to the connection's handle, the cells of its
// hooks and its cache, pointers to SQLite's own) belongs to this `Reader` alone: its connection lends statements and handles to
// the methods below, which keep none, but in `run`, which is part of it. SQLite keeps nothing in thread-local storage.
unsafe impl Send for Reader {}

/// What can be done with a query.
enum Readable {
    /// It is ready to be run.
    Here(Statement),
    /// Only the writer has the answer, or the error.
    OnWriter,
}

/// What became of a query.
pub(crate) enum Ran {
    Ended(Result<(), StoreError>),
    /// Nothing: it is one for the writer.
    OnWriter,
    /// It was stopped, and can be run again elsewhere.
    OverBudget,
}

impl Reader {
    pub(crate) fn open(options: &Options, interrupt: Arc<Interrupt>) -> Result<Self, StoreError> {
        let private = Arc::new(AtomicBool::new(false));
        let connection = Connection::open(options, Role::Reader, Arc::clone(&interrupt), private)?;
        Ok(Self { run: None, connection, interrupt })
    }

    pub(crate) fn interrupt(&self) -> &Arc<Interrupt> {
        &self.interrupt
    }

    /// Runs a query to its end.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        params: ParamsRef<'_>,
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Ran {
        let ran = self.watched(watch, |connection| match readable(connection, sql) {
            Ok(Readable::OnWriter) => Ran::OnWriter,
            Err(error) => Ran::Ended(Err(error)),
            Ok(Readable::Here(mut statement)) => {
                let result = statement.query(params, limits, sink);
                connection.keep(sql, statement);
                Ran::Ended(result)
            }
        });
        match ran {
            Ran::Ended(Err(_)) if self.connection.was_over_budget() => Ran::OverBudget,
            ran => ran,
        }
    }

    /// Whether a query can be run here, prepared for its run.
    pub(crate) fn can_run(&mut self, sql: &str, watch: Watch) -> Result<bool, StoreError> {
        self.watched(watch, |connection| match readable(connection, sql)? {
            Readable::OnWriter => Ok(false),
            Readable::Here(statement) => {
                connection.keep(sql, statement);
                Ok(true)
            }
        })
    }

    /// Begins a query that [`Self::fetch`] goes on with; false when it is one for the writer.
    pub(crate) fn begin(&mut self, sql: &str, params: ParamsRef<'_>, watch: Watch) -> Result<bool, StoreError> {
        self.end();
        self.run = self.watched(watch, |connection| match readable(connection, sql)? {
            Readable::OnWriter => Ok(None),
            Readable::Here(mut statement) => statement.open(params).map(|()| Some(statement)),
        })?;
        Ok(self.run.is_some())
    }

    /// Hands the next rows of what was begun to `sink`; false when there are no more.
    pub(crate) fn fetch(&mut self, limits: Limits, watch: Watch, sink: &mut dyn RowSink) -> Result<bool, StoreError> {
        let Some(mut statement) = self.run.take() else { return Ok(false) };
        let result = self.watched(watch, |_| statement.fetch(limits, sink));
        if matches!(result, Ok(true)) {
            self.run = Some(statement);
        }
        result
    }

    /// Ends what was begun: the file's state that it saw is let go.
    pub(crate) fn end(&mut self) {
        self.run = None;
    }

    pub(super) fn watched<T>(&mut self, watch: Watch, work: impl FnOnce(&Connection) -> T) -> T {
        self.connection.watch(watch);
        let result = work(&self.connection);
        self.connection.unwatch();
        result
    }
}

fn readable(connection: &Connection, sql: &str) -> Result<Readable, StoreError> {
    match connection.statement(sql) {
        Ok(statement) if statement.may_run_on_a_reader() => Ok(Readable::Here(statement)),
        // Stopped is stopped. Of all other errors the writer knows better: the table may be a temporary one.
        Err(error @ (StoreError::Timeout { .. } | StoreError::Interrupted)) => Err(error),
        Ok(_) | Err(_) => Ok(Readable::OnWriter),
    }
}
