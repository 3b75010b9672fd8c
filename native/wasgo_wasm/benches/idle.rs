//! The memory of instances that nobody calls, with wasmtime alone and with this crate: `cargo bench -p wasgo_wasm --bench idle [-- --quick]`.
//! The floor under what `bench/wasm.exs` measures from Elixir. No Criterion here: what it measures is time.

mod common;

use std::fs;
use std::process::Command;

use common::{compile, finished, guest, own, own_instance, poll_once, store, yielding_store};
use wasgo_wasm::{CallOptions, Engine, EngineOptions, Instance, Val};
use wasmtime::{Store, TypedFunc};

/// What keeps an instance alive.
type Made = wasmtime::Result<Store<()>>;

fn main() {
    // Run as a test, or for a look, it is to be quick.
    let quick = std::env::args().any(|argument| argument == "--quick" || argument == "--test");
    let wanted = if quick { 100 } else { 10_000 };
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let module = compile(&engine, &guest("arithmetic"));
    let sync = || -> Made {
        let mut store = store(&engine);
        let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
        let add: TypedFunc<(i64, i64), i64> = instance.get_typed_func(&mut store, "add")?;
        add.call(&mut store, (40, 2)).map(|_| store)
    };
    let on_fiber = || -> Made {
        let mut store = yielding_store(&engine);
        let instance = poll_once(wasmtime::Instance::new_async(&mut store, &module, &[]))?;
        let add: TypedFunc<(i64, i64), i64> = instance.get_typed_func(&mut store, "add")?;
        poll_once(add.call_async(&mut store, (40, 2))).map(|_| store)
    };
    let module = own(&engine, &guest("arithmetic"));
    let with_crate = || -> Result<Instance, wasgo_wasm::Error> {
        let instance = own_instance(&module)?;
        let convert = |_: &[_]| Ok([Val::I64(40), Val::I64(2)].into_iter().collect());
        finished(|later| instance.call("add", convert, CallOptions::default(), later)).map(|_| instance)
    };
    match std::env::var(WHICH).as_deref() {
        Ok("sync") => measure("wasmtime alone, `call`", wanted, sync),
        Ok("fiber") => measure("wasmtime alone, `call_async`, on a fiber", wanted, on_fiber),
        Ok(_) => measure("this crate", wanted, with_crate),
        Err(_) => each_apart(),
    }
}

/// Which kind of instance this process measures.
const WHICH: &str = "WASGO_BENCH_IDLE";

/// Each in a process of its own: memory that another kind took before would be used again, and not be seen.
fn each_apart() {
    println!("| idle instances with a page, called once | instances | KiB each |\n| --- | --- | --- |");
    let program = std::env::current_exe().expect("this program");
    for which in ["sync", "fiber", "crate"] {
        let status = Command::new(&program).args(std::env::args().skip(1)).env(WHICH, which).status();
        assert!(status.expect("it runs").success(), "{which} failed");
    }
}

/// Makes as many as wanted or as there is room for.
fn measure<T, E: std::fmt::Display>(name: &str, wanted: usize, make: impl Fn() -> Result<T, E>) {
    drop(make());
    let mut made = Vec::with_capacity(wanted);
    let before = resident();
    while made.len() < wanted {
        match make() {
            Ok(instance) => made.push(instance),
            Err(error) => {
                eprintln!("after {} instances: {error}", made.len());
                break;
            }
        }
    }
    let each = resident().zip(before).map(|(now, before)| (now as f64 - before as f64) / made.len().max(1) as f64);
    let each = each.map_or("unknown".into(), |bytes| format!("{:.2}", bytes / 1024.0));
    println!("| {name} | {} | {each} |", made.len());
}

/// Bytes of memory that this process has; none where the system does not say.
fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
