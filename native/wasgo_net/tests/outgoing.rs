//! Connections that the guest makes.

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use common::packets::{self, Seen};
use common::{ALL, GATEWAY, GUEST, GUEST_MAC, World};
use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;
use wasgo_net::{CloseReason, ConnectionId, Event, Options, Outgoing, Protocol, Reject, Rule, Target};

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);

fn options() -> Options {
    let rules = [("api.example.com", 443), ("10.0.0.0/8", 80), ("192.168.127.1", 8_080)];
    let rules = rules.map(|(target, port)| Rule::new(target, port..=port, Protocol::Tcp).unwrap());
    Options { outgoing: Outgoing::Allow(rules.into()), ..Options::default() }
}

/// The address that stands for a name.
fn resolve(world: &mut World, name: &str) -> Ipv4Addr {
    let question = packets::udp(GUEST_MAC, (GUEST, 5_000), (GATEWAY, 53), &packets::dns(name, 1));
    let answer = world.exchange(&[question]);
    world.guest_runs = true;
    let [Seen::Datagram(_, _, message)] = answer.as_slice() else { panic!("{answer:?}") };
    Ipv4Addr::from(*message.last_chunk::<4>().unwrap())
}

#[track_caller]
fn outgoing(world: &mut World) -> (ConnectionId, Target, u16) {
    match world.event() {
        Event::Outgoing { id, target, port, protocol: Protocol::Tcp } => (id, target, port),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_is_allowed_is_connected_to_when_the_host_accepts() {
    let mut world = World::up(options());
    let address = resolve(&mut world, "api.example.com");
    let socket = world.begin(address, 443, 40_000);
    let (id, target, port) = outgoing(&mut world);
    assert_eq!((target, port), (Target::Name("api.example.com".into()), 443));
    world.no_event();
    assert_eq!(world.tcp(socket).state(), State::SynSent);
    // What is written before it is there waits for it.
    world.network().accept(id);
    world.write(id, b"welcome");
    world.network().give_credit(id, ALL);
    assert_eq!(world.event(), Event::Connected(id));
    assert_eq!(world.guest_reads(socket, 7), b"welcome");
    world.tcp(socket).send_slice(b"thanks").unwrap();
    assert_eq!(world.data(id, 6), b"thanks");
    world.tcp(socket).close();
    assert_eq!(world.event(), Event::PeerClosed(id));
    world.network().close(id);
    world.closed(id, CloseReason::Done);
}

#[test]
fn addresses_and_the_gateway_itself_can_be_allowed_too() {
    let mut world = World::up(options());
    for (address, port) in [(OUTSIDE, 80), (GATEWAY, 8_080)] {
        let socket = world.begin(address, port, 40_000 + port);
        let (id, target, _) = outgoing(&mut world);
        assert_eq!(target, Target::Address(address));
        world.network().accept(id);
        assert_eq!(world.event(), Event::Connected(id));
        world.until(|world| (world.tcp(socket).state() == State::Established).then_some(()));
    }
}

#[test]
fn what_no_rule_allows_is_refused_at_once_and_not_asked_about() {
    let mut world = World::up(options());
    let named = resolve(&mut world, "api.example.com");
    for (address, port) in
        [(named, 80), (OUTSIDE, 81), (Ipv4Addr::new(11, 0, 0, 1), 80), (Ipv4Addr::new(198, 19, 0, 9), 443)]
    {
        let socket = world.begin(address, port, 40_000);
        world.until(|world| (world.tcp(socket).state() == State::Closed).then_some(()));
        world.sockets.remove(socket);
    }
    world.no_event();
    assert_eq!(world.network().status().dropped.refused, 4);
}

#[test]
fn a_host_may_reject() {
    let mut world = World::up(options());
    let socket = world.begin(OUTSIDE, 80, 40_000);
    let (id, ..) = outgoing(&mut world);
    world.network().reject(id, Reject::Refused);
    world.closed(id, CloseReason::Rejected);
    world.until(|world| (world.tcp(socket).state() == State::Closed).then_some(()));

    let syn = packets::syn((GUEST, 40_001), (OUTSIDE, 80));
    assert_eq!(world.exchange(&[syn]), []);
    let (id, ..) = outgoing(&mut world);
    world.network().reject(id, Reject::Unreachable);
    assert_eq!(world.exchange(&[]), []);
    world.closed(id, CloseReason::Rejected);
}

#[test]
fn each_way_to_reject_is_told_to_the_guest_in_its_way() {
    let mut world = World::up(options());
    for (how, answer) in [
        (Reject::Refused, Seen::Reset((OUTSIDE, 80), 40_000)),
        (Reject::Unreachable, Seen::Unreachable(GATEWAY, OUTSIDE, 1)),
    ] {
        world.exchange(&[packets::syn((GUEST, 40_000), (OUTSIDE, 80))]);
        let (id, ..) = outgoing(&mut world);
        world.card.log = Some(Vec::new());
        world.network().reject(id, how);
        world.closed(id, CloseReason::Rejected);
        world.settle();
        let seen: Vec<_> = world.card.log.take().unwrap().iter().map(|frame| packets::read(frame)).collect();
        assert_eq!(seen, [answer]);
    }
}

#[test]
fn a_host_that_does_not_decide_refuses_in_the_end() {
    let mut world = World::up(options());
    let begun = world.clock.offset();
    let socket = world.begin(OUTSIDE, 80, 40_000);
    let (id, ..) = outgoing(&mut world);
    world.closed(id, CloseReason::DecisionTimeout);
    assert!(world.clock.offset() - begun >= Duration::from_secs(10));
    world.until(|world| (world.tcp(socket).state() == State::Closed).then_some(()));
    // It is too late now.
    world.network().accept(id);
    world.no_event();
}

#[test]
fn a_guest_asks_once_however_often_it_repeats_itself() {
    let mut world = World::up(options());
    let socket = world.begin(OUTSIDE, 80, 40_000);
    let (id, ..) = outgoing(&mut world);
    world.pass_for(Duration::from_secs(2));
    world.no_event();
    world.network().accept(id);
    assert_eq!(world.event(), Event::Connected(id));
    assert_eq!(world.tcp(socket).state(), State::Established);
}

#[test]
fn a_guest_may_change_its_mind() {
    let mut world = World::up(options());
    world.exchange(&[packets::syn((GUEST, 40_000), (OUTSIDE, 80))]);
    let (id, ..) = outgoing(&mut world);
    world.exchange(&[packets::tcp((GUEST, 40_000), (OUTSIDE, 80), TcpControl::Rst, 1_001, None, b"")]);
    world.closed(id, CloseReason::Reset);

    // Also after it was accepted, before it is there.
    world.exchange(&[packets::syn((GUEST, 40_000), (OUTSIDE, 80))]);
    let (id, ..) = outgoing(&mut world);
    world.network().accept(id);
    world.settle();
    world.exchange(&[packets::tcp((GUEST, 40_000), (OUTSIDE, 80), TcpControl::Rst, 1_001, Some(0), b"")]);
    world.closed(id, CloseReason::Reset);
}

#[test]
fn two_connections_to_the_same_target_are_two() {
    let mut world = World::up(options());
    let address = resolve(&mut world, "api.example.com");
    let sockets = [40_000, 40_001].map(|own| world.begin(address, 443, own));
    let (first, ..) = outgoing(&mut world);
    let (second, ..) = outgoing(&mut world);
    // The second first.
    for id in [second, first] {
        world.network().give_credit(id, ALL);
        world.network().accept(id);
        assert_eq!(world.event(), Event::Connected(id));
    }
    world
        .until(|world| sockets.iter().all(|socket| world.sockets.get::<common::Tcp>(*socket).may_send()).then_some(()));
    world.tcp(sockets[0]).send_slice(b"from the first").unwrap();
    assert_eq!(world.data(first, 14), b"from the first");
    world.tcp(sockets[1]).send_slice(b"from the second").unwrap();
    assert_eq!(world.data(second, 15), b"from the second");
}

#[test]
fn those_that_wait_are_bounded_in_number() {
    let mut world = World::up(Options { max_held: 3, max_connections: 4, ..options() });
    let syn = |own| packets::syn((GUEST, own), (OUTSIDE, 80));
    let resets = |answer: Vec<Seen>| answer.iter().filter(|seen| matches!(seen, Seen::Reset(..))).count();
    let frames: Vec<_> = (40_000..40_010).map(syn).collect();
    assert_eq!(resets(world.exchange(&frames)), 7);
    let ids = [(); 3].map(|()| outgoing(&mut world).0);
    world.no_event();
    assert_eq!(world.network().status().dropped.overload, 7);
    ids.into_iter().for_each(|id| world.network().accept(id));
    world.settle();
    // Now there is room for one that waits, as there may be four at all.
    assert_eq!(resets(world.exchange(&frames[3..])), 6);
    outgoing(&mut world);
    world.no_event();
}

#[test]
fn a_guest_that_asks_and_never_goes_on_is_given_up() {
    let mut world = World::up(options());
    world.exchange(&[packets::syn((GUEST, 40_000), (OUTSIDE, 80))]);
    let (id, ..) = outgoing(&mut world);
    world.network().accept(id);
    world.closed(id, CloseReason::ConnectTimeout);
    assert_eq!(world.network().status().connections, 0);
}
