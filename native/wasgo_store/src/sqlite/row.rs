//! The row that a running statement is at.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CStr, c_int};

use libsql::ffi;

use super::Statement;
use super::statement::index;
use crate::{StoreError, Value, ValueRef};

/// So many bytes of rows are handed out between two looks at the clock.
const BYTES_BETWEEN_CHECKS: usize = 256 * 1024;

/// Counts the bytes of an answer.
pub(super) struct Meter {
    used: Cell<usize>,
    max: usize,
    asked_at: Cell<usize>,
}

impl Meter {
    pub(super) fn new(max: usize) -> Self {
        Self { used: Cell::new(0), max, asked_at: Cell::new(0) }
    }

    pub(super) fn used(&self) -> usize {
        self.used.get()
    }

    pub(super) fn left(&self) -> usize {
        self.max.saturating_sub(self.used.get())
    }

    fn charge(&self, bytes: usize) -> Result<(), StoreError> {
        let used = self.used.get().saturating_add(bytes);
        self.used.set(used);
        if used > self.max {
            return Err(StoreError::ByteLimit { max: self.max });
        }
        Ok(())
    }

    pub(super) fn much_since_last_asked(&self) -> bool {
        let much = self.used.get() - self.asked_at.get() > BYTES_BETWEEN_CHECKS;
        if much {
            self.asked_at.set(self.used.get());
        }
        much
    }
}

impl Statement {
    /// The name of a column of a statement that runs.
    pub(crate) fn column_name(&self, column: usize) -> Cow<'_, str> {
        // The names stay where they are until the next of them is asked for in another encoding, which nothing here does, or the
        // statement is prepared anew, which a run that began does not.
        // SAFETY: raw is a prepared statement that runs while this is borrowed; the name lives until it is prepared
        // anew.
        unsafe {
            let name = ffi::sqlite3_column_name(self.raw(), index(column));
            if name.is_null() {
                return Cow::Borrowed("");
            }
            CStr::from_ptr(name).to_string_lossy()
        }
    }
}

/// A row where SQLite has it. What is read of it is counted against the query's limit of bytes.
pub(crate) struct StatementRow<'s> {
    statement: &'s Statement,
    width: usize,
    /// Which one, from 0: for messages.
    number: usize,
    meter: &'s Meter,
}

impl<'s> StatementRow<'s> {
    pub(super) fn begin(statement: &'s Statement, number: usize, meter: &'s Meter) -> Result<Self, StoreError> {
        // SAFETY: the statement is at a row.
        let width = unsafe { ffi::sqlite3_data_count(statement.raw()) };
        let width = usize::try_from(width).unwrap_or(0);
        meter.charge(width * size_of::<Value>())?;
        Ok(Self { statement, width, number, meter })
    }
}

impl StatementRow<'_> {
    pub(crate) fn len(&self) -> usize {
        self.width
    }

    #[inline]
    pub(crate) fn get(&self, column: usize) -> Result<ValueRef<'_>, StoreError> {
        let raw = self.statement.raw();
        let at = index(column);
        // SAFETY: the statement is at a row; a column beyond its end reads as NULL. Texts and blobs are asked for as what they are
        // and never converted, so that they stay until the next step; their length is asked for after the pointer, as
        // SQLite wants it.
        unsafe {
            match ffi::sqlite3_column_type(raw, at) {
                ffi::SQLITE_NULL => Ok(ValueRef::Null),
                ffi::SQLITE_INTEGER => Ok(ValueRef::Integer(ffi::sqlite3_column_int64(raw, at))),
                ffi::SQLITE_FLOAT => Ok(ValueRef::Real(ffi::sqlite3_column_double(raw, at))),
                ffi::SQLITE_TEXT => {
                    let start = ffi::sqlite3_column_text(raw, at);
                    let bytes = self.bytes(start, ffi::sqlite3_column_bytes(raw, at))?;
                    let text = std::str::from_utf8(bytes).map_err(|_| StoreError::NotUtf8 {
                        column: self.statement.column_name(column).into_owned(),
                        row: self.number,
                    })?;
                    Ok(ValueRef::Text(text))
                }
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_column_blob(raw, at);
                    let bytes = self.bytes(start.cast(), ffi::sqlite3_column_bytes(raw, at))?;
                    Ok(ValueRef::Blob(bytes))
                }
                other => Err(StoreError::Internal(format!("value of type {other}"))),
            }
        }
    }

    /// # Safety
    ///
    /// `start` is null or points to `length` bytes that stay until the row does.
    unsafe fn bytes(&self, start: *const u8, length: c_int) -> Result<&[u8], StoreError> {
        let length = usize::try_from(length).unwrap_or(0);
        self.meter.charge(length)?;
        if length == 0 {
            return Ok(&[]);
        }
        // Something, but nowhere: memory ran out while converting it.
        if start.is_null() {
            return Err(self.statement.handle().error(ffi::SQLITE_NOMEM, 0));
        }
        // SAFETY: by the caller's promise.
        Ok(unsafe { std::slice::from_raw_parts(start, length) })
    }
}
