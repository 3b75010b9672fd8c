//! The handle on a database: puts requests into the owner thread's queue, and never waits unless asked to.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError, bounded};

use crate::owner::Owner;
use crate::request::{Command, Done, TokenRef, call};
use crate::session::Session;
use crate::sqlite::Interrupt;
use crate::token::Token;
use crate::{Options, Reply, Request, StoreError};

/// Requests that may wait for the store, the one that runs not counted. Enough for a burst, few enough that the last of
/// them is not stale.
pub const QUEUE_CAPACITY: usize = 1024;

/// Requests that the holder of the open transaction may have waiting. They have room of their own, so that those who
/// wait for a transaction cannot keep it from ending.
pub const TRANSACTION_CAPACITY: usize = 64;

/// Callers that may wait for a store to close.
pub const MAX_CLOSE_WAITERS: usize = 1024;

static NEXT_STORE: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static IS_OWNER: Cell<bool> = const { Cell::new(false) };
}

/// A libSQL database with its own thread. Cheap to clone; all copies are the same store.
///
/// The thread ends when the store is [closed](Store::close), or when its last handle is dropped and what was accepted
/// by then is done.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    id: u64,
    jobs: Sender<Job>,
    wake: Sender<()>,
    shared: Arc<Shared>,
    general: Lane,
    transaction: Lane,
}

/// What the handles and the thread both see.
pub(crate) struct Shared {
    closing: AtomicBool,
    /// Callers that are putting a request into the queue right now.
    submitting: Arc<AtomicUsize>,
    pub(crate) interrupt: Arc<Interrupt>,
    ending: Mutex<Ending>,
}

#[derive(Default)]
struct Ending {
    ended: bool,
    waiters: Vec<Box<dyn FnOnce() + Send>>,
}

impl Shared {
    fn new() -> Self {
        Self {
            closing: AtomicBool::new(false),
            submitting: Arc::default(),
            interrupt: Arc::default(),
            ending: Mutex::default(),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Lets a caller put a request into the queue while the result lives, unless the store is closing.
    fn begin_submission(&self) -> Result<Place, StoreError> {
        // Counted first and looked after: the thread, which does it the other way round, cannot miss this request.
        self.submitting.fetch_add(1, Ordering::SeqCst);
        let place = Place(Arc::clone(&self.submitting));
        if self.closing.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        Ok(place)
    }

    /// Refuses all further requests, and returns when every one accepted is in the queue.
    fn stop_submissions(&self) {
        self.closing.store(true, Ordering::SeqCst);
        // Nothing that a caller does meanwhile can block or fail.
        while self.submitting.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
    }

    fn ending(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
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

/// A count of places in the queue.
struct Lane {
    used: Arc<AtomicUsize>,
    capacity: usize,
}

impl Lane {
    fn new(capacity: usize) -> Self {
        Self { used: Arc::default(), capacity }
    }

    fn take(&self) -> Result<Place, StoreError> {
        let free = |used| (used < self.capacity).then_some(used + 1);
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(_) => Ok(Place(Arc::clone(&self.used))),
            Err(_) => Err(StoreError::Busy { capacity: self.capacity }),
        }
    }
}

/// One counted, a place in the queue for example; given back when dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request in the queue.
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) token: Option<TokenRef>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) confined: bool,
    pub(crate) place: Place,
    pub(crate) done: Done,
}

impl Store {
    /// Opens a database on a new thread and calls `done` there with the store, or with why it could not be opened.
    /// Does not wait.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidOption`], or [`StoreError::Internal`] when the system gives no thread; `done` is not
    /// called then.
    pub fn open_with(
        options: Options,
        done: impl FnOnce(Result<Store, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        options.check()?;
        let body = move || {
            IS_OWNER.set(true);
            let shared = Arc::new(Shared::new());
            let interrupt = Arc::clone(&shared.interrupt);
            let opening = || Session::open(&options, interrupt);
            let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(opening));
            let session = opened.unwrap_or_else(|_| Err(StoreError::Internal("panic while opening a database".into())));
            match session {
                Err(source) => {
                    let error = StoreError::Open { location: options.location.to_string(), source: Box::new(source) };
                    call(|| done(Err(error)));
                }
                Ok(session) => {
                    let (jobs, job_queue) = bounded(QUEUE_CAPACITY + TRANSACTION_CAPACITY);
                    let (wake, woken) = bounded(1);
                    let store = Store {
                        handle: Arc::new(Handle {
                            id: NEXT_STORE.fetch_add(1, Ordering::Relaxed),
                            jobs,
                            wake,
                            shared: Arc::clone(&shared),
                            general: Lane::new(QUEUE_CAPACITY),
                            transaction: Lane::new(TRANSACTION_CAPACITY),
                        }),
                    };
                    call(|| done(Ok(store)));
                    // The clone keeps what the owner leaves in the queue.
                    let owner = Owner::new(session, job_queue.clone(), woken, Arc::clone(&shared));
                    call(|| owner.run());
                    shared.stop_submissions();
                    // Each answers that the store is closed, as it is dropped.
                    job_queue.try_iter().for_each(drop);
                    shared.end();
                }
            }
        };
        std::thread::Builder::new()
            .name("wasgo-store".into())
            .spawn(body)
            .map(drop)
            .map_err(|error| StoreError::Internal(format!("no thread for a store: {error}")))
    }

    /// Opens a database and waits for it.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidOption`]; [`StoreError::Open`] with the location and why; [`StoreError::WouldBlock`] on a
    /// store's thread.
    pub fn open(options: Options) -> Result<Store, StoreError> {
        refuse_on_owner()?;
        let (send, receive) = bounded(1);
        Self::open_with(options, move |opened| drop(send.send(opened)))?;
        receive.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Puts a request into the queue and returns. `done` is called once with the answer, on the store's thread,
    /// never on this one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when the queue is full, [`StoreError::Closed`], [`StoreError::ForeignToken`]; `done` is
    /// not called then.
    pub fn submit(
        &self,
        request: Request,
        done: impl FnOnce(Result<Reply, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        let handle = &*self.handle;
        let _submitting = handle.shared.begin_submission()?;
        let token = request.token.as_ref();
        if token.is_some_and(|token| token.store != handle.id) {
            return Err(StoreError::ForeignToken);
        }
        let holds = token.is_some_and(|token| token.state.is_open());
        let lane = if holds { &handle.transaction } else { &handle.general };
        let job = Job {
            place: lane.take()?,
            command: request.command,
            token: request.token,
            deadline: request.deadline,
            confined: request.confined,
            done: Done::new(Box::new(done)),
        };
        match handle.jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job)) => {
                job.done.disarm();
                Err(StoreError::Busy { capacity: lane.capacity })
            }
            Err(TrySendError::Disconnected(job)) => {
                job.done.disarm();
                Err(StoreError::Closed)
            }
        }
    }

    /// Submits a request and waits for its answer, as long as it takes.
    ///
    /// # Errors
    ///
    /// Those of [`Store::submit`] and of the request; [`StoreError::WouldBlock`] on a store's thread.
    pub fn wait(&self, request: Request) -> Result<Reply, StoreError> {
        refuse_on_owner()?;
        let (send, receive) = bounded(1);
        self.submit(request, move |answer| drop(send.send(answer)))?;
        receive.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// A new token, with which a transaction can be begun.
    pub fn token(&self) -> Token {
        Token::new(self.handle.id, self.handle.wake.clone())
    }

    /// Stops the request that runs now, if there is one: it answers [`StoreError::Interrupted`], unless it ends first.
    /// Those that wait are not touched. Does not wait.
    pub fn interrupt(&self) {
        self.handle.shared.interrupt.request();
    }

    /// Closes the store, for all its handles, and returns at once; again is as well. The request that runs is let run
    /// (see [`Store::interrupt`]), those that wait are refused with [`StoreError::Closed`], an open transaction is
    /// rolled back.
    pub fn close(&self) {
        self.handle.shared.closing.store(true, Ordering::Release);
        // A full channel means that the thread is to wake up anyway, a closed one that it has ended.
        let _ = self.handle.wake.try_send(());
    }

    /// As [`Self::close`], and the request that runs is stopped: it answers [`StoreError::Interrupted`], unless it ends first.
    pub fn close_now(&self) {
        self.close();
        self.handle.shared.interrupt.request_for_good();
    }

    /// Closes the store and calls `done`, on the store's thread, when its database is closed. False when it is closed
    /// already: `done` is not called then.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when [`MAX_CLOSE_WAITERS`] wait already; the store closes all the same.
    pub fn close_with(&self, done: impl FnOnce() + Send + 'static) -> Result<bool, StoreError> {
        self.close();
        let mut ending = self.handle.shared.ending();
        if ending.ended {
            return Ok(false);
        }
        if ending.waiters.len() >= MAX_CLOSE_WAITERS {
            return Err(StoreError::Busy { capacity: MAX_CLOSE_WAITERS });
        }
        ending.waiters.push(Box::new(done));
        Ok(true)
    }

    /// Closes the store and waits until its database is closed.
    ///
    /// # Errors
    ///
    /// Those of [`Store::close_with`]; [`StoreError::WouldBlock`] on a store's thread.
    pub fn close_and_wait(&self) -> Result<(), StoreError> {
        refuse_on_owner()?;
        let (send, receive) = bounded(1);
        if self.close_with(move || send.send(()).unwrap_or(()))? {
            // An error is a waiter that was dropped: the thread is gone, and the database with it.
            let _ = receive.recv();
        }
        Ok(())
    }

    /// Whether the store was closed, or is about to be.
    pub fn is_closed(&self) -> bool {
        self.handle.shared.is_closing()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("id", &self.handle.id).field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

fn refuse_on_owner() -> Result<(), StoreError> {
    if IS_OWNER.get() {
        return Err(StoreError::WouldBlock);
    }
    Ok(())
}
