//! Work that takes milliseconds and no guest: threads of our own, fed by a bounded queue.

use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;
use std::thread;

use crossbeam_channel::{Sender, bounded};
use rustler::{Encoder, Env, Term};

use crate::later::Waiting;
use crate::{atoms, fault};

/// Jobs that may wait. Who feeds more than this has no back-pressure of its own.
const QUEUE: usize = 1_024;

type Job = Box<dyn FnOnce() + Send>;

fn queue() -> &'static Sender<Job> {
    static POOL: OnceLock<Sender<Job>> = OnceLock::new();
    POOL.get_or_init(|| {
        let (send, receive) = bounded::<Job>(QUEUE);
        for number in 0..thread::available_parallelism().map_or(2, usize::from) {
            let receive = receive.clone();
            // Without the threads the queue fills, and then says so.
            let _ = thread::Builder::new().name(format!("wasgo-job-{number}")).spawn(move || {
                wasgo_wasm::enter_background();
                for job in receive {
                    // A panic ends its job: the job's answer, dropped, says so.
                    let _ = panic::catch_unwind(AssertUnwindSafe(job));
                }
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
    match queue().try_send(Box::new(job)) {
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
    match queue().try_send(next_slice(state, slice, waiting, encode)) {
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
                    return match queue().try_send(next_slice(next, slice, waiting, encode)) {
                        Ok(()) => {}
                        Err(refused) => (refused.into_inner())(),
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
