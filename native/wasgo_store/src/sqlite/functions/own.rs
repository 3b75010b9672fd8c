//! Statements of our own in the midst of others.

use std::ffi::CStr;

use libsql::ffi;

use crate::{StoreError, ValueRef};

/// A statement that is prepared for many runs.
pub(in crate::sqlite) struct Own {
    raw: *mut ffi::sqlite3_stmt,
    db: *mut ffi::sqlite3,
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: it was prepared here, and the connection is open as long as there are statements.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

impl Own {
    /// For the connection `db`, which is open as long as the result lives.
    pub(in crate::sqlite) fn prepare(db: *mut ffi::sqlite3, sql: &CStr) -> Result<Self, StoreError> {
        let mut raw = std::ptr::null_mut();
        let flags = ffi::SQLITE_PREPARE_PERSISTENT.cast_unsigned();
        // SAFETY: the connection is open, the text ends with a NUL, and there is a place for the statement.
        let code = unsafe { ffi::sqlite3_prepare_v3(db, sql.as_ptr(), -1, flags, &mut raw, std::ptr::null_mut()) };
        if code == ffi::SQLITE_OK && !raw.is_null() { Ok(Self { raw, db }) } else { Err(error(db, code)) }
    }

    /// Begins a run; the values are copied.
    pub(in crate::sqlite) fn run(&self, values: &[ValueRef<'_>]) -> Result<Run<'_>, StoreError> {
        let run = Run(self);
        for (at, value) in values.iter().enumerate() {
            self.bind(at, *value)?;
        }
        Ok(run)
    }

    fn bind(&self, at: usize, value: ValueRef<'_>) -> Result<(), StoreError> {
        let at = i32::try_from(at + 1).unwrap_or(i32::MAX);
        let copied = ffi::SQLITE_TRANSIENT();
        // SAFETY: the statement is prepared and does not run; SQLite copies what is bound.
        let code = unsafe {
            match value {
                ValueRef::Null => ffi::sqlite3_bind_null(self.raw, at),
                ValueRef::Integer(integer) => ffi::sqlite3_bind_int64(self.raw, at, integer),
                ValueRef::Real(real) => ffi::sqlite3_bind_double(self.raw, at, real),
                ValueRef::Text(text) => ffi::sqlite3_bind_text64(
                    self.raw,
                    at,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    copied,
                    ffi::SQLITE_UTF8 as u8,
                ),
                ValueRef::Blob(bytes) => {
                    ffi::sqlite3_bind_blob64(self.raw, at, bytes.as_ptr().cast(), bytes.len() as u64, copied)
                }
            }
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(error(self.db, code)) }
    }

    /// How many parameters it has.
    pub(in crate::sqlite) fn parameters(&self) -> usize {
        // SAFETY: the statement is prepared.
        usize::try_from(unsafe { ffi::sqlite3_bind_parameter_count(self.raw) }).unwrap_or(0)
    }

    /// Whether it changes nothing.
    pub(in crate::sqlite) fn is_read_only(&self) -> bool {
        // SAFETY: the statement is prepared.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw) != 0 }
    }
}

/// A run of a statement; it is ready for the next when this is dropped.
pub(in crate::sqlite) struct Run<'s>(&'s Own);

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement is prepared; what its last step answered was looked at.
        unsafe {
            ffi::sqlite3_reset(self.0.raw);
            ffi::sqlite3_clear_bindings(self.0.raw);
        }
    }
}

impl Run<'_> {
    /// To the next row, if there is one.
    pub(in crate::sqlite) fn step(&mut self) -> Result<bool, StoreError> {
        // SAFETY: the statement is prepared and its values bound.
        match unsafe { ffi::sqlite3_step(self.0.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(error(self.0.db, code)),
        }
    }

    /// How many columns the row has.
    pub(in crate::sqlite) fn columns(&self) -> usize {
        // SAFETY: the statement is at a row.
        usize::try_from(unsafe { ffi::sqlite3_data_count(self.0.raw) }).unwrap_or(0)
    }

    /// A value of the row that it is at. Text that is not UTF-8 is as a blob.
    pub(in crate::sqlite) fn value(&self, column: usize) -> ValueRef<'_> {
        let at = i32::try_from(column).unwrap_or(i32::MAX);
        let raw = self.0.raw;
        // SAFETY: the statement is at a row; beyond the last column all is NULL. The bytes stay until the next step, which takes `&mut`.
        unsafe {
            match ffi::sqlite3_column_type(raw, at) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_column_int64(raw, at)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_column_double(raw, at)),
                ffi::SQLITE_TEXT => {
                    let bytes = self.bytes(ffi::sqlite3_column_text(raw, at), at);
                    std::str::from_utf8(bytes).map_or(ValueRef::Blob(bytes), ValueRef::Text)
                }
                ffi::SQLITE_BLOB => ValueRef::Blob(self.bytes(ffi::sqlite3_column_blob(raw, at).cast(), at)),
                _ => ValueRef::Null,
            }
        }
    }

    /// The bytes of a text or blob; none of anything else.
    pub(in crate::sqlite) fn content(&self, column: usize) -> &[u8] {
        match self.value(column) {
            ValueRef::Text(text) => text.as_bytes(),
            ValueRef::Blob(bytes) => bytes,
            _ => &[],
        }
    }

    pub(in crate::sqlite) fn text(&self, column: usize) -> &str {
        match self.value(column) {
            ValueRef::Text(text) => text,
            _ => "",
        }
    }

    pub(in crate::sqlite) fn integer(&self, column: usize) -> i64 {
        match self.value(column) {
            ValueRef::Integer(integer) => integer,
            _ => 0,
        }
    }

    /// # Safety
    ///
    /// `start` is what SQLite just gave for the column.
    unsafe fn bytes(&self, start: *const u8, column: i32) -> &[u8] {
        // SAFETY: the statement is at a row.
        let length = usize::try_from(unsafe { ffi::sqlite3_column_bytes(self.0.raw, column) }).unwrap_or(0);
        if start.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: by the caller's promise.
        unsafe { std::slice::from_raw_parts(start, length) }
    }
}

pub(in crate::sqlite) fn error(db: *mut ffi::sqlite3, code: i32) -> StoreError {
    // SAFETY: the connection is open; the message is copied.
    let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(db)) }.to_string_lossy().into_owned();
    StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None }
}
