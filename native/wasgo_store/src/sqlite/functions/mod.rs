//! SQL functions written in WebAssembly, as one connection has them.
//!
//! They are rows of the table that libSQL keeps them in. A connection learns of one when a statement names it (SQLite says "no such
//! function"), and looks once per statement whether the row is still what it knows, within the statement's own snapshot. So a function is
//! created, replaced and dropped exactly when the transaction is that does it, for every connection of every process.

mod aggregate;
mod ddl;
mod entry;
mod lookup;
pub(super) mod own;
mod scalar;
mod table;
pub(super) mod values;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ffi::{CString, c_int, c_void};
use std::rc::Rc;
use std::sync::Arc;

use libsql::ffi;
use wasgo_wasm::Stop;

use super::hooks::Hooks;
use super::scripts::Scripts;
use crate::StoreError;
use crate::functions::code::{Code, Shape};
use crate::functions::{Fault, FunctionHost};
use entry::Entry;
use lookup::{Lookup, Stored};

/// Functions that one connection keeps; more are an error. Each has code, and may have an instance: mappings of memory, of which a process
/// has only so many.
const MAX_FUNCTIONS: usize = 256;

/// The table, as libSQL makes it.
const TABLE: &str = "libsql_wasm_func_table";

/// What a connection knows of functions. It lies beside the connection, and must not move while that is open.
pub(crate) struct Functions {
    host: FunctionHost,
    db: *mut ffi::sqlite3,
    hooks: *const Hooks,
    lookup: Lookup,
    /// What SQLite calls. SQLite has a reference of its own on each.
    entries: RefCell<HashMap<String, Rc<Entry>>>,
    /// Counts runs of statements.
    run: Cell<u64>,
    /// Names that are something else now than what they are registered as.
    stale: RefCell<Vec<String>>,
    /// Why the latest call failed: more than fits a message of SQLite's.
    failure: RefCell<Option<StoreError>>,
    /// Scripts that are notified from SQL, and the tables that were made for certain of them.
    pub(super) scripts: Scripts,
    pub(super) tables: RefCell<HashSet<String>>,
}

impl Functions {
    /// For the connection `db`, whose hooks these are.
    pub(super) fn new(host: FunctionHost, db: *mut ffi::sqlite3, hooks: *const Hooks) -> Self {
        Self {
            host,
            db,
            hooks,
            lookup: Lookup::new(db),
            entries: RefCell::default(),
            run: Cell::new(1),
            stale: RefCell::default(),
            failure: RefCell::default(),
            scripts: Scripts::default(),
            tables: RefCell::default(),
        }
    }

    /// Registers what `CREATE FUNCTION` needs.
    ///
    /// # Safety
    ///
    /// `db` and `hooks` are alive, and this and they stay where they are until `db` is closed.
    pub(super) unsafe fn install(&self) -> Result<(), StoreError> {
        // SAFETY: by the caller's promise.
        unsafe {
            ddl::install(self)?;
            self.install_notifications()
        }
    }

    /// To be called before the connection is closed: what is prepared keeps it open.
    pub(super) fn forget(&self) {
        self.lookup.forget();
        self.scripts.forget();
    }

    /// A statement begins to run.
    pub(super) fn begin(&self) {
        self.run.set(self.run.get().wrapping_add(1));
        self.failure.replace(None);
    }

    /// Why the statement failed, if a function did; told once.
    pub(in crate::sqlite) fn take_failure(&self) -> Option<StoreError> {
        self.failure.take()
    }

    pub(super) fn db(&self) -> *mut ffi::sqlite3 {
        self.db
    }

    pub(super) fn host(&self) -> &FunctionHost {
        &self.host
    }

    pub(super) fn hooks(&self) -> &Hooks {
        // SAFETY: the hooks lie beside this, and live as long.
        unsafe { &*self.hooks }
    }

    /// What a guest's host asks whether the statement that runs is to be stopped.
    pub(super) fn stop(&self) -> Stop {
        let alarm = Arc::clone(self.hooks().alarm());
        Arc::new(move || alarm.rings())
    }

    /// A guest was stopped because its statement is: keeps why that is.
    pub(super) fn note_stopped(&self) {
        self.hooks().must_stop();
    }

    /// Refuses to compile or run anything on a thread that is lent for a moment, and has the stack for a moment's work.
    pub(super) fn need_thread(&self) -> Result<(), StoreError> {
        if self.scripts.running.get() {
            // It runs on a fiber, which has no stack for another guest.
            let message = "a script's statement may call no function written in WebAssembly, and notify nobody".into();
            return Err(StoreError::Sqlite { code: ffi::SQLITE_AUTH, name: "auth", message, offset: None });
        }
        if self.hooks().give_up_budget() { Err(StoreError::Interrupted) } else { Ok(()) }
    }

    /// Remembers why the statement fails. What comes after the first failure, while SQLite tidies up, comes of that.
    pub(super) fn fail(&self, error: StoreError) {
        self.failure.borrow_mut().get_or_insert(error);
    }

    /// Remembers why the function `name` failed, unless it was stopped because the statement is.
    pub(super) fn fail_by(&self, name: &str, fault: &Fault) {
        if fault.is_stopped() {
            return self.note_stopped();
        }
        self.fail(StoreError::Function { name: name.to_owned(), reason: fault.reason(), message: fault.message() });
    }

    /// Registers the function that SQLite says is missing; whether there is one to try again with.
    pub(super) fn learn(&self, message: &str) -> Result<bool, StoreError> {
        let Some(name) = missing_name(message) else { return Ok(false) };
        // As SQLite has it: letters beyond ASCII are what they are.
        let name = name.to_ascii_lowercase();
        let Some(stored) = self.look_up(&name)? else { return Ok(false) };
        let known = self.entries.borrow().get(&name).is_some_and(|entry| entry.has(&stored));
        if known {
            return Ok(false);
        }
        self.need_thread()?;
        self.register(&name, &stored).map(|()| true)
    }

    /// Registers anew what is something else now than it was; whether there was such a thing.
    pub(super) fn renew(&self) -> Result<bool, StoreError> {
        if self.stale.borrow().is_empty() {
            return Ok(false);
        }
        self.need_thread()?;
        for name in self.stale.take() {
            match self.look_up(&name)? {
                Some(stored) => self.register(&name, &stored)?,
                None => self.unregister(&name)?,
            }
        }
        Ok(true)
    }

    fn look_up(&self, name: &str) -> Result<Option<Stored>, StoreError> {
        self.hooks().own(|| self.lookup.find(name))
    }

    fn compile(&self, name: &str, source: &[u8], deterministic: bool) -> Result<Code, StoreError> {
        Code::compile(&self.host, name, source, deterministic).map_err(|fault| StoreError::Function {
            name: name.to_owned(),
            reason: fault.reason(),
            message: fault.message(),
        })
    }

    fn register(&self, name: &str, stored: &Stored) -> Result<(), StoreError> {
        let code = self.compile(name, &stored.body, stored.deterministic)?;
        self.unregister(name)?;
        if self.entries.borrow().len() >= MAX_FUNCTIONS {
            let message = format!("one connection uses {MAX_FUNCTIONS} functions at most");
            return Err(StoreError::Function { name: name.to_owned(), reason: "functions", message });
        }
        let entry = Rc::new(Entry::new(self, name, stored, code));
        let c_name = c_name(name)?;
        let mut flags = ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS;
        if stored.deterministic {
            flags |= ffi::SQLITE_DETERMINISTIC;
        }
        // SQLite's reference, which `release` gives up; it is called even when registering fails.
        let data = Rc::into_raw(Rc::clone(&entry)).cast_mut().cast::<c_void>();
        let release = Some(entry::release as unsafe extern "C" fn(*mut c_void));
        // SAFETY: the connection is open; the callbacks take `data` for what it is.
        let code = unsafe {
            match entry.shape {
                Shape::Scalar => ffi::sqlite3_create_function_v2(
                    self.db,
                    c_name.as_ptr(),
                    -1,
                    flags,
                    data,
                    Some(scalar::call),
                    None,
                    None,
                    release,
                ),
                Shape::Aggregate { windows } => ffi::sqlite3_create_window_function(
                    self.db,
                    c_name.as_ptr(),
                    -1,
                    flags,
                    data,
                    Some(aggregate::step),
                    Some(aggregate::last),
                    windows.then_some(aggregate::value),
                    windows.then_some(aggregate::inverse),
                    release,
                ),
                Shape::Table => ffi::sqlite3_create_module_v2(self.db, c_name.as_ptr(), &table::MODULE, data, release),
            }
        };
        if code != ffi::SQLITE_OK {
            let message = format!("function {name}: SQLite registers it not (code {code})");
            return Err(StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None });
        }
        self.entries.borrow_mut().insert(name.to_owned(), entry);
        Ok(())
    }

    /// Takes a function from SQLite, which refuses that while statements run that may use it.
    fn unregister(&self, name: &str) -> Result<(), StoreError> {
        let Some(entry) = self.entries.borrow().get(name).map(Rc::clone) else { return Ok(()) };
        let c_name = c_name(name)?;
        // SAFETY: the connection is open. SQLite calls `release` for what it had.
        let code = unsafe {
            match entry.shape {
                Shape::Table => ffi::sqlite3_create_module_v2(
                    self.db,
                    c_name.as_ptr(),
                    std::ptr::null(),
                    std::ptr::null_mut(),
                    None,
                ),
                _ => ffi::sqlite3_create_function_v2(
                    self.db,
                    c_name.as_ptr(),
                    -1,
                    ffi::SQLITE_UTF8,
                    std::ptr::null_mut(),
                    None,
                    None,
                    None,
                    None,
                ),
            }
        };
        if code != ffi::SQLITE_OK {
            self.stale.borrow_mut().push(name.to_owned());
            let message = format!("function {name} was changed, and another statement still uses what it was");
            return Err(StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None });
        }
        self.entries.borrow_mut().remove(name);
        Ok(())
    }
}

fn c_name(name: &str) -> Result<CString, StoreError> {
    CString::new(name).map_err(|error| StoreError::NulInSql { offset: error.nul_position() })
}

/// The function that a message of SQLite's says is not there.
fn missing_name(message: &str) -> Option<&str> {
    if let Some(name) = message.strip_prefix("no such function: ") {
        return Some(name);
    }
    if let Some(name) = message.strip_prefix("unknown function: ") {
        return name.strip_suffix("()");
    }
    let name = message.strip_prefix("no such table: ")?;
    Some(name.rsplit_once('.').map_or(name, |(_, name)| name))
}

/// Runs a callback of SQLite's: nothing may unwind into C.
pub(super) fn guarded<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// Tells SQLite that the function failed. The message that people read is the one in `Functions::failure`.
///
/// # Safety
///
/// `context` is the one of the callback that runs.
pub(super) unsafe fn fail(context: *mut ffi::sqlite3_context, name: &str) {
    let message = format!("function {name} failed");
    let length = c_int::try_from(message.len()).unwrap_or(c_int::MAX);
    // SAFETY: by the caller's promise; SQLite copies the message.
    unsafe { ffi::sqlite3_result_error(context, message.as_ptr().cast(), length) };
}

#[cfg(test)]
mod tests {
    use super::missing_name;

    #[test]
    fn what_is_missing_is_read_from_the_message() {
        assert_eq!(missing_name("no such function: fibonacci"), Some("fibonacci"));
        assert_eq!(missing_name("unknown function: f()"), Some("f"));
        assert_eq!(missing_name("no such table: main.f"), Some("f"));
        assert_eq!(missing_name("no such table: f"), Some("f"));
        assert_eq!(missing_name("no such column: f"), None);
    }
}
