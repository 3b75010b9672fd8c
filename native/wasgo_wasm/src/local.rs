//! An instance for a thread that may wait: a database's, which calls the guest in the middle of a statement and needs the answer there.
//!
//! It runs on its owner's stack, not on a fiber of its own: entering a fiber costs more than most functions of a database do. What holds for
//! every guest holds here: twice a millisecond it is asked whether it is to be stopped.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use wasmtime::{UpdateDeadline, Val, ValType};

use crate::call::Values;
use crate::core::{Core, Host, instantiate_local, reap};
use crate::engine::Engine;
use crate::error::Error;
use crate::flavour::WASM_STACK;
use crate::imports::Imports;
use crate::instance::CallOptions;
use crate::limits::Limits;
use crate::module::Module;

/// Bytes of stack that a thread must have left for its [`Local`]s' calls: what a guest may use, and room for the host's functions.
pub const LOCAL_STACK: usize = WASM_STACK + (256 << 10);

/// Asked while a guest runs, twice a millisecond or so: whether it is to be stopped.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// An exported function of a [`Module`], found once.
#[derive(Debug, Clone)]
pub struct LocalFunction {
    number: u32,
    parameters: Box<[ValType]>,
    results: Box<[ValType]>,
}

impl LocalFunction {
    /// The function that `module` exports as `name`; none if there is no such.
    pub fn find(module: &Module, name: &str) -> Option<Self> {
        let export = module.function(name).ok()?;
        let (parameters, results) = (export.parameters.clone(), export.results.clone());
        Some(Self { number: export.number, parameters, results })
    }

    /// Types of its parameters.
    pub fn parameters(&self) -> &[ValType] {
        &self.parameters
    }

    /// Types of its results.
    pub fn results(&self) -> &[ValType] {
        &self.results
    }
}

/// What stops a local guest.
pub(crate) struct Brake {
    stop: Stop,
    timeout: Option<Duration>,
    /// When the call that runs was first looked at.
    since: Option<Instant>,
}

impl Brake {
    /// Why the guest is to be stopped, if it is.
    fn check(&mut self) -> Option<Error> {
        if (self.stop)() {
            return Some(Error::Cancelled);
        }
        let timeout = self.timeout?;
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        (now.duration_since(since) >= timeout).then(|| Error::timeout(timeout))
    }
}

/// What is done at an epoch's deadline.
pub(crate) fn brake(host: &mut Host) -> wasmtime::Result<UpdateDeadline> {
    match host.brake.as_mut().and_then(|brake| brake.check()) {
        None => {
            // The engine's clock stops when nobody says that a guest runs, and this would not be called again.
            host.engine.note_activity();
            Ok(UpdateDeadline::Continue(1))
        }
        Some(error) => {
            let trap = wasmtime::Error::msg(error.to_string());
            host.failure = Some(error);
            Err(trap)
        }
    }
}

/// Runs a guest on its own fiber and on this thread, slice by slice, to its end. Nobody wakes it: it yields only so that this can ask whether
/// it is to go on.
pub(crate) fn run_here<T>(
    engine: &Engine,
    future: impl Future<Output = Result<T, Error>>,
    timeout: Option<Duration>,
    stop: &Stop,
) -> Result<T, Error> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let mut brake = Brake { stop: Arc::clone(stop), timeout, since: None };
    loop {
        engine.note_activity();
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        if let Some(error) = brake.check() {
            return Err(error);
        }
    }
}

/// An instance that its owner alone calls, and waits for. Not for a thread that others wait for, such as a scheduler's, and only for one
/// with [`LOCAL_STACK`] left.
///
/// After an error it may be in the middle of something: drop it then.
pub struct Local {
    core: Option<Box<Core>>,
    engine: Engine,
    options: CallOptions,
}

impl Local {
    /// Makes an instance, running its start function and `_initialize` if it has them.
    ///
    /// # Errors
    /// As of [`Instance::start`](crate::Instance::start), and those of [`Self::call`].
    pub fn new(
        module: &Module,
        imports: Imports,
        limits: Limits,
        options: CallOptions,
        stop: Stop,
    ) -> Result<Self, Error> {
        let engine = module.engine().clone();
        engine.note_activity();
        let brake = Brake { stop, timeout: options.timeout, since: None };
        let core = instantiate_local(module, &imports, limits, &options, brake)?;
        Ok(Self { core: Some(Box::new(core)), engine, options })
    }

    /// Calls a function of the instance's module with arguments of its parameters' types.
    ///
    /// # Errors
    /// The guest's trap or the limit that it hit, [`LimitKind::Time`](crate::LimitKind::Time) past the time that calls may take among them;
    /// [`Error::Cancelled`] when it was to be stopped.
    pub fn call(&mut self, function: &LocalFunction, arguments: &[Val]) -> Result<Values, Error> {
        let core = self.core.as_deref_mut().ok_or(Error::Closed)?;
        self.engine.note_activity();
        core.begin(false, &self.options)?;
        if let Some(brake) = &mut core.store.data_mut().brake {
            brake.since = None;
        }
        let called = core.call_here(function.number, arguments);
        core.end(called.is_ok());
        called
    }

    /// From now on each call may use so much fuel, where it is counted.
    pub(crate) fn allow(&mut self, fuel: u64) {
        self.options.fuel = Some(fuel);
    }

    /// Fuel that is left of what the last call was given; 0 where none is counted.
    pub(crate) fn fuel_left(&self) -> u64 {
        self.core.as_deref().and_then(Core::fuel_left).unwrap_or(0)
    }

    /// The instance's memory, if it exports one as `memory`.
    pub fn memory(&self) -> &[u8] {
        let Some(core) = self.core.as_deref() else { return &[] };
        core.memory.map_or(&[], |memory| memory.data(&core.store))
    }

    /// The same, to be written to.
    pub fn memory_mut(&mut self) -> &mut [u8] {
        let Some(core) = self.core.as_deref_mut() else { return &mut [] };
        core.memory.map_or(&mut [], |memory| memory.data_mut(&mut core.store))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(core) = self.core.take() {
            reap(core);
        }
    }
}
