//! The script contract, kept and broken.

mod common;

use common::{module, wait};
use proptest::prelude::*;
use wasgo_wasm::component::{Component, Imports};
use wasgo_wasm::row::{self, Value};
use wasgo_wasm::{
    Answers, CallOptions, Error, Generation, Grants, LimitKind, Limits, Rows, Script, ScriptOptions, Seed,
};

/// Returns its row unchanged, or its buffer; traps for `what` 99, says nothing for 98.
const ECHO: &str = r#"(module (memory (export "memory") 4)
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func $span (param i32 i32) (result i64)
      (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
    (func (export "_notification") (param i32 i32 i32) (result i64)
      (if (i32.eq (local.get 0) (i32.const 99)) (then unreachable))
      (if (i32.eq (local.get 0) (i32.const 98)) (then (return (i64.const 0))))
      ;; A row whose first value is the integer 7 is refused by a trap.
      (if (i64.eq (i64.load offset=16 (local.get 1)) (i64.const 7)) (then unreachable))
      (call $span (local.get 1) (local.get 2)))
    (func (export "process") (param i32 i32) (result i64) (call $span (local.get 0) (local.get 1)))
    (data (i32.const 0) "position:x, position:y,,rotation:y")
    (func (export "_columns") (result i64) (call $span (i32.const 0) (i32.const 34))))"#;

fn script(source: &str) -> Script {
    Script::new(&module(source), ScriptOptions::default()).unwrap()
}

fn rows(values: &[&[Value<'_>]]) -> Rows {
    let mut rows = Rows::default();
    for row in values {
        let start = rows.bytes.len();
        let size = row::encode(row, &mut rows.bytes).unwrap();
        rows.spans.push((start, size));
    }
    rows
}

fn notify(script: &Script, what: i32, rows: Rows) -> Result<Answers, Error> {
    wait(|later| script.notify(what, rows, CallOptions::default(), later)).0
}

fn process(script: &Script, input: &[u8]) -> Result<Vec<u8>, Error> {
    wait(|later| script.process(input.to_vec(), CallOptions::default(), later)).0.map(|done| done.returned.concat())
}

#[test]
fn a_row_goes_in_and_comes_out() {
    let values =
        [Value::Integer(i64::MIN), Value::Real(-0.0), Value::Text("dröm"), Value::Blob(&[0, 255]), Value::Null];
    let Answers { bytes, rows: results } = notify(&script(ECHO), 17, rows(&[&values])).unwrap();
    let (start, length) = results[0].clone().unwrap().unwrap();
    assert_eq!(row::decode(&bytes[start..start + length]).unwrap(), values);
}

#[test]
fn a_trap_in_one_row_is_that_rows_error() {
    let batch = rows(&[&[Value::Integer(1)], &[Value::Integer(7)], &[Value::Integer(3)]]);
    let Answers { bytes, rows: results } = notify(&script(ECHO), 17, batch).unwrap();
    assert!(matches!(results[1].as_ref().map_err(|error| &**error), Err(Error::Trap { reason: "unreachable", .. })));
    let (start, length) = results[2].clone().unwrap().unwrap();
    assert_eq!(row::decode(&bytes[start..start + length]).unwrap(), [Value::Integer(3)]);
}

#[test]
fn what_a_row_did_before_its_trap_is_not_seen_by_the_next() {
    // Counts its calls in memory and traps on the second.
    let counter = r#"(module (memory (export "memory") 1) (global $calls (mut i32) (i32.const 0))
        (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "_notification") (param i32 i32 i32) (result i64)
          (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
          (if (i32.eq (global.get $calls) (i32.const 2)) (then unreachable))
          (i64.const 0)))"#;
    let row: &[Value<'_>] = &[];
    let Answers { rows: results, .. } = notify(&script(counter), 17, rows(&[row; 6])).unwrap();
    let failed: Vec<bool> = results.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, false, true, false, true]);
}

#[test]
fn a_script_that_loops_is_stopped_and_its_next_call_runs() {
    let looping = script(
        r#"(module (memory (export "memory") 1) (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 8))
            (func (export "process") (param i32 i32) (result i64) (loop (br_if 0 (local.get 1))) (i64.const 0)))"#,
    );
    let options = CallOptions { timeout: Some(std::time::Duration::from_millis(30)), ..CallOptions::default() };
    let (result, _) = wait(|later| looping.process(vec![1], options, later));
    assert!(matches!(result, Err(Error::Limit { kind: LimitKind::Time, .. })));
    assert_eq!(process(&looping, b"").unwrap(), b"");
}

#[test]
fn calls_stopped_while_their_instance_is_made_leave_room_for_others() {
    // More of them than a script may have instances.
    let never = script(r#"(module (memory (export "memory") 1) (func (export "_initialize") (loop (br 0))))"#);
    let options = CallOptions { timeout: Some(std::time::Duration::from_millis(1)), ..CallOptions::default() };
    for _ in 0..1_100 {
        let (result, _) = wait(|later| never.process(vec![], options.clone(), later));
        assert!(matches!(result, Err(Error::Limit { kind: LimitKind::Time, .. })), "{result:?}");
    }
}

#[test]
fn many_threads_use_one_script_at_once() {
    let echo = script(ECHO);
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let echo = &echo;
            scope.spawn(move || {
                for round in 0..200u8 {
                    assert_eq!(process(echo, &[thread, round]).unwrap(), [thread, round]);
                }
            });
        }
    });
}

#[test]
fn nothing_is_an_answer() {
    let Answers { rows: results, .. } = notify(&script(ECHO), 98, rows(&[&[]])).unwrap();
    assert!(matches!(results[..], [Ok(None)]));
}

#[test]
fn a_script_tells_what_it_offers() {
    let info = wait(|later| script(ECHO).info(CallOptions::default(), later)).0.unwrap();
    assert!(info.notification && info.process);
    assert_eq!(info.columns, ["position:x", "position:y", "rotation:y"]);
}

#[test]
fn buffers_go_through() {
    let script = script(ECHO);
    assert_eq!(process(&script, b"").unwrap(), b"");
    assert_eq!(process(&script, b"bytes").unwrap(), b"bytes");
}

#[test]
fn large_buffers_are_copied_in_the_pool() {
    let echo = script(
        r#"(module (memory (export "memory") 40) (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64)
              (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#,
    );
    let run = |bytes: usize| wait(|later| echo.process(vec![7; bytes], CallOptions::default(), later));
    let (small, inline) = (0..3).map(|_| run(1_000)).find(|(_, inline)| *inline).expect("one within a tick");
    assert!(inline && small.unwrap().returned == [vec![7; 1_000]]);
    let (large, inline) = run(2 << 20);
    assert!(!inline && large.unwrap().returned == [vec![7; 2 << 20]]);
}

#[test]
fn a_script_without_the_export_is_told_so() {
    let script = script(r#"(module (memory (export "memory") 1))"#);
    assert!(matches!(process(&script, b"x"), Err(Error::MissingExport { name, .. }) if name == "process"));
}

#[test]
fn an_export_of_another_type_is_told_so() {
    let script = script(r#"(module (memory (export "memory") 1) (func (export "process") (param i32)))"#);
    let error = process(&script, b"x").unwrap_err().to_string();
    assert_eq!(error, r#"export "process" has type (i32) -> (), but (i32, i32) -> i64 is needed"#);
}

/// Scripts that lie about places and lengths.
fn liar(alloc: i64, span: u64) -> Script {
    script(&format!(
        r#"(module (memory (export "memory") 2)
            (func (export "wasgo_alloc") (param i32) (result i32) (i32.const {alloc}))
            (func (export "process") (param i32 i32) (result i64) (i64.const {span}))
            (func (export "_columns") (result i64) (i64.const {span})))"#
    ))
}

#[test]
fn rubbish_places_from_alloc_are_refused() {
    for alloc in [0, 4, 131_072, 131_064, 0xffff_fff8u32 as i32 as i64] {
        let error = process(&liar(alloc, 0), &[1; 16]).unwrap_err();
        assert!(matches!(error, Error::Contract { .. }), "{alloc}: {error:?}");
    }
}

#[test]
fn rubbish_spans_are_refused() {
    for span in [u64::MAX, 0xffff_ffff, 131_072 << 32 | 1, 0xffff_fff8 << 32 | 16, 8 << 32 | 131_065] {
        let error = process(&liar(1024, span), &[1; 16]).unwrap_err();
        let told = matches!(error, Error::Contract { .. } | Error::Limit { kind: LimitKind::ResultSize, .. });
        assert!(told, "{span:x}: {error:?}");
    }
}

proptest! {
    #[test]
    fn no_place_or_span_reaches_outside(alloc: i32, span: u64, input in proptest::collection::vec(any::<u8>(), 0..64)) {
        let script = liar(alloc.into(), span);
        if let Ok(output) = process(&script, &input) {
            prop_assert!(output.len() <= 131_072);
        }
        let _ = wait(|later| script.info(CallOptions::default(), later)).0;
    }
}

#[test]
fn a_chunk_is_generated_of_its_arguments() {
    let script = script(
        r#"(module (memory (export "memory") 1) (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 64))
            (func (export "generate") (param i64 i32 i32 i32 i32 i32) (result i64)
              (i64.store (i32.const 8) (local.get 0)) (i32.store (i32.const 16) (local.get 1))
              (i32.store (i32.const 20) (local.get 2)) (i32.store (i32.const 24) (local.get 3))
              (i32.store (i32.const 28) (local.get 4)) (i32.store (i32.const 32) (local.get 5))
              (if (i32.eq (local.get 3) (i32.const 9)) (then (return (i64.const 0x8_ffffffff))))
              (i64.const 0x8_0000001c)))"#,
    );
    let info = wait(|later| script.info(CallOptions::default(), later)).0.unwrap();
    assert!(info.generate && !info.notification && !info.process);
    let generate = |lod| {
        let mut parameters = Vec::new();
        row::encode(&[Value::Integer(5)], &mut parameters).unwrap();
        let what = Generation { seed: u64::MAX, x: -3, z: 4, lod, parameters };
        wait(|later| script.generate(what, CallOptions::default(), later)).0
    };
    let words: Vec<i32> =
        generate(2).unwrap().chunks(4).map(|word| i32::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [-1, -1, -3, 4, 2, 64, 24]);
    assert!(matches!(generate(9), Err(Error::Limit { kind: LimitKind::ResultSize, .. })));
    let none = self::script(ECHO);
    let generated = wait(|later| none.generate(Generation::default(), CallOptions::default(), later)).0;
    assert!(matches!(generated, Err(Error::MissingExport { name, .. }) if name == "generate"));
}

#[test]
fn a_components_random_numbers_of_a_seed_begin_anew_with_each_call() {
    let source = r#"(component
        (import "wasi:random/random@0.2.0" (instance $random (export "get-random-u64" (func (result u64)))))
        (core func $r (canon lower (func $random "get-random-u64")))
        (core module $m
            (import "" "r" (func $r (result i64)))
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i32)
              (i32.store (i32.const 4) (i32.const 16)) (i32.store (i32.const 8) (i32.const 1))
              (i32.store (i32.const 16) (i32.const 32)) (i32.store (i32.const 20) (i32.const 8))
              (i64.store (i32.const 32) (call $r))
              (i32.const 0)))
        (core instance $i (instantiate $m (with "" (instance (export "r" (func $r))))))
        (func (export "process") (param "input" (list u8)) (result (result (list (list u8)) (error string)))
            (canon lift (core func $i "process") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;
    let component = Component::compile(common::engine(), source.as_bytes()).unwrap();
    let numbers = |random| {
        let given = Imports { grants: Grants { random, ..Grants::default() }, ..Imports::default() };
        let script = Script::of_component(&component, given, Limits::default()).unwrap();
        [process(&script, b"").unwrap(), process(&script, b"").unwrap()]
    };
    let [first, second] = numbers(Some(Seed::Fixed(7)));
    assert_eq!((first.len(), &first), (8, &second));
    assert_ne!(numbers(Some(Seed::Fixed(8))), [first, second]);
    let [first, second] = numbers(Some(Seed::System));
    assert_ne!(first, second);
}
