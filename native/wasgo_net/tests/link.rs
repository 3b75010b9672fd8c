//! What a guest finds in its network: an address, a router, names; and what is done with what is none of that.

mod common;

use std::net::Ipv4Addr;
use std::task::{Context, Waker};

use common::packets::{self, ANY, Dhcp, GATEWAY_MAC, Seen};
use common::{GATEWAY, GUEST, GUEST_MAC, World};
use smoltcp::wire::{
    DhcpMessageType, DhcpPacket, DhcpRepr, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, TcpControl,
};
use wasgo_net::{BrokenReason, CloseReason, Error, Event, Options, Outgoing, Protocol, Reject, Rule, WriteOutcome};

const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn allowing(targets: &[&str]) -> Options {
    let rule = |target: &&str| Rule::new(target, 1..=65_535, Protocol::Tcp).unwrap();
    Options { outgoing: Outgoing::Allow(targets.iter().map(rule).collect()), ..Options::default() }
}

/// What a DHCP message is answered with: what it is, whom it goes to, and the message.
fn dhcp(world: &mut World, message: &Dhcp) -> Option<(DhcpMessageType, [u8; 6], Ipv4Addr, Vec<u8>)> {
    let mut frames = world.exchange_raw(&[message.frame()]);
    let frame = frames.pop()?;
    assert!(frames.is_empty());
    let Seen::Datagram(from, port, content) = packets::read(&frame) else { panic!("no datagram") };
    assert_eq!((from, port), ((GATEWAY, 67), 68));
    assert!(content.len() >= 300);
    let packet = DhcpPacket::new_checked(content.as_slice()).unwrap();
    let repr = DhcpRepr::parse(&packet).unwrap();
    assert_eq!((repr.transaction_id, repr.server_identifier), (0x1234_5678, Some(GATEWAY)));
    assert_eq!(repr.client_hardware_address.0, message.mac);
    let mac = EthernetFrame::new_unchecked(&frame).dst_addr().0;
    let to = Ipv4Packet::new_unchecked(&frame[14..]).dst_addr();
    Some((repr.message_type, mac, to, content))
}

fn request(mac: [u8; 6]) -> Dhcp {
    Dhcp { wants: Some(GUEST), server: Some(GATEWAY), ..Dhcp::new(DhcpMessageType::Request, mac) }
}

#[test]
fn a_guest_gets_its_address_and_what_it_needs_to_use_it() {
    let mut world = World::new(Options::default());
    assert_eq!(world.network().status().address, None);
    world.lease();
    let status = world.network().status();
    assert_eq!((status.address, status.mac), (Some(GUEST), Some(GUEST_MAC)));
}

#[test]
fn answers_come_by_the_way_that_the_request_asks_for() {
    let mut world = World::new(Options::default());
    let discover = Dhcp::new(DhcpMessageType::Discover, GUEST_MAC);
    let (kind, mac, to, message) = dhcp(&mut world, &discover).unwrap();
    assert_eq!((kind, mac, to), (DhcpMessageType::Offer, GUEST_MAC, GUEST));
    let packet = DhcpPacket::new_checked(message.as_slice()).unwrap();
    let repr = DhcpRepr::parse(&packet).unwrap();
    assert_eq!(
        (repr.your_ip, repr.router, repr.subnet_mask),
        (GUEST, Some(GATEWAY), Some(Ipv4Addr::new(255, 255, 255, 0)))
    );
    assert_eq!((repr.lease_duration, repr.dns_servers.unwrap().as_slice()), (Some(86_400), [GATEWAY].as_slice()));
    world.no_event();
    let (kind, mac, to, _) = dhcp(&mut world, &Dhcp { broadcast: true, ..request(GUEST_MAC) }).unwrap();
    assert_eq!((kind, mac, to), (DhcpMessageType::Ack, [0xff; 6], Ipv4Addr::BROADCAST));
    assert_eq!(world.event(), Event::Up { address: GUEST });
    // It renews its lease, which is nothing new.
    let renewal = Dhcp { has: GUEST, ..Dhcp::new(DhcpMessageType::Request, GUEST_MAC) };
    let (kind, mac, to, _) = dhcp(&mut world, &renewal).unwrap();
    assert_eq!((kind, mac, to), (DhcpMessageType::Ack, GUEST_MAC, GUEST));
    let (kind, ..) = dhcp(&mut world, &Dhcp { has: GUEST, ..Dhcp::new(DhcpMessageType::Inform, GUEST_MAC) }).unwrap();
    assert_eq!(kind, DhcpMessageType::Ack);
    world.no_event();
}

#[test]
fn a_guest_that_says_nothing_but_who_has_its_address_is_there_at_once() {
    let mut world = World::new(Options::default());
    world.exchange_raw(&[request(GUEST_MAC).frame()]);
    let other = Ipv4Addr::new(192, 168, 127, 4);
    for answer in [packets::arp_answer(OTHER_MAC, GUEST), packets::arp_answer(GUEST_MAC, other)] {
        world.exchange_raw(&[answer]);
        assert_eq!(world.network().status().address, None);
    }
    world.exchange_raw(&[packets::arp_answer(GUEST_MAC, GUEST)]);
    assert_eq!(world.network().status().address, Some(GUEST));
    assert_eq!(world.event(), Event::Up { address: GUEST });
}

#[test]
fn a_request_for_another_address_is_refused() {
    let mut world = World::new(Options::default());
    for wrong in [ANY, GATEWAY, Ipv4Addr::new(192, 168, 127, 4), Ipv4Addr::new(10, 0, 0, 1)] {
        let (kind, mac, to, _) = dhcp(&mut world, &Dhcp { wants: Some(wrong), ..request(GUEST_MAC) }).unwrap();
        assert_eq!((kind, mac, to), (DhcpMessageType::Nak, [0xff; 6], Ipv4Addr::BROADCAST));
    }
    world.no_event();
    // One for another server is none of ours.
    assert_eq!(dhcp(&mut world, &Dhcp { server: Some(GUEST), ..request(GUEST_MAC) }), None);
    // A guest that remembers its address may have it.
    let (kind, ..) = dhcp(&mut world, &Dhcp { server: None, ..request(GUEST_MAC) }).unwrap();
    assert_eq!(kind, DhcpMessageType::Ack);
}

#[test]
fn one_has_the_address_until_it_gives_it_back_or_another_asks_anew() {
    let mut world = World::new(Options::default());
    dhcp(&mut world, &request(GUEST_MAC));
    assert_eq!(world.event(), Event::Up { address: GUEST });
    let id = world.network().connect(80).unwrap();
    let (kind, ..) = dhcp(&mut world, &request(OTHER_MAC)).unwrap();
    assert_eq!(kind, DhcpMessageType::Nak);
    // Nor may it be given back by another.
    let release = |mac| Dhcp { has: GUEST, server: Some(GATEWAY), ..Dhcp::new(DhcpMessageType::Release, mac) };
    assert_eq!(dhcp(&mut world, &release(OTHER_MAC)), None);
    world.no_event();
    assert_eq!(dhcp(&mut world, &release(GUEST_MAC)), None);
    world.closed(id, CloseReason::AddressReleased);
    assert_eq!(world.network().status().mac, None);
    dhcp(&mut world, &Dhcp::new(DhcpMessageType::Discover, OTHER_MAC));
    dhcp(&mut world, &request(OTHER_MAC));
    assert_eq!(world.event(), Event::Up { address: GUEST });
    assert_eq!(world.network().status().mac, Some(OTHER_MAC));
    dhcp(&mut world, &Dhcp::new(DhcpMessageType::Discover, GUEST_MAC));
    dhcp(&mut world, &request(GUEST_MAC));
    assert_eq!(world.event(), Event::Up { address: GUEST });
}

#[test]
fn hostile_dhcp_is_dropped() {
    let mut world = World::new(Options::default());
    let broadcast = Ipv4Addr::BROADCAST;
    let good = request(GUEST_MAC).message();
    let mut frames: Vec<_> =
        (0..240).map(|length| packets::udp(GUEST_MAC, (ANY, 68), (broadcast, 67), &good[..length])).collect();
    // In another's name, from a group, for a relay, not of Ethernet, without the cookie, an answer.
    frames.push(packets::udp(OTHER_MAC, (ANY, 68), (broadcast, 67), &good));
    frames.push(packets::udp([1; 6], (ANY, 68), (broadcast, 67), &request([1; 6]).message()));
    for (at, value) in [(24, 9), (1, 2), (2, 7), (236, 0), (0, 2)] {
        let mut message = good.clone();
        message[at] = value;
        frames.push(packets::udp(GUEST_MAC, (ANY, 68), (broadcast, 67), &message));
    }
    let count = frames.len() as u64;
    assert_eq!(world.exchange_raw(&frames), Vec::<Vec<u8>>::new());
    assert_eq!(world.network().status().dropped.malformed, count);
    world.no_event();
}

#[test]
fn the_gateway_answers_for_itself_and_for_what_is_behind_it() {
    let mut world = World::up(allowing(&["192.168.127.77"]));
    let virtual_address = Ipv4Addr::new(198, 18, 0, 1);
    let allowed = Ipv4Addr::new(192, 168, 127, 77);
    for address in [GATEWAY, virtual_address, allowed] {
        assert_eq!(world.exchange(&[packets::arp(GUEST_MAC, GUEST, address)]), [Seen::Arp(GATEWAY_MAC, address)]);
    }
    for address in [GUEST, Ipv4Addr::new(192, 168, 127, 78)] {
        assert_eq!(world.exchange(&[packets::arp(GUEST_MAC, GUEST, address)]), []);
    }
}

#[test]
fn the_gateway_answers_a_ping_and_nobody_else_does() {
    let mut world = World::up(Options::default());
    assert_eq!(world.exchange(&[packets::ping(GUEST, GATEWAY)]), [Seen::Pong]);
    let other = Ipv4Addr::new(8, 8, 8, 8);
    assert_eq!(world.exchange(&[packets::ping(GUEST, other)]), [Seen::Unreachable(GATEWAY, other, 10)]);
}

#[test]
fn what_comes_from_another_address_than_the_guest_has_is_dropped() {
    let mut world = World::new(Options::default());
    let syn = |from| packets::syn((from, 1_000), (GATEWAY, 80));
    assert_eq!(world.exchange(&[syn(GUEST)]), []);
    dhcp(&mut world, &request(GUEST_MAC));
    let other = Ipv4Addr::new(192, 168, 127, 9);
    let foreign = packets::udp(OTHER_MAC, (GUEST, 1), (GATEWAY, 53), &packets::dns("a", 1));
    assert_eq!(world.exchange(&[syn(other), syn(ANY), syn(GATEWAY), foreign]), []);
    assert_eq!(world.network().status().dropped.foreign, 5);
    // Packets to nobody in particular, or to itself, are none to anybody else.
    let odd = [
        GUEST,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(192, 168, 127, 255),
        Ipv4Addr::new(224, 0, 0, 1),
        Ipv4Addr::LOCALHOST,
        ANY,
    ];
    assert_eq!(world.exchange(&odd.map(|to| packets::syn((GUEST, 1_000), (to, 80)))), []);
}

#[test]
fn a_port_scan_finds_no_port_and_is_answered_as_far_as_there_is_room() {
    let mut world = World::up(Options::default());
    let outside = Ipv4Addr::new(1, 1, 1, 1);
    for address in [GATEWAY, outside, Ipv4Addr::new(198, 18, 0, 1)] {
        let frames: Vec<_> = (1..=1_024).map(|port| packets::syn((GUEST, 5_000), (address, port))).collect();
        let resets: Vec<_> = (1..=1_024).map(|port| Seen::Reset((address, port), 5_000)).collect();
        assert_eq!(world.exchange(&frames), resets);
        // Nor is there anything behind segments of connections that are none.
        let odd = [TcpControl::None, TcpControl::Fin, TcpControl::Psh, TcpControl::Rst]
            .map(|control| packets::tcp((GUEST, 5_000), (address, 80), control, 1, Some(2), b""));
        assert_eq!(world.exchange(&odd).len(), 3);
        let datagram = packets::udp(GUEST_MAC, (GUEST, 5_000), (address, 99), b"x");
        assert_eq!(world.exchange(&[datagram]), [Seen::Unreachable(address, address, 3)]);
    }
    world.no_event();
    // A guest that reads no answer gets no more of them than fit.
    world.card.deaf = true;
    let frames: Vec<_> = (0..20_000).map(|port| packets::syn((GUEST, 5_000), (outside, 1 + port))).collect();
    assert_eq!(world.exchange(&frames), []);
    assert!(world.network().status().dropped.unread > 10_000);
    world.card.deaf = false;
    assert_eq!(world.exchange(&[]).len(), 0);
}

fn address_in(answer: &[Seen]) -> Option<Ipv4Addr> {
    let [Seen::Datagram((GATEWAY, 53), 5_000, message)] = answer else { panic!("{answer:?}") };
    assert_eq!((message[..2].to_vec(), message[2] & 0x80), (vec![0x12, 0x34], 0x80));
    let answers = u16::from_be_bytes([message[6], message[7]]);
    let last = message.last_chunk::<4>().unwrap();
    (answers == 1).then(|| Ipv4Addr::from(*last))
}

#[test]
fn allowed_names_have_addresses_and_others_are_none() {
    let mut world = World::up(allowing(&["api.example.com", "*.example.org", "10.0.0.0/8"]));
    let mut ask = |name: &str, kind| {
        let question = packets::udp(GUEST_MAC, (GUEST, 5_000), (GATEWAY, 53), &packets::dns(name, kind));
        let answer = world.exchange(&[question]);
        let Seen::Datagram(_, _, message) = &answer[0] else { panic!("{answer:?}") };
        (message[3] & 15, address_in(&answer))
    };
    let (code, first) = ask("Api.Example.COM", 1);
    assert_eq!((code, first.unwrap().octets()[..2].to_vec()), (0, vec![198, 18]));
    assert_eq!(ask("api.example.com", 1), (0, first));
    let (_, second) = ask("a.b.example.org", 1);
    assert!(second.is_some() && second != first);
    // An IPv6 address: the name is there, but none of those.
    assert_eq!(ask("api.example.com", 28), (0, None));
    for other in ["example.com", "example.org", "10.0.0.1", "evil.com", "api.example.com.evil.com"] {
        assert_eq!(ask(other, 1), (3, None), "{other}");
        assert_eq!(ask(other, 28), (3, None), "{other}");
    }
    assert_eq!(world.network().status().names, 2);
}

#[test]
fn names_are_bounded_in_number() {
    let mut world = World::up(allowing(&["*.example.org"]));
    for index in 0..3_000 {
        let question = packets::dns(&format!("n{index}.example.org"), 1);
        let answer = world.exchange(&[packets::udp(GUEST_MAC, (GUEST, 5_000), (GATEWAY, 53), &question)]);
        assert!(address_in(&answer).is_some());
    }
    assert_eq!(world.network().status().names, 1_024);
}

#[test]
fn malformed_questions_are_dropped() {
    let mut world = World::up(allowing(&["a.b"]));
    let good = packets::dns("a.b", 1);
    let mut pointer = good.clone();
    pointer[12] = 0xc0;
    let mut answer = good.clone();
    answer[2] |= 0x80;
    let bad = (0..good.len()).map(|length| good[..length].to_vec()).chain([pointer, answer]);
    let frames: Vec<_> = bad.map(|message| packets::udp(GUEST_MAC, (GUEST, 5_000), (GATEWAY, 53), &message)).collect();
    assert_eq!(world.exchange(&frames), []);
    assert_eq!(world.network().status().dropped.malformed, frames.len() as u64);
}

#[test]
fn frames_of_no_use_are_dropped_and_counted() {
    let mut world = World::up(Options::default());
    let good = packets::syn((GUEST, 1_000), (GATEWAY, 80));
    let before = world.network().status();
    let mut ip_checksum = good.clone();
    ip_checksum[14 + 10] ^= 1;
    let mut tcp_checksum = good.clone();
    tcp_checksum[14 + 20 + 16] ^= 1;
    let mut fragment = good.clone();
    fragment[14 + 6] = 0x20;
    fragment[14 + 10..14 + 12].fill(0);
    Ipv4Packet::new_unchecked(&mut fragment[14..]).fill_checksum();
    let malformed = [good[..10].to_vec(), good[..30].to_vec(), good[..40].to_vec(), ip_checksum, tcp_checksum];
    assert_eq!(world.exchange(&malformed), []);
    assert_eq!(world.exchange(&[fragment]), []);
    let ipv6 = packets::ethernet(GUEST_MAC, GATEWAY_MAC, EthernetProtocol::Ipv6, 60, |_| ());
    let tagged = packets::ethernet(GUEST_MAC, GATEWAY_MAC, EthernetProtocol::Unknown(0x8100), 1_504, |_| ());
    let elsewhere = packets::ethernet(GUEST_MAC, [4; 6], EthernetProtocol::Ipv4, 60, |_| ());
    assert_eq!(world.exchange(&[ipv6, tagged, elsewhere]), []);
    let igmp = packets::ipv4(GUEST_MAC, GUEST, GATEWAY, IpProtocol::Igmp, 8, |_| ());
    assert_eq!(world.exchange(&[igmp]), [Seen::Unreachable(GATEWAY, GATEWAY, 2)]);
    assert_eq!(world.exchange(&[vec![], vec![0; 1_519], vec![0; 70_000]]), []);
    let after = world.network().status();
    assert_eq!(after.dropped.malformed - before.dropped.malformed, 5);
    assert_eq!(after.dropped.fragments - before.dropped.fragments, 1);
    assert_eq!(after.dropped.ignored - before.dropped.ignored, 4);
    assert_eq!(after.dropped.length - before.dropped.length, 3);
    // All that while, it works.
    assert_eq!(world.exchange(&[packets::ping(GUEST, GATEWAY)]), [Seen::Pong]);
}

#[test]
fn a_length_beyond_reason_breaks_the_network() {
    let mut world = World::up(Options::default());
    let (id, _) = world.connection(80);
    assert_eq!(world.port.send(&[0xff; 4]), 4);
    assert_eq!(world.event(), Event::Broken(BrokenReason::FrameLength(u32::MAX)));
    world.closed(id, CloseReason::Broken);
    world.no_event();
    assert!(world.is_over() && world.port.is_closed());
    assert_eq!(world.network().connect(80), Err(Error::Ended));
    assert_eq!(world.port.send(b"x"), 0);
    let context = &mut Context::from_waker(Waker::noop());
    assert!(world.port.poll_readable(context).is_ready() && world.port.poll_writable(context).is_ready());
}

#[test]
fn a_guest_that_goes_closes_every_connection() {
    let mut world = World::up(Options::default());
    let (id, _) = world.connection(80);
    let unread = world.network().connect(81).unwrap();
    world.port.close();
    world.closed(id, CloseReason::Unplugged);
    world.closed(unread, CloseReason::Unplugged);
    world.no_event();
    assert!(world.is_over());
    assert_eq!(world.network().connect(80), Err(Error::Ended));
    assert_eq!(world.network().write(id, bytes::Bytes::from_static(b"x")), WriteOutcome::Closed);
    // None of these finds anything to do.
    world.network().reset(id);
    world.network().accept(id);
    world.network().reject(id, Reject::Refused);
}

#[test]
fn a_network_ends_with_its_last_handle_or_its_driver() {
    let mut world = World::up(Options::default());
    world.connection(80);
    let second = world.network().clone();
    world.network = None;
    world.no_event();
    assert!(!world.is_over());
    drop(second);
    world.no_event();
    assert!(world.is_over() && world.port.is_closed());

    let mut world = World::up(Options::default());
    world.drop_driver();
    assert!(world.port.is_closed());
    assert_eq!(world.network().connect(80), Err(Error::Ended));
}

#[test]
fn a_full_cable_takes_no_more_until_the_driver_took_some() {
    let mut world = World::up(Options::default());
    world.settle();
    let bytes = vec![0; 1 << 20];
    let taken = world.port.send(&bytes);
    assert_eq!((taken, world.port.send(&bytes)), (128 << 10, 0));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(world.port.poll_writable(context).is_pending());
    assert!(world.port.poll_readable(context).is_pending());
    world.settle();
    assert!(world.port.poll_writable(context).is_ready());
    assert!(world.port.send(&bytes) > 0);
}

#[test]
fn an_idle_network_is_not_polled() {
    let mut world = World::up(Options::default());
    world.connection(80);
    world.pass_for(std::time::Duration::from_secs(3_600));
    let before = world.polls;
    world.pass_for(std::time::Duration::from_secs(100_000));
    assert_eq!(world.polls, before);
}
