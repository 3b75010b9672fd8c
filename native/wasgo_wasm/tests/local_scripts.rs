//! Scripts that a thread calls and waits for: told what they are, held to fuel, memory and the size of answers.

use common::engine;
use wasgo_wasm::{CompileOptions, Error, GenerateCall, GenerateScript, LimitKind, Limits, Module};

mod common;

const CALL: GenerateCall = GenerateCall { seed: u64::MAX, x: -3, z: 4, lod: 2, fuel: 100_000, result: 4096 };

fn module(source: &str, deterministic: bool) -> Module {
    Module::compile(engine(), source.as_bytes(), CompileOptions { deterministic }).unwrap()
}

/// A script whose input lies at 65,536.
fn script(generate: &str, more: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 4) {more}
            (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
            (func (export "generate") (param i64 i32 i32 i32 i32 i32) (result i64) {generate}))"#
    )
}

fn made(source: &str) -> Result<GenerateScript, Error> {
    GenerateScript::new(&module(source, true), Limits::default())
}

fn called(source: &str, call: &GenerateCall) -> Result<Vec<u8>, Error> {
    made(source)?.start()?.generate(call, b"row").map(<[u8]>::to_vec)
}

#[test]
fn a_script_gets_its_arguments_and_its_row() {
    let echo = script(
        r"(i64.store (i32.const 0) (local.get 0)) (i32.store (i32.const 8) (local.get 1))
          (i32.store (i32.const 12) (local.get 2)) (i32.store (i32.const 16) (local.get 3))
          (i32.store (i32.const 20) (i32.load (local.get 4))) (i32.store8 (i32.const 23) (local.get 5))
          (i64.const 24)",
        "",
    );
    let wanted = [&[255; 8][..], &(-3i32).to_le_bytes(), &[4, 0, 0, 0, 2, 0, 0, 0], b"row\x03"].concat();
    assert_eq!(called(&echo, &CALL).unwrap(), wanted);
}

#[test]
fn an_instance_is_called_again_and_again_and_another_begins_anew() {
    let counting = script(
        "(global.set $n (i32.add (global.get $n) (i32.const 1))) (i32.store (i32.const 0) (global.get $n)) (i64.const 4)",
        "(global $n (mut i32) (i32.const 0))",
    );
    let script = made(&counting).unwrap();
    for _ in 0..2 {
        let mut local = script.start().unwrap();
        for count in 1..4u32 {
            assert_eq!(local.generate(&CALL, &[]).unwrap(), count.to_le_bytes());
        }
    }
}

#[test]
fn each_call_has_its_own_fuel_and_the_error_says_how_much() {
    let busy = script(
        "(local $n i32) (local.set $n (i32.const 1000))
         (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i64.const 0)",
        "",
    );
    let script = made(&busy).unwrap();
    let mut local = script.start().unwrap();
    for _ in 0..100 {
        assert!(local.generate(&GenerateCall { fuel: 10_000, ..CALL }, &[]).unwrap().is_empty());
    }
    let error = local.generate(&GenerateCall { fuel: 1000, ..CALL }, &[]).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Fuel, limit: 1000, .. }), "{error}");
    let spin = made(&script_that_starts("(loop br 0)")).unwrap();
    assert!(matches!(spin.start().err(), Some(Error::Limit { kind: LimitKind::Fuel, .. })));
}

fn script_that_starts(start: &str) -> String {
    script("(i64.const 0)", &format!("(func $start {start}) (start $start)"))
}

#[test]
fn answers_are_held_to_their_size_and_to_the_memory() {
    let large = called(&script("(i64.const 4097)", ""), &CALL).unwrap_err();
    assert!(matches!(large, Error::Limit { kind: LimitKind::ResultSize, limit: 4096, asked: Some(4097) }), "{large}");
    let outside = called(&script("(i64.const 0x3ffff00000002)", ""), &CALL).unwrap_err();
    assert!(matches!(outside, Error::Contract { .. }), "{outside}");
    let input = made(&script("(i64.const 0)", "")).unwrap().start().unwrap().generate(&CALL, &vec![0; 17 << 20]).err();
    assert!(matches!(input, Some(Error::Limit { kind: LimitKind::InputSize, .. })));
    let no_room = made(&script("(i64.const 0)", "")).unwrap().start().unwrap().generate(&CALL, &vec![0; 4 << 20]).err();
    assert!(matches!(no_room, Some(Error::Contract { .. })));
}

#[test]
fn what_keeps_no_part_of_the_contract_is_refused_before_it_runs() {
    let imports = made(r#"(module (import "wasgo" "random" (func (result i64))))"#).unwrap_err();
    assert!(matches!(imports, Error::MissingImport { .. }), "{imports}");
    assert!(matches!(made("(module)"), Err(Error::MissingExport { name, .. }) if name == "wasgo_alloc"));
    let alloc = r#"(func (export "wasgo_alloc") (param i32) (result i32) unreachable)"#;
    let missing = made(&format!("(module {alloc})"));
    assert!(matches!(missing, Err(Error::MissingExport { name, .. }) if name == "generate"));
    let wrong = made(&format!(r#"(module {alloc} (func (export "generate") (param i64) (result i64) unreachable))"#));
    let Err(Error::WrongType { found, wanted, .. }) = wrong else { panic!("another type") };
    assert_eq!((found.as_str(), wanted.as_str()), ("(i64) -> i64", "(i64, i32, i32, i32, i32, i32) -> i64"));
    let timed = GenerateScript::new(&module(&script("(i64.const 0)", ""), false), Limits::default());
    assert!(matches!(timed, Err(Error::Arguments { .. })));
}
