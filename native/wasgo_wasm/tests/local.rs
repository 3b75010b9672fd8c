//! Guests on their callers' stacks, and scripts on the thread that asks: for databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasgo_wasm::{
    CallOptions, CompileOptions, Engine, EngineOptions, Error, Grants, Imports, KeyValues, LimitKind, Limits, Local,
    LocalFunction, Module, Rows, Script, ScriptOptions, Stop, Val,
};

fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default()).expect("an engine")).clone()
}

fn module(wat: &str, deterministic: bool) -> Module {
    Module::compile(&engine(), wat.as_bytes(), CompileOptions { deterministic }).expect("it is valid")
}

fn never() -> Stop {
    Arc::new(|| false)
}

fn within(milliseconds: u64) -> CallOptions {
    CallOptions { timeout: Some(Duration::from_millis(milliseconds)), ..CallOptions::default() }
}

fn local(module: &Module, options: CallOptions, stop: Stop) -> Result<Local, Error> {
    Local::new(module, Imports::default(), Limits::default(), options, stop)
}

fn is_limit(result: Result<impl Sized, Error>, kind: LimitKind) -> bool {
    matches!(result.map(drop), Err(Error::Limit { kind: hit, .. }) if hit == kind)
}

const GUEST: &str = r#"(module (memory (export "memory") 1)
    (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
    (func (export "many") (param i32 i64 f32 f64 i32) (result f64) (local.get 3))
    (func (export "spin") (loop (br 0)))
    (func (export "grow") (loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable)
    (func $deep (export "deep") (call $deep) (call $deep)))"#;

#[test]
fn calls_give_their_results_whatever_their_types() {
    for deterministic in [false, true] {
        let module = module(GUEST, deterministic);
        let add = LocalFunction::find(&module, "add").unwrap();
        assert_eq!((add.parameters().len(), add.results().len()), (2, 1));
        assert!(LocalFunction::find(&module, "memory").is_none());
        let mut local = local(&module, CallOptions::default(), never()).unwrap();
        for number in 0..1_000 {
            let sum = local.call(&add, &[Val::I64(number), Val::I64(1)]).unwrap();
            assert!(matches!(sum[..], [Val::I64(sum)] if sum == number + 1));
        }
        let many = LocalFunction::find(&module, "many").unwrap();
        let arguments = [Val::I32(1), Val::I64(2), Val::F32(0), Val::F64(2.5_f64.to_bits()), Val::I32(5)];
        let result = local.call(&many, &arguments).unwrap();
        assert!(matches!(result[..], [Val::F64(bits)] if f64::from_bits(bits) == 2.5));
        assert!(local.call(&add, &[Val::I32(1)]).is_err());
        assert_eq!(local.memory().len(), 65_536);
        local.memory_mut()[7] = 9;
        assert_eq!(local.memory()[7], 9);
    }
}

#[test]
fn a_guest_that_spins_is_stopped_by_its_time_however_long_that_is() {
    let module = module(GUEST, false);
    let spin = LocalFunction::find(&module, "spin").unwrap();
    // The second is longer than the engine's clock ticks without anybody who needs it.
    for time in [20, 500] {
        let mut local = local(&module, within(time), never()).unwrap();
        assert!(is_limit(local.call(&spin, &[]), LimitKind::Time));
    }
}

#[test]
fn a_guest_that_spins_is_stopped_when_it_is_told_to() {
    for deterministic in [false, true] {
        let module = module(GUEST, deterministic);
        let spin = LocalFunction::find(&module, "spin").unwrap();
        let told = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&told);
        let stop: Stop = Arc::new(move || theirs.load(Ordering::SeqCst));
        let mut local = local(&module, within(60_000), stop).unwrap();
        told.store(true, Ordering::SeqCst);
        assert!(matches!(local.call(&spin, &[]), Err(Error::Cancelled)));
    }
}

#[test]
fn every_limit_holds_and_says_which() {
    let deterministic = module(GUEST, true);
    let spin = LocalFunction::find(&deterministic, "spin").unwrap();
    let options = CallOptions { fuel: Some(1_000_000), ..within(60_000) };
    assert!(is_limit(local(&deterministic, options, never()).unwrap().call(&spin, &[]), LimitKind::Fuel));
    let module = module(GUEST, false);
    for (name, kind) in [("grow", LimitKind::Memory), ("deep", LimitKind::Stack)] {
        let function = LocalFunction::find(&module, name).unwrap();
        let mut local = local(&module, CallOptions::default(), never()).unwrap();
        assert!(is_limit(local.call(&function, &[]), kind), "{name}");
        // A trap leaves the instance as it is.
        let add = LocalFunction::find(&module, "add").unwrap();
        assert!(local.call(&add, &[Val::I64(1), Val::I64(1)]).is_ok(), "{name}");
    }
}

#[test]
fn start_functions_have_the_same_limits() {
    let spins = module("(module (func $s (loop (br 0))) (start $s))", false);
    assert!(is_limit(local(&spins, within(20), never()), LimitKind::Time));
    let spins = module(r#"(module (func (export "_initialize") (loop (br 0))))"#, false);
    assert!(is_limit(local(&spins, within(20), never()), LimitKind::Time));
    let large = module("(module (memory 2000))", false);
    assert!(is_limit(local(&large, within(20), never()), LimitKind::Memory));
    let wants = module(r#"(module (import "env" "fly" (func)))"#, false);
    assert!(matches!(local(&wants, within(20), never()), Err(Error::MissingImport { .. })));
}

#[test]
fn wasi_is_there_only_where_it_is_closed() {
    let wants = module(
        r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (func (export "f") (result i32) (call $yield)))"#,
        false,
    );
    assert!(matches!(local(&wants, within(1_000), never()), Err(Error::Contract { .. })));
    let imports = Imports { closed_wasi: true, ..Imports::default() };
    let mut local = Local::new(&wants, imports, Limits::default(), within(1_000), never()).unwrap();
    let function = LocalFunction::find(&wants, "f").unwrap();
    assert!(matches!(local.call(&function, &[]).unwrap()[..], [Val::I32(0)]));
}

/// Answers the row that it is given; 666 traps, 777 spins. Counts in what it keeps.
const SCRIPT: &str = r#"(module
    (import "wasgo" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "wasgo" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 16) "count")
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "_notification") (param $what i32) (param $at i32) (param $length i32) (result i64)
      (i64.store (i32.const 80) (i64.const 0))
      (drop (call $get (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
      (i64.store (i32.const 80) (i64.add (i64.load (i32.const 80)) (i64.const 1)))
      (drop (call $set (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 8)))
      (if (i32.eq (local.get $what) (i32.const 666)) (then unreachable))
      (if (i32.eq (local.get $what) (i32.const 777)) (then (loop (br 0))))
      (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))"#;

#[test]
fn a_script_is_notified_here_and_keeps_what_its_answers_keep() {
    let state = KeyValues::default();
    let grants = Grants { state: Some(state.clone()), ..Grants::default() };
    let options = ScriptOptions { imports: Imports { grants, ..Imports::default() }, ..ScriptOptions::default() };
    let script = Script::new(&module(SCRIPT, true), options).unwrap();
    assert!(script.info_here(CallOptions::default(), &never()).unwrap().notification);
    let mut row = Vec::new();
    wasgo_wasm::row::encode(&[wasgo_wasm::row::Value::Integer(7)], &mut row).unwrap();
    let rows = |count: usize| Rows { bytes: row.clone().into(), spans: vec![(0, row.len()); count] };
    let answers = script.notify_here(17, rows(10), CallOptions::default(), &never()).unwrap();
    assert_eq!(answers.rows.len(), 10);
    assert!(answers.rows.iter().all(|answer| matches!(answer, Ok(Some((_, length))) if *length == row.len())));
    assert_eq!(state.get(b"count"), Some(10_u64.to_le_bytes().to_vec()));
    // A failure keeps nothing, and is its row's alone.
    let answers = script.notify_here(666, rows(2), CallOptions::default(), &never()).unwrap();
    assert!(
        answers.rows.iter().all(|answer| matches!(answer.as_ref().map_err(|error| &**error), Err(Error::Trap { .. })))
    );
    assert_eq!(state.get(b"count"), Some(10_u64.to_le_bytes().to_vec()));
    // What others put in its place it goes on with.
    assert!(state.replace([(b"count".to_vec(), 99_u64.to_le_bytes().to_vec())]));
    script.notify_here(17, rows(1), CallOptions::default(), &never()).unwrap();
    assert_eq!(state.get(b"count"), Some(100_u64.to_le_bytes().to_vec()));
    assert!(!state.replace([(vec![0; 2_000], Vec::new())]));
    assert_eq!(state.bytes(), 0);
    let options = CallOptions { fuel: Some(100_000), ..within(60_000) };
    assert!(is_limit(script.notify_here(777, rows(1), options, &never()), LimitKind::Fuel));
    let stopped: Stop = Arc::new(|| true);
    assert!(matches!(script.notify_here(777, rows(1), within(60_000), &stopped), Err(Error::Cancelled)));
}
