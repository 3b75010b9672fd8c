//! Components: types, calls, limits, resources, WASI.

mod common;

use std::time::Duration;

use common::{engine, wait};
use wasgo_wasm::component::{Arguments, Component, ComponentInstance, Handle, Imports, Returned, Type, Val};
use wasgo_wasm::{CallOptions, Error, Grants, InstanceStatus, LimitKind, Limits, Seed};

/// A module with what the canonical ABI needs, and `body`; then `outside`, which may lift from `$i`.
fn component(body: &str, outside: &str) -> String {
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 2)
                (global $free (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                    (global.get $free)
                    (global.set $free (i32.add (global.get $free) (local.get 3))))
                {body})
            (core instance $i (instantiate $m))
            {outside})"#
    )
}

fn compile(source: &str) -> Component {
    Component::compile(engine(), source.as_bytes()).unwrap()
}

fn start_with(source: &str, limits: Limits, grants: Grants, options: CallOptions) -> Result<ComponentInstance, Error> {
    let component = compile(source);
    let given = Imports { grants, ..Imports::default() };
    wait(|later| ComponentInstance::start(&component, &given, limits, options, later)).0
}

fn try_start(source: &str, limits: Limits) -> Result<ComponentInstance, Error> {
    start_with(source, limits, Grants::default(), CallOptions::default())
}

fn start(source: &str) -> ComponentInstance {
    try_start(source, Limits::default()).unwrap()
}

fn within(milliseconds: u64) -> CallOptions {
    CallOptions { timeout: Some(Duration::from_millis(milliseconds)), ..CallOptions::default() }
}

fn call_full(
    instance: &ComponentInstance,
    name: &str,
    values: &[Val],
    options: CallOptions,
) -> (Result<Returned, Error>, bool) {
    wait(|later| instance.call(name, |_, _| Ok(values.to_vec()), options, later))
}

fn call(instance: &ComponentInstance, name: &str, values: &[Val]) -> Result<Option<Val>, Error> {
    call_full(instance, name, values, CallOptions::default())
        .0
        .map(|returned| returned.value().map(|(value, _)| value.clone()))
}

const ADD: &str = r#"(func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"#;
const LIFT_ADD: &str =
    r#"(func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))"#;

#[test]
fn a_function_is_described_called_and_ends_in_its_first_slice() {
    let source = component(ADD, LIFT_ADD);
    let compiled = compile(&source);
    let export = &compiled.exports()[0];
    assert_eq!((export.interface.as_deref(), export.name.as_str(), export.kind), (None, "add", "func"));
    assert_eq!(export.signature, "func(a: u32, b: u32) -> u32");
    let instance = start(&source);
    let values = [Val::U32(40), Val::U32(2)];
    assert_eq!(call(&instance, "add", &values).unwrap(), Some(Val::U32(42)));
    // The very first may meet a tick; three in a row don't.
    let inline = (0..3).any(|_| call_full(&instance, "add", &values, CallOptions::default()).1);
    assert!(inline);
}

/// Returns what its memory has at 8: a pointer and a length, which the guest may choose as it likes.
fn returns(pointer: i32, length: i32, ty: &str) -> String {
    component(
        &format!(
            r#"(func (export "f") (result i32)
                (i32.store (i32.const 8) (i32.const {pointer})) (i32.store (i32.const 12) (i32.const {length})) (i32.const 8))"#
        ),
        &format!(
            r#"(func (export "f") (result {ty}) (canon lift (core func $i "f") (memory (core memory $i "memory"))))"#
        ),
    )
}

#[test]
fn a_result_of_unknown_size_is_copied_in_the_pool_unless_its_limit_is_small() {
    let source = returns(0, 5, "string");
    let instance = start(&source);
    for _ in 0..20 {
        assert!(!call_full(&instance, "f", &[], CallOptions::default()).1);
    }
    let small = try_start(&source, Limits { result: 1_000, ..Limits::default() }).unwrap();
    assert!((0..20).any(|_| call_full(&small, "f", &[], CallOptions::default()).1));
}

#[test]
fn results_over_their_limit_are_refused_and_what_a_guest_claims_is_bounded() {
    let source = returns(1_024, 2_000, "string");
    let instance = try_start(&source, Limits { result: 1_000, ..Limits::default() }).unwrap();
    let error = call(&instance, "f", &[]).unwrap_err();
    assert!(
        matches!(error, Error::Limit { kind: LimitKind::ResultSize, limit: 1_000, asked: Some(2_008) }),
        "{error:?}"
    );
    // It is none of the guest's faults.
    assert_eq!(instance.status(), InstanceStatus::Idle);

    // A list of lists, each of which is the whole memory: 16 Ki times 128 KiB.
    let body = r#"(func (export "f") (result i32) (local i32)
        (loop
            (i32.store (i32.mul (local.get 0) (i32.const 8)) (i32.const 0))
            (i32.store offset=4 (i32.mul (local.get 0) (i32.const 8)) (i32.const 131072))
            (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get 0) (i32.const 16383))))
        (i32.store (i32.const 131064) (i32.const 0)) (i32.store (i32.const 131068) (i32.const 16383))
        (i32.const 131064))"#;
    let lift = r#"(func (export "f") (result (list (list u8))) (canon lift (core func $i "f") (memory (core memory $i "memory"))))"#;
    let instance = start(&component(body, lift));
    let error = call(&instance, "f", &[]).unwrap_err();
    assert!(matches!(error, Error::Limit { kind: LimitKind::ResultSize, .. }), "{error:?}");
}

#[test]
fn rubbish_that_a_guest_returns_is_its_trap() {
    for (pointer, length, ty) in
        [(131_070, 100, "string"), (-8, 100, "(list u32)"), (3, 4, "(list u32)"), (8, 1, "(list char)")]
    {
        let mut source = returns(pointer, length, ty);
        if ty == "(list char)" {
            source = source.replace(
                "(i32.const 8))",
                "(i32.store (i32.const 8) (i32.const 12)) (i32.store8 (i32.const 15) (i32.const 255)) (i32.const 8))",
            );
        }
        let instance = start(&source);
        let error = call(&instance, "f", &[]).unwrap_err();
        assert!(matches!(error, Error::Trap { reason: "canonical_abi", .. }), "{ty}: {error:?}");
        assert!(matches!(call(&instance, "f", &[]), Err(Error::Trapped)));
    }
}

#[test]
fn a_trap_closes_the_component_for_good_and_says_so() {
    let instance = start(&component(
        &format!(r#"{ADD} (func (export "trap") unreachable)"#),
        &format!(r#"{LIFT_ADD} (func (export "trap") (canon lift (core func $i "trap")))"#),
    ));
    let error = call(&instance, "trap", &[]).unwrap_err();
    assert!(matches!(error, Error::Trap { reason: "unreachable", .. }), "{error:?}");
    assert_eq!(instance.status(), InstanceStatus::Poisoned);
    let error = call(&instance, "add", &[Val::U32(1), Val::U32(1)]).unwrap_err();
    assert!(matches!(error, Error::Trapped));
    assert!(error.to_string().contains("make a new instance"));
}

#[test]
fn a_loop_is_stopped_and_so_is_a_start_function() {
    let instance = start(&component(
        r#"(func (export "spin") (loop br 0))"#,
        r#"(func (export "spin") (canon lift (core func $i "spin")))"#,
    ));
    let error = call_full(&instance, "spin", &[], within(30)).0.err().unwrap();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Time, limit: 30, .. }), "{error:?}");
    assert!(matches!(call(&instance, "spin", &[]), Err(Error::Poisoned)));

    let spins = component("(func $spin (loop br 0)) (start $spin)", "");
    let error = start_with(&spins, Limits::default(), Grants::default(), within(30)).err().unwrap();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Time, limit: 30, .. }), "{error:?}");
}

#[test]
fn memory_is_counted_over_all_memories() {
    let two = r#"(component
        (core module $m (memory (export "memory") 10)
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
        (core instance $a (instantiate $m)) (core instance $b (instantiate $m))
        (func (export "a") (param "p" u32) (result s32) (canon lift (core func $a "grow")))
        (func (export "b") (param "p" u32) (result s32) (canon lift (core func $b "grow"))))"#;
    let error = try_start(two, Limits { memory: 19 << 16, ..Limits::default() }).err().unwrap();
    assert!(
        matches!(error, Error::Limit { kind: LimitKind::Memory, asked: Some(asked), .. } if asked == 20 << 16),
        "{error:?}"
    );
    let instance = try_start(two, Limits { memory: 25 << 16, ..Limits::default() }).unwrap();
    assert_eq!(call(&instance, "a", &[Val::U32(3)]).unwrap(), Some(Val::S32(10)));
    assert_eq!(call(&instance, "b", &[Val::U32(3)]).unwrap(), Some(Val::S32(-1)));
    assert_eq!(call(&instance, "b", &[Val::U32(2)]).unwrap(), Some(Val::S32(10)));
    assert_eq!(call(&instance, "a", &[Val::U32(1)]).unwrap(), Some(Val::S32(-1)));
}

#[test]
fn growth_beyond_a_memorys_own_maximum_costs_nothing() {
    let bounded = component(
        r#"(memory $own 1 2) (func (export "grow") (param i32) (result i32) (memory.grow $own (local.get 0)))"#,
        r#"(func (export "grow") (param "p" u32) (result s32) (canon lift (core func $i "grow")))"#,
    )
    .replace(r#"(memory (export "memory") 2)"#, "");
    let instance = try_start(&bounded, Limits { memory: 4 << 16, ..Limits::default() }).unwrap();
    for _ in 0..5 {
        assert_eq!(call(&instance, "grow", &[Val::U32(2)]).unwrap(), Some(Val::S32(-1)));
    }
    assert_eq!(call(&instance, "grow", &[Val::U32(1)]).unwrap(), Some(Val::S32(1)));
}

#[test]
fn a_component_of_too_many_parts_is_refused() {
    let many =
        |count: usize| format!("(component (core module $m) {})", "(core instance (instantiate $m))".repeat(count));
    assert!(try_start(&many(128), Limits::default()).is_ok());
    let error = try_start(&many(129), Limits::default()).err().unwrap();
    assert!(matches!(error, Error::Limit { kind: LimitKind::Parts, limit: 128, .. }), "{error:?}");
}

#[test]
fn a_missing_import_is_named_with_its_interface_and_type() {
    for (import, module, name, wanted) in [
        (
            r#"(import "wasgo:test/host" (instance (export "now" (func (param "zone" string) (result u64)))))"#,
            "wasgo:test/host",
            "now",
            "func(zone: string) -> u64",
        ),
        (r#"(import "now" (func (result u64)))"#, "$root", "now", "func() -> u64"),
        (
            r#"(import "wasi:random/random@0.2.0" (instance (export "lucky" (func (result u64)))))"#,
            "wasi:random/random@0.2.0",
            "lucky",
            "func() -> u64",
        ),
        (
            r#"(import "wasgo:test/host" (instance (export "file" (type (sub resource)))))"#,
            "wasgo:test/host",
            "file",
            "resource",
        ),
    ] {
        let error = try_start(&format!("(component {import})"), Limits::default()).err().unwrap();
        let Error::MissingImport { module: m, name: n, wanted: w } = &error else { panic!("{error:?}") };
        assert_eq!((m.as_str(), n.as_str(), w.as_str()), (module, name, wanted));
    }
}

#[test]
fn what_is_no_component_is_refused() {
    for source in ["", "(module)", "(component", "(component (export \"a\" (func 0)))"] {
        let error = Component::compile(engine(), source.as_bytes()).err().unwrap();
        assert!(matches!(error, Error::CompileComponent { .. }), "{source}: {error:?}");
    }
}

/// A resource whose representation is a number; `dropped` sums those whose destructor ran.
const THINGS: &str = r#"(component
        (core module $d
            (global $sum (export "sum") (mut i32) (i32.const 0))
            (func (export "dtor") (param i32) (global.set $sum (i32.add (global.get $sum) (local.get 0))))
            (func (export "dropped") (result i32) global.get $sum)
            (func (export "both") (param i32 i32) (result i32) global.get $sum))
        (core instance $d (instantiate $d))
        (type $thing (resource (rep i32) (dtor (core func $d "dtor"))))
        (type $other (resource (rep i32)))
        (core func $new (canon resource.new $thing))
        (core func $new-other (canon resource.new $other))
        (core func $drop (canon resource.drop $thing))
        (core module $m
            (import "" "new" (func $new (param i32) (result i32)))
            (import "" "new-other" (func $new-other (param i32) (result i32)))
            (import "" "drop" (func $drop (param i32)))
            (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
            (func (export "make-other") (param i32) (result i32) (call $new-other (local.get 0)))
            (func (export "rep") (param i32) (result i32) (local.get 0))
            (func (export "take") (param i32) (call $drop (local.get 0))))
        (core instance $i (instantiate $m (with "" (instance
            (export "new" (func $new)) (export "new-other" (func $new-other)) (export "drop" (func $drop))))))
        (export $t "thing" (type $thing))
        (export $o "other" (type $other))
        (func (export "make") (param "n" u32) (result (own $t)) (canon lift (core func $i "make")))
        (func (export "make-other") (param "n" u32) (result (own $o)) (canon lift (core func $i "make-other")))
        (func (export "rep") (param "self" (borrow $t)) (result u32) (canon lift (core func $i "rep")))
        (func (export "take") (param "thing" (own $t)) (canon lift (core func $i "take")))
        (func (export "both") (param "a" (own $t)) (param "b" (own $t)) (result u32) (canon lift (core func $d "both")))
        (func (export "dropped") (result u32) (canon lift (core func $d "dropped"))))"#;

fn make(instance: &ComponentInstance, function: &str, number: u32) -> Handle {
    let returned = call_full(instance, function, &[Val::U32(number)], CallOptions::default()).0.unwrap();
    match returned.value() {
        Some((Val::Resource(resource), Type::Own(ty))) => {
            assert_eq!(returned.resource_name(*ty), function.replace("make-", "").replace("make", "thing"));
            returned.handle(*resource)
        }
        other => panic!("{other:?}"),
    }
}

/// Calls with resources as all arguments, owned or borrowed as the parameters say.
fn call_on(instance: &ComponentInstance, name: &str, handles: &[&Handle]) -> Result<Option<Val>, Error> {
    let convert = |signature: &wasgo_wasm::component::Signature<'_>, account: &mut Arguments| {
        let each = signature.parameters.iter().zip(handles);
        each.map(|((_, ty), handle)| {
            let given = match ty {
                Type::Own(ty) => account.resource(handle, *ty, true),
                Type::Borrow(ty) => account.resource(handle, *ty, false),
                _ => Err("nothing else"),
            };
            given.map_err(|message| Error::Arguments { message: message.into() })
        })
        .collect()
    };
    wait(|later| instance.call(name, convert, CallOptions::default(), later))
        .0
        .map(|returned| returned.value().map(|(value, _)| value.clone()))
}

fn refused(result: Result<Option<Val>, Error>) -> String {
    match result {
        Err(Error::Arguments { message }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn resources_are_borrowed_given_away_and_dropped_once() {
    let instance = start(THINGS);
    let thing = make(&instance, "make", 7);
    assert_eq!(call_on(&instance, "rep", &[&thing]).unwrap(), Some(Val::U32(7)));
    assert_eq!(call_on(&instance, "take", &[&thing]).unwrap(), None);
    assert!(!thing.is_live());
    assert_eq!(call(&instance, "dropped", &[]).unwrap(), Some(Val::U32(7)));
    assert!(refused(call_on(&instance, "rep", &[&thing])).contains("not dropped or given away"));
    drop(thing);
    assert_eq!(call(&instance, "dropped", &[]).unwrap(), Some(Val::U32(7)));

    let thing = make(&instance, "make", 10);
    for _ in 0..2 {
        wait(|later| instance.drop_resource(&thing, CallOptions::default(), later)).0.unwrap();
        assert_eq!(call(&instance, "dropped", &[]).unwrap(), Some(Val::U32(17)));
    }
    assert!(refused(call_on(&instance, "take", &[&thing])).contains("not dropped or given away"));
    assert_eq!(instance.status(), InstanceStatus::Idle);
}

#[test]
fn a_forgotten_resource_is_destroyed_before_the_next_call() {
    let instance = start(THINGS);
    let things: Vec<_> = (1..=100).map(|number| make(&instance, "make", number)).collect();
    assert_eq!(call(&instance, "dropped", &[]).unwrap(), Some(Val::U32(0)));
    let clone = things[0].clone();
    drop(things);
    assert_eq!(call(&instance, "dropped", &[]).unwrap(), Some(Val::U32(5_049)));
    assert!(clone.is_live());
}

#[test]
fn a_wrong_resource_is_refused_and_nothing_is_given_away_by_a_call_that_was_not_made() {
    let (instance, elsewhere) = (start(THINGS), start(THINGS));
    let (thing, second) = (make(&instance, "make", 1), make(&instance, "make", 2));
    let (other, foreign) = (make(&instance, "make-other", 1), make(&elsewhere, "make", 1));
    assert!(refused(call_on(&instance, "rep", &[&other])).contains("of that type"));
    assert!(refused(call_on(&instance, "rep", &[&foreign])).contains("of the same instance"));
    assert!(refused(call_on(&instance, "both", &[&thing, &other])).contains("of that type"));
    assert!(refused(call_on(&instance, "both", &[&thing, &thing])).contains("given away in the same call"));
    assert!(thing.is_live());
    let error = wait(|later| instance.drop_resource(&foreign, CallOptions::default(), later)).0.unwrap_err();
    assert!(matches!(error, Error::Arguments { .. }));
    assert!(call_on(&instance, "both", &[&thing, &second]).is_ok());
    assert!(!thing.is_live() && !second.is_live());
}

#[test]
fn closing_and_busy_are_as_for_modules() {
    let instance = start(&component(ADD, LIFT_ADD));
    instance.close();
    instance.close();
    assert_eq!(instance.status(), InstanceStatus::Closed);
    assert!(matches!(call(&instance, "add", &[Val::U32(1), Val::U32(1)]), Err(Error::Closed)));
    assert!(matches!(call(&start(&component(ADD, LIFT_ADD)), "none", &[]), Err(Error::MissingExport { .. })));
}

/// A component that asks for WASI's clocks, randomness and its own end.
const WASI: &str = r#"(component
    (import "wasi:random/random@0.2.0" (instance $random (export "get-random-u64" (func (result u64)))))
    (import "wasi:random/insecure@0.2.3" (instance $insecure (export "get-insecure-random-u64" (func (result u64)))))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
    (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
    (core func $r (canon lower (func $random "get-random-u64")))
    (core func $n (canon lower (func $insecure "get-insecure-random-u64")))
    (core func $t (canon lower (func $clock "now")))
    (core func $e (canon lower (func $exit "exit")))
    (core module $m
        (import "" "r" (func $r (result i64))) (import "" "n" (func $n (result i64)))
        (import "" "t" (func $t (result i64))) (import "" "e" (func $e (param i32)))
        (func (export "random") (result i64) (call $r)) (func (export "insecure") (result i64) (call $n))
        (func (export "now") (result i64) (call $t))
        (func (export "exit") (param i32) (call $e (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance
        (export "r" (func $r)) (export "n" (func $n)) (export "t" (func $t)) (export "e" (func $e))))))
    (func (export "random") (result u64) (canon lift (core func $i "random")))
    (func (export "insecure") (result u64) (canon lift (core func $i "insecure")))
    (func (export "now") (result u64) (canon lift (core func $i "now")))
    (func (export "exit") (param "status" u32) (canon lift (core func $i "exit"))))"#;

fn numbers(grants: Grants, function: &str) -> Vec<Val> {
    let instance = start_with(WASI, Limits::default(), grants, CallOptions::default()).unwrap();
    (0..4).map(|_| call(&instance, function, &[]).unwrap().unwrap()).collect()
}

#[test]
fn randomness_is_fixed_seeded_or_real() {
    let with = |random| Grants { random, ..Grants::default() };
    for function in ["random", "insecure"] {
        let fixed = numbers(with(None), function);
        assert_eq!(fixed, numbers(with(None), function));
        assert_ne!(fixed[0], fixed[1]);
        let seeded = |seed| numbers(with(Some(Seed::Fixed(seed))), function);
        assert_eq!(seeded(7), seeded(7));
        assert_ne!(seeded(7), fixed);
        assert_ne!(seeded(7), seeded(8));
        assert_ne!(numbers(with(Some(Seed::System)), function), numbers(with(Some(Seed::System)), function));
    }
}

#[test]
fn time_stands_still_unless_it_is_granted() {
    let fake = numbers(Grants::default(), "now");
    assert_eq!(fake, numbers(Grants::default(), "now"));
    assert_ne!(fake[0], fake[1]);
    let granted = Grants { clock: true, ..Grants::default() };
    assert_ne!(numbers(granted.clone(), "now"), numbers(granted, "now"));
}

#[test]
fn a_guests_exit_ends_its_call() {
    let instance = start(WASI);
    let error = call(&instance, "exit", &[Val::U32(1)]).unwrap_err();
    assert!(matches!(error, Error::Exited { status: 1 }), "{error:?}");
    assert!(matches!(call(&instance, "now", &[]), Err(Error::Trapped)));
}

#[test]
fn a_type_of_endless_text_is_cut_short() {
    let mut types = String::from(r#"(type $t0 (tuple u8 u8)) "#);
    for number in 1..12 {
        types += &format!("(type $t{number} (tuple $t{0} $t{0})) ", number - 1);
    }
    let source = format!(
        r#"(component (core module $m (memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m)) {types}
        (func (export "f") (result $t11) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"#
    );
    let compiled = compile(&source);
    let text = &compiled.exports()[0].signature;
    assert!(text.len() < 1_200 && text.contains("..."), "{text}");
    // More values than a caller's thread copies.
    let instance = start(&source);
    assert!(!call_full(&instance, "f", &[], CallOptions::default()).1);
}
