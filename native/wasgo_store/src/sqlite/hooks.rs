//! What SQLite asks us while it runs: whether to go on, whether to wait for a lock, whether a statement may be
//! prepared.
//!
//! All of it is asked on the connection's own thread, so the answers are in plain cells.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use libsql::ffi;

use crate::StoreError;
use crate::token::TokenState;

/// The longest sleep while waiting for another connection's lock; the first ones are shorter.
const MAX_LOCK_SLEEP: Duration = Duration::from_millis(25);

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const REQUESTED: u8 = 2;
const FOR_GOOD: u8 = 3;

/// Lets any thread stop the request that runs, and only that one, or that one and all after it.
#[derive(Debug, Default)]
pub(crate) struct Interrupt(AtomicU8);

impl Interrupt {
    /// Stops what runs now; nothing when nothing runs.
    pub(crate) fn request(&self) {
        // An error is that nothing runs, or that it was asked for already.
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let _ = self.0.compare_exchange(RUNNING, REQUESTED, success, failure);
    }

    /// Stops what runs now and whatever is begun later, be it on its way already.
    pub(crate) fn request_for_good(&self) {
        self.0.store(FOR_GOOD, Ordering::Release);
    }

    /// Unless it was stopped for good.
    fn set(&self, state: u8) {
        let unless = |now| (now != FOR_GOOD).then_some(state);
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, unless);
    }

    fn is_requested(&self) -> bool {
        matches!(self.0.load(Ordering::Acquire), REQUESTED | FOR_GOOD)
    }
}

/// What can end a running request early.
pub(crate) struct Watch {
    pub(crate) deadline: Option<Instant>,
    pub(crate) token: Option<Arc<TokenState>>,
    /// Whether the SQL may reach no other file, and change nothing about the connection.
    pub(crate) confined: bool,
}

/// Pragmas that tell of the schema and change nothing.
/// Full-text and R*Tree tables ask the last two for themselves.
const HARMLESS_PRAGMAS: [&[u8]; 11] = [
    b"table_info",
    b"table_xinfo",
    b"table_list",
    b"index_list",
    b"index_info",
    b"index_xinfo",
    b"foreign_key_list",
    b"collation_list",
    b"function_list",
    b"data_version",
    b"page_size",
];

/// The state behind the callbacks of one connection.
pub(super) struct Hooks {
    interrupt: Arc<Interrupt>,
    watch: RefCell<Option<Watch>>,
    busy_timeout: Duration,
    busy_since: Cell<Option<Instant>>,
    /// Why SQLite was told to stop.
    stopped: RefCell<Option<StoreError>>,
    /// Whether what is prepared is our own, which may do all.
    own: Cell<bool>,
    /// Whether statements that begin, end or nest transactions are refused. Only while SQL of a user is prepared:
    /// what SQLite prepares for itself while it runs (a `VACUUM` begins a transaction) is its own affair.
    pub(super) refuse_control: Cell<bool>,
    /// Whether one was refused.
    pub(super) refused_control: Cell<bool>,
    /// Whether a pragma was prepared.
    pub(super) saw_pragma: Cell<bool>,
}

impl Hooks {
    pub(super) fn new(interrupt: Arc<Interrupt>, busy_timeout: Duration) -> Self {
        Self {
            interrupt,
            watch: RefCell::new(None),
            busy_timeout,
            busy_since: Cell::new(None),
            stopped: RefCell::new(None),
            own: Cell::new(false),
            refuse_control: Cell::new(false),
            refused_control: Cell::new(false),
            saw_pragma: Cell::new(false),
        }
    }

    pub(super) fn watch(&self, watch: Watch) {
        self.watch.replace(Some(watch));
        self.stopped.replace(None);
        self.interrupt.set(RUNNING);
    }

    pub(super) fn unwatch(&self) {
        self.interrupt.set(IDLE);
        self.watch.replace(None);
        self.stopped.replace(None);
    }

    /// Prepares and runs statements of our own in the midst of others, which are held to nothing but the time.
    pub(super) fn own<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.own.replace(true);
        let result = work();
        self.own.set(before);
        result
    }

    /// Whether what runs is confined to its database.
    pub(super) fn confined(&self) -> bool {
        self.watch.try_borrow().is_ok_and(|watch| watch.as_ref().is_some_and(|watch| watch.confined))
    }

    /// Why SQLite was stopped, if it was; told once.
    pub(super) fn take_stopped(&self) -> Option<StoreError> {
        self.stopped.take()
    }

    /// Registers the callbacks on `db`.
    ///
    /// # Safety
    ///
    /// `db` is an open connection, and `self` stays where it is until `db` is closed.
    pub(super) unsafe fn install(&self, db: *mut ffi::sqlite3) {
        let data = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: db is open by the caller's promise; the callbacks read `data` as the `Hooks` it is, by shared
        // reference.
        unsafe {
            ffi::sqlite3_progress_handler(db, super::STEPS_BETWEEN_CHECKS, Some(on_progress), data);
            ffi::sqlite3_busy_handler(db, Some(on_busy), data);
            ffi::sqlite3_set_authorizer(db, Some(on_prepare), data);
        }
    }

    /// Whether what runs has to stop, and why.
    pub(super) fn must_stop(&self) -> bool {
        let Ok(watch) = self.watch.try_borrow() else {
            return false;
        };
        let Some(watch) = &*watch else {
            return false;
        };
        let why = if self.interrupt.is_requested() {
            StoreError::Interrupted
        } else if watch.token.as_ref().is_some_and(|t| t.is_abandoned()) {
            StoreError::NoTransaction
        } else if let Some(late) = watch.deadline.and_then(late_by) {
            StoreError::Timeout { begun: true, late }
        } else {
            return false;
        };
        self.stopped.replace(Some(why));
        true
    }

    /// Sleeps a little for a lock; false when it was long enough.
    fn wait_for_lock(&self, attempt: c_int) -> bool {
        let now = Instant::now();
        if attempt == 0 {
            self.busy_since.set(Some(now));
        }
        let waited = self.busy_since.get().map_or(Duration::ZERO, |since| now.duration_since(since));
        let left = self.busy_timeout.saturating_sub(waited);
        if left.is_zero() || self.must_stop() {
            return false;
        }
        let attempt = u64::try_from(attempt).unwrap_or(0).min(1000);
        let nap = Duration::from_millis(1 + attempt * 2).min(MAX_LOCK_SLEEP);
        let deadline = self.watch.borrow().as_ref().and_then(|w| w.deadline);
        let until_deadline = deadline.map_or(nap, |deadline| deadline.saturating_duration_since(now));
        std::thread::sleep(nap.min(left).min(until_deadline));
        true
    }
}

fn late_by(deadline: Instant) -> Option<Duration> {
    Instant::now().checked_duration_since(deadline)
}

/// # Safety
///
/// `data` is the `Hooks` that the callback was registered with.
unsafe extern "C" fn on_progress(data: *mut c_void) -> c_int {
    // SAFETY: by the caller's promise; shared references only are made of it anywhere.
    let hooks = unsafe { &*data.cast::<Hooks>() };
    c_int::from(hooks.must_stop())
}

/// # Safety
///
/// As for [`on_progress`].
unsafe extern "C" fn on_busy(data: *mut c_void, attempt: c_int) -> c_int {
    // SAFETY: as in `on_progress`.
    let hooks = unsafe { &*data.cast::<Hooks>() };
    c_int::from(hooks.wait_for_lock(attempt))
}

/// # Safety
///
/// As for [`on_progress`].
unsafe extern "C" fn on_prepare(
    data: *mut c_void,
    action: c_int,
    first: *const c_char,
    _second: *const c_char,
    _database: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: as in `on_progress`.
    let hooks = unsafe { &*data.cast::<Hooks>() };
    if hooks.own.get() {
        return ffi::SQLITE_OK;
    }
    match action {
        ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT if hooks.refuse_control.get() => {
            hooks.refused_control.set(true);
            ffi::SQLITE_DENY
        }
        // `VACUUM` attaches the file that it writes.
        ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH if hooks.confined() => ffi::SQLITE_DENY,
        // SAFETY: for a pragma SQLite gives its name first, a C string that lives as long as the call.
        ffi::SQLITE_PRAGMA if hooks.confined() && !unsafe { is_harmless(first) } => ffi::SQLITE_DENY,
        ffi::SQLITE_PRAGMA => {
            hooks.saw_pragma.set(true);
            ffi::SQLITE_OK
        }
        _ => ffi::SQLITE_OK,
    }
}

/// # Safety
///
/// `name` is null or a C string.
unsafe fn is_harmless(name: *const c_char) -> bool {
    if name.is_null() {
        return false;
    }
    // SAFETY: by the caller's promise.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    HARMLESS_PRAGMAS.iter().any(|harmless| harmless.eq_ignore_ascii_case(name))
}
