//! Instances of a component: one store each, with one user at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::types::Type;
use wasmtime::component::{Func, InstancePre, ResourceAny, ResourceType, Val};
use wasmtime_wasi::{I32Exit, WasiCtxView, WasiView};

use super::calls::{Arguments, MAX_VALUES, Returned, Signature};
use super::compiled::Component;
use super::handle::{Dropped, Handle};
use super::host::Imports;
use super::lease::{Lease, Lender, Reap};
use super::script::ScriptFunctions;
use super::weigh::is_small;
use super::world::{Given, World};
use crate::core::Place;
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::executor::{Callback, Started};
use crate::grants::{Granted, Grants};
use crate::host_call::HostHandler;
use crate::instance::{CallOptions, InstanceStatus};
use crate::limits::{Limiter, Limits, PartLimits};
use crate::trap::{is_out_of_memory, translate};
use crate::wasi::InRuntime;

/// Handles on resources that an instance may have, on both sides together.
pub(super) const MAX_HANDLES: usize = 100_000;

/// Bytes that the host may take for what a guest hands over at once, when that may happen on a caller's thread: a millisecond is
/// ten times as many.
const INLINE_LIFT: usize = 1 << 20;

/// The least that the host takes for what a guest hands over at once, so that a small limit on results leaves WASI usable.
const LEAST_LIFT: usize = 1 << 20;

/// Resources whose destructors run on a caller's thread before a call.
const INLINE_DROPS: usize = 16;

/// What a component's store holds beside it.
pub(crate) struct Host {
    pub(super) engine: Engine,
    pub(super) limiter: Limiter,
    /// Who runs the host's functions during this call.
    pub(super) handler: Option<Arc<dyn HostHandler>>,
    /// What a function of the host failed with: it explains the trap that comes of it.
    pub(super) failure: Option<Error>,
    pub(super) dropped: Arc<Dropped>,
    /// State of what is granted; none where nothing is.
    pub(super) granted: Option<Box<Granted>>,
    wasi: Given,
    /// Made when it is looked for: most components ask for no WASI.
    world: Option<World>,
    /// The stream of random numbers that is to begin when WASI is looked for.
    stream: Option<u64>,
}

impl Host {
    fn end(&mut self, succeeded: bool) {
        if let Some(granted) = &mut self.granted {
            granted.settle(succeeded, self.handler.as_ref());
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let stream = self.stream.take();
        let world = match &mut self.world {
            Some(world) => {
                if let Some(stream) = stream {
                    world.restart_random(self.wasi, stream);
                }
                world
            }
            none => none.insert(World::new(self.wasi, stream.unwrap_or(0))),
        };
        WasiCtxView { ctx: &mut world.ctx, table: &mut world.table }
    }
}

/// An exported function, looked up once.
struct Function {
    function: Func,
    parameters: Box<[(Box<str>, Type)]>,
    result: Option<Type>,
    /// Whether what it returns is always small.
    small: bool,
}

/// An instance and all that is needed to call it.
pub(crate) struct Core {
    pub(super) store: Store<Host>,
    instance: wasmtime::component::Instance,
    component: Component,
    functions: HashMap<Box<str>, Arc<Function>>,
    /// What the host dropped, to be destroyed before the next call.
    dropped: Arc<Dropped>,
    names: Arc<[(ResourceType, Box<str>)]>,
    pub(super) script: ScriptFunctions,
    _place: Place,
}

impl Reap for Core {
    fn reap(self: Box<Self>) {
        let engine = self.component.0.engine.clone();
        engine.reap(self);
    }
}

/// An error, and whether the instance may be used after it.
struct Failed {
    error: Error,
    poison: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, poison: false }
    }
}

/// Work to be done with an instance, whose future can go to another thread.
trait Job<T>: Send + 'static {
    fn run(self, core: &mut Core) -> impl Future<Output = Result<T, Failed>> + Send;
}

/// An instance of a component; clones are handles on the same one. It is freed with its last handle.
#[derive(Clone)]
pub struct ComponentInstance {
    lender: Lender<Core>,
    engine: Engine,
}

impl ComponentInstance {
    /// Makes an instance of `component` within `options.timeout`; its modules' start functions run.
    ///
    /// The result is an error if an import is missing ([`Error::MissingImport`]), a limit is too small for what the component
    /// declares ([`Error::Limit`]), or a start function traps or takes too long.
    pub fn start(
        component: &Component,
        given: &Imports,
        limits: Limits,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Self, Error>>,
    ) -> Started<Result<Self, Error>> {
        let pre = match component.link(given) {
            Ok(pre) => pre,
            Err(error) => return Started::Done(Err(error)),
        };
        let inline = component.0.scan.starts_inline(&limits);
        let engine = component.0.engine.clone();
        let theirs = component.clone();
        let (timeout, grants) = (options.timeout, given.grants.clone());
        let make = async move {
            let engine = theirs.0.engine.clone();
            let core = instantiate(theirs, pre, limits, &grants, inline, &options).await?;
            Ok(Self { lender: Lender::new(core), engine })
        };
        start(&engine, component.0.wants_wasi, make, timeout, inline, later)
    }

    /// What state it is in, just now.
    pub fn status(&self) -> InstanceStatus {
        self.lender.status()
    }

    /// Frees the instance; a call under way is stopped. Further uses answer [`Error::Closed`].
    pub fn close(&self) {
        self.lender.close();
    }

    /// Calls the exported function `name`. `convert` makes the arguments from its parameters' types, asking [`Arguments`] for what
    /// they take.
    ///
    /// The result is [`Error::MissingExport`], what `convert` answered, the guest's trap or the limit it hit, or says that the
    /// instance is not free: [`Error::Busy`], [`Error::Poisoned`], [`Error::Trapped`], [`Error::Closed`].
    pub fn call(
        &self,
        name: &str,
        convert: impl FnOnce(&Signature<'_>, &mut Arguments) -> Result<Vec<Val>, Error>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Returned, Error>>,
    ) -> Started<Result<Returned, Error>> {
        let mut lease = match self.lender.lease() {
            Ok(lease) => lease,
            Err(error) => return Started::Done(Err(error)),
        };
        let prepared = lease.core().and_then(|core| {
            let function = core.function(name)?;
            let mut arguments = Arguments::new(&core.dropped, core.limits().input);
            let signature = Signature { name, parameters: &function.parameters, names: &core.names };
            let values = convert(&signature, &mut arguments)?;
            arguments.give();
            let inline = function.small || core.lift_limit() <= INLINE_LIFT;
            let dropped = core.dropped.take();
            Ok((inline && dropped.len() <= INLINE_DROPS, Call { function, arguments: values, dropped }))
        });
        match prepared {
            Ok((inline, job)) => self.run(lease, options, inline, job, later),
            Err(error) => {
                lease.release();
                Started::Done(Err(error))
            }
        }
    }

    /// Takes the buffers that the guest emitted.
    ///
    /// # Errors
    /// That the instance is not free, as of [`Self::call`].
    pub fn take_emitted(&self) -> Result<Vec<Vec<u8>>, Error> {
        let mut lease = self.lender.lease()?;
        let emitted = lease.core().map(Core::take_emitted);
        lease.release();
        emitted
    }

    /// Drops a resource, whose destructor runs. Dropping it again does nothing.
    pub fn drop_resource(
        &self,
        handle: &Handle,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<(), Error>>,
    ) -> Started<Result<(), Error>> {
        if !handle.is_live() {
            return Started::Done(Ok(()));
        }
        let mut lease = match self.lender.lease() {
            Ok(lease) => lease,
            Err(error) => return Started::Done(Err(error)),
        };
        let prepared = lease.core().and_then(|core| {
            if !handle.belongs_to(&core.dropped) {
                return Err(Error::Arguments { message: "the resource is of another instance".into() });
            }
            let mut dropped = core.dropped.take();
            if handle.end() {
                dropped.push(handle.resource());
            }
            Ok(dropped)
        });
        match prepared {
            Ok(dropped) => self.run(lease, options, dropped.len() <= INLINE_DROPS, Destroy(dropped), later),
            Err(error) => {
                lease.release();
                Started::Done(Err(error))
            }
        }
    }

    /// Runs a job, its first slice on this thread where that is safe.
    fn run<T: Send + 'static>(
        &self,
        mut lease: Lease<Core>,
        options: CallOptions,
        inline: bool,
        job: impl Job<T>,
        later: impl FnOnce() -> Callback<Result<T, Error>>,
    ) -> Started<Result<T, Error>> {
        let call = lease.call;
        let Ok(core) = lease.core() else { return Started::Done(Err(Error::Closed)) };
        let limiter = &core.store.data().limiter;
        let most = core.component.0.scan.inline_memory(&limiter.limits);
        let inline = inline && most.is_some_and(|most| limiter.memory <= most);
        let wasi = core.component.0.wants_wasi;
        core.begin(inline, &options);
        let whole = async move {
            let core = lease.core()?;
            let result = job.run(core).await;
            core.end(result.is_ok());
            match result {
                Ok(value) => {
                    lease.release();
                    Ok(value)
                }
                Err(Failed { error, poison: true }) => {
                    lease.poison(Error::Trapped);
                    Err(error)
                }
                Err(Failed { error, poison: false }) => {
                    lease.release();
                    Err(error)
                }
            }
        };
        let started = start(&self.engine, wasi, whole, options.timeout, inline, later);
        if let Started::Running(canceller) = &started {
            self.lender.runs_on(call, canceller);
        }
        started
    }
}

/// Starts a future; where WASI may wait for its clocks, with those at hand.
fn start<T: Send + 'static>(
    engine: &Engine,
    wasi: bool,
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
    timeout: Option<Duration>,
    inline: bool,
    later: impl FnOnce() -> Callback<Result<T, Error>>,
) -> Started<Result<T, Error>> {
    if wasi {
        match InRuntime::new(future) {
            Ok(future) => engine.executor().start_task(future, timeout, inline, later),
            Err(error) => Started::Done(Err(error)),
        }
    } else {
        engine.executor().start_task(future, timeout, inline, later)
    }
}

/// A call of a function, before which what the host dropped is destroyed.
struct Call {
    function: Arc<Function>,
    arguments: Vec<Val>,
    dropped: Vec<ResourceAny>,
}

impl Job<Returned> for Call {
    async fn run(self, core: &mut Core) -> Result<Returned, Failed> {
        core.destroy(self.dropped).await?;
        let mut results = vec![Val::Bool(false); usize::from(self.function.result.is_some())];
        if let Err(error) = self.function.function.call_async(&mut core.store, &self.arguments, &mut results).await {
            return Err(core.failed(error));
        }
        let value = results.pop().zip(self.function.result.clone());
        let returned = Returned::new(value, Arc::clone(&core.dropped), Arc::clone(&core.names));
        let (limit, asked) = (core.limits().result, returned.weight() as u64);
        if !self.function.small && asked > limit {
            return Err(Error::Limit { kind: LimitKind::ResultSize, limit, asked: Some(asked) }.into());
        }
        Ok(returned)
    }
}

/// Destroys resources.
struct Destroy(Vec<ResourceAny>);

impl Job<()> for Destroy {
    async fn run(self, core: &mut Core) -> Result<(), Failed> {
        core.destroy(self.0).await
    }
}

impl Core {
    /// To be called before each use that runs the guest.
    pub(crate) fn begin(&mut self, inline: bool, options: &CallOptions) {
        // The deadline set for an earlier call has passed meanwhile; without this the guest would yield at once.
        self.store.set_epoch_deadline(1);
        self.begin_row();
        let host = self.store.data_mut();
        host.limiter.inline = inline;
        host.handler.clone_from(&options.handler);
        if let Some(granted) = &mut host.granted {
            granted.begin(options.timeout);
        }
        if let Some(world) = &host.world {
            world.output.clear();
        }
    }

    /// To be called before each of several runs of the guest: what it was refused in one does not explain another's trap.
    pub(super) fn begin_row(&mut self) {
        let host = self.store.data_mut();
        host.limiter.hit = None;
        host.failure = None;
    }

    /// To be called when the guest has run: hands over what it logged.
    pub(crate) fn end(&mut self, succeeded: bool) {
        self.store.data_mut().end(succeeded);
    }

    /// Begins the random numbers of a seed that was granted anew: the same for the same row, whichever instance it runs in.
    pub(crate) fn restart_random(&mut self, stream: u64) {
        let host = self.store.data_mut();
        if host.wasi.has_seed() {
            host.stream = Some(stream);
        }
    }

    /// The buffers that the guest emitted since they were last taken.
    pub(crate) fn take_emitted(&mut self) -> Vec<Vec<u8>> {
        self.store.data_mut().granted.as_mut().map_or_else(Vec::new, |granted| granted.take_emitted())
    }

    pub(super) fn limits(&self) -> Limits {
        self.store.data().limiter.limits
    }

    /// Bytes that the host takes at most for what the guest hands over at once.
    fn lift_limit(&self) -> usize {
        lift_limit(self.limits())
    }

    fn function(&mut self, name: &str) -> Result<Arc<Function>, Error> {
        if let Some(function) = self.functions.get(name) {
            return Ok(Arc::clone(function));
        }
        let Some(function) = self.export(name) else {
            return Err(Error::MissingExport { kind: "function", name: name.into() });
        };
        let ty = function.ty(&self.store);
        let result = ty.results().next();
        let export = Arc::new(Function {
            function,
            parameters: ty.params().map(|(name, ty)| (name.into(), ty)).collect(),
            small: result.as_ref().is_none_or(is_small),
            result,
        });
        self.functions.insert(name.into(), Arc::clone(&export));
        Ok(export)
    }

    pub(super) fn export(&mut self, name: &str) -> Option<Func> {
        let index = self.component.function(name)?;
        self.instance.get_func(&mut self.store, index)
    }

    async fn destroy(&mut self, resources: Vec<ResourceAny>) -> Result<(), Failed> {
        for resource in resources {
            if let Err(error) = resource.resource_drop_async(&mut self.store).await {
                return Err(self.failed(error));
            }
        }
        Ok(())
    }

    /// What a guest's end by an error means.
    fn failed(&mut self, error: wasmtime::Error) -> Failed {
        Failed { error: self.explain(error), poison: true }
    }

    pub(super) fn explain(&mut self, error: wasmtime::Error) -> Error {
        explain(error, &mut self.store)
    }
}

fn lift_limit(limits: Limits) -> usize {
    let values = usize::try_from(limits.result).map_or(MAX_VALUES, |result| result.min(MAX_VALUES));
    (values * size_of::<Val>()).max(LEAST_LIFT)
}

/// Whether an error is one that [`explain`] has a meaning for, though it is no trap.
fn is_known(error: &wasmtime::Error, store: &Store<Host>) -> bool {
    store.data().limiter.hit.is_some()
        || store.data().failure.is_some()
        || error.is::<I32Exit>()
        || error.root_cause().to_string().contains(PARTS_EXCEEDED)
}

/// Words of wasmtime's errors that have no type of their own.
const PARTS_EXCEEDED: &str = "resource limit exceeded";
const LIFT_EXCEEDED: &str = "fuel allocated for hostcalls";

/// What an error of the guest means, with what the guest wrote before.
fn explain(error: wasmtime::Error, store: &mut Store<Host>) -> Error {
    let host = store.data_mut();
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Error::Exited { status: exit.0 };
    }
    let hit = host.failure.take().or_else(|| host.limiter.hit.take());
    let limit = host.limiter.limits.result;
    let is_trap = error.is::<wasmtime::Trap>();
    let root = error.root_cause().to_string();
    let mut explained = if hit.is_some() || is_trap {
        translate(error, hit, None, 0)
    } else if is_out_of_memory(&error) {
        Error::engine("the system has no memory for it")
    } else if root.contains(LIFT_EXCEEDED) {
        Error::Limit { kind: LimitKind::ResultSize, limit, asked: None }
    } else if root.contains(PARTS_EXCEEDED) {
        let limit = PartLimits::COMPONENT.instances as u64;
        Error::Limit { kind: LimitKind::Parts, limit, asked: None }
    } else {
        Error::Trap { reason: "canonical_abi", message: root, backtrace: Vec::new(), offsets: Vec::new() }
    };
    if let (Error::Trap { message, .. }, Some(world)) = (&mut explained, &host.world) {
        world.output.explain(message);
    }
    explained
}

/// Frees a core elsewhere: unmapping its memory takes time.
pub(crate) fn reap(core: Box<Core>) {
    core.reap();
}

/// Makes an instance of what a component's [`link`](Component::link) gave.
pub(crate) async fn instantiate(
    component: Component,
    pre: InstancePre<Host>,
    limits: Limits,
    grants: &Grants,
    inline: bool,
    options: &CallOptions,
) -> Result<Core, Error> {
    let place = Place::take_own(&component.0.engine, component.0.memories)?;
    let mut limiter = Limiter::for_component(limits, component.0.scan.inline_memory(&limits).unwrap_or(0));
    limiter.inline = inline;
    let dropped = Arc::<Dropped>::default();
    let mut host = Host {
        engine: component.0.engine.clone(),
        limiter,
        handler: options.handler.clone(),
        failure: None,
        dropped: Arc::clone(&dropped),
        granted: Granted::new(grants, &limits),
        wasi: Given::of(grants),
        world: None,
        stream: None,
    };
    if let Some(granted) = &mut host.granted {
        granted.begin(options.timeout);
    }
    let mut store = Store::new(component.0.engine.for_components(), host);
    store.limiter_async(|host| &mut host.limiter);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(lift_limit(limits));
    store.set_max_component_handles(MAX_HANDLES);
    let made = pre.instantiate_async(&mut store).await;
    store.data_mut().end(made.is_ok());
    let instance = match made {
        Ok(instance) => instance,
        // What is no trap is the host's: it found no memory for the guest, for example.
        Err(error) if error.is::<wasmtime::Trap>() || is_known(&error, &store) => {
            return Err(explain(error, &mut store));
        }
        Err(error) => return Err(Error::engine(error)),
    };
    let named = component.0.resources.iter();
    let names = named.filter_map(|(index, name)| Some((instance.get_resource(&mut store, index)?, name.clone())));
    let names = names.collect();
    Ok(Core {
        store,
        instance,
        component,
        functions: HashMap::new(),
        dropped,
        names,
        script: ScriptFunctions::default(),
        _place: place,
    })
}
