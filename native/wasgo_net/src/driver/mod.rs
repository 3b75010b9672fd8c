//! What drives a network: the guest's frames in, its connections' turns, frames out.

mod dhcp;
mod dns;
mod ingress;
pub(crate) mod names;
mod out;
mod table;
mod tcp;
mod udp;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use smoltcp::iface::{Config, Interface};
use smoltcp::time::Instant as StackInstant;
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::cable::TO_GUEST;
use crate::event::{BrokenReason, CloseReason, ConnectionId, Event};
use crate::frames::{Frames, Next};
use crate::options::Options;
use crate::shared::{Shared, lock};
use crate::status::Status;
use crate::timers::Timers;
use out::{Out, Wire};
use table::Connection;
pub(crate) use table::Key;

/// Frames that one poll takes from the guest, at most. All that a poll does takes some 100 us.
const POLL_FRAMES_IN: usize = 128;

/// Frames that one poll sends to it.
const POLL_FRAMES_OUT: usize = 128;

/// Connections whose orders one poll obeys, and those that have their turn.
const POLL_CONNECTIONS: usize = 128;

/// Bytes that the buffers of a driver that has nothing to do may keep.
pub(crate) const IDLE_BUFFER: usize = 16 << 10;

type Tell = Box<dyn Fn(Event) + Send + Sync>;

/// Drives a network: a future that is ready when the network is over. It does a bounded amount of work each time it is polled, then
/// has itself woken and lets others have their turn. Dropping it ends the network too, without another event.
#[must_use = "nothing happens in a network unless its driver is polled"]
pub struct Driver<T: Timers> {
    stack: Stack,
    timers: T,
    alarm: Option<Alarm<T::Timer>>,
    over: bool,
}

struct Alarm<T> {
    at: Instant,
    waker: Waker,
    _timer: T,
}

/// What becomes of a driver after a turn.
enum Turn {
    /// There is more to do.
    More,
    /// There is nothing to do until it is woken.
    Idle,
    Over(Option<BrokenReason>),
}

impl<T: Timers> Driver<T> {
    pub(crate) fn new(shared: Arc<Shared>, options: Options, seed: u64, timers: T, tell: Tell) -> Self {
        let begun = timers.now();
        Self { stack: Stack::new(shared, options, seed, begun, tell), timers, alarm: None, over: false }
    }

    /// Has the driver woken when the next connection is to be looked at.
    fn set_alarm(&mut self, waker: &Waker) {
        let Some(&(at, _)) = self.stack.deadlines.first() else {
            self.alarm = None;
            return;
        };
        // One that rings too early costs less than setting another for each frame.
        let keeps = |alarm: &Alarm<_>| alarm.at <= at && alarm.at > self.stack.now && alarm.waker.will_wake(waker);
        if !self.alarm.as_ref().is_some_and(keeps) {
            self.alarm = None;
            self.alarm = Some(Alarm { at, waker: waker.clone(), _timer: self.timers.wake_at(at, waker.clone()) });
        }
    }
}

/// Nothing in it is ever pinned.
impl<T: Timers> Unpin for Driver<T> {}

impl<T: Timers> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(());
        }
        this.stack.shared.bell.listen(context.waker());
        let now = this.timers.now();
        // The guest is hostile, and what takes its packets is large: should it fail at one, that guest's network ends and no other.
        let turn = catch_unwind(AssertUnwindSafe(|| this.stack.turn(now)));
        match turn.unwrap_or(Turn::Over(Some(BrokenReason::Fault))) {
            Turn::More => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Turn::Idle => {
                this.stack.rest();
                this.set_alarm(context.waker());
                Poll::Pending
            }
            Turn::Over(broken) => {
                (this.over, this.alarm) = (true, None);
                this.stack.end(broken);
                Poll::Ready(())
            }
        }
    }
}

struct Stack {
    shared: Arc<Shared>,
    options: Options,
    tell: Tell,
    interface: Interface,
    frames: Frames,
    /// The buffer that the guest's next bytes are exchanged for.
    spare: Vec<u8>,
    out: Out,
    dhcp: dhcp::Dhcp,
    names: names::Names,
    connections: HashMap<ConnectionId, Connection>,
    by_key: HashMap<Key, ConnectionId>,
    /// Those that have their turn next.
    ready: VecDeque<ConnectionId>,
    /// Those that wait for the guest to have an address.
    waiting: Vec<ConnectionId>,
    /// Those that wait for the guest to read, so that there is room.
    blocked: BTreeSet<ConnectionId>,
    /// Those that wait for the guest to have read what it was given, up to that byte.
    quiet: BTreeSet<(u64, ConnectionId)>,
    /// How many bytes the guest was given.
    given: u64,
    deadlines: BTreeSet<(Instant, ConnectionId)>,
    /// How many wait for the host to accept them.
    held: usize,
    /// How often the guest was asked whether it uses its address.
    probes: u32,
    status: Status,
    begun: Instant,
    now: Instant,
    /// The same as the TCP stack counts it.
    clock: StackInstant,
}

impl Drop for Stack {
    fn drop(&mut self) {
        lock(&self.shared.host).end();
        self.shared.end_cable();
    }
}

impl Stack {
    fn new(shared: Arc<Shared>, options: Options, seed: u64, now: Instant, tell: Tell) -> Self {
        let mut out = Out::new(options.gateway_mac);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut Wire { packet: None, out: &mut out }, StackInstant::ZERO);
        // There is room for one, so that it does not fail.
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(options.gateway.into(), options.prefix));
        });
        // Which addresses are answered for is decided before a packet comes to the stack.
        interface.set_any_ip(true);
        Self {
            shared,
            options,
            tell,
            interface,
            frames: Frames::default(),
            spare: Vec::new(),
            out,
            dhcp: dhcp::Dhcp::default(),
            names: names::Names::default(),
            connections: HashMap::new(),
            by_key: HashMap::new(),
            ready: VecDeque::new(),
            waiting: Vec::new(),
            blocked: BTreeSet::new(),
            quiet: BTreeSet::new(),
            given: 0,
            deadlines: BTreeSet::new(),
            held: 0,
            probes: 0,
            status: Status::default(),
            begun: now,
            now,
            clock: StackInstant::ZERO,
        }
    }

    fn turn(&mut self, now: Instant) -> Turn {
        self.now = now;
        self.clock = StackInstant::from_micros(i64::try_from((now - self.begun).as_micros()).unwrap_or(i64::MAX));
        let unread = self.shared.unread();
        self.out.begin(unread);
        let mut more = match self.take_orders() {
            Some(more) => more,
            None => return Turn::Over(None),
        };
        match self.take_frames() {
            Turn::More => more = true,
            Turn::Idle => {}
            over => {
                self.flush();
                return over;
            }
        }
        self.take_deadlines(unread);
        self.unblock(unread);
        more |= self.take_turns();
        self.flush();
        if !more && self.wait_for_guest() {
            more = true;
        }
        if more { Turn::More } else { Turn::Idle }
    }

    /// Gives back what only a flood needs.
    fn rest(&mut self) {
        self.frames.rest();
        if self.spare.capacity() > IDLE_BUFFER {
            self.spare = Vec::new();
        }
    }

    /// Whether there are more orders; none when the host is gone.
    fn take_orders(&mut self) -> Option<bool> {
        for _ in 0..POLL_CONNECTIONS {
            let mut host = lock(&self.shared.host);
            if host.ended {
                return None;
            }
            let Some((id, orders)) = host.next_orders() else { return Some(false) };
            drop(host);
            self.obey(id, orders);
        }
        Some(lock(&self.shared.host).has_orders())
    }

    fn take_frames(&mut self) -> Turn {
        // While they are taken out of it, the buffer is nobody else's.
        let mut frames = std::mem::take(&mut self.frames);
        let turn = self.take_frames_of(&mut frames);
        self.frames = frames;
        turn
    }

    fn take_frames_of(&mut self, frames: &mut Frames) -> Turn {
        let mut filled = false;
        for _ in 0..POLL_FRAMES_IN {
            match frames.next() {
                Next::Frame(range) => self.take_frame(frames.bytes(range)),
                Next::Dropped => {
                    self.status.received.frames += 1;
                    self.status.dropped.length += 1;
                }
                Next::Broken(reason) => return Turn::Over(Some(reason)),
                Next::Missing if filled => return Turn::Idle,
                Next::Missing => {
                    filled = true;
                    if !self.shared.take_from_guest(&mut self.spare) {
                        return Turn::Over(None);
                    }
                    frames.fill(&mut self.spare);
                }
            }
        }
        Turn::More
    }

    /// Gives those a turn who waited for the guest to read what it has read by now.
    fn unblock(&mut self, unread: usize) {
        let woken = if self.out.has_room() { std::mem::take(&mut self.blocked) } else { BTreeSet::new() };
        woken.into_iter().for_each(|id| self.make_ready(id));
        let read = self.given.saturating_sub(unread as u64);
        while let Some((_, id)) = self.quiet.first().copied().filter(|(mark, _)| *mark <= read) {
            self.quiet.pop_first();
            self.make_ready(id);
        }
    }

    /// Whether there are more turns to be had.
    fn take_turns(&mut self) -> bool {
        let mut frames = POLL_FRAMES_OUT;
        for _ in 0..POLL_CONNECTIONS {
            if frames == 0 {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            self.turn_of(id, &mut frames);
        }
        !self.ready.is_empty()
    }

    /// Gives the guest what there is for it, and publishes how the network is.
    fn flush(&mut self) {
        let batch = self.out.batch();
        if !batch.is_empty() {
            self.given += batch.len() as u64;
            self.shared.give_to_guest(batch);
        }
        self.status.sent = self.out.sent;
        self.status.dropped.unread = self.out.dropped;
        self.status.names = self.names.len();
        lock(&self.shared.host).status = self.status;
    }

    /// Has the driver woken when the guest read what somebody waits for; true if it did already.
    fn wait_for_guest(&self) -> bool {
        let room = (!self.blocked.is_empty()).then_some(TO_GUEST / 2);
        let read = self.quiet.first().map(|(mark, _)| usize::try_from(self.given - mark).unwrap_or(usize::MAX));
        let unread = room.into_iter().chain(read).max();
        self.shared.want_unread(unread)
    }

    /// Ends everything, and tells so: unless it is the host that ended it, which wants to hear no more.
    fn end(&mut self, broken: Option<BrokenReason>) {
        let host_ended = lock(&self.shared.host).ended;
        let reason = if let Some(broken) = broken {
            (self.tell)(Event::Broken(broken));
            CloseReason::Broken
        } else {
            CloseReason::Unplugged
        };
        let mut ids: Vec<_> = self.connections.keys().copied().collect();
        ids.sort_unstable();
        if host_ended {
            self.connections.clear();
        }
        for id in ids {
            self.finish(id, reason);
        }
        // Those whose order to begin was not read.
        let unread = {
            let mut host = lock(&self.shared.host);
            let mut unread = Vec::new();
            while let Some((id, _)) = host.next_orders() {
                unread.push(id);
            }
            host.end();
            unread
        };
        if !host_ended {
            unread.into_iter().for_each(|id| (self.tell)(Event::Closed(id, reason)));
        }
        self.shared.end_cable();
    }
}
