//! A guest and its store: what one call at a time uses.

use std::sync::Arc;

use wasmtime::{
    AsContext, AsContextMut, Caller, Extern, Func, InstancePre, Memory, Store, StoreContext, StoreContextMut,
};

use crate::abi::ScriptAbi;
use crate::batch::Drivers;
use crate::callable::Callable;
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::flavour::Flavour;
use crate::grants::Granted;
use crate::host_call::HostHandler;
use crate::imports::Imports;
use crate::instance::{CallOptions, Inside};
use crate::limits::{DEFAULT_FUEL, Limiter, Limits, MAX_TABLES};
use crate::local::{self, Brake};
use crate::mappings::{Mappings, Taken};
use crate::module::{FunctionExport, Module, signature};
use crate::script_batch::ScriptBatch;
use crate::trap::{is_out_of_memory, translate};

/// Exported functions that an instance remembers where to find; more are looked up anew each time.
const KNOWN_FUNCTIONS: usize = 16;

/// Fuel after which a guest yields. Compiled code keeps account in a register, and what it used since it last wrote that down is lost when it
/// traps: this much at most. A quarter of a millisecond, about.
const FUEL_SLICE: u64 = 250_000;

/// Fuel that a row of a batch costs which failed, beside what is known to have been used: trapping takes some microseconds, and so does making
/// the instance that the next row may need.
const FAILURE_FUEL: u64 = 10_000;

/// What a guest's store holds beside the guest.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) limiter: Limiter,
    /// Why AssemblyScript's `abort` was called.
    pub(crate) abort: Option<String>,
    /// What a function of the host failed with: it explains the trap that comes of it.
    pub(crate) failure: Option<Error>,
    /// Who runs the host's functions during this call.
    pub(crate) handler: Option<Arc<dyn HostHandler>>,
    /// State of what Rust grants; none where nothing is granted.
    pub(crate) granted: Option<Box<Granted>>,
    /// Where an instance says who runs a function of the host for it.
    pub(crate) inside: Option<Inside>,
    /// The rows that the guest is notified with.
    pub(crate) batch: Option<Box<ScriptBatch>>,
    /// Calls of the guest within functions of the host within calls of the guest ...
    pub(crate) depth: u32,
    /// Fuel that the current call was given.
    pub(crate) fuel: u64,
    /// What stops a guest that runs on its caller's stack.
    pub(crate) brake: Option<Brake>,
}

/// A guest that can be asked for its exports: from outside, or by a function that it called.
pub(crate) trait Guest: AsContextMut<Data = Host> {
    fn export(&mut self, name: &str) -> Option<Extern>;
}

impl Guest for Caller<'_, Host> {
    fn export(&mut self, name: &str) -> Option<Extern> {
        self.get_export(name)
    }
}

/// An instance and all that is needed to call it.
pub(crate) struct Core {
    pub(crate) store: Store<Host>,
    pub(crate) instance: wasmtime::Instance,
    pub(crate) memory: Option<Memory>,
    pub(crate) script: ScriptAbi,
    pub(crate) drivers: Drivers,
    pub(crate) module: Module,
    functions: Vec<(u32, Callable)>,
    _place: Place,
}

impl AsContext for Core {
    type Data = Host;
    fn as_context(&self) -> StoreContext<'_, Host> {
        self.store.as_context()
    }
}

impl AsContextMut for Core {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Host> {
        self.store.as_context_mut()
    }
}

impl Guest for Core {
    fn export(&mut self, name: &str) -> Option<Extern> {
        self.instance.get_export(&mut self.store, name)
    }
}

/// A place among the engine's instances, given back when dropped.
pub(crate) struct Place {
    engine: Engine,
    taken: Option<Taken>,
}

impl Place {
    /// For an instance that may have a place in the pool.
    pub(crate) fn take(engine: &Engine, flavour: Flavour) -> Result<Self, Error> {
        let pooled = flavour == Flavour::Pooled && engine.pool_size() > 0;
        Self::with(
            engine,
            |mappings| if pooled { mappings.take_pooled() } else { mappings.take_own(1, !flavour.copies_data()) },
        )
    }

    /// For an instance with so many memories of its own, their data mapped.
    pub(crate) fn take_own(engine: &Engine, memories: u64) -> Result<Self, Error> {
        Self::with(engine, |mappings| mappings.take_own(memories, true))
    }

    fn with(engine: &Engine, take: impl FnOnce(&Mappings) -> Option<Taken>) -> Result<Self, Error> {
        let count = engine.count_instance();
        // From here on, what is refused is given back.
        let mut place = Self { engine: engine.clone(), taken: None };
        let limit = engine.options().instances;
        if count > limit {
            return Err(Error::Limit { kind: LimitKind::Instances, limit, asked: None });
        }
        place.taken = take(engine.mappings());
        match place.taken {
            Some(_) => Ok(place),
            // As many as the system has room for.
            None => Err(Error::Limit { kind: LimitKind::Instances, limit: count - 1, asked: None }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(taken) = &self.taken {
            self.engine.mappings().give_back(taken);
        }
        self.engine.forget_instance();
    }
}

/// Frees a core elsewhere: unmapping its memory takes time.
pub(crate) fn reap(core: Box<Core>) {
    let engine = core.module.engine().clone();
    engine.reap(core);
}

impl Core {
    /// To be called before each use that runs the guest.
    pub(crate) fn begin(&mut self, inline: bool, options: &CallOptions) -> Result<(), Error> {
        // The deadline set for an earlier call has passed meanwhile; without this the guest would yield at once.
        self.store.set_epoch_deadline(1);
        if self.module.is_deterministic() {
            let fuel = options.fuel.unwrap_or(DEFAULT_FUEL);
            self.store.set_fuel(fuel).map_err(Error::engine)?;
            self.store.data_mut().fuel = fuel;
        } else if options.fuel.is_some() {
            let message = "fuel is counted only in modules that were compiled to be deterministic".into();
            return Err(Error::Arguments { message });
        }
        let host = self.store.data_mut();
        host.limiter.inline = inline;
        if let Some(granted) = &mut host.granted {
            granted.begin(options.timeout);
        }
        if options.handler.is_some() || host.handler.is_some() {
            host.handler.clone_from(&options.handler);
        }
        self.begin_row();
        Ok(())
    }

    /// To be called before each of several runs of the guest: what it was refused in one does not explain another's trap.
    pub(crate) fn begin_row(&mut self) {
        self.store.data_mut().begin_row();
    }

    /// To be called when the guest has run: hands over what it logged.
    pub(crate) fn end(&mut self, succeeded: bool) {
        self.store.data_mut().end(succeeded);
    }

    /// Begins the random numbers anew: the same for the same row, whichever instance it runs in.
    pub(crate) fn restart_random(&mut self, stream: u64) {
        if let Some(granted) = &mut self.store.data_mut().granted {
            granted.restart_random(stream);
        }
    }

    /// An exported function.
    pub(crate) fn function(&mut self, export: &FunctionExport) -> Result<Func, Error> {
        let at = self.find(export.number)?;
        Ok(*self.functions[at].1.function())
    }

    /// A function that is known, and the store to call it in.
    pub(crate) fn function_and_store(&mut self, at: usize) -> (&Callable, &mut Store<Host>) {
        (&self.functions[at].1, &mut self.store)
    }

    /// Where the exported function of a number is among those that are known.
    pub(crate) fn find(&mut self, number: u32) -> Result<usize, Error> {
        match self.functions.iter().position(|(known, _)| *known == number) {
            Some(at) => Ok(at),
            None => self.look_up(number),
        }
    }

    fn look_up(&mut self, number: u32) -> Result<usize, Error> {
        let missing = |name: String| Error::MissingExport { kind: "function", name };
        let export = self.module.exported(number).map(Arc::clone).ok_or_else(|| missing(number.to_string()))?;
        let function = self.instance.get_func(&mut self.store, &export.name);
        let function = function.ok_or_else(|| missing(export.name.to_string()))?;
        let callable = Callable::new(&self.store, function, &export)?;
        self.functions.truncate(KNOWN_FUNCTIONS - 1);
        // Most instances are called by one function or two, and there may be ten thousand of them.
        self.functions.reserve_exact(1);
        self.functions.push((number, callable));
        Ok(self.functions.len() - 1)
    }

    /// A function of the script contract, of one certain type; none if there is no such export.
    pub(crate) fn typed<P, R>(&mut self, name: &str, wanted: &str) -> Result<Option<wasmtime::TypedFunc<P, R>>, Error>
    where
        P: wasmtime::WasmParams,
        R: wasmtime::WasmResults,
    {
        let Some(Extern::Func(function)) = self.instance.get_export(&mut self.store, name) else {
            return Ok(None);
        };
        function.typed(&self.store).map(Some).map_err(|_| Error::WrongType {
            name: name.into(),
            found: signature(&function.ty(&self.store)),
            wanted: wanted.into(),
        })
    }

    /// Whether a call may begin on its caller's thread.
    pub(crate) fn may_run_inline(&self) -> bool {
        let limits = &self.store.data().limiter.limits;
        self.module.0.code.bulk.inline_memory(limits).is_some_and(|most| self.held_memory() <= most)
    }

    /// Bytes of memory that the guest has, exported or not.
    pub(crate) fn held_memory(&self) -> u64 {
        self.store.data().limiter.memory
    }

    /// The buffers that the guest emitted since they were last taken.
    pub(crate) fn take_emitted(&mut self) -> Vec<Vec<u8>> {
        self.store.data_mut().granted.as_mut().map_or_else(Vec::new, |granted| granted.take_emitted())
    }

    /// Fuel that the last call used; 0 where none is counted.
    pub(crate) fn fuel_used(&self) -> u64 {
        self.store.get_fuel().map_or(0, |left| self.store.data().fuel.saturating_sub(left))
    }

    /// Fuel that is left of what the call was given; none where none is counted.
    pub(crate) fn fuel_left(&self) -> Option<u64> {
        self.module.is_deterministic().then(|| self.store.get_fuel().unwrap_or(0))
    }

    /// To be called when a row of a batch has failed and others are to run: that takes fuel too.
    pub(crate) fn charge_failure(&mut self) -> Result<(), Error> {
        charge_failure(&mut self.store)
    }

    pub(crate) fn memory_size(&self) -> u64 {
        self.memory.map_or(0, |memory| memory.data_size(&self.store) as u64)
    }

    fn range(&self, offset: u64, length: u64) -> Result<(Memory, std::ops::Range<usize>), Error> {
        let memory = self.memory.ok_or(Error::MissingExport { kind: "memory", name: "memory".into() })?;
        let size = self.memory_size();
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok((memory, offset as usize..end as usize)),
            _ => Err(Error::OutOfBounds { offset, length, size }),
        }
    }

    pub(crate) fn bytes(&self, offset: u64, length: u64) -> Result<&[u8], Error> {
        let (memory, range) = self.range(offset, length)?;
        Ok(&memory.data(&self.store)[range])
    }

    pub(crate) fn bytes_mut(&mut self, offset: u64, length: u64) -> Result<&mut [u8], Error> {
        let (memory, range) = self.range(offset, length)?;
        Ok(&mut memory.data_mut(&mut self.store)[range])
    }

    /// What a guest's end by an error means.
    pub(crate) fn guest_error(&mut self, error: wasmtime::Error) -> Error {
        self.store.data_mut().guest_error(error)
    }
}

/// As [`Core::charge_failure`].
pub(crate) fn charge_failure(mut store: impl AsContextMut<Data = Host>) -> Result<(), Error> {
    let mut store = store.as_context_mut();
    // It fails where none is counted.
    let Ok(left) = store.get_fuel() else { return Ok(()) };
    match left.checked_sub(FAILURE_FUEL) {
        Some(left) => store.set_fuel(left).map_err(Error::engine),
        None => Err(Error::Limit { kind: LimitKind::Fuel, limit: store.data().fuel, asked: None }),
    }
}

impl Host {
    pub(crate) fn begin_row(&mut self) {
        self.limiter.hit = None;
        self.abort = None;
        self.failure = None;
    }

    fn end(&mut self, succeeded: bool) {
        let Some(granted) = &mut self.granted else { return };
        granted.settle(succeeded, self.handler.as_ref());
    }

    /// What a guest's end by an error means. What was hit or failed before explains the trap that came of it.
    pub(crate) fn guest_error(&mut self, error: wasmtime::Error) -> Error {
        let mut reason = self.failure.take().or_else(|| self.limiter.hit.take());
        if reason.is_none() && is_out_of_memory(&error) {
            // As many as the system has memory for, their stacks included.
            reason = Some(Error::Limit { kind: LimitKind::Instances, limit: self.engine.instances(), asked: None });
        }
        translate(error, reason, self.abort.take(), self.fuel)
    }
}

/// Makes an instance and runs its start function and `_initialize` if it has them.
pub(crate) async fn instantiate(
    module: Module,
    imports: Imports,
    limits: Limits,
    options: &CallOptions,
    inline: bool,
) -> Result<Core, Error> {
    let tables = module.0.code.bulk.tables;
    if tables > MAX_TABLES {
        return Err(Error::Limit { kind: LimitKind::Tables, limit: MAX_TABLES, asked: Some(tables) });
    }
    if !inline {
        module.engine().help_reaper();
    }
    let flavour = module.flavour(&limits);
    let made = instantiate_as(flavour, &module, &imports, limits, options, inline).await;
    match made {
        Err(Unmade::PoolIsFull) => instantiate_as(Flavour::Unpooled, &module, &imports, limits, options, false).await,
        made => made,
    }
    .map_err(|error| match error {
        Unmade::PoolIsFull => Error::engine("the machine has no room for another instance"),
        Unmade::Failed(error) => error,
    })
}

/// Why there is no instance.
enum Unmade {
    PoolIsFull,
    Failed(Error),
}

impl From<Error> for Unmade {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A place for an instance, what it is made from, and its store.
type Prepared = (Place, Arc<InstancePre<Host>>, Store<Host>);

/// A store for an instance of a module, and what the instance is made from.
fn prepare(
    flavour: Flavour,
    module: &Module,
    imports: &Imports,
    limits: Limits,
    options: &CallOptions,
) -> Result<Prepared, Error> {
    let place = Place::take(module.engine(), flavour)?;
    let pre = module.link(flavour, imports)?;
    let host = Host {
        engine: module.engine().clone(),
        limiter: Limiter::new(limits, module.0.code.bulk.inline_memory(&limits).unwrap_or(0)),
        abort: None,
        failure: None,
        handler: options.handler.clone(),
        granted: Granted::new(&imports.grants, &limits),
        inside: None,
        batch: None,
        depth: 0,
        fuel: options.fuel.unwrap_or(DEFAULT_FUEL),
        brake: None,
    };
    let mut store = Store::new(pre.module().engine(), host);
    store.set_epoch_deadline(1);
    if module.is_deterministic() {
        let fuel = store.data().fuel;
        store.set_fuel(fuel).map_err(Error::engine)?;
    }
    if let Some(granted) = &mut store.data_mut().granted {
        granted.begin(options.timeout);
    }
    Ok((place, pre, store))
}

impl Core {
    fn of(mut store: Store<Host>, instance: wasmtime::Instance, module: &Module, place: Place) -> Self {
        let memory = instance.get_memory(&mut store, "memory");
        Self {
            store,
            instance,
            memory,
            script: ScriptAbi::default(),
            drivers: Drivers::default(),
            module: module.clone(),
            functions: Vec::new(),
            _place: place,
        }
    }
}

/// Makes an instance on this thread and its stack, and runs its start function and `_initialize` there if it has them.
pub(crate) fn instantiate_local(
    module: &Module,
    imports: &Imports,
    limits: Limits,
    options: &CallOptions,
    brake: Brake,
) -> Result<Core, Error> {
    let tables = module.0.code.bulk.tables;
    if tables > MAX_TABLES {
        return Err(Error::Limit { kind: LimitKind::Tables, limit: MAX_TABLES, asked: Some(tables) });
    }
    module.engine().help_reaper();
    // They are few, one for each connection and function, and live long: the pool's places are for others.
    let flavour = match module.flavour(&limits) {
        Flavour::Pooled => Flavour::Unpooled,
        other => other,
    };
    let (place, pre, mut store) = prepare(flavour, module, imports, limits, options)?;
    store.limiter(|host| &mut host.limiter);
    store.data_mut().brake = Some(brake);
    store.epoch_deadline_callback(|mut store| local::brake(store.data_mut()));
    let instance = pre.instantiate(&mut store).map_err(|error| store.data_mut().guest_error(error))?;
    let mut core = Core::of(store, instance, module, place);
    let initialized = match core.typed::<(), ()>("_initialize", "() -> ()")? {
        Some(initialize) => initialize.call(&mut core.store, ()),
        None => Ok(()),
    };
    core.end(initialized.is_ok());
    match initialized {
        Ok(()) => Ok(core),
        Err(error) => Err(core.guest_error(error)),
    }
}

async fn instantiate_as(
    flavour: Flavour,
    module: &Module,
    imports: &Imports,
    limits: Limits,
    options: &CallOptions,
    inline: bool,
) -> Result<Core, Unmade> {
    let (place, pre, mut store) = prepare(flavour, module, imports, limits, options)?;
    store.limiter_async(|host| &mut host.limiter);
    store.epoch_deadline_async_yield_and_update(1);
    if module.is_deterministic() {
        store.fuel_async_yield_interval(Some(FUEL_SLICE)).map_err(Error::engine)?;
    }
    store.data_mut().limiter.inline = inline;
    let instance = match pre.instantiate_async(&mut store).await {
        Ok(instance) => instance,
        Err(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => return Err(Unmade::PoolIsFull),
        Err(error) => {
            let error = store.data_mut().guest_error(error);
            store.data_mut().end(false);
            return Err(error.into());
        }
    };
    let mut core = Core::of(store, instance, module, place);
    let initialized = match core.typed::<(), ()>("_initialize", "() -> ()")? {
        Some(initialize) => initialize.call_async(&mut core.store, ()).await,
        None => Ok(()),
    };
    core.end(initialized.is_ok());
    match initialized {
        Ok(()) => Ok(core),
        Err(error) => Err(core.guest_error(error).into()),
    }
}
