//! Instances of a module: one store each, with one user at a time and a bounded line of others who wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use wasmtime::ValType;

use crate::act::{Act, Acted, act};
use crate::batch::{CallMany, ManyResults};
use crate::call::{Call, Job, Values};
use crate::core::{Core, instantiate, reap};
use crate::error::Error;
use crate::executor::{Callback, Canceller, Started};
use crate::host_call::{HostHandler, Serving};
use crate::imports::Imports;
use crate::limits::{DEFAULT_TIMEOUT, Limits};
use crate::module::Module;

/// How a call is made.
#[derive(Clone)]
pub struct CallOptions {
    /// Wall-clock time that the call may take, waiting for its turn included; none for as long as it takes. Default
    /// [`DEFAULT_TIMEOUT`].
    pub timeout: Option<Duration>,
    /// Fuel that the call may use, for deterministic modules only. Default: [`DEFAULT_FUEL`](crate::DEFAULT_FUEL) for those.
    pub fuel: Option<u64>,
    /// Who runs the functions that the guest imports from its host.
    pub handler: Option<Arc<dyn HostHandler>>,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self { timeout: Some(DEFAULT_TIMEOUT), fuel: None, handler: None }
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

enum Slot {
    Idle(Box<Core>),
    Busy { call: u64, canceller: Option<Canceller> },
    Poisoned,
    Closed,
}

struct State {
    slot: Slot,
    /// Numbers calls and waiters.
    next: u64,
    /// Who waits for the slot, first come first served.
    waiters: VecDeque<(u64, Waker)>,
    /// Functions of the host that run for the guest, innermost last.
    inside: Vec<Serving>,
}

struct Shared {
    state: Mutex<State>,
    module: Module,
    imports: Imports,
    waiters: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The wakers of those who should look again.
    fn wakers(&mut self) -> Vec<Waker> {
        match self.slot {
            Slot::Busy { .. } => Vec::new(),
            Slot::Idle(_) => self.waiters.front().map(|(_, waker)| waker.clone()).into_iter().collect(),
            Slot::Poisoned | Slot::Closed => self.waiters.drain(..).map(|(_, waker)| waker).collect(),
        }
    }

    /// The core, if it is free for the one who asks; `place` is that one's number in the line.
    fn take(&mut self, place: Option<u64>) -> Result<Option<(Box<Core>, u64)>, Error> {
        match &self.slot {
            Slot::Poisoned => return Err(Error::Poisoned),
            Slot::Closed => return Err(Error::Closed),
            Slot::Busy { .. } => return Ok(None),
            Slot::Idle(_) => {}
        }
        match (self.waiters.front(), place) {
            (None, _) => {}
            (Some((first, _)), Some(place)) if *first == place => {
                self.waiters.pop_front();
            }
            // It is another's turn.
            _ => return Ok(None),
        }
        let call = self.number();
        match std::mem::replace(&mut self.slot, Slot::Busy { call, canceller: None }) {
            Slot::Idle(core) => Ok(Some((core, call))),
            other => {
                self.slot = other;
                Ok(None)
            }
        }
    }
}

fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// An instance of a module; clones are handles on the same one. It is freed with its last handle.
#[derive(Clone)]
pub struct Instance(Arc<Shared>);

/// The right to use an instance's core. Given up without [`Lease::release`], because the call was stopped in the middle, it leaves
/// the instance poisoned.
struct Lease {
    shared: Arc<Shared>,
    core: Option<Box<Core>>,
    call: u64,
}

impl Lease {
    fn core(&mut self) -> Result<&mut Core, Error> {
        self.core.as_deref_mut().ok_or(Error::Closed)
    }

    /// Ends the use: the instance is free for the next.
    fn release(mut self) {
        let Some(core) = self.core.take() else { return };
        let mut state = self.shared.lock();
        if matches!(&state.slot, Slot::Busy { .. }) {
            state.slot = Slot::Idle(core);
            if !state.waiters.is_empty() {
                let wakers = state.wakers();
                drop(state);
                wake(wakers);
            }
        } else {
            // Closed meanwhile.
            drop(state);
            reap(core);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(core) = self.core.take() else { return };
        let mut state = self.shared.lock();
        if matches!(&state.slot, Slot::Busy { .. }) {
            state.slot = Slot::Poisoned;
        }
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
        reap(core);
    }
}

/// A place in the line for an instance.
struct Waiter {
    shared: Arc<Shared>,
    place: Option<u64>,
}

impl Waiter {
    async fn lease(mut self) -> Result<Lease, Error> {
        let shared = Arc::clone(&self.shared);
        let taken = std::future::poll_fn(|context| {
            let mut state = shared.lock();
            match state.take(self.place) {
                Ok(Some(taken)) => {
                    self.place = None;
                    return Poll::Ready(Ok(taken));
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            match self.place {
                Some(place) => {
                    if let Some((_, waker)) = state.waiters.iter_mut().find(|(number, _)| *number == place) {
                        waker.clone_from(context.waker());
                    }
                }
                None if state.waiters.len() >= shared.waiters => return Poll::Ready(Err(Error::Busy)),
                None => {
                    let place = state.number();
                    self.place = Some(place);
                    state.waiters.push_back((place, context.waker().clone()));
                }
            }
            Poll::Pending
        })
        .await;
        let (core, call) = taken?;
        Ok(Lease { shared: Arc::clone(&self.shared), core: Some(core), call })
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut state = self.shared.lock();
        state.waiters.retain(|(number, _)| *number != place);
        // It may have been the one whose turn it was.
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
    }
}

/// A waiting call's number and what stops it.
type Turn = (Option<u64>, Option<Canceller>);

/// Where a guest says which function of the host runs for it.
pub(crate) struct Inside(Weak<Shared>);

/// A function of the host that runs.
pub(crate) struct Entered(Option<Arc<Shared>>);

impl Inside {
    pub(crate) fn enter(&self, serving: Serving) -> Entered {
        let shared = self.0.upgrade();
        if let Some(shared) = &shared {
            shared.lock().inside.push(serving);
        }
        Entered(shared)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.lock().inside.pop();
        }
    }
}

impl Instance {
    /// Makes an instance of `module`, running its start function and `_initialize` if it has them, within `options.timeout`. Up to `waiters`
    /// callers may wait while another's call is under way.
    ///
    /// The result is an error if an import is missing ([`Error::MissingImport`]) or has another type ([`Error::WrongType`]), a limit is too
    /// small for what the module declares ([`Error::Limit`]), or its start function traps or takes too long.
    pub fn start(
        module: &Module,
        imports: Imports,
        limits: Limits,
        waiters: usize,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Self, Error>>,
    ) -> Started<Result<Self, Error>> {
        let engine = module.engine().clone();
        let inline = module.may_start_inline(&limits);
        let theirs = module.clone();
        let timeout = options.timeout;
        let make = async move {
            let core = instantiate(theirs, imports.clone(), limits, &options, inline).await?;
            Ok(Self::new(core, imports, waiters))
        };
        engine.executor().start_task(make, timeout, inline, later)
    }

    fn new(core: Core, imports: Imports, waiters: usize) -> Self {
        let module = core.module.clone();
        Self(Arc::new_cyclic(|shared| {
            let mut core = Box::new(core);
            core.store.data_mut().inside = Some(Inside(Weak::clone(shared)));
            let state = State { slot: Slot::Idle(core), next: 0, waiters: VecDeque::new(), inside: Vec::new() };
            Shared { state: Mutex::new(state), module, imports, waiters }
        }))
    }

    /// What state it is in, just now.
    pub fn status(&self) -> InstanceStatus {
        match &self.0.lock().slot {
            Slot::Idle(_) => InstanceStatus::Idle,
            Slot::Busy { .. } => InstanceStatus::Busy,
            Slot::Poisoned => InstanceStatus::Poisoned,
            Slot::Closed => InstanceStatus::Closed,
        }
    }

    /// Calls that stand in line, just now.
    pub fn waiting(&self) -> usize {
        self.0.lock().waiters.len()
    }

    /// Frees the instance; a call under way is stopped. Further uses answer [`Error::Closed`].
    pub fn close(&self) {
        let mut state = self.0.lock();
        let slot = std::mem::replace(&mut state.slot, Slot::Closed);
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
        match slot {
            Slot::Idle(core) => reap(core),
            Slot::Busy { canceller: Some(canceller), .. } => canceller.cancel(),
            _ => {}
        }
    }

    /// The function of the host that `runner` runs for this instance's guest: its uses of the instance go through that.
    pub fn inside(&self, runner: u64) -> Option<Serving> {
        self.0.lock().inside.iter().rev().find(|serving| serving.is_run_by(runner)).cloned()
    }

    /// What it was given.
    pub fn imports(&self) -> &Imports {
        &self.0.imports
    }

    /// The module that it is an instance of.
    pub fn module(&self) -> &Module {
        &self.0.module
    }

    /// Calls the export `name`. `convert` makes the arguments from its parameters' types.
    ///
    /// The result is [`Error::MissingExport`], what `convert` answered, the guest's trap or the limit it hit, or says that the
    /// instance can't be used: [`Error::Busy`] with too many waiting, [`Error::Poisoned`], [`Error::Closed`].
    pub fn call(
        &self,
        name: &str,
        convert: impl FnOnce(&[ValType]) -> Result<Values, Error>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Values, Error>>,
    ) -> Started<Result<Values, Error>> {
        match self.0.module.function(name).and_then(|export| Ok((export, convert(&export.parameters)?))) {
            Ok((export, arguments)) => self.run(Call { export: export.number, arguments }, options, later),
            Err(error) => Started::Done(Err(error)),
        }
    }

    /// Calls the export `name` once for each row of arguments, in order and in one crossing. `convert` packs the rows by the parameters'
    /// types ([`pack`](crate::pack)), and says how many there are.
    ///
    /// A trap in one row is that row's error, and the others run. The time limit holds for all together, and ends them all. Errors of
    /// the whole are those of [`Self::call`].
    pub fn call_many(
        &self,
        name: &str,
        convert: impl FnOnce(&[ValType]) -> Result<(Vec<u8>, usize), Error>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<ManyResults, Error>>,
    ) -> Started<Result<ManyResults, Error>> {
        match self.0.module.function(name).and_then(|export| Ok((export, convert(&export.parameters)?))) {
            Ok((export, (packed, rows))) => {
                self.run(CallMany { export: Arc::clone(export), packed, rows }, options, later)
            }
            Err(error) => Started::Done(Err(error)),
        }
    }

    /// Does something with the instance's memory, globals or tables.
    ///
    /// Errors are those of the act ([`Error::OutOfBounds`], [`Error::MissingExport`], [`Error::Limit`], [`Error::Arguments`]), and those of
    /// a use as of [`Self::call`].
    pub fn act(
        &self,
        what: Act,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Acted, Error>>,
    ) -> Started<Result<Acted, Error>> {
        self.run(what, options, later)
    }

    /// Lets `look` see `length` bytes of the memory, if the instance is free at this moment; none if it is not.
    ///
    /// # Errors
    /// As of [`Self::act`].
    pub fn look<T>(&self, offset: u64, length: u64, look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Error> {
        self.at_once(|core| core.bytes(offset, length).map(look))
    }

    /// Lets `change` change `length` bytes of the memory, if the instance is free at this moment; none if it is not.
    ///
    /// # Errors
    /// As of [`Self::act`].
    pub fn change<T>(&self, offset: u64, length: u64, change: impl FnOnce(&mut [u8]) -> T) -> Result<Option<T>, Error> {
        self.at_once(|core| core.bytes_mut(offset, length).map(change))
    }

    /// Fuel that the last call used, if the instance is free at this moment.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`].
    pub fn fuel_used(&self) -> Result<Option<u64>, Error> {
        self.at_once(|core| Ok(core.fuel_used()))
    }

    /// Takes the buffers that the guest emitted, if the instance is free at this moment.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`].
    pub fn take_emitted(&self) -> Result<Option<Vec<Vec<u8>>>, Error> {
        self.at_once(|core| Ok(core.take_emitted()))
    }

    /// Acts on the core at once, if it is free.
    fn at_once<T>(&self, act: impl FnOnce(&mut Core) -> Result<T, Error>) -> Result<Option<T>, Error> {
        let taken = self.0.lock().take(None)?;
        let Some((core, call)) = taken else { return Ok(None) };
        let mut lease = Lease { shared: Arc::clone(&self.0), core: Some(core), call };
        let result = act(lease.core()?);
        lease.release();
        result.map(Some)
    }

    /// Runs a job with the core when it is free, its first slice on this thread where that is safe.
    fn run<T: Send + 'static>(
        &self,
        mut job: impl Job<T>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<T, Error>>,
    ) -> Started<Result<T, Error>> {
        let timeout = options.timeout;
        let executor = self.0.module.engine().executor();
        let taken = match self.0.lock().take(None) {
            Ok(taken) => taken,
            Err(error) => return Started::Done(Err(error)),
        };
        let Some((core, call)) = taken else {
            let waiter = Waiter { shared: Arc::clone(&self.0), place: None };
            // The call's number, once it has its turn, and what stops it: whichever comes later brings them together.
            let turn = Arc::new(Mutex::new((None, None)));
            let theirs = (self.clone(), Arc::clone(&turn));
            let whole = async move {
                let mut lease = waiter.lease().await?;
                let (instance, turn) = theirs;
                instance.meet(&turn, |(call, _)| *call = Some(lease.call));
                let result = use_core(lease.core()?, &mut job, &options, false).await;
                lease.release();
                result
            };
            let started = executor.start_task(whole, timeout, false, later);
            if let Started::Running(canceller) = &started {
                self.meet(&turn, |(_, place)| *place = Some(canceller.clone()));
            }
            return started;
        };
        let mut lease = Lease { shared: Arc::clone(&self.0), core: Some(core), call };
        let inline = lease.core().is_ok_and(|core| core.may_run_inline());
        let whole = async move {
            let core = lease.core()?;
            // As `use_core`, without one more copy of the call's state.
            let result = match core.begin(inline, &options) {
                Ok(()) => {
                    let result = job.run(core).await;
                    core.end(result.is_ok());
                    result
                }
                Err(error) => Err(error),
            };
            lease.release();
            result
        };
        let started = executor.start_task(whole, timeout, inline, later);
        if let Started::Running(canceller) = &started {
            self.can_be_closed(call, canceller);
        }
        started
    }

    fn meet(&self, turn: &Mutex<Turn>, bring: impl FnOnce(&mut Turn)) {
        let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        bring(&mut turn);
        if let (Some(call), Some(canceller)) = &*turn {
            self.can_be_closed(*call, canceller);
        }
    }

    /// So that closing the instance stops the call.
    fn can_be_closed(&self, call: u64, canceller: &Canceller) {
        match &mut self.0.lock().slot {
            Slot::Busy { call: current, canceller: place } if *current == call => *place = Some(canceller.clone()),
            Slot::Closed => canceller.cancel(),
            _ => {}
        }
    }
}

async fn use_core<T>(core: &mut Core, job: &mut impl Job<T>, options: &CallOptions, inline: bool) -> Result<T, Error> {
    core.begin(inline, options)?;
    let result = job.run(core).await;
    core.end(result.is_ok());
    result
}

impl Job<Acted> for Act {
    async fn run(&mut self, core: &mut Core) -> Result<Acted, Error> {
        act(core, std::mem::replace(self, Self::MemorySize)).await
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody has a lease, since that would hold another reference.
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Idle(core) = std::mem::replace(&mut state.slot, Slot::Closed) {
            reap(core);
        }
    }
}
