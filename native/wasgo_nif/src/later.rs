//! Results that come now or as a message.
//!
//! A NIF that starts something answers `{:ok, value}` or `{:error, fault}` when it ended at once, or `{:pending, reference}`; the
//! process then gets `{reference, {:ok, value} | {:error, fault}}`. When the process dies first, what it waited for is
//! cancelled.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustler::{Encoder, Env, LocalPid, Monitor, OwnedEnv, Reference, Resource, ResourceArc, Term};
use wasgo_wasm::{Callback, Canceller, Error, Started};

use crate::{atoms, fault, jobs};

/// Something under way for a process. It lives as long as the work does.
#[derive(Default)]
struct UnderWay {
    canceller: OnceLock<Canceller>,
    /// Whether the process is dead. It may die before there is a canceller: a dirty scheduler runs on for a process that was killed.
    orphaned: AtomicBool,
}

impl UnderWay {
    fn orphan(&self) {
        self.orphaned.store(true, Ordering::SeqCst);
        if let Some(canceller) = self.canceller.get() {
            canceller.cancel();
        }
    }

    fn can_be_cancelled(&self, canceller: Canceller) {
        let canceller = self.canceller.get_or_init(|| canceller);
        if self.orphaned.load(Ordering::SeqCst) {
            canceller.cancel();
        }
    }
}

#[rustler::resource_impl]
impl Resource for UnderWay {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.orphan();
    }
}

/// A process that waits for a message with a reference.
pub struct Waiting {
    env: OwnedEnv,
    pid: LocalPid,
    reference: rustler::env::SavedTerm,
}

impl Waiting {
    /// The calling process, with a new reference.
    pub fn new<'a>(env: Env<'a>) -> (Self, Reference<'a>) {
        let reference = env.make_ref();
        let owned = OwnedEnv::new();
        let saved = owned.save(reference);
        (Self { env: owned, pid: env.pid(), reference: saved }, reference)
    }

    /// Sends `{reference, result}`. The message can only be sent from a thread that is not the BEAM's; where this is one of those,
    /// another thread sends it.
    pub fn answer(self, result: impl for<'b> FnOnce(Env<'b>) -> Term<'b> + Send + 'static) {
        let Self { mut env, pid, reference } = self;
        let send = move || {
            // It fails when the process is gone, and then nobody waits.
            let _ = env.send_and_clear(&pid, |env| (reference.load(env), result(env)));
        };
        if rustler::thread::is_scheduler_thread() {
            std::thread::spawn(send);
        } else {
            send();
        }
    }
}

/// Terms made for results up to this weight, in bytes, take well under a millisecond.
const LIGHT: usize = 32 << 10;

/// As [`start`], for results that may be many terms: a heavy one is made into terms on another thread.
pub fn start_heavy<'a, T: Send + 'static>(
    env: Env<'a>,
    weight: fn(&T) -> usize,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Copy + Send + 'static,
    begin: impl FnOnce(Box<dyn FnOnce() -> Callback<Result<T, Error>> + '_>) -> Started<Result<T, Error>>,
) -> Term<'a> {
    start_with(env, encode, begin, |env, result| match result {
        Ok(value) if weight(&value) > LIGHT => {
            jobs::start(env, move || value, move |env, value| outcome(env, Ok(value), encode))
        }
        light => outcome(env, light, encode),
    })
}

/// Starts something, and answers by its result or by a reference.
pub fn start<'a, T: Send + 'static>(
    env: Env<'a>,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Copy + Send + 'static,
    begin: impl FnOnce(Box<dyn FnOnce() -> Callback<Result<T, Error>> + '_>) -> Started<Result<T, Error>>,
) -> Term<'a> {
    start_with(env, encode, begin, |env, result| outcome(env, result, encode))
}

fn start_with<'a, T: Send + 'static>(
    env: Env<'a>,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Copy + Send + 'static,
    begin: impl FnOnce(Box<dyn FnOnce() -> Callback<Result<T, Error>> + '_>) -> Started<Result<T, Error>>,
    done: impl FnOnce(Env<'a>, Result<T, Error>) -> Term<'a>,
) -> Term<'a> {
    let waiting: Cell<Option<(Reference<'a>, ResourceArc<UnderWay>)>> = Cell::new(None);
    let later = || -> Callback<Result<T, Error>> {
        let (process, reference) = Waiting::new(env);
        let under_way = ResourceArc::new(UnderWay::default());
        if under_way.monitor(Some(env), &env.pid()).is_none() {
            under_way.orphan();
        }
        waiting.set(Some((reference, under_way.clone())));
        Box::new(move |result| {
            process.answer(move |env| outcome(env, result, encode));
            drop(under_way);
        })
    };
    match begin(Box::new(later)) {
        Started::Done(result) => done(env, result),
        Started::Running(canceller) => match waiting.take() {
            Some((reference, under_way)) => {
                under_way.can_be_cancelled(canceller);
                (atoms::pending(), reference).encode(env)
            }
            None => fault::err(env, fault::wasm(env, &Error::Cancelled)),
        },
    }
}

fn outcome<'a, T>(
    env: Env<'a>,
    result: Result<T, Error>,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b>,
) -> Term<'a> {
    match result {
        Ok(value) => {
            let value = encode(env, value);
            fault::ok(env, value)
        }
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}
