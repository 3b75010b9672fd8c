//! Datagrams both ways.

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use common::packets::{self, Seen};
use common::{ALL, GATEWAY, GUEST, GUEST_MAC, World};
use smoltcp::iface::SocketHandle;
use wasgo_net::{
    CloseReason, ConnectionId, Event, MAX_DATAGRAM, Options, Outgoing, Protocol, Reject, Rule, Target, WriteOutcome,
};

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);

fn options() -> Options {
    let rule = Rule::new("10.0.0.0/8", 5_000..=6_000, Protocol::Udp).unwrap();
    Options { outgoing: Outgoing::Allow(vec![rule]), ..Options::default() }
}

fn guest_receives(world: &mut World, socket: SocketHandle) -> (Vec<u8>, u16) {
    world.until(|world| world.udp(socket).recv().ok().map(|(bytes, meta)| (bytes.to_vec(), meta.endpoint.port)))
}

fn flow(world: &mut World, port: u16) -> ConnectionId {
    let id = world.network().open_datagrams(port).unwrap();
    assert_eq!(world.event(), Event::Connected(id));
    id
}

fn guest_sends(own: u16, port: u16, payload: &[u8]) -> Vec<u8> {
    packets::udp(GUEST_MAC, (GUEST, own), (OUTSIDE, port), payload)
}

#[track_caller]
fn outgoing(world: &mut World) -> ConnectionId {
    match world.event() {
        Event::Outgoing { id, target: Target::Address(OUTSIDE), protocol: Protocol::Udp, .. } => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn datagrams_go_there_and_back_each_as_it_is() {
    let mut world = World::up(options());
    let socket = world.bind(53);
    let (first, second) = (flow(&mut world, 53), flow(&mut world, 53));
    for (id, content) in [(first, "one"), (second, "two"), (first, "")] {
        world.write(id, content.as_bytes());
        let (bytes, port) = guest_receives(&mut world, socket);
        assert_eq!(bytes, content.as_bytes());
        world.udp(socket).send_slice(&[&bytes, b"!".as_slice()].concat(), (GATEWAY, port)).unwrap();
        world.no_event();
        world.network().give_credit(id, content.len() + 1);
        assert_eq!(world.event(), Event::Data(id, Bytes::from(format!("{content}!"))));
    }
    let longest = vec![7; MAX_DATAGRAM];
    world.write(first, &longest);
    assert_eq!(guest_receives(&mut world, socket).0, longest);
    assert_eq!(world.network().write(first, Bytes::from(vec![0; MAX_DATAGRAM + 1])), WriteOutcome::TooLong);
    world.network().close(first);
    world.closed(first, CloseReason::Done);
    world.network().reset(second);
    world.closed(second, CloseReason::Aborted);
}

#[test]
fn a_flow_waits_for_the_guest_to_have_an_address() {
    let mut world = World::new(Options::default());
    let socket = world.bind(53);
    let id = world.network().open_datagrams(53).unwrap();
    world.write(id, b"early");
    world.lease();
    assert_eq!(world.event(), Event::Connected(id));
    assert_eq!(guest_receives(&mut world, socket).0, b"early");
}

#[test]
fn a_guest_that_says_that_nothing_is_there_is_heard() {
    let mut world = World::up(options());
    let id = flow(&mut world, 99);
    world.write(id, b"anybody?");
    world.closed(id, CloseReason::Refused);
}

#[test]
fn a_guest_that_sends_out_is_asked_about_once_and_heard_when_accepted() {
    let mut world = World::up(options());
    assert_eq!(world.exchange(&[guest_sends(1_000, 5_000, b"a"), guest_sends(1_000, 5_000, b"b")]), []);
    let id = outgoing(&mut world);
    world.no_event();
    world.network().accept(id);
    world.network().give_credit(id, ALL);
    assert_eq!(world.event(), Event::Connected(id));
    assert_eq!(world.event(), Event::Data(id, Bytes::from_static(b"a")));
    assert_eq!(world.event(), Event::Data(id, Bytes::from_static(b"b")));
    world.card.log = Some(Vec::new());
    world.write(id, b"answer");
    world.settle();
    let seen = packets::read(&world.card.log.take().unwrap()[0]);
    assert_eq!(seen, Seen::Datagram((OUTSIDE, 5_000), 1_000, b"answer".to_vec()));
    // To another port, or from one, is another flow.
    world.exchange(&[guest_sends(1_000, 5_001, b"c"), guest_sends(1_001, 5_000, b"d")]);
    assert!(outgoing(&mut world) != outgoing(&mut world));
}

#[test]
fn a_flow_that_is_not_allowed_or_rejected_is_unreachable() {
    let mut world = World::up(options());
    assert_eq!(world.exchange(&[guest_sends(1_000, 4_999, b"a")]), [Seen::Unreachable(OUTSIDE, OUTSIDE, 3)]);
    world.no_event();
    for (how, answer) in [
        (Reject::Refused, Seen::Unreachable(OUTSIDE, OUTSIDE, 3)),
        (Reject::Unreachable, Seen::Unreachable(GATEWAY, OUTSIDE, 1)),
    ] {
        world.exchange(&[guest_sends(1_000, 5_000, b"a")]);
        let id = outgoing(&mut world);
        world.card.log = Some(Vec::new());
        world.network().reject(id, how);
        world.closed(id, CloseReason::Rejected);
        world.settle();
        assert_eq!(packets::read(&world.card.log.take().unwrap()[0]), answer);
    }
    world.exchange(&[guest_sends(1_000, 5_000, b"a")]);
    let id = outgoing(&mut world);
    world.closed(id, CloseReason::DecisionTimeout);
}

#[test]
fn flows_that_the_guest_began_end_when_nothing_goes_either_way() {
    let mut world = World::up(options());
    let socket = flow(&mut world, 53);
    world.exchange(&[guest_sends(1_000, 5_000, b"a")]);
    let id = outgoing(&mut world);
    world.network().accept(id);
    assert_eq!(world.event(), Event::Connected(id));
    let idle = Options::default().idle_timeout;
    for _ in 0..3 {
        world.pass_for(idle - Duration::from_secs(1));
        world.write(id, b"still here");
        world.no_event();
        world.pass_for(idle - Duration::from_secs(1));
        world.exchange(&[guest_sends(1_000, 5_000, b"a")]);
        world.no_event();
    }
    world.pass_for(idle);
    world.closed(id, CloseReason::IdleTimeout);
    // Those of the host stay.
    world.no_event();
    world.write(socket, b"x");
}

#[test]
fn datagrams_that_nobody_reads_are_bounded_in_number() {
    let mut world = World::up(options());
    let frames: Vec<_> = (0..100).map(|_| guest_sends(1_000, 5_000, &[7; 1_000])).collect();
    world.exchange(&frames);
    let id = outgoing(&mut world);
    world.network().accept(id);
    assert_eq!(world.event(), Event::Connected(id));
    world.exchange(&frames);
    world.no_event();
    assert_eq!(world.network().status().dropped.overload, 168);
    world.network().give_credit(id, 32_000);
    assert_eq!(world.data(id, 32_000).len(), 32_000);
    world.no_event();
}

#[test]
fn flows_are_bounded_in_number() {
    let mut world = World::up(Options { max_connections: 4, ..options() });
    let frames: Vec<_> = (0..10).map(|own| guest_sends(1_000 + own, 5_000, b"a")).collect();
    assert_eq!(world.exchange(&frames).len(), 6);
    for _ in 0..4 {
        outgoing(&mut world);
    }
    world.no_event();
}

#[test]
fn datagrams_to_a_guest_that_does_not_read_wait_and_their_host_with_them() {
    let mut world = World::up(options());
    let socket = world.bind(53);
    let id = flow(&mut world, 53);
    world.card.deaf = true;
    let mut written = 0;
    while world.network().write(id, Bytes::from(vec![1; 1_000])) == WriteOutcome::Written {
        written += 1;
        world.settle();
    }
    assert!((500..600).contains(&written), "{written}");
    world.no_event();
    world.card.deaf = false;
    let mut got = 0;
    world.until(|world| {
        while world.udp(socket).recv().is_ok() {
            got += 1;
        }
        world.try_event()
    });
    world.settle();
    while world.udp(socket).recv().is_ok() {
        got += 1;
    }
    // The guest's own socket holds 64 of them.
    assert!(got > 64, "{got}");
    assert_eq!(world.network().write(id, Bytes::from_static(b"x")), WriteOutcome::Written);
}
