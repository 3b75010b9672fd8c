//! Services: WASI programs that speak with a process by messages.
//!
//! The process that starts one gets `{:wasgo_service, reference, event}`, where the event is `{:stdout, binary}`,
//! `{:stderr, binary}`, `:input_ready`, `{:exit, {:ok, status}}` or `{:exit, {:error, fault}}`. When it dies, the service is
//! stopped.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustler::env::SavedTerm;
use rustler::{
    Binary, Encoder, Env, LocalPid, Monitor, NifMap, NifTaggedEnum, OwnedEnv, Reference, Resource, ResourceArc, Term,
};
use wasgo_wasm::{Clock, Directory, Event, Seed, Service, ServiceOptions, WriteOutcome};

use super::module::ModuleResource;
use super::network::{self, Lan, NetworkOptions, Notice};
use super::{LimitsTuple, limits};
use crate::slice::Slice;
use crate::{atoms, bytes, fault};

/// A service's resource; dropping the last reference stops the service.
pub struct ServiceResource(Service, Option<Lan>, Arc<Owner>);

impl ServiceResource {
    /// The network that the service was given.
    pub fn lan(&self) -> Option<&Lan> {
        self.1.as_ref()
    }
}

#[rustler::resource_impl]
impl Resource for ServiceResource {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.0.stop();
    }
}

/// Which time of day a program is told; times in nanoseconds.
#[derive(NifTaggedEnum)]
enum ClockTerm {
    Real,
    Frozen(u64),
    Offset(i64),
}

impl From<ClockTerm> for Clock {
    fn from(clock: ClockTerm) -> Self {
        match clock {
            ClockTerm::Real => Self::Real,
            ClockTerm::Frozen(at) => Self::Frozen(at),
            ClockTerm::Offset(by) => Self::Offset(by),
        }
    }
}

/// How a service is started, as Elixir has it.
#[derive(NifMap)]
struct Options {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// On the host, in the program, whether it may write.
    directories: Vec<(String, String, bool)>,
    quota: Option<u64>,
    clock: ClockTerm,
    /// None for the host's randomness.
    seed: Option<u64>,
    terminal: bool,
    limits: LimitsTuple,
    credit: usize,
    /// In milliseconds.
    timeout: Option<u64>,
    network: Option<NetworkOptions>,
}

/// For a program without directories and with little of arguments and environment; the caller picks the twin for others.
#[rustler::nif]
fn service_start<'a>(env: Env<'a>, module: ResourceArc<ModuleResource>, options: Options) -> Term<'a> {
    start(env, &module, options)
}

#[rustler::nif(schedule = "DirtyIo")]
fn service_start_dirty<'a>(env: Env<'a>, module: ResourceArc<ModuleResource>, options: Options) -> Term<'a> {
    start(env, &module, options)
}

fn start<'a>(env: Env<'a>, module: &ModuleResource, options: Options) -> Term<'a> {
    let pid = env.pid();
    let reference = env.make_ref();
    let owner = Arc::new(Owner::new(pid, reference));
    let network = options.network;
    let directory = |(host, guest, writable)| Directory { host, guest, writable };
    let options = ServiceOptions {
        arguments: options.arguments,
        environment: options.environment,
        limits: limits(options.limits),
        credit: options.credit,
        directories: options.directories.into_iter().map(directory).collect(),
        quota: options.quota,
        clock: options.clock.into(),
        terminal: options.terminal,
        random: options.seed.map_or(Seed::System, Seed::Fixed),
        timeout: options.timeout.map(Duration::from_millis),
    };
    let (lan, cable) = match network {
        None => (None, None),
        Some(options) => {
            let theirs = Arc::clone(&owner);
            let notice = move |notice: Notice| theirs.tell(|env| (atoms::network(), notice.encode(env)).encode(env));
            match network::start(module.0.engine(), options, notice) {
                Ok((lan, cable)) => (Some(lan), Some(cable)),
                Err(error) => return fault::err(env, network::start_fault(env, &error)),
            }
        }
    };
    let theirs = Arc::clone(&owner);
    let events = move |event: Event| {
        if let Some(event) = keep(event) {
            theirs.tell(|env| encode_event(env, event));
        }
    };
    match Service::start_connected(&module.0, options, cable, events) {
        Ok(service) => {
            let service = ResourceArc::new(ServiceResource(service, lan, owner));
            service.monitor(Some(env), &pid);
            fault::ok(env, (service, reference))
        }
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

/// The process that a service speaks with. The reference's own environment lives as long as the events come; each message has one of
/// its own.
pub struct Owner {
    pid: LocalPid,
    reference: Mutex<(OwnedEnv, SavedTerm)>,
}

impl Owner {
    fn new(pid: LocalPid, reference: Reference<'_>) -> Self {
        let keeper = OwnedEnv::new();
        let saved = keeper.save(reference);
        Self { pid, reference: Mutex::new((keeper, saved)) }
    }

    fn tell(&self, event: impl for<'b> FnOnce(Env<'b>) -> Term<'b>) {
        let mut message = OwnedEnv::new();
        let reference = match self.reference.lock() {
            Ok(kept) => kept.0.run(|env| message.save(kept.1.load(env))),
            Err(_) => return,
        };
        // It fails when the process is gone; its end stops the service.
        let _ = message.send_and_clear(&self.pid, |env| (atoms::wasgo_service(), reference.load(env), event(env)));
    }
}

impl Owner {
    /// As [`Self::tell`], on a thread of the BEAM.
    fn tell_within(&self, env: Env<'_>, event: Event) {
        let Ok(kept) = self.reference.lock() else { return };
        let reference = kept.0.run(|theirs| kept.1.load(theirs).in_env(env));
        drop(kept);
        let _ = env.send(&self.pid, (atoms::wasgo_service(), reference, encode_event(env, event)));
    }
}

fn encode_event<'a>(env: Env<'a>, event: Event) -> Term<'a> {
    match event {
        Event::Stdout(output) => (atoms::stdout(), bytes::copy(env, &output)).encode(env),
        Event::Stderr(output) => (atoms::stderr(), bytes::copy(env, &output)).encode(env),
        Event::InputReady => atoms::input_ready().to_term(env),
        Event::Exit(Ok(status)) => (atoms::exit(), fault::ok(env, status)).encode(env),
        Event::Exit(Err(error)) => (atoms::exit(), fault::err(env, fault::wasm(env, &error))).encode(env),
    }
}

/// Bytes with which a program may go on within the call that writes them. With more it has so much to do that its owner had better do something else
/// meanwhile.
const HERE: usize = 4 << 10;

thread_local! {
    /// What is told while a program goes on within a call of its owner's: threads of the BEAM send only from within that call.
    static KEPT: RefCell<Option<Vec<Event>>> = const { RefCell::new(None) };
}

/// Keeps an event for the call that this thread is in; gives it back if it is in none.
fn keep(event: Event) -> Option<Event> {
    KEPT.with_borrow_mut(|kept| match kept {
        Some(kept) => {
            kept.push(event);
            None
        }
        None => Some(event),
    })
}

/// Ends the keeping whatever happens.
struct Keeping;

impl Keeping {
    fn begin() -> Self {
        KEPT.set(Some(Vec::new()));
        Self
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        KEPT.take();
    }
}

/// `:written`, `:full` or `:closed`.
#[rustler::nif]
fn service_write<'a>(env: Env<'a>, service: ResourceArc<ServiceResource>, input: Binary<'a>) -> Term<'a> {
    let _slice = Slice::begin(env);
    let keeping = Keeping::begin();
    let bytes = ::bytes::Bytes::copy_from_slice(input.as_slice());
    let outcome = if bytes.len() <= HERE { service.0.write_here(bytes) } else { service.0.write(bytes) };
    let told = KEPT.take().unwrap_or_default();
    drop(keeping);
    for event in told {
        service.2.tell_within(env, event);
    }
    match outcome {
        WriteOutcome::Written => atoms::written(),
        WriteOutcome::Full => atoms::full(),
        WriteOutcome::Closed => atoms::closed(),
    }
    .to_term(env)
}

#[rustler::nif]
fn service_close_input(service: ResourceArc<ServiceResource>) -> rustler::Atom {
    service.0.close_input();
    atoms::ok()
}

#[rustler::nif]
fn service_give_credit(service: ResourceArc<ServiceResource>, stdout: usize, stderr: usize) -> rustler::Atom {
    service.0.give_credit(stdout, stderr);
    atoms::ok()
}

#[rustler::nif]
fn service_stop(service: ResourceArc<ServiceResource>) -> rustler::Atom {
    service.0.stop();
    atoms::ok()
}
