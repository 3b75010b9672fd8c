//! Counts of what guests do, for whoever watches. Counting must cost a call some nanoseconds at most, on any number of threads.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::error::Error;

/// Places that threads count in, so that they do not pass one cache line to and fro.
const SHARDS: usize = 32;

#[derive(Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

/// What an engine counts.
#[derive(Default)]
pub(crate) struct Meter {
    started: [Shard; SHARDS],
    pooled: AtomicU64,
    traps: AtomicU64,
    limits: AtomicU64,
    slices: AtomicU64,
    queue_nanos: AtomicU64,
    run_nanos: AtomicU64,
}

/// What an engine has done since it was started, and has now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Calls of guests and starts of instances, each of which may be of many rows.
    pub calls: u64,
    /// Those of them that did not end in their first slice, on their callers' threads.
    pub pooled: u64,
    /// Those that a trap ended.
    pub traps: u64,
    /// Those that a limit ended.
    pub limits: u64,
    /// Slices that workers ran.
    pub slices: u64,
    /// How long these waited for a worker, all together.
    pub queue_time: Duration,
    /// How long these ran, all together.
    pub run_time: Duration,
    /// Calls that go on in the pool now.
    pub under_way: usize,
    /// Slices that wait for a worker now.
    pub waiting: usize,
    /// Instances that there are.
    pub instances: u64,
    /// Instances and memories that wait to be freed.
    pub garbage: usize,
    /// Modules that wait to be compiled.
    pub compiles: usize,
    /// Compiled modules and components that somebody holds.
    pub compiled: usize,
    /// Bytes of their machine code.
    pub code_bytes: u64,
    /// Bytes of memory that guests have, in this process.
    pub memory: u64,
}

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The place of the calling thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|shard| match shard.get() {
        usize::MAX => {
            let new = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
            shard.set(new);
            new
        }
        known => known,
    })
}

impl Meter {
    pub(crate) fn started(&self) {
        self.started[shard()].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn pooled(&self) {
        self.pooled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended<T>(&self, result: &Result<T, Error>) {
        match result {
            Err(Error::Trap { .. }) => self.traps.fetch_add(1, Ordering::Relaxed),
            Err(Error::Limit { .. }) => self.limits.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// A worker ran a slice.
    pub(crate) fn slice(&self, waited: Duration, ran: Duration) {
        self.slices.fetch_add(1, Ordering::Relaxed);
        self.queue_nanos.fetch_add(nanos(waited), Ordering::Relaxed);
        self.run_nanos.fetch_add(nanos(ran), Ordering::Relaxed);
    }

    /// What was counted; the rest is of others.
    pub(crate) fn load(&self) -> Load {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Load {
            calls: self.started.iter().map(|shard| get(&shard.0)).sum(),
            pooled: get(&self.pooled),
            traps: get(&self.traps),
            limits: get(&self.limits),
            slices: get(&self.slices),
            queue_time: Duration::from_nanos(get(&self.queue_nanos)),
            run_time: Duration::from_nanos(get(&self.run_nanos)),
            memory: MEMORY.load(Ordering::Relaxed),
            ..Load::default()
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Bytes of memory of all guests of the process.
static MEMORY: AtomicU64 = AtomicU64::new(0);

/// The memory of one guest, as a part of the sum over all.
#[derive(Default)]
pub(crate) struct Held(u64);

impl Held {
    /// The guest has so much now.
    pub(crate) fn set(&mut self, bytes: u64) {
        let before = std::mem::replace(&mut self.0, bytes);
        // It may be less: the sum is taken modulo 2^64.
        MEMORY.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        MEMORY.fetch_sub(self.0, Ordering::Relaxed);
    }
}
