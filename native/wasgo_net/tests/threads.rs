//! Host, driver and guest in threads of their own: whoever waits is woken.

mod common;

use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use bytes::Bytes;
use common::packets::{self, Dhcp};
use common::{ALL, GATEWAY, GUEST, GUEST_MAC, pattern, pattern_at};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{DhcpMessageType, EthernetProtocol, IpProtocol, Ipv4Packet, TcpControl, TcpPacket, TcpRepr};
use wasgo_net::{Event, Network, Options, Outgoing, Port, Protocol, Rule, Timers, WriteOutcome};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The next time that the driver waits for. It is the only one who does.
#[derive(Clone, Default)]
struct Next(Arc<Mutex<Option<Instant>>>);

impl Timers for Next {
    type Timer = ();

    fn wake_at(&self, at: Instant, _: Waker) {
        *self.0.lock().unwrap() = Some(at);
    }
}

/// Polls until it is ready, in this thread.
fn block_on<T>(next: &Next, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(value) = poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let at = next.0.lock().unwrap().take();
        match at {
            Some(at) => {
                thread::park_timeout(at.saturating_duration_since(Instant::now()));
                // It may have been woken for something else.
                next.0.lock().unwrap().get_or_insert(at);
            }
            None => thread::park(),
        }
    }
}

fn network(options: Options) -> (Network, Port, Receiver<Event>, thread::JoinHandle<()>) {
    let (told, events) = mpsc::channel();
    let next = Next::default();
    let (network, port, driver) = Network::new(options, next.clone(), move |event| drop(told.send(event))).unwrap();
    let driver = thread::spawn(move || {
        let mut driver = pin!(driver);
        block_on(&next, |context| driver.as_mut().poll(context));
    });
    (network, port, events, driver)
}

/// A guest's end that waits for the cable, and knows as much of TCP as a cable without losses needs.
struct Guest {
    port: Port,
    unparsed: Vec<u8>,
}

impl Guest {
    fn send(&self, frame: &[u8]) {
        let bytes = [&(frame.len() as u32).to_be_bytes(), frame].concat();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            block_on(&Next::default(), |context| self.port.poll_writable(context));
            rest = &rest[self.port.send(rest)..];
        }
    }

    fn receive(&mut self) -> Vec<u8> {
        loop {
            if let Some((length, rest)) = self.unparsed.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                if let Some(frame) = rest.get(..length) {
                    let frame = frame.to_vec();
                    self.unparsed.drain(..4 + length);
                    return frame;
                }
            }
            block_on(&Next::default(), |context| self.port.poll_readable(context));
            let mut buffer = [0; 10_000];
            let read = self.port.receive(&mut buffer);
            self.unparsed.extend_from_slice(&buffer[..read]);
        }
    }

    fn lease(&mut self) {
        let request = Dhcp { wants: Some(GUEST), ..Dhcp::new(DhcpMessageType::Request, GUEST_MAC) };
        self.send(&request.frame());
        // Any packet shows that it uses its address.
        self.send(&packets::ping(GUEST, GATEWAY));
    }

    /// Answers a connection to any port, and gives back all that comes, until it ends.
    fn echo(mut self) {
        let mut expects = 0;
        let mut sent = 1_i32;
        loop {
            let frame = self.receive();
            if frame[12..14] != u16::from(EthernetProtocol::Ipv4).to_be_bytes() {
                continue;
            }
            let packet = Ipv4Packet::new_checked(&frame[14..]).unwrap();
            if packet.next_header() != IpProtocol::Tcp {
                continue;
            }
            let segment = TcpPacket::new_checked(packet.payload()).unwrap();
            let repr =
                TcpRepr::parse(&segment, &GATEWAY.into(), &GUEST.into(), &ChecksumCapabilities::default()).unwrap();
            let answer = |control, seq, ack, payload: &[u8]| {
                self.send(&packets::tcp(
                    (GUEST, repr.dst_port),
                    (GATEWAY, repr.src_port),
                    control,
                    seq,
                    Some(ack),
                    payload,
                ));
            };
            match repr.control {
                TcpControl::Syn => {
                    expects = repr.seq_number.0.wrapping_add(1);
                    answer(TcpControl::Syn, 0, expects, b"");
                }
                // It does not have room for more than that at once.
                TcpControl::None | TcpControl::Psh if repr.seq_number.0 == expects && !repr.payload.is_empty() => {
                    expects = expects.wrapping_add(repr.payload.len() as i32);
                    answer(TcpControl::Psh, sent, expects, repr.payload);
                    sent = sent.wrapping_add(repr.payload.len() as i32);
                }
                TcpControl::Fin => {
                    expects = expects.wrapping_add(repr.payload.len() as i32 + 1);
                    answer(TcpControl::Fin, sent, expects, repr.payload);
                    return;
                }
                TcpControl::Rst => panic!("reset"),
                _ => {}
            }
        }
    }
}

/// Sends bytes to a guest that sends them back. The guest does not look at how much it may send: either the host takes all of it at once,
/// or it gives credit for what it has read, and is at most `ahead` bytes ahead of that with its writing.
fn through(ahead: Option<u64>) {
    const TOTAL: u64 = 2_000_000;
    let (network, port, events, driver) = network(Options::default());
    let guest = thread::spawn(|| {
        let mut guest = Guest { port, unparsed: Vec::new() };
        guest.lease();
        guest.echo();
    });
    assert_eq!(events.recv(), Ok(Event::Up { address: GUEST }));
    let id = network.connect(7).unwrap();
    network.give_credit(id, if ahead.is_some() { 10_000 } else { ALL });
    let writer = network.clone();
    let (writable, may_write) = mpsc::channel();
    let (progress, read) = mpsc::channel::<u64>();
    let writing = thread::spawn(move || {
        let (mut at, mut known) = (0, 0);
        while at < TOTAL {
            let mut bytes = vec![0; (TOTAL - at).min(5_000) as usize];
            pattern(at, &mut bytes);
            at += bytes.len() as u64;
            while ahead.is_some_and(|ahead| at - known > ahead) {
                known = read.recv().unwrap();
            }
            let bytes = Bytes::from(bytes);
            while writer.write(id, bytes.clone()) == WriteOutcome::Full {
                may_write.recv().unwrap();
            }
        }
    });
    let mut got = 0;
    while got < TOTAL {
        match events.recv().unwrap() {
            Event::Data(_, bytes) => {
                if ahead.is_some() {
                    network.give_credit(id, bytes.len());
                }
                for byte in bytes {
                    assert_eq!(byte, pattern_at(got));
                    got += 1;
                }
                let _ = progress.send(got);
            }
            Event::Writable(_) => writable.send(()).unwrap(),
            Event::Connected(_) => {}
            other => panic!("{other:?}"),
        }
    }
    writing.join().unwrap();
    network.close(id);
    assert!(matches!(events.recv(), Ok(Event::Closed(..))));
    guest.join().unwrap();
    drop(network);
    driver.join().unwrap();
}

#[test]
fn bytes_go_through_three_threads_as_fast_as_they_can() {
    through(None);
}

#[test]
fn bytes_go_through_three_threads_by_credit() {
    through(Some(40_000));
}

#[test]
fn a_driver_that_waits_is_woken_by_the_end_of_either_side() {
    let (network_, port, _events, driver) = network(Options::default());
    drop(network_);
    driver.join().unwrap();
    assert!(port.is_closed());

    let (_network, port, events, driver) = network(Options::default());
    drop(port);
    driver.join().unwrap();
    assert!(events.recv().is_err());
}

#[test]
fn a_guest_that_waits_is_woken_by_the_end_of_the_network() {
    let (network, port, _events, driver) = network(Options::default());
    let guest = thread::spawn(move || block_on(&Next::default(), |context| port.poll_readable(context)));
    drop(network);
    driver.join().unwrap();
    guest.join().unwrap();
}

#[test]
fn a_host_may_answer_from_within_an_event() {
    let rule = Rule::new("10.0.0.1", 80..=80, Protocol::Tcp).unwrap();
    let options = Options { outgoing: Outgoing::Allow(vec![rule]), ..Options::default() };
    let own: Arc<Mutex<Option<Network>>> = Arc::default();
    let (told, events) = mpsc::channel();
    let handle = own.clone();
    let next = Next::default();
    let (network, port, driver) = Network::new(options, next.clone(), move |event| {
        if let (Event::Outgoing { id, .. }, Some(network)) = (&event, &*handle.lock().unwrap()) {
            assert_eq!(network.write(*id, Bytes::from_static(b"hello")), WriteOutcome::Written);
            network.give_credit(*id, ALL);
            network.accept(*id);
            network.status();
        }
        told.send(event).unwrap();
    })
    .unwrap();
    *own.lock().unwrap() = Some(network);
    let driver = thread::spawn(move || {
        let mut driver = pin!(driver);
        block_on(&next, |context| driver.as_mut().poll(context));
    });
    let mut guest = Guest { port, unparsed: Vec::new() };
    guest.lease();
    let outside = Ipv4Addr::new(10, 0, 0, 1);
    guest.send(&packets::syn((GUEST, 1_000), (outside, 80)));
    loop {
        let frame = guest.receive();
        let Ok(packet) = Ipv4Packet::new_checked(&frame[14..]) else { continue };
        if packet.next_header() == IpProtocol::Tcp {
            let segment = TcpPacket::new_checked(packet.payload()).unwrap();
            if segment.syn() {
                let ack = segment.seq_number() + 1;
                guest.send(&packets::tcp((GUEST, 1_000), (outside, 80), TcpControl::None, 1_001, Some(ack.0), b""));
            } else if !segment.payload().is_empty() {
                assert_eq!(segment.payload(), b"hello");
                break;
            }
        }
    }
    drop(guest);
    driver.join().unwrap();
    *own.lock().unwrap() = None;
    assert!(matches!(events.try_iter().last(), Some(Event::Closed(..))));
}
