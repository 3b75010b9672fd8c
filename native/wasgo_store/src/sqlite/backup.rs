//! A copy of a whole database into a file, page by page.

use std::ffi::{CStr, c_int};
use std::path::Path;
use std::ptr::NonNull;

use libsql::ffi;

use super::connection::c_path;
use super::{Connection, Reader, Watch};
use crate::StoreError;

/// Pages copied between two looks at the clock.
const PAGES_AT_A_TIME: c_int = 256;

const MAIN: &CStr = c"main";

impl Reader {
    /// Copies what this connection reads.
    pub(crate) fn back_up(&mut self, target: &Path, watch: Watch) -> Result<(), StoreError> {
        self.watched(watch, |connection| connection.back_up(target))
    }
}

impl Connection {
    /// Copies this database, in the state that it has now, and does nothing else meanwhile.
    pub(crate) fn back_up(&self, target: &Path) -> Result<(), StoreError> {
        let target = Target::open(target)?;
        self.control("BEGIN")?;
        // The transaction begins with its first read.
        let begun = self.with_statement("SELECT count(*) FROM sqlite_schema", |statement| {
            statement.run(crate::ParamsRef::Positional(&[]))
        });
        let result = begun.and_then(|()| copy_pages(self, &target));
        self.control("ROLLBACK")?;
        result
    }
}

/// The file that is written; closed when dropped.
struct Target(NonNull<ffi::sqlite3>);

impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: it is open, and no backup to it is left.
        unsafe { ffi::sqlite3_close_v2(self.0.as_ptr()) };
    }
}

/// A copy under way; given up when dropped.
struct Copying(NonNull<ffi::sqlite3_backup>);

impl Drop for Copying {
    fn drop(&mut self) {
        // SAFETY: it was begun and not finished, and both databases are open.
        unsafe { ffi::sqlite3_backup_finish(self.0.as_ptr()) };
    }
}

impl Target {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let path = c_path(path)?;
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_NOMUTEX | ffi::SQLITE_OPEN_PRIVATECACHE;
        let mut raw = std::ptr::null_mut();
        // SAFETY: path is NUL-terminated, raw a place for the connection.
        let code = unsafe { ffi::sqlite3_open_v2(path.as_ptr(), &mut raw, flags, std::ptr::null()) };
        let target = NonNull::new(raw).map(Self).ok_or_else(|| failed(code, "no memory for a connection".into()))?;
        match code {
            ffi::SQLITE_OK => Ok(target),
            code => Err(target.error(code)),
        }
    }

    fn error(&self, code: c_int) -> StoreError {
        // SAFETY: it is open; the message is copied at once.
        let message = unsafe { super::text_at(ffi::sqlite3_errmsg(self.0.as_ptr())) };
        failed(code, format!("the copy: {}", message.unwrap_or_default()))
    }
}

fn failed(code: c_int, message: String) -> StoreError {
    StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None }
}

fn copy_pages(source: &Connection, target: &Target) -> Result<(), StoreError> {
    // SAFETY: both databases are open; none of them is used otherwise until the copy is finished.
    let raw = unsafe { ffi::sqlite3_backup_init(target.0.as_ptr(), MAIN.as_ptr(), source.raw(), MAIN.as_ptr()) };
    let copying = NonNull::new(raw).map(Copying).ok_or_else(|| target.error(ffi::SQLITE_ERROR))?;
    let hooks = &source.handle().hooks;
    let mut waits = 0;
    loop {
        // SAFETY: it was begun and not finished.
        match unsafe { ffi::sqlite3_backup_step(copying.0.as_ptr(), PAGES_AT_A_TIME) } {
            ffi::SQLITE_OK => waits = 0,
            ffi::SQLITE_DONE => break,
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED if hooks.wait_for_lock(waits) => waits += 1,
            code => {
                drop(copying);
                return Err(hooks.take_stopped().unwrap_or_else(|| failed(code, crate::code::name(code).to_owned())));
            }
        }
        if hooks.must_stop() {
            return Err(hooks.take_stopped().unwrap_or(StoreError::Interrupted));
        }
    }
    let copying = std::mem::ManuallyDrop::new(copying);
    // SAFETY: it was begun and not finished, and is not used any more.
    match unsafe { ffi::sqlite3_backup_finish(copying.0.as_ptr()) } {
        ffi::SQLITE_OK => Ok(()),
        code => Err(target.error(code)),
    }
}
