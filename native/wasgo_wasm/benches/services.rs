//! Programs as services, beside a bare embedding of wasmtime and its own WASI that runs the same module.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wasgo_wasm::{CompileOptions, Engine, EngineOptions, Event, Module, Service, ServiceOptions};
use wasmtime::{Config, Linker, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};

/// A third of a second of integers, floats and memory, and no call of the host.
const COMPUTE: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 17)
    (func (export "_start") (local $n i32) (local $x i64) (local $f f64) (local $at i32)
      (local.set $x (i64.const 88172645463325252))
      (local.set $f (f64.const 1))
      (loop
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
        (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
        (local.set $at (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 0xffff8)))
        (local.set $f (f64.add (f64.mul (local.get $f) (f64.const 0.999)) (f64.load (local.get $at))))
        (f64.store (local.get $at) (local.get $f))
        (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100000000))))
      (call $exit (i32.const 0))))"#;

/// Writes back what it reads, up to 128 KiB at a time.
const CAT: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 4)
    (func (export "_start")
      (loop
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 131072))
        (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then (return)))
        (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br 0))))"#;

const BULK: usize = 64 << 20;

fn start(module: &Module) -> (Service, Receiver<Event>) {
    let (send, receive) = channel();
    let service = Service::start(module, ServiceOptions::default(), move |event| drop(send.send(event))).unwrap();
    (service, receive)
}

fn end(service: &Service, events: &Receiver<Event>) -> usize {
    let mut bytes = 0;
    loop {
        match events.recv_timeout(Duration::from_secs(60)).unwrap() {
            Event::Stdout(more) => {
                service.give_credit(more.len(), 0);
                bytes += more.len();
            }
            Event::Exit(result) => {
                assert_eq!(result.unwrap(), 0);
                return bytes;
            }
            _ => {}
        }
    }
}

struct Bare {
    module: wasmtime::Module,
    linker: Linker<WasiP1Ctx>,
}

impl Bare {
    fn new(source: &str) -> Self {
        Self::of(source, false)
    }

    /// With `stoppable`, code looks at the epoch as ours does: without that no guest can be stopped.
    fn of(source: &str, stoppable: bool) -> Self {
        let engine = wasmtime::Engine::new(Config::new().epoch_interruption(stoppable)).unwrap();
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, |host| host).unwrap();
        Self { module: wasmtime::Module::new(&engine, source).unwrap(), linker }
    }

    fn run(&self, input: Bytes) -> usize {
        let output = MemoryOutputPipe::new(usize::MAX);
        let wasi = WasiCtxBuilder::new().stdin(MemoryInputPipe::new(input)).stdout(output.clone()).build_p1();
        let mut store = Store::new(self.module.engine(), wasi);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.linker.instantiate(&mut store, &self.module).unwrap();
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
        // A program that exits ends by an error.
        let _exit = start.call(&mut store, ());
        output.contents().len()
    }
}

fn services(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let module = |source: &str| Module::compile(&engine, source.as_bytes(), CompileOptions::default()).unwrap();

    let mut group = criterion.benchmark_group("services/compute");
    group.sample_size(10);
    let (ours, bare) = (module(COMPUTE), Bare::new(COMPUTE));
    group.bench_function("service", |bencher| {
        bencher.iter(|| {
            let (service, events) = start(&ours);
            end(&service, &events)
        });
    });
    group.bench_function("bare", |bencher| bencher.iter(|| bare.run(Bytes::new())));
    let stoppable = Bare::of(COMPUTE, true);
    group.bench_function("bare that can be stopped", |bencher| bencher.iter(|| stoppable.run(Bytes::new())));
    group.finish();

    let mut group = criterion.benchmark_group("services/bulk");
    group.sample_size(10).throughput(Throughput::Bytes(BULK as u64));
    let (ours, bare) = (module(CAT), Bare::new(CAT));
    let chunk = Bytes::from(vec![7; 64 << 10]);
    group.bench_function("service", |bencher| {
        bencher.iter(|| {
            let (service, events) = start(&ours);
            let mut left = BULK;
            let mut back = 0;
            while left > 0 {
                match service.write(chunk.clone()) {
                    wasgo_wasm::WriteOutcome::Written => left -= chunk.len(),
                    _ => match events.recv_timeout(Duration::from_secs(60)).unwrap() {
                        Event::Stdout(more) => {
                            service.give_credit(more.len(), 0);
                            back += more.len();
                        }
                        Event::InputReady => {}
                        other => panic!("{other:?}"),
                    },
                }
            }
            service.close_input();
            assert_eq!(back + end(&service, &events), BULK);
        });
    });
    let all = Bytes::from(vec![7; BULK]);
    group.bench_function("bare", |bencher| bencher.iter(|| assert_eq!(bare.run(all.clone()), BULK)));
    group.finish();

    let mut group = criterion.benchmark_group("services/start");
    let bare = Bare::new(CAT);
    group.bench_function("service", |bencher| {
        bencher.iter(|| {
            let (service, events) = start(&ours);
            service.close_input();
            end(&service, &events)
        });
    });
    group.bench_function("bare", |bencher| bencher.iter(|| bare.run(Bytes::new())));
    group.finish();
}

criterion_group!(benches, services);
criterion_main!(benches);
