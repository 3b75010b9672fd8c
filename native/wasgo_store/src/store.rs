//! The handle on a database: puts requests into its threads' queues, and never waits unless asked to.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::cursor::CursorId;
use crate::express::{Express, Verdict};
use crate::notify::{OnChange, Subscription};
use crate::owner::Owner;
use crate::pool::Pool;
use crate::readers::{Read, Readers, Threads, WriterQueue, set_up};
use crate::request::{Command, Done, TokenRef, call};
use crate::rows::RowsCallback;
use crate::session::{self, Backend};
use crate::shared::{Job, Lane, Place, Shared, Terms, Work};
use crate::token::Token;
use crate::{Location, Options, Reply, Request, StoreError};

/// Requests that may wait for the writer, the one that runs not counted; and as many for the readers. Enough for a burst, few enough that
/// the last of them is not stale.
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

/// This thread is one of a store's: it waits for no store.
pub(crate) fn mark_as_own_thread() {
    IS_OWNER.set(true);
}

/// A libSQL database with its own threads. Cheap to clone; all copies are the same store.
///
/// The threads end when the store is [closed](Store::close), or when its last handle is dropped and what was accepted
/// by then is done.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    id: u64,
    writer: WriterQueue,
    wake: Sender<()>,
    shared: Arc<Shared>,
    transaction: Lane,
    readers: Option<Readers>,
    express: Option<Express>,
    backup_runs: AtomicBool,
    /// Whether its database is a server's.
    is_remote: bool,
    /// Whether it is a copy of a server's.
    is_replica: bool,
}

/// What a new store's own thread keeps.
struct Ends {
    jobs: Receiver<Job>,
    woken: Receiver<()>,
    threads: Option<Threads>,
}

/// Stack for SQLite, which takes half a KiB or so for each query in another, and for each view of a view.
const SQLITE_STACK: usize = 16 << 20;

/// A thread that statements run on: with room for SQLite, and for the functions that they call.
pub(crate) fn thread_for_statements(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.into()).stack_size(SQLITE_STACK + wasgo_wasm::LOCAL_STACK)
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
            mark_as_own_thread();
            let shared = Arc::new(Shared::new());
            let opening = || session::open(&options, &shared);
            let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(opening));
            let session = opened.unwrap_or_else(|_| Err(StoreError::Internal("panic while opening a database".into())));
            match session {
                Err(source) => {
                    let error = StoreError::Open { location: options.location.to_string(), source: Box::new(source) };
                    call(|| done(Err(error)));
                }
                Ok(session) => {
                    let (store, ends) = Self::new(&options, &shared);
                    call(|| done(Ok(store)));
                    serve(session, ends, &shared);
                }
            }
        };
        thread_for_statements("wasgo-store")
            .spawn(body)
            .map(drop)
            .map_err(|error| StoreError::Internal(format!("no thread for a store: {error}")))
    }

    fn new(options: &Options, shared: &Arc<Shared>) -> (Store, Ends) {
        let (jobs, job_queue) = bounded(QUEUE_CAPACITY + TRANSACTION_CAPACITY);
        let (wake, woken) = bounded(1);
        let writer = WriterQueue { jobs, lane: Lane::new(QUEUE_CAPACITY), shared: Arc::clone(shared) };
        let most = options.usable_readers();
        let is_remote = matches!(options.location, Location::Server(_));
        let (readers, threads) = match most {
            0 => (None, None),
            _ => {
                let pool = Pool::new(options);
                let (readers, threads) = set_up(&pool, most, QUEUE_CAPACITY, writer.clone());
                (Some(readers), Some(threads))
            }
        };
        let handle = Handle {
            id: NEXT_STORE.fetch_add(1, Ordering::Relaxed),
            writer,
            wake,
            shared: Arc::clone(shared),
            transaction: Lane::new(TRANSACTION_CAPACITY),
            express: readers.as_ref().filter(|_| !is_remote).map(|_| Express::new(most)),
            readers,
            backup_runs: AtomicBool::new(false),
            is_remote,
            is_replica: options.replica.is_some(),
        };
        (Store { handle: Arc::new(handle) }, Ends { jobs: job_queue, woken, threads })
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

    /// Puts a request into a queue and returns. `done` is called once with the answer, on one of the store's threads,
    /// never on this one. Queries outside transactions are done by the readers, if there are any, all else by the writer, in order.
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
        self.route(request, Done::new(Box::new(done)))
    }

    /// As [`Store::submit`], for a query whose rows are wanted as they come. For another request there are none.
    ///
    /// # Errors
    ///
    /// Those of [`Store::submit`].
    pub fn submit_rows(&self, request: Request, done: RowsCallback) -> Result<(), StoreError> {
        self.route(request, Done::rows(done))
    }

    fn route(&self, request: Request, done: Done) -> Result<(), StoreError> {
        let Request { command, token, deadline, confined, access } = request;
        let terms = Terms { deadline, confined, access };
        match (command, &token, &self.handle.readers) {
            (Command::Query { sql, params, limits }, None, Some(readers)) if self.may_read_elsewhere(&sql) => {
                let (_submitting, done) = refused(self.begin_submission(), done)?;
                readers.submit(Read::Query { sql, params, limits }, terms, done)
            }
            (command, _, _) => self.enqueue(Work::Command(command), token, terms, done),
        }
    }

    fn may_read_elsewhere(&self, sql: &str) -> bool {
        match self.express() {
            Some((express, _)) => express.verdict(sql) != Verdict::OnWriter,
            None => self.handle.is_remote,
        }
    }

    /// Puts work into the writer's queue.
    pub(crate) fn enqueue(
        &self,
        work: Work,
        token: Option<TokenRef>,
        terms: Terms,
        done: Done,
    ) -> Result<(), StoreError> {
        let handle = &*self.handle;
        let (_submitting, done) = refused(self.begin_submission(), done)?;
        if token.as_ref().is_some_and(|token| token.store != handle.id) {
            done.disarm();
            return Err(StoreError::ForeignToken);
        }
        let holds = token.as_ref().is_some_and(|token| token.state.is_open());
        let lane = if holds { &handle.transaction } else { &handle.writer.lane };
        let (place, done) = refused(lane.take(), done)?;
        handle.writer.put(work, token, terms, place, done).map_err(|(error, done)| {
            done.disarm();
            match error {
                StoreError::Busy { .. } => StoreError::Busy { capacity: lane.capacity },
                other => other,
            }
        })
    }

    /// Puts work into the readers' queue.
    pub(crate) fn enqueue_read(&self, read: Read, terms: Terms, done: RowsCallback) -> Result<(), StoreError> {
        let (_submitting, done) = refused(self.begin_submission(), Done::rows(done))?;
        match &self.handle.readers {
            Some(readers) => readers.submit(read, terms, done),
            None => {
                done.disarm();
                Err(StoreError::NoCursor)
            }
        }
    }

    pub(crate) fn close_cursor(&self, cursor: CursorId, token: TokenRef) {
        if token.state.is_open() {
            let terms = Terms { deadline: None, confined: false, access: None };
            // Refused, it is closed with its transaction.
            let _ = self.enqueue(Work::CloseCursor(cursor), Some(token), terms, Done::new(Box::new(drop)));
        }
    }

    pub(crate) fn begin_submission(&self) -> Result<Place, StoreError> {
        self.handle.shared.begin_submission()
    }

    /// The connections that read, where they may be used.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        let Handle { readers: Some(readers), shared, .. } = &*self.handle else { return None };
        (!shared.private.load(Ordering::Acquire)).then_some(&readers.pool)
    }

    /// What queries on a caller's own thread need, where they may be run.
    pub(crate) fn express(&self) -> Option<(&Express, &Arc<Pool>)> {
        Some((self.handle.express.as_ref()?, self.pool()?))
    }

    /// Whether queries outside transactions are done beside the writer, and small ones at once.
    pub fn has_readers(&self) -> bool {
        self.handle.express.is_some()
    }

    /// Whether its database is a server's, or a copy of a server's.
    pub fn is_remote(&self) -> bool {
        self.handle.is_remote || self.handle.is_replica
    }

    /// Refuses what a database on a server, or a copy of one, can't do.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotRemote`] with `what`.
    pub fn refuse_if_remote(&self, what: &'static str) -> Result<(), StoreError> {
        if self.is_remote() { Err(StoreError::NotRemote { what }) } else { Ok(()) }
    }

    #[cfg(feature = "replication")]
    pub(crate) fn follower(&self) -> Option<&crate::replica::Follower> {
        self.handle.shared.follower.get()
    }

    /// Lets one at a time make a copy of the store.
    pub(crate) fn begin_backup(&self) -> Result<BackupRuns, StoreError> {
        match self.handle.backup_runs.swap(true, Ordering::AcqRel) {
            false => Ok(BackupRuns(self.clone())),
            true => Err(StoreError::BackupRunning),
        }
    }

    /// Has `on_change` called with what this store's own writes changed, after each commit: all of it, or that of some tables. What other
    /// connections to the file change is not told.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when there are too many subscribers, [`StoreError::Closed`]; [`StoreError::NotRemote`].
    pub fn subscribe(&self, tables: Option<Vec<String>>, on_change: OnChange) -> Result<Subscription, StoreError> {
        self.refuse_if_remote("a subscription to changes")?;
        let _submitting = self.begin_submission()?;
        let id = self.handle.shared.subscribers.add(tables, on_change)?;
        Ok(Subscription { id, shared: Arc::clone(&self.handle.shared) })
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

    /// Stops the requests that run now, on the writer and on the readers: they answer [`StoreError::Interrupted`], unless they end first.
    /// Those that wait are not touched. Does not wait.
    pub fn interrupt(&self) {
        self.handle.shared.interrupt.request();
        if let Some(readers) = &self.handle.readers {
            readers.pool.interrupt();
        }
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
        if let Some(readers) = &self.handle.readers {
            readers.pool.interrupt_for_good();
        }
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

/// Serves until the store is closed, or orphaned and done.
fn serve(session: Box<dyn Backend>, ends: Ends, shared: &Arc<Shared>) {
    let Ends { jobs, woken, threads } = ends;
    let owner = Owner::new(session, jobs.clone(), woken, Arc::clone(shared));
    let mut left = None;
    call(|| left = Some(owner.run(threads.as_ref())));
    shared.stop_submissions();
    // The readers first, since the last connection to close has to be one that may empty the log; then the file, so
    // that who is told "closed" finds it closed; then every request left answers as it is dropped.
    #[cfg(feature = "replication")]
    shared.follower.get().into_iter().for_each(crate::replica::Follower::stop);
    let unread = threads.map(Threads::end);
    let (session, waiting) = left.unzip();
    drop(session);
    drop((waiting, unread));
    jobs.try_iter().for_each(drop);
    shared.end();
}

/// What was got, with the answer that is still owed; or why not, which the caller tells.
fn refused<T>(got: Result<T, StoreError>, done: Done) -> Result<(T, Done), StoreError> {
    match got {
        Ok(got) => Ok((got, done)),
        Err(error) => {
            done.disarm();
            Err(error)
        }
    }
}

/// A copy of the store is made while this lives.
pub(crate) struct BackupRuns(Store);

impl Drop for BackupRuns {
    fn drop(&mut self) {
        self.0.handle.backup_runs.store(false, Ordering::Release);
    }
}

fn refuse_on_owner() -> Result<(), StoreError> {
    if IS_OWNER.get() {
        return Err(StoreError::WouldBlock);
    }
    Ok(())
}
