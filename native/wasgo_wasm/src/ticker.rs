//! The clock of the engine: a thread that raises the epoch while guests run, and wakes tasks whose time is up.
//!
//! Guests look at the epoch, so this thread must be one that no guest can starve. It sleeps when nothing runs. Waking a
//! sleeping thread costs a system call, so it keeps ticking for a while after the last guest before it sleeps again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Time between two ticks: the longest that a guest holds a caller's thread is about this.
pub(crate) const TICK: Duration = Duration::from_micros(500);

/// Ticks without any guest before the thread sleeps.
const IDLE_TICKS: u32 = 400;

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
    /// Counts ticks.
    ticks: AtomicU64,
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

    /// Wakes `waker` at `at` or a little later, unless the timer is dropped before.
    pub(crate) fn wake_at(&self, at: Instant, waker: Waker) -> Timer {
        let key = (at, self.shared.numbers.fetch_add(1, Ordering::Relaxed));
        self.shared.timers().insert(key, waker);
        self.note_activity();
        Timer { key, shared: Arc::clone(&self.shared) }
    }

    fn wake(&self) {
        // One thread of many that see it asleep pays for the call.
        if self.shared.asleep.load(Ordering::SeqCst) && self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn run(shared: &Shared) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        thread::sleep(TICK);
        shared.ticks.fetch_add(1, Ordering::Relaxed);
        shared.engines().iter().for_each(wasmtime::Engine::increment_epoch);
        let next = fire_timers(shared);
        idle = if shared.active.swap(false, Ordering::SeqCst) { 0 } else { idle + 1 };
        if idle < IDLE_TICKS {
            continue;
        }
        // Say that we sleep, then look once more: whoever acts after this look sees us asleep and wakes us.
        shared.asleep.store(true, Ordering::SeqCst);
        if !shared.active.load(Ordering::SeqCst) && !shared.stop.load(Ordering::SeqCst) {
            match next {
                Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
                None => thread::park(),
            }
        }
        shared.asleep.store(false, Ordering::SeqCst);
        idle = 0;
    }
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
