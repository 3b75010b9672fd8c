//! One TCP connection: a socket of the stack, and what its host was told of it.

use std::net::Ipv4Addr;
use std::time::Instant;

use bytes::Bytes;
use smoltcp::iface::{Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant as StackInstant};
use smoltcp::wire::IpListenEndpoint;

use super::Key;
use super::out::{Out, Wire};
use crate::event::{CloseReason, ConnectionId, Event};
use crate::shared::{Shared, lock};

/// The window that a guest has. Just what fits into its field without scaling: scaled windows are rounded down, so that their edge
/// moves back and forth, and what was sent up to the edge may be beyond it when it comes.
const RECEIVE_BUFFER: usize = 65_535;

/// What was sent and not acknowledged yet, or is to be sent.
const SEND_BUFFER: usize = 256 << 10;

/// Bytes that one event has at most.
const EVENT_SIZE: usize = 64 << 10;

/// Frames that one connection sends before others have their turn.
const TURN_FRAMES: usize = 16;

/// What a connection needs for its turn.
pub(crate) struct Work<'a> {
    pub(crate) clock: StackInstant,
    pub(crate) interface: &'a mut Interface,
    pub(crate) out: &'a mut Out,
    pub(crate) shared: &'a Shared,
    pub(crate) tell: &'a (dyn Fn(Event) + Send + Sync),
    /// Frames that may still be sent before the driver yields.
    pub(crate) frames: &'a mut usize,
}

/// What a connection waits for after its turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Its next turn.
    Again,
    /// The guest to read.
    Room,
    /// Anything to happen to it, or the time.
    Wait(Option<StackInstant>),
    /// Nothing: it is over.
    Over(CloseReason),
}

pub(crate) struct Tcp {
    /// A set of its own: the stack looks at every socket of a set for every packet.
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// The guest began it.
    incoming: bool,
    /// Until when something must have happened, and what it is if it did not.
    pub(crate) deadline: Option<(Instant, CloseReason)>,
    connected: bool,
    guest_ended: bool,
    end_told: bool,
    /// Nothing more will be written.
    shut_down: bool,
    /// Nothing more is to be told, and by then it is to be over.
    closing_until: Option<Instant>,
    /// The end was said to the stack.
    ended: bool,
    ended_by_us: Option<CloseReason>,
}

impl Tcp {
    fn new(incoming: bool) -> Self {
        let buffer = |size| SocketBuffer::new(vec![0; size]);
        let mut socket = Socket::new(buffer(RECEIVE_BUFFER), buffer(SEND_BUFFER));
        // Who waits for a small piece is not to wait for another one, nor for an acknowledgement.
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        // There is nothing on this cable that could be congested: the device takes what the guest has room for.
        socket.set_congestion_control(CongestionControl::None);
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Self {
            sockets,
            handle,
            incoming,
            deadline: None,
            connected: false,
            guest_ended: false,
            end_told: false,
            shut_down: false,
            closing_until: None,
            ended: false,
            ended_by_us: None,
        }
    }

    /// A connection to a port of the guest.
    pub(crate) fn connect(interface: &mut Interface, guest: Ipv4Addr, key: &Key) -> Option<Self> {
        let mut tcp = Self::new(false);
        let socket = tcp.sockets.get_mut::<Socket<'_>>(tcp.handle);
        socket.connect(interface.context(), (guest, key.guest_port), (key.local, key.local_port)).ok()?;
        Some(tcp)
    }

    /// A connection that the guest asks for.
    pub(crate) fn listen(key: &Key) -> Option<Self> {
        let mut tcp = Self::new(true);
        let endpoint = IpListenEndpoint { addr: Some(key.local.into()), port: key.local_port };
        tcp.socket().listen(endpoint).ok()?;
        Some(tcp)
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// Takes a packet that is for this connection.
    pub(crate) fn receive(&mut self, packet: &[u8], clock: StackInstant, interface: &mut Interface, out: &mut Out) {
        interface.poll_ingress_single(clock, &mut Wire { packet: Some(packet), out }, &mut self.sockets);
    }

    pub(crate) fn shut_down(&mut self) {
        self.shut_down = true;
    }

    pub(crate) fn close(&mut self, deadline: Instant) {
        if self.closing_until.is_none() {
            (self.shut_down, self.closing_until) = (true, Some(deadline));
            if self.connected {
                self.deadline = Some((deadline, CloseReason::LingerTimeout));
            }
        }
    }

    /// Ends it at once, with a reset.
    pub(crate) fn abort(&mut self, reason: CloseReason) {
        self.ended_by_us.get_or_insert(reason);
        self.socket().abort();
    }

    /// Its turn: tells what came, takes what is to go, and sends.
    pub(crate) fn turn(&mut self, id: ConnectionId, credit: &mut usize, work: &mut Work<'_>) -> After {
        self.tell_connected(id, work);
        self.tell_data(id, credit, work);
        self.take_written(id, work);
        let after = self.send(work);
        match self.over(id, after == After::Room, work) {
            Some(reason) => After::Over(reason),
            None => after,
        }
    }

    fn tell_connected(&mut self, id: ConnectionId, work: &Work<'_>) {
        let there =
            !matches!(self.socket().state(), State::Closed | State::Listen | State::SynSent | State::SynReceived);
        if !self.connected && there {
            self.connected = true;
            self.deadline = self.closing_until.map(|until| (until, CloseReason::LingerTimeout));
            if self.closing_until.is_none() {
                (work.tell)(Event::Connected(id));
            }
        }
    }

    fn tell_data(&mut self, id: ConnectionId, credit: &mut usize, work: &Work<'_>) {
        let closing = self.closing_until.is_some();
        let socket = self.socket();
        while socket.can_recv() && (closing || *credit > 0) {
            let read = socket.recv(|bytes| {
                let length = if closing { bytes.len() } else { bytes.len().min(*credit).min(EVENT_SIZE) };
                (length, if closing { Bytes::new() } else { Bytes::copy_from_slice(&bytes[..length]) })
            });
            let Ok(bytes) = read else { break };
            if !closing {
                *credit -= bytes.len();
                (work.tell)(Event::Data(id, bytes));
            }
        }
    }

    /// What there is no room for is taken later: room comes with acknowledgements, which give this connection its turn.
    fn take_written(&mut self, id: ConnectionId, work: &Work<'_>) {
        if !self.socket().may_send() {
            return;
        }
        let socket = self.socket();
        let taken = lock(&work.shared.host).take_bytes(id, socket.send_capacity() - socket.send_queue());
        for chunk in &taken.chunks {
            // It has room for all of it, as it was asked.
            let _ = socket.send_slice(chunk);
        }
        if taken.writable {
            (work.tell)(Event::Writable(id));
        }
        if self.shut_down && !taken.more && !self.ended {
            self.ended = true;
            self.socket().close();
        }
    }

    fn send(&mut self, work: &mut Work<'_>) -> After {
        for _ in 0..TURN_FRAMES {
            let at = work.interface.poll_at(work.clock, &self.sockets);
            if at.is_none_or(|at| at > work.clock) {
                return After::Wait(at);
            }
            if !work.out.has_room() {
                return After::Room;
            }
            if *work.frames == 0 {
                return After::Again;
            }
            let sent =
                work.interface.poll_egress(work.clock, &mut Wire { packet: None, out: work.out }, &mut self.sockets);
            if sent == PollResult::None {
                // It had nothing to send after all, and may just have found that out: it is asked again, but not at once.
                let at = work.interface.poll_at(work.clock, &self.sockets);
                return After::Wait(at.map(|at| at.max(work.clock + Duration::from_millis(1))));
            }
            *work.frames -= 1;
        }
        After::Again
    }

    fn over(&mut self, id: ConnectionId, blocked: bool, work: &Work<'_>) -> Option<CloseReason> {
        let (state, unread) = (self.socket().state(), self.socket().recv_queue());
        self.guest_ended |= matches!(state, State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        if self.guest_ended && unread == 0 && !self.end_told {
            self.end_told = true;
            if self.closing_until.is_none() {
                (work.tell)(Event::PeerClosed(id));
            }
        }
        let done = self.guest_ended && self.ended;
        match (state, self.ended_by_us) {
            // If there was no room for the reset, the guest gets one when it next says something.
            (State::Closed | State::Listen, Some(reason)) => Some(reason),
            // The last acknowledgement is to be on its way.
            (State::TimeWait, None) if blocked => None,
            // Both sides are done. The guest may repeat its last word, and is then answered with a reset instead of by a connection that
            // is kept for it.
            (State::Closed | State::TimeWait, None) if done => self.end_told.then_some(CloseReason::Done),
            (State::Closed, None) if !self.connected && !self.incoming => Some(CloseReason::Refused),
            // A reset brings one that listened back to listening.
            (State::Closed | State::Listen, None) => Some(CloseReason::Reset),
            _ => None,
        }
    }
}
