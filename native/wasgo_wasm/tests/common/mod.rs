//! Waiting for what the crate answers later.
#![allow(dead_code)]

use std::sync::OnceLock;
use std::sync::mpsc::channel;

use wasgo_wasm::{
    Act, Acted, CallOptions, CompileOptions, Engine, EngineOptions, Error, Imports, Instance, Limits, Module, Started,
    Val, ValType,
};

/// One engine for all tests of a file, as a host has.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions { workers: 2, ..EngineOptions::default() }).unwrap())
}

pub fn module(source: &str) -> Module {
    Module::compile(engine(), source.as_bytes(), CompileOptions::default()).unwrap()
}

type Callback<T> = Box<dyn FnOnce(T) + Send>;

/// Starts something and waits for its result; says whether it came in the first slice.
pub fn wait<T: Send + 'static>(start: impl FnOnce(Box<dyn FnOnce() -> Callback<T>>) -> Started<T>) -> (T, bool) {
    let (send, receive) = channel();
    let later = Box::new(move || -> Callback<T> { Box::new(move |result| send.send(result).unwrap()) });
    match start(later) {
        Started::Done(result) => (result, true),
        Started::Running(_) => (receive.recv().unwrap(), false),
    }
}

pub fn try_instance(module: &Module, limits: Limits, options: CallOptions) -> Result<Instance, Error> {
    wait(|later| Instance::start(module, Imports::default(), limits, 0, options, later)).0
}

pub fn instance(source: &str) -> Instance {
    try_instance(&module(source), Limits::default(), CallOptions::default()).unwrap()
}

pub fn call_with(instance: &Instance, name: &str, arguments: &[i64], options: CallOptions) -> Result<Vec<i64>, Error> {
    let convert = |types: &[ValType]| {
        Ok(types
            .iter()
            .zip(arguments)
            .map(|(ty, argument)| match ty {
                ValType::I64 => Val::I64(*argument),
                _ => Val::I32(*argument as i32),
            })
            .collect())
    };
    let results = wait(|later| instance.call(name, convert, options, later)).0?;
    Ok(results
        .iter()
        .map(|value| match value {
            Val::I64(value) => *value,
            other => other.unwrap_i32().into(),
        })
        .collect())
}

pub fn call(instance: &Instance, name: &str, arguments: &[i64]) -> Result<Vec<i64>, Error> {
    call_with(instance, name, arguments, CallOptions::default())
}

pub fn act(instance: &Instance, what: Act) -> Result<Acted, Error> {
    wait(|later| instance.act(what, CallOptions::default(), later)).0
}

pub fn read(instance: &Instance, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    match act(instance, Act::Read { offset, length })? {
        Acted::Bytes(bytes) => Ok(bytes),
        other => panic!("{other:?}"),
    }
}

pub fn write(instance: &Instance, offset: u64, bytes: &[u8]) -> Result<(), Error> {
    act(instance, Act::Write { offset, bytes: bytes.to_vec() }).map(|_| ())
}

pub fn size(instance: &Instance) -> Result<u64, Error> {
    match act(instance, Act::MemorySize)? {
        Acted::Size(size) => Ok(size),
        other => panic!("{other:?}"),
    }
}
