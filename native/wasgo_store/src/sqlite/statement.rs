//! A prepared statement: runs, and hands out its rows.

use std::cell::Cell;
use std::ffi::{CString, c_int, c_uint};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use libsql::ffi;

use super::bind::Lifetime;
use super::connection::Handle;
use super::depth;
use super::functions::Functions;
use super::hooks::Seen;
use super::row::{Meter, StatementRow};
use crate::access::Access;
use crate::request::Limits;
use crate::rows::{Columns, Row, RowSink};
use crate::{ParamsRef, StoreError};

/// Whether a statement may begin, end or nest a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Allowed,
    Refused,
}

pub(crate) struct Statement {
    raw: NonNull<ffi::sqlite3_stmt>,
    handle: Rc<Handle>,
    /// What it was prepared from.
    sql: String,
    /// What was seen while it was prepared.
    seen: Seen,
    read_only: bool,
    /// Whether it may give names of its own to queries in it, as `WITH` does.
    names_queries: bool,
    /// Whether it was prepared for a request that is confined.
    is_confined: bool,
    /// What it was prepared to reach.
    access: Option<Arc<Access>>,
    /// Whether its run has given nothing yet.
    fresh: Cell<bool>,
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: raw was prepared, and is finalized here only.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

impl Statement {
    /// Prepares the first statement in `sql` from byte `at` on; none when only blanks, a comment or a semicolon is
    /// there. Also answers where the next begins.
    pub(super) fn prepare(
        handle: &Rc<Handle>,
        sql: &CString,
        at: usize,
        control: Control,
    ) -> Result<(Option<Self>, usize), StoreError> {
        if let Some(functions) = &handle.functions {
            functions.begin();
            functions.renew()?;
            // It came from a `str`.
            let text = std::str::from_utf8(sql.as_bytes()).unwrap_or_default();
            if let Some((rewritten, next)) = functions.rewrite(text, at)? {
                let (statement, _) = Self::prepare_as_it_is(handle, &rewritten, 0, control)?;
                return Ok((statement, next));
            }
        }
        Self::prepare_as_it_is(handle, sql, at, control)
    }

    /// As [`Self::prepare`], for what is no statement on functions.
    fn prepare_as_it_is(
        handle: &Rc<Handle>,
        sql: &CString,
        at: usize,
        control: Control,
    ) -> Result<(Option<Self>, usize), StoreError> {
        let bytes = sql.as_bytes_with_nul();
        let rest = bytes.get(at..).unwrap_or(c"".to_bytes_with_nul());
        let length = c_int::try_from(rest.len())
            .map_err(|_| StoreError::SqlTooLong { length: rest.len(), max: super::MAX_SQL_BYTES })?;
        let flags = ffi::SQLITE_PREPARE_PERSISTENT as c_uint;
        let names_queries = handle.hooks.access().is_some() && may_name_queries(rest);
        handle.hooks.trusts_names.set(!names_queries);
        depth::check(rest)?;
        // A thread that is lent for a moment has a small stack.
        let lent = handle.hooks.has_budget();
        // SAFETY: the connection is open, and this is its thread.
        if lent && !handle.hooks.own(|| unsafe { depth::is_shallow(handle.raw(), rest) })? {
            handle.hooks.give_up_budget();
            return Err(StoreError::Interrupted);
        }
        let mut raw = std::ptr::null_mut();
        let mut tail = std::ptr::null();
        let seen = loop {
            handle.hooks.begin_prepare(control == Control::Refused);
            // SAFETY: the connection is open; rest is `length` bytes of which the last is NUL; the others are places for
            // results.
            let mut prepare = || unsafe {
                ffi::sqlite3_prepare_v3(handle.raw(), rest.as_ptr().cast(), length, flags, &mut raw, &mut tail)
            };
            // SAFETY: as above.
            let code = if lent { unsafe { depth::shallow(handle.raw(), prepare) } } else { prepare() };
            let seen = handle.hooks.end_prepare();
            if code == ffi::SQLITE_OK {
                break seen;
            }
            let error = handle.error(code, at);
            if lent && depth::is_too_deep(&error) {
                handle.hooks.give_up_budget();
                return Err(StoreError::Interrupted);
            }
            // It may name a function that the connection has not met yet.
            if !handle.learn(&error)? {
                return Err(error);
            }
        };
        // The tail points into `rest`: addresses say where.
        let read = (tail as usize).saturating_sub(rest.as_ptr() as usize);
        let next = at + read.min(rest.len() - 1);
        let statement = NonNull::new(raw).map(|raw| Self {
            raw,
            handle: Rc::clone(handle),
            sql: String::new(),
            seen,
            // SAFETY: raw is a prepared statement.
            read_only: unsafe { ffi::sqlite3_stmt_readonly(raw.as_ptr()) != 0 },
            names_queries,
            is_confined: handle.hooks.confined(),
            access: handle.hooks.access(),
            fresh: Cell::new(true),
        });
        Ok((statement, next))
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3_stmt {
        self.raw.as_ptr()
    }

    pub(super) fn check(&self, code: c_int) -> Result<(), StoreError> {
        self.handle.check(code)
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Remembers the whole text that it stands for.
    pub(super) fn remember(&mut self, sql: &str) {
        sql.clone_into(&mut self.sql);
    }

    /// Whether it is what would be prepared from `sql` for who may do so much.
    pub(super) fn is_for(&self, sql: &str, confined: bool, access: Option<&Arc<Access>>) -> bool {
        let same_access = match (&self.access, access) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other) || own == other,
            _ => false,
        };
        self.is_confined == confined && same_access && self.sql == sql
    }

    /// Whether it was prepared for who is confined, and for who may reach some tables only.
    pub(super) fn is_held(&self) -> (bool, bool) {
        (self.is_confined, self.access.is_some())
    }

    /// Whether it changes nothing.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether any connection would give the same answer, and nothing is changed.
    pub(crate) fn may_run_on_a_reader(&self) -> bool {
        self.read_only && !self.seen.needs_writer
    }

    /// The names of the columns. To be asked while it runs: a changed schema is noticed when a run begins.
    fn columns(&self) -> Columns<'_> {
        Columns::of(self)
    }

    pub(crate) fn column_count(&self) -> usize {
        // SAFETY: raw is a prepared statement.
        let count = unsafe { ffi::sqlite3_column_count(self.raw.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Whether it changes the database and has rows to tell about it, so that stopping among them leaves something to
    /// undo. A pragma is not meant: some cannot run in a transaction.
    pub(crate) fn writes_and_returns(&self) -> bool {
        !self.read_only && !self.seen.pragma && self.column_count() > 0
    }

    /// Whether it notifies objects, whose scripts may write.
    pub(crate) fn notifies(&self) -> bool {
        self.seen.notifies
    }

    /// Runs it to its end with `params`; rows are dropped. Whatever happens it is ready to run again.
    pub(crate) fn run<'p>(&mut self, params: impl Into<ParamsRef<'p>>) -> Result<(), StoreError> {
        let params = params.into();
        self.recorded(|statement| {
            // SAFETY: `Running` clears the bindings before `params` can go.
            unsafe { statement.bind_all(params, Lifetime::Borrowed)? };
            while statement.step()? {}
            Ok(())
        })
    }

    /// Runs it to its end with `params`, handing its rows to `sink`. Whatever happens it is ready to run again.
    pub(crate) fn query(
        &mut self,
        params: ParamsRef<'_>,
        limits: Limits,
        sink: &mut dyn RowSink,
    ) -> Result<(), StoreError> {
        self.recorded(|statement| {
            // SAFETY: as in `run`.
            unsafe { statement.bind_all(params, Lifetime::Borrowed)? };
            let meter = Meter::new(limits.max_bytes);
            let mut rows = 0;
            let mut more = statement.step()?;
            sink.columns(&statement.columns())?;
            while more {
                if rows >= limits.max_rows {
                    return Err(StoreError::RowLimit { max: limits.max_rows });
                }
                sink.row(&Row::from(StatementRow::begin(statement, rows, &meter)?))?;
                rows += 1;
                statement.look_at_the_clock(rows, &meter)?;
                more = statement.step()?;
            }
            Ok(())
        })
    }

    /// Begins a run that [`Self::fetch`] goes on with; `params` are copied.
    pub(crate) fn open(&mut self, params: ParamsRef<'_>) -> Result<(), StoreError> {
        self.begin();
        // SAFETY: nothing is borrowed.
        unsafe { self.bind_all(params, Lifetime::Copied) }
    }

    /// Hands the next rows of a run to `sink`: as many as the limits have room for, and at least one if there is one. False when
    /// there are no more. After an error, or the last row, it may not be asked again.
    pub(crate) fn fetch(&mut self, limits: Limits, sink: &mut dyn RowSink) -> Result<bool, StoreError> {
        let meter = Meter::new(limits.max_bytes);
        let mut rows = 0;
        while rows < limits.max_rows.max(1) {
            let more = self.step()?;
            if rows == 0 {
                sink.columns(&self.columns())?;
            }
            if !more {
                return Ok(false);
            }
            sink.row(&Row::from(StatementRow::begin(self, rows, &meter)?))?;
            rows += 1;
            // A row like this one would not fit any more.
            if meter.used() / rows > meter.left() {
                break;
            }
            self.look_at_the_clock(rows, &meter)?;
        }
        Ok(true)
    }

    /// To its next row, if there is one.
    fn step(&self) -> Result<bool, StoreError> {
        // It is prepared anew here when the schema has changed.
        self.handle.hooks.trusts_names.set(!self.names_queries);
        // SAFETY: raw is a prepared statement, its bindings alive.
        match unsafe { ffi::sqlite3_step(self.raw.as_ptr()) } {
            ffi::SQLITE_ROW => {
                self.fresh.set(false);
                Ok(true)
            }
            ffi::SQLITE_DONE => Ok(false),
            code => {
                let error = self.handle.error(code, 0);
                // A function was replaced. What the statement did so far is undone, and nobody has seen anything of it.
                if !self.fresh.get() || !self.handle.catch_up(&error)? {
                    return Err(error);
                }
                // SAFETY: as above; the bindings stay.
                unsafe { ffi::sqlite3_reset(self.raw.as_ptr()) };
                self.step()
            }
        }
    }

    /// A run begins.
    fn begin(&self) {
        self.fresh.set(true);
        self.handle.functions.iter().for_each(Functions::begin);
    }

    /// SQLite asks whether to stop by what it does itself; what is made of its rows counts too.
    fn look_at_the_clock(&self, rows: usize, meter: &Meter) -> Result<(), StoreError> {
        if (rows.is_multiple_of(128) || meter.much_since_last_asked()) && self.handle.hooks.must_stop() {
            return Err(self.handle.hooks.take_stopped().unwrap_or(StoreError::Interrupted));
        }
        Ok(())
    }

    /// Does a run and resets it, and keeps count of what it changed.
    fn recorded(&mut self, run: impl FnOnce(&Self) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.begin();
        let journal = &self.handle.hooks.journal;
        if !journal.is_on() {
            let running = Running(self);
            return run(running.0);
        }
        let mark = journal.mark();
        let total = || self.handle.total_changes();
        let before = total();
        let result = {
            let running = Running(self);
            run(running.0)
        };
        let changed = total().saturating_sub(before);
        match &result {
            Ok(()) => {
                journal.account(&mark, changed, &self.seen.writes);
                if let Some((act, name)) = &self.seen.savepoint {
                    journal.savepoint(*act, name);
                }
            }
            // `ON CONFLICT FAIL` keeps the rows before the one that failed.
            Err(_) if changed > 0 => {}
            Err(_) => journal.restore(&mark),
        }
        if self.handle.is_autocommit() {
            journal.settle();
        }
        result
    }
}

/// Whether SQL has the word without which no query in it gets a name.
fn may_name_queries(sql: &[u8]) -> bool {
    sql.windows(4).any(|word| word.eq_ignore_ascii_case(b"with"))
}

/// A number of a column or parameter; SQLite has at most 32,767 of either.
pub(super) fn index(at: usize) -> c_int {
    c_int::try_from(at).unwrap_or(c_int::MAX)
}

/// A statement that runs; reset, and its bindings cleared, when dropped.
struct Running<'s>(&'s Statement);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let raw = self.0.raw.as_ptr();
        // SAFETY: raw is a prepared statement. The result of the reset repeats that of the last step, which was
        // looked at.
        unsafe {
            ffi::sqlite3_reset(raw);
            ffi::sqlite3_clear_bindings(raw);
        }
    }
}
