//! The connections there are: how they begin, when they have their turns, and how they end.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::Instant as StackInstant;
use smoltcp::wire::{EthernetAddress, Icmpv4DstUnreachable, Ipv4Packet, Ipv4Repr, TcpPacket, TcpRepr};

use super::Stack;
use super::tcp::{After, Tcp, Work};
use super::udp::Udp;
use crate::event::{CloseReason, ConnectionId, Event, Protocol, Reject};
use crate::shared::{Open, Orders, lock};

/// The ports that connections from the gateway have at its end.
const FIRST_PORT: u16 = 49_152;

/// How often a random one is tried before the next free one is looked for.
const RANDOM_PORTS: usize = 8;

/// What stands among the deadlines for the next question to the guest. No connection has this id.
const PROBE: ConnectionId = ConnectionId(0);

/// How long the guest has for the first one; for each further one it has twice as long, some 10 s in all.
const FIRST_PROBE: Duration = Duration::from_millis(5);

/// How often it is asked. It is then taken to be there, though it does not answer.
const PROBES: u32 = 11;

pub(super) struct Connection {
    pub(super) kind: Kind,
    /// None until it has begun.
    key: Option<Key>,
    credit: usize,
    /// It has a turn coming.
    ready: bool,
    /// When it is looked at at the latest: its entry among the deadlines.
    armed: Option<Instant>,
    /// What is due then apart from what the TCP stack waits for.
    due: Option<(Instant, CloseReason)>,
}

pub(super) enum Kind {
    /// For the guest to have an address.
    Waiting(Open),
    /// For the host to accept it, with the packet that the guest began it by.
    Held(Vec<u8>),
    Tcp(Box<Tcp>),
    Udp(Udp),
}

impl Kind {
    fn is_held(&self) -> bool {
        matches!(self, Self::Held(_) | Self::Udp(Udp { held: true, .. }))
    }
}

impl Stack {
    pub(super) fn find(&self, key: &Key) -> Option<ConnectionId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn mac(&self) -> Option<EthernetAddress> {
        self.status.mac.map(EthernetAddress)
    }

    /// The guest was given its address. It may take a while until it uses it: until then it is asked for its MAC address, which is
    /// the one thing that every guest answers.
    pub(super) fn leased(&mut self, mac: EthernetAddress) {
        self.down();
        self.status.mac = Some(mac.0);
        self.out.guest_mac = mac;
        self.probes = 0;
        self.probe();
    }

    fn probe(&mut self) {
        if self.status.address.is_some() || self.status.mac.is_none() {
            return;
        }
        if self.probes == PROBES {
            return self.reached();
        }
        self.out.ask_for(self.options.gateway, self.options.guest);
        let wait = FIRST_PROBE * 2_u32.pow(self.probes);
        self.probes += 1;
        self.deadlines.insert((self.now + wait, PROBE));
    }

    /// The guest uses its address.
    pub(super) fn reached(&mut self) {
        if self.status.address.is_some() {
            return;
        }
        self.status.address = Some(self.options.guest);
        self.deadlines.retain(|(_, id)| *id != PROBE);
        (self.tell)(Event::Up { address: self.options.guest });
        for id in std::mem::take(&mut self.waiting) {
            self.open(id);
        }
    }

    /// Nobody has the address any longer, or somebody else.
    pub(super) fn down(&mut self) {
        (self.status.mac, self.status.address) = (None, None);
        self.deadlines.retain(|(_, id)| *id != PROBE);
        let begun = self.connections.iter().filter(|(_, connection)| connection.key.is_some());
        let mut ids: Vec<_> = begun.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        for id in ids {
            self.finish(id, CloseReason::AddressReleased);
        }
    }

    fn insert(&mut self, id: ConnectionId, kind: Kind, key: Option<Key>, due: Option<(Instant, CloseReason)>) {
        if let Some(key) = key {
            self.by_key.insert(key, id);
        }
        self.held += usize::from(kind.is_held());
        self.connections.insert(id, Connection { kind, key, credit: 0, ready: false, armed: None, due });
        if let Some((at, _)) = due {
            self.arm(id, at);
        }
    }

    /// Begins a connection to the guest, which has an address.
    fn open(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Kind::Waiting(open) = connection.kind else { return };
        let (protocol, guest_port) = match open {
            Open::Stream(port) => (Protocol::Tcp, port),
            Open::Datagrams(port) => (Protocol::Udp, port),
        };
        let Some(key) = self.free_key(protocol, guest_port) else { return self.finish(id, CloseReason::Refused) };
        let kind = match protocol {
            Protocol::Tcp => {
                Tcp::connect(&mut self.interface, self.options.guest, &key).map(|tcp| Kind::Tcp(Box::new(tcp)))
            }
            Protocol::Udp => Some(Kind::Udp(Udp::new(false, self.now))),
        };
        let Some(mut kind) = kind else { return self.finish(id, CloseReason::Refused) };
        if let Kind::Tcp(tcp) = &mut kind {
            tcp.deadline = Some((self.now + self.options.connect_timeout, CloseReason::ConnectTimeout));
        } else {
            (self.tell)(Event::Connected(id));
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            (connection.kind, connection.key, connection.due) = (kind, Some(key), None);
            self.by_key.insert(key, id);
        }
        self.make_ready(id);
    }

    /// A port of the gateway that is free for a connection to that port of the guest.
    fn free_key(&self, protocol: Protocol, guest_port: u16) -> Option<Key> {
        let key = |port: u16| Key { protocol, local: self.options.gateway, local_port: FIRST_PORT | port, guest_port };
        let is_free = |key: &Key| !self.by_key.contains_key(key);
        let random = (0..RANDOM_PORTS).map_while(|_| getrandom::u32().ok()).map(|random| key((random >> 16) as u16));
        let next = (0..=u16::MAX - FIRST_PORT).map(key);
        random.chain(next).find(is_free)
    }

    /// Makes a place for what the guest began, until the host says whether it may be.
    pub(super) fn hold(&mut self, key: Key, kind: Kind) -> Option<ConnectionId> {
        if self.held >= self.options.max_held {
            return None;
        }
        let id = lock(&self.shared.host).add(None, key.protocol == Protocol::Udp).ok()?;
        let due = (self.now + self.options.decision_timeout, CloseReason::DecisionTimeout);
        self.insert(id, kind, Some(key), Some(due));
        Some(id)
    }

    /// Does what the host ordered.
    pub(super) fn obey(&mut self, id: ConnectionId, orders: Orders) {
        if let Some(open) = orders.open {
            let due = (self.now + self.options.address_timeout, CloseReason::NoAddress);
            self.insert(id, Kind::Waiting(open), None, Some(due));
            if self.status.address.is_some() {
                self.open(id);
            } else {
                self.waiting.push(id);
            }
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.credit = connection.credit.saturating_add(orders.credit);
        if connection.kind.is_held() {
            match orders.reject {
                None if orders.close || orders.reset => return self.reject(id, Reject::Refused),
                None if orders.accept => self.accept(id),
                None => return,
                Some(how) => return self.reject(id, how),
            }
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match &mut connection.kind {
            Kind::Waiting(_) | Kind::Udp(_) if orders.reset => return self.finish(id, CloseReason::Aborted),
            Kind::Waiting(_) if orders.close => return self.finish(id, CloseReason::Done),
            Kind::Waiting(_) | Kind::Held(_) => {}
            Kind::Udp(udp) => udp.closing |= orders.close,
            Kind::Tcp(tcp) => {
                if orders.reset {
                    tcp.abort(CloseReason::Aborted);
                } else if orders.close {
                    tcp.close(self.now + self.options.linger_timeout);
                } else if orders.shut_down {
                    tcp.shut_down();
                }
            }
        }
        self.make_ready(id);
    }

    fn accept(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(key) = connection.key else { return };
        self.held -= 1;
        match &mut connection.kind {
            Kind::Held(packet) => {
                let packet = std::mem::take(packet);
                connection.due = None;
                let Some(mut tcp) = Tcp::listen(&key) else { return self.finish(id, CloseReason::Refused) };
                tcp.deadline = Some((self.now + self.options.connect_timeout, CloseReason::ConnectTimeout));
                tcp.receive(&packet, self.clock, &mut self.interface, &mut self.out);
                connection.kind = Kind::Tcp(Box::new(tcp));
            }
            Kind::Udp(udp) => {
                (udp.held, udp.used) = (false, self.now);
                let idle = self.now + self.options.idle_timeout;
                connection.due = Some((idle, CloseReason::IdleTimeout));
                self.arm(id, idle);
                (self.tell)(Event::Connected(id));
            }
            _ => {}
        }
    }

    fn reject(&mut self, id: ConnectionId, how: Reject) {
        self.refuse(id, how);
        self.finish(id, CloseReason::Rejected);
    }

    /// Tells the guest that it does not get what it began.
    fn refuse(&mut self, id: ConnectionId, how: Reject) {
        let Some(Connection { kind, key: Some(key), .. }) = self.connections.get(&id) else { return };
        let checksums = ChecksumCapabilities::default();
        if let Kind::Held(packet) = kind {
            let Ok(packet) = Ipv4Packet::new_checked(packet.as_slice()) else { return };
            let Ok(ip) = Ipv4Repr::parse(&packet, &checksums) else { return };
            let Ok(header) = TcpPacket::new_checked(packet.payload()) else { return };
            match TcpRepr::parse(&header, &ip.src_addr.into(), &ip.dst_addr.into(), &checksums) {
                Ok(segment) if how == Reject::Refused => self.out.refuse(&ip, &segment),
                _ => self.out.unreachable(
                    self.options.gateway,
                    &ip,
                    packet.payload(),
                    Icmpv4DstUnreachable::HostUnreachable,
                ),
            }
        } else {
            let ip = Ipv4Repr {
                src_addr: self.options.guest,
                dst_addr: key.local,
                next_header: smoltcp::wire::IpProtocol::Udp,
                payload_len: 8,
                hop_limit: 64,
            };
            let ([a, b], [c, d]) = (key.guest_port.to_be_bytes(), key.local_port.to_be_bytes());
            let (from, reason) = match how {
                Reject::Refused => (key.local, Icmpv4DstUnreachable::PortUnreachable),
                Reject::Unreachable => (self.options.gateway, Icmpv4DstUnreachable::HostUnreachable),
            };
            self.out.unreachable(from, &ip, &[a, b, c, d, 0, 8, 0, 0], reason);
        }
    }

    /// A connection is over: forgets it, then tells so.
    pub(super) fn finish(&mut self, id: ConnectionId, reason: CloseReason) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.held -= usize::from(connection.kind.is_held());
        if let Some(key) = connection.key {
            self.by_key.remove(&key);
        }
        if let Some(at) = connection.armed {
            self.deadlines.remove(&(at, id));
        }
        self.blocked.remove(&id);
        self.quiet.retain(|(_, other)| *other != id);
        if matches!(connection.kind, Kind::Waiting(_)) {
            self.waiting.retain(|other| *other != id);
        }
        lock(&self.shared.host).remove(id);
        (self.tell)(Event::Closed(id, reason));
    }

    pub(super) fn make_ready(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !std::mem::replace(&mut connection.ready, true)
        {
            self.ready.push_back(id);
        }
    }

    /// Has a connection looked at by then. One that is looked at earlier is looked at again.
    fn arm(&mut self, id: ConnectionId, at: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.armed.is_none_or(|armed| armed > at) {
            if let Some(armed) = connection.armed.replace(at) {
                self.deadlines.remove(&(armed, id));
            }
            self.deadlines.insert((at, id));
        }
    }

    /// Looks at the connections whose time has come.
    pub(super) fn take_deadlines(&mut self, unread: usize) {
        while let Some(&(at, id)) = self.deadlines.first() {
            if at > self.now {
                break;
            }
            self.deadlines.pop_first();
            if id == PROBE {
                self.probe();
                continue;
            }
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            connection.armed = None;
            match connection.due {
                Some((due, CloseReason::IdleTimeout)) if due <= self.now => self.idle(id),
                Some((due, reason)) if due <= self.now => {
                    self.refuse(id, Reject::Refused);
                    self.finish(id, reason);
                }
                Some((due, _)) => self.arm(id, due),
                None => self.wake(id, unread),
            }
        }
    }

    fn idle(&mut self, id: ConnectionId) {
        let Some(Connection { kind: Kind::Udp(udp), due, .. }) = self.connections.get_mut(&id) else { return };
        let idle = udp.used + self.options.idle_timeout;
        if idle <= self.now {
            self.finish(id, CloseReason::IdleTimeout);
        } else {
            *due = Some((idle, CloseReason::IdleTimeout));
            self.arm(id, idle);
        }
    }

    fn wake(&mut self, id: ConnectionId, unread: usize) {
        let Some(Connection { kind: Kind::Tcp(tcp), .. }) = self.connections.get_mut(&id) else { return };
        match tcp.deadline {
            Some((at, reason)) if at <= self.now => {
                tcp.deadline = None;
                tcp.abort(reason);
                self.make_ready(id);
            }
            // Nothing is lost on this cable: as long as there is anything that the guest did not read, that may be what it did not
            // acknowledge, and is not sent again.
            _ if unread > 0 => {
                self.quiet.insert((self.given, id));
                if let Some((at, _)) = tcp.deadline {
                    self.arm(id, at);
                }
            }
            _ => self.make_ready(id),
        }
    }

    /// One connection's turn.
    pub(super) fn turn_of(&mut self, id: ConnectionId, frames: &mut usize) {
        let Self { connections, interface, out, shared, tell, .. } = self;
        let Some(connection) = connections.get_mut(&id) else { return };
        connection.ready = false;
        let mut work = Work { clock: self.clock, interface, out, shared, tell: tell.as_ref(), frames };
        let credit = &mut connection.credit;
        let after = match (&mut connection.kind, connection.key) {
            (Kind::Tcp(tcp), _) => tcp.turn(id, credit, &mut work),
            (Kind::Udp(udp), Some(key)) => udp.turn(id, &key, self.options.guest, self.now, credit, &mut work),
            _ => return,
        };
        let own = match &connection.kind {
            Kind::Tcp(tcp) => tcp.deadline.map(|(at, _)| at),
            _ => None,
        };
        match after {
            After::Again => self.make_ready(id),
            After::Room => {
                self.blocked.insert(id);
            }
            After::Over(reason) => return self.finish(id, reason),
            After::Wait(at) => {
                if let Some(at) = at.map(|at| self.instant(at)) {
                    self.arm(id, at);
                }
            }
        }
        if let Some(at) = own {
            self.arm(id, at);
        }
    }

    /// When a time of the stack is, rounded up: it is asked again no sooner.
    fn instant(&self, at: StackInstant) -> Instant {
        self.begun + Duration::from_micros(u64::try_from(at.total_micros()).unwrap_or(0) + 1)
    }
}

/// Whom a connection is between: a port of the guest, and an address and a port at the driver's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) protocol: Protocol,
    pub(crate) local: Ipv4Addr,
    pub(crate) local_port: u16,
    pub(crate) guest_port: u16,
}
