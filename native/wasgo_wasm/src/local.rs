//! An instance for a thread that may wait: a database's, which calls the guest in the middle of a statement and needs the answer there.
//!
//! What holds for every guest holds here: it runs in slices, and between them is asked whether it should stop.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use wasmtime::{Val, ValType};

use crate::call::Values;
use crate::core::{Core, instantiate, reap};
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::imports::Imports;
use crate::instance::CallOptions;
use crate::limits::Limits;
use crate::module::Module;

/// Asked between a guest's slices, twice a millisecond or so: whether it is to be stopped.
pub type Stop<'a> = &'a mut dyn FnMut() -> bool;

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

/// An instance that its owner alone calls, and waits for. Not for a thread that others wait for, such as a scheduler's.
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
        stop: Stop<'_>,
    ) -> Result<Self, Error> {
        let make = instantiate(module.clone(), imports, limits, &options, false);
        let core = run(module.engine(), make, &options, stop)?;
        Ok(Self { core: Some(Box::new(core)), engine: module.engine().clone(), options })
    }

    /// Calls a function of the instance's module with arguments of its parameters' types.
    ///
    /// # Errors
    /// The guest's trap or the limit that it hit; [`LimitKind::Time`] past the time that calls may take; [`Error::Cancelled`] when `stop` said
    /// so.
    pub fn call(&mut self, function: &LocalFunction, arguments: &[Val], stop: Stop<'_>) -> Result<Values, Error> {
        let core = self.core.as_deref_mut().ok_or(Error::Closed)?;
        core.begin(false, &self.options)?;
        let called = run(&self.engine, core.call(function.number, arguments), &self.options, stop);
        core.end(called.is_ok());
        called
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

/// Runs a guest on this thread to its end, slice by slice. Nobody wakes it: it yields only to be asked whether it should go on.
fn run<T>(
    engine: &Engine,
    future: impl Future<Output = Result<T, Error>>,
    options: &CallOptions,
    stop: Stop<'_>,
) -> Result<T, Error> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    engine.note_activity();
    if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
        return result;
    }
    let deadline = options.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        if stop() {
            return Err(Error::Cancelled);
        }
        if let (Some(deadline), Some(timeout)) = (deadline, options.timeout)
            && Instant::now() >= deadline
        {
            let limit = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            return Err(Error::Limit { kind: LimitKind::Time, limit, asked: None });
        }
        // The engine's clock stops when nobody says that a guest runs, and the guest would not yield again.
        engine.note_activity();
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}
