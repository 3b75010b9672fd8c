//! One flow of datagrams: an address and port outside, or a port of the gateway, and a port of the guest.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Instant;

use bytes::Bytes;

use super::Key;
use super::tcp::{After, Work};
use crate::event::{CloseReason, ConnectionId, Event};
use crate::shared::lock;

/// Datagrams that wait for credit, or to be accepted.
const INBOX: usize = 32;

/// Datagrams that are sent before others have their turn.
const TURN_DATAGRAMS: usize = 16;

pub(crate) struct Udp {
    /// Not accepted yet.
    pub(crate) held: bool,
    inbox: VecDeque<Bytes>,
    /// When a datagram last went either way.
    pub(crate) used: Instant,
    pub(crate) closing: bool,
}

impl Udp {
    pub(crate) fn new(held: bool, now: Instant) -> Self {
        Self { held, inbox: VecDeque::new(), used: now, closing: false }
    }

    /// Takes a datagram from the guest, if there is room for it.
    pub(crate) fn receive(&mut self, payload: &[u8], now: Instant) -> bool {
        self.used = now;
        let room = self.inbox.len() < INBOX;
        if room && !self.closing {
            self.inbox.push_back(Bytes::copy_from_slice(payload));
        }
        room
    }

    /// Its turn: tells what came, and sends what is to go.
    pub(crate) fn turn(
        &mut self,
        id: ConnectionId,
        key: &Key,
        guest: Ipv4Addr,
        now: Instant,
        credit: &mut usize,
        work: &mut Work<'_>,
    ) -> After {
        if self.held {
            return After::Wait(None);
        }
        while let Some(first) = self.inbox.front() {
            let Some(rest) = credit.checked_sub(first.len().max(1)) else { break };
            *credit = rest;
            if let Some(datagram) = self.inbox.pop_front() {
                (work.tell)(Event::Data(id, datagram));
            }
        }
        let mut sent = 0;
        let more = loop {
            let room = work.out.has_room() && *work.frames > 0 && sent < TURN_DATAGRAMS;
            let taken = lock(&work.shared.host).take_datagrams(id, usize::from(room));
            for datagram in &taken.chunks {
                work.out.datagram((key.local, key.local_port), (guest, key.guest_port), datagram);
                self.used = now;
                *work.frames -= 1;
                sent += 1;
            }
            if taken.writable {
                (work.tell)(Event::Writable(id));
            }
            if taken.chunks.is_empty() {
                break taken.more;
            }
        };
        if more {
            return if work.out.has_room() { After::Again } else { After::Room };
        }
        if self.closing { After::Over(CloseReason::Done) } else { After::Wait(None) }
    }
}
