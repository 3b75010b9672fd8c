//! Calls, traps and limits of instances.

mod common;

use std::sync::mpsc::channel;
use std::time::Duration;

use common::{call, call_with, engine, instance, module, try_instance, wait};
use common::{read, size, write};
use wasgo_wasm::{
    CallOptions, CompileOptions, Error, Instance, InstanceStatus, LimitKind, Limits, ManyResults, Module, Started, Val,
    Values,
};

const ADD: &str =
    r#"(module (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))"#;
const SPIN: &str = r#"(module (func (export "spin") (loop br 0)) (func (export "one") (result i32) i32.const 1))"#;
const COUNT: &str = r#"(module (func (export "count") (param i64) (result i64) (local i64)
    (loop (local.set 1 (i64.add (local.get 1) (i64.const 1))) (br_if 0 (i64.lt_u (local.get 1) (local.get 0))))
    local.get 1))"#;

fn within(milliseconds: u64) -> CallOptions {
    CallOptions { timeout: Some(Duration::from_millis(milliseconds)), ..CallOptions::default() }
}

#[test]
fn a_short_call_ends_in_its_first_slice() {
    let instance = instance(ADD);
    let convert = |_: &[_]| Ok(Values::from_vec(vec![Val::I64(40), Val::I64(2)]));
    // The very first may meet a tick; three in a row don't.
    let inline = (0..3).any(|_| wait(|later| instance.call("add", convert, within(5_000), later)).1);
    assert!(inline);
    assert_eq!(call(&instance, "add", &[i64::MAX, 1]).unwrap(), [i64::MIN]);
}

#[test]
fn a_long_call_goes_on_in_the_pool_with_the_same_result() {
    let instance = instance(COUNT);
    let convert = |_: &[_]| Ok(Values::from_vec(vec![Val::I64(20_000_000)]));
    let (result, inline) = wait(|later| instance.call("count", convert, within(60_000), later));
    assert!(!inline);
    assert_eq!(result.unwrap()[0].unwrap_i64(), 20_000_000);
    assert_eq!(instance.status(), InstanceStatus::Idle);
}

#[test]
fn a_loop_is_stopped_and_its_instance_says_so() {
    let instance = instance(SPIN);
    let error = call_with(&instance, "spin", &[], within(30)).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Time, limit: 30, .. }), "{error:?}");
    assert_eq!(instance.status(), InstanceStatus::Poisoned);
    assert!(matches!(call(&instance, "one", &[]), Err(Error::Poisoned)));
}

#[test]
fn others_answer_while_more_guests_spin_than_there_are_workers() {
    let spinning: Vec<_> = (0..6).map(|_| instance(SPIN)).collect();
    let (send, receive) = channel();
    for instance in &spinning {
        let send = send.clone();
        let started = instance.call(
            "spin",
            |_| Ok(Values::new()),
            within(200),
            || Box::new(move |result: Result<Values, Error>| send.send(result).unwrap()),
        );
        assert!(matches!(started, Started::Running(_)));
    }
    let other = instance(ADD);
    for number in 0..100 {
        assert_eq!(call(&other, "add", &[number, 1]).unwrap(), [number + 1]);
    }
    for _ in &spinning {
        let error = receive.recv().unwrap().unwrap_err();
        assert!(matches!(error, Error::Limit { kind: LimitKind::Time, .. }));
    }
}

#[test]
fn a_start_function_that_loops_is_stopped() {
    let module = module("(module (func $spin (loop br 0)) (start $spin))");
    let error = try_instance(&module, Limits::default(), within(30)).err().unwrap();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Time, .. }), "{error:?}");
}

#[test]
fn a_second_caller_finds_a_busy_instance() {
    let instance = instance(SPIN);
    let (send, receive) = channel();
    let started = instance.call(
        "spin",
        |_| Ok(Values::new()),
        within(100),
        || Box::new(move |result: Result<Values, Error>| send.send(result).unwrap()),
    );
    assert!(matches!(started, Started::Running(_)));
    assert!(matches!(call(&instance, "one", &[]), Err(Error::Busy)));
    assert!(matches!(size(&instance), Err(Error::Busy)));
    assert!(receive.recv().unwrap().is_err());
}

#[test]
fn closing_an_instance_stops_its_call() {
    let instance = instance(SPIN);
    let (send, receive) = channel();
    let started = instance.call(
        "spin",
        |_| Ok(Values::new()),
        within(60_000),
        || Box::new(move |result: Result<Values, Error>| send.send(result).unwrap()),
    );
    assert!(matches!(started, Started::Running(_)));
    instance.close();
    instance.close();
    assert!(matches!(receive.recv().unwrap(), Err(Error::Cancelled)));
    assert!(matches!(call(&instance, "one", &[]), Err(Error::Closed)));
}

#[test]
fn traps_name_what_happened_and_where_and_leave_the_instance_usable() {
    let instance = instance(
        r#"(module (memory (export "memory") 1)
            (func $inner unreachable)
            (func (export "trap") call $inner)
            (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
            (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
            (func $deep (export "deep") call $deep))"#,
    );
    let Err(Error::Trap { reason, message, backtrace, offsets }) = call(&instance, "trap", &[]) else { panic!() };
    assert_eq!((reason, backtrace.as_slice()), ("unreachable", &["inner".to_owned(), "function 1".to_owned()][..]));
    assert!(message.contains("inner"), "{message}");
    assert!(matches!(offsets[..], [Some(inner), Some(outer)] if 8 < inner && inner < outer), "{offsets:?}");
    assert!(matches!(call(&instance, "divide", &[0]), Err(Error::Trap { reason: "integer_division_by_zero", .. })));
    assert!(matches!(call(&instance, "load", &[-4]), Err(Error::Trap { reason: "memory_out_of_bounds", .. })));
    assert!(matches!(call(&instance, "deep", &[]), Err(Error::Limit { kind: LimitKind::Stack, .. })));
    assert_eq!(call(&instance, "divide", &[1]).unwrap(), [1]);
}

#[test]
fn memory_is_held_to_its_limit() {
    let limits = Limits { memory: 4 << 16, ..Limits::default() };
    let grow = r#"(module (memory (export "memory") 1)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "must") (param i32) (if (i32.eq (memory.grow (local.get 0)) (i32.const -1)) (then unreachable))))"#;
    let instance = try_instance(&module(grow), limits, CallOptions::default()).unwrap();
    assert_eq!(call(&instance, "grow", &[3]).unwrap(), [1]);
    assert_eq!(call(&instance, "grow", &[1]).unwrap(), [-1]);
    let error = call(&instance, "must", &[1]).unwrap_err();
    assert!(
        matches!(error, Error::Limit { kind: LimitKind::Memory, limit: 0x40000, asked: Some(0x50000) }),
        "{error:?}"
    );
    assert_eq!(size(&instance).unwrap(), 4 << 16);

    let large = module(r#"(module (memory 100))"#);
    let error = try_instance(&large, limits, CallOptions::default()).err().unwrap();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Memory, asked: Some(0x640000), .. }), "{error:?}");
}

#[test]
fn tables_are_held_to_their_limit() {
    let error = try_instance(&module("(module (table 30000 funcref))"), Limits::default(), CallOptions::default());
    assert!(matches!(error.err().unwrap(), Error::Limit { kind: LimitKind::Table, asked: Some(30_000), .. }));
}

#[test]
fn growing_a_memory_that_bulk_instructions_could_touch_leaves_the_callers_thread() {
    let instance = instance(
        r#"(module (memory (export "memory") 1)
            (func (export "fill") (param i32) (result i32)
              (drop (memory.grow (i32.const 900)))
              (memory.fill (i32.const 0) (i32.const 7) (local.get 0))
              (i32.load8_u (i32.sub (local.get 0) (i32.const 1)))))"#,
    );
    let convert = |_: &[_]| Ok(Values::from_vec(vec![Val::I32(56 << 20)]));
    let (result, inline) = wait(|later| instance.call("fill", convert, within(60_000), later));
    assert_eq!((result.unwrap()[0].unwrap_i32(), inline), (7, false));
    // Large now, it begins there.
    let (_, inline) =
        wait(|later| instance.call("fill", |_| Ok(Values::from_vec(vec![Val::I32(1)])), within(60_000), later));
    assert!(!inline);
}

#[test]
fn a_memory_that_is_not_exported_counts_too() {
    let instance = instance(
        r#"(module (memory 900) (func (export "fill") (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x3840000)))
            (func (export "any") (param i32) (memory.fill (i32.const 0) (i32.const 7) (local.get 0))))"#,
    );
    let (result, inline) =
        wait(|later| instance.call("any", |_| Ok(Values::from_vec(vec![Val::I32(1)])), within(60_000), later));
    assert!(result.is_ok() && !inline);
}

fn many(instance: &Instance, name: &str, rows: &[i32], options: CallOptions) -> Result<ManyResults, Error> {
    let convert = |_: &[_]| Ok((rows.iter().flat_map(|row| row.to_le_bytes()).collect(), rows.len()));
    wait(|later| instance.call_many(name, convert, options, later)).0
}

/// Checks one batch with a trap in it, in a size that takes one way or the other through the host.
fn divide_many(rows: usize) {
    let divide = r#"(module (func (export "divide") (param i32) (result i32 i64)
        (i32.div_s (i32.const 60) (local.get 0)) (i64.extend_i32_s (local.get 0))))"#;
    let divisors: Vec<i32> = (0..rows as i32).map(|row| row % 7 - 3).collect();
    let many = many(&instance(divide), "divide", &divisors, within(5_000)).unwrap();
    assert_eq!(many.rows, rows);
    let mut packed = Vec::new();
    for divisor in &divisors {
        let (quotient, wide) = if *divisor == 0 { (0, 0) } else { (60 / divisor, i64::from(*divisor)) };
        packed.extend(quotient.to_le_bytes());
        packed.extend(wide.to_le_bytes());
    }
    assert!(many.packed == packed, "results of {rows} rows");
    let zeros: Vec<usize> = (0..rows).filter(|row| divisors[*row] == 0).collect();
    assert_eq!(many.errors.iter().map(|(row, _)| *row).collect::<Vec<_>>(), zeros);
    let division = |error: &Error| matches!(error, Error::Trap { reason: "integer_division_by_zero", .. });
    assert!(many.errors.iter().all(|(_, error)| division(error)), "{:?}", many.errors.first());
}

#[test]
fn many_rows_are_called_in_one_crossing_and_a_trap_is_its_rows_own() {
    // One by one; by a driver that has to be compiled; by one that is there; in several windows of the driver's memory.
    [0, 5, 4_000, 20, 60_000].into_iter().for_each(divide_many);
}

#[test]
fn values_of_all_types_come_through_a_batch_unchanged() {
    let same = r#"(module (func (export "same") (param f32 v128 i32 f64 i64) (result i64 f64 i32 v128 f32)
        (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"#;
    let instance = instance(same);
    for rows in [3usize, 500] {
        let row =
            |number: usize| [[number as u8; 4].to_vec(), (0..36).map(|byte| byte ^ number as u8).collect()].concat();
        let packed: Vec<u8> = (0..rows).flat_map(row).collect();
        let convert = |_: &[_]| Ok((packed.clone(), rows));
        let many = wait(|later| instance.call_many("same", convert, within(5_000), later)).0.unwrap();
        for (number, back) in many.packed.chunks(40).enumerate() {
            let row = row(number);
            let (f32, v128, i32, f64, i64) = (&row[..4], &row[4..20], &row[20..24], &row[24..32], &row[32..]);
            assert_eq!(back, [i64, f64, i32, v128, f32].concat());
        }
        assert!(many.errors.is_empty());
    }
}

#[test]
fn what_a_guest_was_refused_in_one_row_does_not_explain_anothers_trap() {
    // Asks for too much memory and lives with the answer when given 0; traps otherwise.
    let guest = r#"(module (memory 1) (func (export "try") (param i32)
        (if (local.get 0) (then unreachable) (else (drop (memory.grow (i32.const 60000)))))))"#;
    let ManyResults { errors, .. } = many(&instance(guest), "try", &[0, 1, 0], within(5_000)).unwrap();
    assert!(matches!(errors[..], [(1, Error::Trap { reason: "unreachable", .. })]), "{errors:?}");
}

#[test]
fn a_time_limit_ends_all_rows() {
    let instance = instance(r#"(module (func (export "spin") (param i32) (loop (br_if 0 (local.get 0)))))"#);
    let error = many(&instance, "spin", &[0, 0, 1, 0], within(30)).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Time, .. }), "{error:?}");
    assert_eq!(instance.status(), InstanceStatus::Poisoned);
}

#[test]
fn rows_that_do_not_fill_the_parameters_are_refused() {
    let add = instance(ADD);
    let convert = |_: &[_]| Ok((vec![0; 24], 2));
    let (result, _) = wait(|later| add.call_many("add", convert, within(1), later));
    assert!(matches!(result, Err(Error::Arguments { .. })));
    assert_eq!(call(&add, "add", &[1, 1]).unwrap(), [2]);
}

#[test]
fn memory_is_read_and_written_within_its_bounds() {
    let instance = instance(r#"(module (memory (export "memory") 1))"#);
    write(&instance, 65_530, b"abcdef").unwrap();
    assert_eq!(read(&instance, 65_530, 6).unwrap(), b"abcdef");
    assert!(matches!(write(&instance, 65_531, b"abcdef"), Err(Error::OutOfBounds { size: 65_536, .. })));
    assert!(matches!(read(&instance, u64::MAX, 2), Err(Error::OutOfBounds { .. })));
}

#[test]
fn a_missing_import_is_named() {
    let error = try_instance(
        &module(r#"(module (import "env" "fly" (func (param i32) (result f64))))"#),
        Limits::default(),
        CallOptions::default(),
    );
    assert_eq!(error.err().unwrap().to_string(), r#"import "env" "fly" (func (i32) -> f64) is not granted"#);
}

#[test]
fn what_is_no_module_is_refused_with_a_reason() {
    for bad in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\xff\xff", b"GIF89a", b"(module (func", b"\0asm\x02\0\0\0"] {
        let error = Module::compile(engine(), bad, CompileOptions::default()).err().unwrap();
        assert!(matches!(error, Error::Compile { .. }), "{bad:?}: {error:?}");
    }
    let error = Module::compile(engine(), b"(module (func (result i32)))", CompileOptions::default()).err().unwrap();
    assert!(error.to_string().contains("type mismatch"), "{error}");
}

#[test]
fn an_export_that_is_not_there_is_named() {
    let error = call(&instance(ADD), "substract", &[1, 2]).unwrap_err();
    assert_eq!(error.to_string(), r#"the module exports no function named "substract""#);
}

#[test]
fn arguments_that_cannot_be_converted_leave_the_instance_free() {
    let instance = instance(ADD);
    let refuse = |_: &[_]| Err(Error::Arguments { message: "no".into() });
    assert!(matches!(wait(|later| instance.call("add", refuse, within(1), later)).0, Err(Error::Arguments { .. })));
    assert_eq!(call(&instance, "add", &[1, 1]).unwrap(), [2]);
}

#[test]
fn imports_and_exports_are_listed_with_types() {
    let module = module(r#"(module (import "env" "abort" (func (param i32 i32 i32 i32))) (memory (export "m") 1 16))"#);
    let import = &module.imports()[0];
    assert_eq!((import.name.as_str(), import.signature.as_str()), ("abort", "(i32, i32, i32, i32) -> ()"));
    assert_eq!((module.exports()[0].kind, module.exports()[0].signature.as_str()), ("memory", "1..16 pages"));
}

#[test]
fn an_assembly_script_abort_tells_its_message() {
    // "no" as UTF-16 at 12, its length in bytes before it.
    let instance = instance(
        r#"(module (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
            (memory (export "memory") 1) (data (i32.const 8) "\04\00\00\00n\00o\00")
            (func (export "fail") (call $abort (i32.const 12) (i32.const 0) (i32.const 3) (i32.const 4)))
            (func (export "rubbish") (call $abort (i32.const -2) (i32.const -9) (i32.const 3) (i32.const 4))))"#,
    );
    let Err(Error::Trap { reason: "abort", message, .. }) = call(&instance, "fail", &[]) else { panic!() };
    assert_eq!(message, "abort: no");
    assert!(matches!(call(&instance, "rubbish", &[]), Err(Error::Trap { reason: "abort", .. })));
}

#[test]
fn instances_made_and_dropped_in_thousands_leave_nothing_behind() {
    let module = module(r#"(module (memory (export "memory") 2))"#);
    for _ in 0..2_000 {
        let instance: Instance = try_instance(&module, Limits::default(), CallOptions::default()).unwrap();
        drop(instance);
    }
}
