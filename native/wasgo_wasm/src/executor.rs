//! Runs guests: the first slice on the caller's thread, the rest round-robin on a few worker threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_task::Runnable;
use crossbeam_channel::{Receiver, Sender};

use crate::background::enter_background;
use crate::error::{Error, LimitKind};
use crate::inline;
use crate::meter::{Load, Meter};
use crate::ticker::Ticker;

/// Calls under way at once, in the whole engine. The workers' queue has a place for each, so that waking a task never waits.
pub(crate) const MAX_TASKS: usize = 65_536;

/// Threads that may take the last place at the same moment.
const SPARE_TASKS: usize = 1_024;

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

/// What a task shares with who started it.
struct Call<T> {
    /// Where its result goes.
    later: Mutex<Option<Callback<Result<T, Error>>>>,
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
    /// With the moment when it was put there.
    queue: Sender<(Runnable, Instant)>,
    under_way: AtomicUsize,
    ticker: Arc<Ticker>,
    meter: Arc<Meter>,
}

pub(crate) struct Executor(Arc<Shared>);

impl Executor {
    pub(crate) fn start(workers: usize, ticker: Arc<Ticker>) -> std::io::Result<Self> {
        let (queue, tasks) = crossbeam_channel::bounded::<(Runnable, Instant)>(MAX_TASKS + SPARE_TASKS);
        let meter = Arc::<Meter>::default();
        for number in 0..workers.max(1) {
            let tasks: Receiver<(Runnable, Instant)> = tasks.clone();
            let ticker = Arc::clone(&ticker);
            let meter = Arc::clone(&meter);
            thread::Builder::new().name(format!("wasgo-worker-{number}")).spawn(move || {
                enter_background();
                for (runnable, since) in tasks {
                    let begun = Instant::now();
                    let slice = ticker.slice();
                    // A panic in a task must not take a worker away from the others.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runnable.run()));
                    drop(slice);
                    meter.slice(begun.duration_since(since), begun.elapsed());
                }
            })?;
        }
        Ok(Self(Arc::new(Shared { queue, under_way: AtomicUsize::new(0), ticker, meter })))
    }

    /// What was counted, calls that go on in the pool, and slices that wait for a worker.
    pub(crate) fn load(&self) -> Load {
        let under_way = self.0.under_way.load(Ordering::Relaxed);
        Load { under_way, waiting: self.0.queue.len(), ..self.0.meter.load() }
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
        self.0.meter.started();
        if self.0.under_way.load(Ordering::Relaxed) >= MAX_TASKS {
            let refused = Err(Error::Limit { kind: LimitKind::Calls, limit: MAX_TASKS as u64, asked: None });
            self.0.meter.ended(&refused);
            return Started::Done(refused);
        }
        if !inline {
            return self.spawn(Box::pin(future), timeout, Next::Pool, later);
        }
        self.0.ticker.note_activity();
        let mut future = Box::pin(future);
        // Nobody is woken by this first poll: what does not end in it is polled once more with a waker of its own.
        let (poll, waits) = inline::slice(|| future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        match poll {
            Poll::Ready(result) => {
                self.0.meter.ended(&result);
                Started::Done(result)
            }
            Poll::Pending => self.spawn(future, timeout, if waits { Next::Here } else { Next::Pool }, later),
        }
    }

    /// Makes a task of a future that did not end at once.
    fn spawn<T, F>(
        &self,
        future: Pin<Box<F>>,
        timeout: Option<Duration>,
        next: Next,
        later: impl FnOnce() -> Callback<Result<T, Error>>,
    ) -> Started<Result<T, Error>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.0.meter.pooled();
        let slot = Slot::take(&self.0);
        let call = Arc::new(Call {
            later: Mutex::new(Some(later())),
            cancelled: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        let answer = Answer(Some(Arc::clone(&call)));
        let task = async move {
            let result = bounded(future, timeout, &slot.0.ticker, &answer).await;
            slot.0.meter.ended(&result);
            drop(slot);
            answer.give(result);
        };
        // The queue has a place for every task there can be, so this never waits; it fails only when the engine is gone.
        let shared = Arc::clone(&self.0);
        let (runnable, task) = async_task::spawn(task, move |runnable| {
            if let Some(runnable) = inline::offer(runnable) {
                let _ = shared.queue.try_send((runnable, Instant::now()));
            }
        });
        task.detach();
        match next {
            Next::Pool => runnable.schedule(),
            Next::Here => {
                inline::slice(|| runnable.run());
            }
        }
        Started::Running(Canceller(call))
    }

    /// Does something that wakes a task which waits for the host, and runs the task's next slice here.
    pub(crate) fn resume_here(&self, wake: impl FnOnce()) {
        if let Some(runnable) = inline::capture(wake) {
            self.0.ticker.note_activity();
            inline::slice(|| runnable.run());
        }
    }
}

/// Where a task's next slice runs.
enum Next {
    /// On a worker.
    Pool,
    /// On this thread: it waits for something and only leaves its waker there.
    Here,
}

/// Polls `future` until it ends, its time is over or it is cancelled. It is dropped before this returns: that unwinds the guest's
/// fiber, and lets the instance go before anybody hears of the result.
async fn bounded<T: Send + 'static>(
    mut future: Pin<Box<impl Future<Output = Result<T, Error>>>>,
    timeout: Option<Duration>,
    ticker: &Ticker,
    answer: &Answer<T>,
) -> Result<T, Error> {
    let mut timer = None;
    let mut first = true;
    // Most calls ended before this and needed no clock. The first slice's half a millisecond at most is not counted.
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let result = std::future::poll_fn(|context| {
        if first {
            first = false;
            if let Some(at) = deadline {
                timer = Some(ticker.wake_at(at, context.waker().clone()));
            }
            answer.can_be_woken(context.waker());
        }
        if answer.cancelled() {
            return Poll::Ready(Err(Error::Cancelled));
        }
        if let (Some(at), Some(limit)) = (deadline, timeout)
            && Instant::now() >= at
        {
            return Poll::Ready(Err(Error::timeout(limit)));
        }
        future.as_mut().poll(context)
    })
    .await;
    drop((future, timer));
    result
}

/// The duty to answer. Dropped without an answer, because its task panicked or the engine is gone, it says so: nobody waits
/// for ever.
struct Answer<T: Send + 'static>(Option<Arc<Call<T>>>);

impl<T: Send + 'static> Answer<T> {
    fn give(mut self, result: Result<T, Error>) {
        self.send(result);
    }

    fn send(&mut self, result: Result<T, Error>) {
        let later = self.0.take().and_then(|call| lock(&call.later).take());
        if let Some(later) = later {
            later(result);
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
    fn take(shared: &Arc<Shared>) -> Self {
        shared.under_way.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
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
        Executor::start(2, Arc::new(Ticker::start().unwrap())).unwrap()
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
