//! The engine: its clock, its worker threads, and the thread that frees what guests leave.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread;
use std::time::Instant;

use crate::alarm::{Alarm, Alarms};
use crate::background::enter_background;
use crate::batch::Kept as Drivers;
use crate::cache::Cache;
use crate::error::{Error, LimitKind};
use crate::executor::Executor;
use crate::flavour::{self, Flavour};
use crate::mappings::Mappings;
use crate::meter::Load;
use crate::shape::ModuleLimits;
use crate::ticker::Ticker;
use crossbeam_channel::{Receiver, Sender, TrySendError};

/// How an engine is set up.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Worker threads for guests that did not end in their first slice. Default: the number of cores.
    pub workers: usize,
    /// Largest module in bytes that is compiled. Default 256 MiB: the largest pre-initialised container images have 105 MB.
    pub module_size: u64,
    /// Instances at once, those included that still wait to be freed. Default 20,000. Where the system gives a process fewer mappings of
    /// memory than so many need, the engine takes fewer: on Linux, with its 65,530, the 10,000 of the pool and some 2,800 others.
    pub instances: u64,
    /// What a module may consist of.
    pub module_limits: ModuleLimits,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let workers = thread::available_parallelism().map_or(2, usize::from);
        Self { workers, module_size: 256 << 20, instances: 20_000, module_limits: ModuleLimits::default() }
    }
}

/// Cores that may wait to be freed before those who make new ones have to help.
const BEHIND: usize = 64;

/// Modules that may wait to be compiled.
const MAX_COMPILES: usize = 256;

/// A module to be compiled, or told that too many wait already. Compiling has threads of its own: it takes seconds where a
/// guest's slice takes half a millisecond.
type Compile = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Something to be dropped on a thread of its own: unmapping a guest's memory takes time.
type Garbage = Box<dyn Send>;

struct Parts {
    pooled: Option<wasmtime::Engine>,
    /// Instances that the pool holds.
    pool: u32,
    unpooled: wasmtime::Engine,
    roomy: wasmtime::Engine,
    components: wasmtime::Engine,
    images: OnceLock<wasmtime::Engine>,
    deterministic: OnceLock<wasmtime::Engine>,
    ticker: Arc<Ticker>,
    alarms: Alarms,
    instances: AtomicU64,
    mappings: Mappings,
    drivers: Drivers,
    executor: Executor,
    reaper: Sender<Garbage>,
    /// What waits for the reaper.
    garbage: Receiver<Garbage>,
    compiler: Sender<Compile>,
    cache: Cache,
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
        let ticker = Arc::new(Ticker::start().map_err(Error::engine)?);
        let unpooled = flavour::on_demand(Flavour::Unpooled)?;
        ticker.add(unpooled.clone());
        let roomy = flavour::on_demand(Flavour::Roomy)?;
        ticker.add(roomy.clone());
        let components = flavour::on_demand(Flavour::Component)?;
        ticker.add(components.clone());
        let (pooled, pool) = flavour::pooled().unzip();
        pooled.iter().for_each(|engine| ticker.add(engine.clone()));
        let executor = Executor::start(options.workers, Arc::clone(&ticker)).map_err(Error::engine)?;
        let (reaper, garbage) = crossbeam_channel::unbounded::<Garbage>();
        thread::Builder::new()
            .name("wasgo-reaper".into())
            .spawn({
                let garbage = garbage.clone();
                move || garbage.into_iter().for_each(drop)
            })
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
        let pool = pool.unwrap_or(0);
        let deterministic = OnceLock::new();
        Ok(Self(Arc::new(Parts {
            pooled,
            pool,
            unpooled,
            roomy,
            components,
            images: OnceLock::new(),
            deterministic,
            ticker,
            alarms: Alarms::start().map_err(Error::engine)?,
            instances: AtomicU64::new(0),
            mappings: Mappings::of_the_system(pool),
            drivers: Drivers::default(),
            executor,
            reaper,
            garbage,
            compiler,
            cache: Cache::new(),
            options,
        })))
    }

    /// Has `compile` run on a compiler's thread.
    pub(crate) fn compile_later(&self, compile: Compile) {
        if let Err(TrySendError::Full(compile) | TrySendError::Disconnected(compile)) =
            self.0.compiler.try_send(compile)
        {
            compile(Err(Error::Limit { kind: LimitKind::Compiles, limit: MAX_COMPILES as u64, asked: None }));
        }
    }

    /// The wasmtime engine of a flavour; without a pool, what was meant for it is [`Flavour::Unpooled`].
    ///
    /// # Errors
    /// [`Error::Engine`] when one that was not used before can't be made.
    pub(crate) fn wasmtime(&self, flavour: Flavour) -> Result<&wasmtime::Engine, Error> {
        match flavour {
            Flavour::Pooled => Ok(self.0.pooled.as_ref().unwrap_or(&self.0.unpooled)),
            Flavour::Unpooled => Ok(&self.0.unpooled),
            Flavour::Roomy => Ok(&self.0.roomy),
            Flavour::Component => Ok(&self.0.components),
            Flavour::Image => self.when_used(&self.0.images, flavour),
            Flavour::Deterministic => self.when_used(&self.0.deterministic, flavour),
        }
    }

    fn when_used<'a>(
        &self,
        place: &'a OnceLock<wasmtime::Engine>,
        flavour: Flavour,
    ) -> Result<&'a wasmtime::Engine, Error> {
        match place.get() {
            Some(engine) => Ok(engine),
            None => {
                let made = flavour::on_demand(flavour)?;
                // Of two made at once one is kept, and only that one gets a clock.
                Ok(place.get_or_init(|| {
                    self.0.ticker.add(made.clone());
                    made
                }))
            }
        }
    }

    /// The wasmtime engine of most instances, for benchmarks that compare with wasmtime alone.
    #[doc(hidden)]
    pub fn alone(&self) -> &wasmtime::Engine {
        self.0.pooled.as_ref().unwrap_or(&self.0.unpooled)
    }

    /// The wasmtime engine of components.
    pub(crate) fn for_components(&self) -> &wasmtime::Engine {
        &self.0.components
    }

    /// Which flavour's a wasmtime engine is.
    pub(crate) fn flavour_of(&self, engine: &wasmtime::Engine) -> Flavour {
        let is = |other: Option<&wasmtime::Engine>| other.is_some_and(|other| wasmtime::Engine::same(engine, other));
        if is(self.0.pooled.as_ref()) {
            Flavour::Pooled
        } else if is(Some(&self.0.unpooled)) {
            Flavour::Unpooled
        } else if is(self.0.images.get()) {
            Flavour::Image
        } else if is(self.0.deterministic.get()) {
            Flavour::Deterministic
        } else {
            Flavour::Roomy
        }
    }

    /// A guest is about to run a slice.
    pub(crate) fn note_activity(&self) {
        self.0.ticker.note_activity();
    }

    /// A coarse clock for nothing: ticks of half a millisecond. They are counted while guests run, and for a while after each look here.
    pub fn ticks(&self) -> u64 {
        self.0.ticker.note_activity();
        self.0.ticker.ticks()
    }

    /// Has `waker` woken at `at`, never before and hardly after, unless what is returned is dropped.
    pub fn wake_at(&self, at: Instant, waker: Waker) -> Alarm {
        self.0.alarms.wake_at(at, waker)
    }

    /// Runs `task` on the workers, in turn with guests: it should return from each poll within a fraction of a millisecond. Where as much as can be is
    /// under way already it is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = async move {
            task.await;
            Ok(())
        };
        // What is dropped tells whoever waits for it by its end.
        let _started = self.executor().start_task(task, None, false, || Box::new(drop));
    }

    /// Code of the drivers that batches run by.
    pub(crate) fn drivers(&self) -> &Drivers {
        &self.0.drivers
    }

    /// Instances that fit the pool at once; 0 where the machine's address space has no room for one.
    pub fn pool_size(&self) -> u32 {
        self.0.pool
    }

    /// The cache of what it compiles. It has no folder until it is given one.
    pub fn cache(&self) -> &Cache {
        &self.0.cache
    }

    pub(crate) fn executor(&self) -> &Executor {
        &self.0.executor
    }

    /// Instances that there are, of all modules.
    pub fn instances(&self) -> u64 {
        self.0.instances.load(Ordering::Relaxed)
    }

    /// Counts one more instance; the number with it.
    pub(crate) fn count_instance(&self) -> u64 {
        self.0.instances.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn forget_instance(&self) {
        self.0.instances.fetch_sub(1, Ordering::Relaxed);
    }

    /// What instances take of the system's mappings of memory.
    pub(crate) fn mappings(&self) -> &Mappings {
        &self.0.mappings
    }

    /// What it has done, and has now. Takes some microseconds, and some more for each compiled module.
    pub fn load(&self) -> Load {
        let (compiled, code_bytes) = self.0.cache.live();
        Load {
            instances: self.instances(),
            garbage: self.0.garbage.len(),
            compiles: self.0.compiler.len(),
            compiled,
            code_bytes,
            ..self.0.executor.load()
        }
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

    /// Whether instances go faster than they are freed: new ones are then not made on callers' threads.
    pub(crate) fn is_behind(&self) -> bool {
        self.0.garbage.len() > BEHIND
    }

    /// To be called on a worker's thread before an instance is made. Who makes instances faster than they are freed frees some itself, so
    /// that what waits does not grow.
    pub(crate) fn help_reaper(&self) {
        if self.is_behind() {
            self.0.garbage.try_iter().take(2).for_each(drop);
        }
    }
}
