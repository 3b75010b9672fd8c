//! WASI programs over in-memory pipes.

mod common;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use common::module;
use wasgo_wasm::{Error, Event, Limits, Service, ServiceOptions, WriteOutcome};

/// Reads up to 4 KiB at a time and writes them back; ends with status 3 at the end of its input.
const CAT: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (loop
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 4096))
        (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $exit (i32.const 9))))
        (if (i32.eqz (i32.load (i32.const 8))) (then (call $exit (i32.const 3))))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br 0))))"#;

fn start(source: &str, options: ServiceOptions) -> (Service, Receiver<Event>) {
    let (send, receive) = channel();
    let service = Service::start(&module(source), options, move |event| drop(send.send(event))).unwrap();
    (service, receive)
}

fn next(events: &Receiver<Event>) -> Event {
    events.recv_timeout(Duration::from_secs(30)).expect("an event")
}

fn stdout(events: &Receiver<Event>, length: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < length {
        match next(events) {
            Event::Stdout(bytes) => read.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
    read
}

#[test]
fn a_program_answers_what_it_is_sent_and_ends_with_its_input() {
    let (service, events) = start(CAT, ServiceOptions::default());
    for request in ["one\n", "two\n"] {
        assert_eq!(service.write(Bytes::from_static(request.as_bytes())), WriteOutcome::Written);
        assert_eq!(stdout(&events, 4), request.as_bytes());
    }
    service.close_input();
    assert!(matches!(next(&events), Event::Exit(Ok(3))));
    assert_eq!(service.write(Bytes::from_static(b"x")), WriteOutcome::Closed);
}

#[test]
fn a_program_writes_no_more_than_it_has_credit_for() {
    let (service, events) = start(CAT, ServiceOptions { credit: 10, ..ServiceOptions::default() });
    service.write(Bytes::from(vec![7; 25]));
    assert_eq!(stdout(&events, 10).len(), 10);
    assert!(events.recv_timeout(Duration::from_millis(50)).is_err());
    service.give_credit(100, 0);
    assert_eq!(stdout(&events, 15).len(), 15);
}

#[test]
fn input_that_is_not_read_is_refused_and_its_writer_told_when_there_is_room() {
    let (service, events) = start(CAT, ServiceOptions { credit: 0, ..ServiceOptions::default() });
    let megabyte = Bytes::from(vec![1; 1 << 20]);
    let mut written = 0;
    while service.write(megabyte.clone()) == WriteOutcome::Written {
        written += 1;
        assert!(written < 4);
    }
    service.give_credit(usize::MAX, 0);
    let mut ready = false;
    while !ready {
        ready = matches!(next(&events), Event::InputReady);
    }
    assert_eq!(service.write(megabyte), WriteOutcome::Written);
}

#[test]
fn a_program_that_spins_is_stopped() {
    let spin = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1) (func (export "_start") (loop br 0)))"#;
    let (service, events) = start(spin, ServiceOptions::default());
    service.stop();
    assert!(matches!(next(&events), Event::Exit(Err(Error::Cancelled))));
}

#[test]
fn dropping_the_handle_stops_the_program() {
    let (service, events) = start(CAT, ServiceOptions::default());
    drop(service);
    assert!(matches!(next(&events), Event::Exit(Err(Error::Cancelled))));
}

#[test]
fn a_trap_and_a_limit_are_exit_reasons() {
    let program = |body: &str| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
                (memory (export "memory") 1) (func (export "_start") {body}))"#
        )
    };
    let (_service, events) = start(&program("unreachable"), ServiceOptions::default());
    assert!(matches!(next(&events), Event::Exit(Err(Error::Trap { reason: "unreachable", .. }))));

    let limits = Limits { memory: 1 << 16, ..Limits::default() };
    let grow = "(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))";
    let (_service, events) = start(&program(grow), ServiceOptions { limits, ..ServiceOptions::default() });
    assert!(matches!(next(&events), Event::Exit(Err(Error::Limit { .. }))));
}

#[test]
fn a_program_sees_its_arguments_and_environment_and_nothing_of_the_hosts() {
    // Writes the sizes of arguments and environment as single digits.
    let program = r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
          (drop (call $args (i32.const 0) (i32.const 4))) (drop (call $environ (i32.const 8) (i32.const 12)))
          (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.load (i32.const 0))))
          (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.load (i32.const 8))))
          (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 2))
          (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#;
    let options = ServiceOptions {
        arguments: vec!["name".into(), "-v".into()],
        environment: vec![("KEY".into(), "value".into())],
        ..ServiceOptions::default()
    };
    let (_service, events) = start(program, options);
    assert_eq!(stdout(&events, 2), b"21");
    let (_service, events) = start(program, ServiceOptions::default());
    assert_eq!(stdout(&events, 2), b"10");
    assert!(matches!(next(&events), Event::Exit(Ok(0))));
}

#[test]
fn what_is_no_wasi_program_is_refused() {
    let error = Service::start(&module("(module)"), ServiceOptions::default(), |_| ()).err().unwrap();
    assert!(matches!(error, Error::Contract { .. }));
    let library = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (func (export "add")))"#;
    let error = Service::start(&module(library), ServiceOptions::default(), |_| ()).err().unwrap();
    assert!(matches!(error, Error::MissingExport { name, .. } if name == "_start"));
    let wants_more =
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (import "net" "dial" (func)))"#;
    let error = Service::start(&module(wants_more), ServiceOptions::default(), |_| ()).err().unwrap();
    assert!(matches!(error, Error::MissingImport { module, .. } if module == "net"));
}
