//! What SQLite asks us while it runs: whether to go on, whether to wait for a lock, whether a statement may be
//! prepared; and what it tells: which rows were changed.
//!
//! All of it is asked on the thread that uses the connection, so the answers are in plain cells.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libsql::ffi;

use super::authorizer::on_prepare;
use crate::StoreError;
use crate::access::Access;
use crate::journal::{Journal, Operation, SavepointAct};
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

    /// A request runs from here on.
    #[cfg(feature = "remote")]
    pub(crate) fn begin(&self) {
        self.set(RUNNING);
    }

    /// None runs any more.
    #[cfg(feature = "remote")]
    pub(crate) fn end(&self) {
        self.set(IDLE);
    }

    /// Unless it was stopped for good.
    fn set(&self, state: u8) {
        let unless = |now| (now != FOR_GOOD).then_some(state);
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, unless);
    }

    pub(crate) fn is_requested(&self) -> bool {
        matches!(self.0.load(Ordering::Acquire), REQUESTED | FOR_GOOD)
    }
}

/// What can end a running request early.
pub(crate) struct Watch {
    pub(crate) deadline: Option<Instant>,
    pub(crate) token: Option<Arc<TokenState>>,
    /// Whether the SQL may reach no other file, and change nothing about the connection.
    pub(crate) confined: bool,
    /// What the SQL may reach; none: everything.
    pub(crate) access: Option<Arc<Access>>,
    /// Until when it may go on if it turns out to be much work.
    pub(crate) budget: Option<Instant>,
}

impl Watch {
    /// Nothing ends it.
    pub(crate) fn none() -> Self {
        Self { deadline: None, token: None, confined: false, access: None, budget: None }
    }
}

/// Tells other threads' callbacks, and those that know nothing of SQLite, whether what runs is to be stopped.
#[derive(Debug)]
pub(super) struct Alarm {
    interrupt: Arc<Interrupt>,
    terms: Mutex<(Option<Instant>, Option<Arc<TokenState>>)>,
}

impl Alarm {
    fn set(&self, deadline: Option<Instant>, token: Option<Arc<TokenState>>) {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = (deadline, token);
    }

    pub(super) fn rings(&self) -> bool {
        if self.interrupt.is_requested() {
            return true;
        }
        let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let (deadline, token) = &*terms;
        token.as_ref().is_some_and(|token| token.is_abandoned())
            || deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Looks at the clock before a request is much work: some tenths of a millisecond. One that was only kept from its processor is not.
const MUCH: u32 = 8;

/// A request with a budget ends after so long even where it did not get to do much.
const PATIENCE: Duration = Duration::from_millis(100);

/// What was seen while a statement was prepared.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether it is a pragma.
    pub(super) pragma: bool,
    /// Whether it notifies objects, whose scripts may write.
    pub(super) notifies: bool,
    /// Whether its answer depends on the connection: only the writer's is the authentic one.
    pub(super) needs_writer: bool,
    /// The tables that it may write to.
    pub(super) writes: Vec<(Operation, Arc<str>)>,
    /// What it does to a savepoint.
    pub(super) savepoint: Option<(SavepointAct, String)>,
}

/// The state behind the callbacks of one connection.
pub(super) struct Hooks {
    interrupt: Arc<Interrupt>,
    alarm: Arc<Alarm>,
    watch: RefCell<Option<Watch>>,
    busy_timeout: Duration,
    busy_since: Cell<Option<Instant>>,
    /// Why SQLite was told to stop.
    stopped: RefCell<Option<StoreError>>,
    /// How often it was asked whether to stop.
    looks: Cell<u32>,
    /// Whether it was stopped because its budget was used up.
    over_budget: Cell<bool>,
    /// Whether what is prepared is our own, which may do all.
    pub(super) own: Cell<bool>,
    /// What the script whose statement is prepared may read.
    pub(super) script: RefCell<Option<Arc<Access>>>,
    /// Whether a statement of a user is prepared: what SQLite prepares for itself while it runs (a `VACUUM` begins a
    /// transaction) is its own affair.
    pub(super) preparing: Cell<bool>,
    /// Whether statements that begin, end or nest transactions are refused while one is prepared.
    pub(super) refuse_control: Cell<bool>,
    /// Whether one was refused.
    pub(super) refused_control: Cell<bool>,
    /// What was refused, in words.
    pub(super) refused: RefCell<Option<String>>,
    /// Whether who is said to do something is a view or trigger of that name: not where the SQL can name queries itself, for these are told
    /// of in the same way.
    pub(super) trusts_names: Cell<bool>,
    pub(super) seen: RefCell<Seen>,
    pub(super) journal: Journal,
    /// Set once a statement gave the connection a state of its own, which its store's other connections do not have.
    pub(super) private: Arc<AtomicBool>,
}

impl Hooks {
    pub(super) fn new(interrupt: Arc<Interrupt>, busy_timeout: Duration, private: Arc<AtomicBool>) -> Self {
        let alarm = Arc::new(Alarm { interrupt: Arc::clone(&interrupt), terms: Mutex::default() });
        Self {
            interrupt,
            alarm,
            watch: RefCell::new(None),
            busy_timeout,
            busy_since: Cell::new(None),
            stopped: RefCell::new(None),
            looks: Cell::new(0),
            over_budget: Cell::new(false),
            own: Cell::new(false),
            script: RefCell::new(None),
            preparing: Cell::new(false),
            refuse_control: Cell::new(false),
            refused_control: Cell::new(false),
            refused: RefCell::new(None),
            trusts_names: Cell::new(false),
            seen: RefCell::default(),
            journal: Journal::default(),
            private,
        }
    }

    pub(super) fn watch(&self, watch: Watch) {
        self.alarm.set(watch.deadline, watch.token.clone());
        self.watch.replace(Some(watch));
        self.stopped.replace(None);
        self.looks.set(0);
        self.over_budget.set(false);
        self.interrupt.set(RUNNING);
    }

    /// Whether what ran last was stopped because its budget was used up.
    pub(super) fn was_over_budget(&self) -> bool {
        self.over_budget.get()
    }

    pub(super) fn unwatch(&self) {
        self.alarm.set(None, None);
        self.interrupt.set(IDLE);
        self.watch.replace(None);
        self.stopped.replace(None);
    }

    pub(super) fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    /// Ends what has a budget, because it needs what the thread does not have that lends itself for so long; whether it has one.
    pub(super) fn give_up_budget(&self) -> bool {
        let has = self.has_budget();
        if has {
            self.over_budget.set(true);
        }
        has
    }

    /// Whether what runs is on a thread that lends itself for a moment.
    pub(super) fn has_budget(&self) -> bool {
        self.watch.try_borrow().is_ok_and(|watch| watch.as_ref().is_some_and(|watch| watch.budget.is_some()))
    }

    /// Prepares and runs statements of a script in the midst of others: they read what `access` lets them, and nothing else.
    pub(super) fn within<T>(&self, access: &Arc<Access>, work: impl FnOnce() -> T) -> T {
        let before = self.script.replace(Some(Arc::clone(access)));
        let own = self.own.replace(false);
        let result = work();
        self.own.set(own);
        self.script.replace(before);
        result
    }

    /// Prepares and runs statements of our own in the midst of others, which are held to nothing but the time.
    pub(super) fn own<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.own.replace(true);
        let result = work();
        self.own.set(before);
        result
    }

    pub(super) fn begin_prepare(&self, refuse_control: bool) {
        self.seen.take();
        self.refused.take();
        self.refused_control.set(false);
        self.refuse_control.set(refuse_control);
        self.preparing.set(true);
    }

    pub(super) fn end_prepare(&self) -> Seen {
        self.preparing.set(false);
        self.refuse_control.set(false);
        self.seen.take()
    }

    /// Whether it runs for somebody.
    pub(super) fn is_watched(&self) -> bool {
        self.watch.try_borrow().is_ok_and(|watch| watch.is_some())
    }

    /// Whether what runs is confined to its database.
    pub(super) fn confined(&self) -> bool {
        self.watch.try_borrow().is_ok_and(|watch| watch.as_ref().is_some_and(|watch| watch.confined))
    }

    /// What the SQL that runs may reach; none: everything.
    pub(super) fn access(&self) -> Option<Arc<Access>> {
        self.watch.try_borrow().ok().and_then(|watch| watch.as_ref().and_then(|watch| watch.access.clone()))
    }

    /// Why SQLite was stopped, if it was; told once.
    pub(super) fn take_stopped(&self) -> Option<StoreError> {
        self.stopped.take()
    }

    /// Begins to keep the rows that `db` changes, or ceases to.
    ///
    /// # Safety
    ///
    /// As for [`Hooks::install`].
    pub(super) unsafe fn record(&self, db: *mut ffi::sqlite3, on: bool) {
        if self.journal.is_on() == on {
            return;
        }
        self.journal.switch(on);
        let data = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: as in `install`.
        unsafe {
            ffi::sqlite3_update_hook(db, on.then_some(on_update), data);
            ffi::sqlite3_rollback_hook(db, on.then_some(on_rollback), data);
        }
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
        } else if let Some(late) = watch.budget.and_then(late_by) {
            let looks = self.looks.get() + 1;
            self.looks.set(looks);
            if looks < MUCH && late < PATIENCE {
                return false;
            }
            self.over_budget.set(true);
            StoreError::Timeout { begun: true, late }
        } else {
            self.looks.set(self.looks.get() + 1);
            return false;
        };
        self.stopped.replace(Some(why));
        true
    }

    /// Sleeps a little for a lock; false when it was long enough.
    pub(super) fn wait_for_lock(&self, attempt: c_int) -> bool {
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
/// As for [`on_progress`]; the names are C strings that live as long as the call.
unsafe extern "C" fn on_update(
    data: *mut c_void,
    operation: c_int,
    database: *const c_char,
    table: *const c_char,
    rowid: ffi::sqlite3_int64,
) {
    // SAFETY: as in `on_progress`.
    let hooks = unsafe { &*data.cast::<Hooks>() };
    let operation = match operation {
        ffi::SQLITE_INSERT => Operation::Insert,
        ffi::SQLITE_DELETE => Operation::Delete,
        _ => Operation::Update,
    };
    // SAFETY: by the caller's promise.
    let (database, table) = unsafe { (super::text_at(database), super::text_at(table)) };
    if database == Some("main")
        && let Some(table) = table
    {
        hooks.journal.record(operation, table, rowid);
    }
}

/// # Safety
///
/// As for [`on_progress`].
unsafe extern "C" fn on_rollback(data: *mut c_void) {
    // SAFETY: as in `on_progress`.
    let hooks = unsafe { &*data.cast::<Hooks>() };
    hooks.journal.forget_open();
}
