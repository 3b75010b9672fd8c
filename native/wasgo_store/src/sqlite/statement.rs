//! A prepared statement: its parameters in, its rows out.

use std::ffi::{CStr, CString, c_int, c_uint};
use std::ptr::NonNull;
use std::rc::Rc;

use libsql::ffi;

use super::connection::Handle;
use super::functions::Functions;
use crate::{Params, StoreError, Value};

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
    is_pragma: bool,
    /// Whether it was prepared for a request that is confined.
    is_confined: bool,
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
        handle.hooks.saw_pragma.set(false);
        handle.hooks.refused_control.set(false);
        handle.hooks.refuse_control.set(control == Control::Refused);
        let mut raw = std::ptr::null_mut();
        let mut tail = std::ptr::null();
        // SAFETY: the connection is open; rest is `length` bytes of which the last is NUL; the others are places for
        // results.
        let mut prepare = || unsafe {
            ffi::sqlite3_prepare_v3(handle.raw(), rest.as_ptr().cast(), length, flags, &mut raw, &mut tail)
        };
        loop {
            let code = prepare();
            if code == ffi::SQLITE_OK {
                break;
            }
            let error = handle.error(code, at);
            // It may name a function that the connection has not met yet.
            if !handle.learn(&error)? {
                handle.hooks.refuse_control.set(false);
                return Err(error);
            }
        }
        handle.hooks.refuse_control.set(false);
        // The tail points into `rest`: addresses say where.
        let read = (tail as usize).saturating_sub(rest.as_ptr() as usize);
        let next = at + read.min(rest.len() - 1);
        let statement = NonNull::new(raw).map(|raw| Self {
            raw,
            handle: Rc::clone(handle),
            sql: String::new(),
            is_pragma: handle.hooks.saw_pragma.get(),
            is_confined: handle.hooks.confined(),
        });
        Ok((statement, next))
    }

    /// Remembers the whole text that it stands for.
    pub(super) fn remember(&mut self, sql: &str) {
        sql.clone_into(&mut self.sql);
    }

    pub(super) fn is_confined(&self) -> bool {
        self.is_confined
    }

    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// The names of the columns. To be asked after a run: a changed schema is noticed when a run begins.
    pub(crate) fn columns(&self) -> Vec<String> {
        (0..self.column_count()).map(|column| self.column_name(column)).collect()
    }

    fn column_count(&self) -> usize {
        // SAFETY: raw is a prepared statement.
        let count = unsafe { ffi::sqlite3_column_count(self.raw.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    fn column_name(&self, column: usize) -> String {
        // SAFETY: raw is a prepared statement; the name is copied before the next call.
        unsafe {
            let name = ffi::sqlite3_column_name(self.raw.as_ptr(), index(column));
            if name.is_null() {
                return String::new();
            }
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }

    /// Whether it changes the database and has rows to tell about it, so that stopping among them leaves something to
    /// undo. A pragma is not meant: some cannot run in a transaction.
    pub(crate) fn writes_and_returns(&self) -> bool {
        // SAFETY: raw is a prepared statement.
        let read_only = unsafe { ffi::sqlite3_stmt_readonly(self.raw.as_ptr()) != 0 };
        !read_only && !self.is_pragma && self.column_count() > 0
    }

    /// Runs it to its end with `params`, handing each row to `on_row`. Whatever happens it is ready to run again.
    pub(crate) fn run(
        &mut self,
        params: &Params,
        mut on_row: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // Drops before `params` can: what is bound is borrowed from them.
        self.handle.functions.iter().for_each(Functions::begin);
        let running = Running(self);
        let statement = &*running.0;
        statement.bind_all(params)?;
        let mut is_first = true;
        loop {
            // SAFETY: raw is a prepared statement, its bindings alive.
            match unsafe { ffi::sqlite3_step(statement.raw.as_ptr()) } {
                ffi::SQLITE_ROW => {
                    is_first = false;
                    on_row(&Row { statement })?;
                }
                ffi::SQLITE_DONE => return Ok(()),
                code => {
                    let error = statement.handle.error(code, 0);
                    // A function was replaced. What the statement did so far was undone, and nobody has seen anything of it.
                    if !is_first || !statement.handle.catch_up(&error)? {
                        return Err(error);
                    }
                    // SAFETY: as above; the bindings stay.
                    unsafe { ffi::sqlite3_reset(statement.raw.as_ptr()) };
                }
            }
        }
    }

    fn bind_all(&self, params: &Params) -> Result<(), StoreError> {
        // SAFETY: raw is a prepared statement.
        let count = unsafe { ffi::sqlite3_bind_parameter_count(self.raw.as_ptr()) };
        let count = usize::try_from(count).unwrap_or(0);
        match params {
            Params::Positional(values) if values.len() == count => {
                values.iter().enumerate().try_for_each(|(at, value)| self.bind(at, value))
            }
            Params::Positional(values) => Err(StoreError::ParamCount { expected: count, got: values.len() }),
            Params::Named(values) => self.bind_named(values, count),
        }
    }

    fn bind_named(&self, values: &[(String, Value)], count: usize) -> Result<(), StoreError> {
        let names: Vec<String> = (0..count).map(|at| self.parameter_name(at)).collect();
        let mut given = vec![false; count];
        for (name, value) in values {
            let whole = name.starts_with([':', '@', '$']);
            let mut known = false;
            for (at, full) in names.iter().enumerate() {
                let fits = if whole { full == name } else { full.get(1..) == Some(name) && !full.starts_with('?') };
                if !fits {
                    continue;
                }
                if std::mem::replace(&mut given[at], true) {
                    return Err(StoreError::DuplicateParam { name: name.clone() });
                }
                known = true;
                self.bind(at, value)?;
            }
            if !known {
                return Err(StoreError::UnknownParam { name: name.clone() });
            }
        }
        match given.iter().position(|given| !given) {
            Some(at) => Err(StoreError::MissingParam { name: names[at].clone() }),
            None => Ok(()),
        }
    }

    /// The name of a parameter with its first character, `?N` for one without a name.
    fn parameter_name(&self, at: usize) -> String {
        // SAFETY: raw is a prepared statement; the name is copied before the next call.
        unsafe {
            let name = ffi::sqlite3_bind_parameter_name(self.raw.as_ptr(), index(at + 1));
            if name.is_null() {
                return format!("?{}", at + 1);
            }
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }

    /// Binds a value, which has to live until the bindings are cleared.
    fn bind(&self, at: usize, value: &Value) -> Result<(), StoreError> {
        let raw = self.raw.as_ptr();
        let at = index(at + 1);
        // No destructor: SQLite reads the bytes where they are.
        let borrowed = ffi::SQLITE_STATIC();
        // SAFETY: raw is a prepared statement that does not run. `run` clears the bindings before the values can go.
        // An empty slice's pointer is not null, so that an empty blob is not taken for NULL.
        let code = unsafe {
            match value {
                Value::Null => ffi::sqlite3_bind_null(raw, at),
                Value::Integer(value) => ffi::sqlite3_bind_int64(raw, at, *value),
                Value::Real(value) if value.is_nan() => ffi::sqlite3_bind_null(raw, at),
                Value::Real(value) => ffi::sqlite3_bind_double(raw, at, *value),
                Value::Text(text) => ffi::sqlite3_bind_text64(
                    raw,
                    at,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    borrowed,
                    ffi::SQLITE_UTF8 as u8,
                ),
                Value::Blob(bytes) => {
                    ffi::sqlite3_bind_blob64(raw, at, bytes.as_ptr().cast(), bytes.len() as u64, borrowed)
                }
            }
        };
        self.handle.check(code)
    }
}

/// A number of a column or parameter; SQLite has at most 32,767 of either.
fn index(at: usize) -> c_int {
    c_int::try_from(at).unwrap_or(c_int::MAX)
}

/// A statement that runs; reset, and its bindings cleared, when dropped.
struct Running<'s>(&'s mut Statement);

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

/// The row that a running statement is at.
pub(crate) struct Row<'s> {
    statement: &'s Statement,
}

impl Row<'_> {
    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: the statement is at a row.
        let count = unsafe { ffi::sqlite3_data_count(self.statement.raw.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// A copy of a value. `charge` is told the bytes of a text or blob before they are copied, and may refuse. `row`
    /// is this row's number, for messages.
    pub(crate) fn value(
        &self,
        column: usize,
        row: usize,
        charge: &mut impl FnMut(usize) -> Result<(), StoreError>,
    ) -> Result<Value, StoreError> {
        let raw = self.statement.raw.as_ptr();
        let at = index(column);
        // SAFETY: the statement is at a row; a column beyond its end reads as NULL.
        match unsafe { ffi::sqlite3_column_type(raw, at) } {
            ffi::SQLITE_NULL => Ok(Value::Null),
            // SAFETY: as above.
            ffi::SQLITE_INTEGER => Ok(Value::Integer(unsafe { ffi::sqlite3_column_int64(raw, at) })),
            // SAFETY: as above.
            ffi::SQLITE_FLOAT => Ok(Value::Real(unsafe { ffi::sqlite3_column_double(raw, at) })),
            ffi::SQLITE_TEXT => {
                // SAFETY: as above; the bytes are copied before the next call for this column, and their number is
                // asked for after the pointer, as SQLite wants it.
                let bytes = unsafe {
                    let start = ffi::sqlite3_column_text(raw, at);
                    let length = ffi::sqlite3_column_bytes(raw, at);
                    self.bytes(start, length)?
                };
                charge(bytes.len())?;
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| StoreError::NotUtf8 { column: self.statement.column_name(column), row })?;
                Ok(Value::Text(text.to_owned()))
            }
            ffi::SQLITE_BLOB => {
                // SAFETY: as for text.
                let bytes = unsafe {
                    let start = ffi::sqlite3_column_blob(raw, at);
                    let length = ffi::sqlite3_column_bytes(raw, at);
                    self.bytes(start.cast(), length)?
                };
                charge(bytes.len())?;
                Ok(Value::Blob(bytes.to_vec()))
            }
            other => Err(StoreError::Internal(format!("value of type {other}"))),
        }
    }

    /// # Safety
    ///
    /// `start` is null or points to `length` bytes that stay until the row does.
    unsafe fn bytes(&self, start: *const u8, length: c_int) -> Result<&[u8], StoreError> {
        match usize::try_from(length) {
            Ok(0) | Err(_) => Ok(&[]),
            // Something, but nowhere: memory ran out while converting it.
            Ok(_) if start.is_null() => Err(self.statement.handle.error(ffi::SQLITE_NOMEM, 0)),
            // SAFETY: by the caller's promise.
            Ok(length) => Ok(unsafe { std::slice::from_raw_parts(start, length) }),
        }
    }
}
