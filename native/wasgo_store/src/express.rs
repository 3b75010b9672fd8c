//! Small queries on the caller's own thread: no hand-off, no queue, but a budget.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::readers::caught;
use crate::rows::RowSink;
use crate::shared::Terms;
use crate::sqlite::{Ran, Watch};
use crate::{Access, Limits, ParamsRef, Store, StoreError};

/// How long a query may take on the caller's thread. What is not done by then is begun anew on a thread for it.
pub const EXPRESS_BUDGET: Duration = Duration::from_millis(2);

/// The fewest queries that may run on their callers' threads at a time.
const MIN_EXPRESS: usize = 4;

/// How long a query waits for a place, on its caller's thread.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a query is remembered for having been too much, or none for readers.
const REMEMBERED_SECONDS: u64 = 5;

const SLOTS: usize = 1024;

/// A query for the caller's own thread.
#[derive(Debug, Clone)]
pub struct Now<'q> {
    /// The statement.
    pub sql: &'q str,
    /// Its parameters.
    pub params: ParamsRef<'q>,
    /// How much to answer with.
    pub limits: Limits,
    /// Until when.
    pub deadline: Option<Instant>,
    /// See [`Request::restricted`](crate::Request::restricted).
    pub access: Option<Arc<Access>>,
}

/// What is known of a query, by its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unknown,
    /// It was done within its budget.
    Light,
    /// It was not, lately.
    Heavy,
    /// Only the writer has its answer.
    OnWriter,
}

pub(crate) struct Express {
    most: usize,
    running: AtomicUsize,
    hasher: RandomState,
    began: Instant,
    /// By a hash of the SQL: the hash's upper bits, the second, the verdict. Another's entry is written over; taken for one's own, once in
    /// a long while, it costs a way round.
    verdicts: Box<[AtomicU64]>,
}

const SECOND_BITS: u32 = 24;
const VERDICT_BITS: u32 = 2;
const HASH: u64 = !0 << (SECOND_BITS + VERDICT_BITS);

impl Express {
    pub(crate) fn new(readers: usize) -> Self {
        Self {
            most: (readers + readers / 2).max(MIN_EXPRESS),
            running: AtomicUsize::new(0),
            hasher: RandomState::new(),
            began: Instant::now(),
            verdicts: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn slot(&self, sql: &str) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one(sql);
        (&self.verdicts[hash as usize % SLOTS], hash & HASH)
    }

    fn second(&self) -> u64 {
        self.began.elapsed().as_secs() & ((1 << SECOND_BITS) - 1)
    }

    pub(crate) fn verdict(&self, sql: &str) -> Verdict {
        let (slot, hash) = self.slot(sql);
        let entry = slot.load(Ordering::Relaxed);
        if entry & HASH != hash {
            return Verdict::Unknown;
        }
        match entry & ((1 << VERDICT_BITS) - 1) {
            1 => Verdict::Light,
            verdict @ 2.. => {
                let then = entry >> VERDICT_BITS & ((1 << SECOND_BITS) - 1);
                let ago = self.second().wrapping_sub(then) & ((1 << SECOND_BITS) - 1);
                match verdict {
                    _ if ago > REMEMBERED_SECONDS => Verdict::Unknown,
                    2 => Verdict::Heavy,
                    _ => Verdict::OnWriter,
                }
            }
            _ => Verdict::Unknown,
        }
    }

    pub(crate) fn judge(&self, sql: &str, verdict: Verdict) {
        let (slot, hash) = self.slot(sql);
        let number = match verdict {
            Verdict::Unknown => 0,
            Verdict::Light => 1,
            Verdict::Heavy => 2,
            Verdict::OnWriter => 3,
        };
        slot.store(hash | self.second() << VERDICT_BITS | number, Ordering::Relaxed);
    }

    /// A place among those that run now. What nobody knows yet leaves half of them to what is known to be light.
    fn place(&self, known: bool) -> Option<Running<'_>> {
        let most = if known { self.most } else { self.most / 2 };
        let free = |running| (running < most).then_some(running + 1);
        self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok().map(|_| Running(self))
    }
}

impl Express {
    /// As [`Self::place`], and where all are taken waits a little for one: they are given back soon, whereas the queue may be that of queries
    /// which take for ever.
    fn wait_for_place(&self, known: bool, deadline: Option<Instant>) -> Option<Running<'_>> {
        let until = Instant::now() + PATIENCE;
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        loop {
            if let Some(running) = self.place(known) {
                return Some(running);
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(EXPRESS_BUDGET / 8);
        }
    }
}

struct Running<'e>(&'e Express);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Store {
    /// Runs a query on this very thread, if it is one that may be small and a connection is free. It waits for nothing but the disk, and
    /// for no longer than [`EXPRESS_BUDGET`] if it turns out to be much work. None: it has to be [submitted](Store::submit_rows), and what
    /// `sink` has is worth nothing.
    ///
    /// # Errors
    ///
    /// Those of a query; [`StoreError::Closed`].
    pub fn query_now(&self, now: &Now<'_>, sink: &mut dyn RowSink) -> Option<Result<(), StoreError>> {
        let (express, pool) = self.express()?;
        if self.is_closed() {
            return Some(Err(StoreError::Closed));
        }
        let verdict = express.verdict(now.sql);
        if matches!(verdict, Verdict::Heavy | Verdict::OnWriter) {
            return None;
        }
        let _running = express.wait_for_place(verdict == Verdict::Light, now.deadline)?;
        let mut lent = pool.lend().ok()?;
        let terms = Terms { deadline: now.deadline, confined: false, access: now.access.clone() };
        let watch = Watch { budget: Instant::now().checked_add(EXPRESS_BUDGET), ..terms.watch() };
        let ran = caught(|| Ok(lent.query(now.sql, now.params, now.limits, watch, sink)));
        match ran {
            Err(panicked) => Some(Err(panicked)),
            Ok(Ran::Ended(result)) => {
                if verdict == Verdict::Unknown {
                    express.judge(now.sql, Verdict::Light);
                }
                Some(result)
            }
            Ok(Ran::OnWriter) => {
                express.judge(now.sql, Verdict::OnWriter);
                None
            }
            Ok(Ran::OverBudget) => {
                express.judge(now.sql, Verdict::Heavy);
                None
            }
        }
    }
}
