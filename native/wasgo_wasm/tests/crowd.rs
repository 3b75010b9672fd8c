//! As many instances as there can be: the system's mappings of memory last for them and for everything else.

mod common;

use common::{call, engine, module, wait};
use wasgo_wasm::{CallOptions, Error, Imports, Instance, LimitKind, Limits, Module};

/// Data in the middle of the memory, so that a memory takes as many mappings as it can.
const GUEST: &str = r#"(module (memory (export "memory") 1) (data (i32.const 20000) "data")
    (func (export "one") (result i32) (i32.store (i32.const 0) (i32.const 1)) (i32.const 1)))"#;

fn start(module: &Module, limits: Limits) -> Result<Instance, Error> {
    let options = CallOptions::default();
    let instance = wait(|later| Instance::start(module, Imports::default(), limits, 0, options, later)).0?;
    call(&instance, "one", &[])?;
    Ok(instance)
}

/// Mappings that the process has, and may have.
fn mappings() -> Option<(usize, usize)> {
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()?;
    Some((std::fs::read_to_string("/proc/self/maps").ok()?.lines().count(), most))
}

/// Waits until what was dropped is freed.
fn settle() {
    while engine().instances() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn the_pool_fills_and_others_get_what_is_left_of_the_systems_mappings() {
    let module = module(GUEST);
    let roomy = Limits { memory: 128 << 20, ..Limits::default() };
    let pool = engine().pool_size() as usize;
    // What the machine refuses more address space for is not what this is about.
    let pooled: Vec<_> = (0..pool).map(|_| start(&module, Limits::default()).unwrap()).collect();
    if let Some((now, most)) = mappings() {
        println!("{pool} in the pool: {now} mappings of {most}");
        assert!(now + 1_000 < most, "{now} of {most}");
    }
    let mut others = Vec::new();
    let refused = loop {
        match start(&module, roomy) {
            Ok(instance) => others.push(instance),
            Err(error) => break error,
        }
        if others.len() == 3_000 {
            // There is room for more than fits this test.
            break Error::Busy;
        }
    };
    if let Some((now, most)) = mappings() {
        println!("{} others: {now} mappings of {most}; {refused}", others.len());
        assert!(now + 500 < most, "{now} of {most}");
    }
    assert!(matches!(refused, Error::Limit { kind: LimitKind::Instances, .. } | Error::Busy), "{refused:?}");
    // Nothing is wrong with those that there are, and threads can still be made.
    assert_eq!(call(&pooled[pool / 2], "one", &[]).unwrap(), [1]);
    std::thread::spawn(|| ()).join().unwrap();
    // What others give back others get.
    let count = others.len();
    drop(others);
    drop(pooled);
    settle();
    let again: Vec<_> = (0..count).map(|_| start(&module, roomy).unwrap()).collect();
    assert_eq!(again.len(), count);
    drop(again);
    settle();
    // And the pool its own.
    let pooled: Vec<_> = (0..pool).map(|_| start(&module, Limits::default()).unwrap()).collect();
    assert_eq!(pooled.len(), pool);
}
