//! The clock of the engine: a thread that raises the epoch while guests run, and wakes tasks whose time is up.
//!
//! Guests look at the epoch, so this thread must be one that no guest can starve. It sleeps when nothing runs. Waking a
//! sleeping thread costs a system call, so it keeps ticking for a while after the last guest that ran on a caller's thread before it sleeps again.
//!
//! Workers hold up nobody but other guests, and programs that wait most of their time give them very short slices, many times a second. For
//! them alone it dozes: it looks up now and then whether one is at work just then, and only then ticks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Time between two ticks: the longest that a guest holds a caller's thread is about this.
pub(crate) const TICK: Duration = Duration::from_micros(500);

/// Ticks without any guest before the thread dozes: where one ran on a caller's thread within as many, and where only workers had some.
const IDLE_TICKS: u32 = 400;
const IDLE_WORKER_TICKS: u32 = 2;

/// Time between two looks while it dozes, and how many without any guest there are before it sleeps.
const DOZE: Duration = Duration::from_millis(5);
const IDLE_DOZES: u32 = 200;

/// Timers by when they are due; the number tells those of the same instant apart.
type Timers = BTreeMap<(Instant, u64), Waker>;

/// A waker that waits for its time. Dropping it takes it away: the calls of one second must not hold memory for the next five.
pub(crate) struct Timer {
    key: (Instant, u64),
    shared: Arc<Shared>,
}

impl Drop for Timer {
    fn drop(&mut self) {
        let waker = self.shared.timers().remove(&self.key);
        // A waker's end may free its task: not under the lock.
        drop(waker);
    }
}

#[derive(Default)]
struct Shared {
    /// Set when a guest starts or gets a slice, and taken back at each tick: the ticker sees by it that something runs.
    active: AtomicBool,
    /// Workers in the middle of a slice.
    running: AtomicUsize,
    /// Set when a worker begins a slice, and taken back at each tick.
    worked: AtomicBool,
    /// Counts ticks.
    ticks: AtomicU64,
    /// It dozes or sleeps, and has to be woken for a guest on a caller's thread.
    dozing: AtomicBool,
    /// It sleeps, and has to be woken for any guest.
    asleep: AtomicBool,
    stop: AtomicBool,
    timers: Mutex<Timers>,
    numbers: AtomicU64,
    /// The wasmtime engines whose epoch this clock raises.
    engines: Mutex<Vec<wasmtime::Engine>>,
}

impl Shared {
    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn engines(&self) -> MutexGuard<'_, Vec<wasmtime::Engine>> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the ticker's thread; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

impl Ticker {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let handle = thread::Builder::new().name("wasgo-ticker".into()).spawn(move || run(&theirs))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Raises the epoch of `engine` too from now on.
    pub(crate) fn add(&self, engine: wasmtime::Engine) {
        self.shared.engines().push(engine);
    }

    /// Ticks up to now, of those when it was awake.
    pub(crate) fn ticks(&self) -> u64 {
        self.shared.ticks.load(Ordering::Relaxed)
    }

    /// A guest is about to run a slice: makes sure that the epoch moves.
    pub(crate) fn note_activity(&self) {
        // Only the first of a tick writes: many threads that call guests all the time would else pass the place around.
        if !self.shared.active.load(Ordering::SeqCst) {
            self.shared.active.store(true, Ordering::SeqCst);
        }
        self.wake();
    }

    /// A worker is about to run a slice, until what is returned is dropped.
    pub(crate) fn slice(&self) -> Slice<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if !self.shared.worked.load(Ordering::SeqCst) {
            self.shared.worked.store(true, Ordering::SeqCst);
        }
        if self.shared.asleep.load(Ordering::SeqCst) && self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Slice(&self.shared)
    }

    /// Wakes `waker` at `at` or a little later, unless the timer is dropped before.
    pub(crate) fn wake_at(&self, at: Instant, waker: Waker) -> Timer {
        let key = (at, self.shared.numbers.fetch_add(1, Ordering::Relaxed));
        self.shared.timers().insert(key, waker);
        self.note_activity();
        Timer { key, shared: Arc::clone(&self.shared) }
    }

    fn wake(&self) {
        // One thread of many that see it doze pays for the call.
        if self.shared.dozing.load(Ordering::SeqCst) && self.shared.dozing.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

/// A worker's slice.
pub(crate) struct Slice<'a>(&'a Shared);

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn run(shared: &Shared) {
    // Ticks, or looks while it dozes, without any guest.
    let mut idle = 0;
    // Ticks since a guest ran on a caller's thread. Programs that wait may have a slice in every few of them.
    let mut since_active = 0_u32;
    let mut dozes = false;
    let mut next = None;
    while !shared.stop.load(Ordering::SeqCst) {
        if dozes {
            doze(shared, next, idle >= IDLE_DOZES);
        } else {
            thread::sleep(TICK);
        }
        shared.ticks.fetch_add(1, Ordering::Relaxed);
        shared.engines().iter().for_each(wasmtime::Engine::increment_epoch);
        next = fire_timers(shared);
        let active = shared.active.swap(false, Ordering::SeqCst);
        let worked = shared.worked.swap(false, Ordering::SeqCst);
        let running = shared.running.load(Ordering::SeqCst) > 0;
        since_active = if active { 0 } else { since_active.saturating_add(1) };
        if active || running {
            (dozes, idle) = (false, 0);
        } else if dozes {
            idle = if worked { 0 } else { idle.saturating_add(1) };
        } else {
            idle += 1;
            let most = if since_active < IDLE_TICKS { IDLE_TICKS } else { IDLE_WORKER_TICKS };
            if idle >= most {
                (dozes, idle) = (true, 0);
            }
        }
    }
}

/// Waits for the next look, or `asleep` until a guest begins or a timer is due.
fn doze(shared: &Shared, next: Option<Instant>, asleep: bool) {
    // Say that we sleep, then look once more: whoever acts after this look sees us asleep and wakes us.
    shared.asleep.store(asleep, Ordering::SeqCst);
    shared.dozing.store(true, Ordering::SeqCst);
    let busy = shared.active.load(Ordering::SeqCst) || shared.stop.load(Ordering::SeqCst);
    let begun = asleep && shared.running.load(Ordering::SeqCst) > 0;
    if !busy && !begun {
        let left = next.map(|at| at.saturating_duration_since(Instant::now()));
        match (left, asleep) {
            (Some(left), true) => thread::park_timeout(left),
            (None, true) => thread::park(),
            (left, false) => thread::park_timeout(left.map_or(DOZE, |left| left.min(DOZE))),
        }
    }
    shared.dozing.store(false, Ordering::SeqCst);
    shared.asleep.store(false, Ordering::SeqCst);
}

/// Wakes what is due; returns when the next timer is.
fn fire_timers(shared: &Shared) -> Option<Instant> {
    let now = Instant::now();
    let (due, next) = {
        let mut timers = shared.timers();
        let later = timers.split_off(&(now, u64::MAX));
        let next = later.first_key_value().map(|((at, _), _)| *at);
        (std::mem::replace(&mut *timers, later), next)
    };
    due.into_values().for_each(Waker::wake);
    next
}
