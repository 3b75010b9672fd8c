//! Work that takes milliseconds and no guest: threads of our own, fed by a bounded queue.

use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use rustler::{Encoder, Env, Term};

use crate::later::Waiting;
use crate::{atoms, fault};

/// Jobs that may wait. Who feeds more than this has no back-pressure of its own.
const QUEUE: usize = 1_024;

type Job = Box<dyn FnOnce() + Send>;

/// A job, and since when it waits.
type Queued = (Job, Instant);

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);
static QUEUE_NANOS: AtomicU64 = AtomicU64::new(0);
static RUN_NANOS: AtomicU64 = AtomicU64::new(0);

/// What the pool has done, and does now.
pub struct Load {
    pub waiting: usize,
    pub running: usize,
    pub done: u64,
    /// How long those that are done waited for a thread, all together.
    pub queue_time: Duration,
    /// How long they ran, all together.
    pub run_time: Duration,
}

pub fn load() -> Load {
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    Load {
        waiting: POOL.get().map_or(0, Sender::len),
        running: RUNNING.load(Ordering::Relaxed),
        done: get(&DONE),
        queue_time: Duration::from_nanos(get(&QUEUE_NANOS)),
        run_time: Duration::from_nanos(get(&RUN_NANOS)),
    }
}

fn run((job, since): Queued) {
    let begun = Instant::now();
    RUNNING.fetch_add(1, Ordering::Relaxed);
    // A panic ends its job: the job's answer, dropped, says so.
    let _ = panic::catch_unwind(AssertUnwindSafe(job));
    RUNNING.fetch_sub(1, Ordering::Relaxed);
    DONE.fetch_add(1, Ordering::Relaxed);
    QUEUE_NANOS.fetch_add(nanos(begun.duration_since(since)), Ordering::Relaxed);
    RUN_NANOS.fetch_add(nanos(begun.elapsed()), Ordering::Relaxed);
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

static POOL: OnceLock<Sender<Queued>> = OnceLock::new();

fn queue() -> &'static Sender<Queued> {
    POOL.get_or_init(|| {
        let (send, receive) = bounded::<Queued>(QUEUE);
        for number in 0..thread::available_parallelism().map_or(2, usize::from) {
            let receive = receive.clone();
            // Without the threads the queue fills, and then says so.
            let _ = thread::Builder::new().name(format!("wasgo-job-{number}")).spawn(move || {
                wasgo_wasm::enter_background();
                receive.into_iter().for_each(run);
            });
        }
        send
    })
}

/// Runs `work` on a thread of the pool; answers `{:pending, reference}`, and later by `encode`'s term.
pub fn start<'a, T: Send + 'static>(
    env: Env<'a>,
    work: impl FnOnce() -> T + Send + 'static,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Send + 'static,
) -> Term<'a> {
    let (waiting, reference) = Waiting::new(env);
    let job = move || match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => waiting.answer(move |env| encode(env, result)),
        Err(_) => {
            waiting.answer(|env| fault::err(env, broken(env, "the native code failed; this is a fault of Wasgo")))
        }
    };
    match queue().try_send((Box::new(job), Instant::now())) {
        Ok(()) => (atoms::pending(), reference).encode(env),
        Err(_) => fault::err(env, full(env)),
    }
}

/// As [`start`], for work that would keep a thread for long: `slice` is called until it has a result, and other jobs come between.
pub fn start_in_slices<'a, S: Send + 'static, T: Send + 'static>(
    env: Env<'a>,
    state: S,
    slice: fn(S) -> Slice<S, T>,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Send + 'static,
) -> Term<'a> {
    let (waiting, reference) = Waiting::new(env);
    match queue().try_send((next_slice(state, slice, waiting, encode), Instant::now())) {
        Ok(()) => (atoms::pending(), reference).encode(env),
        Err(_) => fault::err(env, full(env)),
    }
}

/// What came of a slice of work.
pub enum Slice<S, T> {
    /// There is more to do.
    More(S),
    /// The result.
    Done(T),
}

fn next_slice<S: Send + 'static, T: Send + 'static>(
    state: S,
    slice: fn(S) -> Slice<S, T>,
    waiting: Waiting,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Send + 'static,
) -> Job {
    Box::new(move || {
        let mut state = state;
        loop {
            match panic::catch_unwind(AssertUnwindSafe(move || slice(state))) {
                Ok(Slice::Done(result)) => return waiting.answer(move |env| encode(env, result)),
                Ok(Slice::More(next)) if queue().is_empty() => state = next,
                Ok(Slice::More(next)) => {
                    // Behind the others. Where even that has no room it is done at once.
                    return match queue().try_send((next_slice(next, slice, waiting, encode), Instant::now())) {
                        Ok(()) => {}
                        Err(refused) => (refused.into_inner().0)(),
                    };
                }
                Err(_) => {
                    return waiting.answer(|env| {
                        fault::err(env, broken(env, "the native code failed; this is a fault of Wasgo"))
                    });
                }
            }
        }
    })
}

fn full(env: Env<'_>) -> Term<'_> {
    let message = format!("{QUEUE} jobs wait for the native pool already");
    let more = [(atoms::value(), QUEUE.encode(env))];
    fault::fault(env, atoms::limit(), atoms::jobs().to_term(env), &message, &more)
}

fn broken<'a>(env: Env<'a>, message: &str) -> Term<'a> {
    fault::fault(env, atoms::instance(), atoms::engine().to_term(env), message, &[])
}
