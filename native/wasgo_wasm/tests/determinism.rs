//! Deterministic modules: the same bytes from the same start, however a run is cut into slices and whatever runs beside it.

mod common;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use common::{call_with, engine, instance, read, wait};
use wasgo_wasm::{CallOptions, CompileOptions, Error, Grants, Imports, Instance, Limits, Module, Seed};

/// Mixes integers, floats with NaNs of every sort among them, memory that it grows, tables and random numbers.
const GUEST: &str = r#"(module
    (import "wasgo" "random" (func $random (result i64)))
    (import "wasgo" "random_fill" (func $fill (param i32 i32)))
    (memory (export "memory") 1 8)
    (table $t 4 16 funcref)
    (type $step (func (param f64 f64) (result f64)))
    (func $add (type $step) (f64.add (local.get 0) (local.get 1)))
    (func $div (type $step) (f64.div (local.get 0) (local.get 1)))
    (func $min (type $step) (f64.min (local.get 0) (f64.neg (local.get 1))))
    (func $sqrt (type $step) (f64.sqrt (f64.sub (local.get 0) (local.get 1))))
    (elem (i32.const 0) $add $div $min $sqrt)
    (func (export "mix") (param $rounds i32) (result i64) (local $at i32) (local $hash i64) (local $float f64)
      (call $fill (i32.const 1024) (i32.const 4096))
      (loop $more
        (local.set $at (i32.and (i32.mul (local.get $rounds) (i32.const 2654435761)) (i32.const 0xFFF8)))
        (local.set $float (call_indirect (type $step)
          (f64.load (local.get $at)) (f64.convert_i64_s (local.get $hash)) (i32.and (local.get $rounds) (i32.const 3))))
        (f64.store (local.get $at) (local.get $float))
        (f32.store offset=4 (i32.and (local.get $at) (i32.const 0xFFF0)) (f32.demote_f64 (local.get $float)))
        (local.set $hash (i64.mul (i64.xor (i64.rotl (local.get $hash) (i64.const 13)) (i64.load (local.get $at)))
          (i64.const 0x2545F4914F6CDD1D)))
        (if (i32.eqz (i32.rem_u (local.get $rounds) (i32.const 65536))) (then
          (local.set $hash (i64.xor (local.get $hash) (call $random)))
          (local.set $hash (i64.add (local.get $hash) (i64.extend_i32_s (memory.grow (i32.const 1)))))))
        (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
        (br_if $more (local.get $rounds)))
      (local.get $hash))
    (func (export "trap_at") (param i32) (i32.store (i32.const 0) (local.get 0)) (i32.store (local.get 0) (i32.const 7))))"#;

fn compile() -> Module {
    Module::compile(engine(), GUEST.as_bytes(), CompileOptions { deterministic: true }).unwrap()
}

fn start(module: &Module, seed: u64) -> Instance {
    let imports =
        Imports { grants: Grants { random: Some(Seed::Fixed(seed)), ..Grants::default() }, ..Imports::default() };
    wait(|later| Instance::start(module, imports, Limits::default(), 0, options(), later)).0.unwrap()
}

fn options() -> CallOptions {
    CallOptions { timeout: None, fuel: Some(u64::MAX >> 1), ..CallOptions::default() }
}

/// The result, a hash of the whole memory, and the fuel of a run.
fn run(module: &Module, seed: u64, rounds: i64) -> (Vec<i64>, u64, u64) {
    let instance = start(module, seed);
    let result = call_with(&instance, "mix", &[rounds], options()).unwrap();
    let fuel = instance.fuel_used().unwrap().unwrap();
    let size = common::size(&instance).unwrap();
    let mut hasher = DefaultHasher::new();
    read(&instance, 0, size).unwrap().hash(&mut hasher);
    (result, hasher.finish(), fuel)
}

#[test]
fn a_run_is_the_same_sliced_unsliced_and_under_load() {
    let module = compile();
    for rounds in [300, 3_000_000] {
        let alone = run(&module, 42, rounds);
        assert_eq!(run(&module, 42, rounds), alone);
        assert_ne!(run(&module, 43, rounds).0, alone.0);
        std::thread::scope(|scope| {
            // Others take the workers, and cut the slices elsewhere.
            for _ in 0..4 {
                scope.spawn(|| {
                    let spin = instance(r#"(module (func (export "spin") (loop br 0)))"#);
                    let _ = call_with(
                        &spin,
                        "spin",
                        &[],
                        CallOptions { timeout: Some(Duration::from_millis(400)), ..CallOptions::default() },
                    );
                });
            }
            let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| run(&module, 42, rounds))).collect();
            for run in runs {
                assert_eq!(run.join().unwrap(), alone, "{rounds} rounds");
            }
        });
    }
}

#[test]
fn compiled_again_it_is_the_same() {
    assert_eq!(run(&compile(), 7, 20_000), run(&compile(), 7, 20_000));
}

#[test]
fn what_a_trap_leaves_is_the_same() {
    let module = compile();
    let leave = || {
        let instance = start(&module, 1);
        let error = call_with(&instance, "trap_at", &[65_533], options()).unwrap_err();
        assert!(matches!(error, Error::Trap { reason: "memory_out_of_bounds", .. }), "{error:?}");
        (read(&instance, 0, 65_536).unwrap(), instance.fuel_used().unwrap(), error.to_string())
    };
    assert_eq!(leave(), leave());
}

#[test]
fn no_nan_tells_where_it_came_from() {
    let source = r#"(module
        (func (export "div") (param i64 i64) (result i64)
          (i64.reinterpret_f64 (f64.div (f64.reinterpret_i64 (local.get 0)) (f64.reinterpret_i64 (local.get 1)))))
        (func (export "min") (param i64 i64) (result i64)
          (i64.reinterpret_f64 (f64.min (f64.reinterpret_i64 (local.get 0)) (f64.reinterpret_i64 (local.get 1))))))"#;
    let module = Module::compile(engine(), source.as_bytes(), CompileOptions { deterministic: true }).unwrap();
    let instance = common::try_instance(&module, Limits::default(), options()).unwrap();
    let nans =
        [0x7FF8_0000_0000_0000, 0x7FF8_0000_DEAD_BEEF, 0x7FF0_0000_0000_0001, -1, i64::MIN | 0x7FF4_0000_0000_0000];
    for nan in nans {
        for name in ["div", "min"] {
            for arguments in [[nan, 0x3FF0_0000_0000_0000], [0x3FF0_0000_0000_0000, nan], [nan, nan]] {
                let result = call_with(&instance, name, &arguments, options()).unwrap();
                assert_eq!(result, [0x7FF8_0000_0000_0000], "{name} {nan:x}");
            }
        }
    }
}
