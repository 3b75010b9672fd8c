//! A service's network in memory: connections as resources of the processes that have them.
//!
//! A process that connects, or takes a connection that the guest wants, gets `{:wasgo_connection, id, event}`, where the event is `:connected`,
//! `{:data, binary}`, `:peer_closed`, `:writable` or `{:closed, reason}`, which is the last. When it dies, the connection is reset.
//!
//! The service's own process hears as `{:wasgo_service, reference, {:network, event}}` of what belongs to no connection: `{:up, address}`,
//! `{:outgoing, id, target, port, protocol}`, `{:broken, message}`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use rustler::{Atom, Binary, Encoder, Env, LocalPid, Monitor, NifMap, OwnedEnv, Resource, ResourceArc, Term};
use wasgo_net::{
    CloseReason, ConnectionId, Error, Event, Network, Options, Outgoing, Port, Protocol, Reject, Rule, Timers,
    WriteOutcome,
};
use wasgo_wasm::{Alarm, Cable, Engine};

use super::service::ServiceResource;
use crate::{atoms, bytes, fault};

/// How a network is, as Elixir has it.
#[derive(NifMap)]
pub struct NetworkOptions {
    /// Target, first and last port, whether by UDP.
    outgoing: Vec<(String, u16, u16, bool)>,
    max_connections: usize,
}

/// Who hears of a network's connections.
type Routes = Arc<Mutex<HashMap<ConnectionId, LocalPid>>>;

/// A service's end of its network.
pub struct Lan {
    network: Network,
    routes: Routes,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The engine's alarms wake the network.
struct Alarms(Engine);

impl Timers for Alarms {
    type Timer = Alarm;

    fn wake_at(&self, at: Instant, waker: Waker) -> Alarm {
        self.0.wake_at(at, waker)
    }
}

/// The guest's end of the cable.
struct Plug(Port);

impl Cable for Plug {
    fn send(&self, bytes: &[u8]) -> usize {
        self.0.send(bytes)
    }

    fn receive(&self, into: &mut [u8]) -> usize {
        self.0.receive(into)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(context)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_writable(context)
    }

    fn close(&self) {
        self.0.close();
    }
}

/// What belongs to no connection.
pub enum Notice {
    Up(String),
    Outgoing { id: u64, target: String, port: u16, udp: bool },
    Broken(String),
}

impl Notice {
    pub fn encode<'a>(self, env: Env<'a>) -> Term<'a> {
        match self {
            Self::Up(address) => (atoms::up(), address).encode(env),
            Self::Outgoing { id, target, port, udp } => {
                let protocol = if udp { atoms::udp() } else { atoms::tcp() };
                (atoms::outgoing(), id, target, port, protocol).encode(env)
            }
            Self::Broken(message) => (atoms::broken(), message).encode(env),
        }
    }
}

/// Makes a network whose other end is the cable; `notice` hears what belongs to no connection.
pub fn start(
    engine: &Engine,
    options: NetworkOptions,
    notice: impl Fn(Notice) + Send + Sync + 'static,
) -> Result<(Lan, Arc<dyn Cable>), Error> {
    let mut rules = Vec::with_capacity(options.outgoing.len());
    for (target, first, last, udp) in &options.outgoing {
        rules.push(Rule::new(target, *first..=*last, if *udp { Protocol::Udp } else { Protocol::Tcp })?);
    }
    let outgoing = if rules.is_empty() { Outgoing::None } else { Outgoing::Allow(rules) };
    let options = Options { outgoing, max_connections: options.max_connections, ..Options::default() };
    let routes = Routes::default();
    let theirs = Arc::clone(&routes);
    let tell = move |event: Event| match event {
        Event::Up { address } => notice(Notice::Up(address.to_string())),
        Event::Outgoing { id, target, port, protocol } => {
            notice(Notice::Outgoing { id: id.get(), target: target.to_string(), port, udp: protocol == Protocol::Udp })
        }
        Event::Broken(reason) => notice(Notice::Broken(reason.to_string())),
        event => route(&theirs, event),
    };
    let (network, port, driver) = Network::new(options, Alarms(engine.clone()), tell)?;
    engine.spawn(driver);
    Ok((Lan { network, routes }, Arc::new(Plug(port))))
}

/// Tells the process that has the connection.
fn route(routes: &Routes, event: Event) {
    let (Event::Connected(id)
    | Event::Data(id, _)
    | Event::PeerClosed(id)
    | Event::Writable(id)
    | Event::Closed(id, _)) = event
    else {
        return;
    };
    let over = matches!(event, Event::Closed(..));
    let pid = if over { lock(routes).remove(&id) } else { lock(routes).get(&id).copied() };
    let Some(pid) = pid else { return };
    // It fails when the process is gone, whose end resets the connection.
    let _ = OwnedEnv::new().send_and_clear(&pid, |env| {
        let event = match event {
            Event::Connected(_) => atoms::connected().to_term(env),
            Event::Data(_, data) => (atoms::data(), bytes::copy(env, &data)).encode(env),
            Event::PeerClosed(_) => atoms::peer_closed().to_term(env),
            Event::Writable(_) => atoms::writable().to_term(env),
            Event::Closed(_, reason) => (atoms::closed(), close_reason(reason)).encode(env),
            _ => atoms::nil().to_term(env),
        };
        (atoms::wasgo_connection(), id.get(), event)
    });
}

fn close_reason(reason: CloseReason) -> Atom {
    match reason {
        CloseReason::Done => atoms::normal(),
        CloseReason::Refused => atoms::econnrefused(),
        CloseReason::Reset => atoms::econnreset(),
        CloseReason::Aborted => atoms::econnaborted(),
        CloseReason::Rejected => atoms::rejected(),
        CloseReason::NoAddress | CloseReason::AddressReleased => atoms::enetdown(),
        CloseReason::ConnectTimeout
        | CloseReason::DecisionTimeout
        | CloseReason::IdleTimeout
        | CloseReason::LingerTimeout => atoms::etimedout(),
        _ => atoms::closed(),
    }
}

/// A connection of a process.
pub struct ConnectionResource {
    network: Network,
    routes: Routes,
    id: ConnectionId,
}

#[rustler::resource_impl]
impl Resource for ConnectionResource {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.network.reset(self.id);
    }
}

impl Drop for ConnectionResource {
    fn drop(&mut self) {
        self.network.reset(self.id);
        lock(&self.routes).remove(&self.id);
    }
}

fn network_fault<'a>(env: Env<'a>, error: &Error) -> Term<'a> {
    let reason = match error {
        Error::TooManyConnections { .. } => atoms::emfile(),
        Error::Ended => atoms::closed(),
        Error::InvalidRule { .. } | Error::InvalidOption { .. } => atoms::invalid_rule(),
        _ => atoms::einval(),
    };
    fault::fault(env, atoms::service(), reason.to_term(env), &error.to_string(), &[])
}

/// The error of [`start`] as a term.
pub fn start_fault<'a>(env: Env<'a>, error: &Error) -> Term<'a> {
    network_fault(env, error)
}

fn hand_over<'a>(env: Env<'a>, lan: &Lan, id: ConnectionId) -> Term<'a> {
    let connection =
        ResourceArc::new(ConnectionResource { network: lan.network.clone(), routes: Arc::clone(&lan.routes), id });
    connection.monitor(Some(env), &env.pid());
    fault::ok(env, (connection, id.get()))
}

fn no_network<'a>(env: Env<'a>) -> Term<'a> {
    let message = "the service was given no network";
    fault::err(env, fault::fault(env, atoms::service(), atoms::no_network().to_term(env), message, &[]))
}

/// Connects the calling process to a port of the guest, by TCP or for datagrams.
#[rustler::nif]
fn service_connect<'a>(env: Env<'a>, service: ResourceArc<ServiceResource>, port: u16, udp: bool) -> Term<'a> {
    let Some(lan) = service.lan() else { return no_network(env) };
    // The connection's first event finds out who hears it.
    let mut routes = lock(&lan.routes);
    match if udp { lan.network.open_datagrams(port) } else { lan.network.connect(port) } {
        Ok(id) => {
            routes.insert(id, env.pid());
            drop(routes);
            hand_over(env, lan, id)
        }
        Err(error) => fault::err(env, network_fault(env, &error)),
    }
}

/// Takes a connection that the guest wants for the calling process.
#[rustler::nif]
fn service_accept<'a>(env: Env<'a>, service: ResourceArc<ServiceResource>, number: u64) -> Term<'a> {
    let Some(lan) = service.lan() else { return no_network(env) };
    let id = lan.network.connection(number);
    lock(&lan.routes).insert(id, env.pid());
    lan.network.accept(id);
    hand_over(env, lan, id)
}

/// Refuses a connection that the guest wants.
#[rustler::nif]
fn service_reject(service: ResourceArc<ServiceResource>, number: u64) -> Atom {
    if let Some(lan) = service.lan() {
        lan.network.reject(lan.network.connection(number), Reject::Refused);
    }
    atoms::ok()
}

/// `:written`, `:full`, `:closed` or `:too_long`.
#[rustler::nif]
fn connection_write(connection: ResourceArc<ConnectionResource>, data: Binary<'_>) -> Atom {
    match connection.network.write(connection.id, ::bytes::Bytes::copy_from_slice(data.as_slice())) {
        WriteOutcome::Written => atoms::written(),
        WriteOutcome::Full => atoms::full(),
        WriteOutcome::Closed => atoms::closed(),
        WriteOutcome::TooLong => atoms::too_long(),
    }
}

#[rustler::nif]
fn connection_give_credit(connection: ResourceArc<ConnectionResource>, bytes: usize) -> Atom {
    connection.network.give_credit(connection.id, bytes);
    atoms::ok()
}

/// Sends no more; what the other end sends can still be read.
#[rustler::nif]
fn connection_shut_down(connection: ResourceArc<ConnectionResource>) -> Atom {
    connection.network.shut_down(connection.id);
    atoms::ok()
}

#[rustler::nif]
fn connection_close(connection: ResourceArc<ConnectionResource>) -> Atom {
    connection.network.close(connection.id);
    atoms::ok()
}

/// What a network says about itself: address, frames and bytes received and sent, dropped, connections.
#[rustler::nif]
fn service_network_status<'a>(env: Env<'a>, service: ResourceArc<ServiceResource>) -> Term<'a> {
    let Some(lan) = service.lan() else { return no_network(env) };
    let status = lan.network.status();
    let dropped = status.dropped;
    let drops = [
        dropped.length,
        dropped.malformed,
        dropped.ignored,
        dropped.fragments,
        dropped.foreign,
        dropped.refused,
        dropped.overload,
        dropped.unread,
    ];
    fault::ok(
        env,
        (
            status.address.map(|address| address.to_string()),
            (status.received.frames, status.received.bytes),
            (status.sent.frames, status.sent.bytes),
            drops.to_vec(),
            status.connections,
        ),
    )
}
