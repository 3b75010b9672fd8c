//! Standard streams, waiting, the socket of a cable, and quotas: what is this crate's own of WASI.

#![cfg(unix)]

mod common;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::module;
use wasgo_wasm::{Cable, Directory, Error, Event, Service, ServiceOptions};

const AGAIN: i32 = 6;
const BAD_DESCRIPTOR: i32 = 8;
const NO_SPACE: i32 = 51;

/// A program that reports numbers: `(call $tell i32)` writes one in four bytes to the standard output.
fn program(body: &str) -> String {
    let wasi = |name: &str, parameters: &str| {
        let result = if name == "proc_exit" { "" } else { "(result i32)" };
        format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {parameters}) {result}))\n")
    };
    let imports: String = [
        ("proc_exit", "i32"),
        ("fd_write", "i32 i32 i32 i32"),
        ("fd_read", "i32 i32 i32 i32"),
        ("fd_pwrite", "i32 i32 i32 i64 i32"),
        ("fd_close", "i32"),
        ("fd_renumber", "i32 i32"),
        ("fd_fdstat_get", "i32 i32"),
        ("fd_fdstat_set_flags", "i32 i32"),
        ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
        ("path_unlink_file", "i32 i32 i32"),
        ("path_create_directory", "i32 i32 i32"),
        ("poll_oneoff", "i32 i32 i32 i32"),
        ("sock_accept", "i32 i32 i32"),
        ("sock_recv", "i32 i32 i32 i32 i32 i32"),
        ("sock_send", "i32 i32 i32 i32 i32"),
        ("sock_shutdown", "i32 i32"),
    ]
    .iter()
    .map(|(name, parameters)| wasi(name, parameters))
    .collect();
    format!(
        r#"(module {imports} (memory (export "memory") 4)
            (data (i32.const 1024) "file")
            (func $tell (param i32)
              (i32.store (i32.const 100) (local.get 0)) (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 4))
              (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
            ;; One part of so many bytes, at 2048.
            (func $part (param i32) (i32.store (i32.const 16) (i32.const 2048)) (i32.store (i32.const 20) (local.get 0)))
            (func $read (param $fd i32) (result i32)
              (call $part (i32.const 64)) (call $fd_read (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 24)))
            ;; Subscriptions at 4096, events at 8192, their number at 512.
            (func $clock (param $at i32) (param $nanoseconds i64)
              (i64.store (local.get $at) (i64.const 7)) (i32.store8 offset=8 (local.get $at) (i32.const 0))
              (i32.store offset=16 (local.get $at) (i32.const 1)) (i64.store offset=24 (local.get $at) (local.get $nanoseconds)))
            (func $readable (param $at i32) (param $fd i32)
              (i64.store (local.get $at) (i64.const 8)) (i32.store8 offset=8 (local.get $at) (i32.const 1))
              (i32.store offset=16 (local.get $at) (local.get $fd)))
            (func $poll (param $count i32)
              (call $tell (call $poll_oneoff (i32.const 4096) (i32.const 8192) (local.get $count) (i32.const 512)))
              (call $tell (i32.load (i32.const 512))))
            ;; Kind, error, bytes and flags of the first event.
            (func $event
              (call $tell (i32.load8_u (i32.const 8202))) (call $tell (i32.load16_u (i32.const 8200)))
              (call $tell (i32.load (i32.const 8208))) (call $tell (i32.load16_u (i32.const 8216))))
            (func $create (result i32)
              (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 1) (i64.const 64)
                (i64.const 0) (i32.const 0) (i32.const 512)))
            (func (export "_start") {body}))"#
    )
}

struct Running {
    service: Service,
    events: Receiver<Event>,
    /// What it told and nobody asked for yet.
    left: Cell<Vec<u8>>,
}

impl Running {
    fn start(body: &str, options: ServiceOptions, cable: Option<Arc<dyn Cable>>) -> Self {
        let (send, events) = channel();
        let service =
            Service::start_connected(&module(&program(body)), options, cable, move |event| drop(send.send(event)))
                .unwrap();
        Self { service, events, left: Cell::default() }
    }

    /// The next numbers that the program tells.
    fn numbers(&self, count: usize) -> Vec<i32> {
        let mut bytes = self.left.take();
        while bytes.len() < 4 * count {
            match self.events.recv_timeout(Duration::from_secs(60)).expect("an event") {
                Event::Stdout(more) => bytes.extend_from_slice(&more),
                other => panic!("{other:?} after {bytes:?}"),
            }
        }
        self.left.set(bytes.split_off(4 * count));
        bytes.chunks(4).map(|number| i32::from_le_bytes(number.try_into().unwrap())).collect()
    }

    fn end(&self) -> Result<i32, Error> {
        match self.events.recv_timeout(Duration::from_secs(60)).expect("an event") {
            Event::Exit(result) => result,
            other => panic!("{other:?}"),
        }
    }
}

fn plain() -> ServiceOptions {
    ServiceOptions::default()
}

fn terminal() -> ServiceOptions {
    ServiceOptions { terminal: true, ..plain() }
}

const STDIN_OR: &str = "(call $readable (i32.const 4096) (i32.const 0)) (call $clock (i32.const 4144) (i64.const";

#[test]
fn only_what_is_ready_is_reported() {
    // Nothing comes: the time is over.
    let running =
        Running::start(&format!("{STDIN_OR} 5000000)) (call $poll (i32.const 2)) (call $event)"), plain(), None);
    assert_eq!(running.numbers(6), [0, 1, 0, 0, 0, 0]);
    // Something comes long before an hour is over.
    let body = format!("{STDIN_OR} 3600000000000)) (call $poll (i32.const 2)) (call $event)");
    let running = Running::start(&body, plain(), None);
    running.service.write(Bytes::from_static(b"hello"));
    assert_eq!(running.numbers(6), [0, 1, 1, 0, 5, 0]);
    // The end is something too.
    let running = Running::start(&body, plain(), None);
    running.service.close_input();
    assert_eq!(running.numbers(6), [0, 1, 1, 0, 0, 1]);
    // Both at once.
    let body = format!("(drop (call $read (i32.const 0))) {STDIN_OR} 0)) (call $poll (i32.const 2))");
    let running = Running::start(&body, plain(), None);
    running.service.write(Bytes::from_static(&[1; 100]));
    assert_eq!(running.numbers(2), [0, 2]);
}

#[test]
fn no_time_at_all_does_not_wait_and_nothing_to_wait_for_is_refused() {
    let body = format!("{STDIN_OR} 0)) (call $poll (i32.const 2)) (call $event) (call $poll (i32.const 0))");
    assert_eq!(Running::start(&body, plain(), None).numbers(8), [0, 1, 0, 0, 0, 0, 28, 1]);
}

#[test]
fn what_is_no_descriptor_is_an_event_with_an_error() {
    let body = "(call $readable (i32.const 4096) (i32.const 77)) (call $poll (i32.const 1)) (call $event)";
    assert_eq!(Running::start(body, plain(), None).numbers(6), [0, 1, 1, BAD_DESCRIPTOR, 0, 0]);
    // Nor can the output be read from.
    let body = "(call $readable (i32.const 4096) (i32.const 1)) (call $poll (i32.const 1)) (call $event)";
    assert_eq!(Running::start(body, plain(), None).numbers(6), [0, 1, 1, BAD_DESCRIPTOR, 0, 0]);
}

#[test]
fn a_terminals_program_that_looks_again_and_again_waits_a_little_and_hears_its_input_at_once() {
    // 400 looks at a clock that has come: most of them wait. The machine may interrupt some.
    let looks = "(local $left i32) (local.set $left (i32.const 400))
        (loop $more
          (call $clock (i32.const 4096) (i64.const 0))
          (drop (call $poll_oneoff (i32.const 4096) (i32.const 8192) (i32.const 1) (i32.const 512)))
          (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let began = Instant::now();
    let running = Running::start(&format!("{looks} (call $tell (i32.const 1))"), terminal(), None);
    assert_eq!(running.numbers(1), [1]);
    assert!(began.elapsed() > Duration::from_millis(20), "{:?}", began.elapsed());
    // It looks until there is something to read beside the clock.
    let body = "(loop $more
        (call $clock (i32.const 4096) (i64.const 0)) (call $readable (i32.const 4144) (i32.const 0))
        (drop (call $poll_oneoff (i32.const 4096) (i32.const 8192) (i32.const 2) (i32.const 512)))
        (br_if $more (i32.and (i32.eq (i32.load (i32.const 512)) (i32.const 1)) (i32.eqz (i32.load8_u (i32.const 8202))))))
        (call $tell (i32.const 2))";
    let running = Running::start(body, terminal(), None);
    running.service.write(Bytes::from_static(b"x"));
    assert_eq!(running.numbers(1), [2]);
}

#[test]
fn a_terminals_input_is_empty_and_never_at_its_end() {
    let body = "(call $tell (call $read (i32.const 0))) (call $readable (i32.const 4096) (i32.const 0)) (call $poll (i32.const 1))
        (call $tell (call $read (i32.const 0))) (call $tell (i32.load (i32.const 24))) (call $tell (call $read (i32.const 0)))
        (drop (call $fd_fdstat_get (i32.const 0) (i32.const 600))) (call $tell (i32.load (i32.const 600)))";
    let running = Running::start(body, terminal(), None);
    assert_eq!(running.numbers(1), [AGAIN]);
    running.service.close_input();
    running.service.write(Bytes::from_static(b"abc"));
    // A character device that does not wait.
    assert_eq!(running.numbers(6), [0, 1, 0, 3, AGAIN, 0x0004_0002]);
}

#[test]
fn who_wants_not_to_wait_does_not() {
    let body =
        "(call $tell (call $fd_fdstat_set_flags (i32.const 0) (i32.const 4))) (call $tell (call $read (i32.const 0)))
        (call $tell (call $fd_fdstat_set_flags (i32.const 0) (i32.const 0))) (call $tell (call $read (i32.const 0)))";
    let running = Running::start(body, plain(), None);
    assert_eq!(running.numbers(3), [0, AGAIN, 0]);
    running.service.write(Bytes::from_static(b"x"));
    assert_eq!(running.numbers(1), [0]);
}

#[test]
fn a_stream_that_was_closed_is_none_any_more() {
    let body = "(call $tell (call $fd_close (i32.const 0))) (call $tell (call $read (i32.const 0))) (call $tell (call $fd_close (i32.const 0)))";
    assert_eq!(Running::start(body, plain(), None).numbers(3), [0, BAD_DESCRIPTOR, BAD_DESCRIPTOR]);
}

#[test]
fn a_file_may_take_a_streams_place_and_a_stream_none() {
    let place = Place::new("renumber");
    let body = "(drop (call $create)) (call $tell (call $fd_renumber (i32.const 1) (i32.load (i32.const 512))))
        (call $tell (call $fd_renumber (i32.load (i32.const 512)) (i32.const 1))) (call $tell (i32.const 42))";
    let running = Running::start(body, place.options(None), None);
    assert_eq!(running.numbers(1), [58]);
    assert_eq!(running.end().unwrap(), 0);
    assert_eq!(fs::read(place.0.join("file")).unwrap(), [0, 0, 0, 0, 42, 0, 0, 0]);
}

/// A cable that echoes what it is sent, once there is more than it holds.
#[derive(Default)]
struct Echo {
    state: Mutex<(VecDeque<u8>, Vec<Waker>, bool)>,
}

impl Echo {
    fn put(&self, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap();
        state.0.extend(bytes);
        state.1.drain(..).for_each(Waker::wake);
    }

    fn is_closed(&self) -> bool {
        self.state.lock().unwrap().2
    }
}

impl Cable for Echo {
    fn send(&self, bytes: &[u8]) -> usize {
        // It takes no more than three bytes at a time.
        let now = &bytes[..bytes.len().min(3)];
        self.put(now);
        now.len()
    }

    fn receive(&self, into: &mut [u8]) -> usize {
        let mut state = self.state.lock().unwrap();
        let count = into.len().min(state.0.len());
        for (place, byte) in into.iter_mut().zip(state.0.drain(..count)) {
            *place = byte;
        }
        count
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap();
        if !state.0.is_empty() {
            return Poll::Ready(());
        }
        state.1.push(context.waker().clone());
        Poll::Pending
    }

    fn poll_writable(&self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn close(&self) {
        self.state.lock().unwrap().2 = true;
    }
}

const ACCEPT: &str = "(call $tell (call $sock_accept (i32.const 3) (i32.const 4) (i32.const 512))) (call $tell (i32.load (i32.const 512)))";
const RECEIVE: &str = "(call $part (i32.const 64))
    (call $tell (call $sock_recv (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 0) (i32.const 24) (i32.const 28)))";

#[test]
fn a_cable_is_a_socket_that_is_accepted_once() {
    let body = format!(
        "{ACCEPT} (call $tell (call $sock_accept (i32.const 3) (i32.const 4) (i32.const 512)))
        {RECEIVE}
        (call $readable (i32.const 4096) (i32.const 4)) (call $poll (i32.const 1)) (call $event)
        {RECEIVE} (call $tell (i32.load (i32.const 24)))
        (call $part (i32.const 5))
        (call $tell (call $sock_send (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 0) (i32.const 24))) (call $tell (i32.load (i32.const 24)))
        (call $tell (call $read (i32.const 4))) (call $tell (i32.load (i32.const 24)))
        (call $tell (call $sock_shutdown (i32.const 4) (i32.const 2))) (call $tell (call $read (i32.const 4)))
        (call $tell (call $sock_accept (i32.const 3) (i32.const 4) (i32.const 512)))"
    );
    let cable = Arc::new(Echo::default());
    let running = Running::start(&body, plain(), Some(cable.clone()));
    assert_eq!(running.numbers(4), [0, 4, AGAIN, AGAIN]);
    assert!(!cable.is_closed());
    cable.put(b"frame");
    // The event; what came; of five bytes three are taken, and come back; nothing after the end.
    assert_eq!(running.numbers(8), [0, 1, 1, 0, 1, 0, 0, 5]);
    assert_eq!(running.numbers(7), [0, 3, 0, 3, 0, BAD_DESCRIPTOR, AGAIN]);
    assert!(cable.is_closed());
}

#[test]
fn a_socket_that_waits_waits() {
    let accept = ACCEPT.replace("(i32.const 3) (i32.const 4)", "(i32.const 3) (i32.const 0)");
    let cable = Arc::new(Echo::default());
    let running = Running::start(&format!("{accept} {RECEIVE}"), plain(), Some(cable.clone()));
    assert_eq!(running.numbers(2), [0, 4]);
    cable.put(b"now");
    assert_eq!(running.numbers(1), [0]);
    assert_eq!(running.end().unwrap(), 0);
    assert!(cable.is_closed());
}

#[test]
fn a_program_without_a_cable_has_no_socket_and_one_with_directories_has_it_elsewhere() {
    assert_eq!(Running::start(ACCEPT, plain(), None).numbers(1), [BAD_DESCRIPTOR]);
    assert_eq!((wasgo_wasm::listener(false), wasgo_wasm::listener(true)), (3, 512));
    let place = Place::new("listener");
    let cable = Arc::new(Echo::default());
    let high = "(call $tell (call $sock_accept (i32.const 512) (i32.const 4) (i32.const 640))) (call $tell (i32.load (i32.const 640)))";
    let body = format!("{ACCEPT} {high}");
    let running = Running::start(&body, place.options(None), Some(cable));
    assert_eq!(running.numbers(4), [BAD_DESCRIPTOR, 0, 0, 513]);
}

struct Place(std::path::PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wasgo-descriptors-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn options(&self, quota: Option<u64>) -> ServiceOptions {
        let host = self.0.to_str().unwrap().to_owned();
        let directories = vec![Directory { host, guest: "/".into(), writable: true }];
        ServiceOptions { directories, quota, ..plain() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const WRITE: &str = "(call $part (i32.const 10000))
    (call $tell (call $fd_write (i32.load (i32.const 512)) (i32.const 16) (i32.const 1) (i32.const 24)))";

#[test]
fn no_more_is_stored_than_the_quota() {
    let place = Place::new("quota");
    // A file counts for 4,096, and so much fits twice.
    let body = format!("(call $tell (call $create)) {WRITE} {WRITE} {WRITE}
        (call $tell (call $path_create_directory (i32.const 3) (i32.const 1025) (i32.const 3)))
        (call $tell (call $fd_pwrite (i32.load (i32.const 512)) (i32.const 16) (i32.const 1) (i64.const 0) (i32.const 24)))");
    let running = Running::start(&body, place.options(Some(25_000)), None);
    assert_eq!(running.numbers(6), [0, 0, 0, NO_SPACE, NO_SPACE, NO_SPACE]);
    assert_eq!(fs::metadata(place.0.join("file")).unwrap().len(), 20_000);
    // What is there already counts.
    let other = "(i32.store8 (i32.const 1024) (i32.const 120)) (call $tell (call $create))";
    assert_eq!(Running::start(other, place.options(Some(26_000)), None).numbers(1), [NO_SPACE]);
    let body = format!("(drop (call $create)) {WRITE}");
    assert_eq!(Running::start(&body, place.options(Some(26_000)), None).numbers(1), [NO_SPACE]);
    assert_eq!(Running::start(&body, place.options(None), None).numbers(1), [0]);
}

#[test]
fn what_is_removed_may_be_stored_anew() {
    let place = Place::new("quota-again");
    let again = format!(
        "(call $tell (call $path_unlink_file (i32.const 3) (i32.const 1024) (i32.const 4)))
        (call $tell (call $fd_close (i32.load (i32.const 512)))) (call $tell (call $create)) {WRITE}"
    );
    // All that was ever written is five times the quota.
    let body = format!("(call $tell (call $create)) {WRITE} {}", again.repeat(10));
    let running = Running::start(&body, place.options(Some(30_000)), None);
    assert_eq!(running.numbers(42), [0; 42]);
}
