//! The only place that speaks to SQLite's C interface: a connection, its statements and its hooks, safe to use from
//! one thread at a time.
//!
//! The `libsql` crate's own connection is not used: it hides where a statement ends, the result of binding, the
//! extended code of a failed open and the place of a syntax error, panics on names that are not UTF-8, and can only
//! be interrupted between statements as well as within (an interrupt that comes a moment early is lost). The C
//! library is the one that it brings, set up by it.
//!
//! Nothing here may be sent to another thread but a whole [`Reader`], and no pointer that SQLite gave may outlive the
//! next call to it.

mod authorizer;
mod backup;
mod bind;
mod cache;
mod connection;
mod depth;
mod functions;
mod hooks;
mod reader;
mod row;
mod scripts;
mod statement;

use std::ffi::{CStr, c_char};

pub(crate) use connection::{Connection, Role};
pub(crate) use hooks::{Interrupt, Watch};
pub(crate) use reader::{Ran, Reader};
pub(crate) use row::StatementRow;
pub(crate) use statement::{Control, Statement};

/// The most bytes of SQL in one request. Room for a script of a dump or a function with its code in it.
pub const MAX_SQL_BYTES: usize = 64 * 1024 * 1024;

/// How many instructions of SQLite's virtual machine run between two looks at the clock: few enough that a deadline is
/// noticed soon after it passed, enough that looking is not what takes the time.
pub const STEPS_BETWEEN_CHECKS: i32 = 1000;

/// The version of SQLite that this is built of.
pub fn sqlite_version() -> String {
    String::from_utf8_lossy(libsql::ffi::SQLITE_VERSION).trim_end_matches('\0').to_owned()
}

/// # Safety
///
/// `text` is null, or NUL-terminated and valid for as long as what is returned is used.
unsafe fn text_at<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
