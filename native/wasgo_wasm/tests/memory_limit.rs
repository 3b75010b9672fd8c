//! What the system refuses memory for, where the process may have only so much. A test of its own: the limit is the process's.
#![cfg(target_os = "linux")]

mod common;

use common::{call, engine, module, wait};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasgo_wasm::{CallOptions, Error, Imports, Instance, LimitKind, Limits};

/// Bytes of data that the process has, as its limit counts them.
fn data() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmData:")).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

#[test]
fn an_instance_that_there_is_no_memory_for_is_the_limit_of_instances() {
    // With more memory than the pool's places have, each has one of its own.
    let module = module(r#"(module (memory (export "memory") 1) (func (export "one") (result i32) (i32.const 1)))"#);
    let limits = Limits { memory: 128 << 20, ..Limits::default() };
    let start =
        || wait(|later| Instance::start(&module, Imports::default(), limits, 0, CallOptions::default(), later)).0;
    let first = start().unwrap();
    let before = getrlimit(Resource::Data);
    setrlimit(Resource::Data, Rlimit { current: Some(data() + (4 << 20)), ..before }).unwrap();
    let mut others = Vec::new();
    let refused = loop {
        match start() {
            Ok(instance) => others.push(instance),
            Err(error) => break error,
        }
        assert!(others.len() < 1_000, "{} bytes of data, and no end", data());
    };
    setrlimit(Resource::Data, before).unwrap();
    assert!(matches!(refused, Error::Limit { kind: LimitKind::Instances, limit, .. } if limit >= 1), "{refused:?}");
    assert_eq!(call(&first, "one", &[]).unwrap(), [1]);
    assert!(start().is_ok());
    assert!(engine().instances() > 0);
}
