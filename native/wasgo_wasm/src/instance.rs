//! Instances of a module: one store each, with one user at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::{Extern, Func, Memory, Store, Val, ValType};

use crate::abi::ScriptAbi;
use crate::call::{Call, CallMany, Job, ManyResults};
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::executor::{Callback, Canceller, Started};
use crate::limits::{DEFAULT_TIMEOUT, Limiter, Limits, MAX_TABLES};
use crate::module::{Linked, Module, signature};
use crate::trap::translate;

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub struct CallOptions {
    /// Wall-clock time that the call may take. Default [`DEFAULT_TIMEOUT`].
    pub timeout: Duration,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self { timeout: DEFAULT_TIMEOUT }
    }
}

/// What state an instance is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceStatus {
    /// It takes a call.
    Idle,
    /// A call is under way.
    Busy,
    /// A call was stopped in the middle.
    Poisoned,
    /// It was closed.
    Closed,
}

/// What a guest's store holds beside the guest.
pub(crate) struct Host {
    pub(crate) limiter: Limiter,
    pub(crate) abort: Option<String>,
}

/// An instance and all that is needed to call it.
pub(crate) struct Core {
    pub(crate) store: Store<Host>,
    pub(crate) instance: wasmtime::Instance,
    pub(crate) memory: Option<Memory>,
    pub(crate) script: ScriptAbi,
    functions: HashMap<Box<str>, Function>,
    inline_memory: Option<u64>,
    engine: Engine,
}

/// An exported function, looked up once.
struct Function {
    function: Func,
    parameters: Box<[ValType]>,
    results: usize,
}

enum Slot {
    Idle(Box<Core>),
    Busy { call: u64, canceller: Option<Canceller> },
    Poisoned,
    Closed,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Slot>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An instance of a module; clones are handles on the same one. It is freed with its last handle.
#[derive(Clone)]
pub struct Instance {
    shared: Shared,
    calls: Arc<AtomicU64>,
}

/// The right to use an instance's core. Given up without [`Lease::release`], because the call was stopped in the middle, it leaves
/// the instance poisoned.
pub(crate) struct Lease {
    shared: Shared,
    core: Option<Box<Core>>,
    call: u64,
}

impl Lease {
    pub(crate) fn core(&mut self) -> Result<&mut Core, Error> {
        self.core.as_deref_mut().ok_or(Error::Closed)
    }

    /// Ends the use: the instance is free for the next.
    fn release(mut self) {
        let Some(core) = self.core.take() else { return };
        let mut slot = self.shared.lock();
        if matches!(&*slot, Slot::Busy { .. }) {
            *slot = Slot::Idle(core);
        } else {
            // Closed meanwhile.
            drop(slot);
            reap(core);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(core) = self.core.take() else { return };
        let mut slot = self.shared.lock();
        if matches!(&*slot, Slot::Busy { .. }) {
            *slot = Slot::Poisoned;
        }
        drop(slot);
        reap(core);
    }
}

/// Frees a core elsewhere: unmapping its memory takes time.
pub(crate) fn reap(core: Box<Core>) {
    let engine = core.engine.clone();
    engine.reap(core);
}

impl Instance {
    /// Makes an instance of `module`, running its start function and `_initialize` if it has them, within `options.timeout`.
    ///
    /// The result is an error if an import is missing ([`Error::MissingImport`]), a limit is too small for what the module
    /// declares ([`Error::Limit`]), or its start function traps or takes too long.
    pub fn start(
        module: &Module,
        limits: Limits,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Self, Error>>,
    ) -> Started<Result<Self, Error>> {
        if let Linked::Missing(error) = &module.0.linked {
            return Started::Done(Err(error.clone()));
        }
        if let Linked::Wasi(_) = &module.0.linked {
            return Started::Done(Err(Error::Contract {
                message: "it is a WASI program, which is run as a service, not as a script".into(),
            }));
        }
        let engine = module.engine().clone();
        // A module's initial memory is mostly mapped and not copied; what its start function does with it counts as in a call.
        let inline = module.0.bulk.starts_inline(&limits);
        let theirs = module.clone();
        let make = async move { instantiate(theirs, limits, inline).await.map(Self::new) };
        engine.executor().start_task(make, Some(options.timeout), inline, later)
    }

    fn new(core: Core) -> Self {
        Self { shared: Shared(Arc::new(Mutex::new(Slot::Idle(Box::new(core))))), calls: Arc::default() }
    }

    /// What state it is in, just now.
    pub fn status(&self) -> InstanceStatus {
        match &*self.shared.lock() {
            Slot::Idle(_) => InstanceStatus::Idle,
            Slot::Busy { .. } => InstanceStatus::Busy,
            Slot::Poisoned => InstanceStatus::Poisoned,
            Slot::Closed => InstanceStatus::Closed,
        }
    }

    /// Frees the instance; a call under way is stopped. Further uses answer [`Error::Closed`].
    pub fn close(&self) {
        match std::mem::replace(&mut *self.shared.lock(), Slot::Closed) {
            Slot::Idle(core) => reap(core),
            Slot::Busy { canceller: Some(canceller), .. } => canceller.cancel(),
            _ => {}
        }
    }

    /// Calls the export `name`. `convert` makes the arguments from its parameters' types.
    ///
    /// The result is [`Error::MissingExport`], what `convert` answered, the guest's trap or the limit it hit, or says that the
    /// instance is not free: [`Error::Busy`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn call(
        &self,
        name: &str,
        convert: impl FnOnce(&[ValType]) -> Result<Vec<Val>, Error>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Vec<Val>, Error>>,
    ) -> Started<Result<Vec<Val>, Error>> {
        let prepare = |function: &Function| {
            let arguments = convert(&function.parameters)?;
            Ok(Call { function: function.function, arguments, results: function.results })
        };
        self.prepare_and_run(name, prepare, options, later)
    }

    /// Calls the export `name` once for each row of arguments, in order and in one crossing. `convert` makes all rows' arguments, one
    /// row after another, from the parameters' types, and says how many rows there are.
    ///
    /// A trap in one row is that row's error, and the others run. The time limit holds for all together, and ends them all. Errors of
    /// the whole are those of [`Self::call`].
    pub fn call_many(
        &self,
        name: &str,
        convert: impl FnOnce(&[ValType]) -> Result<(Vec<Val>, usize), Error>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<ManyResults, Error>>,
    ) -> Started<Result<ManyResults, Error>> {
        let prepare = |function: &Function| {
            let (arguments, rows) = convert(&function.parameters)?;
            let arity = function.parameters.len();
            if arguments.len() != arity * rows {
                return Err(Error::Arguments {
                    message: format!("{rows} rows of {arity} arguments are not {} values", arguments.len()),
                });
            }
            Ok(CallMany { function: function.function, arguments, arity, rows, results: function.results })
        };
        self.prepare_and_run(name, prepare, options, later)
    }

    fn prepare_and_run<T: Send + 'static, J: Job<T>>(
        &self,
        name: &str,
        prepare: impl FnOnce(&Function) -> Result<J, Error>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<T, Error>>,
    ) -> Started<Result<T, Error>> {
        let mut lease = match self.lease() {
            Ok(lease) => lease,
            Err(error) => return Started::Done(Err(error)),
        };
        match lease.core().and_then(|core| prepare(core.function(name)?)) {
            Ok(job) => self.run(lease, options, job, later),
            Err(error) => {
                lease.release();
                Started::Done(Err(error))
            }
        }
    }

    /// Copies `length` bytes out of the guest's memory.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::MissingExport`] without a memory, and those of a use.
    pub fn read_memory(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        self.with_core(|core| core.bytes(offset, length).map(<[u8]>::to_vec))
    }

    /// Copies `bytes` into the guest's memory.
    ///
    /// # Errors
    /// As [`Self::read_memory`].
    pub fn write_memory(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.with_core(|core| core.bytes_mut(offset, bytes.len() as u64).map(|place| place.copy_from_slice(bytes)))
    }

    /// The size of the guest's memory in bytes; 0 without one.
    ///
    /// # Errors
    /// Those of a use.
    pub fn memory_size(&self) -> Result<u64, Error> {
        self.with_core(|core| Ok(core.memory_size()))
    }

    /// Runs a job with the core, its first slice on this thread where that is safe.
    fn run<T: Send + 'static>(
        &self,
        mut lease: Lease,
        options: CallOptions,
        job: impl Job<T>,
        later: impl FnOnce() -> Callback<Result<T, Error>>,
    ) -> Started<Result<T, Error>> {
        let call = lease.call;
        let Ok(core) = lease.core() else { return Started::Done(Err(Error::Closed)) };
        let inline = core.inline_memory.is_some_and(|most| core.held_memory() <= most);
        let engine = core.engine.clone();
        core.begin(inline);
        let whole = async move {
            let result = job.run(lease.core()?).await;
            lease.release();
            result
        };
        let started = engine.executor().start_task(whole, Some(options.timeout), inline, later);
        if let Started::Running(canceller) = &started {
            // So that closing the instance stops the call.
            match &mut *self.shared.lock() {
                Slot::Busy { call: current, canceller: place } if *current == call => {
                    *place = Some(canceller.clone());
                }
                Slot::Closed => canceller.cancel(),
                _ => {}
            }
        }
        started
    }

    fn lease(&self) -> Result<Lease, Error> {
        let mut slot = self.shared.lock();
        match &*slot {
            Slot::Idle(_) => {}
            Slot::Busy { .. } => return Err(Error::Busy),
            Slot::Poisoned => return Err(Error::Poisoned),
            Slot::Closed => return Err(Error::Closed),
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match std::mem::replace(&mut *slot, Slot::Busy { call, canceller: None }) {
            Slot::Idle(core) => Ok(Lease { shared: self.shared.clone(), core: Some(core), call }),
            _ => Err(Error::Busy),
        }
    }

    /// Acts on the core at once. Others that come meanwhile find the instance busy; nobody waits.
    fn with_core<T>(&self, act: impl FnOnce(&mut Core) -> Result<T, Error>) -> Result<T, Error> {
        let mut lease = self.lease()?;
        let result = act(lease.core()?);
        lease.release();
        result
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The last of them, and nobody has a lease, since that would hold another.
        if let Some(slot) = Arc::get_mut(&mut self.0) {
            let slot = slot.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Slot::Idle(core) = std::mem::replace(slot, Slot::Closed) {
                reap(core);
            }
        }
    }
}

impl Core {
    /// To be called before each use that runs the guest.
    pub(crate) fn begin(&mut self, inline: bool) {
        // The deadline set for an earlier call has passed meanwhile; without this the guest would yield at once.
        self.store.set_epoch_deadline(1);
        self.store.data_mut().limiter.inline = inline;
        self.begin_row();
    }

    /// To be called before each of several runs of the guest: what it was refused in one does not explain another's trap.
    pub(crate) fn begin_row(&mut self) {
        let host = self.store.data_mut();
        host.limiter.hit = None;
        host.abort = None;
    }

    fn function(&mut self, name: &str) -> Result<&Function, Error> {
        if !self.functions.contains_key(name) {
            let Some(Extern::Func(function)) = self.instance.get_export(&mut self.store, name) else {
                return Err(Error::MissingExport { kind: "function", name: name.into() });
            };
            let ty = function.ty(&self.store);
            let export = Function { function, parameters: ty.params().collect(), results: ty.results().len() };
            self.functions.insert(name.into(), export);
        }
        self.functions.get(name).ok_or(Error::Closed)
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

    /// Bytes of memory that the guest has, exported or not.
    pub(crate) fn held_memory(&self) -> u64 {
        self.store.data().limiter.memory
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
        let host = self.store.data_mut();
        translate(error, host.limiter.hit.take(), host.abort.take())
    }
}

pub(crate) async fn instantiate(module: Module, limits: Limits, inline: bool) -> Result<Core, Error> {
    let Linked::Script(pre) = &module.0.linked else { return Err(Error::Closed) };
    let engine = module.engine().clone();
    if module.0.bulk.tables > MAX_TABLES {
        return Err(Error::Limit { kind: LimitKind::Tables, limit: MAX_TABLES, asked: Some(module.0.bulk.tables) });
    }
    let inline_memory = module.0.bulk.inline_memory(&limits);
    let limiter = Limiter::new(limits, inline_memory.unwrap_or(0));
    let mut store = Store::new(engine.wasmtime(), Host { limiter, abort: None });
    store.limiter_async(|host| &mut host.limiter);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(1);
    store.data_mut().limiter.inline = inline;
    let instance = match pre.instantiate_async(&mut store).await {
        Ok(instance) => instance,
        Err(error) => {
            let host = store.data_mut();
            return Err(translate(error, host.limiter.hit.take(), host.abort.take()));
        }
    };
    let memory = instance.get_memory(&mut store, "memory");
    let mut core = Core {
        store,
        instance,
        memory,
        script: ScriptAbi::default(),
        functions: HashMap::new(),
        inline_memory,
        engine,
    };
    if let Some(initialize) = core.typed::<(), ()>("_initialize", "() -> ()")? {
        core.store.set_epoch_deadline(1);
        if let Err(error) = initialize.call_async(&mut core.store, ()).await {
            return Err(core.guest_error(error));
        }
    }
    Ok(core)
}
