//! The clock of the engine: a thread that raises the epoch while guests run, and wakes tasks whose time is up.
//!
//! Guests look at the epoch, so this thread must be one that no guest can starve. It sleeps when nothing runs. Waking a
//! sleeping thread costs a system call, so it keeps ticking for a while after the last guest before it sleeps again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Time between two ticks: the longest that a guest holds a caller's thread is about this.
pub(crate) const TICK: Duration = Duration::from_micros(500);

/// Ticks without any guest before the thread sleeps.
const IDLE_TICKS: u32 = 400;

struct Timer {
    at: Instant,
    waker: Waker,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Timer {}
impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

#[derive(Default)]
struct Shared {
    /// Counts starts and slices of guests: the ticker sees by it that something runs.
    activity: AtomicU64,
    asleep: AtomicBool,
    stop: AtomicBool,
    timers: Mutex<BinaryHeap<Reverse<Timer>>>,
}

impl Shared {
    fn timers(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Timer>>> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the ticker's thread; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

impl Ticker {
    pub(crate) fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let handle = thread::Builder::new().name("wasgo-ticker".into()).spawn(move || run(&engine, &theirs))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// A guest is about to run a slice: makes sure that the epoch moves.
    pub(crate) fn note_activity(&self) {
        self.shared.activity.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Wakes `waker` at `at` or a little later.
    pub(crate) fn wake_at(&self, at: Instant, waker: Waker) {
        self.shared.timers().push(Reverse(Timer { at, waker }));
        self.shared.activity.fetch_add(1, Ordering::SeqCst);
        self.wake();
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

fn run(engine: &wasmtime::Engine, shared: &Shared) {
    let mut seen = 0;
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        thread::sleep(TICK);
        engine.increment_epoch();
        let next = fire_timers(shared);
        let activity = shared.activity.load(Ordering::SeqCst);
        idle = if activity == seen { idle + 1 } else { 0 };
        seen = activity;
        if idle < IDLE_TICKS {
            continue;
        }
        // Say that we sleep, then look once more: whoever acts after this look sees us asleep and wakes us.
        shared.asleep.store(true, Ordering::SeqCst);
        if shared.activity.load(Ordering::SeqCst) == seen && !shared.stop.load(Ordering::SeqCst) {
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
    let mut due = Vec::new();
    let next = {
        let mut timers = shared.timers();
        while timers.peek().is_some_and(|Reverse(timer)| timer.at <= now) {
            due.extend(timers.pop());
        }
        timers.peek().map(|Reverse(timer)| timer.at)
    };
    due.into_iter().for_each(|Reverse(timer)| timer.waker.wake());
    next
}
