//! What the table of functions holds, read by a statement of our own.

use std::cell::Cell;

use libsql::ffi;

use super::TABLE;
use crate::StoreError;

/// A function's row.
pub(super) struct Stored {
    pub(super) body: Vec<u8>,
    pub(super) deterministic: bool,
    pub(super) hash: blake3::Hash,
}

impl Stored {
    fn new(body: Vec<u8>, deterministic: bool) -> Self {
        let hash = hash(&body, deterministic);
        Self { body, deterministic, hash }
    }
}

fn hash(body: &[u8], deterministic: bool) -> blake3::Hash {
    blake3::Hasher::new().update(&[u8::from(deterministic)]).update(body).finalize()
}

/// What a row is, compared with what is known.
pub(super) enum Seen {
    Gone,
    Same,
    Other(Stored),
}

pub(super) struct Lookup {
    db: *mut ffi::sqlite3,
    statement: Cell<*mut ffi::sqlite3_stmt>,
    /// A lookup is under way: whoever made the table a view on functions would else be asked for ever.
    busy: Cell<bool>,
}

impl Lookup {
    pub(super) fn new(db: *mut ffi::sqlite3) -> Self {
        Self { db, statement: Cell::new(std::ptr::null_mut()), busy: Cell::new(false) }
    }

    pub(super) fn forget(&self) {
        // SAFETY: it was prepared here, or is null; it is not used again.
        unsafe { ffi::sqlite3_finalize(self.statement.replace(std::ptr::null_mut())) };
    }

    pub(super) fn find(&self, name: &str) -> Result<Option<Stored>, StoreError> {
        self.row(name, |body, deterministic| Stored::new(body.to_vec(), deterministic))
    }

    pub(super) fn compare(&self, name: &str, known: &blake3::Hash) -> Result<Seen, StoreError> {
        let seen = self.row(name, |body, deterministic| match hash(body, deterministic) == *known {
            true => Seen::Same,
            false => Seen::Other(Stored::new(body.to_vec(), deterministic)),
        })?;
        Ok(seen.unwrap_or(Seen::Gone))
    }

    /// Reads the row of `name`, if there is one.
    fn row<T>(&self, name: &str, read: impl FnOnce(&[u8], bool) -> T) -> Result<Option<T>, StoreError> {
        if self.busy.replace(true) {
            return Err(StoreError::Internal(format!("{TABLE} calls functions itself")));
        }
        let result = self.read(name, read);
        self.busy.set(false);
        result
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&[u8], bool) -> T) -> Result<Option<T>, StoreError> {
        if self.statement.get().is_null() {
            let Some(statement) = self.prepare()? else { return Ok(None) };
            self.statement.set(statement);
        }
        let statement = self.statement.get();
        // SAFETY: the statement is prepared and does not run; the name lives until the bindings are cleared below, and what a column
        // points to is used before the next step.
        unsafe {
            let length = i32::try_from(name.len()).unwrap_or(i32::MAX);
            ffi::sqlite3_bind_text(statement, 1, name.as_ptr().cast(), length, ffi::SQLITE_STATIC());
            let step = ffi::sqlite3_step(statement);
            let found = match step {
                ffi::SQLITE_ROW => {
                    let body = ffi::sqlite3_column_blob(statement, 1).cast::<u8>();
                    let length = usize::try_from(ffi::sqlite3_column_bytes(statement, 1)).unwrap_or(0);
                    let body = if body.is_null() { &[][..] } else { std::slice::from_raw_parts(body, length) };
                    // A column of ours; beyond the last one all is 0.
                    Ok(Some(read(body, ffi::sqlite3_column_int(statement, 2) != 0)))
                }
                ffi::SQLITE_DONE => Ok(None),
                code => Err(self.error(code)),
            };
            ffi::sqlite3_reset(statement);
            ffi::sqlite3_clear_bindings(statement);
            found.or_else(|error| {
                // The table may be gone again.
                if step == ffi::SQLITE_ERROR && !self.has_table() {
                    self.forget();
                    return Ok(None);
                }
                Err(error)
            })
        }
    }

    /// None where there is no table of functions.
    fn prepare(&self) -> Result<Option<*mut ffi::sqlite3_stmt>, StoreError> {
        if !self.has_table() {
            return Ok(None);
        }
        self.prepare_sql(&format!("SELECT * FROM main.{TABLE} WHERE name = ?1 LIMIT 1\0")).map(Some)
    }

    fn has_table(&self) -> bool {
        self.holds("SELECT 1 FROM main.sqlite_schema WHERE name = ?1 AND type = 'table'\0", TABLE).unwrap_or(false)
    }

    /// Whether the query `sql`, with a NUL at its end, has a row for `parameter`.
    pub(super) fn holds(&self, sql: &str, parameter: &str) -> Result<bool, StoreError> {
        let statement = self.prepare_sql(sql)?;
        // SAFETY: the statement is prepared; it is finalized before the parameter goes.
        unsafe {
            let length = i32::try_from(parameter.len()).unwrap_or(i32::MAX);
            ffi::sqlite3_bind_text(statement, 1, parameter.as_ptr().cast(), length, ffi::SQLITE_STATIC());
            let code = ffi::sqlite3_step(statement);
            let result = match code {
                ffi::SQLITE_ROW => Ok(true),
                ffi::SQLITE_DONE => Ok(false),
                code => Err(self.error(code)),
            };
            ffi::sqlite3_finalize(statement);
            result
        }
    }

    fn prepare_sql(&self, sql: &str) -> Result<*mut ffi::sqlite3_stmt, StoreError> {
        let mut statement = std::ptr::null_mut();
        // SAFETY: the connection is open; the text ends with a NUL, which its callers see to.
        let code =
            unsafe { ffi::sqlite3_prepare_v2(self.db, sql.as_ptr().cast(), -1, &mut statement, std::ptr::null_mut()) };
        if code == ffi::SQLITE_OK { Ok(statement) } else { Err(self.error(code)) }
    }

    fn error(&self, code: i32) -> StoreError {
        // SAFETY: the connection is open; the message is copied.
        let message = unsafe { std::ffi::CStr::from_ptr(ffi::sqlite3_errmsg(self.db)) }.to_string_lossy().into_owned();
        StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None }
    }
}
