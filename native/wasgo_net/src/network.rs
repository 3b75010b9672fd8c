//! The host's handle on a network.

use std::sync::Arc;

use bytes::Bytes;

use crate::cable::Port;
use crate::driver::Driver;
use crate::error::Error;
use crate::event::{ConnectionId, Event, Reject, WriteOutcome};
use crate::options::Options;
use crate::shared::{Open, Orders, Shared, lock};
use crate::status::Status;
use crate::timers::Timers;

/// A host's handle on a network. Nothing here waits for the network: what a function asks for is done by the driver, and answered by an
/// [`Event`]. When the last handle is dropped, the driver ends.
///
/// What is asked of a connection that is over is ignored, as its [`Event::Closed`] may be on the way.
#[derive(Clone)]
pub struct Network {
    end: Arc<HostEnd>,
}

struct HostEnd {
    shared: Arc<Shared>,
}

impl Drop for HostEnd {
    fn drop(&mut self) {
        lock(&self.shared.host).end();
        self.shared.bell.ring();
    }
}

impl Network {
    /// A network: the host's handle on it, the guest's end of the cable, and the driver, which is to be polled for anything to happen.
    /// `events` hears what happens, from within the driver.
    pub fn new<T: Timers>(
        options: Options,
        timers: T,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<(Self, Port, Driver<T>), Error> {
        options.check()?;
        let seed = getrandom::u64().map_err(|error| Error::Entropy(error.to_string()))?;
        let shared = Arc::new(Shared::new(options.max_connections));
        let driver = Driver::new(shared.clone(), options, seed, timers, Box::new(events));
        let port = Port::new(shared.clone());
        Ok((Self { end: Arc::new(HostEnd { shared }) }, port, driver))
    }

    fn add(&self, open: Open, port: u16, datagrams: bool) -> Result<ConnectionId, Error> {
        if port == 0 {
            return Err(Error::InvalidPort);
        }
        let id = lock(&self.end.shared.host).add(Some(open), datagrams)?;
        self.end.shared.bell.ring();
        Ok(id)
    }

    fn order(&self, id: ConnectionId, change: impl FnOnce(&mut Orders)) {
        let wake = lock(&self.end.shared.host).order(id, change);
        if wake {
            self.end.shared.bell.ring();
        }
    }

    /// The connection of a number, as [`ConnectionId::get`] gives it. One that never was or is over is none: what is asked of it is ignored.
    pub fn connection(&self, number: u64) -> ConnectionId {
        ConnectionId(number)
    }

    /// Connects to a port of the guest by TCP, as soon as the guest has an address. [`Event::Connected`] or [`Event::Closed`] answers.
    /// Nothing is read before [credit](Network::give_credit) is given, which may be done at once, as may writing.
    pub fn connect(&self, guest_port: u16) -> Result<ConnectionId, Error> {
        self.add(Open::Stream(guest_port), guest_port, false)
    }

    /// Opens a flow of datagrams (UDP) to a port of the guest, from a port of its own, as soon as the guest has an address. Each
    /// [`write`](Network::write) is a datagram, and so is each [`Event::Data`].
    pub fn open_datagrams(&self, guest_port: u16) -> Result<ConnectionId, Error> {
        self.add(Open::Datagrams(guest_port), guest_port, true)
    }

    /// Answers [`Event::Outgoing`]: the guest gets its connection, with the host at its other end.
    pub fn accept(&self, id: ConnectionId) {
        self.order(id, |orders| orders.accept = true);
    }

    /// Answers [`Event::Outgoing`]: the guest does not get its connection.
    pub fn reject(&self, id: ConnectionId, how: Reject) {
        self.order(id, |orders| orders.reject = Some(how));
    }

    /// Sends bytes, or a datagram. Taken whole or not at all: a connection's buffer takes writes as long as less than 256 KiB wait in it.
    pub fn write(&self, id: ConnectionId, bytes: Bytes) -> WriteOutcome {
        let (outcome, wake) = lock(&self.end.shared.host).write(id, bytes);
        if wake {
            self.end.shared.bell.ring();
        }
        outcome
    }

    /// The host will write no more: the guest finds the end of the stream after what was written. Reading goes on. A flow of datagrams
    /// has no such end, and just takes no more.
    pub fn shut_down(&self, id: ConnectionId) {
        self.order(id, |orders| orders.shut_down = true);
    }

    /// The host is done: what was written is sent, nothing more is told but [`Event::Closed`], and what still comes is thrown away.
    pub fn close(&self, id: ConnectionId) {
        self.order(id, |orders| orders.close = true);
    }

    /// Ends a connection at once: what was not sent is not, and the guest finds it reset.
    pub fn reset(&self, id: ConnectionId) {
        self.order(id, |orders| orders.reset = true);
    }

    /// Lets `bytes` more be told in [`Event::Data`]. There is none at first. Without credit the guest can send what fits into a window
    /// of 64 KiB, then has to wait; datagrams beyond such a number of bytes are dropped. A datagram costs its bytes, and at least one;
    /// it is told when there is credit for all of it.
    pub fn give_credit(&self, id: ConnectionId, bytes: usize) {
        self.order(id, |orders| orders.credit = orders.credit.saturating_add(bytes));
    }

    /// How the network is.
    pub fn status(&self) -> Status {
        let host = lock(&self.end.shared.host);
        Status { connections: host.connections(), ..host.status }
    }
}
