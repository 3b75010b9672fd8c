//! Fuel: what a call of a deterministic module costs, and how it ends one that costs too much.

mod common;

use common::{call_with, engine, try_instance, wait};
use wasgo_wasm::{
    CallOptions, CompileOptions, DEFAULT_FUEL, Error, Instance, InstanceStatus, LimitKind, Limits, Module, Rows,
    Script, ScriptOptions, Val, Values, row,
};

const GUEST: &str = r#"(module (memory (export "memory") 1)
    (func (export "work") (param i64) (result i64) (local i64)
      (loop $more
        (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (local.get 0)))
        (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
        (br_if $more (i64.gt_s (local.get 0) (i64.const 0))))
      (local.get 1))
    (func $deep (export "deep") (param i64) (result i64)
      (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 0))
        (else (i64.add (i64.const 1) (call $deep (i64.sub (local.get 0) (i64.const 1)))))))
    (func (export "one") (param i32) (result i32) (i32.const 1))
    (func (export "spin") (loop br 0)))"#;

fn module(source: &str) -> Module {
    Module::compile(engine(), source.as_bytes(), CompileOptions { deterministic: true }).unwrap()
}

fn with(fuel: u64) -> CallOptions {
    CallOptions { fuel: Some(fuel), timeout: None, ..CallOptions::default() }
}

fn instance() -> Instance {
    try_instance(&module(GUEST), Limits::default(), CallOptions::default()).unwrap()
}

fn used(instance: &Instance) -> u64 {
    instance.fuel_used().unwrap().expect("it is free")
}

fn is_out(error: &Error, fuel: u64) -> bool {
    matches!(error, Error::Limit { kind: LimitKind::Fuel, limit, .. } if *limit == fuel)
}

#[test]
fn the_same_call_costs_the_same_in_one_slice_and_in_many() {
    let instance = instance();
    // A few rounds end in the first slice, millions in hundreds of them; a round costs the same in both.
    let cost = |rounds: i64| {
        let result = call_with(&instance, "work", &[rounds], with(u64::MAX >> 1)).unwrap();
        (result, used(&instance))
    };
    let (_, one) = cost(1);
    let (_, two) = cost(2);
    for rounds in [1_000, 5_000_000] {
        let first = cost(rounds);
        assert_eq!(first.1, one + (two - one) * (rounds as u64 - 1), "{rounds} rounds");
        for _ in 0..3 {
            assert_eq!(cost(rounds), first);
        }
    }
}

#[test]
fn under_load_it_costs_the_same() {
    let alone = {
        let instance = instance();
        (call_with(&instance, "work", &[2_000_000], with(DEFAULT_FUEL)).unwrap(), used(&instance))
    };
    let threads: Vec<_> = (0..6)
        .map(|_| {
            std::thread::spawn(|| {
                let instance = instance();
                (call_with(&instance, "work", &[2_000_000], with(DEFAULT_FUEL)).unwrap(), used(&instance))
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), alone);
    }
}

#[test]
fn fuel_ends_a_call_and_leaves_its_instance_usable() {
    let instance = instance();
    for fuel in [1, 100, 5_000_000] {
        let error = call_with(&instance, "spin", &[], with(fuel)).unwrap_err();
        assert!(is_out(&error, fuel), "{error:?}");
        assert!(used(&instance) >= fuel);
        assert_eq!(instance.status(), InstanceStatus::Idle);
    }
    let deep = call_with(&instance, "deep", &[100], with(50)).unwrap_err();
    assert!(is_out(&deep, 50), "{deep:?}");
    assert_eq!(call_with(&instance, "deep", &[100], with(100_000)).unwrap(), [100]);
    // Every call is given its own: what an earlier one left or lacked is gone.
    assert_eq!(call_with(&instance, "one", &[1], with(1_000)).unwrap(), [1]);
    assert!(used(&instance) < 20);
}

#[test]
fn exactly_enough_is_enough_and_half_is_not() {
    let instance = instance();
    call_with(&instance, "work", &[10_000], with(DEFAULT_FUEL)).unwrap();
    let cost = used(&instance);
    assert!(call_with(&instance, "work", &[10_000], with(cost)).is_ok());
    assert_eq!(used(&instance), cost);
    let error = call_with(&instance, "work", &[10_000], with(cost / 2)).unwrap_err();
    assert!(is_out(&error, cost / 2), "{error:?}");
}

#[test]
fn a_start_function_costs_fuel_too() {
    let endless = module("(module (func $f (loop br 0)) (start $f))");
    let error = try_instance(&endless, Limits::default(), with(10_000)).err().unwrap();
    assert!(is_out(&error, 10_000), "{error:?}");
    let initialize = module(r#"(module (func (export "_initialize") (loop br 0)))"#);
    let error = try_instance(&initialize, Limits::default(), with(10_000)).err().unwrap();
    assert!(is_out(&error, 10_000), "{error:?}");
}

fn many(instance: &Instance, name: &str, rows: &[i32], fuel: u64) -> Result<usize, Error> {
    let convert = |_: &[_]| Ok((rows.iter().flat_map(|row| row.to_le_bytes()).collect(), rows.len()));
    wait(|later| instance.call_many(name, convert, with(fuel), later)).0.map(|many| many.rows)
}

#[test]
fn fuel_ends_a_whole_batch() {
    let instance = instance();
    // With and without a driver.
    for rows in [3, 2_000] {
        assert_eq!(many(&instance, "one", &vec![1; rows], DEFAULT_FUEL).unwrap(), rows);
        let error = many(&instance, "one", &vec![1; rows], 4).unwrap_err();
        assert!(is_out(&error, 4), "{error:?}");
        assert_eq!(instance.status(), InstanceStatus::Idle);
    }
}

#[test]
fn fuel_ends_a_scripts_batch_however_many_rows_trap() {
    // Each row costs much and traps, and the next runs in a new instance.
    let source = r#"(module (memory (export "memory") 2)
        (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
        (func (export "_notification") (param i32 i32 i32) (result i64) (local i32)
          (local.set 3 (i32.const 100000))
          (loop $more (local.set 3 (i32.sub (local.get 3) (i32.const 1))) (br_if $more (local.get 3)))
          unreachable))"#;
    let script = Script::new(&module(source), ScriptOptions::default()).unwrap();
    let mut rows = Rows::default();
    for number in 0..200 {
        let start = rows.bytes.len();
        let size = row::encode(&[row::Value::Integer(number)], &mut rows.bytes).unwrap();
        rows.spans.push((start, size));
    }
    let (answers, _) = wait(|later| script.notify(17, rows, with(5_000_000), later));
    let error = answers.expect_err("200 rows of some 400,000 each");
    assert!(is_out(&error, 5_000_000), "{error:?}");
}

#[test]
fn what_a_row_used_before_it_trapped_is_known_but_for_a_little() {
    // Divides by zero after a loop, where compiled code has written nothing down of what the loop took.
    let source = r#"(module
        (func (export "f") (param i32) (result i32) (local i32)
          (local.set 1 (i32.const 1000000))
          (loop $more (local.set 1 (i32.sub (local.get 1) (i32.const 1))) (br_if $more (local.get 1)))
          (i32.div_u (local.get 0) (local.get 1))))"#;
    let instance = try_instance(&module(source), Limits::default(), CallOptions::default()).unwrap();
    let error = call_with(&instance, "f", &[1], with(DEFAULT_FUEL)).unwrap_err();
    assert!(matches!(error, Error::Trap { reason: "integer_division_by_zero", .. }), "{error:?}");
    assert!(used(&instance) > 3_000_000, "{}", used(&instance));
    for rows in [7, 500] {
        let error = many(&instance, "f", &vec![1; rows], 20_000_000).unwrap_err();
        assert!(is_out(&error, 20_000_000), "{error:?}");
    }
    // Rows that trap at once cost something too.
    let trap = r#"(module (func (export "f") (param i32) (result i32) unreachable))"#;
    let instance = try_instance(&module(trap), Limits::default(), CallOptions::default()).unwrap();
    assert_eq!(many(&instance, "f", &vec![1; 500], DEFAULT_FUEL).unwrap(), 500);
    assert!(used(&instance) > 1_000_000);
    assert!(is_out(&many(&instance, "f", &vec![1; 500], 1_000_000).unwrap_err(), 1_000_000));
}

#[test]
fn what_a_new_instance_starts_with_is_of_the_same_fuel() {
    let source = r#"(module (memory (export "memory") 2)
        (func $start (local i32)
          (local.set 0 (i32.const 100000))
          (loop $more (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if $more (local.get 0))))
        (start $start)
        (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
        (func (export "_notification") (param i32 i32 i32) (result i64) unreachable))"#;
    let script = Script::new(&module(source), ScriptOptions::default()).unwrap();
    let rows = |count: i64| {
        let mut rows = Rows::default();
        for number in 0..count {
            let start = rows.bytes.len();
            let size = row::encode(&[row::Value::Integer(number)], &mut rows.bytes).unwrap();
            rows.spans.push((start, size));
        }
        rows
    };
    assert!(wait(|later| script.notify(17, rows(5), with(5_000_000), later)).0.is_ok());
    let error = wait(|later| script.notify(17, rows(200), with(5_000_000), later)).0.err().unwrap();
    assert!(is_out(&error, 5_000_000), "{error:?}");
}

#[test]
fn a_clock_that_nobody_asked_for_ends_nothing() {
    let instance = instance();
    let convert = |_: &[_]| Ok(Values::from_vec(vec![Val::I64(20_000_000)]));
    assert!(wait(|later| instance.call("work", convert, with(DEFAULT_FUEL), later)).0.is_ok());
}
