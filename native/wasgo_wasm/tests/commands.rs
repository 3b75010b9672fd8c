//! WASI programs that begin, work and end: what they are given, and what they are not.

#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::module;
use wasgo_wasm::{Clock, Directory, Error, Event, LimitKind, Seed, Service, ServiceOptions, WriteOutcome};

const SUCCESS: i32 = 0;
const NAME_TOO_LONG: i32 = 37;

/// A program with WASI's functions by short names, 64 pages of memory, and bytes at 1024 and 2048. `(call $say at length)` writes to the
/// standard output.
fn program(body: &str, one: &str, other: &str) -> String {
    let wasi = |name: &str, parameters: &str| {
        let result = if name == "proc_exit" { "" } else { "(result i32)" };
        format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {parameters}) {result}))\n")
    };
    let imports: String = [
        ("proc_exit", "i32"),
        ("fd_write", "i32 i32 i32 i32"),
        ("fd_read", "i32 i32 i32 i32"),
        ("fd_close", "i32"),
        ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
        ("path_create_directory", "i32 i32 i32"),
        ("path_remove_directory", "i32 i32 i32"),
        ("path_unlink_file", "i32 i32 i32"),
        ("path_rename", "i32 i32 i32 i32 i32 i32"),
        ("path_symlink", "i32 i32 i32 i32 i32"),
        ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
        ("path_filestat_get", "i32 i32 i32 i32 i32"),
        ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32"),
        ("fd_filestat_set_size", "i32 i64"),
        ("clock_time_get", "i32 i64 i32"),
        ("poll_oneoff", "i32 i32 i32 i32"),
        ("random_get", "i32 i32"),
    ]
    .iter()
    .map(|(name, parameters)| wasi(name, parameters))
    .collect();
    format!(
        r#"(module {imports} (memory (export "memory") 64)
            (data (i32.const 1024) "{one}") (data (i32.const 2048) "{other}")
            (func $write (param $fd i32) (param $at i32) (param $length i32)
              (loop
                (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
                (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $proc_exit (i32.const 98))))
                (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
                (br_if 0 (local.tee $length (i32.sub (local.get $length) (i32.load (i32.const 8)))))))
            (func $say (param i32 i32) (call $write (i32.const 1) (local.get 0) (local.get 1)))
            ;; Opens the path at 1024 in the first directory, following links; the descriptor is at 512.
            (func $open (param $length i32) (param $how i32) (param $rights i64) (result i32)
              (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (local.get $length) (local.get $how)
                (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 512)))
            (func (export "_start") {body}))"#
    )
}

fn start(source: &str, options: ServiceOptions) -> (Service, Receiver<Event>) {
    let (send, receive) = channel();
    let service = Service::start(&module(source), options, move |event| drop(send.send(event))).unwrap();
    (service, receive)
}

/// What a program wrote to its standard output, and how it ended.
fn run(source: &str, options: ServiceOptions) -> (Vec<u8>, Result<i32, Error>) {
    let (service, events) = start(source, options);
    let mut written = Vec::new();
    loop {
        match events.recv_timeout(Duration::from_secs(60)).expect("an event") {
            Event::Stdout(bytes) => {
                service.give_credit(bytes.len(), 0);
                written.extend_from_slice(&bytes);
            }
            Event::Exit(result) => return (written, result),
            _ => {}
        }
    }
}

fn plain() -> ServiceOptions {
    ServiceOptions { clock: Clock::Frozen(0), random: Seed::Fixed(0), ..ServiceOptions::default() }
}

/// A directory with a file `secret` and in it the directory `given`, which a program gets.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("wasgo-commands-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("given/sub")).unwrap();
        fs::write(path.join("secret"), "secret").unwrap();
        fs::write(path.join("given/file"), "file").unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn given(&self, writable: bool) -> ServiceOptions {
        let host = self.path("given").to_str().unwrap().to_owned();
        ServiceOptions { directories: vec![Directory { host, guest: "/given".into(), writable }], ..plain() }
    }

    /// The error number that an expression gives, with `one` at 1024 and `other` at 2048.
    fn errno(&self, writable: bool, expression: &str, one: &str, other: &str) -> i32 {
        let source = program(&format!("(call $proc_exit {expression})"), one, other);
        run(&source, self.given(writable)).1.unwrap()
    }

    fn open(&self, writable: bool, path: &str, how: i32, rights: i64) -> i32 {
        let expression = format!("(call $open (i32.const {}) (i32.const {how}) (i64.const {rights}))", path.len());
        self.errno(writable, &expression, path, "")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const READ: i64 = 2;
const WRITE: i64 = 64;
const CREATE: i32 = 1;
const TRUNCATE: i32 = 8;

#[test]
fn a_program_reads_and_writes_files_beneath_a_directory_that_it_was_given() {
    let place = Place::new();
    let read = r#"(if (call $open (i32.const 11) (i32.const 0) (i64.const 2)) (then unreachable))
        (i32.store (i32.const 0) (i32.const 3000)) (i32.store (i32.const 4) (i32.const 100))
        (if (call $fd_read (i32.load (i32.const 512)) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
        (call $say (i32.const 3000) (i32.load (i32.const 8)))"#;
    for writable in [false, true] {
        assert_eq!(run(&program(read, "sub/../file", ""), place.given(writable)).0, b"file");
    }
    let write = r#"(if (call $open (i32.const 3) (i32.const 1) (i64.const 64)) (then unreachable))
        (call $write (i32.load (i32.const 512)) (i32.const 2048) (i32.const 5))"#;
    let (_, end) = run(&program(write, "new", "hello"), place.given(true));
    assert_eq!(end.unwrap(), SUCCESS);
    assert_eq!(fs::read(place.path("given/new")).unwrap(), b"hello");
}

#[test]
fn nothing_outside_of_the_directory_is_opened_or_seen() {
    let place = Place::new();
    let secret = place.path("secret").to_str().unwrap().to_owned();
    symlink("../secret", place.path("given/relative")).unwrap();
    symlink(&secret, place.path("given/absolute")).unwrap();
    symlink("..", place.path("given/up")).unwrap();
    symlink("relative", place.path("given/twice")).unwrap();
    symlink("/", place.path("given/root")).unwrap();
    symlink("file", place.path("given/good")).unwrap();
    symlink("loop", place.path("given/loop")).unwrap();
    let outside = [
        "../secret",
        "sub/../../secret",
        "sub/../../../../../../../../etc/passwd",
        "..",
        "/etc/passwd",
        &secret,
        "relative",
        "absolute",
        "twice",
        "up/secret",
        "up",
        "root/etc/passwd",
        "root",
        "./../secret",
        "sub//..//../secret",
        "loop",
    ];
    for writable in [false, true] {
        for path in ["file", "good", "sub", ".", "sub/..", "./file"] {
            assert_eq!(place.open(writable, path, 0, READ), SUCCESS, "{path}");
        }
        for path in outside {
            assert_ne!(place.open(writable, path, 0, READ), SUCCESS, "{path}");
            assert_ne!(place.open(writable, path, CREATE | TRUNCATE, READ | WRITE), SUCCESS, "{path}");
            let stat = format!(
                "(call $path_filestat_get (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const {}) (i32.const 512))",
                path.len()
            );
            assert_ne!(place.errno(writable, &stat, path, ""), SUCCESS, "{path}");
        }
    }
    assert_eq!(fs::read(place.path("secret")).unwrap(), b"secret");
}

#[test]
fn nothing_outside_of_the_directory_is_changed() {
    let place = Place::new();
    symlink("..", place.path("given/up")).unwrap();
    for (name, expression, one, other) in [
        ("unlink", "(call $path_unlink_file (i32.const 3) (i32.const 1024) (i32.const 9))", "../secret", ""),
        ("unlink", "(call $path_unlink_file (i32.const 3) (i32.const 1024) (i32.const 9))", "up/secret", ""),
        ("mkdir", "(call $path_create_directory (i32.const 3) (i32.const 1024) (i32.const 5))", "../me", ""),
        ("mkdir", "(call $path_create_directory (i32.const 3) (i32.const 1024) (i32.const 5))", "up/me", ""),
        ("rmdir", "(call $path_remove_directory (i32.const 3) (i32.const 1024) (i32.const 12))", "../given/sub", ""),
        (
            "rename out",
            "(call $path_rename (i32.const 3) (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 2048) (i32.const 5))",
            "file",
            "../me",
        ),
        (
            "rename in",
            "(call $path_rename (i32.const 3) (i32.const 1024) (i32.const 9) (i32.const 3) (i32.const 2048) (i32.const 2))",
            "../secret",
            "me",
        ),
        (
            "link in",
            "(call $path_link (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 9) (i32.const 3) (i32.const 2048) (i32.const 2))",
            "../secret",
            "me",
        ),
        (
            "link out",
            "(call $path_link (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 2048) (i32.const 5))",
            "file",
            "../me",
        ),
        (
            "symlink out",
            "(call $path_symlink (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 2048) (i32.const 5))",
            "file",
            "../me",
        ),
        (
            "times",
            "(call $path_filestat_set_times (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 9) (i64.const 0) (i64.const 0) (i32.const 5))",
            "../secret",
            "",
        ),
    ] {
        assert_ne!(place.errno(true, expression, one, other), SUCCESS, "{name}: {one} {other}");
    }
    let mut there: Vec<String> =
        fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    assert_eq!(there, ["given", "secret"]);
    assert!(place.path("given/file").exists() && place.path("given/sub").exists());
    assert_eq!(fs::metadata(place.path("given")).unwrap().permissions(), fs::metadata(&place.0).unwrap().permissions());
}

#[test]
fn a_link_that_the_program_makes_itself_leads_nowhere_outside() {
    let place = Place::new();
    let secret = place.path("secret").to_str().unwrap().to_owned();
    for (number, target) in ["../secret", "/etc/passwd", &secret].into_iter().enumerate() {
        let name = format!("mine{number}");
        let link = format!(
            "(call $path_symlink (i32.const 2048) (i32.const {}) (i32.const 3) (i32.const 1024) (i32.const 5))",
            target.len()
        );
        // Whether it may be made or not.
        place.errno(true, &link, &name, target);
        assert_ne!(place.open(true, &name, 0, READ), SUCCESS, "{target}");
    }
}

#[test]
fn a_directory_that_is_read_only_is_not_changed_and_one_that_is_not_is() {
    let changes = [
        ("(call $open (i32.const 3) (i32.const 1) (i64.const 64))", "new", ""),
        ("(call $open (i32.const 4) (i32.const 0) (i64.const 66))", "file", ""),
        ("(call $open (i32.const 4) (i32.const 8) (i64.const 64))", "file", ""),
        ("(call $path_create_directory (i32.const 3) (i32.const 1024) (i32.const 3))", "dir", ""),
        (
            "(call $path_filestat_set_times (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (i64.const 0) (i64.const 0) (i32.const 5))",
            "file",
            "",
        ),
        (
            "(call $path_symlink (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 2048) (i32.const 3))",
            "file",
            "sym",
        ),
        (
            "(call $path_link (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 2048) (i32.const 4))",
            "file",
            "hard",
        ),
        (
            "(call $path_rename (i32.const 3) (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 2048) (i32.const 5))",
            "file",
            "moved",
        ),
        ("(call $path_remove_directory (i32.const 3) (i32.const 1024) (i32.const 3))", "sub", ""),
    ];
    let place = Place::new();
    let before = listing(&place);
    for (expression, one, other) in changes {
        assert_ne!(place.errno(false, expression, one, other), SUCCESS, "{expression}");
    }
    assert_ne!(
        place.errno(false, "(call $path_unlink_file (i32.const 3) (i32.const 1024) (i32.const 4))", "file", ""),
        SUCCESS
    );
    assert_eq!(listing(&place), before);
    for (expression, one, other) in changes {
        assert_eq!(place.errno(true, expression, one, other), SUCCESS, "{expression}");
    }
    assert_ne!(listing(&place), before);
}

/// Names, lengths and times of what a program was given.
fn listing(place: &Place) -> Vec<(String, u64, std::time::SystemTime)> {
    let mut entries: Vec<_> = fs::read_dir(place.path("given"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            (entry.file_name().into_string().unwrap(), about.len(), about.modified().unwrap())
        })
        .collect();
    entries.sort();
    entries
}

#[test]
fn what_is_read_only_is_not_changed_by_way_of_another_directory() {
    let (place, other) = (Place::new(), Place::new());
    let mut options = place.given(false);
    options.directories.extend(other.given(true).directories);
    for expression in [
        "(call $path_rename (i32.const 3) (i32.const 1024) (i32.const 4) (i32.const 4) (i32.const 2048) (i32.const 3))",
        "(call $path_rename (i32.const 4) (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 2048) (i32.const 3))",
        "(call $path_link (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 4) (i32.const 2048) (i32.const 3))",
    ] {
        let source = program(&format!("(call $proc_exit {expression})"), "file", "new");
        assert_ne!(run(&source, options.clone()).1.unwrap(), SUCCESS, "{expression}");
    }
    assert!(place.path("given/file").exists() && other.path("given/file").exists());
}

#[test]
fn a_directory_that_can_not_be_opened_is_named() {
    let place = Place::new();
    for (name, wanted) in [("nowhere", "enoent"), ("given/file", "enotdir")] {
        let mut options = place.given(true);
        options.directories[0].host = place.path(name).to_str().unwrap().to_owned();
        let error = Service::start(&module(&program("", "", "")), options, |_| ()).err().unwrap();
        assert!(error.to_string().contains(name), "{error}");
        assert!(matches!(error, Error::Directory { reason, .. } if reason == wanted));
    }
}

#[test]
fn descriptors_are_limited_by_name_and_given_back_by_closing() {
    let place = Place::new();
    let open = "(if (call $open (i32.const 4) (i32.const 0) (i64.const 2)) (then unreachable))";
    let (_, end) = run(&program(&format!("(loop {open} (br 0))"), "file", ""), place.given(false));
    assert!(matches!(end, Err(Error::Limit { kind: LimitKind::Descriptors, limit: 256, .. })), "{end:?}");

    let close = "(if (call $fd_close (i32.load (i32.const 512))) (then unreachable))";
    let body = format!(
        "(local $n i32) (loop {open} {close} (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 10000))))"
    );
    assert_eq!(run(&program(&body, "file", ""), place.given(false)).1.unwrap(), SUCCESS);

    // Events to wait for are descriptors too: ten thousand timers, in zeroed memory.
    let poll = "(drop (call $poll_oneoff (i32.const 65536) (i32.const 2000000) (i32.const 10000) (i32.const 512)))";
    let (_, end) = run(&program(poll, "", ""), plain());
    assert!(matches!(end, Err(Error::Limit { kind: LimitKind::Descriptors, .. })), "{end:?}");
}

#[test]
fn a_path_of_a_megabyte_is_refused() {
    let place = Place::new();
    let fill = "(memory.fill (i32.const 1024) (i32.const 97) (i32.const 1000000))";
    let dots = "(local $n i32) (loop (i32.store (i32.add (i32.const 1024) (local.get $n)) (i32.const 0x2f2e2f2e))
        (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 4))) (i32.const 1000000))))";
    for make in [fill, dots] {
        let body = format!("{make} (call $proc_exit (call $open (i32.const 1000000) (i32.const 1) (i64.const 66)))");
        assert_eq!(run(&program(&body, "", ""), place.given(true)).1.unwrap(), NAME_TOO_LONG);
    }
}

#[test]
fn arguments_and_environment_are_limited_by_name() {
    let refused = |arguments: Vec<String>, environment: Vec<(String, String)>| {
        let options = ServiceOptions { arguments, environment, ..plain() };
        Service::start(&module(&program("", "", "")), options, |_| ()).err()
    };
    let long = "x".repeat(256 << 10);
    for error in [refused(vec![long.clone()], vec![]), refused(vec![], vec![("x".into(), long.clone())])] {
        assert!(matches!(error, Some(Error::Limit { kind: LimitKind::ArgumentBytes, .. })), "{error:?}");
    }
    let error = refused(vec![String::new(); 4097], vec![]);
    assert!(matches!(error, Some(Error::Limit { kind: LimitKind::Arguments, limit: 4096, asked: Some(4097) })));
    assert!(refused(vec![String::new(); 4096], vec![]).is_none());
    assert!(refused(vec![long[1..].into()], vec![]).is_none());
}

#[test]
fn a_program_ends_with_any_status() {
    for status in [0, 1, 125, 126, 255, 256, i32::MAX, i32::MIN, -1] {
        let source = program(&format!("(call $proc_exit (i32.const {status}))"), "", "");
        assert_eq!(run(&source, plain()).1.unwrap(), status);
    }
}

#[test]
fn a_program_that_hands_over_what_is_not_its_own_traps() {
    for call in [
        "(call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0))",
        "(call $random_get (i32.const 0) (i32.const -1))",
        "(call $random_get (i32.const -1) (i32.const 1))",
        "(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const -4))",
    ] {
        let (_, end) = run(&program(&format!("(drop {call})"), "", ""), plain());
        assert!(matches!(end, Err(Error::Trap { .. })), "{call}: {end:?}");
    }
}

#[test]
fn the_time_of_day_is_told_only_if_granted() {
    let source = program(
        "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 512))) (call $say (i32.const 512) (i32.const 8))",
        "",
        "",
    );
    let nanoseconds = |clock| {
        let (written, _) = run(&source, ServiceOptions { clock, ..plain() });
        u64::from_le_bytes(written.try_into().unwrap())
    };
    assert_eq!(nanoseconds(Clock::Frozen(0)), 0);
    assert_eq!(nanoseconds(Clock::Frozen(12_345)), 12_345);
    assert!(nanoseconds(Clock::Real) > 1_700_000_000_000_000_000);
    let day = 86_400_000_000_000;
    assert!(nanoseconds(Clock::Offset(-day)) < nanoseconds(Clock::Real));
    assert!(nanoseconds(Clock::Offset(day)) > nanoseconds(Clock::Real));
}

/// Waits on a relative timer of the monotonic clock.
fn sleep(nanoseconds: u64) -> String {
    format!(
        "(i32.store (i32.const 4112) (i32.const 1)) (i64.store (i32.const 4120) (i64.const {nanoseconds}))
         (if (call $poll_oneoff (i32.const 4096) (i32.const 5000) (i32.const 1) (i32.const 512)) (then unreachable))"
    )
}

#[test]
fn a_program_without_a_clock_can_sleep_and_measure_time_from_its_start() {
    let now = "(drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 512))) (call $say (i32.const 512) (i32.const 8))";
    let (written, end) = run(&program(&format!("{now} {} {now}", sleep(30_000_000)), "", ""), plain());
    assert_eq!(end.unwrap(), SUCCESS);
    let (before, after) = written.split_at(8);
    let [before, after] = [before, after].map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    assert!(before < 60_000_000_000, "{before}");
    assert!(after - before >= 30_000_000, "{before} {after}");
}

#[test]
fn random_bytes_are_those_of_the_seed() {
    let bytes = |random| {
        let source = program(
            "(drop (call $random_get (i32.const 3000) (i32.const 32))) (call $say (i32.const 3000) (i32.const 32))",
            "",
            "",
        );
        run(&source, ServiceOptions { random, ..plain() }).0
    };
    // ChaCha8 by another implementation.
    let zero = [
        0x6c, 0x3b, 0x9a, 0xa7, 0x67, 0xf7, 0x85, 0xb5, 0x37, 0xc0, 0xd8, 0xba, 0x5f, 0xa5, 0x46, 0x77, 0xe6, 0xa6,
        0xe2, 0x81, 0x32, 0x0d, 0xfb, 0xb2, 0x7c, 0x88, 0x9b, 0x8f, 0xa4, 0x60, 0x67, 0x0f,
    ];
    assert_eq!(bytes(Seed::Fixed(0)), zero);
    assert_eq!(bytes(Seed::Fixed(7)), bytes(Seed::Fixed(7)));
    assert_ne!(bytes(Seed::Fixed(7)), bytes(Seed::Fixed(8)));
    assert_ne!(bytes(Seed::System), bytes(Seed::System));
}

#[test]
fn random_bytes_made_in_pieces_are_the_same_as_at_once() {
    let source = |pieces: i32| {
        let size = 1_200_000 / pieces;
        let piece =
            |number| format!("(drop (call $random_get (i32.const {}) (i32.const {size})))", 65536 + number * size);
        let body: String = (0..pieces).map(piece).collect();
        program(&format!("{body} (call $say (i32.const 65536) (i32.const 1200000))"), "", "")
    };
    let at_once = run(&source(1), plain()).0;
    assert_eq!(at_once.len(), 1_200_000);
    assert!(at_once == run(&source(3), plain()).0);
    assert!(at_once[1_199_000..].iter().any(|byte| *byte != 0));
}

#[test]
fn time_is_up_for_a_program_that_computes_sleeps_or_waits_for_input() {
    let waits = "(i32.store (i32.const 0) (i32.const 3000)) (i32.store (i32.const 4) (i32.const 1))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))";
    for body in
        ["(loop (br 0))", &sleep(3_600_000_000_000), waits, "(loop (call $say (i32.const 0) (i32.const 65536)) (br 0))"]
    {
        let options = ServiceOptions { timeout: Some(Duration::from_millis(30)), ..plain() };
        let (_, end) = run(&program(body, "", ""), options);
        assert!(matches!(end, Err(Error::Limit { kind: LimitKind::Time, limit: 30, .. })), "{body}: {end:?}");
    }
}

#[test]
fn many_small_writes_are_told_of_together_and_in_their_order() {
    let many = "(local $n i32) (loop (call $say (i32.const 1024) (i32.const 5))
        (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5000))))";
    let (_service, events) = start(&program(many, "line\\n", ""), plain());
    let (mut written, mut count) = (Vec::new(), 0);
    while let Event::Stdout(bytes) = events.recv_timeout(Duration::from_secs(60)).unwrap() {
        written.extend_from_slice(&bytes);
        count += 1;
    }
    assert!(written == b"line\n".repeat(5000));
    // One for each slice, of which there are few.
    assert!(count < 500, "{count}");

    let both = "(call $write (i32.const 1) (i32.const 1024) (i32.const 1)) (call $write (i32.const 2) (i32.const 1025) (i32.const 1))
        (call $write (i32.const 2) (i32.const 1026) (i32.const 1)) (call $write (i32.const 1) (i32.const 1027) (i32.const 1))";
    let (_service, events) = start(&program(both, "abcd", ""), plain());
    let mut order = String::new();
    loop {
        match events.recv_timeout(Duration::from_secs(60)).unwrap() {
            Event::Stdout(bytes) => order.push_str(&format!("out {bytes:?} ")),
            Event::Stderr(bytes) => order.push_str(&format!("err {bytes:?} ")),
            _ => break,
        }
    }
    // A slice may have ended between the two on the standard error.
    assert_eq!(order.replace("b\"b\" err b\"c\"", "b\"bc\""), "out b\"a\" err b\"bc\" out b\"d\" ");
}

#[test]
fn input_of_many_tiny_pieces_is_refused_long_before_its_bytes_are_many() {
    let (service, events) = start(&program(&sleep(3_600_000_000_000), "", ""), plain());
    let taken = (0..1_000_000).take_while(|_| service.write(Bytes::from_static(b"x")) == WriteOutcome::Written).count();
    assert_eq!(taken, 4_096);
    service.stop();
    assert!(matches!(events.recv_timeout(Duration::from_secs(60)).unwrap(), Event::Exit(Err(Error::Cancelled))));
    assert_eq!(service.write(Bytes::from_static(b"x")), WriteOutcome::Closed);
}

#[test]
fn programs_that_wait_for_a_file_system_hold_no_worker_and_few_threads() {
    let place = Place::new();
    let pipe = place.path("given/pipe");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        return;
    }
    // To open a pipe waits for its other end, which nobody opens.
    let opens = program("(drop (call $open (i32.const 4) (i32.const 0) (i64.const 2)))", "pipe", "");
    let waiting: Vec<_> = (0..64).map(|_| start(&opens, place.given(false))).collect();
    let computes = program("(call $proc_exit (i32.const 5))", "", "");
    assert_eq!(run(&computes, plain()).1.unwrap(), 5);

    let threads = fs::read_dir("/proc/self/task").map_or(0, |tasks| {
        tasks
            .flatten()
            .filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "wasgo-wasi"))
            .count()
    });
    assert!(threads <= 9, "{threads}");

    let began = Instant::now();
    for (service, events) in &waiting {
        service.stop();
        assert!(matches!(events.recv_timeout(Duration::from_secs(60)).unwrap(), Event::Exit(Err(Error::Cancelled))));
    }
    assert!(began.elapsed() < Duration::from_secs(50));
    // Whoever opens it both ways lets the threads go, for the other tests.
    let both = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    assert_eq!(place.open(false, "file", 0, READ), SUCCESS);
    drop(both);
}
