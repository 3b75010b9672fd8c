//! A guest, made of a TCP/IP stack of its own, at the other end of a network's cable; and a clock that stands still while anything
//! happens, then goes to the next time that anybody waits for. No test waits for real time.
#![allow(dead_code, reason = "each test program uses a part")]

pub mod packets;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{dhcpv4, tcp, udp};
use smoltcp::time::Instant as GuestInstant;
use smoltcp::wire::{EthernetAddress, IpCidr};
use wasgo_net::{CloseReason, ConnectionId, Driver, Event, Network, Options, Port, Timers, WriteOutcome};

pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 127, 1);
pub const GUEST: Ipv4Addr = Ipv4Addr::new(192, 168, 127, 3);
pub const GUEST_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Credit for everything that will ever come.
pub const ALL: usize = usize::MAX;

#[derive(Default)]
struct Ordered {
    offset: Duration,
    last: u64,
    wakers: BTreeMap<(Duration, u64), Waker>,
}

/// The clock.
#[derive(Clone)]
pub struct Clock {
    begun: Instant,
    ordered: Arc<Mutex<Ordered>>,
}

pub struct Timer {
    clock: Clock,
    key: (Duration, u64),
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clock.ordered.lock().unwrap().wakers.remove(&self.key);
    }
}

impl Timers for Clock {
    type Timer = Timer;

    fn wake_at(&self, at: Instant, waker: Waker) -> Timer {
        let mut ordered = self.ordered.lock().unwrap();
        ordered.last += 1;
        let key = (at.saturating_duration_since(self.begun), ordered.last);
        ordered.wakers.insert(key, waker);
        Timer { clock: self.clone(), key }
    }

    fn now(&self) -> Instant {
        self.begun + self.offset()
    }
}

impl Clock {
    fn new() -> Self {
        Self { begun: Instant::now(), ordered: Arc::default() }
    }

    pub fn offset(&self) -> Duration {
        self.ordered.lock().unwrap().offset
    }

    fn next(&self) -> Option<Duration> {
        self.ordered.lock().unwrap().wakers.keys().next().map(|(at, _)| *at)
    }

    fn go_to(&self, at: Duration) {
        let due = {
            let mut ordered = self.ordered.lock().unwrap();
            ordered.offset = ordered.offset.max(at);
            let later = ordered.wakers.split_off(&(at + Duration::from_nanos(1), 0));
            std::mem::replace(&mut ordered.wakers, later)
        };
        due.into_values().for_each(Waker::wake);
    }
}

#[derive(Default)]
pub struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The guest's end of the cable as a network card: whole frames.
pub struct Card {
    port: Port,
    unsent: VecDeque<u8>,
    unparsed: Vec<u8>,
    received: VecDeque<Vec<u8>>,
    /// Every such frame is lost, either way.
    pub lose_every: Option<u64>,
    frames: u64,
    /// Bytes that are written at once.
    pub piece: usize,
    /// Frames that came, if they are to be kept.
    pub log: Option<Vec<Vec<u8>>>,
    /// It reads nothing.
    pub deaf: bool,
}

impl Card {
    fn lost(&mut self) -> bool {
        self.frames += 1;
        self.lose_every.is_some_and(|every| self.frames.is_multiple_of(every))
    }

    pub fn send(&mut self, frame: &[u8]) {
        if !self.lost() {
            self.unsent.extend((frame.len() as u32).to_be_bytes());
            self.unsent.extend(frame);
        }
    }

    /// Moves bytes both ways; whether any moved.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        loop {
            let (bytes, _) = self.unsent.as_slices();
            let sent = self.port.send(&bytes[..bytes.len().min(self.piece)]);
            if sent == 0 {
                break;
            }
            self.unsent.drain(..sent);
            moved = true;
        }
        let mut buffer = [0; 16 << 10];
        while !self.deaf {
            let read = self.port.receive(&mut buffer);
            if read == 0 {
                break;
            }
            self.unparsed.extend_from_slice(&buffer[..read]);
            moved = true;
        }
        let mut start = 0;
        while let Some((length, rest)) = self.unparsed[start..].split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            assert!((14..=1514).contains(&length), "a frame of {length} bytes");
            let Some(frame) = rest.get(..length) else { break };
            let frame = frame.to_vec();
            start += 4 + length;
            if let Some(log) = &mut self.log {
                log.push(frame.clone());
            }
            if !self.lost() {
                self.received.push_back(frame);
            }
        }
        self.unparsed.drain(..start);
        moved
    }
}

pub struct Received(Vec<u8>);
pub struct Sending<'a>(&'a mut Card);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; length];
        let result = fill(&mut frame);
        self.0.send(&frame);
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: GuestInstant) -> Option<(Received, Sending<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Sending(self)))
    }

    fn transmit(&mut self, _: GuestInstant) -> Option<Sending<'_>> {
        (self.unsent.len() < 256 << 10).then_some(Sending(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// A network, its driver, and a guest.
pub struct World {
    pub network: Option<Network>,
    pub port: Port,
    pub clock: Clock,
    pub card: Card,
    pub sockets: SocketSet<'static>,
    pub interface: Interface,
    events: Arc<Mutex<VecDeque<Event>>>,
    driver: Option<Pin<Box<Driver<Clock>>>>,
    flag: Arc<Flag>,
    /// Whether the guest's stack runs.
    pub guest_runs: bool,
    /// How often the driver was polled.
    pub polls: u64,
}

pub type Tcp = tcp::Socket<'static>;
pub type Udp = udp::Socket<'static>;

impl World {
    pub fn new(options: Options) -> Self {
        let clock = Clock::new();
        let events = Arc::new(Mutex::new(VecDeque::new()));
        let heard = events.clone();
        let (network, port, driver) =
            Network::new(options, clock.clone(), move |event| heard.lock().unwrap().push_back(event)).unwrap();
        let mut card = Card {
            port: port.clone(),
            unsent: VecDeque::new(),
            unparsed: Vec::new(),
            received: VecDeque::new(),
            lose_every: None,
            frames: 0,
            piece: usize::MAX,
            log: None,
            deaf: false,
        };
        let mut config = Config::new(EthernetAddress(GUEST_MAC).into());
        config.random_seed = 7;
        let interface = Interface::new(config, &mut card, GuestInstant::ZERO);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        Self {
            network: Some(network),
            port,
            clock,
            card,
            sockets: SocketSet::new(Vec::new()),
            interface,
            events,
            driver: Some(Box::pin(driver)),
            flag,
            guest_runs: true,
            polls: 0,
        }
    }

    /// One whose guest has its address.
    pub fn up(options: Options) -> Self {
        let mut world = Self::new(options);
        world.lease();
        world
    }

    pub fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }

    /// Has the guest get its address.
    pub fn lease(&mut self) {
        let handle = self.sockets.add(dhcpv4::Socket::new());
        let config = self.until(|world| match world.sockets.get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
            Some(dhcpv4::Event::Configured(config)) => {
                Some((config.address, config.router, config.dns_servers.clone()))
            }
            _ => None,
        });
        assert_eq!((config.0.address(), config.0.prefix_len(), config.1), (GUEST, 24, Some(GATEWAY)));
        assert_eq!(config.2.as_slice(), [GATEWAY]);
        self.sockets.remove(handle);
        self.take_address();
        assert_eq!(self.event(), Event::Up { address: GUEST });
    }

    pub fn take_address(&mut self) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            addresses.push(IpCidr::new(GUEST.into(), 24)).unwrap();
        });
        self.interface.routes_mut().add_default_ipv4_route(GATEWAY).unwrap();
    }

    /// Whether the driver has ended.
    pub fn is_over(&self) -> bool {
        self.driver.is_none()
    }

    pub fn drop_driver(&mut self) {
        self.driver = None;
    }

    fn poll_driver(&mut self) -> bool {
        if !self.flag.0.swap(false, Ordering::SeqCst) {
            return false;
        }
        let Some(driver) = &mut self.driver else { return false };
        self.polls += 1;
        let waker = Waker::from(self.flag.clone());
        if driver.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(()) {
            self.driver = None;
        }
        true
    }

    fn guest_now(&self) -> GuestInstant {
        GuestInstant::from_micros(self.clock.offset().as_micros() as i64)
    }

    /// Lets everyone do what they can at this time.
    pub fn settle(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        let mut moved = self.poll_driver();
        moved |= self.card.exchange();
        if self.guest_runs {
            let now = self.guest_now();
            moved |= self.interface.poll(now, &mut self.card, &mut self.sockets) == PollResult::SocketStateChanged;
            moved |= self.card.exchange();
        }
        moved
    }

    /// Sends frames as the guest, whose own stack stands still, and gives what was answered.
    pub fn exchange(&mut self, frames: &[Vec<u8>]) -> Vec<packets::Seen> {
        self.exchange_raw(frames).iter().map(|frame| packets::read(frame)).collect()
    }

    pub fn exchange_raw(&mut self, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
        self.guest_runs = false;
        self.settle();
        self.card.received.clear();
        for frame in frames {
            self.card.send(frame);
        }
        self.settle();
        self.card.received.drain(..).filter(|frame| !packets::asks(frame)).collect()
    }

    /// Goes to the next time that anybody waits for; whether there is one.
    pub fn pass(&mut self) -> bool {
        let now = self.guest_now();
        let guest = self.interface.poll_at(now, &self.sockets).filter(|_| self.guest_runs);
        let guest = guest.map(|at| Duration::from_micros(at.total_micros().max(now.total_micros() + 1) as u64));
        let Some(next) = self.clock.next().into_iter().chain(guest).min() else { return false };
        self.clock.go_to(next);
        true
    }

    /// Lets time pass.
    pub fn pass_for(&mut self, time: Duration) {
        let end = self.clock.offset() + time;
        loop {
            self.settle();
            let next = self.clock.next().filter(|next| *next < end);
            self.clock.go_to(next.unwrap_or(end));
            if next.is_none() {
                return self.settle();
            }
        }
    }

    /// Lets things happen until `look` sees what it looks for. Time passes only when nothing else does.
    #[track_caller]
    pub fn until<T>(&mut self, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let mut passes = 0;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            if self.step() {
                continue;
            }
            if let Some(found) = look(self) {
                return found;
            }
            // What was looked at may have sent something.
            if self.step() {
                continue;
            }
            passes += 1;
            assert!(passes < 100_000 && self.pass(), "nothing happens any longer; {:?}", self.events.lock().unwrap());
        }
    }

    pub fn try_event(&mut self) -> Option<Event> {
        self.events.lock().unwrap().pop_front()
    }

    /// The next event.
    #[track_caller]
    pub fn event(&mut self) -> Event {
        self.until(Self::try_event)
    }

    #[track_caller]
    pub fn no_event(&mut self) {
        self.settle();
        assert_eq!(self.try_event(), None);
    }

    #[track_caller]
    pub fn closed(&mut self, id: ConnectionId, reason: CloseReason) {
        assert_eq!(self.event(), Event::Closed(id, reason));
    }

    pub fn add_tcp(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 256 << 10]);
        let mut socket = Tcp::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        self.sockets.add(socket)
    }

    pub fn tcp(&mut self, handle: SocketHandle) -> &mut Tcp {
        self.sockets.get_mut(handle)
    }

    pub fn udp(&mut self, handle: SocketHandle) -> &mut Udp {
        self.sockets.get_mut(handle)
    }

    /// The guest listens.
    pub fn listen(&mut self, port: u16) -> SocketHandle {
        let handle = self.add_tcp();
        self.tcp(handle).listen(port).unwrap();
        handle
    }

    /// The guest begins to connect.
    pub fn begin(&mut self, address: Ipv4Addr, port: u16, own: u16) -> SocketHandle {
        let handle = self.add_tcp();
        let socket: &mut Tcp = self.sockets.get_mut(handle);
        socket.connect(self.interface.context(), (address, port), own).unwrap();
        handle
    }

    pub fn bind(&mut self, port: u16) -> SocketHandle {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 64], vec![0; 64 << 10]);
        let mut socket = Udp::new(buffer(), buffer());
        socket.bind(port).unwrap();
        self.sockets.add(socket)
    }

    /// A connection to a port of the guest, where its socket is, both open; with credit for everything.
    pub fn connection(&mut self, port: u16) -> (ConnectionId, SocketHandle) {
        let handle = self.listen(port);
        let id = self.network().connect(port).unwrap();
        self.network().give_credit(id, ALL);
        assert_eq!(self.event(), Event::Connected(id));
        self.until(|world| (world.tcp(handle).state() == tcp::State::Established).then_some(()));
        (id, handle)
    }

    #[track_caller]
    pub fn write(&mut self, id: ConnectionId, bytes: &[u8]) {
        assert_eq!(self.network().write(id, Bytes::copy_from_slice(bytes)), WriteOutcome::Written);
    }

    /// Bytes that were told, at least so many.
    #[track_caller]
    pub fn data(&mut self, id: ConnectionId, length: usize) -> Vec<u8> {
        let mut data = Vec::new();
        while data.len() < length {
            match self.event() {
                Event::Data(from, bytes) if from == id => data.extend_from_slice(&bytes),
                other => panic!("{other:?} instead of data"),
            }
        }
        data
    }

    /// What the guest reads, so many bytes.
    #[track_caller]
    pub fn guest_reads(&mut self, handle: SocketHandle, length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        let mut read = 0;
        self.until(|world| {
            if let Ok(more) = world.tcp(handle).recv_slice(&mut data[read..]) {
                read += more;
            }
            (read == length).then_some(())
        });
        data
    }
}

/// Bytes that are not the same twice in a row: number `at` and those after it.
pub fn pattern(at: u64, bytes: &mut [u8]) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = pattern_at(at + index as u64);
    }
}

pub fn pattern_at(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}
