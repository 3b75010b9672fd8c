//! What handles and the driver share. Locks are held for pushing and taking, never while the stack works or an event is told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use crate::cable::Cable;
use crate::error::Error;
use crate::event::{ConnectionId, Reject, WriteOutcome};
use crate::status::Status;

/// Bytes that wait in a connection to be taken by the stack before its host is told to wait.
const WRITE_BUFFER: usize = 256 << 10;

/// Writes that wait, likewise: each costs more than its bytes.
const WRITE_CHUNKS: usize = 4_096;

/// The longest datagram that fits into a frame: 1,500 bytes without the headers of IP and UDP.
pub const MAX_DATAGRAM: usize = 1_472;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Shared {
    pub(crate) host: Mutex<Host>,
    pub(crate) cable: Mutex<Cable>,
    pub(crate) bell: Bell,
}

impl Shared {
    pub(crate) fn new(max_connections: usize) -> Self {
        let host = Host {
            slots: HashMap::new(),
            orders: VecDeque::new(),
            last_id: 0,
            max_connections,
            ended: false,
            status: Status::default(),
        };
        Self { host: Mutex::new(host), cable: Mutex::default(), bell: Bell::default() }
    }
}

/// Wakes the driver.
#[derive(Default)]
pub(crate) struct Bell(Mutex<Option<Waker>>);

impl Bell {
    /// To be called before the driver looks for work, so that what comes after its look rings.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut own = lock(&self.0);
        if !own.as_ref().is_some_and(|own| own.will_wake(waker)) {
            *own = Some(waker.clone());
        }
    }

    pub(crate) fn ring(&self) {
        let waker = lock(&self.0).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What hosts asked for, by connection. An order that comes again replaces itself, so that no queue of them can be full.
pub(crate) struct Host {
    slots: HashMap<ConnectionId, Slot>,
    /// The connections that have orders, each once.
    orders: VecDeque<ConnectionId>,
    last_id: u64,
    max_connections: usize,
    /// Nothing drives the network any longer, or its last handle is gone.
    pub(crate) ended: bool,
    pub(crate) status: Status,
}

#[derive(Default)]
struct Slot {
    pending: VecDeque<Bytes>,
    length: usize,
    datagrams: bool,
    /// The host will write no more, or may not.
    write_closed: bool,
    /// The host found the buffer full and is to be told when there is room.
    host_waits: bool,
    ordered: bool,
    orders: Orders,
}

impl Slot {
    fn full(&self) -> bool {
        self.length >= WRITE_BUFFER || self.pending.len() >= WRITE_CHUNKS
    }
}

/// What the driver is to do with a connection.
#[derive(Default, Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) open: Option<Open>,
    pub(crate) accept: bool,
    pub(crate) reject: Option<Reject>,
    pub(crate) credit: usize,
    pub(crate) shut_down: bool,
    pub(crate) close: bool,
    pub(crate) reset: bool,
}

/// A connection to the guest that is to be made.
#[derive(Clone, Copy)]
pub(crate) enum Open {
    Stream(u16),
    Datagrams(u16),
}

/// What was taken out of a connection's buffer.
pub(crate) struct Taken {
    pub(crate) chunks: Vec<Bytes>,
    /// There is more.
    pub(crate) more: bool,
    /// The host waited for the room that there is now.
    pub(crate) writable: bool,
}

impl Host {
    /// Makes a place for a connection, if there may be one more.
    pub(crate) fn add(&mut self, open: Option<Open>, datagrams: bool) -> Result<ConnectionId, Error> {
        if self.ended {
            return Err(Error::Ended);
        }
        if self.slots.len() >= self.max_connections {
            return Err(Error::TooManyConnections { max: self.max_connections });
        }
        self.last_id += 1;
        let id = ConnectionId(self.last_id);
        let ordered = open.is_some();
        let orders = Orders { open, ..Orders::default() };
        self.slots.insert(id, Slot { datagrams, ordered, orders, ..Slot::default() });
        if ordered {
            self.orders.push_back(id);
        }
        Ok(id)
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) {
        self.slots.remove(&id);
    }

    pub(crate) fn connections(&self) -> usize {
        self.slots.len()
    }

    /// Nothing is done any longer.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.slots = HashMap::new();
        self.orders = VecDeque::new();
    }

    /// Changes what is ordered; whether the driver is to be woken for it.
    pub(crate) fn order(&mut self, id: ConnectionId, change: impl FnOnce(&mut Orders)) -> bool {
        let Some(slot) = self.slots.get_mut(&id) else { return false };
        change(&mut slot.orders);
        slot.write_closed |= slot.orders.shut_down || slot.orders.close || slot.orders.reset;
        if slot.orders.close || slot.orders.reset {
            slot.host_waits = false;
        }
        let first = !std::mem::replace(&mut slot.ordered, true);
        if first {
            self.orders.push_back(id);
        }
        first
    }

    /// Takes bytes whole as long as the buffer is not full before, so that it holds at most its size and one write.
    pub(crate) fn write(&mut self, id: ConnectionId, bytes: Bytes) -> (WriteOutcome, bool) {
        let Some(slot) = self.slots.get_mut(&id) else { return (WriteOutcome::Closed, false) };
        if slot.write_closed {
            return (WriteOutcome::Closed, false);
        }
        if slot.datagrams && bytes.len() > MAX_DATAGRAM {
            return (WriteOutcome::TooLong, false);
        }
        if slot.full() {
            slot.host_waits = true;
            return (WriteOutcome::Full, false);
        }
        if bytes.is_empty() && !slot.datagrams {
            return (WriteOutcome::Written, false);
        }
        slot.length += bytes.len();
        slot.pending.push_back(bytes);
        (WriteOutcome::Written, self.order(id, |_| ()))
    }

    pub(crate) fn next_orders(&mut self) -> Option<(ConnectionId, Orders)> {
        loop {
            let id = self.orders.pop_front()?;
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.ordered = false;
                let orders = slot.orders;
                // What is said of the end holds from then on; the rest is done once.
                slot.orders = Orders {
                    shut_down: orders.shut_down,
                    close: orders.close,
                    reset: orders.reset,
                    ..Orders::default()
                };
                return Some((id, orders));
            }
        }
    }

    pub(crate) fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Takes at most `max` bytes of a stream.
    pub(crate) fn take_bytes(&mut self, id: ConnectionId, max: usize) -> Taken {
        let mut room = max;
        self.take(id, |first| {
            let part = first.split_to(room.min(first.len()));
            room -= part.len();
            Some(part).filter(|part| !part.is_empty())
        })
    }

    /// Takes at most `max` datagrams.
    pub(crate) fn take_datagrams(&mut self, id: ConnectionId, max: usize) -> Taken {
        let mut room = max;
        self.take(id, |first| {
            room = room.checked_sub(1)?;
            Some(std::mem::take(first))
        })
    }

    fn take(&mut self, id: ConnectionId, mut take: impl FnMut(&mut Bytes) -> Option<Bytes>) -> Taken {
        let mut taken = Taken { chunks: Vec::new(), more: false, writable: false };
        let Some(slot) = self.slots.get_mut(&id) else { return taken };
        while let Some(first) = slot.pending.front_mut() {
            let Some(part) = take(first) else { break };
            if first.is_empty() {
                slot.pending.pop_front();
            }
            slot.length -= part.len();
            taken.chunks.push(part);
        }
        taken.more = !slot.pending.is_empty();
        taken.writable = !slot.full() && !slot.write_closed && std::mem::take(&mut slot.host_waits);
        taken
    }
}
