//! What is granted by name, used by guests that mean harm.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{call, call_with, instance as healthy, module, wait};
use wasgo_wasm::{
    CallOptions, Error, Grants, HostHandler, HostRequest, Imports, Instance, KeyValues, KeyValuesLimits, LimitKind,
    Limits, LogLevel, LogLine, Seed, Sql, SqlAnswer, Statement,
};

/// Every function that can be granted, each exported as it is.
const GUEST: &str = r#"(module
    (import "wasgo" "log" (func $log (param i32 i32 i32)))
    (import "wasgo" "random_fill" (func $fill (param i32 i32)))
    (import "wasgo" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
    (import "wasgo" "state_delete" (func $delete (param i32 i32)))
    (import "wasgo" "sql" (func $sql (param i32 i32 i32 i32) (result i64)))
    (import "wasgo" "sql_error" (func $error (param i32 i32) (result i32)))
    (import "wasgo" "emit" (func $emit (param i32 i32)))
    (memory (export "memory") 17 17)
    (data (i32.const 0) "select 1")
    (global $place (mut i32) (i32.const 4096))
    (global $again (mut i32) (i32.const 0))
    (func (export "log") (param i32 i32 i32) (call $log (local.get 0) (local.get 1) (local.get 2)))
    (func (export "fill") (param i32 i32) (call $fill (local.get 0) (local.get 1)))
    (func (export "get") (param i32 i32 i32 i32) (result i32)
      (call $get (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
    (func (export "set") (param i32 i32 i32 i32) (result i32)
      (call $set (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
    (func (export "delete") (param i32 i32) (call $delete (local.get 0) (local.get 1)))
    (func $ask (export "sql") (param i32 i32 i32 i32) (result i64)
      (call $sql (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
    (func (export "error") (param i32 i32) (result i32) (call $error (local.get 0) (local.get 1)))
    (func (export "emit") (param i32 i32) (call $emit (local.get 0) (local.get 1)))
    (func (export "wasgo_alloc") (param i32) (result i32)
      (if (global.get $again) (then (drop (call $ask (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 0)))))
      (global.get $place))
    (func (export "place") (param i32) (global.set $place (local.get 0)))
    (func (export "again") (param i32) (global.set $again (local.get 0)))
    ;; Sets so many keys of four bytes, each to a value of so many bytes; says how often there was room.
    (func (export "keys") (param $count i32) (param $size i32) (result i32) (local $room i32)
      (loop $more
        (i32.store (i32.const 512) (local.get $count))
        (local.set $room (i32.add (local.get $room)
          (call $set (i32.const 512) (i32.const 4) (i32.const 1024) (local.get $size))))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count)))
      (local.get $room))
    ;; Sets one key so many times, to values of so many bytes.
    (func (export "rewrite") (param $count i32) (param $size i32) (result i32) (local $room i32)
      (loop $more
        (local.set $room (i32.add (local.get $room)
          (call $set (i32.const 0) (i32.const 4) (i32.const 1024) (local.get $size))))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count)))
      (local.get $room))
    (func (export "chatter") (param $count i32) (param $size i32)
      (loop $more
        (call $log (i32.const 1) (i32.const 0) (local.get $size))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count))))
    (func (export "emits") (param $count i32) (param $size i32)
      (loop $more
        (call $emit (i32.const 0) (local.get $size))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count)))))"#;

const SIZE: i64 = 17 * 65_536;

/// Answers with so many bytes, and notes what was asked.
#[derive(Default)]
struct Database {
    bytes: usize,
    asked: Mutex<Vec<Statement>>,
}

impl Sql for Database {
    fn run(&self, statement: Statement, done: Box<dyn FnOnce(SqlAnswer) + Send>) {
        self.asked.lock().unwrap().push(statement);
        done(Ok(vec![7; self.bytes]));
    }
}

/// Loses what would have answered.
struct Lost;

impl Sql for Lost {
    fn run(&self, _: Statement, _: Box<dyn FnOnce(SqlAnswer) + Send>) {}
}

type Done = Box<dyn FnOnce(SqlAnswer) + Send>;

/// Never answers.
#[derive(Default)]
struct Silent(Mutex<Vec<Done>>);

impl Sql for Silent {
    fn run(&self, _: Statement, done: Done) {
        self.0.lock().unwrap().push(done);
    }
}

fn guest_with(sql: Arc<dyn Sql>, state: KeyValues, limits: Limits) -> Instance {
    let grants =
        Grants { log: true, clock: true, random: Some(Seed::Fixed(1)), state: Some(state), sql: Some(sql), emit: true };
    let imports = Imports { grants, ..Imports::default() };
    wait(|later| Instance::start(&module(GUEST), imports, limits, 0, CallOptions::default(), later)).0.unwrap()
}

fn guest() -> Instance {
    guest_with(Arc::new(Database::default()), KeyValues::default(), Limits::default())
}

fn import_says(result: Result<Vec<i64>, Error>, function: &str) {
    let Err(Error::Import { name, message }) = result else { panic!("{function}: {result:?}") };
    assert_eq!(name, format!("wasgo.{function}"));
    assert!(message.len() < 200, "{message}");
}

/// Spans that lie outside of the memory, wholly or in part.
const OUTSIDE: [(i64, i64); 8] =
    [(SIZE, 1), (SIZE + 1, 0), (SIZE - 4, 8), (-1, 1), (-1, 0), (0, -1), (-1, -1), (-8, 16)];

#[test]
fn every_pointer_outside_of_the_memory_is_told_by_the_functions_name() {
    let guest = guest();
    for (at, length) in OUTSIDE {
        import_says(call(&guest, "log", &[1, at, length]), "log");
        import_says(call(&guest, "fill", &[at, length]), "random_fill");
        import_says(call(&guest, "get", &[at, length, 0, 0]), "state_get");
        import_says(call(&guest, "get", &[0, 4, at, length]), "state_get");
        import_says(call(&guest, "set", &[at, length, 0, 0]), "state_set");
        import_says(call(&guest, "set", &[0, 4, at, length]), "state_set");
        import_says(call(&guest, "delete", &[at, length]), "state_delete");
        import_says(call(&guest, "sql", &[at, length, 0, 0]), "sql");
        import_says(call(&guest, "sql", &[0, 8, at, length]), "sql");
        import_says(call(&guest, "error", &[at, length]), "sql_error");
        import_says(call(&guest, "emit", &[at, length]), "emit");
        // What an answer is put to.
        call(&guest, "place", &[at]).unwrap();
        assert!(at == 0 || at == SIZE || call(&guest, "sql", &[0, 8, 0, 0]).is_err(), "{at}");
    }
    assert_eq!(call(&healthy(r#"(module (func (export "f") (result i32) i32.const 5))"#), "f", &[]).unwrap(), [5]);
    call(&guest, "place", &[4096]).unwrap();
    assert_eq!(call(&guest, "sql", &[0, 8, 0, 0]).unwrap(), [4096 << 32]);
}

#[test]
fn lengths_over_a_functions_own_bound_are_refused_before_anything_is_copied() {
    let guest = guest();
    import_says(call(&guest, "fill", &[0, 65_537]), "random_fill");
    import_says(call(&guest, "get", &[0, 1_025, 0, 0]), "state_get");
    import_says(call(&guest, "set", &[0, 1_025, 0, 0]), "state_set");
    import_says(call(&guest, "set", &[0, 4, 0, 262_145]), "state_set");
    import_says(call(&guest, "delete", &[0, 1_025]), "state_delete");
    import_says(call(&guest, "sql", &[0, 65_537, 0, 0]), "sql");
    import_says(call(&guest, "sql", &[0, 8, 0, 1_048_577]), "sql");
    for (name, arguments) in
        [("fill", &[0, 65_536][..]), ("get", &[0, 1_024, 0, 0]), ("set", &[0, 1_024, 0, 262_144]), ("emit", &[0, SIZE])]
    {
        assert!(call(&guest, name, arguments).is_ok(), "{name}");
    }
}

#[test]
fn overlapping_spans_do_no_harm() {
    let state = KeyValues::default();
    let guest = guest_with(Arc::new(Database::default()), state.clone(), Limits::default());
    // A key that is part of its value, and a value read over its own key.
    assert_eq!(call(&guest, "set", &[0, 8, 4, 8]).unwrap(), [1]);
    assert_eq!(call(&guest, "get", &[0, 8, 0, 8]).unwrap(), [8]);
    assert_eq!(state.get(b"select 1").unwrap(), b"ct 1\0\0\0\0");
    // An answer over the statement that asked for it.
    call(&guest, "place", &[8]).unwrap();
    assert_eq!(call(&guest, "sql", &[0, 4, 0, 0]).unwrap(), [8 << 32]);
}

#[test]
fn a_place_for_an_answer_that_is_none_is_refused() {
    let guest =
        guest_with(Arc::new(Database { bytes: 64, ..Database::default() }), KeyValues::default(), Limits::default());
    for place in [0, 4, 4_097, SIZE - 63, SIZE, -8, -64] {
        call(&guest, "place", &[place]).unwrap();
        import_says(call(&guest, "sql", &[0, 8, 0, 0]), "sql");
    }
    call(&guest, "place", &[SIZE - 64]).unwrap();
    assert_eq!(call(&guest, "sql", &[0, 8, 0, 0]).unwrap(), [(SIZE - 64) << 32 | 64]);
}

#[test]
fn making_room_for_an_answer_by_asking_again_ends_at_a_depth() {
    let database = Arc::new(Database { bytes: 8, ..Database::default() });
    let guest = guest_with(database.clone(), KeyValues::default(), Limits::default());
    call(&guest, "again", &[1]).unwrap();
    let error = call(&guest, "sql", &[0, 8, 0, 0]).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Depth, limit: 32, .. }), "{error:?}");
    assert_eq!(database.asked.lock().unwrap().len(), 33);
    call(&guest, "again", &[0]).unwrap();
    assert!(call(&guest, "sql", &[0, 8, 0, 0]).is_ok());
}

#[test]
fn a_statement_has_the_time_of_the_call_that_asks_it() {
    let database = Arc::new(Database::default());
    let guest = guest_with(database.clone(), KeyValues::default(), Limits::default());
    let before = Instant::now();
    let options = CallOptions { timeout: Some(Duration::from_secs(9)), ..CallOptions::default() };
    call_with(&guest, "sql", &[0, 8, 0, 0], options).unwrap();
    let asked = database.asked.lock().unwrap().pop().unwrap();
    let deadline = asked.deadline.unwrap();
    assert!(deadline >= before + Duration::from_secs(9) && deadline <= Instant::now() + Duration::from_secs(9));
    assert_eq!((asked.text.as_str(), asked.parameters.len()), ("select 1", 0));
    let forever = CallOptions { timeout: None, ..CallOptions::default() };
    call_with(&guest, "sql", &[0, 8, 0, 0], forever).unwrap();
    assert!(database.asked.lock().unwrap().pop().unwrap().deadline.is_none());
}

#[test]
fn a_database_that_is_silent_or_loses_its_answer_is_no_endless_wait() {
    let guest = guest_with(Arc::new(Lost), KeyValues::default(), Limits::default());
    assert_eq!(call(&guest, "sql", &[0, 8, 0, 0]).unwrap(), [0]);
    let silent = Arc::new(Silent::default());
    let guest = guest_with(silent.clone(), KeyValues::default(), Limits::default());
    let options = CallOptions { timeout: Some(Duration::from_millis(30)), ..CallOptions::default() };
    let error = call_with(&guest, "sql", &[0, 8, 0, 0], options).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Time, .. }));
    // It answers when nobody waits any more.
    silent.0.lock().unwrap().drain(..).for_each(|done| done(Ok(vec![])));
}

#[test]
fn what_is_no_statement_or_row_is_told_and_not_asked() {
    let database = Arc::new(Database::default());
    let guest = guest_with(database.clone(), KeyValues::default(), Limits::default());
    // 0xFF is not UTF-8, zeros are a row of nothing but not of four bytes.
    common::write(&guest, 2_000, &[0xFF; 8]).unwrap();
    assert_eq!(call(&guest, "sql", &[2_000, 8, 0, 0]).unwrap(), [0]);
    assert_eq!(call(&guest, "sql", &[0, 8, 2_000, 8]).unwrap(), [0]);
    assert_eq!(call(&guest, "sql", &[0, 8, 0, 4]).unwrap(), [0]);
    assert!(database.asked.lock().unwrap().is_empty());
    let length = call(&guest, "error", &[3_000, 500]).unwrap()[0];
    let words = common::read(&guest, 3_000, length as u64).unwrap();
    assert!(String::from_utf8(words).unwrap().contains("no row"));
}

#[test]
fn state_holds_what_it_said_there_is_room_for() {
    for (limits, count, size, room) in [
        (KeyValuesLimits { bytes: 1 << 20, keys: 100 }, 150, 4, 100),
        (KeyValuesLimits { bytes: 1_000, keys: 4_096 }, 150, 6, 100),
        (KeyValuesLimits { bytes: 1_000, keys: 0 }, 150, 6, 0),
    ] {
        let state = KeyValues::new(limits);
        let guest = guest_with(Arc::new(Database::default()), state.clone(), Limits::default());
        assert_eq!(call(&guest, "keys", &[count, size]).unwrap(), [room]);
        assert_eq!(state.all().len() as i64, room);
        // Full as it is, another call finds no room but for what is there already.
        assert_eq!(call(&guest, "keys", &[count, size]).unwrap(), [room]);
        assert_eq!(state.all().len() as i64, room);
        assert!(state.bytes() <= limits.bytes);
    }
}

#[test]
fn what_is_written_again_takes_its_room_once() {
    let state = KeyValues::new(KeyValuesLimits { bytes: 1_000, keys: 1 });
    let guest = guest_with(Arc::new(Database::default()), state.clone(), Limits::default());
    assert_eq!(call(&guest, "rewrite", &[10_000, 900]).unwrap(), [10_000]);
    assert_eq!(state.bytes(), 904);
    assert_eq!(call(&guest, "rewrite", &[5, 997]).unwrap(), [0]);
    assert_eq!(call(&guest, "rewrite", &[5, 10]).unwrap(), [5]);
    assert_eq!(state.bytes(), 14);
    // Taking away what is not there takes no room either.
    for key in 0..100 {
        call(&guest, "delete", &[key, 4]).unwrap();
    }
    assert_eq!(state.all().len(), 0);
}

#[test]
fn many_who_write_at_once_stay_within_the_limits() {
    let limits = KeyValuesLimits { bytes: 2_000, keys: 100 };
    let state = KeyValues::new(limits);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let guest = guest_with(Arc::new(Database::default()), state.clone(), Limits::default());
                for round in 0..200 {
                    assert!(call(&guest, "keys", &[1 + round % 150, round % 30]).is_ok());
                    call(&guest, "delete", &[512, 4]).unwrap();
                    assert!(state.bytes() <= limits.bytes && state.all().len() <= limits.keys);
                }
            });
        }
    });
    let bytes: usize = state.all().iter().map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!(bytes, state.bytes());
}

#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<LogLine>>,
    times: AtomicUsize,
}

impl HostHandler for Lines {
    fn request(&self, _request: HostRequest) {}

    fn log(&self, lines: Vec<LogLine>) {
        self.times.fetch_add(1, Ordering::SeqCst);
        self.lines.lock().unwrap().extend(lines);
    }
}

#[test]
fn a_flood_of_lines_is_cut_and_counted() {
    let guest = guest();
    let heard = Arc::new(Lines::default());
    let options = CallOptions { handler: Some(heard.clone()), ..CallOptions::default() };
    call_with(&guest, "chatter", &[100_000, SIZE], options.clone()).unwrap();
    {
        let lines = heard.lines.lock().unwrap();
        assert_eq!(lines.len(), 257);
        assert!(lines.iter().all(|line| line.text.len() <= 4_096));
        assert_eq!((lines[256].level, lines[256].text.as_str()), (LogLevel::Warning, "99744 more lines were logged"));
    }
    heard.lines.lock().unwrap().clear();
    // Levels that are none are the nearest.
    for level in [i64::from(i32::MIN), -1, 4, i64::from(i32::MAX)] {
        call_with(&guest, "log", &[level, 0, 6], options.clone()).unwrap();
    }
    let levels: Vec<_> = heard.lines.lock().unwrap().iter().map(|line| line.level).collect();
    assert_eq!(levels, [LogLevel::Debug, LogLevel::Debug, LogLevel::Error, LogLevel::Error]);
}

#[test]
fn a_flood_of_buffers_ends_at_the_limits_and_leaves_nothing() {
    let limits = Limits { result: 1 << 20, ..Limits::default() };
    let guest = guest_with(Arc::new(Database::default()), KeyValues::default(), limits);
    let error = call(&guest, "emits", &[4_097, 0]).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Buffers, limit: 4_096, .. }), "{error:?}");
    let error = call(&guest, "emits", &[100, 1 << 16]).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::ResultSize, limit: 0x10_0000, .. }), "{error:?}");
    assert!(guest.take_emitted().unwrap().unwrap().is_empty());
    // Nor do calls that leave theirs untaken gather more than that.
    for _ in 0..100 {
        let _ = call(&guest, "emits", &[8, 1 << 16]);
    }
    let taken: usize = guest.take_emitted().unwrap().unwrap().iter().map(Vec::len).sum();
    assert!(taken <= 1 << 20, "{taken}");
}
