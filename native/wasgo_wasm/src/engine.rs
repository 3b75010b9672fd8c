//! The engine: one wasmtime engine, its clock, its worker threads, and the thread that frees what guests leave.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Sender, TrySendError};
use wasmtime::{Config, ModuleVersionStrategy};

use crate::background::enter_background;
use crate::error::{Error, LimitKind};
use crate::executor::Executor;
use crate::ticker::Ticker;

/// Stack of a guest's fiber in bytes, of which [`WASM_STACK`] is the guest's own; the rest is for the host's functions.
const FIBER_STACK: usize = 1 << 20;

/// Stack that a guest may use in bytes: half a MiB is several thousand frames of an ordinary recursion.
pub(crate) const WASM_STACK: usize = 512 << 10;

/// How an engine is set up.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Worker threads for guests that did not end in their first slice. Default: the number of cores.
    pub workers: usize,
    /// Largest module in bytes that is compiled. Default 256 MiB: the largest pre-initialised container images have 105 MB.
    pub module_size: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let workers = thread::available_parallelism().map_or(2, usize::from);
        Self { workers, module_size: 256 << 20 }
    }
}

/// Modules that may wait to be compiled.
const MAX_COMPILES: usize = 256;

/// A module to be compiled, or told that too many wait already. Compiling has threads of its own: it takes seconds where a
/// guest's slice takes half a millisecond.
type Compile = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Something to be dropped on a thread of its own: unmapping a guest's memory takes time.
type Garbage = Box<dyn Send>;

struct Parts {
    wasmtime: wasmtime::Engine,
    executor: Executor,
    reaper: Sender<Garbage>,
    compiler: Sender<Compile>,
    options: EngineOptions,
}

/// A WebAssembly engine; clones are handles on the same one.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

impl Engine {
    /// Starts an engine and its threads.
    ///
    /// # Errors
    /// [`Error::Engine`] when the machine has no more threads or memory, or wasmtime does not know it.
    pub fn new(options: EngineOptions) -> Result<Self, Error> {
        let wasmtime = wasmtime::Engine::new(&config()?).map_err(Error::engine)?;
        let ticker = Arc::new(Ticker::start(wasmtime.clone()).map_err(Error::engine)?);
        let executor = Executor::start(options.workers, ticker).map_err(Error::engine)?;
        let (reaper, garbage) = crossbeam_channel::unbounded::<Garbage>();
        thread::Builder::new()
            .name("wasgo-reaper".into())
            .spawn(move || garbage.into_iter().for_each(drop))
            .map_err(Error::engine)?;
        let (compiler, compiles) = crossbeam_channel::bounded::<Compile>(MAX_COMPILES);
        for number in 0..2 {
            let compiles = compiles.clone();
            thread::Builder::new()
                .name(format!("wasgo-compiler-{number}"))
                .spawn(move || {
                    enter_background();
                    for compile in compiles {
                        let _ = panic::catch_unwind(AssertUnwindSafe(|| compile(Ok(()))));
                    }
                })
                .map_err(Error::engine)?;
        }
        Ok(Self(Arc::new(Parts { wasmtime, executor, reaper, compiler, options })))
    }

    /// Has `compile` run on a compiler's thread.
    pub(crate) fn compile_later(&self, compile: Compile) {
        if let Err(TrySendError::Full(compile) | TrySendError::Disconnected(compile)) =
            self.0.compiler.try_send(compile)
        {
            compile(Err(Error::Limit { kind: LimitKind::Compiles, limit: MAX_COMPILES as u64, asked: None }));
        }
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }

    /// The wasmtime engine that components are compiled by.
    pub(crate) fn for_components(&self) -> &wasmtime::Engine {
        self.wasmtime()
    }

    pub(crate) fn executor(&self) -> &Executor {
        &self.0.executor
    }

    /// How the engine was set up.
    pub fn options(&self) -> EngineOptions {
        self.0.options
    }

    /// Has `garbage` dropped on the reaper's thread.
    pub(crate) fn reap(&self, garbage: impl Send + 'static) {
        // With the engine gone there is no reaper, and dropping here is right.
        let _ = self.0.reaper.send(Box::new(garbage));
    }
}

fn config() -> Result<Config, Error> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .async_stack_size(FIBER_STACK)
        .max_wasm_stack(WASM_STACK)
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .module_version(ModuleVersionStrategy::WasmtimeVersion)
        .map_err(Error::engine)?;
    Ok(config)
}
