//! What the benchmarks share: guests, and wasmtime without this crate around it.

// Each benchmark uses some of it.
#![allow(dead_code)]

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};

use wasgo_wasm::{CallOptions, Callback, CompileOptions, Engine, Error, Imports, Instance, Limits, Module, Started};
use wasmtime::{Linker, Store};

/// A module of about a MB, as programs have it: thousands of functions with loops, memory and calls.
pub fn megabyte() -> Vec<u8> {
    let mut text = String::from("(module (memory (export \"memory\") 2)\n");
    for number in 0..9_000 {
        let callee = number / 2;
        text.push_str(&format!(
            "(func $f{number} (param i32 i32) (result i32) (local i32)
               (local.set 2 (i32.const {number}))
               (block (loop
                 (br_if 1 (i32.ge_u (local.get 0) (local.get 1)))
                 (local.set 2 (i32.xor (i32.mul (local.get 2) (i32.const {})) (i32.load offset={} (local.get 0))))
                 (i32.store offset=16 (local.get 0) (i32.rotl (local.get 2) (i32.const 7)))
                 (i64.store offset=64 (local.get 0) (i64.mul (i64.extend_i32_u (local.get 2)) (i64.const {})))
                 (local.set 2 (select (local.get 2) (i32.const {}) (i32.lt_s (local.get 0) (i32.const {}))))
                 (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                 (if (i32.eqz (local.get 2)) (then (local.set 2 (call $f{callee} (local.get 0) (local.get 1)))))
                 (br 0)))
               (local.get 2))\n",
            number * 7 + 1,
            number % 60_000,
            number * 131_071,
            number * 3_001,
            number * 4_001,
        ));
    }
    text.push_str("(export \"run\" (func $f8999)))");
    wat::parse_str(text).expect("it is valid")
}

/// A guest of the benchmarks, from here or from Elixir.
pub fn guest(name: &str) -> Vec<u8> {
    read(&format!("bench/guests/{name}.wat"))
}

/// A file of the project.
pub fn read(path: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read(root.join(path)).expect("a file of the project")
}

/// A module for wasmtime alone, on the engine that this crate would use for it.
pub fn compile(engine: &Engine, source: &[u8]) -> wasmtime::Module {
    wasmtime::Module::new(engine.alone(), source).expect("it is valid")
}

/// A linker with what AssemblyScript's modules ask for.
pub fn linker(engine: &Engine) -> Linker<()> {
    let mut linker = Linker::new(engine.alone());
    let abort = |_: i32, _: i32, _: i32, _: i32| {};
    linker.func_wrap("env", "abort", abort).expect("it is new");
    linker
}

/// A store whose guests are never interrupted.
pub fn store(engine: &Engine) -> Store<()> {
    let mut store = Store::new(engine.alone(), ());
    store.set_epoch_deadline(1 << 40);
    store
}

/// A store whose guests run on fibers, and would yield when their time is up.
pub fn yielding_store(engine: &Engine) -> Store<()> {
    let mut store = store(engine);
    store.epoch_deadline_async_yield_and_update(1 << 40);
    store
}

/// Polls a future that ends at once.
pub fn poll_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it did not end in its first slice"),
    }
}

/// A module of this crate.
pub fn own(engine: &Engine, source: &[u8]) -> Module {
    Module::compile(engine, source, CompileOptions::default()).expect("it is valid")
}

/// An instance of this crate.
pub fn own_instance(module: &Module) -> Result<Instance, Error> {
    finished(|later| Instance::start(module, Imports::default(), Limits::default(), 0, CallOptions::default(), later))
}

/// How a result that comes later is waited for.
type Later<'a, T> = &'a mut dyn FnMut() -> Callback<Result<T, Error>>;

/// What came of something: nearly always at once, but the clock may tick in any call.
pub fn finished<T: Send + 'static>(start: impl FnOnce(Later<'_, T>) -> Started<Result<T, Error>>) -> Result<T, Error> {
    let mut answer = None;
    let mut later = || -> Callback<Result<T, Error>> {
        let (sender, receiver) = channel();
        answer = Some(receiver);
        Box::new(move |result| sender.send(result).expect("somebody waits"))
    };
    match start(&mut later) {
        Started::Done(result) => result,
        Started::Running(_) => answer.expect("it was called").recv().expect("an answer"),
    }
}
