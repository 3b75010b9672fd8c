//! TCP connections from the host to the guest.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{ALL, World, pattern, pattern_at};
use smoltcp::socket::tcp::State;
use wasgo_net::{CloseReason, Error, Event, Options, WriteOutcome};

#[test]
fn a_byte_goes_there_and_back() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    world.write(id, b"x");
    assert_eq!(world.guest_reads(socket, 1), b"x");
    world.tcp(socket).send_slice(b"y").unwrap();
    assert_eq!(world.data(id, 1), b"y");
    world.no_event();
}

#[test]
fn a_port_where_nothing_listens_refuses_promptly() {
    let mut world = World::up(Options::default());
    let begun = world.clock.offset();
    let id = world.network().connect(81).unwrap();
    world.closed(id, CloseReason::Refused);
    assert!(world.clock.offset() - begun < Duration::from_secs(1));
    assert_eq!(world.network().status().connections, 0);
    assert_eq!(world.network().connect(0), Err(Error::InvalidPort));
}

#[test]
fn a_connection_waits_for_the_guest_to_have_an_address() {
    let mut world = World::new(Options::default());
    let socket = world.listen(80);
    let id = world.network().connect(80).unwrap();
    world.write(id, b"early");
    world.network().give_credit(id, ALL);
    world.no_event();
    world.lease();
    assert_eq!(world.event(), Event::Connected(id));
    assert_eq!(world.guest_reads(socket, 5), b"early");
}

#[test]
fn a_connection_does_not_wait_for_an_address_for_ever() {
    let mut world = World::new(Options::default());
    world.guest_runs = false;
    let id = world.network().connect(80).unwrap();
    let flow = world.network().open_datagrams(53).unwrap();
    world.closed(id, CloseReason::NoAddress);
    world.closed(flow, CloseReason::NoAddress);
    assert_eq!(world.clock.offset(), Options::default().address_timeout);
}

#[test]
fn a_guest_that_does_not_answer_is_given_up() {
    let mut world = World::up(Options::default());
    world.guest_runs = false;
    let begun = world.clock.offset();
    let id = world.network().connect(80).unwrap();
    world.closed(id, CloseReason::ConnectTimeout);
    let waited = world.clock.offset() - begun;
    assert!((Options::default().connect_timeout..Duration::from_secs(11)).contains(&waited), "{waited:?}");
}

#[test]
fn each_side_may_end_before_the_other() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    world.write(id, b"question");
    world.network().shut_down(id);
    assert_eq!(world.guest_reads(socket, 8), b"question");
    world.until(|world| (world.tcp(socket).state() == State::CloseWait).then_some(()));
    assert_eq!(world.network().write(id, Bytes::from_static(b"more")), WriteOutcome::Closed);
    world.tcp(socket).send_slice(b"answer").unwrap();
    assert_eq!(world.data(id, 6), b"answer");
    world.tcp(socket).close();
    assert_eq!(world.event(), Event::PeerClosed(id));
    world.closed(id, CloseReason::Done);

    let (id, socket) = world.connection(81);
    world.tcp(socket).close();
    assert_eq!(world.event(), Event::PeerClosed(id));
    world.write(id, b"still there");
    assert_eq!(world.guest_reads(socket, 11), b"still there");
    world.network().shut_down(id);
    world.closed(id, CloseReason::Done);
    world.until(|world| (!world.tcp(socket).is_open()).then_some(()));
}

#[test]
fn both_may_end_at_once() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    world.network().shut_down(id);
    world.tcp(socket).close();
    assert_eq!(world.event(), Event::PeerClosed(id));
    world.closed(id, CloseReason::Done);
    world.no_event();
}

#[test]
fn a_guest_that_resets_is_heard() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    world.tcp(socket).abort();
    world.closed(id, CloseReason::Reset);
    assert_eq!(world.network().write(id, Bytes::from_static(b"x")), WriteOutcome::Closed);
}

#[test]
fn a_host_that_resets_is_heard() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    world.network().reset(id);
    world.closed(id, CloseReason::Aborted);
    world.until(|world| (world.tcp(socket).state() == State::Closed).then_some(()));
}

#[test]
fn a_host_that_closes_hears_nothing_but_the_end() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    world.write(id, b"last words");
    world.network().close(id);
    assert_eq!(world.guest_reads(socket, 10), b"last words");
    for _ in 0..10 {
        world.tcp(socket).send_slice(&[1; 100_000]).unwrap();
        world.no_event();
    }
    world.tcp(socket).close();
    world.closed(id, CloseReason::Done);
}

#[test]
fn a_guest_that_does_not_close_what_the_host_closed_is_reset_in_the_end() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    let begun = world.clock.offset();
    world.network().close(id);
    world.closed(id, CloseReason::LingerTimeout);
    assert!(world.clock.offset() - begun >= Options::default().linger_timeout);
    world.until(|world| (world.tcp(socket).state() == State::Closed).then_some(()));
}

#[test]
fn no_more_is_told_than_there_is_credit_for_and_the_guest_has_to_stop() {
    let mut world = World::up(Options::default());
    let socket = world.listen(80);
    let id = world.network().connect(80).unwrap();
    assert_eq!(world.event(), Event::Connected(id));
    let mut sent = 0;
    let mut send = |world: &mut World| {
        let mut bytes = [0; 8 << 10];
        pattern(sent, &mut bytes);
        let more = world.tcp(socket).send_slice(&bytes).unwrap_or(0);
        sent += more as u64;
        more > 0
    };
    while send(&mut world) {
        world.no_event();
    }
    // What fits into the window has left the guest, and no more.
    let left = 256 << 10;
    assert!(world.tcp(socket).send_queue() >= left - (64 << 10));
    world.pass_for(Duration::from_secs(600));
    assert!(!send(&mut world));
    world.no_event();
    let mut got = 0_u64;
    for credit in [1, 1, 1_000, 7, 65_536, 100_000] {
        world.network().give_credit(id, credit);
        for byte in world.data(id, credit) {
            assert_eq!(byte, pattern_at(got));
            got += 1;
        }
        world.no_event();
    }
    // Its end is told when all was, although it came long before.
    world.tcp(socket).close();
    world.network().shut_down(id);
    world.pass_for(Duration::from_secs(600));
    world.no_event();
    world.network().give_credit(id, ALL);
    let rest = sent - got;
    for byte in world.data(id, rest as usize) {
        assert_eq!(byte, pattern_at(got));
        got += 1;
    }
    assert_eq!(world.event(), Event::PeerClosed(id));
    world.closed(id, CloseReason::Done);
}

#[test]
fn writes_are_bounded_and_their_host_told_when_there_is_room() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    let chunk = Bytes::from(vec![7; 100_000]);
    let mut written = 0;
    // The guest does not read: its window and the buffers on the way fill.
    loop {
        match world.network().write(id, chunk.clone()) {
            WriteOutcome::Written => written += chunk.len(),
            outcome => {
                assert_eq!(outcome, WriteOutcome::Full);
                world.settle();
                if world.network().write(id, chunk.clone()) == WriteOutcome::Full {
                    break;
                }
                written += chunk.len();
                world.try_event();
            }
        }
    }
    assert!(written < 1 << 20, "{written}");
    world.pass_for(Duration::from_secs(600));
    world.no_event();
    let mut read = 0;
    while read < written {
        read += world.guest_reads(socket, 100_000).len();
    }
    assert_eq!(world.event(), Event::Writable(id));
    world.no_event();
}

#[test]
fn small_writes_are_bounded_by_their_number() {
    let world = World::up(Options::default());
    let id = world.network().connect(80).unwrap();
    let count = (0..10_000)
        .take_while(|_| world.network().write(id, Bytes::from_static(b"x")) == WriteOutcome::Written)
        .count();
    assert_eq!(count, 4_096);
}

#[test]
fn connections_are_bounded_in_number() {
    let options = Options { max_connections: 2, ..Options::default() };
    let mut world = World::up(options);
    let (first, _) = world.connection(80);
    world.connection(81);
    assert_eq!(world.network().connect(82), Err(Error::TooManyConnections { max: 2 }));
    world.network().reset(first);
    world.closed(first, CloseReason::Aborted);
    world.connection(83);
}

#[test]
fn many_connections_at_once_each_have_their_own_bytes() {
    let mut world = World::up(Options::default());
    let all: Vec<_> = (0..64).map(|port| world.connection(1_000 + port)).collect();
    for (index, (id, _)) in all.iter().enumerate() {
        world.write(*id, &vec![index as u8; 50_000]);
    }
    for (index, (id, socket)) in all.iter().enumerate() {
        assert_eq!(world.guest_reads(*socket, 50_000), vec![index as u8; 50_000]);
        world.tcp(*socket).send_slice(&[index as u8; 1_000]).unwrap();
        assert_eq!(world.data(*id, 1_000), vec![index as u8; 1_000]);
    }
}

/// Sends so many bytes each way at once, and has both sides check what comes.
fn both_ways(world: &mut World, total: u64) {
    let (id, socket) = world.connection(80);
    let (mut host_sent, mut guest_sent, mut host_got, mut guest_got) = (0, 0, 0, 0);
    let mut buffer = vec![0; 64 << 10];
    world.until(|world| {
        while host_sent < total {
            let length = (total - host_sent).min(buffer.len() as u64) as usize;
            pattern(host_sent, &mut buffer[..length]);
            match world.network().write(id, Bytes::copy_from_slice(&buffer[..length])) {
                WriteOutcome::Written => host_sent += length as u64,
                outcome => {
                    assert_eq!(outcome, WriteOutcome::Full);
                    break;
                }
            }
        }
        let length = (total - guest_sent).min(buffer.len() as u64) as usize;
        pattern(guest_sent + 1, &mut buffer[..length]);
        guest_sent += world.tcp(socket).send_slice(&buffer[..length]).unwrap() as u64;
        if let Ok(read) = world.tcp(socket).recv_slice(&mut buffer) {
            for byte in &buffer[..read] {
                assert_eq!(*byte, pattern_at(guest_got));
                guest_got += 1;
            }
        }
        while let Some(event) = world.try_event() {
            match event {
                Event::Data(_, bytes) => {
                    for byte in bytes {
                        assert_eq!(byte, pattern_at(host_got + 1));
                        host_got += 1;
                    }
                }
                Event::Writable(_) => {}
                other => panic!("{other:?}"),
            }
        }
        ((host_got, guest_got) == (total, total)).then_some(())
    });
    world.network().shut_down(id);
    world.tcp(socket).close();
    assert_eq!(world.event(), Event::PeerClosed(id));
    world.closed(id, CloseReason::Done);
}

#[test]
fn much_goes_both_ways_at_once_and_stays_as_it_was() {
    let mut world = World::up(Options::default());
    both_ways(&mut world, 64 << 20);
    let status = world.network().status();
    assert_eq!((status.dropped.unread, status.dropped.malformed), (0, 0), "{status:?}");
}

#[test]
fn a_cable_that_loses_frames_delivers_all_the_same() {
    for every in [7, 50, 333] {
        let mut world = World::up(Options::default());
        world.card.lose_every = Some(every);
        both_ways(&mut world, 1 << 20);
    }
}

#[test]
fn a_cable_of_single_bytes_delivers_all_the_same() {
    let mut world = World::new(Options::default());
    world.card.piece = 1;
    world.lease();
    both_ways(&mut world, 100_000);
}

#[test]
fn a_guest_that_does_not_read_is_not_sent_the_same_again() {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    world.card.deaf = true;
    world.write(id, &[7; 200_000]);
    world.settle();
    let sent = world.network().status().sent.frames;
    world.guest_runs = false;
    world.pass_for(Duration::from_secs(3_600));
    assert_eq!(world.network().status().sent.frames, sent);
    (world.card.deaf, world.guest_runs) = (false, true);
    assert_eq!(world.guest_reads(socket, 200_000), vec![7; 200_000]);
    world.no_event();
}

#[test]
fn a_host_ends_a_connection_to_a_guest_that_does_not_read() {
    let mut world = World::up(Options::default());
    let all: Vec<_> = (80..84).map(|port| world.connection(port)).collect();
    world.card.deaf = true;
    for (id, _) in &all {
        while world.network().write(*id, Bytes::from(vec![7; 100_000])) == WriteOutcome::Written {
            world.settle();
        }
    }
    world.network().reset(all[0].0);
    world.closed(all[0].0, CloseReason::Aborted);
    world.network().close(all[1].0);
    world.closed(all[1].0, CloseReason::LingerTimeout);
    // The guest finds out when it reads.
    world.card.deaf = false;
    world.until(|world| (!world.tcp(all[0].1).is_open()).then_some(()));
    world.until(|world| (!world.tcp(all[1].1).is_open()).then_some(()));
}

#[test]
fn a_connection_that_is_closed_before_it_is_there_still_says_what_was_written() {
    let mut world = World::up(Options::default());
    let socket = world.listen(80);
    let id = world.network().connect(80).unwrap();
    world.write(id, b"said in passing");
    world.network().close(id);
    assert_eq!(world.guest_reads(socket, 15), b"said in passing");
    world.tcp(socket).close();
    world.closed(id, CloseReason::Done);
    // One that waits for an address has nobody to say it to.
    let world = &mut World::new(Options::default());
    let (id, other) = (world.network().connect(80).unwrap(), world.network().connect(80).unwrap());
    world.guest_runs = false;
    world.settle();
    world.network().close(id);
    world.network().reset(other);
    world.closed(id, CloseReason::Done);
    world.closed(other, CloseReason::Aborted);
}
