//! Runs guests: the first slice on the caller's thread, the rest round-robin on a few worker threads.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_task::Runnable;
use crossbeam_channel::{Receiver, Sender};

use crate::background::enter_background;
use crate::error::{Error, LimitKind};
use crate::ticker::Ticker;

/// Calls under way at once, in the whole engine. The workers' queue has as many places, so that waking a task never waits.
pub(crate) const MAX_TASKS: usize = 65_536;

/// What starting something gave.
pub enum Started<T> {
    /// It ended in its first slice.
    Done(T),
    /// It goes on in the pool; the callback will be called with its result.
    Running(Canceller),
}

/// Stops what was started. Dropping it does nothing.
#[derive(Clone)]
pub struct Canceller(Arc<dyn Cancel>);

impl Canceller {
    /// Asks for the task to be stopped at its next check; its result is then [`Error::Cancelled`]. Harmless when it has
    /// ended already.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

trait Cancel: Send + Sync {
    fn cancel(&self);
}

/// A callback for a result that comes later.
pub type Callback<T> = Box<dyn FnOnce(T) + Send>;

/// Where a task's result goes: it is not known beforehand whether the task ends in its first slice.
enum Outcome<T> {
    FirstSlice,
    Later(Callback<Result<T, Error>>),
    Done(Result<T, Error>),
    Taken,
}

/// What a task shares with who started it.
struct Call<T> {
    outcome: Mutex<Outcome<T>>,
    cancelled: AtomicBool,
    /// Set once the task has yielded for the first time.
    waker: Mutex<Option<Waker>>,
}

impl<T: Send> Cancel for Call<T> {
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(waker) = lock(&self.waker).take() {
            waker.wake();
        }
    }
}

/// What the executor shares with its tasks.
struct Shared {
    queue: Sender<Runnable>,
    under_way: AtomicUsize,
    ticker: Arc<Ticker>,
}

pub(crate) struct Executor(Arc<Shared>);

impl Executor {
    pub(crate) fn start(workers: usize, ticker: Arc<Ticker>) -> std::io::Result<Self> {
        let (queue, tasks) = crossbeam_channel::bounded::<Runnable>(MAX_TASKS);
        for number in 0..workers.max(1) {
            let tasks: Receiver<Runnable> = tasks.clone();
            let ticker = Arc::clone(&ticker);
            thread::Builder::new().name(format!("wasgo-worker-{number}")).spawn(move || {
                enter_background();
                for runnable in tasks {
                    ticker.note_activity();
                    // A panic in a task must not take a worker away from the others.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runnable.run()));
                }
            })?;
        }
        Ok(Self(Arc::new(Shared { queue, under_way: AtomicUsize::new(0), ticker })))
    }

    /// Starts `future`. With `inline` its first slice runs here and now; without, all of it runs in the pool.
    ///
    /// `later` makes the callback for a result that does not come in the first slice. Past `timeout` the future is dropped
    /// and the result is a time limit error.
    pub(crate) fn start_task<T, F>(
        &self,
        future: F,
        timeout: Option<Duration>,
        inline: bool,
        later: impl FnOnce() -> Callback<Result<T, Error>>,
    ) -> Started<Result<T, Error>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let Some(slot) = Slot::take(&self.0) else {
            return Started::Done(Err(Error::Limit { kind: LimitKind::Calls, limit: MAX_TASKS as u64, asked: None }));
        };
        let call = Arc::new(Call {
            outcome: Mutex::new(Outcome::FirstSlice),
            cancelled: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        let answer = Answer(Some(Arc::clone(&call)));
        let task = async move {
            let result = bounded(future, timeout, &slot.0.ticker, &answer).await;
            drop(slot);
            answer.give(result);
        };
        // The queue has a place for every task there can be, so this never waits; it fails only when the engine is gone.
        let shared = Arc::clone(&self.0);
        let (runnable, task) = async_task::spawn(task, move |runnable| {
            let _ = shared.queue.try_send(runnable);
        });
        task.detach();
        if inline {
            self.0.ticker.note_activity();
            runnable.run();
            let mut outcome = lock(&call.outcome);
            match std::mem::replace(&mut *outcome, Outcome::Taken) {
                Outcome::Done(result) => return Started::Done(result),
                _ => *outcome = Outcome::Later(later()),
            }
        } else {
            *lock(&call.outcome) = Outcome::Later(later());
            runnable.schedule();
        }
        Started::Running(Canceller(call))
    }
}

/// Polls `future` until it ends, its time is over or it is cancelled. It is dropped before this returns: that unwinds the guest's
/// fiber, and lets the instance go before anybody hears of the result.
async fn bounded<T: Send + 'static>(
    future: impl Future<Output = Result<T, Error>>,
    timeout: Option<Duration>,
    ticker: &Ticker,
    answer: &Answer<T>,
) -> Result<T, Error> {
    let mut future = pin!(future);
    // None before the first slice is over: most calls need no clock.
    let mut deadline: Option<Option<Instant>> = None;
    std::future::poll_fn(|context| {
        if let Some(deadline) = deadline {
            if answer.cancelled() {
                return Poll::Ready(Err(Error::Cancelled));
            }
            if let (Some(at), Some(limit)) = (deadline, timeout)
                && Instant::now() >= at
            {
                return Poll::Ready(Err(Error::timeout(limit)));
            }
        }
        let poll = future.as_mut().poll(context);
        if poll.is_pending() && deadline.is_none() {
            let at = timeout.map(|timeout| Instant::now() + timeout);
            deadline = Some(at);
            if let Some(at) = at {
                ticker.wake_at(at, context.waker().clone());
            }
            answer.can_be_woken(context.waker());
        }
        poll
    })
    .await
}

/// The duty to answer. Dropped without an answer, because its task panicked or the engine is gone, it says so: nobody waits
/// for ever.
struct Answer<T: Send + 'static>(Option<Arc<Call<T>>>);

impl<T: Send + 'static> Answer<T> {
    fn give(mut self, result: Result<T, Error>) {
        self.send(result);
    }

    fn send(&mut self, result: Result<T, Error>) {
        let Some(call) = self.0.take() else { return };
        let mut outcome = lock(&call.outcome);
        match std::mem::replace(&mut *outcome, Outcome::Taken) {
            Outcome::Later(callback) => {
                drop(outcome);
                callback(result);
            }
            _ => *outcome = Outcome::Done(result),
        }
    }

    fn cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|call| call.cancelled.load(Ordering::SeqCst))
    }

    fn can_be_woken(&self, waker: &Waker) {
        if let Some(call) = &self.0 {
            *lock(&call.waker) = Some(waker.clone());
            // Who cancelled just before found nobody to wake.
            if call.cancelled.load(Ordering::SeqCst) {
                waker.wake_by_ref();
            }
        }
    }
}

impl<T: Send + 'static> Drop for Answer<T> {
    fn drop(&mut self) {
        self.send(Err(Error::engine("the task ended without a result")));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place among the calls under way, given back when dropped.
struct Slot(Arc<Shared>);

impl Slot {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let slot = Self(Arc::clone(shared));
        (shared.under_way.fetch_add(1, Ordering::Relaxed) < MAX_TASKS).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Yields once: what comes after runs on a worker.
pub(crate) async fn yield_to_pool() {
    futures_lite::future::yield_now().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executor() -> Executor {
        let engine = wasmtime::Engine::default();
        Executor::start(2, Arc::new(Ticker::start(engine).unwrap())).unwrap()
    }

    fn run<T: Send + 'static>(
        executor: &Executor,
        timeout: Option<Duration>,
        inline: bool,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> (bool, Result<T, Error>) {
        let (send, receive) = crossbeam_channel::bounded(1);
        let started =
            executor.start_task(future, timeout, inline, || Box::new(move |result| send.send(result).unwrap()));
        match started {
            Started::Done(result) => (true, result),
            Started::Running(_) => (false, receive.recv().unwrap()),
        }
    }

    #[test]
    fn what_ends_at_once_is_done_at_once() {
        let (inline, result) = run(&executor(), None, true, async { Ok(7) });
        assert!(inline);
        assert_eq!(result.unwrap(), 7);
    }

    #[test]
    fn what_yields_ends_on_a_worker() {
        let here = thread::current().id();
        let (inline, result) = run(&executor(), None, true, async {
            yield_to_pool().await;
            Ok(thread::current().id())
        });
        assert!(!inline);
        assert_ne!(result.unwrap(), here);
    }

    #[test]
    fn what_sleeps_is_stopped_at_its_deadline() {
        let (_, result) = run::<()>(&executor(), Some(Duration::from_millis(20)), true, std::future::pending());
        assert!(matches!(result, Err(Error::Limit { kind: LimitKind::Time, limit: 20, .. })));
    }

    #[test]
    fn what_is_cancelled_ends() {
        let executor = executor();
        let (send, receive) = crossbeam_channel::bounded(1);
        let started = executor.start_task::<(), _>(std::future::pending(), None, false, || {
            Box::new(move |result| send.send(result).unwrap())
        });
        let Started::Running(canceller) = started else { panic!("it can't have ended") };
        canceller.cancel();
        assert!(matches!(receive.recv().unwrap(), Err(Error::Cancelled)));
        canceller.cancel();
    }

    #[test]
    fn a_panic_leaves_the_workers_alive() {
        let executor = executor();
        for _ in 0..8 {
            let (_, result) = run::<()>(&executor, None, false, async { panic!("on purpose") });
            assert!(matches!(result, Err(Error::Engine { .. })));
        }
        let (_, result) = run(&executor, None, false, async { Ok(1) });
        assert_eq!(result.unwrap(), 1);
    }
}
