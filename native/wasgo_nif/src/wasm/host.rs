//! Functions that guests import and Elixir runs.
//!
//! The guest's call answers `{:import, reference, request}`, or sends `{reference, {:import, request}}`, where the request is `{function,
//! arguments, serving}`. A process runs the function and replies; on its scheduler the guest's next slice runs, so that the next request or
//! the end of the call mostly comes at once. `Wasgo.Wasm.Imports.Runner` is the Elixir side.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustler::env::SavedTerm;
use rustler::{Atom, Binary, Encoder, Env, LocalPid, OwnedEnv, Reference, Resource, ResourceArc, Term};
use wasgo_wasm::component::TypedRequest;
use wasgo_wasm::{
    CallOptions, ConvertMany, HostHandler, HostImport, HostRequest, Imports, LogLevel, LogLine, Serving, Val, ValType,
    Values,
};

use super::values;
use super::{act, component, instance};
use crate::slice::Slice;
use crate::{atoms, fault, later};

/// Bytes of lines that are passed on for one call, however many rows and instances it has: they wait in its caller's mailbox. A line counts for
/// [`LINE_BYTES`] more than it has.
const MAX_LOG_BYTES: usize = 4 << 20;

/// What a line takes beside its text.
const LINE_BYTES: usize = 64;

/// A request that waits for a process to take it.
pub struct Request {
    inner: HostRequest,
    driver: Arc<Driver>,
}

/// What runs the functions of one call's guest.
struct Driver {
    functions: Arc<Vec<HostImport>>,
    state: Mutex<DriverState>,
    /// Bytes of lines that were passed on.
    logged: AtomicUsize,
}

struct DriverState {
    /// Who is told of requests: the caller, until another takes over.
    runner: LocalPid,
    caller: LocalPid,
    env: OwnedEnv,
    reference: SavedTerm,
}

impl Driver {
    fn state(&self) -> MutexGuard<'_, DriverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As many of `lines` as may still be passed on; the first time that some are not, a last line says so.
    fn within_budget(&self, mut lines: Vec<LogLine>) -> Vec<LogLine> {
        let size = lines.iter().map(|line| line.text.len() + LINE_BYTES).sum();
        let before = self.logged.fetch_add(size, Ordering::Relaxed);
        if before > MAX_LOG_BYTES {
            // So that it never wraps.
            self.logged.fetch_sub(size, Ordering::Relaxed);
            lines.clear();
        } else if before + size > MAX_LOG_BYTES {
            let text = "this call has logged too much: nothing more of it is passed on".into();
            lines.push(LogLine { level: LogLevel::Warning, text });
        }
        lines
    }

    /// Sends `{reference, term}` to a process.
    fn tell(self: &Arc<Self>, pid: LocalPid, term: impl for<'b> FnOnce(Env<'b>) -> Term<'b> + Send + 'static) {
        let driver = Arc::clone(self);
        later::tell(pid, move |env| {
            let reference = driver.reference(env);
            (reference, term(env)).encode(env)
        });
    }

    fn reference<'a>(&self, env: Env<'a>) -> Term<'a> {
        let state = self.state();
        state.env.run(|owned| state.reference.load(owned).in_env(env))
    }
}

/// The handler of one call.
struct Handler(Arc<Driver>);

impl HostHandler for Handler {
    fn request(&self, request: HostRequest) {
        let request = Request { inner: request, driver: Arc::clone(&self.0) };
        let Some(request) = later::offer_request(request) else { return };
        let runner = self.0.state().runner;
        self.0.tell(runner, move |env| (atoms::import(), parts(env, request)).encode(env));
    }

    fn log(&self, lines: Vec<LogLine>) {
        let lines = self.0.within_budget(lines);
        if lines.is_empty() {
            return;
        }
        let caller = self.0.state().caller;
        let Some(lines) = later::offer_lines(caller, lines) else { return };
        self.0.tell(caller, move |env| (atoms::logged(), lines_term(env, lines)).encode(env));
    }
}

thread_local! {
    /// The driver of the call that is being started on this thread.
    static STARTING: RefCell<Option<Arc<Driver>>> = const { RefCell::new(None) };
}

/// Runs a call with a handler, where what its guest was given needs one.
pub fn with_handler<'a>(
    env: Env<'a>,
    imports: &Imports,
    options: CallOptions,
    run: impl FnOnce(CallOptions) -> Term<'a>,
) -> Term<'a> {
    with_handler_if(env, imports.want_handler(), &imports.functions, options, run)
}

/// Runs a component's call with a handler, where it is wanted.
pub fn with_component_handler<'a>(
    env: Env<'a>,
    wanted: bool,
    options: CallOptions,
    run: impl FnOnce(CallOptions) -> Term<'a>,
) -> Term<'a> {
    with_handler_if(env, wanted, &Arc::default(), options, run)
}

/// Runs a call with a handler, where it is wanted. `functions` are those that a module was given.
pub fn with_handler_if<'a>(
    env: Env<'a>,
    wanted: bool,
    functions: &Arc<Vec<HostImport>>,
    options: CallOptions,
    run: impl FnOnce(CallOptions) -> Term<'a>,
) -> Term<'a> {
    if !wanted {
        return run(options);
    }
    later::scoped(env, || run(CallOptions { handler: Some(handler(env, functions)), ..options }))
}

/// A handler for a call that the current process starts now.
fn handler(env: Env<'_>, functions: &Arc<Vec<HostImport>>) -> Arc<dyn HostHandler> {
    let owned = OwnedEnv::new();
    let reference = owned.save(env.make_ref());
    let state = DriverState { runner: env.pid(), caller: env.pid(), env: owned, reference };
    let driver =
        Arc::new(Driver { functions: Arc::clone(functions), state: Mutex::new(state), logged: AtomicUsize::new(0) });
    STARTING.with(|starting| starting.replace(Some(Arc::clone(&driver))));
    Arc::new(Handler(driver))
}

/// The reference that the call which is being started on this thread answers with, if its handler knows one.
pub fn reference(env: Env<'_>) -> Option<Reference<'_>> {
    let driver = STARTING.with(RefCell::take)?;
    driver.reference(env).decode().ok()
}

/// No call is being started on this thread any more.
pub fn forget_starting() {
    STARTING.with(RefCell::take);
}

/// A function that runs. Dropped without a reply, its guest is told that its runner is gone.
pub struct ServingResource {
    serving: Serving,
    driver: Arc<Driver>,
    function: usize,
    /// For a component's function: what it must return.
    typed: Option<TypedRequest>,
}

#[rustler::resource_impl]
impl Resource for ServingResource {}

impl Drop for ServingResource {
    fn drop(&mut self) {
        self.serving.reply_elsewhere(Err("the process that ran it has ended".into()));
    }
}

/// `{function, arguments, serving}`.
fn parts(env: Env<'_>, request: Request) -> Term<'_> {
    let HostRequest { function, arguments, mut typed, serving } = request.inner;
    let arguments = match &mut typed {
        Some(typed) => component::encode::host_arguments(env, std::mem::take(&mut typed.arguments)),
        None => values::results(env, arguments),
    };
    let serving = ServingResource { serving, driver: request.driver, function, typed };
    (function, arguments, ResourceArc::new(serving)).encode(env)
}

/// `{:import, reference, request}`: `answer`, which the guest's call would have given, is a message to come.
pub fn request_term<'a>(env: Env<'a>, request: Request, answer: Term<'a>) -> Term<'a> {
    let reference = match answer.decode::<(Atom, Term<'a>)>() {
        Ok((kind, reference)) if kind == atoms::pending() => reference,
        _ => answer,
    };
    (atoms::import(), reference, parts(env, request)).encode(env)
}

/// Lines as `{level, text}`.
pub fn lines_term(env: Env<'_>, lines: Vec<LogLine>) -> Term<'_> {
    let level = |level| match level {
        LogLevel::Debug => atoms::debug(),
        LogLevel::Info => atoms::info(),
        LogLevel::Warning => atoms::warning(),
        LogLevel::Error => atoms::error(),
    };
    lines.into_iter().map(|line| (level(line.level), line.text)).collect::<Vec<_>>().encode(env)
}

/// The process as wasgo_wasm knows it.
pub fn runner(env: Env<'_>) -> u64 {
    // A local process's identity is one word, which rustler only shows as text.
    env.pid().encode(env).as_c_arg().to_string().parse().unwrap_or(0)
}

/// The calling process runs the function from now on, and the others of the same call.
#[rustler::nif]
fn wasm_serve(env: Env<'_>, serving: ResourceArc<ServingResource>) -> Atom {
    serving.serving.set_runner(runner(env));
    serving.driver.state().runner = env.pid();
    atoms::ok()
}

/// Replies `{:ok, results}` or `{:error, message}`; the guest's next slice runs here. Answers `:ok`, or `{:import, _, request}`.
#[rustler::nif]
fn wasm_reply<'a>(env: Env<'a>, serving: ResourceArc<ServingResource>, reply: Term<'a>) -> Term<'a> {
    let _slice = Slice::begin(env);
    replied(env, &serving, reply)
}

/// As [`wasm_reply`], for a component's function whose result is heavy.
#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_reply_dirty<'a>(env: Env<'a>, serving: ResourceArc<ServingResource>, reply: Term<'a>) -> Term<'a> {
    replied(env, &serving, reply)
}

fn replied<'a>(env: Env<'a>, serving: &ServingResource, reply: Term<'a>) -> Term<'a> {
    if let Some(typed) = &serving.typed {
        let reply = match reply.decode::<(Atom, Term<'a>)>() {
            Ok((kind, term)) if kind == atoms::ok() => component::decode::host_result(env, typed, term),
            Ok((_, message)) => Err(message.decode().unwrap_or_else(|_| "it failed".into())),
            Err(_) => Err("it failed".into()),
        };
        return later::scoped(env, || {
            serving.serving.reply_typed(reply);
            atoms::ok().to_term(env)
        });
    }
    let reply = match reply.decode::<(Atom, Term<'a>)>() {
        Ok((kind, term)) if kind == atoms::ok() => results(serving, term),
        Ok((_, message)) => Err(message.decode().unwrap_or_else(|_| "it failed".into())),
        Err(_) => Err("it failed".into()),
    };
    later::scoped(env, || {
        serving.serving.reply(reply);
        atoms::ok().to_term(env)
    })
}

/// Results by their declared types: a list, or one value alone.
fn results(serving: &ServingResource, term: Term<'_>) -> Result<Vec<Val>, String> {
    let Some(function) = serving.driver.functions.get(serving.function) else { return Err("it is unknown".into()) };
    let types = &function.results;
    let terms = match (term.decode::<Vec<Term<'_>>>(), types.len()) {
        (Ok(list), _) => list,
        (Err(_), 1) => vec![term],
        // What a function without results returns is nobody's business.
        (Err(_), 0) => Vec::new(),
        (Err(_), count) => return Err(format!("it must return a list of {count} values, and returned {term:?}")),
    };
    let terms = if types.is_empty() { Vec::new() } else { terms };
    if terms.len() != types.len() {
        return Err(format!("it must return {} values, and returned {}", types.len(), terms.len()));
    }
    let each = types.iter().zip(terms).enumerate();
    each.map(|(index, (ty, term))| {
        values::value(ty, term)
            .ok_or_else(|| format!("result {} must be {}, and is {term:?}", index + 1, values::wanted(ty)))
    })
    .collect()
}

/// Calls an export of the guest that waits.
#[rustler::nif]
fn wasm_serving_call<'a>(
    env: Env<'a>,
    serving: ResourceArc<ServingResource>,
    name: &'a str,
    arguments: Vec<Term<'a>>,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    call_through(env, &serving.serving, name, &arguments)
}

/// The terms are only readable here, and the parameters' types only known there: so all is decoded twice at most.
pub fn call_through<'a>(env: Env<'a>, serving: &Serving, name: &str, arguments: &[Term<'a>]) -> Term<'a> {
    let numbers: Vec<_> = arguments.iter().map(|term| values::Argument::of(*term)).collect();
    let function = name.to_owned();
    let convert = Box::new(move |types: &[ValType]| values::of_types(&function, types, &numbers));
    later::scoped(env, || {
        later::through(env, values::results::<Values>, |done| serving.call(name.to_owned(), convert, done))
    })
}

/// As [`wasm_serving_call`], once for each list of arguments. For few rows; the caller picks the twin for many.
#[rustler::nif]
fn wasm_serving_call_many<'a>(
    env: Env<'a>,
    serving: ResourceArc<ServingResource>,
    name: &'a str,
    rows: Vec<Vec<Term<'a>>>,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    call_many_through(env, &serving.serving, name, &rows)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_serving_call_many_dirty<'a>(
    env: Env<'a>,
    serving: ResourceArc<ServingResource>,
    name: &'a str,
    rows: Vec<Vec<Term<'a>>>,
) -> Term<'a> {
    call_many_through(env, &serving.serving, name, &rows)
}

/// As [`wasm_serving_call_many`], with the rows packed in one binary. For up to 256 KiB; the caller picks the twin for more.
#[rustler::nif]
fn wasm_serving_call_packed<'a>(
    env: Env<'a>,
    serving: ResourceArc<ServingResource>,
    name: &'a str,
    rows: Binary<'a>,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    call_packed_through(env, &serving.serving, name, &rows)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_serving_call_packed_dirty<'a>(
    env: Env<'a>,
    serving: ResourceArc<ServingResource>,
    name: &'a str,
    rows: Binary<'a>,
) -> Term<'a> {
    call_packed_through(env, &serving.serving, name, &rows)
}

/// As [`call_through`], once for each list of arguments.
pub fn call_many_through<'a>(env: Env<'a>, serving: &Serving, name: &str, rows: &[Vec<Term<'a>>]) -> Term<'a> {
    let numbers: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().map(|term| values::Argument::of(*term)).collect()).collect();
    let function = name.to_owned();
    let convert: ConvertMany =
        Box::new(move |types| instance::pack_rows(types, &numbers, |row| values::of_types(&function, types, row)));
    let submit = |done| serving.call_many(name.to_owned(), convert, done);
    later::scoped(env, || later::through_heavy(env, instance::weight, instance::many_results, submit))
}

/// As [`call_many_through`], with the rows packed.
pub fn call_packed_through<'a>(env: Env<'a>, serving: &Serving, name: &str, rows: &[u8]) -> Term<'a> {
    let (function, rows) = (name.to_owned(), rows.to_vec());
    let convert: ConvertMany = Box::new(move |types| {
        let count = instance::packed_rows(&function, types, &rows)?;
        Ok((rows, count))
    });
    let submit = |done| serving.call_many(name.to_owned(), convert, done);
    later::scoped(env, || later::through(env, instance::packed_results, submit))
}

/// As `wasm_act`, with the guest that waits.
#[rustler::nif]
fn wasm_serving_act<'a>(env: Env<'a>, serving: ResourceArc<ServingResource>, what: Term<'a>) -> Term<'a> {
    let _slice = Slice::begin(env);
    match act::decode(what) {
        Ok(what) => act_through(env, &serving.serving, what),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

/// As [`wasm_serving_act`], for what is much to copy.
#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_serving_act_dirty<'a>(env: Env<'a>, serving: ResourceArc<ServingResource>, what: Term<'a>) -> Term<'a> {
    match act::decode(what) {
        Ok(what) => act_through(env, &serving.serving, what),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

pub fn act_through<'a>(env: Env<'a>, serving: &Serving, what: wasgo_wasm::Act) -> Term<'a> {
    later::scoped(env, || later::through(env, act::encode, |done| serving.act(what, done)))
}
