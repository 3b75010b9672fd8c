//! Guests that send anything. The network may drop it, and may be broken by it in the one way that it says; it must not fail, nor hold
//! more than it says.

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use common::packets::{self, Dhcp};
use common::{GATEWAY, GUEST, GUEST_MAC, World};
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    DhcpMessageType, EthernetFrame, Icmpv4Packet, IpProtocol, Ipv4Packet, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    UdpPacket,
};
use wasgo_net::{BrokenReason, Event, Options, Outgoing, Protocol, Rule};

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const MAX_CONNECTIONS: usize = 8;

fn options() -> Options {
    let rules = [Protocol::Tcp, Protocol::Udp].map(|protocol| {
        ["10.0.0.0/8", "*.example.com", "192.168.127.1"].map(|target| Rule::new(target, 1..=65_535, protocol).unwrap())
    });
    Options {
        outgoing: Outgoing::Allow(rules.into_iter().flatten().collect()),
        max_connections: MAX_CONNECTIONS,
        ..Options::default()
    }
}

/// A network that accepts everything, and a guest that speaks by hand.
fn world() -> World {
    let mut world = World::up(options());
    world.guest_runs = false;
    world
}

/// Answers what the host is asked, and looks at whether all is within its bounds.
fn look(world: &mut World) -> Result<(), TestCaseError> {
    world.settle();
    world.exchange_raw(&[]);
    while let Some(event) = world.try_event() {
        match event {
            Event::Outgoing { id, .. } => {
                world.network().accept(id);
                world.network().give_credit(id, 1_000);
            }
            Event::Data(_, bytes) => prop_assert!(bytes.len() <= 64 << 10),
            Event::Broken(reason) => prop_assert!(reason != BrokenReason::Fault),
            _ => {}
        }
    }
    world.settle();
    let status = world.network().status();
    prop_assert!(status.connections <= MAX_CONNECTIONS && status.names <= 1_024);
    Ok(())
}

/// Frames of each kind that there is.
fn good() -> Vec<Vec<u8>> {
    let mut frames = vec![
        packets::arp(GUEST_MAC, GUEST, GATEWAY),
        packets::ping(GUEST, GATEWAY),
        packets::syn((GUEST, 1_000), (OUTSIDE, 80)),
        packets::tcp((GUEST, 1_000), (OUTSIDE, 80), TcpControl::None, 1_001, Some(1), b"data"),
        packets::udp(GUEST_MAC, (GUEST, 1_000), (OUTSIDE, 53), b"data"),
        packets::udp(GUEST_MAC, (GUEST, 1_000), (GATEWAY, 53), &packets::dns("api.example.com", 1)),
    ];
    for kind in [DhcpMessageType::Discover, DhcpMessageType::Request, DhcpMessageType::Release] {
        frames.push(Dhcp { wants: Some(GUEST), server: Some(GATEWAY), ..Dhcp::new(kind, GUEST_MAC) }.frame());
    }
    let quoted = packets::udp(GUEST_MAC, (GATEWAY, 50_000), (GUEST, 1_000), b"data");
    let unreachable = packets::ipv4(GUEST_MAC, GUEST, GATEWAY, IpProtocol::Icmp, 8 + 28, |bytes| {
        bytes[0] = 3;
        bytes[8..].copy_from_slice(&quoted[14..14 + 28]);
        Icmpv4Packet::new_unchecked(bytes).fill_checksum();
    });
    frames.push(unreachable);
    frames
}

/// Makes the checksums of a frame right again, so that what is wrong with it is found later.
fn fix(frame: &mut [u8]) {
    let Ok(mut ethernet) = EthernetFrame::new_checked(frame) else { return };
    let Ok(mut packet) = Ipv4Packet::new_checked(ethernet.payload_mut()) else { return };
    packet.fill_checksum();
    let (from, to, protocol) = (packet.src_addr().into(), packet.dst_addr().into(), packet.next_header());
    let content = packet.payload_mut();
    match protocol {
        IpProtocol::Tcp if TcpPacket::new_checked(&*content).is_ok() => {
            TcpPacket::new_unchecked(content).fill_checksum(&from, &to)
        }
        IpProtocol::Udp if UdpPacket::new_checked(&*content).is_ok() => {
            UdpPacket::new_unchecked(content).fill_checksum(&from, &to)
        }
        IpProtocol::Icmp if Icmpv4Packet::new_checked(&*content).is_ok() => {
            Icmpv4Packet::new_unchecked(content).fill_checksum()
        }
        _ => {}
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A segment: control, where it is relative to what is expected, what it acknowledges, its window, options and payload.
    Segment {
        control: u8,
        seq: i32,
        ack: Option<i32>,
        window: u16,
        scale: Option<u8>,
        mss: Option<u16>,
        payload: usize,
    },
    Write(usize),
    Credit(usize),
    ShutDown,
    Close,
    Reset,
    Pass(u64),
}

fn near() -> impl Strategy<Value = i32> {
    prop_oneof![6 => Just(0), 2 => -3..4_i32, 1 => -70_000..70_000_i32, 1 => any::<i32>()]
}

fn step() -> impl Strategy<Value = Step> {
    let segment = (
        0..5_u8,
        near(),
        prop::option::weighted(0.95, near()),
        prop_oneof![Just(0_u16), Just(1), Just(65_535), any::<u16>()],
        prop::option::of(any::<u8>()),
        prop::option::of(prop_oneof![Just(0_u16), Just(1), Just(1_460), any::<u16>()]),
        prop_oneof![3 => Just(0_usize), 1 => 1..1_400_usize],
    );
    let segment = segment.prop_map(|(control, seq, ack, window, scale, mss, payload)| Step::Segment {
        control,
        seq,
        ack,
        window,
        scale,
        mss,
        payload,
    });
    prop_oneof![
        20 => segment,
        3 => (1..100_000_usize).prop_map(Step::Write),
        3 => (1..100_000_usize).prop_map(Step::Credit),
        1 => Just(Step::ShutDown),
        1 => Just(Step::Close),
        1 => Just(Step::Reset),
        2 => (1..70_000_u64).prop_map(Step::Pass),
    ]
}

/// What the network's end of a connection last said: where it is, and what it expects.
#[derive(Default)]
struct Heard {
    port: u16,
    next: i32,
    expects: i32,
}

impl Heard {
    fn hear(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            let Ok(packet) = Ipv4Packet::new_checked(&frame[14..]) else { continue };
            if packet.next_header() != IpProtocol::Tcp {
                continue;
            }
            let segment = TcpPacket::new_checked(packet.payload()).unwrap();
            let repr =
                TcpRepr::parse(&segment, &GATEWAY.into(), &GUEST.into(), &ChecksumCapabilities::default()).unwrap();
            self.port = repr.src_port;
            self.next = (repr.seq_number + repr.segment_len()).0;
            self.expects = repr.ack_number.unwrap_or(TcpSeqNumber(5_000)).0;
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_at_all(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 1..30)) {
        let mut world = world();
        for piece in pieces {
            world.port.send(&piece);
            look(&mut world)?;
        }
    }

    #[test]
    fn frames_of_any_bytes(frames in prop::collection::vec((0..4_usize, prop::collection::vec(any::<u8>(), 0..1_600)), 1..100)) {
        let mut world = world();
        let good = good();
        for (header, content) in frames {
            // With as much of a good one before it as brings it further.
            let keep = [0, 14, 34, 42][header];
            let frame: Vec<u8> = good[3].iter().take(keep).chain(&content).copied().collect();
            world.card.send(&frame);
            look(&mut world)?;
        }
        prop_assert!(!world.is_over());
    }

    #[test]
    fn good_frames_with_anything_changed(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
                prop::option::weighted(0.2, any::<prop::sample::Index>()), any::<bool>()),
            1..200,
        ),
    ) {
        let mut world = world();
        let good = good();
        for (which, bytes, cut, fixed) in changes {
            let mut frame = which.get(&good).clone();
            for (at, value) in bytes {
                let at = at.index(frame.len());
                frame[at] = value;
            }
            if let Some(cut) = cut {
                frame.truncate(cut.index(frame.len()));
            }
            if fixed {
                fix(&mut frame);
            }
            world.card.send(&frame);
            look(&mut world)?;
        }
        prop_assert!(!world.is_over());
    }

    #[test]
    fn segments_in_any_order_to_a_connection_in_any_state(answers: bool, steps in prop::collection::vec(step(), 1..150)) {
        let mut world = world();
        let mut heard = Heard::default();
        let id = world.network().connect(1_000).unwrap();
        heard.hear(&world.exchange_raw(&[]));
        if answers {
            let answer = packets::tcp((GUEST, 1_000), (GATEWAY, heard.port), TcpControl::Syn, 4_999, Some(heard.next), b"");
            heard.hear(&world.exchange_raw(&[answer]));
        }
        for step in steps {
            match step {
                Step::Segment { control, seq, ack, window, scale, mss, payload } => {
                    let controls = [TcpControl::None, TcpControl::Psh, TcpControl::Syn, TcpControl::Fin, TcpControl::Rst];
                    let repr = TcpRepr {
                        src_port: 1_000,
                        dst_port: heard.port,
                        control: controls[usize::from(control)],
                        seq_number: TcpSeqNumber(heard.expects.wrapping_add(seq)),
                        ack_number: ack.map(|ack| TcpSeqNumber(heard.next.wrapping_add(ack))),
                        window_len: window,
                        window_scale: scale,
                        max_seg_size: mss,
                        sack_permitted: true,
                        sack_ranges: [None; 3],
                        timestamp: None,
                        payload: &[7; 1_400][..payload],
                    };
                    let frame = packets::ipv4(GUEST_MAC, GUEST, GATEWAY, IpProtocol::Tcp, repr.buffer_len(), |bytes| {
                        let packet = &mut TcpPacket::new_unchecked(bytes);
                        repr.emit(packet, &GUEST.into(), &GATEWAY.into(), &ChecksumCapabilities::default());
                    });
                    heard.hear(&world.exchange_raw(&[frame]));
                }
                Step::Write(length) => drop(world.network().write(id, Bytes::from(vec![1; length]))),
                Step::Credit(bytes) => world.network().give_credit(id, bytes),
                Step::ShutDown => world.network().shut_down(id),
                Step::Close => world.network().close(id),
                Step::Reset => world.network().reset(id),
                Step::Pass(time) => world.pass_for(Duration::from_millis(time)),
            }
            heard.hear(&world.exchange_raw(&[]));
            look(&mut world)?;
        }
        prop_assert!(!world.is_over());
    }
}

#[test]
fn a_flood_is_taken_a_bounded_amount_at_a_time() {
    let mut world = world();
    world.settle();
    let frame = packets::ping(GUEST, GATEWAY);
    let mut bytes = Vec::new();
    while bytes.len() < 128 << 10 {
        bytes.extend((frame.len() as u32).to_be_bytes());
        bytes.extend(&frame);
    }
    bytes.truncate(128 << 10);
    let frames = (world.port.send(&bytes) / (4 + frame.len())) as u64;
    let (polls, before) = (world.polls, world.network().status());
    world.settle();
    assert!(world.polls - polls >= frames / 128);
    let after = world.network().status();
    assert_eq!(
        (after.received.frames - before.received.frames, after.sent.frames - before.sent.frames),
        (frames, frames)
    );
}

#[test]
fn a_guest_that_never_reads_makes_nothing_grow() {
    let mut world = world();
    world.card.deaf = true;
    let ids: Vec<_> = (1..=4).map(|port| world.network().connect(port).unwrap()).collect();
    for _ in 0..1_000 {
        for frame in good() {
            world.card.send(&frame);
        }
        world.settle();
        while let Some(event) = world.try_event() {
            if let Event::Outgoing { id, .. } = event {
                world.network().accept(id);
                world.network().write(id, Bytes::from_static(&[1; 1_000]));
            }
        }
        for id in &ids {
            world.network().write(*id, Bytes::from_static(&[1; 1_000]));
        }
    }
    let mut unread = 0;
    let mut buffer = [0; 4_096];
    world.drop_driver();
    loop {
        match world.port.receive(&mut buffer) {
            0 => break,
            read => unread += read,
        }
    }
    assert!((200 << 10..=256 << 10).contains(&unread), "{unread}");
}
