//! A function as one connection has it: its code, and the instance that all its calls there share.

use std::cell::RefCell;
use std::ffi::c_void;
use std::rc::Rc;

use libsql::ffi;

use super::Functions;
use super::lookup::{Seen, Stored};
use crate::StoreError;
use crate::functions::Fault;
use crate::functions::code::{Code, Shape};
use crate::functions::guest::Guest;

/// What tells one state of the database from another: what others wrote, and what this connection did.
type Snapshot = (u32, i64);

pub(super) struct Entry {
    functions: *const Functions,
    pub(super) name: String,
    pub(super) shape: Shape,
    deterministic: bool,
    state: RefCell<State>,
}

struct State {
    hash: blake3::Hash,
    code: Rc<Code>,
    guest: Option<Guest>,
    /// Counts instances: handles of an earlier one mean nothing to a later.
    generation: u32,
    /// Groups and cursors whose state is in the instance, which is not made anew for tidiness meanwhile.
    handles: u32,
    /// The run of a statement in which the row was looked at last, and what the database was then.
    run: u64,
    snapshot: Option<Snapshot>,
}

impl State {
    fn drop_guest(&mut self) {
        self.guest = None;
        self.generation = self.generation.wrapping_add(1);
        self.handles = 0;
    }
}

/// What a call may use.
pub(super) struct Use<'a> {
    pub(super) guest: &'a mut Guest,
    pub(super) code: &'a Code,
    /// Bytes that a result may have.
    pub(super) limit: u64,
    /// Of the instance.
    pub(super) generation: u32,
    handles: &'a mut u32,
}

impl Use<'_> {
    /// A handle of the guest's was made.
    pub(super) fn hold(&mut self) {
        *self.handles += 1;
    }

    /// One was given back.
    pub(super) fn let_go(&mut self) {
        *self.handles = self.handles.saturating_sub(1);
    }
}

/// Why a call was not made or failed.
enum Problem {
    Store(StoreError),
    Fault(Fault),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Entry {
    pub(super) fn new(functions: &Functions, name: &str, stored: &Stored, code: Code) -> Self {
        let shape = code.shape();
        let state = State {
            hash: stored.hash,
            code: Rc::new(code),
            guest: None,
            generation: 0,
            handles: 0,
            run: 0,
            snapshot: None,
        };
        let name = name.to_owned();
        Self { functions, name, shape, deterministic: stored.deterministic, state: RefCell::new(state) }
    }

    /// Whether it is what is stored, or will find out when it is called.
    pub(super) fn has(&self, stored: &Stored) -> bool {
        self.state.try_borrow().is_ok_and(|state| state.hash == stored.hash)
    }

    pub(super) fn functions(&self) -> &Functions {
        // SAFETY: entries are used by what SQLite calls, while the connection is open, and the functions lie beside that.
        unsafe { &*self.functions }
    }

    /// Lets `work` use the function's instance; none if that failed, which `Functions::take_failure` then tells of. After a failure the
    /// next call gets another instance.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Use<'_>) -> Result<T, Fault>) -> Option<T> {
        let functions = self.functions();
        match self.try_with(functions, work) {
            Ok(value) => Some(value),
            Err(Problem::Store(error)) => {
                functions.fail(error);
                None
            }
            Err(Problem::Fault(fault)) => {
                functions.fail_by(&self.name, &fault);
                None
            }
        }
    }

    fn try_with<T>(
        &self,
        functions: &Functions,
        work: impl FnOnce(&mut Use<'_>) -> Result<T, Fault>,
    ) -> Result<T, Problem> {
        let mut state = self.state.try_borrow_mut().map_err(|_| Fault::contract("it is called by itself"))?;
        let state = &mut *state;
        functions.need_thread()?;
        self.refresh(functions, state)?;
        let code = Rc::clone(&state.code);
        let guest = match &mut state.guest {
            Some(guest) => guest,
            none => none.insert(Guest::new(&functions.host, &code, functions.stop())?),
        };
        let mut using = Use {
            guest,
            code: &code,
            limit: functions.host.limits.result,
            generation: state.generation,
            handles: &mut state.handles,
        };
        let result = work(&mut using);
        if result.is_err() || (state.handles == 0 && state.guest.as_ref().is_some_and(Guest::is_bloated)) {
            state.drop_guest();
        }
        Ok(result?)
    }

    /// Sees to it that the code is what the statement's snapshot of the database has.
    fn refresh(&self, functions: &Functions, state: &mut State) -> Result<(), StoreError> {
        let run = functions.run.get();
        if state.run == run {
            return Ok(());
        }
        let snapshot = snapshot(functions.db);
        if snapshot.is_none() || snapshot != state.snapshot {
            let seen = functions.hooks().own(|| functions.lookup.compare(&self.name, &state.hash))?;
            match seen {
                Seen::Same => {}
                Seen::Gone => {
                    functions.stale.borrow_mut().push(self.name.clone());
                    return Err(sqlite_error(ffi::SQLITE_ERROR, format!("no such function: {}", self.name)));
                }
                Seen::Other(stored) => self.replace(functions, state, &stored)?,
            }
            state.snapshot = self::snapshot(functions.db);
        }
        state.run = run;
        Ok(())
    }

    fn replace(&self, functions: &Functions, state: &mut State, stored: &Stored) -> Result<(), StoreError> {
        let code = functions.compile(&self.name, &stored.body, stored.deterministic)?;
        if code.shape() != self.shape || stored.deterministic != self.deterministic {
            // SQLite must know of that before it prepares a statement.
            functions.stale.borrow_mut().push(self.name.clone());
            let message =
                format!("function {} was replaced by one of another kind: run the statement again", self.name);
            return Err(sqlite_error(ffi::SQLITE_SCHEMA, message));
        }
        state.drop_guest();
        state.code = Rc::new(code);
        state.hash = stored.hash;
        Ok(())
    }
}

fn sqlite_error(code: i32, message: String) -> StoreError {
    StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None }
}

/// None where a look is due in any case: within a transaction this connection may have changed the table and undone it, and before a
/// statement has read anything it is not told of what others wrote.
fn snapshot(db: *mut ffi::sqlite3) -> Option<Snapshot> {
    // SAFETY: the connection is open, and this is its thread; the version is written to a place for it.
    unsafe {
        let in_transaction = ffi::sqlite3_get_autocommit(db) == 0;
        if in_transaction || ffi::sqlite3_txn_state(db, c"main".as_ptr()) == ffi::SQLITE_TXN_NONE {
            return None;
        }
        let mut version = 0_u32;
        let place = std::ptr::from_mut(&mut version).cast::<c_void>();
        let code = ffi::sqlite3_file_control(db, c"main".as_ptr(), ffi::SQLITE_FCNTL_DATA_VERSION, place);
        (code == ffi::SQLITE_OK).then(|| (version, ffi::sqlite3_total_changes64(db)))
    }
}

/// Gives up SQLite's reference.
///
/// # Safety
///
/// `data` came from `Rc::into_raw` of an entry, and is not used again.
pub(super) unsafe extern "C" fn release(data: *mut c_void) {
    // SAFETY: by the caller's promise.
    let entry = unsafe { Rc::from_raw(data.cast_const().cast::<Entry>()) };
    super::guarded((), || drop(entry));
}

/// The entry that a callback is for.
///
/// # Safety
///
/// `context` is the one of a callback that was registered with an entry.
pub(super) unsafe fn of<'a>(context: *mut ffi::sqlite3_context) -> &'a Entry {
    // SAFETY: by the caller's promise; SQLite holds a reference as long as it calls.
    unsafe { &*ffi::sqlite3_user_data(context).cast_const().cast::<Entry>() }
}
