//! Functions that a guest imports and its host runs, somewhere else and in its own time.
//!
//! The guest's fiber waits. Its host gets a [`HostRequest`], runs the function and replies through the request's [`Serving`]; until then
//! it can read and change the guest's memory through it, and call the guest again. When the host replies on a thread that may
//! run a slice of the guest, the guest goes on there, so that the whole takes no other thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use smallvec::smallvec;
use wasmtime::{AsContextMut, Caller, Extern, Func, FuncType, Linker, Val, ValType};

use crate::act::{Act, Acted, act};
use crate::batch::{ConvertMany, ManyResults, call_many_within};
use crate::call::Values;
use crate::component::{TypedReply, TypedRequest};
use crate::core::Host;
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::executor::{Callback, yield_to_pool};
use crate::grants::LogLine;
use crate::imports::HostImport;
use crate::inline;

/// Guests within host functions within guests ...: each has a stack of its own.
pub(crate) const MAX_DEPTH: u32 = 32;

/// Things that wait to be done with one guest while its host function runs.
const MAX_OPERATIONS: usize = 1_024;

/// Who runs a guest's host functions, and hears what it logs.
pub trait HostHandler: Send + Sync {
    /// Has a function run. Must not block: it is asked on the thread that runs the guest.
    fn request(&self, request: HostRequest);

    /// Hears what a call logged, at its end.
    fn log(&self, lines: Vec<LogLine>);
}

/// A host function that a guest waits for.
pub struct HostRequest {
    /// Which: its place in [`Imports::functions`](crate::Imports).
    pub function: usize,
    /// Its arguments, of the types that were declared.
    pub arguments: Vec<Val>,
    /// What a component's function is asked with instead; its reply is [`Serving::reply_typed`].
    pub typed: Option<TypedRequest>,
    /// Where the reply goes. Dropped without one, the guest traps.
    pub serving: Serving,
}

/// A function of the host failed: what its guest's trap says.
type Reply = Result<Vec<Val>, String>;

pub(crate) enum Operation {
    Reply(Reply),
    ReplyTyped(TypedReply),
    Act(Act, Callback<Result<Acted, Error>>),
    Call { name: String, convert: Convert, done: Callback<Result<Values, Error>> },
    CallMany { name: String, convert: ConvertMany, done: Callback<Result<ManyResults, Error>> },
}

impl Operation {
    /// Tells whoever waits for it. A second reply, which finds its call over, is nothing that anyone waits for.
    pub(crate) fn refuse(self, error: Error) {
        match self {
            Self::Reply(_) | Self::ReplyTyped(_) => {}
            Self::Act(_, done) => done(Err(error)),
            Self::Call { done, .. } => done(Err(error)),
            Self::CallMany { done, .. } => done(Err(error)),
        }
    }
}

/// Makes arguments when their parameters' types are known.
pub type Convert = Box<dyn FnOnce(&[ValType]) -> Result<Values, Error> + Send>;

#[derive(Default)]
struct State {
    operations: VecDeque<Operation>,
    waker: Option<Waker>,
    /// Nothing more is taken: it was replied to, or its guest is gone.
    over: bool,
}

struct Shared {
    state: Mutex<State>,
    engine: Engine,
    /// Who runs the function, as the host numbers its processes; 0 for nobody yet.
    runner: AtomicU64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A host function that runs; clones are handles on the same one.
#[derive(Clone)]
pub struct Serving(Arc<Shared>);

impl Serving {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), engine: engine.clone(), runner: AtomicU64::new(0) }))
    }

    /// Says who runs the function: that one's uses of the instance go here.
    pub fn set_runner(&self, runner: u64) {
        self.0.runner.store(runner, Ordering::SeqCst);
    }

    /// Whether `runner` runs the function.
    pub(crate) fn is_run_by(&self, runner: u64) -> bool {
        runner != 0 && self.0.runner.load(Ordering::SeqCst) == runner
    }

    /// Ends the function, by its results or by why it failed. The guest goes on, here if this thread may run it.
    pub fn reply(&self, reply: Reply) {
        self.submit(Operation::Reply(reply), true);
    }

    /// As [`Self::reply`], for a component's function.
    pub fn reply_typed(&self, reply: TypedReply) {
        self.submit(Operation::ReplyTyped(reply), true);
    }

    /// As [`Self::reply`], from a thread that must not run guests.
    pub fn reply_elsewhere(&self, reply: Reply) {
        self.submit(Operation::Reply(reply), false);
    }

    /// Does something with the guest; `done` gets what came of it, perhaps before this returns.
    pub fn act(&self, act: Act, done: Callback<Result<Acted, Error>>) {
        self.submit(Operation::Act(act, done), true);
    }

    /// Calls the guest's export `name`; `done` gets what came of it, perhaps before this returns.
    pub fn call(&self, name: String, convert: Convert, done: Callback<Result<Values, Error>>) {
        self.submit(Operation::Call { name, convert, done }, true);
    }

    /// As [`Self::call`], once for each row of arguments. A trap in one row is that row's error, and the others run.
    pub fn call_many(&self, name: String, convert: ConvertMany, done: Callback<Result<ManyResults, Error>>) {
        self.submit(Operation::CallMany { name, convert, done }, true);
    }

    fn submit(&self, operation: Operation, here: bool) {
        // Without its reply the guest would wait for ever, however many things are to be done with it before.
        let ends = matches!(operation, Operation::Reply(_) | Operation::ReplyTyped(_));
        let waker = {
            let mut state = self.0.state();
            let refusal = if state.over {
                Some(Error::Closed)
            } else if !ends && state.operations.len() >= MAX_OPERATIONS {
                Some(Error::Busy)
            } else {
                None
            };
            if let Some(error) = refusal {
                drop(state);
                return operation.refuse(error);
            }
            state.over = ends;
            state.operations.push_back(operation);
            state.waker.take()
        };
        match waker {
            Some(waker) if here => self.0.engine.executor().resume_here(|| waker.wake()),
            Some(waker) => waker.wake(),
            None => {}
        }
    }

    async fn next(&self) -> Operation {
        std::future::poll_fn(|context| {
            let mut state = self.0.state();
            match state.operations.pop_front() {
                Some(operation) => Poll::Ready(operation),
                None => {
                    state.waker = Some(context.waker().clone());
                    inline::note_waits_for_host();
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// The guest's end of a serving: when it goes, those who still wait are told.
pub(crate) struct Served(Serving);

impl Served {
    pub(crate) fn new(serving: Serving) -> Self {
        Self(serving)
    }

    pub(crate) async fn next(&self) -> Operation {
        self.0.next().await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let left = {
            let mut state = self.0.0.state();
            state.over = true;
            std::mem::take(&mut state.operations)
        };
        left.into_iter().for_each(|operation| operation.refuse(Error::Closed));
    }
}

/// Defines `function` as one that the host runs.
pub(crate) fn link(
    linker: &mut Linker<Host>,
    number: usize,
    function: &HostImport,
    ty: FuncType,
) -> wasmtime::Result<()> {
    let name: Arc<str> = format!("{}.{}", function.module, function.name).into();
    linker.func_new_async(&function.module, &function.name, ty, move |caller, arguments, results| {
        let name = Arc::clone(&name);
        Box::new(async move { run(caller, number, &name, arguments, results).await })
    })?;
    Ok(())
}

async fn run(
    mut caller: Caller<'_, Host>,
    number: usize,
    name: &str,
    arguments: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let host = caller.data();
    let Some(handler) = host.handler.clone() else {
        return Err(fail(&mut caller, Error::import(name, "nobody is there to run it")));
    };
    let serving = Serving::new(&host.engine);
    let served = Served(serving.clone());
    let entered = host.inside.as_ref().map(|inside| inside.enter(serving.clone()));
    handler.request(HostRequest { function: number, arguments: arguments.to_vec(), typed: None, serving });
    let reply = loop {
        match served.0.next().await {
            Operation::Reply(reply) => break reply,
            Operation::ReplyTyped(reply) => break reply.and(Err("it returned a typed value".into())),
            Operation::Act(what, done) => {
                caller.data_mut().limiter.inline = inline::active();
                done(act(&mut caller, what).await);
            }
            Operation::Call { name, convert, done } => {
                resume(&mut caller).await;
                done(call(&mut caller, &name, convert).await);
            }
            Operation::CallMany { name, convert, done } => {
                resume(&mut caller).await;
                done(call_many(&mut caller, &name, convert).await);
            }
        }
    };
    drop((entered, served));
    resume(&mut caller).await;
    let values = match reply {
        Ok(values) => values,
        Err(message) => return Err(fail(&mut caller, Error::import(name, message))),
    };
    if values.len() != results.len() {
        let message = format!("it returned {} values, and {} are declared", values.len(), results.len());
        return Err(fail(&mut caller, Error::import(name, message)));
    }
    results.clone_from_slice(&values);
    Ok(())
}

/// To be awaited before a guest that waited runs again: on which thread it does is only known now.
async fn resume(caller: &mut Caller<'_, Host>) {
    let mut store = caller.as_context_mut();
    store.set_epoch_deadline(1);
    let limiter = &mut store.data_mut().limiter;
    limiter.inline = inline::active();
    if limiter.inline && limiter.memory > limiter.inline_memory {
        limiter.inline = false;
        yield_to_pool().await;
    }
}

/// Calls an export of the guest that called the host.
async fn call(caller: &mut Caller<'_, Host>, name: &str, convert: Convert) -> Result<Values, Error> {
    let function = callable(caller, name)?;
    let ty = function.ty(&*caller);
    let parameters: Vec<ValType> = ty.params().collect();
    let arguments = convert(&parameters)?;
    let mut results: Values = smallvec![Val::I32(0); ty.results().len()];
    caller.data_mut().depth += 1;
    let called = function.call_async(&mut *caller, &arguments, &mut results).await;
    caller.data_mut().depth -= 1;
    called.map_err(|error| caller.data_mut().guest_error(error))?;
    Ok(results)
}

/// As [`call`], once for each row of arguments.
async fn call_many(caller: &mut Caller<'_, Host>, name: &str, convert: ConvertMany) -> Result<ManyResults, Error> {
    let function = callable(caller, name)?;
    caller.data_mut().depth += 1;
    let many = call_many_within(caller, name, function, convert).await;
    caller.data_mut().depth -= 1;
    many
}

/// An export of the guest that called the host, if it is not in too deep.
fn callable(caller: &mut Caller<'_, Host>, name: &str) -> Result<Func, Error> {
    let Some(Extern::Func(function)) = caller.get_export(name) else {
        return Err(Error::MissingExport { kind: "function", name: name.into() });
    };
    if caller.data().depth >= MAX_DEPTH {
        return Err(Error::Limit { kind: LimitKind::Depth, limit: MAX_DEPTH.into(), asked: None });
    }
    Ok(function)
}

/// Remembers why the guest traps.
pub(crate) fn fail(caller: &mut Caller<'_, Host>, error: Error) -> wasmtime::Error {
    let trap = wasmtime::Error::msg(error.to_string());
    caller.data_mut().failure = Some(error);
    trap
}
