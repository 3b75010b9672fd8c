//! The threads that read a store's file, fed by a bounded queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

use crate::clock::{self, Slot};
use crate::cursor::CursorCell;
use crate::pool::{Enlisted, Pool};
use crate::request::{Command, Done};
use crate::shared::{Job, Lane, Place, Shared, Terms, Work};
use crate::sqlite::Ran;
use crate::store::{mark_as_own_thread, thread_for_statements};
use crate::{Limits, Params, StoreError};

/// What a reading thread is to do.
pub(crate) enum Read {
    Query { sql: String, params: Params, limits: Limits },
    Fetch { cursor: Arc<CursorCell>, limits: Limits },
}

pub(crate) struct ReadJob {
    pub(crate) read: Read,
    pub(crate) terms: Terms,
    pub(crate) place: Place,
    pub(crate) done: Done,
}

/// The way to the threads, of those who have a handle on the store.
pub(crate) struct Readers {
    pub(crate) pool: Arc<Pool>,
    jobs: Sender<Arc<Slot>>,
    queue: Receiver<Arc<Slot>>,
    stop: Receiver<()>,
    lane: Lane,
    /// Threads there may be.
    most: usize,
    threads: AtomicUsize,
    /// Of those, the ones that wait for something to do.
    idle: Arc<AtomicUsize>,
    writer: WriterQueue,
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct WriterQueue {
    pub(crate) jobs: Sender<Job>,
    pub(crate) lane: Lane,
    pub(crate) shared: Arc<Shared>,
}

impl WriterQueue {
    /// Puts a job into the queue, or gives back its answer with why not.
    pub(crate) fn put(
        &self,
        work: Work,
        token: Option<crate::request::TokenRef>,
        terms: Terms,
        place: Place,
        done: Done,
    ) -> Result<(), (StoreError, Done)> {
        match self.jobs.try_send(Job { work, token, terms, place, done }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job)) => Err((StoreError::Busy { capacity: self.lane.capacity }, job.done)),
            Err(TrySendError::Disconnected(job)) => Err((StoreError::Closed, job.done)),
        }
    }
}

/// What the owner thread keeps, to end the threads.
pub(crate) struct Threads {
    pub(crate) pool: Arc<Pool>,
    queue: Receiver<Arc<Slot>>,
    stop: Sender<()>,
}

impl Threads {
    /// Ends the threads and closes their connections; what they were not given answers, as it is dropped, that the store is closed.
    pub(crate) fn end(self) -> Vec<ReadJob> {
        drop(self.stop);
        self.pool.close();
        self.queue.try_iter().filter_map(|slot| slot.take()).collect()
    }

    /// Lets the threads do what was accepted, when no handle is left to ask for more.
    pub(crate) fn finish(&self) {
        self.pool.wait_for_threads();
    }
}

pub(crate) fn set_up(pool: &Arc<Pool>, most: usize, capacity: usize, writer: WriterQueue) -> (Readers, Threads) {
    let (jobs, queue) = bounded(capacity);
    let (stop, stopped) = bounded(0);
    let threads = Threads { pool: Arc::clone(pool), queue: queue.clone(), stop };
    let readers = Readers {
        pool: Arc::clone(pool),
        jobs,
        queue,
        stop: stopped,
        lane: Lane::new(capacity),
        most,
        threads: AtomicUsize::new(0),
        idle: Arc::default(),
        writer,
    };
    (readers, threads)
}

impl Readers {
    /// Puts a job into the queue. The caller holds a place for submissions.
    pub(crate) fn submit(&self, read: Read, terms: Terms, done: Done) -> Result<(), StoreError> {
        let place = match self.lane.take() {
            Ok(place) => place,
            Err(error) => {
                done.disarm();
                return Err(error);
            }
        };
        if let Err(error) = self.need_thread() {
            done.disarm();
            return Err(error);
        }
        let deadline = terms.deadline;
        let waits = self.idle.load(Ordering::Acquire) <= self.jobs.len();
        let slot = Slot::new(ReadJob { read, terms, place, done });
        let (error, refused) = match self.jobs.try_send(Arc::clone(&slot)) {
            Ok(()) => {
                if let Some(deadline) = deadline.filter(|_| waits) {
                    clock::watch(deadline, &slot);
                }
                return Ok(());
            }
            Err(TrySendError::Full(refused)) => (StoreError::Busy { capacity: self.lane.capacity }, refused),
            Err(TrySendError::Disconnected(refused)) => (StoreError::Closed, refused),
        };
        if let Some(job) = refused.take() {
            job.done.disarm();
        }
        Err(error)
    }

    /// Starts another thread if all are busy and there may be more.
    fn need_thread(&self) -> Result<(), StoreError> {
        if self.idle.load(Ordering::Acquire) > self.jobs.len() {
            return Ok(());
        }
        let more = |count| (count < self.most).then_some(count + 1);
        let Ok(before) = self.threads.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) else { return Ok(()) };
        let enlisted = self.pool.enlist().ok_or(StoreError::Closed)?;
        let thread = Thread {
            pool: Arc::clone(&self.pool),
            queue: self.queue.clone(),
            stop: self.stop.clone(),
            idle: Arc::clone(&self.idle),
            writer: self.writer.clone(),
        };
        let started = thread_for_statements("wasgo-store-read").spawn(move || {
            mark_as_own_thread();
            thread.run();
            // Its way to the writer goes first: who waits for the threads waits for that too.
            drop::<Enlisted>(enlisted);
        });
        match started {
            Ok(_) => Ok(()),
            Err(error) => {
                self.threads.fetch_sub(1, Ordering::AcqRel);
                match before {
                    0 => Err(StoreError::Internal(format!("no thread for a store: {error}"))),
                    _ => Ok(()),
                }
            }
        }
    }
}

struct Thread {
    pool: Arc<Pool>,
    queue: Receiver<Arc<Slot>>,
    stop: Receiver<()>,
    idle: Arc<AtomicUsize>,
    writer: WriterQueue,
}

impl Thread {
    /// Serves until the store is closed, or nobody has a handle on it.
    fn run(self) {
        loop {
            self.idle.fetch_add(1, Ordering::AcqRel);
            let slot = select! {
                recv(self.stop) -> _ => None,
                recv(self.queue) -> slot => slot.ok(),
            };
            self.idle.fetch_sub(1, Ordering::AcqRel);
            let Some(slot) = slot else { return };
            // Its time may have been over.
            let Some(job) = slot.take() else { continue };
            // What comes while it closes is answered by being dropped: here, and not where it was put into the queue.
            if self.writer.shared.is_closing() {
                return;
            }
            self.serve(job);
        }
    }

    fn serve(&self, job: ReadJob) {
        let ReadJob { read, terms, place, done } = job;
        drop(place);
        match read {
            Read::Fetch { cursor, limits } => {
                let mut once = Some(|sink: &mut dyn crate::RowSink| {
                    caught(|| cursor.read(|| self.pool.lend(), &terms, limits, sink))
                });
                done.answer_with(&mut |sink| once.take().map_or(Ok(false), |read| read(sink)));
            }
            Read::Query { sql, params, limits } => self.query(sql, params, limits, terms, done),
        }
    }

    fn query(&self, sql: String, params: Params, limits: Limits, terms: Terms, done: Done) {
        if let Err(error) = terms.check() {
            return done.answer(Err(error));
        }
        let mut lent = match self.pool.lend() {
            Ok(lent) => lent,
            Err(StoreError::Closed) => return done.answer(Err(StoreError::Closed)),
            // The writer is there, and tells what is wrong if something is.
            Err(_) => return self.pass_on(sql, params, limits, terms, done),
        };
        match caught(|| lent.can_run(&sql, terms.watch())) {
            Err(error) => done.answer(Err(error)),
            Ok(false) => {
                drop(lent);
                self.pass_on(sql, params, limits, terms, done);
            }
            Ok(true) => {
                let mut lent = Some(lent);
                done.answer_with(&mut |sink| {
                    let Some(mut lent) = lent.take() else { return Ok(false) };
                    caught(|| match lent.query(&sql, (&params).into(), limits, terms.watch(), sink) {
                        Ran::Ended(result) => result.map(|()| false),
                        // It was a query a moment ago; the schema has changed under it.
                        Ran::OnWriter | Ran::OverBudget => {
                            let message = "the schema has changed".to_owned();
                            Err(StoreError::Sqlite { code: 17, name: "schema", message, offset: None })
                        }
                    })
                });
            }
        }
    }

    /// Hands a query to the writer.
    fn pass_on(&self, sql: String, params: Params, limits: Limits, terms: Terms, done: Done) {
        let submitted = self.writer.shared.begin_submission().and_then(|submitting| {
            let place = self.writer.lane.take()?;
            Ok((submitting, place))
        });
        let (_submitting, place) = match submitted {
            Ok(places) => places,
            Err(error) => return done.answer(Err(error)),
        };
        let work = Work::Command(Command::Query { sql, params, limits });
        if let Err((error, done)) = self.writer.put(work, None, terms, place, done) {
            done.answer(Err(error));
        }
    }
}

/// A panic is an error, and the thread lives.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Internal("panic while running a request".into())))
}
