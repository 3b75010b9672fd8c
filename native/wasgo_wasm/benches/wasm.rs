//! What wasmtime alone costs, with this crate's configuration (pool, epochs, fibers): the floor under what `bench/wasm.exs` measures from
//! Elixir. Beside it, what this crate makes of it, without the BEAM.

#![allow(missing_docs)]

mod common;

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use common::{compile, finished, guest, linker, megabyte, own, own_instance, poll_once, read, store, yielding_store};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use wasgo_wasm::row::Value;
use wasgo_wasm::{CallOptions, Engine, EngineOptions, Rows, Script, ScriptOptions, Val, row};
use wasmtime::{Memory, Store, TypedFunc};

type Group<'a> = BenchmarkGroup<'a, WallTime>;
type Add = TypedFunc<(i64, i64), i64>;

const MIB: usize = 1 << 20;

/// Rows of a batch.
const BATCH: usize = 10_000;

/// The number of `process` among the notifications.
const PROCESS: i32 = 17;

fn wasm(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let mut group = criterion.benchmark_group("wasm");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(50);
    add(&mut group, &engine);
    notify(&mut group, &engine);
    instantiate(&mut group, &engine);
    import(&mut group, &engine);
    memory(&mut group, &engine);
    deserialize(&mut group, &engine);
    group.finish();
}

fn add(group: &mut Group<'_>, engine: &Engine) {
    let module = compile(engine, &guest("arithmetic"));
    {
        let mut store = store(engine);
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("an instance");
        let add: Add = instance.get_typed_func(&mut store, "add").expect("its type");
        group.bench_function("add_sync", |bencher| {
            bencher.iter(|| add.call(&mut store, black_box((40, 2))).expect("a sum"));
        });
    }
    {
        let (mut store, add) = async_add(engine, &module);
        group.bench_function("add_async", |bencher| {
            bencher.iter(|| {
                store.set_epoch_deadline(1 << 40);
                poll_once(add.call_async(&mut store, black_box((40, 2)))).expect("a sum")
            });
        });
        let add = *add.func();
        group.bench_function("add_async_by_values", |bencher| {
            bencher.iter(|| {
                store.set_epoch_deadline(1 << 40);
                let arguments = black_box([Val::I64(40), Val::I64(2)]);
                let mut results = [Val::I64(0)];
                poll_once(add.call_async(&mut store, &arguments, &mut results)).expect("a sum");
                results[0].unwrap_i64()
            });
        });
    }
    group.bench_function("add_async_threads", |bencher| bencher.iter_custom(|times| threads(engine, &module, times)));

    let module = own(engine, &guest("arithmetic"));
    let instance = own_instance(&module).expect("an instance");
    group.bench_function("add_instance_call", |bencher| {
        bencher.iter(|| {
            let arguments = black_box([Val::I64(40), Val::I64(2)]);
            let convert = |_: &[_]| Ok(arguments.into_iter().collect());
            let sum = finished(|later| instance.call("add", convert, CallOptions::default(), later));
            sum.expect("a sum")[0].unwrap_i64()
        });
    });
}

fn async_add(engine: &Engine, module: &wasmtime::Module) -> (Store<()>, Add) {
    let mut store = yielding_store(engine);
    let instance = poll_once(wasmtime::Instance::new_async(&mut store, module, &[])).expect("an instance");
    let add = instance.get_typed_func(&mut store, "add").expect("its type");
    (store, add)
}

/// The time of so many calls by as many threads as there are cores, each with an instance of its own.
fn threads(engine: &Engine, module: &wasmtime::Module, times: u64) -> Duration {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let share = times.div_ceil(count as u64);
    let barrier = Barrier::new(count + 1);
    let mut start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                let (mut store, add) = async_add(engine, module);
                barrier.wait();
                for _ in 0..share {
                    store.set_epoch_deadline(1 << 40);
                    poll_once(add.call_async(&mut store, black_box((40, 2)))).expect("a sum");
                }
            });
        }
        start = Instant::now();
        barrier.wait();
    });
    start.elapsed()
}

/// A script, called as a loop in Rust would.
struct Plain {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    notification: TypedFunc<(i32, u32, u32), u64>,
}

impl Plain {
    fn new(engine: &Engine, source: &[u8]) -> Self {
        let module = compile(engine, source);
        let mut store = store(engine);
        let instance = linker(engine).instantiate(&mut store, &module).expect("an instance");
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            initialize.call(&mut store, ()).expect("it starts");
        }
        let memory = instance.get_memory(&mut store, "memory").expect("a memory");
        let alloc = instance.get_typed_func(&mut store, "wasgo_alloc").expect("its type");
        let notification = instance.get_typed_func(&mut store, "_notification").expect("its type");
        Self { store, memory, alloc, notification }
    }

    /// Room, the row, the call, and the row that it returned.
    fn notify(&mut self, row: &[u8], answers: &mut Vec<u8>) -> wasmtime::Result<()> {
        let length = row.len() as u32;
        let at = self.alloc.call(&mut self.store, length)?;
        self.memory.write(&mut self.store, at as usize, row)?;
        let span = self.notification.call(&mut self.store, (PROCESS, at, length))?;
        let (at, length) = ((span >> 32) as usize, span as u32 as usize);
        answers.extend_from_slice(&self.memory.data(&self.store)[at..at + length]);
        Ok(())
    }
}

fn notify(group: &mut Group<'_>, engine: &Engine) {
    let mut row = Vec::new();
    let values = [1.0, 0.5, 10.0, 2.0, 20.0, 0.3].map(Value::Real);
    let length = row::encode(&values, &mut row).expect("a row");
    let rows = Rows { bytes: row.repeat(BATCH).into(), spans: (0..BATCH).map(|at| (at * row.len(), length)).collect() };
    let row = &row[..length];
    let scripts = [("bob", guest("bob")), ("wander", read("guest/scripts/wander.wasm"))];
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, source) in scripts {
        let mut plain = Plain::new(engine, &source);
        group.bench_function(format!("notify_{name}"), |bencher| {
            bencher.iter(|| {
                let mut answers = Vec::new();
                for _ in 0..BATCH {
                    plain.notify(black_box(row), &mut answers).expect("an answer");
                }
                answers
            });
        });
        let script = Script::new(&own(engine, &source), ScriptOptions::default()).expect("a script");
        group.bench_function(format!("notify_{name}_script"), |bencher| {
            bencher.iter_batched(
                || rows.clone(),
                |rows| finished(|later| script.notify(PROCESS, rows, CallOptions::default(), later)).expect("answers"),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.throughput(Throughput::Elements(1));
}

fn instantiate(group: &mut Group<'_>, engine: &Engine) {
    for (name, guest_name) in [("instantiate", "pages"), ("instantiate_1_page", "arithmetic")] {
        let module = compile(engine, &guest(guest_name));
        let pre = linker(engine).instantiate_pre(&module).expect("no imports");
        group.bench_function(format!("{name}_sync"), |bencher| {
            timed(bencher, || {
                let mut store = store(engine);
                (pre.instantiate(&mut store).expect("an instance"), store)
            });
        });
        group.bench_function(format!("{name}_async"), |bencher| {
            timed(bencher, || {
                let mut store = yielding_store(engine);
                (poll_once(pre.instantiate_async(&mut store)).expect("an instance"), store)
            });
        });
        let module = own(engine, &guest(guest_name));
        group.bench_function(format!("{name}_instance"), |bencher| {
            timed(bencher, || own_instance(&module).expect("an instance"));
        });
    }
}

/// Times `make` without the end of what it made.
fn timed<T>(bencher: &mut criterion::Bencher<'_, WallTime>, mut make: impl FnMut() -> T) {
    bencher.iter_custom(|times| {
        (0..times)
            .map(|_| {
                let start = Instant::now();
                let made = make();
                let took = start.elapsed();
                drop(made);
                took
            })
            .sum()
    });
}

fn import(group: &mut Group<'_>, engine: &Engine) {
    let module = compile(engine, &guest("ask"));
    {
        let mut linker = linker(engine);
        linker.func_wrap("env", "next", |number: i64| number + 1).expect("it is new");
        let mut store = store(engine);
        let instance = linker.instantiate(&mut store, &module).expect("an instance");
        let once: TypedFunc<i64, i64> = instance.get_typed_func(&mut store, "once").expect("its type");
        group.bench_function("import_sync", |bencher| {
            bencher.iter(|| once.call(&mut store, black_box(7)).expect("8"));
        });
    }
    let mut linker = linker(engine);
    linker
        .func_wrap_async("env", "next", |_, (number,): (i64,)| Box::new(async move { number + 1 }))
        .expect("it is new");
    let mut store = yielding_store(engine);
    let instance = poll_once(linker.instantiate_async(&mut store, &module)).expect("an instance");
    let once: TypedFunc<i64, i64> = instance.get_typed_func(&mut store, "once").expect("its type");
    group.bench_function("import_async", |bencher| {
        bencher.iter(|| poll_once(once.call_async(&mut store, black_box(7))).expect("8"));
    });
}

fn memory(group: &mut Group<'_>, engine: &Engine) {
    let module = compile(engine, &guest("pages"));
    let mut store = store(engine);
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("an instance");
    let memory = instance.get_memory(&mut store, "memory").expect("a memory");
    let bytes = vec![7; MIB];
    group.throughput(Throughput::Bytes(MIB as u64));
    group.bench_function("memory_write", |bencher| {
        bencher.iter(|| memory.write(&mut store, 0, black_box(&bytes)).expect("room"));
    });
    group.bench_function("memory_read", |bencher| bencher.iter(|| memory.data(&store)[..MIB].to_vec()));
    group.throughput(Throughput::Elements(1));
}

fn deserialize(group: &mut Group<'_>, engine: &Engine) {
    let path = std::env::temp_dir().join(format!("wasgo-bench-{}.code", std::process::id()));
    // Compiling takes seconds, for nothing where other benchmarks are asked for.
    let mut written = false;
    group.bench_function("deserialize_file", |bencher| {
        if !written {
            let code = engine.alone().precompile_module(&megabyte()).expect("it is valid");
            std::fs::write(&path, code).expect("a file");
            written = true;
        }
        timed(bencher, || {
            // SAFETY: the file was made by this very engine just now.
            unsafe { wasmtime::Module::deserialize_file(engine.alone(), &path) }.expect("its own code")
        });
    });
    let _ = std::fs::remove_file(path);
}

criterion_group!(benches, wasm);
criterion_main!(benches);
