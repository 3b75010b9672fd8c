//! What the table of functions holds, read by a statement of our own.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;

use libsql::ffi;

use super::own::Own;
use crate::{StoreError, ValueRef};

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
    find: RefCell<Option<Own>>,
    /// A lookup is under way: whoever made the table a view on functions would else be asked for ever.
    busy: Cell<bool>,
}

impl Lookup {
    pub(super) fn new(db: *mut ffi::sqlite3) -> Self {
        Self { db, find: RefCell::default(), busy: Cell::new(false) }
    }

    pub(super) fn forget(&self) {
        self.find.replace(None);
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
            return Err(StoreError::Internal("the table of functions calls functions itself".into()));
        }
        let result = self.read(name, read);
        self.busy.set(false);
        result
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&[u8], bool) -> T) -> Result<Option<T>, StoreError> {
        let mut find = self.find.borrow_mut();
        let own = match &*find {
            Some(own) => own,
            None if !self.has_table()? => return Ok(None),
            None => {
                let sql = c"SELECT * FROM main.libsql_wasm_func_table WHERE name = ?1 LIMIT 1";
                find.insert(Own::prepare(self.db, sql)?)
            }
        };
        let found = own.run(&[ValueRef::Text(name)]).and_then(|mut run| {
            // The third column is ours, and may be missing.
            Ok(run.step()?.then(|| read(run.content(1), run.integer(2) != 0)))
        });
        match found {
            // The table may be gone again.
            Err(StoreError::Sqlite { code: ffi::SQLITE_ERROR, .. }) if !self.has_table()? => {
                *find = None;
                Ok(None)
            }
            found => found,
        }
    }

    fn has_table(&self) -> Result<bool, StoreError> {
        let sql = c"SELECT 1 FROM main.sqlite_schema WHERE name = ?1 AND type = 'table'";
        self.holds(sql, "libsql_wasm_func_table")
    }

    /// Whether a query has a row for `parameter`.
    pub(super) fn holds(&self, sql: &CStr, parameter: &str) -> Result<bool, StoreError> {
        Own::prepare(self.db, sql)?.run(&[ValueRef::Text(parameter)])?.step()
    }
}
