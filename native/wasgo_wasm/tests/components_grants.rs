//! What is granted to components: the same as to modules, with types, and used by guests that mean harm.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{engine, wait};
use wasgo_wasm::component::{Component, ComponentInstance, Imports, Val};
use wasgo_wasm::row::{self, Value};
use wasgo_wasm::{
    CallOptions, Error, Grants, HostHandler, HostRequest, KeyValues, KeyValuesLimits, LimitKind, Limits, LogLevel,
    LogLine, Sql, SqlAnswer, Statement,
};

/// Every interface that can be granted, as functions that take addresses.
const GUEST: &str = include_str!("../../../test/support/guests_src/granted_component.wat");

type Done = Box<dyn FnOnce(SqlAnswer) + Send>;

/// Answers with rows, and notes what was asked.
#[derive(Default)]
struct Database {
    rows: Vec<u8>,
    asked: Mutex<Vec<Statement>>,
}

impl Sql for Database {
    fn run(&self, statement: Statement, done: Done) {
        self.asked.lock().unwrap().push(statement);
        done(Ok(self.rows.clone()));
    }
}

/// Never answers.
#[derive(Default)]
struct Silent(Mutex<Vec<Done>>);

impl Sql for Silent {
    fn run(&self, _: Statement, done: Done) {
        self.0.lock().unwrap().push(done);
    }
}

/// Refuses.
struct Sulking;

impl Sql for Sulking {
    fn run(&self, _: Statement, done: Done) {
        done(Err(format!("not today{}", " ".repeat(64))));
    }
}

#[derive(Default)]
struct Lines(Mutex<Vec<LogLine>>);

impl HostHandler for Lines {
    fn request(&self, _request: HostRequest) {}

    fn log(&self, lines: Vec<LogLine>) {
        self.0.lock().unwrap().extend(lines);
    }
}

fn all(sql: Arc<dyn Sql>, state: KeyValues) -> Grants {
    Grants { log: true, state: Some(state), sql: Some(sql), emit: true, ..Grants::default() }
}

fn try_guest(grants: Grants, limits: Limits) -> Result<ComponentInstance, Error> {
    let component = Component::compile(engine(), GUEST.as_bytes()).unwrap();
    let given = Imports { grants, ..Imports::default() };
    wait(|later| ComponentInstance::start(&component, &given, limits, CallOptions::default(), later)).0
}

fn guest_with(sql: Arc<dyn Sql>, state: KeyValues, limits: Limits) -> ComponentInstance {
    try_guest(all(sql, state), limits).unwrap()
}

fn guest() -> ComponentInstance {
    guest_with(Arc::new(Database::default()), KeyValues::default(), Limits::default())
}

fn call_with(
    guest: &ComponentInstance,
    name: &str,
    arguments: &[u32],
    options: CallOptions,
) -> Result<Option<Val>, Error> {
    let values = arguments.iter().map(|argument| Val::U32(*argument)).collect();
    wait(|later| guest.call(name, |_, _| Ok(values), options, later))
        .0
        .map(|returned| returned.value().map(|(value, _)| value.clone()))
}

fn call(guest: &ComponentInstance, name: &str, arguments: &[u32]) -> Result<i64, Error> {
    Ok(match call_with(guest, name, arguments, CallOptions::default())? {
        Some(Val::U32(number)) => number.into(),
        Some(Val::S32(number)) => number.into(),
        None => 0,
        other => panic!("{other:?}"),
    })
}

fn words(guest: &ComponentInstance) -> String {
    match call_with(guest, "words", &[], CallOptions::default()).unwrap() {
        Some(Val::List(bytes)) => {
            bytes.iter().map(|byte| if let Val::U8(byte) = byte { char::from(*byte) } else { '?' }).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Each fails on a guest of its own: a component that trapped may not be entered again.
fn import_says(name: &str, arguments: &[u32], function: &str) {
    let guest = guest();
    call(&guest, "fill", &[u32::from(b'a'), 400_000]).unwrap();
    let error = call(&guest, name, arguments).unwrap_err();
    let Error::Import { name, message } = error else { panic!("{function}: {error:?}") };
    assert_eq!(name, format!("wasgo:script/{function}"));
    assert!(message.contains("bytes, and takes"), "{message}");
}

#[test]
fn what_is_not_granted_is_named_by_interface_and_function() {
    let (sql, state): (Arc<dyn Sql>, _) = (Arc::new(Database::default()), KeyValues::default());
    for (grants, interface, function) in [
        (Grants { log: false, ..all(sql.clone(), state.clone()) }, "log", "log"),
        (Grants { state: None, ..all(sql.clone(), state.clone()) }, "state", "get"),
        (Grants { sql: None, ..all(sql.clone(), state.clone()) }, "sql", "query"),
        (Grants { emit: false, ..all(sql.clone(), state.clone()) }, "emit", "emit"),
    ] {
        let error = try_guest(grants, Limits::default()).err().unwrap();
        let Error::MissingImport { module, name, wanted } = error else { panic!("{error:?}") };
        assert_eq!((module, name.as_str()), (format!("wasgo:script/{interface}@0.1.0"), function));
        assert!(wanted.starts_with("func("), "{wanted}");
    }
}

#[test]
fn lengths_over_a_functions_own_bound_are_refused_as_a_modules_are() {
    import_says("get", &[2_048, 1_025], "state@0.1.0.get");
    import_says("set", &[2_048, 1_025, 0, 0], "state@0.1.0.set");
    import_says("set", &[2_048, 4, 2_048, 262_145], "state@0.1.0.set");
    import_says("delete", &[2_048, 1_025], "state@0.1.0.delete");
    import_says("query", &[2_048, 65_537, 0, 0], "sql@0.1.0.query");
    let guest = guest();
    call(&guest, "fill", &[u32::from(b'a'), 400_000]).unwrap();
    for (name, arguments) in [
        ("get", &[2_048, 1_024][..]),
        ("set", &[2_048, 1_024, 2_048, 262_144]),
        ("delete", &[2_048, 1_024]),
        ("query", &[2_048, 65_536, 0, 0]),
    ] {
        assert!(call(&guest, name, arguments).is_ok(), "{name}");
    }
}

#[test]
fn a_state_is_the_one_that_modules_have() {
    let state = KeyValues::default();
    state.put(b"select 1", Some(b"abcd".to_vec()));
    let guest = guest_with(Arc::new(Database::default()), state.clone(), Limits::default());
    assert_eq!(call(&guest, "get", &[0, 8]).unwrap(), 4);
    assert_eq!(call(&guest, "get", &[0, 7]).unwrap(), -1);
    assert_eq!(call(&guest, "set", &[0, 6, 0, 8]).unwrap(), 1);
    assert_eq!(state.get(b"select").unwrap(), b"select 1");
    call(&guest, "delete", &[0, 8]).unwrap();
    assert_eq!(state.all().len(), 1);
}

#[test]
fn a_call_that_traps_or_is_stopped_has_changed_nothing() {
    let state = KeyValues::new(KeyValuesLimits { bytes: 1_000, keys: 10 });
    let silent = Arc::new(Silent::default());
    let guest = guest_with(silent.clone(), state.clone(), Limits::default());
    let error = call(&guest, "set-and-end", &[1]).unwrap_err();
    assert!(matches!(error, Error::Trap { reason: "unreachable", .. }), "{error:?}");
    assert!(state.all().is_empty());
    let guest = guest_with(silent, state.clone(), Limits::default());
    let options = CallOptions { timeout: Some(Duration::from_millis(30)), ..CallOptions::default() };
    let error = call_with(&guest, "set-and-end", &[0], options).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Time, limit: 30, .. }), "{error:?}");
    assert!(state.all().is_empty());
    let guest = guest_with(Arc::new(Database::default()), state.clone(), Limits::default());
    call(&guest, "set-and-end", &[0]).unwrap();
    assert_eq!(state.all().len(), 1);
}

#[test]
fn a_state_holds_what_it_said_there_is_room_for() {
    let state = KeyValues::new(KeyValuesLimits { bytes: 1 << 20, keys: 100 });
    let guest = guest_with(Arc::new(Database::default()), state.clone(), Limits::default());
    assert_eq!(call(&guest, "keys", &[150, 4]).unwrap(), 100);
    assert_eq!(state.all().len(), 100);
}

#[test]
fn a_flood_of_lines_is_cut_and_counted() {
    let heard = Arc::new(Lines::default());
    let guest = guest();
    let options = CallOptions { handler: Some(heard.clone()), ..CallOptions::default() };
    call_with(&guest, "chatter", &[100_000, 524_288], options.clone()).unwrap();
    {
        let lines = heard.0.lock().unwrap();
        assert_eq!(lines.len(), 257);
        assert!(lines.iter().all(|line| line.text.len() <= 4_096));
        assert_eq!((lines[256].level, lines[256].text.as_str()), (LogLevel::Warning, "99744 more lines were logged"));
    }
    heard.0.lock().unwrap().clear();
    for level in 0..4 {
        call_with(&guest, "log", &[level, 0, 6], options.clone()).unwrap();
    }
    let levels: Vec<_> = heard.0.lock().unwrap().drain(..).map(|line| (line.level, line.text)).collect();
    let all = [LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error];
    assert_eq!(levels, all.map(|level| (level, "select".to_owned())));
    // What was logged before a trap is told.
    let error = call_with(&guest, "log", &[4, 0, 6], options).unwrap_err();
    assert!(matches!(error, Error::Trap { reason: "canonical_abi", .. }), "{error:?}");
}

#[test]
fn a_flood_of_buffers_ends_at_the_limits_and_leaves_nothing() {
    let limits = Limits { result: 1 << 20, ..Limits::default() };
    let guest = || guest_with(Arc::new(Database::default()), KeyValues::default(), limits);
    let error = call(&guest(), "emits", &[4_097, 0]).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Buffers, limit: 4_096, .. }), "{error:?}");
    let error = call(&guest(), "emits", &[100, 1 << 16]).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::ResultSize, limit: 0x10_0000, .. }), "{error:?}");
    let guest = guest();
    call(&guest, "emits", &[3, 8]).unwrap();
    assert_eq!(guest.take_emitted().unwrap(), vec![b"select 1".to_vec(); 3]);
    assert!(guest.take_emitted().unwrap().is_empty());
    call(&guest, "emits", &[3, 8]).unwrap();
    assert!(call(&guest, "trap", &[]).is_err());
    assert!(guest.take_emitted().is_err());
}

#[test]
fn a_statement_is_asked_with_its_parameters_and_answered_with_rows() {
    let mut rows = Vec::new();
    for text in ["a", "much longer than eight"] {
        row::encode(&[Value::Integer(7), Value::Text(text), Value::Blob(&[1; 3]), Value::Null], &mut rows).unwrap();
    }
    let database = Arc::new(Database { rows, ..Database::default() });
    let guest = guest_with(database.clone(), KeyValues::default(), Limits::default());
    assert_eq!(call(&guest, "query", &[0, 8, 0, 0]).unwrap(), 2);
    call(&guest, "blobs", &[3, 5]).unwrap();
    assert_eq!(call(&guest, "query", &[0, 8, 65_536, 3]).unwrap(), 2);
    let asked = database.asked.lock().unwrap();
    assert_eq!((asked[0].text.as_str(), asked[0].parameters.len()), ("select 1", 0));
    assert_eq!(row::decode(&asked[1].parameters).unwrap(), [Value::Blob(b"selec"); 3]);
    assert!(asked[1].deadline.is_some());
}

#[test]
fn what_a_database_says_and_what_is_no_row_is_told() {
    let guest = guest_with(Arc::new(Sulking), KeyValues::default(), Limits::default());
    assert_eq!(call(&guest, "query", &[0, 8, 0, 0]).unwrap(), -1);
    assert!(words(&guest).starts_with("not today"));
    let database = Arc::new(Database::default());
    let guest = guest_with(database.clone(), KeyValues::default(), Limits::default());
    call(&guest, "blobs", &[1_025, 1]).unwrap();
    assert_eq!(call(&guest, "query", &[0, 8, 65_536, 1_025]).unwrap(), -1);
    assert!(words(&guest).starts_with("the parameters are no row: a row of 1025 values"));
    // A thousand values that all are the same half a MiB.
    call(&guest, "blobs", &[1_000, 524_288]).unwrap();
    let error = call(&guest, "query", &[0, 8, 65_536, 1_000]).unwrap_err();
    assert!(matches!(&error, Error::Import { name, .. } if name == "wasgo:script/sql@0.1.0.query"), "{error:?}");
    assert!(database.asked.lock().unwrap().is_empty());
}

#[test]
fn rows_without_room_in_the_guest_are_its_own_trap() {
    let mut rows = Vec::new();
    row::encode(&[Value::Blob(&vec![1; 900_000])], &mut rows).unwrap();
    let guest = guest_with(Arc::new(Database { rows, ..Database::default() }), KeyValues::default(), Limits::default());
    let error = call(&guest, "query", &[0, 8, 0, 0]).unwrap_err();
    assert!(matches!(error, Error::Trap { reason: "unreachable", .. }), "{error:?}");
}
