//! What the handles on a store and its threads both see.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::access::Access;
use crate::cursor::CursorId;
use crate::notify::Subscribers;
use crate::request::{Command, Done, Limits, TokenRef, call};
use crate::sqlite::{Interrupt, Watch};
use crate::{Params, StoreError};

pub(crate) struct Shared {
    pub(crate) closing: AtomicBool,
    /// Callers that are putting a request into a queue right now.
    submitting: Arc<AtomicUsize>,
    pub(crate) interrupt: Arc<Interrupt>,
    /// Set once the writer's connection has a state that readers do not have: temporary tables, attached files, settings.
    pub(crate) private: Arc<AtomicBool>,
    pub(crate) subscribers: Subscribers,
    pub(crate) ending: Mutex<Ending>,
    /// What brings a copy up to date, for a store that is one.
    #[cfg(feature = "replication")]
    pub(crate) follower: std::sync::OnceLock<crate::replica::Follower>,
}

#[derive(Default)]
pub(crate) struct Ending {
    pub(crate) ended: bool,
    pub(crate) waiters: Vec<Box<dyn FnOnce() + Send>>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            closing: AtomicBool::new(false),
            submitting: Arc::default(),
            interrupt: Arc::default(),
            private: Arc::default(),
            subscribers: Subscribers::default(),
            ending: Mutex::default(),
            #[cfg(feature = "replication")]
            follower: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Lets a caller put a request into a queue while the result lives, unless the store is closing.
    pub(crate) fn begin_submission(&self) -> Result<Place, StoreError> {
        // Counted first and looked after: the thread, which does it the other way round, cannot miss this request.
        self.submitting.fetch_add(1, Ordering::SeqCst);
        let place = Place(Arc::clone(&self.submitting));
        if self.closing.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        Ok(place)
    }

    /// Refuses all further requests, and returns when every one accepted is in its queue.
    pub(crate) fn stop_submissions(&self) {
        self.closing.store(true, Ordering::SeqCst);
        // Nothing that a caller does meanwhile can block or fail.
        while self.submitting.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
    }

    pub(crate) fn ending(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn end(&self) {
        let waiters = {
            let mut ending = self.ending();
            ending.ended = true;
            std::mem::take(&mut ending.waiters)
        };
        for waiter in waiters {
            call(waiter);
        }
    }
}

/// A count of places in a queue.
#[derive(Clone)]
pub(crate) struct Lane {
    used: Arc<AtomicUsize>,
    pub(crate) capacity: usize,
}

impl Lane {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { used: Arc::default(), capacity }
    }

    pub(crate) fn take(&self) -> Result<Place, StoreError> {
        let free = |used| (used < self.capacity).then_some(used + 1);
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(_) => Ok(Place(Arc::clone(&self.used))),
            Err(_) => Err(StoreError::Busy { capacity: self.capacity }),
        }
    }
}

/// One counted, a place in a queue for example; given back when dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the writer is to do.
pub(crate) enum Work {
    Command(Command),
    /// The next rows of a cursor in the token's transaction, opened now if it was not.
    Fetch {
        cursor: CursorId,
        query: Arc<(String, Params)>,
        limits: Limits,
    },
    CloseCursor(CursorId),
    /// A copy of a database that only the writer's connection has.
    BackUp(PathBuf),
}

/// On whose behalf, and for how long.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) deadline: Option<Instant>,
    pub(crate) confined: bool,
    pub(crate) access: Option<Arc<Access>>,
}

impl Terms {
    pub(crate) fn watch(&self) -> Watch {
        Watch { deadline: self.deadline, confined: self.confined, access: self.access.clone(), ..Watch::none() }
    }

    /// Refuses what would be begun after its deadline.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let now = Instant::now();
        match self.deadline.filter(|deadline| *deadline <= now) {
            Some(deadline) => Err(StoreError::Timeout { begun: false, late: now - deadline }),
            None => Ok(()),
        }
    }
}

/// A request in the writer's queue.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) token: Option<TokenRef>,
    pub(crate) terms: Terms,
    pub(crate) place: Place,
    pub(crate) done: Done,
}
