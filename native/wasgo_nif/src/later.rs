//! Results that come now or as a message.
//!
//! A NIF that starts something answers `{:ok, value}` or `{:error, fault}` when it ended at once, or `{:pending, reference}`; the
//! process then gets `{reference, {:ok, value} | {:error, fault}}`. When the process dies first, what it waited for is
//! cancelled.
//!
//! A guest's slice on a scheduler's thread may also ask for a function of the host ([`crate::wasm::host`]): the NIF then answers
//! `{:import, reference, request}`. And one that logged answers `{:logged, lines, answer}`.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustler::{Encoder, Env, LocalPid, Monitor, OwnedEnv, Reference, Resource, ResourceArc, Term};
use wasgo_wasm::{Callback, Canceller, Error, LogLine, Started};

use crate::wasm::host::{self, Request};
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
        (Self::with(env, reference), reference)
    }

    /// The calling process, with a reference that it knows.
    pub fn with<'a>(env: Env<'a>, reference: Reference<'a>) -> Self {
        let owned = OwnedEnv::new();
        let saved = owned.save(reference);
        Self { env: owned, pid: env.pid(), reference: saved }
    }

    /// Sends `{reference, result}` from a thread that is none of the BEAM's.
    pub fn answer_here(self, result: impl for<'b> FnOnce(Env<'b>) -> Term<'b>) {
        let Self { env: owned, pid, reference } = self;
        // It fails when the process is gone, and then nobody waits.
        let _ = OwnedEnv::new().send_and_clear(&pid, |env| {
            let reference = owned.run(|owned| reference.load(owned).in_env(env));
            (reference, result(env)).encode(env)
        });
    }

    /// Sends `{reference, result}`.
    pub fn answer(self, result: impl for<'b> FnOnce(Env<'b>) -> Term<'b> + Send + 'static) {
        let Self { env: owned, pid, reference } = self;
        post(pid, move |env| {
            let reference = owned.run(|owned| reference.load(owned).in_env(env));
            (reference, result(env)).encode(env)
        });
    }
}

/// A message to be made where it can be sent.
type Message = Box<dyn for<'b> FnOnce(Env<'b>) -> Term<'b> + Send>;

/// What a guest's slice on a scheduler's thread left to be done by the NIF that runs it.
struct Scope {
    pid: LocalPid,
    messages: Vec<(LocalPid, Message)>,
    request: Option<Request>,
    lines: Vec<LogLine>,
}

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// Does something with the scope of the NIF that runs on this thread, if one does.
fn in_scope<T>(act: impl FnOnce(&mut Scope) -> T) -> Option<T> {
    SCOPE.with(|scope| scope.try_borrow_mut().ok()?.as_mut().map(act))
}

/// Sends a message: from within a NIF through its own environment, since a thread of the BEAM can send in no other way.
fn post(pid: LocalPid, message: impl for<'b> FnOnce(Env<'b>) -> Term<'b> + Send + 'static) {
    let mut message: Option<Message> = Some(Box::new(message));
    in_scope(|scope| scope.messages.extend(message.take().map(|message| (pid, message))));
    let Some(message) = message else { return };
    let send = move || {
        // It fails when the process is gone, and then nobody waits.
        let _ = OwnedEnv::new().send_and_clear(&pid, message);
    };
    if rustler::thread::is_scheduler_thread() {
        std::thread::spawn(send);
    } else {
        send();
    }
}

/// Has the NIF that runs on this thread hand a request to its process; gives it back where none runs.
pub fn offer_request(request: Request) -> Option<Request> {
    let mut request = Some(request);
    in_scope(|scope| scope.request = request.take());
    request
}

/// Sends a message to a process, as an answer is sent.
pub fn tell(pid: LocalPid, message: impl for<'b> FnOnce(Env<'b>) -> Term<'b> + Send + 'static) {
    post(pid, message);
}

/// Has the NIF that runs on this thread hand lines of a log to its process, if that is the one; else gives them back.
pub fn offer_lines(pid: LocalPid, lines: Vec<LogLine>) -> Option<Vec<LogLine>> {
    let mut lines = Some(lines);
    in_scope(|scope| {
        if scope.pid == pid {
            scope.lines.extend(lines.take().unwrap_or_default());
        }
    });
    lines
}

/// Runs what may run a guest's slice on this thread, sends what it left to be sent, and answers what came of it: a request of the guest
/// goes before `answer`, which then comes as a message.
pub fn scoped<'a>(env: Env<'a>, run: impl FnOnce() -> Term<'a>) -> Term<'a> {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            SCOPE.with(|scope| scope.replace(None));
            host::forget_starting();
        }
    }
    let scope = Scope { pid: env.pid(), messages: Vec::new(), request: None, lines: Vec::new() };
    SCOPE.with(|place| place.replace(Some(scope)));
    let reset = Reset;
    let answer = run();
    let scope = SCOPE.with(RefCell::take);
    drop(reset);
    let Some(scope) = scope else { return answer };
    for (pid, message) in scope.messages {
        let message = message(env);
        let _ = env.send(&pid, message);
    }
    let answer = match scope.request {
        Some(request) => host::request_term(env, request, answer),
        None => answer,
    };
    if scope.lines.is_empty() {
        answer
    } else {
        (atoms::logged(), host::lines_term(env, scope.lines), answer).encode(env)
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
    start_with(env, encode, begin, move |env, result| light_outcome(env, weight, result, encode))
}

fn light_outcome<'a, T: Send + 'static>(
    env: Env<'a>,
    weight: fn(&T) -> usize,
    result: Result<T, Error>,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Copy + Send + 'static,
) -> Term<'a> {
    match result {
        Ok(value) if weight(&value) > LIGHT => {
            jobs::start(env, move || value, move |env, value| outcome(env, Ok(value), encode))
        }
        light => outcome(env, light, encode),
    }
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
        let (process, reference) = match host::reference(env) {
            Some(reference) => (Waiting::with(env, reference), reference),
            None => Waiting::new(env),
        };
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

/// Hands something to a guest that waits for its host, and answers by the result, which may have come before `submit` returned, or by a
/// reference.
pub fn through<'a, T: Send + 'static>(
    env: Env<'a>,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Copy + Send + 'static,
    submit: impl FnOnce(Callback<Result<T, Error>>),
) -> Term<'a> {
    through_with(env, encode, submit, |env, result| outcome(env, result, encode))
}

/// As [`through`], for results that may be many terms: a heavy one is made into terms on another thread.
pub fn through_heavy<'a, T: Send + 'static>(
    env: Env<'a>,
    weight: fn(&T) -> usize,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Copy + Send + 'static,
    submit: impl FnOnce(Callback<Result<T, Error>>),
) -> Term<'a> {
    through_with(env, encode, submit, |env, result| light_outcome(env, weight, result, encode))
}

fn through_with<'a, T: Send + 'static>(
    env: Env<'a>,
    encode: impl for<'b> FnOnce(Env<'b>, T) -> Term<'b> + Copy + Send + 'static,
    submit: impl FnOnce(Callback<Result<T, Error>>),
    done: impl FnOnce(Env<'a>, Result<T, Error>) -> Term<'a>,
) -> Term<'a> {
    enum Place<T> {
        Nothing,
        Result(T),
        Process(Waiting),
    }
    fn swap<T>(place: &Mutex<Place<T>>, new: Place<T>) -> Place<T> {
        std::mem::replace(&mut *place.lock().unwrap_or_else(PoisonError::into_inner), new)
    }
    let place = Arc::new(Mutex::new(Place::Nothing));
    let theirs = Arc::clone(&place);
    submit(Box::new(move |result| {
        let mut place = theirs.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *place, Place::Nothing) {
            Place::Process(process) => {
                drop(place);
                process.answer(move |env| outcome(env, result, encode));
            }
            _ => *place = Place::Result(result),
        }
    }));
    match swap(&place, Place::Nothing) {
        Place::Result(result) => done(env, result),
        _ => {
            let (process, reference) = Waiting::new(env);
            // The result may have come between the two looks.
            match swap(&place, Place::Process(process)) {
                Place::Result(result) => done(env, result),
                _ => (atoms::pending(), reference).encode(env),
            }
        }
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
